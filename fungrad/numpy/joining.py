"""Joining and cutting arrays: concatenate, stack, split, append, insert, delete and block.

May import ``core``, ``ops``, ``numpy._promotion`` and the modules of ``numpy`` before it.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from fungrad.core import dtypes
from fungrad.core.array import Array, as_array
from fungrad.core.context import Tracer
from fungrad.core.dimensions import as_size, is_symbolic, max_size, min_size
from fungrad.errors import ConcretizationTypeError, IncompatibleShapesError
from fungrad.numpy import creation, manipulation
from fungrad.numpy._index_parsing import wrapped
from fungrad.numpy._promotion import (
    cast,
    converted,
    operand,
    promote_dtypes,
    raw_operand,
    requested_dtype,
    unwrapped,
)
from fungrad.numpy.manipulation import atleast_1d, atleast_2d, atleast_3d, no_out, ravel, take_1d
from fungrad.ops import foundation, joining as lax_joining, shape as shape_ops, sort as lax_sort
from fungrad.ops.compare import clamp
from fungrad.ops.shape import canonical_axis, slice_in_dim


def _sequence(arrays: Any, dtype: Any, api: str) -> list[Array]:
    """The arrays of a sequence, or the rows of an array, with a common dtype, or ``dtype`` if there is one."""
    if isinstance(arrays, (Array, np.ndarray)):
        x = operand(arrays, api, "arrays") if dtype is None else creation.asarray(arrays, dtype)
        if x.aval.ndim == 0:
            raise ValueError(
                f"fungrad.numpy.{api}: arrays must be a sequence of arrays, got the scalar {x.aval.str_short()}"
            )
        return list(lax_joining.unstack(x))
    if not isinstance(arrays, Sequence):
        raise TypeError(f"fungrad.numpy.{api}: arrays must be a sequence of arrays, got {type(arrays).__name__}")
    if not arrays:
        raise ValueError(f"fungrad.numpy.{api}: need at least one array")
    return _common([raw_operand(a, api, f"arrays[{i}]") for i, a in enumerate(arrays)], dtype, api)


def _common(xs: Sequence[Any], dtype: Any, api: str) -> list[Array]:
    """Arrays, numbers and NumPy arrays with a common dtype, or ``dtype`` if there is one."""
    found = requested_dtype(dtype, api)
    return promote_dtypes(api, *xs) if found is None else [converted(x, found, api, "an array") for x in xs]


def concatenate(arrays: Any, axis: int | None = 0, dtype: Any = None) -> Array:
    """Arrays joined along an existing axis.

    Args:
      arrays: sequence of arrays whose shapes differ along ``axis`` only, or one array whose rows are joined.
      axis: axis along which to join; None joins the flattened arrays.
      dtype: dtype of the result, by default the common dtype.

    Raises:
      ValueError: the sequence is empty, or axis does not exist.
      TypeError: the shapes do not match.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.concatenate([jnp.arange(2), jnp.ones(1)])
      Array([0., 1., 1.], dtype=float32)
    """
    xs = _sequence(arrays, dtype, "concatenate")
    if axis is None:
        return concatenate([ravel(x) for x in xs], 0)
    if not xs[0].aval.ndim:
        raise ValueError("fungrad.numpy.concatenate: zero-dimensional arrays cannot be concatenated; use stack")
    axis = canonical_axis("fungrad.numpy.concatenate", axis, xs[0].aval.ndim)
    kept = [x.aval.shape[:axis] + x.aval.shape[axis + 1 :] for x in xs]
    for i, (x, shape) in enumerate(zip(xs, kept, strict=True)):
        if x.aval.ndim != xs[0].aval.ndim or shape != kept[0]:
            raise IncompatibleShapesError(
                f"fungrad.numpy.concatenate: arrays must agree in all dimensions but axis {axis}, got "
                f"{xs[0].aval.str_short()} and arrays[{i}] of type {x.aval.str_short()}"
            )
    return lax_joining.concatenate(xs, axis)


def concat(arrays: Sequence[Any], /, *, axis: int | None = 0) -> Array:
    """Arrays joined along an existing axis; see ``concatenate``.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.concat([jnp.array([1, 2]), jnp.array([3])])
      Array([1, 2, 3], dtype=int32)
    """
    return concatenate(arrays, axis)


def stack(arrays: Any, axis: int = 0, out: None = None, dtype: Any = None) -> Array:
    """Arrays of one shape joined along a new axis.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.stack([jnp.arange(2), jnp.arange(2)], axis=1)
      Array([[0, 0],
             [1, 1]], dtype=int32)
    """
    no_out("stack", out)
    if isinstance(arrays, (Array, np.ndarray)):
        x = operand(arrays, "stack", "arrays")
        axis = canonical_axis("fungrad.numpy.stack", axis, x.aval.ndim)
        return manipulation.moveaxis(x if dtype is None else creation.astype(x, dtype), 0, axis)
    xs = _sequence(arrays, dtype, "stack")
    for i, x in enumerate(xs):
        if x.aval.shape != xs[0].aval.shape:
            raise IncompatibleShapesError(
                f"fungrad.numpy.stack: all arrays must have one shape, got {xs[0].aval.shape} and arrays[{i}] of shape "
                f"{x.aval.shape}"
            )
    axis = canonical_axis("fungrad.numpy.stack", axis, xs[0].aval.ndim + 1)
    return lax_joining.stack(xs, axis)


def unstack(x: Any, /, *, axis: int = 0) -> tuple[Array, ...]:
    """The slices of an array along an axis.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.unstack(jnp.array([[1, 2], [3, 4]]))
      (Array([1, 2], dtype=int32), Array([3, 4], dtype=int32))
    """
    x = operand(x, "unstack", "x")
    if x.aval.ndim == 0:
        raise ValueError("fungrad.numpy.unstack: x must have at least one dimension, got a scalar")
    return lax_joining.unstack(x, axis)


def _widened(tup: Any, widen: Any, api: str, dtype: Any = None) -> list[Array]:
    return [widen(x) for x in _sequence(tup, dtype, api)]


def vstack(tup: Any, dtype: Any = None) -> Array:
    """Arrays joined as rows (axis 0).

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.vstack([jnp.array([1, 2]), jnp.array([3, 4])])
      Array([[1, 2],
             [3, 4]], dtype=int32)
    """
    return concatenate(_widened(tup, atleast_2d, "vstack", dtype), 0)


def hstack(tup: Any, dtype: Any = None) -> Array:
    """Arrays joined side by side (axis 1; axis 0 for vectors).

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.hstack([jnp.array([1, 2]), jnp.array([3])])
      Array([1, 2, 3], dtype=int32)
    """
    xs = _widened(tup, atleast_1d, "hstack", dtype)
    return concatenate(xs, 0 if xs[0].aval.ndim == 1 else 1)


def dstack(tup: Any, dtype: Any = None) -> Array:
    """Arrays joined in depth (axis 2).

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.dstack([jnp.array([1, 2]), jnp.array([3, 4])])
      Array([[[1, 3],
              [2, 4]]], dtype=int32)
    """
    return concatenate(_widened(tup, atleast_3d, "dstack", dtype), 2)


def column_stack(tup: Any) -> Array:
    """Vectors joined as columns of a matrix, next to matrices as they are.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.column_stack([jnp.array([1, 2]), jnp.array([3, 4])])
      Array([[1, 3],
             [2, 4]], dtype=int32)
    """
    xs = _widened(tup, atleast_1d, "column_stack")
    return concatenate([shape_ops.expand_dims(x, (1,)) if x.aval.ndim == 1 else x for x in xs], 1)


# -- cutting -----------------------------------------------------------------------------------------------------------


def _sections(api: str, n: int, count: int, even: bool) -> list[int]:
    """Sizes of the sections into which a dimension of size ``n`` is cut."""
    if count <= 0:
        raise ValueError(f"fungrad.numpy.{api}: the number of sections must be positive, got {count}")
    if even and n % count:
        raise ValueError(
            f"fungrad.numpy.{api}: an axis of size {n} cannot be cut into {count} equal sections; use array_split, or "
            "give positions"
        )
    small, larger = divmod(n, count)
    return [small + 1] * larger + [small] * (count - larger)


def _cut_position(position: Any, n: Any) -> Any:
    """A position at which a dimension of size ``n`` is cut, as the end of a slice."""
    if is_symbolic(position) or is_symbolic(n):
        end = as_size(position)
        return min_size(n, end if end >= 0 else max_size(0, end + n))
    return slice(None, operator.index(position)).indices(n)[1]


def _cut(api: str, ary: Any, cuts: Any, axis: int, even: bool) -> list[Array]:
    x = operand(ary, api, "ary")
    axis = canonical_axis(f"fungrad.numpy.{api}", axis, x.aval.ndim)
    n = x.aval.shape[axis]
    if isinstance(cuts, Array) and not cuts.aval.shape or np.ndim(cuts) == 0:
        return lax_joining.split(x, _sections(api, n, operator.index(cuts), even), axis)
    at = [_cut_position(c, n) for c in (cuts if isinstance(cuts, (list, tuple)) else np.asarray(cuts).tolist())]
    edges = [0, *at, n]
    if all(a <= b for a, b in zip(edges, edges[1:], strict=False)):
        return lax_joining.split(x, [b - a for a, b in zip(edges, edges[1:], strict=False)], axis)
    # Positions that go back make empty sections, as slices do.
    pairs = zip(edges, edges[1:], strict=False)
    return [slice_in_dim(x, a, max(a, b), axis=axis) for a, b in pairs]


def split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Array]:
    """An array cut along an axis.

    Args:
      ary: array.
      indices_or_sections: number of equal sections, or the positions at which to cut; must be known when tracing.
      axis: axis along which to cut.

    Raises:
      ValueError: the axis cannot be cut into that many equal sections.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.split(jnp.arange(5), [2])
      [Array([0, 1], dtype=int32), Array([2, 3, 4], dtype=int32)]
    """
    return _cut("split", ary, indices_or_sections, axis, True)


def array_split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Array]:
    """An array cut along an axis into sections that need not be equal; see ``split``.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.array_split(jnp.arange(5), 2)
      [Array([0, 1, 2], dtype=int32), Array([3, 4], dtype=int32)]
    """
    return _cut("array_split", ary, indices_or_sections, axis, False)


def vsplit(ary: Any, indices_or_sections: Any) -> list[Array]:
    """An array cut along axis 0.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.vsplit(jnp.array([[1, 2], [3, 4]]), 2)
      [Array([[1, 2]], dtype=int32), Array([[3, 4]], dtype=int32)]
    """
    return _cut("vsplit", _rank_at_least(ary, 1, "vsplit"), indices_or_sections, 0, True)


def hsplit(ary: Any, indices_or_sections: Any) -> list[Array]:
    """An array cut along axis 1 (axis 0 for vectors).

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.hsplit(jnp.array([[1, 2, 3, 4]]), 2)
      [Array([[1, 2]], dtype=int32), Array([[3, 4]], dtype=int32)]
    """
    x = _rank_at_least(ary, 1, "hsplit")
    return _cut("hsplit", x, indices_or_sections, 0 if x.aval.ndim == 1 else 1, True)


def dsplit(ary: Any, indices_or_sections: Any) -> list[Array]:
    """An array cut along axis 2.

    Example:
      >>> import fungrad.numpy as jnp
      >>> [x.shape for x in jnp.dsplit(jnp.zeros((1, 2, 4)), 2)]
      [(1, 2, 2), (1, 2, 2)]
    """
    return _cut("dsplit", _rank_at_least(ary, 3, "dsplit"), indices_or_sections, 2, True)


def _rank_at_least(ary: Any, least: int, api: str) -> Array:
    x = operand(ary, api, "ary")
    if x.aval.ndim < least:
        raise ValueError(f"fungrad.numpy.{api}: ary must have at least {least} dimensions, got {x.aval.str_short()}")
    return x


# -- insertion and removal ---------------------------------------------------------------------------------------------


def append(arr: Any, values: Any, axis: int | None = None) -> Array:
    """Values put after an array, both flattened unless an axis is given.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.append(jnp.array([1, 2]), jnp.array([[3]]))
      Array([1, 2, 3], dtype=int32)
    """
    return concatenate([raw_operand(arr, "append", "arr"), raw_operand(values, "append", "values")], axis)


def delete(arr: Any, obj: Any, axis: int | None = None, *, assume_unique_indices: bool = False) -> Array:
    """An array without the slices at some positions along an axis.

    Args:
      arr: array.
      obj: position, slice, array of positions, or mask; must be known when tracing, unless ``assume_unique_indices``.
      axis: axis; by default elements of the flattened array are removed.
      assume_unique_indices: promise that positions are distinct, so that ``obj`` may be traced.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.delete(jnp.arange(5), jnp.array([0, -1]))
      Array([1, 2, 3], dtype=int32)
    """
    a, obj = operand(arr, "delete", "arr"), unwrapped(obj)
    if axis is None:
        a, axis = ravel(a), 0
    axis = canonical_axis("fungrad.numpy.delete", axis, a.aval.ndim)
    n = a.aval.shape[axis]
    if isinstance(obj, Tracer) and (assume_unique_indices or obj.aval.ndim == 0 and obj.aval.dtype.kind in "iu"):
        return _delete_traced(a, obj, axis)
    if isinstance(obj, slice):
        positions = np.arange(n)[obj]
    else:
        positions = np.asarray(obj)
        if positions.dtype.kind == "b":
            if positions.shape != (n,):
                raise ValueError(f"fungrad.numpy.delete: a mask must have shape ({n},), got {positions.shape}")
            positions = np.flatnonzero(positions)
        elif positions.size == 0:
            positions = positions.astype(np.int64)
    flat = positions.reshape(-1)
    if flat.dtype.kind not in "iu":
        raise TypeError(f"fungrad.numpy.delete: obj must be integers, a slice or a mask, got dtype {flat.dtype}")
    if flat.size and (flat.min() < -n or flat.max() >= n):
        if positions.ndim == 0:
            raise IndexError(f"fungrad.numpy.delete: index {int(flat[0])} is out of bounds for axis {axis} of size {n}")
        flat = flat[(flat >= -n) & (flat < n)]
    keep = np.ones(n, bool)
    keep[flat] = False
    if positions.ndim == 0:
        i = int(flat[0]) % n
        return lax_joining.concatenate([slice_in_dim(a, 0, i, axis=axis), slice_in_dim(a, i + 1, n, axis=axis)], axis)
    return take_1d(a, np.flatnonzero(keep).astype(np.int32), axis)


def _delete_traced(a: Array, obj: Array, axis: int) -> Array:
    """Removal at distinct traced positions: each later element moves up by the number of removed ones before it."""
    n = a.aval.shape[axis]
    positions = manipulation.wrap_negative(ravel(obj), n)
    removed = positions.aval.shape[0]
    if removed > n:
        raise ValueError(f"fungrad.numpy.delete: cannot remove {removed} distinct positions from an axis of size {n}")
    places = shape_ops.iota(np.int32, n)
    hit = foundation.reduce_sum(
        creation.astype(shape_ops.expand_dims(places, (1,)) == shape_ops.expand_dims(positions, (0,)), np.int32), (1,)
    )
    # Kept elements first, in order: a stable sort by whether they are removed.
    order = lax_sort.sort((hit, places), num_keys=1)[1]
    return take_1d(a, slice_in_dim(order, 0, n - removed), axis)


def insert(arr: Any, obj: Any, values: Any, axis: int | None = None) -> Array:
    """An array with values put before some positions along an axis.

    Args:
      arr: array.
      obj: position, slice or array of positions in ``arr``.
      values: what to insert; broadcast, and converted to the dtype of ``arr``.
      axis: axis; by default the array is flattened first.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.insert(jnp.arange(3), 1, 9)
      Array([0, 9, 1, 2], dtype=int32)
    """
    a, obj = operand(arr, "insert", "arr"), unwrapped(obj)
    new = converted(values, a.aval.dtype, "insert", "values", a.aval.weak_type)
    if axis is None:
        a, axis = ravel(a), 0
    axis = canonical_axis("fungrad.numpy.insert", axis, a.aval.ndim)
    n = a.aval.shape[axis]
    if isinstance(obj, slice):
        if is_symbolic(n):
            raise TypeError(
                f"fungrad.numpy.insert: obj must be no slice where the size of axis {axis} is symbolic ({n}), since "
                "how much is inserted would depend on it; pass positions"
            )
        obj = np.arange(n)[obj]
    where: Any = as_array(obj) if is_symbolic(obj) else obj if isinstance(obj, Tracer) else np.asarray(obj)
    if where.dtype.kind == "b":
        if isinstance(where, Tracer):
            raise ConcretizationTypeError(
                "fungrad.numpy.insert: obj must be known when tracing if it is a mask, since the shape of the result "
                "depends on it; pass positions"
            )
        where = np.flatnonzero(where)
    elif where.size == 0:
        where = where.astype(np.int64)
    flat = where.reshape(-1)
    if flat.dtype.kind not in "iu":
        raise TypeError(f"fungrad.numpy.insert: obj must be integers, got dtype {flat.dtype}")
    known = isinstance(where, np.ndarray) and not is_symbolic(n)
    if known and where.ndim == 0 and not -n <= int(flat[0]) <= n:
        raise IndexError(f"fungrad.numpy.insert: index {int(flat[0])} is out of bounds for axis {axis} of size {n}")
    new = shape_ops.broadcast_to_rank(new, a.aval.ndim)
    if where.ndim == 0:
        # One position takes a whole block, whose first dimension runs along the axis.
        new = manipulation.moveaxis(new, 0, axis)
    k = new.aval.shape[axis] if flat.size == 1 else flat.size
    shape = list(a.aval.shape)
    shape[axis] = k
    new = creation.broadcast_to(new, tuple(shape), "insert")
    return take_1d(lax_joining.concatenate([new, a], axis), _insertion_order(flat, k, n), axis)


def _insertion_order(flat: Any, k: int, n: int) -> Any:
    """Where the slices of the result are among ``k`` new ones, for positions ``flat``, followed by ``n`` old ones."""
    if isinstance(flat, np.ndarray) and not is_symbolic(n):
        flat = np.clip(np.where(flat < 0, flat + n, flat), 0, n).astype(np.int32)
        return np.argsort(np.concatenate([np.broadcast_to(flat, (k,)), np.arange(n)]), kind="stable").astype(np.int32)
    flat = cast(as_array(flat), dtypes.int32)
    last = cast(as_array(n), dtypes.int32) if is_symbolic(n) else np.int32(n)
    flat = clamp(np.int32(0), wrapped(flat, n), last)
    keys = lax_joining.concatenate([creation.broadcast_to(flat, (k,), "insert"), creation.arange(n, dtype="int32")], 0)
    # Stable: the new slices come before the old slice at their position, in their order.
    return lax_sort.sort((keys, creation.arange(n + k, dtype="int32")), num_keys=1)[1]


# -- blocks ------------------------------------------------------------------------------------------------------------


def block(arrays: Any) -> Array:
    """An array put together from nested lists of blocks: the innermost lists along the last axis, and so on.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.block([[jnp.ones((1, 1)), jnp.zeros((1, 2))], [jnp.zeros((1, 3))]])
      Array([[1., 0., 0.],
             [0., 0., 0.]], dtype=float32)
    """
    out, depth = _block(_of_one_dtype(arrays), "arrays")
    return shape_ops.broadcast_to_rank(out, depth)


def _of_one_dtype(arrays: Any) -> Any:
    """Nested lists of blocks with a common dtype."""
    leaves: list[Any] = []

    def collect(x: Any, path: str) -> None:
        if isinstance(x, list):
            for i, e in enumerate(x):
                collect(e, f"{path}[{i}]")
        elif not isinstance(x, tuple):
            leaves.append(raw_operand(x, "block", path))

    collect(arrays, "arrays")
    if not leaves:
        return arrays
    promoted = iter(promote_dtypes("block", *leaves))

    def replaced(x: Any) -> Any:
        return [replaced(e) for e in x] if isinstance(x, list) else x if isinstance(x, tuple) else next(promoted)

    return replaced(arrays)


def _block(x: Any, path: str) -> tuple[Array, int]:
    if isinstance(x, tuple):
        raise TypeError(f"fungrad.numpy.block: {path} is a tuple; only lists nest blocks")
    if not isinstance(x, list):
        return operand(x, "block", path), 0
    if not x:
        raise ValueError(f"fungrad.numpy.block: {path} is an empty list")
    parts, depths = zip(*[_block(e, f"{path}[{i}]") for i, e in enumerate(x)], strict=True)
    if len(set(depths)) > 1:
        raise ValueError(f"fungrad.numpy.block: lists must be nested equally deep, but the elements of {path} are not")
    depth = depths[0] + 1
    rank = max(depth, *[p.aval.ndim for p in parts])
    return concatenate([shape_ops.broadcast_to_rank(p, rank) for p in parts], -depth), depth
