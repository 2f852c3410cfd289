"""Registering classes as pytree nodes, `Partial`, and the registry object."""

from __future__ import annotations

import dataclasses
import functools
import keyword
import operator
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any, Self, TypeVar

from fungrad.core.source import api_class
from fungrad.core.tree_keys import GetAttrKey, KeyEntry, KeyPath
from fungrad.core.tree_nodes import NodeType, flattened_index_keys, node_type, register
from fungrad.core.treedef import PyTreeDef, flatten, flatten_with_path

__all__ = [
    "Partial",
    "PyTreeRegistry",
    "default_registry",
    "flatten_one_level",
    "flatten_one_level_with_keys",
    "is_tree_node",
    "register_dataclass",
    "register_pytree_node",
    "register_pytree_node_class",
    "register_pytree_with_keys",
    "register_pytree_with_keys_class",
    "register_static",
    "static",
]

T = TypeVar("T")
C = TypeVar("C", bound=type[Any])
KeyedChildren = Iterable[tuple[KeyEntry, Any]]


def register_pytree_node(
    nodetype: type[T],
    flatten_func: Callable[[T], tuple[Iterable[Any], Any]],
    unflatten_func: Callable[[Any, tuple[Any, ...]], T],
    flatten_with_keys_func: Callable[[T], tuple[KeyedChildren, Any]] | None = None,
) -> None:
    """Makes the instances of a class nodes of pytrees.

    Only the class itself is registered, not its subclasses.

    Args:
      nodetype: the class.
      flatten_func: function from an instance to the pair of its children, an iterable, and its
        metadata. Children are pytrees; metadata is what must be equal for two nodes to have the
        same structure, and should be hashable.
      unflatten_func: function from the metadata and the tuple of children to an instance. It must
        accept any objects as children: structures are also rebuilt around tracers and placeholders.
      flatten_with_keys_func: function like `flatten_func` that gives pairs of key and child.

    Raises:
      TypeError: `nodetype` is not a class.
      ValueError: the class is a node already.

    Examples:
      >>> from fungrad import tree, tree_util
      >>> class Interval:
      ...   def __init__(self, low, high, unit):
      ...     self.low, self.high, self.unit = low, high, unit
      >>> tree_util.register_pytree_node(
      ...     Interval,
      ...     lambda interval: ((interval.low, interval.high), interval.unit),
      ...     lambda unit, ends: Interval(*ends, unit))
      >>> tree.structure(Interval(1.0, 2.0, 'm'))
      PyTreeSpec(CustomTreeNode(Interval['m'], [*, *]), namespace='fungrad')
      >>> tree.map(lambda x: 100 * x, Interval(1.0, 2.0, 'm')).high
      200.0
    """

    def flatten_node(instance: T) -> tuple[Iterable[Any], Any]:
        # This runs for each node of each tree, so `_checked_pair` is called in case of need only.
        result = flatten_func(instance)
        return result if type(result) is tuple and len(result) == 2 else _checked_pair(nodetype, result)

    def open_node(instance: T) -> tuple[Sequence[KeyEntry], Sequence[Any], Any]:
        if flatten_with_keys_func is None:
            children, meta = flatten_node(instance)
            children = tuple(children)
            return flattened_index_keys(len(children)), children, meta
        pairs, meta = _checked_pair(nodetype, flatten_with_keys_func(instance))
        pairs = list(pairs)
        return [key for key, _ in pairs], [child for _, child in pairs], meta

    register(NodeType(nodetype, open_node), flatten_node, unflatten_func, flatten_func)


def _checked_pair(nodetype: type, result: Any) -> tuple[Any, Any]:
    if type(result) is not tuple or len(result) != 2:
        raise ValueError(
            f"fungrad.tree_util.register_pytree_node: the flatten function of "
            f"{nodetype.__qualname__} should return a (children, aux_data) tuple, got {result!r}."
        )
    return result


