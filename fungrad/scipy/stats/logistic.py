"""Logistic distribution.

May import ``core``, ``fungrad.numpy``, ``scipy.special`` and ``stats._base``.
"""

from __future__ import annotations

from typing import Any

import fungrad.numpy as jnp
from fungrad.core.array import Array
from fungrad.core.public_names import publish
from fungrad.scipy import special
from fungrad.scipy.stats._base import operands, standardized


def logpdf(x: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """Logarithm of the probability density of the logistic distribution.

    Args:
      x: where.
      loc: location; default 0.
      scale: scale; default 1.

    Example:
      >>> from fungrad.scipy import stats
      >>> print(stats.logistic.logpdf(0.5).round(4))
      -1.4482
    """
    z, width = standardized("logistic.logpdf", loc, scale, x=x)
    return -2 * jnp.logaddexp(0.5 * z, -0.5 * z) - jnp.log(width)


def pdf(x: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """Probability density of the logistic distribution.

    Args:
      x: where.
      loc: location; default 0.
      scale: scale; default 1.

    Example:
      >>> from fungrad.scipy import stats
      >>> print(stats.logistic.pdf(0.5).round(4))
      0.235
    """
    return jnp.exp(logpdf(x, loc, scale))


def cdf(x: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """Distribution function of the logistic distribution.

    Args:
      x: where.
      loc: location; default 0.
      scale: scale; default 1.

    Example:
      >>> from fungrad.scipy import stats
      >>> print(stats.logistic.cdf(0.5).round(4))
      0.6225
    """
    z, _ = standardized("logistic.cdf", loc, scale, x=x)
    return special.expit(z)


def sf(x: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """Survival function, one minus the distribution function, of the logistic distribution.

    Args:
      x: where.
      loc: location; default 0.
      scale: scale; default 1.

    Example:
      >>> from fungrad.scipy import stats
      >>> print(stats.logistic.sf(0.5).round(4))
      0.3775
    """
    z, _ = standardized("logistic.sf", loc, scale, x=x)
    return special.expit(-z)


def ppf(x: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """Quantile function, the inverse of the distribution function, of the logistic distribution.

    Args:
      x: probability.
      loc: location; default 0.
      scale: scale; default 1.

    Example:
      >>> from fungrad.scipy import stats
      >>> print(stats.logistic.ppf(0.25).round(4))
      -1.0986
    """
    x, loc, scale = operands("logistic.ppf", x=x, loc=loc, scale=scale)
    return special.logit(x) * scale + loc


def isf(x: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """Inverse of the survival function of the logistic distribution.

    Args:
      x: probability.
      loc: location; default 0.
      scale: scale; default 1.

    Example:
      >>> from fungrad.scipy import stats
      >>> print(stats.logistic.isf(0.25).round(4))
      1.0986
    """
    x, loc, scale = operands("logistic.isf", x=x, loc=loc, scale=scale)
    return -special.logit(x) * scale + loc


__all__ = ["cdf", "isf", "logpdf", "pdf", "ppf", "sf"]

publish(globals(), __name__, __all__)
