"""The node types of pytrees as people see them: names of children, words for errors.

Flattening and comparing structures is optree's work. This table adds what it does not know: the key of every child in
JAX's terms, and how an error message names a node.  Tuples, lists, dicts, `None`, namedtuples, `OrderedDict`,
`defaultdict`, `deque` and the classes that users register are nodes; everything else is a leaf, subclasses of the
built-in containers included.

May import ``core.tree_keys``.
"""

from __future__ import annotations

import warnings
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import optree

from fungrad.core.tree_keys import DictKey, FlattenedIndexKey, GetAttrKey, KeyEntry, sequence_keys

__all__ = [
    "NAMESPACE",
    "NodeType",
    "flattened_index_keys",
    "has_hash",
    "known_leaf_types",
    "node_type",
    "register",
    "registered_types",
    "when_registered",
]

NAMESPACE = "fungrad"


class NodeType:
    """How the instances of one Python type are opened and described.

    Attributes:
      cls: the type.
      open: `instance -> (keys, children, metadata)`.
      description: `(metadata, number of children) -> text`, how an error message names the node.
      fields: names of the attributes that are children and of those that are metadata, of a registered class whose
        constructor takes them by keyword; else None.
      flatten: `instance -> (children, metadata)` of a registered class; it may return anything else by mistake.
      paired: `instance -> (pairs of key and child, metadata)` of a class that was registered with nothing else.
      unflatten: `(metadata, children) -> instance` of a registered class.
    """

    __slots__ = ("cls", "description", "fields", "flatten", "open", "paired", "unflatten")

    def __init__(
        self,
        cls: type,
        open: Callable[[Any], tuple[Sequence[KeyEntry], Sequence[Any], Any]],
        description: Callable[[Any, int], str] | None = None,
        fields: tuple[tuple[str, ...], tuple[str, ...]] | None = None,
    ):
        self.cls = cls
        self.open = open
        self.description = description or self._describe_custom
        self.fields = fields
        self.flatten: Callable[[Any], Any] | None = None
        self.paired: Callable[[Any], Any] | None = None
        self.unflatten: Callable[[Any, tuple[Any, ...]], Any] | None = None

    def _describe_custom(self, meta: Any, length: int) -> str:
        text = f"{self.cls.__qualname__} with {length} {'child' if length == 1 else 'children'}"
        return text if meta is None or meta == () else f"{text} and metadata {meta!r}"

    def __repr__(self) -> str:
        return f"NodeType({self.cls.__name__})"


def flattened_index_keys(length: int) -> tuple[KeyEntry, ...]:
    """Keys of the children of a class that was registered without better ones."""
    return tuple([FlattenedIndexKey(i) for i in range(length)])


def _open_sequence(node: Sequence[Any]) -> tuple[Sequence[KeyEntry], Sequence[Any], Any]:
    return sequence_keys(len(node)), tuple(node), None


def _open_deque(node: deque[Any]) -> tuple[Sequence[KeyEntry], Sequence[Any], Any]:
    return sequence_keys(len(node)), tuple(node), node.maxlen


def _open_dict(node: dict[Any, Any]) -> tuple[Sequence[KeyEntry], Sequence[Any], Any]:
    tree: Any = node
    keys, children = dict_keys(node), optree.tree_flatten_one_level(tree, namespace=NAMESPACE)[0]
    return tuple([DictKey(k) for k in keys]), children, keys


def _open_defaultdict(node: defaultdict[Any, Any]) -> tuple[Sequence[KeyEntry], Sequence[Any], Any]:
    keys, children, meta = _open_dict(node)
    return keys, children, (node.default_factory, meta)


def dict_keys(node: dict[Any, Any]) -> tuple[Any, ...]:
    """Keys of a dict in the order in which its children are flattened."""
    tree: Any = node
    return tuple(optree.tree_flatten_one_level(tree, namespace=NAMESPACE)[2])


def _describe_sequence(name: str) -> Callable[[Any, int], str]:
    return lambda _meta, length: f"a {name} of length {length}"


