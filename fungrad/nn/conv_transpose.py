"""``fungrad.nn.conv_transpose``: a transposed convolution with biases, features last.

May import ``core``, ``numpy``, ``lax`` and the modules of ``nn`` before it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import fungrad.numpy as jnp
from fungrad import lax
from fungrad.core.array import Array
from fungrad.core.public_names import publish
from fungrad.nn import conv, initializers
from fungrad.nn._parameters import operand, parameter
from fungrad.nn._spatial import channels_last, check_rank, one_batch, padding_of, per_axis

__all__ = ["apply", "init"]


def init(
    key: Any,
    in_features: int,
    out_features: int,
    kernel_size: int | Sequence[int],
    *,
    bias: bool = True,
    kernel_init: Callable[..., Any] = initializers.lecun_normal(),  # noqa: B008 (it has no state)
    bias_init: Callable[..., Any] = initializers.zeros,
    dtype: Any = None,
) -> dict[str, Array]:
    """The parameters of a transposed convolution, which are those of a convolution.

    Args:
      key, in_features, out_features, kernel_size, bias, kernel_init, bias_init, dtype: as for ``nn.conv.init``.

    Returns:
      ``{"kernel": [*kernel_size, in_features, out_features], "bias": [out_features]}``.

    Raises:
      TypeError: a size is no integer, or the key no random key.

    Example:
      >>> from fungrad import nn, random, tree
      >>> tree.map(lambda p: p.shape, nn.conv_transpose.init(random.key(0), 8, 3, 4))
      {'bias': (3,), 'kernel': (4, 8, 3)}
    """
    per_axis("conv_transpose.init", "kernel_size", kernel_size)
    return conv.init(
        key, in_features, out_features, kernel_size, bias=bias, kernel_init=kernel_init, bias_init=bias_init,
        dtype=dtype,
    )  # fmt: skip


def apply(
    params: Any,
    x: Any,
    *,
    strides: int | Sequence[int] = 1,
    padding: str | int | Sequence[tuple[int, int]] = "SAME",
    kernel_dilation: int | Sequence[int] = 1,
    transpose_kernel: bool = False,
) -> Array:
    """The transposed convolution, features last: ``strides`` times as many results as there are elements.

    Args:
      params: what ``init`` has made.
      x: array of shape ``[..., *spatial, in_features]``, with any number of dimensions in front.
      strides: results per element, an integer for all spatial dimensions or one for each.
      padding: ``"SAME"``, ``"VALID"``, a pair (low, high) for each spatial dimension, or an integer for all ends, as in
        ``lax.conv_transpose``.
      kernel_dilation: distance of neighbouring elements of the kernel.
      transpose_kernel: whether the kernel is that of a convolution in the other direction, ``[*kernel_size,
        out_features, in_features]``, and turned.

    Returns:
      An array of shape ``[..., *spatial, out_features]``.

    Raises:
      TypeError: an argument is of the wrong kind.
      ValueError: the parameters are not those of a convolution, or the sizes do not fit.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import nn
      >>> twice = {"kernel": jnp.ones((2, 1, 1))}
      >>> nn.conv_transpose.apply(twice, jnp.array([[1.0], [2.0]]), strides=2)[:, 0]
      Array([1., 1., 2., 2.], dtype=float32)
    """
    api = "conv_transpose.apply"
    kernel = jnp.asarray(parameter(api, params, "kernel"))
    if kernel.ndim < 2:
        raise ValueError(
            f"fungrad.nn.{api}: the kernel in params must have shape [*spatial, inputs, outputs], got "
            f"{kernel.aval.str_short()}"
        )
    count = kernel.ndim - 2
    x = operand(api, x, kernel.shape[-1 if transpose_kernel else -2])
    check_rank(api, x, count)
    dtype = jnp.promote_types(x.dtype, kernel.dtype)
    batch, lead = one_batch(x.astype(dtype), count)
    out = lax.conv_transpose(
        batch, kernel.astype(dtype), per_axis(api, "strides", strides, count), padding_of(padding, count),
        per_axis(api, "kernel_dilation", kernel_dilation, count), channels_last(count), bool(transpose_kernel),
    )  # fmt: skip
    bias = parameter(api, params, "bias", optional=True)
    if bias is not None:
        out = out + bias
    return out if len(lead) == 1 else out.reshape(*lead, *out.shape[1:])


publish(globals(), __name__, __all__)
