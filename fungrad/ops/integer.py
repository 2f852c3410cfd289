"""Bitwise operations, shifts and bit counts of integers and booleans; none of them has a derivative.

May import ``core``, ``ops._operands`` and ``ops._families``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fungrad.core import dtypes
from fungrad.core.array import Array
from fungrad.ops._families import Elementwise
from fungrad.ops._operands import lift, lift_pair

BITS = "biu"
INTEGERS = "iu"

# -- bitwise -------------------------------------------------------------------------------------

not_p = Elementwise("not", np.invert, BITS, cheap=True)
and_p = Elementwise("and", np.bitwise_and, BITS, arity=2, cheap=True, commutative=True)
or_p = Elementwise("or", np.bitwise_or, BITS, arity=2, cheap=True, commutative=True)
xor_p = Elementwise("xor", np.bitwise_xor, BITS, arity=2, cheap=True, commutative=True)


def bitwise_not(x: Any) -> Array:
    """Elementwise complement of the bits of integers, negation of booleans.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import lax
      >>> lax.bitwise_not(jnp.array([0, 1]))
      Array([-1, -2], dtype=int32)
    """
    return not_p.bind(lift(x, "fungrad.lax.bitwise_not: x"))


def bitwise_and(x: Any, y: Any) -> Array:
    """Elementwise bitwise and of integers or booleans of one dtype.

    Example:
      >>> import numpy as np
      >>> from fungrad import lax
      >>> lax.bitwise_and(np.uint8([12, 7]), 10)
      Array([8, 2], dtype=uint8)
    """
    return and_p.bind(*lift_pair("bitwise_and", x, y))


def bitwise_or(x: Any, y: Any) -> Array:
    """Elementwise bitwise or of integers or booleans of one dtype.

    Example:
      >>> from fungrad import lax
      >>> lax.bitwise_or(12, 10)
      Array(14, dtype=int32, weak_type=True)
    """
    return or_p.bind(*lift_pair("bitwise_or", x, y))


def bitwise_xor(x: Any, y: Any) -> Array:
    """Elementwise bitwise exclusive or of integers or booleans of one dtype.

    Example:
      >>> from fungrad import lax
      >>> lax.bitwise_xor(12, 10)
      Array(6, dtype=int32, weak_type=True)
    """
    return xor_p.bind(*lift_pair("bitwise_xor", x, y))


# -- shifts --------------------------------------------------------------------------------------
# NumPy defines shifts by amounts outside [0, bits) as we need them: all bits are shifted out.


def _unsigned(x: np.ndarray) -> np.ndarray:
    return x if x.dtype.kind == "u" else x.view(f"u{x.dtype.itemsize}")


def _shift_right_logical(x: np.ndarray, y: np.ndarray) -> Any:
    return np.right_shift(_unsigned(x), _unsigned(y)).view(x.dtype)


def _shift_right_arithmetic(x: np.ndarray, y: np.ndarray) -> Any:
    if x.dtype.kind == "i":
        return np.right_shift(x, y)
    signed = f"i{x.dtype.itemsize}"
    return np.right_shift(x.view(signed), y.view(signed)).view(x.dtype)


shift_left_p = Elementwise("shift_left", np.left_shift, INTEGERS, arity=2, cheap=True)
shift_right_logical_p = Elementwise(
    "shift_right_logical", _shift_right_logical, INTEGERS, arity=2, cheap=True
)
shift_right_arithmetic_p = Elementwise(
    "shift_right_arithmetic", _shift_right_arithmetic, INTEGERS, arity=2, cheap=True
)


def shift_left(x: Any, y: Any) -> Array:
    """Elementwise ``x`` with its bits moved up by ``y``; 0 where ``y`` is negative or at least the number of bits.

    Example:
      >>> from fungrad import lax
      >>> lax.shift_left(1, 4)
      Array(16, dtype=int32, weak_type=True)
    """
    return shift_left_p.bind(*lift_pair("shift_left", x, y))


def shift_right_logical(x: Any, y: Any) -> Array:
    """Elementwise ``x`` with its bits moved down by ``y`` and zeros moved in, also for negative ``x``.

    Example:
      >>> import numpy as np
      >>> from fungrad import lax
      >>> lax.shift_right_logical(np.int8([-1, 64]), 4)
      Array([15,  4], dtype=int8)
    """
    return shift_right_logical_p.bind(*lift_pair("shift_right_logical", x, y))


def shift_right_arithmetic(x: Any, y: Any) -> Array:
    """Elementwise ``x`` with its bits moved down by ``y`` and copies of the highest bit moved in.

    Example:
      >>> from fungrad import lax
      >>> lax.shift_right_arithmetic(-16, 2)
      Array(-4, dtype=int32, weak_type=True)
    """
    return shift_right_arithmetic_p.bind(*lift_pair("shift_right_arithmetic", x, y))


# -- counts --------------------------------------------------------------------------------------


def _population_count(x: np.ndarray) -> Any:
    # NumPy counts the bits of the absolute value; as unsigned, those of the representation.
    return np.bitwise_count(_unsigned(x)).astype(x.dtype)


def _clz(x: np.ndarray) -> Any:
    bits = dtypes.itemsize_bits(x.dtype)
    smeared = _unsigned(x)
    shift = 1
    while shift < bits:
        smeared = np.bitwise_or(smeared, np.right_shift(smeared, smeared.dtype.type(shift)))
        shift *= 2
    return (bits - np.bitwise_count(smeared)).astype(x.dtype)


population_count_p = Elementwise("population_count", _population_count, INTEGERS, cheap=True)
clz_p = Elementwise("clz", _clz, INTEGERS, cheap=True)


def population_count(x: Any) -> Array:
    """Elementwise number of bits that are 1.

    Example:
      >>> import numpy as np
      >>> from fungrad import lax
      >>> lax.population_count(np.uint8([255, 3]))
      Array([8, 2], dtype=uint8)
    """
    return population_count_p.bind(lift(x, "fungrad.lax.population_count: x"))


def clz(x: Any) -> Array:
    """Elementwise number of zero bits above the highest 1.

    Example:
      >>> import numpy as np
      >>> from fungrad import lax
      >>> lax.clz(np.uint8([1, 0, 255]))
      Array([7, 8, 0], dtype=uint8)
    """
    return clz_p.bind(lift(x, "fungrad.lax.clz: x"))


# -- high half of a product ----------------------------------------------------------------------


def _mulhi(x: np.ndarray, y: np.ndarray) -> Any:
    bits = 8 * x.dtype.itemsize
    if bits < 64:
        wide = np.dtype(f"{x.dtype.kind}{2 * x.dtype.itemsize}")
        return np.right_shift(np.multiply(x, y, dtype=wide), wide.type(bits)).astype(x.dtype)
    half, mask = np.uint64(32), np.uint64(0xFFFFFFFF)
    a, b = _unsigned(x), _unsigned(y)
    a_high, a_low, b_high, b_low = a >> half, a & mask, b >> half, b & mask
    middle = a_high * b_low + ((a_low * b_low) >> half)
    middle_low = a_low * b_high + (middle & mask)
    high = a_high * b_high + (middle >> half) + (middle_low >> half)
    if x.dtype.kind == "i":
        # A negative number is its unsigned reading minus 2**64, which takes the other operand off
        # the high half.
        high = high - np.where(x < 0, b, np.uint64(0)) - np.where(y < 0, a, np.uint64(0))
    return np.asarray(high).view(x.dtype)


mulhi_p = Elementwise("mulhi", _mulhi, INTEGERS, arity=2, cheap=True, commutative=True, cost=4)


def mulhi(x: Any, y: Any) -> Array:
    """Elementwise upper half of the full product of two integers.

    Example:
      >>> import numpy as np
      >>> from fungrad import lax
      >>> lax.mulhi(np.uint8([200, 3]), 200)
      Array([156,   2], dtype=uint8)
    """
    return mulhi_p.bind(*lift_pair("mulhi", x, y))
