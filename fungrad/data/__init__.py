"""``fungrad.data``: batches, parts and augmentations of data sets, and a few sets.

The file holds no code.
"""

from fungrad.core.public_names import (
    public_names as _public_names,
    publish as _publish,
)
from fungrad.data.augmentation import (
    crop as crop,
    flip as flip,
    mixup as mixup,
    noise as noise,
    shift as shift,
)
from fungrad.data.batching import (
    Batches as Batches,
    batches as batches,
    split as split,
)
from fungrad.data.sets import (
    idx as idx,
    mnist as mnist,
    mnist1d as mnist1d,
    sklearn as sklearn,
)

__all__ = _public_names(globals())

_publish(globals(), __name__, __all__)
