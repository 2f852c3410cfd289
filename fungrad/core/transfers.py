"""Transfers that ``transfer_guard`` is to hear of: values of the host that become arrays, arrays put on other devices.

Nothing moves, since arrays are memory of this process; what counts as a transfer is what JAX on a CPU copies. Who makes
arrays asks ``config.watch.transfers`` first, which is false while no guard is set.

May import ``core.tree`` and ``core.source``.
"""

from __future__ import annotations

import inspect
import sys
import threading
from collections.abc import Callable
from typing import Any

from fungrad.config import config
from fungrad.core import tree
from fungrad.core.source import PACKAGE_DIR
from fungrad.errors import JaxRuntimeError


class _Blocks(threading.local):
    explicit = 0
    unseen = 0


_blocks = _Blocks()


class explicit:  # noqa: N801 - a context manager reads best in lower case
    """Transfers inside of the block are those that a user has asked for."""

    def __enter__(self) -> None:
        _blocks.explicit += 1

    def __exit__(self, *exc: object) -> None:
        _blocks.explicit -= 1


class unseen:  # noqa: N801 - likewise
    """Arrays that are made inside of the block only to look at them, or of arrays, are no transfers."""

    def __enter__(self) -> None:
        _blocks.unseen += 1

    def __exit__(self, *exc: object) -> None:
        _blocks.unseen -= 1


# What is known above: whether a function is being traced, and where arrays are that nobody has put anywhere.
_is_staging: Callable[[], bool] = lambda: False  # noqa: E731
_default: Callable[[], Any] = lambda: None  # noqa: E731


def register(is_staging: Callable[[], bool] | None = None, default: Callable[[], Any] | None = None) -> None:
    """Registers whether a function is being traced, so that constants become part of a program, and the sharding that
    arrays have by default."""
    global _is_staging, _default
    _is_staging, _default = is_staging or _is_staging, default or _default


def host_to_device(aval: Any, sharding: Any = None) -> None:
    """A value of the host becomes an array of type ``aval``.

    Raises:
      JaxRuntimeError: the guard disallows it.
    """
    if not _is_staging():
        _guard("host-to-device", aval, sharding)


def number_to_device(value: Any, aval: Any) -> None:
    """A Python number becomes an array of type ``aval``: a transfer if the user has given the number.

    Raises:
      JaxRuntimeError: the guard disallows it.
    """
    if not _is_staging() and _is_of_user(value):
        _guard("host-to-device", aval, None)


def _is_of_user(value: Any) -> bool:
    """Whether ``value`` is in the arguments of the function of the package that the user has called; the numbers with
    which functions compute themselves are part of them."""
    frame: Any = sys._getframe(2)
    entry = None
    while frame is not None and frame.f_code.co_filename.startswith(PACKAGE_DIR):
        entry, frame = frame, frame.f_back
    if entry is None:
        return True
    code = entry.f_code
    n = code.co_argcount + code.co_kwonlyargcount + bool(code.co_flags & inspect.CO_VARARGS)
    names = code.co_varnames[: n + bool(code.co_flags & inspect.CO_VARKEYWORDS)]
    given = [entry.f_locals[name] for name in names if name in entry.f_locals]
    return any(x is value or type(x) is type(value) and x == value for x in tree.leaves(given))


def device_to_device(aval: Any, sharding: Any) -> None:
    """An array is put on other devices.

    Raises:
      JaxRuntimeError: the guard disallows it.
    """
    _guard("device-to-device", aval, sharding)


def _guard(direction: str, aval: Any, sharding: Any) -> None:
    name = f"transfer_guard_{direction.replace('-', '_')}"
    level = getattr(config, name)
    if level is None:
        level = getattr(type(config), name)
    if level in (None, "allow") or _blocks.unseen or _blocks.explicit and not level.endswith("_explicit"):
        return
    what = f"{direction} transfer: aval={aval!r}, dst_sharding={sharding or _default()!r}"
    if level.startswith("log"):
        import logging

        logging.getLogger("fungrad").warning("%s", what)
        return
    advice = f'allow it with fungrad.{name}("allow")'
    if not _blocks.explicit:
        advice = f"put the value there with fungrad.device_put outside of the function that runs often, or {advice}"
    raise JaxRuntimeError(f"Disallowed {what}; {advice}")
