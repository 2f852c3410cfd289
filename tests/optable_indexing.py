"""Rows of the op table: contraction, gather and scatter."""

from __future__ import annotations

import functools

import numpy as np
from optable_base import COMPLEX, FLOATS, INEXACT, INTEGERS, NUMERIC, Op

from fungrad import lax

HALF = {"float16": 4e-3, "bfloat16": 3e-2}
SINGLE = {"float32": 4e-6, "complex64": 8e-6}


def row(name, function, reference, shapes, dtypes, **facts):
    """A row whose fungrad and JAX functions differ in the ``lax`` module alone."""
    facts = {"special": False, "weak": False, **facts}
    facts.setdefault("jax", lambda jax, *xs: function(jax.lax, *xs))
    return Op(name, functools.partial(function, lax), reference, dtypes, shapes, **facts)


# -- contraction -------------------------------------------------------------------------------------------------------

MATRICES = (((2, 3), (3, 4)), ((1, 3), (3, 1)), ((2, 0), (0, 3)), ((0, 3), (3, 2)))
DOT = [
    row(
        "dot_general",
        lambda L, x, y: L.dot_general(x, y, (((1,), (0,)), ((), ()))),
        np.matmul,
        MATRICES,
        (*NUMERIC, "bool"),
        rtol={**HALF, **SINGLE},
        atol=8,
    ),
    row(
        "dot_general of batches",
        lambda L, x, y: L.dot_general(x, y, (((2, 0), (1, 3)), ((1,), (2,)))),
        lambda x, y: np.einsum("kbij,libk->bjl", x, y),
        (((2, 3, 4, 2), (2, 4, 3, 2)), ((1, 3, 2, 2), (1, 2, 3, 1)), ((2, 0, 2, 1), (3, 2, 0, 2))),
        ("float32", "float64", "bfloat16", "complex64", "int32", "uint8"),
        rtol={**HALF, **SINGLE},
        atol=8,
        primitives=("dot_general",),
    ),
    row(
        "dot_general into a wider dtype",
        lambda L, x, y: L.dot_general(x, y, (((1,), (0,)), ((), ())), preferred_element_type=np.float32),
        np.matmul,
        MATRICES,
        ("float32", "bfloat16", "float16", "int8"),
        result=lambda *dtypes: np.dtype(np.float32),
        order=0,
        rtol=SINGLE,
        atol=8,
        primitives=("dot_general",),
    ),
]

# -- gather and scatter ------------------------------------------------------------------------------------------------

ROWS = (((4, 3), (5, 1)), ((1, 2), (3, 1)), ((3, 0), (2, 1)), ((4, 2), (0, 1)))
BLOCKS = (((3, 4), (2, 2, 2)), ((2, 2), (1, 3, 2)))
UPDATES = (((4, 3), (5, 1), (5, 3)), ((1, 2), (3, 1), (3, 2)), ((3, 0), (2, 1), (2, 0)), ((4, 2), (0, 1), (0, 2)))
OUTSIDE = ((-3.0, 3.0), (-2, 5), (-3.0, 3.0))


def typed(values, indices=("int32", "int64", "uint8"), updates=True):
    """Dtypes of operand, indices and updates: all index dtypes with the first of ``values``."""
    names = [(v, indices[0]) for v in values] + [(values[0], i) for i in indices[1:]]
    return [(v, i, v) if updates else (v, i) for v, i in names]


def row_gather(mode, **options):
    return lambda L, x, i: L.gather(
        x, i, L.GatherDimensionNumbers((1,), (0,), (0,)), (1, x.shape[1]), mode=mode, **options
    )


# Promises that hold for one position, and say nothing about those of other examples of a batch.
PROMISES = {"unique_indices": True, "indices_are_sorted": True}
ONE_ROW = (((4, 3), (1, 1)), ((1, 2), (1, 1)))
ONE_UPDATE = (((4, 3), (1, 1), (1, 3)), ((1, 2), (1, 1), (1, 2)))


def filled_rows(x, i):
    # Index dtypes without sign cannot be negative.
    i = i[:, 0].astype(np.int64)
    inside = (i >= 0) & (i < len(x))
    outside = {"b": True, "f": np.nan, "c": np.nan}.get(x.dtype.kind)
    if outside is None:
        info = np.iinfo(x.dtype)
        outside = info.min if info.min < 0 else info.max
    return np.where(inside[:, None], x[np.clip(i, 0, len(x) - 1)], np.asarray(outside).astype(x.dtype))


def clipped_rows(x, i):
    return x[np.clip(i[:, 0].astype(np.int64), 0, len(x) - 1)]


def clipped_blocks(x, starts):
    """Blocks of shape (2, 2), with the numbering dimension of size 2 or 1 between those of the block."""
    out = np.empty((2, *starts.shape[:-1], 2), x.dtype)
    for n in np.ndindex(*starts.shape[:-1]):
        i, j = (min(max(int(s), 0), size - 2) for s, size in zip(starts[n], x.shape, strict=True))
        out[(slice(None), *n)] = x[i : i + 2, j : j + 2]
    return out


