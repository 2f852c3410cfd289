"""Types for annotations of functions that take arrays.

Attributes:
  ArrayLike: what functions of fungrad accept as an array: arrays, tracers, ndarrays, NumPy and Python scalars.
  DTypeLike: what they accept as a dtype.
"""

from typing import Any

import numpy as np

from fungrad.core.array import Array
from fungrad.core.public_names import publish as _publish

ArrayLike = Array | np.ndarray | np.generic | bool | int | float | complex
DTypeLike = str | type[Any] | np.dtype

__all__ = ["ArrayLike", "DTypeLike"]

_publish(globals(), __name__, __all__)
