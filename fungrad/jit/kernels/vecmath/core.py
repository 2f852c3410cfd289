"""What the elementary functions share: formats, polynomials, exponents, error-free operations."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps

from fungrad.jit.kernels.scalars import HALF, ScalarBuilder, Value

FUNCTIONS: dict[str, Callable[..., Value]] = {}
"""Every elementary function by name; each takes a builder and values of one float type."""


@dataclass(frozen=True)
class Format:
    """A binary floating-point format.

    Attributes:
      bits: the unsigned type of the same width; `signed` is the signed one.
      digits: explicit bits of the significand (23 or 52).
      bias: exponent bias (127 or 1023).
      shifter: 1.5 * 2**digits. Adding it to a small number rounds that number to an integer, which
        then stands in the low bits of the sum.
      tiny: the smallest normal number.
      width: bits in all (32 or 64).
    """

    bits: str
    signed: str
    digits: int
    bias: int

    @property
    def shifter(self) -> float:
        return 1.5 * 2.0**self.digits

    @property
    def tiny(self) -> float:
        return 2.0 ** (1 - self.bias)

    @property
    def width(self) -> int:
        return self.digits + self.bias.bit_length() + 2

    @property
    def fraction(self) -> int:
        """Mask of the explicit significand bits."""
        return (1 << self.digits) - 1


FORMATS = {"f32": Format("u32", "i32", 23, 127), "f64": Format("u64", "i64", 52, 1023)}
INF = math.inf
NAN = math.nan


def elementary(function: Callable[..., Value]) -> Callable[..., Value]:
    """Register a function of one or more floats of one type.

    The function itself is written for f32 and f64: half precision arguments are widened and the
    result rounded back. Its operations are protected from contraction.
    """

    @wraps(function)
    def call(m: ScalarBuilder, *arguments: Value) -> Value:
        type = arguments[0].type
        if type not in FORMATS and type not in HALF:
            raise TypeError(
                f"vecmath.{function.__name__}: expected a floating-point value, got {type}; convert it first"
            )
        with m.precise():
            if type in HALF:
                wide = function(m, *(m.convert(a, "f32") for a in arguments))
                return m.convert(wide, type)
            return function(m, *arguments)

    FUNCTIONS[function.__name__] = call
    return call


def polynomial(m: ScalarBuilder, x: Value, coefficients: Sequence[float]) -> Value:
    """sum coefficients[i] * x**i, by Horner's rule with fused steps."""
    value = m.const(coefficients[-1], x)
    for c in reversed(coefficients[:-1]):
        value = m.fma(value, x, c)
    return value


def clamp(m: ScalarBuilder, x: Value, low: float, high: float) -> Value:
    """x held within [low, high]; a NaN passes."""
    return m.min(m.const(high, x), m.max(m.const(low, x), x))


def shifted_round(m: ScalarBuilder, x: Value, scale: float) -> tuple[Value, Value]:
    """round(x * scale) twice: as a float, and as the bits that hold it in their low part.

    For |x * scale| < 2**(digits - 1). The bits are those of the integer plus a multiple of
    2**(digits - 1), so they may be shifted up into an exponent field or tested bit by bit.
    """
    shifter = FORMATS[x.type].shifter
    sum = m.fma(x, scale, shifter)
    return sum - shifter, m.bitcast(sum, FORMATS[x.type].bits)


def power_of_two(m: ScalarBuilder, n: Value, type: str) -> Value:
    """2**n for bits from `shifted_round` whose low part is n, while that is a normal number."""
    format = FORMATS[type]
    return m.bitcast((n << format.digits) + (format.bias << format.digits), type)


def two_sum(m: ScalarBuilder, a: Value, b: Value) -> tuple[Value, Value]:
    """(s, e) with s = round(a + b) and s + e = a + b exactly."""
    s = a + b
    t = s - a
    return s, (a - (s - t)) + (b - t)


def fast_two_sum(m: ScalarBuilder, a: Value, b: Value) -> tuple[Value, Value]:
    """`two_sum` for |a| >= |b|."""
    s = a + b
    return s, b - (s - a)


def two_product(m: ScalarBuilder, a: Value, b: Value) -> tuple[Value, Value]:
    """(p, e) with p = round(a * b) and p + e = a * b exactly."""
    p = a * b
    return p, m.fma(a, b, -p)


def window(m: ScalarBuilder, index: Value, table: Sequence[float], count: int) -> list[Value]:
    """table[index : index + count] by a shifter of selects: one layer for each bit of the index."""
    entries = [m.const(c, "f64") for c in table]
    positions = len(table) - count + 1
    for bit in reversed(range((positions - 1).bit_length())):
        step = 1 << bit
        upper = (index & step) != 0
        entries = [
            m.select(upper, entries[j + step], entries[j]) if j + step < len(entries) else entries[j]
            for j in range(min(len(entries), count + step - 1))
        ]
    return entries
