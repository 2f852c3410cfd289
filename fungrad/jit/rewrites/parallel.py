"""Pass ``side by side``: task parallelism. Puts products that do not need each other side by side.

The gradients of all weights of a network become known together. One after the other, each too small for all threads,
they would let the threads wait for each other after every one; as one `Parallel` step they are one parcel of work.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fungrad.jit.ir import products, tuning
from fungrad.jit.ir.cost import nest_work
from fungrad.jit.ir.dependence import Dependence, Pile
from fungrad.jit.ir.loops import Call, Loop, Nest, Parallel, Program, Rows
from fungrad.jit.ir.traverse import map_steps, of_kind


def side_by_side(program: Program) -> Program:
    """The program with independent products put together; shares buffers with the original."""
    return program.with_steps(_Arranger(program).steps(program.steps))


class _Arranger:
    def __init__(self, program: Program):
        self.program = program
        self.order = Dependence(program)
        # What is known of steps, by identity; the step is kept with it, so that its number is not given to another.
        self._known: dict[int, tuple[Any, bool, int]] = {}

    def steps(self, steps: Sequence[Any]) -> list[Any]:
        result: list[Any] = []
        waiting = list(steps)
        while waiting:
            seen = waiting[: tuning.SIDE_BY_SIDE_REACH]
            count = next((k for k, s in enumerate(seen) if not self.known(s)[0]), len(seen))
            if sum(self.known(s)[1] for s in seen[:count]) < tuning.SHARED_PRODUCT:
                result.append(map_steps(self.steps, waiting.pop(0)))
                continue
            ready, blocked = self.ready(waiting[:count])
            products_ready = [s for s in ready if type(s) is not Nest]
            total = sum(self.known(s)[1] for s in products_ready)
            if len(products_ready) > 1 and total >= tuning.SHARED_PRODUCT:
                result.append(Parallel(ready))
                waiting = blocked + waiting[count:]
            else:
                result.append(map_steps(self.steps, waiting.pop(0)))
        return result

    def known(self, step: Any) -> tuple[bool, int]:
        """Whether a step may stand beside others, and the work of its products."""
        found = self._known.get(id(step))
        if found is None:
            member = self.is_member(step)
            work = products.work_of_step(step) if member and type(step) is not Nest else 0
            found = self._known[id(step)] = (step, member, work)
        return found[1], found[2]

    def is_member(self, step: Any) -> bool:
        """Whether a step may stand beside others: what is not worth sharing by itself, and what can be divided."""
        if type(step) is Rows:
            return True
        if type(step) is Call:
            single = step.routine == "gemm" and all(n == 1 for n in step.outputs[0].shape[:-2])
            return single and products.fits(self.program, step)
        if type(step) is not Nest:
            return False
        shared = any(s.parallel for s in of_kind(Loop, step.body))
        return not shared and nest_work(self.program, step) < tuning.WHOLE_NEST

    def ready(self, steps: Sequence[Any]) -> tuple[list[Any], list[Any]]:
        """The steps that need none of the others, and the others."""
        ready: list[Any] = []
        blocked: list[Any] = []
        before = Pile(self.order)
        for s in steps:
            (blocked if self.order.between(s, before) else ready).append(s)
            before.add(s)
        return ready, blocked
