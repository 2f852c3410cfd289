"""Functions over whole axes: softmax, sums of exponentials and standardization.

May import ``core``, ``ops`` and ``numpy``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import fungrad.numpy as jnp
from fungrad.core import dtypes
from fungrad.core.array import Array
from fungrad.numpy._promotion import inexact, operand, promote_dtypes_inexact, raw_operand
from fungrad.ops.cast import stop_gradient
from fungrad.ops.elementwise import rsqrt

Axis = int | Sequence[int] | None


def _inexact(x: Any, name: str) -> Array:
    if isinstance(x, Array) and x.aval.inexact:
        return x
    return inexact(operand(x, f"nn.{name}", "x"), f"nn.{name}")


def _chosen(x: Array, where: Any, other: Any) -> Array:
    return x if where is None else jnp.where(where, x, other)


def _maximum(x: Array, axis: Axis, where: Any) -> Array:
    """Maximum along ``axis``, kept with size 1: a shift against overflow, which has no part in derivatives."""
    x = stop_gradient(x)
    if where is None and x.size:
        return jnp.max(x, axis, keepdims=True)
    return jnp.max(x, axis, where=where, initial=-math.inf, keepdims=True)


def _exponentials(x: Array, axis: Axis, where: Any) -> tuple[Array, Array]:
    """``x`` less its maximum along ``axis``, and the exponentials of that."""
    shifted = _chosen(x, where, -math.inf) - _maximum(x, axis, where)
    return shifted, jnp.exp(shifted)


def softmax(x: Any, axis: Axis = -1, where: Any = None) -> Array:
    """Exponentials divided by their sum: positive numbers that add up to 1 along ``axis``.

    Args:
      x: array.
      axis: one or several dimensions; may be negative, None for all.
      where: booleans that broadcast to ``x``: the elements that take part; others give 0.

    Returns:
      An array like ``x``.

    Raises:
      ValueError: there is no such axis.

    Example:
      >>> import fungrad
      >>> import fungrad.numpy as jnp
      >>> fungrad.nn.softmax(jnp.array([0., 0.]))
      Array([0.5, 0.5], dtype=float32)
    """
    x = _inexact(x, "softmax")
    _, exponentials = _exponentials(x, axis, where)
    total = jnp.sum(exponentials, axis, where=where, keepdims=True)
    return _chosen(exponentials / total, where, 0)


def log_softmax(x: Any, axis: Axis = -1, where: Any = None) -> Array:
    """Logarithm of ``softmax``, accurate for small probabilities.

    Args:
      x: array.
      axis: one or several dimensions; may be negative, None for all.
      where: booleans that broadcast to ``x``: the elements that take part; others give ``-inf``.

    Returns:
      An array like ``x``.

    Raises:
      ValueError: there is no such axis.

    Example:
      >>> import fungrad
      >>> import fungrad.numpy as jnp
      >>> fungrad.nn.log_softmax(jnp.array([0., 200.]))
      Array([-200.,    0.], dtype=float32)
    """
    x = _inexact(x, "log_softmax")
    shifted, exponentials = _exponentials(x, axis, where)
    total = jnp.sum(exponentials, axis, where=where, keepdims=True)
    return _chosen(shifted - jnp.log(total), where, -math.inf)


def logsumexp(
    a: Any, axis: Axis = None, b: Any = None, keepdims: bool = False, return_sign: bool = False, where: Any = None
) -> Any:
    """Logarithm of the sum of exponentials, ``log(sum(b * exp(a)))``, without overflow.

    Args:
      a: array.
      axis: one or several dimensions; may be negative, None for all.
      b: weights, which may be negative; broadcast against ``a``.
      keepdims: keep the reduced dimensions with size 1.
      return_sign: return the sign of the sum as well, and the logarithm of its absolute value.
      where: booleans that broadcast to ``a``: the elements that take part.

    Returns:
      The logarithm; with ``return_sign`` a pair of it and the sign.  Without it, the logarithm of a negative sum is
      NaN.

    Raises:
      ValueError: there is no such axis, or shapes do not broadcast.

    Example:
      >>> import fungrad
      >>> import fungrad.numpy as jnp
      >>> fungrad.nn.logsumexp(jnp.array([1000., 1000.]))
      Array(1000.6932, dtype=float32)
    """
    api = "nn.logsumexp"
    if b is None:
        x, weights = _inexact(operand(a, api, "a"), "logsumexp"), None
    else:
        x, weights = promote_dtypes_inexact(api, operand(a, api, "a"), raw_operand(b, api, "b"))
        # An element of weight 0 counts for nothing, even where it is infinite.
        x = jnp.where(weights != 0, x, -math.inf)
    x = _chosen(x, where, 0) if where is not None else x
    top = _maximum(x.real, axis, where)
    top = jnp.where(jnp.isfinite(top), top, 0)
    terms = jnp.exp(x - top)
    if weights is not None:
        terms = weights * terms
    total = jnp.sum(terms, axis, where=where, keepdims=True)
    sign = jnp.sign(total)
    if return_sign or not dtypes.is_complex(total.dtype):
        out = jnp.log(jnp.abs(total)) + top
    else:
        out = jnp.log(total) + top
    if not return_sign and weights is not None and not dtypes.is_complex(total.dtype):
        out = jnp.where(sign < 0, math.nan, out)
    if not keepdims:
        out, sign = jnp.squeeze(out, axis), jnp.squeeze(sign, axis)
    return (out, sign) if return_sign else out


def logmeanexp(x: Any, axis: Axis = None, where: Any = None, keepdims: bool = False) -> Array:
    """Logarithm of the mean of exponentials, without overflow.

    Args:
      x: array.
      axis: one or several dimensions; may be negative, None for all.
      where: booleans that broadcast to ``x``: the elements that take part.
      keepdims: keep the reduced dimensions with size 1.

    Raises:
      ValueError: there is no such axis.

    Example:
      >>> from fungrad import nn
      >>> import fungrad.numpy as jnp
      >>> nn.logmeanexp(jnp.array([1000.0, 1000.0]))
      Array(1000., dtype=float32)
    """
    x = _inexact(x, "logmeanexp")
    if where is None:
        reduced = (axis,) if isinstance(axis, int) else tuple(range(x.ndim)) if axis is None else tuple(axis)
        count: Any = math.prod(x.shape[d] for d in reduced)
        return logsumexp(x, axis, keepdims=keepdims) - (math.log(count) if count else -math.inf)
    mask = jnp.broadcast_to(where, x.shape)
    count = jnp.sum(mask, axis, keepdims=keepdims, dtype=dtypes.to_real_dtype(x.dtype))
    return logsumexp(x, axis, keepdims=keepdims, where=mask) - jnp.log(count)


def standardize(
    x: Any,
    axis: Axis = -1,
    mean: Any = None,
    variance: Any = None,
    epsilon: Any = 1e-5,
    where: Any = None,
    *,
    algorithm: str = "fast",
) -> Array:
    """Shifts and scales to mean 0 and variance 1: ``(x - mean) / sqrt(variance + epsilon)``.

    Args:
      x: array.
      axis: dimensions over which mean and variance are taken; may be negative, None for all.
      mean: known mean, broadcast against ``x``; default that of ``x``.
      variance: known variance; default that of ``x`` about ``mean``.
      epsilon: added to the variance.
      where: booleans that broadcast to ``x``: the elements that mean and variance are taken of.
      algorithm: ``"fast"`` takes the variance as mean of squares less square of mean, in one pass; ``"stable"`` as
        mean of squared deviations.

    Raises:
      ValueError: there is no such axis or algorithm.

    Example:
      >>> import fungrad
      >>> import fungrad.numpy as jnp
      >>> fungrad.nn.standardize(jnp.array([1., 3.]), epsilon=0.0)
      Array([-1.,  1.], dtype=float32)
    """
    if algorithm not in ("fast", "stable"):
        raise ValueError(f"fungrad.nn.standardize: algorithm must be 'fast' or 'stable', got {algorithm!r}")
    x = _inexact(x, "standardize")
    if mean is None:
        mean = jnp.mean(x, axis, keepdims=True, where=where)
    if variance is None:
        if algorithm == "stable":
            variance = jnp.mean(jnp.square(x - mean), axis, keepdims=True, where=where)
        else:
            # Rounding may make the difference negative.
            squares = jnp.mean(jnp.square(x), axis, keepdims=True, where=where)
            variance = jnp.maximum(squares - jnp.square(mean), 0)
    return (x - mean) * rsqrt(_inexact(variance + epsilon, "standardize"))
