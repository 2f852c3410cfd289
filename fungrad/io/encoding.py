"""Trees as named arrays and a description in JSON, and back; no code is stored, and none is run to read it.

May import ``core`` and ``random``.
"""

from __future__ import annotations

import importlib
import sys
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from fungrad import random
from fungrad.core import dtypes, tree
from fungrad.core.array import Array, wrap_unchecked
from fungrad.core.avals import ShapedArray
from fungrad.core.tree_keys import KeyPath, keystr
from fungrad.core.tree_registration import flatten_one_level_with_keys, is_tree_node

# Dtypes that the format knows; others are stored as bytes, with their names in the description.
_NATIVE = frozenset(
    """bool uint8 int8 uint16 int16 uint32 int32 uint64 int64 float16 float32 float64 bfloat16 float8_e4m3fn
    float8_e5m2""".split()
)


def names_of(value: Any) -> list[str]:
    """A name for each leaf of a tree, in order: its key path, such as ``layers.0.kernel``."""
    found: list[str] = []
    taken: set[str] = set()
    for path, _ in tree.leaves_with_path(value):
        name = keystr(path, simple=True, separator=".") or "value"
        # {"a.b": x, "a": {"b": y}} has two leaves of one name.
        unique, n = name, 1
        while unique in taken:
            n += 1
            unique = f"{name}~{n}"
        taken.add(unique)
        found.append(unique)
    return found


# -- leaves ------------------------------------------------------------------------------------------------------------


