"""``debug_nans`` and ``debug_infs``: examining results, and the message about the operation that spoiled them.

May import ``core.array``, ``core.dtypes``, ``core.source`` and the error classes.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from fungrad.config import config
from fungrad.core import dtypes
from fungrad.core.float_errors import quietly
from fungrad.core.source import current_source
from fungrad.errors import NonFiniteError


def trouble(data: np.ndarray) -> str | None:
    """``NaN`` or ``infinity`` if an array contains what the configuration asks to look for."""
    return quietly(_trouble, data)


def _trouble(data: np.ndarray) -> str | None:
    if not data.size or not dtypes.is_inexact(data.dtype):
        return None
    if data.dtype.kind == "c":
        return _trouble(data.real) or _trouble(data.imag)
    # One pass without a temporary array: NaN is the extreme of everything that contains it.
    low, high = np.min(data), np.max(data)
    if config.debug_nans and low != low:
        return "NaN"
    if config.debug_infs and (low == -np.inf or high == np.inf or (low != low and _is_inf(data).any())):
        return "infinity"
    return None


def _is_inf(data: np.ndarray) -> np.ndarray:
    return (data == np.inf) | (data == -np.inf)


def description(x: Any) -> str:
    """Type and range of an array, such as ``f32[3] in [0.5, 2.0] and 1 NaN``."""
    return quietly(_description, x)


def _description(x: Any) -> str:
    data, text = x._data, x.aval.str_short()
    if data.dtype.kind == "c":
        parts = f"real parts {_range(data.real)}, imaginary parts {_range(data.imag)}"
        return f"{text} = {data.reshape(-1)[0]}" if data.size == 1 else f"{text} with {parts}"
    number = dtypes.is_inexact(data.dtype) or dtypes.is_integer(data.dtype) or dtypes.is_bool(data.dtype)
    if not data.size or not number:
        return text
    if data.size == 1:
        return f"{text} = {data.reshape(-1)[0]!s}"
    return f"{text} {_range(data)}"


def _range(data: np.ndarray) -> str:
    """The finite extremes, and how many elements are not finite."""
    if not dtypes.is_inexact(data.dtype):
        return f"in [{data.min()!s}, {data.max()!s}]"
    nans, infinite = data != data, _is_inf(data)
    finite = data[~(nans | infinite)]
    found = [f"in [{finite.min()!s}, {finite.max()!s}]"] if finite.size else []
    found += [f"{int(mask.sum())} {name}" for mask, name in ((nans, "NaN"), (infinite, "infinite")) if mask.any()]
    return ("" if finite.size else "with ") + " and ".join(found)


def examine(primitive: Any, args: Sequence[Any], outs: Sequence[Any], params: dict[str, Any]) -> None:
    """Raises if results of an operation contain what the configuration asks to look for.

    A loop, branch or compiled function is run again one operation at a time, to name the first that is to blame.

    Raises:
      NonFiniteError: there is something.
    """
    for out in outs:
        bad = trouble(out._data)
        if bad is None:
            continue
        primitive.step_through(args, params)
        source = current_source()
        where = f" at {source}" if source is not None else ""
        backward = ", in the backward pass" if source is not None and source.backward else ""
        operands = f"; operands: {', '.join(map(description, args))}" if args else ""
        raise NonFiniteError(
            f"{primitive.name} produced {bad}{where}{backward}; result: {description(out)}{operands}"
        )


class _Replay(threading.local):
    """Whether a program is being run again to find an operation: what only has effects must not happen twice."""

    active: bool = False


replay = _Replay()


@contextmanager
def replaying() -> Iterator[None]:
    """Marks a ``with`` block in which a program is run again."""
    before, replay.active = replay.active, True
    try:
        yield
    finally:
        replay.active = before


@contextmanager
def within(place: str) -> Iterator[None]:
    """Adds a loop or function to the message of an error that comes out of the ``with`` block."""
    try:
        yield
    except NonFiniteError as error:
        error.within(place)
        raise
