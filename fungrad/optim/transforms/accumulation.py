"""Averages and sums of updates over time.

May import ``fungrad.numpy`` and the modules of ``optim`` that every transformation may import.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import fungrad.numpy as jnp
from fungrad.core import tree
from fungrad.core.arguments import index, shown
from fungrad.core.source import api_class
from fungrad.optim._formulas import cast, corrected, decayed, gained, is_wide, next_count, square, zero_count
from fungrad.optim._leafwise import map_leaves
from fungrad.optim._naming import naming
from fungrad.optim.base import (
    GradientTransformation,
    GradientTransformationExtraArgs,
    OptState,
    Params,
    Updates,
    check_shapes,
    check_state,
    with_extra_args_support,
)


class TraceState(NamedTuple):
    """State of ``trace``.

    Attributes:
      trace: running sum of updates, like the parameters.
    """

    trace: Params


@naming("trace", floating=True)
def trace(decay: float, nesterov: bool = False, accumulator_dtype: Any = None) -> GradientTransformationExtraArgs:
    """Momentum: a decaying sum of updates, ``t <- g + decay * t``.

    Args:
      decay: factor of the past.
      nesterov: whether to return ``g + decay * t`` with the new ``t``, looking one step ahead.
      accumulator_dtype: dtype of the sum; default that of the parameters.

    References:
      Sutskever et al., "On the importance of initialization and momentum in deep learning", 2013.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> opt = optim.trace(decay=0.5)
      >>> state = opt.init(jnp.ones(1))
      >>> for _ in range(3):
      ...     updates, state = opt.update(jnp.ones(1), state)
      >>> print(updates)
      [1.75]
    """

    def init(params: Params) -> TraceState:
        return TraceState(tree.map(lambda p: jnp.zeros_like(p, dtype=accumulator_dtype), params))

    def update(updates: Updates, state: OptState, params: Params | None = None, **extra: Any) -> tuple:
        check_state(state, TraceState)

        def step(leaves: Sequence[Any], _: Sequence[Any], np_: Any) -> tuple[Any, Any]:
            g, t = leaves
            t = g + decay * t
            return (g + decay * t if nesterov else t), cast(t, accumulator_dtype)

        out, sums = map_leaves(step, (updates, state.trace))
        return out, TraceState(sums)

    return GradientTransformationExtraArgs(init, update)


class EmaState(NamedTuple):
    """State of ``ema``.

    Attributes:
      count: number of updates so far, int32 scalar.
      ema: the average, like the parameters.
    """

    count: Any
    ema: Params


@naming("ema")
def ema(decay: float, debias: bool = True, accumulator_dtype: Any = None) -> GradientTransformationExtraArgs:
    """Exponential moving average of updates, ``m <- (1 - decay) * g + decay * m``.

    Args:
      decay: factor of the past.
      debias: whether to return the average corrected for its start at zero.
      accumulator_dtype: dtype of the average; default that of the parameters.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> opt = optim.ema(decay=0.5)
      >>> state = opt.init(jnp.ones(1))
      >>> for g in (1.0, 4.0):
      ...     mean, state = opt.update(jnp.array([g]), state)
      >>> print(mean)
      [3.]
    """

    def init(params: Params) -> EmaState:
        return EmaState(zero_count(), tree.map(lambda p: jnp.zeros_like(p, dtype=accumulator_dtype), params))

    def update(updates: Updates, state: OptState, params: Params | None = None, **extra: Any) -> tuple:
        check_state(state, EmaState)
        count = next_count(state.count)

        def step(leaves: Sequence[Any], gains: Sequence[Any], np_: Any) -> tuple[Any, Any]:
            mean = decayed(leaves[0], leaves[1], decay)
            return (corrected(mean, gains[0]) if debias else mean), cast(mean, accumulator_dtype)

        out, means = map_leaves(step, (updates, state.ema), [gained(decay, count, is_wide(state.ema))])
        return out, EmaState(count, means)

    return GradientTransformationExtraArgs(init, update)


class ShouldSkipUpdateFunction(Protocol):
    """Says whether ``MultiSteps`` leaves an update out."""

    def __call__(self, updates: Updates, gradient_step: Any, params: Params | None) -> tuple[Any, Any]:
        """A bool scalar: whether to skip; and a tree to keep in the state."""


def skip_not_finite(updates: Updates, gradient_step: Any, params: Params | None) -> tuple[Any, Any]:
    """For ``MultiSteps``: skips updates that have infinite elements or NaN.

    Args:
      updates: tree of arrays.
      gradient_step: ignored.
      params: ignored.

    Returns:
      Whether to skip, a bool scalar, and a dict with it and the number of such elements.
    """
    counts = [jnp.sum(~jnp.isfinite(g)) for g in tree.leaves(updates)]
    bad = jnp.sum(jnp.array(counts))
    return bad > 0, {"should_skip": bad > 0, "num_not_finite": bad}


def skip_large_updates(
    updates: Updates, gradient_step: Any, params: Params | None, max_squared_norm: float
) -> tuple[Any, Any]:
    """For ``MultiSteps``, with ``max_squared_norm`` fixed by ``functools.partial``: skips large updates, and NaN.

    Args:
      updates: tree of arrays.
      gradient_step: ignored.
      params: ignored.
      max_squared_norm: updates whose squared norm is not below are skipped.

    Returns:
      Whether to skip, a bool scalar, and a dict with it and the squared norm.
    """
    squared = jnp.sum(jnp.array([jnp.sum(square(g, jnp)) for g in tree.leaves(updates)]))
    large = ~(squared < max_squared_norm)
    return large, {"should_skip": large, "norm_squared": squared}


class MultiStepsState(NamedTuple):
    """State of ``MultiSteps``.

    Attributes:
      mini_step: number of gradients that have been added up since the last update, int32 scalar.
      gradient_step: number of updates so far, int32 scalar.
      inner_opt_state: state of the optimizer.
      acc_grads: mean or sum of the gradients since the last update.
      skip_state: what the function that decides on skipping has said.
    """

    mini_step: Any
    gradient_step: Any
    inner_opt_state: Any
    acc_grads: Any
    skip_state: Any = ()


def _never_skip(updates: Updates, gradient_step: Any, params: Params | None) -> tuple[Any, Any]:
    return jnp.array(False), ()


@api_class
class MultiSteps:
    """Gradient accumulation: an optimizer that is applied to the mean of several gradients.

    Updates are zero until as many gradients as asked for have come.

    Args:
      opt: the optimizer.
      every_k_schedule: number of gradients for an update, or a function of the number of updates so far.
      use_grad_mean: whether gradients are averaged (else they are added up).
      should_skip_update_fn: ``f(updates, gradient_step, params)`` says whether to leave gradients out; see
        ``skip_not_finite``.
      accumulator_dtype: dtype of the mean.

    Raises:
      TypeError: an argument is of the wrong kind.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> opt = optim.MultiSteps(optim.sgd(1.0), every_k_schedule=2)
      >>> state = opt.init(jnp.zeros(1))
      >>> for g in (1.0, 3.0):
      ...     updates, state = opt.update(jnp.array([g]), state)
      ...     print(updates, opt.has_updated(state))
      [0.] False
      [-2.] True
    """

    def __init__(
        self,
        opt: GradientTransformation,
        every_k_schedule: int | Callable[[Any], Any],
        use_grad_mean: bool = True,
        should_skip_update_fn: ShouldSkipUpdateFunction | None = None,
        accumulator_dtype: Any = jnp.float32,
    ) -> None:
        if not (hasattr(opt, "init") and hasattr(opt, "update")):
            raise TypeError(f"fungrad.optim.MultiSteps: opt must be a GradientTransformation, got {shown(opt)}")
        if not callable(every_k_schedule):
            every_k_schedule = index("fungrad.optim.MultiSteps", "every_k_schedule", every_k_schedule, 1)
        self._opt = with_extra_args_support(opt)
        self._every = every_k_schedule if callable(every_k_schedule) else lambda step: every_k_schedule
        self._mean = use_grad_mean
        self._skips = _never_skip if should_skip_update_fn is None else should_skip_update_fn
        self._dtype = accumulator_dtype

    @property
    def inner_opt(self) -> GradientTransformationExtraArgs:
        """The optimizer."""
        return self._opt

    def init(self, params: Params) -> MultiStepsState:
        """The state before the first gradient.

        Args:
          params: tree of arrays.
        """
        _, skip_state = self._skips(tree.map(jnp.zeros_like, params), zero_count(), params)
        zeros = tree.map(lambda p: jnp.zeros_like(p, dtype=self._dtype), params)
        return MultiStepsState(zero_count(), zero_count(), self._opt.init(params), zeros, skip_state)

    def update(
        self, updates: Updates, state: MultiStepsState, params: Params | None = None, **extra_args: Any
    ) -> tuple[Updates, MultiStepsState]:
        """Takes up a gradient.

        Args:
          updates: the gradient, a tree like the parameters.
          state: from ``init`` or the last update.
          params: tree of arrays.
          **extra_args: handed to the optimizer.

        Returns:
          The updates, zero but for every k-th gradient, and the next state.
        """
        check_state(state, MultiStepsState)
        tree.map(check_shapes, updates, state.acc_grads)
        wanted = self._every(state.gradient_step)
        skip, skip_state = self._skips(updates, state.gradient_step, params)
        skip = jnp.asarray(skip)
        if skip.dtype != jnp.bool_ or skip.shape:
            raise ValueError(
                f"fungrad.optim.MultiSteps: should_skip_update_fn must return a bool scalar first, got {shown(skip)}"
            )

        def take() -> tuple:
            if self._mean:
                sums = tree.map(lambda g, a: a + (g - a) / (state.mini_step + 1), updates, state.acc_grads)
            else:
                sums = tree.map(lambda g, a: g + a, updates, state.acc_grads)
            like_updates = tree.map(lambda a, g: a.astype(jnp.asarray(g).dtype), sums, updates)
            out, inner = self._opt.update(like_updates, state.inner_opt_state, params, **extra_args)
            emit = state.mini_step == wanted - 1
            after = MultiStepsState(
                mini_step=(next_count(state.mini_step) % wanted).astype(state.mini_step.dtype),
                gradient_step=jnp.where(emit, next_count(state.gradient_step), state.gradient_step),
                inner_opt_state=tree.map(lambda old, new: _chosen(emit, new, old), state.inner_opt_state, inner),
                # Zero, and not zero times what may be infinite.
                acc_grads=tree.map(lambda a: jnp.where(emit, jnp.zeros_like(a), a).astype(self._dtype), sums),
                skip_state=skip_state,
            )
            return tree.map(lambda u: jnp.where(emit, u, jnp.zeros_like(u)), out), after

        out, after = take()
        if self._skips is _never_skip:
            return out, after
        before = state._replace(skip_state=skip_state)
        kept = tree.map(lambda u: jnp.where(skip, jnp.zeros_like(u), u), out)
        return kept, tree.map(lambda old, new: _chosen(skip, old, new), before, after)

    def has_updated(self, state: MultiStepsState) -> Any:
        """Whether the last gradient has led to an update.

        Args:
          state: the state after it.

        Returns:
          A bool scalar.
        """
        return (state.mini_step == 0) & (state.gradient_step > 0)

    def gradient_transformation(self) -> GradientTransformationExtraArgs:
        """The pair of ``init`` and ``update``, for combining."""
        return GradientTransformationExtraArgs(self.init, self.update)  # type: ignore[arg-type]


def _chosen(condition: Any, new: Any, old: Any) -> Any:
    """``new`` if a condition holds, else ``old``, in its dtype."""
    if hasattr(new, "dtype") and hasattr(old, "dtype"):
        new = new.astype(old.dtype) if new.dtype != old.dtype else new
    return jnp.where(condition, new, old)
