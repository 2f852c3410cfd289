"""State, training loops, small networks, random numbers, pipelines of everyday functions."""

import typing
from functools import partial

import numpy as np

from jax_programs import program, raised


@program
def counter(jax):
    class Counter:
        def count(self, n):
            return n, n + 1

        def reset(self):
            return 0

    counter = Counter()
    count = jax.jit(counter.count)
    state, values = counter.reset(), []
    for _ in range(3):
        value, state = count(state)
        values.append(value)
    return values, state


@program
def linear_regression(jax):
    jnp = jax.numpy

    class Params(typing.NamedTuple):
        weight: object
        bias: object

    def init(rng):
        weights_key, bias_key = jax.random.split(rng)
        return Params(jax.random.normal(weights_key, ()), jax.random.normal(bias_key, ()))

    def loss(params, x, y):
        return jnp.mean((params.weight * x + params.bias - y) ** 2)

    @jax.jit
    def update(params, x, y):
        grad = jax.grad(loss)(params, x, y)
        return jax.tree.map(lambda p, g: p - 0.05 * g, params, grad)

    rng = jax.random.key(42)
    true_w, true_b = 2, -1
    x_rng, noise_rng = jax.random.split(rng)
    xs = jax.random.normal(x_rng, (128, 1))
    noise = jax.random.normal(noise_rng, (128, 1)) * 0.5
    ys = xs * true_w + true_b + noise
    params = init(rng)
    for _ in range(200):
        params = update(params, xs, ys)
    assert abs(float(params.weight) - true_w) < 0.2 and abs(float(params.bias) - true_b) < 0.2
    return params, loss(params, xs, ys)


@program(tol=1e-3)
def network(jax):
    jnp = jax.numpy
    sizes, step_size, n_targets = [28, 32, 16, 10], 0.05, 10

    def random_layer(m, n, key, scale=1e-1):
        w_key, b_key = jax.random.split(key)
        return scale * jax.random.normal(w_key, (n, m)), scale * jax.random.normal(b_key, (n,))

    keys = jax.random.split(jax.random.key(0), len(sizes))
    params = [random_layer(m, n, k) for m, n, k in zip(sizes[:-1], sizes[1:], keys, strict=False)]

    def predict(params, image):
        activations = image
        for w, b in params[:-1]:
            activations = jax.nn.relu(jnp.dot(w, activations) + b)
        w, b = params[-1]
        logits = jnp.dot(w, activations) + b
        return logits - jax.nn.logsumexp(logits)

    batched = jax.vmap(predict, in_axes=(None, 0))

    def loss(params, images, targets):
        return -jnp.mean(batched(params, images) * targets)

    @jax.jit
    def update(params, x, y):
        value, grads = jax.value_and_grad(loss)(params, x, y)
        return [(w - step_size * dw, b - step_size * db) for (w, b), (dw, db) in zip(params, grads, strict=True)], value

    rng = np.random.default_rng(0)
    labels = rng.integers(0, n_targets, 64)
    images = (rng.normal(size=(64, 28)) + labels[:, None] / 5).astype(np.float32)
    targets = jnp.array(labels[:, None] == jnp.arange(n_targets), jnp.float32)
    losses = []
    for _ in range(3):
        for batch in range(0, 64, 16):
            params, value = update(params, images[batch : batch + 16], targets[batch : batch + 16])
            losses.append(value)
    wrong = raised(predict, params, jax.random.normal(jax.random.key(1), (10, 28)))
    accuracy = jnp.mean(jnp.argmax(batched(params, images), axis=1) == labels)
    return losses, params, accuracy, wrong, jax.nn.one_hot(labels[:4], 10)


@program
def momentum_and_adam(jax):
    jnp = jax.numpy

    def rosenbrock(x):
        return jnp.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)

    @jax.jit
    def adam(state, i):
        x, m, v = state
        g = jax.grad(rosenbrock)(x)
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        i = i + 1
        x = x - 0.01 * (m / (1 - 0.9**i)) / (jnp.sqrt(v / (1 - 0.999**i)) + 1e-8)
        return x, m, v

    x = jnp.array([-1.2, 1.0, 0.5])
    state = x, jnp.zeros_like(x), jnp.zeros_like(x)
    for i in range(20):
        state = adam(state, i)
    newton = x
    for _ in range(3):
        h, g = jax.hessian(rosenbrock)(newton), jax.grad(rosenbrock)(newton)
        newton = newton - 1e-4 * (g + 0.0 * h @ g)
    return state, newton, rosenbrock(state[0])


