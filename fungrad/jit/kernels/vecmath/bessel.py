"""Modified Bessel functions of the first kind, scaled by exp(-|x|)."""

from __future__ import annotations

from fungrad.jit.kernels.scalars import ScalarBuilder, Value
from fungrad.jit.kernels.vecmath.coefficients import (
    BESSEL_I0,
    BESSEL_I0_TAIL,
    BESSEL_I1,
    BESSEL_I1_TAIL,
)
from fungrad.jit.kernels.vecmath.core import elementary, polynomial, two_product
from fungrad.jit.kernels.vecmath.exp_log import exp_parts


@elementary
def bessel_i0e(m: ScalarBuilder, x: Value) -> Value:
    """exp(-|x|) I0(x)."""
    size = m.abs(x)
    near = polynomial(m, x * x, BESSEL_I0[x.type]) * decay(m, size)
    return m.select(size < 8.0, near, tail(m, size, BESSEL_I0_TAIL))


@elementary
def bessel_i1e(m: ScalarBuilder, x: Value) -> Value:
    """exp(-|x|) I1(x)."""
    size = m.abs(x)
    near = x * (polynomial(m, x * x, BESSEL_I1[x.type]) * decay(m, size))
    return m.select(size < 8.0, near, m.copysign(tail(m, size, BESSEL_I1_TAIL), x))


def decay(m: ScalarBuilder, size: Value) -> Value:
    """exp(-size) for 0 <= size <= 8, NaN for NaN, with a correction for the rounding of size**2.

    I0 grows like an exponential, so that rounding alone would cost 2 units. The logarithmic
    derivative of I0 by size**2 is near 1 / (2 size + 4).
    """
    held = m.min(m.const(8.0, size), size)
    _, lost = two_product(m, held, held)
    p, s, t = exp_parts(m, -held, lost / m.fma(held, 2.0, 4.0))
    return p * (s * t)


def tail(m: ScalarBuilder, size: Value, table: dict[str, tuple[float, ...]]) -> Value:
    """P(1 / size) / sqrt(size), for size >= 8."""
    # the reciprocal of the greatest numbers would be subnormal, which is slow
    inverse = 1.0 / m.min(m.const(2.0**100, size), size)
    return polynomial(m, inverse, table[size.type]) / m.sqrt(size)
