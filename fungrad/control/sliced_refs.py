"""References among the operands that a loop takes apart: each step gets a reference to its slice.

What the references hold is scanned over; the slices that steps leave behind are stacked, and stored after the loop.

May import ``core``.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from fungrad.core import tree
from fungrad.core.context import state
from fungrad.core.refs import AbstractRef, Ref, contents, passed, store


class SlicedRefs:
    """The references among the scanned operands of a loop.

    Attributes:
      refs: by position among the leaves.
    """

    def __init__(self, xs: Any, api: str):
        self._api = api
        self._leaves, self._structure = tree.flatten(xs)
        self.refs: dict[int, Ref] = {i: x for i, x in enumerate(self._leaves) if isinstance(x, Ref)}
        self._written: set[int] = set()
        if len(set(map(id, self.refs.values()))) < len(self.refs):
            raise ValueError(
                f"fungrad.{api}: only one reference to a mutable array may be passed as an argument to a function, but "
                "one appears twice in xs"
            )

    def _check_closed_over(self) -> None:
        """Raises if the function that is being traced closes over a reference that is taken apart."""
        bound = getattr(state.trace, "bindings", {})
        for ref in self.refs.values():
            if id(ref) in bound:
                raise ValueError(
                    f"fungrad.{self._api}: a mutable array reference of type {ref.aval.str_short()} was both closed "
                    "over and passed in xs; use the slice that the function gets"
                )

    def arrays(self) -> Any:
        """The operands with what the references hold in their places."""
        return tree.unflatten(self._structure, [contents(x) if isinstance(x, Ref) else x for x in self._leaves])

    def step(self, f: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
        """The step of the loop over those; after ``y`` it returns what the references hold."""

        @functools.wraps(f)
        def with_slices(carry: Any, x: Any) -> Any:
            leaves = tree.leaves(x)
            given = {i: leaves[i] for i in self.refs}
            local = {i: passed(v, AbstractRef(v.aval)) for i, v in given.items()}
            result = f(carry, tree.unflatten(self._structure, [local.get(i, v) for i, v in enumerate(leaves)]))
            self._check_closed_over()
            if not isinstance(result, (tuple, list)) or len(result) != 2:
                return result
            self._written |= {i for i, r in local.items() if r._value is not given[i]}
            return result[0], (result[1], [r._value for r in local.values()])

        return with_slices

    def part_step(self, f: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
        """The step over numbers of steps and those, whose references are parts of the ones from outside."""

        def with_parts(carry: Any, x: Any) -> Any:
            number, slices = x
            leaves = [self.refs[i].at[number] if i in self.refs else v for i, v in enumerate(tree.leaves(slices))]
            return f(carry, tree.unflatten(self._structure, leaves))

        return with_parts

    def store(self, stacked: list[Any]) -> None:
        """Stores what the slices hold after the loop."""
        for (i, ref), value in zip(self.refs.items(), stacked, strict=True):
            if i in self._written:
                store(ref, value)
