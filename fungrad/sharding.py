"""Where arrays live: shardings, which say for each device what part of an array it holds.

All devices belong to this process and share its memory, so that an array is one piece however it is sharded: a
sharding is checked against shapes and kept with the array, and functions of shards (``shard_map``, ``pmap``) run as
maps over the axes of a mesh.  Programs for several devices are so developed and tested on one.

May import ``core``.
"""

from __future__ import annotations

import contextlib
import enum
import math
import threading
from collections import OrderedDict
from collections.abc import Hashable, Iterator, Sequence
from typing import Any

import numpy as np

from fungrad.core.arguments import index as as_index
from fungrad.core.device import CPU, Device, devices
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

    @property
    def _device_assignment(self) -> tuple[Device, ...]:
        """The devices in the order of their parts; JAX's libraries for checkpoints ask for it."""
        return tuple(sorted(self.device_set, key=lambda d: d.id))

    @property
    def _addressable_device_assignment(self) -> tuple[Device, ...]:
        return self._device_assignment

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


def make_single_device_sharding(device: Device, *, memory_kind: str | None = None) -> SingleDeviceSharding:
    """The sharding of arrays that are on one device."""
    return SingleDeviceSharding(device, memory_kind=memory_kind)


# -- specifications ---------------------------------------------------------------------------------------------------


class _Unconstrained(enum.Enum):
    UNCONSTRAINED = 0

    def __repr__(self) -> str:
        return "UNCONSTRAINED"

    __str__ = __repr__


class PartitionSpec:
    """For each dimension of an array the mesh axes along which it is divided.

    Args:
      *partitions: per dimension None, the name of a mesh axis, or a tuple of names. Dimensions that are left out are
        not divided.

    Example:
      >>> import fungrad
      >>> fungrad.P("x", None, ("y", "z"))
      P('x', None, ('y', 'z'))
    """

    __slots__ = ("_partitions",)
    UNCONSTRAINED = _Unconstrained.UNCONSTRAINED

    def __init__(self, *partitions: Any, unreduced: Any = frozenset(), reduced: Any = frozenset()):
        if unreduced or reduced:
            raise NotImplementedError("fungrad.P: unreduced and reduced values are not supported; reduce with lax.psum")
        out: list[Any] = []
        for each in partitions:
            if isinstance(each, (list, tuple)):
                names = tuple(each)
                out.append(None if not names else names[0] if len(names) == 1 else names)
            else:
                out.append(each)
        self._partitions = tuple(out)

    def __len__(self) -> int:
        return len(self._partitions)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._partitions)

    def __getitem__(self, position: Any) -> Any:
        return self._partitions[position]

    def __add__(self, other: Any) -> PartitionSpec:
        return PartitionSpec(*self._partitions, *other)

    def index(self, value: Any) -> int:
        """The dimension whose entry is ``value``."""
        return self._partitions.index(value)

    def count(self, value: Any) -> int:
        """How many dimensions have the entry ``value``."""
        return self._partitions.count(value)

    def update(self, partitions: Any) -> PartitionSpec:
        """A specification with other entries."""
        return PartitionSpec(*partitions)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, (PartitionSpec, tuple)):
            return NotImplemented
        return self._partitions == tuple(other)

    def __hash__(self) -> int:
        return hash(self._partitions)

    def __reduce__(self) -> tuple:
        return (PartitionSpec, self._partitions)

    def __repr__(self) -> str:
        entries = ", ".join(map(repr, self._partitions))
        return f"P({entries}{',' if len(self) == 1 else ''})"

    def names(self, position: int) -> tuple[Any, ...]:
        """Mesh axes that divide the dimension ``position``."""
        entry = self._partitions[position] if position < len(self) else None
        if entry is None or entry is PartitionSpec.UNCONSTRAINED:
            return ()
        return entry if isinstance(entry, tuple) else (entry,)

    def all_names(self) -> list[Any]:
        """All mesh axes in it."""
        return [n for i in range(len(self)) for n in self.names(i)]


class AxisType(enum.Enum):
    """Kinds of mesh axes in JAX, by who decides how arrays are divided. Here all behave alike: the program decides."""

    Auto = enum.auto()
    Explicit = enum.auto()
    Manual = enum.auto()

    def __repr__(self) -> str:
        return self.name


class ManualAxisType:
    """How a value differs between the members of mapped mesh axes.

    Attributes:
      varying: names of the axes along which it differs.
    """

    __slots__ = ("varying",)

    def __init__(self, varying: Any = frozenset()):
        self.varying = frozenset(varying)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ManualAxisType) and other.varying == self.varying

    def __hash__(self) -> int:
        return hash(self.varying)

    def __repr__(self) -> str:
        return f"ManualAxisType(varying={set(self.varying) or '{}'})"


