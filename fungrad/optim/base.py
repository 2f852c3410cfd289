"""What an optimizer is: a pair of pure functions, ``init`` and ``update``.

May import ``core`` and ``fungrad.numpy``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol, TypeAlias, runtime_checkable

import numpy as np

import fungrad.numpy as jnp
from fungrad.core import tree
from fungrad.core.arguments import shown

Params: TypeAlias = Any
Updates: TypeAlias = Any
OptState: TypeAlias = Any
Schedule: TypeAlias = Callable[[Any], Any]
ScalarOrSchedule: TypeAlias = Any
MaskOrFn: TypeAlias = Any


class TransformInitFn(Protocol):
    """``init(params) -> state``."""

    def __call__(self, params: Params) -> OptState:
        """The state before the first update."""


class TransformUpdateFn(Protocol):
    """``update(updates, state, params=None) -> (updates, state)``."""

    def __call__(self, updates: Updates, state: OptState, params: Params | None = None) -> tuple[Updates, OptState]:
        """Transformed updates and the next state."""


class TransformUpdateExtraArgsFn(Protocol):
    """``update(updates, state, params=None, **extra_args) -> (updates, state)``."""

    def __call__(
        self, updates: Updates, state: OptState, params: Params | None = None, **extra_args: Any
    ) -> tuple[Updates, OptState]:
        """Transformed updates and the next state."""


@runtime_checkable
class StatefulSchedule(Protocol):
    """A schedule with a state of its own, for ``inject_hyperparams``."""

    def init(self) -> Any:
        """The state before the first update."""

    def update(self, state: Any, **extra_args: Any) -> Any:
        """The next state, from the extra arguments that ``update`` of the optimizer got."""

    def __call__(self, state: Any, **extra_args: Any) -> Any:
        """The hyperparameter at this state."""


class GradientTransformation(NamedTuple):
    """A stateless transformation of gradients: state goes in and comes out.

    Attributes:
      init: ``init(params)`` returns the initial state, a pytree.
      update: ``update(updates, state, params=None)`` returns the transformed updates and the next state. ``params`` are
        needed by transformations such as weight decay.

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

    init: Callable[..., Any]
    update: Callable[..., Any]


class GradientTransformationExtraArgs(GradientTransformation):
    """A transformation whose ``update`` also takes keywords: ``value``, ``grad``, ``value_fn`` ...

    Those that it does not use it ignores, so that they reach whoever needs them through ``chain``. All transformations
    of the library are of this class.
    """

    __slots__ = ()


class EmptyState(NamedTuple):
    """State of a transformation without any."""


def init_empty_state(params: Params) -> EmptyState:
    """The ``init`` of transformations without state.

    Args:
      params: ignored.
    """
    del params
    return EmptyState()


def identity() -> GradientTransformationExtraArgs:
    """Leaves updates as they are.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> tx = optim.identity()
      >>> params, grads = jnp.ones(2), jnp.array([1.0, -2.0])
      >>> updates, state = tx.update(grads, tx.init(params), params)
      >>> print(updates.round(3))
      [ 1. -2.]
    """

    def update(updates: Updates, state: OptState, params: Params | None = None, **extra: Any) -> tuple:
        check_state(state, EmptyState)
        return updates, state

    return GradientTransformationExtraArgs(init_empty_state, update)


def set_to_zero() -> GradientTransformationExtraArgs:
    """Replaces updates by zeros, so that parameters stay.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> opt = optim.set_to_zero()
      >>> print(opt.update(jnp.ones(2), opt.init(jnp.ones(2)))[0])
      [0. 0.]
    """
    return stateless(lambda updates, params: tree.map(jnp.zeros_like, updates))


def stateless(f: Callable[[Updates, Params | None], Updates]) -> GradientTransformationExtraArgs:
    """A transformation without state from a function of updates and parameters.

    Args:
      f: ``f(updates, params)`` returns the new updates; ``params`` is None if ``update`` got none.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim, tree
      >>> flip = optim.stateless(lambda updates, params: tree.map(lambda g: -g, updates))
      >>> print(flip.update(jnp.ones(2), flip.init(jnp.ones(2)))[0])
      [-1. -1.]
    """

    def update(updates: Updates, state: OptState, params: Params | None = None, **extra: Any) -> tuple:
        check_state(state, EmptyState)
        return f(updates, params), state

    return GradientTransformationExtraArgs(init_empty_state, update)


def stateless_with_tree_map(f: Callable[[Any, Any], Any]) -> GradientTransformationExtraArgs:
    """A transformation without state from a function of one update and its parameter.

    Args:
      f: ``f(update, param)`` returns the new update, for every leaf; ``param`` is None if ``update`` got no parameters.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> decay = optim.stateless_with_tree_map(lambda g, p: g + 0.1 * p)
      >>> print(decay.update(jnp.ones(2), decay.init(jnp.ones(2)), jnp.ones(2))[0])
      [1.1 1.1]
    """

    def apply(updates: Updates, params: Params | None) -> Updates:
        if params is None:
            return tree.map(lambda g: f(g, None), updates)
        return tree.map(f, updates, params)

    return stateless(apply)


def with_extra_args_support(tx: GradientTransformation) -> GradientTransformationExtraArgs:
    """``tx`` with an ``update`` that takes keywords; ignored unless ``tx`` is a ``GradientTransformationExtraArgs``.

    Args:
      tx: a transformation.
    """
    if isinstance(tx, GradientTransformationExtraArgs):
        return tx

    def update(updates: Updates, state: OptState, params: Params | None = None, **extra: Any) -> tuple:
        return tx.update(updates, state, params)

    return GradientTransformationExtraArgs(tx.init, update)


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
