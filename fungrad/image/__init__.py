"""``fungrad.image``: resampling of images, under the names of ``jax.image``.

The file holds no code.
"""

from fungrad.core.public_names import publish
from fungrad.image.resampling import ResizeMethod, resize, scale_and_translate

__all__ = ["ResizeMethod", "resize", "scale_and_translate"]

publish(globals(), __name__, __all__)
