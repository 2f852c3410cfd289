"""Gumbel distribution of minima.

May import ``core``, ``fungrad.numpy``, ``scipy.special`` and ``stats._base``.
"""

from __future__ import annotations

from typing import Any

import fungrad.numpy as jnp
from fungrad.core.array import Array
from fungrad.core.public_names import publish
from fungrad.scipy.stats._base import log_1m_exp_exp, operands, standardized


def logpdf(x: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """Logarithm of the probability density of the Gumbel distribution of minima.

    Args:
      x: where.
      loc: location; default 0.
      scale: scale; default 1.

    Example:
      >>> from fungrad.scipy import stats
      >>> print(stats.gumbel_l.logpdf(0.5).round(4))
      -1.1487
    """
    z, width = standardized("gumbel_l.logpdf", loc, scale, x=x)
    return jnp.where(width > 0, z - jnp.exp(z) - jnp.log(width), jnp.nan)


def pdf(x: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """Probability density of the Gumbel distribution of minima.

    Args:
      x: where.
      loc: location; default 0.
      scale: scale; default 1.

    Example:
      >>> from fungrad.scipy import stats
      >>> print(stats.gumbel_l.pdf(0.5).round(4))
      0.317
    """
    return jnp.exp(logpdf(x, loc, scale))


def cdf(x: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """Distribution function of the Gumbel distribution of minima.

    Args:
      x: where.
      loc: location; default 0.
      scale: scale; default 1.

    Example:
      >>> from fungrad.scipy import stats
      >>> print(stats.gumbel_l.cdf(0.5).round(4))
      0.8077
    """
    z, width = standardized("gumbel_l.cdf", loc, scale, x=x)
    return jnp.where(width > 0, -jnp.expm1(-jnp.exp(z)), jnp.nan)


def logcdf(x: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """Logarithm of the distribution function of the Gumbel distribution of minima.

    Args:
      x: where.
      loc: location; default 0.
      scale: scale; default 1.

    Example:
      >>> from fungrad.scipy import stats
      >>> print(stats.gumbel_l.logcdf(0.5).round(4))
      -0.2136
    """
    z, width = standardized("gumbel_l.logcdf", loc, scale, x=x)
    return jnp.where(width > 0, log_1m_exp_exp(z), jnp.nan)


def sf(x: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """Survival function, one minus the distribution function, of the Gumbel distribution of minima.

    Args:
      x: where.
      loc: location; default 0.
      scale: scale; default 1.

    Example:
      >>> from fungrad.scipy import stats
      >>> print(stats.gumbel_l.sf(0.5).round(4))
      0.1923
    """
    z, width = standardized("gumbel_l.sf", loc, scale, x=x)
    return jnp.where(width > 0, jnp.exp(-jnp.exp(z)), jnp.nan)


def logsf(x: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """Logarithm of the survival function of the Gumbel distribution of minima.

    Args:
      x: where.
      loc: location; default 0.
      scale: scale; default 1.

    Example:
      >>> from fungrad.scipy import stats
      >>> print(stats.gumbel_l.logsf(0.5).round(4))
      -1.6487
    """
    z, width = standardized("gumbel_l.logsf", loc, scale, x=x)
    return jnp.where(width > 0, -jnp.exp(z), jnp.nan)


def ppf(p: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """Quantile function, the inverse of the distribution function, of the Gumbel distribution of minima.

    Args:
      p: probability, in (0, 1).
      loc: location; default 0.
      scale: scale; default 1.

    Example:
      >>> from fungrad.scipy import stats
      >>> print(stats.gumbel_l.ppf(0.25).round(4))
      -1.2459
    """
    p, loc, scale = operands("gumbel_l.ppf", p=p, loc=loc, scale=scale)
    inside = (p > 0) & (p < 1)
    safe = jnp.where(inside, p, 0.5)
    return jnp.where(inside, loc + scale * jnp.log(-jnp.log1p(-safe)), jnp.nan)


__all__ = ["cdf", "logcdf", "logpdf", "logsf", "pdf", "ppf", "sf"]

publish(globals(), __name__, __all__)
