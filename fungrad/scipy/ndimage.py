"""Interpolation of images, under the names of ``jax.scipy.ndimage``.

May import ``core``, ``fungrad.numpy`` and ``scipy._operands``.
"""

from __future__ import annotations

import functools
import itertools
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import fungrad.numpy as jnp
from fungrad import lax
from fungrad.core import dtypes
from fungrad.core.array import Array
from fungrad.core.public_names import publish
from fungrad.scipy._operands import number, operand


def _mirrored(index: Array, size: int) -> Array:
    """Positions mirrored at the centres of the first and the last element."""
    last = size - 1
    # A triangular wave of period 2 * last; a single element is its own mirror.
    return jnp.abs((index + last) % (2 * last) - last) if last else jnp.zeros_like(index)


def _reflected(index: Array, size: int) -> Array:
    """Positions mirrored at the edges of the first and the last element: those of an array twice as fine, whose odd
    positions are the centres."""
    return (_mirrored(2 * index + 1, 2 * size + 1) - 1) // 2


# Where positions outside are read, by mode.
_MODES: dict[str, Callable[[Array, int], Array]] = {
    "constant": lambda index, size: jnp.clip(index, 0, max(size - 1, 0)),
    "nearest": lambda index, size: jnp.clip(index, 0, size - 1),
    "wrap": lambda index, size: index % size,
    "mirror": _mirrored,
    "reflect": _reflected,
}


def _is_integer(x: Array) -> bool:
    return not dtypes.is_inexact(x.aval.dtype)


def _neighbours(at: Array, order: int) -> list[tuple[Array, Any]]:
    """The positions along an axis that a value is made of, with their weights."""
    if order == 0:
        return [((at if _is_integer(at) else lax.round(at)).astype(jnp.int32), None)]
    if _is_integer(at):
        at = at.astype(dtypes.to_inexact_dtype(at.aval.dtype))
    low = jnp.floor(at)
    above = at - low
    first = low.astype(jnp.int32)
    return [(first, 1 - above), (first + 1, above)]


def map_coordinates(
    input: Any, coordinates: Sequence[Any] | Array, order: int, mode: str = "constant", cval: Any = 0.0
) -> Array:
    """Values of an array at positions between its elements.

    Args:
      input: array.
      coordinates: positions along each axis of ``input``: arrays of one shape, which is that of the result.
      order: 0 for the nearest element, 1 for linear interpolation.
      mode: what is outside: ``"constant"`` (``cval``), ``"nearest"`` (the last element), ``"wrap"`` (the array again),
        ``"mirror"`` and ``"reflect"`` (its mirror image, without or with a repeated element at the edge).
      cval: value outside for ``mode="constant"``.

    Returns:
      An array of the dtype of ``input``; integers are rounded.

    Raises:
      TypeError: an argument is no array.
      ValueError: there are not as many arrays of coordinates as axes.
      NotImplementedError: another ``order`` or ``mode``.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad.scipy import ndimage
      >>> image = jnp.array([[0.0, 1.0], [2.0, 3.0]])
      >>> print(ndimage.map_coordinates(image, [jnp.array([0.5, 1.0]), jnp.array([0.5, 0.0])], order=1))
      [1.5 2. ]
    """
    api = "fungrad.scipy.ndimage.map_coordinates"
    x = operand("ndimage.map_coordinates", "input", input)
    where = [operand("ndimage.map_coordinates", "coordinates", c) for c in coordinates]
    if len(where) != x.ndim:
        raise ValueError(f"{api}: coordinates must have one array per axis of input, got {len(where)} for {x.ndim}")
    if mode not in _MODES:
        raise NotImplementedError(f"{api}: mode must be one of {', '.join(map(repr, _MODES))}, got {mode!r}")
    if operator.index(order) not in (0, 1):
        raise NotImplementedError(f"{api}: order must be 0 or 1, got {order}")
    cval = number("ndimage.map_coordinates", "cval", cval, x.dtype)
    axes = []
    for at, size in zip(where, x.shape, strict=True):
        nodes = []
        for index, weight in _neighbours(at, order):
            inside = (index >= 0) & (index < size) if mode == "constant" else None
            nodes.append((_MODES[mode](index, size), inside, weight))
        axes.append(nodes)
    terms = []
    for corner in itertools.product(*axes):
        indices, insides, weights = zip(*corner, strict=True)
        value = x[tuple(indices)]
        if mode == "constant":
            value = jnp.where(functools.reduce(operator.and_, insides), value, cval)
        factors = [w for w in weights if w is not None]
        terms.append(functools.reduce(operator.mul, [*factors, value]))
    total = functools.reduce(operator.add, terms)
    if np.dtype(x.dtype).kind in "iu" and not _is_integer(total):
        total = lax.round(total)
    return total.astype(x.dtype)


__all__ = ["map_coordinates"]

publish(globals(), __name__, __all__)
