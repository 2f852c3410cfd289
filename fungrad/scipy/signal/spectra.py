"""Spectra of signals from overlapping windows (Welch, The use of fast Fourier transform for the estimation of power
spectra, 1967), the short-time Fourier transform and its inverse, and removal of trends.

May import ``core``, ``ops``, ``fungrad.numpy``, ``fungrad.lax`` and ``scipy._operands``.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

import fungrad.numpy as jnp
from fungrad import lax
from fungrad.core import dtypes
from fungrad.core.arguments import index
from fungrad.core.array import Array
from fungrad.ops.shape import canonical_axis
from fungrad.scipy._operands import alike, at_least_single, inexact, is_complex, number

# -- trends ------------------------------------------------------------------------------------------------------------


def _without_mean(x: Array) -> Array:
    return x - x.mean(-1, keepdims=True)


def _without_line(x: Array) -> Array:
    """Minus the line of least squares along the last axis."""
    n = x.shape[-1]
    place = np.arange(n) - (n - 1) / 2
    square = float(np.sum(place * place)) or 1.0
    t = jnp.asarray(place, x.dtype)
    centred = _without_mean(x)
    return centred - (centred * t).sum(-1, keepdims=True) / square * t


def detrend(
    data: Any,
    axis: int = -1,
    type: str = "linear",
    bp: int | Sequence[int] | np.ndarray = 0,
    overwrite_data: None = None,
) -> Array:
    """Data minus their mean, or minus a line of least squares in each of several pieces.

    Args:
      data: array.
      axis: along which axis.
      type: ``"linear"`` or ``"constant"``.
      bp: where pieces begin, for ``"linear"``.
      overwrite_data: must be None.

    Raises:
      TypeError: ``data`` is no array.
      ValueError: there is no such ``type``, the axis does not exist, or a break point is outside.
      NotImplementedError: ``overwrite_data``.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad.scipy import signal
      >>> print(signal.detrend(jnp.array([1.0, 2.0, 3.0, 5.0])).round(2))
      [ 0.2 -0.1 -0.4  0.3]
    """
    full = "fungrad.scipy.signal.detrend"
    if overwrite_data is not None:
        raise NotImplementedError(f"{full}: overwrite_data must be None: arrays never change")
    if type not in ("constant", "linear"):
        raise ValueError(f"{full}: type must be 'linear' or 'constant', got {type!r}")
    x = inexact("signal.detrend", "data", data)
    axis = canonical_axis(full, axis, x.ndim)
    n = x.shape[axis]
    x = jnp.moveaxis(x, axis, -1)
    if type == "constant":
        return jnp.moveaxis(_without_mean(x), -1, axis)
    breaks = np.unique(np.concatenate([[0, n], np.atleast_1d(np.asarray(bp))]))
    if breaks.dtype.kind not in "iu" or breaks[0] < 0 or breaks[-1] > n:
        raise ValueError(f"{full}: bp must be integers from 0 to the length {n} of the axis, got {bp}")
    pieces = [_without_line(x[..., a:b]) for a, b in zip(breaks[:-1].tolist(), breaks[1:].tolist(), strict=True)]
    return jnp.moveaxis(jnp.concatenate(pieces, -1) if pieces else x, -1, axis)


# -- windows -----------------------------------------------------------------------------------------------------------


def _window(api: str, window: Any, n: int, dtype: Any) -> Array:
    """A window by name, as of ``scipy.signal.get_window``."""
    if window == "hann":
        values = np.sin(np.pi * np.arange(n) / n) ** 2 if n > 1 else np.ones(n)
    elif window == "boxcar":
        values = np.ones(n)
    else:
        # Its import takes longer than that of fungrad.
        from scipy.signal import get_window

        try:
            values = get_window(window, n)
        except (ValueError, TypeError) as error:
            raise ValueError(
                f"fungrad.scipy.signal.{api}: window must be the name of a window of scipy.signal.get_window, or an "
                f"array, got {window!r}"
            ) from error
    return jnp.asarray(values, dtype)


def _window_of(api: str, window: Any, nperseg: int | None, length: int, dtype: Any) -> tuple[Array, int]:
    """The window as an array of a dtype, and the length of segments of a signal."""
    full = f"fungrad.scipy.signal.{api}"
    if isinstance(window, (str, tuple)):
        n = 256 if nperseg is None else nperseg
        if n > length:
            warnings.warn(f"{full}: nperseg={n} is greater than the length {length} of the signal", stacklevel=5)
            n = length
        return _window(api, window, n, dtype), n
    w = inexact(f"signal.{api}", "window", window).astype(dtype)
    if w.ndim != 1 or w.shape[0] > length:
        raise ValueError(f"{full}: window must have one dimension and be no longer than the signal, got {w.shape}")
    if nperseg is not None and nperseg != w.shape[0]:
        raise ValueError(f"{full}: nperseg must be the length {w.shape[0]} of the window, got {nperseg}")
    return w, w.shape[0]


# -- segments ----------------------------------------------------------------------------------------------------------


class _Segments(NamedTuple):
    """How a signal is cut: length of segments, how much of it two neighbours share, length of the transforms."""

    length: int
    overlap: int
    transform: int

    @property
    def step(self) -> int:
        """From a segment to the next."""
        return self.length - self.overlap


def _lengths(api: str, length: int, noverlap: Any, nfft: Any) -> _Segments:
    full = f"fungrad.scipy.signal.{api}"
    overlap = length // 2 if noverlap is None else index(full, "noverlap", noverlap)
    transform = length if nfft is None else index(full, "nfft", nfft)
    if transform < length:
        raise ValueError(f"{full}: nfft must be at least nperseg, got {transform} < {length}")
    if not 0 <= overlap < length:
        raise ValueError(f"{full}: noverlap must be from 0 to less than nperseg, got {overlap} for {length}")
    return _Segments(length, overlap, transform)


def _extended_odd(x: Array, n: int) -> Array:
    """A signal turned about its first and its last element."""
    if n > x.shape[-1] - 1:
        raise ValueError(
            f"fungrad.scipy.signal: boundary='odd' needs a signal longer than half a segment, {n}, got {x.shape[-1]}"
        )
    left = 2 * x[..., :1] - jnp.flip(x[..., 1 : n + 1], -1)
    right = 2 * x[..., -1:] - jnp.flip(x[..., x.shape[-1] - n - 1 : -1], -1)
    return jnp.concatenate([left, x, right], -1)


def _padded(x: Array, before: int, after: int, mode: str = "constant") -> Array:
    return jnp.pad(x, [(0, 0)] * (x.ndim - 1) + [(before, after)], mode)


_BOUNDARIES: dict[str | None, Callable[[Array, int], Array]] = {
    None: lambda x, n: x,
    "even": lambda x, n: _padded(x, n, n, "reflect"),
    "odd": lambda x, n: _extended_odd(x, n) if n else x,
    "constant": lambda x, n: _padded(x, n, n, "edge"),
    "zeros": lambda x, n: _padded(x, n, n),
}


def _cut(x: Array, segments: _Segments) -> Array:
    """The segments of a signal, shape (..., count, length)."""
    count = (x.shape[-1] - segments.length) // segments.step + 1
    starts = np.arange(count)[:, None] * segments.step
    return x[..., starts + np.arange(segments.length)]


def _trend_remover(api: str, how: Any) -> Callable[[Array], Array]:
    if isinstance(how, str):
        if how not in ("constant", "linear"):
            raise ValueError(
                f"fungrad.scipy.signal.{api}: detrend must be 'constant', 'linear', a function or False, got {how!r}"
            )
        return _without_mean if how == "constant" else _without_line
    if callable(how):
        return how
    if how:
        raise ValueError(
            f"fungrad.scipy.signal.{api}: detrend must be 'constant', 'linear', a function or False, got {how!r}"
        )
    return lambda x: x


class _Spectra(NamedTuple):
    """Frequencies, times, and the transforms of segments with the frequency in place of the axis, times last."""

    frequencies: Array
    times: Array
    values: Array


def _spectra(
    api: str,
    x: Any,
    y: Any,
    fs: Any,
    window: Any,
    nperseg: Any,
    noverlap: Any,
    nfft: Any,
    detrend: Any,
    onesided: bool,
    scaling: str,
    axis: int,
    power: bool,
    boundary: str | None = None,
    padded: bool = False,
) -> _Spectra:
    """Transforms of segments; with ``power`` their products, of both signals or with themselves."""
    full = f"fungrad.scipy.signal.{api}"
    if boundary not in _BOUNDARIES:
        known = ", ".join(repr(name) for name in _BOUNDARIES)
        raise ValueError(f"{full}: boundary must be one of {known}, got {boundary!r}")
    if scaling not in ("density", "spectrum"):
        raise ValueError(f"{full}: scaling must be 'density' or 'spectrum', got {scaling!r}")
    remove = _trend_remover(api, detrend)
    signals = [inexact(f"signal.{api}", "x", x)] if y is None else alike(f"signal.{api}", x=x, y=y)
    signals = [at_least_single(s) for s in signals]
    dtype = signals[0].dtype
    real = dtypes.to_real_dtype(dtype)
    axis = canonical_axis(full, axis, signals[0].ndim)
    if y is not None:
        if signals[0].ndim != signals[1].ndim:
            raise ValueError(f"{full}: x and y must have as many dimensions, got shapes {[s.shape for s in signals]}")
        shapes = [s.shape[:axis] + s.shape[axis + 1 :] for s in signals]
        try:
            outer = np.broadcast_shapes(*shapes)
        except ValueError:
            raise ValueError(f"{full}: x and y must broadcast but for the axis, got {shapes}") from None
    if nperseg is not None:
        nperseg = index(full, "nperseg", nperseg, 1)
    if any(s.size == 0 for s in signals):
        shape = signals[0].shape
        if y is not None:
            shape = (*outer[:axis], min(s.shape[axis] for s in signals), *outer[axis:])
        return _Spectra(
            jnp.zeros(shape, real), jnp.zeros(shape, real), jnp.zeros(shape, dtypes.to_complex_dtype(dtype))
        )
    win, length = _window_of(api, window, nperseg, signals[0].shape[axis], dtype)
    segments = _lengths(api, length, noverlap, nfft)
    signals = [jnp.moveaxis(s, axis, -1) for s in signals]
    longest = max(s.shape[-1] for s in signals)
    signals = [_padded(s, 0, longest - s.shape[-1]) for s in signals]
    signals = [_BOUNDARIES[boundary](s, length // 2) for s in signals]
    if padded:
        more = (length - signals[0].shape[-1]) % segments.step % length
        signals = [_padded(s, 0, more) for s in signals]
    if onesided and any(is_complex(s) for s in signals):
        warnings.warn(
            f"{full}: the spectrum of complex numbers has two sides, so return_onesided is ignored", stacklevel=4
        )
        onesided = False
    fs = number(f"signal.{api}", "fs", fs, real)
    transform, frequencies = (jnp.fft.rfft, jnp.fft.rfftfreq) if onesided else (jnp.fft.fft, jnp.fft.fftfreq)
    found = [transform(remove(_cut(s, segments)) * win, n=segments.transform) for s in signals]
    if scaling == "density":
        scale = 1 / (fs * (win * win).sum())
    else:
        scale = 1 / win.sum() ** 2
    if power:
        values = jnp.conj(found[0]) * found[-1] * scale
        if onesided:
            # What is left out has the same power; the frequency 0 and the highest one of an even length stand alone.
            twice = np.full(values.shape[-1], 2.0)
            twice[0] = 1
            if segments.transform % 2 == 0:
                twice[-1] = 1
            values = values * jnp.asarray(twice, real)
        values = values.real if y is None else values
    else:
        values = found[0] * jnp.sqrt(scale)
    n = signals[0].shape[-1]
    middle = np.arange(length / 2, n - length / 2 + 1, segments.step)
    if boundary is not None:
        middle = middle - length / 2
    times = jnp.asarray(middle, real) / fs
    unit = frequencies(segments.transform, 1.0, dtype=real) * fs
    return _Spectra(unit, times, jnp.moveaxis(values, -1, axis))


def stft(
    x: Any, fs: Any = 1.0, window: Any = "hann", nperseg: int = 256, noverlap: int | None = None,
    nfft: int | None = None, detrend: Any = False, return_onesided: bool = True, boundary: str | None = "zeros",
    padded: bool = True, axis: int = -1,
) -> tuple[Array, Array, Array]:  # fmt: skip
    """Short-time Fourier transform: the spectra of overlapping segments of a signal.

    Args:
      x: signal.
      fs: samples per unit of time.
      window: name of a window of ``scipy.signal.get_window``, or an array.
      nperseg: length of a segment.
      noverlap: samples that neighbouring segments share, default half a segment.
      nfft: length of the transforms, default that of a segment.
      detrend: ``"constant"``, ``"linear"`` or a function of segments, taken before the transform; False for none.
      return_onesided: frequencies from 0 on only; ignored, with a warning, for complex signals.
      boundary: how the signal goes on by half a segment: ``"zeros"``, ``"even"``, ``"odd"``, ``"constant"``, or None.
      padded: add zeros for a whole number of segments.
      axis: along which axis.

    Returns:
      Frequencies, times of the middles of segments, and the complex spectra: frequencies in place of the axis, times as
      the last dimension.

    Raises:
      TypeError: an argument is no array, or no integer.
      ValueError: a length, window, ``detrend`` or ``boundary`` is not possible.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad.scipy import signal
      >>> f, t, z = signal.stft(jnp.sin(jnp.pi / 4 * jnp.arange(64)), nperseg=16)
      >>> print(z.shape, f[jnp.argmax(jnp.abs(z[:, 4]))])
      (9, 9) 0.125
    """
    found = _spectra(
        "stft", x, None, fs, window, nperseg, noverlap, nfft, detrend, return_onesided, "spectrum", axis, False,
        boundary, padded,
    )  # fmt: skip
    return found.frequencies, found.times, found.values


def _median_bias(n: int) -> float:
    """The expectation of the median of ``n`` powers relative to their mean."""
    even = np.arange(2.0, n, 2)
    return 1 + float(np.sum(1 / (even + 1) - 1 / even))


def csd(
    x: Any, y: Any, fs: Any = 1.0, window: Any = "hann", nperseg: int | None = None, noverlap: int | None = None,
    nfft: int | None = None, detrend: Any = "constant", return_onesided: bool = True, scaling: str = "density",
    axis: int = -1, average: str = "mean",
) -> tuple[Array, Array]:  # fmt: skip
    """Cross power spectral density of two signals, by Welch's method.

    Args:
      x: signal.
      y: signal of as many dimensions; the shorter one is padded with zeros. None for ``x``.
      fs: samples per unit of time.
      window: name of a window of ``scipy.signal.get_window``, or an array.
      nperseg: length of a segment, default 256, or that of the window.
      noverlap: samples that neighbouring segments share, default half a segment.
      nfft: length of the transforms, default that of a segment.
      detrend: as of ``stft``.
      return_onesided: frequencies from 0 on only; ignored, with a warning, for complex signals.
      scaling: ``"density"`` (power per frequency) or ``"spectrum"`` (power).
      axis: along which axis.
      average: ``"mean"`` or ``"median"`` of the segments, the latter corrected for its bias.

    Returns:
      Frequencies, and the density, complex unless ``y`` is None.

    Raises:
      TypeError: an argument is no array, or no integer.
      ValueError: a length, window or name is not possible, or the shapes do not fit.

    References:
      Welch, The use of fast Fourier transform for the estimation of power spectra, 1967.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad.scipy import signal
      >>> x = jnp.sin(jnp.pi / 4 * jnp.arange(64))
      >>> f, p = signal.csd(x, x, nperseg=16)
      >>> print(f[jnp.argmax(jnp.abs(p))])
      0.125
    """
    return _density("csd", x, y, fs, window, nperseg, noverlap, nfft, detrend, return_onesided, scaling, axis, average)


def welch(
    x: Any, fs: Any = 1.0, window: Any = "hann", nperseg: int | None = None, noverlap: int | None = None,
    nfft: int | None = None, detrend: Any = "constant", return_onesided: bool = True, scaling: str = "density",
    axis: int = -1, average: str = "mean",
) -> tuple[Array, Array]:  # fmt: skip
    """Power spectral density of a signal, by Welch's method: ``csd`` of the signal with itself.

    Arguments and errors are those of ``csd``.

    Returns:
      Frequencies, and the density, real.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad.scipy import signal
      >>> f, p = signal.welch(jnp.sin(jnp.pi / 4 * jnp.arange(64)), nperseg=16)
      >>> print(f[jnp.argmax(p)])
      0.125
    """
    return _density(
        "welch", x, None, fs, window, nperseg, noverlap, nfft, detrend, return_onesided, scaling, axis, average
    )


def _density(
    api: str, x: Any, y: Any, fs: Any, window: Any, nperseg: Any, noverlap: Any, nfft: Any, detrend: Any,
    onesided: bool, scaling: str, axis: int, average: str,
) -> tuple[Array, Array]:  # fmt: skip
    if average not in ("mean", "median"):
        raise ValueError(f"fungrad.scipy.signal.{api}: average must be 'mean' or 'median', got {average!r}")
    found = _spectra(api, x, y, fs, window, nperseg, noverlap, nfft, detrend, onesided, scaling, axis, True)
    values = found.values
    if y is None:
        values = values.real
    if values.ndim < 2 or values.size == 0:
        return found.frequencies, values
    if average == "mean" or values.shape[-1] == 1:
        return found.frequencies, values.mean(-1)
    bias = _median_bias(values.shape[-1])
    if is_complex(values):
        return found.frequencies, lax.complex(jnp.median(values.real, -1) / bias, jnp.median(values.imag, -1) / bias)
    return found.frequencies, jnp.median(values, -1) / bias


# -- the inverse -------------------------------------------------------------------------------------------------------


def _overlap_add(frames: Array, step: int) -> Array:
    """Frames, shape (..., count, length), each ``step`` after the one before, added up."""
    *batch, count, length = frames.shape
    pieces = -(-length // step)
    frames = jnp.pad(frames, [(0, 0)] * (frames.ndim - 1) + [(0, pieces * step - length)])
    parts = frames.reshape(*batch, count, pieces, step)
    total: Any = None
    for k in range(pieces):
        # The k-th pieces of all frames stand one after the other, k steps from the start.
        part = jnp.pad(parts[..., k, :], [(0, 0)] * len(batch) + [(k, pieces - 1 - k), (0, 0)])
        total = part if total is None else total + part
    whole = total.reshape(*batch, (count + pieces - 1) * step)
    return whole[..., : step * (count - 1) + length]


def istft(
    Zxx: Any, fs: Any = 1.0, window: Any = "hann", nperseg: int | None = None, noverlap: int | None = None,
    nfft: int | None = None, input_onesided: bool = True, boundary: bool = True, time_axis: int = -1,
    freq_axis: int = -2,
) -> tuple[Array, Array]:  # fmt: skip
    """Inverse of ``stft``: the signal of least squares with these spectra.

    Args:
      Zxx: spectra.
      fs: samples per unit of time.
      window: that of ``stft``.
      nperseg: length of a segment, default that of the transforms.
      noverlap: samples that neighbouring segments share, default half a segment.
      nfft: length of the transforms.
      input_onesided: whether the spectra have frequencies from 0 on only.
      boundary: whether the signal went on by half a segment at its ends, which is cut off.
      time_axis: dimension of segments.
      freq_axis: dimension of frequencies.

    Returns:
      Times along the first dimension of the signal, and the signal, with the time in place of ``time_axis``.

    Raises:
      TypeError: an argument is no array, or no integer.
      ValueError: a length, window or axis is not possible.

    References:
      Griffin and Lim, Signal estimation from modified short-time Fourier transform, 1984.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad.scipy import signal
      >>> x = jnp.arange(32.0)
      >>> _, _, z = signal.stft(x, nperseg=8)
      >>> t, y = signal.istft(z, nperseg=8)
      >>> print(jnp.allclose(x, y, atol=1e-4))
      True
    """
    full = "fungrad.scipy.signal.istft"
    z = at_least_single(inexact("signal.istft", "Zxx", Zxx))
    z = z.astype(dtypes.to_complex_dtype(z.dtype))
    if z.ndim < 2:
        raise ValueError(f"{full}: Zxx must have at least two dimensions, got shape {z.shape}")
    frequency, time = (canonical_axis(full, axis, z.ndim) for axis in (freq_axis, time_axis))
    if frequency == time:
        raise ValueError(f"{full}: time_axis and freq_axis must be different, got {time_axis} and {freq_axis}")
    default = 2 * (z.shape[frequency] - 1) if input_onesided else z.shape[frequency]
    length = default if nperseg is None else index(full, "nperseg", nperseg, 1)
    if nfft is None and input_onesided and length == default + 1:
        # A segment of odd length without zeros after it.
        nfft = length
    transform = default if nfft is None else index(full, "nfft", nfft)
    if length < 1 or transform < length:
        raise ValueError(f"{full}: nfft must be at least nperseg, and that at least 1, got {transform} and {length}")
    segments = _lengths("istft", length, noverlap, transform)
    outer = [d for d in range(z.ndim) if d not in (time, frequency)]
    z = jnp.transpose(z, [*outer, time, frequency])
    frames = (jnp.fft.irfft if input_onesided else jnp.fft.ifft)(z, transform)[..., :length]
    if isinstance(window, (str, tuple)):
        win = _window("istft", window, length, frames.dtype)
    else:
        win = inexact("signal.istft", "window", window)
        if win.shape != (length,):
            raise ValueError(f"{full}: window must have shape ({length},), got {win.shape}")
    x = _overlap_add(frames * (win * win.sum()), segments.step)
    square = jnp.broadcast_to(win * win, (frames.shape[-2], length))
    norm = _overlap_add(square, segments.step)
    if boundary and length > 1:
        x, norm = (v[..., length // 2 : v.shape[-1] - length // 2] for v in (x, norm))
    x = x / jnp.where(norm.real > 1e-10, norm, 1)
    if x.ndim > 1 and time != z.ndim - 1:
        x = jnp.moveaxis(x, -1, time - (frequency < time))
    real = dtypes.to_real_dtype(x.dtype)
    times = jnp.arange(x.shape[0], dtype=real) / number("signal.istft", "fs", fs, real)
    return times, x
