"""Distributions with parameters to optimize.

May import ``fungrad.numpy`` and ``fungrad.random``.
"""

from __future__ import annotations

import math
from typing import Any

import fungrad.numpy as jnp
from fungrad import random
from fungrad.core.array import Array


class MultiNormalDiagFromLogScale:
    """Independent normal numbers with means and logarithms of standard deviations.

    Args:
      loc: means.
      log_scale: logarithms of standard deviations, of a shape that broadcasts against that of ``loc``.
    """

    def __init__(self, loc: Any, log_scale: Any) -> None:
        self._mean = jnp.asarray(loc)
        self._log_scale = jnp.asarray(log_scale)
        self._shape = jnp.broadcast_shapes(self._mean.shape, self._log_scale.shape)

    def sample(self, shape: Any, key: Any) -> Array:
        """Random numbers.

        Args:
          shape: of the sample, before the shape of the parameters.
          key: key of ``fungrad.random``.
        """
        normal = random.normal(key, (*shape, *self._shape))
        return normal * jnp.exp(self._log_scale) + self._mean

    def log_prob(self, x: Any) -> Array:
        """The logarithm of the density, added up over the axes of the parameters.

        Args:
          x: array of the shape of the parameters, or with further axes before them.
        """
        z = (x - self._mean) / jnp.exp(self._log_scale)
        density = -0.5 * z**2 - self._log_scale - 0.5 * math.log(2 * math.pi)
        return jnp.sum(density, axis=tuple(range(-len(self._shape), 0)))

    @property
    def log_scale(self) -> Array:
        """Logarithms of standard deviations."""
        return self._log_scale

    @property
    def params(self) -> list[Array]:
        """Means and logarithms of standard deviations."""
        return [self._mean, self._log_scale]


def multi_normal(loc: Any, log_scale: Any) -> MultiNormalDiagFromLogScale:
    """Independent normal numbers with means and logarithms of standard deviations.

    Args:
      loc: means.
      log_scale: logarithms of standard deviations, of a shape that broadcasts against that of ``loc``.

    Returns:
      A distribution with the methods ``sample(shape, key)`` and ``log_prob(x)``.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim, random
      >>> normal = optim.multi_normal(jnp.zeros(3), jnp.zeros(3))
      >>> normal.sample((4,), random.key(0)).shape
      (4, 3)
      >>> print(normal.log_prob(jnp.zeros(3)))
      -2.7568154
    """
    return MultiNormalDiagFromLogScale(loc, log_scale)
