"""Distributions of floating numbers.

All of them are smooth functions of uniform numbers, so they can be differentiated with respect to their parameters.

May import ``core``, ``ops``, ``random._arguments`` and ``random.bits``.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fungrad.config import config
from fungrad.core import dtypes
from fungrad.core.array import Array
from fungrad.ops._operands import scalar_array
from fungrad.ops.cast import convert_element_type, stop_gradient
from fungrad.ops.compare import ge, le, lt, max, min, select_n
from fungrad.ops.complex_parts import abs, complex
from fungrad.ops.elementwise import add, div, mul, neg, nextafter, sign, sqrt, square, sub
from fungrad.ops.foundation import Dims, reduce_sum
from fungrad.ops.integer import bitwise_or, clz, shift_left, shift_right_logical
from fungrad.ops.joining import unstack
from fungrad.ops.random_bits import random_bits
from fungrad.ops.resharding import at_sharding
from fungrad.ops.special import erf, erf_inv
from fungrad.ops.transcendental import exp, log, log1p, pow, tan
from fungrad.random._arguments import against, check_lossless, common_shape, dtype_of, one_key, parameter, shape_of
from fungrad.random.bits import split_keys, uniform_between, unit
from fungrad.random.discrete import rademacher


def _draw(api: str, key: Any, shape: Any, dtype: Any) -> tuple[Array, Dims, np.dtype]:
    """The arguments of a distribution without parameters."""
    found = dtype_of(api, dtype, "f", dtypes.default_float())
    single, _ = one_key(api, key)
    return single, shape_of(api, shape), found


# Functions that refuse parameters of a wider dtype than the one that is asked for, as in JAX.
_WITHOUT_LOSS = frozenset(("beta", "chisquare", "f", "lognormal", "pareto", "rayleigh", "t", "triangular", "wald"))


def draw_with(api: str, key: Any, shape: Any, dtype: Any, **values: Any) -> tuple[Array, Dims, np.dtype, list[Array]]:
    """The arguments of a distribution with parameters, which are made ready for elementwise operations."""
    found = dtype_of(api, dtype, "f", dtypes.default_float())
    single, _ = one_key(api, key)
    if dtype is not None and api in _WITHOUT_LOSS:
        for name, value in values.items():
            check_lossless(api, name, value, found)
    arrays = {name: parameter(api, name, value, found) for name, value in values.items()}
    dims = common_shape(api, shape, **arrays)
    return single, dims, found, [against(x, dims) for x in arrays.values()]


# -- normal and related ------------------------------------------------------------------------------------------------


def normal(key: Any, shape: Any = (), dtype: Any = None, *, out_sharding: Any = None) -> Array:
    """Standard normal numbers.

    Args:
      key: a random key.
      shape: shape of the result.
      dtype: floating or complex dtype; default the default floating dtype.  Complex numbers have independent normal
        parts and variance 1 altogether.
      out_sharding: how the result is divided; see :func:`fungrad.reshard`.

    Raises:
      TypeError: ``key`` is not a key.
      ValueError: ``dtype`` is neither floating nor complex, or ``key`` is an array of keys.

    Example:
      >>> from fungrad import random
      >>> random.normal(random.key(0), (2,)).round(3)
      Array([1.623, 2.025], dtype=float32)
    """
    if out_sharding is not None:
        return at_sharding(normal, out_sharding, "fungrad.random.normal", key, shape, dtype)
    found = dtype_of("normal", dtype, "fc", dtypes.default_float())
    single, _ = one_key("normal", key)
    return any_normal(single, shape_of("normal", shape), found)


def any_normal(key: Array, shape: Dims, dtype: np.dtype) -> Array:
    """Normal numbers of a real or complex dtype."""
    if not dtypes.is_complex(dtype):
        return standard_normal(key, shape, dtype)
    real = dtypes.to_real_dtype(dtype)
    parts = [div(standard_normal(k, shape, real), math.sqrt(2)) for k in split_keys(key)]
    return complex(*parts)


def standard_normal(key: Array, shape: Dims, dtype: np.dtype) -> Array:
    """Normal numbers of a real dtype, by inversion of the distribution function."""
    # Symmetric: the lower bound -1 is left out, as is the upper one.
    least = float(np.nextafter(np.array(-1, dtype), np.array(0, dtype)))
    u = uniform_between(key, shape, dtype, least, 1.0)
    return mul(math.sqrt(2), erf_inv(u))


def truncated_normal(
    key: Any, lower: Any, upper: Any, shape: Any = None, dtype: Any = None, *, out_sharding: Any = None
) -> Array:
    """Standard normal numbers under the condition that they are between two bounds.

    Args:
      key: a random key.
      lower: lower bound.
      upper: upper bound.
      shape: shape of the result, None for that of the broadcast bounds.
      dtype: floating dtype; default the default floating dtype.
      out_sharding: how the result is divided; see :func:`fungrad.reshard`.

    Raises:
      TypeError: ``key`` is not a key, or a bound is not real.
      ValueError: ``shape`` does not fit the bounds, or ``dtype`` is not floating.

    Example:
      >>> from fungrad import random
      >>> x = random.truncated_normal(random.key(0), -1.0, 2.0, (1000,))
      >>> -1 < float(x.min()), float(x.max()) < 2
      (True, True)
    """
    if out_sharding is not None:
        return at_sharding(
            truncated_normal, out_sharding, "fungrad.random.truncated_normal", key, lower, upper, shape, dtype
        )
    single, dims, found, (low, high) = draw_with("truncated_normal", key, shape, dtype, lower=lower, upper=upper)
    root = math.sqrt(2)
    u = uniform_between(single, dims, found, erf(div(low, root)), erf(div(high, root)))
    x = mul(root, erf_inv(u))
    # Rounding must not take a number to a bound or beyond.
    above = nextafter(stop_gradient(low), math.inf)
    below = nextafter(stop_gradient(high), -math.inf)
    return min(below, max(above, x))


def lognormal(key: Any, sigma: Any = 1.0, shape: Any = None, dtype: Any = None, *, out_sharding: Any = None) -> Array:
    """Numbers whose logarithm is normal with mean 0 and standard deviation ``sigma``.

    Args:
      key: a random key.
      sigma: standard deviation of the logarithm.
      shape: shape of the result, None for that of ``sigma``.
      dtype: floating dtype; default the default floating dtype.
      out_sharding: how the result is divided; see :func:`fungrad.reshard`.

    Example:
      >>> from fungrad import random
      >>> random.lognormal(random.key(0), shape=(2,))
      Array([5.066458, 7.578117], dtype=float32)
    """
    if out_sharding is not None:
        return at_sharding(lognormal, out_sharding, "fungrad.random.lognormal", key, sigma, shape, dtype)
    single, dims, found, (deviation,) = draw_with("lognormal", key, shape, dtype, sigma=sigma)
    return exp(mul(standard_normal(single, dims, found), deviation))


def maxwell(key: Any, shape: Any = (), dtype: Any = None, *, out_sharding: Any = None) -> Array:
    """Lengths of standard normal vectors in three dimensions: the Maxwell distribution of scale 1.

    Args:
      key: a random key.
      shape: shape of the result.
      dtype: floating dtype; default the default floating dtype.
      out_sharding: how the result is divided; see :func:`fungrad.reshard`.

    Example:
      >>> from fungrad import random
      >>> random.maxwell(random.key(0), (2,))
      Array([2.6310966 , 0.99103296], dtype=float32)
    """
    if out_sharding is not None:
        return at_sharding(maxwell, out_sharding, "fungrad.random.maxwell", key, shape, dtype)
    return _maxwell(*_draw("maxwell", key, shape, dtype))


def _maxwell(key: Array, shape: Dims, dtype: np.dtype) -> Array:
    x = standard_normal(key, (*shape, 3), dtype)
    return sqrt(reduce_sum(mul(x, x), (len(shape),)))


def double_sided_maxwell(key: Any, loc: Any, scale: Any, shape: Any = (), dtype: Any = None) -> Array:
    """Maxwell numbers with random sign: ``loc + scale * sign * maxwell``.

    Args:
      key: a random key.
      loc: centre.
      scale: scale.
      shape: leading dimensions of the result, in front of the shape to which ``loc`` and ``scale`` broadcast.
      dtype: floating dtype; default the default floating dtype.

    Returns:
      An array of shape ``shape + broadcast(loc, scale)``.

    Example:
      >>> from fungrad import random
      >>> random.double_sided_maxwell(random.key(0), 1.0, 2.0, (2,))
      Array([4.091442 , 4.1482553], dtype=float32)
    """
    api = "double_sided_maxwell"
    single, parameters, found, _ = draw_with(api, key, None, dtype, loc=loc, scale=scale)
    dims = (*shape_of(api, shape), *parameters)
    centre, width = (against(parameter(api, n, x, found), dims) for n, x in (("loc", loc), ("scale", scale)))
    first, second = split_keys(single)
    return add(mul(mul(rademacher(second, dims, found), _maxwell(first, dims, found)), width), centre)


def wald(key: Any, mean: Any, shape: Any = None, dtype: Any = None, *, out_sharding: Any = None) -> Array:
    """Wald (inverse Gaussian) numbers with the given mean and scale 1.

    Reference: Michael, Schucany and Haas, "Generating random variates using transformations with multiple roots", 1976.

    Args:
      key: a random key.
      mean: mean, positive.
      shape: shape of the result, None for that of ``mean``.
      dtype: floating dtype; default the default floating dtype.
      out_sharding: how the result is divided; see :func:`fungrad.reshard`.

    Example:
      >>> from fungrad import random
      >>> random.wald(random.key(0), 1.0, (2,))
      Array([0.38059747, 0.41566533], dtype=float32)
    """
    if out_sharding is not None:
        return at_sharding(wald, out_sharding, "fungrad.random.wald", key, mean, shape, dtype)
    single, dims, found, (mu,) = draw_with("wald", key, shape, dtype, mean=mean)
    first, second = split_keys(single)
    y = square(standard_normal(first, dims, found))
    u = unit(second, dims, found)
    squared = square(mu)
    root = sqrt(add(mul(mul(4.0, mu), y), mul(squared, square(y))))
    x = sub(add(mu, div(mul(squared, y), 2.0)), mul(div(mu, 2.0), root))
    return select_n(le(u, div(mu, add(mu, x))), div(squared, x), x)


# -- by inversion ------------------------------------------------------------------------------------------------------


def exponential(key: Any, shape: Any = (), dtype: Any = None, *, out_sharding: Any = None) -> Array:
    """Exponentially distributed numbers of rate 1.

    Args:
      key: a random key.
      shape: shape of the result.
      dtype: floating dtype; default the default floating dtype.
      out_sharding: how the result is divided; see :func:`fungrad.reshard`.

    Raises:
      TypeError: ``key`` is not a key.
      ValueError: ``dtype`` is not floating, or ``key`` is an array of keys.

    Example:
      >>> from fungrad import random
      >>> random.exponential(random.key(0), (2,))
      Array([2.950128 , 3.8434246], dtype=float32)
    """
    if out_sharding is not None:
        return at_sharding(exponential, out_sharding, "fungrad.random.exponential", key, shape, dtype)
    return standard_exponential(*_draw("exponential", key, shape, dtype))


def standard_exponential(key: Array, shape: Dims, dtype: np.dtype) -> Array:
    return neg(log1p(neg(unit(key, shape, dtype))))


GUMBEL_MODES = (None, "low", "high", "highest")


def gumbel(key: Any, shape: Any = (), dtype: Any = None, mode: str | None = None, *, out_sharding: Any = None) -> Array:
    """Numbers of the standard Gumbel distribution, the law of maxima.

    Args:
      key: a random key.
      shape: shape of the result.
      dtype: floating dtype; default the default floating dtype.
      mode: ``"high"`` draws twice as many bits, for an accurate upper tail, and ``"highest"`` uses all of them in
        float32 for both tails; default ``"low"``.
      out_sharding: how the result is divided; see :func:`fungrad.reshard`.

    Raises:
      TypeError: ``key`` is not a key.
      ValueError: ``dtype`` is not floating, ``key`` is an array of keys, or there is no such mode.

    Example:
      >>> from fungrad import random
      >>> random.gumbel(random.key(1), (2,)).shape
      (2,)
    """
    if out_sharding is not None:
        return at_sharding(gumbel, out_sharding, "fungrad.random.gumbel", key, shape, dtype, mode)
    if mode not in GUMBEL_MODES:
        raise ValueError(f"fungrad.random.gumbel: mode must be 'low', 'high' or 'highest', got {mode!r}")
    single, dims, found = _draw("gumbel", key, shape, dtype)
    return standard_gumbel(single, dims, found, mode)


def standard_gumbel(key: Array, shape: Dims, dtype: np.dtype, mode: str | None = None) -> Array:
    """As ``gumbel``, of checked arguments."""
    info = dtypes.finfo(dtype)
    if mode is None and config.high_dynamic_range_gumbel:
        mode = "high"
    if mode == "highest" and dtype == dtypes.float32:
        return _gumbel_of_64_bits(key, shape)
    if mode not in ("high", "highest"):
        return neg(log(neg(log(uniform_between(key, shape, dtype, float(info.tiny), 1.0)))))
    upper, lower = unstack(unit(key, (2, *shape), dtype))
    # The second draw supplies the bits below those of small first ones, which become the upper tail.
    refined = add(add(upper, mul(float(info.eps), lower)), float(info.tiny))
    u = select_n(ge(upper, 0.5), refined, upper)
    return neg(log(neg(log1p(neg(u)))))


def _gumbel_of_64_bits(key: Array, shape: Dims) -> Array:
    """From a fraction of 64 bits, or 1 minus it where that is smaller, whose first 24 binary digits make a float."""
    high, low = (convert_element_type(x, np.uint64) for x in unstack(random_bits(key, 32, (2, *shape))))
    whole = bitwise_or(shift_left(high, 32), low)
    small = lt(high, 2**31)
    rest = select_n(small, sub(scalar_array(0, dtypes.uint64), whole), whole)
    cut = max(sub(scalar_array(40, dtypes.uint64), clz(rest)), scalar_array(0, dtypes.uint64))
    cut = select_n(lt(clz(rest), 40), scalar_array(0, dtypes.uint64), cut)
    digits = convert_element_type(shift_left(shift_right_logical(rest, cut), cut), np.float32)
    x = max(mul(digits, 2.0**-64), 2.0**-65)
    return neg(log(neg(select_n(small, log(x), log1p(neg(x))))))


def laplace(key: Any, shape: Any = (), dtype: Any = None, *, out_sharding: Any = None) -> Array:
    """Numbers of the Laplace (double exponential) distribution of scale 1.

    Args:
      key: a random key.
      shape: shape of the result.
      dtype: floating dtype; default the default floating dtype.
      out_sharding: how the result is divided; see :func:`fungrad.reshard`.

    Example:
      >>> from fungrad import random
      >>> random.laplace(random.key(0), (2,))
      Array([-2.2569816, -3.1502788], dtype=float32)
    """
    if out_sharding is not None:
        return at_sharding(laplace, out_sharding, "fungrad.random.laplace", key, shape, dtype)
    single, dims, found = _draw("laplace", key, shape, dtype)
    least = float(np.nextafter(np.array(-1, found), np.array(0, found)))
    u = uniform_between(single, dims, found, least, 1.0)
    return mul(sign(u), log1p(neg(abs(u))))


def logistic(key: Any, shape: Any = (), dtype: Any = None, *, out_sharding: Any = None) -> Array:
    """Numbers of the standard logistic distribution.

    Args:
      key: a random key.
      shape: shape of the result.
      dtype: floating dtype; default the default floating dtype.
      out_sharding: how the result is divided; see :func:`fungrad.reshard`.

    Example:
      >>> from fungrad import random
      >>> random.logistic(random.key(0), (2,))
      Array([2.896376 , 3.8217716], dtype=float32)
    """
    if out_sharding is not None:
        return at_sharding(logistic, out_sharding, "fungrad.random.logistic", key, shape, dtype)
    single, dims, found = _draw("logistic", key, shape, dtype)
    u = uniform_between(single, dims, found, float(dtypes.finfo(found).tiny), 1.0)
    return sub(log(u), log1p(neg(u)))


def cauchy(key: Any, shape: Any = (), dtype: Any = None, *, out_sharding: Any = None) -> Array:
    """Numbers of the standard Cauchy distribution.

    Args:
      key: a random key.
      shape: shape of the result.
      dtype: floating dtype; default the default floating dtype.
      out_sharding: how the result is divided; see :func:`fungrad.reshard`.

    Example:
      >>> from fungrad import random
      >>> random.cauchy(random.key(0), (2,))
      Array([ 6.0274944, 14.837895 ], dtype=float32)
    """
    if out_sharding is not None:
        return at_sharding(cauchy, out_sharding, "fungrad.random.cauchy", key, shape, dtype)
    single, dims, found = _draw("cauchy", key, shape, dtype)
    u = uniform_between(single, dims, found, float(dtypes.finfo(found).eps), 1.0)
    return tan(mul(math.pi, sub(u, 0.5)))


def pareto(key: Any, b: Any, shape: Any = None, dtype: Any = None, *, out_sharding: Any = None) -> Array:
    """Numbers of the Pareto distribution with density ``b / x**(b + 1)`` for ``x >= 1``.

    Args:
      key: a random key.
      b: shape parameter, positive.
      shape: shape of the result, None for that of ``b``.
      dtype: floating dtype; default the default floating dtype.
      out_sharding: how the result is divided; see :func:`fungrad.reshard`.

    Example:
      >>> from fungrad import random
      >>> random.pareto(random.key(0), 3.0, (2,))
      Array([2.673467 , 3.6007476], dtype=float32)
    """
    if out_sharding is not None:
        return at_sharding(pareto, out_sharding, "fungrad.random.pareto", key, b, shape, dtype)
    single, dims, found, (exponent,) = draw_with("pareto", key, shape, dtype, b=b)
    return exp(div(standard_exponential(single, dims, found), exponent))


def rayleigh(key: Any, scale: Any, shape: Any = None, dtype: Any = None, *, out_sharding: Any = None) -> Array:
    """Lengths of normal vectors in two dimensions: the Rayleigh distribution.

    Args:
      key: a random key.
      scale: standard deviation of each coordinate, positive.
      shape: shape of the result, None for that of ``scale``.
      dtype: floating dtype; default the default floating dtype.
      out_sharding: how the result is divided; see :func:`fungrad.reshard`.

    Example:
      >>> from fungrad import random
      >>> random.rayleigh(random.key(0), 1.0, (2,))
      Array([0.32787833, 0.20810027], dtype=float32)
    """
    if out_sharding is not None:
        return at_sharding(rayleigh, out_sharding, "fungrad.random.rayleigh", key, scale, shape, dtype)
    single, dims, found, (width,) = draw_with("rayleigh", key, shape, dtype, scale=scale)
    return mul(width, sqrt(mul(log(unit(single, dims, found)), -2.0)))


def weibull_min(key: Any, scale: Any, concentration: Any, shape: Any = None, dtype: Any = None) -> Array:
    """Numbers of the Weibull distribution: ``scale * exponential ** (1 / concentration)``.

    Args:
      key: a random key.
      scale: scale, positive.
      concentration: shape parameter, positive.
      shape: shape of the result, None for that of the broadcast parameters (where JAX would draw a single number).
      dtype: floating dtype; default the default floating dtype.

    Example:
      >>> from fungrad import random
      >>> random.weibull_min(random.key(0), 1.0, 2.0, (2,))
      Array([1.7175937, 1.9604654], dtype=float32)
    """
    single, dims, found, (width, power) = draw_with(
        "weibull_min", key, shape, dtype, scale=scale, concentration=concentration
    )
    return mul(pow(standard_exponential(single, dims, found), div(1.0, power)), width)


def triangular(
    key: Any, left: Any, mode: Any, right: Any, shape: Any = None, dtype: Any = None, *, out_sharding: Any = None
) -> Array:
    """Numbers of the triangular distribution.

    Args:
      key: a random key.
      left: least number.
      mode: most likely number, where the density has its peak.
      right: greatest number.
      shape: shape of the result, None for that of the broadcast parameters.
      dtype: floating dtype; default the default floating dtype.
      out_sharding: how the result is divided; see :func:`fungrad.reshard`.

    Example:
      >>> from fungrad import random
      >>> x = random.triangular(random.key(0), 0.0, 1.0, 3.0, (1000,))
      >>> 0 <= float(x.min()), float(x.max()) <= 3
      (True, True)
    """
    if out_sharding is not None:
        return at_sharding(triangular, out_sharding, "fungrad.random.triangular", key, left, mode, right, shape, dtype)
    single, dims, found, (low, peak, high) = draw_with(
        "triangular", key, shape, dtype, left=left, mode=mode, right=right
    )
    span, rise, fall = sub(high, low), sub(peak, low), sub(high, peak)
    u = unit(single, dims, found)
    rising = add(low, sqrt(mul(mul(u, span), rise)))
    falling = sub(high, sqrt(mul(mul(sub(1.0, u), span), fall)))
    return select_n(lt(u, div(rise, span)), falling, rising)
