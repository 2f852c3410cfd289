"""``reduce_window``: combining the elements of sliding windows with any function.

Sums, maxima and minima become the primitives of ``fungrad.ops.reduce_window``; other functions are kept as a jaxpr
of scalars, which runs on all windows at once, one position of the window after the other.

May import ``core``, ``ops``, ``transforms`` and ``control``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fungrad.control.reduction import row, trace_computation
from fungrad.control.scan import scan
from fungrad.core import tree
from fungrad.core.array import ArrayImpl
from fungrad.core.avals import ShapedArray
from fungrad.core.context import AnonymousAxis, AxisData
from fungrad.core.ir import Jaxpr, eval_jaxpr
from fungrad.core.primitive import Primitive
from fungrad.core.staging import DebugInfo, trace_flat
from fungrad.core.treedef import structure_text
from fungrad.ops._operands import constant, kind_of, lift_pair, scalar_array
from fungrad.ops.compare import select
from fungrad.ops.dynamic import dynamic_slice
from fungrad.ops.elementwise import div, mul, rem
from fungrad.ops.foundation import batch_to, broadcast_in_dim
from fungrad.ops.reduce import NEUTRAL
from fungrad.ops.reduce_window import reduce_window_max_p, reduce_window_min_p, reduce_window_sum_p
from fungrad.ops.shape import iota, pad_p, slice_p
from fungrad.ops.sliding import Sliding, padded, slices_at, sliding, window_params
from fungrad.ops.sliding_lowering import place, spread_operand
from fungrad.transforms.batching import batch_jaxpr
from fungrad.transforms.forward import jvp_flat

# The reduction that combines with each binary primitive.
_REDUCTIONS = {"add": reduce_window_sum_p, "max": reduce_window_max_p, "min": reduce_window_min_p}

# The dimensions of the result, along which the scalar computation is mapped.
_POSITIONS = AnonymousAxis()

# Windows of at most this many elements are written out when differentiated or compiled; larger ones are a loop.
_WRITTEN_OUT = 64


class ReduceWindow(Primitive):
    """Combines the elements of windows, in row-major order, by a jaxpr of scalars: accumulators and elements to
    accumulators. Operands are n arrays of one shape followed by n initial values; places of a window without an
    element are left out.
    """

    kind = "higher_order"
    multiple_results = True

    def abstract_eval(self, *avals: ShapedArray, jaxpr: Jaxpr, **params: Any) -> Sequence[ShapedArray]:
        count = len(avals) // 2
        result = sliding(avals[0].shape, **params).result
        for x, init in zip(avals[:count], avals[count:], strict=True):
            if init.shape or init.dtype != x.dtype:
                raise TypeError(
                    f"fungrad.lax.reduce_window: initial values must be scalars of the dtypes of the operands, got "
                    f"{init.str_short()} for {x.str_short()}"
                )
        return [ShapedArray(result, out.dtype) for out in jaxpr.out_avals]

    def impl(self, *args: np.ndarray, jaxpr: Jaxpr, **params: Any) -> Sequence[np.ndarray]:
        count = len(args) // 2
        s = sliding(args[0].shape, **params)
        size = int(np.prod(s.result))
        step, _ = batch_jaxpr(jaxpr, AxisData(_POSITIONS, size), [0] * (2 * count), True)
        xs = [padded(x, s, 0) for x in args[:count]]
        there = padded(np.ones(s.operand, bool), s, False)
        carry = [np.broadcast_to(init, (size,)) for init in args[count:]]
        if not size:
            return [np.empty(s.result, x.dtype) for x in carry]
        for k in s.positions:
            at = slices_at(s, k)
            values = [row(np.ascontiguousarray(x[at]).reshape(size)) for x in xs]
            outs = eval_jaxpr(step, step.consts, *[row(np.ascontiguousarray(c)) for c in carry], *values)
            inside = there[at].reshape(size)
            new = [out._concrete("reduce_window") for out in outs]
            carry = [a if inside.all() else np.where(inside, a, b) for a, b in zip(new, carry, strict=True)]
        return [np.ascontiguousarray(c).reshape(s.result) for c in carry]

    def jvp(
        self, primals: Sequence[Any], tangents: Sequence[Any], *, jaxpr: Jaxpr, **params: Any
    ) -> tuple[Any, Any]:
        outs = self.bind(*primals, jaxpr=jaxpr, **params)

        def fun(*args: Any) -> list[Any]:
            return _by_slices(args, jaxpr, params)

        return outs, jvp_flat(fun, primals, tangents, "jvp of reduce_window")[1]

    def batch(
        self, axis: AxisData, args: Sequence[Any], dims: Sequence[Any], *, jaxpr: Jaxpr, **params: Any
    ) -> tuple[Any, Any]:
        count = len(args) // 2
        xs = [batch_to(x, d, 0, axis) for x, d in zip(args[:count], dims[:count], strict=True)]
        wide = sliding(xs[0].aval.shape[1:], **params).widened(0)
        if all(d is None for d in dims[count:]):
            return self.bind(*xs, *args[count:], jaxpr=jaxpr, **wide), [0] * count
        # Initial values that differ between examples.
        inits = [batch_to(x, d, 0, axis) for x, d in zip(args[count:], dims[count:], strict=True)]
        return _by_slices([*xs, *inits], jaxpr, wide), [0] * count

    def lower(self, ctx: Any, *args: Any, jaxpr: Jaxpr, **params: Any) -> Any:
        count = len(args) // 2
        s = sliding(args[0].shape, **params)
        if 0 in s.result or 0 in s.operand or s.count > _WRITTEN_OUT:
            closed = trace_windows([x.aval for x in args], jaxpr, params)
            return ctx.inline(closed, list(args))
        step = _over(jaxpr, s.result, 2 * count)
        xs = [spread_operand(ctx, x, s, 0)[0] for x in args[:count]]
        spread = s.undilated()
        carry = [ctx.broadcast_in_dim(init, s.result, ()) for init in args[count:]]
        for k in s.positions:
            values = [_element(ctx, x, spread, k) for x in xs]
            new = ctx.inline(step, [*carry, *values])
            carry = [_where_inside(ctx, s, spread, k, a, b) for a, b in zip(new, carry, strict=True)]
        return carry


reduce_window_p = ReduceWindow("reduce_window")


# -- windows as slices -------------------------------------------------------------------------------------------------


def _over(jaxpr: Jaxpr, shape: Sequence[int], inputs: int) -> Jaxpr:
    """A jaxpr of scalars mapped over arrays of ``shape``."""
    for n in reversed(shape):
        jaxpr, _ = batch_jaxpr(jaxpr, AxisData(_POSITIONS, n), [0] * inputs, True)
    return jaxpr


def _by_slices(args: Sequence[Any], jaxpr: Jaxpr, params: dict[str, Any]) -> list[Any]:
    """The reduction in terms of slices of the padded operand, which is what is differentiated."""
    count = len(args) // 2
    s = sliding(args[0].aval.shape, **params)
    config = tuple([(low, high, b - 1) for (low, high), b in zip(s.padding, s.base_dilation, strict=True)])
    step = _over(jaxpr, s.result, 2 * count)
    there = broadcast_in_dim(scalar_array(True, np.dtype(bool)), s.operand, ())

    def wide(x: Any) -> Any:
        zero = scalar_array(False if x.aval.dtype == bool else 0, x.aval.dtype)
        return pad_p.bind(x, zero, padding_config=config)

    xs = [wide(x) for x in args[:count]]
    mask = wide(there) if s.filled else None
    carry = [_initial(init, s.result) for init in args[count:]]
    if 0 in s.result:
        return carry

    def combine(carry: Sequence[Any], part: Callable[[Any], Any]) -> list[Any]:
        new = eval_jaxpr(step, step.consts, *carry, *[part(x) for x in xs])
        if mask is None:
            return new
        inside = part(mask)
        return [select(inside, a, b) for a, b in zip(new, carry, strict=True)]

    if s.count <= _WRITTEN_OUT:
        for k in s.positions:
            carry = combine(carry, lambda x, k=k: _strided(x, s, k))  # type: ignore[misc]
        return carry
    extents = [(n - 1) * stride + 1 for n, stride in zip(s.result, s.window_strides, strict=True)]

    def body(carry: Any, number: Any) -> tuple[Any, None]:
        start = _unravelled(number, s)

        def part(x: Any) -> Any:
            return _strided(dynamic_slice(x, start, extents), s, (0,) * len(extents))

        return tuple(combine(carry, part)), None

    return list(scan(body, tuple(carry), iota(np.int32, s.count))[0])


def _unravelled(number: Any, s: Sliding) -> list[Any]:
    """Where in a padded operand the first window has its element with the given number."""
    start: list[Any] = []
    for k, w in zip(reversed(s.window_dimensions), reversed(s.window_dilation), strict=True):
        size = constant(number, k)
        start.append(mul(rem(number, size), constant(number, w)))
        number = div(number, size)
    return start[::-1]


def _initial(init: Any, shape: Sequence[int]) -> Any:
    """An initial value (per example, if it has a dimension) for every window."""
    return broadcast_in_dim(init, tuple(shape), tuple(range(init.aval.ndim)))


def _strided(x: Any, s: Sliding, k: Sequence[int]) -> Any:
    """The elements of a padded operand at position ``k`` of all windows."""
    at = slices_at(s, tuple(k))
    return slice_p.bind(
        x,
        start_indices=tuple([a.start for a in at]),
        limit_indices=tuple([a.stop for a in at]),
        strides=tuple([a.step for a in at]),
    )


def trace_windows(avals: Sequence[ShapedArray], jaxpr: Jaxpr, params: dict[str, Any]) -> Jaxpr:
    """The reduction by slices as a jaxpr without constants."""
    debug = DebugInfo("windows", (), "lax.reduce_window")
    return trace_flat(lambda *args: _by_slices(args, jaxpr, params), list(avals), debug)


# -- compiled code -----------------------------------------------------------------------------------------------------


def _element(ctx: Any, x: Any, s: Sliding, k: Sequence[int]) -> Any:
    """Position ``k`` of all windows as a lowered value; anything where there is no element."""

    def element(m: Any, *i: Any) -> Any:
        index, inside = place(m, s, i, tuple(k))
        value = m.load(x, *index)
        return m.guard(inside, value, m.const(False if value.type == "i1" else 0, value))

    return ctx.compute(s.result, x.dtype, element)


def _where_inside(ctx: Any, s: Sliding, spread: Sliding, k: Sequence[int], new: Any, old: Any) -> Any:
    """``new`` where windows have an element at position ``k``, elsewhere ``old``."""
    if not s.filled:
        return new

    def element(m: Any, *i: Any) -> Any:
        index, inside = place(m, spread, i, tuple(k))
        for d, b in enumerate(s.base_dilation):
            if b > 1:
                lift = -(min(index[d].bounds()[0], 0) // b) * b
                inside = inside & (m.index((index[d] + lift) % b) == 0)
        if getattr(inside.raw, "value", None) is True:
            return m.load(new, *i)
        return m.select(inside, m.load(new, *i), m.load(old, *i))

    return ctx.compute(s.result, new.dtype, element)


# -- the function ------------------------------------------------------------------------------------------------------


def reduce_window(
    operand: Any,
    init_value: Any,
    computation: Callable[[Any, Any], Any],
    window_dimensions: Sequence[int],
    window_strides: Sequence[int] | None = None,
    padding: str | Sequence[tuple[int, int]] = "VALID",
    base_dilation: Sequence[int] | None = None,
    window_dilation: Sequence[int] | None = None,
) -> Any:
    """Combines the elements of windows that slide over an array.

    Args:
      operand: array, or pytree of arrays of one shape that are reduced together.
      init_value: scalars in the same structure: where the accumulation starts, a neutral element of ``computation``.
      computation: ``computation(accumulator, element)`` of 0-d arrays in the structure of ``operand``, returning the
        same; ``lax.add``, ``lax.max`` and ``lax.min`` are the fastest. Must be associative and must not close over
        traced values.
      window_dimensions: size of the window along each dimension.
      window_strides: distance of neighbouring windows; 1 by default.
      padding: ``"VALID"`` (windows are inside), ``"SAME"`` (as many windows as elements, divided by the stride),
        ``"SAME_LOWER"``, or a pair (low, high) per dimension: by how many places windows reach beyond either end.
        Places outside do not take part.
      base_dilation: distance of neighbouring elements of the operand; the places between do not take part.
      window_dilation: distance of neighbouring elements of a window.

    Returns:
      An array per operand, with one element per window.

    Raises:
      TypeError: shapes, dtypes or lengths of arguments do not match.
      ValueError: the structures of operand and initial values differ, or there is no such padding.

    Example:
      >>> import numpy as np
      >>> from fungrad import lax
      >>> x = np.float32([1, 5, 2, 4])
      >>> lax.reduce_window(x, -np.inf, lax.max, (2,))
      Array([5., 5., 4.], dtype=float32)
      >>> lax.reduce_window(x, 0.0, lax.add, (2,), (2,))
      Array([6., 6.], dtype=float32)
    """
    api = "fungrad.lax.reduce_window"
    leaves, structure = tree.flatten(operand)
    init_leaves, init_structure = tree.flatten(init_value)
    if structure != init_structure or not leaves:
        raise ValueError(
            f"{api}: operand and init_value must have the same structure with at least one array, got "
            f"{structure_text(structure)} and {structure_text(init_structure)}"
        )
    pairs = [lift_pair("reduce_window", x, init) for x, init in zip(leaves, init_leaves, strict=True)]
    xs, inits = [x for x, _ in pairs], [init for _, init in pairs]
    _check_types(api, xs, inits)
    params = window_params(
        api, xs[0].aval.shape, window_dimensions, window_strides, padding, base_dilation, window_dilation
    )
    jaxpr = trace_computation(computation, structure, [x.aval for x in xs], "reduce_window")
    if len(xs) == 1:
        found = _recognised(jaxpr, xs[0].aval.dtype)
        if found is not None:
            out = _REDUCTIONS[found.name].bind(xs[0], **params)
            if not _is_neutral(inits[0], found.name):
                out = found.bind(_initial(inits[0], out.aval.shape), out)
            return tree.unflatten(structure, [out])
    return tree.unflatten(structure, reduce_window_p.bind(*xs, *inits, jaxpr=jaxpr, **params))


def _is_neutral(init: Any, name: str) -> bool:
    return type(init) is ArrayImpl and bool(init._data == NEUTRAL[name](init.aval.dtype))


def _check_types(api: str, xs: Sequence[Any], inits: Sequence[Any]) -> None:
    shape = xs[0].aval.shape
    for position, (x, init) in enumerate(zip(xs, inits, strict=True)):
        if x.aval.shape != shape:
            raise TypeError(
                f"{api}: operands must have one shape, got " + ", ".join(str(x.aval.shape) for x in xs)
            )
        if init.aval.shape or init.aval.dtype != x.aval.dtype:
            raise TypeError(
                f"{api}: initial value {position} must be a scalar of the dtype of its operand "
                f"{x.aval.str_short()}, got {init.aval.str_short()}"
            )


def _recognised(jaxpr: Jaxpr, dtype: np.dtype) -> Primitive | None:
    """The primitive that combines accumulator and element, if there is a reduction over windows for it."""
    if len(jaxpr.eqns) != 1:
        return None
    (eqn,) = jaxpr.eqns
    same = len(eqn.invars) == 2 and set(eqn.invars) == set(jaxpr.invars)
    found = _REDUCTIONS.get(eqn.primitive.name)
    if found is None or not same or jaxpr.outvars != eqn.outvars:
        return None
    return eqn.primitive if kind_of(dtype) in found.accepts else None
