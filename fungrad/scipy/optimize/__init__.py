"""Minimisation, under the names of ``jax.scipy.optimize``.

``fungrad.optim`` has the optimizers of training.
"""

from fungrad.core.public_names import publish
from fungrad.scipy.optimize.minimization import OptimizeResults, minimize

__all__ = ["OptimizeResults", "minimize"]

publish(globals(), __name__, __all__)
