"""``jax.extend.backend``."""

from typing import Any

import fungrad
from fungrad.compat.rows import Row, adapter, inert, nothing


class Client:
    """The CPU as XLA's clients show themselves."""

    platform = "cpu"
    platform_version = "cpu"
    runtime_type = "fungrad"

    def devices(self) -> list[Any]:
        """All devices."""
        return fungrad.devices()

    local_devices = devices

    def device_count(self) -> int:
        """Their number."""
        return fungrad.device_count()

    def process_index(self) -> int:
        """The number of this process: 0."""
        return 0


_CLIENT = Client()

NAMES: dict[str, Row] = {
    "backends": adapter(lambda: {"cpu": _CLIENT}),
    "clear_backends": inert(nothing),
    "get_backend": adapter(lambda platform=None: _CLIENT, "chex"),
}
