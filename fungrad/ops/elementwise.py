"""Elementwise arithmetic, rounding and powers: one call per primitive, and its function of ``fungrad.lax``.

``impl`` is NumPy's ufunc itself wherever it computes what is wanted: every eager operation pays for
what stands between.

May import ``core``, ``ops._operands``, ``ops._families`` and ``ops.foundation``.
"""

from __future__ import annotations

import enum
import math
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fungrad.core import dtypes
from fungrad.core.array import Array
from fungrad.core.avals import ShapedArray, Zero
from fungrad.core.context import evaluate
from fungrad.core.primitive import is_linear
from fungrad.core.printing import register_param_type
from fungrad.core.source import filter_exception
from fungrad.ops._accuracy import check_accuracy
from fungrad.ops._families import Elementwise, LinearElementwise, sum_of_terms, unbroadcast, unbroadcast_like
from fungrad.ops._operands import constant, kind_of, lift, lift_pair
from fungrad.ops.cast import convert_element_type

NUMERIC = "iufc"
INEXACT = "fc"
FLOAT = "f"

# -- sums and products ---------------------------------------------------------------------------


class Neg(LinearElementwise):
    """Negation."""

    def transpose_now(self, ct: Any, position: int, args: Sequence[Any], params: dict) -> Any:
        return -ct


neg_p = Neg("neg", np.negative, NUMERIC, lambda ct, aval: neg(ct), cheap=True)


def neg(x: Any) -> Array:
    """Elementwise negation; integers wrap.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import lax
      >>> lax.neg(jnp.array([1, -2]))
      Array([-1,  2], dtype=int32)
    """
    try:
        return neg_p.bind(lift(x, "fungrad.lax.neg: x"))
    except Exception as error:
        filter_exception(error)
        raise


class Add(Elementwise):
    """Sum; linear in each operand."""

    def transpose(self, ct: Any, x: Any, y: Any) -> Sequence[Any]:
        return [unbroadcast(ct, a.aval) if is_linear(a) else None for a in (x, y)]

    def linearize_now(self, record: Any, primals: Sequence[Any], tangents: Sequence[Any], params: dict) -> tuple:
        z = self.bind(*primals)
        if tangents[0] is None or tangents[1] is None:
            return z, sum_of_terms(record, tangents, z.aval)
        return z, record(self, tangents, {})

    def transpose_now(self, ct: Any, position: int, args: Sequence[Any], params: dict) -> Any:
        return unbroadcast_like(ct, args[position].aval)


add_p = Add(
    "add",
    np.add,
    NUMERIC,
    (lambda g, z, x, y: g, lambda g, z, x, y: g),
    arity=2,
    cheap=True,
    commutative=True,
)


def add(x: Any, y: Any) -> Array:
    """Elementwise sum of operands of one dtype; equal shapes, or one operand 0-d.

    Example:
      >>> from fungrad import lax
      >>> lax.add(1.0, 2.0)
      Array(3., dtype=float32, weak_type=True)
    """
    try:
        return add_p.bind(*lift_pair("add", x, y))
    except Exception as error:
        filter_exception(error)
        raise


class Sub(Elementwise):
    """Difference; linear in each operand."""

    def transpose(self, ct: Any, x: Any, y: Any) -> Sequence[Any]:
        return [
            unbroadcast(ct, x.aval) if is_linear(x) else None,
            unbroadcast(neg(ct), y.aval) if is_linear(y) else None,
        ]

    def linearize_now(self, record: Any, primals: Sequence[Any], tangents: Sequence[Any], params: dict) -> tuple:
        z = self.bind(*primals)
        g, h = tangents
        if g is None or h is None:
            return z, sum_of_terms(record, (g, None if h is None else record(neg_p, (h,), {})), z.aval)
        return z, record(self, tangents, {})

    def transpose_now(self, ct: Any, position: int, args: Sequence[Any], params: dict) -> Any:
        return unbroadcast_like(-ct if position else ct, args[position].aval)


sub_p = Sub(
    "sub",
    np.subtract,
    NUMERIC,
    (lambda g, z, x, y: g, lambda g, z, x, y: neg(g)),
    arity=2,
    cheap=True,
)


