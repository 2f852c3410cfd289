"""Ordinary differential equations: ``odeint``, by the method of Dormand and Prince with step size control.

The derivative of a solution is the adjoint equation, solved backwards in time, so memory does not grow with the number
of steps.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

import fungrad.numpy as jnp
from fungrad import lax
from fungrad.core import dtypes, tree
from fungrad.core.array import as_array, is_array_like
from fungrad.core.public_names import publish
from fungrad.extend.linear_util import transformation2
from fungrad.flatten_util import ravel_pytree
from fungrad.jit.front.api import jit
from fungrad.transforms.api import vjp
from fungrad.transforms.custom_rules import closure_convert, custom_vjp
from fungrad.transforms.mapping import vmap

# The tableau: times, coefficients of the stages, of the solution and of its error, and of the middle of a step.
_TIMES = (1 / 5, 3 / 10, 4 / 5, 8 / 9, 1.0, 1.0)
_STAGES = (
    (1 / 5,),
    (3 / 40, 9 / 40),
    (44 / 45, -56 / 15, 32 / 9),
    (19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729),
    (9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656),
    (35 / 384, 0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84),
)
_SOLUTION = (*_STAGES[-1], 0)
_FOURTH_ORDER = (1951 / 21600, 0, 22642 / 50085, 451 / 720, -12231 / 42400, 649 / 6300, 1 / 60)
_MIDDLE = tuple(
    c / 2
    for c in (
        6025192743 / 30085553152, 0, 51252292925 / 65400821598, -2691868925 / 45128329728,
        187940372067 / 1594534317056, -1776094331 / 19743644256, 11237099 / 235043384,
    )
)  # fmt: skip


def fit_4th_order_polynomial(y0: Any, y1: Any, y_mid: Any, dy0: Any, dy1: Any, dt: Any) -> tuple:
    """Coefficients, highest first, of the polynomial with these values and slopes at 0, 1/2 and 1."""
    h = dt.astype(y0.dtype)
    a = 2.0 * h * (dy1 - dy0) - 8.0 * (y0 + y1) + 16.0 * y_mid
    b = h * (5.0 * dy0 - 3.0 * dy1) + 18.0 * y0 + 14.0 * y1 - 32.0 * y_mid
    c = h * (dy1 - 4.0 * dy0) - 11.0 * y0 - 5.0 * y1 + 16.0 * y_mid
    return a, b, c, h * dy0, y0


def interp_fit_dopri(y0: Any, y1: Any, k: Any, dt: Any) -> Any:
    """The polynomial between the ends of a step, of the slopes ``k`` of its stages."""
    y_mid = y0 + dt.astype(y0.dtype) * jnp.dot(jnp.array(_MIDDLE, dtype=y0.dtype), k)
    return jnp.asarray(fit_4th_order_polynomial(y0, y1, y_mid, k[0], k[-1], dt))


def initial_step_size(fun: Any, t0: Any, y0: Any, order: Any, rtol: Any, atol: Any, f0: Any) -> Any:
    """A first step size, by the rule of Hairer, Norsett and Wanner (Solving Ordinary Differential Equations I)."""
    scale = (atol + jnp.abs(y0) * rtol).astype(y0.dtype)
    d0, d1 = jnp.linalg.norm(y0 / scale), jnp.linalg.norm(f0 / scale)
    h0 = jnp.where((d0 < 1e-5) | (d1 < 1e-5), 1e-6, 0.01 * d0 / d1)
    f1 = fun(y0 + h0.astype(y0.dtype) * f0, t0 + h0)
    d2 = jnp.linalg.norm((f1 - f0) / scale) / h0
    flat = (d1 <= 1e-15) & (d2 <= 1e-15)
    h1 = jnp.where(flat, jnp.maximum(1e-6, h0 * 1e-3), (0.01 / jnp.maximum(d1, d2)) ** (1.0 / (order + 1.0)))
    return jnp.minimum(100.0 * h0, h1)


def runge_kutta_step(func: Any, y0: Any, f0: Any, t0: Any, dt: Any) -> tuple:
    """One step: the solution, its slope, its error, and the slopes of the stages."""
    h = dt.astype(f0.dtype)
    k = [f0]
    for time, row in zip(_TIMES, _STAGES, strict=True):
        y = y0 + h * sum(c * s for c, s in zip(row, k, strict=True) if c)
        k.append(func(y, t0 + dt * time))
    slopes = jnp.stack(k)
    error = np.subtract(_SOLUTION, _FOURTH_ORDER)
    y1 = h * jnp.dot(jnp.array(_SOLUTION, dtype=f0.dtype), slopes) + y0
    return y1, k[-1], h * jnp.dot(jnp.array(error, dtype=f0.dtype), slopes), slopes


def abs2(x: Any) -> Any:
    """The square of the absolute value."""
    return x.real**2 + x.imag**2 if jnp.iscomplexobj(x) else x**2


def mean_error_ratio(error_estimate: Any, rtol: Any, atol: Any, y0: Any, y1: Any) -> Any:
    """The root mean square of errors divided by what is tolerated."""
    tolerated = atol + rtol * jnp.maximum(jnp.abs(y0), jnp.abs(y1))
    return jnp.sqrt(jnp.mean(abs2(error_estimate / tolerated.astype(error_estimate.dtype))))


def optimal_step_size(
    last_step: Any, mean_error_ratio: Any, safety: Any = 0.9, ifactor: Any = 10.0, dfactor: Any = 0.2, order: Any = 5.0
) -> Any:
    """The next step size after a step with this ratio of its error to what is tolerated."""
    least = jnp.where(mean_error_ratio < 1, 1.0, dfactor)
    factor = jnp.minimum(ifactor, jnp.maximum(mean_error_ratio ** (-1.0 / order) * safety, least))
    return jnp.where(mean_error_ratio == 0, last_step * ifactor, last_step * factor)


def odeint(
    func: Callable[..., Any],
    y0: Any,
    t: Any,
    *args: Any,
    rtol: float = 1.4e-8,
    atol: float = 1.4e-8,
    mxstep: Any = np.inf,
    hmax: Any = np.inf,
) -> Any:
    """Solves ``dy/dt = func(y, t, *args)``.

    Args:
      func: function of the state and the time that returns the derivative, a tree like ``y0``. May close over arrays
        and traced values, for which the solution has a derivative too.
      y0: the state at ``t[0]``, a tree of arrays.
      t: float array of increasing times.
      *args: further arguments of ``func``, trees of arrays.
      rtol: tolerated error relative to the state.
      atol: tolerated error.
      mxstep: most steps from one time to the next.
      hmax: longest step.

    Returns:
      The states at the times, stacked along a new leading dimension.

    Raises:
      TypeError: ``t`` is no float array, or ``args`` contain something else than arrays.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad.experimental.ode import odeint
      >>> y = odeint(lambda y, t: -y, jnp.float32(1.0), jnp.array([0.0, 1.0]))
      >>> print(jnp.round(y, 4))
      [1.     0.3679]
    """
    for leaf in tree.leaves(args):
        if not is_array_like(leaf):
            raise TypeError(
                f"fungrad.experimental.ode.odeint: The contents of odeint *args must be arrays or scalars, but "
                f"got {leaf}."
            )
    times = as_array(t, "fungrad.experimental.ode.odeint: t")
    if not dtypes.is_float(times.dtype) or times.ndim != 1:
        raise TypeError(
            f"fungrad.experimental.ode.odeint: t must be an array of floats with one dimension, but got "
            f"{times.aval.str_short()}."
        )
    converted, consts = closure_convert(func, y0, times[0], *args)
    return _compiled(converted, rtol, atol, mxstep, hmax, y0, times, *args, *consts)


@functools.partial(jit, static_argnums=(0, 1, 2, 3, 4))
def _compiled(func: Any, rtol: Any, atol: Any, mxstep: Any, hmax: Any, y0: Any, ts: Any, *args: Any) -> Any:
    flat, unravel = ravel_pytree(y0)

    def flat_func(y: Any, t: Any, *rest: Any) -> Any:
        return ravel_pytree(func(unravel(y), t, *rest))[0]

    return vmap(unravel)(_solve(flat_func, rtol, atol, mxstep, hmax, flat, ts, *args))


@functools.partial(custom_vjp, nondiff_argnums=(0, 1, 2, 3, 4))
def _solve(func: Any, rtol: Any, atol: Any, mxstep: Any, hmax: Any, y0: Any, ts: Any, *args: Any) -> Any:
    def slope(y: Any, t: Any) -> Any:
        return func(y, t, *args)

    def until(carry: Any, target: Any) -> Any:
        def go_on(state: Any) -> Any:
            i, _, _, t, dt, _, _ = state
            return (t < target) & (i < mxstep) & (dt > 0)

        def step(state: Any) -> Any:
            i, y, f, t, dt, last, fit = state
            y1, f1, error, k = runge_kutta_step(slope, y, f, t, dt)
            ratio = mean_error_ratio(error, rtol, atol, y, y1)
            new_dt = jnp.clip(optimal_step_size(dt, ratio), min=0.0, max=hmax)
            new = (y1, f1, t + dt, new_dt, t, interp_fit_dopri(y, y1, k, dt))
            kept = (y, f, t, new_dt, last, fit)
            return (i + 1, *[jnp.where(ratio <= 1.0, a, b) for a, b in zip(new, kept, strict=True)])

        _, *carry = lax.while_loop(go_on, step, (0, *carry))
        _, _, t, _, last, fit = carry
        where = ((target - last) / (t - last)).astype(fit.dtype)
        return tuple(carry), jnp.polyval(fit, where)

    f0 = slope(y0, ts[0])
    dt = jnp.clip(initial_step_size(slope, ts[0], y0, 4, rtol, atol, f0), min=0.0, max=hmax).astype(ts.dtype)
    start = (y0, f0, ts[0], dt, ts[0], jnp.stack([y0] * 5))
    _, ys = lax.scan(until, start, ts[1:])
    return jnp.concatenate((y0[None], ys))


def _solve_fwd(func: Any, rtol: Any, atol: Any, mxstep: Any, hmax: Any, y0: Any, ts: Any, *args: Any) -> Any:
    ys = _solve(func, rtol, atol, mxstep, hmax, y0, ts, *args)
    return ys, (ys, ts, args)


def _solve_bwd(func: Any, rtol: Any, atol: Any, mxstep: Any, hmax: Any, residuals: Any, g: Any) -> tuple:
    ys, ts, args = residuals

    def adjoint(state: Any, t: Any, *args: Any) -> Any:
        # Time runs backwards: it is negated here and in the times below.
        y, y_bar, *_ = state
        y_dot, pull = vjp(func, y, -t, *args)
        return (-y_dot, *pull(y_bar))

    def interval(carry: Any, i: Any) -> Any:
        y_bar, t0_bar, args_bar = carry
        # Moving the time of observation; a time is real.
        t_bar = jnp.dot(func(ys[i], ts[i], *args), g[i]).real
        state = (ys[i], y_bar, t0_bar - t_bar, *args_bar)
        times = jnp.stack([-ts[i], -ts[i - 1]])
        solved = odeint(adjoint, state, times, *args, rtol=rtol, atol=atol, mxstep=mxstep, hmax=hmax)
        _, y_bar, t0_bar, *args_bar = tree.map(lambda x: x[1], solved)
        return (y_bar + g[i - 1], t0_bar, tuple(args_bar)), t_bar

    start = (g[-1], jnp.zeros((), ts.dtype), tree.map(jnp.zeros_like, args))
    (y_bar, t0_bar, args_bar), ts_bar = lax.scan(interval, start, jnp.arange(len(ts) - 1, 0, -1))
    return (y_bar, jnp.concatenate([t0_bar[None], ts_bar[::-1]]), *args_bar)


_solve.defvjp(_solve_fwd, _solve_bwd)

def ravel_first_arg(f: Callable[..., Any], unravel: Callable[[Any], Any], debug_info: Any = None) -> Callable[..., Any]:
    """A function whose first argument and whose result are one-dimensional arrays instead of trees.

    Args:
      f: function of a tree and other arguments that returns a tree.
      unravel: makes the tree from the array, as ``flatten_util.ravel_pytree`` returns it.
      debug_info: ignored.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad.experimental.ode import ravel_first_arg
      >>> from fungrad.flatten_util import ravel_pytree
      >>> flat, unravel = ravel_pytree({"x": 1.0, "v": 2.0})
      >>> ravel_first_arg(lambda y, t: {"x": y["v"] * t, "v": -y["x"]}, unravel)(flat, 3.0)
      Array([-1.,  6.], dtype=float32)
    """
    del debug_info

    @functools.wraps(f)
    def of_array(y_flat: Any, *args: Any) -> Any:
        return ravel_pytree(f(unravel(y_flat), *args))[0]

    return of_array


@transformation2
def ravel_first_arg_(f: Callable[..., Any], unravel: Callable[[Any], Any], y_flat: Any, *args: Any) -> Any:
    """As `ravel_first_arg`, of a wrapped function (``extend.linear_util``).

    Args:
      f: the wrapped function.
      unravel: makes the tree from the array.
      y_flat: the array.
      *args: the other arguments of the function.
    """
    return ravel_pytree(f(unravel(y_flat), *args))[0]


__all__ = [
    "abs2", "fit_4th_order_polynomial", "initial_step_size", "interp_fit_dopri", "mean_error_ratio", "odeint",
    "optimal_step_size", "ravel_first_arg", "ravel_first_arg_", "runge_kutta_step",
]  # fmt: skip

publish(globals(), __name__, __all__)
