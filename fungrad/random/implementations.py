"""The generators behind random keys: functions on the words of a single key, which keys of any shape are mapped over.

``threefry2x32`` is the default, and has primitives and compiled code of its own (``ops.random_bits``). ``rbg`` makes
bits with XLA's operation (``lax.rng_bit_generator``) and new keys with threefry2x32; ``unsafe_rbg`` makes also keys
with that operation. Mapped over keys, the operation takes the first of them for all, as in JAX. ``threefry4x32``,
``philox2x32`` and ``philox4x32`` hash positions, as threefry2x32 does.

May import ``core``, ``ops``, ``transforms``, ``control`` and ``lax``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fungrad.config import config
from fungrad.core import dtypes, key_types
from fungrad.core.arguments import shown
from fungrad.core.array import Array, as_array
from fungrad.core.key_types import PRNGImpl
from fungrad.ops import random_bits as threefry
from fungrad.ops._operands import kind_of, scalar_array
from fungrad.ops.bit_generator import rng_bit_generator_p
from fungrad.ops.cast import convert_element_type, full
from fungrad.ops.elementwise import add, mul
from fungrad.ops.foundation import broadcast, move_dim, reshape
from fungrad.ops.integer import bitwise_or, bitwise_xor, mulhi, shift_left, shift_right_logical
from fungrad.ops.joining import concatenate, stack, unstack
from fungrad.ops.shape import iota, slice_in_dim
from fungrad.transforms.mapping import vmap

Words = Sequence[Array]
UINT32 = dtypes.uint32


def _word(value: int) -> Array:
    return scalar_array(value & 0xFFFFFFFF, UINT32)


def _halves(api: str, seed: Any) -> tuple[Array, Array]:
    """The upper and the lower 32 bits of a seed."""
    value = as_array(seed)
    if value.aval.shape or kind_of(value.aval.dtype) not in "iu":
        raise TypeError(f"{api}: seed must be an integer scalar, got {value.aval.str_short()}")
    upper, lower = unstack(threefry.random_unwrap(threefry.random_seed(value)), 0)
    return upper, lower


def _positions(shape: tuple[int, ...]) -> tuple[Array, Array]:
    """Both words of the row-major positions in a shape."""
    count = math.prod(shape)
    if count <= 2**32:
        return full(shape, 0, UINT32), reshape(iota(UINT32, count), shape)
    wide = reshape(iota(dtypes.uint64, count), shape)
    upper = shift_right_logical(wide, scalar_array(32, dtypes.uint64))
    return convert_element_type(upper, UINT32), convert_element_type(wide, UINT32)


def _as_bits(upper: Array, lower: Array, mixed: Array, bit_width: int) -> Array:
    """Bits of a width: both words, or what all words make up together."""
    if bit_width != 64:
        return convert_element_type(mixed, np.dtype(f"uint{bit_width}"))
    high = shift_left(convert_element_type(upper, dtypes.uint64), scalar_array(32, dtypes.uint64))
    return bitwise_or(high, convert_element_type(lower, dtypes.uint64))


def _xor(*words: Array) -> Array:
    out = words[0]
    for word in words[1:]:
        out = bitwise_xor(out, word)
    return out


# -- threefry2x32 ------------------------------------------------------------------------------------------------------


def threefry_seed(seed: Any) -> Array:
    """The words of a key: the upper and the lower 32 bits of a seed."""
    return stack(_halves("threefry_seed", seed), 0)


def threefry_split(key: Any, shape: Sequence[int]) -> Array:
    """The words of new keys: the hashes of their positions."""
    return threefry.random_unwrap(threefry.random_split(threefry.random_wrap(key), shape))


def threefry_fold_in(key: Any, data: Any) -> Array:
    """The words of a new key: the hash of a number."""
    number = convert_element_type(as_array(data), UINT32)
    return threefry.random_unwrap(threefry.random_fold_in(threefry.random_wrap(key), number))


def threefry_random_bits(key: Any, bit_width: int, shape: Sequence[int]) -> Array:
    """Random bits: hashes of their positions."""
    return threefry.random_bits(threefry.random_wrap(key), bit_width, shape)


# -- rbg and unsafe_rbg ------------------------------------------------------------------------------------------------


def rbg_seed(seed: Any) -> Array:
    """Four words: those of a key of threefry2x32, twice."""
    half = threefry_seed(seed)
    return concatenate([half, half], 0)


def _two_keys(key: Array) -> Array:
    return threefry.random_wrap(reshape(key, (2, 2)))


def rbg_split(key: Array, shape: Sequence[int]) -> Array:
    """New keys: both halves of a key are split as keys of threefry2x32."""
    words = threefry.random_unwrap(threefry.random_split(_two_keys(key), shape))
    return reshape(move_dim(words, 0, words.aval.ndim - 2), (*shape, 4))


def rbg_fold_in(key: Array, data: Array) -> Array:
    """A new key: a number is folded into both halves of a key."""
    number = broadcast(convert_element_type(as_array(data), UINT32), (2,))
    return reshape(threefry.random_unwrap(threefry.random_fold_in(_two_keys(key), number)), (4,))


def _generated(key: Any, shape: Sequence[int], dtype: Any = UINT32) -> Array:
    _, bits = rng_bit_generator_p.bind(as_array(key), shape=tuple(shape), dtype=np.dtype(dtype), algorithm=0)
    return bits  # type: ignore[no-any-return]


def rbg_random_bits(key: Array, bit_width: int, shape: Sequence[int]) -> Array:
    """Random bits of XLA's operation, with the key as the state of the generator."""
    return _generated(key, shape, f"uint{bit_width}")


