"""Memory for results and temporaries.

Fresh pages cost more than the work on them (a new 40 MB array halves the bandwidth of a simple operation), so the memory
of large results is kept when they die and handed out again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

# Results from this size come from the pool; below, the allocator of NumPy is as good.
LARGE = 1 << 18


def aligned(nbytes: int) -> np.ndarray:
    """Bytes that start at a multiple of 64."""
    raw = np.empty(nbytes + 64, np.uint8)
    start = -raw.ctypes.data % 64
    return raw[start : start + nbytes]


def allocator(shape: Sequence[int], dtype: np.dtype) -> Callable[[], np.ndarray]:
    """A function that makes uninitialised arrays of one type."""
    return partial(np.empty, tuple(shape), dtype)
