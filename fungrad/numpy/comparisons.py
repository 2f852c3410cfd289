"""Comparison of whole arrays, and tests of elements.

May import ``core``, ``ops``, ``numpy._promotion`` and the modules of ``numpy`` before it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fungrad.core import dtypes
from fungrad.core.array import Array
from fungrad.numpy import creation, reductions, sorting, ufuncs
from fungrad.numpy._promotion import (
    ScalarRangeError,
    broadcast_shapes,
    cast,
    converted,
    operand,
    promote_dtypes,
    promote_pair_inexact,
    raw_operand,
)
from fungrad.numpy.manipulation import expand_dims, ravel, reshape, take_1d
from fungrad.numpy.selection import where
from fungrad.ops.complex_parts import complex as make_complex


def isclose(a: Any, b: Any, rtol: Any = 1e-05, atol: Any = 1e-08, equal_nan: bool = False) -> Array:
    """Whether ``|a - b| <= atol + rtol * |b|``, for each element.

    Args:
      a: array.
      b: array.
      rtol: tolerance relative to ``b``.
      atol: absolute tolerance.
      equal_nan: whether NaN is close to NaN.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.isclose(jnp.array([1.0, 2.0]), jnp.array([1.0, 2.1]))
      Array([ True, False], dtype=bool)
    """
    if any(isinstance(x, Array) and dtypes.is_key(x.aval.dtype) for x in (a, b)):
        return ufuncs.equal(a, b)  # keys are near only if they are equal
    x, y = promote_pair_inexact("isclose", raw_operand(a, "isclose", "a"), raw_operand(b, "isclose", "b"))
    real = dtypes.to_real_dtype(x.aval.dtype)
    rtol, atol = (converted(t, real, "isclose", n) for t, n in ((rtol, "rtol"), (atol, "atol")))
    apart = ufuncs.absolute(ufuncs.subtract(x, y))
    near = ufuncs.less_equal(apart, ufuncs.add(atol, ufuncs.multiply(rtol, ufuncs.absolute(y))))
    # Infinities are close only to themselves.
    out = ufuncs.logical_or(ufuncs.logical_and(near, ufuncs.isfinite(y)), ufuncs.equal(x, y))
    if equal_nan:
        out = ufuncs.logical_or(out, ufuncs.logical_and(ufuncs.isnan(x), ufuncs.isnan(y)))
    return cast(out, dtypes.bool_)


def allclose(a: Any, b: Any, rtol: Any = 1e-05, atol: Any = 1e-08, equal_nan: bool = False) -> Array:
    """Whether all elements are close; see ``isclose``.

    Example:
      >>> import fungrad.numpy as jnp
      >>> bool(jnp.allclose(jnp.array([1.0, 2.0]), jnp.array([1.0, 2.0 + 1e-6])))
      True
    """
    return reductions.all(isclose(a, b, rtol, atol, equal_nan))


def array_equal(a1: Any, a2: Any, equal_nan: bool = False) -> Array:
    """Whether two arrays have one shape and equal elements.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.array_equal(jnp.arange(2), jnp.arange(3))
      Array(False, dtype=bool)
    """
    x, y = _comparable(a1), _comparable(a2)
    if x is None or y is None or x.aval.shape != y.aval.shape:
        return creation.asarray(False)
    same = ufuncs.equal(x, y)
    if equal_nan:
        same = ufuncs.logical_or(same, ufuncs.logical_and(ufuncs.isnan(x), ufuncs.isnan(y)))
    return reductions.all(same)


def array_equiv(a1: Any, a2: Any) -> Array:
    """Whether two arrays broadcast to one shape with equal elements.

    Example:
      >>> import fungrad.numpy as jnp
      >>> bool(jnp.array_equiv(jnp.array([1, 1]), 1))
      True
    """
    x, y = _comparable(a1), _comparable(a2)
    if x is None or y is None:
        return creation.asarray(False)
    try:
        broadcast_shapes(x.aval.shape, y.aval.shape)
    except ValueError:
        return creation.asarray(False)
    return reductions.all(ufuncs.equal(x, y))


def _comparable(x: Any) -> Array | None:
    """``x`` as an array; None if it is none."""
    try:
        return creation.asarray(x)
    except TypeError:
        return None


def isreal(x: Any) -> Array:
    """Whether the imaginary part is zero, for each element.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.isreal(jnp.array([1 + 0j, 1j]))
      Array([ True, False], dtype=bool)
    """
    return ufuncs.equal(ufuncs.imag(x), False)  # beside which booleans are no numbers


def iscomplex(x: Any) -> Array:
    """Whether the imaginary part is not zero, for each element.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.iscomplex(jnp.array([1 + 0j, 1j]))
      Array([False,  True], dtype=bool)
    """
    return ufuncs.not_equal(ufuncs.imag(x), False)


def nan_to_num(x: Any, copy: bool = True, nan: Any = 0.0, posinf: Any = None, neginf: Any = None) -> Array:
    """Elements with NaN and infinities replaced by numbers.

    Args:
      x: array.
      copy: ignored.
      nan: what replaces NaN.
      posinf: what replaces infinity, by default the largest number of the dtype.
      neginf: what replaces negative infinity, by default the lowest number.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.nan_to_num(jnp.array([jnp.nan, jnp.inf, 1.0]), posinf=9.0)
      Array([0., 9., 1.], dtype=float32)
    """
    x = operand(x, "nan_to_num", "x")
    dtype = x.aval.dtype
    if not dtypes.is_inexact(dtype):
        return x
    if dtypes.is_complex(dtype):
        parts = [nan_to_num(p, nan=nan, posinf=posinf, neginf=neginf) for p in (ufuncs.real(x), ufuncs.imag(x))]
        return make_complex(*parts)
    info = dtypes.finfo(dtype)
    replacements = (
        (ufuncs.isnan, nan),
        (ufuncs.isposinf, info.max if posinf is None else posinf),
        (ufuncs.isneginf, info.min if neginf is None else neginf),
    )
    for test, value in replacements:
        x = where(test(x), cast(creation.asarray(value, dtype), dtype, x.aval.weak_type), x)
    return cast(x, dtype)


def isin(
    element: Any, test_elements: Any, assume_unique: bool = False, invert: bool = False, *, method: str = "auto"
) -> Array:
    """Whether each element is one of some test elements.

    Args:
      element: array.
      test_elements: array.
      assume_unique: ignored.
      invert: return the opposite.
      method: ``compare_all``, ``binary_search``, ``sort``, or ``auto``; the result is the same.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.isin(jnp.arange(4), jnp.array([1, 3]))
      Array([False,  True, False,  True], dtype=bool)
    """
    if method not in ("auto", "compare_all", "binary_search", "sort"):
        raise ValueError(
            f"fungrad.numpy.isin: method must be 'auto', 'compare_all', 'binary_search' or 'sort', got {method!r}"
        )
    x, tests = raw_operand(element, "isin", "element"), raw_operand(test_elements, "isin", "test_elements")
    try:
        x, tests = promote_dtypes("isin", x, tests)
    except ScalarRangeError:
        # A number that no element of the other array can be.
        return creation.full(np.shape(x), bool(invert))
    tests = ravel(tests)
    n = tests.aval.shape[0]
    if n == 0:
        found = creation.zeros(x.aval.shape, bool)
    elif method == "compare_all" or method == "auto" and (n <= 16 or dtypes.is_complex(x.aval.dtype)):
        found = reductions.any(ufuncs.equal(expand_dims(x, -1), reshape(tests, (1,) * x.aval.ndim + (n,))), -1)
    else:
        ordered = sorting.sort(tests)
        place = sorting.searchsorted(ordered, x, method="sort" if method == "sort" else "scan")
        found = ufuncs.equal(reshape(take_1d(ordered, ravel(ufuncs.minimum(place, n - 1)), 0), x.aval.shape), x)
    return ufuncs.logical_not(found) if invert else found


__all__ = ["allclose", "array_equal", "array_equiv", "isclose", "iscomplex", "isin", "isreal", "nan_to_num"]
