"""Operands of ``fungrad.scipy``: arrays and scalars with a dtype to compute in.

May import ``core`` and ``fungrad.numpy``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import fungrad.numpy as jnp
from fungrad.core import dtypes
from fungrad.core.array import Array, as_array
from fungrad.numpy._promotion import cast, inexact_dtype


def operand(api: str, name: str, x: Any) -> Array:
    """An argument of ``fungrad.scipy.<api>`` as an array.

    Raises:
      TypeError: it is not an array or scalar.
    """
    return x if isinstance(x, Array) else as_array(x, f"fungrad.scipy.{api}: {name}")


def inexact(api: str, name: str, x: Any) -> Array:
    """The same with integers and booleans converted to floating point.

    Raises:
      TypeError: it is not an array or scalar of numbers.
    """
    x = operand(api, name, x)
    if not dtypes.is_inexact(x.aval.dtype) and not dtypes.is_bool(x.aval.dtype) and not dtypes.is_integer(x.aval.dtype):
        raise TypeError(f"fungrad.scipy.{api}: {name} must be an array of numbers, got {x.aval.str_short()}")
    return cast(x, inexact_dtype(x.aval.dtype), x.aval.weak_type)


def number(api: str, name: str, x: Any, dtype: Any) -> Array:
    """A scalar argument as an array of a dtype, which a Python number takes with all its digits.

    Raises:
      TypeError: it is not an array or scalar.
    """
    return jnp.asarray(x if isinstance(x, (int, float, complex)) else operand(api, name, x), dtype)


def alike(api: str, **named: Any) -> list[Array]:
    """Several arguments in their common floating or complex dtype."""
    xs = [operand(api, name, x) for name, x in named.items()]
    dtype, weak = dtypes.lattice_result_type(*[(x.aval.dtype, x.aval.weak_type) for x in xs])
    return [cast(x, inexact_dtype(dtype), weak) for x in xs]


def at_least_single(x: Array) -> Array:
    """Numbers of 16 bits widened to 32."""
    return cast(x, np.dtype(np.float32)) if x.aval.dtype.itemsize < 4 else x


def is_complex(x: Array) -> bool:
    """Whether an array has a complex dtype."""
    return dtypes.is_complex(x.aval.dtype)
