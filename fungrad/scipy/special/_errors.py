"""Error functions and their relatives: the normal distribution, Dawson's and Fresnel's integrals, Owen's T.

The Faddeeva function is computed by the trapezoidal rule, whose error is exponentially small, with a correction for the
pole (M. Al Azah and S. N. Chandler-Wilde, "Computation of the complex error function using modified trapezoidal rules",
2021); the scaled complementary error function and Dawson's integral are its values on the axes.  Derivatives are
families of functions, each of which is computed without cancellation.

May import ``core``, ``ops``, ``transforms`` and ``fungrad.numpy``.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

import fungrad.numpy as jnp
from fungrad.core import dtypes
from fungrad.core.arguments import brief
from fungrad.core.array import Array
from fungrad.ops import special as ops
from fungrad.ops.cast import stop_gradient
from fungrad.scipy.special._base import in_double, in_single, is_single, one, real, real_pair
from fungrad.transforms.custom_rules import custom_jvp

_ROOT_PI = math.sqrt(math.pi)
# Nodes of the trapezoidal and of the midpoint rule, and their weights.
_COUNT = 11
_STEP = math.sqrt(math.pi / (_COUNT + 1))
_NODES = tuple((k * _STEP) ** 2 for k in range(1, _COUNT + 1))
_MIDPOINTS = tuple(((k + 0.5) * _STEP) ** 2 for k in range(_COUNT + 1))
# Beyond, the pole needs no correction.
_POLE = math.pi / _STEP

# -- error function --------------------------------------------------------------------------------------------------


def erf(x: Any) -> Array:
    """Error function, ``2/sqrt(pi) * integral of exp(-t^2) from 0 to x``.

    Example:
      >>> from fungrad.scipy import special
      >>> print(special.erf(0.0))
      0.0
    """
    return ops.erf(one(x, "erf"))


def erfc(x: Any) -> Array:
    """Complement of the error function, accurate where it is small.

    Example:
      >>> from fungrad.scipy import special
      >>> print(special.erfc(0.0))
      1.0
    """
    return ops.erfc(one(x, "erfc"))


def erfinv(x: Any) -> Array:
    """Inverse of the error function on (-1, 1).

    Example:
      >>> from fungrad.scipy import special
      >>> print(special.erfinv(0.0))
      0.0
    """
    return ops.erf_inv(one(x, "erfinv"))


def erfcx(x: Any) -> Array:
    """Scaled complementary error function, ``exp(x^2) * erfc(x)``, which does not underflow.

    Args:
      x: real or complex array.

    Example:
      >>> from fungrad.scipy import special
      >>> print(special.erfcx(0.0))
      1.0
    """
    x = one(x, "erfcx")
    if dtypes.is_complex(x.aval.dtype):
        return _faddeeva(0, x * 1j)
    return in_single(lambda x: _repeated_integral(0, x), x)


@functools.partial(custom_jvp, nondiff_argnums=(0,))
def _repeated_integral(n: int, x: Array) -> Array:
    """``exp(x^2)`` times the n-th repeated integral of erfc; its derivative is ``-2 (n + 1)`` times the next one."""
    if n == 0:
        return _erfcx(x)
    # 2n I_n = I_(n-2) - 2x I_(n-1) loses x^2 digits a step: there the asymptotic series is used.
    switch = 4.0 if is_single(x) else 10.0
    below, here = jnp.full_like(x, 2 / _ROOT_PI), _erfcx(x)
    for k in range(1, n + 1):
        below, here = here, (below - 2 * x * here) / (2 * k)
    twice = 1 / (2 * jnp.maximum(x, switch))
    square, factor, total = twice * twice, 1.0, jnp.zeros_like(x)
    terms = []
    for m in range(10 if is_single(x) else 20):
        terms.append(factor)
        factor = -factor * (n + 2 * m + 1) * (n + 2 * m + 2) / (m + 1)
    for term in reversed(terms):
        total = total * square + term
    return jnp.where(x > switch, 2 / _ROOT_PI * total * twice ** (n + 1), here)


@_repeated_integral.defjvp
def _repeated_integral_jvp(n: int, primals: Any, tangents: Any) -> Any:
    (x,), (g,) = primals, tangents
    return _repeated_integral(n, x), g * (-2 * (n + 1) * _repeated_integral(n + 1, x))


def _erfcx(x: Array) -> Array:
    size = jnp.abs(x)
    total = jnp.zeros_like(x)
    for square in reversed(_MIDPOINTS):
        total = total + math.exp(-square) / (size + square / size)
    total = total * (2 * _STEP / math.pi)
    near = jnp.minimum(size, _POLE)
    turn = 2 * _POLE * near
    correction = 2 * jnp.exp(near * near - turn) / (1 + jnp.exp(-turn))
    total = total + jnp.where(size < _POLE, correction, jnp.zeros_like(x))
    return jnp.where(x < 0, 2 * _exp_square(x) - total, total)


def _exp_square(x: Array) -> Array:
    """exp(x^2) without the rounding of the square."""
    x = jnp.clip(x, -1e4, 1e4)
    head = jnp.round(x * 16) / 16
    return jnp.exp(head * head) * jnp.exp((x - head) * (x + head))


# -- normal distribution ---------------------------------------------------------------------------------------------


def ndtr(x: Any) -> Array:
    """Distribution function of the standard normal distribution.

    Example:
      >>> from fungrad.scipy import special
      >>> print(special.ndtr(0.0))
      0.5
    """
    x = one(x, "ndtr")
    z = x * math.sqrt(0.5)
    # In the lower tail 1 + erf cancels, in the upper one erfc is tiny.
    return jnp.where(x < 0, 0.5 * ops.erfc(-z), 0.5 * (1.0 + ops.erf(z)))


def log_ndtr(x: Any, series_order: int = 3) -> Array:
    """Logarithm of the distribution function of the standard normal distribution, accurate in both tails.

    Args:
      x: real array.
      series_order: not needed here; in JAX the length of a series.

    Raises:
      TypeError: ``x`` is complex, or ``series_order`` not an int.
      ValueError: ``series_order`` is not in [0, 30].

    Example:
      >>> from fungrad.scipy import special
      >>> print(special.log_ndtr(-100.0).round(2))
      -5005.52
    """
    if not isinstance(series_order, int):
        raise TypeError(f"fungrad.scipy.special.log_ndtr: series_order must be an int, got {brief(series_order)}")
    if not 0 <= series_order <= 30:
        raise ValueError(f"fungrad.scipy.special.log_ndtr: series_order must be in [0, 30], got {series_order}")
    return in_single(_log_ndtr, real(x, "log_ndtr"))


@custom_jvp
def _log_ndtr(x: Array) -> Array:
    z = x * math.sqrt(0.5)
    tail = x < -1
    below = jnp.log(0.5 * _repeated_integral(0, -jnp.where(tail, z, -1.0))) - jnp.where(tail, z * z, 1.0)
    return jnp.where(tail, below, jnp.log1p(-0.5 * ops.erfc(jnp.where(tail, 0.0, z))))


# The density over the distribution function.
_log_ndtr.defjvps(lambda g, out, x: g * (math.sqrt(2 / math.pi) / _repeated_integral(0, x * -math.sqrt(0.5))))

# M. J. Wichura, "Algorithm AS 241: the percentage points of the normal distribution", 1988: quotients of polynomials
# about 1/2, in the tails, and far out in them.
_CENTRAL = (
    (
        3.3871328727963666080e0, 1.3314166789178437745e2, 1.9715909503065514427e3, 1.3731693765509461125e4,
        4.5921953931549871457e4, 6.7265770927008700853e4, 3.3430575583588128105e4, 2.5090809287301226727e3,
    ),
    (
        1.0, 4.2313330701600911252e1, 6.8718700749205790830e2, 5.3941960214247511077e3, 2.1213794301586595867e4,
        3.9307895800092710610e4, 2.8729085735721942674e4, 5.2264952788528545610e3,
    ),
)  # fmt: skip
_TAIL = (
    (
        1.42343711074968357734e0, 4.63033784615654529590e0, 5.76949722146069140550e0, 3.64784832476320460504e0,
        1.27045825245236838258e0, 2.41780725177450611770e-1, 2.27238449892691845833e-2, 7.74545014278341407640e-4,
    ),
    (
        1.0, 2.05319162663775882187e0, 1.67638483018380384940e0, 6.89767334985100004550e-1, 1.48103976427480074590e-1,
        1.51986665636164571966e-2, 5.47593808499534494600e-4, 1.05075007164441684324e-9,
    ),
)  # fmt: skip
_FAR_TAIL = (
    (
        6.65790464350110377720e0, 5.46378491116411436990e0, 1.78482653991729133580e0, 2.96560571828504891230e-1,
        2.65321895265761230930e-2, 1.24266094738807843860e-3, 2.71155556874348757815e-5, 2.01033439929228813265e-7,
    ),
    (
        1.0, 5.99832206555887937690e-1, 1.36929880922735805310e-1, 1.48753612908506148525e-2,
        7.86869131145613259100e-4, 1.84631831751005468180e-5, 1.42151175831644588870e-7, 2.04426310338993978564e-15,
    ),
)  # fmt: skip


def ndtri(p: Any) -> Array:
    """Inverse of the distribution function of the standard normal distribution; NaN outside [0, 1].

    Reference: M. J. Wichura, "Algorithm AS 241: the percentage points of the normal distribution", 1988.

    Args:
      p: real array of probabilities.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad.scipy import special
      >>> special.ndtri(jnp.array([0.0, 0.5, 1.0]))
      Array([-inf,   0.,  inf], dtype=float32)
    """
    return in_single(_ndtri, real(p, "ndtri"))


def _quotient(x: Array, coefficients: Any) -> Array:
    above, below = (functools.reduce(lambda y, c: y * x + c, reversed(row), jnp.zeros_like(x)) for row in coefficients)
    return above / below


@custom_jvp
def _ndtri(p: Array) -> Array:
    q = p - 0.5
    central = q * _quotient(0.180625 - q * q, _CENTRAL)
    rest = jnp.where(q < 0, p, 1 - p)
    r = jnp.sqrt(-jnp.log(rest))
    tail = jnp.where(r <= 5, _quotient(r - 1.6, _TAIL), _quotient(r - 5, _FAR_TAIL))
    tail = jnp.where(rest == 0, jnp.inf, tail)
    outer = jnp.where(q < 0, -tail, tail)
    found = jnp.where(jnp.abs(q) <= 0.425, central, outer)
    return jnp.where((p >= 0) & (p <= 1), found, jnp.nan)


_ndtri.defjvps(lambda g, out, p: g * (math.sqrt(2 * math.pi) * jnp.exp(0.5 * out * out)))


@functools.cache
def _legendre(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes in [0, 1] and weights of Gauss's quadrature."""
    nodes, weights = np.polynomial.legendre.leggauss(count)
    return (nodes + 1) / 2, weights / 2


