"""For libraries on top of fungrad: jaxprs, primitives and what interprets them, under JAX's names (``jax.extend``)."""

from fungrad.extend import core

__all__ = ["core"]
