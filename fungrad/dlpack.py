"""Arrays of other libraries without a copy: the DLPack protocol."""

from __future__ import annotations

from typing import Any

import numpy as np

from fungrad.core import dtypes as _dtypes
from fungrad.core.array import Array as _Array
from fungrad.core.public_names import publish as _publish
from fungrad.numpy import from_dlpack as _from_dlpack

__all__ = ["from_dlpack", "is_supported_dtype"]

_SUPPORTED = frozenset(
    """
    bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float16 bfloat16 float32 float64 complex64 complex128
    """.split()
)


def from_dlpack(external_array: Any, device: Any = None, copy: bool | None = None) -> _Array:
    """An array of the data of another library's array, copied: ``fungrad.numpy.from_dlpack``.

    Args:
      external_array: an array of a library that has DLPack, in memory of the CPU.
      device, copy: as there.

    Example:
      >>> import numpy as np
      >>> import fungrad.dlpack
      >>> fungrad.dlpack.from_dlpack(np.arange(3.0, dtype="float32"))
      Array([0., 1., 2.], dtype=float32)
    """
    return _from_dlpack(external_array, device=device, copy=copy)


def is_supported_dtype(dtype: Any) -> bool:
    """Whether arrays of a dtype can be exchanged.

    Args:
      dtype: a dtype-like.

    Raises:
      TypeError: it is None, or no dtype.

    Example:
      >>> import fungrad.dlpack
      >>> fungrad.dlpack.is_supported_dtype("float32"), fungrad.dlpack.is_supported_dtype("int4")
      (True, False)
    """
    if dtype is None:
        raise TypeError("fungrad.dlpack.is_supported_dtype: Expected a string or dtype-like object; got dtype=None")
    return _dtypes.display_name(np.dtype(_dtypes.canonicalize_dtype(dtype, "fungrad.dlpack.is_supported_dtype"))) in (
        _SUPPORTED
    )


_publish(globals(), __name__, __all__)
