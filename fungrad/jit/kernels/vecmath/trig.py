"""Sine, cosine and tangent, with reduction of arguments of any size.

The argument is brought to r in [-pi/4, pi/4] and a quadrant k with x = k pi/2 + r.

* Moderate arguments (below `MODERATE`): r = x - k pi/2 with pi/2 in three parts and fused steps,
  after Cody and Waite. The first step is exact, so nothing is lost however close x is to a
  multiple of pi/2.
* Large arguments: x 2/pi modulo 4, after Payne and Hanek. Bits of 2/pi that only contribute
  multiples of 4 are skipped; the pieces that are left are picked by selects instead of table loads.
  A float32 argument is done in double, where products of pieces are exact.

Large arguments are left to `m.rare`, so that a builder which can branch pays only for a test.

References: W. J. Cody and W. Waite, "Software Manual for the Elementary Functions" (1980); M. H.
Payne and R. N. Hanek, "Radian reduction for trigonometric functions" (1983).
"""

from __future__ import annotations

from fungrad.jit.kernels.scalars import ScalarBuilder, Value
from fungrad.jit.kernels.vecmath.coefficients import (
    COS,
    HALF_PI,
    PI,
    PI_PARTS,
    SIN,
    SIN_WIDE,
    TAN,
    TWO_OVER_PI_BANDS,
    TWO_OVER_PI_PIECES,
)
from fungrad.jit.kernels.vecmath.core import (
    FORMATS,
    INF,
    elementary,
    fast_two_sum,
    polynomial,
    shifted_round,
    two_product,
    two_sum,
    window,
)

PIECES_SCALE = 300  # TWO_OVER_PI_PIECES are multiplied by 2**300, or the last would underflow

MODERATE = {"f32": 2.0**17, "f64": 2.0**44}
"""Magnitude below which the cheap reduction is accurate."""

TWO_OVER_PI = 0.6366197723675814
ONE_OVER_PI = 0.3183098861837907


Reduced = tuple[Value, Value, Value]
"""(r, low, k): the argument is k pi/2 + r + low; of the bits k the lower two count."""


def reduce_moderate_finely(m: ScalarBuilder, x: Value) -> Reduced:
    """Reduction of |x| < MODERATE."""
    k, bits = shifted_round(m, x, TWO_OVER_PI)
    first, second, third = HALF_PI[x.type]
    exact = m.fma(k, -first, x)
    product, lost = two_product(m, k, m.const(second, k))
    middle = exact - product
    low = ((exact - middle) - product) - m.fma(k, third, lost)
    r, low = fast_two_sum(m, middle, low)
    return r, low, bits


def is_large(m: ScalarBuilder, x: Value) -> Value:
    """Whether an argument needs the reduction of large ones. Infinities do not: the others make NaN of them."""
    size = m.abs(x)
    return (size >= MODERATE[x.type]) & (size < INF)


def with_large(m: ScalarBuilder, x: Value, reduced: Reduced) -> Reduced:
    """A reduction of moderate arguments extended to all finite ones; r is NaN for the others."""
    large = reduce_large_single if x.type == "f32" else reduce_large_double
    r, low, k = m.rare(is_large(m, x), reduced, large, x)
    return r, low, k


def reduce_large_single(m: ScalarBuilder, x: Value) -> Reduced:
    """Reduction of any float32, in double.

    The first two products are exact, and so is their sum once the integer is taken out: it is a
    multiple of 2**-56, and small whenever the result is.
    """
    x = m.convert(x, "f64")
    size = m.abs(x)
    high, middle, low = (m.const(piece, x) for piece in TWO_OVER_PI_BANDS[0])
    for start, pieces in zip((50, 76, 102), TWO_OVER_PI_BANDS[1:], strict=True):
        inside = size >= 2.0**start
        high = m.select(inside, pieces[0], high)
        middle = m.select(inside, pieces[1], middle)
        low = m.select(inside, pieces[2], low)
    product = modulo_four(m, x * high)
    k, bits = shifted_round(m, m.fma(x, middle, product), 1.0)
    r = m.fma(x, low, m.fma(x, middle, product - k)) * HALF_PI["f64"][0]
    single = m.convert(r, "f32")
    return single, m.convert(r - m.convert(single, "f64"), "f32"), m.convert(bits, "u32")


