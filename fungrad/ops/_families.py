"""Constructors of families of primitives: what similar operations share is written here once.

An elementwise primitive is one call: its NumPy function, the dtypes it accepts and its derivative; typing, batching,
linearity and transposition follow.

May import ``core``, ``ops._operands`` and ``ops.foundation``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np

from fungrad.core import dtypes
from fungrad.core.array import narrowed, wrap_unchecked
from fungrad.core.avals import ShapedArray, Zero
from fungrad.core.context import AxisData, evaluate
from fungrad.core.evaluation import binary_bind, unary_bind
from fungrad.core.float_errors import SILENT, silence, unsilence
from fungrad.core.primitive import Primitive
from fungrad.ops._operands import check_kind, constant
from fungrad.ops.foundation import (
    add_any,
    add_any_p,
    broadcast,
    broadcast_in_dim,
    broadcast_in_dim_p,
    linearize_linear,
    move_dim,
    reduce_sum,
    reshape,
    unbroadcast_now,
)

# -- partial derivatives -------------------------------------------------------------------------------------------


def _primitive(name: str) -> Primitive:
    try:
        return Primitive.named(name)
    except KeyError as error:
        raise AttributeError(error.args[0]) from None


class _OfArrays:
    """The elementwise primitives by name, on arrays and tracers; Python numbers take the dtype of the first array."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        primitive = _primitive(name)

        def operation(*xs: Any) -> Any:
            like = next(x for x in xs if type(x) is not float)
            return primitive.bind(*[constant(like, x) if type(x) is float else x for x in xs])

        setattr(self, name, operation)
        return operation


class _OfNumbers:
    """The same on ndarrays and NumPy scalars, where Python numbers are weak."""

    add, sub, mul, div, neg = np.add, np.subtract, np.multiply, np.divide, np.negative

    def __getattr__(self, name: str) -> Callable[..., Any]:
        operation = _primitive(name).impl
        setattr(self, name, operation)
        return operation


_of_arrays, _of_numbers = _OfArrays(), _OfNumbers()


# -- elementwise ---------------------------------------------------------------------------------------------------


