"""GaLore: optimizers that see gradients of matrices in a basis of few vectors.

May import ``fungrad.numpy``, ``fungrad.lax`` and the transformations.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import fungrad.numpy as jnp
from fungrad import lax
from fungrad.core import tree
from fungrad.core.arguments import index
from fungrad.numpy import linalg
from fungrad.optim._formulas import next_count, zero_count
from fungrad.optim._leafwise import is_none
from fungrad.optim._naming import naming
from fungrad.optim.base import (
    GradientTransformation,
    GradientTransformationExtraArgs,
    MaskOrFn,
    OptState,
    Params,
    ScalarOrSchedule,
    Updates,
    check_state,
)
from fungrad.optim.scaling.moments import scale_by_adam
from fungrad.optim.scaling.steps import scale_by_learning_rate
from fungrad.optim.transforms.adding import add_decayed_weights
from fungrad.optim.transforms.combining import chain


class GaLoreDimensionNumbers(NamedTuple):
    """Which axes of a parameter are the rows and columns of the matrix that is projected.

    Attributes:
      reduction_axis: axes that are the rows.
      output_axis: axes that are the columns.
    """

    reduction_axis: Sequence[int] | int = 0
    output_axis: Sequence[int] | int = 1


class GaLoreState(NamedTuple):
    """State of ``scale_by_galore``.

    Attributes:
      count: number of updates so far, int32 scalar.
      base_optimizer_state: state of the optimizer.
      projector: for each parameter the basis, of shape (0, 0) if there is none.
    """

    count: Any
    base_optimizer_state: OptState
    projector: Updates


def _is_leaf(x: Any) -> bool:
    return is_none(x) or isinstance(x, GaLoreDimensionNumbers)


def _order(x: Any, numbers: GaLoreDimensionNumbers) -> tuple[list[int], tuple[int, int]]:
    """The axes, those of the rows first, and the shape of the matrix."""
    parts = [[axis % x.ndim for axis in ((a,) if isinstance(a, int) else a)] for a in numbers]
    order = [*parts[0], *parts[1]]
    if sorted(order) != list(range(x.ndim)):
        raise ValueError(
            f"fungrad.optim.contrib.galore: the dimension numbers must name every axis of a parameter once, got "
            f"{numbers} for shape {x.shape}"
        )
    rows, columns = [math.prod([x.shape[i] for i in part]) for part in parts]
    return order, (rows, columns)


@naming("contrib.scale_by_galore", floating=True)
def scale_by_galore(
    rank: int = 128,
    update_proj_gap: int = 200,
    scale: float = 1.0,
    base_optimizer: GradientTransformation | None = None,
    weight_dimension_numbers: Any = None,
) -> GradientTransformationExtraArgs:
    """GaLore's update: an optimizer sees the gradient of each matrix in the basis of its first singular vectors, which
    are computed anew now and then.

    Args:
      rank: number of vectors.
      update_proj_gap: number of updates between computations of the basis.
      scale: factor of updates of matrices.
      base_optimizer: the optimizer; default ``scale_by_adam()``.
      weight_dimension_numbers: ``GaLoreDimensionNumbers`` for all parameters with at least two axes, or a tree of them
        with None for parameters that stay as they are, or a function from parameters to one; default all matrices.

    Raises:
      TypeError: ``rank`` is no integer.
      ValueError: ``rank`` is less than 1, or numbers do not fit a parameter.

    References:
      Zhao et al., "GaLore: memory-efficient LLM training by gradient low-rank projection", 2024.
    """
    index("fungrad.optim.contrib.scale_by_galore", "rank", rank, 1)
    inner = scale_by_adam() if base_optimizer is None else base_optimizer

    def numbers_of(params: Params) -> list[Any]:
        """Dimension numbers of every leaf."""
        leaves, treedef = tree.flatten(params)
        given = weight_dimension_numbers
        if given is None:
            return [GaLoreDimensionNumbers() if p.ndim == 2 else None for p in leaves]
        if isinstance(given, GaLoreDimensionNumbers):
            return [given if p.ndim >= 2 else None for p in leaves]
        found = given(params) if callable(given) else given
        spread = tree.map(lambda n, p: tree.map(lambda _: (n,), p), found, params, is_leaf=_is_leaf)
        return [pair[0] for pair in tree.flatten_up_to(treedef, spread)]

    def sizes(p: Any, numbers: Any) -> tuple[tuple[int, int], int, bool]:
        """The shape of the matrix, the rank, and whether its rows are projected."""
        shape = _order(p, numbers)[1]
        return shape, min(rank, *shape), shape[0] >= shape[1]

    def init(params: Params) -> GaLoreState:
        leaves, treedef = tree.flatten(params)
        bases, seen = [], []
        for p, numbers in zip([jnp.asarray(p) for p in leaves], numbers_of(params), strict=True):
            if numbers is None:
                bases.append(jnp.zeros((0, 0), p.dtype))
                seen.append(jnp.zeros_like(p))
                continue
            (rows, columns), few, of_rows = sizes(p, numbers)
            bases.append(jnp.zeros((rows if of_rows else columns, few), p.dtype))
            seen.append(jnp.zeros((few, columns) if of_rows else (rows, few), p.dtype))
        return GaLoreState(zero_count(), inner.init(tree.unflatten(treedef, seen)), tree.unflatten(treedef, bases))

    def update(updates: Updates, state: OptState, params: Params | None = None, **extra: Any) -> tuple:
        check_state(state, GaLoreState)
        anew = state.count % update_proj_gap == 0
        leaves, treedef = tree.flatten(updates)
        numbers = numbers_of(updates)
        bases, seen = [], []
        for g, n, basis in zip(leaves, numbers, tree.flatten_up_to(treedef, state.projector), strict=True):
            if n is None:
                bases.append(basis)
                seen.append(g)
                continue
            order, shape = _order(g, n)
            _, few, of_rows = sizes(g, n)
            matrix = g.transpose(order).reshape(shape)

            def singular(m: Any = matrix, few: int = few, of_rows: bool = of_rows) -> Any:
                u, _, vh = linalg.svd(m.astype(jnp.float32), full_matrices=False)
                return (u[:, :few] if of_rows else vh[:few].T).astype(m.dtype)

            basis = lax.cond(anew, singular, lambda basis=basis: basis)
            bases.append(basis)
            seen.append(basis.T @ matrix if of_rows else matrix @ basis)
        out, after = inner.update(tree.unflatten(treedef, seen), state.base_optimizer_state, None)
        full = []
        for g, n, basis, u in zip(leaves, numbers, bases, tree.leaves(out), strict=True):
            if n is None:
                full.append(u)
                continue
            order, _ = _order(g, n)
            wide = basis @ u if sizes(g, n)[2] else u @ basis.T
            wide = wide.reshape([g.shape[i] for i in order]).transpose(sorted(range(g.ndim), key=order.__getitem__))
            full.append((scale * wide).astype(g.dtype))
        state = GaLoreState(next_count(state.count), after, tree.unflatten(treedef, bases))
        return tree.unflatten(treedef, full), state

    return GradientTransformationExtraArgs(init, update)


@naming("contrib.galore", floating=True)
def galore(
    learning_rate: ScalarOrSchedule,
    rank: int = 128,
    update_proj_gap: int = 200,
    scale: float = 1.0,
    base_optimizer: GradientTransformation | None = None,
    weight_decay: ScalarOrSchedule = 0.0,
    mask: MaskOrFn | None = None,
    weight_dimension_numbers: Any = None,
) -> GradientTransformationExtraArgs:
    """GaLore: Adam whose moments of a matrix have only ``rank`` rows or columns; its ``update`` needs the parameters.

    Args:
      learning_rate: step size, or a function of the number of updates so far.
      rank, update_proj_gap, scale, base_optimizer, weight_dimension_numbers: as for ``scale_by_galore``.
      weight_decay, mask: as for ``adamw``.

    References:
      Zhao et al., "GaLore: memory-efficient LLM training by gradient low-rank projection", 2024.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> opt = optim.contrib.galore(0.1, rank=2)
      >>> state = opt.init(jnp.ones((8, 5)))
      >>> print(state[0].projector.shape, state[0].base_optimizer_state.mu.shape)
      (8, 2) (2, 5)
    """
    return chain(
        scale_by_galore(rank, update_proj_gap, scale, base_optimizer, weight_dimension_numbers),
        add_decayed_weights(weight_decay, mask),
        scale_by_learning_rate(learning_rate),
    )
