"""Exchanges of buffers at the end of loops: two addresses in the table of the program change places.

After the loop the array is brought home, by one copy if it is away.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from fungrad.jit.ir.loops import Buffer
from fungrad.jit.llvm.module import Pair
from fungrad.jit.llvm.writer import ProgramWriter


def before_loop(emitter: ProgramWriter, pairs: Sequence[Pair]) -> list[tuple[str, str]]:
    """Reads where the buffers are at home."""
    return [(emitter.base(new.name), emitter.base(old.name)) for new, old in pairs]


def exchange(emitter: ProgramWriter, pairs: Sequence[Pair]) -> None:
    """Exchanges the addresses of the buffers."""
    for new, old in pairs:
        a, b = emitter.base(new.name), emitter.base(old.name)
        _put(emitter, new, b)
        _put(emitter, old, a)


def after_loop(emitter: ProgramWriter, pairs: Sequence[Pair], homes: Sequence[tuple[str, str]]) -> None:
    """Brings the carried arrays home."""
    emitter.module.declarations["@llvm.memcpy.p0.p0.i64"] = "declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)"
    for (new, old), (home_of_new, home_of_old) in zip(pairs, homes, strict=True):
        now = emitter.base(old.name)
        away, k = emitter.register(), next(emitter.names)
        emitter.lines += [
            f"{away} = icmp ne ptr {now}, {home_of_old}",
            f"br i1 {away}, label %away{k}, label %home{k}",
            f"away{k}:",
            f"call void @llvm.memcpy.p0.p0.i64(ptr {home_of_old}, ptr {now}, i64 {old.nbytes}, i1 false)",
        ]
        _put(emitter, old, home_of_old)
        _put(emitter, new, home_of_new)
        emitter.lines += [f"br label %home{k}", f"home{k}:"]


def at_home(emitter: ProgramWriter, buffers: Iterable[Buffer]) -> list[str]:
    """Lines that put the places of temporaries that move into the table."""
    lines = []
    for b in buffers:
        if b.kind == "temp":
            slot = emitter.module.slots[b.name]
            arena, place, at = (emitter.register() for _ in range(3))
            lines += [
                f"{arena} = load ptr, ptr %table, align 8",
                f"{place} = getelementptr inbounds i8, ptr {arena}, i64 {b.offset}",
                f"{at} = getelementptr inbounds ptr, ptr %table, i64 {slot}",
                f"store ptr {place}, ptr {at}, align 8",
            ]
    return lines


def _put(emitter: ProgramWriter, buffer: Buffer, address: str) -> None:
    at = emitter.register()
    emitter.lines += [
        f"{at} = getelementptr inbounds ptr, ptr %table, i64 {emitter.module.slots[buffer.name]}",
        f"store ptr {address}, ptr {at}, align 8",
    ]
