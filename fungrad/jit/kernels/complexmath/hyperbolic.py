"""Hyperbolic and circular functions of complex values: the circular ones are the hyperbolic ones of i z."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fungrad.jit.kernels import vecmath
from fungrad.jit.kernels.complexmath.builder import ComplexScalars
from fungrad.jit.kernels.complexmath.exponential import EXP_STEP, finite, stepped_exp
from fungrad.jit.kernels.scalars import ScalarBuilder, Value
from fungrad.jit.kernels.vecmath.core import INF

# From here on tanh(x) rounds to 1.
TANH_FAR = {"f32": 10.0, "f64": 20.0}


def _is_far(m: ScalarBuilder, x: Value, y: Value) -> Value:
    return ~(m.abs(x) < EXP_STEP[x.type]) | ~finite(m, y)


def _far_parts(m: ScalarBuilder, x: Value, y: Value) -> tuple[Value, Value]:
    """exp(|x|) / 2 times cos(y) and sin(y)."""
    size, first, second = stepped_exp(m, m.abs(x))
    size = size * 0.5
    return size * vecmath.cos(m, y) * first * second, size * vecmath.sin(m, y) * first * second


def sinh(m: ComplexScalars, z: Any) -> Value:
    """sinh(x) cos(y) + i cosh(x) sin(y)."""
    b, x, y = m.base, z.re, z.im
    usual = (
        vecmath.sinh(b, x) * vecmath.cos(b, y),
        vecmath.cosh(b, x) * vecmath.sin(b, y),
    )
    return m.complex(*b.rare(_is_far(b, x, y), usual, sinh_far, x, y))


def sinh_far(m: ScalarBuilder, x: Value, y: Value) -> tuple[Value, ...]:
    """`sinh` where exp(|x|) overflows, and at infinities."""
    re, im = _far_parts(m, x, y)
    near = m.abs(x) < EXP_STEP[x.type]
    re = m.select(near, vecmath.sinh(m, x) * vecmath.cos(m, y), re * m.copysign(m.const(1.0, x), x))
    im = m.select(near, vecmath.cosh(m, x) * vecmath.sin(m, y), im)
    no_angle = ~finite(m, y)
    re = m.select(no_angle & ((m.abs(x) == INF) | (x == 0)), x, re)
    return re, m.select(y == 0, y, im)


def cosh(m: ComplexScalars, z: Any) -> Value:
    """cosh(x) cos(y) + i sinh(x) sin(y)."""
    b, x, y = m.base, z.re, z.im
    usual = (
        vecmath.cosh(b, x) * vecmath.cos(b, y),
        vecmath.sinh(b, x) * vecmath.sin(b, y),
    )
    return m.complex(*b.rare(_is_far(b, x, y), usual, cosh_far, x, y))


def cosh_far(m: ScalarBuilder, x: Value, y: Value) -> tuple[Value, ...]:
    """`cosh` where exp(|x|) overflows, and at infinities."""
    re, im = _far_parts(m, x, y)
    near = m.abs(x) < EXP_STEP[x.type]
    re = m.select(near, vecmath.cosh(m, x) * vecmath.cos(m, y), re)
    im = m.select(near, vecmath.sinh(m, x) * vecmath.sin(m, y), im * m.copysign(m.const(1.0, x), x))
    no_angle = ~finite(m, y)
    re = m.select(no_angle & (m.abs(x) == INF), INF, re)
    im = m.select(no_angle & (x == 0), x, im)
    return re, m.select(y == 0, y * m.copysign(m.const(1.0, x), x), im)


def tanh(m: ComplexScalars, z: Any) -> Value:
    """(sinh(x) cosh(x) + i sin(y) cos(y)) / (sinh(x)**2 + cos(y)**2)."""
    b, x, y = m.base, z.re, z.im
    far = ~(b.abs(x) < TANH_FAR[x.type]) | ~finite(b, y)
    s, c = vecmath.sin(b, y), vecmath.cos(b, y)
    size = vecmath.sinh(b, x)
    divisor = b.fma(size, size, c * c)
    usual = size * vecmath.cosh(b, x) / divisor, s * c / divisor
    return m.complex(*b.rare(far, usual, tanh_far, x, y))


def tanh_far(m: ScalarBuilder, x: Value, y: Value) -> tuple[Value, ...]:
    """`tanh` where its real part is 1 or -1, and at infinities."""
    large = ~(m.abs(x) < TANH_FAR[x.type]) & (finite(m, y) | (m.abs(x) == INF))
    unit = m.copysign(m.const(1.0, x), x)
    decay = vecmath.exp(m, -m.abs(x))
    im = 4.0 * vecmath.sin(m, y) * vecmath.cos(m, y) * decay * decay
    im = m.select(m.abs(x) == INF, m.copysign(m.const(0.0, y), y), im)
    re = m.select(large, m.select(m.is_nan(x), x, unit), y - y)
    re = m.select(x == 0, x, re)
    return re, m.select(y == 0, y, im)


def _turned(function: Callable[..., Any]) -> Callable[..., Value]:
    """-i f(i z)."""

    def rule(m: ComplexScalars, z: Any) -> Value:
        w = function(m, m.complex(-z.im, z.re))
        return m.complex(w.im, -w.re)

    return rule


sin = _turned(sinh)
tan = _turned(tanh)


def cos(m: ComplexScalars, z: Any) -> Value:
    """cosh(i z)."""
    return cosh(m, m.complex(-z.im, z.re))


RULES: dict[str, Callable[..., Value]] = {
    "sinh": sinh,
    "cosh": cosh,
    "tanh": tanh,
    "sin": sin,
    "cos": cos,
    "tan": tan,
}
