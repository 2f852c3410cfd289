"""Logarithm of the gamma function and its derivative.

Both are computed in double, for float32 too: their zeros at negative arguments cannot be located in
anything less. Small arguments are brought next to a polynomial by the recurrence
gamma(x + 1) = x gamma(x); from 8 on Stirling's series takes over; negative ones are reflected.
Everything is evaluated for every argument, so these are the dearest functions here.

The polynomials are factored at the zeros 1 and 2 of lgamma and 1.46... of digamma, so results keep
their relative accuracy there. In float64, next to the zeros at negative arguments, only the
absolute error is small.
"""

from __future__ import annotations

from fungrad.jit.kernels.scalars import ScalarBuilder, Value
from fungrad.jit.kernels.vecmath.coefficients import (
    DIGAMMA,
    DIGAMMA_TAIL,
    DIGAMMA_ZERO,
    LGAMMA,
    LGAMMA_OFFSET,
    LGAMMA_TAIL,
    PI,
)
from fungrad.jit.kernels.vecmath.core import INF, NAN, elementary, polynomial
from fungrad.jit.kernels.vecmath.exp_log import log_positive
from fungrad.jit.kernels.vecmath.trig import sin_shifted, turn

STIRLING = 8  # arguments from here on are left to the asymptotic series


@elementary
def lgamma(m: ScalarBuilder, x: Value) -> Value:
    """Logarithm of |gamma(x)|; infinite at 0, the negative integers and both infinities."""
    wide = m.convert(x, "f64")
    size = m.abs(wide)
    negative = wide < 0.0
    y = lgamma_positive(m, m.select(negative, size + 1.0, size))
    # lgamma(-a) = log(pi / |sin(pi a)|) - lgamma(1 + a)
    r, quadrant = turn(m, size)
    sine = m.abs(sin_shifted(m, r, quadrant))
    y = m.select(negative, -log_positive(m, sine * (1.0 / PI["f64"][0])) - y, y)
    pole = (wide == 0.0) | (negative & (sine == 0.0)) | (size == INF)
    return m.convert(m.select(pole, INF, y), x.type)


def lgamma_positive(m: ScalarBuilder, x: Value) -> Value:
    """lgamma of a positive double."""
    near, far = x < 1.0, x >= float(STIRLING)
    # gamma(x) = product * gamma(t), t = x - steps in [1, 2); below 1, gamma(x) = gamma(x + 1) / x
    steps = m.floor(x) - 1.0
    past_one = m.select(near, x, (x - 1.0) - steps)  # t - 1
    product = m.const(1.0, x)
    for k in range(1, STIRLING - 1):
        product = product * m.select(steps >= float(k), x - float(k), 1.0)
    log = log_positive(m, m.select(near | far, x, product))
    factors = past_one * (past_one - 1.0)
    of_t = polynomial(m, past_one - 0.5, LGAMMA["f64"])
    central = m.fma(factors, of_t, m.select(near, -log, log))
    inverse = 1.0 / x
    series = polynomial(m, inverse * inverse, LGAMMA_TAIL["f64"])
    rest = m.fma(inverse, series, LGAMMA_OFFSET["f64"][0])
    return m.select(far, m.fma(x - 0.5, log - 1.0, rest), central)


@elementary
def digamma(m: ScalarBuilder, x: Value) -> Value:
    """Derivative of lgamma; NaN at 0 and the negative integers, and at -inf."""
    wide = m.convert(x, "f64")
    size = m.abs(wide)
    negative = wide < 0.0
    # digamma(x) = digamma(1 + x) - 1 / x and digamma(-a) = digamma(1 + a) + pi cot(pi a)
    r, quadrant = turn(m, size)
    sine, cosine = sin_shifted(m, r, quadrant), sin_shifted(m, r, quadrant + 1)
    extra = m.select(negative, cosine * PI["f64"][0], -1.0) / m.select(negative, sine, size)
    shifted = wide < 1.0
    y = digamma_from_one(m, m.select(shifted, size + 1.0, size))
    y = y + m.select(shifted, extra, 0.0)
    pole = (negative & (sine == 0.0)) | (wide == 0.0) | (wide == -INF)
    y = m.select(wide == INF, INF, y)
    return m.convert(m.select(pole, NAN, y), x.type)


def digamma_from_one(m: ScalarBuilder, z: Value) -> Value:
    """digamma of a double z >= 1."""
    # z = t + steps, 1 <= t < 2, and digamma(z) - digamma(t) = sum 1 / (z - k) as one fraction
    steps = m.floor(z) - 1.0
    t = z - steps
    numerator, denominator = m.const(0.0, z), m.const(1.0, z)
    for k in range(1, STIRLING - 1):
        used = steps >= float(k)
        term = z - float(k)
        numerator = m.select(used, m.fma(numerator, term, denominator), numerator)
        denominator = m.select(used, denominator * term, denominator)
    high, low, _ = DIGAMMA_ZERO["f64"]
    distance = (t - high) - low
    of_t = polynomial(m, t - 1.5, DIGAMMA["f64"])
    central = m.fma(distance, of_t, numerator / denominator)
    inverse = 1.0 / z
    u = inverse * inverse
    tail = m.fma(-u, polynomial(m, u, DIGAMMA_TAIL["f64"]), inverse * -0.5)
    return m.select(z >= float(STIRLING), log_positive(m, z) + tail, central)
