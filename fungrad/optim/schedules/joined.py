"""Schedules one after the other.

May import ``fungrad.numpy``, ``optim.base`` and ``optim.schedules.basic``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import fungrad.numpy as jnp
from fungrad.optim.base import Schedule
from fungrad.optim.schedules.basic import cosine_decay_schedule, exponential_decay, linear_schedule


def join_schedules(schedules: Sequence[Any], boundaries: Sequence[int]) -> Schedule:
    """Schedules one after the other; each counts from its own beginning.

    Args:
      schedules: functions of a number of updates.
      boundaries: numbers of updates at which the second, third ... begin.

    Returns:
      A function of the number of updates so far.

    Raises:
      ValueError: there is not one boundary less than schedules.

    Example:
      >>> from fungrad import optim
      >>> rate = optim.join_schedules([optim.linear_schedule(0.0, 1.0, 2), optim.constant_schedule(5.0)], [3])
      >>> [float(rate(i)) for i in range(5)]
      [0.0, 0.5, 1.0, 5.0, 5.0]
    """
    if len(boundaries) != len(schedules) - 1:
        raise ValueError(
            "fungrad.optim.join_schedules: boundaries must have one element less than schedules, got "
            f"{len(boundaries)} for {len(schedules)} schedules"
        )

    def schedule(count: Any) -> Any:
        value = schedules[0](count)
        for boundary, later in zip(boundaries, schedules[1:], strict=True):
            value = jnp.where(count < boundary, value, later(count - boundary))
        return value

    return schedule


def warmup_cosine_decay_schedule(
    init_value: float,
    peak_value: float,
    warmup_steps: int,
    decay_steps: int,
    end_value: float = 0.0,
    exponent: float = 1.0,
) -> Schedule:
    """Up along a straight line, and down half a wave of a cosine.

    Args:
      init_value: value at first.
      peak_value: the greatest value.
      warmup_steps: number of updates until it.
      decay_steps: number of updates until the end, ``warmup_steps`` included.
      end_value: value at last.
      exponent: of the cosine.

    Returns:
      A function of the number of updates so far.

    Raises:
      ValueError: ``decay_steps`` is not more than ``warmup_steps``.

    Example:
      >>> from fungrad import optim
      >>> rate = optim.warmup_cosine_decay_schedule(0.0, 1.0, warmup_steps=2, decay_steps=6)
      >>> [round(float(rate(i)), 3) for i in (0, 1, 2, 4, 6)]
      [0.0, 0.5, 1.0, 0.5, 0.0]
    """
    if not decay_steps > warmup_steps:
        raise ValueError(
            "fungrad.optim.warmup_cosine_decay_schedule: decay_steps must be more than warmup_steps, got "
            f"{decay_steps} and {warmup_steps}"
        )
    alpha = 0.0 if peak_value == 0.0 else end_value / peak_value
    parts = [
        linear_schedule(init_value, peak_value, warmup_steps),
        cosine_decay_schedule(peak_value, decay_steps - warmup_steps, alpha, exponent),
    ]
    return join_schedules(parts, [warmup_steps])


def warmup_exponential_decay_schedule(
    init_value: float,
    peak_value: float,
    warmup_steps: int,
    transition_steps: int,
    decay_rate: float,
    transition_begin: int = 0,
    staircase: bool = False,
    end_value: float | None = None,
) -> Schedule:
    """Up along a straight line, and down by a factor every ``transition_steps`` updates.

    Args:
      init_value: value at first.
      peak_value: the greatest value.
      warmup_steps: number of updates until it.
      transition_steps, decay_rate, transition_begin, staircase, end_value: as for ``exponential_decay``.

    Returns:
      A function of the number of updates so far.

    Example:
      >>> from fungrad import optim
      >>> rate = optim.warmup_exponential_decay_schedule(0.0, 1.0, warmup_steps=2, transition_steps=1, decay_rate=0.5)
      >>> [float(rate(i)) for i in range(5)]
      [0.0, 0.5, 1.0, 0.5, 0.25]
    """
    parts = [
        linear_schedule(init_value, peak_value, warmup_steps),
        exponential_decay(peak_value, transition_steps, decay_rate, transition_begin, staircase, end_value),
    ]
    return join_schedules(parts, [warmup_steps])


def sgdr_schedule(cosine_kwargs: Iterable[Any]) -> Schedule:
    """Cosine decay with warm restarts: several ``warmup_cosine_decay_schedule`` one after the other.

    Args:
      cosine_kwargs: dicts with the keywords of each.

    Returns:
      A function of the number of updates so far.

    References:
      Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm restarts", 2016.

    Example:
      >>> from fungrad import optim
      >>> cycle = dict(init_value=0.0, warmup_steps=1, decay_steps=3)
      >>> rate = optim.sgdr_schedule([dict(cycle, peak_value=1.0), dict(cycle, peak_value=0.5)])
      >>> [round(float(rate(i)), 3) for i in range(6)]
      [0.0, 1.0, 0.5, 0.0, 0.5, 0.25]
    """
    parts, boundaries, begin = [], [], 0
    for kwargs in cosine_kwargs:
        parts.append(warmup_cosine_decay_schedule(**kwargs))
        begin += kwargs["decay_steps"]
        boundaries.append(begin)
    return join_schedules(parts, boundaries[:-1])