def owens_t(h: Any, a: Any) -> Array:
    """Owen's T function, the probability that ``X > h`` and ``0 < Y < a X`` for independent standard normal X and Y.

    Reference: D. B. Owen, "Tables for computing bivariate normal probabilities", 1956.

    Args:
      h: real array.
      a: real array.

    Example:
      >>> from fungrad.scipy import special
      >>> print(special.owens_t(0.0, 1.0))
      0.125
    """
    return in_double(_owens_t, *real_pair("owens_t", h=h, a=a))


@custom_jvp
def _owens_t(h: Array, a: Array) -> Array:
    size, slope = jnp.abs(h), jnp.abs(a)
    steep = slope > 1
    scaled = jnp.where(size == 0, 0.0, slope * size)
    first, second = jnp.where(steep, scaled, size), jnp.where(steep, 1 / jnp.where(steep, slope, 1.0), slope)
    small = _owens_t_integral(first, second)
    # T(h, a) + T(a h, 1/a) from the tails of the normal distribution.
    above, beside = 0.5 * ops.erfc(size * math.sqrt(0.5)), 0.5 * ops.erfc(scaled * math.sqrt(0.5))
    result = jnp.where(steep, 0.5 * (above + beside) - above * beside - small, small)
    result = jnp.where(size == 0, jnp.arctan(slope) / (2 * math.pi), result)
    result = jnp.where(jnp.isnan(h) | jnp.isnan(a), jnp.nan, result)
    return jnp.where(a < 0, -result, result)


