"""Windows of an array at computed positions: what gather and scatter have in common.

Both move *windows*: boxes of one static size, at positions given by an array of indices.  ``Windows`` says which
dimension of which array means what, for gather and scatter alike; ``Geometry`` turns that into row
numbers of a flat view of the operand, so that NumPy moves all windows in one call.

May import ``core`` and ``ops._operands``.
"""

from __future__ import annotations

import enum
import functools
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from fungrad.config import config
from fungrad.core.avals import ShapedArray
from fungrad.core.printing import register_param_type
from fungrad.ops._operands import check_kind

Dims = tuple[int, ...]


@register_param_type
class GatherScatterMode(enum.Enum):
    """What happens to windows that are not entirely inside the array.

    Attributes:
      CLIP: they are moved inside.
      FILL_OR_DROP: gather fills their elements with ``fill_value``, scatter ignores them.
      PROMISE_IN_BOUNDS: the caller promises that there are none; should there be one nevertheless, gather moves it
        inside and scatter ignores it.
    """

    CLIP = 1
    FILL_OR_DROP = 2
    PROMISE_IN_BOUNDS = 3

    @staticmethod
    def from_any(mode: str | GatherScatterMode | None) -> GatherScatterMode:
        """The mode called ``"clip"``, ``"fill"`` or ``"drop"``, or ``"promise_in_bounds"``; None means fill or drop.

        Raises:
          ValueError: there is no such mode.
        """
        if isinstance(mode, GatherScatterMode):
            return mode
        found = _MODES.get(mode)
        if found is None:
            raise ValueError(
                "fungrad.lax.GatherScatterMode: mode must be 'clip', 'fill', 'drop', 'promise_in_bounds' or a "
                f"fungrad.lax.GatherScatterMode, got {mode!r}"
            )
        return found


_MODES = {
    None: GatherScatterMode.FILL_OR_DROP,
    "fill": GatherScatterMode.FILL_OR_DROP,
    "drop": GatherScatterMode.FILL_OR_DROP,
    "clip": GatherScatterMode.CLIP,
    "promise_in_bounds": GatherScatterMode.PROMISE_IN_BOUNDS,
}


class Windows(NamedTuple):
    """Meaning of the dimensions of operand, indices and windows (the result of gather, the updates of scatter).

    The last dimension of the indices holds one position per entry of ``index_map``; all its others say which window it
    is, and come back in the window array, in order, as the dimensions that are not in ``window_dims``.

    Attributes:
      operand: shape of the operand.
      indices: shape of the indices.
      sizes: size of the windows along each operand dimension.
      window_dims: dimensions of the window array that run inside a window, increasing.
      collapsed: operand dimensions (of window size 1) that the window array does not have, increasing.
      index_map: operand dimensions in which windows are placed by the indices.
      operand_batching: operand dimensions along which window and operand run together (also not in ``window_dims``).
      indices_batching: the dimensions of the indices that number these.
    """

    operand: Dims
    indices: Dims
    sizes: Dims
    window_dims: Dims
    collapsed: Dims
    index_map: Dims
    operand_batching: Dims
    indices_batching: Dims

    @property
    def kept(self) -> Dims:
        """Operand dimensions that the window array has, in the order of ``window_dims``."""
        gone = {*self.collapsed, *self.operand_batching}
        return tuple([d for d in range(len(self.operand)) if d not in gone])

    @property
    def rank(self) -> int:
        """Rank of the window array."""
        return len(self.indices) - 1 + len(self.window_dims)

    @property
    def numbering(self) -> Dims:
        """Dimensions of the window array that number the windows."""
        return tuple([d for d in range(self.rank) if d not in self.window_dims])


