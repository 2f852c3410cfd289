"""Rules for ``vmap`` written by users, under JAX's module name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from fungrad.control.map import map as lax_map
from fungrad.core import tree
from fungrad.core.public_names import publish
from fungrad.transforms.custom_vmap import custom_vmap


def sequential_vmap(f: Callable[..., Any]) -> custom_vmap:
    """A function that runs example by example, in a loop, where it is mapped.

    For functions that do not take batches, and for effects in order.

    Args:
      f: the function of one example. Works as a decorator.

    Example:
      >>> import fungrad, fungrad.numpy as jnp
      >>> @fungrad.custom_batching.sequential_vmap
      ... def f(x):
      ...   fungrad.debug.print("{}", x)
      ...   return x + 1
      >>> fungrad.vmap(f)(jnp.arange(3))
      0
      1
      2
      Array([1, 2, 3], dtype=int32)
    """
    mapped = custom_vmap(f)

    def rule(axis_size: int, in_batched: Sequence[Any], *args: Any) -> tuple[Any, Any]:
        leaves, structure = tree.flatten(args)
        flags = tree.leaves(tuple(in_batched))
        batches = [x for x, on in zip(leaves, flags, strict=True) if on]

        def one(examples: Sequence[Any]) -> Any:
            given = iter(examples)
            values = [next(given) if on else x for x, on in zip(leaves, flags, strict=True)]
            return mapped(*tree.unflatten(structure, values))

        out = lax_map(one, batches)
        return out, tree.map(lambda _: True, out)

    mapped.def_vmap(rule)
    return mapped


__all__ = ["custom_vmap", "sequential_vmap"]

publish(globals(), __name__, __all__, early=("sequential_vmap",))
