"""Notes for XLA about operations, which programs written for JAX make; they have no effect here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fungrad.core.public_names import publish


class XlaMetadata:
    """What ``set_xla_metadata`` returns without a value: to be entered, or to decorate a function with."""

    def __init__(self, metadata: dict[str, Any]):
        self.metadata = metadata

    def __enter__(self) -> None:
        """Nothing is noted."""

    def __exit__(self, *error: Any) -> None:
        """Nothing is to be restored."""

    def __call__(self, fun: Callable[..., Any]) -> Callable[..., Any]:
        return fun


def set_xla_metadata(x: Any = None, **metadata: Any) -> Any:
    """Notes for XLA on an operation or a part of a program; without effect, since there is no XLA.

    Args:
      x: result of the operation, any tree. Without it the notes are for a block or a function.
      **metadata: the notes.

    Returns:
      ``x``; without it what is entered (``with``) or decorates a function.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad.experimental.xla_metadata import set_xla_metadata
      >>> set_xla_metadata(jnp.sin(0.0), checked=True)
      Array(0., dtype=float32, weak_type=True)
      >>> with set_xla_metadata(block="first"):
      ...   y = jnp.sin(0.0)
    """
    return XlaMetadata(metadata) if x is None else x


__all__ = ["set_xla_metadata"]

publish(globals(), __name__, __all__)
