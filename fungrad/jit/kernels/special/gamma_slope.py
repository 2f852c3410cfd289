"""Derivative of P(a, x) by its parameter, for gradients of gamma variates.

With the density p(a, x) = x**(a-1) exp(-x) / gamma(a), the formulas are for (dP/da) / p, as in ``ops.gamma_slopes``,
whose NumPy code is the same three expansions.
"""

from __future__ import annotations

from fungrad.jit.kernels import vecmath
from fungrad.jit.kernels.scalars import ScalarBuilder, Value
from fungrad.jit.kernels.special.core import iterative
from fungrad.jit.kernels.special.incomplete_gamma import gamma_weight
from fungrad.jit.kernels.vecmath.core import INF, NAN, polynomial

EPS = 2.0**-52
LARGE = 1e5
LIMIT = 20_000
# Steps in a row without a change after which a fraction has converged.
CALM = 4.0
TRIGAMMA_SHIFT = 12
# B_2k, from k = 1: coefficients of the series of the derivative of digamma.
BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6)


def _series(m: ScalarBuilder, going: Value, a: Value, x: Value) -> Value:
    """P = p x/a S with S = sum of c_n, c_n = c_(n-1) x / (a + n); d_n is the derivative of log c_n by a."""

    def step(m: ScalarBuilder, n: Value, c: Value, d: Value, total: Value, slope: Value) -> tuple[Value, ...]:
        n = n + 1.0
        inverse = 1.0 / (a + n)
        c = c * (x * inverse)
        d = d - inverse
        term = c * d
        total, slope = total + c, slope + term
        more = (n <= 2.0) | (m.abs(term) > EPS * m.abs(slope))
        return more, n, c, d, total, slope

    zero, one = m.const(0.0, a), m.const(1.0, a)
    _, _, _, total, slope = m.iterate(going, step, (zero, one, zero, one, zero), LIMIT)
    return x / a * (total * (vecmath.log(m, x) - vecmath.digamma(m, a + 1.0)) + slope)


def _fraction(m: ScalarBuilder, going: Value, a: Value, x: Value) -> Value:
    """1 - P = p x F with the continued fraction F: its convergents, and their derivatives (marked by d) by a."""

    def step(m: ScalarBuilder, n: Value, calm: Value, *state: Value) -> tuple[Value, ...]:
        num0, num1, den0, den1, dnum0, dnum1, dden0, dden1, value, slope = state
        n = n + 1.0
        up, across = -n * (n - a), x + 2.0 * n + 1.0 - a
        num2, den2 = across * num1 + up * num0, across * den1 + up * den0
        dnum2 = across * dnum1 - num1 + up * dnum0 + n * num0
        dden2 = across * dden1 - den1 + up * dden0 + n * den0
        # Everything is homogeneous in the convergents: dividing by the size of the latest prevents overflow.
        size = m.abs(den2)
        scale = 1.0 / m.select(size == 0.0, 1.0, size)
        moved = [v * scale for v in (num1, num2, den1, den2, dnum1, dnum2, dden1, dden2)]
        inverse = 1.0 / moved[3]
        new = moved[1] * inverse
        part = moved[5] * inverse
        new_slope = part - new * moved[7] * inverse
        more = m.abs(new - value) > 2.0 * EPS * m.abs(new)
        # The two parts cancel in most digits: their rounding, not that of the slope, is what remains at the end.
        more = more | (m.abs(new_slope - slope) > 4.0 * EPS * m.abs(part))
        # Slopes may stand still where they turn round: several must agree.
        calm = m.select(more, 0.0, calm + 1.0)
        return calm < CALM, n, calm, *moved, new, new_slope

    zero, one = m.const(0.0, a), m.const(1.0, a)
    den1 = x + 1.0 - a
    start = (zero, zero, zero, one, one, den1, zero, zero, zero, -one, 1.0 / den1, 1.0 / (den1 * den1))
    *_, value, slope = m.iterate(going, step, start, LIMIT)
    return -x * (value * (vecmath.log(m, x) - vecmath.digamma(m, a)) + slope)


