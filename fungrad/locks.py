"""Locks of the library, which a `fork` finds free.

A child process has only the thread that forked. A lock that another thread held at that moment would stay locked in
the child for ever, with what it guards (LLVM, a half-written table) in the middle of a change. So a fork waits until
it holds every lock made by `lock()`, and both processes release them. May import nothing of the library.
"""

from __future__ import annotations

import os
import threading
import weakref
from contextlib import AbstractContextManager
from typing import Any

_locks: weakref.WeakSet[Any] = weakref.WeakSet()
_foreign: list[AbstractContextManager] = []
_held: list[Any] = []


class _Lock:
    """A reentrant lock that can be referred to weakly. Reentrant, since the thread that forks may hold it."""

    __slots__ = ("_lock", "acquire", "release", "__weakref__")

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self.acquire, self.release = self._lock.acquire, self._lock.release

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()


def lock() -> AbstractContextManager:
    """A new lock, a context manager: forks wait for it.

    Example:
      >>> from fungrad import locks
      >>> guard = locks.lock()
      >>> with guard:
      ...     pass
    """
    made = _Lock()
    _locks.add(made)
    return made


imports = lock()
"""Held while large libraries are imported late: a module that another thread was importing stays locked in a child."""


def include(foreign: AbstractContextManager) -> None:
    """Lets forks wait for the lock of another library, which must be reentrant. A thread that holds it must not ask for
    one of `lock()`."""
    _foreign.append(foreign)


def _before_fork() -> None:
    """Takes all locks. Threads nest them in orders of their own, so never wait for one while holding others."""
    wanted: list[Any] = list(_locks)
    while True:
        held: list[Any] = []
        for one in wanted:
            if not one.acquire(False):
                break
            held.append(one)
        else:
            break
        for other in held:
            other.release()
        with one:
            pass
    for guard in _foreign:
        guard.__enter__()
    _held.extend(wanted)


def _after_fork() -> None:
    for guard in reversed(_foreign):
        guard.__exit__(None, None, None)
    while _held:
        _held.pop().release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork)
