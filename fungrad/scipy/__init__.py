"""``fungrad.scipy``: SciPy's functions on fungrad arrays, under the names of ``jax.scipy``."""

from fungrad.scipy import special

__all__ = ["special"]
