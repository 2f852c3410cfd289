"""What a jitted function has been traced for, and why again.

May import ``core`` and the other modules of ``front`` that know nothing of `api`.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from fungrad.core.frozen import frozen
from fungrad.core.source import Source
from fungrad.jit.front.explain import nearest_differences, parts_of

# One for every trace of a jitted function in this process: next(...) is one step for all threads.
_traces = itertools.count(1)
_seen = [0]


def note_trace() -> None:
    """Counts a trace of some jitted function."""
    _seen[0] = next(_traces)


def traces_so_far() -> int:
    """How many times a jitted function has been traced in this process."""
    return _seen[0]


@frozen
class Version:
    """One traced version of a jitted function.

    Attributes:
      arguments: types of the leaves of the arguments, by name.
      reason: why it was traced: what differs from the nearest version before it.
      where: the line of the call, None if it is not known.
      is_compiled: whether it has run.
    """

    arguments: tuple[tuple[str, str], ...]
    reason: str
    where: Source | None
    is_compiled: bool


@frozen
class CacheInfo:
    """What ``cache_info()`` of a jitted function tells.

    Attributes:
      name: of the function.
      traces: how often it was traced; more than there are versions if some were forgotten or closed over tracers.
      currsize: number of versions that are kept.
      versions: those, in the order in which they were traced.
    """

    name: str
    traces: int
    versions: tuple[Version, ...]

    @property
    def currsize(self) -> int:
        """Number of versions that are kept."""
        return len(self.versions)

    def __str__(self) -> str:
        many = "" if self.traces == 1 else "s"
        kept = "" if self.currsize == self.traces else f", {self.currsize} kept"
        lines = [f"jit of {self.name}: traced {self.traces} time{many}{kept}"]
        for k, v in enumerate(self.versions, 1):
            types = ", ".join(f"{name}: {text}" for name, text in v.arguments)
            lines.append(f"  {k}. ({types})" + ("" if v.is_compiled else ", not compiled"))
            lines.append(f"     {v.reason}" + (f", at {v.where}" if v.where is not None else ""))
        return "\n".join(lines)

    __repr__ = __str__


def versions_of(entries: Sequence[tuple[tuple, Any]]) -> tuple[Version, ...]:
    """The versions of the entries of a dispatch cache, pairs of a key and an entry in order."""
    found = []
    for k, (key, entry) in enumerate(entries):
        debug = entry.jaxpr.debug
        names = debug.arg_names if debug is not None else ()
        avals = entry.jaxpr.in_avals
        if len(names) != len(avals):
            names = tuple(f"args[{n}]" for n in range(len(avals)))
        static = dict(parts_of(key)[3])
        arguments = tuple((n, a.str_short()) for n, a in zip(names, avals, strict=True))
        arguments += tuple((str(n), f"static {value!r}") for n, value in static.items())
        reason = nearest_differences(key, [other for other, _ in entries[:k]], names)
        found.append(Version(arguments, reason, entry.place, entry.run is not None))
    return tuple(found)