# -- meshes -----------------------------------------------------------------------------------------------------------


class DuplicateSpecError(ValueError):
    """A mesh axis divides two dimensions."""


class IndivisibleError(ValueError):
    """A dimension cannot be divided into parts of one size."""


def _axis_types(types: Any, count: int, default: AxisType, api: str) -> tuple[AxisType, ...]:
    if types is None:
        return (default,) * count
    if isinstance(types, AxisType):
        types = (types,)
    if len(types) != count or not all(isinstance(t, AxisType) for t in types):
        raise ValueError(f"fungrad.sharding.{api}: axis_types must be one AxisType per axis ({count}), got {types!r}")
    return tuple(types)


class _BaseMesh:
    axis_names: tuple[Any, ...]
    axis_types: tuple[AxisType, ...]
    axis_sizes: tuple[int, ...]

    @property
    def shape(self) -> OrderedDict:
        """Size by name of the axis."""
        return OrderedDict(zip(self.axis_names, self.axis_sizes, strict=True))

    @property
    def shape_tuple(self) -> tuple:
        """Pairs of name and size."""
        return tuple(zip(self.axis_names, self.axis_sizes, strict=True))

    @property
    def size(self) -> int:
        """Number of devices."""
        return math.prod(self.axis_sizes) if self.axis_names else 0

    @property
    def empty(self) -> bool:
        """Whether it has no axes."""
        return not self.axis_names

    @property
    def auto_axes(self) -> tuple:
        """Names of the axes of type ``Auto``."""
        return self._of(AxisType.Auto)

    @property
    def explicit_axes(self) -> tuple:
        """Names of the axes of type ``Explicit``."""
        return self._of(AxisType.Explicit)

    @property
    def manual_axes(self) -> tuple:
        """Names of the axes of type ``Manual``."""
        return self._of(AxisType.Manual)

    def _of(self, kind: AxisType) -> tuple:
        return tuple([n for n, t in zip(self.axis_names, self.axis_types, strict=True) if t is kind])

    def _text(self) -> str:
        axes = ", ".join(f"{n!r}: {s}" for n, s in self.shape_tuple)
        return f"{axes}, axis_types={self.axis_types}"


class AbstractMesh(_BaseMesh):
    """A mesh without devices.

    Args:
      axis_sizes: sizes of the axes.
      axis_names: their names.
      axis_types: their types.
    """

    def __init__(self, axis_sizes: Sequence[int], axis_names: Sequence[Hashable], axis_types: Any = None):
        self.axis_sizes = tuple(axis_sizes)
        self.axis_names = tuple(axis_names)
        if len(self.axis_sizes) != len(self.axis_names):
            raise ValueError(
                f"fungrad.sharding.AbstractMesh: axis_sizes and axis_names must have one length, got {axis_sizes} and "
                f"{axis_names}"
            )
        self.axis_types = _axis_types(axis_types, len(self.axis_names), AxisType.Auto, "AbstractMesh")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AbstractMesh) and (self.shape_tuple, self.axis_types) == (
            other.shape_tuple,
            other.axis_types,
        )

    def __hash__(self) -> int:
        return hash((self.shape_tuple, self.axis_types))

    def __repr__(self) -> str:
        return f"AbstractMesh({self._text()})"


class AbstractDevice:
    """A kind of device.

    Attributes:
      device_kind: its name.
    """

    def __init__(self, device_kind: str = "cpu", num_cores: int | None = None):
        self.device_kind, self.num_cores = device_kind, num_cores


