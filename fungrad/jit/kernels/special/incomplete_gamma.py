"""Regularized incomplete gamma functions P(a, x) and Q(a, x) = 1 - P(a, x).

Four expansions share the plane (W. Gautschi, "A computational procedure for incomplete gamma functions", 1979, and
N. M. Temme, "The asymptotic expansion of the incomplete gamma functions", 1979):

* x up to a: the power series of P;
* x beyond a: the continued fraction of Q;
* small x and a, where Q would be 1 minus nearly 1: a power series of Q;
* large a and x near it: Temme's expansion about the normal distribution.
"""

from __future__ import annotations

from fungrad.jit.kernels import vecmath
from fungrad.jit.kernels.scalars import ScalarBuilder, Value
from fungrad.jit.kernels.special.core import EPS, SQRT_TWO_PI, STIRLING, excess, iterative, stirling
from fungrad.jit.kernels.special.temme import TEMME
from fungrad.jit.kernels.vecmath.coefficients import LGAMMA
from fungrad.jit.kernels.vecmath.core import INF, NAN, polynomial

TEMME_FROM = 128.0
TEMME_WIDTH = 0.4
SMALL_X = 1.1
# Enough at the edge of Temme's region, where most terms are needed.
LIMIT = 2000


def gamma_weight(m: ScalarBuilder, a: Value, x: Value) -> Value:
    """x**a exp(-x) / gamma(a + 1)."""
    large = a >= STIRLING
    safe = m.select(large, a, STIRLING)
    far = vecmath.exp(m, -(safe * excess(m, (x - safe) / safe, x / safe) + stirling(m, safe)))
    far = far / (SQRT_TWO_PI * m.sqrt(safe))
    small = m.select(large, 1.0, a)
    near = vecmath.exp(m, small * vecmath.log(m, x) - x - vecmath.lgamma(m, small + 1.0))
    return m.select(large, far, near)


def lower_series(m: ScalarBuilder, going: Value, a: Value, x: Value) -> Value:
    """P over `gamma_weight`: the sum of x**n / ((a + 1) ... (a + n))."""

    def step(m: ScalarBuilder, n: Value, term: Value, total: Value) -> tuple[Value, ...]:
        n = n + 1.0
        term = term * (x / (a + n))
        total = total + term
        return term > EPS * total, n, term, total

    one = m.const(1.0, a)
    return m.iterate(going, step, (m.const(0.0, a), one, one), LIMIT)[2]


def upper_fraction(m: ScalarBuilder, going: Value, a: Value, x: Value) -> Value:
    """Q over a times `gamma_weight`: 1/(x+1-a - 1(1-a)/(x+3-a - 2(2-a)/(x+5-a - ...))), by Lentz's method."""

    def step(m: ScalarBuilder, n: Value, c: Value, d: Value, f: Value) -> tuple[Value, ...]:
        n = n + 1.0
        up, across = -n * (n - a), x + (2.0 * n + 1.0) - a
        d = 1.0 / nonzero(m, across + up * d)
        c = nonzero(m, across + up / c)
        change = c * d
        return m.abs(change - 1.0) > EPS, n, c, d, f * change

    start = nonzero(m, x + 1.0 - a)
    # The fraction 1/b0 ... is started with c infinite.
    state = m.const(0.0, a), m.const(1e300, a), 1.0 / start, 1.0 / start
    return m.iterate(going, step, state, LIMIT)[3]


def nonzero(m: ScalarBuilder, x: Value) -> Value:
    """The value, or something tiny in place of 0."""
    return m.select(x == 0.0, 1e-300, x)


