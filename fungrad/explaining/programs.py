"""What a jaxpr was compiled to, step by step, with the user's lines on every statement and instruction.

May import ``jit`` and the modules of ``explaining`` above.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from fungrad.core.ir import Eqn, Jaxpr
from fungrad.explaining.costs import Estimate, estimate
from fungrad.explaining.listings import Line, jaxpr_listing
from fungrad.explaining.places import Place, places_of
from fungrad.explaining.rates import Rates
from fungrad.jit.front.compile import Compilation
from fungrad.jit.front.link import machine
from fungrad.jit.front.load import Written
from fungrad.jit.fusion.fuse import ONLY_AFTER
from fungrad.jit.ir import provenance
from fungrad.jit.ir.cost import Cost, cost_of, repeats
from fungrad.jit.ir.loop_text import program_lines
from fungrad.jit.ir.loops import Call, Host, Loop, Nest, Parallel, Rows, View
from fungrad.jit.ir.traverse import buffers_of, children, defines, mentions, walk
from fungrad.jit.rewrites import pipeline
from fungrad.jit.runtime import native

# What moves elements says little about a step.
_DULL = frozenset(("broadcast_in_dim", "reshape", "transpose", "squeeze", "convert_element_type", "copy", "add_any",
                   "stop_gradient", "slice", "expand_dims"))  # fmt: skip


@dataclass
class Step:
    """A step of a compiled program: a loop nest, a product, a call of a library, or one in Python.

    Attributes:
      number: from 1, in the order in which they run.
      kind: ``nest``, ``gemm``, ``copy``, ``host``, ``rows`` ...
      title: what it does, in a few words.
      places: the lines of the user that it comes from.
      phase: ``forward``, ``backward``, or ``both`` where parts of both passes were fused; empty if nothing is known.
      operations: names of the primitives that it computes.
      times: how often it runs in one call, as far as is known.
      within: the control flow around it; empty for none.
      cost: of one run.
      roofline: an estimate of the least time of one run; None if no rates were asked for.
      apart: why it was not fused with steps before it: pairs of a description and a reason.
      node: of the loop IR.
    """

    number: int
    kind: str
    title: str
    places: frozenset[Place]
    phase: str
    operations: tuple[str, ...]
    times: float
    within: str
    cost: Cost
    roofline: Estimate | None
    apart: list[tuple[str, str]]
    node: Any = field(repr=False)

    @property
    def where(self) -> str:
        """The lines as text."""
        return where_text(self.places)


def where_text(places: frozenset[Place]) -> str:
    """Lines as text: ``model.py:5, 7-9``."""
    by_file: dict[str, list[int]] = {}
    for p in sorted(places):
        by_file.setdefault(p.file, []).append(p.line)
    parts = []
    for file, lines in by_file.items():
        runs: list[list[int]] = []
        for n in lines:
            if runs and n == runs[-1][1] + 1:
                runs[-1][1] = n
            else:
                runs.append([n, n])
        text = ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in runs)
        parts.append(f"{Place(file, 0)}".partition(":")[0] + f":{text}")
    return "; ".join(parts)


@dataclass(frozen=True)
class Copy:
    """Elements that are moved without being computed with.

    Attributes:
      step: number of the step.
      what: from where to where.
      size: bytes written.
      reason: why.
    """

    step: int
    what: str
    size: int
    reason: str


class CompiledView:
    """One compiled program, opened up.

    Attributes:
      name: what it computes.
      jaxpr: as traced.
      compilation: the compiler's own view.
      program: the loop IR after all rewrites.
      steps: what runs, in order.
      copies: what is only moved, and why.
      hosts: the steps that run in Python, and why.
    """

    def __init__(self, jaxpr: Jaxpr, name: str, donated: Sequence[bool] = (), rates: Rates | None = None):
        self.name = name
        self.jaxpr = jaxpr
        with provenance.noting():
            self.compilation = Compilation(jaxpr.with_consts_as_inputs(), name, donated, machine())
            self.written = self.compilation.written
        self.program = self.written.program
        self._origins = _Origins(self.program)
        self.steps: list[Step] = []
        self._number: dict[int, int] = {}
        for node, times, within in repeats(self.program.steps):
            self._add(node, times, within, rates)
        self.copies = self._copies()
        self.hosts = [
            (s, f"{s.node.name} has no native code, so Python computes it with NumPy, on whole arrays")
            for s in self.steps
            if s.kind == "host"
        ]
        self._assembly: list[Line] | None = None
        self._rewrites: list[tuple[str, str, list[str] | None]] | None = None

    def _add(self, node: Any, times: float, within: str, rates: Rates | None) -> None:
        number = len(self.steps) + 1
        for inner in walk([node]):
            self._number[id(inner)] = number
        eqns = self._origins.eqns(node)
        cost = cost_of(self.program, node)
        names = tuple(dict.fromkeys(e.primitive.name for e in eqns))
        sources = [e.source for e in eqns if e.source is not None]
        self.steps.append(
            Step(
                number,
                _kind(node),
                _title(node, [n for n in names if n not in _DULL] or list(names)),
                frozenset().union(*map(places_of, eqns)),
                _phase({s.backward for s in sources}),
                names,
                times,
                within,
                cost,
                None if rates is None else estimate(self.program, cost, rates),
                _apart(node),
                node,
            )
        )

    def places(self, node: Any) -> frozenset[Place]:
        """The user's lines of a step or statement."""
        return self._origins.places(node)

    def cost(self, node: Any) -> Cost:
        """What one run of a step costs."""
        return cost_of(self.program, node)

    # -- texts --------------------------------------------------------------------------------------------------------

    @property
    def loops(self) -> list[Line]:
        """The program of loops, after all rewrites."""
        return [
            Line(text, self._origins.places(node), self._number.get(id(node)), self._origins.is_backward(node))
            for text, node in program_lines(self.program)
        ]

    @property
    def traced(self) -> list[Line]:
        """The jaxpr as traced."""
        return jaxpr_listing(self.jaxpr)

    @property
    def optimised(self) -> list[Line]:
        """The jaxpr after all passes."""
        return jaxpr_listing(self.compilation.optimised)

    @property
    def assembly(self) -> list[Line]:
        """Machine code as text, without what only linkers read."""
        if self._assembly is None:
            self._assembly = self._assembled()
        return self._assembly

    def passes(self) -> list[tuple[str, int, list[Line] | None]]:
        """The passes on the jaxpr in order: name, number of equations, and the new text if it has changed."""
        found: list[tuple[str, int, list[Line] | None]] = []
        before = self.jaxpr.with_consts_as_inputs()
        for name, jaxpr in self.compilation._pass_texts:
            found.append((name, len(jaxpr.eqns), None if jaxpr is before else jaxpr_listing(jaxpr)))
            before = jaxpr
        return found

    def rewrites(self) -> list[tuple[str, str, list[str] | None]]:
        """The passes on loops in order: name, the first line of its documentation, and the new text if it changed."""
        if self._rewrites is None:
            self._rewrites = self._rewritten()
        return self._rewrites

    def _rewritten(self) -> list[tuple[str, str, list[str] | None]]:
        parts = re.split(r"^-- ", self.compilation.text("rewrites"), flags=re.MULTILINE)[1:]
        about = {p.name: _about(p.run) for p in pipeline.PIPELINE}
        found: list[tuple[str, str, list[str] | None]] = []
        for part in parts:
            head, _, text = part.rstrip("\n").partition("\n")
            name, _, _ = head.partition(": no change")
            found.append((name, about.get(name, "loops as the formulas give them"), text.split("\n") if text else None))
        return found

    def _assembled(self) -> list[Line]:
        module = self.written.emitter.module  # type: ignore[union-attr]
        lines = program_lines(self.program)
        number: dict[int, int] = {}
        for k, (_, shown) in enumerate(lines):
            if shown is not None:
                number.setdefault(id(shown), k + 1)
        try:
            text = native.session().assembly(_marked(self.written.llvm, module.written_for, number))
        except RuntimeError:
            # A module of numba's, or whatever else LLVM does not want marks on: the code without lines.
            text = self.written.text("asm")
        found: list[Line] = []
        node: Any = None
        start = 0

        def close() -> None:
            """What stands in a function without a mark, such as constants that are loaded first, is of its step."""
            inside = [x.step for x in found[start:] if x.step is not None]
            if inside:
                step = max(set(inside), key=inside.count)
                found[start:] = [x if x.step is not None else replace(x, step=step) for x in found[start:]]

        for line in text.split("\n"):
            at = _LOC.match(line)
            if at is not None:
                k = int(at[1])
                node = lines[k - 1][1] if 0 < k <= len(lines) else None
            elif _END.match(line):
                break
            elif _FUNCTION.match(line):
                close()
                node, start = None, len(found)
                found.append(Line(line))
            elif line.strip() and not _NOISE.match(line):
                found.append(
                    Line(line.replace("\t", "  ").rstrip(), self._origins.places(node), self._number.get(id(node)),
                         self._origins.is_backward(node))
                )  # fmt: skip
        close()
        return found

    # -- copies -------------------------------------------------------------------------------------------------------

    def _copies(self) -> list[Copy]:
        found = []
        for s in self.steps:
            node = s.node
            if type(node) is Call and node.routine == "copy":
                what = f"{node.inputs[0].buffer} to {node.outputs[0].buffer}"
                reason = getattr(node, "reason", None) or "an array is wanted in memory of its own"
                found.append(Copy(s.number, what, s.cost.written, str(reason)))
            elif type(node) is Nest and _only_moves(node):
                reads, writes = buffers_of(node)
                if not reads and self._begins(s, writes):
                    continue
                what = f"{', '.join(sorted(reads)) or 'numbers'} to {', '.join(sorted(writes))}"
                found.append(Copy(s.number, what, s.cost.written, self._reason(s, reads, writes)))
        return found

    def _begins(self, step: Step, writes: set[str]) -> bool:
        """Whether a nest only fills the memory in which a later step adds up."""
        roots = {self.program.root(w).name for w in writes}
        for other in self.steps[step.number :]:
            reads, changed = buffers_of(other.node)
            if roots & {self.program.root(n).name for n in reads & changed}:
                return True
        return False

    def _reason(self, step: Step, reads: set[str], writes: set[str]) -> str:
        """Why a nest that computes nothing is there."""
        program = self.program
        if not reads:
            return "a constant array is written out: it is a result, or something reads it from memory"
        roots = {program.root(w).name for w in writes}
        for other in self.steps[step.number :]:
            for part in walk([other.node]):
                if type(part) in (Call, Host) and roots & {program.root(v.buffer).name for v in part.inputs}:
                    routine = part.routine if type(part) is Call else part.name
                    return f"{routine} (step {other.number}) reads its operand from memory, in this order of elements"
            used, changed = buffers_of(other.node)
            if roots & {program.root(n).name for n in changed}:
                return f"step {other.number} updates the array in place, and the original must stay as it is"
        if any(program.root(w).kind == "output" or program.buffers[w].kind == "output" for w in writes):
            return "a result is an array of its own, in its own order of elements: no memory is shared with inputs"
        return "a later step reads it from memory, in this order of elements"


