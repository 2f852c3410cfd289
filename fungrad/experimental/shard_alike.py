"""Arrays that are to be divided alike."""

from __future__ import annotations

from typing import Any

from fungrad.core import tree
from fungrad.core.array import as_array
from fungrad.core.placement import placed, placement
from fungrad.core.public_names import publish
from fungrad.core.treedef import structure_text

__all__ = ["shard_alike"]


def shard_alike(x: Any, y: Any) -> tuple[Any, Any]:
    """Two trees of arrays with one sharding: that of ``x``, or of ``y`` where ``x`` has none.

    Args:
      x: tree of arrays.
      y: tree of arrays with the structure and shapes of ``x``.

    Returns:
      Both trees.

    Raises:
      ValueError: structures or shapes differ.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad.experimental.shard_alike import shard_alike
      >>> a, b = shard_alike(jnp.ones(2), jnp.zeros(2))
    """
    (xs, structure), (ys, other) = tree.flatten(x), tree.flatten(y)
    api = "fungrad.experimental.shard_alike.shard_alike"
    if structure != other:
        raise ValueError(f"{api}: Trees should be equal. Got x_tree: {structure_text(structure)}, y_tree: {other}")
    out_x, out_y = [], []
    for a, b, path in zip(map(as_array, xs), map(as_array, ys), tree.leaf_paths(x), strict=True):
        if a.aval.shape != b.aval.shape:
            raise ValueError(
                f"{api}: The leaves shapes of `x` and `y` should match. Got `x{path}` leaf shape: {a.aval.shape} and "
                f"`y{path}` leaf shape: {b.aval.shape}"
            )
        sharding = placement(a) or placement(b)
        out_x.append(a if sharding is None else placed(a, sharding))
        out_y.append(b if sharding is None else placed(b, sharding))
    return tree.unflatten(structure, out_x), tree.unflatten(structure, out_y)


publish(globals(), __name__, __all__)
