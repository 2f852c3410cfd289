"""Applying updates to parameters.

May import ``fungrad.numpy``, ``core.tree`` and ``optim.base``.
"""

from __future__ import annotations

from typing import Any

import fungrad.numpy as jnp
from fungrad.core import tree
from fungrad.core.array import Array
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
            return p
        if not isinstance(p, Array):
            p = jnp.asarray(p)
        new = p + u
        if new.aval.shape != p.aval.shape:
            raise ValueError(
                f"fungrad.optim.apply_updates: an update of shape {jnp.shape(u)} does not fit a parameter of shape "
                f"{p.aval.shape}; were the updates made from gradients of other parameters?"
            )
        return new if new.aval.dtype is p.aval.dtype else new.astype(p.dtype)

    try:
        return tree.map(add, updates, params, is_leaf=_is_none)
    except ValueError:
        structure = tree.structure(updates, is_leaf=_is_none)
        match("fungrad.optim.apply_updates", "params", structure, params, "They must have one structure.")
        raise


def _is_none(x: Any) -> bool:
    return x is None
