"""Resampling: every dimension that changes is multiplied with a matrix of weights.

A weight is a kernel function of the distance between the place of an output pixel and an input pixel.  Pixels are
squares, so the centre of pixel ``i`` is at ``i + 1/2``.

May import ``core``, ``ops`` and ``numpy``.
"""

from __future__ import annotations

import enum
import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import fungrad.numpy as jnp
from fungrad.core import dtypes
from fungrad.core.arguments import brief
from fungrad.core.array import Array, as_array
from fungrad.core.dimensions import is_symbolic, is_symbolic_shape, sizes_of
from fungrad.core.source import api_class
from fungrad.numpy._promotion import promote_dtypes_inexact
from fungrad.ops.shape import canonical_axis


@api_class
class ResizeMethod(enum.Enum):
    """How images are resampled.

    Attributes:
      NEAREST: the nearest pixel.
      LINEAR: linear interpolation, a triangle as kernel.
      LANCZOS3: a windowed sinc of radius 3.
      LANCZOS5: a windowed sinc of radius 5.
      CUBIC: R. G. Keys, "Cubic convolution interpolation for digital image processing", 1981.
      CUBIC_PYTORCH: as ``CUBIC``, but without antialiasing the kernel and edges of PyTorch and OpenCV.
      AREA: the mean over the square of the output pixel.
    """

    NEAREST = 0
    LINEAR = 1
    LANCZOS3 = 2
    LANCZOS5 = 3
    CUBIC = 4
    CUBIC_PYTORCH = 5
    AREA = 6

    @staticmethod
    def from_string(s: str) -> ResizeMethod:
        """The method of a name, such as ``"bilinear"``.

        Raises:
          ValueError: there is no such method.
        """
        found = _NAMES.get(s)
        if found is None:
            raise ValueError(
                f"fungrad.image.ResizeMethod.from_string: method must be one of {', '.join(map(repr, _NAMES))}, got "
                f"{s!r}"
            )
        return found


_NAMES = {
    "nearest": ResizeMethod.NEAREST,
    **dict.fromkeys(("linear", "bilinear", "trilinear", "triangle"), ResizeMethod.LINEAR),
    "lanczos3": ResizeMethod.LANCZOS3,
    "lanczos5": ResizeMethod.LANCZOS5,
    **dict.fromkeys(("cubic", "bicubic", "tricubic"), ResizeMethod.CUBIC),
    **dict.fromkeys(("cubic-pytorch", "bicubic-pytorch"), ResizeMethod.CUBIC_PYTORCH),
    "area": ResizeMethod.AREA,
}

# -- kernels: functions of a distance that is not negative -------------------------------------------------------------


def _triangle(x: Array) -> Array:
    return jnp.maximum(0, 1 - x)


def _lanczos(radius: float, x: Array) -> Array:
    near = x <= 1e-3
    safe = jnp.where(near, 1.0, x)
    value = radius * jnp.sin(math.pi * safe) * jnp.sin(math.pi * safe / radius) / (math.pi * safe) ** 2
    return jnp.where(x > radius, 0.0, jnp.where(near, 1.0, value))


def _cubic(a: float, x: Array) -> Array:
    inner = ((a + 2) * x - (a + 3)) * x * x + 1
    outer = ((a * x - 5 * a) * x + 8 * a) * x - 4 * a
    return jnp.where(x >= 2, 0.0, jnp.where(x >= 1, outer, inner))


_KERNELS: dict[ResizeMethod, tuple[int, Callable[[Array], Array]]] = {
    ResizeMethod.LINEAR: (1, _triangle),
    ResizeMethod.LANCZOS3: (3, functools.partial(_lanczos, 3.0)),
    ResizeMethod.LANCZOS5: (5, functools.partial(_lanczos, 5.0)),
    ResizeMethod.CUBIC: (2, functools.partial(_cubic, -0.5)),
    ResizeMethod.CUBIC_PYTORCH: (2, functools.partial(_cubic, -0.75)),
}

# -- weights ---------------------------------------------------------------------------------------------------------


