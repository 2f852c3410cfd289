"""Complex values over a scalar builder.

A complex value is a pair of real values of the builder underneath. `ComplexScalars` stands in front of that builder:
what concerns real values it passes on, and complex ones it takes apart. Operators on complex values come back to it.
"""

from __future__ import annotations

import builtins
from typing import Any

from fungrad.jit.kernels.scalars import PARTS, Number, Value, both_values


class Complex(Value):
    """A complex value; its `raw` is the pair of its real and imaginary part.

    >>> import numpy as np
    >>> from fungrad.jit.kernels.scalars import NumpyScalars
    >>> m = ComplexScalars(NumpyScalars())
    >>> z = m.complex(m.base.value(np.float32(1)), m.base.value(np.float32(2)))
    >>> (z * z).re.raw, (z * z).im.raw
    (array(-3., dtype=float32), array(4., dtype=float32))
    """

    __slots__ = ()

    @property
    def re(self) -> Value:
        """The real part."""
        return self.raw[0]  # type: ignore[no-any-return]

    @property
    def im(self) -> Value:
        """The imaginary part."""
        return self.raw[1]  # type: ignore[no-any-return]


def is_complex(x: Any) -> bool:
    """Whether a value is complex."""
    return isinstance(x, Value) and x.type in PARTS


def type_of_pair(part: str) -> str:
    """The complex type whose parts have the type ``part``."""
    return next(c for c, p in PARTS.items() if p == part)


class ComplexScalars:
    """A scalar builder in front of another, `base`, which it extends to complex values."""

    def __init__(self, base: Any):
        self.base: Any = base.base if isinstance(base, ComplexScalars) else base

    def __getattr__(self, name: str) -> Any:
        # Whatever is only for real values.
        return getattr(self.base, name)

    def complex(self, re: Value, im: Value) -> Complex:
        """The complex value with these parts."""
        return Complex(self, type_of_pair(re.type), (re, im))  # type: ignore[arg-type]

    def const(self, value: Number | builtins.complex, like: Value | str) -> Value:
        """A number in the type of a value, or a type by name."""
        type = like.type if isinstance(like, Value) else like
        part = PARTS.get(type)
        if part is None:
            return self.base.const(value, type)  # type: ignore[no-any-return]
        value = builtins.complex(value)
        return self.complex(self.base.const(value.real, part), self.base.const(value.imag, part))

    def unary(self, op: str, a: Value) -> Value:
        """Negation of a complex value; anything of a real one."""
        if not is_complex(a):
            return self.base.unary(op, a)  # type: ignore[no-any-return]
        if op != "neg":
            raise KeyError(f"scalar code: no operation {op} on {a.type}")
        return self.complex(-a.re, -a.im)  # type: ignore[attr-defined]

    def binary(self, op: str, a: Value, b: Value) -> Value:
        """Sums, products and quotients."""
        if not (is_complex(a) or is_complex(b)):
            return self.base.binary(op, a, b)  # type: ignore[no-any-return]
        return _BINARY[op](self, self.convert(a, b.type), self.convert(b, a.type))

    def compare(self, op: str, a: Value, b: Value) -> Value:
        """Equality of complex values; any comparison of real ones."""
        if not is_complex(a):
            return self.base.compare(op, a, b)  # type: ignore[no-any-return]
        if op == "eq":
            return (a.re == b.re) & (a.im == b.im)  # type: ignore[attr-defined]
        if op == "ne":
            return (a.re != b.re) | (a.im != b.im)  # type: ignore[attr-defined]
        raise KeyError(f"scalar code: complex numbers have no order, so no comparison {op} of {a.type}")

    def select(self, condition: Value, a: Value | Number, b: Value | Number) -> Value:
        """`a` where the condition holds, else `b`."""
        a, b = both_values("select", a, b)
        if not is_complex(a):
            return self.base.select(condition, a, b)  # type: ignore[no-any-return]
        return self.complex(
            self.base.select(condition, a.re, b.re),  # type: ignore[attr-defined]
            self.base.select(condition, a.im, b.im),  # type: ignore[attr-defined]
        )

    def fma(self, a: Value, b: Value | Number, c: Value | Number) -> Value:
        """`a * b + c`, rounded once where the values are real."""
        return a * b + c if is_complex(a) else self.base.fma(a, b, c)

    def convert(self, a: Value, type: str) -> Value:
        """The value in another type; a complex number that becomes real loses its imaginary part."""
        part = PARTS.get(type)
        if a.type == type:
            return a
        if is_complex(a):
            if type == "i1":
                return a != 0
            if part is None:
                return self.base.convert(a.re, type)  # type: ignore[attr-defined, no-any-return]
            return self.complex(self.base.convert(a.re, part), self.base.convert(a.im, part))  # type: ignore[attr-defined]
        if part is None:
            return self.base.convert(a, type)  # type: ignore[no-any-return]
        return self.complex(self.base.convert(a, part), self.base.const(0, part))

    def is_nan(self, a: Value) -> Value:
        """Whether any part is NaN."""
        if not is_complex(a):
            return self.base.is_nan(a)  # type: ignore[no-any-return]
        return self.base.is_nan(a.re) | self.base.is_nan(a.im)  # type: ignore[attr-defined, no-any-return]

    def maximum(self, a: Value, b: Value) -> Value:
        """The larger number, by real and then by imaginary parts; NaN when either is."""
        return self._extremum("gt", a, b) if is_complex(a) else self.base.maximum(a, b)

    def minimum(self, a: Value, b: Value) -> Value:
        """The smaller number, by real and then by imaginary parts; NaN when either is."""
        return self._extremum("lt", a, b) if is_complex(a) else self.base.minimum(a, b)

    def _extremum(self, op: str, a: Any, b: Any) -> Value:
        compare = self.base.compare
        first = compare(op, a.re, b.re) | ((a.re == b.re) & (compare(op, a.im, b.im) | (a.im == b.im)))
        first = first & ~self.is_nan(b)
        return self.select(first | self.is_nan(a), a, b)


# -- arithmetic ------------------------------------------------------------------------------------------------------


def add(m: ComplexScalars, a: Any, b: Any) -> Value:
    """a + b."""
    return m.complex(a.re + b.re, a.im + b.im)


def sub(m: ComplexScalars, a: Any, b: Any) -> Value:
    """a - b."""
    return m.complex(a.re - b.re, a.im - b.im)


def mul(m: ComplexScalars, a: Any, b: Any) -> Value:
    """a * b by the plain formula, as in NumPy and XLA: infinities may come out as NaN."""
    return m.complex(a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re)


def div(m: ComplexScalars, a: Any, b: Any) -> Value:
    """a / b without overflow in between (R. L. Smith, "Algorithm 116: complex division", 1962).

    Both are divided by the larger part of b, whose other part is then a ratio of at most 1.
    """
    across = m.base.abs(b.re) >= m.base.abs(b.im)
    large, small = m.select(across, b.re, b.im), m.select(across, b.im, b.re)
    zero = large == 0
    ratio = m.select(zero, 0.0, small / large)
    # Division by zero divides each part by it.
    size = m.select(zero, m.base.abs(large), large + small * ratio)
    first, second = m.select(across, a.re, a.im), m.select(across, a.im, a.re)
    re = (first + second * ratio) / size
    im = m.select(across, second - first * ratio, first * ratio - second) / size
    return m.complex(re, im)


_BINARY = {"add": add, "sub": sub, "mul": mul, "div": div}
