"""Library routines on buffers: matrix products through the BLAS that NumPy uses, copies.

Routines of `loops.Call`:

    gemm    inputs a (..., m, k), b (..., k, n); output c (..., m, n), dense in its last two
    dimensions; leading
            dimensions are batch dimensions, with stride 0 where an operand is repeated. A
            transposed operand is a view with swapped strides. Attributes: `beta` (0 or 1; 1 adds to
            c), `conjugate` (names of operands "a", "b").
    copy    input and output dense and of equal size
    fill    output dense; attribute `byte`

Addresses of the BLAS are bound when the module is loaded, under the names `fg_<type>gemm` and so
on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from fungrad.jit.loops import Affine, Call, View

if TYPE_CHECKING:
    from fungrad.jit.emit.program import ProgramEmitter

# Letter of a BLAS routine and LLVM type of a real scalar, by dtype.
LETTERS = {"float32": "s", "float64": "d", "complex64": "c", "complex128": "z"}
_REALS = {"s": "float", "d": "double"}
_ROW_MAJOR, _PLAIN, _TRANSPOSED, _CONJUGATED = 101, 111, 112, 113

# Multiplications from which a product is long enough to release the interpreter lock.
_LONG_PRODUCT = 200_000


def is_long(call: Call) -> bool:
    """Whether a call takes long compared with handing over the interpreter lock."""
    if call.routine == "gemm":
        size = call.inputs[0].shape[-1]
        for n in call.outputs[0].shape:
            size *= n
        return size > _LONG_PRODUCT
    return False


def emit(program: ProgramEmitter, call: Call) -> None:
    """Write a call into the function `run`."""
    _ROUTINES[call.routine](program, call)


def _batched(
    program: ProgramEmitter,
    views: list[View],
    rank: int,
    body: Callable[[list[str]], None],
) -> None:
    """Run `body` on the addresses of every matrix of a batch: one loop per leading dimension."""
    batch = views[-1].shape[:rank]
    pointers = [program.address(v.buffer, v.offset) for v in views]
    sizes = [program.program.buffers[v.buffer].dtype.itemsize for v in views]
    strides = [v.dense_strides[:rank] for v in views]
    ends = []
    for d, extent in enumerate(batch):
        if extent == 1:
            continue
        k = next(program.names)
        program.lines += [
            f"br label %pre{k}",
            f"pre{k}:",
            f"br label %batch{k}",
            f"batch{k}:",
            f"%b{k} = phi i64 [ 0, %pre{k} ], [ %bn{k}, %latch{k} ]",
        ]
        moved = []
        for p, size, stride in zip(pointers, sizes, strides, strict=True):
            offset, register = program.register(), program.register()
            program.lines += [
                f"{offset} = mul i64 %b{k}, {stride[d] * size}",
                f"{register} = getelementptr inbounds i8, ptr {p}, i64 {offset}",
            ]
            moved.append(register)
        pointers = moved
        ends.append((k, extent))
    body(pointers)
    for k, extent in reversed(ends):
        program.lines += [
            f"br label %latch{k}",
            f"latch{k}:",
            f"%bn{k} = add i64 %b{k}, 1",
            f"%bc{k} = icmp ult i64 %bn{k}, {extent}",
            f"br i1 %bc{k}, label %batch{k}, label %after{k}",
            f"after{k}:",
        ]


def layout(view: View) -> tuple[bool, int]:
    """Whether a matrix must be read as a transposed row-major matrix, and its leading dimension.

    Raises:
      ValueError: neither dimension is contiguous.
    """
    rows, columns = view.shape[-2:]
    row, column = view.dense_strides[-2:]
    if (column == 1 or columns == 1) and (row >= columns or rows == 1):
        return False, max(row if rows > 1 else columns, columns, 1)
    if (row == 1 or rows == 1) and (column >= rows or columns == 1):
        return True, max(column if columns > 1 else rows, rows, 1)
    raise ValueError(
        f"gemm: operand {view.buffer} with shape {view.shape} and strides {view.dense_strides} has no "
        "contiguous dimension; copy it first"
    )


def _gemm(program: ProgramEmitter, call: Call) -> None:
    a, b = call.inputs
    c = call.outputs[0]
    m, n = c.shape[-2:]
    k = a.shape[-1]
    if 0 in c.shape:
        return
    dtype = program.program.buffers[c.buffer].dtype
    letter = LETTERS.get(dtype.name)
    if letter is None:
        raise ValueError(f"gemm: no routine for {dtype.name}; write the product as a nest")
    conjugate = call.attributes.get("conjugate", ())
    beta = 1 if call.attributes.get("beta") else 0
    rank = len(c.shape) - 2

    def product(pointers: list[str]) -> None:
        pa, pb, pc = pointers
        if m == 1 or n == 1:
            if not conjugate:
                _gemv(program, letter, call, pa, pb, pc, beta)
                return
        (ta, lda), (tb, ldb) = layout(a), layout(b)
        _, ldc = layout(c)
        integer = program.module.machine.blas_int
        flags = []
        for name, transposed in (("a", ta), ("b", tb)):
            if name in conjugate and not transposed:
                raise ValueError(f"gemm: operand {name} is conjugated but not transposed")
            flags.append(_CONJUGATED if name in conjugate else _TRANSPOSED if transposed else _PLAIN)
        scalar = _scalar_type(letter)
        arguments = [
            ("i32", _ROW_MAJOR), ("i32", flags[0]), ("i32", flags[1]),
            (integer, m), (integer, n), (integer, k),
            (scalar, _constant(program, letter, 1)), ("ptr", pa), (integer, lda),
            ("ptr", pb), (integer, ldb),
            (scalar, _constant(program, letter, beta)), ("ptr", pc), (integer, ldc),
        ]  # fmt: skip
        _invoke(program, f"fg_{letter}gemm", arguments)

    _batched(program, [a, b, c], rank, product)


def _gemv(program: ProgramEmitter, letter: str, call: Call, pa: str, pb: str, pc: str, beta: int) -> None:
    """A product in which the result is a row or a column."""
    a, b = call.inputs
    c = call.outputs[0]
    m, n = c.shape[-2:]
    if n == 1:
        matrix, vector, pm, pv = a, b, pa, pb
        step = vector.dense_strides[-2]
        out_step = c.dense_strides[-2]
        transposed, lead = layout(matrix)
        rows, columns = matrix.shape[-2:]
    else:
        matrix, vector, pm, pv = b, a, pb, pa
        step = vector.dense_strides[-1]
        out_step = c.dense_strides[-1]
        transposed, lead = layout(matrix)
        transposed = not transposed
        rows, columns = matrix.shape[-1], matrix.shape[-2]
    # row-major matrix in memory: (rows, columns) or, if transposed, (columns, rows)
    stored = (columns, rows) if transposed else (rows, columns)
    integer, scalar = program.module.machine.blas_int, _scalar_type(letter)
    arguments = [
        ("i32", _ROW_MAJOR), ("i32", _TRANSPOSED if transposed else _PLAIN),
        (integer, stored[0]), (integer, stored[1]),
        (scalar, _constant(program, letter, 1)), ("ptr", pm), (integer, lead),
        ("ptr", pv), (integer, step if max(vector.shape[-2:]) > 1 else 1),
        (scalar, _constant(program, letter, beta)), ("ptr", pc),
        (integer, out_step if max(m, n) > 1 else 1),
    ]  # fmt: skip
    _invoke(program, f"fg_{letter}gemv", arguments)


def _scalar_type(letter: str) -> str:
    return _REALS.get(letter, "ptr")


def _constant(program: ProgramEmitter, letter: str, value: int) -> str:
    """`alpha` or `beta`: a number for real routines, its address for complex ones."""
    if letter in _REALS:
        return f"{value}.0"
    element = "float" if letter == "c" else "double"
    name = f"@{letter}{value}"
    program.module.globals[name] = (
        f"{name} = internal constant [2 x {element}] [{element} {value}.0, {element} 0.0], align 16"
    )
    return name


def _invoke(program: ProgramEmitter, symbol: str, arguments: list[tuple[str, object]]) -> None:
    types = ", ".join(t for t, _ in arguments)
    program.symbols[symbol] = None
    program.module.declarations[f"@{symbol}"] = f"declare void @{symbol}({types})"
    program.lines.append(f"call void @{symbol}({', '.join(f'{t} {value}' for t, value in arguments)})")


def _copy(program: ProgramEmitter, call: Call) -> None:
    """Move dense bytes."""
    source, target = call.inputs[0], call.outputs[0]
    size = program.program.buffers[target.buffer].dtype.itemsize
    for n in target.shape:
        size *= n
    if size == 0:
        return
    a, b = (program.address(v.buffer, Affine.of(v.offset)) for v in (source, target))
    program.module.declarations["@llvm.memmove.p0.p0.i64"] = "declare void @llvm.memmove.p0.p0.i64(ptr, ptr, i64, i1)"
    program.lines.append(f"call void @llvm.memmove.p0.p0.i64(ptr {b}, ptr {a}, i64 {size}, i1 false)")


def _fill(program: ProgramEmitter, call: Call) -> None:
    """Set every byte."""
    target = call.outputs[0]
    size = program.program.buffers[target.buffer].dtype.itemsize
    for n in target.shape:
        size *= n
    at = program.address(target.buffer, target.offset)
    program.module.declarations["@llvm.memset.p0.i64"] = "declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)"
    byte = call.attributes.get("byte", 0)
    program.lines.append(f"call void @llvm.memset.p0.i64(ptr {at}, i8 {byte}, i64 {size}, i1 false)")


_ROUTINES = {"gemm": _gemm, "copy": _copy, "fill": _fill}
