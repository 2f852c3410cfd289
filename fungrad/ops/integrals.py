"""Elementwise special functions that are integrals: exponential, sine and cosine integrals, and Bessel functions of the
first kind.

They have no names in ``fungrad.lax``; ``fungrad.scipy.special`` is made of them. Eager evaluation is SciPy's.

May import ``core``, ``ops._operands``, ``ops._families``, ``ops.elementwise``, ``ops.compare``, ``ops.special`` and
``ops.transcendental``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fungrad.core.array import Array
from fungrad.ops._families import Elementwise
from fungrad.ops._operands import constant, lift, lift_pair
from fungrad.ops.compare import eq, le, select_n
from fungrad.ops.elementwise import FLOAT, add, div, in_float32, mul, neg, sub
from fungrad.ops.special import no_derivative, scipy_function
from fungrad.ops.transcendental import cos, exp, sin

# -- exponential integrals -----------------------------------------------------------------------------------------


def _expn(n: np.ndarray, x: np.ndarray) -> Any:
    whole = (n >= 0) & (np.floor(n) == n) & (n < 2.0**31)
    found = scipy_function("expn")(np.where(whole, n, 0).astype(np.int32), x)
    # SciPy has infinity for negative zeros and arguments.
    found = np.where((x < 0) | np.isnan(x) | ~whole, np.nan, found)
    return found.astype(x.dtype)


def _expn_slope(g: Any, z: Any, n: Any, x: Any) -> Array:
    # E_(-1) is not in the family: exp(-x) (1 + 1/x) / x.
    lowest = le(n, 0.0)
    lower = expn(select_n(lowest, sub(n, 1.0), constant(n, 0.0)), x)
    return mul(g, neg(select_n(lowest, lower, mul(lower, add(div(1.0, x), 1.0)))))


expn_p = Elementwise(
    "expn",
    in_float32(_expn),
    FLOAT,
    (no_derivative("expn", "n"), _expn_slope),
    arity=2,
    cost=100,
)
expi_p = Elementwise(
    "expi",
    in_float32(lambda x: scipy_function("expi")(x)),
    FLOAT,
    lambda g, x, y: mul(g, div(exp(x), x)),
    cost=100,
)


def expn(n: Any, x: Any) -> Array:
    """Elementwise integral of ``exp(-x t) / t**n`` over t from 1; NaN unless ``n`` is a non-negative integer."""
    return expn_p.bind(*lift_pair("expn", n, x))


def expi(x: Any) -> Array:
    """Elementwise principal value of the integral of ``exp(t) / t`` over t from minus infinity to ``x``."""
    return expi_p.bind(lift(x, "expi: x"))


# -- sine and cosine integrals -------------------------------------------------------------------------------------


def _cosine_integral(x: np.ndarray) -> Any:
    return np.where(np.isneginf(x), x.dtype.type(np.nan), scipy_function("sici")(x)[1])


def _sine_slope(g: Any, x: Any, y: Any) -> Array:
    # sin(x) / x, whose Taylor series is used about 0.
    square = mul(x, x)
    near = le(square, 1e-4)
    series = add(1.0, mul(square, add(-1 / 6, mul(square, add(1 / 120, mul(square, -1 / 5040))))))
    safe = select_n(near, x, constant(x, 1.0))
    return mul(g, select_n(near, div(sin(safe), safe), series))


sine_integral_p = Elementwise(
    "sine_integral",
    in_float32(lambda x: scipy_function("sici")(x)[0]),
    FLOAT,
    _sine_slope,
    cost=100,
)
cosine_integral_p = Elementwise(
    "cosine_integral",
    in_float32(_cosine_integral),
    FLOAT,
    lambda g, x, y: mul(g, div(cos(x), x)),
    cost=100,
)


def sine_integral(x: Any) -> Array:
    """Elementwise integral of ``sin(t) / t`` over t from 0 to ``x``."""
    return sine_integral_p.bind(lift(x, "sine_integral: x"))


def cosine_integral(x: Any) -> Array:
    """Elementwise ``-integral of cos(t) / t`` over t from ``abs(x)`` to infinity."""
    return cosine_integral_p.bind(lift(x, "cosine_integral: x"))


# -- Bessel functions ------------------------------------------------------------------------------------------------


def _bessel_jn(n: np.ndarray, x: np.ndarray) -> Any:
    whole = np.floor(n) == n
    found = scipy_function("jv")(np.where(whole, n, 0), x)
    found = np.where(np.isinf(x), 0.0, found)
    return np.where(whole, found, np.nan).astype(x.dtype)


def _bessel_jn_slope(g: Any, z: Any, n: Any, x: Any) -> Array:
    zero = eq(n, 0.0)
    below = bessel_jn(sub(n, 1.0), x)
    above = bessel_jn(add(n, 1.0), x)
    return mul(g, select_n(zero, mul(sub(below, above), 0.5), neg(above)))


bessel_jn_p = Elementwise(
    "bessel_jn",
    in_float32(_bessel_jn),
    FLOAT,
    (no_derivative("bessel_jn", "n"), _bessel_jn_slope),
    arity=2,
    cost=200,
)


def bessel_jn(n: Any, x: Any) -> Array:
    """Elementwise Bessel function of the first kind of integer order ``n``; NaN for other orders."""
    return bessel_jn_p.bind(*lift_pair("bessel_jn", n, x))
