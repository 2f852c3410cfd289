"""Keeping parameters, or updates, to a set.

May import ``fungrad.numpy`` and the modules of ``optim`` that every transformation may import.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import fungrad.numpy as jnp
from fungrad.core import tree
from fungrad.optim._leafwise import map_leaves
from fungrad.optim._naming import naming
from fungrad.optim.base import (
    EmptyState,
    GradientTransformationExtraArgs,
    OptState,
    Params,
    Updates,
    check_state,
    needs_params,
    stateless,
)

NonNegativeParamsState = EmptyState


@naming("keep_params_nonnegative")
def keep_params_nonnegative() -> GradientTransformationExtraArgs:
    """Shortens updates that would make parameters negative, so that these become zero; must be last in a chain.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> opt = optim.chain(optim.sgd(1.0), optim.keep_params_nonnegative())
      >>> params = jnp.array([0.5, 2.0])
      >>> updates, _ = opt.update(jnp.ones(2), opt.init(params), params)
      >>> print(optim.apply_updates(params, updates))
      [0. 1.]
    """

    def step(leaves: Sequence[Any], _: Sequence[Any], np_: Any) -> tuple[Any]:
        p, g = leaves
        return (np_.where(p + g < 0.0, -p, g),)

    def apply(updates: Updates, params: Params | None) -> Updates:
        needs_params("keep_params_nonnegative", params)
        return map_leaves(step, (params, updates))[0]

    return stateless(apply)


class ZeroNansState(NamedTuple):
    """State of ``zero_nans``.

    Attributes:
      found_nan: for each parameter array, whether the last update had NaN, bool scalars.
    """

    found_nan: Any


@naming("zero_nans")
def zero_nans() -> GradientTransformationExtraArgs:
    """Replaces NaN by zero; the state says where some were.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> opt = optim.zero_nans()
      >>> updates, state = opt.update(jnp.array([1.0, jnp.nan]), opt.init(jnp.ones(2)))
      >>> print(updates, state.found_nan)
      [1. 0.] True
    """

    def init(params: Params) -> ZeroNansState:
        return ZeroNansState(tree.map(lambda p: jnp.array(False), params))

    def update(updates: Updates, state: OptState, params: Params | None = None, **extra: Any) -> tuple:
        check_state(state, ZeroNansState)
        found = tree.map(lambda g: jnp.any(jnp.isnan(g)), updates)
        return tree.map(lambda g: jnp.where(jnp.isnan(g), jnp.zeros_like(g), g), updates), ZeroNansState(found)

    return GradientTransformationExtraArgs(init, update)
