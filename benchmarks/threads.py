"""Whether threads cost: ``python -m benchmarks.threads [--only REGEX] [--cores N] [--competitor]``.

Every row of the benchmark, and the gradient of a layer of many sizes, is timed in turns on one thread and on all.
Printed are the least times and the medians, and at the end the rows above the bar. Threads cost nothing if no ratio is
above 1.05; with a competitor on one of two processors, if no ratio of medians is above 1.3. On a machine where other
processes run, look at a row again before you believe it (``--only``, ``--seconds``).
"""

from __future__ import annotations

import argparse
import re
import statistics
import time
from collections.abc import Callable
from typing import Any

from benchmarks import conditions, libraries, rows  # noqa: F401 - registers the rows
from benchmarks.registry import ROWS, data
from benchmarks.report import pretty
from benchmarks.worker import timed
from fungrad.core.programs import finish

SIZES, BATCHES = (64, 128, 256, 512, 1024, 2048), (8, 16, 32, 64, 128, 256, 512)
HEADING = "| row | one thread | all | ratio | medians: one | all | ratio |"
# What says nothing about threads: operations one by one.
EAGER = "eager|^dispatch/|^memory/"


def layer(lib: Any, size: int, batch: int) -> Callable[[], Any]:
    """The gradient of a layer of a network with respect to all it is made of."""
    x, w, b = (lib.asarray(data(shape)) for shape in ((batch, size), (size, size), (size,)))
    f = lib.jit(lib.grad(lambda w, b, x: lib.np.sum(lib.np.tanh(x @ w + b)), (0, 1, 2)))
    return lambda: lib.done(f(w, b, x))


def programs(lib: Any, only: str) -> dict[str, Callable[[], Callable[[], Any] | None]]:
    """What is timed, by name: functions that prepare it."""
    found: dict[str, Any] = {
        f"layer/{size}_batch_{batch}": lambda s=size, n=batch: layer(lib, s, n) for size in SIZES for batch in BATCHES
    }
    found |= {name: lambda r=row: r.thunk(lib) for name, row in ROWS.items() if not re.search(EAGER, name)}
    return {name: make for name, make in found.items() if re.search(only, name)}


def measure(lib: Any, thunk: Callable[[], Any], seconds: float, rounds: int) -> dict[int, list[float]]:
    """Seconds per call on one thread (1) and on all (0), in turns."""
    times: dict[int, list[float]] = {1: [], 0: []}
    for n in times:
        with lib.threads(n):
            thunk()
    for _ in range(rounds):
        for n, taken in times.items():
            with lib.threads(n):
                thunk()
                taken += timed(thunk, seconds / rounds / 2)
    return times


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="regular expression that selects rows")
    parser.add_argument("--seconds", type=float, default=1.0, help="per row")
    parser.add_argument("--rounds", type=int, default=10)
    conditions.add_options(parser)
    args = parser.parse_args()
    bar, key = (1.3, 1) if args.competitor else (1.05, 0)
    results = []
    print(f"{HEADING}\n|{' --- |' * 7}", flush=True)
    start = time.perf_counter()
    with conditions.held(args):
        lib = libraries.load("fungrad")
        for name, make in programs(lib, args.only).items():
            thunk = make()
            if thunk is None:
                continue
            times = measure(lib, thunk, args.seconds, args.rounds)
            least = {n: min(taken) for n, taken in times.items()}
            usual = {n: statistics.median(taken) for n, taken in times.items()}
            cells = []
            for found in (least, usual):
                cells += [pretty(found[1], "s"), pretty(found[0], "s"), f"{found[0] / found[1]:.2f}"]
            line = f"| {name} | {' | '.join(cells)} |"
            results.append((least[0] / least[1], usual[0] / usual[1], line))
            print(line, flush=True)
    above = sorted([r for r in results if r[key] > bar], key=lambda r: -r[key])
    words = conditions.describe(args) or "on all processors"
    print(f"\n{len(results)} rows {words} in {time.perf_counter() - start:.0f} s; above {bar}: {len(above)}")
    print("\n".join(line for _, _, line in above))


if __name__ == "__main__":
    finish(main)
