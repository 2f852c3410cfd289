"""DLPack, the protocol by which array libraries hand memory to each other, where NumPy's own support ends.

NumPy exports and imports the dtypes that it has.  bfloat16 and the 8-bit floats are dtypes of ``ml_dtypes``, which it
refuses, although DLPack has them: they travel as unsigned integers of their width, and the type code in the capsule is
exchanged, which is what this file does.

Arrays are immutable.  Version 1 of the protocol can say so, and a consumer that asks for it gets our memory, marked
read-only; older consumers, which could write to it, get a copy.

May import ``core.dtypes``.
"""

from __future__ import annotations

import ctypes
from typing import Any

import ml_dtypes
import numpy as np

# NumPy 2.0 has the older protocol only.
_NUMPY_VERSIONED = np.lib.NumpyVersion(np.__version__) >= "2.1.0"

CPU_DEVICE = (1, 0)  # kDLCPU, number 0

_UNSIGNED = 1
# Codes of the dtypes of ml_dtypes; all but the first are of 8 bits.
_CODES = {
    "bfloat16": 4,
    "float8_e3m4": 7,
    "float8_e4m3": 8,
    "float8_e4m3b11fnuz": 9,
    "float8_e4m3fn": 10,
    "float8_e4m3fnuz": 11,
    "float8_e5m2": 12,
    "float8_e5m2fnuz": 13,
    "float8_e8m0fnu": 14,
}
_DTYPES = {code: np.dtype(getattr(ml_dtypes, name)) for name, code in _CODES.items() if hasattr(ml_dtypes, name)}


class _Tensor(ctypes.Structure):
    """``DLTensor``."""

    _fields_ = [
        ("data", ctypes.c_void_p),
        ("device_type", ctypes.c_int32),
        ("device_id", ctypes.c_int32),
        ("ndim", ctypes.c_int32),
        ("code", ctypes.c_uint8),
        ("bits", ctypes.c_uint8),
        ("lanes", ctypes.c_uint16),
        ("shape", ctypes.c_void_p),
        ("strides", ctypes.c_void_p),
        ("byte_offset", ctypes.c_uint64),
    ]


class _Managed(ctypes.Structure):
    """``DLManagedTensor``, of before version 1."""

    _fields_ = [("tensor", _Tensor), ("manager", ctypes.c_void_p), ("deleter", ctypes.c_void_p)]


class _ManagedVersioned(ctypes.Structure):
    """``DLManagedTensorVersioned``."""

    _fields_ = [
        ("major", ctypes.c_uint32),
        ("minor", ctypes.c_uint32),
        ("manager", ctypes.c_void_p),
        ("deleter", ctypes.c_void_p),
        ("flags", ctypes.c_uint64),
        ("tensor", _Tensor),
    ]


_LAYOUTS = {b"dltensor": _Managed, b"dltensor_versioned": _ManagedVersioned}

_get_name = ctypes.PYFUNCTYPE(ctypes.c_char_p, ctypes.py_object)(("PyCapsule_GetName", ctypes.pythonapi))
_get_pointer = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)(
    ("PyCapsule_GetPointer", ctypes.pythonapi)
)


def _tensor(capsule: Any) -> Any:
    """The description of the array in a capsule that nobody has used."""
    name = _get_name(capsule)
    layout = _LAYOUTS.get(name)
    if layout is None:
        raise BufferError(f"fungrad: a DLPack capsule is called {name!r}: it has been used already, or is none")
    return layout.from_address(_get_pointer(capsule, name)).tensor


def export(
    data: np.ndarray,
    *,
    stream: Any = None,
    max_version: tuple[int, int] | None = None,
    dl_device: tuple[int, int] | None = None,
    copy: bool | None = None,
) -> Any:
    """A capsule with an array that its consumer may not write to; see the module.

    Args:
      data: the memory of an array.
      stream: None, there are no streams on a CPU.
      max_version: the version that the consumer knows; None means one before 1.
      dl_device: where it wants the array: the CPU.
      copy: whether it gets a copy, to which it may write; None: if that must be. With False a consumer of before
        version 1 gets our memory and cannot be told that it must not write to it.

    Raises:
      BufferError: the dtype or device cannot be exported, or ``copy=False`` is not possible.
    """
    if stream is not None:
        raise ValueError(f"fungrad.Array.__dlpack__: stream must be None on the CPU, got {stream!r}")
    if dl_device is not None and tuple(dl_device) != CPU_DEVICE:
        raise BufferError(f"fungrad.Array.__dlpack__: arrays are on the CPU, {CPU_DEVICE}, got dl_device={dl_device}")
    versioned = _NUMPY_VERSIONED and max_version is not None and max_version[0] >= 1
    code = _CODES.get(data.dtype.name)
    if code is None and (data.dtype.kind not in "biufc" or data.dtype.isbuiltin != 1):
        raise BufferError(f"fungrad.Array.__dlpack__: DLPack has no dtype {data.dtype.name}")
    view = data.copy() if copy or copy is None and not versioned else data.view()
    if not copy and versioned:
        view.flags.writeable = False
    elif not view.flags.writeable:
        raise BufferError("fungrad.Array.__dlpack__: copy=False needs max_version=(1, 0) or later for this array")
    if code is not None:
        view = view.view(f"u{data.dtype.itemsize}")
    if versioned:
        capsule = view.__dlpack__(max_version=tuple(max_version))  # type: ignore[call-arg,arg-type]
    else:
        capsule = view.__dlpack__()
    if code is not None:
        _tensor(capsule).code = code
    return capsule


class _Received:
    """An array of another library, for NumPy, with the type code exchanged on the way; ``dtype`` is the true one."""

    def __init__(self, x: Any):
        self.x = x
        self.dtype: np.dtype | None = None

    def __dlpack__(self, **kwargs: Any) -> Any:
        try:
            capsule = self.x.__dlpack__(**kwargs)
        except TypeError:  # written before version 1, without keywords
            capsule = self.x.__dlpack__()
        tensor = _tensor(capsule)
        self.dtype = _DTYPES.get(tensor.code)
        if self.dtype is not None:
            if tensor.bits != 8 * self.dtype.itemsize or tensor.lanes != 1:
                raise BufferError(f"fungrad: {self.dtype} of {tensor.bits} bits in {tensor.lanes} lanes")
            tensor.code = _UNSIGNED
        return capsule

    def __dlpack_device__(self) -> tuple[int, int]:
        return self.x.__dlpack_device__()


def receive(x: Any) -> np.ndarray:
    """The memory of an array of another library as an ndarray, also of dtypes that NumPy does not know.

    Raises:
      BufferError: the array is not in memory of the CPU, or has a dtype that nobody knows.
    """
    source = _Received(x)
    data = np.from_dlpack(source)
    return data if source.dtype is None else data.view(source.dtype)


__all__ = ["CPU_DEVICE", "export", "receive"]
