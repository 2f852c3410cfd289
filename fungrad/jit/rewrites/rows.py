"""Pass ``rows``: strip-mining and fusion across steps. Puts steps that work row by row together, so that products and
the loops around them share blocks of rows.

A dense layer is a product and a nest over the rows of its result; the next layer needs of each row only that row. Run
one after the other on all rows, the steps send everything through memory and let the threads meet after each of them.
As one `Rows` step a thread takes some rows through all of them. So the bias and activation of a layer, the chain of
layers and its backward pass, and the update of a weight with its gradient run on what is still in the cache.

`grouped` looks at the steps from a product on. One that needs only rows of the group joins it; one that does not touch
it moves in front; one that needs all of it waits behind, and so does everything that needs that. Where a nest sums over
rows beside its work on them (the gradient of a bias, the loss), the sums are taken apart and wait behind.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from fungrad.jit.ir import convolutions, products, tuning
from fungrad.jit.ir.affine import address
from fungrad.jit.ir.dependence import Dependence, Pile
from fungrad.jit.ir.facts import is_scratch
from fungrad.jit.ir.footprint import Footprint, counters_of, footprint, row_loop
from fungrad.jit.ir.loops import (
    Acc,
    Affine,
    Buffer,
    Call,
    Load,
    Loop,
    Nest,
    Program,
    Rows,
    Store,
    Update,
)
from fungrad.jit.ir.ops import types_of
from fungrad.jit.ir.traverse import (
    buffers_of,
    by_memory,
    changes,
    map_steps,
    of_kind,
    part_of,
    uses,
    walk,
    walk_in_loops,
)
from fungrad.jit.kernels.scalars import NUMPY_DTYPES
from fungrad.jit.rewrites.partial import redirected
from fungrad.jit.rewrites.schedule import schedule


def grouped(program: Program) -> Program:
    """The program with groups of steps on the same rows; shares buffers with the original."""
    known = set(program.buffers)
    steps = _Grouper(program).steps(program.steps)
    used = set(known).union(*[names for s in steps for names in buffers_of(s)])
    for name in set(program.buffers) - used:
        del program.buffers[name]  # of a step that was not needed in the end
    return program.with_steps(steps)


# -- sums over rows --------------------------------------------------------------------------------


def without_sums(program: Program, nest: Nest, extent: int) -> tuple[Nest, Nest] | None:
    """A nest without what it sums over its rows, and the sums: a nest that runs after it. None if there are none, or if
    they cannot be taken apart.

    The summands are read where the nest stores them, or from memory of their own.
    """
    loops = [s for s in of_kind(Loop, nest.body) if s.extent == extent]
    if len(loops) != 1:
        return None
    (loop,) = loops
    at = nest.body.index(loop)
    before, after = nest.body[:at], nest.body[at + 1 :]
    if not all(s.is_pure or type(s) in (Acc, Loop) for s in before) or loop.ordered or loop.parallel:
        return None
    splitter = _Splitter(program, loop, {s.name for s in of_kind(Acc, before)})
    body = splitter.body(loop.body, [])
    if body is None or not splitter.sums or splitter.is_read(body):
        return None
    pure = [s for s in before if s.is_pure]
    rows = Nest([*pure, Loop(loop.index, extent, body)], nest.name)
    return rows, Nest([*before, Loop(loop.index, extent, splitter.sums), *after], nest.name)


def with_own_scratch(program: Program, nest: Nest, extent: int) -> Nest | None:
    """A nest over rows that use the same scratch memory one after the other, with a piece of it for every row. None if
    there is none, or if it would be large."""
    last: Any = nest.body[-1] if nest.body else None
    if type(last) is not Loop or not last.ordered or last.extent != extent:
        return None
    most = tuning.scratch_of_rows(program.target)
    copies: dict[str, Buffer] = {}
    for name, accesses in by_memory(program, walk_in_loops(last.body, {})).items():
        buffer = program.buffers[name]
        shared = not any(s.index.coefficient(last.index) for s, _ in accesses)
        if not shared or buffer.kind != "temp" or not is_scratch(accesses):
            continue
        alone = [b.name for b in program.buffers.values() if program.root(b.name) is buffer] == [name]
        reads = sum(s.buffer == name for s in of_kind(Load, walk(program.steps)))
        if alone and reads == sum(type(s) is Load for s, _ in accesses) and buffer.nbytes * extent <= most:
            copies[name] = Buffer(f"{name}.rows{len(program.buffers)}", buffer.dtype, (extent, buffer.size))
    if not copies:
        return None
    program.buffers.update({b.name: b for b in copies.values()})
    body = [redirected(s, copies, last.index) for s in last.body]
    return Nest([*nest.body[:-1], Loop(last.index, extent, body)], nest.name)


class _Splitter:
    """Takes sums over the iterations of a loop out of it.

    Attributes:
      sums: statements of the loop that sums up.
    """

    def __init__(self, program: Program, loop: Loop, cells: set[str]):
        self.program = program
        self.loop = loop
        self.cells = cells
        self.sums: list[Any] = []

    def body(self, statements: Sequence[Any], path: list[Loop]) -> list[Any] | None:
        """Statements without sums; None if that is not possible."""
        result: list[Any] = []
        for s in statements:
            if type(s) is Loop:
                inner = self.body(s.body, [*path, s])
                if inner is None:
                    return None
                if inner:
                    result.append(s.replace(body=inner))
            elif self.is_sum(s):
                kept = self.kept(s, statements, path)
                if kept is None:
                    return None
                result += kept
            elif s.is_branch or s.is_sequential or not self.cells.isdisjoint(changes(s)):
                return None
            else:
                result.append(s)
        return result

    def is_read(self, statements: Sequence[Any]) -> bool:
        """Whether statements use a sum that is not complete."""
        summed = {self.program.root(s.buffer).name for s in of_kind(Store, walk(self.sums))}
        for s in walk(statements):
            if s.is_access and self.program.root(s.buffer).name in summed:
                return True
            if not self.cells.isdisjoint(uses(s)):
                return True
        return False

    def is_sum(self, s: Any) -> bool:
        """Whether a statement combines something of every iteration."""
        if type(s) is Update:
            return s.acc in self.cells and s.position is None
        return s.reads_what_it_writes and not s.index.coefficient(self.loop.index)

    def kept(self, s: Update | Store, around: Sequence[Any], path: list[Loop]) -> list[Any] | None:
        """Notes a sum, and gives the statements that keep its summands."""
        counters = {loop.index for loop in path}
        value = s.value
        if not isinstance(value, str):
            return None
        if type(s) is Store and (s.where or s.imag or not counters.issuperset(s.index.symbols())):
            return None
        stored = self.stored(value, around)
        statements: list[Any] = []
        if stored is None:
            type_of_value = types_of(self.program, walk(self.loop.body)).get(value)
            if type_of_value is None:
                return None
            shape = (self.loop.extent, *(x.extent for x in path))
            buffer = self.program.temporary(f"{value}.kept", NUMPY_DTYPES[type_of_value], shape)
            stored = Store(buffer.name, address(shape, [self.loop.index, *(x.index for x in path)]), value)
            statements.append(stored)
        name = f"{value}.again"
        again: Any
        if type(s) is Store:
            again = Store(s.buffer, s.index, name, update=s.update)
        else:
            again = Update(s.acc, name)  # type: ignore[union-attr]
        inner: list[Any] = [Load(name, stored.buffer, stored.index), again]
        for x in reversed(path):
            inner = [x.replace(body=inner)]
        self.sums += inner
        return statements

    def stored(self, value: str, around: Sequence[Any]) -> Store | None:
        """A store of a value beside its sum that nothing overwrites."""
        stores = of_kind(Store, walk([self.loop]))
        for s in of_kind(Store, around):
            if s.value == value and not (s.update or s.where or s.imag):
                root = self.program.root(s.buffer)
                if all(t is s for t in stores[stores.index(s) :] if self.program.root(t.buffer) is root):
                    return s
        return None


# -- grouping --------------------------------------------------------------------------------------


class _Group:
    """Steps that have been put together, with what each touches."""

    def __init__(self, extent: int):
        self.extent = extent
        self.steps: list[Any] = []
        self.touched: list[Footprint] = []

    def accepts(self, touched: Footprint) -> bool:
        """Whether a step continues the rows of the group."""
        if not self.steps:
            return True
        made: set[str] = set().union(*[t.writes for t in self.touched])
        return not made.isdisjoint(touched.reads) and all(touched.meets_in_rows(t) for t in self.touched)

    def add(self, step: Any, touched: Footprint) -> None:
        """Takes a step in."""
        self.steps.append(step)
        self.touched.append(touched)

    def rows(self) -> Rows:
        """The group as a step."""
        block = math.lcm(*[t.rows for t in self.touched])
        block *= -(-tuning.PRODUCT_ROWS // block)
        return Rows(self.extent, block, self.steps)


class _Grouper:
    def __init__(self, program: Program):
        self.program = program
        self.order = Dependence(program)
        self.counters = counters_of(program)

    def steps(self, steps: Sequence[Any]) -> list[Any]:
        result: list[Any] = []
        waiting = list(steps)
        while waiting:
            step = waiting.pop(0)
            kind = type(step)
            if kind in (Call, Nest) and (found := self.group(step, waiting)) is not None:
                before, rows, waiting = found
                result += [*self.steps(before), rows]
                continue
            result.append(map_steps(self.steps, step))
        return result

    def rows_from(self, first: Any, following: list[Any]) -> int:
        """The rows of a group that may begin with a step: those of a product, or of one that needs a nest soon."""
        if type(first) is Call:
            if first.routine in ("conv", "conv_each"):
                found = convolutions.rows_of(self.program, first)
                return found[0] if found else 0
            return first.outputs[0].shape[-2] if first.routine == "gemm" else 0
        made = self.order.touched(first)[1]
        for step in following[: tuning.GROUP_SOON]:
            if type(step) is Call and step.routine == "gemm" and not made.isdisjoint(self.order.touched(step)[0]):
                return step.outputs[0].shape[-2]
        return 0

    def group(self, first: Any, following: list[Any]) -> tuple[list[Any], Rows, list[Any]] | None:
        """The group that begins with a step: what moves in front, the group, and what comes after. None if there would
        be no product with anything beside it."""
        extent = self.rows_from(first, following)
        group = _Group(extent)
        begun = self.joined(group, first) if extent else None
        if begun is None:
            return None
        form, touched, behind = begun
        group.add(form, touched)
        before: list[Any] = []
        inside, waiting = Pile(self.order, [form]), Pile(self.order, behind)
        for place, step in enumerate(following):
            if place == tuning.GROUP_REACH or type(step) not in (Call, Nest):
                behind += following[place:]
                break
            left = [step]
            if not self.order.between(step, waiting):
                related = not inside.writes.isdisjoint(self.order.touched(step)[0])
                joined = self.joined(group, step) if related else None
                if joined is not None:
                    form, rows, left = joined
                    group.add(form, rows)
                    inside.add(form)
                elif not self.order.between(step, inside):
                    before.append(step)
                    left = []
            for s in left:
                behind.append(s)
                waiting.add(s)
        work = [products.work(s) for s in group.steps if type(s) is Call]
        if len(group.steps) == 1 or sum(work) < tuning.SHARED_PRODUCT:
            return None
        made = group.rows()
        # One block is one thread's: products of so few rows are divided by columns, if each is worth it.
        if made.extent <= made.block and self.program.target.threads and max(work) >= tuning.WIDE_PRODUCT:
            return None
        return before, made, behind

    def joined(self, group: _Group, step: Any) -> tuple[Any, Footprint, list[Nest]] | None:
        """A step as a member of the group, if it can be one, and what remains of it."""
        for form, rest in self.forms(step, group.extent):
            touched = footprint(self.program, form, group.extent, self.counters)
            if touched is not None and group.accepts(touched):
                if type(form) is Nest:
                    form = self.scheduled(form)
                return None if form is None else (form, touched, rest)
        return None

    def forms(self, step: Any, extent: int) -> Iterator[tuple[Any, list[Nest]]]:
        """A step; what it was before two loops became one; or without its sums over rows, and those."""
        if type(step) is not Nest or row_loop(step) is not None:
            yield step, []
        if type(step) is not Nest:
            return
        private = with_own_scratch(self.program, step, extent)
        if private is not None:
            yield private, []
            step = private
        loop = row_loop(step)
        if loop is not None and loop.extent > extent and not (loop.extent % extent or loop.parallel or loop.vector):
            rows, columns = f"{loop.index}.row", loop.extent // extent
            inner = part_of(loop, Affine.var(rows, columns), columns)
            yield Nest([*step.body[:-1], Loop(rows, extent, [inner])], step.name), []
        parts = without_sums(self.program, step, extent)
        if parts is not None:
            yield parts[0], [parts[1]]

    def scheduled(self, nest: Nest) -> Nest | None:
        """A nest as it will be emitted, if its loop over rows stays what it is."""
        loop: Any = row_loop(nest)
        marked = Loop(loop.index, loop.extent, loop.body, parallel=True)
        found = schedule(self.program, Nest([*nest.body[:-1], marked], nest.name))
        last = row_loop(found[0]) if len(found) == 1 else None
        if last is None or last.extent != loop.extent or last.index != loop.index or last.vector or last.tile:
            return None
        return found[0] if last.parallel else None