GATHER = [
    row(
        "gather",
        row_gather("clip"),
        clipped_rows,
        ROWS,
        typed(("float32", "float64", "bfloat16", "complex64", "int32", "bool", "uint8"), updates=False),
        domains=OUTSIDE,
        wide=False,
        diff=(0,),
    ),
    row(
        "gather with promises",
        row_gather("clip", **PROMISES),
        clipped_rows,
        ONE_ROW,
        typed(("float32", "complex64"), updates=False),
        domains=((-3.0, 3.0), (0, 1)),
        wide=False,
        diff=(0,),
        primitives=("gather",),
    ),
    row(
        "gather with fill",
        row_gather("fill"),
        filled_rows,
        ROWS,
        typed(("float32", "float64", "complex64", "int32", "bool", "uint8"), updates=False),
        domains=((-3.0, 3.0), (0, 3)),
        wide=False,
        order=0,
        primitives=("gather",),
    ),
    row(
        "gather of blocks",
        lambda L, x, i: L.gather(x, i, L.GatherDimensionNumbers((0, 3), (), (0, 1)), (2, 2), mode="clip"),
        clipped_blocks,
        BLOCKS,
        typed(("float32", "int8", "complex64"), updates=False),
        domains=OUTSIDE,
        wide=False,
        diff=(0,),
        primitives=("gather",),
    ),
]


def scattered(combine):
    """Reference of a scatter of rows that drops those outside."""

    def reference(x, i, updates):
        out = x.copy()
        for n, position in enumerate(i[:, 0].tolist()):
            if 0 <= position < len(x):
                out[position] = combine(out[position], updates[n])
        return out

    return reference


def row_scatter(name, mode="drop", **options):
    return lambda L, x, i, u: getattr(L, name)(
        x, i, u, L.ScatterDimensionNumbers((1,), (0,), (0,)), mode=mode, **options
    )


def distinct(rng, shape, dtype):
    """Positions that do not repeat where a scatter of four rows uses them."""
    return (rng.permutation(8)[: shape[0]].reshape(shape)).astype(dtype)


ANY = ("float32", "float64", "bfloat16", "complex64", "int32", "bool", "uint8", "int64")
REAL = (*FLOATS, *INTEGERS)
SCATTER = [
    row(
        "scatter",
        row_scatter("scatter"),
        scattered(lambda old, new: new),
        UPDATES,
        typed(ANY),
        domains=OUTSIDE,
        wide=False,
        diff=(0, 2),
    ),
    row("scatter-add", row_scatter("scatter_add"), scattered(np.add), UPDATES, typed(NUMERIC), domains=OUTSIDE,
        diff=(0, 2), rtol={**HALF, **SINGLE}, jax_rtol=HALF, atol=4),
    row("scatter-sub", row_scatter("scatter_sub"), scattered(np.subtract), UPDATES, typed(NUMERIC), domains=OUTSIDE,
        diff=(0, 2), rtol={**HALF, **SINGLE}, jax_rtol=HALF, atol=4),
    row("scatter-mul", row_scatter("scatter_mul", unique_indices=True), scattered(np.multiply), UPDATES,
        typed((*INEXACT, "int32", "uint8")), domains=((-3.0, 3.0), distinct, (-3.0, 3.0)), diff=(0, 2),
        rtol={**HALF, **SINGLE}),
    row("scatter-min", row_scatter("scatter_min"), scattered(np.minimum), UPDATES, typed((*REAL, "bool")),
        domains=OUTSIDE, wide=False, diff=(0, 2)),
    row("scatter-max", row_scatter("scatter_max"), scattered(np.maximum), UPDATES, typed((*REAL, "bool")),
        domains=OUTSIDE, wide=False, diff=(0, 2)),
    row("scatter-add with promises", row_scatter("scatter_add", **PROMISES), scattered(np.add), ONE_UPDATE,
        typed(("float32", "complex64")), domains=((-3.0, 3.0), (0, 1), (-3.0, 3.0)), diff=(0, 2), rtol=SINGLE, atol=4,
        primitives=("scatter-add",)),
    row("scatter with promises", row_scatter("scatter", **PROMISES), scattered(lambda old, new: new), ONE_UPDATE,
        typed(("float32", "complex64")), domains=((-3.0, 3.0), (0, 1), (-3.0, 3.0)), diff=(0, 2), wide=False,
        primitives=("scatter",)),
    row(
        "scatter-add with clipping",
        row_scatter("scatter_add", "clip"),
        lambda x, i, u: scattered(np.add)(x, np.clip(i.astype(np.int64), 0, len(x) - 1), u),
        UPDATES,
        typed(("float32", "int32", *COMPLEX)),
        domains=OUTSIDE,
        diff=(0, 2),
        rtol=SINGLE,
        atol=4,
        primitives=("scatter-add",),
    ),
]  # fmt: skip

OPS = DOT + GATHER + SCATTER
