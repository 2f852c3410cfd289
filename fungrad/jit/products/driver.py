"""The loops around the micro-kernels: blocks that fit the caches, and which operand is read as vectors."""

from __future__ import annotations

from fungrad.jit.ir import tuning
from fungrad.jit.ir.machine import Machine
from fungrad.jit.products import packing
from fungrad.jit.products.kernels import Shape, declarations, halved, kernel, kernel_name
from fungrad.jit.products.text import Function

_OPERANDS = "ptr a, i64 ars, i64 acs, ptr b, i64 brs, i64 bcs, ptr c, i64 crs, i64 m, i64 n, i64 k, i64 add"


def _parameters(text: str) -> list[tuple[str, str]]:
    return [tuple(p.split()) for p in text.split(", ")]  # type: ignore[misc]


def _tiles(s: Shape) -> str:
    """All rows of one panel: whole tiles, then what is left."""
    names = "ptr a, i64 ats, i64 ars, i64 acs, ptr b, i64 bs, ptr c, i64 crs, i64 m, i64 k, i64 columns, i64 add"
    f = Function(f"tiles_{s.suffix}", _parameters(names))
    whole = f.op(f"sdiv i64 %m, {s.rows}")
    done = f.mul(whole, s.rows)
    rest = f.sub("%m", done)
    a, c = f.at("%a", f.mul(whole, "%ats")), f.at("%c", f.mul(done, "%crs"))

    def run(vectors: int, height: int, a: str, c: str, tiles: str) -> None:
        f.do(
            f"call void @{kernel_name(s, height, vectors)}(ptr {a}, i64 %ats, i64 %ars, i64 %acs, ptr %b, i64 %bs, "
            f"ptr {c}, i64 %crs, i64 {tiles}, i64 %k, i64 %columns, i64 %add)"
        )

    def all_rows(vectors: int) -> None:
        run(vectors, s.rows, "%a", "%c", whole)
        at_a, at_c = a, c
        for height in list(s.heights())[1:]:
            tiles = f.op(f"and i64 {rest}, {height}")
            some = f.op(f"icmp ne i64 {tiles}, 0")
            f.choose(some, lambda h=height, x=at_a, y=at_c: run(vectors, h, x, y, "1"))  # type: ignore[misc]
            at_a, at_c = f.at(at_a, f.mul(tiles, "%ars")), f.at(at_c, f.mul(tiles, "%crs"))

    if s.vectors == 1:
        all_rows(1)
    else:
        narrow = f.op(f"icmp sle i64 %columns, {s.lanes}")
        f.choose(narrow, lambda: all_rows(1), lambda: all_rows(s.vectors))
    return f.text()


def _panel(f: Function, s: Shape, source: str, along: str, across: str, k: str, columns: str) -> str:
    """Copies a part of an operand to `%panel`, with consecutive columns; returns the distance of its rows."""
    narrow = f.op(f"icmp sle i64 {columns}, {s.lanes}")
    width = f.op(f"select i1 {narrow}, i64 1, i64 {s.vectors}")
    nbytes = f.mul(width, s.lanes * s.size)
    rows = f.op(f"icmp eq i64 {across}, {s.size}")
    f.choose(
        rows,
        lambda: f.do(
            f"call void @copy_rows_{s.suffix}(ptr {source}, i64 {along}, ptr %panel, i64 {width}, i64 {k}, "
            f"i64 {columns})"
        ),
        lambda: f.do(
            f"call void @{packing.transpose_name(s)}(ptr {source}, i64 {across}, ptr %panel, i64 {nbytes}, "
            f"i64 {columns}, i64 {k}, i64 {f.mul(width, s.lanes)})"
        ),
    )
    return nbytes


