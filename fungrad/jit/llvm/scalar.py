"""Scalar code as LLVM instructions: the builder the compiler uses for the body of a loop.

`LLVMScalars` implements `ScalarBuilder` by appending lines of LLVM assembly to `lines`. Text is the
fastest form to produce (about 1 us an instruction) and the one LLVM parses anyway; equal
expressions are written once. Values stand for one element; loads and stores turn memory layouts
into register types:

    type      in a register     in memory
    i1        i1                i8, 0 or 1
    i8 .. u64 iN                iN
    bf16      i16 (its bits)    i16
    f16       half              half
    f32, f64  float, double     the same

`bf16` is kept as bits and converted by integer arithmetic, which needs no support from the
processor and vectorises.

A builder writes one straight line of code, except around the call of a `rare` fallback and in the loops of `iterate`.
Names come from a counter that builders of one function share, and memoisation is per builder
because a value is only visible where its block dominates.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from itertools import count

import numpy as np

from fungrad.jit.ir import tuning
from fungrad.jit.kernels.scalars import (
    FLOATS,
    HALF,
    NUMPY_DTYPES,
    SIGNED,
    Number,
    ScalarBuilder,
    Value,
    bit_width,
    both_values,
)

_LLVM_TYPES = {
    "i1": "i1",
    **{f"{sign}{width}": f"i{width}" for sign in "iu" for width in (8, 16, 32, 64)},
    "bf16": "i16",
    "f16": "half",
    "f32": "float",
    "f64": "double",
}
_MEMORY_TYPES = {**_LLVM_TYPES, "i1": "i8"}

_FLOAT_INSTRUCTIONS = {"add": "fadd", "sub": "fsub", "mul": "fmul", "div": "fdiv", "rem": "frem"}
_INTEGER_INSTRUCTIONS = {"add": "add", "sub": "sub", "mul": "mul", "shl": "shl"}
_BITWISE = ("and", "or", "xor")
_INTRINSICS = {
    "sqrt": "sqrt",
    "abs": "fabs",
    "floor": "floor",
    "ceil": "ceil",
    "trunc": "trunc",
    "rint": "rint",
}
# Bits of the vectors that skip what is rare by themselves: the widest registers.
_RARE_BITS = 512
_FLOAT_COMPARE = {"eq": "oeq", "ne": "une", "lt": "olt", "le": "ole", "gt": "ogt", "ge": "oge"}

Fallback = Callable[..., tuple[Value, ...]]


@cache
def register_types(lanes: int) -> dict[str, str]:
    """LLVM type of a register that holds `lanes` values, by scalar type."""
    return {k: v if lanes == 1 else f"<{lanes} x {v}>" for k, v in _LLVM_TYPES.items()}


@cache
def memory_types(lanes: int) -> dict[str, str]:
    """LLVM type of `lanes` consecutive array elements, by scalar type."""
    return {k: v if lanes == 1 else f"<{lanes} x {v}>" for k, v in _MEMORY_TYPES.items()}


@cache
def mangled_types(lanes: int) -> dict[str, str]:
    """How the names of LLVM's intrinsics spell the register types."""
    names = {"half": "f16", "float": "f32", "double": "f64"}
    prefix = "" if lanes == 1 else f"v{lanes}"
    return {k: prefix + names.get(v, v) for k, v in _LLVM_TYPES.items()}


def llvm_type(type: str) -> str:
    """LLVM register type of a scalar type."""
    return _LLVM_TYPES[type]


def memory_type(type: str) -> str:
    """LLVM type of an array element of a scalar type."""
    return _MEMORY_TYPES[type]


def memory_size(type: str) -> int:
    """Bytes of an array element of a scalar type."""
    return NUMPY_DTYPES[type].itemsize


def constant_text(value: Number, type: str) -> str:
    """A number, rounded to the type, as an LLVM operand."""
    if type == "i1":
        return "true" if value else "false"
    if type == "f64":
        return f"0x{struct.unpack('<Q', struct.pack('<d', value))[0]:016X}"
    if type == "f32":
        with np.errstate(over="ignore"):
            rounded = float(np.float32(value))
        return f"0x{struct.unpack('<Q', struct.pack('<d', rounded))[0]:016X}"
    if type in HALF:
        with np.errstate(over="ignore"):
            bits = np.asarray(value).astype(NUMPY_DTYPES[type]).view(np.uint16).item()
        return f"0xH{bits:04X}" if type == "f16" else str(bits)
    width = bit_width(type)
    wrapped = int(value) & ((1 << width) - 1)
    return str(wrapped - (1 << width) if wrapped >> (width - 1) else wrapped)


