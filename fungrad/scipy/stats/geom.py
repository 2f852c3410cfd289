"""Geometric distribution: of trials up to the first success.

May import ``core``, ``fungrad.numpy``, ``scipy.special`` and ``stats._base``.
"""

from __future__ import annotations

from typing import Any

import fungrad.numpy as jnp
from fungrad.core.array import Array
from fungrad.core.public_names import publish
from fungrad.scipy import special
from fungrad.scipy.stats._base import operands


def logpmf(k: Any, p: Any, loc: Any = 0) -> Array:
    """Logarithm of the probability mass of the geometric distribution: of trials up to the first success.

    Args:
      k: where; a whole number.
      p: probability of success.
      loc: location; default 0.

    Example:
      >>> from fungrad.scipy import stats
      >>> print(stats.geom.logpmf(1, 0.25).round(4))
      -1.3863
    """
    k, p, loc = operands("geom.logpmf", k=k, p=p, loc=loc)
    y = k - loc
    return jnp.where(y <= 0, -jnp.inf, special.xlog1py(y - 1, -p) + jnp.log(p))


def pmf(k: Any, p: Any, loc: Any = 0) -> Array:
    """Probability mass of the geometric distribution: of trials up to the first success.

    Args:
      k: where; a whole number.
      p: probability of success.
      loc: location; default 0.

    Example:
      >>> from fungrad.scipy import stats
      >>> print(stats.geom.pmf(1, 0.25).round(4))
      0.25
    """
    return jnp.exp(logpmf(k, p, loc))


__all__ = ["logpmf", "pmf"]

publish(globals(), __name__, __all__)
