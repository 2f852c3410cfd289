"""Fills the memory that compiled programs compute in with a pattern before every run, and says what they met.

A kernel that reads what nobody wrote gives right results if it masks them, but each operation on a subnormal number
that it finds there costs a hundred times as much. The processor remembers whether an operand was subnormal or a
signalling NaN: a program that meets neither among its operands must not meet one in memory filled with them.
"""

from __future__ import annotations

import ctypes
import platform
from contextlib import contextmanager
from functools import cache

import numpy as np

from fungrad.jit.runtime import native
from fungrad.jit.runtime.executable import Executable

PATTERNS = {
    "zero": 0x0000000000000000,
    "subnormal": 0x0000000100000001,  # as one number and as two
    "signalling32": 0x7FA000017FA00001,
    "signalling64": 0x7FF4000000000001,
    "ones": 0xFFFFFFFFFFFFFFFF,
}
"""What memory is filled with: 64 bits that are repeated."""

HAS_FLAGS = platform.machine() in ("x86_64", "AMD64")
"""Whether the processor can be asked for what operations have met."""

# Bytes of the stack below the caller that are filled: more than the kernels of products take.
_STACK = 1 << 19

_TEXT = """
define void @poison_stack(i64 %pattern) noinline {{
entry:
  %block = alloca [{count} x i64], align 64
  br label %loop
loop:
  %i = phi i64 [ 0, %entry ], [ %next, %loop ]
  %at = getelementptr i64, ptr %block, i64 %i
  store volatile i64 %pattern, ptr %at, align 8
  %next = add i64 %i, 1
  %more = icmp ult i64 %next, {count}
  br i1 %more, label %loop, label %done
done:
{clear}
  ret void
}}
define i32 @met() {{
  %place = alloca i32, align 4
{read}
  %bits = load i32, ptr %place, align 4
  ret i32 %bits
}}
"""
_CLEAR = """
  %status = alloca i32, align 4
  store i32 8064, ptr %status, align 4
  call void @llvm.x86.sse.ldmxcsr(ptr %status)"""
_READ = "  call void @llvm.x86.sse.stmxcsr(ptr %place)"
_DECLARED = "declare void @llvm.x86.sse.ldmxcsr(ptr)\ndeclare void @llvm.x86.sse.stmxcsr(ptr)\n"


@cache
def _functions():
    clear, read = (_CLEAR, _READ) if HAS_FLAGS else ("", "  store i32 0, ptr %place, align 4")
    text = _TEXT.format(count=_STACK // 8, clear=clear, read=read) + (_DECLARED if HAS_FLAGS else "")
    session = native.session()
    loaded = session.link(session.compile(text), {}, "poison_stack", "met")
    poison = ctypes.PYFUNCTYPE(None, ctypes.c_uint64)(loaded.addresses["poison_stack"])
    met = ctypes.PYFUNCTYPE(ctypes.c_uint32)(loaded.addresses["met"])
    return loaded, poison, met


def poison_stack(pattern: int) -> None:
    """Fills the stack below the caller, and forgets what operations have met."""
    _functions()[1](pattern)


def status() -> int:
    """What operations of this thread have met since `poison_stack`.

    Bit 0: an invalid operand (a signalling NaN), 1: a subnormal operand, 2: a zero divisor, 3: an overflow, 4: a result
    below the normal numbers that was rounded, 5: any rounding.
    """
    return _functions()[2]() & 0b111111


def met() -> int:
    """The first two bits of `status`: what operands were met."""
    return status() & 0b11


def fill(array: np.ndarray, pattern: int) -> np.ndarray:
    """Fills the memory of an array."""
    if array.size:
        raw = array.reshape(-1).view(np.uint8)
        raw[:] = np.resize(np.frombuffer(np.uint64(pattern).tobytes(), np.uint8), raw.size)
    return array


class Poison:
    """What memory is filled with before each run, and what the runs have met.

    Attributes:
      pattern: 64 bits that are repeated.
      found: what `met` gave after each run.
    """

    def __init__(self):
        self.pattern = 0
        self.found: list[int] = []


@contextmanager
def poisoned():
    """Programs that are compiled inside run in memory filled with a pattern; gives the `Poison` that says which."""
    original, poison = Executable.run, Poison()

    def run(self, inputs):
        fresh = self._new_outputs
        self._new_outputs = [lambda new=new: fill(new(), poison.pattern) for new in fresh]
        for arena in self._arenas:
            fill(arena, poison.pattern)
        try:
            poison_stack(poison.pattern)
            return original(self, inputs)
        finally:
            poison.found.append(met())
            self._new_outputs = fresh

    Executable.run = run
    try:
        yield poison
    finally:
        Executable.run = original
