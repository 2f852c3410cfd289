"""Norms of vectors and matrices, condition and rank.

May import ``core``, ``ops``, ``numpy`` and the modules of ``numpy.linalg`` before it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fungrad.core import dtypes
from fungrad.core.array import Array
from fungrad.numpy._promotion import inexact, operand
from fungrad.numpy.grids import eye
from fungrad.numpy.linalg._arguments import check_matrix, matrix
from fungrad.numpy.linalg.decompositions import eigvalsh, svdvals
from fungrad.numpy.linalg.solving import inv
from fungrad.numpy.manipulation import expand_dims, moveaxis, ravel
from fungrad.numpy.reductions import amax, amin, sum
from fungrad.numpy.selection import where
from fungrad.numpy.ufuncs import absolute, isnan, sqrt
from fungrad.ops.shape import canonical_axis


def _squares(x: Array) -> Array:
    """The squares of absolute values."""
    return x.real**2 + x.imag**2 if np.issubdtype(x.dtype, np.complexfloating) else x * x


def _vector_norm(api: str, x: Array, ord: Any, axis: Any, keepdims: bool) -> Array:
    if ord is None or ord == 2:
        return sqrt(sum(_squares(x), axis=axis, keepdims=keepdims))
    if isinstance(ord, str):
        raise ValueError(f"fungrad.numpy.{api}: the norm of a vector must be a number, got ord={ord!r}")
    sizes = absolute(x)
    if ord == np.inf:
        return amax(sizes, axis=axis, keepdims=keepdims, initial=0)
    if ord == -np.inf:
        return amin(sizes, axis=axis, keepdims=keepdims)
    if ord == 0:
        return sum(x != 0, axis=axis, keepdims=keepdims, dtype=sizes.dtype)
    if ord == 1:
        return sum(sizes, axis=axis, keepdims=keepdims)
    ord = operand(ord, api, "ord").astype(sizes.dtype)
    return sum(sizes**ord, axis=axis, keepdims=keepdims) ** (1 / ord)


def _matrix_norm(api: str, x: Array, ord: Any, axes: tuple[int, int], keepdims: bool) -> Array:
    rows, columns = (canonical_axis(f"fungrad.numpy.{api}", a, x.ndim) for a in axes)
    if rows == columns:
        raise ValueError(f"fungrad.numpy.{api}: the two axes must differ, got {axes}")
    if ord in (None, "fro", "f"):
        return sqrt(sum(_squares(x), axis=(rows, columns), keepdims=keepdims))
    if ord in (1, -1, np.inf, -np.inf) and not isinstance(ord, str):
        first, second = (rows, columns) if abs(ord) == 1 else (columns, rows)
        sums = sum(absolute(x), axis=first, keepdims=True)
        out = amax(sums, axis=second, keepdims=True, initial=0) if ord > 0 else amin(sums, axis=second, keepdims=True)
    elif ord in (2, -2, "nuc"):
        s = svdvals(moveaxis(x, (rows, columns), (-2, -1)))
        out = sum(s, axis=-1) if ord == "nuc" else amax(s, axis=-1) if ord == 2 else amin(s, axis=-1)
        return expand_dims(out, tuple(sorted((rows, columns)))) if keepdims else out
    else:
        raise ValueError(
            f"fungrad.numpy.{api}: the norm of a matrix must be 'fro', 'nuc', 1, -1, 2, -2, inf or -inf, got "
            f"ord={ord!r}"
        )
    return out if keepdims else out.squeeze((rows, columns))


def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Array:
    """Norms of vectors or of matrices.

    Args:
      x: an array.
      ord: of vectors: any number (2 by default; inf, -inf and 0 are limits); of matrices: "fro" (default), "nuc", 1,
        -1, 2, -2, inf, -inf.
      axis: an int for vectors, a pair for matrices. None takes ``x`` for a vector or a matrix, and without ``ord`` all
        its elements for one vector.
      keepdims: keep the reduced dimensions with size 1.

    Returns:
      A real array without the dimensions ``axis``.

    Raises:
      ValueError: another ``ord``, or ``x`` is neither vector nor matrix and there is no ``axis``.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.linalg.norm(jnp.array([3.0, 4.0])), jnp.linalg.norm(jnp.array([[1.0, 2], [3, 4]]), ord=1)
      (Array(5., dtype=float32), Array(6., dtype=float32))
    """
    api = "linalg.norm"
    x = inexact(operand(x, api, "x"), api)
    if axis is None:
        if ord is None:
            out = sqrt(sum(_squares(ravel(x))))
            return out.reshape((1,) * x.ndim) if keepdims else out
        if x.ndim not in (1, 2):
            raise ValueError(
                f"fungrad.numpy.{api}: x must be a vector or a matrix if ord is given and axis is not, got shape "
                f"{x.shape}"
            )
        axis = tuple(range(x.ndim))
    axes = tuple(axis) if isinstance(axis, (tuple, list)) else (axis,)
    if len(axes) == 1:
        return _vector_norm(api, x, ord, axes[0], keepdims)
    if len(axes) == 2:
        return _matrix_norm(api, x, ord, axes, keepdims)  # type: ignore[arg-type]
    raise ValueError(f"fungrad.numpy.{api}: axis must be None, an int or a pair of ints, got {axis!r}")


def vector_norm(x: Any, /, *, axis: Any = None, keepdims: bool = False, ord: Any = 2) -> Array:
    """Norms of vectors.

    Args:
      x: an array.
      axis: dimension or dimensions whose elements make one vector; None for all.
      keepdims: keep the reduced dimensions with size 1.
      ord: any number; inf, -inf and 0 are limits.

    Returns:
      A real array.

    Raises:
      ValueError: ``ord`` is no number.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.linalg.vector_norm(jnp.array([[3.0, 4.0], [0.0, 1.0]]), axis=1)
      Array([5., 1.], dtype=float32)
    """
    api = "linalg.vector_norm"
    x = inexact(operand(x, api, "x"), api)
    if axis is None:
        out = _vector_norm(api, ravel(x), ord, 0, False)
        return out.reshape((1,) * x.ndim) if keepdims else out
    return _vector_norm(api, x, ord, tuple(axis) if isinstance(axis, (tuple, list)) else axis, keepdims)


def matrix_norm(x: Any, /, *, keepdims: bool = False, ord: Any = "fro") -> Array:
    """Norms of matrices.

    Args:
      x: shape ``(..., m, n)``.
      keepdims: keep the reduced dimensions with size 1.
      ord: "fro", "nuc", 1, -1, 2, -2, inf or -inf.

    Returns:
      A real array of the batch shape.

    Raises:
      ValueError: another ``ord``, or ``x`` has fewer than two dimensions.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.linalg.matrix_norm(jnp.eye(4))
      Array(2., dtype=float32)
    """
    api = "linalg.matrix_norm"
    x = inexact(operand(x, api, "x"), api)
    check_matrix(api, x, "x", square=False)
    return _matrix_norm(api, x, ord, (-2, -1), keepdims)


def cond(x: Any, p: Any = None) -> Array:
    """Condition numbers: the norm of a matrix times that of its inverse.

    Args:
      x: shape ``(..., m, n)``, square unless ``p`` is None, 2 or -2.
      p: the norm; None is 2.

    Returns:
      A real array of the batch shape; infinite for a singular matrix.

    Raises:
      ValueError: the shape or the norm is another one.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.linalg.cond(jnp.array([[2.0, 0], [0, 1]]))
      Array(2., dtype=float32)
    """
    api = "linalg.cond"
    x = matrix(api, x, "x", square=p not in (None, 2, -2))
    if p in (None, 2, -2):
        s = svdvals(x)
        large, small = s[..., 0], s[..., -1]
        out = small / large if p == -2 else large / small
    else:
        singular = _is_singular(x)
        safe = where(singular[..., None, None], eye(x.shape[-1], dtype=x.dtype), x)
        out = matrix_norm(x, ord=p) * matrix_norm(inv(safe), ord=p)
        out = where(singular, np.inf, out)
    return where(isnan(out) & ~isnan(x).any(axis=(-2, -1)), np.inf, out)


def _is_singular(x: Array) -> Array:
    s = svdvals(x)
    return s[..., -1] == 0


def matrix_rank(M: Any, rtol: Any = None, *, hermitian: bool = False, tol: Any = None) -> Array:
    """Ranks of matrices: how many singular values are not negligible.

    Args:
      M: shape ``(..., m, n)``, or a vector, which has rank 1 unless it is zero.
      rtol: singular values up to ``rtol`` times the largest are negligible; default ``max(m, n) * eps``.
      hermitian: ``M`` is Hermitian.
      tol: the bound itself, instead of ``rtol``.

    Returns:
      An integer array of the batch shape.

    Raises:
      ValueError: both ``rtol`` and ``tol``.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.linalg.matrix_rank(jnp.array([[1.0, 2], [2, 4]]))
      Array(1, dtype=int32)
    """
    api = "linalg.matrix_rank"
    if rtol is not None and tol is not None:
        raise ValueError("fungrad.numpy.linalg.matrix_rank: pass one of rtol and tol")
    x = operand(M, api, "M")
    if x.ndim < 2:
        return (x != 0).any().astype(int)
    x = matrix(api, x, "M", square=hermitian)
    s = absolute(eigvalsh(x)) if hermitian else svdvals(x)
    if tol is not None:
        bound = operand(tol, api, "tol")[..., None]
    else:
        relative = (
            max(x.shape[-2:]) * float(dtypes.finfo(x.dtype).eps)
            if rtol is None
            else operand(rtol, api, "rtol")[..., None]
        )
        bound = amax(s, axis=-1, keepdims=True, initial=0) * relative
    return sum(s > bound, axis=-1)
