"""Batched coordinates: ``BCOO``, data and the indices of their positions.

Of the dimensions of an array the first ``n_batch`` are batch dimensions of data and indices, the last ``n_dense`` are
dimensions of data, and those between are sparse: positions along them are in the indices. Index vectors outside of the
shape are padding. Operations are gathers, scatters and products of data, so they can be compiled, mapped and
differentiated by data.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

import fungrad.numpy as jnp
from fungrad import lax
from fungrad.core.arguments import integers, shown
from fungrad.core.array import Array, as_array
from fungrad.core.public_names import publish
from fungrad.core.tree_registration import register_pytree_node_class
from fungrad.experimental.sparse._base import JAXSparse, columns, dims_of, in_bounds, is_sparse, over_batch, require


class BCOOProperties(NamedTuple):
    """How the dimensions of a ``BCOO`` are divided.

    Attributes:
      n_batch: number of batch dimensions.
      n_sparse: number of sparse dimensions.
      n_dense: number of dense dimensions.
      nse: number of specified elements.
    """

    n_batch: int
    n_sparse: int
    n_dense: int
    nse: int


@register_pytree_node_class
class BCOO(JAXSparse):
    """A sparse array in batched coordinates.

    Args:
      args: the pair of data, of shape ``(*batch, nse, *dense)``, and integer indices, of shape
        ``(*batch, nse, n_sparse)``; or a dense array.
      shape: shape of the array.
      indices_sorted: whether the indices are in order.
      unique_indices: whether no index occurs twice.

    Attributes:
      data: values.
      indices: their positions.
      n_batch: number of batch dimensions.
      n_sparse: number of sparse dimensions.
      n_dense: number of dense dimensions.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad.experimental import sparse
      >>> m = sparse.BCOO.fromdense(jnp.array([[0.0, 1.0, 0.0], [2.0, 0.0, 3.0]]))
      >>> m
      BCOO(float32[2, 3], nse=3)
      >>> m @ jnp.ones(3)
      Array([1., 5.], dtype=float32)
    """

    indices: Any

    def __init__(
        self,
        args: Any,
        *,
        shape: Sequence[int] | None = None,
        indices_sorted: bool = False,
        unique_indices: bool = False,
    ):
        if shape is None:
            made = bcoo_fromdense(args)
            self.data, self.indices, self.shape = made.data, made.indices, made.shape
            self.indices_sorted = self.unique_indices = True
            return
        if not isinstance(args, (tuple, list)) or len(args) != 2:
            raise TypeError(f"fungrad.BCOO: args must be the pair (data, indices), got {shown(args)}")
        self.data, self.indices = [x if _is_placeholder(x) else as_array(x, "fungrad.BCOO") for x in args]
        self.shape = integers("fungrad.BCOO", "shape", shape, least=0)
        self.indices_sorted, self.unique_indices = indices_sorted, unique_indices
        if isinstance(self.data, Array) and isinstance(self.indices, Array):
            self._check()

    def _check(self) -> None:
        """Raises unless data and indices have shapes that belong to the shape of the array."""
        data, indices, shape = self.data, self.indices, self.shape
        if indices.ndim < 2 or not jnp.issubdtype(indices.dtype, jnp.integer):
            raise ValueError(
                "fungrad.BCOO: indices must be integers of shape (*batch, nse, n_sparse), got "
                f"{indices.aval.str_short()}"
            )
        n, k = self.n_batch, self.n_sparse
        batch, dense = shape[:n], shape[n + k :]
        fits = (
            len(shape) >= n + k
            and data.ndim == len(shape) - k + 1
            and data.shape[n] == indices.shape[n]
            and tuple(data.shape[n + 1 :]) == dense
            and all(s in (1, b) for part in (data, indices) for s, b in zip(part.shape, batch, strict=False))
        )
        if not fits:
            raise ValueError(
                f"fungrad.BCOO: for shape={shape} and indices of shape {indices.shape}, which have {n} batch and "
                f"{k} sparse dimensions, data must have the shape (*batch, nse, *dense) and indices (*batch, nse, "
                f"n_sparse), where batch={batch} and dense={dense}; got data of shape {data.shape}"
            )

    @classmethod
    def fromdense(
        cls, mat: Any, *, nse: int | None = None, index_dtype: Any = np.int32, n_dense: int = 0, n_batch: int = 0
    ) -> BCOO:
        """The sparse form of a dense array; see ``bcoo_fromdense``."""
        return bcoo_fromdense(mat, nse=nse, index_dtype=index_dtype, n_dense=n_dense, n_batch=n_batch)

    @classmethod
    def from_scipy_sparse(cls, mat: Any, *, index_dtype: Any = np.int32, n_dense: int = 0, n_batch: int = 0) -> BCOO:
        """The sparse form of a matrix of ``scipy.sparse``."""
        if n_dense or n_batch:
            raise NotImplementedError("fungrad.BCOO.from_scipy_sparse: n_dense and n_batch must be 0")
        coo = mat.tocoo()
        indices = np.stack([coo.row, coo.col], -1).astype(index_dtype)
        return cls((coo.data, indices), shape=coo.shape)

    @classmethod
    def _empty(
        cls, shape: Sequence[int], *, dtype: Any = None, index_dtype: Any = "int32", n_dense: int = 0, n_batch: int = 0,
        nse: int = 0,
    ) -> BCOO:  # fmt: skip
        n_sparse = len(shape) - n_batch - n_dense
        sparse_shape = shape[n_batch : n_batch + n_sparse]
        indices = jnp.broadcast_to(jnp.array(sparse_shape, index_dtype), (*shape[:n_batch], nse, n_sparse))
        return cls((jnp.zeros((*shape[:n_batch], nse, *shape[n_batch + n_sparse :]), dtype), indices), shape=shape)

    @classmethod
    def _eye(cls, n: int, m: int, k: int, *, dtype: Any = None, index_dtype: Any = "int32", **_: Any) -> BCOO:
        count = max(0, min(n + min(k, 0), m - max(k, 0)))
        along = jnp.arange(count, dtype=index_dtype)
        indices = jnp.stack([along - min(k, 0), along + max(k, 0)], -1)
        return cls((jnp.ones(count, dtype), indices), shape=(n, m), indices_sorted=True, unique_indices=True)

    @property
    def n_sparse(self) -> int:
        """Number of sparse dimensions."""
        return self.indices.shape[-1]  # type: ignore[no-any-return]

    @property
    def n_batch(self) -> int:
        """Number of batch dimensions."""
        return self.indices.ndim - 2  # type: ignore[no-any-return]

    @property
    def n_dense(self) -> int:
        """Number of dense dimensions."""
        return self.data.ndim - 1 - self.n_batch  # type: ignore[no-any-return]

    @property
    def nse(self) -> int:
        """Number of specified elements."""
        return self.indices.shape[-2]  # type: ignore[no-any-return]

    def _details(self) -> str:
        extra = [f"{k}={getattr(self, k)}" for k in ("n_batch", "n_dense") if getattr(self, k)]
        return "".join(f", {e}" for e in extra)

    @property
    def _sparse_shape(self) -> tuple[int, ...]:
        return self.shape[self.n_batch : self.n_batch + self.n_sparse]

    def with_(self, data: Any = None, indices: Any = None, shape: Any = None, **flags: Any) -> BCOO:
        """The array with other parts."""
        return BCOO(
            (self.data if data is None else data, self.indices if indices is None else indices),
            shape=self.shape if shape is None else shape,
            **flags,
        )

    def tree_flatten(self) -> tuple:
        """As a tree: data and indices."""
        return (self.data, self.indices), (self.shape, self.indices_sorted, self.unique_indices, _ndim(self.indices))

    @classmethod
    def tree_unflatten(cls, aux: Any, children: Any) -> BCOO:
        """The inverse of ``tree_flatten``."""
        out = object.__new__(cls)
        out.data, out.indices = children
        out.shape, out.indices_sorted, out.unique_indices, ndim = aux
        # Within a map over batch dimensions there are fewer of them, and after it as many as there are.
        if ndim is not None and _ndim(out.indices) is not None:
            more = out.indices.ndim - ndim
            out.shape = out.shape[-more:] if more < 0 else (*out.indices.shape[:more], *out.shape)
        return out

    def todense(self) -> Array:
        """The array with its zeros."""
        return bcoo_todense(self)

    def transpose(self, axes: Sequence[int] | None = None) -> BCOO:
        """The array with its dimensions in another order; reversed by default."""
        return bcoo_transpose(self, permutation=tuple(axes or range(self.ndim)[::-1]))

    def reshape(self, *shape: Any) -> BCOO:
        """The array with another shape."""
        new = shape[0] if len(shape) == 1 and not isinstance(shape[0], int) else shape
        if -1 in new:
            known = -math.prod(new)
            new = [self.size // known if n == -1 else n for n in new]
        return bcoo_reshape(self, new_sizes=tuple(new))

    def astype(self, dtype: Any) -> BCOO:
        """The array with another dtype."""
        return self.with_(self.data.astype(dtype), **_flags(self))

    def sum(self, axis: Any = None) -> Any:
        """Sum over dimensions; sparse, or dense if nothing is left."""
        axes = tuple(range(self.ndim)) if axis is None else dims_of("BCOO.sum", "axis", axis, self.ndim)
        out = bcoo_reduce_sum(self, axes=axes)
        return out if out.shape else out.todense()

    def sum_duplicates(self, nse: int | None = None, remove_zeros: bool = True) -> BCOO:
        """Elements with equal indices added up; see ``bcoo_sum_duplicates``."""
        return bcoo_sum_duplicates(self, nse=nse, remove_zeros=remove_zeros)

    def sort_indices(self) -> BCOO:
        """The array with its indices in order."""
        return bcoo_sort_indices(self)

    def update_layout(
        self, *, n_batch: int | None = None, n_dense: int | None = None, on_inefficient: Any = "error"
    ) -> BCOO:
        """The array with other numbers of batch and dense dimensions."""
        return bcoo_update_layout(self, n_batch=n_batch, n_dense=n_dense, on_inefficient=on_inefficient)

    def to_scipy_sparse(self) -> Any:
        """The matrix in ``scipy.sparse``."""
        import scipy.sparse

        if self.ndim != 2 or self.n_batch or self.n_dense:
            raise ValueError("fungrad.BCOO.to_scipy_sparse: only matrices without batch and dense dimensions")
        kept = np.asarray(in_bounds(self.indices, self.shape))
        rows = np.asarray(self.indices)[kept]
        return scipy.sparse.coo_matrix((np.asarray(self.data)[kept], (rows[:, 0], rows[:, 1])), self.shape)

    def __getitem__(self, index: Any) -> BCOO:
        keys = list(index) if isinstance(index, tuple) else [index]
        if Ellipsis in [k for k in keys if k is Ellipsis]:
            at = next(i for i, k in enumerate(keys) if k is Ellipsis)
            keys[at : at + 1] = [slice(None)] * (self.ndim - (len(keys) - 1))
        if len(keys) > self.ndim:
            raise IndexError(f"fungrad.BCOO: too many indices, {len(keys)} for {self.ndim} dimensions")
        keys += [slice(None)] * (self.ndim - len(keys))
        starts, limits, strides, dropped, reversed_ = [], [], [], [], []
        for d, (k, n) in enumerate(zip(keys, self.shape, strict=True)):
            if isinstance(k, slice):
                start, stop, step = k.indices(n)
                count = len(range(start, stop, step))
                if step < 0:
                    reversed_.append(d)
                    start, step = start + (count - 1) * step, -step
                starts.append(start)
                limits.append(start + (count - 1) * step + 1 if count else start)
                strides.append(step)
            else:
                if not hasattr(k, "__index__") or np.ndim(k):
                    raise TypeError(
                        f"fungrad.BCOO: an index must be of integers, slices and an ellipsis, got {shown(k)}; convert "
                        "the array with todense() for others"
                    )
                i = operator.index(k)
                if not -n <= i < n:
                    raise IndexError(f"fungrad.BCOO: index {i} is out of bounds for axis {d} of size {n}")
                starts.append(i % n)
                limits.append(i % n + 1)
                strides.append(1)
                dropped.append(d)
        out = bcoo_slice(self, start_indices=starts, limit_indices=limits, strides=strides)
        out = bcoo_rev(out, dimensions=reversed_) if reversed_ else out
        return bcoo_squeeze(out, dimensions=dropped) if dropped else out

    # -- arithmetic -----------------------------------------------------------------------------------------------

    def __neg__(self) -> BCOO:
        return self.with_(-self.data, **_flags(self))

    def __pos__(self) -> BCOO:
        return self

    def __abs__(self) -> BCOO:
        one = self if self.unique_indices else self.sum_duplicates(nse=self.nse)
        return one.with_(abs(one.data), **_flags(one))

    def __add__(self, other: Any) -> Any:
        return add(self, other)

    __radd__ = __add__

    def __sub__(self, other: Any) -> Any:
        return add(self, -other)

    def __rsub__(self, other: Any) -> Any:
        return add(-self, other)

    def __mul__(self, other: Any) -> Any:
        return multiply(self, other)

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Any:
        if is_sparse(other):
            raise TypeError("fungrad.BCOO: division by a sparse array is not possible: most of its elements are zero")
        return multiply(self, 1 / as_array(other))  # type: ignore[operator]

    def __matmul__(self, other: Any) -> Any:
        return matmul(self, other)

    def __rmatmul__(self, other: Any) -> Any:
        return matmul(other, self)


def _ndim(x: Any) -> int | None:
    return getattr(x, "ndim", None)


def _is_placeholder(x: Any) -> bool:
    return not hasattr(x, "__array__") and not isinstance(x, (Array, list, tuple, int, float))


def _flags(m: BCOO) -> dict[str, bool]:
    return {"indices_sorted": m.indices_sorted, "unique_indices": m.unique_indices}


def add(x: Any, y: Any) -> Any:
    """Sum of sparse arrays, which is sparse, or of a sparse and a dense one, which is dense."""
    if is_sparse(x) and is_sparse(y):
        if x.shape != y.shape:
            raise ValueError(
                f"fungrad.BCOO: sparse arrays that are added must have one shape, got {x.shape} and {y.shape}"
            )
        if (x.n_batch, x.n_dense) != (y.n_batch, y.n_dense):
            raise NotImplementedError(
                "fungrad.BCOO: sparse arrays that are added must have one layout; use update_layout"
            )
        return bcoo_concatenate_entries([x, y])
    dense, sparse = (y, x) if is_sparse(x) else (x, y)
    return sparse.todense() + dense


def multiply(x: Any, y: Any) -> Any:
    """Elementwise product, which is sparse."""
    if is_sparse(x) and is_sparse(y):
        return bcoo_multiply_sparse(x, y)
    dense, sparse = (y, x) if is_sparse(x) else (x, y)
    dense = as_array(dense, "fungrad.BCOO")
    if dense.ndim == 0:
        return sparse.with_(sparse.data * dense, **_flags(sparse))
    return bcoo_multiply_dense(sparse, dense)


def matmul(x: Any, y: Any) -> Any:
    """Matrix product, as ``fungrad.numpy.matmul``: dense, or sparse if both are."""
    a: Any
    b: Any
    a, b = (v if is_sparse(v) else as_array(v, "fungrad.BCOO") for v in (x, y))
    if not a.ndim or not b.ndim:
        raise ValueError("fungrad.BCOO: operands of @ must have at least one dimension")
    if a.ndim <= 2 and b.ndim <= 2:
        return bcoo_dot_general(a, b, dimension_numbers=(((a.ndim - 1,), (max(b.ndim - 2, 0),)), ((), ())))
    if a.ndim == b.ndim and a.shape[:-2] == b.shape[:-2]:
        n = a.ndim - 2
        dims = (((n + 1,), (n,)), (tuple(range(n)), tuple(range(n))))
        return bcoo_dot_general(a, b, dimension_numbers=dims)
    dense = [v.todense() if is_sparse(v) else v for v in (a, b)]
    return jnp.matmul(*dense)


# -- to and from dense ------------------------------------------------------------------------------------------------


def bcoo_fromdense(
    mat: Any, *, nse: int | None = None, n_batch: int = 0, n_dense: int = 0, index_dtype: Any = np.int32
) -> BCOO:
    """The sparse form of a dense array.

    Args:
      mat: the array.
      nse: number of elements to keep; by default as many as there are, which must be known.
      n_batch: number of batch dimensions.
      n_dense: number of dense dimensions.
      index_dtype: dtype of the indices.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad.experimental import sparse
      >>> sparse.bcoo_fromdense(jnp.eye(3)).data
      Array([1., 1., 1.], dtype=float32)
    """
    x = as_array(mat, "fungrad.experimental.sparse.bcoo_fromdense: mat")
    n_sparse = x.ndim - n_batch - n_dense
    if n_sparse < 0 or n_batch < 0 or n_dense < 0:
        raise ValueError(
            f"fungrad.experimental.sparse.bcoo_fromdense: n_batch={n_batch} and n_dense={n_dense} must not be negative "
            f"or larger together than the number of dimensions, {x.ndim}"
        )
    return _fromdense(x, x != 0, nse, n_batch, n_dense, index_dtype)


def _fromdense(x: Any, mask: Any, nse: int | None, n_batch: int, n_dense: int, index_dtype: Any) -> BCOO:
    """The sparse form of a dense array whose elements are where ``mask`` is true."""
    n_sparse = x.ndim - n_batch - n_dense
    if n_dense:
        mask = mask.any(axis=tuple(range(x.ndim - n_dense, x.ndim)))
    if nse is None:
        counts = mask.sum(axis=tuple(range(n_batch, mask.ndim))) if mask.ndim > n_batch else mask.astype(int)
        nse = int(np.max(counts._concrete("nse of bcoo_fromdense: give nse, or known values"), initial=0))
    nse = operator.index(nse)
    sparse_shape = x.shape[n_batch : n_batch + n_sparse]

    def indices_of(m: Any) -> Any:
        if not n_sparse:
            return jnp.zeros((nse, 0), index_dtype)
        found = jnp.nonzero(m, size=nse, fill_value=sparse_shape)
        return jnp.stack(found, -1).astype(index_dtype)

    indices = over_batch(indices_of, n_batch, mask)
    data = over_batch(lambda m, i: _taken(m, i), n_batch, x, indices)
    return BCOO((data, indices), shape=x.shape, indices_sorted=True, unique_indices=True)


def _taken(mat: Any, indices: Any) -> Any:
    """Elements of a dense array at index vectors, zeros for padding."""
    if not indices.shape[-1]:
        # All index vectors are the same; the first one takes everything.
        only = jnp.zeros((indices.shape[0], *mat.shape), mat.dtype)
        return only.at[:1].set(mat)
    return _elements(mat, columns(indices))


def _elements(mat: Any, rows: tuple) -> Any:
    """Elements of a dense array at positions along its first dimensions, zeros outside."""
    if 0 in mat.shape[: len(rows)]:
        return jnp.zeros((*rows[0].shape, *mat.shape[len(rows) :]), mat.dtype)
    return mat.at[rows].get(mode="fill", fill_value=0)


def bcoo_todense(mat: BCOO) -> Array:
    """The array with its zeros."""
    dense = mat.shape[mat.n_batch :]

    def one(data: Any, indices: Any) -> Any:
        zeros = jnp.zeros(dense, data.dtype)
        if not indices.shape[-1]:
            return zeros + data.sum(0).astype(data.dtype)
        return zeros.at[columns(indices)].add(data, mode="drop")

    out = over_batch(one, mat.n_batch, mat.data, mat.indices)
    return jnp.broadcast_to(out, mat.shape)


def bcoo_extract(sparr: BCOO, arr: Any, *, assume_unique: bool | None = None) -> BCOO:
    """Elements of a dense array where a sparse one has elements.

    Args:
      sparr: the sparse array.
      arr: dense array of the same shape.
      assume_unique: whether no index occurs twice; else an element is taken once.
    """
    x = as_array(arr, "fungrad.experimental.sparse.bcoo_extract: arr")
    if x.shape != sparr.shape:
        raise ValueError(
            f"fungrad.experimental.sparse.bcoo_extract: arr must have the shape of sparr, {sparr.shape}, got {x.shape}"
        )
    data = over_batch(_taken, sparr.n_batch, x, sparr.indices)
    if not (sparr.unique_indices if assume_unique is None else assume_unique):
        first = over_batch(lambda i: _is_first(i), sparr.n_batch, sparr.indices)
        data = jnp.where(jnp.expand_dims(first, tuple(range(first.ndim, data.ndim))), data, 0)
    return sparr.with_(data, **_flags(sparr))


def _is_first(indices: Any) -> Any:
    """Which index vectors occur for the first time."""
    if not indices.shape[-1]:
        return jnp.arange(indices.shape[0]) == 0
    order = jnp.lexsort(columns(indices)[::-1])
    inverse = jnp.argsort(order)
    rows = indices[order]
    new = jnp.concatenate([jnp.ones(min(1, rows.shape[0]), bool), (rows[1:] != rows[:-1]).any(-1)])
    return new[inverse]


# -- indices ----------------------------------------------------------------------------------------------------------


def bcoo_sort_indices(mat: BCOO) -> BCOO:
    """The array with its indices in order."""

    def one(data: Any, indices: Any) -> Any:
        if not indices.shape[-1]:
            return data, indices
        order = jnp.lexsort(columns(indices)[::-1])
        return data[order], indices[order]

    data, indices = over_batch(one, mat.n_batch, mat.data, mat.indices)
    return mat.with_(data, indices, indices_sorted=True, unique_indices=mat.unique_indices)


def bcoo_sum_duplicates(mat: BCOO, nse: int | None = None, remove_zeros: bool = True) -> BCOO:
    """Elements with equal indices added up, and indices in order.

    Args:
      mat: the array.
      nse: number of elements of the result; by default as many as there are, which must be known.
      remove_zeros: whether stored zeros are dropped.
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
        return BCOO._empty(mat.shape, dtype=mat.dtype, n_batch=mat.n_batch, n_dense=mat.n_dense, nse=count)
    data, indices = over_batch(one, mat.n_batch, mat.data, linear)
    return mat.with_(data, indices, indices_sorted=True, unique_indices=True)


