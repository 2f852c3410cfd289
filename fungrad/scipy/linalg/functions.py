"""Functions of matrices, and the equations behind their derivatives, with SciPy's signatures.

May import ``core``, ``ops``, ``lax``, ``numpy``, ``control``, ``transforms`` and the other modules of ``scipy.linalg``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

import fungrad.numpy as jnp
from fungrad.control.cond import cond
from fungrad.control.scan import scan
from fungrad.control.solves import custom_linear_solve
from fungrad.core import dtypes
from fungrad.core.array import Array
from fungrad.numpy.linalg.solving import solve_matrices
from fungrad.ops.cast import stop_gradient
from fungrad.ops.linalg import eigen, svd as _svd
from fungrad.ops.linalg.triangular import triangular_solve
from fungrad.scipy.linalg._arguments import adjoint, check_matrix, choice, count, inexact, mapped, matrix
from fungrad.scipy.linalg.decompositions import schur
from fungrad.transforms.api import jvp
from fungrad.transforms.custom_rules import custom_jvp

# Degrees of the Pade approximants of the exponential and the norms up to which they are accurate: table 2.3 of Higham,
# "The scaling and squaring method for the matrix exponential revisited" (2005).
_DEGREES = {4: (7, 3.925724783138660), 8: (13, 5.371920351148152)}
# The norm of the difference from the identity up to which the logarithm is approximated, and the nodes of its
# approximant: Higham, "Functions of Matrices" (2008), table 11.1.
_NEAR_IDENTITY, _NODES = 0.25, 7
# Square roots that a logarithm takes at most: each halves it, and the largest number has a logarithm of 710.
_MOST_ROOTS = 24


# -- exponential -------------------------------------------------------------------------------------------------------


def expm(A: Any, *, upper_triangular: bool = False, max_squarings: int = 16) -> Array:
    """The exponential of square matrices, by scaling, a Pade approximant and squaring.

    Reference: Higham, "The scaling and squaring method for the matrix exponential revisited" (2005).

    Args:
      A: shape ``(..., n, n)``.
      upper_triangular: ``A`` is upper triangular.
      max_squarings: how often the approximant is squared at most.

    Returns:
      An array of the shape of ``A``; NaN where more squarings would be needed.

    Raises:
      TypeError: ``A`` is no array.
      ValueError: ``A`` is not square.

    Example:
      >>> import fungrad.numpy as jnp
      >>> import fungrad.scipy.linalg as linalg
      >>> linalg.expm(jnp.array([[0.0, 1], [0, 0]]))
      Array([[1., 1.],
             [0., 1.]], dtype=float32)
    """
    a = matrix("expm", A, "A", square=True)
    most = count("expm", "max_squarings", max_squarings)
    if a.size == 0:
        return a  # type: ignore[no-any-return]
    real = jnp.finfo(a.dtype)
    degree, limit = _DEGREES[real.bits // 8]
    norms = jnp.abs(stop_gradient(a)).sum(-2).max(-1)
    needed = jnp.maximum(0, jnp.ceil(jnp.log2(jnp.where(norms > 0, norms, 1) / limit)))
    squarings = jnp.minimum(needed, most)
    a = a * jnp.exp2(-squarings).astype(a.dtype)[..., None, None]
    odd, even = _pade_parts(a, degree)
    if upper_triangular:
        result = triangular_solve(even - odd, even + odd, left_side=True, lower=False)
    else:
        result = solve_matrices(even - odd, even + odd)

    def step(result: Any, k: Any) -> Any:
        more = k < squarings
        squared = cond(
            more.any(), lambda r: jnp.where(more[..., None, None], r @ r, r), lambda r: r, result
        )
        return squared, None

    if most:
        result, _ = scan(step, result, jnp.arange(most, dtype=squarings.dtype))
    failed = (needed > most) | ~jnp.isfinite(norms)
    return jnp.where(failed[..., None, None], jnp.nan, result)


def _pade_parts(a: Any, degree: int) -> tuple[Any, Any]:
    """Odd and even part of the numerator of a Pade approximant, which are those of the denominator but for signs."""
    m = degree
    c = [math.factorial(2 * m - j) / (math.factorial(m - j) * math.factorial(j)) for j in range(m + 1)]
    c = [x / c[0] for x in c]
    one = jnp.eye(a.shape[-1], dtype=a.dtype)
    two = a @ a
    four = two @ two
    six = two @ four
    odd = c[7] * six + c[5] * four + c[3] * two + c[1] * one
    even = c[6] * six + c[4] * four + c[2] * two + c[0] * one
    if degree == 13:
        odd = odd + six @ (c[13] * six + c[11] * four + c[9] * two)
        even = even + six @ (c[12] * six + c[10] * four + c[8] * two)
    return a @ odd, even


def expm_frechet(A: Any, E: Any, *, method: str | None = None, compute_expm: bool = True) -> Any:
    """The derivative of the exponential at ``A`` in the direction ``E``.

    Args:
      A, E: shape ``(..., n, n)``.
      method: None, "SPS" or "blockEnlarge"; it makes no difference.
      compute_expm: return the exponential too.

    Returns:
      ``expm(A)`` and the derivative, or the derivative alone; of the shape of ``A``.

    Raises:
      TypeError: an argument is no array.
      ValueError: the matrices are not square, their shapes differ, or another method.

    Example:
      >>> import fungrad.numpy as jnp
      >>> import fungrad.scipy.linalg as linalg
      >>> linalg.expm_frechet(jnp.zeros((2, 2)), jnp.eye(2), compute_expm=False)
      Array([[1., 0.],
             [0., 1.]], dtype=float32)
    """
    api = "expm_frechet"
    choice(api, "method", method, (None, "SPS", "blockEnlarge"))
    a, e = inexact(api, A=A, E=E)
    check_matrix(api, "A", a, square=True)
    if e.shape != a.shape:
        raise ValueError(f"fungrad.scipy.linalg.{api}: E must be of the shape of A, {a.shape}, got {e.shape}")
    value, change = jvp(expm, (a,), (e,))
    return (value, change) if compute_expm else change


# -- Sylvester's equation ----------------------------------------------------------------------------------------------


def solve_sylvester(A: Any, B: Any, C: Any, *, method: str = "schur", tol: float = 1e-8) -> Array:
    """The solution ``x`` of ``A @ x + x @ B = C``.

    Reference: Bartels and Stewart, "Solution of the matrix equation AX + XB = C" (1972).

    Args:
      A: shape ``(..., m, m)``.
      B: shape ``(..., n, n)``.
      C: shape ``(..., m, n)``; batch dimensions broadcast.
      method: "schur" or "eigen"; Schur forms are used for both.
      tol: how close to zero a sum of eigenvalues of ``A`` and ``B`` may be.

    Returns:
      An array of shape ``(..., m, n)``; NaN where a sum of eigenvalues is closer to zero.

    Raises:
      TypeError: an argument is no array.
      ValueError: the shapes do not match, or another method.

    Example:
      >>> import fungrad.numpy as jnp
      >>> import fungrad.scipy.linalg as linalg
      >>> a, b, c = jnp.array([[1.0, 2], [3, 4]]), jnp.array([[5.0, 6], [7, 8]]), jnp.array([[6.0, 8], [10, 12]])
      >>> linalg.solve_sylvester(a, b, c).round(4) + 0.0
      Array([[1., 0.],
             [0., 1.]], dtype=float32)
    """
    api = "solve_sylvester"
    choice(api, "method", method, ("schur", "eigen"))
    a, b, c = inexact(api, A=A, B=B, C=C)
    check_matrix(api, "A", a, square=True)
    check_matrix(api, "B", b, square=True)
    check_matrix(api, "C", c)
    if c.shape[-2:] != (a.shape[-1], b.shape[-1]):
        raise ValueError(
            f"fungrad.scipy.linalg.{api}: C must be of shape {(a.shape[-1], b.shape[-1])} after its batch dimensions, "
            f"got {c.shape}"
        )
    try:
        batch = jnp.broadcast_shapes(a.shape[:-2], b.shape[:-2], c.shape[:-2])
    except ValueError:
        raise ValueError(
            f"fungrad.scipy.linalg.{api}: C must have batch dimensions that broadcast with those of A and B, got "
            f"shapes {a.shape}, {b.shape} and {c.shape}"
        ) from None
    a, b, c = (jnp.broadcast_to(x, (*batch, *x.shape[-2:])) for x in (a, b, c))
    return _sylvester(a, b, c, tol)


def _sylvester(a: Any, b: Any, c: Any, tol: float = 0.0) -> Any:
    """The solution for operands of one dtype and equal batch dimensions."""
    if c.size == 0:
        return c
    left, right = (schur(stop_gradient(x), "complex") for x in (a, b))
    solve = partial(_with_schur_forms, tol=tol)
    return custom_linear_solve(
        lambda x: a @ x + x @ b,
        c,
        lambda _, c: solve(left, right, c),
        # The transposed equation a^T x + x b^T = c is b x^T + x^T a = c^T.
        lambda _, c: solve(right, left, c.mT).mT,
    )


def _with_schur_forms(left: Any, right: Any, c: Any, tol: float) -> Any:
    (s, u), (t, v) = left, right
    y = mapped(_triangular_sylvester, s, t, adjoint(u) @ c.astype(s.dtype) @ v)
    sums = jnp.diagonal(s, axis1=-2, axis2=-1)[..., :, None] + jnp.diagonal(t, axis1=-2, axis2=-1)[..., None, :]
    near = (jnp.abs(sums) < tol).any((-2, -1))
    x = jnp.where(near[..., None, None], jnp.nan, u @ y @ adjoint(v))
    return x if jnp.iscomplexobj(c) else x.real


def _triangular_sylvester(s: Any, t: Any, c: Any) -> Any:
    """The solution of ``s y + y t = c`` for upper triangular matrices, column by column."""
    one = jnp.eye(s.shape[-1], dtype=s.dtype)

    def step(y: Any, k: Any) -> Any:
        right = c[:, k] - y @ t[:, k]
        column = triangular_solve(s + t[k, k] * one, right[:, None], left_side=True, lower=False)
        return y.at[:, k].set(column[:, 0]), None

    return scan(step, jnp.zeros_like(c), jnp.arange(c.shape[-1]))[0]


# -- square root and logarithm -----------------------------------------------------------------------------------------


def sqrtm(A: Any, blocksize: int = 1) -> Array:
    """The principal square root of square matrices, by the Schur form.

    Reference: Bjorck and Hammarling, "A Schur method for the square root of a matrix" (1983).

    Args:
      A: shape ``(..., n, n)``.
      blocksize: must be 1.

    Returns:
      A complex array of the shape of ``A``.

    Raises:
      TypeError: ``A`` is no array.
      ValueError: ``A`` is not square.
      NotImplementedError: another ``blocksize``.

    Example:
      >>> import fungrad.numpy as jnp
      >>> import fungrad.scipy.linalg as linalg
      >>> linalg.sqrtm(jnp.array([[4.0, 0], [0, 9]])).real
      Array([[2., 0.],
             [0., 3.]], dtype=float32)
    """
    if blocksize != 1:
        raise NotImplementedError(f"fungrad.scipy.linalg.sqrtm: blocksize must be 1, got {blocksize!r}")
    a = matrix("sqrtm", A, "A", square=True)
    return _square_root(a.astype(dtypes.to_complex_dtype(a.dtype)))  # type: ignore[no-any-return]


@custom_jvp
def _square_root(a: Any) -> Any:
    """Of complex matrices."""
    if a.size == 0:
        return a
    t, z = schur(a, "complex")
    return z @ mapped(_triangular_root, t) @ adjoint(z)


@_square_root.defjvp
def _square_root_jvp(primals: Any, tangents: Any) -> Any:
    root = _square_root(*primals)
    return root, _sylvester(root, root, tangents[0])


def _triangular_root(t: Any) -> Any:
    """The square root of an upper triangular matrix, column by column."""
    n = t.shape[-1]
    places = jnp.arange(n)
    one = jnp.eye(n, dtype=t.dtype)

    def step(root: Any, k: Any) -> Any:
        last = jnp.sqrt(t[k, k])
        above = places < k
        # Columns from k on are still zero; a root of a double zero has nothing above it.
        known = root + jnp.where(above, last, 1) * one
        known = jnp.where((known == 0) & (one == 1), 1, known)
        right = jnp.where(above, t[:, k], 0)
        column = triangular_solve(known, right[:, None], left_side=True, lower=False)[:, 0]
        return root.at[:, k].set(jnp.where(places == k, last, column)), None

    return scan(step, jnp.zeros_like(t), places)[0]


def logm(A: Any, disp: bool = True) -> Any:
    """The principal logarithm of square matrices, by square roots and an approximant near the identity.

    Reference: Higham, "Functions of Matrices" (2008), section 11.5.

    Args:
      A: shape ``(..., n, n)``, without eigenvalues that are zero or negative.
      disp: return only the logarithm; otherwise also an estimate of its error.

    Returns:
      A complex array of the shape of ``A``, NaN where there are too many square roots to take; and with ``disp=False``
      the 1-norm of the difference between ``expm`` of it and ``A``, relative to that of ``A``.

    Raises:
      TypeError: ``A`` is no array.
      ValueError: ``A`` is not square.

    Example:
      >>> import fungrad.numpy as jnp
      >>> import fungrad.scipy.linalg as linalg
      >>> linalg.logm(jnp.array([[1.0, 1], [0, 1]])).real.round(4)
      Array([[0., 1.],
             [0., 0.]], dtype=float32)
    """
    a = matrix("logm", A, "A", square=True)
    a = a.astype(dtypes.to_complex_dtype(a.dtype))
    if a.size == 0:
        out = a
    else:
        out = mapped(_logarithm, a)
    if disp:
        return out
    return out, jnp.abs(expm(out) - a).sum(-2).max(-1) / jnp.abs(a).sum(-2).max(-1)


def _logarithm(a: Any) -> Any:
    one = jnp.eye(a.shape[-1], dtype=a.dtype)

    def far(x: Any) -> Any:
        return jnp.abs(x - one).sum(-2).max(-1) > _NEAR_IDENTITY

    def step(carry: Any, _: Any) -> Any:
        root, scale = carry
        return cond(far(root), lambda x, s: (_square_root(x), 2 * s), lambda x, s: (x, s), root, scale), None

    (root, scale), _ = scan(step, (a, jnp.ones((), a.dtype)), None, length=_MOST_ROOTS)
    x = root - one
    # Gauss and Legendre's rule for the integral of x / (1 + s x) from 0 to 1 is the diagonal Pade approximant.
    nodes, weights = (v.tolist() for v in np.polynomial.legendre.leggauss(_NODES))
    terms = [w / 2 * solve_matrices(one + (s + 1) / 2 * x, x) for s, w in zip(nodes, weights, strict=True)]
    return jnp.where(far(root) | ~jnp.isfinite(a).all(), jnp.nan, scale * sum(terms))


# -- any function ------------------------------------------------------------------------------------------------------


def funm(A: Any, func: Callable[[Array], Array], disp: bool = True) -> Any:
    """A function of square matrices, from its values at the eigenvalues.

    Reference: Parlett, "A recurrence among the elements of functions of triangular matrices" (1976).

    Args:
      A: shape ``(n, n)``, with eigenvalues that differ.
      func: function of an array of complex numbers, element by element.
      disp: return only the matrix; otherwise also an estimate of its error.

    Returns:
      A complex array of the shape of ``A``; and with ``disp=False`` the estimate. There is no derivative.

    Raises:
      TypeError: ``A`` is no array.
      ValueError: ``A`` is not square.

    Example:
      >>> import fungrad.numpy as jnp
      >>> import fungrad.scipy.linalg as linalg
      >>> linalg.funm(jnp.array([[1.0, 3], [0, 4]]), jnp.square).real.round(4)
      Array([[ 1., 15.],
             [ 0., 16.]], dtype=float32)
    """
    a = matrix("funm", A, "A", square=True)
    if a.ndim != 2:
        raise ValueError(f"fungrad.scipy.linalg.funm: A must be one matrix, got shape {a.shape}; use fungrad.vmap")
    if a.size == 0:
        return a if disp else (a, jnp.zeros(()))
    t, z = schur(a, "complex")
    n = t.shape[-1]
    eps = jnp.finfo(t.dtype).eps
    places = jnp.arange(n)
    eigenvalues = jnp.diagonal(t)
    values = func(eigenvalues)

    def step(f: Any, k: Any) -> Any:
        above = places < k
        # f t = t f gives a triangular system for the elements of the column k of f that are above the diagonal.
        right = jnp.where(above, f @ jnp.where(above, t[:, k], 0) - t[:, k] * values[k], 0)
        gaps = jnp.where(above, eigenvalues - t[k, k], 1)
        gaps = jnp.where(gaps == 0, eps, gaps)
        system = jnp.triu(jnp.where(above[:, None] & above[None], t, 0), 1) + jnp.diag(gaps)
        column = triangular_solve(system, right[:, None], left_side=True, lower=False)[:, 0]
        return f.at[:, k].set(jnp.where(places == k, values[k], jnp.where(above, column, 0))), None

    f, _ = scan(step, jnp.zeros_like(t), places)
    out = z @ f @ adjoint(z)
    if disp:
        return out
    apart = jnp.abs(eigenvalues[:, None] - eigenvalues) + jnp.where(jnp.eye(n, dtype=bool), jnp.inf, 0)
    least = jnp.minimum(apart.min(), jnp.abs(eigenvalues).max())
    size = jnp.abs(jnp.triu(t, 1)).sum(0).max()
    return out, jnp.minimum(1.0, jnp.maximum(eps, eps / jnp.where(least == 0, eps, least) * size))


# -- polar decomposition -----------------------------------------------------------------------------------------------


def polar(
    a: Any, side: str = "right", *, method: str = "qdwh", eps: float | None = None, max_iterations: int | None = None
) -> tuple[Array, Array]:
    """The polar decomposition ``a = u @ p``, or ``a = p @ u``.

    Args:
      a: shape ``(..., m, n)``.
      side: "right" for ``u @ p``, "left" for ``p @ u``.
      method: "qdwh" or "svd"; singular values are used for both.
      eps, max_iterations: ignored.

    Returns:
      ``u`` of shape ``(..., m, n)`` with orthonormal columns (or rows), and the positive semidefinite ``p`` of shape
      ``(..., n, n)``, or ``(..., m, m)`` for "left".

    Raises:
      TypeError: ``a`` is no array.
      ValueError: ``a`` has fewer than two dimensions, or another side or method.

    Example:
      >>> import fungrad.numpy as jnp
      >>> import fungrad.scipy.linalg as linalg
      >>> u, p = linalg.polar(jnp.array([[0.0, -2], [3, 0]]))
      >>> u.round(4) + 0.0, p.round(4) + 0.0
      (Array([[ 0., -1.],
             [ 1.,  0.]], dtype=float32), Array([[3., 0.],
             [0., 2.]], dtype=float32))
    """
    choice("polar", "side", side, ("right", "left"))
    choice("polar", "method", method, ("qdwh", "svd"))
    a = matrix("polar", a)
    u = _unitary(a) if a.shape[-2] >= a.shape[-1] else adjoint(_unitary(adjoint(a)))
    p = adjoint(u) @ a if side == "right" else a @ adjoint(u)
    return u, (p + adjoint(p)) / 2


@custom_jvp
def _unitary(a: Any) -> Any:
    """The factor with orthonormal columns of a matrix with at least as many rows as columns."""
    u, _, vh = _svd.svd(a, full_matrices=False)
    return u @ vh


@_unitary.defjvp
def _unitary_jvp(primals: Any, tangents: Any) -> Any:
    (a,), (da,) = primals, tangents
    u = _unitary(a)
    p = adjoint(u) @ a
    p = (p + adjoint(p)) / 2
    # With dU = U X + (rest orthogonal to U): X is skew-Hermitian and p X + X p = U^H dA - dA^H U.
    inside = adjoint(u) @ da
    du = u @ _hermitian_sylvester(p, inside - adjoint(inside))
    if a.shape[-2] > a.shape[-1]:
        rest = da - u @ inside
        du = du + adjoint(solve_matrices(p, adjoint(rest)))
    return u, du


def _hermitian_sylvester(p: Any, c: Any) -> Any:
    """The solution of ``p x + x p = c`` for a Hermitian ``p``."""
    v, w = eigen.eigh(stop_gradient(p), symmetrize_input=False)
    sums = w[..., :, None] + w[..., None, :]

    def solve(v: Any, c: Any) -> Any:
        return v @ ((adjoint(v) @ c @ v) / sums.astype(c.dtype)) @ adjoint(v)

    return custom_linear_solve(
        lambda x: p @ x + x @ p, c, lambda _, c: solve(v, c), lambda _, c: solve(jnp.conj(v), c)
    )
