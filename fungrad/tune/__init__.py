"""``fungrad.tune``: search for hyperparameters with Optuna.

The file holds no code.
"""

from fungrad.core.public_names import (
    public_names as _public_names,
    publish as _publish,
)
from fungrad.tune.search import (
    Result as Result,
    Uniform as Uniform,
    search as search,
    search_mapped as search_mapped,
)

__all__ = _public_names(globals())

_publish(globals(), __name__, __all__)
