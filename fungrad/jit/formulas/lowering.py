"""From a jaxpr to a graph of tensors: runs the ``lower`` rule of every primitive.

`Lowerer` implements ``core.lowering.Lowering``. Rules that a whole kind of primitive shares (elementwise maps,
reductions) are here; the others are methods of the primitives.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from fungrad.core.avals import ShapedArray
from fungrad.core.ir import Atom, Eqn, Jaxpr, Literal, Var
from fungrad.core.library_calls import LibraryCall
from fungrad.core.lowering import OnHost
from fungrad.jit.formulas import scalar_rules
from fungrad.jit.formulas.contraction import contraction
from fungrad.jit.formulas.indices import Axis, Idx
from fungrad.jit.formulas.recorder import Recorder
from fungrad.jit.formulas.tensors import (
    Apply,
    Compute,
    CondStep,
    ConvolutionStep,
    Element,
    Expr,
    HostStep,
    Item,
    ItemsStep,
    KernelStep,
    LibraryStep,
    Number,
    Opaque,
    Position,
    ProductStep,
    Reduction,
    RoutineStep,
    Running,
    ScanStep,
    Scatter,
    Source,
    Tensor,
    WhileStep,
)
from fungrad.jit.ir import provenance, tuning
from fungrad.jit.ir.cost import application_cost
from fungrad.jit.ir.fourier import way_of_rows
from fungrad.jit.kernels.scalars import HALF, Value, type_of
from fungrad.jit.passes import run_passes
from fungrad.ops.convolution_shapes import Geometry, Taps

_GEMM_TYPES = ("f32", "f64", "c64", "c128")

# The dtype in which running results are kept, so that their errors do not add up.
_WIDER = {"float16": np.float64, "bfloat16": np.float64, "float32": np.float64, "complex64": np.complex128}


class Graph:
    """A lowered program.

    Attributes:
      inputs: one source per input of the jaxpr, constants first.
      outputs: tensors.
      opaques: steps on whole arrays, in order.
      kept: tensors that are better computed on their own.
    """

    def __init__(self, inputs: list[Source], outputs: list[Tensor], opaques: list[Opaque], kept: set[Tensor]):
        self.inputs = inputs
        self.outputs = outputs
        self.opaques = opaques
        self.kept = kept


def lower_jaxpr(jaxpr: Jaxpr) -> Graph:
    """The graph of tensors of a jaxpr; its constants are the leading inputs."""
    lowerer = Lowerer()
    inputs = [lowerer.source(v.aval) for v in jaxpr.all_invars]
    outputs = lowerer.inline(jaxpr, inputs)
    return Graph(inputs, outputs, lowerer.opaques, lowerer.kept)


def _graph_of(fn: Callable[..., list[Tensor]], avals: Sequence[ShapedArray]) -> Graph:
    """The graph of a function that describes values."""
    lowerer = Lowerer()
    inputs = [lowerer.source(aval) for aval in avals]
    outputs = fn(lowerer, *inputs)
    return Graph(inputs, outputs, lowerer.opaques, lowerer.kept)


class Lowerer:
    """See ``core.lowering.Lowering``."""

    def __init__(self) -> None:
        self.opaques: list[Opaque] = []
        self.kept: set[Tensor] = set()
        self.out_avals: tuple[ShapedArray, ...] = ()
        self._count = 0

    # -- walking the program -----------------------------------------------------------------------------------------

    def inline(self, jaxpr: Jaxpr, operands: Sequence[Tensor]) -> list[Tensor]:
        env: dict[Var, Tensor] = dict(zip(jaxpr.all_invars, operands, strict=True))

        def read(a: Atom) -> Tensor:
            return self.literal(a) if type(a) is Literal else env[a]  # type: ignore[index]

        for eqn in jaxpr.eqns:
            before = provenance.enter(eqn)
            results = self.equation(eqn, [read(a) for a in eqn.invars])
            provenance.leave(before)
            env.update(zip(eqn.outvars, results, strict=True))
        return [read(a) for a in jaxpr.outvars]

    def equation(self, eqn: Eqn, operands: list[Tensor]) -> list[Tensor]:
        """Results of one equation, of exactly the announced types."""
        avals = tuple([v.aval for v in eqn.outvars])
        self.out_avals = avals
        primitive = eqn.primitive
        types = [t.dtype for t in operands] + [a.dtype for a in avals]
        if primitive.kind != "higher_order" and not all(scalar_rules.supports(d) for d in types):
            # Formulas hold numbers and keys; other types are computed by NumPy.
            results = self.host(primitive, operands, eqn.params)
        elif primitive.has_rule("lower"):
            results = primitive.lower(self, *operands, **eqn.params)
        else:
            results = self.default(primitive, operands, eqn.params, avals)
        if not primitive.multiple_results and not isinstance(results, (list, tuple)):
            results = [results]
        return [self._typed(primitive, r, a) for r, a in zip(results, avals, strict=True)]

    def _typed(self, primitive: Any, result: Tensor, aval: ShapedArray) -> Tensor:
        if result.shape != aval.shape or result.dtype != aval.dtype:
            raise TypeError(
                f"{primitive.name}: its lowering rule made {result.aval.str_short()} for a result of type "
                f"{aval.str_short()}"
            )
        return result

    def default(self, primitive: Any, operands: list[Tensor], params: dict[str, Any], avals: tuple) -> Any:
        """What a primitive without a ``lower`` of its own becomes."""
        if primitive.kind == "elementwise":
            types = [type_of(x.dtype) for x in (*operands, *avals)]
            rule = scalar_rules.scalar_rule(primitive, types)
            if rule is not None:
                return self._elementwise(primitive, rule, operands, params, avals, application_cost(primitive, types))
        if primitive.kind == "reduction" and hasattr(primitive, "monoid") and "axes" in params:
            return self.reduce(operands[0], _MONOID_NAMES[primitive.monoid], params["axes"])
        return self.host(primitive, operands, params)

    def _elementwise(
        self, primitive: Any, rule: Callable, operands: list[Tensor], params: dict, avals: tuple, cost: int
    ) -> Any:
        fn = partial(_call_with, rule, params) if params else rule
        dtypes = [a.dtype for a in avals]
        results = self._maps(primitive.name, fn, operands, dtypes, avals[0].shape, cost)
        return results if primitive.multiple_results else results[0]

    # -- making tensors ----------------------------------------------------------------------------------------------

    def _rank(self) -> int:
        self._count += 1
        return self._count

    def source(self, aval: ShapedArray, origin: Opaque | None = None) -> Source:
        """A new array in memory."""
        return Source(aval, self._rank(), origin)

    def literal(self, a: Literal) -> Tensor:
        """A literal operand."""
        if not scalar_rules.supports(a.aval.dtype):
            return self._constant_step(a.array._data, a.aval)
        return self.constant(a.val, a.aval.dtype)

    def _constant_step(self, value: np.ndarray, aval: ShapedArray) -> Tensor:
        """A constant of a type that formulas cannot hold, written by a host step."""
        step = HostStep([], "constant", lambda: value)
        return self._finish(step, [aval])[0]

    def _finish(self, step: Opaque, avals: Sequence[ShapedArray]) -> list[Source]:
        step.rank = self._rank()
        step.results = [self.source(a, step) for a in avals]
        self.opaques.append(step)
        return step.results

    def formula(self, shape: Sequence[int], dtype: Any, axes: Sequence[Axis], expr: Expr) -> Compute:
        return Compute(ShapedArray(tuple(shape), np.dtype(dtype)), self._rank(), axes, expr)

    def constant(self, value: Any, dtype: Any, shape: Sequence[int] = ()) -> Tensor:
        type = type_of(dtype)
        number = bool(value) if type == "i1" else _KINDS.get(type[0], int)(value)
        return self.formula(shape, dtype, _axes(shape), Number(number, type))

    def iota(self, shape: Sequence[int], dtype: Any, dimension: int) -> Tensor:
        type = type_of(dtype)
        axes = _axes(shape)
        index = Idx.of(axes[dimension])
        if type in _INDEX_TYPES:
            return self.formula(shape, dtype, axes, Position(index, type))
        return self.formula(shape, dtype, axes, Apply("convert", [Position(index, "i64")], type))

    def map(self, fn: Callable[..., Any], operands: Sequence[Tensor], dtype: Any, cost: int = 1) -> Tensor:
        return self._maps(_name_of(fn), _on_scalars(fn), operands, [dtype], _common_shape(operands), cost)[0]

    def maps(
        self, fn: Callable[..., Any], operands: Sequence[Tensor], dtypes: Sequence[Any], cost: int = 1
    ) -> list[Tensor]:
        return self._maps(_name_of(fn), _on_scalars(fn), operands, dtypes, _common_shape(operands), cost)

    def _maps(
        self,
        name: str,
        fn: Callable[..., Any],
        operands: Sequence[Tensor],
        dtypes: Sequence[Any],
        shape: tuple[int, ...],
        cost: int,
    ) -> list[Tensor]:
        axes = _axes(shape)
        position = tuple([Idx.of(a) for a in axes])
        args: list[Expr] = []
        for x in operands:
            if type(x) is Compute and type(x.expr) is Number:
                args.append(x.expr)
                continue
            # Dimensions of size 1 are repeated, and 0-d operands stand beside any.
            index = tuple([Idx.of(0) if n == 1 else i for n, i in zip(x.shape, position, strict=False)])
            args.append(Element(x, index, type_of(x.dtype)))
        types = [type_of(d) for d in dtypes]
        if len(types) == 1:
            return [self.formula(shape, dtypes[0], axes, Apply(name, args, types[0], fn, cost))]
        apply = Apply(name, args, tuple(types), fn, cost)
        return [self.formula(shape, d, axes, Item(apply, n)) for n, d in enumerate(dtypes)]

    def compute(self, shape: Sequence[int], dtype: Any, fn: Callable[..., Value]) -> Tensor:
        axes = _axes(shape)
        recorder = Recorder(axes)
        value = fn(recorder, *[Idx.of(a) for a in axes])
        if value.type != type_of(dtype):
            raise TypeError(f"compute: the formula has type {value.type}, expected {type_of(dtype)}")
        return self.formula(shape, dtype, axes, value.raw)

    def keep(self, operand: Tensor) -> Tensor:
        self.kept.add(operand)
        return operand

    # -- positions ---------------------------------------------------------------------------------------------------

    def view(self, operand: Tensor, shape: Sequence[int], index: Callable[..., Sequence[Any]]) -> Tensor:
        axes = _axes(shape)
        position = tuple([Idx.of(i) for i in index(*[Idx.of(a) for a in axes])])
        if type(operand) is Compute and type(operand.expr) is Element:
            # A view of a view reads what is behind it.
            env = dict(zip(operand.axes, position, strict=True))
            position = tuple([i.substitute(env) for i in operand.expr.index])
            operand = operand.expr.tensor
        elif type(operand) is Compute and type(operand.expr) is Number:
            return self.formula(shape, operand.dtype, axes, operand.expr)
        return self.formula(shape, operand.dtype, axes, Element(operand, position, type_of(operand.dtype)))

    def broadcast_in_dim(self, operand: Tensor, shape: Sequence[int], dimensions: Sequence[int]) -> Tensor:
        sizes = operand.shape
        return self.view(
            operand, shape, lambda *i: [i[d] if n != 1 else 0 for n, d in zip(sizes, dimensions, strict=True)]
        )

    def reshape(self, operand: Tensor, shape: Sequence[int]) -> Tensor:
        if tuple(shape) == operand.shape:
            return operand

        def index(*i: Idx) -> list[Idx]:
            flat, stride = Idx.of(0), 1
            for size, one in zip(reversed(shape), reversed(i), strict=True):
                flat = one * stride + flat
                stride *= size
            result = []
            for n, size in enumerate(reversed(operand.shape)):
                last = n == operand.ndim - 1
                result.append(Idx.of(0) if size == 1 else flat if last else flat % size)
                flat = flat // size if size else Idx.of(0)
            return result[::-1]

        if 0 in operand.shape:
            return self.view(operand, shape, lambda *i: [0] * operand.ndim)
        return self.view(operand, shape, index)

    def transpose(self, operand: Tensor, permutation: Sequence[int]) -> Tensor:
        def index(*i: Idx) -> list[Idx]:
            result: list[Any] = [None] * len(permutation)
            for one, d in zip(i, permutation, strict=True):
                result[d] = one
            return result

        return self.view(operand, [operand.shape[d] for d in permutation], index)

    def slice(self, operand: Tensor, start: Sequence[int], limit: Sequence[int], strides: Sequence[int]) -> Tensor:
        shape = [max(0, -(-(b - a) // s)) for a, b, s in zip(start, limit, strides, strict=True)]
        return self.view(operand, shape, lambda *i: [x * s + a for x, a, s in zip(i, start, strides, strict=True)])

    def reverse(self, operand: Tensor, dimensions: Sequence[int]) -> Tensor:
        shape = operand.shape
        return self.view(
            operand,
            shape,
            lambda *i: [n - 1 - x if d in dimensions else x for d, (x, n) in enumerate(zip(i, shape, strict=True))],
        )

    def pad(self, operand: Tensor, fill: Tensor, config: Sequence[tuple[int, int, int]]) -> Tensor:
        sizes = operand.shape
        shape = [max(0, lo + hi + n + max(0, n - 1) * step) for n, (lo, hi, step) in zip(sizes, config, strict=True)]

        def element(m: Recorder, *i: Idx) -> Value:
            other = m.load(fill)
            if 0 in sizes:
                return other
            condition, index = m.const(True, "i1"), []
            for one, size, (low, _, interior) in zip(i, sizes, config, strict=True):
                # Positions of the operand are `low + k * step`; everything else is filling.
                place, step = one - low, interior + 1
                condition = _both(m, condition, m.within(place, 0, (size - 1) * step + 1))
                if interior:
                    condition = _both(m, condition, m.index((place + step * abs(low)) % step) == 0)
                    index.append((place + step * abs(low)) // step - abs(low))
                else:
                    index.append(place)
            return m.guard(condition, m.load(operand, *index), other)

        return self.compute(shape, operand.dtype, element)

    def concatenate(self, operands: Sequence[Tensor], dimension: int) -> Tensor:
        operands = [x for x in operands if x.shape[dimension]] or list(operands[:1])
        if len(operands) == 1:
            return operands[0]
        if len(operands) > tuning.JOINED_PIECES:
            # Choosing among many pieces costs more than joining a few at a time.
            most = tuning.JOINED_PIECES
            size = most if len(operands) <= most**2 else -(-len(operands) // most)
            groups = [operands[n : n + size] for n in range(0, len(operands), size)]
            joined = [self.concatenate(group, dimension) for group in groups]
            self.kept.update(joined)
            return self.concatenate(joined, dimension)
        starts = np.cumsum([0] + [x.shape[dimension] for x in operands])
        shape = list(operands[0].shape)
        shape[dimension] = int(starts[-1])

        def element(m: Recorder, *i: Idx) -> Value:
            result: Value | None = None
            for x, low, high in zip(operands[::-1], starts[-2::-1], starts[:0:-1], strict=True):
                index = list(i)
                index[dimension] = i[dimension] - int(low)
                if result is None:
                    # The last piece is read where no other is.
                    last = m.load(x, *index)
                    zero = m.const(False if last.type == "i1" else 0, last.type)
                    result = m.guard(m.within(i[dimension], int(low), int(high)), last, zero)
                else:
                    result = m.guard(m.within(i[dimension], int(low), int(high)), m.load(x, *index), result)
            return result  # type: ignore[return-value]

        return self.compute(shape, operands[0].dtype, element)

    # -- combinations ------------------------------------------------------------------------------------------------

    def reduce(self, operand: Tensor, monoid: str, axes: Sequence[int]) -> Tensor:
        dtype = operand.dtype
        if not axes:
            return operand
        if type_of(dtype) in HALF and monoid == "add":
            return self.convert(self.reduce(self.convert(operand, np.float32), monoid, axes), dtype)
        product = contraction(self, operand, axes) if monoid == "add" else None
        if product is not None:
            return product
        all_axes = _axes(operand.shape)
        kept = [a for d, a in enumerate(all_axes) if d not in axes]
        reduced = [all_axes[d] for d in sorted(axes)]
        expr = _element(operand, all_axes)
        shape = tuple([a.extent for a in kept])
        if monoid == "mul" and (dtype == np.float32 or type_of(dtype) in HALF):
            aval = ShapedArray(shape, np.dtype(np.float64))
            wide = Reduction(aval, self._rank(), kept + reduced, _in_type(expr, "f64"), monoid)
            return self.convert(wide, dtype)
        return Reduction(ShapedArray(shape, dtype), self._rank(), kept + reduced, expr, monoid)

    def arg_reduce(self, operand: Tensor, monoid: str, axis: int, index_dtype: Any) -> Tensor:
        all_axes = _axes(operand.shape)
        kept = [a for d, a in enumerate(all_axes) if d != axis]
        expr = _element(operand, all_axes)
        aval = ShapedArray(tuple([a.extent for a in kept]), np.dtype(np.int64))
        found = Reduction(aval, self._rank(), [*kept, all_axes[axis]], expr, f"arg{monoid}")
        return self.convert(found, index_dtype)

    def convert(self, operand: Tensor, dtype: Any) -> Tensor:
        """The elements in another dtype."""
        type = type_of(dtype)
        if type == type_of(operand.dtype):
            return operand
        return self.map(lambda m, x: m.convert(x, type), [operand], dtype)

    def cumulative(self, operand: Tensor, monoid: str, axis: int, reverse: bool) -> Tensor:
        dtype = operand.dtype
        wide = _WIDER.get(dtype.name) if monoid in ("add", "mul", "logaddexp") else None
        if monoid == "add" and wide is np.float64 and math.prod(operand.shape[axis + 1 :]) == 1:
            # the state of a sum of float32 alone is kept in double precision
            wide = np.float32
        axes = _axes(operand.shape)
        expr: Expr = _element(operand, axes)
        if wide is not None:
            expr = _in_type(expr, type_of(wide))
        return Running(ShapedArray(operand.shape, dtype), self._rank(), axes, expr, monoid, axis, reverse)

    def recurrence(self, a: Tensor, b: Tensor, axis: int, reverse: bool) -> Tensor:
        dtype = b.dtype
        type = type_of(_WIDER.get(dtype.name, dtype))
        axes = _axes(b.shape)
        # Nothing comes before the first element, whose factor may be anything.
        first = Number(b.shape[axis] - 1 if reverse else 0, "i64")
        at_first = Apply("eq", [Position(Idx.of(axes[axis]), "i64"), first], "i1")
        zero = Number(0, type)
        factor = Apply("select", [at_first, zero, _in_type(_element(a, axes), type)], type)
        term = _in_type(_element(b, axes), type)
        aval = ShapedArray(b.shape, dtype)
        return Running(aval, self._rank(), axes, term, "linear", axis, reverse, factor)

    def dot(
        self,
        a: Tensor,
        b: Tensor,
        contracting: tuple[Sequence[int], Sequence[int]],
        batch: tuple[Sequence[int], Sequence[int]],
        dtype: Any,
    ) -> Tensor:
        type = type_of(dtype)
        if type in HALF:
            return self.convert(self.dot(a, b, contracting, batch, np.float32), dtype)
        a, b = self.convert(a, dtype), self.convert(b, dtype)
        a_free = [d for d in range(a.ndim) if d not in contracting[0] and d not in batch[0]]
        b_free = [d for d in range(b.ndim) if d not in contracting[1] and d not in batch[1]]
        # Operands as (batch, rows, inner) and (batch, inner, columns); the result is (batch, rows, columns).
        a = self._permuted(a, [*batch[0], *a_free, *contracting[0]])
        b = self._permuted(b, [*batch[1], *contracting[1], *b_free])
        groups = (len(batch[0]), len(a_free), len(contracting[0]), len(b_free))
        shape = a.shape[: groups[0] + groups[1]] + b.shape[groups[0] + groups[2] :]
        rows = math.prod(a.shape[groups[0] : groups[0] + groups[1]])
        inner = math.prod(a.shape[groups[0] + groups[1] :])
        columns = math.prod(b.shape[groups[0] + groups[2] :])
        if inner == 1:
            return self._outer(a, b, groups, shape, dtype)
        if type not in _GEMM_TYPES or min(rows, columns) <= 1 or rows * columns * inner <= tuning.SMALL_PRODUCT:
            return self._dot_loops(a, b, groups, shape, dtype)
        # the products of the blocks are together at most an eighth of the operands
        deep = max(tuning.DEEP_BLOCK, 8 * rows * columns // (rows + columns))
        if inner >= tuning.DEEP_PRODUCT and inner >= 4 * deep and type in ("f32", "c64"):
            return self._deep_dot(a, b, groups, shape, dtype, deep)
        step = ProductStep([a, b], groups, (rows, inner, columns))
        return self._finish(step, [ShapedArray(shape, np.dtype(dtype))])[0]

    def _deep_dot(self, a: Tensor, b: Tensor, groups: tuple, shape: tuple[int, ...], dtype: Any, deep: int) -> Tensor:
        """A product with very many terms per element: those of blocks of about `deep` terms, added up in levels. A
        single product adds one sum of some hundred terms to the next."""
        n_batch, n_rows, n_inner, n_columns = groups
        at = n_batch + n_rows, n_batch  # where the first contracted dimension is
        extent = a.shape[at[0]]
        size = max(1, deep // math.prod(a.shape[at[0] + 1 : at[0] + n_inner]))
        blocks = extent // size

        def part(x: Tensor, d: int, first: int, last: int) -> Tensor:
            start, stop = [0] * x.ndim, list(x.shape)
            start[d], stop[d] = first, last
            return x if last - first == x.shape[d] else self.slice(x, start, stop, [1] * x.ndim)

        def product(x: Tensor, y: Tensor, more: int, result: tuple[int, ...]) -> Tensor:
            sizes = (
                math.prod(x.shape[more + n_batch : more + at[0]]),
                math.prod(x.shape[more + at[0] :]),
                math.prod(y.shape[more + n_batch + n_inner :]),
            )
            step = ProductStep([x, y], (n_batch + more, n_rows, n_inner, n_columns), sizes)
            return self._finish(step, [ShapedArray(result, np.dtype(dtype))])[0]

        pieces: list[Tensor] = []
        for x, d in ((a, at[0]), (b, at[1])):
            x = part(x, d, 0, blocks * size)
            x = self.reshape(x, (*x.shape[:d], blocks, size, *x.shape[d + 1 :]))
            pieces.append(self.transpose(x, [d, *[k for k in range(x.ndim) if k != d]]))
        total = self.reduce(product(pieces[0], pieces[1], 1, (blocks, *shape)), "add", [0])
        if blocks * size == extent:
            return total
        rest = product(part(a, at[0], blocks * size, extent), part(b, at[1], blocks * size, extent), 0, shape)
        return self.map(lambda m, x, y: x + y, [total, rest], dtype)

    def _permuted(self, x: Tensor, order: list[int]) -> Tensor:
        return x if order == list(range(x.ndim)) else self.transpose(x, order)

    def _outer(self, a: Tensor, b: Tensor, groups: tuple, shape: tuple[int, ...], dtype: Any) -> Tensor:
        """A product with a single term per element: a formula that fuses with its users."""
        n_batch, n_rows, n_inner, _ = groups
        axes = _axes(shape)
        index = [Idx.of(x) for x in axes]
        zeros = [Idx.of(0)] * n_inner
        type = type_of(dtype)
        x = Element(a, tuple(index[: n_batch + n_rows] + zeros), type)
        y = Element(b, tuple(index[:n_batch] + zeros + index[n_batch + n_rows :]), type)
        return self.formula(shape, dtype, axes, Apply("and" if type == "i1" else "mul", [x, y], type))

    def _dot_loops(self, a: Tensor, b: Tensor, groups: tuple, shape: tuple[int, ...], dtype: Any) -> Tensor:
        n_batch, n_rows, n_inner, n_columns = groups
        axes = _axes(shape)
        inner = _axes(a.shape[n_batch + n_rows :])
        index = [Idx.of(x) for x in axes]
        k = [Idx.of(x) for x in inner]
        type = type_of(dtype)
        x = Element(a, tuple(index[: n_batch + n_rows] + k), type)
        y = Element(b, tuple(index[:n_batch] + k + index[n_batch + n_rows :]), type)
        aval = ShapedArray(shape, np.dtype(dtype))
        op, monoid = ("and", "or") if type == "i1" else ("mul", "add")
        product = Apply(op, [x, y], type)
        return Reduction(aval, self._rank(), axes + inner, product, monoid)

    def convolution(self, x: Tensor, y: Tensor, geometry: Geometry) -> Tensor:
        if len(geometry.axes) < 2:
            # Lines are columns of a single line.
            more = geometry._replace(axes=(Taps(1, 1, 1),) * (2 - len(geometry.axes)) + geometry.axes)
            skip = len(more.axes) - len(geometry.axes)
            x = self.view(x, more.operand_shape, lambda *i: [*i[:2], *i[2 + skip :]])
            y = self.view(y, more.kernel_shape, lambda *i: [i[0], *i[1 + skip :]])
            out = self.convolution(x, y, more)
            return self.view(out, geometry.result_shape, lambda *i: [i[0], *[0] * skip, *i[1:]])
        batch, *spatial, groups, outputs = shape = geometry.result_shape
        rank = len(spatial)
        results, taps = math.prod(spatial), math.prod(a.kernel for a in geometry.axes)

        def made(routine: str, operands: list[Tensor], shape: Sequence[int]) -> Tensor:
            return self._finish(ConvolutionStep(operands, routine, geometry), [ShapedArray(tuple(shape), x.dtype)])[0]

        if taps > results and taps >= tuning.DEEP_CONVOLUTION:
            most = max(2, tuning.CONVOLUTION_PIECES_BYTES // (math.prod(shape) * x.dtype.itemsize))
            pieces = min(tuning.CONVOLUTION_PIECES, geometry.features * -(-taps // tuning.CONVOLUTION_TAPS), most)
            if groups > 1 and batch == outputs == 1 and results <= tuning.DEEP_RESULTS:
                # Groups have nothing to do with each other: they are the lanes.
                x = self.view(x, (*x.shape[-1:], *x.shape[2:-1], groups), lambda c, *i: [i[-1], 0, *i[:-1], c])
                y = self.view(y, (*y.shape[-2:-1], *y.shape[1:-2], groups), lambda c, *i: [i[-1], *i[:-1], c, 0])
                total = self.reduce(made("conv_deep_each", [x, y], (pieces, *spatial, groups)), "add", [0])
                return self.reshape(total, shape)
            total = self.reduce(made("conv_deep", [x, y], (pieces, *spatial, batch, groups, outputs)), "add", [0])
            return self.transpose(total, [rank, *range(rank), rank + 1, rank + 2])
        if groups > 1 and geometry.features == outputs == 1:
            x = self.view(x, (*x.shape[1:-1], groups), lambda *i: [i[-1], *i[:-1], 0])
            y = self.view(y, (*y.shape[1:-2], groups), lambda *i: [i[-1], *i[:-1], 0, 0])
            return self.reshape(made("conv_each", [x, y], shape[:-1]), shape)
        columns = min(geometry.outputs, tuning.PANEL_BYTES // x.dtype.itemsize)
        panels = -(-geometry.outputs // columns)

        def element(m: Recorder, group: Idx, panel: Idx, *i: Idx) -> Value:
            *place, column = i
            output = panel * columns + column
            value = m.load(y, group, *place, output)
            return m.guard(m.within(output, 0, geometry.outputs), value, m.const(0, value))

        kernel = (geometry.groups, panels, *geometry.kernel_shape[1:-1], columns)
        if panels == 1:
            packed = self.view(y, kernel, lambda group, panel, *i: [group, *i])
        else:
            packed = self.compute(kernel, y.dtype, element)
        return made("conv", [x, packed], shape)

    # -- whole arrays ------------------------------------------------------------------------------------------------

    def scatter(
        self,
        operand: Tensor,
        shape: Sequence[int],
        update: Callable[..., tuple[Sequence[Any], Value, Value | None]],
        monoid: str | None,
    ) -> Tensor:
        axes = _axes(shape)
        recorder = Recorder(axes)
        indices, value, condition = update(recorder, *[Idx.of(a) for a in axes])
        target = [recorder.at(i) for i in indices]
        # Updates go into a copy, which the buffer planner makes the operand itself where nobody else needs that.
        own = _axes(operand.shape)
        base = self.formula(operand.shape, operand.dtype, own, _element(operand, own))
        where = None if condition is None else condition.raw
        distinct = _distinct(axes, target)
        return Scatter(base, self._rank(), axes, value.raw, target, where, monoid, distinct)

    def sort_rows(self, operand: Tensor) -> Tensor:
        return self._finish(RoutineStep([operand], "sort"), [operand.aval])[0]

    def top_rows(self, operand: Tensor, k: int) -> Tensor:
        aval = ShapedArray((operand.shape[0], k), np.dtype(np.int32))
        return self._finish(RoutineStep([operand], "topk"), [aval])[0]

    def library(self, call: LibraryCall, operands: Sequence[Tensor], avals: Sequence[ShapedArray]) -> list[Tensor]:
        if not avals[0].shape[0]:
            return [self.constant(0, a.dtype, a.shape) for a in avals]
        results = self._finish(LibraryStep(operands, call), avals)
        # Nothing is read of a result without elements.
        return [r if r.aval.size else self.constant(0, r.dtype, r.shape) for r in results]

    def fourier_rows(self, operand: Tensor, inverse: bool, scale: float) -> Tensor:
        rows, n = operand.shape
        avals = [operand.aval]
        if way_of_rows(rows, n) == "stepped":
            avals.append(operand.aval)
        attributes = {"along": "rows", "inverse": inverse, "scale": scale, "whole": 0}
        return self._finish(RoutineStep([operand], "fft", attributes), avals)[0]

    def fourier_columns(self, operand: Tensor, inverse: bool, scale: float, whole: int = 0) -> Tensor:
        attributes = {"along": "columns", "inverse": inverse, "scale": scale, "whole": whole}
        return self._finish(RoutineStep([operand], "fft", attributes), [operand.aval])[0]

    def items(
        self, name: str, fn: Callable[..., Sequence[Value]], operands: Sequence[Tensor], avals: Sequence[ShapedArray]
    ) -> list[Tensor]:
        return list(self._finish(ItemsStep(operands, name, fn), avals))

    # -- control flow ------------------------------------------------------------------------------------------------

    def scan(
        self,
        body: Jaxpr,
        consts: Sequence[Tensor],
        init: Sequence[Tensor],
        xs: Sequence[Tensor],
        length: int,
        reverse: bool,
    ) -> list[Tensor]:
        graph = lower_jaxpr(run_passes(body))
        groups = (len(consts), len(init), len(xs))
        step = ScanStep([*consts, *init, *xs], graph, groups, length, reverse, effects=body.has_effects)
        avals = list(body.out_avals)
        n = len(init)
        stacked = [a.update(shape=(length, *a.shape)) for a in avals[n:]]
        return list(self._finish(step, avals[:n] + stacked))

    def while_loop(
        self,
        condition: Jaxpr,
        condition_consts: Sequence[Tensor],
        body: Jaxpr,
        body_consts: Sequence[Tensor],
        init: Sequence[Tensor],
        masked: bool = False,
    ) -> list[Tensor]:
        groups = (len(condition_consts), len(body_consts), len(init))
        test, graph = lower_jaxpr(run_passes(condition)), lower_jaxpr(run_passes(body))
        effects = condition.has_effects or body.has_effects
        step = WhileStep([*condition_consts, *body_consts, *init], test, graph, groups, masked, effects=effects)
        return list(self._finish(step, body.out_avals))

    def cond(self, index: Tensor, branches: Sequence[Jaxpr], operands: Sequence[Tensor]) -> list[Tensor]:
        index = self.convert(index, np.int32)
        last = len(branches) - 1
        index = self.map(lambda m, i: m.clamp(m.const(0, i), i, m.const(last, i)), [index], np.int32)
        avals = branches[0].out_avals
        if all(_is_small(b) for b in branches):
            # A few operations on single numbers: computing all branches costs less than choosing one.
            results = [self.inline(run_passes(b), operands) for b in branches]
            choose = scalar_rules.TABLE["select_n"]
            return [
                self._maps("select_n", choose, [index, *cases], [a.dtype], (), 1)[0]
                for a, cases in zip(avals, zip(*results, strict=True), strict=True)
            ]
        graphs = [lower_jaxpr(run_passes(b)) for b in branches]
        step = CondStep([index, *operands], graphs, effects=any(b.has_effects for b in branches))
        return list(self._finish(step, avals))

    def choose(
        self, index: Tensor, branches: Sequence[Callable[..., list[Tensor]]], operands: Sequence[Tensor]
    ) -> list[Tensor]:
        graphs = [_graph_of(branch, [x.aval for x in operands]) for branch in branches]
        step = CondStep([self.convert(index, np.int32), *operands], graphs)
        return list(self._finish(step, [t.aval for t in graphs[0].outputs]))

    def kernel(
        self, kernel: Any, operands: Sequence[Tensor], avals: Sequence[ShapedArray] | None = None
    ) -> list[Tensor]:
        step = KernelStep(operands, kernel)
        return list(self._finish(step, self.out_avals if avals is None else avals))

    def host(self, primitive: Any, operands: Sequence[Tensor], params: dict[str, Any]) -> Any:
        fn: Any = OnHost(primitive, params)
        step = HostStep(operands, primitive.name, fn, effects=primitive.has_effects)
        results = self._finish(step, self.out_avals)
        return results if primitive.multiple_results else results[0]


# What Python numbers of a type are, by the first letter of its name; integers are the rest.
_KINDS: dict[str, Callable[[Any], Any]] = {"f": float, "b": float, "c": complex}
_INDEX_TYPES = ("i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64")
_MONOID_NAMES = {
    **{m: m for m in ("add", "mul", "max", "min", "and", "or", "xor")},
    "sum": "add",
    "prod": "mul",
}


def _call_with(rule: Callable, params: dict[str, Any], m: Any, *xs: Any) -> Any:
    return rule(m, *xs, **params)


def _is_small(jaxpr: Jaxpr) -> bool:
    """Whether a jaxpr is a handful of cheap operations on single numbers without effects."""
    if len(jaxpr.eqns) > tuning.SMALL_BRANCH or jaxpr.has_effects:
        return False
    avals = [v.aval for e in jaxpr.eqns for v in e.outvars] + list(jaxpr.out_avals)
    return all(a.shape == () and scalar_rules.supports(a.dtype) for a in avals) and all(
        e.primitive.kind == "elementwise" and application_cost(e.primitive) <= tuning.CHEAP_IN_LOOPS for e in jaxpr.eqns
    )


def _distinct(axes: Sequence[Axis], target: Sequence[Idx]) -> bool:
    """Whether different positions have different targets: every axis alone moves one dimension of the target."""
    alone = set()
    for index in target:
        moving = index.axes() - {a for a in axes if a.extent == 1}
        if len(moving) == 1 and moving <= set(index.terms):
            # The axis must not move a computed part too.
            (axis,) = moving
            if not any(axis in p.axes() for d in index.dynamics() for p in d.positions):
                alone.add(axis)
    return alone >= {a for a in axes if a.extent > 1}


def _on_scalars(fn: Callable[..., Any]) -> Callable[..., Any]:
    """A scalar function of a rule, given a builder with every elementwise primitive."""
    return lambda m, *xs: fn(scalar_rules.Scalars(m), *xs)


def _in_type(expr: Expr, type: str) -> Expr:
    """A formula converted to a type."""
    return expr if expr.type == type else Apply("convert", [expr], type)


def _axes(shape: Sequence[int]) -> list[Axis]:
    return [Axis(int(n)) for n in shape]


def _element(operand: Tensor, axes: Sequence[Axis]) -> Element:
    """The element of a tensor at the position that its axes have."""
    return Element(operand, tuple([Idx.of(a) for a in axes]), type_of(operand.dtype))


def _common_shape(operands: Sequence[Tensor]) -> tuple[int, ...]:
    """Shape of an elementwise result: ranks are equal (or 0), and dimensions of size 1 are repeated."""
    shapes = [x.shape for x in operands if x.shape]
    return tuple([next((n for n in column if n != 1), 1) for column in zip(*shapes, strict=True)])


def _name_of(fn: Callable) -> str:
    name = getattr(fn, "__name__", "map")
    return "map" if name.startswith("<") else name


def _both(m: Recorder, a: Value, b: Value) -> Value:
    if type(a.raw) is Number and a.raw.value:
        return b
    if type(b.raw) is Number and b.raw.value:
        return a
    return a & b
