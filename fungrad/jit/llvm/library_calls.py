"""Calls of functions in compiled libraries: the routine `library` of `loops.Call`.

    library     inputs and outputs dense, their first dimension counts the items; after the results come the workspaces,
                of type uint8 and shape (runs, bytes). Attribute `call`: a `core.library_calls.LibraryCall`.

The items are divided into runs, each with workspaces of its own. Threads share the runs where the work is worth it.
"""

from __future__ import annotations

import math
from functools import partial

from fungrad.core.library_calls import (
    PREFIX,
    Argument,
    Constant,
    Function,
    Items,
    LibraryCall,
    Operand,
    Result,
    Value,
    Work as Space,
)
from fungrad.jit.ir import tuning
from fungrad.jit.ir.loops import Call, View
from fungrad.jit.llvm.writer import ProgramWriter


def is_long(call: Call) -> bool:
    """Whether a call takes long compared with handing over the interpreter lock."""
    library: LibraryCall = call.attributes["call"]
    return call.outputs[0].shape[0] * library.cost > tuning.RELEASED_LIBRARY_CALL


def emit_library(program: ProgramWriter, call: Call) -> None:
    """Write a `library` into the function that is being written."""
    if call.outputs[0].shape[0]:
        _Calls(program, call).emit()


class _Calls:
    def __init__(self, program: ProgramWriter, call: Call):
        self.program = program
        self.call: LibraryCall = call.attributes["call"]
        spaces = len(self.call.work)
        self.results = call.outputs[: len(call.outputs) - spaces]
        self.spaces = call.outputs[len(call.outputs) - spaces :]
        self.operands = call.inputs
        self.items = self.results[0].shape[0]
        self.runs = self.spaces[0].shape[0] if spaces else call.attributes["runs"]
        self.per_run = -(-self.items // self.runs)
        program.long = program.long or is_long(call)

    def emit(self) -> None:
        """All items, in as many runs as there are workspaces."""
        program = self.program
        with program.function() as name:
            self.function()
        machine, work = program.module.machine, self.items * self.call.cost
        if machine.threads and self.runs > 1:
            program.without_blas_threads(partial(program.parallel, name, self.runs, 8))
            return
        here = f"call void @{name}(ptr %table, i64 0, i64 {self.runs})"
        if machine.threads and tuning.BLAS_THREADED < work < tuning.LARGE_LIBRARY_CALL and not machine.own_blas_threads:
            # The threads of the BLAS do not flush subnormal numbers, and wait for processors that others use.
            program.without_blas_threads(partial(program.lines.append, here))
        else:
            program.lines.append(here)

    def function(self) -> None:
        """The runs `%begin .. %end`."""
        program = self.program
        arrays = [*self.operands, *self.results]
        bases = [program.address(v.buffer, v.offset) for v in (*arrays, *self.spaces)]
        lines = program.lines
        lines += [
            "br label %run",
            "run:",
            "%u = phi i64 [ %begin, %entry ], [ %u2, %ran ]",
            f"%first = mul i64 %u, {self.per_run}",
            f"%most = sub i64 {self.items}, %first",
            f"%count = call i64 @llvm.umin.i64(i64 %most, i64 {self.per_run})",
            "%last = add i64 %first, %count",
        ]
        program.module.declarations["@llvm.umin.i64"] = "declare i64 @llvm.umin.i64(i64, i64)"
        spaces = [
            self.at(base, "%u", view.shape[1]) for base, view in zip(bases[len(arrays) :], self.spaces, strict=True)
        ]
        if self.call.together:
            self.item(arrays, bases, spaces, "%first", "%count")
            lines.append("br label %ran")
        else:
            lines += [
                "br label %item",
                "item:",
                "%k = phi i64 [ %first, %run ], [ %k2, %item ]",
            ]
            self.item(arrays, bases, spaces, "%k", "1")
            lines += [
                "%k2 = add i64 %k, 1",
                "%other = icmp ult i64 %k2, %last",
                "br i1 %other, label %item, label %ran",
            ]
        lines += [
            "ran:",
            "%u2 = add i64 %u, 1",
            "%more = icmp ult i64 %u2, %end",
            "br i1 %more, label %run, label %runs",
            "runs:",
        ]

    def item(self, arrays: list, bases: list[str], spaces: list[str], number: str, count: str) -> None:
        """The copies and calls for `count` items from one on."""
        program = self.program
        sizes = [self.bytes_of(v) for v in arrays]
        places = [
            self.at(base, self.own_number(number, view), size)
            for base, view, size in zip(bases, arrays, sizes, strict=False)
        ]
        operands, results = places[: len(self.operands)], places[len(self.operands) :]
        for source, target in self.call.copies:
            size = str(sizes[source])
            if count != "1":
                size = program.register()
                program.lines.append(f"{size} = mul i64 {count}, {sizes[source]}")
            name = "@llvm.memcpy.p0.p0.i64"
            program.module.declarations[name] = f"declare void {name}(ptr, ptr, i64, i1)"
            program.lines.append(
                f"call void {name}(ptr {results[target]}, ptr {operands[source]}, i64 {size}, i1 false)"
            )
        for function in self.call.functions:
            self.invoke(function, [self.argument(a, operands, results, spaces, count) for a in function.arguments])

    def own_number(self, number: str, view: View) -> str:
        """The number of what an item finds in an array that may serve several items each."""
        each = self.items // view.shape[0]
        if each == 1:
            return number
        if each == self.items:
            return "0"
        register = self.program.register()
        self.program.lines.append(f"{register} = udiv i64 {number}, {each}")
        return register

    def argument(
        self, a: Argument, operands: list[str], results: list[str], spaces: list[str], count: str
    ) -> tuple[str, str]:
        """LLVM type and operand of an argument."""
        if isinstance(a, Constant):
            return "ptr", self.constant(a.data)
        if isinstance(a, Value):
            return a.type, str(a.value)
        if isinstance(a, Items):
            return "i64", count
        return "ptr", {Operand: operands, Result: results, Space: spaces}[type(a)][a.number]

    def invoke(self, function: Function, arguments: list[tuple[str, str]]) -> None:
        """One call."""
        program, symbol = self.program, PREFIX + function.symbol
        types = ", ".join(t for t, _ in arguments)
        program.symbols[symbol] = None
        program.module.declarations[f"@{symbol}"] = f"declare {function.returns} @{symbol}({types})"
        result = "" if function.returns == "void" else f"{program.register()} = "
        given = ", ".join(f"{t} {v}" for t, v in arguments)
        program.lines.append(f"{result}call {function.returns} @{symbol}({given})")

    def constant(self, data: bytes) -> str:
        """A global with some bytes."""
        name = f"@bytes.{data.hex() or 'none'}"
        if len(name) > 64:
            others = [n for n in self.program.module.globals if n.startswith("@table.")]
            text = _bytes_text(data)
            for n in others:
                if self.program.module.globals[n].endswith(text):
                    return n
            name = f"@table.{len(others)}"
        self.program.module.globals[name] = f"{name} = internal constant {_bytes_text(data)}"
        return name

    def at(self, base: str, number: str, size: int) -> str:
        """The address of an item."""
        offset, place = self.program.register(), self.program.register()
        self.program.lines += [
            f"{offset} = mul i64 {number}, {size}",
            f"{place} = getelementptr inbounds i8, ptr {base}, i64 {offset}",
        ]
        return place

    def bytes_of(self, view: View) -> int:
        """Size of one item of an array."""
        return math.prod(view.shape[1:]) * self.program.program.buffers[view.buffer].dtype.itemsize


def _bytes_text(data: bytes) -> str:
    data = data or b"\0"
    return f'[{len(data)} x i8] c"{"".join(f"{chr(92)}{b:02X}" for b in data)}", align 64'
