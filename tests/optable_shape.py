"""Rows of the op table: structure, reductions, running combinations, sorting and dynamic slices."""

from __future__ import annotations

import functools
import itertools

import numpy as np
from optable_base import COMPLEX, FLOATS, INEXACT, INTEGERS, NUMERIC, Op

from fungrad import lax
from fungrad.ops.compare import total_order_key
from fungrad.ops.cumulative import linear_recurrence_p
from fungrad.ops.foundation import add_any
from fungrad.ops.sort import sort_keys

ANY = ("float32", "float64", "bfloat16", "complex64", "int32", "bool", "uint8", "int64")
ORDERED = (*FLOATS, *INTEGERS, "bool")
BITS = ("int32", "bool", "uint8", "int64", "uint32", "int8")
# Sums in half precision are accumulated in float32, in any order.
HALF = {"float16": 4e-3, "bfloat16": 3e-2}
SINGLE = {"float32": 4e-6, "complex64": 8e-6}


def row(name, function, reference, shapes, dtypes=ANY, **facts):
    """A row whose fungrad and JAX functions differ in the ``lax`` module alone."""
    facts = {"special": False, "weak": False, "wide": "rtol" in facts, **facts}
    facts.setdefault("jax", lambda jax, *xs: function(jax.lax, *xs))
    return Op(name, functools.partial(function, lax), reference, dtypes, shapes, **facts)


# -- references ------------------------------------------------------------------------------------


def padded(x, value, config):
    """Padding one dimension after the other, element by element."""
    out = x
    for d, (low, high, interior) in enumerate(config):
        rows = [np.take(out, [k], d) for k in range(out.shape[d])]
        fill = np.full([1 if e == d else n for e, n in enumerate(out.shape)], value, x.dtype)
        spread = list(itertools.chain.from_iterable([r] + [fill] * interior for r in rows))
        spread = spread[: len(spread) - interior] if rows else spread
        spread = [fill] * max(low, 0) + spread + [fill] * max(high, 0)
        spread = spread[max(-low, 0) : len(spread) - max(-high, 0)]
        empty = np.take(out, [], d)
        out = np.concatenate([empty, *spread], d)
    return out


def running(combine, x, axis, reverse=False):
    """A running combination, row by row."""
    rows = np.moveaxis(x, axis, 0).copy()
    rows = rows[::-1] if reverse else rows
    for k in range(1, len(rows)):
        rows[k] = combine(rows[k - 1], rows[k])
    return np.moveaxis(rows[::-1] if reverse else rows, 0, axis)


def recurrence(a, b, axis, reverse):
    a, out = (np.moveaxis(v, axis, 0).copy() for v in (a, b))
    order = range(len(out) - 2, -1, -1) if reverse else range(1, len(out))
    step = 1 if reverse else -1
    for k in order:
        out[k] += a[k] * out[k + step]
    return np.moveaxis(out, 0, axis)


def logaddexp(a, b):
    top = np.maximum(a.real, b.real)
    return np.log(np.exp(a - top) + np.exp(b - top)) + top


def box(shape, sizes, starts):
    """The clamped box of a dynamic slice."""
    out = []
    for n, size, start in zip(shape, sizes, starts, strict=True):
        start = int(start) + n if start < 0 else int(start)
        start = min(max(start, 0), n - size)
        out.append(slice(start, start + size))
    return tuple(out)


def updated(x, u, *starts):
    out = x.copy()
    out[box(x.shape, u.shape, starts)] = u
    return out


def neutral(value):
    """Reduction with NumPy of possibly no elements: ``value`` is a function of the dtype."""

    def reduce(function, x, axis):
        return function(x, axis=axis, initial=value(x.dtype)) if not x.size else function(x, axis=axis)

    return reduce


def lowest(dtype):
    return False if dtype.kind == "b" else np.iinfo(dtype).min if dtype.kind in "iu" else -np.inf


def highest(dtype):
    return True if dtype.kind == "b" else np.iinfo(dtype).max if dtype.kind in "iu" else np.inf


