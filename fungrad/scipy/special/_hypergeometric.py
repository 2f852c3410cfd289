"""Hypergeometric functions: power series where they converge, after transformations that bring the argument there.

J. W. Pearson, S. Olver and M. A. Porter, "Numerical methods for the computation of the confluent and Gauss
hypergeometric functions", 2017, has the transformations. All is computed in double precision, one element after the
other.

May import ``core``, ``ops``, ``transforms``, ``control``, ``fungrad.numpy``.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import fungrad.numpy as jnp
from fungrad.control.while_loop import while_loop
from fungrad.core.array import Array
from fungrad.ops import special as ops
from fungrad.ops.cast import stop_gradient
from fungrad.scipy.special._base import in_double, real_pair
from fungrad.scipy.special._gamma import gammasgn
from fungrad.transforms.custom_rules import SymbolicZero, custom_jvp
from fungrad.transforms.mapping import vmap

_EPS = 2.0**-53
# Terms of a series; those of 2F1 fall slowly only next to 1.
_LIMIT_1F1 = 3000
_LIMIT_2F1 = 100_000
# From where the arguments of 2F1 are reflected about 1/2.
_NEAR_ONE = 0.9
# Of c - a - b to whole numbers, where the reflection would cancel.
_CLOSE = 1e-2


def _elementwise(f: Callable[..., Array], *xs: Array) -> Array:
    """A function of scalars for arrays of one shape."""
    shape = xs[0].shape
    if not shape:
        return f(*xs)
    return vmap(f)(*[x.reshape(-1) for x in xs]).reshape(shape)


def _is_pole(x: Array) -> Array:
    return (x <= 0) & (x == jnp.floor(x))


def _inverse_gamma(x: Array) -> Array:
    pole = _is_pole(x)
    safe = jnp.where(pole, 1.0, x)
    return jnp.where(pole, 0.0, gammasgn(safe) * jnp.exp(-ops.lgamma(safe)))


# -- series --------------------------------------------------------------------------------------------------------


def _sum(going: Array, ratio: Any, limit: int, slope: Any = None) -> Array:
    """1 + r(0) + r(0) r(1) + ..., or with ``slope`` the derivative of that by something, while ``going`` holds.

    Args:
      going: whether the series is wanted.
      ratio: ``ratio(k)``, of a term to the one before.
      limit: greatest number of terms.
      slope: ``slope(k)``, the derivative of the ratio.
    """

    def step(state: Any) -> Any:
        k, term, change, total, _ = state
        factor = ratio(k)
        if slope is None:
            term = term * factor
            added = term
        else:
            change = change * factor + term * slope(k)
            term = term * factor
            added = change
        total = total + added
        more = (abs(added) > _EPS * abs(total)) | (abs(factor) > 1) & (term != 0)
        return k + 1, term, change, total, more

    one, zero = jnp.ones((), "float64"), jnp.zeros((), "float64")
    start = (zero, one, zero, one if slope is None else zero, going)
    return while_loop(lambda s: s[4] & (s[0] < limit), step, start)[3]


def _differentiate(f: Any, *slopes: Callable[..., Array]) -> None:
    """Gives ``f`` its derivatives by operands, of which only those are computed that are wanted: they are loops."""

    @functools.partial(f.defjvp, symbolic_zeros=True)
    def jvp(primals: Any, tangents: Any) -> Any:
        out = f(*primals)
        total = jnp.zeros_like(out)
        for slope, g in zip(slopes, tangents, strict=True):
            if not isinstance(g, SymbolicZero):
                total = total + g * slope(*primals)
        return out, total


@custom_jvp
def _series_1f1(a: Array, b: Array, x: Array) -> Array:
    return _sum(x == x, lambda k: (a + k) * x / ((b + k) * (k + 1)), _LIMIT_1F1)


def _slope_1f1(which: int, a: Array, b: Array, x: Array) -> Array:
    slopes = (
        lambda k: x / ((b + k) * (k + 1)),
        lambda k: -(a + k) * x / ((b + k) ** 2 * (k + 1)),
    )
    return _sum(x == x, lambda k: (a + k) * x / ((b + k) * (k + 1)), _LIMIT_1F1, slopes[which])


_differentiate(
    _series_1f1,
    functools.partial(_slope_1f1, 0),
    functools.partial(_slope_1f1, 1),
    lambda a, b, x: a / b * _series_1f1(a + 1, b + 1, x),
)


@custom_jvp
def _series_2f1(a: Array, b: Array, c: Array, x: Array) -> Array:
    return _sum(x == x, lambda k: (a + k) * (b + k) * x / ((c + k) * (k + 1)), _LIMIT_2F1)


def _slope_2f1(which: int, a: Array, b: Array, c: Array, x: Array) -> Array:
    slopes = (
        lambda k: (b + k) * x / ((c + k) * (k + 1)),
        lambda k: (a + k) * x / ((c + k) * (k + 1)),
        lambda k: -(a + k) * (b + k) * x / ((c + k) ** 2 * (k + 1)),
    )
    return _sum(x == x, lambda k: (a + k) * (b + k) * x / ((c + k) * (k + 1)), _LIMIT_2F1, slopes[which])


_differentiate(
    _series_2f1,
    functools.partial(_slope_2f1, 0),
    functools.partial(_slope_2f1, 1),
    functools.partial(_slope_2f1, 2),
    lambda a, b, c, x: a * b / c * _series_2f1(a + 1, b + 1, c + 1, x),
)

# -- functions -----------------------------------------------------------------------------------------------------


def hyp1f1(a: Any, b: Any, x: Any) -> Array:
    """Confluent hypergeometric function 1F1, the sum of ``(a)_k / (b)_k * x^k / k!``.

    Args:
      a: real array.
      b: real array; infinity comes out for 0, -1, -2 ..., unless ``a`` is 0 or equal to it.
      x: real array.

    Returns:
      A floating array. Digits are lost where parameters are large and of different signs.

    Example:
      >>> from fungrad.scipy import special
      >>> print(special.hyp1f1(1.0, 2.0, 1.0).round(4))
      1.7183
    """
    operands = real_pair("hyp1f1", a=a, b=b, x=x)
    return in_double(lambda *xs: _elementwise(_hyp1f1, *xs), *operands)


def _hyp1f1(a: Array, b: Array, x: Array) -> Array:
    pole, polynomial = _is_pole(b), _is_pole(a)
    b_ = jnp.where(pole, 1.0, b)
    # Kummer: exp(x) 1F1(b - a, b, -x). Far to the left, both are products of what is huge and tiny.
    negative = (x < 0) & ~polynomial
    size = jnp.maximum(jnp.abs(x), 1.0)
    far = negative & ~_is_pole(b_ - a) & (size > jnp.maximum(60.0, 4 * (a * a + b * b)))
    inner = jnp.where(far | (x > 750), 0.0, jnp.where(negative, -x, x))
    value = _series_1f1(jnp.where(negative, b_ - a, a), b_, inner)
    value = jnp.where(negative, jnp.exp(jnp.where(far, 0.0, jnp.minimum(x, 0.0))), 1.0) * value
    y = jnp.where(far, size, 100.0)
    term, total = jnp.ones_like(x), jnp.ones_like(x)
    for k in range(20):
        term = term * (a + k) * (a - b_ + 1 + k) / ((k + 1) * y)
        total = total + term
    gammas = gammasgn(b_) * jnp.exp(ops.lgamma(b_)) * _inverse_gamma(b_ - a)
    value = jnp.where(far, gammas * jnp.exp(-a * jnp.log(y)) * total, value)
    value = jnp.where((x > 750) & ~polynomial, jnp.inf, value)
    value = jnp.where(pole, jnp.inf, value)
    value = jnp.where((a == b) & (a != 0), jnp.exp(x), jnp.where((a == 0) & pole, 1.0, value))
    return jnp.where(jnp.isnan(a) | jnp.isnan(b) | jnp.isnan(x), jnp.nan, value)


def hyp2f1(a: Any, b: Any, c: Any, x: Any) -> Array:
    """Gauss's hypergeometric function 2F1, the sum of ``(a)_k (b)_k / (c)_k * x^k / k!``.

    Args:
      a: real array.
      b: real array.
      c: real array; infinity comes out for 0, -1, -2 ...
      x: real array; infinity comes out beyond 1, unless the sum ends.

    Returns:
      A floating array. Digits are lost where parameters are large, and where ``x`` is within some 1e-4 of 1 while
      ``c - a - b`` is nearly a whole number.

    Example:
      >>> from fungrad.scipy import special
      >>> print(special.hyp2f1(1.0, 1.0, 2.0, 0.5).round(4))
      1.3863
    """
    operands = real_pair("hyp2f1", a=a, b=b, c=c, x=x)
    return in_double(lambda *xs: _elementwise(_hyp2f1, *xs), *operands)


def _hyp2f1(a: Array, b: Array, c: Array, x: Array) -> Array:
    pole, polynomial = _is_pole(c), _is_pole(a) | _is_pole(b)
    c_ = jnp.where(pole, 1.0, c)
    # Pfaff: (1 - x)^-a 2F1(a, c - b, c, x / (x - 1)) for negative x.
    negative = (x < -0.5) & ~polynomial
    inside = (x < 1) | polynomial
    safe = jnp.where(inside, x, 0.0)
    front = jnp.where(negative, jnp.exp(-a * jnp.log1p(-jnp.where(negative, safe, 0.0))), 1.0)
    b_ = jnp.where(negative, c_ - b, b)
    z = jnp.where(negative, safe / jnp.where(negative, safe - 1, 1.0), safe)
    value = front * _between(a, b_, c_, z, polynomial)
    # At 1, Gauss's sum.
    d = c_ - a - b
    gauss = jnp.exp(ops.lgamma(c_) + ops.lgamma(jnp.where(d > 0, d, 1.0))) * gammasgn(c_)
    gauss = gauss * _inverse_gamma(c_ - a) * _inverse_gamma(c_ - b)
    end = jnp.where(d > 0, gauss, jnp.inf)
    value = jnp.where(inside, value, jnp.where(x == 1, end, jnp.inf))
    value = jnp.where(pole & ((a != 0) & (b != 0)), jnp.inf, value)
    value = jnp.where(jnp.isnan(a) | jnp.isnan(b) | jnp.isnan(c) | jnp.isnan(x), jnp.nan, value)
    return jnp.where((x == 0) | (a == 0) | (b == 0), 1.0, value)


def _between(a: Array, b: Array, c: Array, z: Array, polynomial: Array) -> Array:
    """2F1 on (-1/2, 1), or anywhere if the sum ends."""
    d = c - a - b
    # Euler: (1 - z)^d 2F1(c - a, c - b, c, z), whose terms fall faster.
    euler = (d < 0) & ~polynomial
    log = jnp.log1p(-jnp.where(z < 1, z, 0.0))
    front = jnp.where(euler, jnp.exp(jnp.where(euler, d, 0.0) * log), 1.0)
    a_, b_ = jnp.where(euler, c - a, a), jnp.where(euler, c - b, b)
    d_ = c - a_ - b_
    apart = abs(d_ - stop_gradient(jnp.round(d_))) > _CLOSE
    reflected = (z > _NEAR_ONE) & apart & ~polynomial
    direct = _series_2f1(a_, b_, c, jnp.where(reflected, 0.0, z))
    rest = jnp.where(reflected, 1 - z, 0.0)
    delta = jnp.where(reflected, d_, 0.5)
    gamma_c = gammasgn(c) * jnp.exp(ops.lgamma(c))
    gammas = [gammasgn(s) * jnp.exp(ops.lgamma(s)) for s in (delta, -delta)]
    first = gammas[0] * _inverse_gamma(c - a_) * _inverse_gamma(c - b_) * _series_2f1(a_, b_, 1 - delta, rest)
    second = gammas[1] * _inverse_gamma(a_) * _inverse_gamma(b_)
    second = second * _series_2f1(c - a_, c - b_, 1 + delta, rest) * jnp.exp(delta * log)
    return front * jnp.where(reflected, gamma_c * (first + second), direct)