def _owens_t_integral(h: Array, a: Array) -> Array:
    """For 0 <= a <= 1. The integrand is nothing beyond 9 / h."""
    upper = jnp.minimum(a, 9 / jnp.maximum(h, 1e-300))
    nodes, weights = _legendre(32)
    total = jnp.zeros_like(h)
    for node, weight in zip(nodes.tolist(), weights.tolist(), strict=True):
        square = (upper * node) ** 2
        total = total + weight * jnp.exp(-0.5 * (jnp.minimum(h, 1e30) ** 2 * square)) / (1 + square)
    return upper * total * jnp.exp(-0.5 * h * h) / (2 * math.pi)


_owens_t.defjvps(
    lambda g, out, h, a: g * (-0.5 / math.sqrt(2 * math.pi) * jnp.exp(-0.5 * h * h) * ops.erf(a * h * math.sqrt(0.5))),
    lambda g, out, h, a: g * (jnp.exp(-0.5 * h * h * (1 + a * a)) / (2 * math.pi * (1 + a * a))),
)

# -- Dawson, Faddeeva, Fresnel -----------------------------------------------------------------------------------------


def dawsn(x: Any) -> Array:
    """Dawson's integral, ``exp(-x^2) * integral of exp(t^2) from 0 to x``.

    Args:
      x: real array.

    Example:
      >>> from fungrad.scipy import special
      >>> print(special.dawsn(0.0))
      0.0
    """
    return in_single(lambda x: _dawson(0, x), real(x, "dawsn"))


