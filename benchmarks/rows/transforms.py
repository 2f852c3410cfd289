"""Hessians, Jacobians, Hessian-vector products and per-example gradients, compiled."""

import numpy as np

from benchmarks.registry import data, row
from benchmarks.rows.mlp import batch, init, loss_of, torch_loss


def quadratic(np_, a):
    return lambda x: np_.sum(np_.sin(a @ x) ** 2)


def problem(n, scale):
    """A matrix, a point and a direction."""
    return data((n, n), scale=scale), data((n,), seed=1), data((n,), seed=2)


@row("transform/hessian_100", tolerance=1e-3, bytes=8e4, flops=2e6)
def hessian(lib):
    a, x, _ = map(lib.asarray, problem(100, 0.1))
    f = lib.jit(lib.hessian(quadratic(lib.np, a)))
    return lambda: lib.done(f(x))


@hessian.variant("torch", "torchc")
def _(lib):
    a, x, _ = map(lib.asarray, problem(100, 0.1))
    f = lib.jit(lib.func.hessian(quadratic(lib.root, a)))
    return lambda: f(x)


@hessian.variant("autograd")
def _(lib):
    a, x, _ = problem(100, 0.1)
    f = lib.hessian(lambda x: lib.np.sum(lib.np.sin(lib.np.dot(a, x)) ** 2))
    return lambda: f(x)


@hessian.variant("numpy")
def _(lib):
    a, x, _ = problem(100, 0.1)
    return lambda: (a.T * (2 * np.cos(2 * (a @ x)))) @ a


@row("transform/jacobian_50", tolerance=1e-3, bytes=2e4)
def jacobian(lib):
    a, x, _ = map(lib.asarray, problem(50, 0.1))
    f = lib.jit(lib.jacrev(lambda x: lib.np.tanh(a @ x)))
    return lambda: lib.done(f(x))


@jacobian.variant("torch", "torchc")
def _(lib):
    a, x, _ = map(lib.asarray, problem(50, 0.1))
    f = lib.jit(lib.func.jacrev(lambda x: lib.tanh(a @ x)))
    return lambda: f(x)


@jacobian.variant("numpy")
def _(lib):
    a, x, _ = problem(50, 0.1)
    return lambda: (1 - np.tanh(a @ x) ** 2)[:, None] * a


@row("transform/hvp_1000", tolerance=1e-3, bytes=4e6, flops=6e6)
def hvp(lib):
    a, x, v = map(lib.asarray, problem(1000, 0.03))
    f = quadratic(lib.np, a)
    run = lib.jit(lambda x, v: lib.jvp(lib.grad(f), (x,), (v,))[1])
    return lambda: lib.done(run(x, v))


@hvp.variant("torch", "torchc")
def _(lib):
    a, x, v = map(lib.asarray, problem(1000, 0.03))
    f = quadratic(lib.root, a)
    run = lib.jit(lambda x, v: lib.func.jvp(lib.func.grad(f), (x,), (v,))[1])
    return lambda: run(x, v)


@hvp.variant("numpy")
def _(lib):
    a, x, v = problem(1000, 0.03)
    return lambda: a.T @ (2 * np.cos(2 * (a @ x)) * (a @ v))


SIZES, EXAMPLES = (64, 128, 10), 256
WORK = 6.0 * EXAMPLES * (64 * 128 + 128 * 10)


@row("transform/per_example_clipped_grad_256", tolerance=1e-3, bytes=4.0 * EXAMPLES * 74, flops=WORK)
def per_example(lib):
    np_, tree = lib.np, lib.tree
    params = tree.tree_map(lib.asarray, init(SIZES))
    x, y = map(lib.asarray, batch(SIZES, EXAMPLES))
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


@per_example.variant("torch", "torchc")
def _(lib):
    params = [{k: lib.asarray(v) for k, v in layer.items()} for layer in init(SIZES)]
    x, y = map(lib.asarray, batch(SIZES, EXAMPLES))
    loss = torch_loss(lib)

    def clipped(params, x, y):
        g = lib.func.grad(loss)(params, x[None], y[None])
        norm = sum((leaf * leaf).sum() for layer in g for leaf in layer.values()).sqrt()
        return [{k: leaf / norm.clamp(min=1.0) for k, leaf in layer.items()} for layer in g]

    @lib.jit
    def run(params, x, y):
        grads = lib.func.vmap(clipped, in_dims=(None, 0, 0))(params, x, y)
        return [{k: g.mean(0) for k, g in layer.items()} for layer in grads]

    return lambda: run(params, x, y)
