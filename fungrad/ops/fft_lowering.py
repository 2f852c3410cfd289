"""Native code of Fourier transforms: what is left of one after lengths with small prime factors have code of their own.

Real transforms of even length are complex ones of half the length with formulas before or after. Lengths with large
prime factors become a convolution of a length without (Bluestein's algorithm), and very long ones a matrix of which
columns and rows are transformed.

May import ``core`` and ``ops._operands``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

# The longest transform of columns.
_LONGEST_COLUMN = 4096
# Columns next to each other that are worth transforming where they are.
_MANY_COLUMNS = 8


def lower_fft(ctx: Any, x: Any, kind: str, lengths: Sequence[int]) -> Any:
    """The transform along the last dimensions of ``x``; ``kind`` is the name of a ``FftType``."""
    (out,) = ctx.out_avals
    if 0 in out.shape or 0 in x.shape:
        return ctx.constant(0, out.dtype, out.shape)
    last = x.aval.ndim - 1
    first = x.aval.ndim - len(lengths)
    if kind == "RFFT":
        x = _real_forward(ctx, x, lengths[-1])
        axes, inverse = range(first, last), False
    elif kind == "IRFFT":
        axes, inverse = range(first, last), True
    else:
        axes, inverse = range(first, last + 1), kind == "IFFT"
    for axis in reversed(axes):
        x = _along(ctx, x, axis, inverse)
    return _real_inverse(ctx, x, lengths[-1]) if kind == "IRFFT" else x


# -- complex -----------------------------------------------------------------------------------------------------------


def _along(ctx: Any, x: Any, axis: int, inverse: bool) -> Any:
    """The complex transform along one dimension; the inverse is divided by the length."""
    shape = x.shape
    n = shape[axis]
    if n == 1:
        return x
    outer, inner = math.prod(shape[:axis]), math.prod(shape[axis + 1 :])
    scale = 1 / n if inverse else 1.0
    if inner == 1:
        return ctx.reshape(_rows(ctx, ctx.reshape(x, (outer, n)), inverse, scale), shape)
    if inner >= _MANY_COLUMNS and n <= _LONGEST_COLUMN and _is_smooth(n):
        return ctx.reshape(ctx.fourier_columns(ctx.reshape(x, (outer, n, inner)), inverse, scale), shape)
    turned = ctx.reshape(ctx.transpose(ctx.reshape(x, (outer, n, inner)), (0, 2, 1)), (outer * inner, n))
    y = ctx.reshape(_rows(ctx, turned, inverse, scale), (outer, inner, n))
    return ctx.reshape(ctx.transpose(y, (0, 2, 1)), shape)


def _rows(ctx: Any, x: Any, inverse: bool, scale: float) -> Any:
    """The transform of every row of a matrix, times ``scale``."""
    rows, n = x.shape
    if n == 1:
        return x if scale == 1 else ctx.map(lambda m, v: m.complex(m.real(v) * scale, m.imag(v) * scale), [x], x.dtype)
    if not _is_smooth(n):
        return _bluestein(ctx, x, inverse, scale)
    few = _first_factor(n)
    if few == 0:
        return ctx.fourier_rows(x, inverse, scale)
    # Too long for two steps: columns, then rows of which each is again made of two steps.
    many = n // few
    columns = ctx.fourier_columns(ctx.reshape(x, (rows, few, many)), inverse, 1.0, n)
    y = ctx.reshape(_rows(ctx, ctx.reshape(columns, (rows * few, many)), inverse, scale), (rows, few, many))
    return ctx.reshape(ctx.transpose(y, (0, 2, 1)), (rows, n))


def _first_factor(n: int) -> int:
    """The length of the columns of a first step, 0 if the length does not need it."""
    if n <= _LONGEST_COLUMN:
        return 0
    root = math.isqrt(n)
    near = next(d for d in range(root, 0, -1) if n % d == 0)
    if n // near <= _LONGEST_COLUMN:
        return 0
    return next(d for d in range(min(_LONGEST_COLUMN, root), 0, -1) if n % d == 0)


def _is_smooth(n: int) -> bool:
    for p in (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31):
        while n % p == 0:
            n //= p
    return n == 1


def _bluestein(ctx: Any, x: Any, inverse: bool, scale: float) -> Any:
    """Transforms of any length: with ``j k = (j^2 + k^2 - (k - j)^2) / 2`` they are the convolution of ``x`` times a
    chirp with the conjugate chirp, times the chirp."""
    rows, n = x.shape
    m = _convolution_length(2 * n - 1)
    dtype = x.dtype
    forward = 1.0 if inverse else -1.0

    def chirp(b: Any, k: Any, sign: float) -> tuple[Any, Any]:
        """The parts of ``exp(sign i pi k^2 / n)`` for an integer ``k``."""
        # The square modulo 2 n, between -n and n, so that angles are small.
        turned = b.rem(k * k + n, b.const(2 * n, k)) - n
        angle = b.convert(turned, "f64") * (sign * math.pi / n)
        return b.convert(b.cos(angle), _part(dtype)), b.convert(b.sin(angle), _part(dtype))

    def apart(b: Any, k: Any) -> Any:
        # Distances from 0 on, and from -(n - 1) on at the end; what is between them does not count.
        near = b.select(k < n, k, m - k)
        re, im = chirp(b, b.select(near < n, near, b.const(0, k)), -forward)
        return b.complex(b.select(near < n, re, b.const(0, re)), b.select(near < n, im, b.const(0, im)))

    positions = ctx.iota((1, n), np.int64, 1)
    own = ctx.keep(ctx.map(lambda b, k: b.complex(*chirp(b, k, forward)), [positions], dtype, cost=40))
    kernel = ctx.keep(ctx.map(apart, [ctx.iota((1, m), np.int64, 1)], dtype, cost=40))
    spectrum = _rows(ctx, kernel, False, 1 / m)
    modulated = _product(ctx, x, own)
    padded = ctx.pad(modulated, ctx.constant(0, dtype), ((0, 0, 0), (0, m - n, 0)))
    product = _product(ctx, _rows(ctx, padded, False, 1.0), spectrum)
    back = ctx.slice(_rows(ctx, product, True, scale), (0, 0), (rows, n), (1, 1))
    return _product(ctx, back, own)


def _product(ctx: Any, x: Any, row: Any) -> Any:
    """The rows of ``x`` times one row."""
    return ctx.map(lambda m, a, b: a * b, [x, ctx.broadcast_in_dim(row, x.shape, (0, 1))], x.dtype)


def _part(dtype: np.dtype) -> str:
    """The scalar type of the parts of a complex dtype."""
    return "f32" if dtype == np.complex64 else "f64"


def _convolution_length(least: int) -> int:
    """The least length of at least that many elements with prime factors up to 5, even."""
    best = 1 << (least - 1).bit_length()
    five = 1
    while five < best:
        three = five
        while three < best:
            rest = -(-least // three)
            best = min(best, three << max(1, (rest - 1).bit_length()))
            three *= 3
        five *= 5
    return best


# -- real --------------------------------------------------------------------------------------------------------------


def _real_forward(ctx: Any, x: Any, n: int) -> Any:
    """The first half of the transform of real numbers along the last dimension."""
    shape = (*x.shape[:-1], n // 2 + 1)
    rows = math.prod(shape[:-1])
    dtype = np.dtype(np.complex64 if x.dtype == np.float32 else np.complex128)
    x = ctx.reshape(x, (rows, n))
    if n % 2:
        whole = _rows(ctx, ctx.map(lambda m, v: m.complex(v, m.const(0, v)), [x], dtype), False, 1.0)
        return ctx.reshape(ctx.slice(whole, (0, 0), (rows, n // 2 + 1), (1, 1)), shape)
    # Even elements are the real and odd ones the imaginary parts of half as many complex numbers, of whose transform
    # the sums and differences of the elements k and n/2 - k are those of the two halves.
    half = n // 2
    pairs = [ctx.slice(x, (0, t), (rows, n), (1, 2)) for t in (0, 1)]
    z = _rows(ctx, ctx.map(lambda m, re, im: m.complex(re, im), pairs, dtype), False, 1.0)

    def inner(m: Any, one: Any, other: Any, turn: Any) -> Any:
        even, odd = one + m.conj(other), one - m.conj(other)
        both = even + turn * m.complex(m.imag(odd), -m.real(odd))
        return m.complex(m.real(both) * 0.5, m.imag(both) * 0.5)

    first = ctx.slice(z, (0, 0), (rows, 1), (1, 1))
    ends = [
        ctx.map(lambda m, v: m.complex(m.real(v) + m.imag(v), m.const(0, m.real(v))), [first], dtype),
        ctx.map(lambda m, v: m.complex(m.real(v) - m.imag(v), m.const(0, m.real(v))), [first], dtype),
    ]
    if half > 1:
        one = ctx.slice(z, (0, 1), (rows, half), (1, 1))
        turns = _turns(ctx, (rows, half - 1), n, dtype)
        ends.insert(1, ctx.map(inner, [one, ctx.reverse(one, (1,)), turns], dtype))
    return ctx.reshape(ctx.concatenate(ends, 1), shape)


def _real_inverse(ctx: Any, x: Any, n: int) -> Any:
    """Real numbers of which ``x`` is the first half of the transform along the last dimension."""
    shape = (*x.shape[:-1], n)
    rows = math.prod(shape[:-1])
    dtype = x.dtype
    real = np.dtype(np.float32 if dtype == np.complex64 else np.float64)
    half = n // 2
    x = ctx.reshape(x, (rows, half + 1))
    first = ctx.slice(x, (0, 0), (rows, 1), (1, 1))
    if n % 2:
        start = ctx.map(lambda m, v: m.complex(m.real(v), m.const(0, m.real(v))), [first], dtype)
        rest = ctx.slice(x, (0, 1), (rows, half + 1), (1, 1))
        mirrored = ctx.map(lambda m, v: m.conj(v), [ctx.reverse(rest, (1,))], dtype)
        whole = ctx.concatenate([start, rest, mirrored], 1) if half else start
        y = _rows(ctx, whole, True, 1 / n)
        return ctx.reshape(ctx.map(lambda m, v: m.real(v), [y], real), shape)

    def inner(m: Any, one: Any, other: Any, turn: Any) -> Any:
        odd = (one - m.conj(other)) * m.conj(turn)
        return one + m.conj(other) + m.complex(-m.imag(odd), m.real(odd))

    last = ctx.slice(x, (0, half), (rows, half + 1), (1, 1))
    packed = ctx.map(lambda m, a, b: m.complex(m.real(a) + m.real(b), m.real(a) - m.real(b)), [first, last], dtype)
    if half > 1:
        one = ctx.slice(x, (0, 1), (rows, half), (1, 1))
        turns = _turns(ctx, (rows, half - 1), n, dtype)
        packed = ctx.concatenate([packed, ctx.map(inner, [one, ctx.reverse(one, (1,)), turns], dtype)], 1)
    z = ctx.reshape(_rows(ctx, packed, True, 1 / n), (rows, half, 1))
    parts = [ctx.map(part, [z], real) for part in (lambda m, v: m.real(v), lambda m, v: m.imag(v))]
    return ctx.reshape(ctx.concatenate(parts, 2), shape)


def _turns(ctx: Any, shape: tuple[int, int], n: int, dtype: np.dtype) -> Any:
    """An array of ``exp(-2 pi i (k + 1) / n)`` for positions ``k`` along the last dimension: products of two roots from
    small tables, made once for all rows."""
    rows, count = shape
    low = 1 << ((count + 1).bit_length() // 2)

    def table(size: int, step: int) -> Any:
        def root(m: Any, k: Any) -> Any:
            angle = m.convert(k, "f64") * (-2 * math.pi * step / n)
            return m.complex(m.convert(m.cos(angle), _part(dtype)), m.convert(m.sin(angle), _part(dtype)))

        return ctx.keep(ctx.map(root, [ctx.iota((size,), np.int64, 0)], dtype, cost=40))

    near = ctx.view(table(low, 1), (1, count), lambda i, k: ((k + 1) % low,))
    far = ctx.view(table(count // low + 1, low), (1, count), lambda i, k: ((k + 1) // low,))
    row = ctx.map(lambda m, a, b: a * b, [near, far], dtype)
    return row if rows == 1 else ctx.broadcast_in_dim(ctx.keep(row), shape, (0, 1))
