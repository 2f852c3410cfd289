"""Optimizers that average parameters, or mix means of gradients: schedule-free methods, MADGRAD, AdEMAMix, ADOPT.

May import the transformations.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import fungrad.numpy as jnp
from fungrad.core import tree
from fungrad.core.arguments import shown
from fungrad.optim._formulas import (
    cast,
    corrected,
    decayed,
    gained,
    is_wide,
    like,
    next_count,
    square,
    zero_count,
)
from fungrad.optim._leafwise import map_leaves
from fungrad.optim._naming import naming
from fungrad.optim.alias.descent import sgd
from fungrad.optim.base import (
    GradientTransformation,
    GradientTransformationExtraArgs,
    MaskOrFn,
    OptState,
    Params,
    ScalarOrSchedule,
    Updates,
    check_shapes,
    check_state,
    needs_params,
    with_extra_args_support,
)
from fungrad.optim.scaling.moments import ScaleByAdamState, ScaleByBeliefState
from fungrad.optim.scaling.squares import scale_by_rms
from fungrad.optim.scaling.steps import scale_by_learning_rate
from fungrad.optim.schedules.basic import warmup_constant_schedule
from fungrad.optim.transforms.adding import add_decayed_weights
from fungrad.optim.transforms.combining import chain
from fungrad.optim.tree.casting import dtype_of


def _zeros(params: Params, dtype: Any = None) -> Params:
    return tree.map(lambda p: jnp.zeros_like(p, dtype=dtype), params)


def _at(value: Any, count: Any) -> Any:
    return value(count) if callable(value) else value


class ScheduleFreeState(NamedTuple):
    """State of ``schedule_free``.

    Attributes:
      b1: part of the average in the parameters.
      weight_sum: sum of weights of the average.
      step_count: number of the next update (from 1), int32 scalar.
      max_lr: the greatest learning rate so far.
      base_optimizer_state: state of the optimizer.
      z: the parameters that the optimizer moves.
    """

    b1: Any
    weight_sum: Any
    step_count: Any
    max_lr: Any
    base_optimizer_state: OptState
    z: Params


def schedule_free_eval_params(state: OptState, params: Params) -> Params:
    """The averaged parameters of a schedule-free optimizer, for evaluation: ``(params - (1 - b1) * z) / b1``.

    Args:
      state: a ``ScheduleFreeState``.
      params: the parameters that gradients are computed for.

    Raises:
      TypeError: ``state`` is none.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> opt = optim.contrib.schedule_free_sgd(0.1)
      >>> x = jnp.array([1.0, -2.0])
      >>> print(optim.contrib.schedule_free_eval_params(opt.init(x), x))
      [ 1. -2.]
    """
    b1, z = getattr(state, "b1", None), getattr(state, "z", None)
    if b1 is None or z is None:
        raise TypeError(
            f"fungrad.optim.contrib.schedule_free_eval_params: state must be a ScheduleFreeState, got {shown(state)}"
        )
    return tree.map(lambda y, z: (y - (1.0 - b1) * z) / b1, params, z)


@naming("contrib.schedule_free", floating=True)
def schedule_free(
    base_optimizer: GradientTransformation,
    learning_rate: ScalarOrSchedule,
    b1: float = 0.9,
    weight_lr_power: float = 2.0,
    state_dtype: Any = None,
) -> GradientTransformationExtraArgs:
    """Makes an optimizer schedule-free: an average of parameters takes the place of a decaying learning rate.
    ``update`` needs the parameters; ``schedule_free_eval_params`` gives those for evaluation.

    Args:
      base_optimizer: the optimizer, without momentum.
      learning_rate: its learning rate, or a function of the number of updates.
      b1: part of the average in the parameters that gradients are computed for.
      weight_lr_power: exponent of learning rates as weights of the average.
      state_dtype: dtype of the parameters in the state; default their own.

    References:
      Defazio et al., "The road less scheduled", 2024.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> opt = optim.contrib.schedule_free(optim.sgd(0.1), 0.1)
      >>> x = jnp.array([1.0, -2.0])
      >>> updates, state = opt.update(2 * x, opt.init(x), x)
    """
    inner = with_extra_args_support(base_optimizer)

    def init(params: Params) -> ScheduleFreeState:
        dtype = dtype_of(params, "lowest")
        z = tree.map(lambda p: jnp.array(p, dtype=state_dtype), params)
        sums = jnp.zeros((), dtype), jnp.zeros((), dtype)
        one = jnp.ones((), jnp.int32)
        return ScheduleFreeState(jnp.asarray(b1, dtype), sums[0], one, sums[1], inner.init(params), z)

    def update(updates: Updates, state: OptState, params: Params | None = None, **extra: Any) -> tuple:
        check_state(state, ScheduleFreeState)
        needs_params("contrib.schedule_free", params)
        tree.map(check_shapes, updates, state.z)
        rate = jnp.asarray(_at(learning_rate, state.step_count)).astype(state.max_lr.dtype)
        greatest = jnp.maximum(state.max_lr, rate)
        weight = greatest**weight_lr_power
        weights = state.weight_sum + weight
        part = jnp.where(weights == 0, 0.0, weight / jnp.where(weights == 0, 1.0, weights))
        steps, inner_state = inner.update(updates, state.base_optimizer_state, params, **extra)
        z = tree.map(lambda z, u: like(z + u, z), state.z, steps)

        def moved(p: Any, before: Any, after: Any) -> Any:
            average = (p - (1.0 - b1) * before) / b1
            average = (1.0 - part) * average + part * after
            return b1 * average + (1.0 - b1) * after - p

        out = tree.map(moved, params, state.z, z)
        count = next_count(state.step_count)
        return out, ScheduleFreeState(state.b1, weights, count, greatest, inner_state, z)

    return GradientTransformationExtraArgs(init, update)


def _with_warmup(learning_rate: Any, warmup_steps: int | None) -> Any:
    return learning_rate if warmup_steps is None else warmup_constant_schedule(0, learning_rate, warmup_steps)


@naming("contrib.schedule_free_sgd", floating=True)
def schedule_free_sgd(
    learning_rate: float = 1.0,
    warmup_steps: int | None = None,
    b1: float = 0.9,
    weight_decay: ScalarOrSchedule | None = None,
    weight_lr_power: float = 2.0,
    state_dtype: Any = None,
) -> GradientTransformationExtraArgs:
    """Schedule-free gradient descent; its ``update`` needs the parameters.

    Args:
      learning_rate: step size.
      warmup_steps: number of updates until it; None for none.
      b1, weight_lr_power, state_dtype: as for ``schedule_free``.
      weight_decay: how much of the parameters is added to gradients; None for nothing.

    References:
      Defazio et al., "The road less scheduled", 2024.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> opt = optim.contrib.schedule_free_sgd(0.1)
      >>> x = jnp.array([1.0, -2.0])
      >>> updates, state = opt.update(2 * x, opt.init(x), x)
    """
    rate = _with_warmup(learning_rate, warmup_steps)
    optimizer = sgd(rate)
    if weight_decay is not None:
        optimizer = chain(add_decayed_weights(weight_decay), optimizer)
    return schedule_free(optimizer, rate, b1, weight_lr_power, state_dtype)


@naming("contrib.schedule_free_adamw", floating=True)
def schedule_free_adamw(
    learning_rate: float = 0.0025,
    warmup_steps: int | None = None,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-8,
    weight_decay: ScalarOrSchedule = 0.0,
    weight_lr_power: float = 2.0,
    state_dtype: Any = None,
) -> GradientTransformationExtraArgs:
    """Schedule-free AdamW; its ``update`` needs the parameters.

    Args:
      learning_rate: step size.
      warmup_steps: number of updates until it; None for none.
      b1, weight_lr_power, state_dtype: as for ``schedule_free``.
      b2: decay of the mean of squared gradients.
      eps: added to the root.
      weight_decay: strength of the decay.

    References:
      Defazio et al., "The road less scheduled", 2024.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> opt = optim.contrib.schedule_free_adamw(0.1)
      >>> x = jnp.array([1.0, -2.0])
      >>> updates, state = opt.update(2 * x, opt.init(x), x)
    """
    rate = _with_warmup(learning_rate, warmup_steps)
    optimizer = chain(
        scale_by_rms(b2, eps, eps_in_sqrt=False, bias_correction=True),
        add_decayed_weights(weight_decay),
        scale_by_learning_rate(rate),
    )
    return schedule_free(optimizer, rate, b1, weight_lr_power, state_dtype)


class MadgradState(NamedTuple):
    """State of ``scale_by_madgrad``.

    Attributes:
      count: number of updates so far, int32 scalar.
      grad_sum_sq: weighted sum of squared gradients.
      s: weighted sum of gradients.
      x0: the parameters at the start.
    """

    count: Any
    grad_sum_sq: Updates
    s: Updates
    x0: Params


@naming("contrib.scale_by_madgrad", floating=True)
def scale_by_madgrad(
    learning_rate: ScalarOrSchedule, momentum: float = 0.9, eps: float = 1e-6
) -> GradientTransformationExtraArgs:
    """MADGRAD's update: parameters follow ``x0 - s / (cbrt(v) + eps)``, where ``s`` and ``v`` are sums of all
    gradients and of their squares, weighted by ``learning_rate * sqrt(count)``.

    Args:
      learning_rate: step size, or a function of the number of updates so far.
      momentum: part of the parameters that stays.
      eps: added to the root, and to the learning rate.

    References:
      Defazio and Jelassi, "Adaptivity without compromise: a momentumized, adaptive, dual averaged gradient method for
      stochastic optimization", 2021.
    """

    def init(params: Params) -> MadgradState:
        return MadgradState(zero_count(), _zeros(params), _zeros(params), params)

    def update(updates: Updates, state: OptState, params: Params | None = None, **extra: Any) -> tuple:
        check_state(state, MadgradState)
        needs_params("contrib.scale_by_madgrad", params)
        tree.map(check_shapes, updates, state.s)
        # In floating point, where the last count has a next one.
        weight = (_at(learning_rate, state.count) + eps) * jnp.sqrt(state.count.astype(jnp.float32) + 1)
        squares = tree.map(lambda v, g: v + (weight * g**2).astype(g.dtype), state.grad_sum_sq, updates)
        sums = tree.map(lambda s, g: s + (weight * g).astype(g.dtype), state.s, updates)

        def step(x0: Any, s: Any, v: Any, p: Any) -> Any:
            return (1 - momentum) * (x0 - s / (jnp.cbrt(v) + eps)) + momentum * p - p

        out = tree.map(step, state.x0, sums, squares, params)
        return out, MadgradState(next_count(state.count), squares, sums, state.x0)

    return GradientTransformationExtraArgs(init, update)


@naming("contrib.madgrad", floating=True)
def madgrad(
    learning_rate: ScalarOrSchedule, momentum: float = 0.9, weight_decay: ScalarOrSchedule = 0.0, eps: float = 1e-6
) -> GradientTransformationExtraArgs:
    """MADGRAD: dual averaging with cube roots of sums of squares; its ``update`` needs the parameters.

    Args:
      learning_rate, momentum, eps: as for ``scale_by_madgrad``.
      weight_decay: how much of the parameters is added to gradients.

    References:
      Defazio and Jelassi, "Adaptivity without compromise: a momentumized, adaptive, dual averaged gradient method for
      stochastic optimization", 2021.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> opt = optim.contrib.madgrad(0.1)
      >>> x = jnp.array([1.0, -2.0])
      >>> updates, state = opt.update(2 * x, opt.init(x), x)
    """
    return chain(add_decayed_weights(weight_decay), scale_by_madgrad(learning_rate, momentum, eps))


class ScaleByAdemamixState(NamedTuple):
    """State of ``scale_by_ademamix``.

    Attributes:
      count: number of updates so far, int32 scalar.
      count_m2: number of updates of the slow mean, int32 scalar.
      m1: fast mean of gradients.
      m2: slow mean of gradients.
      nu: mean of squared gradients.
    """

    count: Any
    count_m2: Any
    m1: Updates
    m2: Updates
    nu: Updates


@naming("contrib.scale_by_ademamix", floating=True)
def scale_by_ademamix(
    b1: float = 0.9,
    b2: float = 0.999,
    b3: ScalarOrSchedule = 0.9999,
    alpha: ScalarOrSchedule = 6.0,
    eps: float = 1e-8,
    eps_root: float = 0.0,
    mu_dtype: Any = None,
) -> GradientTransformationExtraArgs:
    """AdEMAMix's rescaling: as Adam's, with ``alpha`` times a slow mean of gradients added to the fast one.

    Args:
      b1: decay of the fast mean.
      b2: decay of the mean of squares.
      b3: decay of the slow mean, or a function of the number of updates so far.
      alpha: weight of the slow mean, or a function of the number of updates so far.
      eps: added to the root.
      eps_root: added under the root.
      mu_dtype: dtype of the means at first; default that of the parameters.

    References:
      Pagliardini et al., "The AdEMAMix optimizer: better, faster, older", 2024.
    """

    def init(params: Params) -> ScaleByAdemamixState:
        moments = [_zeros(params, mu_dtype) for _ in range(3)]
        return ScaleByAdemamixState(zero_count(), zero_count(), moments[0], moments[1], moments[2])

    def update(updates: Updates, state: OptState, params: Params | None = None, **extra: Any) -> tuple:
        check_state(state, ScaleByAdemamixState)
        slow, weight = _at(b3, state.count_m2), _at(alpha, state.count_m2)
        count = next_count(state.count)
        wide = is_wide(state.nu)

        def step(leaves: Sequence[Any], gains: Sequence[Any], np_: Any) -> tuple:
            g, m1, m2, v = leaves
            m1, m2, v = decayed(g, m1, b1), decayed(g, m2, slow), decayed(square(g, np_), v, b2)
            mixed = corrected(m1, gains[0]) + weight * m2
            out = mixed / (np_.sqrt(corrected(v, gains[1]) + eps_root) + eps)
            return out, cast(m1, mu_dtype), cast(m2, mu_dtype), cast(v, mu_dtype)

        gains = [gained(b1, count, wide), gained(b2, count, wide)]
        out, m1, m2, nu = map_leaves(step, (updates, state.m1, state.m2, state.nu), gains)
        return out, ScaleByAdemamixState(count, next_count(state.count_m2), m1, m2, nu)

    return GradientTransformationExtraArgs(init, update)


@naming("contrib.ademamix", floating=True)
def ademamix(
    learning_rate: ScalarOrSchedule,
    b1: float = 0.9,
    b2: float = 0.999,
    b3: ScalarOrSchedule = 0.9999,
    alpha: ScalarOrSchedule = 5.0,
    eps: float = 1e-8,
    eps_root: float = 0.0,
    mu_dtype: Any = None,
    weight_decay: ScalarOrSchedule = 0.0,
    mask: MaskOrFn | None = None,
) -> GradientTransformationExtraArgs:
    """AdEMAMix: AdamW with a fast and a slow mean of gradients; its ``update`` needs the parameters.

    Args:
      learning_rate: step size, or a function of the number of updates so far.
      b1, b2, b3, alpha, eps, eps_root, mu_dtype: as for ``scale_by_ademamix``.
      weight_decay, mask: as for ``adamw``.

    References:
      Pagliardini et al., "The AdEMAMix optimizer: better, faster, older", 2024.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> opt = optim.contrib.ademamix(0.1)
      >>> x = jnp.array([1.0, -2.0])
      >>> updates, state = opt.update(2 * x, opt.init(x), x)
    """
    return chain(
        scale_by_ademamix(b1, b2, b3, alpha, eps, eps_root, mu_dtype),
        add_decayed_weights(weight_decay, mask),
        scale_by_learning_rate(learning_rate),
    )


class ScaleBySimplifiedAdEMAMixState(NamedTuple):
    """State of ``scale_by_simplified_ademamix``.

    Attributes:
      t: number of updates so far, int32 scalar.
      m: decaying sum of gradients.
      n: mean of squared gradients.
    """

    t: Any
    m: Updates
    n: Updates


@naming("contrib.scale_by_simplified_ademamix", floating=True)
def scale_by_simplified_ademamix(
    b1: float = 0.99, b2: float = 0.95, alpha: ScalarOrSchedule = 0.0, eps: float = 1e-8, eps_root: float = 0.0
) -> GradientTransformationExtraArgs:
    """Simplified AdEMAMix's rescaling: a decaying sum of gradients plus ``alpha`` times the gradient, over the root of
    the mean of squares.

    Args:
      b1: decay of the sum.
      b2: decay of the mean of squares.
      alpha: weight of the gradient, or a function of the number of updates so far.
      eps: added to the root.
      eps_root: added under the root.

    References:
      Morwani et al., "Connections between schedule-free optimizers, AdEMAMix, and accelerated SGD variants", 2025.
    """

    def init(params: Params) -> ScaleBySimplifiedAdEMAMixState:
        return ScaleBySimplifiedAdEMAMixState(zero_count(), _zeros(params), _zeros(params))

    def update(updates: Updates, state: OptState, params: Params | None = None, **extra: Any) -> tuple:
        check_state(state, ScaleBySimplifiedAdEMAMixState)
        weight = _at(alpha, state.t)
        count = next_count(state.t)

        def step(leaves: Sequence[Any], gains: Sequence[Any], np_: Any) -> tuple[Any, Any, Any]:
            g, m, n = leaves
            m, n = g + b1 * m, decayed(g * g, n, b2)
            return (m + weight * g) / (np_.sqrt(corrected(n, gains[0]) + eps_root) + eps), m, n

        out, m, n = map_leaves(step, (updates, state.m, state.n), [gained(b2, count, is_wide(state.n))])
        return out, ScaleBySimplifiedAdEMAMixState(count, m, n)

    return GradientTransformationExtraArgs(init, update)


@naming("contrib.simplified_ademamix", floating=True)
def simplified_ademamix(
    learning_rate: ScalarOrSchedule,
    b1: float = 0.99,
    b2: float = 0.95,
    alpha: ScalarOrSchedule = 0.0,
    eps: float = 1e-8,
    eps_root: float = 0.0,
    weight_decay: ScalarOrSchedule = 0.0,
    mask: MaskOrFn | None = None,
) -> GradientTransformationExtraArgs:
    """Simplified AdEMAMix, with one sum of gradients; its ``update`` needs the parameters.

    Args:
      learning_rate: step size, or a function of the number of updates so far.
      b1, b2, alpha, eps, eps_root: as for ``scale_by_simplified_ademamix``.
      weight_decay, mask: as for ``adamw``.

    References:
      Morwani et al., "Connections between schedule-free optimizers, AdEMAMix, and accelerated SGD variants", 2025.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> opt = optim.contrib.simplified_ademamix(0.1)
      >>> x = jnp.array([1.0, -2.0])
      >>> updates, state = opt.update(2 * x, opt.init(x), x)
    """
    return chain(
        scale_by_simplified_ademamix(b1, b2, alpha, eps, eps_root),
        add_decayed_weights(weight_decay, mask),
        scale_by_learning_rate(learning_rate),
    )


@naming("contrib.scale_by_acprop", floating=True)
def scale_by_acprop(
    b1: float = 0.9, b2: float = 0.999, eps: float = 1e-16, eps_root: float = 1e-16
) -> GradientTransformationExtraArgs:
    """ACProp's rescaling: gradients over the root of the mean of squared distances from their mean, as both were before
    this gradient.

    Args:
      b1: decay of the mean of gradients.
      b2: decay of the mean of squared distances.
      eps: added to the root.
      eps_root: added to the second moment, in every update.

    References:
      Zhuang et al., "Momentum centering and asynchronous update for adaptive gradient methods", 2021.
    """

    def init(params: Params) -> ScaleByBeliefState:
        return ScaleByBeliefState(zero_count(), _zeros(params), _zeros(params))

    def update(updates: Updates, state: OptState, params: Params | None = None, **extra: Any) -> tuple:
        check_state(state, ScaleByBeliefState)
        count = next_count(state.count)
        first = state.count == 0
        gain = gained(b2, jnp.where(first, count, state.count), is_wide(state.nu))

        def step(leaves: Sequence[Any], scalars: Sequence[Any], np_: Any) -> tuple[Any, Any, Any]:
            g, m, v = leaves
            v_hat = np_.where(scalars[0], np_.ones_like(v), corrected(v, scalars[1]))
            new = decayed(square(g - m, np_), v, b2) + eps_root
            return g / (np_.sqrt(v_hat) + eps), decayed(g, m, b1), new

        out, mu, nu = map_leaves(step, (updates, state.mu, state.nu), [first, gain])
        return out, ScaleByBeliefState(count, mu, nu)

    return GradientTransformationExtraArgs(init, update)


@naming("contrib.acprop", floating=True)
def acprop(
    learning_rate: ScalarOrSchedule,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-16,
    eps_root: float = 1e-16,
    weight_decay: ScalarOrSchedule = 0.0,
    mask: MaskOrFn | None = None,
) -> GradientTransformationExtraArgs:
    """ACProp: RMSProp with centered moments from before the gradient; its ``update`` needs the parameters.

    Args:
      learning_rate: step size, or a function of the number of updates so far.
      b1, b2, eps, eps_root: as for ``scale_by_acprop``.
      weight_decay, mask: as for ``adamw``.

    References:
      Zhuang et al., "Momentum centering and asynchronous update for adaptive gradient methods", 2021.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> opt = optim.contrib.acprop(0.1)
      >>> x = jnp.array([1.0, -2.0])
      >>> updates, state = opt.update(2 * x, opt.init(x), x)
    """
    return chain(
        scale_by_acprop(b1, b2, eps, eps_root),
        add_decayed_weights(weight_decay, mask),
        scale_by_learning_rate(learning_rate),
    )


def _fourth_root(count: Any) -> Any:
    return count**0.25


@naming("contrib.scale_by_adopt", floating=True)
def scale_by_adopt(
    b1: float = 0.9,
    b2: float = 0.9999,
    eps: float = 1e-6,
    mu_dtype: Any = None,
    *,
    nesterov: bool = False,
    use_clipping: bool = True,
    clip_value_fn: Callable[[Any], Any] = _fourth_root,
) -> GradientTransformationExtraArgs:
    """ADOPT's rescaling: a mean of gradients, each divided by the root of the mean of squares of those before it.

    Args:
      b1: decay of the mean of scaled gradients.
      b2: decay of the mean of squares.
      eps: the least divisor.
      mu_dtype: dtype of the first mean; default that of the parameters.
      nesterov: whether the mean looks one step ahead.
      use_clipping: whether scaled gradients are limited.
      clip_value_fn: ``clip_value_fn(count)`` gives the limit; default the fourth root.

    References:
      Taniguchi et al., "ADOPT: modified Adam can converge with any beta2 with the optimal rate", 2024.
    """

    def init(params: Params) -> ScaleByAdamState:
        return ScaleByAdamState(zero_count(), _zeros(params, mu_dtype), _zeros(params))

    def update(updates: Updates, state: OptState, params: Params | None = None, **extra: Any) -> tuple:
        check_state(state, ScaleByAdamState)
        tree.map(check_shapes, updates, state.nu)
        began = state.count > 0
        limit = clip_value_fn(state.count) if use_clipping else None

        def step(g: Any, m: Any, v: Any) -> tuple[Any, Any, Any]:
            scaled = g / jnp.maximum(jnp.sqrt(v), eps)
            if limit is not None:
                scaled = jnp.clip(scaled, -limit, limit)
            kept, kept_squares = jnp.where(began, b1, 1).astype(m.dtype), jnp.where(began, b2, 0).astype(v.dtype)
            new = decayed(scaled, m, kept)
            out = decayed(scaled, new, kept) if nesterov else new
            return like(out, g), cast(new, mu_dtype), like(decayed(square(g, jnp), v, kept_squares), v)

        leaves, treedef = tree.flatten(updates)
        rest = [tree.flatten_up_to(treedef, t) for t in (state.mu, state.nu)]
        columns = zip(*map(step, leaves, *rest), strict=True) if leaves else [()] * 3
        out, mu, nu = [tree.unflatten(treedef, column) for column in columns]
        return out, ScaleByAdamState(next_count(state.count), mu, nu)

    return GradientTransformationExtraArgs(init, update)


@naming("contrib.adopt", floating=True)
def adopt(
    learning_rate: ScalarOrSchedule,
    b1: float = 0.9,
    b2: float = 0.9999,
    eps: float = 1e-6,
    mu_dtype: Any = None,
    *,
    nesterov: bool = False,
    use_clipping: bool = True,
    clip_value_fn: Callable[[Any], Any] = _fourth_root,
) -> GradientTransformationExtraArgs:
    """ADOPT: Adam whose gradients are scaled by squares of those before them. The first update is zero.

    Args:
      learning_rate: step size, or a function of the number of updates so far.
      b1, b2, eps, mu_dtype, nesterov, use_clipping, clip_value_fn: as for ``scale_by_adopt``.

    References:
      Taniguchi et al., "ADOPT: modified Adam can converge with any beta2 with the optimal rate", 2024.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> opt = optim.contrib.adopt(0.1)
      >>> x = jnp.array([1.0, -2.0])
      >>> updates, state = opt.update(2 * x, opt.init(x))
    """
    return chain(
        scale_by_adopt(
            b1, b2, eps, mu_dtype, nesterov=nesterov, use_clipping=use_clipping, clip_value_fn=clip_value_fn
        ),
        scale_by_learning_rate(learning_rate),
    )
