"""Cauchy distribution.

May import ``core``, ``fungrad.numpy``, ``scipy.special`` and ``stats._base``.
"""

from __future__ import annotations

import math
from typing import Any

import fungrad.numpy as jnp
from fungrad.core.array import Array
from fungrad.core.public_names import publish
from fungrad.scipy.stats._base import log_of, operands, standardized, within


def _below(z: Array) -> Array:
    return jnp.arctan2(jnp.ones_like(z), -z) / math.pi


def _quantile(q: Array) -> Array:
    # From the nearer end, where the tangent has all its digits.
    low = q < 0.5
    distance = 1 / jnp.tan(math.pi * jnp.where(low, q, 1 - q))
    return within(q, jnp.where(q == 0.5, 0.0, jnp.where(low, -distance, distance)))


def logpdf(x: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """Logarithm of the probability density of the Cauchy distribution.

    Args:
      x: where.
      loc: location; default 0.
      scale: scale; default 1.

    Example:
      >>> from fungrad.scipy import stats
      >>> print(stats.cauchy.logpdf(0.5).round(4))
      -1.3679
    """
    z, width = standardized("cauchy.logpdf", loc, scale, x=x)
    return -(jnp.log(math.pi * width) + jnp.log1p(z * z))


def pdf(x: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """Probability density of the Cauchy distribution.

    Args:
      x: where.
      loc: location; default 0.
      scale: scale; default 1.

    Example:
      >>> from fungrad.scipy import stats
      >>> print(stats.cauchy.pdf(0.5).round(4))
      0.2546
    """
    return jnp.exp(logpdf(x, loc, scale))


def cdf(x: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """Distribution function of the Cauchy distribution.

    Args:
      x: where.
      loc: location; default 0.
      scale: scale; default 1.

    Example:
      >>> from fungrad.scipy import stats
      >>> print(stats.cauchy.cdf(0.5).round(4))
      0.6476
    """
    z, _ = standardized("cauchy.cdf", loc, scale, x=x)
    return _below(z)


def logcdf(x: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """Logarithm of the distribution function of the Cauchy distribution.

    Args:
      x: where.
      loc: location; default 0.
      scale: scale; default 1.

    Example:
      >>> from fungrad.scipy import stats
      >>> print(stats.cauchy.logcdf(0.5).round(4))
      -0.4345
    """
    z, _ = standardized("cauchy.logcdf", loc, scale, x=x)
    return log_of(_below(z), _below(-z))


def sf(x: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """Survival function, one minus the distribution function, of the Cauchy distribution.

    Args:
      x: where.
      loc: location; default 0.
      scale: scale; default 1.

    Example:
      >>> from fungrad.scipy import stats
      >>> print(stats.cauchy.sf(0.5).round(4))
      0.3524
    """
    z, _ = standardized("cauchy.sf", loc, scale, x=x)
    return _below(-z)


def logsf(x: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """Logarithm of the survival function of the Cauchy distribution.

    Args:
      x: where.
      loc: location; default 0.
      scale: scale; default 1.

    Example:
      >>> from fungrad.scipy import stats
      >>> print(stats.cauchy.logsf(0.5).round(4))
      -1.0429
    """
    z, _ = standardized("cauchy.logsf", loc, scale, x=x)
    return log_of(_below(-z), _below(z))


def ppf(q: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """Quantile function, the inverse of the distribution function, of the Cauchy distribution.

    Args:
      q: probability.
      loc: location; default 0.
      scale: scale; default 1.

    Example:
      >>> from fungrad.scipy import stats
      >>> print(stats.cauchy.ppf(0.25).round(4))
      -1.0
    """
    q, loc, scale = operands("cauchy.ppf", q=q, loc=loc, scale=scale)
    return loc + scale * _quantile(q)


def isf(q: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """Inverse of the survival function of the Cauchy distribution.

    Args:
      q: probability.
      loc: location; default 0.
      scale: scale; default 1.

    Example:
      >>> from fungrad.scipy import stats
      >>> print(stats.cauchy.isf(0.25).round(4))
      1.0
    """
    q, loc, scale = operands("cauchy.isf", q=q, loc=loc, scale=scale)
    return loc - scale * _quantile(q)


__all__ = ["cdf", "isf", "logcdf", "logpdf", "logsf", "pdf", "ppf", "sf"]

publish(globals(), __name__, __all__)
