"""``fungrad.profile``: measured time of every step, on the user's lines.

The program is compiled once more with a clock around every step (`jit/llvm/timed.py`) and run on the arguments. So the
times are of the real steps, on the real arrays, with the real state of the caches. The program without clocks is run
in turn with it, to say what the clocks cost.

A step that comes from several lines was measured as one: its time is shared among the lines by the estimated work of
their statements, which the table marks with ``~``.

May import ``explaining`` below and ``jit``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fungrad.core.arguments import shown
from fungrad.core.array import as_array
from fungrad.core.source import api_boundary
from fungrad.explaining import terminal
from fungrad.explaining.explanation import as_jitted, check_values
from fungrad.explaining.places import Place
from fungrad.explaining.programs import CompiledView, Step
from fungrad.explaining.rates import Rates, rates
from fungrad.explaining.sections import Prose, Section, Table, bytes_text, seconds_text, step_title
from fungrad.jit.front.link import machine
from fungrad.jit.front.load import Loaded, Written
from fungrad.jit.ir.cost import statement_cost
from fungrad.jit.ir.loops import Nest
from fungrad.jit.ir.traverse import walk, walk_in_loops
from fungrad.jit.llvm.timed import TimedEmitter

# A profile runs the function for about so many seconds, and so many times at least and at most.
_SECONDS, _FEWEST, _MOST = 1.0, 5, 2000


@dataclass
class Timed:
    """The measured time of a step.

    Attributes:
      step: what was measured.
      seconds: of all its runs in one call of the function: the median over the calls.
      least: the same in the fastest of all calls.
      runs: how often it ran in one call.
      share: of the time of all steps.
    """

    step: Step
    seconds: float
    least: float
    runs: float
    share: float

    @property
    def bytes_per_second(self) -> float:
        """Bytes that it touched, by the estimate of its cost, per second."""
        return self.step.cost.moved * self.runs / self.seconds if self.seconds else 0.0

    @property
    def flops_per_second(self) -> float:
        """Operations, by the estimate of its cost, per second."""
        return self.step.cost.flops * self.runs / self.seconds if self.seconds else 0.0


@dataclass
class LineTime:
    """The time of a line of the user's.

    Attributes:
      place: the line.
      seconds: in one call of the function.
      share: of the time of all steps.
      is_exact: whether all of it was measured by itself, or else shared out.
      steps: numbers of the steps.
    """

    place: Place
    seconds: float
    share: float
    is_exact: bool
    steps: tuple[int, ...]


@dataclass
class Profile:
    """What ``fungrad.profile`` has measured. It prints itself.

    Attributes:
      name: of the function.
      calls: how often it was run.
      total: seconds of one call without clocks, the median of all.
      with_clocks: seconds of one call with a clock around every step, likewise.
      steps: the time of every step, in the order in which they run.
      lines: the time of every line of the user's, the slowest first.
      rates: what this machine can do; None if no roofline was asked for.
    """

    name: str
    calls: int
    total: float
    with_clocks: float
    steps: list[Timed]
    lines: list[LineTime]
    rates: Rates | None = None
    view: CompiledView | None = field(default=None, repr=False)

    def sections(self) -> list[Section]:
        """The profile as tables."""
        inside = sum(t.seconds for t in self.steps)
        head = (
            f"{seconds_text(self.total)} per call (median of {self.calls}), {seconds_text(self.with_clocks)} with a "
            f"clock around every step, {seconds_text(inside)} of them in the steps below"
        )
        columns = ["#", "step", "lines", ">time", ">at best", ">share", ">runs", ">bytes/s", ">operations/s"]
        if self.rates is not None:
            columns += [">of the roofline", "bound by"]
        rows = []
        for t in sorted(self.steps, key=lambda t: -t.seconds):
            row = [str(t.step.number), step_title(t.step), t.step.where, seconds_text(t.seconds), seconds_text(t.least)]
            row.append(f"{100 * t.share:.1f}%")
            row += [f"{t.runs:g}", f"{bytes_text(t.bytes_per_second)}/s", f"{t.flops_per_second / 1e9:.3g} G"]
            if t.step.roofline is not None:
                least = t.step.roofline.seconds * t.runs
                row += [f"{100 * least / t.seconds:.0f}%" if t.seconds else "", t.step.roofline.bound]
            rows.append(row)
        lines = [
            (str(x.place), ("" if x.is_exact else "~") + seconds_text(x.seconds), f"{100 * x.share:.1f}%",
             ", ".join(map(str, x.steps)), x.place.text)
            for x in self.lines
        ]  # fmt: skip
        return [
            Section(f"Profile of {self.name}", [Prose(head)]),
            Section("Time by step", [Table(columns, rows)]),
            Section("Time by line (~ shared out by estimated work)",
                    [Table(("line", ">time", ">share", "steps", "source"), lines)]),
        ]  # fmt: skip

    def print(self) -> None:
        """Prints the profile to the terminal, with colours where ``rich`` is installed."""
        terminal.show_sections(self.sections())

    def __str__(self) -> str:
        return terminal.as_text(self.sections())

    def __repr__(self) -> str:
        return f"<Profile of {self.name}: {seconds_text(self.total)} per call; print it>"


@api_boundary
def profile(fun: Callable[..., Any], *args: Any, roofline: bool = True, **kwargs: Any) -> Profile:
    """Measures the time of every step of a compiled function, and puts it on the lines of its source.

    The function runs for about a second, with a clock around every step of its compiled program. Steps in Python and
    callbacks run each time. Nothing is donated.

    Args:
      fun: function of arrays and trees of arrays, jitted or not. One with static arguments must be jitted.
      *args: its arguments, with values.
      roofline: whether to measure what the machine can do, to compare with.
      **kwargs: its keyword arguments.

    Returns:
      A ``Profile``; ``print`` shows it.

    Raises:
      TypeError: ``fun`` is no function, or an argument is no array with values.

    Example:
      >>> import fungrad, fungrad.numpy as jnp
      >>> found = fungrad.profile(lambda x: jnp.tanh(x @ x).sum(), jnp.ones((64, 64)), roofline=False)
      >>> [t.step.kind for t in found.steps], found.total > 0
      (['gemm', 'nest'], True)
    """
    jitted = as_jitted(fun, "profile")
    check_values(args, kwargs, "profile")
    call = jitted._arguments(args, kwargs)
    for x in call.leaves:
        if not isinstance(x, (int, float, complex)) and not hasattr(x, "__array__"):
            raise TypeError(
                f"fungrad.profile: arguments must have values, since the function is run on them, got {shown(x)}"
            )
    traced = jitted.trace(*args, **kwargs)
    jaxpr = traced.jaxpr
    if traced._entry.frame is not None:  # type: ignore[attr-defined]
        raise TypeError(
            f"fungrad.profile: {traced.fun_name} changes references (fungrad.Ref), and every run would change them; "
            "profile a function that takes and returns values"
        )
    known = rates() if roofline else None
    view = CompiledView(jaxpr, traced.fun_name, (), known)
    compilation = view.compilation
    timed = Written(compilation.program, machine(), TimedEmitter)
    emitter: Any = timed.emitter
    clocked, plain = Loaded(timed), Loaded(view.written)
    inputs = [np.asarray(c) for c in compilation.plan.consts]
    inputs += [np.asarray(c) for c in jaxpr.consts] + [np.asarray(as_array(x)) for x in call.leaves]
    inputs = [np.ascontiguousarray(x).reshape(np.shape(x)) for x in inputs]
    (total, with_clocks), taken, counted = _measure(clocked, plain, inputs, emitter.table)
    calls = len(taken)
    # Medians, since another process may take the processor in the middle of a step.
    spent, least, runs = np.median(taken, axis=0) * 1e-9, taken.min(axis=0) * 1e-9, counted / calls
    # Both programs went through the same passes: steps correspond by their order.
    if len(view.steps) != len(spent):
        raise RuntimeError("fungrad.profile: the program with clocks has other steps than the one without")
    inside = float(spent.sum()) or 1.0
    steps = [
        Timed(s, float(t), float(m), float(n), float(t) / inside)
        for s, t, m, n in zip(view.steps, spent, least, runs, strict=True)
    ]
    return Profile(traced.fun_name, calls, total, with_clocks, steps, _by_line(view, steps, inside), known, view)


def _measure(
    clocked: Loaded, plain: Loaded, inputs: Sequence[np.ndarray], table: np.ndarray
) -> tuple[tuple[float, float], np.ndarray, np.ndarray]:
    """Runs both programs in turn.

    Returns:
      Seconds of a call without and with clocks; the nanoseconds of every step in every call; the runs of every step in
      all calls together.
    """
    for program in (plain, clocked, plain, clocked):
        program.run(inputs)
    table[:] = 0
    whole: tuple[list[float], list[float]] = ([], [])
    taken: list[np.ndarray] = []
    end = time.perf_counter() + _SECONDS
    while len(taken) < _FEWEST or (len(taken) < _MOST and time.perf_counter() < end):
        for k, program in enumerate((plain, clocked)):
            start = time.perf_counter()
            program.run(inputs)
            whole[k].append(time.perf_counter() - start)
        taken.append(table[:, 0].copy())
        table[:, 0] = 0
    return (float(np.median(whole[0])), float(np.median(whole[1]))), np.array(taken), table[:, 1].copy()


def _by_line(view: CompiledView, steps: Sequence[Timed], inside: float) -> list[LineTime]:
    found: dict[Place, list[Any]] = {}
    for t in steps:
        weights = line_weights(view, t.step)
        total = sum(weights.values())
        for place, weight in weights.items():
            entry = found.setdefault(place, [0.0, True, []])
            entry[0] += t.seconds * (weight / total if total else 1 / len(weights))
            entry[1] &= len(weights) == 1
            entry[2].append(t.step.number)
    lines = [LineTime(p, s, s / inside, exact, tuple(numbers)) for p, (s, exact, numbers) in found.items()]
    return sorted(lines, key=lambda x: -x.seconds)


def line_weights(view: CompiledView, step: Step) -> dict[Place, float]:
    """The lines of a step with the estimated work of each."""
    weights = dict.fromkeys(sorted(step.places), 0.0)
    if len(weights) == 1:
        return dict.fromkeys(weights, 1.0)
    for part in walk([step.node]):
        if type(part) is Nest:
            for s, extents in walk_in_loops(part.body, {}):
                cost = statement_cost(view.program, s, None, 1)
                times = float(np.prod([*extents.values(), 1], dtype=np.float64))
                _add(weights, view.places(s), cost * times)
        elif not part.BODIES:
            # A product among other steps: all of it is of its line.
            inner = view.cost(part)
            _add(weights, view.places(part), inner.work)
    return weights


def _add(weights: dict[Place, float], places: frozenset[Place], cost: float) -> None:
    for p in places:
        if p in weights:
            weights[p] += cost / len(places)


__all__ = ["LineTime", "Profile", "Timed", "profile"]
