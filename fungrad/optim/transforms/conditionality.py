"""Transformations that are applied under a condition.

May import ``fungrad.numpy``, ``fungrad.lax`` and the modules of ``optim`` that every transformation may import.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import fungrad.numpy as jnp
from fungrad import lax
from fungrad.core import tree
from fungrad.optim._formulas import next_count, zero_count
from fungrad.optim._naming import naming
from fungrad.optim.base import (
    GradientTransformation,
    GradientTransformationExtraArgs,
    OptState,
    Params,
    Updates,
    check_state,
    with_extra_args_support,
)


class ConditionFn(Protocol):
    """Decides on an update by its number, and by the keywords of ``update`` if they are asked for."""

    def __call__(self, step: Any, **extra_args: Any) -> Any:
        """Whether to transform, a bool scalar."""


class ConditionallyTransformState(NamedTuple):
    """State of ``conditionally_transform``.

    Attributes:
      inner_state: state of the transformation.
      step: number of updates so far, int32 scalar.
    """

    inner_state: Any
    step: Any


class ConditionallyMaskState(NamedTuple):
    """State of ``conditionally_mask``.

    Attributes:
      step: number of updates so far, int32 scalar.
      inner_state: state of the transformation.
    """

    step: Any
    inner_state: OptState


def _if(
    condition: Any, inner: GradientTransformation, updates: Updates, state: Any, params: Any, extra: Any, zero: bool
) -> tuple:
    """Updates and state of a transformation if a condition holds; else the same state, and the updates or zeros."""

    def leave() -> tuple:
        return (tree.map(jnp.zeros_like, updates) if zero else updates), state

    return lax.cond(condition, lambda: inner.update(updates, state, params, **extra), leave)


@naming("conditionally_transform")
def conditionally_transform(
    inner: GradientTransformation, should_transform_fn: Callable[..., Any], forward_extra_args: bool = False
) -> GradientTransformationExtraArgs:
    """Applies a transformation to updates for which a condition holds; the others pass as they are.

    Args:
      inner: the transformation.
      should_transform_fn: ``f(step)`` says whether to transform update number ``step`` (from 0), a bool scalar.
      forward_extra_args: whether the function gets the keywords of ``update``.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> opt = optim.conditionally_transform(optim.scale(10.0), lambda step: step >= 1)
      >>> state = opt.init(jnp.ones(1))
      >>> for _ in range(2):
      ...     updates, state = opt.update(jnp.ones(1), state)
      ...     print(updates)
      [1.]
      [10.]
    """
    inner = with_extra_args_support(inner)

    def init(params: Params) -> ConditionallyTransformState:
        return ConditionallyTransformState(inner.init(params), zero_count())

    def update(updates: Updates, state: OptState, params: Params | None = None, **extra: Any) -> tuple:
        check_state(state, ConditionallyTransformState)
        condition = should_transform_fn(state.step, **(extra if forward_extra_args else {}))
        out, after = _if(condition, inner, updates, state.inner_state, params, extra, zero=False)
        return out, ConditionallyTransformState(after, next_count(state.step))

    return GradientTransformationExtraArgs(init, update)


@naming("conditionally_mask")
def conditionally_mask(
    inner: GradientTransformation, should_transform_fn: Callable[..., Any], forward_extra_args: bool = False
) -> GradientTransformationExtraArgs:
    """Applies a transformation to updates for which a condition holds; the others become zero.

    Args:
      inner: the transformation.
      should_transform_fn: ``f(step)`` says whether to transform update number ``step`` (from 0), a bool scalar.
      forward_extra_args: whether the function gets the keywords of ``update``.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> opt = optim.conditionally_mask(optim.scale(10.0), lambda step: step >= 1)
      >>> state = opt.init(jnp.ones(1))
      >>> for _ in range(2):
      ...     updates, state = opt.update(jnp.ones(1), state)
      ...     print(updates)
      [0.]
      [10.]
    """
    inner = with_extra_args_support(inner)

    def init(params: Params) -> ConditionallyMaskState:
        return ConditionallyMaskState(zero_count(), inner.init(params))

    def update(updates: Updates, state: OptState, params: Params | None = None, **extra: Any) -> tuple:
        check_state(state, ConditionallyMaskState)
        condition = should_transform_fn(state.step, **(extra if forward_extra_args else {}))
        out, after = _if(condition, inner, updates, state.inner_state, params, extra, zero=True)
        return out, ConditionallyMaskState(next_count(state.step), after)

    return GradientTransformationExtraArgs(init, update)


class ApplyIfFiniteState(NamedTuple):
    """State of ``apply_if_finite``.

    Attributes:
      notfinite_count: number of updates with infinite elements or NaN since the last without, int32 scalar.
      last_finite: whether the last update had none, bool scalar.
      total_notfinite: number of such updates so far, int32 scalar.
      inner_state: state of the transformation.
    """

    notfinite_count: Any
    last_finite: Any
    total_notfinite: Any
    inner_state: Any


@naming("apply_if_finite")
def apply_if_finite(inner: GradientTransformation, max_consecutive_errors: int) -> GradientTransformationExtraArgs:
    """Applies a transformation to updates whose elements are all finite; leaves the others out, unless too many come
    one after the other.

    Args:
      inner: the transformation.
      max_consecutive_errors: after this many updates in a row have been left out, the next is applied as it is.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> opt = optim.apply_if_finite(optim.sgd(1.0), max_consecutive_errors=3)
      >>> state = opt.init(jnp.ones(2))
      >>> print(opt.update(jnp.array([1.0, jnp.nan]), state)[0])
      [0. 0.]
    """
    inner = with_extra_args_support(inner)

    def init(params: Params) -> ApplyIfFiniteState:
        return ApplyIfFiniteState(zero_count(), jnp.array(True), zero_count(), inner.init(params))

    def update(updates: Updates, state: OptState, params: Params | None = None, **extra: Any) -> tuple:
        check_state(state, ApplyIfFiniteState)
        finite = jnp.all(jnp.array([jnp.all(jnp.isfinite(g)) for g in tree.leaves(updates)], dtype=bool))
        errors = jnp.where(finite, zero_count(), next_count(state.notfinite_count))
        apply = finite | (errors > max_consecutive_errors)
        out, after = _if(apply, inner, updates, state.inner_state, params, extra, zero=True)
        total = jnp.where(finite, state.total_notfinite, next_count(state.total_notfinite))
        return out, ApplyIfFiniteState(errors, finite, total, after)

    return GradientTransformationExtraArgs(init, update)
