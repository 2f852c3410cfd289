"""Scatter: copies of an array in which windows at computed positions are replaced by or combined with updates.

``scatter-add`` and what all have in common are in ``ops.indexing``.

May import ``core``, ``ops._operands``, ``ops._windows``, ``ops.foundation``, ``ops.indexing``, ``ops.elementwise``,
``ops.compare``, ``ops.cast`` and ``ops.shape``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fungrad.core.array import Array
from fungrad.core.avals import ShapedArray, Zero
from fungrad.core.dimensions import index_bound
from fungrad.core.primitive import is_linear
from fungrad.ops._operands import constant
from fungrad.ops._windows import GatherScatterMode
from fungrad.ops.cast import convert_element_type
from fungrad.ops.compare import eq, select_n
from fungrad.ops.elementwise import div, mul, neg
from fungrad.ops.foundation import add_zeros, broadcast, reshape, zeros
from fungrad.ops.indexing import (
    Scatter,
    ScatterAdd,
    ScatterDimensionNumbers,
    bind_scatter,
    gather_updates,
    scatter_add_p,
)
from fungrad.ops.shape import iota

EVERY_NUMBER = "biufc"


# -- replacing ---------------------------------------------------------------------------------------------------------


class ScatterSet(Scatter):
    """Replaces elements, the last update of several staying; linear in operand and updates."""

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any], **params: Any) -> tuple[Any, Any]:
        (operand, indices, updates), (d_operand, _, d_updates) = primals, tangents
        y = self.bind(operand, indices, updates, **params)
        d_operand, d_updates = (zeros(t.aval) if type(t) is Zero else t for t in (d_operand, d_updates))
        # The same updates win, since updates are made in order.
        return y, self.bind(d_operand, indices, d_updates, **params)

    def transpose(
        self, ct: Any, operand: Any, indices: Any, updates: Any, *,
        dimension_numbers: ScatterDimensionNumbers, **params: Any,
    ) -> Sequence[Any]:  # fmt: skip
        ct_operand = ct_updates = None
        updates_aval = updates.aval
        if is_linear(operand):
            nothing = zeros(updates_aval.strip_weak_type())
            ct_operand = self.bind(ct, indices, nothing, dimension_numbers=dimension_numbers, **params)
        if is_linear(updates):
            ct_updates = gather_updates(ct, indices, updates_aval, dimension_numbers, params)
            if not params["unique_indices"]:
                wins = self._winners(ct.aval, indices, updates_aval, dimension_numbers, params)
                ct_updates = select_n(wins, constant(ct_updates, 0), ct_updates)
        return ct_operand, None, ct_updates

    def _winners(
        self, operand: ShapedArray, indices: Any, updates: ShapedArray,
        numbers: ScatterDimensionNumbers, params: dict[str, Any],
    ) -> Any:  # fmt: skip
        """Which elements of the updates are the last ones at their place."""
        dtype = np.int32 if index_bound(updates.size) < 2**31 else np.int64
        number = reshape(iota(dtype, updates.size), updates.shape)
        before = zeros(ShapedArray(operand.shape, number.aval.dtype))
        after = self.bind(before, indices, number, dimension_numbers=numbers, **params)
        return eq(gather_updates(after, indices, updates, numbers, params), number)


scatter_p = ScatterSet("scatter", None, None, EVERY_NUMBER + "k")


# -- subtracting -------------------------------------------------------------------------------------------------------


class ScatterSub(ScatterAdd):
    """Subtracts updates; linear in operand and updates."""

    def signed(self, ct: Any) -> Any:
        return neg(ct)

    def combined(self, m: Any, value: Any) -> Any:
        return -value


scatter_sub_p = ScatterSub("scatter-sub", np.subtract, "add", "iufc")


# -- multiplying -------------------------------------------------------------------------------------------------------


class ScatterMul(Scatter):
    """Multiplies by updates; linear in the operand, and in the updates where no two meet."""

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any], **params: Any) -> tuple[Any, Any]:
        (operand, indices, updates), (d_operand, _, d_updates) = primals, tangents
        y = self.bind(operand, indices, updates, **params)
        total = d_operand
        if type(d_operand) is not Zero:
            total = self.bind(d_operand, indices, updates, **params)
        if type(d_updates) is not Zero:
            self._require_unique(params)
            numbers = params["dimension_numbers"]
            here = gather_updates(operand, indices, updates.aval, numbers, params)
            nothing = zeros(y.aval.strip_weak_type())
            total = add_zeros(total, scatter_add_p.bind(nothing, indices, mul(here, d_updates), **params))
        return y, total

    def transpose(
        self, ct: Any, operand: Any, indices: Any, updates: Any, *,
        dimension_numbers: ScatterDimensionNumbers, **params: Any,
    ) -> Sequence[Any]:  # fmt: skip
        if is_linear(operand):
            return self.bind(ct, indices, updates, dimension_numbers=dimension_numbers, **params), None, None
        self._require_unique(params)
        both = mul(ct, operand)
        return None, None, gather_updates(both, indices, updates.aval, dimension_numbers, params)

    @staticmethod
    def _require_unique(params: dict[str, Any]) -> None:
        if not params["unique_indices"]:
            raise NotImplementedError(
                "fungrad.lax.scatter_mul: the derivative by the updates is implemented only with unique_indices=True "
                "(it would need the product of all other updates of an element); pass it, also to x.at[idx].multiply, "
                "if no index repeats"
            )


scatter_mul_p = ScatterMul("scatter-mul", np.multiply, "mul", "iufc")


# -- extremes ----------------------------------------------------------------------------------------------------------


class ScatterExtreme(Scatter):
    """Largest or smallest of element and updates; the derivative is shared evenly among those that are equal to it."""

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any], **params: Any) -> tuple[Any, Any]:
        (operand, indices, updates), (d_operand, _, d_updates) = primals, tangents
        y = self.bind(operand, indices, updates, **params)
        dtype = y.aval.dtype
        result_here = gather_updates(y, indices, updates.aval, params["dimension_numbers"], params)
        operand_wins = convert_element_type(eq(operand, y), dtype)
        update_wins = convert_element_type(eq(updates, result_here), dtype)
        winners = scatter_add_p.bind(operand_wins, indices, update_wins, **params)
        d_operand, d_updates = (zeros(t.aval) if type(t) is Zero else t for t in (d_operand, d_updates))
        total = scatter_add_p.bind(mul(d_operand, operand_wins), indices, mul(d_updates, update_wins), **params)
        # Where the result is NaN nothing is equal to it.
        one = broadcast(constant(winners, 1), winners.aval.shape)
        return y, div(total, select_n(eq(winners, constant(winners, 0)), winners, one))


scatter_min_p = ScatterExtreme("scatter-min", np.minimum, "min", "biuf")
scatter_max_p = ScatterExtreme("scatter-max", np.maximum, "max", "biuf")


# -- functions ---------------------------------------------------------------------------------------------------------


def scatter(
    operand: Any,
    scatter_indices: Any,
    updates: Any,
    dimension_numbers: ScatterDimensionNumbers,
    *,
    indices_are_sorted: bool = False,
    unique_indices: bool = False,
    mode: str | GatherScatterMode | None = None,
) -> Array:
    """A copy of ``operand`` with windows of it replaced by ``updates``.

    Args:
      operand: array.
      scatter_indices: integers; the last dimension holds one number for each entry of ``scatter_dims_to_operand_dims``.
      updates: array of the operand's dtype, one window for each position; where windows overlap the last one stays.
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
      >>> lax.scatter(np.zeros(3), np.array([[2], [0], [2]]), np.float32([5, 6, 7]), numbers)
      Array([6., 0., 7.], dtype=float32)
    """
    return bind_scatter(
        scatter_p, operand, scatter_indices, updates, dimension_numbers,
        indices_are_sorted=indices_are_sorted, unique_indices=unique_indices, mode=mode,
    )  # fmt: skip


def scatter_sub(
    operand: Any,
    scatter_indices: Any,
    updates: Any,
    dimension_numbers: ScatterDimensionNumbers,
    *,
    indices_are_sorted: bool = False,
    unique_indices: bool = False,
    mode: str | GatherScatterMode | None = None,
) -> Array:
    """A copy of ``operand`` with ``updates`` subtracted from windows of it; arguments as of ``scatter_add``.

    Example:
      >>> from fungrad import lax
      >>> import fungrad.numpy as jnp
      >>> numbers = lax.ScatterDimensionNumbers((), (0,), (0,))
      >>> lax.scatter_sub(jnp.array([1, 2, 3]), jnp.array([[0], [2]]), jnp.array([5, 2]), numbers)
      Array([-4,  2,  1], dtype=int32)
    """
    return bind_scatter(
        scatter_sub_p, operand, scatter_indices, updates, dimension_numbers,
        indices_are_sorted=indices_are_sorted, unique_indices=unique_indices, mode=mode,
    )  # fmt: skip


def scatter_mul(
    operand: Any,
    scatter_indices: Any,
    updates: Any,
    dimension_numbers: ScatterDimensionNumbers,
    *,
    indices_are_sorted: bool = False,
    unique_indices: bool = False,
    mode: str | GatherScatterMode | None = None,
) -> Array:
    """A copy of ``operand`` with windows of it multiplied by ``updates``; arguments as of ``scatter_add``.

    The derivative by the updates exists only with ``unique_indices=True``.

    Example:
      >>> from fungrad import lax
      >>> import fungrad.numpy as jnp
      >>> numbers = lax.ScatterDimensionNumbers((), (0,), (0,))
      >>> lax.scatter_mul(jnp.array([1, 2, 3]), jnp.array([[0], [2]]), jnp.array([5, 2]), numbers)
      Array([5, 2, 6], dtype=int32)
    """
    return bind_scatter(
        scatter_mul_p, operand, scatter_indices, updates, dimension_numbers,
        indices_are_sorted=indices_are_sorted, unique_indices=unique_indices, mode=mode,
    )  # fmt: skip


def scatter_min(
    operand: Any,
    scatter_indices: Any,
    updates: Any,
    dimension_numbers: ScatterDimensionNumbers,
    *,
    indices_are_sorted: bool = False,
    unique_indices: bool = False,
    mode: str | GatherScatterMode | None = None,
) -> Array:
    """A copy of ``operand`` with the minimum of windows of it and ``updates``; arguments as of ``scatter_add``.

    Example:
      >>> from fungrad import lax
      >>> import fungrad.numpy as jnp
      >>> numbers = lax.ScatterDimensionNumbers((), (0,), (0,))
      >>> lax.scatter_min(jnp.array([1, 2, 3]), jnp.array([[0], [2]]), jnp.array([5, 2]), numbers)
      Array([1, 2, 2], dtype=int32)
    """
    return bind_scatter(
        scatter_min_p, operand, scatter_indices, updates, dimension_numbers,
        indices_are_sorted=indices_are_sorted, unique_indices=unique_indices, mode=mode,
    )  # fmt: skip


def scatter_max(
    operand: Any,
    scatter_indices: Any,
    updates: Any,
    dimension_numbers: ScatterDimensionNumbers,
    *,
    indices_are_sorted: bool = False,
    unique_indices: bool = False,
    mode: str | GatherScatterMode | None = None,
) -> Array:
    """A copy of ``operand`` with the maximum of windows of it and ``updates``; arguments as of ``scatter_add``.

    Example:
      >>> from fungrad import lax
      >>> import fungrad.numpy as jnp
      >>> numbers = lax.ScatterDimensionNumbers((), (0,), (0,))
      >>> lax.scatter_max(jnp.array([1, 2, 3]), jnp.array([[0], [2]]), jnp.array([5, 2]), numbers)
      Array([5, 2, 3], dtype=int32)
    """
    return bind_scatter(
        scatter_max_p, operand, scatter_indices, updates, dimension_numbers,
        indices_are_sorted=indices_are_sorted, unique_indices=unique_indices, mode=mode,
    )  # fmt: skip
