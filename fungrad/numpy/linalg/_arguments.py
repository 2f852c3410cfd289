"""Arguments of ``fungrad.numpy.linalg``: matrices of the dtypes that LAPACK has, and errors for known values.

May import ``core``, ``ops`` and ``numpy._promotion``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fungrad.core import dtypes
from fungrad.core.array import Array
from fungrad.core.context import Tracer
from fungrad.numpy._promotion import cast, inexact, operand, promote_dtypes_inexact


def matrix(api: str, x: Any, name: str = "a", square: bool = False) -> Array:
    """A matrix argument, or a batch of them, of a floating or complex dtype of at least 32 bits.

    Raises:
      ValueError: it has fewer than two dimensions, or is to be square and is not.
    """
    x = at_least_single(inexact(operand(x, api, name), api))
    check_matrix(api, x, name, square)
    return x


def matrices(api: str, *named: tuple[str, Any]) -> list[Array]:
    """Several arguments of one dtype."""
    xs = promote_dtypes_inexact(api, *[operand(x, api, name) for name, x in named])
    return [at_least_single(x) for x in xs]


def at_least_single(x: Array) -> Array:
    """``x`` without a weak type; numbers of 16 bits are widened, since LAPACK has none."""
    dtype = x.aval.dtype
    return cast(x, dtypes.float32 if dtype.itemsize < 4 else dtype)


def check_matrix(api: str, x: Array, name: str, square: bool) -> None:
    """Raises ValueError unless ``x`` is a (square) matrix or a batch of them."""
    full = f"fungrad.numpy.{api}"
    if x.aval.ndim < 2:
        raise ValueError(f"{full}: {name} must have at least two dimensions, got shape {x.aval.shape}")
    if square and x.aval.shape[-1] != x.aval.shape[-2]:
        raise ValueError(f"{full}: {name} must be square in its last two dimensions, got shape {x.aval.shape}")


def check_computed(api: str, out: Array, x: Array, why: str) -> None:
    """Raises ``LinAlgError`` if the result for known values has NaN and the argument has none.

    Raises:
      numpy.linalg.LinAlgError: says which function failed, and why.
    """
    if isinstance(out, Tracer) or isinstance(x, Tracer):
        return
    failed = np.isnan(np.asarray(out)).any(axis=(-2, -1)) & np.isfinite(np.asarray(x)).all(axis=(-2, -1))
    if failed.any():
        raise np.linalg.LinAlgError(f"fungrad.numpy.{api}: {why}")
