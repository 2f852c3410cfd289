"""Verifies programs of the loop IR: definitions before uses, types, addresses within buffers, loops
that may run as marked.

`check` is for tests and for debugging a producer; it does not run in a normal compilation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

from fungrad.jit.ir import loops as ir
from fungrad.jit.ir.dependence import Dependence, Pile
from fungrad.jit.ir.facts import declared_cells
from fungrad.jit.ir.footprint import counters_of, footprint
from fungrad.jit.ir.loop_text import statements_text
from fungrad.jit.ir.loops import Affine, Buffer, Program
from fungrad.jit.ir.traverse import buffers_of, of_kind, walk
from fungrad.jit.kernels.scalars import FLOATS

_INTEGERS = ("i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64")


class LoopError(ValueError):
    """A program of the loop IR that is not well formed."""


class Checked:
    """What of a program has been checked: what stays as it is, since nodes do not change, needs no second look."""

    def __init__(self) -> None:
        self._program: Any = None
        self._buffers: Any = None
        self._nests: dict[Any, Any] = {}
        self._writes: dict[int, tuple[Any, set[str]]] = {}
        self._places: Any = None

    def is_known(self, program: Program) -> bool:
        """Whether nothing has changed since the last call; forgets the nests if buffers have."""
        buffers = [(b.name, b.dtype, b.shape, b.kind, b.alias, id(b.value)) for b in program.buffers.values()]
        if buffers != self._buffers:
            self._nests.clear()
        now = list(program.steps), program.inputs, program.outputs
        known = (now, buffers) == (self._program, self._buffers)
        self._program, self._buffers = now, buffers
        return known

    def has_moved(self, program: Program) -> bool:
        """Whether the steps or the places of buffers are others than in the last call."""
        places = list(program.steps), [(b.name, b.kind, b.alias, b.offset, b.nbytes) for b in program.buffers.values()]
        moved = places != self._places
        self._places = places
        return moved

    def is_new(self, nest: Any, extents: Mapping[str, int]) -> bool:
        """Whether a nest has not been checked within these loops; from now on it has."""
        key = id(nest), tuple(extents.items())
        if key in self._nests:
            return False
        self._nests[key] = nest  # so that no other has its identity
        return True

    def writes(self, step: Any) -> set[str]:
        """Names of the buffers that a step writes."""
        found = self._writes.get(id(step))
        if found is None:
            found = self._writes[id(step)] = step, buffers_of(step)[1]
        return found[1]


def check(program: Program, known: Checked | None = None) -> None:
    """Check a program.

    Args:
      program: all of it.
      known: what has been checked before of this program or one that it was made from; is added to.

    Raises:
      LoopError: says which statement is wrong, and how.
    """
    known = Checked() if known is None else known
    if known.is_known(program):
        return
    for name in program.inputs:
        if program.buffers[name].kind != "input":
            raise LoopError(f"program {program.name}: input {name} is a {program.buffers[name].kind}")
    for name, b in program.buffers.items():
        _check_buffer(program, name, b)
    written: set[str] = set()
    for step in program.steps:
        written |= {program.root(n).name for n in known.writes(step)}
    for name in program.outputs:
        root = program.root(name)
        if root.name not in written and root.size and root.kind != "input":
            raise LoopError(f"program {program.name}: output {name} is never written")
    _Checker(program, known).steps(program.steps, {})


def _check_buffer(program: Program, name: str, b: Buffer) -> None:
    if b.kind not in ("input", "output", "temp", "const"):
        raise LoopError(f"buffer {name}: unknown kind {b.kind!r}")
    if b.kind == "const" and (b.value is None or b.value.shape != b.shape or b.value.dtype != b.dtype):
        raise LoopError(f"buffer {name}: its constant value has another type than {b}")
    if b.alias is not None:
        if b.alias not in program.buffers:
            raise LoopError(f"buffer {name}: alias of unknown buffer {b.alias}")
        if program.buffers[b.alias].nbytes != b.nbytes:
            raise LoopError(f"buffer {name}: alias of {b.alias}, which has another size")
        if program.root(name).kind == "const":
            raise LoopError(f"buffer {name}: alias of a constant")


class _Checker:
    """Walks a program with the scope of names: value name -> type, cell name -> declaration."""

    def __init__(self, program: Program, known: Checked):
        self.program = program
        self.known = known

    def fail(self, s: Any, message: str) -> NoReturn:
        raise LoopError(f"{message} in\n{statements_text(self.program, [s])}")

    def buffer(self, s: Any, name: str) -> Buffer:
        b = self.program.buffers.get(name)
        if b is None:
            self.fail(s, f"unknown buffer {name}")
        return b

    # -- steps -------------------------------------------------------------------------------------

    def steps(self, steps: Sequence[Any], extents: dict[str, int]) -> None:
        for step in steps:
            handler = _CHECK_STEP.get(type(step))
            if handler is None:
                self.fail(step, f"{type(step).__name__} is not a step")
            handler(self, step, extents)

    def nest(self, step: ir.Nest, extents: dict[str, int]) -> None:
        if self.known.is_new(step, extents):
            self.block(step.body, {}, {}, dict(extents), None)

    def views(self, step: ir.Call | ir.Host, extents: dict[str, int]) -> None:
        for v in (*step.inputs, *step.outputs):
            self.view(step, v, extents)
        for v in step.outputs:
            if self.program.root(v.buffer).kind == "const":
                self.fail(step, f"writes to the constant {v.buffer}")

    def series(self, step: ir.Series, extents: dict[str, int]) -> None:
        self.steps(step.steps, extents)

    def repeat(self, step: ir.Repeat, extents: dict[str, int]) -> None:
        self.exchanges(step)
        self.steps(step.steps, {**extents, step.index: step.extent})

    def parallel(self, step: ir.Parallel, extents: dict[str, int]) -> None:
        order = Dependence(self.program)
        for k, s in enumerate(step.steps):
            if order.between(s, Pile(order, step.steps[:k])):
                self.fail(step, f"{statements_text(self.program, [s])}\nneeds another step")
        self.steps(step.steps, extents)

    def repeat_while(self, step: ir.While, extents: dict[str, int]) -> None:
        if self.buffer(step, step.condition).dtype != bool:
            self.fail(step, "the condition is not boolean")
        self.exchanges(step)
        self.steps(step.test, extents)
        self.steps(step.steps, extents)

    def choice(self, step: ir.Branch, extents: dict[str, int]) -> None:
        if self.buffer(step, step.selector).dtype != "int32":
            self.fail(step, "the selector is not int32")
        for branch in step.branches:
            self.steps(branch, extents)

    def rows(self, step: ir.Rows, extents: dict[str, int]) -> None:
        """Every step divides into the same rows, and none needs a row of another."""
        for s in step.steps:
            if type(s) not in (ir.Nest, ir.Call):
                self.fail(step, f"{type(s).__name__} is not a step on rows")
        self.steps(step.steps, extents)
        footprints = [footprint(self.program, s, step.extent, counters_of(self.program)) for s in step.steps]
        if any(f is None for f in footprints):
            self.fail(step, "a step does not divide into rows")
        for k, later in enumerate(footprints):
            if any(not later.meets_in_rows(earlier) for earlier in footprints[:k]):  # type: ignore[union-attr,arg-type]
                self.fail(step, "a step needs rows of another")

    def exchanges(self, step: ir.Repeat | ir.While) -> None:
        """What changes places is memory of its own, of one size, and in one pair only."""
        seen: set[str] = set()
        for pair in step.exchanges:
            new, old = (self.buffer(step, name) for name in pair)
            if new.kind != "temp" or any(b.alias is not None for b in (new, old)) or new.nbytes != old.nbytes:
                self.fail(step, f"{new.name} and {old.name} cannot change places")
            if not seen.isdisjoint(pair):
                self.fail(step, f"{new.name} or {old.name} changes places twice")
            seen.update(pair)

    def view(self, s: Any, v: ir.View, extents: dict[str, int]) -> None:
        b = self.buffer(s, v.buffer)
        if 0 in v.shape:
            return
        bounds = v.offset.bounds(extents)
        if bounds is None:
            self.fail(s, f"the offset {v.offset} has unknown symbols")
        low, high = bounds
        for n, step in zip(v.shape, v.dense_strides, strict=True):
            low, high = low + min(0, (n - 1) * step), high + max(0, (n - 1) * step)
        if low < 0 or high >= b.size:
            self.fail(s, f"the view of {v.buffer} spans {low}..{high} of {b.size} elements")

    # -- statements --------------------------------------------------------------------------------

    def block(
        self,
        statements: Sequence[Any],
        types: dict[str, str],
        cells: dict[str, Any],
        extents: dict[str, int],
        vector: ir.Loop | None,
    ) -> None:
        types, cells = dict(types), dict(cells)
        for s in statements:
            handler = _CHECK.get(type(s))
            if handler is None:
                self.fail(s, f"{type(s).__name__} is not a statement")
            handler(self, s, types, cells, extents, vector)

    def operand(self, s: Any, x: Any, types: dict, cells: dict) -> str:
        if isinstance(x, ir.Const):
            return x.type
        if x in types:
            return types[x]
        if x in cells:
            return cells[x].type
        self.fail(s, f"{x} is not defined")

    def expect(self, s: Any, x: Any, type: str, types: dict, cells: dict) -> None:
        found = self.operand(s, x, types, cells)
        if found != type:
            self.fail(s, f"{x} is {found}, expected {type}")

    def define(self, s: Any, name: str, type: str, types: dict, cells: dict, extents: dict) -> None:
        if name in types or name in cells or name in extents:
            self.fail(s, f"{name} is already defined")
        types[name] = type

    def address(self, s: Any, types: dict, cells: dict, extents: dict) -> None:
        b = self.buffer(s, s.buffer)
        bounds = self.affine(s, s.index, types, cells, extents)
        empty = any(n == 0 for n in extents.values())
        if bounds is None or s.where is not None or empty:
            return
        if bounds[0] < 0 or bounds[1] >= b.size:
            self.fail(s, f"address {bounds[0]}..{bounds[1]} outside of {b}")

    def affine(self, s: Any, expression: Affine, types: dict, cells: dict, extents: dict) -> tuple[int, int] | None:
        for symbol in expression.symbols():
            if symbol not in extents and self.operand(s, symbol, types, cells) not in _INTEGERS:
                self.fail(s, f"{symbol} is not an integer")
        return expression.bounds(extents)

    def let(self, s: Any, types: dict, cells: dict, extents: dict, vector: ir.Loop | None) -> None:
        for x in s.args:
            self.operand(s, x, types, cells)
        names = (s.name,) if isinstance(s.name, str) else s.name
        result_types = (s.type,) if isinstance(s.type, str) else s.type
        if len(names) != len(result_types):
            self.fail(s, "as many types as names are needed")
        for name, type in zip(names, result_types, strict=True):
            self.define(s, name, type, types, cells, extents)

    def index(self, s: Any, types: dict, cells: dict, extents: dict, vector: ir.Loop | None) -> None:
        self.affine(s, s.affine, types, cells, extents)
        self.define(s, s.name, s.type, types, cells, extents)

    def load(self, s: Any, types: dict, cells: dict, extents: dict, vector: ir.Loop | None) -> None:
        self.address(s, types, cells, extents)
        b = self.program.buffers[s.buffer]
        if b.is_complex != (s.part is not None):
            self.fail(s, "`part` is for complex buffers, and needed for them")
        if s.where is not None:
            self.expect(s, s.where, "i1", types, cells)
            self.expect(s, s.other, b.type, types, cells)
        self.define(s, s.name, b.type, types, cells, extents)

    def store(self, s: Any, types: dict, cells: dict, extents: dict, vector: ir.Loop | None) -> None:
        self.address(s, types, cells, extents)
        b = self.program.buffers[s.buffer]
        if self.program.root(s.buffer).kind == "const":
            self.fail(s, f"{s.buffer} is a constant")
        self.expect(s, s.value, b.type, types, cells)
        if b.is_complex != (s.imag is not None):
            self.fail(s, "`imag` is for complex buffers, and needed for them")
        if s.imag is not None:
            self.expect(s, s.imag, b.type, types, cells)
        if s.where is not None:
            self.expect(s, s.where, "i1", types, cells)
        if s.update is not None and s.update not in ir.MONOIDS[:-2]:
            self.fail(s, f"unknown combination {s.update}")

    def acc(self, s: Any, types: dict, cells: dict, extents: dict, vector: ir.Loop | None) -> None:
        if s.op not in ir.MONOIDS:
            self.fail(s, f"unknown monoid {s.op}")
        if s.init is not None:
            self.expect(s, s.init, s.type, types, cells)
        if s.name in types or s.name in cells:
            self.fail(s, f"{s.name} is already defined")
        cells[s.name] = s
        if s.position is not None:
            self.define(s, s.position, "i64", types, cells, extents)

    def update(self, s: Any, types: dict, cells: dict, extents: dict, vector: ir.Loop | None) -> None:
        acc = cells.get(s.acc)
        if type(acc) is not ir.Acc:
            self.fail(s, f"{s.acc} is not an accumulator")
        self.expect(s, s.value, acc.type, types, cells)
        is_product = acc.op == "mul" and acc.type in FLOATS
        if not is_product and (acc.op in ("argmax", "argmin")) != (s.position is not None):
            self.fail(s, "a position is for argmax and argmin, and needed for them")
        if s.position is not None:
            self.affine(s, Affine.of(s.position), types, cells, extents)

    def prefix(self, s: Any, types: dict, cells: dict, extents: dict, vector: ir.Loop | None) -> None:
        acc = cells.get(s.acc)
        if type(acc) is not ir.Acc or acc.op in ("argmax", "argmin"):
            self.fail(s, f"{s.acc} is not a plain accumulator")
        self.expect(s, s.value, acc.type, types, cells)
        self.define(s, s.name, acc.type, types, cells, extents)

    def var(self, s: Any, types: dict, cells: dict, extents: dict, vector: ir.Loop | None) -> None:
        self.expect(s, s.init, s.type, types, cells)
        if s.name in types or s.name in cells:
            self.fail(s, f"{s.name} is already defined")
        cells[s.name] = s

    def set(self, s: Any, types: dict, cells: dict, extents: dict, vector: ir.Loop | None) -> None:
        var = cells.get(s.var)
        if type(var) is not ir.Var:
            self.fail(s, f"{s.var} is not a variable")
        self.expect(s, s.value, var.type, types, cells)

    def loop(self, s: Any, types: dict, cells: dict, extents: dict, vector: ir.Loop | None) -> None:
        if s.extent < 0:
            self.fail(s, "negative extent")
        if s.index in extents or s.index in types or s.index in cells:
            self.fail(s, f"{s.index} is already defined")
        if s.vector and vector is not None:
            self.fail(s, "a vector loop inside a vector loop")
        if s.vector or s.parallel:
            self.independent(s)
        inner = s if s.vector else vector
        self.block(s.body, types, cells, {**extents, s.index: s.extent}, inner)

    def independent(self, loop: ir.Loop) -> None:
        """Nothing sequential passes from one iteration to the next."""
        declared = declared_cells(loop.body)
        for s in of_kind(ir.Set, walk(loop.body)):
            if s.var not in declared:
                self.fail(loop, f"{s.var} makes the iterations depend on each other")
        if loop.ordered:
            self.fail(loop, "an ordered loop is neither vector nor parallel")

    def branch(self, s: Any, types: dict, cells: dict, extents: dict, vector: ir.Loop | None) -> None:
        self.expect(s, s.condition, "i1", types, cells)
        self.block(s.then, types, cells, extents, vector)
        self.block(s.orelse, types, cells, extents, vector)

    def loop_while(self, s: Any, types: dict, cells: dict, extents: dict, vector: ir.Loop | None) -> None:
        inner = dict(types)
        self.block([*s.test, ir.If(s.condition, [])], types, cells, extents, vector)
        self.block([*s.test, *s.body], inner, cells, extents, vector)


_CHECK: dict[type, Callable[..., None]] = {
    ir.Let: _Checker.let,
    ir.Index: _Checker.index,
    ir.Load: _Checker.load,
    ir.Store: _Checker.store,
    ir.Acc: _Checker.acc,
    ir.Update: _Checker.update,
    ir.Prefix: _Checker.prefix,
    ir.Var: _Checker.var,
    ir.Set: _Checker.set,
    ir.Loop: _Checker.loop,
    ir.If: _Checker.branch,
    ir.LoopWhile: _Checker.loop_while,
}
_CHECK_STEP: dict[type, Callable[..., None]] = {
    ir.Nest: _Checker.nest,
    ir.Call: _Checker.views,
    ir.Host: _Checker.views,
    ir.Repeat: _Checker.repeat,
    ir.Rows: _Checker.rows,
    ir.Parallel: _Checker.parallel,
    ir.Series: _Checker.series,
    ir.While: _Checker.repeat_while,
    ir.Branch: _Checker.choice,
}
