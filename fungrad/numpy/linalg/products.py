"""Products of matrices and vectors with the signatures of ``numpy.linalg``, where they differ from ``numpy``'s.

May import ``core``, ``ops``, ``numpy`` and ``numpy.linalg._arguments``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fungrad.core.array import Array
from fungrad.numpy import linear
from fungrad.numpy._promotion import operand
from fungrad.numpy.contraction import einsum
from fungrad.numpy.linalg._arguments import check_matrix
from fungrad.numpy.linear import matmul, outer, tensordot, vecdot
from fungrad.numpy.manipulation import matrix_transpose

__all__ = ["cross", "diagonal", "matmul", "matrix_transpose", "multi_dot", "outer", "tensordot", "trace",
           "vecdot"]  # fmt: skip


def cross(x1: Any, x2: Any, /, *, axis: int = -1) -> Array:
    """The cross products of vectors of three components.

    Args:
      x1, x2: arrays of size 3 along ``axis``; shapes broadcast.
      axis: where the components are.

    Returns:
      An array of the broadcast shape.

    Raises:
      ValueError: the size along ``axis`` is not 3.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.linalg.cross(jnp.array([1.0, 0, 0]), jnp.array([0.0, 1, 0]))
      Array([0., 0., 1.], dtype=float32)
    """
    x1, x2 = operand(x1, "linalg.cross", "x1"), operand(x2, "linalg.cross", "x2")
    for name, x in (("x1", x1), ("x2", x2)):
        if not x.aval.ndim or x.aval.shape[axis] != 3:
            raise ValueError(
                f"fungrad.numpy.linalg.cross: {name} must have size 3 along axis {axis}, got shape {x.aval.shape}"
            )
    return linear.cross(x1, x2, axis=axis)


def diagonal(x: Any, /, *, offset: int = 0) -> Array:
    """The diagonals of (batches of) matrices.

    Args:
      x: shape ``(..., m, n)``.
      offset: how far above the main diagonal.

    Returns:
      An array with the diagonals in its last dimension.

    Raises:
      ValueError: ``x`` has fewer than two dimensions.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.linalg.diagonal(jnp.arange(6).reshape(2, 3), offset=1)
      Array([1, 5], dtype=int32)
    """
    x = operand(x, "linalg.diagonal", "x")
    check_matrix("linalg.diagonal", x, "x", square=False)
    return linear.diagonal(x, offset, -2, -1)


def trace(x: Any, /, *, offset: int = 0, dtype: Any = None) -> Array:
    """The sums of the diagonals of (batches of) matrices.

    Args:
      x: shape ``(..., m, n)``.
      offset: how far above the main diagonal.
      dtype: of the result.

    Returns:
      An array of the batch shape.

    Raises:
      ValueError: ``x`` has fewer than two dimensions.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.linalg.trace(jnp.ones((2, 3, 3)))
      Array([3., 3.], dtype=float32)
    """
    x = operand(x, "linalg.trace", "x")
    check_matrix("linalg.trace", x, "x", square=False)
    return linear.trace(x, offset, -2, -1, dtype)


def multi_dot(arrays: Sequence[Any], *, precision: Any = None) -> Array:
    """The product of several matrices in the cheapest order.

    Args:
      arrays: at least two; the first and the last may be vectors, the others are matrices.
      precision: as in ``lax.dot_general``.

    Returns:
      The product.

    Raises:
      ValueError: there are fewer than two arrays, or the shapes do not match.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.linalg.multi_dot([jnp.ones((2, 3)), jnp.ones((3, 4)), jnp.ones(4)])
      Array([12., 12.], dtype=float32)
    """
    api = "linalg.multi_dot"
    xs = [operand(x, api, f"arrays[{k}]") for k, x in enumerate(arrays)]
    if len(xs) < 2:
        raise ValueError(f"fungrad.numpy.{api}: expected at least two arrays, got {len(xs)}")
    for k, x in enumerate(xs):
        wanted = (1, 2) if k in (0, len(xs) - 1) else (2,)
        if x.aval.ndim not in wanted:
            raise ValueError(
                f"fungrad.numpy.{api}: arrays[{k}] must have {' or '.join(map(str, wanted))} dimensions, got shape "
                f"{x.aval.shape}"
            )
    labels, result, at = [], [], 0
    for k, x in enumerate(xs):
        if x.aval.ndim == 1:
            labels.append([at])
        else:
            labels.append([at, at + 1])
            result += [at] if k == 0 else []
            at += 1
            result += [at] if k == len(xs) - 1 else []
    terms = [item for pair in zip(xs, labels, strict=True) for item in pair]
    return einsum(*terms, result, optimize="optimal", precision=precision)
