"""Dtypes of trees.

May import ``fungrad.numpy`` and ``core``.
"""

from __future__ import annotations

import functools
from typing import Any

import fungrad.numpy as jnp
from fungrad.core import tree as pytree


def cast(tree: Any, dtype: Any) -> Any:
    """A tree in a dtype.

    Args:
      tree: tree of arrays.
      dtype: of the result; None to leave the tree as it is.
    """
    return tree if dtype is None else pytree.map(lambda x: jnp.asarray(x).astype(dtype), tree)


def cast_like(tree: Any, other_tree: Any) -> Any:
    """A tree in the dtypes of another.

    Args:
      tree: tree of arrays.
      other_tree: a tree like it; leaves without a dtype change nothing.
    """
    return pytree.map(lambda x, y: jnp.asarray(x).astype(y.dtype) if hasattr(y, "dtype") else x, tree, other_tree)


def dtype_of(tree: Any, mixed_dtype_handler: str | None = None) -> Any:
    """The dtype of the leaves of a tree.

    Args:
      tree: tree of arrays.
      mixed_dtype_handler: what to return if leaves have different dtypes: ``"promote"`` for the dtype that all promote
        to, ``"highest"`` or ``"lowest"`` for the last or first in the order of promotion; None to raise.

    Raises:
      ValueError: leaves have different dtypes and there is no handler, or two of them are not ordered, or the handler
        is none of these.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> optim.tree.dtype([jnp.ones(2), jnp.ones(2, 'bfloat16')], 'lowest').name
      'bfloat16'
    """
    if mixed_dtype_handler not in (None, "promote", "highest", "lowest"):
        raise ValueError(
            f"fungrad.optim.tree.dtype: mixed_dtype_handler must be None, promote, highest or lowest, got "
            f"{mixed_dtype_handler!r}"
        )
    pairs = [(path, jnp.asarray(x).dtype) for path, x in pytree.flatten_with_path(tree)[0]]
    if not pairs:
        return jnp.asarray([]).dtype
    first = pairs[0][1]
    if mixed_dtype_handler is None:
        for path, dtype in pairs:
            if dtype != first:
                raise ValueError(
                    f"fungrad.optim.tree.dtype: tree{pytree.keystr(path)} has dtype {dtype}, but the leaves before it "
                    f"have {first}; pass mixed_dtype_handler"
                )
        return first
    dtypes = [dtype for _, dtype in pairs]
    if mixed_dtype_handler == "promote":
        return functools.reduce(jnp.promote_types, dtypes)

    def chosen(one: Any, other: Any) -> Any:
        promoted = jnp.promote_types(one, other)
        if promoted not in (one, other):
            raise ValueError(f"fungrad.optim.tree.dtype: neither of {one} and {other} promotes to the other")
        lower, higher = (other, one) if promoted == one else (one, other)
        return higher if mixed_dtype_handler == "highest" else lower

    return functools.reduce(chosen, dtypes)
