"""Spatial algorithms, under the names of ``jax.scipy.spatial``."""

from fungrad.core.public_names import (
    public_names as _public_names,
    publish as _publish,
)
from fungrad.scipy.spatial import (
    transform as transform,
)

__all__ = _public_names(globals())

_publish(globals(), __name__, __all__)
