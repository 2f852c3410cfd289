"""Runs programs of the loop IR with NumPy, one element at a time: the semantics of record for the emitter.

A result that differs here is the fault of the producer of the program; one that differs only in
native code is the emitter's.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fungrad.jit.ir import loops as ir
from fungrad.jit.ir.fourier import roots
from fungrad.jit.ir.loops import Affine, Program
from fungrad.jit.ir.ops import apply, combine, names_and_types, neutral
from fungrad.jit.ir.products import CONVOLUTIONS
from fungrad.jit.kernels.scalars import FLOATS, NUMPY_DTYPES, NumpyScalars, Value
from fungrad.ops.compare import total_order_key
from fungrad.ops.convolution import evaluate


def run(program: Program, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
    """The results of a program, as `Executable.run` gives them; inputs are not changed."""
    with np.errstate(all="ignore"):
        return _Interpreter(program, inputs).run()


class _Interpreter:
    def __init__(self, program: Program, inputs: Sequence[np.ndarray]):
        self.program = program
        self.memory: dict[str, np.ndarray] = {}
        given = dict(zip(program.inputs, inputs, strict=True))
        for name, b in program.buffers.items():
            if b.alias is not None:
                continue
            if b.kind == "input":
                array = np.array(given[name], b.dtype, order="C")
                if array.shape != b.shape:
                    raise ValueError(f"input {name} has shape {array.shape}, expected {b.shape}")
            elif b.kind == "const":
                array = np.array(b.value, b.dtype, order="C")
            else:
                # what is read before it is written should be noticed
                array = np.frombuffer(b"\x7f\xc1" * ((b.nbytes + 1) // 2), np.uint8)[: b.nbytes]
            self.memory[name] = np.ascontiguousarray(array).reshape(-1).view(np.uint8).copy()
        self.m = NumpyScalars()
        self.counters: dict[str, int] = {}

    def run(self) -> list[np.ndarray]:
        self.steps(self.program.steps)
        return [self.array(name).reshape(self.program.buffers[name].shape) for name in self.program.outputs]

    def array(self, name: str) -> np.ndarray:
        """All elements of a buffer, flat, as a view."""
        return self.memory[self.program.root(name).name].view(self.program.buffers[name].dtype)

    # -- steps -------------------------------------------------------------------------------------

    def steps(self, steps: Sequence[Any]) -> None:
        for s in steps:
            _STEP[type(s)](self, s)

    def nest(self, s: ir.Nest) -> None:
        _Scope(self).block(s.body)

    def call(self, s: ir.Call) -> None:
        ROUTINES[s.routine](self, s)

    def host(self, s: ir.Host) -> None:
        results = s.fn(*(_read_only(self.view(v)) for v in s.inputs))
        if len(s.outputs) == 1 and not isinstance(results, (list, tuple)):
            results = (results,)
        self.write(s.outputs, results)

    def in_order(self, s: ir.Rows | ir.Parallel | ir.Series) -> None:
        self.steps(s.steps)

    def repeat(self, s: ir.Repeat) -> None:
        for k in range(s.extent):
            self.counters[s.index] = k
            self.steps(s.steps)
            self.exchange(s.exchanges)

    def loop_while(self, s: ir.While) -> None:
        self.steps(s.test)
        while self.array(s.condition)[0]:
            self.steps(s.steps)
            self.exchange(s.exchanges)
            self.steps(s.test)

    def branch(self, s: ir.Branch) -> None:
        k = int(self.array(s.selector)[0])
        self.steps(s.branches[k if 0 <= k < len(s.branches) else -1])

    def exchange(self, pairs: Sequence[tuple[str, str]]) -> None:
        """The old memories get what is in the new ones, where nothing may be read then."""
        for new, old in pairs:
            self.memory[old][:] = self.memory[new]
            self.memory[new][:] = 0xC1

    def view(self, v: ir.View) -> np.ndarray:
        flat = self.array(v.buffer)
        offset = v.offset.const + sum(c * self.counters[s] for s, c in v.offset.terms)
        strides = [step * flat.itemsize for step in v.dense_strides]
        if 0 in v.shape:
            return np.empty(v.shape, flat.dtype)
        return np.ndarray(v.shape, flat.dtype, flat, offset * flat.itemsize, strides)

    def write(self, views: Sequence[ir.View], results: Sequence[Any]) -> None:
        for v, r in zip(views, results, strict=True):
            self.view(v)[...] = r

    # -- routines ----------------------------------------------------------------------------------

    def gemm(self, s: ir.Call) -> None:
        out, (a, b) = self.view(s.outputs[0]), (self.view(v) for v in s.inputs)
        conjugate = s.attributes.get("conjugate", ())
        a, b = a.conj() if "a" in conjugate else a, b.conj() if "b" in conjugate else b
        out[...] = np.matmul(a, b) + (out if s.attributes.get("beta") else 0)

    def kernel(self, s: ir.Call) -> None:
        s.attributes["kernel"].fill([self.view(v) for v in s.inputs], [self.view(v) for v in s.outputs])

    def fill(self, s: ir.Call) -> None:
        self.memory[self.program.root(s.outputs[0].buffer).name][:] = s.attributes.get("byte", 0)

    def rearranged(self, s: ir.Call) -> None:
        """A routine from one array to another."""
        out, x = self.view(s.outputs[0]), self.view(s.inputs[0]).copy()
        if s.routine == "copy":
            out[...] = x.reshape(out.shape)
        elif s.routine == "sort":
            out[...] = np.sort(x, -1)
        elif s.routine == "topk":
            out[...] = np.argsort(~total_order_key(x), -1, kind="stable")[:, : out.shape[1]]
        else:
            out[...] = _transformed(x, **s.attributes)

    def library(self, s: ir.Call) -> None:
        views = s.outputs[: len(s.outputs) - len(s.attributes["call"].work)]
        results = [np.empty(v.shape, self.program.buffers[v.buffer].dtype) for v in views]
        s.attributes["call"].run([self.view(v) for v in s.inputs], results)
        self.write(views, results)

    def convolution(self, s: ir.Call) -> None:
        out, g = self.view(s.outputs[0]), s.attributes["geometry"]
        x, w = (self.view(v) for v in s.inputs)
        if s.routine == "conv_each":
            x, w = np.moveaxis(x, -1, 0)[..., None], np.moveaxis(w, -1, 0)[..., None, None]
            out[...] = evaluate(np.ascontiguousarray(x), np.ascontiguousarray(w), g)[..., 0]
        elif s.routine == "conv_deep_each":
            x, w = (np.moveaxis(v, (0, -1), (-1, 0)) for v in (x, w))
            made = evaluate(np.ascontiguousarray(x[:, None]), np.ascontiguousarray(w[..., None]), g)
            out[...] = 0
            out[0] = made[0, ..., 0]
        elif s.routine == "conv":
            # The columns of all panels side by side.
            w = np.moveaxis(w, 1, -2).reshape(*w.shape[:1], *w.shape[2:-1], -1)[..., : g.outputs]
            out[...] = evaluate(x, np.ascontiguousarray(w), g)
        else:
            out[...] = 0
            out[0] = np.moveaxis(evaluate(x, np.ascontiguousarray(w), g), 0, len(g.axes))


def _transformed(x: np.ndarray, along: str, inverse: bool, scale: float, whole: int) -> np.ndarray:
    """What a `fft` call computes, by NumPy."""
    axis = 1
    y = np.fft.ifft(x, axis=axis, norm="forward") if inverse else np.fft.fft(x, axis=axis)
    if along == "columns" and whole:
        root = roots(whole, np.arange(x.shape[1])[:, None] * np.arange(x.shape[2])[None])
        y = y * (root.conj() if inverse else root)
    return (y * scale).astype(x.dtype)


def _read_only(x: np.ndarray) -> np.ndarray:
    x = x.copy()
    x.flags.writeable = False
    return x


class _Scope:
    """The statements of one nest."""

    def __init__(self, interpreter: _Interpreter):
        self.outer = interpreter
        self.m = interpreter.m
        self.values: dict[str, Value] = {}
        self.cells: dict[str, Any] = {}
        # of floating point numbers: a number and the exponent of two by which it is scaled
        self.products: dict[str, tuple[float, int]] = {}
        self.symbols: dict[str, int] = dict(interpreter.counters)

    def block(self, statements: Sequence[Any]) -> None:
        for s in statements:
            _RUN[type(s)](self, s)

    def operand(self, x: Any) -> Value:
        return self.m.const(x.value, x.type) if isinstance(x, ir.Const) else self.values[x]

    def affine(self, expression: Affine) -> int:
        total = expression.const
        for symbol, c in expression.terms:
            at = self.symbols.get(symbol)
            total += c * (int(self.values[symbol].raw) if at is None else at)
        return total

    def elements(self, buffer: str, part: int | None) -> np.ndarray:
        flat = self.outer.array(buffer)
        if part is None:
            return flat
        return flat.view(NUMPY_DTYPES[self.outer.program.buffers[buffer].type])[part::2]

    def place(self, s: ir.Load | ir.Store) -> int:
        at = self.affine(s.index)
        if not 0 <= at < self.outer.program.buffers[s.buffer].size:
            raise IndexError(f"address {at} outside of {self.outer.program.buffers[s.buffer]}")
        return at

    def let(self, s: ir.Let) -> None:
        results = apply(self.m, s, [self.operand(x) for x in s.args])
        self.values.update(zip(names_and_types(s)[0], results, strict=True))

    def index(self, s: ir.Index) -> None:
        self.values[s.name] = self.m.const(self.affine(s.affine), s.type)

    def load(self, s: ir.Load) -> None:
        if s.where is not None and not self.values[s.where].raw:
            self.values[s.name] = self.operand(s.other)
        else:
            self.values[s.name] = self.m.value(self.elements(s.buffer, s.part)[self.place(s)])

    def store(self, s: ir.Store) -> None:
        if s.where is not None and not self.values[s.where].raw:
            return
        at = self.place(s)
        pairs = ((None, s.value),) if s.imag is None else ((0, s.value), (1, s.imag))
        for part, x in pairs:
            elements, value = self.elements(s.buffer, part), self.operand(x)
            if s.update is not None:
                value = combine(self.m, s.update, self.m.value(elements[at]), value)
            elements[at] = value.raw

    def acc(self, s: ir.Acc) -> None:
        start = ir.Const(neutral(s.op, s.type), s.type)
        self.cells[s.name] = s
        self.values[s.name] = self.operand(start if s.init is None else s.init)
        if s.op == "mul" and s.type in FLOATS:
            self.products[s.name] = (1.0, 0)
            self.multiply(s, float(self.values[s.name].raw), 0)
        elif s.position is not None:
            self.values[s.position] = self.m.const(-1, "i64")

    def update(self, s: ir.Update) -> None:
        acc = self.cells[s.acc]
        state, value = self.values[s.acc], self.operand(s.value)
        if s.acc in self.products:
            self.multiply(acc, float(value.raw), 0 if s.position is None else self.affine(Affine.of(s.position)))
            return
        if acc.op not in ("argmax", "argmin"):
            self.values[s.acc] = combine(self.m, acc.op, state, value)
            return
        kept = int(self.values[acc.position].raw) if acc.position is not None else 0
        a, b = state.raw, value.raw
        better = b > a if acc.op == "argmax" else b < a
        if better or kept == -1 or (b != b and a == a):
            self.values[s.acc] = value
            self.values[acc.position] = self.m.const(self.affine(Affine.of(s.position or 0)), "i64")

    def multiply(self, acc: ir.Acc, factor: float, exponent: int) -> None:
        """Multiply a factor and a power of two onto a product."""
        product, scale = self.products[acc.name]
        product, more = math.frexp(product)
        factor, moved = math.frexp(factor)
        product, scale = product * factor, scale + more + moved + exponent
        self.products[acc.name] = product, scale
        if acc.position is None:
            with np.errstate(over="ignore", under="ignore"):
                self.values[acc.name] = self.m.const(np.ldexp(product, scale), acc.type)
        else:
            self.values[acc.name] = self.m.const(product, acc.type)
            self.values[acc.position] = self.m.const(scale, "i64")

    def prefix(self, s: ir.Prefix) -> None:
        acc = self.cells[s.acc]
        self.values[s.acc] = combine(self.m, acc.op, self.values[s.acc], self.operand(s.value))
        self.values[s.name] = self.values[s.acc]

    def var(self, s: ir.Var) -> None:
        self.cells[s.name] = s
        self.values[s.name] = self.operand(s.init)

    def set(self, s: ir.Set) -> None:
        self.values[s.var] = self.operand(s.value)

    def loop(self, s: ir.Loop) -> None:
        for k in range(s.extent):
            self.symbols[s.index] = k
            self.block(s.body)
        self.symbols.pop(s.index, None)

    def branch(self, s: ir.If) -> None:
        self.block(s.then if self.values[s.condition].raw else s.orelse)

    def loop_while(self, s: ir.LoopWhile) -> None:
        self.block(s.test)
        while self.values[s.condition].raw:
            self.block(s.body)
            self.block(s.test)


_RUN: dict[type, Callable[[_Scope, Any], None]] = {
    ir.Let: _Scope.let,
    ir.Index: _Scope.index,
    ir.Load: _Scope.load,
    ir.Store: _Scope.store,
    ir.Acc: _Scope.acc,
    ir.Update: _Scope.update,
    ir.Prefix: _Scope.prefix,
    ir.Var: _Scope.var,
    ir.Set: _Scope.set,
    ir.Loop: _Scope.loop,
    ir.If: _Scope.branch,
    ir.LoopWhile: _Scope.loop_while,
}
_STEP: dict[type, Callable[[_Interpreter, Any], None]] = {
    ir.Nest: _Interpreter.nest,
    ir.Call: _Interpreter.call,
    ir.Host: _Interpreter.host,
    ir.Repeat: _Interpreter.repeat,
    ir.Rows: _Interpreter.in_order,
    ir.Parallel: _Interpreter.in_order,
    ir.Series: _Interpreter.in_order,
    ir.While: _Interpreter.loop_while,
    ir.Branch: _Interpreter.branch,
}
# As those of `products.routines`.
ROUTINES: dict[str, Callable[[_Interpreter, ir.Call], None]] = {
    "gemm": _Interpreter.gemm,
    **dict.fromkeys(CONVOLUTIONS, _Interpreter.convolution),
    **dict.fromkeys(("copy", "sort", "topk", "fft"), _Interpreter.rearranged),
    "fill": _Interpreter.fill,
    "kernel": _Interpreter.kernel,
    "library": _Interpreter.library,
}
