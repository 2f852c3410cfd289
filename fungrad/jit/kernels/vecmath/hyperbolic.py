"""Hyperbolic functions and their inverses.

`sinh` and `cosh` start from exp of |x|, `tanh` from expm1 of 2 |x|; the inverses are logarithms of 1 +
something small, in the forms of fdlibm (Sun Microsystems, 1993), so that they keep their relative
accuracy at 0.
"""

from __future__ import annotations

from fungrad.jit.kernels.scalars import ScalarBuilder, Value
from fungrad.jit.kernels.vecmath.coefficients import EXPM1, LN2, LOG2E, SINH
from fungrad.jit.kernels.vecmath.core import (
    INF,
    NAN,
    elementary,
    fast_two_sum,
    polynomial,
    power_of_two,
    shifted_round,
)
from fungrad.jit.kernels.vecmath.exp_log import EXP_RANGE, exp_parts, log1p_finite

TANH_LIMIT = {"f32": 10.0, "f64": 20.0}  # tanh rounds to 1 from here on
# expm1(2 r) / 2 = r + r**2 P(r)
_HALF_EXPM1 = {type: tuple(c * 2.0 ** (k + 1) for k, c in enumerate(cs)) for type, cs in EXPM1.items()}
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
    return half + quarter_over(m, half)


def quarter_over(m: ScalarBuilder, half: Value) -> Value:
    """1 / (4 half), which need not be right where half is so large that it does not count: it must not get subnormal,
    which is slow."""
    return 0.25 / m.min(m.const(2.0**60, half), half)


@elementary
def sinh(m: ScalarBuilder, x: Value) -> Value:
    """Hyperbolic sine."""
    size = m.abs(x)
    half = half_exp(m, size)
    square = x * x
    small = m.fma(size * square, polynomial(m, square, SINH[x.type]), size)
    y = m.select(size < 1.0, small, half - quarter_over(m, half))
    return m.copysign(y, x)


@elementary
def tanh(m: ScalarBuilder, x: Value) -> Value:
    """Hyperbolic tangent.

    With t = expm1(2 |x|) / 2 it is q = t / (t + 1). Where t is small, t - t q halves the error; where it is
    large, 1 - 1 / (t + 1) does.
    """
    size, type = m.min(m.const(TANH_LIMIT[x.type], x), m.abs(x)), x.type
    n, bits = shifted_round(m, size, 2.0 * LOG2E[type][0])
    ln2_high, ln2_low, _ = LN2[type]
    r = m.fma(n, -0.5 * ln2_low, m.fma(n, -0.5 * ln2_high, size))  # 2 |x| = n log(2) + 2 r
    half = m.fma(r * r, polynomial(m, r, _HALF_EXPM1[type]), r)
    power = power_of_two(m, bits, type)
    t = m.fma(power, half, m.fma(power, 0.5, -0.5))
    large = t > 1.0
    q = m.select(large, -1.0, t) / (t + 1.0)
    return m.copysign(m.select(large, q + 1.0, m.fma(-t, q, t)), x)


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
