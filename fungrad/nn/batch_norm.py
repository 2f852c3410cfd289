"""``fungrad.nn.batch_norm``: features normalised over the batch, with running means for afterwards.

May import ``core``, ``numpy``, ``ops`` and the modules of ``nn`` before it.
"""

from __future__ import annotations

from typing import Any

import fungrad.numpy as jnp
from fungrad.core.arguments import index
from fungrad.core.array import Array
from fungrad.core.public_names import publish
from fungrad.nn import initializers
from fungrad.nn._parameters import parameter, statistics_dtype
from fungrad.nn.layer_norm import affine, features_of, moved
from fungrad.nn.normalization import standardize
from fungrad.ops.cast import stop_gradient
from fungrad.ops.collectives import pmean

__all__ = ["apply", "init"]


def init(
    key: Any, features: int, *, scale: bool = True, bias: bool = True, dtype: Any = None
) -> tuple[dict[str, Array], dict[str, Array]]:
    """Parameters and state: scales of one, biases of zero; running means of zero, variances of one.

    Args:
      key: not used, may be None; it is there so that all layers are made alike.
      features: size of the last axis.
      scale: whether there are scales.
      bias: whether there are biases.
      dtype: of the parameters; the default floating dtype if None.

    Returns:
      A pair ``({"scale": [features], "bias": [features]}, {"mean": [features], "var": [features]})``.

    Raises:
      TypeError: the size is no integer.

    Example:
      >>> from fungrad import nn
      >>> params, state = nn.batch_norm.init(None, 2)
      >>> state
      {'mean': Array([0., 0.], dtype=float32), 'var': Array([1., 1.], dtype=float32)}
    """
    features = index("fungrad.nn.batch_norm.init", "features", features, 0)
    state = {
        "mean": initializers.zeros(None, (features,), dtype),
        "var": initializers.ones(None, (features,), dtype),
    }
    return affine(features, scale, bias, dtype), state


def apply(
    params: Any, state: Any, x: Any, *, training: bool, momentum: Any = 0.99, epsilon: Any = 1e-5, axis_name: Any = None
) -> tuple[Array, dict[str, Array]]:
    """Normalises with the mean and variance of the batch in training, with the running ones afterwards.

    The state goes in and comes out, as that of an optimizer.

    Reference: Ioffe and Szegedy, https://arxiv.org/abs/1502.03167.

    Args:
      params: the first part of what ``init`` has made.
      state: the second part, or what the last call has returned.
      x: array of shape ``[..., features]``; all but the last axis are averaged over.
      training: whether to use and record the statistics of ``x``.
      momentum: share of the old running statistics in the new ones.
      epsilon: added to the variance.
      axis_name: named axis of ``vmap`` to average over as well.

    Returns:
      A pair: an array like ``x`` and the new state (``state`` itself if not training).

    Raises:
      ValueError: the sizes do not fit, or the batch is empty.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import nn
      >>> params, state = nn.batch_norm.init(None, 1)
      >>> y, state = nn.batch_norm.apply(params, state, jnp.array([[1.0], [3.0]]), training=True, momentum=0.5)
      >>> y.round(3).tolist(), state["mean"]
      ([[-1.0], [1.0]], Array([1.], dtype=float32))
    """
    api = "batch_norm.apply"
    x, scale, bias = features_of(api, params, x)
    old_mean, old_var = (jnp.asarray(parameter(api, state, name, "state")) for name in ("mean", "var"))
    if old_mean.shape != x.shape[-1:] or old_var.shape != x.shape[-1:]:
        raise ValueError(
            f"fungrad.nn.{api}: state must have the {x.shape[-1]} features of x, got shapes {old_mean.shape} and "
            f"{old_var.shape}"
        )
    wide = x.astype(statistics_dtype(x))
    if not training:
        out = standardize(wide, mean=old_mean, variance=old_var, epsilon=epsilon)
        return moved(out, scale, bias).astype(x.dtype), state
    if not x.size:
        raise ValueError(f"fungrad.nn.{api}: x must not be empty in training, got {x.aval.str_short()}")
    axes = tuple(range(x.ndim - 1))
    mean = jnp.mean(wide, axes)
    if axis_name is not None:
        mean = pmean(mean, axis_name)
    variance = jnp.mean(jnp.square(wide - mean), axes)
    if axis_name is not None:
        variance = pmean(variance, axis_name)
    new = {
        name: stop_gradient(momentum * old + (1 - momentum) * value).astype(old.dtype)
        for name, old, value in (("mean", old_mean, mean), ("var", old_var, variance))
    }
    out = standardize(wide, mean=mean, variance=variance, epsilon=epsilon)
    return moved(out, scale, bias).astype(x.dtype), new


publish(globals(), __name__, __all__)
