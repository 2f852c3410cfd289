"""Bernoulli distribution.

May import ``core``, ``fungrad.numpy``, ``scipy.special`` and ``stats._base``.
"""

from __future__ import annotations

from typing import Any

import fungrad.numpy as jnp
from fungrad.core.array import Array
from fungrad.core.public_names import publish
from fungrad.scipy import special
from fungrad.scipy.stats._base import operands, within


def logpmf(k: Any, p: Any, loc: Any = 0) -> Array:
    """Logarithm of the probability mass of the Bernoulli distribution.

    Args:
      k: where; a whole number.
      p: probability of success.
      loc: location; default 0.

    Example:
      >>> from fungrad.scipy import stats
      >>> print(stats.bernoulli.logpmf(1, 0.25).round(4))
      -1.3863
    """
    k, p, loc = operands("bernoulli.logpmf", k=k, p=p, loc=loc)
    y = k - loc
    value = special.xlogy(y, p) + special.xlog1py(1 - y, -p)
    return jnp.where((y < 0) | (y > 1), -jnp.inf, value)


def pmf(k: Any, p: Any, loc: Any = 0) -> Array:
    """Probability mass of the Bernoulli distribution.

    Args:
      k: where; a whole number.
      p: probability of success.
      loc: location; default 0.

    Example:
      >>> from fungrad.scipy import stats
      >>> print(stats.bernoulli.pmf(1, 0.25).round(4))
      0.25
    """
    return jnp.exp(logpmf(k, p, loc))


def cdf(k: Any, p: Any) -> Array:
    """Distribution function of the Bernoulli distribution.

    Args:
      k: where; a whole number.
      p: probability of success.

    Example:
      >>> from fungrad.scipy import stats
      >>> print(stats.bernoulli.cdf(1, 0.25).round(4))
      1.0
    """
    k, p = operands("bernoulli.cdf", k=k, p=p)
    value = jnp.where(k < 0, 0.0, jnp.where(k < 1, 1 - p, 1.0))
    return jnp.where(jnp.isnan(k) | ~((p >= 0) & (p <= 1)), jnp.nan, value)


def ppf(q: Any, p: Any) -> Array:
    """Quantile function, the inverse of the distribution function, of the Bernoulli distribution.

    Args:
      q: probability.
      p: probability of success.

    Example:
      >>> from fungrad.scipy import stats
      >>> print(stats.bernoulli.ppf(0.25, 0.25).round(4))
      0.0
    """
    q, p = operands("bernoulli.ppf", q=q, p=p)
    return jnp.where((p >= 0) & (p <= 1), within(q, (q > 1 - p).astype(q.dtype)), jnp.nan)


__all__ = ["cdf", "logpmf", "pmf", "ppf"]

publish(globals(), __name__, __all__)
