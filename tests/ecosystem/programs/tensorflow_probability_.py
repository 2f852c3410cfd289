"""TensorFlow Probability on JAX: distributions, bijectors and a Markov chain."""

import jax
import jax.numpy as jnp
from tensorflow_probability.substrates import jax as tfp


def distributions():
    tfd = tfp.distributions
    x = jnp.array([0.3, 0.6])
    joint = tfd.JointDistributionSequential([tfd.Normal(0.0, 1.0), lambda m: tfd.Normal(m, 0.5)])
    return {
        "beta": tfd.Beta(2.0, 3.0).log_prob(x),
        "student": jax.grad(lambda df: jnp.sum(tfd.StudentT(df, 0.0, 1.0).log_prob(x)))(4.0),
        "joint": joint.log_prob([0.1, 0.4]),
        "sample": tfd.Laplace(0.0, 1.0).sample(3, seed=jax.random.PRNGKey(0)),
        "poisson": tfd.Poisson(3.0).log_prob(jnp.arange(4.0)),
    }


def bijectors():
    tfb = tfp.bijectors
    chain = tfb.Chain([tfb.Exp(), tfb.Scale(0.5), tfb.Shift(1.0)])
    x = jnp.linspace(-1.0, 1.0, 4)
    y = jax.jit(chain.forward)(x)
    softplus = tfb.Softplus()
    return {
        "y": y,
        "x": chain.inverse(y),
        "jacobian": chain.forward_log_det_jacobian(x, event_ndims=0),
        "softplus": softplus.inverse(softplus.forward(x)),
        "triangular": tfb.FillScaleTriL().forward(jnp.arange(6.0)),
    }
