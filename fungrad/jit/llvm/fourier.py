"""Discrete Fourier transforms: the routine `fft` of `loops.Call`.

    fft     input and output dense complex arrays of one shape and dtype, transformed along a dimension whose length has
            small prime factors only (`ir.fourier`). Attributes:

            `along`     `rows` for the last dimension of (rows, n), or `columns` for the middle one of (outer, n, inner)
            `inverse`   whether it is the inverse transform
            `scale`     what results are multiplied with
            `whole`     of columns: 0, or the length of the transform of which this is the first step; result `k` of
                        column `l` is multiplied with a root of unity to the power `k l`

            A second output is room for what is between two steps.

A length that is too long for one piece, or of which there are few rows, is made in two steps (Bailey, FFTs in external
or hierarchical memory, 1990): a row is a matrix of which first the columns are transformed, then, after multiplying
with roots of unity, the rows, whose results are the columns of the result.
"""

from __future__ import annotations

from functools import partial

from fungrad.jit.ir import tuning
from fungrad.jit.ir.fourier import split, way_of_rows
from fungrad.jit.ir.loops import Call, View
from fungrad.jit.llvm.butterflies import Columns, Layout, define
from fungrad.jit.llvm.writer import ProgramWriter


def emit_fft(program: ProgramWriter, call: Call) -> None:
    """Write an `fft` into the function `run`."""
    source, target = call.inputs[0], call.outputs[0]
    attributes = call.attributes
    dtype = program.program.buffers[target.buffer].dtype
    real = "float" if dtype.itemsize == 8 else "double"
    common = partial(Columns, real, inverse=attributes["inverse"], registers=program.module.machine.registers)
    emitter = _Emitter(program, real)
    if attributes["along"] == "columns":
        outer, n, inner = source.shape
        emitter.columns(
            partial(common, n, whole=attributes["whole"], scale=attributes["scale"]),
            (source, target), (outer, n * inner, inner), (Layout(inner, 1), Layout(inner, 1)), (1, 1),
        )  # fmt: skip
        return
    rows, n = source.shape
    way = way_of_rows(rows, n)
    if way == "whole":
        place = Layout(1, n)
        whole = partial(common, n, scale=attributes["scale"])
        emitter.columns(whole, (source, target), (1, 0, rows), (place, place), (n, n))
        return
    few, many = split(n)  # type: ignore[misc]
    first = partial(common, few, whole=n)
    second = partial(common, many, scale=attributes["scale"])
    if way == "stacked":
        emitter.stacked(first, second, (source, target), rows, (few, many))
        return
    between = call.outputs[1]
    side = Layout(many, 1), Layout(many, 1)
    emitter.columns(first, (source, between), (rows, n, many), side, (1, 1))
    turned = Layout(1, many), Layout(few, 1)
    emitter.columns(second, (between, target), (rows, n, few), turned, (many, 1))


