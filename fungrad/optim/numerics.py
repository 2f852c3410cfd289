"""Numbers near the edges: counts that do not wrap, norms that have gradients at zero, scaled gradients.

May import ``fungrad.numpy``, ``transforms`` and ``optim._formulas``.
"""

from __future__ import annotations

from typing import Any

import fungrad.numpy as jnp
from fungrad import lax
from fungrad.core import tree
from fungrad.core.array import Array
from fungrad.optim._formulas import next_count, square
from fungrad.transforms.custom_rules import custom_vjp


def safe_increment(count: Any) -> Array:
    """``count + 1``, without wrapping: the greatest number of the dtype stays.

    Args:
      count: integer or floating-point array.

    Returns:
      An array like ``count``.

    Raises:
      ValueError: ``count`` has another dtype.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> print(optim.safe_increment(jnp.int8(126)), optim.safe_increment(jnp.int8(127)))
      127 127
    """
    return next_count(count)


safe_int32_increment = safe_increment


def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Array:
    """The norm of a vector (or, over two axes, a matrix norm that needs no decomposition)."""
    x = jnp.asarray(x)
    if not jnp.issubdtype(x.dtype, jnp.inexact):
        x = x.astype(jnp.float32)
    if ord is None or (ord == 2 and (axis is not None and not isinstance(axis, tuple) or x.ndim == 1)):
        return jnp.sqrt(jnp.sum(square(x, jnp), axis=axis, keepdims=keepdims))
    if isinstance(axis, tuple) and len(axis) == 2 or axis is None and x.ndim == 2:
        return _matrix_norm(x, ord, axis or (0, 1), keepdims)
    if ord == jnp.inf:
        return jnp.max(jnp.abs(x), axis=axis, keepdims=keepdims)
    if ord == -jnp.inf:
        return jnp.min(jnp.abs(x), axis=axis, keepdims=keepdims)
    if ord == 0:
        return jnp.sum((x != 0).astype(x.real.dtype), axis=axis, keepdims=keepdims)
    if ord == 1:
        return jnp.sum(jnp.abs(x), axis=axis, keepdims=keepdims)
    return jnp.sum(jnp.abs(x) ** ord, axis=axis, keepdims=keepdims) ** (1 / ord)


def _matrix_norm(x: Array, ord: Any, axes: tuple[int, int], keepdims: bool) -> Array:
    if ord == "fro":
        return jnp.sqrt(jnp.sum(square(x, jnp), axis=axes, keepdims=keepdims))
    if ord in (1, -1, jnp.inf, -jnp.inf):
        summed, kept = axes if abs(ord) == 1 else axes[::-1]
        sums = jnp.sum(jnp.abs(x), axis=summed, keepdims=True)
        out = (jnp.max if ord > 0 else jnp.min)(sums, axis=kept, keepdims=True)
        return out if keepdims else jnp.squeeze(out, axis=axes)
    raise ValueError(f"ord must be None, 'fro', 1, -1, inf or -inf for a matrix, got {ord!r}")


def safe_norm(x: Any, min_norm: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Array:
    """The norm of an array, at least ``min_norm``; its gradient is zero, and not NaN, where it is less.

    Args:
      x: array.
      min_norm: the least norm to return.
      ord: order: None for the Euclidean norm, or a number, ``inf``, or (for a matrix) ``"fro"``.
      axis: integer or pair of integers; default the whole array.
      keepdims: whether reduced axes stay, with size 1.

    Example:
      >>> import fungrad, fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> print(fungrad.grad(lambda x: optim.safe_norm(x, 1e-3))(jnp.zeros(2)))
      [0. 0.]
    """
    x = jnp.asarray(x)
    kept = norm(x, ord, axis, keepdims=True)
    small = kept <= min_norm
    # The branch that is not chosen must have a finite derivative too.
    safe = norm(jnp.where(small, jnp.ones_like(x), x), ord, axis, keepdims)
    return jnp.where(small if keepdims else jnp.squeeze(small, axis=axis), min_norm, safe)


def safe_root_mean_squares(x: Any, min_rms: Any) -> Array:
    """The root of the mean of squared magnitudes, at least ``min_rms``; its gradient is zero where it is less.

    Args:
      x: array.
      min_rms: the least value to return.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> print(optim.safe_root_mean_squares(jnp.array([3.0, 4.0]), 1e-3))
      3.535534
    """
    x = jnp.asarray(x)
    small = root_mean_square(x) <= min_rms
    return jnp.where(small, min_rms, root_mean_square(jnp.where(small, jnp.ones_like(x), x)))


def root_mean_square(x: Any) -> Array:
    """The root of the mean of squared magnitudes."""
    return jnp.sqrt(jnp.mean(square(x, jnp)))


@custom_vjp
def _scaled(inputs: Any, scale: Any) -> Any:
    return inputs


def _scaled_forward(inputs: Any, scale: Any) -> tuple[Any, Any]:
    return inputs, scale


def _scaled_backward(scale: Any, cotangents: Any) -> tuple[Any, Any]:
    return tree.map(lambda c: c * scale, cotangents), None


_scaled.defvjp(_scaled_forward, _scaled_backward)


def scale_gradient(inputs: Any, scale: float) -> Any:
    """``inputs``, whose cotangents are multiplied by ``scale`` on their way back.

    Args:
      inputs: tree of arrays.
      scale: factor of gradients.

    Example:
      >>> import fungrad
      >>> from fungrad import optim
      >>> print(fungrad.grad(lambda x: optim.scale_gradient(x, 0.5) ** 2)(3.0))
      3.0
    """
    if isinstance(scale, (int, float)):
        if scale == 1.0:
            return inputs
        if scale == 0.0:
            return lax.stop_gradient(inputs)
    return _scaled(inputs, scale)
