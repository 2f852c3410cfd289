"""Slices at positions that are computed: dynamic_slice, dynamic_update_slice and their
one-dimensional forms.

Positions are clamped so that the whole slice lies inside the operand, as in JAX.

May import ``core``, ``ops._operands``, ``ops.foundation``, ``ops.elementwise``, ``ops.cast``,
``ops.compare``,
``ops.shape``, ``ops.joining``, ``ops.indexing`` and ``ops.scatter``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fungrad.core import dtypes
from fungrad.core.array import Array, ArrayImpl, as_array
from fungrad.core.avals import ShapedArray, Zero
from fungrad.core.context import AxisData
from fungrad.core.dimensions import as_size, index_bound, is_symbolic
from fungrad.core.primitive import Primitive, is_linear
from fungrad.ops._operands import lift, scalar_array
from fungrad.ops.cast import convert_element_type
from fungrad.ops.compare import lt, select
from fungrad.ops.elementwise import add
from fungrad.ops.foundation import Dims, batch_to, instantiate, move_dim, reshape, zeros
from fungrad.ops.indexing import GatherDimensionNumbers, gather
from fungrad.ops.joining import stack
from fungrad.ops.scatter import ScatterDimensionNumbers, scatter
from fungrad.ops.shape import canonical_axis, compact, index_in_dim, int_tuple, squeeze_p


def _check(name: str, x: ShapedArray, sizes: Dims, indices: Sequence[ShapedArray]) -> None:
    """Raises unless ``indices`` are positions of a box of ``sizes`` in ``x``."""
    api = f"fungrad.lax.{name}"
    if len(indices) != x.ndim or len(sizes) != x.ndim:
        raise TypeError(
            f"{api}: expected one start index and one size per dimension of operand "
            f"{x.str_short()}, got {len(indices)} indices and sizes {sizes}"
        )
    if any(not 0 <= s <= n for s, n in zip(sizes, x.shape, strict=True)):
        raise TypeError(
            f"{api}: sizes must be between 0 and those of the operand {x.str_short()}, got {sizes}"
        )
    types = ", ".join(i.str_short() for i in indices)
    if any(i.shape for i in indices):
        raise TypeError(f"{api}: start indices must be scalars, got {types}")
    if indices and (not dtypes.is_integer(indices[0].dtype) or len({i.dtype for i in indices}) > 1):
        raise TypeError(f"{api}: start indices must be integers of one dtype, got {types}")


def _box(shape: Dims, sizes: Dims, starts: Sequence[np.ndarray]) -> tuple[slice, ...]:
    """The clamped box as an index."""
    out = []
    for n, size, start in zip(shape, sizes, starts, strict=True):
        at = int(start)
        at = 0 if at < 0 else at if at <= n - size else n - size
        out.append(slice(at, at + size))
    return tuple(out)


def _clamped(m: Any, start: Any, limit: int) -> Any:
    """Native code: ``start`` moved into ``[0, limit]``."""
    return m.max(m.min(start, limit), 0)


class DynamicSlice(Primitive):
    """A box of static size at a computed position; linear in the operand."""

    kind = "gather"

    def abstract_eval(
        self, x: ShapedArray, *indices: ShapedArray, slice_sizes: Dims
    ) -> ShapedArray:
        _check("dynamic_slice", x, slice_sizes, indices)
        return x.update(shape=slice_sizes)

    def impl(self, x: np.ndarray, *indices: np.ndarray, slice_sizes: Dims) -> np.ndarray:
        return compact(x[_box(x.shape, slice_sizes, indices)])

    def jvp(
        self, primals: Sequence[Any], tangents: Sequence[Any], *, slice_sizes: Dims
    ) -> tuple[Any, Any]:
        y = self.bind(*primals, slice_sizes=slice_sizes)
        if type(tangents[0]) is Zero:
            return y, Zero(y.aval.tangent())
        return y, self.bind(tangents[0], *primals[1:], slice_sizes=slice_sizes)

    def transpose(self, ct: Any, x: Any, *indices: Any, slice_sizes: Dims) -> Sequence[Any]:
        return dynamic_update_slice_p.bind(zeros(x.aval), ct, *indices), *([None] * len(indices))

    def batch(
        self, axis: AxisData, args: Sequence[Any], dims: Sequence[Any], *, slice_sizes: Dims
    ) -> tuple[Any, Any]:
        (x, *indices), (d, *index_dims) = args, dims
        if all(i is None for i in index_dims):
            first = scalar_array(0, indices[0].aval.dtype if indices else dtypes.int32)
            indices.insert(d, first)
            return self.bind(
                x, *indices, slice_sizes=(*slice_sizes[:d], axis.size, *slice_sizes[d:])
            ), d
        x = move_dim(x, d, 0)
        paired = 0 if d is None else 1
        numbers = GatherDimensionNumbers(
            offset_dims=tuple(range(1, len(slice_sizes) + 1)),
            collapsed_slice_dims=(),
            start_index_map=tuple(range(paired, len(slice_sizes) + paired)),
            operand_batching_dims=(0,) * paired,
            start_indices_batching_dims=(0,) * paired,
        )
        sizes = (min(1, axis.size),) * paired + slice_sizes
        positions = _index_vectors(indices, index_dims, axis.size)
        return gather(x, positions, numbers, sizes, mode="clip"), 0

    def lower(self, ctx: Any, x: Any, *indices: Any, slice_sizes: Dims) -> Any:
        limits = [n - s for n, s in zip(x.shape, slice_sizes, strict=True)]

        def element(m: Any, *i: Any) -> Any:
            starts = [
                _clamped(m, m.load(v), limit) for v, limit in zip(indices, limits, strict=True)
            ]
            return m.load(
                x, *[s + m.index(k, v.dtype) for s, k, v in zip(starts, i, indices, strict=True)]
            )

        return ctx.compute(slice_sizes, x.dtype, element)


def _index_vectors(indices: Sequence[Any], dims: Sequence[Any], size: int) -> Any:
    """Batched start indices as one array of shape ``(size, number of dimensions)``."""
    return stack([batch_to(i, d, 0, size) for i, d in zip(indices, dims, strict=True)], 1)


class DynamicUpdateSlice(Primitive):
    """The operand with a box at a computed position replaced; linear in the operand and the
    update.
    """

    kind = "gather"

    def abstract_eval(
        self, x: ShapedArray, update: ShapedArray, *indices: ShapedArray
    ) -> ShapedArray:
        api = "fungrad.lax.dynamic_update_slice"
        if update.dtype != x.dtype:
            raise TypeError(
                f"{api}: update must have the dtype of the operand {x.str_short()}, got "
                f"{update.str_short()}; convert it with .astype"
            )
        if update.ndim != x.ndim:
            raise TypeError(
                f"{api}: update must have as many dimensions as the operand {x.str_short()}, got "
                f"{update.str_short()}"
            )
        _check("dynamic_update_slice", x, update.shape, indices)
        return x.strip_weak_type()

    def impl(self, x: np.ndarray, update: np.ndarray, *indices: np.ndarray) -> np.ndarray:
        out = x.copy()
        out[_box(x.shape, update.shape, indices)] = update
        return out

    def jvp(
        self, primals: Sequence[Any], tangents: Sequence[Any], **params: Any
    ) -> tuple[Any, Any]:
        y = self.bind(*primals)
        if type(tangents[0]) is Zero and type(tangents[1]) is Zero:
            return y, Zero(y.aval.tangent())
        return y, self.bind(*map(instantiate, tangents[:2]), *primals[2:])

    def transpose(self, ct: Any, x: Any, update: Any, *indices: Any) -> Sequence[Any]:
        ct_x = ct_update = None
        if is_linear(x):
            ct_x = self.bind(ct, zeros(ShapedArray(update.aval.shape, ct.aval.dtype)), *indices)
        if is_linear(update):
            ct_update = dynamic_slice_p.bind(ct, *indices, slice_sizes=update.aval.shape)
        return ct_x, ct_update, *([None] * len(indices))

    def batch(
        self, axis: AxisData, args: Sequence[Any], dims: Sequence[Any], **params: Any
    ) -> tuple[Any, Any]:
        (x, update, *indices), (d, update_dim, *index_dims) = args, dims
        x, update = batch_to(x, d, 0, axis), batch_to(update, update_dim, 0, axis)
        if all(i is None for i in index_dims):
            first = scalar_array(0, indices[0].aval.dtype if indices else dtypes.int32)
            return self.bind(x, update, first, *indices), 0
        window = tuple(range(1, x.aval.ndim))
        numbers = ScatterDimensionNumbers(
            update_window_dims=window,
            inserted_window_dims=(),
            scatter_dims_to_operand_dims=window,
            operand_batching_dims=(0,),
            scatter_indices_batching_dims=(0,),
        )
        positions = _index_vectors(indices, index_dims, axis.size)
        return scatter(
            x, positions, update, numbers, indices_are_sorted=True, unique_indices=True, mode="clip"
        ), 0

    def lower(self, ctx: Any, x: Any, update: Any, *indices: Any) -> Any:
        limits = [n - s for n, s in zip(x.shape, update.shape, strict=True)]

        def element(m: Any, *i: Any) -> tuple[Any, Any, Any]:
            starts = [
                _clamped(m, m.load(v), limit) for v, limit in zip(indices, limits, strict=True)
            ]
            at = [s + m.index(k, v.dtype) for s, k, v in zip(starts, i, indices, strict=True)]
            return at, m.load(update, *i), None

        return ctx.scatter(x, update.shape, element, None)


dynamic_slice_p = DynamicSlice("dynamic_slice")
dynamic_update_slice_p = DynamicUpdateSlice("dynamic_update_slice")


# -- user functions --------------------------------------------------------------------------------


def _start_indices(
    api: str, starts: Any, shape: Dims, allow_negative: bool | Sequence[bool]
) -> list[Any]:
    """One scalar per dimension, negative ones counted from the end where that is allowed."""
    if isinstance(starts, (Array, np.ndarray)):
        starts = as_array(starts, f"{api}: start_indices")
        if starts.aval.ndim != 1:
            raise ValueError(
                f"{api}: start_indices must be a sequence or a 1-d array, got "
                f"{starts.aval.str_short()}"
            )
        starts = [index_in_dim(starts, k, 0, keepdims=False) for k in range(starts.aval.shape[0])]
    starts = list(starts)
    if len(starts) != len(shape):
        raise ValueError(
            f"{api}: expected one start index per dimension of an operand of shape {shape}, got "
            f"{len(starts)}"
        )
    if isinstance(allow_negative, Sequence):
        allowed = tuple(allow_negative)
    else:
        allowed = (bool(allow_negative),) * len(shape)
    if len(allowed) != len(shape):
        raise ValueError(
            f"{api}: allow_negative_indices must be a bool or have one per dimension of an "
            f"operand of shape {shape}, got {allow_negative}"
        )
    # Python integers take the dtype of the others.
    dtype: np.dtype = dtypes.int32
    for start in starts:
        if isinstance(start, (Array, np.ndarray, np.generic)):
            dtype = dtypes.default_width(start.dtype)
            break
    if dtypes.is_integer(dtype) and max(map(index_bound, shape), default=0) > dtypes.iinfo(dtype).max:
        # Positions that the dtype cannot hold are counted from the end all the same.
        dtype = dtypes.int32 if max(map(index_bound, shape)) < 2**31 else dtypes.int64
        starts = [s if isinstance(s, int) else _as_integer(api, s, dtype) for s in starts]
    return [
        _start_index(api, s, n, ok, dtype) for s, n, ok in zip(starts, shape, allowed, strict=True)
    ]


def _as_integer(api: str, start: Any, dtype: np.dtype) -> Array:
    start = lift(start, f"{api}: start index")
    return convert_element_type(start, dtype) if dtypes.is_integer(start.dtype) else start


def _start_index(api: str, start: Any, size: int, allow_negative: bool, dtype: np.dtype) -> Any:
    if isinstance(start, int):
        if start < 0 and not allow_negative:
            raise ValueError(
                f"{api}: start index {start} is negative, which "
                "allow_negative_indices=False forbids"
            )
        return _static_index(start + size if start < 0 else start, dtype)
    if not isinstance(start, Array):
        start = as_array(start, f"{api}: start index")
    aval = start.aval
    if aval.shape or not dtypes.is_integer(aval.dtype):
        return start  # the primitive refuses it
    if not dtypes.is_signed(aval.dtype) or not allow_negative:
        return start
    if type(start) is ArrayImpl:
        value = int(start._data)
        return start if value >= 0 else _static_index(value + size, aval.dtype)
    return select(lt(start, 0), add(start, size), start)


def _static_index(value: int, dtype: np.dtype) -> Array:
    """A known index, as near to it as its dtype allows."""
    dtype = dtype if dtypes.is_integer(dtype) else dtypes.int32
    if is_symbolic(value):
        return convert_element_type(as_array(value), dtype)
    info = dtypes.iinfo(dtype)
    return scalar_array(min(max(value, int(info.min)), int(info.max)), dtype)


def dynamic_slice(
    operand: Any,
    start_indices: Any,
    slice_sizes: Sequence[int],
    *,
    allow_negative_indices: bool | Sequence[bool] = True,
) -> Array:
    """A slice of static size at a position that may be computed.

    Args:
      operand: array of rank n.
      start_indices: n integer scalars, or an integer array of shape ``(n,)``. Negative ones count
        from the end; then all are clamped so that the slice lies inside the operand.
      slice_sizes: n static sizes, at most those of the operand.
      allow_negative_indices: whether (for all dimensions or for each) negative indices count from
        the end.

    Returns:
      An array of shape ``slice_sizes``.

    Raises:
      TypeError: sizes do not fit the operand, or indices are not integers of one dtype.
      ValueError: not n indices.

    Example:
      >>> import numpy as np
      >>> from fungrad import lax
      >>> lax.dynamic_slice(np.arange(6).reshape(2, 3), (0, 2), (2, 2))
      Array([[1, 2],
             [4, 5]], dtype=int32)
    """
    operand = lift(operand, "fungrad.lax.dynamic_slice: operand")
    starts = _start_indices(
        "fungrad.lax.dynamic_slice", start_indices, operand.aval.shape, allow_negative_indices
    )
    return dynamic_slice_p.bind(operand, *starts, slice_sizes=int_tuple(slice_sizes))


def dynamic_update_slice(
    operand: Any, update: Any, start_indices: Any, *, allow_negative_indices: bool | Sequence[bool] = True
) -> Array:
    """``operand`` with the slice at a position that may be computed replaced by ``update``.

    Args:
      operand: array of rank n.
      update: array of rank n and the operand's dtype, nowhere larger than it.
      start_indices: n integer scalars, or an integer array of shape ``(n,)``. Negative ones count
        from the end; then all are clamped so that the update lies inside the operand.
      allow_negative_indices: whether (for all dimensions or for each) negative indices count from
        the end.

    Returns:
      An array of the operand's shape.

    Raises:
      TypeError: the update does not fit the operand, or indices are not integers of one dtype.
      ValueError: not n indices.

    Example:
      >>> import numpy as np
      >>> from fungrad import lax
      >>> lax.dynamic_update_slice(np.zeros(4), np.ones(2), (9,))
      Array([0., 0., 1., 1.], dtype=float32)
    """
    operand = lift(operand, "fungrad.lax.dynamic_update_slice: operand")
    update = lift(update, "fungrad.lax.dynamic_update_slice: update")
    starts = _start_indices(
        "fungrad.lax.dynamic_update_slice",
        start_indices,
        operand.aval.shape,
        allow_negative_indices,
    )
    return dynamic_update_slice_p.bind(operand, update, *starts)


def _along(api: str, operand: Array, index: Any, axis: int) -> tuple[list[Any], int]:
    """Start indices that are 0 in all dimensions but ``axis``, which is counted from the front."""
    axis = canonical_axis(api, axis, operand.aval.ndim)
    starts: list[Any] = [0] * operand.aval.ndim
    starts[axis] = index
    return starts, axis


def dynamic_slice_in_dim(
    operand: Any, start_index: Any, slice_size: int, axis: int = 0, *, allow_negative_indices: bool = True
) -> Array:
    """``dynamic_slice`` along one dimension.

    Args:
      operand: array.
      start_index: integer scalar.
      slice_size: static size.
      axis: dimension to slice; may be negative.
      allow_negative_indices: whether a negative index counts from the end.

    Example:
      >>> import numpy as np
      >>> from fungrad import lax
      >>> lax.dynamic_slice_in_dim(np.arange(5), -2, 2)
      Array([3, 4], dtype=int32)
    """
    operand = lift(operand, "fungrad.lax.dynamic_slice_in_dim: operand")
    starts, axis = _along("fungrad.lax.dynamic_slice_in_dim", operand, start_index, axis)
    sizes = list(operand.aval.shape)
    sizes[axis] = as_size(slice_size)
    return dynamic_slice(operand, starts, sizes, allow_negative_indices=allow_negative_indices)


def dynamic_index_in_dim(
    operand: Any, index: Any, axis: int = 0, keepdims: bool = True, *, allow_negative_indices: bool = True
) -> Array:
    """One position of one dimension, which may be computed.

    Args:
      operand: array.
      index: integer scalar; clamped into range.
      axis: dimension to index; may be negative.
      keepdims: whether the dimension stays, with size 1.
      allow_negative_indices: whether a negative index counts from the end.

    Example:
      >>> import numpy as np
      >>> from fungrad import lax
      >>> lax.dynamic_index_in_dim(np.arange(6).reshape(2, 3), 2, axis=1, keepdims=False)
      Array([2, 5], dtype=int32)
    """
    operand = lift(operand, "fungrad.lax.dynamic_index_in_dim: operand")
    out = dynamic_slice_in_dim(
        operand, index, 1, axis, allow_negative_indices=allow_negative_indices
    )
    if keepdims:
        return out
    axis = canonical_axis("fungrad.lax.dynamic_index_in_dim", axis, operand.aval.ndim)
    return squeeze_p.bind(out, dimensions=(axis,))


def dynamic_update_slice_in_dim(
    operand: Any, update: Any, start_index: Any, axis: int, *, allow_negative_indices: bool = True
) -> Array:
    """``dynamic_update_slice`` along one dimension.

    Args:
      operand: array.
      update: array of the operand's rank and dtype.
      start_index: integer scalar.
      axis: dimension along which the update is placed; may be negative.
      allow_negative_indices: whether a negative index counts from the end.

    Example:
      >>> import numpy as np
      >>> from fungrad import lax
      >>> lax.dynamic_update_slice_in_dim(np.zeros(4), np.ones(2), 1, axis=0)
      Array([0., 1., 1., 0.], dtype=float32)
    """
    operand = lift(operand, "fungrad.lax.dynamic_update_slice_in_dim: operand")
    starts, _ = _along("fungrad.lax.dynamic_update_slice_in_dim", operand, start_index, axis)
    return dynamic_update_slice(
        operand, update, starts, allow_negative_indices=allow_negative_indices
    )


def dynamic_update_index_in_dim(
    operand: Any, update: Any, index: Any, axis: int, *, allow_negative_indices: bool = True
) -> Array:
    """``operand`` with one position of one dimension, which may be computed, replaced.

    Args:
      operand: array.
      update: array of the operand's dtype: of its rank with size 1 along ``axis``, or of its shape
        without ``axis``.
      index: integer scalar; clamped into range.
      axis: dimension; may be negative.
      allow_negative_indices: whether a negative index counts from the end.

    Example:
      >>> import numpy as np
      >>> from fungrad import lax
      >>> lax.dynamic_update_index_in_dim(np.zeros(3), 7.0, 1, axis=0)
      Array([0., 7., 0.], dtype=float32)
    """
    api = "fungrad.lax.dynamic_update_index_in_dim"
    operand, update = lift(operand, f"{api}: operand"), lift(update, f"{api}: update")
    axis = canonical_axis(api, axis, operand.aval.ndim)
    if update.aval.ndim != operand.aval.ndim:
        shape = operand.aval.shape
        if update.aval.ndim != operand.aval.ndim - 1:
            raise TypeError(
                f"{api}: update must have the rank of the operand {operand.aval.str_short()} or "
                f"one less, got {update.aval.str_short()}"
            )
        shape = (*update.aval.shape[:axis], 1, *update.aval.shape[axis:])
        update = reshape(update, shape)
    return dynamic_update_slice_in_dim(
        operand, update, index, axis, allow_negative_indices=allow_negative_indices
    )
