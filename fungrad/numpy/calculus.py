"""Differences, integrals, interpolation, convolution and polynomials of sampled functions.

May import ``core``, ``ops``, ``numpy._promotion`` and the modules of ``numpy`` before it.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from fungrad.core import dtypes
from fungrad.core.array import Array
from fungrad.numpy import creation, division, reductions, ufuncs
from fungrad.numpy._promotion import (
    cast,
    converted,
    operand,
    promote_dtypes,
    promote_dtypes_inexact,
    raw_operand,
    requested_dtype,
)
from fungrad.numpy.joining import concatenate
from fungrad.numpy.linear import contract
from fungrad.numpy.manipulation import broadcast_to, moveaxis, ravel, reshape, take_1d
from fungrad.numpy.selection import clip, where
from fungrad.numpy.sorting import argsort, searchsorted
from fungrad.ops import foundation, joining, shape as shape_ops
from fungrad.ops._operands import scalar_array
from fungrad.ops.cast import bitcast_convert_type
from fungrad.ops.dot import converted_after
from fungrad.ops.shape import broadcast_to_rank, canonical_axis, slice_in_dim

# -- differences -------------------------------------------------------------------------------------------------------


def diff(a: Any, n: int = 1, axis: int = -1, prepend: Any = None, append: Any = None) -> Array:
    """Differences of neighbours along an axis, taken ``n`` times; for booleans whether they differ.

    Args:
      a: array.
      n: how often.
      axis: axis.
      prepend: values put before the first element.
      append: values put after the last element.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.diff(jnp.array([1, 4, 9]))
      Array([3, 5], dtype=int32)
    """
    x = operand(a, "diff", "a")
    n = operator.index(n)
    if n < 0:
        raise ValueError(f"fungrad.numpy.diff: n must not be negative, got {n}")
    if x.aval.ndim == 0:
        raise ValueError("fungrad.numpy.diff: a must have at least one dimension, got a scalar")
    if n == 0:
        return x
    axis = canonical_axis("fungrad.numpy.diff", axis, x.aval.ndim)
    parts = [
        _edge(p, x, axis, name) for name, p in (("prepend", prepend), ("a", x), ("append", append)) if p is not None
    ]
    x = concatenate(parts, axis) if len(parts) > 1 else x
    for _ in range(n):
        m = x.aval.shape[axis]
        after, before = slice_in_dim(x, min(1, m), m, axis=axis), slice_in_dim(x, 0, max(m - 1, 0), axis=axis)
        x = ufuncs.not_equal(after, before) if dtypes.is_bool(x.aval.dtype) else ufuncs.subtract(after, before)
    return x


def _edge(values: Any, x: Array, axis: int, name: str) -> Array:
    values = promote_dtypes("diff", raw_operand(values, "diff", name), x)[0]
    if values.aval.ndim:
        return values
    return broadcast_to(values, (*x.aval.shape[:axis], 1, *x.aval.shape[axis + 1 :]))


def ediff1d(ary: Any, to_end: Any = None, to_begin: Any = None) -> Array:
    """Differences of neighbours in the flattened array, between given first and last values.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.ediff1d(jnp.array([1, 4, 9]))
      Array([3, 5], dtype=int32)
    """
    x = ravel(operand(ary, "ediff1d", "ary"))
    parts = [diff(x)]
    if to_begin is not None:
        parts.insert(0, ravel(converted(to_begin, x.aval.dtype, "ediff1d", "to_begin")))
    if to_end is not None:
        parts.append(ravel(converted(to_end, x.aval.dtype, "ediff1d", "to_end")))
    return concatenate(parts)


def gradient(f: Any, *varargs: Any, axis: int | Sequence[int] | None = None, edge_order: int | None = None) -> Any:
    """Central differences, one-sided at the ends.

    Args:
      f: array of samples.
      *varargs: distances: one for all axes, one per axis, or vectors of coordinates. Default 1.
      axis: axis or axes, by default all.
      edge_order: must be None or 1.

    Returns:
      An array, or a list with one per axis if there are several.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.gradient(jnp.array([1.0, 2.0, 4.0]))
      Array([1. , 1.5, 2. ], dtype=float32)
    """
    if edge_order not in (None, 1):
        raise NotImplementedError(f"fungrad.numpy.gradient: edge_order must be 1, got {edge_order}")
    distances = [raw_operand(h, "gradient", "a distance") for h in varargs]
    x = promote_dtypes_inexact("gradient", operand(f, "gradient", "f"), *distances)[0]
    rank = x.aval.ndim
    if axis is None:
        axes: tuple[int, ...] = tuple(range(rank))
    else:
        axes = tuple(
            canonical_axis("fungrad.numpy.gradient", a, rank)
            for a in (axis if isinstance(axis, (tuple, list)) else (axis,))
        )
    spacing = list(varargs) or [1.0]
    if len(spacing) == 1 and np.ndim(spacing[0]) == 0:
        spacing *= len(axes)
    if len(spacing) != len(axes):
        raise TypeError(
            f"fungrad.numpy.gradient: need one spacing for each of the {len(axes)} axes, got {len(spacing)}"
        )
    out = []
    for a, h in zip(axes, spacing, strict=True):
        if x.aval.shape[a] < 2:
            raise ValueError(f"fungrad.numpy.gradient: axis {a} of {x.aval.str_short()} needs at least 2 elements")
        out.append(_gradient_along(x, h, a))
    return out[0] if len(out) == 1 else out


def _gradient_along(x: Array, spacing: Any, axis: int) -> Array:
    n = x.aval.shape[axis]

    def part(start: int, stop: int) -> Array:
        return slice_in_dim(x, start, stop, axis=axis)

    first, last = ufuncs.subtract(part(1, 2), part(0, 1)), ufuncs.subtract(part(n - 1, n), part(n - 2, n - 1))
    if np.ndim(spacing) == 0:
        middle = ufuncs.true_divide(ufuncs.subtract(part(2, n), part(0, n - 2)), 2)
        return ufuncs.true_divide(joining.concatenate(promote_dtypes("gradient", first, middle, last), axis), spacing)
    at = converted(spacing, x.aval.dtype, "gradient", "spacing")
    if at.aval.shape != (n,):
        raise ValueError(
            f"fungrad.numpy.gradient: coordinates along axis {axis} must have shape ({n},), got {at.aval.shape}"
        )
    steps = diff(at)
    steps = foundation.reshape(steps, [n - 1 if d == axis else 1 for d in range(x.aval.ndim)])
    left, right = slice_in_dim(steps, 0, n - 2, axis=axis), slice_in_dim(steps, 1, n - 1, axis=axis)
    both = ufuncs.add(left, right)
    middle = ufuncs.add(
        ufuncs.add(
            ufuncs.multiply(ufuncs.negative(ufuncs.true_divide(right, ufuncs.multiply(left, both))), part(0, n - 2)),
            ufuncs.multiply(
                ufuncs.true_divide(ufuncs.subtract(right, left), ufuncs.multiply(left, right)), part(1, n - 1)
            ),
        ),
        ufuncs.multiply(ufuncs.true_divide(left, ufuncs.multiply(right, both)), part(2, n)),
    )
    first = ufuncs.true_divide(first, slice_in_dim(steps, 0, 1, axis=axis))
    last = ufuncs.true_divide(last, slice_in_dim(steps, n - 2, n - 1, axis=axis))
    return joining.concatenate(promote_dtypes("gradient", first, middle, last), axis)


def trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Array:
    """Integral of samples along an axis by the trapezoidal rule.

    Args:
      y: samples.
      x: their coordinates: a vector, or an array of the shape of ``y``.
      dx: distance of samples, if there is no ``x``: a number, or an array that broadcasts to the intervals.
      axis: axis.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.trapezoid(jnp.array([1.0, 2.0, 3.0]))
      Array(4., dtype=float32)
    """
    if x is None:
        (values,) = promote_dtypes_inexact("trapezoid", operand(y, "trapezoid", "y"))
        steps: Any = dx
        if getattr(dx, "ndim", 0):
            steps = moveaxis(broadcast_to_rank(operand(dx, "trapezoid", "dx"), values.aval.ndim), axis, -1)
        values = moveaxis(values, axis, -1)
    else:
        values, places = promote_dtypes_inexact(
            "trapezoid", raw_operand(y, "trapezoid", "y"), raw_operand(x, "trapezoid", "x")
        )
        if places.aval.ndim > 1:
            places = moveaxis(places, axis, -1)
        values, steps = moveaxis(values, axis, -1), diff(places)
    last = values.aval.ndim - 1
    n = values.aval.shape[last]
    pairs = ufuncs.add(slice_in_dim(values, min(1, n), n, axis=last), slice_in_dim(values, 0, max(n - 1, 0), axis=last))
    return ufuncs.multiply(0.5, reductions.sum(ufuncs.multiply(steps, pairs), -1))


def unwrap(p: Any, discont: Any = None, axis: int = -1, period: Any = 2 * math.pi) -> Array:
    """Phases with jumps of more than half a period removed by adding periods.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.unwrap(jnp.array([0, 3, 0]), period=4)
      Array([ 0, -1,  0], dtype=int32)
    """
    x = operand(p, "unwrap", "p")
    if dtypes.is_complex(x.aval.dtype):
        raise ValueError(f"fungrad.numpy.unwrap: complex phases are not possible, got {x.aval.str_short()}")
    if x.aval.shape[axis] == 0:
        return x
    axis = canonical_axis("fungrad.numpy.unwrap", axis, x.aval.ndim)
    x = promote_dtypes("unwrap", x, period)[0]
    whole = dtypes.is_integer(x.aval.dtype)
    half = period // 2 if whole else period / 2
    low = -half
    apart = diff(x, axis=axis)
    unsigned = dtypes.is_unsigned(x.aval.dtype)
    if unsigned:  # differences have signs; their bits are the same
        apart = bitcast_convert_type(apart, np.dtype(f"i{x.aval.dtype.itemsize}"))
    wrapped = ufuncs.add(division.remainder(ufuncs.subtract(apart, low), period), low)
    if not whole or period % 2 == 0:
        edge = ufuncs.logical_and(ufuncs.equal(wrapped, low), ufuncs.greater(apart, 0))
        wrapped = where(edge, half, wrapped)
    limit = period / 2 if discont is None else discont
    shift = where(ufuncs.less(ufuncs.absolute(apart), limit), 0, ufuncs.subtract(wrapped, apart))
    if unsigned:
        shift = bitcast_convert_type(shift, x.aval.dtype)
    first, rest = slice_in_dim(x, 0, 1, axis=axis), slice_in_dim(x, 1, None, axis=axis)
    return concatenate([first, cast(ufuncs.add(rest, reductions.cumsum(shift, axis)), x.aval.dtype)], axis)


# -- interpolation -----------------------------------------------------------------------------------------------------


def interp(x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None, period: Any = None) -> Array:
    """Linear interpolation in a table.

    Args:
      x: where to evaluate.
      xp: coordinates of the table, ascending.
      fp: values of the table.
      left: value below the table, by default its first; ``"extrapolate"`` continues the first line.
      right: value above the table, by default its last; ``"extrapolate"`` continues the last line.
      period: period of the coordinates, which need not be sorted then.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.interp(jnp.array([0.5, 5.0]), jnp.array([0.0, 1.0]), jnp.array([10.0, 20.0]))
      Array([15., 20.], dtype=float32)
    """
    for name, side in (("left", left), ("right", right)):
        if isinstance(side, str) and side != "extrapolate":
            raise ValueError(f"fungrad.numpy.interp: {name} must be a number, None or 'extrapolate', got {side!r}")
    x, table = promote_dtypes_inexact("interp", raw_operand(x, "interp", "x"), raw_operand(xp, "interp", "xp"))
    values = raw_operand(fp, "interp", "fp")
    if table.aval.ndim != 1 or table.aval.shape != np.shape(values) or not table.aval.size:
        raise ValueError(
            f"fungrad.numpy.interp: xp and fp must be vectors of one length, at least 1, got {table.aval.shape} and "
            f"{np.shape(values)}"
        )
    values = promote_dtypes_inexact("interp", values, x)[0]
    if dtypes.is_complex(x.aval.dtype):
        raise ValueError("fungrad.numpy.interp: complex coordinates are not possible")
    if period is not None:
        x, table, values = _periodic(x, table, values, period)
        left = right = "extrapolate"
    n = table.aval.shape[0]
    upper = ravel(clip(searchsorted(table, x, "right"), 1, max(n - 1, 1)))
    lower, upper = ufuncs.subtract(upper, 1), ufuncs.minimum(upper, n - 1)
    x0, f0 = (reshape(take_1d(t, lower, 0), x.aval.shape) for t in (table, values))
    x1, f1 = (reshape(take_1d(t, upper, 0), x.aval.shape) for t in (table, values))
    width, rise = ufuncs.subtract(x1, x0), ufuncs.subtract(f1, f0)
    # Coordinates that coincide make a step, not a division by zero.
    tiny = ufuncs.less_equal(ufuncs.absolute(width), float(np.spacing(dtypes.finfo(table.aval.dtype).eps)))
    slope = ufuncs.true_divide(rise, where(tiny, 1, width))
    out = where(tiny, f0, ufuncs.add(f0, ufuncs.multiply(ufuncs.subtract(x, x0), slope)))
    first, last = shape_ops.index_in_dim(table, 0, 0, False), shape_ops.index_in_dim(table, n - 1, 0, False)
    if left != "extrapolate":
        low = shape_ops.index_in_dim(values, 0, 0, False) if left is None else left
        out = where(ufuncs.less(x, first), low, out)
    if right != "extrapolate":
        high = shape_ops.index_in_dim(values, n - 1, 0, False) if right is None else right
        out = where(ufuncs.greater(x, last), high, out)
    return out


def _periodic(x: Array, table: Array, values: Array, period: Any) -> tuple[Array, Array, Array]:
    """A table over one period and its neighbours on both sides."""
    if np.ndim(period) != 0:
        raise ValueError(f"fungrad.numpy.interp: period must be a number, got shape {np.shape(period)}")
    if isinstance(period, (int, float)) and period == 0:
        raise ValueError("fungrad.numpy.interp: period must not be 0")
    period = ufuncs.absolute(period)
    x, table = division.remainder(x, period), division.remainder(table, period)
    order = argsort(table)
    table, values = take_1d(table, order, 0), take_1d(values, order, 0)
    n = table.aval.shape[0]
    table = concatenate(
        [ufuncs.subtract(slice_in_dim(table, n - 1, n), period), table, ufuncs.add(slice_in_dim(table, 0, 1), period)]
    )
    return x, table, concatenate([slice_in_dim(values, n - 1, n), values, slice_in_dim(values, 0, 1)])


# -- convolution -------------------------------------------------------------------------------------------------------


def _vectors(api: str, a: Any, v: Any, preferred: Any) -> list[Array]:
    """Both operands with one dtype: a floating one unless the result's is given, for then integers remain such."""
    operands = raw_operand(a, api, "a"), raw_operand(v, api, "v")
    found = requested_dtype(preferred, api)
    if found is None:
        return promote_dtypes_inexact(api, *operands)
    x, y = promote_dtypes(api, *operands)
    if converted_after(x.aval.dtype, y.aval.dtype, found):
        raise TypeError(
            f"fungrad.numpy.{api}: preferred_element_type must be able to hold the products of dtype "
            f"{x.aval.dtype.name} (no simpler kind), got {found.name}; convert the result with .astype instead"
        )
    return [x, y]


