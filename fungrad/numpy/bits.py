"""The bits of numbers: views as another dtype, packing of booleans, mantissa and exponent.

May import ``core``, ``ops``, ``numpy._promotion`` and the modules of ``numpy`` before it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fungrad.core import dtypes
from fungrad.core.arguments import index
from fungrad.core.array import Array
from fungrad.numpy import creation, ufuncs
from fungrad.numpy._promotion import cast, inexact, operand
from fungrad.numpy.manipulation import moveaxis, ravel
from fungrad.numpy.selection import where
from fungrad.ops import foundation, joining, shape as shape_ops
from fungrad.ops._operands import scalar_array
from fungrad.ops.cast import bitcast_convert_type, full_like, stop_gradient
from fungrad.ops.complex_parts import complex as make_complex
from fungrad.ops.integer import shift_left, shift_right_logical
from fungrad.ops.shape import canonical_axis


def reinterpret(x: Array, dtype: np.dtype) -> Array:
    """The bits of ``x`` as another dtype; the last dimension grows or shrinks with the size of the dtype."""
    old = x.aval.dtype
    if old == dtype:
        return x
    if dtypes.is_bool(old) or dtypes.is_bool(dtype):
        if dtypes.is_bool(old):
            return reinterpret(cast(x, dtypes.uint8), dtype)
        return ufuncs.not_equal(reinterpret(x, dtypes.uint8), 0)
    if dtypes.is_complex(old):
        if not x.aval.ndim:
            raise ValueError(f"fungrad.Array.view: a complex scalar cannot be viewed as {dtype.name}")
        pairs = joining.stack([ufuncs.real(x), ufuncs.imag(x)], x.aval.ndim)
        return reinterpret(foundation.reshape(pairs, (*x.aval.shape[:-1], 2 * _last(x))), dtype)
    if dtypes.is_complex(dtype):
        real = reinterpret(x, dtypes.to_real_dtype(dtype))
        _check_multiple(real, 2, dtype)
        split = foundation.reshape(real, (*real.aval.shape[:-1], _last(real) // 2, 2))
        axis = split.aval.ndim - 1
        return make_complex(
            shape_ops.index_in_dim(split, 0, axis, False), shape_ops.index_in_dim(split, 1, axis, False)
        )
    before, after = dtypes.itemsize_bits(old), dtypes.itemsize_bits(dtype)
    if before == after:
        return bitcast_convert_type(x, dtype)
    if not x.aval.ndim:
        raise ValueError(
            f"fungrad.Array.view: a scalar can only be viewed as a dtype of the same size, got {old} to {dtype}"
        )
    if before > after:
        out = bitcast_convert_type(x, dtype)
        return foundation.reshape(out, (*x.aval.shape[:-1], _last(x) * (before // after)))
    ratio = after // before
    _check_multiple(x, ratio, dtype)
    return bitcast_convert_type(foundation.reshape(x, (*x.aval.shape[:-1], _last(x) // ratio, ratio)), dtype)


def swapped_bytes(x: Array) -> Array:
    """Numbers with the bytes of each in reverse order; of complex numbers those of each part."""
    dtype = x.aval.dtype
    if dtypes.is_complex(dtype):
        return make_complex(swapped_bytes(ufuncs.real(x)), swapped_bytes(ufuncs.imag(x)))
    if dtype.itemsize == 1:
        return x
    pieces = bitcast_convert_type(x, dtypes.uint8)
    return bitcast_convert_type(shape_ops.rev(pieces, (x.aval.ndim,)), dtype)


def _last(x: Array) -> int:
    return x.aval.shape[-1]


def _check_multiple(x: Array, ratio: int, dtype: np.dtype) -> None:
    if not x.aval.ndim or _last(x) % ratio:
        raise ValueError(
            f"fungrad.Array.view: to become {dtype.name}, the last dimension of {x.aval.str_short()} must be a "
            f"multiple of {ratio}"
        )


def packbits(a: Any, axis: int | None = None, bitorder: str = "big") -> Array:
    """Truth values packed as the bits of bytes.

    Args:
      a: boolean or integer array (not zero is true).
      axis: axis to pack along; by default the flattened array.
      bitorder: ``big`` makes the first element the highest bit, ``little`` the lowest.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.packbits(jnp.array([1, 0, 1]))
      Array([160], dtype=uint8)
    """
    x = operand(a, "packbits", "a")
    if dtypes.is_inexact(x.aval.dtype):
        raise TypeError(f"fungrad.numpy.packbits: a must be boolean or integer, got {x.aval.str_short()}")
    bits = cast(ufuncs.truth(x, "packbits"), dtypes.uint8)
    if axis is None:
        bits, axis = ravel(bits), 0
    axis = canonical_axis("fungrad.numpy.packbits", axis, bits.aval.ndim)
    bits = moveaxis(bits, axis, -1)
    places = _bit_places(bitorder, "packbits")
    # What does not fill a byte is packed apart: padding all would put a choice of bit or padding before every bit.
    n = _last(bits)
    whole = n - n % 8
    packed = [_packed(shape_ops.slice_in_dim(bits, 0, whole, axis=-1), places)]
    if whole < n:
        rest = shape_ops.slice_in_dim(bits, whole, n, axis=-1)
        config = [(0, 0, 0)] * (bits.aval.ndim - 1) + [(0, 8 - n % 8, 0)]
        packed.append(_packed(shape_ops.pad(rest, scalar_array(0, dtypes.uint8), config), places))
    return moveaxis(joining.concatenate(packed, bits.aval.ndim - 1), -1, axis)


def _packed(bits: Array, places: Array) -> Array:
    """Every eight bits of the last axis as a byte."""
    bits = foundation.reshape(bits, (*bits.aval.shape[:-1], _last(bits) // 8, 8))
    shifted = shift_left(bits, foundation.broadcast(places, bits.aval.shape))
    return cast(foundation.reduce_sum(cast(shifted, dtypes.uint32), (bits.aval.ndim - 1,)), dtypes.uint8)


def _bit_places(bitorder: str, api: str) -> Array:
    if bitorder not in ("big", "little"):
        raise ValueError(f"fungrad.numpy.{api}: bitorder must be 'big' or 'little', got {bitorder!r}")
    places = shape_ops.iota(np.uint8, 8)
    return shape_ops.rev(places, (0,)) if bitorder == "big" else places


def unpackbits(a: Any, axis: int | None = None, count: int | None = None, bitorder: str = "big") -> Array:
    """The bits of bytes as numbers 0 and 1.

    Args:
      a: uint8 array.
      axis: axis along which bits are laid out; by default the array is flattened.
      count: number of bits to return: cut off or filled with 0; a negative number cuts off that many.
      bitorder: see ``packbits``.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.unpackbits(jnp.array([160], dtype=jnp.uint8), count=3)
      Array([1, 0, 1], dtype=uint8)
    """
    x = operand(a, "unpackbits", "a")
    if x.aval.dtype != dtypes.uint8:
        raise TypeError(f"fungrad.numpy.unpackbits: a must be of dtype uint8, got {x.aval.str_short()}")
    if axis is None:
        x, axis = ravel(x), 0
    axis = canonical_axis("fungrad.numpy.unpackbits", axis, x.aval.ndim)
    x = shape_ops.expand_dims(moveaxis(x, axis, -1), (-1,))
    shape = (*x.aval.shape[:-1], 8)
    places = foundation.broadcast(_bit_places(bitorder, "unpackbits"), shape)
    bits = ufuncs.bitwise_and(shift_right_logical(foundation.broadcast(x, shape), places), 1)
    bits = foundation.reshape(bits, (*shape[:-2], 8 * shape[-2]))
    if count is not None:
        n = _last(bits)
        count = index("fungrad.numpy.unpackbits", "count", count)
        kept = count if count >= 0 else max(0, n + count)
        config = [(0, 0, 0)] * (bits.aval.ndim - 1) + [(0, kept - n, 0)]
        bits = shape_ops.pad(bits, scalar_array(0, dtypes.uint8), config)
    return moveaxis(bits, -1, axis)


def frexp(x: Any, /) -> tuple[Array, Array]:
    """Mantissa in [0.5, 1) and exponent with ``x == mantissa * 2**exponent``.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.frexp(jnp.array(6.0))
      (Array(0.75, dtype=float32), Array(3, dtype=int32))
    """
    x = inexact(x, "frexp")
    dtype = x.aval.dtype
    if dtypes.is_complex(dtype):
        raise TypeError("fungrad.numpy.frexp: complex numbers have no mantissa")
    info = dtypes.finfo(dtype)
    fraction, integer = int(info.nmant), np.dtype(f"int{8 * dtype.itemsize}")
    # Subnormal numbers are scaled up first, so that their exponent is in its field.
    small = ufuncs.less(ufuncs.absolute(x), float(info.smallest_normal))
    scaled = where(small, ufuncs.multiply(x, float(2.0 ** (fraction + 1))), x)
    bits = bitcast_convert_type(cast(scaled, dtype), integer)
    field = (1 << (8 * dtype.itemsize - fraction - 1)) - 1
    biased = ufuncs.bitwise_and(ufuncs.right_shift(bits, fraction), scalar_array(field, integer))
    bias = int(info.maxexp) - 2
    exponent = ufuncs.subtract(cast(biased, dtypes.int32), bias)
    exponent = ufuncs.subtract(exponent, where(small, fraction + 1, 0))
    plain = ufuncs.logical_and(ufuncs.isfinite(x), ufuncs.not_equal(x, 0))
    mantissa = ufuncs.multiply(
        scaled, ufuncs.exp2(cast(ufuncs.negative(ufuncs.subtract(cast(biased, dtypes.int32), bias)), dtype))
    )
    return where(plain, mantissa, x), where(plain, exponent, creation.zeros_like(exponent))


def spacing(x: Any, /) -> Array:
    """Distance to the next representable number away from zero, with the sign of ``x``.

    Args:
      x: real array or scalar; integers are converted to the default floating dtype.

    Returns:
      Array of the shape of ``x``; infinite for the greatest number, NaN for infinities and NaN. Its derivative is zero.

    Raises:
      TypeError: ``x`` is complex.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.spacing(jnp.array([1.0, -2.0]))
      Array([ 1.1920929e-07, -2.3841858e-07], dtype=float32)
    """
    x = stop_gradient(inexact(x, "spacing"))
    if dtypes.is_complex(x.aval.dtype):
        raise TypeError("fungrad.numpy.spacing: complex numbers have no neighbours; take the parts")
    dtype = x.aval.dtype
    infinity = full_like(x, float("inf"))
    if dtype == dtypes.float16:  # as NumPy
        return where(ufuncs.isinf(x), full_like(x, float("nan")), ufuncs.subtract(ufuncs.nextafter(x, infinity), x))
    out = ufuncs.subtract(ufuncs.nextafter(x, ufuncs.copysign(infinity, x)), x)
    # A difference that is subnormal is lost where these are taken for zero.
    least = ufuncs.copysign(full_like(x, dtypes.finfo(dtype).smallest_subnormal), x)
    return where(ufuncs.isinf(x), full_like(x, float("nan")), where(ufuncs.equal(out, 0), least, out))
