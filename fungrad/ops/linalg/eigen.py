"""``eigh`` and ``eig``: eigenvalues and eigenvectors of Hermitian and of general matrices.

May import ``core``, ``ops``, ``ops.linalg.matrices``, ``ops.linalg.cholesky`` and ``ops.linalg.lu``.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import Any

import numpy as np

from fungrad.core import dtypes
from fungrad.core.array import Array
from fungrad.core.avals import ShapedArray
from fungrad.ops._operands import scalar_like
from fungrad.ops.compare import eq, ne
from fungrad.ops.complex_parts import abs as magnitude, complex as make_complex, conj, imag
from fungrad.ops.elementwise import div, mul, sub
from fungrad.ops.foundation import broadcast_in_dim, reduce_sum
from fungrad.ops.linalg import native
from fungrad.ops.linalg.cholesky import symmetrized
from fungrad.ops.linalg.lu import factors, lu, zeros_of
from fungrad.ops.linalg.matrices import (
    MatrixPrimitive,
    adjoint,
    diagonal_of,
    failing_as_nan,
    inverse_where,
    masked,
    matrix_operand,
    mm,
    real_dtype,
    real_part,
    scale_columns,
    with_dtype,
)
from fungrad.ops.linalg.svd import check_subset
from fungrad.ops.linalg.triangular import triangular_solve
from fungrad.ops.reduce import argmax
from fungrad.ops.shape import broadcasted_iota
from fungrad.ops.sort import take_along


class EighImplementation(enum.Enum):
    """How eigenvalues of Hermitian matrices are found: accepted, and all the same to LAPACK."""

    QR = "qr"
    JACOBI = "jacobi"
    QDWH = "qdwh"


class EigImplementation(enum.Enum):
    """Whose code finds eigenvalues of general matrices: accepted, and always LAPACK's."""

    CUSOLVER = "cusolver"
    MAGMA = "magma"
    LAPACK = "lapack"


class Eigh(MatrixPrimitive):
    """Eigenvectors (the columns) and ascending eigenvalues of Hermitian matrices, of which one triangle is read."""

    def abstract_eval(self, a: ShapedArray, *, lower: bool) -> Sequence[ShapedArray]:
        return [with_dtype(a, a.shape), with_dtype(a, a.shape[:-1], real_dtype(a.dtype))]

    def impl(self, a: np.ndarray, *, lower: bool) -> Sequence[np.ndarray]:
        read = np.tril(a) if lower else np.triu(a)
        values, vectors = failing_as_nan(lambda a: np.linalg.eigh(a, "L" if lower else "U"), read)
        return [np.asarray(vectors), np.asarray(values)]

    def lower(self, ctx: Any, a: Any, *, lower: bool) -> list[Any]:
        return native.eigh(ctx, a, lower)

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any], *, lower: bool) -> tuple[Any, Any]:
        (a,), (da,) = primals, tangents
        vectors, values = self.bind(a, lower=lower)
        inside = mm(adjoint(vectors), mm(symmetrized(da), vectors))
        n = a.aval.ndim
        across = broadcast_in_dim(values, a.aval.shape, (*range(n - 2), n - 1))
        down = broadcast_in_dim(values, a.aval.shape, tuple(range(n - 1)))
        gaps = sub(across, down)
        # Vectors of equal eigenvalues have no derivative of their own: any of the same space would do.
        weights = inverse_where(ne(gaps, scalar_like(0, gaps)), gaps).astype(a.aval.dtype)
        return [vectors, values], [mm(vectors, mul(weights, inside)), real_part(diagonal_of(inside))]


eigh_p = Eigh("eigh")


