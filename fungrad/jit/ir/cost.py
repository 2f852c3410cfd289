"""What statements cost, in vector instructions: the one measure that rewrites and the emitter weigh nests with.

May import ``ir`` and ``kernels``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fungrad.jit.ir import tuning
from fungrad.jit.ir.loops import Let, Load, Loop, LoopWhile, Prefix, Program, Store, Update
from fungrad.jit.ir.ops import OPERATIONS
from fungrad.jit.ir.traverse import children
from fungrad.jit.kernels.vecmath import FUNCTIONS


def vector_work(program: Program, statements: Sequence[Any], symbol: str | None, lanes: int) -> float:
    """Instructions of statements, of which each does so many iterations of a loop at once."""
    total = 0.0
    for s in statements:
        nested = sum(vector_work(program, body, symbol, lanes) for body in children(s))
        times = s.extent if type(s) is Loop else tuning.TURNS_OF_A_WHILE if type(s) is LoopWhile else 1
        total += nested * times + (type(s) is Loop)
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
    kind = type(s)
    if kind is Let:
        return operation_cost(s)
    if kind in (Load, Store):
        stride = s.index.coefficient(symbol) if symbol else 0
        each = 2.0 if kind is Store and s.update else 1.0
        if lanes == 1 or abs(stride) <= 1:
            return each
        return each * max(2.0, (tuning.SCATTER_COST if kind is Store else tuning.GATHER_COST) * lanes)
    if kind in (Update, Prefix):
        return 1.0
    return 0.0


def operation_cost(s: Let) -> float:
    """Instructions of an operation: those that whoever wrote a function of its own says, where it is one."""
    if s.op in OPERATIONS:
        return 1.0
    known = tuning.FUNCTION_COST if s.op in FUNCTIONS else tuning.UNKNOWN_COST
    return max(known, s.cost or 0.0)


def total_work(program: Program, loop: Loop) -> float:
    """Estimated vector instructions of a loop."""
    symbol, lanes = (loop.index, loop.lanes or 1) if loop.vector else (None, 1)
    work = 0.0
    for s in loop.body:
        work += total_work(program, s) if type(s) is Loop else vector_work(program, [s], symbol, lanes)
    return work * (loop.extent / lanes)
