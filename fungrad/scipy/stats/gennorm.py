"""Generalized normal distribution.

May import ``core``, ``fungrad.numpy``, ``scipy.special`` and ``stats._base``.
"""

from __future__ import annotations

from typing import Any

import fungrad.numpy as jnp
from fungrad.core.array import Array
from fungrad.core.public_names import publish
from fungrad.scipy import special
from fungrad.scipy.stats._base import operands


def _power(x: Array, beta: Array) -> Array:
    zero = x == 0
    return jnp.where(zero, 0.0, jnp.where(zero, 1.0, jnp.abs(x)) ** beta)


def logpdf(x: Any, beta: Any) -> Array:
    """Logarithm of the probability density of the generalized normal distribution.

    Args:
      x: where.
      beta: shape parameter (exponent), positive.

    Example:
      >>> from fungrad.scipy import stats
      >>> print(stats.gennorm.logpdf(0.5, 1.5).round(4))
      -0.9444
    """
    x, beta = operands("gennorm.logpdf", x=x, beta=beta)
    return jnp.log(0.5 * beta) - special.gammaln(1 / beta) - _power(x, beta)


def pdf(x: Any, beta: Any) -> Array:
    """Probability density of the generalized normal distribution.

    Args:
      x: where.
      beta: shape parameter (exponent), positive.

    Example:
      >>> from fungrad.scipy import stats
      >>> print(stats.gennorm.pdf(0.5, 1.5).round(4))
      0.3889
    """
    return jnp.exp(logpdf(x, beta))


def cdf(x: Any, beta: Any) -> Array:
    """Distribution function of the generalized normal distribution.

    Args:
      x: where.
      beta: shape parameter (exponent), positive.

    Example:
      >>> from fungrad.scipy import stats
      >>> print(stats.gennorm.cdf(0.5, 1.5).round(4))
      0.7417
    """
    x, beta = operands("gennorm.cdf", x=x, beta=beta)
    tail = 0.5 * special.gammaincc(1 / beta, _power(x, beta))
    return jnp.where(x < 0, tail, 1 - tail)


__all__ = ["cdf", "logpdf", "pdf"]

publish(globals(), __name__, __all__)
