"""``jax.sharding``: classes that libraries compare with."""

from typing import Any

from fungrad.compat.rows import Row, adapter, inert


class Mesh:
    """A mesh of devices, of which there is one."""

    def __init__(self, devices: Any, axis_names: Any = (), **_: Any):
        self.devices, self.axis_names = devices, tuple(axis_names)
        self.empty = False

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *error: Any) -> None:
        """Nothing to restore."""


class AbstractMesh:
    """A mesh without devices."""

    empty = True
    axis_names: tuple = ()


class NamedSharding:
    """A sharding over a mesh: everything is on the one device."""

    def __init__(self, mesh: Any, spec: Any, **_: Any):
        self.mesh, self.spec = mesh, spec


class PartitionSpec(tuple):
    """Names of mesh axes for dimensions."""

    def __new__(cls, *parts: Any) -> "PartitionSpec":
        """The names."""
        return tuple.__new__(cls, parts)


NAMES: dict[str, Row] = {}

UNTIL_NATIVE: dict[str, Row] = {
    "AbstractMesh": inert(AbstractMesh, "flax"),
    "Mesh": inert(Mesh, "flax chex orbax"),
    "NamedSharding": inert(NamedSharding, "flax chex orbax"),
    "PartitionSpec": inert(PartitionSpec, "flax chex orbax"),
    "get_abstract_mesh": adapter(AbstractMesh, "flax"),
}
