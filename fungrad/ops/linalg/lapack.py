"""Routines of LAPACK and the BLAS on batches of matrices, as descriptions that eager code and programs share.

LAPACK stores matrices by columns. Operands are therefore given transposed where it matters, which costs a program
nothing (positions are formulas), and results are read transposed.

May import ``core``.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from fungrad.core import lapack
from fungrad.core.avals import ShapedArray
from fungrad.core.library_calls import Constant, Function, LibraryCall, Operand, Result, Value, Work

LETTERS = lapack.LETTERS

# The C interface of the BLAS (values of its enumerations).
_COLUMNS, _NO_TRANSPOSE, _TRANSPOSE, _ADJOINT = 102, 111, 112, 113
_UPPER, _LOWER, _NON_UNIT, _UNIT, _LEFT, _RIGHT = 121, 122, 131, 132, 141, 142


class Routine(NamedTuple):
    """What is called for one matrix, and the shapes and dtypes of what it makes of it."""

    call: LibraryCall
    results: tuple[tuple[tuple[int, ...], np.dtype], ...]


def in_program(ctx: Any, routine: Routine, operands: Sequence[Any]) -> list[Any]:
    """The results of a routine in a compiled program; operands and results have one batch dimension."""
    items = operands[0].shape[0]
    avals = [ShapedArray((items, *shape), dtype) for shape, dtype in routine.results]
    return ctx.library(routine.call, operands, avals)  # type: ignore[no-any-return]


def on_arrays(routine: Routine, operands: Sequence[np.ndarray]) -> list[np.ndarray]:
    """The results of a routine on ndarrays with one batch dimension."""
    items = operands[0].shape[0]
    results = [np.empty((items, *shape), dtype) for shape, dtype in routine.results]
    routine.call.run(operands, results)
    return results


def _status() -> tuple[tuple[int, ...], np.dtype]:
    return (), lapack.library().integer


def _real(dtype: np.dtype) -> np.dtype:
    return np.zeros((), dtype).real.dtype


def _is_complex(dtype: np.dtype) -> bool:
    return dtype.name in ("complex64", "complex128")


def _sized(name: str, *arguments: Any, dtypes: Sequence[np.dtype]) -> tuple[tuple[Function, ...], tuple[int, ...]]:
    """A call with the workspaces that the routine asks for: None in the arguments stands for the size, in elements, of
    workspace 0, then of 1 ..."""
    sizes = lapack.best_work(name, tuple(arguments), tuple(dtypes))
    rest = iter(sizes)
    filled = [next(rest) if a is None else a for a in arguments]
    work = tuple([n * d.itemsize for n, d in zip(sizes, dtypes, strict=True)])
    return (lapack.function(name, *filled),), work


# -- factorisations ----------------------------------------------------------------------------------------------------


@lru_cache(maxsize=1024)
def potrf(dtype: np.dtype, n: int) -> Routine:
    """The Cholesky factor, in place of the lower triangle of a matrix that is stored by rows.

    By columns it is the conjugate matrix with its upper triangle, and ``conj(a) = u^H u`` is ``a = u^T conj(u)``.
    """
    name = f"{LETTERS[dtype.name]}potrf"
    call = lapack.function(name, "U", n, Result(0), max(1, n), Result(1))
    return Routine(LibraryCall(name, (call,), ((0, 0),), cost=n**3 / 6), (((n, n), dtype), _status()))


@lru_cache(maxsize=1024)
def getrf(dtype: np.dtype, m: int, n: int) -> Routine:
    """Both factors, exchanges of rows counted from 1, and the permutation as floats: its operands are the matrix by
    columns, shape ``(n, m)``, and the numbers ``0, 1, ...`` as float64."""
    name, k = f"{LETTERS[dtype.name]}getrf", min(m, n)
    calls = (
        lapack.function(name, m, n, Result(0), max(1, m), Result(1), Result(3)),
        lapack.function("dlaswp", 1, Result(2), max(1, m), 1, k, Result(1), 1),
    )
    call = LibraryCall(name, calls, ((0, 0), (1, 2)), cost=m * n * k * 2 / 3)
    ints = lapack.library().integer
    return Routine(call, (((n, m), dtype), ((k,), ints), ((m,), np.dtype(np.float64)), _status()))


@lru_cache(maxsize=1024)
def laswp(size: int, exchanges: int) -> Routine:
    """The permutation, as floats, that exchanges of rows make; operands are the numbers ``0, 1, ...`` as float64, and
    the exchanges, counted from 1."""
    calls = (lapack.function("dlaswp", 1, Result(0), max(1, size), 1, exchanges, Operand(1), 1),)
    return Routine(LibraryCall("dlaswp", calls, ((0, 0),), cost=size), (((size,), np.dtype(np.float64)),))


@lru_cache(maxsize=1024)
def geqrf(dtype: np.dtype, m: int, n: int) -> Routine:
    """Reflectors and triangle in one matrix, and the factors of the reflectors."""
    name, k = f"{LETTERS[dtype.name]}geqrf", min(m, n)
    functions, work = _sized(name, m, n, Result(0), max(1, m), Result(1), Work(0), None, Result(2), dtypes=(dtype,))
    call = LibraryCall(name, functions, ((0, 0),), work, cost=2 * m * n * k)
    return Routine(call, (((n, m), dtype), ((k,), dtype), _status()))


@lru_cache(maxsize=1024)
def geqp3(dtype: np.dtype, m: int, n: int) -> Routine:
    """As `geqrf`, with exchanges of columns; operands are the matrix and the permutation to begin with, zeros."""
    name, k = f"{LETTERS[dtype.name]}geqp3", min(m, n)
    real = [Work(1)] if _is_complex(dtype) else []
    arguments = [m, n, Result(0), max(1, m), Result(1), Result(2), Work(0), None, *real, Result(3)]
    functions, work = _sized(name, *arguments, dtypes=(dtype,))
    if real:
        work = (*work, max(1, 2 * n) * _real(dtype).itemsize)
    call = LibraryCall(name, functions, ((0, 0), (1, 1)), work, cost=2 * m * n * k)
    ints = lapack.library().integer
    return Routine(call, (((n, m), dtype), ((n,), ints), ((k,), dtype), _status()))


@lru_cache(maxsize=1024)
def orgqr(dtype: np.dtype, m: int, n: int, k: int) -> Routine:
    """The first ``n`` columns of the product of ``k`` reflectors; operands are reflectors by columns, ``(n, m)``, and
    their factors ``(k,)``."""
    name = f"{LETTERS[dtype.name]}{'un' if _is_complex(dtype) else 'or'}gqr"
    functions, work = _sized(
        name, m, n, k, Result(0), max(1, m), Operand(1), Work(0), None, Result(1), dtypes=(dtype,)
    )
    return Routine(LibraryCall(name, functions, ((0, 0),), work, cost=2 * m * n * k), (((n, m), dtype), _status()))


@lru_cache(maxsize=1024)
def heevd(dtype: np.dtype, n: int, lower: bool) -> Routine:
    """Eigenvectors by columns and eigenvalues of a Hermitian matrix by columns."""
    flags = ("V", "L" if lower else "U")
    letter, ints = LETTERS[dtype.name], lapack.library().integer
    spaces: tuple[np.dtype, ...]
    works: tuple[Work | None, ...]
    if _is_complex(dtype):
        name, spaces = f"{letter}heevd", (dtype, _real(dtype), ints)
        works = (Work(0), None, Work(1), None, Work(2), None)
    else:
        name, spaces = f"{letter}syevd", (dtype, ints)
        works = (Work(0), None, Work(1), None)
    functions, work = _sized(name, *flags, n, Result(0), max(1, n), Result(1), *works, Result(2), dtypes=spaces)
    call = LibraryCall(name, functions, ((0, 0),), work, cost=9 * n**3 + 500)
    return Routine(call, (((n, n), dtype), ((n,), _real(dtype)), _status()))


@lru_cache(maxsize=1024)
def geev(dtype: np.dtype, n: int, left: bool, right: bool) -> Routine:
    """Eigenvalues (real and imaginary parts apart for real matrices), left and right eigenvectors by columns.

    Results: the matrix, destroyed; values, or their real and imaginary parts; left and right vectors if they are
    wanted; status.
    """
    name = f"{LETTERS[dtype.name]}geev"
    values = 1 if _is_complex(dtype) else 2
    vectors = [Result(1 + values + k) for k in range(left + right)]
    status = Result(1 + values + left + right)
    spare = Work(1)
    lefts = vectors[0] if left else spare
    rights = vectors[-1] if right else spare
    rwork = [Work(2)] if _is_complex(dtype) else []
    arguments = [
        "V" if left else "N", "V" if right else "N", n, Result(0), max(1, n), *[Result(1 + k) for k in range(values)],
        lefts, max(1, n), rights, max(1, n), Work(0), None, *rwork, status,
    ]  # fmt: skip
    (size,) = lapack.best_work(name, tuple(arguments), (dtype,))
    filled = [size if a is None else a for a in arguments]
    work = (size * dtype.itemsize, dtype.itemsize, 2 * max(1, n) * _real(dtype).itemsize)
    call = LibraryCall(name, (lapack.function(name, *filled),), ((0, 0),), work, cost=25 * n**3 + 1000)
    results: list[Any] = [((n, n), dtype)]
    results += [((n,), dtype)] * values
    results += [((n, n), dtype)] * (left + right)
    return Routine(call, (*results, _status()))


@lru_cache(maxsize=1024)
def gesdd(dtype: np.dtype, m: int, n: int, full_matrices: bool, compute_uv: bool) -> Routine:
    """Singular values and vectors by columns. Results: the matrix, destroyed; values; u, vh if they are wanted;
    status."""
    name, k = f"{LETTERS[dtype.name]}gesdd", min(m, n)
    job = ("A" if full_matrices else "S") if compute_uv else "N"
    columns, rows = (m, n) if full_matrices else (k, k)
    u, vh = (Result(2), Result(3)) if compute_uv else (Work(2), Work(2))
    status = Result(4 if compute_uv else 2)
    real, least = _real(dtype), max(1, k)
    # Sizes of the real and integer workspaces are formulas of LAPACK's documentation.
    rwork = [Work(3)] if _is_complex(dtype) else []
    arguments = [
        job, m, n, Result(0), max(1, m), Result(1), u, max(1, m), vh, max(1, rows), Work(0), None, *rwork, Work(1),
        status,
    ]  # fmt: skip
    (size,) = lapack.best_work(name, tuple(arguments), (dtype,))
    filled = [size if a is None else a for a in arguments]
    reals = least * max(5 * least + 7, 2 * max(m, n, 1) + 2 * least + 1) if compute_uv else 7 * least
    ints = lapack.library().integer
    work: tuple[int, ...] = (size * dtype.itemsize, 8 * least * ints.itemsize, dtype.itemsize, reals * real.itemsize)
    if not rwork:
        work = work[:3]
    call = LibraryCall(name, (lapack.function(name, *filled),), ((0, 0),), work, cost=20 * m * n * k + 1000)
    results: list[Any] = [((n, m), dtype), ((k,), real)]
    if compute_uv:
        results += [((columns, m), dtype), ((n, rows), dtype)]
    return Routine(call, (*results, _status()))


# -- triangular systems ------------------------------------------------------------------------------------------------


@lru_cache(maxsize=1024)
def trsm(
    dtype: np.dtype, rows: int, columns: int, left: bool, lower: bool, transpose: bool, conjugate: bool, unit: bool
) -> Routine:
    """The solution of a triangular system with matrices that are stored by rows; operands are the triangular matrix
    and the right hand sides, ``(rows, columns)``.

    By columns everything is transposed: sides and triangles change places.
    """
    name = f"{LETTERS[dtype.name]}trsm"
    n = rows if left else columns
    one = np.ones((), dtype)
    alpha: Any = Constant(one.tobytes()) if _is_complex(dtype) else Value(1.0, _FLOATS[dtype.name])
    trans = (_ADJOINT if conjugate else _TRANSPOSE) if transpose else _NO_TRANSPOSE
    integer = "i64" if lapack.blas_integer() == "i64" else "i32"
    flags = (_COLUMNS, _RIGHT if left else _LEFT, _UPPER if lower else _LOWER, trans, _UNIT if unit else _NON_UNIT)
    arguments = [
        *[Value(f, "i32") for f in flags],
        Value(columns, integer), Value(rows, integer), alpha, Operand(0), Value(max(1, n), integer),
        Result(0), Value(max(1, columns), integer),
    ]  # fmt: skip
    call = LibraryCall(name, (Function(f"blas_{name}", tuple(arguments)),), ((1, 0),), cost=rows * columns * n / 2)
    return Routine(call, (((rows, columns), dtype),))


_FLOATS = {"float32": "float", "float64": "double"}


# -- reductions to other forms -----------------------------------------------------------------------------------------


@lru_cache(maxsize=1024)
def ormqr(dtype: np.dtype, m: int, n: int, k: int, left: bool, transpose: bool) -> Routine:
    """The product of ``k`` reflectors, or its adjoint, with a matrix by columns, ``(n, m)``; operands are the
    reflectors by columns, their factors, and the matrix."""
    name = f"{LETTERS[dtype.name]}{'un' if _is_complex(dtype) else 'or'}mqr"
    flags = ("L" if left else "R", ("C" if _is_complex(dtype) else "T") if transpose else "N")
    size = m if left else n
    functions, work = _sized(
        name, *flags, m, n, k, Operand(0), max(1, size), Operand(1), Result(0), max(1, m), Work(0), None, Result(1),
        dtypes=(dtype,),
    )  # fmt: skip
    return Routine(LibraryCall(name, functions, ((2, 0),), work, cost=2 * m * n * k), (((n, m), dtype), _status()))


@lru_cache(maxsize=1024)
def gehrd(dtype: np.dtype, n: int) -> Routine:
    """Hessenberg form and reflectors in one matrix by columns, and the factors of the reflectors."""
    name = f"{LETTERS[dtype.name]}gehrd"
    functions, work = _sized(
        name, n, 1, n, Result(0), max(1, n), Result(1), Work(0), None, Result(2), dtypes=(dtype,)
    )
    call = LibraryCall(name, functions, ((0, 0),), work, cost=5 / 3 * n**3)
    return Routine(call, (((n, n), dtype), ((max(0, n - 1),), dtype), _status()))


@lru_cache(maxsize=1024)
def hetrd(dtype: np.dtype, n: int, lower: bool) -> Routine:
    """Tridiagonal form and reflectors in one matrix by columns, both diagonals, and the factors of the reflectors."""
    name = f"{LETTERS[dtype.name]}{'he' if _is_complex(dtype) else 'sy'}trd"
    results = [Result(k) for k in range(1, 4)]
    functions, work = _sized(
        name, "L" if lower else "U", n, Result(0), max(1, n), *results, Work(0), None, Result(4), dtypes=(dtype,)
    )
    call = LibraryCall(name, functions, ((0, 0),), work, cost=2 / 3 * n**3)
    real, rest = _real(dtype), (max(0, n - 1),)
    return Routine(call, (((n, n), dtype), ((n,), real), (rest, real), (rest, dtype), _status()))


@lru_cache(maxsize=1024)
def gees(dtype: np.dtype, n: int, vectors: bool) -> Routine:
    """Schur form by columns, and the vectors if they are wanted; then the status."""
    name = f"{LETTERS[dtype.name]}gees"
    nothing, ints = Constant(bytes(8)), lapack.library().integer
    q, status = (Result(1), Result(2)) if vectors else (Work(1), Result(1))
    values = [Work(2)] if _is_complex(dtype) else [Work(2), Work(3)]
    real = [Work(3)] if _is_complex(dtype) else []
    arguments = [
        "V" if vectors else "N", "N", nothing, n, Result(0), max(1, n), Work(4), *values, q, max(1, n), Work(0), None,
        *real, nothing, status,
    ]  # fmt: skip
    (size,) = lapack.best_work(name, tuple(arguments), (dtype,))
    filled = [size if a is None else a for a in arguments]
    least = max(1, n) * dtype.itemsize
    work = (size * dtype.itemsize, dtype.itemsize, least, least, ints.itemsize)
    call = LibraryCall(name, (lapack.function(name, *filled),), ((0, 0),), work, cost=25 * n**3 + 1000)
    results: list[Any] = [((n, n), dtype)] * (1 + vectors)
    return Routine(call, (*results, _status()))


@lru_cache(maxsize=1024)
def gtsv(dtype: np.dtype, n: int, columns: int) -> Routine:
    """The solution of a tridiagonal system with right hand sides by columns, ``(columns, n)``; operands are the lower
    diagonal of ``n - 1`` elements, the diagonal, the upper diagonal, and the right hand sides."""
    name = f"{LETTERS[dtype.name]}gtsv"
    results = [Result(k) for k in range(4)]
    functions = (lapack.function(name, n, columns, *results, max(1, n), Result(4)),)
    call = LibraryCall(name, functions, ((0, 0), (1, 1), (2, 2), (3, 3)), cost=8 * n * columns)
    side = ((max(0, n - 1),), dtype)
    return Routine(call, (side, ((n,), dtype), side, ((columns, n), dtype), _status()))


@lru_cache(maxsize=1024)
def lagts(dtype: np.dtype, n: int) -> Routine:
    """The solution of a real tridiagonal system with one right hand side, tiny pivots perturbed. Operands and results
    are the diagonal, the upper and the lower diagonal of ``n - 1`` elements, the right hand side; the second upper
    diagonal of the factors is scratch. The last operand and result is the tolerance, zero before."""
    letter, ints, real = LETTERS[dtype.name], lapack.library().integer, dtype.itemsize
    zero = Constant(np.zeros((), dtype).tobytes())
    factors: list[Any] = [Result(0), Result(1), Result(2), Work(0), Work(1)]
    functions = (
        lapack.function(f"{letter}lagtf", n, Result(0), zero, Result(1), Result(2), zero, Work(0), Work(1), Work(2)),
        lapack.function(f"{letter}lagts", -1, n, *factors, Result(3), Result(5), Result(4)),
    )
    # The tolerance that the second one chooses is returned in its place, which must be zero before.
    work = (max(1, n) * real, max(1, n) * ints.itemsize, ints.itemsize)
    side = ((max(0, n - 1),), dtype)
    copies = ((0, 0), (1, 1), (2, 2), (3, 3), (4, 5))
    call = LibraryCall(f"{letter}lagts", functions, copies, work, cost=12 * n)
    return Routine(call, (((n,), dtype), side, side, ((n,), dtype), _status(), ((), dtype)))


@lru_cache(maxsize=1024)
def tpqrt2(dtype: np.dtype, n: int) -> Routine:
    """The triangular factor of a triangular matrix by columns with one row below it; operands are both."""
    name = f"{LETTERS[dtype.name]}tpqrt2"
    functions = (lapack.function(name, 1, n, 0, Result(0), max(1, n), Result(1), 1, Work(0), max(1, n), Result(2)),)
    call = LibraryCall(name, functions, ((0, 0), (1, 1)), (max(1, n * n) * dtype.itemsize,), cost=4 * n * n)
    return Routine(call, (((n, n), dtype), ((n,), dtype), _status()))
