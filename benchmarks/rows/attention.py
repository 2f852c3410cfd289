"""Multi-head self-attention with its four projections, forward and gradient."""

from functools import partial

import numpy as np

from benchmarks.registry import row

BATCH, LENGTH, HEADS = 8, 128, 8
TOKENS = BATCH * LENGTH
# By name of the rows: the width of the layer.
WIDTHS = {"": 512, "_256": 256}


def attention(width, einsum, softmax):
    """The layer as a function of four matrices and the input ``[batch, length, width]``."""

    def f(q, k, v, o, x):
        scale = width**-0.5  # keeps the random projections near unit variance
        split = (BATCH, LENGTH, HEADS, width // HEADS)
        queries, keys, values = ((x @ w * scale).reshape(split) for w in (q, k, v))
        scores = einsum("bqhd,bkhd->bhqk", queries, keys) * (width // HEADS) ** -0.5
        mixed = einsum("bhqk,bkhd->bqhd", softmax(scores), values)
        return mixed.reshape((BATCH, LENGTH, width)) @ o * scale

    return f


def loss_of(f):
    """A scalar whose gradient is taken."""
    return lambda *a: (f(*a) ** 2).mean()


def softmax_of(np_):
    def softmax(x):
        e = np_.exp(x - np_.max(x, axis=-1, keepdims=True))
        return e / np_.sum(e, axis=-1, keepdims=True)

    return softmax


def layers(suffix, width):
    """The rows of a layer of some width, forward and gradient."""
    flops = 2.0 * TOKENS * (4 * width * width + 2 * LENGTH * width)
    inputs = [*[(width, width)] * 4, (BATCH, LENGTH, width)]
    nbytes = 4.0 * (4 * width * width + TOKENS * width)
    every = (0, 1, 2, 3, 4)
    of = partial(attention, width)

    def torch(lib):
        return of(lib.einsum, lambda x: lib.softmax(x, -1))

    def numpy(lib):
        return of(lambda *a: np.einsum(*a, optimize=True), softmax_of(np))

    def autograd(lib):
        loss = loss_of(of(lib.np.einsum, softmax_of(lib.np)))
        slope = lib.grad(lambda arrays: lib.np.mean(loss(*arrays)))
        return lambda *arrays: slope(arrays)

    def own(lib):
        return of(lib.np.einsum, lib.nn.softmax)

    name = f"nn/attention{suffix}"
    forward = row(f"{name}_fwd", *inputs, tolerance=1e-3, bytes=nbytes + 4.0 * TOKENS * width, flops=flops)(own)
    forward.variant("torch", "torchc")(torch)
    forward.variant("numpy")(numpy)
    gradient = row(f"{name}_grad", *inputs, tolerance=1e-3, bytes=2 * nbytes, flops=3 * flops)(
        lambda lib: lib.grad(loss_of(own(lib)), argnums=every)
    )
    gradient.variant("torch", "torchc")(lambda lib: lib.func.grad(loss_of(torch(lib)), argnums=every))
    gradient.variant("autograd")(autograd)


for suffix, width in WIDTHS.items():
    layers(suffix, width)

SEQUENCE = (32, 512, 512)


@row("nn/softmax_32x512x512", SEQUENCE, bytes=8.0 * np.prod(SEQUENCE))
def softmax(lib):
    return lib.nn.softmax


softmax.variant("torch", "torchc")(lambda lib: lambda x: lib.softmax(x, -1))
softmax.variant("numpy")(lambda lib: softmax_of(np))