def bcoo_eliminate_zeros(mat: BCOO, nse: int | None = None) -> BCOO:
    """The array without stored zeros."""
    return bcoo_sum_duplicates(mat, nse=nse, remove_zeros=True)


def bcoo_update_layout(
    mat: BCOO, *, n_batch: int | None = None, n_dense: int | None = None, on_inefficient: str | None = "error"
) -> BCOO:
    """The array with other numbers of batch and dense dimensions."""
    batch = mat.n_batch if n_batch is None else n_batch
    dense = mat.n_dense if n_dense is None else n_dense
    if (batch, dense) == (mat.n_batch, mat.n_dense):
        return mat
    while mat.n_dense > dense:
        mat = _dense_to_sparse(mat)
    while mat.n_batch > batch:
        mat = _batch_to_sparse(mat, mat.n_batch - 1)
    if (batch, dense) == (mat.n_batch, mat.n_dense):
        return mat
    # More batch or dense dimensions: every one of their positions gets as many elements as the fullest.
    return _fromdense(mat.todense(), _present(mat), mat.nse, batch, dense, mat.indices.dtype)


def _present(mat: BCOO) -> Any:
    """Where the array has elements, stored zeros included: those have derivatives like any other."""
    return mat.with_(jnp.ones(mat.data.shape, np.int32)).todense() != 0


