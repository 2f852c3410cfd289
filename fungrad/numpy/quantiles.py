"""Medians, quantiles and percentiles.

May import ``core``, ``ops``, ``numpy._promotion`` and the modules of ``numpy`` before it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from fungrad.core import dtypes
from fungrad.core.array import Array
from fungrad.numpy import creation, division, reductions, ufuncs
from fungrad.numpy._promotion import (
    cast,
    converted,
    inexact,
    inexact_result_type,
    operand,
    promote_dtypes_inexact,
    raw_operand,
)
from fungrad.numpy.manipulation import expand_dims, moveaxis, no_out, ravel
from fungrad.numpy.reductions import Axis, aligned_weights, cumsum, reduction_axes, restore_dims
from fungrad.numpy.selection import clip, where as choose
from fungrad.ops import foundation, shape as shape_ops, sort as lax_sort
from fungrad.ops.resharding import at_sharding
from fungrad.ops.sort import take_along

_METHODS = (
    "linear", "lower", "higher", "midpoint", "nearest", "inverted_cdf", "averaged_inverted_cdf", "closest_observation",
    "interpolated_inverted_cdf", "hazen", "weibull", "median_unbiased", "normal_unbiased",
)  # fmt: skip

# Position of quantile q among n sorted elements, counted from 0, by (alpha, beta) of Hyndman and Fan,
# "Sample quantiles in statistical packages", 1996: q (n + 1 - alpha - beta) + alpha - 1.
_ALPHA_BETA = {
    "interpolated_inverted_cdf": (0.0, 1.0),
    "hazen": (0.5, 0.5),
    "weibull": (0.0, 0.0),
    "linear": (1.0, 1.0),
    "median_unbiased": (1 / 3, 1 / 3),
    "normal_unbiased": (3 / 8, 3 / 8),
}


def _position(q: Array, n: Array, method: str) -> Array:
    """The (fractional) position of a quantile among ``n`` sorted elements."""
    mul, add, sub = ufuncs.multiply, ufuncs.add, ufuncs.subtract
    if method in _ALPHA_BETA and method != "linear":
        alpha, beta = _ALPHA_BETA[method]
        return add(mul(q, add(n, 1 - alpha - beta)), alpha - 1)
    if method in ("inverted_cdf", "averaged_inverted_cdf"):
        return sub(mul(q, n), 1)
    if method == "closest_observation":
        return sub(mul(q, n), 1.5)
    return mul(q, sub(n, 1))


def _weighted(low: Array, high: Array, position: Array, floor: Array, method: str) -> Array:
    """The quantile from the elements below and above its position."""
    part = ufuncs.subtract(position, floor)
    if method == "lower":
        return low
    if method == "higher":
        return high
    if method == "midpoint":
        return ufuncs.multiply(ufuncs.add(low, high), 0.5)
    if method == "nearest":
        # Halves go to the even position.
        even = ufuncs.equal(division.remainder(floor, 2), 0)
        up = ufuncs.logical_or(
            ufuncs.greater(part, 0.5), ufuncs.logical_and(ufuncs.equal(part, 0.5), ufuncs.logical_not(even))
        )
        return choose(up, high, low)
    if method == "inverted_cdf":
        return choose(ufuncs.greater(part, 0), high, low)
    if method == "averaged_inverted_cdf":
        return choose(ufuncs.greater(part, 0), high, ufuncs.multiply(ufuncs.add(low, high), 0.5))
    if method == "closest_observation":
        odd = ufuncs.equal(division.remainder(floor, 2), 1)
        return choose(ufuncs.logical_and(ufuncs.equal(part, 0), odd), low, high)
    return ufuncs.add(ufuncs.multiply(low, ufuncs.subtract(1, part)), ufuncs.multiply(high, part))


def _quantile(
    api: str, a: Any, q: Any, axis: Axis, method: str, keepdims: bool, skip_nan: bool, weights: Any = None
) -> Array:
    if method not in _METHODS:
        raise ValueError(f"fungrad.numpy.{api}: method must be one of {', '.join(_METHODS)}, got {method!r}")
    (a,) = promote_dtypes_inexact(api, operand(a, api, "a"))
    w = None if weights is None else operand(weights, api, "weights")
    if w is not None:
        _check_weights(api, w, method)
        a, w = promote_dtypes_inexact(api, a, w)
        if w.aval.shape != a.aval.shape:
            w = aligned_weights(api, a, w, axis)
    if dtypes.is_complex(a.aval.dtype):
        raise TypeError(f"fungrad.numpy.{api}: complex numbers have no order, got {a.aval.str_short()}")
    result = a.aval.dtype
    # Positions need more bits than half-precision numbers have.
    compute = dtypes.float32 if result.itemsize < 4 else result
    a, q = cast(a, compute), converted(q, compute, api, "q")
    if q.aval.ndim > 1:
        raise ValueError(f"fungrad.numpy.{api}: q must be a number or a vector, got {q.aval.str_short()}")
    axes = reduction_axes(api, axis, a.aval.ndim)
    rows = _rows(a, axes)
    last = rows.aval.ndim - 1
    size = rows.aval.shape[last]
    if size == 0:
        raise ValueError(f"fungrad.numpy.{api}: there are no elements along axis {axis} of {a.aval.str_short()}")
    if w is None:
        found = _of_rows(rows, q, method, skip_nan)
    else:
        found = _of_weighted_rows(rows, _rows(cast(w, compute), axes), q, skip_nan)
    # The quantiles come first.
    out = moveaxis(found, -1, 0) if q.aval.ndim else shape_ops.squeeze(found, (last,))
    if keepdims:
        out = restore_dims(out, tuple(d + q.aval.ndim for d in axes))
    return cast(out, result)


def _check_weights(api: str, weights: Array, method: str) -> None:
    if method != "inverted_cdf":
        raise NotImplementedError(
            f"fungrad.numpy.{api}: method {method!r} has no weights; with weights, method must be 'inverted_cdf'"
        )
    if dtypes.is_complex(weights.aval.dtype):
        raise ValueError(f"fungrad.numpy.{api}: weights must be real, got {weights.aval.str_short()}")


def _rows(x: Array, axes: tuple[int, ...]) -> Array:
    """``x`` with ``axes`` as its last axis."""
    kept = [d for d in range(x.aval.ndim) if d not in axes]
    rows = foundation.transpose(x, [*kept, *axes])
    return foundation.reshape(rows, [*(x.aval.shape[d] for d in kept), math.prod(x.aval.shape[d] for d in axes)])


def _of_weighted_rows(rows: Array, weights: Array, q: Array, skip_nan: bool) -> Array:
    """The smallest elements of the last axis up to which the weights are at least ``q`` of their sum."""
    last = rows.aval.ndim - 1
    size = rows.aval.shape[last]
    nan = ufuncs.isnan(rows)
    bad = reductions.any(ufuncs.logical_or(ufuncs.less(weights, 0), ufuncs.isnan(weights)), last, keepdims=True)
    none = reductions.all(nan, last, keepdims=True) if skip_nan else reductions.any(nan, last, keepdims=True)
    weights = choose(nan, creation.zeros_like(weights), weights)
    ordered, weights = lax_sort.sort((rows, weights), last, num_keys=1)
    upto = cumsum(weights, last)
    total = shape_ops.slice_in_dim(upto, size - 1, size, axis=last)
    shape = (*rows.aval.shape[:-1], q.aval.size)
    wanted = foundation.broadcast(ravel(q), shape)
    target = ufuncs.multiply(wanted, foundation.broadcast(total, shape))
    # How many elements are before the quantile; those with NaN are the last ones.
    fewer = ufuncs.less(expand_dims(upto, -2), expand_dims(target, -1))
    place = reductions.sum(fewer, -1, dtypes.position_dtype(size))
    real = reductions.sum(ufuncs.logical_not(nan), last, place.aval.dtype, keepdims=True) if skip_nan else size
    top = ufuncs.subtract(real, 1)
    top = top if isinstance(top, Array) and not top.aval.ndim else foundation.broadcast(top, shape)
    out = _take(ordered, clip(place, 0, top))
    outside = ufuncs.logical_or(ufuncs.less(wanted, 0), ufuncs.greater(wanted, 1))
    wrong = ufuncs.logical_or(outside, foundation.broadcast(ufuncs.logical_or(bad, none), shape))
    return choose(wrong, creation.full_like(out, float("nan")), out)


def _of_rows(rows: Array, q: Array, method: str, skip_nan: bool) -> Array:
    """Quantiles ``q`` of the last axis, as the last axis of the result."""
    last = rows.aval.ndim - 1
    size = rows.aval.shape[last]
    nan = ufuncs.isnan(rows)
    if skip_nan:
        count = reductions.sum(ufuncs.logical_not(nan), last, rows.aval.dtype, keepdims=True)
    else:
        # One NaN makes the whole row NaN.
        rows = choose(reductions.any(nan, last, keepdims=True), creation.full_like(rows, float("nan")), rows)
        count = creation.full((*rows.aval.shape[:-1], 1), size, rows.aval.dtype)
    ordered = lax_sort.sort(rows, last)
    shape = (*rows.aval.shape[:-1], q.aval.size)
    wanted = foundation.broadcast(ravel(q), shape)
    top = ufuncs.maximum(ufuncs.subtract(count, 1), 0)
    position = _position(wanted, foundation.broadcast(count, shape), method)
    if method in _ALPHA_BETA:
        position = ufuncs.maximum(ufuncs.minimum(position, foundation.broadcast(top, shape)), 0)
    floor = ufuncs.floor(position)
    below, above = (
        clip(p, 0, top) for p in (floor, ufuncs.ceil(position) if method in _BETWEEN else ufuncs.add(floor, 1))
    )
    index = dtypes.position_dtype(size)
    low, high = (_take(ordered, foundation.broadcast(cast(p, index), shape)) for p in (below, above))
    out = _weighted(low, high, position, floor, method)
    if skip_nan:
        empty = foundation.broadcast(ufuncs.equal(count, 0), shape)
        out = choose(empty, creation.full_like(out, float("nan")), out)
    bad = ufuncs.logical_or(ufuncs.less(wanted, 0), ufuncs.greater(wanted, 1))
    return choose(bad, creation.full_like(out, float("nan")), out)


# Methods that take the neighbours of the position, which are one element if it is a whole number.
_BETWEEN = ("linear", "lower", "higher", "midpoint", "nearest")


def _take(x: Array, indices: Array) -> Array:
    # Neighbouring quantiles may share an element.
    return take_along(x, indices, x.aval.ndim - 1, distinct=False)


def _no_buffers(api: str, overwrite_input: bool, out: Any) -> None:
    no_out(api, out)
    if overwrite_input:
        raise ValueError(f"fungrad.numpy.{api}: overwrite_input is not possible, arrays are immutable")


def quantile(
    a: Any, q: Any, axis: Axis = None, out: None = None, overwrite_input: bool = False, method: str = "linear",
    keepdims: bool = False, *, weights: Any = None,
) -> Array:  # fmt: skip
    """Quantiles over axes; NaN where an element is NaN.

    Args:
      a: array.
      q: probability in [0, 1], or vector of them, which becomes the first axis of the result.
      axis: axis or axes, by default all.
      out: must be None.
      overwrite_input: must be False.
      method: how to choose between two elements: ``linear``, ``lower``, ``higher``, ``midpoint``, ``nearest``, or one
        of the estimators of Hyndman and Fan as in NumPy.
      keepdims: keep the axes with size 1.
      weights: how much each element counts, of the shape of ``a`` or of its shape along ``axis``; only with the
        method ``inverted_cdf``.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.quantile(jnp.arange(5), jnp.array([0.25, 0.5]))
      Array([1., 2.], dtype=float32)
    """
    _no_buffers("quantile", overwrite_input, out)
    return _quantile("quantile", a, q, axis, method, keepdims, False, weights)


def nanquantile(
    a: Any, q: Any, axis: Axis = None, out: None = None, overwrite_input: bool = False, method: str = "linear",
    keepdims: bool = False, *, weights: Any = None,
) -> Array:  # fmt: skip
    """Quantiles over axes of the elements that are not NaN; see ``quantile``.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.nanquantile(jnp.array([1.0, jnp.nan, 3.0]), 0.5)
      Array(2., dtype=float32)
    """
    _no_buffers("nanquantile", overwrite_input, out)
    return _quantile("nanquantile", a, q, axis, method, keepdims, True, weights)


def _hundredth(
    api: str, of: Callable, a: Any, q: Any, axis: Axis, method: str, keepdims: bool, weights: Any
) -> Array:
    # In the dtype of `a`, if that has more digits.
    wide = dtypes.requested_result_type(inexact(a, api).aval.dtype, inexact_result_type(raw_operand(q, api, "q")))
    hundredth = ufuncs.true_divide(converted(q, wide, api, "q"), 100)
    return of(a, hundredth, axis, method=method, keepdims=keepdims, weights=weights)


def percentile(
    a: Any, q: Any, axis: Axis = None, out: None = None, overwrite_input: bool = False, method: str = "linear",
    keepdims: bool = False, *, weights: Any = None, out_sharding: Any = None,
) -> Array:  # fmt: skip
    """Percentiles over axes: quantiles with ``q`` in [0, 100]; see ``quantile``.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.percentile(jnp.array([0.0, 1.0, 2.0]), 25)
      Array(0.5, dtype=float32)
    """
    if out_sharding is not None:
        return at_sharding(
            percentile, out_sharding, "fungrad.numpy.percentile", a, q, axis, out, overwrite_input, method, keepdims,
            weights=weights
        )
    _no_buffers("percentile", overwrite_input, out)
    return _hundredth("percentile", quantile, a, q, axis, method, keepdims, weights)


def nanpercentile(
    a: Any, q: Any, axis: Axis = None, out: None = None, overwrite_input: bool = False, method: str = "linear",
    keepdims: bool = False, *, weights: Any = None,
) -> Array:  # fmt: skip
    """Percentiles over axes of the elements that are not NaN; see ``quantile``.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.nanpercentile(jnp.array([1.0, jnp.nan, 3.0]), 50)
      Array(2., dtype=float32)
    """
    _no_buffers("nanpercentile", overwrite_input, out)
    return _hundredth("nanpercentile", nanquantile, a, q, axis, method, keepdims, weights)


def median(
    a: Any, axis: Axis = None, out: None = None, overwrite_input: bool = False, keepdims: bool = False
) -> Array:
    """Median over axes; NaN where an element is NaN.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.median(jnp.array([3.0, 1.0, 2.0, 8.0]))
      Array(2.5, dtype=float32)
    """
    _no_buffers("median", overwrite_input, out)
    return quantile(a, 0.5, axis, keepdims=keepdims, method="midpoint")


def nanmedian(
    a: Any, axis: Axis = None, out: None = None, overwrite_input: bool = False, keepdims: bool = False
) -> Array:
    """Median over axes of the elements that are not NaN.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.nanmedian(jnp.array([3.0, jnp.nan, 1.0]))
      Array(2., dtype=float32)
    """
    _no_buffers("nanmedian", overwrite_input, out)
    return nanquantile(a, 0.5, axis, keepdims=keepdims, method="midpoint")


__all__ = ["median", "nanmedian", "nanpercentile", "nanquantile", "percentile", "quantile"]
