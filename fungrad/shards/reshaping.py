"""How the parts of an array lie after its dimensions have been split or merged.

May import nothing else of fungrad.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any


def reshaped_entries(
    old: Sequence[int], new: Sequence[int], entries: Sequence[Any], sizes: Mapping[Any, int]
) -> list[Any] | None:
    """What divides the dimensions of a reshaped array.

    One dimension may be split or several merged into one; dimensions of size 1 come and go.

    Args:
      old: sizes of the dimensions before.
      new: sizes of the dimensions after.
      entries: what divides each dimension before.
      sizes: sizes of the mesh axes.

    Returns:
      What divides each dimension after, or None where that is not determined.

    Example:
      >>> reshaped_entries((8, 6), (2, 4, 6), ("x", None), {"x": 2})
      ['x', None, None]
      >>> reshaped_entries((8, 6), (6, 8), ("x", None), {"x": 2}) is None
      True
    """
    if all(e is None for e in entries):
        return [None] * len(new)
    pieces = _pieces([n for n in old if n != 1], [n for n in new if n != 1])
    given = [e for n, e in zip(old, entries, strict=True) if n != 1]
    if any(e is not None for n, e in zip(old, entries, strict=True) if n == 1) and list(old) != list(new):
        return None
    if list(old) == list(new):
        return list(entries)
    if sum(1 for a, b in pieces if len(a) > 1 or len(b) > 1) > 1:
        return None
    out: list[Any] = []
    position = 0
    for before, after in pieces:
        names = given[position : position + len(before)]
        position += len(before)
        made = _piece(before, after, names, sizes)
        if made is None:
            return None
        out += made
    rest = iter(out)
    return [None if n == 1 else next(rest) for n in new]


def _pieces(old: Sequence[int], new: Sequence[int]) -> list[tuple[list[int], list[int]]]:
    """The shortest runs of dimensions before and after with the same number of elements."""
    pieces = []
    i = j = 0
    while i < len(old) or j < len(new):
        before, after = [old[i]] if i < len(old) else [], [new[j]] if j < len(new) else []
        i, j = i + len(before), j + len(after)
        while math.prod(before) != math.prod(after):
            if math.prod(before) < math.prod(after) and i < len(old) or j == len(new):
                before.append(old[i])
                i += 1
            else:
                after.append(new[j])
                j += 1
        pieces.append((before, after))
    return pieces


def _piece(before: list[int], after: list[int], names: Sequence[Any], sizes: Mapping[Any, int]) -> list[Any] | None:
    """What divides ``after``, made of ``before``; names of mesh axes go to the first dimensions, in order."""
    if all(e is None for e in names):
        return [None] * len(after)
    if len(before) == len(after) == 1:
        return [names[0]]
    if len(before) > 1 and len(after) > 1:
        return None
    flat: list[Any] = []
    for e in names:
        parts = () if e is None else e if isinstance(e, tuple) else (e,)
        flat += parts or (None,)
    while flat and flat[-1] is None:
        flat.pop()
    if None in flat:
        return None
    axes = iter(flat)
    out: list[Any] = []
    for n in after:
        mine = []
        while n > 1:
            name = next(axes, None)
            if name is None:
                break
            if n % sizes[name]:
                return None
            n //= sizes[name]
            mine.append(name)
        out.append(tuple(mine) if len(mine) > 1 else mine[0] if mine else None)
    return out if next(axes, None) is None else None
