"""``pad``: arrays made larger at their edges.

May import ``core``, ``ops``, ``transforms``, ``numpy._promotion`` and the modules of ``numpy`` before it.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from fungrad.core import dtypes
from fungrad.core.array import Array
from fungrad.core.dimensions import as_size, is_symbolic, min_size
from fungrad.numpy import creation, reductions, ufuncs
from fungrad.numpy._promotion import cast, converted, operand, raw_operand
from fungrad.numpy.grids import linspace
from fungrad.numpy.manipulation import moveaxis, reshape, take_1d
from fungrad.numpy.quantiles import median
from fungrad.ops import foundation, joining, shape as shape_ops
from fungrad.ops.shape import slice_in_dim
from fungrad.transforms.mapping import vmap

# The keyword arguments of each mode.
_OPTIONS: dict[str, tuple[str, ...]] = {
    "constant": ("constant_values",),
    "edge": (),
    "empty": (),
    "linear_ramp": ("end_values",),
    "maximum": ("stat_length",),
    "mean": ("stat_length",),
    "median": ("stat_length",),
    "minimum": ("stat_length",),
    "reflect": ("reflect_type",),
    "symmetric": ("reflect_type",),
    "wrap": (),
}

Widths = list[tuple[int, int]]


def _per_edge(value: Any, rank: int, what: str) -> list[tuple[Any, Any]]:
    """A value per edge, from the forms that NumPy accepts: one, a pair for all axes, or a pair per axis."""
    if isinstance(value, dict):
        out: list[Any] = [(0, 0)] * rank
        for axis, widths in value.items():
            out[operator.index(axis)] = tuple(widths) if np.ndim(widths) else (widths, widths)
        return out
    if is_symbolic(value) or (isinstance(value, (Array, int, float, complex, np.generic)) and not np.ndim(value)):
        return [(value, value)] * rank
    rows = list(value)
    if all(is_symbolic(v) or not np.ndim(v) for v in rows):
        pair = rows * 2 if len(rows) == 1 else rows
        if len(pair) != 2:
            raise ValueError(f"fungrad.numpy.pad: {what} must be a number, a pair, or a pair per axis, got {value!r}")
        return [(pair[0], pair[1])] * rank
    pairs = [tuple(v) * 2 if len(v) == 1 else tuple(v) for v in rows]
    if len(pairs) == 1:
        pairs *= rank
    if len(pairs) != rank or any(len(p) != 2 for p in pairs):
        raise ValueError(
            f"fungrad.numpy.pad: {what} must be a number, a pair, or a pair for each of {rank} axes, got {value!r}"
        )
    return pairs


def _joined(parts: list[Array], axis: int) -> Array:
    return joining.concatenate([p for p in parts if p.aval.shape[axis]] or parts[:1], axis)


def pad(array: Any, pad_width: Any, mode: str | Callable[..., Any] = "constant", **kwargs: Any) -> Array:
    """An array made larger at its edges.

    Args:
      array: array.
      pad_width: how much to add: a number for all edges, a pair (before, after) for all axes, a pair per axis, or a
        dict from axes to these; must be known when tracing.
      mode: what to add: ``constant`` (``constant_values``, default 0), ``edge``, ``linear_ramp`` (``end_values``),
        ``maximum``, ``mean``, ``median``, ``minimum`` (of ``stat_length`` elements), ``reflect`` and ``symmetric``
        (``reflect_type`` ``even`` or ``odd``), ``wrap``, ``empty``, or a function of a padded vector, its widths, its
        axis and ``kwargs`` that returns the vector.
      **kwargs: options of the mode, for each edge in the forms of ``pad_width``.

    Raises:
      ValueError: a width is negative, or the mode has no such option.
      NotImplementedError: there is no such mode.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.pad(jnp.array([1, 2, 3]), (2, 1), mode="reflect")
      Array([3, 2, 1, 2, 3, 2], dtype=int32)
    """
    x = operand(array, "pad", "array")
    widths: Widths = [
        (as_size(b), as_size(a)) for b, a in _per_edge(pad_width, x.aval.ndim, "pad_width")
    ]
    if any(w < 0 for pair in widths for w in pair):
        raise ValueError(f"fungrad.numpy.pad: widths must not be negative, got {pad_width!r}")
    if callable(mode):
        return _by_function(x, widths, mode, kwargs)
    if mode not in _OPTIONS:
        raise NotImplementedError(
            f"fungrad.numpy.pad: mode must be one of {', '.join(_OPTIONS)}, or a function, got {mode!r}"
        )
    unknown = set(kwargs) - set(_OPTIONS[mode])
    if unknown:
        raise ValueError(f"fungrad.numpy.pad: mode {mode!r} has no option {sorted(unknown)[0]!r}")
    if mode == "constant":
        return _constant(x, widths, kwargs.get("constant_values", 0))
    if mode == "empty":
        return _constant(x, widths, 0)
    ends: list[tuple[Any, Any]] = []
    if mode == "linear_ramp":
        ends = _per_edge(kwargs.get("end_values", 0), x.aval.ndim, "end_values")
    elif mode in ("maximum", "mean", "median", "minimum"):
        length = kwargs.get("stat_length")
        ends = [(None, None)] * x.aval.ndim if length is None else _per_edge(length, x.aval.ndim, "stat_length")
    kind = kwargs.get("reflect_type", "even")
    if kind not in ("even", "odd"):
        raise ValueError(f"fungrad.numpy.pad: reflect_type must be 'even' or 'odd', got {kind!r}")
    for axis, (before, after) in enumerate(widths):
        if before == after == 0:
            continue
        if not x.aval.shape[axis]:
            raise ValueError(
                f"fungrad.numpy.pad: axis {axis} is empty, which mode {mode!r} cannot extend; use mode='constant'"
            )
        if mode in ("edge", "wrap"):
            x = _repeated(x, axis, before, after, mode)
        elif mode in ("reflect", "symmetric"):
            x = _reflected(x, axis, before, after, 1 if mode == "reflect" else 0, kind == "odd")
        elif mode == "linear_ramp":
            x = _ramp(x, axis, before, after, ends[axis])
        else:
            x = _statistic(x, axis, before, after, mode, ends[axis])
    return x


def _constant(x: Array, widths: Widths, values: Any) -> Array:
    if isinstance(values, (int, float, complex, np.generic)) or not np.ndim(values):
        fill = converted(values, x.aval.dtype, "pad", "constant_values", x.aval.weak_type)
        return shape_ops.pad(x, fill, [(b, a, 0) for b, a in widths])
    for axis, ((before, after), pair) in enumerate(
        zip(widths, _per_edge(values, x.aval.ndim, "constant_values"), strict=True)
    ):
        for width, value, config in ((before, pair[0], (before, 0, 0)), (after, pair[1], (0, after, 0))):
            if width:
                whole = [(0, 0, 0)] * x.aval.ndim
                whole[axis] = config
                fill = converted(value, x.aval.dtype, "pad", "constant_values", x.aval.weak_type)
                x = shape_ops.pad(x, fill, whole)
    return x


def _repeated(x: Array, axis: int, before: int, after: int, mode: str) -> Array:
    """Edges repeated, or the array continued periodically."""
    n = x.aval.shape[axis]
    if mode == "wrap":
        if before <= n and after <= n:
            return _joined(
                [slice_in_dim(x, n - before, n, axis=axis), x, slice_in_dim(x, 0, after, axis=axis)], axis
            )
        return take_1d(x, np.arange(-before, n + after, dtype=np.int32) % n, axis)

    def slab(position: int, width: int) -> Array:
        shape = tuple(width if d == axis else s for d, s in enumerate(x.aval.shape))
        return foundation.broadcast(slice_in_dim(x, position, position + 1, axis=axis), shape)

    return _joined([slab(0, before), x, slab(n - 1, after)], axis)


def _reflected(x: Array, axis: int, before: int, after: int, skip: int, odd: bool) -> Array:
    """The array continued by its mirror image; ``skip`` is 1 if the edge itself is not repeated."""
    if x.aval.shape[axis] == 1 and skip:
        return _repeated(x, axis, before, after, "edge")
    while before:
        n = x.aval.shape[axis]
        width = min(before, n - skip)
        part = shape_ops.rev(slice_in_dim(x, skip, skip + width, axis=axis), (axis,))
        part = _turned(part, slice_in_dim(x, 0, 1, axis=axis)) if odd else part
        x, before = joining.concatenate([part, x], axis), before - width
    while after:
        n = x.aval.shape[axis]
        width = min(after, n - skip)
        part = shape_ops.rev(slice_in_dim(x, n - skip - width, n - skip, axis=axis), (axis,))
        part = _turned(part, slice_in_dim(x, n - 1, n, axis=axis)) if odd else part
        x, after = joining.concatenate([x, part], axis), after - width
    return x


def _turned(part: Array, edge: Array) -> Array:
    return ufuncs.subtract(ufuncs.multiply(2, edge), part)


def _ramp(x: Array, axis: int, before: int, after: int, ends: tuple[Any, Any]) -> Array:
    """Straight lines from the edges to given values."""
    n, dtype = x.aval.shape[axis], x.aval.dtype
    parts = [x]
    for front, width, end in ((True, before, ends[0]), (False, after, ends[1])):
        edge = slice_in_dim(x, 0, 1, axis=axis) if front else slice_in_dim(x, n - 1, n, axis=axis)
        edge = shape_ops.squeeze(edge, (axis,))
        line = linspace(raw_operand(end, "pad", "end_values"), edge, width, endpoint=False, dtype=dtype, axis=axis)
        parts = [line, *parts] if front else [*parts, shape_ops.rev(line, (axis,))]
    return _joined([cast(p, dtype) for p in parts], axis)


_STATISTICS: dict[str, Callable[..., Array]] = {
    "maximum": reductions.max,
    "minimum": reductions.min,
    "mean": reductions.mean,
    "median": median,
}


def _statistic(x: Array, axis: int, before: int, after: int, mode: str, lengths: tuple[Any, Any]) -> Array:
    """Edges continued by a statistic of the elements next to them."""
    n, dtype = x.aval.shape[axis], x.aval.dtype
    reduce = _STATISTICS[mode]
    parts = [x]
    for front, width, length in ((True, before, lengths[0]), (False, after, lengths[1])):
        count = n if length is None else min_size(as_size(length), n)
        if count < 1:
            raise ValueError(f"fungrad.numpy.pad: stat_length must be positive, got {length!r}")
        near = slice_in_dim(x, 0, count, axis=axis) if front else slice_in_dim(x, n - count, n, axis=axis)
        value = reduce(near, axis, keepdims=True)
        if dtypes.is_integer(dtype) and mode in ("mean", "median"):
            value = ufuncs.round(value)
        shape = tuple(width if d == axis else s for d, s in enumerate(x.aval.shape))
        slab = foundation.broadcast(cast(value, dtype), shape)
        parts = [slab, *parts] if front else [*parts, slab]
    return _joined(parts, axis)


def _by_function(x: Array, widths: Widths, function: Callable[..., Any], kwargs: dict[str, Any]) -> Array:
    """Zeros that a function of each vector fills, axis after axis."""
    x = _constant(x, widths, 0)
    for axis, pair in enumerate(widths):
        moved = moveaxis(x, axis, -1)
        rows = (
            reshape(moved, (-1, moved.aval.shape[-1])) if moved.aval.size else reshape(moved, (0, moved.aval.shape[-1]))
        )

        def padded(row: Array, pair: tuple[int, int] = pair, axis: int = axis) -> Array:
            out = function(row, pair, axis, kwargs)
            return creation.asarray(row if out is None else out)

        x = moveaxis(reshape(vmap(padded)(rows), moved.aval.shape), -1, axis)
    return x


__all__ = ["pad"]
