"""The keys that name the children of a pytree node, and their printed form.

A key path is a tuple of these keys, from the root of a tree to one of its nodes. The four classes
have the attribute names that programs written for JAX use (`path[0].idx`, `.key`, `.name`), and
print as the Python expression that reaches the child.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = [
    "DictKey",
    "FlattenedIndexKey",
    "GetAttrKey",
    "KeyEntry",
    "KeyPath",
    "SequenceKey",
    "keystr",
    "sequence_keys",
]


@dataclass(frozen=True, slots=True, init=False)
class SequenceKey:
    """Position of a child in a tuple or list; prints as `[idx]`."""

    idx: int

    def __init__(self, idx: int) -> None:
        _set_idx(self, idx)

    def __str__(self) -> str:
        return f"[{self.idx!r}]"


@dataclass(frozen=True, slots=True, init=False)
class DictKey:
    """Key of a child in a dict, `OrderedDict` or `defaultdict`; prints as `[key]`."""

    key: Any

    def __init__(self, key: Any) -> None:
        _set_dict_key(self, key)

    def __str__(self) -> str:
        return f"[{self.key!r}]"


@dataclass(frozen=True, slots=True, init=False)
class GetAttrKey:
    """Field name of a child in a namedtuple, dataclass or keyed class; prints as `.name`."""

    name: str

    def __init__(self, name: str) -> None:
        _set_name(self, name)

    def __str__(self) -> str:
        return f".{self.name}"


@dataclass(frozen=True, slots=True, init=False)
class FlattenedIndexKey:
    """Position of a child in a registered class that gives no better names."""

    key: int

    def __init__(self, key: int) -> None:
        _set_index(self, key)

    def __str__(self) -> str:
        return f"[<flat index {self.key}>]"


# What dataclasses write for frozen instances takes three times as long, and keys are made for each child of a node.
_set_idx: Callable[[Any, Any], None] = SequenceKey.__dict__["idx"].__set__
_set_dict_key: Callable[[Any, Any], None] = DictKey.__dict__["key"].__set__
_set_name: Callable[[Any, Any], None] = GetAttrKey.__dict__["name"].__set__
_set_index: Callable[[Any, Any], None] = FlattenedIndexKey.__dict__["key"].__set__

KeyEntry = Any
KeyPath = tuple[KeyEntry, ...]

_SHORT_SEQUENCE_KEYS = tuple(SequenceKey(i) for i in range(64))


def sequence_keys(length: int) -> tuple[SequenceKey, ...]:
    """Keys of the children of a sequence; those of short sequences are shared."""
    if length <= len(_SHORT_SEQUENCE_KEYS):
        return _SHORT_SEQUENCE_KEYS[:length]
    return tuple(SequenceKey(i) for i in range(length))


def keystr(keys: Sequence[KeyEntry], *, simple: bool = False, separator: str = "") -> str:
    """Prints a key path.

    Args:
      keys: the path, a sequence of keys; objects of other classes are printed with `str`.
      simple: print only the index, key or name of each key. Shorter, but `0` can then mean a
        position, the integer key 0 or the string key "0".
      separator: text between two keys.

    Returns:
      The path as text.

    Examples:
      >>> from fungrad import tree, tree_util
      >>> params = {'dense': {'w': 1.0, 'b': [2.0, 3.0]}}
      >>> for path, leaf in tree.leaves_with_path(params):
      ...   print(tree_util.keystr(path), tree_util.keystr(path, simple=True, separator='/'))
      ['dense']['b'][0] dense/b/0
      ['dense']['b'][1] dense/b/1
      ['dense']['w'] dense/w
    """
    to_text = _simple_text if simple else str
    return separator.join(to_text(key) for key in keys)


def _simple_text(key: KeyEntry) -> str:
    match key:
        case SequenceKey(value) | DictKey(value) | GetAttrKey(value) | FlattenedIndexKey(value):
            return str(value)
        case _:
            return str(key)
