"""Programs whose plans are kept in ``tests/golden``: ``name: (function, arguments)``.

Between them they meet every pass of the compiler. Arguments are shapes of float32, or (shape, dtype).
"""

import fungrad
import fungrad.numpy as jnp
from fungrad import lax, nn


def adam(p, m, v, g):
    m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
    return p - 1e-3 * m / (jnp.sqrt(v) + 1e-8), m, v


def mlp_loss(w1, b1, w2, b2, x, y):
    h = nn.relu(x @ w1 + b1)
    return jnp.mean((h @ w2 + b2 - y) ** 2)


def mlp_step(w1, b1, w2, b2, x, y):
    grads = fungrad.grad(mlp_loss, argnums=(0, 1, 2, 3))(w1, b1, w2, b2, x, y)
    return [p - 0.1 * g for p, g in zip((w1, b1, w2, b2), grads, strict=True)]


def cross_entropy(x, w, labels):
    return -jnp.mean(jnp.take_along_axis(nn.log_softmax(x @ w), labels[:, None], 1))


def layer_norm(x, scale, shift):
    z = x - x.mean(1, keepdims=True)
    return z * lax.rsqrt((z * z).mean(1, keepdims=True) + 1e-5) * scale + shift


def attention(q, k, v):
    return nn.softmax(jnp.einsum("bqd,bkd->bqk", q, k) * 0.125) @ v


def rnn(w, u, h, xs):
    return lax.scan(lambda h, x: (jnp.tanh(x @ w + h @ u), None), h, xs)[0]


def heat(u):
    def step(i, u):
        return u.at[1:-1].add(0.1 * (u[2:] - 2 * u[1:-1] + u[:-2]))

    return lax.fori_loop(0, 100, step, u)


def lorenz(s):
    def step(s, _):
        x, y, z = s
        return s + 0.01 * jnp.stack([10 * (y - x), x * (28 - z) - y, x * y - 8 / 3 * z]), None

    return lax.scan(step, s, None, length=50)[0]


def n_body(x):
    d = x[:, None] - x[None]
    return jnp.sum(d * (jnp.sum(d * d, -1, keepdims=True) + 0.01) ** -1.5, 1)


def decay(x):
    return lax.while_loop(lambda s: s[0] > 0.2, lambda s: (0.9 * s[0], s[1] + 1), (x, 0))[1]


def hard(p, x):
    cheap, dear = lambda x: 0.5 * x, lambda x: jnp.sin(jnp.exp(jnp.sin(jnp.exp(jnp.sin(jnp.exp(jnp.sin(x)))))))
    return lax.cond(p > 0, dear, cheap, x)


def branches(i, x):
    return lax.switch(i, [lambda x: x @ x, lambda x: x * 2, jnp.sin], x)


def k_means(x, c):
    nearest = jnp.argmin(jnp.sum((x[:, None] - c) ** 2, -1), 1)
    sums = jnp.zeros_like(c).at[nearest].add(x)
    return sums / jnp.maximum(1, jnp.zeros(len(c)).at[nearest].add(1.0))[:, None]


def squared(f):
    return lambda *args: jnp.sum(f(*args) ** 2)


INT = "int32"
PROGRAMS = {
    "abs_sum": (lambda x: jnp.abs(x).sum(), [(4_000_000,)]),
    "adam": (adam, [(300, 200)] * 4),
    "attention": (attention, [(4, 64, 32)] * 3),
    "attention_grad": (fungrad.grad(squared(attention)), [(4, 64, 32)] * 3),
    "branches": (branches, [((), INT), (64, 64)]),
    "column_sums": (lambda x: x.sum(0), [(2000, 3000)]),
    "complex_power": (lambda x: jnp.abs(jnp.exp(x * 1j) * x) ** 2, [((400,), "complex64")]),
    "conditions": (fungrad.vmap(hard), [(1000,), (1000,)]),
    "cross_entropy_grad": (fungrad.grad(cross_entropy, argnums=(0, 1)), [(64, 32), (32, 100), ((64,), INT)]),
    "cumulative": (lambda x: jnp.cumsum(x, 1) / jnp.cumprod(x, 0), [(30, 50)]),
    "decays": (fungrad.vmap(decay), [(1000,)]),
    "elementwise_loop": (lambda x: lax.fori_loop(0, 30, lambda i, y: jnp.sin(y) + x, x), [(5000,)]),
    "embedding_grad": (fungrad.grad(lambda e, i: jnp.sum(jnp.tanh(e[i]) ** 2)), [(2000, 64), ((512,), INT)]),
    "heat": (heat, [(3000,)]),
    "k_means": (k_means, [(3000, 4), (8, 4)]),
    "layer_norm_grad": (fungrad.grad(squared(layer_norm), argnums=(0, 1, 2)), [(512, 256), (256,), (256,)]),
    "logsumexp": (lambda x: nn.logsumexp(x, 1), [(100, 1000)]),
    "lorenz_grad": (fungrad.grad(lambda s: lorenz(s)[0]), [(3,)]),
    "max_pool_grad": (
        fungrad.grad(lambda x: jnp.sum(lax.reduce_window(x, -jnp.inf, lax.max, (2, 2), (2, 2), "VALID") ** 2)),
        [(32, 48)],
    ),
    "mlp_grad_step": (mlp_step, [(784, 512), (512,), (512, 10), (10,), (128, 784), (128, 10)]),
    "n_body": (n_body, [(500, 3)]),
    "rnn": (rnn, [(16, 32), (32, 32), (8, 32), (20, 8, 16)]),
    "rnn_grad": (fungrad.grad(squared(rnn), argnums=(0, 1)), [(16, 32), (32, 32), (8, 32), (20, 8, 16)]),
    "rolled": (lambda x: jnp.roll(x, 1, 0) + jnp.flip(x, 1) + jnp.pad(x, 1)[1:-1, 2:], [(40, 40)]),
    "scattered_rows": (lambda x, i, v: x.at[i].add(v), [(1000, 64), ((50_000,), INT), (50_000, 64)]),
    "softmax": (lambda x: nn.softmax(x), [(4096, 1000)]),
    "softplus": (lambda x: nn.softplus(x).sum(), [(3000,)]),
    "sorted": (lambda x: (jnp.sort(x, 1), lax.top_k(x, 3)[1]), [(200, 64)]),
    "transposed": (lambda x: x.T + 1, [(2048, 1024)]),
    "variance": (lambda x: jnp.var(x, (0, 1)), [(64, 56, 24)]),
    "vectorised_norms": (fungrad.vmap(fungrad.grad(lambda x: jnp.sqrt(x @ x))), [(1000, 3)]),
}


def arguments(name):
    """Shapes and dtypes of the arguments of a program."""
    given = [s if s and isinstance(s[-1], str) else (s, "float32") for s in PROGRAMS[name][1]]
    return [fungrad.ShapeDtypeStruct(shape, dtype) for shape, dtype in given]
