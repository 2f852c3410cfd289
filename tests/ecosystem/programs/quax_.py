"""Quax: types of arrays that give operations another meaning."""

import equinox as eqx
import jax
import jax.numpy as jnp
import quax
import quax.examples.unitful as unitful


def units():
    length = unitful.Unitful(jnp.array([3.0, 4.0]), {unitful.meters: 1})
    area = quax.quaxify(lambda a, b: a * b)(length, length)
    total = quax.quaxify(jax.jit(lambda a: a + a))(length)
    return {"area": area.array, "power": area.units[unitful.meters], "total": total.array}


def lora():
    import quax.examples.lora as lora

    linear = eqx.nn.Linear(4, 3, key=jax.random.PRNGKey(0))
    adapted = lora.loraify(linear, rank=2, key=jax.random.PRNGKey(1))
    x = jnp.arange(4.0)
    return {"out": quax.quaxify(adapted)(x), "plain": linear(x)}
