"""Matrix products of eager operations: by NumPy, and on one thread unless several are sure to pay.

The BLAS shares products between threads that wait for each other without giving their processors up. On a quiet machine
two of them save a third of the time. On one where other processes run, a product of 0.1 milliseconds takes 100. So
products of less than some tenths of a millisecond run on the thread that calls. For larger ones all threads are tried;
where that takes longer than one thread would have, one thread is used for some time, each time longer.

May import ``locks`` and ``core.blas``.
"""

from __future__ import annotations

import ctypes
import os
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from fungrad import locks
from fungrad.core import blas

# Multiplications beyond which OpenBLAS uses threads of its own, of two matrices and of a matrix and a vector.
THREADED, THREADED_VECTOR = 1 << 18, 1 << 13
# Multiplications from which several threads are tried. Below, they save at most 40 of 120 microseconds.
_WORTH_TRYING = 1 << 22
# How much longer than on one thread a product may take before the machine counts as busy: the factor, and seconds.
_SLOW, _NOISE = 1.5, 5e-4
# Seconds for which one thread is used, as a multiple of those that were lost, and up to which they double.
_PAUSE, _LONGEST_PAUSE = 20.0, 10.0


class _Threads:
    """The threads of the BLAS.

    Attributes:
      depth: how many products run on one thread at present.
      saved: how many threads there are otherwise.
      rates: multiplications per second on one thread, the best seen, by the kind of product.
      busy_until: when several threads are tried again.
      pause: seconds for which they were not, the last time.
    """

    def __init__(self, get: Callable[[], int], put: Callable[[int], None]):
        self.get, self.put = get, put
        self.depth = self.saved = 0
        self.rates: dict[Any, float] = {}
        self.busy_until = self.pause = 0.0
        lock: Any = locks.lock()
        # Bound once: each product of some ten microseconds passes here twice.
        self._acquire, self._release = lock.acquire, lock.release
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self.forget)

    def alone(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """``np.matmul(x, y)`` on the thread that calls."""
        self._acquire()
        if not self.depth:
            self.saved = self.get()
            if self.saved > 1:
                self.put(1)
        self.depth += 1
        self._release()
        try:
            return np.matmul(x, y)
        finally:
            self._acquire()
            self.depth -= 1
            if not self.depth and self.saved > 1:
                self.put(self.saved)
            self._release()

    def forget(self) -> None:
        """Products of other threads do not go on in a child process."""
        if self.depth:
            self.depth = 0
            if self.saved > 1:
                self.put(self.saved)

    def tried(self, x: np.ndarray, y: np.ndarray, work: int, kind: Any) -> np.ndarray:
        """``np.matmul(x, y)`` of so many multiplications, on several threads where that pays."""
        start = time.perf_counter()
        if start < self.busy_until or kind not in self.rates or self.depth:
            out = self.alone(x, y)
            rate = work / (time.perf_counter() - start)
            if rate > self.rates.get(kind, 0.0):
                self.rates[kind] = rate
            return out
        out = np.matmul(x, y)
        now = time.perf_counter()
        lost = now - start - _SLOW * work / self.rates[kind]
        if lost > _NOISE:
            self.pause = max(min(2 * self.pause, _LONGEST_PAUSE), _PAUSE * lost)
            self.busy_until = now + self.pause
        else:
            self.pause = 0.0
        return out


def _threads_of_blas() -> _Threads | None:
    try:
        control = blas.library().control()
    except RuntimeError:  # there is none: NumPy multiplies by itself
        return None
    if control is None:
        return None
    get, put = control
    return _Threads(ctypes.PYFUNCTYPE(ctypes.c_int)(get), ctypes.PYFUNCTYPE(None, ctypes.c_int)(put))


_threads: _Threads | None = None
_known = False


def _look() -> None:
    global _threads, _known
    _threads, _known = _threads_of_blas(), True


def is_small(work: int, rows: int, columns: int) -> bool:
    """Whether no BLAS shares a product of so many multiplications between threads."""
    return work < THREADED_VECTOR or (work <= THREADED and rows > 1 and columns > 1)


def matmul(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """``np.matmul`` of arrays of one or more dimensions."""
    if x.ndim == y.ndim == 2:
        (rows, terms), columns = x.shape, y.shape[1]
        work = rows * terms * columns
    else:
        rows, columns = (x.shape[-2] if x.ndim > 1 else 1), (y.shape[-1] if y.ndim > 1 else 1)
        work = x.size * columns
    if is_small(work, rows, columns):
        return np.matmul(x, y)
    if not _known:
        _look()
    if _threads is None or x.dtype.kind not in "fc":
        return np.matmul(x, y)
    if work < _WORTH_TRYING:
        return _threads.alone(x, y)
    return _threads.tried(x, y, work, (x.dtype.char, rows == 1 or columns == 1))
