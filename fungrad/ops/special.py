"""Elementwise special functions: error, gamma, incomplete gamma and beta, zeta, and Bessel functions.

Eager evaluation is SciPy's, imported at the first use.

May import ``core``, ``ops._operands``, ``ops._families``, ``ops.elementwise``, ``ops.compare``,
``ops.complex_parts`` and ``ops.transcendental``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from fungrad.core import dtypes
from fungrad.core.array import Array
from fungrad.ops import gamma_slopes
from fungrad.ops._families import Elementwise
from fungrad.ops._operands import constant, lift, lift_like, lift_pair
from fungrad.ops.compare import gt, lt, select_n
from fungrad.ops.complex_parts import abs
from fungrad.ops.elementwise import FLOAT, add, div, in_float32, mul, neg, reciprocal, sign, sub
from fungrad.ops.transcendental import exp, log, log1p

_functions: dict[str, Callable[..., Any]] = {}


def scipy_function(name: str) -> Callable[..., Any]:
    """The function ``name`` of ``scipy.special``, whose import takes longer than that of fungrad."""
    found = _functions.get(name)
    if found is None:
        from scipy import special

        found = _functions[name] = getattr(special, name)
    return found


def _impl(name: str) -> Callable[..., Any]:
    return in_float32(lambda *operands: scipy_function(name)(*operands))


def no_derivative(primitive: str, operand: str) -> Callable[..., Any]:
    """A derivative rule that says that there is none."""

    def rule(g: Any, z: Any, *operands: Any) -> Any:
        raise NotImplementedError(
            f"fungrad.lax.{primitive}: the derivative with respect to {operand} is not available; if it is not needed, "
            f"wrap that operand in fungrad.lax.stop_gradient"
        )

    return rule


# -- error function ------------------------------------------------------------------------------

_TWO_OVER_SQRT_PI = 2 / math.sqrt(math.pi)

erf_p = Elementwise(
    "erf",
    _impl("erf"),
    FLOAT,
    partial=lambda m, x, y: m.mul(_TWO_OVER_SQRT_PI, m.exp(m.neg(m.square(x)))),
)
erfc_p = Elementwise(
    "erfc",
    _impl("erfc"),
    FLOAT,
    partial=lambda m, x, y: m.mul(-_TWO_OVER_SQRT_PI, m.exp(m.neg(m.square(x)))),
)
erf_inv_p = Elementwise(
    "erf_inv",
    _impl("erfinv"),
    FLOAT,
    partial=lambda m, x, y: m.mul(1 / _TWO_OVER_SQRT_PI, m.exp(m.square(y))),
)


def erf(x: Any) -> Array:
    """Elementwise error function of a floating array.

    Example:
      >>> from fungrad import lax
      >>> lax.erf(0.0)
      Array(0., dtype=float32, weak_type=True)
    """
    return erf_p.bind(lift(x, "fungrad.lax.erf: x"))


def erfc(x: Any) -> Array:
    """Elementwise complementary error function ``1 - erf(x)``, accurate for large ``x``.

    Example:
      >>> from fungrad import lax
      >>> lax.erfc(0.0)
      Array(1., dtype=float32, weak_type=True)
    """
    return erfc_p.bind(lift(x, "fungrad.lax.erfc: x"))


def erf_inv(x: Any) -> Array:
    """Elementwise inverse of the error function; NaN outside [-1, 1].

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import lax
      >>> lax.erf_inv(jnp.array([0.0, 1.0]))
      Array([ 0., inf], dtype=float32)
    """
    return erf_inv_p.bind(lift(x, "fungrad.lax.erf_inv: x"))


# -- gamma function and relatives ----------------------------------------------------------------


def _lgamma(x: np.ndarray) -> Any:
    return np.where(x == -np.inf, x.dtype.type(np.inf), scipy_function("gammaln")(x))


def _digamma(x: np.ndarray) -> Any:
    # A pole has no sign: NaN at 0 as at the other non-positive integers.
    return np.where(x == 0, x.dtype.type(np.nan), scipy_function("psi")(x))


def _polygamma(m: np.ndarray, x: np.ndarray) -> Any:
    dtype = x.dtype
    # In double precision: the factors leave the range of single precision where their product does not.
    m, x = m.astype(np.float64), x.astype(np.float64)
    order = m + 1.0
    odd = 1.0 - 2.0 * np.fmod(m, 2.0)
    general = -odd * scipy_function("gamma")(order) * _zeta(order, x)
    out = np.where(m == 0, _digamma(x), general)
    return np.where((m >= 0) & (np.floor(m) == m), out, np.nan).astype(dtype)


def _zeta(x: np.ndarray, q: np.ndarray) -> Any:
    out = _zeta_by_scipy(x, q)
    before = (q < 0) & (np.floor(q) != q) & (np.floor(x) == x) & (x > 1) & (x < np.inf)
    if before.any():
        # SciPy adds up the terms on both sides of 0, which nearly cancel for odd x. The integer above q divides them:
        # each side is a zeta function, less what lies beyond the first term.
        x, q = np.broadcast_arrays(x, q)
        exponent, first = x[before].astype(np.float64), q[before].astype(np.float64)
        below = np.floor(first)
        right = _zeta_by_scipy(exponent, first - below)
        left, beyond = _zeta_by_scipy(exponent, (below + 1) - first), _zeta_by_scipy(exponent, 1 - first)
        out = np.array(out)
        out[before] = np.where(np.fmod(exponent, 2) == 0, (right + left) - beyond, (right - left) + beyond)
    return out


def _zeta_by_scipy(x: np.ndarray, q: np.ndarray) -> Any:
    out = scipy_function("zeta")(x, q)
    # SciPy multiplies infinities with zeros for very large x, and has infinities for NaN.
    out = np.where((x > 1e12) & (q > 0), np.power(q, -x), out)
    return np.where(np.isnan(x) | np.isnan(q), np.nan, out).astype(x.dtype)


# Terms of the zeta function that are summed, and B_2k / (2k)! for those that the rest is expanded in.
_ZETA_TERMS = 12
_BERNOULLI = (
    1 / 12, -1 / 720, 1 / 30240, -1 / 1209600, 1 / 47900160, -691 / 1307674368000, 1 / 74724249600,
    -3617 / 10670622842880000,
)  # fmt: skip


def _zeta_slope(x: Any, q: Any) -> Array:
    """The derivative of the zeta function by its exponent, by the Euler-Maclaurin formula."""
    total: Any = None
    for n in range(_ZETA_TERMS):
        ln = log(add(q, float(n)))
        term = mul(ln, exp(neg(mul(x, ln))))
        total = term if total is None else add(total, term)
    last = add(q, float(_ZETA_TERMS))
    ln = log(last)
    power = exp(neg(mul(x, ln)))  # last ** -x
    over = reciprocal(sub(x, 1.0))
    rest = add(mul(mul(mul(last, power), over), add(ln, over)), mul(mul(ln, power), 0.5))
    # The product x (x + 1) ... (x + 2k - 2) and its derivative, times last ** (-x - 2k + 1).
    product, slope = x, constant(x, 1)
    scale = mul(power, reciprocal(last))
    for k, coefficient in enumerate(_BERNOULLI):
        rest = add(rest, mul(mul(scale, coefficient), sub(mul(ln, product), slope)))
        for shift in (2.0 * k + 1, 2.0 * k + 2):
            factor = add(x, shift)
            product, slope = mul(product, factor), add(mul(slope, factor), product)
        scale = mul(scale, reciprocal(mul(last, last)))
    return neg(add(total, rest))


lgamma_p = Elementwise("lgamma", in_float32(_lgamma), FLOAT, partial=lambda m, x, y: m.digamma(x))
digamma_p = Elementwise("digamma", in_float32(_digamma), FLOAT, lambda g, x, y: mul(g, polygamma(constant(x, 1), x)))
polygamma_p = Elementwise(
    "polygamma",
    in_float32(_polygamma),
    FLOAT,
    (no_derivative("polygamma", "m"), lambda g, z, m, x: mul(g, polygamma(add(m, 1.0), x))),
    arity=2,
    cost=100,
)
zeta_p = Elementwise(
    "zeta",
    in_float32(_zeta),
    FLOAT,
    (
        lambda g, z, x, q: mul(g, _zeta_slope(x, q)),
        lambda g, z, x, q: mul(g, mul(neg(x), zeta(add(x, 1.0), q))),
    ),
    arity=2,
    cost=100,
)


def lgamma(x: Any) -> Array:
    """Elementwise logarithm of the absolute value of the gamma function.

    Example:
      >>> from fungrad import lax
      >>> lax.lgamma(1.0)
      Array(0., dtype=float32, weak_type=True)
    """
    return lgamma_p.bind(lift(x, "fungrad.lax.lgamma: x"))


def digamma(x: Any) -> Array:
    """Elementwise logarithmic derivative of the gamma function; NaN at its poles 0, -1, -2 ...

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import lax
      >>> lax.digamma(jnp.array([-1.0, 1.0]))
      Array([       nan, -0.5772157], dtype=float32)
    """
    return digamma_p.bind(lift(x, "fungrad.lax.digamma: x"))


def polygamma(m: Any, x: Any) -> Array:
    """Elementwise derivative of order ``m`` of ``digamma``; NaN unless ``m`` is a non-negative integer.

    Differentiable with respect to ``x`` only.

    Example:
      >>> from fungrad import lax
      >>> lax.polygamma(0.0, 1.0)
      Array(-0.5772157, dtype=float32, weak_type=True)
    """
    return polygamma_p.bind(*lift_pair("polygamma", m, x))


def zeta(x: Any, q: Any) -> Array:
    """Elementwise Hurwitz zeta function, the sum of ``(n + q) ** -x`` over n = 0, 1, 2 ...; NaN for ``x < 1``.

    Differentiable with respect to ``q`` only.

    Example:
      >>> from fungrad import lax
      >>> lax.zeta(2.0, 1.0)
      Array(1.644934, dtype=float32, weak_type=True)
    """
    return zeta_p.bind(*lift_pair("zeta", x, q))


# -- incomplete gamma ----------------------------------------------------------------------------


def _igamma_density(a: Any, x: Any) -> Array:
    return exp(sub(add(neg(x), mul(sub(a, 1.0), log(x))), lgamma(a)))


def _igamma_grad_a(a: np.ndarray, x: np.ndarray) -> Any:
    slope = gamma_slopes.parameter_slope(a, x) * gamma_slopes.density(a, x)
    return np.where((a > 0) & ((x == 0) | (x == np.inf)), 0.0, slope).astype(a.dtype)


def _random_gamma_grad(a: np.ndarray, x: np.ndarray) -> Any:
    return np.negative(gamma_slopes.parameter_slope(a, x)).astype(a.dtype)


def _random_gamma_grad_a(a: np.ndarray, x: np.ndarray) -> Any:
    return np.negative(gamma_slopes.curvature(a, x)).astype(a.dtype)


def _random_gamma_grad_x(a: np.ndarray, x: np.ndarray) -> Any:
    return np.negative(gamma_slopes.variate_slope(a, x)).astype(a.dtype)


# With the density p, its derivative by x is p `_density_slope`, and that by a is p `_log_ratio`; a variate moves with
# its parameter by s = -(dP/da) / p, whose derivatives by a and x are primitives of their own.


def _log_ratio(a: Any, x: Any) -> Array:
    return sub(log(x), digamma(a))


def _density_slope(a: Any, x: Any) -> Array:
    return sub(div(sub(a, 1.0), x), 1.0)


def _grad_a_by_a(g: Any, z: Any, a: Any, x: Any) -> Array:
    slope = sub(mul(z, _log_ratio(a, x)), mul(_igamma_density(a, x), random_gamma_grad_a(a, x)))
    return mul(g, _unless_at_end(x, slope))


def _grad_a_by_x(g: Any, z: Any, a: Any, x: Any) -> Array:
    return mul(g, mul(_igamma_density(a, x), _log_ratio(a, x)))


def _unless_at_end(x: Any, slope: Any) -> Array:
    """``slope``, or 0 where ``x`` is 0 or infinite, and the value so for every ``a``."""
    zero = constant(slope, 0.0)
    return select_n(lt(x, constant(x, math.inf)), zero, select_n(gt(x, constant(x, 0.0)), zero, slope))


def _mixed_slope(g: Any, z: Any, a: Any, x: Any) -> Array:
    """The derivative of s by a and x."""
    bend = add(mul(random_gamma_grad_a(a, x), _density_slope(a, x)), div(random_gamma_grad(a, x), x))
    return mul(g, sub(polygamma(constant(a, 1.0), a), bend))


def _variate_curvature(g: Any, z: Any, a: Any, x: Any) -> Array:
    """The second derivative of s by x."""
    bend = sub(mul(random_gamma_grad(a, x), div(sub(a, 1.0), mul(x, x))), mul(z, _density_slope(a, x)))
    return mul(g, sub(bend, reciprocal(x)))


igamma_p = Elementwise(
    "igamma",
    _impl("gammainc"),
    FLOAT,
    (
        lambda g, z, a, x: mul(g, igamma_grad_a(a, x)),
        lambda g, z, a, x: mul(g, _igamma_density(a, x)),
    ),
    arity=2,
    cost=100,
)
igammac_p = Elementwise(
    "igammac",
    _impl("gammaincc"),
    FLOAT,
    (
        lambda g, z, a, x: mul(g, neg(igamma_grad_a(a, x))),
        lambda g, z, a, x: mul(g, neg(_igamma_density(a, x))),
    ),
    arity=2,
    cost=100,
)
igamma_grad_a_p = Elementwise(
    "igamma_grad_a",
    _igamma_grad_a,
    FLOAT,
    (_grad_a_by_a, _grad_a_by_x),
    arity=2,
    cost=100,
)
random_gamma_grad_p = Elementwise(
    "random_gamma_grad",
    _random_gamma_grad,
    FLOAT,
    (
        lambda g, z, a, x: mul(g, random_gamma_grad_a(a, x)),
        lambda g, z, a, x: mul(g, random_gamma_grad_x(a, x)),
    ),
    arity=2,
    cost=100,
)
random_gamma_grad_a_p = Elementwise(
    "random_gamma_grad_a",
    _random_gamma_grad_a,
    FLOAT,
    (no_derivative("random_gamma_grad", "a more than once"), _mixed_slope),
    arity=2,
    cost=200,
)
random_gamma_grad_x_p = Elementwise(
    "random_gamma_grad_x", _random_gamma_grad_x, FLOAT, (_mixed_slope, _variate_curvature), arity=2, cost=100
)


def igamma(a: Any, x: Any) -> Array:
    """Elementwise regularized lower incomplete gamma function P(a, x).

    Example:
      >>> from fungrad import lax
      >>> lax.igamma(1.0, 1.0)
      Array(0.63212055, dtype=float32, weak_type=True)
    """
    return igamma_p.bind(*lift_pair("igamma", a, x))


def igammac(a: Any, x: Any) -> Array:
    """Elementwise regularized upper incomplete gamma function ``1 - igamma(a, x)``, accurate for large ``x``.

    Example:
      >>> from fungrad import lax
      >>> lax.igammac(1.0, 0.0)
      Array(1., dtype=float32, weak_type=True)
    """
    return igammac_p.bind(*lift_pair("igammac", a, x))


def igamma_grad_a(a: Any, x: Any) -> Array:
    """Elementwise derivative of ``igamma(a, x)`` with respect to ``a``.

    Example:
      >>> from fungrad import lax
      >>> import fungrad.numpy as jnp
      >>> lax.igamma_grad_a(2.0, 1.0)
      Array(-0.27619603, dtype=float32, weak_type=True)
    """
    return igamma_grad_a_p.bind(*lift_pair("igamma_grad_a", a, x))


def random_gamma_grad(a: Any, x: Any) -> Array:
    """Elementwise derivative with respect to ``a`` of a sample ``x`` of the gamma distribution with parameter ``a``.

    The sample moves so that its probability ``igamma(a, x)`` stays (implicit reparameterization: M.
    Figurnov, S. Mohamed, A. Mnih, "Implicit reparameterization gradients", 2018). Differentiable itself: once with
    respect to ``a``, and as often as wanted with respect to ``x``.

    Example:
      >>> from fungrad import lax
      >>> import fungrad.numpy as jnp
      >>> lax.random_gamma_grad(2.0, 1.0)
      Array(0.7507787, dtype=float32, weak_type=True)
    """
    return random_gamma_grad_p.bind(*lift_pair("random_gamma_grad", a, x))


def random_gamma_grad_a(a: Any, x: Any) -> Array:
    """Elementwise derivative of ``random_gamma_grad(a, x)`` with respect to ``a``, at a fixed ``x``."""
    return random_gamma_grad_a_p.bind(*lift_pair("random_gamma_grad_a", a, x))


def random_gamma_grad_x(a: Any, x: Any) -> Array:
    """Elementwise derivative of ``random_gamma_grad(a, x)`` with respect to ``x``."""
    return random_gamma_grad_x_p.bind(*lift_pair("random_gamma_grad_x", a, x))


# -- incomplete beta -----------------------------------------------------------------------------


def _betainc_jvp(g: Any, z: Any, a: Any, b: Any, x: Any) -> Array:
    log_beta = sub(add(lgamma(a), lgamma(b)), lgamma(add(a, b)))
    log_power = add(mul(sub(b, 1.0), log1p(neg(x))), mul(sub(a, 1.0), log(x)))
    return mul(g, exp(sub(log_power, log_beta)))


def _betainc(a: np.ndarray, b: np.ndarray, x: np.ndarray) -> Any:
    # In float32, SciPy loses digits where results are small.
    return scipy_function("betainc")(*[v.astype(np.float64) for v in (a, b, x)]).astype(a.dtype)


regularized_incomplete_beta_p = Elementwise(
    "regularized_incomplete_beta",
    _betainc,
    FLOAT,
    (no_derivative("betainc", "a"), no_derivative("betainc", "b"), _betainc_jvp),
    arity=3,
    cost=100,
)


def betainc(a: Any, b: Any, x: Any) -> Array:
    """Elementwise regularized incomplete beta function; differentiable with respect to ``x`` only.

    Example:
      >>> from fungrad import lax
      >>> lax.betainc(1.0, 1.0, 0.25)
      Array(0.25, dtype=float32, weak_type=True)
    """
    operands = lift_like("betainc", (a, b, x), ("a", "b", "x"))
    return regularized_incomplete_beta_p.bind(*operands)


# -- Bessel functions ----------------------------------------------------------------------------


def _i1e_jvp(g: Any, x: Any, y: Any) -> Array:
    # 1/x is not defined at 0, where the slope is 1/2.
    tiny = constant(x, float(dtypes.finfo(x.aval.dtype).eps))
    regular = gt(abs(x), tiny)
    safe = select_n(regular, tiny, x)
    slope = sub(bessel_i0e(safe), mul(y, add(sign(safe), reciprocal(safe))))
    return mul(g, select_n(regular, constant(x, 0.5), slope))


bessel_i0e_p = Elementwise(
    "bessel_i0e",
    _impl("i0e"),
    FLOAT,
    partial=lambda m, x, y: m.sub(m.bessel_i1e(x), m.mul(m.sign(x), y)),
)
bessel_i1e_p = Elementwise("bessel_i1e", _impl("i1e"), FLOAT, _i1e_jvp)


def bessel_i0e(x: Any) -> Array:
    """Elementwise modified Bessel function of order 0, times ``exp(-abs(x))``.

    Example:
      >>> from fungrad import lax
      >>> lax.bessel_i0e(0.0)
      Array(1., dtype=float32, weak_type=True)
    """
    return bessel_i0e_p.bind(lift(x, "fungrad.lax.bessel_i0e: x"))


def bessel_i1e(x: Any) -> Array:
    """Elementwise modified Bessel function of order 1, times ``exp(-abs(x))``.

    Example:
      >>> from fungrad import lax
      >>> lax.bessel_i1e(0.0)
      Array(0., dtype=float32, weak_type=True)
    """
    return bessel_i1e_p.bind(lift(x, "fungrad.lax.bessel_i1e: x"))
