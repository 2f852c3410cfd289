"""Losses that a regularised maximum generates.

May import ``core``, ``numpy`` and ``transforms``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import fungrad.numpy as jnp
from fungrad.core.array import Array


def make_fenchel_young_loss(max_fun: Callable[..., Any]) -> Callable[..., Array]:
    """The Fenchel-Young loss of a maximum: ``max_fun(scores) - dot(targets, scores)``.

    Its gradient by the scores is that of ``max_fun`` (the regularised argmax) less ``targets``.  With ``logsumexp``
    it is the cross-entropy, with a perturbed maximum that of Berthet et al.

    Reference: Blondel et al., https://arxiv.org/abs/1901.02324.

    Args:
      max_fun: function of a vector of scores (and of more arguments of the loss) to a number, such as
        ``fungrad.nn.logsumexp``.

    Returns:
      A function ``loss(scores, targets, *args, **kwargs)`` of arrays ``[..., n]`` to an array ``[...]``; the further
      arguments go to ``max_fun``.

    Raises:
      TypeError: ``max_fun`` is no function.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import nn, optim
      >>> loss = optim.losses.make_fenchel_young_loss(nn.logsumexp)
      >>> loss(jnp.array([0.0, 0.0]), jnp.array([1.0, 0.0]))
      Array(0.6931472, dtype=float32)
    """

    def fenchel_young_loss(scores: Any, targets: Any, *args: Any, **kwargs: Any) -> Array:
        def one(vector: Array) -> Any:
            return max_fun(vector, *args, **kwargs)

        return jnp.vectorize(one, signature="(n)->()")(scores) - jnp.vectorize(jnp.vdot, signature="(n),(n)->()")(
            targets, scores
        )

    return fenchel_young_loss
