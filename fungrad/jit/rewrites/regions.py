"""Pass ``regions``: scalar replacement of arrays and loop fusion. Loops over small steps as one native function.

A loop of the user (`Repeat`, `While`, `Branch`) whose steps are small nests would spend its time on calls and on
passing a few numbers through memory. `merge` makes one nest of it: repeated steps become loops, conditions become
branches, and arrays of a few elements become variables, which live in registers; such an array is read from memory
before the loop and written back after it, and one that is used only inside has no memory at all.

What contains a library call, a step in Python or a large nest, which has work for vectors and threads, stays as it is,
and the loops inside of it are looked at one by one.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import count
from typing import Any

from fungrad.jit.ir import loops, tuning
from fungrad.jit.ir.facts import is_copy, is_plain
from fungrad.jit.ir.loops import (
    Acc,
    Affine,
    Branch,
    Buffer,
    Const,
    If,
    Let,
    Load,
    Loop,
    LoopWhile,
    Nest,
    Program,
    Repeat,
    Set,
    Store,
    Update,
    Var,
    While,
)
from fungrad.jit.ir.ops import binary
from fungrad.jit.ir.traverse import (
    buffers_of,
    changes,
    children,
    defines,
    map_bodies,
    map_steps,
    of_kind,
    own_buffers,
    rename,
    walk,
)
from fungrad.jit.kernels.scalars import FLOATS

# An element of an array: its memory and its number.
Element = tuple[str, int]


def merge(program: Program) -> Program:
    """The program with nests in place of loops over small steps."""
    if not any(s.is_control for s in program.steps):
        return program
    written = {program.root(name).name for name, b in program.buffers.items() if b.kind in ("input", "const")}
    return program.with_steps(_merged(program, program.steps, _accesses(program, program.steps), written))


def _merged(program: Program, steps: Sequence[Any], uses: Counter, written: set[str]) -> list[Any]:
    """Steps with nests in place of loops.

    Args:
      program: has the buffers.
      steps: of the program, or of a loop.
      uses: how often each memory is mentioned.
      written: memory that has been written before, maybe.
    """
    result: list[Any] = []
    written = set(written)
    for step in steps:
        writes = {program.root(name).name for name in buffers_of(step)[1]}
        if step.is_control:
            nest = _Region(program, uses, written).nest(step)
            # What an iteration writes is there in the next one.
            inside = written if type(step) is Branch else written | writes
            step = nest or map_steps(partial(_merged, program, uses=uses, written=inside), step)
        result.append(step)
        written |= writes
    return result


def _accesses(program: Program, items: Sequence[Any]) -> Counter:
    """How often each memory is mentioned."""
    found: Counter = Counter()
    for s in walk(items):
        for names in own_buffers(s):
            found.update([program.root(name).name for name in names])
    return found


class _UnsuitableError(Exception):
    """The loop is not one over small steps."""


class _Region:
    """Makes one nest of a loop."""

    def __init__(self, program: Program, uses: Counter, written: set[str]):
        self.program = program
        self.uses = uses
        self.written = written
        self.numbers = count()
        self.statements = 0
        self.accumulators: dict[str, Acc] = {}

    def nest(self, step: Any) -> Nest | None:
        """The nest, or None if the loop contains more than small nests."""
        try:
            body = self.step(step)
            self.cells = self.choose(step, body)
            body = self.unrolled(body)
        except _UnsuitableError:
            return None
        inside = [name for name, outer in self.cells.items() if not outer]
        self.mentions: dict[int, Counter] = {}
        self.scopes: dict[int, list[str]] = {}
        for name in inside:
            self.scopes.setdefault(id(self.scope(body, name)), []).append(name)
        before, after = self.outer_cells(body)
        return Nest([*before, *self.scalars(body), *after], "loop")

    def fresh(self, stem: str) -> str:
        """A new name."""
        return f"{stem}.{next(self.numbers)}"

    # -- steps as statements ---------------------------------------------------------------------

    def step(self, step: Any) -> list[Any]:
        kind = type(step)
        if kind is Nest:
            if _size(step.body) > tuning.SCALAR_NEST:
                raise _UnsuitableError
            return self.copied(step.body, {})
        if is_copy(step):
            return self.copy(*step.inputs, *step.outputs)
        if kind is Repeat:
            body = self.steps(step.steps)
            return [Loop(step.index, step.extent, body, ordered=True)] if step.extent else []
        if kind is While:
            flag = self.fresh("flag")
            test = [*self.steps(step.test), Load(flag, step.condition, Affine(0))]
            return [LoopWhile(test, flag, self.steps(step.steps))]
        if kind is Branch:
            which = self.fresh("which")
            chosen: list[Any] = self.steps(step.branches[-1])
            for number, branch in reversed(list(enumerate(step.branches[:-1]))):
                this = self.fresh("this")
                equal = Let(this, "eq", (which, Const(number, "i32")), "i1")
                chosen = [equal, If(this, self.steps(branch), chosen)]
            return [Load(which, step.selector, Affine(0)), *chosen]
        raise _UnsuitableError

    def steps(self, steps: Sequence[Any]) -> list[Any]:
        return [s for step in steps for s in self.step(step)]

    def copy(self, source: loops.View, target: loops.View) -> list[Any]:
        n = math.prod(source.shape)
        if n > tuning.SCALAR_NEST or source.strides is not None or target.strides is not None:
            raise _UnsuitableError
        at, value = self.fresh("z"), self.fresh("v")
        if self.program.buffers[source.buffer].is_complex:
            raise _UnsuitableError
        body = [Load(value, source.buffer, source.offset + at), Store(target.buffer, target.offset + at, value)]
        return [Loop(at, n, body)] if n else []

    def copied(self, statements: Sequence[Any], symbols: Mapping[str, Affine]) -> list[Any]:
        """Statements with new names for all that they define.

        Args:
          statements: a whole scope: what is defined inside is not used outside.
          symbols: replaces symbols in addresses.
        """
        self.statements += sum(1 for _ in walk(statements))
        if self.statements > tuning.MERGED_STATEMENTS:
            raise _UnsuitableError
        suffix = f".{next(self.numbers)}"
        names = {n: n + suffix for s in walk(statements) for n in defines(s)}
        moved = {**{old: Affine.var(new) for old, new in names.items()}, **symbols}
        return [rename(s, names, moved) for s in statements]

    # -- arrays of a few elements ----------------------------------------------------------------

    def choose(self, step: Any, body: Sequence[Any]) -> dict[str, bool]:
        """The memories that become variables, and whether each is used outside of the loop too."""
        program, own = self.program, _accesses(self.program, [step])
        suited: dict[str, bool] = {}
        short: dict[str, list[str]] = {}

        def visit(items: Sequence[Any], known: dict[str, bool]) -> None:
            """``known``: the loops around, and whether they can be written out."""
            for s in items:
                if s.is_access:
                    buffer = program.buffers[s.buffer]
                    root = program.root(s.buffer)
                    fits = _is_few(root) and buffer.dtype == root.dtype and buffer.size == root.size
                    fits = fits and all(known.get(x, False) for x in s.index.symbols())
                    suited[root.name] = suited.get(root.name, True) and fits
                    short.setdefault(root.name, []).extend(s.index.symbols())
                inner = {**known, s.index: _is_short(s)} if type(s) is Loop else known
                for nested in children(s):
                    visit(nested, inner)

        visit(body, {})
        # A variable is not set in parallel or in vectors: the loops around must be written out, or run in order.
        cells = {n: self.uses[n] > own[n] or program.buffers[n].kind != "temp" for n, ok in suited.items() if ok}
        cells = {n: outer for n, outer in cells.items() if program.buffers[n].kind not in ("input", "const")}
        self.short = {x for name in cells for x in short[name]}
        self._keep_orderly(body, cells)
        return cells

    def _keep_orderly(self, body: Sequence[Any], cells: dict[str, bool]) -> None:
        """Drops the cells that are written inside of loops that are neither written out nor run in order."""

        def visit(items: Sequence[Any], plain: bool) -> None:
            for s in items:
                if type(s) is Store and not plain:
                    cells.pop(self.program.root(s.buffer).name, None)
                inner = plain
                if type(s) is Loop and s.index not in self.short:
                    inner = inner and s.ordered
                for nested in children(s):
                    visit(nested, inner)

        visit(body, True)

    def unrolled(self, statements: Sequence[Any]) -> list[Any]:
        """With the loops over elements of cells written out."""
        result: list[Any] = []
        for s in statements:
            if type(s) is Acc:
                self.accumulators[s.name] = s
            if type(s) is Loop and s.index in self.short:
                body = self.unrolled(s.body)
                copies = [self.copied(body, {s.index: Affine(k)}) for k in range(s.extent)]
                result += self.summed([t for part in copies for t in part])
            else:
                result.append(map_bodies(self.unrolled, s))
        return _without_single_updates(result)

    def summed(self, statements: list[Any]) -> list[Any]:
        """With the updates of an accumulator from outside combined pairwise, which is a shorter chain of operations."""
        own = {s.name for s in of_kind(Acc, statements)}
        values: dict[str, list[Any]] = {}
        result: list[Any] = []
        for s in statements:
            if type(s) is Update and s.acc not in own and not self.is_whole(s):
                values.setdefault(s.acc, []).append(s.value)
            else:
                result.append(s)
        for name, terms in values.items():
            acc = self.accumulators[name]
            while len(terms) > 1:
                pairs = []
                for x, y in zip(terms[::2], terms[1::2], strict=False):
                    pairs.append(self.fresh("v"))
                    result.append(Let(pairs[-1], binary(acc.op), (x, y), acc.type))
                terms = [*pairs, *terms[2 * len(pairs) :]]
            result.append(Update(name, terms[0]))
        return result

    def is_whole(self, s: Update) -> bool:
        """Whether an update must stay as it is: those with positions, and of products, whose parts may overflow."""
        acc = self.accumulators[s.acc]
        return s.position is not None or (acc.op == "mul" and acc.type in FLOATS)

    def scope(self, statements: Sequence[Any], name: str) -> Sequence[Any]:
        """The innermost list of statements outside of which a memory is not used."""
        around = []
        for s in statements:
            if s.is_access and self.program.root(s.buffer).name == name:
                return statements
            around += [b for b in children(s) if name in self.mentioned(b)]
        return self.scope(around[0], name) if len(around) == 1 else statements

    def mentioned(self, statements: Sequence[Any]) -> Counter:
        """How often statements, which stay as they are, mention each memory."""
        if id(statements) not in self.mentions:
            self.mentions[id(statements)] = _accesses(self.program, statements)
        return self.mentions[id(statements)]

    def outer_cells(self, body: Sequence[Any]) -> tuple[list[Any], list[Any]]:
        """Statements that read the cells that others use before the loop, and write them after it.

        Elements are read where their old values are needed and somebody may have written them.
        """
        before: list[Any] = []
        after: list[Any] = []
        assigned: set[Element] = set()
        needed = self.needed(body, assigned)
        stored = {(self.program.root(s.buffer).name, s.index.const) for s in of_kind(Store, walk(body))}
        needed |= stored - assigned
        for name in [n for n, outer in self.cells.items() if outer]:
            buffer = self.program.buffers[name]
            for k in range(buffer.size):
                first: Any = Const.zero(buffer.type)
                if (name, k) in needed and name in self.written:
                    first = self.fresh("first")
                    before.append(Load(first, name, Affine(k)))
                before.append(Var(_cell(name, k), buffer.type, first))
                if (name, k) in stored:
                    after.append(Store(name, Affine(k), _cell(name, k)))
        return before, after

    def needed(self, statements: Sequence[Any], assigned: set[Element]) -> set[Element]:
        """The elements of cells that statements may read before they write them.

        Args:
          statements: with the loops over elements of cells written out.
          assigned: the elements that have been written for certain; those that the statements write are added.
        """
        found: set[Element] = set()
        for s in statements:
            kind = type(s)
            if s.is_access:
                element = self.program.root(s.buffer).name, s.index.const
                if element[0] not in self.cells:
                    continue
                if kind is Store and s.where is None and s.update is None:
                    assigned.add(element)
                elif element not in assigned:
                    found.add(element)
            elif kind is If:
                sides = set(assigned), set(assigned)
                for body, known in zip((s.then, s.orelse), sides, strict=True):
                    found |= self.needed(body, known)
                assigned |= sides[0] & sides[1]
            elif kind is LoopWhile:
                found |= self.needed(s.test, assigned)
                found |= self.needed(s.body, set(assigned))
            else:
                # A loop over nothing writes nothing.
                known = set(assigned) if kind is Loop and not s.extent else assigned
                for body in children(s):
                    found |= self.needed(body, known)
        return found

    def scalars(self, statements: Sequence[Any]) -> list[Any]:
        """With accesses to cells replaced by variables."""
        result: list[Any] = []
        for name in self.scopes.get(id(statements), ()):
            buffer = self.program.buffers[name]
            result += [Var(_cell(name, k), buffer.type, Const.zero(buffer.type)) for k in range(buffer.size)]
        for s in statements:
            root = self.program.root(s.buffer) if s.is_access else None
            if root is None or root.name not in self.cells:
                result.append(map_bodies(self.scalars, s))
            elif not 0 <= s.index.const < root.size:
                # Only an access under a condition leaves the array, and then the condition does not hold.
                assert s.where is not None
                if type(s) is Load:
                    result.append(Let(s.name, "copy", (s.other,), root.type))  # type: ignore[arg-type]
            elif type(s) is Load:
                result.append(_read(s, _cell(root.name, s.index.const), root.type))
            else:
                result += self.write(s, _cell(root.name, s.index.const), root.type)
        return result

    def write(self, s: Store, cell: str, type_: str) -> list[Any]:
        """A store to a cell."""
        found: list[Any] = []
        value = s.value
        if s.update is not None:
            value = self.fresh("v")
            found.append(Let(value, binary(s.update), (cell, s.value), type_))
        if s.where is not None:
            chosen = self.fresh("v")
            found.append(Let(chosen, "select", (s.where, value, cell), type_))
            value = chosen
        return [*found, Set(cell, value)]


def _without_single_updates(statements: list[Any]) -> list[Any]:
    """With accumulators that get one value replaced by this value."""
    counts = Counter(c for s in walk(statements) for c in changes(s))
    here = {s.acc for s in of_kind(Update, statements) if s.position is None}
    declared = {s.name: s for s in of_kind(Acc, statements)}
    single = {n: s for n, s in declared.items() if n in here and counts[n] == 1 and s.init is None}
    result: list[Any] = []
    for s in statements:
        if type(s) is Update and s.acc in single:
            result.append(Let(s.acc, "copy", (s.value,), single[s.acc].type))
        elif not (type(s) is Acc and s.name in single):
            result.append(s)
    return result


def _cell(name: str, k: int) -> str:
    return f"{name}[{k}]"


def _read(s: Load, cell: str, type_: str) -> Let:
    if s.where is None:
        return Let(s.name, "copy", (cell,), type_)
    return Let(s.name, "select", (s.where, cell, s.other), type_)  # type: ignore[arg-type]


def _is_few(buffer: Buffer) -> bool:
    return 0 < buffer.size <= tuning.FEW_ELEMENTS and not buffer.is_complex


def _is_short(loop: Loop) -> bool:
    """Whether a loop can be written out."""
    if loop.extent > tuning.FEW_ELEMENTS or loop.ordered:
        return False
    return is_plain(loop.body)


def _size(statements: Sequence[Any]) -> int:
    """How many statements are run."""
    total = 0
    for s in statements:
        inner = sum(_size(b) for b in children(s))
        total += inner * s.extent if type(s) is Loop and not s.ordered else inner + 1
    return total
