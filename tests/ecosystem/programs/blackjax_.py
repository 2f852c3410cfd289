"""BlackJAX: Markov chains by Hamiltonian dynamics, and adaptation of their parameters."""

import blackjax
import jax
import jax.numpy as jnp


def _log_density(x):
    return -0.5 * jnp.sum(x**2 / jnp.array([1.0, 4.0])) - 0.1 * jnp.sum(jnp.cos(x))


def _chain(kernel, state, key, steps):
    def step(state, key):
        state, info = kernel(key, state)
        return state, (state.position, info.acceptance_rate)

    return jax.jit(lambda state, keys: jax.lax.scan(step, state, keys)[1])(state, jax.random.split(key, steps))


def hmc():
    algorithm = blackjax.hmc(_log_density, 0.2, jnp.ones(2), 5)
    positions, rates = _chain(algorithm.step, algorithm.init(jnp.array([1.0, -1.0])), jax.random.key(0), 12)
    return {"positions": positions, "rates": rates}


def nuts():
    algorithm = blackjax.nuts(_log_density, 0.3, jnp.ones(2))
    positions, rates = _chain(algorithm.step, algorithm.init(jnp.array([0.5, 0.5])), jax.random.key(1), 6)
    mala = blackjax.mala(_log_density, 0.1)
    walk, _ = _chain(mala.step, mala.init(jnp.zeros(2)), jax.random.key(2), 6)
    return {"positions": positions, "rates": rates, "walk": walk}
