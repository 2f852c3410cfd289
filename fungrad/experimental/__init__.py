"""Functions under JAX's experimental names."""

from fungrad.control.callbacks import (
    io_callback as io_callback,
)
from fungrad.core.public_names import (
    public_names as _public_names,
    publish as _publish,
)

__all__ = _public_names(globals())

_publish(globals(), __name__, __all__)
