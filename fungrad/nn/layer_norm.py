"""``fungrad.nn.layer_norm``: features of each example shifted and scaled to mean 0 and variance 1.

May import ``core``, ``numpy`` and the modules of ``nn`` before it.
"""

from __future__ import annotations

from typing import Any

import fungrad.numpy as jnp
from fungrad.core.arguments import index
from fungrad.core.array import Array
from fungrad.core.public_names import publish
from fungrad.nn import initializers
from fungrad.nn._parameters import operand, parameter, statistics_dtype
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
      >>> nn.layer_norm.init(None, 2)
      {'scale': Array([1., 1.], dtype=float32), 'bias': Array([0., 0.], dtype=float32)}
    """
    return affine(index("fungrad.nn.layer_norm.init", "features", features, 0), scale, bias, dtype)


def affine(features: int, scale: bool, bias: bool, dtype: Any) -> dict[str, Array]:
    """Scales and biases that change nothing."""
    params = {}
    if scale:
        params["scale"] = initializers.ones(None, (features,), dtype)
    if bias:
        params["bias"] = initializers.zeros(None, (features,), dtype)
    return params


def features_of(api: str, params: Any, x: Any) -> Any:
    """``x``, with as many features as the parameters have; and their scale and bias, None if there is none."""
    scale, bias = (parameter(api, params, name, optional=True) for name in ("scale", "bias"))
    known = scale if scale is not None else bias
    size = jnp.shape(x)[-1] if known is None and jnp.ndim(x) else 0 if known is None else jnp.shape(known)[0]
    return operand(api, x, size), scale, bias


def moved(x: Array, scale: Any, bias: Any) -> Array:
    """``x * scale + bias``, of what there is."""
    if scale is not None:
        x = x * scale
    return x if bias is None else x + bias


def apply(params: Any, x: Any, *, epsilon: Any = 1e-6) -> Array:
    """``(x - mean) / sqrt(variance + epsilon) * scale + bias`` over the last axis.

    Means and variances of half-precision numbers are taken in float32.

    Reference: Ba et al., https://arxiv.org/abs/1607.06450.

    Args:
      params: what ``init`` has made.
      x: array of shape ``[..., features]``.
      epsilon: added to the variance.

    Returns:
      An array like ``x``.

    Raises:
      ValueError: the sizes do not fit.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import nn
      >>> nn.layer_norm.apply(nn.layer_norm.init(None, 2), jnp.array([1.0, 3.0])).round(3)
      Array([-1.,  1.], dtype=float32)
    """
    x, scale, bias = features_of("layer_norm.apply", params, x)
    out = standardize(x.astype(statistics_dtype(x)), epsilon=epsilon, algorithm="stable")
    return moved(out, scale, bias).astype(x.dtype)


publish(globals(), __name__, __all__)