def upper_series(m: ScalarBuilder, going: Value, a: Value, x: Value) -> Value:
    """Q for small x and a: 1 - x**a / gamma(a + 1), and the rest of the series of P."""

    def step(m: ScalarBuilder, n: Value, factor: Value, total: Value) -> tuple[Value, ...]:
        n = n + 1.0
        factor = factor * (-x / n)
        term = factor / (a + n)
        total = total + term
        return m.abs(term) > EPS * m.abs(total), n, factor, total

    total = m.iterate(going, step, (m.const(0.0, a), m.const(1.0, a), m.const(0.0, a)), 60)[2]
    # log(gamma(1 + a)) keeps its relative accuracy for tiny a.
    small = a < 1.0
    near = m.select(small, a, 0.5)
    log_gamma = near * (near - 1.0) * polynomial(m, near - 0.5, LGAMMA["f64"])
    log_gamma = m.select(small, log_gamma, vecmath.lgamma(m, a + 1.0))
    power = a * vecmath.log(m, x) - log_gamma
    return -vecmath.expm1(m, power) - a * vecmath.exp(m, power) * total


def temme_parts(m: ScalarBuilder, a: Value, x: Value) -> tuple[Value, Value, Value]:
    """(lower, upper, rest): P = lower - rest and Q = upper + rest."""
    t = (x - a) / a
    height = excess(m, t)
    eta = m.copysign(m.sqrt(2.0 * height), t)
    inverse = 1.0 / a
    total = m.const(0.0, a)
    for row in reversed(TEMME):
        total = m.fma(total, inverse, polynomial(m, eta, row))
    rest = vecmath.exp(m, -a * height) / (SQRT_TWO_PI * m.sqrt(a)) * total
    z = eta * m.sqrt(0.5 * a)
    return 0.5 * vecmath.erfc(m, -z), 0.5 * vecmath.erfc(m, z), rest


def regions(m: ScalarBuilder, a: Value, x: Value) -> tuple[Value, Value, Value]:
    """Where (Temme's expansion, the continued fraction, the series) are used; nowhere outside of the domain."""
    valid = (a > 0.0) & (x > 0.0) & (a < INF) & (x < INF)
    temme = valid & (a > TEMME_FROM) & (m.abs(x - a) < TEMME_WIDTH * a)
    fraction = valid & ~temme & (x > SMALL_X) & (x > a)
    return temme, fraction, valid & ~temme & ~fraction


@iterative
def igamma(m: ScalarBuilder, a: Value, x: Value) -> tuple[Value, ...]:
    """P(a, x); NaN for negative arguments."""
    temme, fraction, series = regions(m, a, x)
    weight = gamma_weight(m, a, x)
    lower, _, rest = temme_parts(m, m.select(temme, a, 256.0), m.select(temme, x, 256.0))
    p = m.select(series, weight * lower_series(m, series, a, x), lower - rest)
    p = m.select(fraction, 1.0 - a * weight * upper_fraction(m, fraction, a, x), p)
    return (_with_limits(m, a, x, p, 0.0, 1.0),)


@iterative
def igammac(m: ScalarBuilder, a: Value, x: Value) -> tuple[Value, ...]:
    """Q(a, x); NaN for negative arguments."""
    temme, fraction, series = regions(m, a, x)
    weight = gamma_weight(m, a, x)
    _, upper, rest = temme_parts(m, m.select(temme, a, 256.0), m.select(temme, x, 256.0))
    # Where P is nearly 1, Q has a series of its own.
    log = vecmath.log(m, x)
    small = series & (x <= SMALL_X) & m.select(x <= 0.5, a * log > -0.4, a < SMALL_X * x)
    q = m.select(small, upper_series(m, small, m.select(small, a, 0.5), m.select(small, x, 0.5)), upper + rest)
    direct = series & ~small
    q = m.select(direct, 1.0 - weight * lower_series(m, direct, a, x), q)
    q = m.select(fraction, a * weight * upper_fraction(m, fraction, a, x), q)
    return (_with_limits(m, a, x, q, 1.0, 0.0),)


def _with_limits(m: ScalarBuilder, a: Value, x: Value, y: Value, at_zero: float, at_infinity: float) -> Value:
    """The values at the ends of the domain."""
    y = m.select((x == INF) | (a == 0.0), at_infinity, y)
    y = m.select((x == 0.0) | (a == INF), at_zero, y)
    outside = (a < 0.0) | (x < 0.0) | m.is_nan(a) | m.is_nan(x)
    undecided = ((a == 0.0) & (x == 0.0)) | ((a == INF) & (x == INF))
    return m.select(outside | undecided, NAN, y)
