"""Random bits from the state of a generator, which is handed back, as XLA's operation ``RngBitGenerator`` has them.

Philox 4x32 and Threefry 2x32 are those of Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011.

May import ``core`` and ``ops``.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from fungrad.core import dtypes
from fungrad.core.arguments import integers
from fungrad.core.array import Array
from fungrad.ops._operands import lift
from fungrad.ops.cast import bitcast_convert_type, convert_element_type, full
from fungrad.ops.compare import lt
from fungrad.ops.elementwise import add, mul
from fungrad.ops.foundation import broadcast, reshape
from fungrad.ops.integer import bitwise_or, bitwise_xor, mulhi, shift_left, shift_right_logical
from fungrad.ops.joining import concatenate, stack, unstack
from fungrad.ops.shape import iota, slice_in_dim


class RandomAlgorithm(enum.IntEnum):
    """Generators of ``rng_bit_generator``; the default is Philox.

    Example:
      >>> from fungrad import lax
      >>> lax.RandomAlgorithm.RNG_PHILOX
      <RandomAlgorithm.RNG_PHILOX: 2>
    """

    RNG_DEFAULT = 0
    RNG_THREE_FRY = 1
    RNG_PHILOX = 2


_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
_WEYL = (0x9E3779B9, 0xBB67AE85)
_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_PARITY = 0x1BD11BDA


def _word(value: int, like: Array) -> Array:
    return full(like.shape, np.uint32(value & 0xFFFFFFFF), np.uint32)


def _philox(counter: list[Array], key: list[Array]) -> list[Array]:
    """The hash of counters of four words under keys of two."""
    c0, c1, c2, c3 = counter
    k0, k1 = key
    first, second = (_word(m, c0) for m in _MULTIPLIERS)
    for i in range(10):
        if i:
            k0, k1 = add(k0, _word(_WEYL[0], k0)), add(k1, _word(_WEYL[1], k1))
        c0, c1, c2, c3 = (
            bitwise_xor(bitwise_xor(mulhi(c2, second), c1), k0), mul(c2, second),
            bitwise_xor(bitwise_xor(mulhi(c0, first), c3), k1), mul(c0, first),
        )  # fmt: skip
    return [c0, c1, c2, c3]


def _threefry(counter: list[Array], key: list[Array]) -> list[Array]:
    """The hash of counters of two words under keys of two."""
    keys = (*key, bitwise_xor(bitwise_xor(*key), _word(_PARITY, key[0])))
    x0, x1 = add(counter[0], keys[0]), add(counter[1], keys[1])
    for group in range(5):
        for r in _ROTATIONS[group % 2]:
            x0 = add(x0, x1)
            turned = bitwise_or(shift_left(x1, _word(r, x1)), shift_right_logical(x1, _word(32 - r, x1)))
            x1 = bitwise_xor(turned, x0)
        x0 = add(x0, keys[(group + 1) % 3])
        x1 = add(add(x1, keys[(group + 2) % 3]), _word(group + 1, x1))
    return [x0, x1]


def _plus(words: Sequence[Array], number: Array) -> list[Array]:
    """A number of several 32-bit words, the lowest first, plus one of 32 bits."""
    out, carry = [], number
    for word in words:
        total = add(word, carry)
        out.append(total)
        carry = convert_element_type(lt(total, carry), np.uint32)
    return out


def _halved(shape: tuple[int, ...]) -> int:
    """The dimension along which XLA divides a shape for the two words of a hash: the first even one, or the longest."""
    return next((d for d, n in enumerate(shape) if n and not n % 2), shape.index(max(shape)))


def _in_turn(out: list[Array], half: list[int], shape: tuple[int, ...], split: int) -> Array:
    """Both words of Threefry's hashes, each of the shape `half`, in turn along a dimension."""
    whole = [2 * n if d == split else n for d, n in enumerate(half)]
    bits = reshape(stack([reshape(x, half) for x in out], split + 1), whole)
    return slice_in_dim(bits, 0, shape[split], axis=split)


def rng_bit_generator(
    key: Any, shape: Sequence[int], dtype: Any = np.uint32, algorithm: int = RandomAlgorithm.RNG_DEFAULT, *,
    out_sharding: None = None,
) -> tuple[Array, Array]:  # fmt: skip
    """Random bits, and the state for the next ones.

    ``fungrad.random`` is what to draw numbers with; this is for programs that keep the state of a generator.  The bits
    are those of XLA on a CPU.

    Args:
      key: the state: uint32 of shape ``(4,)``, or uint64 of shape ``(2,)``: a key and a counter.
      shape: shape of the bits.
      dtype: uint8, uint16, uint32 or uint64.
      algorithm: a ``RandomAlgorithm``.
      out_sharding: must be None.

    Returns:
      The new state, like ``key``, and the bits.

    Raises:
      TypeError: the state or dtype is not one of those.
      ValueError: there is no such algorithm.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import lax
      >>> state, bits = lax.rng_bit_generator(jnp.array([1, 2, 3, 4], jnp.uint32), (3,))
      >>> bits
      Array([ 512747620, 1298009047, 1267190206], dtype=uint32)
      >>> state
      Array([1, 2, 4, 4], dtype=uint32)
    """
    api = "fungrad.lax.rng_bit_generator"
    state = lift(key, f"{api}: key")
    wide = state.dtype == dtypes.uint64
    if state.shape != ((2,) if wide else (4,)) or not wide and state.dtype != dtypes.uint32:
        raise TypeError(
            f"{api}: key must be uint32 of shape (4,) or uint64 of shape (2,), got {state.aval.str_short()}"
        )
    kind = dtypes.canonicalize_dtype(dtype, api)
    if not dtypes.is_unsigned(kind) or dtypes.itemsize_bits(kind) < 8:
        raise TypeError(f"{api}: dtype must be uint8, uint16, uint32 or uint64, got {kind}")
    algorithm = RandomAlgorithm(algorithm)
    shape = integers(api, "shape", shape, least=0)
    count = math.prod(shape) * (2 if kind.itemsize == 8 else 1)
    words = unstack(reshape(bitcast_convert_type(state, np.uint32), (4,)) if wide else state, 0)
    threefry = algorithm == RandomAlgorithm.RNG_THREE_FRY
    in_turn = threefry and kind.itemsize < 8 and bool(shape) and count > 0
    if in_turn:
        split = _halved(shape)
        half = [-(-n // 2) if d == split else n for d, n in enumerate(shape)]
        blocks = math.prod(half)
    else:
        blocks = -(-count // (2 if threefry else 4))
    # A state is a key of two words, and a counter of two words; a counter of four goes on with the key.
    steps = iota(np.uint32, blocks)
    k0, k1, *counter = (broadcast(w, (blocks,)) for w in words)
    if threefry:
        out = _threefry(_plus(counter, steps), [k0, k1])
    else:
        out = _philox(_plus([*counter, k0, k1], steps), [k0, k1])
    if in_turn:
        bits = _in_turn(out, half, shape, split)
    else:
        bits = slice_in_dim(reshape(stack(out, 1), (blocks * len(out),)), 0, count)
    if kind.itemsize == 8:
        bits = bitcast_convert_type(reshape(bits, (count // 2, 2)), kind)
    bits = reshape(convert_element_type(bits, kind), shape)
    new = concatenate([stack(words[:2], 0), stack(_plus(words[2:], _word(blocks, words[0])), 0)], 0)
    return (bitcast_convert_type(reshape(new, (2, 2)), state.dtype) if wide else new), bits


__all__ = ["RandomAlgorithm", "rng_bit_generator"]
