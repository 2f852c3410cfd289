"""``jax.experimental.colocated_python``: Python on the hosts of remote devices, of which there are none."""

from collections.abc import Sequence
from typing import Any

from fungrad.compat.rows import Row, adapter, refused

_WHY = "all devices belong to this process"


def _cpu_devices(devices: Sequence[Any]) -> Sequence[Any]:
    """The CPU devices beside ``devices``: those themselves."""
    return devices


NAMES: dict[str, Row] = {
    "colocated_cpu_devices": adapter(_cpu_devices, "orbax"),
    "colocated_python": refused("jax.experimental.colocated_python.colocated_python", _WHY, "orbax"),
    "colocated_python_class": refused("jax.experimental.colocated_python.colocated_python_class", _WHY, "orbax"),
}
