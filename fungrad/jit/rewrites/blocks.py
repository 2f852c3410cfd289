"""Pass ``blocks``: loop distribution with scalar expansion, in strips. Of loops that must run in order, what does not
depend on the order is computed ahead as vectors.

A scatter adds to places that are only known at run time, one after the other; what it adds, and where, are formulas
like any others. For some hundred iterations at a time these go to a small buffer, by a loop that runs as vectors; the
loop that must run in order only reads them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fungrad.jit.ir import tuning
from fungrad.jit.ir.cost import work_of
from fungrad.jit.ir.facts import divisor, is_straight, stored
from fungrad.jit.ir.loops import Affine, Load, Loop, Program, Store, overlap
from fungrad.jit.ir.ops import types_of
from fungrad.jit.ir.traverse import defines, of_kind, part_of, substitute, uses
from fungrad.jit.kernels.scalars import NUMPY_DTYPES


def in_blocks(program: Program, statements: Sequence[Any]) -> list[Any]:
    """The statements of a nest with ordered loops split where that pays.

    Args:
      program: gets temporaries for the blocks.
      statements: of a nest.
    """
    result: list[Any] = []
    for s in statements:
        if type(s) is Loop and s.parallel and any(x.ordered for x in of_kind(Loop, s.body)):
            # every iteration may run on a thread of its own, and gets buffers of its own
            body: list[Any] = []
            for x in s.body:
                body += _split(program, x, s) or [x]
            result.append(s.replace(body=body))
        else:
            result += _split(program, s, None) or [s]
    return result


def _split(program: Program, loop: Any, around: Loop | None) -> list[Any] | None:
    """A loop over blocks, and one for the iterations that are left; None if the loop should stay as it is."""
    if type(loop) is not Loop or not loop.ordered or loop.vector or loop.extent < tuning.DISTRIBUTED_LEAST:
        return None
    if not is_straight(loop.body):
        return None
    early, late = _parts(program, loop.body)
    wanted = _wanted(early, late)
    again = [s for s in of_kind(Load, early) if s.name in wanted and s.where is None and _moves(s, loop)]
    through = [n for n in wanted if n not in {s.name for s in again}]
    if not through or work_of(program, early) < tuning.DISTRIBUTED_WORK * len(through):
        return None
    block = tuning.DISTRIBUTED_BLOCK
    block = loop.extent if loop.extent <= 2 * block else divisor(loop.extent, block) or block
    types = types_of(program, early)
    shape = (block,) if around is None else (around.extent, block)
    rows = {n: program.temporary(f"{n}.block", NUMPY_DTYPES[types[n]], shape) for n in through}
    inner = Affine.var(loop.index)
    at = inner if around is None else inner + Affine.var(around.index, block)
    ahead: list[Any] = [*early, *(Store(rows[n].name, at, n) for n in through)]
    behind: list[Any] = [*(Load(n, rows[n].name, at) for n in through), *again, *late]
    number = f"{loop.index}.block"
    where = {loop.index: Affine.var(number, block) + inner}
    # the buffers are addressed within the block, everything else within the whole range
    own = {b.name for b in rows.values()}

    def placed(statements: Sequence[Any]) -> list[Any]:
        return [s if getattr(s, "buffer", None) in own else substitute(s, where) for s in statements]

    blocks, rest = divmod(loop.extent, block)
    body = [
        Loop(loop.index, block, placed(ahead)),
        Loop(loop.index, block, placed(behind), ordered=True),
    ]
    result: list[Any] = [Loop(number, blocks, body, ordered=True)]
    return [*result, part_of(loop, blocks * block, rest)] if rest else result


def _parts(program: Program, body: Sequence[Any]) -> tuple[list[Any], list[Any]]:
    """Statements that may run ahead of the stores, and the others."""
    written = stored(program, body)
    early: list[Any] = []
    late: list[Any] = []
    waiting: set[str] = set()
    for s in body:
        reads_stored = type(s) is Load and any(overlap(program.root(s.buffer), b) for b in written)
        if type(s) is Store or reads_stored or not waiting.isdisjoint(uses(s)):
            late.append(s)
            waiting.update(defines(s))
        else:
            early.append(s)
    return early, late


def _wanted(early: Sequence[Any], late: Sequence[Any]) -> list[str]:
    """The values that the later statements read of the earlier ones."""
    read = {n for s in late for n in uses(s)}
    return [n for s in early for n in defines(s) if n in read]


def _moves(s: Load, loop: Loop) -> bool:
    """Whether a load goes through memory step by step, so that loading again costs nothing."""
    return s.index.symbols() == (loop.index,) or not s.index.symbols()
