"""What this machine can do, measured once per process: operations per second, bytes per second from memory and cache.

May import ``jit``, ``numpy`` and ``config``.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from fungrad import numpy as jnp
from fungrad.config import config, threads
from fungrad.core.array import as_array
from fungrad.jit.front.api import jit
from fungrad.jit.runtime.threads import processors

# Elements of a matrix whose product shows what the arithmetic units can do, and of arrays in memory and in the cache.
_ROWS, _LARGE, _SMALL = 512, 6 << 20, 1 << 14


@dataclass(frozen=True)
class Rates:
    """Rates of one thread, and of all that the library uses.

    Attributes:
      flops: operations per second of a product of float32 matrices, one thread and all.
      memory: bytes per second read and written in memory, one thread and all.
      cache: bytes per second in the second-level cache, one thread.
      threads: how many the library uses.
    """

    flops: tuple[float, float]
    memory: tuple[float, float]
    cache: float
    threads: int

    def __str__(self) -> str:
        per = f"one thread {self.flops[0] / 1e9:.0f} GFLOP/s, {self.memory[0] / 1e9:.1f} GB/s from memory"
        every = f"all {self.flops[1] / 1e9:.0f} GFLOP/s, {self.memory[1] / 1e9:.1f} GB/s"
        return f"{per}, {self.cache / 1e9:.0f} GB/s from cache; {every} (float32 product, read and write)"


_rates: list[Rates] = []


def rates() -> Rates:
    """The rates of this machine; the first call measures for about half a second."""
    if not _rates:
        _rates.append(_measured())
    return _rates[0]


def threads_used() -> int:
    """How many threads compiled programs use."""
    return config.threads or processors()


def _measured() -> Rates:
    a = as_array(np.ones((_ROWS, _ROWS), np.float32))
    large, small = (as_array(np.ones(n, np.float32)) for n in (_LARGE, _SMALL))
    product, scaled = jit(lambda x, y: x @ y), jit(lambda x: 1.5 * x + jnp.float32(0.5))
    flops, memory = [], []
    for n in (1, threads_used()):
        with threads(n):
            flops.append(2.0 * _ROWS**3 / _least(lambda: product(a, a), 4))
            memory.append(8.0 * _LARGE / _least(lambda: scaled(large), 4))
    with threads(1):
        cache = 8.0 * _SMALL / _least(lambda: scaled(small), 200)
    return Rates((flops[0], max(flops)), (memory[0], max(memory)), max(cache, *memory), threads_used())


def _least(run: Callable[[], Any], times: int) -> float:
    run()
    best = float("inf")
    for _ in range(times):
        start = time.perf_counter()
        run()
        best = min(best, time.perf_counter() - start)
    return best
