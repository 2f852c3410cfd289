"""jaxlie: Lie groups of rotations and rigid motions."""

import jax
import jax.numpy as jnp
import jaxlie


def motions():
    pose = jaxlie.SE3.exp(jnp.array([0.1, 0.2, -0.3, 0.4, -0.5, 0.6]))
    turned = jax.jit(lambda p, x: p @ x)(pose, jnp.array([1.0, 2.0, 3.0]))
    between = pose.inverse() @ jaxlie.SE3.exp(jnp.ones(6) * 0.1)
    return {
        "matrix": pose.as_matrix(), "turned": turned, "log": between.log(), "adjoint": pose.adjoint(),
        "sample": jaxlie.SO3.sample_uniform(jax.random.PRNGKey(0)).wxyz,
    }  # fmt: skip


def manifold():
    target = jaxlie.SO3.from_rpy_radians(0.3, -0.2, 0.1)

    def loss(rotation):
        return jnp.sum((rotation.inverse() @ target).log() ** 2)

    start = jaxlie.SO3.identity()
    slope = jaxlie.manifold.grad(loss)(start)
    moved = jaxlie.manifold.rplus(start, -0.25 * slope)
    return {"slope": slope, "moved": moved.wxyz, "loss": loss(moved)}
