"""Exponential distribution.

May import ``core``, ``fungrad.numpy``, ``scipy.special`` and ``stats._base``.
"""

from __future__ import annotations

from typing import Any

import fungrad.numpy as jnp
from fungrad.core.array import Array
from fungrad.core.public_names import publish
from fungrad.scipy.stats._base import log_of, operands, standardized, within


def logpdf(x: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """Logarithm of the probability density of the exponential distribution.

    Args:
      x: where.
      loc: location; default 0.
      scale: scale; default 1.

    Example:
      >>> from fungrad.scipy import stats
      >>> print(stats.expon.logpdf(0.5).round(4))
      -0.5
    """
    z, width = standardized("expon.logpdf", loc, scale, x=x)
    return jnp.where(z < 0, -jnp.inf, -z - jnp.log(width))


def pdf(x: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """Probability density of the exponential distribution.

    Args:
      x: where.
      loc: location; default 0.
      scale: scale; default 1.

    Example:
      >>> from fungrad.scipy import stats
      >>> print(stats.expon.pdf(0.5).round(4))
      0.6065
    """
    return jnp.exp(logpdf(x, loc, scale))


def cdf(x: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """Distribution function of the exponential distribution.

    Args:
      x: where.
      loc: location; default 0.
      scale: scale; default 1.

    Example:
      >>> from fungrad.scipy import stats
      >>> print(stats.expon.cdf(0.5).round(4))
      0.3935
    """
    z, _ = standardized("expon.cdf", loc, scale, x=x)
    return -jnp.expm1(-jnp.maximum(z, 0))


def logcdf(x: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """Logarithm of the distribution function of the exponential distribution.

    Args:
      x: where.
      loc: location; default 0.
      scale: scale; default 1.

    Example:
      >>> from fungrad.scipy import stats
      >>> print(stats.expon.logcdf(0.5).round(4))
      -0.9328
    """
    z, _ = standardized("expon.logcdf", loc, scale, x=x)
    z = jnp.maximum(z, 0)
    return log_of(-jnp.expm1(-z), jnp.exp(-z))


def sf(x: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """Survival function, one minus the distribution function, of the exponential distribution.

    Args:
      x: where.
      loc: location; default 0.
      scale: scale; default 1.

    Example:
      >>> from fungrad.scipy import stats
      >>> print(stats.expon.sf(0.5).round(4))
      0.6065
    """
    z, _ = standardized("expon.sf", loc, scale, x=x)
    return jnp.exp(-jnp.maximum(z, 0))


def logsf(x: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """Logarithm of the survival function of the exponential distribution.

    Args:
      x: where.
      loc: location; default 0.
      scale: scale; default 1.

    Example:
      >>> from fungrad.scipy import stats
      >>> print(stats.expon.logsf(0.5).round(4))
      -0.5
    """
    z, _ = standardized("expon.logsf", loc, scale, x=x)
    return -jnp.maximum(z, 0)


def ppf(q: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """Quantile function, the inverse of the distribution function, of the exponential distribution.

    Args:
      q: probability.
      loc: location; default 0.
      scale: scale; default 1.

    Example:
      >>> from fungrad.scipy import stats
      >>> print(stats.expon.ppf(0.25).round(4))
      0.2877
    """
    q, loc, scale = operands("expon.ppf", q=q, loc=loc, scale=scale)
    return within(q, loc - scale * jnp.log1p(-q))


__all__ = ["cdf", "logcdf", "logpdf", "logsf", "pdf", "ppf", "sf"]

publish(globals(), __name__, __all__)
