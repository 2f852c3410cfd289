"""Small libraries that JAX ships as examples (``jax.example_libraries``), which other programs have come to use."""

from fungrad.core.public_names import publish
from fungrad.example_libraries import optimizers, stax

__all__ = ["optimizers", "stax"]

publish(globals(), __name__, __all__)
