"""Signal processing, under the names of ``jax.scipy.signal``: convolutions, spectra and their inverses."""

from fungrad.core.public_names import publish
from fungrad.scipy.signal.convolving import convolve, convolve2d, correlate, correlate2d, fftconvolve
from fungrad.scipy.signal.spectra import csd, detrend, istft, stft, welch

__all__ = [
    "convolve", "convolve2d", "correlate", "correlate2d", "csd", "detrend", "fftconvolve", "istft", "stft", "welch",
]  # fmt: skip

publish(globals(), __name__, __all__)
