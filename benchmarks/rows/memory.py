"""Programs that move memory: transpositions, gathers and scatters, stencils, conversions, normalisation."""

import numpy as np

from benchmarks.registry import data, row


def positions(n, count):
    return np.random.default_rng(0).integers(0, n, count).astype(np.int32)


def called_with(lib, function, *arrays):
    """A thunk for a row whose operands are not all normally distributed floats."""
    arrays = [lib.asarray(a) for a in arrays]
    compiled = lib.jit(function)
    return lambda: lib.done(compiled(*arrays))


@row("memory/transpose_4096sq", (4096, 4096), bytes=8.0 * 4096**2)
def transpose(lib):
    return lambda x: x.T + 1


@row("memory/transpose_210_64x512x256", (64, 512, 256), bytes=8.0 * 64 * 512 * 256)
def transpose_three(lib):
    return lambda x: lib.np.transpose(x, (2, 1, 0)) * 2


@row("memory/bias_relu_4096x2048", (4096, 2048), (2048,), bytes=8.0 * 4096 * 2048)
def bias_relu(lib):
    return lambda x, b: lib.np.maximum(x + b, 0)


@row("memory/laplacian_2000sq", (2000, 2000), bytes=8.0 * 2000**2)
def laplacian(lib):
    roll = lib.np.roll
    return lambda x: roll(x, 1, 0) + roll(x, -1, 0) + roll(x, 1, 1) + roll(x, -1, 1) - 4 * x


@row("memory/sum_axis0_4096sq", (4096, 4096), bytes=4.0 * 4096**2)
def sum_columns(lib):
    return lambda x: lib.np.sum(x, axis=0)


@row("memory/batchnorm_grad_32x56x56x64", (32, 56, 56, 64), (64,), (64,), tolerance=2e-2, bytes=8.0 * 32 * 56**2 * 64)
def batchnorm(lib):
    np_ = lib.np

    def loss(x, scale, bias):
        mean, var = np_.mean(x, axis=(0, 1, 2)), np_.var(x, axis=(0, 1, 2))
        return np_.sum(((x - mean) * lib.lax.rsqrt(var + 1e-5) * scale + bias) ** 3)

    return lib.grad(loss, argnums=(0, 1, 2))


@row("memory/uint8_to_f32_64x224x224x3", bytes=5.0 * 64 * 224 * 224 * 3)
def images(lib):
    pixels = positions(256, 64 * 224 * 224 * 3).astype(np.uint8).reshape(64, 224, 224, 3)
    return called_with(lib, lambda x: x.astype(lib.np.float32) / 255, pixels)


@row("memory/take_rows_30000x128", bytes=8.0 * 30_000 * 128)
def take_rows(lib):
    return called_with(lib, lambda x, i: x[i], data((50_000, 128)), positions(50_000, 30_000))


@row("memory/scatter_add_rows_30000x128", bytes=4.0 * (2 * 50_000 + 30_000) * 128)
def scatter_rows(lib):
    add = lambda x, i, u: x.at[i].add(u)  # noqa: E731
    return called_with(lib, add, data((50_000, 128)), positions(50_000, 30_000), data((30_000, 128)))


@row("memory/scatter_add_1e6", bytes=16e6)
def scatter_numbers(lib):
    add = lambda x, i, u: x.at[i].add(u)  # noqa: E731
    return called_with(lib, add, data((10**6,)), positions(10**6, 10**6), data((10**6,)))


@row("memory/cross_entropy_grad_4096x1000", bytes=8.0 * 4096 * 1000)
def cross_entropy(lib):
    np_ = lib.np

    def loss(x, y):
        return -np_.mean(np_.take_along_axis(lib.nn.log_softmax(x), y[:, None], axis=1))

    return called_with(lib, lib.value_and_grad(loss), data((4096, 1000)), positions(1000, 4096))
