"""Exponentials and logarithms.

Exponentials reduce x = n log(2) + r with Cody and Waite's two-part constant and evaluate a
polynomial in r. The result is scaled by 2**n in two steps: neither factor overflows where the
result does not, and subnormal results are rounded once. Where the result is 0 whatever the argument
is, the polynomial is replaced by 0 before it is scaled: a product that falls below the normal
numbers takes some processors a hundred times as long as another, also where it is rounded to 0, and
masked arrays are full of exponentials of -inf or -1e30.

Logarithms split x = 2**e (1 + f) with 3/4 <= 1 + f < 3/2, so that e = 0 around 1 where the
logarithm vanishes. A builder that has an instruction for this gets the limits right with it.

References: W. J. Cody and W. Waite, "Software Manual for the Elementary Functions" (1980);
P. T. P. Tang, "Table-driven implementation of the expm1 function" (1992) for the error analysis of
2**n - 1 + 2**n expm1(r).
"""

from __future__ import annotations

from fungrad.jit.kernels.scalars import ScalarBuilder, Value
from fungrad.jit.kernels.vecmath.coefficients import (
    EXP,
    EXP2,
    EXPM1,
    LN2,
    LN2_PARTS,
    LOG,
    LOG1P,
    LOG2E,
    LOG10_2_PARTS,
    LOG10E,
    LOG_ATANH,
)
from fungrad.jit.kernels.vecmath.core import (
    FORMATS,
    INF,
    NAN,
    clamp,
    elementary,
    polynomial,
    power_of_two,
    shifted_round,
)

# Arguments beyond which the result is 0 or infinite whatever they are.
EXP_RANGE = {"f32": (-104.0, 89.0), "f64": (-746.0, 710.0)}
EXP2_RANGE = {"f32": (-151.0, 129.0), "f64": (-1076.0, 1025.0)}


def exp_parts(m: ScalarBuilder, x: Value, low: Value | None = None) -> tuple[Value, Value, Value]:
    """(p, s, t) with exp(x) = p * s * t, s and t powers of two, 0.7 < p < 1.42; x in EXP_RANGE.

    With `low` it is exp(x + low), for a low that is small against x.
    """
    p, _, bits = exp_split(m, x, low)
    return p, *two_powers_of_two(m, bits, x.type)


def exp_split(m: ScalarBuilder, x: Value, low: Value | None = None) -> tuple[Value, Value, Value]:
    """(p, n, bits) with exp(x) = p * 2**n; the bits are those of `shifted_round`. See `exp_parts`."""
    log2e, (ln2_high, ln2_low, _) = LOG2E[x.type][0], LN2[x.type]
    n, bits = shifted_round(m, x, log2e)
    r = m.fma(n, -ln2_high, x)
    r = m.fma(n, -ln2_low, r)
    r = r if low is None else r + low
    return m.fma(r, polynomial(m, r, EXP[x.type]), 1.0), n, bits


def scaled(m: ScalarBuilder, p: Value, n: Value, bits: Value) -> Value:
    """p * 2**n, rounded once, for an integer n from `shifted_round`."""
    found = m.scale(p, n)
    if found is not None:
        return found
    s, t = two_powers_of_two(m, bits, p.type)
    return p * s * t


def two_powers_of_two(m: ScalarBuilder, n: Value, type: str) -> tuple[Value, Value]:
    """(s, t) with s * t = 2**n for bits n, each of them normal even where the product is not."""
    half = n >> 1
    return power_of_two(m, half, type), power_of_two(m, n - half, type)


@elementary
def exp(m: ScalarBuilder, x: Value) -> Value:
    """e to the power x."""
    return exp_at_most(m, m.min(m.const(EXP_RANGE[x.type][1], x), x))


def exp_negative(m: ScalarBuilder, x: Value) -> Value:
    """`exp` of x <= 0."""
    return exp_at_most(m, x)


def exp_at_most(m: ScalarBuilder, x: Value) -> Value:
    """`exp` of x up to the greatest of EXP_RANGE."""
    least = EXP_RANGE[x.type][0]
    p, n, bits = exp_split(m, m.max(m.const(least, x), x))
    return scaled(m, m.select(x < least, 0.0, p), n, bits)


@elementary
def exp2(m: ScalarBuilder, x: Value) -> Value:
    """2 to the power x; exact for integers."""
    return exp2_of_sum(m, x, None)


def exp2_of_sum(m: ScalarBuilder, x: Value, low: Value | None) -> Value:
    """2 to the power x + low, for a low that is small against x, and 0 where x is below all that matter."""
    least = EXP2_RANGE[x.type][0]
    held = clamp(m, x, *EXP2_RANGE[x.type])
    n, bits = shifted_round(m, held, 1.0)
    r = held - n if low is None else (held - n) + low
    p = m.fma(r, polynomial(m, r, EXP2[x.type]), 1.0)
    return scaled(m, m.select(x < least, 0.0, p), n, bits)


