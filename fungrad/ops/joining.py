"""Primitives that join arrays and take them apart: concatenate, split, stack, unstack and tile.

May import ``core``, ``ops._operands``, ``ops.foundation`` and ``ops.shape``.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from fungrad.core.array import Array
from fungrad.core.avals import ShapedArray, Zero
from fungrad.core.context import AxisData
from fungrad.core.primitive import Primitive, is_linear
from fungrad.ops._operands import lift
from fungrad.ops.foundation import (
    Dims,
    Structural,
    batch_to,
    instantiate,
    move_dim,
    reduce_sum,
    reshape,
)
from fungrad.ops.shape import canonical_axis, compact, int_tuple, slice_p


def _check_alike(api: str, avals: Sequence[ShapedArray], tip: str) -> None:
    """Raises unless there is an operand and all have one dtype."""
    if not avals:
        raise ValueError(f"{api}: expected at least one array, got none")
    if any(a.dtype != avals[0].dtype for a in avals):
        types = ", ".join(a.str_short() for a in avals)
        raise TypeError(
            f"{api}: arrays must have the same dtype, got {types}; convert them with .astype, or "
            f"use fungrad.numpy.{tip}, which promotes"
        )


def _unpacked(api: str, operands: Any) -> list[Array]:
    """The arrays of a sequence, or the rows of an array."""
    if isinstance(operands, Array):
        if not operands.aval.ndim:
            raise TypeError(f"{api}: expected a sequence of arrays, got a 0-d array")
        return list(unstack(operands))
    return [lift(x, f"{api}: operands[{i}]") for i, x in enumerate(operands)]


# -- concatenate -----------------------------------------------------------------------------------


class Concatenate(Primitive):
    """Arrays one after the other along a dimension; linear in all operands."""

    kind = "structural"
    cheap = True

    def abstract_eval(self, *avals: ShapedArray, dimension: int) -> ShapedArray:
        api = "fungrad.lax.concatenate"
        _check_alike(api, avals, "concatenate")
        first = avals[0]
        if any(a.ndim != first.ndim for a in avals):
            shapes = ", ".join(str(a.shape) for a in avals)
            raise TypeError(
                f"{api}: arrays must have the same number of dimensions, got shapes {shapes}"
            )
        if not 0 <= dimension < first.ndim:
            raise TypeError(
                f"{api}: dimension must be in [0, {first.ndim}) for arrays of {first.ndim} "
                f"dimensions, got {dimension}"
            )
        rest = first.shape[:dimension], first.shape[dimension + 1 :]
        if any((a.shape[:dimension], a.shape[dimension + 1 :]) != rest for a in avals):
            shapes = ", ".join(str(a.shape) for a in avals)
            raise TypeError(f"{api}: shapes may differ only in dimension {dimension}, got {shapes}")
        size = sum(a.shape[dimension] for a in avals)
        shape = (*rest[0], size, *rest[1])
        return ShapedArray(shape, first.dtype, all(a.weak_type for a in avals))

    def impl(self, *xs: np.ndarray, dimension: int) -> np.ndarray:
        return np.concatenate(xs, dimension)

    def jvp(
        self, primals: Sequence[Any], tangents: Sequence[Any], *, dimension: int
    ) -> tuple[Any, Any]:
        y = self.bind(*primals, dimension=dimension)
        return y, self.bind(*map(instantiate, tangents), dimension=dimension)

    def transpose(self, ct: Any, *args: Any, dimension: int) -> Sequence[Any]:
        out, start = [], 0
        for x in args:
            limit = start + x.aval.shape[dimension]
            out.append(_section(ct, start, limit, dimension) if is_linear(x) else None)
            start = limit
        return out

    def batch(
        self, axis: AxisData, args: Sequence[Any], dims: Sequence[Any], *, dimension: int
    ) -> tuple[Any, Any]:
        d = next(d for d in dims if d is not None)
        moved = [batch_to(x, dim, d, axis) for x, dim in zip(args, dims, strict=True)]
        return self.bind(*moved, dimension=dimension + (dimension >= d)), d

    def lower(self, ctx: Any, *xs: Any, dimension: int) -> Any:
        return ctx.concatenate(xs, dimension)


concatenate_p = Concatenate("concatenate")


def _section(x: Any, start: int, limit: int, dimension: int) -> Any:
    """The slice ``[start, limit)`` of one dimension of ``x``."""
    shape = x.aval.shape
    starts, limits = [0] * len(shape), list(shape)
    starts[dimension], limits[dimension] = start, limit
    return slice_p.bind(x, start_indices=tuple(starts), limit_indices=tuple(limits), strides=None)


def concatenate(operands: Sequence[Any], dimension: int) -> Array:
    """Joins arrays along an existing dimension.

    Args:
      operands: arrays of one dtype whose shapes differ only in ``dimension``.
      dimension: non-negative.

    Raises:
      TypeError: dtypes, ranks or other sizes differ, or there is no such dimension.
      ValueError: there are no operands.

    Example:
      >>> import numpy as np
      >>> from fungrad import lax
      >>> lax.concatenate([np.arange(2), np.arange(3)], 0)
      Array([0, 1, 0, 1, 2], dtype=int32)
    """
    xs = _unpacked("fungrad.lax.concatenate", operands)
    if len(xs) == 1 and 0 <= dimension < xs[0].aval.ndim:
        return xs[0]
    return concatenate_p.bind(*xs, dimension=operator.index(dimension))


# -- split -----------------------------------------------------------------------------------------


class Split(Primitive):
    """Consecutive sections of one dimension; linear."""

    kind = "structural"
    cheap = True
    multiple_results = True

    def abstract_eval(self, x: ShapedArray, *, sizes: Dims, axis: int) -> Sequence[ShapedArray]:
        api = "fungrad.lax.split"
        if any(n < 0 for n in sizes) or sum(sizes) != x.shape[axis]:
            raise ValueError(
                f"{api}: sizes must be non-negative and add up to {x.shape[axis]}, the size of "
                f"axis {axis} of operand {x.str_short()}, got {sizes}"
            )
        return [x.update(shape=(*x.shape[:axis], n, *x.shape[axis + 1 :])) for n in sizes]

    def impl(self, x: np.ndarray, *, sizes: Dims, axis: int) -> Sequence[np.ndarray]:
        out, start, before = [], 0, (slice(None),) * axis
        for n in sizes:
            out.append(compact(x[(*before, slice(start, start + n))]))
            start += n
        return out

    def jvp(
        self, primals: Sequence[Any], tangents: Sequence[Any], **params: Any
    ) -> tuple[Any, Any]:
        return self.bind(*primals, **params), self.bind(*tangents, **params)

    def transpose(self, ct: Any, *args: Any, sizes: Dims, axis: int) -> Sequence[Any]:
        return (concatenate([instantiate(c) for c in ct], axis),)

    def batch(
        self, axis_data: AxisData, args: Sequence[Any], dims: Sequence[Any], *, sizes: Dims, axis: int
    ) -> tuple[Any, Any]:
        d = dims[0]
        return self.bind(args[0], sizes=sizes, axis=axis + (axis >= d)), [d] * len(sizes)

    def lower(self, ctx: Any, x: Any, *, sizes: Dims, axis: int) -> Any:
        out, start = [], 0
        for n in sizes:
            starts, limits = [0] * len(x.shape), list(x.shape)
            starts[axis], limits[axis] = start, start + n
            out.append(ctx.slice(x, starts, limits, (1,) * len(x.shape)))
            start += n
        return out


split_p = Split("split")


def split(operand: Any, sizes: Sequence[int], axis: int = 0) -> list[Array]:
    """Cuts ``operand`` into consecutive sections.

    Args:
      operand: array.
      sizes: size of each section along ``axis``; they add up to the size of ``axis``.
      axis: dimension to cut; may be negative.

    Raises:
      ValueError: the sizes do not add up, or there is no such axis.

    Example:
      >>> import numpy as np
      >>> from fungrad import lax
      >>> lax.split(np.arange(5), (2, 3))
      [Array([0, 1], dtype=int32), Array([2, 3, 4], dtype=int32)]
    """
    operand = lift(operand, "fungrad.lax.split: operand")
    axis = canonical_axis("fungrad.lax.split", axis, operand.aval.ndim)
    return list(split_p.bind(operand, sizes=int_tuple(sizes), axis=axis))


# -- stack and unstack -----------------------------------------------------------------------------


class Stack(Primitive):
    """Arrays of one shape along a new dimension; linear in all operands."""

    kind = "structural"
    cheap = True

    def abstract_eval(self, *avals: ShapedArray, axis: int) -> ShapedArray:
        api = "fungrad.lax.stack"
        _check_alike(api, avals, "stack")
        first = avals[0]
        if any(a.shape != first.shape for a in avals):
            shapes = ", ".join(str(a.shape) for a in avals)
            raise ValueError(f"{api}: arrays must have the same shape, got {shapes}")
        shape = (*first.shape[:axis], len(avals), *first.shape[axis:])
        return ShapedArray(shape, first.dtype, all(a.weak_type for a in avals))

    def impl(self, *xs: np.ndarray, axis: int) -> np.ndarray:
        # What `np.stack` does, without its checks.
        at = (slice(None),) * axis + (None,)
        return np.concatenate([x[at] for x in xs], axis)

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any], *, axis: int) -> tuple[Any, Any]:
        return self.bind(*primals, axis=axis), self.bind(*map(instantiate, tangents), axis=axis)

    def transpose(self, ct: Any, *args: Any, axis: int) -> Sequence[Any]:
        if all(is_linear(x) for x in args):
            return unstack_p.bind(ct, axis=axis)
        out = []
        for i, x in enumerate(args):
            section = _section(ct, i, i + 1, axis) if is_linear(x) else None
            out.append(None if section is None else reshape(section, x.aval.shape))
        return out

    def batch(
        self, axis_data: AxisData, args: Sequence[Any], dims: Sequence[Any], *, axis: int
    ) -> tuple[Any, Any]:
        moved = [batch_to(x, d, 0, axis_data) for x, d in zip(args, dims, strict=True)]
        return self.bind(*moved, axis=axis + 1), 0

    def lower(self, ctx: Any, *xs: Any, axis: int) -> Any:
        shape = (*xs[0].shape[:axis], 1, *xs[0].shape[axis:])
        return ctx.concatenate([ctx.reshape(x, shape) for x in xs], axis)


stack_p = Stack("stack")


def stack(operands: Sequence[Any], axis: int = 0) -> Array:
    """Joins arrays of one shape and dtype along a new dimension.

    Args:
      operands: n arrays.
      axis: position of the new dimension of size n in the result; may be negative.

    Raises:
      TypeError: dtypes differ.
      ValueError: shapes differ, there are no operands, or ``axis`` is outside the result.

    Example:
      >>> import numpy as np
      >>> from fungrad import lax
      >>> lax.stack([np.arange(2), np.arange(2)], axis=1)
      Array([[0, 0],
             [1, 1]], dtype=int32)
    """
    xs = _unpacked("fungrad.lax.stack", operands)
    _check_alike("fungrad.lax.stack", [x.aval for x in xs], "stack")
    axis = canonical_axis("fungrad.lax.stack", axis, xs[0].aval.ndim + 1)
    return stack_p.bind(*xs, axis=axis)


class Unstack(Primitive):
    """All positions of one dimension, which disappears; linear."""

    kind = "structural"
    cheap = True
    multiple_results = True

    def abstract_eval(self, x: ShapedArray, *, axis: int) -> Sequence[ShapedArray]:
        return [x.update(shape=x.shape[:axis] + x.shape[axis + 1 :])] * x.shape[axis]

    def impl(self, x: np.ndarray, *, axis: int) -> Sequence[np.ndarray]:
        # Moved to the front first, so that every row is a view of one copy. `asarray` because 0-d
        # rows are scalars.
        return [np.asarray(row) for row in compact(np.moveaxis(x, axis, 0))]

    def jvp(
        self, primals: Sequence[Any], tangents: Sequence[Any], **params: Any
    ) -> tuple[Any, Any]:
        return self.bind(*primals, **params), self.bind(*tangents, **params)

    def transpose(self, ct: Any, *args: Any, axis: int) -> Sequence[Any]:
        return (stack_p.bind(*map(instantiate, ct), axis=axis),) if ct else (Zero(args[0].aval),)

    def batch(
        self, axis_data: AxisData, args: Sequence[Any], dims: Sequence[Any], *, axis: int
    ) -> tuple[Any, Any]:
        x = move_dim(args[0], dims[0], 0)
        out = self.bind(x, axis=axis + 1)
        return out, [0] * len(out)

    def lower(self, ctx: Any, x: Any, *, axis: int) -> Any:
        shape = x.shape[:axis] + x.shape[axis + 1 :]

        def row(position: int) -> Any:
            return ctx.view(x, shape, lambda *i: (*i[:axis], position, *i[axis:]))

        return [row(position) for position in range(x.shape[axis])]


unstack_p = Unstack("unstack")


def unstack(x: Any, axis: int = 0) -> tuple[Array, ...]:
    """The arrays at all positions of one dimension.

    Raises:
      ValueError: ``x`` has no dimension ``axis`` (which may be negative).

    Example:
      >>> import numpy as np
      >>> from fungrad import lax
      >>> lax.unstack(np.arange(4).reshape(2, 2), axis=1)
      (Array([0, 2], dtype=int32), Array([1, 3], dtype=int32))
    """
    x = lift(x, "fungrad.lax.unstack: x")
    axis = canonical_axis("fungrad.lax.unstack", axis, x.aval.ndim)
    return tuple(unstack_p.bind(x, axis=axis))


# -- tile ------------------------------------------------------------------------------------------


class Tile(Structural):
    """Repeats the whole array along each dimension."""

    def abstract_eval(self, x: ShapedArray, *, reps: Dims) -> ShapedArray:
        if len(reps) != x.ndim or any(r < 0 for r in reps):
            raise TypeError(
                "fungrad.lax.tile: reps must have one non-negative entry per dimension of "
                f"operand {x.str_short()}, got {reps}; fungrad.numpy.tile adds dimensions"
            )
        return x.update(shape=tuple([n * r for n, r in zip(x.shape, reps, strict=True)]))

    def impl(self, x: np.ndarray, *, reps: Dims) -> np.ndarray:
        return np.tile(x, reps)

    def transpose(self, ct: Any, *args: Any, reps: Dims) -> Sequence[Any]:
        shape = args[0].aval.shape
        pairs = [n for pair in zip(reps, shape, strict=True) for n in pair]
        return (reduce_sum(reshape(ct, pairs), tuple(range(0, len(pairs), 2))),)

    def batch(
        self, axis: AxisData, args: Sequence[Any], dims: Sequence[Any], *, reps: Dims
    ) -> tuple[Any, Any]:
        d = dims[0]
        return self.bind(args[0], reps=(*reps[:d], 1, *reps[d:])), d

    def lower(self, ctx: Any, x: Any, *, reps: Dims) -> Any:
        shape = tuple([n * r for n, r in zip(x.shape, reps, strict=True)])
        if not math.prod(shape):
            return ctx.constant(0, x.dtype, shape)
        repeated = [r > 1 for r in reps]
        return ctx.view(
            x,
            shape,
            lambda *i: [j % n if r else j for j, n, r in zip(i, x.shape, repeated, strict=True)],
        )


tile_p = Tile("tile")


def tile(operand: Any, reps: Sequence[int]) -> Array:
    """Repeats ``operand`` ``reps[d]`` times along every dimension ``d``.

    Raises:
      TypeError: ``reps`` has not one non-negative entry per dimension.

    Example:
      >>> import numpy as np
      >>> from fungrad import lax
      >>> lax.tile(np.arange(2), (3,))
      Array([0, 1, 0, 1, 0, 1], dtype=int32)
    """
    operand = lift(operand, "fungrad.lax.tile: operand")
    return tile_p.bind(operand, reps=int_tuple(reps))
