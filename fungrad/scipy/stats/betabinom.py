"""Beta-binomial distribution.

May import ``core``, ``fungrad.numpy``, ``scipy.special`` and ``stats._base``.
"""

from __future__ import annotations

from typing import Any

import fungrad.numpy as jnp
from fungrad.core.array import Array
from fungrad.core.public_names import publish
from fungrad.scipy import special
from fungrad.scipy.stats._base import operands


def logpmf(k: Any, n: Any, a: Any, b: Any, loc: Any = 0) -> Array:
    """Logarithm of the probability mass of the beta-binomial distribution.

    Args:
      k: where; a whole number.
      n: number of trials.
      a: first shape parameter, positive.
      b: second shape parameter, positive.
      loc: location; default 0.

    Example:
      >>> from fungrad.scipy import stats
      >>> print(stats.betabinom.logpmf(1, 4, 2.0, 3.0).round(4))
      -1.2528
    """
    k, n, a, b, loc = operands("betabinom.logpmf", k=k, n=n, a=a, b=b, loc=loc)
    y = jnp.floor(k) - loc
    inside = (y >= 0) & (y <= n)
    y = jnp.where(inside, y, 0.0)
    combinations = -jnp.log1p(n) - special.betaln(n - y + 1, y + 1)
    value = combinations + special.betaln(y + a, n - y + b) - special.betaln(a, b)
    value = jnp.where(inside, value, -jnp.inf)
    return jnp.where((n >= 0) & (a > 0) & (b > 0), value, jnp.nan)


def pmf(k: Any, n: Any, a: Any, b: Any, loc: Any = 0) -> Array:
    """Probability mass of the beta-binomial distribution.

    Args:
      k: where; a whole number.
      n: number of trials.
      a: first shape parameter, positive.
      b: second shape parameter, positive.
      loc: location; default 0.

    Example:
      >>> from fungrad.scipy import stats
      >>> print(stats.betabinom.pmf(1, 4, 2.0, 3.0).round(4))
      0.2857
    """
    return jnp.exp(logpmf(k, n, a, b, loc))


__all__ = ["logpmf", "pmf"]

publish(globals(), __name__, __all__)
