"""Haiku: a network that is trained, and modules with state."""

import haiku as hk
import jax
import jax.numpy as jnp


def training():
    def forward(x):
        return hk.nets.MLP([8, 3])(hk.LayerNorm(-1, True, True)(x))

    model = hk.without_apply_rng(hk.transform(forward))
    x = jax.random.normal(jax.random.PRNGKey(0), (6, 4))
    params = model.init(jax.random.PRNGKey(1), x)

    @jax.jit
    def step(params):
        value, slope = jax.value_and_grad(lambda p: jnp.mean(model.apply(p, x) ** 2))(params)
        return jax.tree.map(lambda p, g: p - 0.1 * g, params, slope), value

    values = []
    for _ in range(4):
        params, value = step(params)
        values.append(value)
    return {"values": jnp.stack(values), "out": model.apply(params, x)}


def state():
    def forward(x, is_training):
        x = hk.Conv2D(3, 3)(x)
        x = hk.BatchNorm(True, True, 0.9)(x, is_training)
        out, _ = hk.dynamic_unroll(hk.LSTM(4), x.mean((1, 2))[:, None], hk.LSTM(4).initial_state(1))
        return hk.dropout(hk.next_rng_key(), 0.5, out)

    model = hk.transform_with_state(forward)
    x = jax.random.normal(jax.random.PRNGKey(0), (2, 4, 4, 2))
    params, state = model.init(jax.random.PRNGKey(1), x, True)
    out, state = jax.jit(model.apply, static_argnums=4)(params, state, jax.random.PRNGKey(2), x, True)
    averages = hk.data_structures.to_mutable_dict(state)["batch_norm/~/mean_ema"]["average"]
    return {"out": out, "averages": averages}
