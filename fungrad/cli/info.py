"""``fungrad info``.

May import ``fungrad`` and its run time.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import platform
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

import fungrad
from fungrad.cli.cache import summary
from fungrad.core import blas
from fungrad.jit.runtime import native, system, threads

_NEEDED = ("numpy", "numba", "llvmlite", "scipy", "optree", "opt_einsum", "ml_dtypes")
_OPTIONAL = ("jax", "torch", "rich", "matplotlib", "safetensors", "scikit-learn", "optuna", "tensorboardX")


def run(options: argparse.Namespace) -> None:
    """Prints what is known."""
    rows = list(facts())
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        print(f"{name:{width}}  {value}")


def facts() -> Iterator[tuple[str, str]]:
    """Pairs of a name and a value."""
    yield "fungrad", f"{fungrad.__version__} ({Path(fungrad.__file__).parent})"
    yield "Python", f"{platform.python_version()} ({sys.executable})"
    yield "system", f"{platform.system()} {platform.release()} {platform.machine()}"
    host = native.session().host
    yield "processor", f"{processor()} (LLVM: {host.cpu})"
    yield "vectors", f"{8 * host.vector_bytes} bits" + (", AVX-512" if host.avx512 else "")
    caches = {k.removesuffix("_bytes").upper(): v for k, v in system.caches().items() if k.endswith("_bytes")}
    yield "caches", ", ".join(f"{k} {v >> 10} KiB" for k, v in caches.items()) or "not known"
    wished = fungrad.config.threads
    yield (
        "threads",
        f"{wished or threads.processors()} of {os.cpu_count()} processors{'' if wished else ' (all allowed)'}",
    )
    yield "BLAS", f"{_blas()} ({blas.library().integer} integers)"
    yield "cache", summary()
    yield "needs", ", ".join(f"{n} {v}" for n in _NEEDED if (v := version(n)))
    yield "optional", ", ".join(f"{n} {v or 'no'}" for n, v in ((n, version(n)) for n in _OPTIONAL))


def version(distribution: str) -> str | None:
    """The version of an installed distribution."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def _blas() -> str:
    """The BLAS that NumPy was built with, which is the one that is used."""
    built: Any = np.show_config(mode="dicts")
    found = built.get("Build Dependencies", {}).get("blas", {})
    return f"{found.get('name', 'not known')} {found.get('version', '')}".strip()


def processor() -> str:
    """The name of the processor."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.lower().startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
