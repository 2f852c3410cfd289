"""Passes ``separate`` (loop distribution of a nest) and ``threads`` (automatic parallelisation)."""

from __future__ import annotations

from fungrad.jit.ir import tuning
from fungrad.jit.ir.cost import total_work
from fungrad.jit.ir.facts import is_independent, main_loop
from fungrad.jit.ir.loops import Loop, Nest, Program


def separate(program: Program, nest: Nest) -> list[Nest]:
    """Nests of their own for loops one after the other, each of which threads may share; none for an empty nest."""
    body = nest.body
    if program.target.threads and len(body) > 1 and all(type(s) is Loop for s in body):
        return [Nest([s], nest.name) for s in body]
    return [nest] if body else []


def parallelise(program: Program, nest: Nest) -> Nest:
    """Mark the outermost loop of a large nest as parallel, if its iterations are independent."""
    last = main_loop(nest)
    if not program.target.threads or last is None or last.parallel or not is_independent(program, last):
        return nest
    lanes = last.lanes if last.vector and last.lanes else 1
    if total_work(program, last) >= tuning.PARALLEL_WORK and last.extent // lanes >= 2:
        return nest.replace(body=[*nest.body[:-1], last.replace(parallel=True)])
    return nest
