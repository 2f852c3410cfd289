"""Muon: momentum whose matrices are made orthogonal.

May import the transformations.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

import fungrad.numpy as jnp
from fungrad.core import tree
from fungrad.numpy import linalg
from fungrad.optim._formulas import cast, corrected, decayed, gained, is_wide, looked_ahead, next_count, zero_count
from fungrad.optim._leafwise import is_none
from fungrad.optim._naming import naming
from fungrad.optim.alias.adaptive import adamw
from fungrad.optim.base import (
    GradientTransformationExtraArgs,
    MaskOrFn,
    OptState,
    Params,
    ScalarOrSchedule,
    Updates,
    check_shapes,
    check_state,
    stateless,
)
from fungrad.optim.numerics import norm
from fungrad.optim.scaling.steps import scale_by_learning_rate
from fungrad.optim.transforms.adding import add_decayed_weights
from fungrad.optim.transforms.combining import chain, partition
from fungrad.optim.transforms.masking import MaskedNode
from fungrad.transforms.mapping import vmap

_STANDARD = (3.4445, -4.775, 2.0315)
# One triple for each step.
_DION = (
    (4.0848, -6.8946, 2.9270),
    (3.9505, -6.3029, 2.6377),
    (3.7418, -5.5913, 2.3037),
    (2.8769, -3.1427, 1.2046),
    (2.8366, -3.0525, 1.2012),
)
_COEFFICIENTS: dict[str, Any] = {"standard": _STANDARD, "dion": _DION}
_PRECONDITIONINGS = ("frobenius", "spectral", "aol", "schatten")


class MuonDimensionNumbers(NamedTuple):
    """Which axes of a parameter are the rows and columns of the matrix that is made orthogonal; the others are a batch.

    Attributes:
      reduction_axis: axes that a product with the parameter adds up over.
      output_axis: axes of the result.
    """

    reduction_axis: Sequence[int] | int = 0
    output_axis: Sequence[int] | int = 1


def _is_numbers(x: Any) -> bool:
    return isinstance(x, MuonDimensionNumbers)


def _axes(x: Any, numbers: MuonDimensionNumbers) -> tuple[tuple[int, ...], tuple[int, ...]]:
    rows, columns = [
        tuple([axis % x.ndim for axis in ((axes,) if isinstance(axes, int) else axes)]) for axes in numbers
    ]
    if x.ndim < 2 or set(rows) & set(columns):
        raise ValueError(
            "fungrad.optim.contrib.muon: reduction and output axes must be different axes of a parameter with at "
            f"least two, got {numbers} for shape {x.shape}"
        )
    return rows, columns


def _orthogonal(x: Any, coefficients: Any, steps: int, preconditioning: str, eps: float) -> Any:
    """A matrix with about the singular vectors of ``x`` and singular values near one, by the iteration of Newton and
    Schulz."""
    wide = x.shape[0] <= x.shape[1]
    x = x if wide else x.T
    if preconditioning == "frobenius":
        x = x / (norm(x, "fro") + eps)
    elif preconditioning == "spectral":
        x = x / (linalg.norm(x, ord=2) + eps)
    coefficients = coefficients.astype(x.dtype)
    each = coefficients.ndim == 2
    for i in range(coefficients.shape[0] if each else steps):
        a, b, c = [(coefficients[i] if each else coefficients)[j] for j in range(3)]
        if i == 0 and preconditioning == "schatten":
            gram = x @ x.T
        else:
            gram = x @ x.T.conj()
        if i == 0 and preconditioning == "aol":
            s = 1 / jnp.sqrt(jnp.maximum(jnp.sum(jnp.abs(gram), axis=-1), eps))[:, None]
            x, gram = x * s, gram * s * s.T
        elif i == 0 and preconditioning == "schatten":
            s = 1 / jnp.sqrt(jnp.maximum(norm(gram, "fro"), eps))
            x, gram = x * s, gram * s**2
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x if wide else x.T


def _orthogonalized(x: Any, numbers: MuonDimensionNumbers | None, function: Callable[[Any], Any]) -> Any:
    """Applies a function to the matrices of an array."""
    rows, columns = _axes(x, MuonDimensionNumbers() if numbers is None or x.ndim == 2 else numbers)
    batch = tuple([i for i in range(x.ndim) if i not in rows + columns])
    order = batch + rows + columns
    shape = [x.shape[i] for i in order]
    flat = [math.prod([x.shape[i] for i in part]) for part in (batch, rows, columns)]
    out = vmap(function)(x.transpose(order).reshape(flat)).reshape(shape)
    return out.transpose(tuple(sorted(range(x.ndim), key=order.__getitem__)))


class MuonState(NamedTuple):
    """State of ``scale_by_muon``.

    Attributes:
      count: number of updates so far, int32 scalar.
      mu: mean of gradients.
      ns_coeffs: coefficients of the iteration.
    """

    count: Any
    mu: Updates
    ns_coeffs: Any


def _resolved(numbers: Any, values: Any) -> Any:
    return numbers(values) if callable(numbers) else numbers


@naming("contrib.scale_by_muon", floating=True)
def scale_by_muon(
    ns_coeffs: Any = _STANDARD,
    ns_steps: int = 5,
    beta: float = 0.95,
    eps: float = 1e-8,
    mu_dtype: Any = None,
    *,
    nesterov: bool = True,
    adaptive: bool = False,
    preconditioning: str = "frobenius",
    weight_dimension_numbers: Any = None,
) -> GradientTransformationExtraArgs:
    """Muon's update: momentum whose matrices are made orthogonal by the iteration of Newton and Schulz,
    ``x <- a * x + (b * x @ x.T + c * (x @ x.T)**2) @ x``.

    Args:
      ns_coeffs: ``(a, b, c)``, or an array of shape (n, 3) with ``n <= ns_steps`` of them.
      ns_steps: number of iterations.
      beta: decay of the mean of gradients.
      eps: added to divisors.
      mu_dtype: dtype of the mean; default that of the parameters.
      nesterov: whether the mean looks one step ahead.
      adaptive: whether updates are multiplied by their inner product with the mean.
      preconditioning: how matrices are scaled first: ``"frobenius"``, ``"spectral"``, ``"aol"`` or ``"schatten"``.
      weight_dimension_numbers: tree of ``MuonDimensionNumbers`` like the parameters, or a function from parameters to
        one; None if all are matrices.

    Raises:
      ValueError: an argument is none of these.

    References:
      Jordan et al., "Muon: an optimizer for hidden layers in neural networks", 2024. Bernstein and Newhouse, "Old
      optimizer, new norm", 2024. Boissin et al., "Turbo-Muon", 2025, for ``"aol"``.
    """
    api = "fungrad.optim.contrib.scale_by_muon"
    if preconditioning not in _PRECONDITIONINGS:
        known = ", ".join(_PRECONDITIONINGS)
        raise ValueError(f"{api}: preconditioning must be one of {known}, got {preconditioning!r}")
    shape = np.shape(ns_coeffs)
    if len(shape) not in (1, 2) or shape[-1] != 3:
        raise ValueError(f"{api}: ns_coeffs must have shape (3,) or (n, 3), got {shape}")
    if len(shape) == 2 and shape[0] > ns_steps:
        raise ValueError(f"{api}: ns_coeffs must have at most ns_steps = {ns_steps} rows, got {shape[0]}")

    def init(params: Params) -> MuonState:
        mu = tree.map(lambda p: jnp.zeros_like(p, dtype=mu_dtype), params)
        return MuonState(zero_count(), mu, jnp.asarray(ns_coeffs, jnp.float32))

    def update(updates: Updates, state: OptState, params: Params | None = None, **extra: Any) -> tuple:
        check_state(state, MuonState)
        tree.map(check_shapes, updates, state.mu)
        count = next_count(state.count)
        means = tree.map(lambda g, m: decayed(g, m, beta), updates, state.mu)
        wide = is_wide(state.mu)
        gains = gained(beta, count, wide), gained(beta, next_count(count), wide)
        if nesterov:
            ahead = tree.map(lambda m, g: looked_ahead(m, g, beta, gains), means, updates)
        else:
            ahead = tree.map(lambda m: corrected(m, gains[0]), means)

        def step(x: Any, numbers: Any) -> Any:
            out = _orthogonalized(
                x, numbers, lambda m: _orthogonal(m, state.ns_coeffs, ns_steps, preconditioning, eps)
            )
            return jnp.sum(x.conj() * out) * out if adaptive else out

        numbers = _resolved(weight_dimension_numbers, updates)
        if numbers is None or _is_numbers(numbers):
            out = tree.map(lambda x: step(x, numbers), ahead)
        else:
            out = tree.map(step, ahead, numbers, is_leaf=_is_numbers)
        return out, MuonState(count, tree.map(lambda m: cast(m, mu_dtype), means), state.ns_coeffs)

    return GradientTransformationExtraArgs(init, update)


def _scaled_by_shape(numbers: Any, consistent_rms: float | None) -> GradientTransformationExtraArgs:
    """Makes updates fit to the sizes of matrices: by the root of columns over rows, or to one root mean square."""

    def scaled(g: Any, numbers: MuonDimensionNumbers) -> Any:
        rows, columns = [math.prod([g.shape[i] for i in axes]) for axes in _axes(g, numbers)]
        if consistent_rms is None:
            return math.sqrt(max(1, columns / rows)) * g
        return math.sqrt(max(rows, columns)) * consistent_rms * g

    return stateless(lambda updates, _: tree.map(scaled, updates, _resolved(numbers, updates), is_leaf=_is_numbers))


@naming("contrib.muon", floating=True)
def muon(
    learning_rate: ScalarOrSchedule,
    ns_coeffs: Any = _STANDARD,
    ns_steps: int = 5,
    beta: float = 0.95,
    eps: float = 1e-8,
    weight_decay: ScalarOrSchedule = 0.0,
    weight_decay_mask: MaskOrFn | None = None,
    mu_dtype: Any = None,
    *,
    nesterov: bool = True,
    adaptive: bool = False,
    preconditioning: str = "frobenius",
    adam_b1: float = 0.9,
    adam_b2: float = 0.999,
    adam_eps_root: float = 0.0,
    adam_weight_decay: ScalarOrSchedule = 0.0,
    adam_learning_rate: ScalarOrSchedule | None = None,
    muon_weight_dimension_numbers: Any = None,
    consistent_rms: float | None = None,
) -> GradientTransformationExtraArgs:
    """Muon: momentum made orthogonal for matrices, Adam with decoupled weight decay for all other parameters; its
    ``update`` needs the parameters.

    Args:
      learning_rate: step size, or a function of the number of updates so far.
      ns_coeffs: coefficients as for ``scale_by_muon``, or ``"standard"`` or ``"dion"``.
      ns_steps, beta, eps, mu_dtype, nesterov, adaptive, preconditioning: as for ``scale_by_muon``.
      weight_decay, weight_decay_mask: decay of matrices, as for ``adamw``.
      adam_b1, adam_b2, adam_eps_root, adam_weight_decay: for the other parameters, as for ``adamw``.
      adam_learning_rate: for the other parameters; default ``learning_rate``.
      muon_weight_dimension_numbers: tree of ``MuonDimensionNumbers``, with None for what Adam gets, or a function from
        parameters to one; default all parameters with two axes.
      consistent_rms: root mean square of updates; None for a factor from the shape of each matrix.

    Raises:
      ValueError: an argument is none of these.

    References:
      Jordan et al., "Muon: an optimizer for hidden layers in neural networks", 2024. Liu et al., "Muon is scalable for
      LLM training", 2025, for ``consistent_rms``.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> opt = optim.contrib.muon(0.1)
      >>> params = {'w': jnp.ones((3, 2)), 'b': jnp.ones(2)}
      >>> updates, state = opt.update(params, opt.init(params), params)
    """
    if isinstance(ns_coeffs, str):
        if ns_coeffs not in _COEFFICIENTS:
            raise ValueError(
                f"fungrad.optim.contrib.muon: ns_coeffs must be {' or '.join(_COEFFICIENTS)}, or numbers, got "
                f"{ns_coeffs!r}"
            )
        ns_coeffs = _COEFFICIENTS[ns_coeffs]

    def numbers_of(params: Params) -> Any:
        if muon_weight_dimension_numbers is None:
            return tree.map(lambda p: MuonDimensionNumbers() if p.ndim == 2 else None, params)
        return _resolved(muon_weight_dimension_numbers, params)

    def is_leaf(x: Any) -> bool:
        return is_none(x) or _is_numbers(x) or isinstance(x, MaskedNode)

    def labels(params: Params) -> Any:
        def label(numbers: Any, values: Any) -> Any:
            return tree.map(lambda _: "muon" if _is_numbers(numbers) else "adam", values)

        return tree.map(label, numbers_of(params), params, is_leaf=is_leaf)

    def of_matrices(params: Params) -> Any:
        """The numbers of what Muon sees: the rest are masked nodes, without leaves."""

        def spread(numbers: Any, values: Any) -> Any:
            return tree.map(lambda _: numbers, values)

        return tree.map(spread, numbers_of(params), params, is_leaf=is_leaf)

    matrices = chain(
        scale_by_muon(
            ns_coeffs,
            ns_steps,
            beta,
            eps,
            mu_dtype,
            nesterov=nesterov,
            adaptive=adaptive,
            preconditioning=preconditioning,
            weight_dimension_numbers=of_matrices,
        ),
        _scaled_by_shape(of_matrices, consistent_rms),
        add_decayed_weights(weight_decay, weight_decay_mask),
        scale_by_learning_rate(learning_rate),
    )
    others = adamw(
        learning_rate if adam_learning_rate is None else adam_learning_rate,
        adam_b1,
        adam_b2,
        eps,
        adam_eps_root,
        mu_dtype,
        adam_weight_decay,
        nesterov=nesterov,
    )
    return partition({"muon": matrices, "adam": others}, labels)
