"""What programs are compiled for and linked with: this process on this machine. Knows nothing of the compiler."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np

from fungrad.config import config
from fungrad.core import blas, lapack, library_calls
from fungrad.core.frozen import frozen
from fungrad.jit.ir.machine import Machine
from fungrad.jit.products import library
from fungrad.jit.runtime import native, system, threads
from fungrad.jit.runtime.executable import HOST
from fungrad.jit.runtime.layout import check_array_layout
from fungrad.transforms.runtime_checks import Sites


@frozen
class Plan:
    """How a call of a program becomes one of its executable.

    Attributes:
      sources: for each result, whether it is an array that the executable has made or an input, and its number.
      sites: the run-time checks: results after those of the jaxpr say which of them failed, and with what values.
      consts: inputs before those of a call.
    """

    sources: tuple[tuple[bool, int], ...]
    sites: Sites = ()
    consts: tuple[np.ndarray, ...] = ()


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
        lapack_int=lapack.width(),
        own_blas_threads=blas.library().control() is None,
        **_caches(),
    )


@cache
def _caches() -> dict[str, int]:
    return system.caches()


def addresses(symbols: Sequence[str]) -> dict[str, int]:
    """Addresses of the functions that programs call, but for the one that calls host steps."""
    found = {}
    for name in symbols:
        if name in threads.SYMBOLS:
            found[name] = threads.address(name)
        elif name.startswith(library.PREFIX):
            found[name] = library.address(name)
        elif name.startswith(library_calls.PREFIX):
            found[name] = library_calls.address(name.removeprefix(library_calls.PREFIX))
        elif name != HOST:
            found[name] = blas.library().address(name.removeprefix("fg_"))
    return found