def _dense_to_sparse(mat: BCOO) -> BCOO:
    """The first dense dimension as the last sparse one."""
    d = mat.n_batch + 1
    size = mat.data.shape[d]
    data = mat.data.reshape((*mat.data.shape[: d - 1], mat.nse * size, *mat.data.shape[d + 1 :]))
    repeated = jnp.repeat(mat.indices, size, axis=-2)
    along = jnp.broadcast_to(
        jnp.tile(jnp.arange(size, dtype=repeated.dtype), mat.nse)[:, None], (*repeated.shape[:-1], 1)
    )
    return mat.with_(data, jnp.concatenate([repeated, along], -1), **_flags(mat))


def _batch_to_sparse(mat: BCOO, axis: int) -> BCOO:
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


# -- products ---------------------------------------------------------------------------------------------------------


def bcoo_multiply_dense(sp_mat: BCOO, v: Any) -> BCOO:
    """Elementwise product of a sparse and a dense array, which is broadcast to it."""
    x = as_array(v, "fungrad.experimental.sparse.bcoo_multiply_dense: v")
    if np.broadcast_shapes(sp_mat.shape, x.shape) != sp_mat.shape:
        raise NotImplementedError(
            f"fungrad.experimental.sparse.bcoo_multiply_dense: v must be broadcast to the sparse array of shape "
            f"{sp_mat.shape}, got {x.shape}"
        )
    x = x.reshape((1,) * (sp_mat.ndim - x.ndim) + x.shape)  # type: ignore[attr-defined]
    n, k = sp_mat.n_batch, sp_mat.n_sparse

    def one(data: Any, indices: Any, dense: Any) -> Any:
        # A dimension of size 1 has position 0 for all, padding included.
        rows = [jnp.zeros_like(indices[:, d]) if dense.shape[d] == 1 else indices[:, d] for d in range(k)]
        taken = _elements(dense, tuple(rows)) if k else jnp.expand_dims(dense, 0)
        return data * taken

    return sp_mat.with_(over_batch(one, n, sp_mat.data, sp_mat.indices, x), **_flags(sp_mat))


