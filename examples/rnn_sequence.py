"""A recurrent network that reads Python's own documentation, character by character.

Every installation of Python carries the text behind ``help("for")``: half a million characters of real prose and code
in ``pydoc_data.topics``. A long short-term memory learns to predict the next character. The network is a step
function; ``lax.scan`` runs it over a sequence, ``grad`` differentiates through the loop, and ``jit`` makes one native
program of the training step and another of the loop that writes new text.

    python examples/rnn_sequence.py            # about a minute
    python examples/rnn_sequence.py --short    # some seconds

What to look at: ``cell`` knows nothing of sequences, and ``write`` draws its random numbers inside the compiled loop.
"""

from __future__ import annotations

import argparse
import time
from pydoc_data.topics import topics

import matplotlib
import numpy as np
from rich.console import Console
from rich.table import Table

import fungrad
import fungrad.numpy as jnp
from fungrad import lax, nn, optim, random, train

matplotlib.use("Agg")
import matplotlib.pyplot as plt

WIDTH, HIDDEN, LENGTH, BATCH = 64, 128, 64, 32


# -- the data ---------------------------------------------------------------------------------------------------------


def load_text():
    """All topics as integers, and the characters they stand for; rare characters are left out."""
    text = "\n\n".join(topics[name] for name in sorted(topics))
    characters = np.array(list(text))
    symbols, numbers, counts = np.unique(characters, return_inverse=True, return_counts=True)
    common = counts >= 20
    return (np.cumsum(common) - 1)[numbers[common[numbers]]].astype(np.int32), symbols[common]


def batches(text, key):
    """Sequences from random places, without end: one character longer than the network reads."""
    rng = np.random.default_rng(key)
    while True:
        starts = rng.integers(0, len(text) - LENGTH - 1, BATCH)
        yield jnp.asarray(text[starts[:, None] + np.arange(LENGTH + 1)].T)  # [time, batch]


# -- the network: pure functions --------------------------------------------------------------------------------------


def init_params(key, symbols):
    """A vector for each symbol, the cells that read them, and the layer that guesses the next."""
    keys = random.split(key, 3)
    return {
        "symbols": nn.embedding.init(keys[0], symbols, WIDTH),
        "cells": nn.lstm.init(keys[1], WIDTH, HIDDEN),
        "out": nn.dense.init(keys[2], HIDDEN, symbols),
    }


def cell(params, state, symbol):
    """Long short-term memory: one step, for one symbol or a batch of them."""
    return nn.lstm.step(params["cells"], state, nn.embedding.apply(params["symbols"], symbol))


def empty_state(*batch):
    """Where every sequence starts."""
    return jnp.zeros((*batch, HIDDEN)), jnp.zeros((*batch, HIDDEN))


def predict(params, symbols):
    """Log-probabilities of the next symbol at every place: ``[time, batch]`` to ``[time, batch, symbol]``."""
    _, h = lax.scan(lambda state, s: cell(params, state, s), empty_state(symbols.shape[1]), symbols)
    return nn.log_softmax(nn.dense.apply(params["out"], h))


def bits(params, text):
    """Bits per character, and the fraction of characters that were guessed."""
    logs = predict(params, text[:-1])
    loss = -jnp.mean(jnp.take_along_axis(logs, text[1:, :, None], axis=-1)) / jnp.log(2.0)
    return loss, jnp.mean(jnp.argmax(logs, axis=-1) == text[1:])


opt = optim.adam(learning_rate=lambda step: 5e-3 / (1.0 + step / 1000.0))


def train_step(state, text):
    """One step of Adam."""
    params, opt_state = state
    (loss, _), grads = fungrad.value_and_grad(bits, has_aux=True)(params, text)
    updates, opt_state = opt.update(grads, opt_state, params)
    return (optim.apply_updates(params, updates), opt_state), loss


def write(params, key, first, length):
    """Continues after the symbol ``first``, drawing every symbol from the predicted distribution."""

    def step(carry, _):
        key, state, symbol = carry
        key, now = random.split(key)
        state, h = cell(params, state, symbol)
        symbol = random.categorical(now, nn.dense.apply(params["out"], h) / 0.7)
        return (key, state, symbol), symbol

    return lax.scan(step, (key, empty_state(), first), None, length=length)[1]


