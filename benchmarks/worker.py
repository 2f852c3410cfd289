"""One process per library: prepares rows and times them when told to.

Speaks pickles over its standard streams. The first is empty, or says why the library cannot be measured. Then
``("prepare", row)`` answers with seconds of the first call and a sample of the result, ``("time", seconds)`` with a
list of seconds per call, ``("quit",)`` ends. A row is one of the table, or a program of `fuzz_programs`.
"""

from __future__ import annotations

import os
import pickle
import sys
import time
import traceback
from typing import Any

import numpy as np


def sample(result: Any) -> list[np.ndarray]:
    """Up to 20,000 evenly chosen elements of every array in a result."""
    out: list[np.ndarray] = []

    def visit(x: Any) -> None:
        if isinstance(x, dict):
            for k in sorted(x):
                visit(x[k])
        elif isinstance(x, (list, tuple)):
            for item in x:
                visit(item)
        elif x is not None:
            if hasattr(x, "detach"):
                x = x.detach()  # a tensor of torch
            flat = np.asarray(x).reshape(-1)
            out.append(
                np.array(
                    flat[:: max(1, flat.size // 20_000)], dtype=np.complex128 if np.iscomplexobj(flat) else np.float64
                )
            )

    visit(result)
    return out


def timed(thunk: Any, seconds: float) -> list[float]:
    """Seconds per call, in batches long enough for the clock."""
    start = time.perf_counter()
    thunk()
    once = time.perf_counter() - start
    batch = max(1, int(2e-4 / max(once, 1e-8)))
    out = []
    end = time.perf_counter() + seconds
    while not out or time.perf_counter() < end:
        start = time.perf_counter()
        for _ in range(batch):
            thunk()
        out.append((time.perf_counter() - start) / batch)
    return out


def main(library: str) -> None:
    """Serves requests until told to quit."""
    stdin, stdout = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # prints of libraries must not disturb the protocol
    from benchmarks import libraries, rows  # noqa: F401 - registers the rows
    from benchmarks.fuzz_programs import find
    from benchmarks.registry import ROWS

    try:
        lib = libraries.load(library)
    except ImportError as error:
        pickle.dump(str(error), stdout)
        return
    pickle.dump("", stdout)
    stdout.flush()
    thunk: Any = None
    while True:
        request = pickle.load(stdin)
        try:
            if request[0] == "prepare":
                thunk = None  # free the arrays of the row before
                thunk = (ROWS[request[1]] if request[1] in ROWS else find(request[1])).thunk(lib)
                if thunk is None:
                    answer: Any = ("none",)
                else:
                    start = time.perf_counter()
                    result = thunk()
                    answer = ("ok", time.perf_counter() - start, sample(result))
            elif request[0] == "time":
                time.sleep(0.02)  # until the threads of the library before have gone to sleep
                answer = ("ok", timed(thunk, request[1]))
            else:
                return
        except Exception as error:  # noqa: BLE001 - a row that fails is reported in the table
            traceback.print_exc()
            answer = ("error", f"{type(error).__name__}: {error}".splitlines()[0])
        pickle.dump(answer, stdout)
        stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1])
