"""Derivative of the regularized lower incomplete gamma function P(a, x) by its parameter ``a``, in NumPy.

With the density p(a, x) = x^(a-1) exp(-x) / Gamma(a), all formulas here are for the quotient
(dP/da) / p, in which no exponential can overflow or underflow.  It is minus the derivative of a
gamma variate by its parameter, at a fixed probability.

The second order has two more functions: the derivatives of the slope of a variate by its parameter and by the variate.

Imports nothing from the package.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

_Formula = Callable[[np.ndarray, np.ndarray], np.ndarray]

# Above, both expansions need too many terms, and the normal approximation of Wilson and Hilferty
# (E. B. Wilson, M. M. Hilferty, "The distribution of chi-square", 1931) is right to about a**-1.5.
_LARGE = 1e5
_MAX_TERMS = 20_000
# Steps in a row without a change after which a fraction has converged.
_CALM = 4
_EPS = np.finfo(np.float64).eps


def parameter_slope(a: np.ndarray, x: np.ndarray) -> np.ndarray:
    """(dP/da) / p, elementwise, as float64.

    Args:
      a: parameter; NaN comes out where it is not positive.
      x: argument; NaN comes out where it is negative. 0 gives 0.
    """
    a, x = np.broadcast_arrays(np.asarray(a, np.float64), np.asarray(x, np.float64))
    return _by_region(a, x, _wilson_hilferty, _series, _fraction, 0.0)


def _by_region(
    a: np.ndarray, x: np.ndarray, at_large: _Formula, below: _Formula, above: _Formula, at_zero: float
) -> np.ndarray:
    """Formulas for large ``a``, and for ``x`` below and above ``a + 1``; a value for ``x`` = 0, and NaN elsewhere."""
    out = np.full(a.shape, np.nan)
    out[(a > 0) & (x == 0)] = at_zero
    valid = (a > 0) & np.isfinite(a) & (x > 0) & np.isfinite(x)
    large = valid & (a > _LARGE)
    series = valid & ~large & (x <= a + 1)
    fraction = valid & ~large & (x > a + 1)
    for where, formula in ((large, at_large), (series, below), (fraction, above)):
        if where.any():
            out[where] = formula(a[where], x[where])
    return out


def curvature(a: np.ndarray, x: np.ndarray) -> np.ndarray:
    """The derivative of ``parameter_slope`` by ``a``, elementwise, as float64."""
    a, x = np.broadcast_arrays(np.asarray(a, np.float64), np.asarray(x, np.float64))
    return _by_region(a, x, _wilson_hilferty_curvature, _series_curvature, _fraction_curvature, 0.0)


def variate_slope(a: np.ndarray, x: np.ndarray) -> np.ndarray:
    """The derivative of ``parameter_slope`` by ``x``, elementwise, as float64.

    Since (dP/da) / p = r and the density is p, it is log(x) - digamma(a) - r ((a - 1) / x - 1).
    """
    a, x = np.broadcast_arrays(np.asarray(a, np.float64), np.asarray(x, np.float64))

    def formula(a: np.ndarray, x: np.ndarray) -> np.ndarray:
        return np.log(x) - _digamma(a) - parameter_slope(a, x) * ((a - 1) / x - 1)

    return _by_region(a, x, _wilson_hilferty_slope, formula, formula, -np.inf)


def density(a: np.ndarray, x: np.ndarray) -> np.ndarray:
    """p(a, x), elementwise, as float64."""
    from scipy import special

    a, x = np.asarray(a, np.float64), np.asarray(x, np.float64)
    return np.exp(special.xlogy(a - 1, x) - x - special.gammaln(a))


def _digamma(a: np.ndarray) -> np.ndarray:
    from scipy import special

    return special.psi(a)


def _trigamma(a: np.ndarray) -> np.ndarray:
    from scipy import special

    return special.zeta(2.0, a)


def _series(a: np.ndarray, x: np.ndarray) -> np.ndarray:
    """P = p x/a S with S = sum of c_n, c_0 = 1, c_n = c_(n-1) x / (a + n); d_n is the derivative of log c_n by a."""
    c = np.ones_like(a)
    d = np.zeros_like(a)
    total, slope = c.copy(), d.copy()
    for n in range(1, _MAX_TERMS):
        c *= x / (a + n)
        d -= 1 / (a + n)
        total += c
        term = c * d
        slope += term
        # c falls once a + n > x, and from then on faster than d grows.
        if n > 2 and np.all(np.abs(term) <= _EPS * np.abs(slope)):
            break
    return x / a * (total * (np.log(x) - _digamma(a + 1)) + slope)


def _series_curvature(a: np.ndarray, x: np.ndarray) -> np.ndarray:
    """The derivative of ``_series``: e_n is that of d_n, so that the second derivative of c_n is c_n (d_n^2 + e_n)."""
    c = np.ones_like(a)
    d, e = np.zeros_like(a), np.zeros_like(a)
    total, slope, second = c.copy(), d.copy(), e.copy()
    for n in range(1, _MAX_TERMS):
        c *= x / (a + n)
        d -= 1 / (a + n)
        e += 1 / (a + n) ** 2
        total += c
        slope += c * d
        term = c * (d * d + e)
        second += term
        if n > 2 and np.all(term <= _EPS * second):
            break
    log = np.log(x) - _digamma(a + 1)
    return x / a * (slope * log - total * _trigamma(a + 1) + second - (total * log + slope) / a)


def _fraction(a: np.ndarray, x: np.ndarray) -> np.ndarray:
    """1 - P = p x F with the continued fraction F = 1/(x+1-a - 1(1-a)/(x+3-a - 2(2-a)/(x+5-a - ...))).

    Numerators and denominators of the convergents follow a recurrence, and so do their derivatives
    by ``a``, marked by ``d``.
    """
    one, zero = np.ones_like(a), np.zeros_like(a)
    den1 = x + 1 - a
    state = np.stack([zero, one, one, den1, zero, zero, zero, -one, one / den1, one / den1**2])
    values, slopes = state[-2].copy(), state[-1].copy()
    # The elements that have not converged, and for how many steps each of them has stood still.
    live, at, x_at, calm = np.arange(a.size), a, x, np.zeros(a.size, int)
    for n in range(1, _MAX_TERMS):
        state, still = _next_convergent(n, at, x_at, state)
        calm = np.where(still, 0, calm + 1)
        done = calm == _CALM
        if done.any() or n == _MAX_TERMS - 1:
            values[live], slopes[live] = state[-2:]
            live, at, x_at, calm, state = live[~done], at[~done], x_at[~done], calm[~done], state[:, ~done]
            if not live.size:
                break
    return -x * (values * (np.log(x) - _digamma(a)) + slopes)


def _next_convergent(n: int, a: np.ndarray, x: np.ndarray, state: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The state after one more term, and which elements still move."""
    num0, num1, den0, den1, dnum0, dnum1, dden0, dden1, value, slope = state
    up, across = -n * (n - a), x + 2 * n + 1 - a
    num2, den2 = across * num1 + up * num0, across * den1 + up * den0
    dnum2 = across * dnum1 - num1 + up * dnum0 + n * num0
    dden2 = across * dden1 - den1 + up * dden0 + n * den0
    # Everything is homogeneous in the convergents: dividing by the size of the latest prevents overflow.
    scale = np.abs(den2)
    scale[scale == 0] = 1.0
    moved = np.stack([num1, num2, den1, den2, dnum1, dnum2, dden1, dden2]) / scale
    new = moved[1] / moved[3]
    part = moved[5] / moved[3]
    new_slope = part - new * moved[7] / moved[3]
    still = np.abs(new - value) > 2 * _EPS * np.abs(new)
    # The two parts cancel in most digits: their rounding, not that of the slope, is what remains at the end.
    # Slopes may stand still where they turn round: several must agree.
    still |= np.abs(new_slope - slope) > 4 * _EPS * np.abs(part)
    return np.concatenate([moved, new[None], new_slope[None]]), still


