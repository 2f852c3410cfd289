"""``jax.experimental.array_serialization.serialization``: the interface that managers of checkpoints declare."""

import abc
from collections.abc import Callable, Sequence
from typing import Any

from fungrad.compat.rows import Row, adapter


class GlobalAsyncCheckpointManagerBase(abc.ABC):
    """What a manager of checkpoints that are written in the background must be able to do."""

    @abc.abstractmethod
    def check_for_errors(self) -> None:
        """Raises what has been raised in the background; does not wait."""

    @abc.abstractmethod
    def wait_until_finished(self) -> None:
        """Waits until everything is written."""

    @abc.abstractmethod
    def serialize(
        self, arrays: Sequence[Any], tensorstore_specs: Sequence[Any], *, on_commit_callback: Callable[[], None]
    ) -> None:
        """Begins to write arrays."""

    @abc.abstractmethod
    def deserialize(
        self, shardings: Sequence[Any], tensorstore_specs: Sequence[Any], global_shapes: Any = None, dtypes: Any = None
    ) -> Any:
        """Reads arrays."""


NAMES: dict[str, Row] = {
    "GlobalAsyncCheckpointManagerBase": adapter(GlobalAsyncCheckpointManagerBase, "orbax"),
}
