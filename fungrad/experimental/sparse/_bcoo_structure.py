"""Structure of ``BCOO`` arrays: sums over dimensions, their order and sizes, parts, and joining."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any

import fungrad.numpy as jnp
from fungrad import lax
from fungrad.core.arguments import integers
from fungrad.experimental.sparse._base import columns, dims_of, in_bounds, require
from fungrad.experimental.sparse._bcoo_layout import batch_to_sparse, bcoo_update_layout, occupied
from fungrad.experimental.sparse._coordinates import Coordinates, Coords, flags


def bcoo_concatenate_entries(parts: Sequence[Coords]) -> Coords:
    """Sum of arrays of one shape and layout: all their elements."""
    n = parts[0].n_batch
    dtype = jnp.result_type(*[p.data.dtype for p in parts])
    batch = parts[0].shape[:n]
    data = [jnp.broadcast_to(p.data, (*batch, *p.data.shape[n:])).astype(dtype) for p in parts]
    indices = [jnp.broadcast_to(p.indices, (*batch, *p.indices.shape[n:])) for p in parts]
    return parts[0].with_(jnp.concatenate(data, n), jnp.concatenate(indices, n))


def bcoo_reduce_sum(mat: Coords, *, axes: Sequence[int]) -> Coords:
    """Sum over dimensions.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad.experimental import sparse
      >>> m = sparse.BCOO.fromdense(jnp.array([[1.0, 0.0, 2.0], [0.0, 3.0, 0.0]]))
      >>> print(sparse.bcoo_reduce_sum(m, axes=[1]).todense())
      [3. 3.]
    """
    for d in sorted(set(dims_of("bcoo_reduce_sum", "axes", axes, mat.ndim)), reverse=True):
        n, k = mat.n_batch, mat.n_sparse
        if d >= n + k:
            rest = mat.shape[:d] + mat.shape[d + 1 :]
            mat = mat.with_(mat.data.sum(axis=d - k + 1).astype(mat.dtype), shape=rest, **flags(mat))
            continue
        if d < n:
            mat = batch_to_sparse(mat, d)
            n = d = n - 1
        # Padding must not be taken for an element when the dimension that shows it is gone.
        inside = in_bounds(mat.indices, mat._sparse_shape)
        data = jnp.where(jnp.expand_dims(inside, tuple(range(inside.ndim, mat.data.ndim))), mat.data, 0)
        kept = [c for c in range(mat.n_sparse) if c != d - n]
        rest = mat.shape[:d] + mat.shape[d + 1 :]
        mat = mat.with_(data, mat.indices[..., jnp.array(kept, int)], shape=rest)
    return mat


def bcoo_transpose(mat: Coords, *, permutation: Sequence[int]) -> Coords:
    """The array with its dimensions in another order.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad.experimental import sparse
      >>> m = sparse.BCOO.fromdense(jnp.array([[1.0, 0.0, 2.0], [0.0, 3.0, 0.0]]))
      >>> print(sparse.bcoo_transpose(m, permutation=(1, 0)).todense())
      [[1. 0.]
       [0. 3.]
       [2. 0.]]
    """
    order = tuple(map(operator.index, permutation))
    if sorted(order) != list(range(mat.ndim)):
        raise ValueError(
            f"fungrad.experimental.sparse.bcoo_transpose: {order} is no permutation of {mat.ndim} dimensions"
        )
    n, k = mat.n_batch, mat.n_sparse
    parts = order[:n], order[n : n + k], order[n + k :]
    limits = ((0, n), (n, n + k), (n + k, mat.ndim))
    if any(not low <= d < high for part, (low, high) in zip(parts, limits, strict=True) for d in part):
        raise NotImplementedError(
            "fungrad.experimental.sparse.bcoo_transpose: batch, sparse and dense dimensions must stay among "
            "themselves, "
            f"got permutation {order} for n_batch={n}, n_sparse={k}; use update_layout"
        )
    batch, sparse, dense = parts
    data = jnp.transpose(mat.data, [*batch, n, *[d - k + 1 for d in dense]])
    indices = jnp.transpose(mat.indices, [*batch, n, n + 1])[..., jnp.array([d - n for d in sparse], int)]
    return mat.with_(data, indices, [mat.shape[d] for d in order], unique_indices=mat.unique_indices)


def bcoo_reshape(mat: Coords, *, new_sizes: Sequence[int], dimensions: Any = None, sharding: Any = None) -> Coords:
    """The array with another shape; batch and dense dimensions stay.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad.experimental import sparse
      >>> m = sparse.BCOO.fromdense(jnp.array([[1.0, 0.0, 2.0], [0.0, 3.0, 0.0]]))
      >>> print(sparse.bcoo_reshape(m, new_sizes=(3, 2)).todense())
      [[1. 0.]
       [2. 0.]
       [3. 0.]]
    """
    new = tuple(map(operator.index, new_sizes))
    if dimensions is not None and tuple(dimensions) != tuple(range(mat.ndim)):
        mat = bcoo_transpose(mat, permutation=dimensions)
    if math.prod(new) != mat.size:
        raise TypeError(
            f"fungrad.experimental.sparse.bcoo_reshape: {mat.shape} and {new} have different numbers of elements"
        )
    n, dense = mat.n_batch, mat.n_dense
    end = len(new) - dense
    if new[:n] != mat.shape[:n] or new[end:] != mat.shape[mat.ndim - dense :] or end < n:
        mat, n, dense, end = bcoo_update_layout(mat, n_batch=0, n_dense=0), 0, 0, len(new)
    old, sparse = mat._sparse_shape, new[n:end]
    inside = in_bounds(mat.indices, old)
    if not mat.size:
        return mat._empty(new, dtype=mat.dtype, n_batch=n, n_dense=dense)
    linear = jnp.ravel_multi_index(columns(mat.indices), old, mode="clip") if old else jnp.zeros_like(inside, dtype=int)
    rows = jnp.unravel_index(linear, sparse) if sparse else ()
    indices = (
        jnp.stack(rows, -1).astype(mat.indices.dtype) if rows else jnp.zeros((*inside.shape, 0), mat.indices.dtype)
    )
    if rows:
        indices = jnp.where(inside[..., None], indices, jnp.array(sparse, indices.dtype))
        data = mat.data
    else:
        data = jnp.where(jnp.expand_dims(inside, tuple(range(inside.ndim, mat.data.ndim))), mat.data, 0)
    return mat.with_(data, indices, new, **flags(mat))


def bcoo_squeeze(arr: Coords, *, dimensions: Sequence[int]) -> Coords:
    """The array without dimensions of size 1.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad.experimental import sparse
      >>> m = sparse.BCOO.fromdense(jnp.array([[1.0, 0.0, 2.0], [0.0, 3.0, 0.0]]))
      >>> print(sparse.bcoo_squeeze(m[:1], dimensions=[0]).shape)
      (3,)
    """
    gone = set(dims_of("bcoo_squeeze", "dimensions", dimensions, arr.ndim))
    if any(arr.shape[d] != 1 for d in gone):
        raise ValueError(
            f"fungrad.experimental.sparse.bcoo_squeeze: dimensions must have size 1, got {sorted(gone)} of {arr.shape}"
        )
    n, k = arr.n_batch, arr.n_sparse
    kept = jnp.array([d for d in range(k) if d + n not in gone], int)
    inside = in_bounds(arr.indices, arr._sparse_shape)
    sizes = [arr.shape[n + d] for d in range(k) if d + n not in gone]
    indices = jnp.where(inside[..., None], arr.indices[..., kept], jnp.array(sizes, arr.indices.dtype))
    data = jnp.where(jnp.expand_dims(inside, tuple(range(inside.ndim, arr.data.ndim))), arr.data, 0)
    data = jnp.squeeze(data, tuple([d if d < n else d - k + 1 for d in gone if d < n or d >= n + k]))
    indices = jnp.squeeze(indices, tuple([d for d in gone if d < n]))
    return arr.with_(data, indices, [s for d, s in enumerate(arr.shape) if d not in gone], **flags(arr))


def bcoo_slice(
    mat: Coords, *, start_indices: Sequence[int], limit_indices: Sequence[int], strides: Sequence[int] | None = None
) -> Coords:
    """A part of the array, as ``lax.slice``; elements outside become padding.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad.experimental import sparse
      >>> m = sparse.BCOO.fromdense(jnp.array([[1.0, 0.0, 2.0], [0.0, 3.0, 0.0]]))
      >>> print(sparse.bcoo_slice(m, start_indices=(0, 0), limit_indices=(2, 2)).todense())
      [[1. 0.]
       [0. 3.]]
    """
    api = "fungrad.experimental.sparse.bcoo_slice"
    steps = [1] * mat.ndim if strides is None else list(integers(api, "strides", strides, least=1))
    starts = list(integers(api, "start_indices", start_indices, least=0))
    limits = list(integers(api, "limit_indices", limit_indices, least=0))
    if not (len(starts) == len(limits) == len(steps) == mat.ndim) or any(
        not a <= b <= n for a, b, n in zip(starts, limits, mat.shape, strict=True)
    ):
        raise ValueError(
            f"{api}: start_indices, limit_indices and strides must have one entry for each dimension of {mat.shape}, "
            f"with 0 <= start <= limit <= size, got {tuple(starts)}, {tuple(limits)} and {tuple(steps)}"
        )
    sizes = [max(0, -(-(b - a) // s)) for a, b, s in zip(starts, limits, steps, strict=True)]
    n, k = mat.n_batch, mat.n_sparse

    def cut(x: Any, dims: Any) -> Any:
        keys = [slice(None)] * x.ndim
        for d, own in dims:
            if x.shape[own] == mat.shape[d]:
                keys[own] = slice(starts[d], limits[d], steps[d])
        return x[tuple(keys)]

    data = cut(mat.data, [(d, d) for d in range(n)] + [(d, d - k + 1) for d in range(n + k, mat.ndim)])
    indices = cut(mat.indices, [(d, d) for d in range(n)])
    inner = slice(n, n + k)
    begin, step, size = (jnp.array(v[inner], indices.dtype) for v in (starts, steps, sizes))
    moved = indices - begin
    inside = ((moved >= 0) & (moved % step == 0) & (moved // step < size) & (indices < _sizes(mat, indices))).all(-1)
    indices = jnp.where(inside[..., None], moved // step, size)
    data = jnp.where(jnp.expand_dims(inside, tuple(range(inside.ndim, data.ndim))), data, 0)
    return mat.with_(data, indices, sizes, unique_indices=mat.unique_indices)


def _sizes(mat: Coordinates, indices: Any) -> Any:
    return jnp.array(mat._sparse_shape, indices.dtype)


def bcoo_dynamic_slice(mat: Coords, start_indices: Sequence[Any], slice_sizes: Sequence[int]) -> Coords:
    """A part of a size known beforehand, as ``lax.dynamic_slice``, of an array without batch and dense dimensions.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad.experimental import sparse
      >>> m = sparse.BCOO.fromdense(jnp.array([[1.0, 0.0, 2.0], [0.0, 3.0, 0.0]]))
      >>> print(sparse.bcoo_dynamic_slice(m, (0, 1), (2, 2)).todense())
      [[0. 2.]
       [3. 0.]]
    """
    if mat.n_batch or mat.n_dense:
        raise NotImplementedError(
            "fungrad.experimental.sparse.bcoo_dynamic_slice: n_batch and n_dense must be 0; use update_layout"
        )
    api = "fungrad.experimental.sparse.bcoo_dynamic_slice"
    lengths = integers(api, "slice_sizes", slice_sizes, least=0)
    if (
        len(lengths) != mat.ndim
        or len(start_indices) != mat.ndim
        or any(a > n for a, n in zip(lengths, mat.shape, strict=True))
    ):
        raise ValueError(
            f"{api}: start_indices and slice_sizes must have one entry for each dimension of {mat.shape}, and sizes be "
            f"no larger, got {len(start_indices)} starts and {lengths}"
        )
    sizes = jnp.array(slice_sizes, mat.indices.dtype)
    starts = jnp.clip(
        jnp.stack([jnp.asarray(s, mat.indices.dtype) for s in start_indices]), 0, _sizes(mat, sizes) - sizes
    )
    moved = mat.indices - starts
    inside = ((moved >= 0) & (moved < sizes)).all(-1)
    indices = jnp.where(inside[:, None], moved, sizes)
    return mat.with_(jnp.where(inside, mat.data, 0), indices, slice_sizes, unique_indices=mat.unique_indices)


def bcoo_rev(operand: Coords, dimensions: Sequence[int]) -> Coords:
    """The array with the order along dimensions reversed.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad.experimental import sparse
      >>> m = sparse.BCOO.fromdense(jnp.array([[1.0, 0.0, 2.0], [0.0, 3.0, 0.0]]))
      >>> print(sparse.bcoo_rev(m, dimensions=(0,)).todense())
      [[0. 3. 0.]
       [1. 0. 2.]]
    """
    n, k = operand.n_batch, operand.n_sparse
    chosen = set(dims_of("bcoo_rev", "dimensions", dimensions, operand.ndim))
    data = lax.rev(operand.data, [d if d < n else d - k + 1 for d in chosen if d < n or d >= n + k])
    indices = lax.rev(operand.indices, [d for d in chosen if d < n])
    inside = in_bounds(indices, operand._sparse_shape)
    flipped = [
        _sizes(operand, indices)[d] - 1 - indices[..., d] if d + n in chosen else indices[..., d] for d in range(k)
    ]
    if k:
        indices = jnp.where(inside[..., None], jnp.stack(flipped, -1), _sizes(operand, indices))
    return operand.with_(data, indices, operand.shape, unique_indices=operand.unique_indices)


def bcoo_concatenate(operands: Sequence[Coords], *, dimension: int) -> Coords:
    """Arrays joined along a dimension.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad.experimental import sparse
      >>> m = sparse.BCOO.fromdense(jnp.array([[1.0, 0.0, 2.0], [0.0, 3.0, 0.0]]))
      >>> print(sparse.bcoo_concatenate([m, m], dimension=0).shape)
      (4, 3)
    """
    api = "bcoo_concatenate"
    if not operands:
        raise ValueError(f"fungrad.experimental.sparse.{api}: operands must have one array at least")
    for i, m in enumerate(operands):
        require(api, f"operands[{i}]", m, Coordinates, "BCOO")
    first = operands[0]
    (dimension,) = dims_of(api, "dimension", dimension, first.ndim)
    for i, m in enumerate(operands):
        if m.ndim != first.ndim or any(
            a != b for d, (a, b) in enumerate(zip(m.shape, first.shape, strict=True)) if d != dimension
        ):
            raise ValueError(
                f"fungrad.experimental.sparse.{api}: shapes must agree but for dimension {dimension}, got "
                f"{first.shape} and operands[{i}] of shape {m.shape}"
            )
    n, k = first.n_batch, first.n_sparse
    if len({(m.n_batch, m.n_sparse, m.n_dense) for m in operands}) > 1:
        raise ValueError("fungrad.experimental.sparse.bcoo_concatenate: arrays must have one layout")
    shape = list(first.shape)
    shape[dimension] = sum(m.shape[dimension] for m in operands)
    if not n <= dimension < n + k:
        dense = jnp.concatenate([m.todense() for m in operands], dimension)
        present = jnp.concatenate([occupied(m) for m in operands], dimension)
        nse = (max if dimension < n else sum)(m.nse for m in operands)
        return first._of_dense(dense, present, nse, n, first.n_dense, first.indices.dtype)
    offset, parts = 0, []
    target = jnp.array(shape[n : n + k], first.indices.dtype)
    for m in operands:
        inside = in_bounds(m.indices, m._sparse_shape)
        shift = jnp.zeros(k, m.indices.dtype).at[dimension - n].set(offset)
        parts.append(m.with_(indices=jnp.where(inside[..., None], m.indices + shift, target), shape=shape))
        offset += m.shape[dimension]
    out = bcoo_concatenate_entries(parts)
    return out.with_(unique_indices=all(m.unique_indices for m in operands))


def bcoo_broadcast_in_dim(
    mat: Coords, *, shape: Sequence[int], broadcast_dimensions: Sequence[int], sharding: Any = None
) -> Coords:
    """The array repeated along new dimensions and those of size 1, as ``lax.broadcast_in_dim``.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad.experimental import sparse
      >>> m = sparse.BCOO.fromdense(jnp.array([[1.0, 0.0, 2.0], [0.0, 3.0, 0.0]]))
      >>> print(sparse.bcoo_broadcast_in_dim(m, shape=(2, 2, 3), broadcast_dimensions=(1, 2)).shape)
      (2, 2, 3)
    """
    if mat.n_batch or mat.n_dense:
        mat = bcoo_update_layout(mat, n_batch=0, n_dense=0)
    api = "fungrad.experimental.sparse.bcoo_broadcast_in_dim"
    shape = integers(api, "shape", shape, least=0)
    dims = dims_of("bcoo_broadcast_in_dim", "broadcast_dimensions", broadcast_dimensions, len(shape))
    if len(dims) != mat.ndim or any(n not in (1, shape[d]) for n, d in zip(mat.shape, dims, strict=True)):
        raise ValueError(
            f"{api}: broadcast_dimensions must name a dimension of {shape} for each one of {mat.shape}, of the same "
            f"size unless that is 1, got {dims}"
        )
    inside = in_bounds(mat.indices, mat.shape)
    rows = [jnp.zeros(mat.nse, mat.indices.dtype) for _ in shape]
    for own, d in enumerate(dims):
        rows[d] = mat.indices[:, own]
    repeated = [d for d, s in enumerate(shape) if s != 1 and (d not in dims or mat.shape[dims.index(d)] == 1)]
    data = mat.data
    for d in repeated:
        count, nse = shape[d], data.shape[0]
        data, inside = jnp.repeat(data, count), jnp.repeat(inside, count)
        rows = [jnp.repeat(r, count) for r in rows]
        rows[d] = jnp.tile(jnp.arange(count, dtype=mat.indices.dtype), nse)
    indices = jnp.where(inside[:, None], jnp.stack(rows, -1), jnp.array(shape, mat.indices.dtype))
    return mat.with_(jnp.where(inside, data, 0), indices, shape, unique_indices=mat.unique_indices)


def bcoo_gather(
    operand: Coords, start_indices: Any, dimension_numbers: Any, slice_sizes: Any, **options: Any
) -> Coords:
    """``lax.gather`` of a sparse array; computed densely."""
    taken, present = [
        lax.gather(x, start_indices, dimension_numbers, slice_sizes, **options)
        for x in (operand.todense(), occupied(operand))
    ]
    return operand._of_dense(taken, present, None, 0, 0, operand.indices.dtype)
