"""Structures of pytrees as data, and the classes that may occur in them.

May import ``core``.
"""

from __future__ import annotations

import base64
import collections
import contextlib
import importlib
import json
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

import optree

from fungrad.core import tree
from fungrad.core.arguments import shown
from fungrad.core.tree_nodes import NAMESPACE, node_type
from fungrad.core.tree_registration import flatten_one_level
from fungrad.core.treedef import PyTreeDef

C = TypeVar("C", bound=type[Any])


class _Registration(NamedTuple):
    cls: type
    name: str
    write: Callable[[Any], bytes]
    read: Callable[[bytes], Any]
    build: Callable[[Any, Sequence[Any]], Any]


_by_class: dict[type, _Registration] = {}
_by_name: dict[str, _Registration] = {}


def register_pytree_node_serialization(
    nodetype: C,
    *,
    serialized_name: str,
    serialize_auxdata: Callable[[Any], bytes],
    deserialize_auxdata: Callable[[bytes], Any],
    from_children: Callable[[Any, Sequence[Any]], Any] | None = None,
) -> C:
    """Lets a class of pytree nodes occur in arguments and results of exported functions.

    Each process that reads such a function registers the class under the same name.

    Args:
      nodetype: the class, registered as a pytree node before.
      serialized_name: its name among the bytes.
      serialize_auxdata: function from the metadata of a node to bytes.
      deserialize_auxdata: the inverse.
      from_children: function from metadata and children to a node; by default the one that the class was registered
        with as a pytree node. Only the structure of what it returns matters.

    Returns:
      The class, so that this serves in a decorator.

    Raises:
      ValueError: the class or the name is registered already, or the class is no node and has no ``from_children``.

    Example:
      >>> import fungrad, fungrad.numpy as jnp
      >>> from fungrad import export, tree_util
      >>> class Interval:
      ...   def __init__(self, low, high, unit):
      ...     self.low, self.high, self.unit = low, high, unit
      >>> tree_util.register_pytree_node(
      ...     Interval, lambda i: ((i.low, i.high), i.unit), lambda unit, ends: Interval(*ends, unit))
      >>> _ = export.register_pytree_node_serialization(
      ...     Interval, serialized_name="Interval", serialize_auxdata=str.encode, deserialize_auxdata=bytes.decode)
      >>> f = fungrad.jit(lambda i: i.high - i.low)
      >>> data = export.export(f)(Interval(1.0, 3.0, "m")).serialize()
      >>> float(export.deserialize(data).call(Interval(1.0, 4.0, "m")))
      3.0
    """
    api = "fungrad.export.register_pytree_node_serialization"
    if not isinstance(nodetype, type):
        raise TypeError(f"{api}: nodetype must be a class, got {nodetype!r}")
    if nodetype in _by_class:
        raise ValueError(
            f"{api}: Duplicate serialization registration for type {nodetype.__qualname__}, which was registered with "
            f"serialized_name {_by_class[nodetype].name!r} before"
        )
    if serialized_name in _by_name:
        raise ValueError(
            f"{api}: Duplicate serialization registration for serialized_name {serialized_name!r}, which was given to "
            f"{_by_name[serialized_name].cls.__qualname__} before"
        )
    if from_children is None:
        entry = optree.register_pytree_node.get(nodetype, namespace=NAMESPACE)  # type: ignore[attr-defined]
        if entry is None:
            raise ValueError(
                f"{api}: {nodetype.__qualname__} is no pytree node: call "
                "fungrad.tree_util.register_pytree_node first, or give from_children"
            )
        from_children = entry.unflatten_func
    found = _Registration(nodetype, serialized_name, serialize_auxdata, deserialize_auxdata, from_children)
    _by_class[nodetype] = _by_name[serialized_name] = found
    return nodetype


def register_namedtuple_serialization(nodetype: C, *, serialized_name: str) -> C:
    """Lets a named tuple occur in arguments and results of exported functions.

    Args:
      nodetype: the class. Where the function is read it must have the same fields, in any order.
      serialized_name: its name among the bytes.

    Returns:
      The class, so that this serves in a decorator.

    Raises:
      ValueError: it is no named tuple, or the class or name is registered already.

    Example:
      >>> import fungrad
      >>> from fungrad import export
      >>> from typing import NamedTuple
      >>> class Point(NamedTuple):
      ...   x: float
      ...   y: float
      >>> _ = export.register_namedtuple_serialization(Point, serialized_name="Point")
      >>> data = export.export(fungrad.jit(lambda p: Point(p.y, p.x)))(Point(1.0, 2.0)).serialize()
      >>> export.deserialize(data).call(Point(3.0, 4.0)).x
      Array(4., dtype=float32, weak_type=True)
    """
    fields = getattr(nodetype, "_fields", None)
    if not (isinstance(nodetype, type) and issubclass(nodetype, tuple) and fields is not None):
        raise ValueError(
            f"fungrad.export.register_namedtuple_serialization: {nodetype!r} is no named tuple; use "
            "fungrad.export.register_pytree_node_serialization for types other than `collections.namedtuple`"
        )

    def build(names: Any, children: Sequence[Any]) -> Any:
        if sorted(names) != sorted(fields):
            raise ValueError(
                f"fungrad.export.deserialize: the named tuple {serialized_name} was written with the fields {names}, "
                f"but {nodetype.__qualname__} has {list(fields)}"
            )
        return nodetype(**dict(zip(names, children, strict=True)))

    return register_pytree_node_serialization(
        nodetype,
        serialized_name=serialized_name,
        serialize_auxdata=lambda _: json.dumps(fields).encode(),
        deserialize_auxdata=json.loads,
        from_children=build,
    )


