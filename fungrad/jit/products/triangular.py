"""Triangular systems with many right hand sides, and Cholesky factors: blocks of equations, between which products do
most of the work.

    triangular_solve (ptr a, i64 a_row, i64 a_column, ptr x, i64 n, i64 forward, i64 unit)
    cholesky         (ptr x, i64 x_row, ptr failed, i64 n)

`x` of a system holds `n` rows of `WIDTH_BYTES` each, the right hand sides, which become the solution with the other
sign: then what is known is added to the rest, as products do. Strides of `a` are in bytes, one of them that of
neighbours. `forward` says whether the first equation has one unknown or the last.

`x` of a factorisation holds the upper triangle of a matrix with the other sign, in rows of a multiple of `ROWS`
numbers. It becomes the upper factor; what is below is undefined. `failed` is the address of an `i32`: whether the
matrix is not positive definite.
"""

from __future__ import annotations

from collections.abc import Sequence

from fungrad.jit.products.text import Function
from fungrad.ops.linalg.blocks import ROWS, VECTOR_BYTES, WIDTH_BYTES


class _Writer(Function):
    """A function on rows of vectors.

    Args:
      name: without the element type.
      element: `f32` or `f64`.
      parameters: LLVM's types and names.
      product: name of the product that it calls.
    """

    def __init__(self, name: str, element: str, parameters: str, product: str):
        pairs: list[tuple[str, str]] = [tuple(p.split()) for p in parameters.split(", ")]  # type: ignore[misc]
        super().__init__(f"{name}_{element}", pairs, internal=False)
        self.element, self.product = element, product
        self.type, self.size = ("float", 4) if element == "f32" else ("double", 8)
        self.lanes = VECTOR_BYTES // self.size
        self.vector = f"<{self.lanes} x {self.type}>"

    def broadcast(self, scalar: str) -> str:
        """A number in all lanes."""
        one = self.op(f"insertelement {self.vector} poison, {self.type} {scalar}, i64 0")
        zeros = f"<{self.lanes} x i32> zeroinitializer"
        return self.op(f"shufflevector {self.vector} {one}, {self.vector} poison, {zeros}")

    def scalar(self, pointer: str) -> str:
        """A number in memory."""
        return self.op(f"load {self.type}, ptr {pointer}, align {self.size}")

    def load(self, pointer: str, at: int) -> str:
        """A vector in memory."""
        return self.op(f"load {self.vector}, ptr {self.at(pointer, at)}, align {self.size}")

    def store(self, value: str, pointer: str, at: int) -> None:
        """Writes a vector."""
        self.do(f"store {self.vector} {value}, ptr {self.at(pointer, at)}, align {self.size}")

    def add_product(self, a: str, strides: tuple, b: str, b_row: str | int, c: str, sizes: tuple) -> None:
        """Adds `a @ b` to `c`, whose rows are as far apart as those of `b`."""
        rows, columns, terms = sizes
        self.do(
            f"call void @{self.product}(ptr {a}, i64 {strides[0]}, i64 {strides[1]}, ptr {b}, i64 {b_row}, "
            f"i64 {self.size}, ptr {c}, i64 {b_row}, i64 {rows}, i64 {columns}, i64 {terms}, i64 1)"
        )

    def equations(
        self,
        a: str,
        strides: tuple[str | int, str | int],
        x: str,
        x_row: str | int,
        count: str,
        places: Sequence[int],
        inverse_of: str = "",
    ) -> None:
        """Solves so many equations one after the other, in vectors at some places of each row.

        Args:
          a: address of the first coefficient.
          strides: bytes between its rows and columns.
          x: address of the first row of right hand sides, which become the solution with the other sign.
          x_row: bytes between these.
          count: of the equations.
          places: bytes from the beginning of a row.
          inverse_of: an `i1`: whether coefficients on the diagonal count; without it they do.
        """
        down, across = strides
        diagonal = self.add(down, across)

        def equation(i: str, pointers: list[str]) -> list[str]:
            at, row = pointers
            d = self.scalar(at)
            if inverse_of:
                d = self.op(f"select i1 {inverse_of}, {self.type} {d}, {self.type} 1.0")
            inverse = self.broadcast(self.op(f"fdiv {self.type} -1.0, {d}"))
            known = [self.op(f"fmul {self.vector} {self.load(row, p)}, {inverse}") for p in places]
            for place, value in zip(places, known, strict=True):
                self.store(value, row, place)

            def other(_: str, pointers: list[str]) -> list[str]:
                coefficient, y = pointers
                self.add_row(self.broadcast(self.scalar(coefficient)), known, y, places)
                return [self.at(coefficient, down), self.at(y, x_row)]

            rest = self.sub(self.sub(count, i), 1)
            self.loop(rest, 1, other, [("ptr", self.at(at, down)), ("ptr", self.at(row, x_row))])
            return [self.at(at, diagonal), self.at(row, x_row)]

        self.loop(count, 1, equation, [("ptr", a), ("ptr", x)])

    def add_row(self, factor: str, values: Sequence[str], row: str, places: Sequence[int]) -> None:
        """Adds a multiple of some vectors to a row."""
        v = self.vector
        for place, value in zip(places, values, strict=True):
            terms = f"{v} {factor}, {v} {value}, {v} {self.load(row, place)}"
            self.store(self.op(f"call {v} @llvm.fma.v{self.lanes}{self.element}({terms})"), row, place)


