"""Reductions: sums, products, extremes, means, variances, truth, positions of extremes, and running sums.

May import ``core``, ``ops``, ``numpy._promotion`` and the modules of ``numpy`` before it.
"""

from __future__ import annotations

import builtins
import math
import operator
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from fungrad.core import dtypes
from fungrad.core.array import Array, ArrayImpl, wrap, wrap_unchecked
from fungrad.core.avals import ShapedArray
from fungrad.core.context import EVAL, state
from fungrad.core.dimensions import is_symbolic
from fungrad.numpy import ufuncs
from fungrad.numpy._promotion import (
    ScalarRangeError,
    cast,
    converted,
    inexact_dtype,
    operand,
    promote_dtypes_inexact,
    raw_operand,
    requested_dtype,
)
from fungrad.numpy.creation import broadcast_to
from fungrad.numpy.manipulation import axes_tuple, no_out, ravel
from fungrad.numpy.selection import where as choose
from fungrad.ops import cumulative, elementwise as lax, foundation, reduce, shape as shape_ops
from fungrad.ops._operands import scalar_array
from fungrad.ops.cast import full_like
from fungrad.ops.compare import max_p, min_p, ne
from fungrad.ops.complex_parts import complex as make_complex
from fungrad.ops.shape import canonical_axis

Axis = int | Sequence[int] | None


def reduction_axes(api: str, axis: Axis, ndim: int) -> tuple[int, ...]:
    """The axes of a reduction: None means all."""
    if axis is None:
        return tuple(range(ndim))
    if type(axis) is int and -ndim <= axis < ndim:
        return (axis + ndim if axis < 0 else axis,)
    if type(axis) is tuple and axis == tuple(range(ndim)):
        return axis
    return tuple(sorted(axes_tuple(api, axis, ndim)))


def restore_dims(out: Array, axes: tuple[int, ...]) -> Array:
    """The result of a reduction with the reduced axes, which are sorted, put back with size 1."""
    if not axes:
        return out
    shape, kept = _restored(out.aval.shape, axes)
    return foundation.broadcast_in_dim_p.bind(out, shape=shape, broadcast_dimensions=kept)


