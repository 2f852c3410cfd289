"""``pmap``: a function mapped over devices.

May import what is below ``fungrad`` itself.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Hashable, Sequence
from typing import Any

from fungrad.config import watch
from fungrad.core import tree
from fungrad.core.array import as_array
from fungrad.core.device import devices as all_devices
from fungrad.core.meshes import Mesh, PartitionSpec as P
from fungrad.core.placement import placed, unplaced
from fungrad.core.shardings import NamedSharding
from fungrad.core.source import boundary_of, function_name
from fungrad.jit.front.api import jit
from fungrad.ops.resharding import note_move
from fungrad.shards.following import check_same_devices, places_of
from fungrad.transforms.api import check_callable
from fungrad.transforms.mapping import vmap


def pmap(
    fun: Callable[..., Any],
    axis_name: Hashable | None = None,
    *,
    in_axes: Any = 0,
    out_axes: Any = 0,
    static_broadcasted_argnums: int | Sequence[int] = (),
    devices: Sequence[Any] | None = None,
    backend: str | None = None,
    axis_size: int | None = None,
    donate_argnums: int | Sequence[int] = (),
    global_arg_shapes: Any = None,
) -> Any:
    """Maps a function over the devices: compiled, with one example per device.

    Args:
      fun: function of one example.
      axis_name: name by which collectives refer to the axis.
      in_axes: as in ``vmap``.
      out_axes: as in ``vmap``.
      static_broadcasted_argnums: positions of arguments that are Python values.
      devices: the devices; all by default.
      backend: None or ``cpu``.
      axis_size: number of examples.
      donate_argnums: positions of arguments whose memory the results may take.
      global_arg_shapes: ignored.

    Raises:
      ValueError: there are more examples than devices.

    Example:
      >>> import fungrad, fungrad.numpy as jnp
      >>> fungrad.pmap(lambda x: x + 1)(jnp.arange(1))
      Array([1], dtype=int32)
    """
    check_callable(fun, "pmap")
    static = (
        (static_broadcasted_argnums,) if isinstance(static_broadcasted_argnums, int) else static_broadcasted_argnums
    )
    name = "_internal_pmap_axis_name" if axis_name is None else axis_name

    def whole(*args: Any, **kwargs: Any) -> Any:
        fixed = {i % len(args): args[i] for i in static} if args else {}
        rest = [a for i, a in enumerate(args) if i not in fixed]
        axes = in_axes
        if isinstance(axes, (tuple, list)):
            axes = tuple([a for i, a in enumerate(axes) if i not in fixed])

        def one(*given: Any, **keywords: Any) -> Any:
            values = iter(given)
            return fun(*[fixed[i] if i in fixed else next(values) for i in range(len(args))], **keywords)

        return vmap(functools.wraps(fun)(one), axes, out_axes, axis_name=name, axis_size=axis_size)(*rest, **kwargs)

    compiled = jit(functools.wraps(fun)(whole), static_argnums=tuple(static), donate_argnums=donate_argnums)

    @functools.wraps(fun)
    @boundary_of("fungrad.pmap")
    def pmapped(*args: Any, **kwargs: Any) -> Any:
        for i in static:
            if not -len(args) <= i < len(args):
                raise ValueError(
                    f"fungrad.pmap: static_broadcasted_argnums={tuple(static)} but {function_name(fun)} was called "
                    f"with {len(args)} positional argument(s); static arguments must be given by position"
                )
        available = list(all_devices(backend) if devices is None else devices)
        size = _mapped_size(args, kwargs, in_axes, static, axis_size)
        if size is not None and size > len(available):
            raise ValueError(
                f"fungrad.pmap: compiling computation of {function_name(fun)} that requires {size} logical devices, "
                f"but only {len(available)} are available; map {len(available)} examples, use vmap, or "
                f'fungrad.config.update("jax_num_cpu_devices", {size})'
            )
        mesh = Mesh(available[:size], (name,)) if size else None
        if watch.transfers and mesh is not None:
            mapped = [a for i, a in enumerate(args) if i not in {k % len(args) for k in static}]
            for x in tree.leaves((mapped, kwargs)):
                note_move(x, NamedSharding(mesh, P(name)))
        if watch.placed and mesh is not None:
            places = [*places_of(tree.leaves((args, kwargs))), NamedSharding(mesh, P())]
            check_same_devices(
                places, lambda i: f"argument {i} of" if i < len(places) - 1 else f"pmap of {function_name(fun)}"
            )
            args, kwargs = tree.map(unplaced, (args, kwargs))
        result = compiled(*args, **kwargs)
        if mesh is None:
            return result
        flat = tree.broadcast_prefix(
            out_axes, result, is_leaf=lambda a: a is None, api="fungrad.pmap", prefix_name="out_axes"
        )
        leaves, structure = tree.flatten(result)
        specs = [P() if a is None else P(*[None] * (a % x.aval.ndim), name) for a, x in zip(flat, leaves, strict=True)]
        return tree.unflatten(
            structure, [placed(x, NamedSharding(mesh, s)) for x, s in zip(leaves, specs, strict=True)]
        )

    pmapped.lower = compiled.lower  # type: ignore[attr-defined]
    pmapped.trace = compiled.trace  # type: ignore[attr-defined]
    return pmapped


def _mapped_size(args: tuple, kwargs: dict, in_axes: Any, static: Sequence[int], axis_size: int | None) -> int | None:
    """The number of examples, as far as it can be told before the call."""
    if axis_size is not None:
        return axis_size
    for x in tree.leaves(kwargs):
        return int(as_array(x).aval.shape[0]) if as_array(x).aval.ndim else None
    skip = {i % len(args) for i in static} if args else set()
    for i, arg in enumerate(args):
        if i in skip:
            continue
        axes = in_axes[i] if isinstance(in_axes, (tuple, list)) and i < len(in_axes) else in_axes
        leaves = tree.leaves(arg)
        try:
            flat = tree.broadcast_prefix(
                axes, arg, is_leaf=lambda a: a is None, api="fungrad.pmap", prefix_name="in_axes"
            )
        except ValueError:
            return None  # vmap says what is wrong
        for x, a in zip(leaves, flat, strict=True):
            if isinstance(a, int) and -as_array(x).aval.ndim <= a < as_array(x).aval.ndim:
                return int(as_array(x).aval.shape[a])
    return None
