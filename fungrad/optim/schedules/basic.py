"""Schedules: functions of the number of updates so far that give a learning rate or another hyperparameter.

May import ``fungrad.numpy`` and ``optim.base``.
"""

from __future__ import annotations

from typing import Any

import fungrad.numpy as jnp
from fungrad.optim.base import Schedule


def constant_schedule(value: Any) -> Schedule:
    """The same value always.

    Args:
      value: a number.

    Example:
      >>> from fungrad import optim
      >>> optim.constant_schedule(0.1)(100)
      0.1
    """
    return lambda count: value


def polynomial_schedule(
    init_value: float, end_value: float, power: float, transition_steps: int, transition_begin: int = 0
) -> Schedule:
    """From one value to another along a power: ``(init_value - end_value) * (1 - t)**power + end_value``, where ``t``
    goes from 0 to 1 in ``transition_steps`` updates.

    Args:
      init_value: value at first.
      end_value: value at last.
      power: exponent; 1 for a straight line.
      transition_steps: number of updates of the way; without any the value stays ``init_value``.
      transition_begin: number of updates before the way begins.

    Returns:
      A function of the number of updates so far.

    Example:
      >>> from fungrad import optim
      >>> rate = optim.polynomial_schedule(1.0, 0.0, power=2, transition_steps=4)
      >>> [float(rate(i)) for i in range(6)]
      [1.0, 0.5625, 0.25, 0.0625, 0.0, 0.0]
    """
    if transition_steps <= 0:
        return constant_schedule(init_value)
    begin = max(transition_begin, 0)

    def schedule(count: Any) -> Any:
        left = 1 - jnp.clip(count - begin, 0, transition_steps) / transition_steps
        return (init_value - end_value) * left**power + end_value

    return schedule


def linear_schedule(
    init_value: float, end_value: float, transition_steps: int, transition_begin: int = 0
) -> Schedule:
    """From one value to another along a straight line.

    Args:
      init_value: value at first.
      end_value: value at last.
      transition_steps: number of updates of the way; without any the value stays ``init_value``.
      transition_begin: number of updates before the way begins.

    Returns:
      A function of the number of updates so far.

    Example:
      >>> from fungrad import optim
      >>> rate = optim.linear_schedule(1.0, 0.0, transition_steps=4)
      >>> [float(rate(i)) for i in range(6)]
      [1.0, 0.75, 0.5, 0.25, 0.0, 0.0]
    """
    return polynomial_schedule(init_value, end_value, 1, transition_steps, transition_begin)


def _check_scales(api: str, boundaries_and_scales: Any) -> None:
    for boundary, factor in (boundaries_and_scales or {}).items():
        if factor < 0:
            raise ValueError(
                f"fungrad.optim.{api}: boundaries_and_scales[{boundary}] must be a factor of at least 0, got {factor}"
            )


def piecewise_constant_schedule(init_value: float, boundaries_and_scales: dict[int, float] | None = None) -> Schedule:
    """Constant between boundaries, at each of which the value is multiplied by a factor.

    Args:
      init_value: value at first.
      boundaries_and_scales: factors by numbers of updates.

    Returns:
      A function of the number of updates so far.

    Raises:
      ValueError: a factor is negative.

    Example:
      >>> from fungrad import optim
      >>> rate = optim.piecewise_constant_schedule(1.0, {2: 0.5, 4: 0.1})
      >>> [round(float(rate(i)), 3) for i in range(6)]
      [1.0, 1.0, 0.5, 0.5, 0.05, 0.05]
    """
    _check_scales("piecewise_constant_schedule", boundaries_and_scales)

    def schedule(count: Any) -> Any:
        value: Any = init_value
        for boundary, factor in sorted((boundaries_and_scales or {}).items()):
            value = jnp.where(count >= boundary, factor * value, value)
        return value

    return schedule


def step_decay_schedule(init_value: float, step_size: int, decay_rate: float = 0.1) -> Schedule:
    """Constant for ``step_size`` updates, then multiplied by ``decay_rate``, and so on:
    ``init_value * decay_rate ** (count // step_size)``.

    Args:
      init_value: value at first.
      step_size: number of updates between changes.
      decay_rate: factor of each.

    Returns:
      A function of the number of updates so far.

    Raises:
      ValueError: ``step_size`` is less than 1.

    Example:
      >>> from fungrad import optim
      >>> rate = optim.step_decay_schedule(1.0, step_size=2, decay_rate=0.5)
      >>> [float(rate(i)) for i in range(6)]
      [1.0, 1.0, 0.5, 0.5, 0.25, 0.25]
    """
    if step_size < 1:
        raise ValueError(f"fungrad.optim.step_decay_schedule: step_size must be at least 1, got {step_size}")
    return exponential_decay(init_value, step_size, decay_rate, staircase=True)


