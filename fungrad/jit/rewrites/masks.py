"""Pass ``branch on masks``: loop unswitching. A condition that does not change in a loop is asked before it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fungrad.jit.ir.facts import is_straight
from fungrad.jit.ir.loops import If, Loop, Program, Store
from fungrad.jit.ir.traverse import defines, map_loops_inside_out, of_kind


def branch_on_masks(program: Program, statements: Sequence[Any]) -> list[Any]:
    """Run a loop whose stores all have one mask, known outside of it, only where the mask holds: masked stores delay
    loads of what they have written."""
    return map_loops_inside_out(_unswitched, statements)


def _unswitched(loop: Loop) -> list[Any]:
    mask = _common_mask(loop)
    return [loop] if mask is None else [If(mask, [loop.replace(body=[_unmasked(t) for t in loop.body])])]


def _common_mask(loop: Loop) -> str | None:
    masks = {s.where for s in of_kind(Store, loop.body)}
    mask = masks.pop() if len(masks) == 1 else None
    if mask is None or loop.ordered or not is_straight(loop.body) or any(mask in defines(s) for s in loop.body):
        return None
    return mask


def _unmasked(s: Any) -> Any:
    return s.replace(where=None) if type(s) is Store else s
