"""Machine limits of dtypes as users see them: the classes ``finfo`` and ``iinfo``.

Limits are Python numbers, as the array API standard has them, so they take the dtype of the array beside them.

May import ``core.dtypes``.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from fungrad.core import dtypes
from fungrad.core.source import api_class

_NUMBERS = ("eps", "epsneg", "max", "min", "resolution", "smallest_normal", "smallest_subnormal", "tiny")
_COUNTS = ("bits", "iexp", "machep", "maxexp", "minexp", "negep", "nexp", "nmant", "precision")


@api_class
class finfo:  # noqa: N801 - NumPy's name
    """Machine limits of a floating point type.

    Args:
      dtype: a floating point or complex dtype-like, or an array. As in NumPy, ``float`` is float64, and a complex dtype
        stands for that of its parts.

    Attributes:
      bits: number of bits.
      dtype: the dtype.
      eps: distance between 1 and the next greater number.
      epsneg: distance between 1 and the next smaller number.
      iexp: number of bits of the exponent.
      machep: exponent of ``eps``.
      max: greatest finite number.
      maxexp: least power of two that overflows.
      min: least finite number.
      minexp: exponent of ``smallest_normal``.
      negep: exponent of ``epsneg``.
      nexp: number of bits of the exponent.
      nmant: number of bits of the mantissa.
      precision: number of decimal digits that are sure.
      resolution: ten to the power of ``-precision``.
      smallest_normal: least positive number of full precision.
      smallest_subnormal: least positive number.
      tiny: ``smallest_normal``.

    Raises:
      ValueError: ``dtype`` is not a floating point or complex dtype.

    Example:
      >>> import fungrad.numpy as jnp
      >>> info = jnp.finfo("bfloat16")
      >>> info.eps, info.bits, isinstance(info, jnp.finfo)
      (0.0078125, 16, True)
    """

    bits: int
    dtype: np.dtype
    eps: float
    epsneg: float
    iexp: int
    machep: int
    max: float
    maxexp: int
    min: float
    minexp: int
    negep: int
    nexp: int
    nmant: int
    precision: int
    resolution: float
    smallest_normal: float
    smallest_subnormal: float
    tiny: float

    def __new__(cls, dtype: Any) -> finfo:
        found = dtypes.finfo(dtype)
        return _float_limits(found.dtype)

    def __reduce__(self) -> tuple:
        return (finfo, (self.dtype,))

    def __repr__(self) -> str:
        return f"finfo(resolution={self.resolution}, min={self.min}, max={self.max}, dtype={self.dtype.name})"


@lru_cache(maxsize=64)
def _float_limits(dtype: np.dtype) -> finfo:
    found = dtypes.finfo(dtype)
    self: finfo = object.__new__(finfo)
    self.dtype = dtype
    for name in _NUMBERS:
        setattr(self, name, float(getattr(found, name)))
    for name in _COUNTS:
        setattr(self, name, int(getattr(found, name)))
    return self


@api_class
class iinfo:  # noqa: N801 - NumPy's name
    """Machine limits of an integer type.

    Args:
      int_type: an integer dtype-like, or an array. As in NumPy, ``int`` is int64.

    Attributes:
      bits: number of bits.
      dtype: the dtype.
      kind: ``i`` or ``u``.
      max: greatest number.
      min: least number.

    Raises:
      ValueError: ``int_type`` is not an integer dtype.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.iinfo("int4")
      iinfo(min=-8, max=7, dtype=int4)
    """

    bits: int
    dtype: np.dtype
    kind: str
    max: int
    min: int

    def __new__(cls, int_type: Any) -> iinfo:
        found = dtypes.iinfo(int_type)
        return _integer_limits(np.dtype(found.dtype))

    def __reduce__(self) -> tuple:
        return (iinfo, (self.dtype,))

    def __repr__(self) -> str:
        return f"iinfo(min={self.min}, max={self.max}, dtype={self.dtype.name})"


@lru_cache(maxsize=64)
def _integer_limits(dtype: np.dtype) -> iinfo:
    found = dtypes.iinfo(dtype)
    self: iinfo = object.__new__(iinfo)
    self.dtype, self.bits = dtype, int(found.bits)
    self.min, self.max = int(found.min), int(found.max)
    self.kind = "u" if dtypes.is_unsigned(dtype) else "i"
    return self


__all__ = ["finfo", "iinfo"]
