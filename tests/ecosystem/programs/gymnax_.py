"""gymnax: environments that are stepped inside of a compiled loop."""

import gymnax
import jax
import jax.numpy as jnp


def _rollout(name, policy, steps):
    env, params = gymnax.make(name)

    def step(carry, key):
        observation, state = carry
        observation, state, reward, done, *_ = env.step(key, state, policy(observation), params)
        return (observation, state), (observation, reward, done)

    @jax.jit
    def run(key):
        return jax.lax.scan(step, env.reset(key, params), jax.random.split(key, steps))[1]

    return run(jax.random.key(0))


def cart_pole():
    observations, rewards, done = _rollout("CartPole-v1", lambda o: (o[2] > 0).astype(jnp.int32), 12)
    return {"observations": observations, "rewards": rewards, "done": done}


def pendulum():
    observations, rewards, _ = _rollout("Pendulum-v1", lambda o: -o[1:2], 8)
    return {"observations": observations, "rewards": rewards}
