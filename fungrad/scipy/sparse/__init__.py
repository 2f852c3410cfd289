"""Sparse problems, under the names of ``jax.scipy.sparse``."""

from fungrad.core.public_names import publish
from fungrad.scipy.sparse import linalg

__all__ = ["linalg"]

publish(globals(), __name__, __all__)
