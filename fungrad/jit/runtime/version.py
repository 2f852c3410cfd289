"""What made a compiled program: the source of this package and the versions of what it is built on.

The source itself is what counts, not its date: a copy elsewhere is the same version, an edit that keeps size and date
another one. Reading all of it takes some 10 milliseconds, listing it a quarter of that; so `jit.runtime.cache` keeps
what was read under a digest of names, sizes and dates, among them the date of the last change of a file's status, which
nobody can set.

Modules that are loaded late may be newer than those loaded early if somebody edits the package meanwhile; so a process
that has loaded a file which changed during its life has no version from then on.
"""

from __future__ import annotations

import hashlib
import os
import sys
import time
from collections.abc import Iterator

import ml_dtypes
import numpy as np

from fungrad.config import LOADED_AT
from fungrad.core.source import PACKAGE_DIR

# Some file systems count in steps of ten milliseconds.
_RESOLUTION = 20_000_000
# The coarsest count two seconds: of two edits within one step the second does not change the date.
_COARSEST_RESOLUTION = 2_000_000_000


def is_unchanged() -> bool:
    """Whether no file of the package that is loaded has been written to since the package was imported."""
    return _newest() < LOADED_AT - _RESOLUTION


def stamp() -> str | None:
    """A digest of the names, sizes and dates of all files; None where a file is too new for its date to tell it."""
    found, newest = hashlib.sha256(), 0
    try:
        for entry in sorted(_sources(), key=lambda entry: entry.path):
            status = entry.stat()
            dates = status.st_mtime_ns, status.st_ctime_ns
            newest = max(newest, *dates)
            found.update(f"{entry.path}\0{status.st_size}\0{dates}\0".encode())
    except OSError:
        return None
    found.update(_others().encode())
    return found.hexdigest() if newest < time.time_ns() - _COARSEST_RESOLUTION else None


def content() -> str | None:
    """A digest of the package and its environment; None if it cannot be told."""
    found = hashlib.sha256()
    try:
        for path in sorted(entry.path for entry in _sources()):
            with open(path, "rb") as file:
                content = file.read()
            found.update(f"{path.removeprefix(PACKAGE_DIR)}\0{len(content)}\0".encode())
            found.update(content)
        # The package is something else than a directory of source files: there is nothing to tell versions by.
        if not os.path.isfile(__file__) or not __file__.endswith(".py"):
            return None
    except OSError:
        return None
    found.update(_others().encode())
    return found.hexdigest()


def _others() -> str:
    """What else decides how a program is compiled."""
    import llvmlite

    others = (sys.version, sys.implementation.cache_tag, np.__version__, llvmlite.__version__, ml_dtypes.__version__)
    return "\0".join(map(str, others))


def _newest() -> int:
    """When a file of the package that is loaded was last written to or replaced."""
    newest, package = 0, __name__.partition(".")[0]
    try:
        for name, module in list(sys.modules.items()):
            if name.partition(".")[0] == package:
                path = getattr(module, "__file__", None)
                if path is not None:
                    status = os.stat(path)
                    newest = max(newest, status.st_mtime_ns, status.st_ctime_ns)
    except OSError:
        return sys.maxsize
    return newest


def _sources() -> Iterator[os.DirEntry]:
    """The source files of the package."""
    directories = [PACKAGE_DIR]
    while directories:
        with os.scandir(directories.pop()) as listing:
            for entry in listing:
                if entry.name.endswith(".py"):
                    yield entry
                elif entry.name != "__pycache__" and entry.is_dir():
                    directories.append(entry.path)
