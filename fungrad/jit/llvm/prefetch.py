"""Software prefetching in nests that go through each row several times.

The first loop over a row waits for memory, the one that writes results waits for the lines it writes to, and those in
between compute: so the costliest loop asks for what the others will want. The hardware sees streams that stop and turn
back at the end of every row, and is late.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from fungrad.jit.ir import tuning
from fungrad.jit.ir.cost import statement_cost, total_work
from fungrad.jit.ir.loops import Affine, Loop, Nest, Program
from fungrad.jit.ir.traverse import buffers_of, changes, defines, walk


class Ahead(NamedTuple):
    """A place that a vector loop asks for: the lanes of a buffer from a place on, to be read or to be written."""

    buffer: str
    place: Affine
    write: bool


def rows_ahead(module: Any, nest: Nest, streamed: frozenset[str]) -> dict[int, list[Ahead]]:
    """What vector loops, by identity, ask for in each iteration.

    Args:
      streamed: results that are written past the cache.
    """
    program: Program = module.program
    rows = nest.body[-1] if nest.body else None
    if type(rows) is not Loop or rows.vector or rows.ordered:
        return {}
    reads, writes = ({program.root(b).name for b in names} for names in buffers_of(nest))
    if sum(program.buffers[b].nbytes for b in reads | writes) <= module.machine.l2_bytes:
        return {}
    passes = [(p, around) for p, around in _vector_loops(rows, ()) if _streams(p, rows, around)]
    seen = [
        {
            (program.root(s.buffer).name, s.index.substitute({p.index: Affine.var("")}))
            for s in _streams(p, rows, around)
        }
        for p, around in passes
    ]
    if len(set().union(*seen)) == sum(map(len, seen)):
        return {}  # no place comes twice
    host, around = max(passes, key=lambda x: total_work(program, x[0]))
    work = max(sum(statement_cost(program, s, p.index, 1) for s in walk(p.body)) for p, _ in passes)
    inside = {n for s in walk(nest.body) for n in (*defines(s), *changes(s))}
    inside |= {s.index for s in walk(nest.body) if type(s) is Loop}
    found: dict[str, Ahead] = {}
    for p, inner in passes:
        for s in _streams(p, rows, inner) if p.extent == host.extent else ():
            buffer, root = program.buffers[s.buffer], program.root(s.buffer).name
            step = s.index.coefficient(rows.index)
            distance = tuning.rows_ahead(abs(step) * buffer.dtype.itemsize, work, module.machine)
            if not distance or root in found or s.buffer in streamed or buffer.is_complex:
                continue
            # Known where the host is, and another place in each of its iterations.
            known = {x for x in s.index.symbols() if x in inside} - {p.index}
            if known == {x.index for x in (rows, *around)}:
                place = s.index.substitute({p.index: Affine.var(host.index)}) + distance * step
                found[root] = Ahead(s.buffer, place, root in writes)
    return {id(host): list(found.values())}


def _vector_loops(loop: Loop, around: tuple[Loop, ...]) -> Iterator[tuple[Loop, tuple[Loop, ...]]]:
    """Innermost loops that run as vectors, each with the loops between it and `loop`."""
    for s in loop.body:
        if type(s) is Loop and not s.vector:
            yield from _vector_loops(s, (*around, s))
        elif type(s) is Loop and not any(type(x) is Loop for x in s.body):
            yield s, around


def _streams(loop: Loop, rows: Loop, around: tuple[Loop, ...]) -> list[Any]:
    """Accesses of a vector loop to neighbours, which are elsewhere for every row, and in each loop around it."""
    return [
        s
        for s in loop.body
        if s.is_access
        and s.where is None
        and s.index.coefficient(loop.index) == 1
        and all(s.index.coefficient(x.index) for x in (rows, *around))
    ]
