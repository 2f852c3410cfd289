"""Limiting updates: element by element, by norms of arrays, by the norm of all, for each example.

May import ``fungrad.numpy``, ``transforms`` and the modules of ``optim`` that every transformation may import.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import fungrad.numpy as jnp
from fungrad.core import tree
from fungrad.core.array import Array
from fungrad.optim._formulas import square
from fungrad.optim._leafwise import map_leaves
from fungrad.optim._naming import naming
from fungrad.optim.base import (
    EmptyState,
    GradientTransformationExtraArgs,
    Params,
    Updates,
    needs_params,
    stateless,
)
from fungrad.optim.numerics import root_mean_square
from fungrad.optim.tree.arithmetic import norm
from fungrad.transforms.mapping import vmap

ClipState = EmptyState
ClipByGlobalNormState = EmptyState
AdaptiveGradClipState = EmptyState


@naming("clip")
def clip(max_delta: float) -> GradientTransformationExtraArgs:
    """Limits each element of updates to the interval from ``-max_delta`` to ``max_delta``.

    Args:
      max_delta: the greatest magnitude.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> opt = optim.clip(1.0)
      >>> print(opt.update(jnp.array([0.5, -3.0]), opt.init(jnp.ones(2)))[0])
      [ 0.5 -1. ]
    """

    def clipped(leaves: Sequence[Any], _: Sequence[Any], np_: Any) -> tuple[Any]:
        return (np_.clip(leaves[0], -max_delta, max_delta),)

    return stateless(lambda updates, params: map_leaves(clipped, (updates,))[0])


@naming("clip_by_block_rms")
def clip_by_block_rms(threshold: float) -> GradientTransformationExtraArgs:
    """Scales the update of each parameter array so that its root mean square is at most ``threshold``.

    Args:
      threshold: the greatest root mean square.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> opt = optim.clip_by_block_rms(1.0)
      >>> print(opt.update(jnp.array([2.0, -2.0]), opt.init(jnp.ones(2)))[0])
      [ 1. -1.]
    """

    def clipped(g: Any) -> Any:
        return g / jnp.maximum(1.0, root_mean_square(g) / threshold)

    return stateless(lambda updates, params: tree.map(clipped, updates))


@naming("clip_by_global_norm")
def clip_by_global_norm(max_norm: float) -> GradientTransformationExtraArgs:
    """Scales updates so that the norm of all of them is at most ``max_norm``.

    Args:
      max_norm: the greatest norm.

    References:
      Pascanu et al., "On the difficulty of training recurrent neural networks", 2012.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> opt = optim.clip_by_global_norm(1.0)
      >>> print(opt.update(jnp.array([3.0, 4.0]), opt.init(jnp.ones(2)))[0])
      [0.6 0.8]
    """

    def apply(updates: Updates, params: Params | None) -> Updates:
        size = norm(updates)
        small = size < max_norm
        return tree.map(lambda g: jnp.where(small, g, (g / size.astype(g.dtype) * max_norm).astype(g.dtype)), updates)

    return stateless(apply)


def unitwise_norm(x: Any, axis: int | tuple[int, ...] | None = None) -> Array:
    """The norms of the weights of each unit, repeated to the shape of the weights.

    Args:
      x: weights: a vector (one unit), a matrix or stack of them (units along the last axis), or a kernel of a
        convolution with 4 or 5 axes (units along the last).
      axis: over which to add up; default by the number of axes.

    Raises:
      ValueError: ``x`` has more than 5 axes and ``axis`` is not given.
    """
    x = jnp.asarray(x)
    if axis is None:
        if jnp.squeeze(x).ndim <= 1:
            axis = tuple(range(x.ndim))
        elif x.ndim <= 5:
            axis = 0 if x.ndim <= 3 else tuple(range(x.ndim - 1))
        else:
            raise ValueError(f"fungrad.optim.transforms.unitwise_norm: pass axis for an array of shape {x.shape}")
    return jnp.broadcast_to(jnp.sqrt(jnp.sum(square(x, jnp), axis=axis, keepdims=True)), x.shape)


def unitwise_clip(g_norm: Any, max_norm: Any, grad: Any, div_eps: float = 1e-6) -> Array:
    """Scales gradients whose norm is too large.

    Args:
      g_norm: norms, like ``grad``.
      max_norm: the greatest norms, like ``grad``.
      grad: gradients.
      div_eps: the least norm to divide by.

    Raises:
      ValueError: the shapes are not the same.
    """
    shapes = [jnp.shape(g_norm), jnp.shape(max_norm), jnp.shape(grad)]
    if len(set(shapes)) > 1:
        raise ValueError(
            f"fungrad.optim.transforms.unitwise_clip: g_norm, max_norm and grad must have one shape, got {shapes}"
        )
    return jnp.where(g_norm < max_norm, grad, grad * (max_norm / jnp.maximum(g_norm, div_eps)))


@naming("adaptive_grad_clip")
def adaptive_grad_clip(
    clipping: float, eps: float = 1e-3, axis: int | tuple[int, ...] | None = None
) -> GradientTransformationExtraArgs:
    """Scales the gradient of each unit so that its norm is at most a multiple of that of the unit's weights.

    Args:
      clipping: greatest ratio of the norms.
      eps: the least norm of weights that counts.
      axis: over which norms are taken; default as in ``transforms.unitwise_norm``.

    References:
      Brock et al., "High-performance large-scale image recognition without normalization", 2021.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> tx = optim.adaptive_grad_clip(0.01)
      >>> params, grads = jnp.ones(2), jnp.array([1.0, -2.0])
      >>> updates, state = tx.update(grads, tx.init(params), params)
      >>> print(updates.round(3))
      [ 0.006 -0.013]
    """

    def clipped(g: Any, p: Any) -> Any:
        return unitwise_clip(unitwise_norm(g, axis), clipping * jnp.maximum(unitwise_norm(p, axis), eps), g)

    def apply(updates: Updates, params: Params | None) -> Updates:
        needs_params("adaptive_grad_clip", params)
        return tree.map(clipped, updates, params)

    return stateless(apply)


def _check_examples(api: str, grads: Any) -> None:
    sizes = set()
    for path, g in tree.flatten_with_path(grads)[0]:
        sizes.add(jnp.shape(g)[:1])
        if not jnp.ndim(g) or len(sizes) > 1:
            raise ValueError(
                f"fungrad.optim.{api}: grads must have one gradient for each example along the first axis, got an "
                f"array of shape {jnp.shape(g)} at grads{tree.keystr(path)}"
            )


def per_example_global_norm_clip(grads: Any, l2_norm_clip: float) -> tuple[Any, Any]:
    """Clips the gradient of each example by its global norm, and adds them up.

    Args:
      grads: tree of arrays with one gradient for each example along the first axis.
      l2_norm_clip: the greatest norm of one gradient.

    Returns:
      The sum of clipped gradients, and how many have been clipped.

    Raises:
      ValueError: leaves have different numbers of examples.

    References:
      Abadi et al., "Deep learning with differential privacy", 2016.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> total, clipped = optim.per_example_global_norm_clip(jnp.array([[3.0, 4.0], [0.1, 0.0]]), 1.0)
      >>> print(total, clipped)
      [0.70000005 0.8       ] 1
    """
    _check_examples("per_example_global_norm_clip", grads)
    sizes = vmap(norm)(grads)
    factors = jnp.nan_to_num(jnp.minimum(l2_norm_clip / sizes, 1.0), nan=1.0)
    return tree.map(lambda g: jnp.tensordot(factors, g, axes=1), grads), jnp.sum(factors < 1.0)


def per_example_layer_norm_clip(grads: Any, global_l2_norm_clip: float, uniform: bool = True) -> tuple[Any, Any]:
    """Clips the gradient of each example array by array, and adds them up; the norm of a whole gradient is then at most
    ``global_l2_norm_clip``.

    Args:
      grads: tree of arrays with one gradient for each example along the first axis.
      global_l2_norm_clip: the greatest norm of one gradient.
      uniform: whether all arrays get the same part of it; else larger ones get more.

    Returns:
      The sum of clipped gradients, and a tree that says how many have been clipped.

    Raises:
      ValueError: leaves have different numbers of examples.

    References:
      McMahan et al., "A general approach to adding differential privacy to iterative training procedures", 2018.
    """
    _check_examples("per_example_layer_norm_clip", grads)
    leaves, treedef = tree.flatten(grads)
    parts = [1.0 if uniform else g[0].size for g in leaves]
    pairs = [
        per_example_global_norm_clip(g, global_l2_norm_clip * (part / sum(parts)) ** 0.5)
        for g, part in zip(leaves, parts, strict=True)
    ]
    totals, counts = zip(*pairs, strict=True) if pairs else ((), ())
    return tree.unflatten(treedef, totals), tree.unflatten(treedef, counts)
