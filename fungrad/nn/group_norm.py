"""``fungrad.nn.group_norm``: features of each example normalised in groups, over all positions.

May import ``core``, ``numpy`` and the modules of ``nn`` before it.
"""

from __future__ import annotations

from typing import Any

from fungrad.core.arguments import index
from fungrad.core.array import Array
from fungrad.core.public_names import publish
from fungrad.nn._parameters import statistics_dtype
from fungrad.nn.layer_norm import affine, features_of, moved
from fungrad.nn.normalization import standardize

__all__ = ["apply", "init"]


def init(key: Any, features: int, *, scale: bool = True, bias: bool = True, dtype: Any = None) -> dict[str, Array]:
    """Scales of one and biases of zero.

    Args:
      key: not used, may be None; it is there so that all layers are made alike.
      features: size of the last axis.
      scale: whether there are scales.
      bias: whether there are biases.
      dtype: of the parameters; the default floating dtype if None.

    Returns:
      ``{"scale": [features], "bias": [features]}``.

    Raises:
      TypeError: the size is no integer.

    Example:
      >>> from fungrad import nn
      >>> nn.group_norm.init(None, 2, bias=False)
      {'scale': Array([1., 1.], dtype=float32)}
    """
    return affine(index("fungrad.nn.group_norm.init", "features", features, 0), scale, bias, dtype)


def apply(params: Any, x: Any, *, groups: int = 32, epsilon: Any = 1e-6) -> Array:
    """Normalises each group of neighbouring features of each example, over all positions.

    Reference: Wu and He, https://arxiv.org/abs/1803.08494.

    Args:
      params: what ``init`` has made.
      x: array of shape ``[batch, ..., features]``.
      groups: number of groups, a divisor of the features; with 1 it is a layer norm over positions too, with as
        many as features an instance norm.
      epsilon: added to the variance.

    Returns:
      An array like ``x``.

    Raises:
      ValueError: the sizes do not fit.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import nn
      >>> x = jnp.array([[1.0, 3.0, 10.0, 30.0]])
      >>> nn.group_norm.apply(nn.group_norm.init(None, 4), x, groups=2).round(3)
      Array([[-1.,  1., -1.,  1.]], dtype=float32)
    """
    groups = index("fungrad.nn.group_norm.apply", "groups", groups, 1)
    x, scale, bias = features_of("group_norm.apply", params, x)
    if x.ndim < 2 or x.shape[-1] % groups:
        raise ValueError(
            f"fungrad.nn.group_norm.apply: x must have shape [batch, ..., features], the features a multiple of "
            f"groups={groups}, got {x.aval.str_short()}"
        )
    parts = x.astype(statistics_dtype(x)).reshape(*x.shape[:-1], groups, x.shape[-1] // groups)
    axes = (*range(1, x.ndim - 1), x.ndim)
    out = standardize(parts, axes, epsilon=epsilon, algorithm="stable").reshape(x.shape)
    return moved(out, scale, bias).astype(x.dtype)


publish(globals(), __name__, __all__)
