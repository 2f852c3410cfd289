"""``tridiagonal_solve``: systems of equations with a tridiagonal matrix.

May import ``core``, ``ops`` and the modules of ``ops.linalg`` up to ``matrices``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fungrad.core.array import Array
from fungrad.core.avals import ShapedArray, Zero
from fungrad.ops._operands import kind_of, lift, scalar_like
from fungrad.ops.elementwise import mul, neg
from fungrad.ops.foundation import add_zeros
from fungrad.ops.linalg import lapack, native
from fungrad.ops.linalg.lapack import in_program, on_arrays
from fungrad.ops.linalg.matrices import MatrixPrimitive, matrix_operand, with_dtype
from fungrad.ops.shape import pad, slice as slice_of


def _part(x: Any, start: int, end: int, axis: int) -> Any:
    starts, ends = [0] * x.aval.ndim, list(x.aval.shape)
    starts[axis], ends[axis] = start, end
    return slice_of(x, starts, ends)


def _shifted(x: Any, by: int, axis: int) -> Any:
    """The elements moved along an axis, zeros coming in."""
    n = x.aval.shape[axis]
    if n == 0:
        return x
    kept = _part(x, max(0, -by), n - max(0, by), axis)
    config = [(0, 0, 0)] * x.aval.ndim
    config[axis] = (max(0, by), max(0, -by), 0)
    return pad(kept, scalar_like(0, x), config)


class TridiagonalSolve(MatrixPrimitive):
    """Linear in the right hand sides."""

    multiple_results = False

    def abstract_eval(
        self, dl: ShapedArray, d: ShapedArray, du: ShapedArray, b: ShapedArray, **params: Any
    ) -> ShapedArray:
        return with_dtype(b, b.shape)

    def impl(
        self, dl: np.ndarray, d: np.ndarray, du: np.ndarray, b: np.ndarray, *, perturb_singular: bool
    ) -> np.ndarray:
        if not b.size:
            return b.copy()
        n, columns = b.shape[-2:]
        dl, d, du = (x.reshape(-1, n) for x in (dl, d, du))
        right = np.ascontiguousarray(np.swapaxes(b.reshape(-1, n, columns), -1, -2))
        if perturb_singular:
            dl, d, du = (np.repeat(x, columns, axis=0) for x in (dl, d, du))
            operands = [d, du[:, :-1], dl[:, 1:], right.reshape(-1, n), np.zeros(len(d), b.dtype)]
            x = on_arrays(lapack.lagts(b.dtype, n), operands)[3].reshape(right.shape)
        else:
            *_, x, status = on_arrays(lapack.gtsv(b.dtype, n, columns), [dl[:, 1:], d, du[:, :-1], right])
            x[status != 0] = np.nan
        return np.swapaxes(x, -1, -2).reshape(b.shape)

    def lower(self, ctx: Any, dl: Any, d: Any, du: Any, b: Any, *, perturb_singular: bool) -> Any:
        if 0 in b.shape:
            return b
        *batch, n, columns = b.shape
        dl, d, du = (native.stacked(ctx, x, 1) for x in (dl, d, du))
        items = d.shape[0]
        below = ctx.slice(dl, (0, 1), (items, n), (1, 1))
        above = ctx.slice(du, (0, 0), (items, n - 1), (1, 1))
        right = native.swapped(ctx, native.stacked(ctx, b))
        if perturb_singular:
            each = [
                ctx.reshape(
                    ctx.broadcast_in_dim(x, (items, columns, x.shape[1]), (0, 2)), (items * columns, x.shape[1])
                )
                for x in (d, above, below)
            ]
            count = items * columns
            operands = [*each, ctx.reshape(right, (count, n)), ctx.constant(0, b.dtype, (count,))]
            x = ctx.reshape(in_program(ctx, lapack.lagts(b.dtype, n), operands)[3], right.shape)
        else:
            *_, x, status = in_program(ctx, lapack.gtsv(b.dtype, n, columns), [below, d, above, right])
            x = native.or_nan(ctx, x, native.succeeded(ctx, status))
        return native.unstacked(ctx, native.swapped(ctx, x), batch)

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any], **params: Any) -> tuple[Any, Any]:
        dl, d, du, b = primals
        x = self.bind(dl, d, du, b, **params)
        tangent: Any = Zero(x.aval.tangent())
        if type(tangents[3]) is not Zero:
            tangent = self.bind(dl, d, du, tangents[3], **params)
        if any(type(t) is not Zero for t in tangents[:3]):
            axis = x.aval.ndim - 2
            moved = (_shifted(x, 1, axis), x, _shifted(x, -1, axis))
            change: Any = Zero(x.aval.tangent())
            for t, v in zip(tangents[:3], moved, strict=True):
                if type(t) is not Zero:
                    change = add_zeros(change, mul(t[..., None], v))
            tangent = add_zeros(tangent, neg(self.bind(dl, d, du, change, **params)))
        return x, tangent

    def transpose(self, ct: Any, dl: Any, d: Any, du: Any, b: Any, **params: Any) -> Sequence[Any]:
        # The transposed matrix has the upper diagonal below, moved by one place.
        axis = d.aval.ndim - 1
        below, above = _shifted(du, 1, axis), _shifted(dl, -1, axis)
        return None, None, None, self.bind(below, d, above, ct, **params)


tridiagonal_solve_p = TridiagonalSolve("tridiagonal_solve")


def tridiagonal_solve(dl: Any, d: Any, du: Any, b: Any, *, perturb_singular: bool = False) -> Array:
    """The solution of ``a @ x = b`` for a tridiagonal matrix ``a``.

    Args:
      dl: ``dl[i] = a[i, i - 1]``, shape ``(..., n)``, of dtype float32, float64, complex64 or complex128; ``dl[0]``
        does not count.
      d: ``d[i] = a[i, i]``, of the same shape and dtype.
      du: ``du[i] = a[i, i + 1]``, of the same shape and dtype; ``du[n - 1]`` does not count.
      b: shape ``(..., n, m)`` with the same batch dimensions and dtype.
      perturb_singular: replace tiny pivots by numbers of the size of rounding errors, so that the solution of a
        singular system is finite; only for real matrices.

    Returns:
      An array of the shape of ``b``; NaN where the matrix is singular.

    Raises:
      TypeError: the dtypes are others, or differ.
      ValueError: the shapes do not match.
      NotImplementedError: ``perturb_singular`` with complex numbers.

    Example:
      >>> import numpy as np
      >>> from fungrad import lax
      >>> ones = np.ones(3, "float32")
      >>> lax.linalg.tridiagonal_solve(ones, 4 * ones, ones, np.float32([[5], [6], [5]])).round(4)
      Array([[1.],
             [1.],
             [1.]], dtype=float32)
    """
    api = "fungrad.lax.linalg.tridiagonal_solve"
    b = matrix_operand(api, b, "b")
    diagonals = [lift(x, f"{api}: {name}") for x, name in ((dl, "dl"), (d, "d"), (du, "du"))]
    for x, name in zip(diagonals, ("dl", "d", "du"), strict=True):
        if x.aval.shape != b.aval.shape[:-1]:
            raise ValueError(
                f"{api}: {name} must be of shape {b.aval.shape[:-1]}, as b is of shape {b.aval.shape}, got "
                f"{x.aval.str_short()}"
            )
        if x.aval.dtype != b.aval.dtype:
            raise TypeError(
                f"{api}: {name} and b must be of one dtype, got {x.aval.str_short()} and {b.aval.str_short()}"
            )
    if perturb_singular and kind_of(b.aval.dtype) == "c":
        raise NotImplementedError(f"{api}: perturb_singular must be False for complex numbers, got True")
    return tridiagonal_solve_p.bind(*diagonals, b, perturb_singular=bool(perturb_singular))  # type: ignore[no-any-return]
