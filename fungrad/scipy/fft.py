"""Discrete cosine transforms, under the names of ``jax.scipy.fft``.

May import ``core``, ``ops``, ``fungrad.numpy`` and ``scipy._operands``.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

import fungrad.numpy as jnp
from fungrad import lax
from fungrad.core import dtypes
from fungrad.core.array import Array
from fungrad.core.public_names import publish
from fungrad.ops.shape import canonical_axis
from fungrad.scipy._operands import at_least_single, inexact, is_complex


def _check(api: str, type: int, norm: str | None) -> None:
    if operator.index(type) != 2:
        raise NotImplementedError(f"fungrad.scipy.fft.{api}: type must be 2, got {type}")
    if norm is not None and norm not in ("backward", "ortho"):
        raise ValueError(f"fungrad.scipy.fft.{api}: norm must be None, 'backward' or 'ortho', got {norm!r}")


def _sized(api: str, x: Array, axes: Sequence[int], sizes: Sequence[Any] | None) -> Array:
    """``x`` cropped, or padded with zeros, at the ends of some axes."""
    if sizes is None:
        return x
    config = [(0, 0, 0)] * x.ndim
    for axis, n in zip(axes, sizes, strict=True):
        n = operator.index(n)
        if n < 1:
            raise ValueError(f"fungrad.scipy.fft.{api}: lengths must be positive, got {n}")
        config[axis] = (0, n - x.shape[axis], 0)
    return lax.pad(x, jnp.zeros((), x.dtype), config)


def _column(values: np.ndarray, x: Array, axis: int) -> Any:
    """Constants along one axis of ``x``, in its precision."""
    shape = [1] * x.ndim
    shape[axis] = -1
    dtype = dtypes.to_complex_dtype(x.dtype) if np.iscomplexobj(values) else x.real.dtype
    return jnp.asarray(values.reshape(shape), dtype)


def _ortho(n: int) -> np.ndarray:
    """What makes the transform of length ``n`` orthogonal."""
    factors = np.full(n, math.sqrt(1 / (2 * n)) if n else 0.0)
    factors[:1] = math.sqrt(1 / (4 * n)) if n else 0.0
    return factors


def _quarters(n: int) -> np.ndarray:
    """``exp(-i pi k / (2 n))`` for the first half of ``k < n`` and the middle."""
    k = np.arange(n // 2 + 1)
    return np.exp(-0.5j * np.pi * k / n)


def _forward(x: Array, axis: int, norm: str | None) -> Array:
    """The transform of real numbers along one axis."""
    n = x.shape[axis]
    if x.size == 0:
        return x
    even = lax.slice_in_dim(x, 0, n, 2, axis)
    odd = lax.slice_in_dim(x, min(1, n), n, 2, axis)
    half = jnp.fft.rfft(jnp.concatenate([even, jnp.flip(odd, axis)], axis), axis=axis)
    turned = 2 * half * _column(_quarters(n), half, axis)
    # The other results are minus the imaginary parts, in reverse.
    rest = jnp.flip(lax.slice_in_dim(turned, 1, (n + 1) // 2, 1, axis), axis) if n > 2 else None
    out = turned.real if rest is None else jnp.concatenate([turned.real, -rest.imag], axis)
    return out * _column(_ortho(n), out, axis) if norm == "ortho" else out


def _inverse(x: Array, axis: int, norm: str | None) -> Array:
    """Inverse of ``_forward``."""
    n = x.shape[axis]
    if x.size == 0:
        return x
    if norm == "ortho":
        x = x * _column(1 / _ortho(n), x, axis)
    half = lax.slice_in_dim(x, 0, n // 2 + 1, 1, axis) if n > 1 else x
    # Element n - k beside element k; nothing beside element 0.
    beside = jnp.flip(lax.slice_in_dim(x, n - n // 2, n, 1, axis), axis)
    beside = jnp.concatenate([jnp.zeros_like(lax.slice_in_dim(x, 0, 1, 1, axis)), beside], axis)
    turns = 0.5 * _quarters(n)[: half.shape[axis]].conj()
    spectrum = lax.complex(half, -beside) * _column(turns, half, axis)
    v = jnp.fft.irfft(spectrum, n, axis)
    middle = (n + 1) // 2
    even = lax.slice_in_dim(v, 0, middle, 1, axis)
    odd = jnp.flip(lax.slice_in_dim(v, middle, n, 1, axis), axis)
    config = [[(0, 0, 0)] * x.ndim for _ in range(2)]
    # Each spread over every second place; an even length leaves one more behind.
    config[0][axis] = (0, 1 - n % 2, 1)
    config[1][axis] = (1, n % 2, 1)
    zero = jnp.zeros((), v.dtype)
    spread = [lax.pad(part, zero, c) for part, c in zip((even, odd), config, strict=True)] if n > 1 else [even]
    return spread[0] + spread[1] if n > 1 else spread[0]


def _along(x: Array, axes: Sequence[int], norm: str | None, inverse: bool) -> Array:
    if is_complex(x):
        return lax.complex(_along(x.real, axes, norm, inverse), _along(x.imag, axes, norm, inverse))
    for axis in axes:
        x = _inverse(x, axis, norm) if inverse else _forward(x, axis, norm)
    return x


def _one(api: str, x: Any, type: int, n: int | None, axis: int, norm: str | None) -> Array:
    x = at_least_single(inexact(f"fft.{api}", "x", x))
    _check(api, type, norm)
    axis = canonical_axis(f"fungrad.scipy.fft.{api}", axis, x.ndim)
    x = _sized(api, x, [axis], None if n is None else [n])
    return _along(x, [axis], norm, api == "idct")


def _several(api: str, x: Any, type: int, s: Any, axes: Sequence[int] | int | None, norm: str | None) -> Array:
    x = at_least_single(inexact(f"fft.{api}", "x", x))
    _check(api, type, norm)
    full = f"fungrad.scipy.fft.{api}"
    sizes = None if s is None else list(s) if isinstance(s, (tuple, list)) else [operator.index(s)]
    if sizes is not None and len(sizes) > x.ndim:
        raise ValueError(f"{full}: s must have at most one entry per dimension of x, got {len(sizes)} for {x.ndim}")
    if axes is None:
        axes = range(x.ndim - len(sizes), x.ndim) if sizes is not None else range(x.ndim)
    given = [axes] if isinstance(axes, int) else list(axes)
    where = [canonical_axis(full, axis, x.ndim) for axis in given]
    if len(set(where)) != len(where):
        raise ValueError(f"{full}: axes must not repeat, got {given}")
    if sizes is not None and len(sizes) != len(where):
        raise ValueError(f"{full}: s and axes must have as many entries, got {len(sizes)} and {len(where)}")
    return _along(_sized(api, x, where, sizes), where, norm, api == "idctn")


def dct(x: Any, type: int = 2, n: int | None = None, axis: int = -1, norm: str | None = None) -> Array:
    """Discrete cosine transform, ``y[k] = 2 sum(x[j] cos(pi k (2 j + 1) / (2 n)) for j < n)``.

    Args:
      x: numbers; real and imaginary parts are transformed each.
      type: must be 2.
      n: length of the transform; ``x`` is cropped, or padded with zeros, at its end. Default is the length of the axis.
      axis: along which axis.
      norm: ``"ortho"`` makes the transform orthogonal; None and ``"backward"`` divide its inverse only.

    Returns:
      The transform, in the precision of ``x``, at least single.

    Raises:
      NotImplementedError: another ``type``.
      ValueError: the axis does not exist, ``n`` is not positive, or there is no such ``norm``.

    References:
      Makhoul, A fast cosine transform in one and two dimensions, 1980.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad.scipy import fft
      >>> print(fft.dct(jnp.array([1.0, 2.0, 4.0]), norm="ortho").round(3))
      [ 4.041 -2.121  0.408]
    """
    return _one("dct", x, type, n, axis, norm)


def idct(x: Any, type: int = 2, n: int | None = None, axis: int = -1, norm: str | None = None) -> Array:
    """Inverse of ``dct``; arguments and errors are the same.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad.scipy import fft
      >>> print(fft.idct(fft.dct(jnp.array([1.0, 2.0, 4.0]))).round(3))
      [1. 2. 4.]
    """
    return _one("idct", x, type, n, axis, norm)


def dctn(
    x: Any, type: int = 2, s: int | Sequence[int] | None = None, axes: int | Sequence[int] | None = None,
    norm: str | None = None,
) -> Array:  # fmt: skip
    """Discrete cosine transform along several axes.

    Args:
      x: numbers; real and imaginary parts are transformed each.
      type: must be 2.
      s: length along each axis; ``x`` is cropped, or padded with zeros, at its ends. Default is its shape.
      axes: along which axes, default the last ``len(s)``, or all.
      norm: as of ``dct``.

    Raises:
      NotImplementedError: another ``type``.
      ValueError: an axis does not exist or repeats, a length is not positive, there are not as many axes as lengths, or
        there is no such ``norm``.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad.scipy import fft
      >>> print(fft.dctn(jnp.ones((2, 2)), norm="ortho").round(3))
      [[2. 0.]
       [0. 0.]]
    """
    return _several("dctn", x, type, s, axes, norm)


def idctn(
    x: Any, type: int = 2, s: int | Sequence[int] | None = None, axes: int | Sequence[int] | None = None,
    norm: str | None = None,
) -> Array:  # fmt: skip
    """Inverse of ``dctn``; arguments and errors are the same.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad.scipy import fft
      >>> print(fft.idctn(fft.dctn(jnp.array([[1.0, 2.0], [3.0, 4.0]]))).round(3))
      [[1. 2.]
       [3. 4.]]
    """
    return _several("idctn", x, type, s, axes, norm)


__all__ = ["dct", "dctn", "idct", "idctn"]

publish(globals(), __name__, __all__)
