"""The same ``BCOO`` array in another form: dense, with indices in order or told apart, with other batch dimensions."""

from __future__ import annotations

import math
import operator
import warnings
from typing import Any

import numpy as np

import fungrad.numpy as jnp
from fungrad.core.array import Array, as_array
from fungrad.experimental.sparse._base import (
    SparseEfficiencyError,
    SparseEfficiencyWarning,
    columns,
    in_bounds,
    over_batch,
    taken,
)
from fungrad.experimental.sparse._coordinates import Coordinates, Coords, flags


def bcoo_todense(mat: Coordinates) -> Array:
    """The array with its zeros.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad.experimental import sparse
      >>> m = sparse.BCOO.fromdense(jnp.array([[1.0, 0.0, 2.0], [0.0, 3.0, 0.0]]))
      >>> print(sparse.bcoo_todense(m))
      [[1. 0. 2.]
       [0. 3. 0.]]
    """
    dense = mat.shape[mat.n_batch :]

    def one(data: Any, indices: Any) -> Any:
        zeros = jnp.zeros(dense, data.dtype)
        if not indices.shape[-1]:
            return zeros + data.sum(0).astype(data.dtype)
        return zeros.at[columns(indices)].add(data, mode="drop")

    out = over_batch(one, mat.n_batch, mat.data, mat.indices)
    return jnp.broadcast_to(out, mat.shape)


def bcoo_extract(sparr: Coords, arr: Any, *, assume_unique: bool | None = None) -> Coords:
    """Elements of a dense array where a sparse one has elements.

    Args:
      sparr: the sparse array.
      arr: dense array of the same shape.
      assume_unique: whether no index occurs twice; else an element is taken once.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad.experimental import sparse
      >>> m = sparse.BCOO.fromdense(jnp.array([[1.0, 0.0, 2.0], [0.0, 3.0, 0.0]]))
      >>> print(sparse.bcoo_extract(m, jnp.arange(6.0).reshape(2, 3)).data)
      [0. 2. 4.]
    """
    x = as_array(arr, "fungrad.experimental.sparse.bcoo_extract: arr")
    if x.shape != sparr.shape:
        raise ValueError(
            f"fungrad.experimental.sparse.bcoo_extract: arr must have the shape of sparr, {sparr.shape}, got {x.shape}"
        )
    data = over_batch(taken, sparr.n_batch, x, sparr.indices)
    if not (sparr.unique_indices if assume_unique is None else assume_unique):
        first = over_batch(lambda i: _is_first(i), sparr.n_batch, sparr.indices)
        data = jnp.where(jnp.expand_dims(first, tuple(range(first.ndim, data.ndim))), data, 0)
    return sparr.with_(data, **flags(sparr))


def _is_first(indices: Any) -> Any:
    """Which index vectors occur for the first time."""
    if not indices.shape[-1]:
        return jnp.arange(indices.shape[0]) == 0
    order = jnp.lexsort(columns(indices)[::-1])
    inverse = jnp.argsort(order)
    rows = indices[order]
    new = jnp.concatenate([jnp.ones(min(1, rows.shape[0]), bool), (rows[1:] != rows[:-1]).any(-1)])
    return new[inverse]


def bcoo_sort_indices(mat: Coords) -> Coords:
    """The array with its indices in order.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad.experimental import sparse
      >>> m = sparse.BCOO((jnp.array([1.0, 2.0]), jnp.array([[3], [0]])), shape=(4,))
      >>> print(sparse.bcoo_sort_indices(m).indices.ravel())
      [0 3]
    """

    def one(data: Any, indices: Any) -> Any:
        if not indices.shape[-1]:
            return data, indices
        order = jnp.lexsort(columns(indices)[::-1])
        return data[order], indices[order]

    data, indices = over_batch(one, mat.n_batch, mat.data, mat.indices)
    return mat.with_(data, indices, indices_sorted=True, unique_indices=mat.unique_indices)


