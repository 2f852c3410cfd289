"""Links what numba compiled into a program.

A kernel becomes an LLVM module of its own: numba's code and a wrapper with a calling convention of ours, optimised by
LLVM, with numba's calls of mathematical functions replaced by those of `vecmath`. The wrapper of a scalar kernel takes
vectors and loops over their elements, and LLVM makes vector code of that loop where it can. The text of the module has
no names or addresses that change from process to process, so programs with kernels are cached like any other.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from fungrad import locks
from fungrad.errors import KernelError
from fungrad.jit.ir.loops import Affine, Call, Host
from fungrad.jit.kernels.scalars import FLOATS, HALF, NUMPY_DTYPES, NumpyScalars, Value, type_of
from fungrad.jit.kernels.vecmath import FUNCTIONS
from fungrad.jit.llvm.scalar import LLVMScalars, llvm_type, memory_type
from fungrad.jit.llvm.writer import ForeignKernel, ProgramWriter
from fungrad.jit.runtime import native

PREFIX = "fg_kernel_"
# Optimised modules by the name of their wrapper.
MODULES: dict[str, str] = {}

# Called where a scalar kernel raises an exception: if the optimiser leaves that in, it cannot be ruled out.
_RAISES = "fg_kernel_raises"
_DECLARED = re.compile(r"^declare .*?@([\w.$]+)\(", re.MULTILINE)
_ELEMENTARY = re.compile(r"^declare [^@\n]*@(llvm\.\w+\.f(?:32|64)|\w+)\(([^)]*)\)[^\n]*$", re.MULTILINE)
# Names of numba's, and the same in descriptions of memory.
_MANGLED = re.compile(r'@("[^"\s,]*_ZN[^"\s]*"|[\w.$]*_ZN[\w.$]*)')
_REMARK = re.compile(r'!"[^"\n]*_ZN[^"\n]*"')
_ADDRESS = re.compile(r"inttoptr \(i64 \d{5,}")


# -- scalar kernels ----------------------------------------------------------------------------------------------------


def call_scalar(kernel: Any, m: Any, xs: Sequence[Value], extra: Sequence[Any]) -> Value:
    """The value of a kernel on values of a builder; `extra` are Python numbers."""
    m = getattr(m, "builder", m)
    type = type_of(kernel.result_dtype([NUMPY_DTYPES[x.type] for x in xs]))
    if isinstance(m, NumpyScalars):
        return m.value(kernel.impl(*[x.raw for x in xs], *extra).astype(NUMPY_DTYPES[type]))
    if not isinstance(m, LLVMScalars):
        return m._apply(kernel.name, type, *xs, fn=lambda m, *xs: call_scalar(kernel, m, xs, extra))  # type: ignore[no-any-return]
    # numba has no half precision, and takes truth values as bytes.
    xs = [m.convert(x, "f32") if x.type in HALF else m.convert(x, "u8") if x.type == "i1" else x for x in xs]
    types = tuple([x.type for x in xs])
    kept = "f32" if type in HALF else "u8" if type == "i1" else type
    symbol = _scalar_module(kernel, types, tuple(extra), kept, m.lanes)
    m.declare(f"@{symbol}", f"{m.llvm(kept)} @{symbol}({', '.join(m.llvm(t) for t in types)})")
    operands = ", ".join(f"{m.llvm(x.type)} {x.raw}" for x in xs)
    return m.convert(m.value(kept, m.append(f"call {m.llvm(kept)} @{symbol}({operands})")), type)


_made: dict[tuple, str] = {}


def _scalar_module(kernel: Any, types: tuple[str, ...], extra: tuple, result: str, lanes: int) -> str:
    """Name of the wrapper of a kernel for vectors; its module is put into `MODULES`."""
    key = kernel, types, extra, tuple(map(type, extra)), result, lanes
    if key not in _made:
        with locks.imports:
            import numba

        text, inner, returned = kernel.compiled([numba.from_dtype(NUMPY_DTYPES[t]) for t in types], extra)
        if not isinstance(returned, (numba.types.Integer, numba.types.Float, numba.types.Boolean)):
            raise KernelError(f"{kernel.describe()}: it must return a real number, got {returned}")
        text, inner = _stable(text, inner)
        name = _named(text, types, result, lanes)
        own = type_of("bool" if isinstance(returned, numba.types.Boolean) else str(returned))
        _made[key] = name
        MODULES[name] = _optimised(kernel, text + _vector_wrapper(name, inner, types, own, result, lanes), name)
    return _made[key]


def _vector_wrapper(name: str, inner: str, types: tuple[str, ...], own: str, result: str, lanes: int) -> str:
    """A function from vectors to a vector that calls the kernel once per element."""
    m = LLVMScalars(lanes=1)
    vector = LLVMScalars(lanes=lanes)
    inputs = [(f"%in{k}", t) for k, t in enumerate(types)]
    spaces = [f"{p} = alloca [{lanes} x {llvm_type(t)}], align 64" for p, t in [*inputs, ("%out", result)]]
    fill = [f"store {vector.llvm(t)} %x{k}, ptr {p}, align 64" for k, (p, t) in enumerate(inputs)]
    for k, (p, t) in enumerate(inputs):
        m.lines.append(f"%at{k} = getelementptr {llvm_type(t)}, ptr {p}, i64 %i")
        m.lines.append(f"%v{k} = load {llvm_type(t)}, ptr %at{k}")
    arguments = ", ".join(["ptr %ret", "ptr %exc", *[f"{llvm_type(t)} %v{k}" for k, t in enumerate(types)]])
    m.lines += [
        f"%status = call i32 @{inner}({arguments})",
        "%failed = icmp ne i32 %status, 0",
        "br i1 %failed, label %raised, label %fine",
        "raised:",
        f"call void @{_RAISES}()",
        "br label %fine",
        "fine:",
    ]
    value = m.convert(m.load(own, "%ret"), result)
    m.lines.append(f"%place = getelementptr {llvm_type(result)}, ptr %out, i64 %i")
    m.lines.append(f"store {llvm_type(result)} {value.raw}, ptr %place")
    parameters = ", ".join(f"{vector.llvm(t)} %x{k}" for k, t in enumerate(types))
    lines = [
        f"define {vector.llvm(result)} @{name}({parameters}) {{",
        "entry:",
        *spaces,
        f"%ret = alloca {memory_type(own)}, align 8",
        "%exc = alloca ptr, align 8",
        *fill,
        "br label %loop",
        "loop:",
        "%i = phi i64 [ 0, %entry ], [ %next, %fine ]",
        *m.lines,
        "%next = add i64 %i, 1",
        f"%more = icmp ult i64 %next, {lanes}",
        "br i1 %more, label %loop, label %done",
        "done:",
        f"%all = load {vector.llvm(result)}, ptr %out, align 64",
        f"ret {vector.llvm(result)} %all",
        "}",
        f"declare void @{_RAISES}()",
        *m.declarations.values(),
    ]
    return "\n".join(lines) + "\n"


# -- array kernels -----------------------------------------------------------------------------------------------------


def emit_array(program: ProgramWriter, call: Call) -> None:
    """Writes the call of an array kernel; an exception in it ends the program."""
    kernel: Any = call.attributes["kernel"]
    views = [*call.inputs, *call.outputs]
    arrays = tuple([(v.shape, program.program.buffers[v.buffer].dtype.name) for v in views])
    name = _array_module(kernel, arrays, len(call.inputs))
    program.module.declarations[f"@{name}"] = f"declare i32 @{name}({', '.join(['ptr'] * len(views))})"
    places = ", ".join(f"ptr {program.address(v.buffer, Affine.of(v.offset))}" for v in views)
    status, failed = program.register(), program.register()
    k = next(program.names)
    program.lines += [
        f"{status} = call i32 @{name}({places})",
        f"{failed} = icmp ne i32 {status}, 0",
        f"br i1 {failed}, label %raised{k}, label %went{k}",
        f"raised{k}:",
    ]

    def fail() -> None:
        raise kernel.failure()

    program.host(Host(kernel.name, fail, [], []))
    program.lines += ["ret i32 1", f"went{k}:"]


def _array_module(kernel: Any, arrays: tuple, n_inputs: int) -> str:
    """Name of the wrapper of an array kernel, which takes pointers; its module is put into `MODULES`."""
    key = kernel, arrays, n_inputs
    if key not in _made:
        with locks.imports:
            import numba

        types = [
            numba.types.Array(numba.from_dtype(np.dtype(dtype)), len(shape), "C", readonly=k < n_inputs)
            for k, (shape, dtype) in enumerate(arrays)
        ]
        text, inner, _ = kernel.compiled(types)
        text, inner = _stable(text, inner)
        name = _named(text, arrays, n_inputs)
        _made[key] = name
        MODULES[name] = _optimised(kernel, text + _array_wrapper(name, inner, arrays), name)
    return _made[key]


def _array_wrapper(name: str, inner: str, arrays: tuple) -> str:
    """A function from pointers to the status; numba's arrays are owner, parent, sizes, data, shape and strides."""
    arguments = ["ptr %ret", "ptr %exc"]
    for k, (shape, dtype) in enumerate(arrays):
        itemsize, strides = np.dtype(dtype).itemsize, []
        step = itemsize
        for n in reversed(shape):
            strides.append(step)
            step *= n
        numbers = [int(np.prod(shape, dtype=np.int64)), itemsize]
        arguments += ["ptr null", "ptr null", *[f"i64 {n}" for n in numbers], f"ptr %p{k}"]
        arguments += [f"i64 {n}" for n in (*shape, *reversed(strides))]
    return f"""
define i32 @{name}({", ".join(f"ptr %p{k}" for k in range(len(arrays)))}) {{
entry:
  %ret = alloca ptr, align 8
  %exc = alloca ptr, align 8
  %status = call i32 @{inner}({", ".join(arguments)})
  ret i32 %status
}}
"""