def eigh(
    x: Any,
    *,
    lower: bool = True,
    symmetrize_input: bool = True,
    sort_eigenvalues: bool = True,
    subset_by_index: tuple[int, int] | None = None,
    implementation: Any = None,
) -> tuple[Array, Array]:
    """Eigenvectors and eigenvalues of a Hermitian matrix: ``x @ v = v * w``.

    Args:
      x: shape ``(..., n, n)``, of dtype float32, float64, complex64 or complex128.
      lower: which triangle counts if the input is not symmetrised.
      symmetrize_input: take the Hermitian part of ``x``.
      sort_eigenvalues: they are always in ascending order.
      subset_by_index: ``(start, end)``: return only these eigenvalues and eigenvectors, counted from the smallest.
      implementation: a member of `EighImplementation` or None; LAPACK's divide and conquer is used for all.

    Returns:
      ``v`` of shape ``(..., n, n)``, whose columns are the eigenvectors, and the real ``w`` of shape ``(..., n)``,
      or what was chosen of them; NaN if the iteration fails. The derivative of ``v`` takes equal
      eigenvalues for unrelated.

    Raises:
      TypeError: the dtype is another one.
      ValueError: ``x`` is not square.

    Example:
      >>> import numpy as np
      >>> from fungrad import lax
      >>> v, w = lax.linalg.eigh(np.float32([[2, 1], [1, 2]]))
      >>> w
      Array([1., 3.], dtype=float32)
    """
    api = "fungrad.lax.linalg.eigh"
    x = matrix_operand(api, x, square=True)
    if subset_by_index is not None:
        check_subset(api, subset_by_index, x.aval.shape[-1])
    if symmetrize_input:
        x = symmetrized(x)
    vectors, values = eigh_p.bind(x, lower=bool(lower))
    if subset_by_index is not None:
        some = slice(*subset_by_index)
        vectors, values = vectors[..., some], values[..., some]
    return vectors, values


class Eig(MatrixPrimitive):
    """Eigenvalues, and left and right eigenvectors if they are wanted."""

    def abstract_eval(self, a: ShapedArray, *, left: bool, right: bool, derivatives: bool) -> Sequence[ShapedArray]:
        dtype = np.result_type(a.dtype, np.complex64)
        return [with_dtype(a, a.shape[:-1], dtype)] + [with_dtype(a, a.shape, dtype)] * (left + right)

    def impl(self, a: np.ndarray, *, left: bool, right: bool, derivatives: bool) -> Sequence[np.ndarray]:
        dtype = np.result_type(a.dtype, np.complex64)

        def compute(a: np.ndarray) -> list[np.ndarray]:
            if not left:
                # With vectors also where only values are wanted: their order and last digits are those of derivatives.
                return [np.asarray(x).astype(dtype) for x in np.linalg.eig(a)][: 1 + right]
            return _both_sides(a, dtype, right)

        return failing_as_nan(compute, a)

    def lower(self, ctx: Any, a: Any, *, left: bool, right: bool, derivatives: bool) -> list[Any]:
        return native.eig(ctx, a, left, right)

    def jvp(
        self, primals: Sequence[Any], tangents: Sequence[Any], *, left: bool, right: bool, derivatives: bool
    ) -> tuple[Any, Any]:
        (a,), (da,) = primals, tangents
        if (left or right) and not derivatives:
            raise NotImplementedError(
                "fungrad.lax.linalg.eig: eigenvectors of general matrices have no derivative, since they are "
                "determined only up to factors; differentiate the eigenvalues (eigvals), use eigh for a Hermitian "
                "matrix, or take LAPACK's choice of the factors for a part of the function with "
                "enable_eigvec_derivs=True"
            )
        values, *sides = self.bind(a, left=left, right=True, derivatives=True)
        da = da.astype(values.aval.dtype)
        dvalues, dvectors = _perturbed(values, sides[-1], da, right)
        dsides = [dvectors] if right else []
        if left:
            dsides.insert(0, _perturbed(conj(values), sides[0], adjoint(da), True)[1])
        return [values, *sides[: left + right]], [dvalues, *dsides]


