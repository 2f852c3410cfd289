"""Pass ``unroll and jam``: register tiling of rows. Several rows of a large matrix are summed up at the same time.

A processor reads ahead along each row that it is in, up to the end of a page; four rows at a time keep more of memory's
answers on their way, and what all rows are combined with is read once for the four.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from fungrad.jit.ir import tuning
from fungrad.jit.ir.cost import statement_cost
from fungrad.jit.ir.facts import is_independent
from fungrad.jit.ir.loops import Acc, Affine, Load, Loop, Program, Update
from fungrad.jit.ir.traverse import defines, map_loops, of_kind, part_of, rename, walk


def unroll_and_jam(program: Program, statements: Sequence[Any]) -> list[Any]:
    """The statements with loops over rows that are read from memory and summed up in groups of rows."""
    return map_loops(lambda loop, around: _jammed(program, loop), statements)


def _jammed(program: Program, loop: Loop) -> list[Loop] | None:
    """The loop over groups of rows, after one over the rows that are left; None where that is no gain."""
    together = tuning.JAMMED_ROWS
    inner = _sum_of_row(program, loop)
    if inner is None or loop.extent < together * tuning.JAMMED_GROUPS or not is_independent(program, loop):
        return None
    inner = inner.replace(lanes=_lanes(program, loop, inner))
    loop = loop.replace(body=[inner if type(s) is Loop else s for s in loop.body])
    groups, rest = divmod(loop.extent, together)
    copies = [_copy(loop, k) for k in range(together)]
    body: list[Any] = []
    for is_loop, members in groupby(zip(*copies, strict=True), lambda same: type(same[0]) is Loop):
        for same in members:
            body += [inner.replace(body=[s for copy in same for s in copy.body])] if is_loop else same
    whole = loop.replace(extent=groups, body=body)
    return [part_of(loop, groups * together, rest), whole] if rest else [whole]


def _sum_of_row(program: Program, loop: Loop) -> Loop | None:
    """The one loop in a loop over rows, if it does little but read rows that no cache holds and sum them up."""
    found = of_kind(Loop, loop.body)
    if len(found) != 1 or loop.vector or loop.ordered or any(s.BODIES for s in loop.body if type(s) is not Loop):
        return None
    (inner,) = found
    if not inner.vector or inner.ordered or inner.lanes is None or inner.extent < inner.lanes:
        return None
    if not all(s.is_pure or type(s) is Update and s.position is None for s in inner.body):
        return None
    if sum(statement_cost(program, s, inner.index, 1) for s in inner.body) > tuning.JAMMED_WORK:
        return None
    loads = of_kind(Load, inner.body)
    rows = [s for s in loads if s.index.coefficient(inner.index) == 1 and s.index.coefficient(loop.index)]
    row = sum(inner.extent * program.buffers[s.buffer].dtype.itemsize for s in rows)
    if not 0 < len(rows) <= tuning.JAMMED_STREAMS or row < tuning.JAMMED_ROW_BYTES:
        return None
    return inner if loop.extent * row > tuning.JAMMED_CACHES * program.target.l2_bytes else None


def _lanes(program: Program, loop: Loop, inner: Loop) -> int:
    """Lanes for which the sums of a group of rows fill half of the registers at most."""
    widest = max(program.buffers[s.buffer].dtype.itemsize for s in of_kind(Load, inner.body))
    natural = max(1, program.target.vector_bytes // widest)
    sums = tuning.JAMMED_ROWS * max(1, len(of_kind(Acc, loop.body)))
    return min(inner.lanes or natural, natural * max(1, program.target.registers // 2 // sums))


def _copy(loop: Loop, k: int) -> list[Any]:
    """The statements for the k-th row of a group, with names of their own but for the counter in the row."""
    counters = {s.index for s in of_kind(Loop, loop.body)}
    names = {n: f"{n}.{k}" for s in walk(loop.body) for n in defines(s) if n not in counters}
    values = {loop.index: Affine.var(loop.index, tuning.JAMMED_ROWS) + k}
    values.update({n: Affine.var(new) for n, new in names.items()})
    return [rename(s, names, values) for s in loop.body]