def bcoo_multiply_sparse(lhs: BCOO, rhs: BCOO) -> BCOO:
    """Elementwise product of sparse arrays of one shape."""
    if lhs.shape != rhs.shape or (lhs.n_batch, lhs.n_dense) != (rhs.n_batch, rhs.n_dense):
        raise NotImplementedError(
            "fungrad.experimental.sparse.bcoo_multiply_sparse: arrays must have one shape and layout, got "
            f"{lhs!r} and {rhs!r}"
        )

    def one(a: Any, i: Any, b: Any, j: Any) -> Any:
        same = (i[:, None] == j[None]).all(-1) & in_bounds(i, lhs._sparse_shape)[:, None]
        return a * jnp.tensordot(same.astype(b.dtype), b, 1)

    data = over_batch(one, lhs.n_batch, lhs.data, lhs.indices, rhs.data, rhs.indices)
    return lhs.with_(data, **_flags(lhs))


def bcoo_dot_general(
    lhs: Any,
    rhs: Any,
    *,
    dimension_numbers: Any,
    precision: Any = None,
    preferred_element_type: Any = None,
    out_sharding: Any = None,
) -> Any:
    """Product over dimensions, as ``lax.dot_general``, of which one operand at least is sparse.

    Args:
      lhs: array.
      rhs: array.
      dimension_numbers: ``((lhs_contract, rhs_contract), (lhs_batch, rhs_batch))``.
      precision: ignored.
      preferred_element_type: dtype of the result.
      out_sharding: ignored.

    Returns:
      A dense array; a sparse one if both operands are.
    """
    (lc, rc), (lb, rb) = dimension_numbers
    lc, rc, lb, rb = (tuple(map(operator.index, d)) for d in (lc, rc, lb, rb))
    if is_sparse(lhs) and is_sparse(rhs):
        return _spdot(lhs, rhs, lc, rc, lb, rb)
    if is_sparse(rhs):
        out = _dot(rhs, as_array(lhs), rc, lc, rb, lb)
        n, k = len(rb), rhs.ndim - len(rc) - len(rb)
        order = [*range(n), *range(n + k, out.ndim), *range(n, n + k)]
        out = jnp.transpose(out, order)
    else:
        out = _dot(lhs, as_array(rhs), lc, rc, lb, rb)
    return out if preferred_element_type is None else out.astype(preferred_element_type)


