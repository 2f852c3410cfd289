"""Decides how the loops of a nest run: merged, hoisted, vectorised, split over threads.

Producers write nests in the plain order of the result; `schedule` rewrites them:

1. `collapse`: two perfectly nested loops become one where every address allows it;
2. `hoist`: what does not change in a loop moves in front of it;
3. `vectorise`: along every path the loop is chosen for which a simple cost model gives the least
work, and the number of
   lanes follows from the element types and the amount of work per element;
4. `parallelise`: the outermost loop is marked if the nest is large.

Loops that the producer marked `vector` are left as they are.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from fungrad.jit.ir.cost import FUNCTION, PARALLEL_WORK, statement_cost, total_work, vector_work
from fungrad.jit.ir.facts import divisor, is_independent, is_repeatable, is_vectorisable, outer_cells
from fungrad.jit.ir.loops import (
    Acc,
    Affine,
    Buffer,
    If,
    Index,
    Let,
    Load,
    Loop,
    LoopWhile,
    Nest,
    Prefix,
    Program,
    Store,
    Var,
    overlap,
)
from fungrad.jit.ir.traverse import (
    addresses,
    buffers_of,
    changes,
    defines,
    map_bodies,
    substitute,
    uses,
    walk,
)
from fungrad.jit.kernels.scalars import bit_width
from fungrad.jit.rewrites.passes import Pass


# The passes on one nest, in order. `PIPELINE` ends with them; nests that are put into `Rows` go through them before.
def _schedule() -> tuple[Pass, ...]:
    return (
        Pass("collapse loops", "statements", collapse),
        Pass("hoist", "statements", hoist),
        Pass("branch on masks", "statements", branch_on_masks),
        Pass("vectorise", "statements", vectorise),
        Pass("tile", "statements", tile),
        Pass("separate", "nest", separate),
        Pass("threads", "nest", parallelise),
    )


def schedule(program: Program, nest: Nest) -> list[Nest]:
    """The nest in the form in which it is emitted; several where its loops can run one after the
    other as nests of their own."""
    nests = [nest]
    for step in SCHEDULE:
        nests = [new for n in nests for new in step.nests(program, n)]
    return nests


def separate(program: Program, nest: Nest) -> list[Nest]:
    """Nests of their own for loops one after the other, each of which threads may share; none for an empty nest."""
    body = nest.body
    if program.target.threads and len(body) > 1 and all(type(s) is Loop for s in body):
        return [Nest([s], nest.name) for s in body]
    return [nest] if body else []


# -- Collapsing ------------------------------------------------------------------------------------


def collapse(program: Program, statements: Sequence[Any]) -> list[Any]:
    """Merge perfectly nested loops; drop loops that never run."""
    result = []
    for s in statements:
        if type(s) is Loop and s.extent == 0:
            continue
        s = map_bodies(lambda body: collapse(program, body), s)
        while type(s) is Loop and (merged := _merged(s)) is not None:
            s = merged
        result.append(s)
    return result


def _merged(outer: Loop) -> Loop | None:
    """One loop for two perfectly nested ones, or None."""
    if len(outer.body) != 1 or type(outer.body[0]) is not Loop:
        return None
    inner = outer.body[0]
    if outer.vector or inner.vector or outer.parallel or inner.parallel or outer.ordered != inner.ordered:
        return None
    n = inner.extent
    for s in walk(inner.body):
        for expression in addresses(s):
            if expression.coefficient(outer.index) != n * expression.coefficient(inner.index):
                return None
    # the inner symbol now counts through both ranges
    drop = {outer.index: Affine()}
    body = [substitute(s, drop) for s in inner.body]
    return Loop(inner.index, outer.extent * n, body, ordered=inner.ordered)


# -- Hoisting --------------------------------------------------------------------------------------


def hoist(program: Program, statements: Sequence[Any]) -> list[Any]:
    """Move pure statements in front of the loops they do not depend on."""
    result = []
    for s in statements:
        if type(s) is Loop:
            before, loop = _hoisted(program, s)
            result += [*before, loop]
        elif type(s) is LoopWhile:
            before, repeated = _hoisted_while(program, s)
            result += [*before, repeated]
        else:
            result.append(map_bodies(lambda body: hoist(program, body), s))
    return result


def _hoisted(program: Program, loop: Loop) -> tuple[list[Any], Loop]:
    body = hoist(program, loop.body)
    changing = {loop.index, *_cells(body)}
    before, rest = _divided(program, body, changing, loop)
    return before, loop.replace(body=rest)


def _hoisted_while(program: Program, loop: LoopWhile) -> tuple[list[Any], LoopWhile]:
    test, body = hoist(program, loop.test), hoist(program, loop.body)
    changing = _cells([*test, *body])
    before, test = _divided(program, test, changing, loop)
    # The body need not run, so it only gives up what can be computed whether or not it does.
    known = [s for s in body if type(s) is not Load or not s.index.symbols()]
    more, _ = _divided(program, known, set(changing), loop, {n for s in body for n in defines(s)})
    moved = {id(s) for s in more}
    body = [s for s in body if id(s) not in moved]
    return [*before, *more], loop.replace(test=test, body=body)


def _cells(statements: Sequence[Any]) -> set[str]:
    """Names of what changes while the statements run."""
    changing: set[str] = set()
    for s in walk(statements):
        if type(s) in (Acc, Var):
            changing.update(defines(s))
        changing.update(changes(s))
    return changing


def _divided(
    program: Program, body: Sequence[Any], changing: set[str], loop: Any, unknown: Collection[str] = ()
) -> tuple[list[Any], list[Any]]:
    """The statements that can stand before a loop, and the others, whose results are added to ``changing``.

    Args:
      program: the program.
      body: statements of the loop.
      changing: names whose values change in it.
      loop: the loop.
      unknown: names that are known only once the statements that define them have been moved.
    """
    stored = [program.root(b) for b in buffers_of(loop)[1]]
    waiting = set(unknown)
    before, rest = [], []
    for s in body:
        used = uses(s)
        if _is_movable(program, s, stored) and changing.isdisjoint(used) and waiting.isdisjoint(used):
            before.append(s)
            waiting.difference_update(defines(s))
            continue
        rest.append(s)
        for t in walk([s]):
            changing.update(defines(t))
    return before, rest


def _is_movable(program: Program, s: Any, stored: Sequence[Buffer]) -> bool:
    if type(s) is Load:
        root = program.root(s.buffer)
        return not any(overlap(root, b) for b in stored)
    return type(s) in (Let, Index)


# -- Masks -----------------------------------------------------------------------------------------


def branch_on_masks(program: Program, statements: Sequence[Any]) -> list[Any]:
    """Run a loop whose stores all have one mask, known outside of it, only where the mask holds: masked stores delay
    loads of what they have written."""
    result: list[Any] = []
    for s in statements:
        if type(s) is Loop:
            s = s.replace(body=branch_on_masks(program, s.body))
            mask = _common_mask(s)
            if mask is not None:
                s = If(mask, [s.replace(body=[_unmasked(t) for t in s.body])])
        result.append(s)
    return result


def _common_mask(loop: Loop) -> str | None:
    masks = {s.where for s in loop.body if type(s) is Store}
    mask = masks.pop() if len(masks) == 1 else None
    plain = all(type(s) in (Let, Index, Load, Store) for s in loop.body)
    if mask is None or not plain or loop.ordered or any(mask in defines(s) for s in loop.body):
        return None
    return mask


def _unmasked(s: Any) -> Any:
    return s.replace(where=None) if type(s) is Store else s


# -- Vectorising -----------------------------------------------------------------------------------

_REDUCE = 4.0  # cost of combining the lanes of an accumulator
_MOST_LANES = 64


def vectorise(program: Program, statements: Sequence[Any]) -> list[Any]:
    """Choose the loops that run as vectors, and their lanes."""
    result = []
    for s in statements:
        if type(s) is Loop:
            s = _best(program, s)[1]
        else:
            s = map_bodies(lambda body: vectorise(program, body), s)
        result.append(s)
    return result


def _best(program: Program, loop: Loop) -> tuple[float, Loop]:
    """The cheapest way to run a loop: as vectors itself, or with loops inside as vectors."""
    if any(type(s) is Loop and s.vector for s in walk([loop])):
        return 0.0, _with_lanes(program, loop)
    plain, body = 0.0, []
    for s in loop.body:
        if type(s) is Loop:
            cost, s = _best(program, s)
            plain += cost
        elif type(s) in (If, LoopWhile):
            (s,) = vectorise(program, [s])
            plain += 2 + vector_work(program, [s], None, 1)
        else:
            plain += statement_cost(program, s, None, 1)
        body.append(s)
    best = plain * loop.extent, loop.replace(body=body)
    if not is_vectorisable(program, loop):
        return best
    lanes = choose_lanes(program, loop)
    if lanes < 2:
        return best
    native = min(lanes, natural_lanes(program, loop))
    work = vector_work(program, loop.body, loop.index, native) * -(-loop.extent // native)
    work += _REDUCE * len(outer_cells(loop))
    if work < best[0]:
        best = work, loop.replace(vector=True, lanes=lanes)
    return best


def _with_lanes(program: Program, loop: Loop) -> Loop:
    """Fill in the lanes of loops that the producer marked."""
    body = [_with_lanes(program, s) if type(s) is Loop else s for s in loop.body]
    loop = loop.replace(body=body)
    if loop.vector and loop.lanes is None:
        return loop.replace(lanes=choose_lanes(program, loop))
    return loop


def _types_in(program: Program, loop: Loop) -> list[str]:
    types = []
    for s in walk(loop.body):
        kind = type(s)
        if kind is Let:
            types += [s.type] if isinstance(s.type, str) else list(s.type)
        elif kind in (Load, Store):
            types.append(program.buffers[s.buffer].type)
    return types


def natural_lanes(program: Program, loop: Loop) -> int:
    """Elements of the most demanding type in one vector register."""
    widest = 1
    counts: dict[int, int] = {}
    for type in _types_in(program, loop):
        size = max(1, bit_width(type) // 8)
        counts[size] = counts.get(size, 0) + 1
    if counts:
        # a rare wider type (an address, a conversion) does not halve the lanes of all others
        total = sum(counts.values())
        widest = max(size for size, n in counts.items() if n * 4 >= total)
    return max(1, program.target.vector_bytes // max(widest, 2))


def choose_lanes(program: Program, loop: Loop) -> int:
    """Lanes of a vector loop: one register's worth, more where the body is light (memory traffic
    and the latency of an accumulator then need several registers in flight)."""
    natural = natural_lanes(program, loop)
    statements = list(walk(loop.body))
    operations = sum(statement_cost(program, s, loop.index, 1) for s in statements)
    reduces = bool(outer_cells(loop)) and not any(type(s) is Prefix for s in statements)
    inner = any(type(s) is Loop for s in statements)
    if any(type(s) is Prefix for s in statements):
        factor = 1
    elif any(type(s) is LoopWhile for s in statements):
        # Every step waits for the one before: several vectors fill the time.
        factor = 4 if operations <= 40 else 2 if operations <= 80 else 1
    elif reduces or inner:
        factor = 4 if operations <= 12 else 2 if operations <= 40 else 1
    else:
        # a function is one long chain of dependent instructions: two of them fill the gaps of each other
        factor = 2 if operations <= 6 or FUNCTION <= operations <= 2.5 * FUNCTION else 1
    lanes = min(natural * factor, _MOST_LANES)
    while lanes > natural and lanes > loop.extent:
        lanes //= 2
    return min(lanes, loop.extent)


# -- Tiling ----------------------------------------------------------------------------------------

_BLOCK = 128  # about how long the blocks are in which a strided vector loop runs
_CROWDED = 4096  # bytes between rows at a multiple of which their lines compete for the same places in a cache


def tile(program: Program, statements: Sequence[Any]) -> list[Any]:
    """Run transpositions in blocks: where a vector loop strides through memory and the loop around
    it is the contiguous one, go through all of the outer loop for one block of the inner, so that
    the cache lines of the block are used up before they leave the cache."""
    result: list[Any] = []
    for s in statements:
        if type(s) is Loop:
            s = _contiguous_inside(program, s)
            s = s.replace(body=tile(program, s.body))
            result += _tiled(program, s)
        else:
            result.append(s)
    return result


def _contiguous_inside(program: Program, loop: Loop) -> Loop:
    """Perfectly nested loops in the order that `_tiled` can use: around a vector loop that strides through memory the
    one that is contiguous there."""
    chain = [loop]
    while len(chain[-1].body) == 1 and type(chain[-1].body[0]) is Loop:
        chain.append(chain[-1].body[0])
    inner = chain[-1]
    if len(chain) < 3 or not inner.vector or _strides_across(chain[-2], inner):
        return loop
    outer = chain[:-1]
    if any(s.parallel or s.vector or not is_independent(program, s) for s in outer):
        return loop
    chosen = next((s for s in outer if _strides_across(s, inner)), None)
    if chosen is None:
        return loop
    body: Loop = inner
    for s in [chosen, *[s for s in reversed(outer) if s is not chosen]]:
        body = s.replace(body=[body])
    return body


def _tiled(program: Program, outer: Loop) -> list[Loop]:
    inner = outer.body[0] if len(outer.body) == 1 else None
    if type(inner) is not Loop or not inner.vector or outer.ordered or outer.vector:
        return [outer]
    if any(type(s) is Loop for s in inner.body) or not _strides_across(outer, inner):
        return [outer]
    if outer_cells(outer) or not is_independent(program, outer):
        return [outer]
    square = _square(program, outer, inner)
    wanted = _BLOCK // 2 if _is_crowded(program, outer, inner) else _BLOCK
    block = divisor(inner.extent, wanted) or wanted
    if inner.extent >= 2 * block and outer.extent >= 8:
        return _in_blocks(outer, inner, inner, block, square)
    block = divisor(outer.extent, wanted) or wanted
    if square and outer.extent >= 2 * block:
        return _in_blocks(outer, inner, outer, block, square)
    return [outer.replace(tile=square)]


def _is_crowded(program: Program, outer: Loop, inner: Loop) -> bool:
    """Whether the rows of some operand or result fall on the same places of a cache."""
    for s in inner.body:
        if type(s) in (Load, Store):
            size = program.buffers[s.buffer].dtype.itemsize
            strides = [abs(s.index.coefficient(x.index)) * size for x in (outer, inner)]
            if any(x >= _CROWDED and x % _CROWDED == 0 for x in strides):
                return True
    return False


def _in_blocks(outer: Loop, inner: Loop, chosen: Loop, block: int, square: int | None) -> list[Loop]:
    """One of two nested loops in blocks, and what is left of it."""
    count, rest = divmod(chosen.extent, block)
    symbol = f"{chosen.index}.block"

    def part(first: Affine, length: int) -> Loop:
        shifted = {chosen.index: first + chosen.index}
        body = [substitute(s, shifted) for s in inner.body]
        sizes = [length if loop is chosen else loop.extent for loop in (outer, inner)]
        lanes = min(inner.lanes or 1, sizes[1])
        loop = Loop(inner.index, sizes[1], body, vector=True, lanes=lanes)
        fits = square is not None and min(sizes) >= square
        return Loop(outer.index, sizes[0], [loop], tile=square if fits else None)

    blocks = Loop(symbol, count, [part(Affine.var(symbol, block), block)], parallel=outer.parallel)
    return [blocks, part(Affine(count * block), rest)] if rest else [blocks]


def _square(program: Program, outer: Loop, inner: Loop) -> int | None:
    """Side of the squares in which two loops can run with transpositions in registers, None if they
    cannot."""
    buffers = [program.buffers[s.buffer] for s in inner.body if type(s) in (Load, Store)]
    if any(b.is_complex or b.dtype.itemsize > 8 for b in buffers) or not is_repeatable(program, outer):
        return None
    if any(type(s) is Load and s.where is not None for s in inner.body):
        return None
    if sum(statement_cost(program, s, None, 1) for s in inner.body) > 16:
        return None  # the body is written once per row of the square
    side = 8 if max(b.dtype.itemsize for b in buffers) == 8 else 16
    return side if min(outer.extent, inner.extent) >= side else None


def _strides_across(outer: Loop, inner: Loop) -> bool:
    """Whether some access is contiguous along the outer loop and strided along the inner one."""
    for s in inner.body:
        if type(s) is Load:
            along, across = s.index.coefficient(inner.index), s.index.coefficient(outer.index)
            if abs(along) > 4 and abs(across) == 1:
                return True
    return False


# -- Threads ---------------------------------------------------------------------------------------


def parallelise(program: Program, nest: Nest) -> Nest:
    """Mark the outermost loop of a large nest as parallel, if its iterations are independent."""
    last = nest.body[-1] if nest.body else None
    if not program.target.threads:
        return nest
    if type(last) is not Loop or not all(type(s) in (Let, Index, Load) for s in nest.body[:-1]):
        return nest
    if last.parallel or not is_independent(program, last):
        return nest
    lanes = last.lanes if last.vector and last.lanes else 1
    if total_work(program, last) >= PARALLEL_WORK and last.extent // lanes >= 2:
        return nest.replace(body=[*nest.body[:-1], last.replace(parallel=True)])
    return nest


SCHEDULE = _schedule()
