"""Clustering, under the names of ``jax.scipy.cluster``."""

from fungrad.core.public_names import (
    public_names as _public_names,
    publish as _publish,
)
from fungrad.scipy.cluster import (
    vq as vq,
)

__all__ = _public_names(globals())

_publish(globals(), __name__, __all__)
