"""``fungrad.scipy``: SciPy's functions on fungrad arrays, under the names of ``jax.scipy``."""

from fungrad.core.public_names import publish
from fungrad.scipy import special, stats

__all__ = ["special", "stats"]

publish(globals(), __name__, __all__)
