"""Statistics, under the names of ``jax.scipy.stats``: a module for each distribution, and functions of samples.

Values in the tails are computed from the nearer side.  The file holds no code.
"""

from fungrad.core.public_names import (
    public_names as _public_names,
    publish as _publish,
)
from fungrad.scipy.stats import (
    bernoulli as bernoulli,
    beta as beta,
    betabinom as betabinom,
    binom as binom,
    cauchy as cauchy,
    chi2 as chi2,
    dirichlet as dirichlet,
    expon as expon,
    gamma as gamma,
    gennorm as gennorm,
    geom as geom,
    gumbel_l as gumbel_l,
    gumbel_r as gumbel_r,
    laplace as laplace,
    logistic as logistic,
    multinomial as multinomial,
    multivariate_normal as multivariate_normal,
    nbinom as nbinom,
    norm as norm,
    pareto as pareto,
    poisson as poisson,
    t as t,
    truncnorm as truncnorm,
    uniform as uniform,
    vonmises as vonmises,
    wrapcauchy as wrapcauchy,
)
from fungrad.scipy.stats._core import (
    mode as mode,
    rankdata as rankdata,
    sem as sem,
)
from fungrad.scipy.stats._kde import (
    gaussian_kde as gaussian_kde,
)

__all__ = _public_names(globals())

_publish(globals(), __name__, __all__)
