"""Elementwise arithmetic and mathematics: one call per primitive, and its function of ``fungrad.lax``.

May import ``core``, ``ops._operands``, ``ops._families`` and ``ops.foundation``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fungrad.core.array import Array
from fungrad.core.primitive import is_linear
from fungrad.ops._families import Elementwise, LinearElementwise, unbroadcast
from fungrad.ops._operands import lift, lift_pair

NUMERIC = "iufc"
INEXACT = "fc"

# -- arithmetic --------------------------------------------------------------------------------------------------------

neg_p = LinearElementwise("neg", np.negative, NUMERIC, lambda ct, aval: neg(ct), cheap=True)


def neg(x: Any) -> Array:
    """Elementwise negation; integers wrap."""
    return neg_p.bind(lift(x, "fungrad.lax.neg: x"))


class Add(Elementwise):
    """Sum; linear in each operand."""

    def transpose(self, ct: Any, x: Any, y: Any) -> Sequence[Any]:
        return [unbroadcast(ct, a.aval) if is_linear(a) else None for a in (x, y)]


add_p = Add(
    "add", np.add, NUMERIC, (lambda g, z, x, y: g, lambda g, z, x, y: g), arity=2, cheap=True, commutative=True
)


def add(x: Any, y: Any) -> Array:
    """Elementwise sum of operands of one dtype; equal shapes, or one operand 0-d.

    Example:
      >>> from fungrad import lax
      >>> lax.add(1.0, 2.0)
      Array(3., dtype=float32, weak_type=True)
    """
    return add_p.bind(*lift_pair("add", x, y))


class Sub(Elementwise):
    """Difference; linear in each operand."""

    def transpose(self, ct: Any, x: Any, y: Any) -> Sequence[Any]:
        return [
            unbroadcast(ct, x.aval) if is_linear(x) else None,
            unbroadcast(neg(ct), y.aval) if is_linear(y) else None,
        ]


sub_p = Sub("sub", np.subtract, NUMERIC, (lambda g, z, x, y: g, lambda g, z, x, y: neg(g)), arity=2, cheap=True)


def sub(x: Any, y: Any) -> Array:
    """Elementwise difference of operands of one dtype; equal shapes, or one operand 0-d."""
    return sub_p.bind(*lift_pair("sub", x, y))


class Mul(Elementwise):
    """Product; linear in each operand with the other fixed."""

    def transpose(self, ct: Any, x: Any, y: Any) -> Sequence[Any]:
        if is_linear(x):
            return [unbroadcast(mul(ct, y), x.aval), None]
        return [None, unbroadcast(mul(x, ct), y.aval)]


mul_p = Mul(
    "mul",
    np.multiply,
    NUMERIC,
    (lambda g, z, x, y: mul(g, y), lambda g, z, x, y: mul(x, g)),
    arity=2,
    cheap=True,
    commutative=True,
)


def mul(x: Any, y: Any) -> Array:
    """Elementwise product of operands of one dtype; equal shapes, or one operand 0-d."""
    return mul_p.bind(*lift_pair("mul", x, y))


# -- exponentials and friends ------------------------------------------------------------------------------------------

exp_p = Elementwise("exp", np.exp, INEXACT, lambda g, x, y: mul(g, y))


def exp(x: Any) -> Array:
    """Elementwise exponential of a floating or complex array."""
    return exp_p.bind(lift(x, "fungrad.lax.exp: x"))


tanh_p = Elementwise("tanh", np.tanh, INEXACT, lambda g, x, y: mul(g, sub(1.0, mul(y, y))))


def tanh(x: Any) -> Array:
    """Elementwise hyperbolic tangent of a floating or complex array."""
    return tanh_p.bind(lift(x, "fungrad.lax.tanh: x"))


sin_p = Elementwise("sin", np.sin, INEXACT, lambda g, x, y: mul(g, cos(x)))


def sin(x: Any) -> Array:
    """Elementwise sine of a floating or complex array, in radians."""
    return sin_p.bind(lift(x, "fungrad.lax.sin: x"))


cos_p = Elementwise("cos", np.cos, INEXACT, lambda g, x, y: neg(mul(g, sin(x))))


def cos(x: Any) -> Array:
    """Elementwise cosine of a floating or complex array, in radians."""
    return cos_p.bind(lift(x, "fungrad.lax.cos: x"))
