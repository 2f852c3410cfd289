"""Statistics of samples: the mode, ranks, and the standard error of the mean.

May import ``core``, ``ops``, ``fungrad.numpy`` and ``stats._base``.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import fungrad.numpy as jnp
from fungrad.core import dtypes
from fungrad.core.array import Array, as_array
from fungrad.ops.cumulative import cummax, cummin
from fungrad.ops.shape import canonical_axis, iota
from fungrad.ops.sort import sort_key_val
from fungrad.scipy.stats._base import operands


class ModeResult(NamedTuple):
    """The most frequent values and how often they come."""

    mode: Array
    count: Array  # type: ignore[assignment]  # SciPy's name hides the method of tuples


def _policy(api: str, nan_policy: str, known: tuple[str, ...]) -> None:
    if nan_policy not in ("propagate", "omit", "raise"):
        raise ValueError(
            f"fungrad.scipy.stats.{api}: nan_policy must be 'propagate', 'omit' or 'raise', got {nan_policy!r}"
        )
    if nan_policy not in known:
        hint = " look for NaN with fungrad.numpy.isnan" if nan_policy == "raise" else " remove NaN first"
        raise NotImplementedError(f"fungrad.scipy.stats.{api}: nan_policy={nan_policy!r} is not supported;{hint}")


def _sample(api: str, a: Any) -> Array:
    array = as_array(a, f"fungrad.scipy.stats.{api}: a")
    if dtypes.is_complex(array.aval.dtype) or dtypes.is_key(array.aval.dtype):
        raise TypeError(f"fungrad.scipy.stats.{api}: a must be real, got {array.aval.str_short()}")
    return array


def _runs(ascending: Array) -> tuple[Array, Array]:
    """The first and the last position of the run of equal numbers that each element of sorted rows is in."""
    n, last = ascending.shape[-1], ascending.ndim - 1
    same = ascending[..., 1:] == ascending[..., :-1]
    if dtypes.is_inexact(ascending.dtype):
        same = same | jnp.isnan(ascending[..., 1:]) & jnp.isnan(ascending[..., :-1])
    edge = jnp.ones((*ascending.shape[:-1], 1), bool)
    begins, ends = jnp.concatenate([edge, ~same], -1), jnp.concatenate([~same, edge], -1)
    place = jnp.broadcast_to(iota(dtypes.default_int(), n), ascending.shape)
    first = cummax(jnp.where(begins, place, 0), last)
    return first, cummin(jnp.where(ends, place, n - 1), last, True)


def mode(a: Any, axis: int | None = 0, nan_policy: str = "propagate", keepdims: bool = False) -> ModeResult:
    """The most frequent value, the least of several.

    Args:
      a: real array.
      axis: dimension along which values are counted; None for all of the array.
      nan_policy: must be ``"propagate"``; NaN is a value like others.
      keepdims: whether the dimension stays, with size 1.

    Returns:
      The tuple ``(mode, count)``; NaN and 0 where there are no values.

    Raises:
      ValueError: there is no such axis or policy.
      NotImplementedError: another policy is wanted.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad.scipy import stats
      >>> result = stats.mode(jnp.array([1, 2, 2, 3]))
      >>> print(result.mode, result.count)
      2 2
    """
    _policy("mode", nan_policy, ("propagate",))
    x = jnp.atleast_1d(_sample("mode", a))
    if axis is None:
        kept: tuple[int, ...] = (1,) * x.ndim
        rows = x.reshape(-1)
    else:
        axis = canonical_axis("fungrad.scipy.stats.mode", axis, x.ndim)
        kept = (*x.shape[:axis], 1, *x.shape[axis + 1 :])
        rows = jnp.moveaxis(x, axis, -1)
    if not rows.shape[-1]:
        values = jnp.full(rows.shape[:-1], jnp.nan, dtypes.default_float())
        counts = jnp.zeros(rows.shape[:-1], dtypes.default_float())
    else:
        ascending = jnp.sort(rows, -1)
        first, last = _runs(ascending)
        lengths = last - first + 1
        best = jnp.argmax(lengths, -1, keepdims=True)
        values = jnp.take_along_axis(ascending, best, -1)[..., 0]
        counts = jnp.max(lengths, -1)
    return ModeResult(values.reshape(kept), counts.reshape(kept)) if keepdims else ModeResult(values, counts)


_METHODS = ("average", "min", "max", "dense", "ordinal")


def rankdata(a: Any, method: str = "average", *, axis: int | None = None, nan_policy: str = "propagate") -> Array:
    """Ranks of the elements, from 1 on.

    Args:
      a: real array.
      method: what equal elements get: the ``"average"`` of their ranks, the ``"min"`` or ``"max"`` of them, one rank
        without gaps afterwards (``"dense"``), or different ranks in their order (``"ordinal"``).
      axis: dimension along which elements are ranked; None for the whole array, flattened.
      nan_policy: must be ``"propagate"``: where there is a NaN all ranks are NaN.

    Returns:
      A floating array of the shape of ``a``, a vector if ``axis`` is None.

    Raises:
      ValueError: there is no such axis, method or policy.
      NotImplementedError: another policy is wanted.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad.scipy import stats
      >>> stats.rankdata(jnp.array([10, 30, 20, 20]))
      Array([1. , 4. , 2.5, 2.5], dtype=float32)
    """
    _policy("rankdata", nan_policy, ("propagate",))
    if method not in _METHODS:
        raise ValueError(f"fungrad.scipy.stats.rankdata: method must be one of {', '.join(_METHODS)}, got {method!r}")
    x = _sample("rankdata", a)
    if axis is None:
        x, axis = x.reshape(-1), 0
    axis = canonical_axis("fungrad.scipy.stats.rankdata", axis, x.ndim)
    rows, last, found = jnp.moveaxis(x, axis, -1), x.ndim - 1, dtypes.default_float()
    if not x.size:
        return jnp.zeros(x.shape, found)
    place = jnp.broadcast_to(iota(dtypes.default_int(), rows.shape[-1]), rows.shape)
    ascending, order = sort_key_val(rows, place, last)
    first, final = _runs(ascending)
    ranks = {
        "average": lambda: 0.5 * (first + final).astype(found) + 1,
        "min": lambda: first + 1,
        "max": lambda: final + 1,
        "dense": lambda: jnp.cumsum(first == place, axis=-1),
        "ordinal": lambda: place + 1,
    }[method]().astype(found)
    # Back to the order of the elements.
    _, out = sort_key_val(order, ranks, last)
    if dtypes.is_inexact(x.dtype):
        out = jnp.where(jnp.isnan(rows).any(-1, keepdims=True), jnp.nan, out)
    return jnp.moveaxis(out, -1, axis)


def sem(a: Any, axis: int | None = 0, ddof: int = 1, nan_policy: str = "propagate", *, keepdims: bool = False) -> Array:
    """Standard error of the mean: the standard deviation over the root of the number of elements.

    Args:
      a: real array.
      axis: dimension along which elements are taken; None for all of the array.
      ddof: what is subtracted from the number of elements in the standard deviation.
      nan_policy: ``"propagate"``, or ``"omit"`` to leave NaN out.
      keepdims: whether the dimension stays, with size 1.

    Raises:
      ValueError: there is no such axis or policy.
      NotImplementedError: ``nan_policy`` is ``"raise"``.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad.scipy import stats
      >>> print(stats.sem(jnp.array([1.0, 2.0, 3.0, 4.0])).round(4))
      0.6455
    """
    _policy("sem", nan_policy, ("propagate", "omit"))
    (x,) = operands("sem", a=a)
    if axis is not None:
        axis = canonical_axis("fungrad.scipy.stats.sem", axis, x.ndim)
    if nan_policy == "propagate":
        size = x.size if axis is None else x.shape[axis]
        return jnp.std(x, axis, ddof=ddof, keepdims=keepdims) / jnp.sqrt(jnp.asarray(size, x.dtype))
    count = jnp.sum(~jnp.isnan(x), axis, keepdims=keepdims)
    return jnp.nanstd(x, axis, ddof=ddof, keepdims=keepdims) / jnp.sqrt(count.astype(x.dtype))
