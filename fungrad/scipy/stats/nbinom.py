"""Negative binomial distribution: of failures before the n-th success.

May import ``core``, ``fungrad.numpy``, ``scipy.special`` and ``stats._base``.
"""

from __future__ import annotations

from typing import Any

import fungrad.numpy as jnp
from fungrad.core.array import Array
from fungrad.core.public_names import publish
from fungrad.scipy import special
from fungrad.scipy.stats._base import operands


def logpmf(k: Any, n: Any, p: Any, loc: Any = 0) -> Array:
    """Logarithm of the probability mass of the negative binomial distribution.

    Args:
      k: where; a whole number.
      n: number of successes, positive.
      p: probability of success.
      loc: location; default 0.

    Example:
      >>> from fungrad.scipy import stats
      >>> print(stats.nbinom.logpmf(1, 4, 0.25).round(4))
      -4.4466
    """
    k, n, p, loc = operands("nbinom.logpmf", k=k, n=n, p=p, loc=loc)
    y = k - loc
    inside = y >= 0
    y = jnp.where(inside, y, 0.0)
    combinations = special.gammaln(y + n) - special.gammaln(n) - special.gammaln(y + 1)
    value = combinations + special.xlogy(n, p) + special.xlog1py(y, -p)
    return jnp.where(inside, value, -jnp.inf)


def pmf(k: Any, n: Any, p: Any, loc: Any = 0) -> Array:
    """Probability mass of the negative binomial distribution: of failures before the n-th success.

    Args:
      k: where; a whole number.
      n: number of successes, positive.
      p: probability of success.
      loc: location; default 0.

    Example:
      >>> from fungrad.scipy import stats
      >>> print(stats.nbinom.pmf(1, 4, 0.25).round(4))
      0.0117
    """
    return jnp.exp(logpmf(k, n, p, loc))


__all__ = ["logpmf", "pmf"]

publish(globals(), __name__, __all__)