def reduce_large_double(m: ScalarBuilder, x: Value) -> Reduced:
    """Reduction of a float64 of at least 2**44.

    With x in [2**e, 2**(e+1)) the pieces of 2/pi above 2**(54 - e) are skipped, in steps of 50
    bits. Five pieces from there leave an absolute error below 2**-140; no float64 is closer than
    2**-63 to a multiple of pi/2.
    """
    field = (m.bitcast(x, "u64") << 1) >> 53
    index = ((field - 1027) * 1311) >> 16  # (e - 4) // 50
    pieces = window(m, index, TWO_OVER_PI_PIECES, 5)
    # lanes of moderate arguments, whose results are not used, must not get subnormal, which is slow
    x = m.select(m.abs(x) < MODERATE["f64"], 0.0, x) * 2.0**-PIECES_SCALE
    p0, e0 = two_product(m, x, pieces[0])
    p1, e1 = two_product(m, x, pieces[1])
    p2, e2 = two_product(m, x, pieces[2])
    p3, e3 = two_product(m, x, pieces[3])
    # Below 2**105, 2**55, 2**5, 2**-45; errors 2**-53 of that. The first three go modulo 4.
    whole = modulo_four(m, p0) + modulo_four(m, e0)
    head, tail = two_sum(m, whole, modulo_four(m, p1))
    head, tail_1 = two_sum(m, head, e1)
    head, tail_2 = two_sum(m, head, p2)
    k, bits = shifted_round(m, head, 1.0)
    head, tail_3 = two_sum(m, head - k, e2)
    head, tail_4 = two_sum(m, head, p3)
    small = (tail_3 + tail_4) + m.fma(x, pieces[4], e3)
    head, low = two_sum(m, head, ((tail + tail_1) + tail_2) + small)
    first, second, _ = HALF_PI["f64"]
    r, lost = two_product(m, head, m.const(first, head))
    r, low = fast_two_sum(m, r, m.fma(head, second, m.fma(low, first, lost)))
    return r, low, bits


def modulo_four(m: ScalarBuilder, x: Value) -> Value:
    """x without its nearest multiple of 4."""
    return m.fma(m.rint(x * 0.25), -4.0, x)


def sin_kernel(m: ScalarBuilder, r: Value, square: Value) -> Value:
    """sin(r) for |r| <= pi/4."""
    return m.fma(r * square, polynomial(m, square, SIN[r.type]), r)


def cos_kernel(m: ScalarBuilder, r: Value, square: Value) -> Value:
    """cos(r) for |r| <= pi/4."""
    leading = m.fma(square, -0.5, m.const(1.0, r))
    return m.fma(square * square, polynomial(m, square, COS[r.type]), leading)


def sin_shifted(m: ScalarBuilder, r: Value, quadrant: Value) -> Value:
    """sin(r + quadrant pi/2)."""
    square = r * r
    odd = (quadrant & 1) != 0
    y = m.select(odd, cos_kernel(m, r, square), sin_kernel(m, r, square))
    format = FORMATS[r.type]
    sign = (quadrant >> 1) << (format.width - 1)
    return m.bitcast(m.bitcast(y, format.bits) ^ sign, r.type)


def tan_shifted(m: ScalarBuilder, r: Value, low: Value, quadrant: Value) -> Value:
    """tan(r + low + quadrant pi/2)."""
    square = r * r
    beyond = r * square * polynomial(m, square, TAN[r.type])  # tan(r) - r
    slope = m.fma(r + beyond, r + beyond, 1.0)
    t, t_low = fast_two_sum(m, r, m.fma(slope, low, beyond))
    odd = (quadrant & 1) != 0
    y = m.select(odd, -1.0, t) / m.select(odd, t, 1.0)
    # -1 / (t + t_low) to first order; otherwise t is the result already
    return m.fma(y * m.select(odd, t_low, 0.0), y, y)


