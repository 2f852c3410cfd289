"""What a policy of ``checkpoint`` answers: a bool, ``Recompute``, ``Saveable`` or an ``Offloadable``.

May import ``core``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from fungrad.core.arguments import shown
from fungrad.core.source import function_name


class RecomputeType:
    """What a policy may return instead of False: ``Recompute``."""

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return "Recompute"


class SaveableType:
    """What a policy may return instead of True: ``Saveable``."""

    def __repr__(self) -> str:
        return "Saveable"


class Offloadable(NamedTuple):
    """What a policy may return for a value to keep in another memory. There is one memory: the value is saved.

    Attributes:
      src: the memory it is in, such as ``device``.
      dst: the memory to keep it in, such as ``pinned_host``.
    """

    src: str
    dst: str


Recompute, Saveable = RecomputeType(), SaveableType()


def is_saved(answer: Any, policy: Callable[..., Any]) -> bool:
    """Whether a policy has said that a value is kept.

    Raises:
      TypeError: it has said something else.
    """
    if not isinstance(answer, (bool, np.bool_, RecomputeType, SaveableType, Offloadable)):
        raise TypeError(
            f"fungrad.checkpoint: the policy {function_name(policy)} must return a bool, Recompute, Saveable or "
            f"Offloadable(src=..., dst=...), got {shown(answer)}"
        )
    return bool(answer)
