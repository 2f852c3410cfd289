"""``fungrad.data``: batches, parts and augmentations of data sets, and a few sets.

The file holds no code.
"""

from fungrad.core.public_names import publish
from fungrad.data.augmentation import crop, flip, mixup, noise, shift
from fungrad.data.batching import Batches, batches, split
from fungrad.data.sets import idx, mnist, mnist1d, sklearn

__all__ = [
    "Batches",
    "batches",
    "crop",
    "flip",
    "idx",
    "mixup",
    "mnist",
    "mnist1d",
    "noise",
    "shift",
    "sklearn",
    "split",
]

publish(globals(), __name__, __all__)