@program(tol=2e-5)
def random_numbers(jax):
    jnp, random = jax.numpy, jax.random
    key = random.key(42)
    new_key, subkey = random.split(key)
    legacy = random.PRNGKey(42)
    keys = random.split(key, 5)
    one_by_one = jnp.stack([random.normal(k) for k in keys])
    together = jax.vmap(random.normal)(keys)
    return {
        "same": random.normal(key) == random.normal(key),
        "split": (new_key, subkey, random.key_data(keys)),
        "fold": [random.fold_in(key, i) for i in range(3)],
        "fold traced": jax.jit(lambda i: random.normal(random.fold_in(key, i)))(3),
        "one by one": one_by_one,
        "together": together,
        "at once": random.normal(key, (5,)),
        "uniform": random.uniform(key, (2, 3), minval=-1, maxval=2),
        "bits": random.bits(key, (4,)),
        "randint": random.randint(key, (6,), 0, 10),
        "permutation": random.permutation(key, 8),
        "shuffled": random.permutation(key, jnp.arange(12).reshape(4, 3)),
        "choice": random.choice(key, 10, (4,), replace=False),
        "weighted": random.choice(key, jnp.array([1.0, 2.0, 5.0]), (6,), p=jnp.array([0.2, 0.3, 0.5])),
        "bernoulli": random.bernoulli(key, 0.3, (8,)),
        "categorical": random.categorical(key, jnp.log(jnp.array([0.1, 0.2, 0.7])), shape=(6,)),
        "exponential": random.exponential(key, (3,)),
        "truncated": random.truncated_normal(key, -1.0, 1.0, (4,)),
        "gumbel": random.gumbel(key, (2,)),
        "half": random.normal(key, (3,), jnp.bfloat16),
        "complex": random.normal(key, (2,), jnp.complex64),
        "legacy": (legacy, random.split(legacy), random.normal(legacy, (2,)), random.fold_in(legacy, 1)),
        "wrapped": random.wrap_key_data(legacy),
        "compiled": jax.jit(lambda k: random.uniform(k, (3,)))(key),
        "shape": [keys.shape, key.shape, key.ndim, len(keys), jnp.issubdtype(key.dtype, jax.dtypes.prng_key)],
        "indexed": random.normal(keys[2]),
        "no arithmetic": raised(lambda: key + 1),
        "not a key": raised(random.normal, 42),
        "gradient": jax.grad(lambda s: jnp.sum(s * random.normal(key, (3,))))(2.0),
    }


@program
def dropout_and_noise(jax):
    jnp = jax.numpy

    @partial(jax.jit, static_argnames=("rate", "training"))
    def dropout(key, x, rate=0.5, training=True):
        if not training:
            return x
        keep = jax.random.bernoulli(key, 1 - rate, x.shape)
        return jnp.where(keep, x / (1 - rate), 0)

    x = jnp.arange(12.0).reshape(3, 4)
    keys = jax.random.split(jax.random.key(7), 3)
    return (
        dropout(keys[0], x),
        dropout(keys[1], x, training=False),
        jax.vmap(dropout)(keys, x),
        jax.grad(lambda x: dropout(keys[2], x).sum())(x),
    )


@program
def devices_and_timing(jax):
    jnp = jax.numpy
    x = jax.device_put({"a": np.arange(3), "b": [2.0, np.float32(1)]})
    y = jax.block_until_ready(jax.jit(lambda t: jax.tree.map(lambda v: v * 2, t))(x))
    return {
        "put": x,
        "ready": y,
        "get": jax.device_get(y),
        "platform": jax.default_backend(),
        "count": jax.device_count() > 0 and len(jax.devices()) == jax.device_count(),
        "array": jnp.ones(2).block_until_ready(),
        "committed": isinstance(jax.devices()[0], jax.Device),
        "on": jax.device_put(jnp.ones(2), jax.devices()[0]),
        "copy": jnp.array(x["a"], copy=True),
    }


@program
def activations(jax):
    jnp, nn = jax.numpy, jax.nn
    x = jnp.linspace(-4, 4, 9)
    names = "relu relu6 sigmoid softplus silu swish log_sigmoid leaky_relu hard_sigmoid hard_silu hard_tanh elu celu"
    names = [*names.split(), "selu", "gelu", "soft_sign", "mish", "softmax", "log_softmax", "logsumexp"]
    return {
        n: (getattr(nn, n)(x), jax.grad(lambda x, n=n: jnp.sum(getattr(nn, n)(x) * jnp.arange(9.0)))(x)) for n in names
    } | {
        "standardize": nn.standardize(x),
        "glu": nn.glu(jnp.arange(8.0)),
        "one_hot": nn.one_hot(jnp.array([0, 2, 5]), 3),
        "exact gelu": nn.gelu(x, approximate=False),
        "masked": nn.softmax(x, where=x > 0, axis=-1),
        "initializer": nn.initializers.glorot_normal()(jax.random.key(0), (3, 4)),
        "normal": nn.initializers.normal(0.5)(jax.random.key(0), (3,)),
        "zeros": nn.initializers.zeros(jax.random.key(0), (2,)),
    }


