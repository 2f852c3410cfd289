"""Triangular systems with many right hand sides, and Cholesky factors of large matrices, by the library's own products.

Right hand sides are divided into blocks: columns of one width, each block dense. The blocks need nothing of each other,
so that threads share them. `fungrad.jit.products.triangular` solves the systems of one, and factorises a matrix.

May import ``core``.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from fungrad.core.avals import ShapedArray
from fungrad.core.library_calls import Function, LibraryCall, Operand, Result, Value

# Bytes of a vector, on all processors, and of a row of a block: layouts do not depend on the width of registers.
VECTOR_BYTES, WIDTH_BYTES = 64, 256
# Equations that are solved one after the other, before a product adds what they say to the others: their part of the
# work is small, and the rows of a product are not too few. Rows of a matrix to be factorised are filled up to as many.
ROWS = 32
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


@lru_cache(maxsize=1024)
def _cholesky(dtype: np.dtype, n: int, row: int) -> LibraryCall:
    name = f"own_cholesky_{_NAMES[dtype.name]}"
    function = Function(name, (Result(0), Value(row * dtype.itemsize), Result(1), Value(n)))
    return LibraryCall("cholesky in blocks", (function,), ((0, 0),), cost=n**3 / 6)


def cholesky(ctx: Any, a: Any) -> tuple[Any, Any]:
    """The adjoint factors of stacks of real matrices, of which the lower triangles are read, and whether each is there:
    0, or 1 where a matrix is not positive definite. Below their diagonals the factors are undefined."""
    items, n, _ = a.shape
    row = -(-n // ROWS) * ROWS
    upper = ctx.map(lambda m, v: -v, [ctx.transpose(a, (0, 2, 1))], a.dtype)
    if row > n:
        upper = ctx.pad(upper, ctx.constant(0, a.dtype), ((0, 0, 0), (0, 0, 0), (0, row - n, 0)))
    avals = [ShapedArray((items, n, row), a.dtype), ShapedArray((items,), np.dtype(np.int32))]
    factor, failed = ctx.library(_cholesky(a.dtype, n, row), [upper], avals)
    return ctx.slice(factor, (0, 0, 0), (items, n, n), (1, 1, 1)), failed
