"""Matrix products through the BLAS that NumPy uses: complex ones, and products with a vector.

Addresses of its functions are bound when the module is loaded, under the names `fg_<type>gemm` and so on.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from fungrad.jit.ir import tuning
from fungrad.jit.ir.loops import Call, View
from fungrad.jit.llvm.writer import ProgramWriter
from fungrad.jit.products.products import Gemm, moved, part_of_range

# Letter of a BLAS routine and LLVM type of a real scalar, by dtype.
LETTERS = {"float32": "s", "float64": "d", "complex64": "c", "complex128": "z"}
_REALS = {"s": "float", "d": "double"}
_ROW_MAJOR, _PLAIN, _TRANSPOSED, _CONJUGATED = 101, 111, 112, 113


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


class BlasProduct(Gemm):
    """Which BLAS routine computes a product, and how its work is divided."""

    def __init__(self, program: ProgramWriter, call: Call):
        super().__init__(program, call)
        if self.dtype.name not in LETTERS:
            raise ValueError(f"gemm: no routine for {self.dtype.name}; write the product as a nest")
        self.letter = LETTERS[self.dtype.name]
        self.conjugate = call.attributes.get("conjugate", ())
        self.is_vector = (self.m == 1 or self.n == 1) and not self.conjugate
        self.along_rows = self.n == 1 if self.is_vector else self.m >= self.n

    def emit(self) -> None:
        """Write the call, divided between threads if it is large."""
        program, machine = self.program, self.program.module.machine
        threaded = machine.threads and not machine.own_blas_threads
        if not threaded or self.work < (tuning.BLAS_THREADED_VECTOR if self.is_vector else tuning.BLAS_THREADED):
            self.batched(self.whole)
        elif self.work >= tuning.SHARED_PRODUCT:
            program.without_blas_threads(self.shared)
        else:
            program.without_blas_threads(partial(self.batched, self.whole))

    def shared(self) -> None:
        """The products, or parts of each, on several threads."""
        if self.shares_batch():
            return
        program = self.program
        with program.function() as name:
            self.batched(self.strip)
        extent = self.m if self.along_rows else self.n
        program.parallel(name, -(-extent // tuning.BLAS_STRIP), 2 if self.work >= tuning.BALANCED_BLAS else 1)

    def whole(self, pointers: list[str]) -> None:
        """One product."""
        self.product(pointers, str(self.m), str(self.n))

    def strip(self, pointers: list[str]) -> None:
        """The rows or columns of one product in `%begin .. %end`, in units of `tuning.BLAS_STRIP`."""
        program = self.program
        extent = self.m if self.along_rows else self.n
        first, count = part_of_range(program, tuning.BLAS_STRIP, extent)
        if program.module.machine.blas_int == "i32":
            narrow = program.register()
            program.lines.append(f"{narrow} = trunc i64 {count} to i32")
            count = narrow
        pa, pb, pc = pointers
        size = self.size
        if self.along_rows:
            pa = moved(program, pa, first, self.a.dense_strides[-2] * size)
            pc = moved(program, pc, first, self.c.dense_strides[-2] * size)
            self.product([pa, pb, pc], count, str(self.n))
        else:
            pb = moved(program, pb, first, self.b.dense_strides[-1] * size)
            pc = moved(program, pc, first, self.c.dense_strides[-1] * size)
            self.product([pa, pb, pc], str(self.m), count)

    def product(self, pointers: list[str], m: str, n: str) -> None:
        """The routine on `m` rows and `n` columns."""
        if self.is_vector:
            self.gemv(pointers, m if self.n == 1 else n)
            return
        pa, pb, pc = pointers
        (ta, lda), (tb, ldb) = layout(self.a), layout(self.b)
        _, ldc = layout(self.c)
        integer = self.program.module.machine.blas_int
        flags = []
        for name, transposed in (("a", ta), ("b", tb)):
            if name in self.conjugate and not transposed:
                raise ValueError(f"gemm: operand {name} is conjugated but not transposed")
            flags.append(_CONJUGATED if name in self.conjugate else _TRANSPOSED if transposed else _PLAIN)
        scalar = _scalar_type(self.letter)
        arguments = [
            ("i32", _ROW_MAJOR), ("i32", flags[0]), ("i32", flags[1]),
            (integer, m), (integer, n), (integer, self.k),
            (scalar, _constant(self.program, self.letter, 1)), ("ptr", pa), (integer, lda),
            ("ptr", pb), (integer, ldb),
            (scalar, _constant(self.program, self.letter, self.add)), ("ptr", pc), (integer, ldc),
        ]  # fmt: skip
        _invoke(self.program, f"fg_{self.letter}gemm", arguments)

    def gemv(self, pointers: list[str], count: str) -> None:
        """A product in which the result is a row or a column: matrix times vector, `count` results."""
        pa, pb, pc = pointers
        if self.n == 1:
            matrix, vector, pm, pv = self.a, self.b, pa, pb
            step, out_step = vector.dense_strides[-2], self.c.dense_strides[-2]
            transposed, lead = layout(matrix)
        else:
            matrix, vector, pm, pv = self.b, self.a, pb, pa
            step, out_step = vector.dense_strides[-1], self.c.dense_strides[-1]
            transposed, lead = layout(matrix)
            transposed = not transposed
        stored = (self.k, count) if transposed else (count, self.k)
        integer, scalar = self.program.module.machine.blas_int, _scalar_type(self.letter)
        arguments = [
            ("i32", _ROW_MAJOR), ("i32", _TRANSPOSED if transposed else _PLAIN),
            (integer, stored[0]), (integer, stored[1]),
            (scalar, _constant(self.program, self.letter, 1)), ("ptr", pm), (integer, lead),
            ("ptr", pv), (integer, step if self.k > 1 else 1),
            (scalar, _constant(self.program, self.letter, self.add)), ("ptr", pc),
            (integer, out_step if max(self.m, self.n) > 1 else 1),
        ]  # fmt: skip
        _invoke(self.program, f"fg_{self.letter}gemv", arguments)


def _scalar_type(letter: str) -> str:
    return _REALS.get(letter, "ptr")


def _constant(program: ProgramWriter, letter: str, value: int) -> str:
    """`alpha` or `beta`: a number for real routines, its address for complex ones."""
    if letter in _REALS:
        return f"{value}.0"
    element = "float" if letter == "c" else "double"
    name = f"@{letter}{value}"
    program.module.globals[name] = (
        f"{name} = internal constant [2 x {element}] [{element} {value}.0, {element} 0.0], align 16"
    )
    return name


def _invoke(program: ProgramWriter, symbol: str, arguments: Sequence[tuple[str, object]]) -> None:
    types = ", ".join(t for t, _ in arguments)
    program.symbols[symbol] = None
    program.module.declarations[f"@{symbol}"] = f"declare void @{symbol}({types})"
    program.lines.append(f"call void @{symbol}({', '.join(f'{t} {value}' for t, value in arguments)})")
