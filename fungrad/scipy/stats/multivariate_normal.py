"""Multivariate normal distribution.

May import ``core``, ``fungrad.numpy``, ``lax`` and ``stats._base``.
"""

from __future__ import annotations

import math
from typing import Any

import fungrad.numpy as jnp
from fungrad.core.array import Array
from fungrad.core.public_names import publish
from fungrad.numpy import linalg
from fungrad.ops.linalg.triangular import triangular_solve
from fungrad.scipy.stats._base import operands


def logpdf(x: Any, mean: Any, cov: Any, allow_singular: None = None) -> Array:
    """Logarithm of the probability density of a multivariate normal distribution.

    Args:
      x: array of shape ``[..., n]`` (of any shape, if ``mean`` is a number).
      mean: array of shape ``[..., n]``, or a number.
      cov: array of shape ``[..., n, n]``, symmetric and positive definite, or a number, the variance of each part.
      allow_singular: must be None.

    Returns:
      An array of the broadcast shape without the last dimension.

    Raises:
      ValueError: the shapes do not fit.
      NotImplementedError: ``allow_singular`` is given.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad.scipy import stats
      >>> print(stats.multivariate_normal.logpdf(jnp.zeros(2), jnp.zeros(2), jnp.eye(2)).round(4))
      -1.8379
    """
    api = "fungrad.scipy.stats.multivariate_normal.logpdf"
    if allow_singular is not None:
        raise NotImplementedError(
            f"{api}: allow_singular must be None, got {allow_singular!r}; cov must be positive definite"
        )
    x, mean, cov = operands("multivariate_normal.logpdf", x=x, mean=mean, cov=cov)
    log_turn = math.log(2 * math.pi)
    if not mean.ndim:
        return -0.5 * ((x - mean) ** 2 / cov + log_turn + jnp.log(cov))
    n = mean.shape[-1]
    difference = x - mean
    if not cov.ndim:
        return -0.5 * (jnp.sum(difference**2, axis=-1) / cov + n * (log_turn + jnp.log(cov)))
    if cov.ndim < 2 or cov.shape[-2:] != (n, n):
        raise ValueError(f"{api}: cov must have the shape [..., {n}, {n}] for mean {mean.shape}, got {cov.shape}")
    root = linalg.cholesky(cov)
    leading = jnp.broadcast_shapes(difference.shape[:-1], root.shape[:-2])
    if root.ndim == 2:
        # One solve for all points.
        columns = difference.reshape(-1, n).T
        solved = triangular_solve(root, columns, left_side=True, lower=True).T.reshape(difference.shape)
    else:
        columns = jnp.broadcast_to(difference, (*leading, n))[..., None]
        solved = triangular_solve(jnp.broadcast_to(root, (*leading, n, n)), columns, left_side=True, lower=True)[..., 0]
    log_determinant = jnp.sum(jnp.log(jnp.diagonal(root, axis1=-2, axis2=-1)), axis=-1)
    return -0.5 * jnp.sum(solved**2, axis=-1) - 0.5 * n * log_turn - log_determinant


def pdf(x: Any, mean: Any, cov: Any) -> Array:
    """Probability density of a multivariate normal distribution.

    Args:
      x: as for ``logpdf``.
      mean: as for ``logpdf``.
      cov: as for ``logpdf``.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad.scipy import stats
      >>> print(stats.multivariate_normal.pdf(jnp.zeros(2), jnp.zeros(2), jnp.eye(2)).round(4))
      0.1592
    """
    return jnp.exp(logpdf(x, mean, cov))


__all__ = ["logpdf", "pdf"]

publish(globals(), __name__, __all__)
