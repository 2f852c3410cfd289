"""Vector reductions: how an accumulator is spread over vector lanes and put together again.

An accumulator that is updated in a vector loop below its declaration has one partial result per
lane (a power of two of them); after the last update the lanes are combined pairwise, upper half
with lower half, and then with the initial value. This order is fixed by the number of lanes, so a
result never changes between runs.

A sum of many terms has levels: after some iterations of a loop, what they have added up is added to the sum of the
blocks before, and so on for blocks of blocks. The rounding error then grows with the number of levels, not of terms.

A product of floating point numbers is kept in double precision with its exponent apart, in an integer: every few
factors its exponent moves there. So it does not overflow on its way, in whatever order the factors come. That is what
happens where it has to: while subnormal numbers are flushed, factors are multiplied plainly, and some of them once more
with their exponents apart if what comes out is not a normal number (`attempts`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from fungrad.jit.ir import tuning
from fungrad.jit.ir.loops import Acc, Affine, Const, Loop, Prefix, Update, Var
from fungrad.jit.ir.ops import combine, neutral
from fungrad.jit.ir.traverse import changes, children, of_kind, walk
from fungrad.jit.kernels.scalars import FLOATS, Value
from fungrad.jit.llvm.attempts import attempt, normal
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
      plain: whether factors are multiplied plainly now.
      single: a product that is a single factor of single precision, in that precision.
    """

    __slots__ = ("declaration", "values", "lanes", "factors", "plain", "single")

    def __init__(self, declaration: Acc | Var, values: list[Value], lanes: int = 0, factors: int | None = None):
        self.declaration: Any = declaration
        self.values = values
        self.lanes = lanes
        self.factors = factors
        self.plain = False
        self.single: Value | None = None


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
    running = _running(statements)
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
    running = _running(statements)
    declared = [s for s in of_kind(Acc, walk(statements)) if s.op == "mul" and s.type in FLOATS]
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
    m, origin = value.m, nest.narrow.get(s.value)
    narrow = value.type != "f64" or origin is not None
    value = m.convert(value, "f64")
    wide = nest.builder(cell.lanes) if cell.lanes else m
    one = wide.const(1, "f64").raw
    first = cell.values[0].raw == one and not (cell.plain or nest.in_branch)
    exponent = None
    if not narrow and not cell.plain and not first:
        value, exponent = _without_exponent(value)
    if s.position is not None:
        position = position_value(nest, s.position, value, "i64")
        exponent = position if exponent is None else exponent + position
    if cell.lanes:
        value = widened(nest, value, 1, cell.lanes)
        exponent = None if exponent is None else widened(nest, exponent, 0, cell.lanes)
    if cell.values[0].m is not value.m:
        raise ValueError(f"loop IR: {s.acc} is updated with vectors but declared outside of them")
    if cell.plain:
        cell.values[0] = cell.values[0] * value
        return
    cell.single, scale = None, cell.values[1]
    if first:
        # the product is the factor, which may be any number if it comes in double precision
        cell.values = [value, scale if exponent is None else scale + exponent]
        cell.factors = 1 if narrow else FACTORS
        if origin is not None and cell.lanes:
            cell.single = widened(nest, m.convert(nest.varying(origin), "f32"), 1, cell.lanes)
        return
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


def multiplies_plainly(nest: NestWriter, statements: Sequence[Any], cells: Sequence[Cell]) -> bool:
    """Whether a loop of some statements may multiply plainly, and be run again if that went wrong."""
    if nest.in_branch or not nest.module.machine.flush_subnormals:
        return False
    names = {c.declaration.name for c in cells}
    for s in statements:
        if not s.is_pure and (type(s) is not Update or (s.acc in names and s.position)):
            return False
    return True


def multiply_plainly(
    nest: NestWriter,
    cells: Sequence[Cell],
    touched: Sequence[Cell],
    plain: Callable[[], None],
    again: Callable[[], None],
) -> None:
    """Multiply factors onto products plainly, and once more with their exponents apart unless normal numbers come out.

    Args:
      nest: that is being written.
      cells: the products.
      touched: these and all others that the factors' statements change.
      plain: writes a loop.
      again: writes it once more.
    """
    before = [list(c.values) for c in touched]
    for c in cells:
        c.plain, c.single = True, None
    plain()
    for c in cells:
        c.plain = False
    after = [v for c in touched for v in c.values]

    def careful() -> list[Value]:
        for c, values in zip(touched, before, strict=True):
            c.values = list(values)
        for c in cells:
            move_exponent(c)
        again()
        return [v for c in touched for v in c.values]

    joined = iter(attempt(nest, [normal(c.values[0]) for c in cells], after, careful))
    for c in touched:
        c.values = [next(joined) for _ in c.values]
    for c in cells:
        c.factors = FACTORS  # any normal number


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
    if cell.factors is not None and cell.lanes and nest.module.machine.flush_subnormals:
        _finish_plainly(nest, cell)
    else:
        _finish(nest, cell)


