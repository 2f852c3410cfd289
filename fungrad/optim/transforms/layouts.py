"""Transforming all parameters as one vector.

May import ``fungrad.numpy`` and the modules of ``optim`` that every transformation may import.
"""

from __future__ import annotations

import itertools
from typing import Any

import fungrad.numpy as jnp
from fungrad.core import tree
from fungrad.optim._naming import naming
from fungrad.optim.base import (
    GradientTransformation,
    GradientTransformationExtraArgs,
    OptState,
    Params,
    Updates,
    with_extra_args_support,
)


def _joined(values: Any) -> Any:
    leaves = tree.leaves(values)
    return jnp.concatenate([jnp.reshape(x, -1) for x in leaves]) if leaves else jnp.zeros(0)


def _divided(example: Any, flat: Any) -> Any:
    leaves, treedef = tree.flatten(example)
    ends = list(itertools.accumulate([jnp.size(x) for x in leaves]))
    parts = jnp.split(flat, ends[:-1]) if leaves else []
    return tree.unflatten(treedef, [jnp.reshape(v, jnp.shape(x)) for v, x in zip(parts, leaves, strict=True)])


@naming("flatten")
def flatten(inner: GradientTransformation) -> GradientTransformationExtraArgs:
    """Applies a transformation to all parameters as one vector, which many small arrays may be faster with.

    Norms of single arrays become the norm of all.

    Args:
      inner: the transformation.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> opt = optim.flatten(optim.sgd(0.1, momentum=0.9))
      >>> opt.init([jnp.ones((2, 3)), jnp.ones(4)])[0].trace.shape
      (10,)
    """
    inner = with_extra_args_support(inner)

    def init(params: Params) -> OptState:
        return inner.init(_joined(params))

    def update(updates: Updates, state: OptState, params: Params | None = None, **extra: Any) -> tuple:
        flat, state = inner.update(_joined(updates), state, None if params is None else _joined(params), **extra)
        return _divided(updates, flat), state

    return GradientTransformationExtraArgs(init, update)
