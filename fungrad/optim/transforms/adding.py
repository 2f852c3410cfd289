"""Adding to updates: a part of the parameters, or noise.

May import ``fungrad.numpy``, ``fungrad.random`` and the modules of ``optim`` that every transformation may import.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import fungrad.numpy as jnp
from fungrad import dtypes, random
from fungrad.core.array import Array
from fungrad.optim._formulas import next_count, zero_count
from fungrad.optim._leafwise import map_leaves
from fungrad.optim._naming import naming
from fungrad.optim.base import (
    EmptyState,
    GradientTransformationExtraArgs,
    MaskOrFn,
    OptState,
    Params,
    ScalarOrSchedule,
    Updates,
    check_state,
    needs_params,
)
from fungrad.optim.transforms.masking import masked
from fungrad.optim.tree.arithmetic import add_scale
from fungrad.optim.tree.randomness import random_like

AddDecayedWeightsState = EmptyState


class WeightDecaySchedule(NamedTuple):
    """State of ``add_decayed_weights`` with a schedule.

    Attributes:
      count: number of updates so far, int32 scalar.
    """

    count: Any


@naming("add_decayed_weights")
def add_decayed_weights(
    weight_decay: ScalarOrSchedule = 0.0, mask: MaskOrFn | None = None
) -> GradientTransformationExtraArgs:
    """Adds ``weight_decay * parameter`` to every update.

    Args:
      weight_decay: strength, or a function of the number of updates so far.
      mask: tree of bools like the parameters (or a function from parameters to one): where to decay; default
        everywhere.

    References:
      Loshchilov and Hutter, "Decoupled weight decay regularization", 2017.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> opt = optim.add_decayed_weights(0.1)
      >>> params = jnp.array([1.0, 2.0])
      >>> print(opt.update(jnp.zeros(2), opt.init(params), params)[0])
      [0.1 0.2]
    """
    scheduled = callable(weight_decay)

    def init(params: Params) -> Any:
        return WeightDecaySchedule(zero_count()) if scheduled else EmptyState()

    def update(updates: Updates, state: OptState, params: Params | None = None, **extra: Any) -> tuple:
        check_state(state, WeightDecaySchedule if scheduled else EmptyState)
        needs_params("add_decayed_weights", params)
        after = WeightDecaySchedule(next_count(state.count)) if scheduled else state
        if isinstance(weight_decay, (int, float)) and weight_decay == 0:
            return updates, after
        strength = weight_decay(state.count) if scheduled else weight_decay

        def step(leaves: Sequence[Any], _: Sequence[Any], np_: Any) -> tuple[Any]:
            return (leaves[0] + strength * leaves[1],)

        return map_leaves(step, (updates, params))[0], after

    decay = GradientTransformationExtraArgs(init, update)
    return decay if mask is None else masked(decay, mask)


class AddNoiseState(NamedTuple):
    """State of ``add_noise``.

    Attributes:
      count: number of updates so far, int32 scalar.
      rng_key: key of the noise to come.
    """

    count: Any
    rng_key: Any


def as_key(key_or_seed: Any) -> Any:
    """A key as it is, an integer or the integers of a key as a key."""
    if isinstance(key_or_seed, Array) and dtypes.issubdtype(key_or_seed.dtype, dtypes.prng_key):
        return key_or_seed
    return random.key(key_or_seed)


@naming("add_noise")
def add_noise(eta: float, gamma: float, key: Any = None, *, seed: int | None = None) -> GradientTransformationExtraArgs:
    """Adds normal noise of variance ``eta / count**gamma``, where ``count`` is 1 in the first update.

    Args:
      eta: variance of the noise in the first update.
      gamma: exponent with which it shrinks.
      key: a key of ``fungrad.random`` or an integer; default 0.
      seed: an integer; the old name of ``key``.

    Raises:
      ValueError: both ``key`` and ``seed`` are given.

    References:
      Neelakantan et al., "Adding gradient noise improves learning for very deep networks", 2014.
    """
    if seed is not None:
        if key is not None:
            raise ValueError("fungrad.optim.add_noise: pass key or seed, not both")
        key = seed
    start = 0 if key is None else key

    def init(params: Params) -> AddNoiseState:
        return AddNoiseState(zero_count(), as_key(start))

    def update(updates: Updates, state: OptState, params: Params | None = None, **extra: Any) -> tuple:
        check_state(state, AddNoiseState)
        count = next_count(state.count)
        deviation = jnp.sqrt(eta / count**gamma)
        keys = random.split(state.rng_key)
        out = add_scale(updates, deviation, random_like(keys[1], updates))
        return out, AddNoiseState(count, keys[0])

    return GradientTransformationExtraArgs(init, update)
