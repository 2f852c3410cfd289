"""``qr``: a matrix as the product of one with orthonormal columns and an upper triangular one.

May import ``core``, ``ops``, ``ops.linalg.matrices`` and ``ops.linalg.triangular``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fungrad.core.array import Array
from fungrad.core.avals import ShapedArray
from fungrad.ops._operands import kind_of
from fungrad.ops.elementwise import add, sub
from fungrad.ops.joining import concatenate
from fungrad.ops.linalg import native
from fungrad.ops.linalg.matrices import (
    MatrixPrimitive,
    adjoint,
    as_diagonal,
    diagonal_of,
    lower_triangle,
    matrix_operand,
    mm,
    real_part,
    with_dtype,
)
from fungrad.ops.linalg.triangular import triangular_solve
from fungrad.ops.shape import slice as slice_of


class QR(MatrixPrimitive):
    """Both factors by Householder reflections."""

    def abstract_eval(self, a: ShapedArray, *, full_matrices: bool) -> Sequence[ShapedArray]:
        *batch, m, n = a.shape
        k = m if full_matrices else min(m, n)
        return [with_dtype(a, (*batch, m, k)), with_dtype(a, (*batch, k, n))]

    def impl(self, a: np.ndarray, *, full_matrices: bool) -> Sequence[np.ndarray]:
        return [np.asarray(x) for x in np.linalg.qr(a, "complete" if full_matrices else "reduced")]

    def lower(self, ctx: Any, a: Any, *, full_matrices: bool) -> list[Any]:
        return native.qr(ctx, a, full_matrices)

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any], *, full_matrices: bool) -> tuple[Any, Any]:
        (a,), (da,) = primals, tangents
        *batch, m, n = a.aval.shape
        if full_matrices and m > n:
            raise NotImplementedError(
                f"fungrad.lax.linalg.qr: with full_matrices=True there is no derivative for more rows than columns "
                f"({m} > {n}), since the additional columns are not determined; use full_matrices=False"
            )
        q, r = self.bind(a, full_matrices=full_matrices)
        k = min(m, n)
        start = (0,) * a.aval.ndim
        left, triangle = slice_of(da, start, (*batch, m, k)), slice_of(r, start, (*batch, k, k))
        # Q^H dA R^-1 = Q^H dQ + dR R^-1: the first is skew-Hermitian, the second upper triangular with a real diagonal.
        inside = triangular_solve(triangle, left, left_side=False, lower=False)
        projected = mm(adjoint(q), inside)
        below = lower_triangle(projected, -1)
        skew = sub(below, adjoint(below))
        if kind_of(a.aval.dtype) == "c":
            diagonal = diagonal_of(projected)
            skew = add(skew, as_diagonal(sub(diagonal, real_part(diagonal).astype(diagonal.aval.dtype))))
        dq = add(mm(q, sub(skew, projected)), inside)
        dr = mm(sub(projected, skew), triangle)
        if n > k:
            rest = slice_of(da, (*start[:-1], k), da.aval.shape)
            right = slice_of(r, (*start[:-1], k), r.aval.shape)
            more = mm(adjoint(q), sub(rest, mm(dq, right)))
            dr = concatenate([dr, more], a.aval.ndim - 1)
        return [q, r], [dq, dr]


qr_p = QR("qr")


def qr(x: Any, *, pivoting: bool = False, full_matrices: bool = True, use_magma: Any = None) -> tuple[Array, Array]:
    """The factorisation ``x = q @ r``.

    Args:
      x: shape ``(..., m, n)``, of dtype float32, float64, complex64 or complex128.
      pivoting: must be False.
      full_matrices: make ``q`` square.
      use_magma: ignored.

    Returns:
      ``q`` of shape ``(..., m, k)`` and ``r`` of shape ``(..., k, n)`` with ``k = m`` or, without ``full_matrices``,
      ``min(m, n)``.

    Raises:
      TypeError: the dtype is another one.
      ValueError: ``x`` has fewer than two dimensions.
      NotImplementedError: ``pivoting``, or a derivative with ``full_matrices`` of more rows than columns.

    Example:
      >>> import numpy as np
      >>> from fungrad import lax
      >>> q, r = lax.linalg.qr(np.float32([[3, 1], [4, 2]]), full_matrices=False)
      >>> bool(np.allclose(q @ r, [[3, 1], [4, 2]])), bool(np.allclose(q.T @ q, np.eye(2), atol=1e-6))
      (True, True)
    """
    if pivoting:
        raise NotImplementedError("fungrad.lax.linalg.qr: pivoting is not supported")
    q, r = qr_p.bind(matrix_operand("fungrad.lax.linalg.qr", x), full_matrices=bool(full_matrices))
    return q, r
