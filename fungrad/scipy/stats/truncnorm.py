"""Truncated normal distribution.

May import ``core``, ``fungrad.numpy``, ``scipy.special`` and ``stats._base``.
"""

from __future__ import annotations

import math
from typing import Any

import fungrad.numpy as jnp
from fungrad.core.array import Array
from fungrad.core.public_names import publish
from fungrad.scipy import special
from fungrad.scipy.stats._base import standardized


def _log_mass(a: Array, b: Array) -> Array:
    """Logarithm of the probability that a standard normal number is between ``a`` and ``b``."""
    right, central = a > 0, (a <= 0) & (b > 0)
    # In the left tail, to which the right one is mirrored, the difference of both logarithms has all its digits.
    low = jnp.where(right, -b, jnp.where(central, -2.0, a))
    high = jnp.where(right, -a, jnp.where(central, -1.0, b))
    log_high, log_low = special.log_ndtr(high), special.log_ndtr(low)
    nothing = log_high <= log_low
    gap = jnp.where(nothing, -1.0, log_low - jnp.where(nothing, 0.0, log_high))
    tail = jnp.where(nothing, -jnp.inf, jnp.where(nothing, 0.0, log_high) + jnp.log1p(-jnp.exp(gap)))
    middle = jnp.log1p(-special.ndtr(jnp.where(central, a, -1.0)) - special.ndtr(jnp.where(central, -b, -1.0)))
    return jnp.where(central, middle, tail)


def _logcdf(z: Array, a: Array, b: Array) -> Array:
    z, a, b = jnp.broadcast_arrays(z, a, b)
    total = _log_mass(a, b)
    inside = (z > a) & (z < b)
    safe = jnp.where(inside, z, 0.5 * (jnp.maximum(a, -1e3) + jnp.minimum(b, 1e3)))
    below, above = _log_mass(a, safe) - total, _log_mass(safe, b) - total
    value = jnp.where(below > -0.1, jnp.log1p(-jnp.exp(jnp.minimum(above, -1e-30))), below)
    value = jnp.where(z >= b, 0.0, jnp.where(z <= a, -jnp.inf, value))
    return jnp.where((a < b) & (z == z), value, jnp.nan)


def logpdf(x: Any, a: Any, b: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """Logarithm of the probability density of the truncated normal distribution.

    Args:
      x: where.
      a: lower bound, in units of ``scale`` from ``loc``.
      b: upper bound, likewise.
      loc: location; default 0.
      scale: scale; default 1.

    Example:
      >>> from fungrad.scipy import stats
      >>> print(stats.truncnorm.logpdf(0.5, -1.0, 2.0).round(4))
      -0.8438
    """
    z, a, b, width = standardized("truncnorm.logpdf", loc, scale, x=x, a=a, b=b)
    value = -0.5 * (z * z) - jnp.log(width) - 0.5 * math.log(2 * math.pi) - _log_mass(a, b)
    value = jnp.where((z < a) | (z > b), -jnp.inf, value)
    return jnp.where(a < b, value, jnp.nan)


def pdf(x: Any, a: Any, b: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """Probability density of the truncated normal distribution.

    Args:
      x: where.
      a: lower bound, in units of ``scale`` from ``loc``.
      b: upper bound, likewise.
      loc: location; default 0.
      scale: scale; default 1.

    Example:
      >>> from fungrad.scipy import stats
      >>> print(stats.truncnorm.pdf(0.5, -1.0, 2.0).round(4))
      0.4301
    """
    return jnp.exp(logpdf(x, a, b, loc, scale))


def logcdf(x: Any, a: Any, b: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """Logarithm of the distribution function of the truncated normal distribution.

    Args:
      x: where.
      a: lower bound, in units of ``scale`` from ``loc``.
      b: upper bound, likewise.
      loc: location; default 0.
      scale: scale; default 1.

    Example:
      >>> from fungrad.scipy import stats
      >>> print(stats.truncnorm.logcdf(0.5, -1.0, 2.0).round(4))
      -0.4294
    """
    z, a, b, _ = standardized("truncnorm.logcdf", loc, scale, x=x, a=a, b=b)
    return _logcdf(z, a, b)


def cdf(x: Any, a: Any, b: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """Distribution function of the truncated normal distribution.

    Args:
      x: where.
      a: lower bound, in units of ``scale`` from ``loc``.
      b: upper bound, likewise.
      loc: location; default 0.
      scale: scale; default 1.

    Example:
      >>> from fungrad.scipy import stats
      >>> print(stats.truncnorm.cdf(0.5, -1.0, 2.0).round(4))
      0.6509
    """
    return jnp.exp(logcdf(x, a, b, loc, scale))


def logsf(x: Any, a: Any, b: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """Logarithm of the survival function of the truncated normal distribution.

    Args:
      x: where.
      a: lower bound, in units of ``scale`` from ``loc``.
      b: upper bound, likewise.
      loc: location; default 0.
      scale: scale; default 1.

    Example:
      >>> from fungrad.scipy import stats
      >>> print(stats.truncnorm.logsf(0.5, -1.0, 2.0).round(4))
      -1.0523
    """
    z, a, b, _ = standardized("truncnorm.logsf", loc, scale, x=x, a=a, b=b)
    return _logcdf(-z, -b, -a)


def sf(x: Any, a: Any, b: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """Survival function, one minus the distribution function, of the truncated normal distribution.

    Args:
      x: where.
      a: lower bound, in units of ``scale`` from ``loc``.
      b: upper bound, likewise.
      loc: location; default 0.
      scale: scale; default 1.

    Example:
      >>> from fungrad.scipy import stats
      >>> print(stats.truncnorm.sf(0.5, -1.0, 2.0).round(4))
      0.3491
    """
    return jnp.exp(logsf(x, a, b, loc, scale))


__all__ = ["cdf", "logcdf", "logpdf", "logsf", "pdf", "sf"]

publish(globals(), __name__, __all__)
