"""Compressed rows: ``BCSR``, a ``BCOO`` matrix whose row indices are pointers to the starts of rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

import fungrad.numpy as jnp
from fungrad.core.array import Array, as_array
from fungrad.core.public_names import publish
from fungrad.core.source import api_class
from fungrad.core.tree_registration import register_pytree_node_class
from fungrad.experimental.sparse import bcoo
from fungrad.experimental.sparse._base import JAXSparse, is_sparse, over_batch, require
from fungrad.experimental.sparse.bcoo import BCOO


class BCSRProperties(NamedTuple):
    """How the dimensions of a ``BCSR`` are divided.

    Attributes:
      n_batch: number of batch dimensions.
      n_dense: number of dense dimensions.
      nse: number of specified elements.
    """

    n_batch: int
    n_dense: int
    nse: int


@api_class
@register_pytree_node_class
class BCSR(JAXSparse):
    """A sparse array with compressed rows.

    Args:
      args: data of shape ``(*batch, nse, *dense)``, column indices of shape ``(*batch, nse)`` and row pointers of shape
        ``(*batch, rows + 1)``; or a dense array.
      shape: shape of the array.
      indices_sorted: whether the indices of each row are in order.
      unique_indices: whether no index occurs twice.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad.experimental import sparse
      >>> m = sparse.BCSR.fromdense(jnp.array([[0.0, 1.0, 0.0], [2.0, 0.0, 3.0]]))
      >>> m.indptr
      Array([0, 1, 3], dtype=int32)
    """

    indices: Any
    indptr: Any

    def __init__(
        self,
        args: Any,
        *,
        shape: Sequence[int] | None = None,
        indices_sorted: bool = False,
        unique_indices: bool = False,
    ):
        if shape is None:
            made = bcsr_fromdense(args)
            self.data, self.indices, self.indptr, self.shape = made.data, made.indices, made.indptr, made.shape
            self.indices_sorted = self.unique_indices = True
            return
        self.data, self.indices, self.indptr = [as_array(x, "fungrad.BCSR") for x in args]
        self.shape = tuple(shape)
        self.indices_sorted, self.unique_indices = indices_sorted, unique_indices
        n = self.n_batch
        fits = (
            self.indices.ndim == n + 1
            and self.data.ndim == len(self.shape) - 1
            and self.data.shape[n] == self.indices.shape[n]
            and tuple(self.data.shape[n + 1 :]) == self.shape[n + 2 :]
            and self.indptr.shape[n] == self.shape[n] + 1
        )
        if not fits:
            raise ValueError(
                f"fungrad.BCSR: for shape={self.shape} and {n} batch dimensions, data must have the shape (*batch, "
                f"nse, *dense), indices (*batch, nse) and indptr (*batch, rows + 1), got {self.data.shape}, "
                f"{self.indices.shape} and {self.indptr.shape}"
            )

    @classmethod
    def fromdense(
        cls, mat: Any, *, nse: int | None = None, index_dtype: Any = np.int32, n_dense: int = 0, n_batch: int = 0
    ) -> BCSR:
        """The sparse form of a dense array."""
        return bcsr_fromdense(mat, nse=nse, index_dtype=index_dtype, n_dense=n_dense, n_batch=n_batch)

    @classmethod
    def from_bcoo(cls, arr: BCOO) -> BCSR:
        """The array in compressed rows; it must have two sparse dimensions."""
        require("BCSR.from_bcoo", "arr", arr, BCOO)
        if arr.n_sparse != 2:
            raise NotImplementedError(
                f"fungrad.BCSR.from_bcoo: there must be two sparse dimensions, got {arr.n_sparse}; make the others "
                "batch or dense dimensions with bcoo_update_layout"
            )
        arr = arr if arr.indices_sorted else arr.sort_indices()
        rows = arr._sparse_shape[0]

        def pointers(indices: Any) -> Any:
            # Padding may have a row in range: it counts there, so that the elements after it keep their places.
            counts = jnp.zeros(rows, indices.dtype).at[indices[:, 0]].add(1, mode="drop")
            return jnp.concatenate([jnp.zeros(1, indices.dtype), jnp.cumsum(counts, dtype=indices.dtype)])

        indptr = over_batch(pointers, arr.n_batch, arr.indices)
        return cls(
            (arr.data, arr.indices[..., 1], indptr),
            shape=arr.shape,
            indices_sorted=True,
            unique_indices=arr.unique_indices,
        )

    @classmethod
    def from_scipy_sparse(cls, mat: Any, *, index_dtype: Any = np.int32, n_dense: int = 0, n_batch: int = 0) -> BCSR:
        """The sparse form of a matrix of ``scipy.sparse``."""
        if n_dense or n_batch:
            raise NotImplementedError(
                "fungrad.BCSR.from_scipy_sparse: n_dense and n_batch must be 0; "
                "make a BCOO, change its layout with bcoo_update_layout, and use BCSR.from_bcoo"
            )
        csr = mat.tocsr()
        return cls((csr.data, csr.indices.astype(index_dtype), csr.indptr.astype(index_dtype)), shape=csr.shape)

    @property
    def n_batch(self) -> int:
        """Number of batch dimensions."""
        return self.indptr.ndim - 1  # type: ignore[no-any-return]

    @property
    def n_sparse(self) -> int:
        """Number of sparse dimensions: 2."""
        return 2

    @property
    def n_dense(self) -> int:
        """Number of dense dimensions."""
        return self.data.ndim - self.indices.ndim  # type: ignore[no-any-return]

    @property
    def nse(self) -> int:
        """Number of specified elements."""
        return self.indices.shape[-1]  # type: ignore[no-any-return]

    def tree_flatten(self) -> tuple:
        """As a tree: data, indices and pointers."""
        return (self.data, self.indices, self.indptr), (self.shape, self.indices_sorted, self.unique_indices)

    @classmethod
    def tree_unflatten(cls, aux: Any, children: Any) -> BCSR:
        """The inverse of ``tree_flatten``."""
        out = object.__new__(cls)
        out.data, out.indices, out.indptr = children
        out.shape, out.indices_sorted, out.unique_indices = aux
        return out

    def to_bcoo(self) -> BCOO:
        """The array in batched coordinates."""
        n = self.n_batch

        def rows_of(indptr: Any) -> Any:
            return jnp.searchsorted(indptr, jnp.arange(self.nse, dtype=indptr.dtype), side="right") - 1

        rows = over_batch(rows_of, n, self.indptr).astype(self.indices.dtype)
        padding = rows >= self.shape[n]
        columns = jnp.where(padding, self.shape[n + 1], self.indices)
        indices = jnp.stack(jnp.broadcast_arrays(rows, columns), -1)
        return BCOO(
            (self.data, indices),
            shape=self.shape,
            indices_sorted=self.indices_sorted,
            unique_indices=self.unique_indices,
        )

    def todense(self) -> Array:
        """The array with its zeros."""
        return self.to_bcoo().todense()

    def transpose(self, axes: Any = None) -> Any:
        """Not possible in compressed rows."""
        raise NotImplementedError(
            "fungrad.BCSR: transpose is not possible in compressed rows; use to_bcoo().transpose()"
        )

    def sum_duplicates(self, nse: int | None = None, remove_zeros: bool = True) -> BCSR:
        """Elements with equal indices added up."""
        return bcsr_sum_duplicates(self, nse=nse, remove_zeros=remove_zeros)

    def __matmul__(self, other: Any) -> Any:
        out = bcoo.matmul(self.to_bcoo(), other.to_bcoo() if isinstance(other, BCSR) else other)
        return BCSR.from_bcoo(out) if isinstance(out, BCOO) and out.n_sparse == 2 else out

    def __rmatmul__(self, other: Any) -> Any:
        return bcoo.matmul(other, self.to_bcoo())

    def __mul__(self, other: Any) -> BCSR:
        out = self.to_bcoo() * (other.to_bcoo() if isinstance(other, BCSR) else other)
        return BCSR((out.data, self.indices, self.indptr), shape=self.shape, indices_sorted=self.indices_sorted)

    __rmul__ = __mul__

    def __neg__(self) -> BCSR:
        return BCSR((-self.data, self.indices, self.indptr), shape=self.shape, indices_sorted=self.indices_sorted)

    def __add__(self, other: Any) -> Any:
        if is_sparse(other):
            both = self.to_bcoo() + (other.to_bcoo() if isinstance(other, BCSR) else other)
            return BCSR.from_bcoo(both.sort_indices())
        return self.todense() + other

    __radd__ = __add__


def bcsr_fromdense(
    mat: Any, *, nse: int | None = None, n_batch: int = 0, n_dense: int = 0, index_dtype: Any = np.int32
) -> BCSR:
    """The sparse form of a dense array with two sparse dimensions.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad.experimental import sparse
      >>> print(sparse.bcsr_fromdense(jnp.array([[1.0, 0.0], [0.0, 2.0]])))
      BCSR(float32[2, 2], nse=2)
    """
    return BCSR.from_bcoo(bcoo.bcoo_fromdense(mat, nse=nse, n_batch=n_batch, n_dense=n_dense, index_dtype=index_dtype))


def bcsr_todense(mat: BCSR) -> Array:
    """The array with its zeros.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad.experimental import sparse
      >>> m = sparse.bcsr_fromdense(jnp.eye(2))
      >>> print(sparse.bcsr_todense(m))
      [[1. 0.]
       [0. 1.]]
    """
    return mat.todense()


def bcsr_extract(indices: Any, indptr: Any, mat: Any) -> Array:
    """Elements of a dense array at the places of a ``BCSR``.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad.experimental import sparse
      >>> m = sparse.bcsr_fromdense(jnp.eye(2))
      >>> print(sparse.bcsr_extract(m.indices, m.indptr, jnp.array([[1.0, 2.0], [3.0, 4.0]])))
      [1. 4.]
    """
    x = as_array(mat)
    shape = x.shape
    like = BCSR((jnp.zeros(as_array(indices).shape), indices, indptr), shape=shape)
    return bcoo.bcoo_extract(like.to_bcoo(), x, assume_unique=True).data  # type: ignore[no-any-return]


def bcsr_dot_general(lhs: Any, rhs: Any, *, dimension_numbers: Any, **options: Any) -> Any:
    """Product over dimensions, as ``lax.dot_general``.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad.experimental import sparse
      >>> m = sparse.bcsr_fromdense(2 * jnp.eye(2))
      >>> print(sparse.bcsr_dot_general(m, jnp.ones(2), dimension_numbers=(([1], [0]), ([], []))))
      [2. 2.]
    """
    a, b = (v.to_bcoo() if isinstance(v, BCSR) else v for v in (lhs, rhs))
    return bcoo.bcoo_dot_general(a, b, dimension_numbers=dimension_numbers, **options)


def bcsr_broadcast_in_dim(mat: BCSR, *, shape: Sequence[int], broadcast_dimensions: Sequence[int], **_: Any) -> BCSR:
    """The array repeated along dimensions of size 1; the result has two dimensions."""
    out = bcoo.bcoo_broadcast_in_dim(mat.to_bcoo(), shape=shape, broadcast_dimensions=broadcast_dimensions)
    return BCSR.from_bcoo(out.sort_indices())


def bcsr_concatenate(operands: Sequence[BCSR], *, dimension: int) -> BCSR:
    """Arrays joined along a dimension.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad.experimental import sparse
      >>> m = sparse.bcsr_fromdense(jnp.eye(2))
      >>> print(sparse.bcsr_concatenate([m, m], dimension=0).shape)
      (4, 2)
    """
    out = bcoo.bcoo_concatenate([m.to_bcoo() for m in operands], dimension=dimension)
    return BCSR.from_bcoo(out.sort_indices())


def bcsr_sum_duplicates(mat: BCSR, nse: int | None = None, remove_zeros: bool = True) -> BCSR:
    """Elements with equal indices added up."""
    return BCSR.from_bcoo(bcoo.bcoo_sum_duplicates(mat.to_bcoo(), nse=nse, remove_zeros=remove_zeros))


def bcsr_eliminate_zeros(mat: BCSR, nse: int | None = None) -> BCSR:
    """The array without stored zeros."""
    return bcsr_sum_duplicates(mat, nse=nse, remove_zeros=True)


__all__ = [
    "BCSR", "BCSRProperties", "bcsr_broadcast_in_dim", "bcsr_concatenate", "bcsr_dot_general", "bcsr_eliminate_zeros",
    "bcsr_extract", "bcsr_fromdense", "bcsr_sum_duplicates", "bcsr_todense",
]  # fmt: skip

publish(globals(), __name__, __all__)
