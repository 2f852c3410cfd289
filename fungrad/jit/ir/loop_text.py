"""Prints programs of the loop IR: the `steps` text that users see.

    program softmax (x) -> (y)
      input  x: float32[4096,1000]
      output y: float32[4096,1000]
      nest rows
        for i in 0..4096 parallel
          acc m: f32 = max
          for j in 0..1000
            a = load x[i, j]
            m max= a
          ...

Addresses are shown as one index per dimension where the coefficients allow it, else as the plain
address.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from fungrad.jit.ir import loops as ir
from fungrad.jit.ir.loops import Affine, Buffer, Program


def program_text(program: Program) -> str:
    """Listing of a whole program."""
    lines = [f"program {program.name} ({', '.join(program.inputs)}) -> ({', '.join(program.outputs)})"]
    for b in program.buffers.values():
        place = f" in {b.alias}" if b.alias else ""
        if b.offset is not None:
            place += f" at arena {b.offset}"
        lines.append(f"  {b.kind:<6} {b}{place}")
    _Printer(program, lines).block(program.steps, "  ")
    return "\n".join(lines)


def statements_text(program: Program, items: Sequence[Any]) -> str:
    """Listing of some steps or statements."""
    lines: list[str] = []
    _Printer(program, lines).block(items, "")
    return "\n".join(lines)


def program_lines(program: Program) -> list[tuple[str, Any]]:
    """The lines of `program_text`, each with what it shows: a buffer, a step, a statement, or None."""
    lines = program_text(program).split("\n")
    shown: dict[int, Any] = dict(enumerate(program.buffers.values(), 1))
    inner: list[str] = []
    printer = _Printer(program, inner)
    printer.block(program.steps, "  ")
    first = len(lines) - len(inner)
    owner: Any = None
    for k in range(len(inner)):
        owner = printer.shown.get(k, owner)
        shown[first + k] = owner
    return [(text, shown.get(k)) for k, text in enumerate(lines)]


class _Printer:
    def __init__(self, program: Program, lines: list[str]):
        self.program = program
        self.lines = lines
        # What begins at a line.
        self.shown: dict[int, Any] = {}

    def block(self, items: Sequence[Any], indent: str) -> None:
        for item in items:
            self.shown[len(self.lines)] = item
            _PRINT[type(item)](self, item, indent)

    def element(self, buffer: str, index: Affine, part: int | None = None) -> str:
        known = self.program.buffers.get(buffer)
        place = repr(index) if known is None else element_index(known, index)
        return f"{buffer}[{place}]" + ("" if part is None else (".re", ".im")[part])

    def view(self, v: ir.View) -> str:
        b = self.program.buffers[v.buffer]
        if v.strides is None and v.shape == b.shape and v.offset == Affine():
            return v.buffer
        shape = "x".join(map(str, v.shape))
        strides = "" if v.strides is None else f" strides {','.join(map(str, v.strides))}"
        return f"{v.buffer}[{v.offset}: {shape}{strides}]"

    def nest(self, s: ir.Nest, indent: str) -> None:
        self.lines.append(f"{indent}nest {s.name}".rstrip())
        self.block(s.body, indent + "  ")

    def loop(self, s: ir.Loop, indent: str) -> None:
        marks = [m for m in ("parallel", "vector", "ordered") if getattr(s, m)]
        if s.lanes:
            marks.append(f"lanes {s.lanes}")
        if s.tile:
            marks.append(f"tile {s.tile}")
        self.lines.append(f"{indent}for {s.index} in 0..{s.extent} {' '.join(marks)}".rstrip())
        self.block(s.body, indent + "  ")

    def branch_if(self, s: ir.If, indent: str) -> None:
        self.lines.append(f"{indent}if {s.condition}")
        self.block(s.then, indent + "  ")
        if s.orelse:
            self.lines.append(f"{indent}else")
            self.block(s.orelse, indent + "  ")

    def loop_while(self, s: Any, indent: str) -> None:
        self.lines.append(f"{indent}while{_exchanges(s) if type(s) is ir.While else ''}")
        self.block(s.test, indent + "  ")
        self.lines.append(f"{indent}{s.condition} do")
        self.block(s.body if type(s) is ir.LoopWhile else s.steps, indent + "  ")

    def let(self, s: ir.Let, indent: str) -> None:
        names = s.name if isinstance(s.name, str) else ", ".join(s.name)
        target = f" -> {s.type}" if s.op in ("convert", "bitcast") else ""
        self.lines.append(f"{indent}{names} = {s.op} {' '.join(map(operand, s.args))}{target}")

    def index(self, s: ir.Index, indent: str) -> None:
        self.lines.append(f"{indent}{s.name} = index {s.affine}: {s.type}")

    def load(self, s: ir.Load, indent: str) -> None:
        guard = f" where {s.where} else {operand(s.other)}" if s.where else ""
        self.lines.append(f"{indent}{s.name} = load {self.element(s.buffer, s.index, s.part)}{guard}")

    def store(self, s: ir.Store, indent: str) -> None:
        value = operand(s.value) + (f" + {operand(s.imag)}i" if s.imag is not None else "")
        guard = f" where {s.where}" if s.where else ""
        op = f"{s.update}=" if s.update else "="
        self.lines.append(f"{indent}store {self.element(s.buffer, s.index)} {op} {value}{guard}")

    def acc(self, s: ir.Acc, indent: str) -> None:
        init = "" if s.init is None else f" from {operand(s.init)}"
        names = s.name if s.position is None else f"{s.name}, {s.position}"
        self.lines.append(f"{indent}acc {names}: {s.type} = {s.op}{init}")

    def update(self, s: ir.Update, indent: str) -> None:
        at = "" if s.position is None else f" at {s.position}"
        self.lines.append(f"{indent}{s.acc} <- {operand(s.value)}{at}")

    def prefix(self, s: ir.Prefix, indent: str) -> None:
        self.lines.append(f"{indent}{s.name} = {s.acc} <- {operand(s.value)}")

    def var(self, s: ir.Var, indent: str) -> None:
        self.lines.append(f"{indent}var {s.name}: {s.type} = {operand(s.init)}")

    def set(self, s: ir.Set, indent: str) -> None:
        self.lines.append(f"{indent}{s.var} := {operand(s.value)}")

    def call(self, s: ir.Call, indent: str) -> None:
        extra = " ".join(f"{k}={v}" for k, v in s.attributes.items())
        self.lines.append(
            f"{indent}{', '.join(map(self.view, s.outputs))} = {s.routine} "
            f"{', '.join(map(self.view, s.inputs))} {extra}".rstrip()
        )

    def host(self, s: ir.Host, indent: str) -> None:
        self.lines.append(
            f"{indent}{', '.join(map(self.view, s.outputs))} = host {s.name} "
            f"{', '.join(map(self.view, s.inputs))}".rstrip()
        )

    def repeat(self, s: ir.Repeat, indent: str) -> None:
        self.lines.append(f"{indent}repeat {s.index} in 0..{s.extent}{_exchanges(s)}")
        self.block(s.steps, indent + "  ")

    def rows(self, s: ir.Rows, indent: str) -> None:
        self.lines.append(f"{indent}rows 0..{s.extent} by {s.block}")
        self.block(s.steps, indent + "  ")

    def parallel(self, s: ir.Parallel, indent: str) -> None:
        self.lines.append(f"{indent}parallel")
        self.block(s.steps, indent + "  ")

    def series(self, s: ir.Series, indent: str) -> None:
        self.lines.append(f"{indent}series")
        self.block(s.steps, indent + "  ")

    def branch(self, s: ir.Branch, indent: str) -> None:
        for k, steps in enumerate(s.branches):
            self.lines.append(f"{indent}case {k} of {s.selector}")
            self.block(steps, indent + "  ")


def _exchanges(s: ir.Repeat | ir.While) -> str:
    return "".join([f" exchanging {new}, {old}" for new, old in s.exchanges])


def operand(x: Any) -> str:
    """A value name or a literal."""
    return x if isinstance(x, str) else (str(x.value) if isinstance(x, ir.Const) else str(x))


def element_index(buffer: Buffer, index: Affine) -> str:
    """An address as one index per dimension if every coefficient is a multiple of one stride, else
    the address itself.

    >>> element_index(Buffer("x", "float32", (4, 10)), Affine(3, [("i", 10), ("j", -1)]))
    'i, -j + 3'
    """
    if len(buffer.shape) < 2 or 0 in buffer.shape:
        return "" if not buffer.shape else repr(index)
    strides, step = [], 1
    for n in reversed(buffer.shape):
        strides.append(step)
        step *= n
    strides.reverse()
    parts: list[Affine] = [Affine() for _ in strides]
    for symbol, c in index.terms:
        for d, stride in enumerate(strides):
            if c % stride == 0 and (buffer.shape[d] > 1 or stride == 1):
                parts[d] = parts[d] + Affine.var(symbol, c // stride)
                break
    rest = index.const
    for d, stride in enumerate(strides):
        # a reversed dimension starts at its end: keep indices of one dimension together
        low = sum(min(0, c) for _, c in parts[d].terms)
        quotient = rest // stride if low >= 0 else -(-rest // stride)
        if d == len(strides) - 1:
            quotient = rest
        elif low < 0 and (quotient * stride > rest):
            quotient = rest // stride
        parts[d] = parts[d] + quotient
        rest -= quotient * stride
    return ", ".join(map(repr, parts))


_PRINT: dict[type, Callable[[_Printer, Any, str], None]] = {
    ir.Nest: _Printer.nest,
    ir.Loop: _Printer.loop,
    ir.If: _Printer.branch_if,
    ir.LoopWhile: _Printer.loop_while,
    ir.While: _Printer.loop_while,
    ir.Let: _Printer.let,
    ir.Index: _Printer.index,
    ir.Load: _Printer.load,
    ir.Store: _Printer.store,
    ir.Acc: _Printer.acc,
    ir.Update: _Printer.update,
    ir.Prefix: _Printer.prefix,
    ir.Var: _Printer.var,
    ir.Set: _Printer.set,
    ir.Call: _Printer.call,
    ir.Host: _Printer.host,
    ir.Repeat: _Printer.repeat,
    ir.Rows: _Printer.rows,
    ir.Parallel: _Printer.parallel,
    ir.Series: _Printer.series,
    ir.Branch: _Printer.branch,
}