def _solve(element: str, product: str) -> str:
    parameters = "ptr a, i64 a_row, i64 a_column, ptr x, i64 n, i64 forward, i64 unit"
    f = _Writer("triangular_solve", element, parameters, product)
    forward = f.op("icmp ne i64 %forward, 0")
    divides = f.op("icmp eq i64 %unit, 0")
    direction = f.op(f"select i1 {forward}, i64 1, i64 -1")
    strides = f.mul("%a_row", direction), f.mul("%a_column", direction)
    next_row = f.mul(WIDTH_BYTES, direction)
    diagonal = f.add("%a_row", "%a_column")

    def block(done: str, _: list[str]) -> list[str]:
        last = f.sub("%n", done)
        count = f.least(last, ROWS)
        low = f.op(f"select i1 {forward}, i64 {done}, i64 {f.sub(last, count)}")
        known = f.op(f"select i1 {forward}, i64 0, i64 {last}")
        a = f.at(f.at("%a", f.mul(low, "%a_row")), f.mul(known, "%a_column"))
        b, c = (f.at("%x", f.mul(k, WIDTH_BYTES)) for k in (known, low))
        sizes = count, WIDTH_BYTES // f.size, done
        some = f.op(f"icmp sgt i64 {done}, 0")
        f.choose(some, lambda: f.add_product(a, ("%a_row", "%a_column"), b, WIDTH_BYTES, c, sizes))
        first = f.op(f"select i1 {forward}, i64 {low}, i64 {f.sub(last, 1)}")
        start, x = f.at("%a", f.mul(first, diagonal)), f.at("%x", f.mul(first, WIDTH_BYTES))
        f.equations(start, strides, x, next_row, count, range(0, WIDTH_BYTES, VECTOR_BYTES), divides)
        return []

    f.loop("%n", ROWS, block)
    return f.text()


def _cholesky(element: str, product: str) -> str:
    f = _Writer("cholesky", element, "ptr x, i64 x_row, ptr failed, i64 n", product)
    own = ROWS * f.size
    diagonal = f.add("%x_row", f.size)
    f.do("store i32 0, ptr %failed")

    def factor(first: str, count: str) -> None:
        """The square on the diagonal."""

        def row(i: str, pointers: list[str]) -> list[str]:
            at, x = pointers
            d = f.op(f"fneg {f.type} {f.scalar(at)}")
            bad = f.op(f"fcmp ule {f.type} {d}, 0.0")
            f.choose(bad, lambda: f.do("store i32 1, ptr %failed"))
            root = f.op(f"call {f.type} @llvm.sqrt.{element}({f.type} {d})")
            inverse = f.broadcast(f.op(f"fdiv {f.type} -1.0, {root}"))
            places = range(0, own, VECTOR_BYTES)
            known = [f.op(f"fmul {f.vector} {f.load(x, p)}, {inverse}") for p in places]
            for place, value in zip(places, known, strict=True):
                f.store(value, x, place)
            f.do(f"store {f.type} {root}, ptr {at}, align {f.size}")

            def other(_: str, pointers: list[str]) -> list[str]:
                coefficient, y = pointers
                f.add_row(f.broadcast(f.scalar(coefficient)), known, y, places)
                return [f.at(coefficient, f.size), f.at(y, "%x_row")]

            f.loop(f.sub(f.sub(count, i), 1), 1, other, [("ptr", f.at(at, f.size)), ("ptr", f.at(x, "%x_row"))])
            return [f.at(at, diagonal), f.at(x, "%x_row")]

        f.loop(count, 1, row, [("ptr", first), ("ptr", first)])

    def block(done: str, _: list[str]) -> list[str]:
        column = f.mul(done, f.size)
        above = f.at("%x", column)
        first = f.at(above, f.mul(done, "%x_row"))
        count = f.least(f.sub("%n", done), ROWS)
        width = f.sub("%x_row", column)
        sizes = count, f.op(f"sdiv i64 {width}, {f.size}"), done
        some = f.op(f"icmp sgt i64 {done}, 0")
        f.choose(some, lambda: f.add_product(above, (f.size, "%x_row"), above, "%x_row", first, sizes))
        factor(first, count)
        rest = f.sub(width, own)
        wide = f.op(f"srem i64 {f.most(rest, 0)}, {WIDTH_BYTES}")
        whole = f.sub(f.most(rest, 0), wide)
        beside = f.at(first, own)

        def part(start: str, places: Sequence[int]) -> list[str]:
            f.equations(first, (f.size, "%x_row"), f.at(beside, start), "%x_row", count, places)
            return []

        f.loop(whole, WIDTH_BYTES, lambda at, _: part(at, range(0, WIDTH_BYTES, VECTOR_BYTES)))
        f.loop(wide, VECTOR_BYTES, lambda at, _: part(f.add(whole, at), [0]))
        return []

    f.loop("%n", ROWS, block)
    return f.text()


def module(element: str, product: str) -> str:
    """The functions for an element type, `f32` or `f64`, and the name of the product that they call."""
    f = _Writer("none", element, "ptr x", product)
    v = f.vector
    declarations = [
        f"declare void @{product}(ptr, i64, i64, ptr, i64, i64, ptr, i64, i64, i64, i64, i64)",
        f"declare {v} @llvm.fma.v{f.lanes}{element}({v}, {v}, {v})",
        f"declare {f.type} @llvm.sqrt.{element}({f.type})",
        "attributes #0 = { nounwind }",
    ]
    return "\n".join([*declarations, _solve(element, product), _cholesky(element, product)])
