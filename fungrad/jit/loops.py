"""The loop IR: what a compiled program does, as buffers, steps and loop nests.

A `Program` owns a list of `Buffer` objects (dense, row-major arrays of static shape) and a list of
steps that run in order. A step is a `Nest` of loops over scalar statements, a `Call` of a library
routine, a `Host` call back into Python, or control flow over steps (`Repeat`, `Rows`, `Parallel`, `While`, `Branch`).

Inside a nest everything is scalar code in static single assignment form, except two kinds of
mutable cells:

* `Acc`: an accumulator of a monoid. It is declared, updated inside loops below its declaration
(`Update`, `Prefix`),
  and read by its name after those loops. The order of updates is not specified, so the emitter may
  use several partial accumulators (vector lanes); the result is still the same on every run.
* `Var`: a sequential variable, changed by `Set` in program order.

Addresses are `Affine` expressions over loop indices and integer values, counted in elements from
the start of the buffer. Row-major layout makes a reshape the identity on addresses; transposes,
slices, reversals and broadcasts change coefficients only. An address that contains the name of a
computed value is a gather.

Scalar operations carry the names of `ScalarBuilder` methods (`add`, `select`, `convert` ...) or of
functions in `fungrad.jit.kernels` (`exp`, `tanh` ...), or a Python function over a builder
(`Let.fn`).

This module has the data structures and constructors; `loop_text` prints and `loop_check` verifies
them, and `interpret` runs them with NumPy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from fungrad.jit.kernels.scalars import type_of

# Monoids of `Acc` and their neutral element as a function of the dtype.
MONOIDS = ("add", "mul", "max", "min", "and", "or", "xor", "argmax", "argmin")


class Affine:
    """`const + sum(coefficient * symbol)`: an address or index. Immutable.

    Symbols are the names of loop indices or of integer values.

    >>> i, j = Affine.var("i"), Affine.var("j")
    >>> i * 10 + j + 3
    10*i + j + 3
    >>> (i * 10 + j).substitute({"j": i * 2 + 1})
    12*i + 1
    """

    __slots__ = ("const", "terms")

    def __init__(self, const: int = 0, terms: Sequence[tuple[str, int]] = ()):
        self.const = int(const)
        self.terms = tuple((s, int(c)) for s, c in terms if c)

    @staticmethod
    def var(symbol: str, coefficient: int = 1) -> Affine:
        """`coefficient * symbol`."""
        return Affine(0, ((symbol, coefficient),))

    @staticmethod
    def of(x: Affine | str | int) -> Affine:
        """`x` itself, a symbol, or a constant."""
        if isinstance(x, Affine):
            return x
        return Affine.var(x) if isinstance(x, str) else Affine(x)

    def __add__(self, other: Affine | str | int) -> Affine:
        other = Affine.of(other)
        merged = dict(self.terms)
        for s, c in other.terms:
            merged[s] = merged.get(s, 0) + c
        return Affine(self.const + other.const, tuple(merged.items()))

    __radd__ = __add__

    def __neg__(self) -> Affine:
        return self * -1

    def __sub__(self, other: Affine | str | int) -> Affine:
        return self + Affine.of(other) * -1

    def __rsub__(self, other: Affine | str | int) -> Affine:
        return Affine.of(other) - self

    def __mul__(self, factor: int) -> Affine:
        return Affine(self.const * factor, tuple((s, c * factor) for s, c in self.terms))

    __rmul__ = __mul__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Affine) and self.const == other.const and dict(self.terms) == dict(other.terms)

    def __hash__(self) -> int:
        return hash((self.const, frozenset(self.terms)))

    def coefficient(self, symbol: str) -> int:
        """Coefficient of a symbol, 0 if it does not occur."""
        for s, c in self.terms:
            if s == symbol:
                return c
        return 0

    def symbols(self) -> tuple[str, ...]:
        """The symbols that occur."""
        return tuple(s for s, _ in self.terms)

    def substitute(self, values: Mapping[str, Affine]) -> Affine:
        """Replace symbols by affine expressions."""
        result = Affine(self.const)
        for s, c in self.terms:
            result = result + (values[s] * c if s in values else Affine.var(s, c))
        return result

    def bounds(self, extents: Mapping[str, int]) -> tuple[int, int] | None:
        """Least and greatest value for symbols in `range(extent)`; None if a symbol has no known
        extent."""
        low = high = self.const
        for s, c in self.terms:
            if s not in extents:
                return None
            last = c * (extents[s] - 1)
            low, high = low + min(0, last), high + max(0, last)
        return low, high

    def __repr__(self) -> str:
        parts = [s if c == 1 else f"-{s}" if c == -1 else f"{c}*{s}" for s, c in self.terms]
        if self.const or not parts:
            parts.append(str(self.const))
        return " + ".join(parts).replace("+ -", "- ")


def address(shape: Sequence[int], indices: Sequence[Affine | str | int]) -> Affine:
    """Address of an element of a row-major array from one index per dimension.

    >>> address((4, 10), ("i", Affine.var("j") + 1))
    10*i + j + 1
    """
    if len(shape) != len(indices):
        raise ValueError(f"address: {len(indices)} indices for shape {tuple(shape)}")
    result, stride = Affine(), 1
    for size, index in zip(reversed(shape), reversed(indices), strict=True):
        result = Affine.of(index) * stride + result
        stride *= size
    return result


class Buffer:
    """A dense row-major array of static shape.

    Attributes:
      name: unique in the program.
      dtype: NumPy dtype; booleans are bytes 0 or 1, complex numbers are pairs.
      shape: dimensions.
      kind: `input`, `output`, `temp` or `const`.
      value: the array of a `const`.
      alias: name of another buffer whose memory this one is (same number of bytes), e.g. a donated
        input; None if it
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

    def __repr__(self) -> str:
        return f"{self.value}:{self.type}"


