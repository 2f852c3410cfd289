"""Passes ``split reductions`` and ``split rows`` (privatisation: pieces of a loop sum into memory of their own),
``split columns`` (parallelisation by an inner loop).

`split_reduction`: a large reduction to few values becomes a parallel nest that reduces a fixed
number of pieces, and a small one that combines them. The pieces depend on the sizes only, so the
result does not depend on the number of threads.

`split_columns`: updates of rows at computed places, which may meet, are shared between threads by columns.

`split_rows`: a long loop whose iterations only meet in sums (of scalars or of rows, such as the gradient of a
bias) is split in the same way.

All need memory for partial results, so they run on programs whose new temporaries have no place
yet.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from fungrad.jit.ir import tuning
from fungrad.jit.ir.cost import total_work
from fungrad.jit.ir.facts import declared_cells, divisor, is_independent, is_scratch, is_straight, own_region, stored
from fungrad.jit.ir.loops import (
    Acc,
    Affine,
    Buffer,
    Const,
    Load,
    Loop,
    Nest,
    Program,
    Store,
    Update,
)
from fungrad.jit.ir.ops import neutral
from fungrad.jit.ir.traverse import (
    by_memory,
    changes,
    of_kind,
    own_buffers,
    part_of,
    walk,
    walk_in_loops,
)
from fungrad.jit.kernels.scalars import FLOATS
from fungrad.jit.rewrites.partial import around_first_loop, in_pieces, only_reduces, partial, redirected


def split_reduction(program: Program, nest: Nest) -> list[Nest] | None:
    """The nests of a large reduction to few values; None for others."""
    return _Rewriter(program).split_reduction(nest)


def split_columns(program: Program, nest: Nest) -> list[Nest] | None:
    """A nest of updates that may meet, by columns; None for others."""
    return _Rewriter(program).split_columns(nest)


def split_rows(program: Program, nest: Nest) -> list[Nest] | None:
    """The nests of a long loop whose iterations only meet in sums; None for others."""
    return _Rewriter(program).split_rows(nest)


class _Rewriter:
    def __init__(self, program: Program):
        self.program = program

    # -- reductions to few values ------------------------------------------------------------------

    def split_reduction(self, nest: Nest) -> list[Nest] | None:
        """Declarations, one large loop that updates them, anything small after it."""
        head, loop, tail = around_first_loop(nest.body)
        accs, pure = of_kind(Acc, head), [s for s in head if s.is_pure]
        if loop is None or not accs or len(accs) + len(pure) < len(head):
            return None
        if not only_reduces(loop, accs) or total_work(self.program, loop) < tuning.SPLIT_REDUCTION_WORK:
            return None
        inside = Loop(loop.index, loop.extent, [*accs, *loop.body])
        if not is_independent(self.program, inside):
            return None
        pieces = divisor(loop.extent, tuning.REDUCTION_PIECES) or tuning.REDUCTION_PIECES
        length, rest = divmod(loop.extent, pieces)
        if length < 2:
            return None
        piece = f"{loop.index}.piece"
        parts = [partial(self.program, a, (pieces,)) for a in accs]
        many, gather = in_pieces(parts, piece, pieces, [part_of(loop, Affine.var(piece, length), length)])
        last: list[Any] = [*head, gather]
        if rest:
            last.append(part_of(loop, pieces * length, rest))
        return [Nest([*pure, many], nest.name), Nest([*last, *tail], nest.name)]

    # -- rows at computed places -------------------------------------------------------------------

    def split_columns(self, nest: Nest) -> list[Nest] | None:
        """A loop in order over windows whose elements never meet those of other columns: each thread goes through all
        windows for columns of its own. Every element sees the same updates in the same order as before."""
        head, loop, tail = _around_dependent_loop(self.program, nest.body)
        if loop is None or tail or total_work(self.program, loop) < tuning.SPLIT_COLUMNS_WORK:
            return None
        columns = loop.body[-1]
        if type(columns) is not Loop or not all(s.is_pure for s in [*head, *loop.body[:-1]]):
            return None
        if not is_straight(columns.body) or not self._columns_apart(loop, columns):
            return None
        targets = {self.program.buffers[s.buffer] for s in of_kind(Store, columns.body)}
        if self._affordable_pieces(loop, sum(b.nbytes for b in targets)) is not None:
            return None
        size = max(b.dtype.itemsize for b in targets)
        parts = [p for p in range(2, tuning.MOST_COLUMN_PARTS + 1) if columns.extent % p == 0]
        wide = [p for p in parts if columns.extent // p * size >= tuning.NARROWEST_COLUMNS]
        if not wide:
            return None
        if not self.program.target.threads:
            return [nest]
        width, part = columns.extent // max(wide), f"{columns.index}.part"
        # Columns do not meet, so they need no order.
        inner = part_of(columns, Affine.var(part, width), width).replace(ordered=False)
        outer = loop.replace(body=[*loop.body[:-1], inner])
        return [Nest([*head, Loop(part, max(wide), [outer], parallel=True)], nest.name)]

    def _columns_apart(self, loop: Loop, columns: Loop) -> bool:
        """Whether iterations of an inner loop touch different elements, whatever the other terms of an address are."""
        stores, targets = of_kind(Store, columns.body), set(stored(self.program, columns.body))
        if any(self.program.root(s.buffer) in targets for s in of_kind(Load, walk(loop.body))):
            return False
        if len(targets) != len(stores) or not stores:
            return False
        for s in stores:
            step = s.index.coefficient(columns.index)
            period = math.gcd(*[c for symbol, c in s.index.terms if symbol != columns.index])
            if step != 1 or s.index.const % max(period, 1) + columns.extent > period:
                return False
            if self.program.buffers[s.buffer].is_complex:
                return False
        return True

    # -- loops that only meet in sums --------------------------------------------------------------

    def split_rows(self, nest: Nest) -> list[Nest] | None:
        """Pieces of a loop get accumulators, sums and scratch rows of their own."""
        head, loop, tail = _around_dependent_loop(self.program, nest.body)
        if loop is None or total_work(self.program, loop) < tuning.SPLIT_ROWS_WORK:
            return None
        accs = of_kind(Acc, head)
        roles = self._roles(loop, accs)
        if roles is None:
            return None
        sums, private = roles
        shared = [*sums, *private]
        pieces = self._affordable_pieces(loop, sum(self.program.buffers[b].nbytes for b in shared))
        if pieces is None:
            return None
        length, piece = loop.extent // pieces, f"{loop.index}.piece"
        rows = {b: self._copies(b, pieces) for b in shared}
        part = redirected(part_of(loop, Affine.var(piece, length), length), rows, piece)
        used = {s.acc for s in of_kind(Update, walk(loop.body))}
        mine = [partial(self.program, a, (pieces,)) for a in accs if a.name in used]
        fill = [_fill(self.program.buffers[b], rows[b], piece, op) for b, op in sums.items()]
        many, gather = in_pieces(mine, piece, pieces, [*fill, part])
        before = [s for s in head if type(s) is not Acc]
        pure = [s for s in before if s.is_pure]
        first = [Nest(before, nest.name)] if len(before) > len(pure) else []
        combine = [_combined(self.program.buffers[b], rows[b], op, piece, pieces) for b, op in sums.items()]
        last = [*accs, *pure, *([gather] if mine else []), *combine, *tail]
        return [*first, Nest([*pure, many], nest.name), Nest(last, nest.name)]

    def _affordable_pieces(self, loop: Loop, size: int) -> int | None:
        """How many pieces a loop is split in if each needs `size` bytes of its own: filling and combining those must
        cost little beside the loop."""
        most = tuning.PRIVATE_BYTES * total_work(self.program, loop)
        if loop.ordered:
            # Scattered updates wait for memory, which the copies take up too.
            most /= tuning.SCATTERED_WAIT
        for fewer in tuning.FEWER_PIECES:
            pieces = divisor(loop.extent, tuning.REDUCTION_PIECES // fewer)
            if pieces is not None and size * pieces <= most:
                return pieces
        return None

    def _copies(self, name: str, pieces: int) -> Buffer:
        """Memory for a copy of a buffer per piece. Small ones have cache lines, and pairs of those, of their own, which
        threads would take away from each other at every update otherwise (false sharing)."""
        original = self.program.buffers[name]
        stride, step = original.size, max(1, tuning.FETCHED_TOGETHER // original.dtype.itemsize)
        if stride < tuning.FETCHES_APART * step:
            stride = -(-stride // step) * step
        return self.program.temporary(f"{name}.part", original.dtype, (pieces, stride))

    def _roles(self, loop: Loop, accs: list[Acc]) -> tuple[dict[str, str], list[str]] | None:
        """Buffers that an ordered loop sums into (with the monoid) and those it uses as scratch memory in every
        iteration; None if iterations depend on each other in another way."""
        plain = {a.name for a in accs if a.op not in ("argmax", "argmin")}
        inside = declared_cells(loop.body)
        for s in walk(loop.body):
            if any(cell not in inside and (type(s) is not Update or cell not in plain) for cell in changes(s)):
                return None
            if s.is_branch:
                return None
        sums: dict[str, str] = {}
        private: list[str] = []
        for accesses in by_memory(self.program, walk_in_loops(loop.body, {})).values():
            stores = of_kind(Store, [s for s, _ in accesses])
            names = {s.buffer for s, _ in accesses}
            if not stores or own_region(loop, accesses):
                continue
            if len(names) > 1 or self.program.buffers[stores[0].buffer].is_complex:
                return None
            name = stores[0].buffer
            if stores[0].update == "mul" and self.program.buffers[name].type in FLOATS:
                return None  # a product of some of the factors may overflow where the element does not
            if len(stores) == len(accesses) and len({s.update for s in stores}) == 1 and stores[0].update:
                sums[name] = stores[0].update
            elif is_scratch(accesses) and self._unused_elsewhere(name, loop):
                private.append(name)
            else:
                return None
            if any(s.index.coefficient(loop.index) for s, _ in accesses):
                return None
        return sums, private

    def _unused_elsewhere(self, name: str, loop: Loop) -> bool:
        """Whether a buffer is a temporary that nothing outside of the loop reads."""
        root = self.program.root(name)
        if root.kind != "temp":
            return False
        mine = sum(self.program.root(s.buffer) is root for s in of_kind(Load, walk(loop.body)))
        everywhere = sum(_reads(self.program, s, root) for s in walk(self.program.steps))
        return mine == everywhere


def _around_dependent_loop(program: Program, body: Sequence[Any]) -> tuple[Sequence[Any], Loop | None, Sequence[Any]]:
    return around_first_loop(body, lambda loop: not (loop.parallel or loop.vector or is_independent(program, loop)))


def _reads(program: Program, s: Any, root: Buffer) -> int:
    """How many operands of one statement or step (not of those nested in it) read a buffer."""
    return sum(program.root(name) is root for name in own_buffers(s)[0])


def _fill(target: Buffer, copies: Buffer, piece: str, op: str) -> Loop:
    """Neutral elements in the row of a piece."""
    index = f"{copies.name}.at"
    start = Const(neutral(op, copies.type), copies.type)
    place = Affine.var(piece, copies.shape[1]) + index
    return Loop(index, target.size, [Store(copies.name, place, start)])


def _combined(target: Buffer, copies: Buffer, op: str, piece: str, pieces: int) -> Loop:
    """Add the rows of all pieces to the buffer they stand for."""
    index, value, total = f"{copies.name}.at", f"{copies.name}.p", f"{copies.name}.sum"
    place = Affine.var(piece, copies.shape[1]) + index
    rows = Loop(piece, pieces, [Load(value, copies.name, place), Update(total, value)])
    return Loop(
        index,
        target.size,
        [Acc(total, op, copies.type), rows, Store(target.name, Affine.var(index), total, update=op)],
    )
