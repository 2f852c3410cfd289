"""Micro-kernels of convolutions as LLVM IR, and the copies that feed them.

A tile of the result, some rows by some columns, stays in registers while all terms pass. One operand is read as vectors
(a row of a panel), the other number by number: its rows are places in a block of the operand, at distances that are
known while compiling, so that each is an offset in an address. Loops over the terms follow the taps: nothing is
rearranged.

`pack` copies a block of the operand, as it stands in memory, and writes the zeros around it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from fungrad.jit.ir import tuning
from fungrad.jit.ir.convolutions import Block
from fungrad.jit.llvm.writer import ProgramWriter
from fungrad.jit.products.text import Function


class Loop(NamedTuple):
    """A loop over terms: how many, and how far apart, in bytes, they are in both operands.

    `terms` may be a register.
    """

    terms: int | str
    a_step: int
    b_step: int


@dataclass(frozen=True)
class Tile:
    """A kernel: one tile of a result.

    Attributes:
      type: LLVM type of an element.
      rows: where the rows are in the operand that is read number by number, in bytes.
      places: where they are in the result, in bytes.
      columns: how many there are.
      each: whether the first operand too is read as vectors, so that columns have nothing to do with each other.
      loops: over the terms, the outermost first; counts that are None are parameters of the kernel.
    """

    type: str
    rows: tuple[int, ...]
    places: tuple[int, ...]
    columns: int
    loops: tuple[tuple[int | None, int, int], ...]
    each: bool = False

    @property
    def size(self) -> int:
        """Bytes of an element."""
        return 4 if self.type == "float" else 8


def define_tile(program: ProgramWriter, tile: Tile) -> str:
    """Adds a kernel `(ptr a, ptr b, ptr c, i64 add, i64 counts...)` to the module, unless it is there; its name. With
    `add` other than 0 the sums are added to what is in the result."""
    name = _name("tile", tile)
    if f"@{name}" not in program.module.globals:
        program.module.globals[f"@{name}"] = _tile(tile, name)
        v, fma = _vector(tile)
        program.module.declarations[fma] = f"declare {v} {fma}({v}, {v}, {v})"
    return name


def _name(stem: str, what: Any) -> str:
    """A name that says what a function does: one of them is enough in a module."""
    return f"conv_{stem}_{hashlib.sha256(repr(what).encode()).hexdigest()[:16]}"


def _vector(t: Tile) -> tuple[str, str]:
    """Type of a row of a tile, and the name of the function that multiplies and adds."""
    return f"<{t.columns} x {t.type}>", f"@llvm.fmuladd.v{t.columns}{'f32' if t.type == 'float' else 'f64'}"


def _tile(t: Tile, name: str) -> str:
    counts = [f"n{k}" for k, (count, _, _) in enumerate(t.loops) if count is None]
    parameters = [("ptr", "a"), ("ptr", "b"), ("ptr", "c"), ("i64", "add"), *(("i64", n) for n in counts)]
    f = Function(name, parameters)
    vector, fma = _vector(t)
    loops = [Loop(f"%n{k}" if count is None else count, a, b) for k, (count, a, b) in enumerate(t.loops)]

    def term(sums: list[str], a: str, b: str, a_offset: int, b_offset: int) -> list[str]:
        row = f.op(f"load {vector}, ptr {f.at(b, b_offset) if b_offset else b}, align {t.size}")
        new = []
        for offset, total in zip(t.rows, sums, strict=True):
            at = f.at(a, a_offset + offset) if a_offset + offset else a
            one = f.op(f"load {vector if t.each else t.type}, ptr {at}, align {t.size}")
            if not t.each:
                one = f.op(f"insertelement {vector} poison, {t.type} {one}, i64 0")
                zeros = f"<{t.columns} x i32> zeroinitializer"
                one = f.op(f"shufflevector {vector} {one}, {vector} poison, {zeros}")
            new.append(f.op(f"call {vector} {fma}({vector} {one}, {vector} {row}, {vector} {total})"))
        return new

    def nested(level: int, sums: list[str], a: str, b: str) -> list[str]:
        count, a_step, b_step = loops[level]
        last = level == len(loops) - 1
        if last and isinstance(count, int) and count <= tuning.TERMS_WRITTEN_OUT:
            for k in range(count):
                sums = term(sums, a, b, k * a_step, k * b_step)
            return sums

        def body(_: str, carried: list[str]) -> list[str]:
            *inner, a, b = carried
            inner = term(inner, a, b, 0, 0) if last else nested(level + 1, inner, a, b)
            return [*inner, f.at(a, a_step), f.at(b, b_step)]

        carried = [*[(vector, s) for s in sums], ("ptr", a), ("ptr", b)]
        return f.loop(count, 1, body, carried, at_least_once=True)[: len(sums)]

    sums = ["zeroinitializer"] * len(t.rows)
    if loops:
        sums = nested(0, sums, "%a", "%b")

    def write(adding: bool) -> None:
        for place, value in zip(t.places, sums, strict=True):
            at = f.at("%c", place) if place else "%c"
            if adding:
                old = f.op(f"load {vector}, ptr {at}, align {t.size}")
                value = f.op(f"fadd {vector} {old}, {value}")
            f.do(f"store {vector} {value}, ptr {at}, align {t.size}")

    f.choose(f.op("icmp ne i64 %add, 0"), lambda: write(True), lambda: write(False))
    return f.text()


# -- copies ------------------------------------------------------------------------------------------------------------


def define_pack(program: ProgramWriter, block: Block) -> str:
    """Adds a function `(ptr source, ptr target, i64 starts...)` to the module that copies a block which starts at the
    given element of each axis, with zeros where there is no element; its name."""
    name = _name("pack", block)
    if f"@{name}" not in program.module.globals:
        program.module.globals[f"@{name}"] = _pack(block, name)
        declarations = program.module.declarations
        declarations["@llvm.memcpy.p0.p0.i64"] = "declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)"
        declarations["@llvm.memset.p0.i64"] = "declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)"
    return name


def _pack(block: Block, name: str) -> str:
    f = Function(name, [("ptr", "x"), ("ptr", "to"), *(("i64", f"s{d}") for d in range(len(block.spans)))])
    *_, columns = block.spans
    strides, place = block.strides, block.channels * block.size
    last = len(block.spans) - 1

    def clear(to: str, nbytes: str | int) -> None:
        f.do(f"call void @llvm.memset.p0.i64(ptr align {block.size} {to}, i8 0, i64 {nbytes}, i1 false)")

    # The columns that have elements: before them and behind them are zeros.
    first = f.least(f.most(0, f.sub(0, f"%s{last}")), columns.places)
    end = f.most(first, f.least(columns.places, f.sub(columns.extent, f"%s{last}")))
    width = f.sub(end, first)
    before, after = f.mul(first, place), f.mul(f.sub(columns.places, end), place)
    there = f.mul(end, place)
    start = f.mul(f.add(f"%s{last}", first), columns.stride)

    def line(x: str, to: str) -> None:
        clear(to, before)
        clear(f.at(to, there), after)
        source, target = f.at(x, start), f.at(to, before)
        dense = block.channel_stride == block.size or block.channels == 1
        if dense and columns.stride == place:
            f.do(
                f"call void @llvm.memcpy.p0.p0.i64(ptr align {block.size} {target}, ptr align {block.size} {source}, "
                f"i64 {f.mul(width, place)}, i1 false)"
            )
        elif dense:
            copied = partial(_copied, f, block, columns.stride, place)
            f.loop(width, 1, copied, [("ptr", source), ("ptr", target)])
        else:

            def channel(_: str, at: list[str]) -> list[str]:
                one = Block(block.size, block.spans, 1, block.size)
                f.loop(width, 1, partial(_copied, f, one, columns.stride, place), [("ptr", a) for a in at])
                return [f.at(at[0], block.channel_stride), f.at(at[1], block.size)]

            f.loop(block.channels, 1, channel, [("ptr", source), ("ptr", target)], at_least_once=True)

    def axis(d: int, x: str, to: str, inside: str) -> None:
        span = block.spans[d]
        if d == last:
            f.choose(inside, lambda: line(x, to), lambda: clear(to, strides[d] * span.places))
            return

        def step(i: str, at: list[str]) -> list[str]:
            here = f.add(f"%s{d}", f.mul(i, span.step))
            within = f.op(f"and i1 {f.op(f'icmp ult i64 {here}, {span.extent}')}, {inside}")
            axis(d + 1, f.at(x, f.mul(here, span.stride)), at[0], within)
            return [f.at(at[0], strides[d])]

        f.loop(span.places, 1, step, [("ptr", to)], at_least_once=True)

    axis(0, "%x", "%to", "true")
    return f.text()


def _number(block: Block) -> str:
    """LLVM type of an element."""
    return "float" if block.size == 4 else "double"


def _copied(f: Function, block: Block, stride: int, place: int, _: str, at: list[str]) -> list[str]:
    """Copies the numbers of one place; the next places."""
    source, target = at
    nbytes = block.channels * block.size
    if block.channels == 1:
        one = f.op(f"load {_number(block)}, ptr {source}, align {block.size}")
        f.do(f"store {_number(block)} {one}, ptr {target}, align {block.size}")
    else:
        f.do(
            f"call void @llvm.memcpy.p0.p0.i64(ptr align {block.size} {target}, ptr align {block.size} {source}, "
            f"i64 {nbytes}, i1 false)"
        )
    return [f.at(source, stride), f.at(target, place)]
