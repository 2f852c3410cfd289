"""``svd``: the singular value decomposition.

May import ``core``, ``ops`` and ``ops.linalg.matrices``.
"""

from __future__ import annotations

import enum
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from fungrad.core.avals import ShapedArray
from fungrad.core.dimensions import min_size
from fungrad.ops._operands import kind_of, scalar_like
from fungrad.ops.compare import ne
from fungrad.ops.elementwise import add, mul, sub
from fungrad.ops.foundation import broadcast_in_dim
from fungrad.ops.linalg import native
from fungrad.ops.linalg.matrices import (
    MatrixPrimitive,
    adjoint,
    as_diagonal,
    diagonal_of,
    failing_as_nan,
    inverse_where,
    matrix_operand,
    mm,
    off_diagonal,
    real_dtype,
    real_part,
    scale_columns,
    scale_rows,
    with_dtype,
)


class SvdAlgorithm(enum.Enum):
    """How singular values are found: accepted, and all the same to LAPACK's divide and conquer."""

    DEFAULT = "default"
    QR = "QR"
    JACOBI = "Jacobi"
    POLAR = "polar"
    DIVIDE_AND_CONQUER = "divide_and_conquer"


class SVD(MatrixPrimitive):
    """Singular values in descending order, and the singular vectors if they are wanted."""

    def abstract_eval(self, a: ShapedArray, *, full_matrices: bool, compute_uv: bool) -> Sequence[ShapedArray]:
        *batch, m, n = a.shape
        k = min_size(m, n)
        values = with_dtype(a, (*batch, k), real_dtype(a.dtype))
        if not compute_uv:
            return [values]
        rows, columns = (m, n) if full_matrices else (k, k)
        return [values, with_dtype(a, (*batch, m, rows)), with_dtype(a, (*batch, columns, n))]

    def impl(self, a: np.ndarray, *, full_matrices: bool, compute_uv: bool) -> Sequence[np.ndarray]:
        def compute(a: np.ndarray) -> list[np.ndarray]:
            if not compute_uv:
                return [np.asarray(np.linalg.svd(a, full_matrices, compute_uv=False))]
            u, s, vt = np.linalg.svd(a, full_matrices)
            return [s, u, vt]

        return [np.asarray(x) for x in failing_as_nan(compute, a)]

    def lower(self, ctx: Any, a: Any, *, full_matrices: bool, compute_uv: bool) -> list[Any]:
        return native.svd(ctx, a, full_matrices, compute_uv)

    def jvp(
        self, primals: Sequence[Any], tangents: Sequence[Any], *, full_matrices: bool, compute_uv: bool
    ) -> tuple[Any, Any]:
        (a,), (da,) = primals, tangents
        m, n = a.aval.shape[-2:]
        if full_matrices and compute_uv and m != n:
            raise NotImplementedError(
                f"fungrad.lax.linalg.svd: with full_matrices=True there is no derivative for a matrix that is not "
                f"square ({m} by {n}), since the additional vectors are not determined; use full_matrices=False"
            )
        s, u, vh = self.bind(a, full_matrices=False, compute_uv=True)
        inside = mm(mm(adjoint(u), da), adjoint(vh))
        ds = real_part(diagonal_of(inside))
        if not compute_uv:
            # LAPACK finds singular values alone in another way: the last digits must not depend on who asks.
            return self.bind(a, full_matrices=False, compute_uv=False), [ds]
        du, dv = _vectors(s, u, adjoint(vh), da, inside)
        return [s, u, vh], [ds, du, adjoint(dv)]


