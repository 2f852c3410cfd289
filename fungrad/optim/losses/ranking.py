"""Losses of rankings.

May import ``core``, ``numpy``, ``nn`` and ``losses._arguments``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import fungrad.numpy as jnp
from fungrad import nn
from fungrad.core.array import Array
from fungrad.optim.losses._arguments import array, chosen, floating


def ranking_softmax_loss(
    logits: Any, labels: Any, *, where: Any = None, weights: Any = None, reduce_fn: Callable[..., Any] | None = jnp.mean
) -> Array:
    """Cross-entropy between relevances and the softmax of scores, over lists of items.

    Reference: Cao et al., https://doi.org/10.1145/1273496.1273513.

    Args:
      logits: scores of the items, floating, of shape ``[..., items]``.
      labels: relevances, of the same shape; they need not add up to 1.
      where: booleans of that shape: the items that are there.
      weights: factors of the relevances, which broadcast to them.
      reduce_fn: makes one number of the losses of all lists, called with ``where=``: the lists that have an item.
        None returns them as they are, with 0 for lists without items.

    Returns:
      The mean over lists (0 if none has an item), or what ``reduce_fn`` says.

    Raises:
      ValueError: logits are not floating.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> optim.losses.ranking_softmax_loss(jnp.array([2.0, 1.0, 3.0]), jnp.array([1.0, 0.0, 0.0])).round(4)
      Array(1.4076, dtype=float32)
    """
    api = "ranking_softmax_loss"
    logits = floating(api, "logits", logits)
    labels = array(api, "labels", labels).astype(logits.dtype)
    lists = None
    if where is not None:
        where = array(api, "where", where).astype(bool)
        lists = jnp.any(where, -1)
    if weights is not None:
        labels = labels * array(api, "weights", weights)
    # A list without items is worked out with all of them, and has no part in the result.
    present = None if where is None else where | ~lists[..., None]  # type: ignore[index]
    terms = labels * chosen(where, nn.log_softmax(logits, where=present))
    losses = -jnp.sum(chosen(where, terms), -1)
    if reduce_fn is None:
        return chosen(lists, losses)
    if reduce_fn is not jnp.mean:
        return reduce_fn(losses, where=lists)
    # A mean over no lists is 0, and has a gradient.
    count: Any = losses.size if lists is None else jnp.sum(lists, dtype=losses.dtype)
    return jnp.sum(chosen(lists, losses)) / jnp.maximum(count, 1)
