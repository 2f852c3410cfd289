"""Multinomial distribution.

May import ``core``, ``fungrad.numpy``, ``scipy.special`` and ``stats._base``.
"""

from __future__ import annotations

from typing import Any

import fungrad.numpy as jnp
from fungrad.core.array import Array, as_array
from fungrad.core.public_names import publish
from fungrad.ops._operands import kind_of
from fungrad.scipy import special
from fungrad.scipy.stats._base import operands


def logpmf(x: Any, n: Any, p: Any) -> Array:
    """Logarithm of the probability mass of the multinomial distribution.

    Args:
      x: integer array of shape ``[..., k]``: how often each outcome came.
      n: integer array, number of trials; minus infinity comes out where it is not the sum of ``x``.
      p: array of shape ``[..., k]`` of the probabilities of the outcomes.

    Raises:
      ValueError: ``x`` or ``n`` is not of an integer dtype.

    Example:
      >>> import numpy as np
      >>> from fungrad.scipy import stats
      >>> print(stats.multinomial.logpmf(np.array([1, 1]), 2, np.float32([0.5, 0.5])).round(4))
      -0.6931
    """
    api = "fungrad.scipy.stats.multinomial.logpmf"
    counts, trials = as_array(x, f"{api}: x"), as_array(n, f"{api}: n")
    for name, array in (("x", counts), ("n", trials)):
        if kind_of(array.aval.dtype) not in "iu":
            raise ValueError(f"{api}: {name} must be of an integer dtype, got {array.aval.str_short()}")
    (prob,) = operands("multinomial.logpmf", p=p)
    fits = jnp.sum(counts, axis=-1) == trials
    y, total = counts.astype(prob.dtype), trials.astype(prob.dtype)
    value = special.gammaln(total + 1) + jnp.sum(special.xlogy(y, prob) - special.gammaln(y + 1), axis=-1)
    return jnp.where(fits, value, -jnp.inf)


def pmf(x: Any, n: Any, p: Any) -> Array:
    """Probability mass of the multinomial distribution.

    Args:
      x: as for ``logpmf``.
      n: as for ``logpmf``.
      p: as for ``logpmf``.

    Example:
      >>> import numpy as np
      >>> from fungrad.scipy import stats
      >>> print(stats.multinomial.pmf(np.array([1, 1]), 2, np.float32([0.5, 0.5])).round(4))
      0.5
    """
    return jnp.exp(logpmf(x, n, p))


__all__ = ["logpmf", "pmf"]

publish(globals(), __name__, __all__)
