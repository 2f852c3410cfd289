"""Sparse arrays of every format: empty ones, identities, and back to dense."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fungrad.core.public_names import publish
from fungrad.experimental.sparse._base import is_sparse
from fungrad.experimental.sparse.bcoo import BCOO
from fungrad.experimental.sparse.bcsr import BCSR
from fungrad.experimental.sparse.coo import COO
from fungrad.experimental.sparse.csr import CSC, CSR


def _converted(m: BCOO, sparse_format: str) -> Any:
    if sparse_format == "bcoo":
        return m
    if sparse_format == "bcsr":
        return BCSR.from_bcoo(m)
    if sparse_format == "coo":
        return COO._from_bcoo(m)
    rows = BCSR.from_bcoo(m.T if sparse_format == "csc" else m)
    parts = (rows.data, rows.indices, rows.indptr)
    if sparse_format == "csr":
        return CSR(parts, shape=m.shape)
    if sparse_format == "csc":
        return CSC(parts, shape=m.shape)
    raise ValueError(
        f"fungrad.experimental.sparse: sparse_format must be bcoo, bcsr, coo, csr or csc, got {sparse_format!r}"
    )


def empty(
    shape: Sequence[int], dtype: Any = None, index_dtype: Any = "int32", sparse_format: str = "bcoo", **options: Any
) -> Any:
    """A sparse array without elements.

    Args:
      shape: its shape.
      dtype: its dtype.
      index_dtype: dtype of the indices.
      sparse_format: ``bcoo``, ``bcsr``, ``coo``, ``csr`` or ``csc``.
      **options: of the format: ``n_batch``, ``n_dense``, ``nse``.

    Example:
      >>> from fungrad.experimental import sparse
      >>> sparse.empty((2, 3))
      BCOO(float32[2, 3], nse=0)
    """
    return _converted(BCOO._empty(tuple(shape), dtype=dtype, index_dtype=index_dtype, **options), sparse_format)


def eye(
    N: int,
    M: int | None = None,
    k: int = 0,
    dtype: Any = None,
    index_dtype: Any = "int32",
    sparse_format: str = "bcoo",
    **options: Any,
) -> Any:
    """A sparse matrix with ones on a diagonal.

    Args:
      N: number of rows.
      M: number of columns; that of rows by default.
      k: which diagonal; positive ones are above the main one.
      dtype: its dtype.
      index_dtype: dtype of the indices.
      sparse_format: ``bcoo``, ``bcsr``, ``coo``, ``csr`` or ``csc``.
      **options: must be empty.

    Example:
      >>> from fungrad.experimental import sparse
      >>> sparse.eye(3).todense().sum(0)
      Array([1., 1., 1.], dtype=float32)
    """
    if options:
        raise NotImplementedError(
            f"fungrad.experimental.sparse.eye: unknown options {sorted(options)}; there are dtype, index_dtype and "
            "sparse_format"
        )
    return _converted(BCOO._eye(N, N if M is None else M, k, dtype=dtype, index_dtype=index_dtype), sparse_format)


def todense(arr: Any) -> Any:
    """A sparse array with its zeros; others as they are.

    Example:
      >>> from fungrad.experimental import sparse
      >>> sparse.todense(sparse.eye(2))
      Array([[1., 0.],
             [0., 1.]], dtype=float32)
    """
    return arr.todense() if is_sparse(arr) else arr


__all__ = ["empty", "eye", "todense"]

publish(globals(), __name__, __all__)