def _dot(lhs: BCOO, rhs: Any, lc: tuple, rc: tuple, lb: tuple, rb: tuple) -> Any:
    """``dot_general`` of a sparse and a dense array."""
    for a, b in zip((*lc, *lb), (*rc, *rb), strict=True):
        if lhs.shape[a] != rhs.shape[b]:
            raise TypeError(
                "fungrad.experimental.sparse.bcoo_dot_general: contracted and batch dimensions must have equal sizes, "
                f"got {lhs.shape} and {rhs.shape} with {((lc, rc), (lb, rb))}"
            )
    if lhs.n_dense or any(d >= lhs.n_batch for d in lb) or set(range(lhs.n_batch)) != set(lb):
        if lhs.n_dense == 0 and not lb:
            lhs = bcoo_update_layout(lhs, n_batch=0)
        else:
            return lax.dot_general(lhs.todense(), rhs, ((lc, rc), (lb, rb)))
    n = lhs.n_batch
    dtype = jnp.result_type(lhs.data.dtype, rhs.dtype)
    # Batch dimensions in the order in which they are asked for, contracted ones first in the dense operand.
    rest = [d for d in range(rhs.ndim) if d not in rc and d not in rb]
    pairs = dict(zip(lb, rb, strict=True))
    dense = jnp.transpose(rhs, [pairs[d] for d in range(n)] + list(rc) + rest).astype(dtype)
    contracted = [d - n for d in lc]
    free = [d for d in range(lhs.n_sparse) if d not in contracted]
    free_shape = tuple([lhs._sparse_shape[d] for d in free])
    rest_shape = tuple([rhs.shape[d] for d in rest])

    def one(data: Any, indices: Any, dense: Any) -> Any:
        rows = dense
        if contracted:
            rows = _elements(dense, tuple([indices[:, d] for d in contracted]))
        else:
            rows = jnp.broadcast_to(dense, (data.shape[0], *dense.shape))
        terms = jnp.expand_dims(data.astype(dtype), tuple(range(1, 1 + len(rest_shape)))) * rows
        if not free:
            inside = in_bounds(indices, lhs._sparse_shape)
            return jnp.where(jnp.expand_dims(inside, tuple(range(1, terms.ndim))), terms, 0).sum(0).astype(dtype)
        out = jnp.zeros((*free_shape, *rest_shape), dtype)
        return out.at[tuple([indices[:, d] for d in free])].add(terms, mode="drop")

    out = over_batch(one, n, lhs.data, lhs.indices, dense)
    return jnp.transpose(out, [*lb, *range(n, out.ndim)]) if n else out


