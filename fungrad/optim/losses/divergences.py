"""Divergences between distributions that are given as (logarithms of) probabilities.

May import ``core``, ``numpy`` and ``losses._arguments``.
"""

from __future__ import annotations

import math
from typing import Any

import fungrad.numpy as jnp
from fungrad.core.array import Array
from fungrad.optim.losses._arguments import Axis, floating, mask


def _terms(log_predictions: Array, targets: Array) -> Array:
    """``t * (log t - log p)`` of each element; 0 for ``t = 0``, whatever ``p`` is."""
    never = targets == 0
    # Values that take no part are replaced before the logarithm and the product, so that no derivative is NaN.
    log_targets = jnp.where(never, 0, jnp.log(jnp.where(never, 1, targets)))
    impossible = never & (log_predictions == -math.inf)
    return targets * (log_targets - jnp.where(impossible, 0, log_predictions))


def kl_divergence(log_predictions: Any, targets: Any, axis: Axis = -1, where: Any = None) -> Array:
    """Kullback-Leibler divergence, ``sum(targets * (log(targets) - log_predictions))``.

    What it costs to code ``targets`` with the probabilities ``exp(log_predictions)``.

    Args:
      log_predictions: logarithms of predicted probabilities, floating.
      targets: probabilities, floating.
      axis: one or several dimensions of the classes; None for all.
      where: booleans that broadcast: the elements that take part.

    Returns:
      An array without the dimensions ``axis``.

    Raises:
      ValueError: an argument is not floating, or there is no such axis.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> optim.kl_divergence(jnp.log(jnp.array([0.5, 0.5])), jnp.array([1.0, 0.0]))
      Array(0.6931472, dtype=float32)
    """
    p, t = _operands("kl_divergence", log_predictions, targets)
    return jnp.sum(_terms(p, t), axis, where=mask("kl_divergence", where, p, axis))


def _operands(api: str, log_predictions: Any, targets: Any) -> tuple[Array, Array]:
    return floating(api, "log_predictions", log_predictions), floating(api, "targets", targets)


def kl_divergence_with_log_targets(log_predictions: Any, log_targets: Any, axis: Axis = -1, where: Any = None) -> Array:
    """Kullback-Leibler divergence of targets that are given as logarithms.

    Args:
      log_predictions: logarithms of predicted probabilities, floating.
      log_targets: logarithms of probabilities, floating.
      axis: one or several dimensions of the classes; None for all.
      where: booleans that broadcast: the elements that take part.

    Returns:
      An array without the dimensions ``axis``.

    Raises:
      ValueError: an argument is not floating, or there is no such axis.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> p = jnp.log(jnp.array([0.5, 0.5]))
      >>> optim.losses.kl_divergence_with_log_targets(p, p)
      Array(0., dtype=float32)
    """
    api = "kl_divergence_with_log_targets"
    p, t = floating(api, "log_predictions", log_predictions), floating(api, "log_targets", log_targets)
    never = t == -math.inf
    difference = jnp.where(never, 0, t) - jnp.where(never & (p == -math.inf), 0, p)
    terms = jnp.where(never, 0, jnp.exp(t) * jnp.where(never, 0, difference))
    return jnp.sum(terms, axis, where=mask(api, where, p, axis))


def generalized_kl_divergence(log_predictions: Any, targets: Any, axis: Axis = -1, where: Any = None) -> Array:
    """Kullback-Leibler divergence of measures that need not add up to 1: convex in both arguments.

    ``sum(targets * (log(targets) - log_predictions) + exp(log_predictions) - targets)``.

    Args:
      log_predictions: logarithms of predicted measures, floating.
      targets: measures, floating.
      axis: one or several dimensions of the classes; None for all.
      where: booleans that broadcast: the elements that take part.

    Returns:
      An array without the dimensions ``axis``.

    Raises:
      ValueError: an argument is not floating, or there is no such axis.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> optim.losses.generalized_kl_divergence(jnp.log(jnp.array([2.0, 1.0])), jnp.array([1.0, 1.0])).round(4)
      Array(0.3069, dtype=float32)
    """
    return _generalized("generalized_kl_divergence", log_predictions, targets, axis, where)


def _generalized(api: str, log_predictions: Any, targets: Any, axis: Axis, where: Any) -> Array:
    p, t = _operands(api, log_predictions, targets)
    where = mask(api, where, p, axis)
    return jnp.sum(_terms(p, t), axis, where=where) + jnp.sum(jnp.exp(p) - t, axis, where=where)


def convex_kl_divergence(log_predictions: Any, targets: Any, axis: Axis = -1, where: Any = None) -> Array:
    """The older name of ``generalized_kl_divergence``.

    Args:
      log_predictions: logarithms of predicted measures, floating.
      targets: measures, floating.
      axis: one or several dimensions of the classes; None for all.
      where: booleans that broadcast: the elements that take part.
    """
    return _generalized("convex_kl_divergence", log_predictions, targets, axis, where)
