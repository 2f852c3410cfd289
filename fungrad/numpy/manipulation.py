"""Changing the shape and the order of elements: reshape, transpose, flip, roll, repeat and their relatives.

May import ``core``, ``ops``, ``numpy._promotion`` and the modules of ``numpy`` before it.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from fungrad.core import dtypes
from fungrad.core.arguments import brief, index
from fungrad.core.array import Array
from fungrad.core.context import Tracer
from fungrad.core.dimensions import as_size, is_symbolic, is_symbolic_shape
from fungrad.errors import IncompatibleShapesError
from fungrad.numpy import creation, division, ufuncs
from fungrad.numpy._promotion import broadcast_shapes, operand, unwrapped
from fungrad.ops import cumulative, dynamic, foundation, indexing, joining, shape as shape_ops
from fungrad.ops.compare import lt as lax_lt, select_n
from fungrad.ops.elementwise import add, sub
from fungrad.ops.resharding import at_sharding
from fungrad.ops.shape import canonical_axis


def axes_tuple(api: str, axis: Any, ndim: int) -> tuple[int, ...]:
    """An ``axis=`` argument, an int or a sequence of ints, as distinct non-negative axes in the order given.

    Raises:
      ValueError: an axis does not exist or is named twice.
      TypeError: an axis is not a static integer.
    """
    try:
        given = [operator.index(a) for a in axis] if isinstance(axis, Sequence) else [operator.index(axis)]
    except TypeError as error:
        if type(error) is not TypeError:
            raise  # a traced axis has its own explanation
        raise TypeError(
            f"fungrad.numpy.{api}: axis must be an integer or a tuple of integers, got {brief(axis)}"
        ) from error
    out = tuple([canonical_axis(f"fungrad.numpy.{api}", a, ndim) for a in given])
    if len(set(out)) != len(out):
        raise IncompatibleShapesError(
            f"fungrad.numpy.{api}: axes must be distinct, got {tuple(given)} for an array of {ndim} dimensions"
        )
    return out


def no_out(api: str, out: Any) -> None:
    """Raises if an ``out=`` argument was given."""
    if out is not None:
        raise NotImplementedError(f"fungrad.numpy.{api}: out= is not supported, arrays are immutable; use the result")


# -- shape -------------------------------------------------------------------------------------------------------------


def new_shape(api: str, aval: Any, shape: Any) -> tuple[int, ...]:
    """The target of a reshape, with -1 replaced by the size that is left.

    Raises:
      TypeError: the number of elements differs, or a size is not an integer.
    """
    try:
        sizes = [as_size(shape)] if not isinstance(shape, (tuple, list)) and np.ndim(shape) == 0 else [
            as_size(n) for n in shape
        ]
    except TypeError as error:
        if type(error) is not TypeError:
            raise
        raise TypeError(f"fungrad.numpy.{api}: shape must be made of integers, got {shape!r}") from error
    unknown = [i for i, n in enumerate(sizes) if n == -1]
    if len(unknown) > 1 or any(n < -1 for n in sizes):
        raise ValueError(f"fungrad.numpy.{api}: at most one size may be -1 and none may be less, got {tuple(sizes)}")
    known = math.prod(n for n in sizes if n != -1)
    if unknown and known and aval.size % known == 0:
        sizes[unknown[0]] = aval.size // known
    elif unknown or known != aval.size:
        raise IncompatibleShapesError(
            f"fungrad.numpy.{api}: cannot reshape {aval.str_short()} of {aval.size} elements to shape {tuple(sizes)}"
            + ("" if unknown else f", which has {known}")
        )
    return tuple(sizes)


def reshape(a: Any, shape: Any, order: str = "C", *, copy: bool | None = None, out_sharding: Any = None) -> Array:
    """The elements of an array in another shape.

    Args:
      a: array.
      shape: new shape; one size may be -1 and is computed.
      order: ``C`` counts the last index fastest, ``F`` the first.
      copy: ignored.

    Raises:
      TypeError: the number of elements differs.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.reshape(jnp.arange(6), (2, -1))
      Array([[0, 1, 2],
             [3, 4, 5]], dtype=int32)
    """
    if out_sharding is not None:
        return at_sharding(reshape, out_sharding, "fungrad.numpy.reshape", a, shape, order, copy=copy)
    a = operand(a, "reshape", "a")
    sizes = new_shape("reshape", a.aval, shape)
    if order == "C":
        return foundation.reshape(a, sizes)
    if order == "F":
        return transpose(foundation.reshape(transpose(a), sizes[::-1]))
    raise NotImplementedError(
        f"fungrad.numpy.reshape: order must be 'C' or 'F', got {order!r}; arrays have no memory order"
    )


def ravel(a: Any, order: str = "C", *, out_sharding: Any = None) -> Array:
    """The elements of an array in one dimension.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.ravel(jnp.array([[1, 2], [3, 4]]))
      Array([1, 2, 3, 4], dtype=int32)
    """
    if out_sharding is not None:
        return at_sharding(ravel, out_sharding, "fungrad.numpy.ravel", a, order)
    return reshape(a, (-1,) if operand(a, "ravel", "a").aval.size else (0,), "C" if order in ("K", "A") else order)


def transpose(a: Any, axes: Sequence[int] | None = None) -> Array:
    """The dimensions of an array in another order, by default reversed.

    Args:
      a: array.
      axes: for each result dimension the dimension of ``a`` it is.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.transpose(jnp.ones((2, 3, 4)), (0, -1, 1)).shape
      (2, 4, 3)
    """
    a = operand(a, "transpose", "a")
    n = a.aval.ndim
    order = tuple(range(n))[::-1] if axes is None else axes_tuple("transpose", tuple(axes), n)
    return foundation.transpose(a, order)


def permute_dims(a: Any, /, axes: Sequence[int]) -> Array:
    """The dimensions of an array in another order; see ``transpose``.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.permute_dims(jnp.zeros((2, 3, 4)), (2, 0, 1)).shape
      (4, 2, 3)
    """
    return transpose(a, axes)


def matrix_transpose(x: Any, /) -> Array:
    """The last two dimensions exchanged.

    Raises:
      ValueError: the array has fewer than two dimensions.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.matrix_transpose(jnp.array([[1, 2], [3, 4]]))
      Array([[1, 3],
             [2, 4]], dtype=int32)
    """
    x = operand(x, "matrix_transpose", "x")
    if x.aval.ndim < 2:
        raise ValueError(f"fungrad.numpy.matrix_transpose: x must have at least 2 dimensions, got {x.aval.str_short()}")
    return swapaxes(x, -1, -2)


def swapaxes(a: Any, axis1: int, axis2: int) -> Array:
    """Two dimensions exchanged.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.swapaxes(jnp.zeros((2, 3, 4)), 0, 2).shape
      (4, 3, 2)
    """
    a = operand(a, "swapaxes", "a")
    order = list(range(a.aval.ndim))
    i, j = (canonical_axis("fungrad.numpy.swapaxes", x, len(order)) for x in (axis1, axis2))
    order[i], order[j] = order[j], order[i]
    return foundation.transpose(a, order)


def moveaxis(a: Any, source: int | Sequence[int], destination: int | Sequence[int]) -> Array:
    """Dimensions moved to other positions, the others keeping their order.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.moveaxis(jnp.ones((2, 3, 4)), 0, -1).shape
      (3, 4, 2)
    """
    a = operand(a, "moveaxis", "a")
    n = a.aval.ndim
    origins, targets = axes_tuple("moveaxis", source, n), axes_tuple("moveaxis", destination, n)
    if len(origins) != len(targets):
        raise ValueError(
            f"fungrad.numpy.moveaxis: source and destination must have one length, got {source!r} and {destination!r}"
        )
    order = [d for d in range(n) if d not in origins]
    for target, origin in sorted(zip(targets, origins, strict=True)):
        order.insert(target, origin)
    return foundation.transpose(a, order)


def rollaxis(a: Any, axis: int, start: int = 0) -> Array:
    """Dimension ``axis`` moved before dimension ``start``.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.rollaxis(jnp.zeros((2, 3, 4)), 2).shape
      (4, 2, 3)
    """
    a = operand(a, "rollaxis", "a")
    n = a.aval.ndim
    axis = canonical_axis("fungrad.numpy.rollaxis", axis, n)
    if not -n <= start <= n:
        raise ValueError(f"fungrad.numpy.rollaxis: start must be in [{-n}, {n}] for {a.aval.str_short()}, got {start}")
    start = start + n if start < 0 else start
    return moveaxis(a, axis, start - 1 if start > axis else start)


def expand_dims(a: Any, axis: int | Sequence[int]) -> Array:
    """Dimensions of size 1 inserted at positions of the result.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.expand_dims(jnp.array([1, 2]), 0)
      Array([[1, 2]], dtype=int32)
    """
    a = operand(a, "expand_dims", "a")
    count = len(axis) if isinstance(axis, Sequence) else 1
    return shape_ops.expand_dims(a, axes_tuple("expand_dims", axis, a.aval.ndim + count))


def squeeze(a: Any, axis: int | Sequence[int] | None = None) -> Array:
    """Dimensions of size 1 removed: those named, or all.

    Raises:
      ValueError: a dimension is larger than 1.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.squeeze(jnp.zeros((1, 3, 1))).shape
      (3,)
    """
    a = operand(a, "squeeze", "a")
    shape = a.aval.shape
    if axis is None and is_symbolic_shape(shape):
        raise ValueError(
            f"fungrad.numpy.squeeze: jnp.squeeze with axis=None is not supported for symbolic dimensions, which may be "
            f"1, got {a.aval.str_short()}; name the axis"
        )
    axes = tuple(d for d, n in enumerate(shape) if n == 1) if axis is None else axes_tuple("squeeze", axis, len(shape))
    wrong = [d for d in axes if shape[d] != 1]
    if wrong:
        raise ValueError(
            f"fungrad.numpy.squeeze: cannot remove dimension {wrong[0]} of size {shape[wrong[0]]} of "
            f"{a.aval.str_short()}"
        )
    return shape_ops.squeeze(a, axes) if axes else a


def atleast_1d(*arys: Any) -> Any:
    """Arrays with at least one dimension.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.atleast_1d(2.0)
      Array([2.], dtype=float32, weak_type=True)
    """
    return _atleast("atleast_1d", arys, lambda x: shape_ops.expand_dims(x, (0,)) if x.aval.ndim < 1 else x)


def atleast_2d(*arys: Any) -> Any:
    """Arrays with at least two dimensions; new ones come first.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.atleast_2d(jnp.array([1, 2]))
      Array([[1, 2]], dtype=int32)
    """

    def widen(x: Array) -> Array:
        return shape_ops.expand_dims(x, tuple(range(2 - x.aval.ndim))) if x.aval.ndim < 2 else x

    return _atleast("atleast_2d", arys, widen)


def atleast_3d(*arys: Any) -> Any:
    """Arrays with at least three dimensions; vectors become (1, n, 1) and matrices (m, n, 1).

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.atleast_3d(jnp.array([1, 2])).shape
      (1, 2, 1)
    """

    def widen(x: Array) -> Array:
        new = {0: (0, 1, 2), 1: (0, 2), 2: (2,)}.get(x.aval.ndim)
        return x if new is None else shape_ops.expand_dims(x, new)

    return _atleast("atleast_3d", arys, widen)


def _atleast(api: str, arys: Sequence[Any], widen: Any) -> Any:
    if len(arys) == 1:
        return widen(operand(arys[0], api, "the argument"))
    return [widen(operand(a, api, f"argument {i}")) for i, a in enumerate(arys)]


# -- broadcasting ------------------------------------------------------------------------------------------------------


def broadcast_to(array: Any, shape: Any, *, out_sharding: Any = None) -> Array:
    """NumPy broadcast of an array to a shape.

    Raises:
      ValueError: a dimension, counted from the last, is neither 1 nor that of ``shape``.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.broadcast_to(jnp.arange(2), (2, 2))
      Array([[0, 1],
             [0, 1]], dtype=int32)
    """
    if out_sharding is not None:
        return at_sharding(broadcast_to, out_sharding, "fungrad.numpy.broadcast_to", array, shape)
    x = operand(array, "broadcast_to", "array")
    return creation.broadcast_to(x, creation.canonical_shape(shape, "broadcast_to"))


def broadcast_arrays(*args: Any) -> tuple[Array, ...]:
    """Arrays broadcast to their common shape.

    Args:
      *args: arrays and scalars.

    Raises:
      ValueError: the shapes do not broadcast.

    Example:
      >>> import fungrad.numpy as jnp
      >>> [x.shape for x in jnp.broadcast_arrays(jnp.ones((2, 1)), jnp.ones(3))]
      [(2, 3), (2, 3)]
    """
    arrays = [operand(a, "broadcast_arrays", f"argument {i}") for i, a in enumerate(args)]
    shape = broadcast_shapes(*[a.aval.shape for a in arrays])
    return tuple([foundation.broadcast(a, shape) for a in arrays])


# -- order of elements -------------------------------------------------------------------------------------------------


def flip(m: Any, axis: int | Sequence[int] | None = None) -> Array:
    """Elements in reversed order along axes, by default all.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.flip(jnp.arange(3))
      Array([2, 1, 0], dtype=int32)
    """
    m = operand(m, "flip", "m")
    return shape_ops.rev(m, range(m.aval.ndim) if axis is None else axes_tuple("flip", axis, m.aval.ndim))


def fliplr(m: Any) -> Array:
    """Columns in reversed order (axis 1).

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.fliplr(jnp.array([[1, 2], [3, 4]]))
      Array([[2, 1],
             [4, 3]], dtype=int32)
    """
    return flip(_of_rank(m, 2, "fliplr"), 1)


def flipud(m: Any) -> Array:
    """Rows in reversed order (axis 0).

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.flipud(jnp.array([[1, 2], [3, 4]]))
      Array([[3, 4],
             [1, 2]], dtype=int32)
    """
    return flip(_of_rank(m, 1, "flipud"), 0)


def _of_rank(x: Any, least: int, api: str) -> Array:
    x = operand(x, api, "m")
    if x.aval.ndim < least:
        raise ValueError(f"fungrad.numpy.{api}: m must have at least {least} dimensions, got {x.aval.str_short()}")
    return x


def rot90(m: Any, k: int = 1, axes: tuple[int, int] = (0, 1)) -> Array:
    """The plane of two axes turned by ``k`` right angles, from the first towards the second axis.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.rot90(jnp.array([[1, 2], [3, 4]]))
      Array([[2, 4],
             [1, 3]], dtype=int32)
    """
    m = _of_rank(m, 2, "rot90")
    if len(axes) != 2:
        raise ValueError(f"fungrad.numpy.rot90: axes must be two axes, got {axes}")
    first, second = axes_tuple("rot90", tuple(axes), m.aval.ndim)
    turns = index("fungrad.numpy.rot90", "k", k) % 4
    if turns == 0:
        return m
    if turns == 2:
        return flip(flip(m, first), second)
    order = list(range(m.aval.ndim))
    order[first], order[second] = second, first
    if turns == 1:
        return foundation.transpose(flip(m, second), order)
    return flip(foundation.transpose(m, order), second)


def roll(a: Any, shift: Any, axis: int | Sequence[int] | None = None) -> Array:
    """Elements shifted along axes; what leaves at the end enters at the front.

    Args:
      a: array.
      shift: number of positions, or one per axis; may be traced.
      axis: axis or axes; by default the flattened array is shifted.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.roll(jnp.arange(5), 2)
      Array([3, 4, 0, 1, 2], dtype=int32)
    """
    a, shift = operand(a, "roll", "a"), unwrapped(shift)
    if axis is None:
        return reshape(roll(ravel(a), shift, 0), a.aval.shape)
    shifts = list(shift) if isinstance(shift, (tuple, list)) or np.ndim(shift) == 1 else [shift]
    # An axis may be named several times: the shifts add up.
    given: Sequence[Any] = axis if isinstance(axis, (tuple, list)) else [axis]
    axes = [canonical_axis("fungrad.numpy.roll", d, a.aval.ndim) for d in given]
    if len(shifts) == 1:
        shifts *= len(axes)
    elif len(axes) == 1:
        axes *= len(shifts)
    if len(shifts) != len(axes):
        raise ValueError(f"fungrad.numpy.roll: shift and axis must have one length, got {len(shifts)} and {len(axes)}")
    for amount, d in zip(shifts, axes, strict=True):
        a = _roll_traced(a, amount, d) if isinstance(amount, Tracer) else _roll_static(a, as_size(amount), d)
    return a


def _roll_static(a: Array, shift: int, axis: int) -> Array:
    n = a.aval.shape[axis]
    at = shift % n if n else 0
    if at == 0:
        return a
    tail = shape_ops.slice_in_dim(a, n - at, n, axis=axis)
    return joining.concatenate([tail, shape_ops.slice_in_dim(a, 0, n - at, axis=axis)], axis)


def _roll_traced(a: Array, shift: Array, axis: int) -> Array:
    n = a.aval.shape[axis]
    if n == 0:
        return a
    twice = joining.concatenate([a, a], axis)
    start = sub(n, division.remainder(shift, n))
    return dynamic.dynamic_slice_in_dim(twice, start, n, axis)


# -- repetition --------------------------------------------------------------------------------------------------------


def tile(A: Any, reps: int | Sequence[int]) -> Array:
    """An array repeated as a whole along each dimension.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.tile(jnp.array([1, 2]), (2, 2))
      Array([[1, 2, 1, 2],
             [1, 2, 1, 2]], dtype=int32)
    """
    a = operand(A, "tile", "A")
    counts = (as_size(reps),) if np.ndim(reps) == 0 else tuple([as_size(r) for r in reps])  # type: ignore[union-attr, arg-type]
    if any(r < 0 for r in counts):
        raise ValueError(f"fungrad.numpy.tile: reps must not be negative, got {reps}")
    rank = max(len(counts), a.aval.ndim)
    counts = (1,) * (rank - len(counts)) + counts
    a = shape_ops.broadcast_to_rank(a, rank)
    return joining.tile(a, counts) if rank else a


def repeat(
    a: Any, repeats: Any, axis: int | None = None, *, total_repeat_length: int | None = None, out_sharding: Any = None
) -> Array:
    """Each element, or each slice along ``axis``, repeated.

    Args:
      a: array.
      repeats: how often: a number, or an array with one number per slice. If traced, the size of the result must be
        given as ``total_repeat_length``.
      axis: axis along which to repeat; by default the flattened array is repeated.
      total_repeat_length: size of the result along ``axis``; what is beyond is cut off, what is missing is filled with
        the last slice.

    Raises:
      ValueError: ``repeats`` does not match the axis.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.repeat(jnp.array([3, 4]), 2)
      Array([3, 3, 4, 4], dtype=int32)
      >>> jnp.repeat(jnp.array([3, 4]), jnp.array([1, 2]))
      Array([3, 4, 4], dtype=int32)
    """
    if out_sharding is not None:
        return at_sharding(
            repeat, out_sharding, "fungrad.numpy.repeat", a, repeats, axis, total_repeat_length=total_repeat_length
        )
    a = operand(a, "repeat", "a")
    if a.aval.placement is not None:
        spec = a.aval.placement.spec
        if any(spec) if axis is None else spec[axis] is not None:
            raise ValueError(
                "fungrad.numpy.repeat: Please pass sharding to `jnp.repeat` via `out_sharding` parameter, got an array "
                f"of type {a.aval} and axis={axis}"
            )
    if axis is None:
        a, axis = ravel(a), 0
    elif a.aval.ndim == 0:
        a = ravel(a)
    axis = canonical_axis("fungrad.numpy.repeat", axis, a.aval.ndim)
    n = a.aval.shape[axis]
    if total_repeat_length is None:
        if isinstance(repeats, (list, tuple)) and len(repeats) == 1:
            (repeats,) = repeats
        if is_symbolic(repeats):
            return _repeat_each(a, repeats, axis)
        counts = np.asarray(repeats)
        if counts.dtype.kind not in "iub":
            raise TypeError(f"fungrad.numpy.repeat: repeats must be integers, got dtype {counts.dtype}")
        if counts.size == 1:
            return _repeat_each(a, int(counts.reshape(())), axis)
        if counts.shape != (n,):
            raise ValueError(
                f"fungrad.numpy.repeat: repeats must be a number or have one entry for each of the {n} positions of "
                f"axis {axis}, got shape {counts.shape}"
            )
        return take_1d(a, np.repeat(np.arange(n, dtype=np.int32), counts), axis)
    if isinstance(repeats, (list, tuple)):
        repeats = creation.asarray(repeats)
    return _repeat_to_length(a, operand(repeats, "repeat", "repeats"), axis, as_size(total_repeat_length))


def _repeat_each(a: Array, count: Any, axis: int) -> Array:
    """``count`` copies of every element, a number or a symbolic dimension."""
    if count < 0:
        raise ValueError(f"fungrad.numpy.repeat: repeats must not be negative, got {count}")
    shape = a.aval.shape
    wide = (*shape[: axis + 1], count, *shape[axis + 1 :])
    dims = tuple(d for d in range(len(wide)) if d != axis + 1)
    return foundation.reshape(
        foundation.broadcast_in_dim(a, wide, dims), (*shape[:axis], shape[axis] * count, *shape[axis + 1 :])
    )


def _repeat_to_length(a: Array, counts: Array, axis: int, length: int) -> Array:
    n = a.aval.shape[axis]
    if n == 0 or length == 0:
        return creation.zeros((*a.aval.shape[:axis], 0 if n == 0 else length, *a.aval.shape[axis + 1 :]), a.aval.dtype)
    counts = broadcast_to(counts, (n,))
    ends = cumulative_ends(counts)
    # Position j of the result comes from the slice before which j or fewer positions end.
    positions = shape_ops.iota(ends.aval.dtype, length)
    before = ufuncs.less_equal(expand_dims(ends, 0), expand_dims(positions, 1))
    source = foundation.reduce_sum(creation.astype(before, np.int32), (1,))
    last = n - 1
    return take_1d(a, ufuncs.minimum(source, last), axis)


def cumulative_ends(counts: Array) -> Array:
    """Running sums of a vector of counts."""
    return cumulative.cumsum(counts if dtypes.is_integer(counts.aval.dtype) else creation.astype(counts, np.int32), 0)


def take_1d(a: Array, indices: Any, axis: int) -> Array:
    """The slices of ``a`` at a vector of indices along ``axis``, which must be in range (negative ones are not)."""
    shape = a.aval.shape
    numbers = indexing.GatherDimensionNumbers(
        offset_dims=tuple(d for d in range(len(shape)) if d != axis),
        collapsed_slice_dims=(axis,),
        start_index_map=(axis,),
        operand_batching_dims=(),
        start_indices_batching_dims=(),
    )
    positions = expand_dims(indices, 1)
    if not shape[axis]:
        # No index can be in range: there are none.
        return creation.zeros_like(a, shape=(*shape[:axis], positions.aval.shape[0], *shape[axis + 1 :]))
    sizes = (*shape[:axis], 1, *shape[axis + 1 :])
    return indexing.gather(a, positions, numbers, sizes, mode="promise_in_bounds")


def wrap_negative(indices: Array, n: int) -> Array:
    """Indices that count from the end made to count from the front."""
    if dtypes.is_unsigned(indices.aval.dtype):
        return indices
    return select_n(lax_lt(indices, 0), indices, add(indices, n))


def resize(a: Any, new_shape: Any) -> Array:
    """An array of another shape filled with repeated copies of the elements of ``a``.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.resize(jnp.arange(3), (2, 2))
      Array([[0, 1],
             [2, 0]], dtype=int32)
    """
    a = operand(a, "resize", "a")
    shape = creation.canonical_shape(new_shape, "resize")
    size = math.prod(shape)
    if not a.aval.size:
        return creation.zeros(shape, a.aval.dtype)
    flat = tile(ravel(a), -(-size // a.aval.size))
    return foundation.reshape(shape_ops.slice_in_dim(flat, 0, size), shape)


def trim_zeros(filt: Any, trim: str = "fb", axis: int | Sequence[int] | None = None) -> Array:
    """An array without its leading (``f`` in ``trim``) and trailing (``b``) zeros; its values must be known.

    Args:
      filt: array. Of a matrix, rows and columns that are all zero are cut off.
      trim: where to cut.
      axis: axes along which to cut, by default all.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.trim_zeros(jnp.array([0, 1, 2, 0]))
      Array([1, 2], dtype=int32)
    """
    x = operand(filt, "trim_zeros", "filt")
    where = trim.lower()
    if set(where) - {"f", "b"}:
        raise ValueError(f"fungrad.numpy.trim_zeros: trim must be made of 'f' and 'b', got {trim!r}")
    axes = range(x.aval.ndim) if axis is None else axes_tuple("trim_zeros", axis, x.aval.ndim)
    kept = np.nonzero(x._known("trim_zeros()")) if x.aval.ndim else ()
    for d in axes:
        size = x.aval.shape[d]
        if not kept[d].size:
            start, stop = (0, 0) if where else (0, size)
        else:
            start = int(kept[d].min()) if "f" in where else 0
            stop = int(kept[d].max()) + 1 if "b" in where else size
        x = shape_ops.slice_in_dim(x, start, stop, axis=d)
    return x
