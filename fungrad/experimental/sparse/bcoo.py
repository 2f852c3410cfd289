"""Batched coordinates: ``BCOO``, data and the indices of their positions.

Operations are gathers, scatters and products of data, so they can be compiled, mapped and differentiated by data.
``_coordinates`` has the parts of an array, ``_bcoo_layout``, ``_bcoo_products`` and ``_bcoo_structure`` what is done
with them, and this module the class that makes methods and operators of it.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

import fungrad.numpy as jnp
from fungrad import lax
from fungrad.core.arguments import shown
from fungrad.core.array import Array, as_array
from fungrad.core.public_names import publish
from fungrad.core.source import api_class
from fungrad.core.tree_registration import register_pytree_node_class
from fungrad.experimental.sparse._base import dims_of, in_bounds, is_sparse
from fungrad.experimental.sparse._bcoo_layout import (
    bcoo_eliminate_zeros,
    bcoo_extract,
    bcoo_sort_indices,
    bcoo_sum_duplicates,
    bcoo_todense,
    bcoo_update_layout,
)
from fungrad.experimental.sparse._bcoo_products import (
    bcoo_dot_general,
    bcoo_dot_general_sampled,
    bcoo_multiply_dense,
    bcoo_multiply_sparse,
    multiplied,
)
from fungrad.experimental.sparse._bcoo_structure import (
    bcoo_broadcast_in_dim,
    bcoo_concatenate,
    bcoo_concatenate_entries,
    bcoo_dynamic_slice,
    bcoo_gather,
    bcoo_reduce_sum,
    bcoo_reshape,
    bcoo_rev,
    bcoo_slice,
    bcoo_squeeze,
    bcoo_transpose,
)
from fungrad.experimental.sparse._coordinates import Coordinates, flags


class BCOOProperties(NamedTuple):
    """How the dimensions of a ``BCOO`` are divided.

    Attributes:
      n_batch: number of batch dimensions.
      n_sparse: number of sparse dimensions.
      n_dense: number of dense dimensions.
      nse: number of specified elements.
    """

    n_batch: int
    n_sparse: int
    n_dense: int
    nse: int


@api_class
@register_pytree_node_class
class BCOO(Coordinates):
    """A sparse array in batched coordinates.

    Args:
      args: the pair of data, of shape ``(*batch, nse, *dense)``, and integer indices, of shape
        ``(*batch, nse, n_sparse)``; or a dense array.
      shape: shape of the array.
      indices_sorted: whether the indices are in order.
      unique_indices: whether no index occurs twice.

    Attributes:
      data: values.
      indices: their positions.
      n_batch: number of batch dimensions.
      n_sparse: number of sparse dimensions.
      n_dense: number of dense dimensions.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad.experimental import sparse
      >>> m = sparse.BCOO.fromdense(jnp.array([[0.0, 1.0, 0.0], [2.0, 0.0, 3.0]]))
      >>> m
      BCOO(float32[2, 3], nse=3)
      >>> m @ jnp.ones(3)
      Array([1., 5.], dtype=float32)
    """

    def __init__(
        self,
        args: Any,
        *,
        shape: Sequence[int] | None = None,
        indices_sorted: bool = False,
        unique_indices: bool = False,
    ):
        if shape is None:
            made = bcoo_fromdense(args)
            self.data, self.indices, self.shape = made.data, made.indices, made.shape
            self.indices_sorted = self.unique_indices = True
            return
        super().__init__(args, shape=shape, indices_sorted=indices_sorted, unique_indices=unique_indices)

    @classmethod
    def fromdense(
        cls, mat: Any, *, nse: int | None = None, index_dtype: Any = np.int32, n_dense: int = 0, n_batch: int = 0
    ) -> BCOO:
        """The sparse form of a dense array; see ``bcoo_fromdense``."""
        return bcoo_fromdense(mat, nse=nse, index_dtype=index_dtype, n_dense=n_dense, n_batch=n_batch)

    @classmethod
    def from_scipy_sparse(cls, mat: Any, *, index_dtype: Any = np.int32, n_dense: int = 0, n_batch: int = 0) -> BCOO:
        """The sparse form of a matrix of ``scipy.sparse``."""
        if n_dense or n_batch:
            raise NotImplementedError(
                "fungrad.BCOO.from_scipy_sparse: n_dense and n_batch must be 0; "
                "change the layout of what it gives with bcoo_update_layout"
            )
        coo = mat.tocoo()
        indices = np.stack([coo.row, coo.col], -1).astype(index_dtype)
        return cls((coo.data, indices), shape=coo.shape)

    @classmethod
    def _eye(cls, n: int, m: int, k: int, *, dtype: Any = None, index_dtype: Any = "int32", **_: Any) -> BCOO:
        count = max(0, min(n + min(k, 0), m - max(k, 0)))
        along = jnp.arange(count, dtype=index_dtype)
        indices = jnp.stack([along - min(k, 0), along + max(k, 0)], -1)
        return cls((jnp.ones(count, dtype), indices), shape=(n, m), indices_sorted=True, unique_indices=True)

    def todense(self) -> Array:
        """The array with its zeros."""
        return bcoo_todense(self)

    def transpose(self, axes: Sequence[int] | None = None) -> BCOO:
        """The array with its dimensions in another order; reversed by default."""
        return bcoo_transpose(self, permutation=tuple(axes or range(self.ndim)[::-1]))

    def reshape(self, *shape: Any) -> BCOO:
        """The array with another shape."""
        new = shape[0] if len(shape) == 1 and not isinstance(shape[0], int) else shape
        if -1 in new:
            known = -math.prod(new)
            new = [self.size // known if n == -1 else n for n in new]
        return bcoo_reshape(self, new_sizes=tuple(new))

    def astype(self, dtype: Any) -> BCOO:
        """The array with another dtype."""
        return self.with_(self.data.astype(dtype), **flags(self))

    def sum(self, axis: Any = None) -> Any:
        """Sum over dimensions; sparse, or dense if nothing is left."""
        axes = tuple(range(self.ndim)) if axis is None else dims_of("BCOO.sum", "axis", axis, self.ndim)
        out = bcoo_reduce_sum(self, axes=axes)
        return out if out.shape else out.todense()

    def sum_duplicates(self, nse: int | None = None, remove_zeros: bool = True) -> BCOO:
        """Elements with equal indices added up; see ``bcoo_sum_duplicates``."""
        return bcoo_sum_duplicates(self, nse=nse, remove_zeros=remove_zeros)

    def sort_indices(self) -> BCOO:
        """The array with its indices in order."""
        return bcoo_sort_indices(self)

    def update_layout(
        self, *, n_batch: int | None = None, n_dense: int | None = None, on_inefficient: Any = "error"
    ) -> BCOO:
        """The array with other numbers of batch and dense dimensions."""
        return bcoo_update_layout(self, n_batch=n_batch, n_dense=n_dense, on_inefficient=on_inefficient)

    def to_scipy_sparse(self) -> Any:
        """The matrix in ``scipy.sparse``."""
        import scipy.sparse

        if self.ndim != 2 or self.n_batch or self.n_dense:
            raise ValueError("fungrad.BCOO.to_scipy_sparse: only matrices without batch and dense dimensions")
        kept = np.asarray(in_bounds(self.indices, self.shape))
        rows = np.asarray(self.indices)[kept]
        return scipy.sparse.coo_matrix((np.asarray(self.data)[kept], (rows[:, 0], rows[:, 1])), self.shape)

    def __getitem__(self, index: Any) -> BCOO:
        keys = list(index) if isinstance(index, tuple) else [index]
        if Ellipsis in [k for k in keys if k is Ellipsis]:
            at = next(i for i, k in enumerate(keys) if k is Ellipsis)
            keys[at : at + 1] = [slice(None)] * (self.ndim - (len(keys) - 1))
        if len(keys) > self.ndim:
            raise IndexError(f"fungrad.BCOO: too many indices, {len(keys)} for {self.ndim} dimensions")
        keys += [slice(None)] * (self.ndim - len(keys))
        starts, limits, strides, dropped, reversed_ = [], [], [], [], []
        for d, (k, n) in enumerate(zip(keys, self.shape, strict=True)):
            if isinstance(k, slice):
                start, stop, step = k.indices(n)
                count = len(range(start, stop, step))
                if step < 0:
                    reversed_.append(d)
                    start, step = start + (count - 1) * step, -step
                starts.append(start)
                limits.append(start + (count - 1) * step + 1 if count else start)
                strides.append(step)
            else:
                if not hasattr(k, "__index__") or np.ndim(k):
                    raise TypeError(
                        f"fungrad.BCOO: an index must be of integers, slices and an ellipsis, got {shown(k)}; convert "
                        "the array with todense() for others"
                    )
                i = operator.index(k)
                if not -n <= i < n:
                    raise IndexError(f"fungrad.BCOO: index {i} is out of bounds for axis {d} of size {n}")
                starts.append(i % n)
                limits.append(i % n + 1)
                strides.append(1)
                dropped.append(d)
        out = bcoo_slice(self, start_indices=starts, limit_indices=limits, strides=strides)
        out = bcoo_rev(out, dimensions=reversed_) if reversed_ else out
        return bcoo_squeeze(out, dimensions=dropped) if dropped else out

    # -- arithmetic -----------------------------------------------------------------------------------------------

    def __neg__(self) -> BCOO:
        return self.with_(-self.data, **flags(self))

    def __pos__(self) -> BCOO:
        return self

    def __abs__(self) -> BCOO:
        one = self if self.unique_indices else self.sum_duplicates(nse=self.nse)
        return one.with_(abs(one.data), **flags(one))

    def __add__(self, other: Any) -> Any:
        return add(self, other)

    __radd__ = __add__

    def __sub__(self, other: Any) -> Any:
        return add(self, -other)

    def __rsub__(self, other: Any) -> Any:
        return add(-self, other)

    def __mul__(self, other: Any) -> Any:
        return multiply(self, other)

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Any:
        if is_sparse(other):
            raise TypeError("fungrad.BCOO: division by a sparse array is not possible: most of its elements are zero")
        return multiply(self, 1 / as_array(other))  # type: ignore[operator]

    def __matmul__(self, other: Any) -> Any:
        return matmul(self, other)

    def __rmatmul__(self, other: Any) -> Any:
        return matmul(other, self)


def add(x: Any, y: Any) -> Any:
    """Sum of sparse arrays, which is sparse, or of a sparse and a dense one, which is dense."""
    if is_sparse(x) and is_sparse(y):
        if x.shape != y.shape:
            raise ValueError(
                f"fungrad.BCOO: sparse arrays that are added must have one shape, got {x.shape} and {y.shape}"
            )
        if (x.n_batch, x.n_dense) != (y.n_batch, y.n_dense):
            raise NotImplementedError(
                "fungrad.BCOO: sparse arrays that are added must have one layout; use update_layout"
            )
        return bcoo_concatenate_entries([x, y])
    dense, sparse = (y, x) if is_sparse(x) else (x, y)
    return sparse.todense() + dense


def multiply(x: Any, y: Any) -> Any:
    """Elementwise product, which is sparse."""
    if is_sparse(x) and is_sparse(y):
        return bcoo_multiply_sparse(x, y)
    dense, sparse = (y, x) if is_sparse(x) else (x, y)
    dense = as_array(dense, "fungrad.BCOO")
    if dense.ndim == 0:
        return sparse.with_(sparse.data * dense, **flags(sparse))
    return multiplied(sparse, dense)


def matmul(x: Any, y: Any) -> Any:
    """Matrix product, as ``fungrad.numpy.matmul``: dense, or sparse if both are."""
    a: Any
    b: Any
    a, b = (v if is_sparse(v) else as_array(v, "fungrad.BCOO") for v in (x, y))
    if not a.ndim or not b.ndim:
        raise ValueError("fungrad.BCOO: operands of @ must have at least one dimension")
    if a.ndim <= 2 and b.ndim <= 2:
        return bcoo_dot_general(a, b, dimension_numbers=(((a.ndim - 1,), (max(b.ndim - 2, 0),)), ((), ())))
    if a.ndim == b.ndim and a.shape[:-2] == b.shape[:-2]:
        n = a.ndim - 2
        dims = (((n + 1,), (n,)), (tuple(range(n)), tuple(range(n))))
        return bcoo_dot_general(a, b, dimension_numbers=dims)
    dense = [v.todense() if is_sparse(v) else v for v in (a, b)]
    return jnp.matmul(*dense)


def bcoo_fromdense(
    mat: Any, *, nse: int | None = None, n_batch: int = 0, n_dense: int = 0, index_dtype: Any = np.int32
) -> BCOO:
    """The sparse form of a dense array.

    Args:
      mat: the array.
      nse: number of elements to keep; by default as many as there are, which must be known.
      n_batch: number of batch dimensions.
      n_dense: number of dense dimensions.
      index_dtype: dtype of the indices.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad.experimental import sparse
      >>> sparse.bcoo_fromdense(jnp.eye(3)).data
      Array([1., 1., 1.], dtype=float32)
    """
    x = as_array(mat, "fungrad.experimental.sparse.bcoo_fromdense: mat")
    n_sparse = x.ndim - n_batch - n_dense
    if n_sparse < 0 or n_batch < 0 or n_dense < 0:
        raise ValueError(
            f"fungrad.experimental.sparse.bcoo_fromdense: n_batch={n_batch} and n_dense={n_dense} must not be negative "
            f"or larger together than the number of dimensions, {x.ndim}"
        )
    return BCOO._of_dense(x, x != 0, nse, n_batch, n_dense, index_dtype)


def bcoo_conv_general_dilated(lhs: Any, rhs: Any, **options: Any) -> BCOO:
    """Convolution, as ``lax.conv_general_dilated``, of sparse arrays; computed densely."""
    dense = [v.todense() if is_sparse(v) else v for v in (lhs, rhs)]
    return bcoo_fromdense(lax.conv_general_dilated(*dense, **options))


__all__ = [
    "BCOO", "BCOOProperties", "bcoo_broadcast_in_dim", "bcoo_concatenate", "bcoo_conv_general_dilated",
    "bcoo_dot_general", "bcoo_dot_general_sampled", "bcoo_dynamic_slice", "bcoo_eliminate_zeros", "bcoo_extract",
    "bcoo_fromdense", "bcoo_gather", "bcoo_multiply_dense", "bcoo_multiply_sparse", "bcoo_reduce_sum", "bcoo_reshape",
    "bcoo_rev", "bcoo_slice", "bcoo_sort_indices", "bcoo_squeeze", "bcoo_sum_duplicates", "bcoo_todense",
    "bcoo_transpose", "bcoo_update_layout",
]  # fmt: skip

publish(globals(), __name__, __all__)
