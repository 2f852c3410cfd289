"""Losses of regression.

May import ``core``, ``numpy`` and ``losses._arguments``.
"""

from __future__ import annotations

import math
from typing import Any

import fungrad.numpy as jnp
from fungrad.core.array import Array
from fungrad.optim.losses._arguments import Axis, array, floating, mask, same_shape


def _errors(api: str, predictions: Any, targets: Any, equal_shapes: bool = False) -> Array:
    predictions = floating(api, "predictions", predictions)
    if targets is None:
        return predictions
    targets = array(api, "targets", targets)
    if equal_shapes:
        same_shape(api, "targets", targets, "predictions", predictions)
    return predictions - targets


def squared_error(predictions: Any, targets: Any = None) -> Array:
    """Squares of the errors, ``(predictions - targets)**2``.

    Args:
      predictions: floating array.
      targets: array of the same shape; None for zeros.

    Returns:
      The loss of each element, an array like ``predictions``.

    Raises:
      ValueError: predictions are not floating, or the shapes differ.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> optim.squared_error(jnp.array([1.0, 3.0]), jnp.array([2.0, 0.0]))
      Array([1., 9.], dtype=float32)
    """
    return jnp.square(_errors("squared_error", predictions, targets, equal_shapes=True))


def l2_loss(predictions: Any, targets: Any = None) -> Array:
    """Half the squares of the errors, whose gradient is the error.

    Args:
      predictions: floating array.
      targets: array of the same shape; None for zeros.

    Returns:
      The loss of each element, an array like ``predictions``.

    Raises:
      ValueError: predictions are not floating, or the shapes differ.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> optim.l2_loss(jnp.array([1.0, 3.0]), jnp.array([2.0, 0.0]))
      Array([0.5, 4.5], dtype=float32)
    """
    return 0.5 * jnp.square(_errors("l2_loss", predictions, targets, equal_shapes=True))


def huber_loss(predictions: Any, targets: Any = None, *, delta: Any = 1.0) -> Array:
    """Half the squares of small errors, and ``delta * (|error| - delta / 2)`` for those larger than ``delta``.

    The gradient is the error, clipped to ``[-delta, delta]``.

    Reference: Huber, https://doi.org/10.1214/aoms/1177703732.

    Args:
      predictions: floating array.
      targets: array that broadcasts against it; None for zeros.
      delta: where the parabola becomes a line.

    Returns:
      The loss of each element.

    Raises:
      ValueError: predictions are not floating.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> optim.huber_loss(jnp.array([0.5, 3.0]))
      Array([0.125, 2.5  ], dtype=float32)
    """
    distance = jnp.abs(_errors("huber_loss", predictions, targets))
    # The line is what the parabola leaves of the distance, so that no gradient counts twice at their border.
    curved = jnp.minimum(distance, delta)
    return 0.5 * jnp.square(curved) + delta * (distance - curved)


def log_cosh(predictions: Any, targets: Any = None) -> Array:
    """Logarithms of the hyperbolic cosines of the errors: a parabola for small ones, a line for large ones.

    Args:
      predictions: floating array.
      targets: array that broadcasts against it; None for zeros.

    Returns:
      The loss of each element, without overflow for large errors and without cancellation for small ones.

    Raises:
      ValueError: predictions are not floating.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> optim.log_cosh(jnp.array([0.0, 1000.0])).round(1)
      Array([  0. , 999.3], dtype=float32)
    """
    errors = _errors("log_cosh", predictions, targets)
    small = jnp.abs(errors) < 1
    # log cosh x = log(1 + sinh(x)**2) / 2; the difference of logarithms would lose the digits of small results.
    near = 0.5 * jnp.log1p(jnp.square(jnp.sinh(jnp.where(small, errors, 0))))
    return jnp.where(small, near, jnp.logaddexp(errors, -errors) - math.log(2.0))


def cosine_similarity(
    predictions: Any, targets: Any, *, epsilon: Any = 0.0, axis: Axis = -1, where: Any = None
) -> Array:
    """Cosines of the angles between vectors, from -1 to 1.

    Args:
      predictions: floating array of vectors.
      targets: floating array of vectors, which broadcasts against it.
      epsilon: least squared norm; what is shorter counts as of that norm.  With 0, a vector of zeros gives NaN.
      axis: one or several dimensions that the components are in; None for all.
      where: booleans that broadcast to the vectors: the components that take part.

    Returns:
      An array of one element per vector.

    Raises:
      ValueError: an argument is not floating, or there is no such axis.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> optim.cosine_similarity(jnp.array([[1.0, 0.0], [3.0, 0.0]]), jnp.array([0.0, 2.0]))
      Array([0., 0.], dtype=float32)
    """
    return _similarity("cosine_similarity", predictions, targets, epsilon, axis, where)


def _similarity(api: str, predictions: Any, targets: Any, epsilon: Any, axis: Axis, where: Any) -> Array:
    a, b = floating(api, "predictions", predictions), floating(api, "targets", targets)
    where = mask(api, where, a if a.ndim >= b.ndim else b, axis)
    units = []
    for x in (a, b):
        squares = jnp.sum(jnp.square(x), axis, where=where, keepdims=True)
        units.append(x / jnp.sqrt(jnp.maximum(squares, epsilon)))
    return jnp.sum(units[0] * units[1], axis, where=where)


def cosine_distance(predictions: Any, targets: Any, *, epsilon: Any = 0.0, axis: Axis = -1, where: Any = None) -> Array:
    """1 less the cosines of the angles between vectors, from 0 to 2.

    Args:
      predictions: floating array of vectors.
      targets: floating array of vectors, which broadcasts against it.
      epsilon: least squared norm; what is shorter counts as of that norm.  With 0, a vector of zeros gives NaN.
      axis: one or several dimensions that the components are in; None for all.
      where: booleans that broadcast to the vectors: the components that take part.

    Returns:
      An array of one element per vector.

    Raises:
      ValueError: an argument is not floating, or there is no such axis.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> optim.cosine_distance(jnp.array([1.0, 0.0]), jnp.array([-2.0, 0.0]))
      Array(2., dtype=float32)
    """
    return 1.0 - _similarity("cosine_distance", predictions, targets, epsilon, axis, where)
