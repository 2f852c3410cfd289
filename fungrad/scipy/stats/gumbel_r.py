"""Gumbel distribution of maxima.

May import ``core``, ``fungrad.numpy``, ``scipy.special`` and ``stats._base``.
"""

from __future__ import annotations

from typing import Any

import fungrad.numpy as jnp
from fungrad.core.array import Array
from fungrad.core.public_names import publish
from fungrad.scipy.stats._base import log_1m_exp_exp, operands, standardized


def logpdf(x: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """Logarithm of the probability density of the Gumbel distribution of maxima.

    Args:
      x: where.
      loc: location; default 0.
      scale: scale; default 1.

    Example:
      >>> from fungrad.scipy import stats
      >>> print(stats.gumbel_r.logpdf(0.5).round(4))
      -1.1065
    """
    z, width = standardized("gumbel_r.logpdf", loc, scale, x=x)
    return jnp.where(width > 0, -z - jnp.exp(-z) - jnp.log(width), jnp.nan)


def pdf(x: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """Probability density of the Gumbel distribution of maxima.

    Args:
      x: where.
      loc: location; default 0.
      scale: scale; default 1.

    Example:
      >>> from fungrad.scipy import stats
      >>> print(stats.gumbel_r.pdf(0.5).round(4))
      0.3307
    """
    return jnp.exp(logpdf(x, loc, scale))


def cdf(x: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """Distribution function of the Gumbel distribution of maxima.

    Args:
      x: where.
      loc: location; default 0.
      scale: scale; default 1.

    Example:
      >>> from fungrad.scipy import stats
      >>> print(stats.gumbel_r.cdf(0.5).round(4))
      0.5452
    """
    z, width = standardized("gumbel_r.cdf", loc, scale, x=x)
    return jnp.where(width > 0, jnp.exp(-jnp.exp(-z)), jnp.nan)


def logcdf(x: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """Logarithm of the distribution function of the Gumbel distribution of maxima.

    Args:
      x: where.
      loc: location; default 0.
      scale: scale; default 1.

    Example:
      >>> from fungrad.scipy import stats
      >>> print(stats.gumbel_r.logcdf(0.5).round(4))
      -0.6065
    """
    z, width = standardized("gumbel_r.logcdf", loc, scale, x=x)
    return jnp.where(width > 0, -jnp.exp(-z), jnp.nan)


def sf(x: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """Survival function, one minus the distribution function, of the Gumbel distribution of maxima.

    Args:
      x: where.
      loc: location; default 0.
      scale: scale; default 1.

    Example:
      >>> from fungrad.scipy import stats
      >>> print(stats.gumbel_r.sf(0.5).round(4))
      0.4548
    """
    z, width = standardized("gumbel_r.sf", loc, scale, x=x)
    return jnp.where(width > 0, -jnp.expm1(-jnp.exp(-z)), jnp.nan)


def logsf(x: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """Logarithm of the survival function of the Gumbel distribution of maxima.

    Args:
      x: where.
      loc: location; default 0.
      scale: scale; default 1.

    Example:
      >>> from fungrad.scipy import stats
      >>> print(stats.gumbel_r.logsf(0.5).round(4))
      -0.788
    """
    z, width = standardized("gumbel_r.logsf", loc, scale, x=x)
    return jnp.where(width > 0, log_1m_exp_exp(-z), jnp.nan)


def ppf(p: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """Quantile function, the inverse of the distribution function, of the Gumbel distribution of maxima.

    Args:
      p: probability, in (0, 1).
      loc: location; default 0.
      scale: scale; default 1.

    Example:
      >>> from fungrad.scipy import stats
      >>> print(stats.gumbel_r.ppf(0.25).round(4))
      -0.3266
    """
    p, loc, scale = operands("gumbel_r.ppf", p=p, loc=loc, scale=scale)
    inside = (p > 0) & (p < 1)
    safe = jnp.where(inside, p, 0.5)
    return jnp.where(inside, loc - scale * jnp.log(-jnp.log(safe)), jnp.nan)


__all__ = ["cdf", "logcdf", "logpdf", "logsf", "pdf", "ppf", "sf"]

publish(globals(), __name__, __all__)
