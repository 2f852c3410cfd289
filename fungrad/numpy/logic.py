"""Comparisons, logic, tests of numbers, and bits, elementwise.

May import ``core``, ``ops``, ``numpy._promotion``, ``numpy._ordering`` and ``numpy._ufunc_factories``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fungrad.core import dtypes
from fungrad.core.array import Array
from fungrad.core.primitive import Primitive
from fungrad.numpy._ordering import comparison, promote_extremum
from fungrad.numpy._promotion import (
    cast,
    operand,
)
from fungrad.numpy._ufunc_factories import (
    binary,
    binary_doc,
    logical,
    named,
    promote_numbers,
    refuse_out,
    strong,
    truth,
)
from fungrad.ops import cast as cast_ops, compare, complex_parts, elementwise, integer
from fungrad.ops.foundation import broadcast

# -- comparison and logic ----------------------------------------------------------------------------------------------


def _comparison(name: str, primitive: Primitive, what: str) -> Callable[[Any, Any], Array]:
    """A comparison; integers compare by value whatever their dtypes."""
    return named(comparison(name, primitive), name, binary_doc(what))


equal = _comparison("equal", compare.eq_p, "Whether the operands are equal.")
not_equal = _comparison("not_equal", compare.ne_p, "Whether the operands differ.")
less = _comparison("less", compare.lt_p, "Whether ``x < y``; complex numbers by real, then imaginary part.")
less_equal = _comparison("less_equal", compare.le_p, "Whether ``x <= y``.")
greater = _comparison("greater", compare.gt_p, "Whether ``x > y``.")
greater_equal = _comparison("greater_equal", compare.ge_p, "Whether ``x >= y``.")

logical_and = logical("logical_and", integer.and_p, "Whether both operands are true (not zero).")
logical_or = logical("logical_or", integer.or_p, "Whether an operand is true (not zero).")
logical_xor = logical("logical_xor", integer.xor_p, "Whether exactly one operand is true (not zero).")


def logical_not(x: Any, /) -> Array:
    """Whether the operand is false (zero).

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.logical_not(jnp.array([0, 1, 2]))
      Array([ True, False, False], dtype=bool)
    """
    return integer.bitwise_not(truth(x, "logical_not"))


def fmax(x1: Any, x2: Any) -> Array:
    """Larger of two operands; a NaN yields to a number.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.fmax(jnp.array([1.0, jnp.nan]), 0.5)
      Array([1. , 0.5], dtype=float32)
    """
    x, y = promote_extremum("fmax", x1, x2, True)
    return _ignoring_nan(x, y, greater(x, y))


def fmin(x1: Any, x2: Any) -> Array:
    """Smaller of two operands; a NaN yields to a number.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.fmin(jnp.array([1.0, jnp.nan]), 0.5)
      Array([0.5, 0.5], dtype=float32)
    """
    x, y = promote_extremum("fmin", x1, x2, False)
    return _ignoring_nan(x, y, less(x, y))


def _ignoring_nan(x: Array, y: Array, first: Array) -> Array:
    """``x`` where ``first`` holds or ``y`` is NaN, otherwise ``y``."""
    first = integer.bitwise_or(first, compare.ne(y, y))
    shape = first.aval.shape
    return compare.select_n(first, broadcast(y, shape), broadcast(x, shape))


def isnan(x: Any, /) -> Array:
    """Whether the operand is NaN.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.isnan(jnp.array([1.0, jnp.inf, jnp.nan]))
      Array([False, False,  True], dtype=bool)
    """
    x = operand(x, "isnan", "x")
    return compare.ne(x, x)


def isfinite(x: Any, /) -> Array:
    """Whether the operand is neither infinite nor NaN.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.isfinite(jnp.array([1.0, jnp.inf, jnp.nan]))
      Array([ True, False, False], dtype=bool)
    """
    x = operand(x, "isfinite", "x")
    dtype = x.aval.dtype
    if dtypes.is_complex(dtype):
        both = integer.bitwise_and(
            elementwise.is_finite(complex_parts.real(x)), elementwise.is_finite(complex_parts.imag(x))
        )
        return cast_ops.convert_element_type(both, dtypes.bool_, x.aval.weak_type)
    return elementwise.is_finite(x) if dtypes.is_float(dtype) else cast_ops.full_like(x, True, dtype=np.dtype(bool))


def isinf(x: Any, /) -> Array:
    """Whether the operand is infinite.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.isinf(jnp.array([1.0, -jnp.inf, jnp.nan]))
      Array([False,  True, False], dtype=bool)
    """
    x = operand(x, "isinf", "x")
    dtype = x.aval.dtype
    if dtypes.is_complex(dtype):
        return integer.bitwise_or(isinf(complex_parts.real(x)), isinf(complex_parts.imag(x)))
    if not dtypes.is_float(dtype):
        return cast_ops.full_like(x, False, dtype=np.dtype(bool))
    return strong(compare.eq(complex_parts.abs(x), float("inf")))


def isposinf(x: Any, /, out: None = None) -> Array:
    """Whether the operand is positive infinity.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.isposinf(jnp.array([-jnp.inf, jnp.inf]))
      Array([False,  True], dtype=bool)
    """
    refuse_out("isposinf", out, None)
    x = operand(x, "isposinf", "x")
    if dtypes.is_complex(x.aval.dtype):
        raise ValueError("fungrad.numpy.isposinf: complex infinities have no sign; test the parts")
    if not dtypes.is_float(x.aval.dtype):
        return cast_ops.full_like(x, False, dtype=np.dtype(bool))
    return strong(compare.eq(x, float("inf")))


def isneginf(x: Any, /, out: None = None) -> Array:
    """Whether the operand is negative infinity.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.isneginf(jnp.array([-jnp.inf, jnp.inf]))
      Array([ True, False], dtype=bool)
    """
    refuse_out("isneginf", out, None)
    x = operand(x, "isneginf", "x")
    if dtypes.is_complex(x.aval.dtype):
        raise ValueError("fungrad.numpy.isneginf: complex infinities have no sign; test the parts")
    if not dtypes.is_float(x.aval.dtype):
        return cast_ops.full_like(x, False, dtype=np.dtype(bool))
    return strong(compare.eq(x, -float("inf")))


# -- bits --------------------------------------------------------------------------------------------------------------

bitwise_and = binary("bitwise_and", integer.and_p, "AND of the bits of integers or booleans.")
bitwise_or = binary("bitwise_or", integer.or_p, "OR of the bits of integers or booleans.")
bitwise_xor = binary("bitwise_xor", integer.xor_p, "XOR of the bits of integers or booleans.")


def left_shift(x: Any, y: Any, /) -> Array:
    """Bits of ``x`` shifted left by ``y``.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.bitwise_left_shift(jnp.array([1, 3]), 2)
      Array([ 4, 12], dtype=int32)
    """
    return integer.shift_left(*promote_numbers("left_shift", x, y))


bitwise_left_shift = left_shift


def invert(x: Any, /) -> Array:
    """All bits inverted; for booleans NOT.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.bitwise_not(jnp.array([0, 5]))
      Array([-1, -6], dtype=int32)
      >>> jnp.bitwise_not(True)
      Array(False, dtype=bool)
    """
    return integer.bitwise_not(operand(x, "invert", "x"))


bitwise_not = bitwise_invert = invert


def right_shift(x1: Any, x2: Any, /) -> Array:
    """Bits of ``x1`` shifted right by ``x2``; signed integers keep their sign.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.bitwise_right_shift(jnp.array([12, -12]), 2)
      Array([ 3, -3], dtype=int32)
    """
    x, y = promote_numbers("right_shift", x1, x2)
    if dtypes.is_signed(x.aval.dtype):
        return integer.shift_right_arithmetic(x, y)
    return integer.shift_right_logical(x, y)


bitwise_right_shift = right_shift


def bitwise_count(x: Any, /) -> Array:
    """Number of one bits in the magnitude, as uint8.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.bitwise_count(jnp.array([0, 7, -8]))
      Array([0, 3, 1], dtype=uint8)
    """
    x = operand(x, "bitwise_count", "x")
    if dtypes.is_bool(x.aval.dtype):
        x = cast(x, dtypes.uint8)
    if dtypes.is_signed(x.aval.dtype):
        x = complex_parts.abs(x)
    return cast(integer.population_count(x), np.dtype(np.uint8))
