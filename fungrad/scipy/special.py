"""Special functions, under the names of ``jax.scipy.special``.

May import ``core``, ``ops``, ``transforms``, ``fungrad.numpy`` and ``fungrad.nn``.
"""

from __future__ import annotations

import math
from typing import Any

import fungrad.numpy as jnp
from fungrad.core.array import Array
from fungrad.core.public_names import publish
from fungrad.nn.normalization import log_softmax, logsumexp, softmax
from fungrad.numpy._promotion import inexact, promote_dtypes_inexact
from fungrad.ops import special as ops
from fungrad.ops.transcendental import logistic
from fungrad.transforms.custom_rules import custom_jvp


def _one(x: Any, name: str) -> Array:
    return inexact(x, f"scipy.special.{name}")


def _pair(name: str, *xs: Any) -> list[Array]:
    """Operands of one floating dtype and one shape."""
    arrays = promote_dtypes_inexact(f"scipy.special.{name}", *xs)
    return list(jnp.broadcast_arrays(*arrays))


# -- error function and normal distribution ---------------------------------------------------------------------------


def erf(x: Any) -> Array:
    """Error function, ``2/sqrt(pi) * integral of exp(-t^2) from 0 to x``.

    Example:
      >>> from fungrad.scipy import special
      >>> print(special.erf(0.0))
      0.0
    """
    return ops.erf(_one(x, "erf"))


def erfc(x: Any) -> Array:
    """Complement of the error function, accurate where it is small."""
    return ops.erfc(_one(x, "erfc"))


def erfinv(x: Any) -> Array:
    """Inverse of the error function on (-1, 1)."""
    return ops.erf_inv(_one(x, "erfinv"))


def ndtr(x: Any) -> Array:
    """Distribution function of the standard normal distribution."""
    x = _one(x, "ndtr")
    z = x * math.sqrt(0.5)
    # In the lower tail 1 + erf cancels, in the upper one erfc is tiny.
    return jnp.where(x < 0, 0.5 * ops.erfc(-z), 0.5 * (1.0 + ops.erf(z)))


# -- logistic, logarithms ---------------------------------------------------------------------------------------------


def expit(x: Any) -> Array:
    """Logistic function, ``1 / (1 + exp(-x))``."""
    return logistic(_one(x, "expit"))


def logit(x: Any) -> Array:
    """Inverse of the logistic function, ``log(x / (1 - x))``."""
    x = _one(x, "logit")
    return jnp.log(x) - jnp.log1p(-x)


def xlogy(x: Any, y: Any) -> Array:
    """``x log(y)``, which is 0 for ``x = 0`` whatever ``y`` but NaN; the derivative by ``x`` is ``log(y)`` there too.

    Example:
      >>> import fungrad
      >>> from fungrad.scipy import special
      >>> print(special.xlogy(0.0, 0.0), fungrad.grad(special.xlogy)(0.0, 1.0))
      0.0 0.0
    """
    return _xlogy(*_pair("xlogy", x, y))


@custom_jvp
def _xlogy(x: Array, y: Array) -> Array:
    return _product(x, jnp.log(y), y)


def xlog1py(x: Any, y: Any) -> Array:
    """``x log(1 + y)``, which is 0 for ``x = 0`` whatever ``y`` but NaN; see ``xlogy``."""
    return _xlog1py(*_pair("xlog1py", x, y))


@custom_jvp
def _xlog1py(x: Array, y: Array) -> Array:
    return _product(x, jnp.log1p(y), y)


def _product(x: Array, logarithm: Array, y: Array) -> Array:
    """``x * logarithm``, 0 where ``x`` is 0 and ``y`` is not NaN."""
    return jnp.where((x == 0) & (y == y), jnp.zeros_like(x), x * logarithm)


def _ratio(x: Array, y: Array) -> Array:
    """``x / y``, and 0 for ``0 / 0``: terms with the weight 0 have no part in a gradient."""
    none = (x == 0) & (y == 0)
    return jnp.where(none, jnp.zeros_like(x), x / jnp.where(none, jnp.ones_like(y), y))


# Written out, since the value as a select would have the derivative 0 where ``x`` is 0.
_xlogy.defjvps(lambda g, out, x, y: g * jnp.log(y), lambda g, out, x, y: g * _ratio(x, y))
_xlog1py.defjvps(lambda g, out, x, y: g * jnp.log1p(y), lambda g, out, x, y: g * _ratio(x, 1 + y))


def entr(x: Any) -> Array:
    """Entropy term, ``-x log(x)``; 0 at 0 and minus infinity below."""
    x = _one(x, "entr")
    return jnp.where(x < 0, -jnp.inf, -xlogy(x, x))


def rel_entr(p: Any, q: Any) -> Array:
    """Relative entropy term, ``p log(p / q)``; infinite outside ``p >= 0, q > 0``."""
    p, q = _pair("rel_entr", p, q)
    valid = (p > 0) & (q > 0)
    ratio = jnp.where(valid, p, 1.0) * (jnp.log(jnp.where(valid, p, 1.0)) - jnp.log(jnp.where(valid, q, 1.0)))
    return jnp.where(valid, ratio, jnp.where((p == 0) & (q >= 0), 0.0, jnp.inf))


