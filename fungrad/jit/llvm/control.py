"""Loops and branches of a nest.

The loop marked `vector` advances by `lanes` iterations at a time. What is left over is one more copy of the body with
fewer lanes, or overlaps the iterations before where that does no harm. More lanes than a register holds is how loops
are unrolled: LLVM splits the vectors.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from fungrad.jit.ir import tuning
from fungrad.jit.ir.cost import total_work, work_of
from fungrad.jit.ir.facts import is_repeatable, main_loop
from fungrad.jit.ir.loops import If, Load, Loop, LoopWhile, Nest, Program
from fungrad.jit.ir.traverse import buffers_of, of_kind, walk
from fungrad.jit.kernels.scalars import Value
from fungrad.jit.llvm import accumulate, interrupts, prefetch
from fungrad.jit.llvm.access import Access
from fungrad.jit.llvm.accumulate import Cell
from fungrad.jit.llvm.function import FunctionWriter
from fungrad.jit.llvm.module import Memory, Module
from fungrad.jit.llvm.writer import Vector


class ControlWriter(FunctionWriter):
    """Writes loops and branches; `body` writes what is in them."""

    def __init__(self, module: Module, nest: Nest, name: str):
        super().__init__(module, nest, name)
        self.memory = Memory(module, *buffers_of(nest))
        self.access = Access(self)
        self.positions = accumulate.arg_reductions(nest.body)
        self.squares: dict[int, Value] = {}
        self.running = accumulate.running_sums(nest.body)
        self.products = accumulate.products(nest.body)
        self.narrow: dict[Any, Value] = {}
        self.in_branch = False
        self.wide = accumulate.lanes_of_accumulators(nest.body)
        self.streamed = streamed(module, nest)
        self.streams = False
        self.ahead = prefetch.rows_ahead(module, nest, self.streamed)

    def body(self, statements: Sequence[Any]) -> None:
        """Writes statements."""
        raise NotImplementedError

    # -- loops -------------------------------------------------------------------------------------

    def loop(self, s: Loop) -> None:
        if s.extent == 0:
            return
        if s.tile:
            self.tile_loop(s)
        elif s.vector:
            self.vector_loop(s)
        elif s.extent == 1 and not self.is_split(s):
            self.once(s, 0)
        else:
            work = total_work(self.module.program, s)
            every = interrupts.period(work / s.extent) if interrupts.is_long(work) else 0
            if self.is_split(s):
                self.counted(s, "%begin", "%end", 1, every=every)
            else:
                self.summing(s, s.extent, 1, every)

    def iteration(self, s: Loop) -> None:
        """The body of a loop, after what it asks of memory for other iterations."""
        for place in self.ahead.get(id(s), ()):
            self.access.prefetch(*place)
        self.body(s.body)

    def is_split(self, s: Loop) -> bool:
        """Whether this loop runs over the range given by the caller."""
        return s is split_loop(self.nest)

    def once(self, s: Loop, at: int) -> None:
        """One iteration at a known place."""
        saved = self.save()
        self.symbols[s.index] = at
        self.iteration(s)
        del self.symbols[s.index]
        self.restore(saved)

    def counted(
        self,
        s: Loop,
        first: str,
        end: str,
        step: int,
        greatest: int | None = None,
        body: Callable[[], None] | None = None,
        every: int = 0,
    ) -> None:
        """A loop that runs at least once. With `greatest` its index stops there: the last
        iterations overlap the ones before. With `every` it looks for signals after so many iterations."""
        head, leave = self.label("loop"), self.label("done")
        before, saved = self.block, self.save()
        self.lines.append(f"br label %{head}")
        self.start(head)
        counter, following = f"%i{head[4:]}", f"%n{head[4:]}"
        at = len(self.lines)
        self.lines.append("")
        opened = self.phis(self.assigned(s.body))
        self.symbols[s.index] = counter
        if greatest is not None:
            self.module.declarations["@llvm.umin.i64"] = "declare i64 @llvm.umin.i64(i64, i64)"
            text = f"call i64 @llvm.umin.i64(i64 {counter}, i64 {greatest})"
            self.symbols[s.index] = self.scalar.append(text)
        if body is None:
            self.iteration(s)
        else:
            body()
        del self.symbols[s.index]
        if every:
            self.block = interrupts.poll(self, head, counter, every, "ret void")
        latch = self.block
        self.lines[at] = f"{counter} = phi i64 [ {first}, %{before} ], [ {following}, %{latch} ]"
        self.close_phis(opened, before, latch)
        self.lines += [
            f"{following} = add nuw nsw i64 {counter}, {step}",
            f"%c{head[4:]} = icmp ult i64 {following}, {end}",
            f"br i1 %c{head[4:]}, label %{head}, label %{leave}",
        ]
        self.restore(saved)
        self.start(leave)

    def summing(self, s: Loop, iterations: int, step: int, every: int = 0) -> None:
        """A loop from 0 whose long sums have levels. See `counted`."""
        sums = accumulate.long_sums(self.assigned(s.body), s.body)
        sizes = accumulate.levels(s.body, sums, iterations)
        most = min([iterations, *sizes])
        self.levelled(s, "0", str(iterations * step), step, [n * step for n in sizes], sums, most, every)

    def levelled(
        self, s: Loop, first: str, end: str, step: int, sizes: list[int], sums: list[Cell], most: int, every: int
    ) -> None:
        """A loop over blocks, in which the sums start from 0 and are then added to what they were before. The innermost
        blocks have at most `most` iterations."""
        if not sizes:
            self.multiplying(s, first, end, step, most, every)
            return

        def block(start: str, stop: str) -> None:
            totals = [cell.values[0] for cell in sums]
            for cell, total in zip(sums, totals, strict=True):
                cell.values = [total.m.const(0, total.type)]
            self.levelled(s, start, stop, step, sizes[1:], sums, most, every)
            for cell, total in zip(sums, totals, strict=True):
                cell.values = [total + cell.values[0]]

        self.blocks(s, first, end, sizes[0], block)

    def multiplying(self, s: Loop, first: str, end: str, step: int, most: int, every: int) -> None:
        """A loop of at most so many iterations, in which the exponents of products are moved often enough."""
        cells = [c for c in self.assigned(s.body) if c.factors is not None]
        each = {id(c): accumulate.factors(s.body, c.declaration.name) for c in cells}
        greatest = max(each.values(), default=0)
        size = accumulate.FACTORS // greatest if greatest else most

        def part(first: str, end: str, iterations: int) -> None:
            for c in cells:
                c.factors = (c.factors or 0) + each[id(c)] * (iterations - 1)  # those of the iterations before
            self.counted(s, first, end, step, every=every)

        def move() -> None:
            for c in cells:
                accumulate.move_exponent(c)

        def block(start: str, stop: str) -> None:
            move()
            part(start, stop, size)

        def moved() -> None:
            move()
            self.iteration(s)

        def careful(first: str, end: str) -> None:
            if size > 1:
                self.blocks(s, first, end, size * step, block)
            else:
                self.counted(s, first, end, step, body=moved, every=every)

        def plain(first: str, end: str) -> None:
            accumulate.multiply_plainly(
                self,
                cells,
                self.assigned(s.body),
                lambda: self.counted(s, first, end, step, every=every),
                lambda: careful(first, end),
            )

        if all((c.factors or 0) + each[id(c)] * most <= accumulate.FACTORS for c in cells):
            part(first, end, most)
        elif not accumulate.multiplies_plainly(self, s.body, cells):
            careful(first, end)
        elif most > tuning.PLAIN_PRODUCTS:
            self.blocks(s, first, end, tuning.PLAIN_PRODUCTS * step, plain)
        else:
            plain(first, end)

    def blocks(self, s: Loop, first: str, end: str, size: int, body: Callable[[str, str], None]) -> None:
        """A loop over blocks of another, whose bounds are given to `body`."""
        head, leave = self.label("block"), self.label("summed")
        before, saved = self.block, self.save()
        self.lines.append(f"br label %{head}")
        self.start(head)
        start, stop, number = f"%s{head[5:]}", f"%e{head[5:]}", head[5:]
        at = len(self.lines)
        self.lines.append("")
        opened = self.phis(self.assigned(s.body))
        self.module.declarations["@llvm.umin.i64"] = "declare i64 @llvm.umin.i64(i64, i64)"
        self.lines += [
            f"%t{number} = add nuw nsw i64 {start}, {size}",
            f"{stop} = call i64 @llvm.umin.i64(i64 %t{number}, i64 {end})",
        ]
        body(start, stop)
        self.lines[at] = f"{start} = phi i64 [ {first}, %{before} ], [ {stop}, %{self.block} ]"
        self.close_phis(opened, before, self.block)
        self.lines += [
            f"%m{number} = icmp ult i64 {stop}, {end}",
            f"br i1 %m{number}, label %{head}, label %{leave}",
        ]
        self.restore(saved)
        self.start(leave)

    def vector_loop(self, s: Loop) -> None:
        lanes = s.lanes or 1
        full, rest = divmod(s.extent, lanes)
        if self.is_split(s):
            self.split_vector_loop(s, lanes, full, rest)
            return
        if full and rest and is_repeatable(self.module.program, s):
            self.vector = Vector(s, lanes)
            self.counted(s, "0", str((full + 1) * lanes), lanes, s.extent - lanes)
            rest = 0
        elif full:
            self.vector = Vector(s, lanes) if lanes > 1 else None
            if full == 1:
                self.once(s, 0)
            else:
                self.summing(s, full, lanes)
        self.vector = None
        if rest:
            self.vector_rest(s, full * lanes, rest)

    def vector_rest(self, s: Loop, at: int, rest: int) -> None:
        self.vector = Vector(s, rest) if rest > 1 else None
        self.once(s, at)
        self.vector = None

    def split_vector_loop(self, s: Loop, lanes: int, full: int, rest: int) -> None:
        """The outermost loop as vectors, for a caller who gives a range of full vectors; who gets
        the last of them also does the rest. Has no cells: reductions are split beforehand."""
        scale = self.scalar.operand
        if full:
            last = scale(f"mul nuw nsw i64 %end, {lanes}")
            first = scale(f"mul nuw nsw i64 %begin, {lanes}")
            self.vector = Vector(s, lanes) if lanes > 1 else None
            if rest and is_repeatable(self.module.program, s):
                self.counted(s, first, last, lanes, s.extent - lanes)
                rest = 0
            else:
                self.counted(s, first, last, lanes)
            self.vector = None
        if rest:
            do, leave = self.label("rest"), self.label("done")
            if full:
                saved = self.save()
                here = scale(f"icmp eq i64 %end, {full}")
                self.lines.append(f"br i1 {here}, label %{do}, label %{leave}")
                self.start(do)
            self.vector_rest(s, full * lanes, rest)
            if full:
                self.lines.append(f"br label %{leave}")
                self.restore(saved)
                self.start(leave)

    def tile_loop(self, outer: Loop) -> None:
        """Squares of iterations of a loop and the vector loop in it. Loads that are contiguous
        along the outer loop are read that way and transposed in registers."""
        inner, n = outer.body[0], outer.tile or 1

        def is_complex(s: Load) -> bool:
            return self.module.program.buffers[s.buffer].is_complex

        turned = [
            s
            for s in of_kind(Load, inner.body)
            if abs(s.index.coefficient(outer.index)) == 1
            and abs(s.index.coefficient(inner.index)) > 1
        ]

        def square() -> None:
            a, b = self.symbols[outer.index], self.symbols[inner.index]
            step = [[self.scalar.operand(f"add nsw i64 {x}, {k}") for k in range(n)] for x in (a, b)]
            rows: dict[Any, list[Value]] = {}
            self.vector = Vector(outer, n)
            for s in turned:
                read = self.access.load_pairs if is_complex(s) else self.access.load
                key = (s.buffer, s.index) if is_complex(s) else id(s)
                if key in rows:
                    continue  # the other part
                rows[key] = []
                for place in step[1]:
                    self.symbols[inner.index] = place
                    rows[key].append(read(s))
            self.symbols[inner.index] = b
            self.vector = Vector(inner, n)
            columns = {key: self.transposed(values, n) for key, values in rows.items()}
            for k, place in enumerate(step[0]):
                self.symbols[outer.index] = place
                self.squares = {
                    id(s): self.access.part(columns[s.buffer, s.index][k], s.part or 0)
                    if is_complex(s)
                    else columns[id(s)][k]
                    for s in turned
                }
                self.body(inner.body)
            self.squares = {}
            self.symbols[outer.index] = a

        def across() -> None:
            self.vector = Vector(inner, n)
            self.counted(inner, "0", str(-(-inner.extent // n) * n), n, inner.extent - n, square)
            self.vector = None

        self.counted(outer, "0", str(-(-outer.extent // n) * n), n, outer.extent - n, across)

    def transposed(self, rows: list[Value], n: int) -> list[Value]:
        """The columns of a square of numbers, or of pairs of numbers: halves are exchanged between rows at distance
        n/2, then n/4, ... 1."""
        rows, distance = list(rows), n // 2
        m, each = rows[0].m, rows[0].m.lanes // n
        while distance:
            low = [c if not c & distance else n + c - distance for c in range(n)]
            high = [c + distance if not c & distance else n + c for c in range(n)]
            low, high = ([each * c + t for c in order for t in range(each)] for order in (low, high))
            for r in range(n):
                if not r & distance:
                    a, b = rows[r], rows[r + distance]
                    rows[r] = self.access.shuffle(a, b, low, m)
                    rows[r + distance] = self.access.shuffle(a, b, high, m)
            distance //= 2
        return rows

    # -- branches ----------------------------------------------------------------------------------

    def branch(self, s: If) -> None:
        """Both ways assign to the same cells; a phi joins them."""
        around, self.in_branch = self.in_branch, True
        yes, no, leave = self.label("then"), self.label("else"), self.label("join")
        condition = self.value(s.condition)
        holds = self.any_lane(condition) if s.settled else condition.raw
        self.lines.append(f"br i1 {holds}, label %{yes}, label %{no}")
        cells = self.assigned(s.then, s.orelse)
        initial = [list(c.values) for c in cells]
        ends = []
        for name, body in ((yes, s.then), (no, s.orelse)):
            saved = self.save()
            for cell, values in zip(cells, initial, strict=True):
                cell.values = list(values)
            self.start(name)
            self.body(body)
            self.lines.append(f"br label %{leave}")
            ends.append((self.block, [list(c.values) for c in cells]))
            self.restore(saved)
        self.start(leave)
        (left, a), (right, b) = ends
        for cell, from_left, from_right in zip(cells, a, b, strict=True):
            for k, (x, y) in enumerate(zip(from_left, from_right, strict=True)):
                if x.raw != y.raw:
                    text = f"phi {x.m.llvm(x.type)} [ {x.raw}, %{left} ], [ {y.raw}, %{right} ]"
                    cell.values[k] = x.m.value(x.type, x.m.append(text))
                else:
                    cell.values[k] = x
        self.in_branch = around

    def loop_while(self, s: LoopWhile) -> None:
        around, self.in_branch = self.in_branch, True
        head, inside, leave = self.label("test"), self.label("while"), self.label("done")
        before, saved = self.block, self.save()
        self.lines.append(f"br label %{head}")
        self.start(head)
        counter, following = f"%i.{head}", f"%n.{head}"
        at = len(self.lines)
        self.lines.append("")
        cells = self.assigned(s.test, s.body)
        opened = self.phis(cells)
        self.body(s.test)
        condition = self.value(s.condition)
        after_test = [list(c.values) for c in cells]
        go_on = self.any_lane(condition)
        self.lines.append(f"br i1 {go_on}, label %{inside}, label %{leave}")
        self.start(inside)
        self.body(s.body)
        self.lines.append(f"{following} = add i64 {counter}, 1")
        work = work_of(self.module.program, [*s.test, *s.body])
        self.block = interrupts.poll(self, head, following, interrupts.period(work), "ret void")
        self.lines[at] = f"{counter} = phi i64 [ 0, %{before} ], [ {following}, %{self.block} ]"
        self.close_phis(opened, before, self.block)
        self.lines.append(f"br label %{head}")
        for cell, values in zip(cells, after_test, strict=True):
            cell.values = values
        self.restore(saved)
        self.start(leave)
        self.in_branch = around


def streamed(module: Module, nest: Nest) -> frozenset[str]:
    """Results of a nest that are written past the cache (non-temporal stores)."""
    program = module.program
    reads, writes = buffers_of(nest)
    roots = {program.root(b).name for b in (*reads, *writes)}
    total = sum(program.buffers[b].nbytes for b in roots)
    least = tuning.streamed_bytes(module.machine, any(s.tile for s in of_kind(Loop, walk(nest.body))))
    if least is None or total <= least:
        return frozenset()
    read = {program.root(b).name for b in reads}
    found = [program.buffers[b] for b in writes if b not in read]
    large = [b for b in found if b.nbytes >= tuning.LARGE_RESULT]
    return frozenset(b.name for b in large if b.kind == "output" and b.alias is None)


def split_loop(nest: Nest) -> Loop | None:
    """The loop whose range the caller of the nest's function chooses: a parallel loop at the end of
    the nest, with nothing but pure statements before it."""
    loop = main_loop(nest)
    return loop if loop is not None and loop.parallel else None


def units(program: Program, nest: Nest) -> int:
    """How many units the range has: the caller passes `begin < end` in `0 .. units`. 1 if the nest
    is not divisible."""
    loop = split_loop(nest)
    if loop is None:
        return 1
    if not loop.vector:
        return loop.extent
    full, rest = divmod(loop.extent, loop.lanes or 1)
    if full and rest and is_repeatable(program, loop):
        full += 1
    return max(1, full)
