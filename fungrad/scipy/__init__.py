"""``fungrad.scipy``: SciPy's functions on fungrad arrays, under the names of ``jax.scipy``.

Modules but ``special`` are imported when they are first asked for.
"""

import importlib
from typing import TYPE_CHECKING, Any

from fungrad.core.public_names import missing, publish
from fungrad.scipy import special

_LATER = (
    "cluster", "fft", "integrate", "interpolate", "linalg", "ndimage", "optimize", "signal", "sparse", "spatial",
    "stats",
)  # fmt: skip

__all__ = [*_LATER, "special"]


if TYPE_CHECKING:
    from fungrad.scipy import (
        cluster,
        fft,
        integrate,
        interpolate,
        linalg,
        ndimage,
        optimize,
        signal,
        sparse,
        spatial,
        stats,
    )
else:
    # Type checkers must not see it: a name that does not exist is an error.
    def __getattr__(name: str) -> Any:
        if name in _LATER:
            return importlib.import_module(f"{__name__}.{name}")
        raise missing(__name__, name)


publish(globals(), __name__, __all__)
