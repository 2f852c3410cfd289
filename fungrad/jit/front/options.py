"""What ``jit`` is told: its options, and whether they fit the function.

May import ``core``.
"""

from __future__ import annotations

import inspect
import operator
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypedDict

from fungrad.core.source import function_name

_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


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


def as_tuple(value: Any, kind: type, what: str) -> tuple | None:
    """The value of an option as a tuple of values of a type; None if it is not given."""
    if value is None:
        return None
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
    return tuple(p.name for p in parameters if p.kind in _POSITIONAL)


def resolved(
    fun: Any,
    static_argnums: tuple[int, ...] | None,
    static_argnames: tuple[str, ...] | None,
    donate_argnums: tuple[int, ...] | None,
    donate_argnames: tuple[str, ...] | None,
) -> tuple[tuple[int, ...], tuple[str, ...], tuple[int, ...], tuple[str, ...]]:
    """Positions and names of static and of donated arguments.

    Positions are for arguments that are given by position, names for those given by keyword. Where only one of the
    two is declared, the other follows from the signature.

    Raises:
      ValueError: they are not parameters of the function, or an argument is both static and donated.
    """
    try:
        parameters = inspect.signature(fun).parameters
    except (TypeError, ValueError):
        if donate_argnames is not None:
            raise ValueError(
                f"fungrad.jit: donate_argnames={donate_argnames!r} needs the signature of {function_name(fun)}, which "
                "has none; use donate_argnums"
            ) from None
        return static_argnums or (), static_argnames or (), donate_argnums or (), ()
    static = _both_ways(parameters, static_argnums, static_argnames)
    donated = _both_ways(parameters, donate_argnums, donate_argnames)
    _check_options(fun, parameters, (*static, *donated))
    both = sorted({*static[1]} & {*donated[1]})
    if both:
        raise ValueError(
            f"fungrad.jit: the argument {both[0]!r} of {function_name(fun)} is both static and donated: "
            "static_argnames and donate_argnames (or the positions) must not share arguments"
        )
    return (*static, *donated)


def _both_ways(
    parameters: Mapping[str, inspect.Parameter], numbers: tuple[int, ...] | None, names: tuple[str, ...] | None
) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """Positions and names, each found from the other if it has not been declared."""
    if numbers is not None and names is not None:
        return numbers, names
    either = [k for k, p in parameters.items() if p.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD]
    order = [k for k, p in parameters.items() if p.kind in _POSITIONAL]
    if numbers is None:
        wanted = names or ()
        return tuple([order.index(k) for k in wanted if k in either]), wanted
    found = [order[n] for n in numbers if -len(order) <= n < len(order)]
    return numbers, tuple([k for k in found if k in either])


def _check_options(fun: Any, parameters: Mapping[str, inspect.Parameter], options: tuple) -> None:
    """Whether static and donated arguments are parameters of the function, which can be given so."""
    static_argnums, static_argnames, donate_argnums, donate_argnames = options
    kinds = [p.kind for p in parameters.values()]
    if inspect.Parameter.VAR_POSITIONAL not in kinds:
        named = (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.VAR_KEYWORD)
        positional = sum(k not in named for k in kinds)
        for what, numbers in (("static_argnums", static_argnums), ("donate_argnums", donate_argnums)):
            for number in numbers:
                if not -positional <= number < positional:
                    raise ValueError(
                        f"fungrad.jit: {what} names argument {number}, but {function_name(fun)} takes {positional} "
                        f"positional argument{'s' if positional != 1 else ''}: {', '.join(parameters)}"
                    )
    nameless = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.VAR_POSITIONAL)
    for what, names in (("static_argnames", static_argnames), ("donate_argnames", donate_argnames)):
        for name in names:
            if name not in parameters:
                if inspect.Parameter.VAR_KEYWORD in kinds:
                    continue
                raise ValueError(
                    f"fungrad.jit: {what} names {name!r}, but {function_name(fun)} has the parameters "
                    f"{', '.join(parameters)}"
                )
            if parameters[name].kind in nameless:
                raise ValueError(
                    f"fungrad.jit: {what} names {name!r}, which {function_name(fun)} takes by position only; use "
                    f"{what.replace('names', 'nums')}"
                )
