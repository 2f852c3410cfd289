"""Exponential, sine and cosine integrals: power series near 0, and continued fractions or asymptotic series beyond.

W. Gautschi and W. F. Cahill, "Exponential integral and related functions", in Abramowitz and Stegun, 1964. The sine and
cosine integrals are parts of E_1 on the imaginary axis.
"""

from __future__ import annotations

import math

from fungrad.jit.kernels import vecmath
from fungrad.jit.kernels.scalars import ScalarBuilder, Value
from fungrad.jit.kernels.special.core import EPS, iterative
from fungrad.jit.kernels.vecmath.core import INF, NAN

EULER = 0.57721566490153286
# Where the continued fraction takes over from the series.
NEAR = 1.0
# Where Ei has its asymptotic series.
FAR = 40.0
# Where the sine integral has its continued fraction.
TURNS = 4.0
LIMIT = 1000


def expn_fraction(m: ScalarBuilder, going: Value, n: Value, x: Value) -> Value:
    """E_n(x) exp(x), by Lentz's method."""

    def step(m: ScalarBuilder, i: Value, b: Value, c: Value, d: Value, f: Value) -> tuple[Value, ...]:
        i, b = i + 1.0, b + 2.0
        a = -(i * (n - 1.0 + i))
        d = 1.0 / (a * d + b)
        c = b + a / c
        change = c * d
        return m.abs(change - 1.0) > EPS, i, b, c, d, f * change

    b = x + n
    first = 1.0 / b
    return m.iterate(going, step, (m.const(0.0, x), b, m.const(1e300, x), first, first), LIMIT)[4]


def expn_series(m: ScalarBuilder, going: Value, n: Value, x: Value) -> Value:
    """The power series, one term of which has a logarithm."""
    special = vecmath.digamma(m, m.max(n, 1.0)) - vecmath.log(m, x)

    def step(m: ScalarBuilder, i: Value, power: Value, total: Value) -> tuple[Value, ...]:
        i = i + 1.0
        power = power * (-x / i)
        gap = i - (n - 1.0)
        term = m.select(gap == 0.0, power * special, -power / m.select(gap == 0.0, 1.0, gap))
        return (m.abs(term) > EPS * m.abs(total)) | (i <= n), i, power, total + term

    start = m.select(n == 1.0, special, 1.0 / m.select(n == 1.0, 1.0, n - 1.0))
    # Beyond some orders the term with the logarithm is nothing.
    limit = 60
    return m.iterate(going, step, (m.const(0.0, x), m.const(1.0, x), start), limit)[2]


@iterative
def expn(m: ScalarBuilder, n: Value, x: Value) -> tuple[Value, ...]:
    """E_n(x) for n = 0, 1, 2 ... and x >= 0."""
    whole = (n >= 0.0) & (m.floor(n) == n) & (n < 2.0**31)
    inside = whole & (x > 0.0) & (x < INF)
    near = inside & (x <= NEAR) & (n > 0.0)
    far = inside & ~near
    decay = vecmath.exp(m, -x)
    result = m.select(near, expn_series(m, near, n, x), decay * expn_fraction(m, far & (n > 0.0), n, x))
    result = m.select(inside & (n == 0.0), decay / x, result)
    result = m.select(whole & (x == INF), 0.0, result)
    at_zero = m.select(n > 1.0, 1.0 / (n - 1.0), INF)
    result = m.select(whole & (x == 0.0), at_zero, result)
    return (m.select(whole & (x >= 0.0), result, NAN),)


def _expi_series(m: ScalarBuilder, going: Value, x: Value) -> Value:
    def step(m: ScalarBuilder, k: Value, power: Value, total: Value) -> tuple[Value, ...]:
        k = k + 1.0
        power = power * (x / k)
        term = power / k
        return term > EPS * total, k, power, total + term

    zero = m.const(0.0, x)
    return m.iterate(going, step, (zero, m.const(1.0, x), zero), LIMIT)[2]


def _expi_asymptotic(m: ScalarBuilder, going: Value, x: Value) -> Value:
    """Ei(x) x exp(-x)."""

    def step(m: ScalarBuilder, k: Value, term: Value, total: Value) -> tuple[Value, ...]:
        k = k + 1.0
        term = term * (k / x)
        return (term > EPS * total) & (k < x), k, term, total + term

    one = m.const(1.0, x)
    return m.iterate(going, step, (m.const(0.0, x), one, one), LIMIT)[2]