@program
def einsum(jax):
    jnp = jax.numpy
    a, b, c = (jax.random.normal(jax.random.key(i), s) for i, s in enumerate([(2, 3, 4), (2, 4, 5), (5, 6)]))
    return {
        "batch": jnp.einsum("bij,bjk->bik", a, b),
        "implicit": jnp.einsum("bij,bjk", a, b),
        "three": jnp.einsum("bij,bjk,kl->bil", a, b, c),
        "trace": jnp.einsum("ii", jnp.arange(9.0).reshape(3, 3)),
        "diagonal": jnp.einsum("ii->i", jnp.arange(9.0).reshape(3, 3)),
        "sum": jnp.einsum("ijk->", a),
        "ellipsis": jnp.einsum("...ij->...ji", a),
        "outer": jnp.einsum("i,j->ij", jnp.arange(2.0), jnp.arange(3.0)),
        "grad": jax.grad(lambda a: jnp.sum(jnp.einsum("bij,bjk,kl->bl", a, b, c) ** 2))(a),
        "integers": jnp.einsum("i,i->", jnp.arange(4), jnp.arange(4)),
        "tensordot": jnp.tensordot(a, b, axes=((0, 2), (0, 1))),
        "matmul": jnp.matmul(a, b),
        "vecdot": jnp.vecdot(a, a),
        "kron": jnp.kron(jnp.eye(2), jnp.ones((1, 2))),
        "cross": jnp.cross(jnp.arange(3.0), jnp.ones(3)),
    }


@program
def updates(jax):
    jnp = jax.numpy
    x = jnp.arange(12.0).reshape(3, 4)
    i = jnp.array([0, 2, 0])
    return {
        "set": x.at[1, 2].set(-1),
        "row": x.at[0].set(jnp.ones(4)),
        "column": x.at[:, 1].multiply(10),
        "add": x.at[i].add(1.0),
        "repeated": jnp.zeros(3).at[i].add(1.0),
        "max": x.at[i, i].max(7.0),
        "min": x.at[1:].min(5.0),
        "divide": x.at[0, 0].divide(2.0),
        "power": x.at[0, 1:3].power(2),
        "mask": x.at[x > 5].set(0.0),
        "ellipsis": x.at[..., -1].set(0),
        "apply": x.at[0].apply(jnp.sin),
        "get": x.at[i, 1].get(),
        "integer": jnp.arange(4).at[1].set(5),
        "cast": jnp.arange(4).at[1].set(2.0),
        "stepped": x.at[::2, ::-1].set(x[::2]),
        "new axis": x[:, None, 1],
        "advanced": x[i[:, None], jnp.array([1, 3])],
        "boolean": x[np.array([True, False, True])],
        "mixed": x[1:, jnp.array([0, 0])],
        "compiled": jax.jit(lambda x, k: x.at[k].set(0.0)[k])(x, 1),
        "grad": jax.grad(lambda x: jnp.sum(x.at[i].mul(2.0) ** 2))(x),
    }


@program
def sorting(jax):
    jnp = jax.numpy
    x = jnp.array([[3.0, 1.0, 2.0, jnp.nan], [5.0, 5.0, -1.0, 0.0]])
    n = jnp.array([3, 1, 2, 3, 1])
    return {
        "sort": jnp.sort(x),
        "axis": jnp.sort(x, axis=0),
        "descending": jnp.sort(n, descending=True),
        "argsort": jnp.argsort(x, axis=1),
        "stable": jnp.argsort(n, stable=True),
        "argsort descending": jnp.argsort(n, descending=True),
        "lexsort": jnp.lexsort((n, n % 2)),
        "top_k": jax.lax.top_k(n, 3),
        "unique": jnp.unique(n),
        "unique counts": jnp.unique(n, return_counts=True, return_inverse=True),
        "searchsorted": jnp.searchsorted(jnp.arange(5.0), jnp.array([0.5, 3.0, 9.0])),
        "bincount": jnp.bincount(n),
        "argmax": [jnp.argmax(x), jnp.argmin(x, axis=1), jnp.nanargmax(x)],
        "partition": jnp.sort(jnp.partition(n, 2)[:2]),
        "digitize": jnp.digitize(jnp.array([0.2, 6.4]), jnp.array([0.0, 1.0, 5.0])),
        "histogram": jnp.histogram(n, bins=3),
        "percentile": jnp.percentile(n, 50),
        "quantile": jnp.quantile(jnp.arange(5.0), jnp.array([0.1, 0.9])),
        "sort pairs": jax.lax.sort((n, jnp.arange(5)), num_keys=1),
        "nonzero": jnp.nonzero(n == 3),
        "argwhere": jnp.argwhere(n > 1),
        "flatnonzero": jnp.flatnonzero(n == 1),
        "isin": jnp.isin(n, jnp.array([1, 2])),
        "grad": jax.grad(lambda v: jnp.sum(jnp.sort(v) * jnp.arange(4.0)))(x[1]),
    }
