"""``jax.distributed``: several processes, of which there is one."""

from fungrad.compat.rows import Row, adapter, inert, nothing, refused

NAMES: dict[str, Row] = {
    "initialize": refused("jax.distributed.initialize", "fungrad runs in one process", "orbax"),
    "is_initialized": adapter(lambda: False, "orbax"),
    "shutdown": inert(nothing),
}
