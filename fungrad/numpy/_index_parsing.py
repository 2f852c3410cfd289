"""What an index expression means: from the ``idx`` of ``x[idx]`` to slices, or to the windows of a gather or scatter.

``parse`` takes the expression apart into one ``Entry`` per operand dimension it names; ``Selection`` tells what they
select. Nothing here computes with the array that is indexed.

May import ``core``, ``ops`` and the error classes.
"""

from __future__ import annotations

import enum
import operator
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from fungrad.config import config
from fungrad.core import dtypes, tree
from fungrad.core.arguments import brief
from fungrad.core.array import Array, as_array, typeof
from fungrad.core.context import Tracer
from fungrad.core.dimensions import (
    as_size,
    greatest_value,
    index_bound,
    is_symbolic,
    is_symbolic_shape,
    least_value,
    max_size,
    min_size,
)
from fungrad.core.transfers import host_to_device
from fungrad.errors import (
    FungradTypeError,
    IncompatibleShapesError,
    InconclusiveDimensionOperation,
)
from fungrad.numpy._promotion import broadcast_shapes
from fungrad.numpy.creation import asarray
from fungrad.numpy.dynamic_slices import Slice
from fungrad.ops._operands import scalar_array
from fungrad.ops._windows import GatherScatterMode
from fungrad.ops.cast import convert_element_type
from fungrad.ops.compare import lt, select
from fungrad.ops.elementwise import add, mul
from fungrad.ops.foundation import broadcast_in_dim, reshape
from fungrad.ops.indexing import GatherDimensionNumbers, ScatterDimensionNumbers
from fungrad.ops.joining import concatenate
from fungrad.ops.shape import iota

Shape = tuple[int, ...]


class Kind(enum.Enum):
    """What an entry of an index expression is."""

    INT = "static integer"
    SCALAR = "0-d integer array"
    ARRAY = "integer array"
    BOOL = "boolean scalar, which indexes a new dimension of size 1"
    SLICE = "slice"
    WINDOW = "slice of static size whose start is an array, or not known to be inside"
    NEW = "None"
    GAP = "Ellipsis that stands for no dimension"


class Entry(NamedTuple):
    """One entry: its kind, the operand dimension it indexes (-1 if it indexes none), and its value."""

    kind: Kind
    axis: int
    value: Any


def note_index(idx: Any) -> None:
    """Tells ``transfer_guard`` of the numbers and NumPy arrays in an index, which become arrays as operands do.

    Raises:
      JaxRuntimeError: the guard disallows it.
    """
    for part in idx if type(idx) is tuple else (idx,):
        numbers = (part.start, part.stop) if type(part) is slice else (part,)
        for x in numbers:
            if type(x) is int or isinstance(x, (np.ndarray, np.generic)):
                host_to_device(typeof(x))


# -- parsing -----------------------------------------------------------------------------------------------------------


def parse(shape: Shape, idx: Any, api: str) -> list[Entry]:
    """The entries of the index ``idx`` of an array of ``shape``; dimensions not named get full slices.

    Integers are not checked against the shape.

    Raises:
      TypeError: a part of ``idx`` is a sequence, a string or has a dtype that is neither integer nor boolean.
      IndexError: there are more parts than dimensions, a boolean mask has the wrong shape, or a part is no index at
        all.
    """
    parts = idx if isinstance(idx, tuple) else (_single(idx, api),)
    read: list[tuple[Kind, Any]] = []
    named = 0
    ellipsis = None
    for part in parts:
        if part is Ellipsis:
            if ellipsis is not None:
                raise IndexError(f"{api}: an index can only have a single ellipsis ('...'), got {_shown(idx)}")
            ellipsis = len(read)
            continue
        for kind, value in _classify(part, api):
            read.append((kind, value))
            named += _consumed(kind, value)
    if named > len(shape):
        raise IndexError(
            f"{api}: too many indices: the array is {len(shape)}-dimensional, but {named} dimensions were indexed"
        )
    rest: list[tuple[Kind, Any]] = [(Kind.SLICE, slice(None))] * (len(shape) - named)
    position = len(read) if ellipsis is None else ellipsis
    if ellipsis is not None and not rest:
        rest = [(Kind.GAP, None)]
    return _number(shape, read[:position] + rest + read[position:], api)


