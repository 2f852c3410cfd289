"""Factorisations with the signatures of ``numpy.linalg``.

May import ``core``, ``ops``, ``numpy`` and ``numpy.linalg._arguments``.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from fungrad.core.array import Array
from fungrad.numpy.indexing import take_along_axis
from fungrad.numpy.linalg._arguments import check_computed, matrix
from fungrad.numpy.manipulation import broadcast_to, flip, matrix_transpose
from fungrad.numpy.selection import where
from fungrad.numpy.sorting import argsort
from fungrad.numpy.ufuncs import absolute, conj, sign
from fungrad.ops.linalg import cholesky as _cholesky, eigen, qr as _qr, svd as _svd
from fungrad.ops.linalg.reductions import geqrf_p


class EigResult(NamedTuple):
    """Eigenvalues, and the matrix whose columns are the eigenvectors."""

    eigenvalues: Array
    eigenvectors: Array


class EighResult(NamedTuple):
    """Ascending eigenvalues, and the matrix whose columns are the eigenvectors."""

    eigenvalues: Array
    eigenvectors: Array


class QRResult(NamedTuple):
    """A matrix with orthonormal columns, and an upper triangular one."""

    Q: Array
    R: Array


class SVDResult(NamedTuple):
    """Left singular vectors, singular values, and the conjugate transpose of the right singular vectors."""

    U: Array
    S: Array
    Vh: Array


def cholesky(a: Any, *, upper: bool = False, symmetrize_input: bool = True) -> Array:
    """The lower (or upper) triangular factor of positive definite matrices.

    Args:
      a: shape ``(..., n, n)``.
      upper: return the conjugate transpose.
      symmetrize_input: take the Hermitian part of ``a``; otherwise only one triangle counts.

    Returns:
      ``l`` with ``a = l @ l.conj().T``, or ``u`` with ``a = u.conj().T @ u``. NaN for a matrix that is not positive
      definite, where the values are not known (under ``jit``, ``grad`` ...).

    Raises:
      ValueError: ``a`` is not square.
      numpy.linalg.LinAlgError: a known ``a`` is not positive definite.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.linalg.cholesky(jnp.array([[4.0, 2], [2, 10]]))
      Array([[2., 0.],
             [1., 3.]], dtype=float32)
    """
    api = "linalg.cholesky"
    a = matrix(api, a, square=True)
    if upper and not symmetrize_input:
        a = conj(matrix_transpose(a))
    out = _cholesky.cholesky(a, symmetrize_input=symmetrize_input)
    check_computed(api, out, a, "the matrix is not positive definite")
    return conj(matrix_transpose(out)) if upper else out


def _triangle(api: str, UPLO: str | None) -> bool:
    if UPLO is not None and (not isinstance(UPLO, str) or UPLO.upper() not in ("L", "U")):
        raise ValueError(f"fungrad.numpy.{api}: UPLO must be 'L', 'U' or None, got {UPLO!r}")
    return UPLO is None or UPLO.upper() == "L"


def eigh(a: Any, UPLO: str | None = None, symmetrize_input: bool = True) -> EighResult:
    """Eigenvalues and eigenvectors of Hermitian matrices.

    Args:
      a: shape ``(..., n, n)``.
      UPLO: which triangle counts, if the input is not symmetrised: "L" (default) or "U".
      symmetrize_input: take the Hermitian part of ``a``.

    Returns:
      A named tuple: real ``eigenvalues`` of shape ``(..., n)`` in ascending order, and ``eigenvectors`` of the shape of
      ``a``, the columns.

    Raises:
      ValueError: ``a`` is not square, or UPLO is something else.
      numpy.linalg.LinAlgError: the iteration failed for a known ``a``.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.linalg.eigh(jnp.array([[2.0, 1], [1, 2]])).eigenvalues
      Array([1., 3.], dtype=float32)
    """
    api = "linalg.eigh"
    a = matrix(api, a, square=True)
    vectors, values = eigen.eigh(a, lower=_triangle(api, UPLO), symmetrize_input=symmetrize_input)
    check_computed(api, vectors, a, "the eigenvalues did not converge")
    return EighResult(values, vectors)


def eigvalsh(a: Any, UPLO: str | None = "L", *, symmetrize_input: bool = True) -> Array:
    """Ascending eigenvalues of Hermitian matrices; see `eigh`.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.linalg.eigvalsh(jnp.array([[2.0, 1], [1, 2]]))
      Array([1., 3.], dtype=float32)
    """
    api = "linalg.eigvalsh"
    a = matrix(api, a, square=True)
    return eigen.eigh(a, lower=_triangle(api, UPLO), symmetrize_input=symmetrize_input)[1]


def eig(a: Any) -> EigResult:
    """Eigenvalues and right eigenvectors of general matrices.

    Args:
      a: shape ``(..., n, n)``.

    Returns:
      A named tuple: complex ``eigenvalues`` of shape ``(..., n)``, and ``eigenvectors`` of the shape of ``a``, the
      columns. They have no derivative; ``eigvals`` has.

    Raises:
      ValueError: ``a`` is not square.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.linalg.eig(jnp.array([[0.0, 1], [-1, 0]])).eigenvalues
      Array([0.+1.j, 0.-1.j], dtype=complex64)
    """
    a = matrix("linalg.eig", a, square=True)
    values, vectors = eigen.eig(a, compute_left_eigenvectors=False)
    return EigResult(values, vectors)


def eigvals(a: Any) -> Array:
    """Complex eigenvalues of general matrices.

    Args:
      a: shape ``(..., n, n)``.

    Returns:
      An array of shape ``(..., n)``.

    Raises:
      ValueError: ``a`` is not square.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.linalg.eigvals(jnp.array([[0.0, 1], [-1, 0]]))
      Array([0.+1.j, 0.-1.j], dtype=complex64)
    """
    a = matrix("linalg.eigvals", a, square=True)
    return eigen.eig(a, compute_left_eigenvectors=False, compute_right_eigenvectors=False)[0]


def qr(a: Any, mode: str = "reduced") -> Any:
    """The factorisation ``a = q @ r`` with orthonormal columns of ``q`` and upper triangular ``r``.

    Args:
      a: shape ``(..., m, n)``.
      mode: "reduced" (``min(m, n)`` columns of ``q``), "complete" (``m`` columns), "r" (only ``r``) or "raw" (the
        vectors of the reflectors that make ``q``, with ``r``, in a matrix transposed; and their factors).

    Returns:
      A named tuple ``(Q, R)``, or ``r``, or ``(h, tau)`` of shapes ``(..., n, m)`` and ``(..., min(m, n))``, which have
      no derivative.

    Raises:
      ValueError: another mode, or ``a`` has fewer than two dimensions.

    Example:
      >>> import fungrad.numpy as jnp
      >>> q, r = jnp.linalg.qr(jnp.array([[3.0, 1], [4, 2]]))
      >>> jnp.allclose(q @ r, jnp.array([[3.0, 1], [4, 2]]), atol=1e-5)
      Array(True, dtype=bool)
    """
    if mode not in ("reduced", "complete", "full", "r", "raw"):
        raise ValueError(f"fungrad.numpy.linalg.qr: mode must be 'reduced', 'complete', 'r' or 'raw', got {mode!r}")
    if mode == "raw":
        made, factors = geqrf_p.bind(matrix("linalg.qr", a))
        return QRResult(matrix_transpose(made), factors)
    q, r = _qr.qr(matrix("linalg.qr", a), full_matrices=mode in ("complete", "full"))
    return r if mode == "r" else QRResult(q, r)


def svd(
    a: Any,
    full_matrices: bool = True,
    compute_uv: bool = True,
    hermitian: bool = False,
    subset_by_index: tuple[int, int] | None = None,
) -> Any:
    """The singular value decomposition ``a = u @ diag(s) @ vh``.

    Args:
      a: shape ``(..., m, n)``.
      full_matrices: make ``u`` and ``vh`` square.
      compute_uv: return the singular vectors too.
      hermitian: ``a`` is Hermitian: its eigenvectors are used.
      subset_by_index: ``(start, end)``: return only these singular values and vectors, counted from the largest value;
        not with ``full_matrices``.

    Returns:
      A named tuple ``(U, S, Vh)``, or the real singular values ``S`` of shape ``(..., min(m, n))``, descending.

    Raises:
      ValueError: ``a`` has fewer than two dimensions, or is to be Hermitian and is not square.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.linalg.svd(jnp.array([[3.0, 0], [0, -4]])).S
      Array([4., 3.], dtype=float32)
    """
    api = "linalg.svd"
    a = matrix(api, a, square=hermitian)
    if not hermitian:
        out = _svd.svd(a, full_matrices=full_matrices, compute_uv=compute_uv, subset_by_index=subset_by_index)
        return SVDResult(*out) if compute_uv else out
    vectors, values = eigen.eigh(a)
    sizes = absolute(values)
    order = flip(argsort(sizes, axis=-1), -1)
    if subset_by_index is not None:
        _svd.check_subset(f"fungrad.numpy.{api}", subset_by_index, a.shape[-1], full_matrices and compute_uv)
        order = order[..., slice(*subset_by_index)]
    s = take_last(sizes, order)
    if not compute_uv:
        return s
    u = take_last(vectors, order[..., None, :])
    signs = take_last(sign(values), order)
    v = u * where(signs == 0, 1, signs).astype(u.dtype)[..., None, :]
    return SVDResult(u, s, conj(matrix_transpose(v)))


def take_last(x: Array, order: Array) -> Array:
    """The elements of ``x`` along its last dimension in another order, the same for all rows where it has size 1."""
    shape = (*np.broadcast_shapes(x.shape[:-1], order.shape[:-1]), order.shape[-1])
    return take_along_axis(x, broadcast_to(order, shape), -1)


def svdvals(x: Any, /) -> Array:
    """Singular values in descending order.

    Args:
      x: shape ``(..., m, n)``.

    Returns:
      A real array of shape ``(..., min(m, n))``.

    Raises:
      ValueError: ``x`` has fewer than two dimensions.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.linalg.svdvals(jnp.array([[3.0, 0], [0, -4]]))
      Array([4., 3.], dtype=float32)
    """
    return _svd.svd(matrix("linalg.svdvals", x, "x"), compute_uv=False)