class _Emitter:
    """Writes loops over blocks of columns."""

    def __init__(self, program: ProgramWriter, real: str):
        self.program = program
        self.real = real
        self.size = 4 if real == "float" else 8
        self.most = program.module.machine.vector_bytes // self.size

    def lanes(self, count: int, n: int) -> int:
        """How many columns of `count`, of length `n`, are transformed at once."""
        lanes = min(self.most, 1 << (count.bit_length() - 1))
        while lanes > 1 and 4 * lanes * n * self.size > tuning.STACK_BYTES:
            lanes //= 2
        return lanes

    def columns(
        self,
        make: partial[Columns],
        views: tuple[View, View],
        sizes: tuple[int, int, int],
        layouts: tuple[Layout, Layout],
        beside: tuple[int, int],
    ) -> None:
        """Transform all columns of several arrays.

        Args:
          make: the function, without lanes and layouts.
          views: input and output.
          sizes: number of arrays, numbers in each, columns in each.
          layouts: of a column, in the input and in the output.
          beside: how far apart columns are.
        """
        outer, size, count = sizes
        lanes = self.lanes(count, make.args[1])
        columns = make(lanes=lanes, source=layouts[0], target=layouts[1])
        blocks = -(-count // lanes)
        program = self.program
        with program.function() as name:
            x, y = (program.address(v.buffer, v.offset) for v in views)
            self.scratch(columns.scratch_bytes)
            self.begin("unit", "%begin", "%entry.body")
            program.lines += [
                f"%array = udiv i64 %unit, {blocks}",
                f"%block = urem i64 %unit, {blocks}",
                f"%start = mul i64 %array, {2 * size}",
                f"%xs = getelementptr {self.real}, ptr {x}, i64 %start",
                f"%ys = getelementptr {self.real}, ptr {y}, i64 %start",
            ]
            self.block(columns, "%xs", "%ys", "%block", count, beside, "")
            self.end("unit", "%end")
        self.share(name, outer * blocks, outer * count * columns.n)

    def stacked(
        self,
        first: partial[Columns],
        second: partial[Columns],
        views: tuple[View, View],
        rows: int,
        parts: tuple[int, int],
    ) -> None:
        """Transform rows in two steps, one row after the other."""
        few, many = parts
        n = few * many
        one = first(lanes=self.lanes(many, few), source=Layout(many, 1), target=Layout(many, 1))
        two = second(lanes=self.lanes(few, many), source=Layout(1, many), target=Layout(few, 1))
        program = self.program
        with program.function() as name:
            x, y = (program.address(v.buffer, v.offset) for v in views)
            self.scratch(max(one.scratch_bytes, two.scratch_bytes))
            program.lines.insert(0, f"%between = alloca [{2 * n} x {self.real}], align 64")
            self.begin("unit", "%begin", "%entry.body")
            program.lines += [
                f"%start = mul i64 %unit, {2 * n}",
                f"%xs = getelementptr {self.real}, ptr {x}, i64 %start",
                f"%ys = getelementptr {self.real}, ptr {y}, i64 %start",
            ]
            for label, columns, source, target, count, beside in (
                ("one", one, "%xs", "%between", many, (1, 1)),
                ("two", two, "%between", "%ys", few, (many, 1)),
            ):
                blocks = -(-count // columns.lanes)
                self.begin(label, "0", f"%{label}.start")
                self.block(columns, source, target, f"%{label}", count, beside, label)
                self.end(label, str(blocks))
            self.end("unit", "%end")
        self.share(name, rows, rows * n)

    def block(
        self, columns: Columns, x: str, y: str, block: str, count: int, beside: tuple[int, int], stem: str
    ) -> None:
        """Call the function on one block of columns; the last one overlaps the one before where they do not come out
        even."""
        lines, lanes = self.program.lines, columns.lanes
        lines.append(f"%{stem}far = mul i64 {block}, {lanes}")
        first = f"%{stem}far"
        if count % lanes:
            lines += [
                f"%{stem}inside = icmp ult i64 %{stem}far, {count - lanes}",
                f"%{stem}first = select i1 %{stem}inside, i64 %{stem}far, i64 {count - lanes}",
            ]
            first = f"%{stem}first"
        for name, base, step in (("xb", x, beside[0]), ("yb", y, beside[1])):
            lines += [
                f"%{stem}{name}.at = mul i64 {first}, {2 * step}",
                f"%{stem}{name} = getelementptr {self.real}, ptr {base}, i64 %{stem}{name}.at",
            ]
        function = define(self.program.module.globals, columns)
        lines.append(f"call void @{function}(ptr %{stem}xb, ptr %{stem}yb, ptr %a, ptr %b, i64 {first})")

    def scratch(self, nbytes: int) -> None:
        """Two scratch arrays on the stack."""
        lines = self.program.lines
        lines[:0] = [f"%a = alloca [{nbytes} x i8], align 64", f"%b = alloca [{nbytes} x i8], align 64"]

    def begin(self, counter: str, start: str, before: str) -> None:
        """Begin a loop from `start` on."""
        label = before.removeprefix("%")
        self.program.lines += [
            f"br label {before}",
            f"{label}:",
            f"br label %{counter}.loop",
            f"{counter}.loop:",
            f"%{counter} = phi i64 [ {start}, {before} ], [ %{counter}.next, %{counter}.latch ]",
        ]

    def end(self, counter: str, end: str) -> None:
        """End it before `end`."""
        self.program.lines += [
            f"br label %{counter}.latch",
            f"{counter}.latch:",
            f"%{counter}.next = add i64 %{counter}, 1",
            f"%{counter}.more = icmp ult i64 %{counter}.next, {end}",
            f"br i1 %{counter}.more, label %{counter}.loop, label %{counter}.done",
            f"{counter}.done:",
        ]

    def share(self, function: str, units: int, numbers: int) -> None:
        """Call a function for all units, on several threads if it is worth it."""
        program = self.program
        program.long = program.long or numbers > tuning.RELEASED_NUMBERS
        if program.module.machine.threads and units > 1 and numbers > tuning.SHARED_TRANSFORM:
            program.parallel(function, units, tuning.PIECES_PER_THREAD)
        else:
            program.lines.append(f"call void @{function}(ptr %table, i64 0, i64 {units})")
