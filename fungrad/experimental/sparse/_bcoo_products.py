"""Products of ``BCOO`` arrays: element by element, and over dimensions."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

import fungrad.numpy as jnp
from fungrad import lax
from fungrad.core.array import Array, as_array
from fungrad.experimental.sparse._base import elements, in_bounds, is_sparse, over_batch, taken
from fungrad.experimental.sparse._bcoo_layout import bcoo_update_layout
from fungrad.experimental.sparse._coordinates import Coordinates, Coords, flags


def bcoo_multiply_dense(sp_mat: Coords, v: Any) -> Array:
    """Elementwise product of a sparse and a dense array, which is broadcast to it: the ``data`` of the product, whose
    indices are those of the sparse array. ``sp_mat * v`` is the product itself.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad.experimental import sparse
      >>> m = sparse.BCOO.fromdense(jnp.array([[1.0, 0.0, 2.0], [0.0, 3.0, 0.0]]))
      >>> print(sparse.bcoo_multiply_dense(m, jnp.array([1.0, 2.0, 3.0])))
      [1. 6. 6.]
    """
    return multiplied(sp_mat, v).data


def multiplied(sp_mat: Coords, v: Any) -> Coords:
    """The elementwise product of a sparse and a dense array, which is broadcast to it."""
    x = as_array(v, "fungrad.experimental.sparse.bcoo_multiply_dense: v")
    if np.broadcast_shapes(sp_mat.shape, x.shape) != sp_mat.shape:
        raise NotImplementedError(
            f"fungrad.experimental.sparse.bcoo_multiply_dense: v must be broadcast to the sparse array of shape "
            f"{sp_mat.shape}, got {x.shape}; broadcast that with bcoo_broadcast_in_dim first"
        )
    x = x.reshape((1,) * (sp_mat.ndim - x.ndim) + x.shape)  # type: ignore[attr-defined]
    n, k = sp_mat.n_batch, sp_mat.n_sparse

    def one(data: Any, indices: Any, dense: Any) -> Any:
        # A dimension of size 1 has position 0 for all, padding included.
        rows = [jnp.zeros_like(indices[:, d]) if dense.shape[d] == 1 else indices[:, d] for d in range(k)]
        taken = elements(dense, tuple(rows)) if k else jnp.expand_dims(dense, 0)
        return data * taken

    return sp_mat.with_(over_batch(one, n, sp_mat.data, sp_mat.indices, x), **flags(sp_mat))


def bcoo_multiply_sparse(lhs: Coords, rhs: Coords) -> Coords:
    """Elementwise product of sparse arrays of one shape.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad.experimental import sparse
      >>> m = sparse.BCOO.fromdense(jnp.array([[1.0, 0.0, 2.0], [0.0, 3.0, 0.0]]))
      >>> print(sparse.bcoo_multiply_sparse(m, m).todense())
      [[1. 0. 4.]
       [0. 9. 0.]]
    """
    if lhs.shape != rhs.shape or (lhs.n_batch, lhs.n_dense) != (rhs.n_batch, rhs.n_dense):
        raise NotImplementedError(
            "fungrad.experimental.sparse.bcoo_multiply_sparse: arrays must have one shape and layout, got "
            f"{lhs!r} and {rhs!r}; change one with bcoo_broadcast_in_dim or bcoo_update_layout"
        )

    def one(a: Any, i: Any, b: Any, j: Any) -> Any:
        same = (i[:, None] == j[None]).all(-1) & in_bounds(i, lhs._sparse_shape)[:, None]
        return a * jnp.tensordot(same.astype(b.dtype), b, 1)

    data = over_batch(one, lhs.n_batch, lhs.data, lhs.indices, rhs.data, rhs.indices)
    return lhs.with_(data, **flags(lhs))


def bcoo_dot_general(
    lhs: Any,
    rhs: Any,
    *,
    dimension_numbers: Any,
    precision: Any = None,
    preferred_element_type: Any = None,
    out_sharding: Any = None,
) -> Any:
    """Product over dimensions, as ``lax.dot_general``, of which one operand at least is sparse.

    Args:
      lhs: array.
      rhs: array.
      dimension_numbers: ``((lhs_contract, rhs_contract), (lhs_batch, rhs_batch))``.
      precision: ignored.
      preferred_element_type: dtype of the result.
      out_sharding: ignored.

    Returns:
      A dense array; a sparse one if both operands are.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad.experimental import sparse
      >>> m = sparse.BCOO.fromdense(jnp.array([[1.0, 0.0, 2.0], [0.0, 3.0, 0.0]]))
      >>> print(sparse.bcoo_dot_general(m, jnp.ones(3), dimension_numbers=(([1], [0]), ([], []))))
      [3. 3.]
    """
    (lc, rc), (lb, rb) = dimension_numbers
    lc, rc, lb, rb = (tuple(map(operator.index, d)) for d in (lc, rc, lb, rb))
    if is_sparse(lhs) and is_sparse(rhs):
        return _spdot(lhs, rhs, lc, rc, lb, rb)
    if is_sparse(rhs):
        out = _dot(rhs, as_array(lhs), rc, lc, rb, lb)
        n, k = len(rb), rhs.ndim - len(rc) - len(rb)
        order = [*range(n), *range(n + k, out.ndim), *range(n, n + k)]
        out = jnp.transpose(out, order)
    else:
        out = _dot(lhs, as_array(rhs), lc, rc, lb, rb)
    return out if preferred_element_type is None else out.astype(preferred_element_type)


def _dot(lhs: Coordinates, rhs: Any, lc: tuple, rc: tuple, lb: tuple, rb: tuple) -> Any:
    """``dot_general`` of a sparse and a dense array."""
    for a, b in zip((*lc, *lb), (*rc, *rb), strict=True):
        if lhs.shape[a] != rhs.shape[b]:
            raise TypeError(
                "fungrad.experimental.sparse.bcoo_dot_general: contracted and batch dimensions must have equal sizes, "
                f"got {lhs.shape} and {rhs.shape} with {((lc, rc), (lb, rb))}"
            )
    if lhs.n_dense or any(d >= lhs.n_batch for d in lb) or set(range(lhs.n_batch)) != set(lb):
        if lhs.n_dense == 0 and not lb:
            lhs = bcoo_update_layout(lhs, n_batch=0)
        else:
            return lax.dot_general(lhs.todense(), rhs, ((lc, rc), (lb, rb)))
    n = lhs.n_batch
    dtype = jnp.result_type(lhs.data.dtype, rhs.dtype)
    # Batch dimensions in the order in which they are asked for, contracted ones first in the dense operand.
    rest = [d for d in range(rhs.ndim) if d not in rc and d not in rb]
    pairs = dict(zip(lb, rb, strict=True))
    dense = jnp.transpose(rhs, [pairs[d] for d in range(n)] + list(rc) + rest).astype(dtype)
    contracted = [d - n for d in lc]
    free = [d for d in range(lhs.n_sparse) if d not in contracted]
    free_shape = tuple([lhs._sparse_shape[d] for d in free])
    rest_shape = tuple([rhs.shape[d] for d in rest])

    def one(data: Any, indices: Any, dense: Any) -> Any:
        rows = dense
        if contracted:
            rows = elements(dense, tuple([indices[:, d] for d in contracted]))
        else:
            rows = jnp.broadcast_to(dense, (data.shape[0], *dense.shape))
        terms = jnp.expand_dims(data.astype(dtype), tuple(range(1, 1 + len(rest_shape)))) * rows
        if not free:
            inside = in_bounds(indices, lhs._sparse_shape)
            return jnp.where(jnp.expand_dims(inside, tuple(range(1, terms.ndim))), terms, 0).sum(0).astype(dtype)
        out = jnp.zeros((*free_shape, *rest_shape), dtype)
        return out.at[tuple([indices[:, d] for d in free])].add(terms, mode="drop")

    out = over_batch(one, n, lhs.data, lhs.indices, dense)
    return jnp.transpose(out, [*lb, *range(n, out.ndim)]) if n else out


def _spdot(lhs: Coords, rhs: Coords, lc: tuple, rc: tuple, lb: tuple, rb: tuple) -> Coords:
    """``dot_general`` of sparse arrays: every pair of elements that meets."""
    if lb or rb or lhs.n_dense or rhs.n_dense:
        raise NotImplementedError(
            "fungrad.experimental.sparse.bcoo_dot_general: products of two sparse arrays with batch or dense "
            "dimensions "
            "are not supported; convert one of them with todense()"
        )
    lhs, rhs = bcoo_update_layout(lhs, n_batch=0), bcoo_update_layout(rhs, n_batch=0)
    i, j = lhs.indices, rhs.indices
    lf = [d for d in range(lhs.ndim) if d not in lc]
    rf = [d for d in range(rhs.ndim) if d not in rc]
    meets = jnp.ones((lhs.nse, rhs.nse), bool)
    for a, b in zip(lc, rc, strict=True):
        meets = meets & (i[:, None, a] == j[None, :, b])
    meets = meets & in_bounds(i, lhs.shape)[:, None] & in_bounds(j, rhs.shape)[None]
    shape = tuple([lhs.shape[d] for d in lf] + [rhs.shape[d] for d in rf])
    data = jnp.where(meets, lhs.data[:, None] * rhs.data[None], 0).reshape(-1)
    pairs = (lhs.nse, rhs.nse)
    left = jnp.broadcast_to(i[:, None, jnp.array(lf, int)], (*pairs, len(lf)))
    right = jnp.broadcast_to(j[None, :, jnp.array(rf, int)], (*pairs, len(rf)))
    indices = jnp.concatenate([left, right], -1).reshape(-1, len(shape))
    indices = jnp.where(meets.reshape(-1, 1), indices, jnp.array(shape, indices.dtype))
    return lhs.with_(data, indices, shape)


def bcoo_dot_general_sampled(A: Any, B: Any, indices: Any, *, dimension_numbers: Any) -> Array:
    """Elements of ``lax.dot_general(A, B)`` at index vectors."""
    n = as_array(indices).ndim - 2
    return over_batch(taken, n, lax.dot_general(A, B, dimension_numbers), as_array(indices))  # type: ignore[no-any-return]
