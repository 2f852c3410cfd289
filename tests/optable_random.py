"""Rows of the op table: random keys and bits.

Keys are given and returned as their words; the reference hashes one position after the other in exact arithmetic.
"""

from __future__ import annotations

import numpy as np
from optable_base import Op

from fungrad.ops import random_bits as ops
from fungrad.ops.random_gamma import random_gamma

WORDS = (((2,),), ((3, 2),), ((0, 2),), ((2, 3, 2),))


def any_bits(rng, shape, dtype):
    """Integers of the whole range."""
    info = np.iinfo(dtype)
    return rng.integers(info.min, info.max, shape, dtype, endpoint=True)


# -- references -------------------------------------------------------------------------------------------------------


def rotated(x, bits):
    return (x << bits | x >> (32 - bits)) % 2**32


def threefry2x32(key, counter):
    """The hash of Salmon et al. (2011) with 20 rounds, of pairs of Python integers."""
    schedule = [*key, key[0] ^ key[1] ^ 0x1BD11BDA]
    rotations = [13, 15, 26, 6, 17, 29, 16, 24]
    x = [(c + k) % 2**32 for c, k in zip(counter, key, strict=True)]
    for number in range(20):
        x[0] = (x[0] + x[1]) % 2**32
        x[1] = rotated(x[1], rotations[number % 8]) ^ x[0]
        if number % 4 == 3:
            injected = number // 4 + 1
            x[0] = (x[0] + schedule[injected % 3]) % 2**32
            x[1] = (x[1] + schedule[(injected + 1) % 3] + injected) % 2**32
    return x


def hashes(words, count):
    """The hashes of the first positions under each key: shape ``[..., count, 2]``."""
    keys = words.reshape(-1, 2).tolist()
    found = [[threefry2x32(key, (0, i)) for i in range(count)] for key in keys]
    return np.array(found, np.uint32).reshape(*words.shape[:-1], count, 2)


def split(words, shape):
    return hashes(words, int(np.prod(shape))).reshape(*words.shape[:-1], *shape, 2)


def bits(words, width, shape):
    pairs = hashes(words, int(np.prod(shape))).astype(np.uint64)
    first, second = pairs[..., 0], pairs[..., 1]
    out = first << np.uint64(32) | second if width == 64 else first ^ second
    return out.astype(f"uint{width}").reshape((*words.shape[:-1], *shape))


def fold_in(words, data):
    pairs = zip(words.reshape(-1, 2).tolist(), data.reshape(-1).tolist(), strict=True)
    return np.array([threefry2x32(key, (0, d)) for key, d in pairs], np.uint32).reshape(words.shape)


def seed(x):
    values = [v % 2 ** (8 * x.dtype.itemsize) if x.dtype.itemsize == 8 else v % 2**32 for v in x.reshape(-1).tolist()]
    return np.array([(v >> 32, v % 2**32) for v in values], np.uint32).reshape(*x.shape, 2)


def gamma_numbers(words, a, log_space):
    """Marsaglia and Tsang's method, one number after the other in double precision."""
    from scipy import special

    def unit(key):
        first, second = threefry2x32(key, (0, 0))
        return ((first << 32 | second) >> 12) / 2.0**52

    def subkeys(key, count):
        return [threefry2x32(key, (0, i)) for i in range(count)]

    def number(key, a):
        key, last = subkeys(key, 2)
        raised = a if a >= 1 else a + 1
        d = raised - 1 / 3
        while True:
            key, chain, key_u = subkeys(key, 3)
            v = 0.0
            while v <= 0:
                chain, key_x = subkeys(chain, 2)
                low = np.nextafter(-1.0, 0.0)
                x = np.sqrt(2) * special.erfinv(max(low, unit(key_x) * (1 - low) + low))
                v = 1 + x / (3 * np.sqrt(d))
            cube, u = v**3, unit(key_u)
            if u < 1 - 0.0331 * x**4 or np.log(u) < x * x / 2 + d * (1 - cube + np.log(cube)):
                break
        u = 1 - unit(last)
        if log_space:
            return np.log(d) + np.log(cube) + (0 if a >= 1 else np.log(u) / a)
        return d * cube * (1 if a >= 1 else u ** (1 / a))

    count = int(np.prod(a.shape[words.ndim - 1 :]))
    keys = [k for key in words.reshape(-1, 2).tolist() for k in subkeys(key, count)]
    return np.array([number(k, x) for k, x in zip(keys, a.reshape(-1).tolist(), strict=True)]).reshape(a.shape)


# -- rows -------------------------------------------------------------------------------------------------------------


def row(name, fun, reference, primitives, shapes=WORDS, dtypes=("uint32",), result=None):
    return Op(
        name,
        fun,
        reference,
        dtypes=dtypes,
        shapes=shapes,
        domains=(any_bits,),
        result=result or (lambda *dtypes: np.dtype(np.uint32)),
        order=0,
        special=False,
        jax=None,
        weak=False,
        primitives=primitives,
    )


def bits_row(width, shape):
    return row(
        f"random_bits_{width}",
        lambda x: ops.random_bits(ops.random_wrap(x), width, shape),
        lambda x: bits(x, width, shape),
        primitives=("random_wrap", "random_bits"),
        result=lambda dtype: np.dtype(f"uint{width}"),
    )


OPS = [
    row(
        "random_wrap",
        lambda x: ops.random_unwrap(ops.random_wrap(x)),
        lambda x: x,
        primitives=("random_wrap", "random_unwrap"),
    ),
    row(
        "random_seed",
        lambda x: ops.random_unwrap(ops.random_seed(x)),
        seed,
        shapes=(((),), ((3,),), ((0, 2),)),
        dtypes=("int32", "int8", "uint8", "uint32", "int64", "uint64"),
        primitives=("random_seed", "random_unwrap"),
    ),
    *[
        row(
            "random_split",
            lambda x, shape=shape: ops.random_unwrap(ops.random_split(ops.random_wrap(x), shape)),
            lambda x, shape=shape: split(x, shape),
            primitives=("random_wrap", "random_split", "random_unwrap"),
        )
        for shape in ((), (3,), (2, 11), (0,))
    ],
    row(
        "random_fold_in",
        lambda x, data: ops.random_unwrap(ops.random_fold_in(ops.random_wrap(x), data)),
        fold_in,
        shapes=(((2,), ()), ((3, 2), (3,)), ((0, 2), (0,)), ((2, 20, 2), (2, 20))),
        primitives=("random_wrap", "random_fold_in", "random_unwrap"),
    ),
    *[
        Op(
            f"random_gamma{'_logarithms' * log_space}",
            lambda words, a, log_space=log_space: random_gamma(ops.random_wrap(words), a, log_space),
            lambda words, a, log_space=log_space: gamma_numbers(words, a, log_space),
            dtypes=[("uint32", "float64")],
            shapes=(((2,), (40,)), ((3, 2), (3, 5)), ((2,), ()), ((0, 2), (0, 3))),
            domains=(any_bits, lambda rng, shape, dtype: 10 ** rng.uniform(-1, 2, shape)),
            result=lambda words, a: a,
            rtol={"float64": 1e-11},
            jit_rtol={"float64": 1e-11},
            order=0,
            special=False,
            jax=None,
            weak=False,
            primitives=("random_wrap", "random_gamma"),
        )
        for log_space in (False, True)
    ],
    *[bits_row(width, shape) for width, shape in ((8, (3, 2)), (16, ()), (32, (40,)), (32, (0, 4)), (64, (2, 5)))],
]
