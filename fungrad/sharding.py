"""Where arrays live: meshes of devices, and shardings, which say for each device what part of an array it holds."""

from fungrad.core.meshes import (
    AbstractDevice as AbstractDevice,
    AbstractMesh as AbstractMesh,
    AxisType as AxisType,
    DuplicateSpecError as DuplicateSpecError,
    IndivisibleError as IndivisibleError,
    ManualAxisType as ManualAxisType,
    Mesh as Mesh,
    PartitionSpec as PartitionSpec,
    get_abstract_mesh as get_abstract_mesh,
    get_mesh as get_mesh,
    set_mesh as set_mesh,
    use_abstract_mesh as use_abstract_mesh,
)
from fungrad.core.public_names import publish as _publish
from fungrad.core.shardings import (
    NamedSharding as NamedSharding,
    Sharding as Sharding,
    SingleDeviceSharding as SingleDeviceSharding,
    make_single_device_sharding as make_single_device_sharding,
)
from fungrad.shards.putting import auto_axes as auto_axes, explicit_axes as explicit_axes, reshard as reshard

__all__ = [name for name in globals() if not name.startswith("_") and name != "annotations"]

_publish(globals(), __name__, __all__)
