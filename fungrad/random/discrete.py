"""Truth values, signs and numbers of trials.

May import ``core``, ``ops``, ``random._arguments`` and ``random.bits``.
"""

from __future__ import annotations

from typing import Any

from fungrad.core import dtypes
from fungrad.core.array import Array, as_array
from fungrad.ops._operands import kind_of, scalar_array
from fungrad.ops.cast import convert_element_type
from fungrad.ops.compare import eq, lt, select_n
from fungrad.ops.elementwise import add, div, floor, mul, neg, sub
from fungrad.ops.foundation import Dims
from fungrad.ops.joining import unstack
from fungrad.ops.resharding import at_sharding
from fungrad.ops.transcendental import log, log1p
from fungrad.random._arguments import against, common_shape, dtype_of, one_key, parameter, shape_of
from fungrad.random.bits import unit


def bernoulli(key: Any, p: Any = 0.5, shape: Any = None, mode: str = "low", *, out_sharding: Any = None) -> Array:
    """Booleans that are true with probability ``p``.

    Args:
      key: a random key.
      p: probability; its floating dtype decides how finely it is compared.
      shape: shape of the result, None for that of ``p``.
      mode: ``"high"`` draws twice as many bits, for very small probabilities; default ``"low"``.
      out_sharding: how the result is divided; see :func:`fungrad.reshard`.

    Raises:
      TypeError: ``key`` is not a key, or ``p`` is not floating.
      ValueError: ``shape`` does not fit ``p``, ``key`` is an array of keys, or there is no such mode.

    Example:
      >>> from fungrad import random
      >>> random.bernoulli(random.key(0), 0.25, (4,))
      Array([False, False, False, False], dtype=bool)
    """
    if out_sharding is not None:
        return at_sharding(bernoulli, out_sharding, "fungrad.random.bernoulli", key, p, shape, mode)
    if mode not in ("low", "high"):
        raise ValueError(f"fungrad.random.bernoulli: mode must be 'low' or 'high', got {mode!r}")
    single, _ = one_key("bernoulli", key)
    probability = as_array(p, "fungrad.random.bernoulli: p")
    if kind_of(probability.aval.dtype) != "f":
        raise TypeError(f"fungrad.random.bernoulli: p must be floating, got {probability.aval.str_short()}")
    probability = convert_element_type(probability, probability.aval.dtype)
    return _bernoulli(single, probability, common_shape("bernoulli", shape, p=probability), mode)


def _bernoulli(key: Array, p: Array, shape: Dims, mode: str = "low") -> Array:
    dtype = p.aval.dtype
    p = against(p, shape)
    if mode == "low":
        return lt(unit(key, shape, dtype), p)
    upper, lower = unstack(unit(key, (2, *shape), dtype))
    return lt(mul(lower, float(dtypes.finfo(dtype).eps)), sub(p, upper))


def rademacher(key: Any, shape: Any = (), dtype: Any = None, *, out_sharding: Any = None) -> Array:
    """Numbers that are 1 or -1 with equal probability.

    Args:
      key: a random key.
      shape: shape of the result.
      dtype: dtype of signed numbers; default the default integer dtype.
      out_sharding: how the result is divided; see :func:`fungrad.reshard`.

    Raises:
      TypeError: ``key`` is not a key.
      ValueError: ``dtype`` has no negative numbers, or ``key`` is an array of keys.

    Example:
      >>> from fungrad import random
      >>> random.rademacher(random.key(0), (4,))
      Array([-1, -1,  1,  1], dtype=int32)
    """
    if out_sharding is not None:
        return at_sharding(rademacher, out_sharding, "fungrad.random.rademacher", key, shape, dtype)
    found = dtype_of("rademacher", dtype, "ifc", dtypes.default_int())
    single, _ = one_key("rademacher", key)
    half = scalar_array(0.5, dtypes.default_float())
    heads = convert_element_type(_bernoulli(single, half, shape_of("rademacher", shape)), found)
    return sub(mul(scalar_array(2, found), heads), scalar_array(1, found))


def geometric(key: Any, p: Any, shape: Any = None, dtype: Any = None, *, out_sharding: Any = None) -> Array:
    """Numbers of trials up to and including the first success, each trial succeeding with probability ``p``.

    Args:
      key: a random key.
      p: probability of success, in (0, 1].
      shape: shape of the result, None for that of ``p``.
      dtype: integer dtype; default the default integer dtype.
      out_sharding: how the result is divided; see :func:`fungrad.reshard`.

    Raises:
      TypeError: ``key`` is not a key, or ``p`` is not real.
      ValueError: ``shape`` does not fit ``p``, or ``dtype`` is not an integer dtype.

    Example:
      >>> from fungrad import random
      >>> random.geometric(random.key(1), 1.0, (3,))
      Array([1, 1, 1], dtype=int32)
    """
    if out_sharding is not None:
        return at_sharding(geometric, out_sharding, "fungrad.random.geometric", key, p, shape, dtype)
    found = dtype_of("geometric", dtype, "iu", dtypes.default_int())
    single, _ = one_key("geometric", key)
    work = as_array(p, "fungrad.random.geometric: p").aval.dtype
    if kind_of(work) != "f":
        work = dtypes.default_float()
    probability = parameter("geometric", "p", p, work)
    dims = common_shape("geometric", shape, p=probability)
    u = unit(single, dims, work)
    # The logarithm of 1 stands in for that of 0.
    u = select_n(eq(u, 0.0), u, scalar_array(1.0, work))
    trials = floor(div(log(u), log1p(neg(against(probability, dims)))))
    return convert_element_type(add(trials, 1.0), found)
