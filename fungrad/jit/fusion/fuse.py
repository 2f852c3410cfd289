"""Loop fusion: puts stages into common loops.

`fuse` takes the stages of a program in order and grows a tree of loops: a stage enters the loops of an earlier one
when the values it reads from there are finished at that point of the loop, which is when it reads them at the very
iteration that made them. A reduction is finished after its loop, so what uses it continues in the loop outside:
softmax becomes one loop over rows with three short loops inside, and its row statistics never leave registers.

The order of stages is kept except that a stage may move up to the loops it joins; opaque steps stay in order.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence, Set
from typing import Any

from fungrad.jit.formulas.indices import Axis, Idx
from fungrad.jit.formulas.tensors import Compute, Opaque, Read, Source, Tensor
from fungrad.jit.fusion.stages import Stage
from fungrad.jit.fusion.views import in_memory
from fungrad.jit.ir import provenance, tuning

# Why a loop joins none of those before what it needs.
ONLY_AFTER = "it reads what is made only after that loop"


class LoopNode:
    """A loop shared by some stages.

    Attributes:
      extent: number of iterations.
      axis: its counter, which takes the place of the axes of the stages that join.
      children: loops and stages inside, in order.
      depth: number of loops around it.
      count: number of stages inside.
      made: what they make.
      read: what they read, and along which of its dimensions the loop goes.
      breaks: number of their breaks.
      scatters: whether one of them scatters.
      reduces: whether one of them reduces rows.
      alone: the loops that the first stage inside could not join, and why; None unless a program is explained.
    """

    __slots__ = (
        "extent", "axis", "children", "depth", "sequential", "count", "made", "read", "breaks", "scatters", "reduces",
        "alone",
    )  # fmt: skip

    def __init__(self, axis: Axis, depth: int, sequential: bool):
        self.extent = axis.extent
        self.axis = axis
        self.depth = depth
        self.children: list[LoopNode | Stage] = []
        self.sequential = sequential
        self.count = 0
        self.made: set[Tensor] = set()
        self.read: dict[Tensor, set[tuple[int, ...]]] = {}
        self.breaks = 0
        self.scatters = self.reduces = False
        self.alone: list[tuple[Item, str]] | None = None

    def note(self, stage: Stage) -> None:
        """Keeps what later stages ask for of one that has been put inside, and is in terms of the loops."""
        self.count += 1
        self.made.add(stage.tensor)
        for tensor, index in stage.reads:
            self.read.setdefault(tensor, set()).add(_dimensions(index, self.axis))
        self.breaks += len(stage.breaks)
        self.scatters |= stage.scatters
        self.reduces |= _reduces_rows(stage)

    def stages(self) -> Iterator[Stage]:
        """All stages inside, in order."""
        for child in self.children:
            if isinstance(child, Stage):
                yield child
            else:
                yield from child.stages()


Item = LoopNode | Stage | Opaque


def fuse(order: Sequence[Stage | Opaque], results: Set[Tensor] = frozenset()) -> list[Item]:
    """The items of a program: loop nests, stages without loops, and opaque steps, in execution order.

    Args:
      order: what the program consists of.
      results: what is kept to its end, whenever it is computed.
    """
    fuser = _Fuser(results)
    for x in order:
        if isinstance(x, Opaque):
            fuser.add_opaque(x)
        else:
            fuser.add_stage(x)
    return fuser.items


class _Fuser:
    def __init__(self, results: Set[Tensor]) -> None:
        self.results = results
        self.items: list[Item] = []
        self.stage_of: dict[Tensor, Stage] = {}
        # The nests that read an array, in the order in which they began to.
        self.readers: dict[Tensor, dict[LoopNode, None]] = {}

    def add_opaque(self, step: Opaque) -> None:
        self.items.append(step)

    def add_stage(self, stage: Stage) -> None:
        self.stage_of[stage.tensor] = stage
        self._insert(self.items, stage, 0)
        stage.rename({a: node.axis for a, node in zip(stage.axes, stage.path, strict=True)})
        for node in stage.path:
            node.note(stage)
        for tensor, _ in stage.reads if stage.path else ():
            self.readers.setdefault(tensor, {})[stage.path[0]] = None

    def _insert(self, sequence: list[Any], stage: Stage, depth: int) -> None:
        """Puts ``stage``, whose loops from ``depth`` on are missing, into a sequence of items."""
        at = self._earliest(sequence, stage)
        if depth < len(stage.axes) and not stage.scatters:
            for item in self._candidates(sequence, max(at, 0), stage):
                if isinstance(item, LoopNode) and self._joins(item, stage, depth):
                    stage.path.append(item)
                    self._insert(item.children, stage, depth + 1)
                    return
        if depth == len(stage.axes):
            # A single number is computed as soon as possible, so that what needs it may join earlier loops.
            sequence.insert(at + 1 if depth == 0 else len(sequence), stage)
            return
        node = LoopNode(stage.axes[depth], depth, stage.kinds[depth] == "s")
        if provenance.is_on() and depth == 0:
            node.alone = self._refused(sequence, stage, at)
        sequence.append(node)
        stage.path.append(node)
        self._insert(node.children, stage, depth + 1)

    def _candidates(self, sequence: list[Any], start: int, stage: Stage) -> Iterator[Any]:
        """The items of a sequence that ``stage`` may join: the next ones, and for results of the program nests further
        on that read what it reads (the moments of one of many parameters, with those of all the others between)."""
        end = start + tuning.FUSION_REACH
        yield from sequence[start:end]
        if sequence is self.items and len(sequence) > end and stage.tensor in self.results:
            for tensor, _ in stage.reads:
                nests = self.readers.get(tensor, ()) if tensor.aval.size > 1 else ()
                for nest in itertools.islice(nests, tuning.FUSION_READERS):
                    if nest in itertools.islice(sequence, end, None):
                        yield nest

    def _earliest(self, sequence: list[Any], stage: Stage) -> int:
        """Index of the last item that makes something ``stage`` needs; -1 if none does."""
        needed = {t for t, _ in stage.reads}
        if stage.tensor.updates is not None:
            needed.add(stage.tensor.updates)
        if not any(t in self.stage_of or getattr(t, "origin", None) is not None for t in needed):
            return -1
        for at in range(len(sequence) - 1, -1, -1):
            if not needed.isdisjoint(_made(sequence[at])):
                return at
        return -1

    def _refused(self, sequence: list[Any], stage: Stage, at: int) -> list[tuple[Item, str]]:
        """For those who look: what a stage could not join at the outermost level, and why."""
        found: list[tuple[Item, str]] = []
        for k, item in enumerate(sequence):
            if k < at and isinstance(item, LoopNode):
                found.append((item, ONLY_AFTER))
            elif k == at and isinstance(item, Opaque):
                found.append((item, "it reads the result of a step on whole arrays, which must be complete"))
            elif isinstance(item, LoopNode):
                why = "updates at computed positions have loops of their own"
                if not stage.scatters:
                    why = self._refusal(item, stage, 0) or "that loop is too far back in the program"
                found.append((item, why))
        return found

    def _joins(self, node: LoopNode, stage: Stage, depth: int) -> bool:
        """Whether ``stage`` can run inside ``node`` and gains from it."""
        return not self._refusal(node, stage, depth)

    def _refusal(self, node: LoopNode, stage: Stage, depth: int) -> str:
        """Why ``stage`` is not to run inside ``node``; empty if it is."""
        axis = stage.axes[depth]
        if axis.extent != node.extent:
            return "its loop has another length"
        if node.sequential != (stage.kinds[depth] == "s"):
            return "one of the loops runs in order and the other does not"
        breaks = node.breaks + len(stage.breaks)
        if breaks > tuning.NEST_COPIES and breaks * (node.count + 1) > 2 * tuning.JOINED_STAGES:
            return "joined or padded arrays would make too many copies of the loop"
        if node.scatters:
            return "updates at computed positions have loops of their own"
        if node.count >= tuning.FUSED_STAGES:
            return "that loop is long enough"
        related = depth > 0
        for tensor, index in stage.reads:
            if tensor not in node.made:
                continue
            related = True
            if not _same_iteration(self.stage_of[tensor], index, axis, depth):
                return "it reads elements that are finished only after that loop, or in another iteration of it"
        if not related and not _read_alike(node, stage, axis):
            # Loops over rows with reductions inside are likely to meet later.
            if not (_reduces_rows(stage) and node.reduces):
                return "they share no array that both go through in the same direction"
        arrays = {t for t, _ in stage.reads}.union(node.read) - node.made
        return "" if len(arrays) <= tuning.FUSED_ARRAYS else "together they would read too many arrays at once"


def _read_alike(node: LoopNode, stage: Stage, axis: Axis) -> bool:
    """Whether a stage reads an array that stages in a loop read too, and goes through it along the same dimension (one
    that walks down the columns of a matrix whose rows the other walks along gains nothing)."""
    return any(
        tensor.aval.size > 1 and _dimensions(index, axis) in node.read.get(tensor, ()) for tensor, index in stage.reads
    )


def _dimensions(index: tuple[Idx, ...], axis: Axis) -> tuple[int, ...]:
    """The dimensions whose index moves with a loop."""
    return tuple([d for d, i in enumerate(index) if axis in i.axes()])


def _reduces_rows(stage: Stage) -> bool:
    """Whether a stage combines elements within each iteration of its outermost loop."""
    return "r" in stage.kinds and stage.kinds[0] == "p"


def _made(item: Item) -> set[Tensor]:
    if isinstance(item, Opaque):
        return set(item.results)
    if isinstance(item, Stage):
        return {item.tensor}
    return item.made


def _same_iteration(maker: Stage, index: tuple[Idx, ...], axis: Axis, depth: int) -> bool:
    """Whether an element read in iteration ``axis`` of the loop at ``depth`` was finished in that iteration by
    ``maker``.
    """
    if depth >= len(maker.axes) or maker.kinds[depth] == "r":
        return False
    return solve(maker, index).get(maker.axes[depth]) == Idx.of(axis)


def solve(maker: Stage, index: tuple[Idx, ...]) -> dict[Axis, Idx]:
    """Loop counters at which ``maker`` computes the element ``index`` of its tensor, as far as they can be told."""
    found: dict[Axis, Idx] = {}
    for made, read in zip(maker.out_index, index, strict=True):
        if not made.terms:
            continue
        if len(made.terms) == 1:
            ((atom, c),) = made.terms.items()
            if c in (1, -1):
                found[atom] = (read - made.const) * c  # type: ignore[index]
            continue
        # A dimension run over by several loops: each must meet a loop of the reader with the same stride.
        by_stride = {c: a for a, c in read.terms.items() if type(a) is Axis}
        if read.const != made.const or len(read.terms) != len(made.terms):
            continue
        for atom, c in made.terms.items():
            other = by_stride.get(c)
            if other is not None and type(atom) is Axis and other.extent == atom.extent:
                found[atom] = Idx.of(other)
    return found


# -- where values live -----------------------------------------------------------------------------------------------


class Storage:
    """Where the value of a stage is kept.

    Attributes:
      shared: number of outer loops that all its users share with it: those dimensions need no memory.
      axes: its loop axes that remain as dimensions; empty for a register.
      full: whether it is kept whole, in row-major order of the tensor.
    """

    __slots__ = ("shared", "axes", "full")

    def __init__(self, shared: int, axes: Sequence[Axis], full: bool):
        self.shared = shared
        self.axes = tuple(axes)
        self.full = full

    @property
    def shape(self) -> tuple[int, ...]:
        """Dimensions of a row buffer."""
        return tuple([a.extent for a in self.axes])

    @property
    def is_register(self) -> bool:
        """Whether the value is one scalar at a time."""
        return not self.full and not self.axes


def storages(items: Sequence[Item], whole: set[Tensor]) -> dict[Tensor, Storage]:
    """Decides how much of every stage's value is kept; tensors in ``whole`` are needed in memory."""
    stages: dict[Tensor, Stage] = {}
    readers: dict[Tensor, list[tuple[Stage, Read]]] = {}
    whole = set(whole)
    for item in items:
        if isinstance(item, Opaque):
            whole.update(in_memory(item))
            continue
        for stage in [item] if isinstance(item, Stage) else item.stages():
            stages[stage.tensor] = stage
            if stage.tensor.updates is not None:
                whole |= {stage.tensor.updates, stage.tensor}
            for read in stage.reads:
                readers.setdefault(read[0], []).append((stage, read))
    result = {}
    for tensor, stage in stages.items():
        if isinstance(tensor, Source):
            continue
        result[tensor] = _storage(stage, readers.get(tensor, []), tensor in whole)
    return result


