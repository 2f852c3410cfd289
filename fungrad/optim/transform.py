"""Elementary gradient transformations: momentum, Adam's scaling, weight decay, learning rates.

Each is arithmetic and a state, with no policy; ``optim.alias`` chains them to named optimizers.

May import ``fungrad.numpy``, ``core.tree``, ``optim._leafwise`` and ``optim.base``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import fungrad.numpy as jnp
from fungrad.core import tree
from fungrad.optim._leafwise import map_leaves
from fungrad.optim._naming import naming
from fungrad.optim.base import (
    EmptyState,
    GradientTransformation,
    OptState,
    Params,
    ScalarOrSchedule,
    Updates,
    check_shapes,
    check_state,
    needs_params,
    stateless,
)


class TraceState(NamedTuple):
    """State of ``trace``.

    Attributes:
      trace: running sum of updates, like the parameters.
    """

    trace: Params


@naming("trace")
def trace(decay: float, nesterov: bool = False, accumulator_dtype: Any = None) -> GradientTransformation:
    """Momentum: a decaying sum of updates, ``t <- g + decay * t``.

    Args:
      decay: factor of the past.
      nesterov: whether to return ``g + decay * t`` with the new ``t``, looking one step ahead.
      accumulator_dtype: dtype of the sum; default that of the parameters.

    References:
      Sutskever et al., "On the importance of initialization and momentum in deep learning", 2013.
    """

    def init(params: Params) -> TraceState:
        return TraceState(tree.map(lambda p: jnp.zeros_like(p, dtype=accumulator_dtype), params))

    def update(updates: Updates, state: OptState, params: Params | None = None, **extra: Any) -> tuple:
        check_state(state, TraceState)
        tree.map(check_shapes, updates, state.trace)
        new = tree.map(lambda g, t: g + decay * t, updates, state.trace)
        out = tree.map(lambda g, t: g + decay * t, updates, new) if nesterov else new
        if accumulator_dtype is not None:
            new = tree.map(lambda t: t.astype(accumulator_dtype), new)
        return out, TraceState(new)

    return GradientTransformation(init, update)


class ScaleByAdamState(NamedTuple):
    """State of ``scale_by_adam``.

    Attributes:
      count: number of updates so far, int32 scalar.
      mu: first moment, like the parameters.
      nu: second moment, like the parameters.
    """

    count: Any
    mu: Updates
    nu: Updates


@naming("scale_by_adam")
def scale_by_adam(
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-8,
    eps_root: float = 0.0,
    mu_dtype: Any = None,
    *,
    nesterov: bool = False,
) -> GradientTransformation:
    """Adam's rescaling: the mean of gradients over the root of the mean of their squares, both corrected for their
    start at zero.

    Args:
      b1: decay of the first moment.
      b2: decay of the second moment.
      eps: added to the root.
      eps_root: added under the root; makes derivatives through the update finite at zero.
      mu_dtype: dtype of the first moment; default that of the parameters.
      nesterov: whether the first moment looks one step ahead (NAdam).

    References:
      Kingma and Ba, "Adam: a method for stochastic optimization", 2014. Dozat, "Incorporating Nesterov momentum into
      Adam", 2016.
    """

    def init(params: Params) -> ScaleByAdamState:
        mu = tree.map(lambda p: jnp.zeros_like(p, dtype=mu_dtype), params)
        return ScaleByAdamState(jnp.zeros((), jnp.int32), mu, tree.map(jnp.zeros_like, params))

    def update(updates: Updates, state: OptState, params: Params | None = None, **extra: Any) -> tuple:
        check_state(state, ScaleByAdamState)
        count = _next_count(state.count)
        # How much of the means is not their start at zero.
        wide = any(jnp.finfo(v.dtype).bits == 64 for v in tree.leaves(state.nu))
        corrections = [_gained(b1, count, wide), _gained(b2, count, wide)]
        if nesterov:
            corrections.append(_gained(b1, _next_count(count), wide))

        def step(leaves: Sequence[Any], corrections: Sequence[Any], np_: Any) -> tuple[Any, Any, Any]:
            g, m, v = leaves
            m, v = (1 - b1) * g + b1 * m, (1 - b2) * _square(g, np_) + b2 * v
            if nesterov:
                m_hat = b1 * (m / _like(corrections[2], m)) + (1 - b1) * (g / _like(corrections[0], g))
            else:
                m_hat = m / _like(corrections[0], m)
            v_hat = v / _like(corrections[1], v)
            out = m_hat / (np_.sqrt(v_hat + eps_root if eps_root else v_hat) + eps)
            return out, m if mu_dtype is None else m.astype(mu_dtype), v

        out, mu, nu = map_leaves(step, (updates, state.mu, state.nu), corrections)
        return out, ScaleByAdamState(count, mu, nu)

    return GradientTransformation(init, update)


def _like(x: Any, other: Any) -> Any:
    """``x`` in the dtype of ``other``."""
    return x if x.dtype == other.dtype and not getattr(x, "weak_type", False) else x.astype(other.dtype)


def _next_count(count: Any) -> Any:
    """``count + 1``, but the greatest number of its dtype stays: a count that wrapped would be negative."""
    last = jnp.iinfo(count.dtype).max if jnp.issubdtype(count.dtype, jnp.integer) else None
    return count + 1 if last is None else count + (count < last).astype(count.dtype)


def _gained(decay: Any, count: Any, wide: bool) -> Any:
    """``1 - decay ** count``; ``wide``: in 64 bit, for parameters that have them."""
    return 1 - (jnp.asarray(decay, jnp.float64) if wide else decay) ** count


def _square(g: Any, np_: Any) -> Any:
    """Squared magnitude."""
    return (g.real**2 + g.imag**2).astype(g.dtype) if np_.iscomplexobj(g) else g * g


@naming("add_decayed_weights")
def add_decayed_weights(weight_decay: float = 0.0, mask: Any = None) -> GradientTransformation:
    """Adds ``weight_decay * parameter`` to every update.

    Args:
      weight_decay: strength.
      mask: tree of bools like the parameters (or a function from parameters to one): where to decay; default
        everywhere.

    References:
      Loshchilov and Hutter, "Decoupled weight decay regularization", 2017.
    """

    def decay(updates: Updates, params: Params | None) -> Updates:
        needs_params("add_decayed_weights", params)
        if mask is None:
            return tree.map(lambda g, p: g + weight_decay * p, updates, params)
        chosen = mask(params) if callable(mask) else mask
        return tree.map(lambda g, p, on: g + weight_decay * p if on else g, updates, params, chosen)

    return stateless(decay)


@naming("scale")
def scale(step_size: float) -> GradientTransformation:
    """Multiplies updates by a constant."""

    def scaled(leaves: Sequence[Any], _: Sequence[Any], np_: Any) -> tuple[Any]:
        return (step_size * leaves[0],)

    return stateless(lambda updates, params: map_leaves(scaled, (updates,))[0])


class ScaleByScheduleState(NamedTuple):
    """State of ``scale_by_schedule``.

    Attributes:
      count: number of updates so far, int32 scalar.
    """

    count: Any


@naming("scale_by_schedule")
def scale_by_schedule(step_size_fn: Callable[[Any], Any]) -> GradientTransformation:
    """Multiplies updates by a function of the number of updates so far.

    Args:
      step_size_fn: ``step_size_fn(count)`` returns the factor for update number ``count`` (from 0).
    """

    def init(params: Params) -> ScaleByScheduleState:
        return ScaleByScheduleState(jnp.zeros((), jnp.int32))

    def update(updates: Updates, state: OptState, params: Params | None = None, **extra: Any) -> tuple:
        check_state(state, ScaleByScheduleState)
        step_size = step_size_fn(state.count)
        out = tree.map(lambda g: jnp.asarray(step_size, g.dtype) * g, updates)
        return out, ScaleByScheduleState(_next_count(state.count))

    return GradientTransformation(init, update)


@naming("scale_by_learning_rate")
def scale_by_learning_rate(learning_rate: ScalarOrSchedule, *, flip_sign: bool = True) -> GradientTransformation:
    """Multiplies updates by the (negative) learning rate, a number or a function of the number of updates."""
    sign = -1 if flip_sign else 1
    if callable(learning_rate):
        return scale_by_schedule(lambda count: sign * learning_rate(count))
    return scale(sign * learning_rate)


__all__ = [
    "EmptyState",
    "ScaleByAdamState",
    "ScaleByScheduleState",
    "TraceState",
    "add_decayed_weights",
    "scale",
    "scale_by_adam",
    "scale_by_learning_rate",
    "scale_by_schedule",
    "trace",
]