class Geometry(NamedTuple):
    """How the windows lie in memory.

    The operand is seen as rows: ``tail`` trailing dimensions that all windows cover entirely make one row.

    Attributes:
      tail: size of a row.
      index_strides: for each entry of ``index_map`` the distance, in rows, of neighbouring positions.
      limits: for each entry of ``index_map`` the last position at which a window is inside.
      inner: sizes of the window in the dimensions that are not in the rows.
      inner_strides: distances, in rows, along ``inner``.
      batching: pairs (dimension of the indices, distance in rows) of the batching dimensions.
      shape: shape of the windows as they come from memory: numbering dimensions, then window dimensions.
      order: permutation from there to the window array, or None if it is that already.
      take_axis: operand dimension in which single positions are taken while all others are kept whole, or None.
      take_order: as ``order``, for what ``numpy.take`` along ``take_axis`` gives.
    """

    tail: int
    index_strides: Dims
    limits: Dims
    inner: Dims
    inner_strides: Dims
    batching: tuple[tuple[int, int], ...]
    shape: Dims
    order: Dims | None
    take_axis: int | None
    take_order: Dims | None


@functools.lru_cache(maxsize=2048)
def geometry(w: Windows) -> Geometry:
    """The geometry of ``w``, which must be valid."""
    kept, numbering, rank = w.kept, w.numbering, len(w.operand)
    split = rank
    while split and split - 1 in kept and w.sizes[split - 1] == w.operand[split - 1]:
        split -= 1
    strides = [math.prod(w.operand[d + 1 : split]) for d in range(split)] + [0] * (rank - split)
    inner = [d for d in kept if d < split]
    groups = w.indices[:-1]
    order = [0] * w.rank
    for position, d in enumerate((*numbering, *w.window_dims)):
        order[d] = position
    take_axis, take_order = None, None
    if len(w.index_map) == 1 and w.collapsed == w.index_map and not w.operand_batching:
        if all(w.sizes[d] == w.operand[d] for d in kept):
            take_axis = w.index_map[0]
            # numpy.take puts the numbering dimensions in the place of the axis.
            made = (*w.window_dims[:take_axis], *numbering, *w.window_dims[take_axis:])
            take_order = tuple([made.index(d) for d in range(w.rank)])
    return Geometry(
        tail=math.prod(w.operand[split:]),
        index_strides=tuple([strides[d] for d in w.index_map]),
        limits=tuple([w.operand[d] - w.sizes[d] for d in w.index_map]),
        inner=tuple([w.sizes[d] for d in inner]),
        inner_strides=tuple([strides[d] for d in inner]),
        batching=tuple([(i, strides[d]) for d, i in zip(w.operand_batching, w.indices_batching, strict=True)]),
        shape=(*groups, *[w.sizes[d] for d in kept]),
        order=None if order == list(range(w.rank)) else tuple(order),
        take_axis=take_axis,
        take_order=None if take_order == tuple(range(w.rank)) else take_order,
    )


def locate(
    indices: np.ndarray, w: Windows, g: Geometry, *, clip: bool
) -> tuple[np.ndarray, np.ndarray | None]:
    """Row numbers of the windows.

    Args:
      indices: the indices.
      w: what their dimensions mean.
      g: ``geometry(w)``.
      clip: whether windows that stick out are moved inside; otherwise they are found out (and moved as well, so that
        the row numbers can be used).

    Returns:
      The row numbers, shaped as the numbering dimensions followed by ``g.inner``, and whether each window is inside:
      None (all are) or a boolean array shaped as the numbering dimensions.
    """
    numbering = w.indices[:-1]
    rows: Any = np.zeros(numbering, np.intp)
    inside: Any = None
    for k, (stride, limit) in enumerate(zip(g.index_strides, g.limits, strict=True)):
        start = _signed(indices[..., k])
        clipped = np.clip(start, 0, limit)
        if not clip:
            same = clipped == start
            inside = same if inside is None else inside & same
        if stride:
            rows = rows + clipped * stride if stride != 1 else rows + clipped
    for dim, stride in g.batching:
        count = np.arange(w.indices[dim]) * stride
        rows = rows + count.reshape((-1,) + (1,) * (len(numbering) - dim - 1))
    if g.inner:
        rows = rows.reshape((*numbering, *(1,) * len(g.inner)))
        for position, (size, stride) in enumerate(zip(g.inner, g.inner_strides, strict=True)):
            rows = rows + (np.arange(size) * stride).reshape((-1,) + (1,) * (len(g.inner) - position - 1))
    return np.asarray(rows), None if inside is None or inside.all() else inside


