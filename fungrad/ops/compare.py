"""Comparisons, selection, and what follows from them: maximum, minimum and clamping.

May import ``core``, ``ops._operands``, ``ops._families``, ``ops.foundation`` and
``ops.elementwise``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fungrad.core import dtypes
from fungrad.core.array import Array, wrap
from fungrad.core.avals import ShapedArray, Zero
from fungrad.core.context import evaluate
from fungrad.core.primitive import is_linear
from fungrad.core.source import filter_exception
from fungrad.ops._families import Elementwise, sum_of_terms, unbroadcast, unbroadcast_like
from fungrad.ops._operands import check_kind, constant, kind_of, lift, lift_like, lift_pair
from fungrad.ops.elementwise import mul, mul_p
from fungrad.ops.foundation import broadcast
from fungrad.ops.integer import bitwise_and as and_

ORDERED = "biuf"
EVERY_NUMBER = "biufc"


def _to_bool(dtype: np.dtype) -> np.dtype:
    return dtypes.bool_


def _comparison(name: str, impl: Any, accepts: str, *, commutative: bool = False) -> Elementwise:
    return Elementwise(
        name, impl, accepts, result=_to_bool, arity=2, cheap=True, commutative=commutative
    )


# -- comparisons ---------------------------------------------------------------------------------



def _equal(x: np.ndarray, y: np.ndarray) -> Any:
    return np.equal(x, y) if x.dtype.names is None else x == y


def _not_equal(x: np.ndarray, y: np.ndarray) -> Any:
    return np.not_equal(x, y) if x.dtype.names is None else x != y


# Random keys are equal or not; they have no order.
eq_p = _comparison("eq", _equal, EVERY_NUMBER + "k", commutative=True)
ne_p = _comparison("ne", _not_equal, EVERY_NUMBER + "k", commutative=True)
lt_p = _comparison("lt", np.less, ORDERED)
le_p = _comparison("le", np.less_equal, ORDERED)
gt_p = _comparison("gt", np.greater, ORDERED)
ge_p = _comparison("ge", np.greater_equal, ORDERED)


def eq(x: Any, y: Any) -> Array:
    """Elementwise ``x == y`` of operands of one dtype; NaN equals nothing.

    Example:
      >>> import numpy as np
      >>> from fungrad import lax
      >>> lax.eq(np.float32([1, 2]), 2)
      Array([False,  True], dtype=bool)
    """
    return eq_p.bind(*lift_pair("eq", x, y))


def ne(x: Any, y: Any) -> Array:
    """Elementwise ``x != y`` of operands of one dtype; NaN differs from everything.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import lax
      >>> lax.ne(jnp.array([1, 2, 3]), jnp.array([2, 2, 2]))
      Array([ True, False,  True], dtype=bool)
    """
    return ne_p.bind(*lift_pair("ne", x, y))


def lt(x: Any, y: Any) -> Array:
    """Elementwise ``x < y`` of real operands of one dtype.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import lax
      >>> lax.lt(jnp.array([1, 2, 3]), jnp.array([2, 2, 2]))
      Array([ True, False, False], dtype=bool)
    """
    return lt_p.bind(*lift_pair("lt", x, y))


def le(x: Any, y: Any) -> Array:
    """Elementwise ``x <= y`` of real operands of one dtype.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import lax
      >>> lax.le(jnp.array([1, 2, 3]), jnp.array([2, 2, 2]))
      Array([ True,  True, False], dtype=bool)
    """
    return le_p.bind(*lift_pair("le", x, y))


def gt(x: Any, y: Any) -> Array:
    """Elementwise ``x > y`` of real operands of one dtype.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import lax
      >>> lax.gt(jnp.array([1, 2, 3]), jnp.array([2, 2, 2]))
      Array([False, False,  True], dtype=bool)
    """
    return gt_p.bind(*lift_pair("gt", x, y))


def ge(x: Any, y: Any) -> Array:
    """Elementwise ``x >= y`` of real operands of one dtype.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import lax
      >>> lax.ge(jnp.array([1, 2, 3]), jnp.array([2, 2, 2]))
      Array([False,  True,  True], dtype=bool)
    """
    return ge_p.bind(*lift_pair("ge", x, y))


# -- total order ---------------------------------------------------------------------------------
# Sorting needs an order in which NaN has a place: -NaN < -inf < ... < -0 < +0 < ... < inf < NaN.


def total_order_key(x: np.ndarray) -> np.ndarray:
    """Integers that order as the floats of ``x`` do in the IEEE 754 total order; other dtypes as they are."""
    if kind_of(x.dtype) != "f":
        return x
    bits = x.view(f"i{x.dtype.itemsize}")
    # Negative floats order by decreasing magnitude: flip all bits but the sign.
    magnitude = np.iinfo(bits.dtype).max
    return np.where(bits < 0, bits ^ magnitude, bits)


eq_to_p = _comparison(
    "eq_to", lambda x, y: np.equal(total_order_key(x), total_order_key(y)), ORDERED
)
lt_to_p = _comparison(
    "lt_to", lambda x, y: np.less(total_order_key(x), total_order_key(y)), ORDERED
)
le_to_p = _comparison(
    "le_to", lambda x, y: np.less_equal(total_order_key(x), total_order_key(y)), ORDERED
)


# -- selection -----------------------------------------------------------------------------------


class SelectN(Elementwise):
    """Element ``i`` of the result is that of ``cases[which[i]]``; linear in the cases.

    ``which`` is boolean (two cases) or integer, clamped into range; it may be 0-d, and so may the
    cases.
    """

    variadic = True

    def abstract_eval(self, which: ShapedArray, *cases: ShapedArray) -> ShapedArray:
        if not cases:
            raise TypeError(
                "fungrad.lax.select_n: expected at least one case, got only the selector"
            )
        check_kind("select_n", which, "bi", 0)
        if dtypes.is_bool(which.dtype) and len(cases) > 2:
            raise TypeError(
                f"fungrad.lax.select_n: a boolean selector chooses between two cases, got {len(cases)}; "
                "use an int32 selector for more"
            )
        if any(c.dtype != cases[0].dtype for c in cases):
            types = ", ".join(c.str_short() for c in cases)
            raise TypeError(
                f"fungrad.lax.select_n: cases must have the same dtype, got {types}; convert one with .astype, "
                "or use fungrad.numpy.where, which promotes"
            )
        shape = self._common_shape((which, *cases))
        return ShapedArray(shape, cases[0].dtype, all(c.weak_type for c in cases))

    def jvp(
        self, primals: Sequence[Any], tangents: Sequence[Any], **params: Any
    ) -> tuple[Any, Any]:
        y = self.bind(*primals)
        t = self.bind(primals[0], *[constant(y, 0) if type(g) is Zero else g for g in tangents[1:]])
        return y, broadcast(t, y.aval.shape)

    def linearize_now(self, record: Any, primals: Sequence[Any], tangents: Sequence[Any], params: dict) -> tuple:
        y = evaluate(self, primals, params)
        zero = constant(y, 0)
        t = record(self, (primals[0], *[zero if g is None else g for g in tangents[1:]]), {})
        return y, sum_of_terms(record, (t,), y.aval)

    def transpose_now(self, ct: Any, position: int, args: Sequence[Any], params: dict) -> Any:
        zero = np.zeros((), ct.dtype)
        cases = [ct if i == position else zero for i in range(1, len(args))]
        return unbroadcast_like(_select_n(args[0]._data, *cases), args[position].aval)

    def transpose(self, ct: Any, which: Any, *cases: Any) -> Sequence[Any]:
        zero = constant(ct, 0)
        out: list[Any] = [None]
        for position, case in enumerate(cases):
            if is_linear(case):
                chosen = self.bind(
                    which, *[ct if i == position else zero for i in range(len(cases))]
                )
                out.append(unbroadcast(chosen, case.aval))
            else:
                out.append(None)
        return out


def _select_n(which: np.ndarray, *cases: np.ndarray) -> np.ndarray:
    if len(cases) == 1:
        return _full_shape(cases[0], which, cases)
    if which.dtype.kind == "b":
        if which.ndim:
            return np.where(which, cases[1], cases[0])
        return _full_shape(cases[1] if which else cases[0], which, cases)
    if which.ndim == 0:
        return _full_shape(cases[clamp_index(int(which), len(cases))], which, cases)
    out = np.where(which < 1, cases[0], cases[1])
    for position in range(2, len(cases)):
        out = np.where(which < position, out, cases[position])
    return out


def clamp_index(index: int, size: int) -> int:
    """``index`` moved into ``[0, size)``."""
    return 0 if index < 0 else index if index < size else size - 1


def _full_shape(x: np.ndarray, which: np.ndarray, cases: Sequence[np.ndarray]) -> np.ndarray:
    """``x`` in the shape of the result: a 0-d case may have been chosen beside larger ones."""
    shape = np.broadcast_shapes(which.shape, *[c.shape for c in cases])
    return x if x.shape == shape else np.full(shape, x, x.dtype)


select_n_p = SelectN("select_n", _select_n, EVERY_NUMBER, cheap=True)


def select_n(which: Any, *cases: Any) -> Array:
    """Chooses elementwise between cases.

    Args:
      which: boolean (false chooses the first case, true the second) or int32 array; integers
        outside ``[0, len(cases))`` are clamped. Shape of the cases, or 0-d.
      *cases: arrays of one shape (0-d ones are broadcast) and dtype.

    Returns:
      An array of the shape and dtype of the cases.

    Raises:
      TypeError: shapes or dtypes do not match, or there are more than two cases for a boolean
        ``which``.

    Example:
      >>> import numpy as np
      >>> from fungrad import lax
      >>> ones, tens, hundreds = np.int32([1, 2]), np.int32([10, 20]), np.int32([100, 200])
      >>> lax.select_n(np.int32([0, 2]), ones, tens, hundreds)
      Array([  1, 200], dtype=int32)
    """
    which = lift(which, "fungrad.lax.select_n: which")
    return select_n_p.bind(
        which, *lift_like("select_n", cases, [f"case {i}" for i in range(len(cases))])
    )


def select(pred: Any, on_true: Any, on_false: Any) -> Array:
    """Elementwise ``on_true`` where the boolean ``pred`` holds, else ``on_false``.

    Example:
      >>> import numpy as np
      >>> from fungrad import lax
      >>> lax.select(np.array([True, False]), np.float32([1, 2]), np.float32([3, 4]))
      Array([1., 4.], dtype=float32)
    """
    return select_n(pred, on_false, on_true)


# -- maximum, minimum, clamp ---------------------------------------------------------------------


def _share(g: Any, z: Any, x: Any, y: Any) -> Any:
    """Derivative of max or min by ``x``: 1 where it wins, 1/2 in a tie, else (NaN included) 0."""
    one, half, zero = constant(z, 1), constant(z, 0.5), constant(z, 0)
    if_winner = select_n_p.bind(eq_p.bind(y, z), one, half)
    return mul(g, select_n_p.bind(eq_p.bind(x, z), zero, if_winner))


_SHARES = (_share, lambda g, z, x, y: _share(g, z, y, x))


def _share_now(z: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """What ``_share`` multiplies the tangent with."""
    share = np.equal(x, z).astype(z.dtype)
    ties = np.equal(x, y)
    # Ties are rare.
    return share if not np.count_nonzero(ties) else np.where(ties, share / 2, share)


class Extremum(Elementwise):
    """Maximum or minimum of two operands."""

    def linearize_now(self, record: Any, primals: Sequence[Any], tangents: Sequence[Any], params: dict) -> tuple:
        z = self.bind(*primals)
        x, y, best = primals[0]._data, primals[1]._data, z._data
        terms = [
            None if g is None else record(mul_p, (g, wrap(_share_now(best, a, b), z.aval)), {})
            for g, a, b in zip(tangents, (x, y), (y, x), strict=True)
        ]
        return z, sum_of_terms(record, terms, z.aval)


max_p = Extremum(
    "max",
    np.maximum,
    EVERY_NUMBER,
    _SHARES,
    arity=2,
    cheap=True,
    commutative=True,
)
min_p = Extremum(
    "min",
    np.minimum,
    EVERY_NUMBER,
    _SHARES,
    arity=2,
    cheap=True,
    commutative=True,
)


def max(x: Any, y: Any) -> Array:
    """Elementwise maximum of operands of one dtype; NaN if either is NaN; complex numbers order lexicographically.

    The derivative is shared evenly between equal operands.

    Example:
      >>> import numpy as np
      >>> from fungrad import lax
      >>> lax.max(np.float32([-1, 2]), 0.0)
      Array([0., 2.], dtype=float32)
    """
    try:
        return max_p.bind(*lift_pair("max", x, y))
    except Exception as error:
        filter_exception(error)
        raise


def min(x: Any, y: Any) -> Array:
    """Elementwise minimum of operands of one dtype; NaN if either is NaN; complex numbers order lexicographically.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import lax
      >>> lax.min(jnp.array([1.0, 5.0]), jnp.array([3.0, 2.0]))
      Array([1., 2.], dtype=float32)
    """
    try:
        return min_p.bind(*lift_pair("min", x, y))
    except Exception as error:
        filter_exception(error)
        raise


def _clamp(low: np.ndarray, x: np.ndarray, high: np.ndarray) -> np.ndarray:
    return np.minimum(np.maximum(low, x), high)


clamp_p = Elementwise(
    "clamp",
    _clamp,
    EVERY_NUMBER,
    (
        lambda g, z, low, x, high: _where(and_(gt(low, x), lt(low, high)), g),
        lambda g, z, low, x, high: _where(and_(gt(x, low), lt(x, high)), g),
        lambda g, z, low, x, high: _where(lt(high, x), g),
    ),
    arity=3,
    cheap=True,
)


def _where(condition: Any, g: Any) -> Array:
    return select_n_p.bind(condition, constant(g, 0), g)


def clamp(min: Any, x: Any, max: Any) -> Array:
    """Elementwise ``x`` moved into ``[min, max]``; ``max`` where ``min > max``, NaN where any operand is NaN.

    Args:
      min: lower bound, 0-d or of the shape of ``x``.
      x: array.
      max: upper bound, 0-d or of the shape of ``x``.

    Raises:
      TypeError: dtypes differ, or a bound is neither 0-d nor of the shape of ``x``.

    Example:
      >>> import numpy as np
      >>> from fungrad import lax
      >>> lax.clamp(0.0, np.float32([-1, 0.5, 2]), 1.0)
      Array([0. , 0.5, 1. ], dtype=float32)
    """
    low, x, high = lift_like("clamp", (min, x, max), ("min", "x", "max"))
    for name, bound in (("min", low), ("max", high)):
        if bound.aval.shape and bound.aval.shape != x.aval.shape:
            raise TypeError(
                f"fungrad.lax.clamp: {name} must be 0-d or have the shape of x, got "
                f"{bound.aval.str_short()} for x of type {x.aval.str_short()}; broadcast it, or use fungrad.numpy.clip"
            )
    return clamp_p.bind(low, x, high)
