"""Runs the benchmark: ``python -m benchmarks [--only REGEX] [--libs a,b] [--json FILE] [--markdown FILE]``.

Every library has its own process; for each row they take turns, so that a slow moment of the machine hits all of them.
Reported are the minimum and the median of a call, the ratio to JAX, and whether the answers agree.
"""

from __future__ import annotations

import argparse
import datetime
import json
import math
import os
import pickle
import platform
import re
import subprocess
import sys
from typing import Any

import numpy as np

from benchmarks import libraries, rows  # noqa: F401 - registers the rows
from benchmarks.registry import ROWS, Row


class Worker:
    """A process that times rows for one library."""

    def __init__(self, library: str):
        self.library = library
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.worker", library],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "JAX_PLATFORMS": "cpu"},
        )
        self.import_time = pickle.load(self.process.stdout)[1]

    def ask(self, *request: Any) -> Any:
        """Sends a request and waits for the answer."""
        pickle.dump(request, self.process.stdin)
        self.process.stdin.flush()
        return pickle.load(self.process.stdout)

    def close(self) -> None:
        """Ends the process."""
        pickle.dump(("quit",), self.process.stdin)
        self.process.stdin.flush()
        self.process.wait()


def agreement(row: Row, answers: dict[str, list[np.ndarray]]) -> str:
    """Empty if all libraries agree with the first; else what differs."""
    names = list(answers)
    for name in names[1:]:
        ours, theirs = answers[names[0]], answers[name]
        if not theirs:
            continue  # a training step that updates its own state
        if len(ours) != len(theirs):
            return f"{name}: {len(theirs)} arrays, {names[0]}: {len(ours)}"
        for a, b in zip(ours, theirs, strict=True):
            scale = max(float(np.max(np.abs(b), initial=0.0)), 1e-30)
            if a.shape != b.shape or not np.all(
                np.isclose(a, b, rtol=row.tolerance, atol=row.tolerance * scale, equal_nan=True)
            ):
                return f"{names[0]} and {name} disagree"
    return ""


def measure(row: Row, workers: list[Worker], rounds: int, seconds: float) -> dict[str, Any]:
    """Times one row in all libraries, in turns."""
    out: dict[str, Any] = {"row": row.name, "libs": {}}
    answers, active = {}, []
    for worker in workers:
        status, *rest = worker.ask("prepare", row.name)
        if status == "ok":
            out["libs"][worker.library] = {"first": rest[0], "times": []}
            answers[worker.library] = rest[1]
            active.append(worker)
        elif status == "error":
            out["libs"][worker.library] = {"error": rest[0]}
    out["disagreement"] = agreement(row, answers)
    for _ in range(rounds):
        for worker in active:
            status, times = worker.ask("time", seconds)
            if status == "ok":
                out["libs"][worker.library]["times"] += times
    for entry in out["libs"].values():
        if entry.get("times"):
            entry["min"], entry["median"] = min(entry["times"]), float(np.median(entry["times"]))
            del entry["times"]
    return out


def pretty(seconds: float) -> str:
    """A time with three digits and a unit."""
    for unit, factor in (("ns", 1e9), ("us", 1e6), ("ms", 1e3)):
        if seconds * factor < 1000:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds:.3g} s"


def table(results: list[dict[str, Any]], libs: list[str]) -> str:
    """The results as a Markdown table: minimum time, and in brackets the ratio to JAX."""
    lines = [f"| row | {' | '.join(libs)} |", "| --- |" + " --- |" * len(libs)]
    ratios = []
    for result in results:
        cells = []
        base = result["libs"].get("jax", {}).get("min")
        for lib in libs:
            entry = result["libs"].get(lib)
            if entry is None:
                cells.append("-")
            elif "error" in entry:
                cells.append(f"failed: {entry['error'][:60]}")
            else:
                ratio = f" ({entry['min'] / base:.2g})" if base and lib != "jax" else ""
                cells.append(pretty(entry["min"]) + ratio)
                if base and lib == "fungrad":
                    ratios.append(entry["min"] / base)
        note = f" **{result['disagreement']}**" if result["disagreement"] else ""
        lines.append(f"| {result['row']}{note} | {' | '.join(cells)} |")
    if ratios:
        lines.append(
            f"\nGeometric mean of fungrad / JAX over {len(ratios)} rows: {math.exp(np.mean(np.log(ratios))):.3f}"
        )
    return "\n".join(lines)


def machine() -> str:
    """The class of machine, for the heading of a table."""
    model = next(
        (line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "unknown CPU"
    )
    return f"{model}, {len(os.sched_getaffinity(0))} cores, Python {platform.python_version()}"


def main() -> None:
    """Parses arguments, runs, prints and saves."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="regular expression that selects rows")
    parser.add_argument("--libs", default="fungrad,jax", help=f"comma-separated, from {', '.join(libraries.ALL)}")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.2, help="per row, library and round")
    parser.add_argument("--json", help="file for the raw results")
    parser.add_argument("--markdown", help="file for the table")
    args = parser.parse_args()
    libs = args.libs.split(",")
    chosen = [row for row in ROWS.values() if re.search(args.only, row.name)]
    workers = [Worker(lib) for lib in libs]
    results = []
    for row in chosen:
        results.append(measure(row, workers, args.rounds, args.seconds))
        print(table(results[-1:], libs).splitlines()[2], flush=True)
    for worker in workers:
        worker.close()
    how = f"least time of {args.rounds} interleaved rounds, in brackets the ratio to JAX"
    heading = f"{machine()}; {datetime.date.today()}; {how}"
    text = f"{heading}\n\n{table(results, libs)}\n"
    print("\n" + text)
    if args.json:
        with open(args.json, "w") as file:
            json.dump({"machine": machine(), "date": str(datetime.date.today()), "rows": results}, file, indent=1)
    if args.markdown:
        with open(args.markdown, "w") as file:
            file.write(text)


if __name__ == "__main__":
    main()
