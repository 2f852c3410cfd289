"""Elementary and special functions as branch-free scalar code that vectorises.

Every function takes a builder and one or two values of a floating-point type, and gives a value of
that type: `vecmath.exp(m, x)`. It is written once; what runs it is the builder's business (see
`fungrad.jit.kernels.scalars`). Infinities, NaNs, signed zeros and subnormal numbers are treated as
IEEE 754 asks. docs/vecmath.md lists the measured errors. `FUNCTIONS` holds all of them by name.
"""

from fungrad.jit.kernels.vecmath.bessel import bessel_i0e, bessel_i1e
from fungrad.jit.kernels.vecmath.core import FUNCTIONS
from fungrad.jit.kernels.vecmath.error_functions import erf, erf_inv, erfc
from fungrad.jit.kernels.vecmath.exp_log import (
    exp,
    exp2,
    expm1,
    log,
    log1p,
    log2,
    log10,
    logaddexp,
    logistic,
    softplus,
)
from fungrad.jit.kernels.vecmath.gamma_functions import digamma, lgamma
from fungrad.jit.kernels.vecmath.hyperbolic import acosh, asinh, atanh, cosh, sinh, tanh
from fungrad.jit.kernels.vecmath.inverse_trig import acos, asin, atan, atan2
from fungrad.jit.kernels.vecmath.neighbours import nextafter
from fungrad.jit.kernels.vecmath.power import cbrt, hypot, pow, rsqrt, sqrt
from fungrad.jit.kernels.vecmath.trig import cos, cospi, sin, sinpi, tan

__all__ = [
    "FUNCTIONS",
    "acos",
    "acosh",
    "asin",
    "asinh",
    "atan",
    "atan2",
    "atanh",
    "bessel_i0e",
    "bessel_i1e",
    "cbrt",
    "cos",
    "cosh",
    "cospi",
    "digamma",
    "erf",
    "erf_inv",
    "erfc",
    "exp",
    "exp2",
    "expm1",
    "hypot",
    "lgamma",
    "log",
    "log1p",
    "log2",
    "log10",
    "logaddexp",
    "logistic",
    "nextafter",
    "pow",
    "rsqrt",
    "sin",
    "sinh",
    "sinpi",
    "softplus",
    "sqrt",
    "tan",
    "tanh",
]

# Functions of functions that are functions of their own, by the names of the outer and the inner one.
COMPOSED = {("log1p", "exp"): "softplus"}