class LLVMScalars(ScalarBuilder):
    """Writes straight-line LLVM assembly for one element.

    Args:
      names: counter behind the names of registers; share it between the builders of one function.
      declarations: what the code needs beside itself, filled as it occurs: name -> text, a
        `declare` line of an intrinsic or the definition of a rare fallback. Share it within a
        module.
      flags: fast-math flags of plain arithmetic (`"contract"` lets LLVM fuse multiplications and
        additions); suspended inside `precise()`.
      prefix: start of the register names.
      lanes: with more than one, every Value stands for that many consecutive elements and the
        instructions are those of LLVM vectors.

    Attributes:
      start: called with the label of every basic block that the builder begins, to write it; replace
        it to keep track of blocks elsewhere.
      avx512: whether instructions of AVX-512 may be named.
      branches: whether `rare` may branch. Turn it off in a loop that LLVM is to vectorise itself.

    >>> m = LLVMScalars()
    >>> x = m.load("f32", "%p")
    >>> m.store(m.fma(x, x, 1.0), "%p")
    >>> print("\\n".join(m.lines))
    %s0 = load float, ptr %p, align 4
    %s1 = call float @llvm.fma.f32(float %s0, float %s0, float 0x3FF0000000000000)
    store float %s1, ptr %p, align 4
    """

    def __init__(
        self,
        names: Iterator[int] | None = None,
        declarations: dict[str, str] | None = None,
        flags: str = "",
        prefix: str = "%s",
        lanes: int = 1,
    ):
        self.lines: list[str] = []
        self.names = count() if names is None else names
        self.declarations = {} if declarations is None else declarations
        self.flags = flags
        self.prefix = prefix
        self.lanes = lanes
        self._llvm = register_types(lanes)
        self._memory = memory_types(lanes)
        self._mangled = mangled_types(lanes)
        self.start: Callable[[str], None] = self._write_label
        self.branches = True
        self.avx512 = False
        self._block = ""
        self._known: dict[str, str] = {}

    # Blocks

    def _write_label(self, label: str) -> None:
        self.lines.append(f"{label}:")

    def _begin(self, label: str) -> None:
        self._block = label
        self.start(label)

    def rare(
        self,
        condition: Value,
        usual: tuple[Value, ...],
        fallback: Fallback,
        *arguments: Value,
    ) -> tuple[Value, ...]:
        """Branch around a call of the fallback, which becomes a function of its own: for each register by itself, since
        what is rare in an element is not in many."""
        if not self.branches:
            return super().rare(condition, usual, fallback, *arguments)
        widest = max(bit_width(a.type) for a in (*usual, *arguments))
        width = _RARE_BITS // widest
        if self.lanes > width and self.lanes % width == 0:
            return self._rare_in_parts(width, condition, usual, fallback, arguments)
        operands = " ".join(v.raw for v in (condition, *usual, *arguments))
        key = f"rare {fallback.__module__}.{fallback.__qualname__} {operands}"
        if key not in self._known:
            self._known[key] = " ".join(self._branch(condition, usual, fallback, arguments))
        registers = self._known[key].split(" ")
        return tuple(Value(self, a.type, r) for a, r in zip(usual, registers, strict=True))

    def _rare_in_parts(
        self, width: int, condition: Value, usual: tuple[Value, ...], fallback: Fallback, arguments: tuple[Value, ...]
    ) -> tuple[Value, ...]:
        """Some lanes after the other."""
        narrow = LLVMScalars(self.names, self.declarations, self.flags, self.prefix, width)
        narrow.lines, narrow.start, narrow.avx512, narrow._block = self.lines, self.start, self.avx512, self._block
        found: list[list[str]] = [[] for _ in usual]
        for start in range(0, self.lanes, width):
            some, *rest = [
                narrow.value(a.type, self._lanes(a, start, width)) for a in (condition, *usual, *arguments)
            ]
            parts, given = tuple(rest[: len(usual)]), tuple(rest[len(usual) :])
            for results, value in zip(found, narrow.rare(some, parts, fallback, *given), strict=True):
                results.append(value.raw)
        self._block = narrow._block
        return tuple(self.value(a.type, self._joined(a.type, parts)) for a, parts in zip(usual, found, strict=True))

    def _branch(
        self,
        condition: Value,
        usual: tuple[Value, ...],
        fallback: Fallback,
        arguments: tuple[Value, ...],
    ) -> list[str]:
        number = next(self.names)
        before, inside, after = f"usual{number}", f"rare{number}", f"joined{number}"
        self.lines.append(f"br label %{before}")
        self._begin(before)
        some = condition.raw
        if self.lanes > 1:
            vector = (self._llvm["i1"], condition.raw)
            some = self._call(f"vector.reduce.or.{self._mangled['i1']}", "i1", vector)
        self.lines.append(f"br i1 {some}, label %{inside}, label %{after}")
        self._begin(inside)
        known = self.known()
        changed = self._outlined(fallback, tuple(a.type for a in usual), arguments)
        chosen = [self.select(condition, a, b) for a, b in zip(changed, usual, strict=True)]
        self.lines.append(f"br label %{after}")
        self.forget(known)
        self._begin(after)
        return [
            self._append(f"phi {self._llvm[a.type]} [ {a.raw}, %{before} ], [ {b.raw}, %{inside} ]")
            for a, b in zip(usual, chosen, strict=True)
        ]

    def outline(self, function: Fallback, types: tuple[str, ...], *arguments: Value) -> tuple[Value, ...]:
        """Call a scalar function as an LLVM function, a few lanes at a time."""
        if self.lanes <= tuning.OUTLINED_LANES or self.lanes % tuning.OUTLINED_LANES:
            return tuple(self._outlined(function, types, arguments, ""))
        narrow = LLVMScalars(self.names, self.declarations, self.flags, self.prefix, tuning.OUTLINED_LANES)
        narrow.lines = self.lines
        found: list[list[str]] = [[] for _ in types]
        for start in range(0, self.lanes, tuning.OUTLINED_LANES):
            parts = tuple([narrow.value(a.type, self._lanes(a, start, tuning.OUTLINED_LANES)) for a in arguments])
            for results, value in zip(found, narrow._outlined(function, types, parts, ""), strict=True):
                results.append(value.raw)
        return tuple(self.value(t, self._joined(t, parts)) for t, parts in zip(types, found, strict=True))

    def iterate(self, going: Value, step: Fallback, state: tuple[Value, ...], limit: int) -> tuple[Value, ...]:
        """A loop that the lanes leave together."""
        number = next(self.names)
        before, head, body, after = (f"{part}{number}" for part in ("before", "head", "body", "after"))
        self.lines.append(f"br label %{before}")
        self._begin(before)
        self.lines.append(f"br label %{head}")
        self._begin(head)
        place = len(self.lines)
        # The state at the head: what it is made of is known once the step is written.
        count = f"{self.prefix}{next(self.names)}"
        values = [self.value(v.type, f"{self.prefix}{next(self.names)}") for v in (going, *state)]
        known = self.known()
        some = values[0].raw
        if self.lanes > 1:
            some = self._call(f"vector.reduce.or.{self._mangled['i1']}", "i1", (self._llvm["i1"], some))
        few = self._append(f"icmp slt i64 {count}, {limit}")
        both = self._append(f"and i1 {few}, {some}")
        self.lines.append(f"br i1 {both}, label %{body}, label %{after}")
        self._begin(body)
        more, *new = step(self, *values[1:])
        following = [values[0] & more]
        following += [self.select(values[0], a, b) for a, b in zip(new, values[1:], strict=True)]
        counted = self._append(f"add i64 {count}, 1")
        phis = [f"{count} = phi i64 [ 0, %{before} ], [ {counted}, %{self._block} ]"]
        for value, first, last in zip(values, (going, *state), following, strict=True):
            incoming = f"[ {first.raw}, %{before} ], [ {last.raw}, %{self._block} ]"
            phis.append(f"{value.raw} = phi {self._llvm[value.type]} {incoming}")
        self.lines.append(f"br label %{head}")
        self.lines[place:place] = phis
        self.forget(known)
        self._begin(after)
        return tuple(values[1:])

    def _joined(self, type: str, parts: list[str]) -> str:
        """Vectors of equal width one after the other."""
        width, llvm = self.lanes // len(parts), _LLVM_TYPES[type]
        # The rest of a loop may have three times as many lanes as a part.
        parts = [*parts, *["poison"] * ((1 << (len(parts) - 1).bit_length()) - len(parts))]
        while len(parts) > 1:
            half, width = f"<{width} x {llvm}>", 2 * width
            mask = ", ".join(f"i32 {k}" for k in range(width))
            pairs = zip(parts[::2], parts[1::2], strict=True)
            parts = [self._operand(f"shufflevector {half} {x}, {half} {y}, <{width} x i32> <{mask}>") for x, y in pairs]
        if width > self.lanes:
            mask, whole = ", ".join(f"i32 {k}" for k in range(self.lanes)), f"<{width} x {llvm}>"
            return self._operand(f"shufflevector {whole} {parts[0]}, {whole} poison, <{self.lanes} x i32> <{mask}>")
        return parts[0]

    def _outlined(
        self, function: Fallback, types: tuple[str, ...], arguments: tuple[Value, ...], attributes: str = "cold"
    ) -> list[Value]:
        """Call a scalar function as an LLVM function, which is written into the module once."""
        source = f"{function.__module__}.{function.__qualname__}".replace("<locals>", "")
        signature = "_".join(a.type for a in arguments)
        name = f"@{source}.{signature}.{self.lanes}"
        result = f"{{ {', '.join(self._llvm[type] for type in types)} }}"
        if name not in self.declarations:
            self.declarations[name] = ""  # the place in the order, against recursion
            self.declarations[name] = self._definition(name, result, function, types, arguments, attributes)
        operands = ", ".join(f"{self._llvm[a.type]} {a.raw}" for a in arguments)
        packed = self._append(f"call {result} {name}({operands})")
        return [Value(self, type, self._append(f"extractvalue {result} {packed}, {k}")) for k, type in enumerate(types)]

    def _definition(
        self,
        name: str,
        result: str,
        function: Fallback,
        types: tuple[str, ...],
        arguments: tuple[Value, ...],
        attributes: str,
    ) -> str:
        m = LLVMScalars(count(), self.declarations, "", "%r", self.lanes)
        inputs = [m.value(a.type, f"%a{k}") for k, a in enumerate(arguments)]
        values = function(m, *inputs)
        if tuple(v.type for v in values) != types:
            raise TypeError(
                f"scalar code: rare fallback {function.__qualname__} gives "
                f"{', '.join(v.type for v in values)} where {', '.join(types)} is expected"
            )
        packed = "poison"
        for k, v in enumerate(values):
            packed = m._append(f"insertvalue {result} {packed}, {m._llvm[v.type]} {v.raw}, {k}")
        parameters = ", ".join(f"{m._llvm[v.type]} {v.raw}" for v in inputs)
        lines = "\n".join(m.lines)
        return (
            f"define internal {result} {name}({parameters}) noinline {attributes} {{\n"
            f"entry:\n{lines}\nret {result} {packed}\n}}"
        )

    # Registers and memory

    def value(self, type: str, operand: str) -> Value:
        """A register or constant operand that already exists, as a Value."""
        return Value(self, type, operand)

    def load(self, type: str, pointer: str, suffix: str = "") -> Value:
        """The element at a pointer operand. `suffix` (metadata such as `!alias.scope !3`) goes on
        the instruction."""
        where = f"ptr {pointer}, align {memory_size(type)}{_metadata(suffix)}"
        return self.from_memory(type, self._append(f"load {self._memory[type]}, {where}"))

    def store(self, value: Value, pointer: str, suffix: str = "") -> None:
        """Write an element through a pointer operand."""
        operand = self.to_memory(value)
        where = f"ptr {pointer}, align {memory_size(value.type)}{_metadata(suffix)}"
        self.lines.append(f"store {self._memory[value.type]} {operand}, {where}")

    def stream(self, value: Value, pointer: str, hint: str, suffix: str = "") -> None:
        """Write whole cache lines past the cache. `hint` is the metadata node that says so."""
        where = f"ptr {pointer}, align 64, !nontemporal {hint}{_metadata(suffix)}"
        self.lines.append(f"store {self._memory[value.type]} {self.to_memory(value)}, {where}")

    def _append(self, instruction: str) -> str:
        register = f"{self.prefix}{next(self.names)}"
        self.lines.append(f"{register} = {instruction}")
        return register

    def _operand(self, instruction: str) -> str:
        """Register of a pure instruction, written at most once."""
        register = self._known.get(instruction)
        if register is None:
            register = self._known[instruction] = self._append(instruction)
        return register

    def _call(self, intrinsic: str, result: str, *arguments: tuple[str, str]) -> str:
        name = f"@llvm.{intrinsic}"
        if name not in self.declarations:
            types = ", ".join(type for type, _ in arguments)
            self.declarations[name] = f"declare {result} {name}({types})"
        operands = ", ".join(f"{type} {operand}" for type, operand in arguments)
        return self._operand(f"call {result} {name}({operands})")

    @contextmanager
    def precise(self) -> Iterator[None]:
        """Suspend the fast-math flags."""
        flags, self.flags = self.flags, ""
        try:
            yield
        finally:
            self.flags = flags

    # The interface

    def const(self, value: Number, like: Value | str) -> Value:
        type = like.type if isinstance(like, Value) else like
        return Value(self, type, self.literal(constant_text(value, type), type))

    def llvm(self, type: str) -> str:
        """LLVM type of a register that holds a Value."""
        return self._llvm[type]

    def memory(self, type: str) -> str:
        """LLVM type of what `load` reads at once."""
        return self._memory[type]

    def memory_name(self, type: str) -> str:
        """How names of intrinsics spell the type of what `load` reads at once."""
        return self._mangled["i8" if type == "i1" else type]

    def to_memory(self, value: Value) -> str:
        """Operand of the form that is stored."""
        if value.type != "i1":
            return value.raw
        return self._operand(f"zext {self._llvm['i1']} {value.raw} to {self._memory['i1']}")

    def from_memory(self, type: str, register: str) -> Value:
        """The Value for a register of the form that was loaded."""
        if type == "i1":
            zero = self.literal("0", "i8")
            register = self._append(f"icmp ne {self._memory['i1']} {register}, {zero}")
        return Value(self, type, register)

    def append(self, instruction: str) -> str:
        """Register of an instruction that is written here in any case."""
        return self._append(instruction)

    def operand(self, instruction: str) -> str:
        """Register of a pure instruction, written at most once where it is known."""
        return self._operand(instruction)

    def declare(self, name: str, signature: str) -> None:
        """Note that a function outside of the module is used."""
        self.declarations.setdefault(name, f"declare {signature}")

    def known(self) -> dict[str, str]:
        """What is known here; give it to `forget` where the block is left."""
        return dict(self._known)

    def forget(self, known: dict[str, str] | None) -> None:
        """Return to an earlier state of knowledge."""
        self._known = {} if known is None else dict(known)

    def literal(self, text: str, type: str) -> str:
        """The operand for the same literal in every lane."""
        return text if self.lanes == 1 else f"splat ({_LLVM_TYPES[type]} {text})"

    def unary(self, op: str, a: Value) -> Value:
        type, llvm, mangled = a.type, self._llvm[a.type], self._mangled[a.type]
        if op == "not":
            ones = self.literal("true" if type == "i1" else "-1", type)
            return Value(self, type, self._operand(f"xor {llvm} {a.raw}, {ones}"))
        if type in HALF:
            return self._half_unary(op, a)
        if type in FLOATS:
            if op == "neg":
                return Value(self, type, self._operand(f"fneg {llvm} {a.raw}"))
            intrinsic = f"{_INTRINSICS[op]}.{mangled}"
            return Value(self, type, self._call(intrinsic, llvm, (llvm, a.raw)))
        if op == "neg":
            zero = self.literal("0", type)
            return Value(self, type, self._operand(f"sub {llvm} {zero}, {a.raw}"))
        if op == "popcount":
            return Value(self, type, self._call(f"ctpop.{mangled}", llvm, (llvm, a.raw)))
        flag = ("i1", "false")  # zero (clz) and the minimum (abs) are ordinary operands
        if op == "clz":
            return Value(self, type, self._call(f"ctlz.{mangled}", llvm, (llvm, a.raw), flag))
        if op == "abs":
            if type not in SIGNED:
                return a
            return Value(self, type, self._call(f"abs.{mangled}", llvm, (llvm, a.raw), flag))
        raise KeyError(f"scalar code: no operation {op} on {type}")

    def _half_unary(self, op: str, a: Value) -> Value:
        if op in ("neg", "abs"):
            bits = self.bitcast(a, "u16")
            return self.bitcast(bits ^ 0x8000 if op == "neg" else bits & 0x7FFF, a.type)
        return self.convert(self.unary(op, self.convert(a, "f32")), a.type)

    def binary(self, op: str, a: Value, b: Value) -> Value:
        type, llvm = a.type, self._llvm[a.type]
        _require_same(op, type, b.type)
        if op in ("min", "max"):
            return self._min_max(op, a, b)
        if type in HALF:
            wide = self.binary(op, self.convert(a, "f32"), self.convert(b, "f32"))
            return self.convert(wide, type)
        if type in FLOATS:
            if op == "copysign":
                intrinsic = f"copysign.{self._mangled[type]}"
                return Value(self, type, self._call(intrinsic, llvm, (llvm, a.raw), (llvm, b.raw)))
            instruction = _FLOAT_INSTRUCTIONS[op]
            text = f"{instruction}{_tail(self.flags)} {llvm} {a.raw}, {b.raw}"
            return Value(self, type, self._operand(text))
        if op in _BITWISE:
            return Value(self, type, self._operand(f"{op} {llvm} {a.raw}, {b.raw}"))
        if op in _INTEGER_INSTRUCTIONS:
            instruction = _INTEGER_INSTRUCTIONS[op]
        elif op == "shr":
            instruction = "ashr" if type in SIGNED else "lshr"
        elif op in ("div", "rem"):
            return self._divide(op, a, b)
        elif op == "mulhi":
            product = self.convert(a, "u64") * self.convert(b, "u64")
            return self.convert(product >> 32, "u32")
        else:
            raise KeyError(f"scalar code: no operation {op} on {type}")
        return Value(self, type, self._operand(f"{instruction} {llvm} {a.raw}, {b.raw}"))

    def _min_max(self, op: str, a: Value, b: Value) -> Value:
        if a.type in FLOATS or a.type == "i1":
            return self.select(self.compare("lt" if op == "min" else "gt", a, b), a, b)
        llvm = self._llvm[a.type]
        intrinsic = f"{'s' if a.type in SIGNED else 'u'}{op}.{self._mangled[a.type]}"
        return Value(self, a.type, self._call(intrinsic, llvm, (llvm, a.raw), (llvm, b.raw)))

    def _divide(self, op: str, a: Value, b: Value) -> Value:
        """Integer division with every case defined, where the instruction traps on 0 and on minimum
        / -1."""
        llvm, signed = self._llvm[a.type], a.type in SIGNED
        by_zero, by_minus_one = b == 0, b == -1
        safe = self.select(by_zero | by_minus_one if signed else by_zero, 1, b)
        if llvm.startswith("<") and bit_width(a.type) <= 32 and str(b.raw).startswith("%"):
            # No processor divides vectors of integers. A quotient of floats that hold the operands exactly is never
            # rounded up to an integer: the next one is farther away than the last digit.
            wide = "f32" if bit_width(a.type) <= 16 else "f64"
            result = self.convert(self.convert(a, wide) / self.convert(safe, wide), a.type)
            if op == "rem":
                result = a - result * safe
        else:
            instruction = ("s" if signed else "u") + op
            result = Value(self, a.type, self._operand(f"{instruction} {llvm} {a.raw}, {safe.raw}"))
        if op == "div":
            if signed:
                result = self.select(by_minus_one, -a, result)
            return self.select(by_zero, -1, result)
        # with a divisor of 1 in its place, remainder by -1 is already 0
        return self.select(by_zero, a, result)

    def compare(self, op: str, a: Value, b: Value) -> Value:
        type = a.type
        _require_same(op, type, b.type)
        if type in HALF:
            return self.compare(op, self.convert(a, "f32"), self.convert(b, "f32"))
        if type in FLOATS:
            text = f"fcmp {_FLOAT_COMPARE[op]} {self._llvm[type]} {a.raw}, {b.raw}"
        else:
            sign = "" if op in ("eq", "ne") else "s" if type in SIGNED else "u"
            text = f"icmp {sign}{op} {self._llvm[type]} {a.raw}, {b.raw}"
        return Value(self, "i1", self._operand(text))

    def select(self, condition: Value, a: Value | Number, b: Value | Number) -> Value:
        a, b = both_values("select", a, b)
        _require_same("select", a.type, b.type)
        if a.raw == b.raw:
            return a
        llvm = self._llvm[a.type]
        text = f"select {self._llvm['i1']} {condition.raw}, {llvm} {a.raw}, {llvm} {b.raw}"
        return Value(self, a.type, self._operand(text))

    def fma(self, a: Value, b: Value | Number, c: Value | Number) -> Value:
        b, c = a._coerce(b), a._coerce(c)
        type, llvm = a.type, self._llvm[a.type]
        _require_same("fma", type, b.type)
        _require_same("fma", type, c.type)
        if type in HALF:
            wide = self.fma(*(self.convert(v, "f32") for v in (a, b, c)))
            return self.convert(wide, type)
        arguments = ((llvm, a.raw), (llvm, b.raw), (llvm, c.raw))
        return Value(self, type, self._call(f"fma.{self._mangled[type]}", llvm, *arguments))

    def scale(self, a: Value, n: Value) -> Value | None:
        """`vscalef` of AVX-512, on whole registers."""
        return self._by_registers("scalef", a, n)

    def split(self, a: Value) -> tuple[Value, Value] | None:
        """`vgetmant` and `vgetexp` of AVX-512."""
        fraction = self._by_registers("getmant", a)
        exponent = self._by_registers("getexp", a)
        if fraction is None or exponent is None:
            return None
        return fraction, self.select(fraction < 1.0, exponent + 1.0, exponent)

    def _by_registers(self, instruction: str, *operands: Value) -> Value | None:
        """An instruction of AVX-512 on all lanes, a register at a time; None where there is none."""
        type = operands[0].type
        most = {"f32": 16, "f64": 8}.get(type, 0) if self.avx512 else 0
        width = min(self.lanes, most)
        if not width or width < most // 4 or self.lanes & (self.lanes - 1):
            return None
        starts = range(0, self.lanes, width)
        registers = [[self._lanes(x, k, width) for x in operands] for k in starts]
        parts = [self._on_register(instruction, type, width, r) for r in registers]
        return Value(self, type, self._joined(type, parts))

    def _lanes(self, a: Value, start: int, width: int) -> str:
        """Some lanes of a value."""
        if width == self.lanes:
            return a.raw
        mask = ", ".join(f"i32 {start + k}" for k in range(width))
        whole = self._llvm[a.type]
        return self._operand(f"shufflevector {whole} {a.raw}, {whole} poison, <{width} x i32> <{mask}>")

    def _on_register(self, instruction: str, type: str, width: int, operands: Sequence[str]) -> str:
        """The instruction on one register, with the operands that its LLVM intrinsic has: also a number, a vector
        for lanes that are masked out, the mask, and the rounding mode."""
        vector = f"<{width} x {_LLVM_TYPES[type]}>"
        bits = width * bit_width(type)
        arguments = [(vector, x) for x in operands]
        arguments += [("i32", str(_IMMEDIATE[instruction]))] if instruction in _IMMEDIATE else []
        arguments += [(vector, "zeroinitializer"), ("i16" if width == 16 else "i8", "-1")]
        if bits == 512:
            arguments.append(("i32", "4"))
        name = f"x86.avx512.mask.{instruction}.{'ps' if type == 'f32' else 'pd'}.{bits}"
        return self._call(name, vector, *arguments)

    def convert(self, a: Value, type: str) -> Value:
        source = a.type
        if source == type:
            return a
        if type == "i1":
            return a != 0
        if source == "i1":
            return self.select(a, self.const(1, type), self.const(0, type))
        if source in FLOATS:
            return self._float_to_float(a, type) if type in FLOATS else self._float_to_int(a, type)
        if type in FLOATS:
            return self._int_to_float(a, type)
        before, after = bit_width(source), bit_width(type)
        if before == after:
            return Value(self, type, a.raw)
        instruction = "trunc" if before > after else "sext" if source in SIGNED else "zext"
        return self._cast(instruction, a, type)

    def _cast(self, instruction: str, a: Value, type: str) -> Value:
        text = f"{instruction} {self._llvm[a.type]} {a.raw} to {self._llvm[type]}"
        return Value(self, type, self._operand(text))

    def _float_to_int(self, a: Value, type: str) -> Value:
        if a.type in HALF:
            a = self.convert(a, "f32")
        llvm = self._llvm[type]
        sign = "s" if type in SIGNED else "u"
        if self.lanes > 1:
            return self._vector_to_int(a, type, f"fpto{sign}i")
        intrinsic = f"fpto{sign}i.sat.{self._mangled[type]}.{self._mangled[a.type]}"
        return Value(self, type, self._call(intrinsic, llvm, (self._llvm[a.type], a.raw)))

    def _vector_to_int(self, a: Value, type: str, instruction: str) -> Value:
        """Saturating conversion by selects: LLVM takes the intrinsic apart into single elements."""
        bits = bit_width(type)
        low, high = (-(1 << (bits - 1)), 1 << (bits - 1)) if type in SIGNED else (0, 1 << bits)
        above, below = a >= float(high), a < float(low)
        inside = (a < float(high)) & (a >= float(low))
        result = self._cast(instruction, self.select(inside, a, 0.0), type)
        return self.select(above, high - 1, self.select(below, low, result))

    def _int_to_float(self, a: Value, type: str) -> Value:
        if type in HALF:
            return self.convert(self._int_to_float(a, "f32"), type)
        return self._cast("sitofp" if a.type in SIGNED else "uitofp", a, type)

    def _float_to_float(self, a: Value, type: str) -> Value:
        source = a.type
        if source == "bf16":
            bits = self.convert(self.bitcast(a, "u16"), "u32") << 16
            return self.convert(self.bitcast(bits, "f32"), type)
        if source == "f16":
            return self.convert(self._cast("fpext", a, "f32"), type)
        if source == "f32" and type == "f64":
            return self._cast("fpext", a, type)
        if source == "f64":
            single = self._cast("fptrunc", a, "f32")
            if type == "f16":
                single = self._rounded_to_odd(a, single)
            return self.convert(single, type)
        if type == "f16":
            return self._cast("fptrunc", a, type)
        return self._to_bfloat16(a)

    def _to_bfloat16(self, a: Value) -> Value:
        """Round the bits of an f32 to their upper half, ties to even; a NaN stays a (quiet) NaN."""
        bits = self.bitcast(a, "u32")
        rounded = (bits + ((bits >> 16) & 1) + 0x7FFF) >> 16
        kept = self.select(self.is_nan(a), (bits >> 16) | 0x0040, rounded)
        return Value(self, "bf16", self.convert(kept, "u16").raw)

    def _rounded_to_odd(self, exact: Value, single: Value) -> Value:
        """`single` (the nearest f32) moved to its odd neighbour when inexact, so that rounding it
        again to 11 bits gives the same as rounding `exact` once."""
        back = self.convert(single, "f64")
        bits = self.bitcast(single, "i32")
        step = self.select(self.abs(exact) > self.abs(back), self.const(1, "i32"), -1)
        inexact = (exact != back) & ((bits & 1) == 0) & (self.abs(single) < float("inf"))
        return self.bitcast(self.select(inexact, bits + step, bits), "f32")

    def bitcast(self, a: Value, type: str) -> Value:
        if bit_width(a.type) != bit_width(type):
            raise TypeError(f"scalar code: bitcast from {a.type} to {type} changes the width")
        if self._llvm[a.type] == self._llvm[type]:
            return Value(self, type, a.raw)
        return self._cast("bitcast", a, type)


# `getmant`: a fraction in [3/4, 3/2), NaN for negative numbers.
_IMMEDIATE = {"getmant": 0b1111}


def _metadata(text: str) -> str:
    return f", {text}" if text else ""


def _tail(text: str) -> str:
    return f" {text}" if text else ""


def _require_same(op: str, a: str, b: str) -> None:
    if a != b:
        raise TypeError(f"scalar code: {op} of {a} and {b}; convert one of them first")