def encode_leaf(api: str, path: KeyPath, name: str, leaf: Any, arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    """The description of a leaf; an array goes into ``arrays``.

    Raises:
      TypeError: it is neither array, number nor string.
    """
    if isinstance(leaf, Array):
        if dtypes.is_key(leaf.dtype):
            generator = random.key_impl(leaf)
            if not isinstance(generator, str):
                raise TypeError(
                    f"{api}: tree{keystr(path)} has keys of {generator!r}, a generator without a registered name, "
                    "which files cannot name; save their words (fungrad.random.key_data)"
                )
            arrays[name] = np.asarray(random.key_data(leaf))
            return {"kind": "key", "impl": generator}
        stored = _stored(name, np.asarray(leaf), arrays)
        return {"kind": "array", **stored, **({"weak": True} if leaf.weak_type else {})}
    if isinstance(leaf, (np.ndarray, np.generic)) and dtypes.is_known(leaf.dtype):
        stored = _stored(name, np.asarray(leaf), arrays)
        return {"kind": "numpy scalar" if isinstance(leaf, np.generic) else "numpy", **stored}
    # Of the classes themselves: what a subclass adds would be lost.
    if type(leaf) is bool or type(leaf) is str:
        return {"kind": type(leaf).__name__, "value": leaf}
    if type(leaf) is int:
        return {"kind": "int", "value": str(leaf)}
    if type(leaf) is float:
        return {"kind": "float", "value": leaf.hex()}
    if type(leaf) is complex:
        return {"kind": "complex", "value": [leaf.real.hex(), leaf.imag.hex()]}
    if isinstance(leaf, (np.ndarray, np.generic)):
        raise TypeError(f"{api}: tree{keystr(path)} has dtype {leaf.dtype}, which cannot be saved")
    raise TypeError(
        f"{api}: tree{keystr(path)} must be an array, a number or a string, got {type(leaf).__name__}; keep other "
        "values, such as functions, out of what is saved"
    )


def _stored(name: str, x: np.ndarray, arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    if x.dtype.name in _NATIVE:
        arrays[name] = np.ascontiguousarray(x, x.dtype.newbyteorder("=")).reshape(x.shape)
        return {}
    data = np.ascontiguousarray(x, x.dtype.newbyteorder("="))
    arrays[name] = np.frombuffer(data.tobytes(), np.uint8)
    return {"dtype": x.dtype.name, "shape": list(x.shape)}


def decode_leaf(spec: Mapping[str, Any], stored: np.ndarray | None) -> Any:
    """The leaf that ``encode_leaf`` has described."""
    kind = spec["kind"]
    if kind in ("bool", "str"):
        return spec["value"]
    if kind == "int":
        return int(spec["value"])
    if kind == "float":
        return float.fromhex(spec["value"])
    if kind == "complex":
        return complex(*map(float.fromhex, spec["value"]))
    if stored is None:
        raise KeyError(kind)
    if kind == "key":
        # Files of earlier versions name no generator: there was one.
        return random.wrap_key_data(stored, impl=spec.get("impl", "threefry2x32"))
    if "dtype" in spec:
        dtype = dtypes.canonicalize_dtype(spec["dtype"], "fungrad.io.load")
        stored = np.frombuffer(bytearray(stored.tobytes()), dtype).reshape(spec["shape"])
    if kind == "numpy":
        return stored
    if kind == "numpy scalar":
        return stored[()]
    return wrap_unchecked(stored, ShapedArray(stored.shape, stored.dtype, bool(spec.get("weak"))))


# -- containers --------------------------------------------------------------------------------------------------------

_KEYS: dict[str, Callable[[str], Any]] = {"str": str, "int": int, "bool": lambda text: text == "True"}


def encode_structure(value: Any, leaf_names: list[str]) -> Any:
    """A tree with the names of its leaves (taken from the front of ``leaf_names``) as nested lists for JSON."""
    if not is_tree_node(type(value)):
        return leaf_names.pop(0)
    if value is None:
        return {"none": []}
    keyed, meta = flatten_one_level_with_keys(value)
    children = [encode_structure(child, leaf_names) for _, child in keyed]
    kind = type(value)
    if kind in (tuple, list):
        return {kind.__name__: children}
    if kind in (dict, OrderedDict) and all(type(k.key).__name__ in _KEYS for k, _ in keyed):
        order = list(value)
        names = [[type(k.key).__name__, str(k.key)] for k, _ in keyed]
        return {kind.__name__: children, "keys": names, "order": [order.index(k.key) for k, _ in keyed]}
    if kind is deque:
        return {"deque": children, "maxlen": value.maxlen}
    described = {"class": f"{kind.__module__}:{kind.__qualname__}", "children": children}
    if isinstance(value, tuple) and hasattr(kind, "_fields"):
        described["fields"] = list(kind._fields)
    return described


def decode_structure(encoded: Any, leaf: Callable[[str], Any]) -> Any:
    """The tree that ``encode_structure`` has described, with ``leaf(name)`` for its leaves.

    Raises:
      ValueError: it contains objects of a class that cannot be made from the description.
    """
    if isinstance(encoded, str):
        return leaf(encoded)
    if "none" in encoded:
        return None
    for kind in (tuple, list):
        if kind.__name__ in encoded:
            return kind([decode_structure(child, leaf) for child in encoded[kind.__name__]])
    for mapping in (dict, OrderedDict):
        if mapping.__name__ in encoded:
            keys = [_KEYS[kind](text) for kind, text in encoded["keys"]]
            values = [decode_structure(child, leaf) for child in encoded[mapping.__name__]]
            places = sorted(range(len(keys)), key=encoded["order"].__getitem__)
            return mapping([(keys[n], values[n]) for n in places])
    if "deque" in encoded:
        return deque([decode_structure(child, leaf) for child in encoded["deque"]], encoded["maxlen"])
    children = [decode_structure(child, leaf) for child in encoded["children"]]
    return _namedtuple(encoded["class"], encoded.get("fields"))(*children)


def _namedtuple(name: str, fields: list[str] | None) -> type:
    module, _, qualname = name.partition(":")
    if module.partition(".")[0] == "fungrad":
        importlib.import_module(module)
    # A file must not make a process import what it has not imported.
    found: Any = sys.modules.get(module)
    for part in qualname.split("."):
        found = getattr(found, part, None)
    if fields is None or not isinstance(found, type) or list(getattr(found, "_fields", ())) != fields:
        reason = "is not stored by its fields" if fields is None else "is not imported, or has other fields than before"
        raise ValueError(
            f"fungrad.io.load: the tree has an object of class {name}, which {reason}; pass a tree of the same "
            "structure as like"
        )
    return found


def check_like(name: str, found: Any, like: Any) -> None:
    """Checks what is put in the place of a leaf of a given tree.

    Raises:
      ValueError: shape or dtype differ, or one is an array and the other is not.
    """
    wanted = getattr(like, "shape", None), getattr(like, "dtype", None)
    if isinstance(like, np.ndarray):
        # Files have one order of bytes.
        wanted = like.shape, like.dtype.newbyteorder("=")
    got = getattr(found, "shape", None), getattr(found, "dtype", None)
    if (wanted[0] is None) != (got[0] is None):
        raise ValueError(f"fungrad.io.load: {name} is {_described(found)} in the file and {_described(like)} in like")
    if wanted[0] is not None and (tuple(wanted[0]), np.dtype(wanted[1])) != (tuple(got[0] or ()), got[1]):
        raise ValueError(
            f"fungrad.io.load: {name} is {_described(found)} in the file and {_described(like)} in like; convert after "
            "loading without like, if that is meant"
        )


def _described(x: Any) -> str:
    if hasattr(x, "shape") and hasattr(x, "dtype"):
        return f"{dtypes.display_name(np.dtype(x.dtype))}{list(x.shape)}"
    return type(x).__name__


def unused_and_missing(names: Sequence[str], stored: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """Names that only the file has, and those that only the tree has."""
    return sorted(set(stored) - set(names)), sorted(set(names) - set(stored))
