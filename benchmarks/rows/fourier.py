"""Fourier transforms: one long one, many short ones, and the convolution of a long signal with its gradient."""

import math

import numpy as np

from benchmarks.registry import data, row


def numbers(shape, seed=1):
    return (data(shape, seed=seed) + 1j * data(shape, seed=seed + 1)).astype(np.complex64)


def transform(shape):
    """The row of a transform along the last dimension."""

    def make(lib):
        x = lib.asarray(numbers(shape))
        run = lib.jit(lib.np.fft.fft)
        return lambda: lib.done(run(x))

    def torch(lib):
        x = lib.asarray(numbers(shape))
        return lambda: lib.fft.fft(x)

    def numpy(lib):
        x = numbers(shape)
        return lambda: np.fft.fft(x)

    n = math.prod(shape)
    name = f"fourier/fft_{'x'.join(map(str, shape))}"
    made = row(name, tolerance=1e-4, bytes=16.0 * n, flops=5.0 * n * math.log2(shape[-1]))(make)
    made.variant("torch", "torchc")(torch)
    made.variant("numpy")(numpy)
    return made


transform((1_000_000,))
transform((1000, 1024))


@row("fourier/filter_gradient", tolerance=1e-3, bytes=4.0 * 6 * 262_144, flops=6 * 2.5 * 262_144 * 18)
def filter_gradient(lib):
    """The gradient by signal and filter of the energy of a filtered signal."""
    x, h = lib.asarray(data((262_144,), seed=1)), lib.asarray(data((262_144,), seed=2) / 512)

    def energy(x, h):
        y = lib.np.fft.irfft(lib.np.fft.rfft(x) * lib.np.fft.rfft(h))
        return lib.np.sum(y * y)

    run = lib.jit(lib.grad(energy, argnums=(0, 1)))
    return lambda: lib.done(run(x, h))
