"""Division of ``fungrad.numpy`` that rounds: quotients rounded down and remainders, with NumPy's signs and zeros."""

from __future__ import annotations

from typing import Any

from fungrad.core import dtypes
from fungrad.core.array import Array
from fungrad.numpy._promotion import cast
from fungrad.numpy.ufuncs import full_mask, isinf, promote_numbers, signbit, where_value
from fungrad.ops import cast as cast_ops, compare, elementwise, integer
from fungrad.ops._operands import scalar_like


def floor_divide(x1: Any, x2: Any, /) -> Array:
    """Largest integer not above the quotient.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.floor_divide(jnp.array([7, -7]), 2)
      Array([ 3, -4], dtype=int32)
    """
    x, y = promote_numbers("floor_divide", x1, x2)
    dtype = x.aval.dtype
    if dtypes.is_complex(dtype):
        raise TypeError("fungrad.numpy.floor_divide: complex operands are not supported; divide and round the parts")
    if dtypes.is_unsigned(dtype):
        return elementwise.div(x, y)
    if dtypes.is_integer(dtype):
        quotient = elementwise.div(x, y)
        apart = compare.ne(elementwise.sign(x), elementwise.sign(y))
        inexact_quotient = compare.ne(elementwise.rem(x, y), 0)
        down = integer.bitwise_and(apart, inexact_quotient)
        return compare.select_n(down, quotient, elementwise.sub(quotient, 1))
    return _float_divmod(x, y)[0]


def _float_divmod(x: Array, y: Array) -> tuple[Array, Array]:
    """Quotient rounded down and remainder with the sign of the divisor, as Python has them.

    Of infinities the quotient is the limit, as the array API standard asks; zeros have the sign of the exact result.
    """
    rest = elementwise.rem(x, y)
    quotient = elementwise.div(elementwise.sub(x, rest), y)
    adjust = integer.bitwise_and(
        compare.ne(rest, 0), compare.ne(elementwise.sign(y), elementwise.sign(rest))
    )
    rest_adjusted = elementwise.add(rest, y)
    rest = compare.select_n(adjust, rest, _like(rest_adjusted, rest))
    quotient = compare.select_n(adjust, quotient, elementwise.sub(quotient, 1))
    quotient = elementwise.round(quotient, elementwise.RoundingMethod.TO_NEAREST_EVEN)
    ratio = elementwise.div(x, y)
    unsigned = compare.eq(quotient, 0)
    zero = where_value(signbit(ratio), -0.0, cast_ops.full_like(ratio, 0.0))
    quotient = compare.select_n(unsigned, quotient, _like(zero, quotient))
    at_limit = integer.bitwise_or(
        full_mask(integer.bitwise_or(compare.eq(y, 0), isinf(y)), quotient), full_mask(isinf(x), quotient)
    )
    return compare.select_n(at_limit, quotient, _like(elementwise.floor(ratio), quotient)), _zero_signed(rest, y)


def _zero_signed(rest: Array, y: Array) -> Array:
    """A remainder whose zeros have the sign of the divisor; its derivative is that of ``rest`` there, too."""
    zero = scalar_like(0, rest)
    positive = elementwise.add(rest, zero)  # -0 + 0 is 0
    negative = elementwise.neg(elementwise.add(elementwise.neg(rest), zero))
    return compare.select_n(full_mask(compare.lt(y, scalar_like(0, y)), rest), positive, negative)


def _like(x: Array, reference: Array) -> Array:
    return cast(x, reference.aval.dtype, reference.aval.weak_type)


def remainder(x1: Any, x2: Any, /) -> Array:
    """Remainder with the sign of the divisor, as Python's ``%``.

    Where it is NaN, for a divisor 0 or an infinite dividend, its derivative by the divisor is NaN too.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.mod(jnp.array([7, -7]), 3)
      Array([1, 2], dtype=int32)

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.remainder(jnp.array([7, -7]), 3)
      Array([1, 2], dtype=int32)
    """
    x, y = promote_numbers("remainder", x1, x2)
    if dtypes.is_complex(x.aval.dtype):
        raise TypeError("fungrad.numpy.remainder: complex operands are not supported")
    if dtypes.is_integer(x.aval.dtype):
        # The remainder of a division by zero is zero, as in NumPy.
        y = where_value(compare.eq(y, 0), 1, y)
    rest = elementwise.rem(x, y)
    if dtypes.is_unsigned(x.aval.dtype):
        return rest
    zero = scalar_like(0, rest)
    differs = compare.ne(compare.lt(rest, zero), compare.lt(y, scalar_like(0, y)))
    adjust = integer.bitwise_and(differs, compare.ne(rest, zero))
    rest = compare.select_n(adjust, rest, elementwise.add(rest, y))
    return rest if dtypes.is_integer(x.aval.dtype) else _zero_signed(rest, y)


mod = remainder


def fmod(x1: Any, x2: Any, /) -> Array:
    """Remainder with the sign of the dividend, as C's ``fmod``; derivatives as for ``remainder``.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.fmod(jnp.array([7.0, -7.0]), 3.0)
      Array([ 1., -1.], dtype=float32)
    """
    x, y = promote_numbers("fmod", x1, x2)
    return elementwise.rem(x, where_value(compare.eq(y, 0), 1, y) if dtypes.is_integer(y.aval.dtype) else y)


def divmod(x1: Any, x2: Any, /) -> tuple[Array, Array]:
    """Quotient rounded down, and remainder with the sign of the divisor.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.divmod(jnp.array([7, -7]), 3)
      (Array([ 2, -3], dtype=int32), Array([1, 2], dtype=int32))
    """
    x, y = promote_numbers("divmod", x1, x2)
    if dtypes.is_integer(x.aval.dtype):
        return floor_divide(x, y), remainder(x, y)
    return _float_divmod(x, y)
