"""How stages combine elements: in an accumulator, in memory, or one after the other.

A reduction or running result is kept in an accumulator around the loops over what is combined, or in memory where other
loops stand between; monoids that neither can apply are combined by statements.
"""

from __future__ import annotations

from typing import Any

from fungrad.jit.formulas.indices import Axis, Idx
from fungrad.jit.formulas.tensors import Apply, Formula, Reduction, Running, Scatter
from fungrad.jit.fusion.stages import Stage
from fungrad.jit.ir import loops
from fungrad.jit.kernels.scalars import FLOATS, HALF, type_of

_NARROW = ("f32", *HALF)


def meet_apart(stage: Stage, tensor: Scatter, depth: int) -> bool:
    """Whether the loops of a scatter from ``depth`` on run over a window: each along a dimension of its own, so that
    no two iterations have the same target.
    """
    window, seen = set(stage.axes[depth:]), set()
    for index in tensor.target:
        varying = index.substitute({a: stage.env[a] for a in tensor.axes}).terms
        own = [atom for atom in varying if not window.isdisjoint(Idx.of(atom).axes())]
        if any(type(atom) is not Axis for atom in own) or len(own) > 1:
            return False
        seen.update(own)
    return seen == window


def adds_up(tensor: Formula) -> bool:
    """Whether an update in memory can combine the elements: of complex numbers it can only add, and products of
    floating point numbers must not be regrouped, since a part of them may overflow where they do not."""
    if _multiplies_floats(tensor):
        return False
    monoid = tensor.monoid or "add"
    return monoid == "add" if tensor.dtype.kind == "c" else monoid in loops.MONOIDS


def accumulates(stage: Stage) -> bool:
    """Whether an accumulator can combine the elements of a reduction or running result. That of a product keeps
    its exponent apart where it has to; a running one multiplies in order where it has to."""
    return adds_up(stage.tensor) or (_multiplies_floats(stage.tensor) and buffered_at(stage) is None)


def _multiplies_floats(tensor: Formula) -> bool:
    """Whether elements are products of floating point numbers."""
    return isinstance(tensor, Reduction | Running) and tensor.monoid == "mul" and state_type(tensor) in FLOATS


def has_narrow_terms(tensor: Formula) -> bool:
    """Whether the terms of a combination are converted to double precision for it."""
    expr = tensor.expr
    return type(expr) is Apply and expr.op == "convert" and expr.type == "f64" and expr.args[0].type in _NARROW


def is_in_two(tensor: Running) -> bool:
    """Whether rows of results so far are two of single precision: functions run twice as wide on them as on doubles."""
    return tensor.monoid == "logaddexp" and has_narrow_terms(tensor) and type_of(tensor.dtype) == "f32"


def state_type(tensor: Any) -> str:
    """The type in which results so far are kept."""
    return tensor.expr.type if type(tensor) is Running else type_of(tensor.dtype)  # type: ignore[no-any-return]


def accumulates_at(stage: Stage) -> int | None:
    """Depth of the loop around which the accumulator of a stage is declared; None if it has none."""
    kinds = stage.kinds
    if type(stage.tensor) is Running:
        return kinds.index("s") if kinds and kinds[-1] == "s" else None
    if type(stage.tensor) is not Reduction or not kinds or kinds[-1] != "r":
        return None
    if not adds_up(stage.tensor) and buffered_at(stage) is not None and not has_narrow_terms(stage.tensor):
        return None  # one factor after the other goes to memory: their product might overflow
    depth = len(kinds)
    while depth and kinds[depth - 1] == "r":
        depth -= 1
    return depth


def buffered_at(stage: Stage) -> int | None:
    """Depth of the reduced loop around which memory for partial results is filled; None if a register holds them."""
    kinds = stage.kinds
    sought = {Reduction: "r", Running: "s"}.get(type(stage.tensor))
    if sought is None or sought not in kinds:
        return None
    first = kinds.index(sought)
    return first if "p" in kinds[first:] else None