def expm1_parts(m: ScalarBuilder, x: Value) -> tuple[Value, Value]:
    """(q, n) with exp(x) = 2**n (1 + q): q is a float, n are bits for `power_of_two`."""
    log2e, (ln2_high, ln2_low, _) = LOG2E[x.type][0], LN2[x.type]
    n, bits = shifted_round(m, x, log2e)
    r = m.fma(n, -ln2_high, x)
    r = m.fma(n, -ln2_low, r)
    return m.fma(r * r, polynomial(m, r, EXPM1[x.type]), r), bits


@elementary
def expm1(m: ScalarBuilder, x: Value) -> Value:
    """exp(x) - 1, accurate near 0."""
    q, n = expm1_parts(m, clamp(m, x, -40.0, EXP_RANGE[x.type][1]))
    half = power_of_two(m, n - 1, x.type)  # half of 2**n, which may overflow where the result does not
    y = m.fma(half, q, half - 0.5) * 2.0
    return m.copysign(y, x)


def split(m: ScalarBuilder, x: Value, least: float) -> tuple[Value, Value]:
    """(field, f) with x = 2**(field - bias) f, least <= f < 2 least; x normal."""
    format = FORMATS[x.type]
    # moves the break between two exponents from 1 to `least`
    low = m.bitcast(m.const(least, x), format.bits)
    shifted = m.bitcast(x, format.bits) + (m.const(format.bias << format.digits, low) - low)
    return shifted >> format.digits, m.bitcast((shifted & format.fraction) + low, x.type)


def log_parts(
    m: ScalarBuilder, x: Value, lost: Value | None = None, low: Value | None = None
) -> tuple[Value, Value, Value]:
    """(e, f, g) with log(x) = e log(2) + f + g and |g| well below |f|, for x > 0.

    Args:
      lost: what rounding removed from x, to be put back (x is then normal, and lost is 0 where x
        is close to overflow).
      low: a further part of x, which is only put back to first order.
    """
    found = m.split(x)
    if found is None:
        return log_parts_of_bits(m, x, lost, low)
    f, e = found[0] - 1.0, found[1]
    f = f if lost is None else f + scaled_by(m, lost, -e)
    g = log_tail(m, f)
    return e, f, g if low is None else g + scaled_by(m, low, -e)


def scaled_by(m: ScalarBuilder, x: Value, n: Value) -> Value:
    """x * 2**n for a builder that can split."""
    found = m.scale(x, n)
    assert found is not None
    return found


def log_parts_of_bits(m: ScalarBuilder, x: Value, lost: Value | None, low: Value | None) -> tuple[Value, Value, Value]:
    """`log_parts` by operations on integers."""
    format = FORMATS[x.type]
    # e is read off the exponent field through a float 2**digits + field, which avoids conversions
    exponent_offset = m.const(2.0**format.digits + format.bias, x)
    if lost is None:
        subnormal = x < format.tiny
        x = m.select(subnormal, x * 2.0 ** (format.digits + 1), x)
        adjusted = 2.0**format.digits + format.bias + format.digits + 1
        exponent_offset = m.select(subnormal, adjusted, exponent_offset)
    field, f = split(m, x, 0.75)
    f = f - 1.0
    e = m.bitcast(field | ((format.bias + format.digits) << format.digits), x.type)
    if lost is not None:
        # 2**(1 - e), because 2**-e would leave the range at the largest e
        twice = m.bitcast((m.const(2 * format.bias + 1, field) - field) << format.digits, x.type)
        scale = twice * 0.5
        f = m.fma(lost, scale, f)
    g = log_tail(m, f)
    if low is not None:
        g = m.fma(low, scale, g)
    return e - exponent_offset, f, g


def log_tail(m: ScalarBuilder, f: Value) -> Value:
    """log(1 + f) - f for 3/4 <= 1 + f < 3/2."""
    if f.type == "f32":
        return f * f * m.fma(f, polynomial(m, f, LOG[f.type]), -0.5)
    # A polynomial in f would need 20 terms here; log(1 + f) = 2 atanh(s) needs 7 and a division.
    s = f / (f + 2.0)
    z = s * s
    half_square = f * f * 0.5
    return m.fma(s, m.fma(z, polynomial(m, z, LOG_ATANH[f.type]), half_square), -half_square)


def log_positive(m: ScalarBuilder, x: Value) -> Value:
    """Logarithm of finite positive x."""
    e, f, g = log_parts(m, x)
    high, low, _ = LN2_PARTS[x.type]
    return m.fma(e, high, f + m.fma(e, low, g))


