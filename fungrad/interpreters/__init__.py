"""Registries of rules for primitives, with JAX's names and conventions (``jax.interpreters``).

The rules of a primitive are methods (`fungrad.extend`); these modules register functions as such methods, for programs
that define primitives in JAX's way.
"""

from fungrad.core.public_names import publish
from fungrad.interpreters import ad, batching, mlir, partial_eval, pxla, xla

__all__ = ["ad", "batching", "mlir", "partial_eval", "pxla", "xla"]

publish(globals(), __name__, __all__)
