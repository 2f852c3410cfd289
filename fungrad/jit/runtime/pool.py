"""Memory for results and temporaries.

Fresh pages cost more than the work on them (a new 40 MB array halves the bandwidth of a simple
operation), so the memory of large results is kept when they die and handed out again. A result is
an ordinary array on a block of the pool; when it and everything that refers to it (views, exports)
is gone, the block returns.
"""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import weakref
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from fungrad import locks
from fungrad.jit.ir import tuning
from fungrad.jit.ir.machine import LINE_BYTES


def aligned(nbytes: int) -> np.ndarray:
    """Uninitialised bytes that start where a cache line does."""
    if nbytes >= tuning.HUGE_PAGE and hasattr(mmap, "MADV_HUGEPAGE"):
        pages = mmap.mmap(-1, nbytes, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        # a kernel without huge pages refuses, and serves small ones
        with contextlib.suppress(OSError):
            pages.madvise(mmap.MADV_HUGEPAGE)
        return np.frombuffer(pages, np.uint8)
    raw = np.empty(nbytes + LINE_BYTES, np.uint8)
    start = -raw.ctypes.data % LINE_BYTES
    return raw[start : start + nbytes]


class Block:
    """A piece of memory.

    Attributes:
      size: bytes.
      memory: what arrays are made on. It is no array itself, which stops NumPy from letting views
        refer to it directly: a view
        keeps the array alive that it is a view of.
    """

    __slots__ = ("_owner", "memory", "size")

    def __init__(self, size: int):
        self._owner = aligned(size)
        self.size = size
        self.memory: Any = (ctypes.c_char * size).from_address(self._owner.ctypes.data)


class Pool:
    """Blocks of memory by size.

    Attributes:
      waiting: bytes of all free blocks.
    """

    def __init__(self) -> None:
        self._free: dict[int, list[Block]] = {}
        self._lent: dict[int, tuple[weakref.ref, Block]] = {}
        self._lock = locks.lock()
        self._returned: list[Block] = []
        self.waiting = 0

    def array(self, shape: tuple[int, ...], dtype: np.dtype, size: int) -> np.ndarray:
        """An uninitialised array on a block of `size` bytes."""
        block = self._take(size)
        array = np.ndarray(shape, dtype, block.memory)
        key = id(array)
        self._lent[key] = weakref.ref(array, partial(self._return, key)), block
        return array

    def lends(self, array: np.ndarray) -> bool:
        """Whether an array, which was given out by ``array``, is on a block of the pool."""
        return id(array) in self._lent

    def _take(self, size: int) -> Block:
        with self._lock:
            self._sort_returned()
            blocks = self._free.get(size)
            if blocks:
                self.waiting -= size
                return blocks.pop()
        return Block(size)

    def _return(self, key: int, _: weakref.ref) -> None:
        """An array died, at any moment and on any thread: only note its block, without a lock."""
        self._returned.append(self._lent.pop(key)[1])

    def _sort_returned(self) -> None:
        while self._returned:
            block = self._returned.pop()
            self._free.setdefault(block.size, []).append(block)
            self.waiting += block.size
        if self.waiting > tuning.KEPT_BYTES:
            self._trim()

    def _trim(self) -> None:
        """Give the memory of the largest free blocks back to the system until half of the limit is
        left."""
        for size in sorted(self._free, reverse=True):
            blocks = self._free[size]
            while blocks and self.waiting > tuning.KEPT_BYTES // 2:
                blocks.pop()
                self.waiting -= size
            if not blocks:
                del self._free[size]

    def clear(self) -> None:
        """Give all free memory back to the system."""
        with self._lock:
            self._sort_returned()
            self._free.clear()
            self.waiting = 0


pool = Pool()


def block_size(nbytes: int) -> int:
    """Size of the block for a result: at most an eighth more, so that similar sizes share blocks.

    >>> block_size(1_000_000), block_size(1 << 20)
    (1048576, 1048576)
    """
    step = 1 << max(0, nbytes.bit_length() - 4)
    return -(-nbytes // step) * step


def allocator(shape: Sequence[int], dtype: np.dtype) -> Callable[[], np.ndarray]:
    """A function that makes uninitialised arrays of one type."""
    shape, dtype = tuple(shape), np.dtype(dtype)
    nbytes = dtype.itemsize
    for n in shape:
        nbytes *= n
    if nbytes < tuning.LARGE_RESULT:
        return partial(np.empty, shape, dtype)
    return partial(pool.array, shape, dtype, block_size(nbytes))
