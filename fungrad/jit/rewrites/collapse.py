"""Passes ``collapse`` and ``collapse loops``: loop coalescing. Perfectly nested loops become one.

Loops that never run go.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fungrad.jit.ir.loops import Affine, Loop, Program
from fungrad.jit.ir.traverse import addresses, map_loops_inside_out, substitute, walk


def collapse(program: Program, statements: Sequence[Any]) -> list[Any]:
    """Merge perfectly nested loops; drop loops that never run."""
    return map_loops_inside_out(_collapsed, statements)


def _collapsed(loop: Loop) -> list[Loop]:
    while (merged := _merged(loop)) is not None:
        loop = merged
    return [loop] if loop.extent else []


def _merged(outer: Loop) -> Loop | None:
    """One loop for two perfectly nested ones, or None."""
    if len(outer.body) != 1 or type(outer.body[0]) is not Loop:
        return None
    inner = outer.body[0]
    if outer.vector or inner.vector or outer.parallel or inner.parallel or outer.ordered != inner.ordered:
        return None
    n = inner.extent
    for s in walk(inner.body):
        for expression in addresses(s):
            if expression.coefficient(outer.index) != n * expression.coefficient(inner.index):
                return None
    # the inner symbol now counts through both ranges
    drop = {outer.index: Affine()}
    body = [substitute(s, drop) for s in inner.body]
    return Loop(inner.index, outer.extent * n, body, ordered=inner.ordered)
