"""Batches of matrices too large for registers and too small for LAPACK, in blocks of as many as a vector has lanes.

A block is an array ``[rows, columns, lanes]``, and a routine goes over it with one matrix in every lane
(`fungrad.jit.products.lanes`). For matrices of 16 rows that takes a tenth of the time of LAPACK, which is made for
large ones.

May import ``core`` and ``ops.linalg.lapack``.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from fungrad.core.library_calls import Function, LibraryCall, Operand, Result, Value
from fungrad.ops.linalg.lapack import Routine, in_program

# Bytes of a row of lanes, on all processors: layouts of programs do not depend on the width of registers.
LANES_BYTES = 64
# Rows and columns of the largest matrices: a block of them stays in the second-level cache.
MOST_ROWS = 64
# Types of elements.
_NAMES = {"float32": "f32", "float64": "f64"}

_INT32 = np.dtype(np.int32)


def lanes_of(dtype: np.dtype) -> int:
    """Matrices in a block."""
    return LANES_BYTES // dtype.itemsize


def fits(dtype: np.dtype, items: int, *sizes: int) -> bool:
    """Whether matrices of these sizes are worth a block: there must be as many as half of it takes."""
    return dtype.name in _NAMES and 2 * items >= lanes_of(dtype) and max(sizes) <= MOST_ROWS


def blocked(ctx: Any, x: Any) -> Any:
    """A stack of arrays as blocks, of which the last is filled up with zeros."""
    items, *shape = x.shape
    lanes = lanes_of(x.dtype)
    blocks = -(-items // lanes)
    if blocks * lanes > items:
        none = [(0, 0, 0)] * len(shape)
        x = ctx.pad(x, ctx.constant(0, x.dtype), ((0, blocks * lanes - items, 0), *none))
    x = ctx.reshape(x, (blocks, lanes, *shape))
    return ctx.transpose(x, (0, *range(2, len(shape) + 2), 1))


def unblocked(ctx: Any, x: Any, items: int) -> Any:
    """The stack of arrays of which there are blocks."""
    rank = len(x.shape)
    x = ctx.transpose(x, (0, rank - 1, *range(1, rank - 1)))
    x = ctx.reshape(x, (x.shape[0] * x.shape[1], *x.shape[2:]))
    return ctx.slice(x, (0,) * (rank - 1), (items, *x.shape[1:]), (1,) * (rank - 1))


def in_blocks(ctx: Any, routine: Routine, operands: Sequence[Any]) -> list[Any]:
    """The results of a routine for stacks of matrices."""
    items = operands[0].shape[0]
    made = in_program(ctx, routine, [blocked(ctx, x) for x in operands])
    return [unblocked(ctx, x, items) for x in made]


def _call(dtype: np.dtype, name: str, *arguments: Any, cost: float) -> LibraryCall:
    function = Function(f"own_lanes_{name}_{_NAMES[dtype.name]}", arguments)
    # The first result of all of them is what the last operand becomes.
    operand = 1 if name == "solve" else 0
    return LibraryCall(f"{name} in lanes", (function,), ((operand, 0),), cost=cost)


@lru_cache(maxsize=1024)
def lu(dtype: np.dtype, m: int, n: int) -> Routine:
    """Both factors in one matrix, exchanges of rows, and the permutation."""
    lanes, k = lanes_of(dtype), min(m, n)
    call = _call(dtype, "lu", Result(0), Result(1), Result(2), Value(m), Value(n), cost=2.0 * m * n * k + 200)
    return Routine(call, (((m, n, lanes), dtype), ((k, lanes), _INT32), ((m, lanes), _INT32)))


@lru_cache(maxsize=1024)
def cholesky(dtype: np.dtype, n: int) -> Routine:
    """The lower factor, all NaN where a matrix is not positive definite."""
    call = _call(dtype, "cholesky", Result(0), Value(n), cost=n**3 / 2 + 200)
    return Routine(call, (((n, n, lanes_of(dtype)), dtype),))


@lru_cache(maxsize=1024)
def solve(dtype: np.dtype, n: int, columns: int, lower: bool, transpose: bool, unit: bool) -> Routine:
    """The solution of ``op(a) x = b`` for a triangular matrix ``a``."""
    row, column = (LANES_BYTES, n * LANES_BYTES) if transpose else (n * LANES_BYTES, LANES_BYTES)
    right, a_at, x_at = columns * LANES_BYTES, 0, 0
    if lower == transpose:  # the last equation comes first
        a_at, x_at = (n - 1) * (row + column), (n - 1) * right
        row, column, right = -row, -column, -right
    numbers = (a_at, row, column, x_at, right, n, columns, int(unit))
    call = _call(dtype, "solve", Operand(0), Result(0), *map(Value, numbers), cost=1.0 * n * n * columns + 200)
    return Routine(call, (((n, columns, lanes_of(dtype)), dtype),))
