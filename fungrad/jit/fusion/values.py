"""Code generation with value numbering: writes formulas as statements of the loop IR.

A statement goes into the outermost block in which everything it depends on is known, so what does not change in a loop
is computed before it, and equal formulas at equal positions are written once per block.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fungrad.jit.formulas.indices import Axis, Dynamic, Idx, Part
from fungrad.jit.formulas.tensors import (
    Apply,
    Element,
    Expr,
    Guard,
    Item as ExprItem,
    Number,
    Position,
    Source,
    Tensor,
    known_quotients,
)
from fungrad.jit.fusion import pairs
from fungrad.jit.fusion.fuse import shared_depth
from fungrad.jit.fusion.memory import Memory
from fungrad.jit.fusion.pairs import Operand
from fungrad.jit.fusion.stages import Stage, is_comparison
from fungrad.jit.ir import loops, provenance
from fungrad.jit.ir.ops import apply
from fungrad.jit.kernels.scalars import PARTS, SIGNED, UNSIGNED, NumpyScalars, type_of

# Operations and types that are computed here when all operands are known.
_FOLDED = frozenset(
    ("add", "sub", "mul", "min", "max", "neg", "convert", "and", "or", "not", "eq", "ne", "lt", "le", "gt", "ge")
)
_EXACT = frozenset(("i1", *SIGNED, *UNSIGNED))

Placed = tuple[Operand, int]


class ValueWriter:
    """Writes formulas at positions as statements, each into the outermost block in which its operands are known.

    Attributes:
      memory: where tensors are.
      blocks: statements of the block that is written and those around it, the outermost first.
      memo: operands that hold what has been written, by formula and position.
      scopes: keys of ``memo`` that are known in each of the blocks.
      symbols: counters of loops, and the depth of the block in which they are known.
      ranges: first and last value of the counters.
      registers: operands that hold the value of a tensor.
      made: tensors that have been written.
      stage: what is being written.
    """

    def __init__(self, memory: Memory):
        self.memory = memory
        self.blocks: list[list[Any]] = [[]]
        self.memo: dict[Any, Placed] = {}
        self.scopes: list[list[Any]] = [[]]
        self.symbols: dict[Axis, tuple[loops.Affine, int]] = {}
        self.ranges: dict[Axis, tuple[int, int]] = {}
        self.registers: dict[Tensor, Placed] = {}
        self.made: set[Tensor] = set()
        self.stage: Stage | None = None
        self._depth_of_mask: dict[str, int] = {}
        # What is known where a mask holds.
        self._quotients: dict[str | None, dict[Any, int]] = {}
        self._count = 0

    def put(self, statement: Any) -> None:
        """Appends a statement to the current block."""
        self.blocks[-1].append(statement)

    def open(self) -> None:
        """Starts an inner block."""
        self.blocks.append([])
        self.scopes.append([])

    def close(self) -> list[Any]:
        """Ends the inner block and returns it."""
        for key in self.scopes.pop():
            self.memo.pop(key, None)
        return self.blocks.pop()

    def formulas(self, tensors: Sequence[Tensor]) -> list[Operand]:
        """The values of 0-d tensors."""
        return [self.element(t, ()) for t in tensors]

    def element(self, tensor: Tensor, index: tuple[Idx, ...]) -> Operand:
        """One element of a tensor."""
        return self._element(tensor, index, None)[0]

    def _load(self, block: list[Any], buffer: str, index: loops.Affine, type: str, where: str | None = None) -> Operand:
        """Reads an element into ``block``; zero where the condition does not hold."""
        names = []
        parts = pairs.part_types(type)
        for n, part in enumerate(parts):
            other = None if where is None else loops.Const.zero(part)
            name = self._name("v")
            block.append(loops.Load(name, buffer, index, n if type in PARTS else None, where, other))
            names.append(name)
        return pairs.regrouped(names, [type])[0]  # type: ignore[no-any-return]

    def _operation(
        self, block: list[Any], op: str, args: Sequence[Operand], types: Sequence[str], type: Any, fn: Any = None
    ) -> Any:
        """The result of an operation by name, or of a function, written into ``block``."""
        statement, result = pairs.let(lambda: self._name("v"), op, args, types, type, fn)
        block.append(statement)
        return result

    # -- formulas ----------------------------------------------------------------------------------------------------

    def _name(self, prefix: str) -> str:
        self._count += 1
        return f"{prefix}{self._count}"

    def _remember(self, key: Any, placed: Placed) -> Placed:
        self.memo[key] = placed
        # Forgotten when the current block ends, except what stands further out.
        self.scopes[placed[1]].append(key)
        return placed

    def _value(self, expr: Expr, axes: Sequence[Axis], position: tuple[Idx, ...], mask: str | None) -> Placed:
        """The operand that holds a formula at a position, and the depth of the block in which it is known."""
        if type(expr) is Number:
            return pairs.constant(expr.value, expr.type), 0
        key = (expr, position, mask)
        found = self.memo.get(key)
        if found is not None:
            return found
        if type(expr) is Element:
            env = dict(zip(axes, position, strict=True))
            index = tuple([i.substitute(env) for i in expr.index])
            return self._element(expr.tensor, index, mask)
        if type(expr) is Position:
            env = dict(zip(axes, position, strict=True))
            return self._remember(key, self._index_value(expr.index.substitute(env), expr.type, mask))
        if is_comparison(expr):
            decided = self._decided(expr, axes, position)  # type: ignore[arg-type]
            if decided is not None:
                return decided
        if type(expr) is Guard:
            return self._remember(key, self._guard(expr, axes, position, mask))
        if type(expr) is ExprItem:
            item = (expr.apply, expr.number, position, mask)
            if item not in self.memo:
                self._value(expr.apply, axes, position, mask)
            return self.memo[item]
        assert type(expr) is Apply
        args = [self._value(a, axes, position, mask) for a in expr.args]
        depth = max([d for _, d in args], default=0)
        if expr.op == "and" and expr.fn is None:
            for (x, _), (y, _) in (args, args[::-1]):
                if isinstance(x, loops.Const):
                    return (y if x.value else x), depth
        return self._let(expr, [a for a, _ in args], depth, position, mask)

    def _let(self, expr: Apply, args: list[Operand], depth: int, position: tuple[Idx, ...], mask: str | None) -> Placed:
        known = _folded(expr, args) if isinstance(expr.type, str) else None
        if known is not None:
            return known, 0
        types = [a.type for a in expr.args]
        cost = None if expr.fn is None else expr.cost
        statement, made = pairs.let(lambda: self._name("v"), expr.op, args, types, expr.type, expr.fn, cost)
        self.blocks[depth].append(statement)
        if isinstance(expr.type, str):
            return self._remember((expr, position, mask), (made, depth))
        self._remember((expr, position, mask), (made[0], depth))
        for n, result in enumerate(made):
            self._remember((expr, n, position, mask), (result, depth))
        return made[0], depth

    def _element(self, tensor: Tensor, index: tuple[Idx, ...], mask: str | None) -> Placed:
        if tensor in self.registers:
            return self.registers[tensor]
        if not isinstance(tensor, Source) and tensor not in self.memory.storage:
            before = provenance.enter(tensor)
            placed = self._value(tensor.expr, tensor.axes, index, mask)  # type: ignore[attr-defined]
            provenance.leave(before)
            return placed
        if tensor.aval.size == 0:
            # Read by a loop without iterations; but what does not depend on its counter stands outside of it.
            type = type_of(tensor.dtype)
            return pairs.constant(False if type == "i1" else 0, type), 0
        address, depth = self._address(tensor, index, mask)
        key = (self.memory.buffer[tensor], address, mask)
        found = self.memo.get((self.memory.buffer[tensor], address, None)) or self.memo.get(key)
        if found is not None:
            return found
        if tensor in self.made and self.stage is not None:
            # Written in this nest: not before the loop in which both stand has got there.
            depth = max(depth, shared_depth(self.stage, self.memory.stages[tensor]))
        if mask is not None:
            depth = max(depth, self._depth_of_mask[mask])
        value = self._load(self.blocks[depth], self.memory.buffer[tensor], address, type_of(tensor.dtype), mask)
        return self._remember(key, (value, depth))

    def _decided(self, expr: Apply, axes: Sequence[Axis], position: tuple[Idx, ...]) -> Placed | None:
        """The truth of a comparison of a position with a number where the ranges of the loops decide it."""
        index = expr.args[0].index.substitute(dict(zip(axes, position, strict=True)))  # type: ignore[attr-defined]
        number = expr.args[1].value  # type: ignore[attr-defined]
        low = high = index.const
        depth = 0
        for atom, c in index.terms.items():
            if type(atom) is not Axis:
                return None
            ends = [c * end for end in self.ranges[atom]]
            low, high = low + min(ends), high + max(ends)
            depth = max(depth, self.symbols[atom][1])
        if expr.op == "lt":
            if high < number or low >= number:
                return loops.Const(high < number, "i1"), depth
        elif low >= number or high < number:
            return loops.Const(low >= number, "i1"), depth
        return None

    def _guard(self, expr: Guard, axes: Sequence[Axis], position: tuple[Idx, ...], mask: str | None) -> Placed:
        condition, depth = self._value(expr.condition, axes, position, mask)
        if isinstance(condition, loops.Const):
            # Decided for this part of a loop: not known outside of it.
            value, value_depth = self._value(expr.value if condition.value else expr.other, axes, position, mask)
            return value, max(depth, value_depth)
        inner = condition
        if mask is not None:
            inner = self._name("v")
            depth = max(depth, self._depth_of_mask[mask])
            self.blocks[depth].append(loops.Let(inner, "and", (mask, condition), "i1"))
        self._depth_of_mask[inner] = depth
        known = self._quotients.get(mask, {}) | known_quotients(expr.condition, dict(zip(axes, position, strict=True)))
        if known:
            self._quotients[inner] = known
        value, value_depth = self._value(expr.value, axes, position, inner)
        other, other_depth = self._value(expr.other, axes, position, mask)
        depth = max(depth, value_depth, other_depth)
        types = ("i1", expr.type, expr.type)
        return self._operation(self.blocks[depth], "select", (condition, value, other), types, expr.type), depth

    # -- indices -----------------------------------------------------------------------------------------------------

    # Numbers that an index is made of are read under the condition of what is read there: elsewhere they, too, may be
    # out of range.

    def _index_value(self, index: Idx, type: str, mask: str | None = None) -> Placed:
        affine, depth = self._affine(index, mask)
        if not affine.terms:
            return loops.Const(affine.const, type), 0
        name = self._name("n")
        self.blocks[depth].append(loops.Index(name, affine, type))
        return name, depth

    def _address(self, tensor: Tensor, index: Sequence[Idx], mask: str | None = None) -> tuple[loops.Affine, int]:
        """Address of an element in its buffer, and the depth of the block in which it is known."""
        address, depth = self._affine(self.memory.position(tensor, index), mask)
        offset = self.memory.offset.get(tensor)
        if offset is None:
            return address, depth
        return address + offset[0], max(depth, offset[1])

    def _affine(self, index: Idx, mask: str | None = None) -> tuple[loops.Affine, int]:
        """An index as an address, and the depth of the block in which it is known."""
        result, depth = loops.Affine(index.const), 0
        known = self._quotients.get(mask, {})
        for atom, c in index.terms.items():
            if atom in known:
                result, d = result + known[atom] * c, 0
            elif type(atom) is Axis:
                counter, d = self.symbols[atom]
                result = result + counter * c
            elif type(atom) is Part:
                symbol, d = self._part(atom, mask)
                result = result + loops.Affine.var(symbol, c)
            else:
                operand, d = self._dynamic(atom, mask)  # type: ignore[arg-type]
                if isinstance(operand, loops.Const):
                    result = result + int(operand.value) * c
                else:
                    result = result + loops.Affine.var(operand, c)
            depth = max(depth, d)
        return result, depth

    def _dynamic(self, atom: Dynamic, mask: str | None) -> Placed:
        operand, depth = self._value(atom.expr, atom.own_axes, atom.positions, mask)
        type = atom.expr.type
        if isinstance(operand, loops.Const) or type in ("i32", "i64"):
            return operand, depth
        key = (atom, "i64", mask)
        found = self.memo.get(key)
        if found is not None:
            return found
        name = self._name("n")
        self.blocks[depth].append(loops.Let(name, "convert", (operand,), "i64"))
        return self._remember(key, (name, depth))

    def _part(self, part: Part, mask: str | None) -> tuple[str, int]:
        key = (part, None if part.index.is_static else mask)
        found = self.memo.get(key)
        if found is not None:
            return found  # type: ignore[return-value]
        operand, depth = self._index_value(part.index, "i64", mask)
        divisor = loops.Const(part.divisor, "i64")

        def integer(op: str, *args: Operand) -> str:
            name = self._name("n")
            self.blocks[depth].append(loops.Let(name, op, args, "i64"))
            return name

        bounds = part.index.bounds()
        if bounds is not None and 0 <= bounds[0] and bounds[1] < 2 * part.divisor:
            over, name = self._name("v"), self._name("n")
            self.blocks[depth].append(loops.Let(over, "ge", (operand, divisor), "i1"))
            yes, no = (1, 0) if part.kind == "div" else (integer("sub", operand, divisor), operand)
            choices = tuple([loops.Const(x, "i64") if isinstance(x, int) else x for x in (yes, no)])
            self.blocks[depth].append(loops.Let(name, "select", (over, *choices), "i64"))
        elif bounds is not None and bounds[0] >= 0:
            name = integer("div" if part.kind == "div" else "rem", operand, divisor)
        else:
            # Division truncates: round down for what may be negative.
            name = integer("rem", integer("add", integer("rem", operand, divisor), divisor), divisor)
            if part.kind == "div":
                name = integer("div", integer("sub", operand, name), divisor)
        return self._remember(key, (name, depth))  # type: ignore[return-value]


def _folded(expr: Apply, args: Sequence[Operand]) -> loops.Const | None:
    """The result of an operation on integers or truth values that are known, such as the checks of a static index."""
    if expr.fn is not None or expr.op not in _FOLDED or not all(isinstance(a, loops.Const) for a in args):
        return None
    types = [a.type for a in args if isinstance(a, loops.Const)]
    if not {expr.type, *types} <= _EXACT:
        return None
    m = NumpyScalars()
    let = loops.Let("", expr.op, args, expr.type)
    (value,) = apply(m, let, [m.const(a.value, a.type) for a in args if isinstance(a, loops.Const)])
    return loops.Const(value.raw.item(), value.type)
