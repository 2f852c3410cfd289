"""Distributions made of gamma variates.

Gamma variates are differentiable with respect to their parameters (implicit reparameterization: a variate moves so that
its probability stays), and with them all distributions here.

May import ``core``, ``ops`` and the modules of ``random`` for arguments, bits, signs and continuous distributions.
"""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np

from fungrad.core import dtypes
from fungrad.core.arguments import shown
from fungrad.core.array import Array
from fungrad.ops._operands import scalar_array
from fungrad.ops.cast import stop_gradient
from fungrad.ops.compare import max
from fungrad.ops.complex_parts import abs
from fungrad.ops.elementwise import add, div, mul, sqrt, sub
from fungrad.ops.foundation import Dims, broadcast_in_dim, reduce_sum
from fungrad.ops.random_bits import attach_general
from fungrad.ops.random_gamma import random_gamma
from fungrad.ops.reduce import reduce_max
from fungrad.ops.resharding import at_sharding
from fungrad.ops.shape import expand_dims
from fungrad.ops.transcendental import exp, pow
from fungrad.random._arguments import common_shape, dtype_of, one_key, parameter, shape_of
from fungrad.random.bits import split_keys
from fungrad.random.continuous import draw_with, standard_exponential, standard_normal
from fungrad.random.discrete import rademacher
from fungrad.random.gamma_loops import gamma_of_words

attach_general({"random_gamma": gamma_of_words})


def variates(key: Array, a: Array, shape: Dims, log_space: bool = False) -> Array:
    """Gamma variates (or their logarithms) for a parameter that broadcasts to ``shape``."""
    own = a.aval.shape
    if own != shape:
        a = broadcast_in_dim(a, shape, tuple(range(len(shape) - len(own), len(shape))))
    return random_gamma(key, a, log_space)


def gamma(key: Any, a: Any, shape: Any = None, dtype: Any = None, *, out_sharding: Any = None) -> Array:
    """Numbers of the gamma distribution of scale 1, with density ``x**(a - 1) * exp(-x) / gamma(a)``.

    Reference: G. Marsaglia and W. W. Tsang, "A simple method for generating gamma variables", 2000.  The derivative by
    ``a``: M. Figurnov, S. Mohamed and A. Mnih, "Implicit reparameterization gradients", 2018.

    Args:
      key: a random key.
      a: shape parameter, positive; NaN comes out where it is negative.
      shape: shape of the result, None for that of ``a``.
      dtype: floating dtype; default the default floating dtype.  Where ``a`` is so small that numbers underflow, draw
        their logarithms with ``loggamma``.
      out_sharding: how the result is divided; see :func:`fungrad.reshard`.

    Raises:
      TypeError: ``key`` is not a key, or ``a`` is not real.
      ValueError: ``shape`` does not fit ``a``, ``dtype`` is not floating, or ``key`` is an array of keys.

    Example:
      >>> from fungrad import random
      >>> random.gamma(random.key(0), 2.0, (3,)).shape
      (3,)
    """
    if out_sharding is not None:
        return at_sharding(gamma, out_sharding, "fungrad.random.gamma", key, a, shape, dtype)
    single, dims, _, (value,) = draw_with("gamma", key, shape, dtype, a=a)
    return variates(single, value, dims)


def loggamma(key: Any, a: Any, shape: Any = None, dtype: Any = None, *, out_sharding: Any = None) -> Array:
    """Logarithms of numbers of the gamma distribution, which are finite for the smallest parameters too.

    Args:
      key: a random key.
      a: shape parameter, positive.
      shape: shape of the result, None for that of ``a``.
      dtype: floating dtype; default the default floating dtype.
      out_sharding: how the result is divided; see :func:`fungrad.reshard`.

    Raises:
      TypeError: ``key`` is not a key, or ``a`` is not real.
      ValueError: ``shape`` does not fit ``a``, ``dtype`` is not floating, or ``key`` is an array of keys.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import random
      >>> key = random.key(0)
      >>> bool(jnp.allclose(jnp.exp(random.loggamma(key, 2.0)), random.gamma(key, 2.0), rtol=1e-4))
      True
    """
    if out_sharding is not None:
        return at_sharding(loggamma, out_sharding, "fungrad.random.loggamma", key, a, shape, dtype)
    single, dims, _, (value,) = draw_with("loggamma", key, shape, dtype, a=a)
    return variates(single, value, dims, log_space=True)


