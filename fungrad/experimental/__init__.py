"""Functions under JAX's experimental names."""

from fungrad.control.callbacks import io_callback

__all__ = ["io_callback"]
