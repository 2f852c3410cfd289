"""The operation ``RngBitGenerator`` of XLA: random bits from the state of a generator, which is handed back.

Philox 4x32 and Threefry 2x32 are those of Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011; the order
of their words is that of XLA on a CPU. Compiled programs have the generator written out in operations on arrays,
eagerly NumPy evaluates the same formulas.

May import ``core`` and other modules of ``ops``.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Sequence
from functools import lru_cache, partial
from typing import Any

import numpy as np

from fungrad import locks
from fungrad.core import dtypes
from fungrad.core.array import Array, wrap
from fungrad.core.avals import ShapedArray
from fungrad.core.context import EVAL, AxisData, running
from fungrad.core.ir import Jaxpr
from fungrad.core.primitive import Primitive
from fungrad.core.staging import DebugInfo, trace_flat
from fungrad.ops._operands import check_kind
from fungrad.ops.cast import bitcast_convert_type, convert_element_type, full
from fungrad.ops.compare import lt
from fungrad.ops.elementwise import add, mul
from fungrad.ops.foundation import broadcast, move_dim, reshape
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


def _written_out(state: Array, shape: tuple[int, ...], kind: np.dtype, algorithm: int) -> list[Array]:
    """The new state and the bits, in operations on arrays."""
    wide = state.aval.dtype == dtypes.uint64
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
    return [bitcast_convert_type(reshape(new, (2, 2)), state.aval.dtype) if wide else new, bits]


@lru_cache(maxsize=256)
def _program(aval: ShapedArray, shape: tuple[int, ...], dtype: np.dtype, algorithm: int) -> Jaxpr:
    fun = partial(_written_out, shape=shape, kind=dtype, algorithm=algorithm)
    return trace_flat(fun, [aval], DebugInfo("rng_bit_generator", (), "jit"))


class RngBitGenerator(Primitive):
    """New state and bits. Mapped over states, the first of them makes all bits, as in JAX."""

    multiple_results = True

    def abstract_eval(
        self, key: ShapedArray, *, shape: tuple[int, ...], dtype: np.dtype, algorithm: int
    ) -> list[ShapedArray]:
        return [key.strip_weak_type(), ShapedArray(shape, dtype)]

    def impl(self, key: np.ndarray, *, shape: tuple[int, ...], dtype: np.dtype, algorithm: int) -> list[np.ndarray]:
        if algorithm != RandomAlgorithm.RNG_THREE_FRY and key.dtype == np.uint32:
            return _philox_now(key, shape, dtype)
        with running(EVAL):
            state = wrap(key, ShapedArray(key.shape, key.dtype))
            return [x._concrete(self.name) for x in _written_out(state, shape, dtype, algorithm)]

    def batch(
        self, axis: AxisData, args: Sequence[Any], dims: Sequence[Any], *, shape: tuple[int, ...], dtype: np.dtype,
        algorithm: int,
    ) -> tuple[Any, Any]:  # fmt: skip
        keys = move_dim(args[0], dims[0], 0)
        first = reshape(slice_in_dim(keys, 0, 1), keys.aval.shape[1:])
        new, bits = self.bind(first, shape=(axis.size, *shape), dtype=dtype, algorithm=algorithm)
        others = slice_in_dim(keys, 1, axis.size)
        return [concatenate([reshape(new, (1, *new.aval.shape)), others], 0), bits], [0, 0]

    def lower(self, ctx: Any, key: Any, *, shape: tuple[int, ...], dtype: np.dtype, algorithm: int) -> Any:
        return ctx.inline(_program(ShapedArray(key.shape, key.dtype), shape, dtype, int(algorithm)), [key])


def _philox_now(key: np.ndarray, shape: tuple[int, ...], dtype: np.dtype) -> list[np.ndarray]:
    """Philox in NumPy: fewer and larger operations than the same written out."""
    count = math.prod(shape) * (2 if dtype.itemsize == 8 else 1)
    blocks = -(-count // 4)
    words = [int(w) for w in key]
    start = words[2] | words[3] << 32 | words[0] << 64 | words[1] << 96
    parts = np.zeros((4, blocks), np.uint32)
    # The counter has 128 bits; the lower half and what carries into the upper one.
    low = np.arange(blocks, dtype=np.uint64) + np.uint64(start & 0xFFFFFFFFFFFFFFFF)
    carried = low < np.uint64(start & 0xFFFFFFFFFFFFFFFF)
    high = np.full(blocks, start >> 64, np.uint64) + carried
    parts[0], parts[1] = low.astype(np.uint32), (low >> np.uint64(32)).astype(np.uint32)
    parts[2], parts[3] = high.astype(np.uint32), (high >> np.uint64(32)).astype(np.uint32)
    k0, k1 = words[0], words[1]
    for i in range(10):
        if i:
            k0, k1 = (k0 + _WEYL[0]) & 0xFFFFFFFF, (k1 + _WEYL[1]) & 0xFFFFFFFF
        first = parts[0].astype(np.uint64) * np.uint64(_MULTIPLIERS[0])
        second = parts[2].astype(np.uint64) * np.uint64(_MULTIPLIERS[1])
        parts[0] = (second >> np.uint64(32)).astype(np.uint32) ^ parts[1] ^ np.uint32(k0)
        parts[2] = (first >> np.uint64(32)).astype(np.uint32) ^ parts[3] ^ np.uint32(k1)
        parts[1], parts[3] = second.astype(np.uint32), first.astype(np.uint32)
    bits = np.ascontiguousarray(parts.T).reshape(-1)[:count]
    bits = bits.view(np.uint64) if dtype.itemsize == 8 else bits.astype(dtype)
    counter = ((start & 0xFFFFFFFFFFFFFFFF) + blocks) & 0xFFFFFFFFFFFFFFFF
    new = np.array([words[0], words[1], counter & 0xFFFFFFFF, counter >> 32], np.uint32)
    return [new, bits.reshape(shape)]


rng_bit_generator_p = RngBitGenerator("rng_bit_generator")


# -- a generator with a hidden state -----------------------------------------------------------------------------------

_hidden = np.random.default_rng()
_drawing = locks.lock()


class RngUniform(Primitive):
    """Uniform numbers from a generator of this process: other ones every time."""

    has_effects = True

    def abstract_eval(self, a: ShapedArray, b: ShapedArray, *, shape: tuple[int, ...]) -> ShapedArray:
        check_kind(self.name, a, "iuf", 0)
        if a.dtype != b.dtype:
            raise ValueError(
                f"fungrad.lax.rng_uniform: a and b must have the same dtype, got {a.str_short()} and {b.str_short()}"
            )
        if a.shape or b.shape:
            raise ValueError(
                f"fungrad.lax.rng_uniform: a and b must be scalars, got {a.str_short()} and {b.str_short()}"
            )
        return ShapedArray(shape, a.dtype, a.weak_type and b.weak_type)

    def impl(self, a: np.ndarray, b: np.ndarray, *, shape: tuple[int, ...]) -> np.ndarray:
        with _drawing:
            if dtypes.is_integer(a.dtype):
                return np.asarray(_hidden.integers(int(a), max(int(a) + 1, int(b)), shape)).astype(a.dtype)
            low, high = float(a), float(b)
            drawn = np.asarray(low + (high - low) * _hidden.random(shape)).astype(a.dtype)
        # Rounding to a narrow dtype may reach the upper bound, which is excluded.
        return np.where(drawn >= b, a, drawn).astype(a.dtype)

    def batch(
        self, axis: AxisData, args: Sequence[Any], dims: Sequence[Any], *, shape: tuple[int, ...]
    ) -> tuple[Any, Any]:
        # A draw for each pair of bounds.
        columns = [
            unstack(move_dim(x, d, 0)) if d is not None else [x] * axis.size for x, d in zip(args, dims, strict=True)
        ]
        draws = [self.bind(a, b, shape=shape) for a, b in zip(*columns, strict=True)]
        return (stack(draws) if draws else full((0, *shape), 0, args[0].aval.dtype)), 0


rng_uniform_p = RngUniform("rng_uniform")
