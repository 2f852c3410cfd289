"""Step sizes: constants, schedules, and those that follow from signs, norms, distances or values of the function.

May import ``fungrad.numpy`` and the modules of ``optim`` that every transformation may import.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

import fungrad.numpy as jnp
from fungrad.core import tree
from fungrad.optim._formulas import next_count, zero_count
from fungrad.optim._leafwise import map_leaves
from fungrad.optim._naming import naming
from fungrad.optim.base import (
    EmptyState,
    GradientTransformationExtraArgs,
    OptState,
    Params,
    ScalarOrSchedule,
    Updates,
    check_shapes,
    check_state,
    identity,
    init_empty_state,
    needs_params,
    stateless,
)
from fungrad.optim.numerics import safe_norm, safe_root_mean_squares
from fungrad.optim.tree.arithmetic import norm as tree_norm

ScaleState = EmptyState
ScaleByTrustRatioState = EmptyState


@naming("scale")
def scale(step_size: float) -> GradientTransformationExtraArgs:
    """Multiplies updates by a constant.

    Args:
      step_size: the constant.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> opt = optim.scale(-0.5)
      >>> print(opt.update(jnp.ones(2), opt.init(jnp.ones(2)))[0])
      [-0.5 -0.5]
    """

    def scaled(leaves: Sequence[Any], _: Sequence[Any], np_: Any) -> tuple[Any]:
        return (step_size * leaves[0],)

    return stateless(lambda updates, params: map_leaves(scaled, (updates,), simple=True)[0])


class ScaleByScheduleState(NamedTuple):
    """State of ``scale_by_schedule``.

    Attributes:
      count: number of updates so far, int32 scalar.
    """

    count: Any


@naming("scale_by_schedule")
def scale_by_schedule(step_size_fn: Callable[[Any], Any]) -> GradientTransformationExtraArgs:
    """Multiplies updates by a function of the number of updates so far.

    Args:
      step_size_fn: ``step_size_fn(count)`` returns the factor for update number ``count`` (from 0).

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> opt = optim.scale_by_schedule(lambda count: 1.0 / (1 + count))
      >>> state = opt.init(jnp.ones(2))
      >>> for _ in range(3):
      ...     updates, state = opt.update(jnp.ones(2), state)
      >>> print(updates)
      [0.33333334 0.33333334]
    """

    def init(params: Params) -> ScaleByScheduleState:
        return ScaleByScheduleState(zero_count())

    def update(updates: Updates, state: OptState, params: Params | None = None, **extra: Any) -> tuple:
        check_state(state, ScaleByScheduleState)
        step_size = step_size_fn(state.count)
        out = tree.map(lambda g: jnp.asarray(step_size, g.dtype) * g, updates)
        return out, ScaleByScheduleState(next_count(state.count))

    return GradientTransformationExtraArgs(init, update)


@naming("scale_by_learning_rate")
def scale_by_learning_rate(
    learning_rate: ScalarOrSchedule | None = None, *, flip_sign: bool = True
) -> GradientTransformationExtraArgs:
    """Multiplies updates by the (negative) learning rate.

    Args:
      learning_rate: a number, or a function of the number of updates so far; None to leave updates as they are.
      flip_sign: whether the rate is negated, for descent.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> tx = optim.scale_by_learning_rate(0.1)
      >>> params, grads = jnp.ones(2), jnp.array([1.0, -2.0])
      >>> updates, state = tx.update(grads, tx.init(params), params)
      >>> print(updates.round(3))
      [-0.1  0.2]
    """
    if learning_rate is None:
        return identity()
    sign = -1 if flip_sign else 1
    if callable(learning_rate):
        return scale_by_schedule(lambda count: sign * learning_rate(count))
    return scale(sign * learning_rate)


@naming("scale_by_sign")
def scale_by_sign() -> GradientTransformationExtraArgs:
    """Replaces updates by their signs.

    References:
      Bernstein et al., "signSGD: compressed optimisation for non-convex problems", 2018.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> tx = optim.scale_by_sign()
      >>> params, grads = jnp.ones(2), jnp.array([1.0, -2.0])
      >>> updates, state = tx.update(grads, tx.init(params), params)
      >>> print(updates.round(3))
      [ 1. -1.]
    """

    def signed(leaves: Sequence[Any], _: Sequence[Any], np_: Any) -> tuple[Any]:
        return (np_.sign(leaves[0]),)

    return stateless(lambda updates, params: map_leaves(signed, (updates,))[0])


@naming("centralize")
def centralize() -> GradientTransformationExtraArgs:
    """Subtracts from updates with several axes their means over all axes but the first.

    References:
      Yong et al., "Gradient centralization: a new optimization technique for deep neural networks", 2020.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> tx = optim.centralize()
      >>> params, grads = jnp.ones((2, 2)), jnp.array([[1.0, -2.0], [3.0, 4.0]])
      >>> updates, state = tx.update(grads, tx.init(params), params)
      >>> print(updates.round(3))
      [[ 1.5 -1.5]
       [-0.5  0.5]]
    """

    def centered(g: Any) -> Any:
        return g - jnp.mean(g, axis=tuple(range(1, g.ndim)), keepdims=True) if g.ndim > 1 else g

    return stateless(lambda updates, params: tree.map(centered, updates))


@naming("scale_by_param_block_norm")
def scale_by_param_block_norm(min_scale: float = 1e-3) -> GradientTransformationExtraArgs:
    """Multiplies the update of each parameter array by the norm of the array.

    Args:
      min_scale: the least factor.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> tx = optim.scale_by_param_block_norm()
      >>> params, grads = jnp.ones(2), jnp.array([1.0, -2.0])
      >>> updates, state = tx.update(grads, tx.init(params), params)
      >>> print(updates.round(3))
      [ 1.414 -2.828]
    """

    def scaled(updates: Updates, params: Params | None) -> Updates:
        needs_params("scale_by_param_block_norm", params)
        return tree.map(lambda g, p: g * safe_norm(p, min_scale), updates, params)

    return stateless(scaled)


@naming("scale_by_param_block_rms")
def scale_by_param_block_rms(min_scale: float = 1e-3) -> GradientTransformationExtraArgs:
    """Multiplies the update of each parameter array by the root mean square of the array.

    Args:
      min_scale: the least factor.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> tx = optim.scale_by_param_block_rms()
      >>> params, grads = jnp.ones(2), jnp.array([1.0, -2.0])
      >>> updates, state = tx.update(grads, tx.init(params), params)
      >>> print(updates.round(3))
      [ 1. -2.]
    """

    def scaled(updates: Updates, params: Params | None) -> Updates:
        needs_params("scale_by_param_block_rms", params)
        return tree.map(lambda g, p: g * safe_root_mean_squares(p, min_scale), updates, params)

    return stateless(scaled)


@naming("scale_by_trust_ratio")
def scale_by_trust_ratio(
    min_norm: float = 0.0, trust_coefficient: float = 1.0, eps: float = 0.0
) -> GradientTransformationExtraArgs:
    """Multiplies the update of each parameter array by ``trust_coefficient * norm(parameter) / (norm(update) + eps)``;
    leaves it where either norm is zero.

    Args:
      min_norm: the least norm of both.
      trust_coefficient: factor.
      eps: added to the norm of the update.

    References:
      You et al., "Large batch training of convolutional networks", 2017; "Large batch optimization for deep learning",
      2019.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> tx = optim.scale_by_trust_ratio()
      >>> params, grads = jnp.ones(2), jnp.array([1.0, -2.0])
      >>> updates, state = tx.update(grads, tx.init(params), params)
      >>> print(updates.round(3))
      [ 0.632 -1.265]
    """

    def scaled(g: Any, p: Any) -> Any:
        p = jnp.asarray(p)
        of_param, of_update = safe_norm(p, min_norm), safe_norm(g, min_norm)
        ratio = trust_coefficient * of_param / (of_update + eps)
        either_zero = (of_param == 0.0) | (of_update == 0.0)
        return g * jnp.where(either_zero, jnp.ones((), p.dtype), ratio)

    def apply(updates: Updates, params: Params | None) -> Updates:
        needs_params("scale_by_trust_ratio", params)
        return tree.map(scaled, updates, params)

    return stateless(apply)


@naming("normalize_by_update_norm")
def normalize_by_update_norm(scale_factor: float = 1.0, eps: float = 1e-6) -> GradientTransformationExtraArgs:
    """Divides updates by their global norm: ``scale_factor * g / (norm(g) + eps)``.

    Args:
      scale_factor: norm of the result.
      eps: added to the norm.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> opt = optim.normalize_by_update_norm(eps=0.0)
      >>> print(opt.update(jnp.array([3.0, 4.0]), opt.init(jnp.ones(2)))[0])
      [0.6 0.8]
    """

    def scaled(updates: Updates, params: Params | None) -> Updates:
        size = (tree_norm(updates) + eps) / scale_factor
        return tree.map(lambda g: g / size, updates)

    return stateless(scaled)


class ScaleByRpropState(NamedTuple):
    """State of ``scale_by_rprop``.

    Attributes:
      step_sizes: one for each element of the parameters.
      prev_updates: the updates before.
    """

    step_sizes: Updates
    prev_updates: Updates


@naming("scale_by_rprop", floating=True)
def scale_by_rprop(
    learning_rate: float,
    eta_minus: float = 0.5,
    eta_plus: float = 1.2,
    min_step_size: float = 1e-6,
    max_step_size: float = 50.0,
) -> GradientTransformationExtraArgs:
    """Rprop's update: signs of gradients times step sizes, which grow while the sign of an element stays and shrink
    when it changes; an element whose sign has changed waits for one update.

    As in optax, each update is the step that the gradients of the update before have led to, and the first is zero; a
    change of sign cancels the step.

    Args:
      learning_rate: first step size.
      eta_minus: factor of step sizes after a change of sign.
      eta_plus: factor of step sizes without one.
      min_step_size: the least step size.
      max_step_size: the greatest step size.

    References:
      Riedmiller and Braun, "A direct adaptive method for faster backpropagation learning: the RPROP algorithm", 1993.
      Igel and Huesken, "Empirical evaluation of the improved Rprop learning algorithms", 2003.
    """

    def init(params: Params) -> ScaleByRpropState:
        sizes = tree.map(lambda p: jnp.full_like(p, learning_rate), params)
        return ScaleByRpropState(sizes, tree.map(jnp.zeros_like, params))

    def update(updates: Updates, state: OptState, params: Params | None = None, **extra: Any) -> tuple:
        check_state(state, ScaleByRpropState)

        def step(leaves: Sequence[Any], _: Sequence[Any], np_: Any) -> tuple[Any, Any, Any]:
            g, size, before = leaves
            agreement = g * before
            factor = np_.where(agreement > 0, eta_plus, eta_minus)
            changed = np_.minimum(np_.maximum(size * factor, min_step_size), max_step_size)
            size = np_.where(agreement == 0, size, changed)
            kept = np_.where(agreement < 0, np_.zeros_like(g), size * np_.sign(g))
            return np_.where(agreement < 0, np_.zeros_like(before), before), size, kept

        out, sizes, before = map_leaves(step, (updates, state.step_sizes, state.prev_updates))
        return out, ScaleByRpropState(sizes, before)

    return GradientTransformationExtraArgs(init, update)


class ScaleByOptimisticGradientState(NamedTuple):
    """State of ``scale_by_optimistic_gradient``.

    Attributes:
      is_initial_step: whether no update has been made, bool scalar.
      previous_gradient: the gradients before, like the parameters.
    """

    is_initial_step: Any
    previous_gradient: Updates


@naming("scale_by_optimistic_gradient", floating=True)
def scale_by_optimistic_gradient(alpha: float = 1.0, beta: float = 1.0) -> GradientTransformationExtraArgs:
    """Optimistic gradients: ``(alpha + beta) * g - beta * previous``, which extrapolates to the next gradient.

    Args:
      alpha: weight of the gradient.
      beta: weight of its change.

    References:
      Mokhtari et al., "A unified analysis of extra-gradient and optimistic gradient methods for saddle point
      problems", 2019.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> tx = optim.scale_by_optimistic_gradient()
      >>> params, grads = jnp.ones(2), jnp.array([1.0, -2.0])
      >>> updates, state = tx.update(grads, tx.init(params), params)
      >>> print(updates.round(3))
      [ 1. -2.]
    """

    def init(params: Params) -> ScaleByOptimisticGradientState:
        return ScaleByOptimisticGradientState(jnp.array(True), tree.map(jnp.zeros_like, params))

    def update(updates: Updates, state: OptState, params: Params | None = None, **extra: Any) -> tuple:
        check_state(state, ScaleByOptimisticGradientState)

        def step(leaves: Sequence[Any], scalars: Sequence[Any], np_: Any) -> tuple[Any]:
            g, before = leaves
            return ((alpha + beta) * g - beta * np_.where(scalars[0], g, before),)

        out = map_leaves(step, (updates, state.previous_gradient), [jnp.asarray(state.is_initial_step)])[0]
        return out, ScaleByOptimisticGradientState(jnp.array(False), updates)

    return GradientTransformationExtraArgs(init, update)


class ScaleByDistanceOverGradientsState(NamedTuple):
    """State of ``scale_by_distance_over_gradients``.

    Attributes:
      max_dist: the greatest distance of each parameter array from where it started, scalars.
      grad_sum_of_squares: sums of squared gradients, shape (1,) for each parameter array.
      init_params: the parameters at the start.
    """

    max_dist: OptState
    grad_sum_of_squares: OptState
    init_params: OptState


@naming("scale_by_distance_over_gradients", floating=True)
def scale_by_distance_over_gradients(
    reps_rel: float = 1e-6, eps: float = 1e-8, param_dtype: Any = jnp.float32, global_scale: float = 1.0
) -> GradientTransformationExtraArgs:
    """Layer-wise distance over gradients: the step size of a parameter array is the greatest distance from its start
    over the root of the sum of its squared gradients.

    Args:
      reps_rel: first distance, relative to one plus the norm of the array.
      eps: added under the root.
      param_dtype: dtype of the kept parameters.
      global_scale: factor of step sizes.

    References:
      Ivgi et al., "DoG is SGD's best friend: a parameter-free dynamic step size schedule", 2023.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> tx = optim.scale_by_distance_over_gradients()
      >>> params, grads = jnp.ones(2), jnp.array([1.0, -2.0])
      >>> updates, state = tx.update(grads, tx.init(params), params)
      >>> print(updates.round(3))
      [ 0. -0.]
    """

    def init(params: Params) -> ScaleByDistanceOverGradientsState:
        return ScaleByDistanceOverGradientsState(
            tree.map(lambda p: reps_rel * (1 + _distance(p)), params),
            tree.map(lambda p: jnp.zeros(1), params),
            tree.map(lambda p: jnp.asarray(p).astype(param_dtype), params),
        )

    def update(updates: Updates, state: OptState, params: Params | None = None, **extra: Any) -> tuple:
        check_state(state, ScaleByDistanceOverGradientsState)
        needs_params("scale_by_distance_over_gradients", params)
        tree.map(check_shapes, updates, state.init_params)
        farthest = tree.map(
            lambda d, p, start: jnp.maximum(d, _distance(p, start)), state.max_dist, params, state.init_params
        )
        sums = tree.map(lambda s, g: s + jnp.sum(jnp.square(g)), state.grad_sum_of_squares, updates)

        def scaled(g: Any, d: Any, s: Any) -> Any:
            return global_scale * (d / jnp.sqrt(s.reshape(()) + eps)) * g

        out = tree.map(scaled, updates, farthest, sums)
        return out, ScaleByDistanceOverGradientsState(farthest, sums, state.init_params)

    return GradientTransformationExtraArgs(init, update)


def _distance(x: Any, y: Any = 0.0) -> Any:
    return jnp.sqrt(jnp.sum(jnp.square(x - y)))


@naming("scale_by_polyak")
def scale_by_polyak(
    f_min: float = 0.0, max_learning_rate: float = 1.0, eps: float = 0.0, variant: str = "sps"
) -> GradientTransformationExtraArgs:
    """Polyak's step size, ``min((value - f_min) / (norm(g)**2 + eps), max_learning_rate)``; ``update`` needs the value
    of the function as ``value=``.

    Args:
      f_min: the least value of the function, or a bound of it.
      max_learning_rate: the greatest step size.
      eps: added to the squared norm.
      variant: ``"sps"``, or ``"sps+"`` for no steps where the value is below ``f_min``.

    Raises:
      ValueError: ``variant`` is neither.
      TypeError: ``update`` is called without ``value``.

    References:
      Loizou et al., "Stochastic Polyak step-size for SGD: an adaptive learning rate for fast convergence", 2020.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> tx = optim.scale_by_polyak()
      >>> params, grads = jnp.ones(2), jnp.array([1.0, -2.0])
      >>> updates, state = tx.update(grads, tx.init(params), params, value=5.0)
      >>> print(updates.round(3))
      [ 1. -2.]
    """
    if variant not in ("sps", "sps+"):
        raise ValueError(f"fungrad.optim.scale_by_polyak: variant must be sps or sps+, got {variant!r}")

    def update(
        updates: Updates, state: OptState, params: Params | None = None, *, value: Any = None, **extra: Any
    ) -> tuple:
        check_state(state, EmptyState)
        if value is None:
            raise TypeError("fungrad.optim.scale_by_polyak: update needs the value of the function: pass value=")
        squared = tree_norm(updates, squared=True)
        gap = jnp.asarray(value - f_min).astype(squared.dtype)
        if variant == "sps+":
            gap = jnp.maximum(gap, 0)
        flat = squared + eps <= np.finfo(np.float64).eps
        size = jnp.where(flat, 0.0, jnp.minimum(gap / (squared + eps), max_learning_rate))
        return tree.map(lambda g: size * g, updates), state

    return GradientTransformationExtraArgs(init_empty_state, update)


class ApplyEvery(NamedTuple):
    """State of ``apply_every``.

    Attributes:
      count: number of updates since the last that was applied, int32 scalar.
      grad_acc: sum of updates, like the parameters.
    """

    count: Any
    grad_acc: Updates


@naming("apply_every")
def apply_every(k: int = 1) -> GradientTransformationExtraArgs:
    """Adds up updates and lets the sum through every ``k`` times; the others become zero.

    Args:
      k: how many updates are added up.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> opt = optim.apply_every(2)
      >>> state = opt.init(jnp.ones(1))
      >>> for _ in range(2):
      ...     updates, state = opt.update(jnp.ones(1), state)
      ...     print(updates)
      [0.]
      [2.]
    """

    def init(params: Params) -> ApplyEvery:
        return ApplyEvery(zero_count(), tree.map(jnp.zeros_like, params))

    def update(updates: Updates, state: OptState, params: Params | None = None, **extra: Any) -> tuple:
        check_state(state, ApplyEvery)
        position = state.count % k
        scalars = [position != 0, position == k - 1]

        def step(leaves: Sequence[Any], scalars: Sequence[Any], np_: Any) -> tuple[Any, Any]:
            g, total = leaves
            total = np_.where(scalars[0], total, np_.zeros_like(total)) + g
            return np_.where(scalars[1], total, np_.zeros_like(total)), total

        out, totals = map_leaves(step, (updates, state.grad_acc), scalars)
        return out, ApplyEvery(next_count(state.count) % k, totals)

    return GradientTransformationExtraArgs(init, update)