# So many draws of the generator count as one hash.
_DRAWS = 10


def unsafe_rbg_split(key: Array, shape: Sequence[int]) -> Array:
    """New keys: each the first of ten draws."""
    draws = _generated(key, (_DRAWS * math.prod(shape), 4))
    return reshape(slice_in_dim(draws, 0, None, stride=_DRAWS), (*shape, 4))


def unsafe_rbg_fold_in(key: Array, data: Array) -> Array:
    """A new key: a key, and the last of ten draws with the number as the seed."""
    draws = _generated(rbg_seed(as_array(data)), (_DRAWS, 4))
    return bitwise_xor(key, reshape(slice_in_dim(draws, _DRAWS - 1, _DRAWS), (4,)))


# -- generators that hash positions ------------------------------------------------------------------------------------

_ROTATIONS = ((10, 26), (11, 21), (13, 27), (23, 5), (6, 20), (17, 11), (25, 10), (18, 20))


def _turned(x: Array, bits: int) -> Array:
    return bitwise_or(shift_left(x, _word(bits)), shift_right_logical(x, _word(32 - bits)))


def _threefry4x32(key: Words, counter: Words) -> Words:
    """Threefry of four words, with 20 rounds (Salmon et al., 2011)."""
    schedule = [*key, _xor(*key, _word(0x1BD11BDA))]
    x = [add(c, k) for c, k in zip(counter, key, strict=True)]
    for number in range(20):
        rotations = _ROTATIONS[number % 8]
        for (i, j), bits in zip(((0, 1), (2, 3)) if number % 2 == 0 else ((0, 3), (2, 1)), rotations, strict=True):
            x[i] = add(x[i], x[j])
            x[j] = bitwise_xor(x[i], _turned(x[j], bits))
        if number % 4 == 3:
            injected = number // 4 + 1
            x = [add(w, schedule[(injected + i) % 5]) for i, w in enumerate(x)]
            x[3] = add(x[3], _word(injected))
    return x


def _philox2x32(key: Words, counter: Words) -> Words:
    """Philox of two words, with 10 rounds."""
    (k,), (x0, x1) = key, counter
    multiplier = _word(0xD256D193)
    for number in range(10):
        if number:
            k = add(k, _word(0x9E3779B9))
        x0, x1 = _xor(mulhi(multiplier, x0), x1, k), mul(multiplier, x0)
    return x0, x1


def _philox4x32(key: Words, counter: Words) -> Words:
    """Philox of four words, with 10 rounds."""
    (k0, k1), (x0, x1, x2, x3) = key, counter
    first, second = _word(0xD2511F53), _word(0xCD9E8D57)
    for number in range(10):
        if number:
            k0, k1 = add(k0, _word(0x9E3779B9)), add(k1, _word(0xBB67AE85))
        x0, x1, x2, x3 = (
            _xor(mulhi(second, x2), x1, k0), mul(second, x2), _xor(mulhi(first, x0), x3, k1), mul(first, x0),
        )  # fmt: skip
    return x0, x1, x2, x3


def _hash_of(function: Callable[[Words, Words], Words], key: Array, counter: Words) -> Words:
    """The hash of counters under one key."""
    shape = counter[0].aval.shape
    counter = [broadcast(c, shape) if not c.aval.shape and shape else c for c in counter]
    key_words = [broadcast(k, shape) if shape else k for k in unstack(key, 0)]
    return function(key_words, counter)


def _zeros(like: Array) -> Array:
    return full(like.aval.shape, 0, UINT32)


def threefry4x32_seed(seed: Any) -> Array:
    """Four words: the hash of zeros with the seed as the key."""
    zero = _word(0)
    return stack(_threefry4x32([*_halves("threefry4x32_seed", seed), zero, zero], [zero] * 4), 0)


