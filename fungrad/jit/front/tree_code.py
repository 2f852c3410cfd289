"""Straight-line Python code for the trees of warm calls.

A jitted function is called again and again with trees of one structure. The code of ``core.tree_code`` takes them
apart, and checks the types of the leaves on its way; what it does not cover stays with optree.

May import ``core``.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fungrad.core.array import ArrayImpl, as_array, wrap_unchecked
from fungrad.core.avals import ShapedArray
from fungrad.core.tree_code import MOST_LEAVES, NoCodeError, TreeReader, construction, defined

# Writing out a leaf takes as long as a call saves in hundreds of calls: too long for very large trees, and for large
# ones at the second call.
_LARGE, _LATER = 1000, 100


def is_time(call: int, leaves: int) -> bool:
    """Whether to write out the trees of a function at this call, the first being 1."""
    return call == (2 if leaves <= _LARGE else _LATER)


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
    if len(avals) > MOST_LEAVES:
        return None
    code = _Reader(avals)
    args, kwargs = treedef.children()
    try:
        code.tree(args, "args")
        code.tree(kwargs, "kwargs")
    except NoCodeError:
        return None
    body = "".join([f"        {line}\n" for line in code.lines])
    data = ", ".join([name if arrays else f"{name}._data" for name in code.leaves])
    # A key or an attribute may be missing; what a function of the user's raises, the general way comes upon again.
    body += f"        return [{data}]\n    except Exception:\n        return None"
    return defined(f"def read(args, kwargs):\n    try:\n{body}", "read", code.names)  # type: ignore[no-any-return]


class _Reader(TreeReader):
    """Code that looks at the types of arrays."""

    def __init__(self, avals: Sequence[ShapedArray]):
        super().__init__()
        self.avals = avals
        self.names |= {"ArrayImpl": ArrayImpl, "lifted": _lifted}

    def leaf(self, value: str) -> None:
        """Code for the leaf in the variable ``value``."""
        aval = self.known("aval", self.avals[len(self.leaves)])
        self.lines.append(f"if type({value}) is not ArrayImpl: {value} = lifted({value})")
        self.require(f"{value}.aval is {aval}")
        self.leaves.append(value)


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
    if len(avals) > MOST_LEAVES:
        raise NoCodeError
    names: dict[str, Any] = {"ArrayImpl": ArrayImpl, "new": object.__new__}
    nodes: list[str] = []
    result = construction(treedef, (f"x{i}" for i in range(len(avals))), names, nodes, itertools.count())
    lines = []
    for i, aval in enumerate(avals):
        names[f"aval{i}"] = aval
        lines.append(f"x{i} = new(ArrayImpl); x{i}._data = data[{i}]; x{i}.aval = aval{i}")
    body = "".join([f"    {line}\n" for line in lines + nodes])
    return defined(f"def build(data):\n{body}    return {result}", "build", names)  # type: ignore[no-any-return]
