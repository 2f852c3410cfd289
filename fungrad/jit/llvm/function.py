"""The function of a nest while it is written: its lines, values, and basic blocks with what is known in them.

Inside a vector loop a value is either uniform (the same for all of its iterations, kept in a scalar register) or
varying (an LLVM vector with an element for each). Accumulators and variables are SSA values from the start: a loop or
branch that assigns one gets a phi for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import Any

from fungrad.jit.ir.loops import Affine, Const, Nest
from fungrad.jit.ir.traverse import changes, walk
from fungrad.jit.kernels.scalars import UNSIGNED, Value
from fungrad.jit.llvm.accumulate import Cell
from fungrad.jit.llvm.module import Module
from fungrad.jit.llvm.scalar import LLVMScalars
from fungrad.jit.llvm.writer import Vector

_FLAGS = "contract"


class FunctionWriter:
    """Writes lines into one function."""

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

    def iota(self, type: str, stride: int) -> Value:
        """`stride * lane` in every lane."""
        m, element = self.m, self.scalar.llvm(type)
        mask = (1 << int(type[1:])) - 1
        lanes = ", ".join(f"{element} {(k * stride) & mask}" for k in range(m.lanes))
        return m.value(type, f"<{lanes}>")

    def any_lane(self, condition: Value) -> str:
        """Whether a condition holds in some lane."""
        lanes = condition.m.lanes
        if lanes == 1:
            return condition.raw
        name = f"@llvm.vector.reduce.or.v{lanes}i1"
        self.module.declarations[name] = f"declare i1 {name}(<{lanes} x i1>)"
        return self.scalar.operand(f"call i1 {name}(<{lanes} x i1> {condition.raw})")

    # -- basic blocks ------------------------------------------------------------------------------

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
