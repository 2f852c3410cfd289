"""Vector reductions: how an accumulator is spread over vector lanes and put together again.

An accumulator that is updated in a vector loop below its declaration has one partial result per
lane (a power of two of them); after the last update the lanes are combined pairwise, upper half
with lower half, and then with the initial value. This order is fixed by the number of lanes, so a
result never changes between runs.

A sum of many terms has levels: after some iterations of a loop, what they have added up is added to the sum of the
blocks before, and so on for blocks of blocks. The rounding error then grows with the number of levels, not of terms.

A product of floating point numbers is kept in double precision with its exponent apart, in an integer: every few
factors its exponent moves there. So it does not overflow on its way, in whatever order the factors come.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fungrad.jit.ir import tuning
from fungrad.jit.ir.loops import (
    Acc,
    Affine,
    Const,
    Loop,
    Prefix,
    Update,
    Var,
)
from fungrad.jit.ir.ops import combine, neutral
from fungrad.jit.ir.traverse import changes, children, walk
from fungrad.jit.kernels.scalars import FLOATS, Value
from fungrad.jit.llvm.writer import NestWriter

# Factors of single precision that a product in double precision takes before its exponent must be moved: with
# exponents from -149 to 128 it stays within a range of 2 to the powers of -894 and 772.
FACTORS = 6
# The leading bits of the exponent of a double, and what they have to be subtracted from for that of the scale that
# takes them away. Without the last two bits the scale of infinity and nan is a normal number.
_EXPONENT, _SCALE = 0x7FC0 << 48, 0x7FE0 << 48


class Cell:
    """The current state of an accumulator or variable.

    Attributes:
      values: SSA values of the state: one, or (value, position) of an arg reduction.
      lanes: vector lanes of a reduction in progress that runs through a vector loop below its
        declaration; 0 for a plain
        state.
      factors: for a product, whose values are a double and the exponent that it is to be scaled by, how many factors
        the double has taken at most since its own exponent was moved; otherwise None.
    """

    __slots__ = ("declaration", "values", "lanes", "factors")

    def __init__(self, declaration: Acc | Var, values: list[Value], lanes: int = 0, factors: int | None = None):
        self.declaration: Any = declaration
        self.values = values
        self.lanes = lanes
        self.factors = factors


def lanes_of_accumulators(statements: Sequence[Any]) -> dict[str, int]:
    """For every accumulator that is updated in vector loops below its declaration the greatest
    number of lanes that meet there, rounded up to a power of two."""
    lanes: dict[str, int] = {}

    def visit(items: Sequence[Any], outer: dict[str, int], width: int) -> None:
        declared = dict(outer)
        for s in items:
            kind = type(s)
            if kind is Acc:
                declared[s.name] = width
            elif kind is Update and width > declared.get(s.acc, width):
                lanes[s.acc] = max(lanes.get(s.acc, 1), 1 << (width - 1).bit_length())
            inner = width
            if kind is Loop and s.vector:
                inner = max(1, min(s.lanes or 1, s.extent))
            for nested in children(s):
                visit(nested, declared, inner)

    visit(statements, {}, 1)
    return lanes


def arg_reductions(statements: Sequence[Any]) -> dict[str, tuple[str, Affine]]:
    """For every arg reduction the type that holds its positions and the first position: the affine
    index with the loops below the declaration at their start."""
    found: dict[str, tuple[str, Affine]] = {}

    def visit(items: Sequence[Any], extents: dict[str, int], declared: dict[str, set]) -> None:
        declared = dict(declared)
        for s in items:
            kind = type(s)
            if kind is Acc and is_arg(s):
                declared[s.name] = set(extents)
            elif kind is Update and s.position is not None and s.acc in declared:
                position = Affine.of(s.position)
                bounds = position.bounds(extents)
                narrow = bounds is not None and -1 <= bounds[0] and bounds[1] < 1 << 31
                inner = set(extents) - declared[s.acc]
                first = position.substitute({symbol: Affine() for symbol in inner})
                before = found.get(s.acc, ("i32", first))
                found[s.acc] = (before[0] if narrow else "i64", before[1])
            inside = {**extents, s.index: s.extent} if kind is Loop else extents
            for nested in children(s):
                visit(nested, inside, declared)

    visit(statements, {}, {})
    return found


def updates(statements: Sequence[Any], name: str) -> bool:
    """Whether the statements update an accumulator."""
    return any(name in changes(s) for s in walk(statements))


def long_sums(cells: Sequence[Cell], statements: Sequence[Any]) -> list[Cell]:
    """The cells whose sums have levels in a loop of some statements: of floating point numbers, and not running."""
    running = {s.acc for s in walk(statements) if type(s) is Prefix}
    sums = [c for c in cells if type(c.declaration) is Acc and c.declaration.op == "add" and is_float(c)]
    return [c for c in sums if c.declaration.name not in running]


def is_float(cell: Cell) -> bool:
    """Whether a cell holds floating point numbers."""
    return cell.declaration.type in FLOATS


def chain(statements: Sequence[Any], name: str) -> int:
    """How many terms the statements add to an accumulator one after the other."""
    total = 0
    for s in statements:
        kind = type(s)
        if kind in (Update, Prefix):
            total += s.acc == name
        elif kind is Loop:
            inner = chain(s.body, name)
            times = -(-s.extent // (s.lanes or 1)) if s.vector else s.extent
            total += min(inner * times, tuning.SUM_BLOCK) if inner else 0
        else:
            total += max([chain(body, name) for body in children(s)], default=0)
    return total


def levels(statements: Sequence[Any], sums: Sequence[Cell], iterations: int) -> list[int]:
    """The iterations of a block on every level, the largest first, for a loop of some statements; empty where its sums
    are short."""
    longest = max([chain(statements, c.declaration.name) for c in sums], default=0)
    if longest * iterations <= 2 * tuning.SUM_BLOCK:
        return []
    sizes = [max(1, tuning.SUM_BLOCK // max(longest, 1))]
    while sizes[0] * 2 * tuning.SUM_BLOCK <= iterations:
        sizes.insert(0, sizes[0] * tuning.SUM_BLOCK)
    return sizes if sizes[-1] > 1 or len(sizes) > 1 or longest > 1 else []


def is_arg(acc: Acc) -> bool:
    """Whether the accumulator keeps a position."""
    return acc.op in ("argmax", "argmin")


def declare(nest: NestWriter, acc: Acc) -> Cell:
    """The cell of an accumulator in its initial state."""
    if acc.name in nest.running and acc.init is None:
        # what comes before a vector is kept in double precision: it is added to once per vector
        return Cell(acc, [nest.m.const(0, "f64")])
    start = Const(neutral(acc.op, acc.type), acc.type)
    # Another copy of the loop may have its vectors further inside; the accumulators of both have the same name.
    wide = nest.wide.get(acc.name, 0) if nest.vector is None else 0
    m = nest.builder(wide) if wide else nest.m
    if acc.name in nest.products:
        return Cell(acc, [m.const(1, "f64"), m.const(0, "i64")], wide, 0)
    if wide or acc.init is None or is_arg(acc):
        values = [m.const(start.value, acc.type)]
    else:
        values = [nest.varying(acc.init)]
    if is_arg(acc):
        values.append(m.const(-1, nest.positions.get(acc.name, ("i64", Affine()))[0]))
    return Cell(acc, values, wide)


def widened(nest: NestWriter, value: Value, fill: Any, lanes: int) -> Value:
    """A value with more lanes; the new ones hold `fill`."""
    m = value.m
    target = nest.builder(lanes)
    if m.lanes == lanes:
        return value
    if m.lanes == 1:
        vector = target.llvm(value.type)
        base = target.const(fill, value.type).raw
        element = m.llvm(value.type)
        text = f"insertelement {vector} {base}, {element} {value.raw}, i64 0"
        return target.value(value.type, target.operand(text))
    order = [k if k < m.lanes else m.lanes for k in range(lanes)]
    return nest.access.shuffle(value, m.const(fill, value.type), order, target)


def update(nest: NestWriter, cell: Cell, s: Update) -> None:
    """Combine a value into the state."""
    acc = cell.declaration
    value = nest.varying(s.value)
    if is_arg(acc):
        position = position_value(nest, s.position, value, cell.values[1].type)
        if cell.lanes:
            worst = neutral(acc.op, acc.type)
            value = widened(nest, value, worst, cell.lanes)
            position = widened(nest, position, -1, cell.lanes)
        cell.values = list(better(acc.op, cell.values[0], cell.values[1], value, position, ordered=True))
        return
    if cell.factors is not None:
        multiply(nest, cell, s, value)
        return
    if cell.lanes:
        value = widened(nest, value, neutral(acc.op, acc.type), cell.lanes)
    state = cell.values[0]
    if state.m is not value.m:
        raise ValueError(f"loop IR: {acc.name} is updated with vectors but declared outside of them")
    cell.values = [combine(value.m, acc.op, state, value)]


# -- products ----------------------------------------------------------------------------------------------------------


def products(statements: Sequence[Any]) -> frozenset[str]:
    """Accumulators of products of floating point numbers that are not running ones."""
    running = {s.acc for s in walk(statements) if type(s) is Prefix}
    declared = [s for s in walk(statements) if type(s) is Acc and s.op == "mul" and s.type in FLOATS]
    return frozenset(s.name for s in declared if s.name not in running)


def factors(statements: Sequence[Any], name: str) -> int:
    """How many factors the statements multiply onto a product, except those in branches, which move its exponent."""
    total = 0
    for s in statements:
        if type(s) is Update:
            total += s.acc == name
        elif type(s) is Loop:
            times = -(-s.extent // (s.lanes or 1)) if s.vector else s.extent
            total += factors(s.body, name) * times
    return total


def multiply(nest: NestWriter, cell: Cell, s: Update, value: Value) -> None:
    """Multiply a factor onto a product."""
    m, narrow = value.m, value.type != "f64" or s.value in nest.narrow
    value = m.convert(value, "f64")
    exponent = None
    if not narrow:
        value, exponent = _without_exponent(value)
    if s.position is not None:
        position = position_value(nest, s.position, value, "i64")
        exponent = position if exponent is None else exponent + position
    if cell.lanes:
        value = widened(nest, value, 1, cell.lanes)
        exponent = None if exponent is None else widened(nest, exponent, 0, cell.lanes)
    if cell.values[0].m is not value.m:
        raise ValueError(f"loop IR: {s.acc} is updated with vectors but declared outside of them")
    before = cell.factors or 0
    if before >= FACTORS:
        move_exponent(cell)
    product, scale = cell.values
    cell.values = [product * value, scale if exponent is None else scale + exponent]
    if nest.in_branch:
        # how many factors there are depends on the way taken
        move_exponent(cell)
        cell.factors = before
    else:
        cell.factors = (cell.factors or 0) + 1


def move_exponent(cell: Cell) -> None:
    """Move the exponent of a product into the integer."""
    product, exponent = _without_exponent(cell.values[0])
    cell.values = [product, cell.values[1] + exponent]
    cell.factors = 0


def _without_exponent(x: Value) -> tuple[Value, Value]:
    """A double scaled by a power of two, and the exponent of that: what was normal has a magnitude from 1 to 16, what
    was subnormal is less; 0, infinity and nan are the same, with any exponent."""
    m = x.m
    exponent = m.bitcast(x, "u64") & _EXPONENT
    scale = m.bitcast(m.const(_SCALE, "u64") - exponent, "f64")
    return x * scale, m.bitcast(exponent >> 52, "i64") - 1023


def finish_product(nest: NestWriter, cell: Cell) -> None:
    """Scale a product by its exponent, unless that is wanted by name, or there is none."""
    acc = cell.declaration
    if acc.init is not None:
        init, exponent = _without_exponent(nest.spread(nest.value(acc.init), cell.values[0].m))
        cell.values = [cell.values[0] * init, cell.values[1] + exponent]
    if acc.position is not None or cell.values[1].raw != cell.values[1].m.const(0, "i64").raw:
        move_exponent(cell)
    product, exponent = cell.values
    m = product.m
    if acc.position is not None:
        nest.env[acc.position] = exponent
    else:
        for _ in range(2):
            # twice, so that a subnormal result is rounded only once
            power = m.min(m.max(exponent, m.const(-1000, "i64")), m.const(1000, "i64"))
            product = product * m.bitcast((power + 1023) << 52, "f64")
            exponent = exponent - power
    cell.values = [m.convert(product, acc.type)]
    cell.factors = None


def position_value(nest: NestWriter, position: Affine | None, value: Value, type: str) -> Value:
    """A position as an integer of a type, with the lanes of `value`."""
    if position is None:
        raise ValueError("loop IR: an arg reduction needs the position of every update")
    base, stride, vector = nest.affine(Affine.of(position))
    m, scalar = value.m, nest.scalar
    result = nest.spread(scalar.convert(scalar.value("i64", base), type), m)
    if stride:
        result = result + nest.iota(type, stride)
    return result if vector is None else result + m.convert(vector, type)


def better(op: str, a: Value, i: Value, b: Value, j: Value, ordered: bool) -> tuple[Value, Value]:
    """The winner of two (value, position) pairs. With `ordered`, `j` comes after `i`; otherwise
    ties go to the smaller position. Position -1 goes with the worst value and never wins."""
    m = a.m
    take = m.compare("gt" if op == "argmax" else "lt", b, a)
    is_float = a.type in FLOATS
    if is_float:
        nan_a, nan_b = m.is_nan(a), m.is_nan(b)
        take = take | (nan_b & ~nan_a)
    if not ordered:
        tied = (a == b) | (nan_a & nan_b) if is_float else a == b
        unsigned = "u" + i.type[1:]
        take = take | (tied & (m.convert(j, unsigned) < m.convert(i, unsigned)))
    return m.select(take, b, a), m.select(take, j, i)


def finish(nest: NestWriter, cell: Cell) -> None:
    """After the last update: combine the lanes of a wide state to one value, which becomes the
    plain state, and make the result readable by name."""
    acc = cell.declaration
    if not cell.lanes:
        settle(nest, cell)
        return
    if cell.factors:
        move_exponent(cell)
    values = cell.values
    while values[0].m.lanes > 1:
        lanes = values[0].m.lanes // 2
        m = nest.builder(lanes)
        low = [half(nest, v, 0, m) for v in values]
        high = [half(nest, v, lanes, m) for v in values]
        if is_arg(acc):
            values = list(better(acc.op, low[0], low[1], high[0], high[1], ordered=False))
        elif cell.factors is not None:
            values = [low[0] * high[0], low[1] + high[1]]
        else:
            values = [combine(m, acc.op, low[0], high[0])]
    if acc.init is not None and not is_arg(acc) and cell.factors is None:
        values = [combine(nest.scalar, acc.op, nest.value(acc.init), values[0])]
    cell.values = values
    cell.lanes = 0
    settle(nest, cell)


def half(nest: NestWriter, value: Value, start: int, m: Any) -> Value:
    """`m.lanes` lanes of a vector from `start`."""
    if m.lanes == 1:
        text = f"extractelement {value.m.llvm(value.type)} {value.raw}, i64 {start}"
        return m.value(value.type, m.operand(text))
    return nest.access.shuffle(value, value, list(range(start, start + m.lanes)), m)


def settle(nest: NestWriter, cell: Cell) -> None:
    """Make the result of a product, or the position of an arg reduction, readable by name. No position found means
    that all values were the worst one, so the first position is the answer."""
    acc = cell.declaration
    if cell.factors is not None:
        finish_product(nest, cell)
        return
    if not is_arg(acc) or acc.position is None:
        return
    m, position = cell.values[0].m, cell.values[1]
    if acc.name in nest.positions and position.raw.startswith("%"):
        start = position_value(nest, nest.positions[acc.name][1], cell.values[0], position.type)
        position = m.select(position == -1, start, position)
    nest.env[acc.position] = m.convert(position, "i64")


def prefix(nest: NestWriter, cell: Cell, operand: Any) -> Value:
    """Running result: lanes are combined with those before them in log2(lanes) steps, then with the
    state, which continues from the last lane."""
    acc = cell.declaration
    value = nest.varying(operand)
    state = cell.values[0]
    if acc.name in nest.running and acc.init is None:
        return _running_sum(nest, cell, value)
    if state.m is value.m:
        result = combine(value.m, acc.op, state, value)
        cell.values = [result]
        return result
    m = value.m
    value = _within_vector(nest, acc, value)
    if acc.op == "mul" and acc.type == "f64":
        # a chain of one multiplication per vector
        cell.values = [state * half(nest, value, m.lanes - 1, nest.scalar)]
        return nest.spread(state, m) * value
    result = combine(m, acc.op, nest.spread(state, m), value)
    cell.values = [half(nest, result, m.lanes - 1, nest.scalar)]
    return result


def _within_vector(nest: NestWriter, acc: Acc, value: Value) -> Value:
    """Every lane combined with those before it."""
    m = value.m
    fill = m.const(neutral(acc.op, acc.type), acc.type)
    step = 1
    while step < m.lanes:
        order = [k - step if k >= step else m.lanes for k in range(m.lanes)]
        value = combine(m, acc.op, nest.access.shuffle(value, fill, order, m), value)
        step *= 2
    return value


def running_sums(statements: Sequence[Any]) -> frozenset[str]:
    """Accumulators of running sums in single precision, whose state is kept in double precision."""
    running = {s.acc for s in walk(statements) if type(s) is Prefix}
    updated = {s.acc for s in walk(statements) if type(s) is Update}
    declared = [s for s in walk(statements) if type(s) is Acc and s.op == "add" and s.type == "f32"]
    return frozenset(s.name for s in declared if s.name in running and s.name not in updated)


def _running_sum(nest: NestWriter, cell: Cell, value: Value) -> Value:
    """`prefix` of a running sum with its state in double precision."""
    state, m = cell.values[0], value.m
    if state.m is m:
        total = state + m.convert(value, "f64")
        cell.values = [total]
        return m.convert(total, value.type)
    value = _within_vector(nest, cell.declaration, value)
    scalar = nest.scalar
    before = scalar.convert(state, value.type)
    cell.values = [state + scalar.convert(half(nest, value, m.lanes - 1, scalar), "f64")]
    return nest.spread(before, m) + value
