"""Chi-square distribution.

May import ``core``, ``fungrad.numpy``, ``scipy.special`` and ``stats._base``.
"""

from __future__ import annotations

from typing import Any

from fungrad.core.array import Array
from fungrad.core.public_names import publish
from fungrad.scipy.stats import gamma
from fungrad.scipy.stats._base import standardized


def logpdf(x: Any, df: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """Logarithm of the probability density of the chi-square distribution.

    Args:
      x: where.
      df: degrees of freedom, positive.
      loc: location; default 0.
      scale: scale; default 1.

    Example:
      >>> from fungrad.scipy import stats
      >>> print(stats.chi2.logpdf(0.5, 3.0).round(4))
      -1.5155
    """
    z, df, width = standardized("chi2.logpdf", loc, scale, x=x, df=df)
    return gamma.logpdf(z * width, df / 2, 0, 2 * width)


def pdf(x: Any, df: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """Probability density of the chi-square distribution.

    Args:
      x: where.
      df: degrees of freedom, positive.
      loc: location; default 0.
      scale: scale; default 1.

    Example:
      >>> from fungrad.scipy import stats
      >>> print(stats.chi2.pdf(0.5, 3.0).round(4))
      0.2197
    """
    z, df, width = standardized("chi2.pdf", loc, scale, x=x, df=df)
    return gamma.pdf(z * width, df / 2, 0, 2 * width)


def cdf(x: Any, df: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """Distribution function of the chi-square distribution.

    Args:
      x: where.
      df: degrees of freedom, positive.
      loc: location; default 0.
      scale: scale; default 1.

    Example:
      >>> from fungrad.scipy import stats
      >>> print(stats.chi2.cdf(0.5, 3.0).round(4))
      0.0811
    """
    z, df, width = standardized("chi2.cdf", loc, scale, x=x, df=df)
    return gamma.cdf(z * width, df / 2, 0, 2 * width)


def logcdf(x: Any, df: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """Logarithm of the distribution function of the chi-square distribution.

    Args:
      x: where.
      df: degrees of freedom, positive.
      loc: location; default 0.
      scale: scale; default 1.

    Example:
      >>> from fungrad.scipy import stats
      >>> print(stats.chi2.logcdf(0.5, 3.0).round(4))
      -2.512
    """
    z, df, width = standardized("chi2.logcdf", loc, scale, x=x, df=df)
    return gamma.logcdf(z * width, df / 2, 0, 2 * width)


def sf(x: Any, df: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """Survival function, one minus the distribution function, of the chi-square distribution.

    Args:
      x: where.
      df: degrees of freedom, positive.
      loc: location; default 0.
      scale: scale; default 1.

    Example:
      >>> from fungrad.scipy import stats
      >>> print(stats.chi2.sf(0.5, 3.0).round(4))
      0.9189
    """
    z, df, width = standardized("chi2.sf", loc, scale, x=x, df=df)
    return gamma.sf(z * width, df / 2, 0, 2 * width)


def logsf(x: Any, df: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """Logarithm of the survival function of the chi-square distribution.

    Args:
      x: where.
      df: degrees of freedom, positive.
      loc: location; default 0.
      scale: scale; default 1.

    Example:
      >>> from fungrad.scipy import stats
      >>> print(stats.chi2.logsf(0.5, 3.0).round(4))
      -0.0846
    """
    z, df, width = standardized("chi2.logsf", loc, scale, x=x, df=df)
    return gamma.logsf(z * width, df / 2, 0, 2 * width)


__all__ = ["cdf", "logcdf", "logpdf", "logsf", "pdf", "sf"]

publish(globals(), __name__, __all__)
