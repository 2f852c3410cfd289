"""What a ``BCOO`` consists of: data, indices of their positions, and how its dimensions are divided.

Of the dimensions of an array the first ``n_batch`` are batch dimensions of data and indices, the last ``n_dense`` are
dimensions of data, and those between are sparse: positions along them are in the indices. Index vectors outside of the
shape are padding.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any, Self, TypeVar

import numpy as np

import fungrad.numpy as jnp
from fungrad.core.arguments import integers, shown
from fungrad.core.array import Array, as_array
from fungrad.experimental.sparse._base import JAXSparse, over_batch, taken

Coords = TypeVar("Coords", bound="Coordinates")


class Coordinates(JAXSparse):
    """Data and the indices of their positions: what a ``BCOO`` consists of, without operations.

    Attributes:
      data: values.
      indices: their positions.
      n_batch: number of batch dimensions.
      n_sparse: number of sparse dimensions.
      n_dense: number of dense dimensions.
    """

    indices: Any

    def __init__(self, args: Any, *, shape: Sequence[int], indices_sorted: bool = False, unique_indices: bool = False):
        if not isinstance(args, (tuple, list)) or len(args) != 2:
            raise TypeError(f"fungrad.BCOO: args must be the pair (data, indices), got {shown(args)}")
        self.data, self.indices = [x if _is_placeholder(x) else as_array(x, "fungrad.BCOO") for x in args]
        self.shape = integers("fungrad.BCOO", "shape", shape, least=0)
        self.indices_sorted, self.unique_indices = indices_sorted, unique_indices
        if isinstance(self.data, Array) and isinstance(self.indices, Array):
            self._check()

    def _check(self) -> None:
        """Raises unless data and indices have shapes that belong to the shape of the array."""
        data, indices, shape = self.data, self.indices, self.shape
        if indices.ndim < 2 or not jnp.issubdtype(indices.dtype, jnp.integer):
            raise ValueError(
                "fungrad.BCOO: indices must be integers of shape (*batch, nse, n_sparse), got "
                f"{indices.aval.str_short()}"
            )
        n, k = self.n_batch, self.n_sparse
        batch, dense = shape[:n], shape[n + k :]
        fits = (
            len(shape) >= n + k
            and data.ndim == len(shape) - k + 1
            and data.shape[n] == indices.shape[n]
            and tuple(data.shape[n + 1 :]) == dense
            and all(s in (1, b) for part in (data, indices) for s, b in zip(part.shape, batch, strict=False))
        )
        if not fits:
            raise ValueError(
                f"fungrad.BCOO: for shape={shape} and indices of shape {indices.shape}, which have {n} batch and "
                f"{k} sparse dimensions, data must have the shape (*batch, nse, *dense) and indices (*batch, nse, "
                f"n_sparse), where batch={batch} and dense={dense}; got data of shape {data.shape}"
            )

    @classmethod
    def _empty(
        cls, shape: Sequence[int], *, dtype: Any = None, index_dtype: Any = "int32", n_dense: int = 0, n_batch: int = 0,
        nse: int = 0,
    ) -> Self:  # fmt: skip
        n_sparse = len(shape) - n_batch - n_dense
        sparse_shape = shape[n_batch : n_batch + n_sparse]
        indices = jnp.broadcast_to(jnp.array(sparse_shape, index_dtype), (*shape[:n_batch], nse, n_sparse))
        return cls((jnp.zeros((*shape[:n_batch], nse, *shape[n_batch + n_sparse :]), dtype), indices), shape=shape)

    @classmethod
    def _of_dense(cls, x: Any, mask: Any, nse: int | None, n_batch: int, n_dense: int, index_dtype: Any) -> Self:
        """The sparse form of a dense array whose elements are where ``mask`` is true."""
        n_sparse = x.ndim - n_batch - n_dense
        if n_dense:
            mask = mask.any(axis=tuple(range(x.ndim - n_dense, x.ndim)))
        if nse is None:
            counts = mask.sum(axis=tuple(range(n_batch, mask.ndim))) if mask.ndim > n_batch else mask.astype(int)
            nse = int(np.max(counts._concrete("nse of bcoo_fromdense: give nse, or known values"), initial=0))
        nse = operator.index(nse)
        sparse_shape = x.shape[n_batch : n_batch + n_sparse]

        def indices_of(m: Any) -> Any:
            if not n_sparse:
                return jnp.zeros((nse, 0), index_dtype)
            found = jnp.nonzero(m, size=nse, fill_value=sparse_shape)
            return jnp.stack(found, -1).astype(index_dtype)

        indices = over_batch(indices_of, n_batch, mask)
        data = over_batch(lambda m, i: taken(m, i), n_batch, x, indices)
        return cls((data, indices), shape=x.shape, indices_sorted=True, unique_indices=True)

    @property
    def n_sparse(self) -> int:
        """Number of sparse dimensions."""
        return self.indices.shape[-1]  # type: ignore[no-any-return]

    @property
    def n_batch(self) -> int:
        """Number of batch dimensions."""
        return self.indices.ndim - 2  # type: ignore[no-any-return]

    @property
    def n_dense(self) -> int:
        """Number of dense dimensions."""
        return self.data.ndim - 1 - self.n_batch  # type: ignore[no-any-return]

    @property
    def nse(self) -> int:
        """Number of specified elements."""
        return self.indices.shape[-2]  # type: ignore[no-any-return]

    def _details(self) -> str:
        extra = [f"{k}={getattr(self, k)}" for k in ("n_batch", "n_dense") if getattr(self, k)]
        return "".join(f", {e}" for e in extra)

    @property
    def _sparse_shape(self) -> tuple[int, ...]:
        return self.shape[self.n_batch : self.n_batch + self.n_sparse]

    def with_(self, data: Any = None, indices: Any = None, shape: Any = None, **flags: Any) -> Self:
        """The array with other parts."""
        return type(self)(
            (self.data if data is None else data, self.indices if indices is None else indices),
            shape=self.shape if shape is None else shape,
            **flags,
        )

    def tree_flatten(self) -> tuple:
        """As a tree: data and indices."""
        return (self.data, self.indices), (self.shape, self.indices_sorted, self.unique_indices, _ndim(self.indices))

    @classmethod
    def tree_unflatten(cls, aux: Any, children: Any) -> Self:
        """The inverse of ``tree_flatten``."""
        out = object.__new__(cls)
        out.data, out.indices = children
        out.shape, out.indices_sorted, out.unique_indices, ndim = aux
        # Within a map over batch dimensions there are fewer of them, and after it as many as there are.
        if ndim is not None and _ndim(out.indices) is not None:
            more = out.indices.ndim - ndim
            out.shape = out.shape[-more:] if more < 0 else (*out.indices.shape[:more], *out.shape)
        return out


def _ndim(x: Any) -> int | None:
    return getattr(x, "ndim", None)


def _is_placeholder(x: Any) -> bool:
    return not hasattr(x, "__array__") and not isinstance(x, (Array, list, tuple, int, float))


def flags(m: Coordinates) -> dict[str, bool]:
    """What is known of the indices of an array, for one that has the same."""
    return {"indices_sorted": m.indices_sorted, "unique_indices": m.unique_indices}
