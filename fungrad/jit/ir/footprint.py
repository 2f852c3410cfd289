"""What a step touches, row by row.

May import ``ir``.
"""

from __future__ import annotations

import math
from typing import Any

from fungrad.jit.ir import convolutions, products
from fungrad.jit.ir.facts import is_independent, main_loop
from fungrad.jit.ir.loops import Affine, Call, Load, Loop, Nest, Program, Repeat, Store, View
from fungrad.jit.ir.traverse import of_kind, walk, walk_in_loops

# Where the rows of a step are in a buffer: the bytes from row to row, and the address of the first, in elements.
Stretch = tuple[int, Affine]


class Footprint:
    """The memory that a step touches.

    Attributes:
      reads, writes: by name of a buffer with memory of its own: where its rows are, None if the step needs more of the
        buffer than its row.
      rows: rows that one iteration of the step goes through.
    """

    def __init__(self, rows: int):
        self.rows = rows
        self.reads: dict[str, Stretch | None] = {}
        self.writes: dict[str, Stretch | None] = {}

    def add(self, table: dict[str, Stretch | None], name: str, stretch: Stretch | None) -> None:
        """Notes an access."""
        table[name] = stretch if table.get(name, stretch) == stretch else None

    def meets_in_rows(self, other: Footprint) -> bool:
        """Whether two steps use what either of them writes row by row."""
        for mine, theirs in ((self.writes, other.writes), (self.writes, other.reads), (self.reads, other.writes)):
            for name in mine.keys() & theirs.keys():
                if mine[name] is None or mine[name] != theirs[name]:
                    return False
        return True


def counters_of(program: Program) -> set[str]:
    """The counters of all repeated steps."""
    return {s.index for s in of_kind(Repeat, walk(program.steps))}


def footprint(program: Program, step: Any, extent: int, counters: set[str]) -> Footprint | None:
    """What a step touches if it is one on `extent` rows, else None; the counters are those of repeated steps."""
    if type(step) is Call:
        of = _of_convolution if step.routine in ("conv", "conv_each") else _of_product
        return of(program, step, extent)
    return _of_nest(program, step, extent, counters) if type(step) is Nest else None


def _of_product(program: Program, call: Call, extent: int) -> Footprint | None:
    if call.routine != "gemm" or not products.fits(program, call):
        return None
    c = call.outputs[0]
    if c.shape[-2] != extent or math.prod(c.shape[:-2]) != 1:
        return None
    found = Footprint(1)
    found.add(found.reads, _root(program, call.inputs[1]), None)
    found.add(found.reads, _root(program, call.inputs[0]), _stretch(program, call.inputs[0]))
    found.add(found.writes, _root(program, c), _stretch(program, c))
    if call.attributes.get("beta"):
        found.add(found.reads, _root(program, c), _stretch(program, c))
    return found


def _of_convolution(program: Program, call: Call, extent: int) -> Footprint | None:
    found = convolutions.rows_of(program, call)
    if found is None or found[0] != extent:
        return None
    touched = Footprint(found[1])
    for view in call.inputs:
        # A row needs neighbours of what it is made of.
        touched.add(touched.reads, _root(program, view), None)
    out = call.outputs[0]
    size = program.buffers[out.buffer].dtype.itemsize
    row = math.prod(out.shape) // extent
    stretch = None if out.offset.const % row else (row * size, out.offset)
    touched.add(touched.writes, _root(program, out), stretch)
    return touched


def _root(program: Program, view: View) -> str:
    return program.root(view.buffer).name


def _stretch(program: Program, view: View) -> Stretch | None:
    """The rows of a matrix, if each lies in a stretch of its own."""
    row, column = view.dense_strides[-2:]
    if row <= 0 or column < 0 or view.offset.const % row + (view.shape[-1] - 1) * column >= row:
        return None
    return row * program.buffers[view.buffer].dtype.itemsize, view.offset - view.offset.const % row


def _of_nest(program: Program, nest: Nest, extent: int, counters: set[str]) -> Footprint | None:
    loop = row_loop(nest)
    if loop is None or extent % loop.extent or not is_independent(program, loop):
        return None
    found = Footprint(extent // loop.extent)
    for s, extents in walk_in_loops(nest.body, {}):
        if not s.is_access:
            continue
        size = program.buffers[s.buffer].dtype.itemsize
        stride = s.index.coefficient(loop.index)
        rest = s.index - Affine.var(loop.index, stride)
        fixed = Affine(0, [(symbol, c) for symbol, c in rest.terms if symbol in counters])
        bounds = (rest - fixed).bounds(extents)
        stretch: Stretch | None = None
        if stride > 0 and bounds is not None and not stride % found.rows:
            start = bounds[0] - bounds[0] % stride
            if bounds[1] - start < stride:
                stretch = stride // found.rows * size, fixed + start
        root = program.root(s.buffer).name
        if type(s) is Store:
            found.add(found.writes, root, stretch)
        if type(s) is Load or s.reads_what_it_writes:
            found.add(found.reads, root, stretch)
    return found


def row_loop(nest: Nest) -> Loop | None:
    """The last loop of a nest, if only pure statements stand before it."""
    loop = main_loop(nest)
    return None if loop is None or loop.ordered else loop
