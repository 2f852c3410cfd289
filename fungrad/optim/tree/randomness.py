"""Random trees.

May import ``fungrad.random`` and ``core``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import fungrad.numpy as jnp
from fungrad import dtypes, random
from fungrad.core import tree as pytree
from fungrad.core.array import Array


def split_key_like(rng_key: Any, target_tree: Any) -> Any:
    """A key for each leaf of a tree.

    Args:
      rng_key: a key.
      target_tree: any tree.

    Returns:
      A tree like ``target_tree`` of keys.
    """
    structure = pytree.structure(target_tree)
    keys = random.split(rng_key, structure.num_leaves)
    return pytree.unflatten(structure, [keys[i] for i in range(structure.num_leaves)])


def random_like(rng_key: Any, target_tree: Any, sampler: Callable[..., Any] = random.normal, dtype: Any = None) -> Any:
    """Random arrays of the shapes of a tree.

    Args:
      rng_key: a key.
      target_tree: tree of arrays.
      sampler: ``sampler(key, shape, dtype)``; default normal numbers.
      dtype: of the result; default those of the tree.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim, random
      >>> noise = optim.tree.random_like(random.key(0), {'a': jnp.ones((2, 3))})
      >>> noise['a'].shape
      (2, 3)
    """

    def sample(x: Any, key: Any) -> Any:
        x = jnp.asarray(x)
        return sampler(key, x.shape, dtype or x.dtype)

    return pytree.map(sample, target_tree, split_key_like(rng_key, target_tree))


def unwrap_random_key_data(input_tree: Any) -> Any:
    """A tree with its keys replaced by the integers that they consist of.

    Args:
      input_tree: tree of arrays and keys.
    """

    def unwrapped(x: Any) -> Any:
        is_key = isinstance(x, Array) and dtypes.issubdtype(x.dtype, dtypes.prng_key)
        return random.key_data(x) if is_key else x

    return pytree.map(unwrapped, input_tree)
