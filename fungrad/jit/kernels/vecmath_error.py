"""Compile scalar functions into plain array loops, and measure their error and speed.

`compile_map` is the smallest possible user of `LLVMScalars`: one function, one loop, contiguous
arrays. Tests use it to sweep whole ranges at machine speed;
`python -m fungrad.jit.kernels.vecmath_error` prints the tables of docs/vecmath.md.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

import llvmlite.binding as llvm
import numpy as np

from fungrad.jit.emit.scalar import LLVMScalars, memory_type
from fungrad.jit.kernels.scalars import NUMPY_DTYPES, Value, bit_width

ScalarFunction = Callable[..., Value]


@dataclass
class CompiledMap:
    """A scalar function as a loop over contiguous arrays.

    Attributes:
      text: the LLVM module before optimisation.
      instructions: number of LLVM instructions written for one element, without loads and stores.
      seconds: time LLVM took to turn the text into machine code.
    """

    text: str
    instructions: int
    seconds: float
    result: np.dtype
    entry: Callable[..., None]
    engine: object

    def __call__(self, *arrays: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        arrays = tuple(np.ascontiguousarray(a) for a in arrays)
        if out is None:
            out = np.empty(arrays[0].shape, self.result)
        self.entry(out.ctypes.data, *(a.ctypes.data for a in arrays), out.size)
        return out


def loop_text(function: ScalarFunction, types: tuple[str, ...], lanes: int) -> tuple[str, int, str]:
    """LLVM module with `map(out, in0, ..., n)`; also the instruction count and the result type.

    Full vectors come first, then single elements.
    """
    names, declarations = count(), {}
    vector = LLVMScalars(names, declarations, lanes=lanes)
    single = LLVMScalars(names, declarations)
    single.lines = vector.lines
    instructions, result = _loop(vector, function, types, "%zero", "%whole")
    _loop(single, function, types, "%whole", "%n")
    parameters = "".join(f"ptr noalias %in{k}, " for k in range(len(types)))
    lines = "\n  ".join(vector.lines)
    header = f"define void @map(ptr noalias %out, {parameters}i64 %n) {{"
    text = f"""{header}
entry:
  %zero = add i64 0, 0
  %whole = and i64 %n, {-lanes}
  {lines}
  ret void
}}
"""
    return "\n".join([*declarations.values(), text]), instructions, result


def _loop(
    m: LLVMScalars, function: ScalarFunction, types: tuple[str, ...], first: str, last: str
) -> tuple[int, str]:
    """Append one loop over [first, last); gives the instruction count and the result type."""
    k = m.lanes
    before, head, body, latch, after = (f"{part}{k}" for part in _LOOP_BLOCKS)
    m.lines += [f"br label %{before}", f"{before}:", f"br label %{head}", f"{head}:"]
    m.lines.append(f"%i{k} = phi i64 [ {first}, %{before} ], [ %next{k}, %{latch} ]")
    m.lines.append(f"%more{k} = icmp slt i64 %i{k}, {last}")
    m.lines += [f"br i1 %more{k}, label %{body}, label %{after}", f"{body}:"]
    arguments = []
    for number, type in enumerate(types):
        place = m.append(f"getelementptr {memory_type(type)}, ptr %in{number}, i64 %i{k}")
        arguments.append(m.load(type, place))
    start = len(m.lines)
    result = function(m, *arguments)
    instructions = len(m.lines) - start
    place = m.append(f"getelementptr {memory_type(result.type)}, ptr %out, i64 %i{k}")
    m.store(result, place)
    m.lines += [f"br label %{latch}", f"{latch}:", f"%next{k} = add i64 %i{k}, {k}"]
    m.lines += [f"br label %{head}", f"{after}:"]
    return instructions, result.type


_LOOP_BLOCKS = ("before", "head", "body", "latch", "after")


def _target_machine() -> llvm.TargetMachine:
    # An execution engine owns its target machine, so every one gets a new one.
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    target = llvm.Target.from_default_triple()
    features = llvm.get_host_cpu_features().flatten()
    return target.create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=features, opt=2, jit=True
    )


def vector_lanes(types: tuple[str, ...]) -> int:
    """Lanes that fill a vector register of this machine with the widest of the types."""
    wide = llvm.get_host_cpu_features().get("avx512f", False)
    return (512 if wide else 256) // max(bit_width(t) for t in types)


def compile_map(function: ScalarFunction, *types: str, lanes: int | None = None) -> CompiledMap:
    """Compile `function(m, *values)` to a loop over contiguous arrays of the given scalar types.

    >>> square = compile_map(lambda m, x: x * x, "f32")
    >>> square(np.array([1.0, 2.0, 3.0], np.float32))
    array([1., 4., 9.], dtype=float32)
    """
    text, instructions, result = loop_text(function, types, lanes or vector_lanes(types))
    start = time.perf_counter()
    module = llvm.parse_assembly(text)
    engine = llvm.create_mcjit_compiler(module, _target_machine())
    engine.finalize_object()
    address = engine.get_function_address("map")
    seconds = time.perf_counter() - start
    prototype = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * (1 + len(types)), ctypes.c_int64)
    return CompiledMap(
        text, instructions, seconds, NUMPY_DTYPES[result], prototype(address), engine
    )
