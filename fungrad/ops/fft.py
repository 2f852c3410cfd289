"""Discrete Fourier transforms: the primitive ``fft`` and its function of ``fungrad.lax``.

May import ``core``, ``ops`` and ``ops.fft_lowering``.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from fungrad.core import dtypes
from fungrad.core.arguments import integers
from fungrad.core.array import Array
from fungrad.core.avals import ShapedArray, Zero
from fungrad.core.context import AxisData
from fungrad.core.primitive import Primitive
from fungrad.core.printing import register_param_type
from fungrad.ops._operands import constant, kind_of, lift
from fungrad.ops.cast import convert_element_type
from fungrad.ops.compare import eq, select
from fungrad.ops.complex_parts import conj
from fungrad.ops.elementwise import div, mul
from fungrad.ops.fft_lowering import lower_fft
from fungrad.ops.foundation import broadcast, linearize_linear, move_dim
from fungrad.ops.shape import broadcasted_iota

Dims = tuple[int, ...]


@register_param_type
class FftType(enum.IntEnum):
    """Which transform.

    Attributes:
      FFT: forward, from complex to complex numbers.
      IFFT: its inverse.
      RFFT: forward, from real numbers to the half of the complex results that determines the others.
      IRFFT: its inverse.
    """

    FFT = 0
    IFFT = 1
    RFFT = 2
    IRFFT = 3


def _type_of(fft_type: Any) -> FftType:
    if isinstance(fft_type, FftType):
        return fft_type
    if isinstance(fft_type, str) and fft_type.upper() in FftType.__members__:
        return FftType[fft_type.upper()]
    error = ValueError if isinstance(fft_type, str) else TypeError
    raise error(
        "fungrad.lax.fft: fft_type must be a fungrad.lax.FftType, or 'fft', 'ifft', 'rfft' or 'irfft', got "
        f"{fft_type!r}"
    )


def _real(dtype: np.dtype) -> np.dtype:
    return dtypes.to_real_dtype(dtype)


def _complex(dtype: np.dtype) -> np.dtype:
    return dtypes.to_complex_dtype(dtype)


class Fft(Primitive):
    """The transform along the last dimensions, as many as there are lengths; linear."""

    quiet = True

    def abstract_eval(self, x: ShapedArray, *, fft_type: FftType, fft_lengths: Dims) -> ShapedArray:
        k = len(fft_lengths)
        if k > x.ndim:
            raise ValueError(
                f"fungrad.lax.fft: fft_lengths must have at most one entry per dimension, got {fft_lengths} for an "
                f"operand {x.str_short()}"
            )
        batch, given = x.shape[: x.ndim - k], x.shape[x.ndim - k :]
        expected = fft_lengths
        if fft_type is FftType.RFFT:
            _check_dtype(x, "f", "float32 or float64", fft_type)
            out = (*fft_lengths[:-1], fft_lengths[-1] // 2 + 1), _complex(x.dtype)
        elif fft_type is FftType.IRFFT:
            _check_dtype(x, "c", "complex64 or complex128", fft_type)
            expected = (*fft_lengths[:-1], fft_lengths[-1] // 2 + 1)
            out = fft_lengths, _real(x.dtype)
        else:
            _check_dtype(x, "c", "complex64 or complex128", fft_type)
            out = fft_lengths, x.dtype
        # An inverse transform to no elements reads nothing.
        if given != expected and not (fft_type is FftType.IRFFT and 0 in fft_lengths and given[:-1] == expected[:-1]):
            raise ValueError(
                f"fungrad.lax.fft: the last dimensions of the operand of {fft_type.name} must be {expected} for "
                f"fft_lengths {fft_lengths}, got {x.str_short()}"
            )
        return ShapedArray((*batch, *out[0]), out[1])

    def impl(self, x: np.ndarray, *, fft_type: FftType, fft_lengths: Dims) -> np.ndarray:
        k = len(fft_lengths)
        shape = x.shape[: x.ndim - k]
        if x.size == 0 or 0 in fft_lengths:
            # Sums of nothing.
            last = fft_lengths[-1] // 2 + 1 if fft_type is FftType.RFFT else fft_lengths[-1]
            dtype = {FftType.RFFT: _complex, FftType.IRFFT: _real}.get(fft_type, np.dtype)(x.dtype)
            return np.zeros((*shape, *fft_lengths[:-1], last), dtype)
        # Its import takes longer than that of fungrad. NumPy's transforms are slower in single precision.
        from scipy import fft

        function = {FftType.FFT: fft.fftn, FftType.IFFT: fft.ifftn, FftType.RFFT: fft.rfftn, FftType.IRFFT: fft.irfftn}
        return np.asarray(function[fft_type](x, s=fft_lengths, axes=tuple(range(x.ndim - k, x.ndim))))

    def lower(self, ctx: Any, x: Any, *, fft_type: FftType, fft_lengths: Dims) -> Any:
        return lower_fft(ctx, x, fft_type.name, fft_lengths)

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any], **params: Any) -> tuple[Any, Any]:
        y = self.bind(*primals, **params)
        if type(tangents[0]) is Zero:
            return y, Zero(y.aval.tangent())
        return y, self.bind(tangents[0], **params)

    def linearize_now(self, record: Any, primals: Sequence[Any], tangents: Sequence[Any], params: dict) -> tuple:
        return linearize_linear(self, record, primals, tangents, params)

    def transpose(self, ct: Any, x: Any, *, fft_type: FftType, fft_lengths: Dims) -> Sequence[Any]:
        if fft_type is FftType.RFFT:
            return (_rfft_transpose(ct, fft_lengths),)
        if fft_type is FftType.IRFFT:
            return (_irfft_transpose(ct, x.aval, fft_lengths),)
        # The matrix of the transform is symmetric.
        return (self.bind(ct, fft_type=fft_type, fft_lengths=fft_lengths),)

    def batch(self, axis: AxisData, args: Sequence[Any], dims: Sequence[Any], **params: Any) -> tuple[Any, Any]:
        (x,), (d,) = args, dims
        if d >= x.aval.ndim - len(params["fft_lengths"]):
            x, d = move_dim(x, d, 0), 0
        return self.bind(x, **params), d


def _check_dtype(x: ShapedArray, kind: str, names: str, fft_type: FftType) -> None:
    if kind_of(x.dtype) != kind or x.dtype.itemsize < 4:
        raise TypeError(f"fungrad.lax.fft: the operand of {fft_type.name} must be {names}, got {x.str_short()}")


def _weights(like: Any, n: int) -> Any:
    """How often an element of the half counts in the whole: once at the frequency 0 and, for an even length ``n``, at
    the highest one, else twice; an array of the type of ``like``."""
    last = like.aval.ndim - 1
    place = broadcasted_iota(np.int32, like.aval.shape, last)
    once = eq(place, 0)
    if n % 2 == 0:
        once = once | eq(place, n // 2)
    one, two = (broadcast(constant(like, value), like.aval.shape) for value in (1, 2))
    return select(once, one, two)


def _rfft_transpose(ct: Any, lengths: Dims) -> Any:
    # Re(sum_k w^(jk) ct_k) over the half is the inverse transform with the weights taken out.
    whole = fft_p.bind(div(conj(ct), _weights(ct, lengths[-1])), fft_type=FftType.IRFFT, fft_lengths=lengths)
    return mul(whole, constant(whole, math.prod(lengths)))


def _irfft_transpose(ct: Any, x: ShapedArray, lengths: Dims) -> Any:
    half = fft_p.bind(ct, fft_type=FftType.RFFT, fft_lengths=lengths)
    if half.aval.shape != x.shape:
        return broadcast(constant(half, 0), x.shape)
    return conj(mul(mul(half, _weights(half, lengths[-1])), constant(half, 1 / max(1, math.prod(lengths)))))


fft_p = Fft("fft")


def fft(x: Any, fft_type: FftType | str, fft_lengths: Sequence[int]) -> Array:
    """Discrete Fourier transform along the last dimensions, as many as there are lengths.

    Args:
      x: real or complex numbers; integers and 16-bit floats are converted to float32 or complex64 (64-bit integers to
        64-bit parts).
      fft_type: which transform, ``FftType`` or its name; ``RFFT`` takes real numbers.
      fft_lengths: lengths of the transforms: the last dimensions of ``x``; for ``IRFFT`` those of the result.

    Returns:
      For ``FFT`` and ``IFFT`` complex numbers of the shape of ``x``; for ``RFFT`` the first ``n // 2 + 1`` elements
      along the last dimension, which determine the others; for ``IRFFT``, which takes those, real numbers. Inverse
      transforms divide by the number of elements.

    Raises:
      TypeError: ``fft_type`` is of another type.
      ValueError: there is no such transform, the shape of ``x`` does not fit ``fft_lengths``, or ``RFFT`` of complex
        numbers.

    References:
      Cooley and Tukey, An algorithm for the machine calculation of complex Fourier series, 1965; for lengths with large
      prime factors Bluestein, A linear filtering approach to the computation of discrete Fourier transform, 1970.

    Example:
      >>> import numpy as np
      >>> from fungrad import lax
      >>> print(lax.fft(np.float32([1, 2, 3, 2]), lax.FftType.RFFT, (4,)))
      [ 8.+0.j -2.+0.j  0.+0.j]
    """
    kind = _type_of(fft_type)
    lengths = integers("fungrad.lax.fft", "fft_lengths", fft_lengths, 0)
    x = lift(x, "fungrad.lax.fft: x")
    if kind_of(x.aval.dtype) in "k0":
        raise TypeError(f"fungrad.lax.fft: x must be real or complex numbers, got {x.aval.str_short()}")
    dtype = dtypes.to_inexact_dtype(x.aval.dtype)
    if kind is FftType.RFFT:
        if kind_of(dtype) == "c":
            raise ValueError(f"fungrad.lax.fft: x must be real for RFFT, got {x.aval.str_short()}; use FFT")
        wanted = np.dtype(np.float32) if dtype.itemsize < 4 else dtype
    else:
        wanted = np.dtype(np.complex64) if dtype.itemsize < 4 else _complex(dtype)
    x = convert_element_type(x, wanted)
    return fft_p.bind(x, fft_type=kind, fft_lengths=lengths) if lengths else x