def beta(key: Any, a: Any, b: Any, shape: Any = None, dtype: Any = None, *, out_sharding: Any = None) -> Array:
    """Numbers of the beta distribution, with density proportional to ``x**(a - 1) * (1 - x)**(b - 1)`` on (0, 1).

    Args:
      key: a random key.
      a: first parameter, positive.
      b: second parameter, positive.
      shape: shape of the result, None for that of the broadcast parameters.
      dtype: floating dtype; default the default floating dtype.
      out_sharding: how the result is divided; see :func:`fungrad.reshard`.

    Raises:
      TypeError: ``key`` is not a key, or a parameter is not real.
      ValueError: ``shape`` does not fit the parameters, or ``dtype`` is not floating.

    Example:
      >>> from fungrad import random
      >>> x = random.beta(random.key(0), 2.0, 5.0, (1000,))
      >>> round(float(x.mean()), 1)
      0.3
    """
    if out_sharding is not None:
        return at_sharding(beta, out_sharding, "fungrad.random.beta", key, a, b, shape, dtype)
    single, dims, _, (first, second) = draw_with("beta", key, shape, dtype, a=a, b=b)
    key_a, key_b = split_keys(single)
    log_a, log_b = (variates(k, p, dims, log_space=True) for k, p in ((key_a, first), (key_b, second)))
    greater = max(log_a, log_b)
    of_a, of_b = exp(sub(log_a, greater)), exp(sub(log_b, greater))
    return div(of_a, add(of_a, of_b))


def dirichlet(key: Any, alpha: Any, shape: Any = None, dtype: Any = None, *, out_sharding: Any = None) -> Array:
    """Vectors of the Dirichlet distribution: positive numbers whose sum is 1.

    Args:
      key: a random key.
      alpha: array of shape ``[..., n]`` of positive concentrations.
      shape: shape of the result without its last dimension, None for that of ``alpha`` without the last.
      dtype: floating dtype; default the default floating dtype.
      out_sharding: how the result is divided; see :func:`fungrad.reshard`.

    Returns:
      An array of shape ``shape + (n,)``.

    Raises:
      TypeError: ``key`` is not a key, or ``alpha`` is not real.
      ValueError: ``alpha`` is a scalar, ``shape`` does not fit it, or ``dtype`` is not floating.

    Example:
      >>> import numpy as np
      >>> from fungrad import random
      >>> x = random.dirichlet(random.key(0), np.float32([1.0, 2.0, 3.0]), (4,))
      >>> x.shape, bool(abs(x.sum(-1) - 1).max() < 1e-5)
      ((4, 3), True)
    """
    if out_sharding is not None:
        return at_sharding(dirichlet, out_sharding, "fungrad.random.dirichlet", key, alpha, shape, dtype)
    found = dtype_of("dirichlet", dtype, "f", dtypes.default_float())
    single, _ = one_key("dirichlet", key)
    value = parameter("dirichlet", "alpha", alpha, found)
    own = value.aval.shape
    if not own:
        raise ValueError(
            "fungrad.random.dirichlet: alpha must be an array of at least one dimension, the last one of which lists "
            f"the concentrations, got {value.aval.str_short()}"
        )
    if shape is None:
        dims = own[:-1]
    else:
        # Checked without the last dimension.
        dims = shape_of("dirichlet", shape)
        first = scalar_array(0.0, found) if len(own) == 1 else broadcast_in_dim(scalar_array(0.0, found), own[:-1], ())
        common_shape("dirichlet", dims, alpha=first)
    logs = variates(single, value, (*dims, own[-1]), log_space=True)
    if not own[-1]:
        return logs
    last = len(dims)
    weights = exp(sub(logs, stop_gradient(expand_dims(reduce_max(logs, (last,)), (last,)))))
    return div(weights, expand_dims(reduce_sum(weights, (last,)), (last,)))


