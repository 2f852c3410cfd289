"""Lookahead: a second, slow copy of the parameters.

May import ``fungrad.numpy`` and the modules of ``optim`` that every transformation may import.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import fungrad.numpy as jnp
from fungrad.core import tree
from fungrad.core.arguments import index, shown
from fungrad.optim._formulas import zero_count
from fungrad.optim._naming import naming
from fungrad.optim.base import (
    GradientTransformation,
    GradientTransformationExtraArgs,
    OptState,
    Params,
    Updates,
    check_state,
)


class LookaheadState(NamedTuple):
    """State of ``lookahead``.

    Attributes:
      fast_state: state of the fast optimizer.
      steps_since_sync: number of updates since the parameters were the same, int32 scalar.
    """

    fast_state: OptState
    steps_since_sync: Any


class LookaheadParams(NamedTuple):
    """Two copies of parameters.

    Attributes:
      fast: those for which gradients are computed.
      slow: those that follow them, for inference.
    """

    fast: Params
    slow: Params

    @classmethod
    def init_synced(cls, params: Params) -> LookaheadParams:
        """Both copies the same.

        Args:
          params: tree of arrays.
        """
        return cls(fast=params, slow=params)


@naming("lookahead")
def lookahead(
    fast_optimizer: GradientTransformation, sync_period: int, slow_step_size: float, reset_state: bool = False
) -> GradientTransformationExtraArgs:
    """Lets slow parameters follow fast ones: every ``sync_period`` updates ``slow += slow_step_size * (fast - slow)``,
    and then ``fast = slow``.

    ``init`` and ``update`` take ``LookaheadParams``; gradients are those of the fast parameters.

    Args:
      fast_optimizer: for the fast parameters.
      sync_period: how many updates there are between.
      slow_step_size: how far slow parameters move towards fast ones.
      reset_state: whether the fast optimizer starts anew after each.

    Raises:
      ValueError: ``sync_period`` is less than 1.

    References:
      Zhang et al., "Lookahead optimizer: k steps forward, 1 step back", 2019.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> opt = optim.lookahead(optim.sgd(1.0), sync_period=2, slow_step_size=0.5)
      >>> params = optim.LookaheadParams.init_synced(jnp.zeros(1))
      >>> state = opt.init(params)
      >>> for _ in range(2):
      ...     updates, state = opt.update(jnp.ones(1), state, params)
      ...     params = optim.apply_updates(params, updates)
      ...     print(params.fast, params.slow)
      [-1.] [0.]
      [-1.] [-1.]
    """
    index("fungrad.optim.lookahead", "sync_period", sync_period, 1)

    def init(params: Params) -> LookaheadState:
        fast = params.fast if isinstance(params, LookaheadParams) else params
        return LookaheadState(fast_optimizer.init(fast), zero_count())

    def update(updates: Updates, state: OptState, params: Params | None = None, **extra: Any) -> tuple:
        check_state(state, LookaheadState)
        if not isinstance(params, LookaheadParams):
            raise TypeError(f"fungrad.optim.lookahead: params must be LookaheadParams, got {shown(params)}")
        updates, fast_state = fast_optimizer.update(updates, state.fast_state, params.fast)
        sync = state.steps_since_sync == sync_period - 1
        ahead = tree.map(lambda f, u, s: f + u - s, params.fast, updates, params.slow)
        slow = tree.map(lambda d: jnp.where(sync, slow_step_size * d, jnp.zeros_like(d)), ahead)
        fast = tree.map(lambda u, d: jnp.where(sync, u - (1 - slow_step_size) * d, u), updates, ahead)
        if reset_state:
            first = fast_optimizer.init(params.fast)
            fast_state = tree.map(lambda now, start: jnp.where(sync, start, now), fast_state, first)
        steps = (state.steps_since_sync + 1) % sync_period
        return LookaheadParams(fast=fast, slow=slow), LookaheadState(fast_state, steps)

    return GradientTransformationExtraArgs(init, update)
