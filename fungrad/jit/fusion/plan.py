"""Rematerialisation against storage: which tensors are kept, and the loops that each of them needs.

`plan` walks the graph of tensors from the outputs and decides which values are *stages*, computed by loops of their
own, and which are formulas written into their users. A stage is not necessarily memory: when the fuser puts all users
of a value into the loop that makes it, the value stays in a register.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from fungrad.jit.formulas.indices import Axis, Idx
from fungrad.jit.formulas.lowering import Graph
from fungrad.jit.formulas.tensors import (
    Apply,
    Compute,
    Element,
    Expr,
    Formula,
    Guard,
    Number,
    Opaque,
    Position,
    Read,
    Source,
    Tensor,
)
from fungrad.jit.fusion.stages import Stage, guarded_positions, is_comparison
from fungrad.jit.fusion.views import in_memory
from fungrad.jit.ir import tuning

# Who reads a tensor, and at which positions.
Uses = set[tuple[Formula, tuple[Idx, ...]]]


def _own_cost(tensor: Formula) -> int:
    joined = is_joined(tensor)
    total, seen, stack = 0, set(), list(tensor.roots)
    while stack:
        x = stack.pop()
        if x in seen:
            continue
        seen.add(x)
        if type(x) is Apply:
            total += x.cost
        # Which piece is read is known where the loop over it is written.
        stack.extend(x.operands[1:] if joined and type(x) is Guard else x.operands)
    return total


def _choice_cost(tensor: Tensor) -> int:
    """Cost of finding out from a position which piece of a tensor is read, where the loop does not tell."""
    return len(guarded_positions(tensor)) if is_joined(tensor) else 0  # type: ignore[arg-type]


def _choosers(uses: Uses) -> list[Formula]:
    """Users that find out element by element which piece of a tensor they read."""
    return [user for user, index in uses if user.in_order or not all(i.is_static for i in index)]


def _is_known_piece(t: Tensor, index: tuple[Idx, ...]) -> bool:
    """Whether a position says which piece of a joined tensor is read."""
    env = dict(zip(t.axes, index, strict=True))  # type: ignore[attr-defined]
    return not any(i.substitute(env).terms for i, _ in guarded_positions(t))  # type: ignore[arg-type]


def is_joined(tensor: Tensor) -> bool:
    """Whether a tensor consists of pieces, of which its position alone says which one is read."""
    if type(tensor) is not Compute or type(tensor.expr) is not Guard:
        return False
    x: Expr = tensor.expr
    while type(x) is Guard:
        if type(x.value) is not Element or not _is_range(x.condition):
            return False
        x = x.other
    return type(x) in (Element, Number)


def _is_range(x: Expr) -> bool:
    """Whether a condition compares positions with numbers."""
    if type(x) is Apply and x.fn is None and x.op == "and":
        return all(_is_range(a) for a in x.args)
    return is_comparison(x)


def is_view(tensor: Tensor) -> bool:
    """Whether a tensor only moves or makes up elements."""
    return type(tensor) is Compute and type(tensor.expr) in (Element, Number, Position)


class Plan:
    """What `plan` decides.

    Attributes:
      kept: tensors that are computed by loops of their own, and sources, with their users' reads resolved.
      order: stages and opaque steps in an order in which they can run.
    """

    def __init__(self, order: list[Any], kept: set[Tensor]):
        self.order = order
        self.kept = kept


def plan(graph: Graph) -> Plan:
    """Decides what is computed by loops of its own."""
    tensors, opaques = _reachable(graph)
    reads: dict[Tensor, list[Read]] = {t: t.reads for t in tensors if isinstance(t, Formula)}
    forced = _forced(graph, tensors, opaques)
    cost, leaves = _inlined_sizes(tensors, reads, forced)
    uses: dict[Tensor, Uses] = {t: set() for t in tensors}
    kept: set[Tensor] = set()
    for t in reversed(tensors):
        if not isinstance(t, Formula):
            continue
        keep = t in forced or type(t) is not Compute or _worth_keeping(t, uses[t], cost[t], leaves[t])
        if keep:
            kept.add(t)
            for tensor, index in reads[t]:
                uses[tensor].add((t, index))
            continue
        for user, position in uses[t]:
            env = dict(zip(t.axes, position, strict=True))
            for tensor, index in reads[t]:
                place = tuple([i.substitute(env) for i in index])
                if not _is_outside(tensor, place):
                    uses[tensor].add((user, place))
    order: list[Any] = [*[t for t in tensors if t in kept], *opaques]
    order.sort(key=lambda x: x.rank)
    return Plan([Stage(x, kept) if isinstance(x, Formula) else x for x in order], kept)


def _is_outside(tensor: Tensor, index: tuple[Idx, ...]) -> bool:
    """Whether there is no such element: it is that of another piece of what is joined, of which a known one is read."""
    return any(not i.terms and not 0 <= i.const < size for i, size in zip(index, tensor.shape, strict=True))


def _reachable(graph: Graph) -> tuple[list[Tensor], list[Opaque]]:
    """Tensors and steps that are needed, operands first."""
    # Dictionaries, whose order is that of the program: sets would order what has one rank by chance.
    tensors: dict[Tensor, None] = {}
    opaques: dict[Opaque, None] = {}
    stack: list[Any] = [*graph.outputs, *[o for o in graph.opaques if o.effects]]
    while stack:
        x = stack.pop()
        if isinstance(x, Opaque):
            if x not in opaques:
                opaques[x] = None
                stack.extend(x.operands)
                tensors.update(dict.fromkeys(x.results))
            continue
        if x in tensors and not isinstance(x, Source):
            continue
        tensors[x] = None
        if isinstance(x, Source):
            if x.origin is not None and x.origin not in opaques:
                stack.append(x.origin)
            continue
        stack.extend(t for t, _ in x.reads)
        if x.updates is not None:
            stack.append(x.updates)
    return sorted(tensors, key=lambda t: t.rank), sorted(opaques, key=lambda o: o.rank)


def _forced(graph: Graph, tensors: Sequence[Tensor], opaques: Sequence[Opaque]) -> set[Tensor]:
    """Formulas that must be in memory: outputs, what is updated in place, and operands of opaque steps."""
    forced: set[Tensor] = {t for t in graph.outputs if isinstance(t, Formula)}
    forced |= graph.kept & set(tensors)
    forced |= {t.updates for t in tensors if isinstance(t, Formula) and isinstance(t.updates, Formula)}
    for step in opaques:
        forced |= {t for t in in_memory(step) if isinstance(t, Formula)}
    return forced


def _inlined_sizes(
    tensors: Sequence[Tensor], reads: dict[Tensor, list[Read]], forced: set[Tensor]
) -> tuple[dict[Tensor, int], dict[Tensor, set[Tensor]]]:
    """Cost and arrays read of every formula with everything inlined; operands that would make it too big are forced."""
    cost: dict[Tensor, int] = {}
    leaves: dict[Tensor, set[Tensor]] = {}
    depth: dict[Tensor, int] = {}
    pieces: dict[Tensor, int] = {}

    def inlined(x: Tensor) -> bool:
        return type(x) is Compute and x not in forced

    def seen_as(x: Tensor, user: Tensor) -> tuple[int, set[Tensor]]:
        """What reading ``x`` adds to the formula of ``user``. What is repeated there will be kept if it costs
        anything.
        """
        repeated = x.aval.size < user.aval.size
        if not inlined(x) or (repeated and cost[x] > tuning.CHEAP_FORMULA):
            return 0, {x}
        return cost[x], leaves[x]

    for t in tensors:
        if not isinstance(t, Formula):
            continue
        own = _own_cost(t)
        if is_joined(t):
            inner = dict.fromkeys(x for x, _ in reads[t] if x not in forced)
            pieces[t] = sum(pieces.get(x, 1) for x in inner)
            if pieces[t] > tuning.JOINED_PIECES:
                forced.update(x for x in inner if pieces.get(x, 1) > 1)
                pieces[t] = len(inner)
        while True:
            operands = dict.fromkeys(x for x, _ in reads[t])
            costs = [seen_as(x, t)[0] for x in operands]
            total = own + (max(costs, default=0) if is_joined(t) else sum(costs))
            union = set().union(*[seen_as(x, t)[1] for x in operands])
            deep = max([depth[x] for x in operands if inlined(x)], default=0) + 1
            heavy = [x for x in operands if inlined(x) and not is_view(x)]
            small = (len(union) <= tuning.FORMULA_LEAVES or is_joined(t)) and total <= tuning.FORMULA_COST
            if (small and deep <= tuning.FORMULA_DEPTH) or not heavy:
                break
            forced.add(max(heavy, key=lambda x: (len(leaves[x]), cost[x], depth[x])))
        if len(union) > 1 and is_joined(t):
            union = {t}  # one of the pieces is read at a time
        cost[t], leaves[t], depth[t] = total, union, deep
    return cost, leaves


def _worth_keeping(t: Tensor, uses: Uses, cost: int, leaves: set[Tensor]) -> bool:
    """Whether a formula is better computed once than written into its users."""
    choice = _choice_cost(t)
    if choice and all(_is_known_piece(t, index) for _, index in uses):
        return False
    if any(choice * math.prod(a.extent for a in user.axes) > 2 * t.aval.size for user in _choosers(uses)):
        return True
    cost += choice
    if is_view(t) or cost == 0:
        return False
    full = sum(1 for x in leaves if x.aval.size >= t.aval.size)
    if cost <= tuning.CHEAP_FORMULA and full <= 1:
        return False
    if cost <= tuning.CHEAP_NUMBER and t.aval.size == 1:
        return False
    if len(uses) > 1:
        return True
    for user, index in uses:
        # Loops in which the same element would be computed again and again; it is hoisted out of those inside the last
        # loop that it depends on.
        varying: set[Axis] = set().union(*[i.axes() for i in index]) if index else set()
        axes = list(user.axes)
        while axes and axes[-1] not in varying:
            axes.pop()
        repeats = math.prod(a.extent for a in axes if a not in varying)
        if not all(i.is_static for i in index):
            repeats = max(repeats, math.prod(a.extent for a in user.axes) // max(t.aval.size, 1))
        if repeats > 1:
            return True
    return False
