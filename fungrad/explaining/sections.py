"""An explanation as sections of tables, listings and sentences, which `terminal` and `page` show in their own ways.

May import ``explaining`` below.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from fungrad.explaining.listings import Line
from fungrad.explaining.places import Place
from fungrad.explaining.programs import CompiledView

# `explanation.Explanation`, which is above this module.
Explanation = Any


@dataclass
class Table:
    """Rows of texts. Columns that start with ``>`` hold numbers."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass
class Listing:
    """Lines of a program, with the user's lines beside them."""

    lines: Sequence[Line]


@dataclass
class Prose:
    """Text as it is."""

    text: str


Block = Table | Listing | Prose


@dataclass
class Section:
    """A part of an explanation.

    Attributes:
      title: heading.
      blocks: contents.
    """

    title: str
    blocks: Sequence[Block] = field(default_factory=list)


def seconds_text(seconds: float) -> str:
    """A time with a unit."""
    if seconds <= 0:
        return "0"
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"


def bytes_text(n: float) -> str:
    """Bytes with a unit."""
    for unit, size in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if n >= size:
            return f"{n / size:.3g} {unit}"
    return f"{n:.0f} B"


def count_text(n: float) -> str:
    """A large number in short."""
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if n >= size:
            return f"{n / size:.3g} {unit}"
    return f"{n:.0f}"


def sections(e: Explanation, *, assembly: bool, passes: bool) -> list[Section]:
    """All of an explanation."""
    out = [_summary(e), _source(e)]
    out.append(Section("Jaxpr, as traced", [Listing(e.function.traced)]))
    out.append(_passes(e.function, passes))
    for title, view in e.programs:
        label = "" if title == "function" else " of the derivative"
        if title == "derivative":
            out += _derivative(e)
        out.append(Section(f"Steps{label}, and what they cost", steps_blocks(view)))
        out.append(Section(f"Loops{label}", [Listing(view.loops)]))
        out.append(Section(f"What was not fused{label}, and why", apart_blocks(view)))
        out.append(Section(f"Copies{label}, and why", copies_blocks(view)))
        out.append(Section(f"Steps in Python{label}", hosts_blocks(view)))
        if assembly:
            out.append(Section(f"Machine code{label}", [Listing(view.assembly)]))
    if e.derivative is None:
        out.append(Section("Derivative", [Prose(f"Not shown: {e.no_derivative}.")]))
    out.append(Section("Traces", [Prose(traces_text(e))]))
    return out


def traces_text(e: Explanation) -> str:
    """Why the function was traced again."""
    if e.cache is None:
        return "The function is not jitted: explain a jitted one to see what it was traced for, and why again."
    return str(e.cache)


def _summary(e: Explanation) -> Section:
    view = e.function
    total = sum((s.cost.flops * s.times for s in view.steps), 0.0)
    moved = sum(s.cost.moved * s.times for s in view.steps)
    types = ", ".join(argument_texts(e))
    result = ", ".join(a.str_short() for a in e.jaxpr.out_avals)
    nests = sum(s.kind == "nest" for s in view.steps)
    copied = bytes_text(sum(c.size for c in view.copies))
    lines = [
        f"{e.name}({types}) -> {result}",
        f"{len(e.jaxpr.eqns)} equations as traced, {len(view.compilation.optimised.eqns)} after the passes, "
        f"{len(view.steps)} step{'s' * (len(view.steps) != 1)} ({nests} loop nest{'s' * (nests != 1)})",
        f"{count_text(total)} operations, {bytes_text(moved)} read and written, "
        f"{bytes_text(view.program.arena_bytes)} of temporaries, {copied} copied, "
        f"{len(view.hosts)} step{'s' * (len(view.hosts) != 1)} in Python",
    ]
    if e.rates is not None:
        least = sum(s.roofline.seconds * s.times for s in view.steps if s.roofline is not None)
        lines += [f"at least {seconds_text(least)} by the rates of this machine", f"this machine: {e.rates}"]
    return Section(f"Explanation of {e.name}", [Prose("\n".join(lines))])


def argument_texts(e: Explanation) -> list[str]:
    """Names and types of the arguments."""
    debug = e.jaxpr.debug
    names: Sequence[Any] = debug.arg_names if debug is not None else ()
    if len(names) != len(e.jaxpr.invars):
        names = [f"argument {k}" for k in range(len(e.jaxpr.invars))]
    return [f"{n}: {v.aval.str_short()}" for n, v in zip(names, e.jaxpr.invars, strict=True)]


