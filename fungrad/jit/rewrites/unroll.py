"""Pass ``unroll``: full loop unrolling. Writes out the iterations of very short loops, so that the loop around them can
run as vectors.

A loop over the three coordinates of a point is no vector; the loop over the points is one. Once the short loop is
written out, its loads are found to repeat each other, and sums into single elements of memory become accumulators. So
do those of loops whose short loops have been written out before, as in loops over small steps (`regions`).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import Any

from fungrad.jit.ir import tuning
from fungrad.jit.ir.facts import is_simple, is_vectorisable, stored
from fungrad.jit.ir.loops import Acc, Affine, Buffer, Let, Load, Loop, Program, Store, Update, overlap
from fungrad.jit.ir.traverse import defines, map_loops, of_kind, rename, walk
from fungrad.jit.kernels.scalars import FLOATS


def unrolled(program: Program, statements: Sequence[Any]) -> list[Any]:
    """The statements with short loops written out where that makes a vector loop of the one around them."""
    if not any(_is_short(program, s) or _has_sums(s) for s in of_kind(Loop, walk(statements))):
        return list(statements)

    def change(loop: Loop, around: Sequence[Loop]) -> list[Any]:
        parts = _without_short_loops(program, loop)
        if parts is None:
            parts = _with_accumulators(program, loop.replace(body=map_loops(change, loop.body)))
        return parts

    return map_loops(change, statements)


def _without_short_loops(program: Program, loop: Loop) -> list[Any] | None:
    """The loop with the loops in it written out, and what must stand before and after it; None if that is no gain."""
    inner = of_kind(Loop, loop.body)
    if not (inner or _has_sums(loop)) or loop.extent < tuning.UNROLLED_AROUND or loop.ordered or loop.vector:
        return None
    if any(not _is_short(program, s) for s in inner):
        return None
    body: list[Any] = []
    numbers = count()
    for s in loop.body:
        if type(s) is Loop:
            for k in range(s.extent):
                body += _copy(s, k, f".{loop.index}.{next(numbers)}")
        else:
            body.append(s)
    if len(body) > tuning.UNROLLED_STATEMENTS:
        return None
    before, body, after = _accumulated(program, loop, _distinct(program, body))
    made = Loop(loop.index, loop.extent, body, parallel=loop.parallel)
    return [*before, made, *after] if is_vectorisable(program, made) else None


def _with_accumulators(program: Program, loop: Loop) -> list[Any]:
    """The loop with its sums into single elements of memory in registers, if nothing else is in it."""
    if loop.vector or loop.parallel or not _has_sums(loop) or not is_simple(loop.body):
        return [loop]
    before, body, after = _accumulated(program, loop, list(loop.body))
    if not before:
        return [loop]
    # A few iterations, one after the other, are sooner done than gathered to a vector and added up across it.
    made = loop.replace(body=body, ordered=loop.ordered or loop.extent < tuning.UNROLLED_AROUND)
    return [*before, made, *after]


def _has_sums(loop: Loop) -> bool:
    """Whether a loop adds to elements of memory that are the same in each iteration."""
    stores = [s for s in of_kind(Store, loop.body) if s.update is not None]
    if not stores:
        return False
    values = {loop.index, *[n for s in loop.body for n in defines(s)]}
    return any(values.isdisjoint(s.index.symbols()) for s in stores)


def _is_short(program: Program, loop: Loop) -> bool:
    if not is_simple(loop.body) or loop.parallel or loop.vector:
        return False
    sizes = [program.buffers[s.buffer].dtype.itemsize for s in loop.body if s.is_access]
    most = max(tuning.UNROLLED_ITERATIONS, tuning.RECORD_BYTES // max(sizes, default=tuning.RECORD_BYTES))
    return 0 < loop.extent <= most


def _copy(loop: Loop, k: int, suffix: str) -> list[Any]:
    """One iteration, its values with names of their own."""
    names = {n: n + suffix for s in loop.body for n in defines(s)}
    symbols = {loop.index: Affine(k), **{n: Affine.var(new) for n, new in names.items()}}
    return [rename(s, names, symbols) for s in loop.body]


def _distinct(program: Program, body: Sequence[Any]) -> list[Any]:
    """Statements without those that compute a value again."""
    written = stored(program, body)
    known: dict[Any, Any] = {}
    names: dict[str, str] = {}
    result: list[Any] = []
    for s in body:
        # it reads other values; what it defines keeps its name
        own = defines(s)
        symbols = {old: Affine.var(new) for old, new in names.items()}
        s = rename(s, {old: new for old, new in names.items() if old not in own}, symbols)
        key = _key(program, s, written)
        before = known.get(key) if key is not None else None
        if before is None:
            if key is not None:
                known[key] = s
            result.append(s)
        else:
            names.update(zip(defines(s), defines(before), strict=True))
    return result


def _key(program: Program, s: Any, written: list[Buffer]) -> Any:
    """What two statements that compute the same have in common; None for statements that do more."""
    if type(s) is Let:
        args = tuple([a if isinstance(a, str) else (repr(a.value), a.type) for a in s.args])
        return (s.op, s.fn, args, s.type)
    if type(s) is Load and s.where is None:
        root = program.root(s.buffer)
        if not any(overlap(root, b) for b in written):
            return (s.buffer, s.index, s.part)
    return None


def _accumulated(program: Program, loop: Loop, body: list[Any]) -> tuple[list[Any], list[Any], list[Any]]:
    """Sums into elements that do not change with the loop, as accumulators: what stands before, in and after it."""
    values = {n for s in body for n in defines(s)} | {loop.index}
    stores = of_kind(Store, body)
    plain = [s for s in stores if s.update and s.where is None and s.imag is None]
    # a product of some of the factors may overflow where the element does not
    plain = [s for s in plain if s.update != "mul" or program.buffers[s.buffer].type not in FLOATS]
    fixed = [s for s in plain if values.isdisjoint(s.index.symbols())]
    reads = {s.buffer for s in of_kind(Load, body)}
    cells: dict[Any, Acc] = {}
    result: list[Any] = []
    for s in body:
        if s in fixed and _is_alone(program, s, fixed, stores, reads):
            key = (s.buffer, s.index)
            if key not in cells:
                type_ = program.buffers[s.buffer].type
                cells[key] = Acc(f"{s.buffer}.{loop.index}.sum{len(cells)}", s.update, type_)
            result.append(Update(cells[key].name, s.value))
        else:
            result.append(s)
    if len(cells) > tuning.UNROLLED_SUMS:
        return [], body, []
    after = [Store(buffer, index, acc.name, update=acc.op) for (buffer, index), acc in cells.items()]
    return list(cells.values()), result, after


def _is_alone(program: Program, s: Store, fixed: list[Store], stores: list[Store], reads: set[str]) -> bool:
    """Whether nothing but sums of the same kind into elements at known distances touches the memory of a sum."""
    root = program.root(s.buffer)
    if any(overlap(root, program.root(name)) for name in reads):
        return False
    touching = [other for other in stores if overlap(root, program.root(other.buffer))]
    same = [t for t in touching if t in fixed and (t.buffer, t.update) == (s.buffer, s.update)]
    return len(same) == len(touching) and not any((t.index - s.index).symbols() for t in same)
