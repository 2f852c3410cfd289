"""Exponential, sine and cosine integrals, the dilogarithm, and Bessel functions.

May import ``core``, ``ops``, ``transforms`` and ``fungrad.numpy``.
"""

from __future__ import annotations

import math
import operator
from typing import Any

import fungrad.numpy as jnp
from fungrad.core.arguments import brief
from fungrad.core.array import Array
from fungrad.numpy import windows
from fungrad.ops import integrals, special as ops
from fungrad.scipy.special._base import in_double, one, real, real_pair
from fungrad.transforms.custom_rules import custom_jvp

# -- exponential, sine and cosine integrals ----------------------------------------------------------------------------


def exp1(x: Any) -> Array:
    """Exponential integral ``E_1``: of ``exp(-t) / t`` over t from ``x``; NaN for negative ``x``.

    Args:
      x: real array.

    Example:
      >>> from fungrad.scipy import special
      >>> print(special.exp1(1.0).round(4))
      0.2194
    """
    x = real(x, "exp1")
    return integrals.expn(jnp.ones_like(x), x)


def expi(x: Any) -> Array:
    """Exponential integral ``Ei``: the principal value of that of ``exp(t) / t`` over t up to ``x``.

    Args:
      x: real array.

    Example:
      >>> from fungrad.scipy import special
      >>> print(special.expi(1.0).round(4))
      1.8951
    """
    return integrals.expi(real(x, "expi"))


def expn(n: Any, x: Any) -> Array:
    """Generalized exponential integral ``E_n``: of ``exp(-x t) / t**n`` over t from 1.

    Differentiable with respect to ``x`` only.

    Args:
      n: array of non-negative whole numbers; NaN comes out for others.
      x: real array; NaN comes out below 0.

    Example:
      >>> from fungrad.scipy import special
      >>> print(special.expn(2, 0.0))
      1.0
    """
    return integrals.expn(*real_pair("expn", n=n, x=x))


def sici(x: Any) -> tuple[Array, Array]:
    """Sine integral ``Si(x)`` and cosine integral ``Ci(x)``; the latter, for negative ``x``, of ``-x``.

    Args:
      x: real array.

    Returns:
      The integral of ``sin(t) / t`` from 0 to ``x``, and Euler's constant plus ``log(x)`` plus the integral of
      ``(cos(t) - 1) / t``.

    Example:
      >>> from fungrad.scipy import special
      >>> si, ci = special.sici(1.0)
      >>> print(si.round(4), ci.round(4))
      0.9461 0.3374
    """
    x = real(x, "sici")
    return integrals.sine_integral(x), integrals.cosine_integral(x)


# -- dilogarithm -------------------------------------------------------------------------------------------------------

# B_2k / (2k + 1)!
_DEBYE = (
    2.777777777777778e-2, -2.777777777777778e-4, 4.72411186696901e-6, -9.185773074661964e-8, 1.897886998897100e-9,
    -4.064761645144226e-11, 8.921691020456453e-13, -1.993929586072108e-14, 4.518980029619918e-16,
    -1.035651761218125e-17,
)  # fmt: skip


def spence(x: Any) -> Array:
    """Spence's function (dilogarithm): the integral of ``log(t) / (1 - t)`` from 1 to ``x``; NaN for negative ``x``.

    Args:
      x: real array.

    Example:
      >>> from fungrad.scipy import special
      >>> print(special.spence(0.0).round(4), special.spence(1.0))
      1.6449 0.0
    """
    return in_double(_spence, real(x, "spence"))


@custom_jvp
def _spence(x: Array) -> Array:
    # To [1/2, 2], where the Debye function has few terms: by 1/x first, then by 1 - x.
    large = x > 2
    inner = jnp.where(large, 1 / jnp.where(large, x, 1.0), x)
    low = inner < 0.5
    argument = jnp.where(low, 1 - inner, inner)
    u = 0 - jnp.log(argument)
    square, series = u * u, jnp.zeros_like(x)
    for c in reversed(_DEBYE):
        series = series * square + c
    value = u * (1 + square * series) - 0.25 * square
    positive = jnp.where(inner > 0, inner, 1.0)
    product = jnp.where((inner > 0) & low, jnp.log(positive) * jnp.log1p(-jnp.where(low, inner, 0.0)), 0.0)
    value = jnp.where(low, math.pi**2 / 6 - product - value, value)
    log = jnp.log(jnp.where(large, x, 1.0))
    value = jnp.where(large, -0.5 * log * log - value, value)
    return jnp.where(x >= 0, value, jnp.nan)


def _spence_slope(x: Array) -> Array:
    """log(x) / (1 - x), by its Taylor series about 1."""
    t = x - 1
    near = jnp.abs(t) < 0.05
    series, step = jnp.zeros_like(x), jnp.where(near, t, 0.0)
    for k in reversed(range(16)):
        series = series * -step + 1 / (k + 1)
    far = jnp.where(near, 2.0, x)
    return jnp.where(near, -series, jnp.log(far) / (1 - far))


_spence.defjvps(lambda g, out, x: g * _spence_slope(x))

# -- Bessel functions --------------------------------------------------------------------------------------------------


def i0e(x: Any) -> Array:
    """Modified Bessel function of order 0 times ``exp(-|x|)``.

    Example:
      >>> from fungrad.scipy import special
      >>> print(special.i0e(0.0))
      1.0
    """
    return ops.bessel_i0e(one(x, "i0e"))


def i0(x: Any) -> Array:
    """Modified Bessel function of order 0.

    Example:
      >>> from fungrad.scipy import special
      >>> print(special.i0(0.0))
      1.0
    """
    return windows.i0(one(x, "i0"))


def i1e(x: Any) -> Array:
    """Modified Bessel function of order 1 times ``exp(-|x|)``.

    Example:
      >>> from fungrad.scipy import special
      >>> print(special.i1e(0.0))
      0.0
    """
    return ops.bessel_i1e(one(x, "i1e"))


def i1(x: Any) -> Array:
    """Modified Bessel function of order 1.

    Example:
      >>> from fungrad.scipy import special
      >>> print(special.i1(0.0))
      0.0
    """
    return windows.i1(one(x, "i1"))


def bessel_jn(z: Any, *, v: int, n_iter: int = 50) -> Array:
    """Bessel functions of the first kind, of the orders 0, 1 ... v.

    Args:
      z: real array.
      v: the greatest order.
      n_iter: not needed here; in JAX the length of a recurrence, which limits the accuracy for large ``z``.

    Returns:
      An array of shape ``(v + 1, *z.shape)``.

    Raises:
      TypeError: ``z`` is complex, or ``v`` is not an int.
      ValueError: ``v`` is negative.

    Example:
      >>> from fungrad.scipy import special
      >>> special.bessel_jn(0.0, v=2)
      Array([1., 0., 0.], dtype=float32)
    """
    z = real(z, "bessel_jn")
    for name, value in (("v", v), ("n_iter", n_iter)):
        try:
            operator.index(value)
        except TypeError:
            raise TypeError(f"fungrad.scipy.special.bessel_jn: {name} must be an int, got {brief(value)}") from None
    if v < 0:
        raise ValueError(f"fungrad.scipy.special.bessel_jn: v must not be negative, got {v}")
    orders = jnp.arange(v + 1, dtype=z.dtype).reshape(-1, *[1] * z.ndim)
    return integrals.bessel_jn(*jnp.broadcast_arrays(orders, z))