def threefry4x32_split(key: Array, shape: Sequence[int]) -> Array:
    """New keys: the hashes of their positions."""
    upper, lower = _positions(tuple(shape))
    zeros = _zeros(lower)
    return stack(_hash_of(_threefry4x32, key, [zeros, zeros, upper, lower]), len(shape))


def threefry4x32_fold_in(key: Array, data: Array) -> Array:
    """A new key: the hash of a number."""
    zero = _word(0)
    return stack(_hash_of(_threefry4x32, key, [zero, zero, zero, convert_element_type(as_array(data), UINT32)]), 0)


def threefry4x32_random_bits(key: Array, bit_width: int, shape: Sequence[int]) -> Array:
    """Random bits: hashes of their positions."""
    upper, lower = _positions(tuple(shape))
    zeros = _zeros(lower)
    out = _hash_of(_threefry4x32, key, [upper, lower, zeros, zeros])
    return _as_bits(_xor(out[0], out[2]), _xor(out[1], out[3]), _xor(*out), bit_width)


def philox2x32_seed(seed: Any) -> Array:
    """One word: the first of the hash of the seed."""
    return stack(_philox2x32([_word(0)], _halves("philox2x32_seed", seed))[:1], 0)


def philox2x32_split(key: Array, shape: Sequence[int]) -> Array:
    """New keys: the hashes of their positions."""
    return stack(_hash_of(_philox2x32, key, _positions(tuple(shape)))[:1], len(shape))


def philox2x32_fold_in(key: Array, data: Array) -> Array:
    """A new key: the hash of a number."""
    return stack(_hash_of(_philox2x32, key, [_word(0), convert_element_type(as_array(data), UINT32)])[:1], 0)


def philox2x32_random_bits(key: Array, bit_width: int, shape: Sequence[int]) -> Array:
    """Random bits: hashes of their positions."""
    upper, lower = _hash_of(_philox2x32, key, _positions(tuple(shape)))
    return _as_bits(upper, lower, bitwise_xor(upper, lower), bit_width)


def philox4x32_seed(seed: Any) -> Array:
    """Two words: the first ones of the hash of the seed."""
    zero = _word(0)
    return stack(_philox4x32([zero, zero], [*_halves("philox4x32_seed", seed), zero, zero])[:2], 0)


def philox4x32_split(key: Array, shape: Sequence[int]) -> Array:
    """New keys: the hashes of their positions."""
    upper, lower = _positions(tuple(shape))
    zeros = _zeros(lower)
    return stack(_hash_of(_philox4x32, key, [zeros, zeros, upper, lower])[:2], len(shape))


def philox4x32_fold_in(key: Array, data: Array) -> Array:
    """A new key: the hash of a number."""
    zero = _word(0)
    return stack(_hash_of(_philox4x32, key, [zero, zero, zero, convert_element_type(as_array(data), UINT32)])[:2], 0)


def philox4x32_random_bits(key: Array, bit_width: int, shape: Sequence[int]) -> Array:
    """Random bits: hashes of their positions."""
    upper, lower = _positions(tuple(shape))
    zeros = _zeros(lower)
    out = _hash_of(_philox4x32, key, [upper, lower, zeros, zeros])
    return _as_bits(out[0], out[1], _xor(*out), bit_width)


# -- the table ---------------------------------------------------------------------------------------------------------

threefry_prng_impl = PRNGImpl(
    (2,), threefry_seed, threefry_split, threefry_random_bits, threefry_fold_in, "threefry2x32", "fry"
)
rbg_prng_impl = PRNGImpl((4,), rbg_seed, rbg_split, rbg_random_bits, rbg_fold_in, "rbg", "rbg")
unsafe_rbg_prng_impl = PRNGImpl(
    (4,), rbg_seed, unsafe_rbg_split, rbg_random_bits, unsafe_rbg_fold_in, "unsafe_rbg", "urbg"
)
for _impl in (
    threefry_prng_impl,
    rbg_prng_impl,
    unsafe_rbg_prng_impl,
    PRNGImpl(
        (4,), threefry4x32_seed, threefry4x32_split, threefry4x32_random_bits, threefry4x32_fold_in, "threefry4x32",
        "fry4",
    ),
    PRNGImpl((1,), philox2x32_seed, philox2x32_split, philox2x32_random_bits, philox2x32_fold_in, "philox2x32", "phx2"),
    PRNGImpl((2,), philox4x32_seed, philox4x32_split, philox4x32_random_bits, philox4x32_fold_in, "philox4x32", "phx4"),
):  # fmt: skip
    key_types.register(_impl)


class PRNGSpec:
    """A generator that has no registered name, such as ``extend.random.define_prng_impl`` returns."""

    __slots__ = ("_impl",)

    def __init__(self, impl: PRNGImpl):
        self._impl = impl

    def __repr__(self) -> str:
        return f"PRNGSpec({self._impl.name!r})"

    def __str__(self) -> str:
        return str(self._impl)

    def __hash__(self) -> int:
        return hash(self._impl)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PRNGSpec) and self._impl == other._impl


