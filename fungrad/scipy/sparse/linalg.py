"""Linear systems of which only products with the matrix are known, under the names of ``jax.scipy.sparse.linalg``.

Solutions are `lax.custom_linear_solve`s: their derivatives are systems with the same, or the transposed, matrix.

May import ``core``, ``fungrad.numpy``, ``fungrad.lax``, ``flatten_util`` and ``scipy._operands``.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import fungrad.numpy as jnp
from fungrad import lax
from fungrad.core import dtypes, tree
from fungrad.core.array import Array
from fungrad.core.public_names import publish
from fungrad.flatten_util import ravel_pytree
from fungrad.scipy._operands import inexact

Operator = Callable[[Any], Any]


class _Problem(NamedTuple):
    """A system in one vector: ``b`` and ``x0``, and what is made of trees."""

    A: Operator
    b: Any
    x0: Any
    M: Operator | None
    size: int


def _operator(api: str, name: str, value: Any) -> Operator:
    """A linear function of trees: a function, or the product with a square matrix."""
    if callable(value):
        return value  # type: ignore[no-any-return]
    if not isinstance(value, (Array, np.ndarray)) and not hasattr(value, "__matmul__"):
        raise TypeError(f"fungrad.scipy.sparse.linalg.{api}: {name} must be a function or a matrix, got {value!r}")
    shape = getattr(value, "shape", None)
    if shape is None or len(shape) != 2 or shape[0] != shape[1]:
        raise ValueError(f"fungrad.scipy.sparse.linalg.{api}: {name} must be a square matrix, got shape {shape}")
    return lambda x: value @ x


def _problem(api: str, A: Any, b: Any, x0: Any, M: Any) -> _Problem:
    full = f"fungrad.scipy.sparse.linalg.{api}"
    b = tree.map(lambda x: inexact(f"sparse.linalg.{api}", "b", x), b)
    leaves, structure = tree.flatten(b)
    if x0 is None:
        x0 = tree.map(jnp.zeros_like, b)
    else:
        x0 = tree.map(lambda x: inexact(f"sparse.linalg.{api}", "x0", x), x0)
    starts, other = tree.flatten(x0)
    if structure != other or [v.shape for v in leaves] != [v.shape for v in starts]:
        raise ValueError(
            f"{full}: x0 and b must have one structure and shapes, got {tree.map(lambda v: v.shape, x0)} and "
            f"{tree.map(lambda v: v.shape, b)}"
        )
    x0 = tree.map(lambda start, v: start.astype(v.dtype), x0, b)
    return _Problem(
        _operator(api, "A", A), b, x0, None if M is None else _operator(api, "M", M), sum(v.size for v in leaves)
    )


def _in_vectors(problem: _Problem, solve: Callable[..., Array]) -> Callable[[Operator, Any], Any]:
    """A solver of trees from one of vectors: ``solve(A, b, x0, M)``."""

    def solver(matvec: Operator, b: Any) -> Any:
        vector, unravel = ravel_pytree(b)
        start, _ = ravel_pytree(problem.x0)

        def flat(f: Operator) -> Operator:
            return lambda v: ravel_pytree(f(unravel(v)))[0].astype(vector.dtype)

        precondition = flat(problem.M) if problem.M is not None else lambda v: v
        return unravel(solve(flat(matvec), vector, start, precondition))

    return solver


def _dot(x: Array, y: Array) -> Array:
    return jnp.vdot(x, y, precision=lax.Precision.HIGHEST)


def _square(x: Array) -> Array:
    return _dot(x, x).real


def _bound(b: Array, tol: Any, atol: Any) -> Array:
    """The square of the norm that a residual must not exceed."""
    return jnp.maximum(tol * tol * _square(b), atol * atol)


def _cg(A: Operator, b: Array, x: Array, M: Operator, bound: Array, maxiter: Any) -> Array:
    """Hestenes and Stiefel, Methods of conjugate gradients for solving linear systems, 1952, with preconditioning."""

    def body(s: Any) -> Any:
        x, r, rho, p, k = s
        ap = A(p)
        alpha = rho / _dot(p, ap).real.astype(b.dtype)
        x, r = x + alpha * p, r - alpha * ap
        z = M(r)
        after = _dot(r, z).real.astype(b.dtype)
        return x, r, after, z + after / rho * p, k + 1

    r = b - A(x)
    z = M(r)
    state = (x, r, _dot(r, z).real.astype(b.dtype), z, jnp.asarray(0, jnp.int32))
    return lax.while_loop(lambda s: (_square(s[1]) > bound) & (s[4] < maxiter), body, state)[0]  # type: ignore[no-any-return]


def _bicgstab(A: Operator, b: Array, x: Array, M: Operator, bound: Array, maxiter: Any) -> Array:
    """Van der Vorst, Bi-CGSTAB: a fast and smoothly converging variant of Bi-CG, 1992, with preconditioning."""

    def body(s: Any) -> Any:
        x, r, alpha, omega, rho, p, v, k = s
        after = _dot(shadow, r)
        beta = after / rho * (alpha / omega)
        p = r + beta * (p - omega * v)
        direction = M(p)
        v = A(direction)
        alpha = after / _dot(shadow, v)
        half = r - alpha * v
        early = _square(half) < bound
        other = M(half)
        t = A(other)
        square = _dot(t, t)
        omega = _dot(t, half) / jnp.where(square == 0, 1, square)
        x = x + alpha * direction + jnp.where(early, 0, omega) * other
        r = half - jnp.where(early, 0, omega) * t
        # Nothing more can be done where a factor has vanished.
        broken = (after == 0) | (~early & ((omega == 0) | (alpha == 0)))
        return x, r, alpha, omega, after, p, v, jnp.where(broken, -1, k + 1)

    shadow = b - A(x)
    one = jnp.ones((), b.dtype)
    zero = jnp.zeros_like(b)
    state = (x, shadow, one, one, one, zero, zero, jnp.asarray(0, jnp.int32))
    go = lambda s: (_square(s[1]) > bound) & (s[7] < maxiter) & (s[7] >= 0)  # noqa: E731
    return lax.while_loop(go, body, state)[0]  # type: ignore[no-any-return]


def cg(
    A: Any, b: Any, x0: Any = None, *, tol: float = 1e-5, atol: float = 0.0, maxiter: int | None = None, M: Any = None
) -> tuple[Any, None]:
    """Solution of ``A(x) = b`` by conjugate gradients, for a positive definite ``A``.

    Args:
      A: linear function of a tree like ``b``, or a matrix; Hermitian and positive definite.
      b: right side, an array or a tree of arrays.
      x0: where to begin, default zeros.
      tol: least norm of the residual relative to that of ``b``.
      atol: least norm of the residual.
      maxiter: greatest number of iterations, default 10 per unknown.
      M: function or matrix, an approximation of the inverse of ``A``.

    Returns:
      The solution, and None.

    Raises:
      TypeError: an argument is no array or function.
      ValueError: ``x0`` is not like ``b``, or a matrix is not square.

    References:
      Hestenes and Stiefel, Methods of conjugate gradients for solving linear systems, 1952.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad.scipy.sparse.linalg import cg
      >>> x, _ = cg(lambda x: jnp.array([2.0, 4.0]) * x, jnp.array([2.0, 2.0]))
      >>> print(x.round(4))
      [1.  0.5]
    """
    problem = _problem("cg", A, b, x0, M)
    # A real operator for which the method works is symmetric.
    symmetric = not any(dtypes.is_complex(v.dtype) for v in tree.leaves(problem.b))
    return _short_recurrences(_cg, problem, tol, atol, maxiter, symmetric), None


def bicgstab(
    A: Any, b: Any, x0: Any = None, *, tol: float = 1e-5, atol: float = 0.0, maxiter: int | None = None, M: Any = None
) -> tuple[Any, None]:
    """Solution of ``A(x) = b`` by stabilised bi-conjugate gradients, for any ``A``; arguments and errors are those of
    ``cg``.

    References:
      Van der Vorst, Bi-CGSTAB: a fast and smoothly converging variant of Bi-CG, 1992.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad.scipy.sparse.linalg import bicgstab
      >>> x, _ = bicgstab(jnp.array([[2.0, 1.0], [0.0, 4.0]]), jnp.array([3.0, 4.0]))
      >>> print(x.round(4))
      [1. 1.]
    """
    return _short_recurrences(_bicgstab, _problem("bicgstab", A, b, x0, M), tol, atol, maxiter, False), None


def _short_recurrences(
    method: Callable[..., Array], problem: _Problem, tol: Any, atol: Any, maxiter: Any, symmetric: bool
) -> Any:
    most = 10 * problem.size if maxiter is None else maxiter

    def solve(A: Operator, b: Array, x0: Array, M: Operator) -> Array:
        return method(A, b, x0, M, _bound(b, tol, atol), most)

    solver = _in_vectors(problem, solve)
    x = lax.custom_linear_solve(problem.A, problem.b, solver, solver, symmetric=symmetric)
    return x if symmetric else _as_weak(x, problem.b)  # those of JAX's `cg` are never weak


def _as_weak(solution: Any, b: Any) -> Any:
    """The solution, whose leaves are weak where those of ``b`` are."""
    return tree.map(lambda x, v: lax.convert_element_type(x, x.dtype, v.weak_type), solution, b)


# -- generalised minimal residuals -------------------------------------------------------------------------------------


def _normalized(v: Array, least: Any) -> tuple[Array, Array]:
    """A vector of length 1 and the length; zeros and 0 where it is not more than ``least``."""
    norm = jnp.sqrt(_square(v))
    some = norm > least
    unit = v / jnp.where(some, norm, 1).astype(v.dtype)
    return jnp.where(some, unit, jnp.zeros_like(v)), jnp.where(some, norm, 0)


def _orthogonal(basis: Array, v: Array) -> tuple[Array, Array]:
    """``v`` minus its projections on the rows of ``basis``, and these: twice, which is enough."""
    total = jnp.zeros(basis.shape[0], v.dtype)
    for _ in range(2):
        shares = basis.conj() @ v
        v = v - shares @ basis
        total = total + shares
    return v, total


def _cycle(
    A: Operator, b: Array, x: Array, M: Operator, restart: int, least: Array, early: bool
) -> tuple[Array, Array]:
    """One cycle: the best correction of ``x`` in a space of at most ``restart`` dimensions, by rotations that make the
    matrix triangular as it grows. Returns the new ``x`` and the norm of its residual (with the preconditioner)."""
    dtype = b.dtype
    eps = jnp.finfo(dtype).eps
    r, beta = _normalized(M(b - A(x)), 0)
    places = jnp.arange(restart + 1)

    def body(s: Any) -> Any:
        basis, columns, turns, right, k, _ = s
        v = M(A(basis[k]))
        size = jnp.sqrt(_square(v))
        v, h = _orthogonal(basis, v)
        v, rest = _normalized(v, eps * size)
        h = jnp.where(places == k + 1, rest.astype(dtype), h)
        h = lax.fori_loop(0, k, lambda i, h: _turned(h, turns[i], i), h)
        turn = _rotation(h[k], h[k + 1])
        h = _turned(h, turn, k)
        right = _turned(right, turn, k)
        return (
            basis.at[k + 1].set(v), columns.at[k].set(h), turns.at[k].set(turn), right, k + 1,
            jnp.abs(right[k + 1]).astype(beta.dtype),
        )  # fmt: skip

    def go(s: Any) -> Array:
        more = s[4] < restart
        # A residual of 0 is a space that A maps into itself.
        return more & ((s[5] > least) if early else (s[5] > 0))

    state = (
        jnp.zeros((restart + 1, b.shape[0]), dtype).at[0].set(r),
        # Columns that are not reached are those of the identity, with 0 on the right.
        jnp.eye(restart, restart + 1, dtype=dtype),
        jnp.zeros((restart, 2), dtype),
        jnp.zeros(restart + 1, dtype).at[0].set(beta.astype(dtype)),
        jnp.asarray(0, jnp.int32),
        beta,
    )
    basis, columns, _, right, k, _ = lax.while_loop(go, body, state)
    right = jnp.where(jnp.arange(restart) < k, right[:-1], 0)
    square = columns[:, :-1].T
    # A column of zeros, of a singular A, has no part in the solution.
    diagonal = jnp.diagonal(square)
    hopeless = jnp.abs(diagonal) == 0
    square = square + jnp.diag(jnp.where(hopeless, 1, 0).astype(dtype))
    y = lax.linalg.triangular_solve(square, jnp.where(hopeless, 0, right)[:, None], left_side=True, lower=False)[:, 0]
    x = x + y @ basis[:-1]
    return x, jnp.sqrt(_square(M(b - A(x))))


def _rotation(a: Array, b: Array) -> Array:
    """Cosine and sine of the rotation that makes the second of two numbers 0."""
    size = jnp.sqrt((a * a.conj() + b * b.conj()).real)
    safe = jnp.where(size == 0, 1, size).astype(a.dtype)
    return jnp.stack([jnp.where(size == 0, 1, a / safe), jnp.where(size == 0, 0, b / safe)])


def _turned(h: Array, turn: Array, k: Any) -> Array:
    """The elements ``k`` and ``k + 1`` of a vector rotated."""
    c, s = turn[0], turn[1]
    a, b = h[k], h[k + 1]
    return h.at[k].set(c.conj() * a + s.conj() * b).at[k + 1].set(c * b - s * a)


def gmres(
    A: Any,
    b: Any,
    x0: Any = None,
    *,
    tol: float = 1e-5,
    atol: float = 0.0,
    restart: int = 20,
    maxiter: int | None = None,
    M: Any = None,
    solve_method: str = "batched",
) -> tuple[Any, Array]:
    """Solution of ``A(x) = b`` by generalised minimal residuals, for any ``A``.

    Args:
      A: linear function of a tree like ``b``, or a matrix.
      b: right side, an array or a tree of arrays.
      x0: where to begin, default zeros.
      tol: least norm of the residual relative to that of ``b``.
      atol: least norm of the residual.
      restart: dimensions of the space in which a correction is sought before it begins again.
      maxiter: greatest number of such cycles, default 10 per unknown.
      M: function or matrix, an approximation of the inverse of ``A``; residuals are those of ``M A``.
      solve_method: ``"incremental"`` ends a cycle when the residual is small enough, ``"batched"`` at its end only.

    Returns:
      The solution, and 0, or -1 if it is NaN.

    Raises:
      TypeError: an argument is no array or function.
      ValueError: ``x0`` is not like ``b``, a matrix is not square, ``restart`` is not positive, or there is no such
        ``solve_method``.

    References:
      Saad and Schultz, GMRES: a generalized minimal residual algorithm for solving nonsymmetric linear systems, 1986.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad.scipy.sparse.linalg import gmres
      >>> x, info = gmres(jnp.array([[2.0, 1.0], [0.0, 4.0]]), jnp.array([3.0, 4.0]))
      >>> print(x.round(4), info)
      [1. 1.] 0
    """
    full = "fungrad.scipy.sparse.linalg.gmres"
    if solve_method not in ("batched", "incremental"):
        raise ValueError(f"{full}: solve_method must be 'batched' or 'incremental', got {solve_method!r}")
    problem = _problem("gmres", A, b, x0, M)
    size = min(operator.index(restart), problem.size)
    if operator.index(restart) < 1:
        raise ValueError(f"{full}: restart must be positive, got {restart}")
    most = 10 * problem.size if maxiter is None else maxiter

    def solve(A: Operator, b: Array, x: Array, M: Operator) -> Array:
        if problem.size == 0:
            return x
        norm = jnp.sqrt(_square(b))
        bound = jnp.maximum(tol * norm, atol)
        # The same share of the norm with the preconditioner.
        least = jnp.sqrt(_square(M(b))) * jnp.minimum(1, bound / jnp.where(norm == 0, 1, norm))

        def body(s: Any) -> Any:
            x, k, _ = s
            x, norm = _cycle(A, b, x, M, size, least, solve_method == "incremental")
            return x, k + 1, norm

        state = (x, jnp.asarray(0, jnp.int32), jnp.sqrt(_square(M(b - A(x)))))
        return lax.while_loop(lambda s: (s[1] < most) & (s[2] > bound), body, state)[0]  # type: ignore[no-any-return]

    solver = _in_vectors(problem, solve)
    x = lax.custom_linear_solve(problem.A, problem.b, solver, solver)
    bad = jnp.asarray(False)
    for leaf in tree.leaves(x):
        bad = bad | jnp.isnan(leaf).any()
    return _as_weak(x, problem.b), jnp.where(bad, -1, 0)


__all__ = ["bicgstab", "cg", "gmres"]

publish(globals(), __name__, __all__)
