"""Random changes of examples: pure functions of a key, to be jitted and mapped.

May import ``core``, ``numpy``, ``lax``, ``nn`` and ``random``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

import fungrad.numpy as jnp
from fungrad import lax, nn, random
from fungrad.core import tree
from fungrad.core.arguments import index, integers, number
from fungrad.core.array import Array, as_array
from fungrad.core.context import Tracer
from fungrad.transforms.mapping import vmap


def _batch(api: str, x: Any, least: int = 1) -> Array:
    found = as_array(x, f"fungrad.data.{api}: x")
    if found.ndim < least:
        raise ValueError(f"fungrad.data.{api}: x must have a first axis of examples, got {found.aval.str_short()}")
    return found


def _axes(api: str, name: str, axes: Any, x: Array) -> tuple[int, ...]:
    found = integers(f"fungrad.data.{api}", name, axes)
    if any(not -x.ndim < d < x.ndim or d % x.ndim == 0 for d in found):
        raise ValueError(
            f"fungrad.data.{api}: {name} must be axes of x other than the first, that of the examples, got {axes} for "
            f"{x.aval.str_short()}"
        )
    return tuple([d % x.ndim for d in found])


def shift(key: Any, x: Any, amount: int | Sequence[int], *, axes: Sequence[int] = (1, 2), fill: Any = 0) -> Array:
    """Moves each example by a random number of positions; what comes in from outside is ``fill``.

    Args:
      key: a random key.
      x: array of shape ``[batch, ...]``.
      amount: how far at most, to both sides; one for each axis, or for all.
      axes: the axes to move along, height and width of images ``[batch, height, width, ...]``.
      fill: value of new positions.

    Returns:
      An array like ``x``.

    Raises:
      ValueError: there are no such axes, or an amount is negative.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import data, random
      >>> data.shift(random.key(1), jnp.arange(1.0, 5.0)[None], 1, axes=(1,))
      Array([[2., 3., 4., 0.]], dtype=float32)
    """
    x = _batch("shift", x)
    along = _axes("shift", "axes", axes, x)
    amounts = integers("fungrad.data.shift", "amount", amount, 0)
    amounts = amounts * len(along) if len(amounts) == 1 else amounts
    if len(amounts) != len(along):
        raise ValueError(f"fungrad.data.shift: amount must have one number for each of axes={axes}, got {amount}")
    widths = [(0, 0)] * x.ndim
    for d, a in zip(along, amounts, strict=True):
        widths[d] = (a, a)
    padded = jnp.pad(x, widths, constant_values=fill)
    return _windows(key, padded, x.shape)


def _within(api: str, name: str, value: Any, low: float, high: float = np.inf, open_ended: bool = False) -> None:
    """Checks that a number is between bounds, if its value is known.

    Raises:
      TypeError: it is no number.
      ValueError: it is outside.
    """
    number(f"fungrad.data.{api}", name, value)
    if isinstance(value, Tracer) or np.ndim(value):
        return
    if not low <= float(value) <= high or (open_ended and float(value) == low):
        bounds = f"greater than {low}" if open_ended else f"at least {low}" if high == np.inf else f"{low} to {high}"
        raise ValueError(f"fungrad.data.{api}: {name} must be {bounds}, got {value}")


def _windows(key: Any, x: Array, shape: tuple[int, ...]) -> Array:
    """A window of ``shape`` of each example, at a random place."""
    keys = random.split(key, x.shape[0])

    def one(k: Any, example: Array) -> Array:
        slack = [n - m + 1 for n, m in zip(example.shape, shape[1:], strict=True)]
        starts = [
            random.randint(part, (), 0, room) if room > 1 else 0
            for part, room in zip(random.split(k, max(1, len(slack))), slack, strict=False)
        ]
        return lax.dynamic_slice(example, starts, shape[1:])

    return vmap(one)(keys, x)


def crop(key: Any, x: Any, size: int | Sequence[int], *, padding: int = 0, axes: Sequence[int] = (1, 2)) -> Array:
    """A random window of each example.

    Args:
      key: a random key.
      x: array of shape ``[batch, ...]``.
      size: of the window; one for each axis, or for all.
      padding: zeros to put around first.
      axes: the axes of the window, height and width of images ``[batch, height, width, ...]``.

    Returns:
      An array like ``x``, but for the sizes along ``axes``.

    Raises:
      ValueError: there are no such axes, or the window is larger than an example.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import data, random
      >>> data.crop(random.key(0), jnp.ones((3, 32, 32, 1)), 28).shape
      (3, 28, 28, 1)
    """
    x = _batch("crop", x)
    along = _axes("crop", "axes", axes, x)
    sizes = integers("fungrad.data.crop", "size", size, 1)
    sizes = sizes * len(along) if len(sizes) == 1 else sizes
    padding = index("fungrad.data.crop", "padding", padding, 0)
    if len(sizes) != len(along) or any(s > x.shape[d] + 2 * padding for s, d in zip(sizes, along, strict=True)):
        raise ValueError(
            f"fungrad.data.crop: size must be at most the size of x along axes={axes} with its padding, got {size} for "
            f"{x.aval.str_short()}"
        )
    shape, widths = list(x.shape), [(0, 0)] * x.ndim
    for d, s in zip(along, sizes, strict=True):
        shape[d], widths[d] = s, (padding, padding)
    return _windows(key, jnp.pad(x, widths), tuple(shape))


def flip(key: Any, x: Any, *, axis: int = 2, probability: Any = 0.5) -> Array:
    """Turns some examples round, as in a mirror.

    Args:
      key: a random key.
      x: array of shape ``[batch, ...]``.
      axis: the axis to reverse; 2 is the width of images ``[batch, height, width, ...]``.
      probability: share of the examples that are turned.

    Returns:
      An array like ``x``.

    Raises:
      ValueError: there is no such axis.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import data, random
      >>> data.flip(random.key(0), jnp.arange(3.0)[None], axis=1, probability=1.0)
      Array([[2., 1., 0.]], dtype=float32)
    """
    x = _batch("flip", x)
    (along,) = _axes("flip", "axis", axis, x)
    _within("flip", "probability", probability, 0, 1)
    turned = random.bernoulli(key, probability, (x.shape[0],))
    return jnp.where(turned.reshape(-1, *[1] * (x.ndim - 1)), jnp.flip(x, along), x)


def noise(key: Any, x: Any, stddev: Any = 0.1) -> Array:
    """Adds normally distributed numbers.

    Args:
      key: a random key.
      x: floating array.
      stddev: their standard deviation.

    Returns:
      An array like ``x``.

    Raises:
      ValueError: ``x`` is not floating.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import data, random
      >>> data.noise(random.key(0), jnp.zeros(2), 0.5).round(2)
      Array([0.81, 1.01], dtype=float32)
    """
    x = _batch("noise", x, 0)
    if not jnp.issubdtype(x.dtype, jnp.floating):
        raise ValueError(f"fungrad.data.noise: x must have a floating dtype, got {x.aval.str_short()}")
    _within("noise", "stddev", stddev, 0)
    return (x + stddev * random.normal(key, x.shape, x.dtype)).astype(x.dtype)


def mixup(key: Any, batch: Any, alpha: Any = 0.2) -> Any:
    """Mixes each example with another one, labels likewise: ``share * a + (1 - share) * b``.

    Reference: Zhang et al., https://arxiv.org/abs/1710.09412.

    Args:
      key: a random key.
      batch: tree of floating arrays ``[batch, ...]``: examples and labels as probabilities (see ``nn.one_hot``).
      alpha: shares are of the distribution Beta(alpha, alpha), one for each example; a positive number.

    Returns:
      A tree like ``batch``.

    Raises:
      ValueError: an array is not floating.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import data, nn, random
      >>> x, y = data.mixup(random.key(0), (jnp.eye(4), nn.one_hot(jnp.arange(4), 4)))
      >>> bool(jnp.all(x == y)), y.sum(1)
      (True, Array([1., 1., 1., 1.], dtype=float32))
    """
    for path, leaf in tree.leaves_with_path(batch):
        if not jnp.issubdtype(jnp.asarray(leaf).dtype, jnp.floating) or not jnp.ndim(leaf):
            raise ValueError(
                f"fungrad.data.mixup: batch{tree.keystr(path)} must have a floating dtype and an axis of examples; use "
                "nn.one_hot for labels"
            )
    _within("mixup", "alpha", alpha, 0, open_ended=True)
    leaves = [jnp.asarray(leaf) for leaf in tree.leaves(batch)]
    if not leaves:
        return batch
    count = leaves[0].shape[0]
    first, second = random.split(key)
    order = random.permutation(first, count)
    share = _beta(second, alpha, count)

    def mixed(x: Any) -> Array:
        x = jnp.asarray(x)
        s = share.astype(x.dtype).reshape(-1, *[1] * (x.ndim - 1))
        return s * x + (1 - s) * x[order]

    return tree.map(mixed, batch)


def _beta(key: Any, alpha: Any, count: int) -> Array:
    """Numbers of the distribution Beta(alpha, alpha), without rejections.

    For ``alpha + 1`` they are the abscissas of points in a disk (Ulrich, https://doi.org/10.1007/BF02281707); their
    logits, with those of ``U**(1 / alpha)`` for a quotient of gamma variables, are those for ``alpha``.
    """
    radius, angle, first, second = random.uniform(key, (4, count), minval=1e-38)
    t = jnp.sqrt(1 - radius ** (2 / (2 * alpha + 1))) * jnp.cos(2 * math.pi * angle)
    logit = jnp.log1p(t) - jnp.log1p(-t)
    return nn.sigmoid(logit + (jnp.log(first) - jnp.log(second)) / alpha)