def _about(run: Callable[..., Any]) -> str:
    """The first sentence about a pass."""
    paragraph = " ".join((run.__doc__ or "").strip().split("\n\n")[0].split())
    return re.split(r"[.:;](?: |$)", paragraph)[0].replace("``", "")


def _phase(backward: set[bool]) -> str:
    return {(): "", (False,): "forward", (True,): "backward"}.get(tuple(sorted(backward)), "both")


def _kind(node: Any) -> str:
    if type(node) is Call:
        return str(node.routine)
    return type(node).__name__.lower()


def _title(node: Any, names: Sequence[str]) -> str:
    operations = ", ".join(names[:6]) + (", ..." if len(names) > 6 else "")
    if type(node) is Call:
        shapes = " x ".join(_shape(v) for v in node.inputs[:2])
        return f"{node.routine} {shapes}".rstrip()
    if type(node) is Host:
        return f"Python: {node.name} {' x '.join(_shape(v) for v in node.inputs)}".rstrip()
    if type(node) is Nest:
        extents: list[str] = []
        body: Sequence[Any] = node.body
        while (inner := [s for s in body if type(s) is Loop]) and len(extents) < 4:
            extents.append(str(inner[-1].extent))
            body = inner[-1].body
        over = f"over {' x '.join(extents)}: " if extents else "numbers: "
        return over + operations
    if type(node) in (Rows, Parallel):
        how = f"block by block of {node.extent} rows" if type(node) is Rows else "at once"
        what = f"{len(node.steps)} steps {how}"
        return f"{what}: {operations}"
    return operations


