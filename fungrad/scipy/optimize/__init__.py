"""Minimisation, under the names of ``jax.scipy.optimize``.

``fungrad.optim`` has the optimizers of training.
"""

from fungrad.core.public_names import (
    public_names as _public_names,
    publish as _publish,
)
from fungrad.scipy.optimize.minimization import (
    OptimizeResults as OptimizeResults,
    minimize as minimize,
)

__all__ = _public_names(globals())

_publish(globals(), __name__, __all__)
