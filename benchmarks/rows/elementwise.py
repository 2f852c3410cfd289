"""Elementwise chains and row-wise nests."""

import numpy as np

from benchmarks.registry import row


def chain(np_):
    return lambda x: np_.tanh(x) * np_.exp(-x * x) + np_.sin(x) / (1 + x * x)


def _chain_row(size, dtype, label):
    name = f"elem/chain_{label}_{size:.0e}".replace("e+0", "e")
    made = row(name, (size,), dtype=dtype, bytes=2.0 * size * np.dtype(dtype).itemsize)(lambda lib: chain(lib.np))
    made.variant("numpy", "torch", "torchc")(lambda lib: chain(lib.np))

    @made.variant("numba")
    def _(lib):
        if dtype == "float64":  # the polynomials are for float32: the C library, one number at a time
            f, one = np, 1.0
        else:
            f, one = lib, lib.f32(1)
        exp, sin, tanh = f.exp, f.sin, f.tanh
        run = lib.mapped(lambda x: tanh(x) * exp(-x * x) + sin(x) / (one + x * x))
        return lib.into(run, np.zeros(size, dtype))


for _size in (10**3, 10**5, 10**7):
    _chain_row(_size, "float32", "f32")
_chain_row(10**5, "float64", "f64")
_chain_row(10**7, "float64", "f64")


@row("elem/membound_1e7", *[(10**7,)] * 3, bytes=4e7 * 4)
def membound(lib):
    return lambda x, y, z: 2.0 * x + y * z


membound.variant("torch", "torchc")(membound.make)
membound.variant("numpy")(lambda lib: lambda x, y, z: np.float32(2.0) * x + y * z)


@membound.variant("numba")
def _(lib):
    two, prange = lib.f32(2), lib.prange

    @lib.kernel
    def run(x, y, z, out):
        for i in prange(x.size):
            out[i] = two * x[i] + y[i] * z[i]

    return lib.into(run, np.zeros(10**7, np.float32))


@row("elem/gelu_4096x1000", (4096, 1000), bytes=8.0 * 4096 * 1000)
def gelu(lib):
    return lib.nn.gelu


gelu.variant("torch", "torchc")(lambda lib: lambda x: lib.nn.functional.gelu(x, approximate="tanh"))


@gelu.variant("numpy")
def _(lib):
    a, b = np.float32(0.7978845608), np.float32(0.044715)
    return lambda x: 0.5 * x * (1 + np.tanh(a * (x + b * x * x * x)))


@gelu.variant("numba")
def _(lib):
    f32, tanh = lib.f32, lib.tanh
    a, b, half, one = f32(0.7978845608), f32(0.044715), f32(0.5), f32(1)
    run = lib.mapped(lambda x: half * x * (one + tanh(a * (x + b * x * x * x))))
    out = np.zeros((4096, 1000), np.float32)
    fill = lib.into(run, out.reshape(-1))
    return lambda x: fill(x.reshape(-1))


@row("elem/softplus_1e6", (10**6,), bytes=8e6)
def softplus(lib):
    return lib.nn.softplus


softplus.variant("torch", "torchc")(lambda lib: lib.nn.functional.softplus)
softplus.variant("numpy")(lambda lib: lambda x: np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))))


@softplus.variant("numba")
def _(lib):
    exp, log, one, zero = lib.exp, lib.log, lib.f32(1), lib.f32(0)
    run = lib.mapped(lambda x: max(x, zero) + log(one + exp(-abs(x))))
    return lib.into(run, np.zeros(10**6, np.float32))


@row("elem/log_softmax_4096x1000", (4096, 1000), bytes=8.0 * 4096 * 1000)
def log_softmax(lib):
    return lib.nn.log_softmax


log_softmax.variant("torch", "torchc")(lambda lib: lambda x: lib.log_softmax(x, 1))


@log_softmax.variant("numpy")
def _(lib):
    def f(x):
        x = x - x.max(axis=1, keepdims=True)
        return x - np.log(np.exp(x).sum(axis=1, keepdims=True))

    return f


