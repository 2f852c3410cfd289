"""Operands of ``fungrad.lax`` functions: kinds of dtypes, conversion of Python scalars, checks.

May import ``core``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fungrad.config import watch
from fungrad.core import dtypes
from fungrad.core.array import Array, ArrayImpl, as_array, from_scalar, wrap_unchecked
from fungrad.core.avals import ShapedArray, scalar_aval
from fungrad.core.transfers import number_to_device

# Kinds of dtypes, one letter each, as used in the `accepts` of a primitive.
KIND_NAMES = {
    "b": "boolean",
    "i": "signed integer",
    "u": "unsigned integer",
    "f": "floating",
    "c": "complex",
    "k": "key",
}
_kinds: dict[np.dtype, str] = {}


def kind_of(dtype: np.dtype) -> str:
    """One letter for the kind of a dtype: b, i, u, f, c, k (random key) or 0 (float0)."""
    found = _kinds.get(dtype)
    if found is None:
        if dtypes.is_bool(dtype):
            found = "b"
        elif dtypes.is_key(dtype):
            found = "k"
        elif dtype == dtypes.float0:
            found = "0"
        elif dtypes.is_complex(dtype):
            found = "c"
        elif dtypes.is_float(dtype):
            found = "f"
        else:
            found = "i" if dtypes.is_signed(dtype) else "u"
        _kinds[dtype] = found
    return found


# Terms that are added up one after the other in single precision: sums of more are kept in double precision.
MANY = 64


def double(dtype: np.dtype) -> np.dtype:
    """The dtype in which long sums and running results are kept: in single precision their errors would add up."""
    if kind_of(dtype) == "f" and dtype.itemsize <= 4:
        return np.dtype(np.float64)
    return np.dtype(np.complex128) if dtype == np.complex64 else dtype


def check_kind(name: str, aval: ShapedArray, accepts: str, position: int | None = None) -> None:
    """Raises TypeError unless the dtype of an operand is of an accepted kind."""
    if kind_of(aval.dtype) in accepts:
        return
    names = ", ".join(KIND_NAMES[k] for k in accepts)
    operand = "the operand" if position is None else f"operand {position}"
    advice = "convert it with .astype"
    if dtypes.is_key(aval.dtype):
        advice = "random keys are not numbers: draw some with fungrad.random, such as normal(key)"
    raise TypeError(
        f"fungrad.lax.{name}: {operand} must have a dtype of kind {names}, got {aval.str_short()}; {advice}"
    )


def lift(x: Any, what: str) -> Array:
    """``x`` as an Array, for the arguments of ``fungrad.lax`` functions."""
    return x if isinstance(x, Array) else as_array(x, what)


def lift_pair(name: str, x: Any, y: Any) -> tuple[Array, Array]:
    """Two operands of a ``fungrad.lax`` function: a Python scalar takes the dtype of the other operand."""
    if isinstance(x, Array):
        if isinstance(y, Array):
            return x, y
        return x, _partner(name, y, x) if type(y) in _PY else as_array(y, f"fungrad.lax.{name}: y")
    if isinstance(y, Array):
        return _partner(name, x, y) if type(x) in _PY else as_array(x, f"fungrad.lax.{name}: x"), y
    if type(x) in _PY and type(y) not in _PY:
        y = as_array(y, f"fungrad.lax.{name}: y")
        return _partner(name, x, y), y
    x = as_array(x, f"fungrad.lax.{name}: x")
    if type(y) in _PY and not x.aval.weak_type:
        return x, _partner(name, y, x)
    return x, as_array(y, f"fungrad.lax.{name}: y")


def _partner(name: str, value: Any, like: Array) -> Array:
    """A Python scalar beside an array in ``fungrad.lax.name``.

    Raises:
      OverflowError: an integer does not fit the dtype of the array.
    """
    try:
        return scalar_like(value, like)
    except OverflowError:
        raise OverflowError(
            f"fungrad.lax.{name}: the Python integer {value} does not fit {like.aval.dtype.name}, the dtype of the "
            "other operand; convert that to a wider dtype with .astype first"
        ) from None


_PY = (bool, int, float, complex)


def lift_like(name: str, operands: Sequence[Any], names: Sequence[str]) -> list[Array]:
    """Operands of a ``fungrad.lax`` function of one dtype: Python scalars take the dtype of the first array."""
    like = None
    for x in operands:
        if isinstance(x, (Array, np.ndarray, np.generic)):
            like = as_array(x, f"fungrad.lax.{name}")
            break
    return [
        scalar_like(x, like) if like is not None and type(x) in _PY else lift(x, f"fungrad.lax.{name}: {n}")
        for x, n in zip(operands, names, strict=True)
    ]


def constant(like: Array, value: Any) -> Array:
    """A 0-d array of ``value`` with the dtype of ``like``, whose kind must be able to hold it (rules use it)."""
    return scalar_array(value, like.aval.dtype, like.aval.weak_type)


def scalar_like(value: Any, like: Array) -> Array:
    """A Python scalar as a new 0-d array of the dtype of ``like`` (weak if ``like`` is), where its kind allows."""
    aval = like.aval
    if watch.transfers:
        number_to_device(value, scalar_aval(value))
    # The text of a zero tells 0.0 from -0.0, which are equal as keys.
    key = (value or repr(value), type(value), aval)
    found = _scalars_like.get(key)
    if found is not None:
        return wrap_unchecked(*found)
    order = "biufc"
    kind = "b" if type(value) is bool else "i" if type(value) is int else "f" if type(value) is float else "c"
    other = kind_of(aval.dtype)
    if other in order and order.index(kind) <= order.index(other) and not (kind != "b" and other == "b"):
        out = scalar_array(value, aval.dtype, aval.weak_type)
        if len(_scalars_like) < 1024:
            _scalars_like[key] = (out._data, out.aval)
        return out
    return from_scalar(value)


# The data of scalars are kept, never the arrays: those are given to users, who may delete or donate them.
_scalars_like: dict[Any, tuple[np.ndarray, ShapedArray]] = {}


def scalar_array(value: Any, dtype: np.dtype, weak_type: bool = False) -> ArrayImpl:
    """A new concrete 0-d array of a Python scalar."""
    from_cache = _scalars.get((value, type(value), dtype, weak_type)) if value == value and value != 0 else None
    if from_cache is not None:
        return wrap_unchecked(*from_cache)
    try:
        data = np.asarray(value, dtype)
    except OverflowError:
        raise OverflowError(f"Python integer {value} does not fit dtype {dtype.name}; ask for a wider dtype") from None
    out = wrap_unchecked(data, ShapedArray((), dtype, weak_type))
    if len(_scalars) < 1024 and value == value and value != 0:
        _scalars[(value, type(value), dtype, weak_type)] = (out._data, out.aval)
    return out


_scalars: dict[Any, tuple[np.ndarray, ShapedArray]] = {}
