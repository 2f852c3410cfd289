"""Beta distribution.

May import ``core``, ``fungrad.numpy``, ``scipy.special`` and ``stats._base``.
"""

from __future__ import annotations

from typing import Any

import fungrad.numpy as jnp
from fungrad.core.array import Array
from fungrad.core.public_names import publish
from fungrad.scipy import special
from fungrad.scipy.stats._base import log_of, standardized


def logpdf(x: Any, a: Any, b: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """Logarithm of the probability density of the beta distribution.

    Args:
      x: where.
      a: first shape parameter, positive.
      b: second shape parameter, positive.
      loc: location; default 0.
      scale: scale; default 1.

    Example:
      >>> from fungrad.scipy import stats
      >>> print(stats.beta.logpdf(0.5, 2.0, 3.0).round(4))
      0.4055
    """
    z, a, b, width = standardized("beta.logpdf", loc, scale, x=x, a=a, b=b)
    inside = (z >= 0) & (z <= 1)
    y = jnp.where(inside, z, 0.5)
    value = special.xlogy(a - 1, y) + special.xlog1py(b - 1, -y) - special.betaln(a, b) - jnp.log(width)
    value = jnp.where(inside, value, -jnp.inf)
    return jnp.where((a > 0) & (b > 0) & (width > 0), value, jnp.nan)


def pdf(x: Any, a: Any, b: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """Probability density of the beta distribution.

    Args:
      x: where.
      a: first shape parameter, positive.
      b: second shape parameter, positive.
      loc: location; default 0.
      scale: scale; default 1.

    Example:
      >>> from fungrad.scipy import stats
      >>> print(stats.beta.pdf(0.5, 2.0, 3.0).round(4))
      1.5
    """
    return jnp.exp(logpdf(x, a, b, loc, scale))


def cdf(x: Any, a: Any, b: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """Distribution function of the beta distribution.

    Args:
      x: where.
      a: first shape parameter, positive.
      b: second shape parameter, positive.
      loc: location; default 0.
      scale: scale; default 1.

    Example:
      >>> from fungrad.scipy import stats
      >>> print(stats.beta.cdf(0.5, 2.0, 3.0).round(4))
      0.6875
    """
    z, a, b, _ = standardized("beta.cdf", loc, scale, x=x, a=a, b=b)
    return special.betainc(a, b, jnp.clip(z, 0, 1))


def logcdf(x: Any, a: Any, b: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """Logarithm of the distribution function of the beta distribution.

    Args:
      x: where.
      a: first shape parameter, positive.
      b: second shape parameter, positive.
      loc: location; default 0.
      scale: scale; default 1.

    Example:
      >>> from fungrad.scipy import stats
      >>> print(stats.beta.logcdf(0.5, 2.0, 3.0).round(4))
      -0.3747
    """
    z, a, b, _ = standardized("beta.logcdf", loc, scale, x=x, a=a, b=b)
    z = jnp.clip(z, 0, 1)
    return log_of(special.betainc(a, b, z), special.betainc(b, a, 1 - z))


def sf(x: Any, a: Any, b: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """Survival function, one minus the distribution function, of the beta distribution.

    Args:
      x: where.
      a: first shape parameter, positive.
      b: second shape parameter, positive.
      loc: location; default 0.
      scale: scale; default 1.

    Example:
      >>> from fungrad.scipy import stats
      >>> print(stats.beta.sf(0.5, 2.0, 3.0).round(4))
      0.3125
    """
    z, a, b, _ = standardized("beta.sf", loc, scale, x=x, a=a, b=b)
    return special.betainc(b, a, 1 - jnp.clip(z, 0, 1))


def logsf(x: Any, a: Any, b: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """Logarithm of the survival function of the beta distribution.

    Args:
      x: where.
      a: first shape parameter, positive.
      b: second shape parameter, positive.
      loc: location; default 0.
      scale: scale; default 1.

    Example:
      >>> from fungrad.scipy import stats
      >>> print(stats.beta.logsf(0.5, 2.0, 3.0).round(4))
      -1.1632
    """
    z, a, b, _ = standardized("beta.logsf", loc, scale, x=x, a=a, b=b)
    z = jnp.clip(z, 0, 1)
    return log_of(special.betainc(b, a, 1 - z), special.betainc(a, b, z))


__all__ = ["cdf", "logcdf", "logpdf", "logsf", "pdf", "sf"]

publish(globals(), __name__, __all__)
