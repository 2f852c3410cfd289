"""jraph: a graph network and its gradient, batches with padding."""

import jax
import jax.numpy as jnp
import jraph


def _graph(nodes, seed):
    key = jax.random.key(seed)
    return jraph.GraphsTuple(
        nodes=jax.random.normal(key, (nodes, 3)),
        edges=jnp.linspace(-1.0, 1.0, 2 * nodes).reshape(nodes, 2),
        senders=jnp.arange(nodes),
        receivers=(jnp.arange(nodes) + 1) % nodes,
        n_node=jnp.array([nodes]),
        n_edge=jnp.array([nodes]),
        globals=jnp.ones((1, 2)),
    )


def network():
    w = jax.random.normal(jax.random.key(1), (10, 2)) / 3

    def loss(w, graph):
        net = jraph.GraphNetwork(
            update_edge_fn=jraph.concatenated_args(lambda x: jnp.tanh(x @ w)),
            update_node_fn=jraph.concatenated_args(lambda x: jnp.tanh(x[:, :7] @ w[:7])),
            update_global_fn=jraph.concatenated_args(lambda x: x @ w[: x.shape[-1]]),
        )
        out = net(graph)
        return jnp.sum(out.globals**2) + jnp.sum(out.nodes)

    value, slope = jax.jit(jax.value_and_grad(loss))(w, _graph(4, 0))
    return {"value": value, "slope": slope}


def batches():
    graph = jraph.batch([_graph(3, 0), _graph(4, 1)])
    padded = jraph.pad_with_graphs(graph, 10, 12, 4)
    return {
        "sums": jraph.segment_sum(padded.edges, padded.receivers, 10),
        "softmax": jraph.segment_softmax(padded.edges[:, 0], padded.receivers, 10),
        "mask": jraph.get_node_padding_mask(padded),
        "second": jraph.unbatch(graph)[1].nodes,
    }
