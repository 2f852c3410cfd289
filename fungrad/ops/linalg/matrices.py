"""What the primitives of linear algebra share: the base class of their batching, and small functions of matrices.

May import ``core`` and ``ops``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from fungrad.core import dtypes
from fungrad.core.array import Array
from fungrad.core.avals import ShapedArray
from fungrad.core.context import AxisData
from fungrad.core.dimensions import min_size
from fungrad.core.primitive import Primitive
from fungrad.ops._operands import kind_of, lift, scalar_like
from fungrad.ops.compare import ge, gt, le, lt, select
from fungrad.ops.complex_parts import conj, real
from fungrad.ops.dot import dot_general
from fungrad.ops.elementwise import div, mul
from fungrad.ops.foundation import batch_to, broadcast_in_dim, reduce_sum, transpose, zeros
from fungrad.ops.joining import concatenate
from fungrad.ops.shape import broadcasted_iota, pad, slice_in_dim

# What LAPACK computes with.
DTYPES = ("float32", "float64", "complex64", "complex128")


class MatrixPrimitive(Primitive):
    """An operation on the last dimensions of operands that agree in those before: a batch is one more of these."""

    multiple_results = True
    quiet = True

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any], **params: Any) -> tuple[Any, Any]:
        """Raises; a factorisation that has a derivative defines it."""
        raise NotImplementedError(
            f"fungrad.lax.linalg.{self.name}: there is no derivative; qr, eigh, svd, cholesky and lu have one, and "
            "fungrad.lax.stop_gradient says that none is wanted"
        )

    jvp.raises = True  # type: ignore[attr-defined]

    def batch(self, axis: AxisData, args: Sequence[Any], dims: Sequence[Any], **params: Any) -> tuple[Any, Any]:
        moved = [batch_to(x, d, 0, axis) for x, d in zip(args, dims, strict=True)]
        out = self.bind(*moved, **params)
        return out, [0] * len(out) if self.multiple_results else 0


def real_dtype(dtype: np.dtype) -> np.dtype:
    """The dtype of the parts of a number."""
    return np.zeros((), dtype).real.dtype


def matrix_operand(api: str, x: Any, name: str = "x", square: bool = False) -> Array:
    """A matrix argument (or batch of matrices) of a dtype that LAPACK has.

    Raises:
      TypeError: the dtype is none of float32, float64, complex64, complex128.
      ValueError: it has fewer than two dimensions, or is to be square and is not.
    """
    x = lift(x, f"{api}: {name}")
    if x.aval.dtype.name not in DTYPES:
        raise TypeError(
            f"{api}: {name} must be of dtype float32, float64, complex64 or complex128, got {x.aval.str_short()}; "
            "convert it with .astype"
        )
    if x.aval.ndim < 2:
        raise ValueError(f"{api}: {name} must have at least two dimensions, got {x.aval.str_short()}")
    if square and x.aval.shape[-1] != x.aval.shape[-2]:
        raise ValueError(f"{api}: {name} must be square in its last two dimensions, got {x.aval.str_short()}")
    return x


# -- on ndarrays -------------------------------------------------------------------------------------------------------


def each(*stacks: np.ndarray, core: int = 2) -> Iterator[tuple[np.ndarray, ...]]:
    """The matrices of stacks with equal batch dimensions, one tuple after the other."""
    flat = [x.reshape((-1 if x.size else _count(x, core), *x.shape[x.ndim - core :])) for x in stacks]
    return zip(*flat, strict=True)


def _count(x: np.ndarray, core: int) -> int:
    out = 1
    for n in x.shape[: x.ndim - core]:
        out *= n
    return out


def failing_as_nan(compute: Callable[[np.ndarray], Sequence[np.ndarray]], x: np.ndarray) -> list[np.ndarray]:
    """The results of a NumPy function of stacked matrices; NaN for the matrices for which it fails.

    Args:
      compute: raises ``np.linalg.LinAlgError`` if it fails for any matrix of the stack.
      x: the stack; a matrix with infinities or NaN fails.
    """
    if np.isfinite(x).all():
        try:
            return list(compute(x))
        except np.linalg.LinAlgError:
            pass
    model = compute(np.broadcast_to(np.eye(*x.shape[-2:], dtype=x.dtype), x.shape))
    out = [np.full(y.shape, np.nan, y.dtype) for y in model]
    ranks = [y.ndim - (x.ndim - 2) for y in model]
    targets = [y.reshape((-1, *y.shape[y.ndim - r :])) for y, r in zip(out, ranks, strict=True)]
    for k, (matrix,) in enumerate(each(x)):
        if not np.isfinite(matrix).all():
            continue
        try:
            found = compute(matrix)
        except np.linalg.LinAlgError:
            continue
        for target, value in zip(targets, found, strict=True):
            target[k] = value
    return out


# -- on arrays and tracers ---------------------------------------------------------------------------------------------


def mm(a: Any, b: Any) -> Any:
    """The products of matrices with equal batch dimensions."""
    batch = tuple(range(a.aval.ndim - 2))
    n = len(batch)
    return dot_general(a, b, (((n + 1,), (n,)), (batch, batch)))


# Rows of triangular matrices from which on their products leave out most of what is multiplied by zeros.
_HALVED = 256


def lower_product(a: Any, b: Any) -> Any:
    """The products of lower triangular matrices. Half of the terms, or less, are computed where the matrices are large:
    products of quarters, of which one is zero. The other triangles must hold zeros."""
    n = a.aval.shape[-1]
    if n < _HALVED:
        return mm(a, b)
    half, last = n // 2, a.aval.ndim - 1
    first, rest = (0, half), (half, n)

    def part(x: Any, rows: tuple[int, int], columns: tuple[int, int]) -> Any:
        return slice_in_dim(slice_in_dim(x, *rows, axis=last - 1), *columns, axis=last)

    top = lower_product(part(a, first, first), part(b, first, first))
    left = mm(part(a, rest, (0, n)), part(b, (0, n), first))
    right = lower_product(part(a, rest, rest), part(b, rest, rest))
    top = pad(top, scalar_like(0, top), [(0, 0, 0)] * last + [(0, n - half, 0)])
    return concatenate([top, concatenate([left, right], last)], last - 1)


def upper_product(a: Any, b: Any) -> Any:
    """The products of upper triangular matrices."""
    return transposed(lower_product(transposed(b), transposed(a)))


def transposed(a: Any) -> Any:
    """The last two dimensions exchanged."""
    n = a.aval.ndim
    return transpose(a, (*range(n - 2), n - 1, n - 2))


def adjoint(a: Any) -> Any:
    """The conjugate transpose."""
    a = transposed(a)
    return conj(a) if kind_of(a.aval.dtype) == "c" else a


def conjugate(a: Any) -> Any:
    """The complex conjugate; a real array is its own."""
    return conj(a) if kind_of(a.aval.dtype) == "c" else a


def real_part(a: Any) -> Any:
    """The real part; a real array is its own."""
    return real(a) if kind_of(a.aval.dtype) == "c" else a


def _positions(shape: Sequence[int]) -> tuple[Any, Any]:
    n = len(shape)
    return tuple([broadcasted_iota(dtypes.int32, shape, d) for d in (n - 2, n - 1)])  # type: ignore[return-value]


def lower_triangle(a: Any, k: int = 0) -> Any:
    """``a`` where column - row <= k, else 0."""
    rows, columns = _positions(a.aval.shape)
    return masked(le(columns, rows + k) if k else le(columns, rows), a)


def upper_triangle(a: Any, k: int = 0) -> Any:
    """``a`` where column - row >= k, else 0."""
    rows, columns = _positions(a.aval.shape)
    return masked(ge(columns, rows + k) if k else ge(columns, rows), a)


def off_diagonal(a: Any) -> Any:
    """``a`` with zeros on the diagonal."""
    rows, columns = _positions(a.aval.shape)
    return masked(lt(rows, columns) | gt(rows, columns), a)


def masked(condition: Any, a: Any) -> Any:
    """``a`` where a condition holds, else 0."""
    return select(condition, a, zeros(a.aval.update(weak_type=False)))


def diagonal_of(a: Any) -> Any:
    """The main diagonals of (batches of) matrices, of square or other shape."""
    shape = a.aval.shape
    k = min_size(*shape[-2:])
    rows, columns = _positions(shape)
    n = len(shape)
    picked = masked(le(rows, columns) & ge(rows, columns), a)
    along = n - 1 if shape[-2] == k else n - 2
    return reduce_sum(picked, (along,))


def as_diagonal(d: Any) -> Any:
    """Square matrices with ``d`` on their diagonals."""
    k = d.aval.shape[-1]
    rows, columns = _positions((*d.aval.shape, k))
    n = d.aval.ndim
    spread = broadcast_in_dim(d, (*d.aval.shape, k), tuple(range(n)))
    return masked(le(rows, columns) & ge(rows, columns), spread)


def scale_columns(a: Any, d: Any) -> Any:
    """``a @ diag(d)``."""
    n = a.aval.ndim
    return mul(a, broadcast_in_dim(d, a.aval.shape, (*range(n - 2), n - 1)))


def scale_rows(d: Any, a: Any) -> Any:
    """``diag(d) @ a``."""
    n = a.aval.ndim
    return mul(broadcast_in_dim(d, a.aval.shape, tuple(range(n - 1))), a)


def inverse_where(condition: Any, a: Any) -> Any:
    """``1 / a`` where a condition holds, else 0; safe to differentiate."""
    one = scalar_like(1, a)
    ones = broadcast_in_dim(one, a.aval.shape, ())
    return masked(condition, div(ones, select(condition, a, ones)))


def identity_like(a: Any, n: int) -> Any:
    """Identity matrices of size ``n`` in the batch and dtype of ``a``."""
    one = scalar_like(1, a)
    return as_diagonal(broadcast_in_dim(one, (*a.aval.shape[:-2], n), ()))


def with_dtype(x: ShapedArray, shape: Sequence[int], dtype: Any = None) -> ShapedArray:
    """The type of a result: another shape, and maybe dtype, never weak."""
    return ShapedArray(tuple(shape), dtype or x.dtype)
