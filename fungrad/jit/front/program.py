"""Compiled programs, and where they come from: the disk, or else the compiler.

What a program needs to run is kept on disk under a digest of the jaxpr and of everything else that it depends on
(`core.digest`, `runtime.version`), so that a process which finds it there neither compiles nor loads the compiler.
Whoever wants to look inside (texts, costs, sizes) makes it load and run the compiler up to machine code.

Not kept are programs with effects, run-time checks, primitives of users and what `core.digest` cannot name. With
``FUNGRAD_CHECK=1``, which is there to verify what the compiler does, nothing is taken from here.

May import ``core`` and ``jit.runtime``; the compiler when something is compiled.
"""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from fungrad import locks
from fungrad.config import config
from fungrad.core import monitoring, timeline
from fungrad.core.digest import digest
from fungrad.core.dimensions import is_symbolic_shape
from fungrad.core.ir import Jaxpr
from fungrad.core.lowering import OnHost
from fungrad.core.primitive import Primitive
from fungrad.errors import InconclusiveDimensionOperation
from fungrad.jit.front.link import Plan, addresses, machine
from fungrad.jit.ir.machine import Machine
from fungrad.jit.runtime import cache, native
from fungrad.jit.runtime.executable import Executable, decoded, encoded
from fungrad.jit.runtime.version import is_unchanged
from fungrad.transforms.runtime_checks import failure

if TYPE_CHECKING:
    from fungrad.jit.front.compile import Compilation

# Whether programs are looked for on disk.
KEEPING = os.environ.get("FUNGRAD_CHECK", "") in ("", "0")


