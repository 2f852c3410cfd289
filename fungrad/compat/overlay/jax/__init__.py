"""``jax``: its version, and the oddities of the top level."""

import functools
from collections.abc import Callable
from typing import Any

import fungrad
from fungrad.compat.proxies import VERSION
from fungrad.compat.rows import Row, adapter, alias, inert, refused


def _pmap(fun: Callable, axis_name: Any = None, *, in_axes: Any = 0, out_axes: Any = 0, **options: Any) -> Callable:
    """``vmap`` over an axis of size 1, the number of devices.

    Raises:
      ValueError: when called with a leading axis of another size.
    """
    mapped = fungrad.vmap(fun, in_axes=in_axes, out_axes=out_axes, axis_name=axis_name)

    @functools.wraps(fun)
    def call(*args: Any, **kwargs: Any) -> Any:
        for x in fungrad.tree_util.tree_leaves((args if in_axes == 0 else (), kwargs)):
            if getattr(x, "ndim", 0) and x.shape[0] > 1:
                raise ValueError(f"pmap: the mapped axis has size {x.shape[0]}, but there is one device")
        return mapped(*args, **kwargs)

    return call


class _Ref:
    """The class of references, of which there are none."""


NAMES: dict[str, Row] = {
    "__version__": adapter(VERSION),
    "__version_info__": adapter(tuple(int(part) for part in VERSION.split("."))),
    "core": alias("jax.core"),
    "version": alias("jax.version"),
    "interpreters": alias("jax.interpreters"),
    "_src": alias("jax._src"),
}

UNTIL_NATIVE: dict[str, Row] = {
    "NamedSharding": alias("jax.sharding:NamedSharding"),
    "P": alias("jax.sharding:PartitionSpec"),
    "Ref": inert(_Ref, "flax"),
    "new_ref": refused("jax.new_ref", "there are no references", "flax"),
    "pmap": adapter(_pmap, "blackjax chex equinox flax numpyro"),
    "shard_map": refused("jax.shard_map", "there is one device", "blackjax optax"),
}
