"""Stages: tensors with the loops that compute them, before fusion."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from fungrad.jit.formulas.indices import Axis, Idx, linear
from fungrad.jit.formulas.tensors import (
    Apply,
    Expr,
    Formula,
    Guard,
    Number,
    Position,
    Read,
    Reduction,
    Running,
    Scatter,
    Source,
    Tensor,
)
from fungrad.jit.ir import tuning


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
      scatters: whether the tensor is updated at computed positions.
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
            kinds[new] = tensor.loop_kind(d)
        self.kept = kept
        self.kinds_of = kinds
        self._read()
        self._split_axes()
        self.axes = self._ordered()
        self.kinds = [self.kinds_of[a] for a in self.axes]
        self.scatters = type(tensor) is Scatter
        own = [] if self.scatters else tensor.axes[: tensor.aval.ndim]
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
            self.breaks += [(i.substitute(env), n) for i, n in guarded_positions(t)]
            for operand, index in t.reads:
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
        for _ in range(tuning.SPLIT_AXES):
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
                for part in i.parts():
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


def _replaced(kinds: dict[Axis, str], axis: Axis, new: dict[Axis, str]) -> dict[Axis, str]:
    result: dict[Axis, str] = {}
    for a, k in kinds.items():
        result.update(new if a is axis else {a: k})
    return result


def guarded_positions(tensor: Formula) -> list[tuple[Idx, int]]:
    """The comparisons of positions with numbers in the conditions of guards."""
    found: list[tuple[Idx, int]] = []
    stack, seen = [(e, False) for e in tensor.roots], set()
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
            stack += [(y, condition) for y in x.operands]
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
