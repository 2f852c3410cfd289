"""``fungrad.flatten_util``: pytrees of arrays as single vectors.

May import every layer below ``fungrad``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import fungrad.numpy as jnp
from fungrad.core import dtypes, tree
from fungrad.core.arguments import shown
from fungrad.core.array import Array, as_array, is_array_like
from fungrad.core.avals import ShapedArray
from fungrad.core.public_names import publish
from fungrad.core.source import api_boundary

__all__ = ["ravel_pytree"]

_API = "fungrad.flatten_util.ravel_pytree"


def ravel_pytree(pytree: Any) -> tuple[Array, Callable[[Any], Any]]:
    """The elements of all arrays of a pytree in one vector.

    Args:
      pytree: tree of arrays and scalars.

    Returns:
      A vector of the dtype to which the leaves promote (the default floating dtype without leaves), and the
      function that takes such a vector back to a tree of the structure and shapes of ``pytree``.  If all leaves had
      one dtype, that function keeps the dtype of the vector it is given; else it wants the promoted dtype, and
      restores that of every leaf.  It raises ValueError for a vector of another length and TypeError for another
      dtype.

    Raises:
      TypeError: a leaf is not an array or scalar.

    Example:
      >>> import numpy as np
      >>> from fungrad.flatten_util import ravel_pytree
      >>> vector, unravel = ravel_pytree({'a': np.float32([1, 2]), 'b': 3.0})
      >>> vector
      Array([1., 2., 3.], dtype=float32)
      >>> unravel(2 * vector)
      {'a': Array([2., 4.], dtype=float32), 'b': Array(6., dtype=float32)}
    """
    leaves, structure = tree.flatten(pytree)
    if not all(map(is_array_like, leaves)):
        path, leaf = next((p, x) for p, x in tree.leaves_with_path(pytree) if not is_array_like(x))
        raise TypeError(
            f"{_API}: pytree{tree.keystr(path)} must be an array or a scalar, got {shown(leaf)}"
        )
    arrays = [as_array(x, f"{_API}: a leaf") for x in leaves]
    avals = [x.aval for x in arrays]
    if not arrays:
        return jnp.zeros(0), _Unravel(structure, (), None)
    # By dtypes alone: Python scalars count as well, so that they come back unrounded.
    dtype = jnp.result_type(*[a.dtype for a in avals])
    mixed = any(a.dtype != dtype for a in avals)
    vector = jnp.concatenate([jnp.ravel(x).astype(dtype) for x in arrays])
    return vector, _Unravel(structure, tuple(avals), dtype if mixed else None)


@dataclasses.dataclass(frozen=True)
class _Unravel:
    """The function back to trees; equal for trees of one structure and types, so that it can be a static argument."""

    structure: Any
    avals: tuple[ShapedArray, ...]
    dtype: Any

    @api_boundary
    def __call__(self, vector: Any) -> Any:
        return tree.unflatten(self.structure, _pieces(vector, self.avals, self.dtype))


def _pieces(vector: Any, avals: Sequence[ShapedArray], dtype: Any) -> list[Array]:
    """The leaves in a vector; their dtypes are restored if the one of the vector is given."""
    vector = as_array(vector, f"{_API}: the argument of unravel")
    size = sum(a.size for a in avals)
    if vector.aval.shape != (size,):
        raise ValueError(f"{_API}: unravel expects a vector of {size} elements, got shape {vector.aval.shape}")
    if dtype is not None and vector.aval.dtype != dtype:
        raise TypeError(
            f"{_API}: unravel expects a vector of dtype {dtypes.display_name(dtype)}, to which the leaves promoted, "
            f"got {dtypes.display_name(vector.aval.dtype)}"
        )
    pieces, start = [], 0
    for aval in avals:
        piece = vector[start : start + aval.size].reshape(aval.shape)
        pieces.append(piece if dtype is None else piece.astype(aval.dtype))
        start += aval.size
    return pieces

publish(globals(), __name__, __all__)
