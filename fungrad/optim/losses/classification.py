"""Losses of classification.

May import ``core``, ``numpy``, ``nn``, ``transforms``, ``optim.projections`` and ``losses._arguments``.
"""

from __future__ import annotations

from typing import Any

import fungrad.numpy as jnp
from fungrad import nn
from fungrad.core.array import Array
from fungrad.optim.losses._arguments import (
    Axis,
    array,
    chosen,
    dimensions,
    floating,
    integral,
    mask,
    same_shape,
)
from fungrad.optim.projections import unit_simplex
from fungrad.transforms.custom_rules import custom_jvp

# -- two classes -------------------------------------------------------------------------------------------------------


def sigmoid_binary_cross_entropy(logits: Any, labels: Any) -> Array:
    """Cross-entropy of independent yes-no questions: ``-labels * log(p) - (1 - labels) * log(1 - p)``, p the sigmoid.

    Args:
      logits: floating array.
      labels: 0 and 1, booleans, or probabilities of 1; broadcast against the logits.

    Returns:
      The loss of each element.

    Raises:
      ValueError: logits are not floating.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> optim.sigmoid_binary_cross_entropy(jnp.array([0.0, 100.0]), jnp.array([1, 0]))
      Array([  0.6931472, 100.       ], dtype=float32)
    """
    logits = floating("sigmoid_binary_cross_entropy", "logits", logits)
    return _binary(logits, array("sigmoid_binary_cross_entropy", "labels", labels).astype(logits.dtype))


def _binary(logits: Array, labels: Array) -> Array:
    return -labels * nn.log_sigmoid(logits) - (1.0 - labels) * nn.log_sigmoid(-logits)


def sigmoid_focal_loss(logits: Any, labels: Any, *, alpha: Any = None, gamma: Any = 2.0) -> Array:
    """Binary cross-entropy that gives what is right already less weight: times ``(1 - p_t)**gamma``.

    ``p_t`` is the probability of the right answer.

    Reference: Lin et al., https://arxiv.org/abs/1708.02002.

    Args:
      logits: floating array.
      labels: 0 and 1, booleans, or probabilities of 1; broadcast against the logits.
      alpha: weight of the class 1, that of the other being ``1 - alpha``; None for none.
      gamma: exponent, at least 0.

    Returns:
      The loss of each element.

    Raises:
      ValueError: logits are not floating.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> optim.sigmoid_focal_loss(jnp.array([0.0]), jnp.array([1.0])).round(4)
      Array([0.1733], dtype=float32)
    """
    logits = floating("sigmoid_focal_loss", "logits", logits)
    labels = array("sigmoid_focal_loss", "labels", labels).astype(logits.dtype)
    logits, labels = jnp.broadcast_arrays(logits, labels)
    # The logarithm of 1 - p_t, which is tiny where the answer is right.
    both = jnp.stack([nn.log_sigmoid(logits), nn.log_sigmoid(-logits)], -1)
    log_wrong = nn.logsumexp(both, -1, b=jnp.stack([1 - labels, labels], -1))
    loss = _binary(logits, labels) * jnp.exp(gamma * log_wrong)
    return loss if alpha is None else (alpha * labels + (1.0 - alpha) * (1.0 - labels)) * loss


def hinge_loss(predictor_outputs: Any, targets: Any) -> Array:
    """Hinge loss ``max(0, 1 - output * target)`` of targets -1 and 1.

    Args:
      predictor_outputs: scores, an array.
      targets: -1 and 1; broadcasts against the scores.

    Returns:
      The loss of each element.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> optim.hinge_loss(jnp.array([0.5, 2.0]), jnp.array([1.0, -1.0]))
      Array([0.5, 3. ], dtype=float32)
    """
    outputs = array("hinge_loss", "predictor_outputs", predictor_outputs)
    return jnp.maximum(0, 1 - outputs * array("hinge_loss", "targets", targets))