def chisquare(key: Any, df: Any, shape: Any = None, dtype: Any = None, *, out_sharding: Any = None) -> Array:
    """Numbers of the chi-square distribution: sums of ``df`` squares of standard normal numbers.

    Args:
      key: a random key.
      df: degrees of freedom, positive.
      shape: shape of the result, None for that of ``df``.
      dtype: floating dtype; default the default floating dtype.
      out_sharding: how the result is divided; see :func:`fungrad.reshard`.

    Raises:
      TypeError: ``key`` is not a key, or ``df`` is not real.
      ValueError: ``shape`` does not fit ``df``, or ``dtype`` is not floating.

    Example:
      >>> from fungrad import random
      >>> x = random.chisquare(random.key(0), 4.0, (1000,))
      >>> 3.5 < float(x.mean()) < 4.5
      True
    """
    if out_sharding is not None:
        return at_sharding(chisquare, out_sharding, "fungrad.random.chisquare", key, df, shape, dtype)
    single, dims, _, (freedom,) = draw_with("chisquare", key, shape, dtype, df=df)
    return _chisquare(single, freedom, dims)


def _chisquare(key: Array, df: Array, shape: Dims) -> Array:
    return mul(exp(variates(key, div(df, 2.0), shape, log_space=True)), 2.0)


def f(key: Any, dfnum: Any, dfden: Any, shape: Any = None, dtype: Any = None, *, out_sharding: Any = None) -> Array:
    """Numbers of the F distribution: quotients of two chi-square numbers, each divided by its degrees of freedom.

    Args:
      key: a random key.
      dfnum: degrees of freedom of the numerator, positive.
      dfden: degrees of freedom of the denominator, positive.
      shape: shape of the result, None for that of the broadcast parameters.
      dtype: floating dtype; default the default floating dtype.
      out_sharding: how the result is divided; see :func:`fungrad.reshard`.

    Raises:
      TypeError: ``key`` is not a key, or a parameter is not real.
      ValueError: ``shape`` does not fit the parameters, or ``dtype`` is not floating.

    Example:
      >>> from fungrad import random
      >>> bool((random.f(random.key(0), 3.0, 10.0, (100,)) > 0).all())
      True
    """
    if out_sharding is not None:
        return at_sharding(f, out_sharding, "fungrad.random.f", key, dfnum, dfden, shape, dtype)
    single, dims, _, (above, below) = draw_with("f", key, shape, dtype, dfnum=dfnum, dfden=dfden)
    key_below, key_above = split_keys(single)
    numerator = div(_chisquare(key_above, above, dims), above)
    return div(numerator, div(_chisquare(key_below, below, dims), below))


def t(key: Any, df: Any, shape: Any = None, dtype: Any = None, *, out_sharding: Any = None) -> Array:
    """Numbers of Student's t distribution.

    Args:
      key: a random key.
      df: degrees of freedom, positive.
      shape: shape of the result, None for that of ``df``.
      dtype: floating dtype; default the default floating dtype.
      out_sharding: how the result is divided; see :func:`fungrad.reshard`.

    Raises:
      TypeError: ``key`` is not a key, or ``df`` is not real.
      ValueError: ``shape`` does not fit ``df``, or ``dtype`` is not floating.

    Example:
      >>> from fungrad import random
      >>> random.t(random.key(0), 3.0, (2, 3)).shape
      (2, 3)
    """
    if out_sharding is not None:
        return at_sharding(t, out_sharding, "fungrad.random.t", key, df, shape, dtype)
    single, dims, found, (freedom,) = draw_with("t", key, shape, dtype, df=df)
    key_normal, key_gamma = split_keys(single)
    half = div(freedom, 2.0)
    return mul(standard_normal(key_normal, dims, found), sqrt(div(half, variates(key_gamma, half, dims))))