def _wilson_hilferty(m: ScalarBuilder, a: Value, x: Value) -> Value:
    """x = a (1 - 1/(9a) + z / (3 sqrt a))**3 with a standard normal z: minus the derivative of x by a at fixed z."""
    root = vecmath.cbrt(m, x / a)
    return -(root * root * root + root * root * (1.0 / (3.0 * a) - 1.5 * (root - 1.0 + 1.0 / (9.0 * a))))


def _trigamma(m: ScalarBuilder, a: Value) -> Value:
    """The derivative of digamma for positive a: recurrence, and then the asymptotic series."""
    total = m.const(0.0, a)
    for k in range(TRIGAMMA_SHIFT):
        total = total + 1.0 / ((a + float(k)) * (a + float(k)))
    inverse = 1.0 / (a + float(TRIGAMMA_SHIFT))
    square = inverse * inverse
    return total + inverse * (1.0 + inverse * 0.5 + square * polynomial(m, square, BERNOULLI))


def _series_curvature(m: ScalarBuilder, going: Value, a: Value, x: Value) -> Value:
    """The derivative of `_series`: e_n is that of d_n, so that the second derivative of c_n is c_n (d_n**2 + e_n)."""

    def step(m: ScalarBuilder, n: Value, c: Value, d: Value, e: Value, *sums: Value) -> tuple[Value, ...]:
        total, slope, second = sums
        n = n + 1.0
        inverse = 1.0 / (a + n)
        c, d, e = c * (x * inverse), d - inverse, e + inverse * inverse
        term = c * (d * d + e)
        total, slope, second = total + c, slope + c * d, second + term
        return (n <= 2.0) | (term > EPS * second), n, c, d, e, total, slope, second

    zero, one = m.const(0.0, a), m.const(1.0, a)
    *_, total, slope, second = m.iterate(going, step, (zero, one, zero, zero, one, zero, zero), LIMIT)
    log = vecmath.log(m, x) - vecmath.digamma(m, a + 1.0)
    return x / a * (slope * log - total * _trigamma(m, a + 1.0) + second - (total * log + slope) / a)


def _fraction_curvature(m: ScalarBuilder, going: Value, a: Value, x: Value) -> Value:
    """The derivative of `_fraction`; the convergents have second derivatives (marked by s) besides."""

    def step(m: ScalarBuilder, n: Value, calm: Value, *state: Value) -> tuple[Value, ...]:
        num0, num1, den0, den1, dnum0, dnum1, dden0, dden1, snum0, snum1, sden0, sden1, value, slope, second = state
        n = n + 1.0
        up, across = -n * (n - a), x + 2.0 * n + 1.0 - a
        new = (
            num1, across * num1 + up * num0,
            den1, across * den1 + up * den0,
            dnum1, across * dnum1 - num1 + up * dnum0 + n * num0,
            dden1, across * dden1 - den1 + up * dden0 + n * den0,
            snum1, across * snum1 - 2.0 * dnum1 + up * snum0 + 2.0 * n * dnum0,
            sden1, across * sden1 - 2.0 * dden1 + up * sden0 + 2.0 * n * dden0,
        )  # fmt: skip
        size = m.abs(new[3])
        scale = 1.0 / m.select(size == 0.0, 1.0, size)
        moved = [v * scale for v in new]
        inverse = 1.0 / moved[3]
        new_value = moved[1] * inverse
        slope_part, part = moved[5] * inverse, moved[9] * inverse
        new_slope = slope_part - new_value * moved[7] * inverse
        new_second = part - (2.0 * new_slope * moved[7] + new_value * moved[11]) * inverse
        more = m.abs(new_value - value) > 2.0 * EPS * m.abs(new_value)
        more = more | (m.abs(new_slope - slope) > 4.0 * EPS * m.abs(slope_part))
        more = more | (m.abs(new_second - second) > 8.0 * EPS * m.abs(part))
        calm = m.select(more, 0.0, calm + 1.0)
        return calm < CALM, n, calm, *moved, new_value, new_slope, new_second

    zero, one = m.const(0.0, a), m.const(1.0, a)
    den1 = x + 1.0 - a
    first = 1.0 / den1
    start = (zero, zero, zero, one, one, den1, zero, zero, zero, -one, *[zero] * 4)
    start = (*start, first, first * first, 2.0 * first * first * first)
    *_, value, slope, second = m.iterate(going, step, start, LIMIT)
    log = vecmath.log(m, x) - vecmath.digamma(m, a)
    return -x * (slope * log - value * _trigamma(m, a) + second)


