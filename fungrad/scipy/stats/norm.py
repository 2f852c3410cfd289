"""Normal distribution.

May import ``core``, ``fungrad.numpy``, ``scipy.special`` and ``stats._base``.
"""

from __future__ import annotations

import math
from typing import Any

import fungrad.numpy as jnp
from fungrad.core.array import Array
from fungrad.core.public_names import publish
from fungrad.scipy import special
from fungrad.scipy.stats._base import operands, standardized


def logpdf(x: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """Logarithm of the probability density of the normal distribution.

    Args:
      x: where.
      loc: location; default 0.
      scale: scale; default 1.

    Example:
      >>> from fungrad.scipy import stats
      >>> print(stats.norm.logpdf(0.5).round(4))
      -1.0439
    """
    z, width = standardized("norm.logpdf", loc, scale, x=x)
    return -0.5 * (z * z) - jnp.log(width) - 0.5 * math.log(2 * math.pi)


def pdf(x: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """Probability density of the normal distribution.

    Args:
      x: where.
      loc: location; default 0.
      scale: scale; default 1.

    Example:
      >>> from fungrad.scipy import stats
      >>> print(stats.norm.pdf(0.5).round(4))
      0.3521
    """
    return jnp.exp(logpdf(x, loc, scale))


def cdf(x: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """Distribution function of the normal distribution.

    Args:
      x: where.
      loc: location; default 0.
      scale: scale; default 1.

    Example:
      >>> from fungrad.scipy import stats
      >>> print(stats.norm.cdf(0.5).round(4))
      0.6915
    """
    z, _ = standardized("norm.cdf", loc, scale, x=x)
    return special.ndtr(z)


def logcdf(x: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """Logarithm of the distribution function of the normal distribution.

    Args:
      x: where.
      loc: location; default 0.
      scale: scale; default 1.

    Example:
      >>> from fungrad.scipy import stats
      >>> print(stats.norm.logcdf(0.5).round(4))
      -0.3689
    """
    z, _ = standardized("norm.logcdf", loc, scale, x=x)
    return special.log_ndtr(z)


def sf(x: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """Survival function, one minus the distribution function, of the normal distribution.

    Args:
      x: where.
      loc: location; default 0.
      scale: scale; default 1.

    Example:
      >>> from fungrad.scipy import stats
      >>> print(stats.norm.sf(0.5).round(4))
      0.3085
    """
    z, _ = standardized("norm.sf", loc, scale, x=x)
    return special.ndtr(-z)


def logsf(x: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """Logarithm of the survival function of the normal distribution.

    Args:
      x: where.
      loc: location; default 0.
      scale: scale; default 1.

    Example:
      >>> from fungrad.scipy import stats
      >>> print(stats.norm.logsf(0.5).round(4))
      -1.1759
    """
    z, _ = standardized("norm.logsf", loc, scale, x=x)
    return special.log_ndtr(-z)


def ppf(q: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """Quantile function, the inverse of the distribution function, of the normal distribution.

    Args:
      q: probability.
      loc: location; default 0.
      scale: scale; default 1.

    Example:
      >>> from fungrad.scipy import stats
      >>> print(stats.norm.ppf(0.25).round(4))
      -0.6745
    """
    q, loc, scale = operands("norm.ppf", q=q, loc=loc, scale=scale)
    return special.ndtri(q) * scale + loc


def isf(q: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """Inverse of the survival function of the normal distribution.

    Args:
      q: probability.
      loc: location; default 0.
      scale: scale; default 1.

    Example:
      >>> from fungrad.scipy import stats
      >>> print(stats.norm.isf(0.25).round(4))
      0.6745
    """
    q, loc, scale = operands("norm.isf", q=q, loc=loc, scale=scale)
    return -special.ndtri(q) * scale + loc


__all__ = ["cdf", "isf", "logcdf", "logpdf", "logsf", "pdf", "ppf", "sf"]

publish(globals(), __name__, __all__)
