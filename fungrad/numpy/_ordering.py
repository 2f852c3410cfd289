"""Comparisons and extremes of operands of different types, with the answer of exact arithmetic for integers.

Promotion to a common dtype may wrap integers: a Python integer beyond the dtype of the array, a negative number beside
unsigned ones. What follows from an order has a right answer all the same, and gets it here.

May import ``core``, ``ops`` and ``numpy._promotion``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fungrad.core import dtypes
from fungrad.core.array import Array, ArrayImpl, wrap_unchecked
from fungrad.core.avals import ShapedArray
from fungrad.core.primitive import Primitive
from fungrad.numpy._promotion import ScalarRangeError, cast, match_ranks, operand, promote_pair
from fungrad.ops import cast as cast_ops, compare, complex_parts, integer

_NUMPY = (np.ndarray, np.generic)
# What a comparison says if its first operand is less than, equal to, or greater than the second.
_OUTCOMES = {
    "equal": (False, True, False),
    "not_equal": (True, False, True),
    "less": (True, False, False),
    "less_equal": (True, True, False),
    "greater": (False, False, True),
    "greater_equal": (False, True, True),
}
_MIRRORED = {"less": "greater", "less_equal": "greater_equal", "greater": "less", "greater_equal": "less_equal"}


def comparison(name: str, primitive: Primitive) -> Callable[[Any, Any], Array]:
    """The comparison ``name`` with promotion; integers of any dtypes compare by their values.

    Complex numbers are ordered by real, then imaginary part.
    """
    ordered = name not in ("equal", "not_equal")
    bind = primitive.bind

    def f(x: Any, y: Any, /) -> Array:
        if isinstance(x, _NUMPY):
            x = _at_own_width(x, name)
        if isinstance(y, _NUMPY):
            y = _at_own_width(y, name)
        if isinstance(x, Array) and isinstance(y, Array):
            a, b = x.aval.dtype, y.aval.dtype
            if a is not b and a.kind in "iu" and b.kind in "iu":
                return _of_integers(name, primitive, x, y)
        try:
            x, y = promote_pair(name, x, y)
        except OverflowError:
            return _with_number_outside(name, x, y)
        if ordered and x.aval.dtype.kind == "c":
            return _lexicographic(primitive, x, y)
        return bind(x, y)

    return f


def _at_own_width(x: Any, api: str) -> Array:
    """NumPy's integers that do not fit the default width, at their own."""
    try:
        return operand(x, api, "an operand")
    except OverflowError:
        return wrap_unchecked(np.array(x, order="C"), ShapedArray(x.shape, dtypes.canonicalize_dtype(x.dtype)))


def _of_integers(name: str, primitive: Primitive, x: Array, y: Array) -> Array:
    """Comparison of arrays of different integer dtypes in one that holds both."""
    x, y = match_ranks(name, x, y)
    common = np.promote_types(x.aval.dtype, y.aval.dtype)
    if common.kind != "f":
        return primitive.bind(cast(x, common), cast(y, common))
    # No dtype holds the values of uint64 and those of signed integers: negative ones are smaller than all others.
    if x.aval.dtype.kind == "i":
        return _of_integers(_MIRRORED.get(name, name), _primitive(_MIRRORED.get(name, name)), y, x)
    negative = compare.lt(y, 0)
    found = primitive.bind(x, cast(y, x.aval.dtype))
    if _OUTCOMES[name][2]:
        return integer.bitwise_or(negative, found)
    return integer.bitwise_and(integer.bitwise_not(negative), found)


def _primitive(name: str) -> Primitive:
    return {
        "equal": compare.eq_p, "not_equal": compare.ne_p, "less": compare.lt_p, "less_equal": compare.le_p,
        "greater": compare.gt_p, "greater_equal": compare.ge_p,
    }[name]  # fmt: skip


def _with_number_outside(name: str, x: Any, y: Any) -> Array:
    """Comparison with a Python integer beyond all numbers of the other operand's dtype."""
    if not isinstance(x, Array) and not isinstance(y, Array):
        order = (x > y) - (x < y)
        return cast_ops.full_like(operand(False, name, "x"), _OUTCOMES[name][order + 1])
    if isinstance(x, Array):
        return cast_ops.full_like(x, _OUTCOMES[name][0 if y > 0 else 2], dtype=dtypes.bool_)
    return cast_ops.full_like(y, _OUTCOMES[name][2 if x > 0 else 0], dtype=dtypes.bool_)


def _lexicographic(primitive: Primitive, x: Array, y: Array) -> Array:
    rx, ry = complex_parts.real(x), complex_parts.real(y)
    by_imag = primitive.bind(complex_parts.imag(x), complex_parts.imag(y))
    same = compare.eq(rx, ry)
    result = integer.bitwise_or(
        integer.bitwise_and(same, by_imag),
        integer.bitwise_and(integer.bitwise_not(same), primitive.bind(rx, ry)),
    )
    return cast_ops.convert_element_type(result, dtypes.bool_, x.aval.weak_type and y.aval.weak_type)


def promote_extremum(api: str, x: Any, y: Any, largest: bool) -> tuple[Array, Array]:
    """The operands of a maximum (``largest``) or minimum with a common dtype.

    An integer that does not fit the dtype becomes the nearest that does if the result is the same.

    Raises:
      OverflowError: it is the result.
    """
    try:
        return promote_pair(api, x, y)
    except ScalarRangeError as error:
        info = dtypes.iinfo(error.dtype)
        if largest == (error.value > 0):
            raise
        limit = int(info.min) if largest else int(info.max)
        x, y = (limit if python_int(v) == error.value else v for v in (x, y))
    return promote_pair(api, x, y)


def python_int(x: Any) -> int | None:
    """The value of a Python integer, or of the weakly typed scalar that it has become; None for anything else."""
    if isinstance(x, int) and not isinstance(x, bool):
        return int(x)
    if type(x) is ArrayImpl and x.aval.weak_type and not x.aval.shape and x.aval.dtype.kind == "i":
        return int(x._data)
    return None
