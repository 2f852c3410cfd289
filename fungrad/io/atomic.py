"""Files that are there as a whole or not at all, whatever kills the process that writes them.

A file is written in a hidden directory beside its place, and renamed when it is on the disk.  Libraries may use names
of their own in there.  The writer holds a lock on the directory, which the system releases when the process ends
however it ends: so what is left behind can be told from what another process or thread is still writing, also where
process numbers say nothing, as between containers.

May import nothing of the library.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator

try:
    import fcntl
except ImportError:  # not on Windows
    fcntl = None  # type: ignore[assignment]

_RANDOM = r"[a-z0-9_]{8}"  # what tempfile makes
_DAY = 24 * 3600.0


def atomic_write(path: str, write: Callable[[str], None]) -> None:
    """Has ``write`` make a file of the same name elsewhere, and puts it at ``path`` when it is whole and on the disk.

    Whatever happens in between, there is the old file or the new one.  What dead processes have left of ``path`` is
    removed.

    Raises:
      OSError: the file cannot be written.
    """
    directory, name = os.path.split(os.path.abspath(path))
    sweep(directory, re.escape(name))
    with _room(directory, name) as room:
        temporary = os.path.join(room, name)
        # The permissions that a new file has here; libraries that rename temporary files leave those of such files.
        with open(temporary, "wb") as file:
            mode = os.stat(file.fileno()).st_mode
        write(temporary)
        with open(temporary, "rb+") as file:
            os.chmod(temporary, mode)
            os.fsync(file.fileno())
        os.replace(temporary, path)
    if os.name == "posix":
        handle = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def sweep(directory: str, names: str) -> None:
    """Removes what processes that are no more have left of files whose names match the regular expression ``names``.

    Early versions wrote files beside the place, named after their process, and locked nothing: what nobody has touched
    for a day is left behind.
    """
    pattern = re.compile(rf"\.(?:{names})\.(?:{_RANDOM}|\d+)\.tmp")
    for name in os.listdir(directory):
        if pattern.fullmatch(name):
            room = os.path.join(directory, name)
            if not os.path.isdir(room):
                if _is_old(room):
                    with contextlib.suppress(OSError):
                        os.unlink(room)
                continue
            with _hold(room) as held:
                if held:
                    shutil.rmtree(room, ignore_errors=True)


@contextlib.contextmanager
def _room(directory: str, name: str) -> Iterator[str]:
    """A directory that nobody sweeps while it is in use."""
    while True:
        room = tempfile.mkdtemp(prefix=f".{name}.", suffix=".tmp", dir=directory)
        with _hold(room, own=True) as held:
            # Another process may have swept it before it was locked.
            if held and os.path.isdir(room):
                try:
                    yield room
                finally:
                    shutil.rmtree(room, ignore_errors=True)
                return


@contextlib.contextmanager
def _hold(room: str, own: bool = False) -> Iterator[bool]:
    """Locks a directory; gives whether that has been possible.

    Without locks (on Windows, on some network file systems), the own one counts as held, and another one if nobody has
    touched it for a day.
    """
    handle = None
    try:
        try:
            if fcntl is None:
                held = own or _is_old(room)
            else:
                handle = os.open(room, os.O_RDONLY)
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                held = True
        except (BlockingIOError, FileNotFoundError):
            held = False
        except OSError:
            held = own or _is_old(room)
        yield held
    finally:
        if handle is not None:
            os.close(handle)


def _is_old(room: str) -> bool:
    try:
        return time.time() - os.path.getmtime(room) > _DAY
    except FileNotFoundError:
        return False
