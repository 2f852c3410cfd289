"""What the functions of one LLVM module share: declarations, metadata, and the layout of the
pointer table.

Every function of a program gets one argument, a table of 8-byte slots:

    0                   base of the arena (the temporaries)
    1 ..                inputs, outputs and constants, one pointer per buffer that has memory of its own
    then                counters of the enclosing `Repeat` steps, as i64

A table belongs to one call, so calls from several threads do not meet.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fungrad.jit.ir.loops import Buffer, Program, Repeat, While, overlap
from fungrad.jit.ir.traverse import walk
from fungrad.jit.llvm.outline import NestFunction, join, outline

Pair = tuple[Buffer, Buffer]


def pairs_of(program: Program, loop: Repeat | While) -> list[Pair]:
    """The pairs (new, old) of buffers that a loop exchanges."""
    return [(program.buffers[new], program.buffers[old]) for new, old in loop.exchanges]


def moving(program: Program) -> list[Buffer]:
    """The buffers that move."""
    loops = [s for s in walk(program.steps) if s.exchanges_memory]
    return list(dict.fromkeys(b for loop in loops for pair in pairs_of(program, loop) for b in pair))


class Module:
    """Collects the parts of one module.

    Attributes:
      functions: texts of finished functions.
      declarations: `declare` lines by symbol.
      places: positions of the buffers in the program.
      slots: table slot of every buffer with memory of its own, of every `Repeat` counter, and of temporaries that move.
      moving: the buffers that change places at the end of loops.
      polls: whether some loop looks for signals.
    """

    def __init__(self, program: Program):
        self.program = program
        self.machine = program.target
        self.functions: list[str] = []
        self.declarations: dict[str, str] = {}
        self.globals: dict[str, str] = {}
        self._nests: list[NestFunction] = []
        self._metadata: list[str] = []
        self._shared_metadata: dict[str, str] = {}
        self.polls = False
        # For those who look: the lines of a function, each with the statement or step that it was written for.
        self.written_for: dict[str, list[tuple[str, Any]]] = {}
        self.slots: dict[str, int] = {}
        self.places = {name: k for k, name in enumerate(program.buffers)}
        self.arguments = [
            b.name for b in program.buffers.values() if b.alias is None and b.kind in ("input", "output", "const")
        ]
        for k, name in enumerate(self.arguments):
            self.slots[name] = k + 1
        for step in walk(program.steps):
            if type(step) is Repeat:
                self.slots.setdefault(f"%{step.index}", len(self.slots) + 1)
        self.moving = moving(program)
        for buffer in self.moving:
            self.slots.setdefault(buffer.name, len(self.slots) + 1)

    @property
    def flag_slot(self) -> int:
        """The slot of the stop flag; the thread that made the call has the next one."""
        return len(self.slots) + 1

    @property
    def table_size(self) -> int:
        """Number of slots."""
        return len(self.slots) + (3 if self.polls else 1)

    def note(self, name: str, whole: Any, lines: Sequence[str], spans: Sequence[tuple[int, int, Any]]) -> None:
        """Notes what the lines of a function were written for; what stands in no span, for the ``whole``."""
        owners: list[Any] = [None] * len(lines)
        for start, end, owner in spans:
            owners[start:end] = [owner if o is None else o for o in owners[start:end]]
        self.written_for[name] = [(line, o or whole) for line, o in zip(lines, owners, strict=True)]

    def add_nest(self, name: str, setup: Sequence[str], body: Sequence[str]) -> None:
        """Adds the function of a nest: lines that find arrays, and the others."""
        nest = NestFunction(len(self.functions), name, setup, body)
        self._nests.append(nest)
        self.functions.append(nest.text())

    def joined(self, lines: Sequence[str]) -> list[str]:
        """Lines that call nests, with fewer functions."""
        return join(self.functions, self._nests, lines)

    def metadata(self, text: str) -> str:
        """Reference to a metadata node; `{self}` in the text stands for the node itself."""
        name = f"!{len(self._metadata)}"
        self._metadata.append(f"{name} = {text.replace('{self}', name)}")
        return name

    def shared_metadata(self, text: str) -> str:
        """Reference to the one metadata node of a text."""
        if text not in self._shared_metadata:
            self._shared_metadata[text] = self.metadata(text)
        return self._shared_metadata[text]

    def zeros(self, nbytes: int) -> str:
        """A readable global of at least that many zero bytes: where loads that must not happen go
        instead."""
        self.globals["@zeros"] = "@zeros = internal constant [16 x i8] zeroinitializer, align 16"
        assert nbytes <= 16
        return "@zeros"

    def text(self) -> str:
        """The whole module."""
        outline(self.functions, self._nests, self._metadata)
        return "\n".join(
            [
                *self.globals.values(),
                *filter(None, self.functions),
                *self.declarations.values(),
                *self._metadata,
                "",
            ]
        )


class Memory:
    """How one function reaches the buffers: base pointers and alias metadata.

    Buffers that may share bytes (aliases, overlapping places in the arena) form a group; everything
    that is only read forms one group too. An access carries its group as `alias.scope` and all
    others as `noalias`.
    """

    def __init__(self, module: Module, reads: set[str], writes: set[str]):
        self.module = module
        self.setup: list[str] = []
        self._bases: dict[str, str] = {}
        program = module.program
        # in the order of declaration in every process, so that the cache on disk finds the text again
        touched = sorted(reads | writes, key=module.places.__getitem__)
        roots = {name: program.root(name) for name in touched}
        written = {roots[n].name for n in writes}
        groups: list[list[Buffer]] = []
        for root in dict.fromkeys(roots.values()):
            if root.name not in written and not any(overlap(root, roots[w]) for w in writes):
                continue
            touching = [g for g in groups if any(overlap(root, b) for b in g)]
            merged = [root, *(b for g in touching for b in g)]
            groups = [g for g in groups if g not in touching] + [merged]
        self._suffix: dict[str, str] = {}
        suffixes = self._scopes(len(groups))
        group_of = {b.name: k for k, g in enumerate(groups) for b in g}
        for name, root in roots.items():
            self._suffix[name] = suffixes[group_of.get(root.name, len(groups))]

    def _scopes(self, n: int) -> list[str]:
        """Metadata suffix of the `n` written groups and, last, of all that is only read."""
        if n == 0:
            return [""]
        metadata = self.module.metadata
        domain = metadata("distinct !{{self}}")
        scopes = [metadata(f"distinct !{{{{self}}, {domain}}}") for _ in range(n + 1)]
        suffixes = []
        for k, scope in enumerate(scopes):
            others = metadata(f"!{{{', '.join(s for i, s in enumerate(scopes) if i != k)}}}")
            suffixes.append(f"!alias.scope {metadata(f'!{{{scope}}}')}, !noalias {others}")
        return suffixes

    def suffix(self, buffer: str) -> str:
        """Metadata for an access to a buffer, "" if none."""
        return self._suffix[buffer]

    def base(self, buffer: str) -> str:
        """Register with the address of a buffer, loaded in the entry block."""
        root = self.module.program.root(buffer)
        register = self._bases.get(root.name)
        if register is None:
            k = len(self._bases)
            register = self._bases[root.name] = f"%b{k}"
            slot = self.module.slots.get(root.name, 0)
            target = register if slot else f"%arena{k}"
            self.setup += [
                f"%slot{k} = getelementptr inbounds ptr, ptr %table, i64 {slot}",
                f"{target} = load ptr, ptr %slot{k}, align 8",
            ]
            if not slot:
                self.setup.append(f"{register} = getelementptr inbounds i8, ptr {target}, i64 {root.offset}")
        return register
