"""Products of vectors, matrices and tensors, all through ``dot_general``.

May import ``core``, ``ops``, ``numpy._promotion`` and the modules of ``numpy`` before it.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from fungrad.core.array import Array
from fungrad.core.context import Tracer
from fungrad.core.dimensions import is_symbolic_shape
from fungrad.errors import IncompatibleShapesError
from fungrad.numpy import creation, reductions, ufuncs
from fungrad.numpy._promotion import broadcast_shapes, cast, operand, promote_dtypes, raw_operand, requested_dtype
from fungrad.numpy.manipulation import axes_tuple, broadcast_arrays, moveaxis, no_out, ravel
from fungrad.numpy.selection import where
from fungrad.ops import foundation, joining, shape as shape_ops
from fungrad.ops.dot import dot_general, dot_general_p
from fungrad.ops.resharding import at_sharding
from fungrad.ops.shape import canonical_axis

Dims = tuple[int, ...]
Groups = tuple[tuple[Dims, Dims], tuple[Dims, Dims]]


_MATRICES: Groups = (((1,), (0,)), ((), ()))


def contract(
    api: str,
    x: Array,
    y: Array,
    dimension_numbers: Groups,
    precision: Any,
    preferred_element_type: Any,
    weak: bool | None = None,
) -> Array:
    """``dot_general`` of two operands of one dtype; booleans give whether any product is true.

    The result is weak if both operands are.
    """
    dtype = x.aval.dtype
    if precision is None and preferred_element_type is None and weak is None and not x.aval.weak_type:
        # The common case, with dimension numbers that are right by construction.
        return dot_general_p.bind(
            x, y, dimension_numbers=dimension_numbers, precision=None, preferred_element_type=dtype
        )
    preferred = requested_dtype(preferred_element_type, api)
    weak = x.aval.weak_type and y.aval.weak_type and preferred is None if weak is None else weak
    accumulated = dtype if preferred is None else preferred
    out = dot_general(x, y, dimension_numbers, precision, accumulated)
    return cast(out, accumulated, weak)


def _pair(api: str, a: Any, b: Any) -> list[Array]:
    if isinstance(a, Array) and isinstance(b, Array) and a.aval.dtype is b.aval.dtype:
        if a.aval.weak_type == b.aval.weak_type:
            return [a, b]
    return promote_dtypes(api, raw_operand(a, api, "a"), raw_operand(b, api, "b"))


def dot(
    a: Any, b: Any, *, precision: Any = None, preferred_element_type: Any = None, out_sharding: Any = None
) -> Array:
    """Product over the last axis of ``a`` and the second last axis of ``b`` (its only one, for a vector).

    Args:
      a: array.
      b: array; a scalar operand multiplies.
      precision: accepted for compatibility.
      preferred_element_type: dtype in which products are added, and of the result.

    Raises:
      TypeError: the sizes of the contracted axes differ.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.dot(jnp.array([[1, 2], [3, 4]]), jnp.array([1, 1]))
      Array([3, 7], dtype=int32)
    """
    if out_sharding is not None:
        return at_sharding(
            dot, out_sharding, "fungrad.numpy.dot", a, b, precision=precision,
            preferred_element_type=preferred_element_type
        )
    x, y = _pair("dot", a, b)
    nx, ny = x.aval.ndim, y.aval.ndim
    if not nx or not ny:
        inner: tuple[Any, Any] = ((), ())
    else:
        inner = ((nx - 1,), (max(ny - 2, 0),))
        if x.aval.shape[inner[0][0]] != y.aval.shape[inner[1][0]]:
            raise _mismatch("dot", x, y, inner[0][0], inner[1][0])
    return contract("dot", x, y, (inner, ((), ())), precision, preferred_element_type)


def _mismatch(api: str, x: Array, y: Array, i: int, j: int) -> IncompatibleShapesError:
    return IncompatibleShapesError(
        f"fungrad.numpy.{api}: the contracted axes must have one size, got {x.aval.shape[i]} (axis {i} of "
        f"{x.aval.str_short()}) and {y.aval.shape[j]} (axis {j} of {y.aval.str_short()})"
    )


def matmul(
    a: Any, b: Any, *, precision: Any = None, preferred_element_type: Any = None, out_sharding: Any = None
) -> Array:
    """Matrix product over the last two axes; leading axes broadcast. A vector is a row on the left, a column on the
    right.

    Args:
      a: array of at least one dimension.
      b: array of at least one dimension.
      precision: accepted for compatibility.
      preferred_element_type: dtype in which products are added, and of the result.

    Raises:
      ValueError: an operand is a scalar, or leading axes do not broadcast.
      TypeError: the inner sizes differ.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.matmul(jnp.ones((5, 2, 3)), jnp.ones((3, 4))).shape
      (5, 2, 4)
    """
    if out_sharding is not None:
        return at_sharding(
            matmul, out_sharding, "fungrad.numpy.matmul", a, b, precision=precision,
            preferred_element_type=preferred_element_type
        )
    x, y = _pair("matmul", a, b)
    ax, ay = x.aval, y.aval
    if ax.ndim == ay.ndim == 2 and ax.shape[1] == ay.shape[0] and precision is None and preferred_element_type is None:
        if not ax.weak_type:
            # The commonest case.
            return dot_general_p.bind(
                x, y, dimension_numbers=_MATRICES, precision=None, preferred_element_type=ax.dtype
            )
    for name, v in (("a", x), ("b", y)):
        if not v.aval.ndim:
            raise ValueError(
                f"fungrad.numpy.matmul: {name} must have at least one dimension, got a scalar; use multiply"
            )
    nx, ny = x.aval.ndim, y.aval.ndim
    row, column = nx == 1, ny == 1
    i, j = nx - 1, max(ny - 2, 0)
    if x.aval.shape[i] != y.aval.shape[j]:
        raise _mismatch("matmul", x, y, i, j)
    lead_x, lead_y = x.aval.shape[:-2], y.aval.shape[:-2]
    if not lead_x or not lead_y:
        # No batch: free axes of b that come before its column axis move to the front of the result.
        out = contract("matmul", x, y, (((i,), (j,)), ((), ())), precision, preferred_element_type)
        if not lead_y:
            return out
        return out if row else moveaxis(out, 0, -1 if column else -2)
    return _batched_matmul(x, y, broadcast_shapes(lead_x, lead_y), precision, preferred_element_type)


def _batched_matmul(x: Array, y: Array, lead: tuple[int, ...], precision: Any, preferred: Any) -> Array:
    """Product of two stacks of matrices: axes of size 1 on one side are free on the other, the rest run together."""
    weak = x.aval.weak_type and y.aval.weak_type and preferred is None
    rank = len(lead)
    sx = (1,) * (rank + 2 - x.aval.ndim) + x.aval.shape
    sy = (1,) * (rank + 2 - y.aval.ndim) + y.aval.shape
    both = [d for d in range(rank) if sx[d] == sy[d] and sx[d] != 1]
    only_x = [d for d in range(rank) if sy[d] == 1 and sx[d] != 1]
    only_y = [d for d in range(rank) if sx[d] == 1 and sy[d] != 1]
    x = foundation.reshape(x, tuple(sx[d] for d in range(rank) if d in both or d in only_x) + sx[-2:])
    y = foundation.reshape(y, tuple(sy[d] for d in range(rank) if d in both or d in only_y) + sy[-2:])
    kept_x = [d for d in range(rank) if d in both or d in only_x]
    kept_y = [d for d in range(rank) if d in both or d in only_y]
    batch = (tuple([kept_x.index(d) for d in both]), tuple([kept_y.index(d) for d in both]))
    inner = ((len(kept_x) + 1,), (len(kept_y),))
    out = contract("matmul", x, y, (inner, batch), precision, preferred, weak)
    # Now: both, only_x, rows, only_y, columns.
    names: list[Any] = [*both, *only_x, "row", *only_y, "column"]
    wanted: list[Any] = sorted([*both, *only_x, *only_y]) + ["row", "column"]
    out = foundation.transpose(out, [names.index(n) for n in wanted])
    return foundation.reshape(out, lead + (sx[-2], sy[-1]))


def vdot(a: Any, b: Any, *, precision: Any = None, preferred_element_type: Any = None) -> Array:
    """Inner product of the flattened operands, the first conjugated.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.vdot(jnp.array([1j, 2.0]), jnp.array([1j, 3.0]))
      Array(7.+0.j, dtype=complex64)
    """
    x = ufuncs.conjugate(ravel(operand(a, "vdot", "a")))
    return dot(x, ravel(operand(b, "vdot", "b")), precision=precision, preferred_element_type=preferred_element_type)


def vecdot(x1: Any, x2: Any, /, *, axis: int = -1, precision: Any = None, preferred_element_type: Any = None) -> Array:
    """Inner product of vectors along an axis, the first conjugated; the other axes broadcast.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.vecdot(jnp.ones((4, 3)), jnp.arange(3.0))
      Array([3., 3., 3., 3.], dtype=float32)
    """
    x, y = _pair("vecdot", x1, x2)
    if not x.aval.ndim or not y.aval.ndim:
        raise ValueError("fungrad.numpy.vecdot: operands must have at least one dimension")
    x, y = moveaxis(x, axis, -1), moveaxis(y, axis, -1)
    if x.aval.shape[-1] != y.aval.shape[-1]:
        raise IncompatibleShapesError(
            f"fungrad.numpy.vecdot: axis {axis} must have one size, got {x.aval.shape[-1]} and {y.aval.shape[-1]}"
        )
    row, column = shape_ops.expand_dims(ufuncs.conjugate(x), (-2,)), shape_ops.expand_dims(y, (-1,))
    out = matmul(row, column, precision=precision, preferred_element_type=preferred_element_type)
    return shape_ops.squeeze(out, (-2, -1))


def matvec(x1: Any, x2: Any, /) -> Array:
    """Product of matrices and vectors; leading axes broadcast.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.matvec(jnp.array([[1, 2], [3, 4]]), jnp.array([1, 1]))
      Array([3, 7], dtype=int32)
    """
    return _checked_squeeze("matvec", x1, 2, x2, 1, lambda x, y: (x, shape_ops.expand_dims(y, (-1,))), -1)


def vecmat(x1: Any, x2: Any, /) -> Array:
    """Product of vectors, conjugated, and matrices; leading axes broadcast.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.vecmat(jnp.array([1, 1]), jnp.array([[1, 2], [3, 4]]))
      Array([4, 6], dtype=int32)
    """
    return _checked_squeeze(
        "vecmat", x1, 1, x2, 2, lambda x, y: (shape_ops.expand_dims(ufuncs.conjugate(x), (-2,)), y), -2
    )


def _checked_squeeze(api: str, a: Any, rank_a: int, b: Any, rank_b: int, widen: Any, axis: int) -> Array:
    x, y = operand(a, api, "x1"), operand(b, api, "x2")
    for name, v, rank in (("x1", x, rank_a), ("x2", y, rank_b)):
        if v.aval.ndim < rank:
            raise ValueError(
                f"fungrad.numpy.{api}: {name} must have at least {rank} dimensions, got {v.aval.str_short()}"
            )
    return shape_ops.squeeze(matmul(*widen(x, y)), (axis,))


def inner(a: Any, b: Any, *, precision: Any = None, preferred_element_type: Any = None) -> Array:
    """Product over the last axes of both operands.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.inner(jnp.array([1, 2]), jnp.array([3, 4]))
      Array(11, dtype=int32)
    """
    x, y = _pair("inner", a, b)
    if not x.aval.ndim or not y.aval.ndim:
        return dot(x, y, precision=precision, preferred_element_type=preferred_element_type)
    i, j = x.aval.ndim - 1, y.aval.ndim - 1
    if x.aval.shape[i] != y.aval.shape[j]:
        raise _mismatch("inner", x, y, i, j)
    return contract("inner", x, y, (((i,), (j,)), ((), ())), precision, preferred_element_type)


def outer(a: Any, b: Any, out: None = None) -> Array:
    """All products of the elements of two flattened operands.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.outer(jnp.array([1, 2]), jnp.array([3, 4]))
      Array([[3, 4],
             [6, 8]], dtype=int32)
    """
    no_out("outer", out)
    x, y = _pair("outer", a, b)
    return ufuncs.multiply(shape_ops.expand_dims(ravel(x), (1,)), shape_ops.expand_dims(ravel(y), (0,)))


def tensordot(
    a: Any,
    b: Any,
    axes: Any = 2,
    *,
    precision: Any = None,
    preferred_element_type: Any = None,
    out_sharding: Any = None,
) -> Array:
    """Product over several axes.

    Args:
      a: array.
      b: array.
      axes: number of axes, the last of ``a`` and the first of ``b``, or a pair of sequences of axes.
      precision: accepted for compatibility.
      preferred_element_type: dtype in which products are added, and of the result.

    Returns:
      Array with the free axes of ``a``, then those of ``b``.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.tensordot(jnp.ones((2, 3, 4)), jnp.ones((4, 3, 5)), axes=([1, 2], [1, 0])).shape
      (2, 5)
    """
    if out_sharding is not None:
        return at_sharding(
            tensordot, out_sharding, "fungrad.numpy.tensordot", a, b, axes, precision=precision,
            preferred_element_type=preferred_element_type
        )
    x, y = _pair("tensordot", a, b)
    nx, ny = x.aval.ndim, y.aval.ndim
    if np.ndim(axes) == 0:
        count = operator.index(axes)
        if not 0 <= count <= min(nx, ny):
            raise TypeError(
                f"fungrad.numpy.tensordot: axes={count} is more than the dimensions of {x.aval.str_short()} or "
                f"{y.aval.str_short()}"
            )
        of_x, of_y = tuple(range(nx - count, nx)), tuple(range(count))
    else:
        if len(axes) != 2:
            raise TypeError(f"fungrad.numpy.tensordot: axes must be a number or a pair of sequences, got {axes!r}")
        of_x = axes_tuple("tensordot", _listed(axes[0]), nx)
        of_y = axes_tuple("tensordot", _listed(axes[1]), ny)
        if len(of_x) != len(of_y):
            raise TypeError(f"fungrad.numpy.tensordot: axes must name as many axes of a as of b, got {axes!r}")
    for i, j in zip(of_x, of_y, strict=True):
        if x.aval.shape[i] != y.aval.shape[j]:
            raise _mismatch("tensordot", x, y, i, j)
    return contract("tensordot", x, y, ((of_x, of_y), ((), ())), precision, preferred_element_type)


def _listed(axes: Any) -> Any:
    return axes if np.ndim(axes) == 0 else tuple(np.asarray(axes).tolist())


def kron(a: Any, b: Any) -> Array:
    """Kronecker product: each element of ``a`` times the whole of ``b``.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.kron(jnp.array([1, 2]), jnp.array([1, 1]))
      Array([1, 1, 2, 2], dtype=int32)
    """
    x, y = _pair("kron", a, b)
    rank = max(x.aval.ndim, y.aval.ndim)
    x, y = shape_ops.broadcast_to_rank(x, rank), shape_ops.broadcast_to_rank(y, rank)
    shape = tuple(m * n for m, n in zip(x.aval.shape, y.aval.shape, strict=True))
    x = shape_ops.expand_dims(x, range(1, 2 * rank, 2))
    y = shape_ops.expand_dims(y, range(0, 2 * rank, 2))
    return foundation.reshape(ufuncs.multiply(x, y), shape)


def cross(a: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None) -> Array:
    """Cross product of vectors of two or three components; of two of two components, its third component.

    Args:
      a: array.
      b: array.
      axisa: axis of ``a`` that holds the components.
      axisb: axis of ``b`` that holds the components.
      axisc: axis of the result that holds the components.
      axis: all three axes.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.cross(jnp.array([1, 0, 0]), jnp.array([0, 1, 0]))
      Array([0, 0, 1], dtype=int32)
    """
    if axis is not None:
        axisa = axisb = axisc = axis
    x, y = _pair("cross", a, b)
    x, y = moveaxis(x, axisa, -1), moveaxis(y, axisb, -1)
    if x.aval.shape[-1] not in (2, 3) or y.aval.shape[-1] not in (2, 3):
        raise ValueError(
            f"fungrad.numpy.cross: vectors must have 2 or 3 components, got {x.aval.shape[-1]} and {y.aval.shape[-1]}"
        )
    xs, ys = _components(x), _components(y)
    if len(xs) == len(ys) == 2:
        return ufuncs.subtract(ufuncs.multiply(xs[0], ys[1]), ufuncs.multiply(xs[1], ys[0]))
    x0, x1, x2 = (*xs, None)[:3]
    y0, y1, y2 = (*ys, None)[:3]
    out = [_difference(x1, y2, x2, y1), _difference(x2, y0, x0, y2), _difference(x0, y1, x1, y0)]
    return moveaxis(joining.stack(broadcast_arrays(*promote_dtypes("cross", *out)), -1), -1, axisc)


def _components(x: Array) -> list[Array]:
    n = x.aval.ndim - 1
    return [shape_ops.index_in_dim(x, i, n, keepdims=False) for i in range(x.aval.shape[-1])]


def _difference(p: Array | None, q: Array | None, r: Array | None, s: Array | None) -> Array:
    """``p q - r s``, where a component that does not exist is zero."""
    left = None if p is None or q is None else ufuncs.multiply(p, q)
    right = None if r is None or s is None else ufuncs.multiply(r, s)
    if right is None:
        assert left is not None
        return left
    return ufuncs.negative(right) if left is None else ufuncs.subtract(left, right)


# -- diagonals ---------------------------------------------------------------------------------------------------------


def diagonal(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Array:
    """The diagonal of the planes of two axes, as the last axis of the result.

    Args:
      a: array of at least two dimensions.
      offset: how far right of the main diagonal.
      axis1: axis of rows.
      axis2: axis of columns.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.diagonal(jnp.arange(6).reshape(2, 3), offset=1)
      Array([1, 5], dtype=int32)
    """
    a = operand(a, "diagonal", "a")
    if a.aval.ndim < 2:
        raise ValueError(f"fungrad.numpy.diagonal: a must have at least 2 dimensions, got {a.aval.str_short()}")
    x, length, start = _diagonal_span(a, operator.index(offset), axis1, axis2, "diagonal")
    rows, columns = x.aval.shape[-2:]
    if length <= 0:
        return creation.zeros((*x.aval.shape[:-2], 0), a.aval.dtype)
    # In a row-major matrix the diagonal has the constant stride `columns + 1`.
    flat = foundation.reshape(x, (*x.aval.shape[:-2], rows * columns))
    stop = start + (length - 1) * (columns + 1) + 1
    return shape_ops.slice_in_dim(flat, start, stop, columns + 1, axis=flat.aval.ndim - 1)


def _diagonal_span(a: Array, offset: int, axis1: int, axis2: int, api: str) -> tuple[Array, int, int]:
    """The array with the two axes last, the length of the diagonal and its start in the flattened matrix."""
    x = _planes_last(a, axis1, axis2, api)
    rows, columns = x.aval.shape[-2:]
    if offset >= 0:
        return x, min(rows, columns - offset), offset
    return x, min(rows + offset, columns), -offset * columns


def _planes_last(a: Array, axis1: int, axis2: int, api: str) -> Array:
    """The array with the two axes last."""
    i = canonical_axis(f"fungrad.numpy.{api}", axis1, a.aval.ndim)
    j = canonical_axis(f"fungrad.numpy.{api}", axis2, a.aval.ndim)
    if i == j:
        raise ValueError(f"fungrad.numpy.{api}: axis1 and axis2 must differ, got {axis1} twice")
    return moveaxis(a, (i, j), (-2, -1))


def trace(a: Any, offset: Any = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None, out: None = None) -> Array:
    """Sum of the diagonal of the planes of two axes; see ``diagonal``. The offset may be traced.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.trace(jnp.array([[1, 2], [3, 4]]))
      Array(5, dtype=int32)
    """
    no_out("trace", out)
    a = operand(a, "trace", "a")
    traced = isinstance(offset, Tracer) and not offset.aval.shape and offset.aval.dtype.kind in "iu"
    if not (traced or is_symbolic_shape(a.aval.shape)) or a.aval.ndim < 2:
        return reductions.sum(diagonal(a, offset, axis1, axis2), -1, dtype)
    # How long the diagonal is may not be known.
    x = _planes_last(a, axis1, axis2, "trace")
    rows, columns = x.aval.shape[-2:]
    mask = _eye_mask(rows, columns, cast(offset, np.dtype(np.int32)) if traced else operator.index(offset))
    return reductions.sum(where(mask, x, creation.zeros_like(x, shape=())), (-2, -1), dtype)


def diag(v: Any, k: int = 0) -> Array:
    """The diagonal of a matrix, or the matrix with a vector as its diagonal.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.diag(jnp.array([1, 2]))
      Array([[1, 0],
             [0, 2]], dtype=int32)
    """
    v = operand(v, "diag", "v")
    k = operator.index(k)
    if v.aval.ndim == 2:
        return diagonal(v, k)
    if v.aval.ndim != 1:
        raise ValueError(f"fungrad.numpy.diag: v must have one or two dimensions, got {v.aval.str_short()}")
    n = v.aval.shape[0] + abs(k)
    zero = creation.zeros_like(v, shape=())
    placed = shape_ops.pad(v, zero, [(max(0, k), max(0, -k), 0)])
    return where(_eye_mask(n, n, k), foundation.broadcast(placed, (n, n)), zero)


def _eye_mask(rows: int, columns: int, k: Any) -> Array:
    row = shape_ops.broadcasted_iota(np.int32, (rows, columns), 0)
    column = shape_ops.broadcasted_iota(np.int32, (rows, columns), 1)
    return ufuncs.equal(ufuncs.add(row, k), column)


def diagflat(v: Any, k: int = 0) -> Array:
    """The matrix with the flattened ``v`` as its diagonal.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.diagflat(jnp.array([1, 2]))
      Array([[1, 0],
             [0, 2]], dtype=int32)
    """
    v = diag(ravel(v), k)
    return cast(v, v.aval.dtype)