def _spdot(lhs: BCOO, rhs: BCOO, lc: tuple, rc: tuple, lb: tuple, rb: tuple) -> BCOO:
    """``dot_general`` of sparse arrays: every pair of elements that meets."""
    if lb or rb or lhs.n_dense or rhs.n_dense:
        raise NotImplementedError(
            "fungrad.experimental.sparse.bcoo_dot_general: products of two sparse arrays with batch or dense "
            "dimensions "
            "are not supported; convert one of them with todense()"
        )
    lhs, rhs = bcoo_update_layout(lhs, n_batch=0), bcoo_update_layout(rhs, n_batch=0)
    i, j = lhs.indices, rhs.indices
    lf = [d for d in range(lhs.ndim) if d not in lc]
    rf = [d for d in range(rhs.ndim) if d not in rc]
    meets = jnp.ones((lhs.nse, rhs.nse), bool)
    for a, b in zip(lc, rc, strict=True):
        meets = meets & (i[:, None, a] == j[None, :, b])
    meets = meets & in_bounds(i, lhs.shape)[:, None] & in_bounds(j, rhs.shape)[None]
    shape = tuple([lhs.shape[d] for d in lf] + [rhs.shape[d] for d in rf])
    data = jnp.where(meets, lhs.data[:, None] * rhs.data[None], 0).reshape(-1)
    pairs = (lhs.nse, rhs.nse)
    left = jnp.broadcast_to(i[:, None, jnp.array(lf, int)], (*pairs, len(lf)))
    right = jnp.broadcast_to(j[None, :, jnp.array(rf, int)], (*pairs, len(rf)))
    indices = jnp.concatenate([left, right], -1).reshape(-1, len(shape))
    indices = jnp.where(meets.reshape(-1, 1), indices, jnp.array(shape, indices.dtype))
    return BCOO((data, indices), shape=shape)


