"""What convolutions and pooling share: arrays ``[..., *spatial, features]`` with any number of dimensions in front.

May import ``core``, ``numpy``, ``lax`` and the modules of ``nn`` before it.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

from fungrad.core.arguments import index, shown
from fungrad.core.array import Array

# Letters for spatial dimensions.
_LETTERS = "abdefghjklm"


def per_axis(api: str, name: str, value: Any, count: int | None = None) -> tuple[int, ...]:
    """A positive integer for each spatial dimension, from a sequence, or from one integer for all of ``count``.

    Raises:
      TypeError: it is neither.
      ValueError: there are too few or too many, or one is not positive.
    """
    try:
        values = (operator.index(value),) * (1 if count is None else count)
    except TypeError:
        if isinstance(value, (str, bytes)) or not hasattr(value, "__iter__"):
            raise TypeError(
                f"fungrad.nn.{api}: {name} must be an integer, or one for each spatial dimension, got {shown(value)}"
            ) from None
        values = tuple([index(f"fungrad.nn.{api}", name, v) for v in value])
    if (count is not None and len(values) != count) or any(v < 1 for v in values):
        wanted = "" if count is None else f" for each of the {count} spatial dimensions"
        raise ValueError(f"fungrad.nn.{api}: {name} must have a positive integer{wanted}, got {values}")
    return values


def channels_last(count: int) -> tuple[str, str, str]:
    """The layouts of operand, kernel and result for so many spatial dimensions."""
    letters = _LETTERS[:count]
    return f"N{letters}C", f"{letters}IO", f"N{letters}C"


def one_batch(x: Array, count: int) -> tuple[Array, tuple[int, ...]]:
    """The array with one dimension before its ``count`` spatial ones, and the dimensions that have become it."""
    lead = x.shape[: x.ndim - count - 1]
    if len(lead) == 1:
        return x, lead
    size = 1
    for n in lead:
        size *= n
    return x.reshape(size, *x.shape[len(lead) :]), lead


def check_rank(api: str, x: Array, count: int, name: str = "x") -> None:
    """Raises ValueError unless an array has ``count`` spatial dimensions and features."""
    if x.ndim < count + 1:
        raise ValueError(
            f"fungrad.nn.{api}: {name} must have shape [..., *spatial, features] with {count} spatial dimensions, got "
            f"{x.aval.str_short()}"
        )


def padding_of(padding: Any, count: int) -> str | Sequence[tuple[int, int]]:
    """Padding as ``lax`` takes it: a name, pairs, or an integer for all ends."""
    try:
        each = operator.index(padding)
    except TypeError:
        return padding
    return ((each, each),) * count
