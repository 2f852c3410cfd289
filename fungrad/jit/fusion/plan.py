"""Rematerialisation against storage: which tensors are kept, and the loops that each of them needs.

`plan` walks the graph of tensors from the outputs and decides which values are *stages*, computed by loops of their
own, and which are formulas written into their users. A stage is not necessarily memory: when the fuser puts all users
of a value into the loop that makes it, the value stays in a register.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from fungrad.jit.formulas.lowering import Graph
from fungrad.jit.formulas.tensors import (
    Apply,
    Axis,
    Compute,
    Dynamic,
    Element,
    Expr,
    Formula,
    Guard,
    Idx,
    Number,
    Opaque,
    Part,
    Position,
    Reduction,
    Running,
    Scatter,
    Source,
    Tensor,
    linear,
    operands_of,
)
from fungrad.jit.ir import tuning

Read = tuple[Tensor, tuple[Idx, ...]]


def reads_of(tensor: Formula) -> list[Read]:
    """The elements that the formula of one tensor reads, in terms of its axes, without looking into other formulas."""
    try:
        return tensor.reads
    except AttributeError:
        tensor.reads = _find_reads(tensor)
        return tensor.reads


def _find_reads(tensor: Formula) -> list[Read]:
    found: dict[Read, None] = {}
    seen: set[Expr] = set()

    def visit_index(i: Idx) -> None:
        for d in i.dynamics():
            _visit_dynamic(d)

    def _visit_dynamic(d: Dynamic) -> None:
        # The formula of a computed index belongs to some tensor's axes: put it at its position.
        env = dict(zip(d.axes, d.positions, strict=True))
        for t, index in _expr_reads(d.expr):
            moved = tuple([i.substitute(env) for i in index])
            found[(t, moved)] = None
            for i in moved:
                visit_index(i)

    def visit(e: Expr) -> None:
        if e in seen:
            return
        seen.add(e)
        if type(e) is Element:
            found[(e.tensor, e.index)] = None
            for i in e.index:
                visit_index(i)
        elif type(e) is Position:
            visit_index(e.index)
        for x in operands_of(e):
            visit(x)

    for root in _roots(tensor):
        visit(root)
    if type(tensor) is Scatter:
        for i in tensor.target:
            visit_index(i)
    return list(found)


def _roots(tensor: Formula) -> list[Expr]:
    if type(tensor) is Scatter and tensor.condition is not None:
        return [tensor.expr, tensor.condition]
    if type(tensor) is Running and tensor.factor is not None:
        return [tensor.expr, tensor.factor]
    return [tensor.expr]


def _expr_reads(e: Expr) -> list[Read]:
    """Elements read by a formula, not following computed indices."""
    found: list[Read] = []
    stack, seen = [e], set()
    while stack:
        x = stack.pop()
        if x in seen:
            continue
        seen.add(x)
        if type(x) is Element:
            found.append((x.tensor, x.index))
        stack.extend(operands_of(x))
    return found


def _own_cost(tensor: Formula) -> int:
    joined = is_joined(tensor)
    total, seen, stack = 0, set(), _roots(tensor)
    while stack:
        x = stack.pop()
        if x in seen:
            continue
        seen.add(x)
        if type(x) is Apply:
            total += x.cost
        # Which piece is read is known where the loop over it is written.
        stack.extend(operands_of(x)[1:] if joined and type(x) is Guard else operands_of(x))
    return total


def _choice_cost(tensor: Tensor) -> int:
    """Cost of finding out from a position which piece of a tensor is read, where the loop does not tell."""
    return len(_guarded_positions(tensor)) if is_joined(tensor) else 0  # type: ignore[arg-type]


def _choosers(t: Tensor, uses: set[tuple[Tensor, tuple[Idx, ...]]]) -> list[Tensor]:
    """Users that find out element by element which piece of a tensor they read."""
    ordered = (Running, Scatter)
    return [user for user, index in uses if type(user) in ordered or any(True for i in index for _ in i.dynamics())]


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


def strided(tensor: Tensor) -> tuple[Tensor, Idx, list[int]] | None:
    """``tensor`` as a strided part of another: that tensor, the offset and one stride per dimension, or None."""
    if type(tensor) is not Compute or type(tensor.expr) is not Element:
        return None
    base, index = tensor.expr.tensor, tensor.expr.index
    flat = linear(base.shape, index)
    own = set(tensor.axes)
    if any(type(a) is not Axis or a not in own for a in flat.terms):
        return None
    return base, Idx.of(flat.const), [flat.terms.get(a, 0) for a in tensor.axes]


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
    reads: dict[Tensor, list[Read]] = {t: reads_of(t) for t in tensors if isinstance(t, Formula)}
    forced = _forced(graph, tensors, opaques)
    cost, leaves = _inlined_sizes(tensors, reads, forced)
    uses: dict[Tensor, set[tuple[Tensor, tuple[Idx, ...]]]] = {t: set() for t in tensors}
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
                uses[tensor].add((user, tuple([i.substitute(env) for i in index])))
    order: list[Any] = [*[t for t in tensors if t in kept], *opaques]
    order.sort(key=lambda x: x.rank)
    return Plan([Stage(x, kept) if isinstance(x, Formula) else x for x in order], kept)


def _reachable(graph: Graph) -> tuple[list[Tensor], list[Opaque]]:
    """Tensors and steps that are needed, operands first."""
    # Dictionaries, whose order is that of the program: sets would order what has one rank by chance.
    tensors: dict[Tensor, None] = {}
    opaques: dict[Opaque, None] = {}
    stack: list[Any] = [*graph.outputs, *[o for o in graph.opaques if o.effects]]
    while stack:
        x = stack.pop()
        if type(x) is Opaque:
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
        stack.extend(t for t, _ in reads_of(x))
        if type(x) is Scatter:
            stack.append(x.operand)
    return sorted(tensors, key=lambda t: t.rank), sorted(opaques, key=lambda o: o.rank)


def _forced(graph: Graph, tensors: Sequence[Tensor], opaques: Sequence[Opaque]) -> set[Tensor]:
    """Formulas that must be in memory: outputs, what is updated in place, and operands of opaque steps."""
    forced: set[Tensor] = {t for t in graph.outputs if isinstance(t, Formula)}
    forced |= graph.kept & set(tensors)
    forced |= {t.operand for t in tensors if type(t) is Scatter and isinstance(t.operand, Formula)}
    for step in opaques:
        forced |= {t for t in in_memory(step) if isinstance(t, Formula)}
    return forced


def in_memory(step: Opaque) -> list[Tensor]:
    """The tensors that a step reads from memory, one per operand: the operand, or the array that it is a part of."""
    found = []
    for t in step.operands:
        part = strided(t) if is_read_in_place(step, t) else None
        found.append(t if part is None else part[0])
    return found


def is_read_in_place(step: Opaque, t: Tensor) -> bool:
    """Whether a step reads an operand where the elements of another array are."""
    if step.kind == "gemm":
        return gemm_operand_fits(step, t)
    if step.kind == "convolution":
        return conv_operand_fits(step, t)
    return step.kind in ("routine", "library", "items") and is_dense_part(t)


def is_dense_part(t: Tensor) -> bool:
    """Whether a tensor is a block of another one, in the same order."""
    part = strided(t)
    if part is None:
        return False
    expected = 1
    for size, stride in zip(reversed(t.shape), reversed(part[2]), strict=True):
        if size != 1 and stride != expected:
            return False
        expected *= size
    return True


def conv_operand_fits(step: Opaque, t: Tensor) -> bool:
    """Whether a convolution can read its operand ``t`` where its elements are."""
    if t is not step.operands[0] and step.params["routine"] in ("conv", "conv_each"):
        return is_dense_part(t)
    part = strided(t)
    return part is not None and (t is step.operands[0] or part[2][-1] == 1 or t.shape[-1] == 1)


def gemm_operand_fits(step: Opaque, t: Tensor) -> bool:
    """Whether a product can read its operand ``t`` where its elements are: as rows or columns at a fixed distance."""
    part = strided(t)
    if part is None:
        return False
    side = 0 if t is step.operands[0] else 1
    return matrix_strides(t.shape, part[2], step.params["groups"], side) is not None


def matrix_strides(
    shape: Sequence[int], strides: Sequence[int], groups: tuple[int, int, int, int], side: int
) -> tuple[int, int] | None:
    """Distances between rows and columns of a product operand with dimensions (batch, rows, columns), if BLAS takes
    them.
    """
    n_batch, n_rows, n_inner, n_columns = groups
    first = n_rows if side == 0 else n_inner
    rows = _one_stride(shape[n_batch : n_batch + first], strides[n_batch : n_batch + first])
    columns = _one_stride(shape[n_batch + first :], strides[n_batch + first :])
    if rows is None or columns is None:
        return None
    n = math.prod(shape[n_batch : n_batch + first])
    m = math.prod(shape[n_batch + first :])
    if columns == 1 and rows >= m:
        return rows, columns
    if rows == 1 and columns >= n:
        return rows, columns
    return None


def _one_stride(shape: Sequence[int], strides: Sequence[int]) -> int | None:
    """The distance of successive elements of some dimensions taken together, None if it varies."""
    stride, expected = None, None
    for size, step in zip(reversed(shape), reversed(strides), strict=True):
        if size == 1:
            continue
        if expected is None:
            stride = step
        elif step != expected:
            return None
        expected = step * size
    return 1 if stride is None else stride


def _inlined_sizes(
    tensors: Sequence[Tensor], reads: dict[Tensor, list[Read]], forced: set[Tensor]
) -> tuple[dict[Tensor, int], dict[Tensor, set[Tensor]]]:
    """Cost and arrays read of every formula with everything inlined; operands that would make it too big are forced."""
    cost: dict[Tensor, int] = {}
    leaves: dict[Tensor, set[Tensor]] = {}
    depth: dict[Tensor, int] = {}
    pieces: dict[Tensor, int] = {}

    def seen_as(x: Tensor, user: Tensor) -> tuple[int, set[Tensor]]:
        """What reading ``x`` adds to the formula of ``user``. What is repeated there will be kept if it costs
        anything.
        """
        inlined = type(x) is Compute and x not in forced
        if inlined and x.aval.size < user.aval.size and cost[x] > tuning.CHEAP_FORMULA:
            inlined = False
        return (cost[x], leaves[x]) if inlined else (0, {x})

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
            deep = max([depth[x] for x in operands if type(x) is Compute and x not in forced], default=0) + 1
            heavy = [x for x in operands if type(x) is Compute and x not in forced and not is_view(x)]
            small = (len(union) <= tuning.FORMULA_LEAVES or is_joined(t)) and total <= tuning.FORMULA_COST
            if (small and deep <= tuning.FORMULA_DEPTH) or not heavy:
                break
            forced.add(max(heavy, key=lambda x: (len(leaves[x]), cost[x], depth[x])))
        if len(union) > 1 and is_joined(t):
            union = {t}  # one of the pieces is read at a time
        cost[t], leaves[t], depth[t] = total, union, deep
    return cost, leaves


def _worth_keeping(t: Tensor, uses: set[tuple[Tensor, tuple[Idx, ...]]], cost: int, leaves: set[Tensor]) -> bool:
    """Whether a formula is better computed once than written into its users."""
    choice = _choice_cost(t)
    if any(choice * math.prod(a.extent for a in user.axes) > 2 * t.aval.size for user in _choosers(t, uses)):  # type: ignore[attr-defined]
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
        axes = list(user.axes)  # type: ignore[attr-defined]
        while axes and axes[-1] not in varying:
            axes.pop()
        repeats = math.prod(a.extent for a in axes if a not in varying)
        if any(True for i in index for _ in i.dynamics()):
            repeats = max(repeats, math.prod(a.extent for a in user.axes) // max(t.aval.size, 1))  # type: ignore[attr-defined]
        if repeats > 1:
            return True
    return False


# -- stages ----------------------------------------------------------------------------------------------------------


class Stage:
    """A tensor and the loops that compute it.

    Attributes:
      tensor: the value.
      axes: loop axes from the outermost to the innermost, without those of size 1.
      kinds: one letter per loop: `p`arallel (a dimension of the result), `r`educed, or in `s`equence.
      env: where the axes of the tensor are, in terms of the loop axes.
      out_index: position of the result in terms of the loop axes.
      reads: elements of kept tensors and sources that it reads, in terms of the loop axes.
      breaks: pairs of an index and a number: whether the index reaches the number decides what is read.
    """

    def __init__(self, tensor: Formula, kept: set[Tensor]):
        self.tensor = tensor
        self.rank = tensor.rank
        self.env: dict[Axis, Idx] = {}
        kinds: dict[Axis, str] = {}
        for d, axis in enumerate(tensor.axes):
            if axis.extent == 1:
                self.env[axis] = Idx.of(0)
                continue
            new = Axis(axis.extent)
            backwards = type(tensor) is Running and tensor.reverse and d == tensor.along
            self.env[axis] = Idx.of(axis.extent - 1) - Idx.of(new) if backwards else Idx.of(new)
            kinds[new] = _axis_kind(tensor, d)
        self.kept = kept
        self.kinds_of = kinds
        self._read()
        self._split_axes()
        self.axes = self._ordered()
        self.kinds = [self.kinds_of[a] for a in self.axes]
        own = list(tensor.axes)[: tensor.aval.ndim] if type(tensor) is not Scatter else []
        self.out_index = [self.env[a] for a in own]
        # Filled in by the fuser: the loops around the stage, outermost first.
        self.path: list[Any] = []

    def __repr__(self) -> str:
        loops = ",".join(f"{k}{a.extent}" for a, k in zip(self.axes, self.kinds, strict=True))
        return f"Stage({type(self.tensor).__name__} {self.tensor.aval.str_short()} [{loops}])"

    def _read(self) -> None:
        """Collects `reads` under the present `env`."""
        self.reads: dict[Read, None] = {}
        self.breaks: list[tuple[Idx, int]] = []
        visited: set[Any] = set()

        def visit(t: Formula, env: dict[Axis, Idx]) -> None:
            self.breaks += [(i.substitute(env), n) for i, n in _guarded_positions(t)]
            for operand, index in reads_of(t):
                moved = tuple([i.substitute(env) for i in index])
                if (operand, moved) in visited:
                    continue
                visited.add((operand, moved))
                if operand in self.kept or isinstance(operand, Source):
                    self.reads[(operand, moved)] = None
                else:
                    visit(operand, dict(zip(operand.axes, moved, strict=True)))  # type: ignore[attr-defined,arg-type]

        visit(self.tensor, self.env)

    def _split_axes(self) -> None:
        """Splits loops so that quotients and remainders of their counters become counters."""
        for _ in range(8):
            split = self._wanted_split()
            if split is None:
                return
            axis, size = split
            outer, inner = Axis(axis.extent // size), Axis(size)
            kind = self.kinds_of[axis]
            self.kinds_of = _replaced(self.kinds_of, axis, {outer: kind, inner: kind})
            moved = {axis: Idx.of(outer) * size + Idx.of(inner)}
            self.env = {a: i.substitute(moved) for a, i in self.env.items()}
            self._read()

    def _wanted_split(self) -> tuple[Axis, int] | None:
        for _, index in self.reads:
            for i in index:
                for part in _parts(i):
                    for atom, c in part.index.terms.items():
                        if type(atom) is not Axis or c <= 0 or part.divisor % c or self.kinds_of[atom] == "s":
                            continue
                        size = part.divisor // c
                        if 1 < size < atom.extent and atom.extent % size == 0:
                            return atom, size
        return None

    def rename(self, names: dict[Axis, Axis]) -> None:
        """Replaces loop axes by those of the loops that the stage has joined."""
        moved = {a: Idx.of(b) for a, b in names.items()}
        self.axes = [names[a] for a in self.axes]
        self.env = {a: i.substitute(moved) for a, i in self.env.items()}
        self.out_index = [i.substitute(moved) for i in self.out_index]
        self.reads = {(t, tuple([i.substitute(moved) for i in index])): None for t, index in self.reads}
        self.breaks = [(i.substitute(moved), n) for i, n in self.breaks]

    def _ordered(self) -> list[Axis]:
        """Loop order: dimensions of the result outside, reduced ones inside, unless memory is laid out the other
        way.
        """
        axes = list(self.kinds_of)
        tensor = self.tensor
        if type(tensor) is Running:
            return axes
        if type(tensor) is not Reduction or tensor.monoid.startswith("arg"):
            return axes
        strides = self._main_strides(axes)
        if strides is None:
            return axes
        reduced = [a for a in axes if self.kinds_of[a] == "r"]
        if self._reduces_pieces(reduced):
            return axes
        inner = min((a for a in axes if strides[a]), key=lambda a: strides[a], default=None)
        if inner is None:
            return axes
        outside = max((strides[a] for a in reduced), default=0)
        if inner in reduced and not any(0 < strides[a] < outside for a in axes if a not in reduced):
            return axes
        # Results that lie inside of what is summed over are collected in memory: run over the operand as it is stored.
        order = {a: n for n, a in enumerate(axes)}
        axes = sorted(axes, key=lambda a: (-strides[a] if strides[a] else -math.inf, order[a]))
        better = self._contiguous_result(axes)
        return axes if better is None else [*[a for a in axes if a is not better], better]

    def _reduces_pieces(self, reduced: Sequence[Axis]) -> bool:
        """Whether what is reduced are a few elements of different arrays, as where arrays have been stacked."""
        pieces: dict[Axis, set[int]] = {a: set() for a in reduced}
        for index, number in self.breaks:
            for a in index.terms:
                if type(a) is Axis and a in pieces:
                    pieces[a].add(number - index.const)
        few = math.prod(a.extent for a in reduced) <= tuning.JOINED_REDUCED
        return few and any(2 * len(found) >= a.extent - 1 > 0 for a, found in pieces.items())

    def _contiguous_result(self, axes: Sequence[Axis]) -> Axis | None:
        """A loop that runs along the result, and across no operand, if the innermost one runs across the result."""
        result = linear(self.tensor.shape, [self.env[a] for a in self.tensor.axes[: self.tensor.aval.ndim]])
        if abs(result.terms.get(axes[-1], 0)) <= 1:
            return None
        reads = [linear(operand.shape, index) for operand, index in self.reads]
        for a in axes:
            dense = result.terms.get(a) == 1 and all(i.terms.get(a, 0) in (0, 1) for i in reads)
            if dense and a.extent >= tuning.SHORT_LOOP:
                return a
        return None

    def _main_strides(self, axes: Sequence[Axis]) -> dict[Axis, int] | None:
        """Strides of the operand that varies along most axes."""
        best: dict[Axis, int] | None = None
        score: tuple = (0,)
        for operand, index in self.reads:
            flat = linear(operand.shape, index)
            strides = {a: abs(flat.terms.get(a, 0)) for a in axes}
            varying = math.prod(a.extent for a in axes if strides[a])
            contiguous = any(s == 1 for s in strides.values())
            if (varying, contiguous) > score:
                score, best = (varying, contiguous), strides
        return best


def _axis_kind(tensor: Formula, d: int) -> str:
    if type(tensor) is Reduction:
        return "p" if d < tensor.aval.ndim else "r"
    if type(tensor) is Running:
        return "s" if d == tensor.along else "p"
    if type(tensor) is Scatter:
        return "s"
    return "p"


def _replaced(kinds: dict[Axis, str], axis: Axis, new: dict[Axis, str]) -> dict[Axis, str]:
    result: dict[Axis, str] = {}
    for a, k in kinds.items():
        result.update(new if a is axis else {a: k})
    return result


def _parts(index: Idx) -> list[Part]:
    found = []
    for atom in index.terms:
        if type(atom) is Part:
            found.extend(_parts(atom.index))
            found.append(atom)
    return found


def _guarded_positions(tensor: Formula) -> list[tuple[Idx, int]]:
    """The comparisons of positions with numbers in the conditions of guards."""
    found: list[tuple[Idx, int]] = []
    stack, seen = [(e, False) for e in _roots(tensor)], set()
    while stack:
        x, condition = stack.pop()
        if (x, condition) in seen:
            continue
        seen.add((x, condition))
        if condition and is_comparison(x):
            found.append((x.args[0].index, int(x.args[1].value)))  # type: ignore[attr-defined]
        elif type(x) is Guard:
            stack += [(x.condition, True), (x.value, False), (x.other, False)]
        else:
            stack += [(y, condition) for y in operands_of(x)]
    return found


def is_comparison(x: Expr) -> bool:
    """Whether a formula is `position >= number` or `position < number`."""
    return (
        type(x) is Apply
        and x.fn is None
        and x.op in ("ge", "lt")
        and type(x.args[0]) is Position
        and type(x.args[1]) is Number
    )
