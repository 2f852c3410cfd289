"""Associated Legendre functions and spherical harmonics, by recurrences in the degree.

May import ``core``, ``control`` and ``fungrad.numpy``.
"""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np

import fungrad.numpy as jnp
from fungrad.control.while_loop import fori_loop
from fungrad.core.arguments import brief
from fungrad.core.array import Array, as_array
from fungrad.ops._operands import kind_of
from fungrad.scipy.special._base import real


def _degree(api: str, m: Any, n: Any, z: Any) -> tuple[int, Array]:
    sizes = []
    for name, value in (("m", m), ("n", n)):
        try:
            sizes.append(operator.index(value))
        except TypeError:
            raise TypeError(f"fungrad.scipy.special.{api}: {name} must be an int, got {brief(value)}") from None
        if sizes[-1] < 0:
            raise ValueError(f"fungrad.scipy.special.{api}: {name} must not be negative, got {value}")
    if sizes[0] != sizes[1]:
        raise NotImplementedError(f"fungrad.scipy.special.{api}: m and n must be equal, got m={m} and n={n}")
    points = real(z, api)
    if points.ndim != 1:
        raise ValueError(f"fungrad.scipy.special.{api}: z must be a vector, got {points.aval.str_short()}")
    return sizes[1], points


def _tables(last: int, z: Array, normalized: bool) -> tuple[Array, Array]:
    """P_l^m(z) and its derivative for 0 <= m <= l <= last, at ``[m, l]``; 0 elsewhere.

    With ``normalized`` they are multiplied by sqrt((2l + 1) (l - m)! / (4 pi (l + m)!)).
    """
    root = jnp.sqrt((1 - z) * (1 + z))
    zero = jnp.zeros_like(z)
    values = [[zero] * (last + 1) for _ in range(last + 1)]
    slopes = [[zero] * (last + 1) for _ in range(last + 1)]
    for m in range(last + 1):
        scale = math.sqrt((2 * m + 1) / (4 * math.pi)) if normalized else 1.0
        for k in range(1, m + 1):
            scale *= -math.sqrt((2 * k - 1) / (2 * k)) if normalized else -(2 * k - 1)
        values[m][m] = scale * root**m
        slopes[m][m] = -scale * m * z * (root ** (m - 2) if m >= 2 else 1 / root) if m else zero
        for l in range(m + 1, last + 1):
            if normalized:
                up = math.sqrt((4 * l * l - 1) / (l * l - m * m))
                down = up * math.sqrt(((l - 1) ** 2 - m * m) / (4 * (l - 1) ** 2 - 1))
            else:
                up, down = (2 * l - 1) / (l - m), (l + m - 1) / (l - m)
            lower = values[m][l - 2] if l >= m + 2 else zero
            lower_slope = slopes[m][l - 2] if l >= m + 2 else zero
            values[m][l] = up * z * values[m][l - 1] - down * lower
            slopes[m][l] = up * (values[m][l - 1] + z * slopes[m][l - 1]) - down * lower_slope
    return tuple(jnp.stack([jnp.stack(row) for row in table]) for table in (values, slopes))  # type: ignore[return-value]


def lpmn(m: int, n: int, z: Any) -> tuple[Array, Array]:
    """Associated Legendre functions of the first kind and their derivatives.

    Args:
      m: the greatest order, equal to ``n``.
      n: the greatest degree.
      z: vector of points in [-1, 1].

    Returns:
      Two arrays of shape ``(n + 1, n + 1, len(z))``: values and derivatives, by order, degree and point.

    Raises:
      TypeError: ``m`` or ``n`` is not an int, or ``z`` is complex.
      ValueError: ``z`` is not a vector, or ``n`` is negative.
      NotImplementedError: ``m`` and ``n`` differ.

    Example:
      >>> import numpy as np
      >>> from fungrad.scipy import special
      >>> values, slopes = special.lpmn(1, 1, np.float32([0.5]))
      >>> print(values[0, 1, 0], slopes[0, 1, 0])
      0.5 1.0
    """
    last, points = _degree("lpmn", m, n, z)
    return _tables(last, points, False)


