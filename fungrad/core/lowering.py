"""What the ``lower`` rule of a primitive sees: the interface between operations and the compiler.

A rule describes its results and computes nothing. Values are lazy: an elementwise result is a formula for one
element, a slice or a transpose is a change of index, and nothing touches memory until the compiler decides where
loops go. So a rule that calls ``ctx.map``, ``ctx.view`` or ``ctx.compute`` takes part in fusion with whatever stands
around it::

    class Softplus(Primitive):
        def lower(self, ctx, x):
            return ctx.map(lambda m, x: m.max(x, 0.0) + m.log1p(m.exp(-m.abs(x))), [x], x.dtype)

    class Roll(Primitive):  # by a static amount along the last axis
        def lower(self, ctx, x, *, amount):
            n = x.shape[-1]
            return ctx.view(x, x.shape, lambda *i: (*i[:-1], (i[-1] + (n - amount)) % n))

The compiler implements ``Lowering`` (``fungrad.jit.formulas.lowering``); operations only ever see it as an argument.

May import ``core.primitive`` and ``core.library_calls``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from fungrad.core.avals import ShapedArray
from fungrad.core.float_errors import quietly
from fungrad.core.library_calls import LibraryCall
from fungrad.core.primitive import Primitive


class OnHost(NamedTuple):
    """The function of a step that NumPy computes: a primitive with its parameters."""

    primitive: Primitive
    params: dict[str, Any]

    def __call__(self, *args: np.ndarray) -> Any:
        primitive = self.primitive
        if primitive.quiet:
            return quietly(primitive.impl, *args, **self.params)
        return primitive.impl(*args, **self.params)


# Names of the associative operations that reductions and running results combine elements with.
MONOIDS = ("add", "mul", "max", "min", "and", "or", "xor")

Shape = tuple[int, ...]


class Index(Protocol):
    """A position along one dimension: an integer formula of loop counters.

    Supports ``+ - *`` with ints and other indices of a compatible form, ``//`` and ``%`` by positive ints. Formulas
    that stay linear cost nothing in a loop.
    """

    def __add__(self, other: Any) -> Any: ...
    def __sub__(self, other: Any) -> Any: ...
    def __mul__(self, other: int) -> Any: ...
    def __floordiv__(self, other: int) -> Any: ...
    def __mod__(self, other: int) -> Any: ...


class Lowered(Protocol):
    """An array value in the program being compiled.

    Attributes:
      aval: its type.
      shape: tuple of ints.
      dtype: NumPy dtype.
    """

    aval: ShapedArray
    shape: Shape
    dtype: np.dtype


class Lowering(Protocol):
    """Builds the program; the first argument of every ``lower`` rule.

    Scalar functions (``fn`` below) are written over a scalar builder ``m`` (``fungrad.jit.kernels.scalars``):
    ``m.select``, ``m.convert``, operators on its values, and every elementwise primitive by name (``m.exp(x)``).
    """

    out_avals: tuple[ShapedArray, ...]
    """Types of the results of the equation that is being lowered."""

    # -- elements -------------------------------------------------------------------------------------------------

    def constant(self, value: Any, dtype: Any, shape: Shape = ()) -> Lowered:
        """An array full of one number."""

    def iota(self, shape: Shape, dtype: Any, dimension: int) -> Lowered:
        """Positions along ``dimension``."""

    def map(self, fn: Callable[..., Any], operands: Sequence[Lowered], dtype: Any, cost: int = 1) -> Lowered:
        """``fn(m, *elements)`` at every position.

        Args:
          fn: scalar function; must return a value of the scalar type of ``dtype``.
          operands: arrays of one shape; 0-d operands and dimensions of size 1 are broadcast.
          dtype: of the result.
          cost: rough number of additions that the function is worth; costly results are not computed twice.
          cost: rough number of additions that one element is worth: cheap values may be computed several times.
        """

    def maps(
        self, fn: Callable[..., Any], operands: Sequence[Lowered], dtypes: Sequence[Any], cost: int = 1
    ) -> list[Lowered]:
        """As ``map`` for a function with several results."""

    def compute(self, shape: Shape, dtype: Any, fn: Callable[..., Any]) -> Lowered:
        """The general form: element ``(i0, i1, ...)`` is ``fn(m, i0, i1, ...)``.

        ``m`` is a scalar builder with, in addition, ``m.load(operand, *indices)``, whose indices are ``Index``
        formulas or scalar integer values (the rule must have brought those into range), ``m.index(i, dtype)``, an
        index as a scalar value, ``m.at(value)``, a scalar value as an index, ``m.within(i, low, high)``, the
        condition ``low <= i < high``, and ``m.guard(condition, value, other)``, a choice that reads what ``value``
        loads only where the condition holds.
        """

    def convert(self, operand: Lowered, dtype: Any) -> Lowered:
        """The elements in another dtype."""

    def keep(self, operand: Lowered) -> Lowered:
        """The operand, computed by loops of its own and kept in memory."""

    # -- positions ------------------------------------------------------------------------------------------------

    def view(self, operand: Lowered, shape: Shape, index: Callable[..., Sequence[Any]]) -> Lowered:
        """Element ``i`` of the result is element ``index(*i)`` of ``operand``."""

    def broadcast_in_dim(self, operand: Lowered, shape: Shape, dimensions: Sequence[int]) -> Lowered:
        """Dimension ``d`` of ``operand`` becomes dimension ``dimensions[d]``; size 1 is repeated."""

    def reshape(self, operand: Lowered, shape: Shape) -> Lowered:
        """The same elements in row-major order."""

    def transpose(self, operand: Lowered, permutation: Sequence[int]) -> Lowered:
        """Dimension ``d`` of the result is ``permutation[d]`` of ``operand``."""

    def slice(self, operand: Lowered, start: Sequence[int], limit: Sequence[int], strides: Sequence[int]) -> Lowered:
        """Every ``strides[d]``-th element from ``start[d]`` up to, not including, ``limit[d]``."""

    def reverse(self, operand: Lowered, dimensions: Sequence[int]) -> Lowered:
        """Reversed along some dimensions."""

    def pad(self, operand: Lowered, fill: Lowered, config: Sequence[tuple[int, int, int]]) -> Lowered:
        """Surrounded by (and spread with) the 0-d ``fill``; ``config`` has (low, high, interior) per dimension."""

    def concatenate(self, operands: Sequence[Lowered], dimension: int) -> Lowered:
        """One after the other along ``dimension``."""

    # -- combinations ---------------------------------------------------------------------------------------------

    def reduce(self, operand: Lowered, monoid: str, axes: Sequence[int]) -> Lowered:
        """All elements along ``axes`` combined with one of ``MONOIDS``; the neutral element if there is none."""

    def arg_reduce(self, operand: Lowered, monoid: str, axis: int, index_dtype: Any) -> Lowered:
        """First position of the ``max`` or ``min`` along ``axis``; of the first NaN if there is one."""

    def cumulative(self, operand: Lowered, monoid: str, axis: int, reverse: bool) -> Lowered:
        """Running combination along ``axis``, from the far end if ``reverse``."""

    def recurrence(self, a: Lowered, b: Lowered, axis: int, reverse: bool) -> Lowered:
        """``h[k] = a[k] * h[k-1] + b[k]`` along ``axis`` from 0, or from the far end if ``reverse``."""

    def dot(
        self,
        a: Lowered,
        b: Lowered,
        contracting: tuple[Sequence[int], Sequence[int]],
        batch: tuple[Sequence[int], Sequence[int]],
        dtype: Any,
    ) -> Lowered:
        """General product with dimensions (batch, free of ``a``, free of ``b``), accumulated in ``dtype``."""

    def convolution(self, x: Lowered, y: Lowered, geometry: Any) -> Lowered:
        """The convolution of floating numbers that an ``ops.convolution_shapes.Geometry`` describes, with operands of
        its shapes and one dtype, in which it is accumulated."""

    # -- whole arrays -----------------------------------------------------------------------------------------------

    def scatter(
        self, operand: Lowered, shape: Shape, update: Callable[..., tuple[Sequence[Any], Any, Any]], monoid: str | None
    ) -> Lowered:
        """A copy of ``operand`` into which elements are stored one by one, in row-major order of ``shape``.

        Args:
          operand: the initial contents.
          shape: how many updates, as an index space.
          update: ``update(m, *i) -> (indices, value, condition)`` with ``m`` as in ``compute``; the element is skipped
            where ``condition`` (an ``i1`` value, or None) is false, and indices need be in range only where it holds.
          monoid: how the value is combined with what is there; None replaces it.
        """

    def sort_rows(self, operand: Lowered) -> Lowered:
        """Every row of a matrix of int32 or int64 in ascending order."""

    def top_rows(self, operand: Lowered, k: int) -> Lowered:
        """Positions, as int32, of the ``k`` greatest elements of every row, in descending order; the first of equal
        ones first, floats in their total order."""

    def library(
        self, call: LibraryCall, operands: Sequence[Lowered], avals: Sequence[ShapedArray]
    ) -> list[Lowered]:
        """What functions of a compiled library make of a batch of items (`fungrad.core.library_calls`).

        Args:
          call: the functions and their arguments.
          operands: arrays whose first dimension counts the items, as it does in the results.
          avals: types of the results.
        """

    def fourier_rows(self, operand: Lowered, inverse: bool, scale: float) -> Lowered:
        """The Fourier transform of every row of a complex matrix, times ``scale`` (the inverse is not divided).

        The length is a product of primes up to 31, and up to 4096 or a product of two such numbers.
        """

    def fourier_columns(self, operand: Lowered, inverse: bool, scale: float, whole: int = 0) -> Lowered:
        """The same along the middle one of three dimensions, of at most 4096 elements. If ``whole`` is not 0,
        results ``k`` are multiplied with ``exp(-2 pi i k l / whole)``, where ``l`` is the position along the last
        dimension (its conjugate if ``inverse``)."""

    def items(
        self, name: str, fn: Callable[..., Sequence[Any]], operands: Sequence[Lowered], avals: Sequence[ShapedArray]
    ) -> list[Lowered]:
        """What scalar code makes of small items, such as matrices, that fit in registers: one item in every lane.

        Args:
          name: for printed programs.
          fn: ``fn(m, *elements)`` gives all elements of the results; elements of an item are in row-major order.
            Equal functions must do the same.
          operands: arrays whose last dimension counts the items, as it does in the results.
          avals: types of the results.
        """

    # -- control flow ------------------------------------------------------------------------------------------------

    def scan(
        self,
        body: Any,
        consts: Sequence[Lowered],
        init: Sequence[Lowered],
        xs: Sequence[Lowered],
        length: int,
        reverse: bool,
    ) -> list[Lowered]:
        """A loop that carries values along and stacks results.

        Args:
          body: jaxpr without consts from ``(*consts, *carry, *slices)`` to ``(*carry, *slices)``; carries keep their
            types.
          consts: the same in every iteration.
          init: first carry.
          xs: arrays whose leading dimension, of size ``length``, is iterated over.
          length: number of iterations.
          reverse: go from the last slice to the first (also in the stacked results).

        Returns:
          The last carry, then the stacked results.
        """

    def while_loop(
        self,
        condition: Any,
        condition_consts: Sequence[Lowered],
        body: Any,
        body_consts: Sequence[Lowered],
        init: Sequence[Lowered],
        masked: bool = False,
    ) -> list[Lowered]:
        """Runs ``body`` (from ``(*body_consts, *carry)`` to the carry) while ``condition`` (from
        ``(*condition_consts, *carry)`` to one boolean) holds; returns the last carry. With ``masked`` the first carry
        says which examples go on, the condition whether any does, and ``body`` changes nothing in the others."""

    def cond(self, index: Lowered, branches: Sequence[Any], operands: Sequence[Lowered]) -> list[Lowered]:
        """The results of ``branches[index]``, a jaxpr of the operands; the 0-d int32 ``index`` is clamped."""

    def choose(
        self, index: Lowered, branches: Sequence[Callable[..., list[Lowered]]], operands: Sequence[Lowered]
    ) -> list[Lowered]:
        """The results of ``branches[index](ctx, *operands)``: functions that describe values as a rule does, of which
        only the one chosen is computed; all have results of the same types."""

    def inline(self, jaxpr: Any, operands: Sequence[Lowered]) -> list[Lowered]:
        """The results of a jaxpr without consts applied to ``operands``."""

    def kernel(
        self, kernel: Any, operands: Sequence[Lowered], avals: Sequence[ShapedArray] | None = None
    ) -> list[Lowered]:
        """Arrays that a function compiled by numba fills (``fungrad.extend.numba_array_kernel``).

        Args:
          kernel: called as ``kernel(*operands, *results)`` with C-contiguous arrays.
          operands: arrays that it reads.
          avals: types of the results; default those of the equation.
        """

    def host(self, primitive: Any, operands: Sequence[Lowered], params: dict[str, Any]) -> Any:
        """The operation by its NumPy ``impl``, between two pieces of native code."""
