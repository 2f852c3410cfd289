"""Sophia: momentum scaled by an estimate of the diagonal of the Hessian.

May import the transformations, ``transforms`` and ``fungrad.random``.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import fungrad.numpy as jnp
from fungrad import lax, random
from fungrad.control.callbacks import debug_print
from fungrad.core import tree
from fungrad.optim._formulas import cast, corrected, decayed, gained, is_wide, like, next_count, zero_count
from fungrad.optim._naming import naming
from fungrad.optim.base import (
    GradientTransformation,
    GradientTransformationExtraArgs,
    MaskOrFn,
    OptState,
    Params,
    ScalarOrSchedule,
    Updates,
    check_shapes,
    check_state,
    needs_params,
    with_extra_args_support,
)
from fungrad.optim.scaling.steps import scale_by_learning_rate
from fungrad.optim.transforms.adding import add_decayed_weights
from fungrad.optim.transforms.combining import chain
from fungrad.optim.tree.arithmetic import size
from fungrad.optim.tree.casting import cast as cast_tree, dtype_of
from fungrad.optim.tree.randomness import random_like
from fungrad.transforms.api import grad, jvp


class HutchinsonState(NamedTuple):
    """State of ``hutchinson_estimator_diag_hessian``.

    Attributes:
      key: of the signs to come.
    """

    key: Any


@naming("contrib.hutchinson_estimator_diag_hessian", floating=True)
def hutchinson_estimator_diag_hessian(random_seed: Any = None) -> GradientTransformationExtraArgs:
    """An estimate of the diagonal of the Hessian: random signs times the product of the Hessian with them. ``update``
    needs the parameters, and the function of them as ``obj_fn=``.

    Args:
      random_seed: a key of ``fungrad.random``; default ``PRNGKey(0)``.

    Raises:
      TypeError: ``update`` is called without ``obj_fn``.

    References:
      Hutchinson, "A stochastic estimator of the trace of the influence matrix for Laplacian smoothing splines", 1989.
    """

    def init(params: Params) -> HutchinsonState:
        return HutchinsonState(random.PRNGKey(0) if random_seed is None else random_seed)

    def update(
        updates: Updates, state: OptState, params: Params | None = None, *, obj_fn: Any = None, **extra: Any
    ) -> tuple:
        check_state(state, HutchinsonState)
        needs_params("contrib.hutchinson_estimator_diag_hessian", params)
        if obj_fn is None:
            raise TypeError(
                "fungrad.optim.contrib.hutchinson_estimator_diag_hessian: update needs the function of the parameters: "
                "pass obj_fn="
            )
        keys = random.split(state.key)
        signs = random_like(keys[1], params, random.rademacher, dtype=jnp.float32)
        signs = cast_tree(signs, dtype_of(params, "lowest"))
        products = jvp(grad(obj_fn), (params,), (signs,))[1]
        return tree.map(lambda h, s: h * s, products, signs), HutchinsonState(keys[0])

    return GradientTransformationExtraArgs(init, update)


class SophiaState(NamedTuple):
    """State of ``sophia``.

    Attributes:
      count: number of updates so far, int32 scalar.
      mu: mean of gradients.
      nu: mean of estimates of the diagonal of the Hessian.
      hessian_fn_state: state of the estimator.
    """

    count: Any
    mu: Updates
    nu: Updates
    hessian_fn_state: Any


_HUTCHINSON = hutchinson_estimator_diag_hessian()


@naming("contrib.sophia", floating=True)
def sophia(
    learning_rate: ScalarOrSchedule,
    b1: float = 0.965,
    b2: float = 0.99,
    eps: float = 1e-8,
    weight_decay: ScalarOrSchedule = 1e-4,
    weight_decay_mask: MaskOrFn | None = None,
    gamma: float = 0.01,
    clip_threshold: float | None = 1.0,
    update_interval: int = 10,
    hessian_diagonal_fn: GradientTransformation = _HUTCHINSON,
    mu_dtype: Any = None,
    verbose: bool = False,
    print_win_rate_every_n_steps: int = 0,
) -> GradientTransformationExtraArgs:
    """Sophia: a mean of gradients over a mean of estimates of the diagonal of the Hessian, limited element by element;
    its ``update`` needs the parameters, and the function of them as ``obj_fn=``.

    Args:
      learning_rate: step size, or a function of the number of updates so far.
      b1: decay of the mean of gradients.
      b2: decay of the mean of estimates.
      eps: the least divisor.
      weight_decay, weight_decay_mask: as for ``adamw``.
      gamma: factor of the Hessian.
      clip_threshold: the greatest element of an update; None for no limit.
      update_interval: number of updates between estimates.
      hessian_diagonal_fn: the estimator.
      mu_dtype: dtype of the mean of gradients; default that of the parameters.
      verbose: whether to print which part of the elements is within the limit.
      print_win_rate_every_n_steps: how often.

    References:
      Liu et al., "Sophia: a scalable stochastic second-order optimizer for language model pre-training", 2023.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> opt = optim.contrib.sophia(0.1)
      >>> x = jnp.array([1.0, -2.0])
      >>> updates, state = opt.update(2 * x, opt.init(x), x, obj_fn=lambda x: jnp.sum(x ** 2))
    """
    estimator = with_extra_args_support(hessian_diagonal_fn)

    def init(params: Params) -> SophiaState:
        mu = tree.map(lambda p: jnp.zeros_like(p, dtype=mu_dtype), params)
        return SophiaState(zero_count(), mu, tree.map(jnp.zeros_like, params), estimator.init(params))

    def update(updates: Updates, state: OptState, params: Params | None = None, **extra: Any) -> tuple:
        check_state(state, SophiaState)
        needs_params("contrib.sophia", params)
        tree.map(check_shapes, updates, state.nu)
        count = next_count(state.count)
        means = tree.map(lambda g, m: decayed(g, m, b1), updates, state.mu)
        gain = gained(b1, count, is_wide(state.nu))
        out = tree.map(lambda m, h: corrected(m, gain) / jnp.maximum(gamma * h, eps), means, state.nu)
        if clip_threshold is not None:
            if verbose:
                within = sum([jnp.sum(jnp.abs(u) < clip_threshold) for u in tree.leaves(out)])
                rate = within / size(out)
                every = max(print_win_rate_every_n_steps, 1)
                lax.cond(count % every == 0, lambda: debug_print("sophia: win rate {}", rate), lambda: None)
            out = tree.map(lambda u: jnp.clip(u, -clip_threshold, clip_threshold), out)

        def estimated() -> tuple:
            diagonal, after = estimator.update(updates, state.hessian_fn_state, params, **extra)
            return tree.map(lambda h, v: like(decayed(h, v, b2), v), diagonal, state.nu), after

        nu, after = lax.cond(
            state.count % update_interval == 0, estimated, lambda: (state.nu, state.hessian_fn_state)
        )
        return out, SophiaState(count, tree.map(lambda m: cast(m, mu_dtype), means), nu, after)

    return chain(
        GradientTransformationExtraArgs(init, update),
        add_decayed_weights(weight_decay, weight_decay_mask),
        scale_by_learning_rate(learning_rate),
    )
