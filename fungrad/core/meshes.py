"""Meshes, and specifications of which of their axes divide which dimensions.

May import ``core.device`` and ``core.arguments``.
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

from fungrad.config import config
from fungrad.core.arguments import index as as_index
from fungrad.core.device import Device, devices
from fungrad.core.source import api_class

# -- specifications ---------------------------------------------------------------------------------------------------


class _Unconstrained(enum.Enum):
    UNCONSTRAINED = 0

    def __repr__(self) -> str:
        return "UNCONSTRAINED"

    __str__ = __repr__


@api_class
class PartitionSpec:
    """For each dimension of an array the mesh axes along which it is divided.

    Args:
      *partitions: per dimension None, the name of a mesh axis, or a tuple of names. Dimensions that are left out are
        not divided.
      unreduced: names of mesh axes along which every device holds a summand, so that the array is their sum.
      reduced: names of mesh axes along which the array is whole, and its cotangents are unreduced.

    Raises:
      TypeError: ``unreduced`` or ``reduced`` is no set.
      ValueError: an axis is in both sets, or in one of them and in ``partitions``.

    Example:
      >>> import fungrad
      >>> fungrad.P("x", None, ("y", "z"))
      P('x', None, ('y', 'z'))
      >>> fungrad.P(None, unreduced={"x"})
      P(None, unreduced={'x'})
    """

    __slots__ = ("_partitions", "unreduced", "reduced")
    UNCONSTRAINED = _Unconstrained.UNCONSTRAINED

    def __init__(self, *partitions: Any, unreduced: Any = frozenset(), reduced: Any = frozenset()):
        out: list[Any] = []
        for each in partitions:
            if isinstance(each, (list, tuple)):
                names = tuple(each)
                out.append(None if not names else names[0] if len(names) == 1 else names)
            else:
                out.append(each)
        self._partitions = tuple(out)
        self.unreduced, self.reduced = _axis_set(unreduced, "unreduced"), _axis_set(reduced, "reduced")
        if self.unreduced or self.reduced:
            self._check_sets()

    def _check_sets(self) -> None:
        both = self.unreduced & self.reduced
        if both:
            raise ValueError(
                f"fungrad.P: unreduced and reduced cannot have common mesh axes, got {_set_text(both)} in both"
            )
        for what, names in (("unreduced", self.unreduced), ("reduced", self.reduced)):
            used = names & set(self.all_names())
            if used:
                raise ValueError(
                    f"fungrad.P: partitions cannot overlap with {what} axes, got partitions {self._partitions} and "
                    f"{what} axes {_set_text(names)}"
                )

    @property
    def partitions(self) -> tuple[Any, ...]:
        """The entries, one per dimension."""
        return self._partitions

    def __len__(self) -> int:
        return len(self._partitions)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._partitions)

    def __getitem__(self, position: Any) -> Any:
        return self._partitions[position]

    def __add__(self, other: Any) -> PartitionSpec:
        if isinstance(other, PartitionSpec):
            return PartitionSpec(
                *self._partitions,
                *other,
                unreduced=self.unreduced | other.unreduced,
                reduced=self.reduced | other.reduced,
            )
        return self.update((*self._partitions, *other))

    def __radd__(self, other: Any) -> PartitionSpec:
        return self.update((*other, *self._partitions))

    def index(self, value: Any) -> int:
        """The dimension whose entry is ``value``."""
        return self._partitions.index(value)

    def count(self, value: Any) -> int:
        """How many dimensions have the entry ``value``."""
        return self._partitions.count(value)

    def update(self, partitions: Any = None, *, unreduced: Any = None, reduced: Any = None) -> PartitionSpec:
        """A specification with other entries or sets."""
        return PartitionSpec(
            *(self._partitions if partitions is None else partitions),
            unreduced=self.unreduced if unreduced is None else unreduced,
            reduced=self.reduced if reduced is None else reduced,
        )

    def filled(self, ndim: int) -> PartitionSpec:
        """The specification with an entry for each of ``ndim`` dimensions."""
        if len(self._partitions) >= ndim:
            return self
        return self.update((*self._partitions, *[None] * (ndim - len(self._partitions))))

    def __eq__(self, other: object) -> bool:
        if isinstance(other, PartitionSpec):
            return (self._partitions, self.unreduced, self.reduced) == (
                other._partitions,
                other.unreduced,
                other.reduced,
            )
        if not isinstance(other, tuple):
            return NotImplemented
        return self._partitions == other and not self.unreduced and not self.reduced

    def __hash__(self) -> int:
        if self.unreduced or self.reduced:
            return hash((self._partitions, self.unreduced, self.reduced))
        return hash(self._partitions)

    def __reduce__(self) -> tuple:
        return (_specification, (self._partitions, self.unreduced, self.reduced))

    def __repr__(self) -> str:
        entries = list(map(repr, self._partitions))
        for what, names in (("unreduced", self.unreduced), ("reduced", self.reduced)):
            if names:
                entries.append(f"{what}={_set_text(names)}")
        return f"P({', '.join(entries)}{',' if len(entries) == len(self) == 1 else ''})"

    def names(self, position: int) -> tuple[Any, ...]:
        """Mesh axes that divide the dimension ``position``."""
        entry = self._partitions[position] if position < len(self) else None
        if entry is None or entry is PartitionSpec.UNCONSTRAINED:
            return ()
        return entry if isinstance(entry, tuple) else (entry,)

    def all_names(self) -> list[Any]:
        """All mesh axes that divide a dimension."""
        return [n for i in range(len(self)) for n in self.names(i)]


def _specification(partitions: tuple, unreduced: frozenset, reduced: frozenset) -> PartitionSpec:
    return PartitionSpec(*partitions, unreduced=unreduced, reduced=reduced)


def _axis_set(names: Any, what: str) -> frozenset:
    if not isinstance(names, (set, frozenset)):
        raise TypeError(f"fungrad.P: {what} must be a set of names of mesh axes, got {names!r}")
    if None in names:
        raise ValueError(f"fungrad.P: {what} must contain names of mesh axes, got None among {set(names)}")
    return frozenset(names)


def _set_text(names: Any) -> str:
    return "{" + ", ".join(sorted(map(repr, names))) + "}"


class AxisType(enum.Enum):
    """Kinds of mesh axes, by who decides how arrays are divided along them.

    Along ``Explicit`` axes the types of arrays say it, and operations check it. Along ``Auto`` axes nothing is said of
    results. Along ``Manual`` axes, those of a function given to ``shard_map``, a program sees parts.
    """

    Auto = enum.auto()
    Explicit = enum.auto()
    Manual = enum.auto()

    def __repr__(self) -> str:
        return self.name


class ManualAxisType:
    """How a value differs between the members of mapped mesh axes.

    Attributes:
      varying: names of the axes along which it differs.
      unreduced: names of the axes along which it is a summand.
      reduced: names of the axes along which it is the same and its cotangents are unreduced.
    """

    __slots__ = ("varying", "unreduced", "reduced")

    def __init__(self, varying: Any = frozenset(), *, unreduced: Any = frozenset(), reduced: Any = frozenset()):
        self.varying, self.unreduced, self.reduced = frozenset(varying), frozenset(unreduced), frozenset(reduced)
        for what, names in (("unreduced", self.unreduced), ("reduced", self.reduced)):
            if self.varying & names:
                raise ValueError(
                    f"fungrad.sharding.ManualAxisType: varying and {what} cannot have common mesh axes, got "
                    f"varying={_set_text(self.varying)} and {what}={_set_text(names)}"
                )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ManualAxisType) and (other.varying, other.unreduced, other.reduced) == (
            self.varying,
            self.unreduced,
            self.reduced,
        )

    def __hash__(self) -> int:
        return hash((self.varying, self.unreduced, self.reduced))

    def __repr__(self) -> str:
        return f"ManualAxisType(varying={self.varying}, unreduced={self.unreduced}, reduced={self.reduced})"


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


class BaseMesh:
    """What meshes with and without devices have in common."""

    axis_names: tuple[Any, ...]
    axis_types: tuple[AxisType, ...]
    axis_sizes: tuple[int, ...]
    abstract_mesh: Any

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
    def are_all_axes_auto(self) -> bool:
        """Whether all axes are of type ``Auto``."""
        return all(t is AxisType.Auto for t in self.axis_types)

    @property
    def are_all_axes_explicit(self) -> bool:
        """Whether all axes are of type ``Explicit``."""
        return all(t is AxisType.Explicit for t in self.axis_types)

    @property
    def are_all_axes_manual(self) -> bool:
        """Whether all axes are of type ``Manual``."""
        return all(t is AxisType.Manual for t in self.axis_types)

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

    def type_of(self, name: Any) -> AxisType:
        """The type of the axis ``name``."""
        return self.axis_types[self.axis_names.index(name)]

    def _changed_types(self, changes: dict[Any, AxisType]) -> tuple[AxisType, ...]:
        unknown = [n for n in changes if n not in self.axis_names]
        if unknown:
            raise ValueError(
                f"fungrad.sharding: {unknown[0]!r} is not found in mesh, which has the axes {self.axis_names}"
            )
        return tuple([changes.get(n, t) for n, t in zip(self.axis_names, self.axis_types, strict=True)])

    def _text(self) -> str:
        axes = ", ".join(f"{n!r}: {s}" for n, s in self.shape_tuple)
        return f"{axes}, axis_types={self.axis_types}"


@api_class
class AbstractMesh(BaseMesh):
    """A mesh without devices.

    Args:
      axis_sizes: sizes of the axes.
      axis_names: their names.
      axis_types: their types; ``Auto`` by default.
      abstract_device: the kind of its devices.
    """

    def __init__(
        self,
        axis_sizes: Sequence[int],
        axis_names: Sequence[Hashable] | str,
        axis_types: Any = None,
        *,
        abstract_device: AbstractDevice | None = None,
    ):
        self.axis_sizes = tuple(axis_sizes)
        self.axis_names = (axis_names,) if isinstance(axis_names, str) else tuple(axis_names)
        self.abstract_device = abstract_device
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

    @property
    def abstract_mesh(self) -> AbstractMesh:
        """The mesh itself."""
        return self

    def update(self, axis_sizes: Any = None, axis_names: Any = None, axis_types: Any = None) -> AbstractMesh:
        """A mesh with other sizes, names or types of axes."""
        return AbstractMesh(
            self.axis_sizes if axis_sizes is None else axis_sizes,
            self.axis_names if axis_names is None else axis_names,
            self.axis_types if axis_types is None else axis_types,
            abstract_device=self.abstract_device,
        )

    def update_axis_types(self, name_to_type: dict[Any, AxisType]) -> AbstractMesh:
        """The mesh with other types of some axes."""
        return self.update(axis_types=self._changed_types(name_to_type))

    def __hash__(self) -> int:
        return hash((self.shape_tuple, self.axis_types))

    def __reduce__(self) -> tuple:
        return (AbstractMesh, (self.axis_sizes, self.axis_names, self.axis_types))

    def __repr__(self) -> str:
        device = "" if self.abstract_device is None else f", {self.abstract_device!r}"
        return f"AbstractMesh({self._text()}{device})"


class AbstractDevice:
    """A kind of device.

    Attributes:
      device_kind: its name.
    """

    def __init__(self, device_kind: str = "cpu", num_cores: int | None = None, platform: str = "cpu"):
        self.device_kind, self.num_cores, self.platform = device_kind, num_cores, platform

    def __repr__(self) -> str:
        return f"device_kind={self.device_kind}, num_cores={self.num_cores}, platform={self.platform}"


_CPU_KIND = AbstractDevice()


@api_class
class Mesh(BaseMesh):
    """Devices in an array whose axes have names.

    Used as a context manager it is the mesh to which specifications without one refer.

    Args:
      devices: array or list of devices.
      axis_names: a name for each dimension of it.
      axis_types: kinds of the axes; ``Auto`` by default.

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
        return AbstractMesh(self.axis_sizes, self.axis_names, self.axis_types, abstract_device=_CPU_KIND)

    def update(self, devices: Any = None, axis_names: Any = None, axis_types: Any = None) -> Mesh:
        """A mesh with other devices, names or types of axes."""
        return Mesh(
            np.array(self.devices) if devices is None else devices,
            self.axis_names if axis_names is None else axis_names,
            self.axis_types if axis_types is None else axis_types,
        )

    def update_axis_types(self, name_to_type: dict[Any, AxisType]) -> Mesh:
        """The mesh with other types of some axes."""
        return self.update(axis_types=self._changed_types(name_to_type))

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
        _current.push(self)
        return self

    def __exit__(self, *error: Any) -> None:
        _current.restore(_current.stack[:-1])

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
    """The meshes that have been set in this thread, the innermost last."""

    def __init__(self) -> None:
        self.stack: list[Any] = []

    def push(self, mesh: Any) -> None:
        self.restore([*self.stack, mesh])

    def restore(self, stack: list[Any]) -> None:
        self.stack = stack
        # What is traced under one mesh is not good for another.
        config.set_context_mesh(stack[-1] if stack else None)