def permutation(keys, axis):
    """The order of a stable sort, by comparing tuples of keys lane by lane."""
    lanes = [np.moveaxis(part, axis, -1) for key in keys for part in sort_keys(key)]
    shape = lanes[0].shape
    lanes = [x.reshape(int(np.prod(shape[:-1])), shape[-1]) for x in lanes]
    order = [
        sorted(range(shape[-1]), key=lambda k, row=row: [x[row, k] for x in lanes]) for row in range(len(lanes[0]))
    ]
    return np.moveaxis(np.array(order, int).reshape(shape), -1, axis)


def sorted_by(xs, axis, keys):
    order = permutation(xs[:keys], axis)
    return [np.take_along_axis(x, order, axis) for x in xs]


def greatest(x, k, axis):
    order = permutation([~total_order_key(x)], axis)
    order = np.take(order, range(k), axis)
    return [np.take_along_axis(x, order, axis), order.astype(np.int32)]


# -- rows ------------------------------------------------------------------------------------------

MATRIX = (((3, 4),), ((0, 4),), ((3, 0),), ((1, 2),))
CUBE = (((2, 3, 4),), ((2, 1, 5),), ((0, 3, 4),))
PLANES = (((2, 3), (2, 3)), ((0, 3), (0, 3)))


def product(name, axes, shapes, **facts):
    return row(
        name,
        lambda L, x: getattr(L, name)(x, axes=axes),
        lambda x: np.multiply.reduce(x, axis=axes, dtype=x.dtype),
        shapes,
        NUMERIC,
        rtol={**HALF, **SINGLE, "float64": 1e-14, "complex128": 1e-14},
        **facts,
    )


def extremum(name, function, initial, axes, shapes):
    return row(
        name,
        lambda L, x: getattr(L, name)(x, axes=axes),
        lambda x: neutral(initial)(function, x, axes),
        shapes,
        ORDERED,
    )


def bitwise(name, ufunc):
    return row(
        name,
        lambda L, x: getattr(L, name)(x, axes=(1,)),
        lambda x: ufunc.reduce(x, axis=1).astype(x.dtype),
        MATRIX,
        BITS,
        domains=((-100, 100),),
        order=0,
    )


def position(name, function, axis, index):
    return row(
        name,
        lambda L, x: getattr(L, name)(x, axis, index),
        lambda x: function(x, axis).astype(index),
        (((3, 4),), ((2, 1),), ((4, 4),)),
        ORDERED,
        result=lambda dtype: np.dtype(index),
        domains=((-3, 3),),
        order=0,
    )


def cumulative(name, combine, axis, reverse, dtypes=NUMERIC, **facts):
    return row(
        name,
        lambda L, x: getattr(L, name)(x, axis=axis, reverse=reverse),
        lambda x: running(combine, x, axis, reverse),
        MATRIX,
        dtypes,
        rtol={**HALF, **SINGLE, "float64": 1e-13, "complex128": 1e-13},
        atol=4.0,
        **facts,
    )


def linear_recurrence(axis, reverse, shape):
    return row(
        "linear_recurrence",
        lambda L, a, b: linear_recurrence_p.bind(a, b, axis=axis, reverse=reverse),
        lambda a, b: recurrence(a, b, axis, reverse),
        ((shape, shape), ((0, 4), (0, 4))),
        INEXACT,
        domains=((-1, 1),),
        rtol={**HALF, **SINGLE, "float64": 1e-13, "complex128": 1e-13},
        atol=4.0,
        jax=None,
    )


