"""Optimizers as triples of functions (``jax.example_libraries.optimizers``); `fungrad.optim` has many more.

An optimizer is made of rules for one array, which `optimizer` extends to trees. Its state holds the parameters.

Example:
  >>> import fungrad
  >>> from fungrad.example_libraries import optimizers
  >>> init, update, get_params = optimizers.momentum(0.1, mass=0.5)
  >>> state = init({"x": 3.0})
  >>> for i in range(30):
  ...     state = update(i, fungrad.grad(lambda p: p["x"] ** 2)(get_params(state)), state)
  >>> bool(abs(get_params(state)["x"]) < 1e-3)
  True
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from fungrad import numpy as jnp
from fungrad.core import tree
from fungrad.core.public_names import publish
from fungrad.core.tree_registration import register_pytree_node
from fungrad.core.treedef import structure_text

__all__ = [
    "InitFn",
    "JoinPoint",
    "Optimizer",
    "OptimizerState",
    "ParamsFn",
    "Schedule",
    "Step",
    "UpdateFn",
    "adagrad",
    "adam",
    "adamax",
    "clip_grads",
    "constant",
    "exponential_decay",
    "inverse_time_decay",
    "l2_norm",
    "make_schedule",
    "momentum",
    "nesterov",
    "optimizer",
    "pack_optimizer_state",
    "piecewise_constant",
    "polynomial_decay",
    "rmsprop",
    "rmsprop_momentum",
    "sgd",
    "sm3",
    "unpack_optimizer_state",
]


class OptimizerState(NamedTuple):
    """State of an optimizer, a pytree whose leaves are the arrays of all states.

    Attributes:
      packed_state: for every parameter the leaves of its state.
      tree_def: structure of the parameters.
      subtree_defs: for every parameter the structure of its state.
    """

    packed_state: Any
    tree_def: Any
    subtree_defs: Any


register_pytree_node(
    OptimizerState,
    lambda state: ((state.packed_state,), (state.tree_def, tuple(state.subtree_defs))),
    lambda defs, children: OptimizerState(children[0], defs[0], defs[1]),
)

Step = int
InitFn = Callable[[Any], OptimizerState]
UpdateFn = Callable[[Step, Any, OptimizerState], OptimizerState]
ParamsFn = Callable[[OptimizerState], Any]
Schedule = Callable[[Step], Any]


class Optimizer(NamedTuple):
    """An optimizer.

    Attributes:
      init_fn: from parameters to a state.
      update_fn: from the number of the step, gradients and a state to the next state.
      params_fn: from a state to parameters.
    """

    init_fn: InitFn
    update_fn: UpdateFn
    params_fn: ParamsFn


def optimizer(opt_maker: Callable[..., tuple[Callable, Callable, Callable]]) -> Callable[..., Optimizer]:
    """Makes an optimizer for trees of one for single arrays.

    Args:
      opt_maker: returns three functions: ``init(x)``, ``update(i, g, state)`` and ``get_params(state)``.

    Returns:
      A function with the same parameters that returns an `Optimizer`.
    """

    @functools.wraps(opt_maker)
    def make(*args: Any, **kwargs: Any) -> Optimizer:
        init, update, get_params = opt_maker(*args, **kwargs)

        def init_tree(params: Any) -> OptimizerState:
            leaves, structure = tree.flatten(params)
            return _packed([init(x) for x in leaves], structure)

        def update_tree(i: Any, grads: Any, state: OptimizerState) -> OptimizerState:
            leaves, structure = tree.flatten(grads)
            if structure != state.tree_def:
                raise TypeError(
                    "fungrad.example_libraries.optimizers: the gradients have another structure than the parameters: "
                    f"{structure_text(structure)} and {structure_text(state.tree_def)}"
                )
            new = _packed([update(i, g, s) for g, s in zip(leaves, _states(state), strict=True)], structure)
            if tuple(new.subtree_defs) != tuple(state.subtree_defs):
                raise TypeError(
                    "fungrad.example_libraries.optimizers: update returned a state of another structure: "
                    f"{new.subtree_defs} instead of {state.subtree_defs}"
                )
            return new

        def params_of(state: OptimizerState) -> Any:
            return tree.unflatten(state.tree_def, [get_params(s) for s in _states(state)])

        return Optimizer(init_tree, update_tree, params_of)

    return make


def _packed(states: Sequence[Any], structure: Any) -> OptimizerState:
    pairs = [tree.flatten(s) for s in states]
    return OptimizerState([leaves for leaves, _ in pairs], structure, tuple([d for _, d in pairs]))


def _states(state: OptimizerState) -> list[Any]:
    return [tree.unflatten(d, leaves) for d, leaves in zip(state.subtree_defs, state.packed_state, strict=True)]


def _first(state: tuple) -> Any:
    return state[0]


@optimizer
def sgd(step_size: Any) -> tuple:
    """Gradient descent.

    Args:
      step_size: a number, or a schedule (a function of the number of the step).
    """
    rate = make_schedule(step_size)
    return jnp.asarray, lambda i, g, x: x - rate(i) * g, lambda x: x


@optimizer
def momentum(step_size: Any, mass: float) -> tuple:
    """Gradient descent with momentum.

    Args:
      step_size: a number or a schedule.
      mass: the share of the velocity that stays.
    """
    rate = make_schedule(step_size)

    def update(i: Any, g: Any, state: Any) -> tuple:
        x, velocity = state
        velocity = mass * velocity + g
        return x - rate(i) * velocity, velocity

    return lambda x: (x, jnp.zeros_like(x)), update, _first


@optimizer
def nesterov(step_size: Any, mass: float) -> tuple:
    """Gradient descent with Nesterov's momentum.

    Args:
      step_size: a number or a schedule.
      mass: the share of the velocity that stays.
    """
    rate = make_schedule(step_size)

    def update(i: Any, g: Any, state: Any) -> tuple:
        x, velocity = state
        velocity = mass * velocity + g
        return x - rate(i) * (mass * velocity + g), velocity

    return lambda x: (x, jnp.zeros_like(x)), update, _first


@optimizer
def adagrad(step_size: Any, momentum: float = 0.9) -> tuple:
    """AdaGrad: steps divided by the root of the sum of all squared gradients, with momentum.

    Args:
      step_size: a number or a schedule.
      momentum: the share of the old step that stays.
    """
    rate = make_schedule(step_size)

    def update(i: Any, g: Any, state: Any) -> tuple:
        x, squares, m = state
        squares = squares + jnp.square(g)
        m = (1.0 - momentum) * (g * _inverse_root(squares)) + momentum * m
        return x - rate(i) * m, squares, m

    return lambda x: (x, jnp.zeros_like(x), jnp.zeros_like(x)), update, _first


def _inverse_root(x: Any) -> Any:
    return jnp.where(x > 0, 1.0 / jnp.sqrt(x), 0.0)


@optimizer
def rmsprop(step_size: Any, gamma: float = 0.9, eps: float = 1e-8) -> tuple:
    """RMSProp: steps divided by the root of an average of squared gradients.

    Args:
      step_size: a number or a schedule.
      gamma: the share of the old average that stays.
      eps: added to the average.
    """
    rate = make_schedule(step_size)

    def update(i: Any, g: Any, state: Any) -> tuple:
        x, average = state
        average = gamma * average + (1.0 - gamma) * jnp.square(g)
        return x - rate(i) * g / jnp.sqrt(average + eps), average

    return lambda x: (x, jnp.zeros_like(x)), update, _first


@optimizer
def rmsprop_momentum(step_size: Any, gamma: float = 0.9, eps: float = 1e-8, momentum: float = 0.9) -> tuple:
    """RMSProp with momentum.

    Args:
      step_size: a number or a schedule.
      gamma: the share of the old average that stays.
      eps: added to the average.
      momentum: the share of the old step that stays.
    """
    rate = make_schedule(step_size)

    def update(i: Any, g: Any, state: Any) -> tuple:
        x, average, m = state
        average = gamma * average + (1.0 - gamma) * jnp.square(g)
        m = momentum * m + rate(i) * g / jnp.sqrt(average + eps)
        return x - m, average, m

    return lambda x: (x, jnp.zeros_like(x), jnp.zeros_like(x)), update, _first


@optimizer
def adam(step_size: Any, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8) -> tuple:
    """Adam: averages of gradients over roots of averages of their squares, both corrected for their start at 0.

    Args:
      step_size: a number or a schedule.
      b1: the share of the average of gradients that stays.
      b2: that of squares.
      eps: added to the root.
    """
    rate = make_schedule(step_size)

    def update(i: Any, g: Any, state: Any) -> tuple:
        x, m, v = state
        m = (1 - b1) * g + b1 * m
        v = (1 - b2) * jnp.square(g) + b2 * v
        first = m / (1 - jnp.asarray(b1, m.dtype) ** (i + 1))
        second = v / (1 - jnp.asarray(b2, m.dtype) ** (i + 1))
        return x - rate(i) * first / (jnp.sqrt(second) + eps), m, v

    return lambda x: (x, jnp.zeros_like(x), jnp.zeros_like(x)), update, _first


@optimizer
def adamax(step_size: Any, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8) -> tuple:
    """AdaMax: Adam with a fading maximum in the place of the root.

    Args:
      step_size: a number or a schedule.
      b1: the share of the average of gradients that stays.
      b2: that of the maximum.
      eps: added to the maximum.
    """
    rate = make_schedule(step_size)

    def update(i: Any, g: Any, state: Any) -> tuple:
        x, m, u = state
        m = (1 - b1) * g + b1 * m
        u = jnp.maximum(b2 * u, jnp.abs(g))
        return x - rate(i) / (1 - jnp.asarray(b1, m.dtype) ** (i + 1)) * m / (u + eps), m, u

    return lambda x: (x, jnp.zeros_like(x), jnp.zeros_like(x)), update, _first


@optimizer
def sm3(step_size: Any, momentum: float = 0.9) -> tuple:
    """SM3: AdaGrad that keeps, for each dimension, only the maxima of its sums of squares.

    Args:
      step_size: a number or a schedule.
      momentum: the share of the old step that stays.
    """
    rate = make_schedule(step_size)

    def init(x: Any) -> tuple:
        shape = jnp.shape(x)
        x = jnp.atleast_1d(x)
        return x, jnp.zeros_like(x), [jnp.zeros(n, x.dtype) for n in x.shape], shape

    def update(i: Any, g: Any, state: Any) -> tuple:
        x, m, maxima, shape = state
        g = jnp.reshape(g, x.shape)
        spread = [v.reshape([-1 if k == d else 1 for k in range(x.ndim)]) for d, v in enumerate(maxima)]
        sums = functools.reduce(jnp.minimum, spread) + jnp.square(g)
        m = (1.0 - momentum) * (g * _inverse_root(sums)) + momentum * m
        maxima = [sums.max(tuple([k for k in range(x.ndim) if k != d])) for d in range(x.ndim)]
        return x - rate(i) * m, m, maxima, shape

    return init, update, lambda state: state[0].reshape([int(n) for n in state[3]])


def constant(step_size: Any) -> Schedule:
    """The same step size always."""
    return lambda i: step_size


def exponential_decay(step_size: float, decay_steps: int, decay_rate: float) -> Schedule:
    """``step_size * decay_rate ** (i / decay_steps)``."""
    return lambda i: step_size * decay_rate ** (i / decay_steps)


def inverse_time_decay(step_size: float, decay_steps: int, decay_rate: float, staircase: bool = False) -> Schedule:
    """``step_size / (1 + decay_rate * i / decay_steps)``, the quotient rounded down if ``staircase``."""
    if staircase:
        return lambda i: step_size / (1 + decay_rate * jnp.floor(i / decay_steps))
    return lambda i: step_size / (1 + decay_rate * i / decay_steps)


def polynomial_decay(step_size: float, decay_steps: int, final_step_size: float, power: float = 1.0) -> Schedule:
    """From ``step_size`` to ``final_step_size`` in ``decay_steps`` steps, as a power of the steps that are left."""

    def schedule(i: Any) -> Any:
        left = 1 - jnp.minimum(i, decay_steps) / decay_steps
        return left**power * (step_size - final_step_size) + final_step_size

    return schedule


def piecewise_constant(boundaries: Any, values: Any) -> Schedule:
    """``values[k]`` after ``k`` boundaries.

    Raises:
      ValueError: there is not one value more than boundaries, or they are no sequences.
    """
    edges, rates = jnp.array(boundaries), jnp.array(values)
    if edges.ndim != 1 or rates.ndim != 1 or edges.shape[0] != rates.shape[0] - 1:
        raise ValueError(
            "fungrad.example_libraries.optimizers.piecewise_constant: boundaries and values must be sequences, values "
            f"one longer, got shapes {edges.shape} and {rates.shape}"
        )
    return lambda i: rates[jnp.sum(i > edges)]


def make_schedule(scalar_or_schedule: Any) -> Schedule:
    """A schedule: a function as it is, a number as a constant.

    Raises:
      TypeError: it is neither.
    """
    if callable(scalar_or_schedule):
        return scalar_or_schedule  # type: ignore[no-any-return]
    if np.ndim(scalar_or_schedule) == 0:
        return constant(scalar_or_schedule)
    raise TypeError(
        "fungrad.example_libraries.optimizers.make_schedule: scalar_or_schedule must be a number or a function, got "
        f"{type(scalar_or_schedule).__name__}"
    )


def l2_norm(tree_of_arrays: Any) -> Any:
    """The root of the sum of all squares of a pytree."""
    return jnp.sqrt(sum(jnp.vdot(x, x) for x in tree.leaves(tree_of_arrays)))


def clip_grads(grad_tree: Any, max_norm: float) -> Any:
    """Gradients scaled so that their norm is at most ``max_norm``."""
    norm = l2_norm(grad_tree)
    return tree.map(lambda g: jnp.where(norm < max_norm, g, g * (max_norm / norm)), grad_tree)


class JoinPoint:
    """Marks where, in a tree of states, the structure of the parameters ends.

    Attributes:
      subtree: the state of one parameter.
    """

    def __init__(self, subtree: Any):
        self.subtree = subtree

    def __iter__(self) -> Iterator[Any]:
        yield self.subtree


def unpack_optimizer_state(opt_state: OptimizerState) -> Any:
    """A state as a tree like the parameters with a `JoinPoint` for each, to be saved."""
    return tree.unflatten(opt_state.tree_def, [JoinPoint(s) for s in _states(opt_state)])


def pack_optimizer_state(marked_pytree: Any) -> OptimizerState:
    """The opposite of `unpack_optimizer_state`.

    Raises:
      TypeError: a leaf is no `JoinPoint`.
    """
    points, structure = tree.flatten(marked_pytree)
    if not all(isinstance(p, JoinPoint) for p in points):
        raise TypeError(
            "fungrad.example_libraries.optimizers.pack_optimizer_state: every leaf of marked_pytree must be a JoinPoint"
        )
    return _packed([p.subtree for p in points], structure)


publish(globals(), __name__, __all__)
