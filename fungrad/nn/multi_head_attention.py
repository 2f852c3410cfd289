"""``fungrad.nn.multi_head_attention``: attention with projections of queries, keys, values and results.

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
from fungrad.nn.attention import dot_product_attention

__all__ = ["apply", "init"]


def init(
    key: Any,
    features: int,
    num_heads: int,
    *,
    num_kv_heads: int | None = None,
    kv_features: int | None = None,
    out_features: int | None = None,
    bias: bool = True,
    kernel_init: Callable[..., Any] = initializers.lecun_normal(),  # noqa: B008 (it has no state)
    dtype: Any = None,
) -> dict[str, dict[str, Array]]:
    """The parameters of an attention layer.

    Args:
      key: a random key.
      features: size of the last axis of queries, a multiple of ``num_heads``.
      num_heads: number of heads, each of ``features // num_heads`` features.
      num_kv_heads: number of heads of keys and values, a divisor of ``num_heads``; default the same.
      kv_features: size of the last axis of what is attended to; default ``features``.
      out_features: size of the last axis of what comes out; default ``features``.
      bias: whether projections have biases.
      kernel_init: initializer of the kernels, as matrices.
      dtype: of the parameters; the default floating dtype if None.

    Returns:
      ``{"query", "key", "value", "out"}``, each a dict of ``"kernel"``, of shape ``[features, heads, head_features]``
      (``"out"``: ``[heads, head_features, out_features]``), and ``"bias"``.

    Raises:
      TypeError: a size is no integer, or the key no random key.
      ValueError: the sizes do not fit.

    Example:
      >>> from fungrad import nn, random
      >>> params = nn.multi_head_attention.init(random.key(0), 8, 2)
      >>> params["query"]["kernel"].shape, params["out"]["kernel"].shape
      ((8, 2, 4), (2, 4, 8))
    """
    api = "fungrad.nn.multi_head_attention.init"
    features, heads = index(api, "features", features, 1), index(api, "num_heads", num_heads, 1)
    kv_heads = heads if num_kv_heads is None else index(api, "num_kv_heads", num_kv_heads, 1)
    n_kv = features if kv_features is None else index(api, "kv_features", kv_features, 1)
    n_out = features if out_features is None else index(api, "out_features", out_features, 1)
    if features % heads or heads % kv_heads:
        raise ValueError(
            f"{api}: features must be a multiple of num_heads, and num_heads of num_kv_heads, got {features}, {heads} "
            f"and {kv_heads}"
        )
    size = features // heads
    params = {}
    for name, k, n_in, shape in zip(
        ("query", "key", "value", "out"),
        random.split(key, 4),
        (features, n_kv, n_kv, features),
        ((heads, size), (kv_heads, size), (kv_heads, size), (n_out,)),
        strict=True,
    ):
        columns = shape[0] * size if name != "out" else n_out
        kernel = kernel_init(k, (n_in, columns), dtype)
        leading = (n_in,) if name != "out" else (heads, size)
        params[name] = {"kernel": kernel.reshape(*leading, *shape)}
        if bias:
            params[name]["bias"] = initializers.zeros(None, shape, dtype)
    return params


def apply(
    params: Any, x: Any, memory: Any = None, *, mask: Any = None, bias: Any = None, is_causal: bool = False
) -> Array:
    """Attends from each position of ``x`` to those of ``memory``, or of ``x`` itself.

    Reference: Vaswani et al., https://arxiv.org/abs/1706.03762.

    Args:
      params: what ``init`` has made.
      x: array of shape ``[..., T, features]``.
      memory: what is attended to, of shape ``[..., S, kv_features]``; ``x`` if None.
      mask: booleans that broadcast to ``[batch, heads, T, S]``: which positions a query attends to.
      bias: added to the scaled products; broadcasts likewise.
      is_causal: attend only to the same position and those before.

    Returns:
      An array of shape ``[..., T, out_features]``.

    Raises:
      ValueError: the sizes do not fit.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import nn, random
      >>> params = nn.multi_head_attention.init(random.key(0), 8, 2)
      >>> nn.multi_head_attention.apply(params, jnp.ones((3, 5, 8)), is_causal=True).shape
      (3, 5, 8)
    """
    api = "multi_head_attention.apply"
    parts = {name: parameter(api, params, name) for name in ("query", "key", "value", "out")}
    kernels = {name: jnp.asarray(parameter(api, p, "kernel", f"params[{name!r}]")) for name, p in parts.items()}
    x = operand(api, x, kernels["query"].shape[0])
    memory = x if memory is None else operand(api, memory, kernels["key"].shape[0], name="memory")
    if x.ndim < 2 or x.shape[:-2] != memory.shape[:-2]:
        raise ValueError(
            f"fungrad.nn.{api}: x must have shape [..., positions, features] and memory the same batch, got {x.shape} "
            f"and {memory.shape}"
        )
    batch = x.shape[:-2]

    def project(name: str, values: Array) -> Array:
        values = values.reshape(-1, *values.shape[-2:])
        out = jnp.einsum("btf,fhd->bthd", values, kernels[name])
        return out + parts[name]["bias"] if "bias" in parts[name] else out

    out = dot_product_attention(
        project("query", x), project("key", memory), project("value", memory), bias, mask, is_causal=is_causal
    )
    out = jnp.einsum("bthd,hdf->btf", out, kernels["out"])
    if "bias" in parts["out"]:
        out = out + parts["out"]["bias"]
    return out.reshape(*batch, *out.shape[1:])


publish(globals(), __name__, __all__)