def inverse_square_root_schedule(init_value: float, warmup_steps: int = 0, timescale: float = 1.0) -> Schedule:
    """Rises along a straight line to ``init_value``, and then falls with the root of the number of updates:
    ``init_value / sqrt(1 + (count - warmup_steps) / timescale)``.

    Args:
      init_value: the greatest value.
      warmup_steps: number of updates until it.
      timescale: number of updates after which the square of the value has fallen to half.

    Returns:
      A function of the number of updates so far.

    Raises:
      ValueError: ``timescale`` is not positive, or ``warmup_steps`` is negative.

    References:
      Vaswani et al., "Attention is all you need", 2017, section 5.3, for ``timescale`` equal to ``warmup_steps``.

    Example:
      >>> from fungrad import optim
      >>> rate = optim.inverse_square_root_schedule(1.0, warmup_steps=4)
      >>> [float(rate(i)) for i in (0, 2, 4, 7)]
      [0.0, 0.5, 1.0, 0.5]
    """
    if warmup_steps < 0 or timescale <= 0:
        raise ValueError(
            "fungrad.optim.inverse_square_root_schedule: warmup_steps must be at least 0 and timescale positive, got "
            f"{warmup_steps} and {timescale}"
        )

    def schedule(count: Any) -> Any:
        rising = count / warmup_steps if warmup_steps else 1.0
        falling = 1 / jnp.sqrt(1 + jnp.maximum(count - warmup_steps, 0) / timescale)
        return init_value * jnp.where(count < warmup_steps, rising, falling)

    return schedule


def exponential_decay(
    init_value: float,
    transition_steps: int,
    decay_rate: float,
    transition_begin: int = 0,
    staircase: bool = False,
    end_value: float | None = None,
) -> Schedule:
    """Decay by a factor every ``transition_steps`` updates: ``init_value * decay_rate ** (count / transition_steps)``.

    Args:
      init_value: value at first.
      transition_steps: number of updates for one factor; without any the value stays ``init_value``.
      decay_rate: the factor; 0 for none.
      transition_begin: number of updates before the decay begins.
      staircase: whether the exponent is rounded down to an integer.
      end_value: the least value (the greatest, if ``decay_rate`` is more than 1); None for none.

    Returns:
      A function of the number of updates so far.

    Example:
      >>> from fungrad import optim
      >>> rate = optim.exponential_decay(1.0, transition_steps=2, decay_rate=0.25, end_value=0.2)
      >>> [round(float(rate(i)), 3) for i in range(4)]
      [1.0, 0.5, 0.25, 0.2]
    """
    if transition_steps <= 0 or decay_rate == 0:
        return constant_schedule(init_value)
    begin = max(transition_begin, 0)
    limit = jnp.maximum if decay_rate < 1.0 else jnp.minimum

    def schedule(count: Any) -> Any:
        since = jnp.asarray(count) - begin
        exponent = since / transition_steps
        if staircase:
            exponent = jnp.floor(exponent)
        value = jnp.where(since <= 0, init_value, init_value * jnp.power(decay_rate, exponent))
        return value if end_value is None else limit(value, end_value)

    return schedule


def cosine_decay_schedule(
    init_value: float, decay_steps: int, alpha: float = 0.0, exponent: float = 1.0
) -> Schedule:
    """Down half a wave of a cosine: ``init_value * ((1 - alpha) * ((1 + cos(pi * count / decay_steps)) / 2)**exponent
    + alpha)``.

    Args:
      init_value: value at first.
      decay_steps: number of updates of the way; afterwards the value stays.
      alpha: value at last, as a part of ``init_value``.
      exponent: of the cosine.

    Returns:
      A function of the number of updates so far.

    Raises:
      ValueError: ``decay_steps`` is not positive.

    References:
      Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm restarts", 2016.

    Example:
      >>> from fungrad import optim
      >>> rate = optim.cosine_decay_schedule(1.0, decay_steps=4)
      >>> [round(float(rate(i)), 3) for i in (0, 2, 4, 6)]
      [1.0, 0.5, 0.0, 0.0]
    """
    if not decay_steps > 0:
        raise ValueError(f"fungrad.optim.cosine_decay_schedule: decay_steps must be positive, got {decay_steps!r}")
    steps = float(decay_steps) if isinstance(decay_steps, int) else decay_steps

    def schedule(count: Any) -> Any:
        done = jnp.minimum(float(count) if isinstance(count, int) else count, steps)
        wave = 0.5 * (1 + jnp.cos(jnp.pi * done / steps))
        return init_value * ((1 - alpha) * wave**exponent + alpha)

    return schedule


def _along_line(start: Any, end: Any, part: Any) -> Any:
    return (end - start) * part + start


def _along_cosine(start: Any, end: Any, part: Any) -> Any:
    return end + (start - end) / 2.0 * (jnp.cos(jnp.pi * part) + 1)


_WAYS = {"linear": _along_line, "cosine": _along_cosine}