def _fraction_curvature(a: np.ndarray, x: np.ndarray) -> np.ndarray:
    """The derivative of ``_fraction``; the convergents have second derivatives besides."""
    one, zero = np.ones_like(a), np.zeros_like(a)
    den1 = x + 1 - a
    state = np.stack([zero, one, one, den1, zero, zero, zero, -one, zero, zero, zero, zero])
    limit = np.stack([one / den1, one / den1**2, 2 / den1**3])
    found = limit.copy()
    live, at, x_at, calm = np.arange(a.size), a, x, np.zeros(a.size, int)
    for n in range(1, _MAX_TERMS):
        num0, num1, den0, den1, dnum0, dnum1, dden0, dden1, snum0, snum1, sden0, sden1 = state
        up, across = -n * (n - at), x_at + 2 * n + 1 - at
        state = np.stack([
            num1, across * num1 + up * num0,
            den1, across * den1 + up * den0,
            dnum1, across * dnum1 - num1 + up * dnum0 + n * num0,
            dden1, across * dden1 - den1 + up * dden0 + n * den0,
            snum1, across * snum1 - 2 * dnum1 + up * snum0 + 2 * n * dnum0,
            sden1, across * sden1 - 2 * dden1 + up * sden0 + 2 * n * dden0,
        ])  # fmt: skip
        scale = np.abs(state[3])
        scale[scale == 0] = 1.0
        state = state / scale
        den = state[3]
        value = state[1] / den
        slope = (state[5] - value * state[7]) / den
        part = state[9] / den
        before, limit = limit, np.stack([value, slope, part - (2 * slope * state[7] + value * state[11]) / den])
        moved = np.abs(limit - before)
        still = (moved[0] > 2 * _EPS * np.abs(value)) | (moved[1] > 4 * _EPS * np.abs(state[5] / den))
        still |= moved[2] > 8 * _EPS * np.abs(part)
        calm = np.where(still, 0, calm + 1)
        done = calm == _CALM
        if done.any() or n == _MAX_TERMS - 1:
            found[:, live] = limit
            live, at, x_at, calm = live[~done], at[~done], x_at[~done], calm[~done]
            state, limit = state[:, ~done], limit[:, ~done]
            if not live.size:
                break
    value, slope, second = found
    return -x * (slope * (np.log(x) - _digamma(a)) - value * _trigamma(a) + second)


def _wilson_hilferty(a: np.ndarray, x: np.ndarray) -> np.ndarray:
    """x = a (1 - 1/(9a) + z / (3 sqrt a))^3 with a standard normal z: the derivative of x by a at fixed z, negated."""
    root = np.cbrt(x / a)
    return -(root**3 + root**2 * (1 / (3 * a) - 1.5 * (root - 1 + 1 / (9 * a))))


def _wilson_hilferty_slope(a: np.ndarray, x: np.ndarray) -> np.ndarray:
    """The derivative of ``_wilson_hilferty`` by ``x``."""
    root = np.cbrt(x / a)
    return root**2 / x * (0.5 * root - 1 - 1 / (9 * a))


def _wilson_hilferty_curvature(a: np.ndarray, x: np.ndarray) -> np.ndarray:
    """The derivative of ``_wilson_hilferty`` by ``a``."""
    root = np.cbrt(x / a)
    return root**2 / a * (1 - 0.5 * root + 5 / (18 * a))
