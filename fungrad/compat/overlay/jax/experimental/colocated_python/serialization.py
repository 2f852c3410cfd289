"""``jax.experimental.colocated_python.serialization``: how devices are named in messages, of which there are none."""

from fungrad.compat.rows import Row, refused

NAMES: dict[str, Row] = {
    "DeviceList": refused(
        "jax.experimental.colocated_python.serialization.DeviceList", "all devices belong to this process", "orbax"
    ),
}