@lru_cache(maxsize=1024)
def _restored(shape: tuple[int, ...], axes: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """A shape with dimensions of size 1 at ``axes``, and the places of the others."""
    sizes = iter(shape)
    restored = tuple([1 if d in axes else next(sizes) for d in range(len(shape) + len(axes))])
    return restored, tuple([d for d in range(len(restored)) if d not in axes])


def wide_integer(dtype: np.dtype) -> np.dtype:
    """The dtype in which booleans and small integers are added: the default width of their kind."""
    if dtypes.is_bool(dtype):
        return dtypes.default_int()
    if dtypes.is_integer(dtype):
        default = dtypes.default_uint() if dtypes.is_unsigned(dtype) else dtypes.default_int()
        return default if dtypes.itemsize_bits(dtype) < 8 * default.itemsize else dtype
    return dtype


def _is_half(dtype: np.dtype) -> bool:
    return dtypes.is_float(dtype) and dtype.itemsize <= 2


def _masked(api: str, a: Array, where: Any, neutral: Any) -> Array:
    """``a`` with a neutral value where the mask does not hold; broadcasts to the mask."""
    if where is None:
        return a
    fill = scalar_array(neutral, a.aval.dtype, a.aval.weak_type)
    return choose(_mask(where, api), a, fill)


def _mask(where: Any, api: str) -> Array:
    """The argument ``where``.

    Raises:
      ValueError: it is not boolean.
    """
    mask = operand(where, api, "where")
    if not dtypes.is_bool(mask.aval.dtype):
        raise ValueError(
            f"fungrad.numpy.{api}: where must be None or a boolean array, got {mask.aval.str_short()}; compare with "
            "`!= 0`"
        )
    return mask


def _arithmetic_reduction(
    api: str, lax_reduce: Callable, combine: Callable, neutral: int, a: Any, axis: Axis, dtype: Any, out: Any,
    keepdims: bool,
    initial: Any, where: Any, promote_integers: bool,
) -> Array:  # fmt: skip
    """A sum or product."""
    no_out(api, out)
    a = operand(a, api, "a")
    found = requested_dtype(dtype, api)
    result = found if found is not None else wide_integer(a.aval.dtype)
    if found is None and not promote_integers and not dtypes.is_bool(a.aval.dtype):
        result = a.aval.dtype
    compute = dtypes.float32 if _is_half(result) else result
    if dtypes.is_complex(a.aval.dtype) and not dtypes.is_complex(compute):
        a = ufuncs.real(a)
    if dtypes.is_bool(compute):
        compute = dtypes.default_int()
    axes = reduction_axes(api, axis, a.aval.ndim)
    if found is None and dtypes.is_bool(a.aval.dtype):
        count = math.prod([a.aval.shape[d] for d in axes])
        if not promote_integers and count < 2**31:
            result = compute = dtypes.int32
        elif where is None:
            # As many bits as the number of elements needs.
            result = compute = dtypes.position_dtype(count + 1)
    pieces = _sum_by_pieces(a, compute, axes) if where is None and neutral == 0 else None
    if pieces is None:
        a = _masked(api, cast(a, compute), where, neutral)
        axes = reduction_axes(api, axis, a.aval.ndim)
        pieces = lax_reduce(a, axes)
    y = pieces
    if initial is not None:
        y = combine(_scalar(initial, compute, api), y)
    y = restore_dims(y, axes) if keepdims else y
    return y if y.aval.dtype == result else ne(y, 0) if dtypes.is_bool(result) else cast(y, result)


_PIECE = 2**18


def _sum_by_pieces(a: Array, dtype: np.dtype, axes: tuple[int, ...]) -> Array | None:
    """The sum of a large concrete array in another dtype, in which the array is never written out; None for others."""
    own = a.aval.dtype
    if a.aval.placement is not None:
        return None
    if own is dtype or type(a) is not ArrayImpl or a.aval.size < 4 * _PIECE or state.trace is not EVAL or not axes:
        return None
    kept = tuple([n for d, n in enumerate(a.aval.shape) if d not in axes])
    if own.kind in "biu" and dtype.kind in "iu":
        return wrap(np.add.reduce(a._data, axis=axes, dtype=dtype), ShapedArray(kept, dtype))
    if kept or not a._data.flags.c_contiguous:
        return None
    flat = a._data.reshape(-1)
    parts = [flat[i : i + _PIECE] for i in range(0, flat.size, _PIECE)]
    arrays = (cast(wrap_unchecked(p, ShapedArray(p.shape, own)), dtype) for p in parts)
    sums = np.array([foundation.reduce_sum(x, (0,))._data for x in arrays], dtype)  # type: ignore[attr-defined]
    return foundation.reduce_sum(wrap(sums, ShapedArray(sums.shape, dtype)), (0,))


def _scalar(initial: Any, dtype: np.dtype, api: str) -> Array:
    x = converted(initial, dtype, api, "initial")
    if x.aval.shape:
        raise ValueError(f"fungrad.numpy.{api}: initial must be a scalar, got {x.aval.str_short()}")
    return x


def sum(
    a: Any, axis: Axis = None, dtype: Any = None, out: None = None, keepdims: bool = False, initial: Any = None,
    where: Any = None, promote_integers: bool = True,
) -> Array:  # fmt: skip
    """Sum over axes.

    Args:
      a: array.
      axis: axis or axes to sum over, by default all.
      dtype: dtype of the sum; by default that of ``a``, of default width for booleans and small integers.
      out: must be None.
      keepdims: keep the axes with size 1.
      initial: scalar to start with.
      where: mask of the elements to add.
      promote_integers: widen small integers.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.sum(jnp.ones((2, 3)), axis=1)
      Array([3., 3.], dtype=float32)
    """
    if isinstance(a, Array) and dtype is None and out is None and initial is None and where is None:
        aval = a.aval
        if aval.inexact and aval.dtype.itemsize > 2 and not aval.weak_type:
            # The commonest case: nothing is converted.
            axes = reduction_axes("sum", axis, aval.ndim)
            y = foundation.reduce_sum_p.bind(a, axes=axes) if axes else a
            return restore_dims(y, axes) if keepdims else y
    return _arithmetic_reduction(
        "sum", foundation.reduce_sum, lax.add, 0, a, axis, dtype, out, keepdims, initial, where, promote_integers
    )


def prod(
    a: Any, axis: Axis = None, dtype: Any = None, out: None = None, keepdims: bool = False, initial: Any = None,
    where: Any = None, promote_integers: bool = True,
) -> Array:  # fmt: skip
    """Product over axes; see ``sum`` for the arguments.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.prod(jnp.array([2, 3, 4]))
      Array(24, dtype=int32)
    """
    return _arithmetic_reduction(
        "prod", reduce.reduce_prod, lax.mul, 1, a, axis, dtype, out, keepdims, initial, where, promote_integers
    )


def _extreme(
    api: str, lax_reduce: Callable, primitive: Any, worst: Callable, a: Any, axis: Axis, out: Any, keepdims: bool,
    initial: Any,
    where: Any,
) -> Array:  # fmt: skip
    no_out(api, out)
    a = operand(a, api, "a")
    if where is not None and initial is None:
        raise ValueError(f"fungrad.numpy.{api}: a mask `where` needs `initial`, the result where nothing is selected")
    a = cast(a, a.aval.dtype)  # strong
    if where is not None:
        a = _masked(api, a, where, worst(a.aval.dtype))
    axes = reduction_axes(api, axis, a.aval.ndim)
    if initial is None and not a.aval.size and builtins.any(a.aval.shape[d] == 0 for d in axes):
        raise ValueError(
            f"fungrad.numpy.{api}: the {api} of no elements is not defined: {a.aval.str_short()} is empty along axis "
            f"{axis}; "
            "give `initial`"
        )
    y = _complex_extreme(lax_reduce, a, axes) if dtypes.is_complex(a.aval.dtype) else lax_reduce(a, axes)
    if initial is not None:
        # Where no element takes part, `initial` is the result.
        alone = where is None and not a.aval.size
        y = primitive.bind(_extreme_start(api, initial, a.aval.dtype, primitive is max_p, alone), y)
    return restore_dims(y, axes) if keepdims else y


def _extreme_start(api: str, initial: Any, dtype: np.dtype, largest: bool, alone: bool) -> Array:
    """``initial`` of a maximum (``largest``) or minimum of elements of ``dtype``; integers by value, not by residue.

    An integer beyond the dtype on the side that never wins counts as the nearest that the dtype has, which wins no more
    often. On the other side it would be the result: arrays, whose values a traced function does not know, count as the
    nearest there too.

    Args:
      alone: there is nothing but ``initial``.

    Raises:
      ScalarRangeError: a number does not fit the dtype and is the result.
    """
    if isinstance(initial, np.integer) or (isinstance(initial, np.ndarray) and initial.dtype.kind in "iu"):
        initial = initial.item() if not initial.shape else initial
    if isinstance(initial, Array) and initial.aval.dtype.kind in "iu" and dtype.kind in "iu":
        own, info = dtypes.iinfo(initial.aval.dtype), dtypes.iinfo(dtype)
        if own.min < info.min:
            initial = max_p.bind(initial, scalar_array(int(info.min), initial.aval.dtype, initial.aval.weak_type))
        if own.max > info.max:
            initial = min_p.bind(initial, scalar_array(int(info.max), initial.aval.dtype, initial.aval.weak_type))
    try:
        return _scalar(initial, dtype, api)
    except ScalarRangeError as error:
        if alone or largest == (error.value > 0):
            raise
        info = dtypes.iinfo(dtype)
        return scalar_array(int(info.min if largest else info.max), dtype)


def _complex_extreme(lax_reduce: Callable, a: Array, axes: tuple[int, ...]) -> Array:
    """The extreme of complex numbers in lexicographic order: of the real parts, then of the imaginary parts."""
    largest = lax_reduce is reduce.reduce_max
    re, im = ufuncs.real(a), ufuncs.imag(a)
    best = lax_reduce(re, axes)
    among = ufuncs.equal(re, restore_dims(best, axes))
    limit = float("-inf") if largest else float("inf")
    best_im = lax_reduce(choose(among, im, cast(operand(limit, "max", "limit"), im.aval.dtype)), axes)
    nan = reduce.reduce_or(ufuncs.isnan(a), axes)
    found = make_complex(best, best_im)
    return choose(nan, complex(float("nan"), float("nan")), found)


def max(
    a: Any, axis: Axis = None, out: None = None, keepdims: bool = False, initial: Any = None, where: Any = None
) -> Array:
    """Largest element over axes; NaN if there is one.

    Args:
      a: array.
      axis: axis or axes, by default all.
      out: must be None.
      keepdims: keep the axes with size 1.
      initial: scalar that takes part; needed for empty arrays and with ``where``. An integer less than all numbers
        of the dtype of ``a`` counts as the least of them.
      where: mask of the elements that take part.

    Raises:
      ValueError: there are no elements.
      OverflowError: an integer ``initial`` does not fit the dtype of ``a`` and may be the result.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.max(jnp.array([[1, 4], [3, 2]]), axis=0)
      Array([3, 4], dtype=int32)
    """
    return _extreme("max", reduce.reduce_max, max_p, reduce.lowest, a, axis, out, keepdims, initial, where)


def min(
    a: Any, axis: Axis = None, out: None = None, keepdims: bool = False, initial: Any = None, where: Any = None
) -> Array:
    """Smallest element over axes; NaN if there is one. See ``max`` for the arguments.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.min(jnp.array([[1, 4], [3, 2]]), axis=0)
      Array([1, 2], dtype=int32)
    """
    return _extreme("min", reduce.reduce_min, min_p, reduce.highest, a, axis, out, keepdims, initial, where)


amax, amin = max, min


def ptp(a: Any, axis: Axis = None, out: None = None, keepdims: bool = False) -> Array:
    """Difference between the largest and the smallest element over axes.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.ptp(jnp.array([3, 9, 4]))
      Array(6, dtype=int32)
    """
    no_out("ptp", out)
    return ufuncs.subtract(max(a, axis, keepdims=keepdims), min(a, axis, keepdims=keepdims))


def _truth_reduction(
    api: str, lax_reduce: Callable, neutral: bool, a: Any, axis: Axis, out: Any, keepdims: bool, where: Any
) -> Array:
    no_out(api, out)
    mask = _masked(api, cast(ufuncs.truth(a, api), dtypes.bool_), where, neutral)
    axes = reduction_axes(api, axis, mask.aval.ndim)
    y = lax_reduce(mask, axes)
    return restore_dims(y, axes) if keepdims else y


def all(a: Any, axis: Axis = None, out: None = None, keepdims: bool = False, *, where: Any = None) -> Array:
    """Whether all elements over axes are true (not zero).

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.all(jnp.array([[True, False], [True, True]]), axis=1)
      Array([False,  True], dtype=bool)
    """
    return _truth_reduction("all", reduce.reduce_and, True, a, axis, out, keepdims, where)


def any(a: Any, axis: Axis = None, out: None = None, keepdims: bool = False, *, where: Any = None) -> Array:
    """Whether an element over axes is true (not zero).

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.any(jnp.array([[0, 1], [0, 0]]), axis=1)
      Array([ True, False], dtype=bool)
    """
    return _truth_reduction("any", reduce.reduce_or, False, a, axis, out, keepdims, where)


def count_nonzero(a: Any, axis: Axis = None, keepdims: bool = False) -> Array:
    """Number of elements over axes that are not zero.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.count_nonzero(jnp.array([[0, 1], [2, 3]]), axis=1)
      Array([1, 2], dtype=int32)
    """
    return sum(ufuncs.truth(a, "count_nonzero"), axis, keepdims=keepdims)


# -- mean and variance -------------------------------------------------------------------------------------------------


def _count(a: Array, axes: Sequence[int], where: Any, dtype: np.dtype, keepdims: bool) -> Any:
    """Number of elements that take part: a Python number, or an array with a mask."""
    if where is None:
        return math.prod(a.aval.shape[d] for d in axes)
    mask = broadcast_to(_mask(where, "mean"), a.aval.shape)
    return sum(mask, tuple(axes), dtype, keepdims=keepdims)


def _float_request(api: str, a: Array, dtype: Any) -> tuple[np.dtype, np.dtype]:
    """Dtypes of the result and of the computation of a mean."""
    found = requested_dtype(dtype, api)
    result = inexact_dtype(a.aval.dtype) if found is None else found
    computed = inexact_dtype(result)
    return result, dtypes.float32 if _is_half(computed) else computed


def mean(
    a: Any, axis: Axis = None, dtype: Any = None, out: None = None, keepdims: bool = False, *, where: Any = None
) -> Array:
    """Mean over axes.

    Args:
      a: array; integers are converted to the default floating dtype.
      axis: axis or axes, by default all.
      dtype: dtype of the result.
      out: must be None.
      keepdims: keep the axes with size 1.
      where: mask of the elements that take part.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.mean(jnp.arange(4))
      Array(1.5, dtype=float32)
    """
    no_out("mean", out)
    a = operand(a, "mean", "a")
    if dtype is None and where is None and a.aval.inexact and a.aval.dtype.itemsize > 2:
        # The commonest case: nothing is converted but what is weak.
        axes = reduction_axes("mean", axis, a.aval.ndim)
        return ufuncs.true_divide(sum(a, axes, keepdims=keepdims), math.prod([a.aval.shape[d] for d in axes]))
    result, compute = _float_request("mean", a, dtype)
    axes = reduction_axes("mean", axis, a.aval.ndim)
    total = sum(a, axes, compute, keepdims=keepdims, where=where)
    return cast(ufuncs.true_divide(total, _count(a, axes, where, compute, keepdims)), result)


def var(
    a: Any, axis: Axis = None, dtype: Any = None, out: None = None, ddof: int = 0, keepdims: bool = False, *,
    where: Any = None, mean: Any = None, correction: float | None = None,
) -> Array:  # fmt: skip
    """Variance over axes: the mean of the squared distances from the mean.

    Args:
      a: array; the variance of complex numbers is real.
      axis: axis or axes, by default all.
      dtype: dtype of the result.
      out: must be None.
      ddof: subtracted from the number of elements in the denominator.
      keepdims: keep the axes with size 1.
      where: mask of the elements that take part.
      mean: the mean over the same axes, with these kept, if known.
      correction: another name of ``ddof``.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.var(jnp.arange(3.0), ddof=1)
      Array(1., dtype=float32)
    """
    no_out("var", out)
    a = operand(a, "var", "a")
    if correction is not None:
        if ddof:
            raise ValueError("fungrad.numpy.var: ddof and correction are the same; give one of them")
        ddof = correction  # type: ignore[assignment]
    found = requested_dtype(dtype, "var")
    if found is not None and dtypes.is_complex(a.aval.dtype) and not dtypes.is_complex(found):
        raise ValueError(
            f"fungrad.numpy.var: dtype {found.name} cannot hold the mean of {a.aval.str_short()}; use a complex dtype"
        )
    natural = inexact_dtype(a.aval.dtype)
    compute = natural if found is None else dtypes.requested_result_type(natural, inexact_dtype(found))
    compute = dtypes.float32 if _is_half(compute) else compute
    result = dtypes.to_real_dtype(natural) if found is None else found
    a = cast(a, compute)
    axes = reduction_axes("var", axis, a.aval.ndim)
    center = _mean_of(a, axes, where) if mean is None else converted(mean, compute, "var", "mean")
    apart = ufuncs.subtract(a, center)
    square = ufuncs.square(ufuncs.absolute(apart)) if dtypes.is_complex(compute) else lax.square(apart)
    real = dtypes.to_real_dtype(compute)
    count = _count(a, axes, where, real, keepdims)
    total = sum(square, axes, real, keepdims=keepdims, where=where)
    if where is None and isinstance(ddof, (int, float)) and not is_symbolic(count):
        known = float(count - ddof)
        variance = lax.div(total, known) if known > 0 else full_like(total, float("nan"))
    else:
        left = ufuncs.subtract(cast(operand(count, "var", "count"), real), ddof)
        variance = choose(ufuncs.greater(left, 0), ufuncs.true_divide(total, left), float("nan"))
    return cast(variance, result)


def _mean_of(a: Array, axes: tuple[int, ...], where: Any) -> Array:
    return mean(a, axes, keepdims=True, where=where)


def std(
    a: Any, axis: Axis = None, dtype: Any = None, out: None = None, ddof: int = 0, keepdims: bool = False, *,
    where: Any = None, mean: Any = None, correction: float | None = None,
) -> Array:  # fmt: skip
    """Standard deviation over axes: the square root of the variance. See ``var`` for the arguments.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.std(jnp.array([1.0, 3.0]))
      Array(1., dtype=float32)
    """
    found = requested_dtype(dtype, "std")
    if found is not None and not dtypes.is_inexact(found):
        raise ValueError(f"fungrad.numpy.std: dtype must be inexact, got {found.name}")
    return ufuncs.sqrt(var(a, axis, dtype, out, ddof, keepdims, where=where, mean=mean, correction=correction))


def average(a: Any, axis: Axis = None, weights: Any = None, returned: bool = False, keepdims: bool = False) -> Any:
    """Weighted mean over axes.

    Args:
      a: array.
      axis: axis or axes, by default all.
      weights: array of the shape of ``a``, or of its shape along ``axis``; by default all are equal.
      returned: return also the sums of weights.
      keepdims: keep the axes with size 1.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.average(jnp.array([1.0, 2.0]), weights=jnp.array([3.0, 1.0]))
      Array(1.25, dtype=float32)
    """
    a = operand(a, "average", "a")
    axes = reduction_axes("average", axis, a.aval.ndim)
    if weights is None:
        out = mean(a, axes, keepdims=keepdims)
        total: Any = full_like(out, _count(a, axes, None, out.aval.dtype, keepdims))
    else:
        a, w = promote_dtypes_inexact("average", a, raw_operand(weights, "average", "weights"))
        if w.aval.shape != a.aval.shape:
            w = aligned_weights("average", a, w, axis)
        total = sum(w, axes, keepdims=keepdims)
        out = ufuncs.true_divide(sum(ufuncs.multiply(a, w), axes, keepdims=keepdims), total)
    return (out, broadcast_to(total, out.aval.shape)) if returned else out


def aligned_weights(api: str, a: Array, w: Array, axis: Axis) -> Array:
    """Weights along some axes of ``a``, made to broadcast against it."""
    if axis is None:
        raise TypeError(
            f"fungrad.numpy.{api}: axis is needed when weights of shape {w.aval.shape} differ in shape from a "
            f"{a.aval.shape}"
        )
    axes = axes_tuple(api, axis, a.aval.ndim)
    if w.aval.shape != tuple(a.aval.shape[d] for d in axes):
        raise ValueError(
            f"fungrad.numpy.{api}: weights must have the shape {tuple(a.aval.shape[d] for d in axes)} of a along "
            f"axis {axis}, got {w.aval.shape}"
        )
    order = sorted(range(len(axes)), key=lambda i: axes[i])
    return foundation.broadcast_in_dim(foundation.transpose(w, order), a.aval.shape, tuple(sorted(axes)))


# -- positions of extremes ---------------------------------------------------------------------------------------------


def _arg_extreme(api: str, lax_arg: Callable, a: Any, axis: int | None, out: Any, keepdims: bool | None) -> Array:
    no_out(api, out)
    a = operand(a, api, "a")
    rank = a.aval.ndim
    if axis is None:
        a, axis = ravel(a), 0
        restored: tuple[int, ...] = tuple(range(rank))
    else:
        axis = canonical_axis(f"fungrad.numpy.{api}", operator.index(axis), rank)
        restored = (axis,)
    if a.aval.shape[axis] == 0:
        raise ValueError(f"fungrad.numpy.{api}: there is no element along axis {axis} of {a.aval.str_short()}")
    if dtypes.is_complex(a.aval.dtype):
        raise TypeError(
            f"fungrad.numpy.{api}: complex numbers have no order, got {a.aval.str_short()}; compare abs or real parts"
        )
    y = lax_arg(a, axis, dtypes.position_dtype(a.aval.shape[axis]))
    return restore_dims(y, restored) if keepdims else y


def argmax(a: Any, axis: int | None = None, out: None = None, keepdims: bool | None = None) -> Array:
    """Position of the first largest element along an axis, or in the flattened array; a NaN is largest.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.argmax(jnp.array([3, 7, 7]))
      Array(1, dtype=int32)
    """
    return _arg_extreme("argmax", reduce.argmax, a, axis, out, keepdims)


def argmin(a: Any, axis: int | None = None, out: None = None, keepdims: bool | None = None) -> Array:
    """Position of the first smallest element along an axis, or in the flattened array; a NaN is smallest.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.argmin(jnp.array([3, 1, 1]))
      Array(1, dtype=int32)
    """
    return _arg_extreme("argmin", reduce.argmin, a, axis, out, keepdims)


# -- running sums and products -----------------------------------------------------------------------------------------


def _running(api: str, lax_running: Callable, a: Any, axis: int | None, dtype: Any, out: Any) -> Array:
    no_out(api, out)
    a = operand(a, api, "a")
    if axis is None or a.aval.ndim == 0:
        if axis is not None:
            canonical_axis(f"fungrad.numpy.{api}", axis, 1)
        a, axis = ravel(a), 0
    axis = canonical_axis(f"fungrad.numpy.{api}", operator.index(axis), a.aval.ndim)
    found = requested_dtype(dtype, api)
    result = a.aval.dtype if found is None else found
    if dtypes.is_bool(a.aval.dtype) and (found is None or dtypes.is_bool(found)):
        a = cast(a, dtypes.default_int())
        result = dtypes.default_int() if found is None else result
    elif dtypes.is_bool(result):
        a = cast(ufuncs.truth(a, api), dtypes.default_int())
    else:  # strong, too
        a = cast(a, result)
    y = lax_running(a, axis)
    return ne(y, 0) if dtypes.is_bool(result) else y


def cumsum(a: Any, axis: int | None = None, dtype: Any = None, out: None = None) -> Array:
    """Running sum along an axis, or of the flattened array.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.cumsum(jnp.array([1, 2, 3]))
      Array([1, 3, 6], dtype=int32)
    """
    return _running("cumsum", cumulative.cumsum, a, axis, dtype, out)


def cumprod(a: Any, axis: int | None = None, dtype: Any = None, out: None = None) -> Array:
    """Running product along an axis, or of the flattened array.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.cumprod(jnp.array([1, 2, 3]))
      Array([1, 2, 6], dtype=int32)
    """
    return _running("cumprod", cumulative.cumprod, a, axis, dtype, out)


def _cumulative(
    api: str, running: Callable, first: int, x: Any, axis: int | None, dtype: Any, include_initial: bool
) -> Array:
    x = operand(x, api, "x")
    if x.aval.ndim == 0:
        raise ValueError(f"fungrad.numpy.{api}: x must have at least one dimension, got a scalar")
    if axis is None:
        if x.aval.ndim > 1:
            raise ValueError(f"fungrad.numpy.{api}: axis is needed for an array of {x.aval.ndim} dimensions")
        axis = 0
    axis = canonical_axis(f"fungrad.numpy.{api}", axis, x.aval.ndim)
    wide = wide_integer(x.aval.dtype) if dtype is None else dtype
    out = running(x, axis, wide)
    if not include_initial:
        return out
    config = [(0, 0, 0)] * out.aval.ndim
    config[axis] = (1, 0, 0)
    return shape_ops.pad(out, scalar_array(first, out.aval.dtype), config)


def cumulative_sum(x: Any, /, *, axis: int | None = None, dtype: Any = None, include_initial: bool = False) -> Array:
    """Running sum along an axis, with a leading 0 if wished.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.cumulative_sum(jnp.array([1, 2, 3]), include_initial=True)
      Array([0, 1, 3, 6], dtype=int32)
    """
    return _cumulative("cumulative_sum", cumsum, 0, x, axis, dtype, include_initial)


def cumulative_prod(x: Any, /, *, axis: int | None = None, dtype: Any = None, include_initial: bool = False) -> Array:
    """Running product along an axis, with a leading 1 if wished.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.cumulative_prod(jnp.array([1, 2, 3]), include_initial=True)
      Array([1, 1, 2, 6], dtype=int32)
    """
    return _cumulative("cumulative_prod", cumprod, 1, x, axis, dtype, include_initial)
