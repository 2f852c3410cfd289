"""Convolutions and correlations of arrays of any number of dimensions.

May import ``core``, ``ops``, ``fungrad.numpy``, ``fungrad.lax`` and ``scipy._operands``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import fungrad.numpy as jnp
from fungrad import lax
from fungrad.core.array import Array
from fungrad.ops.shape import canonical_axis
from fungrad.scipy._operands import alike, at_least_single, is_complex

_MODES = ("full", "same", "valid")


def _check(api: str, mode: Any, x: Array, y: Array) -> None:
    full = f"fungrad.scipy.signal.{api}"
    if mode not in _MODES:
        raise ValueError(f"{full}: mode must be 'full', 'same' or 'valid', got {mode!r}")
    if x.ndim != y.ndim:
        raise ValueError(f"{full}: in1 and in2 must have as many dimensions, got shapes {x.shape} and {y.shape}")
    if x.size == 0 or y.size == 0:
        raise ValueError(f"{full}: in1 and in2 must not be empty, got shapes {x.shape} and {y.shape}")


def _part(x: Sequence[int], y: Sequence[int], mode: str) -> tuple[list[int], list[int]]:
    """Where the result begins in the full convolution of arrays of two shapes, and its shape; ``y`` is the smaller one
    for ``valid``."""
    full = [a + b - 1 for a, b in zip(x, y, strict=True)]
    if mode == "full":
        shape = full
    elif mode == "same":
        shape = list(x)
    else:
        shape = [a - b + 1 for a, b in zip(x, y, strict=True)]
    return [(n - m) // 2 for n, m in zip(full, shape, strict=True)], shape


def _is_within(x: Array, y: Array) -> bool:
    """Whether ``x`` is nowhere larger than ``y``."""
    return all(a <= b for a, b in zip(x.shape, y.shape, strict=True))


def _direct(api: str, x: Array, y: Array, mode: str, precision: Any, start: Sequence[int] | None = None) -> Array:
    """A convolution as sums; ``start`` moves the part that the result is."""
    if not (_is_within(x, y) or _is_within(y, x)):
        raise ValueError(
            f"fungrad.scipy.signal.{api}: one of in1 and in2 must be as large as the other in every dimension, got "
            f"shapes {x.shape} and {y.shape}; method='fft' takes any"
        )
    if x.ndim == 0:
        return x * y
    swapped = mode == "valid" and not _is_within(y, x)
    where, shape = _part(*((y.shape, x.shape) if swapped else (x.shape, y.shape)), mode)
    where = where if start is None else list(start)
    large, small = (x, y) if _is_within(y, x) else (y, x)
    padding = []
    for n, k, begin, m in zip(large.shape, small.shape, where, shape, strict=True):
        # The full convolution has k - 1 elements more on each side.
        padding.append((k - 1 - begin, begin + m - n))
    out = lax.conv_general_dilated(
        large[None, None], jnp.flip(small)[None, None], (1,) * x.ndim, padding, precision=precision
    )
    return out[0, 0]


def _by_transforms(api: str, x: Array, y: Array, mode: str, axes: Sequence[int]) -> Array:
    """A convolution along some axes as a product of Fourier transforms; the others are mapped over."""
    inner = [[v.shape[axis] for axis in axes] for v in (x, y)]
    if mode == "valid":
        if all(a <= b for a, b in zip(*inner, strict=True)):
            x, y, inner = y, x, inner[::-1]
        elif not all(a >= b for a, b in zip(*inner, strict=True)):
            raise ValueError(
                f"fungrad.scipy.signal.{api}: for mode='valid' one of in1 and in2 must be as large as the other along "
                f"every axis, got shapes {x.shape} and {y.shape}"
            )
    where, shape = _part(inner[0], inner[1], mode)
    full = [a + b - 1 for a, b in zip(*inner, strict=True)]
    if all(1 in pair for pair in zip(*inner, strict=True)):
        found = x * y
    elif is_complex(x):
        found = jnp.fft.ifftn(jnp.fft.fftn(x, full, axes) * jnp.fft.fftn(y, full, axes), full, axes)
    else:
        found = jnp.fft.irfftn(jnp.fft.rfftn(x, full, axes) * jnp.fft.rfftn(y, full, axes), full, axes)
    for axis, begin, m in zip(axes, where, shape, strict=True):
        found = lax.slice_in_dim(found, begin, begin + m, 1, axis)
    return found


def fftconvolve(in1: Any, in2: Any, mode: str = "full", axes: int | Sequence[int] | None = None) -> Array:
    """Convolution by Fourier transforms, which is fast where both arrays are large.

    Args:
      in1: array.
      in2: array with as many dimensions.
      mode: ``"full"``, ``"same"`` (the middle, of the shape of ``in1``) or ``"valid"`` (where one is inside the other).
      axes: along which axes, default all; along the others, which must be equally long, elements are mapped.

    Raises:
      TypeError: an argument is no array.
      ValueError: there is no such ``mode``, or the shapes do not fit.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad.scipy import signal
      >>> print(signal.fftconvolve(jnp.array([1.0, 2.0, 3.0]), jnp.array([0.0, 1.0, 0.5])).round(3))
      [0.  1.  2.5 4.  1.5]
    """
    x, y = (at_least_single(v) for v in alike("signal.fftconvolve", in1=in1, in2=in2))
    _check("fftconvolve", mode, x, y)
    full = "fungrad.scipy.signal.fftconvolve"
    given = range(x.ndim) if axes is None else [axes] if isinstance(axes, int) else list(axes)
    where = [canonical_axis(full, axis, x.ndim) for axis in given]
    if len(set(where)) != len(where):
        raise ValueError(f"{full}: axes must not repeat, got {list(given)}")
    if any(x.shape[d] != y.shape[d] for d in range(x.ndim) if d not in where):
        raise ValueError(
            f"{full}: in1 and in2 must be equally long along the axes that are not in axes, got shapes {x.shape} and "
            f"{y.shape}, axes {list(given)}"
        )
    return _by_transforms("fftconvolve", x, y, mode, where) if where else x * y


def convolve(in1: Any, in2: Any, mode: str = "full", method: str = "auto", precision: Any = None) -> Array:
    """Convolution of two arrays.

    Args:
      in1: array.
      in2: array with as many dimensions.
      mode: ``"full"``, ``"same"`` (the middle, of the shape of ``in1``) or ``"valid"`` (where one is inside the other).
      method: ``"direct"`` (also ``"auto"``) adds products up, ``"fft"`` uses Fourier transforms.
      precision: of the products, as of ``lax.conv_general_dilated``.

    Returns:
      An array of the common floating or complex dtype.

    Raises:
      TypeError: an argument is no array.
      ValueError: there is no such ``mode`` or ``method``, or the shapes do not fit.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad.scipy import signal
      >>> print(signal.convolve(jnp.array([1.0, 2.0, 3.0]), jnp.array([0.0, 1.0, 0.5]), mode="same"))
      [1.  2.5 4. ]
    """
    if method == "fft":
        return fftconvolve(in1, in2, mode)
    if method not in ("auto", "direct"):
        raise ValueError(f"fungrad.scipy.signal.convolve: method must be 'auto', 'direct' or 'fft', got {method!r}")
    x, y = alike("signal.convolve", in1=in1, in2=in2)
    _check("convolve", mode, x, y)
    return _direct("convolve", x, y, mode, precision)


def correlate(in1: Any, in2: Any, mode: str = "full", method: str = "auto", precision: Any = None) -> Array:
    """Cross-correlation of two arrays: the convolution with the reversed conjugate of ``in2``.

    Args:
      in1: array.
      in2: array with as many dimensions.
      mode: as of ``convolve``.
      method: as of ``convolve``.
      precision: as of ``convolve``.

    Raises:
      TypeError: an argument is no array.
      ValueError: there is no such ``mode`` or ``method``, or the shapes do not fit.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad.scipy import signal
      >>> print(signal.correlate(jnp.array([1.0, 2.0, 3.0]), jnp.array([0.0, 1.0, 0.5])))
      [0.5 2.  3.5 3.  0. ]
    """
    x, y = alike("signal.correlate", in1=in1, in2=in2)
    _check("correlate", mode, x, y)
    return convolve(x, jnp.flip(jnp.conj(y)), mode, method, precision)


def _two_dimensional(api: str, in1: Any, in2: Any, mode: Any, boundary: Any, fillvalue: Any) -> tuple[Array, Array]:
    full = f"fungrad.scipy.signal.{api}"
    if boundary != "fill" or isinstance(fillvalue, Array) or fillvalue != 0:
        raise NotImplementedError(f"{full}: boundary must be 'fill' with fillvalue=0, got {boundary!r}, {fillvalue!r}")
    x, y = alike(f"signal.{api}", in1=in1, in2=in2)
    if x.ndim != 2 or y.ndim != 2:
        raise ValueError(f"{full}: in1 and in2 must have two dimensions, got shapes {x.shape} and {y.shape}")
    _check(api, mode, x, y)
    return x, y


def convolve2d(
    in1: Any, in2: Any, mode: str = "full", boundary: str = "fill", fillvalue: float = 0, precision: Any = None
) -> Array:
    """Convolution of two matrices.

    Args:
      in1: matrix.
      in2: matrix.
      mode: as of ``convolve``.
      boundary: must be ``"fill"``.
      fillvalue: must be 0: what is beyond the edges.
      precision: as of ``convolve``.

    Raises:
      TypeError: an argument is no array.
      ValueError: there is no such ``mode``, or the shapes do not fit.
      NotImplementedError: another ``boundary`` or ``fillvalue``.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad.scipy import signal
      >>> print(signal.convolve2d(jnp.eye(2), jnp.array([[1.0, 2.0]])))
      [[1. 2. 0.]
       [0. 1. 2.]]
    """
    x, y = _two_dimensional("convolve2d", in1, in2, mode, boundary, fillvalue)
    return _direct("convolve2d", x, y, mode, precision)


def correlate2d(
    in1: Any, in2: Any, mode: str = "full", boundary: str = "fill", fillvalue: float = 0, precision: Any = None
) -> Array:
    """Cross-correlation of two matrices.

    Args:
      in1: matrix.
      in2: matrix.
      mode: as of ``convolve``; the middle of ``"same"`` is, where there are two, the later one.
      boundary: must be ``"fill"``.
      fillvalue: must be 0: what is beyond the edges.
      precision: as of ``convolve``.

    Raises:
      TypeError: an argument is no array.
      ValueError: there is no such ``mode``, or the shapes do not fit.
      NotImplementedError: another ``boundary`` or ``fillvalue``.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad.scipy import signal
      >>> print(signal.correlate2d(jnp.eye(2), jnp.array([[1.0, 2.0]])))
      [[2. 1. 0.]
       [0. 2. 1.]]
    """
    x, y = _two_dimensional("correlate2d", in1, in2, mode, boundary, fillvalue)
    start = None
    if mode == "same":
        # As if both were reversed, convolved, and the result reversed.
        full = [a + b - 1 for a, b in zip(x.shape, y.shape, strict=True)]
        start = [n - m - (n - m) // 2 for n, m in zip(full, x.shape, strict=True)]
    out = _direct("correlate2d", x, jnp.flip(jnp.conj(y)), mode, precision, start)
    # Where in1 moves inside in2, SciPy conjugates in1 and not in2.
    return jnp.conj(out) if mode == "valid" and is_complex(out) and not _is_within(y, x) else out