def bcoo_sum_duplicates(mat: Coords, nse: int | None = None, remove_zeros: bool = True) -> Coords:
    """Elements with equal indices added up, and indices in order.

    Args:
      mat: the array.
      nse: number of elements of the result; by default as many as there are, which must be known.
      remove_zeros: whether stored zeros are dropped.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad.experimental import sparse
      >>> m = sparse.BCOO((jnp.array([1.0, 2.0]), jnp.array([[3], [3]])), shape=(4,))
      >>> print(sparse.bcoo_sum_duplicates(m).data)
      [3.]
    """
    shape = mat._sparse_shape
    if mat.n_sparse == 0:
        data = mat.data.sum(axis=mat.n_batch, keepdims=True).astype(mat.dtype)
        only = jnp.zeros((*mat.indices.shape[:-2], 1, 0), mat.indices.dtype)
        return mat.with_(data, only, indices_sorted=True, unique_indices=True)
    total = math.prod(shape)

    def place(data: Any, indices: Any) -> Any:
        kept = in_bounds(indices, shape)
        if remove_zeros:
            kept = kept & (data != 0).any(tuple(range(1, data.ndim)))
        strides = np.cumprod([1, *shape[:0:-1]])[::-1].astype(np.int64)
        wide = jnp.int64 if total >= 2**31 else jnp.int32
        linear = (indices.astype(wide) * jnp.array(strides, wide)).sum(-1).astype(wide)
        return jnp.where(kept, linear, total)

    linear = over_batch(place, mat.n_batch, mat.data, mat.indices)
    if nse is None:
        flat = np.asarray(linear._concrete("nse of bcoo_sum_duplicates: give nse, or known values"))
        rows = flat.reshape(math.prod(flat.shape[:-1]), flat.shape[-1])
        nse = max([len(np.unique(r[r < total])) for r in rows], default=0)
    count = operator.index(nse)

    def one(data: Any, linear: Any) -> Any:
        found, where = jnp.unique(linear, size=count + 1, fill_value=total, return_inverse=True)
        where = jnp.where(linear < total, where.reshape(linear.shape), count)
        summed = jnp.zeros((count + 1, *data.shape[1:]), data.dtype).at[where].add(data, mode="drop")[:count]
        found = found[:count]
        rows = jnp.stack(jnp.unravel_index(jnp.minimum(found, total - 1), shape), -1).astype(mat.indices.dtype)
        padding = jnp.array(shape, mat.indices.dtype)
        inside = found < total
        rows = jnp.where(inside[:, None], rows, padding)
        return jnp.where(jnp.expand_dims(inside, tuple(range(1, summed.ndim))), summed, 0), rows

    if total == 0:
        return mat._empty(mat.shape, dtype=mat.dtype, n_batch=mat.n_batch, n_dense=mat.n_dense, nse=count)
    data, indices = over_batch(one, mat.n_batch, mat.data, linear)
    return mat.with_(data, indices, indices_sorted=True, unique_indices=True)


def bcoo_eliminate_zeros(mat: Coords, nse: int | None = None) -> Coords:
    """The array without stored zeros."""
    return bcoo_sum_duplicates(mat, nse=nse, remove_zeros=True)


