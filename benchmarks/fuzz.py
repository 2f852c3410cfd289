"""Where programs are slow: ``python -m benchmarks.fuzz [--count N] [--seed S] [--only REGEX] [--threads]``.

Times programs of many kinds and sizes, as users write them and as chance does (`fuzz_programs.py`), against JAX. Both
libraries have processes of their own and take turns; a ratio is the quotient of the least times. Reported are the worst
ratios, for running and for the first call, the geometric means, the share above 1, and answers that differ.
``--threads`` also runs fungrad on one thread, and reports where two lose to it. A program is its name:
``--program short_rows/17`` runs it again. Beside other processes look at a program twice before you believe it.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.__main__ import Worker, measure
from benchmarks.fuzz_programs import KINDS, find
from benchmarks.report import pretty
from fungrad.core.programs import finish

# Two threads lose to one above this: the noise of a machine that has other things to do.
LOST = 1.15


def names(count: int, seed: int, only: str) -> list[str]:
    """Programs of all kinds in turn."""
    kinds = [kind for kind in KINDS if re.search(only, kind)]
    return [f"{kinds[k % len(kinds)]}/{seed + k // len(kinds)}" for k in range(count)] if kinds else []


def ratios(name: str, workers: dict[str, Worker], rounds: int, seconds: float) -> dict[str, Any]:
    """The result of one program: its times by library, ratios, and what went wrong."""
    found = measure(find(name), list(workers.values()), rounds, seconds, key=name)
    libs = found["libs"]
    failed = {lib: times["error"] for lib, times in libs.items() if "error" in times}
    result: dict[str, Any] = {"name": find(name).name, "wrong": found["disagreement"], "failed": failed}
    if failed:
        return result
    ours, theirs = libs["fungrad"], libs["jax"]
    result |= {"time": ours["min"], "ratio": ours["min"] / theirs["min"], "compile": ours["first"] / theirs["first"]}
    if "fungrad on one thread" in libs:
        result["threads"] = ours["min"] / libs["fungrad on one thread"]["min"]
    return result


def worst(results: Sequence[dict[str, Any]], key: str, bar: float, heading: str, most: int) -> str:
    """The programs above a bar, the worst first, as text."""
    above = sorted((r for r in results if r[key] > bar), key=lambda r: -r[key])
    lines = [f"\n{heading}: {len(above)} of {len(results)} above {bar}"]
    lines += [f"  {r[key]:6.2f}  {pretty(r['time'], 's'):>8}  {r['name']}" for r in above[:most]]
    return "\n".join(lines)


def summary(results: Sequence[dict[str, Any]], most: int) -> str:
    """What a run has found."""
    done = [r for r in results if not r["failed"]]
    lines = []
    for key, words in (("ratio", "ratio to JAX"), ("compile", "first call, ratio to JAX"), ("threads", "threads")):
        some = [r for r in done if key in r]
        if some:
            mean = float(np.exp(np.mean([np.log(r[key]) for r in some])))
            lines.append(worst(some, key, LOST if key == "threads" else 1.0, f"{words}, mean {mean:.2f}", most))
    lines += [f"\nwrong: {r['name']}: {r['wrong']}" for r in done if r["wrong"]]
    lines += [f"\nfailed: {r['name']}: {r['failed']}" for r in results if r["failed"]]
    return "\n".join(lines)


def main() -> None:
    """Draws, measures, prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=len(KINDS), help="programs to draw (default: one of each kind)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="regular expression that selects kinds")
    parser.add_argument("--program", action="append", help="a program by name, KIND/SEED, instead of drawn ones")
    parser.add_argument("--threads", action="store_true", help="also run on one thread")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=0.03, help="per program, library and round")
    parser.add_argument("--worst", type=int, default=30, help="how many are listed")
    args = parser.parse_args()
    workers = {"fungrad": Worker("fungrad"), "jax": Worker("jax")}
    if args.threads:
        workers["one"] = Worker("fungrad", "fungrad on one thread", NUMBA_NUM_THREADS="1")
    results = []
    try:
        for name in args.program or names(args.count, args.seed, args.only):
            result = ratios(name, workers, args.rounds, args.seconds)
            results.append(result)
            figures = [f"{result[key]:.2f}" for key in ("ratio", "compile", "threads") if key in result]
            words = result["wrong"] or result["failed"] or ""
            print(" ".join([*figures, pretty(result.get("time", 0.0), "s"), result["name"], str(words)]), flush=True)
    finally:
        for worker in workers.values():
            worker.close()
    print(summary(results, args.worst))


if __name__ == "__main__":
    finish(main)
