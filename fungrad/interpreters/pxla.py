"""``jax.interpreters.pxla``, whose names JAX has withdrawn: nothing is left that a program could use."""

from fungrad.core.public_names import publish

__all__: list[str] = []

publish(globals(), __name__, __all__)
