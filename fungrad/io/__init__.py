"""``fungrad.io``: trees of arrays in files, and checkpoints of training runs.

The file holds no code.
"""

from fungrad.core.public_names import publish
from fungrad.io.checkpoints import Checkpoints
from fungrad.io.files import load, save

__all__ = ["Checkpoints", "load", "save"]

publish(globals(), __name__, __all__)
