"""Notes for XLA about parts of a program that are to run together; they have no effect here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fungrad.core.public_names import publish

__all__ = ["scheduling_group", "xla_metadata_call"]


def scheduling_group(name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorates a function that belongs to a group of operations; it is returned as it is.

    Args:
      name: of the group.

    Example:
      >>> from fungrad.experimental.scheduling_groups import scheduling_group
      >>> scheduling_group("first")(abs)(-1)
      1
    """
    return xla_metadata_call(scheduling_group=name)


def xla_metadata_call(f: Callable[..., Any] | None = None, **meta: Any) -> Any:
    """Notes for XLA about a function, which is returned as it is.

    Args:
      f: the function. Works as a decorator.
      **meta: the notes.
    """
    return (lambda g: g) if f is None else f


publish(globals(), __name__, __all__)
