"""The draws that all others are made of: random bits, uniform numbers and integers.

May import ``core``, ``ops`` and ``random._arguments``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fungrad.core import dtypes
from fungrad.core.array import Array, as_array
from fungrad.ops._operands import kind_of, scalar_array
from fungrad.ops.cast import bitcast_convert_type, convert_element_type
from fungrad.ops.compare import gt, le, max, min, select_n
from fungrad.ops.elementwise import add, mul, rem, sub
from fungrad.ops.foundation import Dims
from fungrad.ops.integer import bitwise_and, bitwise_or, shift_right_logical
from fungrad.ops.joining import unstack
from fungrad.ops.random_bits import random_bits, random_split
from fungrad.ops.resharding import at_sharding
from fungrad.random._arguments import against, common_shape, dtype_of, one_key, parameter, shape_of


def split_keys(key: Array, num: int = 2) -> tuple[Array, ...]:
    """``num`` new typed keys."""
    return unstack(random_split(key, (num,)))


# -- bits --------------------------------------------------------------------------------------------------------------


def bits(key: Any, shape: Any = (), dtype: Any = None, *, out_sharding: Any = None) -> Array:
    """Uniformly random unsigned integers of all bits.

    Args:
      key: a random key.
      shape: shape of the result.
      dtype: unsigned integer dtype; default the default unsigned integer.
      out_sharding: how the result is divided; see :func:`fungrad.reshard`.

    Raises:
      TypeError: ``key`` is not a key.
      ValueError: ``dtype`` is not an unsigned integer dtype, or ``key`` is an array of keys.

    Example:
      >>> from fungrad import random
      >>> random.bits(random.key(0), (3,), 'uint8')
      Array([167, 146,  40], dtype=uint8)
    """
    if out_sharding is not None:
        return at_sharding(bits, out_sharding, "fungrad.random.bits", key, shape, dtype)
    found = dtype_of("bits", dtype, "u", dtypes.default_uint())
    single, _ = one_key("bits", key)
    return random_bits(single, _whole_bytes("bits", found), shape_of("bits", shape))


def _whole_bytes(api: str, dtype: np.dtype) -> int:
    width = dtypes.itemsize_bits(dtype)
    if width < 8:
        raise ValueError(f"fungrad.random.{api}: dtype must have at least 8 bits, got {dtypes.display_name(dtype)}")
    return width


# -- uniform -----------------------------------------------------------------------------------------------------------


def unit(key: Array, shape: Dims, dtype: np.dtype) -> Array:
    """Uniform numbers in [0, 1): multiples of the distance between floats in [1, 2)."""
    info, width = dtypes.finfo(dtype), 8 * dtype.itemsize
    mantissa = int(info.nmant)
    # Types with a short mantissa need one byte of randomness only.
    drawn = 8 if mantissa < 8 else width
    word = np.dtype(f"uint{width}")
    x = random_bits(key, drawn, shape)
    if drawn != width:
        x = convert_element_type(x, word)
    one = int(np.ones((), dtype).view(word))
    x = bitwise_or(shift_right_logical(x, drawn - mantissa), one)
    return sub(bitcast_convert_type(x, dtype), scalar_array(1.0, dtype))


def uniform_between(key: Array, shape: Dims, dtype: np.dtype, low: Any, high: Any) -> Array:
    """Uniform numbers in [low, high); bounds are Python numbers, or arrays of ``dtype`` that broadcast to ``shape``."""
    u = unit(key, shape, dtype)
    if _equals(low, 0) and _equals(high, 1):
        return u
    lower, upper = (
        against(x, shape) if isinstance(x, Array) else scalar_array(float(x), dtype) for x in (low, high)
    )
    # Rounding of the sum must not take it below the lower bound.
    return max(lower, add(mul(u, sub(upper, lower)), lower))


def _equals(x: Any, value: int) -> bool:
    return isinstance(x, (int, float)) and x == value


def uniform(
    key: Any, shape: Any = (), dtype: Any = None, minval: Any = 0.0, maxval: Any = 1.0, *, out_sharding: Any = None
) -> Array:
    """Uniformly distributed numbers in [minval, maxval).

    Args:
      key: a random key.
      shape: shape of the result.
      dtype: floating dtype; default the default floating dtype.
      minval: lower bound, which broadcasts to ``shape``; included.
      maxval: upper bound, likewise; excluded, up to rounding.
      out_sharding: how the result is divided; see :func:`fungrad.reshard`.

    Raises:
      TypeError: ``key`` is not a key, or a bound is not real.
      ValueError: ``dtype`` is not floating, ``shape`` does not fit the bounds, or ``key`` is an array of keys.

    Example:
      >>> from fungrad import random
      >>> random.uniform(random.key(0), (2,), minval=-1.0)
      Array([0.895334  , 0.95715976], dtype=float32)
    """
    if out_sharding is not None:
        return at_sharding(uniform, out_sharding, "fungrad.random.uniform", key, shape, dtype, minval, maxval)
    found = dtype_of("uniform", dtype, "f", dtypes.default_float())
    single, _ = one_key("uniform", key)
    if _equals(minval, 0) and _equals(maxval, 1):
        return unit(single, shape_of("uniform", shape), found)
    low, high = parameter("uniform", "minval", minval, found), parameter("uniform", "maxval", maxval, found)
    return uniform_between(single, common_shape("uniform", shape, minval=low, maxval=high), found, low, high)


# -- integers ----------------------------------------------------------------------------------------------------------


def randint(key: Any, shape: Any, minval: Any, maxval: Any, dtype: Any = None, *, out_sharding: Any = None) -> Array:
    """Uniformly distributed integers in [minval, maxval).

    Args:
      key: a random key.
      shape: shape of the result, None for that of the broadcast bounds.
      minval: lower bound, which broadcasts to ``shape``; included.
      maxval: upper bound, likewise; excluded.  Bounds beyond the range of ``dtype`` are moved to its ends, and a
        ``maxval`` above the greatest integer includes that.  Where ``maxval <= minval`` the result is ``minval``.
      dtype: integer dtype; default the default integer dtype.
      out_sharding: how the result is divided; see :func:`fungrad.reshard`.

    Raises:
      TypeError: ``key`` is not a key, the dtype is not an integer one, or a bound is not.
      ValueError: ``shape`` does not fit the bounds, or ``key`` is an array of keys.

    Example:
      >>> from fungrad import random
      >>> random.randint(random.key(0), (5,), 0, 10)
      Array([9, 0, 2, 3, 1], dtype=int32)
    """
    if out_sharding is not None:
        return at_sharding(randint, out_sharding, "fungrad.random.randint", key, shape, minval, maxval, dtype)
    found = dtypes.default_int() if dtype is None else dtypes.canonicalize_dtype(dtype, "fungrad.random.randint")
    if kind_of(found) not in "iu":
        raise TypeError(
            f"fungrad.random.randint: dtype must be an integer dtype, got {dtypes.display_name(found)}; for floating "
            "numbers use uniform, for booleans bernoulli"
        )
    single, _ = one_key("randint", key)
    # Narrow integers are drawn as int32, which holds also one more than the greatest of them.
    work = dtypes.int32 if dtypes.itemsize_bits(found) < 32 else found
    low, _ = _bound("minval", minval, found, work)
    high, beyond = _bound("maxval", maxval, found, work)
    dims = common_shape("randint", shape, minval=low, maxval=high)
    out = _integers(single, dims, against(low, dims), against(high, dims), beyond, work)
    return convert_element_type(out, found)


def below(key: Array, shape: Dims, n: int) -> Array:
    """The integers that ``randint`` draws from 0 ... n - 1."""
    dtype = dtypes.default_int()
    high, beyond = _bound("maxval", n, dtype, dtype)
    return _integers(key, shape, scalar_array(0, dtype), high, beyond, dtype)


def _bound(name: str, value: Any, dtype: np.dtype, work: np.dtype) -> tuple[Array, Any]:
    """A bound moved into the range of ``dtype``, and whether it was above a range that does not hold one more.

    Where ``work`` is wider than ``dtype``, the range has one more number: the upper bound that includes the greatest.
    """
    wider = work != dtype
    least, greatest = int(dtypes.iinfo(dtype).min), int(dtypes.iinfo(dtype).max) + wider
    if type(value) in (int, bool):
        return scalar_array(sorted((least, int(value), greatest))[1], work), not wider and value > greatest
    array = as_array(value, f"fungrad.random.randint: {name}")
    kind = kind_of(array.aval.dtype)
    if kind == "f":
        # As in JAX, floating bounds lose their fraction.
        array = convert_element_type(array, dtypes.default_int())
    elif kind == "b":
        array = convert_element_type(array, dtypes.int32)
    elif kind not in "iu":
        raise TypeError(f"fungrad.random.randint: {name} must be an integer, got {array.aval.str_short()}")
    own = dtypes.iinfo(array.aval.dtype)
    beyond: Any = False
    if int(own.max) > greatest:
        limit = scalar_array(greatest, array.aval.dtype)
        if not wider:
            beyond = gt(array, limit)
        array = min(array, limit)
    if int(own.min) < least:
        array = max(array, scalar_array(least, array.aval.dtype))
    return convert_element_type(array, work), beyond


def _integers(key: Array, shape: Dims, low: Array, high: Array, beyond: Any, dtype: np.dtype) -> Array:
    """Integers in [low, high) of a dtype of 32 or 64 bits, or in [low, greatest] where ``beyond``."""
    width = 8 * dtype.itemsize
    word = np.dtype(f"uint{width}")
    first, second = split_keys(key)
    upper, lower = random_bits(first, width, shape), random_bits(second, width, shape)
    # The number of possible results; 0 stands for all numbers of the type, which `rem` leaves as they are.
    empty = le(high, low)
    span = select_n(empty, convert_element_type(sub(high, low), word), scalar_array(1, word))
    if beyond is not False:
        more = against(beyond, shape) if isinstance(beyond, Array) else scalar_array(True, dtypes.bool_)
        span = add(span, convert_element_type(bitwise_and(more, gt(high, low)), word))
    # Twice as many bits as the result has make the bias of the remainder small: (upper * 2**width + lower) mod span.
    factor = rem(scalar_array(2 ** (width // 2), word), span)
    factor = rem(mul(factor, factor), span)
    offset = rem(add(mul(rem(upper, span), factor), rem(lower, span)), span)
    return add(low, convert_element_type(offset, dtype))