class Mesh(_BaseMesh):
    """Devices in an array whose axes have names.

    Used as a context manager it is the mesh to which specifications without one refer.

    Args:
      devices: array or list of devices.
      axis_names: a name for each dimension of it.
      axis_types: kinds of the axes, kept and printed.

    Attributes:
      devices: NumPy array of devices.
      axis_names: names of the axes.

    Raises:
      ValueError: there are not as many names as dimensions, or a name is used twice.

    Example:
      >>> import fungrad, numpy as np
      >>> fungrad.sharding.Mesh(np.array(fungrad.devices()[:1]), ("data",))
      Mesh(axis_sizes=(1,), axis_names=('data',), axis_types=(Auto,))
    """

    def __init__(self, devices: Any, axis_names: Any, axis_types: Any = None):
        array = np.array(devices, dtype=object)
        names = (axis_names,) if isinstance(axis_names, str) else tuple(axis_names)
        if array.ndim != len(names):
            raise ValueError(
                "fungrad.sharding.Mesh: Mesh requires the ndim of its first argument (`devices`) to equal the length "
                f"of its second argument (`axis_names`), but got devices.ndim == {array.ndim} and len(axis_names) == "
                f"{len(names)}"
            )
        if len(set(names)) != len(names):
            raise ValueError(f"fungrad.sharding.Mesh: axis_names must differ from each other, got {names}")
        if not all(isinstance(d, Device) for d in array.flat):
            raise TypeError(
                "fungrad.sharding.Mesh: devices must be an array of devices, as fungrad.devices() gives them"
            )
        array.flags.writeable = False
        self.devices = array
        self.axis_names = names
        self.axis_sizes = array.shape
        self.axis_types = _axis_types(axis_types, len(names), AxisType.Auto, "Mesh")

    @property
    def device_ids(self) -> np.ndarray:
        """Numbers of the devices."""
        return np.vectorize(lambda d: d.id, otypes=[int])(self.devices)

    @property
    def abstract_mesh(self) -> AbstractMesh:
        """The mesh without its devices."""
        return AbstractMesh(self.axis_sizes, self.axis_names, self.axis_types)

    @property
    def local_mesh(self) -> Mesh:
        """The part of this process: all of it."""
        return self

    @property
    def local_devices(self) -> list[Device]:
        """The devices of this process: all."""
        return list(self.devices.flat)

    @property
    def is_multi_process(self) -> bool:
        """Whether other processes have part of it: no."""
        return False

    def __enter__(self) -> Mesh:
        _current.stack.append(self)
        return self

    def __exit__(self, *error: Any) -> None:
        _current.stack.pop()

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Mesh)
            and (self.axis_names, self.axis_sizes, self.axis_types)
            == (other.axis_names, other.axis_sizes, other.axis_types)
            and list(self.devices.flat) == list(other.devices.flat)
        )

    def __hash__(self) -> int:
        return hash((self.axis_names, self.axis_sizes, self.axis_types, tuple(self.devices.flat)))

    def __reduce__(self) -> tuple:
        return (Mesh, (np.array(self.devices), self.axis_names, self.axis_types))

    def __str__(self) -> str:
        return f"Mesh({self._text()})"

    def __repr__(self) -> str:
        return f"Mesh(axis_sizes={tuple(self.axis_sizes)}, axis_names={self.axis_names}, axis_types={self.axis_types})"


class _Current(threading.local):
    def __init__(self) -> None:
        self.stack: list[Any] = []


_current = _Current()
_EMPTY = Mesh(np.empty((0,), dtype=object), ("none",))
_EMPTY.axis_names, _EMPTY.axis_sizes, _EMPTY.axis_types = (), (), ()


class set_mesh:  # noqa: N801 - JAX's name
    """Sets the mesh to which specifications without one refer, until the end of a ``with`` block if used in one.

    Args:
      mesh: the mesh.

    Example:
      >>> import fungrad
      >>> with fungrad.set_mesh(fungrad.make_mesh((1,), ("x",))):
      ...   print(fungrad.sharding.get_mesh().axis_names)
      ('x',)
    """

    def __init__(self, mesh: Mesh):
        if not isinstance(mesh, Mesh):
            raise ValueError(f"fungrad.set_mesh: mesh must be a Mesh, got {mesh!r} of type {type(mesh).__name__}")
        self._before = list(_current.stack)
        _current.stack.append(mesh)
        self.mesh = mesh

    def __enter__(self) -> Mesh:
        return self.mesh

    def __exit__(self, *error: Any) -> None:
        _current.stack[:] = self._before


def get_mesh() -> Mesh:
    """The mesh that has been set, or one without axes."""
    for mesh in reversed(_current.stack):
        if isinstance(mesh, Mesh):
            return mesh
    return _EMPTY


def get_abstract_mesh() -> AbstractMesh:
    """The mesh that has been set, without its devices; one without axes if there is none."""
    if not _current.stack:
        return AbstractMesh((), ())
    mesh = _current.stack[-1]
    return mesh if isinstance(mesh, AbstractMesh) else mesh.abstract_mesh


@contextlib.contextmanager
def use_abstract_mesh(mesh: AbstractMesh) -> Iterator[AbstractMesh]:
    """Sets a mesh without devices within a ``with`` block."""
    _current.stack.append(mesh)
    try:
        yield mesh
    finally:
        _current.stack.pop()


