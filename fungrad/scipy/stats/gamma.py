"""Gamma distribution.

May import ``core``, ``fungrad.numpy``, ``scipy.special`` and ``stats._base``.
"""

from __future__ import annotations

from typing import Any

import fungrad.numpy as jnp
from fungrad.core.array import Array
from fungrad.core.public_names import publish
from fungrad.scipy import special
from fungrad.scipy.stats._base import log_of, standardized


def logpdf(x: Any, a: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """Logarithm of the probability density of the gamma distribution.

    Args:
      x: where.
      a: shape parameter, positive.
      loc: location; default 0.
      scale: scale; default 1.

    Example:
      >>> from fungrad.scipy import stats
      >>> print(stats.gamma.logpdf(0.5, 2.0).round(4))
      -1.1931
    """
    z, a, width = standardized("gamma.logpdf", loc, scale, x=x, a=a)
    inside = z >= 0
    z = jnp.where(inside, z, 1.0)
    value = special.xlogy(a - 1, z) - z - special.gammaln(a) - jnp.log(width)
    return jnp.where(inside, value, -jnp.inf)


def pdf(x: Any, a: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """Probability density of the gamma distribution.

    Args:
      x: where.
      a: shape parameter, positive.
      loc: location; default 0.
      scale: scale; default 1.

    Example:
      >>> from fungrad.scipy import stats
      >>> print(stats.gamma.pdf(0.5, 2.0).round(4))
      0.3033
    """
    return jnp.exp(logpdf(x, a, loc, scale))


def cdf(x: Any, a: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """Distribution function of the gamma distribution.

    Args:
      x: where.
      a: shape parameter, positive.
      loc: location; default 0.
      scale: scale; default 1.

    Example:
      >>> from fungrad.scipy import stats
      >>> print(stats.gamma.cdf(0.5, 2.0).round(4))
      0.0902
    """
    z, a, _ = standardized("gamma.cdf", loc, scale, x=x, a=a)
    return special.gammainc(a, jnp.maximum(z, 0))


def logcdf(x: Any, a: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """Logarithm of the distribution function of the gamma distribution.

    Args:
      x: where.
      a: shape parameter, positive.
      loc: location; default 0.
      scale: scale; default 1.

    Example:
      >>> from fungrad.scipy import stats
      >>> print(stats.gamma.logcdf(0.5, 2.0).round(4))
      -2.4057
    """
    z, a, _ = standardized("gamma.logcdf", loc, scale, x=x, a=a)
    z = jnp.maximum(z, 0)
    return log_of(special.gammainc(a, z), special.gammaincc(a, z))


def sf(x: Any, a: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """Survival function, one minus the distribution function, of the gamma distribution.

    Args:
      x: where.
      a: shape parameter, positive.
      loc: location; default 0.
      scale: scale; default 1.

    Example:
      >>> from fungrad.scipy import stats
      >>> print(stats.gamma.sf(0.5, 2.0).round(4))
      0.9098
    """
    z, a, _ = standardized("gamma.sf", loc, scale, x=x, a=a)
    return special.gammaincc(a, jnp.maximum(z, 0))


def logsf(x: Any, a: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """Logarithm of the survival function of the gamma distribution.

    Args:
      x: where.
      a: shape parameter, positive.
      loc: location; default 0.
      scale: scale; default 1.

    Example:
      >>> from fungrad.scipy import stats
      >>> print(stats.gamma.logsf(0.5, 2.0).round(4))
      -0.0945
    """
    z, a, _ = standardized("gamma.logsf", loc, scale, x=x, a=a)
    z = jnp.maximum(z, 0)
    return log_of(special.gammaincc(a, z), special.gammainc(a, z))


__all__ = ["cdf", "logcdf", "logpdf", "logsf", "pdf", "sf"]

publish(globals(), __name__, __all__)
