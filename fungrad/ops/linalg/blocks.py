"""Triangular systems with many right hand sides, in blocks of these: columns of one width, each block dense.

The blocks need nothing of each other, so that threads share them. `fungrad.jit.products.triangular` solves the systems
of one; the library's own products do most of the work.

May import ``core``.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from fungrad.core.avals import ShapedArray
from fungrad.core.library_calls import Function, LibraryCall, Operand, Result, Value

# Bytes of a row of a block: four vectors of the widest registers.
WIDTH_BYTES = 256
# Columns from which on there are blocks.
_FEWEST = 32
_NAMES = {"float32": "f32", "float64": "f64"}


def fits(dtype: np.dtype, columns: int) -> bool:
    """Whether right hand sides of a system are worth a block."""
    return dtype.name in _NAMES and columns >= _FEWEST


@lru_cache(maxsize=1024)
def _call(dtype: np.dtype, n: int, lower: bool, transpose: bool, unit: bool) -> LibraryCall:
    row, column = dtype.itemsize * n, dtype.itemsize
    if transpose:
        row, column = column, row
    numbers = map(Value, (n, int(lower != transpose), int(unit)))
    name = f"own_triangular_solve_{_NAMES[dtype.name]}"
    function = Function(name, (Operand(0), Value(row), Value(column), Result(0), *numbers))
    cost = n * n * (WIDTH_BYTES // dtype.itemsize) / 2
    return LibraryCall("triangular_solve in blocks", (function,), ((1, 0),), cost=cost)


def solve(ctx: Any, a: Any, b: Any, lower: bool, transpose: bool, unit: bool) -> Any:
    """The solutions of ``op(a) x = b`` for stacks of real matrices."""
    items, n, columns = b.shape
    width = WIDTH_BYTES // b.dtype.itemsize
    blocks = -(-columns // width)
    if blocks * width > columns:
        b = ctx.pad(b, ctx.constant(0, b.dtype), ((0, 0, 0), (0, 0, 0), (0, blocks * width - columns, 0)))
    parts = ctx.transpose(ctx.reshape(b, (items, n, blocks, width)), (0, 2, 1, 3))
    parts = ctx.reshape(parts, (items * blocks, n, width))
    call = _call(b.dtype, n, lower, transpose, unit)
    (x,) = ctx.library(call, [a, parts], [ShapedArray(parts.shape, b.dtype)])
    x = ctx.transpose(ctx.reshape(x, (items, blocks, n, width)), (0, 2, 1, 3))
    x = ctx.slice(ctx.reshape(x, (items, n, blocks * width)), (0, 0, 0), (items, n, columns), (1, 1, 1))
    return ctx.map(lambda m, v: -v, [x], x.dtype)
