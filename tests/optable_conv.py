"""Rows of the op table: convolutions."""

from __future__ import annotations

import functools
import itertools

import numpy as np
from optable_base import COMPLEX, FLOATS, INTEGERS, Op

from fungrad import lax

HALF = {"float16": 4e-3, "bfloat16": 3e-2}
TOLERANCES = {**HALF, "float32": 1e-5, "complex64": 2e-5, "float64": 1e-13, "complex128": 1e-13}
NHWC = ("NHWC", "HWIO", "NHWC")


def extent(n, step):
    return (n - 1) * step + 1 if n else 0


def convolution(x, w, strides, padding, lhs_dilation=None, rhs_dilation=None, numbers=None, groups=1, batch_groups=1):
    """Convolution in plain Python: one product per result and tap."""
    lhs, rhs, out = numbers or ["NC" + "abc"[: x.ndim - 2], "OI" + "abc"[: x.ndim - 2], "NC" + "abc"[: x.ndim - 2]]
    letters = [s for s in rhs if s not in "OI"]
    x = x.transpose([lhs.index(s) for s in ["N", "C", *letters]])
    w = w.transpose([rhs.index(s) for s in ["O", "I", *letters]])
    ones = (1,) * len(letters)
    base, dilation = lhs_dilation or ones, rhs_dilation or ones
    sizes = [
        max(0, (extent(n, b) + low + high - extent(k, d)) // s + 1)
        for n, k, s, (low, high), b, d in zip(x.shape[2:], w.shape[2:], strides, padding, base, dilation, strict=True)
    ]
    y = np.zeros((x.shape[0] // batch_groups, w.shape[0], *sizes), x.dtype)
    inputs, outputs = w.shape[1], w.shape[0] // (groups * batch_groups)
    for o, k in itertools.product(np.ndindex(*sizes), np.ndindex(*w.shape[2:])):
        at = [a * s + t * d - low for a, t, s, (low, _), d in zip(o, k, strides, padding, dilation, strict=True)]
        if any(p < 0 or p % b or p // b >= n for p, b, n in zip(at, base, x.shape[2:], strict=True)):
            continue
        there = x[(slice(None), slice(None), *(p // b for p, b in zip(at, base, strict=True)))]
        for g in range(groups * batch_groups):
            some = slice(g * outputs, (g + 1) * outputs)
            part = there[:, g * inputs : (g + 1) * inputs] if groups > 1 else there
            if batch_groups > 1:
                part = there[g * y.shape[0] : (g + 1) * y.shape[0]]
            y[(slice(None), some, *o)] += part @ w[(some, slice(None), *k)].T
    return y.transpose([["N", "C", *letters].index(s) for s in out])


def row(name, function, reference, shapes, dtypes=FLOATS, **facts):
    facts = {"special": False, "weak": False, "rtol": TOLERANCES, "atol": 8.0, "grad_rtol": 1e-4, **facts}
    facts.setdefault("jax", lambda jax, *xs: function(jax.lax, *xs))
    return Op(
        name, functools.partial(function, lax), reference, dtypes, shapes, primitives=("conv_general_dilated",), **facts
    )


def general(name, shapes, strides, padding, dtypes=FLOATS, facts=None, **params):
    """A convolution whose padding is pairs; ``params`` have the names of ``conv_general_dilated``."""

    def reference(x, w):
        return convolution(
            x, w, strides, padding, params.get("lhs_dilation"), params.get("rhs_dilation"),
            params.get("dimension_numbers"), params.get("feature_group_count", 1), params.get("batch_group_count", 1),
        )  # fmt: skip

    return row(
        name, lambda L, x, w: L.conv_general_dilated(x, w, strides, padding, **params), reference, shapes, dtypes,
        **(facts or {}),
    )  # fmt: skip


def transposed(x, w, strides, low, high):
    return convolution(x, w, (1,) * len(strides), [(low, high)] * len(strides), strides, None, ("NHC", "HIO", "NHC"))


def patches(x):
    """Windows of 2 x 2 at distance 1 of an array NCHW, with one row of zeros above."""
    x = np.pad(x, ((0, 0), (0, 0), (1, 0), (0, 0)))
    n, c, h, w = x.shape
    y = np.stack([x[:, :, i : h - 1 + i, j : w - 1 + j] for i in (0, 1) for j in (0, 1)], 2)
    return y.reshape(n, 4 * c, h - 1, w - 1)


def take_windows(L, x):
    return L.conv_general_dilated_patches(x, (2, 2), (1, 1), ((1, 0), (0, 0)))


def local(x, w):
    return np.einsum("nihw,oihw->nohw", patches(x), w)


OPS = [
    general(
        "conv_same",
        (((2, 5, 4, 3), (3, 3, 3, 2)), ((1, 1, 2, 1), (3, 3, 1, 1)), ((1, 4, 4, 2), (3, 3, 2, 0)),
         ((0, 4, 4, 2), (3, 3, 2, 3)), ((1, 4, 4, 0), (3, 3, 0, 3)), ((1, 0, 4, 2), (3, 3, 2, 3))),
        (1, 1), ((1, 1), (1, 1)), (*FLOATS, *COMPLEX, *INTEGERS), dimension_numbers=NHWC,
    ),
    general(
        "conv_spread",
        (((2, 3, 4, 3), (4, 3, 2, 3)),), (2, 1), ((2, 1), (-1, 3)), ("float32", "int32", "complex64"),
        lhs_dilation=(3, 2), rhs_dilation=(1, 2),
    ),
    general(
        "conv_strided", (((2, 5, 2, 6), (2, 3, 2, 4)),), (2, 3), ((1, 0), (0, 2)), ("float32", "bfloat16"),
        dimension_numbers=("CHNW", "WHIO", "WNHC"),
    ),
    general(
        "conv_groups", (((2, 4, 5, 6), (2, 3, 2, 9)), ((1, 3, 3, 3), (2, 2, 1, 3))), (1, 2), ((0, 1), (1, 1)),
        ("float32", "float16", "int8"), dimension_numbers=NHWC, feature_group_count=3,
    ),
    general(
        "conv_batch_groups", (((4, 3, 2, 3), (2, 2, 3, 4)),), (1, 1), ((0, 1), (1, 1)), ("float32", "int32"),
        dimension_numbers=NHWC, batch_group_count=2,
    ),
    general(
        "conv_depthwise_spread", (((2, 3, 4, 3), (3, 2, 1, 6)),), (1, 1), ((2, 1), (1, 1)), ("float32", "bfloat16"),
        dimension_numbers=NHWC, feature_group_count=3, lhs_dilation=(2, 2),
    ),
    general("conv_1d", (((2, 3, 9), (4, 3, 3)), ((2, 3, 1), (4, 3, 3))), (2,), ((2, 1),), rhs_dilation=(2,)),
    general("conv_3d", (((2, 2, 3, 4, 3), (3, 2, 2, 3, 1)),), (1, 2, 1), ((1, 0), (1, 1), (0, 0)), ("float32",)),
    general("conv_0d", (((2, 3), (4, 3)),), (), ()),
    general("conv_one_tap", (((2, 3, 5, 4), (6, 3, 1, 1)),), (2, 1), ((0, 0), (0, 0)), ("float32", "bfloat16")),
    general("conv_one_result", (((2, 3, 3, 4), (5, 3, 3, 4)),), (1, 1), ((0, 0), (0, 0)), ("float32",)),
    row(
        "conv_transpose", lambda L, x, w: L.conv_transpose(x, w, (2,), "SAME"),
        lambda x, w: transposed(x, w, (2,), 2, 1), (((2, 4, 3), (3, 3, 2)),), ("float32", "bfloat16", "int32"),
    ),
    row(
        "conv_transpose_kernel", lambda L, x, w: L.conv_transpose(x, w, (3,), "VALID", transpose_kernel=True),
        lambda x, w: transposed(x, w[::-1].swapaxes(1, 2), (3,), 1, 2), (((2, 4, 3), (2, 4, 3)),), ("float32",),
    ),
    row("conv_patches", take_windows, patches, (((2, 3, 3, 4),),), ("float32", "bfloat16", "int32")),
    row(
        "conv_local", lambda L, x, w: L.conv_general_dilated_local(x, w, (1, 1), ((1, 0), (0, 0)), (2, 2)), local,
        (((2, 3, 3, 4), (2, 12, 3, 3)),), ("float32",),
    ),
]  # fmt: skip
