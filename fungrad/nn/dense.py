"""``fungrad.nn.dense``: a layer of weights and biases, ``x @ kernel + bias``.

May import ``core``, ``numpy`` and the modules of ``nn`` before it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import fungrad.numpy as jnp
from fungrad import random
from fungrad.core.arguments import index
from fungrad.core.array import Array
from fungrad.core.public_names import publish
from fungrad.nn import initializers
from fungrad.nn._parameters import operand, parameter

__all__ = ["apply", "init"]


def init(
    key: Any,
    in_features: int,
    out_features: int,
    *,
    bias: bool = True,
    kernel_init: Callable[..., Any] = initializers.lecun_normal(),  # noqa: B008 (it has no state)
    bias_init: Callable[..., Any] = initializers.zeros,
    dtype: Any = None,
) -> dict[str, Array]:
    """The parameters of a dense layer.

    Args:
      key: a random key.
      in_features: size of the last axis of what goes in.
      out_features: size of the last axis of what comes out.
      bias: whether there is one.
      kernel_init: initializer of the kernel.
      bias_init: initializer of the bias.
      dtype: of the parameters; the default floating dtype if None.

    Returns:
      ``{"kernel": [in_features, out_features], "bias": [out_features]}``.

    Raises:
      TypeError: a size is no integer, or the key no random key.

    Example:
      >>> from fungrad import nn, random, tree
      >>> tree.map(lambda p: p.shape, nn.dense.init(random.key(0), 3, 2))
      {'bias': (2,), 'kernel': (3, 2)}
    """
    shape = (
        index("fungrad.nn.dense.init", "in_features", in_features, 0),
        index("fungrad.nn.dense.init", "out_features", out_features, 0),
    )
    kernel_key, bias_key = random.split(key)
    params = {"kernel": kernel_init(kernel_key, shape, dtype)}
    if bias:
        params["bias"] = bias_init(bias_key, shape[1:], dtype)
    return params


def apply(params: Any, x: Any) -> Array:
    """``x @ kernel + bias``.

    Args:
      params: what ``init`` has made.
      x: array of shape ``[..., in_features]``.

    Returns:
      An array of shape ``[..., out_features]``.

    Raises:
      ValueError: the parameters are not those of a dense layer, or the sizes do not fit.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import nn
      >>> nn.dense.apply({"kernel": jnp.eye(2), "bias": jnp.ones(2)}, jnp.array([1.0, 2.0]))
      Array([2., 3.], dtype=float32)
    """
    kernel = jnp.asarray(parameter("dense.apply", params, "kernel"))
    bias = parameter("dense.apply", params, "bias", optional=True)
    out = operand("dense.apply", x, kernel.shape[0]) @ kernel
    return out if bias is None else out + bias


publish(globals(), __name__, __all__)
