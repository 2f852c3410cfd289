"""Systems of equations, inverses and determinants.

May import ``core``, ``ops``, ``control``, ``transforms``, ``numpy`` and the modules of ``numpy.linalg`` before it.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from fungrad.control.solves import custom_linear_solve
from fungrad.core import dtypes
from fungrad.core.arguments import brief
from fungrad.core.array import Array
from fungrad.core.context import Tracer, staging
from fungrad.numpy._promotion import broadcast_shapes, operand
from fungrad.numpy.creation import arange, full
from fungrad.numpy.grids import eye
from fungrad.numpy.linalg._arguments import at_least_single, check_matrix, matrices, matrix
from fungrad.numpy.linalg.decompositions import svd
from fungrad.numpy.linear import trace as trace_of
from fungrad.numpy.manipulation import broadcast_to, matrix_transpose, moveaxis, reshape
from fungrad.numpy.reductions import prod, sum
from fungrad.numpy.selection import where
from fungrad.numpy.ufuncs import absolute, conj, log
from fungrad.ops.cast import stop_gradient
from fungrad.ops.linalg import lu as _lu
from fungrad.ops.linalg.matrices import diagonal_of
from fungrad.ops.linalg.triangular import triangular_solve
from fungrad.transforms.custom_rules import custom_jvp


class SlogdetResult(NamedTuple):
    """Sign, and logarithm of the absolute value, of a determinant."""

    sign: Array
    logabsdet: Array


# -- systems of equations ----------------------------------------------------------------------------------------------


def lu_solve(lu: Array, permutation: Array, b: Array, trans: int = 0) -> Array:
    """Solves with the factors of a matrix.

    Args:
      lu, permutation: from ``lax.linalg.lu``, of shapes ``(..., n, n)`` and ``(..., n)``.
      b: shape ``(..., n, m)`` with the same batch dimensions.
      trans: 0 for the matrix, 1 for its transpose, 2 for its conjugate transpose.
    """
    rows = broadcast_to(permutation[..., None], b.shape)
    solve = partial(triangular_solve, lu, left_side=True)
    if trans == 0:
        x = _lu.take_along(b, rows, b.ndim - 2, distinct=True)
        return solve(solve(x, lower=True, unit_diagonal=True))
    flags = {"transpose_a": True, "conjugate_a": trans == 2}
    x = solve(solve(b, **flags), lower=True, unit_diagonal=True, **flags)
    rows = broadcast_to(inverse_of(permutation)[..., None], b.shape)
    return _lu.take_along(x, rows, b.ndim - 2, distinct=True)


def inverse_of(permutation: Array) -> Array:
    """The permutations that undo permutations of shape ``(..., n)``."""
    return permutation.argsort(axis=-1)


def solve_matrices(a: Array, b: Array) -> Array:
    """``a^-1 b`` for operands with equal batch dimensions; the derivative is that of the equation."""
    lu, _, permutation = _lu.lu(stop_gradient(a))
    return custom_linear_solve(  # type: ignore[no-any-return]
        lambda x: a @ x,
        b,
        lambda _, b: lu_solve(lu, permutation, b),
        lambda _, b: lu_solve(lu, permutation, b, 1),
    )


def solve(a: Any, b: Any) -> Array:
    """The solution ``x`` of ``a @ x = b``.

    Args:
      a: shape ``(..., n, n)``.
      b: shape ``(n,)``, or ``(..., n, m)``; batch dimensions broadcast.

    Returns:
      An array of the shape of ``b``, with broadcast batch dimensions. Infinities and NaN if ``a`` is singular and the
      values are not known.

    Raises:
      ValueError: ``a`` is not square, or the shapes do not match.
      numpy.linalg.LinAlgError: a known ``a`` is singular.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.linalg.solve(jnp.array([[2.0, 0], [0, 4]]), jnp.array([2.0, 8]))
      Array([1., 2.], dtype=float32)
    """
    api = "linalg.solve"
    a, b = matrices(api, ("a", a), ("b", b))
    check_matrix(api, a, "a", square=True)
    vector = b.ndim == 1
    if not b.ndim:
        raise ValueError(f"fungrad.numpy.{api}: b must have at least one dimension, got a scalar")
    if vector:
        b = b[:, None]
    n = a.shape[-1]
    if b.shape[-2] != n:
        raise ValueError(
            f"fungrad.numpy.{api}: b must have {n} rows, as a has, got shape {b.shape[:-1] if vector else b.shape}; a "
            "batch of vectors needs one more dimension: b[..., None]"
        )
    batch = broadcast_shapes(a.shape[:-2], b.shape[:-2])
    a, b = broadcast_to(a, (*batch, n, n)), broadcast_to(b, (*batch, *b.shape[-2:]))
    _check_regular(api, a)
    x = solve_matrices(a, b)
    return x[..., 0] if vector else x


def _check_regular(api: str, a: Array) -> None:
    if isinstance(a, Tracer) or staging() or not np.isfinite(np.asarray(a)).all():
        return
    if not np.all(np.asarray(diagonal_of(_lu.lu(a)[0]))):
        raise np.linalg.LinAlgError(f"fungrad.numpy.{api}: the matrix is singular")


def inv(a: Any) -> Array:
    """The inverses of square matrices.

    Args:
      a: shape ``(..., n, n)``.

    Returns:
      An array of the shape of ``a``; infinities and NaN if it is singular and the values are not known.

    Raises:
      ValueError: ``a`` is not square.
      numpy.linalg.LinAlgError: a known ``a`` is singular.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.linalg.inv(jnp.array([[2.0, 0], [0, 4]]))
      Array([[0.5 , 0.  ],
             [0.  , 0.25]], dtype=float32)
    """
    api = "linalg.inv"
    a = matrix(api, a, square=True)
    _check_regular(api, a)
    return solve_matrices(a, broadcast_to(eye(a.shape[-1], dtype=a.dtype), a.shape))


# -- determinants ------------------------------------------------------------------------------------------------------


def _swaps(pivots: Array) -> Array:
    """Whether the number of exchanges of rows is odd, as 1 or 0."""
    return sum(pivots != arange(pivots.shape[-1], dtype=np.int32), axis=-1) % 2


@custom_jvp
def _slogdet(a: Array) -> tuple[Array, Array]:
    lu, pivots, _ = _lu.lu(a)
    diagonal = diagonal_of(lu)
    sizes = absolute(diagonal)
    singular = (sizes == 0).any(axis=-1)
    signs = prod(diagonal / where(sizes == 0, 1, sizes).astype(diagonal.dtype), axis=-1)
    signs = where(_swaps(pivots) == 1, -signs, signs)
    return where(singular, 0, signs), sum(log(sizes), axis=-1)


@_slogdet.defjvp
def _slogdet_jvp(primals: Any, tangents: Any) -> Any:
    (a,), (da,) = primals, tangents
    signs, logs = _slogdet(a)
    change = trace_of(solve_matrices(a, da), 0, -2, -1)
    if not np.issubdtype(a.dtype, np.complexfloating):
        return (signs, logs), (signs * 0, change)
    return (signs, logs), ((change - change.real.astype(change.dtype)) * signs, change.real)


def slogdet(a: Any, *, method: str | None = None) -> SlogdetResult:
    """Sign and logarithm of the absolute value of determinants.

    Args:
      a: shape ``(..., n, n)``.
      method: None, "lu" or "qr"; the factors are those of LU in any case, and serve for complex matrices too.

    Returns:
      A named tuple: ``sign`` (of absolute value 1, or 0 for a singular matrix) and real ``logabsdet``, of the batch
      shape.

    Raises:
      ValueError: ``a`` is not square, or another method.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.linalg.slogdet(jnp.array([[0.0, 1], [1, 0]]))
      SlogdetResult(sign=Array(-1., dtype=float32), logabsdet=Array(0., dtype=float32))
    """
    if method not in (None, "lu", "qr"):
        raise ValueError(f"fungrad.numpy.linalg.slogdet: method must be None, 'lu' or 'qr', got {method!r}")
    return SlogdetResult(*_slogdet(matrix("linalg.slogdet", a, square=True)))


@custom_jvp
def _det(a: Array) -> Array:
    lu, pivots, _ = _lu.lu(a)
    out = prod(diagonal_of(lu), axis=-1)
    return where(_swaps(pivots) == 1, -out, out)


@_det.defjvp
def _det_jvp(primals: Any, tangents: Any) -> Any:
    (a,), (da,) = primals, tangents
    out = _det(a)
    singular = out == 0
    safe = where(singular[..., None, None], eye(a.shape[-1], dtype=a.dtype), a)
    change = out * trace_of(solve_matrices(safe, da), 0, -2, -1)
    # Where the matrix is singular its cofactors come from its singular values: products of all but one of them.
    cofactors = _cofactors(stop_gradient(a))
    at_singular = sum(cofactors * da, axis=(-2, -1))
    return out, where(singular, at_singular, change)


def _cofactors(a: Array) -> Array:
    """The matrix of derivatives of the determinant by the elements."""
    u, s, vh = svd(a)
    n = a.shape[-1]
    others = where(eye(n, dtype=bool), 1, s[..., None, :])
    scaled = u * prod(others, axis=-1)[..., None, :].astype(a.dtype)
    phase = _det(u) * _det(vh)
    return conj(scaled @ vh) * phase[..., None, None]


def det(a: Any) -> Array:
    """Determinants of square matrices.

    Args:
      a: shape ``(..., n, n)``.

    Returns:
      An array of the batch shape. Of a singular matrix the first derivative is right too.

    Raises:
      ValueError: ``a`` is not square.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.linalg.det(jnp.array([[1.0, 2], [3, 4]]))
      Array(-2., dtype=float32)
    """
    a = matrix("linalg.det", a, square=True)
    n = a.shape[-1]
    if n == 0:
        return full(a.shape[:-2], 1, a.dtype)
    if n == 1:
        return a[..., 0, 0]
    if n == 2:
        return a[..., 0, 0] * a[..., 1, 1] - a[..., 0, 1] * a[..., 1, 0]
    if n == 3:
        minors = [a[..., 1, i] * a[..., 2, j] - a[..., 1, j] * a[..., 2, i] for i, j in ((1, 2), (2, 0), (0, 1))]
        return a[..., 0, 0] * minors[0] + a[..., 0, 1] * minors[1] + a[..., 0, 2] * minors[2]
    return _det(a)


# -- least squares -----------------------------------------------------------------------------------------------------


def _tolerance(api: str, rtol: Any, x: Array, dtype: Any) -> Any:
    if rtol is None:
        return max(x.shape[-2:]) * float(dtypes.finfo(dtype).eps)
    return operand(rtol, api, "rtol")


@partial(custom_jvp, nondiff_argnums=(1, 2))
def _pinv(a: Array, rtol: Any, hermitian: bool) -> Array:
    u, s, vh = svd(a, full_matrices=False, hermitian=hermitian)
    limit = _limit(rtol, s)
    inverse = where(s > limit, 1 / where(s > limit, s, 1), 0).astype(a.dtype)
    return conj(matrix_transpose(vh)) @ (inverse[..., :, None] * conj(matrix_transpose(u)))


def _limit(rtol: Any, s: Array) -> Array:
    largest = s.max(axis=-1, keepdims=True, initial=0)
    return (rtol[..., None] if np.ndim(rtol) else rtol) * largest


@_pinv.defjvp
def _pinv_jvp(rtol: Any, hermitian: bool, primals: Any, tangents: Any) -> Any:
    (a,), (da,) = primals, tangents
    p = _pinv(a, rtol, hermitian)
    ph, dh = conj(matrix_transpose(p)), conj(matrix_transpose(da))
    # Golub and Pereyra (1973), for a constant rank. Products are taken so that none is square in the longer side.
    if a.shape[-2] >= a.shape[-1]:
        right, left = dh - (dh @ a) @ p, (dh @ ph) @ p
        change = (p @ ph) @ right + left - (p @ a) @ left - (p @ da) @ p
    else:
        right, left = dh - dh @ (a @ p), dh @ (ph @ p)
        change = p @ (ph @ right) + left - p @ (a @ left) - p @ (da @ p)
    return p, change


def pinv(a: Any, rtol: Any = None, hermitian: bool = False, *, rcond: Any = None) -> Array:
    """The Moore-Penrose inverses of matrices.

    Args:
      a: shape ``(..., m, n)``.
      rtol: singular values below ``rtol`` times the largest count as zero; default ``10 * max(m, n) * eps``.
      hermitian: ``a`` is Hermitian.
      rcond: another name of ``rtol``.

    Returns:
      An array of shape ``(..., n, m)``.

    Raises:
      ValueError: ``a`` has fewer than two dimensions; both ``rtol`` and ``rcond``.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.linalg.pinv(jnp.array([[2.0, 0], [0, 0]]))
      Array([[0.5, 0. ],
             [0. , 0. ]], dtype=float32)
    """
    api = "linalg.pinv"
    if rtol is not None and rcond is not None:
        raise ValueError("fungrad.numpy.linalg.pinv: rtol and rcond are the same: pass one of them")
    a = matrix(api, a, square=hermitian)
    rtol = rcond if rtol is None else rtol
    limit = 10 * _tolerance(api, None, a, a.dtype) if rtol is None else _tolerance(api, rtol, a, a.dtype)
    return _pinv(a, limit, hermitian)


def lstsq(
    a: Any, b: Any, rcond: float | None = None, *, numpy_resid: bool = False
) -> tuple[Array, Array, Array, Array]:
    """The least-squares solution of ``a @ x = b``.

    Args:
      a: shape ``(m, n)``.
      b: shape ``(m,)`` or ``(m, k)``.
      rcond: singular values below ``rcond`` times the largest count as zero; default ``max(m, n) * eps``.
      numpy_resid: return no residuals where NumPy does not (rank below ``n``, or ``m <= n``): values must be known.

    Returns:
      ``x`` of shape ``(n,)`` or ``(n, k)``, the sums of squared residuals of shape ``(1,)`` or ``(k,)``, the rank of
      ``a``, and its singular values.

    Raises:
      ValueError: the shapes are others, or do not match.

    Example:
      >>> import fungrad.numpy as jnp
      >>> x, _, rank, _ = jnp.linalg.lstsq(jnp.array([[1.0], [1.0]]), jnp.array([1.0, 3.0]))
      >>> int(rank), float(x[0].round(4))
      (1, 2.0)
    """
    api = "linalg.lstsq"
    a, b = matrices(api, ("a", a), ("b", b))
    if a.ndim != 2 or b.ndim not in (1, 2) or a.shape[0] != b.shape[0]:
        raise ValueError(
            f"fungrad.numpy.{api}: a must be a matrix and b a vector or matrix with as many rows, got shapes {a.shape} "
            f"and {b.shape}"
        )
    m, n = a.shape
    dtype = a.dtype
    u, s, vh = svd(a, full_matrices=False)
    limit = _tolerance(api, rcond if rcond is None or rcond >= 0 else float(dtypes.finfo(dtype).eps), a, dtype)
    kept = s >= limit * s.max(initial=0) if m and n else s > 0
    kept = kept & (s > 0)
    rank = sum(kept)
    inverse = where(kept, 1 / where(kept, s, 1), 0).astype(dtype)
    right = b[:, None] if b.ndim == 1 else b
    projected = conj(matrix_transpose(u)) @ right
    x = conj(matrix_transpose(vh)) @ (inverse[:, None] * projected)
    if numpy_resid and (m <= n or int(rank) < n):
        residuals = full((0,), 0, s.dtype)
    else:
        residuals = sum(absolute(right - a @ x) ** 2, axis=0)
    return (x[:, 0] if b.ndim == 1 else x), residuals, rank, s


# -- tensors -----------------------------------------------------------------------------------------------------------


def tensorinv(a: Any, ind: int = 2) -> Array:
    """The inverse with respect to ``tensordot`` over ``ind`` axes.

    Args:
      a: its first ``ind`` dimensions have as many elements as the others.
      ind: how many dimensions belong to the result of the mapping.

    Returns:
      An array of shape ``a.shape[ind:] + a.shape[:ind]``.

    Raises:
      ValueError: ``ind`` is not positive, or the numbers of elements differ.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.linalg.tensorinv(jnp.eye(4).reshape(2, 2, 4)).shape
      (4, 2, 2)
    """
    a = at_least_single(matrix("linalg.tensorinv", a))
    ind = operator.index(ind)
    if ind <= 0:
        raise ValueError(f"fungrad.numpy.linalg.tensorinv: ind must be positive, got {ind}")
    rows, columns = math.prod(a.shape[:ind]), math.prod(a.shape[ind:])
    if rows != columns:
        raise ValueError(
            f"fungrad.numpy.linalg.tensorinv: the first {ind} dimensions of a must have as many elements as the "
            f"others, got shape {a.shape}"
        )
    return inv(reshape(a, (rows, columns))).reshape(a.shape[ind:] + a.shape[:ind])


def tensorsolve(a: Any, b: Any, axes: Sequence[int] | None = None) -> Array:
    """The solution ``x`` of ``tensordot(a, x, x.ndim) = b``.

    Args:
      a: shape ``b.shape + x.shape``, the elements of both equal in number.
      b: right-hand side.
      axes: dimensions of ``a`` that are moved to its end first.

    Returns:
      An array of the shape of the last dimensions of ``a``.

    Raises:
      ValueError: the shapes do not match.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.linalg.tensorsolve(jnp.eye(4).reshape(2, 2, 4), jnp.ones((2, 2)))
      Array([1., 1., 1., 1.], dtype=float32)
    """
    api = "linalg.tensorsolve"
    a, b = matrices(api, ("a", a), ("b", b))
    if axes is not None:
        a = moveaxis(a, tuple(axes), tuple(range(a.ndim - len(axes), a.ndim)))
    shape = a.shape[b.ndim :]
    if a.shape[: b.ndim] != b.shape or math.prod(shape) != b.size:
        raise ValueError(
            f"fungrad.numpy.{api}: a must have the shape of b, {b.shape}, followed by dimensions of as many elements, "
            f"got {a.shape}"
        )
    return solve(a.reshape(b.size, b.size), b.ravel()).reshape(shape)


def matrix_power(a: Any, n: int) -> Array:
    """Integer powers of square matrices, by repeated squaring.

    Args:
      a: shape ``(..., m, m)``.
      n: any integer; a negative one takes powers of the inverse.

    Returns:
      An array of the shape of ``a``.

    Raises:
      TypeError: ``n`` is no integer.
      ValueError: ``a`` is not square.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.linalg.matrix_power(jnp.array([[1, 1], [0, 1]]), 5)
      Array([[1, 5],
             [0, 1]], dtype=int32)
    """
    a = operand(a, "linalg.matrix_power", "a")
    check_matrix("linalg.matrix_power", a, "a", square=True)
    try:
        n = operator.index(n)
    except TypeError:
        raise TypeError(f"fungrad.numpy.linalg.matrix_power: n must be an integer, got {brief(n)}") from None
    if n == 0:
        one = eye(a.aval.shape[-1], dtype=a.aval.dtype)
        return broadcast_to(one, a.aval.shape)
    if n < 0:
        a, n = inv(a), -n
    out = None
    while n:
        if n & 1:
            out = a if out is None else out @ a
        n >>= 1
        if n:
            a = a @ a
    assert out is not None
    return out