class CompiledProgram:
    """A compiled jaxpr.

    Attributes:
      jaxpr: as given.
      name: for printed programs.
      timings: seconds per stage of compilation.
    """

    def __init__(
        self,
        jaxpr: Jaxpr,
        name: str,
        donated: Sequence[bool],
        target: Machine,
        plan: Plan,
        executable: Executable,
        compilation: Compilation | None = None,
    ):
        self.jaxpr = jaxpr
        self.name = name
        self.timings = {f"native/{k}": v for k, v in executable.timings.items()}
        self._donated = tuple(donated)
        self._target = target
        self._consts = list(plan.consts)
        self._sources = plan.sources
        self._sites = plan.sites
        self._plain = plan.sources == tuple([(True, n) for n in range(len(plan.sources))])
        self._executable = executable
        self._compilation = compilation

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
        if timeline.recording is not None:
            with timeline.span(self.name, "call", inputs=len(arrays)):
                return self._run(arrays)
        return self._run(arrays)

    def _run(self, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        if self._consts:
            arrays = [*self._consts, *arrays]
        outs = self._executable.run(arrays)
        if not self._plain:
            outs = [outs[n] if made else arrays[n] for made, n in self._sources]
        if not self._sites:
            return outs
        n = len(self.jaxpr.outvars)
        if outs[n]:
            raise failure(int(outs[n]), outs[n + 1 :], self._sites)
        return outs[:n]

    @property
    def direct(self) -> Callable[[Sequence[np.ndarray]], list[np.ndarray]]:
        """The shortest way to run the program: the executable's own method where nothing has to be rearranged.

        While calls are recorded it is ``run``; see ``core.timeline``.
        """
        if timeline.recording is not None:
            return self.run
        if self._plain and not self._consts and not self._sites:
            return self._executable.run
        return self.run

    # -- looking inside ----------------------------------------------------------------------------------------------

    @property
    def compilation(self) -> Compilation:
        """All stages of the program; made again if it comes from the disk."""
        if self._compilation is None:
            with locks.imports:
                from fungrad.jit.front.compile import Compilation

            self._compilation = Compilation(self.jaxpr, self.name, self._donated, self._target)
        return self._compilation

    @property
    def program(self) -> Any:
        """The loop IR, before it is rewritten for this machine."""
        return self.compilation.program

    @property
    def final(self) -> Any:
        """The loop IR, after all rewrites."""
        return self.compilation.written.program

    def text(self, stage: str = "steps") -> str:
        """Text of the program; see `Compilation.text`."""
        return self.compilation.text(stage)

    @property
    def host_steps(self) -> list[str]:
        """Names of the primitives that run in Python."""
        return self.compilation.host_steps

    def cost_analysis(self) -> dict[str, float]:
        """Scalar operations and bytes read and written by one call, estimated from the steps."""
        return self.compilation.cost_analysis()

    def memory_analysis(self) -> Any:
        """Bytes of arguments, results and temporaries."""
        return self.compilation.memory_analysis()


def program(jaxpr: Jaxpr, name: str, donated: Sequence[bool] = ()) -> CompiledProgram:
    """The program of a jaxpr without constants: from the disk, or compiled and kept there.

    Args:
      jaxpr: the function.
      name: for printed programs.
      donated: for each input, whether its memory may be overwritten; empty for none.
    """
    _refuse_symbolic(jaxpr, name)
    start = time.perf_counter()
    target = machine()
    place = _place(jaxpr, tuple(donated), target) if KEEPING else None
    found = _read(place) if place is not None else None
    if found is not None:
        plan, executable = found
        monitoring.record_event(monitoring.CACHE_HIT)
        timeline.add_last(f"find {name}", "compile", time.perf_counter() - start)
        program = CompiledProgram(jaxpr, name, donated, target, plan, executable)
        program.timings["find"] = time.perf_counter() - start
        return program
    if place is not None:
        monitoring.record_event(monitoring.CACHE_USED)
        monitoring.record_event(monitoring.CACHE_MISS)
    compiled = _compiled(jaxpr, name, donated, target)
    if place is not None:
        _write(place, compiled)
    return compiled


def _refuse_symbolic(jaxpr: Jaxpr, name: str) -> None:
    """Raises if a size in a jaxpr, which is to be compiled, is no number."""
    for v in (*jaxpr.invars, *(v for eqn in jaxpr.eqns for v in eqn.outvars)):
        if not v.aval.is_high and is_symbolic_shape(v.aval.shape):
            raise InconclusiveDimensionOperation(
                f"fungrad.jit: {name} cannot be compiled because an array in it has the symbolic shape "
                f"{v.aval.str_short()}; symbolic dimensions are for functions that fungrad.export.export traces"
            )


def compile_jaxpr(jaxpr: Jaxpr, *, name: str = "program", donated: Sequence[bool] = ()) -> CompiledProgram:
    """Compiles a jaxpr to native code, whatever is kept.

    Args:
      jaxpr: the function; its constants are bound.
      name: for printed programs.
      donated: for each input, whether its memory may be overwritten; empty for none.
    """
    return _compiled(jaxpr, name, donated, machine())


def _compiled(jaxpr: Jaxpr, name: str, donated: Sequence[bool], target: Machine) -> CompiledProgram:
    # The compiler is a third of the package: it is loaded when something is compiled, not by `import fungrad`.
    with locks.imports:
        from fungrad.jit.front.compile import Compilation

    with timeline.span(f"compile {name}", "compile"):
        began = time.perf_counter()
        compilation = Compilation(jaxpr, name, donated, target)
        planned = time.perf_counter()
        monitoring.record_event_duration_secs(monitoring.PLANNING, planned - began, fun_name=name)
        loaded = compilation.load()
        monitoring.record_event_duration_secs(monitoring.COMPILING, time.perf_counter() - planned, fun_name=name)
    program = CompiledProgram(jaxpr, name, donated, target, compilation.plan, loaded, compilation)
    program.timings = {**compilation.timings, **program.timings}
    return program


def _place(jaxpr: Jaxpr, donated: tuple[bool, ...], target: Machine) -> str | None:
    """The key of the entry of a program; None if it is not to be kept."""
    if cache.directory() is None:
        return None
    name = digest(jaxpr, donated if any(donated) else (), dataclasses.astuple(target), config.compile_key)
    return cache.named("program", name, native.session().host) if name is not None else None


def _read(place: str) -> tuple[Plan, Executable] | None:
    """The program of an entry, None if there is none."""
    kept = cache.read(place)
    if kept is None:
        return None
    image, (key, sources, functions) = decoded(kept)
    code = cache.read(key)
    if code is None:
        return None
    hosts: list[Any] = []
    for name, params in functions:
        hosts.append(OnHost(Primitive.named(name), {k: _value(v) for k, v in params}))
    return Plan(tuple([(made, n) for made, n in sources])), Executable(image, code, addresses(image.symbols), hosts)


def _write(place: str, program: CompiledProgram) -> None:
    """Keep a program, if all that it needs can be written."""
    executable = program._executable
    key = getattr(executable, "key", None)
    if key is None or program._sites or program._consts or program.compilation.written.parts or not is_unchanged():
        return
    try:
        functions = [_named(host.fn) for host in program.compilation.written.hosts]
    except _UnwritableError:
        return
    entry = encoded(executable.image, (key, program._sources, functions))
    if entry is not None:
        cache.write(place, entry)


class _UnwritableError(Exception):
    """A host step has parameters that cannot be written, or is no primitive."""


def _named(function: Any) -> tuple[str, list[tuple[str, Any]]]:
    """A host step by the name of its primitive and its parameters, as values of JSON."""
    if type(function) is not OnHost or Primitive.instances.get(function.primitive.name) is not function.primitive:
        raise _UnwritableError
    return function.primitive.name, [(k, _written(v)) for k, v in function.params.items()]


def _written(value: Any) -> Any:
    kind = type(value)
    if kind in (bool, int, str, type(None)):
        return value
    if kind is float:
        return ["float", value.hex()]
    if kind is tuple:
        return ["tuple", *map(_written, value)]
    if isinstance(value, np.dtype) and np.dtype(value.name) == value:
        return ["dtype", value.name]
    raise _UnwritableError


def _value(written: Any) -> Any:
    if not isinstance(written, list):
        return written
    kind, *rest = written
    if kind == "float":
        return float.fromhex(rest[0])
    return tuple(map(_value, rest)) if kind == "tuple" else np.dtype(rest[0])
