"""Random keys that compiled programs know by their words: the value, and operations on it.

The keys of generators other than threefry2x32 are lowered to uint32 arrays with one more dimension, the last, for the
words of a key. An operation that does not look inside of keys is then the same operation on the words, mapped over that
dimension: its batching rule. Primitives that know keys have a rule of their own, ``on_key_words``.

May import ``core.array``, ``core.avals``, ``core.context``, ``core.key_types`` and ``core.primitive``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fungrad.core import dtypes, key_types
from fungrad.core.array import Array, ArrayImpl, wrap
from fungrad.core.avals import ShapedArray
from fungrad.core.context import AxisData
from fungrad.core.primitive import Primitive


class KeyWords(Array):
    """Keys whose words are traced: they exist only while a jaxpr is lowered."""

    __slots__ = ("aval", "words")

    def __init__(self, aval: ShapedArray, words: Array):
        self.aval = aval
        self.words = words

    def _concrete(self, what: str) -> np.ndarray:
        raise TypeError(f"{what}: keys of type {self.aval.str_short()} are not known while a program is compiled")


def words_aval(aval: ShapedArray) -> ShapedArray:
    """The type of the words of keys."""
    return ShapedArray((*aval.shape, key_types.word_count(aval.dtype)), dtypes.uint32)


def words_of(keys: Any) -> Array:
    """The words of keys, those of one key in the last dimension."""
    if type(keys) is KeyWords:
        return keys.words
    aval = keys.aval
    data = key_types.key_words(keys._concrete("lowering random keys"))
    return wrap(np.ascontiguousarray(data).reshape(words_aval(aval).shape), words_aval(aval))


def keys_of(words: Array, aval: ShapedArray) -> Array:
    """The keys of a type that have these words."""
    if type(words) is not ArrayImpl:
        return KeyWords(aval, words)
    return wrap(keys_of_words(words._data, aval), aval)


def keys_of_words(words: np.ndarray, aval: ShapedArray) -> np.ndarray:
    """The keys of a type that have these words, as an ndarray."""
    inner = key_types.key_shape(aval.dtype)
    return key_types.keys_from_words(words.reshape((*aval.shape, *inner)), aval.dtype)


def bind_on_words(primitive: Primitive, args: Sequence[Any], params: dict[str, Any], avals: Sequence[Any]) -> Any:
    """The results, of types ``avals``, of an operation some of whose operands are keys known by their words.

    Raises:
      NotImplementedError: the results depend on how the words of keys make up a value, or the operation is another
        one for each word.
    """
    rule = getattr(primitive, "on_key_words", None)
    if rule is not None:
        return rule(args, params)
    if primitive.name in ("eq", "ne"):
        return _compared(primitive, args)
    dtype = next(x.aval.dtype for x in args if x.aval.compound)
    if primitive.has_effects or any(getattr(x, "is_high", False) is True for x in params.values()):
        raise _no_form(primitive, dtype)
    dims = [x.aval.ndim if x.aval.compound else None for x in args]
    values = [words_of(x) if x.aval.compound else x for x in args]
    axis = AxisData(object(), key_types.word_count(dtype))
    out, where = primitive.batch(axis, values, dims, **params)
    many = primitive.multiple_results
    outs, places = (out, where) if many else ([out], [where])
    if not isinstance(places, (list, tuple)):
        places = [places] * len(outs)
    found = []
    for x, d, aval in zip(outs, places, avals, strict=True):
        if aval.compound and d is not None:
            order = [i for i in range(x.aval.ndim) if i != d]
            # The primitive is one of a layer above.
            x = Primitive.instances["transpose"].bind(x, permutation=(*order, d)) if d != x.aval.ndim - 1 else x
            found.append(keys_of(x, aval))
        elif aval.compound or d is not None:
            raise _no_form(primitive, dtype)
        else:
            found.append(x)
    return found if many else found[0]


def _no_form(primitive: Primitive, dtype: np.dtype) -> NotImplementedError:
    return NotImplementedError(
        f"{primitive.name}: there is no compiled form for operands of type {dtypes.short_name(dtype)}; use the "
        "words of the keys (fungrad.random.key_data)"
    )


def _compared(primitive: Primitive, args: Sequence[Any]) -> Array:
    """Whether keys are equal: whether all their words are."""
    rank = max(x.aval.ndim for x in args)
    words = [words_of(x) for x in args]
    for i, x in enumerate(words):
        if x.aval.ndim <= rank:  # a single key beside many
            shape = (*(1,) * (rank + 1 - x.aval.ndim), *x.aval.shape)
            words[i] = Primitive.instances["reshape"].bind(x, new_sizes=shape, dimensions=None)
    joined = Primitive.instances["reduce_and" if primitive.name == "eq" else "reduce_or"]
    return joined.bind(primitive.bind(*words), axes=(rank,))  # type: ignore[no-any-return]
