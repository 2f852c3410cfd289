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
import re
import sys
import threading
import types
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from fungrad.config import Config, UserContext, config

PACKAGE_DIR = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
# The package, and code that it has written.
_OURS = (PACKAGE_DIR, "<tree code>")
_STANDARD_LIBRARY = os.path.dirname(os.path.abspath(os.__file__)) + os.sep
_PACKAGES = f"{os.sep}site-packages{os.sep}"
_LIBRARIES = tuple(f"{_PACKAGES}{name}{os.sep}" for name in ("numpy", "optree", "opt_einsum", "scipy"))
# What NumPy and SciPy ask of an array, the user asked of them.
_NUMPY_DIR = os.path.dirname(os.path.abspath(np.__file__))
_NOBODYS_LINES = (PACKAGE_DIR, _NUMPY_DIR + os.sep, os.path.join(os.path.dirname(_NUMPY_DIR), "scipy") + os.sep)

F = TypeVar("F", bound=Callable[..., Any])


class Source:
    """A place in the user's code.

    Attributes:
      file, line, function: resolved lazily.
      scopes: names of the ``named_scope`` blocks around it, outermost first.
      backward: whether the operation is the transpose of the one written there.
    """

    __slots__ = ("_code", "_lasti", "scopes", "backward")

    def __init__(self, code: types.CodeType, lasti: int, scopes: tuple[str, ...] = (), backward: bool = False):
        self._code = code
        self._lasti = lasti
        self.scopes = scopes
        self.backward = backward

    def transposed(self) -> Source:
        """The same place, for an operation of the backward pass."""
        return self if self.backward else Source(self._code, self._lasti, self.scopes, True)

    def scope_text(self) -> str:
        """The names of the scopes, such as ``loss/inner``; of a transposed operation ``transpose(loss)/inner``."""
        first, *inner = self.scopes or ("",)
        return "/".join([f"transpose({first})" if self.backward else first, *inner])

    def _key(self) -> tuple:
        return self._code, self._lasti, self.scopes, self.backward

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Source) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

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


class _Where(threading.local):
    """What operations of this thread are attributed to; the class attributes are the initial values.

    Attributes:
      source: the place they come from, None for that of the call.
      scopes: names of the ``named_scope`` blocks in which we are.
      backward: whether a rule of the user runs for a backward pass.
    """

    source: Source | None = None
    scopes: tuple[str, ...] = ()
    backward: bool = False


where = _Where()


class attributed:  # noqa: N801 - a context manager reads best in lower case
    """Attributes the operations of a ``with`` block to the place ``source`` if that is known.

    Transformations replay recorded operations: what they do belongs to the line that was recorded, not to the one
    that called the transformation.
    """

    __slots__ = ("source", "before")

    def __init__(self, source: Source | None):
        self.source = source

    def __enter__(self) -> None:
        self.before = where.source
        if self.source is not None:
            where.source = self.source

    def __exit__(self, *error: Any) -> None:
        where.source = self.before


class unattributed:  # noqa: N801 - likewise
    """Ends all attributions in a ``with`` block that calls a user's function, which speaks for itself."""

    __slots__ = ("before",)

    def __enter__(self) -> None:
        self.before = where.source, where.backward
        if where.source is not None:
            where.backward = where.source.backward
            where.source = None

    def __exit__(self, *error: Any) -> None:
        where.source, where.backward = self.before


def current_source(skip: int = 1) -> Source | None:
    """The place that is replayed now, else the innermost frame outside the package, or None if there is none.

    NumPy and SciPy, which call us with what the user gave to them, do not count as outside.

    Args:
      skip: how many frames, this function's included, are known to be the package's.
    """
    if where.source is not None:
        return where.source
    frame = sys._getframe(skip)
    while frame is not None and frame.f_code.co_filename.startswith(_NOBODYS_LINES):
        frame = frame.f_back  # type: ignore[assignment]
    return None if frame is None else Source(frame.f_code, frame.f_lasti, where.scopes, where.backward)


class named_scope(contextlib.ContextDecorator):  # noqa: N801
    """Names a part of a program, as a context manager or a decorator.

    Operations remember the names of the blocks in which they stand; what is computed is the same with and without.
    ``jaxpr.pretty_print(name_stack=True)`` and ``as_text("jaxpr")`` of a compiled function show them.

    Args:
      name: the name.

    Example:
      >>> import fungrad, fungrad.numpy as jnp
      >>> def f(x):
      ...   with fungrad.named_scope("loss"):
      ...     return jnp.sin(x)
      >>> print(fungrad.make_jaxpr(f)(1.0).pretty_print(name_stack=True))
      { lambda ; a:f32[]. let b:f32[] = sin a in (b,) } # [loss]
    """

    def __init__(self, name: str):
        if not isinstance(name, str):
            raise TypeError(f"fungrad.named_scope: name must be a string, got {name!r}")
        self.name = name
        self._before: list[tuple[str, ...]] = []

    def _recreate_cm(self) -> named_scope:
        return named_scope(self.name)

    def __enter__(self) -> None:
        self._before.append(where.scopes)
        where.scopes = (*where.scopes, self.name)

    def __exit__(self, *error: Any) -> None:
        where.scopes = self._before.pop()


