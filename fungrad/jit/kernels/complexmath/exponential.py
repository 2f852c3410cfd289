"""Exponentials, logarithms, roots and powers of complex values.

Arguments whose real part is very large, or that are not finite, take the `rare` path of the builder.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from fungrad.jit.kernels import vecmath
from fungrad.jit.kernels.complexmath.arithmetic import reciprocal
from fungrad.jit.kernels.complexmath.builder import ComplexScalars, is_complex
from fungrad.jit.kernels.scalars import ScalarBuilder, Value
from fungrad.jit.kernels.vecmath.core import INF, NAN, two_product, two_sum

# The exponential of this is finite; beyond, it is a product of several.
EXP_STEP = {"f32": 88.0, "f64": 709.0}
# Powers with smaller whole exponents are products.
WHOLE_POWERS = 100
# Square roots scale numbers that are (above, below) these by these powers of four, so that squares stay in range.
SQRT_RANGE = {
    "f32": ((2.0**62, 2.0**-66), (2.0**-56, 2.0**96)),
    "f64": ((2.0**510, 2.0**-520), (2.0**-480, 2.0**600)),
}


def finite(m: ScalarBuilder, x: Value) -> Value:
    """Whether a real value is neither infinite nor NaN."""
    return m.abs(x) < INF


def stepped_exp(m: ScalarBuilder, x: Value) -> tuple[Value, Value, Value]:
    """exp(x) as a product of three finite numbers, as long as x is below three times `EXP_STEP`."""
    step = EXP_STEP[x.type]
    once, twice = x > step, x > 2 * step
    first = m.select(once, math.exp(step), m.const(1.0, x))
    second = m.select(twice, math.exp(step), m.const(1.0, x))
    rest = x - m.select(once, step, m.const(0.0, x)) - m.select(twice, step, m.const(0.0, x))
    return vecmath.exp(m, rest), first, second


def exp(m: ComplexScalars, z: Any) -> Value:
    """exp(x) (cos(y) + i sin(y))."""
    x, y = z.re, z.im
    size = vecmath.exp(m.base, x)
    usual = size * vecmath.cos(m.base, y), size * vecmath.sin(m.base, y)
    far = ~(m.base.abs(x) < EXP_STEP[x.type]) | ~finite(m.base, y)
    return m.complex(*m.base.rare(far, usual, exp_far, x, y))


def exp_far(m: ScalarBuilder, x: Value, y: Value) -> tuple[Value, ...]:
    """`exp` where exp(x) overflows, though the product need not, and at infinities."""
    size, first, second = stepped_exp(m, x)
    re = size * vecmath.cos(m, y) * first * second
    im = size * vecmath.sin(m, y) * first * second
    no_angle = (m.abs(x) == INF) & ~finite(m, y)
    re = m.select(no_angle, m.select(x > 0, INF, m.const(0.0, x)), re)
    im = m.select(no_angle & (x < 0), 0.0, im)
    return re, m.select(y == 0, y, im)


def expm1(m: ComplexScalars, z: Any) -> Value:
    """exp(z) - 1 without cancellation: Re = expm1(x) cos(y) - 2 sin(y/2)**2."""
    whole: Any = exp(m, z)
    half = vecmath.sin(m.base, z.im * 0.5)
    near = vecmath.expm1(m.base, z.re) * vecmath.cos(m.base, z.im) - 2.0 * half * half
    near = m.select(near == 0, 0.0, near)
    far = (z.re > 30.0) | ~finite(m.base, z.re) | ~finite(m.base, z.im)
    return m.complex(m.select(far, whole.re - 1.0, near), whole.im)


def _log_of_size(m: ScalarBuilder, large: Value, small: Value, excess: Value) -> Value:
    """log of the length of (large, small), 0 <= small <= large; `excess` is its square minus 1, to be used near 1."""
    near = (large >= 0.5) & (large <= 2.0)
    ratio = m.select((large > 0) & (large < INF), small / large, 0.0)
    whole = vecmath.log(m, m.select(near, 1.0, large))
    return whole + 0.5 * vecmath.log1p(m, m.select(near, excess, ratio * ratio))


def log(m: ComplexScalars, z: Any) -> Value:
    """log|z| + i arg z, with log|z| accurate where |z| is near 1."""
    b = m.base
    x, y = b.abs(z.re), b.abs(z.im)
    large, small = b.max(x, y), b.min(x, y)
    with b.precise():
        # |z|**2 - 1 with the rounding errors of squares and sums added up.
        p, p_low = two_product(b, large, large)
        q, q_low = two_product(b, small, small)
        s, s_low = two_sum(b, p, b.const(-1.0, p))
        t, t_low = two_sum(b, s, q)
        excess = t + (s_low + t_low + (p_low + q_low))
    return m.complex(_finish_log(b, x, y, large, small, excess), vecmath.atan2(b, z.im, z.re))


def _finish_log(m: ScalarBuilder, x: Value, y: Value, large: Value, small: Value, excess: Value) -> Value:
    re = _log_of_size(m, large, small, excess)
    re = m.select(m.is_nan(x) | m.is_nan(y), NAN, re)
    return m.select((x == INF) | (y == INF), INF, re)


def logaddexp(m: ComplexScalars, a: Any, b: Any) -> Value:
    """log(exp(a) + exp(b)), with the larger real part taken out."""
    size = m.maximum(a.re, b.re)
    size = m.select(m.abs(size) < INF, size, 0.0)
    rest: Any = log(m, exp(m, m.complex(a.re - size, a.im)) + exp(m, m.complex(b.re - size, b.im)))
    return m.complex(rest.re + size, rest.im)


def log1p(m: ComplexScalars, z: Any) -> Value:
    """log(1 + z), accurate where z is near 0."""
    b = m.base
    across = 1.0 + z.re
    x, y = b.abs(across), b.abs(z.im)
    large, small = b.max(x, y), b.min(x, y)
    with b.precise():
        # |1 + z|**2 - 1 = 2 x + x**2 + y**2
        p, p_low = two_product(b, z.re, z.re)
        q, q_low = two_product(b, z.im, z.im)
        s, s_low = two_sum(b, z.re + z.re, p)
        t, t_low = two_sum(b, s, q)
        excess = t + (s_low + t_low + (p_low + q_low))
    return m.complex(_finish_log(b, x, y, large, small, excess), vecmath.atan2(b, z.im, across))


def sqrt(m: ComplexScalars, z: Any) -> Value:
    """The root in the right half plane; continuous from above on the negative axis, from below for -0."""
    b = m.base
    x, y = z.re, z.im
    size = b.max(b.abs(x), b.abs(y))
    (above, down), (below, up) = SQRT_RANGE[x.type]
    one = b.const(1.0, x)
    scale = b.select(size > above, down, b.select(size < below, up, one))
    back = b.select(size > above, down**-0.5, b.select(size < below, up**-0.5, one))
    across, along = b.abs(x) * scale, b.abs(y) * scale
    length = b.sqrt(b.fma(across, across, along * along))
    root = b.sqrt(0.5 * (across + length))
    other = b.select(root == 0, 0.0, along / (root + root)) * back
    root = root * back
    right = ~(x < 0)
    re, im = b.select(right, root, other), b.copysign(b.select(right, other, root), y)
    # Infinities win over NaN in the other part.
    spread = b.select(b.is_nan(y), NAN, b.const(0.0, x))
    infinite = b.abs(x) == INF
    re = b.select(infinite, b.select(right, INF, spread), re)
    im = b.select(infinite, b.copysign(b.select(right, spread, INF), y), im)
    tall = b.abs(y) == INF
    return m.complex(b.select(tall, INF, re), b.select(tall, y, im))


def rsqrt(m: ComplexScalars, z: Any) -> Value:
    """1 / sqrt(z)."""
    return reciprocal(m, sqrt(m, z))


def exp2(m: ComplexScalars, z: Any) -> Value:
    """2**z."""
    return exp(m, m.complex(z.re * math.log(2), z.im * math.log(2)))


def logistic(m: ComplexScalars, z: Any) -> Value:
    """1 / (1 + exp(-z))."""
    return reciprocal(m, exp(m, -z) + 1.0)


def pow(m: ComplexScalars, z: Any, y: Value) -> Value:
    """z**y: by repeated squaring for small whole y, otherwise exp(y log(z)) in double precision.

    The result is 1 for y = 0; a power of 0 is 0 if the real part of y is positive, otherwise NaN. These are the cases
    of NumPy.
    """
    wide: Any = m.convert(z, "c128")
    exponent: Any = m.convert(y, "c128") if is_complex(y) else m.convert(m.convert(y, "f64"), "c128")
    power = m.convert(exp(m, exponent * log(m, wide)), z.type)
    whole = (exponent.im == 0) & (m.rint(exponent.re) == exponent.re) & (m.abs(exponent.re) < WHOLE_POWERS)
    count = m.convert(m.select(whole, exponent.re, 0.0), "i32")
    power = m.select(whole, whole_power(m, z, count), power)
    of_zero = m.select(exponent.re > 0, m.const(0, z), m.const(complex(NAN, NAN), z))
    power = m.select(z == 0, of_zero, power)
    return m.select(exponent == 0, m.const(1, z), power)


def whole_power(m: ComplexScalars, z: Any, n: Value) -> Value:
    """z**n for an integer |n| < `WHOLE_POWERS`."""
    size = m.abs(n)
    one = m.const(1, z)
    result, base = one, z
    for bit in range(WHOLE_POWERS.bit_length()):
        used = (size & (1 << bit)) != 0
        # The first factor is not multiplied with 1, which would make NaN of infinities.
        first = (size & ((1 << bit) - 1)) == 0
        result = m.select(used, m.select(first, base, result * base), result)
        base = base * base
    return m.select(n < 0, one / result, result)


RULES: dict[str, Callable[..., Value]] = {
    f.__name__: f for f in (exp, expm1, log, log1p, sqrt, rsqrt, exp2, logistic, pow)
}