def perceptron_loss(predictor_outputs: Any, targets: Any) -> Array:
    """Perceptron loss ``max(0, -output * target)`` of targets -1 and 1.

    Reference: Rosenblatt, https://doi.org/10.1037/h0042519.

    Args:
      predictor_outputs: scores, an array.
      targets: -1 and 1, of the same shape.

    Returns:
      The loss of each element.

    Raises:
      ValueError: the shapes differ.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> optim.losses.perceptron_loss(jnp.array([0.5, 2.0]), jnp.array([1.0, -1.0]))
      Array([0., 2.], dtype=float32)
    """
    outputs = array("perceptron_loss", "predictor_outputs", predictor_outputs)
    targets = array("perceptron_loss", "targets", targets)
    same_shape("perceptron_loss", "targets", targets, "predictor_outputs", outputs)
    return jnp.maximum(0, -outputs * targets)


def sparsemax_loss(logits: Any, labels: Any) -> Array:
    """Binary sparsemax loss: 0 where the logit is right by 1 or more.

    Reference: Martins and Astudillo, https://arxiv.org/abs/1602.02068.

    Args:
      logits: floating array.
      labels: 0 and 1, or booleans; broadcast against the logits.

    Returns:
      The loss of each element.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> optim.losses.sparsemax_loss(jnp.array([0.0, 2.0]), jnp.array([1, 1]))
      Array([0.25, 0.  ], dtype=float32)
    """
    logits = array("sparsemax_loss", "logits", logits)
    return nn.sparse_plus(jnp.where(array("sparsemax_loss", "labels", labels).astype(bool), -logits, logits))


# -- many classes ------------------------------------------------------------------------------------------------------


def softmax_cross_entropy(logits: Any, labels: Any, axis: Axis = -1, where: Any = None) -> Array:
    """Cross-entropy between probabilities and the softmax of logits: ``-sum(labels * log_softmax(logits))``.

    Args:
      logits: floating array with the classes along ``axis``.  A class of logit ``-inf`` and label 0 gives NaN; see
        ``safe_softmax_cross_entropy``.
      labels: probabilities of the classes, one-hot or not; broadcast against the logits.
      axis: one or several dimensions of the classes; None for all.
      where: booleans that broadcast to the logits, or lack the dimensions ``axis``: the elements that take part.

    Returns:
      An array without the dimensions ``axis``; 0 where nothing takes part.

    Raises:
      ValueError: logits are not floating, or there is no such axis.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> optim.softmax_cross_entropy(jnp.array([[0.0, 0.0], [1000.0, 0.0]]), jnp.array([[1.0, 0.0], [0.0, 1.0]]))
      Array([6.931472e-01, 1.000000e+03], dtype=float32)
    """
    logits = floating("softmax_cross_entropy", "logits", logits)
    labels = array("softmax_cross_entropy", "labels", labels)
    return _cross_entropy(logits, labels, axis, mask("softmax_cross_entropy", where, logits, axis))


def _present(where: Array | None, axis: Axis) -> Array | None:
    """A mask for normalising: examples in which nothing takes part are normalised whole, which gives no NaN."""
    return None if where is None else where | ~jnp.any(where, axis, keepdims=True)


def _cross_entropy(logits: Array, labels: Array, axis: Axis, where: Array | None) -> Array:
    log_probabilities = chosen(where, nn.log_softmax(logits, axis, _present(where, axis)))
    return -jnp.sum(chosen(where, labels * log_probabilities), axis)