def _source(e: Explanation) -> Section:
    blocks: list[Block] = []
    for part in e.sources:
        lines = [Line(text, frozenset((p,))) for text, p in zip(part.lines, part.places, strict=True)]
        blocks += [Prose(part.file), Listing(lines)]
    return Section("Source", blocks or [Prose("The source cannot be read.")])


def _passes(view: CompiledView, texts: bool) -> Section:
    rows = []
    blocks: list[Block] = []
    before = len(view.jaxpr.eqns)
    for name, count, lines in view.passes():
        change = "" if lines is None else "changed" if count == before else f"{count - before:+d}"
        rows.append((name, str(count), change))
        if texts and lines is not None:
            blocks += [Prose(f"after {name}"), Listing(lines)]
        before = count
    loop_rows = [(name, about, "" if text is None else "changed") for name, about, text in view.rewrites()[1:]]
    if texts:
        for name, _, text in view.rewrites():
            if text is not None:
                blocks += [Prose(f"after {name}"), Listing([Line(t) for t in text])]
    return Section(
        "Passes",
        [
            Table(("pass on the jaxpr", ">equations", "change"), rows),
            Table(("pass on loops", "what it gives", "change"), loop_rows),
            *blocks,
        ],
    )


def steps_blocks(view: CompiledView) -> list[Block]:
    """The table of costs."""
    columns = ["#", "step", "lines", ">runs", ">bytes", ">operations", ">op/byte"]
    rooflines = any(s.roofline is not None for s in view.steps)
    if rooflines:
        columns += [">at least", "bound by"]
    rows = []
    for s in view.steps:
        intensity = s.cost.flops / s.cost.moved if s.cost.moved else 0.0
        row = [str(s.number), step_title(s), s.where, f"{s.times:.0f}", bytes_text(s.cost.moved)]
        row += [count_text(s.cost.flops), f"{intensity:.2g}"]
        if s.roofline is not None:
            row += [seconds_text(s.roofline.seconds * s.times), s.roofline.bound]
        rows.append(row)
    if not rows:
        return [Prose("There is nothing to compute: results are arguments or constants.")]
    return [Table(columns, rows)]


def step_title(s: Any) -> str:
    """What a step does, its phase, and the control flow around it."""
    extra = [x for x in (s.phase if s.phase in ("backward", "both") else "", s.within) if x]
    return s.title + (f" ({', '.join(extra)})" if extra else "")


def apart_blocks(view: CompiledView) -> list[Block]:
    """Why nests stand alone."""
    rows = [(str(s.number), s.title, other, why) for s in view.steps for other, why in s.apart]
    if not rows:
        return [Prose("Nothing: no loop could have joined another.")]
    return [Table(("#", "step", "did not join", "because"), rows)]


def copies_blocks(view: CompiledView) -> list[Block]:
    """What is only moved."""
    rows = [(str(c.step), c.what, bytes_text(c.size), c.reason) for c in view.copies]
    return [Table(("#", "from and to", ">bytes", "because"), rows)] if rows else [Prose("None.")]


def hosts_blocks(view: CompiledView) -> list[Block]:
    """What runs in Python."""
    rows = [(str(s.number), s.title, s.where, why) for s, why in view.hosts]
    return [Table(("#", "step", "lines", "because"), rows)] if rows else [Prose("None: all is native code.")]


def residual_blocks(e: Explanation) -> list[Block]:
    """What the forward pass keeps."""
    kept = [r for r in e.residuals if not r.is_argument]
    rows = [(r.type, bytes_text(r.size), r.origin, r.reason) for r in e.residuals]
    if not rows:
        return [Prose("Nothing is kept: the derivative does not depend on where it is taken.")]
    size = bytes_text(sum(r.size for r in kept))
    total = f"{size} in {len(kept)} array{'s' * (len(kept) != 1)} besides the arguments."
    return [Prose(total), Table(("type", ">bytes", "what", "why it is kept"), rows)]


def _derivative(e: Explanation) -> list[Section]:
    found = []
    if e.chain_rule is not None:
        about = "\N{PARTIAL DIFFERENTIAL}x is the derivative of the result by x."
        found.append(Section("The chain rule", [Prose(about), Prose(str(e.chain_rule))]))
    found.append(Section("What is kept for the backward pass, and why", residual_blocks(e)))
    found.append(Section("Jaxpr of value and gradient", [Listing(e.gradient)]))
    return found


def margin(line: Line) -> str:
    """The user's lines beside a line of a program."""
    numbers = sorted({p.line for p in line.places})
    if len(numbers) > 3:
        return f"{numbers[0]}-{numbers[-1]}"
    return ",".join(map(str, numbers))


__all__ = ["Block", "Listing", "Place", "Prose", "Section", "Table", "margin", "sections"]