def named_call(fun: Callable[..., Any], *, name: str | None = None) -> Callable[..., Any]:
    """A function whose operations stand in a ``named_scope``.

    Args:
      fun: the function.
      name: of the scope; the name of the function if None.

    Returns:
      A function like ``fun``.
    """
    if not callable(fun):
        raise TypeError(f"fungrad.named_call: fun must be a function, got {fun!r} of type {type(fun).__name__}")
    return functools.wraps(fun)(named_scope(function_name(fun) if name is None else name)(fun))


def function_name(fun: Any) -> str:
    """A readable name of a callable, for messages and printed jaxprs."""
    while isinstance(fun, functools.partial):
        fun = fun.func
    name = getattr(fun, "__name__", None)
    return name if isinstance(name, str) and name else type(fun).__name__


def reference_to(fun: Any) -> str | None:
    """The name by which pickles find an object that stands for a function, None if it is not found there."""
    module, name = getattr(fun, "__module__", None), getattr(fun, "__qualname__", None)
    found: Any = sys.modules.get(module) if isinstance(module, str) else None
    for part in name.split(".") if isinstance(name, str) else ():
        found = getattr(found, part, None)
    return name if found is fun else None


def wraps(fun: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """``functools.wraps``, also of callables whose attributes are not what functions have under these names."""
    kinds = {"__name__": str, "__qualname__": str, "__annotations__": dict}
    names = [n for n in functools.WRAPPER_ASSIGNMENTS if isinstance(getattr(fun, n, None), kinds.get(n, object))]
    return functools.wraps(fun, assigned=names)


def is_ours(file: str) -> bool:
    """Whether a source file is one of the package."""
    return file.startswith(_OURS)


def is_below(file: str) -> bool:
    """Whether a source file is one of those libraries by which the package does its work."""
    if _PACKAGES in file:
        return any(name in file for name in _LIBRARIES)
    return file.startswith((_STANDARD_LIBRARY, "<__array_function__"))


def _without_library_frames(traceback: types.TracebackType | None) -> types.TracebackType | None:
    """The frames that are neither the package's nor of a library that it has called."""
    frames = []
    hidden = True
    while traceback is not None:
        file = traceback.tb_frame.f_code.co_filename
        hidden = is_ours(file) or (hidden and is_below(file))
        if not hidden:
            frames.append(traceback)
        traceback = traceback.tb_next
    out = None
    for tb in reversed(frames):
        out = types.TracebackType(out, tb.tb_frame, tb.tb_lasti, tb.tb_lineno)
    return out


def _is_worded(error: BaseException) -> bool:
    """Whether an error is one that the library raises on purpose, and none of Python within the library."""
    return str(error).startswith(("fungrad", "module 'fungrad")) or type(error).__module__ == "fungrad.errors"


# What Python says where the library calls a function of the user with arguments that this does not take.
_MISFIT = re.compile(
    r"^(?:[\w.<>]*<locals>\.)?([\w.<>]+\(\) (?:takes|missing|got an unexpected|got multiple) .*)", re.DOTALL
)


def filter_exception(error: BaseException, api: str = "") -> None:
    """Removes library frames from the traceback of ``error``, if filtering is on.

    A traceback of such frames only becomes empty, so that the line which called the library is the last, if the message
    is one for users; else the frames are all that there is to know.

    Args:
      error: is changed in place.
      api: the public function that it leaves, for the message of a function that cannot be called as it is.
    """
    kept = _without_library_frames(error.__traceback__)
    misfit = _MISFIT.match(str(error)) if kept is None and type(error) is TypeError else None
    if misfit is not None and api:
        text = re.sub(r" but (.*) (?:was|were) given$", r", and was called with \1", misfit.group(1))
        error.args = (f"{api}: {text}",)
    if config.traceback_filtering and (kept is not None or misfit is not None or _is_worded(error)):
        error.__traceback__ = kept


def api_boundary(fun: F, api: str = "") -> F:
    """Decorator of public entry points: exceptions leave without library frames.

    Args:
      fun: the entry point.
      api: the public function, where that has no guard.
    """

    @functools.wraps(fun)
    def boundary(*args: Any, **kwargs: Any) -> Any:
        try:
            return fun(*args, **kwargs)
        except Exception as error:
            filter_exception(error, api)
            raise

    return boundary  # type: ignore[return-value]


def boundary_of(api: str) -> Callable[[F], F]:
    """``api_boundary`` of what the public function ``api`` returns."""
    return functools.partial(api_boundary, api=api)


C = TypeVar("C", bound=type)


_SPECIAL = frozenset(
    f"__{name}__"
    for name in "init new call getitem setitem iter len matmul rmatmul add radd sub rsub mul rmul truediv pow".split()
)


def api_class(cls: C) -> C:
    """Decorator of public classes: constructors, operators and public methods are boundaries (``api_boundary``)."""
    for name, value in list(vars(cls).items()):
        if name.startswith("_") and name not in _SPECIAL:
            continue
        api = f"fungrad.{cls.__name__}" if name.startswith("_") else f"fungrad.{cls.__name__}.{name}"
        if isinstance(value, types.FunctionType):
            made = api_boundary(value, api)
            setattr(cls, name, staticmethod(made) if name == "__new__" else made)
        elif isinstance(value, (classmethod, staticmethod)):
            setattr(cls, name, type(value)(api_boundary(value.__func__, api)))
    return cls


api_class(named_scope)
api_class(Config)
api_class(UserContext)