def _finish_plainly(nest: NestWriter, cell: Cell) -> None:
    """`finish` of a product whose lanes are multiplied plainly if no exponent is apart, and once more otherwise."""
    acc, lanes, factors = cell.declaration, cell.lanes, cell.factors
    product, together = cell.values[0] if cell.single is None else cell.single, cell.values[1]
    constant = not together.raw.startswith("%")
    while product.m.lanes > 1:
        m = nest.builder(product.m.lanes // 2)
        product = half(nest, product, 0, m) * half(nest, product, m.lanes, m)
        if not constant:
            together = half(nest, together, 0, m) | half(nest, together, m.lanes, m)
    m = nest.scalar
    fine = normal(product) if constant else normal(product) & (together == 0)
    if acc.init is not None:
        product = m.convert(product, "f64") * m.convert(nest.value(acc.init), "f64")
        fine = fine & normal(product)
    zero = m.const(0, "i64")
    plain = [m.convert(product, acc.type)] + ([zero] if acc.position is not None else [])
    before = list(cell.values)

    def careful() -> list[Value]:
        cell.values, cell.lanes, cell.factors = list(before), lanes, factors
        _finish(nest, cell)
        return [*cell.values, *([nest.env[acc.position]] if acc.position is not None else [])]

    joined = attempt(nest, [fine], plain, careful)
    cell.values, cell.lanes, cell.factors = joined[:1], 0, None
    if acc.position is not None:
        nest.env[acc.position] = joined[1]


def _finish(nest: NestWriter, cell: Cell) -> None:
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
    if acc.op == "mul" and acc.type == "f64":
        return _running_product(nest, cell, value, nest.narrow.get(operand))
    value = _within_vector(nest, acc, value)
    result = combine(m, acc.op, nest.spread(state, m), value)
    cell.values = [half(nest, result, m.lanes - 1, nest.scalar)]
    return result


def _running_product(nest: NestWriter, cell: Cell, value: Value, origin: Value | None) -> Value:
    """`prefix` of a product, given the value and what was converted to it. The factors of a vector are multiplied with
    each other first, unless that leaves the range of numbers: what comes before them might bring it back."""
    state, m, scalar, factors = cell.values[0], value.m, nest.scalar, value

    def in_order() -> list[Value]:
        vector, total, result = m.llvm("f64"), state, "poison"
        for k in range(m.lanes):
            total = total * half(nest, factors, k, scalar)
            result = m.append(f"insertelement {vector} {result}, {scalar.llvm('f64')} {total.raw}, i64 {k}")
        return [m.value("f64", result), total]

    if not nest.module.machine.flush_subnormals:
        result, cell.values[0] = in_order()
        return result
    if origin is not None:
        value = m.convert(nest.varying(origin), "f32")
    product = _within_vector(nest, cell.declaration, value)
    single = origin is not None and origin.type == "f32"

    # a chain of one multiplication per vector, which in double precision adds no errors up
    def last() -> Value:
        return half(nest, product, m.lanes - 1, scalar) if origin is None else _all_lanes(nest, factors)

    def careful() -> list[Value]:
        result, total = in_order()
        return [m.convert(result, "f32") if single else result, total]

    if not single:
        plain = [nest.spread(state, m) * m.convert(product, "f64"), state * last()]
        result, cell.values[0] = attempt(nest, [normal(product)], plain, careful)
        return m.convert(result, "f64")

    def wide() -> list[Value]:
        result = m.convert(nest.spread(state, m) * m.convert(product, "f64"), "f32")
        return attempt(nest, [normal(product)], [result, state * last()], careful)

    # In single precision if that has room: a state or a product that has left the range of normal numbers is 0 or
    # infinite there, since subnormal ones are flushed, and so is the result.
    result = nest.spread(scalar.convert(state, "f32"), m) * product
    result, cell.values[0] = attempt(nest, [normal(result)], [result, state * last()], wide)
    return m.convert(result, "f64")


def _all_lanes(nest: NestWriter, value: Value) -> Value:
    """The product of all lanes."""
    lanes = value.m.lanes
    odd = None
    while lanes > 1:
        m = nest.builder(lanes // 2)
        if lanes % 2:
            last = half(nest, value, lanes - 1, nest.scalar)
            odd = last if odd is None else odd * last
        value = half(nest, value, 0, m) * half(nest, value, lanes // 2, m)
        lanes //= 2
    return value if odd is None else value * odd


def _within_vector(nest: NestWriter, acc: Acc, value: Value) -> Value:
    """Every lane combined with those before it."""
    m = value.m
    fill = m.const(neutral(acc.op, value.type), value.type)
    step = 1
    while step < m.lanes:
        order = [k - step if k >= step else m.lanes for k in range(m.lanes)]
        value = combine(m, acc.op, nest.access.shuffle(value, fill, order, m), value)
        step *= 2
    return value


def running_sums(statements: Sequence[Any]) -> frozenset[str]:
    """Accumulators of running sums in single precision, whose state is kept in double precision."""
    found = _running(statements) - {s.acc for s in of_kind(Update, walk(statements))}
    declared = [s for s in of_kind(Acc, walk(statements)) if s.op == "add" and s.type == "f32"]
    return frozenset(s.name for s in declared if s.name in found)


def _running(statements: Sequence[Any]) -> set[str]:
    """Accumulators whose values on the way are wanted."""
    return {s.acc for s in of_kind(Prefix, walk(statements))}


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
