"""Scaling by a mean of gradients and a mean of their squares: Adam and its relatives.

May import ``fungrad.numpy`` and the modules of ``optim`` that every transformation may import.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import fungrad.numpy as jnp
from fungrad.core import tree
from fungrad.optim._formulas import (
    cast,
    corrected,
    decayed,
    gained,
    is_wide,
    like,
    looked_ahead,
    next_count,
    square,
    zero_count,
)
from fungrad.optim._leafwise import map_leaves
from fungrad.optim._naming import naming
from fungrad.optim.base import GradientTransformationExtraArgs, OptState, Params, Updates, check_state


def _zeros(params: Params, dtype: Any = None) -> Params:
    return tree.map(lambda p: jnp.zeros_like(p, dtype=dtype), params)


class ScaleByAdamState(NamedTuple):
    """State of ``scale_by_adam``, and of ``scale_by_adamax``, ``scale_by_yogi`` and ``scale_by_radam``.

    Attributes:
      count: number of updates so far, int32 scalar.
      mu: first moment, like the parameters.
      nu: second moment, like the parameters.
    """

    count: Any
    mu: Updates
    nu: Updates


@naming("scale_by_adam", floating=True)
def scale_by_adam(
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-8,
    eps_root: float = 0.0,
    mu_dtype: Any = None,
    *,
    nesterov: bool = False,
) -> GradientTransformationExtraArgs:
    """Adam's rescaling: the mean of gradients over the root of the mean of their squares, both corrected for their
    start at zero, ``m / (1 - b1**t) / (sqrt(v / (1 - b2**t) + eps_root) + eps)``.

    Args:
      b1: decay of the first moment.
      b2: decay of the second moment.
      eps: added to the root.
      eps_root: added under the root; makes derivatives through the update finite at zero.
      mu_dtype: dtype of the first moment; default that of the parameters.
      nesterov: whether the first moment looks one step ahead (NAdam).

    References:
      Kingma and Ba, "Adam: a method for stochastic optimization", 2014. Dozat, "Incorporating Nesterov momentum into
      Adam", 2016.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> tx = optim.scale_by_adam()
      >>> params, grads = jnp.ones(2), jnp.array([1.0, -2.0])
      >>> updates, state = tx.update(grads, tx.init(params), params)
      >>> print(updates.round(3))
      [ 1. -1.]
    """

    def init(params: Params) -> ScaleByAdamState:
        return ScaleByAdamState(zero_count(), _zeros(params, mu_dtype), _zeros(params))

    def update(updates: Updates, state: OptState, params: Params | None = None, **extra: Any) -> tuple:
        check_state(state, ScaleByAdamState)
        count = next_count(state.count)
        wide = is_wide(state.nu)
        gains = [gained(b1, count, wide), gained(b2, count, wide)]
        if nesterov:
            gains.append(gained(b1, next_count(count), wide))

        def step(leaves: Sequence[Any], gains: Sequence[Any], np_: Any) -> tuple[Any, Any, Any]:
            g, m, v = leaves
            m, v = decayed(g, m, b1), decayed(square(g, np_), v, b2)
            m_hat = looked_ahead(m, g, b1, gains[::2]) if nesterov else corrected(m, gains[0])
            v_hat = corrected(v, gains[1])
            out = m_hat / (np_.sqrt(v_hat + eps_root) + eps)
            return out, cast(m, mu_dtype), like(v, leaves[2])

        out, mu, nu = map_leaves(step, (updates, state.mu, state.nu), gains)
        return out, ScaleByAdamState(count, mu, nu)

    return GradientTransformationExtraArgs(init, update)


class ScaleByAmsgradState(NamedTuple):
    """State of ``scale_by_amsgrad``.

    Attributes:
      count: number of updates so far, int32 scalar.
      mu: first moment, like the parameters.
      nu: second moment, like the parameters.
      nu_max: the greatest second moment so far, like the parameters.
    """

    count: Any
    mu: Updates
    nu: Updates
    nu_max: Updates


@naming("scale_by_amsgrad", floating=True)
def scale_by_amsgrad(
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-8,
    eps_root: float = 0.0,
    mu_dtype: Any = None,
    bias_correction_mu: bool = True,
    bias_correction_nu: bool = True,
) -> GradientTransformationExtraArgs:
    """Adam's rescaling with the greatest second moment so far, so that steps never grow because gradients shrink.

    Args:
      b1: decay of the first moment.
      b2: decay of the second moment.
      eps: added to the root.
      eps_root: added under the root.
      mu_dtype: dtype of the first moment; default that of the parameters.
      bias_correction_mu: whether the first moment is corrected for its start at zero.
      bias_correction_nu: whether the second moment is.

    References:
      Reddi et al., "On the convergence of Adam and beyond", 2018.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> tx = optim.scale_by_amsgrad()
      >>> params, grads = jnp.ones(2), jnp.array([1.0, -2.0])
      >>> updates, state = tx.update(grads, tx.init(params), params)
      >>> print(updates.round(3))
      [ 1. -1.]
    """

    def init(params: Params) -> ScaleByAmsgradState:
        return ScaleByAmsgradState(zero_count(), _zeros(params, mu_dtype), _zeros(params), _zeros(params))

    def update(updates: Updates, state: OptState, params: Params | None = None, **extra: Any) -> tuple:
        check_state(state, ScaleByAmsgradState)
        count = next_count(state.count)
        wide = is_wide(state.nu)

        def step(leaves: Sequence[Any], gains: Sequence[Any], np_: Any) -> tuple:
            g, m, v, greatest = leaves
            m, v = decayed(g, m, b1), decayed(square(g, np_), v, b2)
            m_hat = corrected(m, gains[0]) if bias_correction_mu else m
            greatest = np_.maximum(greatest, corrected(v, gains[1]) if bias_correction_nu else v)
            return m_hat / (np_.sqrt(greatest + eps_root) + eps), cast(m, mu_dtype), v, greatest

        gains = [gained(b1, count, wide), gained(b2, count, wide)]
        out, *moments = map_leaves(step, (updates, *state[1:]), gains)
        return out, ScaleByAmsgradState(count, *moments)

    return GradientTransformationExtraArgs(init, update)


@naming("scale_by_adamax", floating=True)
def scale_by_adamax(b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8) -> GradientTransformationExtraArgs:
    """The mean of gradients over their decaying maximum: Adam with the infinity norm, ``m / (1 - b1**t) / v`` with
    ``v <- max(abs(g) + eps, b2 * v)``.

    Args:
      b1: decay of the mean.
      b2: decay of the maximum.
      eps: added to magnitudes.

    References:
      Kingma and Ba, "Adam: a method for stochastic optimization", 2014, section 7.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> tx = optim.scale_by_adamax()
      >>> params, grads = jnp.ones(2), jnp.array([1.0, -2.0])
      >>> updates, state = tx.update(grads, tx.init(params), params)
      >>> print(updates.round(3))
      [ 1. -1.]
    """

    def init(params: Params) -> ScaleByAdamState:
        return ScaleByAdamState(zero_count(), _zeros(params), _zeros(params))

    def update(updates: Updates, state: OptState, params: Params | None = None, **extra: Any) -> tuple:
        check_state(state, ScaleByAdamState)
        count = next_count(state.count)

        def step(leaves: Sequence[Any], gains: Sequence[Any], np_: Any) -> tuple[Any, Any, Any]:
            g, m, v = leaves
            m, v = decayed(g, m, b1), np_.maximum(np_.abs(g) + eps, b2 * v)
            return corrected(m, gains[0]) / v, m, v

        out, mu, nu = map_leaves(step, (updates, state.mu, state.nu), [gained(b1, count, is_wide(state.nu))])
        return out, ScaleByAdamState(count, mu, nu)

    return GradientTransformationExtraArgs(init, update)


class ScaleByAdanState(NamedTuple):
    """State of ``scale_by_adan``.

    Attributes:
      m: mean of gradients.
      v: mean of differences of gradients.
      n: mean of squares.
      g: the gradients before.
      t: number of updates so far, int32 scalar.
    """

    m: Updates
    v: Updates
    n: Updates
    g: Updates
    t: Any


@naming("scale_by_adan", floating=True)
def scale_by_adan(
    b1: float = 0.98, b2: float = 0.92, b3: float = 0.99, eps: float = 1e-8, eps_root: float = 0.0
) -> GradientTransformationExtraArgs:
    """Adan's rescaling: a mean of gradients, one of their differences ``d``, and one of ``(g + (1 - b2) * d)**2``.

    Args:
      b1: decay of the mean of gradients.
      b2: decay of the mean of differences.
      b3: decay of the mean of squares.
      eps: added to the root.
      eps_root: added under the root.

    References:
      Xie et al., "Adan: adaptive Nesterov momentum algorithm for faster optimizing deep models", 2022.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> tx = optim.scale_by_adan()
      >>> params, grads = jnp.ones(2), jnp.array([1.0, -2.0])
      >>> updates, state = tx.update(grads, tx.init(params), params)
      >>> print(updates.round(3))
      [ 1. -1.]
    """

    def init(params: Params) -> ScaleByAdanState:
        return ScaleByAdanState(_zeros(params), _zeros(params), _zeros(params), _zeros(params), zero_count())

    def update(updates: Updates, state: OptState, params: Params | None = None, **extra: Any) -> tuple:
        check_state(state, ScaleByAdanState)
        t = next_count(state.t)
        wide = is_wide(state.n)

        def step(leaves: Sequence[Any], scalars: Sequence[Any], np_: Any) -> tuple:
            g, m, v, n, before = leaves
            first, *gains = scalars
            change = np_.where(first, np_.zeros_like(g), g - before)
            m, v = decayed(g, m, b1), decayed(change, v, b2)
            n = decayed(square(g + (1 - b2) * change, np_), n, b3)
            ahead = corrected(m, gains[0]) + (1 - b2) * corrected(v, gains[1])
            return ahead / (np_.sqrt(corrected(n, gains[2]) + eps_root) + eps), m, v, n

        scalars = [state.t == 0, *[gained(b, t, wide) for b in (b1, b2, b3)]]
        out, m, v, n = map_leaves(step, (updates, *state[:4]), scalars)
        return out, ScaleByAdanState(m, v, n, updates, t)

    return GradientTransformationExtraArgs(init, update)


class ScaleByBeliefState(NamedTuple):
    """State of ``scale_by_belief``.

    Attributes:
      count: number of updates so far, int32 scalar.
      mu: mean of gradients.
      nu: mean of squared distances of gradients from their mean.
    """

    count: Any
    mu: Updates
    nu: Updates


@naming("scale_by_belief", floating=True)
def scale_by_belief(
    b1: float = 0.9, b2: float = 0.999, eps: float = 1e-16, eps_root: float = 1e-16, *, nesterov: bool = False
) -> GradientTransformationExtraArgs:
    """AdaBelief's rescaling: as Adam's, with the mean of ``(g - m)**2`` in place of that of ``g**2``.

    Args:
      b1: decay of the first moment.
      b2: decay of the second moment.
      eps: added to the root.
      eps_root: added to the second moment, in every update.
      nesterov: whether the first moment looks one step ahead.

    References:
      Zhuang et al., "AdaBelief optimizer: adapting stepsizes by the belief in observed gradients", 2020.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> tx = optim.scale_by_belief()
      >>> params, grads = jnp.ones(2), jnp.array([1.0, -2.0])
      >>> updates, state = tx.update(grads, tx.init(params), params)
      >>> print(updates.round(3))
      [ 1.111 -1.111]
    """

    def init(params: Params) -> ScaleByBeliefState:
        return ScaleByBeliefState(zero_count(), _zeros(params), _zeros(params))

    def update(updates: Updates, state: OptState, params: Params | None = None, **extra: Any) -> tuple:
        check_state(state, ScaleByBeliefState)
        count = next_count(state.count)
        wide = is_wide(state.nu)
        gains = [gained(b1, count, wide), gained(b2, count, wide)]
        if nesterov:
            gains.append(gained(b1, next_count(count), wide))

        def step(leaves: Sequence[Any], gains: Sequence[Any], np_: Any) -> tuple[Any, Any, Any]:
            g, m, v = leaves
            m = decayed(g, m, b1)
            v = decayed(square(g - m, np_), v, b2) + eps_root
            m_hat = looked_ahead(m, g, b1, gains[::2]) if nesterov else corrected(m, gains[0])
            return m_hat / (np_.sqrt(corrected(v, gains[1])) + eps), m, v

        out, mu, nu = map_leaves(step, (updates, state.mu, state.nu), gains)
        return out, ScaleByBeliefState(count, mu, nu)

    return GradientTransformationExtraArgs(init, update)


@naming("scale_by_yogi", floating=True)
def scale_by_yogi(
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-3,
    eps_root: float = 0.0,
    initial_accumulator_value: float = 1e-6,
) -> GradientTransformationExtraArgs:
    """Yogi's rescaling: as Adam's, but the second moment moves by at most ``(1 - b2) * g**2`` a step.

    Args:
      b1: decay of the first moment.
      b2: decay of the second moment.
      eps: added to the root.
      eps_root: added under the root.
      initial_accumulator_value: both moments before the first update.

    References:
      Zaheer et al., "Adaptive methods for nonconvex optimization", 2018.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> tx = optim.scale_by_yogi()
      >>> params, grads = jnp.ones(2), jnp.array([1.0, -2.0])
      >>> updates, state = tx.update(grads, tx.init(params), params)
      >>> print(updates.round(3))
      [ 0.999 -0.999]
    """

    def init(params: Params) -> ScaleByAdamState:
        def start(p: Any) -> Any:
            return jnp.full_like(p, initial_accumulator_value)

        return ScaleByAdamState(zero_count(), tree.map(start, params), tree.map(start, params))

    def update(updates: Updates, state: OptState, params: Params | None = None, **extra: Any) -> tuple:
        check_state(state, ScaleByAdamState)
        count = next_count(state.count)
        wide = is_wide(state.nu)

        def step(leaves: Sequence[Any], gains: Sequence[Any], np_: Any) -> tuple[Any, Any, Any]:
            g, m, v = leaves
            squared = square(g, np_)
            m, v = decayed(g, m, b1), v - (1 - b2) * np_.sign(v - squared) * squared
            return corrected(m, gains[0]) / (np_.sqrt(corrected(v, gains[1]) + eps_root) + eps), m, v

        gains = [gained(b1, count, wide), gained(b2, count, wide)]
        out, mu, nu = map_leaves(step, (updates, state.mu, state.nu), gains)
        return out, ScaleByAdamState(count, mu, nu)

    return GradientTransformationExtraArgs(init, update)


@naming("scale_by_radam", floating=True)
def scale_by_radam(
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-8,
    eps_root: float = 0.0,
    threshold: float = 5.0,
    *,
    nesterov: bool = False,
) -> GradientTransformationExtraArgs:
    """Rectified Adam's rescaling: Adam's times a factor for the variance of the second moment, which is large at first;
    the mean of gradients alone until the moment rests on enough values.

    Args:
      b1: decay of the first moment.
      b2: decay of the second moment.
      eps: added to the root.
      eps_root: added under the root.
      threshold: how many values the second moment must effectively average to be used.
      nesterov: whether the first moment looks one step ahead.

    References:
      Liu et al., "On the variance of the adaptive learning rate and beyond", 2019.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> tx = optim.scale_by_radam()
      >>> params, grads = jnp.ones(2), jnp.array([1.0, -2.0])
      >>> updates, state = tx.update(grads, tx.init(params), params)
      >>> print(updates.round(3))
      [ 1. -2.]
    """
    longest = 2.0 / (1.0 - b2) - 1.0

    def init(params: Params) -> ScaleByAdamState:
        return ScaleByAdamState(zero_count(), _zeros(params), _zeros(params))

    def update(updates: Updates, state: OptState, params: Params | None = None, **extra: Any) -> tuple:
        check_state(state, ScaleByAdamState)
        count = next_count(state.count)
        wide = is_wide(state.nu)
        left = (jnp.asarray(b2, jnp.float64) if wide else b2) ** count
        length = longest - 2 * count * left / (1 - left)
        rectifier = jnp.sqrt((length - 4.0) * (length - 2.0) * longest / ((longest - 4.0) * (longest - 2.0) * length))
        scalars = [gained(b1, count, wide), gained(b2, count, wide), length >= threshold, rectifier]
        if nesterov:
            scalars.append(gained(b1, next_count(count), wide))

        def step(leaves: Sequence[Any], scalars: Sequence[Any], np_: Any) -> tuple[Any, Any, Any]:
            g, m, v = leaves
            gain, squares_gain, trusted, rectifier, *later = scalars
            m, v = decayed(g, m, b1), decayed(square(g, np_), v, b2)
            m_hat = looked_ahead(m, g, b1, (gain, *later)) if nesterov else corrected(m, gain)
            rectified = like(rectifier, m) * m_hat / (np_.sqrt(corrected(v, squares_gain) + eps_root) + eps)
            return np_.where(trusted, rectified, m_hat), m, v

        out, mu, nu = map_leaves(step, (updates, state.mu, state.nu), scalars)
        return out, ScaleByAdamState(count, mu, nu)

    return GradientTransformationExtraArgs(init, update)


class ScaleByNovogradState(NamedTuple):
    """State of ``scale_by_novograd``.

    Attributes:
      count: number of updates so far, int32 scalar.
      mu: first moment, like the parameters.
      nu: second moment, one scalar for each parameter.
    """

    count: Any
    mu: Updates
    nu: Updates


@naming("scale_by_novograd", floating=True)
def scale_by_novograd(
    b1: float = 0.9,
    b2: float = 0.25,
    eps: float = 1e-8,
    eps_root: float = 0.0,
    weight_decay: float = 0.0,
    mu_dtype: Any = None,
) -> GradientTransformationExtraArgs:
    """NovoGrad's rescaling: gradients over a mean of their squared norms, one for each parameter array, then a sum with
    decay ``b1``.

    Args:
      b1: decay of the sum of scaled gradients.
      b2: decay of the mean of squared norms.
      eps: added to the root.
      eps_root: added under the root.
      weight_decay: how much of the parameters is added to scaled gradients.
      mu_dtype: dtype of the sum; default that of the parameters.

    References:
      Ginsburg et al., "Stochastic gradient methods with layer-wise adaptive moments for training of deep networks",
      2019.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> tx = optim.scale_by_novograd()
      >>> params, grads = jnp.ones(2), jnp.array([1.0, -2.0])
      >>> updates, state = tx.update(grads, tx.init(params), params)
      >>> print(updates.round(3))
      [ 0.447 -0.894]
    """

    def init(params: Params) -> ScaleByNovogradState:
        nu = tree.map(lambda p: jnp.zeros((), jnp.asarray(p).dtype), params)
        return ScaleByNovogradState(zero_count(), _zeros(params, mu_dtype), nu)

    def update(updates: Updates, state: OptState, params: Params | None = None, **extra: Any) -> tuple:
        check_state(state, ScaleByNovogradState)
        if params is None:
            raise ValueError("fungrad.optim: update needs the parameters; call opt.update(updates, state, params)")
        count = next_count(state.count)

        def second(g: Any, v: Any) -> Any:
            squared = jnp.sqrt(jnp.sum(square(g, jnp))) ** 2
            return jnp.where(count == 1, squared, decayed(squared, v, b2)).astype(v.dtype)

        def first(g: Any, m: Any, v: Any, p: Any) -> Any:
            return b1 * m + (g / (jnp.sqrt(v + eps_root) + eps) + weight_decay * p)

        nu = tree.map(second, updates, state.nu)
        mu = tree.map(lambda *leaves: cast(first(*leaves), mu_dtype), updates, state.mu, nu, params)
        return mu, ScaleByNovogradState(count, mu, nu)

    return GradientTransformationExtraArgs(init, update)


class ScaleByLionState(NamedTuple):
    """State of ``scale_by_lion``.

    Attributes:
      count: number of updates so far, int32 scalar.
      mu: mean of gradients, like the parameters.
    """

    count: Any
    mu: Updates


_LION_MODES = ("hard", "smooth", "refined")


@naming("scale_by_lion", floating=True)
def scale_by_lion(
    b1: float = 0.9, b2: float = 0.99, mu_dtype: Any = None, *, mode: str = "hard", smooth_beta: float = 1.0
) -> GradientTransformationExtraArgs:
    """Lion's update: the sign of ``(1 - b1) * g + b1 * m``, with a mean ``m`` of gradients that decays by ``b2``.

    Args:
      b1: weight of the mean in the update.
      b2: decay of the mean.
      mu_dtype: dtype of the mean; default that of the parameters.
      mode: ``"hard"`` for the sign, ``"smooth"`` for ``tanh(smooth_beta * x)``, ``"refined"`` for clipping to one.
      smooth_beta: steepness of the smooth mode.

    Raises:
      ValueError: ``mode`` is none of these.

    References:
      Chen et al., "Symbolic discovery of optimization algorithms", 2023.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> tx = optim.scale_by_lion()
      >>> params, grads = jnp.ones(2), jnp.array([1.0, -2.0])
      >>> updates, state = tx.update(grads, tx.init(params), params)
      >>> print(updates.round(3))
      [ 1. -1.]
    """
    if mode not in _LION_MODES:
        raise ValueError(f"fungrad.optim.scale_by_lion: mode must be one of {', '.join(_LION_MODES)}, got {mode!r}")

    def init(params: Params) -> ScaleByLionState:
        return ScaleByLionState(zero_count(), _zeros(params, mu_dtype))

    def update(updates: Updates, state: OptState, params: Params | None = None, **extra: Any) -> tuple:
        check_state(state, ScaleByLionState)

        def step(leaves: Sequence[Any], _: Sequence[Any], np_: Any) -> tuple[Any, Any]:
            g, m = leaves
            x = decayed(g, m, b1)
            if mode == "smooth":
                out = np_.tanh(smooth_beta * x)
            elif mode == "refined":
                out = np_.where(np_.abs(x) < 1.0, x, np_.sign(x))
            else:
                out = np_.sign(x)
            return out, cast(decayed(g, m, b2), mu_dtype)

        out, mu = map_leaves(step, (updates, state.mu))
        return out, ScaleByLionState(next_count(state.count), mu)

    return GradientTransformationExtraArgs(init, update)
