"""A line search for the strong Wolfe conditions (Nocedal and Wright, Numerical Optimization, algorithms 3.5 and 3.6).

It has two phases: steps grow until an interval must contain a good one, then the interval is made smaller by
interpolation. Both are states of one loop, which evaluates the function once per iteration.

May import ``core``, ``fungrad.numpy`` and ``fungrad.lax``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import fungrad.numpy as jnp
from fungrad import lax
from fungrad.core import tree
from fungrad.core.array import Array

# Sufficient decrease and curvature.
_DECREASE, _CURVATURE = 1e-4, 0.9
# How often an interval is made smaller.
_MOST_ZOOMS = 30


class Point(NamedTuple):
    """A step, the function there, its derivative along the line, and its gradient."""

    step: Array
    value: Array
    slope: Array
    gradient: Array


class Result(NamedTuple):
    """What a search has found.

    Attributes:
      point: the step taken; where the search failed, the best one that lowers the function enough, or none.
      failed: whether the conditions do not hold.
      status: 0, or 1 if no step between two was good, or 3 after too many steps.
      evaluations: of the function with its gradient.
    """

    point: Point
    failed: Array
    status: Array
    evaluations: Array


class _State(NamedTuple):
    number: Array  # of the iteration, from 1 on; then that of the zoom, from 0 on
    zooming: Array
    done: Array
    failed: Array
    before: Point  # the last step, while steps grow
    low: Point  # of the interval: the end where the function is lower
    high: Point
    old: Point  # an end that was given up
    found: Point
    evaluations: Array


def choose(condition: Any, a: Any, b: Any) -> Any:
    """``a`` where a condition holds, else ``b``, for trees of arrays."""
    return tree.map(lambda x, y: jnp.where(condition, x, y), a, b)


def _cubic(low: Point, high: Point, old: Point) -> Array:
    """The minimum of the cubic polynomial through three values and the slope at the first; NaN if it has none."""
    b, c = high.step - low.step, old.step - low.step
    below = (b * c) ** 2 * (b - c)
    rise_b, rise_c = high.value - low.value - low.slope * b, old.value - low.value - low.slope * c
    third = (c * c * rise_b - b * b * rise_c) / below
    second = (-c * c * c * rise_b + b * b * b * rise_c) / below
    return low.step + (-second + jnp.sqrt(second * second - 3 * third * low.slope)) / (3 * third)


def _quadratic(low: Point, high: Point) -> Array:
    """The minimum of the parabola through two values and the slope at the first."""
    b = high.step - low.step
    return low.step - low.slope * b * b / (2 * (high.value - low.value - low.slope * b))


def _inside(low: Point, high: Point, old: Point, number: Array) -> Array:
    """A step inside of an interval: the minimum of a cubic or quadratic polynomial, if it is not near an end."""
    width = jnp.abs(high.step - low.step)
    least, most = jnp.minimum(low.step, high.step), jnp.maximum(low.step, high.step)
    step = (low.step + high.step) / 2
    quadratic = _quadratic(low, high)
    step = jnp.where((quadratic > least + 0.1 * width) & (quadratic < most - 0.1 * width), quadratic, step)
    cubic = _cubic(low, high, old)
    return jnp.where((number > 0) & (cubic > least + 0.2 * width) & (cubic < most - 0.2 * width), cubic, step)


def line_search(at: Callable[[Array], Point], start: Point, first: Array, most: int) -> Result:
    """A step that lowers a function enough and makes it flatter.

    Args:
      at: the point of a step.
      start: the point of the step 0; its slope is negative.
      first: the step to begin with.
      most: how many steps are tried before there is an interval.
    """
    dtype = start.step.dtype
    narrow = 1e-10 if jnp.finfo(dtype).bits == 64 else 1e-5

    def too_high(p: Point) -> Array:
        # A value that is no number is too high.
        return ~(p.value <= start.value + _DECREASE * p.step * start.slope)

    def is_flat(p: Point) -> Array:
        return jnp.abs(p.slope) <= -_CURVATURE * start.slope

    def grow(s: _State, new: Point) -> _State:
        up = too_high(new) | ((new.value >= s.before.value) & (s.number > 1))
        good = ~up & is_flat(new)
        over = ~up & ~good & (new.slope >= 0)
        zooming = up | over
        ends = choose(up, (s.before, new), (new, s.before))
        return s._replace(
            number=jnp.where(zooming, 0, s.number + 1),
            zooming=zooming,
            done=good,
            failed=~good & ~zooming & (s.number >= most),
            before=new,
            low=choose(zooming, ends[0], choose(good, s.low, new)),
            high=choose(zooming, ends[1], s.high),
            old=choose(zooming, ends[1], s.old),
            found=choose(good, new, s.found),
        )

    def zoom(s: _State, new: Point) -> _State:
        up = too_high(new) | (new.value >= s.low.value)
        good = ~up & is_flat(new)
        turned = new.slope * (s.high.step - s.low.step) >= 0
        low = choose(up, s.low, new)
        high = choose(up, new, choose(turned, s.low, s.high))
        old = choose(up, s.high, choose(turned, s.high, s.low))
        small = jnp.abs(high.step - low.step) <= narrow
        return s._replace(
            number=s.number + 1,
            done=good,
            failed=~good & (small | (s.number + 1 >= _MOST_ZOOMS)),
            low=low,
            high=high,
            old=old,
            found=choose(good, new, s.found),
        )

    def body(s: _State) -> _State:
        growing = jnp.where(s.number == 1, first, 2 * s.before.step)
        new = at(jnp.where(s.zooming, _inside(s.low, s.high, s.old, s.number), growing).astype(dtype))
        next_state = choose(s.zooming, zoom(s, new), grow(s, new))
        return next_state._replace(evaluations=s.evaluations + 1)

    no, one = jnp.asarray(False), jnp.asarray(1)
    state = _State(one, no, no, no, start, start, start, start, start, jnp.asarray(0))
    state = lax.while_loop(lambda s: ~s.done & ~s.failed, body, state)
    status = jnp.where(state.done, 0, jnp.where(state.zooming, 1, 3))
    return Result(choose(state.done, state.found, state.low), state.failed, status, state.evaluations)
