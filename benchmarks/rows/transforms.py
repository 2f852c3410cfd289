"""Hessians, Jacobians, Hessian-vector products and per-example gradients, compiled."""

import numpy as np

from benchmarks.registry import data, row
from benchmarks.rows.mlp import batch, init, loss_of


def quadratic(np_, a):
    return lambda x: np_.sum(np_.sin(a @ x) ** 2)


@row("transform/hessian_100", tolerance=1e-3)
def hessian(lib):
    a, x = lib.asarray(data((100, 100), scale=0.1)), lib.asarray(data((100,), seed=1))
    f = lib.jit(lib.hessian(quadratic(lib.np, a)))
    return lambda: lib.done(f(x))


@row("transform/jacobian_50", tolerance=1e-3)
def jacobian(lib):
    a, x = lib.asarray(data((50, 50), scale=0.1)), lib.asarray(data((50,), seed=1))
    f = lib.jit(lib.jacrev(lambda x: lib.np.tanh(a @ x)))
    return lambda: lib.done(f(x))


@row("transform/hvp_1000", tolerance=1e-3)
def hvp(lib):
    a = lib.asarray(data((1000, 1000), scale=0.03))
    x, v = lib.asarray(data((1000,), seed=1)), lib.asarray(data((1000,), seed=2))
    f = quadratic(lib.np, a)
    run = lib.jit(lambda x, v: lib.jvp(lib.grad(f), (x,), (v,))[1])
    return lambda: lib.done(run(x, v))


@row("transform/per_example_clipped_grad_256", tolerance=1e-3)
def per_example(lib):
    np_, tree = lib.np, lib.tree
    sizes = (64, 128, 10)
    params = tree.tree_map(lib.asarray, init(sizes))
    x, y = map(lib.asarray, batch(sizes, 256))
    loss = loss_of(np_, lib.nn.log_softmax)

    def clipped(params, x, y):
        g = lib.grad(loss)(params, x[None], y[None])
        norm = np_.sqrt(sum(np_.sum(leaf * leaf) for leaf in tree.tree_leaves(g)))
        return tree.tree_map(lambda leaf: leaf / np_.maximum(norm, 1.0), g)

    @lib.jit
    def run(params, x, y):
        grads = lib.vmap(clipped, in_axes=(None, 0, 0))(params, x, y)
        return tree.tree_map(lambda g: np_.mean(g, axis=0), grads)

    return lambda: lib.done(run(params, x, y))


@row("sci/nbody_1000_grad", tolerance=1e-2)
def nbody(lib):
    np_ = lib.np
    position = lib.asarray(data((1000, 3)))
    mass = lib.asarray(np.abs(data((1000,), seed=1)) + 0.1)

    def energy(position):
        d = position[:, None, :] - position[None, :, :]
        r2 = np_.sum(d * d, axis=-1) + 1e-2
        return -0.5 * np_.sum(mass[:, None] * mass[None, :] / np_.sqrt(r2))

    f = lib.jit(lib.value_and_grad(energy))
    return lambda: lib.done(f(position))
