"""Order: sorting, partitions, search in sorted arrays.

May import ``core``, ``ops``, ``numpy._promotion`` and the modules of ``numpy`` before it.
"""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np

from fungrad.core import dtypes
from fungrad.core.array import Array
from fungrad.numpy import creation, division, ufuncs
from fungrad.numpy._promotion import ScalarRangeError, cast, operand, promote_dtypes, raw_operand, requested_dtype
from fungrad.numpy.manipulation import expand_dims, ravel, reshape, take_1d
from fungrad.numpy.selection import where
from fungrad.ops import foundation, joining, shape as shape_ops, sort as lax_sort
from fungrad.ops.cumulative import cumsum as lax_cumsum
from fungrad.ops.shape import canonical_axis


def _sortable(api: str, a: Any, axis: int | None, kind: Any, order: Any) -> tuple[Array, int]:
    if kind is not None:
        raise TypeError(f"fungrad.numpy.{api}: kind= is not supported; choose with stable=")
    if order is not None:
        raise TypeError(f"fungrad.numpy.{api}: order= is not supported, arrays have no fields")
    a = operand(a, api, "a")
    if axis is None:
        return ravel(a), 0
    return a, canonical_axis(f"fungrad.numpy.{api}", operator.index(axis), a.aval.ndim)


def sort(
    a: Any,
    axis: int | None = -1,
    *,
    kind: None = None,
    order: None = None,
    stable: bool = True,
    descending: bool = False,
) -> Array:
    """Elements in ascending order along an axis; NaN comes last.

    Args:
      a: array.
      axis: axis; None sorts the flattened array.
      kind: must be None.
      order: must be None.
      stable: keep the order of equal elements.
      descending: sort in descending order, NaN first.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.sort(jnp.array([3, 1, 2]))
      Array([1, 2, 3], dtype=int32)
    """
    a, axis = _sortable("sort", a, axis, kind, order)
    out = lax_sort.sort(a, axis, is_stable=stable)
    return shape_ops.rev(out, (axis,)) if descending else out


def argsort(
    a: Any, axis: int | None = -1, *, kind: None = None, order: None = None, stable: bool = True,
    descending: bool = False,
    dtype: Any = None,
) -> Array:  # fmt: skip
    """Positions of the elements in ascending order along an axis; see ``sort``.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.argsort(jnp.array([3, 1, 2]))
      Array([1, 2, 0], dtype=int32)
    """
    a, axis = _sortable("argsort", a, axis, kind, order)
    found = requested_dtype(dtype, "argsort")
    found = dtypes.position_dtype(a.aval.shape[axis]) if found is None else found
    places = shape_ops.broadcasted_iota(found, a.aval.shape, axis)
    if not descending:
        return lax_sort.sort((a, places), axis, is_stable=stable, num_keys=1)[1]
    # Reversed before and after, so that equal elements keep their order.
    backward = (shape_ops.rev(a, (axis,)), shape_ops.rev(places, (axis,)))
    return shape_ops.rev(lax_sort.sort(backward, axis, is_stable=stable, num_keys=1)[1], (axis,))


def sort_complex(a: Any) -> Array:
    """Elements as complex numbers, ordered by real, then imaginary part, along the last axis.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.sort_complex(jnp.array([2 + 1j, 1 + 3j, 1 + 2j]))
      Array([1.+2.j, 1.+3.j, 2.+1.j], dtype=complex64)
    """
    out = sort(a)
    return cast(out, dtypes.to_complex_dtype(out.aval.dtype))


