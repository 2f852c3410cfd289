"""Student's t distribution.

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


def logpdf(x: Any, df: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """Logarithm of the probability density of the Student's t distribution.

    Args:
      x: where.
      df: degrees of freedom, positive.
      loc: location; default 0.
      scale: scale; default 1.

    Example:
      >>> from fungrad.scipy import stats
      >>> print(stats.t.logpdf(0.5, 3.0).round(4))
      -1.161
    """
    z, df, width = standardized("t.logpdf", loc, scale, x=x, df=df)
    half = df / 2
    constant = special.gammaln(half + 0.5) - special.gammaln(half) - 0.5 * jnp.log(math.pi * df) - jnp.log(width)
    return constant - (half + 0.5) * jnp.log1p(z * z / df)


def pdf(x: Any, df: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """Probability density of the Student's t distribution.

    Args:
      x: where.
      df: degrees of freedom, positive.
      loc: location; default 0.
      scale: scale; default 1.

    Example:
      >>> from fungrad.scipy import stats
      >>> print(stats.t.pdf(0.5, 3.0).round(4))
      0.3132
    """
    return jnp.exp(logpdf(x, df, loc, scale))


__all__ = ["logpdf", "pdf"]

publish(globals(), __name__, __all__)
