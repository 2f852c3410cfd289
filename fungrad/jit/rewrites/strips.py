"""Pass ``strips``: loop distribution with scalar expansion, in strips. Functions of whole rows run as vectors.

In a loop over rows that sums up each row and applies an elementary function to the sum, such as `sigmoid(x @ w)`, the
loops inside run as vectors and the function is computed for one number at a time. Here some rows at a time are summed
up, the sums go to a small buffer, and the function runs as vectors over that; what follows for each row, such as a
gradient, is a loop of its own again.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

from fungrad.jit.ir import tuning
from fungrad.jit.ir.cost import work_of
from fungrad.jit.ir.facts import divisor, is_plain, own_region
from fungrad.jit.ir.loops import Acc, Affine, Load, Loop, Program, Store, Update
from fungrad.jit.ir.ops import types_of
from fungrad.jit.ir.traverse import (
    all_uses,
    buffers_of,
    by_memory,
    changes,
    defines,
    map_loops,
    of_kind,
    part_of,
    walk,
    walk_in_loops,
)
from fungrad.jit.kernels.scalars import NUMPY_DTYPES


def in_strips(program: Program, statements: Sequence[Any]) -> list[Any]:
    """Statements with loops over rows distributed where functions of whole rows are costly."""
    return map_loops(partial(_split, program), statements)


def _split(program: Program, loop: Loop, around: Sequence[Loop]) -> list[Any] | None:
    """The loop over strips, and one for the rows that are left; None if the loop should stay as it is."""
    if loop.vector or loop.ordered or loop.extent < tuning.STRIPPED_LEAST or not _has_rows(program, loop):
        return None
    stages = _stages(loop.body)
    if stages is None or not _apart(program, loop, stages):
        return None
    functions = sum(work_of(program, _straight(stage)) for stage in stages[1::2])
    if functions < tuning.FUNCTION_COST:
        return None
    if math.prod(x.extent for x in around) * loop.extent > tuning.STRIPPED_ROWS:
        return None
    through = _crossing(stages)
    types = types_of(program, loop.body)
    place, size = Affine.var(loop.index), loop.extent
    for x in reversed(around):
        place, size = place + Affine.var(x.index, size), size * x.extent
    rows = {n: program.temporary(f"{n}.strip", NUMPY_DTYPES[types[n]], (size,)) for n in through}
    loops = [_stage_loop(loop, stage, rows, place) for stage in _with_crossing(stages, through)]
    wanted = _rows_of_a_strip(program, loop, stages)
    strip = divisor(loop.extent, wanted) or wanted
    count, rest = divmod(loop.extent, strip)
    number = f"{loop.index}.strip"

    inside = [part_of(x, Affine.var(number, strip), strip) for x in loops]
    result = [Loop(number, count, inside, parallel=loop.parallel)]
    return [*result, *[part_of(x, count * strip, rest) for x in loops]] if rest else result


def _has_rows(program: Program, loop: Loop) -> bool:
    """Whether there are loops inside that go through rows: a loop over columns runs as vectors itself."""
    inner = of_kind(Loop, loop.body)
    if not inner or not is_plain(loop.body):
        return False
    loads = of_kind(Load, walk(inner))
    return all(s.extent >= tuning.SHORT_LOOP for s in inner) and any(
        abs(s.index.coefficient(loop.index)) > 1 for s in loads
    )


def _stages(body: Sequence[Any]) -> list[list[Any]] | None:
    """Statements by the stage they belong to: loops and what they need, in turn with what needs their results."""
    stage: dict[str, int] = {}
    number: dict[int, int] = {}
    sums = {s.name: s for s in of_kind(Acc, body)}
    if any(a.position is not None or not _is_constant(a) for a in sums.values()):
        return None
    for k, s in enumerate(body):
        if type(s) is Acc:
            continue
        mine = max([stage.get(n, 0) for n in all_uses(s)], default=0)
        if type(s) is Loop:
            mine += mine % 2
        elif mine or any(n in sums for n in all_uses(s)):
            mine += 1 - mine % 2
        number[k] = mine
        names = [*defines(s), *(x.acc for x in of_kind(Update, walk([s])) if x.acc in sums)]
        for n in names:
            if stage.setdefault(n, mine) != mine:
                return None
    if not number or max(number.values()) == 0:
        return None
    # What needs no loop belongs to the first stage that needs it.
    for k in reversed(range(len(body))):
        s = body[k]
        if s.is_pure and number[k] == 0:
            users = [
                number[j]
                for j, t in enumerate(body)
                if j > k and j in number and not all_uses(t).isdisjoint(defines(s))
            ]
            number[k] = min(users, default=0)
    found: list[list[Any]] = [[] for _ in range(max(number.values()) + 1)]
    for k, s in enumerate(body):
        found[stage[s.name] if type(s) is Acc and s.name in stage else number.get(k, 0)].append(s)
    return found


def _is_constant(acc: Acc) -> bool:
    return acc.init is None or not isinstance(acc.init, str)


def _apart(program: Program, loop: Loop, stages: Sequence[Sequence[Any]]) -> bool:
    """Whether stages may run one after the other for many iterations: each cell belongs to one of them, and so does
    memory, but for what only the same iteration goes back to."""
    cells: dict[str, int] = {}
    roots: dict[str, set[int]] = {}
    written: set[str] = set()
    for k, stage in enumerate(stages):
        for s in walk(stage):
            if any(cells.setdefault(c, k) != k for c in changes(s)):
                return False
            reads, writes = buffers_of(s) if type(s) is not Loop else (set(), set())
            written.update(program.root(b).name for b in writes)
            for b in reads | writes:
                roots.setdefault(program.root(b).name, set()).add(k)
    accesses = by_memory(program, walk_in_loops(loop.body, {}))
    return all(
        len({s.buffer for s, _ in accesses[b]}) == 1 and own_region(loop, accesses[b])
        for b in written
        if len(roots[b]) > 1
    )


def _straight(stage: Sequence[Any]) -> list[Any]:
    return [s for s in stage if type(s) is not Loop]


def _crossing(stages: Sequence[Sequence[Any]]) -> list[str]:
    """Values that later stages need."""
    found: dict[str, None] = {}
    for k, stage in enumerate(stages):
        later = {n for other in stages[k + 1 :] for s in other for n in all_uses(s)}
        found |= {n: None for s in stage for n in defines(s) if type(s) is not Loop and n in later}
    return list(found)


def _with_crossing(
    stages: Sequence[Sequence[Any]], through: Sequence[str]
) -> list[tuple[list[str], Sequence[Any], list[str]]]:
    """Stages, each with the values that it reads and those that it keeps."""
    result = []
    for stage in stages:
        made = {n for s in stage for n in defines(s) if type(s) is not Loop}
        used = {n for s in stage for n in all_uses(s)}
        reads = [n for n in through if n in used and n not in made]
        result.append((reads, stage, [n for n in through if n in made]))
    return result


def _stage_loop(
    loop: Loop, stage: tuple[list[str], Sequence[Any], list[str]], rows: dict[str, Any], place: Affine
) -> Loop:
    reads, body, keeps = stage
    before = [Load(n, rows[n].name, place) for n in reads]
    after = [Store(rows[n].name, place, n) for n in keeps]
    return Loop(loop.index, loop.extent, [*before, *body, *after])


def _rows_of_a_strip(program: Program, loop: Loop, stages: Sequence[Sequence[Any]]) -> int:
    """As many rows as stay in the first level of the cache until they are read again."""
    if len(stages) <= 2:
        return tuning.DISTRIBUTED_BLOCK
    read = 0
    for s, extents in walk_in_loops(loop.body, {}):
        if s.is_access and s.index.coefficient(loop.index):
            moving = [e for symbol, e in extents.items() if s.index.coefficient(symbol)]
            read += math.prod(moving) * program.buffers[s.buffer].dtype.itemsize
    room = program.target.l1_bytes // (2 * max(read, 1))
    return max(tuning.SHORT_LOOP, min(tuning.DISTRIBUTED_BLOCK, room))
