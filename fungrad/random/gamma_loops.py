"""Gamma variates with keys of any generator: the rejections of ``ops.random_gamma`` as loops, one variate at a time.

The bits of some generators depend on how many keys they are mapped over, so nothing is mapped here; the order of draws
is that of JAX.

May import ``core``, ``ops``, ``control`` and other modules of ``random``.
"""

from __future__ import annotations

import math
from functools import lru_cache, partial
from typing import Any

import numpy as np

from fungrad.control.scan import scan
from fungrad.control.while_loop import while_loop
from fungrad.core.array import Array
from fungrad.core.avals import ShapedArray
from fungrad.core.ir import Jaxpr
from fungrad.core.key_values import keys_of
from fungrad.core.lojax import eval_low
from fungrad.core.staging import DebugInfo, trace_flat
from fungrad.ops._operands import scalar_array
from fungrad.ops.compare import eq, ge, le, lt, select_n
from fungrad.ops.elementwise import add, div, mul, neg, sqrt, sub
from fungrad.ops.foundation import reshape
from fungrad.ops.integer import bitwise_and, bitwise_or
from fungrad.ops.random_bits import random_split
from fungrad.ops.random_gamma import SQUEEZE
from fungrad.ops.transcendental import log, log1p, pow
from fungrad.random.bits import split_keys, unit
from fungrad.random.continuous import standard_normal


def _cube(key: Array, d: Array) -> Array:
    """The accepted (1 + c x)**3."""
    dtype = d.aval.dtype
    zero, one, two = (scalar_array(v, dtype) for v in (0.0, 1.0, 2.0))
    c = div(scalar_array(1 / 3, dtype), sqrt(d))

    def refused(state: Any) -> Array:
        _, square, cube, u = state
        near = ge(u, sub(one, mul(scalar_array(SQUEEZE, dtype), mul(square, square))))
        bound = add(mul(square, scalar_array(0.5, dtype)), mul(d, add(sub(one, cube), log(cube))))
        return bitwise_and(near, ge(log(u), bound))

    def positive(state: Any) -> Any:
        key, _, _ = state
        key, subkey = split_keys(key)
        x = standard_normal(subkey, (), dtype)
        return key, x, add(one, mul(x, c))

    def trial(state: Any) -> Any:
        key, chain, u_key = split_keys(state[0], 3)
        _, x, v = while_loop(lambda s: le(s[2], zero), positive, (chain, zero, neg(one)))
        return key, mul(x, x), mul(mul(v, v), v), unit(u_key, (), dtype)

    return while_loop(refused, trial, (key, zero, one, two))[2]  # type: ignore[no-any-return]


def _variate(key: Array, a: Array, log_space: bool) -> Array:
    dtype = a.aval.dtype
    zero, one = scalar_array(0.0, dtype), scalar_array(1.0, dtype)
    enough = ge(a, one)
    d = sub(select_n(enough, add(a, one), a), scalar_array(1 / 3, dtype))
    key, subkey = split_keys(key)
    cube = _cube(key, d)
    u = unit(subkey, (), dtype)
    if log_space:
        log_u = log1p(neg(u))
        boost = select_n(bitwise_or(enough, eq(log_u, zero)), mul(log_u, div(one, a)), zero)
        out = add(add(log(d), log(cube)), boost)
    else:
        out = mul(mul(d, cube), select_n(enough, pow(sub(one, u), div(one, a)), one))
    return select_n(lt(a, zero), out, scalar_array(np.nan, dtype))


def _variates(keys: Array, a: Array, *, log_space: bool) -> list[Array]:
    count = math.prod(a.aval.shape[keys.aval.ndim :])
    own = random_split(reshape(keys, (keys.aval.size,)), (count,))

    def step(carry: Any, x: Any) -> Any:
        key, parameter = x
        return carry, _variate(key, parameter, log_space)

    size = a.aval.size
    _, out = scan(step, (), (reshape(own, (size,)), reshape(a, (size,))))
    return [reshape(out, a.aval.shape)]


@lru_cache(maxsize=256)
def _program(keys: ShapedArray, a: ShapedArray, log_space: bool) -> Jaxpr:
    return trace_flat(partial(_variates, log_space=log_space), [keys, a], DebugInfo("random_gamma", (), "jit"))


def gamma_of_words(dtype: np.dtype, words: Array, a: Array, *, log_space: bool) -> Array:
    """Variates for the words of keys of a dtype, as ``ops.random_bits.attach_general`` wants it."""
    keys = ShapedArray(words.aval.shape[:-1], dtype)
    program = _program(keys, a.aval, log_space)
    args = [*program.consts, keys_of(words, keys), a]
    return eval_low(program.with_consts_as_inputs(), args)[0]  # type: ignore[no-any-return]
