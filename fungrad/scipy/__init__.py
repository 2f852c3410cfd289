"""``fungrad.scipy``: SciPy's functions on fungrad arrays, under the names of ``jax.scipy``."""

from fungrad.core.public_names import publish
from fungrad.scipy import linalg, special, stats

__all__ = ["linalg", "special", "stats"]

publish(globals(), __name__, __all__)
