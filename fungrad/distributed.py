"""One process: what programs for several call when they start and end."""

from __future__ import annotations

from typing import Any

from fungrad.core.public_names import publish

__all__ = ["initialize", "is_initialized", "shutdown"]

_state = {"initialized": False}


def initialize(
    coordinator_address: str | None = None,
    num_processes: int | None = None,
    process_id: int | None = None,
    local_device_ids: Any = None,
    **options: Any,
) -> None:
    """Notes that the program has started. There is one process.

    Args:
      coordinator_address: has no effect.
      num_processes: None or 1.
      process_id: None or 0.
      local_device_ids: has no effect.
      **options: have no effect.

    Raises:
      NotImplementedError: there would be more than one process.
      RuntimeError: it has been called before.

    Example:
      >>> import fungrad
      >>> fungrad.distributed.initialize(num_processes=1)
      >>> fungrad.distributed.is_initialized()
      True
      >>> fungrad.distributed.shutdown()
    """
    if num_processes not in (None, 1) or process_id not in (None, 0):
        raise NotImplementedError(
            f"fungrad.distributed.initialize: fungrad computes in one process, got num_processes={num_processes!r}, "
            f"process_id={process_id!r}; fungrad.make_mesh divides arrays among devices of this process"
        )
    if _state["initialized"]:
        raise RuntimeError("fungrad.distributed.initialize: distributed.initialize should only be called once.")
    _state["initialized"] = True


def is_initialized() -> bool:
    """Whether ``initialize`` has been called, and ``shutdown`` not since."""
    return _state["initialized"]


def shutdown() -> None:
    """Notes that the program ends; nothing happens if it had not been noted that it started."""
    _state["initialized"] = False


publish(globals(), __name__, __all__)
