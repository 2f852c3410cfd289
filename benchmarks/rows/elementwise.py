"""Elementwise chains and row-wise nests."""

import numpy as np

from benchmarks.registry import data, row


def chain(np_):
    return lambda x: np_.tanh(x) * np_.exp(-x * x) + np_.sin(x) / (1 + x * x)


def _chain_row(size, dtype, label):
    @row(f"elem/chain_{label}_{size:.0e}".replace("e+0", "e"), bytes=2.0 * size * np.dtype(dtype).itemsize)
    def chain_row(lib):
        if dtype is np.float64:
            lib.config.update("jax_enable_x64", True)
        x = lib.asarray(data((size,), dtype))
        if dtype is np.float64:
            lib.config.update("jax_enable_x64", False)
        f = lib.jit(chain(lib.np))
        return lambda: lib.done(f(x))

    @chain_row.variant("numpy")
    def _(lib):
        x = data((size,), dtype)
        f = chain(np)
        return lambda: f(x)

    @chain_row.variant("torch")
    def _(lib):
        x = lib.from_numpy(data((size,), dtype))
        f = chain(lib.root)
        return lambda: f(x)


for _size in (10**3, 10**5, 10**7):
    _chain_row(_size, np.float32, "f32")
_chain_row(10**5, np.float64, "f64")


@row("elem/membound_1e7", bytes=4e7 * 4)
def membound(lib):
    x, y, z = (lib.asarray(data((10**7,), seed=i)) for i in range(3))
    f = lib.jit(lambda x, y, z: 2.0 * x + y * z)
    return lambda: lib.done(f(x, y, z))


@membound.variant("numpy")
def _(lib):
    x, y, z = (data((10**7,), seed=i) for i in range(3))
    return lambda: np.float32(2.0) * x + y * z


@row("elem/gelu_4096x1000")
def gelu(lib):
    x = lib.asarray(data((4096, 1000)))
    f = lib.jit(lib.nn.gelu)
    return lambda: lib.done(f(x))


@row("elem/softplus_1e6")
def softplus(lib):
    x = lib.asarray(data((10**6,)))
    f = lib.jit(lib.nn.softplus)
    return lambda: lib.done(f(x))


@row("elem/log_softmax_4096x1000")
def log_softmax(lib):
    x = lib.asarray(data((4096, 1000)))
    f = lib.jit(lib.nn.log_softmax)
    return lambda: lib.done(f(x))


@row("elem/layernorm_vag_4096x1024", tolerance=2e-3)
def layernorm(lib):
    np_ = lib.np

    def loss(params, x):
        scale, bias = params
        mean = np_.mean(x, axis=1, keepdims=True)
        var = np_.var(x, axis=1, keepdims=True)
        return np_.sum(np_.sin((x - mean) / np_.sqrt(var + 1e-5) * scale + bias))

    x = lib.asarray(data((4096, 1024)))
    params = (lib.asarray(data((1024,), seed=1)), lib.asarray(data((1024,), seed=2)))
    f = lib.jit(lib.value_and_grad(loss, argnums=(0, 1)))
    return lambda: lib.done(f(params, x))


@row("sci/black_scholes_1e6_vag", tolerance=1e-3)
def black_scholes(lib):
    np_ = lib.np
    n = 10**6
    rng = np.random.default_rng(0)
    spot, strike, time = (
        lib.asarray(rng.uniform(a, b, n).astype(np.float32)) for a, b in ((50, 150), (50, 150), (0.1, 2))
    )

    def price(spot, strike, time):
        vol, rate = 0.3, 0.02
        root = vol * np_.sqrt(time)
        d1 = (np_.log(spot / strike) + (rate + 0.5 * vol * vol) * time) / root
        cdf = lambda x: 0.5 * (1 + lib.lax.erf(x * 0.7071067811865476))  # noqa: E731
        return spot * cdf(d1) - strike * np_.exp(-rate * time) * cdf(d1 - root)

    f = lib.jit(lib.value_and_grad(lambda *a: np_.sum(price(*a)), argnums=(0, 1, 2)))
    return lambda: lib.done(f(spot, strike, time))