Operand = str | Const


# -- Statements of a nest --------------------------------------------------------------------------


class Let:
    """`name = op(args)`.

    Attributes:
      name: the value, or a tuple of values when `fn` returns several.
      op: name of the operation; only for printing when `fn` is given.
      args: operands.
      type: scalar type of the result (a tuple when there are several).
      fn: Python function `fn(m, *values)` over a `ScalarBuilder`; None to use the operation called
        `op`.
    """

    __slots__ = ("name", "op", "args", "type", "fn")

    def __init__(
        self,
        name: str | tuple[str, ...],
        op: str,
        args: Sequence[Operand],
        type: str | tuple[str, ...],
        fn: Callable | None = None,
    ):
        self.name = name
        self.op = op
        self.args = tuple(args)
        self.type = type
        self.fn = fn


class Index:
    """`name = affine` as an integer value: iota, and the operand of predicates on indices."""

    __slots__ = ("name", "affine", "type")

    def __init__(self, name: str, affine: Affine | str | int, type: str = "i32"):
        self.name = name
        self.affine = Affine.of(affine)
        self.type = type


class Load:
    """`name = buffer[index]`.

    Attributes:
      index: address in elements.
      part: 0 or 1 for the real or imaginary part of a complex buffer.
      where: name of an `i1` value: where it is false nothing is read and the result is `other`.
      other: operand of the buffer's type, required with `where`.
    """

    __slots__ = ("name", "buffer", "index", "part", "where", "other")

    def __init__(
        self,
        name: str,
        buffer: str,
        index: Affine | str | int,
        part: int | None = None,
        where: str | None = None,
        other: Operand | None = None,
    ):
        self.name = name
        self.buffer = buffer
        self.index = Affine.of(index)
        self.part = part
        self.where = where
        self.other = other


