"""A scalar builder that records formulas: what ``ctx.compute`` and ``ctx.scatter`` give to lowering rules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fungrad.jit.formulas.indices import Axis, Dynamic, Idx
from fungrad.jit.formulas.scalar_rules import Scalars
from fungrad.jit.formulas.tensors import Apply, Element, Expr, Guard, Number, Position, Tensor, free_axes
from fungrad.jit.kernels.scalars import Number as PythonNumber, ScalarBuilder, Value, both_values, type_of


class Recorder(ScalarBuilder):
    """Builds the `Expr` of a tensor with the given axes; the ``raw`` of its values is an `Expr`.

    Elementwise primitives can be called by name with several values, as in ``m.call("exp", x)``.
    """

    def __init__(self, axes: Sequence[Axis]):
        self.axes = tuple(axes)

    def _value(self, expr: Expr) -> Value:
        return Value(self, expr.type, expr)

    def _apply(self, op: str, type: str, *args: Value, fn: Any = None) -> Value:
        return self._value(Apply(op, [a.raw for a in args], type, fn))

    # -- reading ----------------------------------------------------------------------------------------------------

    def load(self, operand: Tensor, *indices: Any) -> Value:
        """The element of ``operand`` at a position: indices, ints or scalar integer values in range."""
        if len(indices) != operand.ndim:
            raise TypeError(f"load: {len(indices)} indices for an operand of shape {operand.shape}")
        index = tuple([self.at(i) for i in indices])
        return self._value(Element(operand, index, type_of(operand.dtype)))

    def at(self, value: Any) -> Idx:
        """A scalar integer value as an index, to which offsets can be added."""
        return self._index_of(value.raw) if isinstance(value, Value) else Idx.of(value)

    def _index_of(self, expr: Expr) -> Idx:
        """A formula as an index: sums of counters stay sums, so that addresses are linear in them."""
        if type(expr) is Position:
            return expr.index
        if type(expr) is Number:
            return Idx.of(int(expr.value))
        if type(expr) is Apply and expr.fn is None and expr.op in ("add", "sub"):
            x, y = [self._index_of(a) for a in expr.args]
            return x + y if expr.op == "add" else x - y
        free = free_axes(expr)
        axes = tuple([a for a in self.axes if a in free])
        return Idx.of(Dynamic(expr, axes, tuple([Idx.of(a) for a in axes])))

    def index(self, i: Any, dtype: Any = np.int32) -> Value:
        """A position as a number."""
        return self._value(Position(Idx.of(i), dtype if isinstance(dtype, str) else type_of(dtype)))

    def within(self, i: Any, low: int, high: int) -> Value:
        """Whether ``low <= i < high``."""
        i = Idx.of(i)
        bounds = i.bounds()
        conditions = []
        number = self.index(i)
        if bounds is None or bounds[0] < low:
            conditions.append(number >= low)
        if bounds is None or bounds[1] >= high:
            conditions.append(number < high)
        if not conditions:
            return self.const(True, "i1")
        return conditions[0] if len(conditions) == 1 else conditions[0] & conditions[1]

    def guard(self, condition: Value, value: Value, other: Value) -> Value:
        """``value`` where the condition holds, else ``other``; elements in ``value`` are read only where it holds."""
        if type(condition.raw) is Number:
            return value if condition.raw.value else other
        return self._value(Guard(condition.raw, value.raw, other.raw))

    def call(self, name: str, *args: Value, **params: Any) -> Value:
        """An elementwise primitive by name, with the type of its first operand."""
        return self._apply(name, args[0].type, *args, fn=lambda m, *xs: getattr(Scalars(m), name)(*xs, **params))

    # -- the interface of ScalarBuilder ------------------------------------------------------------------------------

    def const(self, value: PythonNumber, like: Value | str) -> Value:
        return self._value(Number(value, like.type if isinstance(like, Value) else like))

    def unary(self, op: str, a: Value) -> Value:
        return self._apply(op, a.type, a)

    def binary(self, op: str, a: Value, b: Value) -> Value:
        return self._apply(op, a.type, a, b)

    def compare(self, op: str, a: Value, b: Value) -> Value:
        return self._apply(op, "i1", a, b)

    def select(self, condition: Value, a: Value | PythonNumber, b: Value | PythonNumber) -> Value:
        a, b = both_values("select", a, b)
        return self._apply("select", a.type, condition, a, b)

    def fma(self, a: Value, b: Value | PythonNumber, c: Value | PythonNumber) -> Value:
        return self._apply("fma", a.type, a, a._coerce(b), a._coerce(c))

    def convert(self, a: Value, type: str) -> Value:
        return a if a.type == type else self._apply("convert", type, a)

    def bitcast(self, a: Value, type: str) -> Value:
        return a if a.type == type else self._apply("bitcast", type, a)
