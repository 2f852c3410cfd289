"""Preconditioning with one matrix for each axis of a parameter: Shampoo, and Adam in its eigenvectors (SOAP).

May import ``fungrad.numpy``, ``fungrad.lax`` and the transformations.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

import fungrad.numpy as jnp
from fungrad import lax
from fungrad.core import tree
from fungrad.core.arguments import index
from fungrad.numpy import linalg
from fungrad.optim._formulas import corrected, decayed, gained, is_wide, next_count, square, zero_count
from fungrad.optim._naming import naming
from fungrad.optim.base import (
    GradientTransformationExtraArgs,
    MaskOrFn,
    OptState,
    Params,
    ScalarOrSchedule,
    Updates,
    check_shapes,
    check_state,
    identity,
)
from fungrad.optim.scaling.steps import scale_by_learning_rate
from fungrad.optim.transforms.accumulation import trace
from fungrad.optim.transforms.adding import add_decayed_weights
from fungrad.optim.transforms.combining import chain


def _axes(x: Any, max_size: int) -> list[int]:
    """The axes of a parameter that get a matrix."""
    return [i for i, n in enumerate(x.shape) if 1 < n <= max_size]


def _matrix_axes(x: Any, max_size: int) -> list[int]:
    """The axes that get a matrix, of parameters with at least two."""
    return _axes(x, max_size) if x.ndim > 1 else []


def _gram(g: Any, axis: int) -> Any:
    """Inner products of the slices along an axis."""
    rest = [i for i in range(g.ndim) if i != axis]
    return jnp.tensordot(g, g, axes=(rest, rest))


def _along(x: Any, matrices: list[Any], axes: list[int]) -> Any:
    """``x`` multiplied by a matrix along each axis: element ``i`` becomes the sum over ``j`` of ``m[i, j] * x[j]``."""
    for axis, matrix in zip(axes, matrices, strict=True):
        x = jnp.moveaxis(jnp.tensordot(matrix, x, axes=(1, axis)), 0, axis)
    return x


def _check_real(params: Params) -> None:
    for path, p in tree.flatten_with_path(params)[0]:
        if jnp.iscomplexobj(p):
            raise TypeError(f"fungrad.optim: params{tree.keystr(path)} must be real, got a complex array")


def _per_leaf(step: Any, updates: Updates, *states: Any) -> list[Any]:
    """Trees of the results of a function of a leaf and what states have for it."""
    leaves, treedef = tree.flatten(updates)
    rows = [tree.flatten_up_to(treedef, s) for s in states]
    columns = list(zip(*map(step, leaves, *rows), strict=True)) or [()] * 8
    return [tree.unflatten(treedef, column) for column in columns]


class ScaleByShampooState(NamedTuple):
    """State of ``scale_by_shampoo``.

    Attributes:
      count: number of updates so far, int32 scalar.
      statistics: for each parameter a list of sums of inner products, one matrix for each axis; for parameters without
        such axes a list with the sum of squares.
      preconditioners: roots of the matrices.
    """

    count: Any
    statistics: Any
    preconditioners: Any


def _together(function: Any, matrices: Sequence[Any], kinds: Sequence[Any]) -> list[Any]:
    """Values of a function of matrices, ``function(matrices, kind)`` for a stack of them.

    Those of one type and kind are one stack, because threads share its matrices: their factorisations are most of the
    work, and each runs on one thread.
    """
    alike: dict[Any, list[int]] = {}
    for k, (m, kind) in enumerate(zip(matrices, kinds, strict=True)):
        alike.setdefault((m.shape, m.dtype, kind), []).append(k)
    found: list[Any] = [None] * len(matrices)
    for (_, _, kind), members in alike.items():
        stack = jnp.stack([matrices[k] for k in members]) if len(members) > 1 else matrices[members[0]][None]
        values = function(stack, kind)
        for i, k in enumerate(members):
            found[k] = values[i]
    return found


def _inverse_roots(matrices: Any, p: int, eps: float) -> Any:
    """``(matrix + eps * identity) ** (-1 / p)`` for a stack of matrices."""
    values, vectors = linalg.eigh(matrices.astype(_single(matrices)))
    roots = (jnp.maximum(values, 0.0) + eps) ** (-1.0 / p)
    return ((vectors * roots[:, None, :]) @ vectors.mT).astype(matrices.dtype)


@naming("contrib.scale_by_shampoo", floating=True)
def scale_by_shampoo(
    decay: float = 1.0, eps: float = 1e-6, update_interval: int = 1, max_size: int = 1024
) -> GradientTransformationExtraArgs:
    """Shampoo's update: along each of ``k`` axes the gradient is multiplied by ``(eps * identity + sum)**(-1 / (2 *
    k))``, where ``sum`` adds up inner products of the gradient's slices.

    Parameters with no axis of 2 to ``max_size`` elements are scaled as by AdaGrad.

    Args:
      decay: factor of earlier inner products; with less than 1 new ones are multiplied by ``1 - decay``.
      eps: added to the diagonal.
      update_interval: number of updates between computations of the roots.
      max_size: axes of more elements have no matrix.

    Raises:
      TypeError: a parameter is complex.
      ValueError: ``update_interval`` is less than 1.

    References:
      Gupta et al., "Shampoo: preconditioned stochastic tensor optimization", 2018.
    """
    index("fungrad.optim.contrib.scale_by_shampoo", "update_interval", update_interval, 1)
    weight = 1.0 if decay == 1.0 else 1.0 - decay

    def start(p: Any) -> list[Any]:
        p = jnp.asarray(p)
        return [jnp.zeros((p.shape[i], p.shape[i]), p.dtype) for i in _axes(p, max_size)] or [jnp.zeros_like(p)]

    def first_roots(p: Any) -> list[Any]:
        p = jnp.asarray(p)
        return [jnp.eye(p.shape[i], dtype=p.dtype) for i in _axes(p, max_size)]

    def init(params: Params) -> ScaleByShampooState:
        _check_real(params)
        return ScaleByShampooState(zero_count(), tree.map(start, params), tree.map(first_roots, params))

    def update(updates: Updates, state: OptState, params: Params | None = None, **extra: Any) -> tuple:
        check_state(state, ScaleByShampooState)

        def add(g: Any, sums: list[Any]) -> tuple[list[Any]]:
            axes = _axes(g, max_size)
            new = [_gram(g, i) for i in axes] or [square(g, jnp)]
            for s, v in zip(sums, new, strict=True):
                check_shapes(v, s)
            return ([(decay * s + weight * v).astype(s.dtype) for s, v in zip(sums, new, strict=True)],)

        sums = _per_leaf(add, updates, state.statistics)[0]

        def computed() -> Any:
            leaves, treedef = tree.flatten(updates)
            counts = [len(_axes(g, max_size)) for g in leaves]
            own = [m[:n] for m, n in zip(tree.flatten_up_to(treedef, sums), counts, strict=True)]
            found = _together(
                lambda stack, p: _inverse_roots(stack, p, eps),
                [m for matrices in own for m in matrices],
                [2 * n for n in counts for _ in range(n)],
            )
            rest = iter(found)
            return tree.unflatten(treedef, [list(itertools.islice(rest, n)) for n in counts])

        if update_interval == 1:
            roots = computed()
        else:
            roots = lax.cond(state.count % update_interval == 0, computed, lambda: state.preconditioners)

        def scaled(g: Any, matrices: list[Any], total: list[Any]) -> tuple[Any]:
            axes = _axes(g, max_size)
            return (_along(g, matrices, axes) if axes else g / jnp.sqrt(total[0] + eps),)

        out = _per_leaf(scaled, updates, roots, sums)[0]
        return out, ScaleByShampooState(next_count(state.count), sums, roots)

    return GradientTransformationExtraArgs(init, update)


@naming("contrib.shampoo", floating=True)
def shampoo(
    learning_rate: ScalarOrSchedule,
    decay: float = 1.0,
    eps: float = 1e-6,
    update_interval: int = 1,
    max_size: int = 1024,
    momentum: float | None = None,
    nesterov: bool = False,
) -> GradientTransformationExtraArgs:
    """Shampoo: one preconditioning matrix for each axis of a parameter, which for a matrix costs as much memory as two
    of them in place of its square.

    Args:
      learning_rate: step size, or a function of the number of updates so far.
      decay, eps, update_interval, max_size: as for ``scale_by_shampoo``.
      momentum: decay of a running sum of updates; None for none.
      nesterov: whether momentum looks one step ahead.

    References:
      Gupta et al., "Shampoo: preconditioned stochastic tensor optimization", 2018.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> opt = optim.contrib.shampoo(0.1)
      >>> w = jnp.array([[3.0, 0.0], [0.0, 4.0]])
      >>> updates, state = opt.update(w, opt.init(w))
      >>> print(jnp.round(updates + 0.0, 3))
      [[-0.1  0. ]
       [ 0.  -0.1]]
    """
    return chain(
        scale_by_shampoo(decay, eps, update_interval, max_size),
        identity() if momentum is None else trace(momentum, nesterov),
        scale_by_learning_rate(learning_rate),
    )


class ScaleBySoapState(NamedTuple):
    """State of ``scale_by_soap``.

    Attributes:
      count: number of updates so far, int32 scalar.
      mu: mean of gradients.
      nu: mean of squared gradients, in the basis of the eigenvectors.
      statistics: for each parameter a list of means of inner products, one matrix for each axis.
      vectors: their eigenvectors.
    """

    count: Any
    mu: Updates
    nu: Updates
    statistics: Any
    vectors: Any


@naming("contrib.scale_by_soap", floating=True)
def scale_by_soap(
    b1: float = 0.95,
    b2: float = 0.95,
    shampoo_decay: float = 0.95,
    eps: float = 1e-8,
    update_interval: int = 10,
    max_size: int = 1024,
) -> GradientTransformationExtraArgs:
    """SOAP's update: Adam's, in the basis of the eigenvectors of Shampoo's matrices. For parameters with less than two
    axes it is Adam's.

    Args:
      b1: decay of the mean of gradients.
      b2: decay of the mean of squares.
      shampoo_decay: decay of the means of inner products.
      eps: added to the root.
      update_interval: number of updates between steps of the eigenvectors (one of power iteration each).
      max_size: axes of more elements have no matrix.

    Raises:
      TypeError: a parameter is complex.
      ValueError: ``update_interval`` is less than 1.

    References:
      Vyas et al., "SOAP: improving and stabilizing Shampoo using Adam", 2024.
    """
    index("fungrad.optim.contrib.scale_by_soap", "update_interval", update_interval, 1)

    def squares(p: Any, make: Any) -> list[Any]:
        p = jnp.asarray(p)
        return [make(p.shape[i], p.dtype) for i in _matrix_axes(p, max_size)]

    def init(params: Params) -> ScaleBySoapState:
        _check_real(params)
        return ScaleBySoapState(
            zero_count(),
            tree.map(jnp.zeros_like, params),
            tree.map(jnp.zeros_like, params),
            tree.map(lambda p: squares(p, lambda n, dtype: jnp.zeros((n, n), dtype)), params),
            tree.map(lambda p: squares(p, lambda n, dtype: jnp.eye(n, dtype=dtype)), params),
        )

    def update(updates: Updates, state: OptState, params: Params | None = None, **extra: Any) -> tuple:
        check_state(state, ScaleBySoapState)
        tree.map(check_shapes, updates, state.mu)
        count = next_count(state.count)
        wide = is_wide(state.nu)
        gains = gained(b1, count, wide), gained(b2, count, wide)

        def mean(g: Any, means: list[Any]) -> tuple[list[Any]]:
            new = [_gram(g, i) for i in _matrix_axes(g, max_size)]
            return ([decayed(v, m, shampoo_decay).astype(m.dtype) for v, m in zip(new, means, strict=True)],)

        means = _per_leaf(mean, updates, state.statistics)[0]

        def first() -> Any:
            leaves, treedef = tree.flatten(means)
            found = _together(
                lambda m, _: linalg.eigh(m.astype(_single(m)))[1].astype(m.dtype), leaves, [None] * len(leaves)
            )
            return tree.unflatten(treedef, found)

        def turned() -> Any:
            leaves, treedef = tree.flatten(means)
            products = [m @ q for m, q in zip(leaves, tree.flatten_up_to(treedef, state.vectors), strict=True)]
            found = _together(
                lambda m, _: linalg.qr(m.astype(_single(m)))[0].astype(m.dtype), products, [None] * len(leaves)
            )
            return tree.unflatten(treedef, found)

        kind = jnp.where(state.count == 0, 0, jnp.where(state.count % update_interval == 0, 1, 2))
        vectors = lax.switch(kind, [first, turned, lambda: state.vectors])

        def step(g: Any, m: Any, v: Any, matrices: list[Any]) -> tuple[Any, Any, Any]:
            axes = _matrix_axes(g, max_size)
            to = [q.T for q in matrices]
            m, v = decayed(g, m, b1), decayed(_along(g, to, axes) ** 2, v, b2)
            out = corrected(_along(m, to, axes), gains[0]) / (jnp.sqrt(corrected(v, gains[1])) + eps)
            return _along(out, list(matrices), axes), m, v

        out, mu, nu = _per_leaf(step, updates, state.mu, state.nu, vectors)[:3]
        return out, ScaleBySoapState(count, mu, nu, means, vectors)

    return GradientTransformationExtraArgs(init, update)


def _single(x: Any) -> Any:
    """The dtype to decompose an array in: at least single precision."""
    return x.dtype if x.dtype.itemsize >= 4 else jnp.float32


@naming("contrib.soap", floating=True)
def soap(
    learning_rate: ScalarOrSchedule,
    b1: float = 0.95,
    b2: float = 0.95,
    shampoo_decay: float = 0.95,
    eps: float = 1e-8,
    update_interval: int = 10,
    max_size: int = 1024,
    weight_decay: ScalarOrSchedule | None = None,
    mask: MaskOrFn | None = None,
) -> GradientTransformationExtraArgs:
    """SOAP: AdamW in the basis of the eigenvectors of Shampoo's matrices.

    Args:
      learning_rate: step size, or a function of the number of updates so far.
      b1, b2, shampoo_decay, eps, update_interval, max_size: as for ``scale_by_soap``.
      weight_decay: strength of the decay, for which ``update`` needs the parameters; None for none.
      mask: as for ``adamw``.

    References:
      Vyas et al., "SOAP: improving and stabilizing Shampoo using Adam", 2024.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> opt = optim.contrib.soap(0.1)
      >>> w = jnp.array([[3.0, 0.0], [0.0, 4.0]])
      >>> updates, state = opt.update(w, opt.init(w))
    """
    return chain(
        scale_by_soap(b1, b2, shampoo_decay, eps, update_interval, max_size),
        identity() if weight_decay is None else add_decayed_weights(weight_decay, mask),
        scale_by_learning_rate(learning_rate),
    )
