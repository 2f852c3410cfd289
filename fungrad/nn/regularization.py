"""Dropout.

May import ``core``, ``numpy`` and ``random``.
"""

from __future__ import annotations

import numbers
from collections.abc import Sequence
from typing import Any

import fungrad.numpy as jnp
from fungrad import random
from fungrad.core.arguments import integers, number
from fungrad.core.array import Array, as_array


def dropout(
    key: Any, x: Any, rate: Any = 0.5, *, deterministic: bool = False, broadcast_dims: Sequence[int] = ()
) -> Array:
    """Sets elements to 0 at random and scales the others, so that the mean stays.

    Reference: Srivastava et al., https://jmlr.org/papers/v15/srivastava14a.html.

    Args:
      key: a random key; may be None if ``deterministic``.
      x: array.
      rate: probability of 0, from 0 to 1.
      deterministic: return ``x`` as it is, as after training.
      broadcast_dims: axes along which elements are dropped together.

    Returns:
      An array like ``x``.

    Raises:
      ValueError: the rate is not from 0 to 1, or there is no such axis.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import nn, random
      >>> nn.dropout(random.key(0), jnp.ones(6), 0.5)
      Array([0., 0., 2., 2., 0., 2.], dtype=float32)
      >>> nn.dropout(None, jnp.ones(2), deterministic=True)
      Array([1., 1.], dtype=float32)
    """
    x = as_array(x, "fungrad.nn.dropout: x")
    number("fungrad.nn.dropout", "rate", rate)
    fixed = isinstance(rate, numbers.Real)
    if fixed and not 0 <= rate <= 1:
        raise ValueError(f"fungrad.nn.dropout: rate must be from 0 to 1, got {rate}")
    if deterministic:
        return x
    shape = list(x.shape)
    for axis in integers("fungrad.nn.dropout", "broadcast_dims", broadcast_dims):
        if not -x.ndim <= axis < x.ndim:
            raise ValueError(f"fungrad.nn.dropout: broadcast_dims must be axes of x, got {axis} for {x.ndim} axes")
        shape[axis] = 1
    keep = random.bernoulli(key, 1 - rate, tuple(shape))
    # With a rate of 1 nothing is kept, and nothing divided by 0.
    share = (1 - rate if rate < 1 else 1) if fixed else jnp.where(rate < 1, 1 - rate, 1)
    return jnp.where(keep, x / share, 0).astype(x.dtype)
