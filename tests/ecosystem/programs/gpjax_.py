"""GPJax: regression with a Gaussian process, and the evidence that its hyperparameters are fitted by."""

import gpjax as gpx
import jax.numpy as jnp


def _posterior():
    x = jnp.linspace(0.0, 3.0, 8)[:, None]
    data = gpx.Dataset(X=x, y=jnp.sin(2 * x))
    prior = gpx.gps.Prior(mean_function=gpx.mean_functions.Zero(), kernel=gpx.kernels.RBF())
    return prior * gpx.likelihoods.Gaussian(), data


def regression():
    posterior, data = _posterior()
    latent = posterior.predict(jnp.array([[0.5], [1.7]]), train_data=data)
    predictive = posterior.likelihood(latent)
    return {"mean": predictive.mean, "variance": predictive.variance}


def evidence():
    posterior, data = _posterior()
    value = gpx.objectives.conjugate_mll(posterior, data)
    periodic = gpx.kernels.Periodic(lengthscale=0.7, period=1.3)
    return {"value": value, "gram": periodic.cross_covariance(data.X, data.X)[0]}
