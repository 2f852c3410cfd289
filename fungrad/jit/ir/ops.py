"""Applies the operation of a `Let` to the values of any scalar builder: the one place that knows
the names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from fungrad.jit.ir.loops import Let, Load, Program
from fungrad.jit.kernels.scalars import PARTS, ScalarBuilder, Value
from fungrad.jit.kernels.vecmath import FUNCTIONS

_UNARY = (
    "neg", "abs", "not", "sqrt", "floor", "ceil", "trunc", "rint", "popcount", "clz",
)  # fmt: skip
_BINARY = (
    "add", "sub", "mul", "div", "rem", "and", "or", "xor", "shl", "shr", "min", "max", "copysign", "mulhi",
)  # fmt: skip
_COMPARE = ("eq", "ne", "lt", "le", "gt", "ge")


def _method(name: str) -> Callable[..., Value]:
    return lambda m, type, *args: getattr(m, name)(*args)


_OPERATIONS: dict[str, Callable[..., Value]] = {
    **{op: (lambda m, type, a, op=op: m.unary(op, a)) for op in _UNARY},
    **{op: (lambda m, type, a, b, op=op: m.binary(op, a, b)) for op in _BINARY},
    **{op: (lambda m, type, a, b, op=op: m.compare(op, a, b)) for op in _COMPARE},
    **{op: _method(op) for op in ("select", "fma", "minimum", "maximum", "is_nan")},
    "copy": lambda m, type, a: a,
    "convert": lambda m, type, a: m.convert(a, type),
    "bitcast": lambda m, type, a: m.bitcast(a, type),
}
OPERATIONS = frozenset(_OPERATIONS)


def apply(m: ScalarBuilder, let: Let, args: Sequence[Value]) -> tuple[Value, ...]:
    """The results of a `Let` on operands of the builder `m`.

    Raises:
      TypeError: the result has another type than the statement says.
    """
    results = operate(m, let.op, let.type, args) if let.fn is None else let.fn(m, *args)
    if isinstance(results, Value):
        results = (results,)
    names, types = names_and_types(let)
    if len(results) != len(names):
        raise TypeError(f"loop IR: {let.op} gave {len(results)} results for {names}")
    for name, type, r in zip(names, types, results, strict=True):
        if r.type != type:
            raise TypeError(f"loop IR: {name} = {let.op} is {r.type}, declared as {type}")
    return tuple(results)


def operate(m: ScalarBuilder, op: str, type: str | tuple[str, ...], args: Sequence[Value]) -> Value:
    """The result of an operation by name."""
    if op in _OPERATIONS:
        return _OPERATIONS[op](m, type, *args)
    if op in FUNCTIONS:
        return FUNCTIONS[op](m, *args)
    raise KeyError(f"loop IR: no operation is called {op!r}, and the Let has no function")


def names_and_types(let: Let) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names and types of the results of a `Let`, as tuples."""
    if isinstance(let.name, str):
        return (let.name,), (let.type,)  # type: ignore[return-value]
    return tuple(let.name), tuple(let.type)


def types_of(program: Program, statements: Iterable[Any]) -> dict[str, str]:
    """Scalar types of the values that some statements define (not those nested in them)."""
    types: dict[str, str] = {}
    for s in statements:
        if type(s) is Let:
            types.update(zip(*names_and_types(s), strict=True))
        elif type(s) is Load:
            types[s.name] = program.buffers[s.buffer].type
        elif s.DEFINITIONS and "type" in s.FIELDS:
            types[s.name] = s.type
    return types


def binary(monoid: str) -> str:
    """The operation that combines two values of a monoid."""
    return {"max": "maximum", "min": "minimum"}.get(monoid, monoid)


def combine(m: ScalarBuilder, op: str, a: Value, b: Value) -> Value:
    """`a op b` for a monoid (not the arg reductions); `max` and `min` propagate NaN.

    The new value is the one that is asked whether it is NaN: `a` then waits for one comparison less, and where it is an
    element in memory the result is no choice between that and something else, which would become a masked store.
    """
    if op == "max":
        return m.maximum(b, a)
    if op == "min":
        return m.minimum(b, a)
    return m.binary(op, a, b)


def neutral(op: str, type: str) -> Any:
    """The neutral element of a monoid: a Python number."""
    if op == "logaddexp":
        return float("-inf")
    if op in ("add", "or", "xor", "linear"):
        return False if type == "i1" else 0
    if op == "mul":
        return True if type == "i1" else 1
    if op == "and":
        return True if type == "i1" else -1
    largest = op in ("min", "argmin")
    if type == "i1":
        return largest
    if type in PARTS:
        return complex(float("inf"), float("inf")) if largest else complex(float("-inf"), float("-inf"))
    if type[0] in "fb":
        return float("inf") if largest else float("-inf")
    width = int(type[1:])
    if type[0] == "u":
        return (1 << width) - 1 if largest else 0
    return (1 << (width - 1)) - 1 if largest else -(1 << (width - 1))
