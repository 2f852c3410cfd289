"""Which devices there are: those of this process."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import fungrad
from fungrad.core.public_names import publish
from fungrad.experimental import mesh_utils

__all__ = ["TopologyDescription", "get_attached_topology", "get_topology_desc", "make_mesh"]


class TopologyDescription:
    """Devices.

    Attributes:
      devices: a list of them.
    """

    def __init__(self, devices: Sequence[Any]):
        self.devices = list(devices)


def get_attached_topology(platform: str | None = None) -> TopologyDescription:
    """The devices of this process.

    Args:
      platform: ``"cpu"`` or None.

    Example:
      >>> from fungrad.experimental.topologies import get_attached_topology
      >>> len(get_attached_topology().devices) >= 1
      True
    """
    return TopologyDescription(fungrad.devices(platform))


def get_topology_desc(topology_name: str = "", platform: str | None = None, **kwargs: Any) -> TopologyDescription:
    """Devices that are not attached, for which programs could be compiled only.

    Raises:
      NotImplementedError: always: programs are compiled for the processor of this machine.
    """
    raise NotImplementedError(
        f"fungrad.experimental.topologies.get_topology_desc: there are no devices {topology_name!r} of platform "
        f"{platform!r}: programs are compiled for the processor of this machine; use get_attached_topology"
    )


def make_mesh(
    topo: TopologyDescription, mesh_shape: Sequence[int], axis_names: tuple[str, ...], *,
    contiguous_submeshes: bool = False,
) -> Any:  # fmt: skip
    """A mesh of these devices.

    Args:
      topo: the devices.
      mesh_shape: their number along each axis.
      axis_names: names of the axes.
      contiguous_submeshes: has no effect: all devices are in one memory.

    Example:
      >>> from fungrad.experimental.topologies import get_attached_topology, make_mesh
      >>> make_mesh(get_attached_topology(), (1,), ("x",)).shape
      OrderedDict([('x', 1)])
    """
    devices = mesh_utils.create_device_mesh(mesh_shape, topo.devices, contiguous_submeshes=contiguous_submeshes)
    return fungrad.sharding.Mesh(devices, axis_names)


publish(globals(), __name__, __all__)
