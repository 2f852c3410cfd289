"""Verifies that no two arrays of a program that are needed at the same time share memory.

`buffers` decides who shares with whom from the first and last step that touches a memory. Here a program is run in
the abstract instead: for each array it is known whether its memory still holds it, a step that writes an array ends
all others in that memory, and reading an array that has ended is an error. Loops are run twice, branches each for
itself. It is for tests and for debugging (``FUNGRAD_CHECK=1``): every program is checked where memory is given out,
which is before copies of an array onto itself are removed, since they say which array becomes which.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NoReturn

from fungrad.jit.ir import loops as ir
from fungrad.jit.ir.facts import is_copy, same_positions
from fungrad.jit.ir.loop_check import LoopError
from fungrad.jit.ir.loop_text import statements_text
from fungrad.jit.ir.loops import Affine, Buffer, Program
from fungrad.jit.ir.traverse import buffers_of, walk_in_loops


class Verifier:
    """What the compiler calls where it gives memory out."""

    def shared(self, program: Program, before: Mapping[str, str], donated: Iterable[str]) -> None:
        """After arrays have been put into the memory of others.

        Args:
          program: with copies of arrays onto themselves.
          before: for each buffer, the one whose memory it was in so far.
          donated: inputs that may be overwritten.
        """
        memory = {value: program.root(value).name for value in set(before.values())}
        kept = {before[n] for n in program.inputs} - set(donated) | {before[n] for n in program.outputs}
        _Run(program, before, lambda a, b: memory[a] == memory[b]).program(kept)

    def carried(
        self, buffers: Mapping[str, Buffer], before: Mapping[str, str], steps: Sequence[Any], copies: Sequence[ir.Call]
    ) -> None:
        """After new carries of a loop have been put into the memory of old ones.

        Args:
          buffers: by name.
          before: for each buffer that there was, the one whose memory it was in so far.
          steps: what the loop does.
          copies: of all new carries over old ones, those included that are about to be removed.
        """
        before = {name: before.get(name, name) for name in buffers}
        program = Program("loop", list(buffers.values()), [*steps, *copies], (), ())
        memory = {value: program.root(value).name for value in set(before.values())}
        run = _Run(program, before, lambda a, b: memory[a] == memory[b])
        made = {before[n] for s in program.steps for n in _written(s)}
        olds = {before[c.outputs[0].buffer] for c in copies}
        run.valid = set(before.values()) - made | olds
        run.written = set(run.valid)
        run.loop("", 2, program.steps, ())
        run.require(olds, "as a carry")

    def placed(self, program: Program) -> None:
        """After temporaries have been placed in the arena, by `arrange` and all passes that follow it."""
        values = {name: program.root(name).name for name in program.buffers}
        spans = {
            b.name: (b.offset, b.offset + b.nbytes)
            for b in program.buffers.values()
            if b.kind == "temp" and b.alias is None and b.offset is not None
        }

        def share(a: str, b: str) -> bool:
            if a not in spans or b not in spans:
                return False
            return spans[a][0] < spans[b][1] and spans[b][0] < spans[a][1]

        def same(a: str, b: str) -> bool:
            return spans[a] == spans[b]

        run = _Run(program, values, share, same, spans)
        run.program({values[n] for n in program.outputs})


class _Run:
    """An abstract run.

    Attributes:
      valid: arrays that are in their memory.
      missing: of those that were overwritten and are being written again, how many elements are to come.
    """

    def __init__(
        self,
        program: Program,
        value: Mapping[str, str],
        share: Callable[[str, str], bool],
        same: Callable[[str, str], bool] | None = None,
        able: Iterable[str] | None = None,
    ):
        self.of = program
        self.value = value
        # Whether arrays that share memory are in the same place of it.
        self.same = same or share
        # All arrays, and those that may share memory at all, which are fewer.
        values = {*value.values()}
        able = sorted(values if able is None else values.intersection(able))
        self.sharing: dict[str, list[str]] = {a: [] for a in values}
        for a in able:
            self.sharing[a] = [b for b in able if b != a and share(a, b)]
        self.valid: set[str] = set()
        self.missing: dict[str, int] = {}
        self.written: set[str] = set()
        self.counters: dict[str, int] = {}

    def program(self, kept: Iterable[str]) -> None:
        """Runs everything; ``kept`` must be there in the end."""
        self.valid = {self.value[n] for n, b in self.of.buffers.items() if b.kind in ("input", "const")}
        self.written = set(self.valid)
        self.steps(self.of.steps)
        self.require(kept, "in the end")

    def require(self, values: Iterable[str], why: str, step: Any = None) -> None:
        """Arrays that have been written must still be there."""
        for v in sorted(values):
            if v in self.written and v not in self.valid:
                self.fail(f"{v} is needed {why}, but its memory has been given to another", step)
            if self.missing.get(v, 0) > 0:
                self.fail(f"{v} is needed {why}, but {self.missing[v]} elements of it were not written again", step)

    def fail(self, message: str, step: Any = None) -> NoReturn:
        text = statements_text(self.of, [step]) if step is not None else statements_text(self.of, self.of.steps)
        raise LoopError(f"{message}, in\n{text}")

    # -- steps -----------------------------------------------------------------------------------------------------

    def steps(self, steps: Sequence[Any]) -> None:
        """Steps one after the other."""
        for s in steps:
            _STEP[type(s)](self, s)

    def in_order(self, s: ir.Rows | ir.Parallel | ir.Series) -> None:
        self.steps(s.steps)

    def repeat(self, s: ir.Repeat) -> None:
        self.loop(s.index, s.extent, s.steps, s.exchanges)

    def made(self, steps: Sequence[Any]) -> set[str]:
        """The arrays that steps write."""
        return {self.value[n] for s in steps for n in _written(s)}

    def loop(self, index: str, extent: int, steps: Sequence[Any], pairs: Sequence[tuple[str, str]]) -> None:
        """Two iterations stand for all: the second finds what the first has left."""
        if extent == 0:
            return
        self.counters[index] = extent
        for _ in range(min(extent, 2)):
            self.steps(steps)
            self.exchange(pairs)
        del self.counters[index]

    def exchange(self, pairs: Sequence[tuple[str, str]]) -> None:
        """New carries become the old ones: what was in their memory is gone."""
        for new, old in pairs:
            self.require({self.value[new]}, "as a carry")
            self.begin(self.value[old], _size(self.of, self.value[old]))
            self.end(self.value[new])

    def loop_while(self, s: ir.While) -> None:
        self.require_read({self.value[s.condition]} - self.made([s]), s)
        self.steps(s.test)
        self.require_read({self.value[s.condition]}, s)
        states = [self.state()]
        for _ in range(2):
            self.steps(s.steps)
            self.exchange(s.exchanges)
            self.steps(s.test)
            states.append(self.state())
        self.join(states)

    def branch(self, s: ir.Branch) -> None:
        self.require_read({self.value[s.selector]}, s)
        start, states = self.state(), []
        for steps in s.branches:
            self.valid, self.missing, self.written = set(start[0]), dict(start[1]), set(start[2])
            self.steps(steps)
            states.append(self.state())
        self.join(states)

    def state(self) -> tuple[set[str], dict[str, int], set[str]]:
        """A copy of what is known."""
        return set(self.valid), dict(self.missing), set(self.written)

    def join(self, states: Sequence[tuple[set[str], dict[str, int], set[str]]]) -> None:
        """After one of several ways, nobody knows which. What only some ways have written at all was never needed on
        the others."""
        self.written = set().union(*[s[2] for s in states])
        self.valid = {v for v in self.written if all(v in s[0] or v not in s[2] for s in states)}
        self.missing = {v: max(s[1].get(v, 0) for s in states) for v in self.valid}

    # -- single steps ----------------------------------------------------------------------------------------------

    def require_read(self, values: Iterable[str], step: Any) -> None:
        for v in sorted(values):
            if v not in self.written:
                self.fail(f"{v} is read, but nothing has been written there", step)
        self.require(values, "here", step)

    def end(self, value: str) -> None:
        """The memory of an array holds it no longer."""
        if value in self.valid:
            self.valid.discard(value)
        if value in self.written:
            self.missing[value] = _size(self.of, value)

    def begin(self, value: str, elements: int) -> None:
        """Some elements of an array are written."""
        for other in self.sharing[value]:
            self.end(other)
        if value in self.missing:
            self.missing[value] -= elements
        self.valid.add(value)
        self.written.add(value)

    def begin_unchanged(self, value: str, elements: int) -> None:
        """Some elements of an array are written that its memory holds already: whatever else is there stays valid."""
        others = self.sharing[value]
        valid, missing = self.valid.intersection(others), {v: self.missing.get(v) for v in others}
        self.begin(value, elements)
        self.valid |= valid
        for v, elements_to_come in missing.items():
            self.missing.pop(v, None)
            if elements_to_come is not None:
                self.missing[v] = elements_to_come

    def call(self, s: ir.Call | ir.Host) -> None:
        reads = {self.value[v.buffer] for v in s.inputs if math.prod(v.shape)}
        if s.reads_what_it_writes:
            reads |= {self.value[v.buffer] for v in s.outputs if math.prod(v.shape)}
        self.require_read(reads, s)
        if is_copy(s) and self.onto_itself(s):  # type: ignore[arg-type]
            target = self.value[s.outputs[0].buffer]
            self.begin_unchanged(target, _size(self.of, target))
            return
        for v in s.outputs:
            target = self.value[v.buffer]
            if not math.prod(v.shape):
                continue
            for other in self.sharing[target]:
                if other in reads:
                    self.fail(f"{target} is written into the memory of {other}, which is read", s)
            self.begin(target, math.prod(v.shape) * self.times(v.offset))

    def onto_itself(self, s: ir.Call) -> bool:
        """Whether a copy is of all of one memory to all of the same."""
        (source,), (target,) = s.inputs, s.outputs
        whole = all(
            v.offset == Affine() and math.prod(v.shape) == self.of.buffers[v.buffer].size for v in (source, target)
        )
        a, b = self.value[source.buffer], self.value[target.buffer]
        return whole and b in self.sharing[a] and self.same(a, b)

    def times(self, address: Affine) -> int:
        """In how many places the loops around put what has an address."""
        return math.prod(n for name, n in self.counters.items() if address.coefficient(name))

    def nest(self, s: ir.Nest) -> None:
        found = _accesses(s.body)
        stores = [(a, n) for a, n in found if type(a) is ir.Store and n]
        made = {self.value[a.buffer] for a, _ in stores}
        first: set[str] = set()
        for a, n in found:
            value = self.value[a.buffer]
            if not n:
                continue
            # What the nest has written before it is read is the nest's own.
            if (type(a) is ir.Load or a.reads_what_it_writes) and value not in first:
                self.require_read({value}, s)
            if type(a) is ir.Store:
                first.add(value)
        reads = {a.buffer for a, n in found if n and type(a) is ir.Load}
        unchanged: set[str] = set()
        for target in sorted(made):
            others = self.sharing[target]
            if any(self.moves_nothing(found, target, other) for other in others):
                unchanged.add(target)
            for other in others:
                if other in made:
                    self.fail(f"{target} and {other} are written into the same memory", s)
                if target in unchanged:
                    continue
                sources = {n for n in reads if self.value[n] == other}
                names = sorted({a.buffer for a, _ in stores if self.value[a.buffer] == target})
                if sources and not all(same_positions(s.body, sources, name) for name in names):
                    self.fail(f"{target} is written over {other} before all of that is read", s)
        for a, n in stores:
            target = self.value[a.buffer]
            begin = self.begin_unchanged if target in unchanged else self.begin
            begin(target, n * self.times(a.index))

    def moves_nothing(self, found: Sequence[tuple[ir.Load | ir.Store, int]], target: str, source: str) -> bool:
        """Whether all that a nest writes to one array is what another one has at the same places."""
        if not self.same(target, source):
            return False
        loads = {a.name: a for a, _ in found if type(a) is ir.Load and self.value[a.buffer] == source}
        for a, _ in found:
            if type(a) is not ir.Store or self.value[a.buffer] != target:
                continue
            for part, value in ((None, a.value),) if a.imag is None else ((0, a.value), (1, a.imag)):
                load = loads.get(value) if isinstance(value, str) else None
                if load is None or (load.index, load.part) != (a.index, part) or load.where or a.update:
                    return False
                if self.of.buffers[load.buffer].dtype != self.of.buffers[a.buffer].dtype:
                    return False
        return True


def _size(program: Program, value: str) -> int:
    return program.buffers[value].size


def _accesses(body: Sequence[Any]) -> list[tuple[ir.Load | ir.Store, int]]:
    """Loads and stores in program order, each with the number of elements that it goes through."""
    found: list[tuple[ir.Load | ir.Store, int]] = []
    for s, extents in walk_in_loops(body, {}):
        if s.is_access:
            # An address may be computed from counters: then it may be elsewhere in every iteration.
            computed = not extents.keys() >= set(s.index.symbols())
            around = [n for x, n in extents.items() if computed or s.index.coefficient(x)]
            found.append((s, 0 if 0 in extents.values() else math.prod(around)))
    return found


def _written(step: Any) -> set[str]:
    """Names of the buffers that a step writes to."""
    return buffers_of(step)[1]


_STEP: dict[type, Callable[[_Run, Any], None]] = {
    ir.Nest: _Run.nest,
    ir.Call: _Run.call,
    ir.Host: _Run.call,
    ir.Repeat: _Run.repeat,
    ir.Rows: _Run.in_order,
    ir.Parallel: _Run.in_order,
    ir.Series: _Run.in_order,
    ir.While: _Run.loop_while,
    ir.Branch: _Run.branch,
}
