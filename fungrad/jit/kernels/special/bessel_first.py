"""Bessel functions of the first kind of integer order.

Below `HANKEL_FROM`, and for orders beyond the argument, the recurrence in the order runs downwards from where the
function is nothing, and the sum J_0 + 2 J_2 + 2 J_4 + ... = 1 gives the scale (J. C. P. Miller's method); else J_0 and
J_1 have Hankel's asymptotic expansion, and the recurrence runs upwards.
"""

from __future__ import annotations

import math

from fungrad.jit.kernels import vecmath
from fungrad.jit.kernels.scalars import ScalarBuilder, Value
from fungrad.jit.kernels.special.core import EPS, iterative
from fungrad.jit.kernels.vecmath.core import INF, NAN

HANKEL_FROM = 25.0
# Below, the first two terms of the power series are enough.
TINY = 1e-3
LIMIT = 100_000
BIG = 1e100


def _downwards(m: ScalarBuilder, going: Value, n: Value, x: Value) -> Value:
    top = m.max(n, x)
    start = 2.0 * m.floor(0.5 * (top + 14.0 * vecmath.cbrt(m, top) + 20.0))

    def step(
        m: ScalarBuilder, k: Value, above: Value, here: Value, wanted: Value, total: Value, odd: Value
    ) -> tuple[Value, ...]:
        # From the orders k + 1 and k to k - 1.
        below = 2.0 * k / x * here - above
        k = k - 1.0
        scale = m.select(m.abs(below) > BIG, m.const(1.0 / BIG, x), 1.0)
        below, here = below * scale, here * scale
        wanted, total = wanted * scale, total * scale
        wanted = m.select(k == n, below, wanted)
        total = total + m.select(odd == 0.0, m.select(k == 0.0, below, 2.0 * below), 0.0)
        return k > 0.0, k, here, below, wanted, total, 1.0 - odd

    zero = m.const(0.0, x)
    state = m.iterate(going, step, (start, zero, m.const(1e-100, x), zero, zero, m.const(1.0, x)), LIMIT)
    return state[3] / state[4]


def _hankel(m: ScalarBuilder, going: Value, order: float, x: Value) -> Value:
    """J_0 or J_1 for large x: sqrt(2 / (pi x)) (P cos(w) - Q sin(w)) with w = x - (order / 2 + 1/4) pi."""
    mu = 4.0 * order * order

    def step(m: ScalarBuilder, k: Value, term: Value, p: Value, q: Value, turn: Value) -> tuple[Value, ...]:
        k = k + 1.0
        odd = 2.0 * k - 1.0
        new = term * ((mu - odd * odd) / (8.0 * k * x))
        # Turns of 1, i, -1, -i: even terms belong to P, odd ones to Q.
        p = p + m.select(turn == 2.0, -new, m.select(turn == 0.0, new, 0.0))
        q = q + m.select(turn == 1.0, new, m.select(turn == 3.0, -new, 0.0))
        more = (m.abs(new) > EPS) & (m.abs(new) < m.abs(term))
        return more, k, new, p, q, m.select(turn == 3.0, 0.0, turn + 1.0)

    one, zero = m.const(1.0, x), m.const(0.0, x)
    _, _, p, q, _ = m.iterate(going, step, (zero, one, one, zero, one), 60)
    sine, cosine = vecmath.sin(m, x), vecmath.cos(m, x)
    # cos and sin of w, from the sum formulas.
    if order == 0.0:
        cos_w, sin_w = cosine + sine, sine - cosine
    else:
        cos_w, sin_w = sine - cosine, -(sine + cosine)
    return (p * cos_w - q * sin_w) / m.sqrt(math.pi * x)


def _upwards(m: ScalarBuilder, going: Value, n: Value, x: Value) -> Value:
    first, second = _hankel(m, going, 0.0, x), _hankel(m, going, 1.0, x)

    def step(m: ScalarBuilder, k: Value, below: Value, here: Value) -> tuple[Value, ...]:
        above = 2.0 * k / x * here - below
        k = k + 1.0
        return k < n, k, here, above

    found = m.iterate(going & (n > 1.0), step, (m.const(1.0, x), first, second), LIMIT)[2]
    return m.select(n == 0.0, first, found)


@iterative
def bessel_jn(m: ScalarBuilder, n: Value, x: Value) -> tuple[Value, ...]:
    """J_n(x) for integer n."""
    whole = m.floor(n) == n
    order, t = m.abs(n), m.abs(x)
    valid = whole & (t < INF) & (order < 1e5)
    tiny = valid & (t < TINY)
    upwards = valid & (t > HANKEL_FROM) & (t >= order)
    downwards = valid & ~tiny & ~upwards
    half = 0.5 * t
    leading = vecmath.exp(m, order * vecmath.log(m, half) - vecmath.lgamma(m, order + 1.0))
    leading = m.select(order == 0.0, 1.0, m.select(order == 1.0, half, leading))
    leading = leading * (1.0 - half * half / (order + 1.0))
    result = m.select(tiny, leading, _upwards(m, upwards, order, t))
    result = m.select(downwards, _downwards(m, downwards, order, t), result)
    result = m.select(t == INF, 0.0, result)
    # J_n is odd for odd n, both in x and in n.
    odd = order - 2.0 * m.floor(0.5 * order) == 1.0
    flips = (n < 0.0) ^ (x < 0.0)
    result = m.select(odd & flips, -result, result)
    return (m.select(whole & ~m.is_nan(x) & (order < 1e5), result, NAN),)