def kl_div(p: Any, q: Any) -> Array:
    """Kullback-Leibler term, ``p log(p / q) - p + q``."""
    p, q = _pair("kl_div", p, q)
    return rel_entr(p, q) - p + q


# -- gamma, beta ------------------------------------------------------------------------------------------------------


def gammaln(x: Any) -> Array:
    """Logarithm of the magnitude of the gamma function."""
    return ops.lgamma(_one(x, "gammaln"))


def gammasgn(x: Any) -> Array:
    """Sign of the gamma function; NaN at its poles below zero."""
    x = _one(x, "gammasgn")
    floor = jnp.floor(x)
    odd = jnp.mod(floor, 2.0) != 0
    below = jnp.where(x == floor, jnp.nan, jnp.where(odd, -1.0, 1.0))
    at_zero = jnp.where(jnp.signbit(x), -1.0, 1.0)
    return jnp.where(x > 0, 1.0, jnp.where(x == 0, at_zero, below)).astype(x.dtype)


def gamma(x: Any) -> Array:
    """Gamma function."""
    x = _one(x, "gamma")
    return gammasgn(x) * jnp.exp(ops.lgamma(x))


def factorial(n: Any, exact: bool = False) -> Array:
    """``n!`` for real ``n``; 0 below zero.

    Raises:
      NotImplementedError: ``exact`` is true.
    """
    if exact:
        raise NotImplementedError("fungrad.scipy.special.factorial: exact=True is not supported; use math.factorial")
    n = _one(n, "factorial")
    return jnp.where(n < 0, 0.0, jnp.exp(ops.lgamma(jnp.where(n < 0, 0.0, n) + 1.0)))


def digamma(x: Any) -> Array:
    """Derivative of the logarithm of the gamma function."""
    return ops.digamma(_one(x, "digamma"))


def polygamma(n: Any, x: Any) -> Array:
    """Derivative of order ``n`` of ``digamma``."""
    n, x = _pair("polygamma", n, x)
    return ops.polygamma(n, x)


def zeta(x: Any, q: Any = 1.0) -> Array:
    """Hurwitz zeta function, ``sum of (k + q)^-x``."""
    x, q = _pair("zeta", x, q)
    return ops.zeta(x, q)


def gammainc(a: Any, x: Any) -> Array:
    """Regularized lower incomplete gamma function."""
    a, x = _pair("gammainc", a, x)
    return ops.igamma(a, x)


def gammaincc(a: Any, x: Any) -> Array:
    """Regularized upper incomplete gamma function."""
    a, x = _pair("gammaincc", a, x)
    return ops.igammac(a, x)


def betaln(a: Any, b: Any) -> Array:
    """Logarithm of the magnitude of the beta function."""
    a, b = _pair("betaln", a, b)
    return ops.lgamma(a) + ops.lgamma(b) - ops.lgamma(a + b)


def beta(a: Any, b: Any) -> Array:
    """Beta function."""
    a, b = _pair("beta", a, b)
    return gammasgn(a) * gammasgn(b) * gammasgn(a + b) * jnp.exp(betaln(a, b))


def betainc(a: Any, b: Any, x: Any) -> Array:
    """Regularized incomplete beta function."""
    a, b, x = _pair("betainc", a, b, x)
    return ops.betainc(a, b, x)


def multigammaln(a: Any, d: int) -> Array:
    """Logarithm of the multivariate gamma function of dimension ``d``."""
    a = _one(a, "multigammaln")
    constant = d * (d - 1) / 4 * math.log(math.pi)
    return jnp.sum(ops.lgamma(a[..., None] - jnp.arange(d, dtype=a.dtype) / 2), axis=-1) + constant


# -- Bessel -----------------------------------------------------------------------------------------------------------


def i0e(x: Any) -> Array:
    """Modified Bessel function of order 0 times ``exp(-|x|)``."""
    return ops.bessel_i0e(_one(x, "i0e"))


def i0(x: Any) -> Array:
    """Modified Bessel function of order 0."""
    x = _one(x, "i0")
    return jnp.exp(jnp.abs(x)) * ops.bessel_i0e(x)


def i1e(x: Any) -> Array:
    """Modified Bessel function of order 1 times ``exp(-|x|)``."""
    return ops.bessel_i1e(_one(x, "i1e"))


def i1(x: Any) -> Array:
    """Modified Bessel function of order 1."""
    x = _one(x, "i1")
    return jnp.exp(jnp.abs(x)) * ops.bessel_i1e(x)


__all__ = [
    "beta",
    "betainc",
    "betaln",
    "digamma",
    "entr",
    "erf",
    "erfc",
    "erfinv",
    "expit",
    "factorial",
    "gamma",
    "gammainc",
    "gammaincc",
    "gammaln",
    "gammasgn",
    "i0",
    "i0e",
    "i1",
    "i1e",
    "kl_div",
    "log_softmax",
    "logit",
    "logsumexp",
    "multigammaln",
    "ndtr",
    "polygamma",
    "rel_entr",
    "softmax",
    "xlog1py",
    "xlogy",
    "zeta",
]

publish(globals(), __name__, __all__)