def make_mesh(
    axis_shapes: Sequence[int],
    axis_names: Sequence[Hashable],
    axis_types: Any = None,
    *,
    devices: Sequence[Device] | None = None,
) -> Mesh:
    """A mesh of all devices, or of as many as it takes.

    Args:
      axis_shapes: sizes of its axes.
      axis_names: their names.
      axis_types: their types; ``Explicit`` by default, as in JAX.
      devices: the devices to take.

    Raises:
      ValueError: there are fewer devices. ``fungrad.config.update("jax_num_cpu_devices", n)`` lets the CPU stand for n.

    Example:
      >>> import fungrad
      >>> fungrad.make_mesh((1, 1), ("x", "y")).shape
      OrderedDict([('x', 1), ('y', 1)])
    """
    sizes = tuple([as_index("fungrad.make_mesh", "axis_shapes", s, least=0) for s in axis_shapes])
    names = (axis_names,) if isinstance(axis_names, str) else tuple(axis_names)
    if len(sizes) != len(names):
        raise ValueError(f"fungrad.make_mesh: axis_shapes and axis_names must have one length, got {sizes} and {names}")
    given = list(_all_devices() if devices is None else devices)
    needed = math.prod(sizes)
    if len(given) < needed or (devices is not None and len(given) != needed):
        raise ValueError(
            f"fungrad.make_mesh: Number of devices {len(given)} must be >= the product of mesh_shape {sizes}"
            + (
                f'; fungrad.config.update("jax_num_cpu_devices", {needed}) lets the CPU stand for {needed}'
                if devices is None
                else ""
            )
        )
    array = np.empty(needed, dtype=object)
    array[:] = given[:needed]
    types = _axis_types(axis_types, len(names), AxisType.Explicit, "make_mesh")
    return Mesh(array.reshape(sizes), names, types)


def _all_devices() -> list[Device]:
    return devices()


# -- shardings by name ------------------------------------------------------------------------------------------------


