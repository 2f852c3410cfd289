"""Copies of a part of an operand into a panel, in the order in which kernels read it."""

from __future__ import annotations

from dataclasses import replace

from fungrad.jit.products.kernels import Shape, ask_for_next, first_lanes, load, masks, store
from fungrad.jit.products.text import Function


def copy_rows(s: Shape) -> str:
    """Copies `k` rows of `columns` elements, which are consecutive in memory.

    Parameters: `source` with `stride` bytes between rows; `target`, whose rows are `width` vectors (1 or all of a tile)
    and filled up with zeros; `k`, `columns`.
    """
    f = Function(
        f"copy_rows_{s.suffix}",
        [("ptr", "source"), ("i64", "stride"), ("ptr", "target"), ("i64", "width"), ("i64", "k"), ("i64", "columns")],
    )
    nbytes = s.lanes * s.size

    def vectors(n: int) -> None:
        valid = masks(f, s, n)

        def row(_: str, pointers: list[str]) -> list[str]:
            source, target = pointers
            ask_for_next(f, s, source, n)
            for v in range(n):
                value = load(f, s, f.at(source, v * nbytes), valid[v])
                store(f, s, value, f.at(target, v * nbytes))
            return [f.at(source, "%stride"), f.at(target, n * nbytes)]

        f.loop("%k", 1, row, [("ptr", "%source"), ("ptr", "%target")])

    if s.vectors == 1:
        vectors(1)
    else:
        narrow = f.op("icmp eq i64 %width, 1")
        f.choose(narrow, lambda: vectors(1), lambda: vectors(s.vectors))
    return f.text()


def squares(s: Shape) -> Shape:
    """The vectors in which transpositions run: whole ones would need fewer shuffles and much more code."""
    return replace(s, lanes=min(s.lanes, s.rows))


def transpose_name(s: Shape) -> str:
    """Name of the transposition, which tiles of whole and half vectors share if they use the same squares."""
    return f"transpose_{s.element}_{squares(s).lanes}"


def heights(s: Shape) -> Shape:
    """The vectors that hold a column of a tile."""
    return replace(s, lanes=s.rows)


def copy_tiles(s: Shape) -> str:
    """Copies `m` rows of `k` elements so that those which meet in a tile follow each other: a tile after the other,
    column by column, the last one filled up.

    Parameters: `source` with the strides `ars` and `acs` of its rows and columns, one of them that of neighbours;
    `target`, `m`, `k`.
    """
    names = "ptr source, i64 ars, i64 acs, ptr target, i64 m, i64 k"
    f = Function(f"copy_tiles_{s.suffix}", [tuple(p.split()) for p in names.split(", ")])  # type: ignore[misc]
    column = heights(s)
    nbytes = s.rows * s.size
    in_columns = f.op(f"icmp eq i64 %ars, {s.size}")
    across, along = f.mul("%ars", s.rows), f.mul("%k", nbytes)

    def tile(i: str, pointers: list[str]) -> list[str]:
        source, target = pointers
        height = f.least(f.sub("%m", i), s.rows)

        def columns() -> None:
            mask = first_lanes(f, column, height)

            def one(_: str, inner: list[str]) -> list[str]:
                store(f, column, load(f, column, inner[0], mask), inner[1])
                return [f.at(inner[0], "%acs"), f.at(inner[1], nbytes)]

            f.loop("%k", 1, one, [("ptr", source), ("ptr", target)])

        def rows() -> None:
            f.do(
                f"call void @{transpose_name(s)}(ptr {source}, i64 %ars, ptr {target}, i64 {nbytes}, i64 {height}, "
                f"i64 %k, i64 {s.rows})"
            )

        f.choose(in_columns, columns, rows)
        return [f.at(source, across), f.at(target, along)]

    f.loop("%m", s.rows, tile, [("ptr", "%source"), ("ptr", "%target")])
    return f.text()