def _weights(n: Any, size: Any, scale: Array, shift: Array, method: ResizeMethod, antialias: bool) -> Array:
    """The matrix ``[n, size]`` of one dimension, for output pixels whose places are ``scale * x + shift``."""
    dtype = scale.dtype
    inverse = 1 / scale
    if method is ResizeMethod.AREA:
        # The overlap of the output pixel, brought back to the input, with each input pixel.
        begin = (_range(0, size, dtype) - shift) * inverse
        low = _range(0, n, dtype)[:, None]
        weights = jnp.maximum(0, jnp.minimum(begin + inverse, low + 1) - jnp.maximum(begin, low))
    else:
        radius, kernel = _KERNELS[method]
        # Of images that shrink, the kernel grows so that it takes the mean of what falls together.
        width = jnp.maximum(inverse, 1.0) if antialias else 1.0
        places = (_range(0, size, dtype) + 0.5 - shift) * inverse - 0.5
        edge = radius if method is ResizeMethod.CUBIC_PYTORCH and not antialias else 0
        pixels = _range(-edge, n + edge, dtype)
        weights = kernel(jnp.abs(places - pixels[:, None]) / width)
        if edge:
            # Pixels beyond the edge are those at the edge.
            inner = weights[edge : edge + n]
            inner = inner.at[0].add(jnp.sum(weights[:edge], axis=0))
            return _normalized(inner.at[n - 1].add(jnp.sum(weights[edge + n :], axis=0)))
    weights = _normalized(weights)
    places = (_range(0, size, dtype) + 0.5 - shift) * inverse - 0.5
    return jnp.where((places >= -0.5) & (places <= _number(n, dtype) - 0.5), weights, 0)


def _normalized(weights: Array) -> Array:
    """Columns divided by their sums, 0 where nothing is near."""
    total = jnp.sum(weights, axis=0, keepdims=True)
    some = jnp.abs(total) > 1000 * float(np.finfo(np.float32).eps)
    return jnp.where(some, weights / jnp.where(some, total, 1.0), 0)


def _resampled(
    image: Array,
    shape: tuple[int, ...],
    dims: Sequence[int],
    scale: Sequence[Array],
    shift: Sequence[Array],
    method: ResizeMethod,
    antialias: bool,
) -> Array:
    if method is ResizeMethod.CUBIC_PYTORCH and antialias:
        method = ResizeMethod.CUBIC
    # Dimensions that shrink first: fewer multiplications.
    order: Sequence[int] = range(len(dims))
    if not is_symbolic_shape(shape) and not is_symbolic_shape(image.shape):
        order = sorted(order, key=lambda i: shape[dims[i]] / max(1, image.shape[dims[i]]))
    for i in order:
        d = dims[i]
        n = image.shape[d]
        if not is_symbolic(n) and not n:
            image = jnp.zeros((*image.shape[:d], shape[d], *image.shape[d + 1 :]), image.dtype)
            continue
        weights = _weights(n, shape[d], scale[i], shift[i], method, antialias).astype(image.dtype)
        image = jnp.moveaxis(jnp.tensordot(image, weights, ((d,), (0,))), -1, d)
    return image


def _number(size: Any, dtype: np.dtype) -> Array:
    """A size, which may be symbolic, as a floating-point number."""
    return jnp.asarray(size).astype(dtype) if is_symbolic(size) else jnp.asarray(size, dtype)


def _range(first: int, last: Any, dtype: np.dtype) -> Array:
    if is_symbolic(last):
        return jnp.arange(first, last).astype(dtype)
    return jnp.arange(first, last, dtype=dtype)


def _ratio(new: Any, old: Any, dtype: np.dtype) -> Array:
    """By how much a dimension grows, 1 where there is nothing in it."""
    if is_symbolic(new) or is_symbolic(old):
        return _number(new, dtype) / _number(old, dtype)
    return jnp.asarray(new / old if new and old else 1.0, dtype)


# -- arguments -------------------------------------------------------------------------------------------------------


def _shape(api: str, image: Array, shape: Any) -> tuple[int, ...]:
    try:
        dims = sizes_of(shape)
    except TypeError:
        raise TypeError(f"fungrad.image.{api}: shape must be a sequence of ints, got {brief(shape)}") from None
    if len(dims) != image.ndim:
        raise ValueError(
            f"fungrad.image.{api}: shape must have one size for each dimension of image, {image.shape}, got {dims}"
        )
    if any(n < 0 for n in dims):
        raise ValueError(f"fungrad.image.{api}: shape must not have negative sizes, got {dims}")
    return dims


def _method(api: str, method: Any) -> ResizeMethod:
    if isinstance(method, ResizeMethod):
        return method
    found = _NAMES.get(method) if isinstance(method, str) else None
    if found is None:
        raise ValueError(
            f"fungrad.image.{api}: method must be a ResizeMethod or one of {', '.join(map(repr, _NAMES))}, got "
            f"{method!r}"
        )
    return found


def _real_or_complex(api: str, image: Any) -> Array:
    array = as_array(image, f"fungrad.image.{api}: image")
    if dtypes.is_key(array.aval.dtype):
        raise TypeError(f"fungrad.image.{api}: image must be an array of numbers, got {array.aval.str_short()}")
    return array


