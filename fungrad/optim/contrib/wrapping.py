"""Transformations around others, or of learning rates: SAM, plateaus, privacy, complex numbers.

May import the transformations.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import fungrad.numpy as jnp
from fungrad import lax, random
from fungrad.core import tree
from fungrad.core.arguments import index
from fungrad.optim._formulas import next_count, zero_count
from fungrad.optim._naming import naming
from fungrad.optim.apply import apply_updates
from fungrad.optim.base import (
    EmptyState,
    GradientTransformation,
    GradientTransformationExtraArgs,
    OptState,
    Params,
    ScalarOrSchedule,
    Updates,
    check_state,
    identity,
    needs_params,
    stateless,
    with_extra_args_support,
)
from fungrad.optim.scaling.steps import scale_by_learning_rate
from fungrad.optim.transforms.accumulation import trace
from fungrad.optim.transforms.adding import as_key
from fungrad.optim.transforms.clipping import per_example_global_norm_clip
from fungrad.optim.transforms.combining import chain
from fungrad.optim.tree.arithmetic import norm
from fungrad.optim.tree.casting import dtype_of

NormalizeState = EmptyState


@naming("contrib.normalize")
def normalize() -> GradientTransformationExtraArgs:
    """Divides updates by their global norm.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> opt = optim.contrib.normalize()
      >>> print(opt.update(jnp.array([3.0, 4.0]), opt.init(jnp.ones(2)))[0])
      [0.6 0.8]
    """

    def apply(updates: Updates, params: Params | None) -> Updates:
        size = norm(updates)
        return tree.map(lambda g: g / size, updates)

    return stateless(apply)


class SAMState(NamedTuple):
    """State of ``sam``.

    Attributes:
      steps_since_sync: number of gradients since the last update, int32 scalar.
      opt_state: state of the optimizer.
      adv_state: state of the optimizer that climbs.
      cache: the parameters before climbing; None in opaque mode.
    """

    steps_since_sync: Any
    opt_state: OptState
    adv_state: OptState
    cache: Params | None


def _pick(condition: Any, one: Any, other: Any) -> Any:
    return tree.map(lambda a, b: jnp.where(condition, a, b), one, other)


@naming("contrib.sam", floating=True)
def sam(
    optimizer: GradientTransformation,
    adv_optimizer: GradientTransformation,
    sync_period: int = 2,
    reset_state: bool = True,
    opaque_mode: bool = False,
    batch_axis_name: str | None = None,
) -> GradientTransformationExtraArgs:
    """Sharpness-aware minimization: climbs to where the function is worst nearby, and steps with the gradient from
    there.

    In transparent mode every ``update`` is one step of climbing, but each ``sync_period``-th goes back and applies the
    optimizer. In opaque mode one ``update`` does all, and needs ``grad_fn=``. Both need the parameters.

    Args:
      optimizer: for the parameters.
      adv_optimizer: for climbing, such as ``chain(normalize(), sgd(0.05))``.
      sync_period: number of gradients for an update.
      reset_state: whether climbing starts anew after each.
      opaque_mode: whether one ``update`` does all; ``grad_fn(params, i)`` gives the gradient for step ``i`` of
      climbing.
      batch_axis_name: name of a mapped axis over which these gradients are averaged.

    Raises:
      ValueError: ``sync_period`` is less than 1.
      TypeError: ``update`` is called without ``grad_fn`` in opaque mode.

    References:
      Foret et al., "Sharpness-aware minimization for efficiently improving generalization", 2020.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> climb = optim.chain(optim.contrib.normalize(), optim.sgd(0.05))
      >>> opt = optim.contrib.sam(optim.sgd(0.1), climb, opaque_mode=True)
      >>> x = jnp.array([3.0, 4.0])
      >>> updates, state = opt.update(2 * x, opt.init(x), x, grad_fn=lambda x, i: 2 * x)
      >>> print(updates)
      [-0.606 -0.808]
    """
    index("fungrad.optim.contrib.sam", "sync_period", sync_period, 1)
    optimizer, climber = with_extra_args_support(optimizer), with_extra_args_support(adv_optimizer)

    def init(params: Params) -> SAMState:
        cache = None if opaque_mode else params
        return SAMState(zero_count(), optimizer.init(params), climber.init(params), cache)

    def transparent(updates: Updates, state: SAMState, params: Params) -> tuple:
        first, last = state.steps_since_sync == 0, state.steps_since_sync == sync_period - 1
        climb, climbing = climber.update(updates, state.adv_state, params)
        climb = tree.map(lambda u: -u, climb)
        step, stepped = optimizer.update(updates, state.opt_state, state.cache)
        back = tree.map(lambda c, p, u: c - p + u, state.cache, params, step)
        climbing = _pick(last, climber.init(params) if reset_state else state.adv_state, climbing)
        count = (state.steps_since_sync + 1) % sync_period
        after = SAMState(count, _pick(last, stepped, state.opt_state), climbing, _pick(first, params, state.cache))
        return _pick(last, back, climb), after

    def opaque(updates: Updates, state: SAMState, params: Params, grad_fn: Callable[..., Any] | None) -> tuple:
        if grad_fn is None:
            raise TypeError("fungrad.optim.contrib.sam: update needs grad_fn= in opaque mode")
        climbing, place = state.adv_state, params
        for i in range(sync_period - 1):
            climb, climbing = climber.update(updates, climbing, place)
            place = apply_updates(place, tree.map(lambda u: -u, climb))
            updates = grad_fn(place, i)
            if batch_axis_name is not None:
                updates = lax.pmean(updates, axis_name=batch_axis_name)
        if reset_state:
            climbing = climber.init(params)
        updates, stepped = optimizer.update(updates, state.opt_state, params)
        return updates, SAMState(zero_count(), stepped, climbing, None)

    def update(
        updates: Updates, state: OptState, params: Params | None = None, *, grad_fn: Any = None, **extra: Any
    ) -> tuple:
        check_state(state, SAMState)
        needs_params("contrib.sam", params)
        return opaque(updates, state, params, grad_fn) if opaque_mode else transparent(updates, state, params)

    return GradientTransformationExtraArgs(init, update)


class ReduceLROnPlateauState(NamedTuple):
    """State of ``reduce_on_plateau``.

    Attributes:
      scale: factor of updates.
      best_value: the least mean value so far.
      plateau_count: number of mean values since, int32 scalar.
      cooldown_count: number of mean values until counting starts again, int32 scalar.
      count: number of values in the mean, int32 scalar.
      avg_value: mean of values.
    """

    scale: Any
    best_value: Any
    plateau_count: Any
    cooldown_count: Any
    count: Any
    avg_value: Any


@naming("contrib.reduce_on_plateau")
def reduce_on_plateau(
    factor: float = 0.1,
    patience: int = 10,
    rtol: float = 1e-4,
    atol: float = 0.0,
    cooldown: int = 0,
    accumulation_size: int = 1,
    min_scale: float = 0.0,
) -> GradientTransformationExtraArgs:
    """Makes updates smaller when a value no longer falls; ``update`` needs the value as ``value=``.

    Args:
      factor: of updates, each time.
      patience: number of values without improvement.
      rtol: relative change that is an improvement.
      atol: absolute change that is one.
      cooldown: number of values after a reduction that do not count.
      accumulation_size: number of values of which the mean counts as one.
      min_scale: the least factor.

    Raises:
      ValueError: ``factor`` is not between 0 and 1, or ``rtol`` and ``atol`` are no tolerances.
      TypeError: ``update`` is called without ``value``.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> opt = optim.chain(optim.sgd(1.0), optim.contrib.reduce_on_plateau(factor=0.5, patience=2))
      >>> state = opt.init(jnp.ones(1))
      >>> for value in (1.0, 1.0, 1.0):
      ...     updates, state = opt.update(jnp.ones(1), state, value=value)
      ...     print(updates)
      [-1.]
      [-1.]
      [-0.5]
    """
    api = "fungrad.optim.contrib.reduce_on_plateau"
    if not 0.0 < factor < 1.0:
        raise ValueError(f"{api}: factor must be between 0 and 1, got {factor}")
    if rtol < 0.0 or atol < 0.0 or rtol > 1.0 or (rtol == 0.0 and atol == 0.0):
        raise ValueError(
            f"{api}: rtol must be from 0 to 1, atol at least 0, and one of them positive, got {rtol} and {atol}"
        )

    def init(params: Params) -> ReduceLROnPlateauState:
        low, high = dtype_of(params, "lowest"), dtype_of(params, "highest")
        counts = [zero_count() for _ in range(3)]
        return ReduceLROnPlateauState(
            jnp.ones((), low), jnp.array(jnp.inf, high), counts[0], counts[1], counts[2], jnp.zeros((), high)
        )

    def judged(state: ReduceLROnPlateauState) -> ReduceLROnPlateauState:
        mean = state.avg_value
        better = mean < (1 - rtol) * state.best_value - atol
        waited = jnp.where(better, 0, next_count(state.plateau_count)).astype(jnp.int32)
        cooling = state.cooldown_count > 0
        reduce = (waited == patience) & ~cooling
        reduced = jnp.maximum(jnp.where(reduce, state.scale * factor, state.scale), min_scale)
        smaller = jnp.where(cooling, state.scale, reduced)
        return ReduceLROnPlateauState(
            smaller.astype(state.scale.dtype),
            jnp.where(better, mean, state.best_value),
            jnp.where(reduce | cooling, 0, waited).astype(jnp.int32),
            jnp.where(cooling, state.cooldown_count - 1, jnp.where(reduce, cooldown, 0)).astype(jnp.int32),
            zero_count(),
            jnp.zeros_like(mean),
        )

    def update(
        updates: Updates, state: OptState, params: Params | None = None, *, value: Any = None, **extra: Any
    ) -> tuple:
        check_state(state, ReduceLROnPlateauState)
        if value is None:
            raise TypeError(f"{api}: update needs the value that is to fall: pass value=")
        count = next_count(state.count)
        dtype = state.avg_value.dtype
        mean = ((state.count * state.avg_value + jnp.asarray(value).astype(dtype)) / count).astype(dtype)
        state = state._replace(avg_value=mean, count=count)
        after = _pick(count == accumulation_size, judged(state), state)
        return tree.map(lambda g: after.scale * g, updates), after

    return GradientTransformationExtraArgs(init, update)


class DifferentiallyPrivateAggregateState(NamedTuple):
    """State of ``differentially_private_aggregate``.

    Attributes:
      rng_key: key of the noise to come.
    """

    rng_key: Any


@naming("contrib.differentially_private_aggregate")
def differentially_private_aggregate(
    l2_norm_clip: float, noise_multiplier: float, key: Any = None, *, seed: int | None = None
) -> GradientTransformationExtraArgs:
    """From gradients of single examples to one with differential privacy: clips each, adds them up, adds noise, and
    divides by the number of examples.

    Args:
      l2_norm_clip: the greatest norm of the gradient of one example.
      noise_multiplier: standard deviation of the noise, as a multiple of it.
      key: a key of ``fungrad.random`` or an integer; default 0.
      seed: an integer; the old name of ``key``.

    Raises:
      ValueError: both ``key`` and ``seed`` are given, or updates have no axis of examples.

    References:
      Abadi et al., "Deep learning with differential privacy", 2016.
    """
    if seed is not None:
        if key is not None:
            raise ValueError("fungrad.optim.contrib.differentially_private_aggregate: pass key or seed, not both")
        key = seed
    start = 0 if key is None else key

    def init(params: Params) -> DifferentiallyPrivateAggregateState:
        return DifferentiallyPrivateAggregateState(as_key(start))

    def update(updates: Updates, state: OptState, params: Params | None = None, **extra: Any) -> tuple:
        check_state(state, DifferentiallyPrivateAggregateState)
        leaves, treedef = tree.flatten(updates)
        clipped, _ = per_example_global_norm_clip(leaves, l2_norm_clip)
        keys = random.split(state.rng_key, len(leaves) + 1)
        deviation = l2_norm_clip * noise_multiplier
        out = [
            (g + deviation * random.normal(keys[1 + i], g.shape, g.dtype)) / leaves[0].shape[0]
            for i, g in enumerate(clipped)
        ]
        return tree.unflatten(treedef, out), DifferentiallyPrivateAggregateState(keys[0])

    return GradientTransformationExtraArgs(init, update)


@naming("contrib.dpsgd")
def dpsgd(
    learning_rate: ScalarOrSchedule,
    l2_norm_clip: float,
    noise_multiplier: float,
    seed: int,
    momentum: float | None = None,
    nesterov: bool = False,
) -> GradientTransformationExtraArgs:
    """Gradient descent with differential privacy; updates are gradients of single examples, along a first axis.

    Args:
      learning_rate: step size, or a function of the number of updates so far.
      l2_norm_clip: the greatest norm of the gradient of one example.
      noise_multiplier: standard deviation of the noise, as a multiple of it.
      seed: an integer.
      momentum: decay of the running sum of gradients; None for none.
      nesterov: whether momentum looks one step ahead.

    References:
      Abadi et al., "Deep learning with differential privacy", 2016.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> opt = optim.contrib.dpsgd(0.1, l2_norm_clip=1.0, noise_multiplier=0.0, seed=0)
      >>> x = jnp.zeros(2)
      >>> updates, state = opt.update(jnp.array([[3.0, 4.0], [0.6, 0.8]]), opt.init(x))
      >>> print(jnp.round(updates, 4))
      [-0.06 -0.08]
    """
    return chain(
        differentially_private_aggregate(l2_norm_clip, noise_multiplier, seed=seed),
        identity() if momentum is None else trace(momentum, nesterov),
        scale_by_learning_rate(learning_rate),
    )


class SplitRealAndImaginaryArrays(NamedTuple):
    """A complex array as two real ones.

    Attributes:
      real: real part.
      imaginary: imaginary part.
    """

    real: Any
    imaginary: Any


class SplitRealAndImaginaryState(NamedTuple):
    """State of ``split_real_and_imaginary``.

    Attributes:
      inner_state: state of the transformation.
    """

    inner_state: OptState


def _split(values: Any) -> Any:
    return tree.map(lambda x: SplitRealAndImaginaryArrays(x.real, x.imag) if jnp.iscomplexobj(x) else x, values)


def _is_pair(x: Any) -> bool:
    return isinstance(x, SplitRealAndImaginaryArrays)


def _joined(values: Any) -> Any:
    return tree.map(lambda x: lax.complex(x.real, x.imaginary) if _is_pair(x) else x, values, is_leaf=_is_pair)


@naming("contrib.split_real_and_imaginary")
def split_real_and_imaginary(inner: GradientTransformation) -> GradientTransformationExtraArgs:
    """Lets a transformation see each complex array as two real ones.

    Args:
      inner: the transformation.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> opt = optim.contrib.split_real_and_imaginary(optim.sign_sgd(1.0))
      >>> x = jnp.array([3.0 - 4.0j])
      >>> print(opt.update(x, opt.init(x))[0])
      [-1.+1.j]
    """
    inner = with_extra_args_support(inner)

    def init(params: Params) -> SplitRealAndImaginaryState:
        return SplitRealAndImaginaryState(inner.init(_split(params)))

    def update(updates: Updates, state: OptState, params: Params | None = None, **extra: Any) -> tuple:
        check_state(state, SplitRealAndImaginaryState)
        out, after = inner.update(_split(updates), state.inner_state, _split(params), **extra)
        return _joined(out), SplitRealAndImaginaryState(after)

    return GradientTransformationExtraArgs(init, update)
