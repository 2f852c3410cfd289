"""A `Nest` as one LLVM function, with explicit vectors.

The loop marked `vector` advances by `lanes` iterations at a time; inside it a value is either
uniform (the same for all of them, kept in a scalar register) or varying (an LLVM vector of `lanes`
elements). What is left over is one more copy of the body with fewer lanes. LLVM is only asked to
select instructions: there are no alias checks, no cost model, and a reduction has exactly the
partial sums that are written here, so results do not depend on the version of LLVM.

More lanes than a register holds is how loops are unrolled: LLVM splits the vectors.

Accumulators and variables are SSA values from the start: a loop or branch that assigns one gets a
phi for it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import count
from typing import Any

from fungrad.jit.ir import provenance, tuning
from fungrad.jit.ir.cost import total_work, work_of
from fungrad.jit.ir.facts import is_repeatable, main_loop
from fungrad.jit.ir.loops import (
    Acc,
    Affine,
    Const,
    If,
    Index,
    Let,
    Load,
    Loop,
    LoopWhile,
    Nest,
    Prefix,
    Program,
    Set,
    Store,
    Update,
    Var,
)
from fungrad.jit.ir.ops import apply
from fungrad.jit.ir.traverse import addresses, buffers_of, changes, of_kind, walk
from fungrad.jit.kernels.scalars import HALF, UNSIGNED, Value
from fungrad.jit.llvm import accumulate, interleave, interrupts, prefetch
from fungrad.jit.llvm.access import Access
from fungrad.jit.llvm.accumulate import Cell
from fungrad.jit.llvm.module import Memory, Module
from fungrad.jit.llvm.scalar import LLVMScalars
from fungrad.jit.llvm.writer import Vector

_FLAGS = "contract"


class NestEmitter:
    """Writes one function. `emit` gives its text."""

    def __init__(self, module: Module, nest: Nest, name: str):
        self.module = module
        self.nest = nest
        self.name = name
        self.lines: list[str] = []
        self.names = count()
        self._labels = count()
        self._builders: dict[int, LLVMScalars] = {}
        self.scalar = self.builder(1)
        self.vector: Vector | None = None
        self.env: dict[str, Value] = {}
        self.symbols: dict[str, str | int] = {}
        self.cells: dict[str, Cell] = {}
        self.block = "entry"
        self.memory = Memory(module, *buffers_of(nest))
        self.access = Access(self)
        self.positions = accumulate.arg_reductions(nest.body)
        self.squares: dict[int, Value] = {}
        self.groups: dict[int, interleave.Group] = {}
        self.running = accumulate.running_sums(nest.body)
        self.products = accumulate.products(nest.body)
        self.narrow: dict[Any, Value] = {}
        self.in_branch = False
        self.wide = accumulate.lanes_of_accumulators(nest.body)
        self.streamed = streamed(module, nest)
        self.streams = False
        self.ahead = prefetch.rows_ahead(module, nest, self.streamed)
        # For those who look: which lines were written for which statement, inner ones first.
        self.spans: list[tuple[int, int, Any]] = []

    # -- values ------------------------------------------------------------------------------------

    def builder(self, lanes: int) -> LLVMScalars:
        """The scalar builder that writes `lanes` elements at a time into this function."""
        m = self._builders.get(lanes)
        if m is None:
            m = LLVMScalars(self.names, self.module.declarations, _FLAGS, "%v", lanes)
            m.lines = self.lines
            m.start = self.start
            m.avx512 = self.module.machine.avx512
            self._builders[lanes] = m
        return m

    @property
    def m(self) -> LLVMScalars:
        """Builder of varying values."""
        return self._builders[1] if self.vector is None else self.builder(self.vector.lanes)

    def value(self, x: Any) -> Value:
        """An operand, uniform or varying."""
        if isinstance(x, Const):
            return self.scalar.const(x.value, x.type)
        known = self.env.get(x)
        if known is not None:
            return known
        cell = self.cells.get(x)
        if cell is not None:
            return cell.values[0]
        raise KeyError(f"loop IR: {x} is used before its definition in nest {self.nest.name!r}")

    def varying(self, x: Any) -> Value:
        """An operand as a vector of the current loop."""
        m = self.m
        if isinstance(x, Const):
            return m.const(x.value, x.type)
        value = x if isinstance(x, Value) else self.value(x)
        return value if value.m is m else self.spread(value, m)

    def spread(self, value: Value, m: LLVMScalars) -> Value:
        """A uniform value in every lane of `m`."""
        if m.lanes == 1 or value.m is m:
            return Value(m, value.type, value.raw)
        if not value.raw.startswith("%"):
            return m.value(value.type, m.literal(value.raw, value.type))
        vector, element = m.llvm(value.type), self.scalar.llvm(value.type)
        one = m.operand(f"insertelement {vector} poison, {element} {value.raw}, i64 0")
        return m.value(
            value.type,
            m.operand(f"shufflevector {vector} {one}, {vector} poison, <{m.lanes} x i32> zeroinitializer"),
        )

    def as_i64(self, value: Value) -> Value:
        """An integer value as an `i64`, for addresses."""
        return value.m.convert(value, "u64" if value.type in UNSIGNED else "i64")

    def affine(self, expression: Affine) -> tuple[str, int, Value | None]:
        """An affine expression as (scalar i64 operand, lane stride, varying i64 summand)."""
        const, stride, vector = expression.const, 0, None
        parts: list[str] = []
        add = self.scalar.operand
        for symbol, c in expression.terms:
            if self.vector is not None and symbol == self.vector.symbol:
                stride = c
            place = self.symbols.get(symbol)
            if place is None:
                value = self.as_i64(self.value(symbol))
                if value.m is not self.scalar:
                    scaled = value if c == 1 else value * c
                    vector = scaled if vector is None else vector + scaled
                    continue
                place = value.raw
            if isinstance(place, int):
                const += c * place
            else:
                parts.append(place if c == 1 else add(f"mul nsw i64 {place}, {c}"))
        total = None
        for p in parts:
            total = p if total is None else add(f"add nsw i64 {total}, {p}")
        if total is None:
            total = str(const)
        elif const:
            total = add(f"add nsw i64 {total}, {const}")
        return total, stride, vector

    # -- control flow ------------------------------------------------------------------------------

    def label(self, stem: str) -> str:
        return f"{stem}{next(self._labels)}"

    def start(self, label: str) -> None:
        """Begin a basic block."""
        self.lines.append(f"{label}:")
        self.block = label

    def save(self) -> tuple:
        """Remember what is known here, to forget what a nested block adds."""
        known = {k: m.known() for k, m in self._builders.items()}
        return dict(self.env), known, dict(self.cells)

    def restore(self, saved: tuple) -> None:
        env, known, cells = saved
        self.env, self.cells = dict(env), dict(cells)
        for k, m in self._builders.items():
            m.forget(known.get(k))

    def assigned(self, *bodies: Sequence[Any]) -> list[Cell]:
        """Cells that exist here and that the statements change."""
        names = dict.fromkeys(n for body in bodies for s in walk(body) for n in changes(s))
        return [self.cells[n] for n in names if n in self.cells]

    def phis(self, cells: list[Cell]) -> list[tuple[Cell, int, str, str, str, int]]:
        """Start a loop head: replace the states of the cells by phis whose second edge is still
        open."""
        opened = []
        for cell in cells:
            for k, value in enumerate(cell.values):
                register = f"%v{next(self.names)}"
                type = value.m.llvm(value.type)
                opened.append((cell, k, register, type, value.raw, len(self.lines)))
                self.lines.append("")
                cell.values[k] = value.m.value(value.type, register)
        return opened

    def close_phis(self, opened: list, before: str, latch: str) -> None:
        """Fill in the phis with the states that the body left."""
        for cell, k, register, type, initial, line in opened:
            self.lines[line] = f"{register} = phi {type} [ {initial}, %{before} ], [ {cell.values[k].raw}, %{latch} ]"

    # -- statements --------------------------------------------------------------------------------

    def body(self, statements: Sequence[Any]) -> None:
        declared: list[str] = []
        outside, self.groups = self.groups, interleave.groups(self, statements)
        for k, s in enumerate(statements):
            start = len(self.lines)
            _EMIT[type(s)](self, s)
            if provenance.state.thread:
                self.spans.append((start, len(self.lines), s))
            if type(s) is Acc:
                declared.append(s.name)
            for name in [n for n in declared if not accumulate.updates(statements[k + 1 :], n)]:
                declared.remove(name)
                accumulate.finish(self, self.cells[name])
        self.groups = outside

    def let(self, s: Let) -> None:
        values = [a if isinstance(a, Const) else self.value(a) for a in s.args]
        uniform = all(isinstance(v, Const) or v.m is self.scalar for v in values)
        if uniform:
            m = self.scalar
            operands = [m.const(v.value, v.type) if isinstance(v, Const) else v for v in values]
        else:
            m = self.m
            operands = [self.varying(v) for v in values]
        if s.op == "convert" and s.type == "f64" and operands[0].type in ("f32", *HALF):
            self.narrow[s.name] = operands[0]
        names = (s.name,) if isinstance(s.name, str) else s.name
        for name, result in zip(names, apply(m, s, operands), strict=True):
            self.env[name] = result

    def index(self, s: Index) -> None:
        integer = "i64" if s.type in ("i64", "u64") or s.type[0] in "fb" else s.type
        base, stride, vector = self.affine(s.affine)
        m = self.scalar
        value = m.convert(m.value("i64", base), integer)
        if stride or vector is not None:
            value = self.spread(value, self.m)
            if stride:
                value = value + self.iota(integer, stride)
            if vector is not None:
                value = value + self.m.convert(vector, integer)
        self.env[s.name] = value.m.convert(value, s.type)

    def iota(self, type: str, stride: int) -> Value:
        """`stride * lane` in every lane."""
        m, element = self.m, self.scalar.llvm(type)
        mask = (1 << int(type[1:])) - 1
        lanes = ", ".join(f"{element} {(k * stride) & mask}" for k in range(m.lanes))
        return m.value(type, f"<{lanes}>")

    def load(self, s: Load) -> None:
        known = self.squares.get(id(s))
        if known is None:
            group = self.groups.get(id(s))
            known = self.access.load(s) if group is None else interleave.load(self, group, s)
        self.env[s.name] = known

    def store(self, s: Store) -> None:
        group = self.groups.get(id(s))
        if group is None:
            self.access.store(s)
        else:
            interleave.store(self, group, s)

    def acc(self, s: Acc) -> None:
        self.cells[s.name] = accumulate.declare(self, s)

    def update(self, s: Update) -> None:
        accumulate.update(self, self.cells[s.acc], s)

    def prefix(self, s: Prefix) -> None:
        self.env[s.name] = accumulate.prefix(self, self.cells[s.acc], s.value)

    def var(self, s: Var) -> None:
        value = self.value(s.init)
        self.cells[s.name] = Cell(s, [value if self.vector is None else self.varying(s.init)])

    def set(self, s: Set) -> None:
        cell = self.cells[s.var]
        value = self.value(s.value)
        cell.values[0] = value if value.m is cell.values[0].m else self.varying(value)

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

    def any_lane(self, condition: Value) -> str:
        """Whether a condition holds in some lane."""
        lanes = condition.m.lanes
        if lanes == 1:
            return condition.raw
        name = f"@llvm.vector.reduce.or.v{lanes}i1"
        self.module.declarations[name] = f"declare i1 {name}(<{lanes} x i1>)"
        return self.scalar.operand(f"call i1 {name}(<{lanes} x i1> {condition.raw})")

    # -- the function ------------------------------------------------------------------------------

    def emit(self) -> None:
        """Add the function to the module."""
        self.region_symbols()
        self.body(self.nest.body)
        if self.streams:
            # stores past the cache may be seen late by others
            self.module.declarations["@llvm.x86.sse.sfence"] = "declare void @llvm.x86.sse.sfence()"
            self.lines.append("call void @llvm.x86.sse.sfence()")
        if provenance.is_on():
            self.module.note(self.name, self.nest, self.lines, self.spans)
        self.module.add_nest(self.name, self.memory.setup, self.lines)

    def region_symbols(self) -> None:
        """Load the counters of enclosing `Repeat` steps that addresses in this nest use."""
        used: dict[str, None] = {}
        for s in walk(self.nest.body):
            for expression in addresses(s):
                used.update(dict.fromkeys(expression.symbols()))
        for symbol in used:
            slot = self.module.slots.get(f"%{symbol}")
            if slot is not None:
                self.memory.setup += [
                    f"%at.{slot} = getelementptr inbounds i64, ptr %table, i64 {slot}",
                    f"%r.{slot} = load i64, ptr %at.{slot}, align 8",
                ]
                self.symbols[symbol] = f"%r.{slot}"


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


_EMIT: dict[type, Callable[[NestEmitter, Any], None]] = {
    Let: NestEmitter.let,
    Index: NestEmitter.index,
    Load: NestEmitter.load,
    Store: NestEmitter.store,
    Acc: NestEmitter.acc,
    Update: NestEmitter.update,
    Prefix: NestEmitter.prefix,
    Var: NestEmitter.var,
    Set: NestEmitter.set,
    Loop: NestEmitter.loop,
    If: NestEmitter.branch,
    LoopWhile: NestEmitter.loop_while,
}
