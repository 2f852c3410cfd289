"""Lines of the user's code, and their text.

May import ``core``.
"""

from __future__ import annotations

import linecache
import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from fungrad.core.ir import Eqn, Jaxpr, jaxprs_in_params
from fungrad.core.source import Source

# How many lines of a function are shown beyond the last that computes something: its return, closing brackets.
_BEYOND = 3


@dataclass(frozen=True, order=True)
class Place:
    """A line of the user's code.

    Attributes:
      file: path.
      line: number, from 1.
    """

    file: str
    line: int

    @property
    def text(self) -> str:
        """The line itself, without indentation; empty if the file cannot be read."""
        return linecache.getline(self.file, self.line).strip()

    def __str__(self) -> str:
        return f"{os.path.basename(self.file)}:{self.line}"


def place_of(source: Source | None) -> Place | None:
    """The line of a source; None for None."""
    return None if source is None else Place(source.file, source.line)


def places_of(eqn: Eqn | None) -> frozenset[Place]:
    """The lines of an equation, and of those in the jaxprs among its parameters."""
    if eqn is None:
        return frozenset()
    found = {p for p in [place_of(eqn.source)] if p is not None}
    for inner in jaxprs_in_params(eqn.params):
        for e in inner.eqns:
            found |= places_of(e)
    return frozenset(found)


def all_sources(jaxpr: Jaxpr) -> Iterable[Source]:
    """The sources of all equations, inner ones included."""
    for eqn in jaxpr.eqns:
        if eqn.source is not None:
            yield eqn.source
        for inner in jaxprs_in_params(eqn.params):
            yield from all_sources(inner)


@dataclass(frozen=True)
class Excerpt:
    """Some lines of a file.

    Attributes:
      file: path.
      first: number of the first line.
      lines: texts.
    """

    file: str
    first: int
    lines: tuple[str, ...]

    @property
    def places(self) -> list[Place]:
        """One per line."""
        return [Place(self.file, self.first + k) for k in range(len(self.lines))]


def excerpts(sources: Iterable[Source]) -> list[Excerpt]:
    """The functions, from their first line on, in which operations were written; in order of file and line."""
    spans: dict[str, list[tuple[int, int]]] = {}
    for s in set(sources):
        code: Any = s._code
        first = code.co_firstlineno if code.co_name != "<module>" else s.line
        lines = [line for *_, line in code.co_lines() if line] if code.co_name != "<module>" else [s.line]
        spans.setdefault(s.file, []).append((min(first, s.line), max([s.line, *lines])))
    found = []
    for file, parts in sorted(spans.items()):
        text = linecache.getlines(file)
        merged: list[list[int]] = []
        for first, last in sorted(parts):
            if merged and first <= merged[-1][1] + _BEYOND:
                merged[-1][1] = max(merged[-1][1], last)
            else:
                merged.append([first, last])
        for first, last in merged:
            shown = tuple(line.rstrip("\n") for line in text[first - 1 : last])
            if shown:
                found.append(Excerpt(file, first, shown))
    return found
