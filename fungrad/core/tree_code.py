"""Straight-line Python code for trees of one structure.

optree takes any tree apart and puts any tree together. Code written out for one structure does it in a fraction of the
time: it reads attributes and entries by name and checks, on its way, that the tree has that structure. `TreeReader`
and `construction` write it for dicts with text or integers as keys, lists, tuples, namedtuples, None and registered
classes; whatever else there is raises `NoCodeError` and stays with optree.

The structure that such code gives is one that optree made of an earlier tree. So the code accepts a node only if nobody
can tell its keys and metadata from those of the earlier one, which is more than that they are equal: `1` is not `True`.

May import ``core.tree_nodes``.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from types import MethodType
from typing import Any

import optree

from fungrad.core.tree_nodes import NodeType, node_type, registered_types

__all__ = ["MOST_LEAVES", "Kind", "NoCodeError", "TreeReader", "construction", "constructor", "defined", "same"]

# Compared by value: optree before 0.17 makes the object of a kind anew each time.
Kind = optree.PyTreeKind
Spec = Any

# Structures with more leaves are left to optree: code grows with them.
MOST_LEAVES = 10_000

# Children of a list or tuple that are all leaves are read as a run from so many on: code for each takes
# less time, but is long.
_RUN = 256
# So many elements of metadata are compared in place.
_MOST_ELEMENTS = 32

# Types whose values are told by type and `==` alone.
_PLAIN = (str, int, bytes, MethodType)


class NoCodeError(Exception):
    """A structure that no code is written for."""


class TreeReader:
    """Code that takes apart trees of one structure.

    Attributes:
      names: what the code refers to.
      lines: the code; it returns None where a tree differs.
      leaves: text of an element of a list display for each leaf or run of leaves.
      has_runs: whether there are runs.
      nodes: variables of nodes and leaves, in depth-first order; without what is in runs.
    """

    def __init__(self, runs: bool = False) -> None:
        self.names: dict[str, Any] = {"same": same, "registered": registered_types}
        self.lines: list[str] = []
        self.leaves: list[str] = []
        self.has_runs = False
        self.nodes: list[str] = []
        self._runs = runs
        self._numbers = itertools.count()

    def leaf(self, value: str) -> None:
        """Code for the leaf in the variable ``value``."""
        self.leaves.append(value)

    def known(self, prefix: str, value: Any) -> str:
        """A name for an object that the code refers to."""
        name = f"{prefix}{len(self.names)}"
        self.names[name] = value
        return name

    def require(self, condition: str) -> None:
        """A line that gives up unless ``condition`` holds."""
        self.lines.append(f"if not ({condition}): return None")

    def tree(self, spec: Spec, value: str, example: Any = None, exact: bool = False) -> None:
        """Code for the tree in the variable ``value``.

        Args:
          spec: its structure.
          value: the variable.
          example: a tree of the structure, if ``exact``.
          exact: whether dicts must have their keys in the order of the example.

        Raises:
          NoCodeError: there is no code for the structure.
        """
        try:
            self.node(spec, value, example, exact)
        except RecursionError:
            # optree goes deeper than Python, and needs less of the stack that there is.
            raise NoCodeError from None
        except Exception as error:
            # A class may give anything else when it is asked again about the example, or raise an error.
            if not exact:
                raise
            raise NoCodeError from error

    def node(self, spec: Spec, value: str, example: Any = None, exact: bool = False) -> None:
        """Code for a node of the tree, as ``tree``."""
        self.nodes.append(value)
        if spec.is_leaf():
            self.leaf(value)
            return
        kind = spec.kind
        if kind == Kind.NONE:
            self.require(f"{value} is None")
            return
        specs = spec.children()
        cls = self.known("cls", spec.type)
        condition = f"type({value}) is {cls}"
        if kind != Kind.CUSTOM:
            condition += f" and len({value}) == {len(specs)}"
        if kind == Kind.NAMEDTUPLE:
            # The class may be registered with rules of its own at any time.
            condition += f" and {cls} not in registered"
        self.require(condition)
        if kind == Kind.DICT:
            names, examples = self._dict(spec, value, example, exact)
        elif kind == Kind.CUSTOM:
            names, examples = self._custom(spec, value, example, exact)
        elif kind not in (Kind.TUPLE, Kind.LIST, Kind.NAMEDTUPLE):
            raise NoCodeError
        elif self._runs and len(specs) >= _RUN and all(s.is_leaf() for s in specs):
            self.leaves.append(f"*{value}")
            self.has_runs = True
            return
        else:
            names, examples = self._unpacked(len(specs), value), example
        for name, child, x in zip(names, specs, examples if exact else specs, strict=True):
            self.node(child, name, x, exact)

    def _unpacked(self, count: int, value: str) -> list[str]:
        names = [f"v{next(self._numbers)}" for _ in range(count)]
        if names:
            self.lines.append(f"{', '.join(names)}, = {value}")
        return names

    def _dict(self, spec: Spec, value: str, example: Any, exact: bool) -> tuple[list[str], Any]:
        keys = spec.entries()
        if any(type(k) not in (str, int) for k in keys):
            raise NoCodeError
        if not exact:
            names = [f"v{next(self._numbers)}" for _ in keys]
            self.lines += [f"{n} = {value}[{_key(k, self.names)}]" for n, k in zip(names, keys, strict=True)]
            return names, ()
        if not keys:
            return [], ()
        order = tuple(example)
        found = self._unpacked(len(order), value)
        same_objects = " and ".join([f"{k} is {self.known('key', x)}" for k, x in zip(found, order, strict=True)])
        listed, types = self.known("keys", list(order)), self.known("types", {*map(type, order)})
        self.require(f"({same_objects}) or [*{value}] == {listed} and {{*map(type, {value})}} == {types}")
        name_of = dict(zip(order, self._unpacked(len(order), f"{value}.values()"), strict=True))
        return [name_of[k] for k in keys], [example[k] for k in keys]

    def _custom(self, spec: Spec, value: str, example: Any, exact: bool) -> tuple[list[str], Any]:
        node, meta, count = _registered(spec), metadata(spec), spec.num_children
        if node.fields is not None:
            data, static = node.fields
            names = [f"v{next(self._numbers)}" for _ in data]
            self.lines += [f"{n} = {value}.{field}" for n, field in zip(names, data, strict=True)]
            for field, known in zip(static, meta, strict=True):
                self._metadata(f"{value}.{field}", known)
            return names, [getattr(example, field) for field in data] if exact else ()
        flatten = self.known("flatten", node.paired or node.flatten)
        pair, children, found = (f"v{next(self._numbers)}" for _ in range(3))
        self.lines.append(f"{pair} = {flatten}({value})")
        self.require(f"type({pair}) is tuple")  # else the general way has an error to raise
        self.lines.append(f"{children}, {found} = {pair}")
        self._metadata(found, meta)
        names = [f"v{next(self._numbers)}" for _ in range(count)]
        if names:
            pattern = [f"(_, {n})" for n in names] if node.paired else names
            self.lines.append(f"{', '.join(pattern)}, = {children}")
        else:
            # No children at all are no pattern to unpack into.
            self.require(f"not (*{children},)")
        return names, tuple(node.flatten(example)[0]) if exact else ()  # type: ignore[misc]

    def _metadata(self, value: str, known: Any) -> None:
        """Code that compares metadata, the value of an expression, with that of the structure."""
        if value.isidentifier():
            self.require(self._same(value, known))
            return
        name = f"v{next(self._numbers)}"
        self.lines.append(f"{name} = {value}")
        self.require(self._same(name, known))

    def _same(self, value: str, known: Any, nested: bool = False) -> str:
        """Text of a condition: nobody can tell the value from ``known``."""
        if known is None or known is True or known is False:
            return f"{value} is {known}"
        name = self.known("known", known)
        if type(known) in _PLAIN:
            return f"({value} is {name} or same({value}, {name}))"
        if type(known) is tuple and not nested and len(known) <= _MOST_ELEMENTS:
            parts = [f"type({value}) is tuple", f"len({value}) == {len(known)}"]
            parts += [self._same(f"{value}[{i}]", x, True) for i, x in enumerate(known)]
            return f"({value} is {name} or {' and '.join(parts)})"
        if type(known) is tuple:
            return f"({value} is {name} or same({value}, {name}))"
        return f"{value} is {name}"


def same(x: Any, y: Any) -> bool:
    """Whether nobody can tell two objects apart that code compares as metadata.

    Examples:
      >>> same((1, 'a'), (1, 'a')), same(1, True), same([1], [1])
      (True, False, False)
    """
    if x is y:
        return True
    if type(x) is not type(y):
        return False
    if type(x) is tuple:
        return len(x) == len(y) and all(map(same, x, y))
    return type(x) in _PLAIN and bool(x == y)


def metadata(spec: Spec) -> Any:
    """The metadata of the root of a structure, whose class is registered."""
    return spec.one_level().walk(range(spec.num_children), lambda _cls, data, _children: data)


def _registered(spec: Spec) -> NodeType:
    node = node_type(spec.type)
    if node is None or node.flatten is None:
        raise NoCodeError
    return node


def construction(
    spec: Spec, leaves: Iterator[str], names: dict[str, Any], lines: list[str], numbers: Iterator[int]
) -> str:
    """Text of an expression for a tree of a structure.

    Args:
      spec: the structure.
      leaves: expressions of the leaves.
      names: gets what the code refers to.
      lines: gets statements that come before the expression.
      numbers: of variables.

    Raises:
      NoCodeError: there is no code for the structure.
    """
    try:
        return _construction(spec, leaves, names, lines, numbers)
    except RecursionError:
        # optree goes deeper than Python, and needs less of the stack that there is.
        raise NoCodeError from None


def _construction(
    spec: Spec, leaves: Iterator[str], names: dict[str, Any], lines: list[str], numbers: Iterator[int]
) -> str:
    """As `construction`."""
    if spec.is_leaf():
        return next(leaves)
    kind = spec.kind
    if kind == Kind.NONE:
        return "None"
    parts = [_construction(child, leaves, names, lines, numbers) for child in spec.children()]
    listed = ", ".join(parts)
    if kind == Kind.DICT:
        # Its keys are not always in the order of the children.
        value_of = dict(zip(spec.entries(), parts, strict=True))
        keys = spec.one_level().unflatten(range(len(parts)))
        if any(type(k) not in (str, int) for k in keys):
            raise NoCodeError
        text = "{" + ", ".join([f"{_key(k, names)}: {value_of[k]}" for k in keys]) + "}"
    elif kind == Kind.LIST:
        text = f"[{listed}]"
    elif kind == Kind.TUPLE:
        text = f"({listed}{',' if len(parts) == 1 else ''})"
    elif kind == Kind.NAMEDTUPLE:
        text = f"{_named('cls', spec.type, names)}({listed})"
    elif kind == Kind.CUSTOM:
        text = _instance(spec, parts, names)
    else:
        raise NoCodeError
    # A statement for each node: expressions may be nested only so far.
    name = f"n{next(numbers)}"
    lines.append(f"{name} = {text}")
    return name


def _instance(spec: Spec, parts: list[str], names: dict[str, Any]) -> str:
    node, meta = _registered(spec), metadata(spec)
    if node.fields is not None:
        data, static = node.fields
        fields = [f"{field}={part}" for field, part in zip(data, parts, strict=True)]
        fields += [f"{field}={_named('meta', x, names)}" for field, x in zip(static, meta, strict=True)]
        return f"{_named('cls', node.cls, names)}({', '.join(fields)})"
    children = f"({', '.join(parts)}{',' if len(parts) == 1 else ''})"
    return f"{_named('unflatten', node.unflatten, names)}({_named('meta', meta, names)}, {children})"


def _named(prefix: str, value: Any, names: dict[str, Any]) -> str:
    name = f"{prefix}{len(names)}"
    names[name] = value
    return name


def _key(key: str | int, names: dict[str, Any]) -> str:
    """Text of a key; integers may have more digits than Python prints."""
    return repr(key) if type(key) is str or abs(key) < 1 << 64 else _named("key", key, names)  # type: ignore[arg-type]


def constructor(spec: Spec) -> Callable[[Any], Any]:
    """A function that puts a tree together from a list or tuple of its leaves.

    Raises:
      NoCodeError: there is no code for the structure.
    """
    if spec.num_leaves > MOST_LEAVES:
        raise NoCodeError
    names: dict[str, Any] = {}
    lines: list[str] = []
    leaves = (f"leaves[{i}]" for i in range(spec.num_leaves))
    result = construction(spec, leaves, names, lines, itertools.count())
    body = "".join([f"    {line}\n" for line in lines])
    return defined(f"def build(leaves):\n{body}    return {result}", "build", names)


def defined(code: str, name: str, names: dict[str, Any]) -> Any:
    """The function ``name`` that ``code`` defines, with ``names`` as its globals."""
    exec(compile(code, "<tree code>", "exec"), names)  # of our own text and quoted keys
    return names[name]
