"""NumPyro: models, variational inference and a short Markov chain."""

import jax
import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist
from numpyro.infer import MCMC, NUTS, SVI, Predictive, Trace_ELBO, autoguide, log_likelihood
from numpyro.infer.util import log_density

_SIGMA = jnp.array([15.0, 10.0, 16.0, 11.0])
_Y = jnp.array([28.0, 8.0, -3.0, 7.0])


def _schools(y=None):
    mu = numpyro.sample("mu", dist.Normal(0, 5))
    tau = numpyro.sample("tau", dist.HalfCauchy(5))
    with numpyro.plate("schools", 4):
        theta = numpyro.sample("theta", dist.Normal(mu, tau))
        numpyro.sample("y", dist.Normal(theta, _SIGMA), obs=y)


def densities():
    values = {"mu": jnp.array(1.0), "tau": jnp.array(2.0), "theta": jnp.arange(4.0)}
    value, slope = jax.value_and_grad(lambda v: log_density(_schools, (_Y,), {}, v)[0])(values)
    prior = Predictive(_schools, num_samples=3)(jax.random.PRNGKey(0))
    likelihood = log_likelihood(_schools, {k: v[None] for k, v in values.items()}, _Y)["y"]
    return {"value": value, "slope": slope["theta"], "prior": prior["theta"], "likelihood": likelihood}


def variational():
    guide = autoguide.AutoNormal(_schools)
    svi = SVI(_schools, guide, numpyro.optim.Adam(0.05), Trace_ELBO())
    result = svi.run(jax.random.PRNGKey(0), 40, _Y, progress_bar=False)
    return {"losses": result.losses, "median": guide.median(result.params)["theta"]}


def chain():
    mcmc = MCMC(
        NUTS(_schools, step_size=0.3, adapt_step_size=False, adapt_mass_matrix=False),
        num_warmup=0, num_samples=4, progress_bar=False,
    )  # fmt: skip
    init = {"mu": jnp.array(1.0), "tau": jnp.array(0.5), "theta": jnp.arange(4.0)}
    mcmc.run(jax.random.PRNGKey(1), _Y, init_params=init)
    return {"mu": mcmc.get_samples()["mu"]}
