"""Writes fused stages as nests of loops.

`NestWriter` walks one tree of loops; the formulas of its stages become statements in `values.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from fungrad.jit.formulas.indices import Idx, linear
from fungrad.jit.formulas.tensors import Reduction, Running, Scatter, Tensor
from fungrad.jit.fusion import pairs
from fungrad.jit.fusion.combining import (
    accumulates,
    accumulates_at,
    adds_up,
    buffered_at,
    has_narrow_terms,
    is_in_two,
    meet_apart,
    state_type,
)
from fungrad.jit.fusion.fuse import LoopNode
from fungrad.jit.fusion.memory import Memory
from fungrad.jit.fusion.pairs import Operand
from fungrad.jit.fusion.stages import Stage
from fungrad.jit.fusion.values import ValueWriter
from fungrad.jit.ir import loops, provenance, tuning
from fungrad.jit.ir.affine import address as element_address
from fungrad.jit.ir.ops import binary, neutral
from fungrad.jit.kernels.scalars import PARTS, dtype_of, type_of
from fungrad.jit.kernels.vecmath.exp_log import add_single_exp, add_single_exp_in_two


class NestWriter(ValueWriter):
    """Writes one item as a `loops.Nest`."""

    def __init__(self, memory: Memory, new_buffer: Callable[[Any, Sequence[int]], str]):
        super().__init__(memory)
        self.new_buffer = new_buffer
        self._copies = 1
        self.accumulators: dict[Stage, Operand] = {}
        self.rows: dict[Stage, str] = {}
        # What rounding has left of the numbers in a row.
        self.rests: dict[Stage, str] = {}
        self._types: dict[str, str] = {}

    def write(self, item: LoopNode | Stage) -> list[loops.Nest]:
        """The nests of an item: one, or one per loop if they have nothing in common."""
        stages = [item] if isinstance(item, Stage) else list(item.stages())
        self._item(item)
        names = {type(s.tensor).__name__.lower() for s in stages}
        name = "+".join(sorted(names))
        if all(type(s) is loops.Loop for s in self.blocks[0]):
            return [loops.Nest([s], name) for s in self.blocks[0]]
        return [loops.Nest(self.blocks[0], name)]

    # -- loops over single numbers, written by hand ------------------------------------------------------------------

    def variables(
        self, tensors: Sequence[Tensor], places: Sequence[tuple[str, loops.Affine]], depth: int = 1
    ) -> list[Operand]:
        """Variables that stand for one element of each tensor, with their initial values from memory; they change in
        blocks from ``depth`` on.
        """
        variables: list[Operand] = []
        for t, (buffer, offset) in zip(tensors, places, strict=True):
            type = type_of(t.dtype)
            first = self._load(self.blocks[-1], buffer, offset, type)
            variable = self._variable(type, first)
            # They change in every iteration, so nothing made of them is known outside of the loop.
            self.registers[t] = (variable, depth)
            variables.append(variable)
        return variables

    def _variable(self, type: str, first: Operand) -> Operand:
        """A new variable, or the pair of those for the parts of a complex number."""
        names = []
        for part, x in zip(pairs.part_types(type), pairs.flat([first]), strict=True):
            name = self._name("x")
            self.put(loops.Var(name, part, x))
            self._types[name] = part
            names.append(name)
        return pairs.regrouped(names, [type])[0]  # type: ignore[no-any-return]

    def named(self, value: loops.Operand, block: list[Any]) -> str:
        """A value as a name of its own, which later assignments do not change."""
        name = self._name("v")
        type = value.type if isinstance(value, loops.Const) else self._types[value]
        block.append(loops.Let(name, "copy", (value,), type))
        return name

    def assign(self, variables: Sequence[Operand], values: Sequence[Operand]) -> None:
        """Sets variables at once: a value that is another variable is read before any changes."""
        names, new = pairs.flat(variables), pairs.flat(values)
        fixed = [
            self.named(v, self.blocks[-1]) if v in self._types and v != n else v
            for n, v in zip(names, new, strict=True)
        ]
        for name, value in zip(names, fixed, strict=True):
            if name != value:
                self.put(loops.Set(name, value))  # type: ignore[arg-type]

    def save(self, variables: Sequence[Operand], places: Sequence[tuple[str, loops.Affine]]) -> None:
        """Stores variables to memory."""
        for variable, (buffer, offset) in zip(variables, places, strict=True):
            self.store(buffer, offset, variable)

    def store(
        self, buffer: str, index: loops.Affine, value: Operand, where: str | None = None, update: str | None = None
    ) -> None:
        """Stores a value, or combines it with what is there."""
        if not isinstance(value, tuple):
            self.put(loops.Store(buffer, index, value, where=where, update=update))
            return
        self.put(loops.Store(buffer, index, value[0], value[1], where, update))

    # -- tree -------------------------------------------------------------------------------------------------------

    def _item(self, item: LoopNode | Stage) -> None:
        if isinstance(item, Stage):
            self._leaf(item)
            return
        depth = item.depth
        stages = list(item.stages())
        for s in stages:
            before = provenance.enter(s.tensor)
            if accumulates_at(s) == depth:
                self._declare(s)
            if buffered_at(s) == depth:
                self._initialise(s)
            provenance.leave(before)
        pieces = self._pieces(item, stages)
        self._copies *= len(pieces)
        for start, extent in pieces:
            self._piece(item, stages, start, extent)
        self._copies //= len(pieces)
        for s in stages:
            if accumulates_at(s) == depth:
                before = provenance.enter(s.tensor)
                self._finish(s)
                provenance.leave(before)

    def _pieces(self, item: LoopNode, stages: Sequence[Stage]) -> list[tuple[int, int]]:
        """Parts of the range of a loop, as start and extent, within which no guard changes: what was joined or padded
        is then read without conditions."""
        whole = [(0, item.extent)]
        if item.sequential:
            return whole
        points = {0, item.extent}
        for s in stages:
            for index, number in s.breaks:
                if list(index.terms) == [item.axis]:
                    point = _turning_point(index.terms[item.axis], index.const, number)
                    if 0 < point < item.extent:
                        points.add(point)
        if item.extent == 0:
            return whole
        ends = sorted(points)
        few = self._copies * (len(ends) - 1) * len(stages) <= tuning.JOINED_STAGES
        if not few and ((len(ends) - 2) * self._copies > tuning.NEST_COPIES or len(ends) > tuning.NEST_COPIES):
            # Too many: only the longest part is set apart.
            longest = max(range(len(ends) - 1), key=lambda n: ends[n + 1] - ends[n])
            ends = sorted({0, ends[longest], ends[longest + 1], item.extent})
            if (len(ends) - 1) * self._copies > tuning.NEST_COPIES:
                return whole
        return [(a, b - a) for a, b in zip(ends, ends[1:], strict=False)]

    def _piece(self, item: LoopNode, stages: Sequence[Stage], start: int, extent: int) -> None:
        """The loop over a part of the range."""
        self._count += 1
        symbol = f"i{self._count}"
        self.symbols[item.axis] = (loops.Affine.var(symbol) + start, item.depth + 1)
        self.ranges[item.axis] = (start, start + extent - 1)
        self.open()
        for child in item.children:
            self._item(child)
        body = self.close()
        self.put(loops.Loop(symbol, extent, body, ordered=self._ordered(item, stages)))

    def _ordered(self, item: LoopNode, stages: Sequence[Stage]) -> bool:
        """Whether iterations must run one after the other: they use the same memory or continue each other's
        results.
        """
        for s in stages:
            storage = self.memory.storage[s.tensor]
            if not storage.full and storage.axes and storage.shared > item.depth:
                return True
            if type(s.tensor) is Running and (at := buffered_at(s)) is not None and item.depth <= at:
                return True
            if type(s.tensor) is Scatter and not s.tensor.distinct and not meet_apart(s, s.tensor, item.depth):
                return True
            if not adds_up(s.tensor) and (at := buffered_at(s)) is not None:
                if item.depth <= at or (s.kinds[item.depth] == "r" and accumulates_at(s) is None):
                    return True
        return False

    # -- stages ------------------------------------------------------------------------------------------------------

    def _leaf(self, stage: Stage) -> None:
        before = provenance.enter(stage.tensor)
        self._written(stage)
        provenance.leave(before)

    def _written(self, stage: Stage) -> None:
        self.stage = stage
        tensor = stage.tensor
        position = tuple([stage.env[a] for a in tensor.axes])
        value, depth = self._value(tensor.expr, tensor.axes, position, None)
        if type(tensor) is Scatter:
            self._scatter(stage, tensor, position, value)
        elif type(tensor) is Running:
            self._running(stage, tensor, position, value)
        elif type(tensor) is Reduction and "r" in stage.kinds:
            self._update(stage, tensor, position, value)
        elif type(tensor) is Reduction and tensor.monoid.startswith("arg"):
            self._keep(stage, loops.Const(0, "i64"), 0)
        else:
            self._keep(stage, value, depth)
        self.made.add(tensor)

    def _keep(self, stage: Stage, value: Operand, depth: int) -> None:
        """Puts the value of a stage where its users look for it."""
        tensor = stage.tensor
        if self.memory.storage[tensor].is_register:
            self.registers[tensor] = (value, depth)
            return
        address, _ = self._address(tensor, stage.out_index)
        self.store(self.memory.buffer[tensor], address, value)
        for buffer, offset in self.memory.extra.get(tensor, ()):
            again, _ = self._affine(linear(tensor.shape, stage.out_index))
            self.store(buffer, again + offset, value)
        # Whoever reads the element in the same iteration gets the value itself.
        self._remember((self.memory.buffer[tensor], address, None), (value, len(self.blocks) - 1))

    def _declare(self, stage: Stage) -> None:
        tensor = stage.tensor
        type = state_type(tensor)
        if not accumulates(stage):
            self.accumulators[stage] = self._variable(type, pairs.constant(neutral(tensor.monoid, type), type))
            return
        if type in PARTS:
            both = self._name("acc"), self._name("acc")
            self.accumulators[stage] = both
            self.blocks[-1] += [loops.Acc(name, "add", PARTS[type]) for name in both]
            return
        name = self._name("acc")
        self.accumulators[stage] = name
        position = None
        if tensor.monoid.startswith("arg"):
            type, position = tensor.expr.type, self._name("at")
            self.rows[stage] = position
        self.blocks[-1].append(loops.Acc(name, tensor.monoid, type, None, position))

    def _update(self, stage: Stage, tensor: Reduction, position: tuple[Idx, ...], value: Operand) -> None:
        acc = self.accumulators.get(stage)
        if acc is None:
            address, _ = self._address(tensor, stage.out_index)
            self._combine_in_memory(self.memory.buffer[tensor], address, tensor, value)
            return
        if not accumulates(stage):
            self.assign([acc], [self._combined(tensor, acc, value)])
            return
        where = None
        if tensor.monoid.startswith("arg"):
            where, _ = self._affine(position[-1])
        for name, x in zip(pairs.flat([acc]), pairs.flat([value]), strict=True):
            self.put(loops.Update(name, x, where))  # type: ignore[arg-type]

    def _combined(self, tensor: Any, before: Operand, value: Operand, factor: Operand = None) -> Operand:
        """A value combined with what came before, first multiplied with ``factor``, by the monoid of ``tensor``."""
        type = state_type(tensor)
        if factor is not None:
            before = self._operation(self.blocks[-1], "mul", (factor, before), (type, type), type)
            return self._operation(self.blocks[-1], "add", (before, value), (type, type), type)  # type: ignore[no-any-return]
        op = binary(tensor.monoid)
        fn = add_single_exp if op == "logaddexp" and has_narrow_terms(tensor) else None
        return self._operation(self.blocks[-1], op, (before, value), (type, type), type, fn)  # type: ignore[no-any-return]

    def _combine_in_memory(
        self, buffer: str, address: loops.Affine, tensor: Any, value: Operand, where: str | None = None
    ) -> None:
        """Combines a value with an element in memory."""
        if adds_up(tensor):
            self.store(buffer, address, value, where, tensor.monoid)
            return
        before = self._load(self.blocks[-1], buffer, address, type_of(tensor.dtype), where)
        self.store(buffer, address, self._combined(tensor, before, value), where)

    def _finish(self, stage: Stage) -> None:
        """After the loops of an accumulator: its value is the result, or a part of one that is collected in memory."""
        tensor = stage.tensor
        if type(tensor) is Running:
            return
        name: Operand = self.rows.pop(stage, None) or self.accumulators[stage]
        if not accumulates(stage):
            # The variable may be changed again in another iteration of what is around.
            copies = [self.named(x, self.blocks[-1]) for x in pairs.flat([name])]
            name = pairs.regrouped(copies, [type_of(tensor.dtype)])[0]
        if buffered_at(stage) is not None:
            address, _ = self._address(tensor, stage.out_index)
            self._combine_in_memory(self.memory.buffer[tensor], address, tensor, name)
            return
        self._keep(stage, name, len(self.blocks) - 1)

    def _initialise(self, stage: Stage) -> None:
        """Fills the memory in which a result is collected with the neutral element."""
        tensor = stage.tensor
        depth = buffered_at(stage)
        inner = [a for a, k in zip(stage.axes[depth:], stage.kinds[depth:], strict=True) if k == "p"]
        names = {a: self._name("z") for a in inner}
        type = state_type(tensor)
        if isinstance(tensor, Running):
            extents = [a.extent for a in inner]
            if is_in_two(tensor):
                type = "f32"
                self.rests[stage] = self.new_buffer(dtype_of(type), extents)
            self.rows[stage] = buffer = self.new_buffer(dtype_of(type), extents)
            address = element_address(extents, [names[a] for a in inner])
        else:
            buffer = self.memory.buffer[tensor]
            saved = dict(self.symbols)
            for a in inner:
                self.symbols[a] = (loops.Affine.var(names[a]), 0)
            address, _ = self._address(tensor, stage.out_index)
            self.symbols = saved
        self.open()
        self.store(buffer, address, pairs.constant(neutral(tensor.monoid, type), type))
        if stage in self.rests:
            self.store(self.rests[stage], address, loops.Const(0, type))
        fill = self.close()
        for a in reversed(inner):
            fill = [loops.Loop(names[a], a.extent, fill)]
        self.blocks[-1] += fill

    def _running(self, stage: Stage, tensor: Running, position: tuple[Idx, ...], value: Operand) -> None:
        type = state_type(tensor)
        factor: Operand = None
        if tensor.factor is not None:
            factor, _ = self._value(tensor.factor, tensor.axes, position, None)
        if "s" not in stage.kinds:
            self._keep_running(stage, tensor, value)
            return
        row = self.rows.get(stage)
        result: Operand
        if row is not None:
            at = stage.kinds.index("s")
            inner = stage.axes[at + 1 :]
            address = element_address([a.extent for a in inner], [self.symbols[a][0] for a in inner])
            if stage in self.rests:
                return self._running_in_two(stage, tensor, row, address, value)
            before = self._load(self.blocks[-1], row, address, type)
            result = self._combined(tensor, before, value, factor)
            self.store(row, address, result)
        elif accumulates(stage):
            result = pairs.regrouped([self._name("run") for _ in pairs.part_types(type)], [type])[0]
            accumulators = pairs.flat([self.accumulators[stage]])
            for name, acc, x in zip(pairs.flat([result]), accumulators, pairs.flat([value]), strict=True):
                self.put(loops.Prefix(name, acc, x))  # type: ignore[arg-type]
        else:
            result = self._combined(tensor, self.accumulators[stage], value, factor)
            self.assign([self.accumulators[stage]], [result])
        self._keep_running(stage, tensor, result)

    def _running_in_two(self, stage: Stage, tensor: Running, row: str, address: loops.Affine, value: Operand) -> None:
        """Combines a value with an element of a row, which is two numbers of single precision."""
        block, rest = self.blocks[-1], self.rests[stage]
        value = self._operation(block, "convert", (value,), ("f64",), "f32")
        operands = (self._load(block, row, address, "f32"), self._load(block, rest, address, "f32"), value)
        new, left = self._operation(block, "logaddexp", operands, ("f32",) * 3, ("f32", "f32"), add_single_exp_in_two)
        self.store(row, address, new)
        self.store(rest, address, left)
        self._keep(stage, new, len(self.blocks) - 1)

    def _keep_running(self, stage: Stage, tensor: Running, result: Operand) -> None:
        """Keeps a running result, in the type of the results."""
        state, type = state_type(tensor), type_of(tensor.dtype)
        if state != type:
            result = self._operation(self.blocks[-1], "convert", (result,), (state,), type)
        self._keep(stage, result, len(self.blocks) - 1)

    def _scatter(self, stage: Stage, tensor: Scatter, position: tuple[Idx, ...], value: Operand) -> None:
        where: Any = None
        if tensor.condition is not None:
            where, _ = self._value(tensor.condition, tensor.axes, position, None)
            if isinstance(where, loops.Const):
                if not where.value:
                    return
                where = None
        env = dict(zip(tensor.axes, position, strict=True))
        address, _ = self._address(tensor, [i.substitute(env) for i in tensor.target])
        buffer = self.memory.buffer[tensor]
        if tensor.monoid is None:
            self.store(buffer, address, value, where)
        else:
            self._combine_in_memory(buffer, address, tensor, value, where)


def _turning_point(coefficient: int, const: int, number: int) -> int:
    """The counter from which on `coefficient * counter + const >= number` has another truth than before."""
    if coefficient > 0:
        return -((const - number) // coefficient)
    return (const - number) // -coefficient + 1
