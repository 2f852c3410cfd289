"""Passes ``collapse`` and ``collapse loops``: loop coalescing. Perfectly nested loops become one.

Loops that never run go.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fungrad.jit.ir.loops import Affine, Loop, Program
from fungrad.jit.ir.traverse import addresses, map_bodies, substitute, walk


def collapse(program: Program, statements: Sequence[Any]) -> list[Any]:
    """Merge perfectly nested loops; drop loops that never run."""
    result = []
    for s in statements:
        if type(s) is Loop and s.extent == 0:
            continue
        s = map_bodies(lambda body: collapse(program, body), s)
        while type(s) is Loop and (merged := _merged(s)) is not None:
            s = merged
        result.append(s)
    return result


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
