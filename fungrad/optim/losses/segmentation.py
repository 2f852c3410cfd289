"""Losses of segmentation: how little two regions overlap.

May import ``core``, ``numpy``, ``nn``, ``control`` and ``losses._arguments``.
"""

from __future__ import annotations

from typing import Any

import fungrad.numpy as jnp
from fungrad import nn
from fungrad.control.checkify import debug_check
from fungrad.core.array import Array
from fungrad.optim.losses._arguments import Axis, array, same_shape


def dice_loss(
    predictions: Any,
    targets: Any,
    *,
    class_weights: Any = None,
    smooth: Any = 1.0,
    alpha: Any = 0.5,
    beta: Any = 0.5,
    apply_softmax: bool = True,
    reduction: str = "mean",
    ignore_background: bool = False,
    axis: Axis = None,
) -> Array:
    """1 less the Tversky index of each class; with ``alpha = beta = 0.5`` the Dice (or F1) score.

    ``(overlap + smooth) / (overlap + alpha * too_much + beta * missed + smooth)``.

    References: Milletari et al., https://arxiv.org/abs/1606.04797; Salehi et al., https://arxiv.org/abs/1706.05721.

    Args:
      predictions: logits of shape ``[batch, ..., classes]``, or probabilities; the axis of classes may be missing in
        one of the arguments if there is one class.
      targets: one-hot classes, of the same shape.
      class_weights: a factor for each class.
      smooth: added above and below, against division by 0.
      alpha: weight of what was predicted and is not there.
      beta: weight of what is there and was not predicted.
      apply_softmax: make probabilities of logits (with a sigmoid if there is one class).
      reduction: ``"mean"`` or ``"sum"`` over classes, or ``"none"``.
      ignore_background: leave the first of several classes out.
      axis: dimensions that the pixels are in; default all but the first and last.

    Returns:
      The loss of each example, of shape ``[batch]``; of each class too with ``reduction="none"``.

    Raises:
      ValueError: shapes differ, there is no such reduction, or with ``apply_softmax=False`` predictions are no
        probabilities (also in a compiled function).

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> targets = jnp.array([[[1.0, 0.0], [0.0, 1.0]]])
      >>> optim.losses.dice_loss(100 * targets, targets)
      Array([0.], dtype=float32)
    """
    return _dice(
        "dice_loss", predictions, targets, class_weights, smooth, alpha, beta, apply_softmax, reduction,
        ignore_background, axis,
    )  # fmt: skip


def _dice(
    api: str, predictions: Any, targets: Any, class_weights: Any, smooth: Any, alpha: Any, beta: Any,
    apply_softmax: bool, reduction: str, ignore_background: bool, axis: Axis,
) -> Array:  # fmt: skip
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f"fungrad.optim.losses.{api}: reduction must be 'mean', 'sum' or 'none', got {reduction!r}")
    predictions, targets = array(api, "predictions", predictions), array(api, "targets", targets)
    if predictions.ndim == targets.ndim - 1:
        predictions = predictions[..., None]
    if targets.ndim == predictions.ndim - 1:
        targets = targets[..., None]
    same_shape(api, "targets", targets, "predictions", predictions)
    if not predictions.ndim:
        raise ValueError(f"fungrad.optim.losses.{api}: predictions must have an axis of classes, got a scalar")
    single = predictions.shape[-1] == 1
    if apply_softmax:
        probabilities = nn.sigmoid(predictions) if single else nn.softmax(predictions)
    else:
        probabilities = predictions
        _check_probabilities(api, probabilities, single)
    if axis is None:
        axis = tuple(range(1, probabilities.ndim - 1))
    overlap = jnp.sum(probabilities * targets, axis)
    too_much = jnp.sum(probabilities, axis) - overlap
    missed = jnp.sum(targets, axis) - overlap
    loss = 1.0 - (overlap + smooth) / (overlap + alpha * too_much + beta * missed + smooth)
    if class_weights is not None:
        class_weights = array(api, "class_weights", class_weights)
        if class_weights.ndim != 1:
            raise ValueError(
                f"fungrad.optim.losses.{api}: class_weights must have one dimension, got shape {class_weights.shape}"
            )
        loss = loss * class_weights
    if ignore_background and not single:
        loss = loss[..., 1:]
    if reduction == "none":
        return loss
    return jnp.mean(loss, -1) if reduction == "mean" else jnp.sum(loss, -1)


def _check_probabilities(api: str, probabilities: Array, single: bool) -> None:
    if single:
        ok = jnp.all((probabilities >= 0) & (probabilities <= 1))
        text = "predictions must be probabilities, from 0 to 1"
    else:
        ok = jnp.all(jnp.abs(jnp.sum(probabilities, -1) - 1) <= 2e-5)
        text = "predictions must be probabilities that add up to 1 over the classes"
    debug_check(ok, f"fungrad.optim.losses.{api}: without a softmax, {text}; they are logits if it is to be applied")


def multiclass_generalized_dice_loss(
    predictions: Any, targets: Any, *, smooth: Any = 1.0, apply_softmax: bool = True, ignore_background: bool = False
) -> Array:
    """Mean Dice loss with classes weighted by the inverse squares of their frequencies, so that rare ones count.

    Reference: Sudre et al., https://arxiv.org/abs/1707.03237.

    Args:
      predictions: logits of shape ``[batch, ..., classes]``, or probabilities.
      targets: one-hot classes, of the same shape.
      smooth: as for ``dice_loss``.
      apply_softmax: as for ``dice_loss``.
      ignore_background: as for ``dice_loss``.

    Returns:
      A scalar.

    Raises:
      ValueError: shapes differ, or predictions are no probabilities.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> targets = jnp.array([[[1.0, 0.0], [0.0, 1.0]]])
      >>> optim.losses.multiclass_generalized_dice_loss(100 * targets, targets)
      Array(0., dtype=float32)
    """
    api = "multiclass_generalized_dice_loss"
    predictions, targets = array(api, "predictions", predictions), array(api, "targets", targets)
    same_shape(api, "targets", targets, "predictions", predictions)
    frequencies = jnp.sum(targets, tuple(range(targets.ndim - 1)))
    weights = 1.0 / (jnp.square(frequencies) + 1e-7)
    weights = weights / jnp.sum(weights) * weights.shape[0]
    return jnp.mean(
        _dice(api, predictions, targets, weights, smooth, 0.5, 0.5, apply_softmax, "none", ignore_background, None)
    )


def binary_dice_loss(predictions: Any, targets: Any, *, smooth: Any = 1.0, apply_sigmoid: bool = True) -> Array:
    """Dice loss of one class.

    Args:
      predictions: logits of shape ``[batch, ...]`` or ``[batch, ..., 1]``, or probabilities.
      targets: 0 and 1, of the same shape.
      smooth: as for ``dice_loss``.
      apply_sigmoid: make probabilities of logits.

    Returns:
      The loss of each example, of shape ``[batch]``.

    Raises:
      ValueError: shapes differ, or predictions are no probabilities.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> optim.losses.binary_dice_loss(jnp.array([[0.5, 0.5]]), jnp.array([[1.0, 0.0]]), apply_sigmoid=False)
      Array([0.25], dtype=float32)
    """
    api = "binary_dice_loss"
    predictions, targets = array(api, "predictions", predictions), array(api, "targets", targets)
    if predictions.ndim == targets.ndim and predictions.shape[-1:] != (1,):
        predictions, targets = predictions[..., None], targets[..., None]
    return _dice(api, predictions, targets, None, smooth, 0.5, 0.5, apply_sigmoid, "mean", False, None)
