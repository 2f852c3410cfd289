"""Primitives that select, pad and reorder elements of one array: squeeze, slice, pad, rev, iota,
and functions made of them.

May import ``core``, ``ops._operands``, ``ops.foundation``, ``ops.compare`` and ``ops.resharding``.
"""

from __future__ import annotations

import builtins
import math
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from fungrad.core import dtypes
from fungrad.core.array import Array, ArrayImpl
from fungrad.core.avals import ShapedArray, Zero
from fungrad.core.context import AxisData
from fungrad.core.dimensions import as_size
from fungrad.core.primitive import Primitive, is_linear
from fungrad.ops._operands import check_kind, lift, lift_pair, scalar_array
from fungrad.ops.compare import select
from fungrad.ops.foundation import (
    Dims,
    Structural,
    batch_to,
    broadcast_in_dim,
    reduce_sum,
    reshape,
    zeros,
)
from fungrad.ops.resharding import at_sharding, summed_sets

PaddingConfig = tuple[tuple[int, int, int], ...]


def canonical_axis(api: str, axis: int, ndim: int, what: str = "axis") -> int:
    """``axis`` counted from the front.

    Raises:
      ValueError: it is outside ``[-ndim, ndim)``.
    """
    axis = operator.index(axis)
    if not -ndim <= axis < ndim:
        raise ValueError(f"{api}: {what} {axis} is out of bounds for an array of {ndim} dimensions")
    return axis + ndim if axis < 0 else axis


def canonical_axes(api: str, axes: Sequence[int], ndim: int) -> Dims:
    """Distinct ``axes``, counted from the front and sorted."""
    out = sorted([canonical_axis(api, a, ndim, "dimension") for a in axes])
    if len(set(out)) != len(out):
        raise ValueError(
            f"{api}: dimensions must be distinct, got {tuple(axes)} for an array of {ndim} "
            "dimensions"
        )
    return tuple(out)


def int_tuple(xs: Sequence[int]) -> Dims:
    """``xs`` as a tuple of Python ints."""
    return tuple([as_size(x) for x in xs])


def compact(x: np.ndarray) -> np.ndarray:
    """``x`` in row-major order: arrays keep one memory layout, so that compiled code and views stay
    simple.
    """
    return x if x.flags.c_contiguous else x.copy()


# -- squeeze ---------------------------------------------------------------------------------------


class Squeeze(Structural):
    """Drops dimensions of size 1."""

    def abstract_eval(self, x: ShapedArray, *, dimensions: Dims) -> ShapedArray:
        if any(x.shape[d] != 1 for d in dimensions):
            raise ValueError(
                "fungrad.lax.squeeze: dimensions to drop must have size 1, got dimensions "
                f"{dimensions} of operand {x.str_short()}"
            )
        shape = tuple([n for d, n in enumerate(x.shape) if d not in dimensions])
        return ShapedArray(shape, x.dtype, x.weak_type)

    def impl(self, x: np.ndarray, *, dimensions: Dims) -> np.ndarray:
        return x.squeeze(dimensions)

    def transpose(self, ct: Any, *args: Any, dimensions: Dims) -> Sequence[Any]:
        return (reshape(ct, args[0].aval.shape),)

    def batch(
        self, axis: AxisData, args: Sequence[Any], dims: Sequence[Any], *, dimensions: Dims
    ) -> tuple[Any, Any]:
        d = dims[0]
        shifted = tuple([s + (s >= d) for s in dimensions])
        return self.bind(args[0], dimensions=shifted), d - sum(s < d for s in shifted)

    def lower(self, ctx: Any, x: Any, *, dimensions: Dims) -> Any:
        return ctx.reshape(x, tuple([n for d, n in enumerate(x.shape) if d not in dimensions]))


squeeze_p = Squeeze("squeeze")


