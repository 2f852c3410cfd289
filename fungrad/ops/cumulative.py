"""Running combinations along an axis: cumsum, cumprod, cummax, cummin, cumlogsumexp, and the linear
recurrence behind their derivatives.

The derivative of a running combination ``y[k] = f(y[k-1], x[k])`` is itself a running combination,
linear in the tangent ``g``: ``dy[k] = a[k] * dy[k-1] + b[k]`` with ``a = df/dy`` and ``b = df/dx *
g``. One primitive, ``linear_recurrence``, computes it; it is linear in ``b``, its transpose is the
same recurrence run from the other end, and its derivative another one.

May import ``core``, ``ops._operands``, ``ops.foundation``, ``ops.elementwise``,
``ops.transcendental``, ``ops.compare`` and ``ops.shape``.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fungrad.core.array import Array
from fungrad.core.avals import ShapedArray, Zero
from fungrad.core.context import AxisData
from fungrad.core.primitive import Primitive
from fungrad.ops._operands import check_kind, double, kind_of, lift, scalar_array
from fungrad.ops.cast import convert_element_type_p
from fungrad.ops.compare import eq, select
from fungrad.ops.elementwise import div, mul, sub
from fungrad.ops.foundation import add_zeros, batch_to
from fungrad.ops.shape import compact, pad_p
from fungrad.ops.transcendental import exp

# The recurrence runs element by element if a step works on at least this many, and otherwise by
# doubling.
_WIDE = 256


def _check_axis(name: str, x: ShapedArray, axis: int) -> None:
    if not 0 <= axis < x.ndim:
        raise ValueError(
            f"fungrad.lax.{name}: axis must be in [0, {x.ndim}) for operand {x.str_short()}, got "
            f"{axis}"
        )


def previous(x: Any, first: Any, axis: int, reverse: bool) -> Any:
    """``x`` moved by one along ``axis``: element ``k`` is ``x[k-1]`` (``x[k+1]`` if ``reverse``),
    and ``first`` at the end.
    """
    config = [(0, 0, 0)] * x.aval.ndim
    config[axis] = (-1, 1, 0) if reverse else (1, -1, 0)
    return pad_p.bind(x, first, padding_config=tuple(config)) if x.aval.shape[axis] else x


def _single(dtype: np.dtype) -> np.dtype:
    """The dtype in which NumPy compares."""
    return np.dtype(np.float32) if dtype.itemsize <= 2 and kind_of(dtype) == "f" else dtype


# -- linear recurrence -----------------------------------------------------------------------------


class LinearRecurrence(Primitive):
    """``h[k] = a[k] * h[k-1] + b[k]`` along an axis, starting from 0, or from the far end if
    ``reverse``; linear in ``b``.
    """

    quiet = True

    def abstract_eval(
        self, a: ShapedArray, b: ShapedArray, *, axis: int, reverse: bool
    ) -> ShapedArray:
        check_kind(self.name, b, "fc")
        _check_axis(self.name, b, axis)
        if a.shape != b.shape or a.dtype != b.dtype:
            raise TypeError(
                f"fungrad.lax.{self.name}: coefficients and terms must have the same type, got "
                f"{a.str_short()} and {b.str_short()}"
            )
        return b.strip_weak_type()

    def impl(self, a: np.ndarray, b: np.ndarray, *, axis: int, reverse: bool) -> np.ndarray:
        dtype = b.dtype
        n = b.shape[axis]
        # Working copies with the axis in front and running forward.
        coef, out = (np.array(np.moveaxis(v, axis, 0), double(dtype), order="C") for v in (a, b))
        if reverse:
            coef, out = coef[::-1], out[::-1]
        if n and b.size // n >= _WIDE:
            for k in range(1, n):
                out[k] += coef[k] * out[k - 1]
        else:
            shift = 1
            while shift < n:
                out[shift:] += coef[shift:] * out[:-shift]
                coef[shift:] = coef[shift:] * coef[:-shift]
                shift *= 2
        if reverse:
            out = out[::-1]
        return compact(np.moveaxis(out, 0, axis).astype(dtype, copy=False))

    def lower(self, ctx: Any, a: Any, b: Any, *, axis: int, reverse: bool) -> Any:
        return ctx.recurrence(a, b, axis, reverse)

    def jvp(
        self, primals: Sequence[Any], tangents: Sequence[Any], *, axis: int, reverse: bool
    ) -> tuple[Any, Any]:
        a, b = primals
        da, db = tangents
        h = self.bind(a, b, axis=axis, reverse=reverse)
        if type(da) is not Zero:
            before = previous(h, scalar_array(0, h.aval.dtype), axis, reverse)
            db = add_zeros(mul(da, before), db)
        return h, self.bind(a, db, axis=axis, reverse=reverse)

    def transpose(self, ct: Any, a: Any, b: Any, *, axis: int, reverse: bool) -> Sequence[Any]:
        following = previous(a, scalar_array(0, a.aval.dtype), axis, not reverse)
        return None, self.bind(following, ct, axis=axis, reverse=not reverse)

    def batch(
        self, axis_data: AxisData, args: Sequence[Any], dims: Sequence[Any], *, axis: int, reverse: bool
    ) -> tuple[Any, Any]:
        a, b = (batch_to(x, d, 0, axis_data) for x, d in zip(args, dims, strict=True))
        return self.bind(a, b, axis=axis + 1, reverse=reverse), 0


linear_recurrence_p = LinearRecurrence("linear_recurrence")


# -- running combinations --------------------------------------------------------------------------


class Cumulative(Primitive):
    """A running combination along ``axis``, from the far end if ``reverse``.

    Args:
      name: name of the primitive.
      ufunc: NumPy function of two elements.
      monoid: name of the combination.
      accepts: letters of the accepted dtype kinds.
      tangent: ``rule(g, x, y, axis, reverse)``, the tangent of the result ``y``.
    """

    quiet = True

    def __init__(
        self, name: str, ufunc: np.ufunc, monoid: str, accepts: str, tangent: Callable[..., Any]
    ):
        super().__init__(name)
        self.ufunc = ufunc
        self.monoid = monoid
        self.accepts = accepts
        self.tangent = tangent

    def abstract_eval(self, x: ShapedArray, *, axis: int, reverse: bool) -> ShapedArray:
        check_kind(self.name, x, self.accepts)
        _check_axis(self.name, x, axis)
        return x

    def impl(self, x: np.ndarray, *, axis: int, reverse: bool) -> np.ndarray:
        if reverse:
            x = np.flip(x, axis)
        wide = double(x.dtype) if self.monoid in ("add", "mul", "logaddexp") else _single(x.dtype)
        out = self.ufunc.accumulate(x.astype(wide, copy=False), axis=axis, dtype=wide)
        out = out.astype(x.dtype, copy=False)
        return compact(np.flip(out, axis)) if reverse else compact(out)

    def jvp(
        self, primals: Sequence[Any], tangents: Sequence[Any], *, axis: int, reverse: bool
    ) -> tuple[Any, Any]:
        y = self.bind(*primals, axis=axis, reverse=reverse)
        return y, self.tangent(tangents[0], primals[0], y, axis, reverse)

    def batch(
        self, axis_data: AxisData, args: Sequence[Any], dims: Sequence[Any], *, axis: int, reverse: bool
    ) -> tuple[Any, Any]:
        d = dims[0]
        return self.bind(args[0], axis=axis + (axis >= d), reverse=reverse), d

    def lower(self, ctx: Any, x: Any, *, axis: int, reverse: bool) -> Any:
        return ctx.cumulative(x, self.monoid, axis, reverse)


class CumSum(Cumulative):
    """Running sum; linear, and transposed by running from the other end."""

    def transpose(self, ct: Any, *args: Any, axis: int, reverse: bool) -> Sequence[Any]:
        return (self.bind(ct, axis=axis, reverse=not reverse),)


class CumLogSumExp(Cumulative):
    """Running logarithm of the sum of exponentials."""

    def impl(self, x: np.ndarray, *, axis: int, reverse: bool) -> np.ndarray:
        if kind_of(x.dtype) == "c":
            return _cumlogsumexp_complex(x, axis, reverse)
        return super().impl(x, axis=axis, reverse=reverse)


def _cumlogsumexp_complex(x: np.ndarray, axis: int, reverse: bool) -> np.ndarray:
    """By doubling, because NumPy has no complex ``logaddexp``."""
    out = np.array(np.moveaxis(x, axis, 0))
    view = out[::-1] if reverse else out
    shift = 1
    while shift < len(view):
        view[shift:] = _logaddexp_complex(view[shift:], view[:-shift])
        shift *= 2
    return compact(np.moveaxis(out, 0, axis))


def _logaddexp_complex(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    greater = np.maximum(a.real, b.real)
    # An infinite maximum must not be subtracted from itself.
    greater = np.where(np.isfinite(greater), greater, 0)
    with np.errstate(divide="ignore"):
        return np.log(np.exp(a - greater) + np.exp(b - greater)) + greater


def _cumprod_tangent(g: Any, x: Any, y: Any, axis: int, reverse: bool) -> Any:
    before = previous(y, scalar_array(1, y.aval.dtype), axis, reverse)
    return linear_recurrence_p.bind(x, mul(before, g), axis=axis, reverse=reverse)


def _extremum_tangent(g: Any, x: Any, y: Any, axis: int, reverse: bool) -> Any:
    """Shared evenly among the elements that attain the extremum so far, so that the last result
    agrees with ``reduce_max``.
    """
    one, zero = (scalar_array(v, y.aval.dtype) for v in (1, 0))
    unchanged = select(eq(y, previous(y, zero, axis, reverse)), one, zero)
    attained = eq(x, y)

    def over_ties(value: Any) -> Any:
        terms = select(attained, value, zero)
        return linear_recurrence_p.bind(unchanged, terms, axis=axis, reverse=reverse)

    return div(over_ties(g), over_ties(one))


def _cumlogsumexp_tangent(g: Any, x: Any, y: Any, axis: int, reverse: bool) -> Any:
    dtype = y.aval.dtype
    wide = double(dtype)
    if wide != dtype:
        # The weights are near 1, and their rounding errors would multiply.
        g, x, y = (convert_element_type_p.bind(v, new_dtype=wide, weak_type=False) for v in (g, x, y))
        tangent = _cumlogsumexp_tangent(g, x, y, axis, reverse)
        return convert_element_type_p.bind(tangent, new_dtype=dtype, weak_type=False)
    zero = scalar_array(0, y.aval.dtype)

    def weight(part: Any) -> Any:
        # Equal infinities must not be subtracted.
        return exp(select(eq(part, y), zero, sub(part, y)))

    before = previous(y, zero, axis, reverse)
    return linear_recurrence_p.bind(weight(before), mul(g, weight(x)), axis=axis, reverse=reverse)


cumsum_p = CumSum(
    "cumsum",
    np.add,
    "add",
    "iufc",
    lambda g, x, y, axis, reverse: cumsum(g, axis, reverse),
)
cumprod_p = Cumulative("cumprod", np.multiply, "mul", "iufc", _cumprod_tangent)
cummax_p = Cumulative("cummax", np.maximum, "max", "iufc", _extremum_tangent)
cummin_p = Cumulative("cummin", np.minimum, "min", "iufc", _extremum_tangent)
cumlogsumexp_p = CumLogSumExp(
    "cumlogsumexp", np.logaddexp, "logaddexp", "fc", _cumlogsumexp_tangent
)


def _cumulative(primitive: Cumulative, operand: Any, axis: int, reverse: bool) -> Array:
    operand = lift(operand, f"fungrad.lax.{primitive.name}: operand")
    return primitive.bind(operand, axis=operator.index(axis), reverse=bool(reverse))


def cumsum(operand: Any, axis: int = 0, reverse: bool = False) -> Array:
    """Running sum along ``axis``.

    Args:
      operand: array of a numeric dtype (not bool).
      axis: non-negative dimension.
      reverse: run from the last element to the first.

    Raises:
      TypeError: the operand is boolean.
      ValueError: there is no such axis.

    Example:
      >>> import numpy as np
      >>> from fungrad import lax
      >>> lax.cumsum(np.array([1, 2, 3]), reverse=True)
      Array([6, 5, 3], dtype=int32)
    """
    return _cumulative(cumsum_p, operand, axis, reverse)


def cumprod(operand: Any, axis: int = 0, reverse: bool = False) -> Array:
    """Running product along ``axis``; see ``cumsum``. Derivatives are exact also for zeros.

    Example:
      >>> import numpy as np
      >>> from fungrad import lax
      >>> lax.cumprod(np.array([1, 2, 3]))
      Array([1, 2, 6], dtype=int32)
    """
    return _cumulative(cumprod_p, operand, axis, reverse)


def cummax(operand: Any, axis: int = 0, reverse: bool = False) -> Array:
    """Running maximum along ``axis``; see ``cumsum``. After a NaN all is NaN.

    The derivative is shared evenly among the elements that attain the maximum so far.

    Example:
      >>> import numpy as np
      >>> from fungrad import lax
      >>> lax.cummax(np.array([1, 3, 2]))
      Array([1, 3, 3], dtype=int32)
    """
    return _cumulative(cummax_p, operand, axis, reverse)


def cummin(operand: Any, axis: int = 0, reverse: bool = False) -> Array:
    """Running minimum along ``axis``; see ``cumsum``. After a NaN all is NaN.

    The derivative is shared evenly among the elements that attain the minimum so far.

    Example:
      >>> import numpy as np
      >>> from fungrad import lax
      >>> lax.cummin(np.array([3, 1, 2]))
      Array([3, 1, 1], dtype=int32)
    """
    return _cumulative(cummin_p, operand, axis, reverse)


def cumlogsumexp(operand: Any, axis: int = 0, reverse: bool = False) -> Array:
    """Running ``log(sum(exp(operand)))`` along ``axis``, without overflow; see ``cumsum``.

    Args:
      operand: array of a floating or complex dtype.
      axis: non-negative dimension.
      reverse: run from the last element to the first.

    Raises:
      TypeError: the dtype is not floating or complex.
      ValueError: there is no such axis.

    Example:
      >>> import numpy as np
      >>> from fungrad import lax
      >>> lax.cumlogsumexp(np.float32([0, 0, 100]))
      Array([  0.       ,   0.6931472, 100.       ], dtype=float32)
    """
    return _cumulative(cumlogsumexp_p, operand, axis, reverse)