def sub(x: Any, y: Any) -> Array:
    """Elementwise difference of operands of one dtype; equal shapes, or one operand 0-d.

    Example:
      >>> from fungrad import lax
      >>> lax.sub(2.0, 3.0)
      Array(-1., dtype=float32, weak_type=True)
    """
    try:
        return sub_p.bind(*lift_pair("sub", x, y))
    except Exception as error:
        filter_exception(error)
        raise


class Mul(Elementwise):
    """Product; linear in each operand with the other fixed."""

    def transpose(self, ct: Any, x: Any, y: Any) -> Sequence[Any]:
        if is_linear(x):
            return [unbroadcast(mul(ct, y), x.aval), None]
        return [None, unbroadcast(mul(x, ct), y.aval)]

    def linearize_now(self, record: Any, primals: Sequence[Any], tangents: Sequence[Any], params: dict) -> tuple:
        (x, y), (g, h) = primals, tangents
        z = self.bind(x, y)
        left = None if g is None else record(self, (g, y), {})
        right = None if h is None else record(self, (x, h), {})
        return z, sum_of_terms(record, (left, right), z.aval)

    def transpose_now(self, ct: Any, position: int, args: Sequence[Any], params: dict) -> Any:
        return unbroadcast_like(args[1 - position]._data * ct, args[position].aval)


mul_p = Mul(
    "mul",
    np.multiply,
    NUMERIC,
    (lambda g, z, x, y: mul(g, y), lambda g, z, x, y: mul(x, g)),
    arity=2,
    cheap=True,
    commutative=True,
    complex_cost=4,
)


Elementwise.product = mul_p


def mul(x: Any, y: Any, *, out_dtype: Any = None) -> Array:
    """Elementwise product of operands of one dtype; equal shapes, or one operand 0-d.

    Args:
      x: array or scalar.
      y: array or scalar.
      out_dtype: dtype of the result; the operands are converted to it first.

    Example:
      >>> from fungrad import lax
      >>> lax.mul(2.0, 3.0)
      Array(6., dtype=float32, weak_type=True)
    """
    try:
        x, y = lift_pair("mul", x, y)
        if out_dtype is not None:
            x, y = convert_element_type(x, out_dtype), convert_element_type(y, out_dtype)
        return mul_p.bind(x, y)
    except Exception as error:
        filter_exception(error)
        raise


# -- quotients -----------------------------------------------------------------------------------


def _div(x: np.ndarray, y: np.ndarray) -> Any:
    if x.dtype.kind in "fc":
        return np.divide(x, y)
    kind = kind_of(x.dtype)
    if kind in "fc":  # floats that NumPy does not know
        return np.divide(x, y)
    quotient = np.floor_divide(x, y)
    if kind == "i":
        # Toward zero: one more where the division is inexact and the signs differ.
        inexact = np.multiply(quotient, y) != x
        quotient = quotient + (inexact & ((x < 0) != (y < 0)))
    minus_one = np.invert(np.zeros((), x.dtype))
    return np.where(y == 0, minus_one, quotient).astype(x.dtype, copy=False)


def _rem(x: np.ndarray, y: np.ndarray) -> Any:
    out = np.fmod(x, y)
    return out if kind_of(x.dtype) == "f" else np.where(y == 0, x, out).astype(x.dtype, copy=False)


class Div(Elementwise):
    """Quotient; linear in the dividend."""

    def transpose(self, ct: Any, x: Any, y: Any) -> Sequence[Any]:
        return [unbroadcast(div(ct, y), x.aval), None]

    def linearize_now(self, record: Any, primals: Sequence[Any], tangents: Sequence[Any], params: dict) -> tuple:
        (x, y), (g, h) = primals, tangents
        z = self.bind(x, y)
        left = None if g is None else record(self, (g, y), {})
        right = None if h is None else record(mul_p, (h, neg(div(z, y))), {})
        return z, sum_of_terms(record, (left, right), z.aval)

    def transpose_now(self, ct: Any, position: int, args: Sequence[Any], params: dict) -> Any:
        return unbroadcast_like(ct / args[1]._data, args[0].aval)


div_p = Div(
    "div",
    _div,
    NUMERIC,
    (lambda g, z, x, y: div(g, y), lambda g, z, x, y: mul(g, neg(div(z, y)))),
    arity=2,
    cheap=True,
    cost=4,
    complex_cost=16,
)


