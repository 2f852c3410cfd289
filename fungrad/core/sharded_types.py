"""Types of results of operations on arrays whose types say how they are divided (``ShapedArray.placement``).

An operation computes the types of its results as if nothing was divided; the rules of shardings (``shards.rules``)
then add how results are. They come from above and are registered here.

Where a rule finds operands that do not determine how a result is divided, the user is to say it. A program that has
been accepted is not asked again: while it is transformed, such results are of plain types (`lenient`).

May import ``core.avals`` and the error classes.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

from fungrad.core.avals import ShapedArray
from fungrad.errors import ShardingTypeError


class _Typing(threading.local):
    lenient: bool = False


typing = _Typing()

_rules: list[Callable[..., Any]] = []


def register_rules(shardings: Callable[..., Sequence[Any]], varying: Callable[..., frozenset]) -> None:
    """Registers the functions that say where results are.

    Args:
      shardings: the shardings of results of (primitive, avals, params, plain result avals).
      varying: the axes of functions of shards along which results of (primitive, avals, params) vary.
    """
    _rules[:] = [shardings, varying]


def placed_results(
    primitive: Any, avals: Sequence[ShapedArray], params: dict[str, Any], plain: Any
) -> tuple[Any, bool]:
    """The types of results with their shardings.

    Args:
      primitive: the operation.
      avals: types of its operands, of which some have shardings or vary.
      params: its parameters.
      plain: types of its results without shardings: one, or a tuple.

    Returns:
      The types, and whether they may be kept for the next time.
    """
    outs = plain if primitive.multiple_results else (plain,)
    lasting = True
    found: Sequence[Any] = [None] * len(outs)
    if any([a.placement is not None for a in avals]):
        try:
            found = _rules[0](primitive, avals, params, outs)
        except ShardingTypeError:
            if not typing.lenient:
                raise
            lasting = False
    vma = _rules[1](primitive, avals, params)
    placed = tuple([
        a if s is None and not vma else a.update(sharding=s, vma=vma) for a, s in zip(outs, found, strict=True)
    ])
    return (placed if primitive.multiple_results else placed[0]), lasting


class lenient:  # noqa: N801 - a context manager reads best in lower case
    """Results whose sharding is not determined are of plain types within a ``with`` block."""

    __slots__ = ("before",)

    def __enter__(self) -> None:
        self.before = typing.lenient
        typing.lenient = True

    def __exit__(self, *error: Any) -> None:
        typing.lenient = self.before