def lexsort(keys: Any, axis: int = -1) -> Array:
    """Positions that sort by several keys, of which the last counts most.

    Args:
      keys: sequence of arrays of one shape, or array whose rows are the keys.
      axis: axis along which to sort.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.lexsort((jnp.array([2, 1, 0]), jnp.array([1, 0, 1])))
      Array([1, 2, 0], dtype=int32)
    """
    if isinstance(keys, (Array, np.ndarray)):
        keys = joining.unstack(operand(keys, "lexsort", "keys"))
    xs = [operand(k, "lexsort", f"keys[{i}]") for i, k in enumerate(keys)]
    if not xs:
        raise TypeError("fungrad.numpy.lexsort: need at least one key")
    if any(x.aval.shape != xs[0].aval.shape for x in xs):
        raise ValueError(f"fungrad.numpy.lexsort: keys must have one shape, got {[x.aval.shape for x in xs]}")
    if not xs[0].aval.ndim:
        return creation.zeros((), dtypes.default_int())
    axis = canonical_axis("fungrad.numpy.lexsort", axis, xs[0].aval.ndim)
    places = shape_ops.broadcasted_iota(dtypes.position_dtype(xs[0].aval.shape[axis]), xs[0].aval.shape, axis)
    return lax_sort.sort((*xs[::-1], places), axis, num_keys=len(xs))[-1]


def _check_kth(api: str, a: Array, kth: int, axis: int) -> None:
    n = a.aval.shape[axis]
    if not -n <= operator.index(kth) < n:
        raise ValueError(f"fungrad.numpy.{api}: kth must be in [{-n}, {n}), got {kth}")


def partition(a: Any, kth: int, axis: int = -1) -> Array:
    """Elements arranged so that the one of rank ``kth`` is in place, smaller ones before and larger ones after it.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.partition(jnp.array([5, 1, 4]), 1)[1]
      Array(4, dtype=int32)
    """
    x = operand(a, "partition", "a")
    _check_kth("partition", x, kth, canonical_axis("fungrad.numpy.partition", axis, x.aval.ndim))
    return sort(x, axis)


def argpartition(a: Any, kth: int, axis: int = -1) -> Array:
    """Positions of the elements arranged as by ``partition``.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.argpartition(jnp.array([5, 1, 4]), 0)[0]
      Array(1, dtype=int32)
    """
    x = operand(a, "argpartition", "a")
    _check_kth("argpartition", x, kth, canonical_axis("fungrad.numpy.argpartition", axis, x.aval.ndim))
    return argsort(x, axis)


# -- search ------------------------------------------------------------------------------------------------------------


def searchsorted(a: Any, v: Any, side: str = "left", sorter: Any = None, *, method: str = "scan") -> Array:
    """Positions at which values must be inserted into a sorted vector to keep it sorted.

    Args:
      a: vector in ascending order, NaN last.
      v: values.
      side: ``left``: before equal elements; ``right``: behind them.
      sorter: positions that sort ``a``, if it is not sorted.
      method: ``scan`` and ``scan_unrolled`` search by bisection, ``sort`` by sorting both together, ``compare_all`` by
        comparing each value with each element. The result is the same.

    Returns:
      Integer array of the shape of ``v``.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.searchsorted(jnp.array([1, 2, 2, 3]), jnp.array([2, 9]))
      Array([1, 4], dtype=int32)
    """
    if side not in ("left", "right"):
        raise ValueError(f"fungrad.numpy.searchsorted: side must be 'left' or 'right', got {side!r}")
    if method not in ("scan", "scan_unrolled", "sort", "compare_all"):
        raise ValueError(
            f"fungrad.numpy.searchsorted: method must be 'scan', 'scan_unrolled', 'sort' or 'compare_all', got "
            f"{method!r}"
        )
    a, v = operand(a, "searchsorted", "a"), raw_operand(v, "searchsorted", "v")
    try:
        a, v = promote_dtypes("searchsorted", a, v)
    except ScalarRangeError as error:
        # Before or behind all elements.
        place = a.aval.size if error.value > 0 else 0
        return creation.full(np.shape(v), place, dtypes.short_position_dtype(a.aval.size))
    if a.aval.ndim != 1:
        raise ValueError(f"fungrad.numpy.searchsorted: a must have one dimension, got {a.aval.str_short()}")
    if sorter is not None:
        a = take_1d(a, operand(sorter, "searchsorted", "sorter"), 0)
    n = a.aval.shape[0]
    index = dtypes.short_position_dtype(n)
    if n == 0:
        return creation.zeros(v.aval.shape, index)
    if method == "compare_all":
        return _compare_all(a, v, side, index)
    if method == "sort":
        return _by_sorting(a, v, side, index)
    return _bisect(a, v, side, index)


