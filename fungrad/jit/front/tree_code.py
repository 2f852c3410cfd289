"""Straight-line Python code for the trees of warm calls.

A jitted function is called again and again with trees of one structure. optree takes any tree apart and puts any tree
together; code written out for one structure does it in half the time, and checks the types of the leaves on its way.
It covers dicts with text as keys, lists, tuples, namedtuples and None; whatever else there is stays with optree.

May import ``core``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import optree

from fungrad.core.array import ArrayImpl, as_array, wrap_unchecked
from fungrad.core.avals import ShapedArray
from fungrad.core.tree_nodes import registrations

Kind = optree.PyTreeKind

# Writing out a leaf takes as long as a call saves in hundreds of calls: too long for very large trees, and for large
# ones at the second call.
_MOST_LEAVES = 10_000
_LARGE, _LATER = 1000, 100


def is_time(call: int, leaves: int) -> bool:
    """Whether to write out the trees of a function at this call, the first being 1."""
    return call == (2 if leaves <= _LARGE else _LATER)


class NoCodeError(Exception):
    """A structure that no code is written for."""


def reader(
    treedef: Any, avals: Sequence[ShapedArray], arrays: bool = False
) -> Callable[[tuple, dict], list[Any] | None] | None:
    """A function that takes apart the arguments of a call.

    Args:
      treedef: the structure of ``(args, kwargs)``.
      avals: types of the leaves.
      arrays: whether it gives the arrays instead of their data.

    Returns:
      A function of ``args`` and ``kwargs``: the ndarrays of the leaves, or None if the arguments have another structure
      or if a leaf is not a concrete array, ndarray or Python number of its type. None if there is no code for the
      structure.
    """
    try:
        return _Reader(treedef, avals).function(arrays)
    except NoCodeError:
        return None


class _Reader:
    """Writes the code of ``reader``, a container at a time."""

    def __init__(self, treedef: Any, avals: Sequence[ShapedArray]):
        if len(avals) > _MOST_LEAVES:
            raise NoCodeError
        self.avals = avals
        self.names: dict[str, Any] = {"ArrayImpl": ArrayImpl, "lifted": _lifted, "registrations": registrations}
        self.lines: list[str] = []
        self.leaves: list[str] = []
        self.count = 0
        args, kwargs = treedef.children()
        self.container(args, "args")
        self.container(kwargs, "kwargs")

    def function(self, arrays: bool) -> Callable[[tuple, dict], list[Any] | None]:
        """The function that the code defines."""
        body = "\n".join(f"        {line}" for line in self.lines)
        data = ", ".join([name if arrays else f"{name}._data" for name in self.leaves])
        # A key may be missing.
        failure = "    except KeyError:\n        return None"
        code = f"def read(args, kwargs):\n    try:\n{body}\n{failure}\n    return [{data}]"
        return _defined(code, "read", self.names)

    def name(self) -> str:
        """A new name."""
        self.count += 1
        return f"v{self.count}"

    def known(self, prefix: str, value: Any) -> str:
        """A name for an object that the code refers to."""
        name = f"{prefix}{len(self.names)}"
        self.names[name] = value
        return name

    def require(self, condition: str) -> None:
        """A line that gives up unless ``condition`` holds."""
        self.lines.append(f"if not ({condition}): return None")

    def container(self, treedef: Any, value: str) -> None:
        """Code for the value of the variable ``value``, which must have the structure ``treedef``."""
        if treedef.is_leaf():
            aval = self.known("aval", self.avals[len(self.leaves)])
            self.lines.append(f"if type({value}) is not ArrayImpl: {value} = lifted({value})")
            self.require(f"{value}.aval is {aval}")
            self.leaves.append(value)
            return
        children = treedef.children()
        if treedef.kind is Kind.NONE:
            self.require(f"{value} is None")
            return
        names = [self.name() for _ in children]
        if treedef.kind is Kind.DICT:
            self.require(f"type({value}) is dict and len({value}) == {len(children)}")
            self.lines += [f"{n} = {value}[{_key(k)}]" for n, k in zip(names, treedef.entries(), strict=True)]
        elif treedef.kind in (Kind.TUPLE, Kind.LIST, Kind.NAMEDTUPLE):
            cls = self.known("cls", treedef.type)
            condition = f"type({value}) is {cls} and len({value}) == {len(children)}"
            if treedef.kind is Kind.NAMEDTUPLE:
                # The class may be registered with rules of its own at any time.
                condition += f" and registrations.count == {registrations.count}"
            self.require(condition)
            if names:
                self.lines.append(f"{', '.join(names)}, = {value}")
        else:
            raise NoCodeError
        for name, child in zip(names, children, strict=True):
            self.container(child, name)


class _Nothing:
    """Stands for a leaf that is no concrete array, ndarray or Python number: of no type."""

    aval = None


_NOTHING = _Nothing()


def _lifted(x: Any) -> Any:
    """A Python number or ndarray as an array. What cannot be one is left to the general way, which says why."""
    kind = type(x)
    if kind is float or kind is int or kind is np.ndarray or kind is bool or kind is complex:
        try:
            return as_array(x)
        except (OverflowError, TypeError):
            return _NOTHING
    return _NOTHING


def builder(treedef: Any, avals: Sequence[ShapedArray]) -> Callable[[Sequence[np.ndarray]], Any]:
    """A function that makes the tree of results of their ndarrays.

    Args:
      treedef: the structure of the results.
      avals: types of the leaves.
    """
    try:
        return _build_code(treedef, avals)
    except NoCodeError:
        return lambda data: treedef.unflatten(map(wrap_unchecked, data, avals))


def _build_code(treedef: Any, avals: Sequence[ShapedArray]) -> Callable[[Sequence[np.ndarray]], Any]:
    if len(avals) > _MOST_LEAVES:
        raise NoCodeError
    names: dict[str, Any] = {"ArrayImpl": ArrayImpl, "new": object.__new__}
    result = _expression(treedef, (f"x{i}" for i in range(len(avals))), names)
    lines = []
    for i, aval in enumerate(avals):
        names[f"aval{i}"] = aval
        lines.append(f"x{i} = new(ArrayImpl); x{i}._data = data[{i}]; x{i}.aval = aval{i}")
    body = "".join([f"    {line}\n" for line in lines])
    return _defined(f"def build(data):\n{body}    return {result}", "build", names)


def _expression(treedef: Any, leaves: Iterator[str], names: dict[str, Any]) -> str:
    """Text of an expression for a tree of the variables ``leaves``; what it refers to is added to ``names``."""
    if treedef.is_leaf():
        return next(leaves)
    kind = treedef.kind
    if kind is Kind.NONE:
        return "None"
    parts = [_expression(t, leaves, names) for t in treedef.children()]
    if kind is Kind.DICT:
        # Its keys are not always in the order of the children.
        value_of = dict(zip(treedef.entries(), parts, strict=True))
        keys = treedef.one_level().unflatten(range(len(parts)))
        return "{" + ", ".join([f"{_key(k)}: {value_of[k]}" for k in keys]) + "}"
    if kind is Kind.LIST:
        return f"[{', '.join(parts)}]"
    if kind is Kind.TUPLE:
        return f"({', '.join(parts)}{',' if len(parts) == 1 else ''})"
    if kind is Kind.NAMEDTUPLE:
        cls = f"cls{len(names)}"
        names[cls] = treedef.type
        return f"{cls}({', '.join(parts)})"
    raise NoCodeError


def _key(key: Any) -> str:
    """A key of a dict as it stands in code."""
    if type(key) is not str:
        raise NoCodeError
    return repr(key)


def _defined(code: str, name: str, names: dict[str, Any]) -> Any:
    exec(compile(code, "<tree code>", "exec"), names)  # of our own text and quoted keys
    return names[name]
