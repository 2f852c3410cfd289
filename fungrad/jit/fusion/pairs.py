"""Scalar replacement of complex values: a pair of operands, and operations that take and give pairs.

The loop IR knows real scalars only. While a nest is written, a complex value is a `Pair` of the operands that hold its
parts; an operation on complex values becomes one statement on parts, whose function puts them together for the rule
and takes the result apart.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from fungrad.jit.ir import loops
from fungrad.jit.ir.ops import operate
from fungrad.jit.kernels.complexmath import NAMED, ComplexScalars, is_complex
from fungrad.jit.kernels.scalars import PARTS, Value

Pair = tuple[loops.Operand, loops.Operand]
# What holds a scalar value while a nest is written: a `loops.Operand`, or a `Pair` of them where the type is complex.
# Most places know which of the two it is from the type of the formula, which the type checker cannot.
Operand = Any


def constant(value: Any, type: str) -> Operand:
    """A number of any type."""
    part = PARTS.get(type)
    if part is None:
        return loops.Const(value, type)
    value = complex(value)
    return loops.Const(value.real, part), loops.Const(value.imag, part)


def part_types(type: str | tuple[str, ...]) -> tuple[str, ...]:
    """The real types of a value, or of several one after the other."""
    types = (type,) if isinstance(type, str) else type
    return tuple([p for t in types for p in ((PARTS[t], PARTS[t]) if t in PARTS else (t,))])


def flat(operands: Sequence[Operand]) -> list[loops.Operand]:
    """The real operands of some values."""
    return [x for v in operands for x in (v if isinstance(v, tuple) else (v,))]


def regrouped(operands: Sequence[Any], types: Sequence[str]) -> list[Any]:
    """Pairs where the types are complex, from a flat sequence."""
    rest = iter(operands)
    return [(next(rest), next(rest)) if t in PARTS else next(rest) for t in types]


class OnParts:
    """A scalar operation with complex operands or results, as a function of parts.

    Equal if it does the same, so that equal statements are recognised.

    Attributes:
      op: name of the operation if `fn` is None.
      fn: scalar function over a `ComplexScalars`.
      args: types of the operands.
      type: type of the result, or several.
    """

    __slots__ = ("op", "fn", "args", "type")

    def __init__(self, op: str, fn: Callable | None, args: Sequence[str], type: str | tuple[str, ...]):
        self.op = op
        self.fn = fn
        self.args = tuple(args)
        self.type = type

    def __eq__(self, other: object) -> bool:
        return isinstance(other, OnParts) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def _key(self) -> tuple:
        return self.op, self.fn, self.args, self.type

    def __call__(self, m: Any, *parts: Value) -> tuple[Value, ...]:
        m = ComplexScalars(m)
        values = [m.complex(*x) if isinstance(x, tuple) else x for x in regrouped(parts, self.args)]
        if self.fn is not None:
            results = self.fn(m, *values)
        elif self.op in NAMED:
            results = NAMED[self.op](m, *values)
        else:
            results = operate(m, self.op, self.type, values)
        if isinstance(results, Value):
            results = (results,)
        expected = (self.type,) if isinstance(self.type, str) else self.type
        found = tuple([r.type for r in results])
        if found != expected:
            raise TypeError(f"scalar code: {self.op} gives {', '.join(found)} where {', '.join(expected)} is expected")
        return tuple([x for r in results for x in (r.raw if is_complex(r) else (r,))])


def let(
    name: Callable[[], str],
    op: str,
    args: Sequence[Operand],
    types: Sequence[str],
    type: Any,
    fn: Any,
    cost: float | None = None,
) -> Any:
    """A statement for an operation, and its results: one operand, or a list for several types.

    Args:
      name: makes the names of results.
      op, fn, cost: the operation, as in `loops.Let`.
      args: operands of the given `types`.
      type: of the result, or a tuple of several.
    """
    single = isinstance(type, str)
    results = [type] if single else list(type)
    if not any(t in PARTS for t in (*types, *results)):
        names: Any = name() if single else tuple([name() for _ in results])
        return loops.Let(names, op, args, type, fn, cost), (names if single else list(names))  # type: ignore[arg-type]
    parts = part_types(tuple(results))
    made = tuple([name() for _ in parts])
    # One result stays a name and a type rather than tuples of one.
    first: Any = (made[0], parts[0]) if len(made) == 1 else (made, parts)
    statement = loops.Let(first[0], op, flat(args), first[1], OnParts(op, fn, types, type), cost)
    values = regrouped(made, results)
    return statement, (values[0] if single else values)
