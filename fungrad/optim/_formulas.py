"""The formulas that several transformations share, for one leaf: moments, their corrections, counts.

Formulas get ``np_``, which is ``fungrad.numpy``, or ``numpy`` where ``map_leaves`` evaluates them on ndarrays.

May import ``fungrad.numpy``, ``fungrad.lax`` and ``core``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

import fungrad.numpy as jnp
from fungrad import lax
from fungrad.core import tree
from fungrad.core.arguments import shown
from fungrad.core.array import ArrayImpl, wrap_unchecked
from fungrad.core.avals import ShapedArray
from fungrad.optim._eager import is_plain

# The type of counts, and the greatest one: they are counted by NumPy where nothing is traced.
_COUNT = ShapedArray((), np.dtype(np.int32))
_GREATEST = np.iinfo(np.int32).max


def square(g: Any, np_: Any) -> Any:
    """Squared magnitude, real."""
    return g.real**2 + g.imag**2 if np_.iscomplexobj(g) else g * g


def decayed(value: Any, average: Any, decay: Any) -> Any:
    """The next exponential moving average: ``(1 - decay) * value + decay * average``."""
    return (1 - decay) * value + decay * average


def rsqrt(x: Any, np_: Any) -> Any:
    """One over the square root."""
    return 1 / np.sqrt(x) if np_ is np else lax.rsqrt(x)


def like(x: Any, other: Any) -> Any:
    """``x`` in the dtype of ``other``."""
    return x if x.dtype == other.dtype and not getattr(x, "weak_type", False) else x.astype(other.dtype)


def cast(x: Any, dtype: Any) -> Any:
    """``x`` in a dtype; None for its own."""
    return x if dtype is None else x.astype(dtype)


def next_count(count: Any) -> Any:
    """``count + 1``, but the greatest number of its dtype stays: a count that wrapped would be negative.

    Raises:
      ValueError: it is neither an integer nor a floating-point number.
    """
    if type(count) is ArrayImpl and count.aval is _COUNT and is_plain():
        return wrap_unchecked(np.asarray(count._data + (count._data < _GREATEST), np.int32), _COUNT)
    count = jnp.asarray(count)
    if jnp.issubdtype(count.dtype, jnp.integer):
        return count + (count < jnp.iinfo(count.dtype).max).astype(count.dtype)
    if jnp.issubdtype(count.dtype, jnp.floating):
        return jnp.minimum(count + 1, jnp.finfo(count.dtype).max)
    raise ValueError(f"count must be an integer or a floating-point number, got {shown(count)}")


def zero_count() -> Any:
    """The number of updates before the first: an int32 scalar."""
    return jnp.zeros((), jnp.int32)


def gained(decay: Any, count: Any, wide: bool) -> Any:
    """How much of a mean of ``count`` values is not its start at zero, ``1 - decay ** count``.

    Args:
      decay: of the mean.
      count: number of values.
      wide: whether to compute in 64 bit, for parameters that have them.
    """
    return 1 - (jnp.asarray(decay, jnp.float64) if wide else decay) ** count


def is_wide(moments: Any) -> bool:
    """Whether a tree has leaves of 64 bit (128 for complex ones)."""
    return any([v.dtype.itemsize >= (16 if v.dtype.kind == "c" else 8) for v in tree.leaves(moments)])


def corrected(mean: Any, gain: Any) -> Any:
    """A mean corrected for its start at zero."""
    return mean / like(gain, mean)


def looked_ahead(m: Any, g: Any, decay: Any, gains: Sequence[Any]) -> Any:
    """Nesterov's first moment: corrected means of the next step, with the gradient that is known in place of it.

    Args:
      m: first moment, after this update.
      g: gradient.
      decay: of the moment.
      gains: ``gained`` after this update, and after the next.
    """
    return decay * corrected(m, gains[1]) + (1 - decay) * corrected(g, gains[0])
