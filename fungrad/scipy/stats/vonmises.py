"""Von Mises distribution.

May import ``core``, ``fungrad.numpy``, ``scipy.special`` and ``stats._base``.
"""

from __future__ import annotations

import math
from typing import Any

import fungrad.numpy as jnp
from fungrad.core.array import Array
from fungrad.core.public_names import publish
from fungrad.scipy import special
from fungrad.scipy.stats._base import operands


def logpdf(x: Any, kappa: Any) -> Array:
    """Logarithm of the probability density of the von Mises distribution.

    Args:
      x: where, an angle.
      kappa: concentration, positive.

    Example:
      >>> from fungrad.scipy import stats
      >>> print(stats.vonmises.logpdf(0.5, 2.0).round(4))
      -0.9067
    """
    x, kappa = operands("vonmises.logpdf", x=x, kappa=kappa)
    value = kappa * (jnp.cos(x) - 1) - jnp.log(2 * math.pi * special.i0e(kappa))
    return jnp.where(kappa > 0, value, jnp.nan)


def pdf(x: Any, kappa: Any) -> Array:
    """Probability density of the von Mises distribution.

    Args:
      x: where, an angle.
      kappa: concentration, positive.

    Example:
      >>> from fungrad.scipy import stats
      >>> print(stats.vonmises.pdf(0.5, 2.0).round(4))
      0.4039
    """
    return jnp.exp(logpdf(x, kappa))


__all__ = ["logpdf", "pdf"]

publish(globals(), __name__, __all__)
