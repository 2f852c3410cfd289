"""Losses of self-supervised and metric learning.

May import ``core``, ``numpy``, ``nn`` and ``losses._arguments``.
"""

from __future__ import annotations

import math
import numbers
from typing import Any

import fungrad.numpy as jnp
from fungrad import nn
from fungrad.core import dtypes
from fungrad.core.array import Array
from fungrad.optim.losses._arguments import array, floating
from fungrad.optim.losses.regression import cosine_similarity


def ntxent(embeddings: Any, labels: Any, temperature: Any = 0.07) -> Array:
    """Normalised, temperature-scaled cross-entropy of pairs with equal labels against those with different ones.

    Reference: Chen et al., https://arxiv.org/abs/2002.05709.

    Args:
      embeddings: floating array of shape ``[batch, features]``.
      labels: integers of shape ``[batch]``: equal for what belongs together.
      temperature: divides the cosine similarities.

    Returns:
      The mean over all pairs of equal labels, a scalar; NaN if there is no pair.

    Raises:
      ValueError: embeddings are not floating, or the sizes differ.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> x = jnp.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
      >>> optim.ntxent(x, jnp.array([0, 0, 1]), temperature=1.0).round(4)
      Array(0.3133, dtype=float32)
    """
    embeddings, labels = floating("ntxent", "embeddings", embeddings), array("ntxent", "labels", labels)
    if embeddings.ndim != 2 or labels.shape != embeddings.shape[:1]:
        raise ValueError(
            "fungrad.optim.losses.ntxent: embeddings must have shape [batch, features] and labels [batch], got "
            f"{embeddings.shape} and {labels.shape}"
        )
    epsilon = float(dtypes.finfo(embeddings.dtype).eps)
    scores = cosine_similarity(embeddings[None], embeddings[:, None], epsilon=epsilon) / temperature
    equal = labels[:, None] == labels[None, :]
    pairs = equal & ~jnp.eye(labels.shape[0], dtype=bool)
    # Every pair competes with all that have another label than its first.
    alone = jnp.all(equal, 1, keepdims=True)
    others = nn.logsumexp(scores, 1, keepdims=True, where=~equal | alone)
    others = jnp.where(alone, -math.inf, others)
    terms = jnp.where(pairs, jnp.logaddexp(others, scores) - scores, 0)
    return jnp.sum(terms) / jnp.sum(pairs)


def triplet_margin_loss(
    anchors: Any,
    positives: Any,
    negatives: Any,
    axis: int = -1,
    norm_degree: Any = 2,
    margin: Any = 1.0,
    eps: Any = 1e-6,
) -> Array:
    """How far negatives are from being more distant by ``margin`` than positives: ``max(d_pos - d_neg + margin, 0)``.

    Distances are ``(sum(abs(difference)**norm_degree) + eps)**(1 / norm_degree)``.

    Reference: Weinberger and Saul, https://www.jmlr.org/papers/v10/weinberger09a.html.

    Args:
      anchors: floating array.
      positives: floating array of what belongs to the anchors.
      negatives: floating array of what does not.
      axis: dimension of the features.
      norm_degree: exponent of the norm, at least 1.
      margin: by how much.
      eps: added below the root, against infinite derivatives.

    Returns:
      An array without the dimension ``axis``.

    Raises:
      ValueError: an argument is not floating, or there is no such axis.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> optim.losses.triplet_margin_loss(jnp.zeros((1, 2)), jnp.zeros((1, 2)), jnp.array([[0.0, 0.5]])).round(3)
      Array([0.501], dtype=float32)
    """
    api = "triplet_margin_loss"
    anchors = floating(api, "anchors", anchors)
    # Even powers need no absolute value, whose second derivative at 0 would be lost.
    even = isinstance(norm_degree, numbers.Real) and norm_degree % 2 == 0

    def distance(others: Array) -> Array:
        difference = anchors - others
        powers = jnp.power(difference if even else jnp.abs(difference), norm_degree)
        return jnp.power(jnp.sum(powers, axis) + eps, 1 / norm_degree)

    near, far = distance(floating(api, "positives", positives)), distance(floating(api, "negatives", negatives))
    return jnp.maximum(near - far + margin, 0)
