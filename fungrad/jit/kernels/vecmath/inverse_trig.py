"""Inverse trigonometric functions.

References: W. J. Cody and W. Waite, "Software Manual for the Elementary Functions" (1980) for the
half-angle form of asin and acos near 1 and the tan(pi/8) break of atan.
"""

from __future__ import annotations

from fungrad.jit.kernels.scalars import ScalarBuilder, Value
from fungrad.jit.kernels.vecmath.coefficients import ASIN, ATAN, HALF_PI
from fungrad.jit.kernels.vecmath.core import FORMATS, INF, elementary, polynomial

TAN_PI_8 = 0.4142135623730951


def asin_reduced(m: ScalarBuilder, x: Value) -> tuple[Value, Value, Value]:
    """(near_one, z, beyond) with asin(z) = z + beyond.

    Up to 1/2, z is |x|; above, it is sqrt((1 - |x|) / 2), of which twice the asin is acos(|x|).
    """
    size = m.abs(x)
    near_one = size > 0.5
    half_gap = m.fma(size, -0.5, m.const(0.5, x))  # exact where it is used
    square = m.select(near_one, half_gap, x * x)
    z = m.select(near_one, m.sqrt(half_gap), size)
    return near_one, z, z * square * polynomial(m, square, ASIN[x.type])


@elementary
def asin(m: ScalarBuilder, x: Value) -> Value:
    """Inverse sine; NaN outside [-1, 1]."""
    near_one, z, beyond = asin_reduced(m, x)
    high, low, _ = HALF_PI[x.type]
    # pi/2 - 2 (z + beyond) in two halves, which leaves less to round
    half = m.const(0.5 * high, x)
    far = half + (m.fma(z, -2.0, half) - m.fma(beyond, 2.0, m.const(-low, x)))
    return m.copysign(m.select(near_one, far, z + beyond), x)


@elementary
def acos(m: ScalarBuilder, x: Value) -> Value:
    """Inverse cosine; NaN outside [-1, 1]."""
    near_one, z, beyond = asin_reduced(m, x)
    high, low, _ = HALF_PI[x.type]
    twice = 2.0 * (z + beyond)
    far = m.select(x < 0.0, 2.0 * high - (twice - 2.0 * low), twice)
    middle = high - (m.copysign(z, x) - (low - m.copysign(beyond, x)))
    return m.select(near_one, far, middle)


def atan_of_ratio(m: ScalarBuilder, a: Value, b: Value) -> Value:
    """atan(a / b) for 0 <= a <= b, b > 0."""
    # atan(t) = pi/4 + atan((t - 1) / (t + 1)) brings t under tan(pi/8)
    upper = a > b * TAN_PI_8
    z = m.select(upper, a - b, a) / m.select(upper, a + b, b)
    curved = m.select(m.abs(z) < 2.0**-40, 0.0, z)  # the square of less would be subnormal, which is slow
    square = curved * curved
    beyond = curved * square * polynomial(m, square, ATAN[z.type])
    high, low, _ = HALF_PI[z.type]
    base = m.select(upper, 0.5 * high, m.const(0.0, z))
    base_low = m.select(upper, 0.5 * low, m.const(0.0, z))
    return base + (z + (beyond + base_low))


@elementary
def atan(m: ScalarBuilder, x: Value) -> Value:
    """Inverse tangent."""
    size = m.min(m.const(2.0**100, x), m.abs(x))
    # Where both terms matter atan is done on the ratio of two numbers, with one division in all.
    large = size > 1.0
    one = m.const(1.0, x)
    y = atan_of_ratio(m, m.select(large, one, size), m.select(large, size, one))
    high, low, _ = HALF_PI[x.type]
    return m.copysign(m.select(large, high - (y - low), y), x)


@elementary
def atan2(m: ScalarBuilder, y: Value, x: Value) -> Value:
    """Angle of the point (x, y) in [-pi, pi], with the signs of zeros told apart."""
    up, across = m.abs(y), m.abs(x)
    steep = up > across
    a, b = m.select(steep, across, up), m.select(steep, up, across)
    # Two infinities are at pi/4 like two ones; the origin counts as a point on the axis.
    both_infinite = a == INF
    a, b = m.select(both_infinite, 1.0, a), m.select(both_infinite, 1.0, b)
    b = m.select(b == 0.0, 1.0, b)
    # a + b must not overflow
    shrink = m.select(b > 1.0, 0.25, m.const(1.0, b))
    angle = atan_of_ratio(m, a * shrink, b * shrink)
    high, low, _ = HALF_PI[x.type]
    angle = m.select(steep, high - (angle - low), angle)
    left = m.bitcast(x, FORMATS[x.type].signed) < 0
    angle = m.select(left, 2.0 * high - (angle - 2.0 * low), angle)
    angle = m.select(m.is_nan(x) | m.is_nan(y), x + y, angle)
    return m.copysign(angle, y)