def squeeze(array: Any, dimensions: Sequence[int]) -> Array:
    """Drops ``dimensions``, which must have size 1 and may be negative.

    Raises:
      ValueError: a dimension does not exist, is named twice or is larger than 1.

    Example:
      >>> import numpy as np
      >>> from fungrad import lax
      >>> lax.squeeze(np.ones((1, 3, 1)), (0, -1)).shape
      (3,)
    """
    array = lift(array, "fungrad.lax.squeeze: array")
    dims = canonical_axes("fungrad.lax.squeeze", dimensions, array.aval.ndim)
    return squeeze_p.bind(array, dimensions=dims) if dims else array


def expand_dims(array: Any, dimensions: Sequence[int]) -> Array:
    """Inserts dimensions of size 1.

    Args:
      array: array of rank n.
      dimensions: positions in the result, which has rank ``n + len(dimensions)``; may be negative.

    Raises:
      ValueError: a position is outside the result or given twice.

    Example:
      >>> import numpy as np
      >>> from fungrad import lax
      >>> lax.expand_dims(np.ones((2, 3)), (0, -1)).shape
      (1, 2, 3, 1)
    """
    array = lift(array, "fungrad.lax.expand_dims: array")
    ndim = array.aval.ndim + len(dimensions)
    new = canonical_axes("fungrad.lax.expand_dims", dimensions, ndim)
    kept = tuple([d for d in range(ndim) if d not in new])
    shape = [1] * ndim
    for size, d in zip(array.aval.shape, kept, strict=True):
        shape[d] = size
    return broadcast_in_dim(array, shape, kept)


# -- slice -----------------------------------------------------------------------------------------


class Slice(Structural):
    """Elements from ``start_indices`` up to, not including, ``limit_indices``, every
    ``strides``-th.
    """

    def abstract_eval(
        self, x: ShapedArray, *, limit_indices: Dims, start_indices: Dims, strides: Dims | None
    ) -> ShapedArray:
        api = "fungrad.lax.slice"
        steps = strides or (1,) * x.ndim
        if not len(start_indices) == len(limit_indices) == len(steps) == x.ndim:
            raise TypeError(
                f"{api}: start_indices, limit_indices and strides must have one entry per "
                f"dimension of operand {x.str_short()}, got {start_indices}, {limit_indices}, "
                f"{strides}"
            )
        if any(s < 1 for s in steps):
            raise TypeError(
                f"{api}: strides must be positive, got {strides}; reverse with fungrad.lax.rev"
            )
        for start, limit, size in zip(start_indices, limit_indices, x.shape, strict=True):
            if not 0 <= start <= limit <= size:
                raise TypeError(
                    f"{api}: 0 <= start <= limit <= size must hold in every dimension, got "
                    f"start_indices {start_indices} and limit_indices {limit_indices} for operand "
                    f"{x.str_short()}; fungrad.lax.slice_in_dim and indexing accept negative "
                    "positions"
                )
        shape = [
            (b - a + s - 1) // s for a, b, s in zip(start_indices, limit_indices, steps, strict=True)
        ]
        return ShapedArray(tuple(shape), x.dtype, x.weak_type)

    def impl(
        self, x: np.ndarray, *, limit_indices: Dims, start_indices: Dims, strides: Dims | None
    ) -> np.ndarray:
        if strides is None:
            return compact(x[tuple(map(builtins.slice, start_indices, limit_indices))])
        return compact(x[tuple(map(builtins.slice, start_indices, limit_indices, strides))])

    def transpose(
        self, ct: Any, *args: Any, limit_indices: Dims, start_indices: Dims, strides: Dims | None
    ) -> Sequence[Any]:
        shape = args[0].aval.shape
        steps = strides or (1,) * len(shape)
        config = []
        for start, step, size, n in zip(start_indices, steps, shape, ct.aval.shape, strict=True):
            covered = (n - 1) * step + 1 if n else 0
            config.append((start, size - start - covered, step - 1))
        return (pad_p.bind(ct, _zero_like(ct.aval), padding_config=tuple(config)),)

    def batch(
        self, axis: AxisData, args: Sequence[Any], dims: Sequence[Any], *,
        limit_indices: Dims, start_indices: Dims, strides: Dims | None,
    ) -> tuple[Any, Any]:  # fmt: skip
        d = dims[0]
        start = (*start_indices[:d], 0, *start_indices[d:])
        limit = (*limit_indices[:d], axis.size, *limit_indices[d:])
        steps = None if strides is None else (*strides[:d], 1, *strides[d:])
        return self.bind(args[0], limit_indices=limit, start_indices=start, strides=steps), d

    def lower(
        self, ctx: Any, x: Any, *, limit_indices: Dims, start_indices: Dims, strides: Dims | None
    ) -> Any:
        return ctx.slice(x, start_indices, limit_indices, strides or (1,) * len(x.shape))


