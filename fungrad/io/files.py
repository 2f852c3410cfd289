"""Saving and loading trees of arrays.

The format is safetensors: arrays by name with shape and dtype, read by all frameworks, and nothing in it is code. A
tree's containers, scalars and weak types are described in the file's metadata.

May import ``core``, ``random``, ``io.encoding`` and ``io.atomic``.
"""

from __future__ import annotations

import json
import os
import zipfile
from typing import Any

import numpy as np

from fungrad.core import dtypes, tree
from fungrad.core.arguments import shown
from fungrad.io import encoding
from fungrad.io.atomic import atomic_write
from fungrad.optional import optional

_KEY = "fungrad"
_VERSION = 1

# Names of dtypes in the format.
_DTYPES = {
    "BOOL": "bool", "U8": "uint8", "I8": "int8", "U16": "uint16", "I16": "int16", "U32": "uint32", "I32": "int32",
    "U64": "uint64", "I64": "int64", "F16": "float16", "F32": "float32", "F64": "float64", "BF16": "bfloat16",
    "C64": "complex64", "F8_E4M3": "float8_e4m3fn", "F8_E5M2": "float8_e5m2",
}  # fmt: skip


def _library(api: str) -> Any:
    return optional("safetensors.numpy", api=api, extra="io")


def _path(api: str, path: Any) -> str:
    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(f"{api}: path must be a path, got {shown(path)}")
    return os.fspath(path)


def save(path: Any, tree: Any) -> None:
    """Saves a tree of arrays in a safetensors file.

    The file has every array under its key path, such as ``layers.0.kernel``, which other programs see too; and a
    description of the containers, numbers, strings and weak types, with which ``load`` makes the same tree, bit for
    bit.  The file is written beside ``path`` and renamed when it is whole, so that a process that dies leaves the old
    one; what it has written of the new one is removed when ``path`` is saved again.

    Args:
      path: where to.
      tree: tree of arrays, random keys, numbers and strings.

    Raises:
      TypeError: a leaf is something else.
      ValueError: the path ends in ``.npz``, which ``load`` takes for a file of NumPy.
      ImportError: safetensors is not installed (extra ``io``).
      OSError: the file cannot be written.

    Example:
      >>> import tempfile, os
      >>> import fungrad.numpy as jnp
      >>> from fungrad import io
      >>> path = os.path.join(tempfile.mkdtemp(), "model.safetensors")
      >>> io.save(path, {"w": jnp.ones(2), "step": 3})
      >>> io.load(path)
      {'w': Array([1., 1.], dtype=float32), 'step': 3}
    """
    path = _path("fungrad.io.save", path)
    if path.endswith(".npz"):
        raise ValueError(f"fungrad.io.save: path must not end in .npz, got {path}; the file is a safetensors file")
    save_described(path, tree, {}, api="fungrad.io.save")


def save_described(path: str, value: Any, extra: dict[str, str], api: str) -> None:
    """``save`` with more entries in the metadata."""
    library = _library(api)
    arrays: dict[str, np.ndarray] = {}
    names = encoding.names_of(value)
    leaves = {
        name: encoding.encode_leaf(api, key_path, name, leaf, arrays)
        for name, (key_path, leaf) in zip(names, tree.leaves_with_path(value), strict=True)
    }
    structure = encoding.encode_structure(value, list(names))
    description = json.dumps({"version": _VERSION, "tree": structure, "leaves": leaves})
    metadata = {"format": "np", _KEY: description, **extra}
    directory = os.path.dirname(os.path.abspath(path))
    if not os.path.isdir(directory):
        raise FileNotFoundError(f"{api}: there is no directory {directory}")
    atomic_write(path, lambda temporary: library.save_file(arrays, temporary, metadata))


def metadata_of(path: str, api: str) -> dict[str, str]:
    """The metadata of a safetensors file, without its arrays.

    Raises:
      FileNotFoundError: there is no such file.
      ValueError: it is no safetensors file.
    """
    library = optional("safetensors", api=api, extra="io")
    if not os.path.isfile(path):
        raise FileNotFoundError(f"{api}: there is no file {path}")
    try:
        with library.safe_open(path, "np") as file:
            return file.metadata() or {}
    except library.SafetensorError as error:
        raise ValueError(f"{api}: {path} is no safetensors file, or not all of one: {error}") from None


