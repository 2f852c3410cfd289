"""Convolutions as products of blocks: nothing is rearranged but what the kernels need at once.

Routines of `loops.Call`; the attribute `geometry` (`ops.convolution_shapes.Geometry`) says what meets what:

    conv        inputs: the operand, at any strides, and the kernel in panels, dense
                `[groups, panels, *taps, features, columns]`; output `[batch, *results, groups, outputs]`.
                A block of results is computed from a copy of what it sees of the operand, padding included. Rows of a
                tile are results, columns are outputs; the terms are taps and features.
    conv_deep   for few results and many taps, as in the gradient of a kernel: the operand, and the kernel with
                consecutive outputs; output `[pieces, *results, batch, groups, outputs]`, to be summed over pieces. Rows
                of a tile are results and examples, the terms are taps, block by block.

    conv_each, conv_deep_each    the same for single features and outputs, with the groups as lanes: operand
                `[batch, *spatial, groups]` or `[features, *spatial, groups]`, kernel `[*taps, groups]` or
                `[features, *taps, groups]`, output `[batch, *results, groups]` or `[pieces, *results, groups]`.

An operand that is spread is never filled with zeros: results with the same rest are a plain convolution each.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence

from fungrad.jit.ir import tuning
from fungrad.jit.ir.convolutions import Block, Blocks, Span, blocks_of, divisors, work
from fungrad.jit.ir.loops import Call
from fungrad.jit.ir.machine import LINE_BYTES
from fungrad.jit.llvm.writer import ProgramWriter
from fungrad.jit.products.convolution_kernels import Tile, define_pack, define_tile
from fungrad.jit.products.products import part_of_range
from fungrad.jit.products.text import Function
from fungrad.ops.convolution_shapes import Geometry, Part

_TYPES = {"float32": "float", "float64": "double"}
def panel_columns(itemsize: int, outputs: int) -> int:
    """Columns of a panel: a cache line, or all outputs if they are fewer."""
    return min(outputs, tuning.PANEL_BYTES // itemsize)


def shares(n: int, most: int) -> list[tuple[int, int]]:
    """`n` rows in as few tiles of at most `most` rows as possible, of nearly the same size: pairs of the rows of a tile
    and how many tiles have so many.

    >>> shares(32, 6)
    [(6, 2), (5, 4)]
    """
    tiles = -(-n // most)
    low, more = divmod(n, tiles)
    return [pair for pair in ((low + 1, more), (low, tiles - more)) if pair[1]]


class _Emitter:
    """What both routines share.

    Attributes:
      size: bytes of an element.
      sums: accumulators, of one vector register each, of a tile.
    """

    def __init__(self, program: ProgramWriter, call: Call):
        self.program, self.call = program, call
        self.x, self.w = call.inputs
        self.out = call.outputs[0]
        self.g: Geometry = call.attributes["geometry"]
        dtype = program.program.buffers[self.out.buffer].dtype
        self.type, self.size = _TYPES[dtype.name], dtype.itemsize
        machine = program.module.machine
        self.vector_bytes = machine.vector_bytes
        self.cache = tuning.convolution_scratch(machine)
        self.sums = tuning.convolution_sums(machine)

    def rows(self, columns: int) -> int:
        """Rows of a tile with so many columns."""
        return max(1, self.sums // -(-columns * self.size // self.vector_bytes))

    def invoke(self, name: str, begin: str, end: str) -> None:
        """Calls a function of `(x, w, out, begin, end)`."""
        program = self.program
        x, w = program.address(self.x.buffer, self.x.offset), program.address(self.w.buffer, self.w.offset)
        out = program.address(self.out.buffer, self.out.offset)
        program.lines.append(f"call void @{name}(ptr {x}, ptr {w}, ptr {out}, i64 {begin}, i64 {end})")

    def run(self, units: int, name: str) -> None:
        """Calls a function of `(x, w, out, begin, end)` on all units, on several threads if it is worth it."""
        program = self.program
        if program.module.machine.threads and units > 1 and work(self.call) >= tuning.SHARED_CONVOLUTION:
            with program.function() as part:
                self.invoke(name, "%begin", "%end")
            program.parallel(part, units, 4)
        else:
            self.invoke(name, "0", str(units))

    def function(self) -> tuple[Function, str]:
        """A function of `(x, w, out, begin, end)`."""
        name = f"conv{next(self.program.names)}"
        return Function(name, [("ptr", "x"), ("ptr", "w"), ("ptr", "out"), ("i64", "begin"), ("i64", "end")]), name

    def panels(self, f: Function, body: Callable[[str, int], None], count: int, columns: int) -> None:
        """Calls `body(panel, columns)` for whole panels of `count` columns in a loop, and once for what is left."""
        whole, rest = divmod(count, columns)

        def one(p: str, _: list[str]) -> list[str]:
            body(p, columns)
            return []

        f.loop(whole, 1, one, at_least_once=True)
        if rest:
            body(str(whole), rest)


def decoded(f: Function, unit: str, extents: Sequence[int]) -> list[str | int]:
    """The coordinates of a unit in a box of the given size, in row-major order."""
    found: list[str | int] = []
    for n in reversed(extents[1:]):
        if n == 1:
            found.append(0)
            continue
        found.append(f.op(f"urem i64 {unit}, {n}"))
        unit = f.op(f"udiv i64 {unit}, {n}")
    found.append(unit)
    return found[::-1]


# -- rows are results --------------------------------------------------------------------------------------------------


def emit_conv(program: ProgramWriter, call: Call) -> None:
    """Write a `conv` or `conv_each` into the function `run`."""
    for blocks in blocks_of(program.program, call):
        plain = _PLAIN[call.routine](program, call, blocks)
        plain.run(blocks.count, plain.write())


def part_of_conv(program: ProgramWriter, call: Call, block: int) -> None:
    """Write the part of a `conv` or `conv_each` in the rows `%begin .. %end`, in units of `block` rows, which are whole
    blocks."""
    (blocks,) = blocks_of(program.program, call)
    plain = _PLAIN[call.routine](program, call, blocks)
    rows = math.prod(plain.g.result_shape[:-2])
    first, count = part_of_range(program, block * blocks.count // rows, blocks.count)
    end = program.register()
    program.lines.append(f"{end} = add i64 {first}, {count}")
    plain.invoke(plain.write(), first, end)


class _Plain(_Emitter):
    """Plain convolutions with as many results."""

    each = False

    def __init__(self, program: ProgramWriter, call: Call, blocks: Blocks):
        super().__init__(program, call)
        self.blocks, self.block = blocks, blocks.block
        self.xs, self.outs = ([s * self.size for s in v.dense_strides] for v in (self.x, self.out))
        # Bytes of one tap of a panel.
        self.columns = panel_columns(self.size, self.g.outputs)
        self.tap_bytes = self.g.features * self.columns * self.size

    def write(self) -> str:
        """Writes the function that computes some blocks; its name."""
        f, name = self.function()
        f.do(f"%block = alloca [{self.block.nbytes} x i8], align 64")

        def unit(k: str, _: list[str]) -> list[str]:
            self.unit(f, f.add("%begin", k))
            return []

        f.loop(f.sub("%end", "%begin"), 1, unit)
        self.program.module.globals[f"@{name}"] = f.text()
        return name

    def unit(self, f: Function, unit: str) -> None:
        """One block of results."""
        g, blocks, xs, outs = self.g, self.blocks, self.xs, self.outs
        example, *outer, line, column = decoded(f, unit, blocks.extents)
        x = f.at("%x", f.mul(example, xs[1]))
        out = f.at("%out", f.mul(example, outs[0]))
        places = [*outer, f.mul(line, blocks.height), f.mul(column, blocks.width)]
        starts = []
        for d, (p, at) in enumerate(zip(blocks.members[0], places, strict=True)):
            starts.append(f.sub(f.mul(at, p.taps.stride), blocks.first[d]))
            out = f.at(out, f.mul(at, p.step * outs[1 + d]))

        def group(k: str, _: list[str]) -> list[str]:
            self.group(f, k, f.at(x, f.mul(k, xs[0])), f.at(out, f.mul(k, outs[-2])), starts)
            return []

        if g.groups == 1:
            self.group(f, "0", x, out, starts)
        else:
            f.loop(g.groups, 1, group, at_least_once=True)

    def group(self, f: Function, group: str, x: str, out: str, starts: list[str]) -> None:
        """The block of one group."""
        g, size, channels = self.g, self.size, self.blocks.channels
        columns = self.columns
        panel_bytes = math.prod(a.kernel for a in g.axes) * self.tap_bytes
        w = f.at("%w", f.mul(group, -(-g.outputs // columns) * panel_bytes))
        pack = define_pack(self.program, self.block)

        def chunk(c: str, _: list[str]) -> list[str]:
            source = f.at(x, f.mul(c, channels * self.block.channel_stride))
            if self.blocks.taps:
                f.do(f"call void @{pack}(ptr {source}, ptr %block, {', '.join(f'i64 {s}' for s in starts)})")
            here = f.at(w, f.mul(c, channels * columns * size))
            for parts in self.blocks.members:

                def panel(p: str, width: int, parts: Sequence[Part] = parts) -> None:
                    b, to = f.at(here, f.mul(p, panel_bytes)), f.at(out, f.mul(p, columns * size))
                    self.tiles(f, parts, b, to, c, width)

                self.panels(f, panel, g.outputs, columns)
            return []

        if g.features == channels:
            chunk("0", [])
        else:
            f.loop(g.features // channels, 1, chunk, at_least_once=True)

    def tiles(
        self, f: Function, parts: Sequence[Part], b: str, to: str, add: str, width: int, block: str = "%block"
    ) -> None:
        """All rows of a block of one convolution by the columns of a panel."""
        g, most = self.g, self.rows(width)
        lines, results = self.blocks.height, self.blocks.width
        strides = self.block.strides
        steps = [p.taps.stride * s for p, s in zip(parts[-2:], strides[-2:], strict=True)]
        result_strides = self.outs[1 : 1 + len(parts)]
        outs = [p.step * s for p, s in zip(parts[-2:], result_strides[-2:], strict=True)]
        loops = self.loops(parts)
        first_tap, inside = 0, 0
        for a, p, first, stride, span in zip(
            g.axes, parts, self.blocks.first, strides, self.block.spans, strict=True
        ):
            first_tap = first_tap * a.kernel + p.tap_first
            inside += (first - p.taps.low) // span.step * stride
        b = f.at(b, first_tap * self.tap_bytes)
        to = f.at(to, sum(p.first * s for p, s in zip(parts, result_strides, strict=True)))
        start = f.at(block, inside)

        def tile(rows: Sequence[tuple[int, int]]) -> str:
            there = tuple([tuple([a * p + b * q for a, b in rows]) for p, q in (steps, outs)])
            return define_tile(self.program, Tile(self.type, there[0], there[1], width, loops, self.each))

        def run(name: str, count: int, a: str, c: str, step: tuple[int, int]) -> tuple[str, str]:
            def one(_: str, at: list[str]) -> list[str]:
                f.do(f"call void @{name}(ptr {at[0]}, ptr {b}, ptr {at[1]}, i64 {add})")
                return [f.at(at[0], step[0]), f.at(at[1], step[1])]

            if count == 1:
                a, c = one("", [a, c])
            else:
                a, c = f.loop(count, 1, one, [("ptr", a), ("ptr", c)], at_least_once=True)
            return a, c

        if results * 2 <= most and lines > 1:
            # Short lines: several of them make a tile.
            together = next(d for d in divisors(lines) if d * results <= most)
            rows = [(i, j) for i in range(together) for j in range(results)]
            run(tile(rows), lines // together, start, to, (together * steps[0], together * outs[0]))
            return

        def line(_: str, at: list[str]) -> list[str]:
            a, c = at
            for height, count in shares(results, most):
                name = tile([(0, j) for j in range(height)])
                a, c = run(name, count, a, c, (height * steps[1], height * outs[1]))
            return [f.at(at[0], steps[0]), f.at(at[1], outs[0])]

        if lines == 1:
            line("", [start, to])
        else:
            f.loop(lines, 1, line, [("ptr", start), ("ptr", to)], at_least_once=True)

    def terms(self) -> list[tuple[int, int, int]]:
        """The loop over the features."""
        return [(self.blocks.channels, self.size, self.columns * self.size)]

    def loops(self, parts: Sequence[Part]) -> tuple[tuple[int, int, int], ...]:
        """The loops over taps and features."""
        g, strides = self.g, self.block.strides
        if 0 in [p.taps.kernel for p in parts]:
            return ()
        found, step = self.terms(), self.tap_bytes
        for d in reversed(range(len(parts))):
            p = parts[d]
            here = (p.taps.kernel, p.taps.dilation // self.block.spans[d].step * strides[d], p.tap_step * step)
            step *= g.axes[d].kernel
            if p.taps.kernel == 1:
                continue
            count, a_step, b_step = found[0] if found else (0, 0, 0)
            if len(found) == 1 and not self.each and here[1:] == (count * a_step, count * b_step):
                # Neighbouring taps lie one after the other in both.
                found = [(count * p.taps.kernel, a_step, b_step)]
            else:
                found.insert(0, here)
        return tuple(found or [(1, 0, 0)])


class _Each(_Plain):
    """Plain convolutions of single features, whose groups are the lanes."""

    each = True

    def __init__(self, program: ProgramWriter, call: Call, blocks: Blocks):
        super().__init__(program, call, blocks)
        # There is one group of what were groups.
        self.lanes, self.g = self.g.groups, self.g._replace(groups=1)
        self.xs = [0, *self.xs]
        self.outs = [*self.outs[:-1], 0, 0]
        self.tap_bytes = self.lanes * self.size

    def group(self, f: Function, group: str, x: str, out: str, starts: list[str]) -> None:
        channels, size = self.blocks.channels, self.size
        columns = panel_columns(size, channels)
        pack = define_pack(self.program, self.block)

        def chunk(c: str, _: list[str]) -> list[str]:
            source = f.at(x, f.mul(c, channels * self.block.channel_stride))
            if self.blocks.taps:
                f.do(f"call void @{pack}(ptr {source}, ptr %block, {', '.join(f'i64 {s}' for s in starts)})")
            first = f.mul(c, channels * size)

            def panel(p: str, width: int) -> None:
                far = f.mul(p, columns * size)
                b, to = f.at(f.at("%w", first), far), f.at(f.at(out, first), far)
                for parts in self.blocks.members:
                    self.tiles(f, parts, b, to, "0", width, f.at("%block", far))

            self.panels(f, panel, channels, columns)
            return []

        f.loop(self.lanes // channels, 1, chunk, at_least_once=True)

    def terms(self) -> list[tuple[int, int, int]]:
        return []


_PLAIN = {"conv": _Plain, "conv_each": _Each}


# -- terms are taps ----------------------------------------------------------------------------------------------------


def emit_conv_deep(program: ProgramWriter, call: Call) -> None:
    """Write a `conv_deep` into the function `run`."""
    _Deep(program, call).emit()


class _Deep(_Emitter):
    """A convolution with few results."""

    def __init__(self, program: ProgramWriter, call: Call):
        super().__init__(program, call)
        self.pieces = self.out.shape[0]

    def part(self, parts: Sequence[Part]) -> _DeepPart:
        """One of the plain convolutions."""
        return _DeepPart(self, parts)

    def emit(self) -> None:
        """Write the convolution, shared between threads."""
        size = self.size
        outs = [s * size for s in self.out.dense_strides]
        combinations = list(itertools.product(*[a.parts() for a in self.g.axes]))
        f, name = self.function()
        plain = [self.part(parts) for parts in combinations]
        plain = [p for p in plain if p.items and math.prod(q.taps.result for q in p.parts)]
        scratch = max([p.block.nbytes for p in plain], default=LINE_BYTES)
        panel = max([p.panel_bytes for p in plain], default=LINE_BYTES)
        f.do(f"%block = alloca [{scratch} x i8], align 64")
        f.do(f"%panel = alloca [{panel} x i8], align 64")
        self.program.module.declarations["@llvm.memset.p0.i64"] = "declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)"

        def unit(k: str, _: list[str]) -> list[str]:
            piece = f.add("%begin", k)
            out = f.at("%out", f.mul(piece, outs[0]))
            f.do(f"call void @llvm.memset.p0.i64(ptr align {size} {out}, i8 0, i64 {outs[0]}, i1 false)")
            for p in plain:
                p.piece(f, piece, out)
            return []

        f.loop(f.sub("%end", "%begin"), 1, unit)
        self.program.module.globals[f"@{name}"] = f.text()
        self.run(self.pieces, name)


class _DeepEach(_Deep):
    """A convolution of single features with few results, whose groups are the lanes."""

    def part(self, parts: Sequence[Part]) -> _DeepPart:
        return _DeepEachPart(self, parts)


def emit_conv_deep_each(program: ProgramWriter, call: Call) -> None:
    """Write a `conv_deep_each` into the function `run`."""
    _DeepEach(program, call).emit()


class _DeepPart:
    """One plain convolution of a deep one.

    Attributes:
      items: blocks of taps in all: features, outer taps, lines, columns.
      block: copy of what one block of taps sees.
    """

    def __init__(self, deep: _Deep, parts: Sequence[Part]):
        self.deep, self.parts = deep, parts
        self.g, self.size, self.type = deep.g, deep.size, deep.type
        line, column = (p.taps for p in parts[-2:])
        self.width = min(column.kernel, tuning.CONVOLUTION_TAPS)
        self.widths = -(-column.kernel // self.width) if self.width else 0
        self.height, self.examples = self._sizes()
        self.heights = -(-line.kernel // self.height) if line.kernel else 0
        self.outer = [p.taps.kernel for p in parts[:-2]]
        self.items = self.g.features * math.prod(self.outer) * self.heights * self.widths
        self.block = self._block(self.height, self.examples)
        self.columns = panel_columns(self.size, self.g.outputs)
        self.panel_bytes = max(LINE_BYTES, self.height * self.width * self.columns * self.size)

    def _sizes(self) -> tuple[int, int]:
        """Lines of taps of a block, and examples that are copied at a time."""
        examples = next(d for d in divisors(self.g.batch) if d == 1 or self._block(1, d).nbytes <= self.deep.cache)
        return self._lines(examples), examples

    def _lines(self, examples: int) -> int:
        lines = self.parts[-2].taps.kernel
        # Of a line in several blocks every block is one of a single line, so that lines are as far apart as they are
        # long.
        most = max(1, min(lines, tuning.CONVOLUTION_TAPS // max(1, self.width))) if self.widths <= 1 else 1
        while most > 1 and self._block(most, examples).nbytes > self.deep.cache:
            most -= 1
        return -(-lines // -(-lines // most)) if lines else 0

    def _block(self, height: int, examples: int) -> Block:
        """What a block of taps sees of the operand."""
        xs = [s * self.size for s in self.deep.x.dense_strides]
        return Block(self.size, self._spans(height, xs[2:-1]), examples, xs[1])

    def _spans(self, height: int, strides: Sequence[int]) -> tuple[Span, ...]:
        spans = []
        for d, (p, stride) in enumerate(zip(self.parts, strides, strict=True)):
            t = p.taps
            if d < len(self.parts) - 2 or (d == len(self.parts) - 2 and height == 1):
                # One tap: what results see of it.
                spans.append(Span(t.result, t.stride, t.operand, stride))
                continue
            taps = max(1, height if d == len(self.parts) - 2 else self.width)
            count = (taps - 1) * t.dilation + (t.result - 1) * t.stride + 1
            spans.append(Span(count, 1, t.operand, stride))
        return tuple(spans)

    def taps_of(self, f: Function, item: str) -> tuple[str | int, list[str | int], str, str]:
        """The feature, the first taps, and the lines and columns of a block of taps."""
        feature, *outer, line, column = decoded(f, item, (self.g.features, *self.outer, self.heights, self.widths))
        first = [f.mul(line, self.height), f.mul(column, self.width)]
        kernel = [p.taps.kernel for p in self.parts[-2:]]
        lines, width = (
            f.least(most, f.sub(n, at)) for most, n, at in zip((self.height, self.width), kernel, first, strict=True)
        )
        return feature, [*outer, *first], lines, width

    def beginnings(self, f: Function, places: Sequence[str | int], w: str, out: str) -> tuple[list[str], str, str]:
        """Where the first taps of a block begin in the operand; in the kernel; and where results of the part begin."""
        ws, outs = ([s * self.size for s in v.dense_strides] for v in (self.deep.w, self.deep.out))
        starts = []
        for d, (p, at) in enumerate(zip(self.parts, places, strict=True)):
            starts.append(f.sub(f.mul(at, p.taps.dilation), p.taps.low))
            w = f.at(w, f.add(f.mul(at, p.tap_step * ws[1 + d]), p.tap_first * ws[1 + d]))
            out = f.at(out, p.first * outs[1 + d])
        return starts, w, out

    def piece(self, f: Function, piece: str, out: str) -> None:
        """The blocks of taps of one piece."""
        pieces = self.deep.pieces
        first = f.op(f"udiv i64 {f.mul(piece, self.items)}, {pieces}")
        end = f.op(f"udiv i64 {f.mul(f.add(piece, 1), self.items)}, {pieces}")

        def item(k: str, _: list[str]) -> list[str]:
            self.item(f, f.add(first, k), out)
            return []

        f.loop(f.sub(end, first), 1, item)

    def item(self, f: Function, item: str, out: str) -> None:
        """One block of taps, for all results."""
        size, g, deep = self.size, self.g, self.deep
        xs, ws, outs = ([s * size for s in v.dense_strides] for v in (deep.x, deep.w, deep.out))
        feature, places, lines, width = self.taps_of(f, item)
        x, w = f.at("%x", f.mul(feature, xs[-1])), f.at("%w", f.mul(feature, ws[-2]))
        starts, w, out = self.beginnings(f, places, w, out)
        pack = define_pack(deep.program, self.block)

        def group(k: str, _: list[str]) -> list[str]:
            def examples(e: str, _: list[str]) -> list[str]:
                source = f.at(x, f.add(f.mul(k, xs[0]), f.mul(e, self.examples * xs[1])))
                f.do(f"call void @{pack}(ptr {source}, ptr %block, {', '.join(f'i64 {s}' for s in starts)})")
                to = f.at(out, f.add(f.mul(k, outs[-2]), f.mul(e, self.examples * outs[-3])))

                def panel(p: str, columns: int) -> None:
                    far = self.columns * size
                    self.copy_panel(f, f.at(w, f.add(f.mul(k, ws[0]), f.mul(p, far))), lines, width, columns)
                    self.tiles(f, f.at(to, f.mul(p, far)), lines, width, columns)

                deep.panels(f, panel, g.outputs, self.columns)
                return []

            f.loop(g.batch // self.examples, 1, examples, at_least_once=True)
            return []

        f.loop(g.groups, 1, group, at_least_once=True)

    def copy_panel(self, f: Function, w: str, lines: str, width: str, columns: int) -> None:
        """Copies the columns of a panel of the kernel together, so that they do not compete for places in the cache."""
        vector = f"<{columns} x {self.type}>"
        steps = [
            p.tap_step * s * self.size for p, s in zip(self.parts[-2:], self.deep.w.dense_strides[-4:-2], strict=True)
        ]

        def tap(_: str, at: list[str]) -> list[str]:
            row = f.op(f"load {vector}, ptr {at[0]}, align {self.size}")
            f.do(f"store {vector} {row}, ptr {at[1]}, align {self.size}")
            return [f.at(at[0], steps[1]), f.at(at[1], columns * self.size)]

        def line(_: str, at: list[str]) -> list[str]:
            inner = f.loop(width, 1, tap, [("ptr", at[0]), ("ptr", at[1])], at_least_once=True)
            return [f.at(at[0], steps[0]), inner[1]]

        f.loop(lines, 1, line, [("ptr", w), ("ptr", "%panel")], at_least_once=True)

    def tiles(self, f: Function, to: str, lines: str, width: str, columns: int) -> None:
        """All results by the columns of a panel."""
        size, deep = self.size, self.deep
        outs = [s * size for s in deep.out.dense_strides]
        strides = self.block.strides
        row = self.block.channels * size
        step = columns * size
        most = deep.rows(columns)
        last = self.parts[-1].taps
        flat = last.stride == 1 and self.examples == self.g.batch and self.parts[-1].step == 1
        along = last.dilation * row, step
        if self.widths == 1:
            between = self.parts[-2].taps.dilation * strides[-2], self.width * step
            loops: tuple[tuple[int | None, int, int], ...] = ((None, *between), (self.width, *along))
            count_of_taps = lines
        else:
            loops, count_of_taps = ((None, *along),), width
        rows, columns_of_results = (last.result * self.examples, 1) if flat else (self.examples, last.result)

        def kernel(height: int) -> str:
            here, there = (tuple([k * far for k in range(height)]) for far in (size, outs[-3]))
            return define_tile(deep.program, Tile(self.type, here, there, columns, loops))

        def all_rows(a: str, c: str) -> None:
            for height, count in shares(rows, most):
                name = kernel(height)

                def one(_: str, at: list[str], name: str = name, height: int = height) -> list[str]:
                    f.do(f"call void @{name}(ptr {at[0]}, ptr %panel, ptr {at[1]}, i64 1, i64 {count_of_taps})")
                    return [f.at(at[0], height * size), f.at(at[1], height * outs[-3])]

                a, c = f.loop(count, 1, one, [("ptr", a), ("ptr", c)], at_least_once=True)

        def results(d: int, a: str, c: str) -> None:
            if d == len(self.parts):
                all_rows(a, c)
                return
            p = self.parts[d]
            count = columns_of_results if d == len(self.parts) - 1 else p.taps.result
            far = strides[d] * (p.taps.stride // self.block.spans[d].step)

            def one(_: str, at: list[str]) -> list[str]:
                results(d + 1, at[0], at[1])
                return [f.at(at[0], far), f.at(at[1], p.step * outs[1 + d])]

            f.loop(count, 1, one, [("ptr", a), ("ptr", c)], at_least_once=True)

        results(0, "%block", to)


class _DeepEachPart(_DeepPart):
    """One plain convolution of a deep one of single features; `examples` are groups that are copied at a time."""

    def _sizes(self) -> tuple[int, int]:
        groups = next(d for d in divisors(self.g.groups) if d == 1 or self._block(1, d).nbytes <= self.deep.cache)
        return self._lines(groups), groups

    def _block(self, height: int, examples: int) -> Block:
        xs = [s * self.size for s in self.deep.x.dense_strides]
        return Block(self.size, self._spans(height, xs[1:-1]), examples, xs[-1])

    def item(self, f: Function, item: str, out: str) -> None:
        size, deep = self.size, self.deep
        xs, ws, outs = ([s * size for s in v.dense_strides] for v in (deep.x, deep.w, deep.out))
        feature, places, lines, width = self.taps_of(f, item)
        x, w = f.at("%x", f.mul(feature, xs[0])), f.at("%w", f.mul(feature, ws[0]))
        starts, w, out = self.beginnings(f, places, w, out)
        pack = define_pack(deep.program, self.block)
        columns = min(self.examples, deep.vector_bytes // size)

        def chunk(k: str, _: list[str]) -> list[str]:
            source = f.at(x, f.mul(k, self.examples * xs[-1]))
            f.do(f"call void @{pack}(ptr {source}, ptr %block, {', '.join(f'i64 {s}' for s in starts)})")
            first = f.mul(k, self.examples * size)

            def panel(p: str, width_of_panel: int) -> None:
                far = f.mul(p, columns * size)
                b, to = f.at(f.at(w, first), far), f.at(f.at(out, first), far)
                for name in self.kernels(width_of_panel, ws[1:-1], outs[1:-1]):
                    count = lines if self.widths == 1 else width
                    f.do(f"call void @{name}(ptr {f.at('%block', far)}, ptr {b}, ptr {to}, i64 1, i64 {count})")

            deep.panels(f, panel, self.examples, columns)
            return []

        f.loop(self.g.groups // self.examples, 1, chunk, at_least_once=True)

    def kernels(self, columns: int, ws: Sequence[int], outs: Sequence[int]) -> list[str]:
        """The kernels of all results, each of which knows where its own are."""
        strides = self.block.strides
        steps = [
            s * (p.taps.stride // span.step)
            for s, p, span in zip(strides, self.parts, self.block.spans, strict=True)
        ]
        results = list(itertools.product(*[range(p.taps.result) for p in self.parts]))
        there = [
            (
                sum(k * s for k, s in zip(at, steps, strict=True)),
                sum(k * p.step * s for k, p, s in zip(at, self.parts, outs, strict=True)),
            )
            for at in results
        ]
        line, column = (
            (p.taps.dilation * a, p.tap_step * b)
            for p, a, b in zip(self.parts[-2:], strides[-2:], ws[-2:], strict=True)
        )
        loops: tuple[tuple[int | None, int, int], ...] = ((None, *column),)
        if self.widths == 1:
            loops = ((None, *line), (self.width, *column))
        names, first = [], 0
        for height, count in shares(len(there), self.deep.rows(columns)):
            for _ in range(count):
                rows, places = zip(*there[first : first + height], strict=True)
                first += height
                tile = Tile(self.type, rows, places, columns, loops, True)
                names.append(define_tile(self.deep.program, tile))
        return names
