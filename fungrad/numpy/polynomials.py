"""Polynomials by their roots, division of polynomials, and fits.

Coefficients are vectors, that of the highest power first.

May import ``core``, ``ops``, ``control`` and the modules of ``numpy``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fungrad.control.scan import scan
from fungrad.core import dtypes
from fungrad.core.arguments import index
from fungrad.core.array import Array
from fungrad.numpy import creation, ufuncs
from fungrad.numpy._promotion import cast, inexact, operand, promote_dtypes_inexact, raw_operand
from fungrad.numpy.grids import vander
from fungrad.numpy.indexing import take
from fungrad.numpy.linalg import eigvals, inv, lstsq
from fungrad.numpy.linear import dot, outer
from fungrad.numpy.manipulation import atleast_1d, expand_dims, roll
from fungrad.numpy.reductions import all, argmax, sum
from fungrad.numpy.selection import where
from fungrad.numpy.sorting import argsort
from fungrad.ops import joining, shape as shape_ops


def poly(seq_of_zeros: Any) -> Array:
    """The coefficients of the polynomial with given roots, or the characteristic polynomial of a matrix.

    Args:
      seq_of_zeros: vector of roots (a scalar is one root), or a square matrix.

    Returns:
      Vector of coefficients, complex if the roots are complex or those of a matrix.

    Raises:
      ValueError: ``seq_of_zeros`` is neither.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.poly(jnp.array([1, 2, 3]))
      Array([ 1., -6., 11., -6.], dtype=float32)
    """
    x = atleast_1d(inexact(operand(seq_of_zeros, "poly", "seq_of_zeros"), "poly"))
    shape = x.aval.shape
    if len(shape) == 2 and shape[0] == shape[1] and shape[0]:
        x = eigvals(x)
    if x.aval.ndim != 1:
        raise ValueError(
            f"fungrad.numpy.poly: seq_of_zeros must be a vector or a square matrix, got {x.aval.str_short()}"
        )
    if not x.aval.shape[0]:
        return creation.ones((), x.aval.dtype)
    out = creation.ones(1, x.aval.dtype)
    nothing = creation.zeros(1, x.aval.dtype)
    for root in joining.unstack(x):
        lower = joining.concatenate([nothing, ufuncs.multiply(out, root)], 0)
        out = ufuncs.subtract(joining.concatenate([out, nothing], 0), lower)
    return out


def roots(p: Any, *, strip_zeros: bool = True) -> Array:
    """The roots of a polynomial: the eigenvalues of its companion matrix.

    Args:
      p: coefficients.
      strip_zeros: leave out leading zeros, whose number must be known while tracing. Without, there is a NaN for each
        of them, at the end.

    Returns:
      Complex vector of the roots.

    Raises:
      ValueError: ``p`` is no vector.
      ConcretizationTypeError: coefficients are traced, and ``strip_zeros``.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.sort(jnp.roots(jnp.array([1.0, -3.0, 2.0]))).real
      Array([1., 2.], dtype=float32)
    """
    x = atleast_1d(inexact(operand(p, "roots", "p"), "roots"))
    if x.aval.ndim != 1:
        raise ValueError(f"fungrad.numpy.roots: p must be a vector of coefficients, got {x.aval.str_short()}")
    kind = dtypes.to_complex_dtype(x.aval.dtype)
    if strip_zeros:
        places = np.flatnonzero(x._known("roots() with strip_zeros=True (strip_zeros=False can be traced)"))
        if not places.size:
            return creation.zeros(0, kind)
        # Trailing zeros are roots at zero.
        last = int(places[-1]) + 1
        kept = shape_ops.slice_in_dim(x, int(places[0]), last)
        return joining.concatenate([_roots(kept, kind), creation.zeros(x.aval.shape[0] - last, kind)], 0)
    if x.aval.shape[0] < 2:
        return creation.zeros(0, kind)
    nothing = all(ufuncs.equal(x, 0))
    leading = where(nothing, x.aval.shape[0], argmax(ufuncs.not_equal(x, 0)))
    # Zeros that are moved to the end make roots at zero, the smallest.
    moved = where(nothing, 1, roll(x, ufuncs.negative(leading)))
    found = _roots(cast(moved, x.aval.dtype), kind)
    found = take(found, argsort(ufuncs.negative(ufuncs.absolute(found))), 0)
    count = found.aval.shape[0]
    undefined = ufuncs.greater_equal(shape_ops.iota(np.int32, count), ufuncs.subtract(count, leading))
    return where(undefined, complex(float("nan"), float("nan")), found)


def _roots(p: Array, kind: np.dtype) -> Array:
    """The roots of a polynomial whose first coefficient is not zero."""
    degree = p.aval.shape[0] - 1
    if degree < 1:
        return creation.zeros(0, kind)
    first = ufuncs.negative(
        ufuncs.divide(shape_ops.slice_in_dim(p, 1, None), shape_ops.index_in_dim(p, 0, 0, False))
    )
    below = creation.asarray(np.eye(degree - 1, degree), p.aval.dtype)
    return cast(eigvals(joining.concatenate([expand_dims(first, 0), below], 0)), kind)


def polydiv(u: Any, v: Any, *, trim_leading_zeros: bool = False) -> tuple[Array, Array]:
    """Quotient and remainder of the division of polynomials.

    Args:
      u: coefficients of the dividend.
      v: coefficients of the divisor, the first of which is not zero.
      trim_leading_zeros: leave out leading zeros of the remainder, whose values must be known then; else it is as long
        as ``u``.

    Returns:
      Quotient and remainder, of the common floating dtype.

    Raises:
      ValueError: an operand is no vector, or empty.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.polydiv(jnp.array([1.0, -3.0, 4.0]), jnp.array([1.0, -1.0]))
      (Array([ 1., -2.], dtype=float32), Array([0., 0., 2.], dtype=float32))
    """
    x, y = promote_dtypes_inexact("polydiv", raw_operand(u, "polydiv", "u"), raw_operand(v, "polydiv", "v"))
    for a, name in ((x, "u"), (y, "v")):
        if a.aval.ndim != 1 or not a.aval.shape[0]:
            raise ValueError(
                f"fungrad.numpy.polydiv: {name} must be a vector of at least one coefficient, got {a.aval.str_short()}"
            )
    steps, n = x.aval.shape[0] - y.aval.shape[0] + 1, y.aval.shape[0] - 1
    if steps < 1:
        quotient, rest = creation.zeros(1, x.aval.dtype), x
    else:
        lead, tail = shape_ops.index_in_dim(y, 0, 0, False), shape_ops.slice_in_dim(y, 1, None)

        def step(window: Array, following: Array) -> tuple[Array, Array]:
            # The coefficients that the divisor covers; its first one is taken away whole.
            window = joining.concatenate([window, expand_dims(following, 0)], 0)
            times = ufuncs.divide(shape_ops.index_in_dim(window, 0, 0, False), lead)
            return ufuncs.subtract(shape_ops.slice_in_dim(window, 1, None), ufuncs.multiply(times, tail)), times

        left, quotient = scan(step, shape_ops.slice_in_dim(x, 0, n), shape_ops.slice_in_dim(x, n, None))
        rest = joining.concatenate([creation.zeros(steps, x.aval.dtype), left], 0)
        quotient, rest = cast(quotient, x.aval.dtype), cast(rest, x.aval.dtype, x.aval.weak_type)
    if trim_leading_zeros:
        limit = float(dtypes.finfo(rest.aval.dtype).eps) ** 0.5
        places = np.flatnonzero(np.abs(rest._known("polydiv() with trim_leading_zeros=True")) > limit)
        rest = shape_ops.slice_in_dim(rest, int(places[0]) if places.size else rest.aval.shape[0] - 1, None)
    return quotient, rest


def polyfit(
    x: Any, y: Any, deg: int, rcond: float | None = None, full: bool = False, w: Any = None, cov: bool | str = False
) -> Any:
    """The polynomial that fits points best, by least squares.

    Args:
      x: vector of places.
      y: values at these, or a matrix with several sets of values as columns.
      deg: degree.
      rcond: singular values of the problem that are smaller, relative to the largest, count as zero; by default
        ``len(x)`` times the machine epsilon.
      full: return also what the solver has found out.
      w: weights of the points, by which their distances are multiplied.
      cov: return also the covariance of the coefficients, scaled by the mean squared distance (with ``"unscaled"``
        not); ignored with ``full``.

    Returns:
      Coefficients, of shape ``(deg + 1,)`` or with the columns of ``y`` as a second dimension. With ``full``, a tuple
      of these, the sums of squared distances, the rank, the singular values and ``rcond``. With ``cov``, a tuple of
      coefficients and covariances, for several sets along a third dimension.

    Raises:
      ValueError: ``deg`` is negative, or there are too few points for a scaled covariance.
      TypeError: shapes do not fit.

    Example:
      >>> import fungrad.numpy as jnp
      >>> x = jnp.arange(5.0)
      >>> jnp.polyfit(x, 3 * x + 1, 1).round(3)
      Array([3., 1.], dtype=float32)
    """
    degree = index("fungrad.numpy.polyfit", "deg", deg, 0)
    given = [raw_operand(x, "polyfit", "x"), raw_operand(y, "polyfit", "y")]
    if w is not None:
        given.append(raw_operand(w, "polyfit", "w"))
    places, values, *weights = promote_dtypes_inexact("polyfit", *given)
    if dtypes.is_complex(places.aval.dtype) and not [x for x in (given[0], *given[2:]) if np.iscomplexobj(x)]:
        # Only the values are complex: so are the coefficients, but not their covariance.
        places, *weights = [ufuncs.real(x) for x in (places, *weights)]
    if places.aval.ndim != 1 or not places.aval.shape[0]:
        raise TypeError(
            f"fungrad.numpy.polyfit: x must be a vector with at least one element, got {places.aval.str_short()}"
        )
    n = places.aval.shape[0]
    if values.aval.ndim not in (1, 2) or values.aval.shape[0] != n:
        raise TypeError(
            f"fungrad.numpy.polyfit: y must be a vector of {n} values or a matrix of {n} rows, one for each x, got "
            f"{values.aval.str_short()}"
        )
    if weights and weights[0].aval.shape != (n,):
        raise TypeError(
            f"fungrad.numpy.polyfit: w must be a vector of {n} weights, one for each x, got "
            f"{weights[0].aval.str_short()}"
        )
    if cov not in (False, True, "unscaled"):
        raise ValueError(f"fungrad.numpy.polyfit: cov must be False, True or 'unscaled', got {cov!r}")
    if cov is True and not full and n <= degree + 1:
        raise ValueError(
            f"fungrad.numpy.polyfit: a scaled covariance needs more points than coefficients, got {n} and "
            f"{degree + 1}; pass cov='unscaled'"
        )
    limit = n * float(dtypes.finfo(places.aval.dtype).eps) if rcond is None else float(rcond)
    powers = vander(places, degree + 1)
    if weights:
        column = expand_dims(weights[0], 1)
        powers = ufuncs.multiply(powers, column)
        values = ufuncs.multiply(values, column if values.aval.ndim == 2 else weights[0])
    # Columns of length 1 make the problem better conditioned.
    scale = ufuncs.sqrt(sum(ufuncs.square(powers), 0))
    powers = ufuncs.divide(powers, scale)
    found, distances, rank, singular = lstsq(powers, values, limit)
    found = ufuncs.divide(found, scale if found.aval.ndim == 1 else expand_dims(scale, 1))
    if full:
        return found, distances, rank, singular, creation.asarray(limit)
    if not cov:
        return found
    covariance = ufuncs.divide(inv(dot(powers.T, powers)), outer(scale, scale))
    if cov != "unscaled":
        spread = ufuncs.divide(distances, n - degree - 1)
        if values.aval.ndim == 2:
            return found, ufuncs.multiply(expand_dims(covariance, 2), spread)
        return found, ufuncs.multiply(covariance, spread)
    return found, covariance if values.aval.ndim == 1 else expand_dims(covariance, 2)


__all__ = ["poly", "polydiv", "polyfit", "roots"]
