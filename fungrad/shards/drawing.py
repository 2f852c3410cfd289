"""Pictures of which device holds which part of an array, in characters.

May import what is below ``fungrad`` itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from fungrad.core.array import Array, as_array
from fungrad.core.context import Tracer
from fungrad.core.shardings import Sharding
from fungrad.shards.arrays import sharding_of


def visualize_sharding(
    shape: Sequence[int],
    sharding: Sharding,
    *,
    use_color: bool = True,
    scale: float = 1.0,
    min_width: int = 9,
    max_width: int = 80,
    color_map: Any = None,
) -> None:
    """Prints which device holds which part of an array with one or two dimensions.

    Args:
      shape: shape of the array.
      sharding: its sharding.
      use_color: ignored.
      scale: ignored.
      min_width: least width of a part, in characters.
      max_width: ignored.
      color_map: ignored.

    Raises:
      ValueError: the array has no or more than two dimensions.

    Example:
      >>> import fungrad
      >>> mesh = fungrad.make_mesh((1,), ("x",))
      >>> fungrad.debug.visualize_sharding((4, 2), fungrad.NamedSharding(mesh, fungrad.P("x")))
      ┌───────┐
      │ CPU 0 │
      └───────┘
    """
    if len(shape) not in (1, 2):
        raise ValueError(
            f"fungrad.debug.visualize_sharding: can only visualize arrays with one or two dimensions, got {len(shape)}"
        )
    parts: dict[tuple[int, int], list[int]] = {}
    for device, index in sharding.devices_indices_map(tuple(shape)).items():  # type: ignore[attr-defined]
        starts = [s.start or 0 for s in index]
        where = (0, starts[0]) if len(starts) == 1 else (starts[0], starts[1])
        parts.setdefault(where, []).append(device.id)
    rows = sorted({r for r, _ in parts})
    columns = sorted({c for _, c in parts})
    texts = {where: "CPU " + ",".join(map(str, sorted(ids))) for where, ids in parts.items()}
    width = max([len(t) for t in texts.values()] + [min_width - 4]) + 2
    line = "─" * width
    print("┌" + "┬".join([line] * len(columns)) + "┐")
    for n, r in enumerate(rows):
        if n:
            print("├" + "┼".join([line] * len(columns)) + "┤")
        print("│" + "│".join([texts[r, c].center(width) for c in columns]) + "│")
    print("└" + "┴".join([line] * len(columns)) + "┘")


def visualize_array_sharding(arr: Any, **options: Any) -> None:
    """Prints which device holds which part of an array.

    Args:
      arr: a concrete array with one or two dimensions.
      **options: those of ``visualize_sharding``.

    Example:
      >>> import fungrad, fungrad.numpy as jnp
      >>> fungrad.debug.visualize_array_sharding(jnp.ones(3))
      ┌───────┐
      │ CPU 0 │
      └───────┘
    """
    x = as_array(arr, "fungrad.debug.visualize_array_sharding: arr")
    x._concrete("visualize_array_sharding")
    visualize_sharding(x.shape, sharding_of(x), **options)


def inspect_array_sharding(value: Any, *, callback: Callable[[Sharding], None]) -> None:
    """Calls a function with the sharding of an array; in traced functions with that of the default device.

    Args:
      value: an array.
      callback: function of a sharding.

    Example:
      >>> import fungrad, fungrad.numpy as jnp
      >>> fungrad.debug.inspect_array_sharding(jnp.ones(2), callback=print)
      SingleDeviceSharding(device=CpuDevice(id=0), memory_kind=device)
    """
    x: Array = as_array(value, "fungrad.debug.inspect_array_sharding: value")
    callback(sharding_of(x) if not isinstance(x, Tracer) else sharding_of(as_array(0)))
