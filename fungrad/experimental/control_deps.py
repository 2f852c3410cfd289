"""The order of operations: that of the program, so that there is nothing to add."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fungrad.core.public_names import publish

__all__ = ["control_dep", "schedule"]


def control_dep(src: Any, dst: Any) -> None:
    """States that an operation comes before another; effects happen in the order of the program anyway.

    Args:
      src: the result of the first.
      dst: an operand of the second.
    """


def schedule(ops: Sequence[Any]) -> None:
    """States that operations come one after the other.

    Args:
      ops: results of the operations.
    """


publish(globals(), __name__, __all__)
