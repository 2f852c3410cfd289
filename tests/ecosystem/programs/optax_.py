"""optax: training with a chain of transformations, and minimisation with line search."""

import jax
import jax.numpy as jnp
import optax


def _network(params, x):
    return jnp.tanh(x @ params["w1"] + params["b1"]) @ params["w2"]


def training():
    k1, k2, k3 = jax.random.split(jax.random.key(0), 3)
    params = {
        "w1": jax.random.normal(k1, (4, 8)) / 2, "b1": jnp.zeros(8), "w2": jax.random.normal(k2, (8, 3)) / 3
    }  # fmt: skip
    x, labels = jax.random.normal(k3, (16, 4)), jnp.arange(16) % 3
    schedule = optax.warmup_cosine_decay_schedule(0.0, 0.1, 3, 20)
    optimizer = optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(schedule, weight_decay=1e-3))

    def loss(params):
        return optax.softmax_cross_entropy_with_integer_labels(_network(params, x), labels).mean()

    @jax.jit
    def step(params, state):
        value, slope = jax.value_and_grad(loss)(params)
        updates, state = optimizer.update(slope, state, params)
        return optax.apply_updates(params, updates), state, value

    state, values = optimizer.init(params), []
    for _ in range(10):
        params, state, value = step(params, state)
        values.append(value)
    return {"values": jnp.stack(values), "w2": params["w2"]}


def lbfgs():
    def rosenbrock(x):
        return jnp.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)

    optimizer = optax.lbfgs()
    value_and_grad = optax.value_and_grad_from_state(rosenbrock)

    @jax.jit
    def step(x, state):
        value, slope = value_and_grad(x, state=state)
        updates, state = optimizer.update(slope, state, x, value=value, grad=slope, value_fn=rosenbrock)
        return optax.apply_updates(x, updates), state

    x = jnp.array([-0.5, 0.8, 1.2])
    state = optimizer.init(x)
    for _ in range(12):
        x, state = step(x, state)
    return {"x": x, "value": rosenbrock(x)}