def _storage(stage: Stage, readers: list[tuple[Stage, Read]], whole: bool) -> Storage:
    everything = Storage(0, (), True)
    if whole or not readers:
        return everything
    shared = len(stage.path)
    for reader, (_, index) in readers:
        shared = min(shared, shared_depth(stage, reader))
        solution = solve(stage, index)
        if any(a not in solution for a, k in zip(stage.axes, stage.kinds, strict=True) if k != "r"):
            return everything
    if shared == 0:
        return everything
    axes = [a for a, k in zip(stage.axes[shared:], stage.kinds[shared:], strict=True) if k != "r"]
    return Storage(shared, axes, False)


def lenders(stages: Sequence[Stage], storage: dict[Tensor, Storage]) -> dict[Tensor, Tensor]:
    """For values of one nest that would need a row of memory: results in whose memory they can be kept instead.

    The result must be what its elements are last read for, element by element.
    """
    order = {s: n for n, s in enumerate(stages)}
    found: dict[Tensor, Tensor] = {}
    for stage in stages:
        tensor = stage.tensor
        kept = storage[tensor]
        if kept.full or not kept.axes or "r" in stage.kinds or type(tensor) is not Compute:
            continue
        readers = [s for s in stages if any(t is tensor for t, _ in s.reads)]
        last = max(readers, key=order.__getitem__)
        result = last.tensor
        if (
            type(result) is Compute
            and storage[result].full
            and result not in found.values()
            and result.shape == tensor.shape
            and result.dtype == tensor.dtype
            and {index for t, index in last.reads if t is tensor} == {tuple(last.out_index)}
            and last.path[-1] is not stage.path[-1]
            and not any(s is not last and shared_depth(s, last) > shared_depth(stage, last) for s in readers)
        ):
            found[tensor] = result
    return found


def shared_depth(a: Stage, b: Stage) -> int:
    """Number of loops that two stages have in common."""
    depth = 0
    for x, y in zip(a.path, b.path, strict=False):
        if x is not y:
            break
        depth += 1
    return depth
