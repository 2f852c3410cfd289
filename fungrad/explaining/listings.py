"""Printed programs whose lines know which lines of the user they come from.

May import ``core`` and ``explaining.places``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fungrad.core.ir import Jaxpr
from fungrad.core.printing import marked_lines
from fungrad.explaining.places import Place, places_of


@dataclass(frozen=True)
class Line:
    """A line of a listing.

    Attributes:
      text: as printed.
      places: the lines of the user that it comes from.
      step: number of the step of the compiled program to which it belongs; None if it belongs to none.
      backward: whether it belongs to the backward pass.
    """

    text: str
    places: frozenset[Place] = frozenset()
    step: int | None = None
    backward: bool = False


def jaxpr_listing(jaxpr: Jaxpr) -> list[Line]:
    """The lines of a printed jaxpr, at least one for each equation."""
    found = []
    for line in marked_lines(jaxpr):
        back = any(e.source is not None and e.source.backward for e in line.eqns)
        found.append(Line(line.text, frozenset().union(*map(places_of, line.eqns)), None, back))
    return found


def as_text(lines: Sequence[Line]) -> str:
    """The lines as one text."""
    return "\n".join(line.text for line in lines)


def joined(parts: Sequence[Any]) -> frozenset[Place]:
    """All places of some things that have places."""
    return frozenset().union(*(p.places for p in parts))
