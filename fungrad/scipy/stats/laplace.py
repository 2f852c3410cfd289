"""Laplace distribution.

May import ``core``, ``fungrad.numpy``, ``scipy.special`` and ``stats._base``.
"""

from __future__ import annotations

from typing import Any

import fungrad.numpy as jnp
from fungrad.core.array import Array
from fungrad.core.public_names import publish
from fungrad.scipy.stats._base import standardized


def logpdf(x: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """Logarithm of the probability density of the Laplace distribution.

    Args:
      x: where.
      loc: location; default 0.
      scale: scale; default 1.

    Example:
      >>> from fungrad.scipy import stats
      >>> print(stats.laplace.logpdf(0.5).round(4))
      -1.1931
    """
    z, width = standardized("laplace.logpdf", loc, scale, x=x)
    return -(jnp.abs(z) + jnp.log(2 * width))


def pdf(x: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """Probability density of the Laplace distribution.

    Args:
      x: where.
      loc: location; default 0.
      scale: scale; default 1.

    Example:
      >>> from fungrad.scipy import stats
      >>> print(stats.laplace.pdf(0.5).round(4))
      0.3033
    """
    return jnp.exp(logpdf(x, loc, scale))


def cdf(x: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """Distribution function of the Laplace distribution.

    Args:
      x: where.
      loc: location; default 0.
      scale: scale; default 1.

    Example:
      >>> from fungrad.scipy import stats
      >>> print(stats.laplace.cdf(0.5).round(4))
      0.6967
    """
    z, _ = standardized("laplace.cdf", loc, scale, x=x)
    tail = 0.5 * jnp.exp(-jnp.abs(z))
    return jnp.where(z <= 0, tail, 1 - tail)


__all__ = ["cdf", "logpdf", "pdf"]

publish(globals(), __name__, __all__)
