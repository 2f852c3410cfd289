"""``lu``: a matrix, its rows permuted, as the product of a lower and an upper triangular one.

May import ``core``, ``ops``, ``ops.linalg.matrices`` and ``ops.linalg.triangular``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fungrad.core import dtypes
from fungrad.core.array import Array
from fungrad.core.avals import ShapedArray, Zero
from fungrad.core.dimensions import min_size
from fungrad.ops._operands import lift, scalar_like
from fungrad.ops.elementwise import add
from fungrad.ops.linalg import native
from fungrad.ops.linalg.matrices import (
    MatrixPrimitive,
    each,
    identity_like,
    lower_product,
    lower_triangle,
    matrix_operand,
    upper_product,
    upper_triangle,
    with_dtype,
)
from fungrad.ops.linalg.triangular import triangular_solve
from fungrad.ops.shape import pad, slice as slice_of
from fungrad.ops.sort import take_along


class LU(MatrixPrimitive):
    """Both factors in one matrix, the exchanges of rows one after the other, and the permutation that they make."""

    def abstract_eval(self, a: ShapedArray) -> Sequence[ShapedArray]:
        *batch, m, n = a.shape
        return [
            with_dtype(a, a.shape),
            with_dtype(a, (*batch, min_size(m, n)), dtypes.int32),
            with_dtype(a, (*batch, m), dtypes.int32),
        ]

    def impl(self, a: np.ndarray) -> Sequence[np.ndarray]:
        from scipy.linalg import get_lapack_funcs

        *batch, m, n = a.shape
        lu = np.array(a, order="C")
        pivots = np.zeros((*batch, min(m, n)), np.int32)
        order = np.empty((*batch, m), np.int32)
        order[...] = np.arange(m, dtype=np.int32)
        if a.size:
            (getrf,) = get_lapack_funcs(("getrf",), (a,))
            rows = pivots.reshape(-1, min(m, n))
            orders = order.reshape(-1, m)
            for k, (matrix,) in enumerate(each(lu)):
                matrix[...], rows[k], _ = getrf(matrix)
                for i, j in enumerate(rows[k]):
                    orders[k][[i, j]] = orders[k][[j, i]]
        return [lu, pivots, order]

    def lower(self, ctx: Any, a: Any) -> list[Any]:
        return native.lu(ctx, a)

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        (a,), (da,) = primals, tangents
        lu, pivots, order = self.bind(a)
        m, n = a.aval.shape[-2:]
        rows = order[..., None].astype(dtypes.int32) + zeros_of(da.aval.shape)
        permuted = take_along(da, rows, da.aval.ndim - 2, distinct=True)
        lower, upper = factors(lu, m, n)
        # With X = L^-1 dPA U^-1: dL = L times its strictly lower part, dU = its upper part times U.
        inside = triangular_solve(lower, permuted, left_side=True, lower=True, unit_diagonal=True)
        inside = triangular_solve(upper, inside, left_side=False, lower=False)
        tangent = add(lower_product(lower, lower_triangle(inside, -1)), upper_product(upper_triangle(inside), upper))
        return [lu, pivots, order], [tangent, Zero(pivots.aval.tangent()), Zero(order.aval.tangent())]


def zeros_of(shape: Sequence[int]) -> np.ndarray:
    """int32 zeros."""
    return np.zeros(shape, np.int32)


def factors(lu: Any, m: int, n: int) -> tuple[Any, Any]:
    """The two factors of a matrix, square: filled up with those of the identity."""
    k, batch = min_size(m, n), lu.aval.ndim - 2
    zero = scalar_like(0, lu)
    none, all_batch = [(0, 0, 0)] * batch, lu.aval.shape[:-2]
    start = (0,) * (batch + 2)
    left = slice_of(lu, start, (*all_batch, m, k))
    top = slice_of(lu, start, (*all_batch, k, n))
    lower = pad(lower_triangle(left, -1), zero, [*none, (0, 0, 0), (0, m - k, 0)])
    upper = pad(upper_triangle(top), zero, [*none, (0, n - k, 0), (0, 0, 0)])
    lower = add(lower, identity_like(lu, m))
    if n > k:
        rest = lower_triangle(upper_triangle(identity_like(lu, n)))
        tail = slice_of(rest, (*start[:-2], k, 0), rest.aval.shape)
        upper = add(upper, pad(tail, zero, [*none, (k, 0, 0), (0, 0, 0)]))
    return lower, upper


lu_p = LU("lu")


def lu(x: Any) -> tuple[Array, Array, Array]:
    """The factorisation of a matrix with exchanges of rows: ``x[permutation] = l @ u``.

    Args:
      x: shape ``(..., m, n)``, of dtype float32, float64, complex64 or complex128.

    Returns:
      ``lu`` of the shape of ``x`` (below the diagonal ``l``, whose diagonal is 1, and ``u`` above), ``pivots`` of shape
      ``(..., min(m, n))`` and dtype int32 (row ``i`` was exchanged with row ``pivots[i]``), and ``permutation`` of
      shape ``(..., m)`` and dtype int32.

    Raises:
      TypeError: the dtype is another one.
      ValueError: ``x`` has fewer than two dimensions.

    Example:
      >>> import numpy as np
      >>> from fungrad import lax
      >>> factors, pivots, permutation = lax.linalg.lu(np.float32([[1, 2], [4, 4]]))
      >>> factors
      Array([[4.  , 4.  ],
             [0.25, 1.  ]], dtype=float32)
      >>> permutation
      Array([1, 0], dtype=int32)
    """
    return tuple(lu_p.bind(matrix_operand("fungrad.lax.linalg.lu", x)))  # type: ignore[return-value]


class PivotsToPermutation(MatrixPrimitive):
    """The permutation that exchanges of rows make."""

    multiple_results = False

    def abstract_eval(self, pivots: ShapedArray, *, permutation_size: int) -> ShapedArray:
        return with_dtype(pivots, (*pivots.shape[:-1], permutation_size), dtypes.int32)

    def impl(self, pivots: np.ndarray, *, permutation_size: int) -> np.ndarray:
        order = np.empty((*pivots.shape[:-1], permutation_size), np.int32)
        order[...] = np.arange(permutation_size, dtype=np.int32)
        for exchanges, out in each(pivots, order, core=1):
            for i, j in enumerate(exchanges):
                out[[i, j]] = out[[j, i]]
        return order

    def lower(self, ctx: Any, pivots: Any, *, permutation_size: int) -> Any:
        return native.permutation(ctx, pivots, permutation_size)

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any], **params: Any) -> tuple[Any, Any]:
        out = self.bind(*primals, **params)
        return out, Zero(out.aval.tangent())


lu_pivots_to_permutation_p = PivotsToPermutation("lu_pivots_to_permutation")


def lu_pivots_to_permutation(pivots: Any, permutation_size: int) -> Array:
    """The permutation that the exchanges of `lu` make.

    Args:
      pivots: integers of shape ``(..., k)``: row ``i`` was exchanged with row ``pivots[i]``.
      permutation_size: number of rows, at least ``k``.

    Returns:
      int32 array of shape ``(..., permutation_size)``.

    Raises:
      TypeError: ``pivots`` are no integers.
      ValueError: there are more exchanges than rows.

    Example:
      >>> import numpy as np
      >>> from fungrad import lax
      >>> lax.linalg.lu_pivots_to_permutation(np.array([2, 1, 2]), 3)
      Array([2, 1, 0], dtype=int32)
    """
    api = "fungrad.lax.linalg.lu_pivots_to_permutation"
    pivots = lift(pivots, f"{api}: pivots")
    if pivots.aval.dtype.kind not in "iu" or not pivots.aval.ndim:
        raise TypeError(f"{api}: pivots must be an array of integers, got {pivots.aval.str_short()}")
    if permutation_size < pivots.aval.shape[-1]:
        raise ValueError(
            f"{api}: permutation_size must be at least {pivots.aval.shape[-1]}, the number of pivots, got "
            f"{permutation_size}"
        )
    return lu_pivots_to_permutation_p.bind(pivots, permutation_size=int(permutation_size))