@functools.partial(custom_jvp, nondiff_argnums=(0,))
def _dawson(n: int, x: Array) -> Array:
    """The n-th derivative."""
    value = _dawson_value(x)
    if n == 0:
        return value
    switch = 5.0 if is_single(x) else 10.0
    below, here = value, 1 - 2 * x * value
    for k in range(1, n):
        below, here = here, -2 * x * here - 2 * k * below
    # The asymptotic series, differentiated term by term; the recurrence above cancels there.
    inverse = 1 / jnp.maximum(jnp.abs(x), switch)
    square, factor, total = inverse * inverse, 0.5, jnp.zeros_like(x)
    terms = []
    for k in range(10 if is_single(x) else 24):
        terms.append(factor * math.prod(range(2 * k + 1, 2 * k + 1 + n)))
        factor = factor * (2 * k + 1) / 2
    for term in reversed(terms):
        total = total * square + term
    far = (-1) ** n * total * inverse ** (n + 1)
    far = jnp.where(x < 0, (-1) ** (n + 1) * far, far)
    return jnp.where(jnp.abs(x) > switch, far, here)


@_dawson.defjvp
def _dawson_jvp(n: int, primals: Any, tangents: Any) -> Any:
    (x,), (g,) = primals, tangents
    return _dawson(n, x), g * _dawson(n + 1, x)


