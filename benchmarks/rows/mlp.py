"""Training steps of multi-layer perceptrons with Adam, eager and compiled."""

import numpy as np

from benchmarks.registry import data, row


def init(sizes):
    return [
        {"w": data((a, b), seed=i, scale=(2 / a) ** 0.5), "b": np.zeros(b, np.float32)}
        for i, (a, b) in enumerate(zip(sizes[:-1], sizes[1:], strict=True))
    ]


def batch(sizes, n):
    x = data((n, sizes[0]), seed=100)
    y = np.eye(sizes[-1], dtype=np.float32)[np.arange(n) % sizes[-1]]
    return x, y


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
    return lambda: lib.done(run(params, state, x, y))


def _mlp(name, sizes, n, **facts):
    @row(f"mlp/{name}_jit", tolerance=1e-2, **facts)
    def jitted(lib):
        return adam_step(lib, sizes, n, True)


@row("mlp/small_64_eager", tolerance=1e-2)
def small_eager(lib):
    return adam_step(lib, (64, 64, 10), 32, False)


@small_eager.variant("autograd")
def _(lib):
    np_ = lib.np
    params, (x, y) = init((64, 64, 10)), batch((64, 64, 10), 32)

    def log_softmax(z):
        z = z - np_.max(z, axis=1, keepdims=True)
        return z - np_.log(np_.sum(np_.exp(z), axis=1, keepdims=True))

    grad = lib.value_and_grad(loss_of(np_, log_softmax))
    mu = [{k: np.zeros_like(v) for k, v in layer.items()} for layer in params]
    nu = [{k: np.zeros_like(v) for k, v in layer.items()} for layer in params]

    def step():
        value, grads = grad(params, x, y)
        new, new_mu, new_nu = [], [], []
        for p, g, m, v in zip(params, grads, mu, nu, strict=True):
            new.append({})
            new_mu.append({})
            new_nu.append({})
            for k in p:
                new_mu[-1][k] = 0.9 * m[k] + 0.1 * g[k]
                new_nu[-1][k] = 0.999 * v[k] + 0.001 * g[k] * g[k]
                new[-1][k] = p[k] - 1e-3 * (new_mu[-1][k] / 0.1) / (np.sqrt(new_nu[-1][k] / 0.001) + 1e-8)
        return new, (1, new_mu, new_nu), value

    return step


@small_eager.variant("torch")
def _(lib):
    torch = lib.root
    params = [{k: torch.from_numpy(v).requires_grad_() for k, v in layer.items()} for layer in init((64, 64, 10))]
    leaves = [v for layer in params for v in layer.values()]
    x, y = map(torch.from_numpy, batch((64, 64, 10), 32))
    opt = torch.optim.Adam(leaves, 1e-3)

    def step():
        h = torch.relu(x @ params[0]["w"] + params[0]["b"])
        logits = h @ params[1]["w"] + params[1]["b"]
        loss = -(torch.log_softmax(logits, 1) * y).sum(1).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()

    return step


_mlp("small_64", (64, 64, 10), 32)
_mlp("mid_512", (784, 512, 512, 10), 128, flops=6.0 * 128 * (784 * 512 + 512 * 512 + 5120))
_mlp("large_2048", (784, 2048, 2048, 10), 512, flops=6.0 * 512 * (784 * 2048 + 2048 * 2048 + 20480))


@row("mlp/deep_8_grad", tolerance=1e-2)
def deep(lib):
    sizes = (64, *[128] * 8, 10)
    params = lib.tree.tree_map(lib.asarray, init(sizes))
    x, y = map(lib.asarray, batch(sizes, 64))
    f = lib.jit(lib.grad(loss_of(lib.np, lib.nn.log_softmax)))
    return lambda: lib.done(f(params, x, y))
