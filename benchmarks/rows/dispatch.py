"""Overheads: one small operation or call, eager and compiled."""

import numpy as np

from benchmarks.registry import data, row


@row("dispatch/eager_add1")
def eager_add1(lib):
    x = lib.asarray(data((8,)))
    return lambda: lib.done(x + 1.0)


@eager_add1.variant("numpy", "autograd")
def _(lib):
    x = data((8,))
    return lambda: x + np.float32(1.0)


@eager_add1.variant("torch")
def _(lib):
    x = lib.from_numpy(data((8,)))
    return lambda: x + 1.0


@row("dispatch/jit_add1")
def jit_add1(lib):
    x = lib.asarray(data((8,)))
    f = lib.jit(lambda x: x + 1.0)
    return lambda: lib.done(f(x))


@row("dispatch/jit_pytree20")
def jit_pytree20(lib):
    tree = {
        f"layer{i}": {"w": lib.asarray(data((4, 4), seed=i)), "b": lib.asarray(data((4,), seed=i))} for i in range(10)
    }
    f = lib.jit(lambda t: lib.tree.tree_map(lambda x: x * 0.9, t))
    return lambda: lib.done(f(tree))


def tanh5(np_):
    def f(x):
        for _ in range(5):
            x = np_.tanh(x)
        return x

    return f


@row("dispatch/eager_grad_tanh5")
def eager_grad_tanh5(lib):
    x = lib.asarray(np.float32(0.5))
    g = lib.grad(tanh5(lib.np))
    return lambda: lib.done(g(x))


@eager_grad_tanh5.variant("autograd")
def _(lib):
    g = lib.grad(tanh5(lib.np))
    return lambda: g(0.5)


@eager_grad_tanh5.variant("torch")
def _(lib):
    x = lib.tensor(0.5, requires_grad=True)
    f = tanh5(lib.root)
    return lambda: lib.autograd.grad(f(x), x)[0]


@row("dispatch/jit_grad_tanh5")
def jit_grad_tanh5(lib):
    x = lib.asarray(np.float32(0.5))
    g = lib.jit(lib.grad(tanh5(lib.np)))
    return lambda: lib.done(g(x))
