"""Random sparse arrays."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import fungrad.numpy as jnp
from fungrad import random as keys
from fungrad.core.public_names import publish
from fungrad.experimental.sparse._base import nfold_vmap
from fungrad.experimental.sparse.bcoo import BCOO


def random_bcoo(
    key: Any,
    shape: Sequence[int],
    *,
    dtype: Any = float,
    indices_dtype: Any = None,
    nse: float = 0.2,
    n_batch: int = 0,
    n_dense: int = 0,
    unique_indices: bool = True,
    sorted_indices: bool = False,
    generator: Any = None,
    **options: Any,
) -> BCOO:
    """A sparse array with random elements at random places.

    Args:
      key: random key.
      shape: its shape.
      dtype: its dtype.
      indices_dtype: dtype of the indices.
      nse: number of elements, or the share of them if less than 1.
      n_batch: number of batch dimensions.
      n_dense: number of dense dimensions.
      unique_indices: whether no index occurs twice.
      sorted_indices: whether indices are in order.
      generator: function of key, shape and dtype that draws elements; uniform by default.
      **options: further arguments of ``generator``.

    Example:
      >>> from fungrad import random
      >>> from fungrad.experimental import sparse
      >>> sparse.random_bcoo(random.key(0), (4, 5), nse=6)
      BCOO(float32[4, 5], nse=6)
    """
    shape = tuple(shape)
    n_sparse = len(shape) - n_batch - n_dense
    if n_sparse < 0 or min(n_batch, n_dense) < 0:
        raise ValueError(
            f"fungrad.experimental.sparse.random_bcoo: n_batch={n_batch} and n_dense={n_dense} do not fit shape {shape}"
        )
    batch, sparse, dense = shape[:n_batch], shape[n_batch : n_batch + n_sparse], shape[n_batch + n_sparse :]
    size = math.prod(sparse)
    count = int(size * nse) if nse < 1 and not isinstance(nse, int) else int(nse)
    index_dtype = indices_dtype or jnp.int32
    places, values = keys.split(key)

    def one(k: Any) -> Any:
        if not n_sparse:
            return jnp.zeros((count, 0), index_dtype)
        flat = keys.choice(k, size, (count,), replace=not unique_indices)
        flat = jnp.sort(flat) if sorted_indices else flat
        return jnp.stack(jnp.unravel_index(flat, sparse), -1).astype(index_dtype)

    draw = keys.split(places, batch) if batch else places
    indices = nfold_vmap(one, n_batch)(draw)
    data = (generator or keys.uniform)(values, (*batch, count, *dense), dtype, **options)
    return BCOO((data, indices), shape=shape, indices_sorted=sorted_indices, unique_indices=unique_indices)


__all__ = ["random_bcoo"]

publish(globals(), __name__, __all__)
