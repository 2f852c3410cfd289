"""``map``: applies a function to the elements of an array one after the other.

May import ``core``, ``ops``, ``transforms`` and ``control.scan``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fungrad.control._base import check_callables, flat_operands
from fungrad.control.scan import scan
from fungrad.core import tree
from fungrad.core.dimensions import as_size
from fungrad.core.refs import Ref
from fungrad.core.signatures import X, Y
from fungrad.core.source import api_boundary
from fungrad.ops.foundation import reshape
from fungrad.ops.joining import concatenate
from fungrad.ops.shape import slice_in_dim
from fungrad.transforms.mapping import vmap

API = "lax.map"


@api_boundary
def map(f: Callable[[X], Y], xs: X, *, batch_size: int | None = None) -> Y:
    """Applies a function to the elements of arrays along their leading dimension.

    The same as ``stack([f(x) for x in xs])``: a ``scan`` without a carry. ``vmap`` computes all at once;
    this needs memory for one element at a time, or for ``batch_size`` of them.

    Args:
      f: function of one element, a tree of arrays, that returns a tree of arrays.
      xs: tree of arrays with leading dimensions of one size.
      batch_size: how many elements are computed at once, by ``vmap``; the last batch may be smaller. 0 stands for all
        of them.

    Returns:
      The tree of results, stacked along a new leading dimension.

    Raises:
      ValueError: there is nothing to map over, sizes disagree, or ``batch_size`` is negative.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import lax
      >>> lax.map(lambda x: x * x, jnp.arange(4))
      Array([0, 1, 4, 9], dtype=int32)
    """
    check_callables(API, f=f)
    if batch_size is None and any(isinstance(x, Ref) for x in tree.leaves(xs)):
        return _one_by_one(f, xs)
    leaves, structure = flat_operands(xs, API, "xs")
    sizes = {x.aval.shape[:1] for x in leaves}
    if len(sizes) != 1 or sizes == {()}:
        shapes = ", ".join(str(x.aval.shape) for x in leaves)
        raise ValueError(
            f"fungrad.{API}: xs must be arrays with leading dimensions of one size, got shapes {shapes}"
        )
    if batch_size is None:
        return _one_by_one(f, xs)
    size = as_size(batch_size)
    if size < 0:
        raise ValueError(f"fungrad.{API}: batch_size must not be negative, got {batch_size}")
    if not size:
        return vmap(f)(xs)
    (n,) = sizes.pop()
    whole = n // size * size
    parts = []
    if whole or not n:
        batches = [
            reshape(slice_in_dim(x, 0, whole), (whole // size, size, *x.aval.shape[1:]))
            for x in leaves
        ]
        out = _one_by_one(vmap(f), tree.unflatten(structure, batches))
        parts.append(tree.map(lambda y: reshape(y, (whole, *y.aval.shape[2:])), out))
    if whole < n:
        rest = [slice_in_dim(x, whole, n) for x in leaves]
        parts.append(vmap(f)(tree.unflatten(structure, rest)))
    return parts[0] if len(parts) == 1 else tree.map(lambda *ys: concatenate(ys, 0), *parts)


def _one_by_one(f: Callable[[Any], Any], xs: Any) -> Any:
    return scan(lambda _, x: ((), f(x)), (), xs)[1]
