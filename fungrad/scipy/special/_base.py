"""Operands of special functions, and the precision they are computed in.

May import ``core``, ``ops`` and ``fungrad.numpy``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import fungrad.numpy as jnp
from fungrad.core import dtypes
from fungrad.core.array import Array, as_array
from fungrad.numpy._promotion import inexact, promote_dtypes_inexact
from fungrad.ops.cast import convert_element_type


def one(x: Any, name: str) -> Array:
    """An operand of floating (or complex) dtype."""
    return inexact(x, f"scipy.special.{name}")


def real(x: Any, name: str) -> Array:
    """An operand of floating dtype.

    Raises:
      TypeError: it is complex.
    """
    array = one(x, name)
    _check_real(name, array)
    return array


def pair(name: str, **operands: Any) -> list[Array]:
    """Operands of one floating dtype and one shape, given by their names."""
    xs = [
        x if isinstance(x, (Array, float, int)) else as_array(x, f"fungrad.scipy.special.{name}: {operand}")
        for operand, x in operands.items()
    ]
    arrays = promote_dtypes_inexact(f"scipy.special.{name}", *xs)
    return list(jnp.broadcast_arrays(*arrays))


def real_pair(name: str, **operands: Any) -> list[Array]:
    """As ``pair``, of real operands."""
    arrays = pair(name, **operands)
    for array in arrays:
        _check_real(name, array)
    return arrays


def _check_real(name: str, x: Array) -> None:
    if dtypes.is_complex(x.aval.dtype):
        raise TypeError(f"fungrad.scipy.special.{name}: operands must be real, got {x.aval.str_short()}")


def in_single(f: Callable[..., Any], *xs: Array) -> Any:
    """``f`` of operands of at least 32 bits, and its results in the dtype of the operands."""
    return _through(np.dtype(np.float32), f, xs)


def in_double(f: Callable[..., Any], *xs: Array) -> Any:
    """``f`` computed in double precision, for formulas that lose digits."""
    return _through(np.dtype(np.float64), f, xs)


def _through(wide: np.dtype, f: Callable[..., Any], xs: tuple[Array, ...]) -> Any:
    dtype = xs[0].aval.dtype
    if dtype.itemsize >= wide.itemsize:
        return f(*xs)
    weak = all(x.aval.weak_type for x in xs)
    out = f(*[convert_element_type(x, wide) for x in xs])

    def narrow(y: Array) -> Array:
        complex_result = dtypes.is_complex(y.aval.dtype) and not dtypes.is_complex(dtype)
        return convert_element_type(y, dtypes.to_complex_dtype(dtype) if complex_result else dtype, weak)

    return tuple(map(narrow, out)) if isinstance(out, tuple) else narrow(out)


def is_single(x: Array) -> bool:
    """Whether an operand has 32 bits."""
    return x.aval.dtype.itemsize == 4
