"""Under which conditions the benchmark runs: on how many processors, and who else is there."""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of a command line that say so."""
    parser.add_argument("--cores", type=int, default=0, help="run on so many of the processors (default: on all)")
    parser.add_argument(
        "--competitor", action="store_true", help="let another process use the last of the processors all the time"
    )


def describe(args: argparse.Namespace) -> str:
    """The conditions in words, for a heading; empty for those that need none."""
    words = [f"pinned to {args.cores} of its cores"] if args.cores else []
    words += ["with a competitor on one of them"] if args.competitor else []
    return ", ".join(words)


@contextlib.contextmanager
def held(args: argparse.Namespace) -> Iterator[None]:
    """Keeps this process, and those it starts, under the conditions.

    Raises:
      SystemExit: the process has not so many processors.
    """
    before = os.sched_getaffinity(0)
    chosen = sorted(before)[: args.cores or None]
    if args.cores < 0 or len(chosen) < args.cores:
        raise SystemExit(f"--cores {args.cores}: this process may use {len(before)} processors")
    os.sched_setaffinity(0, chosen)
    other = None
    try:
        if args.competitor:
            other = subprocess.Popen([sys.executable, "-c", _BUSY.format(processor=chosen[-1])])
        yield
    finally:
        if other is not None:
            other.kill()
            other.wait()
        os.sched_setaffinity(0, before)


# Ends with its parent, also where that is killed.
_BUSY = """
import os
os.sched_setaffinity(0, [{processor}])
parent = os.getppid()
while os.getppid() == parent:
    for _ in range(100_000):
        pass
"""
