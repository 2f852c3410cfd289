"""Trains a small convolutional network on scikit-learn's handwritten digits.

Two convolutions with pooling and a dense layer: 6,090 parameters, a third of those of ``digits_mlp.py``.

    python examples/digits_cnn.py            # 20 epochs, some seconds
    python examples/digits_cnn.py --short    # 8 epochs
"""

from __future__ import annotations

import argparse

import fungrad
import fungrad.numpy as jnp
from fungrad import data, nn, optim, random, train


def init_params(key):
    """Two convolutions and a dense layer."""
    first, second, last = random.split(key, 3)
    he = nn.initializers.he_normal()
    return {
        "first": nn.conv.init(first, 1, 16, (3, 3), kernel_init=he),
        "second": nn.conv.init(second, 16, 32, (3, 3), kernel_init=he),
        "out": nn.dense.init(last, 2 * 2 * 32, 10),
    }


def predict(params, x):
    """Scores of the ten digits, for a batch of images ``[batch, 8, 8, 1]``."""
    x = nn.max_pool(nn.relu(nn.conv.apply(params["first"], x)), (2, 2), (2, 2))
    x = nn.max_pool(nn.relu(nn.conv.apply(params["second"], x)), (2, 2), (2, 2))
    return nn.dense.apply(params["out"], x.reshape(len(x), -1))


def loss_fn(params, x, y):
    """Mean cross-entropy."""
    return jnp.mean(optim.softmax_cross_entropy_with_integer_labels(predict(params, x), y))


opt = optim.adamw(2e-3, weight_decay=1e-3)


@fungrad.jit
def train_step(state, batch):
    """One step of AdamW: new parameters and optimizer state, and the loss."""
    params, opt_state = state
    loss, grads = fungrad.value_and_grad(loss_fn)(params, *batch)
    updates, opt_state = opt.update(grads, opt_state, params)
    return (optim.apply_updates(params, updates), opt_state), loss


@fungrad.jit
def accuracy(params, x, y):
    """Fraction of images whose likeliest digit is right."""
    return jnp.mean(jnp.argmax(predict(params, x), axis=1) == y)


def load_data():
    """Digits in [0, 1] as images, split into training and test sets."""
    x, y = data.sklearn("digits")
    return data.split(random.key(0), (x.reshape(-1, 8, 8, 1) / 16, y), (0.8, 0.2), stratify=y)


def main():
    """Trains, and checks what has been learnt."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--short", action="store_true", help="8 epochs")
    args = parser.parse_args()
    training, test = load_data()
    params = init_params(random.key(0))
    print(nn.summary(params))
    batches = data.batches(random.key(1), training, 64, epochs=8 if args.short else 20)
    fit = train.fit(
        train_step, (params, opt.init(params)), batches, evaluate=lambda s: {"accuracy": accuracy(s[0], *test)}
    )
    reached = fit.history["accuracy"][-1]
    print(f"test accuracy: {100 * reached:.1f} %")
    if reached < 0.95:
        raise SystemExit(f"test accuracy {reached:.3f} is below 0.95")


if __name__ == "__main__":
    main()
