"""Passes ``sweep rows`` (loop interchange with strip-mining) and ``narrow sums`` (loop interchange with scalar
replacement): sums over leading axes, a few rows at a time.

`sweep_rows`: a reduction over the leading axis of a wide array would walk down columns, a page further at every step.
It becomes a sweep over a few rows at a time, with a row of partial results that stays in the cache. So does one that
adds row after row to wide sums in memory: it adds a few rows to some columns at a time, in registers, and threads share
the columns.

`narrow_sums`: where rows are no longer than a few registers, their sums are kept in registers for all rows; and several
rows are taken as one where they lie behind each other, so that registers are full.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from fungrad.jit.ir import tuning
from fungrad.jit.ir.cost import vector_work
from fungrad.jit.ir.facts import divisor, is_straight, stored
from fungrad.jit.ir.loops import Acc, Affine, Const, Load, Loop, Nest, Program, Store, Update
from fungrad.jit.ir.traverse import addresses, defines, map_loops, of_kind, substitute, walk
from fungrad.jit.kernels.scalars import FLOATS
from fungrad.jit.rewrites.partial import around_first_loop, only_reduces, partial
from fungrad.jit.rewrites.vectorise import choose_lanes


def sweep_rows(program: Program, nest: Nest) -> list[Nest] | None:
    """A nest that reduces over a leading axis as a sweep over its rows; None for others."""
    return _Sweeper(program).sweep_rows(nest)


def narrow_sums(program: Program, statements: Sequence[Any]) -> list[Any]:
    """Statements with loops over short rows that add them up turned inside out."""
    return map_loops(_Sweeper(program).narrow, statements)


class _Sweeper:
    def __init__(self, program: Program):
        self.program = program

    def sweep_rows(self, nest: Nest) -> list[Nest] | None:
        """Loop over columns: declarations, a loop down the rows, anything after it; or a loop over rows that adds each
        to sums in memory."""
        if len(nest.body) != 1 or type(nest.body[0]) is not Loop:
            return None
        columns = nest.body[0]
        inner = self._inner(columns)
        if inner is not None:
            return self._sweep_columns(nest, columns, inner)
        head, rows, tail = around_first_loop(columns.body)
        accs = of_kind(Acc, head)
        if rows is None or not accs or len(accs) != len(head) or columns.vector or columns.ordered:
            return None
        if not only_reduces(rows, accs) or of_kind(Loop, walk(rows.body)):
            return None
        if rows.extent < tuning.SWEEPS * tuning.SWEPT_ROWS or columns.extent < tuning.FEWEST_SWEPT:
            return None
        if not self._far(columns, rows):
            return None
        if any(a.init is not None and not isinstance(a.init, Const) for a in accs):
            return None
        return self._swept(nest, columns, accs, rows, tail)

    def _inner(self, rows: Loop) -> Loop | None:
        """The loop over columns in a loop over rows, perfectly nested: what is read once a row, as a factor of the row,
        is sunk into it. It is read once for every vector of a row then, so it must be cheap. None for other loops."""
        before, columns = rows.body[:-1], rows.body[-1] if rows.body else None
        if type(columns) is not Loop or any(not s.is_pure for s in before):
            return None
        if before and vector_work(self.program, before, None, 1) > tuning.REPEATED_WORK:
            return None
        return columns.replace(body=[*before, *columns.body])

    def _far(self, columns: Loop, rows: Loop) -> bool:
        """Whether going down a row is far and going along columns is not."""
        far = False
        for s in rows.body:
            if type(s) is Load:
                size = self.program.buffers[s.buffer].dtype.itemsize
                if abs(s.index.coefficient(columns.index)) > 1:
                    return False
                far = far or abs(s.index.coefficient(rows.index)) * size >= tuning.FAR_ROWS
            elif type(s) is not Update and addresses(s):
                return False
        return far

    def _swept(self, nest: Nest, columns: Loop, accs: list[Acc], rows: Loop, tail: Sequence[Any]) -> list[Nest]:
        width = divisor(columns.extent, tuning.SWEPT_COLUMNS) or columns.extent
        block, group = f"{columns.index}.block", f"{rows.index}.group"
        j = Affine.var(columns.index)
        place = Affine.var(block, width) + j
        parts = [partial(self.program, a, (columns.extent,)) for a in accs]

        def some_rows(first: Affine, count: int) -> Loop:
            """Add `count` rows to the partial results."""
            shifted = {rows.index: first + rows.index, columns.index: place}
            return self._along(
                columns,
                width,
                [
                    *(p.declare() for p in parts),
                    Loop(rows.index, count, [substitute(s, shifted) for s in rows.body]),
                    *(s for p in parts for s in p.add(place)),
                ],
            )

        groups, rest = divmod(rows.extent, tuning.SWEPT_ROWS)
        here = {columns.index: place}
        body = [
            self._along(columns, width, [s for p in parts for s in p.begin(place)]),
            Loop(group, groups, [some_rows(Affine.var(group, tuning.SWEPT_ROWS), tuning.SWEPT_ROWS)], ordered=True),
        ]
        if rest:
            body.append(some_rows(Affine(groups * tuning.SWEPT_ROWS), rest))
        results = [s for p in parts for s in p.result(place)]
        after = [*results, *(substitute(s, here) for s in tail)]
        body.append(Loop(columns.index, width, after))
        return [Nest([Loop(block, columns.extent // width, body)], nest.name)]

    def _sweep_columns(self, nest: Nest, rows: Loop, columns: Loop) -> list[Nest] | None:
        """Sums of rows in memory: some columns at a time, and of those some rows in registers."""
        if rows.extent < 2 or not self._sums_by_column(rows, columns):
            return None
        size = max(self.program.buffers[s.buffer].dtype.itemsize for s in of_kind(Store, columns.body))
        width = tuning.swept_columns(self.program.target, columns.extent, rows.extent * columns.extent * size)
        if width is None:
            return None
        width = divisor(columns.extent, width) or width
        blocks, rest = divmod(columns.extent, width)
        block = f"{columns.index}.block"
        body = [Loop(block, blocks, self._some_columns(rows, columns, Affine.var(block, width), width))]
        nests = [Nest(body, nest.name)]
        if rest:
            nests.append(Nest(self._some_columns(rows, columns, Affine(blocks * width), rest), nest.name))
        return nests

    def _sums_by_column(self, rows: Loop, columns: Loop) -> bool:
        """Whether rows meet in nothing but sums, one per column, and columns not at all."""
        if rows.parallel or rows.vector or columns.parallel or columns.vector or columns.ordered:
            return False
        if not is_straight(columns.body):
            return False
        stores, targets = of_kind(Store, columns.body), set(stored(self.program, columns.body))
        if len(targets) < len(stores):
            return False
        if any(self.program.root(s.buffer) in targets for s in of_kind(Load, columns.body)):
            return False
        computed = {name for s in columns.body for name in defines(s)}
        for s in stores:
            across, down = s.index.coefficient(columns.index), s.index.coefficient(rows.index)
            buffer = self.program.buffers[s.buffer]
            if across != 1 or computed.intersection(s.index.symbols()):
                return False
            if s.update is None:
                if abs(down) < columns.extent:
                    return False
            elif down or s.where is not None or buffer.is_complex or (s.update == "mul" and buffer.type in FLOATS):
                return False
        return any(s.update for s in stores)

    def _some_columns(self, rows: Loop, columns: Loop, start: Affine, width: int) -> list[Any]:
        """All rows of the columns from `start` on."""
        size = tuning.SWEPT_ROWS if rows.extent >= 2 * tuning.SWEPT_ROWS else rows.extent
        groups, rest = divmod(rows.extent, size)
        if groups == 1:
            return [self._in_registers(rows, columns, Affine(), size, start, width)]
        group = f"{rows.index}.group"
        some = self._in_registers(rows, columns, Affine.var(group, size), size, start, width)
        body: list[Any] = [Loop(group, groups, [some], ordered=True)]
        if rest:
            body.append(self._in_registers(rows, columns, Affine(groups * size), rest, start, width))
        return body

    def _in_registers(
        self,
        rows: Loop,
        columns: Loop,
        first: Affine,
        count: int,
        start: Affine,
        width: int,
        results: dict[str, tuple[str, Affine]] | None = None,
    ) -> Loop:
        """`count` rows, to whose counter `first` is added, of some columns: their sums are kept in registers, and then
        combined with what is in memory, or put into the places that stand for it."""
        place = {columns.index: start + columns.index}
        moved = {**place, rows.index: first + rows.index}
        sums = {s: f"{s.buffer}.rows" for s in _sums(columns)}
        terms = [Update(sums[s], s.value) if s in sums else s for s in columns.body]
        if results is None:
            ends = [substitute(s.replace(value=name), place) for s, name in sums.items()]
        else:
            found = {name: results[s.buffer] for s, name in sums.items()}
            ends = [Store(buffer, there + columns.index, name) for name, (buffer, there) in found.items()]
        accs = [Acc(name, s.update or "", self.program.buffers[s.buffer].type) for s, name in sums.items()]
        down = Loop(rows.index, count, [substitute(s, moved) for s in terms])
        return self._along(columns, width, [*accs, down, *ends])

    def _along(self, columns: Loop, width: int, body: list[Any]) -> Loop:
        """A vector loop over the columns of a block."""
        loop = Loop(columns.index, width, body, vector=True)
        return loop.replace(lanes=choose_lanes(self.program, loop))

    # -- short rows --------------------------------------------------------------------------------------------------

    def narrow(self, rows: Loop, around: Sequence[Loop]) -> list[Any] | None:
        """A loop over short rows turned inside out; None for other loops."""
        columns = self._inner(rows)
        if columns is None or not self._is_narrow(rows, columns):
            return None
        return self._narrow(rows, columns, around)

    def _is_narrow(self, rows: Loop, columns: Loop) -> bool:
        """Whether sums fit into registers, and there are enough rows to fill them."""
        if columns.extent > tuning.MOST_LANES or rows.extent < tuning.SWEEPS * tuning.SWEPT_ROWS:
            return False
        return self._sums_by_column(rows, columns)

    def _narrow(self, rows: Loop, columns: Loop, around: Sequence[Loop]) -> list[Any]:
        """The sums of short rows in registers."""
        width = columns.extent
        places = math.prod(x.extent for x in around)
        together = tuning.MOST_LANES // width if self._is_dense(rows, columns) and places <= tuning.SWEPT_COLUMNS else 1
        count, rest = divmod(rows.extent, together)
        if together == 1:
            return [self._in_registers(rows, columns, Affine(), count, Affine(), width)]
        # As many rows as registers hold are taken as one; the sums of each of them are added up at the end. Iterations
        # of loops around it may run at the same time, so each has memory of its own for that.
        place, size = Affine(), together * width
        for x in reversed(around):
            place, size = place + Affine.var(x.index, size), size * x.extent
        parts: dict[str, tuple[str, Affine]] = {}
        for s in _sums(columns):
            buffer = self.program.buffers[s.buffer]
            parts[s.buffer] = self.program.temporary(f"{s.buffer}.narrow", buffer.dtype, (size,)).name, place
        gathered = [x for s in _sums(columns) for x in self._gathered(s, *parts[s.buffer], columns, together)]
        apart = Affine.var(rows.index, together - 1)
        result: list[Any] = [
            self._in_registers(rows, columns, apart, count, Affine(), together * width, parts),
            Loop(columns.index, width, gathered),
        ]
        if rest:
            result.append(self._in_registers(rows, columns, Affine(count * together), rest, Affine(), width))
        return result

    def _is_dense(self, rows: Loop, columns: Loop) -> bool:
        """Whether a row lies behind the one before it, in all arrays that vary along rows or columns."""
        for s in columns.body:
            for index in addresses(s):
                down = 0 if s.reads_what_it_writes else index.coefficient(columns.index) * columns.extent
                if index.coefficient(rows.index) != down:
                    return False
        return True

    def _gathered(self, store: Store, part: str, place: Affine, columns: Loop, together: int) -> list[Any]:
        """The sums of several rows added up."""
        value, total, row = f"{part}.p", f"{part}.sum", f"{columns.index}.row"
        index = place + Affine.var(row, columns.extent) + columns.index
        acc = Acc(total, store.update or "", self.program.buffers[part].type)
        return [acc, Loop(row, together, [Load(value, part, index), Update(total, value)]), store.replace(value=total)]


def _sums(columns: Loop) -> list[Store]:
    """The stores that combine with what is in memory."""
    return [s for s in of_kind(Store, columns.body) if s.update is not None]