def piecewise_interpolate_schedule(
    interpolate_type: str, init_value: float, boundaries_and_scales: dict[int, float] | None = None
) -> Schedule:
    """Interpolates between values at boundaries, each of which is the one before times a factor.

    Args:
      interpolate_type: ``"linear"`` or ``"cosine"``.
      init_value: value at first.
      boundaries_and_scales: factors by numbers of updates.

    Returns:
      A function of the number of updates so far.

    Raises:
      ValueError: ``interpolate_type`` is neither, or a factor is negative.

    Example:
      >>> from fungrad import optim
      >>> rate = optim.piecewise_interpolate_schedule('linear', 1.0, {2: 3.0, 4: 0.0})
      >>> [float(rate(i)) for i in range(6)]
      [1.0, 2.0, 3.0, 1.5, 0.0, 0.0]
    """
    if interpolate_type not in _WAYS:
        raise ValueError(
            "fungrad.optim.piecewise_interpolate_schedule: interpolate_type must be linear or cosine, got "
            f"{interpolate_type!r}"
        )
    _check_scales("piecewise_interpolate_schedule", boundaries_and_scales)
    pairs = sorted((boundaries_and_scales or {}).items())
    between = _WAYS[interpolate_type]

    def schedule(count: Any) -> Any:
        bounds = jnp.array([0, *[boundary for boundary, _ in pairs]])
        values = jnp.cumprod(jnp.array([float(init_value), *[float(factor) for _, factor in pairs]]))
        starts, ends = bounds[:-1], bounds[1:]
        inside = (starts <= count) & (count < ends)
        ways = between(values[:-1], values[1:], (count - starts) / jnp.maximum(ends - starts, 1))
        return jnp.sum(jnp.where(inside, ways, 0.0)) + jnp.where(bounds[-1] <= count, values[-1], 0.0)

    return schedule


def _check_positive(api: str, transition_steps: Any) -> None:
    if transition_steps <= 0:
        raise ValueError(f"fungrad.optim.{api}: transition_steps must be positive, got {transition_steps}")


def linear_onecycle_schedule(
    transition_steps: int,
    peak_value: float,
    pct_start: float = 0.3,
    pct_final: float = 0.85,
    div_factor: float = 25.0,
    final_div_factor: float = 1e4,
) -> Schedule:
    """One cycle along straight lines: up to the peak, down to where it started, and further down to the end.

    Args:
      transition_steps: number of updates of the cycle.
      peak_value: the greatest value.
      pct_start: part of the cycle at which it is reached.
      pct_final: part of the cycle at which the value is that of the start again.
      div_factor: ``peak_value`` over the value at first.
      final_div_factor: value at first over the value at last.

    Returns:
      A function of the number of updates so far.

    Raises:
      ValueError: ``transition_steps`` is not positive.

    References:
      Smith and Topin, "Super-convergence: very fast training of neural networks using large learning rates", 2018.

    Example:
      >>> from fungrad import optim
      >>> rate = optim.linear_onecycle_schedule(10, peak_value=1.0, div_factor=10.0, final_div_factor=10.0)
      >>> [round(float(rate(i)), 3) for i in (0, 3, 8, 10)]
      [0.1, 1.0, 0.1, 0.01]
    """
    _check_positive("linear_onecycle_schedule", transition_steps)
    boundaries = {
        int(pct_start * transition_steps): div_factor,
        int(pct_final * transition_steps): 1.0 / div_factor,
        transition_steps: 1.0 / final_div_factor,
    }
    return piecewise_interpolate_schedule("linear", peak_value / div_factor, boundaries)


def cosine_onecycle_schedule(
    transition_steps: int,
    peak_value: float,
    pct_start: float = 0.3,
    div_factor: float = 25.0,
    final_div_factor: float = 1e4,
) -> Schedule:
    """One cycle along cosines: up to the peak, and down to the end.

    Args:
      transition_steps: number of updates of the cycle.
      peak_value: the greatest value.
      pct_start: part of the cycle at which it is reached.
      div_factor: ``peak_value`` over the value at first.
      final_div_factor: value at first over the value at last.

    Returns:
      A function of the number of updates so far.

    Raises:
      ValueError: ``transition_steps`` is not positive.

    References:
      Smith and Topin, "Super-convergence: very fast training of neural networks using large learning rates", 2018.

    Example:
      >>> from fungrad import optim
      >>> rate = optim.cosine_onecycle_schedule(10, peak_value=1.0, div_factor=10.0, final_div_factor=10.0)
      >>> [round(float(rate(i)), 3) for i in (0, 3, 10)]
      [0.1, 1.0, 0.01]
    """
    _check_positive("cosine_onecycle_schedule", transition_steps)
    boundaries = {
        int(pct_start * transition_steps): div_factor,
        int(transition_steps): 1.0 / (div_factor * final_div_factor),
    }
    return piecewise_interpolate_schedule("cosine", peak_value / div_factor, boundaries)


def warmup_constant_schedule(init_value: float, peak_value: float, warmup_steps: int) -> Schedule:
    """Up along a straight line, and constant from there.

    Args:
      init_value: value at first.
      peak_value: value at last.
      warmup_steps: number of updates of the way.

    Returns:
      A function of the number of updates so far.

    Example:
      >>> from fungrad import optim
      >>> rate = optim.warmup_constant_schedule(0.0, 1.0, warmup_steps=4)
      >>> [float(rate(i)) for i in (0, 2, 4, 6)]
      [0.0, 0.5, 1.0, 1.0]
    """
    return linear_schedule(init_value, peak_value, warmup_steps)
