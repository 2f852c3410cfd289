"""Reductions other than the sum: product, maximum, minimum, the bitwise ones, and positions of
extrema.

May import ``core``, ``ops._operands``, ``ops.foundation``, ``ops.elementwise``, ``ops.compare``,
``ops.shape`` and ``ops.cumulative``.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from fungrad.core import dtypes
from fungrad.core.array import Array, wrap
from fungrad.core.avals import ShapedArray, Zero
from fungrad.core.context import AxisData, evaluate
from fungrad.core.dimensions import least_value
from fungrad.core.primitive import Primitive
from fungrad.ops._operands import check_kind, kind_of, lift, scalar_array
from fungrad.ops.compare import eq, select, select_n_p
from fungrad.ops.cumulative import cumprod, previous
from fungrad.ops.elementwise import div, div_p, mul
from fungrad.ops.foundation import (
    Dims,
    batch_reduction,
    broadcast_in_dim,
    check_axes,
    reduce_sum,
    reduce_sum_p,
    reshape,
    transpose,
)

# -- neutral elements ------------------------------------------------------------------------------


def lowest(dtype: np.dtype) -> Any:
    """The least value of ``dtype``: minus infinity, the least integer, or False."""
    kind = kind_of(dtype)
    if kind in "fc":
        info = dtypes.finfo(dtype)
        has_infinity = np.isinf(np.asarray(-np.inf, dtype).astype(np.complex64))
        return -np.inf if has_infinity else info.min
    return False if kind == "b" else dtypes.iinfo(dtype).min


def highest(dtype: np.dtype) -> Any:
    """The greatest value of ``dtype``: infinity, the greatest integer, or True."""
    kind = kind_of(dtype)
    if kind in "fc":
        info = dtypes.finfo(dtype)
        has_infinity = np.isinf(np.asarray(np.inf, dtype).astype(np.complex64))
        return np.inf if has_infinity else info.max
    return True if kind == "b" else dtypes.iinfo(dtype).max


def _all_ones(dtype: np.dtype) -> Any:
    return True if kind_of(dtype) == "b" else highest(dtype) if kind_of(dtype) == "u" else -1


def _zero(dtype: np.dtype) -> Any:
    return False if kind_of(dtype) == "b" else 0


def _one(dtype: np.dtype) -> Any:
    return True if kind_of(dtype) == "b" else 1


# What each monoid gives for no elements at all, by name.
NEUTRAL: dict[str, Callable[[np.dtype], Any]] = {
    "add": _zero,
    "mul": _one,
    "max": lowest,
    "min": highest,
    "and": _all_ones,
    "or": _zero,
    "xor": _zero,
}


# -- the primitives --------------------------------------------------------------------------------


class Reduction(Primitive):
    """Combines all elements along ``axes``, which disappear.

    Args:
      name: name of the primitive.
      ufunc: NumPy function of two elements.
      monoid: name of the combination, a key of ``NEUTRAL``.
      accepts: letters of the accepted dtype kinds.
    """

    kind = "reduction"
    quiet = True

    def __init__(self, name: str, ufunc: np.ufunc, monoid: str, accepts: str):
        super().__init__(name)
        self.ufunc = ufunc
        self.monoid = monoid
        self.accepts = accepts

    def abstract_eval(self, x: ShapedArray, *, axes: Dims) -> ShapedArray:
        check_kind(self.name, x, self.accepts)
        check_axes(self.name, x, axes)
        shape = tuple([n for d, n in enumerate(x.shape) if d not in axes])
        return ShapedArray(shape, x.dtype, x.weak_type)

    def impl(self, x: np.ndarray, *, axes: Dims) -> Any:
        if x.size:
            return _by_ufunc(self.ufunc, x, axes)
        shape = [n for d, n in enumerate(x.shape) if d not in axes]
        return np.full(shape, NEUTRAL[self.monoid](x.dtype), x.dtype)

    def specialized(self, avals: tuple[ShapedArray, ...], params: dict[str, Any]) -> Any:
        x = avals[0]
        if x.size and x.dtype.kind != "V" and type(self).impl is Reduction.impl:
            return partial(self.ufunc.reduce, axis=params["axes"])
        return super().specialized(avals, params)

    def jvp(
        self, primals: Sequence[Any], tangents: Sequence[Any], *, axes: Dims
    ) -> tuple[Any, Any]:
        y = self.bind(*primals, axes=axes)
        return y, Zero(y.aval.tangent())

    def batch(
        self, axis: AxisData, args: Sequence[Any], dims: Sequence[Any], *, axes: Dims
    ) -> tuple[Any, Any]:
        return batch_reduction(self, args[0], dims[0], axes, {})

    def lower(self, ctx: Any, x: Any, *, axes: Dims) -> Any:
        return ctx.reduce(x, self.monoid, axes)


def _by_ufunc(ufunc: np.ufunc, x: np.ndarray, axes: Dims) -> Any:
    if x.dtype.kind == "V" and kind_of(x.dtype) in "iu":
        # NumPy has no loops for the smallest integers.
        wide = np.int8 if kind_of(x.dtype) == "i" else np.uint8
        return ufunc.reduce(x.astype(wide), axis=axes).astype(x.dtype)
    return ufunc.reduce(x, axis=axes)


class ReduceExtremum(Reduction):
    """Maximum or minimum; the derivative is shared evenly among the elements that attain it."""

    def jvp(
        self, primals: Sequence[Any], tangents: Sequence[Any], *, axes: Dims
    ) -> tuple[Any, Any]:
        x, g = primals[0], tangents[0]
        y = self.bind(x, axes=axes)
        kept = tuple([d for d in range(x.aval.ndim) if d not in axes])
        attained = eq(x, broadcast_in_dim(y, x.aval.shape, kept))
        one, zero = (scalar_array(v, x.aval.dtype) for v in (1, 0))
        count = reduce_sum(select(attained, one, zero), axes)
        return y, div(reduce_sum(select(attained, g, zero), axes), count)

    def linearize_now(
        self, record: Any, primals: Sequence[Any], tangents: Sequence[Any], params: dict
    ) -> tuple[Any, Any]:
        (x,), axes = primals, params["axes"]
        y = evaluate(self, primals, params)
        shape = [1 if d in axes else n for d, n in enumerate(x.aval.shape)]
        mask = np.equal(x._data, y._data.reshape(shape))
        count = reduce_sum_p.impl(mask.astype(x.aval.dtype), axes=axes)
        attained = wrap(mask, ShapedArray(x.aval.shape, dtypes.bool_))
        zero = scalar_array(0, x.aval.dtype)
        t = record(select_n_p, (attained, zero, tangents[0]), {})
        t = record(reduce_sum_p, (t,), params)
        return y, record(div_p, (t, wrap(count, y.aval.strip_weak_type())), {})


class ReduceProd(Reduction):
    """Product; the derivative by an element is the product of the others, which is exact also for
    zeros.
    """

    def impl(self, x: np.ndarray, *, axes: Dims) -> Any:
        if x.dtype.itemsize <= 4 and kind_of(x.dtype) == "f":
            return np.multiply.reduce(x.astype(np.float64), axis=axes).astype(x.dtype)
        return np.multiply.reduce(x, axis=axes, dtype=x.dtype)

    def jvp(
        self, primals: Sequence[Any], tangents: Sequence[Any], *, axes: Dims
    ) -> tuple[Any, Any]:
        y = self.bind(*primals, axes=axes)
        x, g = (_reduced_first(v, axes) for v in (primals[0], tangents[0]))
        one = scalar_array(1, x.aval.dtype)
        before = previous(cumprod(x, 0), one, 0, reverse=False)
        after = previous(cumprod(x, 0, reverse=True), one, 0, reverse=True)
        return y, reduce_sum(mul(g, mul(before, after)), (0,))


def _reduced_first(x: Any, axes: Dims) -> Any:
    """``x`` with the dimensions ``axes`` merged into the first."""
    shape = x.aval.shape
    kept = [d for d in range(len(shape)) if d not in axes]
    merged = math.prod(shape[d] for d in axes)
    return reshape(transpose(x, (*axes, *kept)), (merged, *[shape[d] for d in kept]))


reduce_prod_p = ReduceProd("reduce_prod", np.multiply, "mul", "iufc")
reduce_max_p = ReduceExtremum("reduce_max", np.maximum, "max", "biufc")
reduce_min_p = ReduceExtremum("reduce_min", np.minimum, "min", "biufc")
reduce_and_p = Reduction("reduce_and", np.bitwise_and, "and", "biu")
reduce_or_p = Reduction("reduce_or", np.bitwise_or, "or", "biu")
reduce_xor_p = Reduction("reduce_xor", np.bitwise_xor, "xor", "biu")


def _reduction(primitive: Reduction, operand: Any, axes: Sequence[int]) -> Array:
    operand = lift(operand, f"fungrad.lax.{primitive.name}: operand")
    return primitive.bind(operand, axes=tuple([operator.index(a) for a in axes]))


def reduce_prod(operand: Any, axes: Sequence[int]) -> Array:
    """Product of ``operand`` over ``axes``, which must be non-negative; 1 for no elements.

    Example:
      >>> import numpy as np
      >>> from fungrad import lax
      >>> lax.reduce_prod(np.array([[1, 2], [3, 4]]), (1,))
      Array([ 2, 12], dtype=int32)
    """
    return _reduction(reduce_prod_p, operand, axes)


def reduce_max(operand: Any, axes: Sequence[int]) -> Array:
    """Maximum of ``operand`` over non-negative ``axes``; NaN if there is one, the least value for
    no elements.

    The derivative is shared evenly among the elements that attain the maximum.

    Example:
      >>> import numpy as np
      >>> from fungrad import lax
      >>> lax.reduce_max(np.float32([[1, 5], [3, 4]]), (0,))
      Array([3., 5.], dtype=float32)
    """
    return _reduction(reduce_max_p, operand, axes)


def reduce_min(operand: Any, axes: Sequence[int]) -> Array:
    """Minimum of ``operand`` over non-negative ``axes``; NaN if there is one, the greatest value
    for no elements.

    The derivative is shared evenly among the elements that attain the minimum.

    Example:
      >>> import numpy as np
      >>> from fungrad import lax
      >>> lax.reduce_min(np.float32([[1, 5], [3, 4]]), (0, 1))
      Array(1., dtype=float32)
    """
    return _reduction(reduce_min_p, operand, axes)


def reduce_and(operand: Any, axes: Sequence[int]) -> Array:
    """Bitwise (for booleans logical) and over non-negative ``axes``; all ones for no elements.

    Example:
      >>> import numpy as np
      >>> from fungrad import lax
      >>> lax.reduce_and(np.array([[True, True], [True, False]]), (1,))
      Array([ True, False], dtype=bool)
    """
    return _reduction(reduce_and_p, operand, axes)


def reduce_or(operand: Any, axes: Sequence[int]) -> Array:
    """Bitwise (for booleans logical) or over non-negative ``axes``; zero for no elements.

    Example:
      >>> import numpy as np
      >>> from fungrad import lax
      >>> lax.reduce_or(np.array([1, 2, 4]), (0,))
      Array(7, dtype=int32)
    """
    return _reduction(reduce_or_p, operand, axes)


def reduce_xor(operand: Any, axes: Sequence[int]) -> Array:
    """Bitwise (for booleans logical) exclusive or over non-negative ``axes``; zero for no elements.

    Example:
      >>> import numpy as np
      >>> from fungrad import lax
      >>> lax.reduce_xor(np.array([True, True, True]), (0,))
      Array(True, dtype=bool)
    """
    return _reduction(reduce_xor_p, operand, axes)


# -- positions of extrema --------------------------------------------------------------------------


class ArgReduction(Primitive):
    """First position of the maximum or minimum along one axis; a NaN counts as the extremum."""

    kind = "reduction"
    quiet = True

    def __init__(self, name: str, function: Callable[..., Any], monoid: str):
        super().__init__(name)
        self.function = function
        self.monoid = monoid

    def abstract_eval(self, x: ShapedArray, *, axes: Dims, index_dtype: np.dtype) -> ShapedArray:
        api = f"fungrad.lax.{self.name}"
        check_kind(self.name, x, "biuf")
        (axis,) = axes
        if not dtypes.is_integer(index_dtype):
            raise TypeError(f"{api}: index_dtype must be an integer dtype, got {index_dtype.name}")
        if not 0 <= axis < x.ndim:
            raise ValueError(
                f"{api}: axis must be in [0, {x.ndim}) for operand {x.str_short()}, got {axis}"
            )
        if least_value(x.shape[axis]) - 1 > dtypes.iinfo(index_dtype).max:
            raise ValueError(
                f"{api}: positions along axis {axis} of operand {x.str_short()} do not fit index_dtype "
                f"{index_dtype.name}; ask for a wider one"
            )
        if not x.shape[axis]:
            raise ValueError(
                f"{api}: axis {axis} of operand {x.str_short()} has no elements to choose from"
            )
        return ShapedArray(x.shape[:axis] + x.shape[axis + 1 :], index_dtype)

    def impl(self, x: np.ndarray, *, axes: Dims, index_dtype: np.dtype) -> Any:
        if not x.size:
            return np.zeros(x.shape[: axes[0]] + x.shape[axes[0] + 1 :], index_dtype)
        return self.function(x, axes[0]).astype(index_dtype)

    def jvp(
        self, primals: Sequence[Any], tangents: Sequence[Any], **params: Any
    ) -> tuple[Any, Any]:
        y = self.bind(*primals, **params)
        return y, Zero(y.aval.tangent())

    def batch(
        self, axis: AxisData, args: Sequence[Any], dims: Sequence[Any], *, axes: Dims, index_dtype: np.dtype
    ) -> tuple[Any, Any]:
        return batch_reduction(self, args[0], dims[0], axes, {"index_dtype": index_dtype})

    def lower(self, ctx: Any, x: Any, *, axes: Dims, index_dtype: np.dtype) -> Any:
        return ctx.arg_reduce(x, self.monoid, axes[0], index_dtype)


argmax_p = ArgReduction("argmax", np.argmax, "max")
argmin_p = ArgReduction("argmin", np.argmin, "min")


def _arg_reduction(primitive: ArgReduction, operand: Any, axis: int, index_dtype: Any) -> Array:
    operand = lift(operand, f"fungrad.lax.{primitive.name}: operand")
    dtype = dtypes.canonicalize_dtype(index_dtype, f"fungrad.lax.{primitive.name}: index_dtype")
    return primitive.bind(operand, axes=(operator.index(axis),), index_dtype=dtype)


def argmax(operand: Any, axis: int, index_dtype: Any) -> Array:
    """Position of the maximum along ``axis``: the first of equal ones, and the first NaN if there
    is one.

    Args:
      operand: array of a boolean, integer or real floating dtype.
      axis: non-negative dimension, of size at least 1.
      index_dtype: integer dtype of the result.

    Returns:
      An array of the operand's shape without ``axis``.

    Raises:
      TypeError: the operand is complex, or ``index_dtype`` not an integer dtype.
      ValueError: there is no such axis, or it has size 0.

    Example:
      >>> import numpy as np
      >>> from fungrad import lax
      >>> lax.argmax(np.float32([[1, 5, 5], [7, 4, 2]]), 1, 'int32')
      Array([1, 0], dtype=int32)
    """
    return _arg_reduction(argmax_p, operand, axis, index_dtype)


def argmin(operand: Any, axis: int, index_dtype: Any) -> Array:
    """Position of the minimum along ``axis``: the first of equal ones, and the first NaN if there
    is one.

    See ``argmax`` for arguments and errors.

    Example:
      >>> import numpy as np
      >>> from fungrad import lax
      >>> lax.argmin(np.float32([[1, 5, 5], [7, 4, 2]]), 0, 'int32')
      Array([0, 1, 1], dtype=int32)
    """
    return _arg_reduction(argmin_p, operand, axis, index_dtype)