# -- the experiment ---------------------------------------------------------------------------------------------------


def counting_bits(known, test, symbols, order):
    """Bits per character of counts of ``order`` preceding characters: what memory alone achieves."""
    context = lambda text: sum(text[i : len(text) - order + i] * symbols ** (order - 1 - i) for i in range(order))  # noqa: E731
    counts = np.zeros((symbols**order, symbols), np.float32)
    np.add.at(counts, (context(known.astype(np.int64)), known[order:]), 1.0)
    place = context(test.astype(np.int64)), test[order:]
    return -np.mean(np.log2((counts[place] + 0.1) / (counts.sum(axis=1) + 0.1 * symbols)[place[0]]))


def run(step, params, text, steps, name):
    """Returns the parameters, the losses, the first call's time, and the median of the others'."""
    times = []

    def timed(state, batch):
        start = time.perf_counter()
        out = step(state, batch)
        times.append(time.perf_counter() - start)
        return out

    print(f"{name}: {steps} steps")
    fit = train.fit(timed, (params, opt.init(params)), batches(text, 0), steps=steps, every=1)
    return fit.state[0], fit.history["loss"], times[0], float(np.median(times[1:]))


def plot(losses, baselines, path):
    """Saves the learning curve."""
    figure, axis = plt.subplots(figsize=(8, 3.2), layout="constrained")
    window = min(25, len(losses))
    axis.plot(np.convolve(losses, np.ones(window) / window, "valid"), label="network, training")
    for i, (name, value) in enumerate(baselines.items()):
        axis.axhline(value, ls="--", color=f"C{i + 1}", label=name)
    axis.set(xlabel="step", ylabel="bits per character", title="Predicting Python's documentation")
    axis.grid(alpha=0.3)
    axis.legend()
    figure.savefig(path, dpi=120)
    print(f"learning curve: {path}")


def main():
    """Trains, compares and writes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--short", action="store_true", help="200 steps")
    parser.add_argument("--plot", default="rnn_sequence.png", help="where to save the learning curve")
    args = parser.parse_args()
    steps = 200 if args.short else args.steps

    text, symbols = load_text()
    split = len(text) * 9 // 10
    params = init_params(random.key(0), len(symbols))
    _, eager_losses, *eager = run(train_step, params, text[:split], 4, "eager")
    params, losses, *jitted = run(fungrad.jit(train_step), params, text[:split], steps, "jit")

    table = Table(title=f"One training step: {HIDDEN} units, {LENGTH} characters, batch {BATCH}")
    for column in ("", "first call", "step (median)"):
        table.add_column(column, justify="right")
    for name, (first, median) in (("eager", eager), ("jit", jitted)):
        table.add_row(name, f"{1e3 * first:.0f} ms", f"{1e3 * median:.1f} ms")
    Console(width=100).print(table)

    unseen = text[split:]
    windows = unseen[: (len(unseen) - 1) // LENGTH * LENGTH].reshape(-1, LENGTH).T
    loss, accuracy = fungrad.jit(bits)(params, jnp.asarray(windows))
    names = ("frequencies", "one character back", "two characters back")
    baselines = {name: counting_bits(text[:split], unseen, len(symbols), i) for i, name in enumerate(names)}
    print(f"Unseen text: {loss:.2f} bits per character, {100 * accuracy:.0f} % of characters guessed; counts reach")
    print(", ".join(f"{value:.2f} ({name})" for name, value in baselines.items()))
    plot(losses, baselines, args.plot)

    start = jnp.asarray(np.searchsorted(symbols, "\n"), jnp.int32)
    written = fungrad.jit(write, static_argnums=3)(params, random.key(1), start, 400)
    print("\nWhat the network writes:\n" + "".join(symbols[np.asarray(written)]))

    np.testing.assert_allclose(eager_losses, losses[:4], rtol=1e-3)
    assert loss < baselines["frequencies"] - (1.0 if args.short else 2.0), "the network has not learnt"


if __name__ == "__main__":
    main()
