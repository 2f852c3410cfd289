"""Pooling: windows of each feature reduced to a number.

May import ``core``, ``numpy``, ``lax`` and the modules of ``nn`` before it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import fungrad.numpy as jnp
from fungrad import lax
from fungrad.core import dtypes
from fungrad.core.array import Array, as_array
from fungrad.nn._spatial import check_rank, one_batch, padding_of, per_axis

__all__ = ["avg_pool", "max_pool", "min_pool", "pool"]


def _arguments(api: str, inputs: Any, window_shape: Any, strides: Any) -> tuple[Array, tuple, tuple]:
    x = as_array(inputs, f"fungrad.nn.{api}: inputs")
    window = per_axis(api, "window_shape", window_shape)
    steps = per_axis(api, "strides", 1 if strides is None else strides, len(window))
    check_rank(api, x, len(window), "inputs")
    if dtypes.is_key(x.dtype):
        raise TypeError(f"fungrad.nn.{api}: inputs must be an array of numbers, got {x.aval.str_short()}")
    return x, window, steps


def _windows(
    api: str, x: Array, init: Any, reduce_fn: Callable[[Any, Any], Any], window: tuple, steps: tuple, padding: Any
) -> Array:
    batch, lead = one_batch(x, len(window))
    pads = padding_of(padding, len(window))
    if not isinstance(pads, str):
        try:
            pads = ((0, 0), *[(int(low), int(high)) for low, high in pads], (0, 0))
        except (TypeError, ValueError):
            raise TypeError(
                f"fungrad.nn.{api}: padding must be 'VALID', 'SAME', 'SAME_LOWER', an integer, or pairs (low, high) of "
                f"integers, got {padding!r}"
            ) from None
        if len(pads) != len(window) + 2:
            raise ValueError(
                f"fungrad.nn.{api}: padding must have a pair for each of the {len(window)} spatial dimensions, got "
                f"{padding!r}"
            )
    elif pads.upper() not in ("VALID", "SAME", "SAME_LOWER"):
        raise ValueError(
            f"fungrad.nn.{api}: padding must be 'VALID', 'SAME', 'SAME_LOWER', an integer, or pairs (low, high), got "
            f"{padding!r}"
        )
    out = lax.reduce_window(batch, init, reduce_fn, (1, *window, 1), (1, *steps, 1), pads)
    return out if len(lead) == 1 else out.reshape(*lead, *out.shape[1:])


def pool(
    inputs: Any,
    init: Any,
    reduce_fn: Callable[[Any, Any], Any],
    window_shape: int | Sequence[int],
    strides: int | Sequence[int] | None = None,
    padding: str | int | Sequence[tuple[int, int]] = "VALID",
) -> Array:
    """Reduces windows of each feature by any function.

    Args:
      inputs: array of shape ``[..., *spatial, features]``, with any number of dimensions in front.
      init: what the reduction starts with, the neutral element of ``reduce_fn``.
      reduce_fn: associative function of two numbers.
      window_shape: size of the window along each spatial dimension; an integer for a single one.
      strides: distance of neighbouring windows, 1 if None.
      padding: ``"VALID"`` (windows are inside), ``"SAME"`` (as many windows as elements, divided by the stride),
        ``"SAME_LOWER"``, a pair (low, high) for each spatial dimension, or an integer for all ends. Places outside do
        not take part.

    Returns:
      An array of shape ``[..., *spatial, features]``.

    Raises:
      TypeError: an argument is of the wrong kind.
      ValueError: the sizes do not fit.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import lax, nn
      >>> nn.pool(jnp.array([[1.0], [2.0], [3.0]]), 1.0, lax.mul, (2,))[:, 0]
      Array([2., 6.], dtype=float32)
    """
    x, window, steps = _arguments("pool", inputs, window_shape, strides)
    if not callable(reduce_fn):
        raise TypeError(f"fungrad.nn.pool: reduce_fn must be a function of two numbers, got {reduce_fn!r}")
    start = as_array(init, "fungrad.nn.pool: init").astype(x.dtype)
    return _windows("pool", x, start, reduce_fn, window, steps, padding)


def _extreme(dtype: np.dtype, greatest: bool) -> Any:
    """The greatest or least number of a dtype."""
    if dtypes.is_bool(dtype):
        return np.asarray(greatest)
    if dtypes.is_float(dtype):
        return np.asarray(math.inf if greatest else -math.inf, dtype)
    return np.asarray(np.iinfo(dtype).max if greatest else np.iinfo(dtype).min, dtype)


def _extremum(api: str, inputs: Any, greatest: bool, window_shape: Any, strides: Any, padding: Any) -> Array:
    x, window, steps = _arguments(api, inputs, window_shape, strides)
    if dtypes.is_complex(x.dtype):
        raise TypeError(f"fungrad.nn.{api}: inputs must be real numbers, which have an order, got {x.aval.str_short()}")
    init = jnp.asarray(_extreme(x.dtype, not greatest))
    return _windows(api, x, init, lax.max if greatest else lax.min, window, steps, padding)


def max_pool(
    inputs: Any,
    window_shape: int | Sequence[int],
    strides: int | Sequence[int] | None = None,
    padding: str | int | Sequence[tuple[int, int]] = "VALID",
) -> Array:
    """The greatest number of each window; its derivative is that of the first of equal ones.

    Args:
      inputs: array of real numbers of shape ``[..., *spatial, features]``.
      window_shape, strides, padding: as in ``pool``.

    Raises:
      TypeError: an argument is of the wrong kind.
      ValueError: the sizes do not fit.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import nn
      >>> nn.max_pool(jnp.arange(16.0).reshape(4, 4, 1), (2, 2), (2, 2))[..., 0]
      Array([[ 5.,  7.],
             [13., 15.]], dtype=float32)
    """
    return _extremum("max_pool", inputs, True, window_shape, strides, padding)


def min_pool(
    inputs: Any,
    window_shape: int | Sequence[int],
    strides: int | Sequence[int] | None = None,
    padding: str | int | Sequence[tuple[int, int]] = "VALID",
) -> Array:
    """The least number of each window; its derivative is that of the first of equal ones.

    Args:
      inputs: array of real numbers of shape ``[..., *spatial, features]``.
      window_shape, strides, padding: as in ``pool``.

    Raises:
      TypeError: an argument is of the wrong kind.
      ValueError: the sizes do not fit.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import nn
      >>> nn.min_pool(jnp.array([[3.0], [1.0], [2.0]]), 2)[:, 0]
      Array([1., 1.], dtype=float32)
    """
    return _extremum("min_pool", inputs, False, window_shape, strides, padding)


def avg_pool(
    inputs: Any,
    window_shape: int | Sequence[int],
    strides: int | Sequence[int] | None = None,
    padding: str | int | Sequence[tuple[int, int]] = "VALID",
    count_include_pad: bool = True,
) -> Array:
    """The mean of each window.

    Args:
      inputs: array of shape ``[..., *spatial, features]``; integers are converted to floating numbers.
      window_shape, strides, padding: as in ``pool``.
      count_include_pad: whether places outside count, as zeros; else the mean is that of the elements that are there.

    Raises:
      TypeError: an argument is of the wrong kind.
      ValueError: the sizes do not fit.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import nn
      >>> x = jnp.array([[2.0], [4.0], [6.0]])
      >>> nn.avg_pool(x, 2, padding="SAME")[:, 0]
      Array([3., 5., 3.], dtype=float32)
      >>> nn.avg_pool(x, 2, padding="SAME", count_include_pad=False)[:, 0]
      Array([3., 5., 6.], dtype=float32)
    """
    x, window, steps = _arguments("avg_pool", inputs, window_shape, strides)
    if not dtypes.is_inexact(x.dtype):
        x = x.astype(dtypes.default_float())
    zero = jnp.zeros((), x.dtype)
    total = _windows("avg_pool", x, zero, lax.add, window, steps, padding)
    if count_include_pad:
        return total / math.prod(window)
    ones = jnp.ones((*x.shape[x.ndim - len(window) - 1 : -1], 1), x.dtype)
    return total / _windows("avg_pool", ones, zero, lax.add, window, steps, padding)
