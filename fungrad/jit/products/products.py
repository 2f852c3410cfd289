"""Matrix products: what all have in common, and real ones as calls of the kernels in this room, divided between the
threads of the pool.

Every element of a result is one fixed chain of multiply-adds, so it has the same bits however the work is divided.
"""

from __future__ import annotations

from collections.abc import Callable

from fungrad.jit.ir import tuning
from fungrad.jit.ir.loops import Call, View
from fungrad.jit.ir.products import SUFFIXES, work
from fungrad.jit.llvm.writer import ProgramWriter
from fungrad.jit.products.library import PREFIX


def batched(
    program: ProgramWriter,
    views: list[View],
    rank: int,
    body: Callable[[list[str]], None],
    split: bool = False,
) -> None:
    """Run `body` on the addresses of every matrix of a batch: one loop per leading dimension longer than 1. With
    `split` the first of them runs over `%begin .. %end`."""
    batch = views[-1].shape[:rank]
    pointers = [program.address(v.buffer, v.offset) for v in views]
    sizes = [program.program.buffers[v.buffer].dtype.itemsize for v in views]
    strides = [v.dense_strides[:rank] for v in views]
    ends: list[tuple[int, str]] = []
    for d, extent in enumerate(batch):
        if extent == 1:
            continue
        k = next(program.names)
        first, end = ("%begin", "%end") if split and not ends else ("0", str(extent))
        program.lines += [
            f"br label %pre{k}",
            f"pre{k}:",
            f"br label %batch{k}",
            f"batch{k}:",
            f"%b{k} = phi i64 [ {first}, %pre{k} ], [ %bn{k}, %latch{k} ]",
        ]
        pointers = [
            moved(program, p, f"%b{k}", stride[d] * size)
            for p, size, stride in zip(pointers, sizes, strides, strict=True)
        ]
        ends.append((k, end))
    body(pointers)
    for k, end in reversed(ends):
        program.lines += [
            f"br label %latch{k}",
            f"latch{k}:",
            f"%bn{k} = add i64 %b{k}, 1",
            f"%bc{k} = icmp ult i64 %bn{k}, {end}",
            f"br i1 %bc{k}, label %batch{k}, label %after{k}",
            f"after{k}:",
        ]


def moved(program: ProgramWriter, pointer: str, index: str, nbytes: int) -> str:
    """`pointer` moved by `index * nbytes`."""
    if not nbytes:
        return pointer
    offset, register = program.register(), program.register()
    program.lines += [
        f"{offset} = mul i64 {index}, {nbytes}",
        f"{register} = getelementptr inbounds i8, ptr {pointer}, i64 {offset}",
    ]
    return register


def part_of_range(program: ProgramWriter, unit: int, extent: int) -> tuple[str, str]:
    """First and number of the elements in `%begin .. %end`, counted in units, of `extent` elements."""
    first, end, most, count = (program.register() for _ in range(4))
    program.module.declarations["@llvm.umin.i64"] = "declare i64 @llvm.umin.i64(i64, i64)"
    program.lines += [
        f"{first} = mul i64 %begin, {unit}",
        f"{end} = mul i64 %end, {unit}",
        f"{most} = call i64 @llvm.umin.i64(i64 {end}, i64 {extent})",
        f"{count} = sub i64 {most}, {first}",
    ]
    return first, count


class Gemm:
    """One `gemm` call.

    Attributes:
      a, b, c: operands and result.
      m, n, k: rows, columns, and terms of each sum.
      dtype, size: of the elements, and their bytes.
      add: 1 if the product is added to what is there, else 0.
      rank, batch: number of batch dimensions, and the lengths of those that are longer than 1.
      work: multiplications.
    """

    def __init__(self, program: ProgramWriter, call: Call):
        self.program = program
        self.a, self.b = call.inputs
        self.c = call.outputs[0]
        self.m, self.n = self.c.shape[-2:]
        self.k = self.a.shape[-1]
        self.dtype = program.program.buffers[self.c.buffer].dtype
        self.size = self.dtype.itemsize
        self.add = 1 if call.attributes.get("beta") else 0
        self.rank = len(self.c.shape) - 2
        self.batch = [n for n in self.c.shape[: self.rank] if n > 1]
        self.work = work(call)

    def whole(self, pointers: list[str]) -> None:
        """One product of the batch, at these addresses."""
        raise NotImplementedError

    def batched(self, body: Callable[[list[str]], None], split: bool = False) -> None:
        """Run `body` on the addresses of all products of a batch."""
        batched(self.program, [self.a, self.b, self.c], self.rank, body, split)

    def shares_batch(self) -> bool:
        """Let threads share the products of the batch, if there are enough of them."""
        if not self.batch or self.batch[0] < tuning.SHARED_BATCH:
            return False
        with self.program.function() as name:
            self.batched(self.whole, split=True)
        self.program.parallel(name, self.batch[0], 2)
        return True


