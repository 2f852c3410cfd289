"""Gamma and beta functions, their relatives, and numbers that are made of them.

May import ``core``, ``ops``, ``transforms`` and ``fungrad.numpy``.
"""

from __future__ import annotations

import math
import operator
from fractions import Fraction
from typing import Any

import fungrad.numpy as jnp
from fungrad.core import dtypes
from fungrad.core.arguments import brief
from fungrad.core.array import Array
from fungrad.ops import special as ops
from fungrad.ops.cast import stop_gradient
from fungrad.scipy.special._base import in_double, one, pair, real, real_pair

# log(gamma(z)) less the leading part of Stirling's formula, as a series in 1/z**2 after a factor 1/z.
_STIRLING = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360, 1 / 156, -3617 / 122400)
# How far a complex argument is moved to the right before that.
_SHIFT = 9

# -- gamma -----------------------------------------------------------------------------------------------------------


def gammaln(x: Any) -> Array:
    """Logarithm of the magnitude of the gamma function.

    Example:
      >>> from fungrad.scipy import special
      >>> print(special.gammaln(1.0))
      0.0
    """
    return ops.lgamma(real(x, "gammaln"))


def gammasgn(x: Any) -> Array:
    """Sign of the gamma function; NaN at its poles below zero.

    Example:
      >>> from fungrad.scipy import special
      >>> print(special.gammasgn(-0.5))
      -1.0
    """
    x = real(x, "gammasgn")
    floor = jnp.floor(x)
    odd = jnp.mod(floor, 2.0) != 0
    below = jnp.where(x == floor, jnp.nan, jnp.where(odd, -1.0, 1.0))
    at_zero = jnp.where(jnp.signbit(x), -1.0, 1.0)
    sign = jnp.where(x > 0, 1.0, jnp.where(x == 0, at_zero, below))
    return jnp.where(jnp.isnan(x), jnp.nan, sign).astype(x.dtype)


def gamma(x: Any) -> Array:
    """Gamma function.

    Args:
      x: real or complex array.

    Example:
      >>> from fungrad.scipy import special
      >>> print(special.gamma(0.5).round(4))
      1.7725
    """
    x = one(x, "gamma")
    if dtypes.is_complex(x.aval.dtype):
        return jnp.exp(_complex_loggamma(x))
    return gammasgn(x) * jnp.exp(ops.lgamma(x))


def loggamma(x: Any) -> Array:
    """Principal branch of the logarithm of the gamma function; NaN for real ``x <= 0``.

    Args:
      x: real or complex array.

    Example:
      >>> from fungrad.scipy import special
      >>> print(special.loggamma(1.0))
      0.0
    """
    x = one(x, "loggamma")
    if dtypes.is_complex(x.aval.dtype):
        return _complex_loggamma(x)
    return jnp.where(x > 0, ops.lgamma(jnp.where(x > 0, x, 1.0)), jnp.nan)


def _complex_loggamma(z: Array) -> Array:
    left = jnp.real(z) < 0.5
    right = _stirling(jnp.where(left, 1 - z, z))
    # The reflection formula, with log(sin(pi z)) continued analytically through the upper half plane.
    upper = jnp.imag(z) >= 0
    point = jnp.where(left, z, 0.25 + 0.25j)
    point = jnp.where(upper, point, jnp.conj(point))
    # Whole turns are taken off before the exponential function.
    turn = jnp.real(point) - stop_gradient(jnp.round(jnp.real(point)))
    turned = jnp.exp(2j * math.pi * (turn + 1j * jnp.imag(point)))
    log_sine = jnp.log1p(-turned) - 1j * math.pi * point - math.log(2) + 0.5j * math.pi
    log_sine = jnp.where(upper, log_sine, jnp.conj(log_sine))
    found = jnp.where(left, math.log(math.pi) - log_sine - right, right)
    real_part, imag = jnp.real(z), jnp.imag(z)
    pole = (imag == 0) & (real_part <= 0) & (real_part == jnp.floor(real_part))
    return jnp.where(pole, complex(math.nan, math.nan), found)


