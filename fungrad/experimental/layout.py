"""Layouts of arrays in memory: all are in C order."""

from __future__ import annotations

from typing import Any

from fungrad.core import tree
from fungrad.core.array import as_array
from fungrad.core.formats import Format, Layout
from fungrad.core.public_names import publish


def with_layout_constraint(x: Any, layouts: Any) -> Any:
    """The arrays themselves: how values within a program lie in memory is the compiler's affair.

    Args:
      x: tree of arrays.
      layouts: a ``Layout``, or a tree of them that is a prefix of ``x``.

    Raises:
      TypeError: something else is among ``layouts``.
      ValueError: a layout is for another number of dimensions.

    Example:
      >>> import fungrad, fungrad.numpy as jnp
      >>> from fungrad.experimental.layout import Layout, with_layout_constraint
      >>> fungrad.jit(lambda x: with_layout_constraint(x.T, Layout((1, 0))))(jnp.ones((1, 2)))
      Array([[1.],
             [1.]], dtype=float32)
    """
    api = "fungrad.experimental.layout.with_layout_constraint"
    leaves, structure = tree.flatten(x)
    arrays = [as_array(leaf, f"{api}: x") for leaf in leaves]
    wanted = tree.broadcast_prefix(layouts, x, api=api, prefix_name="layouts", full_name="x")
    for array, layout in zip(arrays, wanted, strict=True):
        if not isinstance(layout, Layout):
            raise TypeError(f"{api}: layouts must be a Layout or a tree of them, got {layout!r}")
        if sorted(layout.major_to_minor) != list(range(array.aval.ndim)):
            raise ValueError(f"{api}: {layout} is no order of the dimensions of an array of shape {array.aval.shape}")
    return tree.unflatten(structure, arrays)


__all__ = ["Format", "Layout", "with_layout_constraint"]

publish(globals(), __name__, __all__)