@log_softmax.variant("numba")
def _(lib):
    row_maximum, log, prange, sum_exp = lib.row_maximum, lib.log, lib.prange, sum_of_exponentials(lib)

    @lib.kernel
    def run(x, out):
        for i in prange(x.shape[0]):
            m = row_maximum(x[i])
            shift = m + log(sum_exp(x[i], m))
            for j in range(x.shape[1]):
                out[i, j] = x[i, j] - shift

    return lib.into(run, np.zeros((4096, 1000), np.float32))


def sum_of_exponentials(lib):
    """numba: the sum of ``exp(x - m)`` over a row."""
    exp, zero = lib.exp, lib.f32(0)

    @lib.summing
    def sum_exp(x, m):
        s = zero
        for j in range(x.size):
            s += exp(x[j] - m)
        return s

    return sum_exp


@row("elem/layernorm_vag_4096x1024", (1024,), (1024,), (4096, 1024), tolerance=2e-3, bytes=4.0 * 4096 * 1024)
def layernorm(lib):
    return lib.value_and_grad(layernorm_loss(lib.np), argnums=(0, 1))


def layernorm_loss(np_):
    def loss(scale, bias, x):
        mean = np_.mean(x, axis=1, keepdims=True)
        var = np_.mean((x - mean) ** 2, axis=1, keepdims=True)
        return np_.sum(np_.sin((x - mean) / np_.sqrt(var + 1e-5) * scale + bias))

    return loss


@layernorm.variant("torch", "torchc")
def _(lib):
    def loss(scale, bias, x):
        return lib.sin(lib.nn.functional.layer_norm(x, (1024,), scale, bias)).sum()

    both = lib.func.grad_and_value(loss, argnums=(0, 1))
    return lambda *arrays: both(*arrays)[::-1]


@layernorm.variant("numpy")
def _(lib):
    def run(scale, bias, x):
        d = x - x.mean(axis=1, keepdims=True)
        normal = d / np.sqrt((d * d).mean(axis=1, keepdims=True) + np.float32(1e-5))
        y = normal * scale + bias
        slope = np.cos(y)
        return np.sin(y).sum(), ((slope * normal).sum(axis=0), slope.sum(axis=0))

    return run


@layernorm.variant("numba")
def _(lib):
    f32, sin, cos, zero, prange = lib.f32, lib.sin, lib.cos, lib.f32(0), lib.prange

    @lib.summing
    def moments(x):
        s, q, first = zero, zero, x[0]
        for j in range(x.size):
            d = x[j] - first
            s += d
            q += d * d
        mean = s / f32(x.size)
        return first + mean, q / f32(x.size) - mean * mean

    @lib.summing
    def one_row(x, scale, bias, d_scale, d_bias):
        mean, var = moments(x)
        factor = f32(1) / np.sqrt(var + f32(1e-5))
        total = zero
        for j in range(x.size):
            normal = (x[j] - mean) * factor
            y = normal * scale[j] + bias[j]
            slope = cos(y)
            total += sin(y)
            d_scale[j] += slope * normal
            d_bias[j] += slope
        return total

    @lib.kernel
    def run(scale, bias, x, parts, d_scale, d_bias):
        chunks = parts.shape[0]
        length = x.shape[0] // chunks
        totals = np.zeros(chunks)
        for c in prange(chunks):
            parts[c] = zero
            for i in range(c * length, (c + 1) * length):
                totals[c] += one_row(x[i], scale, bias, parts[c, 0], parts[c, 1])
        for j in range(scale.size):
            d_scale[j] = zero
            d_bias[j] = zero
            for c in range(chunks):
                d_scale[j] += parts[c, 0, j]
                d_bias[j] += parts[c, 1, j]
        return totals.sum()

    parts, d_scale, d_bias = (np.zeros(s, np.float32) for s in ((8, 2, 1024), 1024, 1024))
    return lambda scale, bias, x: (run(scale, bias, x, parts, d_scale, d_bias), (d_scale, d_bias))
