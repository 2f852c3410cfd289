"""jax-tqdm: progress bars in loops."""

import jax
import jax.numpy as jnp
from jax_tqdm import loop_tqdm, scan_tqdm


def scan():
    @scan_tqdm(20, print_rate=5)
    def step(carry, i):
        return carry * 0.9 + i, carry

    last, all_ = jax.jit(lambda x: jax.lax.scan(step, x, jnp.arange(20)))(1.0)
    return {"last": last, "all": all_}


def loop():
    @loop_tqdm(10, print_rate=2)
    def step(i, x):
        return jnp.sin(x) + i

    return {"value": jax.jit(lambda x: jax.lax.fori_loop(0, 10, step, x))(0.5)}
