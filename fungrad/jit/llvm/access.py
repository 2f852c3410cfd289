"""Loads and stores of a nest: from an affine address to the cheapest instructions for it.

By the stride of the address along the vector loop:

    0           one element for all lanes
    1, -1       consecutive elements, reversed by a shuffle
    otherwise, or with a computed summand: gather and scatter

A condition (`where`) becomes a mask, so that excluded elements are never touched. Complex arrays
are pairs in memory: consecutive elements are read as one vector of twice the lanes and separated by
shuffles.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fungrad.jit.ir.loops import Affine, Const, Load, Store
from fungrad.jit.ir.machine import LINE_BYTES
from fungrad.jit.ir.ops import combine, neutral
from fungrad.jit.kernels.scalars import Value
from fungrad.jit.llvm.scalar import LLVMScalars, memory_size, memory_type
from fungrad.jit.llvm.writer import NestWriter


class Access:
    """The memory side of a `NestWriter`."""

    def __init__(self, nest: NestWriter):
        self.nest = nest
        self.memory = nest.memory

    # -- addresses ---------------------------------------------------------------------------------

    def pointer(self, buffer: str, element: str, index: str) -> str:
        """Address of one element."""
        base = self.memory.base(buffer)
        if index == "0":
            return base
        text = f"getelementptr inbounds {element}, ptr {base}, i64 {index}"
        return self.nest.scalar.operand(text)

    def pointers(self, buffer: str, element: str, base: str, stride: int, vector: Value | None) -> str:
        """Addresses of the lanes as a vector of pointers."""
        nest = self.nest
        m = nest.m
        if vector is None:
            offsets = nest.iota("i64", stride)
        else:
            offsets = vector if not stride else vector + nest.iota("i64", stride)
        start = self.pointer(buffer, element, base)
        lanes = m.llvm("i64")
        return m.operand(f"getelementptr inbounds {element}, ptr {start}, {lanes} {offsets.raw}")

    def expand(self, buffer: str, index: Affine, part: int | None) -> tuple[str, int, Value | None]:
        """Address in units of scalar elements."""
        if self.nest.module.program.buffers[buffer].is_complex:
            index = index * 2 + (part or 0)
            # computed summands are scaled by `affine` like any other symbol
        return self.nest.affine(index)

    # -- loads -------------------------------------------------------------------------------------

    def load(self, s: Load) -> Value:
        """The value of a `Load`."""
        buffer = self.nest.module.program.buffers[s.buffer]
        if buffer.is_complex and s.where is None and abs(self.consecutive(s.index)) == 1:
            return self.part(self.load_pairs(s), s.part or 0)
        base, stride, vector = self.expand(s.buffer, s.index, s.part)
        return self.load_at(s, buffer.type, base, stride, vector)

    def prefetch(self, buffer: str, index: Affine, write: bool) -> None:
        """Ask for the cache lines of the lanes of a vector loop, in the first level if they will be written; they may
        lie outside of the buffer."""
        nest = self.nest
        type = nest.module.program.buffers[buffer].type
        base, _, vector = self.expand(buffer, index, None)
        if vector is not None:
            return
        nest.module.declarations["@llvm.prefetch.p0"] = "declare void @llvm.prefetch.p0(ptr, i32, i32, i32)"
        kind = "i32 1, i32 3" if write else "i32 0, i32 2"
        for first in range(0, nest.m.lanes, max(1, LINE_BYTES // memory_size(type))):
            place = nest.scalar.operand(f"add nsw i64 {base}, {first}") if first else base
            pointer = self.any_pointer(buffer, memory_type(type), place)
            nest.lines.append(f"call void @llvm.prefetch.p0(ptr {pointer}, {kind}, i32 1)")

    def consecutive(self, index: Affine) -> int:
        """Stride of an address along the vector loop if nothing else varies, else 0."""
        nest = self.nest
        if nest.vector is None:
            return 0
        for symbol in index.symbols():
            if symbol not in nest.symbols and nest.value(symbol).m is not nest.scalar:
                return 0
        return index.coefficient(nest.vector.symbol)

    def load_at(self, s: Load, type: str, base: str, stride: int, vector: Value | None) -> Value:
        nest = self.nest
        element, suffix = memory_type(type), self.memory.suffix(s.buffer)
        masked = s.where is not None
        if vector is None and stride == 0 and (not masked or nest.value(s.where).m is nest.scalar):
            return self.load_one(s, type, base)
        m = nest.m
        mask = nest.varying(s.where).raw if masked else m.literal("true", "i1")
        other: Any = nest.varying(s.other) if masked else None
        if vector is None and abs(stride) == 1:
            if stride < 0:
                base = nest.scalar.operand(f"add nsw i64 {base}, {1 - m.lanes}")
            if not masked:
                value = m.load(type, self.pointer(s.buffer, element, base), suffix)
            else:
                value = self.masked_load(m, s, type, base, mask, other, stride)
            return self.reverse(value) if stride < 0 else value
        pointers = self.pointers(s.buffer, element, base, stride, vector)
        lanes, memory = m.lanes, m.memory(type)
        name = f"@llvm.masked.gather.{m.memory_name(type)}.v{lanes}p0"
        m.declare(name, f"{memory} {name}(<{lanes} x ptr>, i32, <{lanes} x i1>, {memory})")
        through = m.to_memory(other) if masked else "poison"
        gathered = m.append(
            f"call {memory} {name}(<{lanes} x ptr> {pointers}, i32 {memory_size(type)}, "
            f"<{lanes} x i1> {mask}, {memory} {through}){_tail(suffix)}"
        )
        return m.from_memory(type, gathered)

    def masked_load(self, m: LLVMScalars, s: Load, type: str, base: str, mask: str, other: Value, stride: int) -> Value:
        if stride < 0:
            other = self.reverse(other)
            mask = self.reverse(m.value("i1", mask)).raw
        lanes, memory = m.lanes, m.memory(type)
        name = f"@llvm.masked.load.{m.memory_name(type)}.p0"
        m.declare(name, f"{memory} {name}(ptr, i32, <{lanes} x i1>, {memory})")
        pointer = self.any_pointer(s.buffer, memory_type(type), base)
        value = m.append(
            f"call {memory} {name}(ptr {pointer}, i32 {memory_size(type)}, <{lanes} x i1> {mask}, "
            f"{memory} {m.to_memory(other)}){_tail(self.memory.suffix(s.buffer))}"
        )
        return m.from_memory(type, value)

    def any_pointer(self, buffer: str, element: str, index: str) -> str:
        """Address that may lie outside of the buffer where a mask says so."""
        base = self.memory.base(buffer)
        return self.nest.scalar.operand(f"getelementptr {element}, ptr {base}, i64 {index}")

    def load_one(self, s: Load, type: str, base: str) -> Value:
        """One element for all lanes; where it must not be read, zeros are."""
        nest = self.nest
        m, element = nest.scalar, memory_type(type)
        if s.where is None:
            return m.load(type, self.pointer(s.buffer, element, base), self.memory.suffix(s.buffer))
        condition = nest.value(s.where)
        wanted = self.any_pointer(s.buffer, element, base)
        zeros = nest.module.zeros(memory_size(type))
        pointer = m.operand(f"select i1 {condition.raw}, ptr {wanted}, ptr {zeros}")
        other = nest.value(s.other)
        value = m.load(type, pointer)
        if other.m is not m:
            return nest.m.select(nest.varying(condition), nest.varying(value), other)
        return m.select(condition, value, other)

    def load_pairs(self, s: Load) -> Value:
        """Neighbouring complex elements as they are in memory, in the order of the lanes."""
        pointer, ahead = self.pairs_at(s)
        type = self.nest.module.program.buffers[s.buffer].type
        pairs = self.nest.builder(2 * self.nest.m.lanes).load(type, pointer, self.memory.suffix(s.buffer))
        return pairs if ahead else self.reverse_pairs(pairs)

    def pairs_at(self, s: Any) -> tuple[str, bool]:
        """Where the first in memory of neighbouring complex elements is, and whether it is that of the first lane."""
        nest = self.nest
        base, _, _ = self.expand(s.buffer, s.index, 0)
        ahead = self.consecutive(s.index) > 0
        if not ahead:
            base = nest.scalar.operand(f"add nsw i64 {base}, {2 - 2 * nest.m.lanes}")
        return self.pointer(s.buffer, memory_type(nest.module.program.buffers[s.buffer].type), base), ahead

    def part(self, pairs: Value, part: int) -> Value:
        """One part of such elements."""
        m = self.nest.m
        return self.shuffle(pairs, pairs, [2 * k + part for k in range(m.lanes)], m)

    def shuffle(self, a: Value, b: Value, lanes: list[int], m: LLVMScalars) -> Value:
        """Lanes of `a` and `b` as a value of `m`."""
        vector = a.m.llvm(a.type)
        mask = ", ".join(f"i32 {k}" for k in lanes)
        text = f"shufflevector {vector} {a.raw}, {vector} {b.raw}, <{len(lanes)} x i32> <{mask}>"
        return m.value(a.type, m.operand(text))

    def reverse(self, value: Value) -> Value:
        """The lanes in the opposite order."""
        return self.shuffle(value, value, list(range(value.m.lanes))[::-1], value.m)

    def reverse_pairs(self, pairs: Value) -> Value:
        """Pairs of numbers in the opposite order."""
        n = pairs.m.lanes // 2
        return self.shuffle(pairs, pairs, [2 * (n - 1 - k) + t for k in range(n) for t in (0, 1)], pairs.m)

    # -- stores ------------------------------------------------------------------------------------

    def store(self, s: Store) -> None:
        """Write a `Store`."""
        nest = self.nest
        buffer = nest.module.program.buffers[s.buffer]
        if s.update is not None:
            self.update_store(s)
        elif not buffer.is_complex:
            self.store_part(s, buffer.type, None, s.value)
        elif self.is_pairs(s):
            self.store_pairs(s, nest.value(s.value), nest.value(s.imag))
        else:
            self.store_part(s, buffer.type, 0, s.value)
            self.store_part(s, buffer.type, 1, s.imag)

    def is_pairs(self, s: Store) -> bool:
        """Whether neighbouring complex elements are written."""
        return s.where is None and abs(self.consecutive(s.index)) == 1

    def update_store(self, s: Store) -> None:
        """Read, combine, write."""
        nest, op = self.nest, s.update or ""
        buffer = nest.module.program.buffers[s.buffer]
        zero = Const(neutral(op, buffer.type), buffer.type)
        parts = (0, 1) if buffer.is_complex else (None,)
        if buffer.is_complex and op != "add":
            raise ValueError(f"loop IR: store to complex {s.buffer} can only add, not {s.update}")
        if s.where is not None and nest.value(s.where).m is nest.scalar:
            # one decision for all lanes: nothing is read where nothing is written
            plain = s.replace(where=None)
            self.only_if(nest.value(s.where), lambda: self.update_store(plain))
            return
        if buffer.is_complex and self.is_pairs(s):
            old = self.load_pairs(Load("", s.buffer, s.index, 0))
            values = [nest.varying(x) for x in (s.value, s.imag)]
            self.store_pairs(s, *[combine(x.m, op, self.part(old, t), x) for t, x in enumerate(values)])
            return
        for part, x in zip(parts, (s.value, s.imag), strict=False):
            read = Load("", s.buffer, s.index, part, s.where, zero if s.where else None)
            base, stride, vector = self.expand(s.buffer, s.index, part)
            before = self.load_at(read, buffer.type, base, stride, vector)
            operand = nest.value(x)
            if before.m is not nest.scalar or operand.m is not nest.scalar:
                before, operand = nest.varying(before), nest.varying(operand)
            self.store_part(s, buffer.type, part, combine(before.m, op, before, operand))

    def store_part(self, s: Store, type: str, part: int | None, x: object) -> None:
        nest = self.nest
        element, suffix = memory_type(type), self.memory.suffix(s.buffer)
        base, stride, vector = self.expand(s.buffer, s.index, part)
        value = x if isinstance(x, Value) else nest.value(x)
        condition = nest.value(s.where) if s.where is not None else None
        uniform_condition = condition is None or condition.m is nest.scalar
        if vector is None and stride == 0 and (nest.vector is None or uniform_condition):
            self.store_one(s, type, base, value, condition)
            return
        m = nest.m
        value = nest.varying(value)
        mask = nest.varying(condition).raw if condition is not None else m.literal("true", "i1")
        memory, lanes = m.memory(type), m.lanes
        if vector is None and abs(stride) == 1:
            if stride < 0:
                base = nest.scalar.operand(f"add nsw i64 {base}, {1 - lanes}")
                value = self.reverse(value)
            if condition is None:
                pointer = self.pointer(s.buffer, element, base)
                if stride > 0 and self.is_streamed(s):
                    nest.streams = True
                    m.stream(value, pointer, nest.module.metadata("!{i32 1}"), suffix)
                else:
                    m.store(value, pointer, suffix)
                return
            if stride < 0:
                mask = self.reverse(m.value("i1", mask)).raw
            name = f"@llvm.masked.store.{m.memory_name(type)}.p0"
            m.declare(name, f"void {name}({memory}, ptr, i32, <{lanes} x i1>)")
            pointer = self.any_pointer(s.buffer, element, base)
            nest.lines.append(
                f"call void {name}({memory} {m.to_memory(value)}, ptr {pointer}, "
                f"i32 {memory_size(type)}, <{lanes} x i1> {mask}){_tail(suffix)}"
            )
            return
        pointers = self.pointers(s.buffer, element, base, stride, vector)
        name = f"@llvm.masked.scatter.{m.memory_name(type)}.v{lanes}p0"
        m.declare(name, f"void {name}({memory}, <{lanes} x ptr>, i32, <{lanes} x i1>)")
        nest.lines.append(
            f"call void {name}({memory} {m.to_memory(value)}, <{lanes} x ptr> {pointers}, "
            f"i32 {memory_size(type)}, <{lanes} x i1> {mask}){_tail(suffix)}"
        )

    def is_streamed(self, s: Store) -> bool:
        """Whether a vector is stored past the cache: it makes up whole cache lines of a large result."""
        nest = self.nest
        buffer, vector = nest.module.program.buffers[s.buffer], nest.vector
        if s.buffer not in nest.streamed or s.update is not None or vector is None or not vector.whole:
            return False
        steps = [vector.lanes if symbol == vector.symbol else c for symbol, c in s.index.terms]
        return all(n * buffer.dtype.itemsize % LINE_BYTES == 0 for n in (*steps, s.index.const))

    def store_one(self, s: Store, type: str, base: str, value: Value, condition: Value | None) -> None:
        """Write one element; in a vector loop the last lane stays, as in the loop it stands for."""
        nest = self.nest
        m = nest.scalar
        if value.m is not m:
            vector = value.m.llvm(type)
            last = value.m.lanes - 1
            value = m.value(type, m.operand(f"extractelement {vector} {value.raw}, i64 {last}"))
        suffix = self.memory.suffix(s.buffer)
        if condition is None:
            m.store(value, self.pointer(s.buffer, memory_type(type), base), suffix)
            return
        self.only_if(condition, lambda: m.store(value, self.any_pointer(s.buffer, memory_type(type), base), suffix))

    def only_if(self, condition: Value, write: Callable[[], None]) -> None:
        """Run the instructions that `write` adds, which define nothing, if a uniform condition holds."""
        nest = self.nest
        yes, leave = nest.label("store"), nest.label("done")
        nest.lines.append(f"br i1 {condition.raw}, label %{yes}, label %{leave}")
        saved = nest.save()
        nest.start(yes)
        write()
        nest.lines.append(f"br label %{leave}")
        nest.restore(saved)
        nest.start(leave)

    def store_pairs(self, s: Store, re: Value, im: Value) -> None:
        """Neighbouring complex elements from their parts."""
        nest = self.nest
        m = nest.m
        wide = nest.builder(2 * m.lanes)
        order = [k // 2 + (k % 2) * m.lanes for k in range(2 * m.lanes)]
        pairs = self.shuffle(nest.varying(re), nest.varying(im), order, wide)
        pointer, ahead = self.pairs_at(s)
        wide.store(pairs if ahead else self.reverse_pairs(pairs), pointer, self.memory.suffix(s.buffer))


def _tail(suffix: str) -> str:
    return f", {suffix}" if suffix else ""
