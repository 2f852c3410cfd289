"""Scaling by roots of sums or means of squares, without a first moment: AdaGrad, RMSProp, AdaDelta, SM3, Adafactor.

May import ``fungrad.numpy`` and the modules of ``optim`` that every transformation may import.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

import fungrad.numpy as jnp
from fungrad.core import tree
from fungrad.optim._formulas import corrected, decayed, gained, is_wide, next_count, rsqrt, square, zero_count
from fungrad.optim._leafwise import map_leaves
from fungrad.optim._naming import naming
from fungrad.optim.base import (
    GradientTransformationExtraArgs,
    OptState,
    Params,
    Updates,
    check_shapes,
    check_state,
    needs_params,
)


class ScaleByRssState(NamedTuple):
    """State of ``scale_by_rss``.

    Attributes:
      sum_of_squares: of all gradients, like the parameters.
    """

    sum_of_squares: Updates


def _unless_zero(total: Any, eps: Any, np_: Any) -> Any:
    """``1 / sqrt(total + eps)``, zero where nothing has been added up."""
    return np_.where(total > 0, rsqrt(total + eps, np_), 0.0)


@naming("scale_by_rss", floating=True)
def scale_by_rss(initial_accumulator_value: float = 0.1, eps: float = 1e-7) -> GradientTransformationExtraArgs:
    """AdaGrad's rescaling: gradients over the root of the sum of all their squares.

    Args:
      initial_accumulator_value: the sum before the first update.
      eps: added under the root.

    References:
      Duchi et al., "Adaptive subgradient methods for online learning and stochastic optimization", 2011.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> tx = optim.scale_by_rss()
      >>> params, grads = jnp.ones(2), jnp.array([1.0, -2.0])
      >>> updates, state = tx.update(grads, tx.init(params), params)
      >>> print(updates.round(3))
      [ 0.953 -0.988]
    """

    def init(params: Params) -> ScaleByRssState:
        return ScaleByRssState(tree.map(lambda p: jnp.full_like(p, initial_accumulator_value), params))

    def update(updates: Updates, state: OptState, params: Params | None = None, **extra: Any) -> tuple:
        check_state(state, ScaleByRssState)

        def step(leaves: Sequence[Any], _: Sequence[Any], np_: Any) -> tuple[Any, Any]:
            g, total = leaves
            total = square(g, np_) + total
            return _unless_zero(total, eps, np_) * g, total

        out, total = map_leaves(step, (updates, state.sum_of_squares))
        return out, ScaleByRssState(total)

    return GradientTransformationExtraArgs(init, update)


class ScaleByRmsState(NamedTuple):
    """State of ``scale_by_rms``.

    Attributes:
      nu: mean of squares, like the parameters.
    """

    nu: Updates


class ScaleByRmsWithCountState(NamedTuple):
    """State of ``scale_by_rms`` with bias correction.

    Attributes:
      count: number of updates so far, int32 scalar.
      nu: mean of squares, like the parameters.
    """

    count: Any
    nu: Updates


def _inverse_root(v: Any, eps: Any, eps_in_sqrt: bool, np_: Any) -> Any:
    return rsqrt(v + eps, np_) if eps_in_sqrt else 1 / (np_.sqrt(v) + eps)


@naming("scale_by_rms", floating=True)
def scale_by_rms(
    decay: float = 0.9,
    eps: float = 1e-8,
    initial_scale: float = 0.0,
    eps_in_sqrt: bool = True,
    bias_correction: bool = False,
) -> GradientTransformationExtraArgs:
    """RMSProp's rescaling: gradients over the root of a mean of their squares.

    Args:
      decay: of the mean.
      eps: added under the root, or to it.
      initial_scale: the mean before the first update.
      eps_in_sqrt: whether ``eps`` is added under the root.
      bias_correction: whether the mean is corrected for its start at zero.

    References:
      Hinton, "Overview of mini-batch gradient descent", lecture 6 of "Neural networks for machine learning", 2012.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> tx = optim.scale_by_rms()
      >>> params, grads = jnp.ones(2), jnp.array([1.0, -2.0])
      >>> updates, state = tx.update(grads, tx.init(params), params)
      >>> print(updates.round(3))
      [ 3.162 -3.162]
    """

    def init(params: Params) -> Any:
        nu = tree.map(lambda p: jnp.full_like(p, initial_scale), params)
        return ScaleByRmsWithCountState(zero_count(), nu) if bias_correction else ScaleByRmsState(nu)

    def update(updates: Updates, state: OptState, params: Params | None = None, **extra: Any) -> tuple:
        check_state(state, ScaleByRmsWithCountState if bias_correction else ScaleByRmsState)

        def step(leaves: Sequence[Any], gains: Sequence[Any], np_: Any) -> tuple[Any, Any]:
            g, v = leaves
            v = decayed(square(g, np_), v, decay)
            v_hat = corrected(v, gains[0]) if bias_correction else v
            return _inverse_root(v_hat, eps, eps_in_sqrt, np_) * g, v

        if not bias_correction:
            out, nu = map_leaves(step, (updates, state.nu))
            return out, ScaleByRmsState(nu)
        count = next_count(state.count)
        out, nu = map_leaves(step, (updates, state.nu), [gained(decay, count, is_wide(state.nu))])
        return out, ScaleByRmsWithCountState(count, nu)

    return GradientTransformationExtraArgs(init, update)


class ScaleByRStdDevState(NamedTuple):
    """State of ``scale_by_stddev``.

    Attributes:
      mu: mean of gradients, like the parameters.
      nu: mean of squares, like the parameters.
    """

    mu: Updates
    nu: Updates


class ScaleByRStdDevWithCountState(NamedTuple):
    """State of ``scale_by_stddev`` with bias correction.

    Attributes:
      count: number of updates so far, int32 scalar.
      mu: mean of gradients, like the parameters.
      nu: mean of squares, like the parameters.
    """

    count: Any
    mu: Updates
    nu: Updates


@naming("scale_by_stddev", floating=True)
def scale_by_stddev(
    decay: float = 0.9,
    eps: float = 1e-8,
    initial_scale: float = 0.0,
    eps_in_sqrt: bool = True,
    bias_correction: bool = False,
) -> GradientTransformationExtraArgs:
    """Centered RMSProp's rescaling: gradients over their standard deviation, the root of ``mean(g**2) - mean(g)**2``.

    Args:
      decay: of both means.
      eps: added under the root, or to it.
      initial_scale: the mean of squares before the first update.
      eps_in_sqrt: whether ``eps`` is added under the root.
      bias_correction: whether the means are corrected for their start at zero.

    References:
      Graves, "Generating sequences with recurrent neural networks", 2013, section 4.2.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> tx = optim.scale_by_stddev()
      >>> params, grads = jnp.ones(2), jnp.array([1.0, -2.0])
      >>> updates, state = tx.update(grads, tx.init(params), params)
      >>> print(updates.round(3))
      [ 3.333 -3.333]
    """

    def init(params: Params) -> Any:
        moments = tree.map(jnp.zeros_like, params), tree.map(lambda p: jnp.full_like(p, initial_scale), params)
        return (
            ScaleByRStdDevWithCountState(zero_count(), *moments) if bias_correction else ScaleByRStdDevState(*moments)
        )

    def update(updates: Updates, state: OptState, params: Params | None = None, **extra: Any) -> tuple:
        check_state(state, ScaleByRStdDevWithCountState if bias_correction else ScaleByRStdDevState)

        def step(leaves: Sequence[Any], gains: Sequence[Any], np_: Any) -> tuple[Any, Any, Any]:
            g, m, v = leaves
            m, v = decayed(g, m, decay), decayed(square(g, np_), v, decay)
            m_hat, v_hat = (corrected(m, gains[0]), corrected(v, gains[0])) if bias_correction else (m, v)
            return _inverse_root(v_hat - square(m_hat, np_), eps, eps_in_sqrt, np_) * g, m, v

        trees = (updates, state.mu, state.nu)
        if not bias_correction:
            out, mu, nu = map_leaves(step, trees)
            return out, ScaleByRStdDevState(mu, nu)
        count = next_count(state.count)
        out, mu, nu = map_leaves(step, trees, [gained(decay, count, is_wide(state.nu))])
        return out, ScaleByRStdDevWithCountState(count, mu, nu)

    return GradientTransformationExtraArgs(init, update)


class ScaleByAdaDeltaState(NamedTuple):
    """State of ``scale_by_adadelta``.

    Attributes:
      e_g: mean of squared gradients, like the parameters.
      e_x: mean of squared updates, like the parameters.
    """

    e_g: Updates
    e_x: Updates


@naming("scale_by_adadelta", floating=True)
def scale_by_adadelta(rho: float = 0.9, eps: float = 1e-6) -> GradientTransformationExtraArgs:
    """AdaDelta's rescaling: gradients times the root of the mean of squared updates over that of squared gradients.

    Args:
      rho: decay of both means.
      eps: added under both roots.

    References:
      Zeiler, "ADADELTA: an adaptive learning rate method", 2012.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> tx = optim.scale_by_adadelta()
      >>> params, grads = jnp.ones(2), jnp.array([1.0, -2.0])
      >>> updates, state = tx.update(grads, tx.init(params), params)
      >>> print(updates.round(3))
      [ 0.003 -0.003]
    """

    def init(params: Params) -> ScaleByAdaDeltaState:
        return ScaleByAdaDeltaState(tree.map(jnp.zeros_like, params), tree.map(jnp.zeros_like, params))

    def update(updates: Updates, state: OptState, params: Params | None = None, **extra: Any) -> tuple:
        check_state(state, ScaleByAdaDeltaState)

        def step(leaves: Sequence[Any], _: Sequence[Any], np_: Any) -> tuple[Any, Any, Any]:
            g, e_g, e_x = leaves
            e_g = decayed(g**2, e_g, rho)
            out = np_.sqrt(e_x + eps) / np_.sqrt(e_g + eps) * g
            return out, e_g, decayed(out**2, e_x, rho)

        out, e_g, e_x = map_leaves(step, (updates, state.e_g, state.e_x))
        return out, ScaleByAdaDeltaState(e_g, e_x)

    return GradientTransformationExtraArgs(init, update)


class ScaleBySM3State(NamedTuple):
    """State of ``scale_by_sm3``.

    Attributes:
      mu: for each parameter a list of sums of squares, one vector along each of its axes.
      nu: mean of scaled gradients, like the parameters.
    """

    mu: Updates
    nu: Updates


@naming("scale_by_sm3", floating=True)
def scale_by_sm3(b1: float = 0.9, b2: float = 1.0, eps: float = 1e-8) -> GradientTransformationExtraArgs:
    """SM3's rescaling: AdaGrad's, with one sum of squares for each index along each axis in place of one for each
    element. The sum of an element is bounded by the least of those that it belongs to.

    Args:
      b1: decay of the mean of scaled gradients.
      b2: decay of sums; 1 for sums that only grow.
      eps: added under the root.

    Raises:
      TypeError: a parameter is complex.

    References:
      Anil et al., "Memory-efficient adaptive optimization", 2019.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> tx = optim.scale_by_sm3()
      >>> params, grads = jnp.ones((2, 2)), jnp.array([[1.0, -2.0], [3.0, 4.0]])
      >>> updates, state = tx.update(grads, tx.init(params), params)
      >>> print(updates.round(3))
      [[ 0.1 -0.1]
       [ 0.1  0.1]]
    """

    def zeros(p: Any) -> list[Any]:
        p = jnp.asarray(p)
        return [jnp.zeros(n, p.dtype) for n in p.shape] if p.ndim else [jnp.zeros((), p.dtype)]

    def init(params: Params) -> ScaleBySM3State:
        for path, p in tree.flatten_with_path(params)[0]:
            if jnp.iscomplexobj(p):
                raise TypeError(f"fungrad.optim: params{tree.keystr(path)} is complex, which SM3 has no bounds for")
        return ScaleBySM3State(tree.map(zeros, params), tree.map(jnp.zeros_like, params))

    def bound(g: Any, sums: list[Any]) -> Any:
        """The sum of squares of each element."""
        if g.ndim:
            sums = [v.reshape([-1 if i == j else 1 for j in range(g.ndim)]) for i, v in enumerate(sums)]
        return (1.0 if b2 == 1.0 else 1.0 - b2) * g**2 + b2 * functools.reduce(jnp.minimum, sums)

    def sums_of(total: Any) -> list[Any]:
        if total.ndim < 2:
            return [total]
        axes = range(total.ndim)
        return [jnp.max(total, axis=tuple([j for j in axes if j != i])) for i in axes]

    def update(updates: Updates, state: OptState, params: Params | None = None, **extra: Any) -> tuple:
        check_state(state, ScaleBySM3State)
        tree.map(check_shapes, updates, state.nu)
        totals = tree.map(bound, updates, state.mu)

        def step(leaves: Sequence[Any], _: Sequence[Any], np_: Any) -> tuple[Any]:
            g, total, mean = leaves
            return (decayed(g * _unless_zero(total, eps, np_), mean, b1),)

        nu = map_leaves(step, (updates, totals, state.nu))[0]
        return nu, ScaleBySM3State(tree.map(sums_of, totals), nu)

    return GradientTransformationExtraArgs(init, update)


class FactoredState(NamedTuple):
    """State of ``scale_by_factored_rms``. What a parameter does not need has shape (1,).

    Attributes:
      count: number of updates so far, int32 scalar.
      v_row: means of squares over the greatest axis, of factored parameters.
      v_col: means of squares over the second greatest axis, of factored parameters.
      v: means of squares, of the other parameters.
    """

    count: Any
    v_row: Params
    v_col: Params
    v: Params


def _growing_decay(count: Any, exponent: Any = 0.8) -> Any:
    """``1 - (count + 1) ** -exponent``: at first a mean of all, later a slower and slower one."""
    return 1.0 - jnp.asarray(count + 1, jnp.float32) ** (-exponent)


def _factored_axes(shape: tuple[int, ...], factored: bool, least: int) -> tuple[int, int] | None:
    """The second greatest and the greatest axis; None if a parameter is not factored."""
    if not factored or len(shape) < 2:
        return None
    order = np.argsort(shape)
    return (int(order[-2]), int(order[-1])) if shape[order[-2]] >= least else None


@naming("scale_by_factored_rms", floating=True)
def scale_by_factored_rms(
    factored: bool = True,
    decay_rate: float = 0.8,
    step_offset: int = 0,
    min_dim_size_to_factor: int = 128,
    epsilon: float = 1e-30,
    decay_rate_fn: Callable[[Any, Any], Any] = _growing_decay,
) -> GradientTransformationExtraArgs:
    """Adafactor's rescaling: gradients over the root of a mean of their squares, which of large matrices is kept as the
    product of means over rows and over columns.

    Args:
      factored: whether to keep products of means at all.
      decay_rate: exponent of the decay, handed to ``decay_rate_fn``.
      step_offset: the number of updates at which counting starts, for finetuning.
      min_dim_size_to_factor: parameters with two axes of at least this size are factored.
      epsilon: added to squares.
      decay_rate_fn: ``decay_rate_fn(count, decay_rate)`` gives the decay of means; default
        ``1 - (count + 1) ** -decay_rate``.

    References:
      Shazeer and Stern, "Adafactor: adaptive learning rates with sublinear memory cost", 2018.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> tx = optim.scale_by_factored_rms()
      >>> params, grads = jnp.ones((2, 2)), jnp.array([[1.0, -2.0], [3.0, 4.0]])
      >>> updates, state = tx.update(grads, tx.init(params), params)
      >>> print(updates.round(3))
      [[ 1. -1.]
       [ 1.  1.]]
    """

    def init(params: Params) -> FactoredState:
        def start(p: Any) -> tuple[Any, Any, Any]:
            p = jnp.asarray(p)
            axes = _factored_axes(p.shape, factored, min_dim_size_to_factor)
            nothing = jnp.zeros((1,), p.dtype)
            if axes is None:
                return nothing, nothing, jnp.zeros_like(p)
            without = [jnp.zeros(p.shape[:i] + p.shape[i + 1 :], p.dtype) for i in axes]
            return without[1], without[0], nothing

        leaves, treedef = tree.flatten(params)
        columns = zip(*map(start, leaves), strict=True) if leaves else [()] * 3
        return FactoredState(zero_count(), *[tree.unflatten(treedef, column) for column in columns])

    def update(updates: Updates, state: OptState, params: Params | None = None, **extra: Any) -> tuple:
        check_state(state, FactoredState)
        needs_params("scale_by_factored_rms", params)
        decay = decay_rate_fn(state.count - step_offset, decay_rate)

        def step(g: Any, row: Any, column: Any, v: Any, p: Any) -> tuple:
            p = jnp.asarray(p)
            axes = _factored_axes(p.shape, factored, min_dim_size_to_factor)
            squared = square(g, jnp) + epsilon
            nothing = jnp.zeros((1,), p.dtype)
            if axes is None:
                check_shapes(g, v)
                v = decayed(squared, v, decay).astype(p.dtype)
                return g * v ** (-0.5), nothing, nothing, v
            narrow, wide = axes
            row = decayed(jnp.mean(squared, axis=wide), row, decay).astype(p.dtype)
            column = decayed(jnp.mean(squared, axis=narrow), column, decay).astype(p.dtype)
            mean = jnp.mean(row, axis=narrow - 1 if narrow > wide else narrow, keepdims=True)
            by_row, by_column = (row / mean) ** (-0.5), column ** (-0.5)
            out = g * jnp.expand_dims(by_row, wide) * jnp.expand_dims(by_column, narrow)
            return out, row, column, nothing

        leaves, treedef = tree.flatten(updates)
        rest = [tree.flatten_up_to(treedef, t) for t in (*state[1:], params)]
        columns = zip(*map(step, leaves, *rest), strict=True) if leaves else [()] * 4
        out, *means = [tree.unflatten(treedef, column) for column in columns]
        return out, FactoredState(next_count(state.count), *means)

    return GradientTransformationExtraArgs(init, update)
