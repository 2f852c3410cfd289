"""Systems of equations and the factorisations for them, with SciPy's signatures.

May import ``core``, ``ops``, ``lax``, ``numpy``, ``control`` and ``scipy.linalg._arguments``.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import fungrad.numpy as jnp
from fungrad.control.solves import custom_linear_solve
from fungrad.core.array import Array
from fungrad.numpy.linalg.solving import lu_solve as _solve_with_factors
from fungrad.ops.cast import stop_gradient
from fungrad.ops.linalg import cholesky as _cholesky, lu as _lu
from fungrad.ops.linalg.triangular import triangular_solve
from fungrad.scipy.linalg._arguments import adjoint, array, choice, matrix, systems


def cholesky(a: Any, lower: bool = False, overwrite_a: bool = False, check_finite: bool = True) -> Array:
    """The Cholesky factor of a positive definite matrix: ``a = u.conj().T @ u``, or ``l @ l.conj().T`` if ``lower``.

    Args:
      a: shape ``(..., n, n)``; only one triangle of it is read.
      lower: read the lower triangle and return the lower factor.
      overwrite_a, check_finite: ignored.

    Returns:
      An array of the shape of ``a``; NaN for a matrix that is not positive definite.

    Raises:
      TypeError: ``a`` is no array.
      ValueError: ``a`` is not square.

    Example:
      >>> import fungrad.numpy as jnp
      >>> import fungrad.scipy.linalg as linalg
      >>> linalg.cholesky(jnp.array([[4.0, 2], [2, 10]]))
      Array([[2., 1.],
             [0., 3.]], dtype=float32)
    """
    a = matrix("cholesky", a, square=True)
    if lower:
        return _cholesky.cholesky(a, symmetrize_input=False)
    return adjoint(_cholesky.cholesky(adjoint(a), symmetrize_input=False))  # type: ignore[no-any-return]


def cho_factor(
    a: Any, lower: bool = False, overwrite_a: bool = False, check_finite: bool = True
) -> tuple[Array, bool]:
    """The Cholesky factor, and which one it is, for `cho_solve`.

    Args:
      a: positive definite, shape ``(..., n, n)``; only one triangle of it is read.
      lower: read the lower triangle and return the lower factor.
      overwrite_a, check_finite: ignored.

    Returns:
      A pair of an array of the shape of ``a`` and ``lower``.

    Raises:
      TypeError: ``a`` is no array.
      ValueError: ``a`` is not square.

    Example:
      >>> import fungrad.numpy as jnp
      >>> import fungrad.scipy.linalg as linalg
      >>> factor = linalg.cho_factor(jnp.array([[4.0, 2], [2, 10]]))
      >>> linalg.cho_solve(factor, jnp.array([4.0, 2.0]))
      Array([1., 0.], dtype=float32)
    """
    return cholesky(matrix("cho_factor", a, square=True), lower=lower), lower


def cho_solve(
    c_and_lower: tuple[Any, bool], b: Any, overwrite_b: bool = False, check_finite: bool = True
) -> Array:
    """The solution of ``a @ x = b`` with the Cholesky factor of ``a``.

    Args:
      c_and_lower: what `cho_factor` returns.
      b: shape ``(..., n)`` or ``(..., n, m)``.
      overwrite_b, check_finite: ignored.

    Returns:
      An array of the shape of ``b``.

    Raises:
      TypeError: an argument is no array, or ``c_and_lower`` no pair.
      ValueError: the shapes do not match.

    Example:
      >>> import fungrad.numpy as jnp
      >>> import fungrad.scipy.linalg as linalg
      >>> linalg.cho_solve((jnp.array([[2.0, 1], [0, 3]]), False), jnp.array([4.0, 2.0]))
      Array([1., 0.], dtype=float32)
    """
    try:
        c, lower = c_and_lower
    except (TypeError, ValueError):
        raise TypeError(
            f"fungrad.scipy.linalg.cho_solve: c_and_lower must be a pair of a factor and a bool, got {c_and_lower!r}"
        ) from None
    c, b, vector = systems("cho_solve", c, b, "c_and_lower")
    x = _with_factor(c, bool(lower), b)
    return x[..., 0] if vector else x  # type: ignore[no-any-return]


def _with_factor(c: Any, lower: bool, b: Any) -> Any:
    solve = partial(triangular_solve, c, left_side=True, lower=lower)
    first, second = ({}, {"transpose_a": True, "conjugate_a": True})[:: 1 if lower else -1]
    return solve(solve(b, **first), **second)


def lu(
    a: Any, permute_l: bool = False, overwrite_a: bool = False, check_finite: bool = True, p_indices: bool = False
) -> tuple[Array, ...]:
    """The factors of a matrix: ``a = p @ l @ u``.

    Args:
      a: shape ``(..., m, n)``.
      permute_l: return ``p @ l`` and ``u``.
      overwrite_a, check_finite: ignored.
      p_indices: return the permutation as integers, with ``a = l[p] @ u``.

    Returns:
      ``p`` of shape ``(..., m, m)`` (or ``(..., m)``), ``l`` of shape ``(..., m, k)`` with ones on its diagonal, and
      ``u`` of shape ``(..., k, n)``, with ``k = min(m, n)``; without ``p`` if ``permute_l``.

    Raises:
      TypeError: ``a`` is no array.
      ValueError: ``a`` has fewer than two dimensions.

    Example:
      >>> import fungrad.numpy as jnp
      >>> import fungrad.scipy.linalg as linalg
      >>> p, l, u = linalg.lu(jnp.array([[1.0, 2], [4, 4]]))
      >>> l, u
      (Array([[1.  , 0.  ],
             [0.25, 1.  ]], dtype=float32), Array([[4., 4.],
             [0., 1.]], dtype=float32))
    """
    a = matrix("lu", a)
    both, _, order = _lu.lu(a)
    m, n = a.shape[-2:]
    k = min(m, n)
    lower = jnp.tril(both[..., :, :k], -1) + jnp.eye(m, k, dtype=a.dtype)
    upper = jnp.triu(both[..., :k, :])
    back = jnp.argsort(order, axis=-1)
    if permute_l:
        return jnp.take_along_axis(lower, jnp.broadcast_to(back[..., None], lower.shape), axis=-2), upper
    if p_indices:
        return back, lower, upper
    return (back[..., None] == jnp.arange(m)).astype(jnp.real(a).dtype), lower, upper


def lu_factor(a: Any, overwrite_a: bool = False, check_finite: bool = True) -> tuple[Array, Array]:
    """Both factors of a matrix in one, and the exchanges of rows, for `lu_solve`.

    Args:
      a: shape ``(..., m, n)``.
      overwrite_a, check_finite: ignored.

    Returns:
      An array of the shape of ``a``, with ``l`` below its diagonal and ``u`` above, and int32 pivots of shape
      ``(..., min(m, n))``: row ``i`` was exchanged with row ``pivots[i]``.

    Raises:
      TypeError: ``a`` is no array.
      ValueError: ``a`` has fewer than two dimensions.

    Example:
      >>> import fungrad.numpy as jnp
      >>> import fungrad.scipy.linalg as linalg
      >>> linalg.lu_solve(linalg.lu_factor(jnp.array([[1.0, 2], [4, 4]])), jnp.array([3.0, 8.0]))
      Array([1., 1.], dtype=float32)
    """
    both, pivots, _ = _lu.lu(matrix("lu_factor", a))
    return both, pivots


def lu_solve(
    lu_and_piv: tuple[Any, Any], b: Any, trans: int = 0, overwrite_b: bool = False, check_finite: bool = True
) -> Array:
    """The solution of ``op(a) @ x = b`` with the factors of ``a``.

    Args:
      lu_and_piv: what `lu_factor` returns, of square matrices.
      b: shape ``(..., n)`` or ``(..., n, m)``.
      trans: 0 for the matrix, 1 for its transpose, 2 for its conjugate transpose.
      overwrite_b, check_finite: ignored.

    Returns:
      An array of the shape of ``b``.

    Raises:
      TypeError: an argument is no array, or ``lu_and_piv`` no pair.
      ValueError: the shapes do not match, or another ``trans``.

    Example:
      >>> import fungrad.numpy as jnp
      >>> import fungrad.scipy.linalg as linalg
      >>> factors = linalg.lu_factor(jnp.array([[1.0, 2], [4, 4]]))
      >>> linalg.lu_solve(factors, jnp.array([5.0, 6.0]), trans=1)
      Array([1., 1.], dtype=float32)
    """
    choice("lu_solve", "trans", trans, (0, 1, 2))
    try:
        both, pivots = lu_and_piv
    except (TypeError, ValueError):
        raise TypeError(
            f"fungrad.scipy.linalg.lu_solve: lu_and_piv must be a pair of factors and pivots, got {lu_and_piv!r}"
        ) from None
    pivots = array("lu_solve", "lu_and_piv", pivots)
    both, b, vector = systems("lu_solve", both, b, "lu_and_piv")
    order = _lu.lu_pivots_to_permutation(pivots, both.shape[-1])
    order = jnp.broadcast_to(order, both.shape[:-1])
    x = _solve_with_factors(both, order, b, trans)
    return x[..., 0] if vector else x


def solve_triangular(
    a: Any,
    b: Any,
    trans: int | str = 0,
    lower: bool = False,
    unit_diagonal: bool = False,
    overwrite_b: bool = False,
    debug: Any = None,
    check_finite: bool = True,
) -> Array:
    """The solution of ``op(a) @ x = b`` for a triangular matrix ``a``.

    Args:
      a: shape ``(..., n, n)``; only one triangle of it is read.
      b: shape ``(..., n)`` or ``(..., n, m)``.
      trans: 0 or "N" for the matrix, 1 or "T" for its transpose, 2 or "C" for its conjugate transpose.
      lower: read the lower triangle.
      unit_diagonal: take the diagonal for ones without reading it.
      overwrite_b, debug, check_finite: ignored.

    Returns:
      An array of the shape of ``b``.

    Raises:
      TypeError: an argument is no array.
      ValueError: the shapes do not match, or another ``trans``.

    Example:
      >>> import fungrad.numpy as jnp
      >>> import fungrad.scipy.linalg as linalg
      >>> linalg.solve_triangular(jnp.array([[2.0, 0], [1, 4]]), jnp.array([2.0, 9.0]), lower=True)
      Array([1., 2.], dtype=float32)
    """
    choice("solve_triangular", "trans", trans, (0, 1, 2, "N", "T", "C"))
    a, b, vector = systems("solve_triangular", a, b)
    x = triangular_solve(
        a,
        b,
        left_side=True,
        lower=lower,
        transpose_a=trans not in (0, "N"),
        conjugate_a=trans in (2, "C"),
        unit_diagonal=unit_diagonal,
    )
    return x[..., 0] if vector else x


def solve(
    a: Any,
    b: Any,
    lower: bool = False,
    overwrite_a: bool = False,
    overwrite_b: bool = False,
    debug: bool = False,
    check_finite: bool = True,
    assume_a: str = "gen",
) -> Array:
    """The solution of ``a @ x = b``.

    Args:
      a: shape ``(..., n, n)``.
      b: shape ``(n,)`` or ``(..., n, m)``.
      lower: which triangle counts if ``assume_a`` is "pos".
      overwrite_a, overwrite_b, debug, check_finite: ignored.
      assume_a: "gen" for any matrix, "sym", "her", or "pos" for positive definite ones, which have a Cholesky factor.

    Returns:
      An array of the shape of ``b``, with broadcast batch dimensions. Infinities and NaN if ``a`` is singular and the
      values are not known.

    Raises:
      TypeError: an argument is no array.
      ValueError: the shapes do not match, or another ``assume_a``.
      numpy.linalg.LinAlgError: a known ``a`` is singular.

    Example:
      >>> import fungrad.numpy as jnp
      >>> import fungrad.scipy.linalg as linalg
      >>> linalg.solve(jnp.array([[4.0, 2], [2, 10]]), jnp.array([4.0, 2.0]), assume_a="pos")
      Array([1., 0.], dtype=float32)
    """
    choice("solve", "assume_a", assume_a, ("gen", "sym", "her", "pos"))
    a, b, vector = systems("solve", a, b, vectors=False)
    if assume_a != "pos":
        x = jnp.linalg.solve(a, b)
    else:
        factor = cholesky(stop_gradient(a), lower=lower)
        # The other triangle does not count.
        half = jnp.tril(a) if lower else jnp.triu(a)
        diagonal = jnp.real(jnp.diagonal(a, axis1=-2, axis2=-1)).astype(a.dtype)
        whole = half + adjoint(half) - jnp.eye(a.shape[-1], dtype=a.dtype) * diagonal[..., None]
        turned = adjoint(factor).mT if jnp.iscomplexobj(a) else factor
        x = custom_linear_solve(
            lambda x: whole @ x,
            b,
            lambda _, b: _with_factor(factor, lower, b),
            lambda _, b: _with_factor(turned, lower, b),
        )
    return x[..., 0] if vector else x  # type: ignore[no-any-return]


def inv(a: Any, overwrite_a: bool = False, check_finite: bool = True) -> Array:
    """The inverses of square matrices.

    Args:
      a: shape ``(..., n, n)``.
      overwrite_a, check_finite: ignored.

    Returns:
      An array of the shape of ``a``; infinities and NaN if it is singular and the values are not known.

    Raises:
      TypeError: ``a`` is no array.
      ValueError: ``a`` is not square.
      numpy.linalg.LinAlgError: a known ``a`` is singular.

    Example:
      >>> import fungrad.numpy as jnp
      >>> import fungrad.scipy.linalg as linalg
      >>> linalg.inv(jnp.array([[2.0, 0], [0, 4]]))
      Array([[0.5 , 0.  ],
             [0.  , 0.25]], dtype=float32)
    """
    return jnp.linalg.inv(matrix("inv", a, square=True))


def det(a: Any, overwrite_a: bool = False, check_finite: bool = True) -> Array:
    """Determinants of square matrices.

    Args:
      a: shape ``(..., n, n)``.
      overwrite_a, check_finite: ignored.

    Returns:
      An array of the batch shape.

    Raises:
      TypeError: ``a`` is no array.
      ValueError: ``a`` is not square.

    Example:
      >>> import fungrad.numpy as jnp
      >>> import fungrad.scipy.linalg as linalg
      >>> linalg.det(jnp.array([[1.0, 2], [3, 4]]))
      Array(-2., dtype=float32)
    """
    return jnp.linalg.det(matrix("det", a, square=True))
