"""Trains a multi-layer perceptron on scikit-learn's handwritten digits, eagerly and compiled.

The model is a pure function of a tree of parameters; the training step is one pure function that is run as it is
(operation by operation) and through ``fungrad.jit``. Both learn the same thing; the table shows what compiling changes.

    python examples/digits_mlp.py            # 60 epochs, about ten seconds
    python examples/digits_mlp.py --short    # 15 epochs

It writes the learning curves to ``digits_mlp.png``.
"""

from __future__ import annotations

import argparse
import time
from typing import Any, NamedTuple

import matplotlib
import numpy as np
from rich.console import Console
from rich.table import Table

import fungrad
import fungrad.numpy as jnp
from fungrad import data, nn, optim, random, train

matplotlib.use("Agg")
import matplotlib.pyplot as plt

BATCH = 64
LAYERS = (64, 128, 64, 10)


# -- the model: pure functions ------------------------------------------------------------------------------------


def init_params(key, sizes=LAYERS):
    """A list of layers, each a dict of weights and biases."""
    keys = random.split(key, len(sizes) - 1)
    init = nn.initializers.he_normal()
    return [
        nn.dense.init(k, n_in, n_out, kernel_init=init)
        for k, n_in, n_out in zip(keys, sizes[:-1], sizes[1:], strict=True)
    ]


def predict(params, x):
    """Scores of the ten digits, for a batch of images ``[batch, 64]``."""
    *hidden, last = params
    for layer in hidden:
        x = nn.relu(nn.dense.apply(layer, x))
    return nn.dense.apply(last, x)


def loss_fn(params, x, y):
    """Mean cross-entropy."""
    return jnp.mean(optim.softmax_cross_entropy_with_integer_labels(predict(params, x), y))


def accuracy(params, x, y):
    """Fraction of images whose likeliest digit is right."""
    return jnp.mean(jnp.argmax(predict(params, x), axis=1) == y)


opt = optim.adamw(learning_rate=lambda step: 3e-3 * 0.998**step, weight_decay=1e-3)


def train_step(state, batch):
    """One step of AdamW: new parameters and optimizer state, and the loss."""
    params, opt_state = state
    loss, grads = fungrad.value_and_grad(loss_fn)(params, *batch)
    updates, opt_state = opt.update(grads, opt_state, params)
    return (optim.apply_updates(params, updates), opt_state), loss


# -- the experiment -----------------------------------------------------------------------------------------------


class Run(NamedTuple):
    """What one training run measured."""

    name: str
    first_call: float
    step_time: float
    losses: Any
    test_accuracy: Any


def load_data():
    """Digits in [0, 1], split into training and test sets."""
    x, y = data.sklearn("digits")
    return data.split(random.key(0), (x / 16, y), (0.8, 0.2), stratify=y)


def run(name, step, epochs, training, test):
    """Trains from the same start and on the same batches whatever ``step`` is."""
    times = []

    def timed(state, batch):
        start = time.perf_counter()
        out = step(state, batch)
        times.append(time.perf_counter() - start)
        return out

    params = init_params(random.key(0))
    batches = data.batches(random.key(1), training, BATCH, epochs=epochs)
    print(f"{name}: {len(batches)} steps")
    fit = train.fit(timed, (params, opt.init(params)), batches, evaluate=lambda s: {"accuracy": accuracy(s[0], *test)})
    return Run(name, times[0], float(np.median(times[1:])), fit.history["loss"], fit.history["accuracy"])


def report(eager, jitted):
    """Prints the comparison."""
    table = Table(title="One training step of a 64-128-64-10 network, batch 64, AdamW")
    for column in ("", "first call", "step (median)", "speed-up", "final loss", "test accuracy"):
        table.add_column(column, justify="right")
    for measured in (eager, jitted):
        table.add_row(
            measured.name,
            f"{1e3 * measured.first_call:.1f} ms",
            f"{1e6 * measured.step_time:.0f} us",
            f"{eager.step_time / measured.step_time:.1f}x",
            f"{measured.losses[-1]:.6f}",
            f"{100 * measured.test_accuracy[-1]:.1f} %",
        )
    Console(width=100).print(table)


def plot(eager, jitted, path):
    """Saves the learning curves of both runs."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
    for measured, style in ((eager, "-"), (jitted, "--")):
        epochs = range(1, len(measured.losses) + 1)
        left.semilogy(epochs, measured.losses, style, label=measured.name)
        right.plot(epochs, 100 * measured.test_accuracy, style, label=measured.name)
    left.set(xlabel="epoch", ylabel="training loss", title="Cross-entropy")
    right.set(xlabel="epoch", ylabel="test accuracy [%]", title="Accuracy on unseen digits", ylim=(85, 100))
    for axis in (left, right):
        axis.grid(alpha=0.3)
        axis.legend()
    figure.savefig(path, dpi=120)
    print(f"learning curves: {path}")


def main():
    """Runs the experiment and checks its claims."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--short", action="store_true", help="15 epochs")
    parser.add_argument("--plot", default="digits_mlp.png", help="where to save the learning curves")
    args = parser.parse_args()
    epochs = 15 if args.short else args.epochs

    training, test = load_data()
    eager = run("eager", train_step, epochs, training, test)
    jitted = run("jit", fungrad.jit(train_step), epochs, training, test)
    report(eager, jitted)
    plot(eager, jitted, args.plot)

    np.testing.assert_allclose(eager.losses[-1], jitted.losses[-1], rtol=0.05, atol=1e-4)
    if jitted.test_accuracy[-1] < 0.97:
        raise SystemExit(f"test accuracy {jitted.test_accuracy[-1]:.3f} is below 0.97")


if __name__ == "__main__":
    main()
