"""e3nn-jax: functions that turn with their arguments."""

import e3nn_jax as e3nn
import jax
import jax.numpy as jnp


def harmonics():
    x = e3nn.IrrepsArray("1o", jnp.array([[0.1, 0.2, 0.3], [1.0, -0.5, 0.2]]))
    y = e3nn.spherical_harmonics("0e + 1o + 2e", x, normalize=True)
    product = e3nn.tensor_product(y, x)
    gated = e3nn.gate(e3nn.IrrepsArray("2x0e + 1o", jnp.arange(5.0)))
    return {"y": y.array, "product": product.array, "gated": gated.array, "norm": e3nn.norm(y).array}


def equivariance():
    x = e3nn.IrrepsArray("1o + 0e", jnp.array([0.3, -0.2, 0.5, 1.0]))
    linear = e3nn.flax.Linear("0e + 2x1o")
    params = linear.init(jax.random.PRNGKey(0), x)
    out = jax.jit(linear.apply)(params, x)
    rotation = e3nn.rand_matrix(jax.random.PRNGKey(1))
    turned = linear.apply(params, x.transform_by_matrix(rotation))
    difference = turned.array - out.transform_by_matrix(rotation).array
    return {"out": out.array, "difference": difference, "rotation": rotation}
