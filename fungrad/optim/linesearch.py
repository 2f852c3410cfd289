"""Line searches: step sizes along a direction that lower the function enough.

May import ``fungrad.numpy``, ``fungrad.lax``, ``transforms``, ``control`` and the modules of ``optim`` that every
transformation may import.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

import fungrad.numpy as jnp
from fungrad import lax
from fungrad.control.callbacks import debug_print
from fungrad.core import tree
from fungrad.optim._naming import naming
from fungrad.optim.base import GradientTransformationExtraArgs, OptState, Params, Updates, check_state, needs_params
from fungrad.optim.tree.arithmetic import add_scale
from fungrad.optim.tree.states import get
from fungrad.transforms.api import value_and_grad


def _real_dtype(params: Params) -> Any:
    """The dtype of step sizes: that of the magnitude of the first parameter."""
    leaves = tree.leaves(params)
    return jnp.zeros((), jnp.asarray(leaves[0]).dtype if leaves else jnp.float32).real.dtype


def _slope(gradient: Any, direction: Any) -> Any:
    """The derivative along a direction."""
    products = tree.map(lambda g, u: jnp.sum((jnp.asarray(g) * u).real), gradient, direction)
    return functools.reduce(lambda a, b: a + b, tree.leaves(products), jnp.zeros(()))


def _function(api: str, value: Any, grad: Any, value_fn: Any, extra: dict[str, Any]) -> Callable[..., Any]:
    """``value_fn`` with its keywords among those of ``update``.

    Raises:
      TypeError: a keyword that is needed is missing, or one is given that nobody takes.
    """
    given = {"value": value, "grad": grad, "value_fn": value_fn}
    missing = [name for name, v in given.items() if v is None]
    if missing:
        raise TypeError(
            f"fungrad.optim.{api}: update needs the function, its value and its gradient at params; pass "
            f"{', '.join(f'{name}=' for name in missing)}"
        )
    parameters = inspect.signature(value_fn).parameters
    takes_all = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    unknown = [] if takes_all else [name for name in extra if name not in parameters]
    if unknown:
        raise TypeError(
            f"fungrad.optim.{api}: update got the keyword {unknown[0]}, which value_fn has no argument for; it has "
            f"{', '.join(parameters)}"
        )
    return functools.partial(value_fn, **extra)


def _not_nan(error: Any) -> Any:
    return jnp.where(jnp.isnan(error), jnp.inf, jnp.maximum(error, 0.0))


class BacktrackingLinesearchInfo(NamedTuple):
    """What a backtracking line search tells.

    Attributes:
      num_linesearch_steps: number of step sizes tried.
      decrease_error: by how much the last missed the decrease asked for.
    """

    num_linesearch_steps: Any
    decrease_error: Any


class ScaleByBacktrackingLinesearchState(NamedTuple):
    """State of ``scale_by_backtracking_linesearch``.

    Attributes:
      learning_rate: the last step size.
      value: of the function after the step.
      grad: of the function after the step, if kept.
      info: what the search tells.
    """

    learning_rate: Any
    value: Any
    grad: Updates | None
    info: BacktrackingLinesearchInfo


@naming("scale_by_backtracking_linesearch", floating=True)
def scale_by_backtracking_linesearch(
    max_backtracking_steps: int,
    slope_rtol: float = 1e-4,
    decrease_factor: float = 0.8,
    increase_factor: float = 1.5,
    max_learning_rate: float = 1.0,
    atol: float = 0.0,
    rtol: float = 0.0,
    store_grad: bool = False,
    verbose: bool = False,
) -> GradientTransformationExtraArgs:
    """Shrinks the step until it lowers the function enough: Armijo's rule ``f(x + s * u) <= (1 + rtol) * f(x) +
    slope_rtol * s * f'(x)(u) + atol``, with ``s`` the step size and ``u`` the update.

    ``update`` needs the parameters, and the keywords ``value``, ``grad`` (at the parameters) and ``value_fn``; further
    keywords go to ``value_fn``.

    Args:
      max_backtracking_steps: greatest number of shrinkings.
      slope_rtol: part of the decrease that a straight line promises.
      decrease_factor: factor of step sizes that are too large.
      increase_factor: the first step size is the last one times this.
      max_learning_rate: the greatest step size.
      atol: absolute tolerance of the decrease.
      rtol: relative tolerance of the decrease.
      store_grad: whether the state keeps the gradient after the step.
      verbose: whether to print when no step size is found.

    Raises:
      TypeError: a keyword is missing, or ``value_fn`` does not take one.

    References:
      Armijo, "Minimization of functions having Lipschitz continuous first partial derivatives", 1966.
      Vaswani et al., "Painless stochastic gradient: interpolation, line-search, and convergence rates", 2019.

    Example:
      >>> import fungrad, fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> f = lambda x: jnp.sum(x ** 2)
      >>> opt = optim.chain(optim.sgd(1.0), optim.scale_by_backtracking_linesearch(max_backtracking_steps=15))
      >>> x = jnp.array([1.0, 2.0])
      >>> value, grad = fungrad.value_and_grad(f)(x)
      >>> updates, state = opt.update(grad, opt.init(x), x, value=value, grad=grad, value_fn=f)
      >>> bool(f(optim.apply_updates(x, updates)) < value)
      True
    """

    def init(params: Params) -> ScaleByBacktrackingLinesearchState:
        dtype = _real_dtype(params)
        info = BacktrackingLinesearchInfo(jnp.zeros((), jnp.int32), jnp.array(jnp.inf, dtype))
        grad = tree.map(jnp.zeros_like, params) if store_grad else None
        return ScaleByBacktrackingLinesearchState(jnp.ones((), dtype), jnp.array(jnp.inf, dtype), grad, info)

    def update(
        updates: Updates,
        state: OptState,
        params: Params | None = None,
        *,
        value: Any = None,
        grad: Any = None,
        value_fn: Any = None,
        **extra: Any,
    ) -> tuple:
        check_state(state, ScaleByBacktrackingLinesearchState)
        needs_params("scale_by_backtracking_linesearch", params)
        f = _function("scale_by_backtracking_linesearch", value, grad, value_fn, extra)
        dtype = state.learning_rate.dtype
        value = jnp.asarray(value)
        slope = _slope(grad, updates)

        def go_on(search: tuple) -> Any:
            _, _, error, steps = search
            return ~(error <= atol) & (steps <= max_backtracking_steps)

        def shrink(search: tuple) -> tuple:
            size, _, _, steps = search
            size = jnp.where(steps > 0, decrease_factor * size, size).astype(dtype)
            new = jnp.asarray(f(add_scale(params, size, updates)))
            error = _not_nan(new - (1.0 + rtol) * value - size * slope_rtol * slope)
            return size, new.astype(value.dtype), error.astype(jnp.float32), steps + 1

        first = jnp.minimum(increase_factor * state.learning_rate, max_learning_rate).astype(dtype)
        start = (first, value, jnp.array(jnp.inf, jnp.float32), jnp.zeros((), jnp.int32))
        size, new, error, steps = lax.while_loop(go_on, shrink, start)
        after = None
        if store_grad:
            after = value_and_grad(f)(add_scale(params, size, updates))[1]
            after = tree.map(lambda g, old: g.astype(old.dtype), after, state.grad)
        size = jnp.where(jnp.isinf(error), 0.0, size)
        if verbose:
            _print_if(
                error > atol,
                "scale_by_backtracking_linesearch: no step size lowers the function enough: value {}, slope {}, last "
                "step size {}, missing decrease {}",
                value, slope, size, error,
            )  # fmt: skip
        info = BacktrackingLinesearchInfo(steps, error.astype(state.info.decrease_error.dtype))
        new_state = ScaleByBacktrackingLinesearchState(size.astype(dtype), new.astype(state.value.dtype), after, info)
        return tree.map(lambda u: size * u, updates), new_state

    return GradientTransformationExtraArgs(init, update)


def _print_if(condition: Any, text: str, *values: Any) -> None:
    lax.cond(condition, lambda: debug_print(text, *values), lambda: None)


class ZoomLinesearchInfo(NamedTuple):
    """What a zoom line search tells.

    Attributes:
      num_linesearch_steps: number of step sizes tried.
      decrease_error: by how much the last missed the decrease asked for.
      curvature_error: by how much the last missed the flattening asked for.
    """

    num_linesearch_steps: Any
    decrease_error: Any
    curvature_error: Any


class ScaleByZoomLinesearchState(NamedTuple):
    """State of ``scale_by_zoom_linesearch``.

    Attributes:
      learning_rate: the last step size.
      value: of the function after the step.
      grad: of the function after the step.
      info: what the search tells.
    """

    learning_rate: Any
    value: Any
    grad: Updates
    info: ZoomLinesearchInfo


class _Point(NamedTuple):
    """A step size, and the value and slope of the function there."""

    size: Any
    value: Any
    slope: Any


class _Search(NamedTuple):
    """A zoom line search on its way.

    Attributes:
      count: number of step sizes tried.
      at: the last.
      grad: the gradient there.
      decrease_error, curvature_error: by how much it misses the conditions.
      found: whether an interval is known that has a good step size.
      done: whether the last step size is good.
      failed: whether the search has been given up.
      low, high: ends of the interval; the function is lower at ``low``.
      reference: a third point, for cubic interpolation.
      safe, safe_grad: the lowest point that lowers the function enough, and the gradient there.
    """

    count: Any
    at: _Point
    grad: Any
    decrease_error: Any
    curvature_error: Any
    found: Any
    done: Any
    failed: Any
    low: _Point
    high: _Point
    reference: _Point
    safe: _Point
    safe_grad: Any


def _pick(condition: Any, one: Any, other: Any) -> Any:
    return tree.map(lambda a, b: jnp.where(condition, a, b).astype(b.dtype), one, other)


def _cubic_minimum(a: _Point, b: _Point, c: _Point) -> Any:
    """Where the cubic polynomial with the values at three points and the slope at the first has its minimum."""
    to_b, to_c = b.size - a.size, c.size - a.size
    rest_b = b.value - a.value - a.slope * to_b
    rest_c = c.value - a.value - a.slope * to_c
    divisor = (to_b * to_c) ** 2 * (to_b - to_c)
    third = (to_c**2 * rest_b - to_b**2 * rest_c) / divisor
    second = (-(to_c**3) * rest_b + to_b**3 * rest_c) / divisor
    return a.size + (-second + jnp.sqrt(second**2 - 3.0 * third * a.slope)) / (3.0 * third)


def _quadratic_minimum(a: _Point, b: _Point) -> Any:
    """Where the quadratic polynomial with the values at two points and the slope at the first has its minimum."""
    way = b.size - a.size
    return a.size - a.slope / (2.0 * (b.value - a.value - a.slope * way) / way**2)


@naming("scale_by_zoom_linesearch", floating=True)
def scale_by_zoom_linesearch(
    max_linesearch_steps: int,
    max_learning_rate: float | None = None,
    tol: float = 0.0,
    increase_factor: float = 2.0,
    slope_rtol: float = 1e-4,
    curv_rtol: float = 0.9,
    approx_dec_rtol: float | None = 1e-6,
    stepsize_precision: float = 1e-5,
    initial_guess_strategy: str = "keep",
    verbose: bool = False,
) -> GradientTransformationExtraArgs:
    """Finds a step size that lowers the function enough and flattens it (the strong conditions of Wolfe): grows the
    step until an interval is known that has one, and narrows the interval by interpolation.

    With ``s`` the step size and ``u`` the update, ``f(x + s * u) <= f(x) + slope_rtol * s * f'(x)(u)`` and
    ``abs(f'(x + s * u)(u)) <= curv_rtol * abs(f'(x)(u))``. ``update`` needs the parameters, and the keywords ``value``,
    ``grad`` (at the parameters) and ``value_fn``; further keywords go to ``value_fn``.

    Args:
      max_linesearch_steps: greatest number of step sizes tried.
      max_learning_rate: the greatest step size; None for no limit.
      tol: by how much conditions may be missed.
      increase_factor: factor of step sizes while they grow.
      slope_rtol: part of the decrease that a straight line promises.
      curv_rtol: part of the slope that may be left.
      approx_dec_rtol: relative change of the value below which the decrease is judged by slopes, which rounding spoils
        less; None for never.
      stepsize_precision: length of the interval at which the search is given up.
      initial_guess_strategy: first step size: ``"keep"`` for the last one, ``"one"`` for 1.
      verbose: whether to print when no step size is found.

    Raises:
      ValueError: ``initial_guess_strategy`` is neither.
      TypeError: a keyword is missing, or ``value_fn`` does not take one.

    References:
      Nocedal and Wright, "Numerical optimization", 2006, algorithms 3.5 and 3.6. Hager and Zhang, "Algorithm 851:
      CG_DESCENT, a conjugate gradient method with guaranteed descent", 2006, for ``approx_dec_rtol``.

    Example:
      >>> import fungrad, fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> f = lambda x: jnp.sum(x ** 4)
      >>> opt = optim.chain(optim.sgd(1.0), optim.scale_by_zoom_linesearch(max_linesearch_steps=15))
      >>> x = jnp.array([1.0, 2.0])
      >>> value, grad = fungrad.value_and_grad(f)(x)
      >>> updates, state = opt.update(grad, opt.init(x), x, value=value, grad=grad, value_fn=f)
      >>> bool(f(optim.apply_updates(x, updates)) < value)
      True
    """
    if initial_guess_strategy not in ("keep", "one"):
        raise ValueError(
            f"fungrad.optim.scale_by_zoom_linesearch: initial_guess_strategy must be keep or one, got "
            f"{initial_guess_strategy!r}"
        )

    def init(params: Params) -> ScaleByZoomLinesearchState:
        dtype = _real_dtype(params)
        # Two arrays, since one cannot be donated twice.
        errors = [jnp.array(jnp.inf, jnp.float32) for _ in range(2)]
        info = ZoomLinesearchInfo(jnp.zeros((), jnp.int32), *errors)
        zeros = tree.map(jnp.zeros_like, params)
        return ScaleByZoomLinesearchState(jnp.ones((), dtype), jnp.array(jnp.inf, dtype), zeros, info)

    def update(
        updates: Updates,
        state: OptState,
        params: Params | None = None,
        *,
        value: Any = None,
        grad: Any = None,
        value_fn: Any = None,
        **extra: Any,
    ) -> tuple:
        check_state(state, ScaleByZoomLinesearchState)
        needs_params("scale_by_zoom_linesearch", params)
        f = value_and_grad(_function("scale_by_zoom_linesearch", value, grad, value_fn, extra))
        size_dtype = state.learning_rate.dtype
        value = jnp.asarray(value)
        dtype = value.dtype
        slope = _slope(grad, updates).astype(dtype)
        grad = tree.map(lambda g, p: jnp.asarray(g).astype(jnp.asarray(p).dtype), grad, params)

        def point(size: Any) -> tuple[_Point, Any]:
            new, after = f(add_scale(params, size, updates))
            after = tree.map(lambda g, old: g.astype(old.dtype), after, grad)
            return _Point(size.astype(size_dtype), new.astype(dtype), _slope(after, updates).astype(dtype)), after

        def errors(at: _Point) -> tuple[Any, Any]:
            decrease = at.value - value - slope_rtol * at.size * slope
            if approx_dec_rtol is not None:
                by_slope = at.slope - (2 * slope_rtol - 1.0) * slope
                change = at.value - value - approx_dec_rtol * jnp.abs(value)
                decrease = jnp.minimum(jnp.maximum(by_slope, change), decrease)
            curvature = jnp.abs(at.slope) - curv_rtol * jnp.abs(slope)
            return _not_nan(decrease).astype(jnp.float32), _not_nan(curvature).astype(jnp.float32)

        def grow(search: _Search) -> _Search:
            before = search.at
            size = jnp.where(search.count == 0, guess, increase_factor * before.size)
            at_limit = jnp.array(False)
            if max_learning_rate is not None:
                at_limit = size >= max_learning_rate
                size = jnp.minimum(size, max_learning_rate)
            at, after = point(size)
            decrease, curvature = errors(at)
            good = jnp.maximum(decrease, curvature) <= tol
            safe, safe_grad = _pick(decrease <= tol, (at, after), (search.safe, search.safe_grad))
            too_far = (decrease > 0.0) | ((at.value >= before.value) & (search.count > 0))
            rising = (at.slope >= 0.0) & ~too_far
            low, high = _pick(rising, (at, before), (before, at))
            found = too_far | rising | good
            done = good | (at_limit & ~found)
            failed = (search.count + 1 >= max_linesearch_steps) & ~done
            return _Search(
                search.count + 1, at, after, decrease, curvature, found, done, failed, low, high, low, safe, safe_grad
            )

        def narrow(search: _Search) -> _Search:
            low, high = search.low, search.high
            length = jnp.abs(high.size - low.size)
            left, right = jnp.minimum(high.size, low.size), jnp.maximum(high.size, low.size)

            def within(size: Any, margin: float) -> Any:
                return (size > left + margin * length) & (size < right - margin * length)

            cubic = _cubic_minimum(low, high, search.reference)
            quadratic = _quadratic_minimum(low, high)
            size = jnp.where(within(quadratic, 0.1), quadratic, (low.size + high.size) / 2.0)
            at, after = point(jnp.where(within(cubic, 0.2), cubic, size))
            decrease, curvature = errors(at)
            better = (decrease <= tol) & (at.value < search.safe.value)
            safe, safe_grad = _pick(better, (at, after), (search.safe, search.safe_grad))
            done = jnp.maximum(decrease, curvature) <= tol
            too_far = (decrease > 0.0) | (at.value >= low.value)
            turned = (at.slope * (high.size - low.size) >= 0.0) & ~too_far
            new_high = _pick(too_far, at, _pick(turned, low, high))
            new_low = _pick(too_far, low, at)
            reference = _pick(too_far | turned, high, low)
            tried = search.count + 1 >= max_linesearch_steps
            failed = (tried | ((length <= stepsize_precision) & (safe.size > 0.0))) & ~done
            return _Search(
                search.count + 1, at, after, decrease, curvature, search.found, done, failed, new_low, new_high,
                reference, safe, safe_grad,
            )  # fmt: skip

        guess = state.learning_rate if initial_guess_strategy == "keep" else jnp.ones((), size_dtype)
        start = _Point(jnp.zeros((), size_dtype), value, slope)
        infinite, no = jnp.array(jnp.inf, jnp.float32), jnp.array(False)
        search = _Search(
            jnp.zeros((), jnp.int32), start, grad, infinite, infinite, no, no, no, start, start, start, start, grad
        )
        search = lax.while_loop(
            lambda s: ~(s.done | s.failed), lambda s: lax.cond(s.found, narrow, grow, s), search
        )
        # The lowest point with enough decrease, if there is one or the last step leads to no number.
        fallback = search.failed & ((search.safe.size > 0.0) | jnp.isinf(search.decrease_error))
        at, after = _pick(fallback, (search.safe, search.safe_grad), (search.at, search.grad))
        if verbose:
            _print_if(
                search.failed,
                "scale_by_zoom_linesearch: no step size satisfies both conditions: value {}, slope {}, step size {}, "
                "missing decrease {}, missing flattening {}",
                value, slope, at.size, search.decrease_error, search.curvature_error,
            )  # fmt: skip
        info = ZoomLinesearchInfo(search.count, search.decrease_error, search.curvature_error)
        new_state = ScaleByZoomLinesearchState(at.size, at.value.astype(state.value.dtype), after, info)
        return tree.map(lambda u: at.size * u, updates), new_state

    return GradientTransformationExtraArgs(init, update)


def value_and_grad_from_state(value_fn: Callable[..., Any]) -> Callable[..., tuple[Any, Any]]:
    """A function's value and gradient, which a line search has left in the state if there was one.

    Args:
      value_fn: the function.

    Returns:
      ``f(params, *args, state, **kwargs)`` returns value and gradient; both are computed only if the state has no
      finite value.

    Raises:
      ValueError: the state has no value or gradient.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> f = lambda x: jnp.sum(x ** 2)
      >>> opt = optim.lbfgs()
      >>> x = jnp.array([1.0, 2.0])
      >>> state = opt.init(x)
      >>> value, grad = optim.value_and_grad_from_state(f)(x, state=state)
      >>> print(value, grad)
      5.0 [2. 4.]
    """

    def known(params: Params, *args: Any, state: OptState, **kwargs: Any) -> tuple[Any, Any]:
        value, grad = get(state, "value"), get(state, "grad")
        if value is None or grad is None:
            raise ValueError(
                "fungrad.optim.value_and_grad_from_state: state must have a value and a gradient, as that of lbfgs or "
                "scale_by_zoom_linesearch"
            )

        def computed() -> tuple[Any, Any]:
            new, after = value_and_grad(value_fn)(params, *args, **kwargs)
            return new.astype(value.dtype), tree.map(lambda g, old: g.astype(old.dtype), after, grad)

        return lax.cond(jnp.isfinite(value), lambda: (value, grad), computed)

    return known