def softmax_cross_entropy_with_integer_labels(
    logits: Any, labels: Any, axis: int | tuple[int, ...] = -1, where: Any = None
) -> Array:
    """Cross-entropy of classes that are given by their numbers: ``logsumexp(logits) - logits[label]``.

    Args:
      logits: floating array with the classes along ``axis``.
      labels: integers, of the shape of the logits without the dimensions ``axis``.  -1 is the last class; the loss of
        a number that is no class is NaN.
      axis: dimension of the classes, or several; then labels number their combinations in row-major order.
      where: booleans that broadcast to the logits, or lack the dimensions ``axis``: the classes that take part.

    Returns:
      An array like ``labels``; 0 where no class takes part.

    Raises:
      ValueError: logits are not floating, labels no integers, shapes do not fit, or there is no such axis.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> logits = jnp.array([[0.0, 0.0], [1000.0, 0.0]])
      >>> optim.softmax_cross_entropy_with_integer_labels(logits, jnp.array([0, 1]))
      Array([6.931472e-01, 1.000000e+03], dtype=float32)
    """
    api = "softmax_cross_entropy_with_integer_labels"
    if axis is None:
        raise ValueError(f"fungrad.optim.losses.{api}: axis must be an integer or a tuple of integers, got None")
    logits, labels = floating(api, "logits", logits), integral(api, "labels", labels)
    where = mask(api, where, logits, axis)
    classes = dimensions(api, axis, logits.ndim)
    batch = tuple([d for d in range(logits.ndim) if d not in classes])
    if classes != (logits.ndim - 1,):
        order = batch + classes
        if where is not None:
            where = (
                jnp.broadcast_to(where, logits.shape).transpose(order).reshape(*[logits.shape[d] for d in batch], -1)
            )
        logits = logits.transpose(order).reshape(*[logits.shape[d] for d in batch], -1)
    if labels.ndim != len(batch):
        raise ValueError(
            f"fungrad.optim.losses.{api}: labels must have the {len(batch)} dimensions of logits without axis={axis}, "
            f"got shape {labels.shape}; for one-hot labels use softmax_cross_entropy"
        )
    chosen_logits = jnp.take_along_axis(logits, labels[..., None], -1)[..., 0]
    loss = nn.logsumexp(logits, -1, where=_present(where, -1)) - chosen_logits
    return loss if where is None else jnp.where(jnp.any(where, -1), loss, 0)


@custom_jvp
def _weighted_log_softmax(logits: Any, weights: Any) -> Array:
    """``weights * log_softmax(logits)``, 0 where a weight is 0."""
    return jnp.where(weights != 0, weights * nn.log_softmax(logits), 0)


@_weighted_log_softmax.defjvp
def _weighted_log_softmax_jvp(primals: tuple, tangents: tuple) -> tuple[Array, Array]:
    (logits, weights), (logits_dot, weights_dot) = primals, tangents
    log_probabilities = nn.log_softmax(logits)
    mean = jnp.sum(logits_dot * nn.softmax(logits), -1, keepdims=True)
    out = jnp.where(weights != 0, weights * log_probabilities, 0)
    return out, weights * (logits_dot - mean) + weights_dot * log_probabilities


def safe_softmax_cross_entropy(logits: Any, labels: Any) -> Array:
    """``softmax_cross_entropy`` over the last axis in which a class of label 0 counts for nothing, whatever its logit.

    So impossible classes, of logit ``-inf``, have a loss and a gradient.

    Args:
      logits: floating array.
      labels: probabilities of the classes, of the same shape.

    Returns:
      An array without the last dimension.

    Raises:
      ValueError: logits are not floating.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> optim.safe_softmax_cross_entropy(jnp.array([0.0, -jnp.inf]), jnp.array([1.0, 0.0])) + 0.0
      Array(0., dtype=float32)
    """
    logits = floating("safe_softmax_cross_entropy", "logits", logits)
    labels = array("safe_softmax_cross_entropy", "labels", labels)
    logits, labels = jnp.broadcast_arrays(logits, labels.astype(jnp.promote_types(labels.dtype, logits.dtype)))
    return -jnp.sum(_weighted_log_softmax(logits, labels), -1)


