"""Bayesian logistic regression by Hamiltonian Monte Carlo, with the whole chain in one compiled loop.

Eight chains sample the 31 coefficients of a classifier of scikit-learn's breast-cancer data. A proposal is a
trajectory of the leapfrog integrator, which needs the gradient of the log-density at every step; a transition is a
function of a random key and a state; a chain is a ``scan`` over transitions whose keys are split inside; and eight
chains are a ``vmap`` of one. ``jit`` makes a native loop of it all.

    python examples/hmc_logistic.py

What to look at: the same ``chain`` function runs one chain or eight, and adapts the step size while it warms up.
"""

from __future__ import annotations

import argparse
import time

import matplotlib
import numpy as np
from rich.console import Console
from rich.table import Table
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split

import fungrad
import fungrad.numpy as jnp
from fungrad import lax, nn, random

matplotlib.use("Agg")
import matplotlib.pyplot as plt

CHAINS, LEAPS, TARGET = 8, 12, 0.8


# -- the model --------------------------------------------------------------------------------------------------------


def load_data():
    """Standardised measurements with a column of ones, and whether a tumour is benign."""
    x, y = load_breast_cancer(return_X_y=True)
    x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=0.25, random_state=0, stratify=y)
    mean, std = x_train.mean(axis=0), x_train.std(axis=0)
    columns = [np.column_stack([np.ones(len(x)), (x - mean) / std]).astype(np.float32) for x in (x_train, x_test)]
    return (*columns, y_train.astype(np.float32), y_test)


def log_density(w, x, y):
    """Log of the posterior, up to a constant: normal priors, and the likelihood of a logistic model."""
    logits = x @ w
    return jnp.sum(y * logits - nn.softplus(logits)) - 0.5 * jnp.sum(w * w)


# -- the sampler: pure functions of keys and states -------------------------------------------------------------------


def leapfrog(slope, w, p, step_size):
    """Follows the Hamiltonian flow for ``LEAPS`` steps."""

    def one(state, _):
        w, p = state
        w = w + step_size * p
        return (w, p + step_size * slope(w)), None

    p = p + 0.5 * step_size * slope(w)
    (w, p), _ = lax.scan(one, (w, p), None, length=LEAPS)
    return w, p - 0.5 * step_size * slope(w)


def transition(density, key, w, step_size):
    """One proposal, accepted or not: the new position and the probability of acceptance."""
    momentum_key, length_key, accept_key = random.split(key, 3)
    p = random.normal(momentum_key, w.shape)
    jitter = random.uniform(length_key, minval=0.8, maxval=1.2)  # against resonance
    new_w, new_p = leapfrog(fungrad.grad(density), w, p, jitter * step_size)
    gain = density(new_w) - density(w) - 0.5 * (jnp.sum(new_p**2) - jnp.sum(p**2))
    probability = jnp.exp(jnp.minimum(gain, 0.0))
    return jnp.where(random.uniform(accept_key) < probability, new_w, w), probability


def chain(key, w, data, warm_up, draws):
    """Adapts the step size for ``warm_up`` transitions, then returns ``draws`` positions and probabilities."""

    def density(w):
        return log_density(w, *data)

    def adapting(state, i):
        key, w, log_step = state
        key, now = random.split(key)
        w, probability = transition(density, now, w, jnp.exp(log_step))
        return (key, w, log_step + (probability - TARGET) / (1.0 + i) ** 0.6), None

    def sampling(state, _):
        key, w, log_step = state
        key, now = random.split(key)
        w, probability = transition(density, now, w, jnp.exp(log_step))
        return (key, w, log_step), (w, probability)

    state, _ = lax.scan(adapting, (key, w, jnp.log(0.1)), jnp.arange(warm_up, dtype=jnp.float32))
    (_, _, log_step), (positions, probabilities) = lax.scan(sampling, state, None, length=draws)
    return positions, jnp.mean(probabilities), jnp.exp(log_step)


def sample(key, data, warm_up, draws):
    """All chains, from scattered starts: positions ``[chain, draw, coefficient]``."""
    start_key, key = random.split(key)
    starts = random.normal(start_key, (CHAINS, data[0].shape[1]))
    keys = random.split(key, CHAINS)
    return fungrad.vmap(lambda key, w: chain(key, w, data, warm_up, draws))(keys, starts)