def default_prng_impl() -> PRNGImpl:
    """The generator of keys for which none is named: that of the option ``default_prng_impl``."""
    return key_types.registered[config.default_prng_impl]


def resolve_prng_impl(spec: Any, api: str = "resolve_prng_impl", name: str = "impl") -> PRNGImpl:
    """The generator that an argument names: by its name, its specification, or the dtype of its keys.

    Raises:
      TypeError: the argument is none of these.
      ValueError: there is no generator of this name.
    """
    if spec is None:
        return default_prng_impl()
    if type(spec) is PRNGImpl:
        return spec
    if type(spec) is PRNGSpec:
        return spec._impl
    if isinstance(spec, np.dtype) and dtypes.is_key(spec):
        return key_types.impl_of(spec)
    names = ", ".join(map(repr, key_types.registered))
    if isinstance(spec, str):
        found = key_types.registered.get(spec)
        if found is None:
            raise ValueError(f"fungrad.random.{api}: {name} must be one of {names}, got {spec!r}")
        return found
    raise TypeError(
        f"fungrad.random.{api}: {name} must be the name of a generator ({names}), fungrad.random.key_dtype(...) or "
        f"what fungrad.extend.random.define_prng_impl returns, got {shown(spec)}"
    )


# -- keys of any shape -------------------------------------------------------------------------------------------------


def _mapped(function: Callable[..., Any], times: int) -> Callable[..., Any]:
    for _ in range(times):
        function = vmap(function)
    return function


def _flat(dtype: np.dtype, function: Callable[..., Array]) -> Callable[..., Array]:
    """A function from the words of a key to those of keys, with the words of a key in one dimension on both sides."""
    inner = key_types.key_shape(dtype)

    def flattened(*args: Any) -> Array:
        out = as_array(function(*args))
        outer = out.aval.shape[: out.aval.ndim - len(inner)]
        if out.aval.shape[len(outer) :] != inner or out.aval.dtype != UINT32:
            raise TypeError(
                f"fungrad.random: a function of the generator of {dtypes.short_name(dtype)} returned "
                f"{out.aval.str_short()}; the words of its keys are uint32 of shape {inner}"
            )
        return out if len(inner) == 1 else reshape(out, (*outer, key_types.word_count(dtype)))

    return flattened


def _single(dtype: np.dtype, words: Array) -> Array:
    inner = key_types.key_shape(dtype)
    return words if len(inner) == 1 else reshape(words, inner)


def _seed(dtype: np.dtype, seeds: Array) -> Array:
    return _mapped(_flat(dtype, key_types.impl_of(dtype).seed), seeds.aval.ndim)(seeds)  # type: ignore[no-any-return]


def _split(dtype: np.dtype, words: Array, *, shape: tuple[int, ...]) -> Array:
    split = key_types.impl_of(dtype).split
    one = _flat(dtype, lambda key: split(_single(dtype, key), shape))
    return _mapped(one, words.aval.ndim - 1)(words)  # type: ignore[no-any-return]


def _bits(dtype: np.dtype, words: Array, *, bit_width: int, shape: tuple[int, ...]) -> Array:
    random_bits = key_types.impl_of(dtype).random_bits
    return _mapped(lambda key: random_bits(_single(dtype, key), bit_width, shape), words.aval.ndim - 1)(words)  # type: ignore[no-any-return]


def _fold_in(dtype: np.dtype, words: Array, data: Array) -> Array:
    """Dimensions of size 1 stand for what is not mapped, and is not repeated."""
    fold_in = key_types.impl_of(dtype).fold_in
    fun: Callable[..., Any] = _flat(dtype, lambda key, number: fold_in(_single(dtype, key), number))
    for n, m in reversed(list(zip(words.aval.shape, data.aval.shape, strict=False))):
        fun = vmap(fun) if n == m else _mapped_side(fun, n == 1)
    return fun(words, data)  # type: ignore[no-any-return]


def _mapped_side(fun: Callable[..., Any], first: bool) -> Callable[..., Any]:
    """``fun`` mapped over one operand only; of the other the leading dimension has size 1."""

    def mapped(x: Array, y: Array) -> Any:
        if first:
            return vmap(fun, in_axes=(None, 0))(reshape(x, x.aval.shape[1:]), y)
        return vmap(fun, in_axes=(0, None))(x, reshape(y, y.aval.shape[1:]))

    return mapped


threefry.attach_general(
    {"random_seed": _seed, "random_split": _split, "random_bits": _bits, "random_fold_in": _fold_in}
)
