"""Elementwise exponentials, logarithms, general powers, trigonometric and hyperbolic functions.

May import ``core``, ``ops._operands``, ``ops._families``, ``ops.elementwise`` and ``ops.compare``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from fungrad.core.array import PYTHON_SCALARS, Array
from fungrad.core.avals import ShapedArray
from fungrad.core.source import filter_exception
from fungrad.ops._accuracy import check_accuracy
from fungrad.ops._families import Elementwise
from fungrad.ops._operands import check_kind, constant, kind_of, lift, lift_pair
from fungrad.ops.cast import convert_element_type
from fungrad.ops.compare import eq, select_n
from fungrad.ops.elementwise import (
    FLOAT,
    INEXACT,
    add,
    div,
    div_p,
    in_float32,
    mul,
    neg,
    rsqrt,
    square,
    sub,
)

# -- exponentials and logarithms -----------------------------------------------------------------

exp_p = Elementwise("exp", np.exp, INEXACT, partial=lambda m, x, y: y)


def exp(x: Any, *, accuracy: Any = None) -> Array:
    """Elementwise exponential of a floating or complex array.

    Args:
      x: array.
      accuracy: None, an ``AccuracyMode`` or a ``Tolerance``: checked, and otherwise ignored, since results are always
        within a few units in the last place.

    Example:
      >>> from fungrad import lax
      >>> lax.exp(0.0)
      Array(1., dtype=float32, weak_type=True)
    """
    try:
        if accuracy is not None:
            check_accuracy("exp", accuracy)
        return exp_p.bind(lift(x, "fungrad.lax.exp: x"))
    except Exception as error:
        filter_exception(error)
        raise


def _exp2(x: np.ndarray) -> Any:
    if kind_of(x.dtype) == "f":
        return np.exp2(x)
    # A product of complex numbers would be NaN where a part is infinite.
    scaled = np.empty_like(x)
    scaled.real, scaled.imag = x.real * math.log(2), x.imag * math.log(2)
    return np.exp(scaled)


exp2_p = Elementwise("exp2", _exp2, INEXACT, partial=lambda m, x, y: m.mul(math.log(2), y))


def exp2(x: Any, *, accuracy: Any = None) -> Array:
    """Elementwise ``2 ** x`` of a floating or complex array.

    Args:
      x: array.
      accuracy: None, an ``AccuracyMode`` or a ``Tolerance``: checked, and otherwise ignored, since results are always
        within a few units in the last place.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import lax
      >>> lax.exp2(jnp.array([-1.0, 10.0]))
      Array([5.000e-01, 1.024e+03], dtype=float32)
    """
    if accuracy is not None:
        check_accuracy("exp2", accuracy)
    return exp2_p.bind(lift(x, "fungrad.lax.exp2: x"))


def _expm1(x: np.ndarray) -> Any:
    out = np.expm1(x)
    if x.dtype.kind != "c":
        return out
    # NumPy's formula is for finite numbers and results only.
    out, whole = np.array(out), np.exp(x)
    special = ~(np.isfinite(x) & np.isfinite(whole))
    out.real = np.where(special, whole.real - 1, np.where(out.real == 0, 0, out.real))
    out.imag = np.where(special, whole.imag, out.imag)
    return out


expm1_p = Elementwise("expm1", _expm1, INEXACT, partial=lambda m, x, y: m.add(y, 1.0))


def expm1(x: Any, *, accuracy: Any = None) -> Array:
    """Elementwise ``exp(x) - 1`` of a floating or complex array, accurate near 0.

    Args:
      x: array.
      accuracy: None, an ``AccuracyMode`` or a ``Tolerance``: checked, and otherwise ignored, since results are always
        within a few units in the last place.

    Example:
      >>> from fungrad import lax
      >>> lax.expm1(1e-10)
      Array(1.e-10, dtype=float32, weak_type=True)
    """
    if accuracy is not None:
        check_accuracy("expm1", accuracy)
    return expm1_p.bind(lift(x, "fungrad.lax.expm1: x"))


class Log(Elementwise):
    """Natural logarithm; its derivative is a division."""

    def linearize_now(self, record: Any, primals: Sequence[Any], tangents: Sequence[Any], params: dict) -> tuple:
        return self.bind(*primals), record(div_p, (tangents[0], primals[0]), {})


log_p = Log("log", np.log, INEXACT, lambda g, x, y: div(g, x))


def log(x: Any, *, accuracy: Any = None) -> Array:
    """Elementwise natural logarithm of a floating or complex array; -inf at 0, NaN for negative real numbers.

    Args:
      x: array.
      accuracy: None, an ``AccuracyMode`` or a ``Tolerance``: checked, and otherwise ignored, since results are always
        within a few units in the last place.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import lax
      >>> lax.log(jnp.array([0.0, 1.0]))
      Array([-inf,   0.], dtype=float32)
    """
    try:
        if accuracy is not None:
            check_accuracy("log", accuracy)
        return log_p.bind(lift(x, "fungrad.lax.log: x"))
    except Exception as error:
        filter_exception(error)
        raise


def _log1p(x: np.ndarray) -> Any:
    if kind_of(x.dtype) == "f":
        return np.log1p(x)
    # NumPy's takes the logarithm of the rounded sum, and of an absolute value that may overflow.
    # The imaginary part keeps the sign of its zero.
    total = np.array(x)
    total.real += 1
    out = np.array(np.log(total))
    re, im = x.real, x.imag
    near = np.maximum(np.abs(re), np.abs(im)) < 0.5
    excess = np.where(near, re * (2 + re) + im * im, 0)
    out.real = np.where(near, 0.5 * np.log1p(excess), out.real)
    return out


log1p_p = Elementwise("log1p", _log1p, INEXACT, lambda g, x, y: div(g, add(x, 1.0)))


def log1p(x: Any, *, accuracy: Any = None) -> Array:
    """Elementwise ``log(1 + x)`` of a floating or complex array, accurate near 0.

    Args:
      x: array.
      accuracy: None, an ``AccuracyMode`` or a ``Tolerance``: checked, and otherwise ignored, since results are always
        within a few units in the last place.

    Example:
      >>> from fungrad import lax
      >>> lax.log1p(1e-10)
      Array(1.e-10, dtype=float32, weak_type=True)
    """
    if accuracy is not None:
        check_accuracy("log1p", accuracy)
    return log1p_p.bind(lift(x, "fungrad.lax.log1p: x"))


def _logistic(x: np.ndarray) -> Any:
    # exp overflows to infinity for very negative x, whose reciprocal is the right 0.
    out = np.negative(x, out=np.empty(x.shape, x.dtype))
    np.exp(out, out)
    np.add(out, x.dtype.type(1), out)
    return np.reciprocal(out, out)


logistic_p = Elementwise(
    "logistic",
    in_float32(_logistic),
    INEXACT,
    partial=lambda m, x, y: m.mul(y, m.sub(1.0, y)),
)


def logistic(x: Any, *, accuracy: Any = None) -> Array:
    """Elementwise logistic function (sigmoid) ``1 / (1 + exp(-x))`` of a floating or complex array.

    Args:
      x: array.
      accuracy: None, an ``AccuracyMode`` or a ``Tolerance``: checked, and otherwise ignored, since results are always
        within a few units in the last place.

    Example:
      >>> from fungrad import lax
      >>> lax.logistic(0.0)
      Array(0.5, dtype=float32, weak_type=True)
    """
    if accuracy is not None:
        check_accuracy("logistic", accuracy)
    return logistic_p.bind(lift(x, "fungrad.lax.logistic: x"))


# -- general power -------------------------------------------------------------------------------


class Pow(Elementwise):
    """``x ** y`` for inexact ``x`` and ``y`` of the same dtype, or an integer ``y``."""

    def abstract_eval(self, x: ShapedArray, y: ShapedArray) -> ShapedArray:
        check_kind("pow", x, "fc", 0)
        check_kind("pow", y, "iufc", 1)
        if kind_of(y.dtype) in "fc" and y.dtype != x.dtype:
            raise TypeError(
                f"fungrad.lax.pow: an inexact exponent must have the dtype of the base, got {x.str_short()} and "
                f"{y.str_short()}; convert one with .astype, or use fungrad.numpy.power, which promotes"
            )
        return ShapedArray(self._common_shape((x, y)), x.dtype, x.weak_type and y.weak_type)


def _pow(x: np.ndarray, y: np.ndarray) -> Any:
    # For an integer exponent, NumPy would promote the pair to a wider dtype.
    out = np.power(x, y if y.dtype == x.dtype else y.astype(x.dtype))
    if kind_of(y.dtype) == "f" and (y.size < out.size or out.size == 1):
        # NumPy takes the square root where an exponent of 1/2 is repeated, which differs at -0 and minus infinity.
        half = y == 0.5
        if half.any():
            out = np.where(half & ((x == 0) | np.isinf(x)), np.abs(x), out)
    return out


def _pow_jvp_base(g: Any, z: Any, x: Any, y: Any) -> Array:
    if kind_of(y.aval.dtype) in "fc":
        return mul(g, mul(y, pow(x, sub(y, 1.0))))
    # An exponent that is the integer 0 has derivative 0, also at x = 0.
    none = eq(y, 0)
    lower = select_n(none, sub(y, 1), constant(y, 0))
    factor = mul(convert_element_type(y, x.aval.dtype), pow(x, lower))
    return mul(g, select_n(none, factor, constant(x, 0)))


def _pow_jvp_exponent(g: Any, z: Any, x: Any, y: Any) -> Array:
    # 0 ** y does not change with a positive y: its logarithm is replaced by that of 1.
    safe = select_n(eq(x, constant(x, 0)), x, constant(x, 1))
    return mul(g, mul(log(safe), z))


pow_p = Pow("pow", _pow, INEXACT, (_pow_jvp_base, _pow_jvp_exponent), arity=2, mixed=True)


def pow(x: Any, y: Any) -> Array:
    """Elementwise power.

    Args:
      x: base, floating or complex.
      y: exponent of the dtype of ``x`` or an integer dtype; equal shapes, or one operand 0-d.

    Raises:
      TypeError: the base is an integer (see ``integer_pow``), or the exponent has another inexact
        dtype.

    Example:
      >>> from fungrad import lax
      >>> lax.pow(2.0, 0.5)
      Array(1.4142135, dtype=float32, weak_type=True)
    """
    if type(y) is int or (isinstance(y, Array) and kind_of(y.aval.dtype) in "iu" and type(x) in PYTHON_SCALARS):
        return pow_p.bind(lift(x, "fungrad.lax.pow: x"), lift(y, "fungrad.lax.pow: y"))
    return pow_p.bind(*lift_pair("pow", x, y))


# -- trigonometric -------------------------------------------------------------------------------

sin_p = Elementwise("sin", np.sin, INEXACT, partial=lambda m, x, y: m.cos(x))
cos_p = Elementwise("cos", np.cos, INEXACT, partial=lambda m, x, y: m.neg(m.sin(x)))


def _tan(x: np.ndarray) -> Any:
    out = np.tan(x)
    if x.dtype.kind == "c":
        out = np.array(out)
        out.real = np.where(np.isinf(x.imag), np.copysign(0, x.real), out.real)
    return out


tan_p = Elementwise("tan", _tan, INEXACT, partial=lambda m, x, y: m.add(1.0, m.square(y)))


def sin(x: Any, *, accuracy: Any = None) -> Array:
    """Elementwise sine of a floating or complex array, in radians.

    Args:
      x: array.
      accuracy: None, an ``AccuracyMode`` or a ``Tolerance``: checked, and otherwise ignored, since results are always
        within a few units in the last place.

    Example:
      >>> from fungrad import lax
      >>> lax.sin(0.0)
      Array(0., dtype=float32, weak_type=True)
    """
    try:
        if accuracy is not None:
            check_accuracy("sin", accuracy)
        return sin_p.bind(lift(x, "fungrad.lax.sin: x"))
    except Exception as error:
        filter_exception(error)
        raise


def cos(x: Any, *, accuracy: Any = None) -> Array:
    """Elementwise cosine of a floating or complex array, in radians.

    Args:
      x: array.
      accuracy: None, an ``AccuracyMode`` or a ``Tolerance``: checked, and otherwise ignored, since results are always
        within a few units in the last place.

    Example:
      >>> from fungrad import lax
      >>> lax.cos(0.0)
      Array(1., dtype=float32, weak_type=True)
    """
    try:
        if accuracy is not None:
            check_accuracy("cos", accuracy)
        return cos_p.bind(lift(x, "fungrad.lax.cos: x"))
    except Exception as error:
        filter_exception(error)
        raise


def tan(x: Any, *, accuracy: Any = None) -> Array:
    """Elementwise tangent of a floating or complex array, in radians.

    Args:
      x: array.
      accuracy: None, an ``AccuracyMode`` or a ``Tolerance``: checked, and otherwise ignored, since results are always
        within a few units in the last place.

    Example:
      >>> from fungrad import lax
      >>> lax.tan(0.0)
      Array(0., dtype=float32, weak_type=True)
    """
    if accuracy is not None:
        check_accuracy("tan", accuracy)
    return tan_p.bind(lift(x, "fungrad.lax.tan: x"))


asin_p = Elementwise("asin", np.arcsin, INEXACT, partial=lambda m, x, y: m.rsqrt(m.sub(1.0, m.square(x))))
acos_p = Elementwise("acos", np.arccos, INEXACT, partial=lambda m, x, y: m.neg(m.rsqrt(m.sub(1.0, m.square(x)))))
atan_p = Elementwise("atan", np.arctan, INEXACT, lambda g, x, y: div(g, add(1.0, square(x))))


def asin(x: Any) -> Array:
    """Elementwise arc sine of a floating or complex array; NaN for real numbers outside [-1, 1].

    Example:
      >>> from fungrad import lax
      >>> lax.asin(0.0)
      Array(0., dtype=float32, weak_type=True)
    """
    return asin_p.bind(lift(x, "fungrad.lax.asin: x"))


def acos(x: Any) -> Array:
    """Elementwise arc cosine of a floating or complex array; NaN for real numbers outside [-1, 1].

    Example:
      >>> from fungrad import lax
      >>> lax.acos(1.0)
      Array(0., dtype=float32, weak_type=True)
    """
    return acos_p.bind(lift(x, "fungrad.lax.acos: x"))


def atan(x: Any) -> Array:
    """Elementwise arc tangent of a floating or complex array.

    Example:
      >>> from fungrad import lax
      >>> lax.atan(0.0)
      Array(0., dtype=float32, weak_type=True)
    """
    return atan_p.bind(lift(x, "fungrad.lax.atan: x"))


atan2_p = Elementwise(
    "atan2",
    np.arctan2,
    FLOAT,
    (
        lambda g, z, x, y: mul(g, div(y, add(square(x), square(y)))),
        lambda g, z, x, y: mul(g, div(neg(x), add(square(x), square(y)))),
    ),
    arity=2,
)


def atan2(x: Any, y: Any) -> Array:
    """Elementwise ``atan(x / y)`` in the right quadrant: an angle in [-pi, pi].

    Example:
      >>> from fungrad import lax
      >>> lax.atan2(1.0, -1.0)
      Array(2.3561945, dtype=float32, weak_type=True)
    """
    return atan2_p.bind(*lift_pair("atan2", x, y))


# -- hyperbolic ----------------------------------------------------------------------------------

sinh_p = Elementwise("sinh", np.sinh, INEXACT, partial=lambda m, x, y: m.cosh(x))
cosh_p = Elementwise("cosh", np.cosh, INEXACT, partial=lambda m, x, y: m.sinh(x))


def _tanh(x: np.ndarray) -> Any:
    out = np.tanh(x)
    if x.dtype.kind == "c":
        # The sign of the limit, for which NumPy takes that of sin(2y).
        out = np.array(out)
        out.imag = np.where(np.isinf(x.real), np.copysign(0, x.imag), out.imag)
    return out


tanh_p = Elementwise("tanh", _tanh, INEXACT, partial=lambda m, x, y: m.sub(1.0, m.square(y)))


def sinh(x: Any) -> Array:
    """Elementwise hyperbolic sine of a floating or complex array.

    Example:
      >>> from fungrad import lax
      >>> lax.sinh(0.0)
      Array(0., dtype=float32, weak_type=True)
    """
    return sinh_p.bind(lift(x, "fungrad.lax.sinh: x"))


def cosh(x: Any) -> Array:
    """Elementwise hyperbolic cosine of a floating or complex array.

    Example:
      >>> from fungrad import lax
      >>> lax.cosh(0.0)
      Array(1., dtype=float32, weak_type=True)
    """
    return cosh_p.bind(lift(x, "fungrad.lax.cosh: x"))


def tanh(x: Any, *, accuracy: Any = None) -> Array:
    """Elementwise hyperbolic tangent of a floating or complex array.

    Args:
      x: array.
      accuracy: None, an ``AccuracyMode`` or a ``Tolerance``: checked, and otherwise ignored, since results are always
        within a few units in the last place.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import lax
      >>> lax.tanh(jnp.array([0.0, 20.0]))
      Array([0., 1.], dtype=float32)
    """
    try:
        if accuracy is not None:
            check_accuracy("tanh", accuracy)
        return tanh_p.bind(lift(x, "fungrad.lax.tanh: x"))
    except Exception as error:
        filter_exception(error)
        raise


asinh_p = Elementwise("asinh", np.arcsinh, INEXACT, partial=lambda m, x, y: m.rsqrt(m.add(m.square(x), 1.0)))
# The product of two roots, not the root of a product: right for complex x as well.
acosh_p = Elementwise("acosh", np.arccosh, INEXACT, lambda g, x, y: mul(g, _acosh_slope(x)))
atanh_p = Elementwise("atanh", np.arctanh, INEXACT, lambda g, x, y: div(g, mul(add(1.0, x), sub(1.0, x))))


def _acosh_slope(x: Any) -> Array:
    return mul(rsqrt(sub(x, 1.0)), rsqrt(add(x, 1.0)))


def asinh(x: Any) -> Array:
    """Elementwise inverse hyperbolic sine of a floating or complex array.

    Example:
      >>> from fungrad import lax
      >>> lax.asinh(0.0)
      Array(0., dtype=float32, weak_type=True)
    """
    return asinh_p.bind(lift(x, "fungrad.lax.asinh: x"))


def acosh(x: Any) -> Array:
    """Elementwise inverse hyperbolic cosine of a floating or complex array; NaN for real numbers below 1.

    Example:
      >>> from fungrad import lax
      >>> lax.acosh(1.0)
      Array(0., dtype=float32, weak_type=True)
    """
    return acosh_p.bind(lift(x, "fungrad.lax.acosh: x"))


def atanh(x: Any) -> Array:
    """Elementwise inverse hyperbolic tangent of a floating or complex array; NaN for real numbers outside [-1, 1].

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import lax
      >>> lax.atanh(jnp.array([0.0, 1.0]))
      Array([ 0., inf], dtype=float32)
    """
    return atanh_p.bind(lift(x, "fungrad.lax.atanh: x"))
