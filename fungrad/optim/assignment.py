"""``fungrad.optim.assignment``: pairs of rows and columns of least total cost.

May import ``core``, ``numpy``, ``control``.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import fungrad.numpy as jnp
from fungrad.control.checkify import debug_check
from fungrad.control.scan import scan
from fungrad.control.while_loop import while_loop
from fungrad.core import dtypes
from fungrad.core.array import Array, as_array
from fungrad.core.public_names import publish
from fungrad.ops.cast import stop_gradient

__all__ = ["base_hungarian_algorithm", "hungarian_algorithm"]


def hungarian_algorithm(cost_matrix: Any) -> tuple[Array, Array]:
    """Assigns each row a column of its own, or each column a row, at the least total cost.

    The algorithm is that of shortest augmenting paths, of cubic time; compiled functions run it natively.

    Reference: Crouse, https://doi.org/10.1109/TAES.2016.140952.

    Args:
      cost_matrix: real costs of shape ``[rows, columns]``, in any shape; ``inf`` for pairs that must not be.

    Returns:
      A pair of integer arrays of ``min(rows, columns)`` elements, the rows and the columns of the pairs;
      ``cost_matrix[rows, columns].sum()`` is the least cost.  They have no derivatives.

    Raises:
      ValueError: the costs are no matrix of real numbers, one is NaN, or there is no assignment of finite cost (also in
        a compiled function).

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> cost = jnp.array([[4.0, 1.0, 3.0], [2.0, 0.0, 5.0], [3.0, 2.0, 2.0]])
      >>> i, j = optim.assignment.hungarian_algorithm(cost)
      >>> cost[i, j].sum()
      Array(5., dtype=float32)
    """
    cost = _costs("hungarian_algorithm", cost_matrix)
    rows, columns = cost.shape
    wide = cost if rows <= columns else cost.T
    if not wide.shape[0]:
        return _nothing()
    partner = _columns_of_rows("hungarian_algorithm", wide)
    if rows == columns:
        return jnp.argsort(partner).astype(partner.dtype), jnp.arange(rows, dtype=partner.dtype)
    # Backwards, as optax lists them.
    order = jnp.arange(wide.shape[0] - 1, -1, -1, dtype=partner.dtype)
    return (order, partner[::-1]) if rows <= columns else (partner[::-1], order)


def base_hungarian_algorithm(cost_matrix: Any) -> tuple[Array, Array]:
    """``hungarian_algorithm`` with the pairs in the order of their rows, as SciPy's ``linear_sum_assignment``.

    Args:
      cost_matrix: real costs of shape ``[rows, columns]``; ``inf`` for pairs that must not be.

    Returns:
      A pair of integer arrays, the rows in ascending order and their columns.

    Raises:
      ValueError: as for ``hungarian_algorithm``.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> optim.assignment.base_hungarian_algorithm(jnp.array([[4.0, 1.0, 3.0], [2.0, 0.0, 5.0]]))
      (Array([0, 1], dtype=int32), Array([1, 0], dtype=int32))
    """
    cost = _costs("base_hungarian_algorithm", cost_matrix)
    rows, columns = cost.shape
    if not rows or not columns:
        return _nothing()
    if rows <= columns:
        partner = _columns_of_rows("base_hungarian_algorithm", cost)
        return jnp.arange(rows, dtype=partner.dtype), partner
    partner = _columns_of_rows("base_hungarian_algorithm", cost.T)
    order = jnp.argsort(partner)
    return partner[order], order.astype(partner.dtype)


def _nothing() -> tuple[Array, Array]:
    return jnp.zeros(0, int), jnp.zeros(0, int)


def _costs(api: str, cost_matrix: Any) -> Array:
    cost = as_array(cost_matrix, f"fungrad.optim.assignment.{api}: cost_matrix")
    if cost.ndim != 2 or dtypes.is_complex(cost.dtype):
        raise ValueError(
            f"fungrad.optim.assignment.{api}: cost_matrix must be a matrix of real numbers, got {cost.aval.str_short()}"
        )
    # Only positions come out, so the potentials may have all digits: integers are exact, sums of float32 nearly so.
    return stop_gradient(cost).astype(np.float64)


def _columns_of_rows(api: str, cost: Array) -> Array:
    """The column of each row; there are at least as many columns as rows.

    Rows are added one by one. Potentials ``u`` and ``v`` keep all reduced costs at least 0, and those of pairs 0; a new
    row takes the column that the shortest path of reduced costs leads to, and pairs change along the path. Column 0
    is a fictitious one that the new row starts from; row and column numbers count from 1.
    """
    rows, columns = cost.shape
    integer = dtypes.default_int()

    def add_row(carry: tuple, row: Array) -> tuple:
        u, v, owner, feasible = carry
        owner = owner.at[0].set(row)

        def longer(state: tuple) -> tuple:
            u, v, used, distance, before, column, found = state
            used = used.at[column].set(True)
            here = owner[column]
            reduced = cost[here - 1] - u[here] - v[1:]
            better = ~used[1:] & (reduced < distance)
            distance, before = jnp.where(better, reduced, distance), jnp.where(better, column, before)
            open_distance = jnp.where(used[1:], math.inf, distance)
            nearest = jnp.argmin(open_distance).astype(integer)
            step = open_distance[nearest]
            found = found & (step < math.inf)
            step = jnp.where(found, step, 0)
            # The rows of used columns; the others' positions are beyond the end and dropped.
            u = u.at[jnp.where(used, owner, rows + 1)].add(step, mode="drop")
            v = jnp.where(used, v - step, v)
            distance = jnp.where(used[1:], distance, distance - step)
            return u, v, used, distance, before, nearest + 1, found

        start = (
            u, v, jnp.zeros(columns + 1, bool), jnp.full(columns, math.inf, cost.dtype), jnp.zeros(columns, integer),
            jnp.zeros((), integer), feasible,
        )  # fmt: skip
        # A path visits every column at most once, so it ends.
        out = while_loop(lambda s: (owner[s[5]] != 0) & s[6], longer, start)
        u, v, _, _, before, column, feasible = out

        def back(state: tuple) -> tuple:
            owner, column = state
            previous = before[column - 1]
            return owner.at[column].set(owner[previous]), previous

        owner, _ = while_loop(lambda s: s[1] != 0, back, (owner, jnp.where(feasible, column, 0)))
        return (u, v, owner, feasible), None

    finite = ~jnp.any(jnp.isnan(cost) | (cost == -math.inf))
    debug_check(finite, f"fungrad.optim.assignment.{api}: cost_matrix must not have elements that are NaN or -inf")
    zeros = jnp.zeros(rows + 1, cost.dtype), jnp.zeros(columns + 1, cost.dtype)
    start = (*zeros, jnp.zeros(columns + 1, integer), finite)
    (_, _, owner, feasible), _ = scan(add_row, start, jnp.arange(1, rows + 1, dtype=integer))
    debug_check(feasible, f"fungrad.optim.assignment.{api}: cost_matrix must allow an assignment of finite cost")
    # Columns without a row write beyond the end.
    places = jnp.where(owner[1:] == 0, rows, owner[1:] - 1)
    return jnp.zeros(rows, integer).at[places].set(jnp.arange(columns, dtype=integer), mode="drop")


publish(globals(), __name__, __all__)
