"""Choosing between values by masks: where, select, clip, and the positions where a mask holds.

May import ``core``, ``ops``, ``numpy._promotion`` and the modules of ``numpy`` before it.
"""

from __future__ import annotations

import builtins
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from fungrad.core import dtypes
from fungrad.core.array import Array, typeof, wrap
from fungrad.core.avals import ShapedArray
from fungrad.core.context import Tracer
from fungrad.numpy import creation, division, ufuncs
from fungrad.numpy._ordering import promote_extremum, python_int
from fungrad.numpy._promotion import (
    ScalarRangeError,
    broadcast_shapes,
    cast,
    converted,
    operand,
    promote_dtypes,
    promote_pair,
    raw_operand,
)
from fungrad.numpy.manipulation import axes_tuple, ravel, reshape, take_1d
from fungrad.ops import foundation, joining, reduce, shape as shape_ops, sort as sort_ops
from fungrad.ops._operands import scalar_array
from fungrad.ops.compare import max_p, min_p, select_n, select_n_p


def where(condition: Any, x: Any = None, y: Any = None, /, *, size: int | None = None, fill_value: Any = None) -> Any:
    """Elements of ``x`` where a condition holds, of ``y`` elsewhere; with one argument, the positions where it holds.

    Both ``x`` and ``y`` are computed everywhere, and differentiated everywhere: where the unused one has an infinite
    derivative, the gradient is NaN. Give the function safe arguments first::

        jnp.where(x > 0, jnp.log(jnp.where(x > 0, x, 1.0)), 0.0)

    Args:
      condition: array of truth values.
      x: array or scalar.
      y: array or scalar; the three broadcast together.
      size: number of positions to return (only with one argument), see ``nonzero``.
      fill_value: positions beyond the last one, see ``nonzero``.

    Raises:
      ValueError: only one of ``x`` and ``y`` is given, or the shapes do not broadcast.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.where(jnp.arange(4) < 2, 1, jnp.arange(4.0))
      Array([1., 1., 2., 3.], dtype=float32)
    """
    if x is None and y is None:
        return nonzero(operand(condition, "where", "condition"), size=size, fill_value=fill_value)
    if x is None or y is None:
        raise ValueError("fungrad.numpy.where: give both x and y, or neither")
    if size is not None or fill_value is not None:
        raise ValueError("fungrad.numpy.where: size and fill_value have a meaning only without x and y")
    mask = ufuncs.truth(condition, "where")
    x, y = promote_dtypes("where", raw_operand(x, "where", "x"), raw_operand(y, "where", "y"))
    shape = mask.aval.shape
    if x.aval.shape == shape and y.aval.shape == shape:
        return select_n_p.bind(mask, y, x)
    shape = broadcast_shapes(shape, x.aval.shape, y.aval.shape)
    if mask.aval.shape:
        mask = foundation.broadcast(mask, shape)
    return select_n_p.bind(mask, foundation.broadcast(y, shape), foundation.broadcast(x, shape))


def select(condlist: Sequence[Any], choicelist: Sequence[Any], default: Any = 0) -> Array:
    """For each element the choice that goes with the first condition that holds.

    Args:
      condlist: boolean arrays.
      choicelist: as many arrays.
      default: value where no condition holds.

    Example:
      >>> import fungrad.numpy as jnp
      >>> x = jnp.arange(4)
      >>> jnp.select([x < 1, x < 3], [x, -x], 9)
      Array([ 0, -1, -2,  9], dtype=int32)
    """
    if len(condlist) != len(choicelist) or not condlist:
        raise ValueError(
            f"fungrad.numpy.select: need as many conditions as choices, at least one, got {len(condlist)} and "
            f"{len(choicelist)}"
        )
    masks = [operand(c, "select", f"condlist[{i}]") for i, c in enumerate(condlist)]
    for i, m in enumerate(masks):
        if not dtypes.is_bool(m.aval.dtype):
            raise ValueError(f"fungrad.numpy.select: condlist[{i}] must be boolean, got {m.aval.str_short()}")
    choices = [raw_operand(c, "select", f"choicelist[{i}]") for i, c in enumerate(choicelist)]
    *values, rest = promote_dtypes("select", *choices, raw_operand(default, "select", "default"))
    shape = broadcast_shapes(rest.aval.shape, *[x.aval.shape for x in (*masks, *values)])
    masks = [foundation.broadcast(m, shape) for m in masks]
    values = [foundation.broadcast(v, shape) for v in (rest, *values)]
    none = foundation.broadcast(scalar_array(False, dtypes.bool_), shape)
    # The first mask that holds; position 0 if none does.
    which = reduce.argmax(joining.stack([none, *masks], 0), 0, np.int32)
    return select_n(which, *values) if len(values) > 2 else select_n(masks[0], *values)