def _stirling(z: Array) -> Array:
    """log(gamma(z)) for Re z >= 1/2."""
    steps = sum((jnp.log(z + k) for k in range(1, _SHIFT)), jnp.log(z))
    moved = z + _SHIFT
    inverse = 1 / moved
    square, series = inverse * inverse, jnp.zeros_like(z)
    for c in reversed(_STIRLING):
        series = series * square + c
    return (moved - 0.5) * jnp.log(moved) - moved + 0.5 * math.log(2 * math.pi) + inverse * series - steps


def factorial(n: Any, exact: bool = False) -> Array:
    """``n!`` for real ``n``; 0 below zero.

    Raises:
      NotImplementedError: ``exact`` is true.

    Example:
      >>> from fungrad.scipy import special
      >>> print(special.factorial(3.0).round(3))
      6.0
    """
    if exact:
        raise NotImplementedError("fungrad.scipy.special.factorial: exact=True is not supported; use math.factorial")
    n = real(n, "factorial")
    return jnp.where(n < 0, 0.0, jnp.exp(ops.lgamma(jnp.where(n < 0, 0.0, n) + 1.0)))


def digamma(x: Any) -> Array:
    """Derivative of the logarithm of the gamma function.

    Example:
      >>> from fungrad.scipy import special
      >>> print(special.digamma(1.0))
      -0.5772157
    """
    return ops.digamma(one(x, "digamma"))


def polygamma(n: Any, x: Any) -> Array:
    """Derivative of order ``n`` of ``digamma``.

    Example:
      >>> from fungrad.scipy import special
      >>> print(special.polygamma(1, 1.0).round(4))
      1.6449
    """
    n, x = pair("polygamma", n=n, x=x)
    return ops.polygamma(n, x)


def zeta(x: Any, q: Any = 1.0) -> Array:
    """Hurwitz zeta function, ``sum of (k + q)^-x``.

    Example:
      >>> from fungrad.scipy import special
      >>> print(special.zeta(2.0).round(4))
      1.6449
    """
    x, q = pair("zeta", x=x, q=q)
    return ops.zeta(x, q)


def gammainc(a: Any, x: Any) -> Array:
    """Regularized lower incomplete gamma function.

    Example:
      >>> from fungrad.scipy import special
      >>> print(special.gammainc(1.0, 1.0).round(4))
      0.6321
    """
    a, x = pair("gammainc", a=a, x=x)
    return ops.igamma(a, x)


def gammaincc(a: Any, x: Any) -> Array:
    """Regularized upper incomplete gamma function.

    Example:
      >>> from fungrad.scipy import special
      >>> print(special.gammaincc(1.0, 1.0).round(4))
      0.3679
    """
    a, x = pair("gammaincc", a=a, x=x)
    return ops.igammac(a, x)


def multigammaln(a: Any, d: int) -> Array:
    """Logarithm of the multivariate gamma function of dimension ``d``.

    Example:
      >>> from fungrad.scipy import special
      >>> print(special.multigammaln(2.0, 1))
      0.0
    """
    a = one(a, "multigammaln")
    constant = d * (d - 1) / 4 * math.log(math.pi)
    return jnp.sum(ops.lgamma(a[..., None] - jnp.arange(d, dtype=a.dtype) / 2), axis=-1) + constant


# -- beta, factorials ------------------------------------------------------------------------------------------------


def betaln(a: Any, b: Any) -> Array:
    """Logarithm of the magnitude of the beta function.

    Example:
      >>> from fungrad.scipy import special
      >>> print(special.betaln(1.0, 1.0))
      0.0
    """
    a, b = pair("betaln", a=a, b=b)
    swapped = a > b
    low, high = jnp.where(swapped, b, a), jnp.where(swapped, a, b)
    # Where they are large lgamma(high) and lgamma(low + high) cancel: their difference, by Stirling's formula.
    large = (high >= _LARGE) & (low + high >= _LARGE)
    x, y = jnp.where(large, high, _LARGE), jnp.where(large, low, 0.0)
    value = ops.lgamma(low) - jnp.where(large, _far_quotient(x, y, x + y), ops.lgamma(low + high) - ops.lgamma(high))
    # At infinity it is lgamma(low) less low times infinity; at (0, 0) each function has a pole, and two beat one.
    end = jnp.where(low > 0, -jnp.inf, jnp.inf)
    at_end = (high == jnp.inf) & ((low > 0) | (low < 0))
    return jnp.where((low == 0) & (high == 0), jnp.inf, jnp.where(at_end, end, value))