def _write_keys(keys: Any) -> bytes:
    return json.dumps([_key(k, "OrderedDict") for k in keys]).encode()


register_pytree_node_serialization(
    collections.OrderedDict,
    serialized_name="collections.OrderedDict",
    serialize_auxdata=_write_keys,
    deserialize_auxdata=json.loads,
    from_children=lambda keys, children: collections.OrderedDict(zip(keys, children, strict=True)),
)


class _Leaf:
    """Stands for a leaf."""


_LEAF = _Leaf()


def structure_as_data(structure: PyTreeDef, what: str) -> Any:
    """A structure as what JSON can hold.

    Args:
      structure: the structure.
      what: whose it is, for messages.

    Raises:
      NotImplementedError: a class in it is not registered.
    """
    return _node(tree.unflatten(structure, [_LEAF] * structure.num_leaves), what)


def _node(value: Any, what: str) -> Any:
    if value is _LEAF:
        return "leaf"
    if value is None:
        return None
    kind = type(value)
    if kind is tuple or kind is list:
        return [kind.__name__, [_node(v, what) for v in value]]
    if kind is dict:
        return ["dict", [[_key(k, what), _node(v, what)] for k, v in value.items()]]
    found = _by_class.get(kind)
    if found is None and _is_ours(kind):
        return ["record", kind.__module__, kind.__qualname__, list(kind._fields), [_node(v, what) for v in value]]
    if found is None:
        function = "namedtuple" if hasattr(kind, "_fields") else "pytree_node"
        raise NotImplementedError(
            f"fungrad.export: {what} contain nodes of type {kind.__qualname__}, "
            f"whose serialization is unknown: call fungrad.export.register_{function}_serialization for it"
        )
    children, metadata = _open(value)
    written = found.write(metadata)
    if not isinstance(written, (bytes, bytearray)):
        raise TypeError(
            f"fungrad.export: serialize_auxdata of {found.name} must return bytes, got {shown(written)}"
        )
    return ["custom", found.name, base64.b64encode(written).decode(), [_node(v, what) for v in children]]


def _is_ours(kind: type) -> bool:
    """Whether a class is a named tuple of the library, such as the state of an optimizer."""
    return kind.__module__.startswith("fungrad.") and hasattr(kind, "_fields") and "." not in kind.__qualname__


def _record(module: str, name: str, fields: list[str], children: list[Any]) -> Any:
    kind = None
    if module.startswith("fungrad."):
        with contextlib.suppress(ModuleNotFoundError):
            kind = getattr(importlib.import_module(module), name, None)
    if not (isinstance(kind, type) and _is_ours(kind) and list(kind._fields) == fields):  # type: ignore[attr-defined]
        raise ValueError(
            f"fungrad.export.deserialize: the function has arguments or results of type {module}.{name} with the "
            f"fields {fields}, which this version of fungrad does not have; export it anew"
        )
    return kind(*children)


def _open(value: Any) -> tuple[Sequence[Any], Any]:
    node = node_type(type(value))
    if isinstance(value, collections.OrderedDict):
        return list(value.values()), tuple(value)
    if node is not None and hasattr(type(value), "_fields"):
        return list(value), None
    children, metadata = flatten_one_level(value)
    return list(children), metadata


def _key(key: Any, what: str) -> Any:
    if type(key) in (str, int, bool):
        return key
    raise NotImplementedError(
        f"fungrad.export: {what}: only strings and integers can be keys of dicts in exported functions, got {key!r}"
    )


def structure_of_data(data: Any) -> PyTreeDef:
    """The inverse of ``structure_as_data``.

    Raises:
      ValueError: a class in it is not registered in this process.
    """
    return tree.structure(_value(data))


def _value(data: Any) -> Any:
    if data == "leaf":
        return _LEAF
    if data is None:
        return None
    kind = data[0]
    if kind == "tuple":
        return tuple([_value(d) for d in data[1]])
    if kind == "list":
        return [_value(d) for d in data[1]]
    if kind == "dict":
        return {key: _value(d) for key, d in data[1]}
    if kind == "record":
        _, module, name, fields, children = data
        return _record(module, name, fields, [_value(d) for d in children])
    _, name, written, children = data
    found = _by_name.get(name)
    if found is None:
        raise ValueError(
            f"fungrad.export.deserialize: the function has arguments or results of a type written as {name!r}, which "
            "is not registered in this process: call fungrad.export.register_pytree_node_serialization (for a named "
            f"tuple register_namedtuple_serialization) with serialized_name={name!r} first"
        )
    return found.build(found.read(base64.b64decode(written)), [_value(d) for d in children])