class Store:
    """`buffer[index] = value`.

    Attributes:
      imag: the imaginary part for a complex buffer.
      where: name of an `i1` value: where it is false nothing is written.
      update: None, or a monoid (`add`, `mul`, `max`, `min`, `and`, `or`, `xor`) to combine with
        what is there. Updates of
        one element happen in program order, so a loop over colliding addresses runs sequentially.
    """

    __slots__ = ("buffer", "index", "value", "imag", "where", "update")

    def __init__(
        self,
        buffer: str,
        index: Affine | str | int,
        value: Operand,
        imag: Operand | None = None,
        where: str | None = None,
        update: str | None = None,
    ):
        self.buffer = buffer
        self.index = Affine.of(index)
        self.value = value
        self.imag = imag
        self.where = where
        self.update = update


class Acc:
    """Declare an accumulator; its name is the result after the loops that update it.

    `max` and `min` propagate NaN. `argmax` and `argmin` keep a (value, position) pair: the first
    position wins ties, and the first NaN wins over everything.

    Attributes:
      op: one of `MONOIDS`.
      type: scalar type.
      init: initial value; None for the neutral element.
      position: name of the position of an `argmax`/`argmin`, an `i64` that is -1 if there was no
        update.
    """

    __slots__ = ("name", "op", "type", "init", "position")

    def __init__(
        self,
        name: str,
        op: str,
        type: str,
        init: Operand | None = None,
        position: str | None = None,
    ):
        self.name = name
        self.op = op
        self.type = type
        self.init = init
        self.position = position


class Update:
    """Combine a value into an accumulator.

    Attributes:
      position: for `argmax`/`argmin`, the position of the value (an `i64` value name or an affine
        index).
    """

    __slots__ = ("acc", "value", "position")

    def __init__(self, acc: str, value: Operand, position: Affine | None = None):
        self.acc = acc
        self.value = value
        self.position = position


class Prefix:
    """Combine a value into an accumulator and name the running result: `name` is the accumulator
    after this iteration. The loop that contains it runs forwards in order (`cumsum` and relatives);
    its accumulator must not be updated elsewhere."""

    __slots__ = ("name", "acc", "value")

    def __init__(self, name: str, acc: str, value: Operand):
        self.name = name
        self.acc = acc
        self.value = value


class Var:
    """Declare a sequential variable. Reading its name gives the value at that point."""

    __slots__ = ("name", "type", "init")

    def __init__(self, name: str, type: str, init: Operand):
        self.name = name
        self.type = type
        self.init = init


class Set:
    """Assign to a `Var`. The loops between the assignment and the declaration run in order."""

    __slots__ = ("var", "value")

    def __init__(self, var: str, value: Operand):
        self.var = var
        self.value = value


class Loop:
    """`for index in range(extent): body`.

    Iterations are independent except through accumulators and variables declared outside, unless
    `ordered`: then later iterations may read what earlier ones stored.

    Attributes:
      index: symbol of the counter.
      extent: number of iterations.
      body: statements.
      parallel: may be split over threads. Only for the outermost loop of a nest.
      vector: run as vectors over this index; at most one loop on a path. The emitter chooses where
        none is marked.
      lanes: how many iterations at once, None to let the emitter choose.
      ordered: iterations run one after the other.
      tile: set by the scheduler on a loop around a vector loop: run squares of this many iterations
        of both, and read what is
        contiguous along this loop in that direction.
    """

    __slots__ = ("index", "extent", "body", "parallel", "vector", "lanes", "ordered", "tile")

    def __init__(
        self,
        index: str,
        extent: int,
        body: Sequence[Any],
        parallel: bool = False,
        vector: bool = False,
        lanes: int | None = None,
        ordered: bool = False,
        tile: int | None = None,
    ):
        self.index = index
        self.extent = int(extent)
        self.body = list(body)
        self.parallel = parallel
        self.vector = vector
        self.lanes = lanes
        self.ordered = ordered
        self.tile = tile


class If:
    """Scalar branch: `then` where the `i1` value holds, else `orelse`. Results leave through `Var`
    and stores.

    Attributes:
      settled: running `then` where the condition does not hold changes nothing that is read (and there
        is no `orelse`). Then it may run for several iterations of a loop around it at once, if the
        condition holds for any.
    """

    __slots__ = ("condition", "then", "orelse", "settled")

    def __init__(self, condition: str, then: Sequence[Any], orelse: Sequence[Any] = (), settled: bool = False):
        self.condition = condition
        self.settled = settled
        self.then = list(then)
        self.orelse = list(orelse)


