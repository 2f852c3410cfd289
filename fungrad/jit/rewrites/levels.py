"""Pass ``levels``: cascade summation with private sums. Levels of sums that are collected in memory.

A sum over rows of a table, or of updates at computed places, adds one term after the other to each element, so that its
rounding error grows with their number. Here a long loop around such sums becomes one over blocks: each block adds up in
scratch memory, which is then added to the sums; blocks of blocks likewise. Sums in registers get their levels when they
are written (`llvm/control.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fungrad.jit.ir import tuning
from fungrad.jit.ir.facts import divisor
from fungrad.jit.ir.loops import Affine, Buffer, Const, Load, Loop, LoopWhile, Nest, Program, Store
from fungrad.jit.ir.traverse import accesses, by_memory, map_loops, of_kind, part_of
from fungrad.jit.rewrites.partial import redirected


def in_levels(program: Program, nest: Nest) -> Nest | None:
    """A nest with its long sums in memory in levels; None where there are none."""
    before = len(program.buffers)
    body = map_loops(_Levels(program).loop, nest.body)
    return None if len(program.buffers) == before else nest.replace(body=body)


@dataclass(frozen=True)
class _Sum:
    """A buffer that a loop adds to, and where.

    Attributes:
      buffer: its name.
      places: pairs of loops, in the body of the loop, and an index: all elements that are added to.
      chain: terms that an element gets in one iteration, one after the other, at most.
      elements: how many elements there are.
      updates: how many terms all elements together get in one iteration.
      computed: whether the places are known at run time only.
    """

    buffer: Buffer
    places: list[tuple[list[Loop], Affine]]
    chain: int
    elements: int
    updates: int
    computed: bool


class _Levels:
    def __init__(self, program: Program):
        self.program = program

    def loop(self, loop: Loop, around: Sequence[Loop]) -> list[Any]:
        """What stands in place of a loop, and of those in it."""
        sums = [] if loop.vector or loop.parallel else self.sums(loop, {x.index: x.extent for x in around})
        inside = loop.replace(body=map_loops(self.loop, loop.body, (*around, loop)))
        return self.levels(inside, sums) if sums else [inside]

    # -- what a loop adds to -------------------------------------------------------------------------------------------

    def sums(self, loop: Loop, around: dict[str, int]) -> list[_Sum]:
        """The sums of a loop that are long enough for levels."""
        found = []
        for touching in by_memory(self.program, accesses(loop.body)).values():
            sum = self._sum(loop, touching, around)
            if sum is not None and min(sum.chain, tuning.SUM_BLOCK) * loop.extent > 2 * tuning.SUM_BLOCK:
                found.append(sum)
        return found

    def _sum(self, loop: Loop, touching: list[tuple[Any, tuple]], around: dict[str, int]) -> _Sum | None:
        first = touching[0][0]
        buffer = self.program.buffers[first.buffer]
        if buffer.dtype.kind not in "fc" or buffer.dtype.itemsize < 4:
            return None
        if any(type(s) is not Store or s.update != "add" or s.buffer != first.buffer for s, _ in touching):
            return None
        if any(of_kind(LoopWhile, path) for _, path in touching):
            return None
        places: list[tuple[list[Loop], Affine]] = []
        chain = updates = 0
        computed = False
        for s, path in touching:
            loops = of_kind(Loop, path)
            known = {loop.index, *around, *(x.index for x in loops)}
            if s.index.coefficient(loop.index):
                return None
            times = repeats = 1
            for x in loops:
                times *= x.extent
                repeats *= 1 if s.index.coefficient(x.index) else x.extent
            updates += times
            if not known.issuperset(s.index.symbols()):
                computed = True
                chain += times
                continue
            chain += repeats
            places.append(([x for x in loops if s.index.coefficient(x.index)], s.index))
        if computed:
            region = _region(buffer, [s.index for s, _ in touching], around)
            if region is None:
                return None
            start, elements = region
            counter = Loop(f"{buffer.name}.{loop.index}.at", elements, [])
            return _Sum(buffer, [([counter], start + counter.index)], chain, elements, updates, True)
        distinct = _distinct(places)
        return None if distinct is None else _Sum(buffer, distinct, chain, 0, updates, False)

    # -- levels --------------------------------------------------------------------------------------------------------

    def levels(self, loop: Loop, sums: list[_Sum]) -> list[Any]:
        """A loop as one over blocks, or as it is."""
        chain = min(max(x.chain for x in sums), tuning.SUM_BLOCK)
        wanted = max(1, tuning.SUM_BLOCK // chain)
        for x in sums:
            if x.computed:
                each = tuning.LEVEL_ROW_UPDATES if x.updates > 1 else tuning.LEVEL_UPDATES
                wanted = max(wanted, -(-max(each * x.elements, tuning.SUM_BLOCK) // x.updates))
                if loop.extent < tuning.LEVEL_BLOCKS * wanted:
                    return [loop]
        size = 1 if wanted == 1 else divisor(loop.extent, wanted) or wanted
        blocks, rest = divmod(loop.extent, size)
        if blocks < 2:
            return [loop]
        found = [x.buffer for x in sums]
        targets = {b.name: self.program.temporary(f"{b.name}.level", b.dtype, b.shape) for b in found}
        block = f"{loop.index}.level"
        body = [
            *(s for x in sums for s in _fill(x, targets[x.buffer.name])),
            redirected(part_of(loop, Affine.var(block, size), size), targets),
            *(s for x in sums for s in _combined(x, targets[x.buffer.name])),
        ]
        outer = Loop(block, blocks, body, ordered=True)
        again = [_Sum(x.buffer, x.places, 1, 0, x.updates * size, False) for x in sums]
        result = self.levels(outer, again) if blocks > 2 * tuning.SUM_BLOCK else [outer]
        return [*result, part_of(loop, blocks * size, rest)] if rest else result


def _region(buffer: Buffer, indices: list[Affine], around: dict[str, int]) -> tuple[Affine, int] | None:
    """The first of the elements of a buffer that computed places may be, and their number: all of them, or those that
    belong to an iteration of a loop around."""
    outer = {tuple([(symbol, c) for symbol, c in i.terms if symbol in around]) for i in indices}
    if len(outer) != 1:
        return None
    terms = outer.pop()
    if not terms:
        return Affine(), buffer.size
    if len(terms) > 1 or terms[0][1] * around[terms[0][0]] != buffer.size:
        return None
    return Affine.var(*terms[0]), terms[0][1]


def _distinct(places: list[tuple[list[Loop], Affine]]) -> list[tuple[list[Loop], Affine]] | None:
    """Places without those that are the same; None if it is not known whether they are."""
    found: dict[Any, tuple[list[Loop], Affine]] = {}
    for loops, index in places:
        key = (tuple([x.extent for x in loops]), tuple([index.coefficient(x.index) for x in loops]), index.const)
        found.setdefault(key, (loops, index))
    if len(found) > 1 and any(loops for loops, _ in found.values()):
        return None
    return list(found.values())


def _over(loops: list[Loop], index: Affine, suffix: str, make: Any) -> Any:
    """Statements at all places, in loops with counters of their own."""
    names = {x.index: Affine.var(f"{x.index}.{suffix}") for x in loops}
    made = make(index.substitute(names))
    for x in reversed(loops):
        made = [Loop(f"{x.index}.{suffix}", x.extent, made)]
    return made


def _fill(sum: _Sum, scratch: Buffer) -> list[Any]:
    """Zeros in scratch memory."""
    zero = Const(0, scratch.type)
    imag = zero if scratch.is_complex else None

    def make(index: Affine) -> list[Any]:
        return [Store(scratch.name, index, zero, imag)]

    return [s for k, (loops, index) in enumerate(sum.places) for s in _over(loops, index, f"{scratch.name}.z{k}", make)]


def _combined(sum: _Sum, scratch: Buffer) -> list[Any]:
    """What is in scratch memory added to the sums."""
    result: list[Any] = []
    for k, (loops, index) in enumerate(sum.places):
        value = f"{scratch.name}.v{k}"

        def make(index: Affine, value: str = value) -> list[Any]:
            if scratch.is_complex:
                both = [Load(f"{value}.{part}", scratch.name, index, part) for part in (0, 1)]
                return [*both, Store(sum.buffer.name, index, f"{value}.0", f"{value}.1", update="add")]
            return [Load(value, scratch.name, index), Store(sum.buffer.name, index, value, update="add")]

        result += _over(loops, index, f"{scratch.name}.s{k}", make)
    return result
