"""Products of matrices in block-scaled formats of few bits, whose blocks share a scale.

On a CPU they save memory, not time: operands are widened to float32 and multiplied by the ordinary kernels.  The
formats are those of the Open Compute Project's "Microscaling formats (MX) specification", 2023, and NVFP4.

May import ``core``, ``ops``, ``transforms`` and ``numpy``.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

import fungrad.numpy as jnp
from fungrad.core import dtypes
from fungrad.core.array import Array, as_array
from fungrad.ops.dot import dot_general
from fungrad.transforms.custom_rules import custom_vjp

__all__ = ["get_scaled_dot_general_config", "scaled_dot_general", "scaled_matmul"]


@dataclass(frozen=True, eq=False)
class BlockScaleConfig:
    """How an operand is written with few bits.

    Attributes:
      mode: ``"mxfp8"`` or ``"nvfp4"``.
      block_size: how many neighbours along the contracted dimension share a scale.
      data_type: dtype of the elements.
      scale_type: dtype of the scales.
      global_scale: float32 array of one number by which all is divided first, or None.
      infer_only: whether there are no gradients.
    """

    mode: str
    block_size: int
    data_type: Any
    scale_type: Any
    global_scale: Any
    infer_only: bool


def get_scaled_dot_general_config(mode: str, global_scale: Any = None) -> BlockScaleConfig:
    """The description of a block-scaled format, for ``scaled_dot_general``.

    Args:
      mode: ``"mxfp8"`` (float8_e4m3fn in blocks of 32 with powers of two) or ``"nvfp4"`` (float4_e2m1fn in blocks of 16
        with scales in float8_e4m3fn and one scale for all).
      global_scale: the scale for all of ``"nvfp4"``, a float32 array of shape ``[1]``; default 1.

    Raises:
      ValueError: there is no such format.

    Example:
      >>> from fungrad import nn
      >>> nn.get_scaled_dot_general_config("mxfp8").block_size
      32
    """
    if mode == "mxfp8":
        return BlockScaleConfig(mode, 32, dtypes.float8_e4m3fn, dtypes.float8_e8m0fnu, None, False)
    if mode == "nvfp4":
        scale = jnp.ones((1,), "float32") if global_scale is None else global_scale
        return BlockScaleConfig(mode, 16, dtypes.float4_e2m1fn, dtypes.float8_e4m3fn, scale, False)
    raise ValueError(f"fungrad.nn.get_scaled_dot_general_config: mode must be 'mxfp8' or 'nvfp4', got {mode!r}")


def scaled_matmul(
    lhs: Any, rhs: Any, lhs_scales: Any, rhs_scales: Any, preferred_element_type: Any = np.float32
) -> Array:
    """Products of batches of matrices given as elements and scales of blocks of them.

    Args:
      lhs: array of shape ``[b, m, k]``.
      rhs: array of shape ``[b, n, k]``.
      lhs_scales: array of shape ``[b, m, k / block]``: each scale is for ``block`` neighbours along the last dimension.
      rhs_scales: array of shape ``[b, n, k / block]``.
      preferred_element_type: dtype of the result.

    Returns:
      An array of shape ``[b, m, n]``: sums of products of scaled elements, computed in float32.

    Raises:
      ValueError: the shapes do not fit.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import nn
      >>> a, b = jnp.array([[[1.0, 2, 3]]]), jnp.array([[[4.0, 5, 6]]])
      >>> half = jnp.full((1, 1, 1), 0.5)
      >>> nn.scaled_matmul(a, b, half, half)
      Array([[[8.]]], dtype=float32)
    """
    api = "fungrad.nn.scaled_matmul"
    named = {"lhs": lhs, "rhs": rhs, "lhs_scales": lhs_scales, "rhs_scales": rhs_scales}
    a, b, a_scales, b_scales = (as_array(x, f"{api}: {name}") for name, x in named.items())
    for name, x in zip(named, (a, b, a_scales, b_scales), strict=True):
        if x.ndim != 3:
            raise ValueError(f"{api}: {name} must have three dimensions, got {x.aval.str_short()}")
    if (a.shape[0], a.shape[2]) != (b.shape[0], b.shape[2]):
        raise ValueError(f"{api}: lhs and rhs must have the same first and last dimension, got {a.shape} and {b.shape}")
    for name, x, scales in (("lhs_scales", a, a_scales), ("rhs_scales", b, b_scales)):
        blocks = scales.shape[2]
        if scales.shape[:2] != x.shape[:2] or not blocks or x.shape[2] % blocks:
            raise ValueError(
                f"{api}: {name} must have the first two dimensions of its matrix, {x.shape}, and a last one that "
                f"divides {x.shape[2]}, got {scales.shape}"
            )
    if a_scales.shape[2] != b_scales.shape[2]:
        raise ValueError(
            f"{api}: lhs_scales and rhs_scales must have as many blocks, got {a_scales.shape} and {b_scales.shape}"
        )
    found = dtypes.canonicalize_dtype(preferred_element_type, api)
    product = jnp.einsum("bmk,bnk->bmn", _scaled(a, a_scales), _scaled(b, b_scales))
    return product.astype(found)


def _scaled(x: Array, scales: Array) -> Array:
    block = x.shape[-1] // scales.shape[-1]
    return x.astype("float32") * jnp.repeat(scales.astype("float32"), block, axis=-1)


def scaled_dot_general(
    lhs: Any,
    rhs: Any,
    dimension_numbers: Any,
    preferred_element_type: Any = np.float32,
    configs: Any = None,
    implementation: Any = None,
) -> Array:
    """General product of operands that are first written in a block-scaled format, for training as on such hardware.

    Gradients pass the rounding as if it were not there (straight-through); in ``"mxfp8"`` the cotangent is rounded too.

    Args:
      lhs: array.
      rhs: array.
      dimension_numbers: as for ``fungrad.lax.dot_general``.
      preferred_element_type: dtype of the result: float32, bfloat16 or float16.
      configs: formats of ``lhs``, ``rhs`` and the cotangent, from ``get_scaled_dot_general_config``; None for the exact
        product.
      implementation: not needed here.

    Returns:
      An array with batch dimensions, then those of ``lhs``, then those of ``rhs``.

    Raises:
      TypeError: ``configs`` are no formats.
      ValueError: a contracted size is no multiple of the size of the blocks.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import nn
      >>> configs = [nn.get_scaled_dot_general_config("mxfp8")] * 3
      >>> x = jnp.ones((2, 64))
      >>> nn.scaled_dot_general(x, x, (((1,), (1,)), ((), ())), configs=configs)
      Array([[64., 64.],
             [64., 64.]], dtype=float32)
    """
    api = "fungrad.nn.scaled_dot_general"
    a, b = as_array(lhs, f"{api}: lhs"), as_array(rhs, f"{api}: rhs")
    found = dtypes.canonicalize_dtype(preferred_element_type, api)
    try:
        (contract, batch) = (tuple(tuple(d) for d in pair) for pair in dimension_numbers)
    except (TypeError, ValueError):
        raise ValueError(
            f"{api}: dimension_numbers must be ((lhs_contracting, rhs_contracting), (lhs_batch, rhs_batch)), got "
            f"{dimension_numbers!r}"
        ) from None
    numbers: Any = (contract, batch)
    if configs is None:
        return dot_general(a, b, numbers, preferred_element_type=found)
    if len(configs) != 3 or not all(isinstance(c, BlockScaleConfig) for c in configs):
        raise TypeError(
            f"{api}: configs must be three results of fungrad.nn.get_scaled_dot_general_config, for lhs, rhs and the "
            f"cotangent, got {configs!r}"
        )
    for name, x, dims, config in (("lhs", a, contract[0], configs[0]), ("rhs", b, contract[1], configs[1])):
        size = math.prod(x.shape[d] for d in dims)
        if size % config.block_size or not size:
            raise ValueError(
                f"{api}: the contracted size of {name}, {size}, must be a multiple of {config.block_size}, the block "
                f"of {config.mode}"
            )
    return _product(numbers, found, _Configs(tuple(configs)), a, b)


@dataclass(frozen=True, eq=False)
class _Configs:
    configs: tuple[BlockScaleConfig, ...]


@functools.partial(custom_vjp, nondiff_argnums=(0, 1, 2))
def _product(numbers: Any, dtype: Any, formats: _Configs, a: Array, b: Array) -> Array:
    (a_contract, b_contract), _ = numbers
    first, second, _ = formats.configs
    a, b = _rounded(a, a_contract, first), _rounded(b, b_contract, second)
    return dot_general(a, b, numbers, preferred_element_type=np.float32).astype(dtype)


def _forward(numbers: Any, dtype: Any, formats: _Configs, a: Array, b: Array) -> Any:
    return _product(numbers, dtype, formats, a, b), (a, b)


def _backward(numbers: Any, dtype: Any, formats: _Configs, residuals: Any, g: Array) -> Any:
    a, b = residuals
    (a_contract, b_contract), (a_batch, b_batch) = numbers
    first, second, third = formats.configs
    a_kept, b_kept = (
        [d for d in range(x.ndim) if d not in (*contract, *batch)]
        for x, contract, batch in ((a, a_contract, a_batch), (b, b_contract, b_batch))
    )
    n = len(a_batch)
    of_a, of_b = range(n, n + len(a_kept)), range(n + len(a_kept), g.ndim)
    back = []
    for x, config, other, other_config, mine, theirs, own in (
        (a, first, b, second, (a_contract, a_batch, a_kept), (b_contract, b_batch, b_kept), (of_a, of_b)),
        (b, second, a, first, (b_contract, b_batch, b_kept), (a_contract, a_batch, a_kept), (of_b, of_a)),
    ):
        contract, batch, kept = mine
        other_contract, other_batch, other_kept = theirs
        ct, factor = g.astype("float32"), other.astype("float32")
        if third.mode == "mxfp8":
            ct, factor = _rounded(ct, tuple(own[1]), third), _rounded(factor, tuple(other_kept), other_config)
        dims = ((tuple(own[1]), tuple(other_kept)), (tuple(range(n)), tuple(other_batch)))
        product = dot_general(ct, factor, dims, preferred_element_type=np.float32)
        # Dimensions: batch, kept ones of x, and the contracted ones in the order of the other operand.
        rest = [d for d in range(other.ndim) if d not in (*other_kept, *other_batch)]
        order = [*batch, *kept, *[contract[list(other_contract).index(d)] for d in rest]]
        gradient = jnp.transpose(product, np.argsort(order).tolist())
        if third.mode == "nvfp4":
            # What has been clipped moves nothing.
            limit = float(dtypes.finfo(config.data_type).max) * float(dtypes.finfo(config.scale_type).max)
            gradient = jnp.where(jnp.abs(x) <= config.global_scale * limit, gradient, 0)
        back.append(gradient.astype(x.dtype))
    return tuple(back)


_product.defvjp(_forward, _backward)


def _rounded(x: Array, contract: tuple[int, ...], config: BlockScaleConfig) -> Array:
    """``x`` as its block-scaled format gives it back; blocks run along the contracted dimensions.

    Where the contracted size is no multiple of the block, it is left as it is.
    """
    size = math.prod(x.shape[d] for d in contract)
    if not size or size % config.block_size:
        return x
    kept = [d for d in range(x.ndim) if d not in contract]
    order = [*kept, *sorted(contract)]
    moved = jnp.transpose(x.astype("float32"), order)
    blocks = moved.reshape(*[x.shape[d] for d in kept], size // config.block_size, config.block_size)
    greatest = float(dtypes.finfo(config.data_type).max)
    scales = jnp.max(jnp.abs(blocks), axis=-1, keepdims=True) / greatest
    outer: Any = 1.0
    if config.mode == "mxfp8":
        # The next power of two.
        fraction, exponent = jnp.frexp(scales)
        exponent = jnp.where(fraction == 0.5, exponent - 1, exponent)
        scales = jnp.where(scales > 0, jnp.ldexp(jnp.ones_like(scales), jnp.clip(exponent, -126, 127)), 2.0**-126)
    else:
        outer = config.global_scale.astype("float32")
        blocks, scales = blocks / outer, scales / outer
        largest = float(dtypes.finfo(config.scale_type).max)
        scales = jnp.clip(scales, 0, largest).astype(config.scale_type).astype("float32")
    divided = jnp.where(scales > 0, blocks / jnp.where(scales > 0, scales, 1.0), 0.0)
    written = jnp.clip(divided, -greatest, greatest).astype(config.data_type).astype("float32")
    back = (written * scales * outer).reshape(moved.shape)
    return jnp.transpose(back, np.argsort(order).tolist())
