"""Attributes of arrays that say where they are; attached when imported.

May import ``core``, ``fungrad.sharding`` and ``shards.arrays``.
"""

from __future__ import annotations

from typing import Any

from fungrad.core.array import Array
from fungrad.core.avals import ShapedArray
from fungrad.core.context import Tracer
from fungrad.core.device import Device
from fungrad.core.meshes import ManualAxisType
from fungrad.core.placement import placement
from fungrad.core.shardings import DEFAULT, Sharding, SingleDeviceSharding, sharding_of_type
from fungrad.shards import following as following, rules as rules
from fungrad.shards.arrays import sharding_of, shards_of


def _sharding(self: Array) -> Sharding:
    if isinstance(self, Tracer):
        raise AttributeError(
            f"The 'sharding' attribute is not available on {self!r}, which is traced and so is nowhere yet; "
            "use fungrad.typeof(x).sharding",
            name="sharding",
        )
    return sharding_of(self)


def _addressable_data(self: Array, index: int) -> Array:
    """The part of the array on a device of this process."""
    shards = shards_of(self)
    if not -len(shards) <= index < len(shards):
        raise IndexError(f"fungrad.Array.addressable_data: there are {len(shards)} devices, got index {index}")
    return self if len(shards) == 1 else shards[index].data


def _devices(self: Array) -> set[Device]:
    """The devices that hold part of the array."""
    return _sharding(self).device_set


def _device(self: Array) -> Any:
    """The device that holds the array, or its sharding if there are several."""
    sharding = DEFAULT if isinstance(self, Tracer) else sharding_of(self)
    return next(iter(sharding.device_set)) if isinstance(sharding, SingleDeviceSharding) else sharding


ShapedArray.sharding = property(  # type: ignore[attr-defined]
    sharding_of_type, doc="How arrays of this type are divided along the explicit axes of a mesh."
)


def _manual_axis_type(self: ShapedArray) -> ManualAxisType:
    if self.placement is None:
        return ManualAxisType(self.vma)
    spec, manual = self.placement.spec, self.placement.mesh.manual_axes
    return ManualAxisType(
        self.vma, unreduced=spec.unreduced.intersection(manual), reduced=spec.reduced.intersection(manual)
    )


ShapedArray.manual_axis_type = property(  # type: ignore[attr-defined]
    _manual_axis_type, doc="How values of this type differ between members of the axes of functions of shards."
)
ShapedArray.mat = ShapedArray.manual_axis_type  # type: ignore[attr-defined]
Tracer.mat = property(lambda self: self.aval.mat, doc="How the value differs between members.")  # type: ignore[attr-defined]

Array._bind_operators(
    {
        "sharding": property(_sharding, doc="Which device holds which part of the array."),
        "committed": property(
            lambda self: self._concrete("committed") is not None and placement(self) is not None,
            doc="Whether the array was put somewhere on purpose.",
        ),
        "_committed": property(lambda self: placement(self) is not None),
        "addressable_shards": property(shards_of, doc="The parts of the array on devices of this process."),
        "global_shards": property(shards_of, doc="The parts of the array."),
        "is_fully_replicated": property(
            lambda self: _sharding(self).is_fully_replicated, doc="Whether every device holds the whole array."
        ),
        "addressable_data": _addressable_data,
        "device": property(_device, doc="The device that holds the array; its sharding if there are several."),
        "devices": _devices,
    }
)
