"""Where statements come from: which equation of the jaxpr each was written for, and why some steps are there.

Nothing is noted unless somebody wants to look: `noting()` switches it on for the thread that explains a program. Then
tensors and nodes get the equation that is written at their birth (`made_by`), and copies and nests a reason. What is
computed is the same with and without.

May import nothing of the compiler.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any


class _Provenance:
    """The state. There is one object, so that the check that nearly always fails costs two lookups.

    Attributes:
      thread: identity of the thread that explains, 0 if there is none.
      current: the equation that is written.
    """

    __slots__ = ("thread", "current")

    def __init__(self) -> None:
        self.thread = 0
        self.current: Any = None


state = _Provenance()
_lock = threading.RLock()


@contextlib.contextmanager
def noting() -> Iterator[None]:
    """Notes origins in a ``with`` block; one thread at a time."""
    with _lock:
        before = state.thread, state.current
        state.thread, state.current = threading.get_ident(), None
        try:
            yield
        finally:
            state.thread, state.current = before


def is_on() -> bool:
    """Whether this thread wants origins to be noted."""
    return state.thread != 0 and state.thread == threading.get_ident()


def note(thing: Any) -> None:
    """Notes the present equation as the origin of a tensor or node."""
    if is_on():
        object.__setattr__(thing, "made_by", state.current)


def copy(old: Any, new: Any) -> None:
    """Hands origin and reason of a node on to the one that takes its place."""
    if is_on():
        for name in ("made_by", "reason"):
            value = getattr(old, name, None)
            if value is not None:
                object.__setattr__(new, name, value)


def because(thing: Any, reason: Any) -> Any:
    """A node with the reason why it is there."""
    if is_on():
        object.__setattr__(thing, "reason", reason)
    return thing


def enter(origin: Any) -> Any:
    """Begins to write for an equation, or for what a tensor was made by; gives what `leave` wants."""
    if not state.thread or not is_on():
        return None
    before = state.current
    state.current = getattr(origin, "made_by", None) if hasattr(type(origin), "made_by") else origin
    return before


def leave(before: Any) -> None:
    """Ends what `enter` has begun."""
    if state.thread and is_on():
        state.current = before
