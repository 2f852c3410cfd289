"""``qr``: a matrix as the product of one with orthonormal columns and an upper triangular one.

May import ``core``, ``ops`` and the modules of ``ops.linalg`` up to ``lu``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fungrad.core import dtypes
from fungrad.core.array import Array
from fungrad.core.avals import ShapedArray, Zero
from fungrad.core.dimensions import min_size
from fungrad.core.lapack import library
from fungrad.ops._operands import kind_of, scalar_like
from fungrad.ops.elementwise import add, neg, sub
from fungrad.ops.joining import concatenate
from fungrad.ops.linalg import lapack, native
from fungrad.ops.linalg.lapack import on_arrays
from fungrad.ops.linalg.lu import zeros_of
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
from fungrad.ops.shape import pad, slice as slice_of
from fungrad.ops.sort import take_along


class QR(MatrixPrimitive):
    """Both factors by Householder reflections; with pivoting also the order of the columns."""

    def abstract_eval(self, a: ShapedArray, *, full_matrices: bool, pivoting: bool) -> Sequence[ShapedArray]:
        *batch, m, n = a.shape
        k = m if full_matrices else min_size(m, n)
        order = [with_dtype(a, (*batch, n), dtypes.int32)] if pivoting else []
        return [with_dtype(a, (*batch, m, k)), with_dtype(a, (*batch, k, n)), *order]

    def impl(self, a: np.ndarray, *, full_matrices: bool, pivoting: bool) -> Sequence[np.ndarray]:
        if not pivoting:
            return [np.asarray(x) for x in np.linalg.qr(a, "complete" if full_matrices else "reduced")]
        *batch, m, n = a.shape
        if not a.size:
            q, r = np.linalg.qr(a, "complete" if full_matrices else "reduced")
            order = np.empty((*batch, n), np.int32)
            order[...] = np.arange(n, dtype=np.int32)
            return [np.asarray(q), np.asarray(r), order]
        columns = np.ascontiguousarray(np.swapaxes(a.reshape(-1, m, n), -1, -2))
        free = np.zeros((len(columns), n), library().integer)
        made, order, factors, _ = on_arrays(lapack.geqp3(a.dtype, m, n), [columns, free])
        k = m if full_matrices else min(m, n)
        reflectors = np.zeros((len(columns), k, m), a.dtype)
        reflectors[:, : min(k, n)] = made[:, : min(k, n)]
        q, _ = on_arrays(lapack.orgqr(a.dtype, m, k, min(m, n)), [reflectors, factors])
        r = np.triu(np.swapaxes(made[:, :, :k], -1, -2))
        return [
            np.swapaxes(q, -1, -2).reshape((*batch, m, k)),
            r.reshape((*batch, k, n)),
            (order - 1).astype(np.int32).reshape((*batch, n)),
        ]

    def lower(self, ctx: Any, a: Any, *, full_matrices: bool, pivoting: bool) -> list[Any]:
        return native.qr(ctx, a, full_matrices, pivoting)

    def jvp(
        self, primals: Sequence[Any], tangents: Sequence[Any], *, full_matrices: bool, pivoting: bool
    ) -> tuple[Any, Any]:
        (a,), (da,) = primals, tangents
        *batch, m, n = a.aval.shape
        q, r, *order = self.bind(a, full_matrices=full_matrices, pivoting=pivoting)
        if pivoting:
            da = take_along(da, order[0][..., None, :] + zeros_of(da.aval.shape), da.aval.ndim - 1, distinct=True)
        k = min_size(m, n)
        start = (0,) * a.aval.ndim
        thin, triangle = slice_of(q, start, (*batch, m, k)), slice_of(r, start, (*batch, k, k))
        # Q^H dA R^-1 = Q^H dQ + dR R^-1: the first is skew-Hermitian, the second upper triangular with a real diagonal.
        inside = triangular_solve(triangle, slice_of(da, start, (*batch, m, k)), left_side=False, lower=False)
        projected = mm(adjoint(thin), inside)
        below = lower_triangle(projected, -1)
        skew = sub(below, adjoint(below))
        if kind_of(a.aval.dtype) == "c":
            diagonal = diagonal_of(projected)
            skew = add(skew, as_diagonal(sub(diagonal, real_part(diagonal).astype(diagonal.aval.dtype))))
        dq = add(mm(thin, sub(skew, projected)), inside)
        dr = mm(sub(projected, skew), triangle)
        if n > k:
            rest = slice_of(da, (*start[:-1], k), da.aval.shape)
            right = slice_of(r, (*start[:-1], k), r.aval.shape)
            more = mm(adjoint(thin), sub(rest, mm(dq, right)))
            dr = concatenate([dr, more], a.aval.ndim - 1)
        if q.aval.shape[-1] > k:
            # The additional columns stay orthogonal to the others, and do not turn among themselves.
            added = slice_of(q, (*start[:-1], k), q.aval.shape)
            dq = concatenate([dq, neg(mm(thin, mm(adjoint(dq), added)))], a.aval.ndim - 1)
            dr = pad(dr, scalar_like(0, dr), [*[(0, 0, 0)] * len(batch), (0, m - k, 0), (0, 0, 0)])
        return [q, r, *order], [dq, dr, *[Zero(p.aval.tangent()) for p in order]]


qr_p = QR("qr")


def qr(x: Any, *, pivoting: bool = False, full_matrices: bool = True, use_magma: Any = None) -> tuple[Array, ...]:
    """The factorisation ``x = q @ r``, or ``x[:, p] = q @ r``.

    Args:
      x: shape ``(..., m, n)``, of dtype float32, float64, complex64 or complex128.
      pivoting: exchange columns, so that the diagonal of ``r`` does not increase in absolute value.
      full_matrices: make ``q`` square.
      use_magma: ignored.

    Returns:
      ``q`` of shape ``(..., m, k)`` and ``r`` of shape ``(..., k, n)`` with ``k = m`` or, without ``full_matrices``,
      ``min(m, n)``; with pivoting also ``p`` of shape ``(..., n)`` and dtype int32. The derivative of columns of ``q``
      that the matrix does not determine is the one with which they do not turn among themselves.

    Raises:
      TypeError: the dtype is another one.
      ValueError: ``x`` has fewer than two dimensions.

    Example:
      >>> import numpy as np
      >>> from fungrad import lax
      >>> q, r = lax.linalg.qr(np.float32([[3, 1], [4, 2]]), full_matrices=False)
      >>> bool(np.allclose(q @ r, [[3, 1], [4, 2]])), bool(np.allclose(q.T @ q, np.eye(2), atol=1e-6))
      (True, True)
    """
    x = matrix_operand("fungrad.lax.linalg.qr", x)
    return tuple(qr_p.bind(x, full_matrices=bool(full_matrices), pivoting=bool(pivoting)))
