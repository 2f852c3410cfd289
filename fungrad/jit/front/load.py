"""From a program of the loop IR to one that runs: rewritten for this machine, written as LLVM, made machine code."""

from __future__ import annotations

import time
import zlib

import numpy as np

from fungrad.jit.front.link import addresses, machine
from fungrad.jit.ir.loop_text import program_text
from fungrad.jit.ir.loops import Program, View
from fungrad.jit.llvm import linking
from fungrad.jit.llvm.program import ProgramEmitter
from fungrad.jit.rewrites import pipeline
from fungrad.jit.runtime import cache, native
from fungrad.jit.runtime.executable import Executable, HostCall, Image, Piece, Result


def load(program: Program) -> Loaded:
    """Compile a program for this machine, or load its code from the cache.

    Args:
      program: temporaries without an offset get their own places in the arena.
    """
    start = time.perf_counter()
    final = pipeline.run(program.aimed_at(machine()), pipeline.TARGETED)
    seconds = time.perf_counter() - start
    loaded = Loaded(final)
    loaded.timings["rewrite"] = seconds
    return loaded


class Loaded(Executable):
    """A program of the loop IR as machine code.

    Attributes:
      program: what was compiled, after all rewrites.
      timings: seconds by stage: `rewrite`, `emit`, then `parse` and `codegen` or `cache`, then `link`.
      arena_bytes: size of the temporaries.
      cached: whether the code came from the disk cache.
      hosts: the host steps, by number.
      key: the name of the code in the disk cache; None if it is of no use to other processes.
    """

    def __init__(self, program: Program):
        timings: dict[str, float] = {}
        start = time.perf_counter()
        self.program = program
        emitter = ProgramEmitter(program)
        text = emitter.emit()
        self.hosts = emitter.hosts
        self._compressed = zlib.compress(text.encode(), 1)
        # Modules of numba kernels, to be linked in.
        parts = linking.parts_of(emitter.module.declarations)
        timings["emit"] = time.perf_counter() - start
        code = self._code(text, parts, timings)
        symbols = {**addresses(list(emitter.symbols)), **_called_by(parts)}
        super().__init__(image_of(emitter), code, symbols, [host.fn for host in emitter.hosts])
        self.timings = {**timings, **self.timings}

    def _code(self, text: str, parts: list[str], timings: dict[str, float]) -> bytes:
        start = time.perf_counter()
        session = native.session()
        self.key: str | None = None
        if not any(linking.has_addresses(p) for p in parts):
            self.key = cache.key("\n".join([text, *parts]), session.host)
        code = cache.read(self.key) if self.key is not None else None
        self.cached = code is not None
        if code is None:
            code = session.compile(text, timings, parts)
            if self.key is not None:
                cache.write(self.key, code)
        else:
            timings["cache"] = time.perf_counter() - start
        return code

    def text(self, form: str = "steps") -> str:
        """Listing of the program.

        Args:
          form: `steps` (loop IR), `llvm` or `asm`.
        """
        if form == "steps":
            return program_text(self.program)
        if form in ("llvm", "asm"):
            llvm = zlib.decompress(self._compressed).decode()
            return llvm if form == "llvm" else native.session().assembly(llvm)
        raise ValueError(f"Loaded.text: form must be steps, llvm or asm, got {form!r}")


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
