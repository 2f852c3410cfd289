"""Arrays of devices for meshes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from fungrad.core.device import devices as all_devices
from fungrad.core.public_names import publish


def create_device_mesh(
    mesh_shape: Sequence[int],
    devices: Sequence[Any] | None = None,
    *,
    contiguous_submeshes: bool = False,
    allow_split_physical_axes: bool = False,
) -> np.ndarray:
    """All devices in an array of a shape, for ``sharding.Mesh``.

    Args:
      mesh_shape: shape of the array.
      devices: the devices; all by default.
      contiguous_submeshes: ignored.
      allow_split_physical_axes: ignored.

    Raises:
      ValueError: the number of devices is another than that of elements.

    Example:
      >>> import fungrad
      >>> from fungrad.experimental import mesh_utils
      >>> mesh_utils.create_device_mesh((1, 1)).shape
      (1, 1)
    """
    given = list(all_devices() if devices is None else devices)
    if math.prod(mesh_shape) != len(given):
        raise ValueError(
            f"fungrad.experimental.mesh_utils.create_device_mesh: Number of devices {len(given)} must equal the "
            f"product "
            f"of mesh_shape {tuple(mesh_shape)}"
        )
    array = np.empty(len(given), dtype=object)
    array[:] = given
    return array.reshape(tuple(mesh_shape))


def create_hybrid_device_mesh(
    mesh_shape: Sequence[int], dcn_mesh_shape: Sequence[int], devices: Sequence[Any] | None = None, **_: Any
) -> np.ndarray:
    """As ``create_device_mesh``, for a shape that is the product of one within and one across machines.

    Args:
      mesh_shape: shape within a machine.
      dcn_mesh_shape: shape across machines.
      devices: the devices; all by default.

    Raises:
      ValueError: the number of devices is another than that of elements.

    Example:
      >>> import fungrad
      >>> from fungrad.experimental import mesh_utils
      >>> mesh_utils.create_hybrid_device_mesh((1,), (1,)).shape
      (1,)
    """
    return create_device_mesh([a * b for a, b in zip(mesh_shape, dcn_mesh_shape, strict=True)], devices)


__all__ = ["create_device_mesh", "create_hybrid_device_mesh"]

publish(globals(), __name__, __all__)
