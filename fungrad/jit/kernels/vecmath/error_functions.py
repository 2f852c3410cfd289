"""The error function, its complement and its inverse.

erf(x) = 1 - exp(P(x)) and erfc(x) = exp(-x**2) P(q) / (1 + 2 x), q = (x - 4) / (x + 4), are forms
that N. Juffa uses; the variable w = -log(1 - x**2) of the inverse is that of M. Giles,
"Approximating the erfinv function" (2011).
"""

from __future__ import annotations

from fungrad.jit.kernels.scalars import ScalarBuilder, Value
from fungrad.jit.kernels.vecmath.coefficients import (
    ERF,
    ERF_INV,
    ERF_INV_TAIL,
    ERFCX,
    LOG_ERFC,
)
from fungrad.jit.kernels.vecmath.core import (
    INF,
    NAN,
    elementary,
    fast_two_sum,
    polynomial,
    two_product,
)
from fungrad.jit.kernels.vecmath.exp_log import exp_parts, exp_split, log_positive, scaled

ERF_LIMIT = {"f32": 3.93, "f64": 5.93}  # erf rounds to 1 from here on
ERFC_LIMIT = {"f32": 10.1, "f64": 27.3}  # erfc rounds to 0 from here on


@elementary
def erf(m: ScalarBuilder, x: Value) -> Value:
    """Error function."""
    size = m.abs(x)
    small = m.fma(x, polynomial(m, x * x, ERF[x.type]), x)
    held = m.min(m.const(ERF_LIMIT[x.type], x), size)
    complement = scaled(m, *exp_split(m, polynomial(m, held - 1.0, LOG_ERFC[x.type])))
    large = m.copysign(1.0 - complement, x)
    return m.select(size < 1.0, small, large)


@elementary
def erfc(m: ScalarBuilder, x: Value) -> Value:
    """Complement of the error function, 1 - erf(x), accurate in its tail.

    A float32 is computed in double: the square in the exponent needs the digits.
    """
    if x.type == "f32":
        a = m.convert(x, "f64")
        value, s, t = scaled_erfc(m, m.abs(a), "f32")
        y = value * (s * t)
        return m.convert(m.select(a < 0.0, 2.0 - y, y), "f32")
    value, s, t = scaled_erfc(m, m.abs(x), "f64")
    y = value * s * t
    y = m.select(x < 0.0, 2.0 - y, y)
    central = 1.0 - m.fma(x, polynomial(m, x * x, ERF["f64"]), x)
    return m.select(m.abs(x) < 0.5, central, y)


def scaled_erfc(m: ScalarBuilder, x: Value, precision: str) -> tuple[Value, Value, Value]:
    """(p, s, t) with erfc(x) = p * s * t for a double x >= 0, s and t powers of two."""
    beyond = x >= ERFC_LIMIT[precision]
    x = m.min(m.const(ERFC_LIMIT[precision], x), x)
    square, square_low = two_product(m, x, x)
    p, s, t = exp_parts(m, -square, -square_low)
    p = m.select(beyond, 0.0, p)  # what the scaling would round to 0 is slow
    offset = polynomial(m, (x - 4.0) / (x + 4.0), ERFCX[precision])
    scaled, scaled_low = fast_two_sum(m, m.const(1.25, x), offset)
    denominator = m.fma(x, 2.0, m.const(1.0, x))
    inverse = 1.0 / denominator
    quotient = scaled * inverse
    if precision == "f32":
        return p * quotient, s, t
    # what the sum, the denominator and the division lost
    denominator_low = m.fma(x, 2.0, 1.0 - denominator)
    rest = m.fma(-quotient, denominator, scaled) + m.fma(-quotient, denominator_low, scaled_low)
    return m.fma(p, quotient, p * (rest * inverse)), s, t


@elementary
def erf_inv(m: ScalarBuilder, x: Value) -> Value:
    """Inverse of the error function; infinite at -1 and 1, NaN beyond."""
    size = m.abs(x)
    w = -log_positive(m, m.fma(-x, x, m.const(1.0, x)))
    central = x * polynomial(m, w - 1.0, ERF_INV[x.type])
    # A root and two quotients cost more than all the rest, for one argument in a hundred if they are spread evenly.
    (y,) = m.rare(~(size <= 0.9908), (central,), _erf_inv_tail, x)
    return y


def _erf_inv_tail(m: ScalarBuilder, x: Value) -> tuple[Value]:
    """The inverse near and beyond the ends of the interval."""
    size = m.abs(x)
    w = -log_positive(m, 1.0 - size)
    s = m.sqrt(w)
    lost = m.fma(-s, s, w) / (s + s)  # what the square root has rounded off
    factor = polynomial(m, (s - 3.75) / (s + 3.75), ERF_INV_TAIL[x.type])
    tail = m.copysign(m.fma(s, factor, lost * factor), x)
    limit = m.copysign(m.select(size == 1.0, INF, m.const(NAN, x)), x)
    return (m.select(size < 1.0, tail, limit),)