@iterative
def expi(m: ScalarBuilder, x: Value) -> tuple[Value, ...]:
    """Ei(x); minus E_1(-x) below 0."""
    below = (x < 0.0) & (x > -INF)
    near, far = (x > 0.0) & (x < FAR), (x >= FAR) & (x < INF)
    size = m.abs(x)
    one = m.const(1.0, x)
    small, large = below & (size <= NEAR), below & (size > NEAR)
    negative = m.select(
        small, expn_series(m, small, one, size), vecmath.exp(m, -size) * expn_fraction(m, large, one, size)
    )
    log = vecmath.log(m, size)
    series = EULER + log + _expi_series(m, near, x)
    # Powers are taken in two parts: Ei overflows later than the exponential function.
    half = vecmath.exp(m, 0.5 * x)
    asymptotic = half / x * _expi_asymptotic(m, far, x) * half
    result = m.select(near, series, m.select(far, asymptotic, -negative))
    result = m.select(x == 0.0, -INF, result)
    result = m.select(x == INF, INF, m.select(x == -INF, -0.0, result))
    return (m.select(m.is_nan(x), NAN, result),)


def _auxiliary(m: ScalarBuilder, going: Value, t: Value) -> tuple[Value, Value]:
    """exp(i t) E_1(i t): the fraction 1/(1 + it - 1/(3 + it - 4/(5 + it ...))) by Lentz's method."""

    def step(m: ScalarBuilder, i: Value, cr: Value, ci: Value, dr: Value, di: Value, fr: Value, fi: Value) -> tuple:
        i = i + 1.0
        a, b = -(i * i), 2.0 * i + 1.0
        dr, di = _inverse(m, a * dr + b, a * di + t)
        er, ei = _inverse(m, cr, ci)
        cr, ci = b + a * er, t + a * ei
        hr, hi = cr * dr - ci * di, cr * di + ci * dr
        more = m.abs(hr - 1.0) + m.abs(hi) > 2 * EPS
        return more, i, cr, ci, dr, di, fr * hr - fi * hi, fr * hi + fi * hr

    one, zero = m.const(1.0, t), m.const(0.0, t)
    dr, di = _inverse(m, one, t)
    state = m.iterate(going, step, (zero, m.const(1e150, t), zero, dr, di, dr, di), LIMIT)
    return state[5], state[6]


def _inverse(m: ScalarBuilder, re: Value, im: Value) -> tuple[Value, Value]:
    """1 / (re + i im); numbers are far from the ends of the range."""
    size = 1.0 / (re * re + im * im)
    return re * size, -(im * size)


def _power_series(m: ScalarBuilder, going: Value, t: Value, start: Value, first: float) -> Value:
    """Sum of (-1)**k t**j / (j j!) over j = first + 2, first + 4 ..., after ``start`` = t**first / first!."""
    square = t * t

    def step(m: ScalarBuilder, j: Value, power: Value, total: Value) -> tuple[Value, ...]:
        j = j + 2.0
        power = -(power * square / (j * (j - 1.0)))
        term = power / j
        return m.abs(term) > EPS * m.abs(total), j, power, total + term

    begin = start if first else m.const(0.0, t)
    return m.iterate(going, step, (m.const(first, t), start, begin), LIMIT)[2]


@iterative
def sine_integral(m: ScalarBuilder, x: Value) -> tuple[Value, ...]:
    """Si(x)."""
    t = m.abs(x)
    near, far = t <= TURNS, (t > TURNS) & (t < INF)
    series = _power_series(m, near, t, t, 1.0)
    fr, fi = _auxiliary(m, far, t)
    sine, cosine = vecmath.sin(m, t), vecmath.cos(m, t)
    beyond = 0.5 * math.pi + (fi * cosine - fr * sine)
    result = m.select(near, series, m.select(far, beyond, 0.5 * math.pi))
    return (m.select(m.is_nan(x), NAN, m.copysign(result, x)),)


@iterative
def cosine_integral(m: ScalarBuilder, x: Value) -> tuple[Value, ...]:
    """Ci(|x|)."""
    t = m.abs(x)
    near, far = (t <= TURNS) & (t > 0.0), (t > TURNS) & (t < INF)
    series = EULER + vecmath.log(m, t) + _power_series(m, near, t, m.const(1.0, t), 0.0)
    fr, fi = _auxiliary(m, far, t)
    sine, cosine = vecmath.sin(m, t), vecmath.cos(m, t)
    result = m.select(near, series, -(fr * cosine + fi * sine))
    result = m.select(t == 0.0, -INF, m.select(x == INF, 0.0, result))
    return (m.select(m.is_nan(x) | (x == -INF), NAN, result),)
