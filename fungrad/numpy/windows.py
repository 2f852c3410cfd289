"""Window functions of signal processing, and the modified Bessel function that one of them is made of.

May import ``core``, ``ops``, ``transforms`` and the modules of ``numpy``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from fungrad.core import dtypes
from fungrad.core.arguments import index
from fungrad.core.array import Array
from fungrad.numpy import creation, ufuncs
from fungrad.numpy._promotion import inexact, operand
from fungrad.numpy.selection import where
from fungrad.ops import shape as shape_ops
from fungrad.ops.special import bessel_i0e, bessel_i1e
from fungrad.transforms.custom_rules import custom_jvp


def _window(api: str, M: Any, formula: Callable[[Array], Array]) -> Array:
    """A formula of places from -1 to 1, at ``M`` of them; windows of one place are 1."""
    count = index(f"fungrad.numpy.{api}", "M", M)
    dtype = dtypes.default_float()
    if count <= 1:
        return creation.ones(max(count, 0), dtype)
    steps = shape_ops.iota(dtype, count)
    return formula(ufuncs.divide(ufuncs.subtract(ufuncs.multiply(steps, 2.0), count - 1.0), count - 1.0))


def _cosines(place: Array, *weights: float) -> Array:
    """The sum of ``weights[k] * cos(k * pi * place)``."""
    out: Any = weights[0]
    for k, weight in enumerate(weights[1:], 1):
        out = ufuncs.add(ufuncs.multiply(ufuncs.cos(ufuncs.multiply(place, k * math.pi)), weight), out)
    return out  # type: ignore[no-any-return]


def bartlett(M: int) -> Array:
    """The triangular window, which is 0 at both ends.

    Args:
      M: number of places, known while tracing.

    Returns:
      Vector of ``M`` numbers of the default floating dtype.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.bartlett(5)
      Array([0. , 0.5, 1. , 0.5, 0. ], dtype=float32)
    """
    return _window("bartlett", M, lambda place: ufuncs.subtract(1.0, ufuncs.absolute(place)))


def blackman(M: int) -> Array:
    """The Blackman window, ``0.42 + 0.5 cos(pi t) + 0.08 cos(2 pi t)`` for t from -1 to 1.

    Args:
      M: number of places, known while tracing.

    Returns:
      Vector of ``M`` numbers of the default floating dtype.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.blackman(5).round(2)
      Array([-0.  ,  0.34,  1.  ,  0.34, -0.  ], dtype=float32)
    """
    return _window("blackman", M, lambda place: _cosines(place, 0.42, 0.5, 0.08))


def hamming(M: int) -> Array:
    """The Hamming window, ``0.54 + 0.46 cos(pi t)`` for t from -1 to 1.

    Args:
      M: number of places, known while tracing.

    Returns:
      Vector of ``M`` numbers of the default floating dtype.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.hamming(3).round(2)
      Array([0.08, 1.  , 0.08], dtype=float32)
    """
    return _window("hamming", M, lambda place: _cosines(place, 0.54, 0.46))


def hanning(M: int) -> Array:
    """The Hann window, ``0.5 + 0.5 cos(pi t)`` for t from -1 to 1.

    Args:
      M: number of places, known while tracing.

    Returns:
      Vector of ``M`` numbers of the default floating dtype.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.hanning(5).round(2)
      Array([0. , 0.5, 1. , 0.5, 0. ], dtype=float32)
    """
    return _window("hanning", M, lambda place: _cosines(place, 0.5, 0.5))


def kaiser(M: int, beta: Any) -> Array:
    """The Kaiser window, ``i0(beta * sqrt(1 - t**2)) / i0(beta)`` for t from -1 to 1.

    Args:
      M: number of places, known while tracing.
      beta: scalar: how narrow the window is; 0 is a rectangle.

    Returns:
      Vector of ``M`` numbers of the default floating dtype.

    Raises:
      ValueError: ``beta`` is no scalar.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.kaiser(5, 14.0).round(2)
      Array([0.  , 0.16, 1.  , 0.16, 0.  ], dtype=float32)
    """
    narrowness = inexact(operand(beta, "kaiser", "beta"), "kaiser")
    if narrowness.aval.shape or dtypes.is_complex(narrowness.aval.dtype):
        raise ValueError(f"fungrad.numpy.kaiser: beta must be a real scalar, got {narrowness.aval.str_short()}")

    def formula(place: Array) -> Array:
        # By the scaled function, which does not overflow.
        root = ufuncs.sqrt(ufuncs.maximum(ufuncs.subtract(1.0, ufuncs.square(place)), 0.0))
        size = ufuncs.absolute(narrowness)
        height = ufuncs.exp(ufuncs.multiply(size, ufuncs.subtract(root, 1.0)))
        ratio = ufuncs.divide(bessel_i0e(ufuncs.multiply(size, root)), bessel_i0e(size))
        return ufuncs.multiply(ratio, height)

    return _window("kaiser", M, formula)


def i0(x: Any) -> Array:
    """Modified Bessel function of the first kind and order 0.

    Args:
      x: real array or scalar; integers are converted to the default floating dtype.

    Returns:
      Array of the shape of ``x``.

    Raises:
      TypeError: ``x`` is complex.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.i0(jnp.array([0.0, 1.0])).round(3)
      Array([1.   , 1.266], dtype=float32)
    """
    x = inexact(operand(x, "i0", "x"), "i0")
    if dtypes.is_complex(x.aval.dtype):
        raise TypeError(f"fungrad.numpy.i0: x must be real, got {x.aval.str_short()}")
    return _i0(x)


# The scaled functions have a kink at 0, their products with exp(abs(x)) have none: derivatives are given.


@custom_jvp
def _i0(x: Array) -> Array:
    return ufuncs.multiply(ufuncs.exp(ufuncs.absolute(x)), bessel_i0e(x))


@_i0.defjvp
def _i0_jvp(primals: Any, tangents: Any) -> tuple[Array, Array]:
    (x,), (g,) = primals, tangents
    return _i0(x), ufuncs.multiply(i1(x), g)


@custom_jvp
def i1(x: Array) -> Array:
    """Modified Bessel function of the first kind and order 1, of a floating array."""
    return ufuncs.multiply(ufuncs.exp(ufuncs.absolute(x)), bessel_i1e(x))


@i1.defjvp
def _i1_jvp(primals: Any, tangents: Any) -> tuple[Array, Array]:
    (x,), (g,) = primals, tangents
    y = i1(x)
    zero = ufuncs.equal(x, 0)
    ratio = where(zero, 0.5, ufuncs.divide(y, where(zero, 1.0, x)))
    return y, ufuncs.multiply(ufuncs.subtract(_i0(x), ratio), g)


__all__ = ["bartlett", "blackman", "hamming", "hanning", "i0", "kaiser"]
