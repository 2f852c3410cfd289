"""A `Nest` as one LLVM function, with explicit vectors.

LLVM is only asked to select instructions: there are no alias checks, no cost model, and a reduction has exactly the
partial sums that are written here, so results do not depend on the version of LLVM. `function` has the values and basic
blocks of the function, `control` its loops and branches; here are the other statements.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from fungrad.jit.ir import provenance
from fungrad.jit.ir.loops import (
    Acc,
    Const,
    If,
    Index,
    Let,
    Load,
    Loop,
    LoopWhile,
    Nest,
    Prefix,
    Set,
    Store,
    Update,
    Var,
)
from fungrad.jit.ir.ops import apply
from fungrad.jit.ir.traverse import addresses, walk
from fungrad.jit.kernels.scalars import HALF
from fungrad.jit.llvm import accumulate, interleave
from fungrad.jit.llvm.accumulate import Cell
from fungrad.jit.llvm.control import ControlWriter
from fungrad.jit.llvm.module import Module


class NestEmitter(ControlWriter):
    """Writes one function. `emit` gives its text."""

    def __init__(self, module: Module, nest: Nest, name: str):
        super().__init__(module, nest, name)
        self.groups: dict[int, interleave.Group] = {}
        # For those who look: which lines were written for which statement, inner ones first.
        self.spans: list[tuple[int, int, Any]] = []

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