def bcoo_dot_general_sampled(A: Any, B: Any, indices: Any, *, dimension_numbers: Any) -> Array:
    """Elements of ``lax.dot_general(A, B)`` at index vectors."""
    n = as_array(indices).ndim - 2
    return over_batch(_taken, n, lax.dot_general(A, B, dimension_numbers), as_array(indices))  # type: ignore[no-any-return]


def bcoo_conv_general_dilated(lhs: Any, rhs: Any, **options: Any) -> BCOO:
    """Convolution, as ``lax.conv_general_dilated``, of sparse arrays; computed densely."""
    dense = [v.todense() if is_sparse(v) else v for v in (lhs, rhs)]
    return bcoo_fromdense(lax.conv_general_dilated(*dense, **options))


# -- structure --------------------------------------------------------------------------------------------------------


def bcoo_concatenate_entries(parts: Sequence[BCOO]) -> BCOO:
    """Sum of arrays of one shape and layout: all their elements."""
    n = parts[0].n_batch
    dtype = jnp.result_type(*[p.data.dtype for p in parts])
    batch = parts[0].shape[:n]
    data = [jnp.broadcast_to(p.data, (*batch, *p.data.shape[n:])).astype(dtype) for p in parts]
    indices = [jnp.broadcast_to(p.indices, (*batch, *p.indices.shape[n:])) for p in parts]
    return parts[0].with_(jnp.concatenate(data, n), jnp.concatenate(indices, n))


