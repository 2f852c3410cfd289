"""What the machine can do: bytes per second from and to memory, and operations per second of a matrix product."""

from __future__ import annotations

import json
import subprocess
import sys
import time

import numpy as np


def least(thunk, seconds: float = 1.0) -> float:
    """Seconds of the fastest of repeated calls."""
    best, end = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        thunk()
        best = min(best, time.perf_counter() - start)
    return best


def triad(n: int = 10**7) -> float:
    """Bytes per second of ``a = b + s c`` in float32, all cores, into memory that is already there."""
    from benchmarks.numba_math import f32, kernel, prange

    @kernel
    def run(a, b, c):
        for i in prange(a.size):
            a[i] = b[i] + f32(3) * c[i]

    a, b, c = np.zeros(n, np.float32), np.ones(n, np.float32), np.ones(n, np.float32)
    run(a, b, c)
    return 12.0 * n / least(lambda: run(a, b, c))


def gemm(n: int = 2048) -> float:
    """Operations per second of NumPy's float32 matrix product, all cores."""
    a, b = np.ones((n, n), np.float32), np.ones((n, n), np.float32)
    return 2.0 * n**3 / least(lambda: a @ b)


def measure() -> dict[str, float]:
    """Both rates, in a process of their own."""
    out = subprocess.run([sys.executable, "-m", "benchmarks.roofline"], capture_output=True, text=True, check=True)
    return json.loads(out.stdout)


def best(*rates: dict[str, float]) -> dict[str, float]:
    """The highest of several measurements: a busy moment of the machine only lowers them."""
    return {key: max(r.get(key, 0.0) for r in rates) for key in ("triad", "gemm")}


if __name__ == "__main__":
    print(json.dumps({"triad": triad(), "gemm": gemm()}))
