"""Wrapped Cauchy distribution.

May import ``core``, ``fungrad.numpy``, ``scipy.special`` and ``stats._base``.
"""

from __future__ import annotations

import math
from typing import Any

import fungrad.numpy as jnp
from fungrad.core.array import Array
from fungrad.core.public_names import publish
from fungrad.scipy.stats._base import operands


def logpdf(x: Any, c: Any) -> Array:
    """Logarithm of the probability density of the wrapped Cauchy distribution.

    Args:
      x: where, an angle in [0, 2 pi].
      c: shape parameter, in (0, 1).

    Example:
      >>> from fungrad.scipy import stats
      >>> print(stats.wrapcauchy.logpdf(0.5, 0.5).round(4))
      -1.1378
    """
    x, c = operands("wrapcauchy.logpdf", x=x, c=c)
    valid = (c > 0) & (c < 1)
    safe = jnp.where(valid, c, 0.5)
    # 1 + c^2 - 2 c cos(x) without cancellation.
    distance = (1 - safe) ** 2 + 4 * safe * jnp.sin(0.5 * x) ** 2
    value = jnp.log1p(-safe * safe) - math.log(2 * math.pi) - jnp.log(distance)
    value = jnp.where((x >= 0) & (x <= 2 * math.pi), value, -jnp.inf)
    return jnp.where(valid, value, jnp.nan)


def pdf(x: Any, c: Any) -> Array:
    """Probability density of the wrapped Cauchy distribution.

    Args:
      x: where, an angle in [0, 2 pi].
      c: shape parameter, in (0, 1).

    Example:
      >>> from fungrad.scipy import stats
      >>> print(stats.wrapcauchy.pdf(0.5, 0.5).round(4))
      0.3205
    """
    return jnp.exp(logpdf(x, c))


__all__ = ["logpdf", "pdf"]

publish(globals(), __name__, __all__)
