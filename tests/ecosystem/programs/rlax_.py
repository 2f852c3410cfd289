"""rlax: errors and targets of reinforcement learning."""

import jax
import jax.numpy as jnp
import rlax


def errors():
    q = jnp.array([[1.0, 2.0], [0.5, -1.0]])
    error = jax.vmap(rlax.q_learning)(q, jnp.array([0, 1]), jnp.ones(2), 0.9 * jnp.ones(2), q[::-1])
    slope = jax.grad(lambda q: jnp.sum(jax.vmap(rlax.sarsa)(
        q, jnp.array([0, 1]), jnp.ones(2), 0.9 * jnp.ones(2), q[::-1], jnp.array([1, 0])) ** 2))(q)  # fmt: skip
    return {"td": error, "slope": slope}


def targets():
    r, discount, v = jnp.arange(5.0), 0.9 * jnp.ones(5), jnp.linspace(1.0, 2.0, 5)
    returns = jax.jit(rlax.lambda_returns)(r, discount, v, 0.8 * jnp.ones(5))
    trace = rlax.vtrace_td_error_and_advantage(v, v[::-1], r, discount, jnp.linspace(0.5, 1.5, 5))
    loss = rlax.policy_gradient_loss(jnp.eye(5, 3), jnp.array([0, 1, 2, 0, 1]), r, jnp.ones(5))
    return {"returns": returns, "errors": trace.errors, "advantage": trace.pg_advantage, "loss": loss}