def bcoo_reduce_sum(mat: BCOO, *, axes: Sequence[int]) -> BCOO:
    """Sum over dimensions."""
    for d in sorted(set(dims_of("bcoo_reduce_sum", "axes", axes, mat.ndim)), reverse=True):
        n, k = mat.n_batch, mat.n_sparse
        if d >= n + k:
            rest = mat.shape[:d] + mat.shape[d + 1 :]
            mat = mat.with_(mat.data.sum(axis=d - k + 1).astype(mat.dtype), shape=rest, **_flags(mat))
            continue
        if d < n:
            mat = _batch_to_sparse(mat, d)
            n = d = n - 1
        # Padding must not be taken for an element when the dimension that shows it is gone.
        inside = in_bounds(mat.indices, mat._sparse_shape)
        data = jnp.where(jnp.expand_dims(inside, tuple(range(inside.ndim, mat.data.ndim))), mat.data, 0)
        kept = [c for c in range(mat.n_sparse) if c != d - n]
        rest = mat.shape[:d] + mat.shape[d + 1 :]
        mat = mat.with_(data, mat.indices[..., jnp.array(kept, int)], shape=rest)
    return mat


def bcoo_transpose(mat: BCOO, *, permutation: Sequence[int]) -> BCOO:
    """The array with its dimensions in another order."""
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
    return BCOO((data, indices), shape=[mat.shape[d] for d in order], unique_indices=mat.unique_indices)


def bcoo_reshape(mat: BCOO, *, new_sizes: Sequence[int], dimensions: Any = None, sharding: Any = None) -> BCOO:
    """The array with another shape; batch and dense dimensions stay."""
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
        return BCOO._empty(new, dtype=mat.dtype, n_batch=n, n_dense=dense)
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
    return BCOO((data, indices), shape=new, **_flags(mat))


def bcoo_squeeze(arr: BCOO, *, dimensions: Sequence[int]) -> BCOO:
    """The array without dimensions of size 1."""
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
    return BCOO((data, indices), shape=[s for d, s in enumerate(arr.shape) if d not in gone], **_flags(arr))


def bcoo_slice(
    mat: BCOO, *, start_indices: Sequence[int], limit_indices: Sequence[int], strides: Sequence[int] | None = None
) -> BCOO:
    """A part of the array, as ``lax.slice``; elements outside become padding."""
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
    return BCOO((data, indices), shape=sizes, unique_indices=mat.unique_indices)


def _sizes(mat: BCOO, indices: Any) -> Any:
    return jnp.array(mat._sparse_shape, indices.dtype)


def bcoo_dynamic_slice(mat: BCOO, start_indices: Sequence[Any], slice_sizes: Sequence[int]) -> BCOO:
    """A part of a size known beforehand, as ``lax.dynamic_slice``, of an array without batch and dense dimensions."""
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
    return BCOO((jnp.where(inside, mat.data, 0), indices), shape=slice_sizes, unique_indices=mat.unique_indices)


def bcoo_rev(operand: BCOO, *, dimensions: Sequence[int]) -> BCOO:
    """The array with the order along dimensions reversed."""
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
    return BCOO((data, indices), shape=operand.shape, unique_indices=operand.unique_indices)


def bcoo_concatenate(operands: Sequence[BCOO], *, dimension: int) -> BCOO:
    """Arrays joined along a dimension."""
    api = "bcoo_concatenate"
    if not operands:
        raise ValueError(f"fungrad.experimental.sparse.{api}: operands must have one array at least")
    for i, m in enumerate(operands):
        require(api, f"operands[{i}]", m, BCOO)
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
        present = jnp.concatenate([_present(m) for m in operands], dimension)
        nse = (max if dimension < n else sum)(m.nse for m in operands)
        return _fromdense(dense, present, nse, n, first.n_dense, first.indices.dtype)
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
    mat: BCOO, *, shape: Sequence[int], broadcast_dimensions: Sequence[int], sharding: Any = None
) -> BCOO:
    """The array repeated along new dimensions and those of size 1, as ``lax.broadcast_in_dim``."""
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
    return BCOO((jnp.where(inside, data, 0), indices), shape=shape, unique_indices=mat.unique_indices)


def bcoo_gather(operand: BCOO, start_indices: Any, dimension_numbers: Any, slice_sizes: Any, **options: Any) -> BCOO:
    """``lax.gather`` of a sparse array; computed densely."""
    taken, present = [
        lax.gather(x, start_indices, dimension_numbers, slice_sizes, **options)
        for x in (operand.todense(), _present(operand))
    ]
    return _fromdense(taken, present, None, 0, 0, operand.indices.dtype)


__all__ = [
    "BCOO", "BCOOProperties", "bcoo_broadcast_in_dim", "bcoo_concatenate", "bcoo_conv_general_dilated",
    "bcoo_dot_general", "bcoo_dot_general_sampled", "bcoo_dynamic_slice", "bcoo_eliminate_zeros", "bcoo_extract",
    "bcoo_fromdense", "bcoo_gather", "bcoo_multiply_dense", "bcoo_multiply_sparse", "bcoo_reduce_sum", "bcoo_reshape",
    "bcoo_rev", "bcoo_slice", "bcoo_sort_indices", "bcoo_squeeze", "bcoo_sum_duplicates", "bcoo_todense",
    "bcoo_transpose", "bcoo_update_layout",
]  # fmt: skip

publish(globals(), __name__, __all__)
