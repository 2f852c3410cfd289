"""chex: assertions on arrays and trees, also inside of compiled functions; dataclasses."""

import chex
import jax
import jax.numpy as jnp


@chex.dataclass
class State:
    position: chex.Array
    velocity: chex.Array


def dataclass():
    state = State(position=jnp.arange(3.0), velocity=jnp.ones(3))
    step = jax.jit(lambda s: s.replace(position=s.position + 0.5 * s.velocity))
    moved = step(state)
    slope = jax.grad(lambda s: jnp.sum(s.position**2 * s.velocity))(moved)
    return {"position": moved.position, "slope": slope.velocity}


def assertions():
    @chex.chexify
    @jax.jit
    def logarithm(x):
        chex.assert_tree_all_finite(x)
        return jnp.log(x + 1)

    refused = 0
    value = logarithm(jnp.arange(3.0))
    for bad in (lambda: chex.assert_shape(value, (4,)), lambda: chex.assert_type(value, int),
                lambda: chex.assert_trees_all_close(value, value + 1)):  # fmt: skip
        try:
            bad()
        except AssertionError:
            refused += 1
    try:
        logarithm(jnp.array([jnp.nan]))
        chex.block_until_chexify_assertions_complete()
    except Exception:
        refused += 1
    chex.assert_max_traces(lambda x: x, n=1)
    return {"value": value, "refused": refused}
