"""distrax: distributions, mixtures and flows."""

import distrax
import jax
import jax.numpy as jnp


def densities():
    x = jnp.array([0.2, -0.5])
    scale = jnp.array([[1.0, 0.0], [0.3, 0.7]])
    mixture = distrax.MixtureSameFamily(
        distrax.Categorical(logits=jnp.array([0.1, 0.7])), distrax.Normal(jnp.array([-1.0, 1.0]), jnp.ones(2))
    )
    return {
        "normal": distrax.Normal(0.0, 2.0).log_prob(x),
        "multivariate": distrax.MultivariateNormalTri(jnp.zeros(2), scale).log_prob(x),
        "mixture": jax.grad(lambda t: mixture.log_prob(t))(0.3),
        "kl": distrax.Normal(0.0, 1.0).kl_divergence(distrax.Normal(1.0, 2.0)),
        "sample": distrax.Gumbel(0.0, 1.0).sample(seed=jax.random.PRNGKey(0), sample_shape=(3,)),
    }


def flows():
    mask = jnp.array([True, False, True])
    layer = distrax.MaskedCoupling(
        mask=mask,
        conditioner=lambda x: jnp.stack([jnp.sin(x), 0.1 * x], axis=-1),
        bijector=lambda p: distrax.ScalarAffine(shift=p[..., 0], log_scale=p[..., 1]),
    )
    base = distrax.MultivariateNormalDiag(jnp.zeros(3), jnp.ones(3))
    flow = distrax.Transformed(base, distrax.Chain([layer, distrax.Block(distrax.Tanh(), 1)]))
    x, log_prob = jax.jit(lambda key: flow.sample_and_log_prob(seed=key))(jax.random.PRNGKey(1))
    inverse = distrax.Lambda(lambda x: 2.0 * jnp.tanh(x) + 1.0)
    return {"x": x, "log_prob": log_prob, "inverse": inverse.inverse(jnp.array([0.5, 1.7]))}
