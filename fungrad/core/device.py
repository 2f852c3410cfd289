"""The devices, and the functions that move arrays between them, which here move nothing.

Programs written for accelerators call these; on the CPU they convert, note where the array is to be, and return.

May import ``locks``, ``config`` and, of ``core``, ``array``, ``context``, ``formats``, ``placement`` and ``tree``.
"""

from __future__ import annotations

import enum
import os
import re
from typing import Any

import numpy as np

from fungrad import locks
from fungrad.config import config
from fungrad.core import dtypes, tree
from fungrad.core.array import Array, DeletedArray
from fungrad.core.context import Tracer
from fungrad.core.formats import Format


class Client:
    """What runs programs on the devices: this process.

    Attributes:
      platform: always ``cpu``.
      platform_version: always empty.
      runtime_type: always ``native``.
    """

    platform: str = "cpu"
    platform_version: str = ""
    runtime_type: str = "native"

    def process_index(self) -> int:
        """Number of this process: 0."""
        return 0

    def devices(self) -> list[Device]:
        """The devices: the CPU."""
        return devices()

    local_devices = devices

    def device_count(self) -> int:
        """Number of devices."""
        return len(devices())

    local_device_count = device_count

    def __repr__(self) -> str:
        return "<client of the CPU>"


_CLIENT = Client()


MEMORY_KINDS = ("device", "pinned_host", "unpinned_host")
"""The kinds of memory that programs name; all are that of this process."""


class Space(enum.Enum):
    """The memories that programs move arrays between, all of which are that of this process.

    Example:
      >>> import fungrad, fungrad.numpy as jnp
      >>> fungrad.device_put(jnp.ones(2), fungrad.memory.Space.Host).sharding.memory_kind
      'pinned_host'
    """

    Device = enum.auto()
    Host = enum.auto()
    Any = enum.auto()

    def __repr__(self) -> str:
        return f"MemorySpace.{self.name}"


class Memory:
    """A memory of a device: that of this process, by one of its names.

    Attributes:
      kind: ``device``, ``pinned_host`` or ``unpinned_host``.
      platform: always ``cpu``.
      process_index: always 0.
    """

    platform: str = "cpu"
    process_index: int = 0

    def __init__(self, device: Device, kind: str = "device"):
        self._device = device
        self.kind = kind

    def addressable_by_devices(self) -> list[Device]:
        """The devices that read and write it."""
        return [self._device]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Memory) and other._device is self._device and other.kind == self.kind

    def __hash__(self) -> int:
        return hash((Memory, self._device.id, self.kind))

    def __repr__(self) -> str:
        return f"Memory(kind={self.kind!r}, device={self._device!r})"


class Device:
    """A device of this process: the CPU, or a part of it that stands for a device.

    Programs for several devices are tried out on several CPU devices (``config.update("jax_num_cpu_devices", 8)``).
    They share the memory and the threads of the process.

    Attributes:
      id: number of the device.
      platform: always ``cpu``.
      device_kind: always ``cpu``.
      process_index: always 0.
      host_id: always 0.
      local_hardware_id: always 0.
      client: what runs programs on it.
    """

    id: int = 0
    platform: str = "cpu"
    device_kind: str = "cpu"
    process_index: int = 0
    host_id: int = 0
    client: Client = _CLIENT

    def memory_stats(self) -> dict[str, int] | None:
        """Use of the device's memory: None, since it is that of the process."""
        return None

    def addressable_memories(self) -> list[Memory]:
        """The memories that it reads and writes: that of the process, by each of its names."""
        return [Memory(self, kind) for kind in MEMORY_KINDS]

    def default_memory(self) -> Memory:
        """The memory where its arrays are: that of the process."""
        return Memory(self)

    def memory(self, kind: str) -> Memory:
        """The memory of a kind: ``device``, ``pinned_host`` or ``unpinned_host``.

        Raises:
          ValueError: ``kind`` is another.
        """
        return Memory(self, checked_memory_kind(kind, "fungrad.Device.memory"))

    def __init__(self, id: int = 0):
        self.id = id

    @property
    def local_hardware_id(self) -> int:
        """Number of the device among those of the process."""
        return self.id

    def __repr__(self) -> str:
        return f"CpuDevice(id={self.id})"

    def __str__(self) -> str:
        return f"cpu:{self.id}"

    def __reduce__(self) -> tuple:
        return (_device, (self.id,))


