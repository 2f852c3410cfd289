"""Native code of elementwise primitives: for each name a scalar function over a builder.

A primitive may bring its own rule (its attribute ``scalar``, called with `Scalars` so that it can use every function
here by name); the table covers those that map to the operations of the builder and to ``jit.kernels.vecmath``, and
``jit.kernels.complexmath`` those on complex numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import numpy as np

from fungrad.core.dtypes import prng_key
from fungrad.jit.kernels import complexmath, special, vecmath
from fungrad.jit.kernels.complexmath import ComplexScalars, is_complex
from fungrad.jit.kernels.complexmath.arithmetic import convert, select_n
from fungrad.jit.kernels.scalars import FLOATS, NUMPY_DTYPES, PARTS, SIGNED, ScalarBuilder, Value, bit_width, type_of

ScalarRule = Callable[..., Any]


class Scalars:
    """A scalar builder on which every elementwise primitive can be called by name, as in ``m.exp(x)``."""

    __slots__ = ("builder",)

    def __init__(self, builder: ScalarBuilder):
        self.builder = builder

    def convert(self, x: Value, dtype: Any) -> Value:
        """The value in another type: a NumPy dtype or the name of a scalar type."""
        return self.builder.convert(x, dtype if isinstance(dtype, str) else type_of(dtype))

    def bitcast(self, x: Value, dtype: Any) -> Value:
        """The same bits as another type of the same width."""
        return self.builder.bitcast(x, dtype if isinstance(dtype, str) else type_of(dtype))

    def const(self, value: Any, like: Any) -> Value:
        """A number in the type of a value, a NumPy dtype or a scalar type by name."""
        return self.builder.const(value, like if isinstance(like, (str, Value)) else type_of(like))

    def __getattr__(self, name: str) -> Any:
        # `max` and `min` of the builder are raw instructions; here they are the primitives.
        rule = partial(_by_type, name) if name in complexmath.RULES else TABLE.get(name)
        if rule is not None:
            return partial(rule, self.builder)
        return getattr(self.builder, name)


def _by_type(name: str, m: Any, *xs: Value, **params: Any) -> Value:
    """An elementwise primitive by name, on real or complex values."""
    complex_result = name == "complex" or any(is_complex(x) for x in xs)
    rule = complexmath.RULES[name] if complex_result else TABLE[name]
    return rule(ComplexScalars(m) if complex_result else m, *xs, **params)  # type: ignore[no-any-return]


def scalar_rule(primitive: Any, types: Iterable[str] = ()) -> ScalarRule | None:
    """The scalar function ``rule(m, *xs, **params)`` of an elementwise primitive, None if it has none.

    Args:
      primitive: elementwise.
      types: scalar types of operands and results.
    """
    if any(t in PARTS for t in types):
        return complexmath.RULES.get(primitive.name)
    own = getattr(primitive, "scalar", None)
    if own is not None:
        return lambda m, *xs, **params: own(Scalars(m), *xs, **params)
    return TABLE.get(primitive.name)


# -- rules -----------------------------------------------------------------------------------------------------------


def _binary(op: str) -> ScalarRule:
    return lambda m, x, y: m.binary(op, x, y)


def _unary(op: str) -> ScalarRule:
    return lambda m, x: m.unary(op, x)


def _compare(op: str) -> ScalarRule:
    return lambda m, x, y: m.compare(op, x, y)


def _integral(op: str) -> ScalarRule:
    return lambda m, x: m.unary(op, x) if x.type in FLOATS else x


def _sign(m: ScalarBuilder, x: Value) -> Value:
    if x.type in FLOATS:
        magnitude = m.select(x == 0, x, m.copysign(m.const(1, x), x))
        return m.select(m.is_nan(x), x, magnitude)
    positive = m.select(x > 0, m.const(1, x), m.const(0, x))
    return m.select(x < 0, m.const(-1, x), positive) if x.type in SIGNED else positive


def _round(m: ScalarBuilder, x: Value, *, rounding_method: Any) -> Value:
    if int(rounding_method) == 1:
        return m.rint(x)
    # Halves away from zero: compare the lost part, which is exact, instead of adding one half, which is not.
    whole = m.trunc(x)
    up = m.select(m.abs(x - whole) >= 0.5, m.const(1, x), m.const(0, x))
    return m.copysign(m.abs(whole) + up, x)


def _is_finite(m: ScalarBuilder, x: Value) -> Value:
    return m.abs(x) < float("inf") if x.type in FLOATS else m.const(True, "i1")


def _clamp(m: ScalarBuilder, low: Value, x: Value, high: Value) -> Value:
    return m.minimum(m.maximum(x, low), high)


def _bitcast(m: ScalarBuilder, x: Value, *, new_dtype: Any) -> Value:
    return m.bitcast(x, type_of(new_dtype))


def _shift(op: str, arithmetic: bool) -> ScalarRule:
    def rule(m: ScalarBuilder, x: Value, amount: Value) -> Value:
        """A shift by the width or more gives 0, or the sign everywhere for an arithmetic one."""
        width, type = bit_width(x.type), x.type
        unsigned = "u" + type[1:]
        wide = m.convert(amount, unsigned) >= width
        safe = m.select(wide, m.const(width - 1 if arithmetic else 0, unsigned), m.convert(amount, unsigned))
        kind = ("i" if arithmetic else "u") + type[1:]
        value = m.convert(x, kind)
        shifted = m.convert(m.binary(op, value, m.convert(safe, kind)), type)
        return shifted if arithmetic else m.select(wide, m.const(0, type), shifted)

    return rule


def _total_order(op: str) -> ScalarRule:
    def rule(m: ScalarBuilder, x: Value, y: Value) -> Value:
        """A comparison in the order -NaN < -inf < ... < -0 < 0 < ... < inf < NaN: that of the bits, but for signs."""
        return m.compare(op, _order_key(m, x), _order_key(m, y))

    return rule


def _order_key(m: ScalarBuilder, x: Value) -> Value:
    """An integer that orders as a float does; negative ones order by decreasing magnitude."""
    if x.type not in FLOATS:
        return x
    bits = m.bitcast(x, f"i{bit_width(x.type)}")
    return m.select(bits < 0, bits ^ ((1 << (bit_width(x.type) - 1)) - 1), bits)


def _mulhi(m: ScalarBuilder, x: Value, y: Value) -> Value:
    """The upper half of a product, through an integer of twice the width where there is one."""
    width = bit_width(x.type)
    if width < 64:
        wide = f"{x.type[0]}{2 * width}"
        return m.convert((m.convert(x, wide) * m.convert(y, wide)) >> width, x.type)
    a, b = m.bitcast(x, "u64"), m.bitcast(y, "u64")
    mask = 0xFFFFFFFF
    a_high, a_low, b_high, b_low = a >> 32, a & mask, b >> 32, b & mask
    middle = a_high * b_low + ((a_low * b_low) >> 32)
    middle_low = a_low * b_high + (middle & mask)
    high = a_high * b_high + (middle >> 32) + (middle_low >> 32)
    if x.type in SIGNED:
        # A negative number is its unsigned reading minus 2**64, which takes the other operand off the high half.
        high = high - m.select(x < 0, b, m.const(0, b)) - m.select(y < 0, a, m.const(0, a))
    return m.bitcast(high, x.type)


def _integer_pow(m: ScalarBuilder, x: Value, *, y: int) -> Value:
    result, base, n = None, x, abs(y)
    while n:
        if n & 1:
            result = base if result is None else result * base
        n >>= 1
        if n:
            base = base * base
    if result is None:
        return m.const(1, x)
    return m.const(1, x) / result if y < 0 else result


def _rsqrt(m: ScalarBuilder, x: Value) -> Value:
    return m.const(1, x) / m.sqrt(x)


def _pow(m: ScalarBuilder, x: Value, y: Value) -> Value:
    if y.type != x.type:
        y = m.convert(y, x.type)
    return vecmath.pow(m, x, y)


def _logical_not(m: ScalarBuilder, x: Value) -> Value:
    return m.unary("not", x)


_SIMPLE: dict[str, ScalarRule] = {
    **{op: _binary(op) for op in ("add", "sub", "mul", "div", "rem", "and", "or", "xor")},
    **{op: _compare(op) for op in ("eq", "ne", "lt", "le", "gt", "ge")},
    **{op: _integral(op) for op in ("floor", "ceil")},
    "add_any": _binary("add"),
    "neg": _unary("neg"),
    "abs": _unary("abs"),
    "not": _logical_not,
    "sqrt": _unary("sqrt"),
    "rsqrt": _rsqrt,
    "sign": _sign,
    "round": _round,
    "max": lambda m, x, y: m.maximum(x, y),
    "min": lambda m, x, y: m.minimum(x, y),
    "is_finite": _is_finite,
    "select_n": select_n,
    "clamp": _clamp,
    "convert_element_type": convert,
    "bitcast_convert_type": _bitcast,
    "shift_left": _shift("shl", False),
    "shift_right_logical": _shift("shr", False),
    "shift_right_arithmetic": _shift("shr", True),
    **{f"{op}_to": _total_order(op) for op in ("eq", "lt", "le")},
    "mulhi": _mulhi,
    "population_count": _unary("popcount"),
    "clz": _unary("clz"),
    "integer_pow": _integer_pow,
    "square": lambda m, x: x * x,
    "copy": lambda m, x: x,
    "stop_gradient": lambda m, x: x,
    "conj": lambda m, x: x,
    "real": lambda m, x: x,
}

# Names of primitives and of the functions of `vecmath` that compute them.
_VECMATH = (
    "exp", "exp2", "expm1", "log", "log1p", "log2", "log10", "logistic", "sin", "cos", "tan", "asin", "acos",
    "atan", "atan2", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "cbrt", "erf", "erfc", "erf_inv", "lgamma",
    "digamma", "nextafter", "hypot", "bessel_i0e", "bessel_i1e", "sinpi", "cospi",
)  # fmt: skip

TABLE: dict[str, ScalarRule] = {
    **_SIMPLE,
    **special.FUNCTIONS,
    **{name: getattr(vecmath, name) for name in _VECMATH},
    "pow": _pow,
}


def supports(dtype: Any) -> bool:
    """Whether elements of a dtype can be computed with in native code."""
    return np.dtype(dtype) in _SUPPORTED


_SUPPORTED = frozenset(NUMPY_DTYPES.values()) | {prng_key, np.dtype(np.complex64), np.dtype(np.complex128)}
