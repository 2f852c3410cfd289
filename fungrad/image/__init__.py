"""``fungrad.image``: resampling of images, under the names of ``jax.image``.

The file holds no code.
"""

from fungrad.core.public_names import (
    public_names as _public_names,
    publish as _publish,
)
from fungrad.image.resampling import (
    ResizeMethod as ResizeMethod,
    resize as resize,
    scale_and_translate as scale_and_translate,
)

__all__ = _public_names(globals())

_publish(globals(), __name__, __all__)
