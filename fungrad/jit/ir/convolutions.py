"""Convolutions among the steps: the blocks that they are computed in.

A block of results is computed from a copy of what it sees of the operand. `blocks` says which results a block has, so
that steps which continue them can run on the same block.

May import ``ir``.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from fungrad.jit.ir import tuning
from fungrad.jit.ir.loops import Call, Program
from fungrad.ops.convolution_shapes import Geometry, Part


class Span(NamedTuple):
    """One axis of a block of the operand that is copied.

    Attributes:
      places: of the block along it.
      step: distance of neighbouring places, in elements of the operand.
      extent: elements of the operand.
      stride: their distance in bytes.
    """

    places: int
    step: int
    extent: int
    stride: int


@dataclass(frozen=True)
class Block:
    """A copy of a part of the operand: axes, the last of which are lines and columns, and the numbers at each place.

    Attributes:
      size: bytes of a number.
      spans: of the axes; lines and columns have step 1.
      channels: numbers at a place.
      channel_stride: their distance in the operand, in bytes.
    """

    size: int
    spans: tuple[Span, ...]
    channels: int
    channel_stride: int

    @property
    def strides(self) -> tuple[int, ...]:
        """Distances of neighbouring places of the copy along each axis, in bytes."""
        found, step = [], self.channels * self.size
        for span in reversed(self.spans):
            found.append(step)
            step *= span.places
        return tuple(reversed(found))

    @property
    def nbytes(self) -> int:
        """Bytes of the copy."""
        return self.strides[0] * self.spans[0].places


def work(call: Call) -> int:
    """Multiplications of a convolution, for one whose operand is not spread."""
    g: Geometry = call.attributes["geometry"]
    return math.prod(g.result_shape) * g.terms


def divisors(n: int) -> list[int]:
    """All divisors, the greatest first.

    >>> divisors(12)
    [12, 6, 4, 3, 2, 1]
    """
    return [d for d in range(n, 0, -1) if n % d == 0]


class Blocks:
    """Plain convolutions that have as many results along each axis, in blocks.

    Attributes:
      members: for each convolution its part of each axis; they differ in their first results and in their taps.
      results: how many results each has along each axis.
      taps: taps of the one that has most.
      height, width: lines and columns of results of a block.
      channels: features that are added up at a time.
      block: what a block of results sees of the operand.
      first: for each axis, by how much it begins before the operand.
      extents: how many blocks there are: examples, outer axes, lines, columns.
    """

    def __init__(
        self, g: Geometry, members: Sequence[tuple[Part, ...]], strides: Sequence[int], size: int, cache: int,
        depth: int, longest: int,
    ):  # fmt: skip
        self.g, self.members, self.strides, self.size = g, tuple(members), tuple(strides), size
        self.cache, self.depth = cache, depth
        parts = self.members[0]
        self.results = tuple([p.taps.result for p in parts])
        self.taps = max(math.prod(p.taps.kernel for p in m) for m in members)
        self.first = tuple([max(m[d].taps.low for m in members) for d in range(len(parts))])
        self.width = next(d for d in divisors(self.results[-1]) if d <= longest)
        self.channels = self._channels()
        self.height = self._height()
        self.block = self._block(self.height, self.channels)
        lines, columns = self.results[-2] // self.height, self.results[-1] // self.width
        self.extents = (g.batch, *self.results[:-2], lines, columns)

    def _channels(self) -> int:
        for d in divisors(self.g.features):
            deep = self.taps * d > self.depth and d > 8
            if not deep and self._block(1, d).nbytes <= self.cache:
                return d
        return 1

    def _height(self) -> int:
        """Lines of results: as many as the cache holds what they see of, if there is work for threads."""
        lines = self.results[-2]
        others = self.g.batch * (self.results[-1] // self.width) * math.prod(self.results[:-2])
        fitting = [d for d in divisors(lines) if self._block(d, self.channels).nbytes <= self.cache] or [1]
        return next((d for d in fitting if others * (lines // d) >= tuning.CONVOLUTION_BLOCKS), fitting[-1])

    def _block(self, height: int, channels: int) -> Block:
        spans = []
        for d, first in enumerate(self.first):
            axes = [m[d].taps for m in self.members]
            t = axes[0]
            # Up to where the taps of all convolutions reach from their first result.
            reach = max(first - a.low + (max(1, a.kernel) - 1) * a.dilation for a in axes)
            if d < len(self.first) - 2 or (d == len(self.first) - 2 and height == 1):
                step = t.dilation if len(self.members) == 1 else 1
                spans.append(Span(reach // step + 1, step, t.operand, self.strides[2 + d]))
                continue
            results = height if d == len(self.first) - 2 else self.width
            spans.append(Span((results - 1) * t.stride + reach + 1, 1, t.operand, self.strides[2 + d]))
        return Block(self.size, tuple(spans), channels, self.strides[-1])

    @property
    def count(self) -> int:
        """How many blocks there are."""
        return math.prod(self.extents)


def blocks(
    g: Geometry, strides: Sequence[int], size: int, cache: int, depth: int = tuning.CONVOLUTION_DEPTH
) -> list[Blocks]:
    """The blocks of all plain convolutions that make up one, with an operand of the given strides in bytes, that add up
    about `depth` terms at a time."""
    longest = _longest(g, size, cache)
    last = [piece for part in g.axes[-1].parts() for piece in _divided(part, longest)]
    alike: dict[tuple[int, ...], list[tuple[Part, ...]]] = {}
    for parts in itertools.product(*[a.parts() for a in g.axes[:-1]], last):
        results = tuple([p.taps.result for p in parts])
        if 0 not in results:
            alike.setdefault(results, []).append(parts)
    return [Blocks(g, members, strides, size, cache, depth, longest) for members in alike.values()]


def _longest(g: Geometry, size: int, cache: int) -> int:
    """Results of a line that is not divided: the cache holds what they see of some features."""
    *others, last = g.axes
    column = math.prod(max(1, a.kernel) for a in others) * min(g.features, 8) * size
    columns = cache // column - (last.kernel - 1) * last.dilation - 1
    return min(tuning.LONGEST_LINE, max(tuning.SHORTEST_LINE, columns // last.stride + 1))


def _divided(part: Part, longest: int) -> list[Part]:
    """A long line of results as blocks of one size and what is left."""
    n = part.taps.result
    if n <= longest:
        return [part]
    size = -(-n // -(-n // min(tuning.LINE, longest)))
    return [
        part._replace(
            taps=part.taps._replace(result=count, low=part.taps.low - first * part.taps.stride),
            first=part.first + first * part.step,
        )
        for first, count in ((0, n // size * size), (n // size * size, n % size))
        if count
    ]


def blocks_of(program: Program, call: Call) -> list[Blocks]:
    """The blocks of a `conv` or `conv_each` step."""
    x, size = call.inputs[0], program.buffers[call.outputs[0].buffer].dtype.itemsize
    strides = [s * size for s in x.dense_strides]
    g, cache = call.attributes["geometry"], tuning.convolution_scratch(program.target)
    if call.routine == "conv_each":
        # What are groups there are features here, of which as many are copied at a time as the cache holds.
        return blocks(g._replace(groups=1, features=g.groups), [0, *strides], size, cache, cache)
    return blocks(g, strides, size, cache)


def rows_of(program: Program, call: Call) -> tuple[int, int] | None:
    """The rows (results, in row-major order) of a `conv` or `conv_each` step, and how many of them a block has; None if
    its blocks are not rows one after the other, or nobody has to compute anything."""
    found = blocks_of(program, call)
    if len(found) != 1 or found[0].extents[-1] != 1:
        return None
    g: Geometry = call.attributes["geometry"]
    rows = math.prod(g.result_shape[:-2])
    return rows, rows // found[0].count
