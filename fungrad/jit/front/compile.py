"""The compiler: a jaxpr in, a program that runs on ndarrays out.

A `Compilation` runs the passes, lowers to tensors, plans and fuses stages, writes the loop IR, places memory, and
makes machine code of it. It keeps what people want to look at.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fungrad.core import timeline
from fungrad.core.ir import Jaxpr, subjaxprs
from fungrad.jit.formulas.lowering import Graph, lower_jaxpr
from fungrad.jit.formulas.tensors import Tensor
from fungrad.jit.front.link import Plan
from fungrad.jit.front.load import Loaded, Written
from fungrad.jit.fusion.build import build_program
from fungrad.jit.ir import loops, tuning
from fungrad.jit.ir.cost import cost_of, repeats
from fungrad.jit.ir.loop_text import program_text
from fungrad.jit.ir.machine import Machine
from fungrad.jit.ir.products import SUFFIXES
from fungrad.jit.ir.traverse import walk
from fungrad.jit.passes import run_passes
from fungrad.jit.products import library
from fungrad.jit.rewrites import pipeline
from fungrad.ops.dot import dot_general_p
from fungrad.transforms.runtime_checks import EVERY, Sites, check_jaxpr


@dataclasses.dataclass(frozen=True)
class MemoryAnalysis:
    """Bytes of a compiled program.

    Attributes:
      argument_size_in_bytes: of the arguments.
      output_size_in_bytes: of the results.
      alias_size_in_bytes: of the results that are written over donated arguments.
      temp_size_in_bytes: of the arena that holds all temporaries and is kept between calls.
    """

    argument_size_in_bytes: int
    output_size_in_bytes: int
    alias_size_in_bytes: int
    temp_size_in_bytes: int

    @property
    def peak_memory_in_bytes(self) -> int:
        """What is held during a call: arguments, results and temporaries, memory in common counted once."""
        results = self.output_size_in_bytes - self.alias_size_in_bytes
        return self.argument_size_in_bytes + results + self.temp_size_in_bytes


def _products(jaxpr: Jaxpr) -> set[str]:
    """Element types of the matrix products for which kernels will be called, as in the names of those."""
    found = set()
    for eqn in jaxpr.eqns:
        if eqn.primitive is dot_general_p:
            x, y = (a.aval for a in eqn.invars)
            (inner, _), batch = eqn.params["dimension_numbers"]
            shared = math.prod(x.shape[d] for d in inner)
            groups = math.prod(x.shape[d] for d in batch[0])
            rows, columns = (a.size // max(1, shared * groups) for a in (x, y))
            if min(rows, columns) > 1 and rows * columns * shared > tuning.SMALL_PRODUCT:
                dtype = eqn.outvars[0].aval.dtype
                found.add(SUFFIXES.get("float32" if dtype.itemsize == 2 else dtype.name, ""))
    return found.union(*map(_products, subjaxprs(jaxpr))) - {""}


class Compilation:
    """A jaxpr on its way to machine code.

    Attributes:
      jaxpr: as given.
      optimised: after all passes.
      program: the loop IR, before it is rewritten for a machine.
      plan: how a call of the jaxpr becomes one of the program.
      timings: seconds per stage.
    """

    def __init__(self, jaxpr: Jaxpr, name: str, donated: Sequence[bool], target: Machine):
        self.jaxpr = jaxpr
        self.name = name
        self.timings: dict[str, float] = {}
        self._target = target
        self._written: Written | None = None
        self._pass_texts: list[tuple[str, Jaxpr]] = []
        closed = jaxpr.with_consts_as_inputs()
        consts = list(jaxpr.consts)
        checked = check_jaxpr(closed, EVERY)
        sites: Sites = ()
        if checked is not None:
            sites, closed = checked.sites, checked.jaxpr.with_consts_as_inputs()
            consts = [*checked.jaxpr.consts, *consts]
        self.optimised = self._timed("passes", lambda: run_passes(closed, self._note))
        for element in _products(self.optimised):
            library.prepare(library.PREFIX + element)
        graph = self._timed("lower", lambda: lower_jaxpr(self.optimised))
        given = [False] * len(consts) + list(donated) if any(donated) else []
        sources = self._timed("fuse", lambda: self._fuse(graph, given))
        self.plan = Plan(sources, sites, tuple([np.asarray(c) for c in consts]))

    def _timed(self, stage: str, fn: Callable[[], Any]) -> Any:
        start = time.perf_counter()
        with timeline.span(stage, "compile", program=self.name):
            result = fn()
        self.timings[stage] = time.perf_counter() - start
        return result

    def _note(self, name: str, jaxpr: Jaxpr) -> None:
        self._pass_texts.append((name, jaxpr))

    def _fuse(self, graph: Graph, donated: Sequence[bool]) -> tuple[tuple[bool, int], ...]:
        # Results that are inputs, or one array twice, are the same array objects: arrays never change.
        inputs = {t: n for n, t in enumerate(graph.inputs)}
        made: dict[Tensor, int] = {}
        sources: list[tuple[bool, int]] = []
        for t in graph.outputs:
            sources.append((False, inputs[t]) if t in inputs else (True, made.setdefault(t, len(made))))
        forwarded = {n for new, n in sources if not new}
        self._donated = [f"in{n}" for n, given in enumerate(donated) if given and n not in forwarded]
        self.program = pipeline.run(self._built(graph), pipeline.GENERAL)
        return tuple(sources)

    def _built(self, graph: Graph) -> loops.Program:
        """The program of the loop IR as the formulas give it."""
        inputs = set(graph.inputs)
        made = list(dict.fromkeys(t for t in graph.outputs if t not in inputs))
        return build_program(graph, made, self.name, self._donated)

    @property
    def written(self) -> Written:
        """The program as LLVM text.

        Kept by hand: Python 3.11 computes a ``cached_property`` under a lock, which a fork meanwhile leaves locked.
        """
        if self._written is None:
            self._written = Written(self.program, self._target)
        return self._written

    def load(self) -> Loaded:
        """The program as machine code."""
        return self._timed("native", lambda: Loaded(self.written))  # type: ignore[no-any-return]

    # -- looking inside ----------------------------------------------------------------------------------------------

    def text(self, stage: str = "steps") -> str:
        """Text of the program.

        Args:
          stage: ``jaxpr``, ``passes`` (after each pass that changed something), ``rewrites`` (the same for the passes
            on steps), ``rewrites:NAME`` (the steps after that pass), ``steps``, ``llvm`` or ``asm``.
        """
        if stage == "jaxpr":
            return self.jaxpr.pretty_print(name_stack=True)
        if stage == "passes":
            parts = [f"-- traced\n{self.jaxpr.pretty_print(name_stack=True)}"]
            before = self.jaxpr.with_consts_as_inputs()
            for name, jaxpr in self._pass_texts:
                change = ": no change" if jaxpr is before else f"\n{jaxpr.pretty_print(name_stack=True)}"
                parts.append(f"-- {name}{change}")
                before = jaxpr
            return "\n".join(parts)
        if stage == "rewrites" or stage.startswith("rewrites:"):
            return self._rewrites(stage.removeprefix("rewrites").removeprefix(":"))
        if stage not in ("steps", "llvm", "asm"):
            raise ValueError(
                f"fungrad.jit: there is no text of stage {stage!r}; choose jaxpr, passes, rewrites, rewrites:NAME, "
                "steps, llvm or asm"
            )
        return self.written.text(stage)

    def _rewrites(self, wanted: str) -> str:
        """Text of the steps after every pass that changed them, or after the one of a name."""
        names = [step.name for step in pipeline.PIPELINE]
        if wanted and wanted not in names:
            raise ValueError(f"fungrad.jit: there is no rewrite {wanted!r}; choose one of {', '.join(names)}")
        program = self._built(lower_jaxpr(self.optimised)).aimed_at(self._target)
        before = program_text(program)
        parts = [f"-- built\n{before}"]
        found = before

        def note(name: str, program: loops.Program) -> None:
            nonlocal before, found
            text = program_text(program)
            parts.append(f"-- {name}" + (": no change" if text == before else f"\n{text}"))
            before = text
            if name == wanted:
                found = text

        pipeline.run(program, after=note)
        return found if wanted else "\n".join(parts)

    @property
    def host_steps(self) -> list[str]:
        """Names of the primitives that run in Python."""
        return [s.name for s in walk(self.program.steps) if type(s) is loops.Host]

    def cost_analysis(self) -> dict[str, float]:
        """Scalar operations and bytes read and written by one call, estimated from the steps."""
        costs = [(cost_of(self.program, step), times) for step, times, _ in repeats(self.program.steps)]
        flops, moved = sum(c.flops * times for c, times in costs), sum(c.moved * times for c, times in costs)
        return {"flops": flops, "bytes accessed": moved}

    def memory_analysis(self) -> MemoryAnalysis:
        """Bytes of arguments, results and temporaries."""
        buffers = self.program.buffers.values()
        outputs = [b for b in buffers if b.kind == "output"]
        return MemoryAnalysis(
            argument_size_in_bytes=sum(b.nbytes for b in buffers if b.kind == "input"),
            output_size_in_bytes=sum(b.nbytes for b in outputs),
            alias_size_in_bytes=sum(b.nbytes for b in outputs if b.alias is not None),
            temp_size_in_bytes=self.written.image.arena_bytes,
        )
