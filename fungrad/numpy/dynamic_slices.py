"""``ds``: slices of static size that begin at a position which may be traced.

May import ``core``.
"""

from __future__ import annotations

import dataclasses
import operator
from typing import Any

from fungrad.core.arguments import brief, shown
from fungrad.core.array import Array
from fungrad.core.tree_registration import register_pytree_node


@dataclasses.dataclass(frozen=True)
class Slice:
    """``size`` elements from ``start`` on, every ``stride``-th. Made by ``ds``.

    Attributes:
      start: an integer, or an integer array without dimensions.
      size: how many elements.
      stride: distance between them.
    """

    start: Any
    size: int
    stride: int = 1


def ds(start: Any, size: Any = None, stride: Any = None) -> slice | Slice:
    """A slice of static size for ``x[...]``, ``x.at[...]`` and references, which may begin at a traced position.

    Where it does not fit into the array, what is read is moved inside, and what is written is dropped.

    Args:
      start: position of the first element, an integer or an integer array without dimensions; negative ones count from
        the end. The size if that is not given, and None for all elements.
      size: how many elements.
      stride: distance between them.

    Raises:
      TypeError: an argument is not an integer.
      ValueError: ``size`` or ``stride`` is negative.

    Example:
      >>> import fungrad, fungrad.numpy as jnp
      >>> fungrad.jit(lambda x, i: x[fungrad.ds(i, 2)])(jnp.arange(10), 4)
      Array([4, 5], dtype=int32)
    """
    if start is None:
        return slice(None)
    if size is None:
        start, size = 0, start
    if stride is None:
        stride = 1
    if isinstance(stride, Array):
        raise ValueError(f"fungrad.ds: stride must be a static integer, got {brief(stride)}")
    count, step = _integer("size", size), _integer("stride", stride)
    if not isinstance(start, Array):
        start = _integer("start", start)
    elif start.ndim or start.dtype.kind not in "iu":
        raise TypeError(f"fungrad.ds: start must be an integer without dimensions, got {start.aval.str_short()}")
    for name, value in (("size", count), ("stride", step)):
        if value < 0:
            raise ValueError(f"fungrad.ds: {name} must not be negative, got {value}")
    return Slice(start, count, step)


def _integer(name: str, value: Any) -> int:
    try:
        return operator.index(value)
    except TypeError as error:
        if isinstance(value, Array):
            raise
        raise TypeError(
            f"fungrad.ds: {name} must be an integer, got {shown(value)}"
        ) from error


def _flatten(x: Slice) -> tuple[tuple, tuple]:
    known = isinstance(x.start, int)
    return ((), (x.start, x.size, x.stride)) if known else ((x.start,), (None, x.size, x.stride))


def _unflatten(structure: tuple, children: tuple) -> Slice:
    start, size, stride = structure
    return Slice(children[0] if children else start, size, stride)


register_pytree_node(Slice, _flatten, _unflatten)

__all__ = ["ds"]
