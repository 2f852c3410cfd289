"""``fungrad.random``: random numbers that are functions of explicit keys, under JAX's names.

A key determines all that is drawn with it: the same key gives the same numbers, eagerly, compiled and mapped, on every
machine.  So a key is used once, and new keys are made of it::

    key = random.key(0)
    key, subkey = random.split(key)
    x = random.normal(subkey, (3,))

The bits are those of the threefry2x32 generator in the layout of JAX, so equal keys give equal bits there and here.

The file holds no code.
"""

from fungrad.core.public_names import publish
from fungrad.random.bits import bits, randint, uniform
from fungrad.random.choices import categorical, choice, permutation
from fungrad.random.continuous import (
    cauchy,
    double_sided_maxwell,
    exponential,
    gumbel,
    laplace,
    logistic,
    lognormal,
    maxwell,
    normal,
    pareto,
    rayleigh,
    triangular,
    truncated_normal,
    wald,
    weibull_min,
)
from fungrad.random.counts import binomial, multinomial, poisson
from fungrad.random.discrete import bernoulli, geometric, rademacher
from fungrad.random.gamma_family import ball, beta, chisquare, dirichlet, f, gamma, generalized_normal, loggamma, t
from fungrad.random.keys import (
    PRNGKey,
    clone,
    fold_in,
    key,
    key_data,
    key_dtype,
    key_impl,
    split,
    wrap_key_data,
)
from fungrad.random.vectors import multivariate_normal, orthogonal

__all__ = [
    "PRNGKey",
    "ball",
    "bernoulli",
    "beta",
    "binomial",
    "bits",
    "categorical",
    "cauchy",
    "chisquare",
    "choice",
    "clone",
    "dirichlet",
    "double_sided_maxwell",
    "exponential",
    "f",
    "fold_in",
    "gamma",
    "generalized_normal",
    "geometric",
    "gumbel",
    "key",
    "key_data",
    "key_dtype",
    "key_impl",
    "laplace",
    "loggamma",
    "logistic",
    "lognormal",
    "maxwell",
    "multinomial",
    "multivariate_normal",
    "normal",
    "orthogonal",
    "pareto",
    "permutation",
    "poisson",
    "rademacher",
    "randint",
    "rayleigh",
    "split",
    "t",
    "triangular",
    "truncated_normal",
    "uniform",
    "wald",
    "weibull_min",
    "wrap_key_data",
]

publish(globals(), __name__, __all__)
