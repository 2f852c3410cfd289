"""Factorisations of small matrices of fixed size, written out as scalar code over a builder.

A program runs it with one matrix in every lane of a vector register: all elements are registers, and exchanges of rows
are choices. Elements come and go in rows; `m` is a scalar builder, for real or complex values.

May import nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

# Scalar operations up to which code is written out.
_MOST = 1600


def is_small_cholesky(n: int) -> bool:
    """Whether a factorisation is written out."""
    return n**3 / 6 + n * n <= _MOST


def is_small_lu(m: int, n: int) -> bool:
    """Whether a factorisation is written out."""
    return m * m * n + m * n * min(m, n) / 2 <= _MOST


def is_small_solve(n: int, columns: int) -> bool:
    """Whether triangular systems are written out."""
    return n * n * columns / 2 + n * n <= _MOST


def _is_complex(x: Any) -> bool:
    return x.type in ("c64", "c128")


def _conj(m: Any, x: Any) -> Any:
    return m.complex(x.re, -x.im) if _is_complex(x) else x


def _size(m: Any, x: Any) -> Any:
    """The absolute value, or for complex numbers what LAPACK compares instead."""
    return m.abs(x.re) + m.abs(x.im) if _is_complex(x) else m.abs(x)


def _less_product(m: Any, c: Any, a: Any, b: Any) -> Any:
    """``c - a * b``, rounded once where the values are real."""
    return c - a * b if _is_complex(a) else m.fma(-a, b, c)


def cholesky(m: Any, a: Sequence[Any], n: int) -> list[Any]:
    """The lower factor, all NaN where the matrix is not positive definite; reads the lower triangle."""
    like = a[0]
    rows: list[list[Any]] = [[a[i * n + j] for j in range(i + 1)] for i in range(n)]
    good: Any = None
    for j in range(n):
        for k in range(j):
            c = _conj(m, rows[j][k])
            for i in range(j, n):
                rows[i][j] = _less_product(m, rows[i][j], rows[i][k], c)
        d = rows[j][j].re if _is_complex(like) else rows[j][j]
        positive = d > 0.0
        good = positive if good is None else good & positive
        root = m.sqrt(d)
        inverse = m.const(1.0, root) / root
        for i in range(j + 1, n):
            x = rows[i][j]
            rows[i][j] = m.complex(x.re * inverse, x.im * inverse) if _is_complex(like) else x * inverse
        rows[j][j] = m.complex(root, m.const(0.0, root)) if _is_complex(like) else root
    nan = m.const(complex(math.nan, math.nan) if _is_complex(like) else math.nan, like)
    zero = m.const(0.0, like)
    return [
        m.select(good, rows[i][j], nan) if j <= i else m.select(good, zero, nan) for i in range(n) for j in range(n)
    ]


def lu(m: Any, a: Sequence[Any], rows: int, columns: int) -> list[Any]:
    """Both factors in one matrix, the rows with which each row is exchanged, and the permutation."""
    x = [[a[i * columns + j] for j in range(columns)] for i in range(rows)]
    order = [m.const(i, "i32") for i in range(rows)]
    pivots = []
    for k in range(min(rows, columns)):
        best, place = _size(m, x[k][k]), m.const(k, "i32")
        for i in range(k + 1, rows):
            size = _size(m, x[i][k])
            greater = size > best
            best, place = m.select(greater, size, best), m.select(greater, m.const(i, "i32"), place)
        pivots.append(place)
        for i in range(k + 1, rows):
            here = place == i
            for j in range(columns):
                x[k][j], x[i][j] = m.select(here, x[i][j], x[k][j]), m.select(here, x[k][j], x[i][j])
            order[k], order[i] = m.select(here, order[i], order[k]), m.select(here, order[k], order[i])
        if k + 1 < rows:
            pivot = x[k][k]
            # The rest of the column is zero if the pivot is.
            inverse = m.const(1.0, pivot) / m.select(pivot == 0.0, m.const(1.0, pivot), pivot)
        for i in range(k + 1, rows):
            factor = x[i][k] = x[i][k] * inverse
            for j in range(k + 1, columns):
                x[i][j] = _less_product(m, x[i][j], factor, x[k][j])
    return [v for row in x for v in row] + pivots + order


def triangular_solve(
    m: Any,
    a: Sequence[Any],
    b: Sequence[Any],
    n: int,
    columns: int,
    lower: bool,
    transpose: bool,
    conjugate: bool,
    unit: bool,
) -> list[Any]:
    """The solutions of ``op(a) x = b``, elements of ``b`` and of the result in rows."""

    def element(i: int, j: int) -> Any:
        v = a[j * n + i] if transpose else a[i * n + j]
        return _conj(m, v) if conjugate else v

    forward = lower != transpose
    x = [[b[i * columns + c] for c in range(columns)] for i in range(n)]
    for i in range(n) if forward else range(n - 1, -1, -1):
        for k in range(i) if forward else range(i + 1, n):
            factor = element(i, k)
            for c in range(columns):
                x[i][c] = _less_product(m, x[i][c], factor, x[k][c])
        if not unit:
            inverse = m.const(1.0, a[0]) / element(i, i)
            x[i] = [v * inverse for v in x[i]] if columns > 1 else [x[i][0] / element(i, i)]
    return [v for row in x for v in row]
