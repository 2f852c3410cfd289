"""Quasi-Newton methods: BFGS, and BFGS with limited memory.

May import ``core``, ``transforms``, ``fungrad.numpy``, ``fungrad.lax`` and ``scipy.optimize.line_search``.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

import fungrad.numpy as jnp
from fungrad import lax
from fungrad.core import dtypes
from fungrad.core.array import Array
from fungrad.scipy._operands import operand
from fungrad.scipy.optimize.line_search import Point, line_search
from fungrad.transforms.api import value_and_grad

_API = "fungrad.scipy.optimize.minimize"
_LIMITED = "l-bfgs-experimental-do-not-rely-on-this"


class OptimizeResults(NamedTuple):
    """What a minimisation has found.

    Attributes:
      x: the point.
      success: whether its gradient is small enough.
      status: 0 if so, 1 after too many iterations; of BFGS 3 or 5 if the line search failed; of L-BFGS 2 or 3 after too
        many evaluations, 4 if the function hardly changed, 5 if the line search failed.
      fun: the function there.
      jac: its gradient.
      hess_inv: the approximation of the inverse of its second derivative; None for L-BFGS.
      nfev: number of evaluations of the function.
      njev: number of evaluations of the gradient.
      nit: number of iterations.
    """

    x: Array
    success: bool | Array
    status: int | Array
    fun: Array
    jac: Array
    hess_inv: Array | None
    nfev: int | Array
    njev: int | Array
    nit: int | Array


def _inner(a: Array, b: Array) -> Array:
    """The real part of the sum of products, without conjugation."""
    return jnp.sum((a * b).real)


def _norm(g: Array, order: Any) -> Array:
    return jnp.linalg.norm(g, ord=order)


def _search(
    fun: Callable[..., Any], x: Array, value: Array, gradient: Array, direction: Array, first: Array, most: int
) -> Any:
    """A line search from ``x`` in a direction."""

    def at(step: Array) -> Point:
        v, g = fun(x + step.astype(x.dtype) * direction)
        return Point(step, v.astype(value.dtype), _inner(g, direction).astype(value.dtype), g.astype(gradient.dtype))

    start = Point(jnp.zeros((), value.dtype), value, _inner(gradient, direction).astype(value.dtype), gradient)
    return line_search(at, start, first, most)


class _State(NamedTuple):
    x: Array
    value: Array
    gradient: Array
    before: Array  # the value before
    inverse: Any  # what is known of the inverse of the second derivative
    converged: Array
    failed: Array
    status: Array
    evaluations: Array
    iterations: Array


def _bfgs(
    fun: Callable[..., Any], x: Array, *, maxiter: Any = None, norm: Any = np.inf, gtol: float = 1e-5,
    line_search_maxiter: int = 10,
) -> OptimizeResults:  # fmt: skip
    """Nocedal and Wright, Numerical Optimization, algorithm 6.1."""
    most = x.size * 200 if maxiter is None else maxiter
    n = x.shape[0]
    value, gradient = fun(x)

    def body(s: _State) -> _State:
        direction = -(s.inverse @ s.gradient)
        slope = _inner(s.gradient, direction)
        # The decrease of the last iteration as a guess of the next one.
        guess = 1.01 * 2 * (s.value - s.before) / slope
        first = jnp.where((guess > 0) & (guess <= 1), guess, 1).astype(value.dtype)
        found = _search(fun, s.x, s.value, s.gradient, direction, first, line_search_maxiter)
        p = found.point
        step = p.step.astype(x.dtype) * direction
        change = p.gradient - s.gradient
        curvature = jnp.sum(change * step)
        rho = 1 / jnp.where(curvature == 0, 1, curvature)
        w = jnp.eye(n, dtype=x.dtype) - rho * jnp.outer(step, change)
        inverse = w @ s.inverse @ w.T + rho * jnp.outer(step, step)
        known = (curvature != 0) & jnp.isfinite(rho)
        return _State(
            s.x + step, p.value, p.gradient, s.value, jnp.where(known, inverse, s.inverse),
            _norm(p.gradient, norm) < gtol, found.failed, found.status, s.evaluations + found.evaluations,
            s.iterations + 1,
        )  # fmt: skip

    zero = jnp.asarray(0)
    state = _State(
        x, value, gradient, value + jnp.linalg.norm(gradient) / 2, jnp.eye(n, dtype=x.dtype),
        _norm(gradient, norm) < gtol, jnp.asarray(False), zero, zero + 1, zero,
    )  # fmt: skip
    s = lax.while_loop(lambda s: ~s.converged & ~s.failed & (s.iterations < most), body, state)
    failure = jnp.where(s.failed, 2 + s.status, 1)
    # A line search that fails at its end may have found the minimum.
    return OptimizeResults(
        s.x, s.converged, jnp.where(s.converged, 0, failure), s.value, s.gradient, s.inverse, s.evaluations,
        s.evaluations, s.iterations,
    )  # fmt: skip


class _History(NamedTuple):
    """The last steps, newest last."""

    steps: Array
    changes: Array
    weights: Array  # inverses of the products of steps and changes
    scale: Array


def _direction(history: _History, gradient: Array, count: Array) -> Array:
    """Minus the gradient times the approximate inverse of the second derivative: the two loops of Nocedal, Updating
    quasi-Newton matrices with limited storage, 1980."""
    size = history.weights.shape[0]
    used = jnp.arange(size) >= size - count

    def newest_first(q: Array, item: Any) -> tuple[Array, Array]:
        s, y, rho, here = item
        a = jnp.where(here, rho * _inner(jnp.conj(s), q), 0)
        return q - a.astype(q.dtype) * jnp.conj(y), a

    items = (history.steps, history.changes, history.weights, used)
    q, shares = lax.scan(newest_first, -jnp.conj(gradient), items, reverse=True)
    q = history.scale.astype(q.dtype) * q

    def oldest_first(q: Array, item: Any) -> tuple[Array, None]:
        s, y, rho, here, a = item
        b = rho * _inner(y, q)
        return q + jnp.where(here, a - b, 0).astype(q.dtype) * s, None

    return lax.scan(oldest_first, q, (*items, shares))[0]


def _lbfgs(
    fun: Callable[..., Any], x: Array, *, maxiter: Any = None, norm: Any = np.inf, maxcor: int = 10,
    ftol: float = 2.220446049250313e-09, gtol: float = 1e-5, maxfun: Any = None, maxgrad: Any = None, maxls: int = 20,
) -> OptimizeResults:  # fmt: skip
    """BFGS that remembers a few steps: Nocedal and Wright, algorithm 7.5."""
    n = x.shape[0]
    if maxiter is None and maxfun is None and maxgrad is None:
        maxiter = n * 200
    value, gradient = fun(x)
    real = value.dtype

    def body(s: _State) -> _State:
        history: _History = s.inverse
        direction = _direction(history, s.gradient, s.iterations)
        found = _search(fun, s.x, s.value, s.gradient, direction, jnp.ones((), real), maxls)
        p = found.point
        step = p.step.astype(x.dtype) * direction
        change = p.gradient - s.gradient
        curvature = _inner(change, step)
        known = jnp.isfinite(1 / curvature) & (curvature != 0)
        safe = jnp.where(known, curvature, 1)
        square = jnp.sum((jnp.conj(change) * change).real)
        pushed = _History(
            jnp.concatenate([history.steps[1:], step[None]]),
            jnp.concatenate([history.changes[1:], change[None]]),
            # A step of no use to later ones has the weight 0.
            jnp.concatenate([history.weights[1:], jnp.where(known, 1 / safe, 0)[None].astype(real)]),
            jnp.where(known, curvature / jnp.where(square == 0, 1, square), history.scale).astype(real),
        )
        evaluations, iterations = s.evaluations + found.evaluations, s.iterations + 1
        status = jnp.where(s.value - p.value < ftol, 4, 0)
        for bound, count, code in ((maxgrad, evaluations, 3), (maxfun, evaluations, 2), (maxiter, iterations, 1)):
            if bound is not None:
                status = jnp.where(count >= bound, code, status)
        status = jnp.where(found.failed, 5, status)
        converged = _norm(p.gradient, norm) < gtol
        return _State(
            s.x + step, p.value, p.gradient, s.value, pushed, converged, ~converged & (status > 0),
            jnp.where(converged, 0, status), evaluations, iterations,
        )  # fmt: skip

    zero = jnp.asarray(0)
    none = jnp.zeros((maxcor, n), x.dtype)
    history = _History(none, none, jnp.zeros(maxcor, real), jnp.ones((), real))
    converged = _norm(gradient, norm) < gtol
    start = jnp.asarray(False) if maxiter is None else jnp.asarray(maxiter) <= 0
    state = _State(
        x,
        value,
        gradient,
        value,
        history,
        converged,
        ~converged & start,
        jnp.where(start & ~converged, 1, 0),
        zero + 1,
        zero,
    )
    s = lax.while_loop(lambda s: ~s.converged & ~s.failed, body, state)
    return OptimizeResults(
        s.x, s.converged, s.status, s.value, s.gradient, None, s.evaluations, s.evaluations, s.iterations
    )


_METHODS: dict[str, tuple[Callable[..., OptimizeResults], frozenset[str]]] = {
    "bfgs": (_bfgs, frozenset({"maxiter", "norm", "gtol", "line_search_maxiter"})),
    _LIMITED: (_lbfgs, frozenset({"maxiter", "norm", "maxcor", "ftol", "gtol", "maxfun", "maxgrad", "maxls"})),
}


def minimize(
    fun: Callable[..., Any],
    x0: Any,
    args: tuple = (),
    *,
    method: str,
    tol: float | None = None,
    options: Mapping[str, Any] | None = None,
) -> OptimizeResults:
    """A local minimum of a function of a vector.

    Args:
      fun: ``fun(x, *args)`` gives a real number; it must have a derivative.
      x0: where to begin, shape ``(n,)``.
      args: further arguments.
      method: ``"BFGS"``, or ``"l-bfgs-experimental-do-not-rely-on-this"``, whose memory grows with ``n`` and not with
        its square, and whose ``x0`` may be complex.
      tol: the same as the option ``gtol``.
      options: ``gtol``, the largest gradient in ``norm`` (the order of a norm) of a solution; ``maxiter``; for BFGS
        ``line_search_maxiter``; for L-BFGS ``maxcor`` (steps remembered), ``ftol`` (the least decrease), ``maxfun``,
        ``maxgrad``, ``maxls``.

    Returns:
      The point, whether it is a minimum, and how it was found.

    Raises:
      TypeError: ``fun`` is no function, ``args`` no tuple, or ``x0`` has no floating dtype.
      ValueError: ``x0`` is no vector, or there is no such method or option.

    References:
      Nocedal and Wright, Numerical Optimization, 2006.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad.scipy.optimize import minimize
      >>> found = minimize(lambda x: jnp.sum((x - jnp.array([1.0, 2.0])) ** 2), jnp.zeros(2), method="BFGS")
      >>> print(found.x.round(4), found.success)
      [1. 2.] True
    """
    if not callable(fun):
        raise TypeError(f"{_API}: fun must be a function, got {fun!r}")
    if not isinstance(args, tuple):
        raise TypeError(f"{_API}: args must be a tuple, got {type(args).__name__}; write (value,) for one argument")
    x = operand("optimize.minimize", "x0", x0)
    if not isinstance(method, str) or method.lower() not in _METHODS:
        raise ValueError(f"{_API}: method must be 'BFGS' or {_LIMITED!r}, got {method!r}")
    run, known = _METHODS[method.lower()]
    if x.ndim != 1:
        raise ValueError(
            f"{_API}: x0 must have one dimension, got shape {x.shape}; flatten_util.ravel_pytree makes one"
        )
    kinds = "floating or complex" if method.lower() == _LIMITED else "floating"
    if not dtypes.is_inexact(x.dtype) or (dtypes.is_complex(x.dtype) and method.lower() != _LIMITED):
        raise TypeError(f"{_API}: x0 must have a {kinds} dtype, got {x.aval.str_short()}")
    given = dict(options or {})
    unknown = sorted(set(given) - known)
    if unknown:
        raise ValueError(f"{_API}: options must be among {', '.join(sorted(known))} for {method!r}, got {unknown[0]!r}")
    for name in ("maxcor", "maxls", "line_search_maxiter"):
        if name in given:
            given[name] = operator.index(given[name])
    if tol is not None:
        given.setdefault("gtol", tol)
    differentiated = value_and_grad(lambda x: fun(x, *args))
    return run(differentiated, x.astype(x.dtype), **given)
