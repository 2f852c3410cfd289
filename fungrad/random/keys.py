"""Random keys: making them from seeds, and new ones from old ones.

May import ``core``, ``ops``, ``random._arguments`` and ``random.implementations``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fungrad.config import config, watch
from fungrad.core import dtypes
from fungrad.core.array import Array, as_array, from_numpy, is_array_like, typeof
from fungrad.core.avals import ShapedArray
from fungrad.core.key_types import PRNGImpl, dtype_of, identifier_of, identify, impl_of, registered
from fungrad.core.transfers import host_to_device
from fungrad.ops._operands import kind_of, scalar_array
from fungrad.ops.cast import convert_element_type
from fungrad.ops.elementwise import add
from fungrad.ops.random_bits import random_fold_in, random_seed, random_split, random_unwrap, random_wrap
from fungrad.random._arguments import any_keys, one_key, returned_keys, shape_of
from fungrad.random.implementations import PRNGSpec, resolve_prng_impl


def _generator(api: str, impl: Any, dtype: Any = None) -> PRNGImpl:
    if impl is not None and dtype is not None:
        raise ValueError(f"fungrad.random.{api}: give either impl or dtype, not both")
    return resolve_prng_impl(dtype, api, "dtype") if dtype is not None else resolve_prng_impl(impl, api)


def _seed_key(api: str, seed: Any, impl: Any, dtype: Any) -> Array:
    generator = _generator(api, impl, dtype)
    if not is_array_like(seed) or np.ndim(seed) or kind_of(typeof(seed).dtype) not in "biu":
        described = typeof(seed).str_short() if is_array_like(seed) else repr(seed)
        raise TypeError(
            f"fungrad.random.{api}: seed must be an integer scalar, got {described}; for several seeds use "
            "fungrad.vmap(fungrad.random.key)"
        )
    return seeded(seed_array(api, seed), generator)


def seeded(seeds: Array, generator: PRNGImpl) -> Array:
    """Keys of a generator for integers, which the option ``random_seed_offset`` moves."""
    if config.random_seed_offset:
        offset = config.random_seed_offset % 2 ** (8 * seeds.aval.dtype.itemsize)
        seeds = add(seeds, convert_element_type(scalar_array(offset, dtypes.uint64), seeds.aval.dtype))
    return random_seed(seeds, identify(generator))


def seed_array(api: str, seed: Any) -> Array:
    """A seed, or an array of seeds, as an integer array."""
    if isinstance(seed, Array):
        return convert_element_type(seed, dtypes.int32) if dtypes.is_bool(seed.aval.dtype) else seed
    value = int(seed)
    if watch.transfers:
        host_to_device(typeof(seed))
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
      impl: the generator: ``"threefry2x32"``, ``"rbg"``, ``"unsafe_rbg"``, ``"threefry4x32"``, ``"philox2x32"``,
        ``"philox4x32"``, or what ``fungrad.extend.random.define_prng_impl`` returns; default that of the option
        ``default_prng_impl``, which is threefry2x32.  Mapped over keys of ``rbg``, draws depend on how many there are.
      dtype: ``fungrad.random.key_dtype(impl)``, likewise.

    Returns:
      A 0-d array of the dtype of the keys of the generator, such as ``key<fry>``.

    Raises:
      TypeError: the seed is not an integer scalar, or the generator is named by something that cannot name one.
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
    """A random key made from a seed, as raw words: uint32 of shape [2], or what the generator has.

    All functions of ``fungrad.random`` accept raw keys as well, which they take for those of the option
    ``default_prng_impl``; new programs should use ``key``.

    Args:
      seed: as for ``key``.
      impl: as for ``key``.

    Example:
      >>> from fungrad import random
      >>> random.PRNGKey(7)
      Array([0, 7], dtype=uint32)
    """
    return returned_keys(_seed_key("PRNGKey", seed, impl, None), True)


def key_data(keys: Any) -> Array:
    """The words of keys.

    Args:
      keys: array of keys of shape ``[...]``, or raw words.

    Returns:
      uint32 array of shape ``[..., 2]``, or what the generator has.

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
      key_bits_array: uint32 array of shape ``[..., 2]``, or what the generator has.
      impl: as for ``key``.
      dtype: as for ``key``.

    Returns:
      Array of keys of shape ``[...]``.

    Raises:
      TypeError: the argument is not a uint32 array whose last dimensions are those of a key.

    Example:
      >>> import numpy as np
      >>> from fungrad import random
      >>> random.wrap_key_data(np.zeros((3, 2), np.uint32)).shape
      (3,)
      >>> random.wrap_key_data(np.zeros((3, 4), np.uint32), impl="rbg").shape
      (3,)
    """
    generator = _generator("wrap_key_data", impl, dtype)
    words, inner = key_bits_array, tuple(generator.key_shape)
    given = np.shape(words) if is_array_like(words) else ()
    if not is_array_like(words) or given[len(given) - len(inner) :] != inner or typeof(words).dtype != dtypes.uint32:
        described = typeof(words).str_short() if is_array_like(words) else repr(words)
        raise TypeError(
            f"fungrad.random.wrap_key_data: key_bits_array must be a uint32 array of shape "
            f"[..., {', '.join(map(str, inner))}], got {described}; those are the words of {generator.name}"
        )
    return random_wrap(as_array(words), identify(generator))


def key_impl(keys: Any) -> str | PRNGSpec:
    """The generator of keys: its name, such as ``"threefry2x32"``, or its specification if it has no registered one.

    Raises:
      TypeError: ``keys`` are not keys.

    Example:
      >>> from fungrad import random
      >>> random.key_impl(random.key(0))
      'threefry2x32'
    """
    found, _ = any_keys("key_impl", keys, "keys")
    impl = impl_of(found.aval.dtype)
    return impl.name if registered.get(impl.name) == impl else PRNGSpec(impl)


def key_dtype(impl_spec: Any = None) -> np.dtype:
    """The dtype of typed keys of a generator, by default that of the option ``default_prng_impl``.

    Args:
      impl_spec: as ``impl`` of ``key``.

    Example:
      >>> import fungrad
      >>> fungrad.random.key(0).dtype == fungrad.random.key_dtype()
      True
      >>> fungrad.random.key(0, impl="rbg").dtype == fungrad.random.key_dtype("rbg")
      True
    """
    return dtype_of(identify(_generator("key_dtype", impl_spec)))


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
    return returned_keys(keys, raw)


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
        if watch.transfers:
            host_to_device(ShapedArray((), dtypes.uint32))
        number: Array = scalar_array(int(data), dtypes.uint32)
    else:
        # NumPy values are converted here: on their way into an Array they would have to fit the default width.
        array = from_numpy(np.asarray(data).astype(np.uint32)) if isinstance(data, (np.generic, np.ndarray)) else data
        number = convert_element_type(array, dtypes.uint32)
    new = random_fold_in(single, number)
    return returned_keys(new, raw)


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
    return words if raw else random_wrap(words, identifier_of(keys.aval.dtype))
