"""``accuracy=`` of elementary functions: what may be asked for.

May import nothing of the library.
"""

from __future__ import annotations

import enum
from typing import Any, NamedTuple


class AccuracyMode(enum.Enum):
    """How accurate an elementary function shall be; here all are as accurate as they get."""

    HIGHEST = 1
    DEFAULT = 2


class Tolerance(NamedTuple):
    """The error that an elementary function may have.

    Attributes:
      atol: absolute error.
      rtol: relative error.
      ulps: units in the last place.

    Example:
      >>> from fungrad import lax
      >>> lax.exp(0.0, accuracy=lax.Tolerance(rtol=1e-6))
      Array(1., dtype=float32, weak_type=True)
    """

    atol: float = 0.0
    rtol: float = 0.0
    ulps: int = 0


def check_accuracy(api: str, accuracy: Any) -> None:
    """Raises unless ``accuracy`` is one that can be asked for.

    Raises:
      TypeError: it is something else.
      ValueError: a tolerance is negative.
    """
    if isinstance(accuracy, Tolerance):
        if min(accuracy) < 0:
            raise ValueError(f"fungrad.lax.{api}: accuracy must not have negative tolerances, got {accuracy}")
    elif not isinstance(accuracy, AccuracyMode):
        raise TypeError(
            f"fungrad.lax.{api}: accuracy must be None, a fungrad.lax.AccuracyMode or a fungrad.lax.Tolerance, got "
            f"{accuracy!r}"
        )


__all__ = ["AccuracyMode", "Tolerance", "check_accuracy"]
