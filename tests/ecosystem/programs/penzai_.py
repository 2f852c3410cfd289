"""penzai: a network with named axes, and selections of its parts."""

import jax
import jax.numpy as jnp
from penzai import pz


def named_axes():
    x = pz.nx.wrap(jnp.arange(12.0).reshape(3, 4)).tag("row", "column")
    y = pz.nx.nmap(jnp.sin)(x) + pz.nx.wrap(jnp.arange(4.0)).tag("column")
    total = pz.nx.nmap(jnp.sum)(y.untag("row"))
    return {"y": y.unwrap("row", "column"), "total": total.unwrap("column")}


def network():
    layers = pz.nn.Sequential(
        [
            pz.nn.Affine.from_config(
                name="first", init_base_rng=jax.random.key(0), input_axes={"in": 3}, output_axes={"hidden": 5}
            ),
            pz.nn.Elementwise(jnp.tanh),
            pz.nn.Affine.from_config(
                name="second", init_base_rng=jax.random.key(1), input_axes={"hidden": 5}, output_axes={"out": 2}
            ),
        ]
    )
    x = pz.nx.wrap(jnp.linspace(-1.0, 1.0, 6).reshape(2, 3)).tag("batch", "in")
    out = layers(x).unwrap("batch", "out")
    count = pz.select(layers).at_instances_of(pz.Parameter).count()
    return {"out": out, "count": count}
