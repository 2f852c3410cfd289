"""Poisson distribution.

May import ``core``, ``fungrad.numpy``, ``scipy.special`` and ``stats._base``.
"""

from __future__ import annotations

import math
from typing import Any

import fungrad.numpy as jnp
from fungrad.core.array import Array
from fungrad.core.public_names import publish
from fungrad.scipy import special
from fungrad.scipy.stats._base import operands


def logpmf(k: Any, mu: Any, loc: Any = 0) -> Array:
    """Logarithm of the probability mass of the Poisson distribution.

    Args:
      k: where; a whole number.
      mu: mean, not negative.
      loc: location; default 0.

    Example:
      >>> from fungrad.scipy import stats
      >>> print(stats.poisson.logpmf(1, 2.0).round(4))
      -1.3069
    """
    k, mu, loc = operands("poisson.logpmf", k=k, mu=mu, loc=loc)
    y = k - loc
    inside = (y >= 0) & (jnp.round(k) == k)
    y = jnp.where(inside, y, 0.0)
    value = special.xlogy(y, mu) - special.gammaln(y + 1) - mu
    return jnp.where(inside, value, -jnp.inf)


def pmf(k: Any, mu: Any, loc: Any = 0) -> Array:
    """Probability mass of the Poisson distribution.

    Args:
      k: where; a whole number.
      mu: mean, not negative.
      loc: location; default 0.

    Example:
      >>> from fungrad.scipy import stats
      >>> print(stats.poisson.pmf(1, 2.0).round(4))
      0.2707
    """
    return jnp.exp(logpmf(k, mu, loc))


def cdf(k: Any, mu: Any, loc: Any = 0) -> Array:
    """Distribution function of the Poisson distribution.

    Args:
      k: where; a whole number.
      mu: mean, not negative.
      loc: location; default 0.

    Example:
      >>> from fungrad.scipy import stats
      >>> print(stats.poisson.cdf(1, 2.0).round(4))
      0.406
    """
    k, mu, loc = operands("poisson.cdf", k=k, mu=mu, loc=loc)
    y = k - loc
    value = special.gammaincc(jnp.floor(1 + jnp.maximum(y, 0)), mu)
    return jnp.where(y < 0, 0.0, value)


def entropy(mu: Any, loc: Any = 0) -> Array:
    """Entropy of the Poisson distribution.

    Args:
      mu: mean, not negative.
      loc: location; default 0.

    Example:
      >>> from fungrad.scipy import stats
      >>> print(stats.poisson.entropy(2.0).round(4))
      1.7049
    """
    mu, loc = operands("poisson.entropy", mu=mu, loc=loc)
    mu = jnp.broadcast_to(mu, jnp.broadcast_shapes(mu.shape, loc.shape))
    small = mu < 100
    rate = jnp.where(small, mu, 1.0)[..., None]
    # Beyond 250 there is nothing for means below 100.
    k = jnp.arange(250, dtype=mu.dtype)
    terms = special.xlogy(k, rate) - special.gammaln(k + 1) - rate
    total = -jnp.sum(jnp.exp(terms) * jnp.where(terms > -1e30, terms, 0.0), axis=-1)
    large = jnp.where(small, 100.0, mu)
    inverse = 1 / large
    far = 0.5 * jnp.log(2 * math.pi * math.e * large)
    far = far - inverse * (1 / 12 + inverse * (1 / 24 + inverse * (19 / 360)))
    return jnp.where(mu == 0, 0.0, jnp.where(small, total, far))


__all__ = ["cdf", "entropy", "logpmf", "pmf"]

publish(globals(), __name__, __all__)
