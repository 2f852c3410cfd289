"""Training steps of multi-layer perceptrons with Adam, eager and compiled.

A thunk always starts from the same parameters and returns the new ones and the loss.
"""

import numpy as np

from benchmarks.registry import data, row

SMALL, MIDDLE, LARGE, DEEP = (64, 64, 10), (784, 512, 512, 10), (784, 2048, 2048, 10), (64, *[128] * 8, 10)


def init(sizes):
    return [
        {"w": data((a, b), seed=i, scale=(2 / a) ** 0.5), "b": np.zeros(b, np.float32)}
        for i, (a, b) in enumerate(zip(sizes[:-1], sizes[1:], strict=True))
    ]


def batch(sizes, n):
    x = data((n, sizes[0]), seed=100)
    y = np.eye(sizes[-1], dtype=np.float32)[np.arange(n) % sizes[-1]]
    return x, y


def weights(sizes):
    return sum(a * b for a, b in zip(sizes[:-1], sizes[1:], strict=True))


def work(sizes, n, adam=True):
    """Facts of a row: three products per layer but the first, and parameters, moments and their updates once."""
    products = 3 * weights(sizes) - sizes[0] * sizes[1]
    return {"flops": 2.0 * n * products, "bytes": 4.0 * weights(sizes) * (6 if adam else 2)}


def loss_of(np_, log_softmax):
    def loss(params, x, y):
        for layer in params[:-1]:
            x = np_.maximum(x @ layer["w"] + layer["b"], 0.0)
        logits = x @ params[-1]["w"] + params[-1]["b"]
        return -np_.mean(np_.sum(log_softmax(logits) * y, axis=1))

    return loss


def adam_step(lib, sizes, n, compiled):
    params = lib.tree.tree_map(lib.asarray, init(sizes))
    x, y = map(lib.asarray, batch(sizes, n))
    opt = lib.optim.adam(1e-3)
    state = opt.init(params)
    loss = loss_of(lib.np, lib.nn.log_softmax)

    def step(params, state, x, y):
        value, grads = lib.value_and_grad(loss)(params, x, y)
        updates, state = opt.update(grads, state, params)
        return lib.optim.apply_updates(params, updates), state, value

    run = lib.jit(step) if compiled else step

    def thunk():
        new, _, value = lib.done(run(params, state, x, y))
        return new, value

    return thunk


# -- PyTorch, in its usual way: Adam changes the parameters in place --------------------------------------------------


def torch_loss(lib):
    def loss(params, x, y):
        for layer in params[:-1]:
            x = lib.relu(x @ layer["w"] + layer["b"])
        logits = x @ params[-1]["w"] + params[-1]["b"]
        return -(lib.log_softmax(logits, 1) * y).sum(1).mean()

    return loss


def torch_step(lib, sizes, n):
    params = [{k: lib.asarray(v).requires_grad_() for k, v in layer.items()} for layer in init(sizes)]
    x, y = map(lib.asarray, batch(sizes, n))
    opt = lib.optim.Adam([v for layer in params for v in layer.values()], 1e-3)
    forward, update = lib.jit(torch_loss(lib)), lib.jit(opt.step)

    def step():
        loss = forward(params, x, y)
        opt.zero_grad()
        loss.backward()
        update()
        return params, loss

    return step


# -- autograd, and NumPy by hand --------------------------------------------------------------------------------------


def adam_by_hand(np_, p, g, m, v):
    """The first step of Adam for one array."""
    m = 0.9 * m + 0.1 * g
    v = 0.999 * v + 0.001 * g * g
    return p - 1e-3 * (m / 0.1) / (np_.sqrt(v / 0.001) + 1e-8), m, v


def plain_step(value_and_grad, sizes, n):
    """Adam by hand on dictionaries of arrays, given the gradient."""
    params, (x, y) = init(sizes), batch(sizes, n)
    moments = [{k: (np.zeros_like(p), np.zeros_like(p)) for k, p in layer.items()} for layer in params]

    def step():
        value, grads = value_and_grad(params, x, y)
        updated = [
            {k: adam_by_hand(np, p[k], g[k], *m[k]) for k in p} for p, g, m in zip(params, grads, moments, strict=True)
        ]
        return [{k: new for k, (new, _, _) in layer.items()} for layer in updated], value

    return step


def log_softmax_of(np_):
    def log_softmax(z):
        z = z - np_.max(z, axis=1, keepdims=True)
        return z - np_.log(np_.sum(np_.exp(z), axis=1, keepdims=True))

    return log_softmax


def numpy_value_and_grad(params, x, y):
    """Back-propagation by hand."""
    inputs = []
    for layer in params[:-1]:
        inputs.append(x)
        x = np.maximum(x @ layer["w"] + layer["b"], 0)
    inputs.append(x)
    logs = log_softmax_of(np)(x @ params[-1]["w"] + params[-1]["b"])
    g = (np.exp(logs) - y) / np.float32(len(y))
    grads = []
    for layer, x in zip(reversed(params), reversed(inputs), strict=True):
        grads.append({"w": x.T @ g, "b": g.sum(axis=0)})
        if layer is not params[0]:
            g = (g @ layer["w"].T) * (x > 0)
    return -np.mean(np.sum(logs * y, axis=1)), grads[::-1]


# -- rows -------------------------------------------------------------------------------------------------------------


def _training(name, sizes, n):
    facts = dict(tolerance=1e-2, **work(sizes, n))
    jitted = row(f"mlp/{name}_jit", **facts)(lambda lib: adam_step(lib, sizes, n, True))
    jitted.variant("torchc")(lambda lib: torch_step(lib, sizes, n))
    jitted.variant("numpy")(lambda lib: plain_step(numpy_value_and_grad, sizes, n))
    if name == "large_2048":
        return
    eager = row(f"mlp/{name}_eager", **facts)(lambda lib: adam_step(lib, sizes, n, False))
    eager.variant("torch")(lambda lib: torch_step(lib, sizes, n))
    eager.variant("autograd")(
        lambda lib: plain_step(lib.value_and_grad(loss_of(lib.np, log_softmax_of(lib.np))), sizes, n)
    )


_training("small_64", SMALL, 32)
_training("mid_512", MIDDLE, 128)
_training("large_2048", LARGE, 512)


@row("mlp/deep_8_grad", tolerance=1e-2, **work(DEEP, 64, adam=False))
def deep(lib):
    params = lib.tree.tree_map(lib.asarray, init(DEEP))
    x, y = map(lib.asarray, batch(DEEP, 64))
    f = lib.jit(lib.grad(loss_of(lib.np, lib.nn.log_softmax)))
    return lambda: lib.done(f(params, x, y))


@deep.variant("torch", "torchc")
def _(lib):
    params = [{k: lib.asarray(v).requires_grad_() for k, v in layer.items()} for layer in init(DEEP)]
    x, y = map(lib.asarray, batch(DEEP, 64))
    forward = lib.jit(torch_loss(lib))

    def step():
        leaves = [layer[k] for layer in params for k in ("b", "w")]
        return lib.autograd.grad(forward(params, x, y), leaves)

    return step


@deep.variant("numpy")
def _(lib):
    params, (x, y) = init(DEEP), batch(DEEP, 64)
    return lambda: numpy_value_and_grad(params, x, y)[1]
