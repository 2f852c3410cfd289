"""Small programs written once for any library with JAX's names, used to compare fungrad with JAX.

Each entry is ``name: (function of the library, arguments)``; the function returns a function of arrays. Arguments are
NumPy arrays and Python scalars; the first one is what derivatives are taken with respect to.
"""

import numpy as np


def _x(*shape, seed=0, low=-2.0, high=2.0):
    return np.random.default_rng(seed).uniform(low, high, shape).astype(np.float32)


def mlp(lib):
    np_ = lib.numpy

    def f(params, x):
        h = np_.tanh(x @ params["w1"] + params["b1"])
        return h @ params["w2"] + params["b2"]

    return f


MLP_PARAMS = {"w1": _x(3, 5), "b1": _x(5, seed=1), "w2": _x(5, 2, seed=2), "b2": _x(2, seed=3)}


def softmax_loss(lib):
    np_ = lib.numpy

    def f(w, x):
        logits = x @ w
        z = logits - np_.max(logits, axis=1, keepdims=True)
        return -np_.mean((z - np_.log(np_.sum(np_.exp(z), axis=1, keepdims=True)))[:, 0])

    return f


def nested_jit(lib):
    np_ = lib.numpy
    inner = lib.jit(lambda x, y: np_.sin(x) * y)
    return lambda x: inner(x, inner(x, 2.0)) + x


def closure_over_tracer(lib):
    np_ = lib.numpy

    def f(x):
        g = lib.grad(lambda y: np_.sum(np_.sin(y) * x))
        return g(x) * 2.0

    return f


def hidden_derivative(lib):
    np_ = lib.numpy
    return lambda x: lib.jvp(lambda y: np_.exp(-y * y), (x,), (np_.ones_like(x),))[1] * x


def mapped(lib):
    np_ = lib.numpy
    return lambda x: lib.vmap(lambda row: np_.dot(row, row) * row, in_axes=1, out_axes=1)(np_.outer(x, x))


PROGRAMS = {
    "polynomial": (lambda lib: lambda x: 3.0 * x**3 - x / 2 + 1, (_x(4),)),
    "sines": (lambda lib: lambda x: lib.numpy.sin(x) * lib.numpy.cos(2 * x), (_x(3, 2),)),
    "scalar": (lambda lib: lambda x: lib.numpy.tanh(x) * x, (0.5,)),
    "where": (lambda lib: lambda x: lib.numpy.where(x > 0, x * x, -x), (_x(6),)),
    "reductions": (
        lambda lib: lambda x: lib.numpy.sum(x, axis=0) * lib.numpy.max(x) + lib.numpy.prod(x, axis=0),
        (_x(3, 4),),
    ),
    "logsumexp": (lambda lib: lambda x: lib.numpy.log(lib.numpy.sum(lib.numpy.exp(x), axis=-1)), (_x(2, 3),)),
    "matmul": (lambda lib: lambda a, b: lib.numpy.sin(a @ b), (_x(3, 4), _x(4, 2, seed=1))),
    "einsum": (lambda lib: lambda a, b: lib.numpy.einsum("bij,bjk->bik", a, b), (_x(2, 3, 4), _x(2, 4, 2, seed=1))),
    "indexing": (lambda lib: lambda x: x[1:, ::-1] * x[0, 1] + x[lib.numpy.array([0, 1])], (_x(3, 3),)),
    "update": (lambda lib: lambda x: x.at[1].set(x[0] * 2).at[0].add(x[2]), (_x(3, 2),)),
    "concatenate": (lambda lib: lambda x: lib.numpy.concatenate([x, x * x, x[:1]]), (_x(3),)),
    "broadcast": (lambda lib: lambda x, y: (x[:, None] + y) / (1 + y * y), (_x(3), _x(4, seed=1))),
    "transpose": (lambda lib: lambda x: lib.numpy.transpose(x, (2, 0, 1)).reshape(4, -1) ** 2, (_x(2, 3, 4),)),
    "cumsum": (lambda lib: lambda x: lib.numpy.cumsum(x, axis=1) * x, (_x(2, 5),)),
    "sort": (lambda lib: lambda x: lib.numpy.sort(x)[::-1] * x, (_x(6),)),
    "norm": (lambda lib: lambda x: x / lib.numpy.sqrt(lib.numpy.sum(x * x) + 1e-3), (_x(4),)),
    "power": (lambda lib: lambda x, y: x**y + 2.0**x, (_x(4, low=0.5), _x(4, seed=1))),
    "mlp": (mlp, (MLP_PARAMS, _x(4, 3, seed=5))),
    "softmax_loss": (softmax_loss, (_x(4, 3), _x(5, 4, seed=1))),
    "nested_jit": (nested_jit, (_x(4),)),
    "closure_over_tracer": (closure_over_tracer, (_x(4),)),
    "hidden_derivative": (hidden_derivative, (_x(4),)),
    "mapped": (mapped, (_x(3),)),
    "clip": (lambda lib: lambda x: lib.numpy.clip(x, -1.0, 1.0) * x, (_x(5),)),
    "stop_gradient": (lambda lib: lambda x: lib.lax.stop_gradient(x) * lib.numpy.sin(x), (_x(5),)),
    "integer_mix": (lambda lib: lambda x: x * lib.numpy.arange(4) // 1 + x % 1.5, (_x(4, low=0.1),)),
    "empty": (lambda lib: lambda x: lib.numpy.sin(x) * 2, (_x(0, 3),)),
}
