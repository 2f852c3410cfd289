"""evosax: evolution strategies on a quadratic function."""

import jax
import jax.numpy as jnp
from evosax.algorithms import CMA_ES, Open_ES


def _generations(algorithm, steps):
    params = algorithm.default_params
    key = jax.random.key(0)
    state = algorithm.init(key, jnp.ones(3), params)
    best = []
    for i in range(steps):
        k1, k2 = jax.random.split(jax.random.fold_in(key, i))
        population, state = algorithm.ask(k1, state, params)
        fitness = jnp.sum((population - 0.5) ** 2, axis=-1)
        state, metrics = algorithm.tell(k2, population, fitness, state, params)
        best.append(fitness.min())
    return jnp.stack(best), algorithm.get_mean(state)


def cma():
    best, mean = _generations(CMA_ES(population_size=6, solution=jnp.zeros(3)), 4)
    return {"best": best, "mean": mean}


def open_es():
    best, mean = _generations(Open_ES(population_size=6, solution=jnp.zeros(3)), 4)
    return {"best": best, "mean": mean}