def sine(m: ScalarBuilder, r: Value, odd: Value) -> Value:
    """sin(r) for |r| <= pi/2, the sign changed where the lowest bit of `odd` is set; keeps the sign of 0."""
    square, format = r * r, FORMATS[r.type]
    # at -0 the least summand makes r * rest another -0 instead of +0
    rest = m.fma(square, polynomial(m, square, SIN_WIDE[r.type]), format.tiny)
    y = m.fma(r, rest, r)
    return m.bitcast(m.bitcast(y, format.bits) ^ (odd << (format.width - 1)), r.type)


def half_turns_large(m: ScalarBuilder, x: Value, quarter: int) -> tuple[Value, Value]:
    """(r, odd) with x + quarter pi/2 = r + odd pi modulo 2 pi, |r| <= pi/2, for large x."""
    r, low, k = (reduce_large_single if x.type == "f32" else reduce_large_double)(m, x)
    k = k + quarter
    # an odd quarter turn: cos(r) is the sine of pi/2 - |r|, which is far from 0
    high, beyond, _ = HALF_PI[x.type]
    other = m.const(high, r) - m.abs(r) + (m.const(beyond, r) - m.copysign(low, low * r))
    return m.select((k & 1) != 0, other, r + low), k >> 1


def sine_large(m: ScalarBuilder, x: Value) -> tuple[Value, Value]:
    """`half_turns_large` for the sine."""
    return half_turns_large(m, x, 0)


def cosine_large(m: ScalarBuilder, x: Value) -> tuple[Value, Value]:
    """`half_turns_large` for the cosine."""
    return half_turns_large(m, x, 1)


def without_half_turns(m: ScalarBuilder, x: Value, k: Value) -> Value:
    """x - k pi. The parts of pi are positive, so that -0 stays."""
    for part in PI_PARTS[x.type]:
        x = m.fma(k, -part, x)
    return x


@elementary
def sin(m: ScalarBuilder, x: Value) -> Value:
    """Sine of x in radians, x of any size; NaN for infinities."""
    k, bits = shifted_round(m, x, ONE_OVER_PI)
    usual = without_half_turns(m, x, k), bits
    return sine(m, *m.rare(is_large(m, x), usual, sine_large, x))


@elementary
def cos(m: ScalarBuilder, x: Value) -> Value:
    """Cosine of x in radians, x of any size; NaN for infinities."""
    # with k from x / pi - 1/2 the cosine of x is -sin(x - (k + 1/2) pi), the sign changed for odd k
    k, bits = shifted_round(m, m.fma(x, ONE_OVER_PI, -0.5), 1.0)
    usual = -without_half_turns(m, x, k + 0.5), bits
    return sine(m, *m.rare(is_large(m, x), usual, cosine_large, x))


@elementary
def tan(m: ScalarBuilder, x: Value) -> Value:
    """Tangent of x in radians, x of any size; NaN for infinities."""
    y = tan_shifted(m, *with_large(m, x, reduce_moderate_finely(m, x)))
    return m.select(x == 0.0, x, y)  # the sum of the two parts of r has lost the sign


def turn(m: ScalarBuilder, x: Value) -> tuple[Value, Value]:
    """(r, k) with pi x = k pi/2 + r modulo 2 pi; of the bits k the lower two count."""
    x = m.fma(m.rint(x * 0.5), -2.0, x)
    n, bits = shifted_round(m, x, 2.0)
    part = m.fma(n, -0.5, x)
    high, low, _ = PI[x.type]
    return m.fma(part, high, part * low), bits


@elementary
def sinpi(m: ScalarBuilder, x: Value) -> Value:
    """sin(pi x), exactly 0 at integers."""
    y = sin_shifted(m, *turn(m, x))
    return m.select(y == 0.0, m.copysign(m.const(0.0, x), x), y)


@elementary
def cospi(m: ScalarBuilder, x: Value) -> Value:
    """cos(pi x), exactly 0 halfway between integers."""
    r, k = turn(m, x)
    return sin_shifted(m, r, k + 1) + 0.0  # without negative zeros
