"""What a pass on the loop IR is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from fungrad.jit.ir.loops import Nest, Program
from fungrad.jit.ir.traverse import map_bodies, map_nests


@dataclass(frozen=True)
class Pass:
    """A rewrite with a name.

    Attributes:
      name: as printed.
      scope: what `run` gets and gives:

        * ``program``: ``run(program)`` gives the new program;
        * ``nest``: ``run(program, nest)`` gives a nest, or several that run in order, or None if nothing changes. All
          nests go through it, but for those in `Rows`, which have been through all passes before;
        * ``statements``: ``run(program, statements)`` gives the new statements of a nest.

        A pass on nests may add temporaries to the program.
      run: the function.
    """

    name: str
    scope: str
    run: Callable[..., Any]

    def __call__(self, program: Program) -> Program:
        """The rewritten program; the given one stays as it is."""
        if self.scope == "program":
            return self.run(program)  # type: ignore[no-any-return]
        changed = program.with_steps(program.steps)
        changed.steps = map_nests(lambda nest: self.nests(changed, nest), changed.steps)
        return changed

    def nests(self, program: Program, nest: Nest) -> Sequence[Nest]:
        """What becomes of one nest."""
        if self.scope == "statements":
            return [map_bodies(lambda body: self.run(program, body), nest)]
        found = self.run(program, nest)
        return [nest] if found is None else [found] if type(found) is Nest else found