# -- modules -----------------------------------------------------------------------------------------------------------


def _stable(text: str, inner: str) -> tuple[str, str]:
    """The text with numba's names, which count compilations, replaced by numbers; and the name of the function."""
    names: dict[str, str] = {}

    def rename(found: re.Match) -> str:
        return "@" + names.setdefault(found[1].strip('"'), f"kernel.{len(names)}")

    lines = [line for line in text.splitlines() if not line.startswith(("target ", "source_filename", "; ModuleID"))]
    text = _REMARK.sub('!"kernel"', _MANGLED.sub(rename, "\n".join(lines) + "\n"))
    return text, names[inner]


def _named(*parts: Any) -> str:
    digest = hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()
    return f"{PREFIX}{digest[:24]}"


def _with_vecmath(text: str) -> str:
    """Calls of mathematical functions by those of `vecmath`, which vectorise."""
    declarations: dict[str, str] = {}
    for found in list(_ELEMENTARY.finditer(text)):
        symbol, parameters = found[1], found[2]
        function = symbol.split(".")[1] if "." in symbol else symbol
        if function not in FUNCTIONS:
            function = function.removesuffix("f")  # of single precision
        types = {"float": "f32", "double": "f64"}
        operands = [types.get(p.split()[0], "") for p in parameters.split(",")] if parameters else []
        if function not in FUNCTIONS or not operands or not set(operands) <= set(FLOATS) or function == "sqrt":
            continue
        m = LLVMScalars(declarations=declarations)
        m.branches = False
        result = FUNCTIONS[function](m, *[m.value(t, f"%x{k}") for k, t in enumerate(operands)])
        llvm = llvm_type(operands[0])
        own = f"@elementary.{function}.{operands[0]}"
        given = ", ".join(f"{llvm} %x{k}" for k in range(len(operands)))
        lines = "\n".join(m.lines)
        text = text.replace(found[0], "")
        text = re.sub(rf"@{re.escape(symbol)}(?=\()", own, text)
        text += f"define internal {llvm} {own}({given}) alwaysinline {{\nentry:\n{lines}\nret {llvm} {result.raw}\n}}\n"
    known = set(_DECLARED.findall(text))
    return text + "\n".join(d for n, d in declarations.items() if n.removeprefix("@") not in known) + "\n"


