"""Training that has gone on for a while, and steps of small batches.

What a step takes may change in the long run although its shapes do not: averages fade out into subnormal numbers, on
which processors are slow. So rows whose names end in ``_after_1000`` make a thousand steps before they are timed.
"""

import numpy as np

from benchmarks.registry import data, row
from benchmarks.rows.mlp import init, loss_of, weights

WORDS, WIDTH, BATCH = 20_000, 64, 256


def _from(lib, optimizer, loss, params, state, steps, *arrays):
    """A thunk that makes one step, always from the state after so many steps on the same batch."""
    arrays = [lib.asarray(x) for x in arrays]

    @lib.jit
    def step(params, state, *arrays):
        value, grads = lib.value_and_grad(loss)(params, *arrays)
        updates, state = optimizer.update(grads, state, params)
        return lib.optim.apply_updates(params, updates), state, value

    for _ in range(steps):
        params, state, _ = lib.done(step(params, state, *arrays))

    def thunk():
        new, _, value = lib.done(step(params, state, *arrays))
        return new, value

    return thunk


def _from_start(lib, optimizer, loss, params, steps, *arrays):
    params = lib.tree.tree_map(lib.asarray, params)
    return _from(lib, optimizer, loss, params, optimizer.init(params), steps, *arrays)


def _embedding(name, steps):
    @row(f"train/{name}", bytes=4.0 * WORDS * WIDTH * 6, tolerance=1e-2)
    def embedding(lib):
        """Adam moves every row of the table, although a batch reads few."""
        ids = np.random.default_rng(1).integers(0, WORDS // 10, BATCH).astype(np.int32)

        def loss(table, ids, y):
            return lib.np.mean((lib.np.sum(table[ids], axis=1) - y) ** 2)

        table = data((WORDS, WIDTH), scale=0.1)
        # after a step that reads all rows, each has moments that fade
        everything = np.arange(WORDS, dtype=np.int32)
        optimizer = lib.optim.adam(1e-3)
        moved = _moments_of_all(lib, optimizer, loss, table, everything)
        return _from(lib, optimizer, loss, *moved, steps, ids, data((BATCH,), seed=2))


def _moments_of_all(lib, optimizer, loss, table, everything):
    table = lib.asarray(table)
    state = optimizer.init(table)
    y = lib.asarray(data((WORDS,), seed=3))
    updates, state = optimizer.update(lib.grad(loss)(table, lib.asarray(everything), y), state, table)
    return lib.optim.apply_updates(table, updates), state


_embedding("embedding_adam", 0)
_embedding("embedding_adam_after_1000", 1000)


def _residual(name, steps, width=256, depth=6, n=64):
    sizes = (width,) * (depth + 1)

    @row(f"train/{name}", tolerance=1e-1, flops=6.0 * n * weights(sizes), bytes=4.0 * weights(sizes) * 6)
    def residual(lib):
        def loss(params, x, y):
            for layer in params:
                x = x + 0.5 * lib.np.tanh(x @ layer["w"] + layer["b"])
            return lib.np.mean((x - y) ** 2)

        x, y = data((n, width), seed=4), data((n, width), seed=5)
        return _from_start(lib, lib.optim.adamw(1e-3, weight_decay=1e-2), loss, init(sizes), steps, x, y)


_residual("residual_adamw", 0)
_residual("residual_adamw_after_1000", 1000)


def _small_batch(width, n=8):
    sizes = (width,) * 4

    @row(f"train/grad_{width}_batch_{n}", tolerance=1e-2, flops=2.0 * n * (3 * weights(sizes) - width**2))
    def gradient(lib):
        params = lib.tree.tree_map(lib.asarray, init(sizes))
        x, y = (lib.asarray(data((n, width), seed=s)) for s in (6, 7))
        f = lib.jit(lib.grad(loss_of(lib.np, lib.nn.log_softmax)))
        return lambda: lib.done(f(params, x, y))


for _width in (64, 128, 256, 512, 1024):
    _small_batch(_width)
