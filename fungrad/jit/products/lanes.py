"""Factorisations of batches of matrices that fit no registers: every lane of a vector works on a matrix of its own.

A block of matrices is an array `[rows, columns, lanes]`, which stays in the cache while one function goes over it.
Sizes are arguments, so there is one module per element type, whatever the sizes in a program. The functions:

    lu          (ptr x, ptr exchanges, ptr order, i64 m, i64 n): both factors in place; rows are exchanged lane by lane
    cholesky    (ptr x, i64 n): the lower factor in place, all NaN in lanes whose matrix is not positive definite
    solve       (ptr a, ptr x, i64 a_at, i64 a_row, i64 a_column, i64 x_at, i64 x_row, i64 n, i64 columns, i64 unit):
                forward substitution in place; places and strides in bytes say where the first equation is, and which
                way the others lie

Each number is computed by the same operations in the same order whatever the lane, so that results do not depend on
the place of a matrix in its batch.
"""

from __future__ import annotations

from collections.abc import Callable

from fungrad.jit.products.text import Function
from fungrad.ops.linalg.lanes import LANES_BYTES, MOST_ROWS


class _Writer(Function):
    """A function on rows of lanes."""

    def __init__(self, name: str, element: str, parameters: str):
        pairs: list[tuple[str, str]] = [tuple(p.split()) for p in parameters.split(", ")]  # type: ignore[misc]
        super().__init__(f"{name}_{element}", pairs, internal=False)
        self.element = element
        self.type, self.size = ("float", 4) if element == "f32" else ("double", 8)
        self.lanes = LANES_BYTES // self.size
        self.vector, self.mask = f"<{self.lanes} x {self.type}>", f"<{self.lanes} x i1>"
        self.numbers = f"<{self.lanes} x i32>"

    def load(self, pointer: str, type: str = "") -> str:
        """A row of lanes."""
        return self.op(f"load {type or self.vector}, ptr {pointer}, align {self.size if not type else 4}")

    def store(self, value: str, pointer: str, type: str = "") -> None:
        """Writes a row of lanes."""
        self.do(f"store {type or self.vector} {value}, ptr {pointer}, align {self.size if not type else 4}")

    def call(self, name: str, *arguments: str) -> str:
        """A function of LLVM on rows of lanes."""
        given = ", ".join(f"{self.vector} {a}" for a in arguments)
        return self.op(f"call {self.vector} @llvm.{name}.v{self.lanes}{self.element}({given})")

    def less_product(self, c: str, a: str, b: str) -> str:
        """`c - a * b`, rounded once; `a` comes with its sign changed."""
        return self.call("fma", a, b, c)

    def negative(self, x: str) -> str:
        """The number with the other sign."""
        return self.op(f"fneg {self.vector} {x}")

    def number(self, value: float | str) -> str:
        """A constant in all lanes."""
        text = value if isinstance(value, str) else f"{value:e}"
        return "<" + ", ".join([f"{self.type} {text}"] * self.lanes) + ">"

    def all_lanes(self, value: str) -> str:
        """An `i64` as an `i32` in all lanes."""
        narrow = self.op(f"trunc i64 {value} to i32")
        one = self.op(f"insertelement {self.numbers} poison, i32 {narrow}, i64 0")
        return self.op(f"shufflevector {self.numbers} {one}, {self.numbers} poison, {self.numbers} zeroinitializer")

    def some(self, mask: str) -> str:
        """Whether a condition holds in some lane."""
        return self.op(f"call i1 @llvm.vector.reduce.or.v{self.lanes}i1({self.mask} {mask})")

    def select(self, mask: str, a: str, b: str, type: str = "") -> str:
        """A choice in every lane."""
        type = type or self.vector
        return self.op(f"select {self.mask} {mask}, {type} {a}, {type} {b}")

    def walk(self, count: str, strides: list[tuple[str, str | int]], body: Callable[[str, list[str]], None]) -> None:
        """A loop with pointers that move: pairs of a pointer and the bytes that it moves by."""

        def step(i: str, pointers: list[str]) -> list[str]:
            body(i, pointers)
            return [self.at(p, nbytes) for p, (_, nbytes) in zip(pointers, strides, strict=True)]

        self.loop(count, 1, step, [("ptr", p) for p, _ in strides])