# -- diagnostics ------------------------------------------------------------------------------------------------------


def r_hat(draws):
    """Gelman and Rubin's statistic of split chains, for every coefficient; near 1 where chains agree."""
    chains, n, _ = draws.shape
    halves = draws[:, : n // 2 * 2].reshape(2 * chains, n // 2, -1)
    within = halves.var(axis=1, ddof=1).mean(axis=0)
    between = halves.mean(axis=1).var(axis=0, ddof=1)
    return np.sqrt((n // 2 - 1) / (n // 2) + between / within)


def effective_size(draws):
    """Geyer's estimate of how many independent draws each coefficient is worth."""
    chains, n, _ = draws.shape
    centred = draws - draws.mean(axis=(0, 1))
    spectrum = np.fft.rfft(centred, 2 * n, axis=1)
    correlation = np.fft.irfft(np.abs(spectrum) ** 2, axis=1)[:, :n].mean(axis=0)
    correlation /= correlation[0]
    pairs = correlation[0 : n // 2 * 2 : 2] + correlation[1 : n // 2 * 2 : 2]
    positive = np.minimum.accumulate(pairs > 0, axis=0)  # up to the first pair that is not
    return chains * n / (2 * (pairs * positive).sum(axis=0) - 1)


def plot(draws, names, path):
    """Saves traces and histograms of three coefficients."""
    figure, axes = plt.subplots(3, 2, figsize=(9, 5), layout="constrained", width_ratios=(3, 1))
    for (trace, histogram), i in zip(axes, (1, 11, 21), strict=True):
        for c in range(CHAINS):
            trace.plot(draws[c, :, i], lw=0.4, alpha=0.7)
            histogram.hist(draws[c, :, i], bins=30, histtype="step", density=True)
        trace.set(title=names[i], xlim=(0, draws.shape[1]))
    axes[-1, 0].set_xlabel("draw")
    figure.savefig(path, dpi=80)
    print(f"traces: {path}")


def main():
    """Samples, diagnoses and predicts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--short", action="store_true", help="400 draws per chain")
    parser.add_argument("--plot", default="hmc_logistic.png", help="where to save the traces")
    args = parser.parse_args()
    draws = 400 if args.short else args.draws

    x_train, x_test, y_train, y_test = load_data()
    data = (jnp.asarray(x_train), jnp.asarray(y_train))
    run = fungrad.jit(sample, static_argnums=(2, 3))
    start = time.perf_counter()
    run(random.key(0), data, draws // 2, draws)
    middle = time.perf_counter()
    positions, acceptance, step_size = run(random.key(1), data, draws // 2, draws)
    end = time.perf_counter()

    positions = np.asarray(positions, np.float64)
    agreement, size = r_hat(positions), effective_size(positions)
    gradients = CHAINS * (draws + draws // 2) * (LEAPS + 2)
    logits = np.einsum("ij,cdj->cdi", x_test, positions)
    predicted = (1 / (1 + np.exp(-logits))).mean(axis=(0, 1))
    accuracy = np.mean((predicted > 0.5) == y_test)

    table = Table(title=f"{CHAINS} chains of {draws} draws, {positions.shape[2]} coefficients", show_header=False)
    for name, value in (
        ("first run, with compilation", f"{middle - start:.2f} s"),
        ("another key", f"{end - middle:.2f} s"),
        ("per gradient", f"{1e6 * (end - middle) / gradients:.2f} us"),
        ("step sizes", f"{step_size.min():.3f} to {step_size.max():.3f}"),
        ("acceptance", f"{100 * acceptance.mean():.0f} %"),
        ("largest R-hat", f"{agreement.max():.3f}"),
        ("least effective size", f"{size.min():.0f} of {CHAINS * draws}"),
        ("accuracy on unseen patients", f"{100 * accuracy:.1f} %"),
    ):
        table.add_row(name, value)
    Console(width=100).print(table)
    plot(positions, ["intercept", *load_breast_cancer().feature_names], args.plot)

    assert 0.6 < acceptance.mean() < 0.95, "the step size has not adapted"
    assert agreement.max() < 1.05, "the chains do not agree"
    assert accuracy > 0.95, "the classifier is worse than it should be"


if __name__ == "__main__":
    main()