def checked_memory_kind(kind: str | None, api: str) -> str:
    """A kind of memory; None stands for ``device``.

    Raises:
      ValueError: there is no such memory.
    """
    if kind is None:
        return MEMORY_KINDS[0]
    if kind not in MEMORY_KINDS:
        raise ValueError(
            f"{api}: Could not find memory addressable by device cpu. Device cpu can address the following memory "
            f"kinds: {', '.join(MEMORY_KINDS)}. Got memory kind: {kind}"
        )
    return kind


CPU = Device()
_devices = [CPU]
_making = locks.lock()


def _device(number: int) -> Device:
    with _making:
        while len(_devices) <= number:
            _devices.append(Device(len(_devices)))
    return _devices[number]


def _number_of_devices() -> int:
    """As configured, or as XLA's flag says, so that programs written for JAX find what they ask for."""
    if config.num_cpu_devices:
        return config.num_cpu_devices
    flag = re.search(r"--xla_force_host_platform_device_count=(\d+)", os.environ.get("XLA_FLAGS", ""))
    return int(flag[1]) if flag else 1


def _check_backend(backend: str | None, api: str) -> None:
    if backend not in (None, "cpu"):
        raise RuntimeError(f"fungrad.{api}: unknown backend {backend!r}; the only backend is 'cpu'")


def check_device(device: Any, api: str) -> None:
    """Raises unless ``device`` is None, a device, a sharding, a format or a memory space.

    Raises:
      ValueError: it is something else.
    """
    if (
        device is not None
        and not isinstance(device, (Device, Format, Space))
        and not hasattr(type(device), "device_set")
    ):
        # Asked of the class: the sharding of a traced value has no devices that it could name.
        raise ValueError(f"{api}: device must be None, a device of fungrad.devices() or a sharding, got {device!r}")


def devices(backend: str | None = None) -> list[Device]:
    """All devices: the CPU, as often as ``config.jax_num_cpu_devices`` says.

    Example:
      >>> import fungrad
      >>> fungrad.devices()
      [CpuDevice(id=0)]
    """
    _check_backend(backend, "devices")
    return [_device(i) for i in range(_number_of_devices())]


def local_devices(process_index: int | None = None, backend: str | None = None) -> list[Device]:
    """The devices of this process: the CPU."""
    return devices(backend)


def device_count(backend: str | None = None) -> int:
    """Number of devices: 1."""
    return len(devices(backend))


def local_device_count(backend: str | None = None) -> int:
    """Number of devices of this process: 1."""
    return len(devices(backend))


def process_index(backend: str | None = None) -> int:
    """Number of this process among those that compute together: 0."""
    _check_backend(backend, "process_index")
    return 0


def process_count(backend: str | None = None) -> int:
    """Number of processes that compute together: 1."""
    _check_backend(backend, "process_count")
    return 1


def default_backend() -> str:
    """Name of the platform: ``cpu``."""
    return CPU.platform


def device_get(x: Any) -> Any:
    """The leaves of a pytree as NumPy arrays (Python scalars, random keys and traced values stay).

    Example:
      >>> import fungrad
      >>> fungrad.device_get((fungrad.numpy.arange(2), 1.5))
      (array([0, 1], dtype=int32), 1.5)
    """

    def get(leaf: Any) -> Any:
        known = isinstance(leaf, (Array, np.ndarray)) and not isinstance(leaf, Tracer)
        return np.asarray(leaf) if known and not dtypes.is_key(leaf.dtype) else leaf

    return tree.map(get, x)


def block_until_ready(x: Any) -> Any:
    """Waits for the arrays of a pytree; computation is synchronous, so ``x`` is returned at once.

    Args:
      x: any tree.

    Raises:
      RuntimeError: an array has been deleted or donated.
    """
    for leaf in tree.leaves(x):
        if type(leaf) is DeletedArray:
            leaf._concrete("block_until_ready")
    return x


def copy_to_host_async(x: Any) -> Any:
    """The tree itself: arrays are in the host's memory. Leaves of other libraries are asked to come.

    Args:
      x: any tree.
    """
    for leaf in tree.leaves(x):
        start = None if isinstance(leaf, Array) else getattr(leaf, "copy_to_host_async", None)
        if start is not None:
            start()
    return x


def effects_barrier() -> None:
    """Waits for the effects of what has been called, such as prints: they have happened already."""


__all__ = [
    "CPU",
    "Device",
    "block_until_ready",
    "check_device",
    "default_backend",
    "device_count",
    "device_get",
    "devices",
    "effects_barrier",
    "local_device_count",
    "local_devices",
    "process_count",
    "process_index",
]
