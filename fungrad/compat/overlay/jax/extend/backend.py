"""``jax.extend.backend``."""

from typing import Any

import fungrad
from fungrad.compat.rows import Row, adapter, alias, inert, nothing, refused_all


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


def _default_device() -> Any:
    """The device of arrays that are put on none."""
    return fungrad.config.default_device or fungrad.devices()[0]


NAMES: dict[str, Row] = {
    **refused_all(
        "jax.extend.backend",
        "get_compile_options register_backend_factory",
        "there is one backend, the CPU, and programs are compiled by LLVM, without XLA",
    ),
    "backend_xla_version": adapter(lambda platform=None: None),
    "clear_in_memory_compilation_cache": alias("fungrad:clear_caches"),
    "get_default_device": adapter(_default_device),
    "register_backend_cache": inert(nothing),
    "backends": adapter(lambda: {"cpu": _CLIENT}),
    "clear_backends": inert(nothing),
    "get_backend": adapter(lambda platform=None: _CLIENT, "chex"),
}