def div(x: Any, y: Any) -> Array:
    """Elementwise quotient of operands of one dtype; equal shapes, or one operand 0-d.

    Integers divide toward zero; division of an integer by zero gives the integer whose bits are all
    1.

    Example:
      >>> import numpy as np
      >>> from fungrad import lax
      >>> lax.div(np.int32([7, -7]), 2)
      Array([ 3, -3], dtype=int32)
    """
    try:
        return div_p.bind(*lift_pair("div", x, y))
    except Exception as error:
        filter_exception(error)
        raise


rem_p = Elementwise(
    "rem",
    _rem,
    "iuf",
    (lambda g, z, x, y: g, lambda g, z, x, y: mul(g, neg(round(div(sub(x, z), y))))),
    arity=2,
    cheap=True,
    cost=8,
)


def rem(x: Any, y: Any) -> Array:
    """Elementwise remainder of the division toward zero, which has the sign of ``x``.

    An integer ``y`` of 0 gives ``x``.

    Example:
      >>> import numpy as np
      >>> from fungrad import lax
      >>> lax.rem(np.int32([7, -7]), 3)
      Array([ 1, -1], dtype=int32)
    """
    return rem_p.bind(*lift_pair("rem", x, y))


# -- sign and rounding ---------------------------------------------------------------------------


def _sign(x: np.ndarray) -> Any:
    if x.dtype.kind == "c":
        # The absolute value of a finite number may overflow.
        size = np.maximum(np.abs(x.real), np.abs(x.imag))
        large = (size > np.finfo(x.dtype).max / 4) & np.isfinite(size)
        if large.any():
            x = np.where(large, x * x.dtype.type(0.25), x)
    return np.sign(x)


sign_p = Elementwise("sign", _sign, NUMERIC, cheap=True, complex_cost=20)


def sign(x: Any) -> Array:
    """Elementwise sign: -1, 0 or 1; NaN for NaN; ``x / abs(x)`` for complex numbers.

    Its derivative is taken as zero.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import lax
      >>> lax.sign(jnp.array([-2.0, 0.0, 3.0]))
      Array([-1.,  0.,  1.], dtype=float32)
    """
    return sign_p.bind(lift(x, "fungrad.lax.sign: x"))


floor_p = Elementwise("floor", np.floor, FLOAT, cheap=True)
ceil_p = Elementwise("ceil", np.ceil, FLOAT, cheap=True)


def floor(x: Any) -> Array:
    """Elementwise largest integer not above ``x``, in its floating dtype.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import lax
      >>> lax.floor(jnp.array([-1.5, 0.2]))
      Array([-2.,  0.], dtype=float32)
    """
    return floor_p.bind(lift(x, "fungrad.lax.floor: x"))


def ceil(x: Any) -> Array:
    """Elementwise smallest integer not below ``x``, in its floating dtype.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import lax
      >>> lax.ceil(jnp.array([-1.5, 0.2]))
      Array([-1.,  1.], dtype=float32)
    """
    return ceil_p.bind(lift(x, "fungrad.lax.ceil: x"))


@register_param_type
class RoundingMethod(enum.IntEnum):
    """What ``round`` does with numbers half way between two integers."""

    AWAY_FROM_ZERO = 0
    TO_NEAREST_EVEN = 1


def _round(x: np.ndarray, *, rounding_method: RoundingMethod) -> Any:
    if rounding_method == RoundingMethod.TO_NEAREST_EVEN:
        return np.rint(x)
    whole = np.trunc(x)
    # The difference is exact, so that 0.49999997 is not rounded up.
    up = np.abs(np.subtract(x, whole)) >= x.dtype.type(0.5)
    return np.where(up, np.add(whole, np.copysign(x.dtype.type(1), x)), whole)


round_p = Elementwise("round", _round, FLOAT, cheap=True)


def round(x: Any, rounding_method: RoundingMethod = RoundingMethod.AWAY_FROM_ZERO) -> Array:
    """Elementwise nearest integer, in the floating dtype of ``x``.

    Args:
      x: floating array.
      rounding_method: what to do half way between two integers.

    Example:
      >>> import numpy as np
      >>> from fungrad import lax
      >>> lax.round(np.float32([0.5, 1.5, -2.5]))
      Array([ 1.,  2., -3.], dtype=float32)
      >>> lax.round(np.float32([0.5, 1.5, -2.5]), lax.RoundingMethod.TO_NEAREST_EVEN)
      Array([ 0.,  2., -2.], dtype=float32)
    """
    x = lift(x, "fungrad.lax.round: x")
    try:
        method = RoundingMethod(rounding_method)
    except ValueError:
        raise ValueError(
            f"fungrad.lax.round: rounding_method must be a fungrad.lax.RoundingMethod, got {rounding_method!r}"
        ) from None
    return round_p.bind(x, rounding_method=method)


