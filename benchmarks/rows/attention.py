"""Multi-head self-attention with its four projections, forward and gradient."""

import numpy as np

from benchmarks.registry import row

BATCH, LENGTH, WIDTH, HEADS = 8, 128, 512, 8
TOKENS = BATCH * LENGTH
FORWARD = 2.0 * TOKENS * (4 * WIDTH * WIDTH + 2 * LENGTH * WIDTH)
INPUTS = [*[(WIDTH, WIDTH)] * 4, (BATCH, LENGTH, WIDTH)]
BYTES = 4.0 * (4 * WIDTH * WIDTH + TOKENS * WIDTH)


def attention(einsum, softmax):
    """The layer as a function of four matrices and the input ``[batch, length, width]``."""

    def f(q, k, v, o, x):
        scale = WIDTH**-0.5  # keeps the random projections near unit variance
        split = (BATCH, LENGTH, HEADS, WIDTH // HEADS)
        queries, keys, values = ((x @ w * scale).reshape(split) for w in (q, k, v))
        scores = einsum("bqhd,bkhd->bhqk", queries, keys) * (WIDTH // HEADS) ** -0.5
        mixed = einsum("bhqk,bkhd->bqhd", softmax(scores), values)
        return mixed.reshape((BATCH, LENGTH, WIDTH)) @ o * scale

    return f


def loss_of(f):
    """A scalar whose gradient is taken."""
    return lambda *a: (f(*a) ** 2).mean()


def softmax_of(np_):
    def softmax(x):
        e = np_.exp(x - np_.max(x, axis=-1, keepdims=True))
        return e / np_.sum(e, axis=-1, keepdims=True)

    return softmax


@row("nn/attention_fwd", *INPUTS, tolerance=1e-3, bytes=BYTES + 4.0 * TOKENS * WIDTH, flops=FORWARD)
def forward(lib):
    return attention(lib.np.einsum, lib.nn.softmax)


forward.variant("torch", "torchc")(lambda lib: attention(lib.einsum, lambda x: lib.softmax(x, -1)))
forward.variant("numpy")(lambda lib: attention(lambda *a: np.einsum(*a, optimize=True), softmax_of(np)))


@row("nn/attention_grad", *INPUTS, tolerance=1e-3, bytes=2 * BYTES, flops=3 * FORWARD)
def gradient(lib):
    return lib.grad(loss_of(attention(lib.np.einsum, lib.nn.softmax)), argnums=(0, 1, 2, 3, 4))


@gradient.variant("torch", "torchc")
def _(lib):
    f = attention(lib.einsum, lambda x: lib.softmax(x, -1))
    return lib.func.grad(loss_of(f), argnums=(0, 1, 2, 3, 4))


@gradient.variant("autograd")
def _(lib):
    loss = loss_of(attention(lib.np.einsum, softmax_of(lib.np)))
    slope = lib.grad(lambda arrays: lib.np.mean(loss(*arrays)))
    return lambda *arrays: slope(arrays)


SEQUENCE = (32, 512, 512)


@row("nn/softmax_32x512x512", SEQUENCE, bytes=8.0 * np.prod(SEQUENCE))
def softmax(lib):
    return lib.nn.softmax


softmax.variant("torch", "torchc")(lambda lib: lambda x: lib.softmax(x, -1))
softmax.variant("numpy")(lambda lib: softmax_of(np))
