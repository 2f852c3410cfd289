"""Pareto distribution.

May import ``core``, ``fungrad.numpy``, ``scipy.special`` and ``stats._base``.
"""

from __future__ import annotations

from typing import Any

import fungrad.numpy as jnp
from fungrad.core.array import Array
from fungrad.core.public_names import publish
from fungrad.scipy.stats._base import log_of, operands, standardized, within


def _log(z: Array) -> Array:
    """The logarithm within the support, and 0 before it."""
    return jnp.log(jnp.where(z < 1, 1.0, z))


def logpdf(x: Any, b: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """Logarithm of the probability density of the Pareto distribution.

    Args:
      x: where.
      b: shape parameter, positive.
      loc: location; default 0.
      scale: scale; default 1.

    Example:
      >>> from fungrad.scipy import stats
      >>> print(stats.pareto.logpdf(2.0, 3.0).round(4))
      -1.674
    """
    z, b, width = standardized("pareto.logpdf", loc, scale, x=x, b=b)
    value = jnp.log(b) - jnp.log(width) - (b + 1) * _log(z)
    return jnp.where(z < 1, -jnp.inf, value)


def pdf(x: Any, b: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """Probability density of the Pareto distribution.

    Args:
      x: where.
      b: shape parameter, positive.
      loc: location; default 0.
      scale: scale; default 1.

    Example:
      >>> from fungrad.scipy import stats
      >>> print(stats.pareto.pdf(2.0, 3.0).round(4))
      0.1875
    """
    return jnp.exp(logpdf(x, b, loc, scale))


def cdf(x: Any, b: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """Distribution function of the Pareto distribution.

    Args:
      x: where.
      b: shape parameter, positive.
      loc: location; default 0.
      scale: scale; default 1.

    Example:
      >>> from fungrad.scipy import stats
      >>> print(stats.pareto.cdf(2.0, 3.0).round(4))
      0.875
    """
    z, b, _ = standardized("pareto.cdf", loc, scale, x=x, b=b)
    return -jnp.expm1(-b * _log(z))


def logcdf(x: Any, b: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """Logarithm of the distribution function of the Pareto distribution.

    Args:
      x: where.
      b: shape parameter, positive.
      loc: location; default 0.
      scale: scale; default 1.

    Example:
      >>> from fungrad.scipy import stats
      >>> print(stats.pareto.logcdf(2.0, 3.0).round(4))
      -0.1335
    """
    z, b, _ = standardized("pareto.logcdf", loc, scale, x=x, b=b)
    return log_of(-jnp.expm1(-b * _log(z)), jnp.exp(-b * _log(z)))


def sf(x: Any, b: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """Survival function, one minus the distribution function, of the Pareto distribution.

    Args:
      x: where.
      b: shape parameter, positive.
      loc: location; default 0.
      scale: scale; default 1.

    Example:
      >>> from fungrad.scipy import stats
      >>> print(stats.pareto.sf(2.0, 3.0).round(4))
      0.125
    """
    z, b, _ = standardized("pareto.sf", loc, scale, x=x, b=b)
    return jnp.exp(-b * _log(z))


def logsf(x: Any, b: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """Logarithm of the survival function of the Pareto distribution.

    Args:
      x: where.
      b: shape parameter, positive.
      loc: location; default 0.
      scale: scale; default 1.

    Example:
      >>> from fungrad.scipy import stats
      >>> print(stats.pareto.logsf(2.0, 3.0).round(4))
      -2.0794
    """
    z, b, _ = standardized("pareto.logsf", loc, scale, x=x, b=b)
    return -b * _log(z)


def ppf(q: Any, b: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """Quantile function, the inverse of the distribution function, of the Pareto distribution.

    Args:
      q: probability.
      b: shape parameter, positive.
      loc: location; default 0.
      scale: scale; default 1.

    Example:
      >>> from fungrad.scipy import stats
      >>> print(stats.pareto.ppf(0.25, 3.0).round(4))
      1.1006
    """
    q, b, loc, scale = operands("pareto.ppf", q=q, b=b, loc=loc, scale=scale)
    return within(q, loc + scale * jnp.exp(-jnp.log1p(-q) / b))


__all__ = ["cdf", "logcdf", "logpdf", "logsf", "pdf", "ppf", "sf"]

publish(globals(), __name__, __all__)