def _single(idx: Any, api: str) -> Any:
    """An index that is not a tuple; refuses what NumPy takes for a tuple or an array, depending on its contents."""
    if isinstance(idx, (list, range)):
        raise TypeError(
            f"{api}: a {type(idx).__name__} is not a valid index, got {_shown(idx)}; use x[fungrad.numpy.array(seq)] "
            "to index with an array, or x[tuple(seq)] to index several dimensions"
        )
    return idx


def _shown(idx: Any) -> str:
    text = repr(idx)
    return text if len(text) < 80 else text[:77] + "..."


def _consumed(kind: Kind, value: Any) -> int:
    """How many dimensions an entry indexes; a mask still stands for all of its dimensions."""
    if kind in (Kind.NEW, Kind.BOOL):
        return 0
    return value.ndim if _is_mask(value) else 1


def _is_mask(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype.kind == "b"


def _classify(part: Any, api: str) -> list[tuple[Kind, Any]]:
    """Kind and value of one part; n-d masks are arrays of dtype bool."""
    kind = type(part)
    if kind is int:
        return [(Kind.INT, part)]
    if kind is slice:
        return [(Kind.SLICE, _static_slice(part, api))]
    if part is None:
        return [(Kind.NEW, None)]
    if isinstance(part, (bool, np.bool_)):
        return [(Kind.BOOL, bool(part))]
    if isinstance(part, (list, tuple)):
        part = _nested(part, api)
    if isinstance(part, (Array, np.ndarray, np.generic)):
        return [_classify_array(part, api)]
    if isinstance(part, str):
        raise TypeError(f"{api}: arrays have no fields, got the index {part!r}")
    if isinstance(part, (float, complex)):
        raise _wrong_dtype(api, _shown(part), type(part).__name__)
    if isinstance(part, Slice):
        return [(Kind.WINDOW, part)]
    if is_symbolic(part):
        return [(Kind.INT, part)]
    if hasattr(part, "__jax_array__"):
        return _classify(part.__jax_array__(), api)
    if hasattr(part, "__index__"):
        return [(Kind.INT, operator.index(part))]
    raise IndexError(
        f"{api}: only integers, slices (`:`), ellipsis (`...`), None and integer or boolean arrays are valid indices, "
        f"got {_shown(part)} of type {type(part).__name__}"
    )


def _nested(part: Sequence[Any], api: str) -> Any:
    """A sequence inside a tuple as an array."""
    if any(isinstance(p, Tracer) for p in tree.leaves(part)):
        return asarray(part)
    out = np.asarray(part)
    return out.astype(np.intp) if out.size == 0 and out.dtype.kind == "f" else out


def _classify_array(part: Any, api: str) -> tuple[Kind, Any]:
    dtype = part.dtype
    if dtypes.is_known(dtype) and dtypes.is_bool(dtype):
        mask = part._known("boolean index") if isinstance(part, Array) else np.asarray(part)
        return (Kind.BOOL, bool(mask)) if mask.ndim == 0 else (Kind.ARRAY, mask)
    if dtype.kind not in "iu":
        raise _wrong_dtype(api, f"an array of shape {part.shape}", dtype.name)
    if part.ndim:
        return Kind.ARRAY, part
    if isinstance(part, Array):
        return Kind.SCALAR, part
    return Kind.INT, int(part)


def _wrong_dtype(api: str, what: str, name: str) -> TypeError:
    return TypeError(
        f"{api}: an index must have integer or boolean dtype, got {what} of dtype {name}; convert it with .astype(int)"
    )


def _static_slice(part: slice, api: str) -> slice:
    """A slice of Python ints."""
    ends = []
    for end in (part.start, part.stop, part.step):
        try:
            ends.append(None if end is None else as_size(end))
        except FungradTypeError:
            raise IndexError(
                f"{api}: the ends of a slice must be static integers, got {brief(part)}; for a slice of static size at "
                "a traced position use fungrad.lax.dynamic_slice (to read) and dynamic_update_slice (to write)"
            ) from None
        except TypeError:
            raise TypeError(f"{api}: the ends of a slice must be integers or None, got {brief(part)}") from None
    if ends[2] == 0:
        raise ValueError(f"{api}: the step of a slice must not be 0, got {part!r}")
    return slice(*ends)


def _number(shape: Shape, read: Sequence[tuple[Kind, Any]], api: str) -> list[Entry]:
    """Entries with their dimensions; masks become the positions of what is true."""
    out = []
    axis = 0
    for kind, value in read:
        if kind in (Kind.NEW, Kind.GAP, Kind.BOOL):
            # A boolean scalar inserts a dimension before this one.
            out.append(Entry(kind, axis if kind is Kind.BOOL else -1, value))
        elif _is_mask(value):
            expected = shape[axis : axis + value.ndim]
            # A mask without elements selects nothing, of whatever sizes, as in NumPy.
            if len(expected) != value.ndim or any(n not in (0, m) for n, m in zip(value.shape, expected, strict=True)):
                raise IndexError(
                    f"{api}: a boolean index must have the shape of the dimensions it indexes, got {value.shape} for "
                    f"dimensions {tuple(range(axis, axis + value.ndim))} of sizes {expected}"
                )
            for positions in np.nonzero(value):
                out.append(Entry(Kind.ARRAY, axis, positions))
                axis += 1
        elif kind is Kind.WINDOW:
            out.append(_window(value, axis, shape[axis], api))
            axis += 1
        else:
            out.append(Entry(kind, axis, value))
            axis += 1
    return out


def _window(part: Slice, axis: int, size: int, api: str) -> Entry:
    """The entry of a ``Slice``: an ordinary slice where it is known to be inside of the array."""
    extent = (part.size - 1) * part.stride + 1 if part.size else 0
    if part.stride == 1 and part.size > size:
        raise IncompatibleShapesError(
            f"{api}: {part!r} is longer than dimension {axis} of the array, whose size is {size}"
        )
    if isinstance(part.start, int):
        start = part.start + size if part.start < 0 else part.start
        if 0 <= start and start + extent <= size:
            return Entry(Kind.SLICE, axis, slice(start, start + extent, part.stride))
        part = Slice(np.asarray(part.start), part.size, part.stride)
    return Entry(Kind.WINDOW, axis, part)


# -- static integers ---------------------------------------------------------------------------------------------------


def checked_int(value: int, axis: int, size: int, api: str) -> int:
    """A static integer index counted from the front.

    Raises:
      IndexError: it is out of range.
    """
    if not -size <= value < size:
        raise IndexError(f"{api}: index {value} is out of bounds for axis {axis} of size {size}")
    return value + size if value < 0 else value


def in_range(value: int, size: int, wrap: bool) -> bool:
    """Whether an integer index needs no mode."""
    return (-size if wrap else 0) <= value < size


def _symbolic_position(entry: Entry, value: Any, size: Any, mode: GatherScatterMode | None) -> Entry:
    """An integer index where it or the size is symbolic; a traced one where it cannot be told whether it is inside."""
    try:
        if value < 0:
            value = value + size
        if 0 <= value < size:
            return entry._replace(value=value)
    except InconclusiveDimensionOperation:
        pass
    return Entry(Kind.SCALAR, entry.axis, as_array(entry.value))


def has_symbols(part: slice, size: Any) -> bool:
    """Whether a slice, or the size that it is of, is symbolic."""
    return is_symbolic(size) or is_symbolic(part.start) or is_symbolic(part.stop) or is_symbolic(part.step)


def positions_of_slice(part: slice, size: Any) -> tuple[Any, Any, Any, Any]:
    """First position, end, step and number of the positions that a slice takes from a dimension."""
    if not has_symbols(part, size):
        start, stop, step = part.indices(size)
        return start, stop, step, len(range(start, stop, step))
    step = 1 if part.step is None else as_size(part.step)
    # Downwards, the position before the first one can be an end.
    low, high = (0, size) if step > 0 else (-1, size - 1)

    def inside(end: Any, missing: Any) -> Any:
        if end is None:
            return missing
        return min_size(high, max_size(low, end if end >= 0 else end + size))

    start, stop = inside(part.start, low if step > 0 else high), inside(part.stop, high if step > 0 else low)
    distance, each = (stop - start, step) if step > 0 else (start - stop, -step)
    return start, stop, step, max_size(0, (distance + each - 1) // each)


def static_ints(
    shape: Shape, entries: list[Entry], mode: GatherScatterMode | None, wrap: bool, api: str
) -> list[Entry]:
    """Entries with static integers counted from the front; those out of range stay so where a mode was asked for.

    Raises:
      IndexError: one is out of range and no mode was asked for (or the promise that it is not).
    """
    out = []
    for entry in entries:
        if entry.kind is Kind.INT:
            value, size = entry.value, shape[entry.axis]
            if is_symbolic(value) or is_symbolic(size):
                out.append(_symbolic_position(entry, value, size, mode))
                continue
            outside = not in_range(value, size, wrap)
            if outside and mode is None and config.collects_index_errors:
                out.append(Entry(Kind.SCALAR, entry.axis, as_array(np.asarray(value, np.int32))))
                continue
            if mode is None or mode is GatherScatterMode.PROMISE_IN_BOUNDS or not outside:
                value = checked_int(value, entry.axis, size, api)
            else:
                value = value + size if wrap and value < 0 else value
                # What is before the first element must not be taken for counting from the end once more.
                if mode is GatherScatterMode.CLIP and size:
                    value = min(max(value, 0), size - 1)
                elif value < 0:
                    value = size
            entry = entry._replace(value=value)
        out.append(entry)
    return out


# -- windows -----------------------------------------------------------------------------------------------------------


class Selection(NamedTuple):
    """The windows that an index expression selects.

    Attributes:
      operand: shape of the operand, with a dimension of size 1 for every boolean scalar.
      shape: shape of the result without the dimensions that ``None`` inserts.
      new: positions of these in the result.
      indices: the positions of the windows (an ndarray if they are all static).
      numbers: dimension numbers of the gather.
      sizes: sizes of the windows.
      distinct: whether windows are known not to overlap.
    """

    operand: Shape
    shape: Shape
    new: Shape
    indices: Any
    numbers: GatherDimensionNumbers
    sizes: Shape
    distinct: bool

    @property
    def single(self) -> bool:
        """Whether there is one window only."""
        return self.indices.ndim == 1

    @property
    def scatter_numbers(self) -> ScatterDimensionNumbers:
        """Dimension numbers of the scatter to the same windows."""
        return ScatterDimensionNumbers(*self.numbers)

    @property
    def full_shape(self) -> Shape:
        """Shape of the result."""
        out = list(self.shape)
        for position in self.new:
            out.insert(position, 1)
        return tuple(out)


class _Column(NamedTuple):
    """The index along one operand dimension, varying with some of the dimensions that number the windows."""

    axis: int
    value: Any
    dims: Shape


def expand_bools(shape: Shape, entries: Sequence[Entry]) -> tuple[Shape, list[Entry]]:
    """Shape and entries with a dimension of size 1, indexed by an array, for every boolean scalar."""
    sizes = list(shape)
    out = []
    shift = 0
    for entry in entries:
        if entry.kind is Kind.BOOL:
            axis = entry.axis + shift
            sizes.insert(axis, 1)
            out.append(Entry(Kind.ARRAY, axis, np.zeros(int(entry.value), np.int32)))
            shift += 1
        else:
            out.append(entry if entry.axis < 0 else entry._replace(axis=entry.axis + shift))
    return tuple(sizes), out


_ADVANCED = (Kind.INT, Kind.SCALAR, Kind.ARRAY)


def select_windows(
    shape: Shape, entries: Sequence[Entry], api: str, *, wrap: bool = True, empty: bool = False
) -> Selection:
    """The windows selected by ``entries`` in an array of ``shape``.

    Args:
      shape: of the array.
      entries: from ``parse``; static integers may be out of range.
      api: for messages.
      wrap: whether negative positions count from the end.
      empty: whether a dimension of size 0 may be indexed, for updates that drop what is outside.

    Raises:
      IndexError: index arrays do not broadcast to one shape, or a dimension of size 0 is indexed.
    """
    shape, entries = expand_bools(shape, entries)
    group = _broadcast([e.value for e in entries if e.kind is Kind.ARRAY], api)
    places = [n for n, e in enumerate(entries) if e.kind in _ADVANCED]
    together = not places or places[-1] - places[0] + 1 == len(places)
    # Dimensions of the index arrays come where these stand, or first if they stand apart.
    at = places[0] if together and places else -1
    result: list[int] = []  # sizes of the result without new dimensions
    numbering: list[int] = []  # which of its dimensions number the windows
    offset: list[int] = []  # and which run inside
    new: list[int] = []
    columns: list[_Column] = []
    sizes = [1] * len(shape)
    group_dims: Shape = ()

    def append(dims: list[int], size: int) -> None:
        dims.append(len(result))
        result.append(size)

    def append_group() -> Shape:
        first = len(numbering)
        for size in group:
            append(numbering, size)
        return tuple(range(first, len(numbering)))

    if at < 0 and places:
        group_dims = append_group()
    for n, entry in enumerate(entries):
        if n == at:
            group_dims = append_group()
        if entry.kind is Kind.NEW:
            new.append(len(result) + len(new))
        elif entry.kind is Kind.SLICE:
            axis = entry.axis
            start, stop, step, count = positions_of_slice(entry.value, shape[axis])
            if step == 1 or least_value(count) == greatest_value(count) <= 1:
                sizes[axis] = count
                append(offset, count)
                if count != shape[axis]:
                    columns.append(_Column(axis, start if count != 0 else 0, ()))
            else:
                columns.append(_Column(axis, _range(start, stop, step, count), (len(numbering),)))
                append(numbering, count)
        elif entry.kind is Kind.WINDOW:
            axis, part = entry.axis, entry.value
            start = wrapped(part.start, shape[axis]) if wrap else part.start
            if part.stride == 1:
                sizes[axis] = part.size
                append(offset, part.size)
                columns.append(_Column(axis, start, ()))
            else:
                columns.append(_Column(axis, _steps(start, part), (len(numbering),)))
                append(numbering, part.size)
    stepped = {c.axis for c in columns if c.dims}
    for entry in entries:
        if entry.kind in _ADVANCED:
            columns.append(_column(entry, shape, group, group_dims, api, wrap, empty))
    collapsed = stepped | {e.axis for e in entries if e.kind in _ADVANCED}
    columns.sort(key=lambda c: c.axis)
    numbers = GatherDimensionNumbers(
        offset_dims=tuple(offset),
        collapsed_slice_dims=tuple(sorted(collapsed)),
        start_index_map=tuple([c.axis for c in columns]),
    )
    indices = _stack_columns(columns, tuple([result[d] for d in numbering]), max(map(index_bound, shape), default=0))
    distinct = not any(e.kind is Kind.ARRAY for e in entries)
    return Selection(shape, tuple(result), tuple(new), indices, numbers, tuple(sizes), distinct)


def _steps(start: Any, part: Slice) -> Any:
    """The positions of a slice with a step."""
    steps = part.stride * np.arange(part.size)
    if isinstance(start, np.ndarray):
        return start + steps
    dtype = start.aval.dtype
    return add(broadcast_in_dim(start, (part.size,), ()), as_array(steps.astype(dtype)))


def _range(start: Any, stop: Any, step: Any, count: Any) -> Any:
    """The positions of a slice."""
    if not is_symbolic_shape((start, stop, step, count)):
        return np.arange(start, stop, step)
    numbers = iota(np.int32, count)
    spread = mul(numbers, broadcast_in_dim(convert_element_type(as_array(step), np.int32), (count,), ()))
    return add(spread, broadcast_in_dim(convert_element_type(as_array(start), np.int32), (count,), ()))


def _broadcast(arrays: Sequence[Any], api: str) -> Shape:
    try:
        shapes = [a.shape for a in arrays]
        return broadcast_shapes(*shapes) if any(map(is_symbolic_shape, shapes)) else np.broadcast_shapes(*shapes)
    except ValueError:
        listed = ", ".join(str(tuple(a.shape)) for a in arrays)
        raise IndexError(f"{api}: index arrays must broadcast to one shape, got shapes {listed}") from None


def _column(entry: Entry, shape: Shape, group: Shape, group_dims: Shape, api: str, wrap: bool, empty: bool) -> _Column:
    """The column of an entry that is not a slice, with negative positions replaced."""
    axis = entry.axis
    size, value = shape[axis], entry.value
    if entry.kind is Kind.INT:
        return _Column(axis, value + size if wrap and value < 0 else value, ())
    if not size and not empty and (entry.kind is Kind.SCALAR or 0 not in group):
        raise IndexError(f"{api}: an index is out of bounds for axis {axis} of size 0")
    value = wrapped(value, size) if wrap else value
    return _Column(axis, value, group_dims[len(group_dims) - value.ndim :])


def wrapped(value: Any, size: int) -> Any:
    """Positions counted from the front: ``size`` is added to negative ones (once)."""
    if value.dtype.kind == "u":
        return value
    if isinstance(value, np.ndarray):
        value = value.astype(np.int64)
        return np.where(value < 0, value + size, value)
    if np.iinfo(value.dtype).max < index_bound(size):
        value = convert_element_type(value, np.int32 if index_bound(size) < 2**31 else np.int64)
    zero, n = scalar_array(0, value.aval.dtype), size_array(size, value.aval.dtype)
    return select(lt(value, zero), add(value, n), value)


def size_array(size: Any, dtype: np.dtype) -> Any:
    """A size as a scalar array of an integer dtype."""
    return convert_element_type(as_array(size), dtype) if is_symbolic(size) else scalar_array(size, dtype)


def _index_dtype(columns: Sequence[_Column], largest: float) -> np.dtype:
    """int32, unless positions could be lost in it."""
    traced = [c.value.dtype for c in columns if isinstance(c.value, Array)]
    wide = largest >= 2**31 or any(d.itemsize == 8 or d == np.uint32 for d in traced)
    return np.dtype(np.int64 if wide else np.int32)


def _stack_columns(columns: Sequence[_Column], numbering: Shape, largest: float) -> Any:
    """The positions of all windows: an array of shape ``(*numbering, number of columns)``."""
    dtype = _index_dtype(columns, largest)
    if is_symbolic_shape(numbering) or any(is_symbolic(c.value) for c in columns):
        columns = [c._replace(value=as_array(c.value)) for c in columns]
    if not any(isinstance(c.value, Array) for c in columns):
        out = np.empty((*numbering, len(columns)), dtype)
        for k, c in enumerate(columns):
            out[..., k] = _aligned(_static_positions(c.value, dtype), c.dims, len(numbering))
        return out
    parts = []
    for c in columns:
        traced = isinstance(c.value, Array)
        value: Any = convert_element_type(c.value, dtype) if traced else _static_positions(c.value, dtype)
        parts.append(_as_column(value, c.dims, numbering))
    return parts[0] if len(parts) == 1 else concatenate(parts, len(numbering))


def _static_positions(value: Any, dtype: np.dtype) -> np.ndarray:
    """Positions in another dtype; those far outside stay outside."""
    info = np.iinfo(dtype)
    return np.asarray(np.clip(value, info.min, info.max)).astype(dtype)


def _aligned(value: np.ndarray, dims: Shape, rank: int) -> np.ndarray:
    """``value`` with its dimensions at ``dims`` of ``rank`` ones, all others of size 1."""
    shape = [1] * rank
    for size, d in zip(value.shape, dims, strict=True):
        shape[d] = size
    return value.reshape(shape)


def _as_column(value: Any, dims: Shape, numbering: Shape) -> Any:
    if isinstance(value, np.ndarray):
        full = np.broadcast_to(_aligned(value, dims, len(numbering)), numbering)
        return np.ascontiguousarray(full).reshape((*numbering, 1))
    if value.aval.shape == numbering:
        return reshape(value, (*numbering, 1))
    # Dimensions of size 1 among index arrays broadcast, too.
    return broadcast_in_dim(value, (*numbering, 1), dims)
