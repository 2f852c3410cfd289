"""Kinds of random keys: a generator, the functions that make it up, and the dtype of its keys.

The keys of a generator are uint32 words of one shape. A typed key is one element of a structured dtype that holds these
words, so that NumPy's reshape, indexing, concatenate, where ... take it for one value. The name of the field tells
dtypes of equally many words apart; it is also what equations that make keys have as their parameter ``impl``.

Compiled programs know the keys of threefry2x32 as numbers of 64 bits. Arrays of other keys are *compound*: what is
compiled has their words instead (``core.lojax``).

May import ``core.scalar_types``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from fungrad.core.scalar_types import SUPPORTED, prng_key, special_names


class PRNGImpl(NamedTuple):
    """A generator: the shape of its keys, and functions on the words of single keys.

    Attributes:
      key_shape: shape of the words of a key.
      seed: from an integer scalar to a key.
      split: from a key and a shape to an array of keys, whose words come last.
      random_bits: from a key, a number of bits and a shape to unsigned integers.
      fold_in: from a key and a uint32 scalar to a key.
      name: how functions of ``fungrad.random`` call it.
      tag: how types of keys are printed.
    """

    key_shape: tuple[int, ...]
    seed: Callable[..., Any]
    split: Callable[..., Any]
    random_bits: Callable[..., Any]
    fold_in: Callable[..., Any]
    name: str = "<unnamed>"
    tag: str = "?"

    def __hash__(self) -> int:
        return hash(self.tag)

    def __str__(self) -> str:
        return self.tag


THREEFRY = "fry"
# Dtype -> identifier of the generator, and the reverse. The dtypes of the library's own generators are always known, so
# that pickled keys can be read before anything makes some.
_identifiers: dict[np.dtype, str] = {prng_key: THREEFRY}
_dtypes: dict[str, np.dtype] = {THREEFRY: prng_key}
_impls: dict[str, PRNGImpl] = {}
_of_impl: dict[PRNGImpl, str] = {}
# Generators by name.
registered: dict[str, PRNGImpl] = {}


def _new_dtype(identifier: str, tag: str, key_shape: tuple[int, ...]) -> None:
    dtype = np.dtype([(identifier, np.uint32, key_shape)])
    SUPPORTED[dtype] = dtype
    special_names[dtype] = f"key<{tag}>"
    _identifiers[dtype] = identifier
    _dtypes[identifier] = dtype


for _tag, _words in (("rbg", 4), ("urbg", 4), ("fry4", 4), ("phx2", 1), ("phx4", 2)):
    _new_dtype(_tag, _tag, (_words,))


def identify(impl: PRNGImpl) -> str:
    """The identifier of a generator, which gets a dtype of its own if it is a new one."""
    found = _of_impl.get(impl)
    if found is None:
        found, count = impl.tag, 1
        while found in _impls:
            count += 1
            found = f"{impl.tag}#{count}"
        if found not in _dtypes:
            _new_dtype(found, impl.tag, tuple(impl.key_shape))
        _impls[found] = impl
        _of_impl[impl] = found
    return found


def register(impl: PRNGImpl) -> None:
    """Makes a generator known by its name."""
    registered[impl.name] = impl
    identify(impl)


def known() -> list[np.dtype]:
    """The dtypes of the keys of all generators that there are by now."""
    return list(_identifiers)


def is_key(dtype: np.dtype) -> bool:
    """Whether ``dtype`` is that of typed random keys, of whatever generator."""
    return dtype in _identifiers


def is_compound(dtype: np.dtype) -> bool:
    """Whether ``dtype`` is that of keys which compiled programs know by their words only."""
    return dtype.names is not None and dtype != prng_key and dtype in _identifiers


def identifier_of(dtype: np.dtype) -> str:
    """The identifier of the generator of keys."""
    return _identifiers[dtype]


def impl_of(dtype: np.dtype) -> PRNGImpl:
    """The generator of keys of this dtype."""
    return _impls[_identifiers[dtype]]


def dtype_of(identifier: str) -> np.dtype:
    """The dtype of the keys of a generator."""
    return _dtypes[identifier]


def key_shape(dtype: np.dtype) -> tuple[int, ...]:
    """The shape of the words of one key."""
    return dtype[0].shape


def word_count(dtype: np.dtype) -> int:
    """The number of words of one key."""
    return math.prod(dtype[0].shape)


def key_words(keys: np.ndarray) -> np.ndarray:
    """The words of an array of keys, a uint32 view whose shape is that of the keys, and then that of one key."""
    return keys[keys.dtype.names[0]]  # type: ignore[index]


def keys_from_words(words: np.ndarray, dtype: np.dtype = prng_key) -> np.ndarray:
    """The array of keys with the given words; a view if possible.

    Raises:
      ValueError: ``words`` is not a uint32 array whose last dimensions are the shape of a key.
    """
    inner = key_shape(dtype)
    outer = words.shape[: max(words.ndim - len(inner), 0)]
    if words.dtype != np.uint32 or words.shape[len(outer) :] != inner:
        wanted = ", ".join(map(str, ("...", *inner)))
        raise ValueError(
            f"keys_from_words: expected uint32 words of shape ({wanted}), got {words.dtype.name} of shape {words.shape}"
        )
    flat = np.ascontiguousarray(words).reshape((*outer, math.prod(inner)))
    return flat.view(dtype)[..., 0]