class Product(Gemm):
    """A product by our own kernels."""

    def __init__(self, program: ProgramWriter, call: Call):
        super().__init__(program, call)
        self.symbol = PREFIX + SUFFIXES[self.dtype.name]

    def emit(self) -> None:
        """Write the product, divided between threads if it is large."""
        program = self.program
        if not program.module.machine.threads or self.work < tuning.SHARED_PRODUCT:
            self.batched(self.whole)
        elif not self.shares_batch():
            by_rows = self.divides_rows()
            unit, extent = (tuning.PRODUCT_ROWS, self.m) if by_rows else (tuning.PRODUCT_COLUMNS, self.n)
            with program.function() as name:
                first, count = part_of_range(program, unit, extent)
                self.batched(lambda pointers: (self.rows if by_rows else self.columns)(pointers, first, count))
            many = tuning.PIECES_PER_THREAD if self.work < tuning.LARGE_PRODUCT else tuning.PIECES_PER_THREAD // 2
            program.parallel(name, -(-extent // unit), 1 if self.work < tuning.BALANCED_PRODUCT else many)

    def part(self, unit: int) -> None:
        """The rows in `%begin .. %end`, in units of some rows."""
        first, count = part_of_range(self.program, unit, self.m)
        self.batched(lambda pointers: self.rows(pointers, first, count))

    def divided(self, parcel: int) -> tuple[str, int]:
        """Write a function that computes parts of about `parcel` multiplications; its name and the number of parts."""
        by_rows = self.divides_rows()
        unit, extent = (tuning.PRODUCT_ROWS, self.m) if by_rows else (tuning.PRODUCT_COLUMNS, self.n)
        count = -(-extent // unit)
        unit *= max(1, min(count, round(count * parcel / max(1, self.work))))
        with self.program.function() as name:
            first, count_here = part_of_range(self.program, unit, extent)
            self.batched(lambda pointers: (self.rows if by_rows else self.columns)(pointers, first, count_here))
        return name, -(-extent // unit)

    def divides_rows(self) -> bool:
        """Whether threads get rows, else columns: every thread reads and copies for itself what all parts share, and
        the right operand is the one that is dearer to copy."""
        return self.n < 2 * tuning.PRODUCT_COLUMNS or self.m > 2 * self.n

    def whole(self, pointers: list[str]) -> None:
        """One product."""
        self.invoke(pointers, str(self.m), str(self.n))

    def rows(self, pointers: list[str], first: str, count: str) -> None:
        """Some rows of one product."""
        a, b, c = pointers
        a = moved(self.program, a, first, self.a.dense_strides[-2] * self.size)
        c = moved(self.program, c, first, self.c.dense_strides[-2] * self.size)
        self.invoke([a, b, c], count, str(self.n))

    def columns(self, pointers: list[str], first: str, count: str) -> None:
        """Some columns of one product."""
        a, b, c = pointers
        b = moved(self.program, b, first, self.b.dense_strides[-1] * self.size)
        c = moved(self.program, c, first, self.size)
        self.invoke([a, b, c], str(self.m), count)

    def invoke(self, pointers: list[str], m: str, n: str) -> None:
        """Call the routine on `m` rows and `n` columns."""
        a, b, c = pointers
        program = self.program
        program.symbols[self.symbol] = None
        types = "ptr, i64, i64, ptr, i64, i64, ptr, i64, i64, i64, i64, i64"
        program.module.declarations[f"@{self.symbol}"] = f"declare void @{self.symbol}({types})"
        (ars, acs), (brs, bcs) = self.strides(self.a, "a"), self.strides(self.b, "b")
        crs = self.c.dense_strides[-2] * self.size
        program.lines.append(
            f"call void @{self.symbol}(ptr {a}, i64 {ars}, i64 {acs}, ptr {b}, i64 {brs}, i64 {bcs}, ptr {c}, "
            f"i64 {crs}, i64 {m}, i64 {n}, i64 {self.k}, i64 {self.add})"
        )

    def strides(self, view: View, name: str) -> tuple[int, int]:
        """Distances of rows and columns in bytes, one of them that of neighbours."""
        rows, columns = view.shape[-2:]
        row, column = view.dense_strides[-2:]
        # where there is a single row or column its distance means nothing
        row, column = (1 if rows == 1 else row), (1 if columns == 1 else column)
        if 1 not in (row, column):
            raise ValueError(
                f"gemm: operand {name} with shape {view.shape} and strides {view.dense_strides} has no contiguous "
                "dimension; copy it first"
            )
        return row * self.size, column * self.size
