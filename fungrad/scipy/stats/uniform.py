"""Uniform distribution on [loc, loc + scale].

May import ``core``, ``fungrad.numpy``, ``scipy.special`` and ``stats._base``.
"""

from __future__ import annotations

from typing import Any

import fungrad.numpy as jnp
from fungrad.core.array import Array
from fungrad.core.public_names import publish
from fungrad.scipy.stats._base import operands, standardized, within


def logpdf(x: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """Logarithm of the probability density of the uniform distribution on [loc, loc + scale].

    Args:
      x: where.
      loc: location; default 0.
      scale: scale; default 1.

    Example:
      >>> from fungrad.scipy import stats
      >>> print(stats.uniform.logpdf(0.5).round(4))
      -0.0
    """
    z, width = standardized("uniform.logpdf", loc, scale, x=x)
    return jnp.where((z < 0) | (z > 1), -jnp.inf, -jnp.log(width))


def pdf(x: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """Probability density of the uniform distribution on [loc, loc + scale].

    Args:
      x: where.
      loc: location; default 0.
      scale: scale; default 1.

    Example:
      >>> from fungrad.scipy import stats
      >>> print(stats.uniform.pdf(0.5).round(4))
      1.0
    """
    return jnp.exp(logpdf(x, loc, scale))


def cdf(x: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """Distribution function of the uniform distribution on [loc, loc + scale].

    Args:
      x: where.
      loc: location; default 0.
      scale: scale; default 1.

    Example:
      >>> from fungrad.scipy import stats
      >>> print(stats.uniform.cdf(0.5).round(4))
      0.5
    """
    z, _ = standardized("uniform.cdf", loc, scale, x=x)
    return jnp.clip(z, 0, 1)


def ppf(q: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """Quantile function, the inverse of the distribution function, of the uniform distribution on [loc, loc + scale].

    Args:
      q: probability.
      loc: location; default 0.
      scale: scale; default 1.

    Example:
      >>> from fungrad.scipy import stats
      >>> print(stats.uniform.ppf(0.25).round(4))
      0.25
    """
    q, loc, scale = operands("uniform.ppf", q=q, loc=loc, scale=scale)
    return within(q, loc + scale * q)


__all__ = ["cdf", "logpdf", "pdf", "ppf"]

publish(globals(), __name__, __all__)
