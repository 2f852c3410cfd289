"""Overheads: one small operation or call, compiled and eager."""

import numpy as np

from benchmarks.registry import data, row

# -- eager ----------------------------------------------------------------------------------------------------------


def _eager(name, function, *shapes, others=True, bytes=0.0, **facts):
    """One operation on small arrays, not compiled."""

    def thunk(lib):
        f = function(lib)
        arrays = [lib.asarray(data(shape, seed=i)) for i, shape in enumerate(shapes)]
        return lambda: lib.done(f(*arrays))

    made = row(name, bytes=4.0 * (bytes or sum(map(np.prod, shapes))), **facts)(thunk)
    if others:
        made.variant("numpy", "torch", "autograd")(thunk)
    return made


_eager("dispatch/eager_add1", lambda lib: lambda x: x + 1.0, (8,))
_eager("dispatch/eager_matmul_64", lambda lib: lib.np.matmul, (64, 64), (64, 64), flops=2.0 * 64**3)
_eager("dispatch/eager_sum_rows_64", lambda lib: lambda x: lib.np.sum(x, 1), (64, 64))
_eager("dispatch/eager_slice", lambda lib: lambda x: x[2:10, 3], (64, 64), bytes=16)


eager_softmax = _eager("dispatch/eager_softmax_32x10", lambda lib: lib.nn.softmax, (32, 10), others=False)


@eager_softmax.variant("torch")
def _(lib):
    x = lib.asarray(data((32, 10)))
    return lambda: lib.softmax(x, 1)


def tanh5(np_):
    def f(x):
        for _ in range(5):
            x = np_.tanh(x)
        return x

    return f


@row("dispatch/eager_grad_tanh5", bytes=8.0, flops=10.0)
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


# -- compiled -------------------------------------------------------------------------------------------------------


jit_add1 = row("dispatch/jit_add1", (8,), bytes=64.0)(lambda lib: lambda x: x + 1.0)
jit_add1.variant("torchc")(jit_add1.make)


@row("dispatch/jit_pytree20", bytes=8.0 * 200)
def jit_pytree20(lib):
    tree = {
        f"layer{i}": {"w": lib.asarray(data((4, 4), seed=i)), "b": lib.asarray(data((4,), seed=i))} for i in range(10)
    }
    f = lib.jit(lambda t: lib.tree.tree_map(lambda x: x * 0.9, t))
    return lambda: lib.done(f(tree))


@jit_pytree20.variant("torchc", "numpy")
def _(lib):
    tree = {
        f"layer{i}": {"w": lib.asarray(data((4, 4), seed=i)), "b": lib.asarray(data((4,), seed=i))} for i in range(10)
    }
    f = lib.jit(lambda t: {k: {name: x * 0.9 for name, x in layer.items()} for k, layer in t.items()})
    return lambda: f(tree)


row("dispatch/jit_grad_tanh5", (), bytes=8.0, flops=10.0)(lambda lib: lib.grad(tanh5(lib.np)))
