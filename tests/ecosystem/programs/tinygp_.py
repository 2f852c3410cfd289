"""tinygp: Gaussian processes with dense and with quasiseparable kernels."""

import jax
import jax.numpy as jnp
from tinygp import GaussianProcess, kernels


def _data():
    x = jnp.linspace(0.0, 5.0, 8)
    return x, jnp.sin(x) + 0.1 * jnp.cos(3 * x)


def dense():
    x, y = _data()

    def process(p):
        kernel = jnp.exp(p["amplitude"]) * kernels.Matern32(jnp.exp(p["scale"])) + kernels.ExpSquared(2.0)
        return GaussianProcess(kernel, x, diag=0.01)

    p = {"amplitude": jnp.array(0.1), "scale": jnp.array(0.3)}
    value, slope = jax.jit(jax.value_and_grad(lambda p: -process(p).log_probability(y)))(p)
    conditioned = process(p).condition(y, jnp.array([0.5, 2.5]))
    return {"value": value, "slope": slope["scale"], "mean": conditioned.gp.loc, "variance": conditioned.gp.variance}


def quasiseparable():
    x, y = _data()
    kernel = kernels.quasisep.Matern52(1.5) + kernels.quasisep.Celerite(0.3, 0.1, 1.2, 0.05)

    def log_probability(y):
        return GaussianProcess(kernel, x, diag=0.05).log_probability(y)

    value, slope = jax.jit(jax.value_and_grad(log_probability))(y)
    process = GaussianProcess(kernel, x, diag=0.05)
    return {"value": value, "slope": slope, "sample": process.sample(jax.random.PRNGKey(0))}
