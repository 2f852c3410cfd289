"""Indexing: ``x[idx]``, ``take`` and ``take_along_axis``.

An index expression is taken apart by ``_index_parsing``.  Slices and static integers become ``slice``, ``rev`` and
``squeeze``; 0-d index arrays become a ``dynamic_slice``; everything else becomes a gather.  A concrete array that no
transformation is looking at is indexed by NumPy directly.

May import everything below ``numpy`` and the modules of ``numpy`` for creation and promotion.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from types import EllipsisType
from typing import Any

import numpy as np

from fungrad.config import config, watch
from fungrad.core import dtypes
from fungrad.core.array import Array, ArrayImpl, wrap_unchecked
from fungrad.core.avals import ShapedArray
from fungrad.core.context import EVAL, state
from fungrad.core.dimensions import index_bound, max_size, min_size
from fungrad.core.placement import placement
from fungrad.core.source import filter_exception
from fungrad.numpy import division
from fungrad.numpy._index_parsing import (
    Entry,
    Kind,
    checked_int,
    has_symbols,
    note_index,
    parse,
    positions_of_slice,
    select_windows,
    static_ints,
    wrapped,
)
from fungrad.numpy._promotion import cast, operand
from fungrad.numpy.creation import asarray, broadcast_to
from fungrad.ops._windows import GatherScatterMode
from fungrad.ops.dynamic import dynamic_slice
from fungrad.ops.foundation import reshape, zeros
from fungrad.ops.indexing import GatherDimensionNumbers, gather
from fungrad.ops.shape import expand_dims, rev_p, slice_p, squeeze_p

_GETITEM = "fungrad.Array.__getitem__"
_BASIC = (int, slice, type(None), EllipsisType)
_CLAMPING = (None, GatherScatterMode.CLIP, GatherScatterMode.PROMISE_IN_BOUNDS)

Shape = tuple[int, ...]


# -- reading -----------------------------------------------------------------------------------------------------------


def getitem(x: Array, idx: Any) -> Array:
    """``x[idx]`` with all of NumPy's basic and advanced indexing.

    Positions in index arrays that are out of range are moved inside; a static integer out of range is an error.

    Args:
      x: array.
      idx: integers, slices, ``None``, ``...``, integer arrays, boolean masks with known values, or a tuple of them.

    Raises:
      IndexError: a static integer is out of range, or there are too many indices.
      TypeError: ``idx`` is a list, a string, or has a dtype that is neither integer nor boolean.
      NonConcreteBooleanIndexError: a mask is traced.
    """
    try:
        if type(x) is ArrayImpl and state.trace is EVAL:
            if watch.transfers:
                note_index(idx)
            if watch.placed and placement(x) is not None:  # what operations return is where their operands are
                return rewriting_take(x, idx)
            out = _read_basic(x._data, idx)
            if out is None:
                out = _read_array(x._data, idx)
            if out is None:
                return _read_concrete(x, idx)
            if not out.flags.c_contiguous:
                out = out.copy()
            aval = x.aval
            if aval.placement is not None:  # the operations say how the result is divided
                return rewriting_take(x, idx)
            return wrap_unchecked(out, ShapedArray(out.shape, aval.dtype, aval.weak_type))
        return rewriting_take(x, idx)
    except Exception as error:
        filter_exception(error)
        raise


def _read_basic(data: np.ndarray, idx: Any) -> np.ndarray | None:
    """The elements at an index of integers and slices; None for other indices and for wrong ones."""
    kind = type(idx)
    try:
        if kind is int:
            return data[idx, ...]
        if kind is slice:
            return data[idx]
        if kind is tuple:
            has_ellipsis = False
            for part in idx:
                kind = type(part)
                if kind not in _BASIC:
                    return None
                has_ellipsis = has_ellipsis or kind is EllipsisType
            return data[idx] if has_ellipsis else data[(*idx, ...)]
    except (IndexError, TypeError, ValueError):
        # The general way says what is wrong.
        return None
    return None


def _read_array(data: np.ndarray, idx: Any) -> np.ndarray | None:
    """The elements at an array of integers or a mask; None for other indices and for wrong ones."""
    if type(idx) is ArrayImpl:
        if idx.aval.placement is not None:
            return None
        idx = idx._data
    elif type(idx) is not np.ndarray:
        return None
    kind, ndim = idx.dtype.kind, idx.ndim
    if not ndim or not data.ndim:
        return None
    if kind == "b" and idx.shape == data.shape[:ndim]:
        return data[idx]
    if kind in "iu" and data.shape[0]:
        return data.take(_inside(idx, 0, data.shape[0]), 0)
    return None


def _read_concrete(x: ArrayImpl, idx: Any) -> Array:
    """``x[idx]`` by NumPy, if all parts of the index have values."""
    if x.aval.placement is not None:
        return rewriting_take(x, idx)
    shape = x.aval.shape
    entries = parse(shape, idx, _GETITEM)
    parts: list[Any] = []
    for kind, axis, value in entries:
        if kind is Kind.NEW or kind is Kind.BOOL or kind is Kind.SLICE:
            parts.append(value)
        elif kind is Kind.GAP:
            parts.append(Ellipsis)
        elif kind is Kind.WINDOW:
            return _general(x, entries)
        elif kind is Kind.INT:
            parts.append(checked_int(value, axis, shape[axis], _GETITEM))
        else:
            if type(value) is ArrayImpl:
                if value.aval.placement is not None:
                    return _general(x, entries)
                value = value._data
            elif isinstance(value, Array):
                return _general(x, entries)
            parts.append(_inside(value, axis, shape[axis]))
    try:
        out = np.asarray(x._data[tuple(parts)])
    except IndexError:
        # The general way says what is wrong.
        return _general(x, entries)
    if not out.flags.c_contiguous:
        out = out.copy()
    return wrap_unchecked(out, ShapedArray(out.shape, x.aval.dtype, x.aval.weak_type))


def _inside(positions: np.ndarray, axis: int, size: int) -> np.ndarray:
    """Positions that NumPy accepts: those out of range are moved inside (or refused)."""
    if not size:
        return positions
    if config.strict_index:
        _check_positions(positions, axis, size, _GETITEM)
    if positions.dtype.kind == "u":
        return np.minimum(positions.astype(np.uint64), size - 1).astype(np.intp)
    return np.maximum(np.minimum(positions.astype(np.intp), size - 1), -size)


def _check_positions(positions: np.ndarray, axis: int, size: int, api: str) -> None:
    bad = (positions < -size) | (positions >= size)
    if bad.any():
        raise IndexError(
            f"{api}: index {positions[bad].reshape(-1)[0]} is out of bounds for axis {axis} of size {size} "
            "(strict_index is on)"
        )


def rewriting_take(
    x: Array,
    idx: Any,
    *,
    indices_are_sorted: bool = False,
    unique_indices: bool = False,
    mode: str | GatherScatterMode | None = None,
    fill_value: Any = None,
    wrap_negative_indices: bool = True,
    api: str = _GETITEM,
) -> Array:
    """``x[idx]`` as operations of ``lax``; arguments as of ``x.at[idx].get``."""
    entries = parse(x.aval.shape, idx, api)
    parsed_mode = None if mode is None else GatherScatterMode.from_any(mode)
    return _general(x, entries, parsed_mode, fill_value, indices_are_sorted, unique_indices, wrap_negative_indices, api)


def _general(
    x: Array, entries: list[Entry], mode: GatherScatterMode | None = None, fill_value: Any = None,
    indices_are_sorted: bool = False, unique_indices: bool = False, wrap: bool = True, api: str = _GETITEM,
) -> Array:  # fmt: skip
    shape = x.aval.shape
    entries = static_ints(shape, entries, mode, wrap, api)
    kinds = {e.kind for e in entries}
    inside = all(e.kind is not Kind.INT or 0 <= e.value < shape[e.axis] for e in entries)
    if Kind.ARRAY not in kinds and Kind.BOOL not in kinds and inside:
        if Kind.SCALAR not in kinds and Kind.WINDOW not in kinds:
            return _static_part(x, entries)
        steps = any(e.kind is Kind.WINDOW and e.value.stride != 1 for e in entries)
        if mode in _CLAMPING and not config.strict_index and not steps:
            return _dynamic_part(x, entries, wrap, api)
    chosen = select_windows(shape, entries, api, wrap=wrap)
    # Without a mode, compiled code need not check: it reads inside in any case.
    mode = GatherScatterMode.PROMISE_IN_BOUNDS if mode is None else mode
    out = gather(
        reshape(x, chosen.operand),
        chosen.indices,
        chosen.numbers,
        chosen.sizes,
        unique_indices=unique_indices or chosen.distinct,
        indices_are_sorted=indices_are_sorted or chosen.single,
        mode=mode,
        fill_value=fill_value,
    )
    return expand_dims(out, chosen.new) if chosen.new else out


def _static_part(x: Array, entries: Sequence[Entry]) -> Array:
    """The elements at static integers (from the front) and slices."""
    shape = x.aval.shape
    start, limit, strides = [0] * len(shape), list(shape), [1] * len(shape)
    reversed_dims, dropped = [], []
    for kind, axis, value in entries:
        if kind is Kind.INT:
            start[axis], limit[axis] = value, value + 1
            dropped.append(axis)
        elif kind is Kind.SLICE:
            if has_symbols(value, shape[axis]):
                start[axis], limit[axis], strides[axis], backwards = _symbolic_box(value, shape[axis])
                x = rev_p.bind(x, dimensions=(axis,)) if backwards else x
                continue
            start[axis], limit[axis], step = _box(value, shape[axis])
            strides[axis] = abs(step)
            if step < 0:
                reversed_dims.append(axis)
    if any(start) or tuple(limit) != shape or strides != [1] * len(shape):
        steps = None if strides == [1] * len(shape) else tuple(strides)
        x = slice_p.bind(x, start_indices=tuple(start), limit_indices=tuple(limit), strides=steps)
    return _finish(x, entries, tuple(reversed_dims), tuple(dropped))


def _box(part: slice, size: int) -> tuple[int, int, int]:
    """First and end position, and step, of a slice; first and end are in increasing order also for a negative step."""
    first, stop, step, count = positions_of_slice(part, size)
    if count == 0:
        return 0, 0, 1
    if count == 1:
        return first, first + 1, 1
    if step > 0:
        return first, stop, step
    return first + (count - 1) * step, first + 1, step


def _symbolic_box(part: slice, size: Any) -> tuple[Any, Any, Any, bool]:
    """First position, end and positive step of a slice with symbolic sizes, and whether positions count backwards."""
    first, stop, step, _ = positions_of_slice(part, size)
    backwards = step < 0
    if backwards:
        first, stop, step = size - 1 - first, size - 1 - stop, -step
    # The end may come before the first position: then nothing is taken.
    return first, min_size(max_size(stop, first), size), step, backwards


def _finish(x: Array, entries: Sequence[Entry], reversed_dims: Any, dropped: Any) -> Array:
    """Reverses and drops dimensions, and inserts those of ``None``."""
    if reversed_dims:
        x = rev_p.bind(x, dimensions=reversed_dims)
    if dropped:
        x = squeeze_p.bind(x, dimensions=dropped)
    position, new = 0, []
    for kind, _, _ in entries:
        if kind is Kind.NEW:
            new.append(position)
        position += kind is Kind.NEW or kind is Kind.SLICE
    return expand_dims(x, new) if new else x


def _dynamic_part(x: Array, entries: Sequence[Entry], wrap: bool, api: str) -> Array:
    """The elements at 0-d index arrays, static integers and slices: a box at a dynamic position, then the rest."""
    shape = x.aval.shape
    starts: list[Any] = [0] * len(shape)
    sizes = list(shape)
    rest = list(entries)
    for n, (kind, axis, value) in enumerate(entries):
        if kind is Kind.SCALAR:
            if not shape[axis]:
                raise IndexError(f"{api}: an index is out of bounds for axis {axis} of size 0")
            starts[axis] = wrapped(value, shape[axis]) if wrap else value
            sizes[axis] = 1
            rest[n] = Entry(Kind.INT, axis, 0)
        elif kind is Kind.WINDOW:
            starts[axis] = wrapped(value.start, shape[axis]) if wrap else value.start
            sizes[axis] = value.size
            rest[n] = Entry(Kind.SLICE, axis, slice(None))
        elif kind is Kind.INT:
            starts[axis], sizes[axis] = value, 1
            rest[n] = Entry(Kind.INT, axis, 0)
        elif kind is Kind.SLICE:
            low, limit, step = _box(value, shape[axis])
            starts[axis], sizes[axis] = low, limit - low
            rest[n] = Entry(Kind.SLICE, axis, slice(None, None, step))
            if step < 0:
                # The box begins at the last element and ends with the first one.
                rest[n] = Entry(Kind.SLICE, axis, slice(limit - low - 1, None, step))
    return _static_part(dynamic_slice(x, starts, sizes, allow_negative_indices=False), rest)


# -- functions ---------------------------------------------------------------------------------------------------------


def take(
    a: Any,
    indices: Any,
    axis: int | None = None,
    out: None = None,
    mode: str | None = None,
    unique_indices: bool = False,
    indices_are_sorted: bool = False,
    fill_value: Any = None,
) -> Array:
    """The elements of ``a`` at ``indices`` along an axis.

    Args:
      a: array.
      indices: integers of any shape; negative ones count from the end, unless ``mode`` is ``"clip"``.
      axis: along which they count; None means in the flattened array.
      out: must be None.
      mode: what happens to positions out of range: ``"fill"`` (default) gives ``fill_value``, ``"clip"`` moves them
        inside, ``"wrap"`` counts on from the other end.
      unique_indices: a promise that no position comes twice.
      indices_are_sorted: a promise that positions come in increasing order.
      fill_value: default NaN for floating and complex dtypes, the smallest number for signed and the largest for
        unsigned integers, True for booleans.

    Returns:
      An array of the dtype of ``a`` whose dimension ``axis`` is replaced by those of ``indices``.

    Raises:
      TypeError: ``indices`` are not integers.
      IndexError: the axis has size 0.
      ValueError: ``mode`` is none of the above.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.take(jnp.array([1., 2., 3.]), jnp.array([2, -1, 5]))
      Array([ 3.,  3., nan], dtype=float32)
    """
    if out is not None:
        raise NotImplementedError("fungrad.numpy.take: out= is not supported, arrays are immutable; use the result")
    a, indices = operand(a, "take", "a"), operand(indices, "take", "indices")
    if dtypes.is_bool(indices.aval.dtype):
        indices = cast(indices, dtypes.int32)
    require_integers(indices, "take", "indices")
    if axis is None:
        a, axis = reshape(a, (a.aval.size,)), 0
    axis = _axis(axis, a.aval.ndim, "take")
    size = a.aval.shape[axis]
    if mode == "wrap":
        indices, mode = division.mod(indices, size_like(indices, size)) if size else indices, "clip"
    elif mode == "raise":
        raise NotImplementedError(
            "fungrad.numpy.take: mode 'raise' is not supported, since the values of indices may be unknown; use "
            "'fill', 'clip' or 'wrap', or turn on fungrad.config.strict_index and index with a[indices]"
        )
    if not size and indices.aval.size:
        raise IndexError(
            f"fungrad.numpy.take: cannot take elements along axis {axis} of size 0 of {a.aval.str_short()}"
        )
    entries = [Entry(Kind.SLICE, d, slice(None)) for d in range(a.aval.ndim)]
    entries[axis] = Entry(Kind.ARRAY if indices.aval.ndim else Kind.SCALAR, axis, indices)
    parsed = GatherScatterMode.from_any(mode)
    # As in NumPy, moving positions inside leaves no way to count from the end.
    wrap = parsed is GatherScatterMode.FILL_OR_DROP
    return _general(a, entries, parsed, fill_value, indices_are_sorted, unique_indices, wrap, "fungrad.numpy.take")


def size_like(like: Array, size: int) -> Array:
    """``size`` in the dtype of ``like``, or in one that holds it."""
    dtype = like.aval.dtype
    bound = index_bound(size)
    return asarray(size, dtype if np.iinfo(dtype).max >= bound else np.int32 if bound < 2**31 else np.int64)


def require_integers(x: Array, api: str, name: str) -> None:
    if x.aval.dtype.kind not in "iu":
        raise TypeError(
            f"fungrad.numpy.{api}: {name} must have integer dtype, got {x.aval.str_short()}; convert with .astype(int)"
        )


def _axis(axis: Any, ndim: int, api: str) -> int:
    axis = operator.index(axis)
    if not -ndim <= axis < ndim:
        raise ValueError(f"fungrad.numpy.{api}: axis {axis} is out of bounds for an array of {ndim} dimensions")
    return axis + ndim if axis < 0 else axis


def take_along_axis(
    arr: Any,
    indices: Any,
    axis: int | None = -1,
    mode: str | GatherScatterMode | None = None,
    fill_value: Any = None,
    *,
    wrap_negative_indices: bool | None = None,
) -> Array:
    """The elements of ``arr`` at positions along one axis that vary with all others, as ``argsort`` and ``argmax``
    give them.

    Args:
      arr: array.
      indices: integers, of the rank of ``arr``; dimensions other than ``axis`` broadcast.
      axis: along which they count; None means in the flattened array, where ``indices`` must be 1-d.
      mode: what happens to positions out of range: ``"fill"`` (default) gives ``fill_value``, ``"clip"`` moves them
        inside, and ``"one_hot"`` gives 0.
      fill_value: as in ``take``.
      wrap_negative_indices: whether negative positions count from the end; default True.

    Returns:
      An array of the dtype of ``arr`` and the shape of ``indices``, broadcast.

    Raises:
      TypeError: ``indices`` are not integers.
      ValueError: ranks differ or dimensions do not broadcast.

    Example:
      >>> import fungrad.numpy as jnp
      >>> x = jnp.array([[3., 1., 2.], [6., 5., 4.]])
      >>> jnp.take_along_axis(x, jnp.array([[1], [2]]), axis=1)
      Array([[1.],
             [4.]], dtype=float32)
    """
    api = "take_along_axis"
    arr, indices, axis = along(arr, indices, axis, api)
    size = arr.aval.shape[axis]
    if not size and indices.aval.size:
        raise IndexError(
            f"fungrad.numpy.{api}: cannot take elements along axis {axis} of size 0 of {arr.aval.str_short()}"
        )
    if wrap_negative_indices is None or wrap_negative_indices:
        indices = wrapped(indices, size)
    others = tuple([d for d in range(arr.aval.ndim) if d != axis])
    arr, indices = _match(arr, indices, others, api)
    if isinstance(mode, str) and mode == "one_hot":
        mode, fill_value = "fill", 0  # JAX multiplies by masks, which gives the same where elements are finite
    numbers = GatherDimensionNumbers((), (axis,), (axis,), others, others)
    sizes = tuple([min(1, n) if d != axis else 1 for d, n in enumerate(arr.aval.shape)])
    if not indices.aval.size:
        return zeros(ShapedArray(indices.aval.shape, arr.aval.dtype, arr.aval.weak_type))
    positions = expand_dims(indices, (-1,))
    return gather(arr, positions, numbers, sizes, mode=mode, fill_value=fill_value)


def along(arr: Any, indices: Any, axis: int | None, api: str) -> tuple[Array, Array, int]:
    """Operands of ``take_along_axis`` and ``put_along_axis``, and the axis counted from the front."""
    arr, indices = operand(arr, api, "arr"), operand(indices, api, "indices")
    require_integers(indices, api, "indices")
    if axis is None:
        if indices.aval.ndim != 1:
            raise ValueError(
                f"fungrad.numpy.{api}: with axis=None indices must be 1-dimensional, got {indices.aval.str_short()}"
            )
        return reshape(arr, (arr.aval.size,)), indices, 0
    if arr.aval.ndim != indices.aval.ndim:
        raise ValueError(
            f"fungrad.numpy.{api}: indices must have the rank of the array, got {indices.aval.str_short()} for "
            f"{arr.aval.str_short()}"
        )
    return arr, indices, _axis(axis, arr.aval.ndim, api)


def _match(arr: Array, indices: Array, others: Shape, api: str) -> tuple[Array, Array]:
    """Both with equal sizes in the dimensions ``others``, in which either may have size 1."""
    shapes = [list(arr.aval.shape), list(indices.aval.shape)]
    for d in others:
        n, m = shapes[0][d], shapes[1][d]
        if n != m and 1 not in (n, m):
            raise ValueError(
                f"fungrad.numpy.{api}: indices must broadcast with the array outside of the axis, got "
                f"{indices.aval.str_short()} for {arr.aval.str_short()}"
            )
        shapes[0][d] = shapes[1][d] = m if n == 1 else n
    return broadcast_to(arr, tuple(shapes[0])), broadcast_to(indices, tuple(shapes[1]))
