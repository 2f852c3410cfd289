"""``fungrad.numpy.fft``: discrete Fourier transforms, under the names of ``jax.numpy.fft``.

Single precision stays single precision; integers and 16-bit floats are computed in single precision, 64-bit integers in
double. All functions have derivatives, and can be mapped and compiled.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from fungrad.core import dtypes
from fungrad.core.arguments import index
from fungrad.core.array import Array
from fungrad.core.dimensions import as_size
from fungrad.core.public_names import publish
from fungrad.numpy import ufuncs
from fungrad.numpy._promotion import converted, operand, requested_dtype
from fungrad.numpy.creation import arange
from fungrad.numpy.manipulation import moveaxis, roll
from fungrad.numpy.padding import pad
from fungrad.ops import fft as ops
from fungrad.ops.fft import FftType
from fungrad.ops.resharding import on_device
from fungrad.ops.shape import canonical_axis, slice as slice_of

_NORMS = ("backward", "ortho", "forward")


def _scale(name: str, norm: str | None, n: int, inverse: bool, divided: bool) -> float:
    """What the result of a transform over ``n`` elements is multiplied with.

    Args:
      name: of the function, for the error.
      norm: as of NumPy's functions.
      n: number of elements.
      inverse: whether the function divides by default.
      divided: whether the result has been divided by ``n``.
    """
    if norm is not None and norm not in _NORMS:
        raise ValueError(f"fungrad.numpy.fft.{name}: norm must be 'backward', 'ortho' or 'forward', got {norm!r}")
    n = max(n, 1)
    if norm == "ortho":
        return math.sqrt(n) if divided else 1 / math.sqrt(n)
    by_n = inverse if norm != "forward" else not inverse
    return (1.0 if by_n else float(n)) if divided else (1 / n if by_n else 1.0)


def _axes(name: str, ndim: int, s: Sequence[int] | None, axes: Sequence[int] | None) -> tuple[int, ...]:
    if axes is None:
        if s is not None and len(s) > ndim:
            raise ValueError(
                f"fungrad.numpy.fft.{name}: s must have at most one entry per dimension of a, got {len(s)} for {ndim}"
            )
        return tuple(range(0 if s is None else ndim - len(s), ndim))
    found = tuple([canonical_axis(f"fungrad.numpy.fft.{name}", axis, ndim) for axis in axes])
    if len(set(found)) != len(found):
        raise ValueError(f"fungrad.numpy.fft.{name}: axes must not repeat, got {tuple(axes)}")
    return found


def _resized(x: Array, axes: tuple[int, ...], sizes: tuple[int, ...]) -> Array:
    """``x`` cropped or padded with zeros at the ends of some axes."""
    shape = list(x.aval.shape)
    for axis, n in zip(axes, sizes, strict=True):
        shape[axis] = n
    if tuple(shape) == x.aval.shape:
        return x
    limits = [min(a, b) for a, b in zip(shape, x.aval.shape, strict=True)]
    x = slice_of(x, [0] * x.aval.ndim, limits)
    return pad(x, [(0, n - m) for n, m in zip(shape, limits, strict=True)])


def _transform(
    name: str, kind: FftType, a: Any, s: Sequence[int] | None, axes: Sequence[int] | None, norm: str | None,
    inverse: bool | None = None,
) -> Array:  # fmt: skip
    """The common part of all transforms; ``inverse`` says how ``norm`` is meant where the kind does not."""
    x = operand(a, f"fft.{name}", "a")
    if s is not None:
        s = tuple([as_size(n) for n in s])
        if min(s, default=1) < 1:
            raise ValueError(f"fungrad.numpy.fft.{name}: lengths must be positive, got {s if len(s) > 1 else s[0]}")
        if axes is not None and len(s) != len(axes):
            raise ValueError(
                f"fungrad.numpy.fft.{name}: s and axes must have as many entries, got {len(s)} and {len(axes)}"
            )
    where = _axes(name, x.aval.ndim, s, axes)
    if kind is FftType.RFFT and dtypes.is_complex(x.aval.dtype):
        advice = f"; {name[1:]} takes complex numbers" if name.startswith("r") else ""
        raise ValueError(f"fungrad.numpy.fft.{name}: a must be real, got {x.aval.str_short()}{advice}")
    if not where:
        return ops.fft(x, kind, ())
    real = kind is FftType.IRFFT
    if s is None:
        sizes = [x.aval.shape[axis] for axis in where]
        if real:
            sizes[-1] = max(0, 2 * (sizes[-1] - 1))
        lengths = tuple(sizes)
    else:
        lengths = s
        x = _resized(x, where, (*s[:-1], s[-1] // 2 + 1) if real else s)
    last = tuple(range(x.aval.ndim - len(where), x.aval.ndim))
    x = ops.fft(moveaxis(x, where, last), kind, lengths)
    divided = kind in (FftType.IFFT, FftType.IRFFT)
    scale = _scale(name, norm, math.prod(lengths), divided if inverse is None else inverse, divided)
    return moveaxis(x if scale == 1 else x * scale, last, where)


def _one(
    name: str, kind: FftType, a: Any, n: int | None, axis: int, norm: str | None, inverse: bool | None = None
) -> Array:
    if isinstance(axis, (tuple, list)):
        raise ValueError(f"fungrad.numpy.fft.{name}: axis must be one axis, got {axis}; {name}n takes several")
    return _transform(name, kind, a, None if n is None else [n], None if axis is None else [axis], norm, inverse)


def _two(name: str, kind: FftType, a: Any, s: Sequence[int] | None, axes: Sequence[int], norm: str | None) -> Array:
    if len(axes) != 2:
        raise ValueError(f"fungrad.numpy.fft.{name}: axes must be two axes, got {axes}; {name[:-1]}n takes any number")
    return _transform(name, kind, a, s, axes, norm)


# -- along one axis ----------------------------------------------------------------------------------------------------


def fft(a: Any, n: int | None = None, axis: int = -1, norm: str | None = None) -> Array:
    """Discrete Fourier transform along an axis, ``y[k] = sum(a[j] exp(-2 pi i j k / n) for j < n)``.

    Args:
      a: real or complex numbers.
      n: length of the transform; ``a`` is cropped, or padded with zeros, at its end. Default is the length of the axis.
      axis: along which axis.
      norm: ``"backward"`` (or None) divides the inverse transform by ``n``, ``"forward"`` the forward one, and
        ``"ortho"`` both by the square root of ``n``.

    Returns:
      Complex numbers of the precision of ``a``.

    Raises:
      ValueError: ``n`` is not positive, the axis does not exist, or there is no such ``norm``.

    References:
      Cooley and Tukey, An algorithm for the machine calculation of complex Fourier series, 1965.

    Example:
      >>> import fungrad.numpy as jnp
      >>> print(jnp.fft.fft(jnp.array([1.0, 2.0, 3.0, 2.0])))
      [ 8.+0.j -2.+0.j  0.+0.j -2.+0.j]
    """
    return _one("fft", FftType.FFT, a, n, axis, norm)


def ifft(a: Any, n: int | None = None, axis: int = -1, norm: str | None = None) -> Array:
    """Inverse of ``fft``, ``y[j] = sum(a[k] exp(2 pi i j k / n) for k < n) / n``; arguments and errors are the same.

    Example:
      >>> import fungrad.numpy as jnp
      >>> print(jnp.fft.ifft(jnp.array([8.0, -2.0, 0.0, -2.0])))
      [1.+0.j 2.+0.j 3.+0.j 2.+0.j]
    """
    return _one("ifft", FftType.IFFT, a, n, axis, norm)


def rfft(a: Any, n: int | None = None, axis: int = -1, norm: str | None = None) -> Array:
    """Discrete Fourier transform of real numbers: the first ``n // 2 + 1`` results, which determine the others.

    Args:
      a: real numbers.
      n: length of the transform; ``a`` is cropped, or padded with zeros, at its end. Default is the length of the axis.
      axis: along which axis.
      norm: as of ``fft``.

    Raises:
      ValueError: as of ``fft``, or ``a`` is complex.

    Example:
      >>> import fungrad.numpy as jnp
      >>> print(jnp.fft.rfft(jnp.array([1.0, 2.0, 3.0, 2.0])))
      [ 8.+0.j -2.+0.j  0.+0.j]
    """
    return _one("rfft", FftType.RFFT, a, n, axis, norm)


def irfft(a: Any, n: int | None = None, axis: int = -1, norm: str | None = None) -> Array:
    """Inverse of ``rfft``: real numbers from the first half of their transform.

    Args:
      a: complex numbers; the imaginary parts of the first and, for an even length, of the last are not read.
      n: length of the result, default ``2 * (m - 1)`` for an axis of length ``m``; of ``a`` the first ``n // 2 + 1``
        elements are used, or it is padded with zeros.
      axis: along which axis.
      norm: as of ``fft``.

    Raises:
      ValueError: as of ``fft``.

    Example:
      >>> import fungrad.numpy as jnp
      >>> print(jnp.fft.irfft(jnp.array([8.0, -2.0, 0.0])))
      [1. 2. 3. 2.]
    """
    return _one("irfft", FftType.IRFFT, a, n, axis, norm)


def hfft(a: Any, n: int | None = None, axis: int = -1, norm: str | None = None) -> Array:
    """Forward transform, which is real, of numbers with ``a[-j] = conj(a[j])``, given the first half of them.

    Args:
      a: complex numbers.
      n: length of the result, default ``2 * (m - 1)`` for an axis of length ``m``.
      axis: along which axis.
      norm: as of ``fft``.

    Raises:
      ValueError: as of ``fft``.

    Example:
      >>> import fungrad.numpy as jnp
      >>> print(jnp.fft.hfft(jnp.array([1.0, 2.0, 3.0])))
      [ 8. -2.  0. -2.]
    """
    return _one("hfft", FftType.IRFFT, ufuncs.conj(operand(a, "fft.hfft", "a")), n, axis, norm, False)


def ihfft(a: Any, n: int | None = None, axis: int = -1, norm: str | None = None) -> Array:
    """Inverse of ``hfft``: the first half of the inverse transform of real numbers.

    Args:
      a: real numbers.
      n: length of the transform, default the length of the axis.
      axis: along which axis.
      norm: as of ``fft``.

    Raises:
      ValueError: as of ``fft``, or ``a`` is complex.

    Example:
      >>> import fungrad.numpy as jnp
      >>> print(jnp.fft.ihfft(jnp.array([8.0, -2.0, 0.0, -2.0])))
      [1.-0.j 2.-0.j 3.-0.j]
    """
    return ufuncs.conj(_one("ihfft", FftType.RFFT, a, n, axis, norm, True))


# -- along several axes ------------------------------------------------------------------------------------------------


def fftn(a: Any, s: Sequence[int] | None = None, axes: Sequence[int] | None = None, norm: str | None = None) -> Array:
    """Discrete Fourier transform along several axes.

    Args:
      a: real or complex numbers.
      s: length along each axis; ``a`` is cropped, or padded with zeros, at its ends. Default is its shape.
      axes: along which axes, default the last ``len(s)``, or all.
      norm: as of ``fft``, for the product of the lengths.

    Raises:
      ValueError: a length is not positive, an axis does not exist or repeats, there are not as many axes as lengths,
        or there is no such ``norm``.

    Example:
      >>> import fungrad.numpy as jnp
      >>> print(jnp.fft.fftn(jnp.array([[1.0, 2.0], [3.0, 4.0]])))
      [[10.+0.j -2.+0.j]
       [-4.+0.j  0.+0.j]]
    """
    return _transform("fftn", FftType.FFT, a, s, axes, norm)


def ifftn(a: Any, s: Sequence[int] | None = None, axes: Sequence[int] | None = None, norm: str | None = None) -> Array:
    """Inverse of ``fftn``; arguments and errors are the same.

    Example:
      >>> import fungrad.numpy as jnp
      >>> print(jnp.fft.ifftn(jnp.array([[10.0, -2.0], [-4.0, 0.0]])))
      [[1.+0.j 2.+0.j]
       [3.+0.j 4.+0.j]]
    """
    return _transform("ifftn", FftType.IFFT, a, s, axes, norm)


def rfftn(a: Any, s: Sequence[int] | None = None, axes: Sequence[int] | None = None, norm: str | None = None) -> Array:
    """Discrete Fourier transform of real numbers along several axes: ``rfft`` along the last of them, ``fft`` along the
    others. Arguments and errors are those of ``fftn``; ``a`` must be real.

    Example:
      >>> import fungrad.numpy as jnp
      >>> print(jnp.fft.rfftn(jnp.array([[1.0, 2.0, 3.0, 4.0]])))
      [[10.+0.j -2.+2.j -2.+0.j]]
    """
    return _transform("rfftn", FftType.RFFT, a, s, axes, norm)


def irfftn(a: Any, s: Sequence[int] | None = None, axes: Sequence[int] | None = None, norm: str | None = None) -> Array:
    """Inverse of ``rfftn``: real numbers.

    Args:
      a: complex numbers.
      s: shape of the result along the axes, default that of ``a`` with ``2 * (m - 1)`` along the last of them.
      axes: along which axes, default the last ``len(s)``, or all.
      norm: as of ``fftn``.

    Raises:
      ValueError: as of ``fftn``.

    Example:
      >>> import fungrad.numpy as jnp
      >>> print(jnp.fft.irfftn(jnp.array([[10.0, -2.0 + 2.0j, -2.0]])))
      [[1. 2. 3. 4.]]
    """
    return _transform("irfftn", FftType.IRFFT, a, s, axes, norm)


def fft2(a: Any, s: Sequence[int] | None = None, axes: Sequence[int] = (-2, -1), norm: str | None = None) -> Array:
    """``fftn`` along two axes, by default the last ones.

    Raises:
      ValueError: as of ``fftn``, or there are not two axes.

    Example:
      >>> import fungrad.numpy as jnp
      >>> print(jnp.fft.fft2(jnp.array([[1.0, 2.0], [3.0, 4.0]])))
      [[10.+0.j -2.+0.j]
       [-4.+0.j  0.+0.j]]
    """
    return _two("fft2", FftType.FFT, a, s, axes, norm)


def ifft2(a: Any, s: Sequence[int] | None = None, axes: Sequence[int] = (-2, -1), norm: str | None = None) -> Array:
    """``ifftn`` along two axes, by default the last ones.

    Raises:
      ValueError: as of ``fftn``, or there are not two axes.

    Example:
      >>> import fungrad.numpy as jnp
      >>> print(jnp.fft.ifft2(jnp.array([[10.0, -2.0], [-4.0, 0.0]])))
      [[1.+0.j 2.+0.j]
       [3.+0.j 4.+0.j]]
    """
    return _two("ifft2", FftType.IFFT, a, s, axes, norm)


def rfft2(a: Any, s: Sequence[int] | None = None, axes: Sequence[int] = (-2, -1), norm: str | None = None) -> Array:
    """``rfftn`` along two axes, by default the last ones.

    Raises:
      ValueError: as of ``fftn``, ``a`` is complex, or there are not two axes.

    Example:
      >>> import fungrad.numpy as jnp
      >>> print(jnp.fft.rfft2(jnp.array([[1.0, 2.0], [3.0, 4.0]])))
      [[10.+0.j -2.+0.j]
       [-4.+0.j  0.+0.j]]
    """
    return _two("rfft2", FftType.RFFT, a, s, axes, norm)


def irfft2(a: Any, s: Sequence[int] | None = None, axes: Sequence[int] = (-2, -1), norm: str | None = None) -> Array:
    """``irfftn`` along two axes, by default the last ones.

    Raises:
      ValueError: as of ``fftn``, or there are not two axes.

    Example:
      >>> import fungrad.numpy as jnp
      >>> print(jnp.fft.irfft2(jnp.array([[10.0, -2.0], [-4.0, 0.0]])))
      [[1. 2.]
       [3. 4.]]
    """
    return _two("irfft2", FftType.IRFFT, a, s, axes, norm)


# -- frequencies -------------------------------------------------------------------------------------------------------


def _spacing(name: str, n: int, d: Any, dtype: Any) -> tuple[int, Any, Array]:
    """The length, the dtype of frequencies, and the inverse of their unit."""
    if isinstance(n, (list, tuple)):
        raise ValueError(f"fungrad.numpy.fft.{name}: n must be an integer, got {n}")
    if isinstance(d, (list, tuple)):
        raise ValueError(f"fungrad.numpy.fft.{name}: d must be one number, got {d}")
    wanted = requested_dtype(dtype, f"fft.{name}") or dtypes.default_float()
    n = index(f"fungrad.numpy.fft.{name}", "n", n, 0)
    return n, wanted, converted(d, dtypes.to_inexact_dtype(wanted), f"fft.{name}", "d") * n


def fftfreq(n: int, d: Any = 1.0, *, dtype: Any = None, device: Any = None) -> Array:
    """Frequencies of the results of ``fft``, in cycles per unit of ``d``: 0, then the positive, then the negative ones.

    Args:
      n: length of the transform.
      d: distance of the samples.
      dtype: of the result, default the default floating dtype.
      device: None, a device or a sharding.

    Raises:
      TypeError: ``n`` is not an integer.
      ValueError: ``n`` is negative, or ``n`` or ``d`` is a list or tuple.

    Example:
      >>> import fungrad.numpy as jnp
      >>> print(jnp.fft.fftfreq(5, 0.5))
      [ 0.   0.4  0.8 -0.8 -0.4]
    """
    n, wanted, whole = _spacing("fftfreq", n, d, dtype)
    place = arange(n)
    if n:
        place = (place + n // 2) % n - n // 2
    return on_device((place.astype(whole.dtype) / whole).astype(wanted), device, "fungrad.numpy.fft.fftfreq")


def rfftfreq(n: int, d: Any = 1.0, *, dtype: Any = None, device: Any = None) -> Array:
    """Frequencies of the results of ``rfft``, from 0 to half of the sampling rate.

    Args:
      n: length of the transform.
      d: distance of the samples.
      dtype: of the result, default the default floating dtype.
      device: None, a device or a sharding.

    Raises:
      TypeError: ``n`` is not an integer.
      ValueError: ``n`` is negative, or ``n`` or ``d`` is a list or tuple.

    Example:
      >>> import fungrad.numpy as jnp
      >>> print(jnp.fft.rfftfreq(5, 0.5))
      [0.  0.4 0.8]
    """
    n, wanted, whole = _spacing("rfftfreq", n, d, dtype)
    place = arange(n // 2 + 1)
    return on_device((place.astype(whole.dtype) / whole).astype(wanted), device, "fungrad.numpy.fft.rfftfreq")


def fftshift(x: Any, axes: int | Sequence[int] | None = None) -> Array:
    """The frequency 0 moved to the middle.

    Args:
      x: results of a transform.
      axes: along which axes, default all.

    Raises:
      ValueError: an axis does not exist.

    Example:
      >>> import fungrad.numpy as jnp
      >>> print(jnp.fft.fftshift(jnp.fft.fftfreq(5)))
      [-0.4 -0.2  0.   0.2  0.4]
    """
    return _shift("fftshift", x, axes, 1)


def ifftshift(x: Any, axes: int | Sequence[int] | None = None) -> Array:
    """Inverse of ``fftshift``.

    Args:
      x: results of a transform, with the frequency 0 in the middle.
      axes: along which axes, default all.

    Raises:
      ValueError: an axis does not exist.

    Example:
      >>> import fungrad.numpy as jnp
      >>> print(jnp.fft.ifftshift(jnp.array([-2, -1, 0, 1, 2])))
      [ 0  1  2 -2 -1]
    """
    return _shift("ifftshift", x, axes, -1)


def _shift(name: str, x: Any, axes: Any, sign: int) -> Array:
    x = operand(x, f"fft.{name}", "x")
    if axes is None:
        axes = range(x.aval.ndim)
    elif not isinstance(axes, (tuple, list)):
        axes = [axes]
    where = [canonical_axis(f"fungrad.numpy.fft.{name}", axis, x.aval.ndim) for axis in axes]
    return roll(x, [sign * (x.aval.shape[axis] // 2) for axis in where], where) if where else x


__all__ = [
    "fft", "fft2", "fftfreq", "fftn", "fftshift", "hfft", "ifft", "ifft2", "ifftn", "ifftshift", "ihfft", "irfft",
    "irfft2", "irfftn", "rfft", "rfft2", "rfftfreq", "rfftn",
]  # fmt: skip

publish(globals(), __name__, __all__)
