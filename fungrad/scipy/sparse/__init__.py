"""Sparse problems, under the names of ``jax.scipy.sparse``."""

from fungrad.core.public_names import (
    public_names as _public_names,
    publish as _publish,
)
from fungrad.scipy.sparse import (
    linalg as linalg,
)

__all__ = _public_names(globals())

_publish(globals(), __name__, __all__)
