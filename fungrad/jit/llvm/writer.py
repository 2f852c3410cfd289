"""What the parts of the emitter see of the one who writes: a function of a nest, or the steps of a program.

`NestEmitter` and `ProgramEmitter` are these writers. What helps them (loads and stores, accumulators, library calls)
knows no more of them than is here, and so does not depend on them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from fungrad.jit.ir.loops import Affine, Host, Loop, Program
from fungrad.jit.kernels.scalars import Value
from fungrad.jit.llvm.module import Memory, Module
from fungrad.jit.llvm.scalar import LLVMScalars


class Vector:
    """The vector loop that is being emitted.

    Attributes:
      symbol: its counter.
      lanes: how many iterations run at once.
      whole: whether the counter is a multiple of the lanes at the start of every vector.
    """

    __slots__ = ("symbol", "lanes", "whole")

    def __init__(self, loop: Loop, lanes: int):
        self.symbol = loop.index
        self.lanes = lanes
        self.whole = loop.extent % lanes == 0


class Shuffler(Protocol):
    """Lanes of values, and places in memory."""

    def shuffle(self, a: Value, b: Value, lanes: list[int], m: LLVMScalars) -> Value:
        """Lanes of `a` and `b` as a value of `m`."""

    def pointer(self, buffer: str, element: str, index: str) -> str:
        """Address of one element."""


class NestWriter(Protocol):
    """Writes the function of one nest.

    Attributes:
      lines: of the function so far.
      module: the module that it is part of.
      memory: how the function reaches the buffers.
      access: its loads and stores.
      scalar: builder of uniform values.
      vector: the vector loop that is being emitted, None outside of one.
      env: values by name.
      symbols: counters by name, as registers or numbers.
      positions, wide, running, products: facts about accumulators (`accumulate`).
      narrow: by names of values that were converted to double precision, from which narrower ones.
      in_branch: whether the statements may be skipped.
      block: the basic block that is being written.
      streamed: buffers that are written past the cache.
      streams: whether anything has been.
    """

    lines: list[str]
    module: Module
    memory: Memory
    scalar: LLVMScalars
    vector: Vector | None
    env: dict[str, Value]
    symbols: dict[str, str | int]
    positions: dict[str, tuple[str, Affine]]
    wide: dict[str, int]
    running: frozenset[str]
    products: frozenset[str]
    narrow: dict[Any, Value]
    in_branch: bool
    block: str
    streamed: frozenset[str]
    streams: bool

    @property
    def access(self) -> Shuffler: ...

    @property
    def m(self) -> LLVMScalars:
        """Builder of varying values."""

    def builder(self, lanes: int) -> LLVMScalars:
        """The builder that writes `lanes` elements at a time."""

    def value(self, x: Any) -> Value:
        """An operand, uniform or varying."""

    def varying(self, x: Any) -> Value:
        """An operand as a vector of the current loop."""

    def spread(self, value: Value, m: LLVMScalars) -> Value:
        """A uniform value in every lane of `m`."""

    def affine(self, expression: Affine) -> tuple[str, int, Value | None]:
        """An affine expression as (scalar i64 operand, lane stride, varying i64 summand)."""

    def iota(self, type: str, stride: int) -> Value:
        """`stride * lane` in every lane."""

    def any_lane(self, condition: Value) -> str:
        """Whether a condition holds in some lane."""

    def label(self, stem: str) -> str:
        """A new label."""

    def start(self, label: str) -> None:
        """Begin a basic block."""

    def save(self) -> tuple:
        """Remember what is known here."""

    def restore(self, saved: tuple) -> None:
        """Forget what has become known since."""


class ProgramWriter(Protocol):
    """Writes the steps of a program.

    Attributes:
      program: whose steps they are.
      module: the module that is written.
      lines: of the function that is being written.
      names: numbers for labels and registers.
      symbols: names of external functions that must be supplied when the module is loaded.
      long: whether the program takes long enough to let other threads of Python run.
    """

    program: Program
    module: Module
    lines: list[str]
    names: Iterator[int]
    symbols: dict[str, None]
    long: bool

    def register(self, stem: str = "%x") -> str:
        """A new register."""

    def base(self, buffer: str) -> str:
        """Address of a buffer."""

    def address(self, buffer: str, offset: Affine) -> str:
        """Address of an element of a buffer."""

    def function(self) -> AbstractContextManager[str]:
        """Write the lines inside to a function of its own, over a range `%begin .. %end`."""

    def parallel(self, function: str, n: int, pieces_per_thread: int) -> None:
        """Share the range `0 .. n` of a function between threads."""

    def without_blas_threads(self, write: Callable[[], None]) -> None:
        """Write steps during which the BLAS has no threads of its own."""

    def host(self, host: Host) -> None:
        """Call back into Python."""


class ForeignKernel(Protocol):
    """A user's function that numba compiles (`fungrad.jit.llvm.foreign.Kernel`)."""

    name: str

    def compiled(self, types: Sequence[Any], extra: Sequence[Any] = ()) -> tuple[str, str, Any]:
        """LLVM text, name of the function in it, and numba's type of the result."""

    def describe(self) -> str:
        """Which kernel of which primitive, and where it is defined."""
