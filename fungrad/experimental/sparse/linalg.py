"""Linear algebra of sparse matrices."""

from __future__ import annotations

from typing import Any

import fungrad.numpy as jnp
from fungrad.core.array import Array
from fungrad.core.public_names import publish
from fungrad.experimental.sparse.csr import CSR


def spsolve(data: Any, indices: Any, indptr: Any, b: Any, tol: float = 1e-6, reorder: int = 1) -> Array:
    """Solves a system of equations whose matrix has compressed rows. The factors are dense.

    Args:
      data: elements of the matrix.
      indices: their columns.
      indptr: pointers to the starts of rows.
      b: right hand side, a vector.
      tol: ignored.
      reorder: ignored.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad.experimental import sparse
      >>> m = sparse.CSR.fromdense(2 * jnp.eye(2))
      >>> sparse.linalg.spsolve(m.data, m.indices, m.indptr, jnp.ones(2))
      Array([0.5, 0.5], dtype=float32)
    """
    n = jnp.shape(b)[0]
    return jnp.linalg.solve(CSR((data, indices, indptr), shape=(n, n)).todense(), b)


__all__ = ["spsolve"]

publish(globals(), __name__, __all__)
