"""Applying updates to parameters.

May import ``fungrad.numpy``, ``core.tree`` and the modules of ``optim`` that every transformation may import.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

import fungrad.numpy as jnp
from fungrad import lax
from fungrad.core import tree
from fungrad.core.array import Array
from fungrad.optim._eager import evaluate, is_plain
from fungrad.optim._formulas import like
from fungrad.optim._naming import match
from fungrad.optim.base import Params, Updates


def apply_updates(params: Params, updates: Updates) -> Params:
    """Adds updates to parameters, keeping each parameter's dtype.

    Args:
      params: tree of arrays.
      updates: tree like ``params``; a None leaves its parameter unchanged.

    Returns:
      A tree like ``params``.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> optim.apply_updates({'b': jnp.zeros(2)}, {'b': jnp.ones(2)})
      {'b': Array([1., 1.], dtype=float32)}
    """

    def add(u, p):  # type: ignore[no-untyped-def]
        if u is None or p is None:
            if p is not None and not tree.all_leaves([p]):
                raise ValueError  # one None for a whole tree is a mistake, such as the updates that were forgotten
            return p
        if not isinstance(p, Array):
            p = jnp.asarray(p)
        new = p + u
        if new.aval.shape != p.aval.shape:
            raise ValueError  # worded below, where the place is known
        return new if new.aval.dtype is p.aval.dtype else new.astype(p.dtype)

    try:
        leaves, treedef = tree.flatten(updates, _is_none)
        columns = list(zip(tree.flatten_up_to(treedef, params), leaves, strict=True))
        sums = evaluate(_sum, columns, (), simple=True) if is_plain() else [None] * len(columns)
        return tree.unflatten(
            treedef, [add(u, p) if s is None else s[0] for s, (p, u) in zip(sums, columns, strict=True)]
        )
    except ValueError as error:
        failure = error
    # What was added to is right: it is what there is to train.
    structure = tree.structure(params, is_leaf=_is_none)
    hint = "updates must have the structure of params."
    match("fungrad.optim.apply_updates", "updates", structure, updates, hint, is_leaf=_is_none)
    _check_shapes(updates, params)
    raise failure


def _check_shapes(updates: Updates, params: Params) -> None:
    """Raises ValueError if an update does not fit its parameter."""
    leaves, treedef = tree.flatten_with_path(updates, _is_none)
    for (path, u), p in zip(leaves, tree.flatten_up_to(treedef, params), strict=True):
        update, parameter = np.shape(u), np.shape(p)
        padded = (1,) * (len(parameter) - len(update)) + update
        if u is None or p is None or len(padded) == len(parameter) and all(map(_stretches, padded, parameter)):
            continue
        raise ValueError(
            f"fungrad.optim.apply_updates: updates{tree.keystr(path)} has shape {update}, but the parameter has shape "
            f"{parameter}; were the updates made from gradients of other parameters?"
        ) from None


def _stretches(size: int, other: int) -> bool:
    return size in (1, other)


def _sum(leaves: Sequence[Any], _: Sequence[Any], np_: Any) -> tuple[Any]:
    return (like(leaves[0] + leaves[1], leaves[0]),)


def _is_none(x: Any) -> bool:
    return x is None


def incremental_update(new_tensors: Any, old_tensors: Any, step_size: float) -> Any:
    """Moves a tree towards another: ``step_size * new + (1 - step_size) * old``, for averages of parameters (Polyak's)
    and target networks.

    Args:
      new_tensors: where to; None leaves stay None.
      old_tensors: from where, a tree like it.
      step_size: how far: 1 for ``new_tensors``.

    References:
      Polyak and Juditsky, "Acceleration of stochastic approximation by averaging", 1992.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> print(optim.incremental_update(jnp.ones(2), jnp.zeros(2), 0.25))
      [0.25 0.25]
    """

    def moved(new: Any, old: Any) -> Any:
        return None if new is None else step_size * new + (1.0 - step_size) * old

    return tree.map(moved, new_tensors, old_tensors, is_leaf=_is_none)


def periodic_update(new_tensors: Any, old_tensors: Any, steps: Any, update_period: int) -> Any:
    """``new_tensors`` every ``update_period`` steps, else ``old_tensors``.

    Args:
      new_tensors: tree of arrays.
      old_tensors: a tree like it.
      steps: number of steps, an integer.
      update_period: how many steps there are between.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> [float(optim.periodic_update(1.0, 0.0, step, 2)) for step in range(4)]
      [1.0, 0.0, 1.0, 0.0]
    """
    now = jnp.asarray(steps) % update_period == 0
    return lax.cond(now, lambda: tree.map(jnp.asarray, new_tensors), lambda: tree.map(jnp.asarray, old_tensors))
