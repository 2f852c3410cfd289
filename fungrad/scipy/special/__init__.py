"""Special functions, under the names of ``jax.scipy.special``.

All are differentiable (parameters for which JAX has no derivative excepted), batched, and native under ``jit``.  The
file holds no code.
"""

from fungrad.core.public_names import (
    public_names as _public_names,
    publish as _publish,
)
from fungrad.nn.normalization import logsumexp as logsumexp
from fungrad.scipy.special._entropy import (
    boxcox as boxcox,
    boxcox1p as boxcox1p,
    entr as entr,
    expit as expit,
    kl_div as kl_div,
    log_softmax as log_softmax,
    logit as logit,
    rel_entr as rel_entr,
    softmax as softmax,
    xlog1py as xlog1py,
    xlogy as xlogy,
)
from fungrad.scipy.special._errors import (
    dawsn as dawsn,
    erf as erf,
    erfc as erfc,
    erfcx as erfcx,
    erfinv as erfinv,
    fresnel as fresnel,
    log_ndtr as log_ndtr,
    ndtr as ndtr,
    ndtri as ndtri,
    owens_t as owens_t,
    wofz as wofz,
)
from fungrad.scipy.special._gamma import (
    bernoulli as bernoulli,
    beta as beta,
    betainc as betainc,
    betaln as betaln,
    comb as comb,
    digamma as digamma,
    factorial as factorial,
    gamma as gamma,
    gammainc as gammainc,
    gammaincc as gammaincc,
    gammaln as gammaln,
    gammasgn as gammasgn,
    loggamma as loggamma,
    multigammaln as multigammaln,
    poch as poch,
    polygamma as polygamma,
    zeta as zeta,
)
from fungrad.scipy.special._hypergeometric import (
    hyp1f1 as hyp1f1,
    hyp2f1 as hyp2f1,
)
from fungrad.scipy.special._integrals import (
    bessel_jn as bessel_jn,
    exp1 as exp1,
    expi as expi,
    expn as expn,
    i0 as i0,
    i0e as i0e,
    i1 as i1,
    i1e as i1e,
    sici as sici,
    spence as spence,
)
from fungrad.scipy.special._legendre import (
    lpmn as lpmn,
    lpmn_values as lpmn_values,
    sph_harm_y as sph_harm_y,
)

__all__ = _public_names(globals())

_publish(globals(), __name__, __all__)
