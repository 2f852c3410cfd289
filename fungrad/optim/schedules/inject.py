"""Hyperparameters in the state, where they can be read, changed, scheduled, and mapped over.

May import ``fungrad.numpy`` and the modules of ``optim`` that every transformation may import.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np

import fungrad.numpy as jnp
from fungrad.core import tree
from fungrad.core.array import Array
from fungrad.core.source import api_boundary, function_name
from fungrad.optim._formulas import next_count, zero_count
from fungrad.optim._naming import named
from fungrad.optim.base import (
    GradientTransformation,
    GradientTransformationExtraArgs,
    OptState,
    Params,
    StatefulSchedule,
    Updates,
    check_state,
    with_extra_args_support,
)
from fungrad.optim.tree.casting import dtype_of


class InjectHyperparamsState(NamedTuple):
    """State that ``inject_hyperparams`` had before schedules had states.

    Attributes:
      count: number of updates so far, int32 scalar.
      hyperparams: hyperparameters by name.
      inner_state: state of the optimizer.
    """

    count: Any
    hyperparams: dict[str, Any]
    inner_state: OptState


class InjectStatefulHyperparamsState(NamedTuple):
    """State of ``inject_hyperparams``.

    Attributes:
      count: number of updates so far, int32 scalar.
      hyperparams: hyperparameters by name.
      hyperparams_states: states of their schedules, by name.
      inner_state: state of the optimizer.
    """

    count: Any
    hyperparams: dict[str, Any]
    hyperparams_states: dict[str, Any]
    inner_state: OptState


class WrappedScheduleState(NamedTuple):
    """State of ``WrappedSchedule``.

    Attributes:
      count: number of updates so far, int32 scalar.
    """

    count: Any


class WrappedSchedule:
    """A function of the number of updates as a schedule with a state.

    Args:
      schedule_fn: the function.
    """

    def __init__(self, schedule_fn: Callable[[Any], Any]) -> None:
        self.schedule_fn = schedule_fn

    def init(self) -> WrappedScheduleState:
        """The state before the first update."""
        return WrappedScheduleState(zero_count())

    def update(self, state: WrappedScheduleState, **extra_args: Any) -> WrappedScheduleState:
        """The next state.

        Args:
          state: the state.
          **extra_args: ignored.
        """
        return WrappedScheduleState(next_count(state.count))

    def __call__(self, state: WrappedScheduleState, **extra_args: Any) -> Any:
        """The value at a state.

        Args:
          state: the state.
          **extra_args: ignored.
        """
        return self.schedule_fn(state.count)


def _in_types_of(old: OptState, new: OptState) -> OptState:
    """A state in the precision of the one before: hyperparameters are arrays, whose dtype would otherwise become that
    of moments in lower precision, with a second trace, and no ``scan`` over updates."""
    before, structure = tree.flatten(old)
    after, same = tree.flatten(new)
    if structure != same:
        return new
    kinds = (jnp.floating, jnp.complexfloating)

    def kept(x: Any, y: Any) -> Any:
        types = getattr(x, "dtype", None), getattr(y, "dtype", None)
        if None in types or types[0] == types[1] or not any(all(jnp.issubdtype(t, k) for t in types) for k in kinds):
            return y
        return y.astype(types[0])

    return tree.unflatten(structure, [kept(x, y) for x, y in zip(before, after, strict=True)])


def _as_float(x: Any, dtype: Any) -> Any:
    """Floating-point numbers of no dtype of their own as arrays of ``dtype``; the rest as it is."""
    if isinstance(x, Array) and not x.weak_type:
        return x
    kind = x.dtype if hasattr(x, "dtype") else np.dtype(type(x))
    return jnp.asarray(x, dtype=dtype) if jnp.issubdtype(kind, jnp.floating) else x


def inject_hyperparams(
    inner_factory: Callable[..., GradientTransformation],
    static_args: str | Iterable[str] = (),
    hyperparam_dtype: Any = None,
) -> Callable[..., GradientTransformationExtraArgs]:
    """Keeps the hyperparameters of an optimizer in its state, under ``state.hyperparams``.

    There they can be read, and changed between updates without compiling anew; every one of them may be a schedule.

    Args:
      inner_factory: a function that makes an optimizer, such as ``fungrad.optim.adam``.
      static_args: names of its arguments that stay out of the state.
      hyperparam_dtype: dtype of the hyperparameters; default the highest of the parameters, real.

    Returns:
      A function with the arguments of ``inner_factory``. Numbers, arrays and schedules among them are kept in the
      state; bools, None and other values are not.

    Raises:
      ValueError: ``static_args`` has a name that ``inner_factory`` has no argument of.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> opt = optim.inject_hyperparams(optim.sgd)(learning_rate=0.5)
      >>> state = opt.init(jnp.ones(1))
      >>> state.hyperparams['learning_rate'] = jnp.float32(0.25)
      >>> print(opt.update(jnp.ones(1), state)[0])
      [-0.25]
    """
    static = {static_args} if isinstance(static_args, str) else set(static_args)
    signature = inspect.signature(inner_factory)
    unknown = static - set(signature.parameters)
    if unknown:
        raise ValueError(
            f"fungrad.optim.inject_hyperparams: static_args must be names of arguments of inner_factory, which has no "
            f"{', '.join(sorted(unknown))}; it has {', '.join(signature.parameters)}"
        )

    @api_boundary
    @functools.wraps(inner_factory)
    def wrapped(*args: Any, **kwargs: Any) -> GradientTransformationExtraArgs:
        try:
            bound = signature.bind(*args, **kwargs)
        except TypeError as mismatch:
            raise TypeError(
                f"fungrad.optim.inject_hyperparams: {function_name(inner_factory)}: {mismatch}; it has the arguments "
                f"{', '.join(signature.parameters)}"
            ) from None
        bound.apply_defaults()
        schedules: dict[str, Any] = {}
        values: dict[str, Any] = {}
        others: dict[str, Any] = {}
        for name, value in bound.arguments.items():
            if name in static or isinstance(value, bool):
                others[name] = value
            elif isinstance(value, StatefulSchedule):
                schedules[name] = value
            elif callable(value):
                schedules[name] = WrappedSchedule(value)
            elif isinstance(value, (int, float, Array, np.ndarray, np.number)):
                values[name] = value
            else:
                others[name] = value

        def dtype_for(params: Params) -> Any:
            if hyperparam_dtype is not None:
                return hyperparam_dtype
            dtype = dtype_of(params, "highest")
            # Hyperparameters of complex parameters are real, and so stay the updates of real ones beside them.
            return jnp.finfo(dtype).dtype if jnp.issubdtype(dtype, jnp.complexfloating) else dtype

        def inner(hyperparams: dict[str, Any]) -> GradientTransformationExtraArgs:
            return with_extra_args_support(inner_factory(**others, **hyperparams))

        def init(params: Params) -> InjectStatefulHyperparamsState:
            dtype = dtype_for(params)
            states = {name: schedule.init() for name, schedule in schedules.items()}
            found = {name: jnp.asarray(_as_float(value, dtype)) for name, value in values.items()}
            found |= {name: jnp.asarray(_as_float(f(states[name]), dtype)) for name, f in schedules.items()}
            return InjectStatefulHyperparamsState(zero_count(), found, states, inner(found).init(params))

        def update(updates: Updates, state: OptState, params: Params | None = None, **extra: Any) -> tuple:
            check_state(state, InjectStatefulHyperparamsState)
            dtype = dtype_for(params)
            states = state.hyperparams_states
            found = {name: _as_float(value, dtype) for name, value in state.hyperparams.items()}
            found |= {n: jnp.asarray(_as_float(f(states[n], **extra), dtype)) for n, f in schedules.items()}
            after = {name: schedule.update(states[name], **extra) for name, schedule in schedules.items()}
            updates, inner_state = inner(found).update(updates, state.inner_state, params, **extra)
            inner_state = _in_types_of(state.inner_state, inner_state)
            return updates, InjectStatefulHyperparamsState(next_count(state.count), found, after, inner_state)

        return named(inner_factory.__name__, GradientTransformationExtraArgs(init, update))

    return wrapped


inject_stateful_hyperparams = inject_hyperparams