def generalized_normal(key: Any, p: Any, shape: Any = (), dtype: Any = None, *, out_sharding: Any = None) -> Array:
    """Numbers of the generalized normal distribution, with density proportional to ``exp(-abs(x)**p)``.

    Args:
      key: a random key.
      p: exponent, positive, which broadcasts to ``shape``.
      shape: shape of the result.
      dtype: floating dtype; default the default floating dtype.
      out_sharding: how the result is divided; see :func:`fungrad.reshard`.

    Raises:
      TypeError: ``key`` is not a key, or ``p`` is not real.
      ValueError: ``shape`` does not fit ``p``, or ``dtype`` is not floating.

    Example:
      >>> from fungrad import random
      >>> random.generalized_normal(random.key(0), 1.5, (2,)).shape
      (2,)
    """
    if out_sharding is not None:
        return at_sharding(generalized_normal, out_sharding, "fungrad.random.generalized_normal", key, p, shape, dtype)
    found = dtype_of("generalized_normal", dtype, "f", dtypes.default_float())
    single, _ = one_key("generalized_normal", key)
    power = parameter("generalized_normal", "p", p, found)
    dims = common_shape("generalized_normal", shape_of("generalized_normal", shape), p=power)
    return _generalized_normal(single, power, dims, found)


def _generalized_normal(key: Array, p: Array, shape: Dims, dtype: np.dtype) -> Array:
    key_gamma, key_sign = split_keys(key)
    inverse = div(scalar_array(1.0, dtype), p)
    if inverse.aval.shape:
        inverse = broadcast_in_dim(inverse, shape, tuple(range(len(shape) - inverse.aval.ndim, len(shape))))
    size = pow(variates(key_gamma, inverse, shape), inverse)
    return mul(rademacher(key_sign, shape, dtype), size)


def ball(key: Any, d: int, p: Any = 2, shape: Any = (), dtype: Any = None, *, out_sharding: Any = None) -> Array:
    """Uniformly distributed points in the unit ball of the p-norm.

    Reference: F. Barthe, O. Guedon, S. Mendelson and A. Naor, "A probabilistic approach to the geometry of the l_p^n
    ball", 2005.

    Args:
      key: a random key.
      d: dimension of the points.
      p: exponent of the norm, a positive finite number; default 2.
      shape: shape of the result without its last dimension.
      dtype: floating dtype; default the default floating dtype.
      out_sharding: how the result is divided; see :func:`fungrad.reshard`.

    Returns:
      An array of shape ``shape + (d,)``.

    Raises:
      TypeError: ``key`` is not a key, or ``d`` not an int.
      ValueError: ``d`` is negative, ``p`` not positive and finite, or ``dtype`` is not floating.

    Example:
      >>> from fungrad import random
      >>> x = random.ball(random.key(0), 3, shape=(100,))
      >>> x.shape, bool((x * x).sum(-1).max() <= 1)
      ((100, 3), True)
    """
    if out_sharding is not None:
        return at_sharding(ball, out_sharding, "fungrad.random.ball", key, d, p, shape, dtype)
    found = dtype_of("ball", dtype, "f", dtypes.default_float())
    single, _ = one_key("ball", key)
    dims = shape_of("ball", shape)
    try:
        size = operator.index(d)
    except TypeError:
        raise TypeError(f"fungrad.random.ball: d must be an int, got {shown(d)}") from None
    if size < 0:
        raise ValueError(f"fungrad.random.ball: d must not be negative, got {size}")
    power = parameter("ball", "p", p, found)
    if power.aval.shape:
        raise ValueError(f"fungrad.random.ball: p must be a number, got {power.aval.str_short()}")
    if isinstance(p, (int, float)) and not 0 < p < math.inf:
        raise ValueError(
            f"fungrad.random.ball: p must be positive and finite, got {p}; the ball of the maximum norm is "
            "fungrad.random.uniform(key, shape, minval=-1, maxval=1)"
        )
    key_points, key_radius = split_keys(single)
    points = _generalized_normal(key_points, power, (*dims, size), found)
    total = add(reduce_sum(pow(abs(points), power), (len(dims),)), standard_exponential(key_radius, dims, found))
    return div(points, expand_dims(pow(total, div(scalar_array(1.0, found), power)), (len(dims),)))
