"""Small libraries that JAX ships as examples (``jax.example_libraries``), which other programs have come to use."""

from fungrad.core.public_names import (
    public_names as _public_names,
    publish as _publish,
)
from fungrad.example_libraries import (
    optimizers as optimizers,
    stax as stax,
)

__all__ = _public_names(globals())

_publish(globals(), __name__, __all__)
