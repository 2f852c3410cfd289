"""Combining the rows of an array by segment: what ``fungrad.ops`` offers to users, as ``jax.ops`` does.

May import ``core`` and the other modules of ``ops``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from fungrad.core.array import Array, ArrayImpl, as_array
from fungrad.core.dimensions import as_size, is_symbolic
from fungrad.core.primitive import Primitive
from fungrad.errors import ConcretizationTypeError
from fungrad.ops._operands import check_kind, lift, scalar_array
from fungrad.ops._windows import GatherScatterMode
from fungrad.ops.cast import convert_element_type
from fungrad.ops.elementwise import div
from fungrad.ops.foundation import broadcast_in_dim, reduce_sum_p, reshape, zeros
from fungrad.ops.indexing import ScatterDimensionNumbers, scatter_add
from fungrad.ops.joining import concatenate
from fungrad.ops.reduce import NEUTRAL, reduce_max_p, reduce_min_p, reduce_prod_p
from fungrad.ops.resharding import at_sharding
from fungrad.ops.scatter import scatter_max, scatter_min, scatter_mul
from fungrad.ops.shape import expand_dims, iota


def _by_segment(
    name: str,
    scatter: Callable[..., Array],
    reduction: Primitive,
    monoid: str,
    data: Any,
    segment_ids: Any,
    num_segments: int | None,
    indices_are_sorted: bool,
    unique_indices: bool,
    bucket_size: int | None,
    mode: str | GatherScatterMode | None,
    out_sharding: Any = None,
) -> Array:
    api = f"fungrad.ops.{name}"
    if out_sharding is not None:
        reduce = partial(_by_segment, name, scatter, reduction, monoid)
        arguments = (data, segment_ids, num_segments, indices_are_sorted, unique_indices, bucket_size, mode)
        return at_sharding(reduce, out_sharding, api, *arguments)
    data, ids = lift(data, f"{api}: data"), lift(segment_ids, f"{api}: segment_ids")
    check_kind(f"ops.{name}", ids.aval, "iu", 1)
    data, rows = _by_row(api, data, ids)
    ids = reshape(ids, (ids.aval.size,)) if ids.aval.ndim != 1 else ids
    count = _number_of_segments(api, ids, num_segments)
    if count == 0:
        return zeros(data.aval.update(shape=(0, *rows)).strip_weak_type())
    indices = expand_dims(ids, (1,))
    shape: tuple[int, ...] = (count, *rows)
    placed: tuple[int, ...] = (0,)
    if bucket_size is not None:
        # Results of each bucket apart, so that sums are of numbers of about one size.
        size = as_size(bucket_size)
        if size <= 0:
            raise ValueError(f"{api}: bucket_size must be positive, got {size}")
        n = ids.aval.shape[0]
        dtype = ids.aval.dtype
        width = convert_element_type(as_array(size), dtype) if is_symbolic(size) else scalar_array(size, dtype)
        bucket = div(iota(dtype, n), width)
        indices = concatenate([expand_dims(bucket, (1,)), indices], 1)
        shape, placed = (-(-n // size), *shape), (0, 1)
    numbers = ScatterDimensionNumbers(
        update_window_dims=tuple(range(1, data.aval.ndim)),
        inserted_window_dims=placed,
        scatter_dims_to_operand_dims=placed,
    )
    start = broadcast_in_dim(scalar_array(NEUTRAL[monoid](data.aval.dtype), data.aval.dtype), shape, ())
    out = scatter(
        start,
        indices,
        data,
        numbers,
        indices_are_sorted=indices_are_sorted,
        unique_indices=unique_indices,
        mode=mode,
    )
    return out if bucket_size is None else reduction.bind(out, axes=(0,))


def _by_row(api: str, data: Array, ids: Array) -> tuple[Array, tuple[int, ...]]:
    """The data with one row per entry of ``ids``, and the shape of a row."""
    shape, rows = data.aval.shape, data.aval.shape[1:]
    full = (*ids.aval.shape, *rows)
    if shape != full:
        first = len(full) - len(shape)
        if first < 0 or any(n not in (1, m) for n, m in zip(shape, full[first:], strict=True)):
            raise ValueError(
                f"{api}: segment_ids must have one entry per row of data, got {ids.aval.str_short()} for data "
                f"{data.aval.str_short()}, which cannot be broadcast to one row per entry"
            )
        kept = [d for d, n in enumerate(shape) if n == full[first + d]]
        data = broadcast_in_dim(reshape(data, tuple([shape[d] for d in kept])), full, [first + d for d in kept])
    return data if ids.aval.ndim == 1 else reshape(data, (ids.aval.size, *rows)), rows


def _number_of_segments(api: str, ids: Array, num_segments: int | None) -> int:
    if num_segments is not None:
        count = as_size(num_segments)
        if count < 0:
            raise ValueError(f"{api}: num_segments must not be negative, got {count}")
        return count
    if type(ids) is not ArrayImpl:
        raise ConcretizationTypeError(
            f"{api}: the number of segments is the shape of the result, which must be known while tracing; pass it as "
            "num_segments"
        )
    known = np.asarray(ids)
    return max(0, int(known.max()) + 1) if known.size else 0


def segment_sum(
    data: Any,
    segment_ids: Any,
    num_segments: int | None = None,
    indices_are_sorted: bool = False,
    unique_indices: bool = False,
    bucket_size: int | None = None,
    mode: str | GatherScatterMode | None = None,
    out_sharding: Any = None,
) -> Array:
    """Sums of the rows of an array by segment.

    Args:
      data: array of shape ``(n, ...)``; one that can be broadcast to ``(*segment_ids.shape, *data.shape[1:])`` is.
      segment_ids: ``n`` integers, or an array of them: the segment that each row belongs to, in any order.
      num_segments: how many segments there are; by default one more than the greatest id, which must then be known
        while tracing.
      indices_are_sorted: a promise that ids come in increasing order.
      unique_indices: a promise that no id occurs twice.
      bucket_size: if given, as many rows are summed apart and their sums added, which is more accurate.
      mode: what happens to rows with ids out of range: ``"drop"`` (default) ignores them, ``"clip"`` puts them into
        the nearest segment.
      out_sharding: how the result is divided; see :func:`fungrad.reshard`.

    Returns:
      An array of shape ``(num_segments, ...)``; 0 for segments without rows.

    Raises:
      TypeError: ids are no integers.
      ValueError: there is not one id per row, or ``num_segments`` is negative.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import ops
      >>> ops.segment_sum(jnp.arange(5), jnp.array([0, 0, 1, 1, 2]))
      Array([1, 5, 4], dtype=int32)
    """
    return _by_segment(
        "segment_sum", scatter_add, reduce_sum_p, "add", data, segment_ids, num_segments, indices_are_sorted,
        unique_indices, bucket_size, mode, out_sharding,
    )  # fmt: skip


def segment_prod(
    data: Any,
    segment_ids: Any,
    num_segments: int | None = None,
    indices_are_sorted: bool = False,
    unique_indices: bool = False,
    bucket_size: int | None = None,
    mode: str | GatherScatterMode | None = None,
    out_sharding: Any = None,
) -> Array:
    """Products of the rows of an array by segment; 1 for segments without rows. Arguments as of ``segment_sum``.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import ops
      >>> ops.segment_prod(jnp.array([2, 3, 4]), jnp.array([0, 0, 2]))
      Array([6, 1, 4], dtype=int32)
    """
    return _by_segment(
        "segment_prod", scatter_mul, reduce_prod_p, "mul", data, segment_ids, num_segments, indices_are_sorted,
        unique_indices, bucket_size, mode, out_sharding,
    )  # fmt: skip


def segment_max(
    data: Any,
    segment_ids: Any,
    num_segments: int | None = None,
    indices_are_sorted: bool = False,
    unique_indices: bool = False,
    bucket_size: int | None = None,
    mode: str | GatherScatterMode | None = None,
    out_sharding: Any = None,
) -> Array:
    """Maxima of the rows of an array by segment; minus infinity, or the least integer, for segments without rows.
    Arguments as of ``segment_sum``.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import ops
      >>> ops.segment_max(jnp.array([2.0, 3.0, 4.0]), jnp.array([0, 0, 2]))
      Array([  3., -inf,   4.], dtype=float32)
    """
    return _by_segment(
        "segment_max", scatter_max, reduce_max_p, "max", data, segment_ids, num_segments, indices_are_sorted,
        unique_indices, bucket_size, mode, out_sharding,
    )  # fmt: skip


def segment_min(
    data: Any,
    segment_ids: Any,
    num_segments: int | None = None,
    indices_are_sorted: bool = False,
    unique_indices: bool = False,
    bucket_size: int | None = None,
    mode: str | GatherScatterMode | None = None,
    out_sharding: Any = None,
) -> Array:
    """Minima of the rows of an array by segment; infinity, or the greatest integer, for segments without rows.
    Arguments as of ``segment_sum``.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import ops
      >>> ops.segment_min(jnp.array([2.0, 3.0, 4.0]), jnp.array([0, 0, 2]))
      Array([ 2., inf,  4.], dtype=float32)
    """
    return _by_segment(
        "segment_min", scatter_min, reduce_min_p, "min", data, segment_ids, num_segments, indices_are_sorted,
        unique_indices, bucket_size, mode, out_sharding,
    )  # fmt: skip
