"""Powers and roots.

`pow` is exp2(y log2|x|). Its logarithm needs about 12 bits more than the result has, since the
exponent of the result are bits of the product: a float32 power takes it in double, a float64 power
as a sum of two doubles, after the atanh series of fdlibm's e_pow.c (Sun Microsystems, 1993).
"""

from __future__ import annotations

from fungrad.jit.kernels.scalars import ScalarBuilder, Value
from fungrad.jit.kernels.vecmath.coefficients import (
    CBRT,
    EXP2,
    LOG2_ATANH,
    LOG2E,
    LOG_ATANH_TAIL,
    TWO_THIRDS,
)
from fungrad.jit.kernels.vecmath.core import (
    FORMATS,
    INF,
    NAN,
    clamp,
    elementary,
    fast_two_sum,
    polynomial,
    shifted_round,
    two_product,
)
from fungrad.jit.kernels.vecmath.exp_log import EXP2_RANGE, exp2_of_sum, scaled, split

SQRT_HALF = 0.7071067811865476


@elementary
def sqrt(m: ScalarBuilder, x: Value) -> Value:
    """Square root; NaN below 0."""
    return m.sqrt(x)


@elementary
def rsqrt(m: ScalarBuilder, x: Value) -> Value:
    """1 / sqrt(x)."""
    return 1.0 / m.sqrt(x)


@elementary
def cbrt(m: ScalarBuilder, x: Value) -> Value:
    """Cube root, of negative numbers too."""
    format = FORMATS[x.type]
    size = m.abs(x)
    subnormal = size < format.tiny
    lift = 9 if x.type == "f32" else 18  # thirds of the exponent by which subnormals are raised
    bits = m.bitcast(m.select(subnormal, size * 2.0 ** (3 * lift), size), format.bits)
    # |x| = 2**(3 third + rest) mantissa; the offset makes the biased exponent a multiple of 3
    offset = -format.bias % 3
    exponent = (bits >> format.digits) + offset
    third = (exponent * 21846) >> 16
    rest = exponent - third * 3
    one = format.bias << format.digits
    mantissa = m.bitcast((bits & format.fraction) | one, x.type)
    mantissa = mantissa * m.select(rest == 0, 1.0, m.select(rest == 1, 2.0, m.const(4.0, x)))
    start = m.bitcast((bits & format.fraction) | one, x.type)
    y = polynomial(m, start, CBRT[x.type])
    y = y * m.select(rest == 0, 1.0, m.select(rest == 1, 2.0 ** (1 / 3), m.const(4.0 ** (1 / 3), x)))
    for _ in range(1 if x.type == "f32" else 2):
        square = y * y
        y = y - m.fma(square, y, -mantissa) / (square * 3.0)
    bias = format.bias - (format.bias + offset) // 3
    field = third + m.select(subnormal, m.const(bias - lift, third), bias)
    y = m.copysign(y * m.bitcast(field << format.digits, x.type), x)
    return m.select((size > 0.0) & (size < INF), y, x)


def log2_double(m: ScalarBuilder, x: Value) -> Value:
    """log2 of a positive normal double to about 40 bits."""
    field, f = split(m, x, SQRT_HALF)
    f = f - 1.0
    s = f / (f + 2.0)
    e = m.bitcast(field | ((1023 + 52) << 52), "f64") - (2.0**52 + 1023.0)
    return m.fma(s, polynomial(m, s * s, LOG2_ATANH["f64"]), e)


