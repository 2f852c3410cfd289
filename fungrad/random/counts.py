"""Numbers of events: Poisson, binomial and multinomial.

The algorithms draw arrays until every element has been accepted, in the order of JAX, so that equal keys give equal
numbers.

May import ``core``, ``ops``, ``control``, ``fungrad.numpy`` and the modules of ``random`` for arguments and bits.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import fungrad.numpy as jnp
from fungrad.control.scan import scan
from fungrad.control.while_loop import while_loop
from fungrad.core import dtypes
from fungrad.core.array import Array, as_array
from fungrad.numpy._promotion import promote_dtypes_inexact
from fungrad.ops import special
from fungrad.ops.cumulative import cumsum
from fungrad.ops.foundation import Dims
from fungrad.ops.random_bits import random_split
from fungrad.ops.resharding import at_sharding
from fungrad.random._arguments import common_shape, dtype_of, one_key, parameter, shape_of
from fungrad.random.bits import split_keys, unit

# -- Poisson -----------------------------------------------------------------------------------------------------------

# Rates from which rejection replaces the product of uniform numbers.
_LARGE_RATE = 10


def poisson(key: Any, lam: Any, shape: Any = None, dtype: Any = None, *, out_sharding: Any = None) -> Array:
    """Numbers of the Poisson distribution: of events that happen independently at a given rate.

    Reference for large rates: W. Hormann, "The transformed rejection method for generating Poisson random variables",
    1993.

    Args:
      key: a random key.
      lam: rate, the mean; -1 comes out where it is negative or NaN.
      shape: shape of the result, None for that of ``lam``.
      dtype: integer dtype; default the default integer dtype.
      out_sharding: how the result is divided; see :func:`fungrad.reshard`.

    Raises:
      TypeError: ``key`` is not a key, or ``lam`` is not real.
      ValueError: ``shape`` does not fit ``lam``, or ``dtype`` is not an integer dtype.
      NotImplementedError: the key is not one of threefry2x32.

    Example:
      >>> from fungrad import random
      >>> x = random.poisson(random.key(0), 3.0, (1000,))
      >>> 2.8 < float(x.mean()) < 3.2
      True
    """
    if out_sharding is not None:
        return at_sharding(poisson, out_sharding, "fungrad.random.poisson", key, lam, shape, dtype)
    found = dtype_of("poisson", dtype, "iu", dtypes.default_int())
    single, _ = one_key("poisson", key)
    if single.aval.dtype != dtypes.prng_key:
        raise NotImplementedError(
            "fungrad.random.poisson: key must be one of threefry2x32, the generator whose Poisson numbers are defined, "
            f"got {single.aval.str_short()}"
        )
    rate = parameter("poisson", "lam", lam, dtypes.float32)
    rate = jnp.broadcast_to(rate, common_shape("poisson", shape, lam=rate))
    small = jnp.isnan(rate) | (rate < _LARGE_RATE)
    limit = int(dtypes.iinfo(found).max)
    few = _poisson_by_product(single, jnp.where(small, rate, 0.0), found, limit)
    many = _poisson_by_rejection(single, jnp.where(small, 1e5, rate), found, limit)
    return jnp.where(rate == 0, jnp.zeros_like(few), jnp.where(small, few, many))


def _poisson_by_product(key: Array, rate: Array, dtype: np.dtype, limit: int) -> Array:
    """D. Knuth: how many uniform numbers can be multiplied before the product is less than exp(-rate)."""
    shape = rate.aval.shape

    def going(state: Any) -> Any:
        i, _, _, log_product = state
        return (log_product > -rate).any() & (i < limit)

    def step(state: Any) -> Any:
        i, count, key, log_product = state
        key, subkey = split_keys(key)
        count = jnp.where(log_product > -rate, count + 1, count)
        return i + 1, count, key, log_product + jnp.log(unit(subkey, shape, dtypes.float32))

    start = (jnp.zeros((), "int32"), jnp.zeros(shape, dtype), key, jnp.zeros(shape, "float32"))
    return (while_loop(going, step, start)[1] - 1).astype(dtype)


def _poisson_by_rejection(key: Array, rate: Array, dtype: np.dtype, limit: int) -> Array:
    shape, log_rate = rate.aval.shape, jnp.log(rate)
    b = 0.931 + 2.53 * jnp.sqrt(rate)
    a = -0.059 + 0.02483 * b
    inverse_alpha = 1.1239 + 1.1328 / (b - 3.4)
    v_r = 0.9277 - 3.6224 / (b - 2)

    def going(state: Any) -> Any:
        i, _, accepted, _ = state
        return (~accepted).any() & (i < limit)

    def step(state: Any) -> Any:
        i, out, accepted, key = state
        key, first, second = split_keys(key, 3)
        u = unit(first, shape, dtypes.float32) - 0.5
        v = unit(second, shape, dtypes.float32)
        distance = 0.5 - abs(u)
        k = jnp.floor((2 * a / distance + b) * u + rate + 0.43)
        height = jnp.log(v * inverse_alpha / (a / (distance * distance) + b))
        bound = -rate + k * log_rate - special.lgamma(k + 1)
        quick = (distance >= 0.07) & (v <= v_r)
        refused = (k < 0) | ((distance < 0.013) & (v > distance))
        accept = quick | (~refused & (height <= bound))
        return i + 1, jnp.where(accept, k, out), accepted | accept, key

    start = (jnp.zeros((), "int32"), jnp.full(shape, -1.0, "float32"), jnp.zeros(shape, bool), key)
    return while_loop(going, step, start)[1].astype(dtype)


# -- binomial ----------------------------------------------------------------------------------------------------------

# log(k!) less Stirling's formula, for k = 0 ... 9.
_STIRLING_TAIL = (
    0.0810614667953272, 0.0413406959554092, 0.0276779256849983, 0.02079067210376509, 0.0166446911898211,
    0.0138761288230707, 0.0118967099458917, 0.010411265261972, 0.00925546218271273, 0.00833056343336287,
)  # fmt: skip


def binomial(key: Any, n: Any, p: Any, shape: Any = None, dtype: Any = None) -> Array:
    """Numbers of the binomial distribution: of successes in ``n`` trials, each succeeding with probability ``p``.

    Reference for large means: W. Hormann, "The generation of binomial random variates", 1993.

    Args:
      key: a random key.
      n: number of trials; a fraction is dropped.
      p: probability of success.
      shape: shape of the result, None for that of the broadcast parameters.
      dtype: floating dtype of the result; default the default floating dtype.

    Returns:
      Whole numbers; NaN where ``n`` is negative or ``p`` not a probability.

    Raises:
      TypeError: ``key`` is not a key, or a parameter is not real.
      ValueError: ``shape`` does not fit the parameters, or ``dtype`` is not floating.

    Example:
      >>> from fungrad import random
      >>> x = random.binomial(random.key(0), 10, 0.5, (1000,))
      >>> 4.8 < float(x.mean()) < 5.2
      True
    """
    found = dtype_of("binomial", dtype, "f", dtypes.default_float())
    single, _ = one_key("binomial", key)
    (prob,) = promote_dtypes_inexact("random.binomial", as_array(p, "fungrad.random.binomial: p"))
    prob = parameter("binomial", "p", prob, prob.aval.dtype)
    count = parameter("binomial", "n", n, prob.aval.dtype)
    dims = common_shape("binomial", shape, n=count, p=prob)
    return _binomial(single, jnp.broadcast_to(count, dims), jnp.broadcast_to(prob, dims), found)


def _binomial(key: Array, count: Array, prob: Array, dtype: np.dtype) -> Array:
    shape = count.aval.shape
    # The rarer outcome is counted.
    rare = prob < 0.5
    q = jnp.where(rare, prob, 1 - prob)
    no_count, no_q, negative = jnp.isnan(count) | (count < 0), jnp.isnan(q), q < 0
    infinite = jnp.isinf(count)
    q = jnp.where(no_q | negative, 0.01, q)
    few = no_count | (count * q <= 10)
    easy = few | infinite
    count = jnp.floor(count)
    out = jnp.where(
        few,
        _binomial_by_gaps(key, jnp.where(few, count, 0.0), q, shape),
        _binomial_by_rejection(key, jnp.where(easy, 1e4, count), jnp.where(easy, 0.5, q), shape),
    ).astype(dtype)
    invalid = negative | no_q | no_count
    out = jnp.where(invalid, jnp.nan, jnp.where(infinite, jnp.inf, out)).astype(dtype)
    return jnp.where(rare | no_count | no_q | infinite, out, count.astype(dtype) - out)


def _binomial_by_gaps(key: Array, count: Array, prob: Array, shape: Dims) -> Array:
    """How many geometric gaps between successes fit into the trials."""
    dtype, log_failure = prob.aval.dtype, jnp.log1p(-prob)

    def going(state: Any) -> Any:
        return (state[1] <= count).any()

    def step(state: Any) -> Any:
        successes, trials, key = state
        subkey, key = split_keys(key)
        successes = jnp.where(trials <= count, successes + 1, successes)
        gap = jnp.ceil(jnp.log(unit(subkey, shape, dtype)) / log_failure)
        return successes, trials + gap, key

    start = (jnp.zeros(shape, dtype), jnp.zeros(shape, dtype), key)
    return while_loop(going, step, start)[0] - 1


def _binomial_by_rejection(key: Array, count: Array, prob: Array, shape: Dims) -> Array:
    dtype = prob.aval.dtype
    deviation = jnp.sqrt(count * prob * (1 - prob))
    b = 1.15 + 2.53 * deviation
    a = -0.0873 + 0.0248 * b + 0.01 * prob
    c = count * prob + 0.5
    v_r = 0.92 - 4.2 / b
    r = prob / (1 - prob)
    alpha = (2.83 + 5.1 / b) * deviation
    m = jnp.floor((count + 1) * prob)

    def going(state: Any) -> Any:
        return (~state[1]).any()

    def step(state: Any) -> Any:
        out, accepted, key = state
        key, first, second = split_keys(key, 3)
        u = unit(first, shape, dtype) - 0.5
        v = unit(second, shape, dtype)
        distance = 0.5 - abs(u)
        k = jnp.floor((2 * a / distance + b) * u + c)
        refused = (k < 0) | (k > count)
        height = jnp.log(v * alpha / (a / (distance * distance) + b))
        bound = (m + 0.5) * jnp.log((m + 1) / (r * (count - m + 1)))
        bound += (count + 1) * jnp.log((count - m + 1) / (count - k + 1))
        bound += (k + 0.5) * jnp.log(r * (count - k + 1) / (k + 1))
        bound += _stirling_tail(m) + _stirling_tail(count - m) - _stirling_tail(k) - _stirling_tail(count - k)
        accept = ((distance >= 0.07) & (v <= v_r)) | (~refused & (height <= bound))
        return jnp.where(accept, k, out), accepted | accept, key

    start = (jnp.full(shape, -1, dtype), jnp.zeros(shape, bool), key)
    return while_loop(going, step, start)[0]


def _stirling_tail(k: Array) -> Array:
    """The tail for whole ``k``; beyond 9 that of 9, where the four tails of a bound cancel."""
    table = jnp.array(_STIRLING_TAIL, k.aval.dtype)
    return table[jnp.floor(jnp.clip(k, 0, 9)).astype("int32")]


# -- multinomial -------------------------------------------------------------------------------------------------------


def multinomial(key: Any, n: Any, p: Any, *, shape: Any = None, dtype: Any = None, unroll: int | bool = 1) -> Array:
    """Numbers of the multinomial distribution: how often each outcome came in ``n`` trials.

    Args:
      key: a random key.
      n: number of trials, which broadcasts to the shape of the result without its last dimension.
      p: array of shape ``[..., k]`` of the probabilities of the outcomes; only their ratios count.
      shape: shape of the result, which ends with (or broadcasts from) that of ``p``, None for that of ``p``.
      dtype: dtype of the result; default the default floating dtype.
      unroll: how many outcomes a step of the loop over outcomes draws.

    Returns:
      Whole numbers, an array of ``shape``, whose sums along the last dimension are ``n``.

    Raises:
      TypeError: ``key`` is not a key, or a parameter is not real.
      ValueError: ``p`` is a scalar, or ``shape`` does not fit ``n`` and ``p``.

    Example:
      >>> import numpy as np
      >>> from fungrad import random
      >>> x = random.multinomial(random.key(0), 10, np.float32([0.2, 0.3, 0.5]))
      >>> x.shape, float(x.sum())
      ((3,), 10.0)
    """
    api = "fungrad.random.multinomial"
    single, _ = one_key("multinomial", key)
    arrays = [as_array(x, f"{api}: {name}") for name, x in (("n", n), ("p", p))]
    count, prob = promote_dtypes_inexact("random.multinomial", *arrays)
    work = prob.aval.dtype
    count, prob = parameter("multinomial", "n", count, work), parameter("multinomial", "p", prob, work)
    if not prob.aval.shape:
        raise ValueError(f"{api}: p must list probabilities in its last dimension, got {prob.aval.str_short()}")
    found = dtypes.default_float() if dtype is None else dtypes.canonicalize_dtype(dtype, api)
    dims = prob.aval.shape if shape is None else shape_of("multinomial", shape)
    common_shape("multinomial", dims, p=prob)
    if count.aval.shape:
        common_shape("multinomial", dims[:-1], n=count)
    count = jnp.broadcast_to(count, dims[:-1])
    prob = jnp.moveaxis(jnp.broadcast_to(prob, dims), -1, 0)
    left = cumsum(prob, 0, True)
    ratios = prob / jnp.where(left == 0, 1, left)

    def step(rest: Any, x: Any) -> Any:
        ratio, key = x
        drawn = _binomial(key, rest, jnp.clip(ratio, 0, 1), work)
        return rest - drawn, drawn

    _, counts = scan(step, count, (ratios, random_split(single, (dims[-1],))), unroll=unroll)
    return jnp.moveaxis(counts, 0, -1).astype(found)
