"""Grouping of interleaved accesses: loads and stores that walk through the same records, such as the coordinates of
points that lie one after the other.

One by one they would be gathers and scatters. Together they are consecutive: whole vectors move between memory and
registers, and shuffles take them apart or put them together.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fungrad.jit.ir import tuning
from fungrad.jit.ir.loops import Affine, Buffer, Load, Store, overlap
from fungrad.jit.ir.ops import combine
from fungrad.jit.ir.traverse import buffers_of
from fungrad.jit.kernels.scalars import Value
from fungrad.jit.llvm.scalar import memory_type
from fungrad.jit.llvm.writer import NestWriter

_TYPES = ("f32", "f64", "i32", "i64", "u32", "u64", "i8", "u8", "i16", "u16", "i1", "f16", "bf16")


class Group:
    """Statements that together access some records: those that are written all of them.

    Attributes:
      members: by position in the record, which starts at the address `index`.
      kind: `Load` or `Store`.
    """

    def __init__(self, members: dict[int, list[Any]], index: Affine, stride: int):
        self.members = members
        self.index = index
        self.stride = stride
        everyone = [s for same in members.values() for s in same]
        self.buffer: str = everyone[0].buffer
        self.ids = {id(s) for s in everyone}
        self.values: dict[int, Value] = {}


def groups(nest: NestWriter, statements: Sequence[Any]) -> dict[int, Group]:
    """The groups among the statements of the body of a vector loop, by the identity of their members."""
    found: dict[int, Group] = {}
    if nest.vector is None or nest.vector.lanes < tuning.RECORD_LANES:
        return found
    families: dict[Any, list[tuple[int, Any]]] = {}
    for at, s in enumerate(statements):
        if s.is_access and _is_plain(nest, s):
            stride = s.index.coefficient(nest.vector.symbol)
            if stride >= 2 and _is_short(stride, nest.module.program.buffers[s.buffer], type(s)):
                key = (type(s), s.buffer, s.index - s.index.const, getattr(s, "update", None))
                families.setdefault(key, []).append((at, s))
    for (kind, _, index, _), family in families.items():
        stride = index.coefficient(nest.vector.symbol)
        for first, record in _records(family, stride):
            members: dict[int, list[Any]] = {}
            for _, s in record:
                members.setdefault(s.index.const - first, []).append(s)
            # Of a record some elements may be read; it is only written if all of it is known.
            if kind is Store and (len(members) != stride or len(family) != stride):
                continue
            if kind is Load and max(members) < stride - 1 and nest.vector.lanes < stride:
                continue
            group = Group(members, index + first, stride)
            if _is_free(nest, statements[record[0][0] : record[-1][0] + 1], group, kind):
                found.update(dict.fromkeys(group.ids, group))
    return found


def _records(family: Sequence[tuple[int, Any]], stride: int) -> list[tuple[int, list[tuple[int, Any]]]]:
    """Statements, each with its place in the body, by the record they access, with the place of its first element."""
    starts: list[int] = []
    for const in sorted({s.index.const for _, s in family}):
        if not starts or const >= starts[-1] + stride:
            starts.append(const)
    return [(first, [(at, s) for at, s in family if 0 <= s.index.const - first < stride]) for first in starts]


def _is_short(length: int, buffer: Buffer, kind: type) -> bool:
    """Whether records of a buffer are so short that they are read or written at once."""
    longest = max(tuning.LONGEST_RECORD, tuning.RECORD_BYTES // buffer.dtype.itemsize)
    if kind is Load:
        return length <= longest
    # Longer ones are put together by pairs.
    is_power = length & (length - 1) == 0
    return buffer.type != "i1" and (length <= tuning.LONGEST_RECORD or is_power and length <= longest)


def _is_plain(nest: NestWriter, s: Any) -> bool:
    buffer = nest.module.program.buffers[s.buffer]
    known = all(symbol in nest.symbols or symbol == nest.vector.symbol for symbol in s.index.symbols())  # type: ignore[union-attr]
    return s.where is None and not buffer.is_complex and buffer.type in _TYPES and known


def _is_free(nest: NestWriter, between: Sequence[Any], group: Group, kind: type) -> bool:
    """Whether the accesses of a group can happen at once: nothing from the first to the last is in the way."""
    program = nest.module.program
    root = program.root(group.buffer)
    for s in between:
        if id(s) in group.ids:
            continue
        reads, writes = buffers_of(s)
        touched = writes if kind is Load else reads | writes
        if any(overlap(root, program.root(name)) for name in touched):
            return False
    return True


def load(nest: NestWriter, group: Group, s: Load) -> Value:
    """The value of a load of a group."""
    if not group.values:
        group.values = _taken_apart(nest, group)
    return group.values[next(k for k, same in group.members.items() if any(x is s for x in same))]


def _taken_apart(nest: NestWriter, group: Group) -> dict[int, Value]:
    wide, pointer, suffix = _place(nest, group)
    type, m, stride = nest.module.program.buffers[group.buffer].type, nest.m, group.stride
    shuffle = nest.access.shuffle
    # Truth values are taken apart as the bytes that they are in memory: processors have no shuffles of single bits.
    memory = "u8" if type == "i1" else type
    places = {k: [lane * stride + k for lane in range(m.lanes)] for k in sorted(group.members)}
    end = max(map(max, places.values())) + 1
    if end == wide.lanes:
        records = others = wide.load(memory, pointer, suffix)
    else:
        # What follows the last element that is asked for may not be there: the last vector overlaps those before.
        before, start = nest.builder((stride - 1) * m.lanes), end - m.lanes
        records = before.load(memory, pointer, suffix)
        behind = nest.scalar.operand(f"getelementptr inbounds {memory_type(memory)}, ptr {pointer}, i64 {start}")
        last = m.load(memory, behind, suffix)
        others = shuffle(last, last, [min(k, m.lanes - 1) for k in range(before.lanes)], before)
        places = {k: [p if p < before.lanes else before.lanes + p - start for p in ps] for k, ps in places.items()}
    values = {k: shuffle(records, others, ps, m) for k, ps in places.items()}
    return {k: m.from_memory(type, v.raw) for k, v in values.items()} if type == "i1" else values


def _place(nest: NestWriter, group: Group) -> tuple[Any, str, str]:
    """Builder of all the lanes of the records, address and metadata."""
    from_start, _, _ = nest.affine(group.index)
    buffer = nest.module.program.buffers[group.buffer]
    element = nest.scalar.llvm(buffer.type)
    pointer = nest.access.pointer(group.buffer, element, from_start)
    return nest.builder(group.stride * nest.m.lanes), pointer, nest.memory.suffix(group.buffer)


def store(nest: NestWriter, group: Group, s: Store) -> None:
    """A store of a group: the last of them does the work of all."""
    k = next(k for k, (x,) in group.members.items() if x is s)
    group.values[k] = nest.varying(s.value)
    if len(group.values) < group.stride:
        return
    values = group.values
    if s.update is not None:
        before = _taken_apart(nest, group)
        values = {k: combine(nest.m, s.update, before[k], v) for k, v in values.items()}
    wide, pointer, suffix = _place(nest, group)
    wide.store(_put_together(nest, [values[k] for k in range(group.stride)]), pointer, suffix)


def _put_together(nest: NestWriter, parts: list[Value]) -> Value:
    """Lanes of several values in turns."""
    m = parts[0].m
    n, stride = m.lanes, len(parts)
    shuffle, two = nest.access.shuffle, nest.builder(2 * n)
    order = [k * n + lane for lane in range(n) for k in range(stride)]
    target = nest.builder(stride * n)
    if stride == 2:
        return shuffle(parts[0], parts[1], order, target)
    if stride > tuning.LONGEST_RECORD:
        # Turns of turns: processors have instructions for pairs, and none for more.
        return _put_together(nest, [_put_together(nest, parts[0::2]), _put_together(nest, parts[1::2])])
    low = shuffle(parts[0], parts[1], list(range(2 * n)), two)
    high = shuffle(parts[2], parts[-1], list(range(2 * n)), two)
    return shuffle(low, high, order, target)
