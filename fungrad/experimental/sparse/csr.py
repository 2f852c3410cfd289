"""Matrices in compressed rows and columns: ``CSR`` and ``CSC``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fungrad.core.array import Array, as_array
from fungrad.core.public_names import publish
from fungrad.core.source import api_class
from fungrad.core.tree_registration import register_pytree_node_class
from fungrad.experimental.sparse import bcoo
from fungrad.experimental.sparse._base import JAXSparse
from fungrad.experimental.sparse.bcoo import BCOO
from fungrad.experimental.sparse.bcsr import BCSR


class _Compressed(JAXSparse):
    def __init__(self, args: Any, *, shape: Sequence[int]):
        self.data, self.indices, self.indptr = [as_array(x, f"fungrad.{type(self).__name__}") for x in args]
        self.shape = tuple(shape)

    @property
    def nse(self) -> int:
        """Number of specified elements."""
        return self.data.size  # type: ignore[no-any-return]

    def to_bcoo(self) -> BCOO:
        """The matrix in batched coordinates."""
        raise NotImplementedError

    def todense(self) -> Array:
        """The matrix with its zeros."""
        return self.to_bcoo().todense()

    def __matmul__(self, other: Any) -> Array:
        if isinstance(other, JAXSparse):
            raise NotImplementedError(
                f"fungrad.{type(self).__name__}: products of two sparse matrices need BCOO; convert both with to_bcoo()"
            )
        return bcoo.matmul(self.to_bcoo(), other)  # type: ignore[no-any-return]

    def tree_flatten(self) -> tuple:
        """As a tree: data, indices and pointers."""
        return (self.data, self.indices, self.indptr), (self.shape,)

    @classmethod
    def tree_unflatten(cls, aux: Any, children: Any) -> Any:
        """The inverse of ``tree_flatten``."""
        out = object.__new__(cls)
        out.data, out.indices, out.indptr = children
        (out.shape,) = aux
        return out


@api_class
@register_pytree_node_class
class CSR(_Compressed):
    """A sparse matrix with compressed rows.

    Args:
      args: data, column indices, and pointers to the starts of rows.
      shape: shape of the matrix.
    """

    @classmethod
    def fromdense(cls, mat: Any, *, nse: int | None = None, index_dtype: Any = np.int32) -> CSR:
        """The sparse form of a dense matrix."""
        return csr_fromdense(mat, nse=nse, index_dtype=index_dtype)

    def to_bcoo(self) -> BCOO:
        """The matrix in batched coordinates."""
        return BCSR((self.data, self.indices, self.indptr), shape=self.shape).to_bcoo()

    def transpose(self, axes: Any = None) -> CSC:
        """The transpose."""
        return CSC((self.data, self.indices, self.indptr), shape=self.shape[::-1])


@api_class
@register_pytree_node_class
class CSC(_Compressed):
    """A sparse matrix with compressed columns.

    Args:
      args: data, row indices, and pointers to the starts of columns.
      shape: shape of the matrix.
    """

    @classmethod
    def fromdense(cls, mat: Any, *, nse: int | None = None, index_dtype: Any = np.int32) -> CSC:
        """The sparse form of a dense matrix."""
        return csr_fromdense(as_array(mat).T, nse=nse, index_dtype=index_dtype).T  # type: ignore[attr-defined]

    def to_bcoo(self) -> BCOO:
        """The matrix in batched coordinates."""
        return self.transpose().to_bcoo().T

    def transpose(self, axes: Any = None) -> CSR:
        """The transpose."""
        return CSR((self.data, self.indices, self.indptr), shape=self.shape[::-1])


def csr_fromdense(mat: Any, *, nse: int | None = None, index_dtype: Any = np.int32) -> CSR:
    """The sparse form of a dense matrix.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad.experimental import sparse
      >>> print(sparse.csr_fromdense(jnp.eye(2)))
      CSR(float32[2, 2], nse=2)
    """
    m = BCSR.fromdense(mat, nse=nse, index_dtype=index_dtype)
    return CSR((m.data, m.indices, m.indptr), shape=m.shape)


def csr_todense(mat: CSR) -> Array:
    """The matrix with its zeros.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad.experimental import sparse
      >>> print(sparse.csr_todense(sparse.csr_fromdense(jnp.eye(2))))
      [[1. 0.]
       [0. 1.]]
    """
    return mat.todense()


def csr_matvec(mat: CSR, v: Any, transpose: bool = False) -> Array:
    """The product of the matrix, or its transpose, with a vector.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad.experimental import sparse
      >>> print(sparse.csr_matvec(sparse.csr_fromdense(2 * jnp.eye(2)), jnp.ones(2)))
      [2. 2.]
    """
    return (mat.T if transpose else mat) @ v  # type: ignore[no-any-return]


def csr_matmat(mat: CSR, B: Any, *, transpose: bool = False) -> Array:
    """The product of the matrix, or its transpose, with a matrix.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad.experimental import sparse
      >>> print(sparse.csr_matmat(sparse.csr_fromdense(2 * jnp.eye(2)), jnp.ones((2, 1))))
      [[2.]
       [2.]]
    """
    return (mat.T if transpose else mat) @ B  # type: ignore[no-any-return]


__all__ = ["CSC", "CSR", "csr_fromdense", "csr_matmat", "csr_matvec", "csr_todense"]

publish(globals(), __name__, __all__)