slice_p = Slice("slice")


def _zero_like(aval: ShapedArray) -> Array:
    return scalar_array(False if dtypes.is_bool(aval.dtype) else 0, aval.dtype, aval.weak_type)


def slice(
    operand: Any, start_indices: Sequence[int], limit_indices: Sequence[int], strides: Sequence[int] | None = None
) -> Array:
    """The elements of ``operand`` in a box of static position and size.

    Args:
      operand: array of rank n.
      start_indices: n non-negative first positions.
      limit_indices: n end positions, not included, at most the sizes of ``operand``.
      strides: n positive steps; default 1.

    Raises:
      TypeError: an index is out of range; nothing is clamped.

    Example:
      >>> import numpy as np
      >>> from fungrad import lax
      >>> lax.slice(np.arange(10), (1,), (8,), (3,))
      Array([1, 4, 7], dtype=int32)
    """
    operand = lift(operand, "fungrad.lax.slice: operand")
    return slice_p.bind(
        operand,
        start_indices=int_tuple(start_indices),
        limit_indices=int_tuple(limit_indices),
        strides=None if strides is None else int_tuple(strides),
    )


def slice_in_dim(
    operand: Any, start_index: int | None, limit_index: int | None, stride: int = 1, axis: int = 0
) -> Array:
    """Slices one dimension: ``operand[..., start_index:limit_index:stride, ...]`` with static
    indices.

    Args:
      operand: array.
      start_index: first position; negative counts from the end, None is the beginning.
      limit_index: end position, not included; negative counts from the end, None is the end.
      stride: positive step.
      axis: dimension to slice; may be negative.

    Raises:
      TypeError: an index is out of range; nothing is clamped.

    Example:
      >>> import numpy as np
      >>> from fungrad import lax
      >>> lax.slice_in_dim(np.arange(6), -4, None, stride=2)
      Array([2, 4], dtype=int32)
    """
    operand = lift(operand, "fungrad.lax.slice_in_dim: operand")
    shape = operand.aval.shape
    axis = canonical_axis("fungrad.lax.slice_in_dim", axis, len(shape))
    size = shape[axis]
    start = 0 if start_index is None else as_size(start_index)
    limit = size if limit_index is None else as_size(limit_index)
    starts, limits, strides = [0] * len(shape), list(shape), [1] * len(shape)
    starts[axis] = start + size if start < 0 else start
    limits[axis] = limit + size if limit < 0 else limit
    strides[axis] = as_size(stride)
    return slice_p.bind(
        operand, start_indices=tuple(starts), limit_indices=tuple(limits), strides=tuple(strides)
    )


