"""Locks of the library, which a `fork` finds free.

A child process has only the thread that forked. A lock that another thread held at that moment would stay locked in
the child for ever, with what it guards (LLVM, a half-written table) in the middle of a change. So a fork waits until
it holds every lock made by `lock()`, and both processes release them. May import nothing of the library.
"""

from __future__ import annotations

import gc
import os
import threading
import time
import weakref
from contextlib import AbstractContextManager
from typing import Any

_locks: weakref.WeakSet[Any] = weakref.WeakSet()
# Held while the set is changed or read, and during a fork: no thread waits for anything else meanwhile.
_registry = threading.RLock()
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

    def wait(self) -> None:
        """Returns when it may be free."""
        with self:
            pass


def lock() -> AbstractContextManager:
    """A new lock, a context manager: forks wait for it.

    Example:
      >>> from fungrad import locks
      >>> guard = locks.lock()
      >>> with guard:
      ...     pass
    """
    made = _Lock()
    with _registry:
        _locks.add(made)
    return made


class _Imports(_Lock):
    """Threads may be inside together, since a module that is being imported may wait for another thread to import one;
    forks wait until none is.

    Python's cycle collector pauses meanwhile: modules stay, so it would look at their objects again and again and
    find nothing, which is a tenth of the time that imports take.
    """

    __slots__ = ("_inside", "_collecting")

    def __init__(self) -> None:
        super().__init__()
        self._inside: dict[int, int] = {}
        self._collecting = False
        self.acquire = self._acquire_for_fork

    def __enter__(self) -> None:
        own = threading.get_ident()
        with self._lock:
            if not self._inside:
                self._collecting = gc.isenabled()
                gc.disable()
            self._inside[own] = self._inside.get(own, 0) + 1

    def __exit__(self, *_: object) -> None:
        own = threading.get_ident()
        with self._lock:
            self._inside[own] -= 1
            if not self._inside[own]:
                del self._inside[own]
            if not self._inside and self._collecting:
                if gc.get_freeze_count() == 0:
                    # Together: all objects are old ones. As new ones they would be looked at once more, at once.
                    gc.freeze()
                    gc.unfreeze()
                gc.enable()

    def _acquire_for_fork(self, blocking: bool = False, timeout: float = -1) -> bool:
        self._lock.acquire()
        if self._inside.keys() <= {threading.get_ident()}:
            return True
        self._lock.release()
        return False

    def wait(self) -> None:
        time.sleep(0.001)


imports = _Imports()
"""Held while large libraries are imported: a module that another thread was importing stays locked in a child."""
_locks.add(imports)


def include(foreign: AbstractContextManager) -> None:
    """Lets forks wait for the lock of another library, which must be reentrant. A thread that holds it must not ask for
    one of `lock()`."""
    _foreign.append(foreign)


def _before_fork() -> None:
    """Takes all locks. Threads nest them in orders of their own, so never wait for one while holding others."""
    while True:
        with _registry:
            wanted: list[Any] = list(_locks)
        held: list[Any] = []
        busy = None
        for one in wanted:
            if not one.acquire(False):
                busy = one
                break
            held.append(one)
        if busy is None:
            _registry.acquire()
            if set(_locks) <= set(held):
                break
            _registry.release()  # a thread made another meanwhile, and may hold it
        for other in held:
            other.release()
        if busy is not None:
            busy.wait()
    for guard in _foreign:
        guard.__enter__()
    _held.extend(wanted)


def _after_fork() -> None:
    for guard in reversed(_foreign):
        guard.__exit__(None, None, None)
    while _held:
        _held.pop().release()
    _registry.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork)
