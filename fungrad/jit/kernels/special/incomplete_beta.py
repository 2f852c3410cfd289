"""Regularized incomplete beta function, by the continued fraction of DLMF 8.17.22.

The weight x**a (1-x)**b / B(a, b) of the fraction is where accuracy is lost for large parameters: it is put together
from `excess`, so that nothing large cancels.
"""

from __future__ import annotations

import math

from fungrad.jit.kernels import vecmath
from fungrad.jit.kernels.scalars import ScalarBuilder, Value
from fungrad.jit.kernels.special.core import EPS, STIRLING, excess, iterative, stirling
from fungrad.jit.kernels.special.incomplete_gamma import nonzero
from fungrad.jit.kernels.vecmath.core import INF, NAN

LIMIT = 10_000


def log_beta(m: ScalarBuilder, a: Value, b: Value) -> Value:
    """log B(a, b) for positive parameters of which one at least is below `STIRLING`."""
    small, large = m.min(a, b), m.max(a, b)
    plain = vecmath.lgamma(m, a) + vecmath.lgamma(m, b) - vecmath.lgamma(m, a + b)
    # log(gamma(a + b) / gamma(b)) for large b, without its large parts.
    safe = m.select(large < STIRLING, STIRLING, large)
    ratio = small / safe
    quotient = small * vecmath.log(m, safe + small) - 0.5 * vecmath.log1p(m, ratio) - safe * excess(m, ratio)
    quotient = quotient + stirling(m, safe + small) - stirling(m, safe)
    return m.select(large < STIRLING, plain, vecmath.lgamma(m, small) - quotient)


def beta_weight(m: ScalarBuilder, a: Value, b: Value, x: Value, y: Value) -> Value:
    """x**a y**b / B(a, b) with y = 1 - x."""
    both = (a >= STIRLING) & (b >= STIRLING)
    p, q = m.select(both, a, STIRLING), m.select(both, b, STIRLING)
    total = p + q
    # How far x is from the mean a / (a + b).
    distance = (x * q - y * p) / total
    height = p * excess(m, distance * total / p, x * (total / p))
    height = height + q * excess(m, -distance * total / q, y * (total / q))
    height = height + stirling(m, p) + stirling(m, q) - stirling(m, total)
    far = vecmath.exp(m, -height) * m.sqrt(p / total * q / (2.0 * math.pi))
    log_y = m.select(x < 0.5, vecmath.log1p(m, -x), vecmath.log(m, y))
    log_x = m.select(y < 0.5, vecmath.log1p(m, -y), vecmath.log(m, x))
    near = vecmath.exp(m, a * log_x + b * log_y - log_beta(m, a, b))
    return m.select(both, far, near)


def beta_fraction(m: ScalarBuilder, going: Value, a: Value, b: Value, x: Value) -> Value:
    """The continued fraction, two of its terms at a time, by Lentz's method."""

    def step(m: ScalarBuilder, n: Value, c: Value, d: Value, f: Value) -> tuple[Value, ...]:
        n = n + 1.0
        twice = a + 2.0 * n
        even = n * (b - n) * x / ((twice - 1.0) * twice)
        d = 1.0 / nonzero(m, 1.0 + even * d)
        c = nonzero(m, 1.0 + even / c)
        f = f * (c * d)
        odd = -(a + n) * (a + b + n) * x / (twice * (twice + 1.0))
        d = 1.0 / nonzero(m, 1.0 + odd * d)
        c = nonzero(m, 1.0 + odd / c)
        change = c * d
        return m.abs(change - 1.0) > EPS, n, c, d, f * change

    one = m.const(1.0, a)
    first = 1.0 / nonzero(m, 1.0 - (a + b) * x / (a + 1.0))
    return m.iterate(going, step, (m.const(0.0, a), one, first, first), LIMIT)[3]


@iterative
def regularized_incomplete_beta(m: ScalarBuilder, a: Value, b: Value, x: Value) -> tuple[Value, ...]:
    """I_x(a, b); NaN outside of 0 <= x <= 1 and for negative parameters."""
    valid = (a > 0.0) & (b > 0.0) & (a < INF) & (b < INF) & (x > 0.0) & (x < 1.0)
    y = 1.0 - x
    # The fraction converges fast below the mean; above it, I_x(a, b) = 1 - I_y(b, a).
    above = x > (a + 1.0) / (a + b + 2.0)
    p, q = m.select(above, b, a), m.select(above, a, b)
    u, v = m.select(above, y, x), m.select(above, x, y)
    part = beta_weight(m, p, q, u, v) * beta_fraction(m, valid, p, q, u) / p
    result = m.select(above, 1.0 - part, part)
    # All the weight at one end.
    at_zero = (a == 0.0) | (b == INF)
    at_one = (b == 0.0) | (a == INF)
    result = m.select(at_zero, 1.0, m.select(at_one, 0.0, result))
    result = m.select(x == 0.0, 0.0, m.select(x == 1.0, 1.0, result))
    outside = ~((x >= 0.0) & (x <= 1.0) & (a >= 0.0) & (b >= 0.0)) | (at_zero & at_one)
    return (m.select(outside, NAN, result),)
