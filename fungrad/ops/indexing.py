"""``gather``: windows of an array at positions given by an array of indices; and ``scatter-add``, its transpose.

All of NumPy's indexing with arrays is a gather (``fungrad.numpy.indexing`` translates it).  The two primitives stand
together because each is the other's transpose; the other ways to scatter are in ``ops.scatter``, built on ``Scatter``
here.

May import ``core``, ``ops._operands``, ``ops._windows``, ``ops.foundation``, ``ops.cast`` and ``ops.compare``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from fungrad.config import config
from fungrad.core import dtypes, key_types
from fungrad.core.array import Array, is_array_like
from fungrad.core.avals import ShapedArray, Zero
from fungrad.core.context import AxisData, Tracer
from fungrad.core.dimensions import sizes_of
from fungrad.core.primitive import Primitive, is_linear
from fungrad.core.printing import register_param_type
from fungrad.ops._operands import MANY, check_kind, double, kind_of, lift, scalar_like
from fungrad.ops._windows import (
    Dims,
    GatherScatterMode,
    Windows,
    after,
    check_in_bounds,
    check_windows,
    geometry,
    locate,
    permuted,
    position_of,
)
from fungrad.ops.cast import convert_element_type
from fungrad.ops.compare import select_n
from fungrad.ops.foundation import batch_to, broadcast, move_dim, zeros

_GATHER_NAMES = (
    "slice_sizes",
    "offset_dims",
    "collapsed_slice_dims",
    "start_index_map",
    "operand_batching_dims",
    "start_indices_batching_dims",
)


def _dims(dims: Sequence[int]) -> Dims:
    return sizes_of(dims)


# -- gather ------------------------------------------------------------------------------------------------------------


@register_param_type
class GatherDimensionNumbers(NamedTuple):
    """What the dimensions of the operand, the indices and the result of ``gather`` mean.

    The last dimension of the indices holds a position; all others number the windows.

    Attributes:
      offset_dims: dimensions of the result that run inside a window, increasing.
      collapsed_slice_dims: operand dimensions, of window size 1, that the result does not have, increasing.
      start_index_map: operand dimensions to which the numbers in a position belong.
      operand_batching_dims: operand dimensions that run together with a dimension of the indices, increasing; the
        window size is 1 there.
      start_indices_batching_dims: those dimensions of the indices, in the same order.
    """

    offset_dims: tuple[int, ...]
    collapsed_slice_dims: tuple[int, ...]
    start_index_map: tuple[int, ...]
    operand_batching_dims: tuple[int, ...] = ()
    start_indices_batching_dims: tuple[int, ...] = ()


def _windows(operand: Dims, indices: Dims, numbers: GatherDimensionNumbers, sizes: Dims) -> Windows:
    offset, collapsed, index_map, operand_batching, indices_batching = numbers
    return Windows(operand, indices, sizes, offset, collapsed, index_map, operand_batching, indices_batching)


def _fill(dtype: np.dtype, value: Any) -> Any:
    """What stands for elements outside: by default NaN, the smallest signed and the largest unsigned integer (also
    as the words of keys), True."""
    if value is not None:
        return value
    kind = kind_of(dtype)
    if kind in "fc":
        return math.nan
    if kind in "iu":
        info = dtypes.iinfo(dtype)
        return int(info.min if kind == "i" else info.max)
    if kind == "k":
        words = np.full(key_types.key_shape(dtype), 2**32 - 1, np.uint32)
        return dtypes.keys_from_words(words, dtype)
    return True


class Gather(Primitive):
    """Windows of the first operand at the positions in the second; linear in the first."""

    kind = "gather"

    def abstract_eval(
        self, operand: ShapedArray, indices: ShapedArray, *,
        dimension_numbers: GatherDimensionNumbers, slice_sizes: Dims, **_: Any,
    ) -> ShapedArray:  # fmt: skip
        w = _windows(operand.shape, indices.shape, dimension_numbers, slice_sizes)
        check_windows("gather", w, indices, _GATHER_NAMES)
        shape = [0] * w.rank
        for d, i in zip(w.numbering, indices.shape[:-1], strict=True):
            shape[d] = i
        for d, kept in zip(w.window_dims, w.kept, strict=True):
            shape[d] = slice_sizes[kept]
        return ShapedArray(tuple(shape), operand.dtype, operand.weak_type)

    def impl(
        self, x: np.ndarray, indices: np.ndarray, *,
        dimension_numbers: GatherDimensionNumbers, slice_sizes: Dims, mode: GatherScatterMode, fill_value: Any, **_:
    Any, ) -> np.ndarray:  # fmt: skip
        w = _windows(x.shape, indices.shape, dimension_numbers, slice_sizes)
        g = geometry(w)
        check_in_bounds("gather", indices, w, mode)
        clip = mode is not GatherScatterMode.FILL_OR_DROP
        if clip and g.take_axis is not None and x.shape[g.take_axis]:
            positions = indices[..., 0]
            if positions.dtype == np.uint64:
                positions = np.minimum(positions, np.uint64(x.shape[g.take_axis]))
            return permuted(np.take(x, positions, g.take_axis, mode="clip"), g.take_order)
        if not x.size:
            # Windows are empty or there are none: nothing to read.
            return permuted(np.empty(g.shape, x.dtype), g.order)
        rows, inside = locate(indices, w, g, clip=clip)
        if g.tail == 1:
            out = x.reshape(-1).take(rows)
        else:
            out = x.reshape((-1, g.tail)).take(rows, axis=0)
        out = np.asarray(out).reshape(g.shape)
        if inside is not None:
            fill = _fill(x.dtype, fill_value)
            out[~inside] = np.zeros((), x.dtype) if dtypes.is_float0(x.dtype) else fill
        return permuted(out, g.order)

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any], **params: Any) -> tuple[Any, Any]:
        y = self.bind(*primals, **params)
        if type(tangents[0]) is Zero:
            return y, Zero(y.aval.tangent())
        return y, self.bind(tangents[0], primals[1], **{**params, "fill_value": 0})

    def transpose(
        self, ct: Any, operand: Any, indices: Any, *,
        dimension_numbers: GatherDimensionNumbers, mode: GatherScatterMode, unique_indices: bool,
        indices_are_sorted: bool, **_: Any,
    ) -> Sequence[Any]:  # fmt: skip
        numbers = ScatterDimensionNumbers(*dimension_numbers)
        out = scatter_add_p.bind(
            zeros(operand.aval.strip_weak_type()),
            indices,
            ct,
            dimension_numbers=numbers,
            indices_are_sorted=indices_are_sorted,
            unique_indices=unique_indices,
            mode=mode,
        )
        return out, None

    def batch(
        self, axis: AxisData, args: Sequence[Any], dims: Sequence[Any], *,
        dimension_numbers: GatherDimensionNumbers, slice_sizes: Dims, **params: Any,
    ) -> tuple[Any, int]:  # fmt: skip
        operand, indices = (move_dim(x, d, 0) for x, d in zip(args, dims, strict=True))
        offset, collapsed, index_map, operand_batching, indices_batching = dimension_numbers
        mapped_operand, mapped_indices = dims[0] is not None, dims[1] is not None
        if mapped_operand:
            collapsed, index_map, operand_batching = after(collapsed), after(index_map), after(operand_batching)
        if mapped_indices:
            indices_batching = after(indices_batching)
        if mapped_operand and mapped_indices:
            operand_batching, indices_batching = (0, *operand_batching), (0, *indices_batching)
            slice_sizes = (min(1, axis.size), *slice_sizes)
            offset = after(offset)
        elif mapped_operand:
            # The batch is one more dimension of every window.
            slice_sizes = (axis.size, *slice_sizes)
            offset = (0, *after(offset))
        else:
            offset = after(offset)
            # Examples read one array: what is promised of the windows of one says nothing about those of another.
            params = {**params, "unique_indices": False, "indices_are_sorted": False}
        numbers = GatherDimensionNumbers(offset, collapsed, index_map, operand_batching, indices_batching)
        return self.bind(operand, indices, dimension_numbers=numbers, slice_sizes=slice_sizes, **params), 0

    def lower(
        self, ctx: Any, x: Any, indices: Any, *,
        dimension_numbers: GatherDimensionNumbers, slice_sizes: Dims, mode: GatherScatterMode, fill_value: Any, **rest:
    Any, ) -> Any:  # fmt: skip
        if config.strict_index and mode is GatherScatterMode.PROMISE_IN_BOUNDS:
            params = {"dimension_numbers": dimension_numbers, "slice_sizes": slice_sizes, "mode": mode}
            return ctx.host(self, (x, indices), {**params, "fill_value": fill_value, **rest})
        w = _windows(x.shape, indices.shape, dimension_numbers, slice_sizes)
        clip = mode is not GatherScatterMode.FILL_OR_DROP

        def element(m: Any, *i: Any) -> Any:
            position, inside = position_of(m, indices, w, i, clip=clip)
            value = m.load(x, *position)
            return value if inside is None else m.guard(inside, value, m.const(outside, value))

        # Compiled code has a key in one integer.
        outside = 2**64 - 1 if dtypes.is_key(x.dtype) else _fill(x.dtype, fill_value)
        return ctx.compute(ctx.out_avals[0].shape, x.dtype, element)


gather_p = Gather("gather")


def gather(
    operand: Any,
    start_indices: Any,
    dimension_numbers: GatherDimensionNumbers,
    slice_sizes: Sequence[int],
    *,
    unique_indices: bool = False,
    indices_are_sorted: bool = False,
    mode: str | GatherScatterMode | None = None,
    fill_value: Any = None,
) -> Array:
    """Windows of ``operand`` at the positions ``start_indices``.

    Args:
      operand: array.
      start_indices: integers; the last dimension holds one number for each entry of ``start_index_map``.
      dimension_numbers: a ``GatherDimensionNumbers``.
      slice_sizes: size of the windows in each operand dimension.
      unique_indices: a promise that no two windows overlap, which may make derivatives faster.
      indices_are_sorted: a promise that positions come in increasing order.
      mode: what happens to windows that are not inside: ``"clip"``, ``"fill"`` (default) or ``"promise_in_bounds"``.
      fill_value: a number for windows outside, which may be traced; default NaN for floating and complex dtypes, the
        smallest number for signed and the largest for unsigned integers, True for booleans.

    Returns:
      An array of the operand's dtype: the dimensions ``offset_dims`` run inside the windows, all others number them.

    Raises:
      TypeError: dimension numbers, sizes and shapes do not fit together.

    Example:
      >>> import numpy as np
      >>> from fungrad import lax
      >>> rows = lax.GatherDimensionNumbers(offset_dims=(1,), collapsed_slice_dims=(0,), start_index_map=(0,))
      >>> lax.gather(np.arange(6.0).reshape(3, 2), np.array([[2], [0], [9]]), rows, (1, 2))
      Array([[ 4.,  5.],
             [ 0.,  1.],
             [nan, nan]], dtype=float32)
    """
    operand = lift(operand, "fungrad.lax.gather: operand")
    start_indices = lift(start_indices, "fungrad.lax.gather: start_indices")
    mode = GatherScatterMode.from_any(mode)
    if fill_value is not None and not is_array_like(fill_value):
        raise TypeError(f"fungrad.lax.gather: fill_value must be a number, got {fill_value!r}")
    if mode is not GatherScatterMode.FILL_OR_DROP or operand.aval.dtype.names is not None:
        fill_value = None
    elif isinstance(fill_value, Tracer):
        # A parameter of the primitive is a number, which has no derivative.
        if fill_value.aval.shape:
            raise TypeError(f"fungrad.lax.gather: fill_value must be a number, got {fill_value.aval.str_short()}")
        rest: dict[str, Any] = {
            "unique_indices": unique_indices, "indices_are_sorted": indices_are_sorted, "mode": mode,
        }
        found = gather(operand, start_indices, dimension_numbers, slice_sizes, fill_value=0, **rest)
        everywhere = broadcast(lift(True, "fungrad.lax.gather"), operand.aval.shape)
        inside = gather(everywhere, start_indices, dimension_numbers, slice_sizes, fill_value=False, **rest)
        outside = broadcast(convert_element_type(fill_value, operand.aval.dtype), found.aval.shape)
        return select_n(inside, outside, found)
    else:
        fill_value = _fill(operand.aval.dtype, None if fill_value is None else _static_number(fill_value))
    return gather_p.bind(
        operand,
        start_indices,
        dimension_numbers=GatherDimensionNumbers(*map(_dims, dimension_numbers)),
        slice_sizes=_dims(slice_sizes),
        unique_indices=bool(unique_indices),
        indices_are_sorted=bool(indices_are_sorted),
        mode=mode,
        fill_value=fill_value,
    )


def _static_number(value: Any) -> Any:
    """A Python number for a parameter; there is one NaN only, so that parameters compare equal."""
    number = value.item() if hasattr(value, "item") else value
    return math.nan if number != number else number


# -- scatter -----------------------------------------------------------------------------------------------------------


@register_param_type
class ScatterDimensionNumbers(NamedTuple):
    """What the dimensions of the operand, the indices and the updates of ``scatter`` mean.

    The last dimension of the indices holds a position; all others number the windows.

    Attributes:
      update_window_dims: dimensions of the updates that run inside a window, increasing.
      inserted_window_dims: operand dimensions, of window size 1, that the updates do not have, increasing.
      scatter_dims_to_operand_dims: operand dimensions to which the numbers in a position belong.
      operand_batching_dims: operand dimensions that run together with a dimension of the indices, increasing; the
        window size is 1 there.
      scatter_indices_batching_dims: those dimensions of the indices, in the same order.
    """

    update_window_dims: tuple[int, ...]
    inserted_window_dims: tuple[int, ...]
    scatter_dims_to_operand_dims: tuple[int, ...]
    operand_batching_dims: tuple[int, ...] = ()
    scatter_indices_batching_dims: tuple[int, ...] = ()


_SCATTER_NAMES = (
    "sizes of the updates",
    "update_window_dims",
    "inserted_window_dims",
    "scatter_dims_to_operand_dims",
    "operand_batching_dims",
    "scatter_indices_batching_dims",
)


def window_sizes(operand: Dims, updates: Dims, numbers: ScatterDimensionNumbers) -> Dims:
    """Size of the windows of a scatter in each operand dimension."""
    gone = {*numbers.inserted_window_dims, *numbers.operand_batching_dims}
    window = iter(numbers.update_window_dims)
    sizes = []
    for d, n in enumerate(operand):
        o = None if d in gone else next(window, None)
        sizes.append(min(1, n) if d in numbers.operand_batching_dims else 1 if o is None else updates[o])
    return tuple(sizes)


def _scatter_windows(operand: Dims, indices: Dims, updates: Dims, numbers: ScatterDimensionNumbers) -> Windows:
    window, inserted, index_map, operand_batching, indices_batching = numbers
    sizes = window_sizes(operand, updates, numbers)
    return Windows(operand, indices, sizes, window, inserted, index_map, operand_batching, indices_batching)


class Scatter(Primitive):
    """A copy of the operand whose windows at given positions are combined with updates, one window after the other.

    Args:
      name: name of the primitive.
      ufunc: how an element is combined with an update; None replaces it, so that the last of several updates stays.
      monoid: the same for compiled code.
      accepts: letters of the accepted dtype kinds.
    """

    kind = "gather"
    quiet = True

    def __init__(self, name: str, ufunc: np.ufunc | None, monoid: str | None, accepts: str):
        super().__init__(name)
        self.ufunc = ufunc
        self.monoid = monoid
        self.accepts = accepts

    def abstract_eval(
        self, operand: ShapedArray, indices: ShapedArray, updates: ShapedArray, *,
        dimension_numbers: ScatterDimensionNumbers, **_: Any,
    ) -> ShapedArray:  # fmt: skip
        api = self.name.replace("-", "_")
        check_kind(api, operand, self.accepts, 0)
        if operand.dtype != updates.dtype:
            raise TypeError(
                f"fungrad.lax.{api}: operand and updates must have the same dtype, got {operand.str_short()} and "
                f"{updates.str_short()}; convert one with .astype"
            )
        for d in dimension_numbers.update_window_dims:
            if not 0 <= d < updates.ndim:
                raise TypeError(
                    f"fungrad.lax.{api}: update_window_dims must be in [0, {updates.ndim}) for updates of type "
                    f"{updates.str_short()}, got {dimension_numbers.update_window_dims}"
                )
        w = _scatter_windows(operand.shape, indices.shape, updates.shape, dimension_numbers)
        check_windows(api, w, indices, _SCATTER_NAMES)
        expected = indices.shape[:-1]
        if updates.ndim != w.rank or tuple([updates.shape[d] for d in w.numbering]) != expected:
            raise TypeError(
                f"fungrad.lax.{api}: updates must have one dimension for each of {expected}, the dimensions that "
                f"number the positions in indices of type {indices.str_short()}, beside update_window_dims="
                f"{dimension_numbers.update_window_dims}; got updates of type {updates.str_short()}"
            )
        return operand

    def impl(
        self, x: np.ndarray, indices: np.ndarray, updates: np.ndarray, *,
        dimension_numbers: ScatterDimensionNumbers, unique_indices: bool, mode: GatherScatterMode, **_: Any,
    ) -> np.ndarray:  # fmt: skip
        w = _scatter_windows(x.shape, indices.shape, updates.shape, dimension_numbers)
        check_in_bounds(self.name.replace("-", "_"), indices, w, mode)
        out = np.array(x, order="C")
        if not updates.size:
            return out
        g = geometry(w)
        rows, inside = locate(indices, w, g, clip=mode is GatherScatterMode.CLIP)
        if g.order is not None:
            updates = updates.transpose((*w.numbering, *w.window_dims))
        updates = updates.reshape((*rows.shape, g.tail))
        if inside is not None:
            rows, updates = rows[inside], updates[inside]
        rows, updates = rows.reshape(-1), updates.reshape((-1, g.tail))
        self._combine(out.reshape((-1, g.tail)), rows, updates, unique_indices or len(rows) <= 1)
        return out

    def _combine(self, out: np.ndarray, rows: np.ndarray, updates: np.ndarray, distinct: bool) -> None:
        """Combines rows of ``out`` with updates, in place."""
        if self.ufunc is None:
            if out.shape[1] == 1:
                out.reshape(-1)[rows] = updates.reshape(-1)
            else:
                out[rows] = updates
        elif distinct:
            out[rows] = self.ufunc(out[rows], updates)
        elif self._combine_wide(out, rows, updates):
            pass
        elif kind_of(out.dtype) == "f" and out.dtype.itemsize < 4:
            # Sums of narrow floats are accumulated in float32, as compiled code does.
            wide = out.astype(np.float32)
            self._combine(wide, rows, updates.astype(np.float32), distinct)
            out[...] = wide
        else:
            tail = out.shape[1]
            flat = rows if tail == 1 else (rows[:, None] * tail + np.arange(tail)).reshape(-1)
            # In one dimension `at` is several times faster than along rows.
            self.ufunc.at(out.reshape(-1), flat, updates.reshape(-1))

    def _combine_wide(self, out: np.ndarray, rows: np.ndarray, updates: np.ndarray) -> bool:
        """Combines where sums get many terms, in double precision; False where there are none."""
        wide = double(out.dtype)
        if self.ufunc not in (np.add, np.subtract) or wide == out.dtype or len(rows) <= MANY:
            return False
        counts = np.bincount(rows)
        if counts.max() <= MANY:
            return False
        touched = counts.nonzero()[0]
        place = np.empty(len(counts), np.intp)
        place[touched] = np.arange(len(touched))
        part = out[touched].astype(wide)
        self._combine(part, place[rows], updates.astype(wide), False)
        out[touched] = part
        return True

    def batch(
        self, axis: AxisData, args: Sequence[Any], dims: Sequence[Any], *,
        dimension_numbers: ScatterDimensionNumbers, **params: Any,
    ) -> tuple[Any, int]:  # fmt: skip
        (operand, indices, updates), (operand_dim, indices_dim, updates_dim) = args, dims
        operand = batch_to(operand, operand_dim, 0, axis)
        updates = batch_to(updates, updates_dim, 0, axis)
        window, inserted, index_map, operand_batching, indices_batching = map(after, dimension_numbers)
        if indices_dim is None:
            # The batch is one more dimension of every window.
            window, indices_batching = (0, *window), dimension_numbers.scatter_indices_batching_dims
        else:
            indices = move_dim(indices, indices_dim, 0)
            operand_batching, indices_batching = (0, *operand_batching), (0, *indices_batching)
        numbers = ScatterDimensionNumbers(window, inserted, index_map, operand_batching, indices_batching)
        return self.bind(operand, indices, updates, dimension_numbers=numbers, **params), 0

    def lower(
        self, ctx: Any, x: Any, indices: Any, updates: Any, *,
        dimension_numbers: ScatterDimensionNumbers, mode: GatherScatterMode, **rest: Any,
    ) -> Any:  # fmt: skip
        if config.strict_index and mode is GatherScatterMode.PROMISE_IN_BOUNDS:
            return ctx.host(self, (x, indices, updates), {"dimension_numbers": dimension_numbers, "mode": mode, **rest})
        w = _scatter_windows(x.shape, indices.shape, updates.shape, dimension_numbers)

        def update(m: Any, *i: Any) -> tuple[list[Any], Any, Any]:
            position, inside = position_of(m, indices, w, i, clip=mode is GatherScatterMode.CLIP)
            return position, self.combined(m, m.load(updates, *i)), inside

        return ctx.scatter(x, updates.shape, update, self.monoid)

    def combined(self, m: Any, value: Any) -> Any:
        """What ``monoid`` combines with an element, for an update ``value``."""
        return value


def gather_updates(
    x: Any, indices: Any, updates: ShapedArray, numbers: ScatterDimensionNumbers, params: dict[str, Any]
) -> Any:
    """The elements of ``x`` at which a scatter with these parameters puts its updates; 0 where it drops them."""
    mode = params["mode"]
    return gather_p.bind(
        x,
        indices,
        dimension_numbers=GatherDimensionNumbers(*numbers),
        slice_sizes=window_sizes(x.aval.shape, updates.shape, numbers),
        unique_indices=params["unique_indices"],
        indices_are_sorted=params["indices_are_sorted"],
        # A broken promise drops updates, so that nothing must be read for it.
        mode=mode if mode is GatherScatterMode.CLIP else GatherScatterMode.FILL_OR_DROP,
        fill_value=None if mode is GatherScatterMode.CLIP else 0,
    )


class ScatterAdd(Scatter):
    """Adds updates; linear in operand and updates."""

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any], **params: Any) -> tuple[Any, Any]:
        (operand, indices, updates), (d_operand, _, d_updates) = primals, tangents
        y = self.bind(operand, indices, updates, **params)
        if type(d_updates) is Zero:
            return y, d_operand
        d_operand = zeros(d_operand.aval) if type(d_operand) is Zero else d_operand
        return y, self.bind(d_operand, indices, d_updates, **params)

    def transpose(
        self, ct: Any, operand: Any, indices: Any, updates: Any, *,
        dimension_numbers: ScatterDimensionNumbers, **params: Any,
    ) -> Sequence[Any]:  # fmt: skip
        ct_updates = None
        if is_linear(updates):
            ct_updates = self.signed(gather_updates(ct, indices, updates.aval, dimension_numbers, params))
        return ct if is_linear(operand) else None, None, ct_updates

    def signed(self, ct: Any) -> Any:
        """The cotangent of the updates, given that of a sum."""
        return ct


scatter_add_p = ScatterAdd("scatter-add", np.add, "add", "iufc")


def bind_scatter(
    primitive: Scatter, operand: Any, scatter_indices: Any, updates: Any, dimension_numbers: Any, *,
    indices_are_sorted: bool, unique_indices: bool, mode: Any,
) -> Array:  # fmt: skip
    """Applies a scatter primitive to the arguments of a function of ``fungrad.lax``."""
    api = f"fungrad.lax.{primitive.name.replace('-', '_')}"
    operand = lift(operand, f"{api}: operand")
    if type(updates) in (bool, int, float, complex):
        updates = scalar_like(updates, operand)
    return primitive.bind(
        operand,
        lift(scatter_indices, f"{api}: scatter_indices"),
        lift(updates, f"{api}: updates"),
        dimension_numbers=ScatterDimensionNumbers(*map(_dims, dimension_numbers)),
        indices_are_sorted=bool(indices_are_sorted),
        unique_indices=bool(unique_indices),
        mode=GatherScatterMode.from_any(mode),
    )


def scatter_add(
    operand: Any,
    scatter_indices: Any,
    updates: Any,
    dimension_numbers: ScatterDimensionNumbers,
    *,
    indices_are_sorted: bool = False,
    unique_indices: bool = False,
    mode: str | GatherScatterMode | None = None,
) -> Array:
    """A copy of ``operand`` with ``updates`` added to windows of it; overlapping windows add up.

    Args:
      operand: array.
      scatter_indices: integers; the last dimension holds one number for each entry of ``scatter_dims_to_operand_dims``.
      updates: array of the operand's dtype, one window for each position.
      dimension_numbers: a ``ScatterDimensionNumbers``.
      indices_are_sorted: a promise that positions come in increasing order.
      unique_indices: a promise that no two windows overlap.
      mode: what happens to windows that are not inside: ``"clip"`` moves them inside, ``"drop"`` (default) and
        ``"promise_in_bounds"`` ignore them.

    Returns:
      An array of the operand's type.

    Raises:
      TypeError: dimension numbers and shapes do not fit together, or dtypes differ.

    Example:
      >>> import numpy as np
      >>> from fungrad import lax
      >>> numbers = lax.ScatterDimensionNumbers((), inserted_window_dims=(0,), scatter_dims_to_operand_dims=(0,))
      >>> lax.scatter_add(np.zeros(3), np.array([[2], [0], [2], [7]]), np.ones(4), numbers)
      Array([1., 0., 2.], dtype=float32)
    """
    return bind_scatter(
        scatter_add_p, operand, scatter_indices, updates, dimension_numbers,
        indices_are_sorted=indices_are_sorted, unique_indices=unique_indices, mode=mode,
    )  # fmt: skip