def _vectors(s: Any, u: Any, v: Any, da: Any, inside: Any) -> tuple[Any, Any]:
    """Tangents of the singular vectors, ``inside`` being ``u^H dA v``."""
    *batch, m, k = u.aval.shape
    n = v.aval.shape[-2]
    d = inside.aval.ndim
    across = broadcast_in_dim(s, inside.aval.shape, (*range(d - 2), d - 1))
    down = broadcast_in_dim(s, inside.aval.shape, tuple(range(d - 1)))
    zero = scalar_like(0, s)
    gaps = mul(add(across, down), sub(across, down))
    dtype = inside.aval.dtype
    # Vectors of equal singular values have no derivative of their own.
    weights = off_diagonal(inverse_where(ne(gaps, zero), gaps)).astype(dtype)
    wide = s.astype(dtype)
    right, left = scale_columns(inside, wide), scale_rows(wide, inside)
    du = mul(weights, add(right, adjoint(right)))
    dv = mul(weights, add(left, adjoint(left)))
    inverse = inverse_where(ne(s, zero), s).astype(dtype)
    if kind_of(dtype) == "c":
        # The phases of a pair of vectors turn together as far as they are free; half of the rest goes to each.
        diagonal = diagonal_of(inside)
        phase = mul(mul(sub(diagonal, real_part(diagonal).astype(dtype)), inverse), scalar_like(0.5, diagonal))
        du = add(du, as_diagonal(phase))
        dv = sub(dv, as_diagonal(phase))
    du, dv = mm(u, du), mm(v, dv)
    if m > k:
        moved = mm(da, v)
        du = add(du, scale_columns(sub(moved, mm(u, mm(adjoint(u), moved))), inverse))
    if n > k:
        moved = mm(adjoint(da), u)
        dv = add(dv, scale_columns(sub(moved, mm(v, mm(adjoint(v), moved))), inverse))
    return du, dv


svd_p = SVD("svd")


def svd(
    x: Any,
    *,
    full_matrices: bool = True,
    compute_uv: bool = True,
    subset_by_index: tuple[int, int] | None = None,
    algorithm: Any = None,
) -> Any:
    """The singular value decomposition ``x = u @ diag(s) @ vh``.

    Args:
      x: shape ``(..., m, n)``, of dtype float32, float64, complex64 or complex128.
      full_matrices: make ``u`` and ``vh`` square.
      compute_uv: return the singular vectors too.
      subset_by_index: ``(start, end)``: return only these singular values and vectors, counted from the largest value;
        not with ``full_matrices``.
      algorithm: a member of `SvdAlgorithm` or None; LAPACK's divide and conquer is used for all.

    Returns:
      ``u`` of shape ``(..., m, k)``, the real ``s`` of shape ``(..., min(m, n))`` in descending order, and ``vh`` of
      shape ``(..., k, n)``; or only ``s``. NaN if the iteration fails.

    Raises:
      TypeError: the dtype is another one.
      ValueError: ``x`` has fewer than two dimensions.
      NotImplementedError: a derivative with ``full_matrices`` of a matrix that is not square.

    Example:
      >>> import numpy as np
      >>> from fungrad import lax
      >>> lax.linalg.svd(np.float32([[3, 0], [0, -4]]), compute_uv=False)
      Array([4., 3.], dtype=float32)
    """
    api = "fungrad.lax.linalg.svd"
    x = matrix_operand(api, x)
    if subset_by_index is not None:
        check_subset(api, subset_by_index, min(x.aval.shape[-2:]), full_matrices and compute_uv)
        if tuple(subset_by_index) != (0, min(x.aval.shape[-2:])):
            full_matrices = False
    out: list[Any] = svd_p.bind(x, full_matrices=bool(full_matrices), compute_uv=bool(compute_uv))
    if subset_by_index is not None and not full_matrices:
        some = slice(*subset_by_index)
        out = [out[0][..., some], *([out[1][..., some], out[2][..., some, :]] if compute_uv else [])]
    return (out[1], out[0], out[2]) if compute_uv else out[0]


def check_subset(api: str, subset: Any, count: int, full_matrices: bool = False) -> None:
    """Checks a range of eigenvalues or singular values.

    Raises:
      ValueError: it is no range of theirs, or does not go together with ``full_matrices``.
    """
    try:
        start, end = (operator.index(i) for i in subset)
    except (TypeError, ValueError):
        raise ValueError(f"{api}: subset_by_index must be a pair (start, end) of integers, got {subset!r}") from None
    if not 0 <= start < end <= count:
        raise ValueError(
            f"{api}: subset_by_index must be (start, end) with 0 <= start < end <= {count}, got {subset!r}"
        )
    if full_matrices and (start, end) != (0, count):
        raise ValueError(f"{api}: full_matrices must be False with subset_by_index, got subset_by_index={subset!r}")