def index_in_dim(operand: Any, index: int, axis: int = 0, keepdims: bool = True) -> Array:
    """One position of one dimension: ``operand[..., index, ...]`` with a static index.

    Args:
      operand: array.
      index: position; may be negative.
      axis: dimension to index; may be negative.
      keepdims: whether the dimension stays, with size 1.

    Raises:
      IndexError: ``index`` is out of range.

    Example:
      >>> import numpy as np
      >>> from fungrad import lax
      >>> lax.index_in_dim(np.arange(6).reshape(2, 3), -1, axis=1, keepdims=False)
      Array([2, 5], dtype=int32)
    """
    operand = lift(operand, "fungrad.lax.index_in_dim: operand")
    index = as_size(index)
    axis = canonical_axis("fungrad.lax.index_in_dim", axis, operand.aval.ndim)
    size = operand.aval.shape[axis]
    if not -size <= index < size:
        raise IndexError(
            f"fungrad.lax.index_in_dim: index {index} is out of bounds for axis {axis} with size "
            f"{size} of operand {operand.aval.str_short()}"
        )
    index += size if index < 0 else 0
    out = slice_in_dim(operand, index, index + 1, 1, axis)
    return out if keepdims else squeeze_p.bind(out, dimensions=(axis,))


# -- pad -------------------------------------------------------------------------------------------


def padded_size(size: int, low: int, high: int, interior: int) -> int:
    """Size of a dimension after padding."""
    return low + high + size + builtins.max(size - 1, 0) * interior


