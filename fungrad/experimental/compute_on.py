"""Where parts of a program run: on the CPU, all of them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from fungrad.core.arguments import shown
from fungrad.core.public_names import publish

__all__ = ["compute_on", "compute_on2"]

_KINDS = ("device_host", "device", "tpu_sparsecore")


def _check(compute_type: Any, api: str) -> None:
    if not isinstance(compute_type, str):
        raise TypeError(
            f"fungrad.experimental.compute_on.{api}: compute_type must be a string, got {shown(compute_type)}"
        )
    if compute_type not in _KINDS and not compute_type.startswith("gpu_stream:"):
        raise ValueError(
            f"fungrad.experimental.compute_on.{api}: Invalid compute type {compute_type!r}; expected one of {_KINDS} "
            "or 'gpu_stream:<number>'"
        )


@contextlib.contextmanager
def compute_on(compute_type: str) -> Iterator[None]:
    """A block whose operations run where they would anyway: on the CPU.

    Args:
      compute_type: a kind of place that JAX knows, such as ``device_host``.

    Raises:
      ValueError: there is no such kind.

    Example:
      >>> from fungrad.experimental.compute_on import compute_on
      >>> with compute_on("device_host"):
      ...   x = 1.0 + 1.0
    """
    _check(compute_type, "compute_on")
    yield


def compute_on2(
    f: Callable[..., Any] | None = None, *, compute_type: str, out_memory_spaces: Any, compiler_options: Any = None
) -> Any:
    """The function itself, which runs where it would anyway: on the CPU.

    Args:
      f: the function. Works as a decorator.
      compute_type: a kind of place that JAX knows.
      out_memory_spaces: has no effect: there is one memory.
      compiler_options: has no effect.

    Raises:
      ValueError: there is no such kind.
    """
    _check(compute_type, "compute_on2")
    return (lambda g: g) if f is None else f


publish(globals(), __name__, __all__)
