"""Integrals of samples, under the names of ``jax.scipy.integrate``.

May import ``core`` and ``fungrad.numpy``.
"""

from __future__ import annotations

from typing import Any

import fungrad.numpy as jnp
from fungrad.core.array import Array
from fungrad.core.public_names import publish
from fungrad.scipy._operands import operand


def trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Array:
    """Integral of samples by the trapezoidal rule.

    Args:
      y: samples.
      x: where they were taken: one-dimensional, or of the shape of ``y``; None if they are ``dx`` apart.
      dx: distance of samples.
      axis: along which axis.

    Returns:
      The integral, without the axis.

    Raises:
      TypeError: an argument is no array or scalar.
      ValueError: the axis does not exist, or the shapes do not fit.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad.scipy import integrate
      >>> print(integrate.trapezoid(jnp.array([1.0, 2.0, 3.0]), dx=2.0))
      8.0
    """
    y = operand("integrate.trapezoid", "y", y)
    if x is not None:
        x = operand("integrate.trapezoid", "x", x)
    return jnp.trapezoid(y, x, dx, axis)


__all__ = ["trapezoid"]

publish(globals(), __name__, __all__)