class LoopWhile:
    """Loop inside a nest: run `test`, leave if the `i1` value `condition` is false, run `body`,
    repeat. State lives in `Var`s.

    Attributes:
      settled: running on once the condition is false changes nothing. Then the loop may run for
        several iterations of a loop around it at once, until the condition is false for all.
    """

    __slots__ = ("test", "condition", "body", "settled")

    def __init__(self, test: Sequence[Any], condition: str, body: Sequence[Any], settled: bool = False):
        self.test = list(test)
        self.settled = settled
        self.condition = condition
        self.body = list(body)


Statement = Let | Index | Load | Store | Acc | Update | Prefix | Var | Set | Loop | If | LoopWhile


# -- Steps -----------------------------------------------------------------------------------------


class Nest:
    """Loops and scalar statements that run as one native function."""

    __slots__ = ("body", "name")

    def __init__(self, body: Sequence[Statement], name: str = ""):
        self.body = list(body)
        self.name = name


class View:
    """A part of a buffer as operand of a `Call` or `Host`: `shape` elements from `offset`,
    row-major with the given strides (in elements; None for dense). The offset may contain indices
    of enclosing `Repeat` steps."""

    __slots__ = ("buffer", "offset", "shape", "strides")

    def __init__(
        self,
        buffer: str,
        shape: Sequence[int],
        offset: Affine | str | int = 0,
        strides: Sequence[int] | None = None,
    ):
        self.buffer = buffer
        self.shape = tuple(shape)
        self.offset = Affine.of(offset)
        self.strides = None if strides is None else tuple(strides)

    @property
    def dense_strides(self) -> tuple[int, ...]:
        """The strides, computed from the shape where none were given."""
        if self.strides is not None:
            return self.strides
        strides, step = [], 1
        for n in reversed(self.shape):
            strides.append(step)
            step *= n
        return tuple(reversed(strides))


class Call:
    """A routine of the run-time library on buffers.

    Attributes:
      routine: `gemm` (inputs a, b; output c; attributes `alpha`, `beta`; batch dimensions lead; an
        operand is transposed by
        its view's strides), `gemv`, `copy` ...; the list is in `fungrad.jit.emit.blas`.
      inputs, outputs: `View`s.
      attributes: static parameters.
    """

    __slots__ = ("routine", "inputs", "outputs", "attributes")

    def __init__(
        self,
        routine: str,
        inputs: Sequence[View],
        outputs: Sequence[View],
        attributes: Mapping[str, Any] | None = None,
    ):
        self.routine = routine
        self.inputs = list(inputs)
        self.outputs = list(outputs)
        self.attributes = dict(attributes or {})


class Host:
    """A Python function on arrays: `fn(*inputs)` returns an array, or a sequence of arrays when
    there are several outputs; they are copied into the outputs. Inputs are read-only arrays, valid
    during the call only."""

    __slots__ = ("name", "fn", "inputs", "outputs")

    def __init__(self, name: str, fn: Callable, inputs: Sequence[View], outputs: Sequence[View]):
        self.name = name
        self.fn = fn
        self.inputs = list(inputs)
        self.outputs = list(outputs)


class Repeat:
    """Run steps `extent` times. `index` is a symbol that addresses in the steps may use."""

    __slots__ = ("index", "extent", "steps")

    def __init__(self, index: str, extent: int, steps: Sequence[Any]):
        self.index = index
        self.extent = int(extent)
        self.steps = list(steps)


