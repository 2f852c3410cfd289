"""Functions of integers that are computed by loops. Imported when one of them is called: with them comes all of control
flow.

May import ``control``, ``core``, ``ops``, ``transforms`` and ``numpy._ufunc_factories``.
"""

from __future__ import annotations

from collections.abc import Callable

from fungrad.control.while_loop import while_loop
from fungrad.core import dtypes
from fungrad.core.array import Array
from fungrad.numpy._ufunc_factories import strong
from fungrad.ops import cast as cast_ops, compare, elementwise, integer
from fungrad.ops._operands import scalar_like
from fungrad.ops.foundation import reshape
from fungrad.transforms.mapping import vmap


def power_of(x: Array, y: Array) -> Array:
    """Integer power by squaring; negative exponents give 0, or the power of 1 and -1 that is exact."""

    def step(state: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        result, base, rest = state
        odd = compare.eq(integer.bitwise_and(rest, 1), scalar_like(1, rest))
        result = compare.select_n(odd, result, elementwise.mul(result, base))
        return result, elementwise.mul(base, base), integer.shift_right_logical(rest, scalar_like(1, rest))

    def positive(x: Array, y: Array) -> Array:
        found: Array = while_loop(
            lambda state: compare.ne(state[2], 0), step, (cast_ops.full_like(x, 1), strong(x), strong(y))
        )[0]
        return found

    def one(x: Array, y: Array) -> Array:
        negative = compare.lt(y, scalar_like(0, y))
        # The powers of 1 and -1 go by the last bit of the exponent.
        found = positive(x, compare.select_n(negative, y, integer.bitwise_and(y, 1)))
        unit = integer.bitwise_or(compare.eq(x, scalar_like(1, x)), compare.eq(x, scalar_like(-1, x)))
        exact = integer.bitwise_or(unit, integer.bitwise_not(negative))
        return compare.select_n(exact, cast_ops.full_like(found, 0), found)

    return _each(positive if dtypes.is_unsigned(x.aval.dtype) else one, x, y)


def greatest_common_divisor(x: Array, y: Array) -> Array:
    """Of two unsigned integers."""

    def one(a: Array, b: Array) -> Array:
        """Euclid's algorithm."""
        found: Array = while_loop(
            lambda pair: compare.ne(pair[1], 0), lambda pair: (pair[1], elementwise.rem(pair[0], pair[1])), (a, b)
        )[0]
        return found

    return _each(one, x, y)


def _each(one: Callable[[Array, Array], Array], x: Array, y: Array) -> Array:
    """A function of two numbers, with a loop, for each pair of elements: a compiled loop then ends for each few of them
    as soon as these are done."""
    x, y = elementwise.add(x, cast_ops.full_like(y, 0)), elementwise.add(y, cast_ops.full_like(x, 0))
    shape, size = x.aval.shape, x.aval.size
    return reshape(vmap(one)(reshape(x, (size,)), reshape(y, (size,))), shape)