def transpose(s: Shape) -> str:
    """Transposes `m` rows of `n` elements.

    Parameters: `source` and `target` with strides in bytes between their rows, `m`, `n`. Rows of the target are filled
    up with zeros to `fill` elements, a multiple of the squares, and end with their last element if that is 0: who reads
    the target as whole vectors must find no element there that nobody wrote.
    """
    names = "ptr source, i64 from, ptr target, i64 to, i64 m, i64 n, i64 fill"
    f = Function(transpose_name(s), [tuple(p.split()) for p in names.split(", ")])  # type: ignore[misc]
    s = squares(s)
    f.do(f"%square = alloca [{s.lanes * s.lanes * s.size} x i8], align 64")
    filled = f.op("icmp ne i64 %fill, 0")

    def rows(i: str, pointers: list[str]) -> list[str]:
        source, target = pointers
        height = f.least(f.sub("%m", i), s.lanes)
        width = f.op(f"select i1 {filled}, i64 {s.lanes}, i64 {height}")
        stored = first_lanes(f, s, width)

        def square(j: str, inner: list[str]) -> list[str]:
            source, target = inner
            count = f.least(f.sub("%n", j), s.lanes)
            whole = f.op(f"icmp eq i64 {count}, {s.lanes}")
            full = f.op(f"icmp eq i64 {width}, {height}")
            full = f.op(f"and i1 {whole}, {full}")
            wide = f.op(f"icmp eq i64 {height}, {s.lanes}")
            full = f.op(f"and i1 {full}, {wide}")
            f.choose(
                full,
                lambda: _square(f, s, source, target),
                lambda: _partial(f, s, source, target, height, count, stored),
            )
            return [f.at(source, s.lanes * s.size), f.at(target, f.mul("%to", s.lanes))]

        f.loop("%n", s.lanes, square, [("ptr", source), ("ptr", target)])
        return [f.at(source, f.mul("%from", s.lanes)), f.at(target, s.lanes * s.size)]

    (_, beyond) = f.loop("%m", s.lanes, rows, [("ptr", "%source"), ("ptr", "%target")])
    _zeros(f, s, beyond)
    return f.text()


def _zeros(f: Function, s: Shape, target: str) -> None:
    """Fills what is left of the rows of the target, after the last squares, with zeros."""
    left = f.sub("%fill", f.mul(f.op(f"sdiv i64 {f.add('%m', s.lanes - 1)}, {s.lanes}"), s.lanes))

    def columns(_: str, pointers: list[str]) -> list[str]:
        def row(_: str, inner: list[str]) -> list[str]:
            store(f, s, "zeroinitializer", inner[0])
            return [f.at(inner[0], "%to")]

        f.loop("%n", 1, row, [("ptr", pointers[0])])
        return [f.at(pointers[0], s.lanes * s.size)]

    f.loop(left, s.lanes, columns, [("ptr", target)])


def _square(f: Function, s: Shape, source: str, target: str) -> None:
    """A square of whole vectors, in registers."""
    values = []
    for i in range(s.lanes):
        source = f.at(source, "%from") if i else source
        values.append(load(f, s, source))
    for i, value in enumerate(_transposed(f, s, values)):
        target = f.at(target, "%to") if i else target
        store(f, s, value, target)


def _partial(f: Function, s: Shape, source: str, target: str, height: str, count: str, stored: str) -> None:
    """A square of which some rows and columns are missing, through a square in memory."""
    nbytes = s.lanes * s.size
    lanes = first_lanes(f, s, count)
    f.do(f"call void @llvm.memset.p0.i64(ptr %square, i8 0, i64 {s.lanes * nbytes}, i1 false)")

    def put(i: str, pointers: list[str]) -> list[str]:
        source, row = pointers
        store(f, s, load(f, s, source, lanes), row)
        return [f.at(source, "%from"), f.at(row, nbytes)]

    f.loop(height, 1, put, [("ptr", source), ("ptr", "%square")])
    values = _transposed(f, s, [load(f, s, f.at("%square", i * nbytes)) for i in range(s.lanes)])
    for i, value in enumerate(values):
        store(f, s, value, f.at("%square", i * nbytes))

    def take(i: str, pointers: list[str]) -> list[str]:
        row, target = pointers
        store(f, s, load(f, s, row), target, stored)
        return [f.at(row, nbytes), f.at(target, "%to")]

    f.loop(count, 1, take, [("ptr", "%square"), ("ptr", target)])


def _transposed(f: Function, s: Shape, rows: list[str]) -> list[str]:
    """The columns of a square of vectors: at every stage pairs of rows exchange halves of blocks of twice `d` lanes."""
    d = s.lanes // 2
    while d:
        new = list(rows)
        for i in range(s.lanes):
            if i & d:
                continue
            low = [k if not k & d else s.lanes + k - d for k in range(s.lanes)]
            high = [k + d if not k & d else s.lanes + k for k in range(s.lanes)]
            for place, lanes in ((i, low), (i + d, high)):
                order = ", ".join(f"i32 {k}" for k in lanes)
                vectors = f"{s.vector} {rows[i]}, {s.vector} {rows[i + d]}"
                new[place] = f.op(f"shufflevector {vectors}, <{s.lanes} x i32> <{order}>")
        rows, d = new, d // 2
    return rows
