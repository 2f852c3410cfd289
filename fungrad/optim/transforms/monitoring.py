"""Measuring updates on their way.

May import the modules of ``optim`` that every transformation may import.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from fungrad.core.arguments import shown
from fungrad.optim._naming import naming
from fungrad.optim.base import (
    GradientTransformation,
    GradientTransformationExtraArgs,
    OptState,
    Params,
    Updates,
    check_state,
    stateless,
    with_extra_args_support,
)
from fungrad.optim.transforms.accumulation import ema
from fungrad.optim.transforms.combining import chain


class SnapshotState(NamedTuple):
    """State of ``snapshot``.

    Attributes:
      measurement: a dict with what has been measured under its name.
    """

    measurement: dict[str, Any]


@naming("snapshot")
def snapshot(measure_name: str, measure: Callable[[Updates], Any]) -> GradientTransformationExtraArgs:
    """Keeps a function of the updates in the state, and passes them as they are.

    Args:
      measure_name: name in the state.
      measure: function of updates (at first of the parameters).

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> opt = optim.chain(optim.snapshot('norm', optim.tree.norm), optim.sgd(0.1))
      >>> _, state = opt.update(jnp.array([3.0, 4.0]), opt.init(jnp.ones(2)))
      >>> print(optim.tree.get(state, 'norm'))
      5.0
    """

    def init(params: Params) -> SnapshotState:
        return SnapshotState({measure_name: measure(params)})

    def update(updates: Updates, state: OptState, params: Params | None = None, **extra: Any) -> tuple:
        check_state(state, SnapshotState)
        return updates, SnapshotState({measure_name: measure(updates)})

    return GradientTransformationExtraArgs(init, update)


class MonitorState(NamedTuple):
    """State of ``monitor``.

    Attributes:
      measurements: a dict with what has been measured; empty before the first update.
      measure_states: states of the measures.
    """

    measurements: dict[str, Any]
    measure_states: tuple[OptState, ...]


@naming("monitor")
def monitor(
    measures: Mapping[str, Callable[[Updates], Any] | GradientTransformation],
) -> GradientTransformationExtraArgs:
    """Keeps several functions of the updates in the state, and passes these as they are.

    The state before the first update has no measurements, so a jitted step is traced twice.

    Args:
      measures: functions of updates by name, or transformations from updates to what is measured, such as
        ``measure_with_ema`` makes.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> opt = optim.monitor({'norm': optim.tree.norm})
      >>> _, state = opt.update(jnp.array([3.0, 4.0]), opt.init(jnp.ones(2)))
      >>> print(state.measurements['norm'])
      5.0
    """
    if not isinstance(measures, Mapping):
        raise TypeError(f"fungrad.optim.monitor: measures must be a dict, got {shown(measures)}")

    def transformation(measure: Any) -> GradientTransformationExtraArgs:
        return stateless(lambda u, _: measure(u)) if callable(measure) else with_extra_args_support(measure)

    parts = {name: transformation(measure) for name, measure in measures.items()}

    def init(params: Params) -> MonitorState:
        return MonitorState({}, tuple([t.init(params) for t in parts.values()]))

    def update(updates: Updates, state: OptState, params: Params | None = None, **extra: Any) -> tuple:
        check_state(state, MonitorState)
        found, after = {}, []
        for (name, t), before in zip(parts.items(), state.measure_states, strict=True):
            found[name], new = t.update(updates, before, params, **extra)
            after.append(new)
        return updates, MonitorState(found, tuple(after))

    return GradientTransformationExtraArgs(init, update)


@naming("measure_with_ema")
def measure_with_ema(
    measure: Callable[[Updates], Any], decay: float, debias: bool = True, accumulator_dtype: Any = None
) -> GradientTransformationExtraArgs:
    """For ``monitor``: the exponential moving average of a function of the updates.

    Args:
      measure: function of updates.
      decay: factor of the past.
      debias: whether the average is corrected for its start at zero.
      accumulator_dtype: dtype of the average; default that of the function.
    """
    average = ema(decay, debias, accumulator_dtype)
    return chain(
        stateless(lambda updates, _: measure(updates)),
        average._replace(init=lambda params: average.init(measure(params))),
    )