def register_pytree_node_class(cls: C) -> C:
    """Class decorator: registers a class by its methods.

    Args:
      cls: a class with a method `tree_flatten(self) -> (children, metadata)` and a class method
        `tree_unflatten(cls, metadata, children)`.

    Returns:
      The class.

    Examples:
      >>> from fungrad import tree, tree_util
      >>> @tree_util.register_pytree_node_class
      ... class Box:
      ...   def __init__(self, content):
      ...     self.content = content
      ...   def tree_flatten(self):
      ...     return (self.content,), None
      ...   @classmethod
      ...   def tree_unflatten(cls, metadata, children):
      ...     return cls(*children)
      >>> tree.leaves(Box([1, 2]))
      [1, 2]
    """
    register_pytree_node(cls, operator.methodcaller("tree_flatten"), cls.tree_unflatten)
    return cls


def register_pytree_with_keys(
    nodetype: type[T],
    flatten_with_keys: Callable[[T], tuple[KeyedChildren, Any]],
    unflatten_func: Callable[[Any, tuple[Any, ...]], T],
    flatten_func: Callable[[T], tuple[Iterable[Any], Any]] | None = None,
) -> None:
    """Makes the instances of a class nodes of pytrees whose children have names.

    Args:
      nodetype: the class.
      flatten_with_keys: function from an instance to the pair of an iterable of pairs (key, child)
        and the metadata. Keys are usually `GetAttrKey` or `DictKey`.
      unflatten_func: function from the metadata and the tuple of children to an instance.
      flatten_func: function like `flatten_with_keys` without the keys, where that is faster.

    Raises:
      TypeError: `nodetype` is not a class.
      ValueError: the class is a node already.

    Examples:
      >>> from fungrad import tree, tree_util
      >>> class Line:
      ...   def __init__(self, slope, offset):
      ...     self.slope, self.offset = slope, offset
      >>> tree_util.register_pytree_with_keys(
      ...     Line,
      ...     lambda line: ([(tree_util.GetAttrKey('slope'), line.slope),
      ...                    (tree_util.GetAttrKey('offset'), line.offset)], None),
      ...     lambda _, children: Line(*children))
      >>> [tree_util.keystr(path) for path, _ in tree.leaves_with_path({'fit': Line(1, 2)})]
      ["['fit'].slope", "['fit'].offset"]
    """

    def flatten_without_keys(instance: T) -> tuple[list[Any], Any]:
        pairs, meta = _checked_pair(nodetype, flatten_with_keys(instance))
        return [child for _, child in pairs], meta

    register_pytree_node(
        nodetype, flatten_func or flatten_without_keys, unflatten_func, flatten_with_keys
    )
    if flatten_func is None:
        node_type(nodetype).paired = flatten_with_keys  # type: ignore[union-attr]


def register_pytree_with_keys_class(cls: C) -> C:
    """Class decorator: registers a class with named children by its methods.

    Args:
      cls: a class with a method `tree_flatten_with_keys(self) -> (pairs of key and child,
        metadata)` and a class method `tree_unflatten(cls, metadata, children)`. A method
        `tree_flatten` is used where keys are not needed, if there is one.

    Returns:
      The class.

    Examples:
      >>> from fungrad import tree, tree_util
      >>> @tree_util.register_pytree_with_keys_class
      ... class Box:
      ...   def __init__(self, content):
      ...     self.content = content
      ...   def tree_flatten_with_keys(self):
      ...     return [(tree_util.GetAttrKey('content'), self.content)], None
      ...   @classmethod
      ...   def tree_unflatten(cls, metadata, children):
      ...     return cls(*children)
      >>> tree.leaves_with_path(Box(1))
      [((GetAttrKey(name='content'),), 1)]
    """
    flatten_func = operator.methodcaller("tree_flatten") if hasattr(cls, "tree_flatten") else None
    register_pytree_with_keys(
        cls, operator.methodcaller("tree_flatten_with_keys"), cls.tree_unflatten, flatten_func
    )
    return cls