def log2_two_doubles(m: ScalarBuilder, x: Value) -> tuple[Value, Value]:
    """log2 of a positive double as a sum, to about 64 bits."""
    subnormal = x < FORMATS["f64"].tiny
    field, f = split(m, m.select(subnormal, x * 2.0**54, x), SQRT_HALF)
    f = f - 1.0
    e = m.bitcast(field | ((1023 + 52) << 52), "f64")
    e = e - m.select(subnormal, 2.0**52 + 1023.0 + 54.0, m.const(2.0**52 + 1023.0, x))
    # s + s_low = f / (2 + f)
    denominator, denominator_low = fast_two_sum(m, m.const(2.0, f), f)
    inverse = 1.0 / denominator
    s = f * inverse
    s_low = (m.fma(-s, denominator, f) - s * denominator_low) * inverse
    # log(1 + f) = 2 s + s**3 (2/3 + s**2 P(s**2))
    z, z_low = two_product(m, s, s)
    z_low = m.fma(s + s, s_low, z_low)
    third, third_low, _ = TWO_THIRDS["f64"]
    factor, factor_low = fast_two_sum(m, m.const(third, z), z * polynomial(m, z, LOG_ATANH_TAIL["f64"]))
    factor_low = factor_low + third_low
    cube, cube_low = two_product(m, s, z)
    cube_low = m.fma(s, z_low, m.fma(s_low, z, cube_low))
    tail, tail_low = two_product(m, cube, factor)
    tail_low = m.fma(cube, factor_low, m.fma(cube_low, factor, tail_low))
    log, log_low = fast_two_sum(m, s + s, tail)
    log_low = log_low + (tail_low + (s_low + s_low))
    # times log2(e), plus e
    high, low, _ = LOG2E["f64"]
    y, y_low = two_product(m, log, m.const(high, log))
    y_low = m.fma(log, low, m.fma(log_low, high, y_low))
    y, rounding = fast_two_sum(m, e, y)
    return y, rounding + y_low


def with_infinite_logs(m: ScalarBuilder, size: Value, log: Value) -> Value:
    """A logarithm of `size` with its limits at 0 and inf, and NaN for NaN."""
    log = m.select(size < INF, log, size)
    return m.select(size == 0.0, -INF, log)


def power_of_size_single(m: ScalarBuilder, size: Value, y: Value) -> Value:
    """size**y in float32 for size >= 0, but NaN where y = 0 meets size = 0 or inf."""
    wide = m.convert(size, "f64")
    log = with_infinite_logs(m, wide, log2_double(m, wide))
    product = m.convert(clamp_exponent(m, y), "f64") * log
    exponent = clamp(m, product, *EXP2_RANGE["f32"])
    n, bits = shifted_round(m, exponent, 1.0)
    r = m.convert(exponent - n, "f32")
    p = m.fma(r, polynomial(m, r, EXP2["f32"]), 1.0)
    p = m.select(m.convert(product, "f32") < EXP2_RANGE["f32"][0], 0.0, p)
    return scaled(m, p, m.convert(n, "f32"), m.convert(bits, "u32"))


def power_of_size_double(m: ScalarBuilder, size: Value, y: Value) -> Value:
    """size**y in float64 for size >= 0, but NaN where y = 0 meets size = 0 or inf."""
    high, low = log2_two_doubles(m, size)
    high = with_infinite_logs(m, size, high)
    y = clamp_exponent(m, y)
    product, lost = two_product(m, y, high)
    lost = m.select(m.abs(product) < 2000.0, m.fma(y, low, lost), 0.0)
    return exp2_of_sum(m, product, lost)


def clamp_exponent(m: ScalarBuilder, y: Value) -> Value:
    """y held where no power of a number other than 1 changes any more; infinities become finite."""
    return clamp(m, y, -(2.0**80), 2.0**80)


@elementary
def pow(m: ScalarBuilder, x: Value, y: Value) -> Value:
    """x to the power y, with the special cases of IEEE 754.

    x**0 = 1**y = 1 even for NaN; a negative x needs an integer y, otherwise the result is NaN.
    """
    size = m.abs(x)
    power = power_of_size_single if x.type == "f32" else power_of_size_double
    result = power(m, size, y)
    whole = m.rint(y) == y
    half = y * 0.5
    odd = whole & (m.rint(half) != half)
    result = m.select(odd, m.copysign(result, x), result)
    result = m.select((x < 0.0) & (x > -INF) & ~whole, NAN, result)
    return m.select((y == 0.0) | (x == 1.0), 1.0, result)


@elementary
def hypot(m: ScalarBuilder, x: Value, y: Value) -> Value:
    """sqrt(x**2 + y**2) without overflow; infinite if either is."""
    if x.type == "f32":
        a, b = m.convert(x, "f64"), m.convert(y, "f64")
        result = m.convert(m.sqrt(m.fma(a, a, b * b)), "f32")
    else:
        a, b = m.abs(x), m.abs(y)
        a, b = m.max(a, b), m.min(b, a)
        scale = m.select(a > 2.0**500, 2.0**-600, m.const(1.0, a))
        scale = m.select(a < 2.0**-400, 2.0**600, scale)
        a, b = a * scale, b * scale
        result = m.sqrt(m.fma(a, a, b * b)) / scale
    infinite = (m.abs(x) == INF) | (m.abs(y) == INF)
    return m.select(infinite, INF, result)
