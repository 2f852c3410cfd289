"""``fungrad.random``: random numbers that are functions of explicit keys, under JAX's names.

A key determines all that is drawn with it: the same key gives the same numbers, eagerly, compiled and mapped, on every
machine.  So a key is used once, and new keys are made of it::

    key = random.key(0)
    key, subkey = random.split(key)
    x = random.normal(subkey, (3,))

The bits are those of JAX: equal keys of the same generator give equal bits there and here. The generator is
threefry2x32 unless ``impl`` of ``key``, or the option ``default_prng_impl``, names another.

The file holds no code.
"""

from fungrad.core.public_names import (
    public_names as _public_names,
    publish as _publish,
)
from fungrad.ops.random_gamma import (
    random_gamma_p as random_gamma_p,
)
from fungrad.random.bits import (
    bits as bits,
    randint as randint,
    uniform as uniform,
)
from fungrad.random.choices import (
    categorical as categorical,
    choice as choice,
    permutation as permutation,
)
from fungrad.random.continuous import (
    cauchy as cauchy,
    double_sided_maxwell as double_sided_maxwell,
    exponential as exponential,
    gumbel as gumbel,
    laplace as laplace,
    logistic as logistic,
    lognormal as lognormal,
    maxwell as maxwell,
    normal as normal,
    pareto as pareto,
    rayleigh as rayleigh,
    triangular as triangular,
    truncated_normal as truncated_normal,
    wald as wald,
    weibull_min as weibull_min,
)
from fungrad.random.counts import (
    binomial as binomial,
    multinomial as multinomial,
    poisson as poisson,
)
from fungrad.random.discrete import (
    bernoulli as bernoulli,
    geometric as geometric,
    rademacher as rademacher,
)
from fungrad.random.gamma_family import (
    ball as ball,
    beta as beta,
    chisquare as chisquare,
    dirichlet as dirichlet,
    f as f,
    gamma as gamma,
    generalized_normal as generalized_normal,
    loggamma as loggamma,
    t as t,
)
from fungrad.random.keys import (
    PRNGKey as PRNGKey,
    clone as clone,
    fold_in as fold_in,
    key as key,
    key_data as key_data,
    key_dtype as key_dtype,
    key_impl as key_impl,
    split as split,
    wrap_key_data as wrap_key_data,
)
from fungrad.random.vectors import (
    multivariate_normal as multivariate_normal,
    orthogonal as orthogonal,
)

__all__ = _public_names(globals())

_publish(globals(), __name__, __all__)
