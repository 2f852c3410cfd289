"""Carried arrays of loops change places with their new values instead of being copied.

The last steps of a loop copy each new carry, made in a temporary, over the old one. Where nothing else needs the
temporary, the two memories exchange their roles: every function finds buffers through the table of the program, so it
is enough to exchange two addresses there. After the loop the array is brought home, by one copy if it is away.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from fungrad.jit.loops import Affine, Buffer, Call, Program, Repeat, While
from fungrad.jit.traverse import buffers_of, children, walk

if TYPE_CHECKING:
    from fungrad.jit.emit.program import ProgramEmitter

# Bytes from which exchanging addresses is cheaper than copying.
_LEAST = 1024

Pair = tuple[Buffer, Buffer]


class Exchanges:
    """The copies of a program that exchange addresses instead.

    Attributes:
      of: for each loop, by identity, its copies as pairs (new, old) of buffers with memory of their own.
    """

    def __init__(self, program: Program):
        self.of: dict[int, list[Pair]] = {}
        self._copies: set[int] = set()
        found = [s for s in walk(program.steps) if type(s) in (Repeat, While)]
        if not found:
            return
        mentioned = _mentions(program, program.steps)
        for loop in found:
            pairs: list[Pair] = []
            for copy in _last_copies(loop.steps):
                pair = _pair(program, copy)
                if pair is not None and _is_free(program, loop, pair, mentioned, pairs):
                    pairs.append(pair)
                    self._copies.add(id(copy))
            if pairs:
                self.of[id(loop)] = pairs

    def __contains__(self, step: Any) -> bool:
        return id(step) in self._copies

    def buffers(self) -> Iterable[Buffer]:
        """The buffers that move."""
        return dict.fromkeys(b for pairs in self.of.values() for pair in pairs for b in pair)


def _mentions(program: Program, steps: Sequence[Any]) -> Counter:
    """In how many places a memory is read or written."""
    found: Counter = Counter()
    for s in walk(steps):
        if type(s) not in (Repeat, While):
            found.update({program.root(name).name for names in buffers_of(s) for name in names})
    return found


def _last_copies(steps: Sequence[Any]) -> list[Call]:
    """The copies at the end of a loop."""
    copies: list[Call] = []
    for s in reversed(steps):
        if type(s) is not Call or s.routine != "copy":
            break
        copies.append(s)
    return copies


def _pair(program: Program, copy: Call) -> Pair | None:
    """The memories that a copy is about, if it copies all of one to all of the other."""
    (source,), (target,) = copy.inputs, copy.outputs
    new, old = program.root(source.buffer), program.root(target.buffer)
    whole = source.offset == target.offset == Affine() and math.prod(target.shape) == old.size == new.size
    if not whole or new is old or new.kind != "temp" or new.nbytes != old.nbytes or old.nbytes < _LEAST:
        return None
    return new, old


def _is_free(program: Program, loop: Any, pair: Pair, mentioned: Counter, others: Sequence[Pair]) -> bool:
    """Whether the new memory is nobody's business outside of the loop, and no other pair's."""
    new, old = pair
    if any(b is x for p in others for b in p for x in pair):
        return False
    inside = _mentions(program, [s for b in children(loop) for s in b])
    last = Counter(program.root(v.buffer).name for c in _last_copies(loop.steps) for v in (*c.inputs, *c.outputs))
    return mentioned[new.name] == inside[new.name] and last[new.name] == last[old.name] == 1


def before_loop(emitter: ProgramEmitter, pairs: Sequence[Pair]) -> list[tuple[str, str]]:
    """Reads where the buffers are at home."""
    return [(emitter.base(new.name), emitter.base(old.name)) for new, old in pairs]


def exchange(emitter: ProgramEmitter, pairs: Sequence[Pair]) -> None:
    """Exchanges the addresses of the buffers."""
    for new, old in pairs:
        a, b = emitter.base(new.name), emitter.base(old.name)
        _put(emitter, new, b)
        _put(emitter, old, a)


def after_loop(emitter: ProgramEmitter, pairs: Sequence[Pair], homes: Sequence[tuple[str, str]]) -> None:
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


def at_home(emitter: ProgramEmitter, buffers: Iterable[Buffer]) -> list[str]:
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


def _put(emitter: ProgramEmitter, buffer: Buffer, address: str) -> None:
    at = emitter.register()
    emitter.lines += [
        f"{at} = getelementptr inbounds ptr, ptr %table, i64 {emitter.module.slots[buffer.name]}",
        f"store ptr {address}, ptr {at}, align 8",
    ]
