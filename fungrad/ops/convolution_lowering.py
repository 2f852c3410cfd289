"""Native code of convolutions: which of several forms the compiler gets.

What is a matrix product as it stands (kernels of one tap, kernels as large as the operand) becomes one. Kernels of few
taps that work on single features are written out as formulas, which fuse with what stands around them. Other
convolutions of floating numbers are a step of their own (``Lowering.convolution``); integers are sums over loops.

May import ``ops.convolution_shapes``, ``ops.foundation``, ``ops.sliding`` and ``ops.sliding_lowering``.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from fungrad.ops.convolution_shapes import ConvDimensionNumbers, Geometry, Taps
from fungrad.ops.foundation import inverse_permutation
from fungrad.ops.sliding import DIRECT
from fungrad.ops.sliding_lowering import both, spread_places

# Convolutions of at most this many multiplications become loops that fuse with what is around them.
_SMALL = 2048
# Places of the operand that are copied at once: they are on the stack of a thread.
_MOST_PLACES = 1 << 15


def lower_convolution(
    ctx: Any, x: Any, y: Any, g: Geometry, numbers: ConvDimensionNumbers, batch_groups: bool, dtype: Any, wide: Any
) -> Any:
    """The convolution of operands as they were given, accumulated in ``wide``."""
    if 0 in g.result_shape or g.terms == 0 or 0 in x.shape:
        return ctx.constant(0, dtype, ctx.out_avals[0].shape)
    out_shape = ctx.out_avals[0].shape
    x, y = _operand(ctx, x, g, numbers, batch_groups), _kernel(ctx, y, g, numbers)
    if np.dtype(wide).kind == "c":
        made = _complex(ctx, x, y, g, wide)
    else:
        made = _real(ctx, ctx.convert(x, wide), ctx.convert(y, wide), g)
    if made.dtype != dtype:
        made = ctx.convert(made, dtype)
    return _placed(ctx, made, g, numbers, out_shape)


def _operand(ctx: Any, x: Any, g: Geometry, numbers: ConvDimensionNumbers, batch_groups: bool) -> Any:
    """The operand with its dimensions in the order of the geometry."""
    n, c, *spatial = numbers.lhs_spec

    def index(*i: Any) -> list[Any]:
        group, example, *at, feature = i
        place: list[Any] = [None] * len(numbers.lhs_spec)
        place[n] = group * g.batch + example if batch_groups else example
        place[c] = feature if batch_groups else group * g.features + feature
        for d, p in zip(spatial, at, strict=True):
            place[d] = p
        return place

    return ctx.view(x, g.operand_shape, index)


def _kernel(ctx: Any, y: Any, g: Geometry, numbers: ConvDimensionNumbers) -> Any:
    """The kernel with its dimensions in the order of the geometry."""
    o, c, *spatial = numbers.rhs_spec

    def index(*i: Any) -> list[Any]:
        group, *at, feature, output = i
        place: list[Any] = [None] * len(numbers.rhs_spec)
        place[o], place[c] = group * g.outputs + output, feature
        for d, p in zip(spatial, at, strict=True):
            place[d] = p
        return place

    return ctx.view(y, g.kernel_shape, index)


def _placed(ctx: Any, made: Any, g: Geometry, numbers: ConvDimensionNumbers, shape: Sequence[int]) -> Any:
    """The result with its dimensions where they were asked for."""
    n, c, *spatial = numbers.out_spec
    joined = ctx.reshape(made, (*made.shape[:-2], g.groups * g.outputs))
    order = inverse_permutation((n, *spatial, c))
    return joined if order == tuple(range(len(order))) else ctx.transpose(joined, order)


def _complex(ctx: Any, x: Any, y: Any, g: Geometry, dtype: Any) -> Any:
    """A product of complex numbers as four of real ones."""
    part = np.dtype(np.float32 if np.dtype(dtype) == np.complex64 else np.float64)
    (a, b), (c, d) = (
        [ctx.map(lambda m, v, name=name: getattr(m, name)(v), [z], part) for name in ("real", "imag")]
        for z in (ctx.convert(x, dtype), ctx.convert(y, dtype))
    )
    ac, bd, ad, bc = (_real(ctx, p, q, g) for p, q in ((a, c), (b, d), (a, d), (b, c)))
    return ctx.map(lambda m, ac, bd, ad, bc: m.complex(ac - bd, ad + bc), [ac, bd, ad, bc], dtype, 4)


def _real(ctx: Any, x: Any, y: Any, g: Geometry) -> Any:
    """The convolution of ordered operands of the dtype of the result."""
    product = _as_product(ctx, x, y, g)
    if product is not None:
        return product
    taps = math.prod(a.kernel for a in g.axes)
    if g.features == 1 and g.groups > 1 and taps <= DIRECT:
        return _written_out(ctx, x, y, g)
    if x.dtype.kind == "f" and math.prod(g.result_shape) * g.terms > _SMALL and _fits(g):
        return ctx.convolution(x, y, g)
    return _sums(ctx, x, y, g)


def _fits(g: Geometry) -> bool:
    """Whether a few results together see so little of the operand that it can be copied."""
    *others, last = g.axes or (Taps(1, 1, 1),)
    seen = [min(last.kernel, 512) * last.dilation + min(last.result, 8) * last.stride]
    seen.append(min(last.kernel, 512) * last.dilation + last.result * last.stride)
    few, many = math.prod(a.kernel for a in others) * seen[0], math.prod(a.result for a in others) * seen[1]
    return (many if math.prod(a.kernel for a in g.axes) > math.prod(a.result for a in g.axes) else few) <= _MOST_PLACES


def _as_product(ctx: Any, x: Any, y: Any, g: Geometry) -> Any | None:
    """The convolution as a matrix product, None if it is not one as it stands."""
    rank = len(g.axes)
    if any(a.spread != 1 or a.low or a.high > 0 for a in g.axes):
        return None
    if all(a.kernel == 1 for a in g.axes):
        limit = (g.groups, g.batch, *((a.result - 1) * a.stride + 1 for a in g.axes), g.features)
        x = ctx.slice(x, (0,) * (rank + 3), limit, (1, 1, *(a.stride for a in g.axes), 1))
        y = ctx.reshape(y, (g.groups, g.features, g.outputs))
        made = _dot(ctx, x, y, g.groups, (rank + 2,), (1,))
        return ctx.transpose(made, [*range(1, rank + 2), 0, rank + 2])
    if all(a.result == 1 and a.dilation == 1 for a in g.axes):
        limit = (g.groups, g.batch, *(a.kernel for a in g.axes), g.features)
        x = ctx.slice(x, (0,) * (rank + 3), limit, (1,) * (rank + 3))
        made = _dot(ctx, x, y, g.groups, tuple(range(2, rank + 3)), tuple(range(1, rank + 2)))
        made = ctx.transpose(made, [1, 0, 2])
        return ctx.reshape(made, g.result_shape)
    return None


def _dot(ctx: Any, x: Any, y: Any, groups: int, inner_x: Sequence[int], inner_y: Sequence[int]) -> Any:
    """The product for each group, groups first."""
    if groups > 1:
        return ctx.dot(x, y, (inner_x, inner_y), ((0,), (0,)), x.dtype)
    x, y = ctx.reshape(x, x.shape[1:]), ctx.reshape(y, y.shape[1:])
    made = ctx.dot(x, y, ([d - 1 for d in inner_x], [d - 1 for d in inner_y]), ((), ()), x.dtype)
    return ctx.reshape(made, (1, *made.shape))


def _written_out(ctx: Any, x: Any, y: Any, g: Geometry) -> Any:
    """Every tap a term of one formula, for kernels on single features."""

    def term(m: Any, k: Sequence[int], at: Sequence[Any], group: Any, example: Any, output: Any) -> Any:
        return m.load(x, group, example, *at, 0) * m.load(y, group, *k, 0, output)

    if any(a.spread > 1 for a in g.axes) and all(a.stride == 1 for a in g.axes):
        offsets = [[0], *[[k * a.dilation - a.low for k in range(a.kernel)] for a in g.axes], [0], [0]]
        places = (g.batch, *(a.operand for a in g.axes), g.groups, g.outputs)
        steps = (1, *(a.spread for a in g.axes), 1, 1)
        return spread_places(
            ctx, g.result_shape, places, x.dtype, steps, offsets,
            lambda m, k, at: term(m, k[1:-2], at[1:-2], at[-2], at[0], at[-1]),
        )  # fmt: skip
    x, g = _undilated(ctx, x, g)

    def element(m: Any, *i: Any) -> Any:
        example, *result, group, output = i
        total = None
        for k in itertools.product(*[range(a.kernel) for a in g.axes]):
            index, inside = _place(m, g, result, k)
            value = term(m, k, index, group, example, output)
            value = m.guard(inside, value, m.const(0, value))
            total = value if total is None else total + value
        return total

    return ctx.compute(g.result_shape, x.dtype, element)


def _place(m: Any, g: Geometry, result: Sequence[Any], k: Sequence[Any]) -> tuple[list[Any], Any]:
    """The element of the operand that meets tap ``k``, and the condition that there is one."""
    index, inside = [], m.const(True, "i1")
    for a, o, t in zip(g.axes, result, k, strict=True):
        here = o * a.stride + t * a.dilation - a.low
        inside = both(m, inside, m.within(here, 0, a.operand))
        index.append(here)
    return index, inside


def _undilated(ctx: Any, x: Any, g: Geometry) -> tuple[Any, Geometry]:
    """The operand with the zeros between its elements, and the convolution of it."""
    if all(a.spread == 1 for a in g.axes):
        return x, g
    config = [(0, 0, 0), (0, 0, 0), *((0, 0, a.spread - 1) for a in g.axes), (0, 0, 0)]
    x = ctx.pad(x, ctx.constant(0, x.dtype), config)
    axes = tuple([a._replace(operand=n, spread=1) for a, n in zip(g.axes, x.shape[2:], strict=False)])
    return x, g._replace(axes=axes)


def _sums(ctx: Any, x: Any, y: Any, g: Geometry) -> Any:
    """Sums of products as loops."""
    x, g = _undilated(ctx, x, g)
    rank = len(g.axes)
    taps = tuple([a.kernel for a in g.axes])

    def element(m: Any, *i: Any) -> Any:
        example, *result = i[: rank + 1]
        group, output, *k = i[rank + 1 : -1]
        feature = i[-1]
        index, inside = _place(m, g, result, k)
        value = m.load(x, group, example, *index, feature)
        return m.guard(inside, value, m.const(0, value)) * m.load(y, group, *k, feature, output)

    terms = ctx.compute((*g.result_shape, *taps, g.features), x.dtype, element)
    return ctx.reduce(terms, "add", tuple(range(rank + 3, 2 * rank + 4)))