def clip(
    arr: Any = None, /, min: Any = None, max: Any = None, *, a: Any = None, a_min: Any = None, a_max: Any = None
) -> Array:
    """Elements limited to an interval.

    Args:
      arr: array.
      min: lower limit, or None.
      max: upper limit, or None; where the limits cross, the upper one counts.
      a: another name of ``arr``.
      a_min: another name of ``min``.
      a_max: another name of ``max``.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.clip(jnp.arange(4), 1, 2)
      Array([1, 1, 2, 2], dtype=int32)
    """
    arr = a if arr is None else arr
    low, high = a_min if min is None else min, a_max if max is None else max
    if arr is None:
        raise ValueError("fungrad.numpy.clip: no array was given")
    out = operand(arr, "clip", "arr")
    limits = [None if x is None else raw_operand(x, "clip", name) for x, name in ((low, "min"), (high, "max"))]
    for name, x in (("arr", out), ("min", limits[0]), ("max", limits[1])):
        if x is not None and dtypes.is_complex(typeof(x).dtype):
            raise ValueError(
                f"fungrad.numpy.clip: complex numbers have no order, got {name} of a complex dtype; clip the parts"
            )
    low, high = limits
    if low is not None:
        lower, out = _lower_limit(out, low, high)
        out = max_p.bind(lower, out)
    if high is not None:
        out = min_p.bind(*promote_extremum("clip", high, out, False))
    return out


def _lower_limit(x: Array, low: Any, high: Any) -> tuple[Array, Array]:
    """The lower limit of ``clip`` and the array with a common dtype."""
    try:
        return promote_extremum("clip", low, x, True)
    except ScalarRangeError as error:
        # Above all numbers of the dtype; the result is in it if the upper limit, which counts, is.
        upper, info = python_int(high), dtypes.iinfo(error.dtype)
        if upper is None or not info.min <= upper <= info.max:
            raise
        return promote_pair("clip", int(info.max), x)


# -- positions ---------------------------------------------------------------------------------------------------------


def nonzero(a: Any, *, size: int | None = None, fill_value: Any = None) -> tuple[Array, ...]:
    """Positions of the elements that are not zero, one array per dimension, in row-major order.

    Args:
      a: array of at least one dimension.
      size: number of positions to return, which makes the shape of the result known: needed for traced arrays.
      fill_value: what to return where there are fewer: 0 by default, a number, or one per dimension.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.nonzero(jnp.array([0, 5, 7]), size=3, fill_value=-1)
      (Array([ 1,  2, -1], dtype=int32),)
    """
    a = operand(a, "nonzero", "a")
    if a.aval.ndim == 0:
        raise ValueError(
            "fungrad.numpy.nonzero: a must have at least one dimension, got a scalar; use atleast_1d(a).nonzero()"
        )
    shape = a.aval.shape
    mask = ravel(ufuncs.truth(a, "nonzero"))
    # With `size`, the flat positions are computed with.
    index = dtypes.position_dtype(a.aval.size if size is not None else builtins.max((0, *shape)))
    if size is None:
        # The number of results is a value: it must be known.
        found = np.flatnonzero(mask._known("nonzero()"))
        places = np.unravel_index(found, shape) if math.prod(shape) else [found] * len(shape)
        return tuple([wrap(p.astype(index), ShapedArray(p.shape, index)) for p in places])
    flat, valid = first_true(mask, size)
    fills = (
        fill_value if isinstance(fill_value, (tuple, list)) else [0 if fill_value is None else fill_value] * len(shape)
    )
    if len(fills) != len(shape):
        raise ValueError(
            f"fungrad.numpy.nonzero: fill_value must be a number or one per dimension of {a.aval.str_short()}, got "
            f"{fill_value!r}"
        )
    out = []
    for d, fill in enumerate(fills):
        stride = math.prod(shape[d + 1 :])
        place = division.remainder(division.floor_divide(flat, builtins.max(stride, 1)), builtins.max(shape[d], 1))
        out.append(where(valid, place, converted(fill, index, "nonzero", "fill_value")))
    return tuple(out)




def first_true(mask: Array, size: int) -> tuple[Array, Array]:
    """Positions of the first ``size`` true elements of a vector, and which of them there are (the others are 0)."""
    n = mask.aval.shape[0]
    index = dtypes.position_dtype(n)
    if n == 0:
        return creation.zeros(size, index), creation.zeros(size, bool)
    order = sort_ops.sort((ufuncs.logical_not(mask), shape_ops.iota(index, n)), num_keys=1)[1]
    count = foundation.reduce_sum(cast(mask, index), (0,))
    order = shape_ops.pad(order, scalar_array(0, index), [(0, size - n, 0)])
    valid = ufuncs.less(shape_ops.iota(index, size), count)
    return where(valid, order, 0), valid


def argwhere(a: Any, *, size: int | None = None, fill_value: Any = None) -> Array:
    """Positions of the elements that are not zero, one row per element; see ``nonzero``.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.argwhere(jnp.eye(2))
      Array([[0, 0],
             [1, 1]], dtype=int32)
    """
    a = operand(a, "argwhere", "a")
    if a.aval.ndim == 0:
        count = size
        if count is None:
            count = int(bool(a._known("argwhere()").any()))
        return creation.zeros((count, 0), dtypes.default_int())
    return joining.stack(nonzero(a, size=size, fill_value=fill_value), 1)


