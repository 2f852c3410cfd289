"""Which arrays there are.

May import ``core``.
"""

from __future__ import annotations

import gc

from fungrad.core.array import Array, ArrayImpl
from fungrad.core.device import devices


def live_arrays(platform: str | None = None) -> list[Array]:
    """All arrays of the process that have not been deleted.

    They are looked for among everything that the garbage collector knows, which takes a while.

    Args:
      platform: None or ``cpu``.

    Raises:
      RuntimeError: there is no such platform.

    Example:
      >>> import fungrad, fungrad.numpy as jnp
      >>> x = jnp.ones((3, 17))
      >>> any(y is x for y in fungrad.live_arrays())
      True
    """
    devices(platform)
    return [x for x in gc.get_objects() if type(x) is ArrayImpl and not x.is_deleted()]
