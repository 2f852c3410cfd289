"""Source lines of operations, and tracebacks without library frames.

``current_source`` remembers the innermost frame outside the package as a code object and an instruction offset: cheap
while tracing, resolved to file, line and function only when a message or a printout asks.  ``api_boundary`` marks
public entry points: an exception that passes one loses the library's frames, unless
``fungrad.config.traceback_filtering`` is off.

May import ``config`` only.
"""

from __future__ import annotations

import contextlib
import functools
import os
import sys
import types
from collections.abc import Callable
from typing import Any, TypeVar

from fungrad.config import config


class named_scope(contextlib.ContextDecorator):  # noqa: N801
    """Names a part of a program, as a context manager or a decorator.

    Compiled programs keep no such names; what is computed is the same with and without.

    Args:
      name: the name.

    Example:
      >>> import fungrad
      >>> with fungrad.named_scope("loss"):
      ...   pass
    """

    def __init__(self, name: str):
        if not isinstance(name, str):
            raise TypeError(f"fungrad.named_scope: name must be a string, got {name!r}")
        self.name = name

    def __enter__(self) -> None:
        return None

    def __exit__(self, *error: Any) -> None:
        return None


PACKAGE_DIR = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep

F = TypeVar("F", bound=Callable[..., Any])


class Source:
    """A place in the user's code.

    Attributes:
      file, line, function: resolved lazily.
    """

    __slots__ = ("_code", "_lasti")

    def __init__(self, code: types.CodeType, lasti: int):
        self._code = code
        self._lasti = lasti

    @property
    def file(self) -> str:
        """Path of the source file."""
        return self._code.co_filename

    @property
    def function(self) -> str:
        """Qualified name of the function."""
        return self._code.co_qualname

    @property
    def line(self) -> int:
        """Line number, from 1."""
        index = self._lasti // 2
        for position, (line, *_) in enumerate(self._code.co_positions()):
            if position == index:
                return line or self._code.co_firstlineno
        return self._code.co_firstlineno

    def __str__(self) -> str:
        return f"{self.file}:{self.line} ({self.function})"

    __repr__ = __str__


def current_source(skip: int = 1) -> Source | None:
    """The innermost frame outside the package, or None if there is none.

    Args:
      skip: how many frames, this function's included, are known to be the package's.
    """
    frame = sys._getframe(skip)
    while frame is not None and frame.f_code.co_filename.startswith(PACKAGE_DIR):
        frame = frame.f_back  # type: ignore[assignment]
    return None if frame is None else Source(frame.f_code, frame.f_lasti)


def function_name(fun: Any) -> str:
    """A readable name of a callable, for messages and printed jaxprs."""
    while isinstance(fun, functools.partial):
        fun = fun.func
    return getattr(fun, "__name__", None) or type(fun).__name__


def _without_library_frames(traceback: types.TracebackType | None) -> types.TracebackType | None:
    frames = []
    while traceback is not None:
        if not traceback.tb_frame.f_code.co_filename.startswith(PACKAGE_DIR):
            frames.append(traceback)
        traceback = traceback.tb_next
    out = None
    for tb in reversed(frames):
        out = types.TracebackType(out, tb.tb_frame, tb.tb_lasti, tb.tb_lineno)
    return out


def filter_exception(error: BaseException) -> None:
    """Removes library frames from the traceback of ``error``, if filtering is on and a user's frame remains."""
    if config.traceback_filtering:
        kept = _without_library_frames(error.__traceback__)
        if kept is not None:
            error.__traceback__ = kept


def api_boundary(fun: F) -> F:
    """Decorator of public entry points: exceptions leave without library frames."""

    @functools.wraps(fun)
    def boundary(*args: Any, **kwargs: Any) -> Any:
        try:
            return fun(*args, **kwargs)
        except Exception as error:
            filter_exception(error)
            raise

    return boundary  # type: ignore[return-value]
