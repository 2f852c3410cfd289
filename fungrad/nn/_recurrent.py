"""What recurrent layers share: running a step over time.

May import ``core``, ``numpy``, ``control``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import fungrad.numpy as jnp
from fungrad.control.scan import scan
from fungrad.core.array import Array


def over_time(step: Callable[..., Any], carry: Any, x: Array, reverse: bool) -> tuple[Array, Any]:
    """Runs ``step(carry, x) -> (carry, y)`` along the axis before the last one."""
    carry, out = scan(step, carry, jnp.moveaxis(x, -2, 0), reverse=bool(reverse))
    return jnp.moveaxis(out, 0, -2), carry


def check_time(api: str, x: Array) -> None:
    """Raises ValueError unless there is an axis of time."""
    if x.ndim < 2:
        raise ValueError(f"fungrad.nn.{api}: x must have shape [..., time, features], got {x.aval.str_short()}")


def check_carry(api: str, state: Any, shape: tuple[int, ...], name: str = "carry") -> Array:
    """A carry as an array.

    Raises:
      ValueError: it has another shape than the batch and the layer ask for.
    """
    found = jnp.asarray(state)
    if found.shape != shape:
        raise ValueError(f"fungrad.nn.{api}: {name} must have shape {shape}, got {found.shape}")
    return found
