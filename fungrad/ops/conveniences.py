"""Small functions of ``lax`` that are made of others.

May import ``core`` and the modules of ``ops``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fungrad.core import dtypes
from fungrad.core.array import Array, as_array, typeof
from fungrad.ops._operands import lift
from fungrad.ops.cast import full
from fungrad.ops.compare import lt, select
from fungrad.ops.elementwise import add, rem
from fungrad.ops.foundation import broadcast_in_dim, reshape
from fungrad.ops.indexing import GatherDimensionNumbers, gather
from fungrad.ops.joining import concatenate
from fungrad.ops.resharding import at_sharding


def broadcast_like(arr: Any, like_arr: Any) -> Array:
    """An array repeated to the shape of another.

    Args:
      arr: array whose dimensions are the last ones of the other, or of size 1.
      like_arr: array whose shape is taken.

    Raises:
      ValueError: ``arr`` cannot be broadcast to that shape.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import lax
      >>> lax.broadcast_like(jnp.array([1, 2]), jnp.ones((2, 2)))
      Array([[1, 2],
             [1, 2]], dtype=int32)
    """
    x = lift(arr, "fungrad.lax.broadcast_like: arr")
    shape = lift(like_arr, "fungrad.lax.broadcast_like: like_arr").shape
    offset = len(shape) - x.ndim
    if offset < 0 or any(n not in (1, m) for n, m in zip(x.shape, shape[offset:], strict=True)):
        raise ValueError(
            f"fungrad.lax.broadcast_like: arr of type {x.aval.str_short()} cannot be broadcast to the shape {shape} of "
            "like_arr"
        )
    return broadcast_in_dim(x, shape, tuple(range(offset, len(shape))))


def dtype(x: Any) -> np.dtype:
    """The dtype that an array, scalar, or dtype has here, 64 bits narrowed unless they are enabled.

    Args:
      x: array, scalar, dtype, or type.

    Raises:
      TypeError: ``x`` has no dtype.

    Example:
      >>> from fungrad import lax
      >>> lax.dtype(1.0), lax.dtype(float)
      (dtype('float32'), dtype('float32'))
    """
    if isinstance(x, Array) or isinstance(x, (bool, int, float, complex, np.ndarray, np.generic)):
        return typeof(x).dtype
    if x is None:
        raise TypeError("fungrad.lax.dtype: x must have a dtype, got None")
    own = getattr(x, "dtype", x)
    return dtypes.default_width(dtypes.canonicalize_dtype(own if isinstance(own, np.dtype) else x, "fungrad.lax.dtype"))


def empty(shape: Any, dtype: Any, *, out_sharding: Any = None) -> Array:
    """Zeros of a shape and dtype: there is no uninitialised memory.

    Args:
      shape: integer or sequence of integers.
      dtype: dtype of the result.
      out_sharding: how the result is divided; see :func:`fungrad.reshard`.

    Example:
      >>> from fungrad import lax
      >>> lax.empty(2, "int32")
      Array([0, 0], dtype=int32)
    """
    if out_sharding is not None:
        return at_sharding(empty, out_sharding, "fungrad.lax.empty", shape, dtype)
    return full((shape,) if isinstance(shape, int) else shape, 0, dtype)


def index_take(src: Any, idxs: Sequence[Any], axes: Sequence[int]) -> Array:
    """The slices at several positions along some axes.

    Args:
      src: array.
      idxs: for each of ``axes`` a vector of positions, all of one length; negative ones count from the end, and those
        out of range start again at the beginning.
      axes: axes, increasing.

    Returns:
      Array whose first dimension numbers the positions, with the dimensions of ``src`` that are left behind it.

    Raises:
      ValueError: there is not one vector of positions per axis.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import lax
      >>> lax.index_take(jnp.arange(6).reshape(2, 3), [jnp.array([0, 1]), jnp.array([2, -1])], (0, 1))
      Array([2, 5], dtype=int32)
    """
    x = lift(src, "fungrad.lax.index_take: src")
    places = [lift(i, f"fungrad.lax.index_take: idxs[{n}]") for n, i in enumerate(idxs)]
    axes = tuple(axes)
    if len(places) != len(axes) or not places or any(i.ndim != 1 or i.shape != places[0].shape for i in places):
        raise ValueError(
            f"fungrad.lax.index_take: idxs must be one vector of positions per axis, all of one length, got "
            f"{', '.join(i.aval.str_short() for i in places)} for axes {axes}"
        )
    columns = []
    for i, axis in zip(places, axes, strict=True):
        size = full((), x.shape[axis], i.dtype)
        rest = rem(i, size)
        rest = select(lt(rest, full((), 0, i.dtype)), add(rest, size), rest)
        columns.append(reshape(rest, (*rest.shape, 1)))
    numbers = GatherDimensionNumbers(
        offset_dims=tuple(range(1, x.ndim - len(axes) + 1)), collapsed_slice_dims=axes, start_index_map=axes
    )
    sizes = tuple([1 if d in axes else n for d, n in enumerate(x.shape)])
    return gather(x, concatenate(columns, 1), numbers, sizes)


def shape_as_value(shape: Sequence[int]) -> Array:
    """A shape as a vector of integers.

    Args:
      shape: sequence of integers.

    Example:
      >>> from fungrad import lax
      >>> lax.shape_as_value((2, 3))
      Array([2, 3], dtype=int32)
    """
    return as_array(np.array(tuple(shape), dtypes.default_int()), "fungrad.lax.shape_as_value: shape")


def stage(x: Any, /) -> Array:
    """A scalar or NumPy array as an array of fungrad; arrays stay what they are.

    Args:
      x: array or scalar.

    Example:
      >>> from fungrad import lax
      >>> lax.stage(1.5)
      Array(1.5, dtype=float32, weak_type=True)
    """
    return lift(x, "fungrad.lax.stage: x")


__all__ = ["broadcast_like", "dtype", "empty", "index_take", "shape_as_value", "stage"]