def _signed(start: np.ndarray) -> np.ndarray:
    """Positions as signed machine integers; those beyond them stay beyond every array."""
    if start.dtype == np.uint64:
        start = np.minimum(start, np.uint64(np.iinfo(np.intp).max))
    return start.astype(np.intp)


def check_in_bounds(api: str, indices: np.ndarray, w: Windows, mode: GatherScatterMode) -> None:
    """Raises for a window outside if the configuration forbids what nobody has asked to clip, fill or drop.

    Raises:
      IndexError: ``config.strict_index`` is on, ``mode`` is the promise and an index breaks it.
    """
    if mode is not GatherScatterMode.PROMISE_IN_BOUNDS or not config.strict_index:
        return
    for k, (d, limit) in enumerate(zip(w.index_map, geometry(w).limits, strict=True)):
        start = _signed(indices[..., k])
        bad = (start < 0) | (start > limit)
        if bad.any():
            raise IndexError(
                f"fungrad.lax.{api}: index {start[bad].reshape(-1)[0]} is out of bounds for axis {d} of size "
                f"{w.operand[d]}"
                + (f" and windows of size {w.sizes[d]}" if w.sizes[d] > 1 else "")
                + " (strict_index is on)"
            )


def permuted(x: np.ndarray, order: Dims | None) -> np.ndarray:
    """``x`` with its dimensions in another order, in row-major layout."""
    if order is None:
        return x
    shape = [x.shape[d] for d in order]
    return np.ascontiguousarray(x.transpose(order)).reshape(shape)


# -- checks ------------------------------------------------------------------------------------------------------------


def check_windows(api: str, w: Windows, indices: ShapedArray, names: tuple[str, ...]) -> None:
    """Raises TypeError unless the parts of ``w`` fit together.

    Args:
      api: name of the function, for messages.
      w: the dimensions.
      indices: type of the indices.
      names: what ``w``'s fields from ``sizes`` on are called in ``api``.
    """
    check_kind(api, indices, "iu", 1)
    rank, batch_rank = len(w.operand), len(w.indices) - 1
    sizes, window, collapsed, index_map, batching, indices_batching = names
    if batch_rank < 0 or w.indices[-1] != len(w.index_map):
        raise TypeError(
            f"fungrad.lax.{api}: the last dimension of the indices must have one entry for each of the "
            f"{len(w.index_map)} dimensions in {index_map}, got indices of type {indices.str_short()} and "
            f"{index_map}={w.index_map}"
        )
    _check_distinct(api, collapsed, w.collapsed, rank, ordered=True)
    _check_distinct(api, batching, w.operand_batching, rank, ordered=True)
    _check_distinct(api, index_map, w.index_map, rank)
    _check_distinct(api, indices_batching, w.indices_batching, batch_rank)
    _check_distinct(api, f"{collapsed} and {batching}", (*w.collapsed, *w.operand_batching), rank)
    _check_distinct(api, f"{index_map} and {batching}", (*w.index_map, *w.operand_batching), rank)
    if len(w.sizes) != rank:
        raise TypeError(
            f"fungrad.lax.{api}: {sizes} must have one entry per operand dimension, got {w.sizes} for {rank} dimensions"
        )
    if len(w.kept) != len(w.window_dims):
        raise TypeError(
            f"fungrad.lax.{api}: {window} must have one entry for each operand dimension that is in neither "
            f"{collapsed} nor {batching}, got {window}={w.window_dims} for the dimensions {w.kept} of an operand of "
            f"shape {w.operand}"
        )
    _check_distinct(api, window, w.window_dims, w.rank, ordered=True)
    if len(w.operand_batching) != len(w.indices_batching):
        raise TypeError(
            f"fungrad.lax.{api}: {batching} and {indices_batching} must pair dimensions, got {w.operand_batching} and "
            f"{w.indices_batching}"
        )
    for d, i in zip(w.operand_batching, w.indices_batching, strict=True):
        if w.operand[d] != w.indices[i]:
            raise TypeError(
                f"fungrad.lax.{api}: batching dimensions must have the same size, got {w.operand[d]} (dimension {d} of "
                f"an operand of shape {w.operand}) and {w.indices[i]} (dimension {i} of indices of shape {w.indices})"
            )
    # Single positions in a dimension without elements are fine as long as none is read.
    nothing = 0 in w.indices[:-1] or 0 in w.sizes
    for d, (size, n) in enumerate(zip(w.sizes, w.operand, strict=True)):
        if not 0 <= size <= n and not (nothing and n == 0 and size == 1 and d in w.collapsed):
            raise TypeError(
                f"fungrad.lax.{api}: windows of size {size} do not fit dimension {d} of an operand of shape {w.operand}"
            )
    for name, dims, least in ((collapsed, w.collapsed, 1), (batching, w.operand_batching, 0)):
        # Batching dimensions may be empty.
        if any(w.sizes[d] != max(least, min(1, w.operand[d])) for d in dims):
            raise TypeError(
                f"fungrad.lax.{api}: the window size must be 1 in dimensions of {name}={dims}, got {sizes}={w.sizes}"
            )


