"""Matrices in coordinates: ``COO``, data with their rows and columns."""

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
from fungrad.experimental.sparse._base import JAXSparse
from fungrad.experimental.sparse.bcoo import BCOO


class COOInfo(NamedTuple):
    """Facts of a ``COO`` matrix.

    Attributes:
      shape: shape.
      rows_sorted: whether rows are in order.
      cols_sorted: whether columns are in order.
    """

    shape: tuple[int, ...]
    rows_sorted: bool = False
    cols_sorted: bool = False


@api_class
@register_pytree_node_class
class COO(JAXSparse):
    """A sparse matrix in coordinates.

    Args:
      args: data, rows and columns, each of length ``nse``.
      shape: shape of the matrix.
      rows_sorted: whether rows are in order.
      cols_sorted: whether columns are in order.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad.experimental import sparse
      >>> sparse.COO.fromdense(jnp.eye(2)) @ jnp.array([3.0, 4.0])
      Array([3., 4.], dtype=float32)
    """

    def __init__(self, args: Any, *, shape: Sequence[int], rows_sorted: bool = False, cols_sorted: bool = False):
        self.data, self.row, self.col = [as_array(x, "fungrad.COO") for x in args]
        self.shape = tuple(shape)
        self._rows_sorted, self._cols_sorted = rows_sorted, cols_sorted

    @classmethod
    def fromdense(cls, mat: Any, *, nse: int | None = None, index_dtype: Any = np.int32) -> COO:
        """The sparse form of a dense matrix."""
        return coo_fromdense(mat, nse=nse, index_dtype=index_dtype)

    @classmethod
    def _from_bcoo(cls, m: BCOO) -> COO:
        return cls((m.data, m.indices[..., 0], m.indices[..., 1]), shape=m.shape)

    @property
    def nse(self) -> int:
        """Number of specified elements."""
        return self.data.size  # type: ignore[no-any-return]

    def to_bcoo(self) -> BCOO:
        """The matrix in batched coordinates."""
        return BCOO((self.data, jnp.stack([self.row, self.col], -1)), shape=self.shape)

    def todense(self) -> Array:
        """The matrix with its zeros."""
        return self.to_bcoo().todense()

    def transpose(self, axes: Any = None) -> COO:
        """The transpose."""
        return COO((self.data, self.col, self.row), shape=self.shape[::-1])

    def __matmul__(self, other: Any) -> Array:
        if isinstance(other, JAXSparse):
            raise NotImplementedError(
                "fungrad.COO: products of two sparse matrices need BCOO; convert both with to_bcoo()"
            )
        return bcoo.matmul(self.to_bcoo(), other)  # type: ignore[no-any-return]

    def tree_flatten(self) -> tuple:
        """As a tree: data, rows and columns."""
        return (self.data, self.row, self.col), (self.shape, self._rows_sorted, self._cols_sorted)

    @classmethod
    def tree_unflatten(cls, aux: Any, children: Any) -> COO:
        """The inverse of ``tree_flatten``."""
        out = object.__new__(cls)
        out.data, out.row, out.col = children
        out.shape, out._rows_sorted, out._cols_sorted = aux
        return out


def coo_fromdense(mat: Any, *, nse: int | None = None, index_dtype: Any = np.int32) -> COO:
    """The sparse form of a dense matrix.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad.experimental import sparse
      >>> print(sparse.coo_fromdense(jnp.eye(2)))
      COO(float32[2, 2], nse=2)
    """
    return COO._from_bcoo(bcoo.bcoo_fromdense(mat, nse=nse, index_dtype=index_dtype))


def coo_todense(mat: COO) -> Array:
    """The matrix with its zeros.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad.experimental import sparse
      >>> print(sparse.coo_todense(sparse.coo_fromdense(jnp.eye(2))))
      [[1. 0.]
       [0. 1.]]
    """
    return mat.todense()


def coo_matvec(mat: COO, v: Any, transpose: bool = False) -> Array:
    """The product of the matrix, or its transpose, with a vector.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad.experimental import sparse
      >>> print(sparse.coo_matvec(sparse.coo_fromdense(2 * jnp.eye(2)), jnp.ones(2)))
      [2. 2.]
    """
    return (mat.T if transpose else mat) @ v  # type: ignore[no-any-return]


def coo_matmat(mat: COO, B: Any, *, transpose: bool = False) -> Array:
    """The product of the matrix, or its transpose, with a matrix.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad.experimental import sparse
      >>> print(sparse.coo_matmat(sparse.coo_fromdense(2 * jnp.eye(2)), jnp.ones((2, 1))))
      [[2.]
       [2.]]
    """
    return (mat.T if transpose else mat) @ B  # type: ignore[no-any-return]


__all__ = ["COO", "COOInfo", "coo_fromdense", "coo_matmat", "coo_matvec", "coo_todense"]

publish(globals(), __name__, __all__)
