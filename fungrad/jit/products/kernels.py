"""Micro-kernels of matrix products as LLVM IR: a tile of the result stays in registers while all of `k` passes.

One operand is read as vectors (a panel of `b`, consecutive along the columns of the result), the other as single
numbers that are repeated in all lanes, at any strides. Every element of the result is one chain of multiply-adds in
the order of `k`: it does not depend on the tile it falls into, and so neither on the number of threads.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from fungrad.jit.ir import tuning
from fungrad.jit.ir.machine import LINE_BYTES
from fungrad.jit.products.text import Function


@dataclass(frozen=True)
class Shape:
    """How tiles are cut for one element type on one processor.

    Attributes:
      type: LLVM type of an element.
      lanes: elements in a vector register.
      rows: rows of a whole tile, a power of two.
      vectors: vectors in a row of a whole tile.
      half: whether these are the tiles of half vectors, which are for results that fill no more.
    """

    type: str
    lanes: int
    rows: int
    vectors: int
    half: bool = False

    @property
    def size(self) -> int:
        """Bytes of an element."""
        return 4 if self.type == "float" else 8

    @property
    def element(self) -> str:
        """The element type in names of intrinsics."""
        return "f32" if self.type == "float" else "f64"

    @property
    def suffix(self) -> str:
        """What tells the functions of these tiles from others."""
        return f"{self.element}_half" if self.half else self.element

    @property
    def vector(self) -> str:
        """LLVM type of a vector register."""
        return f"<{self.lanes} x {self.type}>"

    @property
    def mask(self) -> str:
        """LLVM type of a mask."""
        return f"<{self.lanes} x i1>"

    @property
    def columns(self) -> int:
        """Columns of a whole tile."""
        return self.lanes * self.vectors

    def heights(self) -> Iterator[int]:
        """Rows of the kernels, from whole tiles to single rows."""
        height = self.rows
        while height:
            yield height
            height //= 2


def shape(suffix: str, vector_bytes: int) -> Shape:
    """The tiles for an element type and a width of vector registers.

    32 registers (AVX-512, NEON) hold 8 x 2 sums, which keep both multiply-add units busy, and 16 registers (AVX2) hold
    4 x 3.
    """
    type, size = ("float", 4) if suffix == "f32" else ("double", 8)
    rows, vectors = (4, 3) if vector_bytes == 32 else (8, 2)
    return Shape(type, vector_bytes // size, rows, vectors)


def halved(s: Shape) -> Shape | None:
    """The tiles of half vectors, for results that fill no more; None where they would not be faster.

    Many processors with vectors of 64 bytes have two multiply-add units for half of that, so whole vectors of which
    half is wanted take twice as long as half vectors. Where the units are wider no time is lost.
    """
    return Shape(s.type, s.lanes // 2, s.rows, 1, half=True) if s.lanes * s.size == 64 else None


def first_lanes(f: Function, s: Shape, n: str) -> str:
    """A mask with the first `n` lanes."""
    iota = ", ".join(f"i64 {lane}" for lane in range(s.lanes))
    one = f.op(f"insertelement <{s.lanes} x i64> poison, i64 {n}, i64 0")
    many = f.op(f"shufflevector <{s.lanes} x i64> {one}, <{s.lanes} x i64> poison, <{s.lanes} x i32> zeroinitializer")
    return f.op(f"icmp slt <{s.lanes} x i64> <{iota}>, {many}")


def masks(f: Function, s: Shape, vectors: int) -> list[str | None]:
    """The masks of the vectors that hold `%columns` elements, of which the first vector is full if there are more."""
    parts = [f.sub("%columns", v * s.lanes) for v in range(vectors)]
    return [None if v == 0 and vectors > 1 else first_lanes(f, s, n) for v, n in enumerate(parts)]


def load(f: Function, s: Shape, pointer: str, mask: str | None = None) -> str:
    """A vector from memory, zero where the mask is false."""
    if mask is None:
        return f.op(f"load {s.vector}, ptr {pointer}, align {s.size}")
    name = f"@llvm.masked.load.v{s.lanes}{s.element}.p0"
    return f.op(f"call {s.vector} {name}(ptr {pointer}, i32 {s.size}, {s.mask} {mask}, {s.vector} zeroinitializer)")


def store(f: Function, s: Shape, value: str, pointer: str, mask: str | None = None) -> None:
    """A vector to memory, where the mask is true."""
    if mask is None:
        f.do(f"store {s.vector} {value}, ptr {pointer}, align {s.size}")
        return
    name = f"@llvm.masked.store.v{s.lanes}{s.element}.p0"
    f.do(f"call void {name}({s.vector} {value}, ptr {pointer}, i32 {s.size}, {s.mask} {mask})")


def kernel_name(s: Shape, rows: int, vectors: int) -> str:
    """Name of a micro-kernel."""
    return f"tile_{s.suffix}_{rows}x{vectors}"


# Rows of the operand of single numbers that are addressed from one register: at 0, 1 and 2 strides.
_SHARED = 3


def ask_for_next(f: Function, s: Shape, panel: str, vectors: int) -> None:
    """Software prefetch of the same row of the next panel, for panels that are read or copied in place.

    Hardware does not foresee their strides. The row is on the same page and in the same row of the memory chips as the
    one that is read, and has the time of a whole panel to come. The last byte of each line is named, so that a row that
    begins within a line is there to its end. It is asked for in the second level: rows a power of two bytes apart would
    drive each other out of the first. Measured with 8 rows of 1024 x 1024 numbers from the third level: 621 us without,
    170 with; hence panels are hardly ever copied.
    """
    nbytes = vectors * s.lanes * s.size
    for last in range(nbytes + LINE_BYTES - 1, 2 * nbytes + LINE_BYTES - 1, LINE_BYTES):
        f.do(f"call void @llvm.prefetch.p0(ptr {f.at(panel, last)}, i32 0, i32 2, i32 1)")


def _ask_for_result(f: Function, s: Shape, c: str, rows: int, vectors: int) -> None:
    """Software prefetch of the tile of the result, which is wanted after all of `k`.

    In large products it has left the second level since the last terms were added to it. Measured with 2048 x 2048: a
    fifth.
    """
    for i in range(rows):
        c = f.at(c, "%crs") if i else c
        for offset in range(0, vectors * s.lanes * s.size, LINE_BYTES):
            f.do(f"call void @llvm.prefetch.p0(ptr {f.at(c, offset)}, i32 1, i32 2, i32 1)")


def kernel(s: Shape, rows: int, vectors: int) -> str:
    """The function that computes `tiles` tiles of `rows` rows and at most `vectors * lanes` columns.

    Parameters: `a` with strides `ats` between tiles, `ars` between rows and `acs` along k, the panel `b` with `bs`
    between its rows, `c` with `crs` between rows (strides in bytes), `tiles`, `k`, `columns`, and `add`, whether to add
    to what is in `c`.
    """
    names = "ptr a, i64 ats, i64 ars, i64 acs, ptr b, i64 bs, ptr c, i64 crs, i64 tiles, i64 k, i64 columns, i64 add"
    parameters = [tuple(p.split()) for p in names.split(", ")]
    f = Function(kernel_name(s, rows, vectors), parameters)  # type: ignore[arg-type]
    valid = masks(f, s, vectors)
    whole = f.op(f"icmp eq i64 %columns, {vectors * s.lanes}")
    add = f.op("icmp ne i64 %add, 0")
    c_step = f.mul("%crs", rows)
    two = f.opaque("i64", f.mul("%ars", 2))
    three = f.mul("%ars", _SHARED)

    def tile(_: str, pointers: list[str]) -> list[str]:
        a, c = pointers
        heads = [a]
        for _n in range(_SHARED, rows, _SHARED):
            heads.append(f.opaque("ptr", f.at(heads[-1], three)))
        _ask_for_result(f, s, c, rows, vectors)
        zero = f"{s.vector}", "zeroinitializer"

        def step(_: str, carried: list[str]) -> list[str]:
            sums, (panel, *starts) = carried[: rows * vectors], carried[rows * vectors :]
            b = [load(f, s, panel if v == 0 else f.at(panel, v * s.lanes * s.size)) for v in range(vectors)]
            if not s.half:
                ask_for_next(f, s, panel, vectors)
            new = []
            for i in range(rows):
                at = starts[i // _SHARED]
                if i % _SHARED:
                    at = f.at(at, "%ars" if i % _SHARED == 1 else two)
                one = f.op(f"load {s.type}, ptr {at}, align {s.size}")
                one = f.op(f"insertelement {s.vector} poison, {s.type} {one}, i64 0")
                one = f.op(f"shufflevector {s.vector} {one}, {s.vector} poison, <{s.lanes} x i32> zeroinitializer")
                for v in range(vectors):
                    arguments = f"{s.vector} {one}, {s.vector} {b[v]}, {s.vector} {sums[i * vectors + v]}"
                    new.append(f.op(f"call {s.vector} @llvm.fmuladd.v{s.lanes}{s.element}({arguments})"))
            return [*new, f.at(panel, "%bs"), *(f.at(x, "%acs") for x in starts)]

        first = [zero] * (rows * vectors) + [("ptr", "%b")] + [("ptr", x) for x in heads]
        sums = f.loop("%k", 1, step, first)[: rows * vectors]

        def rows_of_result(adding: bool, valid: list[str | None]) -> None:
            at = c
            for i in range(rows):
                at = f.at(at, "%crs") if i else at
                for v in range(vectors):
                    value, mask = sums[i * vectors + v], valid[v]
                    place = at if v == 0 else f.at(at, v * s.lanes * s.size)
                    if adding:
                        value = f.op(f"fadd {s.vector} {load(f, s, place, mask)}, {value}")
                    store(f, s, value, place, mask)

        def result(valid: list[str | None]) -> None:
            f.choose(add, lambda: rows_of_result(True, valid), lambda: rows_of_result(False, valid))

        if s.lanes * s.size == tuning.SLOWLY_MASKED_BYTES:
            f.choose(whole, lambda: result([None] * vectors), lambda: result(valid))
        else:
            result(valid)
        return [f.at(a, "%ats"), f.at(c, c_step)]

    f.loop("%tiles", 1, tile, [("ptr", "%a"), ("ptr", "%c")])
    return f.text()


def declarations(s: Shape) -> list[str]:
    """The intrinsics that kernels use."""
    v, m, x = s.vector, s.mask, f"v{s.lanes}{s.element}"
    return [
        f"declare {v} @llvm.fmuladd.{x}({v}, {v}, {v})",
        f"declare {v} @llvm.masked.load.{x}.p0(ptr, i32, {m}, {v})",
        "declare void @llvm.prefetch.p0(ptr, i32, i32, i32)",
        f"declare void @llvm.masked.store.{x}.p0({v}, ptr, i32, {m})",
    ]
