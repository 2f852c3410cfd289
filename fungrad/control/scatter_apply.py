"""``scatter_apply``: a function applied to windows of an array, once more wherever they overlap.

How often is known for indices with values; else a loop finds out while it runs.

May import ``core``, ``ops`` and ``control.while_loop``.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fungrad.control.while_loop import while_loop
from fungrad.core.array import Array, ArrayImpl
from fungrad.core.avals import ShapedArray
from fungrad.ops._operands import lift, scalar_array
from fungrad.ops._windows import GatherScatterMode
from fungrad.ops.cast import convert_element_type
from fungrad.ops.compare import gt, lt, select
from fungrad.ops.elementwise import add
from fungrad.ops.foundation import broadcast, zeros
from fungrad.ops.indexing import (
    GatherDimensionNumbers,
    ScatterDimensionNumbers,
    gather_p,
    gather_updates,
    scatter_add_p,
    window_sizes,
)
from fungrad.ops.reduce import reduce_max
from fungrad.ops.scatter import scatter_p


def scatter_apply(
    operand: Any,
    scatter_indices: Any,
    func: Callable[[Array], Any],
    dimension_numbers: ScatterDimensionNumbers,
    *,
    update_shape: Sequence[int] = (),
    indices_are_sorted: bool = False,
    unique_indices: bool = False,
    mode: str | GatherScatterMode | None = None,
) -> Array:
    """A copy of ``operand`` with an elementwise function applied to windows of it; repeatedly where windows overlap.

    Args:
      operand: array.
      scatter_indices: integers; the last dimension holds one number for each entry of ``scatter_dims_to_operand_dims``.
      func: elementwise function; it is called with all windows at once, as an array of shape ``update_shape``.
      dimension_numbers: a ``ScatterDimensionNumbers``, in which ``update_shape`` takes the place of the updates.
      update_shape: shape that updates would have.
      indices_are_sorted: a promise that positions come in increasing order.
      unique_indices: a promise that no two windows overlap.
      mode: as of ``scatter``.

    Returns:
      An array of the operand's type.

    Raises:
      TypeError: ``func`` changes the shape.

    Example:
      >>> import numpy as np
      >>> from fungrad import lax
      >>> numbers = lax.ScatterDimensionNumbers((), inserted_window_dims=(0,), scatter_dims_to_operand_dims=(0,))
      >>> double = lambda x: lax.mul(x, 2.0)
      >>> lax.scatter_apply(np.ones(3), np.array([[2], [0], [2]]), double, numbers, update_shape=(3,))
      Array([2., 1., 4.], dtype=float32)
    """
    api = "fungrad.lax.scatter_apply"
    operand = lift(operand, f"{api}: operand")
    indices = lift(scatter_indices, f"{api}: scatter_indices")
    numbers = ScatterDimensionNumbers(*[tuple(map(operator.index, dims)) for dims in dimension_numbers])
    params = {
        "indices_are_sorted": bool(indices_are_sorted),
        "unique_indices": bool(unique_indices),
        "mode": GatherScatterMode.from_any(mode),
    }
    updates = ShapedArray(tuple(map(operator.index, update_shape)), operand.aval.dtype)
    scatter_p.abstract((operand.aval, indices.aval, updates), {"dimension_numbers": numbers, **params})

    def apply(value: Any) -> Array:
        new = lift(func(value), f"{api}: result of func")
        if new.aval.shape != updates.shape:
            raise TypeError(
                f"{api}: func must keep the shape of its argument, got {new.aval.str_short()} for "
                f"{updates.str_short()}"
            )
        return convert_element_type(new, updates.dtype)

    value = gather_updates(operand, indices, updates, numbers, params)
    if unique_indices or math.prod(indices.aval.shape[:-1]) <= 1:
        value = apply(value)
    elif type(indices) is ArrayImpl:
        times = _overlaps(operand.aval, indices, updates, numbers, params)
        for n in range(max(1, int(times.max(initial=1)))):
            value = apply(value) if n == 0 else select(times > n, apply(value), value)
    else:
        value = _apply_traced(apply, value, operand.aval, indices, updates, numbers, params)
    return scatter_p.bind(operand, indices, value, dimension_numbers=numbers, **params)


def _overlaps(
    operand: ShapedArray, indices: ArrayImpl, updates: ShapedArray, numbers: ScatterDimensionNumbers,
    params: dict[str, Any],
) -> np.ndarray:  # fmt: skip
    """How many windows cover each element of the windows."""
    before, ones = np.zeros(operand.shape, np.int32), np.ones(updates.shape, np.int32)
    # Computed at once, also while staging: the loop over repetitions needs the numbers.
    counts = scatter_add_p.impl(before, indices._data, ones, dimension_numbers=numbers, **params)
    return gather_p.impl(
        counts,
        indices._data,
        dimension_numbers=GatherDimensionNumbers(*numbers),
        slice_sizes=window_sizes(operand.shape, updates.shape, numbers),
        mode=params["mode"],
        fill_value=0,
    )


def _apply_traced(
    apply: Callable[[Any], Array], value: Any, operand: ShapedArray, indices: Any, updates: ShapedArray,
    numbers: ScatterDimensionNumbers, params: dict[str, Any],
) -> Array:  # fmt: skip
    """The function applied to ``value`` as often as windows overlap, for indices without values."""
    value = apply(value)
    windows = math.prod(indices.aval.shape[:-1])
    if not updates.size:
        return value
    int32 = np.dtype(np.int32)
    one = broadcast(scalar_array(1, int32), updates.shape)
    counts = scatter_add_p.bind(zeros(operand.update(dtype=int32, weak_type=False)), indices, one,
                                dimension_numbers=numbers, **params)
    times = gather_updates(counts, indices, updates, numbers, params)
    most = reduce_max(times, tuple(range(updates.ndim)))

    def again(state: tuple) -> tuple:
        n, value = state
        return add(n, np.int32(1)), select(gt(times, n), apply(value), value)

    # An element is in every window at most once.
    return while_loop(lambda state: lt(state[0], most), again, (np.int32(1), value), max_steps=windows - 1)[1]
