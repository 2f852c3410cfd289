"""Functions under JAX's experimental names."""

from fungrad.control.callbacks import io_callback
from fungrad.core.public_names import publish

__all__ = ["io_callback"]

publish(globals(), __name__, __all__)
