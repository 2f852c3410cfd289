"""Hurwitz zeta function by the Euler-Maclaurin formula, and polygamma."""

from __future__ import annotations

from fractions import Fraction
from math import comb, factorial

from fungrad.jit.kernels import vecmath
from fungrad.jit.kernels.scalars import ScalarBuilder, Value
from fungrad.jit.kernels.special.core import iterative
from fungrad.jit.kernels.vecmath.core import INF, NAN

# Terms that are summed up before the formula is used.
TERMS = 10
_CORRECTIONS = 12
MOST_FACTORIAL = 171
# Powers below are subnormal, or nearly so.
LEAST = 1e-300


def _bernoulli(count: int) -> list[Fraction]:
    """B_0 ... B_(count - 1)."""
    found: list[Fraction] = []
    for n in range(count):
        total = sum((comb(n + 1, k) * found[k] for k in range(n)), Fraction(0))
        found.append(Fraction(1) if n == 0 else -total / (n + 1))
    return found


# B_2k / (2k)!
COEFFICIENTS = tuple(float(b / factorial(2 * k)) for k, b in enumerate(_bernoulli(2 * _CORRECTIONS + 1)[::2], start=0))[
    1:
]


def zeta_positive(m: ScalarBuilder, x: Value, q: Value) -> Value:
    """The sum of (n + q)**-x for x > 1, q > 0."""

    def step(m: ScalarBuilder, n: Value, total: Value, power: Value) -> tuple[Value, ...]:
        power = vecmath.pow(m, q + n, -x)
        return n < TERMS - 1.0, n + 1.0, total + power, power

    zero = m.const(0.0, x)
    every = m.const(True, "i1")
    _, total, power = m.iterate(every, step, (zero, zero, zero), TERMS)
    end = q + (TERMS - 1.0)
    integral = power * end
    # Where a term is too small for a number, the rest of the sum may not be.
    (integral,) = m.rare(power < LEAST, (integral,), _integral, end, x)
    tail = integral / (x - 1.0) - 0.5 * power
    inverse = 1.0 / end
    factor, correction = power * x * inverse, m.const(0.0, x)
    for k, c in enumerate(COEFFICIENTS):
        correction = correction + c * factor
        factor = factor * (x + (2 * k + 1.0)) * (x + (2 * k + 2.0)) * (inverse * inverse)
    # Where nothing is left of the last term, the factors may overflow.
    return total + m.select(power == 0.0, integral / (x - 1.0), tail + correction)


def _integral(m: ScalarBuilder, end: Value, x: Value) -> tuple[Value, ...]:
    return (vecmath.pow(m, end, 1.0 - x),)


def zeta_any(m: ScalarBuilder, x: Value, q: Value) -> Value:
    """Negative q as well, for integer x; infinite at 0, -1, -2 ..."""
    negative = q < 0.0
    whole = m.floor(q)
    # In (0, 1), and how many terms come before: their absolute values are a zeta function too.
    start = m.select(negative, q - whole, q)
    total = zeta_positive(m, x, start)
    (total,) = m.rare(negative, (total,), _with_negative, total, x, q, (whole + 1.0) - q)
    total = m.select(negative & (m.floor(x) != x), NAN, total)
    total = m.select((q <= 0.0) & (whole == q), INF, total)
    total = m.select(x == 1.0, INF, total)
    return m.select((x < 1.0) | m.is_nan(x) | m.is_nan(q), NAN, total)


def _with_negative(m: ScalarBuilder, total: Value, x: Value, q: Value, start: Value) -> tuple[Value, ...]:
    """Adds the terms before the sum: what begins at ``start``, the distance to the integer above, less what begins
    beyond the first of them."""
    first, beyond = zeta_positive(m, x, start), zeta_positive(m, x, 1.0 - q)
    half = 0.5 * x
    even = m.floor(half) == half
    return (m.select(even, (total + first) - beyond, (total - first) + beyond),)


@iterative
def zeta(m: ScalarBuilder, x: Value, q: Value) -> tuple[Value, ...]:
    """Hurwitz zeta function; NaN for x < 1."""
    return (zeta_any(m, x, q),)


@iterative
def polygamma(m: ScalarBuilder, n: Value, x: Value) -> tuple[Value, ...]:
    """Derivative of order n of digamma: (-1)**(n + 1) n! zeta(n + 1, x); NaN unless n is a non-negative integer."""

    def step(m: ScalarBuilder, k: Value, product: Value) -> tuple[Value, ...]:
        k = k + 1.0
        return k < n, k, product * k

    one = m.const(1.0, n)
    _, product = m.iterate(n > 1.0, step, (one, one), MOST_FACTORIAL)
    value = product * zeta_any(m, n + 1.0, x)
    half = 0.5 * n
    value = m.select(m.floor(half) == half, -value, value)
    value = m.select(n == 0.0, vecmath.digamma(m, x), value)
    return (m.select((n >= 0.0) & (n < INF) & (m.floor(n) == n), value, NAN),)