class Elementwise(Primitive):
    """An operation applied element by element.

    Operands have the same shape, except that dimensions of size 1 are repeated and 0-d operands may stand beside
    others; they have the same dtype unless the primitive says otherwise. The result is weak if all operands are.

    Args:
      name: name of the primitive.
      impl: NumPy function of the operands and the parameters.
      accepts: letters of the accepted dtype kinds (``kind_of``).
      jvp: where ``partial`` does not serve: for unary primitives ``rule(g, x, y, **params)``, for others a tuple with
        one rule ``rule(g, y, *xs, **params)`` (or None) per operand, where ``g`` is a tangent and ``y`` the result.
        Without either, derivatives are zero.
      partial: the derivative of a unary primitive, ``partial(m, x, y)``, written with the primitives ``m`` (as in
        ``m.mul(2.0, x)``): the rule for tangents follows from it, and the short form on ndarrays for eager
        differentiation.
      result: function from operand dtype to result dtype; default the same.
      scalar: ``rule(m, *xs, **params)`` native code in terms of a scalar builder; default the builder's method of this
        name.
      arity: number of operands.
      cheap, commutative: facts for the compiler.
      cost, complex_cost: of the operation on real and on complex numbers, in additions; default 1 and 2 if it is cheap,
        else that of an elementary function.
      mixed: operands may have different dtypes; ``result`` then gets all dtypes.
    """

    kind = "elementwise"
    quiet = True
    # Whether the number of operands varies.
    variadic = False
    # The primitive that multiplies, which is one of this family.
    product: ClassVar[Elementwise]

    def __init__(
        self,
        name: str,
        impl: Callable[..., Any],
        accepts: str,
        jvp: Any = None,
        *,
        result: Callable[..., np.dtype] | None = None,
        scalar: Callable[..., Any] | None = None,
        arity: int = 1,
        cheap: bool = False,
        commutative: bool = False,
        mixed: bool = False,
        partial: Callable[[Any, Any, Any], Any] | None = None,
        cost: int | None = None,
        complex_cost: int | None = None,
    ):
        super().__init__(name)
        self.cost = cost
        self.complex_cost = complex_cost
        self.impl = impl  # type: ignore[method-assign]
        self.accepts = accepts
        self.jvp_rule: Any = jvp if partial is None else self._times_partial
        self.result_dtype = result
        self.scalar = scalar
        if getattr(scalar, "primitive", "") is None:
            scalar.primitive = name  # type: ignore[union-attr]  # a kernel: its messages name the primitive
        self.arity = arity
        self.cheap = cheap
        self.commutative = commutative
        self.mixed = mixed
        self.partial = partial
        if partial is not None:
            self.linearize_now = self._linearize_by_partial
        elif jvp is None and type(self).jvp is Elementwise.jvp:
            self.linearize_now = self._linearize_to_zero
        if arity <= 2 and not self.variadic:
            self.bind = unary_bind(self) if arity == 1 else binary_bind(self)  # type: ignore[method-assign]

    def abstract_eval(self, *avals: ShapedArray, **params: Any) -> ShapedArray:
        if len(avals) != self.arity:
            raise TypeError(f"fungrad.lax.{self.name}: expected {self.arity} operands, got {len(avals)}")
        first = avals[0]
        shape = self._common_shape(avals)
        for position, aval in enumerate(avals):
            check_kind(self.name, aval, self.accepts, position if len(avals) > 1 else None)
            if aval.dtype != first.dtype and not self.mixed:
                types = ", ".join(a.str_short() for a in avals)
                raise TypeError(
                    f"fungrad.lax.{self.name}: operands must have the same dtype, got {types}; convert one with "
                    ".astype, or use the function of fungrad.numpy, which promotes"
                )
        # Booleans have no kind to yield to; only what is made of one of them, or of weak numbers, stays weak.
        weak = all(a.weak_type for a in avals) and (len(avals) == 1 or not dtypes.is_bool(first.dtype))
        if self.result_dtype is None:
            return ShapedArray(shape, first.dtype, weak)
        dtype = self.result_dtype(*[a.dtype for a in avals]) if self.mixed else self.result_dtype(first.dtype)
        return ShapedArray(shape, dtype, weak)

    def abstract(self, avals: tuple[ShapedArray, ...], params: dict[str, Any]) -> Any:
        aval = super().abstract(avals, params)
        if aval.dtype in dtypes.small_integers:
            self.memo.pop(avals, None)  # so that `bind` does not take what NumPy returns as it is
        return aval

    def specialized(self, avals: tuple[ShapedArray, ...], params: dict[str, Any]) -> Callable[..., Any]:
        function = super().specialized(avals, params)
        dtype = self.abstract(avals, params).dtype
        if dtype not in dtypes.small_integers:
            return function
        return lambda *xs: narrowed(function(*xs), dtype)

    def _common_shape(self, avals: Sequence[ShapedArray]) -> tuple[int, ...]:
        shapes = {a.shape for a in avals if a.shape}
        if len(shapes) <= 1:
            return shapes.pop() if shapes else ()
        sizes = [{d for d in column if d != 1} or {1} for column in zip(*shapes, strict=False)]
        if len({len(s) for s in shapes}) > 1 or any(len(s) > 1 for s in sizes):
            listed = ", ".join(str(a.shape) for a in avals)
            raise TypeError(
                f"fungrad.lax.{self.name}: operands must have equal shapes (dimensions of size 1 are repeated, 0-d "
                f"operands may stand beside any), got {listed}; reshape them, or use the function of fungrad.numpy, "
                "which broadcasts"
            )
        return tuple([s.pop() for s in sizes])

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any], **params: Any) -> tuple[Any, Any]:
        y = self.bind(*primals, **params)
        rule = self.jvp_rule
        if rule is None:
            return y, Zero(y.aval.tangent())
        if self.arity == 1:
            return y, rule(tangents[0], primals[0], y, **params)
        total: Any = None
        for position, g in enumerate(tangents):
            if type(g) is Zero or rule[position] is None:
                continue
            t = rule[position](g, y, *primals, **params)
            if t.aval.shape != y.aval.shape:
                t = broadcast(t, y.aval.shape)
            total = t if total is None else add_any(total, t)
        return y, Zero(y.aval.tangent()) if total is None else total

    def _times_partial(self, g: Any, x: Any, y: Any) -> Any:
        return self.product.bind(g, self.partial(_of_arrays, x, y))  # type: ignore[misc]

    def _linearize_by_partial(
        self, record: Any, primals: Sequence[Any], tangents: Sequence[Any], params: dict
    ) -> tuple[Any, Any]:
        (x,) = primals
        dtype = x.aval.dtype
        if dtype is not dtypes.float32 and dtype is not dtypes.float64:
            return NotImplemented
        aval = self.memo.get((x.aval,))
        if aval is None:
            aval = self.abstract((x.aval,), params)
        token = silence(SILENT)
        try:
            data = self.impl(x._data)
            partial = self.partial(_of_numbers, x._data, data)  # type: ignore[misc]
        finally:
            unsilence(token)
        y = wrap_unchecked(data if type(data) is np.ndarray else np.asarray(data), aval)
        slope = wrap_unchecked(partial if type(partial) is np.ndarray else np.asarray(partial), aval)
        (g,) = tangents
        return y, record(Elementwise.product, (g, slope), {}, aval if g.aval is x.aval else None)

    def _linearize_to_zero(
        self, record: Any, primals: Sequence[Any], tangents: Sequence[Any], params: dict
    ) -> tuple[Any, Any]:
        return evaluate(self, primals, params), None

    def batch(self, axis: AxisData, args: Sequence[Any], dims: Sequence[int | None], **params: Any) -> tuple[Any, Any]:
        if len(args) == 1:
            return self.bind(*args, **params), dims[0]
        args, dim = align_batch(args, dims)
        return self.bind(*args, **params), dim


