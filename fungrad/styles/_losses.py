"""Losses of Keras, as functions of arrays: one number for each example.

May import ``fungrad``'s public modules.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import fungrad.numpy as jnp
from fungrad import nn, optim


def _crossentropy(y_true: Any, y_pred: Any, from_logits: bool = False) -> Any:
    if from_logits:
        return optim.softmax_cross_entropy(y_pred, y_true)
    p = y_pred / jnp.sum(y_pred, axis=-1, keepdims=True)
    return -jnp.sum(y_true * jnp.log(jnp.clip(p, 1e-7, 1 - 1e-7)), axis=-1)


def _sparse_crossentropy(y_true: Any, y_pred: Any, from_logits: bool = False) -> Any:
    labels = y_true.astype(jnp.int32)
    labels = labels[..., 0] if labels.ndim == y_pred.ndim else labels
    if from_logits:
        return optim.softmax_cross_entropy_with_integer_labels(y_pred, labels)
    return _crossentropy(nn.one_hot(labels, y_pred.shape[-1]), y_pred)


def _binary_crossentropy(y_true: Any, y_pred: Any, from_logits: bool = False) -> Any:
    if from_logits:
        return jnp.mean(optim.sigmoid_binary_cross_entropy(y_pred, y_true), axis=-1)
    p = jnp.clip(y_pred, 1e-7, 1 - 1e-7)
    return -jnp.mean(y_true * jnp.log(p) + (1 - y_true) * jnp.log(1 - p), axis=-1)


LOSSES: dict[str, Callable] = {
    "mean_squared_error": lambda y_true, y_pred: jnp.mean(jnp.square(y_pred - y_true), axis=-1),
    "mean_absolute_error": lambda y_true, y_pred: jnp.mean(jnp.abs(y_pred - y_true), axis=-1),
    "categorical_crossentropy": _crossentropy,
    "sparse_categorical_crossentropy": _sparse_crossentropy,
    "binary_crossentropy": _binary_crossentropy,
    "kl_divergence": lambda y_true, y_pred: jnp.sum(
        jnp.clip(y_true, 1e-7, 1) * jnp.log(jnp.clip(y_true, 1e-7, 1) / jnp.clip(y_pred, 1e-7, 1)), axis=-1
    ),
}
