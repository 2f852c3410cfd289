"""NumPy's files of arrays: ``.npy`` and ``.npz``, and files of plain numbers.

``fungrad.io`` has files for trees of arrays of all dtypes.

May import ``core`` and ``numpy.creation``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fungrad.core import dtypes
from fungrad.core.array import Array
from fungrad.numpy.creation import asarray


def _writable(x: Any, api: str, name: str) -> np.ndarray:
    """An argument as an ndarray of a dtype that NumPy's files know."""
    data = np.asarray(x)
    if data.dtype == dtypes.bfloat16:
        return data  # written as two raw bytes, which `load` takes for bfloat16, as JAX does
    if data.dtype.kind == "V" and dtypes.is_known(data.dtype) or data.dtype.isbuiltin == 2:
        raise TypeError(
            f"fungrad.numpy.{api}: {name} has dtype {dtypes.display_name(data.dtype)}, which NumPy's files lack; "
            "convert it with .astype, or write with fungrad.io.save"
        )
    return data


def save(file: Any, arr: Any, allow_pickle: bool = True) -> None:
    """Writes an array to a ``.npy`` file.

    Args:
      file: name, path, or file open for writing bytes; names get the ending ``.npy``.
      arr: array, scalar or list.
      allow_pickle: whether arrays of Python objects may be written.

    Raises:
      TypeError: NumPy's files do not have the dtype (8-bit floats, random keys).

    Example:
      >>> import tempfile, fungrad.numpy as jnp
      >>> with tempfile.TemporaryFile() as file:
      ...     jnp.save(file, jnp.arange(3))
      ...     _ = file.seek(0)
      ...     print(repr(jnp.load(file)))
      Array([0, 1, 2], dtype=int32)
    """
    np.save(file, _writable(arr, "save", "arr"), allow_pickle=allow_pickle)


def savez(file: Any, *args: Any, allow_pickle: bool = True, **kwds: Any) -> None:
    """Writes several arrays to a ``.npz`` file.

    Args:
      file: name, path, or file open for writing bytes; names get the ending ``.npz``.
      *args: arrays, which are called ``arr_0``, ``arr_1`` ...
      allow_pickle: whether arrays of Python objects may be written.
      **kwds: arrays with names.

    Raises:
      TypeError: NumPy's files do not have the dtype of an array.

    Example:
      >>> import tempfile, fungrad.numpy as jnp
      >>> with tempfile.TemporaryFile() as file:
      ...     jnp.savez(file, x=jnp.arange(3), y=1.5)
      ...     _ = file.seek(0)
      ...     print(sorted(jnp.load(file)))
      ['x', 'y']
    """
    arrays = [_writable(x, "savez", f"argument {i}") for i, x in enumerate(args)]
    named = {name: _writable(x, "savez", name) for name, x in kwds.items()}
    np.savez(file, *arrays, allow_pickle=allow_pickle, **named)


def load(file: Any, *args: Any, **kwargs: Any) -> Any:
    """Reads a file that NumPy or ``save`` has written.

    Args:
      file: name, path, or file open for reading bytes.
      *args: passed to ``numpy.load``.
      **kwargs: passed to ``numpy.load``.

    Returns:
      An array, of default width, and of bfloat16 if its elements are two raw bytes, which is how NumPy writes that;
      for ``.npz`` files NumPy's mapping from names to ndarrays.

    Raises:
      TypeError: the file has an array of raw bytes, which is what NumPy writes of dtypes that it does not know.
      OverflowError: an integer does not fit the default width.

    Example:
      See ``save``.

    Example:
      >>> import io
      >>> import fungrad.numpy as jnp
      >>> file = io.BytesIO()
      >>> jnp.save(file, jnp.array([1, 2]))
      >>> place = file.seek(0)
      >>> jnp.load(file)
      Array([1, 2], dtype=int32)
    """
    found = np.load(file, *args, **kwargs)
    if not isinstance(found, np.ndarray):
        return found
    if found.dtype == "V2":
        return asarray(found.view(dtypes.bfloat16))
    if found.dtype.kind == "V" and found.dtype.names is None:
        raise TypeError(
            f"fungrad.numpy.load: the file has {found.dtype.itemsize} raw bytes for each element, which NumPy writes "
            "of dtypes that it does not know; numpy.load(file).view(dtype) is the array if you know its dtype"
        )
    return asarray(found)


def fromfile(file: Any, dtype: Any = float, count: int = -1, sep: str = "", offset: int = 0) -> Array:
    """An array of the numbers of a file, binary or text.

    Args:
      file: name, path, or open file.
      dtype: dtype of the numbers; an explicit one is kept at its width.
      count: how many to read, -1 for all.
      sep: what separates the numbers of a text; empty for a binary file.
      offset: how many bytes to skip in a binary file.

    Returns:
      A vector.

    Example:
      >>> import tempfile, fungrad.numpy as jnp
      >>> with tempfile.TemporaryFile() as file:
      ...     _ = file.write(bytes([1, 2, 3]))
      ...     _ = file.seek(0)
      ...     print(jnp.fromfile(file, "uint8"))
      [1 2 3]
    """
    found = dtypes.canonicalize_dtype(dtype, "fungrad.numpy.fromfile")
    data = np.fromfile(file, found, count, sep, offset=offset)
    return asarray(data, dtype=data.dtype)


__all__ = ["fromfile", "load", "save", "savez"]
