"""Arguments whose memory a call gives away: what must hold of them, and a warning where it is given for nothing.

May import ``core.avals`` and ``jit.runtime``.
"""

from __future__ import annotations

import itertools
import sys
import warnings
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from fungrad.core.avals import ShapedArray
from fungrad.jit.runtime.pool import pool


def warn_of_unusable(donated: Iterable[ShapedArray], results: Sequence[ShapedArray]) -> None:
    """Warns of donated arguments of whose type no result is, so that none can take their memory."""
    room = Counter([(x.shape, x.dtype) for x in results])
    unusable = []
    for x in donated:
        if room[x.shape, x.dtype]:
            room[x.shape, x.dtype] -= 1
        else:
            unusable.append(str(x))
    if unusable:
        warnings.warn(
            f"Some donated buffers were not usable: {', '.join(unusable)}.\nNo result has their shape and dtype, so "
            "their memory is given away for nothing; donate arguments that are updated and returned.",
            stacklevel=6,
        )


def check_given_once(arrays: Sequence[Any], flags: Sequence[bool], name: str) -> None:
    """Whether no array that is donated is an argument a second time."""
    given = set(map(id, itertools.compress(arrays, flags)))
    others = [id(x) for x, flag in zip(arrays, flags, strict=True) if not flag]
    if len(given) + len(others) < len(arrays) or not given.isdisjoint(others):
        raise RuntimeError(
            f"fungrad.jit: an array that is donated to {name} is also another argument of the call; pass a copy, or do "
            "not donate it"
        )


def is_on_own_memory(x: np.ndarray) -> bool:
    """Whether nothing but ``x`` refers to its memory."""
    while type(x.base) is np.ndarray:
        # The slot of the view, and the argument of getrefcount.
        if sys.getrefcount(x.base) > 2:
            return False
        x = x.base
    return x.flags.owndata or pool.lends(x)
