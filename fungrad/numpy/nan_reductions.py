"""Reductions that leave NaN out.

May import ``core``, ``ops``, ``numpy._promotion`` and the modules of ``numpy`` before it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fungrad.core import dtypes
from fungrad.core.array import Array
from fungrad.numpy import reductions, ufuncs
from fungrad.numpy._promotion import cast, operand
from fungrad.numpy.creation import full_like
from fungrad.numpy.manipulation import no_out
from fungrad.numpy.reductions import Axis
from fungrad.numpy.selection import where as choose
from fungrad.ops.reduce import highest, lowest


def _without_nan(api: str, a: Any, value: Any) -> tuple[Array, Array | None]:
    """``a`` with NaN replaced, and where NaN is (None if the dtype has none)."""
    x = operand(a, api, "a")
    if not dtypes.is_inexact(x.aval.dtype):
        return x, None
    mask = ufuncs.isnan(x)
    return choose(mask, full_like(x, value), x), mask


def _all_nan(mask: Array, axis: Axis, keepdims: bool, where: Any) -> Array:
    return reductions.all(mask, axis, keepdims=keepdims, where=where)


def nansum(
    a: Any,
    axis: Axis = None,
    dtype: Any = None,
    out: None = None,
    keepdims: bool = False,
    initial: Any = None,
    where: Any = None,
) -> Array:
    """Sum over axes of the elements that are not NaN; see ``sum``.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.nansum(jnp.array([1.0, jnp.nan, 2.0]))
      Array(3., dtype=float32)
    """
    return reductions.sum(_without_nan("nansum", a, 0)[0], axis, dtype, out, keepdims, initial, where)


def nanprod(
    a: Any,
    axis: Axis = None,
    dtype: Any = None,
    out: None = None,
    keepdims: bool = False,
    initial: Any = None,
    where: Any = None,
) -> Array:
    """Product over axes of the elements that are not NaN; see ``sum``.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.nanprod(jnp.array([2.0, jnp.nan, 3.0]))
      Array(6., dtype=float32)
    """
    return reductions.prod(_without_nan("nanprod", a, 1)[0], axis, dtype, out, keepdims, initial, where)


def _nan_extreme(
    api: str, reduce: Callable, worst: Callable, a: Any, axis: Axis, out: Any, keepdims: bool, initial: Any, where: Any
) -> Array:
    no_out(api, out)
    x = operand(a, api, "a")
    if not dtypes.is_inexact(x.aval.dtype):
        return reduce(x, axis, out, keepdims, initial, where)
    limit = worst(dtypes.to_real_dtype(x.aval.dtype))
    filled, mask = _without_nan(api, x, complex(limit, limit) if dtypes.is_complex(x.aval.dtype) else limit)
    y = reduce(filled, axis, out, keepdims, initial, where)
    if initial is not None:
        return y
    assert mask is not None
    return choose(_all_nan(mask, axis, keepdims, where), full_like(y, float("nan")), y)


def nanmax(
    a: Any, axis: Axis = None, out: None = None, keepdims: bool = False, initial: Any = None, where: Any = None
) -> Array:
    """Largest element over axes that is not NaN; NaN if there is none. See ``max``.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.nanmax(jnp.array([1.0, jnp.nan]))
      Array(1., dtype=float32)
    """
    return _nan_extreme("nanmax", reductions.max, lowest, a, axis, out, keepdims, initial, where)


def nanmin(
    a: Any, axis: Axis = None, out: None = None, keepdims: bool = False, initial: Any = None, where: Any = None
) -> Array:
    """Smallest element over axes that is not NaN; NaN if there is none. See ``max``.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.nanmin(jnp.array([2.0, jnp.nan, 3.0]))
      Array(2., dtype=float32)
    """
    return _nan_extreme("nanmin", reductions.min, highest, a, axis, out, keepdims, initial, where)


def nanmean(
    a: Any, axis: Axis = None, dtype: Any = None, out: None = None, keepdims: bool = False, where: Any = None
) -> Array:
    """Mean over axes of the elements that are not NaN; see ``mean``.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.nanmean(jnp.array([1.0, jnp.nan, 2.0]))
      Array(1.5, dtype=float32)
    """
    no_out("nanmean", out)
    filled, mask = _without_nan("nanmean", a, 0)
    if mask is None:
        return reductions.mean(filled, axis, dtype, out, keepdims, where=where)
    total = reductions.sum(filled, axis, dtype, keepdims=keepdims, where=where)
    count = reductions.sum(ufuncs.logical_not(mask), axis, keepdims=keepdims, where=where)
    return ufuncs.true_divide(total, cast(count, total.aval.dtype))


def nanvar(
    a: Any, axis: Axis = None, dtype: Any = None, out: None = None, ddof: int = 0, keepdims: bool = False,
    where: Any = None, mean: Any = None,
) -> Array:  # fmt: skip
    """Variance over axes of the elements that are not NaN; see ``var``.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.nanvar(jnp.array([1.0, jnp.nan, 3.0]))
      Array(1., dtype=float32)
    """
    no_out("nanvar", out)
    x = operand(a, "nanvar", "a")
    if not dtypes.is_inexact(x.aval.dtype):
        return reductions.var(x, axis, dtype, out, ddof, keepdims, where=where, mean=mean)
    if dtype is not None:
        found = dtypes.canonicalize_dtype(dtype, "fungrad.numpy.nanvar")
        if dtypes.is_complex(x.aval.dtype) and not dtypes.is_complex(found):
            raise ValueError(
                f"fungrad.numpy.nanvar: dtype {found.name} cannot hold the mean of {x.aval.str_short()}; use a complex "
                "dtype"
            )
        x = cast(x, dtypes.requested_result_type(x.aval.dtype, found))
    mask = ufuncs.isnan(x)
    center = nanmean(x, axis, keepdims=True, where=where) if mean is None else operand(mean, "nanvar", "mean")
    apart = choose(mask, full_like(x, 0), ufuncs.subtract(x, center))
    square = ufuncs.square(ufuncs.absolute(apart)) if dtypes.is_complex(x.aval.dtype) else ufuncs.square(apart)
    total = reductions.sum(square, axis, keepdims=keepdims, where=where)
    count = reductions.sum(ufuncs.logical_not(mask), axis, keepdims=keepdims, where=where)
    left = ufuncs.subtract(cast(count, total.aval.dtype), ddof)
    y = choose(ufuncs.greater(left, 0), ufuncs.true_divide(total, left), full_like(total, float("nan")))
    return y if dtype is None else cast(y, dtypes.canonicalize_dtype(dtype, "fungrad.numpy.nanvar"))


def nanstd(
    a: Any, axis: Axis = None, dtype: Any = None, out: None = None, ddof: int = 0, keepdims: bool = False,
    where: Any = None, mean: Any = None,
) -> Array:  # fmt: skip
    """Standard deviation over axes of the elements that are not NaN; see ``var``.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.nanstd(jnp.array([1.0, jnp.nan, 5.0]))
      Array(2., dtype=float32)
    """
    return ufuncs.sqrt(nanvar(a, axis, dtype, out, ddof, keepdims, where, mean))


def _nan_arg(api: str, arg: Callable, worst: float, a: Any, axis: int | None, out: Any, keepdims: bool | None) -> Array:
    no_out(api, out)
    x = operand(a, api, "a")
    if not dtypes.is_inexact(x.aval.dtype):
        return arg(x, axis, out, keepdims)
    filled, mask = _without_nan(api, x, worst)
    assert mask is not None
    y = arg(filled, axis, None, keepdims)
    reduced = _all_nan(mask, axis, bool(keepdims), None)
    return choose(reduced, full_like(y, -1), y)


def nanargmax(a: Any, axis: int | None = None, out: None = None, keepdims: bool | None = None) -> Array:
    """Position of the largest element that is not NaN; -1 if there is none.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.nanargmax(jnp.array([1.0, jnp.nan, 3.0]))
      Array(2, dtype=int32)
    """
    return _nan_arg("nanargmax", reductions.argmax, float("-inf"), a, axis, out, keepdims)


def nanargmin(a: Any, axis: int | None = None, out: None = None, keepdims: bool | None = None) -> Array:
    """Position of the smallest element that is not NaN; -1 if there is none.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.nanargmin(jnp.array([jnp.nan, 2.0, 1.0]))
      Array(2, dtype=int32)
    """
    return _nan_arg("nanargmin", reductions.argmin, float("inf"), a, axis, out, keepdims)


def nancumsum(a: Any, axis: int | None = None, dtype: Any = None, out: None = None) -> Array:
    """Running sum along an axis in which NaN counts as 0.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.nancumsum(jnp.array([1.0, jnp.nan, 2.0]))
      Array([1., 1., 3.], dtype=float32)
    """
    return reductions.cumsum(_without_nan("nancumsum", a, 0)[0], axis, dtype, out)


def nancumprod(a: Any, axis: int | None = None, dtype: Any = None, out: None = None) -> Array:
    """Running product along an axis in which NaN counts as 1.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.nancumprod(jnp.array([2.0, jnp.nan, 3.0]))
      Array([2., 2., 6.], dtype=float32)
    """
    return reductions.cumprod(_without_nan("nancumprod", a, 1)[0], axis, dtype, out)


__all__ = [
    "nanargmax",
    "nanargmin",
    "nancumprod",
    "nancumsum",
    "nanmax",
    "nanmean",
    "nanmin",
    "nanprod",
    "nanstd",
    "nansum",
    "nanvar",
]
