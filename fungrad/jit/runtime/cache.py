"""Object code on disk, so that a second process compiles nothing.

There are two kinds of entries. The key of object code is a hash of everything that depends on: the text of the module,
the processor and the version of LLVM. To know the text one has to compile; so whole programs, and modules that all
programs share, have entries of another kind, whose key is a hash of what they are compiled from and of the compiler
itself (`named`); they say which object code it is, and what else it takes to run it. One more entry has the hash of the
compiler's source, under one of its files' dates, so that not every process reads them all.
So an entry cannot be stale, and there is no index: one file per key, written under another name and renamed. A file
holds a hash of its key and its code together: one that is damaged, or has the name of another, is a miss.

What is read here is run. So the directory must belong to the user (or to the administrator) and nobody else may write
to it, and the same holds for each entry, which must be a plain file; else there is a warning of one line and no cache.
Where there is no home directory there is no cache either. When the directory outgrows its limit the entries used
longest ago go; other files in it are left alone.

Environment:
  FUNGRAD_CACHE_DIR: the directory; empty to have none. Default `fungrad` in `XDG_CACHE_HOME`, else `~/.cache/fungrad`.
  FUNGRAD_CACHE_LIMIT: its size in MiB, default 256.
"""

from __future__ import annotations

import contextlib
import hashlib
import math
import os
import re
import stat
import tempfile
import time
import warnings
from collections.abc import Callable
from functools import cache as memoised
from pathlib import Path

from fungrad.jit.runtime.native import Host, Session
from fungrad.jit.runtime.version import content, is_unchanged, stamp

# Raise when the meaning of the object code changes other than through the text of the module.
FORMAT = 2
_MAGIC = b"fungrad%d\n" % FORMAT
_LIMIT_MIB = 256
_ENTRY = re.compile(r"[0-9a-f]{64}")
_TEMPORARY = ".fungrad-"
# Age in seconds from which a temporary file is one that a process left behind.
_ABANDONED = 3600


@memoised
def _compiler() -> str:
    import llvmlite

    return llvmlite.__version__


@memoised
def _warn(message: str) -> None:
    """Says something once."""
    warnings.warn(f"fungrad: {message}", RuntimeWarning, stacklevel=2)


def key(text: str, host: Host) -> str:
    """Name of the object code of a module for a processor."""
    digest = hashlib.sha256()
    for part in (_compiler(), host.triple, host.cpu, host.features, text):
        digest.update(part.encode())
        digest.update(b"\0")
    return digest.hexdigest()


def version() -> str | None:
    """A digest of the package and its environment; None if it cannot be told or has changed."""
    known = _version()
    return known if known is not None and is_unchanged() else None


@memoised
def _version() -> str | None:
    """The digest of the source, which is only read if no earlier process has found it with these dates."""
    place = version_place()
    kept = read(place) if place is not None else None
    if kept is not None:
        return kept.decode()
    found = content()
    if place is not None and found is not None:
        write(place, found.encode())
    return found


def version_place() -> str | None:
    """The key of the entry that has the digest of the source."""
    dates = stamp()
    return None if dates is None else hashlib.sha256(b"version\0" + dates.encode()).hexdigest()


def named(kind: str, name: str, host: Host) -> str | None:
    """Key of an entry that is found by what it is compiled from; None where the version of the compiler is not known.

    Args:
      kind: of the entry.
      name: that two entries of the kind have in common only if they are compiled from the same thing.
      host: the processor.
    """
    own = version()
    if own is None:
        return None
    digest = hashlib.sha256()
    for part in (own, kind, name, host.triple, host.cpu, host.features):
        digest.update(part.encode())
        digest.update(b"\0")
    return digest.hexdigest()


def module(name: str, text: Callable[[], str], session: Session) -> bytes:
    """Object code of a module that belongs to the library.

    Args:
      name: says what it is.
      text: gives its text, which depends on the name, the source of the library and the processor alone.
      session: the compiler.
    """
    place = named("module", name, session.host)
    if place is not None:
        kept = read(place)
        code = read(kept.decode()) if kept is not None else None
        if code is not None:
            return code
    written = text()
    own = key(written, session.host)
    code = read(own)
    if code is None:
        code = session.compile(written)
        write(own, code)
    if place is not None and is_unchanged():
        write(place, own.encode())
    return code


