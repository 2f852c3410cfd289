"""Pass ``vectorise``: inner or outer loop vectorisation. Along every path of loops one runs as vectors.

The loop is chosen for which the cost model gives the least work; the number of lanes follows from the types of the
elements and the amount of work per element. Loops that the producer marked are left as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fungrad.jit.ir import tuning
from fungrad.jit.ir.cost import statement_cost, vector_work
from fungrad.jit.ir.facts import is_vectorisable, outer_cells
from fungrad.jit.ir.loops import Let, Loop, LoopWhile, Prefix, Program
from fungrad.jit.ir.ops import OPERATIONS, names_and_types
from fungrad.jit.ir.traverse import changes, children, defines, map_bodies, of_kind, uses, walk
from fungrad.jit.kernels.scalars import bit_width
from fungrad.jit.kernels.vecmath import FUNCTIONS


def vectorise(program: Program, statements: Sequence[Any]) -> list[Any]:
    """Choose the loops that run as vectors, and their lanes."""
    result = []
    for s in statements:
        if type(s) is Loop:
            s = _best(program, s)[1]
        else:
            s = map_bodies(lambda body: vectorise(program, body), s)
        result.append(s)
    return result


def _best(program: Program, loop: Loop) -> tuple[float, Loop]:
    """The cheapest way to run a loop: as vectors itself, or with loops inside as vectors."""
    if any(s.vector for s in of_kind(Loop, walk([loop]))):
        return 0.0, _with_lanes(program, loop)
    plain, body = 0.0, []
    for s in loop.body:
        if type(s) is Loop:
            cost, s = _best(program, s)
            plain += cost
        elif s.is_branch:
            (s,) = vectorise(program, [s])
            plain += tuning.BRANCH_COST + vector_work(program, [s], None, 1)
        else:
            plain += statement_cost(program, s, None, 1)
        body.append(s)
    best = plain * loop.extent, loop.replace(body=body)
    if not is_vectorisable(program, loop):
        return best
    lanes = choose_lanes(program, loop)
    if lanes < 2:
        return best
    native = min(lanes, natural_lanes(program, loop))
    work = vector_work(program, loop.body, loop.index, native) * -(-loop.extent // native)
    work += tuning.REDUCE_COST * len(outer_cells(loop))
    if work < best[0]:
        best = work, loop.replace(vector=True, lanes=lanes)
    return best


def _with_lanes(program: Program, loop: Loop) -> Loop:
    """Fill in the lanes of loops that the producer marked."""
    body = [_with_lanes(program, s) if type(s) is Loop else s for s in loop.body]
    loop = loop.replace(body=body)
    if loop.vector and loop.lanes is None:
        return loop.replace(lanes=choose_lanes(program, loop))
    return loop


def _types_in(program: Program, loop: Loop) -> list[str]:
    """Types of values, except those that a running product converts: it multiplies them in the narrower type."""
    types: list[str] = []
    running = {n for s in of_kind(Prefix, loop.body) for n in (s.value, s.name)}
    for s in walk(loop.body):
        if type(s) is Let:
            if s.op != "convert" or running.isdisjoint((s.name, *s.args)):  # type: ignore[arg-type]
                types += names_and_types(s)[1]
        elif s.is_access:
            types.append(program.buffers[s.buffer].type)
    return types


def natural_lanes(program: Program, loop: Loop) -> int:
    """Elements of the most demanding type in one vector register."""
    widest = 1
    counts: dict[int, int] = {}
    for type in _types_in(program, loop):
        size = max(1, bit_width(type) // 8)
        counts[size] = counts.get(size, 0) + 1
    if counts:
        total = sum(counts.values())
        widest = max(size for size, n in counts.items() if n * tuning.RARE_TYPE >= total)
    return max(1, program.target.vector_bytes // max(widest, 2))


def choose_lanes(program: Program, loop: Loop) -> int:
    """Lanes of a vector loop: one register's worth, more where the body is light (memory traffic
    and the latency of an accumulator then need several registers in flight)."""
    natural = natural_lanes(program, loop)
    statements = list(walk(loop.body))
    operations = sum(statement_cost(program, s, loop.index, 1) for s in statements)
    if of_kind(Prefix, statements):
        factor = 1
    elif of_kind(LoopWhile, statements):
        # Every step waits for the one before: several vectors fill the time.
        factor = tuning.vectors(operations, *tuning.ITERATED_WORK)
    else:
        if outer_cells(loop) or of_kind(Loop, statements):
            factor = tuning.vectors(operations, *tuning.REDUCED_WORK)
        else:
            factor = 2 if operations <= tuning.LIGHT_WORK else 1
        factor = max(factor, _in_flight(loop, operations))
    lanes = min(natural * factor, tuning.MOST_LANES)
    while lanes > natural and lanes > loop.extent:
        lanes //= 2
    return min(lanes, loop.extent)


def _in_flight(loop: Loop, operations: float) -> int:
    """Vectors that fill the gaps of each other: a function is one long chain of dependent instructions, and a chain of
    functions too long for the processor to begin the next iteration meanwhile."""
    if operations < tuning.FUNCTION_COST:
        return 1
    beside = operations / max(_longest_chain(loop.body, {}), 1.0)
    wanted = 4 if beside < tuning.CHAIN_BESIDE else 2 if beside < 2 * tuning.CHAIN_BESIDE else 1
    while wanted > 1 and wanted * operations > tuning.CHAINS_WORK:
        wanted //= 2
    return wanted


def _latency(s: Let) -> float:
    """How much a chain of dependent operations grows by one."""
    if s.op in FUNCTIONS:
        return tuning.FUNCTION_COST
    return 1.0 if s.op in OPERATIONS else max(1.0, s.cost or 0.0)


def _longest_chain(statements: Sequence[Any], ends: dict[str, float]) -> float:
    """Work of the longest chain of dependent statements, each iteration of loops inside counted once.

    Args:
      statements: in order.
      ends: for names, the work of the longest chain that ends with them; is added to.
    """
    longest = 0.0
    for s in statements:
        start = max([ends.get(n, 0.0) for n in uses(s)], default=0.0)
        own = 0.0
        if type(s) is Let:
            own = _latency(s)
        for body in children(s):
            start = max(start, _longest_chain(body, ends))
        for n in (*defines(s), *changes(s)):
            ends[n] = max(ends.get(n, 0.0), start + own)
        longest = max(longest, start + own)
    return longest