def _to_bool(dtype: np.dtype) -> np.dtype:
    return dtypes.bool_


is_finite_p = Elementwise("is_finite", np.isfinite, FLOAT, result=_to_bool, cheap=True)
nextafter_p = Elementwise("nextafter", np.nextafter, FLOAT, arity=2, cheap=True)


def is_finite(x: Any) -> Array:
    """Elementwise whether a floating number is neither infinite nor NaN.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import lax
      >>> lax.is_finite(jnp.array([1.0, jnp.inf, jnp.nan]))
      Array([ True, False, False], dtype=bool)
    """
    return is_finite_p.bind(lift(x, "fungrad.lax.is_finite: x"))


def nextafter(x1: Any, x2: Any) -> Array:
    """Elementwise next representable number after ``x1`` in the direction of ``x2``; its derivative is taken as zero.

    Example:
      >>> from fungrad import lax
      >>> bool(lax.nextafter(0.0, 1.0) > 0)
      True
    """
    return nextafter_p.bind(*lift_pair("nextafter", x1, x2))


# -- powers and roots ----------------------------------------------------------------------------


def _square(x: np.ndarray) -> Any:
    if x.dtype.kind != "c":
        return np.square(x)
    # A difference of squares would lose digits where both are near, and overflow to NaN or to the wrong infinity.
    re, im, out = x.real, x.imag, np.empty(x.shape, x.dtype)
    even = (np.abs(re) == np.abs(im)) & np.isfinite(re)
    product = re * im
    out.real, out.imag = np.where(even, 0, (re - im) * (re + im)), product + product
    return out


square_p = Elementwise(
    "square",
    _square,
    NUMERIC,
    partial=lambda m, x, y: m.mul(2.0, x),
    cheap=True,
    complex_cost=3,
)


def square(x: Any) -> Array:
    """Elementwise ``x * x``.

    Example:
      >>> from fungrad import lax
      >>> lax.square(3)
      Array(9, dtype=int32, weak_type=True)
    """
    return square_p.bind(lift(x, "fungrad.lax.square: x"))


sqrt_p = Elementwise(
    "sqrt",
    np.sqrt,
    INEXACT,
    partial=lambda m, x, y: m.div(0.5, y),
    cheap=True,
    cost=4,
    complex_cost=24,
)


def sqrt(x: Any, *, accuracy: Any = None) -> Array:
    """Elementwise square root of a floating or complex array; NaN for negative real numbers.

    Args:
      x: array.
      accuracy: None, an ``AccuracyMode`` or a ``Tolerance``: checked, and otherwise ignored, since results are always
        within a few units in the last place.

    Example:
      >>> from fungrad import lax
      >>> lax.sqrt(4.0)
      Array(2., dtype=float32, weak_type=True)
    """
    try:
        if accuracy is not None:
            check_accuracy("sqrt", accuracy)
        return sqrt_p.bind(lift(x, "fungrad.lax.sqrt: x"))
    except Exception as error:
        filter_exception(error)
        raise


def in_float32(fun: Callable[..., Any]) -> Callable[..., Any]:
    """An ``impl`` of several steps; half precision and narrower floats take them in float32."""

    def impl(*operands: np.ndarray, **params: Any) -> Any:
        dtype = operands[0].dtype
        if dtype.itemsize >= 4 or kind_of(dtype) != "f":
            return fun(*operands, **params)
        return fun(*[x.astype(np.float32) for x in operands], **params).astype(dtype)

    return impl


rsqrt_p = Elementwise(
    "rsqrt",
    in_float32(lambda x: np.reciprocal(np.sqrt(x))),
    INEXACT,
    partial=lambda m, x, y: m.mul(-0.5, m.div(y, x)),
    cheap=True,
    cost=6,
    complex_cost=36,
)


