"""A generator of random numbers with a state, in the manner of ``numpy.random.default_rng``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

import fungrad.numpy as jnp
from fungrad import random
from fungrad.core import dtypes
from fungrad.core.array import Array
from fungrad.core.context import EVAL, current_trace
from fungrad.core.public_names import publish
from fungrad.core.refs import Ref, new_ref
from fungrad.core.source import api_class
from fungrad.core.tree_registration import register_pytree_node_class


def _shape(size: Any, *args: Any) -> tuple[int, ...]:
    if size is None:
        return np.broadcast_shapes(*[np.shape(a) for a in args])
    return (size,) if isinstance(size, int) else tuple(size)


@api_class
@register_pytree_node_class
class StatefulPRNG:
    """A generator of random numbers: a key and a counter, which every draw advances.

    Made by ``stateful_rng``. The counter is a reference, so that draws in compiled functions and loops count too, and a
    generator cannot be the result of one.
    """

    def __init__(self, _base_key: Any, _counter: Any):
        if not isinstance(_base_key, Array) or not dtypes.is_key(_base_key.dtype):
            raise ValueError(
                f"fungrad.experimental.random.StatefulPRNG: _base_key must be a typed key, from random.key, got "
                f"{_base_key!r}"
            )
        if not isinstance(_counter, Ref):
            raise ValueError(
                f"fungrad.experimental.random.StatefulPRNG: _counter must be a reference to an integer, from "
                f"new_ref, got {_counter!r}"
            )
        self._base_key, self._counter = _base_key, _counter

    def tree_flatten(self) -> tuple:
        """As a tree: key and counter."""
        return (self._base_key, self._counter), None

    @classmethod
    def tree_unflatten(cls, aux: Any, children: Any) -> StatefulPRNG:
        """The inverse of ``tree_flatten``."""
        # Without checks: transformations put other things in the places of leaves.
        made = object.__new__(cls)
        made._base_key, made._counter = children
        return made

    def key(self, shape: int | Sequence[int] = ()) -> Array:
        """A new key, or an array of keys.

        Args:
          shape: shape of the array.

        Raises:
          ValueError: the generator has been split and is not mapped.
        """
        if self._base_key.shape:
            raise ValueError(
                "fungrad.experimental.random: cannot operate on split stateful generator; map the function that draws"
            )
        key = random.fold_in(self._base_key, self._counter[...])
        self._counter[...] += 1
        wanted = _shape(shape)
        return random.split(key, wanted) if wanted else key

    def random(self, size: Any = None, dtype: Any = float) -> Array:
        """Uniform numbers from 0 up to 1."""
        return random.uniform(self.key(), _shape(size), dtype)

    def uniform(self, low: Any = 0, high: Any = 1, size: Any = None, *, dtype: Any = float) -> Array:
        """Uniform numbers from ``low`` up to ``high``."""
        return random.uniform(self.key(), _shape(size, low, high), dtype, low, high)

    def normal(self, loc: Any = 0, scale: Any = 1, size: Any = None, *, dtype: Any = float) -> Array:
        """Normal numbers with mean ``loc`` and standard deviation ``scale``."""
        drawn = random.normal(self.key(), _shape(size, loc, scale), dtype)
        return (jnp.asarray(loc) + jnp.asarray(scale) * drawn).astype(drawn.dtype)

    def integers(self, low: Any, high: Any = None, size: Any = None, *, dtype: Any = int) -> Array:
        """Integers from ``low`` up to ``high``, or from 0 up to ``low``."""
        if high is None:
            low, high = 0, low
        return random.randint(self.key(), _shape(size, low, high), low, high, dtype)

    def split(self, num: int | Sequence[int]) -> StatefulPRNG:
        """Independent generators as one object, to be mapped over with ``vmap``.

        Args:
          num: their number, or the shape of the array of them.

        Example:
          >>> import fungrad, fungrad.numpy as jnp
          >>> from fungrad.experimental.random import stateful_rng
          >>> fungrad.vmap(lambda rng, x: x + rng.uniform())(stateful_rng(123).split(3), jnp.zeros(3)).shape
          (3,)
        """
        return StatefulPRNG(self.key(num), new_ref(jnp.zeros(_shape(num), dtype=int)))

    def spawn(self, n_children: int) -> list[StatefulPRNG]:
        """A list of independent generators.

        Args:
          n_children: their number.
        """
        return [StatefulPRNG(key, new_ref(0)) for key in self.key(n_children)]

    def __repr__(self) -> str:
        return f"StatefulPRNG(_base_key={self._base_key!r}, _counter={self._counter!r})"


def stateful_rng(seed: Any = None, *, impl: Any = None) -> StatefulPRNG:
    """A generator of random numbers with a state.

    Args:
      seed: integer; by default one from the system.
      impl: name of the generator behind the keys.

    Raises:
      TypeError: there is no seed inside of a transformed function, or it is no integer.

    Example:
      >>> import fungrad
      >>> from fungrad.experimental.random import stateful_rng
      >>> rng = stateful_rng(42)
      >>> rng.uniform()
      Array(0.5302608, dtype=float32)
      >>> fungrad.jit(rng.uniform)()
      Array(0.72766423, dtype=float32)
    """
    if seed is None:
        if current_trace() is not EVAL:
            raise TypeError(
                "fungrad.experimental.random.stateful_rng: seed must be given inside of transformed functions"
            )
        entropy = np.random.SeedSequence().entropy
        seed = np.uint32(int(entropy) & 0xFFFFFFFF)  # type: ignore[arg-type]
    return StatefulPRNG(random.key(seed, impl=impl), new_ref(0))


__all__ = ["StatefulPRNG", "stateful_rng"]

publish(globals(), __name__, __all__)
