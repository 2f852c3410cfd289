"""Operands of losses as arrays, and masks.

May import ``core`` and ``numpy``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import fungrad.numpy as jnp
from fungrad.core import dtypes
from fungrad.core.array import Array, as_array

Axis = int | Sequence[int] | None

_PACKAGE = "fungrad.optim.losses"


def array(api: str, name: str, value: Any) -> Array:
    """An argument as an array.

    Raises:
      TypeError: it is no array or scalar.
    """
    return as_array(value, f"{_PACKAGE}.{api}: {name}")


def floating(api: str, name: str, value: Any) -> Array:
    """An argument as an array of a floating dtype.

    Raises:
      TypeError: it is no array or scalar.
      ValueError: its dtype is another.
    """
    found = array(api, name, value)
    if not dtypes.is_float(found.dtype):
        raise ValueError(
            f"{_PACKAGE}.{api}: {name} must have a floating dtype, got {found.aval.str_short()}; convert it with astype"
        )
    return found


def integral(api: str, name: str, value: Any) -> Array:
    """An argument as an array of integers.

    Raises:
      TypeError: it is no array or scalar.
      ValueError: its dtype is another.
    """
    found = array(api, name, value)
    if not dtypes.is_integer(found.dtype):
        raise ValueError(
            f"{_PACKAGE}.{api}: {name} must have an integer dtype, got {found.aval.str_short()}; for probabilities of "
            "classes use the loss without integer labels"
        )
    return found


def same_shape(api: str, name: str, value: Array, other: str, like: Array) -> None:
    """Raises ValueError unless two operands have one shape: broadcasting them would hide a mistake."""
    if value.shape != like.shape:
        raise ValueError(f"{_PACKAGE}.{api}: {name} must have the shape of {other}, {like.shape}, got {value.shape}")


def dimensions(api: str, axis: Axis, ndim: int) -> tuple[int, ...]:
    """The dimensions that ``axis`` names, counted from 0.

    Raises:
      TypeError: it is no integer or sequence of integers.
      ValueError: there is no such dimension.
    """
    if axis is None:
        return tuple(range(ndim))
    named = (axis,) if isinstance(axis, int) else tuple(axis)
    if any(not -ndim <= d < ndim for d in named):
        raise ValueError(f"{_PACKAGE}.{api}: axis must be in [{-ndim}, {ndim}) for {ndim} dimensions, got {axis}")
    return tuple([d % ndim for d in named])


def mask(api: str, where: Any, x: Array, axis: Axis) -> Array | None:
    """The mask of elements that take part, with the dimensions of ``x``; None for all.

    One that lacks the reduced dimensions says which examples take part.
    """
    if where is None:
        return None
    found = array(api, "where", where)
    if found.ndim != x.ndim and axis is not None:
        found = jnp.expand_dims(found, axis if isinstance(axis, int) else tuple(axis))
    return found.astype(bool)


def chosen(where: Array | None, x: Array, other: Any = 0) -> Array:
    """``x`` where the mask is set, else ``other``."""
    return x if where is None else jnp.where(where, x, other)