def rsqrt(x: Any, *, accuracy: Any = None) -> Array:
    """Elementwise ``1 / sqrt(x)`` of a floating or complex array.

    Args:
      x: array.
      accuracy: None, an ``AccuracyMode`` or a ``Tolerance``: checked, and otherwise ignored, since results are always
        within a few units in the last place.

    Example:
      >>> from fungrad import lax
      >>> lax.rsqrt(4.0)
      Array(0.5, dtype=float32, weak_type=True)
    """
    if accuracy is not None:
        check_accuracy("rsqrt", accuracy)
    return rsqrt_p.bind(lift(x, "fungrad.lax.rsqrt: x"))


# As a square of the quotient, since the derivative of 1 / y**2 is inf / inf at 0.
cbrt_p = Elementwise("cbrt", np.cbrt, FLOAT, partial=lambda m, x, y: m.square(m.div(1 / math.sqrt(3), y)))


def cbrt(x: Any, *, accuracy: Any = None) -> Array:
    """Elementwise real cube root of a floating array.

    Args:
      x: array.
      accuracy: None, an ``AccuracyMode`` or a ``Tolerance``: checked, and otherwise ignored, since results are always
        within a few units in the last place.

    Example:
      >>> from fungrad import lax
      >>> lax.cbrt(8.0)
      Array(2., dtype=float32, weak_type=True)
    """
    if accuracy is not None:
        check_accuracy("cbrt", accuracy)
    return cbrt_p.bind(lift(x, "fungrad.lax.cbrt: x"))


class IntegerPow(Elementwise):
    """Power with a static integer exponent ``y``."""

    def abstract_eval(self, x: ShapedArray, *, y: int) -> ShapedArray:
        out = super().abstract_eval(x, y=y)
        if y < 0 and kind_of(x.dtype) in "iu":
            raise TypeError(
                f"fungrad.lax.integer_pow: an integer has no negative power, got exponent {y} for {x.str_short()}; "
                "convert it with .astype to a floating dtype"
            )
        return out

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any], *, y: int) -> tuple[Any, Any]:
        (x,), (g,) = primals, tangents
        out = self.bind(x, y=y)
        if y == 0:
            return out, Zero(out.aval.tangent())
        if y == 1:
            return out, g
        lower = x if y == 2 else integer_pow(x, y - 1)
        return out, mul(g, mul(constant(x, y), lower))

    def linearize_now(self, record: Any, primals: Sequence[Any], tangents: Sequence[Any], params: dict) -> tuple:
        (x,), (g,), y = primals, tangents, params["y"]
        out = evaluate(self, primals, params)
        if y == 0:
            return out, None
        if y == 1:
            return out, g
        lower = x if y == 2 else integer_pow(x, y - 1)
        return out, record(mul_p, (g, mul(constant(x, y), lower)), {})


def _integer_pow(x: np.ndarray, *, y: int) -> Any:
    if y == 0:
        return np.ones_like(x, subok=False)
    if y == 1:
        return x
    if y == 2:
        return _square(x)
    if y < 0:
        return np.reciprocal(_integer_pow(x, y=-y))
    # Repeated squaring, as compiled code does it: exact for small integers in any dtype, faster
    # than a general power.
    power, out = x, None
    while True:
        if y & 1:
            out = power if out is None else np.multiply(out, power)
        y >>= 1
        if not y:
            return out
        power = np.multiply(power, power)


integer_pow_p = IntegerPow("integer_pow", in_float32(_integer_pow), NUMERIC, cheap=True, cost=4, complex_cost=12)


def integer_pow(x: Any, y: int) -> Array:
    """Elementwise power with a static integer exponent.

    Args:
      x: numeric array.
      y: exponent, a Python int; at least 0 if ``x`` has an integer dtype.

    Example:
      >>> from fungrad import lax
      >>> lax.integer_pow(2.0, -2)
      Array(0.25, dtype=float32, weak_type=True)
    """
    return integer_pow_p.bind(lift(x, "fungrad.lax.integer_pow: x"), y=operator.index(y))


def reciprocal(x: Any) -> Array:
    """Elementwise ``1 / x`` of a floating or complex array.

    Example:
      >>> from fungrad import lax
      >>> lax.reciprocal(4.0)
      Array(0.25, dtype=float32, weak_type=True)
    """
    return integer_pow(x, -1)