def _lu(element: str) -> str:
    f = _Writer("lanes_lu", element, "ptr x, ptr exchanges, ptr order, i64 m, i64 n")
    row = f.mul("%n", LANES_BYTES)
    diagonal = f.add(row, LANES_BYTES)
    few = 4 * f.lanes
    f.walk("%m", [("%order", few)], lambda i, p: f.store(f.all_lanes(i), p[0], f.numbers))

    def column(k: str, pointers: list[str]) -> None:
        pivot_row, pivot_at, pivot_order, exchange = pointers
        here = f.all_lanes(k)
        below = f.sub(f.sub("%m", k), 1)
        first = f.add(k, 1)

        def compare(i: str, state: list[str]) -> list[str]:
            at, best, place = state
            size = f.call("fabs", f.load(at))
            greater = f.op(f"fcmp ogt {f.vector} {size}, {best}")
            number = f.all_lanes(f.add(first, i))
            return [f.at(at, row), f.select(greater, size, best), f.select(greater, number, place, f.numbers)]

        size = f.call("fabs", f.load(pivot_at))
        start = [("ptr", f.at(pivot_at, row)), (f.vector, size), (f.numbers, here)]
        place = f.loop(below, 1, compare, start)[2]
        f.store(place, exchange, f.numbers)

        def exchange_rows() -> None:
            def with_row(i: str, pointers: list[str]) -> None:
                other, other_order = pointers
                here = f.op(f"icmp eq {f.numbers} {place}, {f.all_lanes(f.add(first, i))}")

                def exchanged() -> None:
                    def swap(a: str, b: str, type: str) -> None:
                        x, y = f.load(a, type), f.load(b, type)
                        f.store(f.select(here, y, x, type), a, type)
                        f.store(f.select(here, x, y, type), b, type)

                    both = [(pivot_row, LANES_BYTES), (other, LANES_BYTES)]
                    f.walk("%n", both, lambda _, p: swap(p[0], p[1], f.vector))  # type: ignore[arg-type]
                    swap(pivot_order, other_order, f.numbers)

                f.choose(f.some(here), exchanged)

            f.walk(below, [(f.at(pivot_row, row), row), (f.at(pivot_order, few), few)], with_row)  # type: ignore[list-item]

        f.choose(f.some(f.op(f"icmp ne {f.numbers} {place}, {here}")), exchange_rows)
        pivot = f.load(pivot_at)
        # The rest of the column is zero if the pivot is.
        zero = f.op(f"fcmp oeq {f.vector} {pivot}, zeroinitializer")
        one = f.number(1.0)
        inverse = f.op(f"fdiv {f.vector} {one}, {f.select(zero, one, pivot)}")
        right = f.sub(f.sub("%n", k), 1)
        beside = f.at(pivot_at, LANES_BYTES)

        def eliminate(_: str, pointers: list[str]) -> None:
            factor = f.op(f"fmul {f.vector} {f.load(pointers[0])}, {inverse}")
            f.store(factor, pointers[0])
            minus = f.negative(factor)

            def element_of(_: str, p: list[str]) -> None:
                f.store(f.less_product(f.load(p[1]), minus, f.load(p[0])), p[1])

            f.walk(right, [(beside, LANES_BYTES), (f.at(pointers[0], LANES_BYTES), LANES_BYTES)], element_of)

        f.walk(below, [(f.at(pivot_at, row), row)], eliminate)

    steps = f.least("%m", "%n")
    f.walk(steps, [("%x", row), ("%x", diagonal), ("%order", few), ("%exchanges", few)], column)
    return f.text()


