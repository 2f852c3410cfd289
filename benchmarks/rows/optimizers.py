"""Steps of optimizers by themselves: of one large leaf, of many small ones, second-order ones, and eager ones.

Compiled steps are given the memory of parameters and state, as training loops do it, so a thunk goes on from where the
last one has ended.
"""

from typing import Any

import numpy as np

from benchmarks.registry import data, row

SIDE = 4096


def _stepping(lib, optimizer, params, grads):
    """A thunk that makes one step, with the same gradients each time."""
    params, grads = (lib.tree.tree_map(lib.asarray, x) for x in (params, grads))
    state = optimizer.init(params)

    def update(params, state, grads):
        updates, state = optimizer.update(grads, state, params)
        return lib.optim.apply_updates(params, updates), state

    step = lib.root.jit(update, donate_argnums=(0, 1))

    def thunk():
        nonlocal params, state
        params, state = lib.done(step(params, state, grads))
        return params

    return thunk


def _one_leaf(name, arrays, make):
    """``arrays`` of the size of the leaf are read or written, at least."""

    @row(f"optim/{name}_{SIDE}", bytes=4.0 * SIDE**2 * arrays, tolerance=1e-3)
    def step(lib):
        return _stepping(lib, make(lib), data((SIDE, SIDE)), data((SIDE, SIDE), seed=1))


_one_leaf("adam", 7, lambda lib: lib.optim.adam(1e-3))
_one_leaf("adamw", 7, lambda lib: lib.optim.adamw(1e-3, weight_decay=1e-2))
_one_leaf("lion", 5, lambda lib: lib.optim.lion(1e-4))
_one_leaf("rmsprop", 5, lambda lib: lib.optim.rmsprop(1e-3))
_one_leaf("adafactor", 3, lambda lib: lib.optim.adafactor(1e-3))


def _many_leaves(name, shapes, make):
    size = sum(map(np.prod, shapes))

    @row(f"optim/{name}", bytes=4.0 * size * 7, tolerance=1e-3)
    def step(lib):
        params, grads = (
            {f"leaf_{i}": data(shape, seed=first + i) for i, shape in enumerate(shapes)} for first in (0, len(shapes))
        )
        return _stepping(lib, make(lib), params, grads)


# Weights and biases of 200 and of 25 layers.
_many_leaves("adam_400_leaves", [(32, 32), (32,)] * 200, lambda lib: lib.optim.adam(1e-3))
_many_leaves(
    "clip_rmsprop_50_leaves",
    [(64, 64), (64,)] * 25,
    lambda lib: lib.optim.chain(lib.optim.clip_by_global_norm(1.0), lib.optim.rmsprop(1e-3)),
)


@row("optim/lbfgs_rosenbrock_1000", bytes=4.0 * 1000 * 200 * 2 * 2 * 10, tolerance=1e-2)
def lbfgs(lib):
    """200 iterations with a line search, in one program; compared is the least value that they have found."""

    def rosenbrock(x):
        return lib.np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)

    optimizer = lib.optim.lbfgs()
    value_and_grad = lib.optim.value_and_grad_from_state(rosenbrock)

    def iterate(_, carry):
        x, state = carry
        value, grad = value_and_grad(x, state=state)
        updates, state = optimizer.update(grad, state, x, value=value, grad=grad, value_fn=rosenbrock)
        return lib.optim.apply_updates(x, updates), state

    @lib.jit
    def run(x):
        x, _ = lib.lax.fori_loop(0, 200, iterate, (x, optimizer.init(x)))
        return lib.np.sqrt(rosenbrock(x) / 1000) + 1.0

    x = lib.asarray(np.zeros(1000, np.float32))
    return lambda: lib.done(run(x))


def _shampoo_by_hand(np_, linalg):
    """Shampoo for one matrix; optax has none."""

    def step(w, left, right, g):
        def root(m):
            values, vectors = linalg.eigh(m)
            return (vectors * (np_.maximum(values, 0.0) + 1e-6) ** -0.25) @ vectors.T

        left, right = left + g @ g.T, right + g.T @ g
        return w - 1e-3 * (root(left) @ g @ root(right)), left, right

    return step


@row("optim/shampoo_512", flops=2.0 * 512**3 * (6 + 2 * 9), tolerance=1e-2)
def shampoo(lib):
    w, g = data((512, 512)), data((512, 512), seed=1)
    if lib.name == "fungrad":
        return _stepping(lib, lib.optim.contrib.shampoo(1e-3), w, g)
    step: Any = lib.root.jit(_shampoo_by_hand(lib.np, lib.np.linalg), donate_argnums=(0, 1, 2))
    g = lib.asarray(g)
    state = [lib.asarray(x) for x in (w, np.zeros((512, 512), np.float32), np.zeros((512, 512), np.float32))]

    def thunk():
        state[:] = lib.done(step(*state, g))
        return state[0]

    return thunk


# -- eager, against PyTorch's updates of all parameters at once -------------------------------------------------------


def _eager(name, shapes, make, torch_optimizer, **options):
    """Updates alone, with given gradients."""

    @row(f"optim/{name}_eager", bytes=4.0 * sum(map(np.prod, shapes)) * 7, tolerance=1e-3)
    def eager(lib):
        optimizer = make(lib)
        params, grads = ([lib.asarray(data(s, seed=i + j)) for i, s in enumerate(shapes)] for j in (0, len(shapes)))
        state = optimizer.init(params)

        def thunk():
            nonlocal params, state
            updates, state = optimizer.update(grads, state, params)
            params = lib.optim.apply_updates(params, updates)
            return lib.done(params)

        return thunk

    @eager.variant("torch")
    def _(lib):
        params = [lib.asarray(data(s, seed=i)).requires_grad_() for i, s in enumerate(shapes)]
        for i, p in enumerate(params):
            p.grad = lib.asarray(data(shapes[i], seed=i + len(shapes)))
        optimizer = getattr(lib.optim, torch_optimizer)(params, foreach=True, **options)

        def thunk():
            optimizer.step()
            return params

        return thunk


_MLP = [(64, 64), (64,), (64, 10), (10,)]
_eager("adam_mlp", _MLP, lambda lib: lib.optim.adam(1e-3), "Adam", lr=1e-3)
_eager("sgd_mlp", _MLP, lambda lib: lib.optim.sgd(1e-3, 0.9), "SGD", lr=1e-3, momentum=0.9)
_eager("adam_50_leaves", [(64, 64), (64,)] * 25, lambda lib: lib.optim.adam(1e-3), "Adam", lr=1e-3)
_eager("adam_1024", [(1024, 1024)] * 4, lambda lib: lib.optim.adam(1e-3), "Adam", lr=1e-3)
