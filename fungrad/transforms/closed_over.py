"""Tracers of other contexts that functions with custom derivative rules, and the rules, close over.

A rule runs below the transformation that asked for it, or long after the one under which its function was defined; so
something must stand for the tracers that it refers to, or say that nothing can.

May import ``core`` and ``transforms.linearization``.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from fungrad.core.array import Array
from fungrad.core.avals import Zero
from fungrad.core.context import Trace, Tracer, running, state
from fungrad.core.source import unattributed
from fungrad.core.tree_order import leaves_in_any_order
from fungrad.errors import UnexpectedTracerError
from fungrad.transforms.linearization import run_in


class Outside:
    """What stands for the tracers of other contexts that a function or rule closes over.

    Attributes:
      owners: transformations above the present context: their tracers stand for their values here.
      values: by identity, tracers and what stands for them.
      refused: by identity, tracers for which nothing can stand since they carry a derivative; their shapes and dtypes
        may be read.
    """

    __slots__ = ("owners", "values", "refused")

    def __init__(
        self,
        owners: tuple[Trace, ...] = (),
        values: dict[int, tuple[Tracer, Any]] | None = None,
        refused: dict[int, Tracer] | None = None,
    ):
        self.owners = owners
        self.values = values or {}
        self.refused = refused or {}

    def __bool__(self) -> bool:
        return bool(self.owners or self.values or self.refused)

    def below(self, trace: Trace) -> Outside:
        """The same, seen from below the differentiation ``trace``."""
        return Outside((*self.owners, trace), self.values, self.refused)

    def within(self, inner: Outside) -> Outside:
        """Both, where ``inner`` is asked first."""
        values = {k: v for k, v in self.values.items() if k not in inner.refused}
        refused = {k: t for k, t in self.refused.items() if k not in inner.values}
        return Outside(
            inner.owners + self.owners, {**values, **inner.values}, {**refused, **inner.refused}
        )

    def unwrap(self, x: Any, label: str) -> Any:
        """``x`` in the present context.

        Raises:
          UnexpectedTracerError: it carries a derivative, which a custom rule says nothing about.
        """
        while isinstance(x, Tracer):
            if id(x) in self.refused:
                raise closed_over_error(label)
            known = self.values.get(id(x))
            if known is not None and known[1] is not x:
                x = known[1]
            elif x._trace in self.owners:
                tangent = getattr(x, "tangent", x)  # a TangentVar is one itself
                if type(tangent) is not Zero:
                    raise closed_over_error(label)
                x = x.primal  # type: ignore[attr-defined]
            else:
                break
        return x


class Guard(Trace):
    """Runs operations in ``parent``, on what stands there for the tracers that a function or rule
    closes over.

    A rule runs below the transformation that asked for it, or long after the one that its function
    was defined under.

    Attributes:
      seen: the tracers that were closed over, by identity.
    """

    __slots__ = ("outside", "seen")

    def __init__(self, outside: Outside, parent: Trace, label: str):
        super().__init__(parent, label)
        self.outside = outside
        self.seen: dict[int, Tracer] = {}

    def process(self, primitive: Any, args: Sequence[Any], params: dict[str, Any]) -> Any:
        return run_in(self.parent, primitive, [self.unwrap(a) for a in args], params)

    def unwrap(self, x: Any) -> Any:
        """``x`` as a value of the parent."""
        if isinstance(x, Tracer) and x._trace is not self.parent:
            self.seen[id(x)] = x
            return self.outside.unwrap(x, self.label)
        return x


@contextlib.contextmanager
def guarded(outside: Outside, label: str) -> Iterator[Callable[[Any], Any]]:
    """Runs operations in the current trace, on what stands there for tracers of other contexts.

    Yields:
      The function that finds it, for values that are used without an operation.
    """
    if not outside:
        with unattributed():
            yield lambda x: x
        return
    # Tracers of transformations that have finished are legitimate here, also as constants of what
    # is staged.
    finished = {t._trace for t, _ in outside.values.values() if not t._trace.alive}
    for trace in finished:
        trace.alive = True
    guard = Guard(outside, state.trace, label)
    try:
        with running(guard), unattributed():
            yield guard.unwrap
    finally:
        for trace in finished:
            trace.alive = False


def closed_over_error(label: str) -> UnexpectedTracerError:
    """The error for a derivative with respect to what a function with a custom rule closes over."""
    return UnexpectedTracerError(
        f"Detected differentiation of {label} with respect to a closed-over value. The custom rule "
        "says how to differentiate the "
        "function with respect to its arguments only. Pass the closed-over value to the function "
        "as an argument and extend its "
        "rules, or wrap it in fungrad.lax.stop_gradient where the function is defined."
    )


def closed_over_tracers(*objects: Any) -> dict[int, Tracer]:
    """The tracers to which functions, or trees of values, refer, by identity.

    Looks into closures, default values and the arguments of ``functools.partial``.
    """
    found: dict[int, Tracer] = {}
    seen: set[int] = set()
    todo = list(objects)
    while todo:
        x = todo.pop()
        if isinstance(x, Tracer):
            found[id(x)] = x
        if isinstance(x, (Array, np.ndarray, str, int, float, type)) or x is None or id(x) in seen:
            continue
        seen.add(id(x))
        if callable(x):
            todo += [
                getattr(x, name, None)
                for name in ("__defaults__", "__kwdefaults__", "__wrapped__", "__self__")
            ]
            todo += [getattr(x, name, None) for name in ("func", "args", "keywords")]
            todo += [_contents(cell) for cell in getattr(x, "__closure__", None) or ()]
        leaves = leaves_in_any_order(x)
        if not (len(leaves) == 1 and leaves[0] is x):
            todo += leaves
    return found


def _contents(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # a variable that is assigned later
        return None
