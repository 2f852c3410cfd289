"""Where arrays live: shardings, which say for each device what part of an array it holds.

May import ``core``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fungrad.core.device import CPU, Device
from fungrad.core.public_names import publish as _publish


class Sharding:
    """Base class of what says which device holds which part of an array.

    Attributes:
      device_set: the devices that hold part of the array.
      memory_kind: kind of memory that holds it: ``device``.
      is_fully_replicated: whether each device holds the whole array.
      is_fully_addressable: whether this process has all the devices.
    """

    __slots__ = ()

    @property
    def device_set(self) -> set[Device]:
        """The devices that hold part of the array."""
        raise NotImplementedError(f"{type(self).__name__} does not say which devices it is about")

    @property
    def memory_kind(self) -> str:
        """Kind of memory: ``device``."""
        return "device"

    @property
    def is_fully_replicated(self) -> bool:
        """Whether each device holds the whole array."""
        raise NotImplementedError(f"{type(self).__name__} does not say how it divides arrays")

    @property
    def is_fully_addressable(self) -> bool:
        """Whether all devices belong to this process: they do."""
        return True

    def shard_shape(self, global_shape: Sequence[int]) -> tuple[int, ...]:
        """Shape of the part that each device holds of an array of shape ``global_shape``."""
        raise NotImplementedError(f"{type(self).__name__} does not say how it divides arrays")


class SingleDeviceSharding(Sharding):
    """The whole array on one device.

    Args:
      device: the device.
      memory_kind: must be None or ``device``.

    Raises:
      TypeError: ``device`` is no device.

    Example:
      >>> import fungrad
      >>> fungrad.sharding.SingleDeviceSharding(fungrad.devices()[0])
      SingleDeviceSharding(device=CpuDevice(id=0), memory_kind=device)
    """

    __slots__ = ("_device",)

    def __init__(self, device: Device, *, memory_kind: str | None = None) -> None:
        if not isinstance(device, Device):
            raise TypeError(f"fungrad.sharding.SingleDeviceSharding: device must be a device, got {device!r}")
        if memory_kind not in (None, "device"):
            raise ValueError(
                f"fungrad.sharding.SingleDeviceSharding: memory_kind must be None or 'device', got {memory_kind!r}"
            )
        self._device = device

    @property
    def device_set(self) -> set[Device]:
        """The one device."""
        return {self._device}

    @property
    def is_fully_replicated(self) -> bool:
        """Whether each device holds the whole array: it does."""
        return True

    def shard_shape(self, global_shape: Sequence[int]) -> tuple[int, ...]:
        """The shape itself."""
        return tuple(global_shape)

    def devices_indices_map(self, global_shape: Sequence[int]) -> dict[Device, tuple[slice, ...]]:
        """For each device the index of its part of an array: for the one, everything."""
        return {self._device: (slice(None),) * len(global_shape)}

    addressable_devices_indices_map = devices_indices_map

    def is_equivalent_to(self, other: Any, ndim: int) -> bool:
        """Whether ``other`` puts arrays with ``ndim`` dimensions in the same place."""
        return self == other

    def __eq__(self, other: object) -> bool:
        return type(other) is SingleDeviceSharding and other._device == self._device

    def __hash__(self) -> int:
        return hash((SingleDeviceSharding, self._device))

    def __repr__(self) -> str:
        return f"SingleDeviceSharding(device={self._device!r}, memory_kind=device)"


# Where arrays are unless they say otherwise.
DEFAULT = SingleDeviceSharding(CPU)


__all__ = ["Sharding", "SingleDeviceSharding"]

_publish(globals(), __name__, __all__)
