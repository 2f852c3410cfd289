"""Sharded arrays: their attributes, and functions that make them of parts.

May import what is below ``fungrad`` itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from fungrad.core import shardings, tree
from fungrad.core.arguments import shown
from fungrad.core.array import Array, as_array
from fungrad.core.device import Device
from fungrad.core.placement import placed, placement
from fungrad.core.shardings import DEFAULT, NamedSharding, Sharding, SingleDeviceSharding
from fungrad.core.transfers import unseen


class Shard:
    """The part of an array on one device.

    Attributes:
      device: the device.
      index: where the part is in the array: a tuple of slices.
      replica_id: number of the part among equal ones on other devices.
      data: the part, an array.
    """

    def __init__(
        self, device: Device, index: tuple[slice, ...], replica_id: int, whole: Array, zeros: bool = False
    ):
        self.device, self.index, self.replica_id = device, index, replica_id
        self._whole, self._zeros = whole, zeros

    @property
    def data(self) -> Array:
        """The part, as an array on its device."""
        part = self._whole._concrete("Shard.data")[self.index]
        if self._zeros:
            part = np.zeros_like(part)
        with unseen():
            return placed(as_array(np.asarray(part, order="C")), SingleDeviceSharding(self.device))

    def __repr__(self) -> str:
        return f"Shard(device={self.device!r}, index={self.index}, replica_id={self.replica_id}, data={self.data})"


def sharding_of(x: Array) -> Sharding:
    """Which device holds which part of a concrete array."""
    found = placement(x)
    if isinstance(found, Device):
        return SingleDeviceSharding(found)
    if found is None and x.aval.placement is not None:
        return shardings.placed_type(x.aval.placement)
    return DEFAULT if found is None else found


def shards_of(x: Array) -> list[Shard]:
    """The parts of an array, one per device. Of an array that is unreduced the sum is one of the summands, and the
    others are zeros."""
    seen: dict[Any, int] = {}
    out = []
    sharding: Any = sharding_of(x)
    summed = isinstance(sharding, NamedSharding) and sharding.spec.unreduced
    holders = sharding.holders() if summed else ()
    for device, index in sharding.devices_indices_map(x.shape).items():
        key = tuple([(s.start, s.stop) for s in index])
        out.append(Shard(device, index, seen.setdefault(key, 0), x, bool(summed) and device not in holders))
        seen[key] += 1
    return out


# -- making sharded arrays --------------------------------------------------------------------------------------------


def _check_sharding(sharding: Any, shape: Sequence[int], api: str) -> Any:
    """A sharding that arrays of a shape can have, from one, a device, or a specification over the mesh that is set."""
    if isinstance(sharding, Device):
        sharding = SingleDeviceSharding(sharding)
    elif isinstance(sharding, shardings.PartitionSpec):
        sharding = shardings.named(sharding, api)
    if not isinstance(sharding, Sharding):
        raise TypeError(
            f"fungrad.{api}: sharding must be a Sharding, got {shown(sharding)}"
        )
    if isinstance(sharding, NamedSharding):
        sharding.check_shape(shape, f"fungrad.{api}")
    return sharding


def make_array_from_callback(
    shape: Sequence[int], sharding: Sharding, data_callback: Callable[[Any], Any], dtype: Any = None
) -> Array:
    """An array made of parts that a function gives.

    Args:
      shape: shape of the whole array.
      sharding: which device holds which part: a sharding, a device, or a ``PartitionSpec`` over the mesh that has been
        set.
      data_callback: function of the index of a part, a tuple of slices, that returns the part.
      dtype: dtype of the array; that of the parts by default.

    Raises:
      ValueError: a part has the wrong shape.

    Example:
      >>> import fungrad, numpy as np
      >>> sharding = fungrad.NamedSharding(fungrad.make_mesh((1,), ("x",)), fungrad.P("x"))
      >>> whole = np.arange(4, dtype=np.int32)
      >>> fungrad.make_array_from_callback((4,), sharding, lambda index: whole[index])
      Array([0, 1, 2, 3], dtype=int32)
    """
    shape = tuple(shape)
    api = "make_array_from_callback"
    sharding = _check_sharding(sharding, shape, api)
    indices = sharding.devices_indices_map(shape)  # type: ignore[attr-defined]
    return _assembled(shape, [(d, i, data_callback(i)) for d, i in indices.items()], sharding, dtype, api)


def make_array_from_single_device_arrays(
    shape: Sequence[int], sharding: Sharding, arrays: Sequence[Any], *, dtype: Any = None
) -> Array:
    """An array made of the parts on the devices.

    Args:
      shape: shape of the whole array.
      sharding: which device holds which part: a sharding, a device, or a ``PartitionSpec`` over the mesh that has been
        set.
      arrays: the parts, in the order of the devices; a part that has been put on a device stands for that one.
      dtype: dtype of the array; that of the parts by default.

    Raises:
      ValueError: there is not one part per device, or a part has the wrong shape.

    Example:
      >>> import fungrad, fungrad.numpy as jnp
      >>> sharding = fungrad.NamedSharding(fungrad.make_mesh((1,), ("x",)), fungrad.P("x"))
      >>> fungrad.make_array_from_single_device_arrays((2,), sharding, [jnp.ones(2)])
      Array([1., 1.], dtype=float32)
    """
    shape = tuple(shape)
    api = "make_array_from_single_device_arrays"
    sharding = _check_sharding(sharding, shape, api)
    indices = sharding.devices_indices_map(shape)  # type: ignore[attr-defined]
    if len(arrays) != len(indices):
        raise ValueError(
            f"fungrad.{api}: arrays must have one array per device of the sharding ({len(indices)}), got {len(arrays)}"
        )
    devices = [next(iter(sharding_of(as_array(a)).device_set)) for a in arrays]
    order = devices if set(devices) == set(indices) else list(indices)
    parts = [(d, indices[d], a) for d, a in zip(order, arrays, strict=True)]
    return _assembled(shape, parts, sharding, dtype, api)


def make_array_from_process_local_data(
    sharding: Sharding, local_data: Any, global_shape: Sequence[int] | None = None
) -> Array:
    """An array made of what each process has; one process has everything.

    Args:
      sharding: which device holds which part: a sharding, a device, or a ``PartitionSpec`` over the mesh that has been
        set.
      local_data: the data of this process, or a tree of them.
      global_shape: shape of the whole array.

    Raises:
      ValueError: ``global_shape`` is another than that of the data.

    Example:
      >>> import fungrad, numpy as np
      >>> sharding = fungrad.NamedSharding(fungrad.make_mesh((1,), ("x",)), fungrad.P("x"))
      >>> fungrad.make_array_from_process_local_data(sharding, np.ones(2, np.float32)).shape
      (2,)
    """

    def one(data: Any) -> Array:
        x = as_array(data, "fungrad.make_array_from_process_local_data: local_data")
        if global_shape is not None and tuple(global_shape) != x.shape:
            raise ValueError(
                f"fungrad.make_array_from_process_local_data: global_shape is {tuple(global_shape)}, but this process, "
                f"the only one, has data of shape {x.shape}"
            )
        return placed(x, _check_sharding(sharding, x.shape, "make_array_from_process_local_data"))

    return tree.map(one, local_data)  # type: ignore[no-any-return]


def _assembled(shape: tuple[int, ...], parts: Sequence[Any], sharding: Sharding, dtype: Any, api: str) -> Array:
    """The array of parts on devices at their indices; what is unreduced is the sum of what devices hold."""
    arrays = [(device, index, as_array(part, f"fungrad.{api}: a part")) for device, index, part in parts]
    if dtype is None:
        if not arrays:
            raise ValueError(f"fungrad.{api}: there are no devices, so dtype must be given")
        dtype = arrays[0][2].dtype
    summed = isinstance(sharding, NamedSharding) and sharding.spec.unreduced
    holders = sharding.holders(all_summands=True) if isinstance(sharding, NamedSharding) and summed else ()
    whole = np.zeros(shape, dtype) if summed else np.empty(shape, dtype)
    for device, index, part in arrays:
        if whole[index].shape != part.shape:
            raise ValueError(
                f"fungrad.{api}: the part at {index} must have shape {whole[index].shape}, got {part.shape}"
            )
        if not summed:
            whole[index] = part._concrete(api)
        elif device in holders:
            whole[index] += part._concrete(api)
    with unseen():
        return placed(as_array(whole), sharding)


class Layout(NamedTuple):
    """Order of dimensions in memory, from the slowest to the fastest."""

    major_to_minor: tuple[int, ...]
