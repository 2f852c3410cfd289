"""Rows of the op table: reductions over sliding windows."""

from __future__ import annotations

import functools
import itertools

import numpy as np
from optable_base import FLOATS, INTEGERS, NUMERIC, Op

from fungrad import lax

HALF = {"float16": 4e-3, "bfloat16": 3e-2}
TOLERANCES = {**HALF, "float32": 4e-6, "complex64": 8e-6, "float64": 1e-13, "complex128": 1e-13}


def extent(n, step):
    return (n - 1) * step + 1 if n else 0


class Windows:
    """All windows of an array, one after the other, in plain Python: for each the places that hold an element."""

    def __init__(self, window, strides, padding, base=None, dilation=None):
        ones = (1,) * len(window)
        self.window, self.strides, self.padding = window, strides, padding
        self.base, self.dilation = base or ones, dilation or ones

    @property
    def params(self):
        return {
            "window_dimensions": self.window,
            "window_strides": self.strides,
            "padding": self.padding,
            "base_dilation": self.base,
            "window_dilation": self.dilation,
        }

    def result(self, shape):
        sizes = zip(shape, self.window, self.strides, self.padding, self.base, self.dilation, strict=True)
        return tuple(
            max(0, (extent(n, b) + low + high - extent(k, d)) // s + 1) for n, k, s, (low, high), b, d in sizes
        )

    def places(self, shape, out):
        """The elements in window ``out``, and None for places without one."""
        for k in itertools.product(*map(range, self.window)):
            at = []
            for o, p, s, (low, _), b, d, n in zip(
                out, k, self.strides, self.padding, self.base, self.dilation, shape, strict=True
            ):
                here = o * s + p * d - low
                at.append(here // b if 0 <= here < extent(n, b) and here % b == 0 else None)
            yield None if None in at else tuple(at)

    def each(self, shape):
        for out in np.ndindex(*self.result(shape)):
            yield out, list(self.places(shape, out))

    def reduce(self, function, initial, x):
        out = np.full(self.result(x.shape), initial, x.dtype)
        for o, places in self.each(x.shape):
            for at in places:
                if at is not None:
                    out[o] = function(out[o], x[at])
        return out

    def chosen(self, operand, sign):
        """Per window the place of the first greatest element; None where a place without element comes before."""
        for out, places in self.each(operand.shape):
            best, chosen = None, None
            for at in places:
                value = -np.inf if at is None else sign * float(operand[at])
                if best is None or value > best:
                    best, chosen = value, at
            yield out, chosen


def lowest(dtype):
    return -np.inf if dtype.kind in "fV" else np.iinfo(dtype).min


def highest(dtype):
    return np.inf if dtype.kind in "fV" else np.iinfo(dtype).max


def row(name, function, reference, shapes, dtypes, **facts):
    facts = {"special": False, "weak": False, "wide": "rtol" in facts, **facts}
    facts.setdefault("jax", lambda jax, *xs: function(jax.lax, *xs))
    return Op(name, functools.partial(function, lax), reference, dtypes, shapes, **facts)


def total(windows, shapes, **facts):
    return row(
        "reduce_window_sum",
        lambda L, x: L.reduce_window_sum_p.bind(x, **windows.params),
        lambda x: windows.reduce(np.add, 0, x),
        shapes,
        NUMERIC,
        rtol=TOLERANCES,
        atol=4.0,
        **facts,
    )


def extremum(name, windows, shapes, **facts):
    ufunc, initial = (np.maximum, lowest) if name == "max" else (np.minimum, highest)
    return row(
        f"reduce_window_{name}",
        lambda L, x: getattr(L, f"reduce_window_{name}_p").bind(x, **windows.params),
        lambda x: windows.reduce(ufunc, initial(x.dtype), x),
        shapes,
        (*FLOATS, *INTEGERS),
        **facts,
    )


def selection_params(L, windows, select):
    params = {**windows.params, "select_prim": select}
    if L is not lax:
        params["select_prim"] = getattr(L, f"{select}_p")
        return params
    del params["base_dilation"]
    return params


def gather(windows, select, shapes):
    sign = 1 if select == "ge" else -1

    def reference(t, x):
        out = np.zeros(windows.result(x.shape), t.dtype)
        for o, at in windows.chosen(x, sign):
            out[o] = 0 if at is None else t[at]
        return out

    return row(
        "select_and_gather_add",
        lambda L, t, x: L.select_and_gather_add_p.bind(t, x, **selection_params(L, windows, select)),
        reference,
        shapes,
        FLOATS,
        diff=(0,),
        jax_dtypes=("float32",),
    )


def scatter(windows, select, shapes):
    sign = 1 if select == "ge" else -1

    def reference(source, x):
        out = np.zeros(x.shape, source.dtype)
        for o, at in windows.chosen(x, sign):
            if at is not None:
                out[at] += source[o]
        return out

    def function(L, source, x):
        params = selection_params(L, windows, select)
        if L is not lax:
            del params["base_dilation"], params["window_dilation"]
        return L.select_and_scatter_add_p.bind(source, x, **params)

    no_jax = {} if set(windows.dilation) == {1} else {"jax": None}
    return row(
        "select_and_scatter_add",
        function,
        reference,
        shapes,
        FLOATS,
        diff=(0,),
        rtol=TOLERANCES,
        atol=4.0,
        jax_dtypes=("float32",),
        **no_jax,
    )


def general(name, computation, reference, initial, windows, shapes, dtypes=("float32", "float64", "int32"), **facts):
    """A reduction by a function that is not one of the primitives'."""

    def function(L, x):
        init = L.full((), initial, x.dtype)
        return L.reduce_window(
            x, init, functools.partial(computation, L), windows.window, windows.strides, windows.padding,
            windows.base, windows.dilation,
        )  # fmt: skip

    return row(
        name,
        function,
        lambda x: windows.reduce(reference, initial, x),
        shapes,
        dtypes,
        primitives=("reduce_window",),
        rtol=TOLERANCES,
        atol=4.0,
        **facts,
    )


POOL = Windows((1, 2, 2, 1), (1, 2, 2, 1), ((0, 0), (0, 0), (0, 0), (0, 0)))
SAME = Windows((3, 3), (1, 1), ((1, 1), (1, 1)))
SPREAD = Windows((2, 3), (1, 2), ((0, 1), (-1, 3)), (2, 1), (1, 2))
STRIDED = Windows((3, 2), (2, 3), ((1, 1), (0, 1)))
DILATED = Windows((2, 3), (2, 1), ((0, 1), (2, 2)), None, (2, 2))
LONG = Windows((1, 35), (1, 3), ((0, 0), (17, 17)))
NONE = Windows((), (), ())

OPS = [
    total(POOL, (((1, 4, 5, 3),),)),
    total(SAME, (((4, 5),), ((3, 3),))),
    total(SPREAD, (((4, 5),), ((0, 5),))),
    total(LONG, (((2, 7),),)),
    total(NONE, (((),),)),
    extremum("max", POOL, (((1, 4, 5, 3),),)),
    extremum("max", SPREAD, (((4, 5),),)),
    extremum("max", LONG, (((2, 7),),)),
    extremum("min", SAME, (((4, 5),), ((3, 3),))),
    extremum("min", STRIDED, (((5, 6),), ((0, 3),))),
    gather(POOL, "ge", (((1, 4, 4, 3), (1, 4, 4, 3)),)),
    gather(DILATED, "le", (((5, 4), (5, 4)),)),
    gather(LONG, "ge", (((2, 7), (2, 7)),)),
    scatter(POOL, "ge", (((1, 2, 2, 3), (1, 4, 5, 3)),)),
    scatter(STRIDED, "ge", (((3, 2), (5, 6)),)),
    scatter(SAME, "le", (((4, 5), (4, 5)),)),
    scatter(DILATED, "ge", (((2, 4), (5, 4)),)),
    general("reduce_window_mul", lambda L, a, b: L.mul(a, b), np.multiply, 1, SAME, (((4, 5),),)),
    general(
        "reduce_window_norm",
        lambda L, a, b: L.add(a, L.mul(b, b)),
        lambda a, b: a + b * b,
        0,
        SPREAD,
        (((4, 5),), ((0, 5),)),
    ),
    general("reduce_window_long", lambda L, a, b: L.mul(a, b), np.multiply, 1, Windows((9, 9), (1, 1), ((4, 4),) * 2),
            (((3, 4),),)),
]  # fmt: skip
