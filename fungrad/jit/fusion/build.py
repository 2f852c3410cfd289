"""Lowering: from a graph of tensors to a program of the loop IR.

`build_program` plans, fuses and writes the whole program. Bodies of control flow are regions: graphs of their own
whose inputs and outputs are places in buffers that the region around them owns.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fungrad.core.library_calls import runs_of
from fungrad.jit.formulas.lowering import Graph
from fungrad.jit.formulas.scalar_rules import supports
from fungrad.jit.formulas.tensors import (
    Compute,
    CondStep,
    ConvolutionStep,
    Formula,
    HostStep,
    ItemsStep,
    KernelStep,
    LibraryStep,
    Opaque,
    ProductStep,
    Reduction,
    RoutineStep,
    Running,
    ScanStep,
    Scatter,
    Source,
    Tensor,
    WhileStep,
)
from fungrad.jit.fusion import lanes, pairs
from fungrad.jit.fusion.assemble import NestWriter
from fungrad.jit.fusion.declared import Declared
from fungrad.jit.fusion.fuse import Item, Storage, fuse, lenders, storages
from fungrad.jit.fusion.memory import Memory
from fungrad.jit.fusion.overwrite import Overwriting, overwrite_in_branches
from fungrad.jit.fusion.plan import Plan, plan
from fungrad.jit.fusion.stages import Stage
from fungrad.jit.fusion.views import conv_operand_fits, gemm_operand_fits, is_dense_part, matrix_strides, strided
from fungrad.jit.ir import loops, provenance, tuning
from fungrad.jit.kernels.scalars import type_of
from fungrad.jit.rewrites import buffers as planner

# Why carries of loops are copied, for those who ask.
_CARRY = "the first carry of a loop: the loop overwrites its carry, and the operand must stay as it is"
_NEW_CARRY = "the new carry of a loop, made beside the old one because the step still reads that, takes its place"

# A buffer and where in it an array starts.
Place = tuple[str, loops.Affine]


def build_program(graph: Graph, outputs: Sequence[Tensor], name: str, donated: Sequence[str] = ()) -> loops.Program:
    """The loop IR of a graph; ``outputs`` are its distinct results that are not inputs, ``donated`` names inputs whose
    memory may be overwritten."""
    declared = Declared()
    inputs = [declared.new("input", t.dtype, t.shape) for t in graph.inputs]
    results = [declared.new("output", t.dtype, t.shape) for t in outputs]
    whole = Graph(graph.inputs, list(outputs), graph.opaques, graph.kept)
    steps = Region(declared, whole, [(n, loops.Affine()) for n in inputs], [(n, loops.Affine()) for n in results]).steps
    return loops.Program(name, declared.buffers(), steps, inputs, results, donated)


class Region:
    """Writes the steps of one graph.

    Args:
      declared: buffers of the program.
      graph: what to compute.
      inputs: where the inputs are.
      outputs: where the outputs go.
    """

    def __init__(self, declared: Declared, graph: Graph, inputs: Sequence[Place], outputs: Sequence[Place]):
        self.declared = declared
        planned = plan(graph)
        results = {t for t in graph.outputs if not isinstance(t, Source)}
        items = fuse(planned.order, results)
        self.memory = Memory(storages(items, results), _stages(planned))
        for source, place in zip(graph.inputs, inputs, strict=True):
            self.put(source, place)
        copies = []
        for t, place in zip(graph.outputs, outputs, strict=True):
            if t not in self.memory.buffer:
                self.put(t, place)
            elif t in self.memory.storage and type(t) not in (Scatter, Running, Reduction):
                # The loops that make it store it twice.
                self.memory.extra.setdefault(t, []).append(place)
            else:
                copies.append((t, place))
        # Copies of what is there from the start come first: then a loop may write its new carry over the old one.
        given = "a result that is an operand of the loop or branch as it stands: it goes where results are expected"
        self.steps: list[Any] = [self.copy(t, at, given) for t, at in copies if t.aval.size and t in graph.inputs]
        for item in items:
            self.steps.extend(self.item(item))
        twice = "a value that is wanted in two places: as a result, and where something else keeps it"
        self.steps += [self.copy(t, at, twice) for t, at in copies if t.aval.size and t not in graph.inputs]

    def put(self, tensor: Tensor, place: Place) -> None:
        """Says where a tensor is."""
        updated = tensor.updates if isinstance(tensor, Formula) else None
        for t in (tensor,) if updated is None else (tensor, updated):
            # Updates happen in the copy of the operand, which therefore is this buffer.
            self.memory.buffer[t] = place[0]
            if place[1] != loops.Affine():
                self.memory.offset[t] = (place[1], 0)

    def place(self, tensor: Tensor) -> Place:
        """Where a tensor is."""
        return self.memory.buffer[tensor], self.memory.offset.get(tensor, (loops.Affine(), 0))[0]

    def view(self, tensor: Tensor, shape: Sequence[int] | None = None) -> loops.View:
        """All of a tensor in memory, as operand of a step."""
        name, offset = self.place(tensor)
        return loops.View(name, tensor.shape if shape is None else shape, offset)

    def copy(self, tensor: Tensor, place: Place, why: str) -> loops.Call:
        """A step that copies a tensor to a place."""
        call = loops.Call("copy", [self.view(tensor)], [loops.View(place[0], tensor.shape, place[1])])
        return provenance.because(call, why)  # type: ignore[no-any-return]

    def temporary(self, dtype: Any, shape: Sequence[int]) -> str:
        """A new temporary buffer."""
        return self.declared.new("temp", dtype, shape)

    def item(self, item: Item) -> list[Any]:
        """The steps of one item."""
        if isinstance(item, Opaque):
            before = provenance.enter(item)
            steps = self.opaque(item)
            provenance.leave(before)
            return steps
        stages = [item] if isinstance(item, Stage) else list(item.stages())
        lent = lenders(stages, self.memory.storage)
        for s in stages:
            if s.tensor not in lent:
                self.keep(s.tensor)
        for tensor, lender in lent.items():
            # Kept whole in the memory of a later result: then iterations share nothing and may run in parallel.
            self.memory.storage[tensor] = Storage(0, (), True)
            self.put(tensor, self.place(lender))
        if all(s.tensor.aval.size == 0 for s in stages):
            return []
        nests = NestWriter(self.memory, self.temporary).write(item)
        return [provenance.because(nest, None if isinstance(item, Stage) else item.alone) for nest in nests]

    def opaque(self, item: Opaque) -> list[Any]:
        """The steps of a step on whole arrays."""
        for t in item.results:
            if t not in self.memory.buffer:
                self.put(t, (self.temporary(t.dtype, t.shape), loops.Affine()))
        return _OPAQUE[type(item)](self, item)

    def keep(self, tensor: Tensor) -> None:
        """Gives the value of a stage the memory that it needs."""
        storage = self.memory.storage[tensor]
        if tensor in self.memory.buffer or storage.is_register:
            return
        user = self.memory.updated(tensor)
        if user is not None:
            self.keep(user)
            return
        shape = tensor.shape if storage.full else storage.shape
        self.put(tensor, (self.temporary(tensor.dtype, shape), loops.Affine()))

    # -- library and host steps --------------------------------------------------------------------------------------

    def host(self, step: HostStep) -> list[Any]:
        """A step in Python."""
        inputs = [self.view(t) for t in step.operands]
        return [loops.Host(step.name, step.fn, inputs, [self.view(t) for t in step.results])]

    def routine(self, step: RoutineStep) -> list[Any]:
        """A routine on whole arrays, such as sorting."""
        if all(t.aval.size == 0 for t in step.results):
            return []
        outputs = [self.view(t) for t in step.results]
        return [loops.Call(step.routine, self.read_in_place(step), outputs, step.attributes)]

    def library(self, step: LibraryStep) -> list[Any]:
        """Functions of a compiled library, with their workspaces."""
        call = step.call
        runs = runs_of(call, step.results[0].shape[0])
        outputs = [self.view(t) for t in step.results]
        for n in call.work:
            shape = (runs, -(-max(n, 1) // loops.ALIGNMENT) * loops.ALIGNMENT)
            outputs.append(loops.View(self.temporary(np.uint8, shape), shape))
        return [loops.Call("library", self.read_in_place(step), outputs, {"call": call, "runs": runs})]

    def items(self, step: ItemsStep) -> list[Any]:
        """Scalar code on items that fit in registers: one loop over them."""
        count = step.results[0].shape[-1]
        if not count:
            return []
        body: list[Any] = []
        numbers = itertools.count()
        item = loops.Affine.var("i0")
        elements, types = [], []
        for t, view in zip(step.operands, self.read_in_place(step), strict=True):
            type = type_of(t.dtype)
            parts = pairs.part_types(type)
            for e in range(math.prod(t.shape[:-1])):
                names = [f"v{next(numbers)}" for _ in parts]
                for number, part in enumerate(names):
                    at = view.offset + item + e * count
                    body.append(loops.Load(part, view.buffer, at, number if len(parts) > 1 else None))
                elements.append(pairs.regrouped(names, [type])[0])
                types.append(type)
        made = [type_of(t.dtype) for t in step.results for _ in range(math.prod(t.shape[:-1]))]
        name, fn = step.name, step.fn
        statement, values = pairs.let(lambda: f"v{next(numbers)}", name, elements, types, tuple(made), fn)
        body.append(statement)
        rest = iter(values)
        for t in step.results:
            view = self.view(t)
            for e in range(math.prod(t.shape[:-1])):
                x = next(rest)
                value, imag = x if isinstance(x, tuple) else (x, None)
                body.append(loops.Store(view.buffer, view.offset + item + e * count, value, imag))
        return [loops.Nest([loops.Loop("i0", count, body)])]

    def read_in_place(self, step: Opaque) -> list[loops.View]:
        """The operands of a step, blocks of other arrays where they are."""
        inputs = []
        for t in step.operands:
            if is_dense_part(t):
                base, offset, _ = strided(t)  # type: ignore[misc]
                name, start = self.place(base)
                inputs.append(loops.View(name, t.shape, start + offset.const))
            else:
                inputs.append(self.view(t))
        return inputs

    def kernel(self, step: KernelStep) -> list[Any]:
        """A kernel of numba's on whole arrays."""
        inputs, outputs = [self.view(t) for t in step.operands], [self.view(t) for t in step.results]
        return [loops.Call("kernel", inputs, outputs, {"kernel": step.kernel})]

    def gemm(self, step: ProductStep) -> list[Any]:
        """A matrix product."""
        groups, (rows, inner, columns) = step.groups, step.sizes
        (result,) = step.results
        if result.aval.size == 0:
            return []
        batch = result.shape[: groups[0]]
        views = [
            self.matrix(step, t, side, (*batch, *size))
            for side, (t, size) in enumerate(zip(step.operands, [(rows, inner), (inner, columns)], strict=True))
        ]
        return [loops.Call("gemm", views, [self.view(result, (*batch, rows, columns))])]

    def convolution(self, step: ConvolutionStep) -> list[Any]:
        """A convolution of floating numbers."""
        views = []
        for t in step.operands:
            if conv_operand_fits(step, t):
                base, offset, strides = strided(t)  # type: ignore[misc]
                name, start = self.place(base)
                views.append(loops.View(name, t.shape, start + offset.const, strides))
            else:
                views.append(self.view(t))
        attributes = {"geometry": step.geometry}
        return [loops.Call(step.routine, views, [self.view(t) for t in step.results], attributes)]

    def matrix(self, step: ProductStep, t: Tensor, side: int, shape: tuple[int, ...]) -> loops.View:
        """An operand of a product, read where its elements are."""
        if not gemm_operand_fits(step, t):
            return self.view(t, shape)
        base, offset, strides = strided(t)  # type: ignore[misc]
        n_batch = step.groups[0]
        two = matrix_strides(t.shape, strides, step.groups, side)
        name, start = self.place(base)
        return loops.View(name, shape, start + offset.const, (*strides[:n_batch], *two))  # type: ignore[misc]

    # -- control flow ------------------------------------------------------------------------------------------------

    def scan(self, step: ScanStep) -> list[Any]:
        """A loop over slices that carries values along."""
        n_consts, n_carry, _ = step.groups
        body, length = step.body, step.length
        consts, init = step.operands[:n_consts], step.operands[n_consts : n_consts + n_carry]
        xs = step.operands[n_consts + n_carry :]
        carry, ys = step.results[:n_carry], step.results[n_carry:]
        start = [self.copy(t, self.place(c), _CARRY) for t, c in zip(init, carry, strict=True) if t.aval.size]
        if length == 0:
            return start
        counter = self.declared.counter()
        index = loops.Affine.var(counter, -1) + (length - 1) if step.reverse else loops.Affine.var(counter)

        def slices(tensors: Sequence[Tensor]) -> list[Place]:
            places = []
            for t in tensors:
                name, offset = self.place(t)
                places.append((name, offset + index * (t.aval.size // length)))
            return places

        known = [self.place(t) for t in consts]
        moving = slices(xs)
        scalar = self._scalar_scan(step, counter, known, [self.place(c) for c in carry], moving, slices(ys))
        if scalar is not None:
            return start + scalar
        return start + [
            loops.Repeat(counter, length, self.carried(body, known, [self.place(c) for c in carry], moving, slices(ys)))
        ]

    def carried(
        self,
        body: Graph,
        known: Sequence[Place],
        carry: Sequence[Place],
        slices: Sequence[Place],
        stacked: Sequence[Place],
    ) -> list[Any]:
        """The steps of one iteration: new carries are made beside the old ones, or over them where that is safe."""
        n = len(carry)
        before = set(self.declared.by_name)
        fresh: list[Place] = []
        inputs = body.inputs[len(known) : len(known) + n]
        for t, old, new in zip(inputs, carry, body.outputs, strict=False):
            same = new is t
            fresh.append(old if same else (self.temporary(t.dtype, t.shape), loops.Affine()))
        # An unchanged carry stays where it is.
        outputs = [
            (t, p)
            for t, p, old in zip(body.outputs, [*fresh, *stacked], [*carry, *[None] * len(stacked)], strict=True)
            if p is not old
        ]
        graph = Graph(body.inputs, [t for t, _ in outputs], body.opaques, body.kept)
        steps = Region(self.declared, graph, [*known, *carry, *slices], [p for _, p in outputs]).steps
        last = []
        for source, made, kept in zip(inputs, fresh, carry, strict=True):
            if made is not kept and source.aval.size:
                target = loops.View(kept[0], source.shape, kept[1])
                copy = loops.Call("copy", [loops.View(made[0], source.shape)], [target])
                last.append(provenance.because(copy, _NEW_CARRY))
        return self._over_old(steps, last, before)

    def _over_old(self, steps: list[Any], copies: list[loops.Call], known: set[str]) -> list[Any]:
        """``steps`` and then ``copies`` of new carries over old ones, without those that can be made in place.

        Args:
          steps: of one iteration.
          copies: whole arrays, from the temporaries in which they have been made.
          known: names of the buffers that were there before the steps were written.
        """
        buffers = self.declared.by_name
        own = set(buffers) - known
        before = {} if planner.verifier is None else planner.roots(buffers)
        kept = list(copies)
        overwriting = Overwriting(self.declared, steps, own)
        for copy in copies:
            new, old = copy.inputs[0].buffer, copy.outputs[0].buffer
            whole = buffers[new].size == buffers[old].size and copy.outputs[0].offset == loops.Affine()
            if whole and overwriting.overwrite(new, old, [c for c in kept if c is not copy]):
                kept.remove(copy)
        if planner.verifier is not None:
            planner.verifier.carried(buffers, before, overwriting.steps, copies)
        return overwriting.steps + kept

    def while_(self, step: WhileStep) -> list[Any]:
        """A loop that tests a condition."""
        if step.masked:
            operands, results = ([self.place(t) for t in group] for group in (step.operands, step.results))
            nest = lanes.loop_of_each(step, operands, results, self.temporary)
            if nest is not None:
                return [nest]
        n_test, n_body, _ = step.groups
        test_consts, body_consts = step.operands[:n_test], step.operands[n_test : n_test + n_body]
        init, carry = step.operands[n_test + n_body :], step.results
        start = [self.copy(t, self.place(c), _CARRY) for t, c in zip(init, carry, strict=True) if t.aval.size]
        places = [self.place(c) for c in carry]
        test, body = step.condition, step.body
        scalar = self._scalar_while(
            test, body, [self.place(t) for t in test_consts], [self.place(t) for t in body_consts], places
        )
        if scalar is not None:
            return start + scalar
        flag = self.temporary(bool, ())
        inputs = [self.place(t) for t in test_consts] + places
        test_steps = Region(self.declared, test, inputs, [(flag, loops.Affine())]).steps
        body_steps = self.carried(body, [self.place(t) for t in body_consts], places, [], [])
        return [*start, loops.While(test_steps, flag, body_steps)]

    def cond(self, step: CondStep) -> list[Any]:
        """A choice between graphs."""
        index, operands = step.operands[0], step.operands[1:]
        inputs = [self.place(t) for t in operands]
        outputs = [self.place(t) for t in step.results]
        name, offset = self.place(index)
        steps = []
        if offset != loops.Affine():
            name = self.temporary(index.dtype, ())
            steps.append(self.copy(index, (name, loops.Affine()), "the number of a branch, where the switch reads it"))
        branches = []
        for graph in step.branches:
            before = set(self.declared.by_name)
            written = Region(self.declared, graph, inputs, outputs).steps
            branches.append((written, set(self.declared.by_name) - before))
        buffers = self.declared.by_name
        pairs = [
            (new, old)
            for (new, at), t in zip(outputs, step.results, strict=True)
            for (old, start), x in zip(inputs, operands, strict=True)
            if at == start == loops.Affine() and t.aval.shape == x.aval.shape and t.dtype == x.dtype
            if buffers[new].size == buffers[old].size == t.aval.size > tuning.FEW_ELEMENTS  # fewer become variables
        ]
        made, replacing = overwrite_in_branches(self.declared, branches, pairs)
        branch = loops.Branch(name, made)
        if replacing:
            self.declared.replacing[id(branch)] = (branch, replacing)
        return [*steps, branch]

    # -- loops over single numbers -----------------------------------------------------------------------------------

    def _scalar_scan(
        self,
        step: ScanStep,
        counter: str,
        known: list[Place],
        carry: list[Place],
        slices: list[Place],
        stacked: list[Place],
    ) -> list[Any] | None:
        """A scan of scalar formulas as one native loop whose carries are registers; None if its body is more than
        that.
        """
        body = step.body
        if not _is_scalar(body):
            return None
        writer = NestWriter(self._scalar_memory(body, [*known, *carry, *slices], counter), self.temporary)
        inputs = body.inputs[len(known) :][: len(carry)]
        names = writer.variables(inputs, carry)
        writer.open()
        values = writer.formulas(body.outputs)
        for place, value in zip(stacked, values[len(carry) :], strict=True):
            writer.store(place[0], place[1], value)
        writer.assign(names, values[: len(carry)])
        inner = writer.close()
        writer.put(loops.Loop(counter, step.length, inner, ordered=True))
        writer.save(names, carry)
        return [loops.Nest(writer.blocks[0], "scan")]

    def _scalar_while(
        self, test: Graph, body: Graph, test_consts: list[Place], body_consts: list[Place], carry: list[Place]
    ) -> list[Any] | None:
        """The same for a while loop."""
        if not (_is_scalar(test) and _is_scalar(body)):
            return None
        n = len(carry)
        memory = self._scalar_memory(body, [*body_consts, *carry], None)
        other = self._scalar_memory(test, [*test_consts, *carry], None)
        memory.buffer.update(other.buffer)
        memory.offset.update(other.offset)
        writer = NestWriter(memory, self.temporary)
        names = writer.variables(body.inputs[len(body_consts) :], carry)
        for t, name in zip(test.inputs[len(test_consts) :], names, strict=True):
            writer.registers[t] = (name, 1)
        writer.open()
        (condition,) = writer.formulas(test.outputs)
        tested = writer.close()
        writer.open()
        writer.assign(names, writer.formulas(body.outputs))
        done = writer.close()
        assert len(names) == n
        if isinstance(condition, loops.Const):
            condition = writer.named(condition, tested)
        writer.put(loops.LoopWhile(tested, condition, done))
        writer.save(names, carry)
        return [loops.Nest(writer.blocks[0], "while")]

    def _scalar_memory(self, graph: Graph, places: Sequence[Place], counter: str | None) -> Memory:
        memory = Memory({}, {})
        for t, (name, offset) in zip(graph.inputs, places, strict=True):
            memory.buffer[t] = name
            depth = 1 if counter is not None and counter in offset.symbols() else 0
            memory.offset[t] = (offset, depth)
        return memory


def _is_scalar(graph: Graph) -> bool:
    """Whether a graph consists of formulas for single numbers that read single numbers."""
    if graph.opaques or not all(t.aval.size == 1 and t.ndim == 0 for t in graph.inputs + graph.outputs):
        return False
    planned = plan(graph)
    return all(
        isinstance(s, Stage) and type(s.tensor) is Compute and s.tensor.ndim == 0 for s in planned.order
    ) and all(supports(t.dtype) for t in graph.inputs)


def _stages(planned: Plan) -> dict[Tensor, Stage]:
    return {s.tensor: s for s in planned.order if isinstance(s, Stage)}


_OPAQUE: dict[type[Opaque], Callable[[Region, Any], list[Any]]] = {
    HostStep: Region.host,
    ProductStep: Region.gemm,
    ConvolutionStep: Region.convolution,
    KernelStep: Region.kernel,
    RoutineStep: Region.routine,
    LibraryStep: Region.library,
    ItemsStep: Region.items,
    ScanStep: Region.scan,
    WhileStep: Region.while_,
    CondStep: Region.cond,
}
