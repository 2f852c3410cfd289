"""Dirichlet distribution.

May import ``core``, ``fungrad.numpy``, ``scipy.special`` and ``stats._base``.
"""

from __future__ import annotations

from typing import Any

import fungrad.numpy as jnp
from fungrad.core.array import Array
from fungrad.core.public_names import publish
from fungrad.scipy import special
from fungrad.scipy.stats._base import operands


def logpdf(x: Any, alpha: Any) -> Array:
    """Logarithm of the probability density of the Dirichlet distribution.

    Args:
      x: array of shape ``[n, ...]`` of positive numbers whose sum along the first dimension is 1, or of shape
        ``[n - 1, ...]``, to which the last number is added; minus infinity comes out elsewhere.
      alpha: vector of ``n`` positive concentrations.

    Returns:
      An array of the shape of ``x`` without its first dimension.

    Raises:
      ValueError: ``alpha`` is not a vector, or ``x`` does not fit it.

    Example:
      >>> import numpy as np
      >>> from fungrad.scipy import stats
      >>> print(stats.dirichlet.logpdf(np.float32([0.25, 0.75]), np.float32([1.0, 1.0])))
      0.0
    """
    x, alpha = operands("dirichlet.logpdf", x=x, alpha=alpha)
    if alpha.ndim != 1:
        raise ValueError(f"fungrad.scipy.stats.dirichlet.logpdf: alpha must be a vector, got {alpha.aval.str_short()}")
    n = alpha.shape[0]
    if x.ndim < 1 or x.shape[0] not in (n, n - 1):
        raise ValueError(
            f"fungrad.scipy.stats.dirichlet.logpdf: the first dimension of x must have the size {n} of alpha, or one "
            f"less, got {x.aval.str_short()}"
        )
    if x.shape[0] != n:
        x = jnp.concatenate([x, 1 - x.sum(0, keepdims=True)])
    simplex = jnp.all(x > 0, axis=0) & (jnp.abs(jnp.sum(x, axis=0) - 1) < 1e-6)
    powers = alpha.reshape(-1, *[1] * (x.ndim - 1)) - 1
    normalization = jnp.sum(special.gammaln(alpha)) - special.gammaln(jnp.sum(alpha))
    value = jnp.sum(special.xlogy(powers, x), axis=0) - normalization
    return jnp.where(simplex, value, -jnp.inf)


def pdf(x: Any, alpha: Any) -> Array:
    """Probability density of the Dirichlet distribution.

    Args:
      x: as for ``logpdf``.
      alpha: as for ``logpdf``.

    Example:
      >>> import numpy as np
      >>> from fungrad.scipy import stats
      >>> print(stats.dirichlet.pdf(np.float32([0.25, 0.75]), np.float32([1.0, 1.0])))
      1.0
    """
    return jnp.exp(logpdf(x, alpha))


__all__ = ["logpdf", "pdf"]

publish(globals(), __name__, __all__)