def _before(element: Array, value: Array, side: str) -> Array:
    """Whether an element belongs before the place of a value, in the order in which NaN is greatest."""
    if side == "left":
        out = ufuncs.less(element, value)
        if dtypes.is_float(value.aval.dtype):
            out = ufuncs.logical_or(
                out, ufuncs.logical_and(ufuncs.isnan(value), ufuncs.logical_not(ufuncs.isnan(element)))
            )
        return out
    out = ufuncs.less_equal(element, value)
    return ufuncs.logical_or(out, ufuncs.isnan(value)) if dtypes.is_float(value.aval.dtype) else out


def _bisect(a: Array, v: Array, side: str, index: np.dtype) -> Array:
    n = a.aval.shape[0]
    flat = ravel(v)
    low = creation.zeros(flat.aval.shape, index)
    high = creation.full(flat.aval.shape, n, index)
    for _ in range(math.ceil(math.log2(n + 1))):
        middle = ufuncs.add(low, division.floor_divide(ufuncs.subtract(high, low), 2))
        # A finished search (low == high == n) looks at the last element and stays.
        right = _before(take_1d(a, ufuncs.minimum(middle, n - 1), 0), flat, side)
        right = ufuncs.logical_and(right, ufuncs.less(low, high))
        low = where(right, ufuncs.add(middle, 1), low)
        high = where(right, high, middle)
    return reshape(low, v.aval.shape)


def _compare_all(a: Array, v: Array, side: str, index: np.dtype) -> Array:
    before = _before(
        foundation.broadcast_in_dim(a, (a.aval.shape[0],) + (1,) * v.aval.ndim, (0,)), expand_dims(v, 0), side
    )
    return foundation.reduce_sum(cast(before, index), (0,))


def _by_sorting(a: Array, v: Array, side: str, index: np.dtype) -> Array:
    """Both sorted together: the place of a value is the number of elements that come before it."""
    n, flat = a.aval.shape[0], ravel(v)
    m = flat.aval.shape[0]
    # Of equal ones, those that stand first in the joined vector come first.
    joined = joining.concatenate([flat, a] if side == "left" else [a, flat], 0)
    joint = dtypes.short_position_dtype(n + m)
    is_element = shape_ops.iota(joint, n + m)
    is_element = ufuncs.greater_equal(is_element, m) if side == "left" else ufuncs.less(is_element, n)
    order = argsort(joined, dtype=joint)
    elements_before = lax_cumsum(cast(take_1d(is_element, order, 0), index), 0)
    back = argsort(order, dtype=joint)
    mine = shape_ops.slice_in_dim(back, 0, m) if side == "left" else shape_ops.slice_in_dim(back, n, n + m)
    return reshape(take_1d(elements_before, mine, 0), v.aval.shape)


def digitize(x: Any, bins: Any, right: bool = False, *, method: str | None = None) -> Array:
    """Number of the bin in which each element lies.

    Args:
      x: array.
      bins: edges in ascending or descending order.
      right: whether bins contain their right edge instead of their left one.
      method: as in ``searchsorted``.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.digitize(jnp.array([0.5, 1.0, 7.0]), jnp.array([0.0, 1.0, 2.0]))
      Array([1, 2, 3], dtype=int32)
    """
    edges = operand(bins, "digitize", "bins")
    if edges.aval.ndim != 1:
        raise ValueError(f"fungrad.numpy.digitize: bins must have one dimension, got {edges.aval.str_short()}")
    n = edges.aval.shape[0]
    x = raw_operand(x, "digitize", "x")
    if n == 0:
        return creation.zeros(np.shape(x), dtypes.short_position_dtype(n))
    side = "left" if right else "right"
    how = method or "scan"
    upward = searchsorted(edges, x, side, method=how)
    downward = ufuncs.subtract(n, searchsorted(shape_ops.rev(edges, (0,)), x, side, method=how))
    first, last = shape_ops.index_in_dim(edges, 0, 0, False), shape_ops.index_in_dim(edges, n - 1, 0, False)
    return where(ufuncs.greater_equal(last, first), upward, downward)
