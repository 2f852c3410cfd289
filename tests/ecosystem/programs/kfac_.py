"""KFAC-JAX: an optimizer that looks into the jaxpr of the loss."""

import jax
import jax.numpy as jnp
import kfac_jax


def curvature():
    x, y = jnp.linspace(-1.0, 1.0, 12).reshape(4, 3), jnp.ones((4, 2))

    def loss(params, batch):
        a, b = batch
        out = a @ params["w"] + params["b"]
        kfac_jax.register_squared_error_loss(out, b)
        return jnp.mean((out - b) ** 2)

    params = {"w": jnp.ones((3, 2)) / 3, "b": jnp.zeros(2)}
    estimator = kfac_jax.ImplicitExactCurvature(loss)
    product = estimator.multiply_ggn((params, (x, y)), jax.tree.map(jnp.ones_like, params))
    return {"product": product["w"]}


def losses():
    logits = jnp.array([[0.2, -0.1, 0.5]])
    category = kfac_jax.CategoricalLogitsNegativeLogProbLoss(logits, jnp.array([1]))
    return {"value": category.evaluate(jnp.array([1])), "mean": kfac_jax.utils.scalar_mul({"a": logits}, 2.0)["a"]}
