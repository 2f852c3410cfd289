"""From a program of the loop IR to one that runs: rewritten for this machine, written as LLVM, made machine code."""

from __future__ import annotations

import time
from functools import cache

from fungrad.config import config
from fungrad.core import blas
from fungrad.jit.ir.loops import Program
from fungrad.jit.ir.machine import Machine
from fungrad.jit.llvm import linking
from fungrad.jit.llvm.program import ProgramEmitter
from fungrad.jit.products import library
from fungrad.jit.rewrites import pipeline
from fungrad.jit.runtime import native, system, threads
from fungrad.jit.runtime.executable import Code, Executable
from fungrad.jit.runtime.layout import check_array_layout


def machine() -> Machine:
    """What programs are compiled for."""
    check_array_layout()
    host = native.session().host
    return Machine(
        vector_bytes=host.vector_bytes,
        avx512=host.avx512,
        soft_half=host.soft_half,
        arm=host.arm,
        flush_subnormals=config.flush_subnormals,
        threads=threads.available(),
        blas_int=blas.library().integer,
        own_blas_threads=blas.library().control() is None,
        **_caches(),
    )


@cache
def _caches() -> dict[str, int]:
    return system.caches()


def load(program: Program) -> Executable:
    """Compile a program for this machine, or load its code from the cache.

    Args:
      program: temporaries without an offset get their own places in the arena.
    """
    start = time.perf_counter()
    final = pipeline.run(program.aimed_at(machine()), pipeline.TARGETED)
    seconds = time.perf_counter() - start
    executable = Executable(final, write(final))
    executable.timings["rewrite"] = seconds
    return executable


def write(program: Program) -> Code:
    """The LLVM text of a program that has been through all rewrites."""
    start = time.perf_counter()
    emitter = ProgramEmitter(program)
    text = emitter.emit()
    parts = linking.parts_of(emitter.module.declarations)
    return Code(
        text=text,
        parts=parts,
        lasting=not any(linking.has_addresses(p) for p in parts),
        arguments=emitter.module.arguments,
        slots=emitter.module.slots,
        hosts=emitter.hosts,
        symbols=_symbols(emitter, parts),
        calls_back="fg_host" in emitter.symbols,
        seconds=time.perf_counter() - start,
    )


def _symbols(emitter: ProgramEmitter, parts: list[str]) -> dict[str, int]:
    """Addresses of the external functions that a module names, but for the one that calls host steps."""
    symbols = {}
    for name in emitter.symbols:
        if name in threads.SYMBOLS:
            symbols[name] = threads.address(name)
        elif name.startswith(library.PREFIX):
            symbols[name] = library.address(name)
        elif name != "fg_host":
            symbols[name] = blas.library().address(name.removeprefix("fg_"))
    for part in parts:
        for name in linking.external(part):
            address = native.session().address_of(name)
            if address is not None:
                symbols[name] = address
    return symbols
