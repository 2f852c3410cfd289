"""Complex numbers in scalar code: pairs of real values, with the functions of C99's Annex G.

`ComplexScalars` makes any scalar builder take complex values beside real ones, and `RULES` has every operation on them
by the name of its primitive. Everything is written in terms of real operations and `vecmath`, so it runs on NumPy in
tests and vectorises in programs like any other scalar code.
"""

from fungrad.jit.kernels.complexmath.arithmetic import RULES as _ARITHMETIC
from fungrad.jit.kernels.complexmath.builder import Complex, ComplexScalars, is_complex
from fungrad.jit.kernels.complexmath.exponential import RULES as _EXPONENTIAL, logaddexp
from fungrad.jit.kernels.complexmath.hyperbolic import RULES as _HYPERBOLIC
from fungrad.jit.kernels.complexmath.inverse import RULES as _INVERSE

RULES = {**_ARITHMETIC, **_EXPONENTIAL, **_HYPERBOLIC, **_INVERSE}
"""Scalar functions ``rule(m, *values, **params)`` by the name of the primitive; some value or the result is complex."""

NAMED = {"logaddexp": logaddexp}
"""Operations by name beside those of the builder."""

__all__ = ["NAMED", "RULES", "Complex", "ComplexScalars", "is_complex"]
