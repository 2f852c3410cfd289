"""Hyperbolic functions and their inverses.

`sinh`, `cosh` and `tanh` start from exp or expm1 of |x|; the inverses are logarithms of 1 +
something small, in the forms of fdlibm (Sun Microsystems, 1993), so that they keep their relative
accuracy at 0.
"""

from __future__ import annotations

from fungrad.jit.kernels.scalars import ScalarBuilder, Value
from fungrad.jit.kernels.vecmath.coefficients import LN2, SINH
from fungrad.jit.kernels.vecmath.core import (
    INF,
    NAN,
    elementary,
    fast_two_sum,
    polynomial,
    power_of_two,
)
from fungrad.jit.kernels.vecmath.exp_log import EXP_RANGE, exp_parts, expm1_parts, log1p_finite

TANH_LIMIT = {"f32": 10.0, "f64": 20.0}  # tanh rounds to 1 from here on
LARGE = {"f32": 2.0**30, "f64": 2.0**60}  # log1p(x) is log(x) from here on; x**2 is still finite


def half_exp(m: ScalarBuilder, size: Value) -> Value:
    """exp(size) / 2 for size >= 0, also where exp(size) itself overflows."""
    limit = EXP_RANGE[size.type][1] + 1.0
    p, s, t = exp_parts(m, m.min(m.const(limit, size), size))
    return p * (s * 0.5) * t


@elementary
def cosh(m: ScalarBuilder, x: Value) -> Value:
    """Hyperbolic cosine."""
    half = half_exp(m, m.abs(x))
    return half + 0.25 / half


@elementary
def sinh(m: ScalarBuilder, x: Value) -> Value:
    """Hyperbolic sine."""
    size = m.abs(x)
    half = half_exp(m, size)
    square = x * x
    small = m.fma(size * square, polynomial(m, square, SINH[x.type]), size)
    y = m.select(size < 1.0, small, half - 0.25 / half)
    return m.copysign(y, x)


@elementary
def tanh(m: ScalarBuilder, x: Value) -> Value:
    """Hyperbolic tangent.

    With t = expm1(2 |x|) it is q = t / (t + 2). Where t is small, t / 2 - t q / 2 halves the error;
    where it is large, 1 - 2 / (t + 2) does.
    """
    size = m.min(m.const(TANH_LIMIT[x.type], x), m.abs(x))
    q, n = expm1_parts(m, size * 2.0)
    power = power_of_two(m, n, x.type)
    t = m.fma(power, q, power - 1.0)
    large = t > 2.0
    quotient = m.select(large, -2.0, t) / (t + 2.0)
    half = t * 0.5
    y = m.select(large, quotient + 1.0, m.fma(-half, quotient, half))
    return m.copysign(y, x)


@elementary
def asinh(m: ScalarBuilder, x: Value) -> Value:
    """Inverse hyperbolic sine."""
    size = m.abs(x)
    square = size * size
    u, low = fast_two_sum(m, size, square / (m.sqrt(square + 1.0) + 1.0))
    return m.copysign(log_of_sum(m, size, u, low), x)


@elementary
def acosh(m: ScalarBuilder, x: Value) -> Value:
    """Inverse hyperbolic cosine; NaN below 1."""
    t = x - 1.0
    u, low = fast_two_sum(m, m.sqrt(m.fma(t, t, t + t)), t)
    return m.select(x < 1.0, NAN, log_of_sum(m, x, u, low))


def log_of_sum(m: ScalarBuilder, size: Value, u: Value, low: Value) -> Value:
    """log(1 + u + low), or log(2 size) where size is so large that u cannot be computed."""
    large = size >= LARGE[size.type]
    y = log1p_finite(m, m.select(large, size, u), m.select(large, 0.0, low))
    y = y + m.select(large, LN2[size.type][0], m.const(0.0, size))
    return m.select(size < INF, y, size)


@elementary
def atanh(m: ScalarBuilder, x: Value) -> Value:
    """Inverse hyperbolic tangent; infinite at -1 and 1, NaN beyond."""
    size = m.abs(x)
    twice = size + size
    u = m.fma(twice, size / (1.0 - size), twice)
    y = log1p_finite(m, u) * 0.5
    y = m.select(size < 1.0, y, m.select(size == 1.0, INF, m.const(NAN, x)))
    return m.copysign(y, x)
