"""Pass ``tile``: loop tiling. Transpositions run block by block, and in squares in registers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fungrad.jit.ir import tuning
from fungrad.jit.ir.cost import statement_cost
from fungrad.jit.ir.facts import divisor, is_independent, is_repeatable, outer_cells, stored
from fungrad.jit.ir.loops import Affine, Load, Loop, Program, overlap
from fungrad.jit.ir.traverse import defines, of_kind, substitute, walk


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


def _perfect(program: Program, outer: Loop) -> Loop:
    """The loop with nothing but another loop in it, if the few statements before that can as well stand inside."""
    if len(outer.body) < 2:
        return outer
    *before, inner = outer.body
    if type(inner) is not Loop or not all(s.is_pure for s in before):
        return outer
    if sum(statement_cost(program, s, None, 1) for s in before) > tuning.SUNK_BEFORE:
        return outer
    written = stored(program, walk(inner.body))
    if any(overlap(program.root(s.buffer), b) for s in of_kind(Load, before) for b in written):
        return outer
    return outer.replace(body=[inner.replace(body=[*before, *inner.body])])


def _tiled(program: Program, outer: Loop) -> list[Loop]:
    given, outer = outer, _perfect(program, outer)
    inner = outer.body[0] if len(outer.body) == 1 else None
    if type(inner) is not Loop or not inner.vector or outer.ordered or outer.vector:
        return [given]
    if of_kind(Loop, inner.body) or not _strides_across(outer, inner):
        return [given]
    if outer_cells(outer) or not is_independent(program, outer):
        return [given]
    square = _square(program, outer, inner)
    wanted = tuning.TILE_BLOCK // 2 if _is_crowded(program, outer, inner) else tuning.TILE_BLOCK
    block = divisor(inner.extent, wanted) or wanted
    if inner.extent >= 2 * block and outer.extent >= tuning.TILED_ROWS:
        return _in_blocks(outer, inner, inner, block, square)
    block = divisor(outer.extent, wanted) or wanted
    if square and outer.extent >= 2 * block:
        return _in_blocks(outer, inner, outer, block, square)
    return [outer.replace(tile=square)]


def _is_crowded(program: Program, outer: Loop, inner: Loop) -> bool:
    """Whether the rows of some operand or result fall on the same places of a cache."""
    crowded = tuning.crowded_stride(program.target)
    for s in inner.body:
        if s.is_access:
            size = program.buffers[s.buffer].dtype.itemsize
            strides = [abs(s.index.coefficient(x.index)) * size for x in (outer, inner)]
            if any(x >= crowded and x % crowded == 0 for x in strides):
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
    buffers = [program.buffers[s.buffer] for s in inner.body if s.is_access]
    if not is_repeatable(program, outer):
        return None
    if any(s.where is not None for s in of_kind(Load, inner.body)):
        return None
    if sum(statement_cost(program, s, None, 1) for s in inner.body) > tuning.SQUARE_WORK:
        return None  # the body is written once per row of the square
    computed = {name for s in inner.body for name in defines(s)}
    if any(
        abs(s.index.coefficient(outer.index)) == 1
        and abs(s.index.coefficient(inner.index)) > 1
        and not computed.isdisjoint(s.index.symbols())
        for s in of_kind(Load, inner.body)
    ):
        return None  # what is read along the other loop is read before the body computes anything
    side = tuning.square_side(max(b.dtype.itemsize for b in buffers))
    return side if min(outer.extent, inner.extent) >= side else None


def _strides_across(outer: Loop, inner: Loop) -> bool:
    """Whether some access is contiguous along the outer loop and strided along the inner one."""
    found = of_kind(Load, inner.body)
    strides = [(abs(s.index.coefficient(inner.index)), abs(s.index.coefficient(outer.index))) for s in found]
    return any(along > tuning.STRIDE_ACROSS and across == 1 for along, across in strides)
