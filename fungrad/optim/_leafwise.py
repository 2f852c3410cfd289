"""Arithmetic on the corresponding leaves of several trees.

Outside of transformations ``optim._eager`` has shorter ways.

May import ``fungrad.numpy``, ``core`` and ``optim._eager``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import fungrad.numpy as jnp
from fungrad.core import tree
from fungrad.core.array import ArrayImpl
from fungrad.optim._eager import Formula, evaluate, is_plain
from fungrad.optim.base import check_shapes


def map_leaves(
    formula: Formula, trees: Sequence[Any], scalars: Sequence[Any] = (), simple: bool = False
) -> list[Any]:
    """Applies a formula to the corresponding leaves of trees.

    Where the first tree has None for a leaf or subtree of the others, the results have None.

    Args:
      formula: ``formula(leaves, scalars, np_)`` with one leaf of each tree; returns a tuple of values. It uses
        operators, Python numbers, and elementwise functions of ``np_``, which is ``fungrad.numpy`` or ``numpy``. It may
        be called with several leaves laid one after the other.
      trees: trees of one structure.
      scalars: 0-d arrays.
      simple: whether the formula is one operation.

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
    columns = list(zip(*rows, strict=True))
    eager = is_plain() and all([type(s) is ArrayImpl for s in scalars])
    results: list[Any] = evaluate(formula, columns, scalars, simple) if eager else [None] * len(columns)
    for k, column in enumerate(columns):
        if results[k] is None and column[0] is not None:
            for x in column[1:]:
                check_shapes(column[0], x)
            results[k] = formula(column, scalars, jnp)
    known = next((values for values in results if values is not None), None)
    if known is None:
        # As many trees as the formula returns for any leaves.
        known = formula([jnp.zeros(())] * len(trees), scalars, jnp)
    nothing = (None,) * len(known)
    by_value = list(zip(*[nothing if v is None else v for v in results], strict=True)) or [()] * len(known)
    return [tree.unflatten(treedef, row) for row in by_value]


def is_none(x: Any) -> bool:
    """Whether a leaf is None."""
    return x is None
