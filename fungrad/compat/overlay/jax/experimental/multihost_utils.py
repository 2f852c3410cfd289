"""``jax.experimental.multihost_utils``: what several processes agree on, where there is one."""

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np

import fungrad
from fungrad.compat.rows import Row, adapter, inert, nothing


def _broadcast(in_tree: Any, is_source: bool | None = None) -> Any:
    """The tree itself, in the memory of the host: this process is the source."""
    return fungrad.tree.map(np.asarray, in_tree)


def _gather(in_tree: Any, tiled: bool = False) -> Any:
    """The values of all processes: of the one, with a leading axis unless ``tiled``."""

    return fungrad.tree.map(lambda x: np.asarray(x) if tiled else np.asarray(x)[None], in_tree)


def _same(in_tree: Any, fail_message: str = "") -> None:
    """All processes have the same values: there is one."""


def _preempted(step_id: int) -> bool:
    """Whether the processes are to save before they are stopped.

    Raises:
      RuntimeError: always, as in JAX where ``jax.distributed.initialize`` has not been called.
    """
    raise RuntimeError(
        "Preemption sync manager has not been initialized: fungrad runs in one process, which nothing preempts"
    )


def _globally(local_inputs: Any, global_mesh: Any, pspecs: Any) -> Any:
    """The arrays of this process are those of all: put where the mesh says."""
    return _everywhere(local_inputs, global_mesh, pspecs)


def _locally(global_inputs: Any, global_mesh: Any, pspecs: Any) -> Any:
    """Likewise."""
    return _everywhere(global_inputs, global_mesh, pspecs)


@contextlib.contextmanager
def _live(devices: Any) -> Iterator[list[Any]]:
    """The devices whose processes live: all of them."""
    yield list(devices)


class _ProcessFailureError(RuntimeError):
    """A process has failed; there is one, so it is never raised."""


def _everywhere(inputs: Any, global_mesh: Any, pspecs: Any) -> Any:

    def of(spec: Any) -> Any:
        return fungrad.NamedSharding(global_mesh, fungrad.P() if spec is None else spec)

    shardings = fungrad.tree.map(of, pspecs, is_leaf=lambda x: x is None or isinstance(x, fungrad.P))
    return fungrad.device_put(inputs, shardings)


NAMES: dict[str, Row] = {
    "assert_equal": inert(_same, "orbax"),
    "broadcast_one_to_all": adapter(_broadcast, "orbax"),
    "ProcessFailureError": inert(_ProcessFailureError),
    "global_array_to_host_local_array": adapter(_locally),
    "host_local_array_to_global_array": adapter(_globally),
    "live_devices": adapter(_live),
    "process_allgather": adapter(_gather, "orbax"),
    "reached_preemption_sync_point": adapter(_preempted, "orbax"),
    "sync_global_devices": inert(nothing, "orbax"),
}
