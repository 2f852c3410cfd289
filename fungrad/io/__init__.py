"""``fungrad.io``: trees of arrays in files, and checkpoints of training runs.

The file holds no code.
"""

from fungrad.core.public_names import (
    public_names as _public_names,
    publish as _publish,
)
from fungrad.io.checkpoints import (
    Checkpoints as Checkpoints,
)
from fungrad.io.files import (
    load as load,
    save as save,
)

__all__ = _public_names(globals())

_publish(globals(), __name__, __all__)