def register_dataclass(
    nodetype: C,
    data_fields: Sequence[str] | None = None,
    meta_fields: Sequence[str] | None = None,
    drop_fields: Sequence[str] = (),
) -> C:
    """Makes the instances of a dataclass nodes of pytrees; usable as a class decorator.

    Args:
      nodetype: a dataclass, or a class whose constructor takes its attributes by keyword.
      data_fields: names of the fields that are children.
      meta_fields: names of the fields that are metadata: static, hashable, comparable with `==`.
        Both may be left out for a dataclass: fields with the field metadata `static=True` (see
        `fungrad.tree.static`) are then metadata, and all others are children.
      drop_fields: names of dataclass fields that are neither, and get their defaults when an
        instance is rebuilt.

    Returns:
      The class.

    Raises:
      TypeError: only one of the two lists is given, or none for a class that is not a dataclass.
      ValueError: a field of a dataclass is in neither or in both lists, or is unknown; or the class
        is a node already.

    Examples:
      >>> from dataclasses import dataclass
      >>> from fungrad import tree, tree_util
      >>> @tree_util.register_dataclass
      ... @dataclass
      ... class Layer:
      ...   weight: float
      ...   bias: float
      ...   activation: str = tree.static(default='relu')
      >>> tree.map(lambda x: -x, Layer(1.0, 2.0))
      Layer(weight=-1.0, bias=-2.0, activation='relu')
      >>> tree.structure(Layer(1.0, 2.0))
      PyTreeSpec(CustomTreeNode(Layer[('relu',)], [*, *]), namespace='fungrad')
    """
    data, meta = _dataclass_fields(nodetype, data_fields, meta_fields, tuple(drop_fields))
    get_data, get_meta = _attributes_getter(data), _attributes_getter(meta)
    keys = tuple([GetAttrKey(name) for name in data])

    flatten_node, unflatten_node = _written_out(nodetype, data, meta)
    fields = (data, meta) if _are_identifiers((*data, *meta)) else None
    register(
        NodeType(nodetype, lambda instance: (keys, get_data(instance), get_meta(instance)), fields=fields),
        flatten_node,
        unflatten_node,
    )
    return nodetype


def _written_out(
    nodetype: type, data: tuple[str, ...], meta: tuple[str, ...]
) -> tuple[Callable[[Any], tuple[Any, Any]], Callable[[Any, tuple[Any, ...]], Any]]:
    """How instances are taken apart and put together, with the names of the fields in the code: it runs for each node
    of each tree."""
    if not _are_identifiers((*data, *meta)):
        get_data, get_meta = _attributes_getter(data), _attributes_getter(meta)

        def unflatten_node(values: tuple[Any, ...], children: tuple[Any, ...]) -> Any:
            return nodetype(**dict(zip(data, children, strict=True)), **dict(zip(meta, values, strict=True)))

        return lambda instance: (get_data(instance), get_meta(instance)), unflatten_node
    children = "".join([f"x.{name}, " for name in data])
    values = "".join([f"x.{name}, " for name in meta])
    fields = [f"{name}=c[{i}]" for i, name in enumerate(data)] + [f"{name}=m[{i}]" for i, name in enumerate(meta)]
    return (
        eval(f"lambda x: (({children}), ({values}))"),
        eval(f"lambda m, c: nodetype({', '.join(fields)})", {"nodetype": nodetype}),
    )


def _are_identifiers(names: tuple[str, ...]) -> bool:
    return all(name.isidentifier() and not keyword.iskeyword(name) for name in names)