def _cholesky(element: str) -> str:
    f = _Writer("lanes_cholesky", element, "ptr x, i64 n")
    row = f.mul("%n", LANES_BYTES)
    diagonal = f.add(row, LANES_BYTES)
    kept = f.op(f"alloca [{MOST_ROWS} x {f.vector}], align {LANES_BYTES}")

    def column(j: str, state: list[str]) -> list[str]:
        at, good = state
        d = f.load(at)
        positive = f.op(f"fcmp ogt {f.vector} {d}, zeroinitializer")
        root = f.call("sqrt", d)
        inverse = f.op(f"fdiv {f.vector} {f.number(1.0)}, {root}")
        f.store(root, at)
        below = f.sub(f.sub("%n", j), 1)

        def scale(_: str, p: list[str]) -> None:
            value = f.op(f"fmul {f.vector} {f.load(p[0])}, {inverse}")
            f.store(value, p[0])
            f.store(value, p[1])

        f.walk(below, [(f.at(at, row), row), (kept, LANES_BYTES)], scale)

        def update(i: str, p: list[str]) -> None:
            factor = f.negative(f.load(p[0]))

            def element_of(_: str, q: list[str]) -> None:
                f.store(f.less_product(f.load(q[1]), factor, f.load(q[0])), q[1])

            f.walk(f.add(i, 1), [(kept, LANES_BYTES), (f.at(p[0], LANES_BYTES), LANES_BYTES)], element_of)

        f.walk(below, [(f.at(at, row), row)], update)
        return [f.at(at, diagonal), f.op(f"and {f.mask} {good}, {positive}")]

    every = "<" + ", ".join(["i1 true"] * f.lanes) + ">"
    good = f.loop("%n", 1, column, [("ptr", "%x"), (f.mask, every)])[1]
    nan = f.number("0x7FF8000000000000")
    above = f.select(good, "zeroinitializer", nan)

    def finish(i: str, pointers: list[str]) -> None:
        lower = f.add(i, 1)
        place = [(pointers[0], LANES_BYTES)]
        f.walk(lower, place, lambda _, p: f.store(f.select(good, f.load(p[0]), nan), p[0]))  # type: ignore[arg-type]
        rest = [(f.at(pointers[0], f.mul(lower, LANES_BYTES)), LANES_BYTES)]
        f.walk(f.sub("%n", lower), rest, lambda _, p: f.store(above, p[0]))  # type: ignore[arg-type]

    f.walk("%n", [("%x", row)], finish)
    return f.text()


def _solve(element: str) -> str:
    places = "i64 a_at, i64 a_row, i64 a_column, i64 x_at, i64 x_row"
    f = _Writer("lanes_solve", element, f"ptr a, ptr x, {places}, i64 n, i64 columns, i64 unit")
    divides = f.op("icmp eq i64 %unit, 0")
    diagonal = f.add("%a_row", "%a_column")

    def equation(i: str, pointers: list[str]) -> None:
        at, x = pointers

        def divide() -> None:
            d = f.load(at)

            def one(_: str, p: list[str]) -> None:
                f.store(f.op(f"fdiv {f.vector} {f.load(p[0])}, {d}"), p[0])

            f.walk("%columns", [(x, LANES_BYTES)], one)

        f.choose(divides, divide)

        def other(_: str, p: list[str]) -> None:
            factor = f.negative(f.load(p[0]))

            def element_of(_: str, q: list[str]) -> None:
                f.store(f.less_product(f.load(q[1]), factor, f.load(q[0])), q[1])

            f.walk("%columns", [(x, LANES_BYTES), (p[1], LANES_BYTES)], element_of)

        rest = f.sub(f.sub("%n", i), 1)
        f.walk(rest, [(f.at(at, "%a_row"), "%a_row"), (f.at(x, "%x_row"), "%x_row")], other)

    f.walk("%n", [(f.at("%a", "%a_at"), diagonal), (f.at("%x", "%x_at"), "%x_row")], equation)
    return f.text()


def module(element: str) -> str:
    """The functions for an element type, `f32` or `f64`."""
    f = _Writer("none", element, "ptr x")
    v = f.vector
    suffix = f"v{f.lanes}{element}"
    declarations = [
        f"declare {v} @llvm.fma.{suffix}({v}, {v}, {v})",
        f"declare {v} @llvm.fabs.{suffix}({v})",
        f"declare {v} @llvm.sqrt.{suffix}({v})",
        f"declare i1 @llvm.vector.reduce.or.v{f.lanes}i1({f.mask})",
        "attributes #0 = { nounwind }",
    ]
    return "\n".join([*declarations, _lu(element), _cholesky(element), _solve(element)])
