"""Generators of random keys: those that there are, and how to define one, under JAX's names (``jax.extend.random``)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fungrad.core.array import Array, as_array, is_array_like
from fungrad.core.key_types import PRNGImpl
from fungrad.core.public_names import publish
from fungrad.ops.cast import full
from fungrad.ops.foundation import reshape
from fungrad.ops.joining import concatenate, unstack
from fungrad.ops.random_bits import threefry2x32 as _threefry2x32, threefry2x32_p
from fungrad.ops.shape import slice_in_dim
from fungrad.random.implementations import (
    PRNGSpec,
    rbg_prng_impl,
    resolve_prng_impl,
    threefry_prng_impl,
    unsafe_rbg_prng_impl,
)
from fungrad.random.keys import seed_array, seeded

__all__ = [
    "define_prng_impl",
    "random_seed",
    "rbg_prng_impl",
    "seed_with_impl",
    "threefry2x32_p",
    "threefry_2x32",
    "threefry_prng_impl",
    "unsafe_rbg_prng_impl",
]


def define_prng_impl(
    *,
    key_shape: Sequence[int],
    seed: Callable[[Array], Array],
    split: Callable[[Array, tuple[int, ...]], Array],
    random_bits: Callable[[Array, int, tuple[int, ...]], Array],
    fold_in: Callable[[Array, Array], Array],
    name: str = "<unnamed>",
    tag: str = "?",
) -> PRNGSpec:
    """A generator of one's own. Its functions are mapped over arrays of keys with ``vmap``, and compiled.

    Args:
      key_shape: shape of the words of a key, which are uint32.
      seed: from an integer scalar to the words of a key.
      split: from the words of a key and a shape to those of as many keys, of shape ``(*shape, *key_shape)``.
      random_bits: from the words of a key, a number of bits (8, 16, 32 or 64) and a shape to unsigned integers.
      fold_in: from the words of a key and a uint32 scalar to those of a new key.
      name: for people.
      tag: name of the dtype of keys, in brackets.

    Returns:
      What ``impl`` of ``fungrad.random.key`` and ``wrap_key_data`` may be.

    Example:
      >>> import fungrad, fungrad.numpy as jnp
      >>> from fungrad.extend.random import define_prng_impl
      >>> zeros = define_prng_impl(
      ...     key_shape=(1,), seed=lambda seed: jnp.zeros(1, 'uint32'),
      ...     split=lambda key, shape: jnp.zeros((*shape, 1), 'uint32'),
      ...     random_bits=lambda key, bit_width, shape: jnp.zeros(shape, f'uint{bit_width}'),
      ...     fold_in=lambda key, data: key, name='zeros', tag='0')
      >>> fungrad.random.uniform(fungrad.random.key(3, impl=zeros), (2,))
      Array([0., 0.], dtype=float32)
    """
    return PRNGSpec(PRNGImpl(tuple(key_shape), seed, split, random_bits, fold_in, name=name, tag=tag))


def random_seed(seeds: Any, impl: Any) -> Array:
    """Keys of a generator: one for each integer, in an array of the shape of the integers.

    Args:
      seeds: integer, or array of integers.
      impl: the generator.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad.extend.random import random_seed, rbg_prng_impl
      >>> random_seed(jnp.arange(3), rbg_prng_impl).shape
      (3,)
    """
    generator = resolve_prng_impl(impl, "random_seed")
    return seeded(as_array(seeds) if np.ndim(seeds) else seed_array("random_seed", seeds), generator)


def seed_with_impl(impl: Any, seed: Any) -> Array:
    """``random_seed`` with its arguments the other way round.

    Example:
      >>> from fungrad.extend.random import rbg_prng_impl, seed_with_impl
      >>> seed_with_impl(rbg_prng_impl, 3)
      Array((), dtype=key<rbg>) overlaying:
      [0 3 0 3]
    """
    return random_seed(seed, impl)


def threefry_2x32(keypair: Any, count: Any) -> Array:
    """The hash threefry2x32 of an array: of each element of its first half with the one in its second half.

    Args:
      keypair: two uint32 scalars, or an array of them.
      count: uint32 array. If its size is odd, a zero follows its last element.

    Returns:
      uint32 array of the shape of ``count``.

    Raises:
      TypeError: an argument is not uint32.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad.extend.random import threefry_2x32
      >>> threefry_2x32(jnp.zeros(2, 'uint32'), jnp.zeros(2, 'uint32'))
      Array([1797259609, 2579123966], dtype=uint32)
    """
    first, second = unstack(as_array(keypair), 0) if is_array_like(keypair) else map(as_array, keypair)
    counts = as_array(count)
    for name, x in (("keypair", first), ("keypair", second), ("count", counts)):
        if x.aval.dtype != "uint32":
            raise TypeError(f"fungrad.extend.random.threefry_2x32: {name} must be uint32, got {x.aval.str_short()}")
    size = counts.aval.size
    flat = reshape(counts, (size,))
    half = -(-size // 2)
    if size % 2:
        flat = concatenate([flat, full((1,), 0, flat.aval.dtype)], 0)
    out = concatenate(_threefry2x32(first, second, slice_in_dim(flat, 0, half), slice_in_dim(flat, half, 2 * half)), 0)
    return reshape(slice_in_dim(out, 0, size), counts.aval.shape)


publish(globals(), __name__, __all__)
