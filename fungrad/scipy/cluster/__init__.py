"""Clustering, under the names of ``jax.scipy.cluster``."""

from fungrad.core.public_names import publish
from fungrad.scipy.cluster import vq

__all__ = ["vq"]

publish(globals(), __name__, __all__)
