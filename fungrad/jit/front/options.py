"""What ``jit`` is told: its options, and whether they fit the function.

May import ``core``.
"""

from __future__ import annotations

import inspect
import operator
from collections.abc import Sequence
from typing import Any, NamedTuple, TypedDict

from fungrad.core.source import function_name


class Keywords(TypedDict, total=False):
    """The keywords of ``jit``, which it explains."""

    static_argnums: int | Sequence[int] | None
    static_argnames: str | Sequence[str] | None
    donate_argnums: int | Sequence[int] | None
    donate_argnames: str | Sequence[str] | None
    keep_unused: bool
    inline: bool
    device: Any
    backend: str | None
    in_shardings: Any
    out_shardings: Any
    compiler_options: Any


class Options(NamedTuple):
    """The options of one ``jit``."""

    static_argnums: tuple[int, ...] = ()
    static_argnames: tuple[str, ...] = ()
    donate_argnums: tuple[int, ...] = ()
    donate_argnames: tuple[str, ...] = ()
    keep_unused: bool = False
    inline: bool = False


def as_tuple(value: Any, kind: type, what: str) -> tuple:
    """The value of an option as a tuple of values of a type."""
    if value is None:
        return ()
    if isinstance(value, kind):
        return (value,)
    values = _elements(value)
    if not all(isinstance(v, kind) for v in values):
        raise TypeError(f"fungrad.jit: {what} must be {kind.__name__} or a sequence of {kind.__name__}, got {value!r}")
    return values


def _elements(value: Any) -> tuple:
    """The elements of a sequence, Python integers instead of 0-d arrays; ``value`` itself if it is none."""
    try:
        return tuple(v if isinstance(v, str) else operator.index(v) for v in value)
    except TypeError:
        return (value,)


def positional_names(fun: Any) -> tuple[str, ...]:
    """Names of the positional parameters of ``fun``; empty if it has no signature."""
    try:
        parameters = inspect.signature(fun).parameters.values()
    except (TypeError, ValueError):
        return ()
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return tuple(p.name for p in parameters if p.kind in kinds)


def check_options(fun: Any, options: Options) -> None:
    """Whether static and donated arguments are parameters of the function."""
    try:
        parameters = inspect.signature(fun).parameters
    except (TypeError, ValueError):
        return
    kinds = [p.kind for p in parameters.values()]
    if inspect.Parameter.VAR_POSITIONAL not in kinds:
        named = (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.VAR_KEYWORD)
        positional = sum(k not in named for k in kinds)
        for what in ("static_argnums", "donate_argnums"):
            for number in getattr(options, what):
                if not -positional <= number < positional:
                    raise ValueError(
                        f"fungrad.jit: {what} names argument {number}, but {function_name(fun)} takes {positional} "
                        f"positional argument{'s' if positional != 1 else ''}: {', '.join(parameters)}"
                    )
    if inspect.Parameter.VAR_KEYWORD in kinds:
        return
    for what in ("static_argnames", "donate_argnames"):
        for name in getattr(options, what):
            if name not in parameters:
                raise ValueError(
                    f"fungrad.jit: {what} names {name!r}, but {function_name(fun)} has the parameters "
                    f"{', '.join(parameters)}"
                )
