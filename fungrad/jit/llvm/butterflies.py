"""Text of Fourier transforms of many columns at once: one function per length and layout.

A function transforms as many columns as a register has lanes. A number is a pair of registers, for the real and the
imaginary parts of all columns; so no step of the transform itself moves anything between lanes. The algorithm is
Stockham's (Cochran et al., What is the fast Fourier transform?, 1967): each stage reads one scratch array and writes
the other, in an order that makes the results come out sorted. The first stage reads the input and the last writes the
output; where columns are not next to each other in memory, squares are transposed on the way.

Inverse transforms exchange real and imaginary parts before and after.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from typing import NamedTuple

import numpy as np

from fungrad.jit.ir import tuning
from fungrad.jit.ir.fourier import radices, roots

# The parts of a number in all lanes: names of registers.
Pair = tuple[str, str]


class Layout(NamedTuple):
    """Where the element `e` of the column `l` is: at `e * row + l * lane` complex numbers; one of the two is 1."""

    row: int
    lane: int


class Columns(NamedTuple):
    """What a function does.

    Attributes:
      real: LLVM type of the parts of numbers.
      n: length of the transform.
      lanes: number of columns.
      source, target: layouts of input and output.
      inverse: whether it is the inverse transform (not divided).
      whole: 0, or the length of the transform of which this is the first step: result `k` of column `l` is multiplied
        with the root `exp(-2 pi i k l / whole)`.
      scale: what results are multiplied with.
      registers: how many vectors the processor holds.
    """

    real: str
    n: int
    lanes: int
    source: Layout
    target: Layout
    inverse: bool = False
    whole: int = 0
    scale: float = 1.0
    registers: int = 16

    @property
    def name(self) -> str:
        """Of the function."""
        places = "_".join(str(v) for v in (*self.source, *self.target))
        scale = f"_{struct.pack('>d', self.scale).hex()}" if self.scale != 1 else ""
        return f"fft_{self.real}_{self.n}_{self.lanes}_{places}_{'i' if self.inverse else 'f'}{self.whole}{scale}"

    @property
    def scratch_bytes(self) -> int:
        """Size of each of the two scratch arrays."""
        return self.n * 2 * self.lanes * (4 if self.real == "float" else 8)


def define(globals: dict[str, str], columns: Columns) -> str:
    """Adds a function `(ptr x, ptr y, ptr a, ptr b, i64 first)` to the text of a module, unless it is there.

    `x` and `y` are the first elements of its first column, whose number is `first`; `a` and `b` are scratch arrays.
    """
    name = columns.name
    if f"@{name}" not in globals:
        globals[f"@{name}"] = _Writer(globals, columns).text()
    return name


def bytes_constant(globals: dict[str, str], name: str, values: np.ndarray) -> str:
    """A table in the module; the name says what is in it."""
    data = np.ascontiguousarray(values).tobytes()
    escaped = re.sub("(..)", r"\\\1", data.hex())
    globals.setdefault(f"@{name}", f'@{name} = internal constant [{len(data)} x i8] c"{escaped}", align 64')
    return f"@{name}"


class _Writer:
    """Writes one function."""

    def __init__(self, globals: dict[str, str], columns: Columns):
        self.globals = globals
        self.of = columns
        self.lines: list[str] = []
        self.numbers = count()
        self.real = columns.real
        self.size = 4 if self.real == "float" else 8
        self.dtype = np.dtype(np.float32 if self.real == "float" else np.float64)
        lanes = columns.lanes
        self.vector = f"<{lanes} x {self.real}>"
        self.wide = f"<{2 * lanes} x {self.real}>"
        # Numbers stand in registers in an order that takes one instruction per part from the order in memory and back.
        per_chunk = 16 // (2 * self.size)
        chunks = lanes * self.size // 16
        if chunks > 1:
            half = lanes // 2
            self.order = [
                at + t for b in range(chunks) for at in (b * per_chunk, half + b * per_chunk) for t in range(per_chunk)
            ]
        else:
            self.order = list(range(lanes))

    def text(self) -> str:
        """The whole function."""
        of = self.of
        self.transform()
        pointers = ", ".join(f"ptr noalias %{p}" for p in "xyab")
        head = f"define internal void @{of.name}({pointers}, i64 %first) #0 {{"
        return "\n".join([head, "entry:", *self.lines, "ret void", "}"])

    # -- instructions ----------------------------------------------------------------------------------------------

    def let(self, text: str) -> str:
        """A new register."""
        name = f"%v{next(self.numbers)}"
        self.lines.append(f"{name} = {text}")
        return name

    @contextmanager
    def loop(self, extent: int) -> Iterator[str]:
        """Repeat the lines inside; yields the counter."""
        if extent == 1:
            yield "0"
            return
        k = next(self.numbers)
        self.lines += [
            f"br label %before{k}",
            f"before{k}:",
            f"br label %loop{k}",
            f"loop{k}:",
            f"%i{k} = phi i64 [ 0, %before{k} ], [ %n{k}, %latch{k} ]",
        ]
        yield f"%i{k}"
        self.lines += [
            f"br label %latch{k}",
            f"latch{k}:",
            f"%n{k} = add nuw nsw i64 %i{k}, 1",
            f"%c{k} = icmp ult i64 %n{k}, {extent}",
            f"br i1 %c{k}, label %loop{k}, label %after{k}",
            f"after{k}:",
        ]

    def index(self, *terms: tuple[str, int], const: int = 0) -> str:
        """A sum of multiples of counters."""
        total = str(const)
        for counter, factor in terms:
            if counter == "0" or factor == 0:
                continue
            part = counter if factor == 1 else self.let(f"mul nuw nsw i64 {counter}, {factor}")
            total = part if total == "0" else self.let(f"add nuw nsw i64 {total}, {part}")
        return total

    def at(self, base: str, index: str | int) -> str:
        """Address of a real number."""
        return base if index in ("0", 0) else self.let(f"getelementptr {self.real}, ptr {base}, i64 {index}")

    def number(self, value: float) -> str:
        """A real constant in all lanes."""
        bits = struct.pack(">d", float(self.dtype.type(value))).hex().upper()
        return f"splat ({self.real} 0x{bits})"

    def op(self, name: str, a: str, b: str) -> str:
        """An operation on vectors, which may be contracted with another."""
        return self.let(f"{name} contract {self.vector} {a}, {b}")

    def add(self, a: Pair, b: Pair) -> Pair:
        return self.op("fadd", a[0], b[0]), self.op("fadd", a[1], b[1])

    def sub(self, a: Pair, b: Pair) -> Pair:
        return self.op("fsub", a[0], b[0]), self.op("fsub", a[1], b[1])

    def times(self, a: Pair, factor: float) -> Pair:
        """A multiple by a real constant."""
        return self.op("fmul", a[0], self.number(factor)), self.op("fmul", a[1], self.number(factor))

    def minus_i(self, a: Pair, b: Pair) -> tuple[Pair, Pair]:
        """`a - i b` and `a + i b`."""
        down = self.op("fadd", a[0], b[1]), self.op("fsub", a[1], b[0])
        up = self.op("fsub", a[0], b[1]), self.op("fadd", a[1], b[0])
        return down, up

    def product(self, a: Pair, b: Pair) -> Pair:
        """A complex product."""
        re = self.op("fsub", self.op("fmul", a[0], b[0]), self.op("fmul", a[1], b[1]))
        im = self.op("fadd", self.op("fmul", a[0], b[1]), self.op("fmul", a[1], b[0]))
        return re, im

    def splat(self, scalar: str) -> str:
        """A scalar in all lanes."""
        one = self.let(f"insertelement {self.vector} poison, {self.real} {scalar}, i64 0")
        return self.let(
            f"shufflevector {self.vector} {one}, {self.vector} poison, <{self.of.lanes} x i32> zeroinitializer"
        )

    def scalar(self, base: str, index: str | int) -> str:
        return self.let(f"load {self.real}, ptr {self.at(base, index)}, align {self.size}")

    # -- memory ----------------------------------------------------------------------------------------------------

    def shuffle(self, type: str, a: str, b: str, mask: Sequence[int]) -> str:
        places = ", ".join(f"i32 {k}" for k in mask)
        return self.let(f"shufflevector {type} {a}, {type} {b}, <{len(mask)} x i32> <{places}>")

    def parts(self, wide: str) -> Pair:
        """Numbers as they are in memory taken apart; where the transform is the inverse one, exchanged."""
        re, im = (self.shuffle(self.wide, wide, "poison", [2 * k + t for k in self.order]) for t in (0, 1))
        return (im, re) if self.of.inverse else (re, im)

    def together(self, value: Pair) -> str:
        """The reverse."""
        re, im = (value[1], value[0]) if self.of.inverse else value
        lanes = self.of.lanes
        places = [self.order.index(k) for k in range(lanes)]
        return self.shuffle(self.vector, re, im, [p + t * lanes for p in places for t in (0, 1)])

    def load_split(self, base: str, offset: int) -> Pair:
        """Element `offset` of a scratch array from an address on."""
        lanes = self.of.lanes
        places = (2 * lanes * offset, 2 * lanes * offset + lanes)
        align = lanes * self.size
        re, im = (self.let(f"load {self.vector}, ptr {self.at(base, p)}, align {align}") for p in places)
        return re, im

    def store_split(self, value: Pair, base: str, offset: int) -> None:
        lanes = self.of.lanes
        for t, part in enumerate(value):
            address = self.at(base, 2 * lanes * offset + t * lanes)
            self.lines.append(f"store {self.vector} {part}, ptr {address}, align {lanes * self.size}")

    def square(self, values: Sequence[str]) -> list[str]:
        """The columns of a square of complex numbers: halves are exchanged between rows at distance n/2, n/4, ... 1."""
        n = self.of.lanes
        values = list(values)
        distance = n // 2
        while distance:
            low = [c if not c & distance else n + c - distance for c in range(n)]
            high = [c + distance if not c & distance else n + c for c in range(n)]
            for r in range(n):
                if not r & distance:
                    a, b = values[r], values[r + distance]
                    for at, order in ((r, low), (r + distance, high)):
                        mask = [2 * c + t for c in order for t in (0, 1)]
                        values[at] = self.shuffle(self.wide, a, b, mask)
            distance //= 2
        return values

    def transpose(self, inwards: bool, scratch: str) -> None:
        """Moves columns whose elements are next to each other into a scratch array, or from it to the output."""
        of, lanes = self.of, self.of.lanes
        base, layout = ("%x", of.source) if inwards else ("%y", of.target)
        if of.n < lanes:
            for e in range(of.n):
                self.gather(e, base, layout, scratch) if inwards else self.spread(e, base, layout, scratch)
            return
        with self.loop(-(-of.n // lanes)) as block:
            # The last square overlaps the one before where the length is no multiple of the lanes.
            start = self.index((block, lanes))
            if of.n % lanes:
                inside = self.let(f"icmp ult i64 {start}, {of.n - lanes}")
                start = self.let(f"select i1 {inside}, i64 {start}, i64 {of.n - lanes}")
            rows = self.at(base, self.index((start, 2)))
            places = [self.at(rows, 2 * layout.lane * k) for k in range(lanes)]
            here = self.at(scratch, self.index((start, 2 * lanes)))
            if inwards:
                values = [self.let(f"load {self.wide}, ptr {p}, align {self.size}") for p in places]
                for k, column in enumerate(self.square(values)):
                    self.store_split(self.parts(column), here, k)
            else:
                values = [self.together(self.finished(self.load_split(here, k), "")) for k in range(lanes)]
                for p, row in zip(places, self.square(values), strict=True):
                    self.lines.append(f"store {self.wide} {row}, ptr {p}, align {self.size}")

    def gather(self, e: int, base: str, layout: Layout, scratch: str) -> None:
        """One element of all columns, number by number, into a scratch array."""
        wide = "poison"
        for lane in range(self.of.lanes):
            for t in (0, 1):
                part = self.scalar(base, 2 * (e * layout.row + lane * layout.lane) + t)
                wide = self.let(f"insertelement {self.wide} {wide}, {self.real} {part}, i64 {2 * lane + t}")
        self.store_split(self.parts(wide), scratch, e)

    def spread(self, e: int, base: str, layout: Layout, scratch: str) -> None:
        """The reverse, to the output."""
        wide = self.together(self.finished(self.load_split(scratch, e), ""))
        for lane in range(self.of.lanes):
            for t in (0, 1):
                part = self.let(f"extractelement {self.wide} {wide}, i64 {2 * lane + t}")
                address = self.at(base, 2 * (e * layout.row + lane * layout.lane) + t)
                self.lines.append(f"store {self.real} {part}, ptr {address}, align {self.size}")

    # -- the transform ---------------------------------------------------------------------------------------------

    def transform(self) -> None:
        """All stages."""
        of = self.of
        stages = radices(of.n, of.registers)
        direct_in, direct_out = of.source.lane == 1, of.target.lane == 1
        here, other = "%a", "%b"
        if not direct_in:
            self.transpose(True, here)
        done = 1
        for number, r in enumerate(stages):
            first, last = number == 0, number == len(stages) - 1
            source = "%x" if first and direct_in else here
            target = "%y" if last and direct_out else other
            self.stage(r, of.n // (done * r), done, source, target)
            done *= r
            if not (first and direct_in):
                here, other = other, here
            elif target == other:
                here, other = other, here
        if not direct_out:
            self.transpose(False, here)

    def stage(self, r: int, m: int, s: int, source: str, target: str) -> None:
        """Transforms of length `r` of the elements `q + s * (p + m * j)`, for `p < m` and `q < s`; their results times
        the roots `exp(-2 pi i k p / (r m))` become the elements `q + s * (r * p + k)`."""
        of, lanes = self.of, self.of.lanes
        table = ""
        if m > 1:
            powers = np.arange(m)[:, None] * np.arange(1, r)[None]
            table = self.table(f"fft_stage_{self.real}_{r}_{m}", roots(r * m, powers))
        # An element takes that many real numbers.
        step_in = 2 * of.source.row if source == "%x" else 2 * lanes
        step_out = 2 * of.target.row if target == "%y" else 2 * lanes
        with self.loop(m) as p:
            factors: list[Pair] = []
            if m > 1:
                row = self.at(table, self.index((p, 2 * (r - 1))))
                pairs = [(self.scalar(row, 2 * k), self.scalar(row, 2 * k + 1)) for k in range(r - 1)]
                factors = [(self.splat(re), self.splat(im)) for re, im in pairs]
            with self.loop(s) as q:
                before = self.index((q, 1), (p, s))
                after = self.index((q, 1), (p, s * r))
                read = self.at(source, self.index((before, step_in)))
                written = self.at(target, self.index((after, step_out)))
                values = []
                for j in range(r):
                    if source == "%x":
                        address = self.at(read, s * m * j * step_in)
                        wide = self.let(f"load {self.wide}, ptr {address}, align {self.size}")
                        values.append(self.parts(wide))
                    else:
                        values.append(self.load_split(read, s * m * j))
                results = self.butterfly(values)
                for k, value in enumerate(results):
                    if k and m > 1:
                        value = self.product(value, factors[k - 1])
                    if target == "%y":
                        wide = self.together(
                            self.finished(value, self.index((after, 1), const=s * k) if of.whole else "")
                        )
                        address = self.at(written, s * k * step_out)
                        self.lines.append(f"store {self.wide} {wide}, ptr {address}, align {self.size}")
                    else:
                        self.store_split(value, written, s * k)

    def table(self, name: str, values: np.ndarray) -> str:
        """Complex numbers as a constant."""
        dtype = np.complex64 if self.size == 4 else np.complex128
        return bytes_constant(self.globals, name, values.astype(dtype))

    def finished(self, value: Pair, k: str) -> Pair:
        """A result multiplied with what it is to be multiplied with; `k` is its number."""
        of = self.of
        if of.whole:
            value = self.product(value, self.root_of_columns(k))
        return self.times(value, of.scale) if of.scale != 1 else value

    def root_of_columns(self, k: str) -> Pair:
        """`exp(-2 pi i k l / whole)` for the columns `l`: the root for the first of them, the product of two from
        tables, times those for the others counted from there."""
        of = self.of
        if of.whole <= tuning.LONGEST_TABLE:
            many = of.whole // of.n
            powers = np.arange(of.n)[:, None] * np.arange(many)[None]
            table = self.table(f"fft_all_{self.real}_{of.whole}_{of.n}", roots(of.whole, powers))
            at = self.let(f"add nuw nsw i64 {self.index((k, many))}, %first")
            wide = self.let(f"load {self.wide}, ptr {self.at(table, self.index((at, 2)))}, align {2 * self.size}")
            re, im = self.parts(wide)
            return (im, re) if of.inverse else (re, im)
        shift = (of.whole.bit_length() + 1) // 2
        low = self.table(f"fft_low_{self.real}_{of.whole}", roots(of.whole, np.arange(1 << shift)))
        above = np.arange((of.whole >> shift) + 1) << shift
        high = self.table(f"fft_high_{self.real}_{of.whole}", roots(of.whole, above))
        lanes = np.asarray(self.order)
        powers = np.arange(of.n)[:, None] * lanes[None]
        split = roots(of.whole, powers)
        split = np.stack([split.real, split.imag], 1).astype(self.dtype)
        beside = bytes_constant(self.globals, f"fft_lanes_{self.real}_{of.whole}_{of.n}_{of.lanes}", split)
        power = self.let(f"mul nuw nsw i64 {k}, %first")
        found = []
        places = self.let(f"lshr i64 {power}, {shift}"), self.let(f"and i64 {power}, {(1 << shift) - 1}")
        for base, at in zip((high, low), places, strict=True):
            row = self.at(base, self.index((at, 2)))
            found.append((self.scalar(row, 0), self.scalar(row, 1)))
        (a, b), (c, d) = found

        def real(name: str, x: str, y: str) -> str:
            return self.let(f"{name} contract {self.real} {x}, {y}")

        re = real("fsub", real("fmul", a, c), real("fmul", b, d))
        im = real("fadd", real("fmul", a, d), real("fmul", b, c))
        others = self.load_split(self.at(beside, self.index((k, 2 * of.lanes))), 0)
        return self.product((self.splat(re), self.splat(im)), others)

    # -- short transforms ------------------------------------------------------------------------------------------

    def butterfly(self, x: list[Pair]) -> list[Pair]:
        """The transform of a few numbers."""
        n = len(x)
        if n == 2:
            return [self.add(*x), self.sub(*x)]
        if n == 8:
            return self.eight(x)
        return self.four(x) if n == 4 else self.odd(x)

    def four(self, x: list[Pair]) -> list[Pair]:
        even = self.add(x[0], x[2]), self.sub(x[0], x[2])
        odd = self.add(x[1], x[3]), self.sub(x[1], x[3])
        down, up = self.minus_i(even[1], odd[1])
        return [self.add(even[0], odd[0]), down, self.sub(even[0], odd[0]), up]

    def eight(self, x: list[Pair]) -> list[Pair]:
        even, odd = self.four(x[::2]), self.four(x[1::2])
        half = math.sqrt(0.5)
        first = self.op("fadd", *odd[1]), self.op("fsub", odd[1][1], odd[1][0])
        third = self.op("fsub", odd[3][1], odd[3][0]), self.op("fadd", *odd[3])
        first, third = self.times(first, half), self.times(third, half)
        # The third root times a number is `(re, -im)` of what is here.
        turned = self.minus_i(even[2], odd[2])
        return [
            self.add(even[0], odd[0]),
            self.add(even[1], first),
            turned[0],
            (self.op("fadd", even[3][0], third[0]), self.op("fsub", even[3][1], third[1])),
            self.sub(even[0], odd[0]),
            self.sub(even[1], first),
            turned[1],
            (self.op("fsub", even[3][0], third[0]), self.op("fadd", even[3][1], third[1])),
        ]

    def odd(self, x: list[Pair]) -> list[Pair]:
        """An odd number of them: results `k` and `n - k` share sums over the pairs of elements `j` and `n - j`."""
        n = len(x)
        half = n // 2
        sums = [self.add(x[j], x[n - j]) for j in range(1, half + 1)]
        differences = [self.sub(x[j], x[n - j]) for j in range(1, half + 1)]
        total = x[0]
        for value in sums:
            total = self.add(total, value)
        results: list[Pair] = [total] * n
        for k in range(1, half + 1):
            even, odd = x[0], ("", "")
            for j in range(1, half + 1):
                root = complex(roots(n, np.asarray(j * k)))
                even = self.add(even, self.times(sums[j - 1], root.real))
                term = self.times(differences[j - 1], -root.imag)
                odd = term if j == 1 else self.add(odd, term)
            results[k], results[n - k] = self.minus_i(even, odd)
        return results
