"""From a program of the loop IR to one that runs: rewritten for this machine, written as LLVM, made machine code."""

from __future__ import annotations

import time
import zlib

import numpy as np

from fungrad.core import timeline
from fungrad.jit.front.link import addresses, machine
from fungrad.jit.ir import provenance
from fungrad.jit.ir.loop_text import program_text
from fungrad.jit.ir.loops import Program, View
from fungrad.jit.ir.machine import Machine
from fungrad.jit.llvm import linking
from fungrad.jit.llvm.program import ProgramEmitter
from fungrad.jit.rewrites import pipeline
from fungrad.jit.runtime import cache, native
from fungrad.jit.runtime.executable import Executable, HostCall, Image, Piece, Result


class Written:
    """A program of the loop IR as LLVM text.

    Args:
      program: after the general rewrites.
      target: what it is compiled for.
      emitter: what writes it.

    Attributes:
      emitter: what has written it; only there if it measures itself or while a program is explained.
      program: after all rewrites.
      parts: the modules of numba kernels, to be linked in.
      hosts: the host steps, by number.
      image: what it takes to run.
      lasting: whether the code is good for other processes, too.
      timings: seconds by stage: `rewrite`, `emit`.
    """

    def __init__(self, program: Program, target: Machine, emitter: type[ProgramEmitter] = ProgramEmitter):
        start = time.perf_counter()
        with timeline.span("rewrite", "compile"):
            self.program = pipeline.run(program.aimed_at(target), pipeline.TARGETED)
        rewritten = time.perf_counter()
        writer = emitter(self.program)
        self._compressed = zlib.compress(writer.emit().encode(), 1)
        self.parts = linking.parts_of(writer.module.declarations)
        self.hosts = writer.hosts
        self.image = image_of(writer)
        self.lasting = emitter is ProgramEmitter and not any(linking.has_addresses(p) for p in self.parts)
        self.emitter = None if emitter is ProgramEmitter and not provenance.is_on() else writer
        self.timings = {"rewrite": rewritten - start, "emit": time.perf_counter() - rewritten}
        timeline.add_last("emit", "compile", self.timings["emit"])

    @property
    def llvm(self) -> str:
        """The module."""
        return zlib.decompress(self._compressed).decode()

    def text(self, form: str) -> str:
        """Listing of the program.

        Args:
          form: `steps` (loop IR), `llvm` or `asm`.
        """
        if form == "steps":
            return program_text(self.program)
        if form in ("llvm", "asm"):
            return self.llvm if form == "llvm" else native.session().assembly(self.llvm)
        raise ValueError(f"Loaded.text: form must be steps, llvm or asm, got {form!r}")


class Loaded(Executable):
    """A program of the loop IR as machine code.

    Attributes:
      written: what was compiled.
      timings: seconds by stage: `rewrite`, `emit`, then `parse` and `codegen` or `cache`, then `link`.
      arena_bytes: size of the temporaries.
      cached: whether the code came from the disk cache.
      key: the name of the code in the disk cache; None if it is of no use to other processes.
    """

    def __init__(self, written: Written):
        self.written = written
        timings = dict(written.timings)
        code = self._code(written, timings)
        symbols = {**addresses(written.image.symbols), **_called_by(written.parts)}
        super().__init__(written.image, code, symbols, [host.fn for host in written.hosts])
        self.timings = {**timings, **self.timings}

    def _code(self, written: Written, timings: dict[str, float]) -> bytes:
        start = time.perf_counter()
        session, llvm = native.session(), written.llvm
        self.key = cache.key("\n".join([llvm, *written.parts]), session.host) if written.lasting else None
        code = cache.read(self.key) if self.key is not None else None
        self.cached = code is not None
        if code is None:
            code = session.compile(llvm, timings, written.parts)
            if self.key is not None:
                cache.write(self.key, code)
        else:
            timings["cache"] = time.perf_counter() - start
        return code

    @property
    def program(self) -> Program:
        """What was compiled, after all rewrites."""
        return self.written.program

    def text(self, form: str = "steps") -> str:
        """Listing of the program: `steps` (loop IR), `llvm` or `asm`."""
        return self.written.text(form)


def load(program: Program) -> Loaded:
    """Compile a program for this machine, or load its code from the cache.

    Args:
      program: temporaries without an offset get their own places in the arena.
    """
    return Loaded(Written(program, machine()))


def image_of(emitter: ProgramEmitter) -> Image:
    """What it takes to run a program that has been written."""
    program, names = emitter.program, emitter.module.arguments
    declared = [program.buffers[n] for n in names]
    # the usual order: inputs, outputs, constants
    order = {"input": 0, "output": 1, "const": 2}
    kinds = [b.kind for b in declared]
    assert kinds == sorted(kinds, key=order.__getitem__), "buffers are declared by kind"
    outputs = [b.name for b in declared if b.kind == "output"]
    results = []
    for name in program.outputs:
        buffer, root = program.buffers[name], program.root(name)
        new = root.kind == "output"
        number = outputs.index(root.name) if new else program.inputs.index(root.name)
        results.append(Result(new, number, tuple(buffer.shape), buffer.dtype))
    slots = emitter.module.slots
    return Image(
        inputs=len(program.inputs),
        places=tuple([program.inputs.index(b.name) for b in declared if b.kind == "input"]),
        outputs=tuple([(tuple(b.shape), b.dtype) for b in declared if b.kind == "output"]),
        consts=tuple([np.ascontiguousarray(b.value).reshape(b.shape) for b in declared if b.kind == "const"]),
        results=tuple(results),
        arena_bytes=program.arena_bytes,
        symbols=tuple(emitter.symbols),
        hosts=tuple(
            [
                HostCall(
                    h.name,
                    tuple([_piece(program, slots, v) for v in h.inputs]),
                    tuple([_piece(program, slots, v) for v in h.outputs]),
                )
                for h in emitter.hosts
            ]
        ),
    )


def _piece(program: Program, slots: dict[str, int], view: View) -> Piece:
    """Where an operand of a host step is."""
    buffer, root = program.buffers[view.buffer], program.root(view.buffer)
    slot, size = slots.get(root.name, 0), buffer.dtype.itemsize
    start = view.offset.const * size + (0 if slot else root.offset or 0)
    steps = tuple([(slots[f"%{symbol}"], c * size) for symbol, c in view.offset.terms])
    return Piece(slot, start, steps, tuple(view.shape), tuple([s * size for s in view.dense_strides]), buffer.dtype)


def _called_by(parts: list[str]) -> dict[str, int]:
    """Addresses of the functions of this process that modules of kernels call."""
    symbols = {}
    for part in parts:
        for name in linking.external(part):
            address = native.session().address_of(name)
            if address is not None:
                symbols[name] = address
    return symbols
