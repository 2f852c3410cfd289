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


def lora_training():
    import quax.examples.lora as lora

    mlp = eqx.nn.MLP(3, 2, 8, 2, key=jax.random.PRNGKey(0))  # its activation is relu, which has a rule of its own
    adapted = lora.loraify(mlp, rank=2, key=jax.random.PRNGKey(1))
    x = jax.random.normal(jax.random.PRNGKey(2), (5, 3))

    @eqx.filter_jit
    @eqx.filter_value_and_grad
    def loss(model):
        return jnp.mean(jax.vmap(quax.quaxify(model))(x) ** 2)

    value, grads = loss(adapted)
    leaves = [g for g in jax.tree_util.tree_leaves(grads) if eqx.is_inexact_array(g)]
    return {"value": value, **{f"grad{i}": g for i, g in enumerate(leaves)}}


class Doubled(quax.ArrayValue):
    """Stands for twice the array."""

    array: jax.Array

    def aval(self):
        return jax.core.ShapedArray(self.array.shape, self.array.dtype)

    def materialise(self):
        return 2 * self.array


@quax.register(jax.lax.neg_p)
def _(x: Doubled):
    return Doubled(-x.array)


def loops():
    x = Doubled(jnp.array([1.0, -2.0, 3.0]))

    def f(x):
        y = jnp.sin(-x) + jnp.exp(x)
        n, z = jax.lax.while_loop(lambda c: c[0] < 3, lambda c: (c[0] + 1, c[1] + y), (0, y))
        w = jax.lax.cond(jnp.sum(z) > 0, lambda a: a + a, lambda a: a - a, z)
        return n, z, w, jax.jit(lambda w: jnp.sum(w * w))(w)

    negated = quax.quaxify(lambda x: -x)(x)
    n, z, w, square = quax.quaxify(f)(x)
    slopes = jax.jvp(lambda a: quax.quaxify(f)(Doubled(a))[3], (x.array,), (x.array,))[1]
    grads = jax.grad(lambda a: jnp.sum(quax.quaxify(jnp.tanh)(Doubled(a)) ** 2))(x.array)
    return {"negated": negated.array, "n": n, "z": z, "w": w, "square": square, "slopes": slopes, "grads": grads}
