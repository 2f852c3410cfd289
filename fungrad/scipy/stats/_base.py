"""What the distributions share.

May import ``core`` and ``fungrad.numpy``.
"""

from __future__ import annotations

from typing import Any

import fungrad.numpy as jnp
from fungrad.core import dtypes
from fungrad.core.array import Array, as_array
from fungrad.numpy._promotion import promote_dtypes_inexact


def operands(api: str, **named: Any) -> list[Array]:
    """Operands of one floating dtype, given by their names.

    Raises:
      TypeError: one is not a real array or number.
    """
    api = f"fungrad.scipy.stats.{api}"
    # Python numbers are rounded to the dtype of the others only.
    arrays = [x if isinstance(x, (Array, float, int)) else as_array(x, f"{api}: {name}") for name, x in named.items()]
    for name, x in zip(named, arrays, strict=True):
        if isinstance(x, Array) and (dtypes.is_complex(x.aval.dtype) or dtypes.is_key(x.aval.dtype)):
            raise TypeError(f"{api}: {name} must be real, got {x.aval.str_short()}")
    return promote_dtypes_inexact(api.removeprefix("fungrad."), *arrays)


def standardized(api: str, loc: Any, scale: Any, **named: Any) -> list[Array]:
    """The operands, the first of which has ``loc`` taken off and is divided by ``scale``, and ``scale``."""
    first, *others, place, width = operands(api, **named, loc=loc, scale=scale)
    return [(first - place) / width, *others, width]


def log_of(part: Array, rest: Array) -> Array:
    """The logarithm of a probability, from it and its complement, whichever is the smaller one."""
    low = part < 0.5
    return jnp.where(low, jnp.log(jnp.where(low, part, 1.0)), jnp.log1p(-jnp.where(low, 0.0, rest)))


def log_1m_exp_exp(z: Array) -> Array:
    """log(1 - exp(-exp(z))), which is nearly z for small z."""
    low, high = z < -20, z > -0.5
    t = jnp.exp(z)
    middle = jnp.log(-jnp.expm1(-jnp.where(low, 1.0, t)))
    return jnp.where(low, z - 0.5 * t, jnp.where(high, jnp.log1p(-jnp.exp(-jnp.where(high, t, 1.0))), middle))


def within(q: Array, value: Array) -> Array:
    """A quantile, NaN where ``q`` is no probability."""
    return jnp.where((q >= 0) & (q <= 1), value, jnp.nan)
