"""``fungrad.nn.conv``: a convolution with biases, features last.

May import ``core``, ``numpy``, ``lax`` and the modules of ``nn`` before it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import fungrad.numpy as jnp
from fungrad import random
from fungrad.core.arguments import index
from fungrad.core.array import Array
from fungrad.core.public_names import publish
from fungrad.lax import conv_general_dilated
from fungrad.nn import initializers
from fungrad.nn._parameters import operand, parameter
from fungrad.nn._spatial import channels_last, check_rank, one_batch, padding_of, per_axis

__all__ = ["apply", "init"]


def init(
    key: Any,
    in_features: int,
    out_features: int,
    kernel_size: int | Sequence[int],
    *,
    feature_group_count: int = 1,
    bias: bool = True,
    kernel_init: Callable[..., Any] = initializers.lecun_normal(),  # noqa: B008 (it has no state)
    bias_init: Callable[..., Any] = initializers.zeros,
    dtype: Any = None,
) -> dict[str, Array]:
    """The parameters of a convolution.

    Args:
      key: a random key.
      in_features: size of the last axis of what goes in.
      out_features: size of the last axis of what comes out.
      kernel_size: size of the kernel along each spatial dimension; an integer for a single one.
      feature_group_count: number of groups of features, as for ``apply``.
      bias: whether there is one.
      kernel_init: initializer of the kernel.
      bias_init: initializer of the bias.
      dtype: of the parameters; the default floating dtype if None.

    Returns:
      ``{"kernel": [*kernel_size, in_features // feature_group_count, out_features], "bias": [out_features]}``.

    Raises:
      TypeError: a size is no integer, or the key no random key.
      ValueError: the groups do not divide the features.

    Example:
      >>> from fungrad import nn, random, tree
      >>> tree.map(lambda p: p.shape, nn.conv.init(random.key(0), 3, 8, (5, 5)))
      {'bias': (8,), 'kernel': (5, 5, 3, 8)}
    """
    api = "fungrad.nn.conv.init"
    size = per_axis("conv.init", "kernel_size", kernel_size)
    inputs, outputs = index(api, "in_features", in_features, 0), index(api, "out_features", out_features, 0)
    groups = index(api, "feature_group_count", feature_group_count, 1)
    if inputs % groups or outputs % groups:
        raise ValueError(
            f"{api}: feature_group_count must divide in_features={inputs} and out_features={outputs}, got {groups}"
        )
    kernel_key, bias_key = random.split(key)
    params = {"kernel": kernel_init(kernel_key, (*size, inputs // groups, outputs), dtype)}
    if bias:
        params["bias"] = bias_init(bias_key, (outputs,), dtype)
    return params


def apply(
    params: Any,
    x: Any,
    *,
    strides: int | Sequence[int] = 1,
    padding: str | int | Sequence[tuple[int, int]] = "SAME",
    kernel_dilation: int | Sequence[int] = 1,
    feature_group_count: int = 1,
) -> Array:
    """The convolution, features last.

    Args:
      params: what ``init`` has made.
      x: array of shape ``[..., *spatial, in_features]``, with any number of dimensions in front.
      strides: distance of neighbouring windows, an integer for all spatial dimensions or one for each.
      padding: ``"SAME"``, ``"VALID"``, ``"SAME_LOWER"``, a pair (low, high) for each spatial dimension, or an integer
        for all ends.
      kernel_dilation: distance of neighbouring elements of the kernel.
      feature_group_count: number of groups of features that are convolved by themselves; ``in_features`` for a
        depthwise convolution.

    Returns:
      An array of shape ``[..., *spatial, out_features]``.

    Raises:
      TypeError: an argument is of the wrong kind.
      ValueError: the parameters are not those of a convolution, or the sizes do not fit.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import nn
      >>> edges = {"kernel": jnp.array([-1.0, 1.0]).reshape(2, 1, 1)}
      >>> nn.conv.apply(edges, jnp.array([[0.0], [0.0], [1.0], [1.0]]), padding="VALID")[:, 0]
      Array([0., 1., 0.], dtype=float32)
    """
    api = "conv.apply"
    kernel = jnp.asarray(parameter(api, params, "kernel"))
    if kernel.ndim < 2:
        raise ValueError(
            f"fungrad.nn.{api}: the kernel in params must have shape [*spatial, inputs, outputs], got "
            f"{kernel.aval.str_short()}"
        )
    count = kernel.ndim - 2
    groups = index(f"fungrad.nn.{api}", "feature_group_count", feature_group_count, 1)
    x = operand(api, x, kernel.shape[-2] * groups)
    check_rank(api, x, count)
    if kernel.shape[-1] % groups:
        raise ValueError(
            f"fungrad.nn.{api}: feature_group_count must divide the {kernel.shape[-1]} outputs of the kernel, got "
            f"{groups}"
        )
    dtype = jnp.promote_types(x.dtype, kernel.dtype)
    batch, lead = one_batch(x.astype(dtype), count)
    out = conv_general_dilated(
        batch, kernel.astype(dtype), per_axis(api, "strides", strides, count), padding_of(padding, count), None,
        per_axis(api, "kernel_dilation", kernel_dilation, count), channels_last(count), groups,
    )  # fmt: skip
    bias = parameter(api, params, "bias", optional=True)
    if bias is not None:
        out = out + bias
    return out if len(lead) == 1 else out.reshape(*lead, *out.shape[1:])


publish(globals(), __name__, __all__)
