"""Derivatives of derivatives, stopped gradients, gradients of every example."""

from jax_programs import program


@program
def repeated(jax):
    f = lambda x: x**3 + 2 * x**2 - 3 * x + 1  # noqa: E731
    results = []
    for _ in range(4):
        f = jax.grad(f)
        results.append([f(1.0), f(2.0)])
    return results


@program
def adaptation(jax):
    """Model-agnostic meta learning: the gradient of a loss after a step of gradient descent."""
    jnp = jax.numpy

    def loss(params, x, y):
        hidden = jnp.tanh(jnp.outer(x, params["w1"]) + params["b1"])
        return jnp.mean((hidden @ params["w2"] - y) ** 2)

    def meta_loss(params, x1, y1, x2, y2):
        grads = jax.grad(loss)(params, x1, y1)
        adapted = jax.tree.map(lambda p, g: p - 0.1 * g, params, grads)
        return loss(adapted, x2, y2)

    keys = jax.random.split(jax.random.key(3), 3)
    params = {k: jax.random.normal(key, (8,)) for k, key in zip(("w1", "b1", "w2"), keys, strict=True)}
    x1, x2 = jnp.linspace(-2, 2, 10), jnp.linspace(-1, 3, 7)
    args = params, x1, jnp.sin(x1), x2, jnp.sin(x2)
    tasks = (
        jnp.stack([x1, x1 + 0.5]),
        jnp.sin(jnp.stack([x1, x1 + 1])),
        jnp.stack([x2, x2]),
        jnp.cos(jnp.stack([x2, x2])),
    )
    batched = lambda p: jnp.mean(jax.vmap(lambda *t: meta_loss(p, *t))(*tasks))  # noqa: E731
    return {
        "loss": meta_loss(*args),
        "grad": jax.grad(meta_loss)(*args),
        "compiled": jax.jit(jax.value_and_grad(meta_loss))(*args),
        "tasks": jax.jit(jax.grad(batched))(params),
    }


@program
def temporal_difference(jax):
    jnp = jax.numpy
    value = lambda theta, s: jnp.dot(theta, s)  # noqa: E731
    theta = jnp.array([0.1, -0.1, 0.0])
    s, r, s_next = jnp.array([1.0, 2.0, -1.0]), jnp.array(1.0), jnp.array([2.0, 1.0, 0.0])

    def naive(theta, s, r, s_next):
        return -0.5 * (r + value(theta, s_next) - value(theta, s)) ** 2

    def stopped(theta, s, r, s_next):
        target = r + value(theta, s_next)
        return -0.5 * (jax.lax.stop_gradient(target) - value(theta, s)) ** 2

    batch = jnp.stack([s, s * 2]), jnp.stack([r, r]), jnp.stack([s_next, s_next - 1])
    return {
        "naive": jax.grad(naive)(theta, s, r, s_next),
        "stopped": jax.grad(stopped)(theta, s, r, s_next),
        "per example": jax.jit(jax.vmap(jax.grad(stopped), in_axes=(None, 0, 0, 0)))(theta, *batch),
        "of a tree": jax.lax.stop_gradient({"a": theta, "b": (r, s > 0)}),
    }


@program
def straight_through(jax):
    jnp = jax.numpy

    def quantized(x):
        zero = x - jax.lax.stop_gradient(x)
        return zero + jax.lax.stop_gradient(jnp.round(x))

    x = jnp.array([5.6, -0.4, 1.5])
    return {
        "value": quantized(x),
        "round": jax.grad(lambda x: jnp.round(x).sum())(x),
        "through": jax.grad(lambda x: (quantized(x) ** 2).sum())(x),
        "twice": jax.hessian(lambda x: (quantized(x) ** 2).sum())(x),
    }


@program
def per_example(jax):
    jnp = jax.numpy

    def loss(params, x, y):
        w, b = params
        return (jnp.dot(x, w) + b - y) ** 2

    params = jnp.array([1.0, -1.0]), 0.5
    x, y = jnp.arange(6.0).reshape(3, 2), jnp.array([1.0, 0.0, 2.0])
    grads = jax.vmap(jax.grad(loss), in_axes=(None, 0, 0))(params, x, y)
    norms = jnp.sqrt(sum(jnp.sum(g.reshape(3, -1) ** 2, axis=1) for g in jax.tree.leaves(grads)))
    clipped = jax.tree.map(
        lambda g: jnp.mean(g / jnp.maximum(norms, 1.0).reshape((3,) + (1,) * (g.ndim - 1)), axis=0), grads
    )
    values = jax.vmap(jax.value_and_grad(loss), in_axes=((None, None), 0, 0))(params, x, y)
    return grads, norms, clipped, values


@program
def implicit_where(jax):
    """The gradient through the branch that is not taken, and how to avoid NaN from it."""
    jnp = jax.numpy
    naive = lambda x: jnp.where(x > 0, jnp.log(x), 0.0)  # noqa: E731
    safe = lambda x: jnp.where(x > 0, jnp.log(jnp.where(x > 0, x, 1.0)), 0.0)  # noqa: E731
    return [jax.grad(f)(x) for f in (naive, safe) for x in (0.0, -1.0, 2.0)]


@program
def corners(jax):
    """Derivatives where functions have kinks or ties."""
    jnp = jax.numpy
    x = jnp.array([1.0, 3.0, 3.0, -2.0])
    return {
        "abs": jax.grad(jnp.abs)(0.0),
        "maximum": jax.grad(lambda a: jnp.maximum(a, 1.0))(1.0),
        "max": jax.grad(lambda a: a.max())(x),
        "sort": jax.grad(lambda a: jnp.sort(a)[1])(x),
        "sqrt": jax.grad(jnp.sqrt)(0.0),
        "norm": jax.grad(lambda a: jnp.sqrt(jnp.sum(a**2)))(jnp.zeros(2)),
        "sign": jax.grad(jnp.sign)(0.5),
        "floor": jax.grad(jnp.floor)(0.5),
        "power zero": [
            jax.grad(lambda a: a**2)(0.0),
            jax.grad(lambda a: a**2.0)(jnp.float32(0.0)),
            jax.grad(lambda b: 0.0**b)(2.0),
        ],
        "clip": jax.grad(lambda a: jnp.clip(a, 0.0, 1.0))(0.0),
        "relu": jax.grad(jax.nn.relu)(0.0),
        "prod": jax.grad(jnp.prod)(jnp.array([0.0, 2.0, 3.0])),
        "cumprod": jax.grad(lambda a: jnp.cumprod(a)[-1])(jnp.array([1.0, 2.0, 3.0])),
        "logsumexp": jax.grad(jax.nn.logsumexp)(jnp.array([-jnp.inf, 0.0])),
        "sinc": [jax.grad(jnp.sinc)(0.0), jax.grad(jax.grad(jnp.sinc))(0.0)],
        "arctan2": jax.grad(jnp.arctan2)(0.0, 1.0),
        "hypot": jax.grad(jnp.hypot)(3.0, 4.0),
        "mod": jax.grad(lambda a, b: a % b, (0, 1))(5.5, 2.0),
        "repeat": jax.grad(lambda a: jnp.sum(jnp.repeat(a, 2) * jnp.arange(8.0)))(x),
        "take": jax.grad(lambda a: a[jnp.array([0, 0, 2])].sum())(x),
        "set": jax.grad(lambda a: a.at[jnp.array([0, 1])].set(5.0).sum())(x),
        "multiply": jax.grad(lambda a: a.at[jnp.array([0, 1])].multiply(5.0).sum())(x),
        "min at": jax.grad(lambda a: a.at[0].min(0.5).sum())(x),
    }