def resize(
    image: Any, shape: Sequence[int], method: str | ResizeMethod, antialias: bool = True, precision: Any = None
) -> Array:
    """An image of another size.

    Args:
      image: array; batch and channel dimensions are those whose size does not change.
      shape: shape of the result.
      method: how to resample: ``"nearest"``, ``"linear"`` (``"bilinear"`` ...), ``"cubic"`` (``"bicubic"`` ...),
        ``"cubic-pytorch"``, ``"lanczos3"``, ``"lanczos5"``, ``"area"``, or a ``ResizeMethod``.
      antialias: whether dimensions that shrink are filtered first.
      precision: not needed here.

    Returns:
      An array of ``shape``, of the dtype of ``image`` for ``"nearest"`` and of a floating (or complex) dtype else.

    Raises:
      TypeError: ``image`` is no array, or ``shape`` no sequence of ints.
      ValueError: ``shape`` has another length, or there is no such method.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import image
      >>> image.resize(jnp.array([0.0, 4.0]), (4,), "linear")
      Array([0., 1., 3., 4.], dtype=float32)
    """
    x = _real_or_complex("resize", image)
    dims, chosen = _shape("resize", x, shape), _method("resize", method)
    changed = [d for d in range(x.ndim) if x.shape[d] != dims[d]]
    if chosen is ResizeMethod.NEAREST:
        for d in changed:
            n, size = x.shape[d], dims[d]
            # In single precision, as elsewhere, which decides halves.
            if is_symbolic(n) or is_symbolic(size):
                single = np.dtype(np.float32)
                middles = jnp.arange(size).astype(single) + 0.5
                places = jnp.floor(middles * _number(n, single) / _number(size, single))
                x = jnp.take(x, places.astype(np.int32), axis=d)
                continue
            places = np.floor((np.arange(size, dtype=np.float32) + np.float32(0.5)) * np.float32(n) / np.float32(size))
            x = jnp.take(x, jnp.asarray(places.astype(np.int32)), axis=d)
        return x
    (x,) = promote_dtypes_inexact("image.resize", x)
    real = dtypes.to_real_dtype(x.dtype)
    work = real if real.itemsize == 8 else np.dtype(np.float32)
    scale = [_ratio(dims[d], x.shape[d], work) for d in changed]
    return _resampled(x, dims, changed, scale, [jnp.zeros((), work)] * len(changed), chosen, antialias)


def scale_and_translate(
    image: Any,
    shape: Sequence[int],
    spatial_dims: Sequence[int],
    scale: Any,
    translation: Any,
    method: str | ResizeMethod,
    antialias: bool = True,
    precision: Any = None,
) -> Array:
    """An image scaled and moved: what is at ``x`` comes to ``x * scale + translation``.

    Differentiable with respect to the image, the scale and the translation.

    Args:
      image: array.
      shape: shape of the result.
      spatial_dims: dimensions that are scaled.
      scale: vector of the factors, one for each of these dimensions.
      translation: vector of the shifts, in pixels of the result.
      method: as for ``resize``, but not ``"nearest"``.
      antialias: whether dimensions that shrink are filtered first.
      precision: not needed here.

    Returns:
      A floating (or complex) array of ``shape``, 0 where no input pixel comes to.

    Raises:
      TypeError: ``image`` is no array, or ``shape`` no sequence of ints.
      ValueError: sizes do not fit, or there is no such method.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import image
      >>> image.scale_and_translate(jnp.array([1.0, 2.0, 3.0]), (3,), (0,), jnp.ones(1), jnp.ones(1), "linear")
      Array([0., 1., 2.], dtype=float32)
    """
    api = "fungrad.image.scale_and_translate"
    x = _real_or_complex("scale_and_translate", image)
    dims, chosen = _shape("scale_and_translate", x, shape), _method("scale_and_translate", method)
    if chosen is ResizeMethod.NEAREST:
        raise ValueError(f"{api}: method must not be 'nearest', which has no place between pixels; use resize")
    axes = [canonical_axis(api, d, x.ndim) for d in spatial_dims]
    if len(set(axes)) != len(axes):
        raise ValueError(f"{api}: spatial_dims must be different, got {tuple(spatial_dims)}")
    (x,) = promote_dtypes_inexact("image.scale_and_translate", x)
    named = [(n, as_array(v, f"{api}: {n}")) for n, v in (("scale", scale), ("translation", translation))]
    factors, shifts = promote_dtypes_inexact("image.scale_and_translate", *[v for _, v in named])
    for name, v in (("scale", factors), ("translation", shifts)):
        if v.shape != (len(axes),):
            raise ValueError(
                f"{api}: {name} must be a vector of {len(axes)} numbers, one for each of spatial_dims, got "
                f"{v.aval.str_short()}"
            )
    unchanged = [d for d in range(x.ndim) if d not in axes]
    if any(x.shape[d] != dims[d] for d in unchanged):
        raise ValueError(f"{api}: shape {dims} differs from image {x.shape} in dimensions that are not in spatial_dims")
    return _resampled(x, dims, axes, list(factors), list(shifts), chosen, antialias)
