"""Logistic function, logarithms, entropies and Box-Cox transformations.

May import ``core``, ``ops``, ``transforms`` and ``fungrad.numpy``.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any

import fungrad.numpy as jnp
from fungrad.core.array import Array
from fungrad.nn import normalization
from fungrad.ops.transcendental import logistic
from fungrad.scipy.special._base import in_single, is_single, one, pair, real_pair
from fungrad.transforms.custom_rules import custom_jvp


def softmax(x: Any, /, *, axis: int | Sequence[int] | None = None) -> Array:
    """Softmax, ``exp(x) / sum(exp(x))``, by default over all elements (``fungrad.nn.softmax``: over the last axis).

    Args:
      x: array.
      axis: one or several dimensions; may be negative, None for all.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad.scipy import special
      >>> print(special.softmax(jnp.zeros((2, 2))))
      [[0.25 0.25]
       [0.25 0.25]]
    """
    return normalization.softmax(x, axis)


def log_softmax(x: Any, /, *, axis: int | Sequence[int] | None = None) -> Array:
    """Logarithm of ``softmax``, accurate for small probabilities.

    Args:
      x: array.
      axis: as for ``softmax``.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad.scipy import special
      >>> print(special.log_softmax(jnp.array([0.0, 200.0])))
      [-200.    0.]
    """
    return normalization.log_softmax(x, axis)


def expit(x: Any) -> Array:
    """Logistic function, ``1 / (1 + exp(-x))``.

    Example:
      >>> from fungrad.scipy import special
      >>> print(special.expit(0.0))
      0.5
    """
    return logistic(one(x, "expit"))


def logit(x: Any) -> Array:
    """Inverse of the logistic function, ``log(x / (1 - x))``.

    Example:
      >>> from fungrad.scipy import special
      >>> print(special.logit(0.5))
      0.0
    """
    x = one(x, "logit")
    return jnp.log(x) - jnp.log1p(-x)


def xlogy(x: Any, y: Any) -> Array:
    """``x log(y)``, which is 0 for ``x = 0`` whatever ``y`` but NaN; the derivative by ``x`` is ``log(y)`` there too.

    Example:
      >>> import fungrad
      >>> from fungrad.scipy import special
      >>> print(special.xlogy(0.0, 0.0), fungrad.grad(special.xlogy)(0.0, 1.0))
      0.0 0.0
    """
    return _xlogy(*pair("xlogy", x=x, y=y))


@custom_jvp
def _xlogy(x: Array, y: Array) -> Array:
    return _product(x, jnp.log(y), y)


def xlog1py(x: Any, y: Any) -> Array:
    """``x log(1 + y)``, which is 0 for ``x = 0`` whatever ``y`` but NaN; see ``xlogy``.

    Example:
      >>> from fungrad.scipy import special
      >>> print(special.xlog1py(0.0, -1.0))
      0.0
    """
    return _xlog1py(*pair("xlog1py", x=x, y=y))


@custom_jvp
def _xlog1py(x: Array, y: Array) -> Array:
    return _product(x, jnp.log1p(y), y)


def _product(x: Array, logarithm: Array, y: Array) -> Array:
    """``x * logarithm``, 0 where ``x`` is 0 and ``y`` is not NaN."""
    return jnp.where((x == 0) & (y == y), jnp.zeros_like(x), x * logarithm)


def _ratio(x: Array, y: Array) -> Array:
    """``x / y``, and 0 for ``0 / 0``: terms with the weight 0 have no part in a gradient."""
    none = (x == 0) & (y == 0)
    return jnp.where(none, jnp.zeros_like(x), x / jnp.where(none, jnp.ones_like(y), y))


# Written out, since the value as a select would have the derivative 0 where ``x`` is 0.
_xlogy.defjvps(lambda g, out, x, y: g * jnp.log(y), lambda g, out, x, y: g * _ratio(x, y))
_xlog1py.defjvps(lambda g, out, x, y: g * jnp.log1p(y), lambda g, out, x, y: g * _ratio(x, 1 + y))


def entr(x: Any) -> Array:
    """Entropy term, ``-x log(x)``; 0 at 0 and minus infinity below.

    Example:
      >>> from fungrad.scipy import special
      >>> print(special.entr(0.0))
      0.0
    """
    x = one(x, "entr")
    return jnp.where(x < 0, -jnp.inf, 0 - xlogy(x, x))


def rel_entr(p: Any, q: Any) -> Array:
    """Relative entropy term, ``p log(p / q)``; infinite outside ``p >= 0, q > 0``.

    Example:
      >>> from fungrad.scipy import special
      >>> print(special.rel_entr(1.0, 1.0))
      0.0
    """
    p, q = pair("rel_entr", p=p, q=q)
    valid = (p > 0) & (q > 0)
    ratio = jnp.where(valid, p, 1.0) * (jnp.log(jnp.where(valid, p, 1.0)) - jnp.log(jnp.where(valid, q, 1.0)))
    outside = jnp.where(jnp.isnan(p) | jnp.isnan(q), jnp.nan, jnp.inf)
    return jnp.where(valid, ratio, jnp.where((p == 0) & (q >= 0), 0.0, outside))


def kl_div(p: Any, q: Any) -> Array:
    """Kullback-Leibler term, ``p log(p / q) - p + q``; infinite outside ``p >= 0, q > 0``.

    Example:
      >>> from fungrad.scipy import special
      >>> print(special.kl_div(1.0, 1.0))
      0.0
    """
    p, q = pair("kl_div", p=p, q=q)
    inside = ((p > 0) & (q > 0)) | ((p == 0) & (q >= 0))
    return rel_entr(p, q) + jnp.where(inside, q - p, 0.0)


# -- Box-Cox -----------------------------------------------------------------------------------------------------------


def boxcox(x: Any, lmbda: Any) -> Array:
    """Box-Cox transformation, ``(x**lmbda - 1) / lmbda``, which is ``log(x)`` for ``lmbda = 0``.

    Smooth in ``lmbda``, also at 0.

    Args:
      x: real array of positive numbers.
      lmbda: real array.

    Example:
      >>> from fungrad.scipy import special
      >>> print(special.boxcox(4.0, 0.5), special.boxcox(1.0, 0.0))
      2.0 0.0
    """
    return in_single(lambda x, power: _scaled_power(jnp.log(x), power), *real_pair("boxcox", x=x, lmbda=lmbda))


def boxcox1p(x: Any, lmbda: Any) -> Array:
    """Box-Cox transformation of ``1 + x``, ``((1 + x)**lmbda - 1) / lmbda``, accurate for small ``x``.

    Args:
      x: real array of numbers above -1.
      lmbda: real array.

    Example:
      >>> from fungrad.scipy import special
      >>> print(special.boxcox1p(3.0, 0.5), special.boxcox1p(0.0, 0.0))
      2.0 0.0
    """
    return in_single(lambda x, power: _scaled_power(jnp.log1p(x), power), *real_pair("boxcox1p", x=x, lmbda=lmbda))


def _scaled_power(log: Array, power: Array) -> Array:
    """(exp(power * log) - 1) / power."""
    finite = jnp.where(jnp.isinf(log), jnp.ones_like(log), log)
    exponent = jnp.where(power == 0, jnp.zeros_like(power), power) * finite
    value = finite * _exponential_quotient(1, exponent)
    # At both ends of the logarithm, and of the exponent.
    direction = jnp.sign(log) * power
    falls = (jnp.isinf(log) | jnp.isinf(exponent)) & (direction < 0)
    ends = log + jnp.where(jnp.isnan(power), power, 0.0)
    found = jnp.where(falls, -1 / jnp.where(falls, power, 1.0), jnp.where(jnp.isinf(log), ends, value))
    return jnp.where(direction == jnp.inf, jnp.where(jnp.isinf(power), jnp.nan, found), found)


@functools.partial(custom_jvp, nondiff_argnums=(0,))
def _exponential_quotient(k: int, t: Array) -> Array:
    """exp(t) less the first k terms of its series, divided by t**k; the derivative follows from k and k + 1."""
    near = jnp.abs(t) < 1
    inner, series = jnp.where(near, t, 0.0), jnp.zeros_like(t)
    for n in reversed(range(12 if is_single(t) else 20)):
        series = series * inner + 1 / math.factorial(n + k)
    outer = jnp.where(near, 1.0, t)
    value = jnp.expm1(outer) / outer
    for j in range(1, k):
        value = (value - 1 / math.factorial(j)) / outer
    # Above, infinity is divided by infinity.
    return jnp.where(t == jnp.inf, t, jnp.where(near, series, value))


@_exponential_quotient.defjvp
def _exponential_quotient_jvp(k: int, primals: Any, tangents: Any) -> Any:
    (t,), (g,) = primals, tangents
    value = _exponential_quotient(k, t)
    # It grows as the exponential function does where both terms overflow.
    slope = jnp.where(value == jnp.inf, value, value - k * _exponential_quotient(k + 1, t))
    return value, g * slope
