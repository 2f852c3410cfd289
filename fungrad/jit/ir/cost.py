"""What primitives and statements cost: the one measure that passes, fusion, rewrites and the emitter weigh work with.

A primitive has its cost in additions (`Primitive.cost`, `complex_cost`, `cheap`), statements of the loop IR in vector
instructions. For people there is also what a step moves and computes (`cost_of`): every element that it touches once
per step, whatever the caches hold, and every elementary function as one operation.

May import ``ir`` and ``kernels``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from fungrad.jit.ir import products, tuning
from fungrad.jit.ir.loops import (
    Branch,
    Call,
    Host,
    Let,
    Loop,
    LoopWhile,
    Nest,
    Parallel,
    Prefix,
    Program,
    Repeat,
    Rows,
    Series,
    Update,
    View,
    While,
)
from fungrad.jit.ir.ops import OPERATIONS
from fungrad.jit.ir.traverse import children, of_kind, walk, walk_in_loops
from fungrad.jit.kernels.scalars import PARTS
from fungrad.jit.kernels.vecmath import FUNCTIONS


def application_cost(primitive: Any, types: Iterable[str] = ()) -> int:
    """Rough cost of one application of an elementwise primitive to operands and results of some scalar types, in
    additions."""
    if any(t in PARTS for t in types):
        if primitive.complex_cost is not None:
            return primitive.complex_cost  # type: ignore[no-any-return]
        return 2 if primitive.cheap else 3 * tuning.FUNCTION_COST
    if primitive.cost is not None:
        return primitive.cost  # type: ignore[no-any-return]
    return 1 if primitive.cheap else tuning.FUNCTION_COST


def vector_work(program: Program, statements: Sequence[Any], symbol: str | None, lanes: int) -> float:
    """Instructions of statements, of which each does so many iterations of a loop at once."""
    total = 0.0
    for s in statements:
        nested = sum(vector_work(program, body, symbol, lanes) for body in children(s))
        times = s.extent if s.is_counted else tuning.TURNS_OF_A_WHILE if type(s) is LoopWhile else 1
        total += nested * times + s.is_counted
        total += statement_cost(program, s, symbol, lanes)
    return total


def work_of(program: Program, statements: Sequence[Any]) -> float:
    """Instructions of statements for one iteration of the loop around them."""
    return vector_work(program, statements, None, 1)


def statement_cost(program: Program, s: Any, symbol: str | None, lanes: int) -> float:
    """Instructions of one statement without what is nested in it.

    Args:
      program: owns the buffers.
      s: the statement.
      symbol: counter of the vector loop around it, None outside of one.
      lanes: iterations of that loop at once.
    """
    if type(s) is Let:
        return operation_cost(s)
    if s.is_access:
        stride = s.index.coefficient(symbol) if symbol else 0
        each = tuning.UPDATE_COST if s.reads_what_it_writes else 1.0
        if lanes == 1 or abs(stride) <= 1:
            return each
        return each * max(tuning.STRIDED_COST, (tuning.SCATTER_COST if s.WRITES else tuning.GATHER_COST) * lanes)
    return 1.0 if type(s) in (Update, Prefix) else 0.0


def operation_cost(s: Let) -> float:
    """Instructions of an operation; of functions that are not known here, as many as whoever wrote them says."""
    if s.op in OPERATIONS:
        return 1.0
    return tuning.FUNCTION_COST if s.op in FUNCTIONS else max(tuning.UNKNOWN_COST, s.cost or 0.0)


def total_work(program: Program, loop: Loop) -> float:
    """Estimated vector instructions of a loop."""
    symbol, lanes = (loop.index, loop.lanes or 1) if loop.vector else (None, 1)
    work = 0.0
    for s in loop.body:
        work += total_work(program, s) if type(s) is Loop else vector_work(program, [s], symbol, lanes)
    return work * (loop.extent / lanes)


def nest_work(program: Program, nest: Nest) -> float:
    """Estimated vector instructions of the loops of a nest."""
    return sum(total_work(program, s) for s in of_kind(Loop, nest.body))


def step_work(program: Program, step: Any) -> float:
    """Estimated vector instructions of a step, loops of unknown length counted once."""
    if type(step) is Nest:
        return nest_work(program, step) + sum(type(s) is not Loop for s in step.body)
    if type(step) is Call:
        numbers = sum(math.prod(v.shape) for v in step.outputs)
        return float(products.work(step)) if products.is_product(step) else tuning.CALL_COST * numbers
    inside = sum(step_work(program, s) for nested in children(step) for s in nested)
    return inside * (step.extent if step.is_counted else 1) + 1.0


# -- what steps move and compute ---------------------------------------------------------------------------------------

# What moves or renames numbers is no operation.
_FREE = frozenset(("copy", "convert", "bitcast", "select", "and", "or", "not"))


@dataclass(frozen=True)
class Cost:
    """What one run of a step costs.

    Attributes:
      read, written: bytes.
      flops: operations; an elementary function is one.
      work: operations, weighted: an elementary function counts what it is made of.
      vectors: whether it computes with vectors.
      parallel: whether threads share it.
    """

    read: int = 0
    written: int = 0
    flops: float = 0.0
    work: float = 0.0
    vectors: bool = True
    parallel: bool = False

    @property
    def moved(self) -> int:
        """Bytes read and written."""
        return self.read + self.written

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            self.read + other.read,
            self.written + other.written,
            self.flops + other.flops,
            self.work + other.work,
            self.vectors and other.vectors,
            self.parallel or other.parallel,
        )


def cost_of(program: Program, step: Any) -> Cost:
    """The cost of one run of a step without control flow."""
    kind = type(step)
    if kind is Nest:
        return _of_nest(program, step)
    if kind in (Call, Host):
        read = sum(_bytes(program, v) for v in step.inputs)
        written = sum(_bytes(program, v) for v in step.outputs)
        flops = 0.0
        if products.is_product(step):
            flops = 2.0 * products.work(step) * (4 if program.buffers[step.outputs[0].buffer].is_complex else 1)
        elif kind is Call and step.routine == "library":
            flops = 2.0 * step.outputs[0].shape[0] * step.attributes["call"].cost
        parallel = program.target.threads and flops >= 2 * tuning.SHARED_PRODUCT
        return Cost(read, written, flops, flops / 2, True, parallel)
    total = Cost()
    for nested in children(step):
        for s in nested:
            total += cost_of(program, s)
    shared = kind in (Rows, Parallel) and program.target.threads
    return Cost(total.read, total.written, total.flops, total.work, total.vectors, shared or total.parallel)


def _bytes(program: Program, view: View) -> int:
    buffer = program.buffers[view.buffer]
    return min(math.prod(view.shape) * buffer.dtype.itemsize, buffer.nbytes)


def _of_nest(program: Program, nest: Nest) -> Cost:
    touched: tuple[dict[str, int], dict[str, int]] = ({}, {})
    flops = work = 0.0
    for s, extents in walk_in_loops(nest.body, {}):
        if s.is_access:
            buffer = program.buffers[s.buffer]
            symbols = s.index.symbols()
            known = [extents[x] for x in symbols if x in extents]
            # A computed index may be anywhere: as many elements as there are iterations.
            counts = known if len(known) == len(symbols) else list(extents.values())
            size = min(math.prod(counts) * buffer.dtype.itemsize, buffer.nbytes)
            for written in (False, True) if s.reads_what_it_writes else (bool(s.WRITES),):
                table, name = touched[written], program.root(s.buffer).name
                table[name] = max(table.get(name, 0), size)
        times = math.prod(extents.values())
        if type(s) in (Let, Update, Prefix) or s.reads_what_it_writes:
            if type(s) is Let and s.op in _FREE:
                continue
            flops += times
            work += times * (operation_cost(s) if type(s) is Let else 1.0)
    loops = of_kind(Loop, walk(nest.body))
    return Cost(
        sum(touched[0].values()),
        sum(touched[1].values()),
        flops,
        work,
        any(s.vector for s in loops) or not loops,
        any(s.parallel for s in loops),
    )


def repeats(steps: Sequence[Any], times: float = 1.0) -> list[tuple[Any, float, str]]:
    """The steps that compute, in order, with how often each runs and what is around it.

    How often a ``while`` loop goes round is not known: its steps count once, and so do those of all branches.
    """
    found: list[tuple[Any, float, str]] = []
    for s in steps:
        kind = type(s)
        if kind is Repeat:
            found += _inside(f"repeat {s.extent}", repeats(s.steps, times * s.extent))
        elif kind is While:
            for body in (s.test, s.steps):
                found += _inside("while", repeats(body, times))
        elif kind is Branch:
            for k, body in enumerate(s.branches):
                found += _inside(f"case {k}", repeats(body, times))
        elif kind is Series:
            found += repeats(s.steps, times)
        else:
            found.append((s, times, ""))
    return found


def _inside(what: str, steps: list[tuple[Any, float, str]]) -> list[tuple[Any, float, str]]:
    return [(s, times, f"{what}, {within}" if within else what) for s, times, within in steps]
