"""Which steps of a program must keep their order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fungrad.jit.ir.loops import Program, overlap
from fungrad.jit.ir.traverse import buffers_of


class Pile:
    """What some steps touch together.

    Attributes:
      reads, writes: names of buffers with memory of their own.
    """

    def __init__(self, order: Dependence, steps: Sequence[Any] = ()):
        self.order = order
        self.reads: set[str] = set()
        self.writes: set[str] = set()
        for step in steps:
            self.add(step)

    def add(self, step: Any) -> None:
        """Puts a step on the pile."""
        reads, writes = self.order.touched(step)
        self.reads |= reads
        self.writes |= writes


class Dependence:
    """Answers for the steps of one program."""

    def __init__(self, program: Program):
        self.program = program
        self._known: dict[int, tuple[Any, set[str], set[str]]] = {}

    def touched(self, step: Any) -> tuple[set[str], set[str]]:
        """What a step reads and writes: names of buffers with memory of their own."""
        found = self._known.get(id(step))
        if found is None:
            reads, writes = ({self.program.root(n).name for n in names} for names in buffers_of(step))
            # the step is kept with it, so that its number is not given to another
            found = self._known[id(step)] = (step, reads, writes)
        return found[1], found[2]

    def between(self, step: Any, others: Pile) -> bool:
        """Whether the order of a step and of those in a pile matters."""
        reads, writes = self.touched(step)
        pairs = ((writes, others.reads), (writes, others.writes), (reads, others.writes))
        return any(self.share(*pair) for pair in pairs)

    def share(self, some: set[str], others: set[str]) -> bool:
        """Whether two sets of buffers have memory in common."""
        if not some.isdisjoint(others):
            return True
        # places in the arena may have been given by hand
        near = [b for n in some if (b := self.program.buffers[n]).offset is not None]
        far = [b for n in others if (b := self.program.buffers[n]).offset is not None]
        return any(overlap(a, b) for a in near for b in far)
