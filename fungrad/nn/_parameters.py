"""Parameters of layers: how they are looked up, and what is said if they do not fit.

May import ``core`` and ``numpy``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

import fungrad.numpy as jnp
from fungrad.core import dtypes
from fungrad.core.arguments import shown
from fungrad.core.array import Array, as_array


def parameter(api: str, params: Any, name: str, where: str = "params", optional: bool = False) -> Any:
    """One entry of the parameters of a layer; None for an optional one that is not there.

    Raises:
      TypeError: the parameters are no dict.
      ValueError: the entry is missing.
    """
    if not isinstance(params, Mapping):
        raise TypeError(f"fungrad.nn.{api}: {where} must be the dict that init has made, got {shown(params)}")
    if name in params:
        return params[name]
    if optional:
        return None
    raise ValueError(
        f"fungrad.nn.{api}: {where} has no entry {name!r}; it must be what init has made, got {_keys(params)}"
    )


def _keys(params: Mapping) -> str:
    return f"a dict with keys {sorted(map(str, params))}"


def operand(api: str, x: Any, size: int, features: str = "features", name: str = "x", axis: int = -1) -> Array:
    """An argument as an array of floating or complex numbers with ``size`` features.

    Raises:
      TypeError: it is no array of numbers.
      ValueError: it has another size.
    """
    found = as_array(x, f"fungrad.nn.{api}: {name}")
    if not dtypes.is_inexact(found.dtype):
        if dtypes.is_key(found.dtype):
            raise TypeError(f"fungrad.nn.{api}: {name} must be an array of numbers, got {found.aval.str_short()}")
        found = found.astype(dtypes.default_float())
    if not -found.ndim <= axis < found.ndim or found.shape[axis] != size:
        raise ValueError(
            f"fungrad.nn.{api}: {name} must have {size} {features} along axis {axis}, as the parameters have, got "
            f"{found.aval.str_short()}"
        )
    return found


def statistics_dtype(x: Array) -> np.dtype:
    """The dtype in which means and variances are taken: half precision is not enough for sums."""
    return jnp.promote_types(x.dtype, jnp.float32)
