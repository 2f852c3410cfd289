"""Primitives of random numbers: keys, and the bits they stand for.

A key is two 32-bit words, and all randomness is the hash threefry2x32 of a key and a position (Salmon et al., "Parallel
random numbers: as easy as 1, 2, 3", 2011): element ``i`` of a draw depends on the key and on ``i`` alone.  So results
do not depend on how the work is divided, draws of different keys can be made in one operation, and a compiled program
computes a bit where it is used.

Arrays of these keys have the dtype ``core.dtypes.prng_key``; compiled code holds a key in one 64-bit integer, the first
word in its lower half. Keys of other generators have dtypes of their own (``core.key_types``), and what is done with
them is made up of operations on their words, by functions that ``fungrad.random.implementations`` hands to
``attach_general``.

May import ``core``, ``ops._operands`` and ``ops.foundation``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from fungrad.core import dtypes, key_types
from fungrad.core.array import Array, wrap_unchecked
from fungrad.core.avals import ShapedArray
from fungrad.core.context import EVAL, AxisData, running
from fungrad.core.dimensions import sizes_of
from fungrad.core.key_values import keys_of, words_aval, words_of
from fungrad.core.primitive import Primitive
from fungrad.ops._operands import check_kind, lift
from fungrad.ops.foundation import Dims, batch_to, move_dim, reshape

# -- the hash ----------------------------------------------------------------------------------------------------------

_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_PARITY = 0x1BD11BDA
# Additions that one hash is worth, for the compiler: never computed twice.
_HASH_COST = 100


def hash_in_place(k0: Any, k1: Any, x0: np.ndarray, x1: np.ndarray) -> None:
    """Replaces the pairs of words (x0, x1) by their hashes under the keys (k0, k1), which broadcast to them."""
    keys = (k0, k1, k0 ^ k1 ^ np.uint32(_PARITY))
    other = np.empty_like(x1)
    np.add(x0, k0, out=x0)
    np.add(x1, k1, out=x1)
    for group in range(5):
        for r in _ROTATIONS[group % 2]:
            np.add(x0, x1, out=x0)
            # The rotation of x1 by r; a product with a power of 2 is faster than a shift in NumPy.
            np.multiply(x1, np.uint32(1 << r), out=other)
            np.right_shift(x1, np.uint32(32 - r), out=x1)
            np.bitwise_or(x1, other, out=x1)
            np.bitwise_xor(x1, x0, out=x1)
        np.add(x0, keys[(group + 1) % 3], out=x0)
        # Spelled as a function because operators of NumPy's scalars warn of overflow.
        np.add(x1, np.add(keys[(group + 2) % 3], np.uint32(group + 1)), out=x1)


def _hash_ints(k0: int, k1: int, x0: int, x1: int) -> tuple[int, int]:
    """The hash of Python integers: for a few hashes faster than arrays."""
    mask = 0xFFFFFFFF
    keys = (k0, k1, k0 ^ k1 ^ _PARITY)
    x0, x1 = (x0 + k0) & mask, (x1 + k1) & mask
    for group in range(5):
        for r in _ROTATIONS[group % 2]:
            x0 = (x0 + x1) & mask
            x1 = ((x1 << r) & mask | x1 >> (32 - r)) ^ x0
        x0 = (x0 + keys[(group + 1) % 3]) & mask
        x1 = (x1 + keys[(group + 2) % 3] + group + 1) & mask
    return x0, x1


def hash_scalar(k0: Any, k1: Any, x0: Any, x1: Any) -> tuple[Any, Any]:
    """The hash in native code: all operands are 32-bit unsigned values of a scalar builder."""
    keys = (k0, k1, k0 ^ k1 ^ _PARITY)
    x0, x1 = x0 + k0, x1 + k1
    for group in range(5):
        for r in _ROTATIONS[group % 2]:
            x0 = x0 + x1
            x1 = ((x1 << r) | (x1 >> (32 - r))) ^ x0
        x0 = x0 + keys[(group + 1) % 3]
        x1 = x1 + keys[(group + 2) % 3] + (group + 1)
    return x0, x1


# Positions hashed at a time: the three arrays of a block stay in the second-level cache. A power of 2, so that no
# block crosses a multiple of 2**32.
_BLOCK = 1 << 15
_POSITIONS = np.arange(_BLOCK, dtype=np.uint32)
# Up to this many hashes are made one by one.
_FEW = 12


def _blocks(rows: int, columns: int) -> Iterator[tuple[slice, int, int]]:
    """Parts of a matrix of at most ``_BLOCK`` elements: rows, first column, end of columns."""
    height = max(1, _BLOCK // max(1, columns))
    for top in range(0, rows, height):
        for left in range(0, columns, _BLOCK):
            yield slice(top, min(rows, top + height)), left, min(columns, left + _BLOCK)


def _hash_positions(keys: np.ndarray, count: int) -> Iterator[tuple[slice, slice, np.ndarray, np.ndarray]]:
    """Hashes of the positions 0, 1 ... ``count - 1`` under each of a vector of keys, block by block.

    Yields:
      The rows (keys) and columns (positions) of the block, and both words of the hashes.
    """
    words = dtypes.key_words(keys)
    if len(keys) * count <= _FEW:
        hashes = [[_hash_ints(k0, k1, 0, i) for i in range(count)] for k0, k1 in words.tolist()]
        pairs = np.array(hashes, np.uint32).reshape(len(keys), count, 2)
        yield slice(None), slice(None), pairs[..., 0], pairs[..., 1]
        return
    for rows, left, right in _blocks(len(keys), count):
        block = words[rows]
        # One key is given as scalars, which NumPy is faster with than with columns of length 1.
        k0, k1 = (block[0, 0], block[0, 1]) if len(block) == 1 else (block[:, :1], block[:, 1:])
        shape = (len(block), right - left)
        x0 = np.full(shape, left >> 32, np.uint32)
        x1 = np.empty(shape, np.uint32)
        np.add(_POSITIONS[: right - left], np.uint32(left & 0xFFFFFFFF), out=x1)
        hash_in_place(k0, k1, x0, x1)
        yield rows, slice(left, right), x0, x1


# -- keys in native code -----------------------------------------------------------------------------------------------


def _first(m: Any, key: Any) -> Any:
    return m.convert(key, "u32")


def _second(m: Any, key: Any) -> Any:
    return m.convert(key >> 32, "u32")


def _joined(m: Any, first: Any, second: Any) -> Any:
    return m.convert(first, "u64") | (m.convert(second, "u64") << 32)


def with_positions(ctx: Any, keys: Any, shape: Dims) -> tuple[Any, Any]:
    """Each key and each row-major position in ``shape``, as two arrays of shape ``keys.shape + shape``.

    Positions have 32 bits where that is enough: vectors have twice as many elements then.
    """
    rank = len(keys.shape)
    full = (*keys.shape, *shape)
    dtype = np.dtype(np.uint32 if math.prod(shape) <= 2**32 else np.uint64)

    def position(m: Any, *i: Any) -> Any:
        flat: Any = 0
        for size, one in zip(shape, i[rank:], strict=True):
            flat = flat * size + one
        return m.index(flat, f"u{8 * dtype.itemsize}")

    return ctx.broadcast_in_dim(keys, full, tuple(range(rank))), ctx.compute(full, dtype, position)


def key_at(m: Any, key: Any, position: Any) -> tuple[Any, Any]:
    """The hash of a position of 32 or 64 bits."""
    high = m.const(0, "u32") if position.type == "u32" else _second(m, position)
    return hash_scalar(_first(m, key), _second(m, key), high, _first(m, position))


# -- other generators --------------------------------------------------------------------------------------------------

_general: dict[str, Callable[..., Array]] = {}


def attach_general(functions: dict[str, Callable[..., Array]]) -> None:
    """Sets the operations on keys of any generator; called once by ``fungrad.random``.

    Args:
      functions: by name of a primitive. Each takes the dtype of the keys, the operands (keys as words, those of one key
        in the last dimension) and the parameters, and returns an array, or words.
    """
    _general.update(functions)


class KeyPrimitive(Primitive):
    """An operation on keys: ``impl`` and ``lower`` are for those of threefry2x32, this class does the others."""

    def evaluated(self, keys: np.ndarray, *args: np.ndarray, **params: Any) -> np.ndarray:
        """The result for keys of another generator."""
        avals = [ShapedArray(x.shape, x.dtype) for x in (keys, *args)]
        with running(EVAL):
            operands = [wrap_unchecked(x, aval) for x, aval in zip((keys, *args), avals, strict=True)]
            return self.on_key_words(operands, params)._concrete(self.name)

    def on_key_words(self, args: Sequence[Any], params: dict[str, Any]) -> Array:
        """The result for keys of another generator, in terms of their words (``core.key_values``)."""
        keys, *rest = args
        out = _general[self.name](keys.aval.dtype, words_of(keys), *rest, **params)
        aval = self.abstract((keys.aval, *[x.aval for x in rest]), params)
        return keys_of(out, aval) if aval.compound else out


# -- representation of keys --------------------------------------------------------------------------------------------


class RandomWrap(Primitive):
    """Words, the last dimensions of a uint32 array, as keys of the generator ``impl``."""

    cheap = True

    def abstract_eval(self, x: ShapedArray, *, impl: str) -> ShapedArray:
        dtype = key_types.dtype_of(impl)
        inner = key_types.key_shape(dtype)
        if x.dtype != dtypes.uint32 or x.ndim < len(inner) or x.shape[x.ndim - len(inner) :] != inner:
            raise TypeError(
                f"random_wrap: the words of a key of type {dtypes.short_name(dtype)} are uint32 of shape "
                f"({', '.join(map(str, ('...', *inner)))}), got {x.str_short()}"
            )
        return ShapedArray(x.shape[: x.ndim - len(inner)], dtype)

    def impl(self, x: np.ndarray, *, impl: str) -> np.ndarray:
        return dtypes.keys_from_words(x)

    def is_high_in(self, params: dict[str, Any]) -> bool:
        return params["impl"] != key_types.THREEFRY  # type: ignore[no-any-return]

    def expand(self, args: Sequence[Any], params: dict[str, Any]) -> Array:
        aval = self.abstract((args[0].aval,), params)
        return keys_of(_reshaped(args[0], words_aval(aval).shape), aval)

    def batch(self, axis: AxisData, args: Sequence[Any], dims: Sequence[Any], *, impl: str) -> tuple[Any, Any]:
        return self.bind(move_dim(args[0], dims[0], 0), impl=impl), 0

    def lower(self, ctx: Any, x: Any, *, impl: str) -> Any:
        def key(m: Any, *i: Any) -> Any:
            return _joined(m, m.load(x, *i, 0), m.load(x, *i, 1))

        return ctx.compute(x.shape[:-1], dtypes.prng_key, key)


def _reshaped(x: Array, shape: Dims) -> Array:
    return x if x.aval.shape == shape else reshape(x, shape)


class RandomUnwrap(Primitive):
    """The words of each key, in new last dimensions."""

    cheap = True

    def abstract_eval(self, keys: ShapedArray) -> ShapedArray:
        check_kind(self.name, keys, "k")
        return ShapedArray((*keys.shape, *key_types.key_shape(keys.dtype)), dtypes.uint32)

    def on_key_words(self, args: Sequence[Any], params: dict[str, Any]) -> Array:
        """The words, in the shape of one key."""
        return _reshaped(words_of(args[0]), self.abstract((args[0].aval,), params).shape)

    def impl(self, keys: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(dtypes.key_words(keys))

    def batch(self, axis: AxisData, args: Sequence[Any], dims: Sequence[Any]) -> tuple[Any, Any]:
        return self.bind(*args), dims[0]

    def lower(self, ctx: Any, keys: Any) -> Any:
        def word(m: Any, *i: Any) -> Any:
            key = m.load(keys, *i[:-1])
            return m.select(m.index(i[-1], "u32") == 0, _first(m, key), _second(m, key))

        return ctx.compute((*keys.shape, 2), np.uint32, word)


random_wrap_p = RandomWrap("random_wrap")
random_unwrap_p = RandomUnwrap("random_unwrap")


def random_wrap(words: Any, impl: str = key_types.THREEFRY) -> Array:
    """uint32 words of shape ``[..., 2]`` (or what the generator has) as an array of keys of shape ``[...]``."""
    return random_wrap_p.bind(lift(words, "random_wrap: words"), impl=impl)


def random_unwrap(keys: Any) -> Array:
    """The words of an array of keys of shape ``[...]``, uint32 of shape ``[..., 2]`` or what the generator has."""
    return random_unwrap_p.bind(keys)


# -- keys from numbers and from keys -----------------------------------------------------------------------------------


class RandomSeed(Primitive):
    """One key per integer: its upper and its lower 32 bits (narrower integers have zeros for the upper ones)."""

    def abstract_eval(self, seeds: ShapedArray, *, impl: str) -> ShapedArray:
        check_kind(self.name, seeds, "iu")
        return ShapedArray(seeds.shape, key_types.dtype_of(impl))

    def is_high_in(self, params: dict[str, Any]) -> bool:
        return params["impl"] != key_types.THREEFRY  # type: ignore[no-any-return]

    def expand(self, args: Sequence[Any], params: dict[str, Any]) -> Array:
        aval = self.abstract((args[0].aval,), params)
        return keys_of(_general[self.name](aval.dtype, args[0]), aval)

    def impl(self, seeds: np.ndarray, *, impl: str) -> np.ndarray:
        words = np.zeros((*seeds.shape, 2), np.uint32)
        if seeds.dtype.itemsize == 8:
            words[..., 0] = np.right_shift(seeds, 32).astype(np.uint32)
        words[..., 1] = seeds.astype(np.uint32)
        return dtypes.keys_from_words(words)

    def batch(self, axis: AxisData, args: Sequence[Any], dims: Sequence[Any], *, impl: str) -> tuple[Any, Any]:
        return self.bind(*args, impl=impl), dims[0]

    def lower(self, ctx: Any, seeds: Any, *, impl: str) -> Any:
        wide = seeds.dtype.itemsize == 8

        def random_seed(m: Any, x: Any) -> Any:
            lower = m.convert(x, "u32")
            upper = m.convert(m.convert(x, "u64") >> 32, "u32") if wide else m.const(0, "u32")
            return _joined(m, upper, lower)

        return ctx.map(random_seed, [seeds], dtypes.prng_key)


class RandomSplit(KeyPrimitive):
    """``shape`` new keys for each key: the hashes of their positions."""

    uses_keys = True

    def abstract_eval(self, keys: ShapedArray, *, shape: Dims) -> ShapedArray:
        check_kind(self.name, keys, "k")
        return ShapedArray((*keys.shape, *shape), keys.dtype)

    def impl(self, keys: np.ndarray, *, shape: Dims) -> np.ndarray:
        if keys.dtype != dtypes.prng_key:
            return self.evaluated(keys, shape=shape)
        count = math.prod(shape)
        out = np.empty((keys.size, count, 2), np.uint32)
        for rows, columns, first, second in _hash_positions(keys.reshape(-1), count):
            out[rows, columns, 0] = first
            out[rows, columns, 1] = second
        return dtypes.keys_from_words(out).reshape((*keys.shape, *shape))

    def batch(self, axis: AxisData, args: Sequence[Any], dims: Sequence[Any], *, shape: Dims) -> tuple[Any, Any]:
        return self.bind(*args, shape=shape), dims[0]

    def lower(self, ctx: Any, keys: Any, *, shape: Dims) -> Any:
        def random_split(m: Any, key: Any, position: Any) -> Any:
            return _joined(m, *key_at(m, key, position))

        return ctx.map(random_split, with_positions(ctx, keys, shape), dtypes.prng_key, cost=_HASH_COST)


class RandomFoldIn(KeyPrimitive):
    """For each key and each 32-bit number a new key: the hash of the number. Dimensions of size 1 are repeated."""

    def abstract_eval(self, keys: ShapedArray, data: ShapedArray) -> ShapedArray:
        check_kind(self.name, keys, "k", 0)
        together = keys.ndim == data.ndim and all(
            n == m or 1 in (n, m) for n, m in zip(keys.shape, data.shape, strict=True)
        )
        if data.dtype != dtypes.uint32 or not together:
            raise TypeError(
                f"random_fold_in: expected one uint32 number per key, got {data.str_short()} for {keys.str_short()}"
            )
        shape = tuple([m if n == 1 else n for n, m in zip(keys.shape, data.shape, strict=True)])
        return ShapedArray(shape, keys.dtype)

    def impl(self, keys: np.ndarray, data: np.ndarray) -> np.ndarray:
        if keys.dtype != dtypes.prng_key:
            return self.evaluated(keys, data)
        words = dtypes.key_words(keys)
        if keys.size == data.size == 1:
            k0, k1 = words.reshape(2).tolist()
            pair = _hash_ints(k0, k1, 0, int(data.reshape(())))
            return dtypes.keys_from_words(np.array(pair, np.uint32)).reshape(keys.shape)
        shape = np.broadcast_shapes(keys.shape, data.shape)
        second = np.array(np.broadcast_to(data, shape))
        first = np.zeros_like(second)
        hash_in_place(words[..., 0], words[..., 1], first, second)
        return dtypes.keys_from_words(np.stack([first, second], axis=-1))

    def batch(self, axis: AxisData, args: Sequence[Any], dims: Sequence[Any]) -> tuple[Any, Any]:
        # What is not mapped is not repeated: generators may look at how many there are.
        return self.bind(*[batch_to(x, d, 0, 1) for x, d in zip(args, dims, strict=True)]), 0

    def lower(self, ctx: Any, keys: Any, data: Any) -> Any:
        def random_fold_in(m: Any, key: Any, number: Any) -> Any:
            return _joined(m, *key_at(m, key, number))

        return ctx.map(random_fold_in, [keys, data], dtypes.prng_key, cost=_HASH_COST)


random_seed_p = RandomSeed("random_seed")
random_split_p = RandomSplit("random_split")
random_fold_in_p = RandomFoldIn("random_fold_in")


def random_seed(seeds: Any, impl: str = key_types.THREEFRY) -> Array:
    """A key for each integer."""
    return random_seed_p.bind(lift(seeds, "random_seed: seeds"), impl=impl)


def random_split(keys: Any, shape: Sequence[int]) -> Array:
    """An array of ``keys.shape + shape`` new keys."""
    return random_split_p.bind(keys, shape=sizes_of(shape))


def random_fold_in(keys: Any, data: Any) -> Array:
    """A new key for each key and each number (uint32, of the same shape)."""
    return random_fold_in_p.bind(keys, lift(data, "random_fold_in: data"))


# -- bits --------------------------------------------------------------------------------------------------------------


class RandomBits(KeyPrimitive):
    """An array of ``shape`` random unsigned integers for each key.

    64 bits are both words of the hash of a position, the first one on top; 32 bits their exclusive or, and fewer bits
    the lowest of these.
    """

    uses_keys = True

    def abstract_eval(self, keys: ShapedArray, *, bit_width: int, shape: Dims) -> ShapedArray:
        check_kind(self.name, keys, "k")
        if bit_width not in (8, 16, 32, 64):
            raise TypeError(f"random_bits: bit_width must be 8, 16, 32 or 64, got {bit_width}")
        return ShapedArray((*keys.shape, *shape), np.dtype(f"uint{bit_width}"))

    def impl(self, keys: np.ndarray, *, bit_width: int, shape: Dims) -> np.ndarray:
        if keys.dtype != dtypes.prng_key:
            return self.evaluated(keys, bit_width=bit_width, shape=shape)
        count = math.prod(shape)
        out = np.empty((keys.size, count), f"uint{bit_width}")
        for rows, columns, first, second in _hash_positions(keys.reshape(-1), count):
            target = out[rows, columns]
            if bit_width == 64:
                np.left_shift(first, np.uint64(32), out=target, dtype=np.uint64)
                np.bitwise_or(target, second, out=target)
            else:
                np.bitwise_xor(first, second, out=target, casting="unsafe")
        return out.reshape((*keys.shape, *shape))

    def batch(self, axis: AxisData, args: Sequence[Any], dims: Sequence[Any], **params: Any) -> tuple[Any, Any]:
        return self.bind(*args, **params), dims[0]

    def lower(self, ctx: Any, keys: Any, *, bit_width: int, shape: Dims) -> Any:
        def random_bits(m: Any, key: Any, position: Any) -> Any:
            first, second = key_at(m, key, position)
            if bit_width == 64:
                return _joined(m, second, first)
            return m.convert(first ^ second, f"u{bit_width}")

        dtype = np.dtype(f"uint{bit_width}")
        return ctx.map(random_bits, with_positions(ctx, keys, shape), dtype, cost=_HASH_COST)


random_bits_p = RandomBits("random_bits")


def random_bits(keys: Any, bit_width: int, shape: Sequence[int]) -> Array:
    """Random unsigned integers of ``bit_width`` bits, an array of shape ``keys.shape + shape``."""
    return random_bits_p.bind(keys, bit_width=bit_width, shape=sizes_of(shape))


# -- the hash by itself ------------------------------------------------------------------------------------------------


class Threefry2x32(Primitive):
    """The hash of pairs of words under pairs of words. 0-d operands, and dimensions of size 1, are repeated."""

    multiple_results = True

    def abstract_eval(self, *avals: ShapedArray) -> list[ShapedArray]:
        if len(avals) != 4 or any(a.dtype != dtypes.uint32 for a in avals):
            raise TypeError(
                f"threefry2x32: expected four uint32 operands, got {', '.join(a.str_short() for a in avals)}"
            )
        shapes = [a.shape for a in avals if a.shape]
        if len({len(shape) for shape in shapes}) > 1:
            raise TypeError(f"threefry2x32: operands must have the same number of dimensions, got shapes {shapes}")
        return [ShapedArray(np.broadcast_shapes(*shapes), dtypes.uint32)] * 2

    def impl(self, *args: np.ndarray) -> list[np.ndarray]:
        shape = np.broadcast_shapes(*[x.shape for x in args])
        k0, k1, x0, x1 = (np.array(np.broadcast_to(x, shape or (1,))) for x in args)
        hash_in_place(k0, k1, x0, x1)
        return [x0.reshape(shape), x1.reshape(shape)]

    def batch(self, axis: AxisData, args: Sequence[Any], dims: Sequence[Any]) -> tuple[Any, Any]:
        rank = max(x.aval.ndim - (d is not None) for x, d in zip(args, dims, strict=True))
        moved = []
        for x, d in zip(args, dims, strict=True):
            if d is not None:
                x = move_dim(x, d, 0)
                x = reshape(x, (axis.size, *(1,) * (rank + 1 - x.aval.ndim), *x.aval.shape[1:]))
            elif x.aval.ndim:
                x = batch_to(x, None, 0, 1)
            moved.append(x)
        return self.bind(*moved), [0, 0]

    def lower(self, ctx: Any, *args: Any) -> Any:
        words = np.dtype(np.uint32)
        return ctx.maps(hash_scalar_of, args, [words, words], cost=_HASH_COST)


def hash_scalar_of(m: Any, *words: Any) -> tuple[Any, Any]:
    """``hash_scalar`` as a function for the elements of arrays."""
    return hash_scalar(*words)


threefry2x32_p = Threefry2x32("threefry2x32")


def threefry2x32(k0: Any, k1: Any, x0: Any, x1: Any) -> list[Array]:
    """The hashes of the pairs (x0, x1) under the keys (k0, k1)."""
    return threefry2x32_p.bind(*[lift(x, "threefry2x32: operand") for x in (k0, k1, x0, x1)])
