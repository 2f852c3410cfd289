"""``cholesky_update`` and ``symmetric_product``: symmetric matrices that change.

May import ``core``, ``ops`` and the modules of ``ops.linalg`` up to ``triangular``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fungrad.core.array import Array
from fungrad.core.avals import ShapedArray, Zero
from fungrad.ops._operands import lift, scalar_like
from fungrad.ops.elementwise import add, mul
from fungrad.ops.foundation import zeros
from fungrad.ops.linalg import lapack, native
from fungrad.ops.linalg.lapack import in_program, on_arrays
from fungrad.ops.linalg.matrices import (
    MatrixPrimitive,
    as_diagonal,
    diagonal_of,
    lower_triangle,
    matrix_operand,
    mm,
    transposed,
    upper_triangle,
    with_dtype,
)
from fungrad.ops.linalg.triangular import triangular_solve


class CholeskyUpdate(MatrixPrimitive):
    """The upper factor of a real matrix to which the square of a vector has been added."""

    multiple_results = False

    def abstract_eval(self, r: ShapedArray, w: ShapedArray) -> ShapedArray:
        return with_dtype(r, r.shape)

    def impl(self, r: np.ndarray, w: np.ndarray) -> np.ndarray:
        if not r.size:
            return r.copy()
        n = r.shape[-1]
        columns = np.ascontiguousarray(np.swapaxes(np.triu(r).reshape(-1, n, n), -1, -2))
        made = np.swapaxes(on_arrays(lapack.tpqrt2(r.dtype, n), [columns, w.reshape(-1, n)])[0], -1, -2)
        signs = np.where(np.diagonal(made, 0, -2, -1) < 0, -1, 1).astype(r.dtype)
        return np.triu(made * signs[..., None]).reshape(r.shape)

    def lower(self, ctx: Any, r: Any, w: Any) -> Any:
        *batch, n, _ = r.shape
        if 0 in r.shape:
            return r
        columns = native.swapped(ctx, native.triangle(ctx, native.stacked(ctx, r), lower=False))
        made, _, _ = in_program(ctx, lapack.tpqrt2(r.dtype, n), [columns, native.stacked(ctx, w, 1)])

        def element(m: Any, b: Any, i: Any, j: Any) -> Any:
            # Reflections may turn the signs of rows.
            x = m.load(made, b, j, i)
            x = m.select(m.load(made, b, i, i) < 0.0, -x, x)
            return m.select(m.index(j) >= m.index(i), x, m.const(0.0, x))

        return native.unstacked(ctx, ctx.compute(made.shape, r.dtype, element), batch)

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        (r, w), (dr, dw) = primals, tangents
        out = self.bind(r, w)
        # With A = out^T out the tangent is the upper triangle of S = out^-T dA out^-1, its diagonal halved, times out.
        change = zeros(out.aval)
        if type(dr) is not Zero:
            change = add(change, mm(transposed(upper_triangle(r)), upper_triangle(dr)))
        if type(dw) is not Zero:
            change = add(change, mm(w[..., :, None], dw[..., None, :]))
        change = add(change, transposed(change))
        inside = triangular_solve(out, change, left_side=True, lower=False, transpose_a=True)
        inside = upper_triangle(triangular_solve(out, inside, left_side=False, lower=False))
        half = mul(as_diagonal(diagonal_of(inside)), scalar_like(-0.5, inside))
        return out, mm(add(inside, half), out)


cholesky_update_p = CholeskyUpdate("cholesky_update")


def cholesky_update(r_matrix: Any, w_vector: Any) -> Array:
    """The Cholesky factor of ``r.T @ r + outer(w, w)``, in a number of operations quadratic in its size.

    Args:
      r_matrix: upper triangular, shape ``(..., n, n)``, of dtype float32 or float64.
      w_vector: shape ``(..., n)`` and the same dtype.

    Returns:
      The new upper triangular factor, whose diagonal is positive.

    Raises:
      TypeError: the dtypes are others, or differ.
      ValueError: the shapes do not match.

    Example:
      >>> import numpy as np
      >>> from fungrad import lax
      >>> lax.linalg.cholesky_update(np.float32([[3, 1], [0, 1]]), np.float32([4, 0])).round(3)
      Array([[5.   , 0.6  ],
             [0.   , 1.281]], dtype=float32)
    """
    api = "fungrad.lax.linalg.cholesky_update"
    r = matrix_operand(api, r_matrix, "r_matrix", square=True)
    w = lift(w_vector, f"{api}: w_vector")
    if r.aval.dtype.name not in ("float32", "float64") or w.aval.dtype != r.aval.dtype:
        raise TypeError(
            f"{api}: r_matrix and w_vector must both be of dtype float32 or float64, got {r.aval.str_short()} and "
            f"{w.aval.str_short()}"
        )
    if w.aval.shape != r.aval.shape[:-1]:
        raise ValueError(f"{api}: w_vector must be of shape {r.aval.shape[:-1]}, got {w.aval.str_short()}")
    return cholesky_update_p.bind(r, w)  # type: ignore[no-any-return]


class SymmetricProduct(MatrixPrimitive):
    """``alpha * a @ a.T + beta * c``."""

    multiple_results = False

    def abstract_eval(self, a: ShapedArray, c: ShapedArray, *, alpha: float, beta: float) -> ShapedArray:
        return with_dtype(c, c.shape)

    def impl(self, a: np.ndarray, c: np.ndarray, *, alpha: float, beta: float) -> np.ndarray:
        one, other = (np.asarray(s, a.dtype) for s in (alpha, beta))
        return one * np.matmul(a, np.swapaxes(a, -1, -2)) + other * c

    def lower(self, ctx: Any, a: Any, c: Any, *, alpha: float, beta: float) -> Any:
        n = len(a.shape)
        batch = tuple(range(n - 2))
        product = ctx.dot(a, a, ((n - 1,), (n - 1,)), (batch, batch), a.dtype)
        return ctx.map(lambda m, x, y: x * alpha + y * beta, [product, c], a.dtype)

    def jvp(
        self, primals: Sequence[Any], tangents: Sequence[Any], *, alpha: float, beta: float
    ) -> tuple[Any, Any]:
        (a, c), (da, dc) = primals, tangents
        out = self.bind(a, c, alpha=alpha, beta=beta)
        tangent = zeros(out.aval)
        if type(da) is not Zero:
            half = mm(da, transposed(a))
            tangent = add(tangent, mul(add(half, transposed(half)), scalar_like(alpha, half)))
        if type(dc) is not Zero:
            tangent = add(tangent, mul(dc, scalar_like(beta, dc)))
        return out, tangent


symmetric_product_p = SymmetricProduct("symmetric_product")


def symmetric_product(
    a_matrix: Any, c_matrix: Any, *, alpha: float = 1.0, beta: float = 0.0, symmetrize_output: bool = False
) -> Array:
    """``alpha * a @ a.T + beta * c`` for a symmetric ``c``.

    Args:
      a_matrix: shape ``(..., m, n)``, of dtype float32 or float64.
      c_matrix: shape ``(..., m, m)`` and the same dtype.
      alpha, beta: numbers.
      symmetrize_output: take the lower triangle for both.

    Returns:
      An array of the shape of ``c_matrix``.

    Raises:
      TypeError: the dtypes are others, or differ.
      ValueError: the shapes do not match.

    Example:
      >>> import numpy as np
      >>> from fungrad import lax
      >>> lax.linalg.symmetric_product(np.float32([[1], [2]]), np.eye(2, dtype="float32"), beta=1.0)
      Array([[2., 2.],
             [2., 5.]], dtype=float32)
    """
    api = "fungrad.lax.linalg.symmetric_product"
    a, c = matrix_operand(api, a_matrix, "a_matrix"), matrix_operand(api, c_matrix, "c_matrix", square=True)
    if a.aval.dtype.name not in ("float32", "float64") or a.aval.dtype != c.aval.dtype:
        raise TypeError(
            f"{api}: a_matrix and c_matrix must both be of dtype float32 or float64, got {a.aval.str_short()} and "
            f"{c.aval.str_short()}"
        )
    if a.aval.shape[:-1] != c.aval.shape[:-1]:
        raise ValueError(
            f"{api}: c_matrix must be of shape {(*a.aval.shape[:-1], a.aval.shape[-2])}, got {c.aval.str_short()}"
        )
    out = symmetric_product_p.bind(a, c, alpha=float(alpha), beta=float(beta))
    return add(lower_triangle(out), transposed(lower_triangle(out, -1))) if symmetrize_output else out
