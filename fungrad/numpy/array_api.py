"""What ``fungrad.numpy`` says of itself to libraries that use the Python array API standard.

May import ``core``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fungrad.core import dtypes
from fungrad.core.device import CPU, Device, check_device

# The version of the standard that the module follows, and those that it is a superset of.
__array_api_version__ = "2025.12"
VERSIONS = ("2021.12", "2022.12", "2023.12", "2024.12", "2025.12")

_NAMES = (
    "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float32", "float64",
    "complex64", "complex128",
)  # fmt: skip


class ArrayNamespaceInfo:
    """Devices, dtypes and capabilities of ``fungrad.numpy``, as the array API standard asks for them.

    Example:
      >>> import fungrad.numpy as jnp
      >>> info = jnp.__array_namespace_info__()
      >>> info.default_dtypes()["real floating"], info.capabilities()["boolean indexing"]
      (dtype('float32'), True)
    """

    __slots__ = ()

    def capabilities(self) -> dict[str, Any]:
        """What the standard leaves to libraries: shapes may depend on values, outside of transformed functions."""
        return {"boolean indexing": True, "data-dependent shapes": True, "max dimensions": 64}

    def default_device(self) -> Device:
        """The device of new arrays: the CPU."""
        return CPU

    def devices(self) -> tuple[Device, ...]:
        """All devices: the CPU."""
        return (CPU,)

    def default_dtypes(self, *, device: Any = None) -> dict[str, np.dtype]:
        """The dtypes of values without a dtype of their own; they follow ``enable_x64``.

        Args:
          device: None or the CPU.

        Raises:
          ValueError: it is another device.
        """
        check_device(device, "fungrad.numpy.__array_namespace_info__().default_dtypes")
        return {
            "real floating": dtypes.default_float(),
            "complex floating": dtypes.to_complex_dtype(dtypes.default_float()),
            "integral": dtypes.default_int(),
            "indexing": dtypes.default_int(),
        }

    def dtypes(self, *, device: Any = None, kind: str | tuple[str, ...] | None = None) -> dict[str, np.dtype]:
        """The dtypes of the standard, by name.

        Args:
          device: None or the CPU.
          kind: only those of a kind, or of several, as for ``isdtype``.

        Raises:
          ValueError: the device or the kind is unknown.
        """
        check_device(device, "fungrad.numpy.__array_namespace_info__().dtypes")
        found = {name: dtypes.canonicalize_dtype(name) for name in _NAMES}
        return {name: dtype for name, dtype in found.items() if kind is None or dtypes.isdtype(dtype, kind)}


def __array_namespace_info__() -> ArrayNamespaceInfo:  # noqa: N807 - the standard's name
    """What the array API standard lets a library ask; see ``ArrayNamespaceInfo``."""
    return ArrayNamespaceInfo()
