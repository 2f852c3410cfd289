"""Equinox: models as pytrees, layers, state, and checks at run time."""

import equinox as eqx
import jax
import jax.numpy as jnp


def training():
    model = eqx.nn.MLP(3, 2, 8, 2, key=jax.random.PRNGKey(0))
    x = jax.random.normal(jax.random.PRNGKey(1), (6, 3))

    @eqx.filter_jit
    def step(model, x):
        value, slope = eqx.filter_value_and_grad(lambda m: jnp.mean(jax.vmap(m)(x) ** 2))(model)
        return eqx.apply_updates(model, jax.tree.map(lambda g: -0.1 * g, slope)), value

    values = []
    for _ in range(4):
        model, value = step(model, x)
        values.append(value)
    return {"values": jnp.stack(values), "bias": model.layers[0].bias}


class _Network(eqx.Module):
    conv: eqx.nn.Conv2d
    norm: eqx.nn.BatchNorm
    attention: eqx.nn.MultiheadAttention
    cell: eqx.nn.GRUCell

    def __init__(self, key):
        k1, k2, k3 = jax.random.split(key, 3)
        self.conv = eqx.nn.Conv2d(2, 4, 3, padding=1, key=k1)
        self.norm = eqx.nn.BatchNorm(4, axis_name="batch", mode="batch")
        self.attention = eqx.nn.MultiheadAttention(2, 4, key=k2)
        self.cell = eqx.nn.GRUCell(4, 4, key=k3)

    def __call__(self, x, state):
        x, state = self.norm(self.conv(x), state)
        rows = x.reshape(4, -1).T
        rows = self.attention(rows, rows, rows)
        h, _ = jax.lax.scan(lambda h, row: (self.cell(row, h), None), jnp.zeros(4), rows)
        return h, state


def stateful():
    model, state = eqx.nn.make_with_state(_Network)(jax.random.PRNGKey(0))
    x = jax.random.normal(jax.random.PRNGKey(1), (3, 2, 3, 3))

    @eqx.filter_jit
    def loss(model, state, x):
        out, state = jax.vmap(model, in_axes=(0, None), out_axes=(0, None), axis_name="batch")(x, state)
        return jnp.sum(out**2), state

    (value, state), slope = eqx.filter_value_and_grad(loss, has_aux=True)(model, state, x)
    inference = eqx.nn.inference_mode(model)
    out, _ = jax.vmap(inference, in_axes=(0, None), out_axes=(0, None), axis_name="batch")(x, state)
    return {"value": value, "slope": slope.attention.query_proj.weight, "out": out}


def checks():
    @eqx.filter_jit
    def root(x):
        x = eqx.error_if(x, x < 0, "must not be negative")
        return jnp.sqrt(x)

    refused = 0
    try:
        root(jnp.array(-1.0))
    except Exception as error:
        refused = int("must not be negative" in str(error))

    def loop(x):
        return eqx.internal.while_loop(
            lambda c: c[1] < 5, lambda c: (jnp.sin(c[0]), c[1] + 1), (x, 0), kind="checkpointed", max_steps=16
        )[0]

    closed = eqx.filter_closure_convert(lambda x: x * 2.0, jnp.ones(3))
    return {
        "root": root(jnp.array(4.0)), "refused": refused, "slope": jax.grad(loop)(0.5),
        "closed": closed(jnp.arange(3.0)),
    }  # fmt: skip
