"""Passes ``empty copies`` (copy elimination), ``in place`` (copy coalescing) and ``arena`` (allocation by lifetimes).

`reuse` and `arrange` look at the steps of a program in order; between them steps are rewritten for the machine. A
temporary lives from the step that first writes it to the last that reads it, a result to the end of the program,
wherever it lives: in memory of its own or in that of a donated input (`_Touches` is where this is known). Two rules
save memory and traffic:

* a step that reads an array for the last time, and writes another of the same size at the same positions, works in
  place (donated inputs become results this way, and copies that are made to be updated disappear);
* everything else is put into one arena, lowest free place first.

Results are never put into inputs that were not donated.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fungrad.jit.ir.facts import is_whole_copy, same_positions
from fungrad.jit.ir.loops import ALIGNMENT, Buffer, Call, Load, Loop, Nest, Program, Store
from fungrad.jit.ir.traverse import buffers_of, map_steps, walk

# A `memory_check.Verifier`, which looks at every decision about memory; with FUNGRAD_CHECK=1, as in tests.
verifier: Any = None


def reuse(program: Program) -> Program:
    """The program with steps that work in place."""
    before = roots(program.buffers)
    _in_place(program, _Touches(program), set(program.donated))
    if verifier is not None:
        verifier.shared(program, before, program.donated)
    return drop_empty_copies(program)


def roots(buffers: Mapping[str, Buffer]) -> dict[str, str]:
    """For each buffer the name of the one in whose memory it is."""
    found = {}
    for name in buffers:
        at = name
        while (alias := buffers[at].alias) is not None:
            at = alias
        found[name] = at
    return found


def arrange(program: Program) -> Program:
    """Places the temporaries of ``program`` in the arena.

    Those that have a place already, given by hand, keep it, and then nothing shares memory.
    """
    own = [b for b in program.buffers.values() if b.kind == "temp" and b.alias is None]
    if all(b.offset is None for b in own):
        _arena(program, _Touches(program))
        return program
    end = max(b.offset + b.nbytes for b in own if b.offset is not None)
    for b in own:
        if b.offset is None:
            b.offset = (end + ALIGNMENT - 1) // ALIGNMENT * ALIGNMENT
            end = b.offset + b.nbytes
    return program


# -- working in place --------------------------------------------------------------------------------------------------


class _Touches:
    """What each step reads and writes, and from which step to which each memory is in use.

    Attributes:
      of: for each step, the names of what it reads and writes.
      first, last: by name of a buffer with memory of its own. What holds a result is in use until after the last step.
      aliased: buffers whose memory others are in.
    """

    def __init__(self, program: Program):
        self.program = program
        self.of = [buffers_of(s) for s in program.steps]
        self.first: dict[str, int] = {}
        self.last: dict[str, int] = {}
        self.aliased = {b.alias for b in program.buffers.values() if b.alias is not None}
        for number, (reads, writes) in enumerate(self.of):
            for name in reads | writes:
                root = program.root(name).name
                self.first.setdefault(root, number)
                self.last[root] = number
        for name in program.outputs:
            self.last[program.root(name).name] = len(program.steps)

    def alias(self, name: str, target: str) -> None:
        """Puts a buffer into the memory of another."""
        self.program.buffers[name].alias = target
        self.aliased.add(target)
        root = self.program.root(target).name
        for table, choose in ((self.first, min), (self.last, max)):
            found = [table[n] for n in (name, root) if n in table]
            if found:
                table[root] = choose(found)


def _in_place(program: Program, touches: _Touches, donated: set[str]) -> None:
    """Lets steps write over arrays that they are the last to read."""
    written: set[str] = set()
    for number, step in enumerate(program.steps):
        reads, writes = touches.of[number]
        for name in sorted(writes):
            buffer = program.buffers[name]
            if name in written or buffer.alias is not None or buffer.kind not in ("temp", "output"):
                continue
            written.add(name)
            if type(step) is not Nest and not is_whole_copy(program.buffers, step):
                continue
            for source in sorted(reads - writes):
                if _may_reuse(program, touches, number, source, name, donated):
                    old, new = program.root(source), program.buffers[name]
                    if new.kind == "output" and old.kind == "temp":
                        # The temporary is computed in the memory of the result.
                        touches.alias(old.name, name)
                    else:
                        touches.alias(name, old.name)
                    break


def _may_reuse(program: Program, touches: _Touches, number: int, source: str, target: str, donated: set[str]) -> bool:
    old, new = program.root(source), program.buffers[target]
    step: Any = program.steps[number]
    if old.nbytes != new.nbytes or old.dtype.itemsize != new.dtype.itemsize or old.nbytes == 0:
        return False
    if old.kind == "input" and (old.name not in donated or program.outputs.count(target) > 1):
        return False
    if old.kind not in ("input", "temp") or touches.last[old.name] > number:
        return False
    if old.kind == "temp" and new.kind == "output":
        # A result takes over a temporary only if nothing touches it before, and if nothing else lives there already.
        if old.name in touches.aliased or touches.first[target] < number:
            return False
    reads, writes = touches.of[number]
    # Another result of this step may already live there.
    if any(program.root(n) is old for n in writes):
        return False
    if type(step) is Call:
        return True
    return same_positions(step.body, {n for n in reads if program.root(n) is old}, target)


def drop_empty_copies(program: Program) -> Program:
    """The program without nests that copy an array onto itself, those in loops and branches included."""

    def kept(steps: Sequence[Any]) -> list[Any]:
        return [map_steps(kept, s) for s in steps if not _copies_onto_itself(program, s)]

    return program.with_steps(kept(program.steps))


def _copies_onto_itself(program: Program, nest: Any) -> bool:
    if is_whole_copy(program.buffers, nest):
        return program.root(nest.inputs[0].buffer) is program.root(nest.outputs[0].buffer)
    if type(nest) is not Nest:
        return False
    statements = [s for s in walk(nest.body) if type(s) is not Loop]
    if [type(s) for s in statements] != [Load, Store]:
        return False
    load, store = statements
    return (
        program.root(load.buffer) is program.root(store.buffer)
        and load.index == store.index
        and store.value == load.name
        and load.where is None
        and store.where is None
        and store.update is None
        and program.buffers[load.buffer].dtype == program.buffers[store.buffer].dtype
    )


# -- arena -----------------------------------------------------------------------------------------------------------


def _arena(program: Program, touches: _Touches) -> None:
    """Places all temporaries that own memory; those alive together do not overlap."""
    alive: list[tuple[int, int, int]] = []  # offset, end, last step
    own = [b for b in program.buffers.values() if b.kind == "temp" and b.alias is None]
    for buffer in sorted(own, key=lambda b: (touches.first.get(b.name, 0), -b.nbytes)):
        first, last = touches.first.get(buffer.name, 0), touches.last.get(buffer.name, 0)
        alive = sorted([x for x in alive if x[2] >= first])
        offset = 0
        for start, end, _ in alive:
            if offset + buffer.nbytes <= start:
                break
            offset = max(offset, end)
        buffer.offset = offset
        end = (offset + buffer.nbytes + ALIGNMENT - 1) // ALIGNMENT * ALIGNMENT
        alive.append((offset, end, last))