def _dawson_value(x: Array) -> Array:
    whole = jnp.abs(x)
    # Beyond these bounds the first term of either series is all, and the rule below would overflow.
    near_zero, far = whole < 1e-10, ~(whole < 1e10)
    size = jnp.where(near_zero | far, 1.0, whole)
    place = size / _STEP
    part = place - jnp.floor(place)
    between = (part >= 0.25) & (part <= 0.75)
    # The rule none of whose nodes is near; the other one is computed away from its nodes.
    sums = []
    for nodes, use in ((_NODES, between), (_MIDPOINTS, ~between)):
        safe = jnp.where(use, size, 0.5 * _STEP if nodes is _NODES else 0.0)
        total = jnp.zeros_like(x)
        for square in reversed(nodes):
            total = total + math.exp(-square) / (safe - square / safe)
        if nodes is _NODES:
            total = total + 0.5 / safe
        sums.append(total * (_STEP / _ROOT_PI))
    decay = 0.5 * _ROOT_PI * jnp.exp(-size * size)
    angle = math.pi * part
    with_nodes = sums[0] - decay / jnp.tan(jnp.where(between, angle, 1.0))
    with_midpoints = sums[1] + decay * jnp.tan(jnp.where(between, 0.0, angle))
    value = jnp.where(between, with_nodes, with_midpoints)
    value = jnp.where(near_zero, whole, jnp.where(far, 0.5 / whole, value))
    return jnp.copysign(value, x)


def wofz(z: Any) -> Array:
    """Faddeeva function, ``exp(-z^2) * erfc(-i z)``.

    Args:
      z: real or complex array.

    Returns:
      A complex array.

    Example:
      >>> from fungrad.scipy import special
      >>> print(special.wofz(0.0).real)
      1.0
    """
    z = one(z, "wofz")
    if not dtypes.is_complex(z.aval.dtype):
        wide = np.complex128 if z.aval.dtype.itemsize == 8 else np.complex64
        z = z.astype(wide)
    return _faddeeva(0, z)


@functools.partial(custom_jvp, nondiff_argnums=(0,))
def _faddeeva(n: int, z: Array) -> Array:
    """The n-th derivative of w."""
    value = _faddeeva_value(z)
    if n == 0:
        return value
    below, here = value, 2j / _ROOT_PI - 2 * z * value
    for k in range(1, n):
        below, here = here, -2 * z * here - 2 * k * below
    switch = 5.0 if z.aval.dtype.itemsize == 8 else 10.0
    far = (jnp.imag(z) >= 0) & (jnp.abs(z) > switch)
    inverse = 1 / jnp.where(far, z, 1j * switch)
    square, factor, total = inverse * inverse, 1.0, jnp.zeros_like(z)
    terms = []
    for k in range(10 if switch == 5 else 24):
        terms.append(factor * math.prod(range(2 * k + 1, 2 * k + 1 + n)))
        factor = factor * (2 * k + 1) / 2
    for term in reversed(terms):
        total = total * square + term
    return jnp.where(far, 1j / _ROOT_PI * (-1) ** n * total * inverse ** (n + 1), here)


@_faddeeva.defjvp
def _faddeeva_jvp(n: int, primals: Any, tangents: Any) -> Any:
    (z,), (g,) = primals, tangents
    return _faddeeva(n, z), g * _faddeeva(n + 1, z)


def _faddeeva_value(z: Array) -> Array:
    x, y = jnp.real(z), jnp.imag(z)
    first = _faddeeva_quadrant(jnp.abs(x), jnp.abs(y))
    # w(-conj z) is the conjugate of w(z), and w(-z) = 2 exp(-z^2) - w(z).
    mirrored = jnp.where((x < 0) ^ (y < 0), jnp.conj(first), first)
    turned = jnp.where(y < 0, -z, 0j)
    below = 2 * jnp.exp(-turned * turned) - mirrored
    found = jnp.where(y < 0, below, mirrored)
    return jnp.where(jnp.isnan(x) | jnp.isnan(y), jnp.nan, found)


