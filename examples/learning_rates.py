"""Twenty-four learning rates at once: training is a function of the rate, so ``vmap`` maps it like any other.

``train`` is a whole training run of a small network on scikit-learn's digits, a loop of Adam steps written with
``scan``.  ``jit(vmap(train))`` makes one native program of all runs: parameters, moments and gradients have one more
axis, and the batches, which all runs share, are drawn once.

    python examples/learning_rates.py            # 600 steps for each of 24 rates
    python examples/learning_rates.py --short    # 100 steps

What to look at: the table of both ways, and the picture: where learning is too slow, and where it breaks.
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
from fungrad import data, lax, nn, optim, random

matplotlib.use("Agg")
import matplotlib.pyplot as plt

RATES = np.logspace(-4.5, 0.5, 24).astype(np.float32)
LAYERS = (64, 32, 10)
BATCH = 64


def init_params(key):
    """The parameters of all layers."""
    keys = random.split(key, len(LAYERS) - 1)
    return [nn.dense.init(k, *sizes) for k, sizes in zip(keys, zip(LAYERS, LAYERS[1:], strict=False), strict=True)]


def predict(params, x):
    """Scores of the ten digits."""
    *hidden, last = params
    for layer in hidden:
        x = nn.relu(nn.dense.apply(layer, x))
    return nn.dense.apply(last, x)


def loss_fn(params, x, y):
    """Mean cross-entropy."""
    return jnp.mean(optim.softmax_cross_entropy_with_integer_labels(predict(params, x), y))


def train(rate, key, training, test, steps):
    """A run with one learning rate: its losses, and its accuracy on unseen digits."""
    x, y = training
    opt = optim.adam(rate)
    start, key = random.split(key)
    params = init_params(start)

    def step(state, key):
        params, opt_state = state
        rows = random.randint(key, (BATCH,), 0, len(y))
        loss, gradient = fungrad.value_and_grad(loss_fn)(params, x[rows], y[rows])
        updates, opt_state = opt.update(gradient, opt_state, params)
        return (optim.apply_updates(params, updates), opt_state), loss

    (params, _), losses = lax.scan(step, (params, opt.init(params)), random.split(key, steps))
    return losses, jnp.mean(jnp.argmax(predict(params, test[0]), 1) == test[1])


def load_data():
    """Digits in [0, 1], for training and for tests."""
    x, y = data.sklearn("digits")
    return data.split(random.key(0), (x / 16, y), (0.8, 0.2), stratify=y)


def timed(f, *args):
    """The result, and the seconds of a second call."""
    f(*args)
    start = time.perf_counter()
    out = f(*args)
    return out, time.perf_counter() - start


def plot(losses, accuracy, path):
    """Saves all learning curves, and what came of each rate."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    colours = plt.get_cmap("viridis")(np.linspace(0, 0.95, len(RATES)))
    window = max(1, losses.shape[1] // 30)
    for curve, colour in zip(losses, colours, strict=True):
        smooth = np.convolve(np.minimum(curve, 1e3), np.ones(window) / window, "valid")
        left.plot(np.arange(window - 1, len(curve)) + 1, smooth, color=colour, linewidth=1)
    left.set(xlabel="step", ylabel="loss", yscale="log", ylim=(1e-3, 30), title=f"{len(RATES)} runs in one program")
    right.semilogx(RATES, 100 * accuracy, color="0.75", zorder=1)
    right.scatter(RATES, 100 * accuracy, c=colours, zorder=2)
    best = int(np.argmax(accuracy))
    right.annotate(f"{RATES[best]:.1g}", (RATES[best], 100 * accuracy[best]), (0, -16), textcoords="offset points")
    right.set(xlabel="learning rate of Adam", ylabel="test accuracy [%]", title="Accuracy on unseen digits")
    for axis in (left, right):
        axis.grid(alpha=0.3)
    figure.savefig(path, dpi=120)
    print(f"learning curves: {path}")


def main():
    """Trains with all rates, in one program and one after the other."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--short", action="store_true", help="100 steps")
    parser.add_argument("--plot", default="learning_rates.png", help="where to save the picture")
    args = parser.parse_args()
    steps = 100 if args.short else 600

    training, test = load_data()
    key = random.key(1)
    single = fungrad.jit(lambda rate: train(rate, key, training, test, steps))
    together = fungrad.jit(fungrad.vmap(single))
    (losses, accuracy), in_one = timed(together, jnp.asarray(RATES))
    separate, one_by_one = timed(lambda: [single(jnp.asarray(rate)) for rate in RATES])

    table = Table(title=f"{len(RATES)} learning rates, {steps} steps of Adam each")
    for column in ("", "time", "steps per second"):
        table.add_column(column, justify="right")
    for name, seconds in (("one after the other", one_by_one), ("in one program", in_one)):
        table.add_row(name, f"{seconds:.2f} s", f"{len(RATES) * steps / seconds:,.0f}")
    Console(width=100).print(table)
    plot(np.asarray(losses), np.asarray(accuracy), args.plot)

    # The same runs: at first rounding has not parted them, and where learning works it does not matter.
    np.testing.assert_allclose(losses[:, :5], np.stack([run[0][:5] for run in separate]), rtol=1e-2)
    best = float(np.max(accuracy))
    print(f"best rate {RATES[int(np.argmax(accuracy))]:.2g}: {100 * best:.1f} % of the unseen digits")
    if best < (0.9 if args.short else 0.95):
        raise SystemExit(f"the best accuracy, {best:.3f}, is too low")


if __name__ == "__main__":
    main()