def _shape(view: View) -> str:
    return "[" + ",".join(map(str, view.shape)) + "]"


def _only_moves(nest: Nest) -> bool:
    """Whether a nest only loads and stores."""
    from_memory = False
    for s in walk(nest.body):
        name = type(s).__name__
        if name == "Store":
            if s.update is not None:
                return False
            from_memory = True
        elif name not in ("Load", "Loop", "Index"):
            if not (name == "Let" and s.op in ("copy", "select", "and", "ge", "lt", "rem", "div", "add", "sub", "mul")
                    and _is_address(nest, s)):  # fmt: skip
                return False
    return from_memory


def _is_address(nest: Nest, let: Any) -> bool:
    """Whether a value is made of integers for an address, or chooses what is read."""
    return let.type in ("i64", "i1") or let.op in ("select", "copy")


def _apart(node: Any) -> list[tuple[str, str]]:
    """Why a nest stands alone: what the fuser has noted, nearest first, for loops that it shares something with."""
    noted = getattr(node, "reason", None)
    if type(node) is not Nest or not isinstance(noted, list):
        return []
    found: dict[str, str] = {}
    # The nearest for each reason. That an earlier loop is over before what is needed is made says something only where
    # nothing else does.
    nearest: dict[str, Any] = {}
    for item, why in reversed(noted):
        nearest.setdefault(why, item)
    if len(nearest) > 1:
        nearest.pop(ONLY_AFTER, None)
    for why, item in nearest.items():
        stages = [s.tensor for s in item.stages()] if hasattr(item, "stages") else [item]
        eqns = [e for t in stages if (e := getattr(t, "made_by", None)) is not None]
        names = [n for n in dict.fromkeys(e.primitive.name for e in eqns) if n not in _DULL]
        names = names or list(dict.fromkeys(e.primitive.name for e in eqns))
        places = frozenset().union(*map(places_of, eqns))
        label = ", ".join(names[:4]) + (", ..." if len(names) > 4 else "")
        found.setdefault(f"{label} ({where_text(places)})" if places else label, why)
    return list(found.items())


