"""Code generation with value numbering: writes fused stages as statements of the loop IR.

`NestWriter` walks one tree of loops. A statement goes into the outermost block in which everything it depends on is
known, so what does not change in a loop is computed before it, and equal formulas at equal positions are written once
per block.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from fungrad.jit.formulas.tensors import (
    Apply,
    Axis,
    Dynamic,
    Element,
    Expr,
    Guard,
    Idx,
    Item as ExprItem,
    Number,
    Part,
    Position,
    Reduction,
    Running,
    Scatter,
    Source,
    Tensor,
    known_quotients,
    linear,
)
from fungrad.jit.fusion import pairs
from fungrad.jit.fusion.fuse import LoopNode, Storage, shared_depth, solve
from fungrad.jit.fusion.pairs import Operand
from fungrad.jit.fusion.plan import Stage, is_comparison
from fungrad.jit.ir import loops, provenance, tuning
from fungrad.jit.ir.affine import address as element_address
from fungrad.jit.ir.ops import apply, neutral
from fungrad.jit.kernels.scalars import FLOATS, HALF, PARTS, SIGNED, UNSIGNED, NumpyScalars, dtype_of, type_of
from fungrad.jit.kernels.vecmath.exp_log import add_single_exp, add_single_exp_in_two

# Operations and types that are computed here when all operands are known.
_FOLDED = frozenset(
    ("add", "sub", "mul", "min", "max", "neg", "convert", "and", "or", "not", "eq", "ne", "lt", "le", "gt", "ge")
)
_NARROW = ("f32", *HALF)
_EXACT = frozenset(("i1", *SIGNED, *UNSIGNED))

Placed = tuple[Operand, int]


class Memory:
    """Where arrays are: buffers of the program and how stages keep their values.

    Attributes:
      storage: per stage tensor.
      buffer: name of the buffer of a tensor kept whole, or of a row of it.
      offset: where in its buffer a tensor starts, if not at the beginning: an address in terms of the counters of
        enclosing steps, and the depth of the block of a nest in which those are known.
      extra: more places into which a whole tensor is stored.
    """

    def __init__(self, storage: dict[Tensor, Storage], stages: dict[Tensor, Stage]):
        self.storage = storage
        self._updates: dict[Tensor, Scatter] = {}
        self._seen = 0
        self.stages = stages
        self.buffer: dict[Tensor, str] = {}
        self.offset: dict[Tensor, tuple[loops.Affine, int]] = {}
        self.extra: dict[Tensor, list[tuple[str, loops.Affine]]] = {}

    def updated(self, tensor: Tensor) -> Scatter | None:
        """The scatter that updates a tensor, None if there is none."""
        if self._seen != len(self.storage):
            self._seen = len(self.storage)
            self._updates.clear()
            for t in self.storage:
                if type(t) is Scatter:
                    self._updates.setdefault(t.operand, t)
        return self._updates.get(tensor)

    def position(self, tensor: Tensor, index: Sequence[Idx]) -> Idx:
        """Address of an element in the buffer of ``tensor``."""
        storage = self.storage.get(tensor)
        if storage is None or storage.full:
            return linear(tensor.shape, index)
        solution = solve(self.stages[tensor], tuple(index))
        return linear(storage.shape, [solution[a] for a in storage.axes])


class NestWriter:
    """Writes one item as a `loops.Nest`."""

    def __init__(self, memory: Memory, new_buffer: Callable[[Any, Sequence[int]], str]):
        self.memory = memory
        self.new_buffer = new_buffer
        self.blocks: list[list[Any]] = [[]]
        self.memo: dict[Any, Placed] = {}
        self.scopes: list[list[Any]] = [[]]
        # Where the counters of the loops are, the depth of the block in which they are known, and their ranges.
        self.symbols: dict[Axis, tuple[loops.Affine, int]] = {}
        self.ranges: dict[Axis, tuple[int, int]] = {}
        self._copies = 1
        self.registers: dict[Tensor, Placed] = {}
        self.accumulators: dict[Stage, Operand] = {}
        self.rows: dict[Stage, str] = {}
        # What rounding has left of the numbers in a row.
        self.rests: dict[Stage, str] = {}
        self.made: set[Tensor] = set()
        self.stage: Stage | None = None
        self._depth_of_mask: dict[str, int] = {}
        # What is known where a mask holds.
        self._quotients: dict[str | None, dict[Any, int]] = {}
        self._types: dict[str, str] = {}
        self._count = 0

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

    def put(self, statement: Any) -> None:
        """Appends a statement to the current block."""
        self.blocks[-1].append(statement)

    def open(self) -> None:
        """Starts an inner block."""
        self.blocks.append([])
        self.scopes.append([])

    def close(self) -> list[Any]:
        """Ends the inner block and returns it."""
        for key in self.scopes.pop():
            self.memo.pop(key, None)
        return self.blocks.pop()

    def formulas(self, tensors: Sequence[Tensor]) -> list[Operand]:
        """The values of 0-d tensors."""
        return [self.element(t, ()) for t in tensors]

    def element(self, tensor: Tensor, index: tuple[Idx, ...]) -> Operand:
        """One element of a tensor."""
        return self._element(tensor, index, None)[0]

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

    def _load(self, block: list[Any], buffer: str, index: loops.Affine, type: str, where: str | None = None) -> Operand:
        """Reads an element into ``block``; zero where the condition does not hold."""
        names = []
        parts = pairs.part_types(type)
        for n, part in enumerate(parts):
            other = None if where is None else loops.Const(False if part == "i1" else 0, part)
            name = self._name("v")
            block.append(loops.Load(name, buffer, index, n if type in PARTS else None, where, other))
            names.append(name)
        return pairs.regrouped(names, [type])[0]  # type: ignore[no-any-return]

    def _operation(
        self, block: list[Any], op: str, args: Sequence[Operand], types: Sequence[str], type: Any, fn: Any = None
    ) -> Any:
        """The result of an operation by name, or of a function, written into ``block``."""
        statement, result = pairs.let(lambda: self._name("v"), op, args, types, type, fn)
        block.append(statement)
        return result

    # -- tree -------------------------------------------------------------------------------------------------------

    def _item(self, item: LoopNode | Stage) -> None:
        if isinstance(item, Stage):
            self._leaf(item)
            return
        depth = item.depth
        stages = list(item.stages())
        for s in stages:
            before = provenance.enter(s.tensor)
            if _accumulates_at(s) == depth:
                self._declare(s)
            if _buffered_at(s) == depth:
                self._initialise(s)
            provenance.leave(before)
        pieces = self._pieces(item, stages)
        self._copies *= len(pieces)
        for start, extent in pieces:
            self._piece(item, stages, start, extent)
        self._copies //= len(pieces)
        for s in stages:
            if _accumulates_at(s) == depth:
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
            if type(s.tensor) is Running and (at := _buffered_at(s)) is not None and item.depth <= at:
                return True
            if type(s.tensor) is Scatter and not s.tensor.distinct and not _meet_apart(s, s.tensor, item.depth):
                return True
            if not _adds_up(s.tensor) and (at := _buffered_at(s)) is not None:
                if item.depth <= at or (s.kinds[item.depth] == "r" and _accumulates_at(s) is None):
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
        type = _state_type(tensor)
        if not _accumulates(stage):
            self.accumulators[stage] = self._variable(type, pairs.constant(neutral(tensor.monoid, type), type))  # type: ignore[attr-defined]
            return
        if type in PARTS:
            both = self._name("acc"), self._name("acc")
            self.accumulators[stage] = both
            self.blocks[-1] += [loops.Acc(name, "add", PARTS[type]) for name in both]
            return
        name = self._name("acc")
        self.accumulators[stage] = name
        position = None
        if tensor.monoid.startswith("arg"):  # type: ignore[attr-defined]
            type, position = tensor.expr.type, self._name("at")
            self.rows[stage] = position
        self.blocks[-1].append(loops.Acc(name, tensor.monoid, type, None, position))  # type: ignore[attr-defined]

    def _update(self, stage: Stage, tensor: Reduction, position: tuple[Idx, ...], value: Operand) -> None:
        acc = self.accumulators.get(stage)
        if acc is None:
            address, _ = self._address(tensor, stage.out_index)
            self._combine_in_memory(self.memory.buffer[tensor], address, tensor, value)
            return
        if not _accumulates(stage):
            self.assign([acc], [self._combined(tensor, acc, value)])
            return
        where = None
        if tensor.monoid.startswith("arg"):
            where, _ = self._affine(position[-1])
        for name, x in zip(pairs.flat([acc]), pairs.flat([value]), strict=True):
            self.put(loops.Update(name, x, where))  # type: ignore[arg-type]

    def _combined(self, tensor: Any, before: Operand, value: Operand, factor: Operand = None) -> Operand:
        """A value combined with what came before, first multiplied with ``factor``, by the monoid of ``tensor``."""
        type = _state_type(tensor)
        if factor is not None:
            before = self._operation(self.blocks[-1], "mul", (factor, before), (type, type), type)
            return self._operation(self.blocks[-1], "add", (before, value), (type, type), type)  # type: ignore[no-any-return]
        op = {"max": "maximum", "min": "minimum"}.get(tensor.monoid, tensor.monoid)
        fn = add_single_exp if op == "logaddexp" and _has_narrow_terms(tensor) else None
        return self._operation(self.blocks[-1], op, (before, value), (type, type), type, fn)  # type: ignore[no-any-return]

    def _combine_in_memory(
        self, buffer: str, address: loops.Affine, tensor: Any, value: Operand, where: str | None = None
    ) -> None:
        """Combines a value with an element in memory."""
        if _adds_up(tensor):
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
        if not _accumulates(stage):
            # The variable may be changed again in another iteration of what is around.
            copies = [self.named(x, self.blocks[-1]) for x in pairs.flat([name])]
            name = pairs.regrouped(copies, [type_of(tensor.dtype)])[0]
        if _buffered_at(stage) is not None:
            address, _ = self._address(tensor, stage.out_index)
            self._combine_in_memory(self.memory.buffer[tensor], address, tensor, name)
            return
        self._keep(stage, name, len(self.blocks) - 1)

    def _initialise(self, stage: Stage) -> None:
        """Fills the memory in which a result is collected with the neutral element."""
        tensor = stage.tensor
        depth = _buffered_at(stage)
        inner = [a for a, k in zip(stage.axes[depth:], stage.kinds[depth:], strict=True) if k == "p"]
        names = {a: self._name("z") for a in inner}
        type = _state_type(tensor)
        if isinstance(tensor, Running):
            extents = [a.extent for a in inner]
            if _is_in_two(tensor):
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
        self.store(buffer, address, pairs.constant(neutral(tensor.monoid, type), type))  # type: ignore[attr-defined]
        if stage in self.rests:
            self.store(self.rests[stage], address, loops.Const(0, type))
        fill = self.close()
        for a in reversed(inner):
            fill = [loops.Loop(names[a], a.extent, fill)]
        self.blocks[-1] += fill

    def _running(self, stage: Stage, tensor: Running, position: tuple[Idx, ...], value: Operand) -> None:
        type = _state_type(tensor)
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
        elif _accumulates(stage):
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
        state, type = _state_type(tensor), type_of(tensor.dtype)
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

    # -- formulas ----------------------------------------------------------------------------------------------------

    def _name(self, prefix: str) -> str:
        self._count += 1
        return f"{prefix}{self._count}"

    def _remember(self, key: Any, placed: Placed) -> Placed:
        self.memo[key] = placed
        # Forgotten when the current block ends, except what stands further out.
        self.scopes[placed[1]].append(key)
        return placed

    def _value(self, expr: Expr, axes: Sequence[Axis], position: tuple[Idx, ...], mask: str | None) -> Placed:
        """The operand that holds a formula at a position, and the depth of the block in which it is known."""
        if type(expr) is Number:
            return pairs.constant(expr.value, expr.type), 0
        key = (expr, position, mask)
        found = self.memo.get(key)
        if found is not None:
            return found
        if type(expr) is Element:
            env = dict(zip(axes, position, strict=True))
            index = tuple([i.substitute(env) for i in expr.index])
            return self._element(expr.tensor, index, mask)
        if type(expr) is Position:
            env = dict(zip(axes, position, strict=True))
            return self._remember(key, self._index_value(expr.index.substitute(env), expr.type, mask))
        if is_comparison(expr):
            decided = self._decided(expr, axes, position)  # type: ignore[arg-type]
            if decided is not None:
                return decided
        if type(expr) is Guard:
            return self._remember(key, self._guard(expr, axes, position, mask))
        if type(expr) is ExprItem:
            item = (expr.apply, expr.number, position, mask)
            if item not in self.memo:
                self._value(expr.apply, axes, position, mask)
            return self.memo[item]
        assert type(expr) is Apply
        args = [self._value(a, axes, position, mask) for a in expr.args]
        depth = max([d for _, d in args], default=0)
        if expr.op == "and" and expr.fn is None:
            for (x, _), (y, _) in (args, args[::-1]):
                if isinstance(x, loops.Const):
                    return (y if x.value else x), depth
        return self._let(expr, [a for a, _ in args], depth, position, mask)

    def _let(self, expr: Apply, args: list[Operand], depth: int, position: tuple[Idx, ...], mask: str | None) -> Placed:
        known = _folded(expr, args) if isinstance(expr.type, str) else None
        if known is not None:
            return known, 0
        types = [a.type for a in expr.args]
        cost = None if expr.fn is None else expr.cost
        statement, made = pairs.let(lambda: self._name("v"), expr.op, args, types, expr.type, expr.fn, cost)
        self.blocks[depth].append(statement)
        if isinstance(expr.type, str):
            return self._remember((expr, position, mask), (made, depth))
        self._remember((expr, position, mask), (made[0], depth))
        for n, result in enumerate(made):
            self._remember((expr, n, position, mask), (result, depth))
        return made[0], depth

    def _element(self, tensor: Tensor, index: tuple[Idx, ...], mask: str | None) -> Placed:
        if tensor in self.registers:
            return self.registers[tensor]
        if not isinstance(tensor, Source) and tensor not in self.memory.storage:
            before = provenance.enter(tensor)
            placed = self._value(tensor.expr, tensor.axes, index, mask)  # type: ignore[attr-defined]
            provenance.leave(before)
            return placed
        if tensor.aval.size == 0:
            # Read by a loop without iterations; but what does not depend on its counter stands outside of it.
            type = type_of(tensor.dtype)
            return pairs.constant(False if type == "i1" else 0, type), 0
        address, depth = self._address(tensor, index, mask)
        key = (self.memory.buffer[tensor], address, mask)
        found = self.memo.get((self.memory.buffer[tensor], address, None)) or self.memo.get(key)
        if found is not None:
            return found
        if tensor in self.made and self.stage is not None:
            # Written in this nest: not before the loop in which both stand has got there.
            depth = max(depth, shared_depth(self.stage, self.memory.stages[tensor]))
        if mask is not None:
            depth = max(depth, self._depth_of_mask[mask])
        value = self._load(self.blocks[depth], self.memory.buffer[tensor], address, type_of(tensor.dtype), mask)
        return self._remember(key, (value, depth))

    def _decided(self, expr: Apply, axes: Sequence[Axis], position: tuple[Idx, ...]) -> Placed | None:
        """The truth of a comparison of a position with a number where the ranges of the loops decide it."""
        index = expr.args[0].index.substitute(dict(zip(axes, position, strict=True)))  # type: ignore[attr-defined]
        number = expr.args[1].value  # type: ignore[attr-defined]
        low = high = index.const
        depth = 0
        for atom, c in index.terms.items():
            if type(atom) is not Axis:
                return None
            ends = [c * end for end in self.ranges[atom]]
            low, high = low + min(ends), high + max(ends)
            depth = max(depth, self.symbols[atom][1])
        if expr.op == "lt":
            if high < number or low >= number:
                return loops.Const(high < number, "i1"), depth
        elif low >= number or high < number:
            return loops.Const(low >= number, "i1"), depth
        return None

    def _guard(self, expr: Guard, axes: Sequence[Axis], position: tuple[Idx, ...], mask: str | None) -> Placed:
        condition, depth = self._value(expr.condition, axes, position, mask)
        if isinstance(condition, loops.Const):
            # Decided for this part of a loop: not known outside of it.
            value, value_depth = self._value(expr.value if condition.value else expr.other, axes, position, mask)
            return value, max(depth, value_depth)
        inner = condition
        if mask is not None:
            inner = self._name("v")
            depth = max(depth, self._depth_of_mask[mask])
            self.blocks[depth].append(loops.Let(inner, "and", (mask, condition), "i1"))
        self._depth_of_mask[inner] = depth
        known = self._quotients.get(mask, {}) | known_quotients(expr.condition, dict(zip(axes, position, strict=True)))
        if known:
            self._quotients[inner] = known
        value, value_depth = self._value(expr.value, axes, position, inner)
        other, other_depth = self._value(expr.other, axes, position, mask)
        depth = max(depth, value_depth, other_depth)
        types = ("i1", expr.type, expr.type)
        return self._operation(self.blocks[depth], "select", (condition, value, other), types, expr.type), depth

    # -- indices -----------------------------------------------------------------------------------------------------

    # Numbers that an index is made of are read under the condition of what is read there: elsewhere they, too, may be
    # out of range.

    def _index_value(self, index: Idx, type: str, mask: str | None = None) -> Placed:
        affine, depth = self._affine(index, mask)
        if not affine.terms:
            return loops.Const(affine.const, type), 0
        name = self._name("n")
        self.blocks[depth].append(loops.Index(name, affine, type))
        return name, depth

    def _address(self, tensor: Tensor, index: Sequence[Idx], mask: str | None = None) -> tuple[loops.Affine, int]:
        """Address of an element in its buffer, and the depth of the block in which it is known."""
        address, depth = self._affine(self.memory.position(tensor, index), mask)
        offset = self.memory.offset.get(tensor)
        if offset is None:
            return address, depth
        return address + offset[0], max(depth, offset[1])

    def _affine(self, index: Idx, mask: str | None = None) -> tuple[loops.Affine, int]:
        """An index as an address, and the depth of the block in which it is known."""
        result, depth = loops.Affine(index.const), 0
        known = self._quotients.get(mask, {})
        for atom, c in index.terms.items():
            if atom in known:
                result, d = result + known[atom] * c, 0
            elif type(atom) is Axis:
                counter, d = self.symbols[atom]
                result = result + counter * c
            elif type(atom) is Part:
                symbol, d = self._part(atom, mask)
                result = result + loops.Affine.var(symbol, c)
            else:
                operand, d = self._dynamic(atom, mask)  # type: ignore[arg-type]
                if isinstance(operand, loops.Const):
                    result = result + int(operand.value) * c
                else:
                    result = result + loops.Affine.var(operand, c)
            depth = max(depth, d)
        return result, depth

    def _dynamic(self, atom: Dynamic, mask: str | None) -> Placed:
        operand, depth = self._value(atom.expr, atom.axes, atom.positions, mask)
        type = atom.expr.type
        if isinstance(operand, loops.Const) or type in ("i32", "i64"):
            return operand, depth
        key = (atom, "i64", mask)
        found = self.memo.get(key)
        if found is not None:
            return found
        name = self._name("n")
        self.blocks[depth].append(loops.Let(name, "convert", (operand,), "i64"))
        return self._remember(key, (name, depth))

    def _part(self, part: Part, mask: str | None) -> tuple[str, int]:
        key = (part, mask if any(True for _ in part.index.dynamics()) else None)
        found = self.memo.get(key)
        if found is not None:
            return found  # type: ignore[return-value]
        operand, depth = self._index_value(part.index, "i64", mask)
        divisor = loops.Const(part.divisor, "i64")

        def integer(op: str, *args: Operand) -> str:
            name = self._name("n")
            self.blocks[depth].append(loops.Let(name, op, args, "i64"))
            return name

        bounds = part.index.bounds()
        if bounds is not None and 0 <= bounds[0] and bounds[1] < 2 * part.divisor:
            over, name = self._name("v"), self._name("n")
            self.blocks[depth].append(loops.Let(over, "ge", (operand, divisor), "i1"))
            yes, no = (1, 0) if part.kind == "div" else (integer("sub", operand, divisor), operand)
            choices = tuple([loops.Const(x, "i64") if isinstance(x, int) else x for x in (yes, no)])
            self.blocks[depth].append(loops.Let(name, "select", (over, *choices), "i64"))
        elif bounds is not None and bounds[0] >= 0:
            name = integer("div" if part.kind == "div" else "rem", operand, divisor)
        else:
            # Division truncates: round down for what may be negative.
            name = integer("rem", integer("add", integer("rem", operand, divisor), divisor), divisor)
            if part.kind == "div":
                name = integer("div", integer("sub", operand, name), divisor)
        return self._remember(key, (name, depth))  # type: ignore[return-value]


def _folded(expr: Apply, args: Sequence[Operand]) -> loops.Const | None:
    """The result of an operation on integers or truth values that are known, such as the checks of a static index."""
    if expr.fn is not None or expr.op not in _FOLDED or not all(isinstance(a, loops.Const) for a in args):
        return None
    types = [a.type for a in args if isinstance(a, loops.Const)]
    if not {expr.type, *types} <= _EXACT:
        return None
    m = NumpyScalars()
    let = loops.Let("", expr.op, args, expr.type)
    (value,) = apply(m, let, [m.const(a.value, a.type) for a in args if isinstance(a, loops.Const)])
    return loops.Const(value.raw.item(), value.type)


def _meet_apart(stage: Stage, tensor: Scatter, depth: int) -> bool:
    """Whether the loops of a scatter from ``depth`` on run over a window: each along a dimension of its own, so that
    no two iterations have the same target.
    """
    window, seen = set(stage.axes[depth:]), set()
    for index in tensor.target:
        varying = index.substitute({a: stage.env[a] for a in tensor.axes}).terms
        own = [atom for atom in varying if not window.isdisjoint(Idx.of(atom).axes())]
        if any(type(atom) is not Axis for atom in own) or len(own) > 1:
            return False
        seen.update(own)
    return seen == window


def _adds_up(tensor: Tensor) -> bool:
    """Whether an update in memory can combine the elements: of complex numbers it can only add, and products of
    floating point numbers must not be regrouped, since a part of them may overflow where they do not."""
    monoid = getattr(tensor, "monoid", None) or "add"
    if monoid == "mul" and type(tensor) in (Reduction, Running) and _state_type(tensor) in FLOATS:
        return False
    return monoid == "add" if tensor.dtype.kind == "c" else monoid in loops.MONOIDS


def _accumulates(stage: Stage) -> bool:
    """Whether an accumulator can combine the elements of a reduction or running result. That of a product keeps
    its exponent apart where it has to; a running one multiplies in order where it has to."""
    tensor = stage.tensor
    if _adds_up(tensor):
        return True
    plain = type(tensor) in (Reduction, Running) and tensor.monoid == "mul" and _state_type(tensor) in FLOATS  # type: ignore[attr-defined]
    return plain and _buffered_at(stage) is None


def _has_narrow_terms(tensor: Tensor) -> bool:
    """Whether the terms of a combination are converted to double precision for it."""
    expr = tensor.expr  # type: ignore[attr-defined]
    return type(expr) is Apply and expr.op == "convert" and expr.type == "f64" and expr.args[0].type in _NARROW


def _is_in_two(tensor: Running) -> bool:
    """Whether rows of results so far are two of single precision: functions run twice as wide on them as on doubles."""
    return tensor.monoid == "logaddexp" and _has_narrow_terms(tensor) and type_of(tensor.dtype) == "f32"


def _state_type(tensor: Any) -> str:
    """The type in which results so far are kept."""
    return tensor.expr.type if type(tensor) is Running else type_of(tensor.dtype)  # type: ignore[no-any-return]


def _turning_point(coefficient: int, const: int, number: int) -> int:
    """The counter from which on `coefficient * counter + const >= number` has another truth than before."""
    if coefficient > 0:
        return -((const - number) // coefficient)
    return (const - number) // -coefficient + 1


def _accumulates_at(stage: Stage) -> int | None:
    """Depth of the loop around which the accumulator of a stage is declared; None if it has none."""
    kinds = stage.kinds
    if type(stage.tensor) is Running:
        return kinds.index("s") if kinds and kinds[-1] == "s" else None
    if type(stage.tensor) is not Reduction or not kinds or kinds[-1] != "r":
        return None
    if not _adds_up(stage.tensor) and _buffered_at(stage) is not None and not _has_narrow_terms(stage.tensor):
        return None  # one factor after the other goes to memory: their product might overflow
    depth = len(kinds)
    while depth and kinds[depth - 1] == "r":
        depth -= 1
    return depth


def _buffered_at(stage: Stage) -> int | None:
    """Depth of the reduced loop around which memory for partial results is filled; None if a register holds them."""
    kinds = stage.kinds
    sought = {Reduction: "r", Running: "s"}.get(type(stage.tensor))
    if sought is None or sought not in kinds:
        return None
    first = kinds.index(sought)
    return first if "p" in kinds[first:] else None
