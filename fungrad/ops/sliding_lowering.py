"""Native code of reductions over sliding windows, as formulas of single elements.

The elements of a window are written out, up to ``DIRECT`` of them: then nothing is stored between, producers and
consumers fuse with the reduction, and the innermost loop runs along the contiguous dimension. Loops are split where
windows begin to leave the operand, so that only borders pay for padding.

May import ``core`` and ``ops.sliding``.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fungrad.ops.sliding import DIRECT, Dims, Sliding

# Strides are resolved while compiling as long as their product is at most this.
_MOST_RESIDUES = 16


def place(m: Any, s: Sliding, i: Sequence[Any], k: Dims) -> tuple[list[Any], Any]:
    """The element of the operand at position ``k`` of window ``i``, and the condition that there is one."""
    index, inside = [], m.const(True, "i1")
    for d, at in enumerate(i):
        low = s.padding[d][0]
        here = at * s.window_strides[d] + (k[d] * s.window_dilation[d] - low)
        inside = both(m, inside, m.within(here, 0, s.operand[d]))
        index.append(here)
    return index, inside


def both(m: Any, a: Any, b: Any) -> Any:
    """``a and b`` for conditions that may be constants."""
    for x, y in ((a, b), (b, a)):
        value = getattr(x.raw, "value", None)
        if isinstance(value, bool):
            return y if value else x
    return a & b


def combined(m: Any, monoid: str, a: Any, b: Any) -> Any:
    """Two elements combined."""
    if monoid == "max":
        return m.maximum(a, b)
    if monoid == "min":
        return m.minimum(a, b)
    return a + b


def spread_operand(ctx: Any, x: Any, s: Sliding, fill: Any) -> tuple[Any, Sliding]:
    """The operand with its base dilation carried out, and the windows on it."""
    if max(s.base_dilation, default=1) == 1:
        return x, s
    config = [(0, 0, b - 1) for b in s.base_dilation]
    return ctx.pad(x, ctx.constant(fill, x.dtype), config), s.undilated()


# -- sums and extrema --------------------------------------------------------------------------------------------------


def lower_fold(ctx: Any, x: Any, s: Sliding, monoid: str, neutral: Any) -> Any:
    """All elements of each window combined by ``monoid``."""
    dtype = x.dtype
    if monoid == "add" and dtype.itemsize <= 2 and dtype.kind not in "iu":
        x = ctx.map(lambda m, v: m.convert(v, "f32"), [x], np.float32)
    x, s = spread_operand(ctx, x, s, neutral)
    for step in [s] if s.count <= DIRECT else s.one_by_one():
        x = _fold(ctx, x, step, monoid, neutral)
    if x.dtype == dtype:
        return x
    return ctx.convert(x, dtype)


def _fold(ctx: Any, x: Any, s: Sliding, monoid: str, neutral: Any) -> Any:
    if 0 in s.operand or 0 in s.result:
        return ctx.constant(neutral, x.dtype, s.result)
    if s.count > DIRECT:
        return _long_fold(ctx, x, s, monoid, neutral)

    def element(m: Any, *i: Any) -> Any:
        total = None
        for k in s.positions:
            index, inside = place(m, s, i, k)
            value = m.load(x, *index)
            value = m.guard(inside, value, m.const(neutral, value))
            total = value if total is None else combined(m, monoid, total, value)
        return total

    return ctx.compute(s.result, x.dtype, element)


def _long_fold(ctx: Any, x: Any, s: Sliding, monoid: str, neutral: Any) -> Any:
    """Windows along one dimension that are too long to be written out: a loop over their elements."""
    (d,) = [d for d, k in enumerate(s.window_dimensions) if k > 1]

    def element(m: Any, *i: Any) -> Any:
        # The last index counts within the window.
        *at, k = i
        here = at[d] * s.window_strides[d] + k * s.window_dilation[d] - s.padding[d][0]
        index = [here if e == d else p for e, p in enumerate(at)]
        value = m.load(x, *index)
        return m.guard(m.within(here, 0, s.operand[d]), value, m.const(neutral, value))

    windows = ctx.compute((*s.result, s.window_dimensions[d]), x.dtype, element)
    return ctx.reduce(windows, monoid, (len(s.result),))


# -- selection ---------------------------------------------------------------------------------------------------------


def _select(
    ctx: Any, operand: Any, s: Sliding, select: str, worst: Any, dtype: Any, payload: Callable[..., Any]
) -> Any:
    """What ``payload(m, number, index, inside)`` gives for the chosen element of each window.

    Long windows are gone through in parts that hand on the best element so far.
    """
    positions = list(enumerate(s.positions))
    parts = [positions[n : n + DIRECT] for n in range(0, len(positions), DIRECT)]
    best: Any = None
    found: Any = None
    for part in parts:

        def fold(m: Any, i: Any, best: Any = best, found: Any = found, part: Any = part) -> tuple[Any, Any]:
            value = None if best is None else m.load(best, *i)
            chosen = None if found is None else m.load(found, *i)
            for number, k in part:
                index, inside = place(m, s, i, k)
                key = m.load(operand, *index)
                key = m.guard(inside, key, m.const(worst, key))
                carried = payload(m, number, index, inside)
                if value is None:
                    value, chosen = key, carried
                    continue
                stays = m.compare(select, value, key)
                value = m.select(stays, value, key)
                chosen = m.select(stays, chosen, carried)
            return value, chosen

        chosen = ctx.compute(s.result, dtype, lambda m, *i, fold=fold: fold(m, i)[1])
        if part is not parts[-1]:
            best = ctx.compute(s.result, operand.dtype, lambda m, *i, fold=fold: fold(m, i)[0])
        found = chosen
    return found


def lower_gather(ctx: Any, tangents: Any, operand: Any, s: Sliding, select: str, worst: Any) -> Any:
    """The element of ``tangents`` at the chosen place of each window of ``operand``."""
    if 0 in s.operand or 0 in s.result:
        return ctx.constant(0, tangents.dtype, s.result)

    def payload(m: Any, number: int, index: Any, inside: Any) -> Any:
        value = m.load(tangents, *index)
        return m.guard(inside, value, m.const(0, value))

    return _select(ctx, operand, s, select, worst, tangents.dtype, payload)


def lower_scatter(ctx: Any, source: Any, operand: Any, s: Sliding, select: str, worst: Any) -> Any:
    """Every element of ``source`` added where the chosen element of its window is.

    Seen from the result: an element collects from the windows that it is in, one per position, what has chosen that
    position. Nothing is scattered, so that loops run as vectors and on several threads.
    """
    if 0 in s.operand or 0 in s.result:
        return ctx.constant(0, source.dtype, s.operand)
    choice = _select(
        ctx, operand, s, select, worst, np.int32, lambda m, number, index, inside: m.const(number, "i32")
    )
    numbers = {k: n for n, k in enumerate(s.positions)}

    def term(m: Any, k: Dims, at: Sequence[Any]) -> Any:
        value = m.load(source, *at)
        value = m.convert(value, "f32") if value.type in ("f16", "bf16") else value
        return m.select(m.load(choice, *at) == numbers[k], value, m.const(0, value))

    offsets = [
        [low - p * w for p in range(n)]
        for n, w, (low, _) in zip(s.window_dimensions, s.window_dilation, s.padding, strict=True)
    ]
    return spread_places(ctx, s.operand, s.result, source.dtype, s.window_strides, offsets, term)


def lower_spread_sum(ctx: Any, x: Any, s: Sliding) -> Any:
    """The sum over windows at every place of an operand that is spread by its base dilation (transposed pooling)."""
    if 0 in s.operand or 0 in s.result:
        return ctx.constant(0, x.dtype, s.result)
    offsets = [
        [p * w - low for p in range(n)]
        for n, w, (low, _) in zip(s.window_dimensions, s.window_dilation, s.padding, strict=True)
    ]

    def term(m: Any, k: Dims, at: Sequence[Any]) -> Any:
        value = m.load(x, *at)
        return m.convert(value, "f32") if value.type in ("f16", "bf16") else value

    return spread_places(ctx, s.result, s.operand, x.dtype, s.base_dilation, offsets, term)


def spread_places(
    ctx: Any,
    shape: Dims,
    places: Dims,
    dtype: np.dtype,
    strides: Dims,
    offsets: Sequence[Sequence[int]],
    term: Callable[..., Any],
) -> Any:
    """Element ``p`` is the sum over positions ``k`` of ``term(m, k, at)`` with ``at = (p + offset[k]) / stride``, for
    those ``k`` for which the division leaves no rest and ``at`` is one of ``places``.

    Which positions count depends on the rest of ``p`` alone: elements with the same rest have one formula, without
    divisions.
    """
    wide = np.dtype(np.float32) if dtype.itemsize <= 2 and dtype.kind not in "iu" else dtype
    ranks = range(len(shape))
    resolved = math.prod(strides) <= _MOST_RESIDUES
    split = [d for d in ranks if strides[d] > 1 and resolved]

    def total(m: Any, at: Callable[[int, int], tuple[Any, Any]]) -> Any:
        result = None
        for k in itertools.product(*[range(len(o)) for o in offsets]):
            index, inside = [], m.const(True, "i1")
            for d, p in enumerate(k):
                here, exact = at(d, offsets[d][p])
                if here is None:
                    break
                inside = both(m, both(m, inside, m.within(here, 0, places[d])), exact)
                index.append(here)
            else:
                value = term(m, k, index)
                value = m.guard(inside, value, m.const(0, value))
                result = value if result is None else result + value
        if result is None:
            result = m.const(0, term(m, (0,) * len(shape), [0] * len(shape)))
        return result

    if not split:

        def element(m: Any, *i: Any) -> Any:
            def at(d: int, offset: int) -> tuple[Any, Any]:
                step, lift = strides[d], -(min(offset, 0) // strides[d])
                here = i[d] + (offset + lift * step)
                exact = m.index(here % step) == 0 if step > 1 else m.const(True, "i1")
                return here // step - lift, exact

            return total(m, at)

        out = ctx.compute(shape, wide, element)
        return out if wide == dtype else ctx.convert(out, dtype)

    rows = {d: -(-shape[d] // strides[d]) for d in split}
    pairs = [(rows[d], strides[d]) if d in rows else (shape[d],) for d in ranks]
    starts = np.cumsum([0] + [len(p) for p in pairs])

    def interleaved(m: Any, *i: Any) -> Any:
        result = None
        for rests in itertools.product(*[range(strides[d]) for d in split]):
            rest = dict(zip(split, rests, strict=True))

            def at(d: int, offset: int, rest: Any = rest) -> tuple[Any, Any]:
                moved = offset + rest.get(d, 0)
                step = strides[d] if d in rest else 1
                always = m.const(True, "i1")
                return (i[starts[d]] + moved // step, always) if moved % step == 0 else (None, always)

            value = total(m, at)
            mine = m.const(True, "i1")
            for d, r in rest.items():
                mine = both(m, mine, m.within(i[starts[d] + 1], r, r + 1))
            result = value if result is None else m.guard(mine, value, result)
        return result

    out = ctx.compute([n for p in pairs for n in p], wide, interleaved)
    if wide != dtype:
        out = ctx.convert(out, dtype)
    whole = [math.prod(p) for p in pairs]
    if whole == list(shape):
        return ctx.reshape(out, shape)
    out = ctx.keep(out)
    return ctx.slice(ctx.reshape(out, whole), [0] * len(shape), shape, [1] * len(shape))