def _optimised(kernel: ForeignKernel, text: str, name: str) -> str:
    """The module after LLVM's optimiser, with everything but the wrapper hidden."""
    module = native.session().optimised(_with_vecmath(text), name)
    if f"@{_RAISES}(" in module:
        # There is nobody to catch it.
        raise KernelError(
            f"{kernel.describe()}: it may raise an exception, which compiled code cannot do for one element; return "
            "NaN instead, and check arguments where the primitive is applied"
        )
    missing = [s for s in external(module) if s.startswith("Py")]
    if missing:
        raise KernelError(
            f"{kernel.describe()}: it needs the Python interpreter ({missing[0]}); return numbers or fill arrays "
            "without printing, and without Python objects"
        )
    return module


def external(module: str) -> list[str]:
    """Names of the functions outside of a module that it calls."""
    return [s for s in _DECLARED.findall(module) if not s.startswith("llvm.")]


def parts_of(declarations: dict[str, str]) -> list[str]:
    """The modules that a program with these declarations needs."""
    return [MODULES[n.removeprefix("@")] for n in declarations if n.startswith(f"@{PREFIX}")]


def has_addresses(module: str) -> bool:
    """Whether a module contains addresses of this process, so that its code must not be kept."""
    return bool(_ADDRESS.search(module))
