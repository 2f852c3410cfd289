"""What an optimizer is: a pair of pure functions, ``init`` and ``update``.

May import ``core``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import numpy as np

from fungrad.core.arguments import shown

Params = Any
Updates = Any
OptState = Any
ScalarOrSchedule = Any


class InitFn(Protocol):
    """``init(params) -> state``."""

    def __call__(self, params: Params) -> OptState:
        """The state before the first update."""


class UpdateFn(Protocol):
    """``update(updates, state, params=None, **extra) -> (updates, state)``."""

    def __call__(
        self, updates: Updates, state: OptState, params: Params | None = None, **extra: Any
    ) -> tuple[Updates, OptState]:
        """Transformed updates and the next state."""


class GradientTransformation(NamedTuple):
    """A stateless transformation of gradients: state goes in and comes out.

    Attributes:
      init: ``init(params)`` returns the initial state, a pytree.
      update: ``update(updates, state, params=None, **extra)`` returns the transformed updates and the next state.
        ``params`` are needed by transformations such as weight decay; ``extra`` carries further values (``value``,
        ``grad`` ...) to those that use them.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> opt = optim.sgd(0.1)
      >>> params = {'w': jnp.array([1.0, 2.0])}
      >>> state = opt.init(params)
      >>> updates, state = opt.update({'w': jnp.array([1.0, 1.0])}, state, params)
      >>> print(optim.apply_updates(params, updates)['w'])
      [0.9 1.9]
    """

    init: InitFn
    update: UpdateFn


# Every update function takes extra keywords, so there is no second protocol for those that use them.
GradientTransformationExtraArgs = GradientTransformation


class EmptyState(NamedTuple):
    """State of a transformation without any."""


def identity() -> GradientTransformation:
    """Leaves updates as they are."""

    def init(params: Params) -> EmptyState:
        return EmptyState()

    def update(updates: Updates, state: OptState, params: Params | None = None, **extra: Any) -> tuple:
        check_state(state, EmptyState)
        return updates, state

    return GradientTransformation(init, update)


def stateless(f: Callable[[Updates, Params | None], Updates]) -> GradientTransformation:
    """A transformation without state from a function of updates and parameters."""

    def init(params: Params) -> EmptyState:
        return EmptyState()

    def update(updates: Updates, state: OptState, params: Params | None = None, **extra: Any) -> tuple:
        check_state(state, EmptyState)
        return f(updates, params), state

    return GradientTransformation(init, update)


def needs_params(name: str, params: Params | None) -> None:
    """Raises ValueError if ``update`` was called without the parameters that ``name`` needs."""
    if params is None:
        raise ValueError(f"fungrad.optim.{name}: update needs the parameters; call opt.update(updates, state, params)")


def check_state(state: OptState, kind: type) -> None:
    """Raises TypeError unless a state is of the class that ``init`` gives."""
    if type(state) is not kind:
        raise TypeError(
            f"fungrad.optim: state must be the {kind.__name__} that init or the last update returned, got "
            f"{shown(state)}"
        )


def check_shapes(first: Any, other: Any) -> None:
    """Raises ValueError if a gradient and its moment, which are computed with elementwise, have different shapes."""
    if np.shape(first) != np.shape(other):
        raise ValueError(
            f"fungrad.optim: the state was made for other parameters: it has shape {np.shape(other)} for an update of "
            f"shape {np.shape(first)}; make it with init(params)"
        )