def directory() -> Path | None:
    """Where entries are, None if there is no cache."""
    chosen = os.environ.get("FUNGRAD_CACHE_DIR")
    if chosen is not None:
        if chosen.startswith("~") and os.path.expanduser(chosen).startswith("~"):
            _warn(f"there is no home directory for FUNGRAD_CACHE_DIR={chosen}; compiled programs are not kept")
            return None
        return Path(os.path.expanduser(chosen)) if chosen else None
    # Relative paths are to be ignored, says the standard for this variable.
    base = os.environ.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(base):
        base = os.path.join(os.path.expanduser("~"), ".cache")
    return Path(base) / "fungrad" if os.path.isabs(base) else None


def read(key: str) -> bytes | None:
    """The object code of a key, None if there is none or it is damaged."""
    where = directory()
    if where is None:
        return None
    path = where / key
    try:
        if not _is_trusted(where):
            return None
        # Without waiting: what has the name of an entry may be a pipe.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode) or _danger(status) is not None:
                return None
            content = file.read()
    except OSError:
        return None
    header = len(_MAGIC) + 32
    code = content[header:]
    if content[: len(_MAGIC)] != _MAGIC or _digest(key, code) != content[len(_MAGIC) : header]:
        return None
    with contextlib.suppress(OSError):
        os.utime(path)
    return code


def write(key: str, code: bytes) -> None:
    """Keep object code. Failing to (read-only or full disk) is no error: the next process compiles again."""
    where = directory()
    if where is None:
        return
    try:
        where.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not _is_trusted(where):
            return
        descriptor, temporary = tempfile.mkstemp(prefix=_TEMPORARY, dir=where)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(_MAGIC + _digest(key, code) + code)
            os.replace(temporary, where / key)
        except BaseException:
            os.unlink(temporary)
            raise
        _trim(where)
    except OSError:
        return


def _digest(key: str, code: bytes) -> bytes:
    """What binds code to its key."""
    return hashlib.sha256(key.encode() + b"\0" + code).digest()


def _danger(status: os.stat_result) -> str | None:
    """Who else could have put code there."""
    if status.st_uid not in (os.geteuid(), 0):
        return f"belongs to another user (number {status.st_uid})"
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return f"can be written by other users (mode {stat.S_IMODE(status.st_mode):03o})"
    return None


def _is_trusted(where: Path) -> bool:
    """Whether nobody else could have put code into a directory."""
    danger = _danger(os.stat(where))
    if danger is not None:
        _warn(
            f"the cache of compiled programs is not used: {where} {danger}; "
            "make it yours alone (chmod 700), or set FUNGRAD_CACHE_DIR"
        )
    return danger is None


def limit() -> int:
    """Most bytes of all entries."""
    text = os.environ.get("FUNGRAD_CACHE_LIMIT", "")
    try:
        found = float(text) if text else _LIMIT_MIB
    except ValueError:
        found = math.nan
    if not 0 <= found < math.inf:
        _warn(f"FUNGRAD_CACHE_LIMIT must be a number of MiB, got {text!r}; the limit is {_LIMIT_MIB}")
        found = _LIMIT_MIB
    return int(found * 2**20)


def entries() -> list[tuple[Path, int]]:
    """All entries, with their sizes in bytes; other files in the directory do not count."""
    where = directory()
    found = []
    if where is not None and where.is_dir() and _is_trusted(where):
        for path in sorted(where.iterdir()):
            if _ENTRY.fullmatch(path.name) and path.is_file() and not path.is_symlink():
                found.append((path, path.stat().st_size))
    return found


def _trim(where: Path) -> None:
    """Remove the entries used longest ago until the directory is below its limit; looks only now and then."""
    global _until_trim
    _until_trim -= 1
    if _until_trim > 0:
        return
    _until_trim = 64
    most, now = limit(), time.time()
    entries = []
    with os.scandir(where) as listing:
        for entry in listing:
            with contextlib.suppress(OSError):
                status = entry.stat(follow_symlinks=False)
                if not stat.S_ISREG(status.st_mode):
                    continue
                if _ENTRY.fullmatch(entry.name):
                    entries.append((status.st_mtime, status.st_size, entry.path))
                elif entry.name.startswith(_TEMPORARY) and now - status.st_mtime > _ABANDONED:
                    os.unlink(entry.path)
    total = sum(size for _, size, _ in entries)
    for _, size, path in sorted(entries):
        if total <= most:
            return
        with contextlib.suppress(OSError):
            os.unlink(path)
        total -= size


_until_trim = 1