def poly_loss_cross_entropy(
    logits: Any, labels: Any, *, epsilon: Any = 2.0, axis: Axis = -1, where: Any = None
) -> Array:
    """Cross-entropy with another weight of its first power: ``cross_entropy + epsilon * (1 - p_t)``.

    ``p_t`` is the probability of the right class.

    Reference: Leng et al., https://arxiv.org/abs/2204.12511.

    Args:
      logits: floating array with the classes along ``axis``.
      labels: probabilities of the classes, floating.
      epsilon: the additional weight.
      axis: one or several dimensions of the classes; None for all.
      where: booleans that broadcast to the logits: the elements that take part.

    Returns:
      An array without the dimensions ``axis``.

    Raises:
      ValueError: logits or labels are not floating, or there is no such axis.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> optim.losses.poly_loss_cross_entropy(jnp.array([0.0, 0.0]), jnp.array([1.0, 0.0]))
      Array(1.6931472, dtype=float32)
    """
    api = "poly_loss_cross_entropy"
    logits, labels = floating(api, "logits", logits), floating(api, "labels", labels)
    where = mask(api, where, logits, axis)
    wrong = chosen(where, labels * (1 - nn.softmax(logits, axis, _present(where, axis))))
    return _cross_entropy(logits, labels, axis, where) + epsilon * jnp.sum(wrong, axis)


def _scores(api: str, scores: Any, labels: Any) -> tuple[Array, Array]:
    """Scores, and labels as one-hot vectors."""
    scores, labels = array(api, "scores", scores), integral(api, "labels", labels)
    if not scores.ndim:
        raise ValueError(f"fungrad.optim.losses.{api}: scores must have an axis of classes, got a scalar")
    return scores, nn.one_hot(labels, scores.shape[-1])


def multiclass_hinge_loss(scores: Any, labels: Any) -> Array:
    """Multi-class hinge loss: how far the right score is from being the greatest by 1.

    Reference: Crammer and Singer, https://www.jmlr.org/papers/v2/crammer01a.html.

    Args:
      scores: array of shape ``[..., classes]``.
      labels: integers of shape ``[...]``.

    Returns:
      An array of shape ``[...]``.

    Raises:
      ValueError: labels are no integers.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> optim.losses.multiclass_hinge_loss(jnp.array([[2.0, 0.0], [0.5, 0.0]]), jnp.array([0, 0]))
      Array([0. , 0.5], dtype=float32)
    """
    scores, one_hot = _scores("multiclass_hinge_loss", scores, labels)
    return jnp.max(scores + 1.0 - one_hot, -1) - jnp.sum(scores * one_hot, -1)


def multiclass_perceptron_loss(scores: Any, labels: Any) -> Array:
    """Multi-class perceptron loss: the greatest score less the right one.

    Reference: Collins, https://doi.org/10.3115/1118693.1118694.

    Args:
      scores: array of shape ``[..., classes]``.
      labels: integers of shape ``[...]``.

    Returns:
      An array of shape ``[...]``.

    Raises:
      ValueError: labels are no integers.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> optim.losses.multiclass_perceptron_loss(jnp.array([2.0, 0.5]), jnp.array(1))
      Array(1.5, dtype=float32)
    """
    scores, one_hot = _scores("multiclass_perceptron_loss", scores, labels)
    return jnp.max(scores, -1) - jnp.sum(scores * one_hot, -1)


def multiclass_sparsemax_loss(scores: Any, labels: Any) -> Array:
    """Sparsemax loss: that of the projection onto the simplex, as cross-entropy is that of the softmax.

    Reference: Martins and Astudillo, https://arxiv.org/abs/1602.02068.

    Args:
      scores: array of shape ``[..., classes]``.
      labels: integers of shape ``[...]``.

    Returns:
      An array of shape ``[...]``.

    Raises:
      ValueError: labels are no integers.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> optim.losses.multiclass_sparsemax_loss(jnp.array([[2.0, 0.0], [0.0, 0.0]]), jnp.array([0, 0]))
      Array([0.  , 0.25], dtype=float32)
    """
    scores, one_hot = _scores("multiclass_sparsemax_loss", scores, labels)
    p = jnp.vectorize(unit_simplex, signature="(n)->(n)")(scores)
    right = jnp.sum(scores * one_hot, -1, keepdims=True)
    # Distances from the right score: the loss of a right answer is 0 exactly.  Classes of probability 0 may be -inf.
    distances = jnp.where((one_hot != 0) | (p == 0), 0, scores - right)
    return jnp.sum(p * distances, -1) + 0.5 * (1.0 - jnp.sum(p * p, -1))
