"""The types of pytree nodes: how each is taken apart, put together, and names its children.

Tuples, lists, dicts, `None` and namedtuples are nodes, as are `OrderedDict`, `defaultdict` and the
classes that users register. Everything else is a leaf, subclasses of the built-in containers
included.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from enum import Enum
from typing import Any

from fungrad.core.tree_keys import DictKey, FlattenedIndexKey, GetAttrKey, KeyEntry, sequence_keys

__all__ = [
    "DICT",
    "LIST",
    "NONE",
    "TUPLE",
    "NodeType",
    "are_plain_types",
    "flatten_sequence",
    "flattened_index_keys",
    "known_leaf_types",
    "node_type",
    "node_walkers",
    "register",
    "same_meta",
    "sorted_keys",
]

_MAX_TABLES = 2048  # per node type: distinct metadata, such as sets of dict keys
# Metadata of these types (or flat tuples of them) is small, and compares equal only when it is the
# same once the types are equal too. Floats are not: 0.0 == -0.0.
_PLAIN_TYPES = frozenset({str, int, bool, bytes, type(None)})
are_plain_types = _PLAIN_TYPES.issuperset

# Identities of the children's structures -> the structure of the node.
StructureTable = dict[tuple[int, ...], Any]


class NodeType:
    """How the instances of one Python type are taken apart and put together.

    Attributes:
      cls: the type.
      flatten: `instance -> (children, metadata)`; children is a sequence, metadata is compared with
        `==`, and hashed when it can be.
      unflatten: `(metadata, tuple of children) -> instance`.
      meta_keys: `(metadata, number of children) -> keys`; None when only an instance knows them.
      flatten_with_keys: `instance -> (keys, children, metadata)`.
      label: how a treedef prints the node when it is not a tuple, list, dict or None.
      description: how an error message names the node.
      plain_table: the table of known structures of nodes without metadata.
    """

    __slots__ = (
        "_tables",
        "cls",
        "description",
        "flatten",
        "flatten_with_keys",
        "label",
        "meta_keys",
        "plain_table",
        "unflatten",
    )

    def __init__(
        self,
        cls: type,
        flatten: Callable[[Any], tuple[Sequence[Any], Any]],
        unflatten: Callable[[Any, tuple[Any, ...]], Any],
        *,
        meta_keys: Callable[[Any, int], tuple[KeyEntry, ...]] | None = None,
        flatten_with_keys: Callable[..., tuple[Sequence[KeyEntry], Sequence[Any], Any]]
        | None = None,
        label: Callable[[Any], str] | None = None,
        description: Callable[[Any, int], str] | None = None,
    ):
        self.cls = cls
        self.flatten = flatten
        self.unflatten = unflatten
        self.meta_keys = meta_keys
        self.flatten_with_keys = flatten_with_keys or self._flatten_with_meta_keys
        self.label = label or (lambda meta: f"{cls.__name__}[{meta}]")
        self.description = description or self._describe_custom
        self.plain_table: StructureTable = {}
        self._tables: dict[Hashable, StructureTable] = {}

    def _flatten_with_meta_keys(self, node: Any) -> tuple[Sequence[KeyEntry], Sequence[Any], Any]:
        assert self.meta_keys is not None, "give meta_keys or flatten_with_keys"
        children, meta = self.flatten(node)
        return self.meta_keys(meta, len(children)), children, meta

    def _describe_custom(self, meta: Any, length: int) -> str:
        text = f"{self.cls.__qualname__} with {length} {'child' if length == 1 else 'children'}"
        return text if meta is None or meta == () else f"{text} and metadata {meta!r}"

    def table(self, meta: Any) -> StructureTable | None:
        """The table of known structures with this metadata; None if they must not be kept.

        Only plain metadata is kept: functions and other objects may hold on to large arrays.
        """
        if meta is None:
            return self.plain_table
        kind: Any = type(meta)
        if kind is tuple:
            kind = tuple(map(type, meta))
            if not are_plain_types(kind):
                return None
        elif kind not in _PLAIN_TYPES:
            return None
        # The types are part of the key: 1, True and 1.0 are equal and not the same.
        table = self._tables.get((meta, kind))
        if table is None:
            if len(self._tables) >= _MAX_TABLES:
                self._tables.clear()
            table = self._tables[(meta, kind)] = {}
        return table

    def __repr__(self) -> str:
        return f"NodeType({self.cls.__name__})"


def same_meta(node: NodeType, meta1: Any, meta2: Any) -> bool:
    """Whether two nodes of one type have equal metadata.

    Raises:
      ValueError: the metadata does not say.
    """
    if meta1 is meta2:
        return True
    try:
        return bool(meta1 == meta2)
    except ValueError as error:  # arrays have no single truth value
        raise ValueError(
            f"fungrad.tree_util.PyTreeDef: the metadata of two {node.cls.__qualname__} nodes "
            f"cannot be compared with `==` ({error}). Arrays belong among the children of a node "
            "(the data fields of a dataclass), not in its metadata."
        ) from error


def sorted_keys(keys: Iterable[Any]) -> tuple[Any, ...]:
    """Dict keys in the order in which the children of a dict are flattened.

    Keys that compare are sorted. Mixed types are ordered by the name of the type first, and members
    of an enumeration by their names.

    Raises:
      ValueError: keys of one type have no order.
    """
    keys = tuple(keys)
    try:
        return tuple(sorted(keys))
    except TypeError:
        pass
    try:
        return tuple(sorted(keys, key=_order_of_key))
    except TypeError as error:
        types = sorted({type(key).__name__ for key in keys})
        raise ValueError(
            f"fungrad.tree.flatten: the keys of a dict must have an order, got keys of type "
            f"{', '.join(types)} ({error}). Define `__lt__` for the class of the keys, or use a "
            "collections.OrderedDict, which keeps its own order."
        ) from error


def _order_of_key(key: Any) -> tuple[str, Any]:
    cls = type(key)
    return f"{cls.__module__}.{cls.__qualname__}", key.name if isinstance(key, Enum) else key


def flatten_sequence(node: Sequence[Any]) -> tuple[Sequence[Any], None]:
    """Flattens a node that is the sequence of its children and has no metadata."""
    return node, None


def _flatten_dict(node: dict[Any, Any]) -> tuple[Sequence[Any], Any]:
    keys = sorted_keys(node)
    return [node[key] for key in keys], keys


def _flatten_ordered_dict(node: OrderedDict[Any, Any]) -> tuple[Sequence[Any], Any]:
    return tuple(node.values()), tuple(node)


def _flatten_defaultdict(node: defaultdict[Any, Any]) -> tuple[Sequence[Any], Any]:
    keys = sorted_keys(node)
    return [node[key] for key in keys], (node.default_factory, keys)


def _sequence_keys(_meta: Any, length: int) -> tuple[KeyEntry, ...]:
    return sequence_keys(length)


def _dict_keys(keys: Iterable[Any], _length: int) -> tuple[KeyEntry, ...]:
    return tuple([DictKey(key) for key in keys])


def flattened_index_keys(_meta: Any, length: int) -> tuple[KeyEntry, ...]:
    """Keys of the children of a class that was registered without better ones."""
    return tuple([FlattenedIndexKey(i) for i in range(length)])


def _describe_sequence(name: str) -> Callable[[Any, int], str]:
    return lambda _meta, length: f"a {name} of length {length}"


def _describe_mapping(
    name: str, keys_of: Callable[[Any], Iterable[Any]]
) -> Callable[[Any, int], str]:
    return lambda meta, _length: f"{name} with keys {list(keys_of(meta))}"


NONE = NodeType(
    type(None),
    lambda _node: ((), None),
    lambda _meta, _children: None,
    meta_keys=_sequence_keys,
    description=lambda _meta, _length: "None",
)
TUPLE = NodeType(
    tuple,
    flatten_sequence,
    lambda _meta, children: children,
    meta_keys=_sequence_keys,
    description=_describe_sequence("tuple"),
)
LIST = NodeType(
    list,
    flatten_sequence,
    lambda _meta, children: list(children),
    meta_keys=_sequence_keys,
    description=_describe_sequence("list"),
)
DICT = NodeType(
    dict,
    _flatten_dict,
    lambda keys, children: dict(zip(keys, children, strict=True)),
    meta_keys=_dict_keys,
    description=_describe_mapping("a dict", lambda keys: keys),
)
_ORDERED_DICT = NodeType(
    OrderedDict,
    _flatten_ordered_dict,
    lambda keys, children: OrderedDict(zip(keys, children, strict=True)),
    meta_keys=_dict_keys,
    description=_describe_mapping("an OrderedDict", lambda keys: keys),
)
_DEFAULT_DICT = NodeType(
    defaultdict,
    _flatten_defaultdict,
    lambda meta, children: defaultdict(meta[0], zip(meta[1], children, strict=True)),
    meta_keys=lambda meta, length: _dict_keys(meta[1], length),
    description=lambda meta, _length: f"a defaultdict({meta[0]}) with keys {list(meta[1])}",
)


def _namedtuple_type(cls: Any) -> NodeType:
    keys = tuple([GetAttrKey(name) for name in cls._fields])
    return NodeType(
        cls,
        flatten_sequence,
        lambda _meta, children: cls(*children),
        meta_keys=lambda _meta, _length: keys,
        label=lambda _meta: f"namedtuple[{cls.__name__}]",
        description=lambda _meta, _length: f"a namedtuple {cls.__name__}({', '.join(cls._fields)})",
    )


_node_types: dict[type, NodeType] = {
    node.cls: node for node in (NONE, TUPLE, LIST, DICT, _ORDERED_DICT, _DEFAULT_DICT)
}
_registered: set[type] = set(_node_types)

# Caches of core.tree_flatten; here, because registering a class must reach them.
known_leaf_types: set[type] = set()
node_walkers: dict[type, Any] = {}


def node_type(cls: type) -> NodeType | None:
    """The node type of a class; None if its instances are leaves."""
    node = _node_types.get(cls)
    if node is None and issubclass(cls, tuple) and hasattr(cls, "_fields"):
        node = _node_types[cls] = _namedtuple_type(cls)
    return node


def register(node: NodeType) -> None:
    """Adds a node type.

    Raises:
      TypeError: `node.cls` is not a class.
      ValueError: the class is registered already.
    """
    cls = node.cls
    if not isinstance(cls, type):
        raise TypeError(
            f"fungrad.tree_util.register_pytree_node: expected a class to register, got {cls!r}."
        )
    if cls in _registered:
        raise ValueError(
            f"fungrad.tree_util.register_pytree_node: duplicate registration, {cls!r} is a pytree "
            "node already. Register each class once, where it is defined."
        )
    _registered.add(cls)
    _node_types[cls] = node
    known_leaf_types.discard(cls)
    node_walkers.pop(cls, None)