def _wilson_hilferty_curvature(m: ScalarBuilder, a: Value, x: Value) -> Value:
    """The derivative of `_wilson_hilferty` by a."""
    root = vecmath.cbrt(m, x / a)
    return root * root / a * (1.0 - 0.5 * root + 5.0 / (18.0 * a))


def _wilson_hilferty_slope(m: ScalarBuilder, a: Value, x: Value) -> Value:
    """The derivative of `_wilson_hilferty` by x."""
    root = vecmath.cbrt(m, x / a)
    return root * root / x * (0.5 * root - 1.0 - 1.0 / (9.0 * a))


def _regions(a: Value, x: Value) -> tuple[Value, Value, Value, Value]:
    """Where the functions are defined, and of that where each expansion serves: for large a, a series, a fraction."""
    valid = (a > 0.0) & (x > 0.0) & (a < INF) & (x < INF)
    large = valid & (a > LARGE)
    series = valid & ~large & (x <= a + 1.0)
    return valid, large, series, valid & ~large & ~series


def parameter_slope(m: ScalarBuilder, a: Value, x: Value) -> Value:
    """(dP/da) / p; 0 at x = 0 and NaN outside of the domain."""
    valid, _, series, fraction = _regions(a, x)
    result = m.select(series, _series(m, series, a, x), _wilson_hilferty(m, a, x))
    result = m.select(fraction, _fraction(m, fraction, a, x), result)
    result = m.select(valid, result, NAN)
    return m.select((a > 0.0) & (x == 0.0), 0.0, result)


@iterative
def random_gamma_grad(m: ScalarBuilder, a: Value, x: Value) -> tuple[Value, ...]:
    """Derivative of a gamma variate x by its parameter a at a fixed probability."""
    return (-parameter_slope(m, a, x),)


@iterative
def random_gamma_grad_a(m: ScalarBuilder, a: Value, x: Value) -> tuple[Value, ...]:
    """The derivative of ``random_gamma_grad`` by a."""
    valid, _, series, fraction = _regions(a, x)
    result = m.select(series, _series_curvature(m, series, a, x), _wilson_hilferty_curvature(m, a, x))
    result = m.select(fraction, _fraction_curvature(m, fraction, a, x), result)
    result = m.select(valid, -result, NAN)
    return (m.select((a > 0.0) & (x == 0.0), 0.0, result),)


@iterative
def random_gamma_grad_x(m: ScalarBuilder, a: Value, x: Value) -> tuple[Value, ...]:
    """The derivative of ``random_gamma_grad`` by x, which follows from its value."""
    valid, large, _, _ = _regions(a, x)
    slope = parameter_slope(m, a, x)
    result = vecmath.log(m, x) - vecmath.digamma(m, a) - slope * ((a - 1.0) / x - 1.0)
    result = m.select(large, _wilson_hilferty_slope(m, a, x), result)
    result = m.select(valid, -result, NAN)
    return (m.select((a > 0.0) & (x == 0.0), INF, result),)


@iterative
def igamma_grad_a(m: ScalarBuilder, a: Value, x: Value) -> tuple[Value, ...]:
    """Derivative of P(a, x) by a."""
    density = gamma_weight(m, a, x) * a / x
    ends = (a > 0.0) & ((x == 0.0) | (x == INF))
    return (m.select(ends, 0.0, parameter_slope(m, a, x) * density),)