def _plain(s: Shape, machine: Machine) -> str:
    """Vectors along the rows of `b`."""
    f = Function(f"plain_{s.suffix}", _parameters(_OPERANDS))
    f.do(f"%panel = alloca [{tuning.PRODUCT_DEPTH * s.columns * s.size} x i8], align 64")
    row_bytes = tuning.PRODUCT_DEPTH * s.size
    most_copied = max(tuning.copied_bytes(machine.l2_bytes) // (row_bytes * s.rows) * s.rows, s.rows)
    f.do(f"%tiles = alloca [{row_bytes * most_copied} x i8], align 64")
    ordered = f.op(f"icmp eq i64 %bcs, {s.size}")
    direct_rows = tuning.NARROW_DIRECT_ROWS if s.vectors == 3 else tuning.DIRECT_ROWS
    few = f.op(f"icmp sle i64 %m, {direct_rows}")
    direct = f.op(f"and i1 {ordered}, {few}")
    copied = _copies_tiles(f, s)
    block = f.op(f"select i1 {copied}, i64 {most_copied}, i64 {tuning.CACHED_ROWS}")
    tile_bytes = s.rows * s.size

    def rows(i: str, _: list[str]) -> list[str]:
        height = f.least(f.sub("%m", i), block)
        a, c = f.at("%a", f.mul(i, "%ars")), f.at("%c", f.mul(i, "%crs"))

        def depth(p: str, _: list[str]) -> list[str]:
            terms = f.least(f.sub("%k", p), tuning.PRODUCT_DEPTH)
            later = f.op(f"icmp ne i64 {p}, 0")
            add = f.op(f"select i1 {later}, i64 1, i64 %add")
            source, b = f.at(a, f.mul(p, "%acs")), f.at("%b", f.mul(p, "%brs"))
            f.choose(
                copied,
                lambda: f.do(
                    f"call void @copy_tiles_{s.suffix}(ptr {source}, i64 %ars, i64 %acs, ptr %tiles, i64 {height}, "
                    f"i64 {terms})"
                ),
            )
            part = f.op(f"select i1 {copied}, ptr %tiles, ptr {source}")
            ars = f.op(f"select i1 {copied}, i64 {s.size}, i64 %ars")
            acs = f.op(f"select i1 {copied}, i64 {tile_bytes}, i64 %acs")
            ats = f.op(f"select i1 {copied}, i64 {f.mul(terms, tile_bytes)}, i64 {f.mul('%ars', s.rows)}")

            def columns(j: str, _: list[str]) -> list[str]:
                count = f.least(f.sub("%n", j), s.columns)
                source, target = f.at(b, f.mul(j, "%bcs")), f.at(c, f.mul(j, s.size))
                whole = f.op(f"icmp eq i64 {count}, {s.columns}")
                in_place = f.op(f"and i1 {whole}, {direct}")
                packed, after = f.label("packed"), f.label("ready")
                f.do(f"br i1 {in_place}, label %{after}, label %{packed}")
                before = f.block
                f.start(packed)
                nbytes = _panel(f, s, source, "%brs", "%bcs", terms, count)
                f.do(f"br label %{after}")
                made = f.block
                f.start(after)
                panel = f.op(f"phi ptr [ {source}, %{before} ], [ %panel, %{made} ]")
                step = f.op(f"phi i64 [ %brs, %{before} ], [ {nbytes}, %{made} ]")
                f.do(
                    f"call void @tiles_{s.suffix}(ptr {part}, i64 {ats}, i64 {ars}, i64 {acs}, ptr {panel}, "
                    f"i64 {step}, ptr {target}, i64 %crs, i64 {height}, i64 {terms}, i64 {count}, i64 {add})"
                )
                return []

            f.loop("%n", s.columns, columns)
            return []

        f.loop("%k", tuning.PRODUCT_DEPTH, depth, at_least_once=True)
        return []

    f.loop("%m", block, rows)
    return f.text()


def _copies_tiles(f: Function, s: Shape) -> str:
    """Whether rows of `a` are worth copying into tiles."""
    many = f.op(f"icmp sge i64 %n, {4 * s.columns}")
    tall = f.op(f"icmp sge i64 %m, {4 * s.rows}")
    in_columns = f.op(f"icmp eq i64 %ars, {s.size}")
    terms = f.least("%k", tuning.PRODUCT_DEPTH)
    spread = f.op(f"icmp sgt i64 {f.mul(terms, '%acs')}, {tuning.SPREAD_COLUMNS}")
    by_columns = f.op(f"and i1 {in_columns}, {spread}")
    rows, far = f.op(f"icmp sge i64 %m, {tuning.MANY_ROWS}"), f.op(f"icmp sge i64 %ars, {tuning.FAR_OPERAND_ROWS}")
    by_rows = f.op(f"and i1 {rows}, {far}")
    either = f.op(f"or i1 {by_columns}, {by_rows}")
    return f.op(f"and i1 {f.op(f'and i1 {many}, {tall}')}, {either}")


def _swapped(s: Shape) -> str:
    """Vectors along the columns of `a`: the transposed result is computed and copied. `b` is read number by number, so
    its layout does not matter."""
    f = Function(f"swapped_{s.suffix}", _parameters(_OPERANDS))
    f.do(f"%panel = alloca [{tuning.PRODUCT_DEPTH * s.columns * s.size} x i8], align 64")
    f.do(f"%block = alloca [{tuning.SWAPPED_COLUMNS * s.columns * s.size} x i8], align 64")
    row = s.columns * s.size
    across = f.mul("%bcs", s.rows)

    def columns(j: str, _: list[str]) -> list[str]:
        width = f.least(f.sub("%n", j), tuning.SWAPPED_COLUMNS)

        def rows(i: str, _: list[str]) -> list[str]:
            height = f.least(f.sub("%m", i), s.columns)

            def depth(p: str, _: list[str]) -> list[str]:
                terms = f.least(f.sub("%k", p), tuning.PRODUCT_DEPTH)
                later = f.op(f"icmp ne i64 {p}, 0")
                add = f.op(f"select i1 {later}, i64 1, i64 0")
                source = f.at(f.at("%a", f.mul(i, "%ars")), f.mul(p, "%acs"))
                other = f.at(f.at("%b", f.mul(j, "%bcs")), f.mul(p, "%brs"))
                step = _panel(f, s, source, "%acs", "%ars", terms, height)
                f.do(
                    f"call void @tiles_{s.suffix}(ptr {other}, i64 {across}, i64 %bcs, i64 %brs, ptr %panel, "
                    f"i64 {step}, ptr %block, i64 {row}, i64 {width}, i64 {terms}, i64 {height}, i64 {add})"
                )
                return []

            f.loop("%k", tuning.PRODUCT_DEPTH, depth, at_least_once=True)
            target = f.at(f.at("%c", f.mul(i, "%crs")), f.mul(j, s.size))
            f.do(
                f"call void @{packing.transpose_name(s)}(ptr %block, i64 {row}, ptr {target}, i64 %crs, i64 {width}, "
                f"i64 {height}, i64 0)"
            )
            return []

        f.loop("%m", s.columns, rows)
        return []

    f.loop("%n", tuning.SWAPPED_COLUMNS, columns)
    return f.text()


def _product(s: Shape) -> str:
    """The function that programs call: chooses the driver that copies less."""
    f = Function(f"fg_product_{s.suffix}", _parameters(_OPERANDS), internal=False)
    arguments = ", ".join(f"{type} %{name}" for type, name in _parameters(_OPERANDS))
    across = f.op(f"icmp ne i64 %bcs, {s.size}")
    fresh = f.op("icmp eq i64 %add, 0")
    # copying b takes k * n, copying a and the transposed result m * (k + n)
    less = f.op(f"icmp slt i64 {f.mul('%m', f.add('%k', '%n'))}, {f.mul('%k', '%n')}")
    few = f.op(f"icmp sle i64 %m, {tuning.SWAPPED_ROWS}")
    less = f.op(f"and i1 {less}, {few}")
    swap = f.op(f"and i1 {f.op(f'and i1 {across}, {fresh}')}, {less}")
    half = halved(s)

    def run(name: str) -> None:
        f.do(f"call void @{name}({arguments})")

    def swapped() -> None:
        if half is None:
            return run(f"swapped_{s.suffix}")
        narrow = f.op(f"icmp sle i64 %m, {half.lanes}")
        f.choose(narrow, lambda: run(f"swapped_{half.suffix}"), lambda: run(f"swapped_{s.suffix}"))

    f.choose(swap, swapped, lambda: run(f"plain_{s.suffix}"))
    return f.text()


def module(s: Shape, machine: Machine) -> str:
    """The text of the module for one element type.

    Args:
      s: the tiles.
      machine: whose caches the blocks are to fit.
    """
    parts = [kernel(s, rows, vectors) for vectors in (1, s.vectors) for rows in s.heights()]
    parts += [copy(s) for copy in (packing.copy_rows, packing.transpose, packing.copy_tiles)]
    parts += [_tiles(s), _plain(s, machine), _swapped(s), _product(s)]
    shapes = [s, packing.squares(s), packing.heights(s)]
    half = halved(s)
    if half is not None:
        parts += [kernel(half, rows, 1) for rows in half.heights()]
        parts += [write(half) for write in (packing.copy_rows, packing.transpose, _tiles, _swapped)]
        shapes += [half, packing.squares(half)]
    known = [line for x in shapes for line in declarations(x)]
    memset = "declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)"
    return "\n".join([*dict.fromkeys(parts), *dict.fromkeys([*known, memset]), "attributes #0 = { nounwind }", ""])