def _dataclass_fields(
    nodetype: type, data_fields: Sequence[str] | None, meta_fields: Sequence[str] | None, drop_fields: tuple[str, ...]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names of the data and metadata fields, checked against the fields of the dataclass."""
    api = "fungrad.tree_util.register_dataclass"
    name = getattr(nodetype, "__qualname__", repr(nodetype))
    if (data_fields is None) != (meta_fields is None):
        raise TypeError(
            f"{api}: give both data_fields and meta_fields for {name}, or neither; got "
            f"{data_fields=} and {meta_fields=}."
        )
    if data_fields is None or meta_fields is None:
        if not dataclasses.is_dataclass(nodetype):
            raise TypeError(
                f"{api}: {name} is not a dataclass, so its fields are not known. Pass data_fields "
                "and meta_fields, or apply dataclasses.dataclass first."
            )
        kept = [field for field in dataclasses.fields(nodetype) if field.name not in drop_fields]
        data = tuple([field.name for field in kept if not field.metadata.get("static", False)])
        meta = tuple([field.name for field in kept if field.metadata.get("static", False)])
    else:
        data, meta = tuple(data_fields), tuple(meta_fields)
    if overlap := sorted(set(data) & set(meta)):
        raise ValueError(
            f"{api}: fields of {name} cannot be both data and metadata, got {overlap} in "
            "data_fields and in meta_fields. Remove each from one of them."
        )
    if dataclasses.is_dataclass(nodetype):
        expected = {field.name for field in dataclasses.fields(nodetype) if field.init}
        expected -= set(drop_fields)
        missing, unexpected = sorted(expected - {*data, *meta}), sorted({*data, *meta} - expected)
        if missing:
            raise ValueError(
                f"{api}: every field of {name} with init=True must be listed, {missing} are not. "
                "Add them to data_fields, meta_fields or drop_fields."
            )
        if unexpected:
            raise ValueError(
                f"{api}: {unexpected} are not fields of {name} that its constructor takes and that "
                "are kept. Remove them from data_fields and meta_fields; a field with init=False "
                "belongs in drop_fields."
            )
    return data, meta


def _attributes_getter(names: tuple[str, ...]) -> Callable[[Any], tuple[Any, ...]]:
    if len(names) > 1:
        return operator.attrgetter(*names)
    return lambda instance: tuple([getattr(instance, name) for name in names])


def static(**kwargs: Any) -> Any:
    """A dataclass field that `register_dataclass` takes as metadata.

    Args:
      **kwargs: arguments of `dataclasses.field`.

    Returns:
      A dataclass field with `static=True` in its metadata.

    Examples:
      >>> from dataclasses import dataclass
      >>> from fungrad import tree, tree_util
      >>> @tree_util.register_dataclass
      ... @dataclass
      ... class Power:
      ...   base: float
      ...   exponent: int = tree.static(default=2)
      >>> tree.leaves(Power(3.0))
      [3.0]
    """
    metadata = {"static": True, **(kwargs.pop("metadata", None) or {})}
    return dataclasses.field(metadata=metadata, **kwargs)


def register_static(cls: C) -> C:
    """Class decorator: makes the instances of a class nodes without children.

    Functions that are traced or compiled treat such an instance as static: two with `a == b` share
    one compilation.

    Args:
      cls: a class with hashable instances.

    Returns:
      The class.

    Examples:
      >>> from fungrad import tree, tree_util
      >>> @tree_util.register_static
      ... class Mode(str):
      ...   pass
      >>> tree.flatten([Mode('train'), 1.0])
      ([1.0], PyTreeSpec([CustomTreeNode(Mode['train'], []), *], namespace='fungrad'))
    """
    register(
        NodeType(
            cls,
            lambda instance: ((), (), instance),
            lambda instance, _length: f"static {cls.__qualname__} {instance!r}",
        ),
        lambda instance: ((), instance),
        lambda instance, _children: instance,
    )
    return cls


@api_class
class Partial(functools.partial):
    """A `functools.partial` that is a pytree: its arguments are children, its function is metadata.

    It can be an argument or result of a traced function, which a plain `functools.partial`, an
    opaque callable, cannot.

    Examples:
      >>> from fungrad import tree, tree_util
      >>> scale = tree_util.Partial(lambda factor, x: factor * x, 3)
      >>> scale(5)
      15
      >>> tree.leaves(scale)
      [3]
      >>> tree.map(lambda x: 10 * x, scale)(5)
      150
    """

    def __new__(cls, func: Callable[..., Any], /, *args: Any, **keywords: Any) -> Self:
        # functools.partial merges with a function that is a partial itself; then its arguments
        # would become children too. Setting the state keeps the two apart.
        self = super().__new__(cls, _uncalled, *args, **keywords)
        if not callable(func):
            raise TypeError(
                f"fungrad.tree_util.Partial: the first argument must be callable, got {func!r}."
            )
        functools.partial.__setstate__(self, (func, args, keywords, None))  # type: ignore[attr-defined]
        return self


def _uncalled() -> None:
    """Stands in for the function of a `Partial` while it is built."""


register_pytree_node(
    Partial,
    lambda partial: ((partial.args, partial.keywords), partial.func),
    lambda func, children: Partial(func, *children[0], **children[1]),
)


def is_tree_node(typ: type) -> bool:
    """Whether the instances of a class are nodes of pytrees.

    Args:
      typ: a class.

    Returns:
      True for the built-in containers that are nodes, namedtuples and registered classes.

    Examples:
      >>> from fungrad import tree_util
      >>> tree_util.is_tree_node(dict), tree_util.is_tree_node(int)
      (True, False)
    """
    return node_type(typ) is not None


def _node_type_of(tree: Any, api: str) -> NodeType:
    node = node_type(type(tree))
    if node is None:
        raise ValueError(
            f"{api}: expected a pytree node, got a leaf of type {type(tree).__qualname__}. "
            "Register the class first, or do not flatten leaves."
        )
    return node


def flatten_one_level(tree: Any) -> tuple[tuple[Any, ...], Hashable]:
    """The children and the metadata of the root of a tree.

    Args:
      tree: a pytree that is not a leaf.

    Returns:
      The pair of the tuple of children and the metadata.

    Raises:
      ValueError: `tree` is a leaf.

    Examples:
      >>> from fungrad import tree_util
      >>> tree_util.flatten_one_level({'b': [1, 2], 'a': 3})
      ((3, [1, 2]), ('a', 'b'))
    """
    _, children, meta = _node_type_of(tree, "fungrad.tree_util.flatten_one_level").open(tree)
    return tuple(children), meta


def flatten_one_level_with_keys(tree: Any) -> tuple[tuple[tuple[KeyEntry, Any], ...], Hashable]:
    """The children with their keys, and the metadata, of the root of a tree.

    Args:
      tree: a pytree that is not a leaf.

    Returns:
      The pair of the tuple of pairs (key, child) and the metadata.

    Raises:
      ValueError: `tree` is a leaf.

    Examples:
      >>> from fungrad import tree_util
      >>> tree_util.flatten_one_level_with_keys([5])
      (((SequenceKey(idx=0), 5),), None)
    """
    node = _node_type_of(tree, "fungrad.tree_util.flatten_one_level_with_keys")
    keys, children, meta = node.open(tree)
    return tuple(zip(keys, children, strict=True)), meta


class PyTreeRegistry:
    """The registry of node types as an object; there is one, `default_registry`."""

    def register_node(
        self,
        nodetype: type,
        flatten_func: Callable[[Any], tuple[Iterable[Any], Any]],
        unflatten_func: Callable[[Any, tuple[Any, ...]], Any],
        flatten_with_keys_func: Callable[[Any], tuple[KeyedChildren, Any]] | None = None,
    ) -> None:
        """Same as `register_pytree_node`."""
        register_pytree_node(nodetype, flatten_func, unflatten_func, flatten_with_keys_func)

    def is_node(self, typ: type) -> bool:
        """Same as `is_tree_node`."""
        return is_tree_node(typ)

    def flatten(
        self, tree: Any, is_leaf: Callable[[Any], bool] | None = None
    ) -> tuple[list[Any], PyTreeDef]:
        """Same as `fungrad.tree.flatten`."""
        return flatten(tree, is_leaf)

    def flatten_with_path(
        self, tree: Any, is_leaf: Callable[[KeyPath, Any], bool] | None = None
    ) -> tuple[list[tuple[KeyPath, Any]], PyTreeDef]:
        """`fungrad.tree.flatten_with_path` with a predicate of path and node."""
        return flatten_with_path(tree, is_leaf, is_leaf_takes_path=True)

    def flatten_one_level(self, tree: Any) -> tuple[tuple[Any, ...], Hashable] | None:
        """Same as `flatten_one_level`, but None for a leaf."""
        return flatten_one_level(tree) if is_tree_node(type(tree)) else None

    def flatten_one_level_with_keys(
        self, tree: Any
    ) -> tuple[tuple[tuple[KeyEntry, Any], ...], Hashable] | None:
        """Same as `flatten_one_level_with_keys`, but None for a leaf."""
        return flatten_one_level_with_keys(tree) if is_tree_node(type(tree)) else None

    def __repr__(self) -> str:
        return "default_registry"

    def __reduce__(self) -> str:
        return "default_registry"


default_registry = PyTreeRegistry()
