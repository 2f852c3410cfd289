"""Rows of the op table: random keys and bits.

Keys are given and returned as their words; the reference hashes one position after the other in exact arithmetic.
"""

from __future__ import annotations

import numpy as np
from optable_base import Op

from fungrad.ops import random_bits as ops

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
    *[bits_row(width, shape) for width, shape in ((8, (3, 2)), (16, ()), (32, (40,)), (32, (0, 4)), (64, (2, 5)))],
]
