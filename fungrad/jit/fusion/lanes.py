"""Loop interchange by lanes: while loops over many examples, as one loop for each.

`vmap` of a while loop runs until no example goes on (`masked` in `control/while_primitive.py`), which takes all of them
through memory once per step, for as many steps as the slowest needs. Where a step of one example depends on nothing of
another, the loops are exchanged: the state of a few examples, as many as a vector has lanes, stays in registers, and
they run until the last of these few is done. Then the next ones follow, on all threads.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from fungrad.jit.formulas.indices import Axis, Idx
from fungrad.jit.formulas.lowering import Graph
from fungrad.jit.formulas.scalar_rules import supports
from fungrad.jit.formulas.tensors import Compute, WhileStep
from fungrad.jit.fusion.assemble import NestWriter
from fungrad.jit.fusion.memory import Memory
from fungrad.jit.fusion.plan import plan
from fungrad.jit.fusion.stages import Stage
from fungrad.jit.ir import loops
from fungrad.jit.ir.affine import address

Place = tuple[str, loops.Affine]


def loop_of_each(
    step: WhileStep, operands: Sequence[Place], results: Sequence[Place], temporary: Callable[[Any, Sequence[int]], str]
) -> loops.Nest | None:
    """A masked while loop as a nest over its examples; None if a step of one needs something of another.

    Args:
      step: the loop.
      operands, results: where its operands are, and where its results go.
      temporary: makes buffers.
    """
    n_test, n_body, _ = step.groups
    body: Graph = step.body
    shape = body.inputs[n_body].shape
    if n_test or not shape or 0 in shape or not _is_separate(body, n_body, shape):
        return None
    memory = Memory({}, {})
    for t, (name, offset) in zip(body.inputs, operands, strict=True):
        memory.buffer[t] = name
        memory.offset[t] = (offset, 0)
    writer = NestWriter(memory, temporary)
    axes = [Axis(n) for n in shape]
    for depth, axis in enumerate(axes, 1):
        writer.symbols[axis] = (loops.Affine.var(f"e{depth}"), depth)
        writer.ranges[axis] = (0, axis.extent - 1)
        writer.open()
    position = tuple([Idx.of(a) if a.extent > 1 else Idx.of(0) for a in axes])
    at = address(shape, [f"e{depth}" for depth in range(1, len(axes) + 1)])
    carry = body.inputs[n_body:]
    names = writer.variables(carry, [(name, offset + at) for name, offset in operands[n_body:]], len(axes) + 1)
    writer.open()
    values = [writer.element(t, position) for t in body.outputs]
    writer.assign(names, values)
    inner = writer.close()
    running = names[0]
    assert isinstance(running, str)
    writer.put(loops.LoopWhile([], running, inner, settled=True))
    writer.save(names, [(name, offset + at) for name, offset in results])
    for depth in range(len(axes), 0, -1):
        statements = writer.close()
        writer.put(loops.Loop(f"e{depth}", axes[depth - 1].extent, statements))
    return loops.Nest(writer.blocks[0], "while of each")


def _is_separate(body: Graph, n_consts: int, shape: tuple[int, ...]) -> bool:
    """Whether a step consists of formulas that read the state of one example at a time."""
    state = body.inputs[n_consts:]
    if body.opaques or any(t.shape != shape for t in [*state, *body.outputs]):
        return False
    if not all(supports(t.dtype) for t in body.inputs):
        return False
    carried = set(state)
    for stage in plan(body).order:
        if not isinstance(stage, Stage) or type(stage.tensor) is not Compute:
            return False
        for tensor, index in stage.reads:
            if tensor in carried and (stage.tensor.shape != shape or list(index) != list(stage.out_index)):
                return False
            if tensor not in body.inputs and tensor.shape == shape and list(index) != list(stage.out_index):
                return False
            if tensor not in body.inputs and tensor.shape not in (shape, ()):
                return False
    return True