class Pad(Primitive):
    """Surrounds and spreads an array with a 0-d value; negative amounts cut. Linear in both
    operands.
    """

    kind = "structural"
    cheap = True

    def abstract_eval(
        self, x: ShapedArray, value: ShapedArray, *, padding_config: PaddingConfig
    ) -> ShapedArray:
        api = "fungrad.lax.pad"
        if value.shape:
            raise ValueError(f"{api}: padding_value must be a scalar, got {value.str_short()}")
        if value.dtype != x.dtype:
            raise TypeError(
                f"{api}: padding_value must have the dtype of the operand {x.str_short()}, got "
                f"{value.str_short()}; convert it with .astype"
            )
        if len(padding_config) != x.ndim or any(len(c) != 3 or c[2] < 0 for c in padding_config):
            raise ValueError(
                f"{api}: padding_config must have one (low, high, interior) per dimension of "
                f"operand {x.str_short()} with interior >= 0, got {padding_config}"
            )
        shape = tuple([padded_size(n, *c) for n, c in zip(x.shape, padding_config, strict=True)])
        if any(n < 0 for n in shape):
            raise ValueError(
                f"{api}: padding_config {padding_config} cuts more than there is of operand "
                f"{x.str_short()}: the result would have shape {shape}"
            )
        return ShapedArray(shape, x.dtype, x.weak_type and value.weak_type)

    def impl(
        self, x: np.ndarray, value: np.ndarray, *, padding_config: PaddingConfig
    ) -> np.ndarray:
        shape = [padded_size(n, *c) for n, c in zip(x.shape, padding_config, strict=True)]
        out = np.empty(shape, x.dtype)
        out[...] = value
        source, target = [], []
        for n, size, (low, _, interior) in zip(x.shape, shape, padding_config, strict=True):
            # Element i lands at low + i * step; keep those that land inside.
            step = interior + 1
            first = builtins.max(0, -(low // step))
            end = builtins.max(first, builtins.min(n, -((low - size) // step)))
            source.append(builtins.slice(first, end))
            begin = low + first * step
            # An empty selection must not turn into a slice with negative ends.
            target.append(
                builtins.slice(begin, low + (end - 1) * step + 1, step)
                if end > first
                else builtins.slice(0, 0)
            )
        out[tuple(target)] = x[tuple(source)]
        return out

    def jvp(
        self, primals: Sequence[Any], tangents: Sequence[Any], *, padding_config: PaddingConfig
    ) -> tuple[Any, Any]:
        y = self.bind(*primals, padding_config=padding_config)
        x, value = (zeros(t.aval) if type(t) is Zero else t for t in tangents)
        return y, self.bind(x, value, padding_config=padding_config)

    def transpose(
        self, ct: Any, x: Any, value: Any, *, padding_config: PaddingConfig
    ) -> Sequence[Any]:
        ct_x = ct_value = None
        if is_linear(x):
            cut = tuple([(-low, -high, 0) for low, high, _ in padding_config])
            ct_x = self.bind(ct, _zero_like(ct.aval), padding_config=cut)
            if any(interior for _, _, interior in padding_config):
                shape = ct_x.aval.shape
                steps = tuple([interior + 1 for _, _, interior in padding_config])
                ct_x = slice_p.bind(
                    ct_x, start_indices=(0,) * len(shape), limit_indices=shape, strides=steps
                )
        if is_linear(value):
            outside = select(padding_mask(x.aval.shape, padding_config), ct, _zero_like(ct.aval))
            ct_value = reduce_sum(outside, tuple(range(ct.aval.ndim)))
        return ct_x, ct_value

    def batch(
        self, axis: AxisData, args: Sequence[Any], dims: Sequence[Any], *, padding_config: PaddingConfig
    ) -> tuple[Any, Any]:
        (x, value), (d, value_dim) = args, dims
        if value_dim is None:
            config = (*padding_config[:d], (0, 0, 0), *padding_config[d:])
            return self.bind(x, value, padding_config=config), d
        x = batch_to(x, d, 0, axis)
        config = ((0, 0, 0), *padding_config)
        inside = self.bind(x, _zero_like(x.aval), padding_config=config)
        shape = inside.aval.shape
        return select(
            padding_mask(x.aval.shape, config), broadcast_in_dim(value, shape, (0,)), inside
        ), 0

    def lower(self, ctx: Any, x: Any, value: Any, *, padding_config: PaddingConfig) -> Any:
        return ctx.pad(x, value, padding_config)


pad_p = Pad("pad")


def padding_mask(shape: Dims, config: PaddingConfig) -> Array:
    """A boolean array that is true where padding an array of ``shape`` puts the padding value."""
    inside = broadcast_in_dim(scalar_array(False, dtypes.bool_), shape, ())
    return pad_p.bind(inside, scalar_array(True, dtypes.bool_), padding_config=config)


def pad(operand: Any, padding_value: Any, padding_config: Sequence[tuple[int, int, int]]) -> Array:
    """Pads (and with negative amounts cuts) every dimension of ``operand``.

    Args:
      operand: array of rank n.
      padding_value: scalar of the operand's dtype.
      padding_config: n triples ``(low, high, interior)``: how many elements to put before, after,
        and between each two elements. Negative ``low`` and ``high`` remove elements, after the
        interior ones have been inserted.

    Raises:
      TypeError: the dtypes differ.
      ValueError: ``padding_config`` does not fit the operand, or removes more than there is.
      NotImplementedError: the operand is unreduced, and the value not zero.

    Example:
      >>> import numpy as np
      >>> from fungrad import lax
      >>> lax.pad(np.arange(1, 4), 0, [(2, -1, 1)])
      Array([0, 0, 1, 0, 2, 0], dtype=int32)
    """
    operand, padding_value = lift_pair("pad", operand, padding_value)
    config = tuple([int_tuple(c) for c in padding_config])
    unreduced = summed_sets(operand.aval)[0]
    if unreduced and summed_sets(padding_value.aval)[0] != unreduced:
        # Every device would add the value.
        if not isinstance(padding_value, ArrayImpl) or padding_value._data.item() != 0:
            raise NotImplementedError(
                f"fungrad.lax.pad: an operand that is unreduced can be padded with zeros only, got {padding_value!r} "
                f"for {operand.aval.str_short()}; reduce it first with fungrad.reshard, in shard_map with lax.psum"
            )
    return pad_p.bind(operand, padding_value, padding_config=config)


# -- rev -------------------------------------------------------------------------------------------


class Rev(Structural):
    """Reverses the order of elements along dimensions."""

    def abstract_eval(self, x: ShapedArray, *, dimensions: Dims) -> ShapedArray:
        if len(set(dimensions)) != len(dimensions) or not all(0 <= d < x.ndim for d in dimensions):
            raise TypeError(
                f"fungrad.lax.rev: dimensions must be distinct and in [0, {x.ndim}) for operand "
                f"{x.str_short()}, got {dimensions}"
            )
        return x

    def impl(self, x: np.ndarray, *, dimensions: Dims) -> np.ndarray:
        return compact(np.flip(x, dimensions))

    def transpose(self, ct: Any, *args: Any, dimensions: Dims) -> Sequence[Any]:
        return (self.bind(ct, dimensions=dimensions),)

    def batch(
        self, axis: AxisData, args: Sequence[Any], dims: Sequence[Any], *, dimensions: Dims
    ) -> tuple[Any, Any]:
        d = dims[0]
        return self.bind(args[0], dimensions=tuple([r + (r >= d) for r in dimensions])), d

    def lower(self, ctx: Any, x: Any, *, dimensions: Dims) -> Any:
        return ctx.reverse(x, dimensions)


rev_p = Rev("rev")


def rev(operand: Any, dimensions: Sequence[int]) -> Array:
    """Reverses ``operand`` along ``dimensions``, which must be non-negative.

    Raises:
      TypeError: a dimension does not exist or is named twice.

    Example:
      >>> import numpy as np
      >>> from fungrad import lax
      >>> lax.rev(np.arange(4), (0,))
      Array([3, 2, 1, 0], dtype=int32)
    """
    operand = lift(operand, "fungrad.lax.rev: operand")
    return rev_p.bind(operand, dimensions=int_tuple(dimensions))


# -- iota ------------------------------------------------------------------------------------------


class Iota(Primitive):
    """Positions along one dimension; no operands."""

    kind = "structural"
    cheap = True
    quiet = True

    def abstract_eval(self, *, dtype: np.dtype, shape: Dims, dimension: int) -> ShapedArray:
        api = "fungrad.lax.iota"
        if any(n < 0 for n in shape):
            raise TypeError(f"{api}: sizes must not be negative, got {shape}")
        if not 0 <= dimension < len(shape):
            raise ValueError(
                f"{api}: dimension must be in [0, {len(shape)}) for shape {shape}, got {dimension}"
            )
        out = ShapedArray(shape, dtype)
        check_kind("iota", out, "iufc")
        return out

    def impl(self, *, dtype: np.dtype, shape: Dims, dimension: int) -> np.ndarray:
        row = np.arange(shape[dimension]).astype(dtype)
        if len(shape) == 1:
            return row
        out = np.empty(shape, dtype)
        out[...] = row.reshape((-1,) + (1,) * (len(shape) - dimension - 1))
        return out

    def lower(self, ctx: Any, *, dtype: np.dtype, shape: Dims, dimension: int) -> Any:
        return ctx.iota(shape, dtype, dimension)


iota_p = Iota("iota")


def iota(dtype: Any, size: int) -> Array:
    """The numbers ``0 ... size - 1`` as a 1-d array; integers wrap where ``dtype`` is too narrow.

    Raises:
      TypeError: ``size`` is negative or ``dtype`` is not numeric.

    Example:
      >>> from fungrad import lax
      >>> lax.iota('float32', 3)
      Array([0., 1., 2.], dtype=float32)
    """
    return broadcasted_iota(dtype, (size,), 0)


def broadcasted_iota(dtype: Any, shape: Sequence[int], dimension: int, *, out_sharding: Any = None) -> Array:
    """An array of ``shape`` whose elements are their positions along ``dimension``.

    Raises:
      TypeError: a size is negative or ``dtype`` is not numeric.
      ValueError: ``dimension`` does not exist.

    Example:
      >>> from fungrad import lax
      >>> lax.broadcasted_iota('int32', (2, 3), 1)
      Array([[0, 1, 2],
             [0, 1, 2]], dtype=int32)
    """
    if out_sharding is not None:
        return at_sharding(broadcasted_iota, out_sharding, "fungrad.lax.broadcasted_iota", dtype, shape, dimension)
    dtype = dtypes.canonicalize_dtype(dtype, "fungrad.lax.iota: dtype")
    return iota_p.bind(dtype=dtype, shape=int_tuple(shape), dimension=operator.index(dimension))


# -- functions of other primitives -----------------------------------------------------------------


def broadcast(operand: Any, sizes: Sequence[int], *, out_sharding: Any = None) -> Array:
    """Adds leading dimensions of ``sizes`` by repetition.

    Example:
      >>> from fungrad import lax
      >>> lax.broadcast(7, (2, 2))
      Array([[7, 7],
             [7, 7]], dtype=int32, weak_type=True)
    """
    if out_sharding is not None:
        return at_sharding(broadcast, out_sharding, "fungrad.lax.broadcast", operand, sizes)
    operand = lift(operand, "fungrad.lax.broadcast: operand")
    sizes = int_tuple(sizes)
    if any(n < 0 for n in sizes):
        raise TypeError(f"fungrad.lax.broadcast: sizes must not be negative, got {sizes}")
    shape = (*sizes, *operand.aval.shape)
    return broadcast_in_dim(operand, shape, tuple(range(len(sizes), len(shape))))


def broadcast_to_rank(x: Any, rank: int) -> Array:
    """``x`` with leading dimensions of size 1 so that it has at least ``rank`` dimensions.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import lax
      >>> lax.broadcast_to_rank(jnp.ones(3), 3).shape
      (1, 1, 3)
    """
    x = lift(x, "fungrad.lax.broadcast_to_rank: x")
    return expand_dims(x, range(builtins.max(rank - x.aval.ndim, 0)))


def collapse(operand: Any, start_dimension: int, stop_dimension: int | None = None) -> Array:
    """Merges the dimensions ``start_dimension`` up to, not including, ``stop_dimension`` into one.

    Positions are those of a Python slice: negative ones count from the end, and a range of no
    dimensions inserts one of size 1.

    Raises:
      ValueError: the range ends before it starts.

    Example:
      >>> import numpy as np
      >>> from fungrad import lax
      >>> lax.collapse(np.ones((2, 3, 4)), 1).shape
      (2, 12)
    """
    operand = lift(operand, "fungrad.lax.collapse: operand")
    shape = operand.aval.shape
    low, high, _ = builtins.slice(start_dimension, stop_dimension).indices(len(shape))
    if low > high:
        raise ValueError(
            f"fungrad.lax.collapse: the dimensions [{start_dimension}:{stop_dimension}] of "
            f"operand {operand.aval.str_short()} end before they start"
        )
    return reshape(operand, (*shape[:low], math.prod(shape[low:high]), *shape[high:]))


def broadcast_shapes(*shapes: Sequence[int]) -> Dims:
    """The shape to which NumPy broadcasts arrays of ``shapes``.

    Raises:
      TypeError: a size is negative, or no integer.
      ValueError: they do not broadcast.

    Example:
      >>> from fungrad import lax
      >>> lax.broadcast_shapes((2, 1), (3,), ())
      (2, 3)
    """
    out: list[int] = []
    tuples = [int_tuple(s) for s in shapes]
    if any(size < 0 for s in tuples for size in s):
        raise TypeError(f"fungrad.lax.broadcast_shapes: sizes must not be negative, got {', '.join(map(str, tuples))}")
    for position in range(builtins.max(map(len, tuples), default=0)):
        sizes = {s[-1 - position] for s in tuples if len(s) > position} - {1}
        if len(sizes) > 1:
            raise ValueError(
                f"fungrad.lax.broadcast_shapes: shapes {', '.join(map(str, tuples))} do not "
                "broadcast: sizes must be equal or 1 in every dimension, counted from the last"
            )
        out.append(sizes.pop() if sizes else 1)
    return tuple(reversed(out))
