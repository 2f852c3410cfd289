"""Runs the benchmark: ``python -m benchmarks [--only REGEX] [--libs a,b] [--json FILE] [--markdown FILE]``.

Every library has its own process; for each row they take turns, so that a slow moment of the machine hits all of them.
``--cores 1``, ``--cores 2`` and ``--competitor`` say on how many processors it runs and who else is there.

Reported are the minimum and the median of a call, the ratio to JAX, the percentage of the roofline, and whether the
answers agree.
"""

from __future__ import annotations

import argparse
import datetime
import importlib.metadata
import json
import os
import pathlib
import pickle
import platform
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks import conditions, libraries, report, roofline, startup
from benchmarks.registry import ROWS, Row
from fungrad.core.programs import finish


class Worker:
    """A process that times rows for one library; ``missing`` says why if it cannot.

    Args:
      library: what is measured.
      label: its name in results.
      environment: variables of the process.
    """

    def __init__(self, library: str, label: str = "", **environment: str):
        self.library = label or library
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.worker", library],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "JAX_PLATFORMS": "cpu", **environment},
        )
        self.missing = pickle.load(self.process.stdout)

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
        if len(ours) != len(theirs):
            return f"{name}: {len(theirs)} arrays, {names[0]}: {len(ours)}"
        for a, b in zip(ours, theirs, strict=True):
            scale = max(float(np.max(np.abs(b), initial=0.0)), 1e-30)
            if a.shape != b.shape or not np.all(
                np.isclose(a, b, rtol=row.tolerance, atol=row.tolerance * scale, equal_nan=True)
            ):
                return f"{names[0]} and {name} disagree"
    return ""


def summary(values: list[float]) -> dict[str, float]:
    """What is kept of the repetitions."""
    return {"min": min(values), "median": float(np.median(values))}


def measure(row: Row, workers: list[Worker], rounds: int, seconds: float, key: str = "") -> dict[str, Any]:
    """Times one row in all libraries, in turns. Workers know it by its key, which is its name if none is given."""
    libs: dict[str, Any] = {}
    answers, times = {}, {}
    for worker in workers:
        status, *rest = worker.ask("prepare", key or row.name)
        if status == "ok":
            libs[worker.library] = {"first": rest[0]}
            answers[worker.library], times[worker.library] = rest[1], []
        elif status == "error":
            libs[worker.library] = {"error": rest[0]}
    for _ in range(rounds):
        for worker in workers:
            if worker.library in times:
                status, answer = worker.ask("time", seconds)
                if status == "error":
                    libs[worker.library] = {"error": answer}
                    del times[worker.library]
                else:
                    times[worker.library] += answer
    for library, values in times.items():
        libs[library].update(summary(values))
    facts = {"row": row.name, "bytes": row.bytes, "flops": row.flops, "disagreement": agreement(row, answers)}
    return {**facts, "libs": libs}


def measure_startup(names: list[str], libs: list[str], rounds: int) -> list[dict[str, Any]]:
    """The rows that need fresh processes."""
    values: dict[tuple[str, str], list[float]] = {}
    for _ in range(rounds):
        for lib in libs:
            for name, observed in startup.observations(names, lib).items():
                values.setdefault((name, lib), []).extend(observed)
    results = []
    for name in (n for n in startup.NAMES if any(n == key for key, _ in values)):
        entries = {lib: summary(values[name, lib]) for lib in libs if (name, lib) in values}
        unit = "MiB" if name.startswith("memory/") else "s"
        results.append({"row": name, "startup": True, "unit": unit, "libs": entries})
    return results


def machine() -> str:
    """The class of machine, for the heading of a table."""
    model = next(
        (line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "unknown CPU"
    )
    return f"{model}, {len(os.sched_getaffinity(0))} cores, Python {platform.python_version()}"


def versions(libs: list[str]) -> str:
    """Libraries with their versions."""
    names = dict.fromkeys("torch" if lib == "torchc" else lib for lib in libs if lib != "fungrad")
    return ", ".join(f"{name} {importlib.metadata.version(name)}" for name in names)


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="regular expression that selects rows")
    parser.add_argument("--libs", default="fungrad,jax", help=f"comma-separated, from {', '.join(libraries.ALL)}")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.2, help="per row, library and round")
    parser.add_argument("--json", help="file for the raw results")
    parser.add_argument("--resume", action="store_true", help="keep the rows that are already in the JSON file")
    parser.add_argument("--markdown", help="file for the tables")
    parser.add_argument("--list", action="store_true", help="print the names of rows and end")
    conditions.add_options(parser)
    return parser.parse_args()


def begin(args: argparse.Namespace) -> tuple[dict[str, Any], list[Worker]]:
    """The record of a run, with the rows it resumes from, and the processes of the libraries."""
    rows, rates = [], {}
    if args.resume and args.json and os.path.exists(args.json):
        earlier = json.loads(pathlib.Path(args.json).read_text())
        rows, rates = earlier["rows"], earlier["rates"]
    workers = [Worker(lib) for lib in args.libs.split(",")]
    missing = {worker.library: worker.missing for worker in workers if worker.missing}
    for lib, reason in missing.items():
        print(f"{lib} is not measured: {reason}", file=sys.stderr)
    shown = {worker.library for worker in workers if not worker.missing}.union(*(row["libs"] for row in rows))
    libs = [lib for lib in libraries.ALL if lib in shown]
    words = conditions.describe(args)
    where = ", ".join(filter(None, [machine(), words]))
    run = {"machine": where, "date": str(datetime.date.today()), "versions": versions(libs), "libs": libs}
    run |= {"missing": missing, "rates": roofline.best(rates, roofline.measure()), "rounds": args.rounds, "rows": rows}
    return run, [worker for worker in workers if not worker.missing]


def measured_rows(args: argparse.Namespace, chosen: list[str], workers: list[Worker]) -> Iterator[dict[str, Any]]:
    """Results one by one; the processes end before those that need fresh ones are measured."""
    for name in chosen:
        if name in ROWS:
            yield measure(ROWS[name], workers, args.rounds, args.seconds)
    for worker in workers:
        worker.close()
    fresh = [name for name in chosen if name in startup.NAMES]
    yield from measure_startup(fresh, [worker.library for worker in workers], args.rounds)


def main() -> None:
    """Runs, prints and saves."""
    args = arguments()
    order = [*ROWS, *startup.NAMES]
    chosen = [name for name in order if re.search(args.only, name)]
    if args.list:
        print("\n".join(chosen))
        return
    with conditions.held(args):
        run_rows(args, order, chosen)


def run_rows(args: argparse.Namespace, order: list[str], chosen: list[str]) -> None:
    """Measures the chosen rows, and writes the reports."""
    run, workers = begin(args)

    def save() -> None:
        if args.json:
            pathlib.Path(args.json).write_text(json.dumps(run, indent=1) + "\n")

    known = {result["row"] for result in run["rows"]}
    for result in measured_rows(args, [name for name in chosen if name not in known], workers):
        run["rows"].append(result)
        print(report.row_line(result, run["libs"], run["rates"]), flush=True)
        save()
    run["rates"] = roofline.best(run["rates"], roofline.measure())
    run["rows"].sort(key=lambda result: order.index(result["row"]) if result["row"] in order else len(order))
    save()
    text = report.page(run)
    print("\n" + text.split("\n## Medians")[0].removeprefix(report.INTRODUCTION))
    if args.markdown:
        pathlib.Path(args.markdown).write_text(text)


if __name__ == "__main__":
    finish(main)