def log_special(m: ScalarBuilder, x: Value, y: Value) -> Value:
    """y corrected to the limits of the logarithm at x = inf, 0, below 0 and NaN."""
    y = m.select(x < INF, y, x)
    y = m.select(x == 0.0, -INF, y)
    return m.select(x < 0.0, NAN, y)


def with_limits(m: ScalarBuilder, x: Value, y: Value) -> Value:
    """A function of `log_parts` of x alone, with the limits of the logarithm."""
    return log_special(m, x, y) if m.split(x) is None else y


@elementary
def log(m: ScalarBuilder, x: Value) -> Value:
    """Natural logarithm; -inf at 0, NaN below."""
    return with_limits(m, x, log_positive(m, x))


@elementary
def log2(m: ScalarBuilder, x: Value) -> Value:
    """Logarithm to base 2; exact for powers of two."""
    e, f, g = log_parts(m, x)
    high, low, _ = LOG2E[x.type]
    return with_limits(m, x, m.fma(f, high, m.fma(f, low, g * high)) + e)


@elementary
def log10(m: ScalarBuilder, x: Value) -> Value:
    """Logarithm to base 10."""
    e, f, g = log_parts(m, x)
    high, low, _ = LOG10E[x.type]
    e_high, e_low, _ = LOG10_2_PARTS[x.type]
    small = m.fma(e, e_low, m.fma(f, low, g * high))
    return with_limits(m, x, m.fma(e, e_high, m.fma(f, high, small)))


def log1p_finite(m: ScalarBuilder, x: Value, low: Value | None = None) -> Value:
    """log(1 + x), or log(1 + x + low), for finite x > -1; the sign of zero may be lost."""
    u = x + 1.0
    lost = x - (u - 1.0)
    e, f, g = log_parts(m, u, lost, low)
    ln2_high, ln2_low, _ = LN2_PARTS[x.type]
    return m.fma(e, ln2_high, f + m.fma(e, ln2_low, g))


def log1p_exp(m: ScalarBuilder, x: Value) -> Value:
    """log(1 + exp(x)) for x <= 0."""
    z = exp_negative(m, x)
    return m.fma(z, z * polynomial(m, z, LOG1P[x.type]), z)


@elementary
def log1p(m: ScalarBuilder, x: Value) -> Value:
    """log(1 + x), accurate near 0."""
    return m.copysign(log_special(m, x + 1.0, log1p_finite(m, x)), x)


@elementary
def logistic(m: ScalarBuilder, x: Value) -> Value:
    """1 / (1 + exp(-x)), by the exponential of -|x| so that neither tail loses accuracy."""
    z = exp_negative(m, -m.abs(x))
    denominator = z + 1.0
    lost = z - (denominator - 1.0)
    y = m.select(x < 0.0, z, 1.0) / denominator
    return m.fma(-y, lost, y)


@elementary
def softplus(m: ScalarBuilder, x: Value) -> Value:
    """log(1 + exp(x)) = max(x, 0) + log1p(exp(-|x|))."""
    return log1p_exp(m, -m.abs(x)) + m.max(m.const(0.0, x), x)


@elementary
def logaddexp(m: ScalarBuilder, x: Value, y: Value) -> Value:
    """log(exp(x) + exp(y)) without overflow; equal infinities give themselves."""
    high, low = m.maximum(x, y), m.minimum(x, y)
    gap = m.select(high == low, 0.0, low - high)
    return high + log1p_exp(m, gap)


def add_single_exp(m: ScalarBuilder, total: Value, x: Value) -> Value:
    """`logaddexp` of a result so far and a value that was in single precision, both in double precision. What is added
    to the greater of them is computed in single precision: its relative error is that of a term, not of the result."""
    with m.precise():
        single = m.convert(x, "f32")
        gap = m.convert(total - x, "f32")
        # No gap is a number between equal infinities, which give themselves as `single` does, and where one is nan:
        # as the result so far it is the greater, and as `single` it is added.
        more = m.select(m.is_nan(gap), single, log1p_exp(m, -m.abs(gap)))
        return m.max(x, total) + m.convert(more, "f64")


def add_single_exp_in_two(m: ScalarBuilder, total: Value, rest: Value, x: Value) -> tuple[Value, Value]:
    """`add_single_exp` without a number of double precision: the result so far is `total` and what its rounding has
    left, and so is the new one. That is 0 beside infinities and nan."""
    with m.precise():
        gap = (total - x) + rest
        more = m.select(m.is_nan(gap), x, log1p_exp(m, -m.abs(gap)))
        below = gap < 0.0
        greater = m.select(below, x, total)
        rough = greater + more
        # Where `more` is the larger one this is as wrong as `more` itself.
        lost = more - (rough - greater)
        lost = m.select(below, lost, lost + rest)
        finite = m.compare("eq", lost, lost)
        new = m.select(finite, rough + lost, rough)
        return new, m.select(finite, lost - (new - rough), 0.0)