STRUCTURE = [
    row(
        "broadcast_in_dim",
        lambda L, x: L.broadcast_in_dim(x, (2, 3, 4), (0, 2)),
        lambda x: np.broadcast_to(x[:, None, :], (2, 3, 4)),
        (((2, 4),), ((1, 4),), ((2, 1),), ((1, 1),)),
    ),
    row(
        "reshape",
        lambda L, x: L.reshape(x, (2, 6)),
        lambda x: x.reshape(2, 6),
        (((3, 4),), ((12,),)),
    ),
    row("transpose", lambda L, x: L.transpose(x, (2, 0, 1)), lambda x: x.transpose(2, 0, 1), CUBE),
    row(
        "reduce_sum",
        lambda L, x: L.reduce_sum(x, axes=(0, 2)),
        lambda x: np.add.reduce(x, axis=(0, 2), dtype=x.dtype),
        CUBE,
        NUMERIC,
        rtol={**HALF, **SINGLE, "float64": 1e-14, "complex128": 1e-14},
        atol=4.0,
    ),
    row(
        "squeeze",
        lambda L, x: L.squeeze(x, (0, -1)),
        lambda x: x.reshape(x.shape[1:-1]),
        (((1, 3, 1),), ((1, 1),), ((1, 0, 1),)),
    ),
    row(
        "slice",
        lambda L, x: L.slice(x, (1, 0), (3, 2)),
        lambda x: x[1:3, 0:2],
        (((3, 4),), ((4, 2),), ((3, 2),)),
    ),
    row(
        "slice",
        lambda L, x: L.slice(x, (0, 1), (3, 6), (2, 3)),
        lambda x: x[0:3:2, 1:6:3],
        (((3, 7),), ((4, 6),)),
    ),
    row("slice", lambda L, x: L.slice(x, (2,), (2,)), lambda x: x[2:2], (((3,),), ((2,),))),
    row("rev", lambda L, x: L.rev(x, (0, 2)), lambda x: x[::-1, :, ::-1], CUBE),
    row("rev", lambda L, x: L.rev(x, ()), lambda x: x, (((),), ((3,),))),
    *[
        row(
            "pad",
            lambda L, x, v, config=config: L.pad(x, v, config),
            lambda x, v, config=config: padded(x, v, config),
            (((3, 4), ()), ((1, 2), ()), ((0, 4), ())),
        )
        for config in (
            ((1, 2, 0), (0, 0, 0)),
            ((2, 1, 1), (3, 0, 2)),
            ((1, -1, 0), (-1, 2, 0)),
            ((3, -2, 0), (-2, -2, 3)),
        )
    ],
    *[
        row(
            "iota",
            lambda L, dtype=dtype, shape=shape, d=d: L.broadcasted_iota(dtype, shape, d),
            lambda shape=shape, d=d: np.indices(shape)[d],
            [()],
            [()],
            result=lambda dtype=dtype: np.dtype(dtype),
            order=0,
        )
        for dtype, shape, d in (
            ("float32", (2, 3), 1),
            ("uint8", (300,), 0),
            ("complex64", (3, 1, 2), 0),
            ("int32", (0,), 0),
        )
    ],
    row(
        "concatenate",
        lambda L, x, y, z: L.concatenate([x, y, z], 1),
        lambda x, y, z: np.concatenate([x, y, z], 1),
        (((2, 3), (2, 1), (2, 2)), ((2, 3), (2, 1), (2, 0)), ((0, 3), (0, 1), (0, 2))),
    ),
    row(
        "split",
        lambda L, x: L.split(x, (1, 0, 3), axis=-1),
        lambda x: np.split(x, (1, 1), -1),
        (((3, 4),), ((0, 4),)),
    ),
    row("stack", lambda L, x, y: L.stack([x, y], 1), lambda x, y: np.stack([x, y], 1), PLANES),
    row(
        "unstack",
        lambda L, x: L.unstack(x, 1),
        lambda x: [x[:, k] for k in range(x.shape[1])],
        (((2, 3),), ((2, 1),), ((0, 2),)),
    ),
    row(
        "tile",
        lambda L, x: L.tile(x, (2, 3)),
        lambda x: np.tile(x, (2, 3)),
        (((2, 3),), ((1, 1),), ((0, 2),)),
    ),
    row(
        "tile",
        lambda L, x: L.tile(x, (0, 1)),
        lambda x: np.tile(x, (0, 1)),
        (((2, 3),), ((1, 1),)),
        order=0,
    ),
    row("add_any", lambda L, x, y: add_any(x, y), np.add, PLANES, FLOATS + COMPLEX, jax=None),
]

