"""Arrays as sets: unique elements, unions, intersections, differences.

The number of results depends on values, so traced arrays need ``size=``.

May import ``core``, ``ops``, ``numpy._promotion`` and the modules of ``numpy`` before it.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from fungrad.core import dtypes
from fungrad.core.array import Array
from fungrad.core.dimensions import as_size
from fungrad.numpy import comparisons, creation, reductions, ufuncs
from fungrad.numpy._promotion import cast, operand, promote_dtypes, raw_operand
from fungrad.numpy.joining import concatenate
from fungrad.numpy.manipulation import moveaxis, ravel, reshape, take_1d
from fungrad.numpy.selection import first_true, where
from fungrad.numpy.sorting import argsort, searchsorted
from fungrad.ops import foundation, joining, shape as shape_ops, sort as lax_sort
from fungrad.ops._operands import scalar_array
from fungrad.ops.cumulative import cumsum as lax_cumsum
from fungrad.ops.shape import canonical_axis, slice_in_dim


class _Sorted(NamedTuple):
    """Rows in sorted order: ``rows[order]``, where the first of each run of equal ones is, and the order."""

    rows: Array
    first: Array
    order: Array


def _sort_rows(x: Array, equal_nan: bool) -> _Sorted:
    """Slices along the first axis in lexicographic order."""
    n = x.aval.shape[0]
    index = dtypes.position_dtype(n)
    flat = foundation.reshape(x, (n, math.prod(x.aval.shape[1:])))
    columns = (
        [foundation.reshape(c, (n,)) for c in joining.unstack(flat, 1)] if flat.aval.size or flat.aval.shape[1] else []
    )
    if dtypes.is_complex(x.aval.dtype):
        # Numbers with a NaN in either part come last, as in NumPy, and so beside one another.
        columns = [key for c in columns for key in (ufuncs.isnan(c), c)]
    places = shape_ops.iota(index, n)
    order = lax_sort.sort((*columns, places), 0, num_keys=len(columns))[-1] if columns else places
    rows = take_1d(x, order, 0)
    if dtypes.is_complex(rows.aval.dtype):
        rows = cast(rows, rows.aval.dtype)  # weak types are kept of real numbers only, as JAX does
    if n == 0:
        return _Sorted(rows, creation.zeros(0, bool), order)
    before, after = slice_in_dim(rows, 0, n - 1), slice_in_dim(rows, 1, n)
    differs = ufuncs.not_equal(after, before)
    if equal_nan and dtypes.is_inexact(x.aval.dtype):
        both = ufuncs.logical_and(ufuncs.isnan(after), ufuncs.isnan(before))
        differs = ufuncs.logical_and(differs, ufuncs.logical_not(both))
    differs = reductions.any(differs, tuple(range(1, x.aval.ndim)))
    return _Sorted(rows, joining.concatenate([creation.ones(1, bool), differs], 0), order)


def _numbering(n: int) -> np.dtype:
    """32 bit for positions among ``n`` elements where they fit: they select, and do not come back to the user."""
    return dtypes.int32 if n < 2**31 else dtypes.int64


def _places(mask: Array, size: int | None, api: str) -> tuple[Any, Array | None]:
    """Positions of true elements; with ``size``, that many and which of them are real."""
    if size is None:
        return np.flatnonzero(mask._known(f"{api}()")).astype(_numbering(mask.aval.shape[0])), None
    return first_true(mask, as_size(size))


def unique(
    ar: Any, return_index: bool = False, return_inverse: bool = False, return_counts: bool = False,
    axis: int | None = None, *,
    equal_nan: bool = True, size: int | None = None, fill_value: Any = None, sorted: bool = True,
) -> Any:  # fmt: skip
    """The different elements of an array, or slices along an axis, in ascending order.

    Args:
      ar: array.
      return_index: return also the position of the first occurrence of each.
      return_inverse: return also, for each element of ``ar``, its position in the result.
      return_counts: return also how often each occurs.
      axis: axis of slices; by default the flattened array is taken.
      equal_nan: whether all NaN are one.
      size: number of results, which is needed for traced arrays: more are cut off, fewer are filled.
      fill_value: what to fill with, by default the smallest element.
      sorted: ignored, results are sorted.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.unique(jnp.array([3, 1, 3]))
      Array([1, 3], dtype=int32)
      >>> jnp.unique(jnp.array([3, 1, 3]), size=3, fill_value=0, return_counts=True)
      (Array([1, 3, 0], dtype=int32), Array([1, 2, 0], dtype=int32))
    """
    x = operand(ar, "unique", "ar")
    shape = x.aval.shape
    if axis is None:
        moved, axis_back = ravel(x), 0
    else:
        axis_back = canonical_axis("fungrad.numpy.unique", axis, x.aval.ndim)
        moved = moveaxis(x, axis_back, 0)
    n = moved.aval.shape[0]
    if n == 0 and size is not None:
        if size and fill_value is None:
            raise ValueError(
                "fungrad.numpy.unique: an empty array has no smallest element to fill with; give fill_value"
            )
        return _all_filled(moved, size, fill_value, axis_back, (return_index, return_inverse, return_counts))
    rows, first, order = _sort_rows(moved, equal_nan)
    at, valid = _places(first, size, "unique")
    values = take_1d(rows, at, 0)
    if valid is not None:
        values = _filled(values, valid, rows, fill_value)
    out = [moveaxis(values, 0, axis_back)]
    if return_index:
        out.append(take_1d(order, at, 0))
    if return_inverse:
        rank = ufuncs.subtract(lax_cumsum(cast(first, order.aval.dtype), 0), 1)
        inverse = take_1d(rank, argsort(order), 0)
        out.append(reshape(inverse, shape) if axis is None else inverse)
    if return_counts:
        out.append(_run_lengths(at, valid, n))
    return out[0] if len(out) == 1 else tuple(out)


def _all_filled(x: Array, size: int, fill_value: Any, axis: int, wanted: tuple[bool, ...]) -> Any:
    index = dtypes.default_int()
    values = creation.full((size, *x.aval.shape[1:]), 0 if fill_value is None else fill_value, x.aval.dtype)
    extra = [creation.zeros(0 if i == 1 else size, index) for i, w in enumerate(wanted) if w]
    return (moveaxis(values, 0, axis), *extra) if extra else moveaxis(values, 0, axis)


def _filled(values: Array, valid: Array, rows: Array, fill_value: Any) -> Array:
    mask = foundation.broadcast_in_dim(valid, values.aval.shape, (0,))
    fill = slice_in_dim(rows, 0, 1) if fill_value is None else creation.asarray(fill_value, rows.aval.dtype)
    return where(mask, values, fill)


def _run_lengths(starts: Any, valid: Array | None, n: int) -> Array:
    """Number of rows from each start to the next."""
    index = dtypes.position_dtype(n)
    starts = creation.asarray(starts, index)
    if valid is not None:
        starts = where(valid, starts, n)
    ends = (
        joining.concatenate([slice_in_dim(starts, 1, None), creation.full(1, n, index)], 0)
        if starts.aval.shape[0]
        else starts
    )
    return ufuncs.subtract(ends, starts)


class UniqueAll(NamedTuple):
    """Results of ``unique_all``."""

    values: Array
    indices: Array
    inverse_indices: Array
    counts: Array


class UniqueCounts(NamedTuple):
    """Results of ``unique_counts``."""

    values: Array
    counts: Array


class UniqueInverse(NamedTuple):
    """Results of ``unique_inverse``."""

    values: Array
    inverse_indices: Array


def unique_all(x: Any, /, *, size: int | None = None, fill_value: Any = None) -> UniqueAll:
    """Different elements with first positions, inverse and counts; every NaN counts.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.unique_all(jnp.array([3, 1, 3])).indices
      Array([1, 0], dtype=int32)
    """
    return UniqueAll(*unique(x, True, True, True, equal_nan=False, size=size, fill_value=fill_value))


def unique_counts(x: Any, /, *, size: int | None = None, fill_value: Any = None) -> UniqueCounts:
    """Different elements with counts; every NaN counts.

    Example:
      >>> import fungrad.numpy as jnp
      >>> values, counts = jnp.unique_counts(jnp.array([3, 1, 3]))
      >>> counts
      Array([1, 2], dtype=int32)
    """
    return UniqueCounts(*unique(x, return_counts=True, equal_nan=False, size=size, fill_value=fill_value))


def unique_inverse(x: Any, /, *, size: int | None = None, fill_value: Any = None) -> UniqueInverse:
    """Different elements with the inverse; every NaN counts.

    Example:
      >>> import fungrad.numpy as jnp
      >>> values, inverse = jnp.unique_inverse(jnp.array([3, 1, 3]))
      >>> inverse
      Array([1, 0, 1], dtype=int32)
    """
    return UniqueInverse(*unique(x, return_inverse=True, equal_nan=False, size=size, fill_value=fill_value))


def unique_values(x: Any, /, *, size: int | None = None, fill_value: Any = None) -> Array:
    """Different elements; every NaN counts.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.unique_values(jnp.array([3, 1, 3]))
      Array([1, 3], dtype=int32)
    """
    return unique(x, equal_nan=False, size=size, fill_value=fill_value)


# -- combinations ------------------------------------------------------------------------------------------------------


def _two(api: str, ar1: Any, ar2: Any) -> list[Array]:
    return [ravel(x) for x in promote_dtypes(api, raw_operand(ar1, api, "ar1"), raw_operand(ar2, api, "ar2"))]


def _selected(values: Array, mask: Array, size: int | None, fill_value: Any, api: str) -> Array:
    """Elements of a sorted vector for which a mask holds; the smallest of them, or 0, fills."""
    at, valid = _places(mask, size, api)
    out = take_1d(values, at, 0) if values.aval.shape[0] else creation.zeros(len(at), values.aval.dtype)
    if valid is None:
        return out
    fill = creation.asarray(0 if fill_value is None else fill_value, values.aval.dtype)
    if fill_value is None and out.aval.shape[0]:
        fill = where(slice_in_dim(valid, 0, 1), slice_in_dim(out, 0, 1), fill)
    return where(valid, out, fill)


def union1d(ar1: Any, ar2: Any, *, size: int | None = None, fill_value: Any = None) -> Array:
    """The different elements of two arrays together; see ``unique`` for ``size`` and ``fill_value``.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.union1d(jnp.array([1, 2]), jnp.array([2, 3]))
      Array([1, 2, 3], dtype=int32)
    """
    return unique(concatenate(_two("union1d", ar1, ar2)), size=size, fill_value=fill_value)


def setdiff1d(
    ar1: Any, ar2: Any, assume_unique: bool = False, *, size: int | None = None, fill_value: Any = None
) -> Array:
    """The different elements of ``ar1`` that ``ar2`` does not have.

    Args:
      ar1: array.
      ar2: array.
      assume_unique: promise that the elements of ``ar1`` differ: they keep their order.
      size: number of results, needed for traced arrays.
      fill_value: what to fill with, by default 0.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.setdiff1d(jnp.array([4, 1, 2]), jnp.array([2]))
      Array([1, 4], dtype=int32)
    """
    x, y = operand(ar1, "setdiff1d", "ar1"), operand(ar2, "setdiff1d", "ar2")
    x = ravel(x)
    fill_value = 0 if fill_value is None else fill_value
    if assume_unique:
        return _selected(x, comparisons.isin(x, y, invert=True), size, fill_value, "setdiff1d")
    rows, first, _ = _sort_rows(x, True)
    mask = ufuncs.logical_and(first, comparisons.isin(rows, y, invert=True))
    return _selected(rows, mask, size, fill_value, "setdiff1d")


def setxor1d(
    ar1: Any, ar2: Any, assume_unique: bool = False, *, size: int | None = None, fill_value: Any = None
) -> Array:
    """The different elements that only one of two arrays has; fills with the smallest of them. See ``setdiff1d``.

    With ``assume_unique``, what occurs twice in one array is left out too, as by NumPy.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.setxor1d(jnp.array([1, 2, 3]), jnp.array([2, 3, 4]))
      Array([1, 4], dtype=int32)
    """
    x, y = _two("setxor1d", ar1, ar2)
    both = concatenate([x, y])
    rows, first, order = _sort_rows(both, True)
    if assume_unique and rows.aval.shape[0]:
        next_differs = joining.concatenate([slice_in_dim(first, 1, None), creation.ones(1, bool)], 0)
        alone = ufuncs.logical_and(first, next_differs)
        return _selected(rows, alone, size, fill_value, "setxor1d")
    alone = ufuncs.not_equal(comparisons.isin(rows, x), comparisons.isin(rows, y))
    chosen = ufuncs.logical_and(first, alone)
    if dtypes.is_inexact(rows.aval.dtype) and rows.aval.shape[0]:
        # All NaN of an array are one element, which is in no other array: there are as many as arrays with NaN, and
        # they come last.
        nan = ufuncs.isnan(rows)
        begin = ufuncs.logical_and(nan, first)
        twice = ufuncs.logical_and(reductions.any(ufuncs.isnan(x)), reductions.any(ufuncs.isnan(y)))
        second = concatenate([np.zeros(1, bool), slice_in_dim(begin, 0, begin.aval.shape[0] - 1)])
        chosen = where(nan, ufuncs.logical_or(begin, ufuncs.logical_and(second, twice)), chosen)
    return _selected(rows, chosen, size, fill_value, "setxor1d")


def intersect1d(
    ar1: Any, ar2: Any, assume_unique: bool = False, return_indices: bool = False, *, size: int | None = None,
    fill_value: Any = None,
) -> Any:  # fmt: skip
    """The different elements that two arrays have in common.

    Args:
      ar1: array.
      ar2: array.
      assume_unique: promise that no array has an element twice. What occurs twice in one is taken for common otherwise,
        and positions mean nothing then, as by NumPy.
      return_indices: return also the first position of each in ``ar1`` and in ``ar2``.
      size: number of results, needed for traced arrays.
      fill_value: what to fill with, by default the smallest element of the result; positions are filled with the sizes
        of the arrays.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.intersect1d(jnp.array([3, 1, 2]), jnp.array([2, 3]))
      Array([2, 3], dtype=int32)
    """
    x, y = _two("intersect1d", ar1, ar2)
    if assume_unique:
        return _equal_neighbours(x, y, return_indices, size, fill_value)
    rows, first, order = _sort_rows(x, True)
    mask = ufuncs.logical_and(first, comparisons.isin(rows, y))
    out = _selected(rows, mask, size, fill_value, "intersect1d")
    if not return_indices:
        return out
    at, valid = _places(mask, size, "intersect1d")
    n, m = x.aval.shape[0], y.aval.shape[0]
    index = dtypes.position_dtype(max(n, m))
    in_x = take_1d(order, at, 0) if n else creation.zeros(len(at), index)
    if n and m:
        by_y = argsort(y)
        found = take_1d(x, in_x, 0)
        place = ufuncs.minimum(searchsorted(take_1d(y, by_y, 0), found), m - 1)
        in_y = take_1d(by_y, place, 0)
    else:
        in_y = creation.zeros_like(in_x)
    if valid is not None:
        in_x = where(valid, in_x, scalar_array(n, index))
        in_y = where(valid, in_y, scalar_array(m, index))
    return out, in_x, in_y


def _equal_neighbours(x: Array, y: Array, return_indices: bool, size: int | None, fill_value: Any) -> Any:
    """What two arrays without repetitions have in common: elements that follow one another when all are sorted."""
    rows, first, order = _sort_rows(concatenate([x, y]), False)
    n, m = x.aval.shape[0], y.aval.shape[0]
    last = max(n + m - 1, 0)
    mask = ufuncs.logical_not(slice_in_dim(first, min(n + m, 1), None))
    out = _selected(slice_in_dim(rows, 0, last), mask, size, fill_value, "intersect1d")
    if not return_indices:
        return out
    at, valid = _places(mask, size, "intersect1d")
    index = dtypes.position_dtype(max(n, m))
    if last:
        in_x, in_y = take_1d(order, at, 0), ufuncs.subtract(take_1d(order, ufuncs.add(at, 1), 0), n)
    else:
        in_x = in_y = creation.zeros(len(at), index)
    if valid is not None:
        in_x, in_y = where(valid, in_x, scalar_array(n, index)), where(valid, in_y, scalar_array(m, index))
    return out, in_x, in_y


__all__ = [
    "intersect1d",
    "setdiff1d",
    "setxor1d",
    "union1d",
    "unique",
    "unique_all",
    "unique_counts",
    "unique_inverse",
    "unique_values",
]
