"""Object code on disk, so that a second process compiles nothing.

The key is a hash of everything the code depends on: the text of the module, the processor and the
version of LLVM. So an entry cannot
be wrong or stale, and there is no index: one file per key, written under another name and renamed.
The name says what the file must contain, a damaged file is a miss. When the directory outgrows its
limit the entries used longest ago go.

Environment:
  FUNGRAD_CACHE_DIR: the directory, default `~/.cache/fungrad`; empty to have none.
  FUNGRAD_CACHE_LIMIT: its size in MiB, default 256.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from functools import cache as memoised
from importlib.metadata import version
from pathlib import Path

from fungrad.jit.native import Host

# Raise when the meaning of the object code changes other than through the text of the module.
FORMAT = 1
_MAGIC = b"fungrad%d\n" % FORMAT
_LIMIT_MIB = 256


@memoised
def _compiler() -> str:
    return version("llvmlite")


def key(text: str, host: Host) -> str:
    """Name of the object code of a module for a processor."""
    digest = hashlib.sha256()
    for part in (_compiler(), host.triple, host.cpu, host.features, text):
        digest.update(part.encode())
        digest.update(b"\0")
    return digest.hexdigest()


def directory() -> Path | None:
    """Where entries are, None if there is no cache."""
    chosen = os.environ.get("FUNGRAD_CACHE_DIR")
    if chosen is None:
        return Path.home() / ".cache" / "fungrad"
    return Path(chosen) if chosen else None


def read(key: str) -> bytes | None:
    """The object code of a key, None if there is none or it is damaged."""
    where = directory()
    if where is None:
        return None
    path = where / key
    try:
        content = path.read_bytes()
    except OSError:
        return None
    header = len(_MAGIC) + 32
    code = content[header:]
    if content[: len(_MAGIC)] != _MAGIC or hashlib.sha256(code).digest() != content[len(_MAGIC) : header]:
        return None
    with contextlib.suppress(OSError):
        os.utime(path)
    return code


def write(key: str, code: bytes) -> None:
    """Keep object code. Failing to (read-only or full disk) is no error: the next process compiles
    again."""
    where = directory()
    if where is None:
        return
    try:
        where.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(prefix=".", dir=where)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(_MAGIC + hashlib.sha256(code).digest() + code)
            os.replace(temporary, where / key)
        except BaseException:
            os.unlink(temporary)
            raise
        _trim(where)
    except OSError:
        return


def _trim(where: Path) -> None:
    """Remove the entries used longest ago until the directory is below its limit; looks only now
    and then."""
    global _until_trim
    _until_trim -= 1
    if _until_trim > 0:
        return
    _until_trim = 64
    limit = int(os.environ.get("FUNGRAD_CACHE_LIMIT", _LIMIT_MIB)) << 20
    entries = []
    with os.scandir(where) as listing:
        for entry in listing:
            with contextlib.suppress(OSError):
                status = entry.stat()
                entries.append((status.st_mtime, status.st_size, entry.path))
    total = sum(size for _, size, _ in entries)
    for _, size, path in sorted(entries):
        if total <= limit:
            return
        with contextlib.suppress(OSError):
            os.unlink(path)
        total -= size


_until_trim = 1