def _describe_mapping(name: str) -> Callable[[Any, int], str]:
    return lambda keys, _length: f"{name} with keys {list(keys)}"


def _describe_defaultdict(meta: Any, _length: int) -> str:
    return f"a defaultdict({meta[0]}) with keys {list(meta[1])}"


def _namedtuple_type(cls: Any) -> NodeType:
    keys = tuple([GetAttrKey(name) for name in cls._fields])
    return NodeType(
        cls,
        lambda node: (keys, tuple(node), None),
        lambda _meta, _length: f"a namedtuple {cls.__name__}({', '.join(cls._fields)})",
    )


_node_types: dict[type, NodeType] = {
    node.cls: node
    for node in (
        NodeType(type(None), lambda _node: ((), (), None), lambda _meta, _length: "None"),
        NodeType(tuple, _open_sequence, _describe_sequence("tuple")),
        NodeType(list, _open_sequence, _describe_sequence("list")),
        NodeType(deque, _open_deque, _describe_sequence("deque")),
        NodeType(dict, _open_dict, _describe_mapping("a dict")),
        NodeType(OrderedDict, _open_dict, _describe_mapping("an OrderedDict")),
        NodeType(defaultdict, _open_defaultdict, _describe_defaultdict),
    )
}


# Types that are known to be leaves: flattening one needs no walk. `core.array` adds arrays, `core.tree_cache` others.
known_leaf_types: set[type] = {int, float, bool, complex}

# Namedtuples are nodes without registration, and may be registered with another rule.
_builtin_types = frozenset(_node_types)
registered_types: set[type] = set()

# Called when a type has been registered: what was found out of trees with instances of it as leaves is wrong now.
when_registered: list[Callable[[], None]] = []


def has_hash(cls: type) -> bool:
    """Whether a class may be looked up in tables: a metaclass that defines `__eq__` alone has no hash.

    Such a class cannot be registered; unless it is a namedtuple, its instances are leaves.
    """
    try:
        hash(cls)
    except TypeError:
        return False
    return True


def node_type(cls: type) -> NodeType | None:
    """The node type of a class; None if its instances are leaves."""
    if not has_hash(cls):
        return _namedtuple_type(cls) if optree.is_namedtuple_class(cls) else None
    node = _node_types.get(cls)
    if node is None and optree.is_namedtuple_class(cls):
        node = _node_types[cls] = _namedtuple_type(cls)
    return node


def register(
    node: NodeType,
    flatten: Callable[[Any], tuple[Iterable[Any], Any]],
    unflatten: Callable[[Any, tuple[Any, ...]], Any],
    given: Callable[[Any], Any] | None = None,
) -> None:
    """Adds a node type.

    Args:
      node: the type.
      flatten, unflatten: how its instances are taken apart and put together.
      given: what the user gave as `flatten`, before its result is checked.

    Raises:
      TypeError: `node.cls` is not a class.
      ValueError: the class is registered already.
    """
    cls = node.cls
    if not isinstance(cls, type):
        raise TypeError(f"fungrad.tree_util.register_pytree_node: expected a class to register, got {cls!r}.")
    if not has_hash(cls):
        raise TypeError(
            f"fungrad.tree_util.register_pytree_node: expected a class that has a hash, got {cls!r}, whose metaclass "
            f"{type(cls).__name__} has __eq__ but no __hash__. Define __hash__ there."
        )
    if cls in _builtin_types or cls in registered_types:
        raise ValueError(
            "fungrad.tree_util.register_pytree_node: Duplicate custom PyTreeDef type registration for "
            f"{cls!r}, which is a pytree node already. Register each class once, where it is defined."
        )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*is a subclass of `collections.namedtuple`", UserWarning)
        optree.register_pytree_node(cls, flatten, unflatten, namespace=NAMESPACE)  # type: ignore[arg-type]
    node.flatten, node.unflatten = given or flatten, unflatten
    known_leaf_types.discard(cls)
    registered_types.add(cls)
    _node_types[cls] = node
    for forget in when_registered:
        forget()