class _Origins:
    """Which equations nodes were written for, those of nodes without a note found through the names they use."""

    def __init__(self, program: Any):
        self._eqns: dict[int, tuple[Eqn, ...]] = {}
        for step in walk(program.steps):
            if type(step) is Nest:
                self._in_nest(step)

    def _in_nest(self, nest: Nest) -> None:
        by_name: dict[str, Eqn] = {}
        statements = list(walk(nest.body))
        for s in statements:
            made = getattr(s, "made_by", None)
            if made is not None:
                for name in defines(s):
                    by_name.setdefault(name, made)
        for s in statements:
            if getattr(s, "made_by", None) is None and not s.BODIES:
                names = [n for n in (*defines(s), *mentions(s)) if n in by_name]
                if names:
                    self._eqns[id(s)] = (by_name[names[0]],)

    def eqns(self, node: Any) -> tuple[Eqn, ...]:
        """The equations of a node and of what is nested in it, in order."""
        if node is None or not hasattr(type(node), "FIELDS"):
            return ()
        found = self._eqns.get(id(node))
        if found is None:
            own = getattr(node, "made_by", None)
            nested = [e for body in children(node) for s in body for e in self.eqns(s)]
            # A loop was opened by its first stage; all that is inside counts.
            found = tuple(dict.fromkeys(nested if nested or own is None else [own]))
            self._eqns[id(node)] = found
        return found

    def places(self, node: Any) -> frozenset[Place]:
        """The user's lines of a node."""
        return frozenset().union(*map(places_of, self.eqns(node)))

    def is_backward(self, node: Any) -> bool:
        """Whether a node belongs to the backward pass alone."""
        sources = [e.source for e in self.eqns(node) if e.source is not None]
        return bool(sources) and all(s.backward for s in sources)


# -- marks in assembly -------------------------------------------------------------------------------------------------

