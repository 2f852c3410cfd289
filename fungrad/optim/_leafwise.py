"""Arithmetic on the corresponding leaves of several trees.

Outside of transformations a formula of a dozen operations on small arrays costs more in dispatch than in arithmetic.
Formulas of optimizers are elementwise and look the same on NumPy arrays: there they are evaluated on these directly.

May import ``fungrad.numpy`` and ``core``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import fungrad.numpy as jnp
from fungrad.config import watch
from fungrad.core import tree
from fungrad.core.array import Array, ArrayImpl, wrap_unchecked
from fungrad.core.context import EVAL, state
from fungrad.core.float_errors import quietly
from fungrad.optim.base import check_shapes

# Dtypes whose arithmetic with Python numbers is the same in NumPy.
_FLOAT32, _FLOAT64 = np.dtype(np.float32), np.dtype(np.float64)

Formula = Callable[[Sequence[Any], Sequence[Any], Any], tuple]


def map_leaves(formula: Formula, trees: Sequence[Any], scalars: Sequence[Any] = ()) -> list[Any]:
    """Applies a formula to the corresponding leaves of trees.

    Where the first tree has None for a leaf or subtree of the others, the results have None.

    Args:
      formula: ``formula(leaves, scalars, np_)`` with one leaf of each tree; returns a tuple of values. It uses
        operators, Python numbers, and functions of ``np_``, which is ``fungrad.numpy`` or ``numpy``.
      trees: trees of one structure.
      scalars: 0-d arrays.

    Returns:
      One tree per value that the formula returns.
    """
    leaves, treedef = tree.flatten(trees[0])
    try:
        rows = [leaves, *[tree.flatten_up_to(treedef, t) for t in trees[1:]]]
    except ValueError:
        leaves, treedef = tree.flatten(trees[0], is_none)
        if trees[0] is None or not any(x is None for x in leaves):
            raise
        rows = [leaves, *[tree.flatten_up_to(treedef, t) for t in trees[1:]]]
    eager = state.trace is EVAL and not watch.results and all([type(s) is ArrayImpl for s in scalars])
    data = [s._data for s in scalars] if eager else []
    results: list[Any] = []
    for column in zip(*rows, strict=True):
        if column[0] is None:
            results.append(None)
            continue
        values: Any = _evaluated(formula, column, data) if eager else None
        if values is None:
            for x in column[1:]:
                check_shapes(column[0], x)
            values = formula(column, scalars, jnp)
        results.append(values)
    known = next((values for values in results if values is not None), None)
    if known is None:
        # As many trees as the formula returns for any leaves.
        known = formula([jnp.zeros(())] * len(trees), scalars, jnp)
    nothing = (None,) * len(known)
    columns = list(zip(*[nothing if v is None else v for v in results], strict=True)) or [()] * len(known)
    return [tree.unflatten(treedef, row) for row in columns]


def is_none(x: Any) -> bool:
    """Whether a leaf is None."""
    return x is None


def _evaluated(formula: Formula, leaves: Sequence[Any], scalars: Sequence[np.ndarray]) -> list[Array] | None:
    """The values of the formula, computed by NumPy; None if that may be something else than fungrad's arithmetic."""
    first = leaves[0]
    if type(first) is not ArrayImpl:
        return None
    aval = first.aval
    dtype = aval.dtype
    if (dtype is not _FLOAT32 and dtype is not _FLOAT64) or aval.weak_type:
        return None
    for x in leaves:
        if type(x) is not ArrayImpl or x.aval is not aval:
            return None
    values = quietly(formula, [x._data for x in leaves], scalars, np)
    out: list[Array] = []
    for x in values:
        if type(x) is not np.ndarray:
            x = np.asarray(x)
        # NumPy's scalars count as arrays in its promotion, arrays among the constants of the formula give arrays.
        if x.dtype is not dtype or x.shape != aval.shape:
            return None
        out.append(wrap_unchecked(x, aval))
    return out
