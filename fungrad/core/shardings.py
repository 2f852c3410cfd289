"""Where arrays live: shardings, which say for each device what part of an array it holds.

All devices belong to this process and share its memory, so that an array is one piece however it is sharded: a
sharding is checked against shapes and kept with the array, and functions of shards (``shard_map``, ``pmap``) run as
maps over the axes of a mesh.  Programs for several devices are so developed and tested on one.

May import ``core``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from fungrad.core import transfers
from fungrad.core.device import CPU, Device, checked_memory_kind, device_count
from fungrad.core.meshes import (
    AxisType,
    BaseMesh,
    DuplicateSpecError,
    IndivisibleError,
    Mesh,
    PartitionSpec,
    concrete_mesh,
    get_abstract_mesh,
    get_mesh,
    make_mesh as make_mesh,
    note_mesh,
)
from fungrad.core.placement import following
from fungrad.core.source import api_class


class Sharding:
    """Base class of what says which device holds which part of an array.

    Attributes:
      device_set: the devices that hold part of the array.
      memory_kind: kind of memory that holds it: ``device``, ``pinned_host`` or ``unpinned_host``.
      is_fully_replicated: whether each device holds the whole array.
      is_fully_addressable: whether this process has all the devices.
    """

    __slots__ = ()
    _memory_kind: str

    @property
    def device_set(self) -> set[Device]:
        """The devices that hold part of the array."""
        raise NotImplementedError(f"{type(self).__name__} does not say which devices it is about")

    @property
    def addressable_devices(self) -> set[Device]:
        """The devices of this process that hold part of the array: all."""
        return self.device_set

    @property
    def num_devices(self) -> int:
        """Number of devices that hold part of the array."""
        return len(self.device_set)

    @property
    def memory_kind(self) -> str | None:
        """Kind of memory; each is a name of that of this process."""
        return getattr(self, "_memory_kind", "device")

    def with_memory_kind(self, kind: str | None) -> Any:
        """The same division of arrays, in memory of another kind."""
        raise NotImplementedError(f"{type(self).__name__} does not say in which memory arrays are")

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


@api_class
class SingleDeviceSharding(Sharding):
    """The whole array on one device.

    Args:
      device: the device.
      memory_kind: ``device`` (the default), ``pinned_host`` or ``unpinned_host``.

    Raises:
      TypeError: ``device`` is no device.
      ValueError: there is no such memory.

    Example:
      >>> import fungrad
      >>> fungrad.sharding.SingleDeviceSharding(fungrad.devices()[0])
      SingleDeviceSharding(device=CpuDevice(id=0), memory_kind=device)
    """

    __slots__ = ("_device", "_memory_kind")

    def __init__(self, device: Device, *, memory_kind: str | None = None) -> None:
        if not isinstance(device, Device):
            raise TypeError(f"fungrad.sharding.SingleDeviceSharding: device must be a device, got {device!r}")
        self._device = device
        self._memory_kind = checked_memory_kind(memory_kind, "fungrad.sharding.SingleDeviceSharding")

    def with_memory_kind(self, kind: str | None) -> SingleDeviceSharding:
        """The same device, in memory of another kind."""
        return SingleDeviceSharding(self._device, memory_kind=kind)

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
        if type(other) is not SingleDeviceSharding:
            return False
        return other._device == self._device and other._memory_kind == self._memory_kind

    def __hash__(self) -> int:
        return hash((SingleDeviceSharding, self._device, self._memory_kind))

    def __repr__(self) -> str:
        return f"SingleDeviceSharding(device={self._device!r}, memory_kind={self._memory_kind})"


# Where arrays are unless they say otherwise.
DEFAULT = SingleDeviceSharding(CPU)
transfers.register(default=lambda: DEFAULT)
following.is_everywhere = lambda sharding: sharding == DEFAULT and device_count() == 1  # type: ignore[method-assign]


def make_single_device_sharding(device: Device, *, memory_kind: str | None = None) -> SingleDeviceSharding:
    """The sharding of arrays that are on one device."""
    return SingleDeviceSharding(device, memory_kind=memory_kind)


# -- shardings by name ------------------------------------------------------------------------------------------------


@api_class
class NamedSharding(Sharding):
    """Arrays divided along the axes of a mesh.

    Args:
      mesh: the mesh.
      spec: a ``PartitionSpec``: for each dimension the mesh axes that divide it.
      memory_kind: ``device`` (the default), ``pinned_host`` or ``unpinned_host``.

    Raises:
      ValueError: there is no such memory, or the specification names an axis that the mesh has not, or one twice.

    Example:
      >>> import fungrad
      >>> mesh = fungrad.make_mesh((1,), ("x",))
      >>> fungrad.NamedSharding(mesh, fungrad.P("x")).shard_shape((8, 2))
      (8, 2)
    """

    __slots__ = ("_memory_kind", "mesh", "spec")

    def __init__(self, mesh: Any, spec: PartitionSpec, *, memory_kind: str | None = None):
        if not isinstance(mesh, BaseMesh):
            raise TypeError(f"fungrad.NamedSharding: mesh must be a Mesh, got {mesh!r} of type {type(mesh).__name__}")
        if not isinstance(spec, PartitionSpec):
            raise TypeError(
                f"fungrad.NamedSharding: spec must be a PartitionSpec, got {spec!r} of type {type(spec).__name__}"
            )
        check_names(mesh, spec, "NamedSharding")
        self.mesh, self.spec = mesh, spec
        self._memory_kind = checked_memory_kind(memory_kind, "fungrad.NamedSharding")

    def with_memory_kind(self, kind: str | None) -> NamedSharding:
        """The same division of arrays, in memory of another kind."""
        return NamedSharding(self.mesh, self.spec, memory_kind=kind)

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
    def is_fully_replicated(self) -> bool:
        """Whether each device holds the whole array."""
        if self.spec.unreduced:
            return False
        return math.prod([self.mesh.shape[n] for n in self.spec.all_names()]) == 1

    def parts(self, ndim: int) -> tuple[int, ...]:
        """Into how many parts each dimension is divided."""
        return tuple([math.prod([self.mesh.shape[n] for n in self.spec.names(d)]) for d in range(ndim)])

    def check_rank(self, shape: Sequence[int], api: str) -> None:
        """Raises ValueError unless arrays of that shape have the dimensions that are divided."""
        if len(self.spec) > len(shape):
            raise ValueError(
                f"{api}: Sharding {self} is only valid for values of rank at least {len(self.spec)}, but was applied "
                f"to a value of rank {len(shape)}"
            )

    def check_shape(self, shape: Sequence[int], api: str) -> None:
        """Raises ValueError unless arrays of that shape can be divided so."""
        self.check_rank(shape, api)
        for d, (n, k) in enumerate(zip(shape, self.parts(len(shape)), strict=True)):
            if n % k:
                raise IndivisibleError(
                    f"{api}: Sharding {self} implies that array axis {d} is partitioned {k} times, but does not evenly "
                    f"divide the dimension size {n}. Got shape: {tuple(shape)}"
                )

    def even(self, shape: Sequence[int]) -> NamedSharding:
        """The sharding without the dimensions of arrays of that shape that cannot be divided evenly."""
        parts = self.parts(len(shape))
        if not any([n % k for n, k in zip(shape, parts, strict=True)]):
            return self
        kept = [None if n % k else e for n, k, e in zip(shape, parts, self.spec.filled(len(shape)), strict=True)]
        return self.update(spec=self.spec.update(kept))

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

    def holders(self, all_summands: bool = False) -> set[Device]:
        """The devices that hold the sum of an array that is unreduced along some axes: the first ones along them, the
        others hold zeros. With ``all_summands``, for each summand one device that holds it."""
        mesh = self._mesh()
        dividing = {*self.spec.all_names(), *self.spec.unreduced}
        first = [n not in dividing if all_summands else n in self.spec.unreduced for n in mesh.axis_names]
        return set(mesh.devices[tuple([slice(1) if f else slice(None) for f in first])].flat)

    def _part(self, where: dict[Any, int], dimension: int) -> int:
        """Which part along a dimension the device at the position ``where`` holds."""
        part = 0
        for name in self.spec.names(dimension):
            part = part * self.mesh.shape[name] + where[name]
        return part

    def is_equivalent_to(self, other: Any, ndim: int) -> bool:
        """Whether ``other`` puts the same parts of arrays with ``ndim`` dimensions on the same devices."""
        if isinstance(other, NamedSharding) and self.spec.unreduced != other.spec.unreduced:
            return False
        if isinstance(other, Sharding) and self.memory_kind != other.memory_kind:
            return False
        shape = self.parts(ndim)
        full = tuple([n * 840 for n in shape])
        try:
            return bool(self.devices_indices_map(full) == other.devices_indices_map(full))
        except ValueError:
            return False

    def update(self, *, mesh: Any = None, spec: Any = None, memory_kind: str | None = None) -> NamedSharding:
        """The sharding with another mesh, specification or kind of memory."""
        return NamedSharding(
            self.mesh if mesh is None else mesh,
            self.spec if spec is None else spec,
            memory_kind=self._memory_kind if memory_kind is None else memory_kind,
        )

    # -- as part of the type of an array -------------------------------------------------------------------------------

    def of_type(self, shape: Sequence[int]) -> NamedSharding | None:
        """What the type of arrays of that shape says of the sharding: over explicit axes, with an entry per dimension,
        and along which explicit and manual axes values are unreduced or reduced. None if that is nothing."""
        mesh = self.mesh
        if not mesh.explicit_axes and not (mesh.manual_axes and (self.spec.unreduced or self.spec.reduced)):
            return None
        if isinstance(mesh, Mesh):
            note_mesh(mesh)
        spec = explicit_part(self.spec, mesh)
        if len(spec) > len(shape) and not any(spec[len(shape) :]):
            spec = spec.update(spec[: len(shape)])
        out = NamedSharding(mesh.abstract_mesh, spec.filled(len(shape)))
        if len(out.spec) > len(shape):
            raise ValueError(
                f"fungrad.sharding: Length of sharding.spec must be equal to aval's ndim, got {out.spec} for shape "
                f"{tuple(shape)}"
            )
        out.check_shape(shape, "fungrad.sharding")
        return out

    def of_example(self, dimension: int) -> NamedSharding:
        """That of one example of a batch along a dimension."""
        kept = [e for d, e in enumerate(self.spec) if d != dimension]
        return self.update(spec=self.spec.update(kept))

    def of_batch(self, dimension: int, entry: Any = None) -> NamedSharding:
        """That of a batch along a dimension, which ``entry`` divides."""
        return self.update(spec=self.spec.update([*self.spec[:dimension], entry, *self.spec[dimension:]]))

    def of_cotangent(self) -> NamedSharding:
        """That of cotangents: of a whole that many devices use, each has a summand, and the other way round."""
        spec = self.spec
        if not spec.unreduced and not spec.reduced:
            return self
        return self.update(spec=spec.update(unreduced=spec.reduced, reduced=spec.unreduced))

    def without_dimensions(self, ndim: int) -> NamedSharding:
        """One that divides none of ``ndim`` dimensions."""
        return self.update(spec=PartitionSpec(*[None] * ndim))

    def kinds_text(self) -> str:
        """Names of the mesh axes by kind."""
        kinds: dict[Any, list[Any]] = {}
        for name, kind in zip(self.mesh.axis_names, self.mesh.axis_types, strict=True):
            kinds.setdefault(kind, []).append(name)
        return "{" + ", ".join(f"{k.name}: {tuple(v)}" for k, v in kinds.items()) + "}"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, NamedSharding) or self._memory_kind != other._memory_kind:
            return False
        return self.mesh == other.mesh and self.spec == other.spec

    def __hash__(self) -> int:
        return hash((self.mesh, self.spec, self._memory_kind))

    def __reduce__(self) -> tuple:
        return (_named_sharding, (self.mesh, self.spec, self._memory_kind))

    def __repr__(self) -> str:
        where = f", memory_kind={self._memory_kind}" if isinstance(self.mesh, Mesh) else ""
        return f"NamedSharding(mesh={self.mesh!s}, spec={self.spec!r}{where})"


def _named_sharding(mesh: Any, spec: PartitionSpec, memory_kind: str) -> NamedSharding:
    return NamedSharding(mesh, spec, memory_kind=memory_kind)


def _slice(part: int, size: int, whole: int) -> slice:
    return slice(None) if size == whole else slice(part * size, (part + 1) * size)


def check_names(mesh: BaseMesh, spec: PartitionSpec, api: str) -> None:
    """Raises unless the names in ``spec`` are axes of ``mesh``, each once."""
    seen = set()
    for name in (*spec.unreduced, *spec.reduced):
        if name not in mesh.axis_names:
            raise ValueError(
                f"fungrad.{api}: Resource axis: {name} of {spec} is not found in mesh: {tuple(mesh.axis_names)}."
            )
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


def named(spec: Any, api: str, error: type[Exception] = ValueError) -> Sharding:
    """A sharding, or a specification over the mesh that has been set.

    Raises:
      ValueError: it is a specification and no mesh has been set; another class is ``error``.
    """
    if isinstance(spec, PartitionSpec):
        mesh: Any = get_mesh()
        if mesh.empty:
            mesh = get_abstract_mesh()
        if mesh.empty:
            raise error(
                f"fungrad.{api}: Using PartitionSpec when you are not under a mesh context is not allowed. Please pass "
                f"a NamedSharding instance or enter into a mesh context via `fungrad.set_mesh`. Got {spec!r}"
            )
        return NamedSharding(mesh, spec)
    if isinstance(spec, Sharding):
        return spec
    raise TypeError(
        f"fungrad.{api}: expected a Sharding or a PartitionSpec, got {spec!r} of type {type(spec).__name__}"
    )


def explicit_part(spec: PartitionSpec, mesh: BaseMesh) -> PartitionSpec:
    """The specification without the axes of the mesh of which types do not speak: dimensions are divided along explicit
    axes, summands are held along explicit and manual ones."""
    if mesh.are_all_axes_explicit:
        return spec.update([None if e is PartitionSpec.UNCONSTRAINED else e for e in spec])
    explicit = set(mesh.explicit_axes)
    entries = [tuple([n for n in spec.names(d) if n in explicit]) for d in range(len(spec))]
    typed = explicit.union(mesh.manual_axes)
    return PartitionSpec(*entries, unreduced=spec.unreduced & typed, reduced=spec.reduced & typed)


def wanted_type(spec: Any, ndim: int | None, api: str) -> NamedSharding | None:
    """The sharding of a result that a user asks for with ``out_sharding``, over the mesh that has been set.

    Args:
      spec: a ``PartitionSpec``, a sharding, or None.
      ndim: number of dimensions of the result, None if it is not known yet.
      api: where it was asked for, for messages.

    Returns:
      A sharding with an entry per known dimension over a mesh that has explicit axes; None if nothing was asked for, or
      the mesh has no such axes.

    Raises:
      ValueError: there is no mesh, or the specification is too long.
    """
    if spec is None:
        return None
    context = get_abstract_mesh()
    if isinstance(spec, PartitionSpec):
        if context.empty:
            raise ValueError(
                f"{api}: Using PartitionSpec when you are not under a mesh context is not allowed. Please pass a "
                f"NamedSharding instance or enter into a mesh context via `fungrad.set_mesh`. Got {spec!r}"
            )
        mesh: Any = context
    elif isinstance(spec, NamedSharding):
        mesh, spec = spec.mesh, spec.spec
        if isinstance(mesh, Mesh):
            note_mesh(mesh)
        if not context.empty and context.shape_tuple == mesh.shape_tuple:
            mesh = context
        elif not context.empty:
            raise ValueError(
                f"{api}: Context mesh {context} should match the mesh of sharding {mesh} passed to it; this error "
                "occurs at source: use `fungrad.set_mesh` with the same mesh"
            )
    elif isinstance(spec, Sharding):
        return None
    else:
        raise TypeError(
            f"{api}: out_sharding must be a Sharding or a PartitionSpec, got {spec!r} of type {type(spec).__name__}"
        )
    check_names(mesh, spec, api.removeprefix("fungrad."))
    for name in (*spec.all_names(), *spec.unreduced, *spec.reduced):
        if mesh.type_of(name) is not AxisType.Explicit:
            raise ValueError(
                f"{api}: PartitionSpec passed to it cannot contain axis names that are of type Auto or Manual. Got "
                f"PartitionSpec: {spec} with axis name: {name!r} of type: {mesh.type_of(name)}"
            )
    if not mesh.explicit_axes:
        return None
    if ndim is None:
        return NamedSharding(mesh.abstract_mesh, spec)
    if len(spec) > ndim:
        raise ValueError(f"{api}: out_sharding {spec} has {len(spec)} entries, but the result has {ndim} dimensions")
    return NamedSharding(mesh.abstract_mesh, spec.filled(ndim))


def sharding_of_type(aval: Any) -> NamedSharding:
    """The sharding in a type: over the mesh that has been set if the type itself names none."""
    if aval.placement is not None:
        placement: NamedSharding = aval.placement
        manual = set(placement.mesh.manual_axes)
        if not manual:
            return placement
        # How values differ between the members of manual axes is said elsewhere.
        spec = placement.spec
        return placement.update(spec=spec.update(unreduced=spec.unreduced - manual, reduced=spec.reduced - manual))
    return NamedSharding(get_abstract_mesh(), PartitionSpec(*[None] * aval.ndim))


def placed_type(sharding: NamedSharding) -> NamedSharding:
    """The sharding in a type as that of a concrete array: over a mesh with devices."""
    return NamedSharding(concrete_mesh(sharding.mesh), sharding.spec)
