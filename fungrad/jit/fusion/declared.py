"""The buffers of a program under construction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fungrad.jit.ir import loops


class Declared:
    """The buffers of a program under construction."""

    _PREFIX = {"input": "in", "output": "out", "temp": "t"}

    def __init__(self) -> None:
        self.by_kind: dict[str, list[loops.Buffer]] = {"input": [], "output": [], "temp": []}
        self.by_name: dict[str, loops.Buffer] = {}
        # Results of branches that may be made in the memory of operands: by the identity of the step.
        self.replacing: dict[int, tuple[loops.Branch, list[tuple[str, str]]]] = {}
        self.repeats = 0

    def new(self, kind: str, dtype: Any, shape: Sequence[int]) -> str:
        """Name of a new buffer."""
        found = self.by_kind[kind]
        name = f"{self._PREFIX[kind]}{len(found)}"
        self.by_name[name] = loops.Buffer(name, dtype, shape, kind)
        found.append(self.by_name[name])
        return name

    def discard(self, name: str) -> None:
        """Forgets the buffer that was made last."""
        found = self.by_kind[self.by_name.pop(name).kind]
        assert found[-1].name == name
        found.pop()

    def buffers(self) -> list[loops.Buffer]:
        """All buffers, by kind."""
        return [b for found in self.by_kind.values() for b in found]

    def counter(self) -> str:
        """Name of the counter of a new repeated step."""
        self.repeats += 1
        return f"r{self.repeats}"
