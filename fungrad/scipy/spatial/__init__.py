"""Spatial algorithms, under the names of ``jax.scipy.spatial``."""

from fungrad.core.public_names import publish
from fungrad.scipy.spatial import transform

__all__ = ["transform"]

publish(globals(), __name__, __all__)
