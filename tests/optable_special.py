"""Rows of the op table: special functions."""

from __future__ import annotations

import numpy as np
from optable_base import BINARY_SHAPES, FLOATS, Op
from scipy import special

from fungrad import lax
from fungrad.ops import integrals
from fungrad.ops.special import random_gamma_grad_a, random_gamma_grad_x

# Special functions in single precision: SciPy's are good to some ten units in the last place.
LOOSE = {"float32": 1e-5, "float64": 1e-12}
JAX = {"float32": 1e-4, "float64": 1e-9, "float16": 1e-2, "bfloat16": 5e-2}
POSITIVE = ((0.3, 5.0),)


def slope_in_a(a, x):
    """Derivative of the incomplete gamma function by its parameter: fourth-order differences in double precision."""
    h = 1e-3 * a

    def difference(h):
        return (special.gammainc(a + h, x) - special.gammainc(a - h, x)) / (2 * h)

    return (4 * difference(h) - difference(2 * h)) / 3


def difference(f, x):
    h = 1e-3 * x
    return (8 * (f(x + h) - f(x - h)) - f(x + 2 * h) + f(x - 2 * h)) / (12 * h)


def density(a, x):
    return np.exp((a - 1) * np.log(x) - x - special.gammaln(a))


def unary(name, reference, **facts):
    facts = {"rtol": LOOSE, "jax_rtol": JAX, "jax_special": False, **facts}
    return Op(name, getattr(lax, name), reference, FLOATS, **facts)


def binary(name, reference, **facts):
    facts = {"rtol": LOOSE, "jax_rtol": JAX, "jax_special": False, "domains": POSITIVE, **facts}
    return Op(name, getattr(lax, name), reference, FLOATS, BINARY_SHAPES, **facts)


def integral(name, reference, **facts):
    """A function that is in ``lax`` neither here nor in JAX."""
    facts = {"rtol": LOOSE, "jax": None, "special": False, **facts}
    return Op(name, getattr(integrals, name), reference, FLOATS, **facts)


def whole(low, high):
    return lambda rng, shape, dtype: rng.integers(low, high, shape, endpoint=True).astype(dtype)


OPS = [
    integral("expi", special.expi, domains=((0.5, 9.0),)),
    integral("sine_integral", lambda x: special.sici(x)[0], domains=((-9.0, 9.0),)),
    integral("cosine_integral", lambda x: special.sici(x)[1], domains=((0.5, 9.0),)),
    integral(
        "expn",
        lambda n, x: special.expn(n.astype(int), x),
        shapes=BINARY_SHAPES,
        domains=(whole(0, 5), (0.3, 5.0)),
        diff=(1,),
    ),
    integral("bessel_jn", special.jv, shapes=BINARY_SHAPES, domains=(whole(-3, 5), (-9.0, 9.0)), diff=(1,)),
    unary("erf", special.erf),
    unary("erfc", special.erfc),
    unary("erf_inv", special.erfinv, domains=((-0.9, 0.9),)),
    unary(
        "lgamma",
        lambda x: np.where(x == -np.inf, np.inf, special.gammaln(x)),
        domains=((2.5, 9.0),),
    ),
    unary("digamma", lambda x: np.where(x == 0, np.nan, special.psi(x)), domains=((2.0, 9.0),)),
    unary("bessel_i0e", special.i0e),
    unary("bessel_i1e", special.i1e),
    binary(
        "polygamma",
        lambda m, x: special.polygamma(m.astype(int), x),
        domains=(lambda rng, shape, dtype: rng.integers(0, 4, shape).astype(dtype), (0.5, 4.0)),
        diff=(1,),
        special=False,
    ),
    binary("zeta", special.zeta, domains=((1.5, 4.0), (0.5, 3.0)), special=False),
    binary("igamma", special.gammainc, special=False),
    binary("igammac", special.gammaincc, special=False),
    binary("igamma_grad_a", slope_in_a, order=1, special=False, rtol={"float32": 1e-5, "float64": 1e-8}),
    binary(
        "random_gamma_grad",
        lambda a, x: -slope_in_a(a, x) / density(a, x),
        weak=False,
        order=1,
        special=False,
        rtol={"float32": 1e-5, "float64": 1e-8},
    ),
    Op(
        "random_gamma_grad_a",
        random_gamma_grad_a,
        lambda a, x: difference(lambda a: -slope_in_a(a, x) / density(a, x), a),
        FLOATS,
        BINARY_SHAPES,
        domains=POSITIVE,
        jax=None,
        diff=(1,),
        special=False,
        rtol={"float32": 1e-4, "float64": 1e-5},
    ),
    Op(
        "random_gamma_grad_x",
        random_gamma_grad_x,
        lambda a, x: difference(lambda x: -slope_in_a(a, x) / density(a, x), x),
        FLOATS,
        BINARY_SHAPES,
        domains=POSITIVE,
        jax=None,
        order=1,
        special=False,
        rtol={"float32": 1e-4, "float64": 1e-5},
    ),
    Op(
        "betainc",
        lax.betainc,
        special.betainc,
        FLOATS,
        [((2, 3),) * 3, ((), (), (3,)), ((), (), ()), ((0,),) * 3],
        domains=((0.5, 3.0), (0.5, 3.0), (0.1, 0.9)),
        diff=(2,),
        order=2,
        rtol=LOOSE,
        jax_rtol=JAX,
        special=False,
        primitives=("regularized_incomplete_beta",),
    ),
]
