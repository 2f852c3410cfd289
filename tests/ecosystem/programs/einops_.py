"""einops: rearrangements and reductions, their derivatives, einsum and packing."""

import jax
import jax.numpy as jnp
from einops import einsum, pack, rearrange, reduce, repeat, unpack


def patches():
    images = jnp.arange(2 * 4 * 4 * 3, dtype=jnp.float32).reshape(2, 4, 4, 3)
    split = jax.jit(lambda x: rearrange(x, "b (h p) (w q) c -> b (h w) (p q c)", p=2, q=2))
    pooled = reduce(images, "b (h p) (w q) c -> b h w c", "max", p=2, q=2)
    slope = jax.grad(lambda x: jnp.sum(reduce(x, "b h w c -> b c", "mean") ** 2))(images)
    return {"patches": split(images)[0], "pooled": pooled, "slope": slope[0, 0]}


def heads():
    key = jax.random.key(0)
    q, k = jax.random.normal(key, (2, 2, 5, 8))
    scores = einsum(q, k, "b i d, b j d -> b i j")
    packed, shapes = pack([q, k[:, :2]], "b * d")
    first, second = unpack(packed, shapes, "b * d")
    return {"scores": scores, "tiled": repeat(q[0, 0], "d -> r d", r=2), "second": second - k[:, :2], "first": first[0]}