def _far_quotient(x: Array, y: Array, end: Array) -> Array:
    """``log(gamma(end) / gamma(x))`` for large ``x`` and ``end``, which is ``x + y``, by Stirling's formula."""
    # Where nothing is left of y / x, which may be too small for a float, the first term is y.
    slight = jnp.abs(y) < 1e-30 * x
    first = jnp.where(slight, y, (x - 0.5) * jnp.log1p(jnp.where(slight, 0.0, y) / x))
    return first + y * (jnp.log(end) - 1) + _beyond_stirling(end) - _beyond_stirling(x)


def _log_quotient(x: Array, y: Array, end: Array) -> Array:
    """``lgamma(end) - lgamma(x)`` where ``end`` is ``x + y``, also where that is ``x`` in its digits."""
    large = (x >= _LARGE) & (end >= _LARGE)
    far = _far_quotient(*[jnp.where(large, v, w) for v, w in ((x, _LARGE), (y, 0.0), (end, _LARGE))])
    near_x, near_end = jnp.where(large, _LARGE, x), jnp.where(large, _LARGE, end)
    return jnp.where(large, far, ops.lgamma(near_end) - ops.lgamma(near_x))


# From here on Stirling's series has all digits of double precision.
_LARGE = 8.0


def _beyond_stirling(x: Array) -> Array:
    """What the leading part of Stirling's formula lacks of ``log(gamma(x))``, for large ``x``."""
    square, rest = 1 / (x * x), jnp.zeros_like(x)
    for coefficient in reversed(_STIRLING):
        rest = rest * square + coefficient
    return rest / x


def beta(a: Any, b: Any) -> Array:
    """Beta function.

    Example:
      >>> from fungrad.scipy import special
      >>> print(special.beta(1.0, 1.0))
      1.0
    """
    a, b = pair("beta", a=a, b=b)
    sign, sign_of_sum = gammasgn(a) * gammasgn(b), gammasgn(a + b)
    # Where gamma(a + b) alone has a pole, which has no sign, the quotient is 0.
    zero = jnp.isnan(sign_of_sum) & ~jnp.isnan(sign)
    return jnp.where(zero, 1.0, sign * sign_of_sum) * jnp.exp(betaln(a, b))


def betainc(a: Any, b: Any, x: Any) -> Array:
    """Regularized incomplete beta function.

    Example:
      >>> from fungrad.scipy import special
      >>> print(special.betainc(1.0, 1.0, 0.25))
      0.25
    """
    a, b, x = pair("betainc", a=a, b=b, x=x)
    return ops.betainc(a, b, x)


def poch(z: Any, m: Any) -> Array:
    """Pochhammer symbol (rising factorial), ``gamma(z + m) / gamma(z)``.

    Args:
      z: real array.
      m: real array.

    Example:
      >>> from fungrad.scipy import special
      >>> print(special.poch(2.0, 3.0))
      24.0
    """
    return in_double(_poch, *real_pair("poch", z=z, m=m))


def _poch(z: Array, m: Array) -> Array:
    # For integer m, (z)_m = (-1)^m (1 - z - m)_m: between poles, where both gamma functions are infinite, and for steps
    # back past 0, where z + m is a pole if z is tiny.
    top = z + m
    whole = m == jnp.floor(m)
    both = whole & (((z <= 0) & (z == jnp.floor(z)) & (top <= 0)) | ((z < 0.5) & (m < 0)))
    start = jnp.where(both, 1 - top, z)
    end = jnp.where(both, 1 - z, top)
    sign = jnp.where(both, jnp.where(jnp.mod(m, 2) == 0, 1.0, -1.0), gammasgn(start) * gammasgn(end))
    value = sign * jnp.exp(_log_quotient(start, m, end))
    # 1/gamma is 0 at its poles, and nothing but they make gamma infinite.
    at_pole = (z <= 0) & (z == jnp.floor(z)) & ~both
    end_pole = (top <= 0) & (top == jnp.floor(top)) & ~both
    value = jnp.where(at_pole, 0.0, jnp.where(end_pole, jnp.inf, value))
    # In the limit z**m, whose sign alternates on the negative axis.
    power = jnp.where(m > 0, jnp.inf, 0.0) * jnp.where((z < 0) & (jnp.mod(m, 2) != 0), -1.0, 1.0)
    value = jnp.where(jnp.isinf(z), jnp.where((z < 0) & (~whole | jnp.isinf(m)), jnp.nan, power), value)
    value = jnp.where(m == -jnp.inf, jnp.nan, value)
    return jnp.where(m == 0, jnp.ones_like(z), jnp.where(jnp.isnan(m) | jnp.isnan(z), z + m, value))


