"""mctx: tree search with a model that is a function."""

import jax
import jax.numpy as jnp
import mctx


def _search(policy, **options):
    batch, actions = 2, 3
    rewards = jnp.linspace(-1.0, 1.0, actions)

    def recurrent(params, key, action, embedding):
        output = mctx.RecurrentFnOutput(
            reward=rewards[action] * embedding,
            discount=0.9 * jnp.ones(batch),
            prior_logits=jnp.tile(params, (batch, 1)),
            value=jnp.tanh(embedding),
        )
        return output, embedding * 0.5 + action

    root = mctx.RootFnOutput(
        prior_logits=jnp.zeros((batch, actions)), value=jnp.zeros(batch), embedding=jnp.array([1.0, -1.0])
    )
    return jax.jit(
        lambda key: policy(
            params=jnp.arange(3.0), rng_key=key, root=root, recurrent_fn=recurrent, num_simulations=12, **options
        )
    )(jax.random.PRNGKey(0))


def muzero():
    out = _search(mctx.muzero_policy, dirichlet_fraction=0.25)
    return {"action": out.action, "weights": out.action_weights, "visits": out.search_tree.node_visits}


def gumbel():
    out = _search(mctx.gumbel_muzero_policy, max_num_considered_actions=3)
    return {"action": out.action, "weights": out.action_weights, "values": out.search_tree.node_values}
