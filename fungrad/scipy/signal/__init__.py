"""Signal processing, under the names of ``jax.scipy.signal``: convolutions, spectra and their inverses."""

from fungrad.core.public_names import (
    public_names as _public_names,
    publish as _publish,
)
from fungrad.scipy.signal.convolving import (
    convolve as convolve,
    convolve2d as convolve2d,
    correlate as correlate,
    correlate2d as correlate2d,
    fftconvolve as fftconvolve,
)
from fungrad.scipy.signal.spectra import (
    csd as csd,
    detrend as detrend,
    istft as istft,
    stft as stft,
    welch as welch,
)

__all__ = _public_names(globals())

_publish(globals(), __name__, __all__)