def comb(N: Any, k: Any, *, repetition: bool = False) -> Array:
    """Number of combinations of ``N`` things taken ``k`` at a time.

    Args:
      N: real array, number of things.
      k: real array, number of things taken; the result is 0 for ``k < 0``, for ``k > N`` without repetition, and
        for NaN.
      repetition: whether things may be taken again.

    Returns:
      A floating array.

    Example:
      >>> from fungrad.scipy import special
      >>> print(special.comb(5, 2))
      10.0
    """
    n, k = real_pair("comb", N=N, k=k)
    return in_double(_comb_with_repetition if repetition else _comb, n, k)


def _comb_with_repetition(n: Array, k: Array) -> Array:
    return jnp.where((k == 0) & (n >= 0), 1.0, _comb(n + k - 1, k))


def _comb(n: Array, k: Array) -> Array:
    valid = (k <= n) & (n >= 0) & (k >= 0)
    n_, k_ = jnp.where(valid, n, 0.0), jnp.where(valid, k, 0.0)
    # The smaller of the two parts is divided out of the last factors.
    swapped = k_ > n_ - k_
    low, high = jnp.where(swapped, n_ - k_, k_), jnp.where(swapped, k_, n_ - k_)
    value = jnp.exp(_log_quotient(high + 1, low, n_ + 1) - ops.lgamma(low + 1))
    value = jnp.where(jnp.isinf(n_) & jnp.isfinite(k_), jnp.where(k_ == 0, 1.0, jnp.inf), value)
    # Of whole numbers, a whole number.
    whole = (n_ == jnp.floor(n_)) & (k_ == jnp.floor(k_)) & (value < 1e12)
    value = value + stop_gradient(jnp.where(whole, jnp.round(value) - value, 0.0))
    return jnp.where(valid, value, 0.0)


def bernoulli(n: int) -> Array:
    """The Bernoulli numbers ``B_0 ... B_n``, with ``B_1 = -1/2``.

    Args:
      n: the last index.

    Returns:
      A vector of length ``n + 1`` of the default floating dtype.

    Raises:
      TypeError: ``n`` is not an int.
      ValueError: ``n`` is negative.

    Example:
      >>> from fungrad.scipy import special
      >>> special.bernoulli(2)
      Array([ 1.        , -0.5       ,  0.16666667], dtype=float32)
    """
    try:
        last = operator.index(n)
    except TypeError:
        raise TypeError(f"fungrad.scipy.special.bernoulli: n must be an int, got {brief(n)}") from None
    if last < 0:
        raise ValueError(f"fungrad.scipy.special.bernoulli: n must not be negative, got {last}")
    numbers = [1.0, -0.5] + [0.0] * max(0, last - 1)
    exact: list[Fraction] = []
    for k in range(0, min(last, 40) + 1, 2):
        # The numbers of odd index but B_1 are 0.
        total = sum((math.comb(k + 1, 2 * j) * b for j, b in enumerate(exact)), Fraction(0))
        total += Fraction(-(k + 1), 2) if k else Fraction(0)
        exact.append(Fraction(1) if not k else -total / (k + 1))
        numbers[k] = float(exact[-1])
    # Then B_k is 2 k! zeta(k) / (2 pi)^k with alternating signs, where zeta is nearly 1.
    if last > 40:
        value = numbers[40] / (1 + 2.0**-40 + 3.0**-40)
        for k in range(42, last + 1, 2):
            value *= -(k * (k - 1)) / (4 * math.pi**2)
            numbers[k] = value * (1 + 2.0**-k + 3.0**-k)
    return jnp.array(numbers[: last + 1], dtype=dtypes.default_float())
