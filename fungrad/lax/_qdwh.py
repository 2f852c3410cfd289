"""``qdwh``: the polar decomposition by products, QR factorisations and nothing else.

May import ``core``, ``ops`` and ``control``.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from fungrad.control.while_loop import while_loop
from fungrad.core import dtypes
from fungrad.core.array import Array
from fungrad.ops.compare import max, select
from fungrad.ops.elementwise import add, div, mul, sqrt, sub
from fungrad.ops.foundation import broadcast_in_dim, reduce_sum
from fungrad.ops.joining import concatenate
from fungrad.ops.linalg.matrices import adjoint, identity_like, matrix_operand, mm, real_dtype, real_part
from fungrad.ops.linalg.qr import qr
from fungrad.ops.reduce import reduce_max
from fungrad.ops.shape import slice as slice_of


def qdwh(
    x: Any,
    *,
    is_hermitian: bool = False,
    max_iterations: int | None = None,
    eps: float | None = None,
    dynamic_shape: tuple[int, int] | None = None,
) -> tuple[Array, Array, Array, Array]:
    """The polar decomposition ``x = u @ h`` by the dynamically weighted Halley iteration.

    Reference: Nakatsukasa, Bai and Gygi, "Optimizing Halley's iteration for computing the matrix polar
    decomposition" (2010).

    Args:
      x: shape ``(m, n)`` with ``m >= n``, of full rank, of dtype float32, float64, complex64 or complex128.
      is_hermitian: accepted; it makes no difference.
      max_iterations: after so many steps, by default 10, it ends anyway.
      eps: it has converged when a step changes ``u`` by less than the cube root of ``4 * eps``, relatively; by default
        the distance of neighbouring numbers.
      dynamic_shape: must be None or the shape of ``x``.

    Returns:
      ``u`` with orthonormal columns, the positive semidefinite ``h``, the number of steps and whether it has converged.

    Raises:
      TypeError: the dtype is another one.
      ValueError: ``x`` is no matrix, or has more columns than rows.

    Example:
      >>> import numpy as np
      >>> from fungrad import lax
      >>> u, h, _, converged = lax.linalg.qdwh(np.float32([[0, -2], [3, 0]]))
      >>> u.round(4) + 0.0, h.round(4) + 0.0, bool(converged)
      (Array([[ 0., -1.],
             [ 1.,  0.]], dtype=float32), Array([[3., 0.],
             [0., 2.]], dtype=float32), True)
    """
    api = "fungrad.lax.linalg.qdwh"
    x = matrix_operand(api, x)
    if x.aval.ndim != 2 or x.aval.shape[0] < x.aval.shape[1]:
        raise ValueError(f"{api}: x must be one matrix with at least as many rows as columns, got {x.aval.str_short()}")
    if dynamic_shape is not None and tuple(dynamic_shape) != x.aval.shape:
        raise NotImplementedError(f"{api}: dynamic_shape must be None or the shape of x, got {dynamic_shape}")
    most = 10 if max_iterations is None else operator.index(max_iterations)
    m, n = x.aval.shape
    real = real_dtype(x.aval.dtype)
    unit = float(np.finfo(real).eps)
    eps = unit if eps is None else float(eps)
    tolerance = (4 * eps) ** (1 / 3)

    def norm(a: Any) -> Any:
        return sqrt(reduce_sum(_squares(a), (0, 1)))

    sizes = sqrt(_squares(x))
    # The product of the norms of columns and of rows bounds the square of the largest singular value.
    bound = sqrt(mul(reduce_max(reduce_sum(sizes, (0,)), (0,)), reduce_max(reduce_sum(sizes, (1,)), (0,))))
    bound = select(bound > 0, bound, bound * 0 + 1)
    identity = identity_like(x, n)

    def step(carry: Any) -> Any:
        u, least, k, _ = carry
        # Weights by which the smallest singular value, at least `least`, grows most.
        square = mul(least, least)
        d = (4 * (1 - square) / mul(square, square)) ** (1 / 3)
        root = sqrt(1 + d)
        a = add(root, 0.5 * sqrt(max(8 - 4 * d + 8 * (2 - square) / mul(square, root), d * 0)))
        b = (a - 1) ** 2 / 4
        c = a + b - 1
        ratio = div(b, c)
        weight = sub(a, ratio) / sqrt(c)
        q, _ = qr(concatenate([_scaled(u, sqrt(c)), identity], 0), full_matrices=False)
        top, bottom = slice_of(q, (0, 0), (m, n)), slice_of(q, (m, 0), (m + n, n))
        new = add(_scaled(u, ratio), _scaled(mm(top, adjoint(bottom)), weight))
        least = least * (a + b * square) / (1 + c * square)
        # Large singular values hardly change while small ones still grow.
        done = (norm(sub(new, u)) <= tolerance * norm(new)) & (least >= 1 - 10 * unit)
        return new, select(least < 1, least, least * 0 + 1), k + 1, done

    def goes_on(carry: Any) -> Any:
        _, _, k, done = carry
        return (k < most) & ~done

    start: Any = _scaled(x, 1 / bound), bound * 0 + unit, np.zeros((), dtypes.int32), np.zeros((), bool)
    u, _, steps, converged = while_loop(goes_on, step, start)
    # One step of Newton and Schulz makes the columns orthonormal to the last digits.
    u = sub(mul(u, np.asarray(1.5, u.aval.dtype)), _scaled(mm(u, mm(adjoint(u), u)), bound * 0 + 0.5))
    h = mm(adjoint(u), x)
    h = mul(add(h, adjoint(h)), np.asarray(0.5, h.aval.dtype))
    return u, h, steps, converged


def _squares(a: Any) -> Any:
    return real_part(mul(a, a.conj()))


def _scaled(a: Any, factor: Any) -> Any:
    return mul(a, broadcast_in_dim(factor.astype(a.aval.dtype), a.aval.shape, ()))