def sum_of_terms(record: Any, terms: Sequence[Any], aval: ShapedArray) -> Any:
    """The sum of the tangents that are not None, each repeated to the shape of the result, for ``linearize_now``."""
    total = None
    for term in terms:
        if term is None:
            continue
        shape = term.aval.shape
        if shape != aval.shape:
            dims = tuple(range(len(shape)))
            term = record(broadcast_in_dim_p, (term,), {"shape": aval.shape, "broadcast_dimensions": dims})
        total = term if total is None else record(add_any_p, (total, term), {})
    return total


def align_batch(args: Sequence[Any], dims: Sequence[int | None]) -> tuple[list[Any], int]:
    """Operands of an elementwise operation with all batches in one dimension, and that dimension.

    Operands without a batch stay as they are if 0-d, and get a dimension of size 1 otherwise.
    """
    batched = {d for d in dims if d is not None}
    ranks = {x.aval.ndim - (d is not None) for x, d in zip(args, dims, strict=True)} - {0}
    rank = max(ranks, default=0)
    if len(batched) == 1:
        dim = batched.pop()
        if all(x.aval.ndim == rank + 1 if d is not None else not x.aval.shape for x, d in zip(args, dims, strict=True)):
            return list(args), dim
    # The batch goes to the front; operands that are 0-d per example get trailing dimensions of size 1.
    out = []
    for x, d in zip(args, dims, strict=True):
        shape = x.aval.shape
        if d is None:
            out.append(broadcast_in_dim(x, (1, *shape), tuple(range(1, len(shape) + 1))) if shape else x)
            continue
        x = move_dim(x, d, 0)
        if x.aval.ndim != rank + 1:
            x = broadcast_in_dim(x, (x.aval.shape[0],) + (1,) * rank, (0,))
        out.append(x)
    return out, 0


def unbroadcast(ct: Any, aval: ShapedArray) -> Any:
    """The cotangent of an operand that was repeated to the shape of ``ct``: sums over the repetitions."""
    shape = ct.aval.shape
    if aval.shape == shape:
        return ct
    if not aval.shape:
        return reduce_sum(ct, tuple(range(len(shape))))
    axes = tuple(d for d, (n, m) in enumerate(zip(aval.shape, shape, strict=True)) if n != m)
    return reshape(reduce_sum(ct, axes), aval.shape)


def unbroadcast_like(ct: Any, aval: ShapedArray) -> Any:
    """``unbroadcast`` of an ndarray or NumPy scalar."""
    shape = ct.shape
    if aval.shape == shape:
        return ct
    return unbroadcast_now(ct, aval, shape, tuple(range(len(shape))) if aval.shape else ())


class LinearElementwise(Elementwise):
    """An elementwise operation linear in its single operand: ``rule(ct, aval)`` is its transpose."""

    def __init__(self, name: str, impl: Callable[..., Any], accepts: str, transpose: Callable[..., Any], **facts: Any):
        super().__init__(name, impl, accepts, lambda g, x, y, **params: self.bind(g, **params), **facts)
        self.transpose_rule = transpose

    def linearize_now(self, record: Any, primals: Sequence[Any], tangents: Sequence[Any], params: dict) -> tuple:
        return linearize_linear(self, record, primals, tangents, params)

    def transpose(self, ct: Any, *args: Any, **params: Any) -> Sequence[Any]:
        return (self.transpose_rule(ct, args[0].aval, **params),)