def _check_distinct(api: str, name: str, dims: Sequence[int], rank: int, *, ordered: bool = False) -> None:
    if any(not 0 <= d < rank for d in dims) or len(set(dims)) != len(dims):
        raise TypeError(
            f"fungrad.lax.{api}: dimensions in {name} must be distinct and in [0, {rank}), got {tuple(dims)}"
        )
    if ordered and list(dims) != sorted(dims):
        raise TypeError(f"fungrad.lax.{api}: dimensions in {name} must increase, got {tuple(dims)}")


# -- batching ----------------------------------------------------------------------------------------------------------


def after(dims: Dims) -> Dims:
    """``dims`` of an array that has got one more leading dimension."""
    return tuple([d + 1 for d in dims])


# -- compiled code -----------------------------------------------------------------------------------------------------


def position_of(m: Any, indices: Any, w: Windows, i: Sequence[Any], *, clip: bool) -> tuple[list[Any], Any]:
    """Where element ``i`` of the window array lies in the operand, in terms of a scalar builder ``m``.

    Returns:
      One index per operand dimension, and the condition that its window is inside (None if it is by ``clip``).
    """
    number = [i[d] for d in w.numbering]
    position: list[Any] = [0] * len(w.operand)
    for d, o in zip(w.kept, w.window_dims, strict=True):
        position[d] = i[o]
    for d, n in zip(w.operand_batching, w.indices_batching, strict=True):
        position[d] = number[n]
    inside = None
    for k, d in enumerate(w.index_map):
        limit = w.operand[d] - w.sizes[d]
        start = m.load(indices, *number, k)
        if indices.dtype == np.uint64 or limit > np.iinfo(indices.dtype).max:
            start = m.convert(start, "i64")
        if indices.dtype == np.uint64:
            # Those beyond int64 have become negative; they are beyond every array.
            start = m.select(start < 0, m.const(np.iinfo(np.int64).max, start), start)
        if clip:
            start = m.select(start < 0, m.const(0, start), m.select(start > limit, m.const(limit, start), start))
        else:
            same = (start >= 0) & (start <= limit)
            inside = same if inside is None else inside & same
        position[d] = m.at(m.convert(start, "i64")) + position[d]
    return position, inside