_current = _Current()
_EMPTY = Mesh(np.empty((0,), dtype=object), ("none",))
_EMPTY.axis_names, _EMPTY.axis_sizes, _EMPTY.axis_types = (), (), ()


@api_class
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
        self._before = _current.stack
        _current.push(mesh)
        self.mesh = mesh

    def __enter__(self) -> Mesh:
        return self.mesh

    def __exit__(self, *error: Any) -> None:
        _current.restore(self._before)


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
    before = _current.stack
    _current.push(mesh)
    try:
        yield mesh
    finally:
        _current.restore(before)


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




# -- the devices of a mesh that only a type names ---------------------------------------------------------------------

# The meshes over which arrays have been divided lately, by names and sizes of their axes.
_known: dict[tuple, Mesh] = {}
_KNOWN_LIMIT = 64


def note_mesh(mesh: Mesh) -> None:
    """Notes the devices of a mesh, for results whose types name its axes."""
    if len(_known) >= _KNOWN_LIMIT:
        _known.clear()
    _known[mesh.shape_tuple] = mesh


def concrete_mesh(mesh: Any) -> Any:
    """A mesh with devices for one without: the one that has been set, or over which arrays have been divided, with the
    same axes; else one of the first devices."""
    if isinstance(mesh, Mesh):
        return mesh
    for found in (get_mesh(), _known.get(mesh.shape_tuple)):
        if found is not None and found.shape_tuple == mesh.shape_tuple:
            return found if found.axis_types == mesh.axis_types else found.update(axis_types=mesh.axis_types)
    return make_mesh(mesh.axis_sizes, mesh.axis_names, mesh.axis_types)
