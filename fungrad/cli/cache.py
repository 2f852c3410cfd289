"""``fungrad cache show|clear``.

May import the run time of the compiler.
"""

from __future__ import annotations

import argparse

from fungrad.jit.runtime import cache


def run(options: argparse.Namespace) -> None:
    """Shows or clears the cache."""
    if options.action == "clear":
        where = cache.directory()
        found = cache.entries()
        freed = sum(size for _, size in found)
        for path, _ in found:
            path.unlink(missing_ok=True)
        print(f"{len(found)} entries, {freed / 2**20:.1f} MiB removed from {where}" if where else "there is no cache")
        return
    print(summary())


def summary() -> str:
    """Where the cache is and how large."""
    where = cache.directory()
    if where is None:
        return "none"
    found = cache.entries()
    size = sum(n for _, n in found) / 2**20
    return f"{where}: {len(found)} entries, {size:.1f} of at most {cache.limit() / 2**20:.0f} MiB"
