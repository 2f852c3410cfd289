"""Registries of rules for primitives, with JAX's names and conventions (``jax.interpreters``).

The rules of a primitive are methods (`fungrad.extend`); these modules register functions as such methods, for programs
that define primitives in JAX's way.
"""

from fungrad.core.public_names import (
    public_names as _public_names,
    publish as _publish,
)
from fungrad.interpreters import (
    ad as ad,
    batching as batching,
    mlir as mlir,
    partial_eval as partial_eval,
    pxla as pxla,
    xla as xla,
)

__all__ = _public_names(globals())

_publish(globals(), __name__, __all__)