def _faddeeva_quadrant(x: Array, y: Array) -> Array:
    """w(x + iy) for x, y >= 0."""
    place = x / _STEP
    part = place - jnp.floor(place)
    plain = y >= jnp.maximum(x, _POLE)
    nodes_apply = (y < x) & (part >= 0.25) & (part <= 0.75) & ~plain
    z = x + 1j * y
    # With 1/z so that nothing overflows: z / (z^2 - t^2) = 1 / (z - t^2 / z).
    zero = (x == 0) & (y == 0)
    huge = jnp.maximum(x, y) > 1e15
    safe = jnp.where(zero | huge, 1j, z)
    inverse = 1 / safe
    sums = []
    for nodes, use in ((_NODES, nodes_apply), (_MIDPOINTS, ~nodes_apply)):
        at = jnp.where(use, safe, 1 + 1j)
        inverse = 1 / at
        total = jnp.zeros_like(at)
        for square in reversed(nodes):
            total = total + math.exp(-square) / (at - square * inverse)
        if nodes is _NODES:
            total = total + 0.5 * inverse
        sums.append(total * (2j * _STEP / math.pi))
    near = ~plain & (y < _POLE) & ~huge
    at = jnp.where(near, z, 0j)
    # exp(-2 i pi z / h) grows with y: both are divided by it.
    turn = jnp.exp(2j * _POLE * _reduced(at))
    decay = jnp.exp(-at * at) * turn * 2
    sign = jnp.where(nodes_apply, -1.0, 1.0)
    correction = jnp.where(near, decay / jnp.where(near, turn + sign, 1.0), 0j)
    value = jnp.where(nodes_apply, sums[0], sums[1]) + correction
    value = jnp.where(huge, 1j / _ROOT_PI / jnp.where(huge, z, 1.0), value)
    return jnp.where(zero, 1 + 0j, value)


def _reduced(z: Array) -> Array:
    """z less a whole number of steps, with the same exp(2 i pi z / h)."""
    x = jnp.real(z)
    return z - stop_gradient(jnp.floor(x / _STEP)) * _STEP


def fresnel(x: Any) -> tuple[Array, Array]:
    """Fresnel's integrals of ``sin(pi t^2 / 2)`` and ``cos(pi t^2 / 2)`` from 0 to ``x``.

    Args:
      x: real array.

    Returns:
      Both integrals, that of the sine first.

    Example:
      >>> from fungrad.scipy import special
      >>> s, c = special.fresnel(float("inf"))
      >>> print(s, c)
      0.5 0.5
    """
    return in_double(_fresnel, real(x, "fresnel"))


def _phase(x: Array) -> tuple[Array, Array]:
    """sin and cos of pi x^2 / 2; of the square, multiples of 4 are left out before they are rounded."""
    x = jnp.where(jnp.isfinite(x), x, 0.0)
    whole = stop_gradient(jnp.round(x))
    rest = x - whole
    odd = whole - 2 * jnp.floor(0.5 * whole)
    twice = whole * rest
    twice = twice - 2 * stop_gradient(jnp.round(0.5 * twice))
    angle = 0.5 * math.pi * (odd + 2 * twice + rest * rest)
    return jnp.sin(angle), jnp.cos(angle)


@custom_jvp
def _fresnel(x: Array) -> tuple[Array, Array]:
    size = jnp.abs(x)
    near = size < 1.8
    t = 0.5 * math.pi * jnp.where(near, size, 0.0) ** 2
    square = t * t
    sine, cosine = jnp.zeros_like(x), jnp.zeros_like(x)
    for n in reversed(range(16)):
        sine = (-1) ** n / (math.factorial(2 * n + 1) * (4 * n + 3)) + square * sine
        cosine = (-1) ** n / (math.factorial(2 * n) * (4 * n + 1)) + square * cosine
    far = jnp.where(near, 1.8, size)
    w = _faddeeva_quadrant(0.5 * _ROOT_PI * far, 0.5 * _ROOT_PI * far) * (0.5 + 0.5j)
    sin, cos = _phase(far)
    p, q = jnp.real(w), jnp.imag(w)
    s = jnp.where(near, size * t * sine, 0.5 - (sin * p + cos * q))
    c = jnp.where(near, size * cosine, 0.5 - (cos * p - sin * q))
    end = jnp.isinf(x)
    return jnp.copysign(jnp.where(end, 0.5, s), x), jnp.copysign(jnp.where(end, 0.5, c), x)


@_fresnel.defjvp
def _fresnel_jvp(primals: Any, tangents: Any) -> Any:
    (x,), (g,) = primals, tangents
    sine, cosine = _phase(x)
    return _fresnel(x), (g * sine, g * cosine)
