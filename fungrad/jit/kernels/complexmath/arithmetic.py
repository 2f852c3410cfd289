"""Parts, signs, powers and comparisons of complex values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fungrad.jit.kernels import vecmath
from fungrad.jit.kernels.complexmath.builder import ComplexScalars, is_complex
from fungrad.jit.kernels.scalars import PARTS, Value, type_of
from fungrad.jit.kernels.vecmath.core import INF, NAN


def modulus(m: ComplexScalars, z: Any) -> Value:
    """|z| without overflow in between; infinite if a part is."""
    return vecmath.hypot(m.base, z.re, z.im)


def conj(m: ComplexScalars, x: Any, **_: Any) -> Value:
    """The conjugate; a real number becomes complex."""
    if is_complex(x):
        return m.complex(x.re, -x.im)
    return m.complex(x, -m.base.const(0, x))


def sign(m: ComplexScalars, z: Any) -> Value:
    """z / |z|; 0 for 0; a unit for an infinity on an axis, NaN for other infinities."""
    # The modulus of a finite number may overflow.
    scale = m.select(m.base.max(m.base.abs(z.re), m.base.abs(z.im)) > 1.0, m.base.const(0.25, z.re), 1.0)
    z = m.complex(z.re * scale, z.im * scale)
    size = modulus(m, z)
    divisor = m.select(size == 0, 1.0, size)
    infinite = size == INF

    def part(x: Value, other: Value) -> Value:
        whole = m.base.abs(x) == INF
        limit = m.select(whole, m.base.copysign(m.base.const(1, x), x), 0.0)
        limit = m.select(whole & (m.base.abs(other) == INF), NAN, limit)
        return m.select(infinite, limit, x / divisor)

    found: Value = m.complex(part(z.re, z.im), part(z.im, z.re))
    found = m.select(m.is_nan(size), m.const(complex(NAN, NAN), z), found)
    return m.select(size == 0, m.const(0, z), found)


def reciprocal(m: ComplexScalars, z: Any) -> Value:
    """1 / z; NaN for 0, whose quotient has no direction."""
    across = m.base.abs(z.re) >= m.base.abs(z.im)
    large, small = m.select(across, z.re, z.im), m.select(across, z.im, z.re)
    ratio = small / large
    size = large + small * ratio
    one, other = 1.0 / size, ratio / size
    return m.complex(m.select(across, one, other), -m.select(across, other, one))


def square(m: ComplexScalars, z: Any) -> Value:
    """z * z.

    A difference of squares would lose digits where both are near, and overflow to NaN or to the wrong infinity.
    """
    size = m.base.abs(z.re)
    even = (size == m.base.abs(z.im)) & (size < INF)
    product = z.re * z.im
    real = m.select(even, 0.0, (z.re - z.im) * (z.re + z.im))
    return m.complex(real, product + product)


def integer_pow(m: ComplexScalars, z: Any, *, y: int) -> Value:
    """z**y by repeated squaring."""
    result, base, n = None, z, abs(y)
    while n:
        if n & 1:
            result = base if result is None else result * base
        n >>= 1
        if n:
            base = square(m, base)
    if result is None:
        return m.const(1, z)
    return reciprocal(m, result) if y < 0 else result


def convert(m: Any, x: Value, *, new_dtype: Any, **_: Any) -> Value:
    """Another dtype; for any builder."""
    return m.convert(x, type_of(new_dtype))


def select_n(m: Any, which: Value, *cases: Value) -> Value:
    """The case with the number `which`; for any builder."""
    if which.type == "i1":
        return m.select(which, cases[1], cases[0]) if len(cases) == 2 else cases[0]
    result = cases[-1]
    for number in range(len(cases) - 2, -1, -1):
        result = m.select(which <= number, cases[number], result)
    return result


def _part(n: int) -> Callable[..., Value]:
    return lambda m, z: z.raw[n] if z.type in PARTS else z


def _same(m: ComplexScalars, x: Value) -> Value:
    return x


RULES: dict[str, Callable[..., Value]] = {
    **{op: (lambda m, x, y, op=op: m.binary(op, x, y)) for op in ("add", "sub", "mul", "div")},
    **{op: (lambda m, x, y, op=op: m.compare(op, x, y)) for op in ("eq", "ne")},
    "add_any": lambda m, x, y: m.binary("add", x, y),
    "neg": lambda m, x: m.unary("neg", x),
    "abs": modulus,
    "sign": sign,
    "complex": lambda m, x, y: m.complex(x, y),
    "real": _part(0),
    "imag": _part(1),
    "conj": conj,
    "square": square,
    "integer_pow": integer_pow,
    "select_n": select_n,
    "convert_element_type": convert,
    "copy": _same,
    "stop_gradient": _same,
    "max": lambda m, x, y: m.maximum(x, y),
    "min": lambda m, x, y: m.minimum(x, y),
}
