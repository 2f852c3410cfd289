"""Native code of the factorisations: what stands around the calls of LAPACK, as formulas that fuse with their users.

May import ``core``, ``ops._operands``, ``ops.linalg.lanes``, ``ops.linalg.lapack`` and ``ops.linalg.small``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from fungrad.core import lapack as library
from fungrad.core.avals import ShapedArray
from fungrad.ops._operands import kind_of
from fungrad.ops.linalg import blocks, lanes, lapack, small
from fungrad.ops.linalg.lapack import in_program

_BOOL, _INT32 = np.dtype(bool), np.dtype(np.int32)


def stacked(ctx: Any, x: Any, core: int = 2) -> Any:
    """The array with one batch dimension."""
    rank = len(x.shape) - core
    return ctx.reshape(x, (math.prod(x.shape[:rank]), *x.shape[rank:]))


def unstacked(ctx: Any, x: Any, batch: Sequence[int]) -> Any:
    """The array with its batch dimensions again."""
    return ctx.reshape(x, (*batch, *x.shape[1:]))


def swapped(ctx: Any, x: Any) -> Any:
    """Matrices of a stack transposed: from rows to columns or back."""
    return ctx.transpose(x, (0, 2, 1))


def type_name(dtype: np.dtype) -> str:
    """The scalar type of a dtype that LAPACK has."""
    return f"{'c' if kind_of(dtype) == 'c' else 'f'}{8 * dtype.itemsize}"


def nan_of(m: Any, dtype: np.dtype) -> Any:
    """NaN as a scalar; both parts of a complex one."""
    return m.const(complex(math.nan, math.nan) if kind_of(dtype) == "c" else math.nan, type_name(dtype))


def or_nan(ctx: Any, x: Any, good: Any) -> Any:
    """Items of a stack, NaN where the stack of truth values does not say that they are good."""
    return ctx.compute(
        x.shape, x.dtype, lambda m, b, *i: m.select(m.load(good, b), m.load(x, b, *i), nan_of(m, x.dtype))
    )


def succeeded(ctx: Any, status: Any, *more: Any) -> Any:
    """Whether the status of every item is 0 and the other truth values hold."""
    zero = ctx.map(lambda m, s: s == 0, [status], _BOOL)
    for other in more:
        zero = ctx.map(lambda m, a, b: a & b, [zero, other], _BOOL)
    return zero


def all_finite(ctx: Any, x: Any) -> Any:
    """Whether all elements of each matrix of a stack are finite."""

    def finite(m: Any, v: Any) -> Any:
        # infinity and NaN times zero are not zero
        if v.type in ("c64", "c128"):
            return (m.real(v) * 0.0 == 0.0) & (m.imag(v) * 0.0 == 0.0)
        return v * 0.0 == 0.0

    return ctx.reduce(ctx.map(finite, [x], _BOOL), "and", tuple(range(1, len(x.shape))))


def finite_or_zero(ctx: Any, x: Any, finite: Any) -> Any:
    """Items of a stack, zero where they are not finite: iterations need not end on infinities and NaN."""

    def element(m: Any, b: Any, *i: Any) -> Any:
        return m.select(m.load(finite, b), m.load(x, b, *i), m.const(0, type_name(x.dtype)))

    return ctx.compute(x.shape, x.dtype, element)


def identity(ctx: Any, dtype: np.dtype, shape: Sequence[int]) -> Any:
    """Identity matrices."""
    if 0 in shape:
        return ctx.constant(0, dtype, tuple(shape))
    name = type_name(dtype)

    def element(m: Any, *i: Any) -> Any:
        return m.select(m.index(i[-2]) == m.index(i[-1]), m.const(1, name), m.const(0, name))

    return ctx.compute(tuple(shape), dtype, element)


def triangle(ctx: Any, x: Any, lower: bool, k: int = 0) -> Any:
    """The elements where ``column - row <= k`` (``lower``) or ``>= k``, others zero."""

    def element(m: Any, *i: Any) -> Any:
        row, column = m.index(i[-2]), m.index(i[-1])
        inside = column <= row + k if lower else column >= row + k
        return m.select(inside, m.load(x, *i), m.const(0, type_name(x.dtype)))

    return ctx.compute(x.shape, x.dtype, element)


# -- small matrices ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class WrittenOut:
    """A function of `ops.linalg.small` with the sizes of its arguments: scalar code on the elements of an item.

    Attributes:
      function: called with a builder, the elements of each operand, and `sizes`.
      operands: numbers of elements.
      sizes: further arguments.
    """

    function: Callable[..., Sequence[Any]]
    operands: tuple[int, ...]
    sizes: tuple[Any, ...]

    def __call__(self, m: Any, *elements: Any) -> Sequence[Any]:
        rest = iter(elements)
        return self.function(m, *[[next(rest) for _ in range(n)] for n in self.operands], *self.sizes)


def written_out(
    ctx: Any, function: Callable[..., Sequence[Any]], operands: Sequence[Any], sizes: Sequence[Any], results: Any
) -> list[Any]:
    """The results, of given shapes and dtypes, of a function of `ops.linalg.small` for the items of stacks."""
    items = operands[0].shape[0]
    turned = [ctx.transpose(x, (*range(1, len(x.shape)), 0)) for x in operands]
    fn = WrittenOut(function, tuple([math.prod(x.shape[1:]) for x in operands]), tuple(sizes))
    avals = [ShapedArray((*shape, items), dtype) for shape, dtype in results]
    made = ctx.items(function.__name__, fn, turned, avals)
    return [ctx.transpose(x, (len(x.shape) - 1, *range(len(x.shape) - 1))) for x in made]


# -- factorisations ----------------------------------------------------------------------------------------------------


def cholesky(ctx: Any, a: Any) -> Any:
    """The lower factors."""
    *batch, n, _ = a.shape
    if 0 in a.shape:
        return ctx.constant(0, a.dtype, a.shape)
    if small.is_small_cholesky(n):
        (factor,) = written_out(ctx, small.cholesky, [stacked(ctx, a)], (n,), [((n, n), a.dtype)])
        return unstacked(ctx, factor, batch)
    if lanes.fits(a.dtype, math.prod(batch), n):
        (factor,) = lanes.in_blocks(ctx, lanes.cholesky(a.dtype, n), [stacked(ctx, a)])
        return unstacked(ctx, factor, batch)
    if blocks.fits(a.dtype, n):
        upper, status = blocks.cholesky(ctx, stacked(ctx, a))
        factor = swapped(ctx, upper)
    else:
        factor, status = in_program(ctx, lapack.potrf(a.dtype, n), [stacked(ctx, a)])
    factor = or_nan(ctx, triangle(ctx, factor, lower=True), succeeded(ctx, status))
    return unstacked(ctx, factor, batch)


def lu(ctx: Any, a: Any) -> list[Any]:
    """Both factors, exchanges and permutation."""
    *batch, m, n = a.shape
    if 0 in a.shape:
        numbers = ctx.iota((*batch, m), _INT32, len(batch)) if m else ctx.constant(0, _INT32, (*batch, m))
        k = min(m, n)
        return [ctx.constant(0, a.dtype, a.shape), ctx.constant(0, _INT32, (*batch, k)), numbers]
    if small.is_small_lu(m, n):
        shapes = [((m, n), a.dtype), ((min(m, n),), _INT32), ((m,), _INT32)]
        return [unstacked(ctx, r, batch) for r in written_out(ctx, small.lu, [stacked(ctx, a)], (m, n), shapes)]
    if lanes.fits(a.dtype, math.prod(batch), m, n):
        made = lanes.in_blocks(ctx, lanes.lu(a.dtype, m, n), [stacked(ctx, a)])
        return [unstacked(ctx, r, batch) for r in made]
    x = swapped(ctx, stacked(ctx, a))
    numbers = ctx.iota((x.shape[0], m), np.dtype(np.float64), 1)
    both, exchanges, order, _ = in_program(ctx, lapack.getrf(a.dtype, m, n), [x, numbers])
    exchanges = ctx.map(lambda m, v: m.convert(v - 1, "i32"), [exchanges], _INT32)
    results = [swapped(ctx, both), exchanges, ctx.convert(order, _INT32)]
    return [unstacked(ctx, r, batch) for r in results]


def permutation(ctx: Any, pivots: Any, size: int) -> Any:
    """The permutation that exchanges of rows make."""
    *batch, k = pivots.shape
    if not size or 0 in pivots.shape:
        return ctx.iota((*batch, size), _INT32, len(batch)) if size else ctx.constant(0, _INT32, (*batch, size))
    ints = library.library().integer
    name = f"i{8 * ints.itemsize}"
    from_one = ctx.map(lambda m, v: m.convert(v, name) + 1, [stacked(ctx, pivots, 1)], ints)
    numbers = ctx.iota((from_one.shape[0], size), np.dtype(np.float64), 1)
    (order,) = in_program(ctx, lapack.laswp(size, k), [numbers, from_one])
    return unstacked(ctx, ctx.convert(order, _INT32), batch)


def triangular_solve(
    ctx: Any, a: Any, b: Any, *, left_side: bool, lower: bool, transpose_a: bool, conjugate_a: bool, unit_diagonal: bool
) -> Any:
    """The solutions of triangular systems."""
    if 0 in b.shape:
        return ctx.constant(0, b.dtype, b.shape)
    conjugate_a = conjugate_a and kind_of(a.dtype) == "c"
    n, others = (b.shape[-2:]) if left_side else b.shape[:-3:-1]
    if lanes.fits(a.dtype, math.prod(b.shape[:-2]), n, others) and not small.is_small_lu(n, n):
        right = stacked(ctx, b) if left_side else swapped(ctx, stacked(ctx, b))
        transpose = transpose_a if left_side else not transpose_a
        routine = lanes.solve(b.dtype, n, others, lower, transpose, unit_diagonal)
        (x,) = lanes.in_blocks(ctx, routine, [stacked(ctx, a), right])
        return unstacked(ctx, x if left_side else swapped(ctx, x), b.shape[:-2])
    if small.is_small_solve(n, others):
        return _small_triangular(ctx, a, b, left_side, lower, transpose_a, conjugate_a, unit_diagonal)
    if blocks.fits(b.dtype, others):
        right = stacked(ctx, b) if left_side else swapped(ctx, stacked(ctx, b))
        transpose = transpose_a if left_side else not transpose_a
        x = blocks.solve(ctx, stacked(ctx, a), right, lower, transpose, unit_diagonal)
        return unstacked(ctx, x if left_side else swapped(ctx, x), b.shape[:-2])
    work = n * n * others / 2
    if others >= 2 * _FEWEST_ROWS and math.prod(b.shape[:-2]) < _MANY_ITEMS and work > _LARGE_SOLVE:
        return _in_blocks(ctx, a, b, left_side, lower, transpose_a, conjugate_a, unit_diagonal)
    if conjugate_a and not transpose_a:
        a = ctx.map(lambda m, v: m.conj(v), [a], a.dtype)
    *batch, rows, columns = b.shape
    routine = lapack.trsm(b.dtype, rows, columns, left_side, lower, transpose_a, conjugate_a, unit_diagonal)
    (x,) = in_program(ctx, routine, [stacked(ctx, a), stacked(ctx, b)])
    return unstacked(ctx, x, batch)


# Right hand sides of one system are dealt out to threads in at most so many blocks of at least so many, where there are
# fewer systems than this, from so many multiplications on.
_BLOCKS, _FEWEST_ROWS, _MANY_ITEMS, _LARGE_SOLVE = 16, 16, 8, 1_000_000


def _in_blocks(
    ctx: Any, a: Any, b: Any, left_side: bool, lower: bool, transpose_a: bool, conjugate_a: bool, unit_diagonal: bool
) -> Any:
    """Large systems: ``op(a) x = b`` is ``x^T op(a)^T = b^T``, whose rows need nothing of each other."""
    batch = b.shape[:-2]
    rows = swapped(ctx, stacked(ctx, b)) if left_side else stacked(ctx, b)
    if left_side:
        transpose_a = not transpose_a
    if conjugate_a and not transpose_a:
        a = ctx.map(lambda m, v: m.conj(v), [a], a.dtype)
    items, count, n = rows.shape
    size = max(_FEWEST_ROWS, -(-count // _BLOCKS))
    size = next((s for s in range(size, 2 * size) if count % s == 0), size)
    blocks = -(-count // size)
    if blocks * size > count:
        rows = ctx.pad(rows, ctx.constant(0, b.dtype), ((0, 0, 0), (0, blocks * size - count, 0), (0, 0, 0)))
    routine = lapack.trsm(b.dtype, size, n, False, lower, transpose_a, conjugate_a, unit_diagonal)
    parts = ctx.reshape(rows, (items * blocks, size, n))
    aval = ShapedArray((items * blocks, size, n), b.dtype)
    (x,) = ctx.library(routine.call, [stacked(ctx, a), parts], [aval])
    x = ctx.slice(ctx.reshape(x, rows.shape), (0, 0, 0), (items, count, n), (1, 1, 1))
    return unstacked(ctx, swapped(ctx, x) if left_side else x, batch)


def _small_triangular(
    ctx: Any, a: Any, b: Any, left_side: bool, lower: bool, transpose_a: bool, conjugate_a: bool, unit_diagonal: bool
) -> Any:
    """Small systems; ``x op(a) = b`` is ``op(a)^T x^T = b^T``."""
    batch = b.shape[:-2]
    right = stacked(ctx, b) if left_side else swapped(ctx, stacked(ctx, b))
    n, columns = right.shape[1:]
    sizes = (n, columns, lower, transpose_a if left_side else not transpose_a, conjugate_a, unit_diagonal)
    (x,) = written_out(ctx, small.triangular_solve, [stacked(ctx, a), right], sizes, [((n, columns), b.dtype)])
    return unstacked(ctx, x if left_side else swapped(ctx, x), batch)


def qr(ctx: Any, a: Any, full_matrices: bool, pivoting: bool) -> list[Any]:
    """Orthogonal and triangular factors, and the order of the columns."""
    *batch, m, n = a.shape
    k = m if full_matrices else min(m, n)
    if 0 in a.shape:
        order = ctx.iota((*batch, n), _INT32, len(batch)) if n else ctx.constant(0, _INT32, (*batch, n))
        made = [identity(ctx, a.dtype, (*batch, m, k)), ctx.constant(0, a.dtype, (*batch, k, n))]
        return [*made, order] if pivoting else made
    columns = swapped(ctx, stacked(ctx, a))
    if not pivoting:
        made, factors, _ = in_program(ctx, lapack.geqrf(a.dtype, m, n), [columns])
        return [unstacked(ctx, x, batch) for x in orthogonal_and_triangle(ctx, made, factors, k)]
    free = ctx.constant(0, library.library().integer, (columns.shape[0], n))
    made, order, factors, _ = in_program(ctx, lapack.geqp3(a.dtype, m, n), [columns, free])
    order = ctx.map(lambda m, v: m.convert(v - 1, "i32"), [order], _INT32)
    return [unstacked(ctx, x, batch) for x in (*orthogonal_and_triangle(ctx, made, factors, k), order)]


def orthogonal_and_triangle(ctx: Any, made: Any, factors: Any, k: int) -> tuple[Any, Any]:
    """The factors of QR from reflectors and triangle by columns, ``k`` columns of the orthogonal one."""
    items, n, m = made.shape
    r = triangle(ctx, swapped(ctx, ctx.slice(made, (0, 0, 0), (items, n, k), (1, 1, 1))), lower=False)
    reflectors = _with_rows(ctx, made, k)
    q, _ = in_program(ctx, lapack.orgqr(made.dtype, m, k, factors.shape[1]), [reflectors, factors])
    return swapped(ctx, q), r


def _with_rows(ctx: Any, x: Any, count: int) -> Any:
    """So many rows of the matrices of a stack: the first ones, or all and zeros after them."""
    items, n, m = x.shape
    if count <= n:
        return ctx.slice(x, (0, 0, 0), (items, count, m), (1, 1, 1))
    return ctx.pad(x, ctx.constant(0, x.dtype), ((0, 0, 0), (0, count - n, 0), (0, 0, 0)))


def eigh(ctx: Any, a: Any, lower: bool) -> list[Any]:
    """Eigenvectors and eigenvalues of Hermitian matrices."""
    *batch, n, _ = a.shape
    real = np.zeros((), a.dtype).real.dtype
    if 0 in a.shape:
        return [ctx.constant(0, a.dtype, a.shape), ctx.constant(0, real, a.shape[:-1])]
    x = stacked(ctx, a)
    finite = all_finite(ctx, triangle(ctx, x, lower))
    x = swapped(ctx, finite_or_zero(ctx, x, finite))
    vectors, values, status = in_program(ctx, lapack.heevd(a.dtype, n, lower), [x])
    good = succeeded(ctx, status, finite)
    results = [or_nan(ctx, swapped(ctx, vectors), good), or_nan(ctx, values, good)]
    return [unstacked(ctx, r, batch) for r in results]


def svd(ctx: Any, a: Any, full_matrices: bool, compute_uv: bool) -> list[Any]:
    """Singular values, and vectors if they are wanted."""
    *batch, m, n = a.shape
    k = min(m, n)
    real = np.zeros((), a.dtype).real.dtype
    rows, columns = (m, n) if full_matrices else (k, k)
    if 0 in a.shape:
        shapes = [(*batch, m, rows), (*batch, columns, n)] if compute_uv else []
        return [ctx.constant(0, real, (*batch, k)), *[identity(ctx, a.dtype, s) for s in shapes]]
    x = stacked(ctx, a)
    finite = all_finite(ctx, x)
    x = swapped(ctx, finite_or_zero(ctx, x, finite))
    _, *found, status = in_program(ctx, lapack.gesdd(a.dtype, m, n, full_matrices, compute_uv), [x])
    good = succeeded(ctx, status, finite)
    results = [or_nan(ctx, r if len(r.shape) == 2 else swapped(ctx, r), good) for r in found]
    return [unstacked(ctx, r, batch) for r in results]


def eig(ctx: Any, a: Any, left: bool, right: bool) -> list[Any]:
    """Eigenvalues, and left and right eigenvectors if they are wanted."""
    *batch, n, _ = a.shape
    dtype = np.result_type(a.dtype, np.complex64)
    if 0 in a.shape:
        return [ctx.constant(0, dtype, a.shape[:-1])] + [ctx.constant(0, dtype, a.shape)] * (left + right)
    x = stacked(ctx, a)
    finite = all_finite(ctx, x)
    # In double precision, as NumPy computes: eigenvalues come in the order in which the iteration finds them, which in
    # single precision is not the same.
    wide = np.result_type(a.dtype, np.float64)
    x = swapped(ctx, ctx.convert(finite_or_zero(ctx, x, finite), wide))
    # With vectors also where only values are wanted: their order and last digits are those of derivatives.
    _, *found, status = in_program(ctx, lapack.geev(wide, n, left, right or not left), [x])
    if kind_of(a.dtype) == "c":
        values, vectors = found[0], [swapped(ctx, v) for v in found[1:]]
    else:
        re, im, *packed = found
        values = ctx.map(lambda m, x, y: m.complex(x, y), [re, im], np.dtype(complex))
        vectors = [_unpacked(ctx, im, v, np.dtype(complex)) for v in packed]
    good = succeeded(ctx, status, finite)
    results = [or_nan(ctx, ctx.convert(r, dtype), good) for r in (values, *vectors[: left + right])]
    return [unstacked(ctx, r, batch) for r in results]


def _unpacked(ctx: Any, im: Any, packed: Any, dtype: np.dtype) -> Any:
    """Complex eigenvectors of real matrices, of which LAPACK gives the real part, then the imaginary part, in the
    places of a pair of conjugate eigenvalues; ``packed`` is by columns."""
    n = packed.shape[-1]

    def part(imaginary: bool, m: Any, b: Any, i: Any, j: Any) -> Any:
        sign = m.load(im, b, j)
        here = m.index(j)
        first, second = sign > 0.0, sign < 0.0
        if imaginary:
            place = m.select(first, here + 1, here)
        else:
            place = m.select(second, here - 1, here)
        place = m.select(place < 0, m.const(0, place), m.select(place >= n, m.const(n - 1, place), place))
        value = m.load(packed, b, place, i)
        if not imaginary:
            return value
        return m.select(first, value, m.select(second, -value, m.const(0, value)))

    shape, real = packed.shape, packed.dtype
    parts = [ctx.compute(shape, real, partial(part, f)) for f in (False, True)]
    return ctx.map(lambda m, x, y: m.complex(x, y), parts, dtype)