def bcoo_update_layout(
    mat: Coords, *, n_batch: int | None = None, n_dense: int | None = None, on_inefficient: str | None = "error"
) -> Coords:
    """The array with other numbers of batch and dense dimensions.

    Args:
      mat: sparse array.
      n_batch, n_dense: the numbers; by default those of ``mat``.
      on_inefficient: what happens where all positions of new batch or dense dimensions, zeros included, will be stored:
        ``"error"``, ``"warn"`` or None.

    Raises:
      ValueError: there are not so many dimensions.
      SparseEfficiencyError: zeros would be stored, and ``on_inefficient`` is ``"error"``.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad.experimental import sparse
      >>> m = sparse.BCOO.fromdense(jnp.array([[1.0, 0.0, 2.0], [0.0, 3.0, 0.0]]))
      >>> sparse.bcoo_update_layout(m, n_dense=1, on_inefficient=None).n_dense
      1
    """
    api = "fungrad.experimental.sparse.bcoo_update_layout"
    batch = mat.n_batch if n_batch is None else operator.index(n_batch)
    dense = mat.n_dense if n_dense is None else operator.index(n_dense)
    if (batch, dense) == (mat.n_batch, mat.n_dense):
        return mat
    if on_inefficient not in ("error", "warn", None):
        raise ValueError(f"{api}: on_inefficient must be 'error', 'warn' or None, got {on_inefficient!r}")
    if batch < 0 or dense < 0 or batch + dense > mat.ndim:
        raise ValueError(
            f"{api}: n_batch and n_dense must not be negative, nor together more than the {mat.ndim} dimensions of the "
            f"array, got n_batch={batch} and n_dense={dense}"
        )
    more = {"n_batch": mat.shape[mat.n_batch : batch], "n_dense": mat.shape[mat.ndim - dense : mat.ndim - mat.n_dense]}
    stored = [name for name, sizes in more.items() if any(n > 1 for n in sizes)]
    if stored and on_inefficient is not None:
        text = f"{api}: with greater {' and '.join(stored)} zeros of the array of shape {mat.shape} will be stored"
        if on_inefficient == "error":
            raise SparseEfficiencyError(f"{text}; pass on_inefficient=None if that is wanted")
        warnings.warn(f"{text}; on_inefficient=None silences this", SparseEfficiencyWarning, stacklevel=2)
    while mat.n_dense > dense:
        mat = dense_to_sparse(mat)
    while mat.n_batch > batch:
        mat = batch_to_sparse(mat, mat.n_batch - 1)
    if (batch, dense) == (mat.n_batch, mat.n_dense):
        return mat
    # More batch or dense dimensions: every one of their positions gets as many elements as the fullest.
    return mat._of_dense(mat.todense(), occupied(mat), mat.nse, batch, dense, mat.indices.dtype)


def occupied(mat: Coordinates) -> Any:
    """Where the array has elements, stored zeros included: those have derivatives like any other."""
    return mat.with_(jnp.ones(mat.data.shape, np.int32)).todense() != 0


def dense_to_sparse(mat: Coords) -> Coords:
    """The first dense dimension as the last sparse one."""
    d = mat.n_batch + 1
    size = mat.data.shape[d]
    data = mat.data.reshape((*mat.data.shape[: d - 1], mat.nse * size, *mat.data.shape[d + 1 :]))
    repeated = jnp.repeat(mat.indices, size, axis=-2)
    along = jnp.broadcast_to(
        jnp.tile(jnp.arange(size, dtype=repeated.dtype), mat.nse)[:, None], (*repeated.shape[:-1], 1)
    )
    return mat.with_(data, jnp.concatenate([repeated, along], -1), **flags(mat))


def batch_to_sparse(mat: Coords, axis: int) -> Coords:
    """A batch dimension as the first sparse one."""
    n = mat.n_batch
    size = mat.shape[axis]
    data = jnp.broadcast_to(mat.data, (*mat.shape[:n], *mat.data.shape[n:]))
    indices = jnp.broadcast_to(mat.indices, (*mat.shape[:n], *mat.indices.shape[n:]))
    along = jnp.expand_dims(jnp.arange(size, dtype=indices.dtype), (*range(axis), *range(axis + 1, n + 2)))
    along = jnp.broadcast_to(along, (*indices.shape[:-1], 1))
    indices = jnp.moveaxis(jnp.concatenate([along, indices], -1), axis, n - 1)
    data = jnp.moveaxis(data, axis, n - 1)
    lead = data.shape[: n - 1]
    return mat.with_(
        data.reshape((*lead, size * mat.nse, *data.shape[n + 1 :])),
        indices.reshape((*lead, size * mat.nse, mat.n_sparse + 1)),
        (*mat.shape[:axis], *mat.shape[axis + 1 : n], size, *mat.shape[n:]),
    )