def _convolve(api: str, x: Array, y: Array, mode: str, precision: Any, preferred: Any) -> Array:
    """Convolution of two vectors: a matrix of shifted windows of the longer one times the shorter one."""
    for name, v in (("first", x), ("second", y)):
        if v.aval.ndim != 1 or not v.aval.size:
            raise ValueError(
                f"fungrad.numpy.{api}: the {name} operand must be a vector of at least one element, got "
                f"{v.aval.str_short()}"
            )
    if mode not in ("full", "same", "valid"):
        raise ValueError(f"fungrad.numpy.{api}: mode must be 'full', 'same' or 'valid', got {mode!r}")
    if x.aval.shape[0] < y.aval.shape[0]:
        x, y = y, x
    n, m = x.aval.shape[0], y.aval.shape[0]
    pads = {"full": (m - 1, m - 1), "same": (m // 2, m - m // 2 - 1), "valid": (0, 0)}[mode]
    x = shape_ops.pad(x, scalar_array(0, x.aval.dtype, x.aval.weak_type), [(*pads, 0)])
    count = n + sum(pads) - m + 1
    y = shape_ops.rev(y, (0,))
    if count <= m:
        # Few results: one row per result.
        rows = joining.stack([slice_in_dim(x, i, i + m) for i in range(count)], 0)
        return contract(api, rows, y, (((1,), (0,)), ((), ())), precision, preferred)
    columns = joining.stack([slice_in_dim(x, i, i + count) for i in range(m)], 0)
    return contract(api, y, columns, (((0,), (0,)), ((), ())), precision, preferred)


def convolve(a: Any, v: Any, mode: str = "full", *, precision: Any = None, preferred_element_type: Any = None) -> Array:
    """Convolution of two vectors.

    Args:
      a: vector.
      v: vector.
      mode: ``full``, ``same`` (as long as the longer one), or ``valid`` (where both overlap completely).
      precision: accepted for compatibility.
      preferred_element_type: dtype in which products are added, and of the result; default a floating dtype.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.convolve(jnp.array([1, 2, 3]), jnp.array([1, 1]))
      Array([1., 3., 5., 3.], dtype=float32)
    """
    x, y = _vectors("convolve", a, v, preferred_element_type)
    return _convolve("convolve", x, y, mode, precision, preferred_element_type)


def correlate(
    a: Any, v: Any, mode: str = "valid", *, precision: Any = None, preferred_element_type: Any = None
) -> Array:
    """Correlation of two vectors: convolution with the second reversed and conjugated; see ``convolve``.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.correlate(jnp.array([1.0, 2.0, 3.0]), jnp.array([0.0, 1.0]))
      Array([2., 3.], dtype=float32)
    """
    x, y = _vectors("correlate", a, v, preferred_element_type)
    y = ufuncs.conjugate(y)
    if x.aval.ndim == y.aval.ndim == 1 and x.aval.shape[0] < y.aval.shape[0]:
        # The shorter one is shifted along the longer one, and the result runs the other way.
        out = _convolve("correlate", shape_ops.rev(x, (0,)), y, mode, precision, preferred_element_type)
        return shape_ops.rev(out, (0,))
    y = shape_ops.rev(y, (0,)) if y.aval.ndim == 1 else y
    return _convolve("correlate", x, y, mode, precision, preferred_element_type)


# -- polynomials -------------------------------------------------------------------------------------------------------


def polyval(p: Any, x: Any, *, unroll: int = 16) -> Array:
    """Value of a polynomial, by Horner's rule.

    Args:
      p: coefficients, that of the highest power first.
      x: where to evaluate.
      unroll: ignored.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.polyval(jnp.array([1, 0, 2]), jnp.array([0, 3]))
      Array([ 2, 11], dtype=int32)
    """
    p, x = promote_dtypes("polyval", raw_operand(p, "polyval", "p"), raw_operand(x, "polyval", "x"))
    y = creation.zeros_like(x, shape=(*p.aval.shape[1:],) if p.aval.ndim > 1 and not x.aval.ndim else None)
    for c in joining.unstack(p) if p.aval.shape[0] else ():
        y = ufuncs.add(ufuncs.multiply(y, x), c)
    return cast(y, y.aval.dtype)


def polyadd(a1: Any, a2: Any) -> Array:
    """Sum of two polynomials, coefficients of the highest power first.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.polyadd(jnp.array([1, 2]), jnp.array([3, 4, 5]))
      Array([3, 5, 7], dtype=int32)
    """
    x, y = _polynomials("polyadd", a1, a2)
    n = max(x.aval.shape[0], y.aval.shape[0])
    return ufuncs.add(_lengthened(x, n), _lengthened(y, n))


def _polynomials(api: str, a1: Any, a2: Any) -> list[Array]:
    """Two polynomials as vectors of one dtype; a number is one of degree 0."""
    both = promote_dtypes(api, raw_operand(a1, api, "a1"), raw_operand(a2, api, "a2"))
    out = []
    for x, name in zip(both, ("a1", "a2"), strict=True):
        if x.aval.ndim > 1:
            raise ValueError(f"fungrad.numpy.{api}: {name} must be a vector of coefficients, got {x.aval.str_short()}")
        out.append(x if x.aval.ndim else shape_ops.expand_dims(x, (0,)))
    return out


def _lengthened(p: Array, n: int) -> Array:
    return shape_ops.pad(p, scalar_array(0, p.aval.dtype), [(n - p.aval.shape[0], 0, 0)])


def polysub(a1: Any, a2: Any) -> Array:
    """Difference of two polynomials, coefficients of the highest power first.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.polysub(jnp.array([1, 2]), jnp.array([3, 4, 5]))
      Array([-3, -3, -3], dtype=int32)
    """
    x, y = _polynomials("polysub", a1, a2)
    return polyadd(x, ufuncs.negative(y))


def polymul(a1: Any, a2: Any, *, trim_leading_zeros: bool = False) -> Array:
    """Product of two polynomials, coefficients of the highest power first.

    Args:
      a1: coefficients.
      a2: coefficients.
      trim_leading_zeros: leave out leading zeros of the operands, whose values must be known then.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.polymul(jnp.array([1, 2]), jnp.array([1, -2]))
      Array([ 1.,  0., -4.], dtype=float32)
    """
    x, y = promote_dtypes_inexact("polymul", raw_operand(a1, "polymul", "a1"), raw_operand(a2, "polymul", "a2"))
    if trim_leading_zeros and x.aval.size > 1 and y.aval.size > 1:
        x, y = _trimmed(x), _trimmed(y)
    if not x.aval.size or not y.aval.size:
        raise ValueError("fungrad.numpy.polymul: a polynomial needs at least one coefficient")
    return convolve(x, y, "full")


def _trimmed(p: Array) -> Array:
    places = np.flatnonzero(p._known("polymul()"))
    return slice_in_dim(p, int(places[0]) if places.size else p.aval.shape[0] - 1, None)


def polyder(p: Any, m: int = 1) -> Array:
    """Derivative of order ``m`` of a polynomial, coefficients of the highest power first.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.polyder(jnp.array([3.0, 2.0, 1.0]))
      Array([6., 2.], dtype=float32)
    """
    (p,) = promote_dtypes_inexact("polyder", operand(p, "polyder", "p"))
    m = operator.index(m)
    if m < 0:
        raise ValueError(f"fungrad.numpy.polyder: the order must not be negative, got {m}")
    if m == 0:
        return p
    kept = max(p.aval.shape[0] - m, 0)
    factors = [math.perm(p.aval.shape[0] - 1 - i, m) for i in range(kept)]
    return ufuncs.multiply(slice_in_dim(p, 0, kept), creation.asarray(np.array(factors, float), p.aval.dtype))


def polyint(p: Any, m: int = 1, k: Any = None) -> Array:
    """Integral of order ``m`` of a polynomial, coefficients of the highest power first.

    Args:
      p: coefficients.
      m: order.
      k: constants of integration, by default 0.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.polyint(jnp.array([6.0, 2.0]))
      Array([3., 2., 0.], dtype=float32)
    """
    m = operator.index(m)
    if m < 0:
        raise ValueError(f"fungrad.numpy.polyint: the order must not be negative, got {m}")
    constants = 0 if k is None else creation.raw_values(k)
    p, constants = promote_dtypes_inexact("polyint", operand(p, "polyint", "p"), constants)
    constants = broadcast_to(constants, (m,)) if constants.aval.size == 1 else constants
    if constants.aval.shape != (m,):
        raise ValueError(
            f"fungrad.numpy.polyint: k must be a number or have {m} entries, got shape {constants.aval.shape}"
        )
    for i in range(m):
        n = p.aval.shape[0]
        p = ufuncs.true_divide(p, creation.asarray(np.arange(n, 0, -1), p.aval.dtype))
        p = concatenate([p, slice_in_dim(constants, i, i + 1)])
    return p


__all__ = [
    "convolve",
    "correlate",
    "diff",
    "ediff1d",
    "gradient",
    "interp",
    "polyadd",
    "polyder",
    "polyint",
    "polymul",
    "polysub",
    "polyval",
    "trapezoid",
    "unwrap",
]
