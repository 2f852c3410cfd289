"""The elementwise functions of two operands (and ``negative``) as ufuncs, with what their methods compute.

Inside the library the plain functions of ``numpy.ufuncs`` are called.

May import ``core``, ``ops`` and the modules of ``numpy``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fungrad.core import dtypes
from fungrad.core.arguments import guarded
from fungrad.core.array import Array
from fungrad.numpy import division, reductions, ufuncs
from fungrad.numpy._promotion import cast, converted, inexact, operand, requested_dtype
from fungrad.numpy.creation import broadcast_to
from fungrad.numpy.selection import where as choose
from fungrad.numpy.ufunc_objects import ufunc
from fungrad.numpy.updating import IndexUpdateHelper
from fungrad.ops import cumulative, reduce
from fungrad.ops.cast import stop_gradient
from fungrad.ops.shape import canonical_axis

# -- what methods compute ----------------------------------------------------------------------------------------------


def _sum(a: Any, *, axis: Any, dtype: Any, keepdims: bool, initial: Any, where: Any) -> Array:
    return reductions.sum(a, axis, dtype, None, keepdims, initial, where)


def _prod(a: Any, *, axis: Any, dtype: Any, keepdims: bool, initial: Any, where: Any) -> Array:
    return reductions.prod(a, axis, dtype, None, keepdims, initial, where)


def _in_dtype(a: Any, dtype: Any, api: str) -> Array:
    a, found = operand(a, api, "a"), requested_dtype(dtype, api)
    return cast(a, a.aval.dtype if found is None else found)


def _max(a: Any, *, axis: Any, dtype: Any, keepdims: bool, initial: Any, where: Any) -> Array:
    return reductions.max(_in_dtype(a, dtype, "maximum.reduce"), axis, None, keepdims, initial, where)


def _min(a: Any, *, axis: Any, dtype: Any, keepdims: bool, initial: Any, where: Any) -> Array:
    return reductions.min(_in_dtype(a, dtype, "minimum.reduce"), axis, None, keepdims, initial, where)


def _truth(name: str, function: Callable[..., Array], combine: Callable[..., Array]) -> Callable[..., Array]:
    def reduced(a: Any, *, axis: Any, dtype: Any, keepdims: bool, initial: Any, where: Any) -> Array:
        out = function(_in_dtype(a, dtype, f"{name}.reduce"), axis, None, keepdims, where=where)
        return out if initial is None else combine(initial, out)

    return reduced


def _bits(name: str, lax_reduce: Callable[..., Array], neutral: int, combine: Callable[..., Array]) -> Callable:
    def reduced(a: Any, *, axis: Any, dtype: Any, keepdims: bool, initial: Any, where: Any) -> Array:
        api = f"{name}.reduce"
        x = _in_dtype(a, dtype, api)
        if not (dtypes.is_integer(x.aval.dtype) or dtypes.is_bool(x.aval.dtype)):
            raise TypeError(f"fungrad.numpy.{api}: a must be boolean or integer, got {x.aval.str_short()}")
        if where is not None:
            fill = np.array(neutral).astype(x.aval.dtype)
            x = choose(broadcast_to(where, x.aval.shape, api), x, cast(operand(fill, api, "identity"), x.aval.dtype))
        axes = reductions.reduction_axes(api, axis, x.aval.ndim)
        out = lax_reduce(x, axes)
        if initial is not None:
            out = combine(out, converted(initial, x.aval.dtype, api, "initial"))
        return reductions.restore_dims(out, axes) if keepdims else out

    return reduced


def _log_sum(a: Any, *, axis: Any, dtype: Any, keepdims: bool, initial: Any, where: Any) -> Array:
    api = "logaddexp.reduce"
    x = inexact(_in_dtype(a, dtype, api), api)
    real = ufuncs.real(x)
    largest = reductions.max(real, axis, keepdims=True, initial=-np.inf, where=where)
    # An infinity is not subtracted from itself.
    top = stop_gradient(choose(ufuncs.isfinite(largest), largest, 0.0))
    total = reductions.sum(ufuncs.exp(ufuncs.subtract(x, top)), axis, keepdims=True, where=where)
    out = ufuncs.add(ufuncs.log(total), top)
    if initial is not None:
        out = ufuncs.logaddexp(converted(initial, x.aval.dtype, api, "initial"), out)
    return out if keepdims else out.reshape(reductions.sum(real, axis).aval.shape)


def _running(name: str, function: Callable[..., Array]) -> Callable[..., Array]:
    def running(a: Any, *, axis: int, dtype: Any) -> Array:
        api = f"{name}.accumulate"
        x = _in_dtype(a, dtype, api)
        if name == "logaddexp":
            x = inexact(x, api)
        return function(x, canonical_axis(f"fungrad.numpy.{api}", axis, x.aval.ndim))

    return running


def _running_total(name: str, function: Callable[..., Array]) -> Callable[..., Array]:
    def running(a: Any, *, axis: int, dtype: Any) -> Array:
        x = operand(a, f"{name}.accumulate", "a")
        canonical_axis(f"fungrad.numpy.{name}.accumulate", axis, x.aval.ndim)
        return function(x, axis, dtype)

    return running


def _at(method: str) -> Callable[..., Array]:
    def updated(a: Any, indices: Any, b: Any) -> Array:
        return getattr(IndexUpdateHelper(operand(a, "ufunc.at", "a"))[indices], method)(b)  # type: ignore[no-any-return]

    return updated


# -- the ufuncs --------------------------------------------------------------------------------------------------------

# Called most: they word all their errors themselves.
_HOT = (ufuncs.add, ufuncs.subtract, ufuncs.multiply, ufuncs.divide)


def _ufunc(
    function: Callable[..., Any], identity: Any = None, nin: int = 2, name: str | None = None, **methods: Any
) -> ufunc:
    name = name or function.__name__
    call = function if function in _HOT else guarded(f"fungrad.numpy.{name}", function)
    return ufunc(function, nin, 1, name=name, identity=identity, call=call, **methods)


add = _ufunc(
    ufuncs.add, 0, reduce=_sum, accumulate=_running_total("add", reductions.cumsum), at=_at("add"), reduceat="sum"
)
multiply = _ufunc(
    ufuncs.multiply, 1, reduce=_prod, accumulate=_running_total("multiply", reductions.cumprod), at=_at("multiply"),
    reduceat="prod",
)  # fmt: skip
maximum = _ufunc(
    ufuncs.maximum, reduce=_max, accumulate=_running("maximum", cumulative.cummax), at=_at("max"), reduceat="max"
)
minimum = _ufunc(
    ufuncs.minimum, reduce=_min, accumulate=_running("minimum", cumulative.cummin), at=_at("min"), reduceat="min"
)
logical_and = _ufunc(
    ufuncs.logical_and, True, reduce=_truth("logical_and", reductions.all, ufuncs.logical_and)
)
logical_or = _ufunc(ufuncs.logical_or, False, reduce=_truth("logical_or", reductions.any, ufuncs.logical_or))
logical_xor = _ufunc(ufuncs.logical_xor, False)
bitwise_and = _ufunc(
    ufuncs.bitwise_and, -1, reduce=_bits("bitwise_and", reduce.reduce_and, -1, ufuncs.bitwise_and)
)
bitwise_or = _ufunc(ufuncs.bitwise_or, 0, reduce=_bits("bitwise_or", reduce.reduce_or, 0, ufuncs.bitwise_or))
bitwise_xor = _ufunc(ufuncs.bitwise_xor, 0, reduce=_bits("bitwise_xor", reduce.reduce_xor, 0, ufuncs.bitwise_xor))
logaddexp = _ufunc(
    ufuncs.logaddexp, -np.inf, reduce=_log_sum, accumulate=_running("logaddexp", cumulative.cumlogsumexp)
)
logaddexp2 = _ufunc(ufuncs.logaddexp2, -np.inf)
subtract = _ufunc(ufuncs.subtract, at=_at("subtract"))
divide = _ufunc(ufuncs.divide)
true_divide = divide
floor_divide = _ufunc(division.floor_divide)
remainder = _ufunc(division.remainder)
mod = _ufunc(division.remainder, name="mod")
fmod = _ufunc(division.fmod)
power = _ufunc(ufuncs.power)
pow = _ufunc(ufuncs.power, name="pow")
float_power = _ufunc(ufuncs.float_power)
fmax = _ufunc(ufuncs.fmax)
fmin = _ufunc(ufuncs.fmin)
arctan2 = _ufunc(ufuncs.arctan2)
atan2 = _ufunc(ufuncs.arctan2, name="atan2")
hypot = _ufunc(ufuncs.hypot, 0)
copysign = _ufunc(ufuncs.copysign)
nextafter = _ufunc(ufuncs.nextafter)
heaviside = _ufunc(ufuncs.heaviside)
ldexp = _ufunc(ufuncs.ldexp)
gcd = _ufunc(ufuncs.gcd, 0)
lcm = _ufunc(ufuncs.lcm)
left_shift = _ufunc(ufuncs.left_shift)
bitwise_left_shift = _ufunc(ufuncs.left_shift, name="bitwise_left_shift")
right_shift = _ufunc(ufuncs.right_shift)
bitwise_right_shift = _ufunc(ufuncs.right_shift, name="bitwise_right_shift")
equal = _ufunc(ufuncs.equal)
not_equal = _ufunc(ufuncs.not_equal)
less = _ufunc(ufuncs.less)
less_equal = _ufunc(ufuncs.less_equal)
greater = _ufunc(ufuncs.greater)
greater_equal = _ufunc(ufuncs.greater_equal)
negative = _ufunc(ufuncs.negative, nin=1)
