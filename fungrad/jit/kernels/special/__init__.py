"""Special functions that take as many steps as their arguments ask for: incomplete gamma and beta, zeta.

Each is a scalar function over a builder, like those of `vecmath`, but with loops (`ScalarBuilder.iterate`): a vector of
arguments goes on until all of its elements have converged. They compute in double, for float32 too. docs/vecmath.md
lists the measured errors. `FUNCTIONS` holds them by name.
"""

from fungrad.jit.kernels.special.bessel_first import bessel_jn
from fungrad.jit.kernels.special.core import FUNCTIONS
from fungrad.jit.kernels.special.exponential_integrals import cosine_integral, expi, expn, sine_integral
from fungrad.jit.kernels.special.gamma_slope import (
    igamma_grad_a,
    random_gamma_grad,
    random_gamma_grad_a,
    random_gamma_grad_x,
)
from fungrad.jit.kernels.special.gamma_variate import random_gamma, random_loggamma
from fungrad.jit.kernels.special.incomplete_beta import regularized_incomplete_beta
from fungrad.jit.kernels.special.incomplete_gamma import igamma, igammac
from fungrad.jit.kernels.special.zeta import polygamma, zeta

__all__ = [
    "FUNCTIONS",
    "bessel_jn",
    "cosine_integral",
    "expi",
    "expn",
    "igamma",
    "igamma_grad_a",
    "igammac",
    "polygamma",
    "random_gamma",
    "random_gamma_grad",
    "random_gamma_grad_a",
    "random_gamma_grad_x",
    "random_loggamma",
    "regularized_incomplete_beta",
    "sine_integral",
    "zeta",
]
