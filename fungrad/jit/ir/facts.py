"""Facts about loops, accesses and copies that several passes ask for: what may run side by side, on several threads, or
twice, and who reads and writes which elements.

May import ``ir``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fungrad.jit.ir.affine import Affine
from fungrad.jit.ir.loops import (
    Buffer,
    Call,
    Load,
    Loop,
    LoopWhile,
    Nest,
    Prefix,
    Program,
    Store,
    overlap,
)
from fungrad.jit.ir.traverse import accesses, buffers_of, changes, defines, of_kind, walk

# -- loops -----------------------------------------------------------------------------------------------------------


def main_loop(nest: Nest) -> Loop | None:
    """The last statement of a nest, if it is a loop that runs and only pure statements stand before it."""
    last = nest.body[-1] if nest.body else None
    if type(last) is not Loop or last.extent == 0:
        return None
    return last if all(s.is_pure for s in nest.body[:-1]) else None


def declared_cells(statements: Sequence[Any]) -> set[str]:
    """Accumulators and variables that are declared in statements, or in what is nested in them."""
    return {s.name for s in walk(statements) if s.declares_cell}


def outer_cells(loop: Loop) -> set[str]:
    """Cells declared outside of a loop and changed inside."""
    return {c for s in walk(loop.body) for c in changes(s)} - declared_cells(loop.body)


def is_plain(statements: Iterable[Any]) -> bool:
    """Whether statements, with what is nested in them, only compute, store and sum up, each as often as the loops say:
    nothing that must run in order, and no branches."""
    return not any(s.is_sequential or s.is_branch for s in walk(list(statements)))


def is_simple(statements: Iterable[Any]) -> bool:
    """Whether statements only compute, store and sum up: none has others inside, declares a cell or runs in order."""
    return not any(s.BODIES or s.declares_cell or s.is_sequential for s in statements)


def is_straight(statements: Iterable[Any]) -> bool:
    """Whether statements only compute values and store them: no cells, loops or branches."""
    return all(s.is_pure or type(s) is Store for s in statements)


def is_vectorisable(program: Program, loop: Loop) -> bool:
    """Whether iterations of a loop may run side by side."""
    if loop.ordered:
        return False
    declared = declared_cells(loop.body)
    values = _values(loop)
    direct = {s.acc for s in of_kind(Prefix, loop.body)}
    for s in walk(loop.body):
        if (s.is_branch and not s.settled) or (type(s) is Loop and s.vector):
            return False
        if s.is_sequential and not declared.union(direct).issuperset(changes(s)):
            return False
        if s.reads_what_it_writes:
            varying = any(t in values for t in s.index.symbols())
            if varying or s.index.coefficient(loop.index) == 0:
                return False
    return True


def is_repeatable(program: Program, loop: Loop) -> bool:
    """Whether an iteration may run twice: it only stores what depends on nothing that is stored.
    Then the last vector of a loop may overlap the one before, which saves a copy of the body."""
    if any(s.is_sequential or s.reads_what_it_writes for s in walk(loop.body)) or outer_cells(loop):
        return False
    reads, writes = buffers_of(loop)
    return not any(overlap(program.root(a), program.root(b)) for a in reads for b in writes)


def is_independent(program: Program, loop: Loop) -> bool:
    """Whether iterations of a loop may run on different threads."""
    if loop.ordered:
        return False
    declared, values = declared_cells(loop.body), _values(loop)
    for s in walk(loop.body):
        if not declared.issuperset(changes(s)):
            return False
        if type(s) is Store and (s.index.coefficient(loop.index) == 0 or not values.isdisjoint(s.index.symbols())):
            return False
    return True


def _values(loop: Loop) -> set[str]:
    """Names that the statements in a loop define, but for counters."""
    return {n for s in walk(loop.body) if not s.is_counted for n in defines(s)}


def divisor(n: int, wanted: int) -> int | None:
    """A divisor of `n` within a factor of three of `wanted`, even in vectors if possible."""
    best = None
    for d in range(max(2, wanted // 3), 3 * wanted + 1):
        if n % d == 0:
            score = abs(math.log(d / wanted)) + (0 if d % 16 == 0 else 0.3 if d % 4 == 0 else 0.6)
            best = min(best, (score, d)) if best else (score, d)
    return best[1] if best else None


# -- accesses --------------------------------------------------------------------------------------------------------


def stored(program: Program, statements: Iterable[Any]) -> list[Buffer]:
    """The memories that the stores among some statements (not those nested in them) write, one for each store."""
    return [program.root(s.buffer) for s in of_kind(Store, statements)]


def own_region(loop: Loop, accesses: Sequence[tuple[Any, Mapping[str, int]]]) -> bool:
    """Whether every iteration stays in a region of the buffer of its own.

    Args:
      loop: around the accesses.
      accesses: to one buffer, each with the extents of the loops inside around it.
    """
    strides = {s.index.coefficient(loop.index) for s, _ in accesses}
    if len(strides) != 1 or strides == {0}:
        return False
    low, high = 0, -1
    for s, extents in accesses:
        bounds = s.index.bounds({**extents, loop.index: 1})
        if bounds is None:
            return False
        low, high = (bounds[0], bounds[1]) if high < low else (min(low, bounds[0]), max(high, bounds[1]))
    return high - low < abs(strides.pop())


def is_scratch(accesses: Sequence[tuple[Any, Mapping[str, int]]]) -> bool:
    """Whether an iteration stores all that it loads before it loads it.

    Args:
      accesses: to one buffer, in order, each with the extents of the loops inside of the iteration around it.
    """
    first, extents = accesses[0]
    if type(first) is not Store or first.update or first.where is not None:
        return False
    if len(extents) != 1 or [abs(first.index.coefficient(s)) for s in extents] != [1]:
        return False
    low, high = first.index.bounds(extents) or (0, -1)
    for s, around in accesses:
        bounds = s.index.bounds(around)
        if bounds is None or bounds[0] < low or bounds[1] > high:
            return False
    return True


def same_positions(body: Sequence[Any], sources: set[str], target: str) -> bool:
    """Whether every element of ``sources`` is read only in the iteration that overwrites it, and before that."""
    found = accesses(body)
    stores = [(s, path) for s, path in found if type(s) is Store and s.buffer == target]
    if len(stores) != 1:
        return False
    ((store, path),) = stores
    if of_kind(LoopWhile, path):
        return False
    loops = of_kind(Loop, path)
    if store.update is not None or not {loop.index for loop in loops}.issuperset(store.index.symbols()):
        return False
    if not injective(store.index, loops):
        return False
    seen_store = False
    for s, where in found:
        if s is store:
            seen_store = True
        elif type(s) is Load and s.buffer in sources:
            if seen_store or s.index != store.index or [id(x) for x in where] != [id(x) for x in path]:
                return False
    return True


def injective(index: Affine, loops: Sequence[Loop]) -> bool:
    """Whether different iterations have different addresses: every loop counts in a stride beyond the ones inside."""
    steps = sorted((abs(index.coefficient(loop.index)), loop.extent) for loop in loops if loop.extent > 1)
    reach = 0
    for stride, extent in steps:
        if stride <= reach:
            return False
        reach += stride * (extent - 1)
    return True


# -- copies ----------------------------------------------------------------------------------------------------------


def is_copy(step: Any) -> bool:
    """Whether a step copies part of an array to part of another."""
    return type(step) is Call and step.routine == "copy"


def is_whole_copy(buffers: Mapping[str, Buffer], step: Any) -> bool:
    """Whether a step copies all of one array to all of another."""
    if not is_copy(step):
        return False
    views = [step.inputs[0], step.outputs[0]]
    return all(v.offset == Affine() and buffers[v.buffer].size == math.prod(v.shape) for v in views)
