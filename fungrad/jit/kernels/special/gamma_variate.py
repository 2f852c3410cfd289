"""Gamma variates from random keys, by rejection.

G. Marsaglia and W. W. Tsang, "A simple method for generating gamma variables", 2000: with d = a - 1/3 and a standard
normal x, d (1 + x / (3 sqrt d))**3 is accepted with a probability near 1. Each element has a key of its own and goes
on until it has been accepted. Below a = 1, a variate of a + 1 is multiplied with the power 1/a of a uniform number. The
order of the draws is that of JAX; ``ops.random_gamma`` has the same in NumPy.
"""

from __future__ import annotations

import math

import numpy as np

from fungrad.jit.kernels import vecmath
from fungrad.jit.kernels.scalars import ScalarBuilder, Value, bit_width, dtype_of
from fungrad.jit.kernels.vecmath.core import NAN
from fungrad.ops.random_bits import hash_scalar
from fungrad.ops.random_gamma import LIMIT, SQUEEZE, unit_format

Key = tuple[Value, Value]


def _subkey(m: ScalarBuilder, key: Key, position: int) -> Key:
    first, second = hash_scalar(*key, m.const(0, "u32"), m.const(position, "u32"))
    return first, second


def _unit(m: ScalarBuilder, key: Key, type: str) -> Value:
    """A uniform number in [0, 1) made of the first bits of a key."""
    first, second = _subkey(m, key, 0)
    shift, one = unit_format(dtype_of(type))
    if type == "f64":
        word = (m.convert(first, "u64") << 32) | m.convert(second, "u64")
    elif type == "bf16":
        word = m.convert(m.convert(first ^ second, "u8"), "u16")
    else:
        word = m.convert(first ^ second, f"u{bit_width(type)}")
    return m.bitcast((word >> shift) | one, type) - 1.0


def _normal(m: ScalarBuilder, key: Key, type: str) -> Value:
    dtype = dtype_of(type)
    least = np.nextafter(np.array(-1, dtype), np.array(0, dtype))
    low, span = m.const(float(least), type), m.const(float(np.subtract(np.array(1, dtype), least)), type)
    u = m.max(low, _unit(m, key, type) * span + low)
    return vecmath.erf_inv(m, u) * math.sqrt(2)


def _variate(m: ScalarBuilder, k0: Value, k1: Value, a: Value) -> tuple[Value, Value, Value, Value]:
    """(d, V, the logarithm or the number of the boost, whether there is one): parts of a variate."""
    type = a.type
    boosted = ~(a >= 1.0)
    raised = m.select(boosted, a + 1.0, a)
    d = raised - m.const(1 / 3, type)
    c = m.const(1 / 3, type) / m.sqrt(d)
    key, last = _subkey(m, (k0, k1), 0), _subkey(m, (k0, k1), 1)

    def step(m: ScalarBuilder, k0: Value, k1: Value, x0: Value, x1: Value, again: Value, _: Value) -> tuple[Value, ...]:
        # A new trial, or only another x after one for which 1 + c x was not positive.
        fresh = _subkey(m, (k0, k1), 1)
        chain = m.select(again == 0, fresh[0], x0), m.select(again == 0, fresh[1], x1)
        u = _unit(m, _subkey(m, (k0, k1), 2), type)
        x = _normal(m, _subkey(m, chain, 1), type)
        chain = _subkey(m, chain, 0)
        v = x * c + 1.0
        outside = v <= 0.0
        square, new = x * x, v * v * v
        refused = (u >= 1.0 - square * square * SQUEEZE) & (
            vecmath.log(m, u) >= square * 0.5 + d * (1.0 - new + vecmath.log(m, new))
        )
        # The key of this trial serves as long as x is outside.
        new_key = _subkey(m, (k0, k1), 0)
        k0, k1 = m.select(outside, k0, new_key[0]), m.select(outside, k1, new_key[1])
        again = m.select(outside, m.const(1, "u32"), m.const(0, "u32"))
        return outside | refused, k0, k1, *chain, again, new

    zero = m.const(0, "u32")
    state = (*key, zero, zero, zero, m.const(1.0, type))
    cube = m.iterate(m.const(True, "i1"), step, state, LIMIT)[5]
    return d, cube, _unit(m, last, type), boosted


def _linear(m: ScalarBuilder, k0: Value, k1: Value, a: Value) -> tuple[Value, ...]:
    d, cube, u, boosted = _variate(m, k0, k1, a)
    boost = m.select(boosted, vecmath.pow(m, 1.0 - u, 1.0 / a), m.const(1.0, a))
    return (m.select(a < 0.0, NAN, d * cube * boost),)


def _logarithmic(m: ScalarBuilder, k0: Value, k1: Value, a: Value) -> tuple[Value, ...]:
    d, cube, u, boosted = _variate(m, k0, k1, a)
    log_u = vecmath.log1p(m, -u)
    boost = m.select(boosted & (log_u != 0.0), log_u * (1.0 / a), m.const(0.0, a))
    return (m.select(a < 0.0, NAN, vecmath.log(m, d) + vecmath.log(m, cube) + boost),)


def random_gamma(m: ScalarBuilder, k0: Value, k1: Value, a: Value) -> Value:
    """A gamma variate with parameter a from the two words of a key."""
    return m.outline(_linear, (a.type,), k0, k1, a)[0]


def random_loggamma(m: ScalarBuilder, k0: Value, k1: Value, a: Value) -> Value:
    """The logarithm of a gamma variate, which is finite also where the variate is too small for its type."""
    return m.outline(_logarithmic, (a.type,), k0, k1, a)[0]
