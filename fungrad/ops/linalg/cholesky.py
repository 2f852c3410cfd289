"""``cholesky``: a positive definite matrix as the product of a triangular one and its conjugate transpose.

May import ``core``, ``ops``, ``ops.linalg.matrices`` and ``ops.linalg.triangular``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fungrad.core.array import Array
from fungrad.core.avals import ShapedArray
from fungrad.ops._operands import scalar_like
from fungrad.ops.elementwise import add, mul
from fungrad.ops.linalg import native
from fungrad.ops.linalg.matrices import (
    MatrixPrimitive,
    adjoint,
    as_diagonal,
    diagonal_of,
    failing_as_nan,
    lower_product,
    lower_triangle,
    matrix_operand,
    with_dtype,
)
from fungrad.ops.linalg.triangular import triangular_solve


def symmetrized(a: Any) -> Any:
    """The Hermitian part of a matrix."""
    return mul(add(a, adjoint(a)), scalar_like(0.5, a))


class Cholesky(MatrixPrimitive):
    """The lower factor; reads the lower triangle."""

    multiple_results = False

    def abstract_eval(self, a: ShapedArray) -> ShapedArray:
        return with_dtype(a, a.shape)

    def impl(self, a: np.ndarray) -> np.ndarray:
        return np.asarray(failing_as_nan(lambda a: [np.linalg.cholesky(a)], np.tril(a))[0])

    def lower(self, ctx: Any, a: Any) -> Any:
        return native.cholesky(ctx, a)

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        (a,), (da,) = primals, tangents
        factor = self.bind(a)
        # With S = L^-1 dA L^-H the tangent is L times the lower triangle of S, its diagonal halved.
        right = triangular_solve(factor, da, left_side=False, lower=True, transpose_a=True, conjugate_a=True)
        inside = lower_triangle(triangular_solve(factor, right, left_side=True, lower=True))
        half = mul(as_diagonal(diagonal_of(inside)), scalar_like(-0.5, inside))
        return factor, lower_product(factor, add(inside, half))


cholesky_p = Cholesky("cholesky")


def cholesky(x: Any, *, symmetrize_input: bool = True) -> Array:
    """The lower triangular ``l`` with ``x = l @ l.conj().T`` for a positive definite matrix.

    Args:
      x: shape ``(..., n, n)``, of dtype float32, float64, complex64 or complex128.
      symmetrize_input: take the Hermitian part of ``x``; otherwise only its lower triangle counts.

    Returns:
      An array of the same shape and dtype; all NaN for a matrix that is not positive definite.

    Raises:
      TypeError: the dtype is another one.
      ValueError: ``x`` is not square.

    Example:
      >>> import numpy as np
      >>> from fungrad import lax
      >>> lax.linalg.cholesky(np.float32([[4, 2], [2, 10]]))
      Array([[2., 0.],
             [1., 3.]], dtype=float32)
    """
    x = matrix_operand("fungrad.lax.linalg.cholesky", x, square=True)
    return cholesky_p.bind(symmetrized(x) if symmetrize_input else x)
