"""``triangular_solve``: systems of equations with a triangular matrix.

May import ``core``, ``ops`` and ``ops.linalg.matrices``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fungrad.core.array import Array
from fungrad.core.avals import ShapedArray, Zero
from fungrad.ops._operands import lift
from fungrad.ops.elementwise import neg
from fungrad.ops.foundation import add_zeros
from fungrad.ops.linalg import native
from fungrad.ops.linalg.matrices import (
    MatrixPrimitive,
    conjugate,
    each,
    lower_triangle,
    matrix_operand,
    mm,
    transposed,
    upper_triangle,
    with_dtype,
)


class TriangularSolve(MatrixPrimitive):
    """``op(a) x = b`` or ``x op(a) = b`` for ``x``; linear in ``b``."""

    multiple_results = False

    def abstract_eval(self, a: ShapedArray, b: ShapedArray, **params: Any) -> ShapedArray:
        api = "fungrad.lax.linalg.triangular_solve"
        side = -2 if params["left_side"] else -1
        if a.shape[:-2] != b.shape[:-2] or a.shape[-1] != b.shape[side]:
            where = "rows" if params["left_side"] else "columns"
            raise ValueError(
                f"{api}: b must have the batch dimensions of a and as many {where} as a has rows, got a of type "
                f"{a.str_short()} and b of type {b.str_short()}"
            )
        if a.dtype != b.dtype:
            raise TypeError(f"{api}: a and b must be of one dtype, got {a.str_short()} and {b.str_short()}")
        return with_dtype(b, b.shape)

    def impl(
        self,
        a: np.ndarray,
        b: np.ndarray,
        *,
        left_side: bool,
        lower: bool,
        transpose_a: bool,
        conjugate_a: bool,
        unit_diagonal: bool,
    ) -> np.ndarray:
        from scipy.linalg import get_blas_funcs

        out = np.empty(b.shape, b.dtype)
        if not out.size:
            return out
        if conjugate_a and not transpose_a:
            a = a.conj()
        (trsm,) = get_blas_funcs(("trsm",), (a, b))
        trans = (2 if conjugate_a else 1) if transpose_a else 0
        for matrix, right, target in each(a, b, out):
            target[...] = trsm(1.0, matrix, right, not left_side, lower, trans, unit_diagonal)
        return out

    def lower(self, ctx: Any, a: Any, b: Any, **params: Any) -> Any:
        return native.triangular_solve(ctx, a, b, **params)

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any], **params: Any) -> tuple[Any, Any]:
        (a, b), (da, db) = primals, tangents
        x = self.bind(a, b, **params)
        tangent: Any = Zero(x.aval.tangent())
        if type(db) is not Zero:
            tangent = self.bind(a, db, **params)
        if type(da) is not Zero:
            k = 1 if params["unit_diagonal"] else 0
            da = lower_triangle(da, -k) if params["lower"] else upper_triangle(da, k)
            if params["transpose_a"]:
                da = transposed(da)
            if params["conjugate_a"]:
                da = conjugate(da)
            change = mm(da, x) if params["left_side"] else mm(x, da)
            tangent = add_zeros(tangent, neg(self.bind(a, change, **params)))
        return x, tangent

    def transpose(self, ct: Any, a: Any, b: Any, **params: Any) -> Sequence[Any]:
        params["transpose_a"] = not params["transpose_a"]
        return None, self.bind(a, ct, **params)


triangular_solve_p = TriangularSolve("triangular_solve")


def triangular_solve(
    a: Any,
    b: Any,
    *,
    left_side: bool = False,
    lower: bool = False,
    transpose_a: bool = False,
    conjugate_a: bool = False,
    unit_diagonal: bool = False,
) -> Array:
    """Solves ``op(a) x = b`` (``left_side``) or ``x op(a) = b`` with a triangular matrix ``a``.

    Args:
      a: shape ``(..., n, n)``, of dtype float32, float64, complex64 or complex128; the other triangle is not read.
      b: shape ``(..., n, m)`` if ``left_side``, else ``(..., m, n)``; also without the dimension ``m``, and of the same
        dtype and batch dimensions as ``a``.
      left_side: on which side of the unknowns the matrix stands.
      lower: which triangle of ``a`` is used.
      transpose_a, conjugate_a: what ``op`` does.
      unit_diagonal: take the diagonal for ones without reading it.

    Returns:
      An array of the shape of ``b``; infinities and NaN where ``a`` is singular.

    Raises:
      TypeError: the dtypes are others, or differ.
      ValueError: the shapes do not match.

    Example:
      >>> import numpy as np
      >>> from fungrad import lax
      >>> lax.linalg.triangular_solve(np.float32([[2, 0], [1, 4]]), np.float32([[2], [9]]), left_side=True, lower=True)
      Array([[1.],
             [2.]], dtype=float32)
    """
    api = "fungrad.lax.linalg.triangular_solve"
    a = matrix_operand(api, a, "a", square=True)
    b = lift(b, f"{api}: b")
    single = b.aval.ndim == a.aval.ndim - 1
    if single:
        b = b[..., None] if left_side else b[..., None, :]
    b = matrix_operand(api, b, "b")
    out = triangular_solve_p.bind(
        a,
        b,
        left_side=bool(left_side),
        lower=bool(lower),
        transpose_a=bool(transpose_a),
        conjugate_a=bool(conjugate_a),
        unit_diagonal=bool(unit_diagonal),
    )
    if single:
        return out[..., 0] if left_side else out[..., 0, :]
    return out
