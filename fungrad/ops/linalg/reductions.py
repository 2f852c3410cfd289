"""Unitary reductions of matrices to other forms, and products of the reflectors that make them: ``hessenberg``,
``tridiagonal``, ``schur``, ``geqrf``, ``householder_product``, ``ormqr``.

May import ``core``, ``ops`` and the modules of ``ops.linalg`` up to ``matrices``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fungrad.core.array import Array
from fungrad.core.avals import ShapedArray, Zero
from fungrad.core.dimensions import min_size
from fungrad.ops._operands import kind_of, lift
from fungrad.ops.linalg import lapack, native
from fungrad.ops.linalg.lapack import in_program, on_arrays
from fungrad.ops.linalg.matrices import MatrixPrimitive, matrix_operand, real_dtype, with_dtype


def _flat(x: np.ndarray, core: int) -> np.ndarray:
    """One batch dimension."""
    shape = x.shape[x.ndim - core :]
    return x.reshape((int(np.prod(x.shape[: x.ndim - core])), *shape))


def _columns(x: np.ndarray) -> np.ndarray:
    """Matrices of a stack by columns."""
    return np.ascontiguousarray(np.swapaxes(_flat(x, 2), -1, -2))


def _failed(status: np.ndarray, *results: np.ndarray) -> None:
    """Fills what has failed with NaN."""
    for x in results:
        x[status != 0] = np.nan


class Geqrf(MatrixPrimitive):
    """The triangle of QR with the reflectors below it, and the factors of the reflectors."""

    def abstract_eval(self, a: ShapedArray) -> Sequence[ShapedArray]:
        return [with_dtype(a, a.shape), with_dtype(a, (*a.shape[:-2], min_size(*a.shape[-2:])))]

    def impl(self, a: np.ndarray) -> Sequence[np.ndarray]:
        *batch, m, n = a.shape
        if not a.size:
            return [a.copy(), np.zeros((*batch, min(m, n)), a.dtype)]
        made, factors, _ = on_arrays(lapack.geqrf(a.dtype, m, n), [_columns(a)])
        return [np.swapaxes(made, -1, -2).reshape(a.shape), factors.reshape((*batch, min(m, n)))]

    def lower(self, ctx: Any, a: Any) -> list[Any]:
        *batch, m, n = a.shape
        if 0 in a.shape:
            return [a, ctx.constant(0, a.dtype, (*batch, min(m, n)))]
        x = native.swapped(ctx, native.stacked(ctx, a))
        made, factors, _ = in_program(ctx, lapack.geqrf(a.dtype, m, n), [x])
        return [native.unstacked(ctx, native.swapped(ctx, made), batch), native.unstacked(ctx, factors, batch)]


geqrf_p = Geqrf("geqrf")


class HouseholderProduct(MatrixPrimitive):
    """The leading columns of a product of reflectors."""

    multiple_results = False

    def abstract_eval(self, a: ShapedArray, taus: ShapedArray) -> ShapedArray:
        return with_dtype(a, a.shape)

    def impl(self, a: np.ndarray, taus: np.ndarray) -> np.ndarray:
        m, n = a.shape[-2:]
        if not a.size:
            return a.copy()
        routine = lapack.orgqr(a.dtype, m, n, taus.shape[-1])
        return np.swapaxes(on_arrays(routine, [_columns(a), _flat(taus, 1)])[0], -1, -2).reshape(a.shape)

    def lower(self, ctx: Any, a: Any, taus: Any) -> Any:
        *batch, m, n = a.shape
        if 0 in a.shape:
            return ctx.constant(0, a.dtype, a.shape)
        operands = [native.swapped(ctx, native.stacked(ctx, a)), native.stacked(ctx, taus, 1)]
        q, _ = in_program(ctx, lapack.orgqr(a.dtype, m, n, taus.shape[-1]), operands)
        return native.unstacked(ctx, native.swapped(ctx, q), batch)


householder_product_p = HouseholderProduct("householder_product")


def householder_product(a: Any, taus: Any) -> Array:
    """The product of elementary reflectors, as many columns of it as ``a`` has.

    Args:
      a: shape ``(..., m, n)`` with ``m >= n``, of dtype float32, float64, complex64 or complex128: the vectors of the
        reflectors below its diagonal.
      taus: their factors, shape ``(..., k)`` with ``k <= n``.

    Returns:
      An array of the shape of ``a`` with orthonormal columns.

    Raises:
      TypeError: the dtype is another one, or they differ.
      ValueError: the shapes do not match.

    Example:
      >>> import numpy as np
      >>> from fungrad import lax
      >>> lax.linalg.householder_product(np.float32([[1.0], [1.0]]), np.float32([1.0]))
      Array([[ 0.],
             [-1.]], dtype=float32)
    """
    api = "fungrad.lax.linalg.householder_product"
    a, taus = _reflectors(api, a, taus)
    if a.aval.shape[-2] < a.aval.shape[-1]:
        raise ValueError(f"{api}: a must have at least as many rows as columns, got {a.aval.str_short()}")
    return householder_product_p.bind(a, taus)  # type: ignore[no-any-return]


def _reflectors(api: str, a: Any, taus: Any) -> tuple[Any, Any]:
    a, taus = matrix_operand(api, a, "a"), lift(taus, f"{api}: taus")
    most = min_size(*a.aval.shape[-2:])
    if taus.aval.shape[:-1] != a.aval.shape[:-2] or not taus.aval.ndim or taus.aval.shape[-1] > most:
        raise ValueError(
            f"{api}: taus must have the batch dimensions of a and at most {most} elements, got a of type "
            f"{a.aval.str_short()} and taus of type {taus.aval.str_short()}"
        )
    if a.aval.dtype != taus.aval.dtype:
        raise TypeError(
            f"{api}: a and taus must be of one dtype, got {a.aval.str_short()} and {taus.aval.str_short()}"
        )
    return a, taus


class Ormqr(MatrixPrimitive):
    """A product of reflectors times a matrix; linear in the matrix."""

    multiple_results = False

    def abstract_eval(self, a: ShapedArray, taus: ShapedArray, c: ShapedArray, **params: Any) -> ShapedArray:
        return with_dtype(c, c.shape)

    def impl(self, a: np.ndarray, taus: np.ndarray, c: np.ndarray, *, left: bool, transpose: bool) -> np.ndarray:
        m, n = c.shape[-2:]
        k = taus.shape[-1]
        if not c.size or not k:
            return c.copy()
        routine = lapack.ormqr(a.dtype, m, n, k, left, transpose)
        operands = [_columns(a[..., :k]), _flat(taus, 1), _columns(c)]
        return np.swapaxes(on_arrays(routine, operands)[0], -1, -2).reshape(c.shape)

    def lower(self, ctx: Any, a: Any, taus: Any, c: Any, *, left: bool, transpose: bool) -> Any:
        *batch, m, n = c.shape
        k = taus.shape[-1]
        if 0 in c.shape or not k:
            return c
        a = ctx.slice(a, (0,) * len(a.shape), (*a.shape[:-1], k), (1,) * len(a.shape))
        operands = [native.swapped(ctx, native.stacked(ctx, x)) for x in (a, c)]
        operands.insert(1, native.stacked(ctx, taus, 1))
        out, _ = in_program(ctx, lapack.ormqr(a.dtype, m, n, k, left, transpose), operands)
        return native.unstacked(ctx, native.swapped(ctx, out), batch)

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any], **params: Any) -> tuple[Any, Any]:
        a, taus, c = primals
        if type(tangents[0]) is not Zero or type(tangents[1]) is not Zero:
            raise NotImplementedError(
                "fungrad.lax.linalg.ormqr: there is no derivative by the reflectors; multiply with q of lax.linalg.qr"
            )
        return self.bind(a, taus, c, **params), self.bind(a, taus, tangents[2], **params)

    def transpose(self, ct: Any, a: Any, taus: Any, c: Any, *, left: bool, transpose: bool) -> Sequence[Any]:
        if kind_of(a.aval.dtype) != "c":
            return None, None, self.bind(a, taus, ct, left=left, transpose=not transpose)
        # The transpose is the adjoint between conjugates.
        return None, None, self.bind(a, taus, ct.conj(), left=left, transpose=not transpose).conj()


ormqr_p = Ormqr("ormqr")


def ormqr(a: Any, taus: Any, c: Any, *, left: bool = True, transpose: bool = False) -> Array:
    """A matrix multiplied by the ``q`` of a QR factorisation, which is not formed.

    Args:
      a: reflectors below the diagonal, shape ``(..., m, n)``, of dtype float32, float64, complex64 or complex128; what
        ``numpy.linalg.qr`` with ``mode="raw"`` returns, transposed.
      taus: their factors, shape ``(..., k)``.
      c: the matrix, with ``m`` rows (``left``) or ``m`` columns.
      left: compute ``q @ c``, otherwise ``c @ q``.
      transpose: with the conjugate transpose of ``q`` instead.

    Returns:
      An array of the shape of ``c``.

    Raises:
      TypeError: the dtypes are others, or differ.
      ValueError: the shapes do not match.

    Example:
      >>> import numpy as np
      >>> from fungrad import lax
      >>> import fungrad.numpy as jnp
      >>> h, taus = jnp.linalg.qr(np.float32([[3, 1], [4, 2]]), mode="raw")
      >>> lax.linalg.ormqr(h.mT, taus, np.float32([[1], [0]]), transpose=True).round(4)
      Array([[-0.6],
             [-0.8]], dtype=float32)
    """
    api = "fungrad.lax.linalg.ormqr"
    a, taus = _reflectors(api, a, taus)
    c = matrix_operand(api, c, "c")
    size = c.aval.shape[-2] if left else c.aval.shape[-1]
    if c.aval.shape[:-2] != a.aval.shape[:-2] or size != a.aval.shape[-2] or c.aval.dtype != a.aval.dtype:
        raise ValueError(
            f"{api}: c must have the batch dimensions and dtype of a, and as many {'rows' if left else 'columns'} as a "
            f"has rows, got a of type {a.aval.str_short()} and c of type {c.aval.str_short()}"
        )
    return ormqr_p.bind(a, taus, c, left=bool(left), transpose=bool(transpose))  # type: ignore[no-any-return]


class Hessenberg(MatrixPrimitive):
    """Hessenberg form with the reflectors below it, and the factors of the reflectors."""

    def abstract_eval(self, a: ShapedArray) -> Sequence[ShapedArray]:
        return [with_dtype(a, a.shape), with_dtype(a, (*a.shape[:-2], max(0, a.shape[-1] - 1)))]

    def impl(self, a: np.ndarray) -> Sequence[np.ndarray]:
        *batch, n, _ = a.shape
        rest = (*batch, max(0, n - 1))
        if not a.size:
            return [a.copy(), np.zeros(rest, a.dtype)]
        made, factors, status = on_arrays(lapack.gehrd(a.dtype, n), [_columns(a)])
        _failed(status, made, factors)
        return [np.swapaxes(made, -1, -2).reshape(a.shape), factors.reshape(rest)]

    def lower(self, ctx: Any, a: Any) -> list[Any]:
        *batch, n, _ = a.shape
        rest = (*batch, max(0, n - 1))
        if 0 in a.shape:
            return [a, ctx.constant(0, a.dtype, rest)]
        x = native.swapped(ctx, native.stacked(ctx, a))
        made, factors, _ = in_program(ctx, lapack.gehrd(a.dtype, n), [x])
        return [native.unstacked(ctx, native.swapped(ctx, made), batch), ctx.reshape(factors, rest)]


hessenberg_p = Hessenberg("hessenberg")


def hessenberg(a: Any) -> tuple[Array, Array]:
    """Reduces square matrices to upper Hessenberg form.

    Args:
      a: shape ``(..., n, n)``, of dtype float32, float64, complex64 or complex128.

    Returns:
      An array of the shape of ``a`` with the Hessenberg form in its upper triangle and first subdiagonal, and below
      the vectors of reflectors; and their factors, shape ``(..., n - 1)``. There is no derivative.

    Raises:
      TypeError: the dtype is another one.
      ValueError: ``a`` is not square.

    Example:
      >>> import numpy as np
      >>> from fungrad import lax
      >>> h, taus = lax.linalg.hessenberg(np.float32([[1, 2, 3], [3, 4, 5], [4, 6, 7]]))
      >>> float(h[1, 0]), taus.shape
      (-5.0, (2,))
    """
    a = matrix_operand("fungrad.lax.linalg.hessenberg", a, "a", square=True)
    return tuple(hessenberg_p.bind(a))  # type: ignore[return-value]


class Tridiagonal(MatrixPrimitive):
    """Tridiagonal form with reflectors, both diagonals, and the factors of the reflectors."""

    def abstract_eval(self, a: ShapedArray, *, lower: bool) -> Sequence[ShapedArray]:
        *batch, n, _ = a.shape
        real, rest = real_dtype(a.dtype), (*batch, max(0, n - 1))
        diagonals = [with_dtype(a, (*batch, n), real), with_dtype(a, rest, real)]
        return [with_dtype(a, a.shape), *diagonals, with_dtype(a, rest)]

    def impl(self, a: np.ndarray, *, lower: bool) -> Sequence[np.ndarray]:
        *batch, n, _ = a.shape
        shapes = [(*batch, n), (*batch, max(0, n - 1)), (*batch, max(0, n - 1))]
        if not a.size:
            real = real_dtype(a.dtype)
            return [a.copy(), *[np.zeros(s, d) for s, d in zip(shapes, (real, real, a.dtype), strict=True)]]
        made, *rest, status = on_arrays(lapack.hetrd(a.dtype, n, lower), [_columns(a)])
        _failed(status, made, *rest)
        return [
            np.swapaxes(made, -1, -2).reshape(a.shape),
            *[x.reshape(s) for x, s in zip(rest, shapes, strict=True)],
        ]

    def lower(self, ctx: Any, a: Any, *, lower: bool) -> list[Any]:
        *batch, n, _ = a.shape
        real = real_dtype(a.dtype)
        shapes = [(*batch, n), (*batch, max(0, n - 1)), (*batch, max(0, n - 1))]
        if 0 in a.shape:
            return [a, *[ctx.constant(0, d, s) for s, d in zip(shapes, (real, real, a.dtype), strict=True)]]
        x = native.swapped(ctx, native.stacked(ctx, a))
        made, *rest, _ = in_program(ctx, lapack.hetrd(a.dtype, n, lower), [x])
        return [
            native.unstacked(ctx, native.swapped(ctx, made), batch),
            *[ctx.reshape(x, s) for x, s in zip(rest, shapes, strict=True)],
        ]


tridiagonal_p = Tridiagonal("tridiagonal")


def tridiagonal(a: Any, *, lower: bool = True) -> tuple[Array, Array, Array, Array]:
    """Reduces Hermitian matrices to real tridiagonal form.

    Args:
      a: shape ``(..., n, n)``, of dtype float32, float64, complex64 or complex128.
      lower: which triangle is read.

    Returns:
      ``(a, d, e, taus)``: the tridiagonal form with the vectors of reflectors beyond it, in the triangle that was read;
      its diagonal ``(..., n)`` and other diagonal ``(..., n - 1)``, which are real; and the factors of the reflectors,
      ``(..., n - 1)``. There is no derivative.

    Raises:
      TypeError: the dtype is another one.
      ValueError: ``a`` is not square.

    Example:
      >>> import numpy as np
      >>> from fungrad import lax
      >>> _, d, e, _ = lax.linalg.tridiagonal(np.float32([[1, 2], [2, 3]]))
      >>> d, e
      (Array([1., 3.], dtype=float32), Array([2.], dtype=float32))
    """
    a = matrix_operand("fungrad.lax.linalg.tridiagonal", a, "a", square=True)
    return tuple(tridiagonal_p.bind(a, lower=bool(lower)))  # type: ignore[return-value]


class Schur(MatrixPrimitive):
    """Schur form, and its vectors if they are wanted."""

    def abstract_eval(self, a: ShapedArray, *, vectors: bool) -> Sequence[ShapedArray]:
        return [with_dtype(a, a.shape)] * (1 + vectors)

    def impl(self, a: np.ndarray, *, vectors: bool) -> Sequence[np.ndarray]:
        if not a.size:
            return [a.copy() for _ in range(1 + vectors)]
        finite = np.isfinite(a).all((-2, -1), keepdims=True)
        *found, status = on_arrays(lapack.gees(a.dtype, a.shape[-1], vectors), [_columns(np.where(finite, a, 0))])
        _failed(status, *found)
        return [np.where(finite, np.swapaxes(x, -1, -2).reshape(a.shape), np.nan).astype(a.dtype) for x in found]

    def lower(self, ctx: Any, a: Any, *, vectors: bool) -> list[Any]:
        *batch, n, _ = a.shape
        if 0 in a.shape:
            return [a] * (1 + vectors)
        x = native.stacked(ctx, a)
        finite = native.all_finite(ctx, x)
        x = native.swapped(ctx, native.finite_or_zero(ctx, x, finite))
        *found, status = in_program(ctx, lapack.gees(a.dtype, n, vectors), [x])
        good = native.succeeded(ctx, status, finite)
        results = [native.or_nan(ctx, native.swapped(ctx, r), good) for r in found]
        return [native.unstacked(ctx, r, batch) for r in results]


schur_p = Schur("schur")


def schur(
    x: Any, *, compute_schur_vectors: bool = True, sort_eig_vals: bool = False, select_callable: Any = None
) -> Any:
    """The Schur decomposition ``x = q @ t @ q.conj().T``.

    Args:
      x: shape ``(..., n, n)``, of dtype float32, float64, complex64 or complex128.
      compute_schur_vectors: return ``q`` too.
      sort_eig_vals: must be False.
      select_callable: must be None.

    Returns:
      ``t``, upper triangular (for real matrices with blocks of two rows for pairs of complex eigenvalues), and the
      unitary ``q``, or a list of ``t`` alone; of the shape of ``x``. NaN if the iteration fails. There is no
      derivative.

    Raises:
      TypeError: the dtype is another one.
      ValueError: ``x`` is not square.
      NotImplementedError: ``sort_eig_vals``.

    Example:
      >>> import numpy as np
      >>> from fungrad import lax
      >>> x = np.float32([[1, 2], [3, 4]])
      >>> t, q = lax.linalg.schur(x)
      >>> bool(np.allclose(q @ t @ q.T, x, atol=1e-5)), float(t[1, 0])
      (True, 0.0)
    """
    api = "fungrad.lax.linalg.schur"
    if sort_eig_vals or select_callable is not None:
        raise NotImplementedError(f"{api}: eigenvalues cannot be sorted; leave sort_eig_vals and select_callable out")
    return schur_p.bind(matrix_operand(api, x, square=True), vectors=bool(compute_schur_vectors))
