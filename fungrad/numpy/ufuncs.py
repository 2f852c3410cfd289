"""Elementwise functions of ``fungrad.numpy``: NumPy's names, promotion and broadcasting over the primitives of ``lax``.

May import ``core``, ``ops``, ``numpy._promotion``, ``numpy._ufunc_factories`` and ``numpy.logic``, whose names it has.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fungrad.core import dtypes
from fungrad.core.arguments import REFUSALS, index, reword
from fungrad.core.array import Array
from fungrad.core.primitive import Primitive
from fungrad.core.source import filter_exception
from fungrad.numpy._ordering import promote_extremum
from fungrad.numpy._promotion import (
    cast,
    inexact,
    inexact_by_default,
    match_ranks,
    operand,
    promote_pair,
    promote_pair_inexact,
    weak_as,
)
from fungrad.numpy._ufunc_factories import (
    binary,
    binary_doc,
    binary_inexact,
    named,
    promote_numbers,
    refuse_out,
    strong,
    truth,
    unary_inexact,
    where_value,
)
from fungrad.numpy.logic import (
    bitwise_and,
    bitwise_count,
    bitwise_invert,
    bitwise_left_shift,
    bitwise_not,
    bitwise_or,
    bitwise_right_shift,
    bitwise_xor,
    equal,
    fmax,
    fmin,
    greater,
    greater_equal,
    invert,
    isfinite,
    isinf,
    isnan,
    isneginf,
    isposinf,
    left_shift,
    less,
    less_equal,
    logical_and,
    logical_not,
    logical_or,
    logical_xor,
    not_equal,
    right_shift,
)
from fungrad.ops import cast as cast_ops, compare, complex_parts, elementwise, integer, transcendental
from fungrad.ops._operands import kind_of, scalar_array, scalar_like
from fungrad.ops.foundation import broadcast, zeros

# -- exponentials, logarithms, trigonometry ----------------------------------------------------------------------------

exp = unary_inexact("exp", transcendental.exp_p, "Exponential.")
exp2 = unary_inexact("exp2", transcendental.exp2_p, "Two to the power of ``x``.")
expm1 = unary_inexact("expm1", transcendental.expm1_p, "``exp(x) - 1``, accurate for small ``x``.")
log = unary_inexact("log", transcendental.log_p, "Natural logarithm.")
log1p = unary_inexact("log1p", transcendental.log1p_p, "``log(1 + x)``, accurate for small ``x``.")
sqrt = unary_inexact("sqrt", elementwise.sqrt_p, "Square root.")
cbrt = unary_inexact("cbrt", elementwise.cbrt_p, "Cube root.")
sin = unary_inexact("sin", transcendental.sin_p, "Sine of an angle in radians.")
cos = unary_inexact("cos", transcendental.cos_p, "Cosine of an angle in radians.")
tan = unary_inexact("tan", transcendental.tan_p, "Tangent of an angle in radians.")
arcsin = unary_inexact("arcsin", transcendental.asin_p, "Inverse sine, in radians.")
arccos = unary_inexact("arccos", transcendental.acos_p, "Inverse cosine, in radians.")
arctan = unary_inexact("arctan", transcendental.atan_p, "Inverse tangent, in radians.")
sinh = unary_inexact("sinh", transcendental.sinh_p, "Hyperbolic sine.")
cosh = unary_inexact("cosh", transcendental.cosh_p, "Hyperbolic cosine.")
tanh = unary_inexact("tanh", transcendental.tanh_p, "Hyperbolic tangent.")
arcsinh = unary_inexact("arcsinh", transcendental.asinh_p, "Inverse hyperbolic sine.")
arccosh = unary_inexact("arccosh", transcendental.acosh_p, "Inverse hyperbolic cosine.")
arctanh = unary_inexact("arctanh", transcendental.atanh_p, "Inverse hyperbolic tangent.")
arctan2 = binary_inexact("arctan2", transcendental.atan2_p, "Angle of the point ``(y, x)``, in radians.")
nextafter = binary_inexact(
    "nextafter", elementwise.nextafter_p, "Next representable number after ``x`` towards ``y``."
)

asin, acos, atan, atan2 = arcsin, arccos, arctan, arctan2
asinh, acosh, atanh = arcsinh, arccosh, arctanh


def _log_to_base(x: Any, base: float, api: str) -> Array:
    x = transcendental.log(inexact(x, api))
    scale = float(np.log(base))
    if dtypes.is_complex(x.aval.dtype):
        # By parts: dividing infinities by a complex number gives NaN.
        re, im = complex_parts.real(x), complex_parts.imag(x)
        return strong(complex_parts.complex(elementwise.div(re, scale), elementwise.div(im, scale)))
    return strong(elementwise.div(x, scalar_like(scale, x)))


def log2(x: Any, /) -> Array:
    """Logarithm to base 2.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.log2(jnp.array([1.0, 8.0]))
      Array([0., 3.], dtype=float32)
    """
    return _log_to_base(x, 2.0, "log2")


def log10(x: Any, /) -> Array:
    """Logarithm to base 10.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.log10(jnp.array([1.0, 100.0]))
      Array([0., 2.], dtype=float32)
    """
    return _log_to_base(x, 10.0, "log10")


def logaddexp(x1: Any, x2: Any, /, out: None = None, where: None = None) -> Array:
    """``log(exp(x1) + exp(x2))`` without overflow.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.logaddexp(jnp.array([0.0, 1000.0]), jnp.array([-jnp.inf, 0.0]))
      Array([   0., 1000.], dtype=float32)
    """
    refuse_out("logaddexp", out, where)
    x, y = promote_pair_inexact("logaddexp", x1, x2)
    if dtypes.is_complex(x.aval.dtype):
        return weak_as(_logaddexp_complex(x, y), x1, x2)
    # Not max and min: at equal operands their derivatives are shares, and the second derivative of the gap is lost.
    first = greater_equal(x, y)
    x, y = broadcast(x, first.aval.shape), broadcast(y, first.aval.shape)
    top, low = compare.select_n(first, y, x), compare.select_n(first, x, y)
    gap = elementwise.sub(top, low)
    # Equal infinities have no difference; their mean is the infinity itself. NaN goes the usual way, so that
    # derivatives are NaN as well.
    undefined = logical_and(compare.ne(gap, gap), compare.eq(x, y))
    gap = compare.select_n(undefined, gap, zeros(gap.aval))
    tail = transcendental.log1p(transcendental.exp(elementwise.neg(gap)))
    return compare.select_n(undefined, elementwise.add(top, tail), elementwise.mul(elementwise.add(x, y), 0.5))


def _logaddexp_complex(x: Array, y: Array) -> Array:
    """The sum of exponentials of complex numbers; the angle of the result is in (-pi, pi]."""
    first = greater_equal(x, y)
    shape = first.aval.shape
    x, y = broadcast(x, shape), broadcast(y, shape)
    top, low = compare.select_n(first, y, x), compare.select_n(first, x, y)
    out = elementwise.add(top, transcendental.log1p(transcendental.exp(elementwise.sub(low, top))))
    turns = divmod(elementwise.add(complex_parts.imag(out), float(np.pi)), float(2 * np.pi))[1]
    return complex_parts.complex(complex_parts.real(out), elementwise.sub(turns, float(np.pi)))


def logaddexp2(x1: Any, x2: Any, /, out: None = None, where: None = None) -> Array:
    """``log2(2**x1 + 2**x2)`` without overflow.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.logaddexp2(jnp.array([3.0, 0.0]), jnp.array([3.0, -jnp.inf]))
      Array([4., 0.], dtype=float32)
    """
    refuse_out("logaddexp2", out, where)
    x, y = promote_pair_inexact("logaddexp2", x1, x2)
    ln2 = float(np.log(2.0))
    return weak_as(elementwise.div(logaddexp(elementwise.mul(x, ln2), elementwise.mul(y, ln2)), ln2), x1, x2)


def deg2rad(x: Any, /) -> Array:
    """Degrees to radians.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.deg2rad(jnp.array([90.0, 180.0]))
      Array([1.5707964, 3.1415927], dtype=float32)
    """
    x = inexact(x, "deg2rad")
    return elementwise.mul(x, float(np.pi / 180))


def rad2deg(x: Any, /) -> Array:
    """Radians to degrees.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.rad2deg(jnp.array([0.0, jnp.pi]))
      Array([  0., 180.], dtype=float32)
    """
    x = inexact(x, "rad2deg")
    return elementwise.mul(x, float(180 / np.pi))


radians, degrees = deg2rad, rad2deg


def sinc(x: Any, /) -> Array:
    """``sin(pi x) / (pi x)``, one at zero.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.sinc(jnp.array([0.0, 0.5]))
      Array([1.        , 0.63661975], dtype=float32)
    """
    x = inexact(x, "sinc")
    zero = compare.eq(x, 0)
    # Both branches of the select stay finite, so that derivatives do too.
    scaled = elementwise.mul(where_value(zero, 1, x), float(np.pi))
    # Its derivatives at zero are those of the Taylor series, up to the eighth.
    square = elementwise.mul(elementwise.square(x), float(np.pi**2))
    near: Array = cast_ops.full_like(x, 1.0)
    for n in (72, 42, 20, 6):
        near = elementwise.sub(1, elementwise.mul(elementwise.mul(square, 1.0 / n), near))
    return compare.select_n(zero, elementwise.div(transcendental.sin(scaled), scaled), near)


# -- arithmetic --------------------------------------------------------------------------------------------------------


def _arithmetic(name: str, primitive: Primitive, for_bool: Primitive, what: str) -> Callable[[Any, Any], Array]:
    """Sum or product, which for booleans are OR and AND."""

    def f(x: Any, y: Any, /, out: None = None, where: None = None) -> Array:
        try:
            try:
                if out is not None or where is not None:
                    refuse_out(name, out, where)
                x, y = promote_pair(name, x, y)
                return (for_bool if x.aval.dtype.kind == "b" else primitive).bind(x, y)
            except REFUSALS as error:
                reword(error, f"fungrad.numpy.{name}", f, (x, y), {})
        except Exception as error:
            filter_exception(error)
            raise

    return named(f, name, binary_doc(what))


add = _arithmetic("add", elementwise.add_p, integer.or_p, "Sum; for booleans OR.")
multiply = _arithmetic("multiply", elementwise.mul_p, integer.and_p, "Product; for booleans AND.")
subtract = binary("subtract", elementwise.sub_p, "Difference.")
divide = binary_inexact("divide", elementwise.div_p, "Quotient; integers are converted to floating first.")
true_divide = divide


def _extremum(name: str, primitive: Primitive, what: str) -> Callable[[Any, Any], Array]:
    def f(x: Any, y: Any, /, out: None = None, where: None = None) -> Array:
        refuse_out(name, out, where)
        x, y = promote_extremum(name, x, y, primitive is compare.max_p)
        return primitive.bind(x, y)

    return named(f, name, binary_doc(what))


maximum = _extremum("maximum", compare.max_p, "Larger of two operands; NaN if either is.")
minimum = _extremum("minimum", compare.min_p, "Smaller of two operands; NaN if either is.")


def negative(x: Any, /, out: None = None, where: None = None) -> Array:
    """Negation.

    Args:
      x: array or scalar.
      out: must be None.
      where: must be None.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.negative(jnp.array([1, -2]))
      Array([-1,  2], dtype=int32)
    """
    refuse_out("negative", out, where)
    return elementwise.neg(operand(x, "negative", "x"))


def positive(x: Any, /) -> Array:
    """The operand itself.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.positive(jnp.array([-1, 2]))
      Array([-1,  2], dtype=int32)
    """
    return operand(x, "positive", "x")


def modf(x: Any, /, out: None = None) -> tuple[Array, Array]:
    """Fractional and integral parts, both with the sign of ``x``.

    Args:
      x: array or scalar; integers and booleans are converted to the default floating dtype.
      out: must be None.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.modf(-1.5)
      (Array(-0.5, dtype=float32, weak_type=True), Array(-1., dtype=float32, weak_type=True))
    """
    refuse_out("modf", out, None)
    x = inexact(x, "modf")
    whole = trunc(x)
    return elementwise.sub(x, whole), whole


def power(x1: Any, x2: Any, /) -> Array:
    """``x1`` to the power of ``x2``.

    A static integer exponent is computed by repeated multiplication; it must not be negative if the base is an integer.
    In an array of integer exponents, where the base is an integer, negative ones give the exact power of 1 and -1, and
    0 for other bases.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.power(jnp.arange(4.0), 2)
      Array([0., 1., 4., 9.], dtype=float32)
    """
    exponent = x2
    if isinstance(exponent, int) and not isinstance(exponent, bool) and isinstance(x1, Array):
        if dtypes.is_bool(x1.aval.dtype):
            x1 = cast(x1, dtypes.int32)
        if exponent < 0 and dtypes.is_integer(x1.aval.dtype):
            raise ValueError(
                f"fungrad.numpy.power: integers to negative powers are not allowed, got exponent {exponent}; convert "
                "the base to float"
            )
        return elementwise.integer_pow(x1, exponent)
    if type(x1) is float and isinstance(x2, Array) and dtypes.is_integer(x2.aval.dtype):
        return transcendental.pow_p.bind(scalar_array(x1, dtypes.default_float(), True), x2)
    x, y = promote_pair("power", x1, x2)
    dtype = x.aval.dtype
    if dtypes.is_bool(dtype):
        x, y = cast(x, dtypes.int32), cast(y, dtypes.int32)
    elif dtypes.is_inexact(dtype):
        if isinstance(x2, Array) and dtypes.is_integer(x2.aval.dtype):
            # Keeps the derivative with respect to the exponent out of it.
            return transcendental.pow(*match_ranks("power", x, x2))
        return transcendental.pow(x, y)
    from fungrad.numpy.integer_loops import power_of

    out = power_of(x, y)
    return out if isinstance(x1, bool) else weak_as(out, x1, x2)


pow = power


def full_mask(mask: Array, like: Array) -> Array:
    if mask.aval.shape == like.aval.shape or not mask.aval.shape:
        return mask
    from_shape = cast_ops.full_like(like, False, dtype=np.dtype(bool))
    return integer.bitwise_or(from_shape, mask)


def float_power(x: Any, y: Any, /) -> Array:
    """``x`` to the power of ``y`` in floating arithmetic.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.float_power(jnp.array([2, 3]), 2)
      Array([4., 9.], dtype=float32)
    """
    return transcendental.pow(*promote_pair_inexact("float_power", x, y))


def square(x: Any, /) -> Array:
    """Square.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.square(jnp.array([2, -3]))
      Array([4, 9], dtype=int32)
    """
    x = operand(x, "square", "x")
    return elementwise.square(cast(x, dtypes.int32) if dtypes.is_bool(x.aval.dtype) else x)


def reciprocal(x: Any, /) -> Array:
    """One over ``x``.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.reciprocal(jnp.array([2.0, -4.0]))
      Array([ 0.5 , -0.25], dtype=float32)
    """
    x = inexact(x, "reciprocal")
    return elementwise.div(scalar_like(1, x), x)


def hypot(x1: Any, x2: Any, /) -> Array:
    """``sqrt(x1**2 + x2**2)`` without overflow.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.hypot(3.0, jnp.array([4.0, 0.0]))
      Array([5., 3.], dtype=float32)
    """
    x, y = promote_pair_inexact("hypot", x1, x2)
    if dtypes.is_complex(x.aval.dtype):
        raise ValueError("fungrad.numpy.hypot: complex operands are not supported; take abs of them first")
    top = compare.max(complex_parts.abs(x), complex_parts.abs(y))
    zero = compare.eq(top, 0)
    # A constant for derivatives, which do not depend on it: those of maximum and absolute value lose the second one
    # at equal operands and at zero.
    scale = cast_ops.stop_gradient(where_value(zero, 1, top))
    # The lesser operand first: its square may underflow, and is added to the other without being rounded before.
    first = compare.lt(complex_parts.abs(x), complex_parts.abs(y))
    operands = (compare.select_n(first, y, x), compare.select_n(first, x, y))
    squares = [elementwise.square(elementwise.div(v, scale)) for v in operands]
    inside = where_value(zero, 1, elementwise.add(*squares))
    scaled = elementwise.mul(scale, elementwise.sqrt(inside))
    infinite = integer.bitwise_or(isinf(x), isinf(y))
    return weak_as(where_value(infinite, float("inf"), compare.select_n(zero, scaled, top)), x1, x2)


def copysign(x1: Any, x2: Any, /) -> Array:
    """Magnitude of ``x1`` with the sign of ``x2``.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.copysign(jnp.array([1.0, 2.0]), jnp.array([-0.0, 3.0]))
      Array([-1.,  2.], dtype=float32)
    """
    x, y = promote_pair_inexact("copysign", x1, x2)
    size = complex_parts.abs(x)
    negative_y = signbit(y)
    size, negative_y = match_ranks("copysign", size, negative_y)
    out = elementwise.add(size, cast_ops.full_like(y, 0)) if y.aval.shape != size.aval.shape else size
    return compare.select_n(full_mask(negative_y, out), out, elementwise.neg(out))


def heaviside(x1: Any, x2: Any, /) -> Array:
    """Step function: 0 below zero, 1 above, ``x2`` at zero.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.heaviside(jnp.array([-1.0, 0.0, 2.0]), 0.5)
      Array([0. , 0.5, 1. ], dtype=float32)
    """
    x, y = promote_pair_inexact("heaviside", x1, x2)
    weak = x.aval.weak_type and y.aval.weak_type and not x.aval.shape
    x = elementwise.add(x, cast_ops.full_like(y, 0))
    y = elementwise.add(y, cast_ops.full_like(x, 0))
    step = where_value(compare.gt(x, 0), 1, cast_ops.full_like(x, 0))
    step = compare.select_n(compare.eq(x, 0), step, y)
    step = where_value(compare.ne(x, x), float("nan"), step)
    return cast(step, step.aval.dtype, weak)


def ldexp(x1: Any, x2: Any, /) -> Array:
    """``x1 * 2**x2``.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.ldexp(jnp.array([0.5, 3.0]), jnp.array([2, -1]))
      Array([2. , 1.5], dtype=float32)
    """
    x2 = operand(x2, "ldexp", "x2")
    if dtypes.is_bool(x2.aval.dtype):
        x2 = cast(x2, dtypes.int32)
    if not dtypes.is_integer(x2.aval.dtype):
        raise ValueError(f"fungrad.numpy.ldexp: x2 must be an integer array, got {x2.aval.str_short()}")
    x = inexact(x1, "ldexp")
    if dtypes.is_complex(x.aval.dtype):
        raise ValueError("fungrad.numpy.ldexp: complex operands are not supported; scale the parts")
    x, y = match_ranks("ldexp", x, cast(x2, x.aval.dtype))
    # In three steps: a single power may overflow, or vanish, where the result does not.
    limit = 3.0 * (dtypes.finfo(x.aval.dtype).maxexp - 2)
    y = where_value(compare.gt(y, limit), limit, where_value(compare.lt(y, -limit), -limit, y))
    third = trunc(elementwise.div(y, 3.0))
    factor = transcendental.exp2(third)
    last = transcendental.exp2(elementwise.sub(y, elementwise.mul(third, 2.0)))
    return strong(elementwise.mul(elementwise.mul(elementwise.mul(x, factor), factor), last))


def gcd(x1: Any, x2: Any) -> Array:
    """Greatest common divisor.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.gcd(12, jnp.array([8, 18, 5]))
      Array([4, 6, 1], dtype=int32)
    """
    from fungrad.numpy.integer_loops import greatest_common_divisor

    x, y = _integer_pair("gcd", x1, x2)
    return weak_as(cast(greatest_common_divisor(_magnitude(x), _magnitude(y)), x.aval.dtype), x1, x2)


def _magnitude(x: Array) -> Array:
    """The absolute value of an integer, unsigned, as that of the least one must be."""
    dtype = x.aval.dtype
    return cast(complex_parts.abs(x), dtypes.canonicalize_dtype("u" + dtype.name)) if dtypes.is_signed(dtype) else x


def lcm(x1: Any, x2: Any) -> Array:
    """Least common multiple.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.lcm(6, jnp.array([4, 9]))
      Array([12, 18], dtype=int32)
    """
    x, y = _integer_pair("lcm", x1, x2)
    if dtypes.is_signed(x.aval.dtype):
        x, y = complex_parts.abs(x), complex_parts.abs(y)
    common = gcd(x, y)
    zero = compare.eq(common, 0)
    product = elementwise.mul(
        x, elementwise.div(elementwise.add(y, cast_ops.full_like(common, 0)), where_value(zero, 1, common))
    )
    return weak_as(where_value(zero, 0, product), x1, x2)


def _integer_pair(api: str, x: Any, y: Any) -> tuple[Array, Array]:
    x, y = promote_pair(api, x, y)
    if not dtypes.is_integer(x.aval.dtype):
        raise ValueError(f"fungrad.numpy.{api}: operands must be integers, got dtype {x.aval.dtype.name}")
    return x, y


# -- signs, rounding, parts --------------------------------------------------------------------------------------------


def absolute(x: Any, /) -> Array:
    """Magnitude; real for complex operands.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.abs(jnp.array([-1.5, 2.0])), jnp.abs(3 + 4j)
      (Array([1.5, 2. ], dtype=float32), Array(5., dtype=float32, weak_type=True))
    """
    x = operand(x, "absolute", "x")
    return x if kind_of(x.aval.dtype) in "bu" else complex_parts.abs(x)


abs = absolute


def fabs(x: Any, /) -> Array:
    """Magnitude as a floating number.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.fabs(jnp.array([-2, 3]))
      Array([2., 3.], dtype=float32)
    """
    x = inexact(x, "fabs")
    if dtypes.is_complex(x.aval.dtype):
        raise TypeError("fungrad.numpy.fabs: complex operands are not supported; use abs")
    return complex_parts.abs(x)


def sign(x: Any, /) -> Array:
    """-1, 0 or 1; for complex operands ``x / abs(x)``.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.sign(jnp.array([-2.0, 0.0, 3.0]))
      Array([-1.,  0.,  1.], dtype=float32)
    """
    return elementwise.sign(operand(x, "sign", "x"))


def signbit(x: Any, /) -> Array:
    """Whether the sign is negative (also of -0.0).

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.signbit(jnp.array([-1.0, -0.0, 0.0]))
      Array([ True,  True, False], dtype=bool)
    """
    x = operand(x, "signbit", "x")
    dtype = x.aval.dtype
    if dtypes.is_bool(dtype) or dtypes.is_unsigned(dtype):
        return cast_ops.full_like(x, False, dtype=np.dtype(bool))
    if dtypes.is_integer(dtype):
        return strong(compare.lt(x, 0))
    if dtypes.is_complex(dtype):
        raise TypeError("fungrad.numpy.signbit: complex operands have no sign")
    bits = np.dtype(f"int{8 * dtype.itemsize}")
    return compare.lt(cast_ops.bitcast_convert_type(x, bits), 0)


def _rounding(name: str, rule: Callable[[Array], Array], what: str) -> Callable[[Any], Array]:
    def f(x: Any) -> Array:
        x = operand(x, name, "x")
        if not dtypes.is_inexact(x.aval.dtype):
            return x
        return rule(x)

    return named(f, name, what + " Integers are returned unchanged.")


floor = _rounding("floor", elementwise.floor, "Largest integer not above ``x``.")
ceil = _rounding("ceil", elementwise.ceil, "Smallest integer not below ``x``.")


def _trunc(x: Array) -> Array:
    return compare.select_n(compare.lt(x, 0), elementwise.floor(x), elementwise.ceil(x))


trunc = _rounding("trunc", _trunc, "``x`` rounded towards zero.")
fix = trunc


def rint(x: Any, /) -> Array:
    """``x`` rounded to the nearest integer, halves to even.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.rint(jnp.array([0.5, 1.5, -2.3]))
      Array([ 0.,  2., -2.], dtype=float32)
    """
    x = inexact_by_default(x, "rint")
    return _round_even(x)


def _round_even(x: Array) -> Array:
    if dtypes.is_complex(x.aval.dtype):
        return complex_parts.complex(_round_even(complex_parts.real(x)), _round_even(complex_parts.imag(x)))
    return elementwise.round(x, elementwise.RoundingMethod.TO_NEAREST_EVEN)


def round(a: Any, decimals: int = 0, out: None = None) -> Array:
    """``a`` rounded to a number of decimals, halves to even.

    Args:
      a: array or scalar.
      decimals: digits after the point; negative rounds to tens, hundreds ...
      out: must be None.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.round(jnp.array([1.26, 2.5]), 1)
      Array([1.3, 2.5], dtype=float32)
    """
    refuse_out("round", out, None)
    a, decimals = operand(a, "round", "a"), index("fungrad.numpy.round", "decimals", decimals)
    dtype = a.aval.dtype
    if dtypes.is_bool(dtype) or dtypes.is_integer(dtype):
        if decimals < 0:
            raise NotImplementedError(
                "fungrad.numpy.round: negative decimals of integers are not supported; convert to float"
            )
        return a
    if decimals == 0:
        return _round_even(a)
    factor = float(10.0 ** max(decimals, -decimals))
    scaled = elementwise.mul(a, factor) if decimals > 0 else elementwise.div(a, factor)
    rounded = _round_even(scaled)
    return elementwise.div(rounded, factor) if decimals > 0 else elementwise.mul(rounded, factor)


around = round


def real(val: Any, /) -> Array:
    """Real part.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.real(jnp.array([1 + 2j, 3.0]))
      Array([1., 3.], dtype=float32)
    """
    x = operand(val, "real", "val")
    return complex_parts.real(x) if dtypes.is_complex(x.aval.dtype) else x


def imag(val: Any, /) -> Array:
    """Imaginary part; zeros for real operands.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.imag(jnp.array([1 + 2j, 3.0]))
      Array([2., 0.], dtype=float32)
    """
    x = operand(val, "imag", "val")
    return complex_parts.imag(x) if dtypes.is_complex(x.aval.dtype) else cast_ops.full_like(x, 0)


def conjugate(x: Any, /) -> Array:
    """Complex conjugate.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.conjugate(jnp.array([1 + 2j, 3.0]))
      Array([1.-2.j, 3.-0.j], dtype=complex64)
    """
    x = operand(x, "conjugate", "x")
    return complex_parts.conj(x) if dtypes.is_complex(x.aval.dtype) else x


conj = conjugate


def angle(z: Any, deg: bool = False) -> Array:
    """Argument of a complex number, in radians (degrees with ``deg``).

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.angle(1j, deg=True)
      Array(90., dtype=float32, weak_type=True)
    """
    z = inexact_by_default(z, "angle")
    if dtypes.is_complex(z.aval.dtype):
        out = transcendental.atan2(complex_parts.imag(z), complex_parts.real(z))
    else:
        if not z.aval.ndim:  # single numbers have at least the default dtype
            z = cast(z, dtypes.promote_types(z.aval.dtype, dtypes.default_float()))
        out = strong(transcendental.atan2(cast_ops.full_like(z, 0), z))
    return rad2deg(out) if deg else out


__all__ = [
    "abs", "absolute", "acos", "acosh", "add", "angle", "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctan2",
    "arctanh", "around", "asin", "asinh", "atan", "atan2", "atanh", "bitwise_and", "bitwise_count", "bitwise_invert",
    "bitwise_left_shift", "bitwise_not", "bitwise_or", "bitwise_right_shift", "bitwise_xor", "cbrt", "ceil", "conj",
    "conjugate", "copysign", "cos", "cosh", "deg2rad", "degrees", "divide", "equal", "exp", "exp2", "expm1", "fabs",
    "fix", "float_power", "floor", "fmax", "fmin", "full_mask", "gcd", "greater", "greater_equal", "heaviside",
    "hypot", "imag", "invert", "isfinite", "isinf", "isnan", "isneginf", "isposinf", "lcm", "ldexp", "left_shift",
    "less", "less_equal", "log", "log10", "log1p", "log2", "logaddexp", "logaddexp2", "logical_and", "logical_not",
    "logical_or", "logical_xor", "maximum", "minimum", "modf", "multiply", "negative", "nextafter", "not_equal",
    "positive", "pow", "power", "promote_numbers", "rad2deg", "radians", "real", "reciprocal", "refuse_out",
    "right_shift", "rint", "round", "sign", "signbit", "sin", "sinc", "sinh", "sqrt", "square", "subtract", "tan",
    "tanh", "true_divide", "trunc", "truth", "where_value",
]  # fmt: skip
