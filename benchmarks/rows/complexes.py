"""Complex numbers: elementwise chains, a product of matrices, and the Mandelbrot set as loops of complex scalars."""

import numpy as np

from benchmarks.registry import data, row


def complex_data(shape, seed=0):
    return (data(shape, seed=seed) + 1j * data(shape, seed=seed + 1)).astype(np.complex64)


def _chain(np_):
    return lambda x, y: x * y + 2 * np_.conj(x) - y / (x + 3)


def _waves(np_):
    return lambda x, y: np_.exp(0.1j * x) * np_.sqrt(y) + np_.log(x)


def _chain_row(name, function, **facts):
    @row(name, **facts)
    def made(lib):
        x, y = (lib.asarray(complex_data((10**6,), seed)) for seed in (0, 2))
        f = lib.jit(function(lib.np))
        return lambda: lib.done(f(x, y))

    @made.variant("numpy")
    def _(lib):
        x, y = (complex_data((10**6,), seed) for seed in (0, 2))
        f = function(np)
        return lambda: f(x, y)


_chain_row("complex/chain_1e6", _chain, bytes=3 * 8e6, tolerance=1e-3)
_chain_row("complex/exp_sqrt_log_1e6", _waves, bytes=3 * 8e6, tolerance=1e-3)


@row("complex/matmul_512", bytes=24.0 * 512**2, flops=8.0 * 512**3)
def matmul(lib):
    x, y = (lib.asarray(complex_data((512, 512), seed)) for seed in (0, 2))
    f = lib.jit(lambda x, y: x @ y)
    return lambda: lib.done(f(x, y))


@matmul.variant("numpy")
def _(lib):
    x, y = (complex_data((512, 512), seed) for seed in (0, 2))
    return lambda: x @ y


def _plane(n):
    return (np.linspace(-2, 0.5, n)[None] + 1j * np.linspace(-1.2, 1.2, n)[:, None]).astype(np.complex64)


# How often a point stays inside depends on rounding near the boundary of the set: the share of points that never leave
# is what the answers have in common.
@row("complex/mandelbrot_512_100", tolerance=1e-2, flops=12.0 * 512 * 512 * 100)
def mandelbrot(lib):
    lax, np_ = lib.lax, lib.np
    c = lib.asarray(_plane(512))

    def count(c):
        def step(_, state):
            z, n = state
            z = z * z + c
            return z, n + (np_.real(z) ** 2 + np_.imag(z) ** 2 < 4)

        start = np_.zeros_like(c), np_.zeros(c.shape, np_.int32)
        return np_.mean(lax.fori_loop(0, 100, step, start)[1] == 100)

    f = lib.jit(count)
    return lambda: lib.done(f(c))


@row("complex/escape_while_256", tolerance=1e-2, flops=12.0 * 256 * 256 * 40)
def escape(lib):
    lax, np_ = lib.lax, lib.np
    c = lib.asarray(_plane(256))

    def one(c):
        def inside(state):
            z, n = state
            return (np_.real(z) ** 2 + np_.imag(z) ** 2 < 4) & (n < 100)

        return lax.while_loop(inside, lambda s: (s[0] * s[0] + c, s[1] + 1), (np_.zeros_like(c), np_.int32(0)))[1]

    f = lib.jit(lambda c: np_.mean(lib.root.vmap(lib.root.vmap(one))(c)))
    return lambda: lib.done(f(c))
