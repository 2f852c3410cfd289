"""Native code of sorting: keys become integers that carry positions, which one routine sorts.

Every key is taken apart into ranks of 32 bits, the most significant first, which order as the key does. A rank and a
position make one integer of 64 bits; all of them are different, so that sorting them is stable. Keys with several
ranks are sorted by the last one first, then by the one before, and so on. The sorted arrays are formulas that read
their operands at the positions found, and fuse with what uses them.

Long rows are left to NumPy's sort, which is faster there.

May import ``core`` and ``ops._operands``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from fungrad.ops._operands import kind_of

# Rows that are sorted together, so that each lane of a register holds another one.
_MANY = 8
# The longest rows that are sorted by native code, together with others and alone: positions, and values without them.
_LONGEST_ORDER = (4096, 16384)
_LONGEST_VALUES = (512, 2048)
# The greatest number of elements that are found without sorting: of all types, and of elements of up to 32 bits in
# rows at least so many times as long.
_MOST_OF_TOP = 32
_MOST_COLLECTED = 1024
_LENGTH_COLLECTED = 4

_INT32, _INT64 = np.dtype(np.int32), np.dtype(np.int64)


def is_native(shape: Sequence[int], dimension: int, single: bool) -> bool:
    """Whether native code sorts rows along a dimension; ``single`` if there is one operand only."""
    n = shape[dimension]
    rows = math.prod(shape) // n if n else 0
    return n <= (_LONGEST_VALUES if single else _LONGEST_ORDER)[rows < _MANY]


def is_found(x: Any, axis: int, k: int) -> bool:
    """Whether native code finds the ``k`` greatest elements along an axis without sorting."""
    if k <= _MOST_OF_TOP:
        return True
    return k <= _MOST_COLLECTED and x.dtype.itemsize <= 4 and x.shape[axis] >= _LENGTH_COLLECTED * k


def lower_sort(ctx: Any, xs: Sequence[Any], dimension: int, num_keys: int) -> list[Any]:
    """All operands, sorted along a dimension by the first ``num_keys`` of them."""
    shape = xs[0].shape
    if shape[dimension] <= 1 or 0 in shape:
        return list(xs)
    rows = [_as_rows(ctx, x, dimension) for x in xs]
    if len(xs) == 1 and kind_of(xs[0].dtype) in "biu":
        return [_from_rows(ctx, _sorted_integers(ctx, rows[0]), shape, dimension)]
    if len(xs) == 1 and kind_of(xs[0].dtype) == "f":
        return [_from_rows(ctx, _sorted_floats(ctx, rows[0]), shape, dimension)]
    order = _order(ctx, rows[:num_keys])
    return [_from_rows(ctx, _at(ctx, x, order), shape, dimension) for x in rows]


def lower_top(ctx: Any, x: Any, axis: int, k: int) -> list[Any]:
    """The ``k`` greatest elements along an axis and their positions."""
    shape = (*x.shape[:axis], k, *x.shape[axis + 1 :])
    if 0 in shape:
        return [ctx.constant(0, x.dtype, shape), ctx.constant(0, _INT32, shape)]
    rows = _as_rows(ctx, x, axis)
    if is_found(x, axis, k):
        found = ctx.top_rows(rows, k)
    else:
        # Complements order the other way round.
        backwards = [ctx.map(lambda m, r: ~r, [p], _INT64) for p in _total_ranks(ctx, rows)]
        every = _positions(ctx, backwards)
        found = ctx.slice(every, (0, 0), (rows.shape[0], k), (1, 1))
        found = ctx.convert(found, _INT32)
    return [_from_rows(ctx, r, shape, axis) for r in (_at(ctx, rows, found), found)]


# -- rows --------------------------------------------------------------------------------------------------------------


def _as_rows(ctx: Any, x: Any, dimension: int) -> Any:
    """A matrix whose rows run along a dimension."""
    others = [d for d in range(len(x.shape)) if d != dimension]
    if others and dimension < others[-1]:
        x = ctx.transpose(x, [*others, dimension])
    n = x.shape[-1]
    return ctx.reshape(x, (math.prod(x.shape) // n, n))


def _from_rows(ctx: Any, rows: Any, shape: Sequence[int], dimension: int) -> Any:
    others = [d for d in range(len(shape)) if d != dimension]
    wide = ctx.reshape(rows, [shape[d] for d in [*others, dimension]])
    if not others or dimension > others[-1]:
        return wide
    back = [0] * len(shape)
    for place, d in enumerate([*others, dimension]):
        back[d] = place
    return ctx.transpose(wide, back)


def _at(ctx: Any, x: Any, order: Any) -> Any:
    """The elements of every row at the positions in the same row of ``order``."""
    return ctx.compute(order.shape, x.dtype, lambda m, i, k: m.load(x, i, m.load(order, i, k)))


def _sorted_integers(ctx: Any, x: Any) -> Any:
    """Rows of integers sorted as they are: equal ones cannot be told apart."""
    wide = x.dtype.itemsize > 4
    kind = "i64" if wide else "i32"
    flipped = x.dtype in (np.uint32, np.uint64)
    top = -(1 << (63 if wide else 31))

    def there(m: Any, v: Any) -> Any:
        return m.bitcast(v, kind) ^ m.const(top, kind) if flipped else m.convert(v, kind)

    def back(m: Any, v: Any) -> Any:
        type = _scalar_type(x.dtype)
        return m.bitcast(v ^ m.const(top, kind), type) if flipped else m.convert(v, type)

    rows = ctx.sort_rows(ctx.map(there, [x], _INT64 if wide else _INT32))
    return ctx.map(back, [rows], x.dtype)


def _sorted_floats(ctx: Any, x: Any) -> Any:
    """Rows of floats sorted as the integers that order as they do.

    Those tell -0.0 from 0.0, which a stable sort must leave in order. So where there is any -0.0, which is rare,
    positions are sorted instead.
    """
    kind, dtype = ("i64", _INT64) if x.dtype.itemsize == 8 else ("i32", _INT32)
    wide = np.dtype(np.float64) if x.dtype.itemsize == 8 else np.dtype(np.float32)
    top = 1 << (63 if x.dtype.itemsize == 8 else 31)

    def quick(ctx: Any, x: Any) -> list[Any]:
        def there(m: Any, v: Any) -> Any:
            return m.select(v == v, _total_bits(m, v), m.const(top - 1, kind))

        def back(m: Any, v: Any) -> Any:
            return m.bitcast(v ^ ((v >> (8 * wide.itemsize - 1)) & m.const(top - 1, v)), kind.replace("i", "f"))

        rows = ctx.sort_rows(ctx.map(there, [ctx.convert(x, wide)], dtype))
        return [ctx.convert(ctx.map(back, [rows], wide), x.dtype)]

    def slow(ctx: Any, x: Any) -> list[Any]:
        return [_at(ctx, x, _order(ctx, [x]))]

    def is_negative_zero(m: Any, v: Any) -> Any:
        return m.bitcast(v, kind) == m.const(-top, kind)

    zeros = ctx.map(is_negative_zero, [ctx.convert(x, wide)], np.dtype(bool))
    return ctx.choose(ctx.reduce(zeros, "or", (0, 1)), [quick, slow], [x])[0]


def _scalar_type(dtype: np.dtype) -> str:
    return "i1" if dtype.kind == "b" else f"{dtype.kind}{8 * dtype.itemsize}"


# -- order -------------------------------------------------------------------------------------------------------------


def _order(ctx: Any, keys: Sequence[Any]) -> Any:
    """Positions along the rows in the order of the keys, the first of which counts most."""
    return _positions(ctx, [rank for key in keys for rank in _ranks(ctx, key)])


def _positions(ctx: Any, ranks: Sequence[Any]) -> Any:
    """Positions along the rows in the order of ranks, the first of which count most."""
    order = None
    for rank in ranks[::-1]:

        def packed(m: Any, i: Any, k: Any, rank: Any = rank, order: Any = order) -> Any:
            at = k if order is None else m.load(order, i, k)
            return (m.load(rank, i, at) << 32) | m.index(k, "i64")

        rows = ctx.sort_rows(ctx.compute(rank.shape, _INT64, packed))
        found = ctx.map(lambda m, v: v & m.const(0xFFFFFFFF, v), [rows], _INT64)
        order = found if order is None else _at(ctx, order, found)
    return order


def _ranks(ctx: Any, key: Any) -> list[Any]:
    """Arrays of int64 within the range of int32 that order as ``key``, the first of which counts most.

    NaN comes last, zeros are equal, and complex numbers are ordered by their real, then by their imaginary part.
    """
    kind = kind_of(key.dtype)
    if kind == "c":
        part = np.dtype(np.float32 if key.dtype.itemsize == 8 else np.float64)
        parts = [ctx.map(lambda m, v, name=name: getattr(m, name)(v), [key], part) for name in ("real", "imag")]
        return [rank for p in parts for rank in _ranks(ctx, p)]
    if kind == "f":
        wide = key.dtype.itemsize == 8
        values = key if wide else ctx.convert(key, np.float32)
        return _split(ctx, ctx.map(_float_bits, [values], _INT64 if wide else _INT32))
    return _split(ctx, key)


def _total_ranks(ctx: Any, key: Any) -> list[Any]:
    """The same for the total order of floats."""
    if kind_of(key.dtype) != "f":
        return _split(ctx, key)
    bits = np.dtype(f"int{8 * key.dtype.itemsize}")
    return _split(ctx, ctx.map(_total_bits, [key], bits))


def _total_bits(m: Any, v: Any) -> Any:
    width = {"f16": 16, "bf16": 16, "f32": 32, "f64": 64}[v.type]
    bits = m.bitcast(v, f"i{width}")
    return bits ^ ((bits >> (width - 1)) & m.const((1 << (width - 1)) - 1, bits))


def _float_bits(m: Any, v: Any) -> Any:
    # Adding zero makes -0.0 equal to 0.0; every NaN becomes the same one, after infinity.
    bits = _total_bits(m, v + 0.0)
    last = (1 << (63 if v.type == "f64" else 31)) - 1
    return m.select(v == v, bits, m.const(last, bits))


def _split(ctx: Any, key: Any) -> list[Any]:
    """Ranks of integers."""
    if key.dtype.itemsize < 8:
        lift = 1 << 31 if key.dtype == np.uint32 else 0
        return [ctx.map(lambda m, v: m.convert(v, "i64") - lift, [key], _INT64)]

    def high(m: Any, v: Any) -> Any:
        return signed(m, v) >> 32

    def low(m: Any, v: Any) -> Any:
        v = signed(m, v)
        return (v & m.const(0xFFFFFFFF, v)) - (1 << 31)

    def signed(m: Any, v: Any) -> Any:
        return m.bitcast(v, "i64") ^ m.const(-(1 << 63), "i64") if v.type == "u64" else v

    return [ctx.map(part, [key], _INT64) for part in (high, low)]
