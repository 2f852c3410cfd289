"""L-BFGS: gradients scaled by an approximation of the inverse Hessian from the last steps.

May import ``fungrad.numpy``, ``fungrad.lax`` and the transformations.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import fungrad.numpy as jnp
from fungrad import lax
from fungrad.core import tree
from fungrad.core.arguments import index
from fungrad.optim._formulas import like, next_count, zero_count
from fungrad.optim._leafwise import map_leaves
from fungrad.optim._naming import naming
from fungrad.optim.base import (
    GradientTransformation,
    GradientTransformationExtraArgs,
    OptState,
    Params,
    ScalarOrSchedule,
    Updates,
    check_state,
    identity,
    needs_params,
)
from fungrad.optim.linesearch import scale_by_zoom_linesearch
from fungrad.optim.scaling.steps import scale, scale_by_learning_rate
from fungrad.optim.transforms.combining import chain
from fungrad.optim.tree.arithmetic import norm, real, vdot


class ScaleByLBFGSState(NamedTuple):
    """State of ``scale_by_lbfgs``.

    Attributes:
      count: number of updates so far, int32 scalar.
      params: the parameters before.
      updates: the gradients before.
      diff_params_memory: the last differences of parameters, along a new first axis.
      diff_updates_memory: the last differences of gradients, along a new first axis.
      weights_memory: one over the inner products of both.
    """

    count: Any
    params: Params
    updates: Params
    diff_params_memory: Any
    diff_updates_memory: Any
    weights_memory: Any


def _moved(vector: Any, size: Any, direction: Any) -> Any:
    """``vector + size * direction`` in the dtypes of ``vector``."""
    return tree.map(lambda v, d: like(v + size * d, v), vector, direction)


def _preconditioned(updates: Updates, steps: Any, changes: Any, weights: Any, first: Any, start: Any) -> Updates:
    """The product of the approximate inverse Hessian with updates, by the two loops of Nocedal.

    Args:
      updates: gradients.
      steps: differences of parameters, in a ring.
      changes: differences of gradients, in a ring.
      weights: one over their inner products, in a ring.
      first: position in the ring of the oldest.
      start: factor of the identity that the approximation starts from.
    """
    size = weights.shape[0]
    order = (first + jnp.arange(size)) % size

    def at(position: Any) -> tuple[Any, Any, Any]:
        return (*tree.map(lambda x: x[position], (steps, changes)), weights[position])

    def newest_first(vector: Any, position: Any) -> tuple[Any, Any]:
        step, change, weight = at(position)
        part = weight * real(vdot(step, vector))
        return _moved(vector, -part, change), part

    def oldest_first(vector: Any, position_and_part: Any) -> tuple[Any, None]:
        position, part = position_and_part
        step, change, weight = at(position)
        return _moved(vector, part - weight * real(vdot(change, vector)), step), None

    vector, parts = lax.scan(newest_first, updates, order, reverse=True)
    vector = tree.map(lambda v: like(start * v, v), vector)
    return lax.scan(oldest_first, vector, (order, parts))[0]


@naming("scale_by_lbfgs", floating=True)
def scale_by_lbfgs(memory_size: int = 10, scale_init_precond: bool = True) -> GradientTransformationExtraArgs:
    """Multiplies gradients by an approximation of the inverse Hessian, from the last steps and changes of the gradient;
    ``update`` needs the parameters.

    Args:
      memory_size: number of steps that count.
      scale_init_precond: whether the approximation starts from the identity times ``<s, y> / <y, y>`` for the last step
        ``s`` and change ``y`` (for the first update from one over the norm of the gradient, at most one), and not from
        the identity.

    Raises:
      ValueError: ``memory_size`` is less than 1.

    References:
      Nocedal, "Updating quasi-Newton matrices with limited storage", 1980. Liu and Nocedal, "On the limited memory BFGS
      method for large scale optimization", 1989.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> opt = optim.scale_by_lbfgs(memory_size=5)
      >>> opt.init(jnp.ones(3)).diff_params_memory.shape
      (5, 3)
    """
    index("fungrad.optim.scale_by_lbfgs", "memory_size", memory_size, 1)

    def init(params: Params) -> ScaleByLBFGSState:
        def ring(p: Any) -> Any:
            p = jnp.asarray(p)
            return jnp.zeros((memory_size, *p.shape), p.dtype)

        return ScaleByLBFGSState(
            zero_count(),
            tree.map(jnp.zeros_like, params),
            tree.map(jnp.zeros_like, params),
            tree.map(ring, params),
            tree.map(ring, params),
            jnp.zeros(memory_size),
        )

    def update(updates: Updates, state: OptState, params: Params | None = None, **extra: Any) -> tuple:
        check_state(state, ScaleByLBFGSState)
        needs_params("scale_by_lbfgs", params)
        began = state.count > 0
        before = (state.count - 1) % memory_size

        def difference(leaves: Any, scalars: Any, np_: Any) -> tuple[Any]:
            return (np_.where(scalars[0], leaves[0] - leaves[1], np_.zeros_like(leaves[0])),)

        step = map_leaves(difference, (params, state.params), [began])[0]
        change = map_leaves(difference, (updates, state.updates), [began])[0]
        product = real(vdot(change, step))
        flat = product == 0.0
        weight = jnp.where(flat, 0.0, 1.0 / jnp.where(flat, 1.0, product))
        steps, changes, weights = tree.map(
            lambda memory, new: memory.at[before].set(like(new, memory)),
            (state.diff_params_memory, state.diff_updates_memory, state.weights_memory),
            (step, change, weight),
        )
        start: Any = 1.0
        if scale_init_precond:
            squared = norm(change, squared=True)
            newest = jnp.where(squared > 0.0, product / jnp.where(squared > 0.0, squared, 1.0), 1.0)
            size = norm(lax.stop_gradient(updates))
            start = jnp.where(began, newest, jnp.minimum(1.0, 1.0 / size))
        out = _preconditioned(updates, steps, changes, weights, state.count % memory_size, start)
        return out, ScaleByLBFGSState(next_count(state.count), params, updates, steps, changes, weights)

    return GradientTransformationExtraArgs(init, update)


_ZOOM = scale_by_zoom_linesearch(max_linesearch_steps=20, initial_guess_strategy="one")


@naming("lbfgs", floating=True)
def lbfgs(
    learning_rate: ScalarOrSchedule | None = None,
    memory_size: int = 10,
    scale_init_precond: bool = True,
    linesearch: GradientTransformation | None = _ZOOM,
) -> GradientTransformationExtraArgs:
    """L-BFGS, with a line search: for deterministic functions the fastest of all optimizers.

    ``update`` needs the parameters, and for the line search the keywords ``value``, ``grad`` and ``value_fn``;
    ``value_and_grad_from_state`` saves the evaluations that the search has made already.

    Args:
      learning_rate: factor of steps, or a function of the number of updates so far; default 1.
      memory_size: number of steps that the approximation of the Hessian is made of.
      scale_init_precond: whether the approximation starts from a multiple of the identity.
      linesearch: the line search, such as ``scale_by_zoom_linesearch`` or ``scale_by_backtracking_linesearch``; None
        for none.

    References:
      Liu and Nocedal, "On the limited memory BFGS method for large scale optimization", 1989.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> f = lambda x: jnp.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)
      >>> opt = optim.lbfgs()
      >>> x = jnp.zeros(4)
      >>> state = opt.init(x)
      >>> for _ in range(40):
      ...     value, grad = optim.value_and_grad_from_state(f)(x, state=state)
      ...     updates, state = opt.update(grad, state, x, value=value, grad=grad, value_fn=f)
      ...     x = optim.apply_updates(x, updates)
      >>> bool(jnp.all(jnp.abs(x - 1) < 1e-3))
      True
    """
    scaling = scale(-1.0) if learning_rate is None else scale_by_learning_rate(learning_rate)
    search = identity() if linesearch is None else linesearch
    return chain(scale_by_lbfgs(memory_size, scale_init_precond), scaling, search)