def _perturbed(values: Any, vectors: Any, da: Any, wanted: bool) -> tuple[Any, Any]:
    """Change of eigenvalues, and of eigenvectors if they are ``wanted``, with the matrix."""
    inside = solved(vectors, mm(da, vectors))
    dvalues = diagonal_of(inside)
    if not wanted:
        return dvalues, None
    shape = vectors.aval.shape
    n = len(shape)
    across = broadcast_in_dim(values, shape, (*range(n - 2), n - 1))
    gaps = sub(across, broadcast_in_dim(values, shape, tuple(range(n - 1))))
    change = mm(vectors, mul(inverse_where(ne(gaps, scalar_like(0, gaps)), gaps), inside))
    # LAPACK makes vectors of length 1 whose component of greatest magnitude, the ``pivot``, is real. They stay so.
    length = real_part(diagonal_of(mm(adjoint(vectors), change)))
    place = argmax(magnitude(vectors), n - 2, np.int32) if vectors.aval.size else zeros_of(length.aval.shape)
    is_pivot = eq(broadcasted_iota(dtypes.int32, shape, n - 2), broadcast_in_dim(place, shape, (*range(n - 2), n - 1)))
    pivot, turned = (reduce_sum(masked(is_pivot, x), (n - 2,)) for x in (real_part(vectors), imag(change)))
    return dvalues, sub(change, scale_columns(vectors, make_complex(length, div(turned, pivot))))


def _both_sides(a: np.ndarray, dtype: np.dtype, right: bool) -> list[np.ndarray]:
    from scipy.linalg import LinAlgError, eig as eig_of

    values, lefts, rights = np.empty(a.shape[:-1], dtype), np.empty(a.shape, dtype), np.empty(a.shape, dtype)
    n = a.shape[-1]
    for k, matrix in enumerate(a.reshape((-1, n, n)) if a.size else ()):
        try:
            w, vl, vr = eig_of(matrix, left=True, right=True)
        except (LinAlgError, ValueError):  # no convergence; infinities or NaN
            raise np.linalg.LinAlgError from None
        values.reshape(-1, n)[k], lefts.reshape(-1, n, n)[k], rights.reshape(-1, n, n)[k] = w, vl, vr
    return [values, lefts, rights] if right else [values, lefts]


def solved(a: Any, b: Any) -> Any:
    """``a^-1 b`` for square matrices with equal batch dimensions."""
    n = a.aval.shape[-1]
    both, _, order = lu(a)
    lower, upper = factors(both, n, n)
    rows = order[..., None] + zeros_of(b.aval.shape)
    b = take_along(b, rows, b.aval.ndim - 2, distinct=True)
    b = triangular_solve(lower, b, left_side=True, lower=True, unit_diagonal=True)
    return triangular_solve(upper, b, left_side=True, lower=False)


eig_p = Eig("eig")


def eig(
    x: Any,
    *,
    compute_left_eigenvectors: bool = True,
    compute_right_eigenvectors: bool = True,
    enable_eigvec_derivs: bool = False,
    implementation: Any = None,
    use_magma: Any = None,
) -> list[Array]:
    """Eigenvalues and eigenvectors of a general matrix.

    Args:
      x: shape ``(..., n, n)``, of dtype float32, float64, complex64 or complex128.
      compute_left_eigenvectors, compute_right_eigenvectors: which eigenvectors to return.
      enable_eigvec_derivs: give eigenvectors a derivative, that of LAPACK's choice: their length is 1 and their
        component of greatest magnitude real. It holds where eigenvalues differ.
      implementation, use_magma: ignored.

    Returns:
      A list: the eigenvalues of shape ``(..., n)``, then the matrices of left and of right eigenvectors (the columns)
      that are wanted; all complex. NaN if the iteration fails. Eigenvectors have a derivative only if that is allowed.

    Raises:
      TypeError: the dtype is another one.
      ValueError: ``x`` is not square.
      NotImplementedError: a derivative of eigenvectors without ``enable_eigvec_derivs``.

    Example:
      >>> import numpy as np
      >>> from fungrad import lax
      >>> lax.linalg.eig(np.float32([[0, 1], [-1, 0]]), compute_left_eigenvectors=False)[0]
      Array([0.+1.j, 0.-1.j], dtype=complex64)
    """
    api = "fungrad.lax.linalg.eig"
    x = matrix_operand(api, x, square=True)
    left, right = bool(compute_left_eigenvectors), bool(compute_right_eigenvectors)
    return list(eig_p.bind(x, left=left, right=right, derivatives=bool(enable_eigvec_derivs)))
