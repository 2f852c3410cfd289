"""A differential equation fitted to data by gradient through its solver.

The pelts of hares and lynxes that the Hudson's Bay Company bought each year follow the cycles of predator and prey.
Lotka and Volterra's equations, a Runge-Kutta solver in ``lax.scan``, and the squared error of the logarithms make a
function of six parameters, which is as differentiable as any. The whole fit, two thousand steps of Adam with the
gradient through four hundred steps of the solver in each, is one compiled loop; the curvature at its end, through the
same solver, gives standard errors.

    python examples/ode_fit.py

What to look at: ``solve`` is written without a thought of derivatives; ``fit`` differentiates it, ``hessian`` twice.
"""

from __future__ import annotations

import argparse
import time

import matplotlib
import numpy as np
from rich.console import Console
from rich.table import Table

import fungrad
import fungrad.numpy as jnp
from fungrad import lax, optim

matplotlib.use("Agg")
import matplotlib.pyplot as plt

# Thousands of pelts, 1900 to 1920. C. G. Hewitt, The Conservation of the Wild Life of Canada, New York 1921.
YEARS = np.arange(1900, 1921)
HARES = "30 47.2 70.2 77.4 36.3 20.6 18.1 21.4 22 25.4 27.1 40.3 57 76.6 52.3 19.5 11.2 7.6 14.6 16.2 24.7"
LYNXES = "4 6.1 9.8 35.2 59.4 41.7 19 13 8.3 9.1 7.4 8 12.3 19.5 45.7 51.1 29.7 15.8 9.7 10.1 8.6"
DATA = np.array([HARES.split(), LYNXES.split()], np.float32).T
STEPS_PER_YEAR = 20
NAMES = ("births of hares", "hares caught", "deaths of lynxes", "lynxes fed", "hares in 1900", "lynxes in 1900")
GUESS = np.log(np.array([0.5, 0.025, 0.7, 0.025, 30.0, 4.0], np.float32))


def rate(populations, p):
    """Lotka and Volterra's equations: changes of hares and lynxes per year."""
    hares, lynxes = populations
    return jnp.stack([hares * (p[0] - p[1] * lynxes), lynxes * (p[3] * hares - p[2])])


def solve(log_p, years):
    """Populations ``[years * STEPS_PER_YEAR, 2]`` from 1900 on, by the classic Runge-Kutta method."""
    p = jnp.exp(log_p)  # positive by construction
    h = 1.0 / STEPS_PER_YEAR

    def step(y, _):
        k1 = rate(y, p)
        k2 = rate(y + h / 2 * k1, p)
        k3 = rate(y + h / 2 * k2, p)
        k4 = rate(y + h * k3, p)
        return y + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4), y

    return lax.scan(step, p[4:], None, length=years * STEPS_PER_YEAR)[1]


def loss(log_p):
    """Mean squared error of the logarithms at the beginning of each year."""
    populations = solve(log_p, len(DATA))[::STEPS_PER_YEAR]
    return jnp.mean((jnp.log(populations) - jnp.log(DATA)) ** 2)


def fit(log_p, steps):
    """Adam from a guess; returns the parameters and the loss of every step."""
    opt = optim.adam(0.02)

    def step(state, _):
        log_p, opt_state = state
        value, slope = fungrad.value_and_grad(loss)(log_p)
        updates, opt_state = opt.update(slope, opt_state, log_p)
        return (optim.apply_updates(log_p, updates), opt_state), value

    (log_p, _), losses = lax.scan(step, (log_p, opt.init(log_p)), None, length=steps)
    return log_p, losses


def standard_errors(log_p):
    """Of the logarithms, from the curvature of the log-likelihood at its maximum (normal errors)."""
    scale = 2 * loss(log_p) / DATA.size
    return np.sqrt(np.diag(np.linalg.inv(np.asarray(fungrad.jit(fungrad.hessian(loss))(log_p) / scale, np.float64))))


def report(log_p, errors):
    """Prints the estimates."""
    table = Table(title="Lotka-Volterra parameters")
    for column in ("", "estimate", "standard error"):
        table.add_column(column, justify="right")
    for name, value, error in zip(NAMES, np.exp(log_p), errors, strict=True):
        table.add_row(name, f"{value:.3g}", f"{100 * error:.0f} %")
    Console(width=100).print(table)


def plot(log_p, path):
    """Saves data and fit."""
    curve = solve(log_p, 26)  # some years more than there are data
    figure, axis = plt.subplots(figsize=(8, 3.4), layout="constrained")
    for i, name in enumerate(("hares", "lynxes")):
        axis.plot(1900 + np.arange(len(curve)) / STEPS_PER_YEAR, curve[:, i], color=f"C{i}", label=f"{name}, fitted")
        axis.plot(YEARS, DATA[:, i], "o", color=f"C{i}", label=f"{name}, pelts")
    axis.axvspan(1920, 1926, color="gray", alpha=0.1, label="forecast")
    axis.set(xlabel="year", ylabel="thousands", title="Hares and lynxes of the Hudson's Bay Company", xlim=(1899, 1926))
    axis.grid(alpha=0.3)
    axis.legend(ncols=3, fontsize=8)
    figure.savefig(path, dpi=120)
    print(f"data and fit: {path}")


def main():
    """Fits, reports and checks."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--short", action="store_true", help="500 steps of Adam")
    parser.add_argument("--plot", default="ode_fit.png", help="where to save the picture")
    args = parser.parse_args()
    steps = 500 if args.short else args.steps

    compiled = fungrad.jit(fit, static_argnums=1)
    start = time.perf_counter()
    compiled(GUESS, steps)
    middle = time.perf_counter()
    log_p, losses = compiled(GUESS, steps)
    end = time.perf_counter()
    print(
        f"{steps} steps of Adam: {1e3 * (end - middle):.0f} ms (with compilation {1e3 * (middle - start):.0f} ms);",
        end=" ",
    )
    print(f"loss {losses[0]:.3f} -> {losses[-1]:.4f}")
    report(log_p, standard_errors(log_p))
    plot(log_p, args.plot)

    assert losses[-1] < 0.08, "the fit has not converged"
    assert np.all(np.abs(log_p[:4] - np.log([0.55, 0.028, 0.8, 0.024])) < 0.15), "published estimates are near"


if __name__ == "__main__":
    main()
