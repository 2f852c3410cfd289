"""``fungrad.nn.embedding``: a vector for each of some numbers.

May import ``core``, ``numpy`` and the modules of ``nn`` before it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import fungrad.numpy as jnp
from fungrad.core import dtypes
from fungrad.core.arguments import index
from fungrad.core.array import Array, as_array
from fungrad.core.public_names import publish
from fungrad.nn import initializers
from fungrad.nn._parameters import operand, parameter

__all__ = ["apply", "attend", "init"]

_INIT = initializers.variance_scaling(1.0, "fan_in", "normal", out_axis=0)


def init(
    key: Any, num_embeddings: int, features: int, *, embedding_init: Callable[..., Any] = _INIT, dtype: Any = None
) -> dict[str, Array]:
    """The table of vectors.

    Args:
      key: a random key.
      num_embeddings: how many vectors.
      features: their size.
      embedding_init: initializer of the table.
      dtype: of the table; the default floating dtype if None.

    Returns:
      ``{"embedding": [num_embeddings, features]}``.

    Raises:
      TypeError: a size is no integer, or the key no random key.

    Example:
      >>> from fungrad import nn, random
      >>> nn.embedding.init(random.key(0), 100, 8)["embedding"].shape
      (100, 8)
    """
    shape = (
        index("fungrad.nn.embedding.init", "num_embeddings", num_embeddings, 0),
        index("fungrad.nn.embedding.init", "features", features, 0),
    )
    return {"embedding": embedding_init(key, shape, dtype)}


def apply(params: Any, ids: Any) -> Array:
    """The vectors of numbers.

    Args:
      params: what ``init`` has made.
      ids: integers of any shape, in ``[-num_embeddings, num_embeddings)``; others give NaN.

    Returns:
      An array of shape ``[*ids.shape, features]``.

    Raises:
      TypeError: ``ids`` are no integers.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import nn
      >>> nn.embedding.apply({"embedding": jnp.arange(4.0).reshape(2, 2)}, jnp.array([1, 0]))
      Array([[2., 3.],
             [0., 1.]], dtype=float32)
    """
    table = parameter("embedding.apply", params, "embedding")
    ids = as_array(ids, "fungrad.nn.embedding.apply: ids")
    if not dtypes.is_integer(ids.dtype):
        raise TypeError(f"fungrad.nn.embedding.apply: ids must be integers, got {ids.aval.str_short()}")
    return jnp.take(table, ids, axis=0)


def attend(params: Any, x: Any) -> Array:
    """Scores of all embeddings: the products ``x @ embedding.T``, for models that share them with their last layer.

    Args:
      params: what ``init`` has made.
      x: array of shape ``[..., features]``.

    Returns:
      An array of shape ``[..., num_embeddings]``.

    Raises:
      ValueError: the sizes do not fit.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import nn
      >>> nn.embedding.attend({"embedding": jnp.arange(4.0).reshape(2, 2)}, jnp.array([0.0, 1.0]))
      Array([1., 3.], dtype=float32)
    """
    table = jnp.asarray(parameter("embedding.attend", params, "embedding"))
    return operand("embedding.attend", x, table.shape[1]) @ table.T


publish(globals(), __name__, __all__)
