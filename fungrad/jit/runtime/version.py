"""What made a compiled program: the source of this package and the versions of what it is built on.

The source itself is read, not its date: a copy that keeps dates, or an edit within the resolution of the clock, is
another version too. That takes some 4 milliseconds once per process. Modules that are loaded late may be newer than
those loaded early if somebody edits the package meanwhile; so a process during whose life a file changes has no
version from then on.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterator
from functools import cache

import ml_dtypes
import numpy as np

from fungrad.config import LOADED_AT
from fungrad.core.source import PACKAGE_DIR

# Some file systems count in steps of ten milliseconds.
_RESOLUTION = 20_000_000


def version() -> str | None:
    """A digest of the package and its environment; None if it cannot be told or has changed."""
    known = _version()
    return known if known is not None and is_unchanged() else None


def is_unchanged() -> bool:
    """Whether no file of the package has been written to since it was imported."""
    return _newest() < LOADED_AT - _RESOLUTION


@cache
def _version() -> str | None:
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
    import llvmlite

    others = (sys.version, sys.implementation.cache_tag, np.__version__, llvmlite.__version__, ml_dtypes.__version__)
    found.update("\0".join(map(str, others)).encode())
    return found.hexdigest()


def _newest() -> int:
    """When a file of the package was last written to or replaced."""
    newest = 0
    try:
        for entry in _sources():
            status = entry.stat()
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
