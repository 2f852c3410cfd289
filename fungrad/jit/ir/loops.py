"""The loop IR: what a compiled program does, as buffers, steps and loop nests.

A `Program` owns a list of `Buffer` objects (dense, row-major arrays of static shape) and a list of
steps that run in order. A step is a `Nest` of loops over scalar statements, a `Call` of a library
routine, a `Host` call back into Python, or control flow over steps (`Repeat`, `Rows`, `Parallel`, `While`, `Branch`).

Inside a nest everything is scalar code in static single assignment form, except two kinds of
mutable cells:

* `Acc`: an accumulator of a monoid. It is declared, updated inside loops below its declaration (`Update`, `Prefix`),
  and read by its name after those loops. The order of updates is not specified, so the emitter may use several partial
  accumulators (vector lanes); the result is still the same on every run.
* `Var`: a sequential variable, changed by `Set` in program order.

Addresses are `Affine` expressions over loop indices and integer values, counted in elements from
the start of the buffer. Row-major layout makes a reshape the identity on addresses; transposes,
slices, reversals and broadcasts change coefficients only. An address that contains the name of a
computed value is a gather.

Scalar operations carry the names of `ScalarBuilder` methods (`add`, `select`, `convert` ...) or of
functions in `fungrad.jit.kernels` (`exp`, `tanh` ...), or a Python function over a builder
(`Let.fn`).

Statements and steps never change, and their fields declare what they are for: `operand`, `cell`,
`state`, `declaration`, `definition`, `counter`, `place`, `nested`, `reading`, `writing`. From these follow what they do
(`is_pure`, `is_sequential`, `is_branch` ...). Whatever walks through programs asks for roles and facts (`traverse`,
`facts`), so a new statement is its class, its line in the printer, the verifier and the tests' interpreter, and its
emitter.

This module has the data structures; `traverse` walks and rebuilds them, `loop_text` prints and `loop_check` verifies
them, and `tests/loop_interpreter.py` runs them with NumPy.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from copy import copy
from typing import Any, ClassVar

import numpy as np

from fungrad.jit.ir import provenance
from fungrad.jit.ir.affine import Affine
from fungrad.jit.ir.machine import LINE_BYTES, Machine
from fungrad.jit.ir.node import (
    Node,
    cell,
    counter,
    declaration,
    definition,
    exchanging,
    nested,
    node,
    operand,
    place,
    reading,
    several,
    state,
    writing,
)
from fungrad.jit.kernels.scalars import type_of

# Monoids of `Acc` and their neutral element as a function of the dtype.
MONOIDS = ("add", "mul", "max", "min", "and", "or", "xor", "argmax", "argmin")


class Buffer:
    """A dense row-major array of static shape.

    Attributes:
      name: unique in the program.
      dtype: NumPy dtype; booleans are bytes 0 or 1, complex numbers are pairs.
      shape: dimensions.
      kind: `input`, `output`, `temp` or `const`.
      value: the array of a `const`.
      alias: name of another buffer whose memory this one is (same number of bytes), e.g. a donated input; None if it
        has its own.
      offset: byte offset in the arena for a `temp`; filled in by the buffer planner.
    """

    __slots__ = ("name", "dtype", "shape", "kind", "value", "alias", "offset")

    def __init__(
        self,
        name: str,
        dtype: Any,
        shape: Sequence[int],
        kind: str = "temp",
        value: np.ndarray | None = None,
        alias: str | None = None,
        offset: int | None = None,
    ):
        self.name = name
        self.dtype = np.dtype(dtype)
        self.shape = tuple(int(n) for n in shape)
        self.kind = kind
        self.value = value
        self.alias = alias
        self.offset = offset

    @property
    def size(self) -> int:
        """Number of elements."""
        result = 1
        for n in self.shape:
            result *= n
        return result

    @property
    def nbytes(self) -> int:
        """Bytes of memory."""
        return self.size * self.dtype.itemsize

    @property
    def is_complex(self) -> bool:
        """Whether elements are pairs."""
        return self.dtype.kind == "c"

    @property
    def value_dtype(self) -> np.dtype:
        """NumPy dtype of an element, or of one part of a complex element."""
        return np.dtype(f"f{self.dtype.itemsize // 2}") if self.is_complex else self.dtype

    @property
    def type(self) -> str:
        """Scalar type of an element, or of one part of a complex element."""
        if self.dtype.kind == "c":
            return "f32" if self.dtype.itemsize == 8 else "f64"
        return type_of(self.dtype)

    def __repr__(self) -> str:
        return f"{self.name}: {self.dtype.name}[{','.join(map(str, self.shape))}]"


class Const:
    """A literal operand."""

    __slots__ = ("value", "type")

    def __init__(self, value: bool | int | float, type: str):
        self.value = value
        self.type = type

    @staticmethod
    def zero(type: str) -> Const:
        """Zero, or False."""
        return Const(False if type == "i1" else 0, type)

    def __repr__(self) -> str:
        return f"{self.value}:{self.type}"


Operand = str | Const


# -- Statements of a nest --------------------------------------------------------------------------


@node
class Let(Node):
    """`name = op(args)`.

    Attributes:
      name: the value, or a tuple of values when `fn` returns several.
      op: name of the operation; only for printing when `fn` is given.
      args: operands.
      type: scalar type of the result (a tuple when there are several).
      fn: Python function `fn(m, *values)` over a `ScalarBuilder`; None to use the operation called
        `op`.
      cost: what `fn` is worth in vector instructions; None if nobody has said.
    """

    name: str | tuple[str, ...] = definition()
    op: str
    args: Sequence[Operand] = operand()
    type: str | tuple[str, ...]
    fn: Callable | None = None
    cost: float | None = None

    def __post_init__(self) -> None:
        if provenance.state.thread:
            provenance.note(self)
        if not isinstance(self.args, tuple):
            self._set("args", tuple(self.args))


@node
class Index(Node):
    """`name = affine` as an integer value: iota, and the operand of predicates on indices."""

    name: str = definition()
    affine: Affine = place()
    type: str = "i32"


@node
class Load(Node):
    """`name = buffer[index]`.

    Attributes:
      index: address in elements.
      part: 0 or 1 for the real or imaginary part of a complex buffer.
      where: name of an `i1` value: where it is false nothing is read and the result is `other`.
      other: operand of the buffer's type, required with `where`.
    """

    name: str = definition()
    buffer: str = reading()
    index: Affine = place()
    part: int | None = None
    where: str | None = operand(default=None)
    other: Operand | None = operand(default=None)


@node
class Store(Node):
    """`buffer[index] = value`.

    Attributes:
      imag: the imaginary part for a complex buffer.
      where: name of an `i1` value: where it is false nothing is written.
      update: None, or a monoid (`add`, `mul`, `max`, `min`, `and`, `or`, `xor`) to combine with what is there. Updates
        of one element happen in program order, so a loop over colliding addresses runs sequentially.
    """

    buffer: str = writing()
    index: Affine = place()
    value: Operand = operand()
    imag: Operand | None = operand(default=None)
    where: str | None = operand(default=None)
    update: str | None = None

    @property
    def reads_what_it_writes(self) -> bool:
        return self.update is not None


@node
class Acc(Node):
    """Declare an accumulator; its name is the result after the loops that update it.

    `max` and `min` propagate NaN. `argmax` and `argmin` keep a (value, position) pair: the first
    position wins ties, and the first NaN wins over everything. A product of floating point numbers overflows only
    if it is too large itself: the order of its factors does not matter.

    Attributes:
      op: one of `MONOIDS`.
      type: scalar type.
      init: initial value; None for the neutral element.
      position: name of the position of an `argmax`/`argmin`, an `i64` that is -1 if there was no
        update. Of a product of floating point numbers that may be out of range, the name of its exponent, an `i64`: it
        is the result times two to that power.
    """

    name: str = declaration()
    op: str
    type: str
    init: Operand | None = operand(default=None)
    position: str | None = definition(default=None)


@node
class Update(Node):
    """Combine a value into an accumulator.

    Attributes:
      position: for `argmax`/`argmin`, the position of the value (an `i64` value name or an affine
        index); for a product, the exponent of two by which the value is scaled, if any.
    """

    acc: str = cell()
    value: Operand = operand()
    position: Affine | None = place(default=None)


@node
class Prefix(Node):
    """Combine a value into an accumulator and name the running result: `name` is the accumulator
    after this iteration. The loop that contains it runs forwards in order (`cumsum` and relatives);
    its accumulator must not be updated elsewhere."""

    name: str = definition()
    acc: str = state()
    value: Operand = operand()


@node
class Var(Node):
    """Declare a sequential variable. Reading its name gives the value at that point."""

    name: str = declaration()
    type: str
    init: Operand = operand()


@node
class Set(Node):
    """Assign to a `Var`. The loops between the assignment and the declaration run in order."""

    var: str = state()
    value: Operand = operand()


@node
class Loop(Node):
    """`for index in range(extent): body`.

    Iterations are independent except through accumulators and variables declared outside, unless
    `ordered`: then later iterations may read what earlier ones stored.

    Attributes:
      index: symbol of the counter.
      extent: number of iterations.
      body: statements.
      parallel: may be split over threads. Only for the outermost loop of a nest.
      vector: run as vectors over this index; at most one loop on a path. The compiler chooses where
        none is marked.
      lanes: how many iterations at once, None to let the compiler choose.
      ordered: iterations run one after the other.
      tile: set by the scheduler on a loop around a vector loop: run squares of this many iterations of both, and read
        what is contiguous along this loop in that direction.
    """

    index: str = counter()
    extent: int
    body: Sequence[Any] = nested()
    parallel: bool = False
    vector: bool = False
    lanes: int | None = None
    ordered: bool = False
    tile: int | None = None


@node
class If(Node):
    """Scalar branch: `then` where the `i1` value holds, else `orelse`. Results leave through `Var`
    and stores.

    Attributes:
      settled: running `then` where the condition does not hold changes nothing that is read (and there
        is no `orelse`). Then it may run for several iterations of a loop around it at once, if the
        condition holds for any.
    """

    is_branch: ClassVar[bool] = True
    condition: str = operand()
    then: Sequence[Any] = nested()
    orelse: Sequence[Any] = nested(default=())
    settled: bool = False


@node
class LoopWhile(Node):
    """Loop inside a nest: run `test`, leave if the `i1` value `condition` is false, run `body`,
    repeat. State lives in `Var`s.

    Attributes:
      settled: running on once the condition is false changes nothing. Then the loop may run for
        several iterations of a loop around it at once, until the condition is false for all.
    """

    is_branch: ClassVar[bool] = True
    test: Sequence[Any] = nested()
    condition: str = operand()
    body: Sequence[Any] = nested()
    settled: bool = False


Statement = Let | Index | Load | Store | Acc | Update | Prefix | Var | Set | Loop | If | LoopWhile


# -- Steps -----------------------------------------------------------------------------------------


@node
class Nest(Node):
    """Loops and scalar statements that run as one native function."""

    body: Sequence[Any] = nested()
    name: str = ""


@node
class View(Node):
    """A part of a buffer as operand of a `Call` or `Host`: `shape` elements from `offset`,
    row-major with the given strides (in elements; None for dense). The offset may contain indices
    of enclosing `Repeat` steps."""

    buffer: str
    shape: Sequence[int]
    offset: Affine = place(default=0)
    strides: Sequence[int] | None = None

    def __post_init__(self) -> None:
        Node.__post_init__(self)
        self._set("shape", tuple(self.shape))
        if self.strides is not None:
            self._set("strides", tuple(self.strides))

    @property
    def dense_strides(self) -> tuple[int, ...]:
        """The strides, computed from the shape where none were given."""
        if self.strides is not None:
            return tuple(self.strides)
        strides, step = [], 1
        for n in reversed(self.shape):
            strides.append(step)
            step *= n
        return tuple(reversed(strides))


@node
class Call(Node):
    """A routine of the run-time library on buffers.

    Attributes:
      routine: `gemm`, `copy` ...; `products.routines` says what there is, and what each takes.
      inputs, outputs: `View`s.
      attributes: static parameters.
    """

    routine: str
    inputs: Sequence[View] = reading()
    outputs: Sequence[View] = writing()
    attributes: dict[str, Any] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        if provenance.state.thread:
            provenance.note(self)
        self._set("inputs", tuple(self.inputs))
        self._set("outputs", tuple(self.outputs))
        self._set("attributes", dict(self.attributes or {}))

    @property
    def reads_what_it_writes(self) -> bool:
        return bool(self.attributes.get("beta"))


@node
class Host(Node):
    """A Python function on arrays: `fn(*inputs)` returns an array, or a sequence of arrays when
    there are several outputs; they are copied into the outputs. Inputs are read-only arrays, valid
    during the call only."""

    name: str
    fn: Callable
    inputs: Sequence[View] = reading()
    outputs: Sequence[View] = writing()


@node
class Repeat(Node):
    """Run steps `extent` times. `index` is a symbol that addresses in the steps may use.

    Attributes:
      exchanges: pairs (new, old) of buffers, each with memory of its own and as large as the other: after every run of
        the steps the old one gets what is in the new one, and what is in the new one is lost.
    """

    is_control: ClassVar[bool] = True
    index: str = counter()
    extent: int
    steps: Sequence[Any] = nested()
    exchanges: Sequence[tuple[str, str]] = exchanging(default=())


@node
class Rows(Node):
    """Steps that work row by row: what is done to one row needs nothing of another. They may therefore run block by
    block, all of them on some rows before the next rows, so that a block stays in the cache, and on several threads.

    Attributes:
      extent: number of rows.
      block: rows that are not separated.
      steps: `Nest`s whose last loop goes through the rows (or through groups of neighbours), and `gemm` calls with
        that many rows. The meaning is that they run in order.
    """

    extent: int
    block: int
    steps: Sequence[Any] = nested()


@node
class Parallel(Node):
    """Steps of which none needs another: they may run in any order, or at the same time on several threads.

    Attributes:
      steps: `gemm` calls, `Rows`, small `Nest`s, and `Series` of these.
    """

    steps: Sequence[Any] = nested()


@node
class Series(Node):
    """Steps in order, where one step is expected."""

    is_control: ClassVar[bool] = True
    steps: Sequence[Any] = nested()


@node
class While(Node):
    """Run `test`; while the first element of the boolean buffer `condition` is true run `steps` and
    `test` again.

    Attributes:
      exchanges: as those of `Repeat`.
    """

    is_branch: ClassVar[bool] = True
    is_control: ClassVar[bool] = True
    test: Sequence[Any] = nested()
    condition: str = reading()
    steps: Sequence[Any] = nested()
    exchanges: Sequence[tuple[str, str]] = exchanging(default=())


@node
class Branch(Node):
    """Run the steps of one branch, chosen by the first element of an `i32` buffer. The producer
    clamps it; any value outside the range runs the last branch."""

    is_branch: ClassVar[bool] = True
    is_control: ClassVar[bool] = True
    selector: str = reading()
    branches: Sequence[Sequence[Any]] = several()


Step = Nest | Call | Host | Repeat | Rows | Parallel | Series | While | Branch


# Bytes at a multiple of which temporaries begin.
ALIGNMENT = LINE_BYTES


class Program:
    """Everything that one compiled function does.

    Attributes:
      name: for printing.
      buffers: by name, in order of declaration.
      steps: run in order.
      inputs: names of the input buffers in calling order.
      outputs: names of the buffers returned, in order: `output` buffers, each written by the steps.
      donated: names of the inputs whose memory may be overwritten.
      target: the processor that the program is for.
    """

    __slots__ = ("name", "buffers", "steps", "inputs", "outputs", "donated", "target")

    def __init__(
        self,
        name: str,
        buffers: Sequence[Buffer],
        steps: Sequence[Step],
        inputs: Sequence[str],
        outputs: Sequence[str],
        donated: Sequence[str] = (),
        target: Machine | None = None,
    ):
        self.name = name
        self.donated = tuple(donated)
        self.target = target or Machine()
        self.buffers = {b.name: b for b in buffers}
        if len(self.buffers) != len(buffers):
            raise ValueError(f"Program {name}: buffer names are not unique")
        self.steps = list(steps)
        self.inputs = tuple(inputs)
        self.outputs = tuple(outputs)

    def with_steps(self, steps: Sequence[Step]) -> Program:
        """The program with other steps. It shares the buffers, but further ones are its own."""
        new = copy(self)
        new.buffers, new.steps = dict(self.buffers), list(steps)
        return new

    def aimed_at(self, machine: Machine) -> Program:
        """The program for a processor."""
        new = self.with_steps(self.steps)
        new.target = machine
        return new

    def temporary(self, stem: str, dtype: Any, shape: Sequence[int]) -> Buffer:
        """A new temporary, whose name begins with `stem`."""
        buffer = Buffer(f"{stem}{len(self.buffers)}", dtype, shape)
        self.buffers[buffer.name] = buffer
        return buffer

    @property
    def arena_bytes(self) -> int:
        """Size of the arena in which the temporaries have their places."""
        ends = [b.offset + b.nbytes for b in self.buffers.values() if b.alias is None and b.offset is not None]
        return (max(ends, default=0) + ALIGNMENT - 1) // ALIGNMENT * ALIGNMENT

    def root(self, name: str) -> Buffer:
        """The buffer whose memory the named buffer occupies."""
        buffer = self.buffers[name]
        while buffer.alias is not None:
            buffer = self.buffers[buffer.alias]
        return buffer


def overlap(a: Buffer, b: Buffer) -> bool:
    """Whether two buffers with memory of their own may share bytes."""
    if a is b:
        return True
    if a.kind != "temp" or b.kind != "temp":
        return False
    if a.offset is None and b.offset is None:
        return False  # neither has a place yet: those that are used together get different ones
    start_a, start_b = a.offset or 0, b.offset or 0
    return start_a < start_b + b.nbytes and start_b < start_a + a.nbytes
