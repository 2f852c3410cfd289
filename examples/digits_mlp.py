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
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from tqdm import tqdm

import fungrad
import fungrad.numpy as jnp
from fungrad import nn, optim, random

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
        {"w": init(k, (n_in, n_out), jnp.float32), "b": jnp.zeros(n_out)}
        for k, n_in, n_out in zip(keys, sizes[:-1], sizes[1:], strict=True)
    ]


def predict(params, x):
    """Log-probabilities of the ten digits, for a batch of images ``[batch, 64]``."""
    *hidden, last = params
    for layer in hidden:
        x = nn.relu(x @ layer["w"] + layer["b"])
    return nn.log_softmax(x @ last["w"] + last["b"])


def loss_fn(params, x, y):
    """Mean cross-entropy."""
    return -jnp.mean(jnp.sum(predict(params, x) * nn.one_hot(y, 10), axis=1))


def accuracy(params, x, y):
    """Fraction of images whose likeliest digit is right."""
    return jnp.mean(jnp.argmax(predict(params, x), axis=1) == y)


opt = optim.adamw(learning_rate=lambda step: 3e-3 * 0.998**step, weight_decay=1e-3)


def train_step(params, opt_state, x, y):
    """One step of AdamW: new parameters, new optimizer state, loss."""
    loss, grads = fungrad.value_and_grad(loss_fn)(params, x, y)
    updates, opt_state = opt.update(grads, opt_state, params)
    return optim.apply_updates(params, updates), opt_state, loss


# -- the experiment -----------------------------------------------------------------------------------------------


class Run(NamedTuple):
    """What one training run measured."""

    name: str
    first_call: float
    step_time: float
    losses: list
    test_accuracy: list
    params: Any


def load_data():
    """Digits as float32 in [0, 1], split into training and test sets."""
    x, y = load_digits(return_X_y=True)
    x = (x / 16.0).astype(np.float32)
    return train_test_split(x, y.astype(np.int32), test_size=0.2, random_state=0, stratify=y)


def train(name, step, epochs, data):
    """Trains from the same start and on the same batches whatever ``step`` is."""
    x_train, x_test, y_train, y_test = data
    params = init_params(random.key(0))
    opt_state = opt.init(params)
    order = np.random.default_rng(0)
    n_batches = len(x_train) // BATCH
    batches = None
    losses, test_accuracy, times = [], [], []
    bar = tqdm(range(epochs), desc=f"{name:>5}", unit="epoch")
    for _ in bar:
        shuffled = order.permutation(len(x_train))[: n_batches * BATCH].reshape(n_batches, BATCH)
        batches = [(jnp.asarray(x_train[rows]), jnp.asarray(y_train[rows])) for rows in shuffled]
        epoch_loss = 0.0
        for x, y in batches:
            start = time.perf_counter()
            params, opt_state, loss = step(params, opt_state, x, y)
            loss.block_until_ready()
            times.append(time.perf_counter() - start)
            epoch_loss += float(loss)
        losses.append(epoch_loss / n_batches)
        test_accuracy.append(float(accuracy(params, x_test, y_test)))
        bar.set_postfix(loss=f"{losses[-1]:.4f}", test=f"{test_accuracy[-1]:.3f}")
    return Run(name, times[0], float(np.median(times[1:])), losses, test_accuracy, params)


def report(eager, jitted):
    """Prints the comparison."""
    table = Table(title="One training step of a 64-128-64-10 network, batch 64, AdamW")
    for column in ("", "first call", "step (median)", "speed-up", "final loss", "test accuracy"):
        table.add_column(column, justify="right")
    for run in (eager, jitted):
        table.add_row(
            run.name,
            f"{1e3 * run.first_call:.1f} ms",
            f"{1e6 * run.step_time:.0f} us",
            f"{eager.step_time / run.step_time:.1f}x",
            f"{run.losses[-1]:.6f}",
            f"{100 * run.test_accuracy[-1]:.1f} %",
        )
    Console(width=100).print(table)


def plot(eager, jitted, path):
    """Saves the learning curves of both runs."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
    for run, style in ((eager, "-"), (jitted, "--")):
        epochs = range(1, len(run.losses) + 1)
        left.semilogy(epochs, run.losses, style, label=run.name)
        right.plot(epochs, [100 * a for a in run.test_accuracy], style, label=run.name)
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

    data = load_data()
    eager = train("eager", train_step, epochs, data)
    jitted = train("jit", fungrad.jit(train_step), epochs, data)
    report(eager, jitted)
    plot(eager, jitted, args.plot)

    np.testing.assert_allclose(eager.losses[-1], jitted.losses[-1], rtol=0.05, atol=1e-4)
    if jitted.test_accuracy[-1] < 0.97:
        raise SystemExit(f"test accuracy {jitted.test_accuracy[-1]:.3f} is below 0.97")


if __name__ == "__main__":
    main()