_LOC = re.compile(r"\s*\.loc\s+\d+\s+(\d+)")
_END = re.compile(r"\s*\.section\s+\.debug")
_FUNCTION = re.compile(r"^[A-Za-z_][\w.$]*:")
_NOISE = re.compile(
    r"\s*(\.(cfi_|LCPI|long|quad|zero|byte|ascii|short|p2align|type|size|file|text|globl|local|loc|intel|ident|section|set|addrsig)|#|//|"
    r"\.L(func|tmp|info|debug|str|names)|\.?Lfunc|Ltmp)"
)
_DEFINE = re.compile(r"^define [^@]*@([\w.]+)\(")
_RENAMED = re.compile(r"%n\d+\.")


def _marked(llvm: str, written_for: dict[str, list[tuple[str, Any]]], number: dict[int, int]) -> str:
    """A module whose instructions carry, as line numbers, the lines of the listing that they were written for."""
    taken = [int(n) for n in re.findall(r"^!(\d+) = ", llvm, re.MULTILINE)]
    next_id = max(taken, default=-1) + 1
    file, unit, flag, types, empty = range(next_id, next_id + 5)
    nodes = [
        f'!{file} = !DIFile(filename: "steps", directory: "/")',
        f"!{unit} = distinct !DICompileUnit(language: DW_LANG_C99, file: !{file}, isOptimized: true, "
        "emissionKind: LineTablesOnly)",
        f'!{flag} = !{{i32 2, !"Debug Info Version", i32 3}}',
        f"!{types} = !DISubroutineType(types: !{empty})",
        f"!{empty} = !{{}}",
    ]
    next_id += 5
    # By the text of a line: bodies that several nests share, and functions that were joined, have other names.
    candidates = list(written_for.values())
    out: list[str] = []
    locations: dict[tuple[int, int], int] = {}
    scope: int | None = None
    expected: list[tuple[str, Any]] = []
    at = 0
    for line in llvm.split("\n"):
        header = _DEFINE.match(line)
        if header is not None:
            name = header[1]
            noted = written_for.get(name)
            if noted is None and name.startswith(("body", "joined.")):
                noted = [pair for part in candidates for pair in part]
            scope = None
            if noted is not None and line.endswith("{"):
                scope = next_id
                next_id += 1
                nodes.append(
                    f'!{scope} = distinct !DISubprogram(name: "{name}", scope: !{file}, file: !{file}, line: 1, '
                    f"type: !{types}, spFlags: DISPFlagDefinition | DISPFlagOptimized, unit: !{unit})"
                )
                line = f"{line[:-1].rstrip()} !dbg !{scope} {{"
                expected, at = list(noted), 0
                lookup: dict[str, list[int]] = {}
                for k, (text, _) in enumerate(expected):
                    lookup.setdefault(text, []).append(k)
            out.append(line)
            continue
        if line == "}":
            scope = None
        if scope is None or not line or line.endswith(":") or line.startswith(("}", "]", "i32", "i64", " ")):
            out.append(line)
            continue
        plain = _RENAMED.sub("%", line)
        row = 0
        places = lookup.get(line) or lookup.get(plain) or ()
        # The next one of this text, or the first: lines come in the order in which they were written.
        index = next((k for k in places if k >= at), places[0] if places else None)
        if index is not None:
            row = number.get(id(expected[index][1]), 0)
            at = index + 1
        key = (scope, row)
        if key not in locations:
            locations[key] = next_id
            nodes.append(f"!{next_id} = !DILocation(line: {row}, column: 1, scope: !{scope})")
            next_id += 1
        out.append(f"{line}, !dbg !{locations[key]}")
    named = [f"!llvm.dbg.cu = !{{!{unit}}}", f"!llvm.module.flags = !{{!{flag}}}"]
    return "\n".join([*out, *named, *nodes]) + "\n"


def view_of(jaxpr: Jaxpr, name: str, donated: Sequence[bool] = (), rates: Rates | None = None) -> CompiledView:
    """The compiled program of a jaxpr, opened up."""
    return CompiledView(jaxpr, name, donated, rates)


__all__ = ["CompiledView", "Copy", "Step", "Written", "view_of", "where_text"]
