"""The compiler: a jaxpr in, a program that runs on ndarrays out.

`compile_jaxpr` runs the passes, lowers to tensors, plans and fuses stages, writes the loop IR, places memory, and
hands the program to `jit.runtime`. A `CompiledProgram` keeps what people want to look at.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fungrad.core.ir import Jaxpr
from fungrad.jit.formulas.lowering import Graph, lower_jaxpr
from fungrad.jit.formulas.tensors import Tensor
from fungrad.jit.front.link import machine
from fungrad.jit.front.load import Loaded, load
from fungrad.jit.fusion.build import build_program
from fungrad.jit.ir import loops
from fungrad.jit.ir.loop_text import program_text
from fungrad.jit.ir.traverse import buffers_of, children, walk
from fungrad.jit.passes import run_passes
from fungrad.jit.rewrites import pipeline
from fungrad.transforms.runtime_checks import EVERY, Sites, check_jaxpr, failure


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


class CompiledProgram:
    """A compiled jaxpr.

    Attributes:
      jaxpr: as given.
      optimised: after all passes.
      program: the loop IR.
      sites: the run-time checks: results after those of the jaxpr say which of them failed, and with what values.
      timings: seconds per stage of compilation.
    """

    def __init__(self, jaxpr: Jaxpr, name: str, donated: Sequence[bool]):
        self.jaxpr = jaxpr
        self.name = name
        self.timings: dict[str, float] = {}
        self._pass_texts: list[tuple[str, Jaxpr]] = []
        closed = jaxpr.with_consts_as_inputs()
        consts = list(jaxpr.consts)
        checked = check_jaxpr(closed, EVERY)
        self.sites: Sites = ()
        if checked is not None:
            self.sites, closed = checked.sites, checked.jaxpr.with_consts_as_inputs()
            consts = [*checked.jaxpr.consts, *consts]
        self.optimised = self._timed("passes", lambda: run_passes(closed, self._note))
        graph = self._timed("lower", lambda: lower_jaxpr(self.optimised))
        given = [False] * len(consts) + list(donated) if any(donated) else []
        self._timed("fuse", lambda: self._plan(graph, given))
        self._consts = [np.asarray(c) for c in consts]
        self._executable: Loaded = self._timed("native", lambda: load(self.program))
        self.timings.update({f"native/{k}": v for k, v in self._executable.timings.items()})

    def _timed(self, stage: str, fn: Callable[[], Any]) -> Any:
        start = time.perf_counter()
        result = fn()
        self.timings[stage] = time.perf_counter() - start
        return result

    def _note(self, name: str, jaxpr: Jaxpr) -> None:
        self._pass_texts.append((name, jaxpr))

    def _plan(self, graph: Graph, donated: Sequence[bool]) -> None:
        # Results that are inputs, or one array twice, are the same array objects: arrays never change.
        inputs = {t: n for n, t in enumerate(graph.inputs)}
        made: dict[Tensor, int] = {}
        self._sources: list[tuple[str, int]] = []
        for t in graph.outputs:
            if t in inputs:
                self._sources.append(("input", inputs[t]))
            else:
                self._sources.append(("made", made.setdefault(t, len(made))))
        self._plain = all(s == ("made", n) for n, s in enumerate(self._sources))
        forwarded = {n for kind, n in self._sources if kind == "input"}
        self._donated = [f"in{n}" for n, given in enumerate(donated) if given and n not in forwarded]
        self.program = pipeline.run(self._built(graph), pipeline.GENERAL)

    def _built(self, graph: Graph) -> loops.Program:
        """The program of the loop IR as the formulas give it."""
        inputs = set(graph.inputs)
        made = list(dict.fromkeys(t for t in graph.outputs if t not in inputs))
        return build_program(graph, made, self.name, self._donated)

    def run(self, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Runs the program.

        Args:
          arrays: one ndarray per input, of exactly its shape and dtype.

        Returns:
          One ndarray per output. A result that is an input is that very array; no other memory is shared with inputs
          except donated ones.

        Raises:
          RuntimeCheckError: a check in the program failed.
        """
        if self._consts:
            arrays = [*self._consts, *arrays]
        outs = self._executable.run(arrays)
        if not self._plain:
            outs = [arrays[n] if kind == "input" else outs[n] for kind, n in self._sources]
        if not self.sites:
            return outs
        n = len(self.jaxpr.outvars)
        if outs[n]:
            raise failure(int(outs[n]), outs[n + 1 :], self.sites)
        return outs[:n]

    @property
    def direct(self) -> Callable[[Sequence[np.ndarray]], list[np.ndarray]]:
        """The shortest way to run the program: the executable's own method where nothing has to be rearranged."""
        if self._plain and not self._consts and not self.sites:
            return self._executable.run
        return self.run

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
        return self._executable.text(stage)

    def _rewrites(self, wanted: str) -> str:
        """Text of the steps after every pass that changed them, or after the one of a name."""
        names = [step.name for step in pipeline.PIPELINE]
        if wanted and wanted not in names:
            raise ValueError(f"fungrad.jit: there is no rewrite {wanted!r}; choose one of {', '.join(names)}")
        program = self._built(lower_jaxpr(self.optimised)).aimed_at(machine())
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
        flops = moved = 0.0
        for step in self.program.steps:
            f, b = _step_cost(self.program, step, 1)
            flops, moved = flops + f, moved + b
        return {"flops": flops, "bytes accessed": moved}

    def memory_analysis(self) -> MemoryAnalysis:
        """Bytes of arguments, results and temporaries."""
        buffers = self.program.buffers.values()
        outputs = [b for b in buffers if b.kind == "output"]
        return MemoryAnalysis(
            argument_size_in_bytes=sum(b.nbytes for b in buffers if b.kind == "input"),
            output_size_in_bytes=sum(b.nbytes for b in outputs),
            alias_size_in_bytes=sum(b.nbytes for b in outputs if b.alias is not None),
            temp_size_in_bytes=self._executable.arena_bytes,
        )


def compile_jaxpr(jaxpr: Jaxpr, *, name: str = "program", donated: Sequence[bool] = ()) -> CompiledProgram:
    """Compiles a jaxpr to native code.

    Args:
      jaxpr: the function; its constants are bound.
      name: for printed programs.
      donated: for each input, whether its memory may be overwritten; empty for none.
    """
    return CompiledProgram(jaxpr, name, donated)


def _step_cost(program: loops.Program, step: Any, times: float) -> tuple[float, float]:
    kind = type(step)
    if kind is loops.Repeat:
        parts = [_step_cost(program, s, times * step.extent) for s in step.steps]
        return sum(p[0] for p in parts), sum(p[1] for p in parts)
    if kind in (loops.While, loops.Branch):
        parts = [_step_cost(program, s, times) for nested in children(step) for s in nested]
        return sum(p[0] for p in parts), sum(p[1] for p in parts)
    reads, writes = buffers_of(step)
    moved = times * sum(program.buffers[n].nbytes for n in [*reads, *writes])
    if kind is loops.Call and step.routine == "gemm":
        return times * 2.0 * math.prod(step.outputs[0].shape) * step.inputs[0].shape[-1], moved
    if kind is loops.Nest:
        return times * _statement_cost(step.body, 1), moved
    return 0.0, moved


def _statement_cost(body: Sequence[Any], times: float) -> float:
    total = 0.0
    for s in body:
        if type(s) in (loops.Let, loops.Update, loops.Prefix):
            total += times
        elif type(s) is loops.Loop:
            total += _statement_cost(s.body, times * s.extent)
        else:
            total += sum(_statement_cost(nested, times) for nested in children(s))
    return total