DYNAMIC = [
    row(
        "dynamic_slice",
        lambda L, x, i, j: L.dynamic_slice(x, (i, j), (2, 3)),
        lambda x, i, j: x[box(x.shape, (2, 3), (i, j))],
        (((3, 4), (), ()), ((2, 5), (), ())),
        [
            (t, i, i)
            for t, i in (
                ("float32", "int32"),
                ("complex64", "int8"),
                ("int32", "uint32"),
                ("bool", "int64"),
            )
        ],
        domains=((-3.0, 3.0), (-6, 6)),
        diff=(0,),
    ),
    row(
        "dynamic_update_slice",
        lambda L, x, u, i, j: L.dynamic_update_slice(x, u, (i, j)),
        updated,
        (((3, 4), (2, 3), (), ()), ((2, 3), (2, 3), (), ()), ((3, 4), (0, 2), (), ())),
        [
            (t, t, i, i)
            for t, i in (
                ("float32", "int32"),
                ("complex64", "int8"),
                ("int32", "uint32"),
                ("bool", "int64"),
            )
        ],
        domains=((-3.0, 3.0), (-3.0, 3.0), (-6, 6)),
        diff=(0, 1),
    ),
]

REDUCTIONS = [
    product("reduce_prod", (1,), MATRIX),
    product("reduce_prod", (0, 2), CUBE),
    extremum("reduce_max", np.max, lowest, (0,), MATRIX),
    extremum("reduce_max", np.max, lowest, (0, 2), CUBE),
    extremum("reduce_min", np.min, highest, (1,), MATRIX),
    row(
        "reduce_max",
        lambda L, x: L.reduce_max(x, axes=(0,)),
        lambda x: x.max(0),
        (((4, 2),),),
        COMPLEX,
    ),
    bitwise("reduce_and", np.bitwise_and),
    bitwise("reduce_or", np.bitwise_or),
    bitwise("reduce_xor", np.bitwise_xor),
    position("argmax", np.argmax, 1, "int32"),
    position("argmax", np.argmax, 0, "uint8"),
    position("argmin", np.argmin, 1, "int64"),
]

RUNNING = [
    cumulative("cumsum", np.add, 0, False),
    cumulative("cumsum", np.add, 1, True),
    cumulative("cumprod", np.multiply, 0, True),
    cumulative("cumprod", np.multiply, 1, False),
    cumulative("cummax", np.maximum, 1, False),
    cumulative("cummax", np.maximum, 0, True),
    cumulative("cummin", np.minimum, 1, True),
    cumulative("cumlogsumexp", logaddexp, 1, False, INEXACT),
    cumulative("cumlogsumexp", logaddexp, 0, True, INEXACT),
    linear_recurrence(0, False, (5, 2)),
    linear_recurrence(1, True, (2, 7)),
    linear_recurrence(0, True, (3, 300)),
]

SORTING = [
    row(
        "sort",
        lambda L, x: L.sort(x),
        lambda x: sorted_by([x], -1, 1)[0],
        (((3, 4),), ((7,),), ((2, 0),)),
        (*ORDERED, *COMPLEX),
    ),
    row(
        "sort",
        lambda L, x: L.sort(x, dimension=0),
        lambda x: sorted_by([x], 0, 1)[0],
        (((3, 4),), ((0, 3),)),
        ("float32", "int32"),
    ),
    row(
        "sort",
        lambda L, x, y: L.sort((x, y), dimension=0, num_keys=2),
        lambda x, y: sorted_by([x, y], 0, 2),
        (((5, 3), (5, 3)), ((0, 3), (0, 3))),
        [("int32", "float32"), ("bool", "int8"), ("bfloat16", "complex64"), ("uint8", "float64")],
        domains=((-2, 2),),
        diff=(1,),
    ),
    row(
        "sort",
        lambda L, x, y: L.sort_key_val(x, y),
        lambda x, y: sorted_by([x, y], -1, 1),
        (((2, 5), (2, 5)),),
        ["float32", ("int32", "float32"), "complex64"],
    ),
    row(
        "top_k",
        lambda L, x: L.top_k(x, 2),
        lambda x: greatest(x, 2, -1),
        (((3, 4),), ((2,),), ((0, 3),)),
        ("float32", "float64", "int32", "int8", "uint8", "uint32", "int64"),
    ),
    row(
        "top_k",
        lambda L, x: L.top_k(x, 2, axis=0),
        lambda x: greatest(x, 2, 0),
        (((3, 4),), ((2, 2),)),
        ("float32", "int32"),
    ),
]

OPS = STRUCTURE + DYNAMIC + REDUCTIONS + RUNNING + SORTING
