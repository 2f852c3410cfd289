"""Eigenvectors by iteration, inverse roots of matrices, and least squares without negative numbers.

May import ``fungrad.numpy``, ``fungrad.lax``, ``fungrad.random`` and ``optim.tree``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import fungrad.numpy as jnp
from fungrad import lax, random
from fungrad.core.array import Array
from fungrad.optim.tree.arithmetic import norm, scale, sub, vdot


def _normalized(x: Any) -> Any:
    return scale(1.0 / norm(x), x)


def power_iteration(
    matrix: Any,
    *,
    v0: Any = None,
    num_iters: int = 100,
    error_tolerance: float = 1e-6,
    precision: Any = None,
    key: Any = None,
) -> tuple[Any, Any]:
    """The eigenvalue of greatest magnitude, and its eigenvector.

    Args:
      matrix: symmetric array of shape (n, n), or a function that multiplies a vector (or a tree) by one.
      v0: the vector to start from; needed if ``matrix`` is a function.
      num_iters: greatest number of multiplications.
      error_tolerance: relative error of the eigenvalue equation at which to stop.
      precision: ignored; products are computed in full precision.
      key: key of ``fungrad.random`` for the first vector; default ``PRNGKey(0)``.

    Returns:
      The eigenvalue, a scalar, and the eigenvector of norm 1.

    Raises:
      ValueError: ``matrix`` is a function and there is no ``v0``.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> value, vector = optim.power_iteration(jnp.diag(jnp.array([3.0, 1.0])))
      >>> print(jnp.round(value, 4))
      3.0
    """
    multiply: Callable[[Any], Any]
    if callable(matrix):
        multiply = matrix
        if v0 is None:
            raise ValueError("fungrad.optim.power_iteration: pass v0, since matrix is a function")
    else:
        a = jnp.asarray(matrix)
        multiply = lambda v: a @ v  # noqa: E731
        if v0 is None:
            start = random.PRNGKey(0) if key is None else key
            v0 = random.uniform(start, a.shape[-1:], a.dtype, -1.0, 1.0)
    first = _normalized(v0)
    product = multiply(first)

    def go_on(carry: tuple) -> Any:
        vector, product, value, step = carry
        error = jnp.abs(norm(sub(product, scale(value, vector))) / value)
        return ~(error < error_tolerance) & (step < num_iters)

    def iterate(carry: tuple) -> tuple:
        vector = _normalized(carry[1])
        product = multiply(vector)
        return vector, product, vdot(vector, product), carry[3] + 1

    zero = jnp.zeros_like(vdot(first, product))
    _, product, value, _ = lax.while_loop(go_on, iterate, (first, product, zero, jnp.zeros((), jnp.int32)))
    return value, _normalized(product)


def matrix_inverse_pth_root(
    matrix: Any,
    p: int,
    num_iters: int = 100,
    ridge_epsilon: float = 1e-6,
    error_tolerance: float = 1e-6,
    precision: Any = None,
) -> tuple[Array, Array]:
    """``matrix ** (-1 / p)`` of a positive matrix by a coupled Newton iteration, as Shampoo needs it.

    Args:
      matrix: symmetric positive semidefinite array of shape (n, n).
      p: 1, 2, 4 or 8.
      num_iters: greatest number of iterations.
      ridge_epsilon: this part of the greatest eigenvalue is added to the diagonal.
      error_tolerance: greatest error of an element at which to stop.
      precision: ignored; products are computed in full precision.

    Returns:
      The root, of shape (n, n), and its error.

    Raises:
      ValueError: ``p`` is none of these, or ``matrix`` is not square.

    References:
      Iannazzo, "On the Newton method for the matrix pth root", 2006. Gupta et al., "Shampoo: preconditioned stochastic
      tensor optimization", 2018.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> root, error = optim.matrix_inverse_pth_root(jnp.diag(jnp.array([16.0, 1.0])), 4)
      >>> print(jnp.round(jnp.diag(root), 3))
      [0.5 1. ]
    """
    a = jnp.asarray(matrix)
    if a.ndim != 2 or a.shape[0] != a.shape[1]:
        raise ValueError(f"fungrad.optim.matrix_inverse_pth_root: matrix must be square, got shape {a.shape}")
    if p not in (1, 2, 4, 8):
        raise ValueError(f"fungrad.optim.matrix_inverse_pth_root: p must be 1, 2, 4 or 8, got {p!r}")
    dtype = a.dtype
    work = jnp.float64 if dtype == jnp.float64 else jnp.float32
    a = a.astype(work)
    alpha = -1.0 / p
    ridge = ridge_epsilon * jnp.maximum(power_iteration(a)[0], 1e-16)
    if a.shape[0] == 1:
        return ((a + ridge) ** alpha).astype(dtype), jnp.zeros((), work)
    identity = jnp.eye(a.shape[0], dtype=work)
    damped = a + ridge * identity
    factor = (1 + p) / (2 * norm(damped))

    def distance(m: Any) -> Any:
        return jnp.max(jnp.abs(m - identity))

    def go_on(carry: tuple) -> Any:
        step, _, _, _, error, improves = carry
        return (step < num_iters) & (error > error_tolerance) & improves

    def iterate(carry: tuple) -> tuple:
        step, m, root, _, error, _ = carry
        correction = (1 - alpha) * identity + alpha * m
        power, exponent = correction, 1
        while exponent < p:
            power, exponent = power @ power, 2 * exponent
        m = power @ m
        new_error = distance(m)
        return step + 1, m, root @ correction, root, new_error, new_error < error * 1.2

    start = damped * factor
    root = identity * factor ** (1.0 / p)
    carry = (jnp.zeros((), jnp.int32), start, root, root, distance(start), jnp.array(True))
    _, m, root, old_root, _, improves = lax.while_loop(go_on, iterate, carry)
    return jnp.where(improves, root, old_root).astype(dtype), distance(m)


def nnls(A: Any, b: Any, iters: int, unroll: int | bool = 1, L: Any = None) -> Array:
    """Least squares without negative numbers: the ``x >= 0`` that makes the norm of ``A @ x - b`` least, by an
    accelerated projected gradient method.

    Args:
      A: array of shape (m, n).
      b: array of shape (m,) or (m, k).
      iters: number of iterations.
      unroll: how many of them are written out in the compiled loop.
      L: bound of the eigenvalues of ``A.T @ A``; default from its norms.

    Returns:
      An array of shape (n,) or (n, k).

    Raises:
      ValueError: the shapes do not fit.

    References:
      Nesterov, "A method for solving the convex programming problem with convergence rate O(1/k^2)", 1983.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> x = optim.nnls(jnp.eye(2), jnp.array([1.0, -1.0]), iters=20)
      >>> print(jnp.round(x, 3))
      [1. 0.]
    """
    A, b = jnp.asarray(A), jnp.asarray(b)
    if A.ndim != 2 or b.ndim not in (1, 2) or b.shape[0] != A.shape[0]:
        raise ValueError(
            f"fungrad.optim.nnls: A must have shape (m, n) and b (m,) or (m, k), got {A.shape} and {b.shape}"
        )
    squares, target = A.T @ A, A.T @ b
    if L is None:
        columns = jnp.max(jnp.sum(jnp.abs(squares), axis=0)) if squares.size else 0.0
        L = jnp.minimum(norm(squares), columns)
    bound = jnp.where(L == 0, 1.0, L).astype(squares.dtype)

    def iterate(carry: tuple, _: None) -> tuple:
        x, ahead, c = carry
        c_next = (1 + jnp.sqrt(1 + 4 * c**2)) / 2
        x_next = jnp.maximum(ahead - (squares @ ahead - target) / bound, 0)
        return (x_next, x_next + (c - 1) / c_next * (x_next - x), c_next), None

    x = jnp.zeros_like(target)
    return lax.scan(iterate, (x, x, jnp.zeros((), x.dtype)), None, length=iters, unroll=unroll)[0][0]
