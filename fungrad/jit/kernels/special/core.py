"""What the iterative functions share."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import wraps

from fungrad.jit.kernels import vecmath
from fungrad.jit.kernels.scalars import ScalarBuilder, Value
from fungrad.jit.kernels.vecmath.core import polynomial

EPS = 2.0**-53
SQRT_TWO_PI = math.sqrt(2 * math.pi)
# log(gamma(a)) is (a - 1/2) log(a) - a + log(2 pi) / 2 plus 1/a times this series in 1/a**2, from `STIRLING` on.
STIRLING = 10.0
_STIRLING_SERIES = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360, 1 / 156)
# atanh(s) / s - 1, divided by s**2, as a series in s**2.
_ATANH_SERIES = tuple(1 / (2 * k + 3) for k in range(14))


def iterative(function: Callable[..., tuple[Value, ...]]) -> Callable[..., Value]:
    """Makes a function on doubles, which returns a tuple of one value, one for all float types.

    It is compiled once, as a function of its own, whoever uses it.
    """

    @wraps(function)
    def call(m: ScalarBuilder, *arguments: Value) -> Value:
        wide = [m.convert(a, "f64") for a in arguments]
        (result,) = m.outline(function, ("f64",), *wide)
        return m.convert(result, arguments[0].type)

    return call


def excess(m: ScalarBuilder, t: Value, whole: Value | None = None) -> Value:
    """t - log(1 + t) for t >= -1, without cancellation near 0; `whole` is 1 + t if that is known better."""
    # With s = t / (2 + t), log(1 + t) = 2 atanh(s) and t = 2 s + s t.
    s = t / (t + 2.0)
    square = s * s
    near = s * t - 2.0 * s * square * polynomial(m, square, _ATANH_SERIES)
    log = vecmath.log1p(m, t) if whole is None else vecmath.log(m, whole)
    return m.select(m.abs(t) < 0.4, near, t - log)


def stirling(m: ScalarBuilder, a: Value) -> Value:
    """log(gamma(a)) less the leading part of Stirling's formula, for a >= `STIRLING`."""
    inverse = 1.0 / a
    return inverse * polynomial(m, inverse * inverse, _STIRLING_SERIES)
