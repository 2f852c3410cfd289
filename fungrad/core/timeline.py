"""What happens when, while somebody records it: calls of compiled programs, phases of compilation, and annotations.

``recording`` is None otherwise, and then nobody pays for it: whoever has something to record looks there first, and
compiled functions take another way while something is recorded, which `on_change` tells them.

May import nothing.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple


class Span(NamedTuple):
    """Something that took a while.

    Attributes:
      name: what it was.
      category: ``call``, ``compile``, ``annotation`` or ``step``.
      start, end: nanoseconds of ``time.perf_counter_ns``.
      thread: identifier of the thread.
      args: more about it.
    """

    name: str
    category: str
    start: int
    end: int
    thread: int
    args: dict[str, Any]


class Recording:
    """Spans in the order in which they ended; threads may add some at the same time."""

    def __init__(self) -> None:
        self.began = time.perf_counter_ns()
        self.spans: list[Span] = []
        self.threads: dict[int, str] = {}

    def add(self, name: str, category: str, start: int, end: int, **args: Any) -> None:
        """Adds a span of this thread."""
        thread = threading.get_ident()
        if thread not in self.threads:
            self.threads[thread] = threading.current_thread().name
        self.spans.append(Span(name, category, start, end, thread, args))


recording: Recording | None = None
on_change: list[Callable[[], None]] = []


def record(new: Recording | None) -> Recording | None:
    """Begins (or with None ends) a recording; returns the one before."""
    global recording
    before, recording = recording, new
    for notice in on_change:
        notice()
    return before


@contextlib.contextmanager
def span(name: str, category: str, **args: Any) -> Iterator[None]:
    """Records how long the block takes, if something is recorded when it begins."""
    into = recording
    if into is None:
        yield
        return
    start = time.perf_counter_ns()
    try:
        yield
    finally:
        into.add(name, category, start, time.perf_counter_ns(), **args)


def add_last(name: str, category: str, seconds: float, **args: Any) -> None:
    """Records something that took this long and has just ended."""
    if recording is not None:
        end = time.perf_counter_ns()
        recording.add(name, category, end - int(seconds * 1e9), end, **args)
