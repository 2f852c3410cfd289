"""Finds matrix products that were written as sums of products.

The mean over examples of an outer product ``sum_b x[b, i] * y[b, j] / n[b]`` is a matrix product over the examples. As
loops it computes and adds up a matrix for every example; such sums come from gradients of single examples (``vmap`` of
``grad``) and from products written with broadcasting. `contraction` takes the factors apart by the dimensions of the
result that they depend on. If there are two groups that have no dimension in common, the sum is the product of two
matrices, one per group.

What depends on the summed dimensions alone goes to the smaller matrix: the terms are then rounded in another order, as
in any contraction of more than two operands.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import Any, Protocol

from fungrad.jit.formulas.indices import Axis, Idx
from fungrad.jit.formulas.tensors import Apply, Compute, Element, Expr, Number, Tensor
from fungrad.jit.ir import tuning
from fungrad.jit.kernels.scalars import type_of


class Formulas(Protocol):
    """What is needed of the one who makes formulas (`lowering.Lowerer`).

    Attributes:
      kept: tensors that are computed once, whatever they cost.
    """

    @property
    def kept(self) -> Collection[Tensor]: ...

    def formula(self, shape: Sequence[int], dtype: Any, axes: Sequence[Axis], expr: Expr) -> Compute:
        """The tensor of a formula."""

    def dot(self, a: Tensor, b: Tensor, contracting: Any, batch: Any, dtype: Any) -> Tensor:
        """A matrix product."""

    def transpose(self, operand: Tensor, permutation: Sequence[int]) -> Tensor:
        """The dimensions in another order."""

    def reshape(self, operand: Tensor, shape: Sequence[int]) -> Tensor:
        """The elements in another shape."""


_TYPES = ("f32", "f64")


class _Factor:
    """One factor of the terms of a sum: a number or an element, or one divided by it."""

    def __init__(self, expr: Expr, inverse: bool):
        self.expr = expr
        self.inverse = inverse
        index = expr.index if type(expr) is Element else ()
        self.axes: set[Axis] = set().union(*[i.axes() for i in index]) if index else set()
        self.is_static = all(i.is_static for i in index)


def contraction(lowerer: Formulas, operand: Tensor, axes: Sequence[int]) -> Tensor | None:
    """The sum of ``operand`` over ``axes`` as a matrix product, None if it is not one or not worth it."""
    if type_of(operand.dtype) not in _TYPES or type(operand) is not Compute:
        return None
    counters = [Axis(n) for n in operand.shape]
    factors = _factors(lowerer, operand, tuple([Idx.of(a) for a in counters]), False)
    if len(factors) < 2 or not all(f.is_static for f in factors):
        return None
    summed = [a for d, a in enumerate(counters) if d in axes and a.extent != 1]
    kept = [a for d, a in enumerate(counters) if d not in axes and a.extent != 1]
    sides = _sides(factors, kept, summed)
    if sides is None:
        return None
    left, right = sides
    rows, columns = ([a for a in kept if any(a in f.axes for f in side)] for side in sides)
    m, n, k = (math.prod(a.extent for a in group) for group in (rows, columns, summed))
    if min(m, n, k) < tuning.CONTRACTED_LEAST or m * n * k < tuning.CONTRACTED_TERMS:
        return None
    (left if m <= n else right).extend(f for f in factors if f.axes.isdisjoint(kept))
    a, b = (_matrix(lowerer, side, [*summed, *group], operand) for side, group in ((left, rows), (right, columns)))
    inner = tuple(range(len(summed)))
    product = lowerer.dot(a, b, (inner, inner), ((), ()), operand.dtype)
    made = [*rows, *columns]
    ordered = lowerer.transpose(product, [made.index(a) for a in kept])
    return lowerer.reshape(ordered, [a.extent for d, a in enumerate(counters) if d not in axes])


def _factors(lowerer: Formulas, tensor: Tensor, index: tuple[Idx, ...], inverse: bool) -> list[_Factor]:
    """The factors of an element of a tensor."""
    whole = [_Factor(Element(tensor, index, type_of(tensor.dtype)), inverse)]
    if type(tensor) is not Compute or tensor in lowerer.kept:
        return whole
    env = dict(zip(tensor.axes, index, strict=True))

    def of(expr: Expr, inverse: bool) -> list[_Factor]:
        if type(expr) is Element:
            return _factors(lowerer, expr.tensor, tuple([i.substitute(env) for i in expr.index]), inverse)
        return [_Factor(expr, inverse)]

    expr = tensor.expr
    if type(expr) in (Element, Number):
        return of(expr, inverse)
    if type(expr) is Apply and expr.op in ("mul", "div") and all(type(a) in (Element, Number) for a in expr.args):
        first, second = expr.args
        if expr.op == "mul":
            return of(first, inverse) + of(second, inverse)
        if not inverse:
            # The divisor stays whole.
            if type(second) is Element:
                second = Element(second.tensor, tuple([i.substitute(env) for i in second.index]), second.type)
            return [*of(first, False), _Factor(second, True)]
    return whole


def _sides(
    factors: Sequence[_Factor], kept: Sequence[Axis], summed: Sequence[Axis]
) -> tuple[list[_Factor], list[_Factor]] | None:
    """The factors in two groups that share no kept dimension, each with all summed ones; None if there are not two."""
    groups: list[tuple[set[Axis], list[_Factor]]] = []
    for f in factors:
        mine = f.axes.intersection(kept)
        if not mine:
            continue
        joined = [g for g in groups if not g[0].isdisjoint(mine)]
        merged = (mine.union(*[g[0] for g in joined]), [x for g in joined for x in g[1]] + [f])
        groups = [g for g in groups if g not in joined] + [merged]
    if len(groups) != 2 or groups[0][0] | groups[1][0] != set(kept):
        return None
    if any(not set(summed) <= set().union(*[f.axes for f in side]) for _, side in groups):
        return None
    first, second = sorted(groups, key=lambda g: min(kept.index(a) for a in g[0]))
    return first[1], second[1]


def _matrix(lowerer: Formulas, factors: Sequence[_Factor], axes: Sequence[Axis], like: Tensor) -> Tensor:
    """The product of some factors as a tensor with the given dimensions."""
    own = {a: Axis(a.extent) for a in axes}
    env = {a: Idx.of(b) for a, b in own.items()}
    type = type_of(like.dtype)
    result: Expr | None = None
    for f in sorted(factors, key=lambda f: f.inverse):
        expr = f.expr
        if isinstance(expr, Element):
            expr = Element(expr.tensor, tuple([_moved(i, env) for i in expr.index]), expr.type)
        if f.inverse:
            result = Apply("div", [Number(1.0, type) if result is None else result, expr], type, cost=4)
        else:
            result = expr if result is None else Apply("mul", [result, expr], type)
    assert result is not None
    return lowerer.formula([a.extent for a in axes], like.dtype, list(own.values()), result)


def _moved(index: Idx, env: dict[Axis, Idx]) -> Idx:
    """An index in terms of new axes; an axis of one element is at 0."""
    rest = {a: Idx.of(0) for a in index.axes() if a not in env}
    return index.substitute({**env, **rest})