def lpmn_values(m: int, n: int, z: Any, is_normalized: bool) -> Array:
    """Associated Legendre functions of the first kind.

    Args:
      m: the greatest order, equal to ``n``.
      n: the greatest degree.
      z: vector of points in [-1, 1].
      is_normalized: whether functions are scaled so that spherical harmonics are orthonormal.

    Returns:
      An array of shape ``(n + 1, n + 1, len(z))``, by order, degree and point.

    Raises:
      TypeError: ``m`` or ``n`` is not an int, or ``z`` is complex.
      ValueError: ``z`` is not a vector, or ``n`` is negative.
      NotImplementedError: ``m`` and ``n`` differ.

    Example:
      >>> import numpy as np
      >>> from fungrad.scipy import special
      >>> print(special.lpmn_values(2, 2, np.float32([0.5]), False)[0, 2, 0])
      -0.125
    """
    last, points = _degree("lpmn_values", m, n, z)
    return _tables(last, points, is_normalized)[0]


def sph_harm_y(n: Any, m: Any, theta: Any, phi: Any, diff_n: int | None = None, n_max: int | None = None) -> Array:
    """Spherical harmonics, orthonormal on the sphere.

    Differentiable with respect to both angles.

    Args:
      n: integer array of degrees.
      m: integer array of orders; 0 comes out where ``abs(m) > n``.
      theta: polar angle in [0, pi].
      phi: azimuth in [0, 2 pi].
      diff_n: must be None.
      n_max: the greatest degree, to be given where ``n`` is traced; greater degrees are taken for it.

    Returns:
      A complex array of the shape to which the operands broadcast, which has at least one dimension.

    Raises:
      TypeError: degrees or orders are not integers, or an angle is complex.
      ValueError: ``n`` is traced and ``n_max`` not given.
      NotImplementedError: ``diff_n`` is given.

    Example:
      >>> import numpy as np
      >>> from fungrad.scipy import special
      >>> print(special.sph_harm_y(np.array([0]), np.array([0]), 0.3, 0.4).real.round(4))
      [0.2821]
    """
    api = "fungrad.scipy.special.sph_harm_y"
    if diff_n is not None:
        raise NotImplementedError(f"{api}: diff_n is not supported; use fungrad.jvp or fungrad.grad")
    degree, order = as_array(n, f"{api}: n"), as_array(m, f"{api}: m")
    for name, x in (("n", degree), ("m", order)):
        if kind_of(x.aval.dtype) not in "iu":
            raise TypeError(f"{api}: {name} must be an integer array, got {x.aval.str_short()}")
    polar, azimuth = real(theta, "sph_harm_y"), real(phi, "sph_harm_y")
    dtype = jnp.promote_types(polar.dtype, azimuth.dtype)
    if n_max is None:
        try:
            n_max = int(np.max(np.asarray(degree), initial=0))
        except Exception as error:
            raise ValueError(f"{api}: n is traced, so n_max must be given: the greatest degree, an int") from error
    degree = jnp.minimum(degree, n_max)
    degree, order, polar, azimuth = jnp.broadcast_arrays(degree, order, jnp.atleast_1d(polar), azimuth)
    polar, azimuth = polar.astype(dtype), azimuth.astype(dtype)
    size = jnp.abs(order)
    # The associated Legendre functions are those of the cosine, as in SciPy: their sine is not negative.
    cosine, sine = jnp.cos(polar), jnp.sin(polar)
    sine = jnp.where(sine < 0, -sine, sine)

    def diagonal(k: Any, value: Any) -> Any:
        k = (k + 1).astype(dtype)
        return jnp.where(k <= size, -value * sine * jnp.sqrt((2 * k + 1) / (2 * k)), value)

    start = jnp.full(polar.shape, math.sqrt(1 / (4 * math.pi)), dtype)
    start = fori_loop(0, n_max, diagonal, start)
    squares = (size * size).astype(dtype)

    def upwards(k: Any, state: Any) -> Any:
        lower, value = state
        degree_k = (k + 1).astype(dtype)
        active = (k + 1 > size) & (k + 1 <= degree)
        gap = jnp.where(active, degree_k * degree_k - squares, 1.0)
        before = (degree_k - 1) ** 2
        up = jnp.sqrt((4 * degree_k * degree_k - 1) / gap)
        down = jnp.sqrt(jnp.where(active, before - squares, 0.0) / jnp.maximum(4 * before - 1, 1.0))
        new = up * (cosine * value - down * lower)
        return jnp.where(active, value, lower), jnp.where(active, new, value)

    _, value = fori_loop(0, n_max, upwards, (jnp.zeros_like(start), start))
    value = jnp.where(size <= degree, value, 0.0)
    odd = (size % 2 == 1) & (order < 0)
    value = jnp.where(odd, -value, value)
    angle = order.astype(dtype) * azimuth
    return value * (jnp.cos(angle) + 1j * jnp.sin(angle))
