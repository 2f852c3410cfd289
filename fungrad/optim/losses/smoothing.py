"""Softer labels.

May import ``core``, ``numpy`` and ``losses._arguments``.
"""

from __future__ import annotations

import math
from typing import Any

import fungrad.numpy as jnp
from fungrad.core.array import Array
from fungrad.optim.losses._arguments import Axis, array, dimensions, floating


def smooth_labels(labels: Any, alpha: Any, *, axis: Axis = -1, where: Any = None) -> Array:
    """Labels mixed with equal probabilities of all classes: ``(1 - alpha) * labels + alpha / classes``.

    Reference: Szegedy et al., https://arxiv.org/abs/1512.00567.

    Args:
      labels: one-hot labels or probabilities, floating.
      alpha: share of the equal probabilities, from 0 to 1.
      axis: one or several dimensions of the classes; None for all.
      where: booleans that broadcast to the labels: the classes that count.

    Returns:
      An array like ``labels``.

    Raises:
      ValueError: labels are not floating, or there is no such axis.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> optim.smooth_labels(jnp.array([1.0, 0.0, 0.0, 0.0]), 0.2)
      Array([0.85, 0.05, 0.05, 0.05], dtype=float32)
    """
    labels = floating("smooth_labels", "labels", labels)
    if where is None:
        count: Any = math.prod(labels.shape[d] for d in dimensions("smooth_labels", axis, labels.ndim))
    else:
        count = jnp.sum(array("smooth_labels", "where", where), axis, keepdims=True)
    return (1.0 - alpha) * labels + alpha / count
