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
from fungrad.numpy._promotion import cast, converted, inexact, operand, promote_dtypes_inexact, raw_operand
from fungrad.numpy.manipulation import moveaxis, no_out, ravel
from fungrad.numpy.reductions import Axis, reduction_axes, restore_dims
from fungrad.numpy.selection import clip, where as choose
from fungrad.ops import foundation, shape as shape_ops, sort as lax_sort
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


def _quantile(api: str, a: Any, q: Any, axis: Axis, method: str, keepdims: bool, skip_nan: bool) -> Array:
    if method not in _METHODS:
        raise ValueError(f"fungrad.numpy.{api}: method must be one of {', '.join(_METHODS)}, got {method!r}")
    (a,) = promote_dtypes_inexact(api, operand(a, api, "a"))
    if dtypes.is_complex(a.aval.dtype):
        raise TypeError(f"fungrad.numpy.{api}: complex numbers have no order, got {a.aval.str_short()}")
    result = a.aval.dtype
    # Positions need more bits than half-precision numbers have.
    compute = dtypes.float32 if result.itemsize < 4 else result
    a, q = cast(a, compute), converted(q, compute, api, "q")
    if q.aval.ndim > 1:
        raise ValueError(f"fungrad.numpy.{api}: q must be a number or a vector, got {q.aval.str_short()}")
    axes = reduction_axes(api, axis, a.aval.ndim)
    kept = [d for d in range(a.aval.ndim) if d not in axes]
    rows = foundation.transpose(a, [*kept, *axes])
    rows = foundation.reshape(rows, [*(a.aval.shape[d] for d in kept), math.prod(a.aval.shape[d] for d in axes)])
    last = rows.aval.ndim - 1
    size = rows.aval.shape[last]
    if size == 0:
        raise ValueError(f"fungrad.numpy.{api}: there are no elements along axis {axis} of {a.aval.str_short()}")
    found = _of_rows(rows, q, method, skip_nan)
    # The quantiles come first.
    out = moveaxis(found, -1, 0) if q.aval.ndim else shape_ops.squeeze(found, (last,))
    if keepdims:
        out = restore_dims(out, tuple(d + q.aval.ndim for d in axes))
    return cast(out, result)


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


def _no_weights(api: str, weights: Any, overwrite_input: bool, out: Any) -> None:
    no_out(api, out)
    if overwrite_input:
        raise ValueError(f"fungrad.numpy.{api}: overwrite_input is not possible, arrays are immutable")
    if weights is not None:
        raise NotImplementedError(f"fungrad.numpy.{api}: weights are not supported; repeat elements instead")


def quantile(
    a: Any, q: Any, axis: Axis = None, out: None = None, overwrite_input: bool = False, method: str = "linear",
    keepdims: bool = False, *, weights: None = None,
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
      weights: must be None.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.quantile(jnp.arange(5), jnp.array([0.25, 0.5]))
      Array([1., 2.], dtype=float32)
    """
    _no_weights("quantile", weights, overwrite_input, out)
    return _quantile("quantile", a, q, axis, method, keepdims, False)


def nanquantile(
    a: Any, q: Any, axis: Axis = None, out: None = None, overwrite_input: bool = False, method: str = "linear",
    keepdims: bool = False, *, weights: None = None,
) -> Array:  # fmt: skip
    """Quantiles over axes of the elements that are not NaN; see ``quantile``."""
    _no_weights("nanquantile", weights, overwrite_input, out)
    return _quantile("nanquantile", a, q, axis, method, keepdims, True)


def _hundredth(api: str, of: Callable, a: Any, q: Any, axis: Axis, method: str, keepdims: bool) -> Array:
    # In the dtype of `a`, if that has more digits.
    q = promote_dtypes_inexact(api, raw_operand(q, api, "q"), inexact(a, api))[0]
    return of(a, ufuncs.true_divide(q, 100), axis, method=method, keepdims=keepdims)


def percentile(
    a: Any, q: Any, axis: Axis = None, out: None = None, overwrite_input: bool = False, method: str = "linear",
    keepdims: bool = False, *, weights: None = None,
) -> Array:  # fmt: skip
    """Percentiles over axes: quantiles with ``q`` in [0, 100]; see ``quantile``."""
    _no_weights("percentile", weights, overwrite_input, out)
    return _hundredth("percentile", quantile, a, q, axis, method, keepdims)


def nanpercentile(
    a: Any, q: Any, axis: Axis = None, out: None = None, overwrite_input: bool = False, method: str = "linear",
    keepdims: bool = False, *, weights: None = None,
) -> Array:  # fmt: skip
    """Percentiles over axes of the elements that are not NaN; see ``quantile``."""
    _no_weights("nanpercentile", weights, overwrite_input, out)
    return _hundredth("nanpercentile", nanquantile, a, q, axis, method, keepdims)


def median(
    a: Any, axis: Axis = None, out: None = None, overwrite_input: bool = False, keepdims: bool = False
) -> Array:
    """Median over axes; NaN where an element is NaN."""
    _no_weights("median", None, overwrite_input, out)
    return quantile(a, 0.5, axis, keepdims=keepdims, method="midpoint")


def nanmedian(
    a: Any, axis: Axis = None, out: None = None, overwrite_input: bool = False, keepdims: bool = False
) -> Array:
    """Median over axes of the elements that are not NaN."""
    _no_weights("nanmedian", None, overwrite_input, out)
    return nanquantile(a, 0.5, axis, keepdims=keepdims, method="midpoint")


__all__ = ["median", "nanmedian", "nanpercentile", "nanquantile", "percentile", "quantile"]