class Rows:
    """Steps that work row by row: what is done to one row needs nothing of another. They may therefore run block by
    block, all of them on some rows before the next rows, so that a block stays in the cache, and on several threads.

    Attributes:
      extent: number of rows.
      block: rows that are not separated.
      steps: `Nest`s whose last loop goes through the rows (or through groups of neighbours), and `gemm` calls with
        that many rows. The meaning is that they run in order.
    """

    __slots__ = ("extent", "block", "steps")

    def __init__(self, extent: int, block: int, steps: Sequence[Any]):
        self.extent = extent
        self.block = block
        self.steps = list(steps)


class Parallel:
    """Steps of which none needs another: they may run in any order, or at the same time on several threads.

    Attributes:
      steps: `gemm` calls, `Rows`, and small `Nest`s.
    """

    __slots__ = ("steps",)

    def __init__(self, steps: Sequence[Any]):
        self.steps = list(steps)


class While:
    """Run `test`; while the first element of the boolean buffer `condition` is true run `steps` and
    `test` again."""

    __slots__ = ("test", "condition", "steps")

    def __init__(self, test: Sequence[Any], condition: str, steps: Sequence[Any]):
        self.test = list(test)
        self.condition = condition
        self.steps = list(steps)


class Branch:
    """Run the steps of one branch, chosen by the first element of an `i32` buffer. The producer
    clamps it; any value outside the range runs the last branch."""

    __slots__ = ("selector", "branches")

    def __init__(self, selector: str, branches: Sequence[Sequence[Any]]):
        self.selector = selector
        self.branches = [list(b) for b in branches]


Step = Nest | Call | Host | Repeat | Rows | Parallel | While | Branch


class Program:
    """Everything that one compiled function does.

    Attributes:
      name: for printing.
      buffers: by name, in order of declaration.
      steps: run in order.
      inputs: names of the input buffers in calling order.
      outputs: names of the buffers returned, in order: `output` buffers, each written by the steps.
    """

    __slots__ = ("name", "buffers", "steps", "inputs", "outputs")

    def __init__(
        self,
        name: str,
        buffers: Sequence[Buffer],
        steps: Sequence[Step],
        inputs: Sequence[str],
        outputs: Sequence[str],
    ):
        self.name = name
        self.buffers = {b.name: b for b in buffers}
        if len(self.buffers) != len(buffers):
            raise ValueError(f"Program {name}: buffer names are not unique")
        self.steps = list(steps)
        self.inputs = tuple(inputs)
        self.outputs = tuple(outputs)

    def root(self, name: str) -> Buffer:
        """The buffer whose memory the named buffer occupies."""
        buffer = self.buffers[name]
        while buffer.alias is not None:
            buffer = self.buffers[buffer.alias]
        return buffer


def children(statement: Any) -> tuple[list, ...]:
    """Statement lists nested directly in a statement or step."""
    kind = type(statement)
    if kind is Loop or kind is Nest:
        return (statement.body,)
    if kind is If:
        return (statement.then, statement.orelse)
    if kind is LoopWhile:
        return (statement.test, statement.body)
    if kind is Repeat or kind is Rows or kind is Parallel:
        return (statement.steps,)
    if kind is While:
        return (statement.test, statement.steps)
    if kind is Branch:
        return tuple(statement.branches)
    return ()


def walk(items: Sequence[Any]) -> Iterator[Any]:
    """All statements or steps in a list, outer before inner, in order."""
    for item in items:
        yield item
        for nested in children(item):
            yield from walk(nested)


def buffers_of(item: Any) -> tuple[set[str], set[str]]:
    """Names of the buffers that a step or statement reads and writes."""
    reads: set[str] = set()
    writes: set[str] = set()
    for s in walk([item]):
        kind = type(s)
        if kind is Load:
            reads.add(s.buffer)
        elif kind is Store:
            writes.add(s.buffer)
            if s.update:
                reads.add(s.buffer)
        elif kind is Call or kind is Host:
            reads.update(v.buffer for v in s.inputs)
            writes.update(v.buffer for v in s.outputs)
            if kind is Call and s.attributes.get("beta"):
                reads.update(v.buffer for v in s.outputs)
        elif kind is While:
            reads.add(s.condition)
        elif kind is Branch:
            reads.add(s.selector)
    return reads, writes
