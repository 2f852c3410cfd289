"""Rewrites of whole nests for memory order and for threads, before scheduling.

`split_reduction`: a large reduction to few values becomes a parallel nest that reduces a fixed
number of pieces, and a small one that combines them. The pieces depend on the sizes only, so the
result does not depend on the number of threads.

`sweep_rows`: a reduction over the leading axis of a wide array would walk down columns, a page
further at every step. It becomes a sweep over a few rows at a time, with a row of partial results
that stays in the cache.

Both need memory for partial results, so they run on programs whose new temporaries have no place
yet.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fungrad.jit.emit.module import Machine
from fungrad.jit.emit.ops import neutral
from fungrad.jit.emit.schedule import (
    PARALLEL_WORK,
    choose_lanes,
    collapse,
    divisor,
    expressions,
    is_independent,
    substituted,
    total_work,
)
from fungrad.jit.kernels.scalars import NUMPY_DTYPES
from fungrad.jit.loops import (
    Acc,
    Affine,
    Branch,
    Buffer,
    Const,
    Index,
    Let,
    Load,
    Loop,
    Nest,
    Program,
    Repeat,
    Store,
    Update,
    While,
    walk,
)

# About how many pieces a split reduction has.
_PIECES = 32
# Rows of a sweep: enough to make the partial results cheap, few enough for the prefetcher.
_ROWS = 8
# About how many columns one thread sweeps at a time.
_COLUMNS = 1024
# Bytes between rows from which walking down a column is slow.
_FAR = 2048


def restructured(program: Program, machine: Machine) -> Program:
    """The program with its nests rewritten; shares buffers with the original."""
    buffers = list(program.buffers.values())
    rewriter = _Rewriter(program, machine, buffers)
    steps = rewriter.steps(program.steps)
    return Program(program.name, buffers, steps, program.inputs, program.outputs)


class _Rewriter:
    def __init__(self, program: Program, machine: Machine, buffers: list[Buffer]):
        self.program = program
        self.machine = machine
        self.buffers = buffers
        self.scratch = Program(program.name, buffers, [], (), ())

    def steps(self, steps: Sequence[Any]) -> list[Any]:
        result: list[Any] = []
        for s in steps:
            kind = type(s)
            if kind is Nest:
                result += self.nest(s)
            elif kind is Repeat:
                result.append(Repeat(s.index, s.extent, self.steps(s.steps)))
            elif kind is While:
                result.append(While(self.steps(s.test), s.condition, self.steps(s.steps)))
            elif kind is Branch:
                result.append(Branch(s.selector, [self.steps(b) for b in s.branches]))
            else:
                result.append(s)
        return result

    def nest(self, nest: Nest) -> list[Nest]:
        nest = Nest(collapse(nest.body), nest.name)
        swept = self.sweep_rows(nest)
        if swept is not None:
            return swept
        # also where there is one thread only: results must not depend on that
        return self.split_reduction(nest) or [nest]

    def partial(self, acc: Acc, shape: tuple[int, ...]) -> Buffer:
        """A temporary for partial results of an accumulator."""
        name = f"{acc.name}.part{len(self.buffers)}"
        buffer = Buffer(name, NUMPY_DTYPES[acc.type], shape)
        self.buffers.append(buffer)
        self.scratch.buffers[name] = buffer
        return buffer

    # -- reductions to few values ------------------------------------------------------------------

    def split_reduction(self, nest: Nest) -> list[Nest] | None:
        """Declarations, one large loop that updates them, anything small after it."""
        head, loop, tail = _around_first_loop(nest.body)
        accs = [s for s in head if type(s) is Acc]
        if loop is None or not accs or any(type(s) not in (Acc, Let, Load, Index) for s in head):
            return None
        if not _only_reduces(loop, accs) or total_work(self.scratch, loop) < 16 * PARALLEL_WORK:
            return None
        inside = Loop(loop.index, loop.extent, [*accs, *loop.body])
        if not is_independent(self.program, inside):
            return None
        pieces = divisor(loop.extent, _PIECES) or _PIECES
        length, rest = divmod(loop.extent, pieces)
        if length < 2:
            return None
        piece = f"{loop.index}.piece"
        shifted = {loop.index: Affine.var(piece, length) + loop.index}
        body = [substituted(s, shifted) for s in loop.body]
        parts = {a.name: self.partial(a, (pieces,)) for a in accs}
        pure = [s for s in head if type(s) is not Acc]
        many = Loop(
            piece,
            pieces,
            [
                *(Acc(a.name, a.op, a.type) for a in accs),
                Loop(loop.index, length, body),
                *(Store(parts[a.name].name, piece, a.name) for a in accs),
            ],
            parallel=True,
        )
        gather = Loop(
            piece,
            pieces,
            [
                s
                for a in accs
                for s in (
                    Load(f"{a.name}.p", parts[a.name].name, piece),
                    Update(a.name, f"{a.name}.p"),
                )
            ],
        )
        last: list[Any] = [*head, gather]
        if rest:
            beyond = {loop.index: Affine.var(loop.index) + pieces * length}
            last.append(Loop(loop.index, rest, [substituted(s, beyond) for s in loop.body]))
        return [Nest([*pure, many], nest.name), Nest([*last, *tail], nest.name)]

    # -- reductions over a leading axis ------------------------------------------------------------

    def sweep_rows(self, nest: Nest) -> list[Nest] | None:
        """Loop over columns: declarations, a loop down the rows, anything after it."""
        if len(nest.body) != 1 or type(nest.body[0]) is not Loop:
            return None
        columns = nest.body[0]
        head, rows, tail = _around_first_loop(columns.body)
        accs = [s for s in head if type(s) is Acc]
        if rows is None or not accs or len(accs) != len(head) or columns.vector or columns.ordered:
            return None
        if not _only_reduces(rows, accs) or any(type(s) is Loop for s in walk(rows.body)):
            return None
        if not self._far(columns, rows) or rows.extent < 4 * _ROWS or columns.extent < 64:
            return None
        if any(a.init is not None and not isinstance(a.init, Const) for a in accs):
            return None
        return self._swept(nest, columns, accs, rows, tail)

    def _far(self, columns: Loop, rows: Loop) -> bool:
        """Whether going down a row is far and going along columns is not."""
        far = False
        for s in rows.body:
            if type(s) is Load:
                size = self.scratch.buffers[s.buffer].dtype.itemsize
                if abs(s.index.coefficient(columns.index)) > 1:
                    return False
                far = far or abs(s.index.coefficient(rows.index)) * size >= _FAR
            elif type(s) is not Update and expressions(s):
                return False
        return far

    def _swept(self, nest: Nest, columns: Loop, accs: list[Acc], rows: Loop, tail: list[Any]) -> list[Nest]:
        width = divisor(columns.extent, _COLUMNS) or columns.extent
        block, group = f"{columns.index}.block", f"{rows.index}.group"
        j = Affine.var(columns.index)
        place = Affine.var(block, width) + j
        parts = {a.name: self.partial(a, (columns.extent,)) for a in accs}

        def start(a: Acc) -> Const:
            return a.init if isinstance(a.init, Const) else Const(neutral(a.op, a.type), a.type)

        def some_rows(first: Affine, count: int) -> Loop:
            """Add `count` rows to the partial results."""
            shifted = {rows.index: first + rows.index, columns.index: place}
            return self._along(
                columns,
                width,
                [
                    *(Acc(a.name, a.op, a.type) for a in accs),
                    Loop(rows.index, count, [substituted(s, shifted) for s in rows.body]),
                    *(Store(parts[a.name].name, place, a.name, update=a.op) for a in accs),
                ],
            )

        groups, rest = divmod(rows.extent, _ROWS)
        here = {columns.index: place}
        body = [
            self._along(columns, width, [Store(parts[a.name].name, place, start(a)) for a in accs]),
            Loop(group, groups, [some_rows(Affine.var(group, _ROWS), _ROWS)], ordered=True),
        ]
        if rest:
            body.append(some_rows(Affine(groups * _ROWS), rest))
        results = [Load(a.name, parts[a.name].name, place) for a in accs]
        after = [*results, *(substituted(s, here) for s in tail)]
        body.append(Loop(columns.index, width, after))
        return [Nest([Loop(block, columns.extent // width, body)], nest.name)]

    def _along(self, columns: Loop, width: int, body: list[Any]) -> Loop:
        """A vector loop over the columns of a block."""
        loop = Loop(columns.index, width, body, vector=True)
        loop.lanes = choose_lanes(self.scratch, loop, self.machine)
        return loop


def _around_first_loop(body: list[Any]) -> tuple[list[Any], Loop | None, list[Any]]:
    for k, s in enumerate(body):
        if type(s) is Loop:
            return body[:k], s, body[k + 1 :]
    return body, None, []


def _only_reduces(loop: Loop, accs: list[Acc]) -> bool:
    """Whether a loop has no effect but to update plain accumulators, all of which are known."""
    names = {a.name for a in accs if a.op not in ("argmax", "argmin")}
    names |= {s.name for s in walk(loop.body) if type(s) is Acc}
    if loop.ordered or loop.parallel or loop.vector:
        return False
    for s in walk(loop.body):
        if type(s) is Update:
            if s.acc not in names or s.position is not None:
                return False
        elif type(s) not in (Let, Index, Load, Loop, Acc):
            return False
    return True
