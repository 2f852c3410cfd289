"""What may be done with loops: run their iterations side by side, on several threads, or twice.

May import ``ir``.
"""

from __future__ import annotations

import math

from fungrad.jit.ir.loops import Acc, If, Loop, LoopWhile, Prefix, Program, Set, Store, Update, overlap
from fungrad.jit.ir.traverse import buffers_of, defines, walk


def outer_cells(loop: Loop) -> set[str]:
    """Accumulators declared outside of a loop and updated inside."""
    inside = {s.name for s in walk(loop.body) if type(s) is Acc}
    return {s.acc for s in walk(loop.body) if type(s) in (Update, Prefix)} - inside


def is_vectorisable(program: Program, loop: Loop) -> bool:
    """Whether iterations of a loop may run side by side."""
    if loop.ordered:
        return False
    declared = {s.name for s in walk(loop.body) if s.declares_cell}
    values = {n for s in walk(loop.body) if type(s) is not Loop for n in defines(s)}
    direct = {s.acc for s in loop.body if type(s) is Prefix}
    for s in walk(loop.body):
        kind = type(s)
        if (kind in (If, LoopWhile) and not s.settled) or (kind is Loop and s.vector):
            return False
        if kind is Set and s.var not in declared:
            return False
        if kind is Prefix and s.acc not in declared and s.acc not in direct:
            return False
        if kind is Store and s.update is not None:
            varying = any(t in values for t in s.index.symbols())
            if varying or s.index.coefficient(loop.index) == 0:
                return False
    return True


def is_repeatable(program: Program, loop: Loop) -> bool:
    """Whether an iteration may run twice: it only stores what depends on nothing that is stored.
    Then the last vector of a loop may overlap the one before, which saves a copy of the body."""
    if any(type(s) in (Set, Prefix) or (type(s) is Store and s.update) for s in walk(loop.body)):
        return False
    inside = {s.name for s in walk(loop.body) if type(s) is Acc}
    if any(type(s) is Update and s.acc not in inside for s in walk(loop.body)):
        return False
    reads, writes = buffers_of(loop)
    return not any(overlap(program.root(a), program.root(b)) for a in reads for b in writes)


def is_independent(program: Program, loop: Loop) -> bool:
    """Whether iterations of a loop may run on different threads."""
    if loop.ordered:
        return False
    declared = {s.name for s in walk(loop.body) if s.declares_cell}
    values = {n for s in walk(loop.body) if type(s) is not Loop for n in defines(s)}
    for s in walk(loop.body):
        kind = type(s)
        if kind is Set and s.var not in declared:
            return False
        if kind in (Update, Prefix) and s.acc not in declared:
            return False
        if kind is Store:
            computed = any(t in values for t in s.index.symbols())
            if s.index.coefficient(loop.index) == 0 or (computed and s.update is not None):
                return False
            if computed:
                return False
    return True


def divisor(n: int, wanted: int) -> int | None:
    """A divisor of `n` within a factor of three of `wanted`, even in vectors if possible."""
    best = None
    for d in range(max(2, wanted // 3), 3 * wanted + 1):
        if n % d == 0:
            score = abs(math.log(d / wanted)) + (0 if d % 16 == 0 else 0.3 if d % 4 == 0 else 0.6)
            best = min(best, (score, d)) if best else (score, d)
    return best[1] if best else None
