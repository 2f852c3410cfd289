"""Triangular systems with many right hand sides: blocks of equations, between which products do most of the work.

    triangular_solve (ptr a, i64 a_row, i64 a_column, ptr x, i64 n, i64 forward, i64 unit)

`x` holds `n` rows of `WIDTH_BYTES` each, the right hand sides, which become the solution with the other sign: then what
is known is added to the rest, as products do. Strides of `a` are in bytes, one of them that of neighbours. `forward`
says whether the first equation has one unknown or the last.
"""

from __future__ import annotations

from fungrad.jit.products.text import Function
from fungrad.ops.linalg.blocks import WIDTH_BYTES

# Equations that are solved one after the other, before a product adds what they say to the others: their part of the
# work is small, and the rows of a product are not too few.
_ROWS = 32
# Bytes of a vector; narrower registers take two or four for it.
_VECTOR_BYTES = 64


def module(element: str, product: str) -> str:
    """The function for an element type, `f32` or `f64`, and the name of the product that it calls."""
    type, size = ("float", 4) if element == "f32" else ("double", 8)
    lanes = _VECTOR_BYTES // size
    vector = f"<{lanes} x {type}>"
    places = range(0, WIDTH_BYTES, _VECTOR_BYTES)
    parameters = "ptr a, i64 a_row, i64 a_column, ptr x, i64 n, i64 forward, i64 unit"
    pairs: list[tuple[str, str]] = [tuple(p.split()) for p in parameters.split(", ")]  # type: ignore[misc]
    f = Function(f"triangular_solve_{element}", pairs, internal=False)
    forward = f.op("icmp ne i64 %forward, 0")
    divides = f.op("icmp eq i64 %unit, 0")
    direction = f.op(f"select i1 {forward}, i64 1, i64 -1")
    down, across = f.mul("%a_row", direction), f.mul("%a_column", direction)
    next_row = f.mul(WIDTH_BYTES, direction)
    diagonal = f.add(down, across)

    def broadcast(scalar: str) -> str:
        one = f.op(f"insertelement {vector} poison, {type} {scalar}, i64 0")
        return f.op(f"shufflevector {vector} {one}, {vector} poison, <{lanes} x i32> zeroinitializer")

    def load(pointer: str, at: int) -> str:
        return f.op(f"load {vector}, ptr {f.at(pointer, at)}, align {size}")

    def equations(first: str, count: str) -> None:
        start = f.at("%a", f.mul(first, f.add("%a_row", "%a_column")))

        def equation(i: str, pointers: list[str]) -> list[str]:
            at, x = pointers
            d = f.op(f"load {type}, ptr {at}, align {size}")
            d = f.op(f"select i1 {divides}, {type} {d}, {type} 1.0")
            inverse = broadcast(f.op(f"fdiv {type} -1.0, {d}"))
            known = []
            for place in places:
                value = f.op(f"fmul {vector} {load(x, place)}, {inverse}")
                f.do(f"store {vector} {value}, ptr {f.at(x, place)}, align {size}")
                known.append(value)

            def other(_: str, pointers: list[str]) -> list[str]:
                coefficient, y = pointers
                factor = broadcast(f.op(f"load {type}, ptr {coefficient}, align {size}"))
                for place, value in zip(places, known, strict=True):
                    total = f.op(
                        f"call {vector} @llvm.fma.v{lanes}{element}({vector} {factor}, {vector} {value}, "
                        f"{vector} {load(y, place)})"
                    )
                    f.do(f"store {vector} {total}, ptr {f.at(y, place)}, align {size}")
                return [f.at(coefficient, down), f.at(y, next_row)]

            rest = f.sub(f.sub(count, i), 1)
            f.loop(rest, 1, other, [("ptr", f.at(at, down)), ("ptr", f.at(x, next_row))])
            return [f.at(at, diagonal), f.at(x, next_row)]

        f.loop(count, 1, equation, [("ptr", start), ("ptr", f.at("%x", f.mul(first, WIDTH_BYTES)))])

    def block(done: str, _: list[str]) -> list[str]:
        count = f.least(f.sub("%n", done), _ROWS)
        last = f.sub("%n", done)
        low = f.op(f"select i1 {forward}, i64 {done}, i64 {f.sub(last, count)}")
        known = f.op(f"select i1 {forward}, i64 0, i64 {last}")
        row = f.at("%a", f.mul(low, "%a_row"))

        def add_known() -> None:
            f.do(
                f"call void @{product}(ptr {f.at(row, f.mul(known, '%a_column'))}, i64 %a_row, i64 %a_column, "
                f"ptr {f.at('%x', f.mul(known, WIDTH_BYTES))}, i64 {WIDTH_BYTES}, i64 {size}, "
                f"ptr {f.at('%x', f.mul(low, WIDTH_BYTES))}, i64 {WIDTH_BYTES}, "
                f"i64 {count}, i64 {WIDTH_BYTES // size}, i64 {done}, i64 1)"
            )

        f.choose(f.op(f"icmp sgt i64 {done}, 0"), add_known)
        first = f.op(f"select i1 {forward}, i64 {low}, i64 {f.sub(last, 1)}")
        equations(first, count)
        return []

    f.loop("%n", _ROWS, block)
    ends = "ptr, i64, i64, ptr, i64, i64, ptr, i64, i64, i64, i64, i64"
    declarations = [
        f"declare void @{product}({ends})",
        f"declare {vector} @llvm.fma.v{lanes}{element}({vector}, {vector}, {vector})",
        "attributes #0 = { nounwind }",
    ]
    return "\n".join([*declarations, f.text()])
