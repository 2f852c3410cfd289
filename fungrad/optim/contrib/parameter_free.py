"""Optimizers that find their step sizes themselves: from distances, gradients and values of the function.

May import the transformations.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

import fungrad.numpy as jnp
from fungrad.core import tree
from fungrad.optim._formulas import decayed, gained, is_wide, like, next_count, zero_count
from fungrad.optim._naming import naming
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
    identity,
    needs_params,
    with_extra_args_support,
)
from fungrad.optim.scaling.steps import scale_by_learning_rate
from fungrad.optim.transforms.adding import add_decayed_weights
from fungrad.optim.transforms.combining import chain
from fungrad.optim.tree.arithmetic import norm, sub, total, vdot
from fungrad.optim.tree.casting import dtype_of


def _zeros(params: Params) -> Params:
    return tree.map(jnp.zeros_like, params)


def _at(rate: Any, count: Any) -> Any:
    """A learning rate, which may be a schedule, at a number of updates."""
    return rate(count) if callable(rate) else rate


class COCOBState(NamedTuple):
    """State of ``scale_by_cocob``.

    Attributes:
      init_particles: the parameters at the start.
      cumulative_gradients: sums of negative gradients.
      scale: greatest magnitudes of gradients.
      subgradients: sums of magnitudes of gradients.
      reward: what the bets have won.
    """

    init_particles: Updates
    cumulative_gradients: Updates
    scale: Updates
    subgradients: Updates
    reward: Updates


@naming("contrib.scale_by_cocob", floating=True)
def scale_by_cocob(alpha: float = 100.0, eps: float = 1e-8) -> GradientTransformationExtraArgs:
    """Steps by betting on coins: each element bets a part of what it has won on the sign of its gradient.

    Args:
      alpha: bound of the first bets.
      eps: the least magnitude of gradients.

    References:
      Orabona and Tommasi, "Training deep networks without learning rates through coin betting", 2017.
    """

    def init(params: Params) -> COCOBState:
        scale = tree.map(lambda p: jnp.full_like(p, eps), params)
        return COCOBState(params, _zeros(params), scale, _zeros(params), _zeros(params))

    def update(updates: Updates, state: OptState, params: Params | None = None, **extra: Any) -> tuple:
        check_state(state, COCOBState)
        needs_params("contrib.scale_by_cocob", params)
        tree.map(check_shapes, updates, state.scale)
        start, sums, scale, magnitudes, reward = state
        scale = tree.map(lambda s, g: jnp.maximum(s, jnp.abs(g)), scale, updates)
        magnitudes = tree.map(lambda m, g: m + jnp.abs(g), magnitudes, updates)
        reward = tree.map(lambda r, g, p, p0: jnp.maximum(r - g * (p - p0), 0), reward, updates, params, start)
        sums = tree.map(lambda c, g: c - g, sums, updates)

        def step(p: Any, p0: Any, c: Any, s: Any, m: Any, r: Any) -> Any:
            return -p + (p0 + c / (s * jnp.maximum(m + s, alpha * s)) * (s + r))

        out = tree.map(step, params, start, sums, scale, magnitudes, reward)
        return out, COCOBState(start, sums, scale, magnitudes, reward)

    return GradientTransformationExtraArgs(init, update)


@naming("contrib.cocob", floating=True)
def cocob(
    learning_rate: ScalarOrSchedule = 1.0,
    alpha: float = 100.0,
    eps: float = 1e-8,
    weight_decay: ScalarOrSchedule = 0.0,
    mask: MaskOrFn | None = None,
) -> GradientTransformationExtraArgs:
    """COCOB: gradient descent without learning rates, by betting on coins; its ``update`` needs the parameters.

    Args:
      learning_rate: factor of gradients, or a function of the number of updates so far.
      alpha: bound of the first bets.
      eps: the least magnitude of gradients.
      weight_decay, mask: as for ``adamw``.

    References:
      Orabona and Tommasi, "Training deep networks without learning rates through coin betting", 2017.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> opt = optim.contrib.cocob()
      >>> x = jnp.array([1.0, -2.0])
      >>> updates, state = opt.update(2 * x, opt.init(x), x)
    """
    return chain(
        add_decayed_weights(weight_decay, mask),
        scale_by_learning_rate(learning_rate, flip_sign=False),
        scale_by_cocob(alpha, eps),
    )


class DoGState(NamedTuple):
    """State of ``dog``.

    Attributes:
      is_init_step: whether no update has been made, bool scalar.
      init_params: the parameters at the start.
      max_dist: the greatest distance from them.
      sum_sq_norm_grads: sum of squared norms of gradients.
    """

    is_init_step: Any
    init_params: Params
    max_dist: Any
    sum_sq_norm_grads: Any


_FIRST_STEPS = ("distance", "heuristic", "learning_rate")


@naming("contrib.dog", floating=True)
def dog(
    learning_rate: ScalarOrSchedule = 1.0,
    init_step: tuple[Any, Any] = ("heuristic", 1e-6),
    eps: float = 1e-8,
    weight_decay: ScalarOrSchedule | None = None,
    mask: MaskOrFn | None = None,
) -> GradientTransformationExtraArgs:
    """Distance over gradients: the step size is the greatest distance from the start over the root of the sum of
    squared norms of gradients; its ``update`` needs the parameters.

    Args:
      learning_rate: factor of steps, or a function of the number of updates so far.
      init_step: how the first step is chosen: ``("distance", d)`` for the first distance, ``("heuristic", r)`` for
        ``r * (1 + norm(params))`` as the first distance, ``("learning_rate", s)`` for the first step size.
      eps: added under the root.
      weight_decay: how much of the parameters is added to gradients; None for nothing.
      mask: as for ``adamw``.

    Raises:
      ValueError: ``init_step`` is none of these.

    References:
      Ivgi et al., "DoG is SGD's best friend: a parameter-free dynamic step size schedule", 2023.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> opt = optim.contrib.dog()
      >>> x = jnp.array([1.0, -2.0])
      >>> updates, state = opt.update(2 * x, opt.init(x), x)
    """
    kind, first = init_step
    if kind not in _FIRST_STEPS:
        raise ValueError(
            f"fungrad.optim.contrib.dog: init_step must begin with one of {', '.join(_FIRST_STEPS)}, got {kind!r}"
        )

    def init(params: Params) -> DoGState:
        dtype = dtype_of(params, "lowest")
        distance = {"distance": first, "learning_rate": 0.0}.get(kind)
        if distance is None:
            distance = first * (1 + norm(params))
        return DoGState(jnp.array(True), params, jnp.asarray(distance, dtype), jnp.zeros((), dtype))

    def update(updates: Updates, state: OptState, params: Params | None = None, **extra: Any) -> tuple:
        check_state(state, DoGState)
        needs_params("contrib.dog", params)
        distance = jnp.maximum(state.max_dist, norm(sub(state.init_params, params))).astype(state.max_dist.dtype)
        squares = state.sum_sq_norm_grads + norm(updates, squared=True)
        squares = squares.astype(state.sum_sq_norm_grads.dtype)
        size = distance / jnp.sqrt(squares + eps)
        if kind == "learning_rate":
            size = jnp.where(state.is_init_step, first, size)
        out = tree.map(lambda g: size * g, updates)
        return out, DoGState(jnp.array(False), state.init_params, distance, squares)

    decay = identity() if weight_decay is None else add_decayed_weights(weight_decay, mask)
    return chain(decay, GradientTransformationExtraArgs(init, update), scale_by_learning_rate(learning_rate))


class DoWGState(NamedTuple):
    """State of ``dowg``.

    Attributes:
      init_params: the parameters at the start.
      weighted_sq_norm_grads: sum of squared norms of gradients, weighted by squared distances.
      estim_sq_dist: the greatest squared distance from the start.
    """

    init_params: Params
    weighted_sq_norm_grads: Any
    estim_sq_dist: Any


@naming("contrib.dowg", floating=True)
def dowg(
    learning_rate: ScalarOrSchedule = 1.0,
    init_estim_sq_dist: float | None = None,
    eps: float = 1e-4,
    weight_decay: ScalarOrSchedule | None = None,
    mask: MaskOrFn | None = None,
) -> GradientTransformationExtraArgs:
    """Distance over weighted gradients: as ``dog``, with gradients weighted by distances; its ``update`` needs the
    parameters.

    Args:
      learning_rate: factor of steps, or a function of the number of updates so far.
      init_estim_sq_dist: first squared distance; default ``eps``.
      eps: added to the root.
      weight_decay: how much of the parameters is added to gradients; None for nothing.
      mask: as for ``adamw``.

    References:
      Khaled et al., "DoWG unleashed: an efficient universal parameter-free gradient descent method", 2023.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> opt = optim.contrib.dowg()
      >>> x = jnp.array([1.0, -2.0])
      >>> updates, state = opt.update(2 * x, opt.init(x), x)
    """

    def init(params: Params) -> DoWGState:
        dtype = dtype_of(params, "lowest")
        first = eps if init_estim_sq_dist is None else init_estim_sq_dist
        return DoWGState(params, jnp.zeros((), dtype), jnp.asarray(first, dtype))

    def update(updates: Updates, state: OptState, params: Params | None = None, **extra: Any) -> tuple:
        check_state(state, DoWGState)
        needs_params("contrib.dowg", params)
        dtype = state.estim_sq_dist.dtype
        distance = jnp.maximum(state.estim_sq_dist, norm(sub(state.init_params, params), squared=True)).astype(dtype)
        squares = (distance * norm(updates, squared=True) + state.weighted_sq_norm_grads).astype(dtype)
        size = distance / (jnp.sqrt(squares) + eps)
        return tree.map(lambda g: size * g, updates), DoWGState(state.init_params, squares, distance)

    decay = identity() if weight_decay is None else add_decayed_weights(weight_decay, mask)
    return chain(decay, GradientTransformationExtraArgs(init, update), scale_by_learning_rate(learning_rate))


class ProdigyState(NamedTuple):
    """State of ``prodigy``.

    Attributes:
      exp_avg: mean of scaled gradients.
      exp_avg_sq: mean of their squares.
      grad_sum: decaying sum of scaled gradients.
      params0: the parameters at the start.
      estim_lr: estimate of the distance to the solution.
      numerator_weighted: decaying sum of inner products of gradients and ways from the start.
      count: number of updates so far, int32 scalar.
    """

    exp_avg: Updates
    exp_avg_sq: Updates
    grad_sum: Updates
    params0: Updates
    estim_lr: Any
    numerator_weighted: Any
    count: Any


def _adam_factor(betas: tuple[float, float], count: Any, wide: bool) -> Any:
    """Both corrections of Adam as one factor of its step."""
    return gained(betas[1], count, wide) ** 0.5 / gained(betas[0], count, wide)


@naming("contrib.prodigy", floating=True)
def prodigy(
    learning_rate: ScalarOrSchedule = 1.0,
    betas: tuple[float, float] = (0.9, 0.999),
    beta3: float | None = None,
    eps: float = 1e-8,
    estim_lr0: float = 1e-6,
    estim_lr_coef: float = 1.0,
    weight_decay: float = 0.0,
    safeguard_warmup: bool = False,
) -> GradientTransformationExtraArgs:
    """Prodigy: AdamW that estimates its learning rate, the distance to the solution; its ``update`` needs the
    parameters.

    Args:
      learning_rate: factor of the estimate, or a function of the number of updates so far.
      betas: decays of the means of gradients and of their squares.
      beta3: decay of the sums of the estimate; default the root of ``betas[1]``.
      eps: added to the root.
      estim_lr0: first estimate.
      estim_lr_coef: factor of later estimates.
      weight_decay: strength of the decay.
      safeguard_warmup: whether the schedule stays out of the estimate, for warm-up.

    References:
      Mishchenko and Defazio, "Prodigy: an expeditiously adaptive parameter-free learner", 2023.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> opt = optim.contrib.prodigy()
      >>> x = jnp.array([1.0, -2.0])
      >>> updates, state = opt.update(2 * x, opt.init(x), x)
    """
    b1, b2 = betas
    b3 = b2**0.5 if beta3 is None else beta3

    def init(params: Params) -> ProdigyState:
        dtype = dtype_of(params, "lowest")
        zeros = [_zeros(params) for _ in range(3)]
        return ProdigyState(
            zeros[0], zeros[1], zeros[2], params, jnp.asarray(estim_lr0, dtype), jnp.zeros((), dtype), zero_count()
        )

    def update(updates: Updates, state: OptState, params: Params | None = None, **extra: Any) -> tuple:
        check_state(state, ProdigyState)
        needs_params("contrib.prodigy", params)
        tree.map(check_shapes, updates, state.exp_avg)
        count = next_count(state.count)
        estimate = state.estim_lr
        factor = _adam_factor(betas, count, is_wide(state.exp_avg_sq))
        rate = jnp.asarray(estimate * _at(learning_rate, state.count) * factor, dtype=estimate.dtype)
        scaled = tree.map(lambda g: estimate * g, updates)
        way = vdot(updates, sub(state.params0, params))
        means = tree.map(lambda m, g: b1 * m + (1 - b1) * g, state.exp_avg, scaled)
        squares = tree.map(lambda v, g: b2 * v + (1 - b2) * g * g, state.exp_avg_sq, scaled)
        part = (estimate if safeguard_warmup else rate) / estim_lr0
        sums = tree.map(lambda s, g: b3 * s + part * g, state.grad_sum, scaled)
        numerator = b3 * state.numerator_weighted + estimate / estim_lr0 * rate * way
        numerator = like(numerator, state.numerator_weighted)
        found = estim_lr_coef * numerator / total(tree.map(jnp.abs, sums))
        new = like(jnp.maximum(estimate, found), estimate)

        def step(m: Any, v: Any, p: Any) -> Any:
            return -weight_decay * rate * p - rate * m / (jnp.sqrt(v) + new * eps)

        out = tree.map(step, means, squares, params)
        return out, ProdigyState(means, squares, sums, state.params0, new, numerator, count)

    return GradientTransformationExtraArgs(init, update)


class DAdaptAdamWState(NamedTuple):
    """State of ``dadapt_adamw``.

    Attributes:
      exp_avg: mean of scaled gradients.
      exp_avg_sq: mean of squared gradients.
      grad_sum: decaying sum of scaled gradients.
      estim_lr: estimate of the distance to the solution.
      numerator_weighted: decaying sum of inner products.
      count: number of updates so far, int32 scalar.
    """

    exp_avg: Updates
    exp_avg_sq: Updates
    grad_sum: Updates
    estim_lr: Any
    numerator_weighted: Any
    count: Any


@naming("contrib.dadapt_adamw", floating=True)
def dadapt_adamw(
    learning_rate: ScalarOrSchedule = 1.0,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    estim_lr0: float = 1e-6,
    weight_decay: float = 0.0,
) -> GradientTransformationExtraArgs:
    """AdamW with D-adaptation, which estimates the learning rate; its ``update`` needs the parameters.

    Args:
      learning_rate: factor of the estimate, or a function of the number of updates so far.
      betas: decays of the means of gradients and of their squares.
      eps: added to the root.
      estim_lr0: first estimate.
      weight_decay: strength of the decay.

    References:
      Defazio and Mishchenko, "Learning-rate-free learning by D-adaptation", 2023.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> opt = optim.contrib.dadapt_adamw()
      >>> x = jnp.array([1.0, -2.0])
      >>> updates, state = opt.update(2 * x, opt.init(x), x)
    """
    b1, b2 = betas
    b3 = b2**0.5

    def init(params: Params) -> DAdaptAdamWState:
        dtype = dtype_of(params, "lowest")
        zeros = [_zeros(params) for _ in range(3)]
        return DAdaptAdamWState(
            zeros[0], zeros[1], zeros[2], jnp.asarray(estim_lr0, dtype), jnp.zeros((), dtype), zero_count()
        )

    def update(updates: Updates, state: OptState, params: Params | None = None, **extra: Any) -> tuple:
        check_state(state, DAdaptAdamWState)
        needs_params("contrib.dadapt_adamw", params)
        tree.map(check_shapes, updates, state.exp_avg)
        count = next_count(state.count)
        factor = _adam_factor(betas, count, is_wide(state.exp_avg_sq))
        rate = jnp.asarray(state.estim_lr * _at(learning_rate, state.count) * factor, state.numerator_weighted.dtype)
        weighted = tree.map(lambda s, v: s / (jnp.sqrt(v) + eps), state.grad_sum, state.exp_avg_sq)
        product = vdot(updates, weighted)
        means = tree.map(lambda m, g: b1 * m + (1 - b1) * rate * g, state.exp_avg, updates)
        squares = tree.map(lambda v, g: b2 * v + (1 - b2) * g * g, state.exp_avg_sq, updates)
        sums = tree.map(lambda s, g: b3 * s + (1 - b3) * rate * g, state.grad_sum, updates)
        numerator = like(b3 * state.numerator_weighted + (1 - b3) * rate * product, state.numerator_weighted)
        found = numerator / ((1 - b3) * total(tree.map(jnp.abs, sums)))
        estimate = like(jnp.maximum(state.estim_lr, found), state.estim_lr)

        def step(m: Any, v: Any, p: Any) -> Any:
            return -weight_decay * rate * p - m / (jnp.sqrt(v) + eps)

        out = tree.map(step, means, squares, params)
        return out, DAdaptAdamWState(means, squares, sums, estimate, numerator, count)

    return GradientTransformationExtraArgs(init, update)


class MechanicState(NamedTuple):
    """State of ``mechanize``.

    Attributes:
      base_optimizer_state: state of the optimizer.
      count: number of updates so far, int32 scalar.
      r: rewards, one for each decay.
      m: greatest inner products, one for each decay.
      v: sums of squared inner products, one for each decay.
      s: parts of the learning rate, one for each decay.
      x0: the parameters at the start.
    """

    base_optimizer_state: OptState
    count: Any
    r: Any
    m: Any
    v: Any
    s: Any
    x0: Updates


@naming("contrib.mechanize", floating=True)
def mechanize(
    base_optimizer: GradientTransformation,
    weight_decay: float = 1e-2,
    eps: float = 1e-8,
    s_init: float = 1e-6,
    num_betas: int = 6,
) -> GradientTransformationExtraArgs:
    """Mechanic: finds a learning rate for an optimizer while it runs; its ``update`` needs the parameters.

    Args:
      base_optimizer: the optimizer, with a learning rate of 1 or a schedule from it.
      weight_decay: strength of a decay that keeps the learning rate small.
      eps: added to divisors.
      s_init: first learning rate.
      num_betas: number of decays ``1 - 0.1**i`` that are used at once.

    References:
      Cutkosky et al., "Mechanic: a learning rate tuner", 2023.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> opt = optim.contrib.mechanize(optim.adam(1.0))
      >>> x = jnp.array([1.0, -2.0])
      >>> updates, state = opt.update(2 * x, opt.init(x), x)
    """
    inner = with_extra_args_support(base_optimizer)

    def init(params: Params) -> MechanicState:
        dtype = dtype_of(params, "lowest")
        zeros = [jnp.zeros(num_betas, dtype) for _ in range(3)]
        rates = jnp.full(num_betas, s_init, dtype)
        return MechanicState(inner.init(params), zero_count(), zeros[0], zeros[1], zeros[2], rates, params)

    def update(updates: Updates, state: OptState, params: Params | None = None, **extra: Any) -> tuple:
        check_state(state, MechanicState)
        needs_params("contrib.mechanize", params)
        steps, inner_state = inner.update(updates, state.base_optimizer_state, params, **extra)
        start = tree.map(lambda p, p0: jnp.where(state.count == 0, p, p0), params, state.x0)
        rate = jnp.sum(state.s)
        decay = weight_decay * rate * norm(updates) / (norm(params) + eps)
        updates = tree.map(lambda g, p: g + decay * p, updates, params)
        way = tree.map(lambda p, p0: (p0 - p) / (rate + eps), params, start)
        new_way = tree.map(lambda w, u: w - u, way, steps)
        product = vdot(updates, way)
        decays = jnp.array([1.0 - 0.1**i for i in range(1, num_betas + 1)], dtype=state.s.dtype)
        m = jnp.maximum(decays * state.m, jnp.abs(product) + eps)
        v = decays**2 * state.v + product**2
        r = decays * state.r + jnp.clip(product, -state.m, state.m) * state.s
        s = (s_init / num_betas * m + jnp.maximum(r, 0.0)) / (jnp.sqrt(v) + eps)
        out = tree.map(lambda p0, w, p: p0 - jnp.sum(s) * w - p, start, new_way, params)
        m, v, r, s = like(m, state.m), like(v, state.v), like(r, state.r), like(s, state.s)
        return out, MechanicState(inner_state, next_count(state.count), r, m, v, s, start)

    return GradientTransformationExtraArgs(init, update)


class MomoState(NamedTuple):
    """State of ``momo``.

    Attributes:
      exp_avg: mean of gradients.
      barf: mean of values of the function.
      gamma: mean of inner products of gradients and parameters.
      lb: lower bound of the function.
      count: number of updates so far, int32 scalar.
    """

    exp_avg: Updates
    barf: Any
    gamma: Any
    lb: Any
    count: Any


class MomoAdamState(NamedTuple):
    """State of ``momo_adam``.

    Attributes:
      exp_avg: mean of gradients.
      exp_avg_sq: mean of squared gradients.
      barf: mean of values of the function.
      gamma: mean of inner products of gradients and parameters.
      lb: lower bound of the function.
      count: number of updates so far, int32 scalar.
    """

    exp_avg: Updates
    exp_avg_sq: Updates
    barf: Any
    gamma: Any
    lb: Any
    count: Any


def _needs_value(name: str, value: Any) -> None:
    if value is None:
        raise TypeError(f"fungrad.optim.contrib.{name}: update needs the value of the function: pass value=")


def _momo_step(
    gap: Any, alpha: Any, longest: Any, decay: Any, bound: Any, gain: Any, squared: Any, lower: float, adapt: bool
) -> tuple[Any, Any]:
    """The step size that MoMo's model of the function asks for, and the lower bound that it uses.

    Args:
      gap: mean value minus mean inner product, and the inner product of mean gradient and parameters.
      alpha: learning rate.
      longest: the greatest step size.
      decay: weight decay.
      bound: lower bound so far.
      gain: how much of the means is not their start at zero.
      squared: squared norm of the mean gradient.
      lower: least lower bound.
      adapt: whether the bound is adapted.
    """
    shrink = 1 + alpha * decay
    values, product = gap
    if adapt:
        cap = shrink * values + product
        bound = jnp.where(cap < shrink * gain * bound, jnp.maximum(cap / (2 * gain * shrink), lower), bound)
    flat = squared <= np.finfo(np.float64).eps
    model = jnp.maximum(shrink * (values - gain * bound) + product, 0.0) / jnp.where(flat, 1.0, squared)
    return jnp.minimum(longest, jnp.where(flat, 0.0, model)), bound


@naming("contrib.momo", floating=True)
def momo(
    learning_rate: ScalarOrSchedule = 1.0,
    beta: float = 0.9,
    lower_bound: float = 0.0,
    weight_decay: float = 0.0,
    adapt_lower_bound: bool = False,
) -> GradientTransformationExtraArgs:
    """MoMo: momentum with a step size from a model of the function; its ``update`` needs the parameters, and the value
    of the function as ``value=``.

    Args:
      learning_rate: the greatest step size, or a function of the number of updates so far.
      beta: decay of means.
      lower_bound: bound of the function from below.
      weight_decay: strength of the decay.
      adapt_lower_bound: whether the bound is estimated.

    References:
      Schaipp et al., "MoMo: momentum models for adaptive learning rates", 2023.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> opt = optim.contrib.momo()
      >>> x = jnp.array([1.0, -2.0])
      >>> updates, state = opt.update(2 * x, opt.init(x), x, value=jnp.sum(x ** 2))
      >>> print(updates)
      [-0.5  1. ]
    """

    def init(params: Params) -> MomoState:
        dtype = dtype_of(params, "lowest")
        zeros = jnp.zeros((), dtype), jnp.zeros((), dtype)
        return MomoState(_zeros(params), zeros[0], zeros[1], jnp.asarray(lower_bound, dtype), zero_count())

    def update(
        updates: Updates, state: OptState, params: Params | None = None, *, value: Any = None, **extra: Any
    ) -> tuple:
        check_state(state, MomoState)
        needs_params("contrib.momo", params)
        _needs_value("momo", value)
        tree.map(check_shapes, updates, state.exp_avg)
        kept = jnp.where(state.count == 0, 0.0, beta).astype(state.barf.dtype)
        mean_value = decayed(jnp.asarray(value).astype(state.barf.dtype), state.barf, kept)
        means = tree.map(lambda m, g: like(decayed(g, m, kept), m), state.exp_avg, updates)
        products = like(decayed(vdot(updates, params), state.gamma, kept), state.gamma)
        squared, product = norm(means, squared=True), vdot(means, params)
        alpha = _at(learning_rate, state.count)
        gap = mean_value - products, product
        size, _ = _momo_step(
            gap, alpha, alpha, weight_decay, state.lb, 1.0, squared, lower_bound, adapt_lower_bound
        )
        shrink = alpha * weight_decay / (1 + alpha * weight_decay)
        out = tree.map(lambda m, p: -shrink * p - size * m, means, params)
        bound = state.lb
        if adapt_lower_bound:
            bound = jnp.maximum(gap[0] + product - 0.5 * size * squared, lower_bound)
        return out, MomoState(means, mean_value, products, like(bound, state.lb), next_count(state.count))

    return GradientTransformationExtraArgs(init, update)


@naming("contrib.momo_adam", floating=True)
def momo_adam(
    learning_rate: ScalarOrSchedule = 1e-2,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-8,
    lower_bound: float = 0.0,
    weight_decay: float = 0.0,
    adapt_lower_bound: bool = False,
) -> GradientTransformationExtraArgs:
    """MoMo with Adam's scaling; its ``update`` needs the parameters, and the value of the function as ``value=``.

    Args:
      learning_rate: the greatest step size, or a function of the number of updates so far.
      b1: decay of means of gradients and values.
      b2: decay of the mean of squared gradients.
      eps: added to the root.
      lower_bound: bound of the function from below.
      weight_decay: strength of the decay.
      adapt_lower_bound: whether the bound is estimated.

    References:
      Schaipp et al., "MoMo: momentum models for adaptive learning rates", 2023.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> opt = optim.contrib.momo_adam()
      >>> x = jnp.array([1.0, -2.0])
      >>> updates, state = opt.update(2 * x, opt.init(x), x, value=jnp.sum(x ** 2))
    """

    def init(params: Params) -> MomoAdamState:
        dtype = dtype_of(params, "lowest")
        zeros = jnp.zeros((), dtype), jnp.zeros((), dtype)
        bound = jnp.asarray(lower_bound, dtype)
        return MomoAdamState(_zeros(params), _zeros(params), zeros[0], zeros[1], bound, zero_count())

    def update(
        updates: Updates, state: OptState, params: Params | None = None, *, value: Any = None, **extra: Any
    ) -> tuple:
        check_state(state, MomoAdamState)
        needs_params("contrib.momo_adam", params)
        _needs_value("momo_adam", value)
        tree.map(check_shapes, updates, state.exp_avg)
        count = next_count(state.count)
        wide = is_wide(state.exp_avg_sq)
        gain, squares_gain = (gained(b, count, wide).astype(state.barf.dtype) for b in (b1, b2))
        mean_value = decayed(jnp.asarray(value).astype(state.barf.dtype), state.barf, b1)
        means = tree.map(lambda m, g: decayed(g, m, b1), state.exp_avg, updates)
        squares = tree.map(lambda v, g: decayed(g * g, v, b2), state.exp_avg_sq, updates)
        roots = tree.map(lambda v: eps + jnp.sqrt(v / squares_gain), squares)
        squared = vdot(means, tree.map(lambda m, root: m / root, means, roots))
        products = like(decayed(vdot(updates, params), state.gamma, b1), state.gamma)
        product = vdot(means, params)
        alpha = _at(learning_rate, state.count)
        gap = mean_value - products, product
        size, _ = _momo_step(
            gap, alpha, alpha / gain, weight_decay, state.lb, gain, squared, lower_bound, adapt_lower_bound
        )
        shrink = alpha * weight_decay / (1 + alpha * weight_decay)
        out = tree.map(lambda m, root, p: -shrink * p - size * m / root, means, roots, params)
        bound = state.lb
        if adapt_lower_bound:
            bound = jnp.maximum((gap[0] + product - 0.5 * size * squared) / gain, lower_bound)
        return out, MomoAdamState(means, squares, mean_value, products, like(bound, state.lb), count)

    return GradientTransformationExtraArgs(init, update)
