"""Stepping through the floating-point numbers."""

from __future__ import annotations

from fungrad.jit.kernels.scalars import ScalarBuilder, Value, bit_width
from fungrad.jit.kernels.vecmath.core import FUNCTIONS


def nextafter(m: ScalarBuilder, x: Value, y: Value) -> Value:
    """The number next to x in the direction of y; y itself where they are equal."""
    # Not `elementary`: half precision has neighbours of its own, so it must not be widened.
    bits = m.bitcast(x, f"i{bit_width(x.type)}")
    away = (y > x) == (x > 0.0)  # towards larger magnitude
    stepped = m.bitcast(m.select(away, bits + 1, bits - 1), x.type)
    least = m.bitcast(m.const(1, bits), x.type)
    result = m.select(x == 0.0, m.copysign(least, y), stepped)
    result = m.select(x == y, y, result)
    return m.select(m.is_nan(x) | m.is_nan(y), x + y, result)


FUNCTIONS["nextafter"] = nextafter