class NamedSharding(Sharding):
    """Arrays divided along the axes of a mesh.

    Args:
      mesh: the mesh.
      spec: a ``PartitionSpec``: for each dimension the mesh axes that divide it.
      memory_kind: must be None or ``device``.

    Raises:
      ValueError: the specification names an axis that the mesh has not, or one twice.

    Example:
      >>> import fungrad
      >>> mesh = fungrad.make_mesh((1,), ("x",))
      >>> fungrad.NamedSharding(mesh, fungrad.P("x")).shard_shape((8, 2))
      (8, 2)
    """

    __slots__ = ("mesh", "spec")

    def __init__(self, mesh: Any, spec: PartitionSpec, *, memory_kind: str | None = None):
        if not isinstance(mesh, _BaseMesh):
            raise TypeError(f"fungrad.NamedSharding: mesh must be a Mesh, got {mesh!r} of type {type(mesh).__name__}")
        if not isinstance(spec, PartitionSpec):
            raise TypeError(
                f"fungrad.NamedSharding: spec must be a PartitionSpec, got {spec!r} of type {type(spec).__name__}"
            )
        if memory_kind not in (None, "device"):
            raise ValueError(f"fungrad.NamedSharding: memory_kind must be None or 'device', got {memory_kind!r}")
        check_names(mesh, spec, "NamedSharding")
        self.mesh, self.spec = mesh, spec

    @property
    def device_set(self) -> set[Device]:
        """The devices of the mesh."""
        return set(self._mesh().devices.flat)

    @property
    def _device_assignment(self) -> tuple[Device, ...]:
        return tuple(self._mesh().devices.flat)

    def _mesh(self) -> Mesh:
        if not isinstance(self.mesh, Mesh):
            raise ValueError(f"fungrad.NamedSharding: {self.mesh} has no devices; use a Mesh")
        return self.mesh

    @property
    def num_devices(self) -> int:
        """Number of devices."""
        return self.mesh.size

    @property
    def addressable_devices(self) -> set[Device]:
        """The devices of this process: all."""
        return self.device_set

    @property
    def is_fully_replicated(self) -> bool:
        """Whether each device holds the whole array."""
        return math.prod([self.mesh.shape[n] for n in self.spec.all_names()]) == 1

    def parts(self, ndim: int) -> tuple[int, ...]:
        """Into how many parts each dimension is divided."""
        return tuple([math.prod([self.mesh.shape[n] for n in self.spec.names(d)]) for d in range(ndim)])

    def check_shape(self, shape: Sequence[int], api: str) -> None:
        """Raises ValueError unless arrays of that shape can be divided so."""
        if len(self.spec) > len(shape):
            raise ValueError(
                f"{api}: Sharding {self} is only valid for values of rank at least {len(self.spec)}, but was applied "
                f"to a value of rank {len(shape)}"
            )
        for d, (n, k) in enumerate(zip(shape, self.parts(len(shape)), strict=True)):
            if n % k:
                raise IndivisibleError(
                    f"{api}: Sharding {self} implies that array axis {d} is partitioned {k} times, but does not evenly "
                    f"divide the dimension size {n}. Got shape: {tuple(shape)}"
                )

    def shard_shape(self, global_shape: Sequence[int]) -> tuple[int, ...]:
        """Shape of the part that each device holds."""
        self.check_shape(global_shape, "fungrad.NamedSharding.shard_shape")
        return tuple([n // k for n, k in zip(global_shape, self.parts(len(global_shape)), strict=True)])

    def devices_indices_map(self, global_shape: Sequence[int]) -> dict[Device, tuple[slice, ...]]:
        """For each device the index of its part of an array."""
        mesh, sizes = self._mesh(), self.shard_shape(global_shape)
        out: dict[Device, tuple[slice, ...]] = {}
        for position in np.ndindex(mesh.devices.shape):
            where = dict(zip(mesh.axis_names, position, strict=True))
            device: Any = mesh.devices[position]
            out[device] = tuple(
                [
                    _slice(self._part(where, d), size, n)
                    for d, (size, n) in enumerate(zip(sizes, global_shape, strict=True))
                ]
            )
        return out

    addressable_devices_indices_map = devices_indices_map

    def _part(self, where: dict[Any, int], dimension: int) -> int:
        """Which part along a dimension the device at the position ``where`` holds."""
        part = 0
        for name in self.spec.names(dimension):
            part = part * self.mesh.shape[name] + where[name]
        return part

    def is_equivalent_to(self, other: Any, ndim: int) -> bool:
        """Whether ``other`` puts the same parts of arrays with ``ndim`` dimensions on the same devices."""
        shape = tuple([1 if k == 1 else k for k in self.parts(ndim)])
        full = tuple([n * 840 for n in shape])
        try:
            return bool(self.devices_indices_map(full) == other.devices_indices_map(full))
        except ValueError:
            return False

    def update(self, *, mesh: Any = None, spec: Any = None) -> NamedSharding:
        """The sharding with another mesh or specification."""
        return NamedSharding(self.mesh if mesh is None else mesh, self.spec if spec is None else spec)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, NamedSharding) and self.mesh == other.mesh and self.spec == other.spec

    def __hash__(self) -> int:
        return hash((self.mesh, self.spec))

    def __reduce__(self) -> tuple:
        return (NamedSharding, (self.mesh, self.spec))

    def __repr__(self) -> str:
        return f"NamedSharding(mesh={self.mesh!s}, spec={self.spec!r}, memory_kind=device)"


def _slice(part: int, size: int, whole: int) -> slice:
    return slice(None) if size == whole else slice(part * size, (part + 1) * size)


def check_names(mesh: _BaseMesh, spec: PartitionSpec, api: str) -> None:
    """Raises unless the names in ``spec`` are axes of ``mesh``, each once."""
    seen = set()
    for name in spec.all_names():
        if name not in mesh.axis_names:
            raise ValueError(
                f"fungrad.{api}: Resource axis: {name} of {spec} is not found in mesh: {tuple(mesh.axis_names)}."
            )
        if name in seen:
            raise DuplicateSpecError(
                f"fungrad.{api}: a specification can map every mesh axis to at most one positional dimension, but "
                f"{spec} has duplicate entries for `{name}`"
            )
        seen.add(name)


def named(spec: Any, api: str) -> Sharding:
    """A sharding, or a specification over the mesh that has been set.

    Raises:
      ValueError: it is a specification and no mesh has been set.
    """
    if isinstance(spec, PartitionSpec):
        mesh = get_mesh()
        if mesh.empty:
            raise ValueError(
                f"fungrad.{api}: Using PartitionSpec when you are not under a mesh context is not allowed. Please pass "
                f"a NamedSharding instance or enter into a mesh context via `fungrad.set_mesh`. Got {spec!r}"
            )
        return NamedSharding(mesh, spec)
    if isinstance(spec, Sharding):
        return spec
    raise TypeError(
        f"fungrad.{api}: expected a Sharding or a PartitionSpec, got {spec!r} of type {type(spec).__name__}"
    )


__all__ = [
    "AbstractDevice",
    "AbstractMesh",
    "AxisType",
    "DuplicateSpecError",
    "IndivisibleError",
    "ManualAxisType",
    "Mesh",
    "NamedSharding",
    "PartitionSpec",
    "Sharding",
    "SingleDeviceSharding",
    "get_abstract_mesh",
    "get_mesh",
    "make_single_device_sharding",
    "set_mesh",
    "use_abstract_mesh",
]

_publish(globals(), __name__, __all__)
