"""Random keys: making them from seeds, and new ones from old ones.

May import ``core``, ``ops`` and ``random._arguments``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fungrad.config import config
from fungrad.core import dtypes
from fungrad.core.array import Array, as_array, from_numpy, is_array_like, typeof
from fungrad.ops._operands import kind_of, scalar_array
from fungrad.ops.cast import convert_element_type
from fungrad.ops.joining import stack, unstack
from fungrad.ops.random_bits import random_fold_in, random_seed, random_split, random_unwrap, random_wrap
from fungrad.random._arguments import any_keys, one_key, shape_of

IMPLEMENTATION = "threefry2x32"
# Generators of JAX that have no promise of numbers that stay: here their keys are those of the one generator.
_LIKEWISE = ("rbg", "unsafe_rbg")


def _check_implementation(api: str, impl: Any, dtype: Any = None) -> None:
    if impl is not None and dtype is not None:
        raise ValueError(f"fungrad.random.{api}: give either impl or dtype, not both")
    if dtype is not None and (not isinstance(dtype, np.dtype) or not dtypes.is_key(dtype)):
        raise TypeError(f"fungrad.random.{api}: dtype must be fungrad.random.key_dtype(), got {dtype!r}")
    if impl is None or isinstance(impl, np.dtype) and dtypes.is_key(impl):
        return
    if isinstance(impl, str) and impl in (IMPLEMENTATION, "fry", *_LIKEWISE):
        return
    raise ValueError(
        f"fungrad.random.{api}: impl must be {IMPLEMENTATION!r} (or 'rbg' or 'unsafe_rbg', which mean the same), got "
        f"{impl!r}"
    )


def _seed_key(api: str, seed: Any, impl: Any, dtype: Any) -> Array:
    _check_implementation(api, impl, dtype)
    if not is_array_like(seed) or np.ndim(seed) or kind_of(typeof(seed).dtype) not in "biu":
        described = typeof(seed).str_short() if is_array_like(seed) else repr(seed)
        raise TypeError(
            f"fungrad.random.{api}: seed must be an integer scalar, got {described}; for several seeds use "
            "fungrad.vmap(fungrad.random.key)"
        )
    return random_seed(_seed_array(api, seed))


def _seed_array(api: str, seed: Any) -> Array:
    if isinstance(seed, Array):
        return convert_element_type(seed, dtypes.int32) if dtypes.is_bool(seed.aval.dtype) else seed
    value = int(seed)
    if not -(2**63) <= value < 2**63 and isinstance(seed, int):
        raise OverflowError(f"fungrad.random.{api}: seed must be in [-2**63, 2**63), got {value}")
    # In the default width only the lower half of a seed counts, as in JAX.
    narrow = isinstance(seed, (np.generic, np.ndarray)) and seed.dtype.itemsize < 8
    dtype = dtypes.int64 if config.enable_x64 and not narrow else dtypes.int32
    bits = 8 * dtype.itemsize
    return scalar_array((value + 2 ** (bits - 1)) % 2**bits - 2 ** (bits - 1), dtype)


def key(seed: Any, *, impl: Any = None, dtype: Any = None) -> Array:
    """A random key made from a seed.

    A key is consumed by one draw: equal keys give equal numbers.  Make new keys with ``split`` and ``fold_in``.

    Args:
      seed: an integer, or 0-d integer array.  Unless 64-bit types are enabled, only its lower 32 bits count.
      impl: ``"threefry2x32"``, which is the default and only generator.  ``"rbg"`` and ``"unsafe_rbg"`` are accepted
        and mean the same: JAX does not promise the numbers of those to stay, and here they are those of threefry2x32.
      dtype: ``fungrad.random.key_dtype()``, likewise.

    Returns:
      A 0-d array of dtype ``key<fry>``.

    Raises:
      TypeError: the seed is not an integer scalar.
      ValueError: there is no such generator.

    Example:
      >>> from fungrad import random
      >>> key = random.key(0)
      >>> random.normal(key, (2,)).round(3)
      Array([1.623, 2.025], dtype=float32)
      >>> key, subkey = random.split(key)
    """
    return _seed_key("key", seed, impl, dtype)


def PRNGKey(seed: Any, *, impl: Any = None) -> Array:  # noqa: N802
    """A random key made from a seed, as raw words: uint32 of shape [2].

    All functions of ``fungrad.random`` accept raw keys as well; new programs should use ``key``.

    Args:
      seed: as for ``key``.
      impl: as for ``key``.

    Example:
      >>> from fungrad import random
      >>> random.PRNGKey(7)
      Array([0, 7], dtype=uint32)
    """
    return random_unwrap(_seed_key("PRNGKey", seed, impl, None))


def key_data(keys: Any) -> Array:
    """The words of keys.

    Args:
      keys: array of keys of shape ``[...]``, or raw words.

    Returns:
      uint32 array of shape ``[..., 2]``.

    Raises:
      TypeError: ``keys`` are not keys.

    Example:
      >>> from fungrad import random
      >>> random.key_data(random.key(7))
      Array([0, 7], dtype=uint32)
    """
    found, raw = any_keys("key_data", keys, "keys")
    return as_array(keys) if raw else random_unwrap(found)


def wrap_key_data(key_bits_array: Any, *, impl: Any = None, dtype: Any = None) -> Array:
    """Keys with the given words, the inverse of ``key_data``.

    Args:
      key_bits_array: uint32 array of shape ``[..., 2]``.  Keys of ``"rbg"`` may have four words, as in JAX, which are
        hashed to two.
      impl: as for ``key``.
      dtype: as for ``key``.

    Returns:
      Array of keys of shape ``[...]``.

    Raises:
      TypeError: the argument is not a uint32 array whose last dimension is 2.

    Example:
      >>> import numpy as np
      >>> from fungrad import random
      >>> random.wrap_key_data(np.zeros((3, 2), np.uint32)).shape
      (3,)
    """
    _check_implementation("wrap_key_data", impl, dtype)
    words = key_bits_array
    wide = impl in _LIKEWISE if isinstance(impl, str) else False
    if wide and is_array_like(words) and np.shape(words)[-1:] == (4,) and typeof(words).dtype == dtypes.uint32:
        first, second, third, fourth = unstack(as_array(words), -1)
        return random_fold_in(random_fold_in(random_wrap(stack([first, second], -1)), third), fourth)
    if not is_array_like(words) or np.shape(words)[-1:] != (2,) or typeof(words).dtype != dtypes.uint32:
        described = typeof(words).str_short() if is_array_like(words) else repr(words)
        raise TypeError(
            f"fungrad.random.wrap_key_data: key_bits_array must be a uint32 array of shape [..., 2], got {described}"
        )
    return random_wrap(as_array(words))


def key_impl(keys: Any) -> str:
    """Name of the generator of keys: ``"threefry2x32"``.

    Raises:
      TypeError: ``keys`` are not keys.

    Example:
      >>> from fungrad import random
      >>> random.key_impl(random.key(0))
      'threefry2x32'
    """
    any_keys("key_impl", keys, "keys")
    return IMPLEMENTATION


def key_dtype(impl_spec: Any = None) -> np.dtype:
    """The dtype of typed keys.

    Example:
      >>> import fungrad
      >>> fungrad.random.key(0).dtype == fungrad.random.key_dtype()
      True
    """
    _check_implementation("key_dtype", impl_spec)
    return dtypes.prng_key


def split(key: Any, num: int | Sequence[int] = 2) -> Array:
    """New keys from a key.

    Args:
      key: a key, which should not be used again.
      num: how many, or the shape of the array of new keys.

    Returns:
      Array of keys of shape ``(num,)`` (raw words of shape ``(num, 2)`` if the key was given as raw words).

    Raises:
      TypeError: ``key`` is not a key, or ``num`` not a shape.
      ValueError: ``key`` is an array of keys, or ``num`` is negative.

    Example:
      >>> from fungrad import random
      >>> a, b = random.split(random.key(0))
      >>> random.split(a, (2, 3)).shape
      (2, 3)
    """
    single, raw = one_key("split", key)
    keys = random_split(single, shape_of("split", num, "num"))
    return random_unwrap(keys) if raw else keys


def fold_in(key: Any, data: Any) -> Array:
    """A new key from a key and a number, such as the number of a step or of a device.

    Args:
      key: a key.
      data: an integer in ``[0, 2**32)``, or a 0-d array, which is converted to uint32.

    Returns:
      A key, of the form in which ``key`` was given.

    Raises:
      TypeError: ``key`` is not a key, or ``data`` not a scalar.
      ValueError: ``key`` is an array of keys.
      OverflowError: ``data`` is an int outside the range.

    Example:
      >>> from fungrad import random
      >>> random.key_data(random.fold_in(random.key(0), 5))
      Array([1524306142, 1887795613], dtype=uint32)
    """
    single, raw = one_key("fold_in", key)
    if not is_array_like(data) or np.ndim(data):
        described = typeof(data).str_short() if is_array_like(data) else repr(data)
        raise TypeError(
            f"fungrad.random.fold_in: data must be an integer scalar, got {described}; use fungrad.vmap for several"
        )
    if isinstance(data, int):
        if not 0 <= data < 2**32:
            raise OverflowError(f"fungrad.random.fold_in: data must be in [0, 2**32), got {data}")
        number: Array = scalar_array(int(data), dtypes.uint32)
    else:
        # NumPy values are converted here: on their way into an Array they would have to fit the default width.
        array = from_numpy(np.asarray(data).astype(np.uint32)) if isinstance(data, (np.generic, np.ndarray)) else data
        number = convert_element_type(array, dtypes.uint32)
    new = random_fold_in(single, number)
    return random_unwrap(new) if raw else new


def clone(key: Any) -> Array:
    """A key equal to ``key``, to be used where the same numbers are wanted again on purpose.

    Example:
      >>> from fungrad import random
      >>> key = random.key(3)
      >>> bool(random.uniform(key) == random.uniform(random.clone(key)))
      True
    """
    keys, raw = any_keys("clone", key)
    # Another array with the same words, which counts as a new key where uses are followed.
    words = random_unwrap(keys)
    return words if raw else random_wrap(words)