def load(path: Any, like: Any = None) -> Any:
    """Loads what ``save`` has saved, or arrays that another program has written, of PyTorch for example.

    Args:
      path: a safetensors file, or a ``.npz`` file.
      like: a tree with arrays of the shapes and dtypes that are expected, or their types.  The result has its
        structure, whatever classes it is made of; leaves are found by their key paths.  None for the structure that
        has been saved.

    Returns:
      The tree.  Without ``like``, for files without a description (those of other programs, ``.npz``): a dict of
      arrays by their names.

    Raises:
      FileNotFoundError: there is no such file.
      ValueError: it is no such file, leaves are missing or left over, or their shapes or dtypes differ from those of
        ``like``; or the tree has objects of a class that is not known here, and no ``like`` is given.
      ImportError: safetensors is not installed (extra ``io``).

    Example:
      >>> import tempfile, os
      >>> import numpy as np
      >>> from fungrad import io
      >>> path = os.path.join(tempfile.mkdtemp(), "arrays.npz")
      >>> np.savez(path, w=np.float32([1, 2]))
      >>> io.load(path)
      {'w': Array([1., 2.], dtype=float32)}
    """
    api = "fungrad.io.load"
    path = _path(api, path)
    if not os.path.isfile(path):
        raise FileNotFoundError(f"{api}: there is no file {path}")
    if path.endswith(".npz"):
        arrays, description = _npz(api, path), None
    else:
        arrays, description = _safetensors(api, path)
    if description is not None and description.get("version") != _VERSION:
        raise ValueError(
            f"{api}: {path} has been saved by another version of fungrad, in version {description.get('version')} of "
            f"the description; this one reads {_VERSION}"
        )
    try:
        return _assembled(path, arrays, description, like, api)
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        if description is None or (like is not None and isinstance(error, TypeError)):
            raise
        raise ValueError(
            f"{api}: {path} is damaged: its description and its arrays do not belong together ({error!r})"
        ) from None


def _assembled(path: str, arrays: dict[str, np.ndarray], description: Any, like: Any, api: str) -> Any:
    """The tree of the arrays in a file."""
    leaves = {name: {"kind": "array"} for name in arrays} if description is None else description["leaves"]

    def leaf(name: str) -> Any:
        return encoding.decode_leaf(leaves[name], arrays.get(name))

    if like is None:
        if description is None:
            return {name: leaf(name) for name in arrays}
        return encoding.decode_structure(description["tree"], leaf)
    names = encoding.names_of(like)
    left, missing = encoding.unused_and_missing(names, leaves)
    if left or missing:
        parts = [f"it lacks {', '.join(missing[:5])}"] if missing else []
        parts += [f"it has {', '.join(left[:5])}, which like has not"] if left else []
        raise ValueError(f"{api}: {path} does not have the leaves of like: {'; '.join(parts)}")
    found = []
    for name, wanted in zip(names, tree.leaves(like), strict=True):
        found.append(leaf(name))
        encoding.check_like(name, found[-1], wanted)
    return tree.unflatten(tree.structure(like), found)


def _safetensors(api: str, path: str) -> tuple[dict[str, np.ndarray], dict[str, Any] | None]:
    described = metadata_of(path, api).get(_KEY)
    with open(path, "rb") as file:
        stored = optional("safetensors", api=api, extra="io").deserialize(file.read())
    arrays = {}
    for name, entry in stored:
        dtype = _DTYPES.get(entry["dtype"])
        if dtype is None:
            raise ValueError(f"{api}: {name} in {path} has dtype {entry['dtype']}, which fungrad does not have")
        known = dtypes.canonicalize_dtype(dtype, api)
        # A copy of its own is aligned, and may be given away.
        arrays[name] = np.frombuffer(entry["data"], known).reshape(entry["shape"]).copy()
    if not described:
        return arrays, None
    try:
        description = json.loads(described)
    except json.JSONDecodeError as error:
        raise ValueError(f"{api}: {path} is damaged: its description is no JSON ({error})") from None
    if not isinstance(description, dict):
        raise ValueError(f"{api}: {path} is damaged: its description is no dict")
    return arrays, description


def _npz(api: str, path: str) -> dict[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (ValueError, zipfile.BadZipFile, EOFError) as error:
        raise ValueError(f"{api}: {path} is no .npz file of numbers: {error}") from None
    for name, x in arrays.items():
        if not dtypes.is_known(x.dtype):
            raise ValueError(f"{api}: {name} in {path} has dtype {x.dtype}, which fungrad does not have")
    return arrays