def flatnonzero(a: Any, *, size: int | None = None, fill_value: Any = None) -> Array:
    """Positions of the elements of the flattened array that are not zero; see ``nonzero``.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.flatnonzero(jnp.array([[0, 5], [7, 0]]))
      Array([1, 2], dtype=int32)
    """
    return nonzero(ravel(a), size=size, fill_value=fill_value)[0]


def compress(
    condition: Any, a: Any, axis: int | None = None, *, size: int | None = None, fill_value: Any = 0, out: None = None
) -> Array:
    """The slices along an axis for which a vector of conditions holds.

    Args:
      condition: vector of truth values, not longer than the axis; missing ones are false.
      a: array.
      axis: axis; by default the flattened array is taken.
      size: number of slices to return, needed when tracing.
      fill_value: what to return where there are fewer.
      out: must be None.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.compress(jnp.array([True, False, True]), jnp.arange(3))
      Array([0, 2], dtype=int32)
    """
    if out is not None:
        raise NotImplementedError("fungrad.numpy.compress: out= is not supported, arrays are immutable; use the result")
    a = operand(a, "compress", "a")
    mask = ufuncs.truth(condition, "compress")
    if mask.aval.ndim != 1:
        raise ValueError(f"fungrad.numpy.compress: condition must have one dimension, got {mask.aval.str_short()}")
    if axis is None:
        a, axis = ravel(a), 0
    axis = axes_tuple("compress", axis, a.aval.ndim)[0]
    n = a.aval.shape[axis]
    if mask.aval.shape[0] > n:
        beyond = shape_ops.slice_in_dim(mask, n, None)
        if not isinstance(beyond, Tracer) and bool(np.asarray(beyond).any()):
            raise ValueError(
                f"fungrad.numpy.compress: condition holds beyond the {n} positions of axis {axis} of "
                f"{a.aval.str_short()}"
            )
        mask = shape_ops.slice_in_dim(mask, 0, n)
    if size is None:
        chosen = np.flatnonzero(mask._known("compress()"))
        return take_1d(a, chosen.astype(dtypes.int32 if n < 2**31 else dtypes.int64), axis)
    mask = shape_ops.pad(mask, scalar_array(False, dtypes.bool_), [(0, n - mask.aval.shape[0], 0)])
    places, valid = first_true(mask, size)
    if n == 0:
        return creation.full((*a.aval.shape[:axis], size, *a.aval.shape[axis + 1 :]), fill_value, a.aval.dtype)
    shape = [1] * a.aval.ndim
    shape[axis] = size
    fill = converted(fill_value, a.aval.dtype, "compress", "fill_value", a.aval.weak_type)
    return where(reshape(valid, tuple(shape)), take_1d(a, places, axis), fill)


def extract(condition: Any, arr: Any, *, size: int | None = None, fill_value: Any = 0) -> Array:
    """The elements of an array for which a condition of the same size holds, flattened; see ``compress``.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.extract(jnp.array([True, False, True]), jnp.array([1, 2, 3]))
      Array([1, 3], dtype=int32)
    """
    return compress(ravel(ufuncs.truth(condition, "extract")), ravel(arr), 0, size=size, fill_value=fill_value)


def choose(a: Any, choices: Any, out: None = None, mode: str = "raise") -> Array:
    """For each element the value of the choice that it numbers.

    Args:
      a: integer array.
      choices: sequence of arrays, or array whose rows are the choices; all broadcast with ``a``.
      out: must be None.
      mode: what to do with numbers of no choice: ``clip``, ``wrap``, or ``raise``, for which the values must be known.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.choose(jnp.array([1, 0]), [jnp.array([10, 20]), jnp.array([30, 40])])
      Array([30, 20], dtype=int32)
    """
    if out is not None:
        raise NotImplementedError("fungrad.numpy.choose: out= is not supported, arrays are immutable; use the result")
    a = operand(a, "choose", "a")
    if not dtypes.is_integer(a.aval.dtype):
        raise ValueError(f"fungrad.numpy.choose: a must be an integer array, got {a.aval.str_short()}")
    if isinstance(choices, (Array, np.ndarray)):
        choices = joining.unstack(operand(choices, "choose", "choices"))
    values = promote_dtypes("choose", *[raw_operand(c, "choose", f"choices[{i}]") for i, c in enumerate(choices)])
    n = len(values)
    if mode == "raise":
        known = a._known("choose()")
        if known.size and (known.min() < 0 or known.max() >= n):
            raise ValueError(
                f"fungrad.numpy.choose: a must be in [0, {n}), got values from {known.min()} to {known.max()}"
            )
    elif mode == "wrap":
        a = division.remainder(a, n)
    elif mode != "clip":
        raise ValueError(f"fungrad.numpy.choose: mode must be 'raise', 'wrap' or 'clip', got {mode!r}")
    shape = broadcast_shapes(a.aval.shape, *[v.aval.shape for v in values])
    which = foundation.broadcast(cast(clip(a, 0, n - 1), dtypes.int32), shape)
    full = [foundation.broadcast(v, shape) for v in values]
    return select_n(which, *full) if n > 1 else full[0]
