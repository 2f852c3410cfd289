"""Inverse circular and hyperbolic functions of complex values.

asin and acos follow T. E. Hull, T. F. Fairgrieve and P. T. P. Tang, "Implementing the complex arcsine and arccosine
functions using exception handling" (1997), with one formula on both sides of their crossovers: with r and s the
distances of z from -1 and 1 and a = (r + s) / 2,

    asin z = atan2(x, sqrt(a**2 - x**2)) + i log(a + sqrt(a**2 - 1)),

where a - x and a - 1 are sums of quotients that do not cancel. atanh follows W. Kahan, "Branch cuts for complex
elementary functions" (1987).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from fungrad.jit.kernels import vecmath
from fungrad.jit.kernels.complexmath.builder import ComplexScalars
from fungrad.jit.kernels.scalars import ScalarBuilder, Value
from fungrad.jit.kernels.vecmath.core import INF, NAN

# Beyond this size 1 / z**2 is nothing beside 1.
FAR = {"f32": 2.0**20, "f64": 2.0**40}
# Below this the square of a number may underflow.
SMALL = {"f32": 2.0**-60, "f64": 2.0**-500}


def _arc(m: ScalarBuilder, x: Value, y: Value) -> tuple[Value, Value]:
    """(d, h) with asin(x + i y) = atan2(x, d) + i h for x, y >= 0, and acos = atan2(d, x) - i h."""
    r, s = vecmath.hypot(m, x + 1.0, y), vecmath.hypot(m, x - 1.0, y)
    a = 0.5 * (r + s)
    inside = x < 1.0
    # y**2 / (r + x + 1) = r - (x + 1) and so on, with the factor y kept apart lest its square underflow.
    outer = 1.0 / (r + (x + 1.0))
    inner = 1.0 / (s + m.abs(x - 1.0))
    both = 0.5 * (outer + inner)
    mixed = 0.5 * (y * (y * outer) + (s + m.abs(x - 1.0)))
    less_x = m.select(x > 1.0, y * m.sqrt((a + x) * both), m.sqrt((a + x) * mixed))
    less_one = m.select(inside, y * m.sqrt((a + 1.0) * both), m.sqrt((a + 1.0) * mixed))
    a_minus_one = m.select(inside, y * (y * both), mixed)
    return less_x, vecmath.log1p(m, a_minus_one + less_one)


def _log_far(m: ScalarBuilder, x: Value, y: Value) -> Value:
    """log(2 |z|) for large numbers; infinite if a part is."""
    size = vecmath.hypot(m, x * 0.25, y * 0.25)
    return vecmath.log(m, size) + math.log(8.0)


def _is_far(m: ScalarBuilder, x: Value, y: Value) -> Value:
    return ~(m.max(x, y) < FAR[x.type]) | m.is_nan(x) | m.is_nan(y)


def asin(m: ComplexScalars, z: Any) -> Value:
    """Inverse sine; cuts on the real axis outside [-1, 1]."""
    b = m.base
    x, y = b.abs(z.re), b.abs(z.im)
    d, h = _arc(b, x, y)
    re, im = b.rare(_is_far(b, x, y), (vecmath.atan2(b, x, d), h), asin_far, x, y)
    return m.complex(b.copysign(re, z.re), b.copysign(im, z.im))


def asin_far(m: ScalarBuilder, x: Value, y: Value) -> tuple[Value, ...]:
    """`asin` of large numbers in the first quadrant, and of those with a part that is not finite."""
    re = vecmath.atan2(m, x, y)
    return m.select((x == 0) & m.is_nan(y), x, re), _log_far(m, x, y)


def acos(m: ComplexScalars, z: Any) -> Value:
    """Inverse cosine; cuts on the real axis outside [-1, 1]."""
    b = m.base
    x, y = b.abs(z.re), b.abs(z.im)
    d, h = _arc(b, x, y)
    re, im = b.rare(_is_far(b, x, y), (vecmath.atan2(b, d, z.re), h), acos_far, z.re, y)
    return m.complex(re, -b.copysign(im, z.im))


def acos_far(m: ScalarBuilder, x: Value, y: Value) -> tuple[Value, ...]:
    """`acos` of large numbers in the upper half plane, and of those with a part that is not finite."""
    re = vecmath.atan2(m, y, x)
    return m.select((x == 0) & m.is_nan(y), math.pi / 2, re), _log_far(m, m.abs(x), y)


def acosh(m: ComplexScalars, z: Any) -> Value:
    """Inverse hyperbolic cosine, with a real part of at least 0; cut on the real axis below 1."""
    w: Any = acos(m, z)
    b = m.base
    return m.complex(b.abs(w.im), b.copysign(w.re, z.im))


def atanh(m: ComplexScalars, z: Any) -> Value:
    """Inverse hyperbolic tangent; cuts on the real axis outside (-1, 1)."""
    b = m.base
    x, y = b.abs(z.re), b.abs(z.im)
    gap = 1.0 - x
    re = 0.25 * vecmath.log1p(b, 4.0 * x / b.fma(gap, gap, y * y))
    im = 0.5 * vecmath.atan2(b, y + y, gap * (1.0 + x) - y * y)
    special = _is_far(b, x, y) | ((x == 1.0) & (y < SMALL[x.type]))
    re, im = b.rare(special, (re, im), atanh_special, x, y)
    return m.complex(b.copysign(re, z.re), b.copysign(im, z.im))


def atanh_special(m: ScalarBuilder, x: Value, y: Value) -> tuple[Value, ...]:
    """`atanh` in the first quadrant of large numbers, beside 1, and where a part is not finite."""
    # 1/z has the real part x / (x**2 + y**2); by the larger part first, lest the squares overflow.
    large, small = m.max(x, y), m.min(x, y)
    ratio = small / large
    inverse = m.select(x >= y, 1.0, ratio) / (large * m.fma(ratio, ratio, m.const(1.0, x)))
    infinite = (x == INF) | (y == INF)
    inverse = m.select(infinite, 0.0, inverse)
    beside = (x == 1.0) & (y < 1.0)
    re = m.select(beside, 0.5 * (math.log(2.0) - vecmath.log(m, y)), inverse)
    im = m.select(beside, m.select(y == 0, 0.0, m.const(math.pi / 4, y)), math.pi / 2)
    lost = m.is_nan(x) | m.is_nan(y)
    re = m.select(lost & ~infinite, m.select(x == 0, x, NAN), re)
    im = m.select(lost & (y != INF), NAN, im)
    return re, im


def _turned(function: Callable[..., Any]) -> Callable[..., Value]:
    """-i f(i z)."""

    def rule(m: ComplexScalars, z: Any) -> Value:
        w = function(m, m.complex(-z.im, z.re))
        return m.complex(w.im, -w.re)

    return rule


def asinh(m: ComplexScalars, z: Any) -> Value:
    """Inverse hyperbolic sine, i asin(-i z); cuts on the imaginary axis outside [-i, i]."""
    w: Any = asin(m, m.complex(z.im, -z.re))
    return m.complex(-w.im, w.re)


atan = _turned(atanh)

RULES: dict[str, Callable[..., Value]] = {
    "asin": asin,
    "acos": acos,
    "atan": atan,
    "asinh": asinh,
    "acosh": acosh,
    "atanh": atanh,
}
