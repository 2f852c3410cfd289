"""Data types beyond NumPy's and functions about dtypes, under the names of ``jax.dtypes``."""

from __future__ import annotations

from typing import Any

import numpy as np

from fungrad.core import dtypes as _dtypes
from fungrad.core.array import PYTHON_SCALARS as _PYTHON_SCALARS, Array as _Array
from fungrad.core.avals import scalar_aval as _scalar_aval
from fungrad.core.dtypes import (
    TypePromotionError,
    extended,
    float0,
    issubdtype,
    prng_key_type as prng_key,
    scalar_type_of,
)
from fungrad.core.limits import finfo, iinfo
from fungrad.core.public_names import publish as _publish

__all__ = [
    "TypePromotionError",
    "bfloat16",
    "canonicalize_dtype",
    "extended",
    "finfo",
    "float0",
    "iinfo",
    "issubdtype",
    "itemsize_bits",
    "prng_key",
    "result_type",
    "scalar_type_of",
]

# The scalar class, as for NumPy's own types: ``bfloat16(1.5)`` is a value.
bfloat16: type[np.generic] = _dtypes.bfloat16.type


def canonicalize_dtype(dtype: Any, allow_extended_dtype: bool = False) -> np.dtype:
    """The dtype that a NumPy array of ``dtype`` gets when no other dtype is requested.

    64-bit types become their 32-bit versions unless ``enable_x64`` is set.  This asks for the
    default; requests such as ``x.astype("float64")`` are honoured whatever the setting.

    Args:
      dtype: a dtype-like; Python's ``int``, ``float`` and ``complex`` have the default width.
      allow_extended_dtype: whether the dtype of random keys is accepted.

    Raises:
      TypeError: when ``dtype`` is not supported.
      ValueError: when it is the dtype of random keys and these are not accepted.

    Example:
      >>> import fungrad
      >>> fungrad.dtypes.canonicalize_dtype("float64")
      dtype('float32')
    """
    api = "fungrad.dtypes.canonicalize_dtype"
    found = _dtypes.canonicalize_dtype(dtype, api)
    if _dtypes.is_key(found) and not allow_extended_dtype:
        raise ValueError(
            f"{api}: got the dtype of random keys; pass allow_extended_dtype=True to accept it"
        )
    return _dtypes.default_width(found, api)


def operand_type(x: Any) -> tuple[np.dtype, bool]:
    """Dtype and weakness of an array, scalar or dtype-like, as an operand."""
    if isinstance(x, _Array):
        return x.aval.dtype, x.aval.weak_type
    if isinstance(x, _PYTHON_SCALARS) and not isinstance(x, np.generic):
        aval = _scalar_aval(x)
        return aval.dtype, aval.weak_type
    if isinstance(x, (np.ndarray, np.generic)):
        return _dtypes.default_width(x.dtype), False
    if not isinstance(x, (type, np.dtype, str)) and hasattr(x, "shape") and hasattr(x, "dtype"):
        return _dtypes.canonicalize_dtype(x.dtype), bool(getattr(x, "weak_type", False))
    if not isinstance(x, type) and hasattr(x, "__jax_array__"):
        return operand_type(x.__jax_array__())
    weak = isinstance(x, type) and x in (int, float, complex)
    return _dtypes.canonicalize_dtype(x, "fungrad.numpy.result_type"), weak


def result_type(*args: Any, return_weak_type_flag: bool = False) -> Any:
    """The dtype to which operands are promoted together: ``fungrad.numpy.result_type``.

    Args:
      *args: arrays, scalars and dtype-likes; Python scalars and ``int``, ``float``, ``complex`` are weak.
      return_weak_type_flag: whether to return also if the result is weak.

    Raises:
      ValueError: there are no operands.

    Example:
      >>> import fungrad
      >>> fungrad.dtypes.result_type("int8", "bfloat16", 1.0)
      dtype(bfloat16)
    """
    if not args:
        raise ValueError("fungrad.dtypes.result_type: expected at least one array or dtype, got none")
    dtype, weak = _dtypes.lattice_result_type(*[operand_type(x) for x in args])
    return (dtype, weak) if return_weak_type_flag else dtype


# What strict promotion forbids is what the caller asks for.
result_type.asks_for_promotion = True  # type: ignore[attr-defined]


def itemsize_bits(dtype: Any) -> int:
    """Number of bits of one value of ``dtype``: 4 for int4, 16 for bfloat16.

    Raises:
      ValueError: for dtypes whose elements are not numbers (float0, random keys).

    Example:
      >>> import fungrad
      >>> fungrad.dtypes.itemsize_bits("int4")
      4
    """
    found = _dtypes.canonicalize_dtype(dtype, "fungrad.dtypes.itemsize_bits")
    if found not in _dtypes.number_dtypes:
        raise ValueError(
            f"fungrad.dtypes.itemsize_bits: expected a number dtype, got "
            f"{_dtypes.display_name(found)}"
        )
    return _dtypes.itemsize_bits(found)

_publish(globals(), __name__, __all__)
